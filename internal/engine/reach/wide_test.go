package reach

import (
	"fmt"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/test/slow"
)

// TestWide asks about more classes than the other side of a connection is looked up for one by one,
// where most admit nobody, some a few, some all.
func TestWide(t *testing.T) {
	r := newRandom(7, mix{})
	s := scene{snap: &model.Snapshot{Namespaces: []model.Namespace{{Name: "n0", Labels: label.Known(label.Set{label.MetadataName: "n0"})}}}}
	in := func(values ...string) slow.Selector { return slow.Selector{{Key: "n", Operator: "In", Values: values}} }
	peer := func(sel slow.Selector) []slow.Peer { return []slow.Peer{{PodSelector: &sel}} }
	const pods = wide + 100
	for i := range pods {
		n := fmt.Sprint(i)
		s.snap.Workloads = append(s.snap.Workloads, model.Workload{Namespace: "n0", Kind: "Deployment", Name: fmt.Sprintf("w%03d", i),
			Pods: []model.Pod{{Labels: label.Known(label.Set{"n": n})}}})
		p := slow.Policy{Namespace: "n0", PodSelector: in(n), PolicyTypes: []string{"Ingress", "Egress"}}
		other := fmt.Sprint(r.IntN(pods))
		switch i % 5 {
		case 0: // everybody, both ways
			p.Ingress, p.Egress = []slow.Rule{{}}, []slow.Rule{{}}
		case 1:
			p.Ingress, p.Egress = []slow.Rule{{Peers: peer(in(other, "5", "10"))}}, []slow.Rule{{}}
		case 2:
			p.Ingress, p.Egress = []slow.Rule{{Ports: []slow.Port{{Number: 80}}}}, []slow.Rule{{Peers: peer(in(other, "0"))}}
		case 3:
			p.Egress = []slow.Rule{{Peers: peer(in(other)), Ports: []slow.Port{{Number: 80}, {Number: 81}}}}
		}
		s.policies = append(s.policies, p)
		s.snap.Policies = append(s.snap.Policies, decoded(p, i))
	}
	b := newBench(r, 7, s, spec(), 1)
	var count tally
	for range 4000 {
		q := question{AtHolder(r.IntN(pods)), AtHolder(pick(r, r.IntN(pods), r.IntN(11))), netset.TCP, pick[netset.Port](r, 80, 81)}
		if q.from == q.to {
			continue
		}
		v, _ := b.ask(t, q)
		count.verdicts[v]++
	}
	t.Log(&count)
	count.healthy(t, Allowed, Denied)
	if n := len(b.groups[policy.Ingress]); n < pods/2 {
		t.Errorf("%d groups: too few to be a test", n)
	}
}
