package matrix

import (
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// A node or an API server whose address the input shows needs no row where it passes as its address does: whoever reads the rows of addresses finds
// it there. But policies let nodes through for what they are, too, by entities and labels, and then no row of addresses need have theirs.

func (m *Matrix) findShown() {
	var ids []netset.ID
	for n := m.p.Classes(); n < m.p.Holders(); n++ {
		h := m.p.Class(n)
		if h.Kind != reach.Node && h.Kind != reach.KubeAPI {
			continue
		}
		for _, f := range reach.Families {
			if h.Addrs[f].State == reach.KnownAddr {
				ids = append(ids, m.p.ID(n, f))
			}
		}
	}
	m.shownIDs = netset.Points(ids...)
}

// told is whose addresses, of those that the input shows, pass in the way of an entry.
type told struct {
	ids netset.IDs
	entry
}

// told returns what rows of addresses, or of host names that resolve to them, say of holders.
func (m *Matrix) told(boxes []reach.Box) []told {
	if m.shownIDs.IsEmpty() {
		return nil
	}
	var out []told
	for _, b := range boxes {
		if ids := m.p.KnownIn(b.Region.Addrs).Intersect(m.shownIDs); !ids.IsEmpty() {
			out = append(out, told{ids, entry{conns: b.Conns, way: wayOf(b)}})
		}
	}
	return out
}

// untold returns what of the holders in b whose address is known passes in another way than their addresses do.
func (m *Matrix) untold(b reach.Box, by []told) entries {
	type part struct {
		ids netset.IDs // one for each family
		entry
	}
	left := []part{{b.Region.IDs.Intersect(m.shownIDs), entry{conns: b.Conns, way: wayOf(b)}}}
	if left[0].ids.IsEmpty() {
		return nil
	}
	for _, t := range by {
		if t.verdict != left[0].verdict || t.rest != left[0].rest || t.ids.Intersect(b.Region.IDs).IsEmpty() {
			continue
		}
		var next []part
		for _, p := range left {
			if others := p.ids.Minus(t.ids); !others.IsEmpty() {
				next = append(next, part{others, p.entry})
			}
			if both := p.ids.Intersect(t.ids); !both.IsEmpty() {
				for _, e := range p.without(t.entry) {
					next = append(next, part{both, e})
				}
			}
		}
		if left = next; left == nil {
			return nil
		}
	}
	var out entries
	for _, p := range left {
		e := p.entry
		e.ids = m.p.Numbers(p.ids)
		out = append(out, e)
	}
	return out
}
