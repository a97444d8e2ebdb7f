package matrix

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Kind is what stands at an end of a row. Rows are sorted in this order.
type Kind uint8

const (
	NoEnd     Kind = iota
	Addresses      // address ranges, whoever holds them
	Hosts          // what host names resolve to
	KubeAPI        // the Kubernetes API, likewise
	Nodes          // nodes, where it is not for their addresses that they are let through
	NodePorts      // whoever connects to a node's ports for a Service, or to its load balancer
	Services       // addresses of Services, where they are not known
	Workloads      // pods of workloads
)

// End is one end of a row.
type End struct {
	Kind  Kind
	Names []string     // of Workloads and Services: "namespace/Kind/name", sorted; of Services nil for all of them; of Hosts the name or pattern
	Addrs netset.Addrs // of Addresses
}

// Name returns what to call e: the first workload of a group, ranges with the exceptions that make them shortest, "nodes", "node ports",
// "kubernetes API" or "Service addresses".
func (e End) Name() string {
	switch e.Kind {
	case Addresses:
		return RangeText(e.Addrs)
	case KubeAPI:
		return "kubernetes API"
	case Nodes:
		return "nodes"
	case NodePorts:
		return "node ports"
	case Services:
		if e.Names == nil {
			return "Service addresses"
		}
		return e.Names[0]
	case Workloads, Hosts:
		return e.Names[0]
	}
	return ""
}

func (e End) compare(o End) int {
	if c := cmp.Compare(e.Kind, o.Kind); c != 0 || e.Kind != Addresses {
		return cmp.Or(c, slices.Compare(e.Names, o.Names))
	}
	return comparePrefixes(netset.CIDRs(e.Addrs), netset.CIDRs(o.Addrs))
}

func comparePrefixes(a, b []netip.Prefix) int { return slices.CompareFunc(a, b, netip.Prefix.Compare) }

// Row is what passes from every member of one end to every member of another, in one way. Pairs without a row are denied.
type Row struct {
	From, To End
	Conns    netset.Conns
	Verdict  reach.Verdict // never Denied
	When     string        // of Depends and Unknown, completing "if ..."
	Worlds   reach.Worlds  // the profiles under which it passes; see [Matrix.Profiles]
	OwnNode  bool          // it is between a pod and its own node only
}

func (r Row) compare(o Row) int {
	return cmp.Or(r.From.compare(o.From), r.compareTo(o))
}

func (r Row) compareTo(o Row) int {
	return cmp.Or(r.To.compare(o.To), reach.CompareVerdicts(o.Verdict, r.Verdict), cmp.Compare(r.When, o.When), cmp.Compare(r.Conns.String(), o.Conns.String()))
}

var families = [...]netset.Addrs{netset.MustPrefixes("0.0.0.0/0"), netset.MustPrefixes("::/0")}

// RangeText writes address ranges, by what is left out of a whole family where that is shorter.
func RangeText(addrs netset.Addrs) string {
	const most = 6
	var parts []string
	for _, family := range families {
		in := netset.CIDRs(addrs.Intersect(family))
		if len(in) == 0 {
			continue
		}
		if out := netset.CIDRs(family.Minus(addrs)); len(out) > 0 && len(out) < len(in) {
			parts = append(parts, family.First().String()+"/0 except "+reach.PrefixText(out, most))
			continue
		}
		parts = append(parts, reach.PrefixText(in, most))
	}
	return strings.Join(parts, ", ")
}

// Rows yields a row for each pair of groups between which something passes, sorted by From and To. A group has a row to itself if its pods
// reach one another.
func (m *Matrix) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for _, r := range m.fromOutside(func(g int) []End { return []End{m.end(g)} }) {
			if !yield(r) {
				return
			}
		}
		for g := range m.groups {
			targets := m.targets(g)
			if !m.groups[g].many {
				delete(targets.groups, g)
			}
			rows := m.rowsTo(m.end(g), targets, func(t int) []End { return []End{m.end(t)} })
			for _, r := range rows {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Expand yields a row for each pair of workloads between which something passes, sorted by From and To. A workload has a row to itself if more
// than one of its pods may run and they reach one another.
func (m *Matrix) Expand() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		each := func(g int) []End {
			var out []End
			for _, w := range m.groups[g].members {
				out = append(out, m.workload(w))
			}
			return out
		}
		for _, r := range m.fromOutside(each) {
			if !yield(r) {
				return
			}
		}
		order := make([]int, len(m.ids))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(m.ids[a], m.ids[b]) })
		last, at := targets{}, -1
		for _, w := range order {
			if g := m.groupsW[w]; g != at {
				last, at = m.targets(g), g
			}
			for _, r := range m.rowsTo(m.workload(w), last, each) {
				if r.To.Kind == Workloads && r.To.Names[0] == m.ids[w] && !m.p.Snapshot.Workloads[w].Many {
					continue
				}
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (m *Matrix) end(g int) End { return End{Kind: Workloads, Names: m.names(g)} }

func (m *Matrix) workload(w int) End { return End{Kind: Workloads, Names: []string{m.ids[w]}} }

// targets is what a group reaches.
type targets struct {
	groups map[int]entries // by group, with neither ids nor addrs
	others entries         // addresses and holders that are no pods
}

// targets joins the rows of the group's units.
func (m *Matrix) targets(g int) targets {
	out := targets{groups: map[int]entries{}}
	for _, u := range m.groups[g].units {
		for _, e := range m.row(m.units[u]) {
			for _, t := range m.unitsIn(e.ids) {
				for _, to := range m.groupsU[t] {
					out.groups[to] = out.groups[to].add(entry{conns: e.conns, way: e.way})
				}
			}
			others := e
			others.ids = e.ids.Minus(netset.IDRange(0, m.p.Classes()))
			if !others.ids.IsEmpty() || !others.addrs.IsEmpty() || others.hosts != nil {
				out.others = out.others.add(others)
			}
		}
	}
	for to, es := range out.groups {
		out.groups[to] = certainFirst(es)
	}
	return out
}

// certainFirst takes out of what is not certain the connections that are certain anyway, and joins the rest.
func certainFirst(es entries) entries {
	var rest, out entries
	for _, e := range es {
		if e.certain() {
			out = out.join(e)
		} else {
			rest = append(rest, e)
		}
	}
	sure := slices.Clone(out)
	for _, e := range rest {
		parts := entries{e}
		for _, s := range sure {
			var next entries
			for _, part := range parts {
				next = append(next, part.without(s)...)
			}
			parts = next
		}
		for _, part := range parts {
			out = out.join(part)
		}
	}
	return out.sorted()
}

// without returns what of e is not in s, as far as connections and profiles go.
func (e entry) without(s entry) entries {
	both := e.conns.Intersect(s.conns)
	if both.IsEmpty() || e.worlds&s.worlds == 0 {
		return entries{e}
	}
	var out entries
	left, elsewhere := e, e
	if left.conns = e.conns.Minus(s.conns); !left.conns.IsEmpty() {
		out = append(out, left)
	}
	elsewhere.conns = both
	if elsewhere.worlds &^= s.worlds; elsewhere.worlds != 0 {
		out = append(out, elsewhere)
	}
	return out
}

// join adds the connections of e to those that pass in the same way, and the profiles of e to the same connections.
func (es entries) join(e entry) entries {
	for i := range es {
		switch o := &es[i]; {
		case o.way == e.way:
			o.conns = o.conns.Union(e.conns)
			return es
		case o.verdict == e.verdict && o.rest == e.rest && o.conns.Equal(e.conns):
			o.worlds |= e.worlds
			return es
		}
	}
	return append(es, e)
}

// unitsIn returns the units whose classes ids holds: units are in such sets whole or not at all.
func (m *Matrix) unitsIn(ids netset.IDs) []int {
	var out []int
	size := 0
	for r := range ids.Runs() {
		size += int(r.Hi-r.Lo) + 1
	}
	if size > len(m.units) {
		for u, class := range m.units {
			if ids.Contains(netset.ID(class)) {
				out = append(out, u)
			}
		}
		return out
	}
	for r := range ids.Runs() {
		for id := r.Lo; id <= r.Hi && int(id) < m.p.Classes(); id++ {
			out = append(out, m.unitOf[id])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rowsTo makes the rows of one source.
func (m *Matrix) rowsTo(from End, to targets, ends func(group int) []End) []Row {
	var rows []Row
	for g, es := range to.groups {
		for _, e := range es {
			for _, t := range ends(g) {
				rows = append(rows, m.newRow(from, t, e.conns, e.way))
			}
		}
	}
	var others []passage
	for _, e := range to.others {
		for _, o := range m.others(e, false) {
			others = append(others, passage{from, o.End, entry{conns: o.conns, way: e.way}})
		}
	}
	rows = append(rows, m.joined(others)...)
	slices.SortFunc(rows, Row.compareTo)
	return slices.CompactFunc(rows, func(a, b Row) bool { return a.compareTo(b) == 0 })
}

// ownNode is the conditions of what passes between a pod and its own node only, the last of them where the node has addresses that all nodes have.
var ownNode = []string{reach.SameNode, reach.OwnNode, reach.OwnNodeAddress}

// newRow is the row of a way.
func (m *Matrix) newRow(from, to End, conns netset.Conns, w way) Row {
	r := Row{From: from, To: to, Conns: conns, Verdict: w.verdict, When: w.rest, Worlds: w.worlds, OwnNode: slices.Contains(ownNode, w.rest)}
	if on := m.p.On(w.worlds); on != "" {
		if r.Verdict > reach.Depends {
			r.Verdict = reach.Depends
		}
		if r.When = on; w.rest != "" {
			r.When += ", and " + w.rest
		}
	}
	return r
}

// passage is a row before it is joined with others.
type passage struct {
	from, to End
	entry
}

// joined makes rows of passages, of which those between the same ends are joined where they can be.
func (m *Matrix) joined(list []passage) []Row {
	slices.SortStableFunc(list, func(a, b passage) int { return cmp.Or(a.from.compare(b.from), a.to.compare(b.to)) })
	var rows []Row
	for len(list) > 0 {
		first, n := list[0], 0
		var es entries
		for n < len(list) && list[n].from.compare(first.from) == 0 && list[n].to.compare(first.to) == 0 {
			es = append(es, list[n].entry)
			n++
		}
		for _, e := range certainFirst(es.sorted()) {
			rows = append(rows, m.newRow(first.from, first.to, e.conns, e.way))
		}
		list = list[n:]
	}
	return rows
}

// fromOutside makes the rows that no pod is the source of.
func (m *Matrix) fromOutside(ends func(group int) []End) []Row {
	var all []passage
	for g := range m.groups {
		var in entries
		for _, u := range m.groups[g].units {
			for _, e := range m.outside[u] {
				in = in.add(e)
			}
		}
		for _, e := range in {
			for _, o := range m.others(e, true) {
				for _, t := range ends(g) {
					all = append(all, passage{o.End, t, entry{conns: o.conns, way: e.way}})
				}
			}
		}
	}
	rows := m.joined(all)
	slices.SortFunc(rows, Row.compare)
	return slices.CompactFunc(rows, func(a, b Row) bool { return a.compare(b) == 0 })
}

type other struct {
	End
	conns netset.Conns
}

// others names what is no pod in an entry, which has no holders that addresses tell; see [Matrix.untold]. A Service is never the source.
func (m *Matrix) others(e entry, source bool) []other {
	var out []other
	if e.door {
		out = append(out, other{End{Kind: NodePorts}, e.conns})
	}
	if !e.addrs.IsEmpty() {
		out = append(out, other{End{Kind: Addresses, Addrs: e.addrs}, e.conns})
	}
	for _, host := range e.hosts {
		out = append(out, other{End{Kind: Hosts, Names: []string{host}}, e.conns})
	}
	var nodes bool
	var api netset.Conns
	for r := range e.ids.Minus(netset.IDRange(0, m.p.Classes())).Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			switch h := m.p.Class(int(id)); {
			case h.Kind == reach.Node:
				nodes = true
			case h.Kind != reach.KubeAPI:
			case source && h.Service < 0:
				api = e.conns
			case !source:
				api = api.Union(e.conns.Intersect(h.Conns))
			}
		}
	}
	if nodes {
		out = append(out, other{End{Kind: Nodes}, e.conns})
	}
	if !api.IsEmpty() {
		out = append(out, other{End{Kind: KubeAPI}, api})
	}
	if vips := e.ids.Intersect(m.allVIPs); !source && !vips.IsEmpty() {
		end := End{Kind: Services}
		if !vips.Equal(m.allVIPs) {
			end.Names = m.services(vips)
		}
		out = append(out, other{end, e.conns})
	}
	return out
}

func (m *Matrix) services(ids netset.IDs) []string {
	var names []string
	for r := range ids.Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			svc := &m.p.Snapshot.Services[m.p.Class(int(id)).Service]
			names = append(names, svc.Namespace+"/Service/"+svc.Name)
		}
	}
	slices.Sort(names)
	return names
}
