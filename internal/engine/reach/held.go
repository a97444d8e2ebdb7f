package reach

import (
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Held returns the holders that have an address in addrs, and those whose address is not known and
// may be one; whether a plugin matches them by it is another question.
func (g *Ground) Held(addrs netset.Addrs) (surely, perhaps netset.IDs) {
	surely = g.KnownIn(addrs)
	for _, f := range Families {
		for k := range g.unknownAddrs {
			unknown := &g.unknownAddrs[k]
			within := addrs.Intersect(unknown.plan[f])
			if netset.Size(within) <= smallBlock {
				within = within.Minus(g.taken)
			}
			switch {
			case within.IsEmpty():
			case within.Equal(unknown.plan[f]):
				surely = surely.Union(unknown.ids[f])
			default:
				perhaps = perhaps.Union(unknown.ids[f])
			}
		}
	}
	return surely, perhaps
}

// Selects reports whether a pair of selectors selects a class, certainly and possibly.
func (g *Ground) Selects(s policy.Subject, class int) (certainly, possibly bool) {
	h := &g.holders[class]
	nsMust, nsMay := s.NS.Match(g.namespaces[h.namespace].Labels)
	podMust, podMay := s.Pod.Match(h.labels)
	return nsMust && podMust, nsMay && podMay
}
