package reach

import (
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Held returns the holders that have an address in addrs, and those whose address is not known and
// may be one; whether a plugin matches them by it is another question.
func (p *Program) Held(addrs netset.Addrs) (surely, perhaps netset.IDs) {
	surely = p.KnownIn(addrs)
	for _, f := range Families {
		for k := range kinds {
			ids, all := p.unknownAddrs[k].ids[f], p.areas[k][f].all
			within := addrs.Intersect(all)
			if netset.Size(within) <= smallBlock {
				within = within.Minus(p.taken)
			}
			switch {
			case within.IsEmpty():
			case within.Equal(all):
				surely = surely.Union(ids)
			default:
				perhaps = perhaps.Union(ids)
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
