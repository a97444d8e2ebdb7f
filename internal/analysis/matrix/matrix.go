// Package matrix says who may connect to whom, over everything that was read.
//
// Workloads of which nothing can tell the connections apart, in either direction, are one group,
// and a row of the matrix stands for every pair of members. Rows are made one at a time: the matrix
// keeps groups, never pairs.
package matrix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Matrix is the connections of one program. It is immutable; each iteration computes its rows anew.
type Matrix struct {
	p       *reach.Program
	brief   bool     // see [Matrix.Brief]
	ids     []string // of workloads, by index
	order   []int    // the workloads, sorted by name
	unitOf  []int    // by class
	units   []int    // by unit: one of its classes
	groups  []group  // sorted by the name of the first member
	groupsW []int    // by workload: its group
	groupsU [][]int  // by unit: the groups that have it

	outside map[wayIn]line
	doors   distinct[[]part] // what leads to classes from ports of nodes, which hide who connects; the first is nothing
	doorsOf []int            // by class
	all     netset.IDs       // every holder
	nodes   netset.IDs
	shown   netset.IDs // nodes and API servers whose address the input shows
	vips    netset.IDs // Services whose address is not known, nor what is behind them: else what is behind says all
	api     []int      // what the API server answers on
}

// group is workloads with equal rows and columns.
type group struct {
	units   []int // of its pods, which may differ
	members []int // workloads, sorted by name
	many    bool  // more than one pod may run
}

// Of prepares the matrix of p.
func Of(p *reach.Program) *Matrix {
	m := &Matrix{p: p, all: netset.IDRange(0, p.Holders())}
	for i := range p.Snapshot.Workloads {
		m.ids, m.order = append(m.ids, p.Snapshot.Workloads[i].ID()), append(m.order, i)
	}
	slices.SortStableFunc(m.order, func(a, b int) int { return strings.Compare(m.ids[a], m.ids[b]) })
	m.findHolders()
	m.findDoors()
	p.Fold()
	m.findOutside()
	m.partition()
	m.group()
	return m
}

// findHolders sorts what is no pod.
func (m *Matrix) findHolders() {
	var nodes, shown, vips []int
	for n := m.p.Classes(); n < m.p.Holders(); n++ {
		h := m.p.Class(n)
		known := h.Addrs[reach.IPv4].State == reach.KnownAddr || h.Addrs[reach.IPv6].State == reach.KnownAddr
		switch {
		case h.Kind == reach.Node:
			nodes = append(nodes, n)
		case h.Kind == reach.KubeAPI:
			m.api = append(m.api, n)
		case !known && len(m.p.Backends(h.Service)) == 0:
			vips = append(vips, n)
		}
		if known && h.Kind != reach.VIP {
			shown = append(shown, n)
		}
	}
	m.nodes, m.shown, m.vips = m.p.IDs(nodes...), m.p.IDs(shown...), m.p.IDs(vips...)
}

// Brief is the same matrix for people: of ends that are not on the same node, and with fewer rows
// of addresses, which may repeat what others say.
func (m *Matrix) Brief() *Matrix {
	brief := *m
	brief.brief = true
	brief.findOutside()
	return &brief
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
		if names := m.end(m.groups[g].members...).Names; len(names) > 1 {
			out = append(out, Group{names[0], names})
		}
	}
	return out
}

// Profiles returns the names of the profiles under which something passes if w holds, nil if they
// are all that the matrix is of.
func (m *Matrix) Profiles(w when.When) []string {
	on := m.p.WorldsOf(w)
	if on.Covers(m.p.Worlds()) {
		return nil
	}
	return m.p.In(on).Names()
}

// Size returns how many workloads and groups of them there are.
func (m *Matrix) Size() (workloads, groups int) { return len(m.ids), len(m.groups) }

// Notes returns sentences on what the rows do not show.
func (m *Matrix) Notes() []string {
	notes := []string{"pods that do not exist yet are left out"}
	if len(m.doors.list) > 1 {
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
