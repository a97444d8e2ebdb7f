package facts

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// Against returns what of f the objects of a cluster contradict, one entry for each list of ranges
// that is said to be whole and misses an address in use. Such facts are of another cluster, or of
// another day.
func Against(f *model.Facts, s *model.Snapshot) []model.Unknown {
	var out []model.Unknown
	hold := func(field string, list []model.Range, what string, addrs []netip.Addr) {
		for _, a := range addrs {
			a = a.Unmap()
			told := slices.ContainsFunc(list, func(r model.Range) bool { return r.CIDR.Addr().Is4() == a.Is4() })
			named := slices.ContainsFunc(out, func(u model.Unknown) bool { return u.What == field })
			if told && !named && f.Known(field) && !in(list, a) {
				out = append(out, model.Unknown{What: field, Why: fmt.Sprintf("%s has the address %s, which is in none of the ranges", what, a)})
			}
		}
	}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		for _, p := range w.Pods {
			if !p.HostNetwork {
				hold(fieldPods, f.Ranges.Pods, "a pod of "+w.Namespace+"/"+w.Kind+"/"+w.Name, p.Addrs)
			}
		}
	}
	for _, svc := range s.Services {
		hold(fieldServices, f.Ranges.Services, "Service "+svc.Namespace+"/"+svc.Name, svc.ClusterIPs)
	}
	for _, n := range s.Nodes {
		own := slices.DeleteFunc(slices.Clone(n.Addrs), func(a netip.Addr) bool { return !special.Plan.Contains(a.Unmap()) }) // public ones are of no subnet
		hold(fieldNodes, f.Ranges.Nodes, "node "+n.Name, own)
	}
	return out
}
