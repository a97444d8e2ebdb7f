package query

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// A pod's own node is let in, and in some plugins let to, whatever policies say, and policies can name it. Where the input shows on which nodes
// both ends are, that is settled: pods of one end on several nodes are choices.

// placement says whether both ends of a connection are on the same node. The zero value is that nothing tells.
type placement uint8

const (
	unplaced placement = iota
	sameNode
	otherNode
)

// placements returns the choices there are: only unplaced, where no end is a node or on the network of one.
func (a *asker) placements(from, to end) []placement {
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

// onNode reports whether e is a node or something on the network of one.
func (a *asker) onNode(e end) bool {
	if e.Holder < 0 {
		return false
	}
	switch h := a.p.Class(e.Holder); h.Kind {
	case reach.Class:
		return a.p.HostNetwork(e.Holder)
	case reach.Node:
		return true
	case reach.KubeAPI:
		names, _ := a.nodesOf(e)
		return names != nil
	}
	return false
}

// nodesOf returns the names of the nodes on which e may be, and whether the input shows them all.
func (a *asker) nodesOf(e end) (names []string, all bool) {
	if e.Holder < 0 {
		return nil, false
	}
	h := a.p.Class(e.Holder)
	add := func(name string) {
		if name == "" {
			all = false
		} else if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	all = true
	switch h.Kind {
	case reach.Class:
		for _, m := range h.Members {
			if e.single && m != e.pod || e.workload >= 0 && m.Workload != e.workload {
				continue
			}
			pod := &a.p.Snapshot.Workloads[m.Workload].Pods[m.Pod]
			name := pod.Node
			for _, at := range pod.NodeAddrs {
				if name == "" {
					name = a.holding().nodes[at.Unmap()]
				}
			}
			add(name)
		}
	case reach.Node:
		name := ""
		if h.Node >= 0 {
			name = a.p.Snapshot.Nodes[h.Node].Name
		}
		add(name)
	case reach.KubeAPI:
		all = false
		for _, at := range h.Addrs {
			if at.State == reach.KnownAddr && h.Service < 0 {
				add(a.holding().nodes[at.Addr])
			}
		}
	default:
		all = false
	}
	return names, all && names != nil
}

// ownNode answers for a pod and its own node, where no policy has a say in it.
func (a *asker) ownNode(peer end, at placement, d policy.Direction, conns netset.Conns) (piece, bool) {
	fact := cni.OwnNodeReachable
	if d == policy.Ingress {
		fact = cni.OwnNodeMayEnter
	}
	if at != sameNode || !a.onNode(peer) || a.p.Says(fact) != cni.Yes {
		return piece{}, false
	}
	return piece{conns: conns, verdict: reach.Allowed, because: "both are on the same node, and policies do not come between a pod and its own node"}, true
}

// What the engine's conditions say of nodes, beside [reach.SameNode] and [reach.OwnNode].
const (
	onOwnNode   = "it is on the pod's own node"
	onOtherNode = "it is on another node than the pod's own"
	atOwnNode   = reach.OwnNodeAddress
	notDenied   = "no rule denies it, as one does if "
)

// settleNode decides what was open in cond for want of the nodes; never, if it cannot hold.
func settleNode(cond reach.Cond, at placement) (settled reach.Cond, never bool) {
	if at == unplaced || cond.Unjudged {
		return cond, false
	}
	is, isNot := onOwnNode, onOtherNode
	if at == otherNode {
		is, isNot = onOtherNode, onOwnNode
	}
	var all []string
	for _, text := range cond.All {
		switch {
		case at == otherNode && (text == reach.SameNode || text == reach.OwnNode), text == notDenied+is:
			return cond, true
		case text == notDenied+isNot:
		default:
			all = append(all, text)
		}
	}
	cond.All = all
	if slices.Contains(cond.Texts, is) {
		cond.Plan, cond.Names, cond.Texts = netset.Addrs{}, nil, nil
		return cond, false
	}
	if slices.Contains(cond.Texts, isNot) {
		texts := slices.DeleteFunc(slices.Clone(cond.Texts), func(text string) bool { return text == isNot })
		if cond.Texts = texts; len(texts) == 0 {
			cond.Texts = nil
			return cond, cond.Plan.IsEmpty() && cond.Names == nil
		}
	}
	return cond, false
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
