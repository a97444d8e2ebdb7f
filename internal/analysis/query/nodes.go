package query

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// placement says whether both ends of a connection are on the same node. The zero value is that
// nothing tells.
//
// A pod's own node is let in, and by some CNIs let to, whatever policies say, and policies can name
// it. Where the input shows on which nodes both ends are, that is settled: pods of one end on
// several nodes are choices.
type placement uint8

const (
	unplaced placement = iota
	sameNode
	otherNode
	offNode // not on the same node: one of them is on none
)

// settle is w where two ends are so.
func (a *asker) settle(w when.When, at placement, x, y end) when.When {
	switch at {
	case sameNode:
		for _, e := range []end{x, y} {
			if a.isNode(e) {
				return a.p.OwnNode(w, e.Holder)
			}
		}
		return reach.SameNode(w)
	case otherNode:
		return reach.OtherNode(w)
	case offNode:
		return reach.OffNode(w)
	}
	return w
}

// placed returns a route for each choice of nodes that its ends may be on.
func (a *asker) placed(r route) []route {
	var out []route
	for _, r.at = range a.placements(r.from, r.out) {
		ins := []placement{r.at}
		if r.as.End != r.from.End || r.out.End != r.to.End {
			ins = a.placements(r.as, r.to)
		}
		for _, r.inAt = range ins {
			out = append(out, r)
		}
	}
	return out
}

// placements returns the choices there are: only unplaced, where no end is a node or on the network
// of one.
func (a *asker) placements(from, to end) []placement {
	if a.offNodes(from) || a.offNodes(to) {
		return []placement{offNode}
	}
	if !a.onNode(from) && !a.onNode(to) {
		return []placement{unplaced}
	}
	x, allX := a.nodesOf(from)
	y, allY := a.nodesOf(to)
	var out []placement
	if slices.ContainsFunc(x, func(n string) bool { return slices.Contains(y, n) }) {
		out = append(out, sameNode)
	}
	if slices.ContainsFunc(x, func(n string) bool { return slices.ContainsFunc(y, func(m string) bool { return m != n }) }) {
		out = append(out, otherNode)
	}
	if out == nil || !allX || !allY {
		out = append(out, unplaced)
	}
	return out
}

// offNodes reports whether e is the API server at an address that is none of the nodes', all of
// which are known.
func (a *asker) offNodes(e end) bool {
	if !e.claimed.IsValid() || e.Holder < 0 || a.p.Class(e.Holder).Kind != reach.KubeAPI || a.p.Snapshot.Nodes == nil {
		return false
	}
	_, known := a.holding().nodes[e.claimed]
	return !known && !slices.ContainsFunc(a.p.Snapshot.Nodes, func(n model.Node) bool { return n.Addrs == nil })
}

// onNode reports whether e is a node or something on the network of one.
func (a *asker) onNode(e end) bool {
	if e.Holder < 0 {
		return false
	}
	switch h := a.p.Class(e.Holder); h.Kind {
	case reach.Class:
		return a.p.HostNetwork(e.Holder)
	case reach.KubeAPI:
		names, _ := a.nodesOf(e)
		return names != nil
	default:
		return h.Kind == reach.Node
	}
}

// nodesOf returns the names of the nodes on which e may be, and whether the input shows them all.
func (a *asker) nodesOf(e end) (names []string, all bool) {
	if e.Holder < 0 {
		return nil, false
	}
	nodes := a.holding().nodes
	add := func(name string) {
		if name == "" || a.p.SharedNode(name) {
			all = false
		} else if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	all = true
	switch h := a.p.Class(e.Holder); h.Kind {
	case reach.Class:
		for _, m := range h.Members {
			if e.single && m != e.pod || e.workload >= 0 && m.Workload != e.workload {
				continue
			}
			pod := &a.p.Snapshot.Workloads[m.Workload].Pods[m.Pod]
			add(nodeOf(pod, nodes))
		}
	case reach.Node:
		if h.Node < 0 {
			return nil, false
		}
		add(a.p.Snapshot.Nodes[h.Node].Name)
	default:
		all = false
		for _, at := range h.Addrs {
			if h.Kind == reach.KubeAPI && h.Service < 0 && at.State == reach.KnownAddr {
				add(nodes[at.Addr])
			}
		}
	}
	return names, all && names != nil
}

// nodeOf returns the name of the node that a pod is on; "" if the input does not show it.
func nodeOf(pod *model.Pod, nodes map[netip.Addr]string) string {
	name := pod.Node
	for _, at := range pod.NodeAddrs {
		name = cmp.Or(name, nodes[at.Unmap()])
	}
	return name
}

// nodesByAddr says which node has which address. An address that several claim is nobody's.
func nodesByAddr(a *asker) map[netip.Addr]string {
	out := map[netip.Addr]string{}
	for _, n := range a.p.Snapshot.Nodes {
		for _, at := range n.Addrs {
			if other, taken := out[at.Unmap()]; taken && other != n.Name {
				out[at.Unmap()] = ""
			} else {
				out[at.Unmap()] = n.Name
			}
		}
	}
	return out
}
