package matrix

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// line is what a class reaches or what reaches it. Equal connections are equal lines.
type line struct {
	ids    []piece[netset.ID]
	addrs  []piece[netip.Addr]
	others []other // host names, sorted, or node ports
}

// other is an end that is no pod, with what passes.
type other struct {
	End
	part
}

func (l line) equal(o line) bool {
	return slices.EqualFunc(l.ids, o.ids, piece[netset.ID].equal) && slices.EqualFunc(l.addrs, o.addrs, piece[netip.Addr].equal) &&
		slices.EqualFunc(l.others, o.others, func(a, b other) bool { return a.End.compare(b.End) == 0 && a.part.equal(b.part) })
}

// hash is equal for equal lines.
func (l line) hash() uint64 {
	out := uint64(len(l.addrs))
	for _, p := range l.ids {
		out = out*31 + hashIDs(p.at) ^ p.conns.Hash() ^ p.when.Hash()
	}
	return out
}

// goesOut is what a class reaches.
func (m *Matrix) goesOut(class int) line { return m.lineOf(class, policy.Egress, m.all) }

// comesIn is what reaches a class other than pods. Where nothing isolates it, all addresses stand
// for everybody.
func (m *Matrix) comesIn(class int) line {
	out := m.lineOf(class, policy.Ingress, m.all.Minus(m.p.Pods()))
	if isolating, _ := m.p.Isolation(class, policy.Ingress); isolating == nil {
		out.ids = nil
	}
	for _, p := range m.throughDoors(class, out.addrs) {
		out.others = append(out.others, other{End{Kind: NodePorts}, p})
	}
	return out
}

// lineOf is what passes between a class and some holders and all addresses.
func (m *Matrix) lineOf(class int, d policy.Direction, among netset.IDs) line {
	var out line
	for _, b := range m.p.Reach(class, d) {
		passes := part{b.Conns, b.When}
		if m.brief {
			passes.when = reach.OffNode(b.When)
		}
		out.ids = append(out.ids, piece[netset.ID]{b.Region.IDs.Intersect(among), passes})
		out.addrs = append(out.addrs, piece[netip.Addr]{b.Region.Addrs, passes})
	}
	out.addrs = overlay(out.addrs, either)
	out.ids = m.untold(overlay(out.ids, either), out.addrs)
	m.nameHosts(&out, class, d)
	return out
}

// untold leaves out nodes and API servers whose address is known where they pass as their address
// does: whoever reads the rows of addresses finds it there. Policies let nodes through for what
// they are, too, and then no row of addresses need have theirs.
func (m *Matrix) untold(ids []piece[netset.ID], addrs []piece[netip.Addr]) []piece[netset.ID] {
	if m.shown.IsEmpty() {
		return ids
	}
	var told, out []piece[netset.ID]
	for _, p := range addrs {
		told = append(told, piece[netset.ID]{m.p.KnownIn(p.at).Intersect(m.shown), p.part})
	}
	told = overlay(told, either)
	for _, p := range ids {
		left := []piece[netset.ID]{p}
		for _, t := range told {
			if p.when.Implies(t.when) {
				left = without(left, t)
			}
		}
		out = append(out, left...)
	}
	return overlay(out, either)
}

// nameHosts turns what passes to addresses because host names resolve to them into what passes to
// the names.
func (m *Matrix) nameHosts(l *line, class int, d policy.Direction) {
	names := map[netset.Name]bool{}
	for _, p := range l.addrs {
		for _, q := range p.when.Questions() {
			if name, ok := reach.NameOf(q); ok {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		for _, p := range m.toHost(name, l.addrs, class, d) {
			l.others = append(l.others, other{End{Kind: Hosts, Names: []string{string(name)}}, p})
		}
	}
	for i := range l.addrs {
		l.addrs[i].when = resolved(l.addrs[i].when, "")
	}
	l.addrs = overlay(l.addrs, either)
}

// toHost is what passes to a host name, over connections for which it matters which addresses the
// name resolves to.
func (m *Matrix) toHost(name netset.Name, addrs []piece[netip.Addr], class int, d policy.Direction) []part {
	var parts []part
	var matters netset.Conns
	for _, p := range addrs {
		passes := resolved(p.when, name)
		if !passes.Equal(resolved(p.when, "")) {
			matters = matters.Union(p.conns)
		}
		parts = append(parts, part{p.conns, passes.And(m.p.ResolvesTo(name, d, p.at))})
	}
	parts = either(parts)
	for i := range parts {
		parts[i].conns = parts[i].conns.Intersect(matters)
		parts[i].when = parts[i].when.Assume(m.p.ResolvesTo(name, d, m.addrsOf(class)))
	}
	return merged(parts)
}

// resolved is w of an address to which one host name resolves, and no other.
func resolved(w when.When, name netset.Name) when.When {
	for _, q := range w.Questions() {
		if of, ok := reach.NameOf(q); ok && of == name {
			w = w.Assume(q.Has(when.Yes))
		} else if ok {
			w = w.Assume(q.Has(when.No))
		}
	}
	return w
}

// addrsOf is all addresses of the families that a class has addresses in, or may have.
func (m *Matrix) addrsOf(class int) (out netset.Addrs) {
	for f, a := range m.p.Class(class).Addrs {
		if a.State != reach.NoAddr {
			out = out.Union(families[f])
		}
	}
	return out
}

// findDoors collects on which ports pods are behind Services that nodes take connections in for,
// hiding the client's address.
func (m *Matrix) findDoors() {
	m.doors, m.doorsOf = distinct[[]part]{hash: hashParts, equal: equalParts}, make([]int, m.p.Classes())
	m.doors.number(nil)
	for n := range m.p.Classes() {
		var in []part
		for _, w := range m.p.Ways(n) {
			if w.Kind == reach.ByNodes && !w.Local {
				for _, a := range m.p.Arriving(w) {
					in = append(in, part{a.Conns, a.When})
				}
			}
		}
		m.doorsOf[n], _ = m.doors.number(either(in))
	}
}

// throughDoors is what comes in through node ports because it is not judged, where not every
// address may connect anyway.
func (m *Matrix) throughDoors(class int, addrs []piece[netip.Addr]) []part {
	escapes := m.p.Where(cni.NodePortsEscape)
	var closed []piece[netip.Addr]
	for _, door := range m.doors.list[m.doorsOf[class]] {
		closed = append(closed, piece[netip.Addr]{m.addrsOf(class), part{door.conns, door.when.And(escapes)}})
	}
	for _, p := range addrs {
		if escapes.Implies(p.when) {
			closed = without(closed, p)
		}
	}
	var out []part
	for _, p := range closed {
		out = append(out, p.part)
	}
	return merged(out)
}
