package query

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// A hostPort is a port of the nodes that a pod runs on. What connects there is sent on to the pod, whose policies judge it as what arrives on the
// container's port: the portmap plugin translates the destination before policy (containernetworking/plugins, plugins/meta/portmap), and Cilium keeps
// a service of type HostPort for it (pkg/loadbalancer). A pod on the host network listens on the node itself, and nothing is translated.

// hostPort is a port of nodes that leads to some pods of a workload.
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
		for _, m := range a.p.Class(c).Members {
			pod := &a.p.Snapshot.Workloads[m.Workload].Pods[m.Pod]
			for _, p := range pod.Ports {
				at := hostPort{end{workload: m.Workload}, p.Protocol, p.HostPort, p.Port}
				if p.HostPort == 0 || pod.HostNetwork || !a.conns.Contains(p.Protocol, p.HostPort) || seen[at] {
					continue
				}
				seen[at] = true
				at.pods = a.podEnd(m.Workload, c, len(a.p.ClassesOf(m.Workload)) > 1)
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

// takesHostPort reports whether e is a node on which a pod has the port in question for certain.
func (a *asker) takesHostPort(e end) bool {
	return a.isNode(e) && slices.ContainsFunc(a.hostPorts(), func(p hostPort) bool { return a.runsOn(e, p) == cni.Yes })
}

// toHostPorts decides for the pods behind the host ports of a node. taken is what goes to no other end; ok is that these are all there are.
func (a *asker) toHostPorts(from, node end) (tried []outcome, taken netset.Conns, ok bool) {
	all := a.hostPorts()
	var perhaps []hostPort
	for _, p := range all[:min(len(all), maxNodePorts)] {
		switch a.runsOn(node, p) {
		case cni.Yes: // no other pod can have the port there
			taken = taken.Union(one(p.proto, p.port))
			tried = append(tried, a.toHostPort(from, node, p))
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
				worlds = append(worlds, world{"a pod of " + p.pods.name + " runs on " + node.name, a.toHostPort(from, node, p)})
			}
			return same
		})
		if asked = asked.Minus(taken); asked.IsEmpty() {
			continue
		}
		taken = taken.Union(asked)
		worlds = append(worlds, world{"no pod with this hostPort runs on " + node.name, a.pass(a.direct(from, node, asked))})
		tried = append(tried, across(worlds))
	}
	return tried, taken, len(all) <= maxNodePorts
}

// toHostPort decides for the pods behind one host port, on the node that they run on.
func (a *asker) toHostPort(from, node end, p hostPort) outcome {
	if own, ok := a.ownPod(from, p.pods); ok {
		return own
	}
	a.note(fmt.Sprintf("port %d of the nodes that %s runs on is its hostPort, and leads to its port %d", p.port, p.pods.name, p.target))
	asked, arriving := one(p.proto, p.port), one(p.proto, p.target)
	out := []seen{{end: p.pods}} // of what no policy judges the egress
	in := []seen{{name: "the client's own address is kept on the way", end: from}}
	if a.isPods(from) {
		out = []seen{{name: "egress is judged on the node's address and port", end: node}}
		if a.p.Says(cni.JudgedBeforeService) != cni.Yes {
			out = append(out, seen{name: "egress is judged on the pod's address, after the node's is translated", end: p.pods})
		}
		// the client's own, or the pod's, where clients of its subnet are hidden for the way back
		at, all := a.nodesOf(from)
		for _, n := range a.allNodes() {
			if name := a.p.Class(n.Holder).Node; all && n.Holder != node.Holder && name >= 0 && !slices.Contains(at, a.p.Snapshot.Nodes[name].Name) {
				continue
			}
			in = append(in, seen{name: "it arrives with the address of a node", end: n})
		}
	}
	return a.cross(route{from: from, in: p.pods, via: &node, inConns: arriving, translated: true, asked: asked}, out, in)
}
