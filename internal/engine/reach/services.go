package reach

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Backend is a class behind a Service, with the connections that the Service's ports become there.
type Backend struct {
	Class   int
	Perhaps Doubt
	Ports   []PortMapping
}

// Doubt is why it is not certain that a pod of a class is behind a Service. The zero value is none.
type Doubt uint8

const (
	NoDoubt    Doubt = iota
	ByLabels         // the Service's selector asks for labels that are not known
	AsEndpoint       // an endpoint is the address of one of the class's pods
)

// PortMapping is a Service port and the port it becomes on a pod.
type PortMapping struct {
	Protocol netset.Protocol
	Service  netset.Port
	Target   netset.Port
	Name     string       // what the pods may call Target, where it is not certain that they do; else ""
	Node     netset.Ports // on every node; empty if it is not a node port
}

// bareBackend is an endpoint of a Service that is no pod of the input.
type bareBackend struct {
	service int
	addr    netip.Addr
	ports   []PortMapping
	way     *Way // through ports of nodes or external IPs; nil if the Service has none
}

// DefaultNodePorts is where node ports are given out from unless kube-apiserver is told otherwise, by
// --service-node-port-range (kubernetes.io, Service type NodePort).
var DefaultNodePorts = netset.PortRange(30000, 32767)

func mapping(svc *model.Service, p model.ServicePort, target netset.Port) PortMapping {
	return PortMapping{Protocol: p.Protocol, Service: p.Port, Target: target, Node: NodePorts(svc, p)}
}

// NodePorts is the port of nodes that a Service's port has, or where the input does not show it,
// those that it may have; empty if it has none.
func NodePorts(svc *model.Service, p model.ServicePort) netset.Ports {
	switch {
	case p.NodePort != 0:
		return netset.PortRange(p.NodePort, p.NodePort)
	case svc.Type == "NodePort" || svc.Type == "LoadBalancer":
		return netset.AllPorts
	}
	return netset.Ports{}
}

// addBackends resolves every Service to the classes behind it. Endpoints may be set by hand, beside
// a selector or without one.
func (g *Ground) addBackends() {
	s := g.Snapshot
	g.backends = make([][]Backend, len(s.Services))
	for i := range s.Services {
		svc := &s.Services[i]
		for _, e := range svc.Endpoints {
			pods := g.byAddr[e.Addr.Unmap()]
			named := g.NamedBy(e)
			if pods == nil {
				if !g.isKubeAPI(i) { // which is an end of its own
					pods = g.hostsAt(e.Addr.Unmap())
				}
				g.bareBackends = append(g.bareBackends, bareBackend{i, e.Addr.Unmap(), EndpointPorts(svc, e), byNodes(i, svc)})
			}
			pods = slices.Concat(pods, named)
			for n, pod := range pods {
				if svc.Selector != nil && g.Matches(*svc.Selector, pod.Class) || slices.ContainsFunc(pods[:n], func(q RunningPod) bool { return q.Class == pod.Class }) {
					continue
				}
				b := Backend{Class: pod.Class, Ports: EndpointPorts(svc, e)}
				if len(pods) > 1 || len(named) > 0 || len(g.holders[pod.Class].Members) > 1 {
					b.Perhaps = AsEndpoint
				}
				g.backends[i] = append(g.backends[i], b)
			}
		}
		if svc.Selector == nil {
			continue
		}
		pods := g.choose(label.Named(svc.Namespace), *svc.Selector)
		for r := range pods.may().Runs() {
			for id := r.Lo; id <= r.Hi; id++ {
				b := Backend{Class: int(id), Ports: g.holders[id].servicePorts(svc)}
				if !pods.must.Contains(id) {
					b.Perhaps = ByLabels
				}
				g.backends[i] = append(g.backends[i], b)
			}
		}
	}
}

// hostsAt returns the pods on the host network of the node with an address, one of each class.
func (g *Ground) hostsAt(addr netip.Addr) (out []RunningPod) {
	for r := range g.hosts.Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			h := &g.holders[id]
			if a := h.Addrs[familyOf(addr)]; a.State == KnownAddr && a.Addr == addr || slices.Contains(h.others, addr) {
				out = append(out, RunningPod{h.Members[0], int(id)})
			}
		}
	}
	return out
}

// NamedBy returns the pods on the pod network that an endpoint names and whose own address is another
// or not known: the endpoint is theirs, or somebody else's by now.
func (g *Ground) NamedBy(e model.Endpoint) []RunningPod {
	at := g.byAddr[e.Addr.Unmap()]
	return slices.DeleteFunc(slices.Clone(g.byName[e.Pod]), func(pod RunningPod) bool { return slices.Contains(at, pod) })
}

// servicePorts resolves the ports of a Service for the pods of a class.
func (h *Holder) servicePorts(svc *model.Service) []PortMapping {
	var out []PortMapping
	for _, p := range svc.Ports {
		target, perhaps := p.Target, false
		if p.TargetName != "" {
			var ok bool
			if target, perhaps, ok = h.serves(portName{p.Protocol, p.TargetName}); !ok {
				continue
			}
		}
		m := mapping(svc, p, target)
		if perhaps {
			m.Name = p.TargetName
		}
		out = append(out, m)
	}
	return out
}

// serves is the number that a port name of a Service stands for: that of the first container that
// gives it, else of the first sidecar, which counts since Kubernetes 1.29 (pkg/api/v1/pod/util.go
// and staging/src/k8s.io/endpointslice/util, FindPort).
func (h *Holder) serves(name portName) (number netset.Port, perhaps, ok bool) {
	for _, p := range h.ports {
		if p.Protocol != name.protocol || p.Name != name.name {
			continue
		}
		if !p.Sidecar {
			return p.Port, false, true
		}
		if !ok {
			number, perhaps, ok = p.Port, true, true
		}
	}
	return number, perhaps, ok
}

// Behind is the condition that a Service sends what m describes to the pods of a backend, which may
// perhaps be behind it.
func (p *Program) Behind(service int, perhaps Doubt, m PortMapping) when.When {
	is := when.Always
	if perhaps != NoDoubt {
		svc := &p.Snapshot.Services[service]
		if name := svc.Namespace + "/Service/" + svc.Name; perhaps == AsEndpoint {
			is = p.asks.ask("endpoint dst of "+name, when.Destination, 0, "{dst} is the endpoint of "+name, "{dst} is no endpoint of "+name)
		} else {
			is = p.asks.selected(when.Destination, label.Named(svc.Namespace), *svc.Selector)
		}
	}
	if m.Name != "" {
		name, svc := portName{m.Protocol, m.Name}, &p.Snapshot.Services[service]
		is = is.And(p.asks.ask(fmt.Sprintf("port name %s of dst is %d to a Service", name, m.Target), when.Destination, 0,
			fmt.Sprintf("the Service %s/%s takes the port name %s of a sidecar for %d", svc.Namespace, svc.Name, m.Name, m.Target),
			fmt.Sprintf("the Service %s/%s does not take the port name %s of a sidecar", svc.Namespace, svc.Name, m.Name)))
	}
	return is
}

// EndpointPorts pairs the ports of a Service with those of an endpoint, by name.
func EndpointPorts(svc *model.Service, e model.Endpoint) []PortMapping {
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
	var frontends, own, nodes []int
	for i, backends := range g.backends {
		frontends = append(frontends, g.frontends[i]...)
		if vip, ok := g.VIP(i); ok {
			own = append(own, vip)
		}
		for j, b := range backends {
			at := front{i, j}
			g.fronts[b.Class] = append(g.fronts[b.Class], at)
			for _, m := range b.Ports {
				on := netset.ProtocolPort{Protocol: m.Protocol, Port: m.Service}
				if list := g.frontsOn[on]; len(list) == 0 || list[len(list)-1] != at {
					g.frontsOn[on] = append(list, at)
				}
			}
		}
	}
	g.nodeIDs = map[string]netset.IDs{}
	for n := g.classes; n < len(g.holders); n++ {
		if h := &g.holders[n]; h.Kind == Node {
			nodes = append(nodes, n)
			if h.Node >= 0 {
				name := g.Snapshot.Nodes[h.Node].Name
				g.nodeIDs[name] = g.nodeIDs[name].Union(g.IDs(n))
			}
		}
	}
	g.frontendIDs, g.ownIDs, g.nodes = g.IDs(frontends...), g.IDs(own...), g.IDs(nodes...)
	var translated []int
	for i := range g.Snapshot.Services {
		if len(g.backends[i]) > 0 || slices.ContainsFunc(g.bareBackends, func(o bareBackend) bool { return o.service == i }) || g.isKubeAPI(i) {
			translated = append(translated, g.frontends[i]...)
		}
	}
	g.translated = g.IDs(translated...)
}

// isKubeAPI reports whether a Service is the API server's, whose endpoints are holders of their
// own.
func (g *Ground) isKubeAPI(service int) bool {
	return slices.ContainsFunc(g.frontends[service], func(n int) bool { return g.holders[n].Kind == KubeAPI })
}

// Backends returns the classes behind a Service, an index into Snapshot.Services.
func (g *Ground) Backends(service int) []Backend { return g.backends[service] }

// VIP returns the holder of a Service's own address; ok is false for headless Services and names.
func (g *Ground) VIP(service int) (holder int, ok bool) {
	if len(g.frontends[service]) == 0 {
		return -1, false
	}
	return g.frontends[service][0], true
}

// VIPAt returns the holder of the Service address a.
func (g *Ground) VIPAt(a netip.Addr) (holder int, ok bool) {
	holder, ok = g.vips[a]
	return holder, ok
}

// IDRegion is one holder.
func (g *Ground) IDRegion(holder int) Region { return Region{IDs: g.IDs(holder)} }

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

// throughServices adds what is reached only because policy is judged on a Service's own address.
func (p *Program) throughServices(out *boxes, class int) {
	before := p.says.where[cni.JudgedBeforeService]
	if p.narrow(before).IsNever() {
		return
	}
	for _, seg := range p.openOf(class, policy.Egress) {
		frontends := seg.ends.IDs.Intersect(p.ownIDs)
		if frontends.IsEmpty() {
			continue
		}
		through := seg
		if through.pass = seg.pass.And(before).Move(when.Destination, when.Via); through.pass.IsNever() {
			continue
		}
		for _, front := range p.existing {
			e := entrance{through, front.existence, frontends.Intersect(front.ids)}
			if e.frontends.IsEmpty() {
				continue
			}
			if e.pass = e.pass.And(p.meet(p.holders[class].existence(), front.existence)); e.pass.IsNever() {
				continue
			}
			for _, o := range p.bareBackends {
				p.throughBareBackend(out, o, e)
			}
			if seg.conns.IsAll() && seg.ends.IDs.Covers(p.Pods()) && seg.pass.IsAlways() {
				continue // the pods are reached without their Services
			}
			for at := range p.frontsOf(e, netset.ID(class)) {
				p.throughService(out, class, at, e)
			}
		}
	}
}

// entrance is what a segment lets through to Services' own addresses in the same families.
type entrance struct {
	segment
	existence
	frontends netset.IDs // holders of these addresses
}

// opens reports whether e leads to a port of a Service.
func (p *Program) opens(e entrance, service int, m PortMapping) bool {
	vip, ok := p.VIP(service)
	return ok && e.conns.Contains(m.Protocol, m.Service) && p.Holds(e.frontends, vip)
}

// front is a Service that leads to a class: an index into Snapshot.Services and one into its
// backends.
type front struct{ service, backend int }

// fewPorts is up to how many ports are looked up one by one.
const fewPorts = 16

// frontsOf yields Services and backends among which are all that e leads to and that let id in:
// found from whichever is fewer.
func (p *Program) frontsOf(e entrance, id netset.ID) iter.Seq[front] {
	return func(yield func(front) bool) {
		all := func(list []front) bool {
			for _, at := range list {
				if !yield(at) {
					return false
				}
			}
			return true
		}
		few := e.conns.Few(fewPorts)
		switch {
		case size(e.frontends) > wide && few != nil:
			for _, port := range few {
				if !all(p.frontsOn[port]) {
					return
				}
			}
		case size(e.frontends) > wide:
			for _, g := range p.admitting(policy.Ingress, id) {
				for _, class := range p.groups[policy.Ingress][g].classes {
					if !all(p.fronts[class]) {
						return
					}
				}
			}
			return
		default:
			for r := range e.frontends.Runs() {
				for at := r.Lo; at <= r.Hi; at++ {
					service := p.holders[at].Service
					for i := range p.backends[service] {
						if !yield(front{service, i}) {
							return
						}
					}
				}
			}
		}
	}
}

// throughService adds the pods of one backend that only its Service leads to.
func (p *Program) throughService(out *boxes, class int, at front, e entrance) {
	b := p.backends[at.service][at.backend]
	for _, m := range b.Ports {
		if !p.opens(e, at.service, m) || p.direct(class, b.Class, m, e.pass) {
			continue
		}
		through := e.segment
		through.pass = through.pass.And(p.Behind(at.service, b.Perhaps, m))
		through.conns = netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
		open := p.openOf(b.Class, policy.Ingress)
		for i := range open {
			if back := &open[i]; back.ends.IDs.Contains(netset.ID(class)) {
				p.addPods(out, class, &through, back, p.IDs(b.Class), policy.Egress)
			}
		}
	}
}

// throughBareBackend adds an endpoint that is no pod.
func (p *Program) throughBareBackend(out *boxes, o bareBackend, e entrance) {
	f := familyOf(o.addr)
	if e.ends.Addrs.Contains(o.addr) && e.conns.IsAll() {
		return
	}
	for _, m := range o.ports {
		if p.opens(e, o.service, m) {
			conns := netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
			at := p.at(o.addr)
			if p.isKubeAPI(o.service) { // whose own address says it already
				at.IDs = netset.IDs{}
			}
			out.add(p.box(at, conns, e.pass.Assume(p.asks.over(f)), policy.Egress, e.by, nil))
		}
	}
}

// at is an address with the nodes and the API server that have it.
func (p *Program) at(addr netip.Addr) Region {
	addrs := netset.Points(addr)
	return Region{Addrs: addrs, IDs: p.KnownIn(addrs).Minus(p.Pods()).Minus(p.frontendIDs)}
}

// direct reports whether class reaches the pods of a backend by their own address wherever it does
// through their Service, where passes holds. Then the Service adds nothing.
func (p *Program) direct(class, backend int, m PortMapping, passes when.When) bool {
	for _, own := range p.openOf(class, policy.Egress) {
		if own.conns.Contains(m.Protocol, m.Target) && p.Holds(own.ends.IDs, backend) && passes.Implies(own.pass) {
			return true
		}
	}
	return false
}
