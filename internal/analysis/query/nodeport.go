package query

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// maxNodePorts bounds how many node ports one question goes through.
const maxNodePorts = 256

// nodePort is a port of every node that leads to a Service.
type nodePort struct {
	service int
	port    model.ServicePort
}

// nodePorts returns those that the question is about.
func (a *asker) nodePorts() []nodePort {
	var out []nodePort
	for i := range a.p.Snapshot.Services {
		for _, p := range a.p.Snapshot.Services[i].Ports {
			if p.NodePort != 0 && a.conns.Contains(p.Protocol, p.NodePort) {
				out = append(out, nodePort{i, p})
			}
		}
	}
	return out
}

// toNode decides a connection to a node: on node ports and host ports, to the pods behind, else to the node itself.
func (a *asker) toNode(from, node end) []outcome {
	ports, rest := a.nodePorts(), a.conns
	var tried []outcome
	onHosts, taken, ok := a.toHostPorts(from, node)
	tried, rest = onHosts, rest.Minus(taken)
	if !ok || len(ports) > maxNodePorts {
		tried = append(tried, outcome{when: "one of many node ports leads to something", conns: a.conns})
	}
	for _, p := range ports[:min(len(ports), maxNodePorts)] {
		rest = rest.Minus(one(p.port.Protocol, p.port.NodePort))
		svc := serviceName(a, p.service)
		a.note(fmt.Sprintf("port %d of every node leads to the Service %s", p.port.NodePort, svc))
		tried = append(tried, a.toNodePort(from, node, p)...)
	}
	if rest.IsEmpty() {
		return tried
	}
	return append(tried, a.pass(a.direct(from, node, rest)))
}

// toNodePort decides for what is behind one node port.
func (a *asker) toNodePort(from, node end, p nodePort) []outcome {
	svc := &a.p.Snapshot.Services[p.service]
	inner := *a // to whom the question is about the Service's own port
	inner.conns = one(p.port.Protocol, p.port.Port)
	asked := one(p.port.Protocol, p.port.NodePort)
	var tried []outcome
	for _, b := range inner.backends(p.service) {
		if b.Protocol == p.port.Protocol && b.PortMapping.Service == p.port.Port {
			tried = append(tried, a.throughNode(from, node, b, svc.Local, asked))
		}
	}
	a.hosts = inner.hosts
	switch {
	case svc.Selector != nil && !a.selects(p.service):
		tried = append(tried, outcome{verdict: reach.Depends, when: "a pod that " + serviceName(a, p.service) + " selects comes to be and lets it in", conns: asked})
	case tried == nil && len(a.p.Backends(p.service)) > 0:
		tried = append(tried, outcome{verdict: reach.Denied})
	case tried == nil:
		o := a.toHost(from, "an endpoint of "+serviceName(a, p.service), asked.Union(inner.arriving(svc)))
		if o.verdict != reach.Denied {
			o.conns = asked
		}
		tried = append(tried, o)
	}
	return tried
}

// seen is how policies may see one side of a connection.
type seen struct {
	name string // completing "if ..."
	end  end
	open bool // not judged
}

// throughNode decides for one backend. On what egress is judged, and what the pod takes for the source, depends on the node that translates.
func (a *asker) throughNode(from, node end, b backend, local bool, asked netset.Conns) outcome {
	if own, ok := a.ownPod(from, b.end); ok {
		return own
	}
	arriving := one(b.Protocol, b.Target)
	if at := a.placements(node, b.end); local && a.isPods(b.end) && len(at) == 1 && at[0] == otherNode {
		a.note(node.name + " has no pod behind this port, and externalTrafficPolicy Local sends to no other node")
		return outcome{verdict: reach.Denied}
	}
	out := []seen{{name: "egress is judged on the node's address and port", end: node}}
	if a.isPods(from) && a.p.Says(cni.JudgedBeforeService) != cni.Yes {
		out = append(out, seen{name: "egress is judged on the pod's address, after the node's is translated", end: b.end})
	}
	r := route{from: from, in: b.end, via: &node, inConns: arriving, translated: true, asked: asked}
	return a.cross(r, out, a.arrivals(from, []end{node}, local))
}

// arrivals returns how policies of the pods behind a Service may see what nodes take in for it. local is that externalTrafficPolicy is Local.
func (a *asker) arrivals(from end, nodes []end, local bool) []seen {
	kept := seen{name: "the client's own address is kept on the way", end: from}
	unjudged := seen{name: notJudged, end: from, open: true}
	escapes := a.p.Says(cni.NodePortsEscape)
	switch {
	case local:
		return []seen{kept}
	case escapes == cni.Yes:
		return []seen{unjudged}
	}
	out := []seen{kept}
	for _, n := range nodes {
		out = append(out, seen{name: "it arrives with the address of the node that took it in", end: n})
	}
	if escapes != cni.No {
		out = append(out, unjudged)
	}
	return out
}

// cross decides a route, but for what is out of the source and open, in each way in which policies of the source and of the destination may see it.
func (a *asker) cross(r route, out, in []seen) outcome {
	var rows [][]world // by out, and by in
	for _, e := range out {
		var row []world
		for _, i := range in {
			r := r
			r.out, r.outConns, r.open = e.end, r.asked, i.open
			if e.end.End == r.in.End {
				r.outConns = r.inConns
			}
			switch {
			case i.end.End == r.from.End:
			case r.via == nil: // what the client connects to may be of another family than it has behind a load balancer
				r.from = i.end
			default:
				r.as = &i.end
			}
			name := ""
			if len(in) > 1 {
				name = i.name
			}
			row = append(row, world{name, a.pass(r)})
		}
		rows = append(rows, row)
	}
	agree := func(v, w world) bool { return v.verdict == w.verdict && v.when == w.when && v.conns.Equal(w.conns) }
	if !slices.ContainsFunc(rows, func(row []world) bool { return !slices.EqualFunc(row, rows[0], agree) }) {
		return across(rows[0]) // then it does not matter what is out
	}
	var worlds []world
	for i, row := range rows {
		for _, w := range row {
			worlds = append(worlds, world{joinAnd(out[i].name, w.name), w.outcome})
		}
	}
	return across(worlds)
}

// isNode reports whether e is a node.
func (a *asker) isNode(e end) bool { return e.Holder >= 0 && a.p.Class(e.Holder).Kind == reach.Node }

// nodeTaken reports whether what e would answer goes to a node port instead: e shares its address with a node.
func (a *asker) nodeTaken(e end, target place) bool {
	return a.q.Port != 0 && !a.isNode(e) && slices.ContainsFunc(target.ends, a.isNode) &&
		(len(a.nodePorts()) > 0 || slices.ContainsFunc(target.ends, a.takesHostPort))
}
