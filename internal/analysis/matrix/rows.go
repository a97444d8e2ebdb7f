package matrix

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
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

// Name returns what to call e: the first workload of a group, ranges with the exceptions that make
// them shortest, "nodes", "node ports", "kubernetes API" or "Service addresses".
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

// Row is what passes from every member of one end to every member of another if When holds. Pairs
// without a row are denied. Two rows with the same ends may share connections: what they need is
// said of different pods, or of different nodes.
type Row struct {
	From, To End
	Conns    netset.Conns
	Verdict  reach.Verdict // never Denied
	When     when.When     // without the condition that a CNI which enforces nothing does not
}

func (r Row) compare(o Row) int {
	return cmp.Or(r.From.compare(o.From), r.To.compare(o.To), r.compareWay(o))
}

// compareWay compares how connections pass.
func (r Row) compareWay(o Row) int {
	return cmp.Or(reach.CompareVerdicts(o.Verdict, r.Verdict), part{r.Conns, r.When}.compare(part{o.Conns, o.When}))
}

// Words is how the condition of a row calls its ends.
func (m *Matrix) Words(r Row) when.Names { return m.p.Words(r.From.inWords(), r.To.inWords(), "") }

// inWords is what an end is called in a condition, "" for the client or the destination.
func (e End) inWords() string {
	switch e.Kind {
	case KubeAPI:
		return "the API server"
	case Services:
		return "the Service"
	case Hosts:
		return e.Names[0]
	}
	return ""
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

// Rows yields a row for each pair of groups between which something passes, sorted by From and To.
// A group has a row to itself if its pods reach one another.
func (m *Matrix) Rows() iter.Seq[Row] {
	var all []sender
	for g := range m.groups {
		all = append(all, sender{g, m.groups[g].members, m.groups[g].many})
	}
	return m.rows(all, func(g int) []End { return []End{m.end(m.groups[g].members...)} })
}

// Expand yields a row for each pair of workloads between which something passes, sorted by From and
// To. A workload has a row to itself if more than one of its pods may run and they reach one
// another.
func (m *Matrix) Expand() iter.Seq[Row] {
	var all []sender
	for _, w := range m.order {
		all = append(all, sender{m.groupsW[w], []int{w}, m.p.Snapshot.Workloads[w].Many})
	}
	return m.rows(all, func(g int) []End {
		var out []End
		for _, w := range m.groups[g].members {
			out = append(out, m.end(w))
		}
		return out
	})
}

// sender is workloads of one group that rows are from.
type sender struct {
	group     int
	workloads []int
	many      bool // more than one pod of theirs may run
}

// rows yields the rows from outside and from some senders. ends is what they call a group that is
// reached.
func (m *Matrix) rows(from []sender, ends func(group int) []End) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for _, r := range m.fromOutside(ends) {
			if !yield(r) {
				return
			}
		}
		var to []other
		for i, s := range from {
			if i == 0 || s.group != from[i-1].group {
				to = m.targets(s.group, ends)
			}
			var rows []Row
			for _, o := range to {
				rows = append(rows, m.row(m.end(s.workloads...), o.End, o.part))
			}
			slices.SortFunc(rows, Row.compare)
			for _, r := range rows {
				if (s.many || r.From.compare(r.To) != 0) && !yield(r) {
					return
				}
			}
		}
	}
}

func (m *Matrix) end(workloads ...int) End {
	e := End{Kind: Workloads}
	for _, w := range workloads {
		e.Names = append(e.Names, m.ids[w])
	}
	return e
}

// targets is what a group reaches.
func (m *Matrix) targets(g int, ends func(group int) []End) []other {
	var lines []line
	groups := map[int][]part{}
	for _, u := range m.groups[g].units {
		l := m.goesOut(m.units[u])
		lines = append(lines, l)
		for _, p := range l.ids {
			for _, t := range m.unitsIn(p.at) {
				for _, to := range m.groupsU[t] {
					groups[to] = append(groups[to], p.part)
				}
			}
		}
	}
	out := m.others(lines, false)
	for to, parts := range groups {
		for _, p := range some(parts) {
			for _, end := range ends(to) {
				out = append(out, other{end, p})
			}
		}
	}
	return out
}

// unitsIn returns the units whose classes ids holds: units are in such sets whole or not at all.
func (m *Matrix) unitsIn(ids netset.IDs) []int {
	var out []int
	for r := range ids.Runs() {
		u, _ := slices.BinarySearch(m.units, int(r.Lo))
		for ; u < len(m.units) && m.units[u] <= int(r.Hi); u++ {
			out = append(out, u)
		}
	}
	return out
}

func (m *Matrix) row(from, to End, p part) Row {
	return Row{from, to, p.conns, m.p.Verdict(p.when), m.p.Unenforced(p.when)}
}

// fromOutside makes the rows that no pod is the source of.
func (m *Matrix) fromOutside(ends func(group int) []End) []Row {
	var rows []Row
	for g := range m.groups {
		var in []line
		for _, u := range m.groups[g].units {
			in = append(in, m.outside[m.wayIn(m.units[u])])
		}
		for _, o := range m.others(in, true) {
			for _, t := range ends(g) {
				rows = append(rows, m.row(o.End, t, o.part))
			}
		}
	}
	slices.SortFunc(rows, Row.compare)
	return rows
}

// others joins what is no pod in the lines of a group's units. A Service is never the source.
func (m *Matrix) others(lines []line, source bool) []other {
	var addrs []piece[netip.Addr]
	var vips []piece[netset.ID]
	var all []other
	for _, l := range lines {
		addrs, all = append(addrs, l.addrs...), append(all, l.others...)
		for _, p := range l.ids {
			if p.at.Overlaps(m.nodes) {
				all = append(all, other{End{Kind: Nodes}, p.part})
			}
			for _, n := range m.api {
				h, conns := m.p.Class(n), p.conns
				if !source {
					conns = conns.Intersect(h.Conns)
				}
				if m.p.Holds(p.at, n) && (!source || h.Service < 0) {
					all = append(all, other{End{Kind: KubeAPI}, part{conns, p.when}})
				}
			}
			if !source {
				vips = append(vips, piece[netset.ID]{p.at.Intersect(m.vips), p.part})
			}
		}
	}
	if addrs = overlay(addrs, some); m.brief {
		addrs = widened(addrs)
	}
	for _, p := range addrs {
		all = append(all, other{End{Kind: Addresses, Addrs: p.at}, p.part})
	}
	for _, p := range overlay(vips, some) {
		all = append(all, other{m.services(p.at), p.part})
	}
	return joined(all)
}

// joined joins what is said of the same end.
func joined(list []other) []other {
	slices.SortStableFunc(list, func(a, b other) int { return a.End.compare(b.End) })
	var out []other
	for len(list) > 0 {
		end := list[0].End
		var parts []part
		for len(list) > 0 && list[0].End.compare(end) == 0 {
			parts, list = append(parts, list[0].part), list[1:]
		}
		for _, p := range some(parts) {
			out = append(out, other{end, p})
		}
	}
	return out
}

// services is the end that is the addresses of some Services.
func (m *Matrix) services(ids netset.IDs) End {
	e := End{Kind: Services}
	if ids.Equal(m.vips) {
		return e
	}
	for _, n := range m.p.HoldersOf(ids, reach.VIP) {
		svc := &m.p.Snapshot.Services[m.p.Class(n).Service]
		e.Names = append(e.Names, svc.Namespace+"/Service/"+svc.Name)
	}
	slices.Sort(e.Names)
	return e
}
