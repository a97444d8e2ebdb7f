package rule

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// fronted is a port of a Service with pods behind it.
type fronted struct {
	service int // an index into Snapshot.Services
	vip     int // its holder
	class   int // pods behind it
	reach.PortMapping
}

// frontsOf returns the ports of the Services before a class that have an address of their own. The
// API server is none.
func (p *Pass) frontsOf(class int) []fronted {
	var out []fronted
	for _, w := range p.Ways(class) {
		if w.Kind != reach.ByService {
			continue
		}
		vip, _ := p.VIP(w.Service)
		for _, m := range w.Ports {
			out = append(out, fronted{w.Service, vip, class, m})
		}
	}
	return out
}

// frontsIn returns those before pods of ids, the server's own left out.
func (p *Pass) frontsIn(ids netset.IDs) (out []fronted) {
	for _, n := range p.HoldersOf(ids.Intersect(p.Pods()).Minus(p.IDs(p.Radius.Class...)), reach.Class) {
		out = append(out, p.frontsOf(n)...)
	}
	return out
}

// endOf is a Service that a rule means, with the connection that its clients make.
func (p *Pass) endOf(f fronted) end {
	svc := &p.Snapshot.Services[f.service]
	return end{names: []string{svc.Namespace + "/" + svc.Name},
		witness: &finding.Witness{To: svc.Namespace + "/Service/" + svc.Name, Port: int(f.Service), Protocol: f.Protocol.String()}}
}

// isOpen reports whether one end is open on a port, perhaps, by some of the boxes.
func isOpen(boxes []reach.Box, holder int, proto netset.Protocol, port netset.Port) bool {
	return slices.ContainsFunc(boxes, func(b reach.Box) bool {
		return b.Conns.Contains(proto, port) && b.Region.IDs.Contains(netset.ID(holder))
	})
}

// throughServices returns the Services through which alone the server reaches their pods, by a rule
// that opens their addresses; but for DNS. Selectors open the Services of the pods that they name,
// so there must be blocks.
func throughServices(p *Pass, r *policy.Rule, in reading) (out []end) {
	if !slices.ContainsFunc(p.rulesOn(policy.Egress), hasBlock) {
		return nil
	}
	view := p.In(in.worlds)
	for i, class := range p.Radius.Class {
		sided := sided(view, class, policy.Egress)
		for _, b := range p.Radius.Boxes[i][policy.Egress] { // as far as the pods' own policies let it in too
			b, _ = view.BoxIn(b)
			for _, f := range p.frontsIn(onlyThrough(b, sided)) {
				dns := special.DNS.Contains(f.Protocol, f.Service) && special.ResolverPods.Contains(f.Protocol, f.Target)
				if dns || !b.Conns.Contains(f.Protocol, f.Target) || isOpen(sided, f.class, f.Protocol, f.Target) {
					continue
				}
				if door := boxTo(sided, f.vip, f.Protocol, f.Service); letBy(door.Egress) == r {
					e := p.endOf(f)
					e.more, e.witness.World = can(b.Verdict, "reach"), p.says(b.Verdict, b.When, itself, "the pod")
					out = append(out, e)
				}
			}
		}
	}
	return out
}

// boxTo returns the surest of the boxes in which one end is open on a port.
func boxTo(boxes []reach.Box, holder int, proto netset.Protocol, port netset.Port) (best reach.Box) {
	for _, b := range boxes {
		open := b.Conns.Contains(proto, port) && b.Region.IDs.Contains(netset.ID(holder))
		if open && (best.Conns.IsEmpty() || reach.CompareVerdicts(b.Verdict, best.Verdict) > 0) {
			best = b
		}
	}
	return best
}

// onlyThrough returns the ends of a box that some of its connections reach by no box of the
// server's own rules: they lead through Services.
func onlyThrough(b reach.Box, sided []reach.Box) netset.IDs {
	left := b.Region.IDs
	for _, s := range sided {
		if s.Conns.Covers(b.Conns) {
			left = left.Minus(s.Region.IDs)
		}
	}
	return left
}

// pastServices returns the Services before pods that a rule's private blocks certainly open, and
// which no rule opens.
func pastServices(p *Pass, r *policy.Rule, in reading) (out []end) {
	if addrs := blocksOf(r); r.AnyPeer || addrs.IsEmpty() || !special.Plan.Covers(addrs) {
		return nil
	}
	for i, class := range p.Radius.Class {
		sided := sided(p.In(in.worlds), class, policy.Egress)
		for _, b := range sided {
			if b.Verdict != reach.Allowed || letBy(b.Egress) != r {
				continue
			}
			for _, f := range p.frontsIn(b.Region.IDs) {
				if b.Conns.Contains(f.Protocol, f.Target) && !p.excepted(r, f) && !isOpen(sided, f.vip, f.Protocol, f.Service) &&
					isOpen(p.Radius.Boxes[i][policy.Egress], f.class, f.Protocol, f.Target) {
					out = append(out, p.endOf(f))
				}
			}
		}
	}
	return out
}

// excepted reports whether a rule excepts the address of a Service, as if on purpose.
func (p *Pass) excepted(r *policy.Rule, f fronted) bool {
	return slices.ContainsFunc(p.Class(f.vip).Addrs[:], func(a reach.Addr) bool {
		return a.State == reach.KnownAddr && slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool {
			return peer.Block != nil && netset.Prefixes(peer.Block.Except...).Contains(a.Addr)
		})
	})
}

// misnames reports whether an allow rule names the port of a Service by its number, where the pods
// behind listen on another, which it leaves out, and not on this one.
func (p *Pass) misnames(r *policy.Rule, f fronted) bool {
	return f.Service != f.Target && !r.AnyPort && namesPort(r, f.Protocol, f.Service) &&
		!written(r).Contains(f.Protocol, f.Target) && !p.listens(f.class, f.Protocol, f.Service)
}

// namesPort reports whether a rule has exactly this port among its own.
func namesPort(r *policy.Rule, proto netset.Protocol, port netset.Port) bool {
	return slices.ContainsFunc(r.Ports, func(item policy.Port) bool {
		return item.Name == "" && item.Protocol == proto && item.Lo == port && item.Hi == port
	})
}

// listens reports whether pods of a class declare a port, or a Service leads to it.
func (p *Pass) listens(class int, proto netset.Protocol, port netset.Port) bool {
	return slices.ContainsFunc(p.frontsOf(class), func(f fronted) bool { return f.Protocol == proto && f.Target == port }) ||
		slices.ContainsFunc(p.Class(class).Members, func(m reach.Member) bool {
			return slices.ContainsFunc(p.Snapshot.Workloads[m.Workload].Pods[m.Pod].Ports, func(c model.ContainerPort) bool {
				return c.Protocol == proto && c.Port == port
			})
		})
}

// chosen returns the pods that a rule names one by one: by their labels, or by the name of their
// namespace.
func (p *Pass) chosen(r *policy.Rule) (ids netset.IDs) {
	for _, peer := range r.Peers {
		if peer.NS == nil {
			continue
		}
		if names, others := peer.NS.On(label.MetadataName).Listed(); !peer.Pod.SelectsAll() || len(names) > 0 && !others {
			ids = ids.Union(p.IDs(p.Selected(policy.Subject{NS: *peer.NS, Pod: *peer.Pod})...))
		}
	}
	return ids
}

// portOfService returns the Services whose port a rule names in the place of their pods', under the
// profiles where connections to them do not pass.
func portOfService(p *Pass, r *policy.Rule, _ reading) (out []end) {
	if !slices.ContainsFunc(r.Ports, func(item policy.Port) bool { return item.Lo == item.Hi && item.Name == "" }) {
		return nil
	}
	for _, f := range p.frontsIn(p.chosen(r)) {
		if !p.misnames(r, f) {
			continue
		}
		for _, class := range p.under(r) {
			if worlds := p.failing(class, f); worlds != 0 {
				e := p.endOf(f)
				e.port, e.target, e.class, e.worlds = f.Service, f.Target, class, worlds
				out = append(out, e)
			}
		}
	}
	return out
}

// under returns the classes of the server that a rule is about.
func (p *Pass) under(r *policy.Rule) []int {
	return slices.DeleteFunc(slices.Clone(p.Radius.Class), func(class int) bool { return !slices.Contains(p.RulesOn(class, r.Dir), r) })
}

// failing returns the profiles under which the server's own rules do not let it connect to a
// Service.
func (p *Pass) failing(class int, f fronted) reach.Worlds {
	sided, before := sided(p.Program, class, policy.Egress), p.Where(cni.JudgedBeforeService)
	passes := when.Never
	if isOpen(sided, f.vip, f.Protocol, f.Service) {
		passes = before
	}
	if isOpen(sided, f.class, f.Protocol, f.Target) {
		passes = passes.Or(before.Not())
	}
	return p.Worlds() &^ p.WorldsOf(passes)
}

// portOfOwnService returns the Services before the server whose port a rule names in the place of
// the server's, which no rule opens to their callers.
func portOfOwnService(p *Pass, r *policy.Rule, _ reading) (out []end) {
	if certain, _ := p.isolated(policy.Ingress); !certain || p.hostNetwork() {
		return nil
	}
	for _, class := range p.under(r) {
		for _, f := range p.frontsOf(class) {
			if !p.misnames(r, f) || slices.Contains(p.Server.Ports, f.Service) {
				continue
			}
			left, any := p.keptOut(class, r, f)
			if !any {
				continue
			}
			e := p.endOf(f)
			e.port, e.target, e.class, e.witness.From = f.Service, f.Target, class, "the pods that "+ruleText(r)+" names"
			if names := p.endNames(left); len(names) > 0 {
				e.witness.From = names[0]
			}
			out = append(out, e)
		}
	}
	return out
}

// keptOut returns whom a rule lets in on the Service's port, and no rule on the pod's; any says
// whether there is somebody, be it pods that do not exist yet.
func (p *Pass) keptOut(class int, r *policy.Rule, f fronted) (left netset.IDs, any bool) {
	var on, through reach.Region
	for _, b := range sided(p.Program, class, policy.Ingress) {
		if b.Conns.Contains(f.Protocol, f.Service) && decides(r, b.Ingress) {
			on = reach.Region{IDs: on.IDs.Union(b.Region.IDs), Addrs: on.Addrs.Union(b.Region.Addrs)}
		}
		if b.Conns.Contains(f.Protocol, f.Target) && len(b.Ingress) > 0 {
			through = reach.Region{IDs: through.IDs.Union(b.Region.IDs), Addrs: through.Addrs.Union(b.Region.Addrs)}
		}
	}
	if on.IsEmpty() {
		return left, through.IsEmpty()
	}
	left = on.IDs.Minus(through.IDs)
	return left, !left.IsEmpty() || !on.Addrs.Minus(through.Addrs).IsEmpty()
}
