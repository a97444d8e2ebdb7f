package matrix

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// distinct numbers values, equal ones alike.
type distinct[T any] struct {
	hash  func(T) uint64 // equal for equal values
	equal func(a, b T) bool
	list  []T
	at    map[uint64][]int // by hash: indices of list
}

// number returns the number of v, and whether it is a new one.
func (d *distinct[T]) number(v T) (n int, isNew bool) {
	h := d.hash(v)
	for _, n := range d.at[h] {
		if d.equal(d.list[n], v) {
			return n, false
		}
	}
	if d.at == nil {
		d.at = map[uint64][]int{}
	}
	n = len(d.list)
	d.at[h], d.list = append(d.at[h], n), append(d.list, v)
	return n, true
}

func hashIDs(ids netset.IDs) uint64 {
	out := uint64(ids.Len())
	for r := range ids.Runs() {
		out = (out*31 ^ uint64(r.Lo)<<32 ^ uint64(r.Hi)) * 1099511628211
	}
	return out
}

func hashParts(parts []part) uint64 {
	out := uint64(len(parts))
	for _, p := range parts {
		out = out*31 + p.conns.Hash() ^ p.when.Hash()
	}
	return out
}

func equalParts(a, b []part) bool { return slices.EqualFunc(a, b, part.equal) }

// blocks is a partition of the classes: for each the number of its block.
type blocks struct {
	of   []int
	next int
	seen distinct[netset.IDs]
}

func (m *Matrix) oneBlock() *blocks {
	return &blocks{make([]int, m.p.Classes()), 1, distinct[netset.IDs]{hash: hashIDs, equal: netset.IDs.Equal}}
}

// split divides every block into the classes that are in ids and those that are not. It costs as
// much as the fewer of them.
func (b *blocks) split(ids netset.IDs) {
	all, n := netset.IDRange(0, len(b.of)), 0
	ids = ids.Intersect(all)
	if _, isNew := b.seen.number(ids); !isNew {
		return
	}
	for r := range ids.Runs() {
		n += int(r.Hi-r.Lo) + 1
	}
	if n > len(b.of)/2 {
		ids = all.Minus(ids)
	}
	moved := map[int]int{}
	for r := range ids.Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			to, ok := moved[b.of[id]]
			if !ok {
				to, b.next = b.next, b.next+1
				moved[b.of[id]] = to
			}
			b.of[id] = to
		}
	}
}

// partition divides the classes into units: those with the same row, the same column and the same
// ways in from outside.
func (m *Matrix) partition() {
	rows, columns := distinct[line]{hash: line.hash, equal: line.equal}, m.oneBlock()
	sources, rowOf := m.sources(), map[int]int{}
	for c, block := range sources.of {
		if _, ok := rowOf[block]; !ok {
			row := m.goesOut(c)
			rowOf[block], _ = rows.number(row)
			for _, p := range row.ids {
				columns.split(p.at)
			}
		}
	}
	outside, outsideOf := distinct[line]{hash: line.hash, equal: line.equal}, map[wayIn]int{}
	for at, in := range m.outside {
		outsideOf[at], _ = outside.number(in)
	}
	byKey := map[[3]int]int{}
	for c, block := range sources.of {
		key := [3]int{rowOf[block], columns.of[c], outsideOf[m.wayIn(c)]}
		u, ok := byKey[key]
		if !ok {
			u = len(m.units)
			byKey[key] = u
			m.units = append(m.units, c)
		}
		m.unitOf = append(m.unitOf, u)
	}
}

// wayIn is all that decides what comes in to a class from outside.
type wayIn struct {
	group, states, doors, placement int
}

func (m *Matrix) wayIn(class int) wayIn {
	return wayIn{m.p.GroupOf(class, policy.Ingress), m.states(class), m.doorsOf[class], m.p.Placement(class)}
}

// states is what is known of the addresses of a class.
func (m *Matrix) states(class int) int {
	addrs := &m.p.Class(class).Addrs
	return int(addrs[reach.IPv4].State)<<8 | int(addrs[reach.IPv6].State)
}

// findOutside makes the lines of what comes in from outside.
func (m *Matrix) findOutside() {
	m.outside = map[wayIn]line{}
	for c := range m.p.Classes() {
		if _, ok := m.outside[m.wayIn(c)]; !ok {
			m.outside[m.wayIn(c)] = m.comesIn(c)
		}
	}
}

// sources divides the classes into blocks whose rows are equal, before any row is made: those under
// the same policies, with addresses in the same families, on the same nodes, whom everybody admits alike.
func (m *Matrix) sources() *blocks {
	out, asked, alike := m.oneBlock(), map[int]bool{}, map[[3]int][]netset.ID{}
	for c := range m.p.Classes() {
		key := [3]int{m.p.GroupOf(c, policy.Egress), m.states(c), m.p.Placement(c)}
		alike[key] = append(alike[key], netset.ID(c))
		if g := m.p.GroupOf(c, policy.Ingress); !asked[g] {
			asked[g] = true
			for _, b := range m.p.OneSided(c, policy.Ingress) {
				out.split(b.Region.IDs)
			}
		}
	}
	for _, ids := range alike {
		out.split(netset.Points(ids...))
	}
	return out
}

// group collects the workloads whose pods are of the same units.
func (m *Matrix) group() {
	byKey := map[string]int{}
	m.groupsW, m.groupsU = make([]int, len(m.ids)), make([][]int, len(m.units))
	for _, w := range m.order {
		var units []int
		for _, c := range m.p.ClassesOf(w) {
			units = append(units, m.unitOf[c])
		}
		slices.Sort(units)
		units = slices.Compact(units)
		key := fmt.Sprint(units)
		g, ok := byKey[key]
		if !ok {
			g = len(m.groups)
			byKey[key] = g
			m.groups = append(m.groups, group{units: units})
			for _, u := range units {
				m.groupsU[u] = append(m.groupsU[u], g)
			}
		}
		at := &m.groups[g]
		at.members = append(at.members, w)
		at.many = at.many || len(at.members) > 1 || m.p.Snapshot.Workloads[w].Many
		m.groupsW[w] = g
	}
}
