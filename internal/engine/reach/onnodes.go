package reach

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Where the input shows on which nodes pods run, it settles what policies leave to that.

// noteNodes notes which classes run on one node that is shown.
func (g *Ground) noteNodes() {
	g.twins = twins(g.Snapshot.Nodes)
	g.onlyNode, g.placement = make([]string, g.classes), make([]int, g.classes)
	number := map[string]int{}
	for n := range g.classes {
		names, all := g.nodesOf(n)
		if all && len(names) == 1 {
			g.onlyNode[n] = names[0]
		}
		key := fmt.Sprint(names, all)
		if _, ok := number[key]; !ok {
			number[key] = len(number)
		}
		g.placement[n] = number[key]
	}
}

// Placement returns a number that classes share of which the input shows the same nodes.
func (g *Ground) Placement(class int) int { return g.placement[class] }

// SharedNode reports whether a node has an address that another one of the input has too: what runs
// there may be on either.
func (g *Ground) SharedNode(name string) bool { return g.twins[name] }

// twins returns the nodes that share an address with another one, by name.
func twins(nodes []model.Node) map[string]bool {
	out, at := map[string]bool{}, map[netip.Addr]string{}
	for _, n := range nodes {
		for _, addr := range n.Addrs {
			if other, taken := at[addr.Unmap()]; taken && other != n.Name {
				out[n.Name], out[other] = true, true
			}
			at[addr.Unmap()] = n.Name
		}
	}
	return out
}

// placedParts settles on which nodes a class and some others are, where the input shows it.
func (p *Program) placedParts(class int, ids netset.IDs, passes when.When) []connectable {
	if !passes.AsksKind(when.Node) || p.onlyNode[class] == "" {
		return []connectable{{ids, passes}}
	}
	var same, other netset.IDs
	for r := range ids.Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			switch p.onlyNode[id] {
			case "":
			case p.onlyNode[class]:
				same = same.Union(netset.Points(id))
			default:
				other = other.Union(netset.Points(id))
			}
		}
	}
	return []connectable{{ids.Minus(same).Minus(other), passes}, {same, SameNode(passes)}, {other, OtherNode(passes)}}
}

// placed is passes as far as the input shows on which nodes two ends are.
func (p *Program) placed(from, to End, passes when.When) when.When {
	if from.Holder < 0 || to.Holder < 0 || max(from.Holder, to.Holder) >= p.classes || p.onlyNode[from.Holder] == "" || p.onlyNode[to.Holder] == "" {
		return passes
	}
	if p.onlyNode[from.Holder] == p.onlyNode[to.Holder] {
		return SameNode(passes)
	}
	return OtherNode(passes)
}

// apart settles what nodes and the pods of a class have to do with one another, as far as the input
// shows on which nodes the pods run.
func (p *Program) apart(class int, nodes netset.IDs, pass when.When) []connectable {
	on, all := p.nodesOf(class)
	if !all {
		return []connectable{{nodes, pass}}
	}
	own := nodes.Intersect(p.nodesFor(class))
	out := []connectable{{nodes.Minus(own), OtherNode(pass)}, {own, pass}}
	if len(on) > 1 {
		return out
	}
	for _, n := range p.HoldersOf(own, Node) {
		if p.holders[n].external {
			out = append(out, connectable{p.IDs(n), p.OwnNode(pass, n)})
			own = own.Minus(p.IDs(n))
		}
	}
	out[1] = connectable{own, SameNode(pass)}
	return out
}

// OwnNode is w where one end is on a node and the other end is that node, at the addresses of holder
// n. An ExternalIP need not be on the node's interface: clouds translate theirs to the InternalIP
// (docs.aws.amazon.com/AmazonVPC/latest/UserGuide/VPC_Internet_Gateway.html), and what a pod sends
// there comes back from outside, as to any other node.
func (p *Program) OwnNode(w when.When, n int) when.When {
	if !p.holders[n].external || !w.AsksKind(when.Node) {
		return SameNode(w)
	}
	node := p.Snapshot.Nodes[p.holders[n].Node].Name
	on := p.asks.ask("ExternalIP on an interface of: "+node, when.Cluster, 0,
		"the ExternalIP of node "+node+" is on an interface of the node", "the ExternalIP of node "+node+" is translated outside of the cluster")
	return SameNode(w).And(on).Or(OtherNode(w).Minus(on))
}

// nodesOf returns the names of the nodes that pods of a class run on, sorted, and whether these are
// all of them. A node with an address that another one has too may be either.
func (g *Ground) nodesOf(class int) (names []string, all bool) {
	all = g.Snapshot.Nodes != nil
	for _, m := range g.holders[class].Members {
		if name := g.Snapshot.Workloads[m.Workload].Pods[m.Pod].Node; name != "" && !g.twins[name] {
			names = append(names, name)
		} else {
			all = false
		}
	}
	slices.Sort(names)
	return slices.Compact(names), all
}

// nodesFor returns the nodes that pods of a class may run on.
func (p *Program) nodesFor(class int) netset.IDs {
	names, all := p.nodesOf(class)
	if !all {
		return p.nodes
	}
	var out netset.IDs
	for _, name := range names {
		out = out.Union(p.nodeIDs[name])
	}
	return out
}

// nodesOfPod returns the nodes that a pod may run on.
func (p *Program) nodesOfPod(m Member) netset.IDs {
	if name := p.Snapshot.Workloads[m.Workload].Pods[m.Pod].Node; name != "" && p.Snapshot.Nodes != nil && !p.twins[name] {
		return p.nodeIDs[name]
	}
	return p.nodes
}
