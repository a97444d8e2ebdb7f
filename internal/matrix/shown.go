package matrix

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/reach"
)

// A node or an API server whose address the input shows needs no row where it passes as its address does: whoever reads the rows of addresses finds
// it there. But policies let nodes through for what they are, too, by entities and labels, and then no row of addresses need have theirs.

// shown is an address of a node or of an API server that the input shows.
type shown struct {
	addr netip.Addr
	id   netset.ID
}

func (m *Matrix) findShown() {
	var ids []netset.ID
	for n := m.p.Classes(); n < m.p.Holders(); n++ {
		h := m.p.Class(n)
		if h.Kind != reach.Node && h.Kind != reach.KubeAPI {
			continue
		}
		for _, f := range reach.Families {
			if h.Addrs[f].State == reach.KnownAddr {
				id := m.p.ID(n, f)
				m.shown = append(m.shown, shown{h.Addrs[f].Addr, id})
				ids = append(ids, id)
			}
		}
	}
	m.shownIDs = netset.Points(ids...)
	slices.SortStableFunc(m.shown, func(a, b shown) int { return a.addr.Compare(b.addr) })
}

// shownIn returns who of m.shown has an address in addrs.
func (m *Matrix) shownIn(addrs netset.Addrs) netset.IDs {
	var ids []netset.ID
	for r := range addrs.Runs() {
		at, _ := slices.BinarySearchFunc(m.shown, r.Lo, func(s shown, lo netip.Addr) int { return s.addr.Compare(lo) })
		for ; at < len(m.shown) && m.shown[at].addr.Compare(r.Hi) <= 0; at++ {
			ids = append(ids, m.shown[at].id)
		}
	}
	return netset.Points(ids...)
}

// told is whose addresses, of those that the input shows, pass in the way of an entry.
type told struct {
	ids netset.IDs
	entry
}

// told returns what rows of addresses, or of host names that resolve to them, say of holders.
func (m *Matrix) told(boxes []reach.Box) []told {
	if m.shown == nil {
		return nil
	}
	var out []told
	for _, b := range boxes {
		if ids := m.shownIn(b.Region.Addrs); !ids.IsEmpty() {
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
