package reach

import (
	"net/netip"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/label"
	"github.com/toolmoat/toolmoat/internal/model"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
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
}

// addBackends resolves every Service to the classes behind it.
func (g *Ground) addBackends() {
	s := g.Snapshot
	g.backends = make([][]Backing, len(s.Services))
	for i, svc := range s.Services {
		if svc.Selector == nil {
			for _, e := range svc.Endpoints {
				if pod, ok := g.byAddr[e.Addr.Unmap()]; ok {
					g.backends[i] = append(g.backends[i], Backing{pod.Class, endpointPorts(svc, e)})
				}
			}
			continue
		}
		for r := range g.choose(label.Named(svc.Namespace), *svc.Selector).may().Runs() {
			for id := r.Lo; id <= r.Hi; id++ {
				b := Backing{Class: int(id)}
				for _, p := range svc.Ports {
					targets := []netset.Port{p.Target}
					if p.TargetName != "" {
						_, targets = g.holders[id].resolve(portName{p.Protocol, p.TargetName})
					}
					for _, t := range targets {
						b.Ports = append(b.Ports, PortMapping{p.Protocol, p.Port, t})
					}
				}
				g.backends[i] = append(g.backends[i], b)
			}
		}
	}
}

// endpointPorts pairs the ports of a Service with those of an endpoint, by name.
func endpointPorts(svc model.Service, e model.Endpoint) []PortMapping {
	var out []PortMapping
	for _, p := range svc.Ports {
		for _, t := range e.Ports {
			if t.Protocol == p.Protocol && (t.Name == p.Name || len(svc.Ports) == 1) {
				out = append(out, PortMapping{p.Protocol, p.Port, t.Port})
			}
		}
	}
	return out
}

// indexFronts turns the Services' backends round.
func (g *Ground) indexFronts() {
	g.fronts = make([][]front, g.classes)
	var vips []int
	for i, backends := range g.backends {
		if g.vipOf[i] < 0 || len(backends) == 0 {
			continue
		}
		vips = append(vips, g.vipOf[i])
		for j, b := range backends {
			g.fronts[b.Class] = append(g.fronts[b.Class], front{i, j})
		}
	}
	for _, f := range Families {
		var ids []netset.ID
		for _, n := range vips {
			if g.holders[n].Addrs[f].State != NoAddr {
				ids = append(ids, g.ID(n, f))
			}
		}
		g.fronting[f] = netset.Points(ids...)
	}
}

// Backends returns the classes behind a Service, an index into Snapshot.Services.
func (g *Ground) Backends(service int) []Backing { return g.backends[service] }

// VIP returns the holder of a Service's own address; ok is false for headless Services and names.
func (g *Ground) VIP(service int) (holder int, ok bool) {
	return g.vipOf[service], g.vipOf[service] >= 0
}

// VIPAt returns the holder of the Service address a.
func (g *Ground) VIPAt(a netip.Addr) (holder int, ok bool) {
	holder, ok = g.vips[a]
	return holder, ok
}

// throughServices adds the pods that are reached only because policy is judged on a Service's address.
func (p *Program) throughServices(out *boxes, class int) {
	if p.Profile.JudgedBeforeService.Answer == cni.No {
		return
	}
	cond := beforeService
	if p.Profile.JudgedBeforeService.Answer == cni.Yes {
		cond = Cond{}
	}
	for _, seg := range p.openOf(class, policy.Egress) {
		for _, f := range Families {
			vips := seg.region.IDs.Intersect(p.fronting[f])
			if in, _ := p.existence(class, f); !in || vips.IsEmpty() || seg.conns.IsAll() && seg.region.IDs.Covers(netset.IDRange(p.ID(0, f), p.classes)) {
				continue // there are none, or the pods are reached without their Services
			}
			through := seg
			if through.cond = cond.and(seg.cond); seg.verdict == Allowed && !through.cond.IsZero() {
				through.verdict = Depends
			}
			for _, at := range p.frontsOf(vips, p.ID(class, f)) {
				if vips.Contains(p.ID(p.vipOf[at.service], f)) {
					p.throughService(out, class, f, at, seg, through)
				}
			}
		}
	}
}

// front is a Service that leads to a class: an index into Snapshot.Services and one into its backends.
type front struct{ service, backing int }

// frontsOf returns the Services among which are all in vips that lead to pods which let id in: found from whichever is fewer.
func (p *Program) frontsOf(vips netset.IDs, id netset.ID) []front {
	var out []front
	if size(vips) <= wide {
		for r := range vips.Runs() {
			for at := r.Lo; at <= r.Hi; at++ {
				h, _, _ := p.Holder(at)
				for i := range p.backends[h.Service] {
					out = append(out, front{h.Service, i})
				}
			}
		}
		return out
	}
	for _, g := range p.admitting(policy.Ingress, id) {
		for _, class := range p.groups[policy.Ingress][g].classes {
			out = append(out, p.fronts[class]...)
		}
	}
	return out
}

// throughService adds the pods behind one Service that only it leads to: seg lets the Service's address through, and through is the same as
// far as the pods are concerned.
func (p *Program) throughService(out *boxes, class int, f Family, at front, seg, through segment) {
	b := p.backends[at.service][at.backing]
	id := p.ID(b.Class, f)
	for _, m := range b.Ports {
		if !seg.conns.Contains(m.Protocol, m.Service) || p.direct(class, id, m, seg) {
			continue
		}
		through.conns = netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
		_, exists := p.existence(class, f)
		for _, back := range p.openOf(b.Class, policy.Ingress) {
			if back.region.IDs.Contains(p.ID(class, f)) {
				p.addPods(out, through, back, netset.Points(id), f, exists, policy.Egress)
			}
		}
	}
}

// direct reports whether class reaches the pods themselves no less surely than their Service.
func (p *Program) direct(class int, id netset.ID, m PortMapping, service segment) bool {
	for _, own := range p.openOf(class, policy.Egress) {
		if (own.verdict == Allowed || own.cond.equal(service.cond)) && own.conns.Contains(m.Protocol, m.Target) && own.region.IDs.Contains(id) {
			return true
		}
	}
	return false
}
