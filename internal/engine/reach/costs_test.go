package reach

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// namesAndRequests is a pod with n rules that each name a host and judge requests: 2n facts that
// stand in one condition.
func namesAndRequests(n int) string {
	var b strings.Builder
	b.WriteString(onePod + "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {endpointSelector: {}, egress: [")
	for i := range n {
		fmt.Fprintf(&b, "{toFQDNs: [{matchName: h%d.example.com}], toPorts: [{ports: [{port: '443', protocol: TCP}], rules: {http: [{path: /%d}]}}]},\n", i, i)
	}
	b.WriteString("]}}\n")
	return b.String()
}

// TestNamesAndRequests demands that such a condition is asked rule by rule, and so stays as small
// as the policy is.
func TestNamesAndRequests(t *testing.T) {
	const n = 100
	p := under(t, "cilium", namesAndRequests(n))
	got := p.Explain(AtHolder(0), AtAddr(netip.MustParseAddr("93.184.216.34")), netset.TCP, 443)
	if questions := got.When.Questions(); got.Verdict != Depends || len(questions) != 2*n {
		t.Errorf("%v, and it hangs on %d questions", got.Verdict, len(questions))
	}
	if got.When.Asks(func(q *when.Question) bool { return q.Kind == when.Unjudged }) {
		t.Error("some of it was too large to be told")
	}
}

func BenchmarkNamesAndRequests(b *testing.B) {
	for _, n := range []int{16, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := under(b, "cilium", namesAndRequests(n))
			for b.Loop() {
				NewProgram(g.Ground, g.Profiles()...).Fold()
			}
		})
	}
}
