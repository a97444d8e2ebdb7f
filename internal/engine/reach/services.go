package reach

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Backing is a class behind a Service, with the connections that the Service's ports become there.
type Backing struct {
	Class int
	Ports []PortMapping
}

// PortMapping is a Service port and the port it becomes on a pod.
type PortMapping struct {
	Protocol netset.Protocol
	Service  netset.Port
	Target   netset.Port
	Node     netset.Ports // on every node; empty if it is not a node port
}

// outsider is an endpoint of a Service that is no pod of the input.
type outsider struct {
	service int
	addr    netip.Addr
	ports   []PortMapping
}

// nodePorts is where node ports are given out from unless the API server is told otherwise (kubernetes.io, Service type NodePort).
var nodePorts = netset.PortRange(30000, 32767)

func mapping(svc *model.Service, p model.ServicePort, target netset.Port) PortMapping {
	m := PortMapping{Protocol: p.Protocol, Service: p.Port, Target: target}
	switch {
	case p.NodePort != 0:
		m.Node = netset.PortRange(p.NodePort, p.NodePort)
	case svc.Type == "NodePort" || svc.Type == "LoadBalancer":
		m.Node = nodePorts
	}
	return m
}

// addBackends resolves every Service to the classes behind it. Endpoints may be set by hand, beside a selector or without one.
func (g *Ground) addBackends() {
	s := g.Snapshot
	g.backends = make([][]Backing, len(s.Services))
	for i := range s.Services {
		svc := &s.Services[i]
		for _, e := range svc.Endpoints {
			if pod, ok := g.byAddr[e.Addr.Unmap()]; !ok {
				g.outsiders = append(g.outsiders, outsider{i, e.Addr.Unmap(), endpointPorts(svc, e)})
			} else if svc.Selector == nil || !g.Matches(*svc.Selector, pod.Class) {
				g.backends[i] = append(g.backends[i], Backing{pod.Class, endpointPorts(svc, e)})
			}
		}
		if svc.Selector == nil {
			continue
		}
		for r := range g.choose(label.Named(svc.Namespace), *svc.Selector).may().Runs() {
			for id := r.Lo; id <= r.Hi; id++ {
				g.backends[i] = append(g.backends[i], Backing{int(id), g.holders[id].servicePorts(svc)})
			}
		}
	}
}

// servicePorts resolves the ports of a Service for the pods of a class.
func (h *Holder) servicePorts(svc *model.Service) []PortMapping {
	var out []PortMapping
	for _, p := range svc.Ports {
		targets := []netset.Port{p.Target}
		if p.TargetName != "" {
			_, targets = h.resolve(portName{p.Protocol, p.TargetName})
		}
		for _, t := range targets {
			out = append(out, mapping(svc, p, t))
		}
	}
	return out
}

// endpointPorts pairs the ports of a Service with those of an endpoint, by name.
func endpointPorts(svc *model.Service, e model.Endpoint) []PortMapping {
	var out []PortMapping
	for _, p := range svc.Ports {
		for _, t := range e.Ports {
			if t.Protocol == p.Protocol && (t.Name == p.Name || len(svc.Ports) == 1) {
				out = append(out, mapping(svc, p, t.Port))
			}
		}
	}
	return out
}

// indexFronts turns the Services' backends round.
func (g *Ground) indexFronts() {
	g.fronts = make([][]front, g.classes)
	g.frontsOn = map[netset.ProtocolPort][]front{}
	var doors, nodes []int
	for i, backends := range g.backends {
		doors = append(doors, g.doors[i]...)
		for j, b := range backends {
			at := front{i, j}
			g.fronts[b.Class] = append(g.fronts[b.Class], at)
			for _, m := range b.Ports {
				on := netset.ProtocolPort{Protocol: m.Protocol, Port: m.Service}
				if list := g.frontsOn[on]; len(list) == 0 || list[len(list)-1] != at {
					g.frontsOn[on] = append(list, at)
				}
			}
			if slices.ContainsFunc(b.Ports, func(m PortMapping) bool { return !m.Node.IsEmpty() }) {
				g.onNodePorts = append(g.onNodePorts, at)
			}
		}
	}
	for n := g.classes; n < len(g.holders); n++ {
		if g.holders[n].Kind == Node {
			nodes = append(nodes, n)
		}
	}
	g.fronting, g.nodes = g.IDs(doors...), g.IDs(nodes...)
	var translated []int
	for i := range g.Snapshot.Services {
		if len(g.backends[i]) > 0 || slices.ContainsFunc(g.outsiders, func(o outsider) bool { return o.service == i }) || g.isKubeAPI(i) {
			translated = append(translated, g.doors[i]...)
		}
	}
	g.translated = g.IDs(translated...)
}

// isKubeAPI reports whether a Service is the API server's, whose endpoints are holders of their own.
func (g *Ground) isKubeAPI(service int) bool {
	return slices.ContainsFunc(g.doors[service], func(n int) bool { return g.holders[n].Kind == KubeAPI })
}

// Backends returns the classes behind a Service, an index into Snapshot.Services.
func (g *Ground) Backends(service int) []Backing { return g.backends[service] }

// VIP returns the holder of a Service's own address; ok is false for headless Services and names.
func (g *Ground) VIP(service int) (holder int, ok bool) {
	if len(g.doors[service]) == 0 {
		return -1, false
	}
	return g.doors[service][0], true
}

// VIPAt returns the holder of the Service address a.
func (g *Ground) VIPAt(a netip.Addr) (holder int, ok bool) {
	holder, ok = g.vips[a]
	return holder, ok
}

// servicesFor returns the addresses of the Services of a namespace whose own selector satisfies the selector of an egress peer, over the Services'
// ports that lead to ports of the rule (amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go).
func (p *Program) servicesFor(ns int, r *policy.Rule, pod label.Selector) []match {
	var out []match
	for _, i := range p.servicesIn[ns] {
		svc := &p.Snapshot.Services[i]
		holder, ok := p.VIP(i)
		if !ok {
			continue
		}
		own := label.Set{}
		if svc.Selector != nil {
			own, _ = svc.Selector.Example()
		}
		if must, _ := pod.Match(label.Known(own)); !must {
			continue
		}
		at := Region{IDs: netset.Points(p.ID(holder, p.primaryFamily(svc)))}
		for _, b := range p.frontPorts(i, r) {
			out = append(out, match{box{at, b.conns, p.all}, b.cond})
		}
	}
	return out
}

// primaryFamily is the family of a Service's first address.
func (g *Ground) primaryFamily(svc *model.Service) Family {
	if len(svc.ClusterIPs) > 0 {
		return familyOf(svc.ClusterIPs[0].Unmap())
	}
	if g.states[IPv6] == Has {
		return IPv6
	}
	return IPv4
}

// frontPorts returns the connections to a Service's own ports that lead to the ports of a rule. A range is taken over as it is, from the Service
// port that its first number leads to.
func (p *Program) frontPorts(service int, r *policy.Rule) []match {
	if r.AnyPort {
		return []match{{box: box{conns: netset.AllConns}}}
	}
	svc := &p.Snapshot.Services[service]
	var out []match
	for _, item := range r.Ports {
		if item.Name == "" && item.Lo == 1 && item.Hi == 65535 {
			out = append(out, match{box: box{conns: netset.ConnsOf(item.Protocol, netset.AllPorts)}})
			continue
		}
		found := false
		for _, sp := range svc.Ports {
			if sp.Protocol == item.Protocol && (item.Name == "" && sp.TargetName == "" && sp.Target == item.Lo || item.Name != "" && sp.TargetName == item.Name) {
				out = append(out, match{box: box{conns: fromPort(item, sp.Port)}})
				found = true
				break
			}
		}
		if found {
			continue
		}
		var led []match
		for _, sp := range svc.Ports {
			if certainly, perhaps := p.leads(service, sp, item, r); sp.Protocol == item.Protocol && perhaps {
				led = append(led, match{box{conns: fromPort(item, sp.Port)}, leadsThere})
				if certainly {
					led[len(led)-1].cond = Cond{}
				}
			}
		}
		if len(led) > 1 { // the plugin takes one of them
			for i := range led {
				led[i].cond = leadsThere
			}
		}
		out = append(out, led...)
	}
	return out
}

var leadsThere = onlyIf("the port of a Service leads to the port of a rule, as its pods name their ports")

// fromPort is the connections that an item of a rule stands for from a Service port up.
func fromPort(item policy.Port, port netset.Port) netset.Conns {
	if item.Name != "" {
		return netset.ConnsOf(item.Protocol, netset.PortRange(port, port))
	}
	if item.Hi > item.Lo && item.Hi > port {
		return netset.ConnsOf(item.Protocol, netset.PortRange(port, item.Hi))
	}
	return netset.ConnsOf(item.Protocol, netset.PortRange(port, port))
}

// leads reports whether a port of a Service is the one that an item of a rule is on its pods: on one of them is enough, if on no other the name of the
// Service's port stands for a number that the rule does not let through.
func (p *Program) leads(service int, sp model.ServicePort, item policy.Port, r *policy.Rule) (certainly, perhaps bool) {
	backends := p.backends[service]
	if len(backends) == 0 {
		return false, true
	}
	both := func(a, b []netset.Port) bool {
		return slices.ContainsFunc(a, func(port netset.Port) bool { return slices.Contains(b, port) })
	}
	strays := false
	for _, b := range backends {
		h := &p.holders[b.Class]
		mustBe, mayBe := []netset.Port{item.Lo}, []netset.Port{item.Lo}
		if item.Name != "" {
			mustBe, mayBe = h.resolve(portName{item.Protocol, item.Name})
		}
		mustGo, mayGo := []netset.Port{sp.Target}, []netset.Port{sp.Target}
		if sp.TargetName != "" {
			mustGo, mayGo = h.resolve(portName{sp.Protocol, sp.TargetName})
			strays = strays || item.Name == "" && slices.ContainsFunc(mayGo, func(n netset.Port) bool { return !allows(r, item.Protocol, n) })
		}
		certainly = certainly || both(mustBe, mustGo)
		perhaps = perhaps || both(mayBe, mayGo)
	}
	return certainly && !strays, perhaps
}

// allows reports whether a rule names a port by its number.
func allows(r *policy.Rule, protocol netset.Protocol, port netset.Port) bool {
	return slices.ContainsFunc(r.Ports, func(item policy.Port) bool {
		return item.Name == "" && item.Protocol == protocol && item.Lo <= port && port <= item.Hi
	})
}

// throughServices adds what is reached only because policy is judged on the address of a Service, or on a node's with a node port.
func (p *Program) throughServices(out *boxes, class int) {
	before := p.says.where(cni.JudgedBeforeService)
	if before == nil {
		return
	}
	for _, seg := range p.openOf(class, policy.Egress) {
		if seg.worlds &= p.says.possible(cni.JudgedBeforeService); seg.worlds == 0 {
			continue
		}
		var through []segment
		for _, b := range before {
			at := seg
			if at.worlds &= b.worlds; at.worlds == 0 {
				continue
			}
			if at.cond = b.cond.and(seg.cond); seg.verdict == Allowed && !at.cond.IsZero() {
				at.verdict = Depends
			}
			through = append(through, at)
		}
		for _, f := range Families {
			entry := entrance{seg, f, seg.region.IDs.Intersect(p.fronting).Intersect(p.addressed[Has].Union(p.addressed[MayHave])), seg.region.IDs.Overlaps(p.nodes)}
			if in, _ := p.existence(class, f); !in || entry.doors.IsEmpty() && !entry.nodes {
				continue
			}
			for _, o := range p.outsiders {
				p.throughOutsider(out, o, entry, through)
			}
			if seg.conns.IsAll() && seg.region.IDs.Covers(netset.IDRange(p.ID(0, f), p.classes)) {
				continue // the pods are reached without their Services
			}
			for at := range p.frontsOf(entry, p.ID(class, f)) {
				p.throughService(out, class, at, entry, through)
			}
		}
	}
}

// entrance is what a segment lets through to Services, in one family.
type entrance struct {
	segment
	family Family
	doors  netset.IDs // holders of addresses of Services
	nodes  bool       // some node
}

// opens reports whether e leads to a port of a Service that has the given doors.
func (p *Program) opens(e entrance, service int, m PortMapping) bool {
	if e.nodes && e.conns.Of(m.Protocol).Overlaps(m.Node) {
		return true
	}
	return e.conns.Contains(m.Protocol, m.Service) &&
		slices.ContainsFunc(p.doors[service], func(n int) bool { return e.doors.Contains(p.ID(n, e.family)) })
}

// front is a Service that leads to a class: an index into Snapshot.Services and one into its backends.
type front struct{ service, backing int }

// fewPorts is up to how many ports are looked up one by one.
const fewPorts = 16

// frontsOf yields Services and backends among which are all that e leads to and that let id in: found from whichever is fewer.
func (p *Program) frontsOf(e entrance, id netset.ID) iter.Seq[front] {
	return func(yield func(front) bool) {
		if few := e.conns.Few(fewPorts); size(e.doors) > wide && few != nil {
			for _, port := range few {
				for _, at := range p.frontsOn[port] {
					if !yield(at) {
						return
					}
				}
			}
			if e.nodes {
				for _, at := range p.onNodePorts {
					if !yield(at) {
						return
					}
				}
			}
			return
		}
		if size(e.doors) > wide {
			for _, g := range p.admitting(policy.Ingress, id) {
				for _, class := range p.groups[policy.Ingress][g].classes {
					for _, at := range p.fronts[class] {
						if !yield(at) {
							return
						}
					}
				}
			}
			return
		}
		for r := range e.doors.Runs() {
			for at := r.Lo; at <= r.Hi; at++ {
				h, _, _ := p.Holder(at)
				for i := range p.backends[h.Service] {
					if !yield(front{h.Service, i}) {
						return
					}
				}
			}
		}
		if e.nodes {
			for _, at := range p.onNodePorts {
				if !yield(at) {
					return
				}
			}
		}
	}
}

// throughService adds the pods of one backend that only its Service leads to; through is e as far as they are concerned.
func (p *Program) throughService(out *boxes, class int, at front, e entrance, through []segment) {
	b := p.backends[at.service][at.backing]
	id := p.ID(b.Class, e.family)
	for _, m := range b.Ports {
		if !p.opens(e, at.service, m) || p.direct(class, id, m, e.segment) {
			continue
		}
		conns := netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
		_, exists := p.existence(class, e.family)
		open := p.openOf(b.Class, policy.Ingress)
		for i := range open {
			back := &open[i]
			if !back.region.IDs.Contains(p.ID(class, e.family)) {
				continue
			}
			for _, t := range through {
				t.conns = conns
				p.addPods(out, &t, back, netset.Points(id), e.family, exists, policy.Egress)
			}
		}
	}
}

// throughOutsider adds an endpoint that is no pod.
func (p *Program) throughOutsider(out *boxes, o outsider, e entrance, through []segment) {
	if familyOf(o.addr) != e.family || e.region.Addrs.Contains(o.addr) && e.conns.IsAll() {
		return
	}
	for _, m := range o.ports {
		if p.opens(e, o.service, m) {
			conns := netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
			for _, t := range through {
				out.add(&t, box{Region{Addrs: netset.Points(o.addr)}, conns, t.worlds}, t.verdict, t.cond, policy.Egress)
			}
		}
	}
}

// direct reports whether class reaches the pods themselves no less surely than their Service.
func (p *Program) direct(class int, id netset.ID, m PortMapping, service segment) bool {
	for _, own := range p.openOf(class, policy.Egress) {
		if own.worlds.Covers(service.worlds) && (own.verdict == Allowed || own.cond.equal(service.cond)) && own.conns.Contains(m.Protocol, m.Target) && own.region.IDs.Contains(id) {
			return true
		}
	}
	return false
}
