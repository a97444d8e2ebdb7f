package query

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// maxNodePorts bounds how many node ports, and how many host ports, one question goes through.
const maxNodePorts = 256

// nodePort is a port of every node that leads to a Service, or may, where the input does not show
// which does.
type nodePort struct {
	service int
	port    model.ServicePort
	at      netset.Ports // of a node; those of the question, in an answer to it
	perhaps bool         // not all of them lead there
}

// nodePortOf returns where a port of a Service is on nodes; ok is false if it is nowhere.
func (a *asker) nodePortOf(service int, p model.ServicePort) (n nodePort, ok bool) {
	at := reach.NodePorts(&a.p.Snapshot.Services[service], p)
	return nodePort{service, p, at, p.NodePort == 0}, !at.IsEmpty()
}

// nodePorts returns those that the question is about.
func (a *asker) nodePorts() []nodePort {
	var out []nodePort
	for i := range a.p.Snapshot.Services {
		for _, p := range a.p.Snapshot.Services[i].Ports {
			n, ok := a.nodePortOf(i, p)
			if n.at = n.at.Intersect(a.conns.Of(p.Protocol)); ok && !n.at.IsEmpty() {
				out = append(out, n)
			}
		}
	}
	return out
}

// hostPort is a port of the nodes that pods of a workload run on.
type hostPort struct {
	pods         end
	proto        netset.Protocol
	port, target netset.Port
}

// hostPorts returns those that the question is about, at most one more than [maxNodePorts].
func (a *asker) hostPorts() []hostPort {
	var out []hostPort
	for c := range a.p.Classes() {
		seen := map[hostPort]bool{} // with no more of the end than the workload
		for _, w := range a.p.Ways(c) {
			for _, m := range w.Ports {
				if w.Kind != reach.ByHostPort || !a.conns.Of(m.Protocol).Overlaps(m.Node) {
					continue
				}
				at := hostPort{end{workload: w.Pod.Workload}, m.Protocol, m.Node.First(), m.Target}
				if seen[at] {
					continue
				}
				seen[at] = true
				at.pods = a.podEnd(w.Pod.Workload, c, len(a.p.ClassesOf(w.Pod.Workload)) > 1)
				if out = append(out, at); len(out) > maxNodePorts {
					return out
				}
			}
		}
	}
	return out
}

// runsOn says whether pods behind a host port run on node.
func (a *asker) runsOn(node end, p hostPort) cni.Answer {
	switch at := a.placements(node, p.pods); {
	case slices.Contains(at, sameNode):
		return cni.Yes
	case slices.Contains(at, unplaced):
		return cni.Uncertain
	}
	return cni.No
}

// nodeTaken reports whether what e would answer goes to a node port instead: e shares its address
// with a node.
func (a *asker) nodeTaken(e end, target place) bool {
	return a.q.Port != 0 && !a.isNode(e) && slices.ContainsFunc(target.ends, func(n end) bool {
		certain := func(p nodePort) bool { return !p.perhaps }
		return a.isNode(n) && (slices.ContainsFunc(a.nodePorts(), certain) || slices.ContainsFunc(a.hostPorts(), func(p hostPort) bool { return a.runsOn(n, p) == cni.Yes }))
	})
}

// toNode decides a connection to a node: on node ports and host ports, to the pods behind, else to
// the node itself.
func (a *asker) toNode(from, node end) []way {
	onNodes, onHosts := a.nodePorts(), a.hostPorts()
	var given []nodePort // that the API server may have given out
	tried, taken := a.toHostPorts(from, node, onHosts[:min(len(onHosts), maxNodePorts)])
	other := when.Always // what must be so for ports that are not shown to be what is asked about
	if a.q.Port != 0 && !reach.DefaultNodePorts.Contains(a.q.Port) {
		other = a.p.OtherNodePorts()
	}
	if len(onHosts) > maxNodePorts || len(onNodes) > maxNodePorts {
		tried = append(tried, may(a.conns, a.p.Doubt("one of many node ports leads to something"))...)
	}
	for _, p := range onNodes[:min(len(onNodes), maxNodePorts)] {
		switch {
		case p.perhaps && a.q.Port == 0:
			tried = append(tried, a.toSomeNodePort(from, node, p)...)
			continue
		case p.perhaps && other.IsAlways():
			given = append(given, p)
			continue
		case p.perhaps: // that the node itself answers there remains the rule
			tried = append(tried, within(a.toNodePort(from, node, p), other.And(a.isNodePort(serviceName(a, p.service))))...)
			continue
		}
		taken = taken.Union(one(p.port.Protocol, p.port.NodePort))
		a.note(fmt.Sprintf("port %d of every node leads to the Service %s", p.port.NodePort, serviceName(a, p.service)))
		tried = append(tried, a.toNodePort(from, node, p)...)
	}
	if rest := a.conns.Minus(taken); !rest.IsEmpty() && given != nil {
		var worlds []world
		for _, p := range given {
			worlds = append(worlds, world{serviceName(a, p.service), a.toNodePort(from, node, p)})
		}
		return append(tried, a.oneOf(a.decide(direct(from, node, rest)), worlds, func(names []string) when.When { return a.isNodePort(names...) })...)
	}
	if rest := a.conns.Minus(taken); !rest.IsEmpty() {
		tried = append(tried, a.decide(direct(from, node, rest))...)
	}
	return tried
}

// isNodePort is the condition that the port of the question was given to one of some Services.
func (a *asker) isNodePort(names ...string) when.When {
	port := fmt.Sprint(a.q.Port)
	return a.is("node port "+port+" of: ", port+" is the node port of ", port+" is not the node port of ", names)
}

// toNodePort decides for what is behind one node port.
func (a *asker) toNodePort(from, node end, p nodePort) []way {
	svc := &a.p.Snapshot.Services[p.service]
	own, asked := one(p.port.Protocol, p.port.Port), netset.ConnsOf(p.port.Protocol, p.at)
	f := a.nodeFront(from, node)
	if f.local = svc.Local; !f.local {
		f.nodes, f.node, f.escapes = []end{node}, "the node that took it in", a.p.Where(cni.NodePortsEscape)
	} else if a.isPods(from) {
		f.nodes, f.node = a.hiding(from, node), "a node"
	}
	backends := a.backends(p.service, own)
	for i := range backends {
		backends[i].asked = asked
	}
	return a.answering(from, p.service, f, backends, asked, arriving(svc, own))
}

// toSomeNodePort decides for what is behind a node port that the input may not show.
func (a *asker) toSomeNodePort(from, node end, p nodePort) []way {
	if !p.perhaps {
		return a.toNodePort(from, node, p)
	}
	usual, other := p, p
	usual.at, other.at = p.at.Intersect(reach.DefaultNodePorts), p.at.Minus(reach.DefaultNodePorts)
	on := a.p.OnNodePort(p.service)
	return append(within(a.toNodePort(from, node, usual), on), within(a.toNodePort(from, node, other), on.And(a.p.OtherNodePorts()))...)
}

// nodeFront is a port of a node. On what egress is judged depends on the node that translates.
func (a *asker) nodeFront(from, node end) front {
	f := front{via: &node, before: when.Never, escapes: when.Never, leaves: when.Never}
	if a.isPods(from) {
		f.before = a.p.JudgedAtNode()
		if at := a.placements(from, node); len(at) == 1 {
			f.before = a.settle(f.before, at[0], from, node)
		}
		f.before = f.before.Move(when.Destination, when.Via)
	}
	return f
}

// toHostPorts decides for the pods behind the host ports of a node. taken is what goes to no other
// end.
func (a *asker) toHostPorts(from, node end, ports []hostPort) (tried []way, taken netset.Conns) {
	var perhaps []hostPort
	for _, p := range ports {
		switch a.runsOn(node, p) {
		case cni.Yes: // no other pod can have the port there
			taken = taken.Union(one(p.proto, p.port))
			tried = append(tried, a.toHostPort(from, node, p)...)
		case cni.Uncertain:
			perhaps = append(perhaps, p)
		}
	}
	for len(perhaps) > 0 {
		asked := one(perhaps[0].proto, perhaps[0].port)
		var worlds []world
		perhaps = slices.DeleteFunc(perhaps, func(p hostPort) bool {
			same := asked.Contains(p.proto, p.port)
			if same {
				worlds = append(worlds, world{p.pods.name, a.toHostPort(from, node, p)})
			}
			return same
		})
		if !asked.Overlaps(taken) {
			taken = taken.Union(asked)
			nobody := a.decide(direct(from, node, asked))
			tried = append(tried, a.oneOf(nobody, worlds, func(names []string) when.When { return a.runs(names, node.name) })...)
		}
	}
	return tried, taken
}

// toHostPort decides for the pods behind one host port, on the node that they run on.
func (a *asker) toHostPort(from, node end, p hostPort) []way {
	a.note(fmt.Sprintf("port %d of the nodes that %s runs on is its hostPort, and leads to its port %d", p.port, p.pods.name, p.target))
	b := backend{end: p.pods, asked: one(p.proto, p.port), arriving: one(p.proto, p.target)}
	f := a.nodeFront(from, node)
	if a.isPods(from) {
		f.nodes, f.node = a.hiding(from, node), "a node"
	}
	return a.through(from, f, b)
}

// hiding returns the nodes whose address a pod's connections to a node may arrive with: its own,
// where what pods send to nodes is masqueraded, and the one that takes it in, which hides clients
// of the subnet for the way back.
func (a *asker) hiding(from, node end) []end {
	var out []end
	at, all := a.nodesOf(from)
	for _, n := range a.allNodes() {
		i := a.p.Class(n.Holder).Node
		if !all || n.Holder == node.Holder || i < 0 || slices.Contains(at, a.p.Snapshot.Nodes[i].Name) {
			out = append(out, n)
		}
	}
	return out
}
