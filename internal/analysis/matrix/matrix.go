// Package matrix says who may connect to whom, over everything that was read.
//
// Workloads of which nothing can tell the connections apart, in either direction, are one group, and a row of the matrix stands for every pair of
// members. Rows are made one at a time: the matrix keeps groups, never pairs.
package matrix

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Matrix is the connections of one program. It is immutable; each iteration computes its rows anew.
type Matrix struct {
	p        *reach.Program
	ids      []string // of workloads, by index
	unitOf   []int    // by class
	units    []int    // by unit: one of its classes
	groups   []group  // sorted by the name of the first member
	groupsW  []int    // by workload: its group
	groupsU  [][]int  // by unit: the groups that have it
	outside  []entries
	doors    map[int]netset.Conns // by class: what leads to it from ports of nodes, which hide who connects
	shownIDs netset.IDs           // nodes and API servers whose address the input shows
	allVIPs  netset.IDs           // Services whose address is not known, nor what is behind them: else what is behind says all
}

// group is workloads with equal rows and columns.
type group struct {
	units   []int // of its pods, which may differ
	members []int // workloads, sorted by name
	many    bool  // more than one pod may run
}

// Of prepares the matrix of p.
func Of(p *reach.Program) *Matrix {
	m := &Matrix{p: p}
	for i := range p.Snapshot.Workloads {
		m.ids = append(m.ids, p.Snapshot.Workloads[i].ID())
	}
	var vips []int
	for n := p.Classes(); n < p.Holders(); n++ {
		if h := p.Class(n); h.Kind == reach.VIP && !known(h) && len(p.Backends(h.Service)) == 0 {
			vips = append(vips, n)
		}
	}
	m.allVIPs = p.Numbers(p.IDs(vips...))
	m.findShown()
	p.Fold()
	m.findDoors()
	m.partition()
	m.group()
	return m
}

// known reports whether the input shows an address of h.
func known(h *reach.Holder) bool {
	return h.Addrs[reach.IPv4].State == reach.KnownAddr || h.Addrs[reach.IPv6].State == reach.KnownAddr
}

// existence says in which families a class has addresses: 0 no, 1 perhaps, 2 yes.
func (m *Matrix) existence(class int) (e [2]int) {
	for _, f := range reach.Families {
		switch m.p.Class(class).Addrs[f].State {
		case reach.NoAddr:
		case reach.MayHave:
			e[f] = 1
		default:
			e[f] = 2
		}
	}
	return e
}

// mark tells sets of classes apart by membership: each set has a random number, and a class has the exclusive or of those it is in. Numbers
// that nobody can foresee make it as good as certain that classes with equal marks are in the same sets.
type mark [2]uint64

// marks collects sets of classes, whose cost is their runs.
type marks []mark

func (ps marks) add(classes netset.IDs) {
	t := mark{rand.Uint64(), rand.Uint64()}
	flip := func(at netset.ID) {
		if int(at) < len(ps) {
			ps[at][0] ^= t[0]
			ps[at][1] ^= t[1]
		}
	}
	for r := range classes.Runs() {
		flip(r.Lo)
		flip(r.Hi + 1)
	}
}

// sum turns the ends of runs into the marks of classes.
func (ps marks) sum() {
	for i := 1; i < len(ps); i++ {
		ps[i][0] ^= ps[i-1][0]
		ps[i][1] ^= ps[i-1][1]
	}
}

// partition divides the classes into units: those with the same row, the same column and the same ways in from outside.
func (m *Matrix) partition() {
	n := m.p.Classes()
	sources, like := m.sources()
	rowKeys := make([]string, len(sources))
	columns := make(marks, n)
	for i, class := range sources {
		row := m.row(class)
		rowKeys[i] = row.key()
		for _, e := range row {
			columns.add(e.ids.Intersect(netset.IDRange(0, n)))
		}
	}
	columns.sum()
	type outsideKey struct {
		group  int
		exists [2]int
		doors  string
	}
	outside := map[outsideKey]entries{}
	type unitKey struct {
		row, outside string
		column       mark
	}
	byKey := map[unitKey]int{}
	m.unitOf = make([]int, n)
	for c := range n {
		ok := outsideKey{m.p.GroupOf(c, policy.Ingress), m.existence(c), m.doors[c].String()}
		if _, seen := outside[ok]; !seen {
			outside[ok] = m.comesIn(c)
		}
		key := unitKey{rowKeys[like[c]], outside[ok].key(), columns[c]}
		u, seen := byKey[key]
		if !seen {
			u = len(m.units)
			byKey[key] = u
			m.units = append(m.units, c)
			m.outside = append(m.outside, outside[ok])
		}
		m.unitOf[c] = u
	}
}

// sources returns classes of which each stands for all with the same row, and for each class which of them is like it.
func (m *Matrix) sources() (sources, like []int) {
	n := m.p.Classes()
	var admitted [2]marks
	for f := range admitted {
		admitted[f] = make(marks, n)
	}
	seen := map[int]bool{}
	for c := range n {
		if g := m.p.GroupOf(c, policy.Ingress); !seen[g] {
			seen[g] = true
			for _, b := range m.p.OneSided(c, policy.Ingress) {
				for _, f := range reach.Families {
					at := m.p.ID(0, f)
					var runs []netset.Run[netset.ID]
					for r := range b.Region.IDs.Intersect(netset.IDRange(at, n)).Runs() {
						runs = append(runs, netset.Run[netset.ID]{Lo: r.Lo - at, Hi: r.Hi - at})
					}
					admitted[f].add(netset.Of(runs...))
				}
			}
		}
	}
	type sourceKey struct {
		group  int
		exists [2]int
		in     [2]mark
	}
	byKey := map[sourceKey]int{}
	like = make([]int, n)
	for f := range admitted {
		admitted[f].sum()
	}
	for c := range n {
		key := sourceKey{m.p.GroupOf(c, policy.Egress), m.existence(c), [2]mark{admitted[0][c], admitted[1][c]}}
		at, ok := byKey[key]
		if !ok {
			at = len(sources)
			byKey[key] = at
			sources = append(sources, c)
		}
		like[c] = at
	}
	return sources, like
}

// group collects the workloads whose pods are of the same units.
func (m *Matrix) group() {
	order := make([]int, len(m.ids))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(m.ids[a], m.ids[b]) })
	byKey := map[string]int{}
	m.groupsW = make([]int, len(m.ids))
	m.groupsU = make([][]int, len(m.units))
	for _, w := range order {
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

// Group is workloads that rows name together.
type Group struct {
	Name    string   `json:"name"` // the first of Members
	Members []string `json:"members"`
}

// Groups returns the groups with more than one member.
func (m *Matrix) Groups() []Group {
	out := []Group{}
	for g := range m.groups {
		if names := m.names(g); len(names) > 1 {
			out = append(out, Group{names[0], names})
		}
	}
	return out
}

// Profiles returns the names of the profiles in w, nil if they are all that the matrix is of.
func (m *Matrix) Profiles(w reach.Worlds) []string {
	if w.Covers(m.p.Worlds()) {
		return nil
	}
	return m.p.In(w).Names()
}

// Size returns how many workloads and groups of them there are.
func (m *Matrix) Size() (workloads, groups int) { return len(m.ids), len(m.groups) }

func (m *Matrix) names(g int) []string {
	names := make([]string, len(m.groups[g].members))
	for i, w := range m.groups[g].members {
		names[i] = m.ids[w]
	}
	return names
}

// Notes returns sentences on what the rows do not show.
func (m *Matrix) Notes() []string {
	notes := []string{"pods that do not exist yet are left out"}
	if len(m.doors) > 0 {
		notes = append(notes, "what nodes take in for Services, on node ports and for load balancers, may arrive with the address of a node, the pod's own among them, "+
			"unless externalTrafficPolicy is Local: what nodes reach is then open to whoever reaches a node")
	}
	if m.p.Says(cni.HostNetworkJudged) == cni.Yes {
		return notes
	}
	var hosts []string
	for w, id := range m.ids {
		if slices.ContainsFunc(m.p.ClassesOf(w), m.p.HostNetwork) {
			hosts = append(hosts, id)
		}
	}
	slices.Sort(hosts)
	if n := len(hosts); n > 3 {
		hosts = append(hosts[:3], fmt.Sprintf("%d more", n-3))
	}
	if hosts != nil {
		notes = append(notes, "on their node's network, where policies that select them are not enforced: "+strings.Join(hosts, ", "))
	}
	return notes
}
