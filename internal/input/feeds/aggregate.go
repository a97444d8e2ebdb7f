package feeds

import (
	"fmt"
	"net/netip"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// TooManyError says that ranges do not fit.
type TooManyError struct {
	Published, Merged, Max int
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%d ranges, of %d published, are left when all are merged that can be without opening more; that is more than %d", e.Merged, e.Published, e.Max)
}

// Aggregate returns the fewest prefixes that hold exactly the addresses of the given ones, in
// order. If they are more than max the error is a *[TooManyError]: to merge further would open what
// nobody has published. A max of 0 is none.
func Aggregate(prefixes []netip.Prefix, max int) ([]netip.Prefix, error) {
	merged := netset.CIDRs(netset.Prefixes(prefixes...))
	if max > 0 && len(merged) > max {
		return nil, &TooManyError{len(prefixes), len(merged), max}
	}
	return merged, nil
}

// Target is a kind of policy, and how many ranges one object of it can hold.
type Target struct {
	Name   string
	Max    int
	Why    string
	Source string
}

// Targets lists them.
var Targets = []Target{
	{"networkpolicy", 1_572_864 / 70, "an object of etcd is 1.5 MiB at most, and a peer takes up to 70 bytes; above 256 KiB apply it on the server's side",
		"kubernetes/kubernetes issue 105863, kubernetes/kubectl issue 712"},
	{"cilium", 16_384, "the policy map of an endpoint has 16,384 entries, one for each port and range", "cilium 1.20, network/ebpf/maps.rst"},
	{"cnp", 25 * 25 * 25, "25 rules of 25 peers of 25 ranges", "network-policy-api, apis/v1alpha2/clusternetworkpolicy_types.go"},
	{"aws", 65_536, "the agent's map of a pod and direction has 65,536 entries, all policies together", "aws-network-policy-agent, tc.v4egress.bpf.c"},
}
