package rule

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
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

// serviceName returns "namespace/name".
func (p *Pass) serviceName(f fronted) string {
	svc := &p.Snapshot.Services[f.service]
	return svc.Namespace + "/" + svc.Name
}

// toService is the connection that a client of a Service makes.
func (p *Pass) toService(f fronted) *finding.Witness {
	svc := &p.Snapshot.Services[f.service]
	return &finding.Witness{To: svc.Namespace + "/Service/" + svc.Name, Port: int(f.Service), Protocol: f.Protocol.String()}
}

// boxTo returns the surest of the boxes in which one end is open on a port.
func (p *Pass) boxTo(boxes []reach.Box, holder int, proto netset.Protocol, port netset.Port) (best reach.Box, ok bool) {
	for _, b := range boxes {
		if b.Conns.Contains(proto, port) && p.Holds(b.Region.IDs, holder) && (!ok || reach.CompareVerdicts(b.Verdict, best.Verdict) > 0) {
			best, ok = b, true
		}
	}
	return best, ok
}

// crossing is what a rule does to Services in a way that only judging before translation explains.
type crossing struct {
	rule  *policy.Rule
	first fronted
	box   reach.Box
	names []string
}

// crossings lists them by rule.
type crossings []crossing

func (all *crossings) note(p *Pass, r *policy.Rule, f fronted, b reach.Box) {
	i := slices.IndexFunc(*all, func(c crossing) bool { return c.rule == r })
	if i < 0 {
		i, *all = len(*all), append(*all, crossing{rule: r, first: f, box: b})
	}
	if name := p.serviceName(f); !slices.Contains((*all)[i].names, name) {
		(*all)[i].names = append((*all)[i].names, name)
	}
}

// beforeTranslation reports pods that the server reaches through their Service alone, and those
// that it reaches by a block and not through their Service. Profiles that perhaps judge so are left
// out: what their pods depend on stands in the radius, with its condition.
func beforeTranslation(p *Pass) {
	worlds, _ := p.Answering(cni.JudgedBeforeService)
	certain, by := p.isolated(policy.Egress)
	if worlds == 0 || !certain || len(by) == 0 {
		return
	}
	view := p.In(worlds)
	if !slices.ContainsFunc(p.rulesOn(policy.Egress), hasBlock) {
		return // selectors open the Services of the pods that they name
	}
	var through, direct crossings
	for i, class := range p.Radius.Class {
		sided := sided(view, class, policy.Egress)
		var all []reach.Box // as far as the pods' own policies let it in too
		for _, b := range p.Radius.Boxes[i][policy.Egress] {
			if in, ok := view.BoxIn(b); ok && b.Region.IDs.Overlaps(p.Pods()) {
				all = append(all, in)
			}
		}
		for _, b := range all {
			for _, n := range p.HoldersOf(onlyThrough(b, sided).Intersect(p.Pods()), reach.Class) {
				p.throughServices(&through, n, b, sided)
			}
		}
		for _, b := range sided {
			if r := letBy(b.Egress); b.Verdict == reach.Allowed && r != nil && p.privateBlocks(r) {
				for _, n := range p.HoldersOf(b.Region.IDs.Intersect(p.Pods()), reach.Class) {
					p.pastServices(&direct, n, b, sided, all)
				}
			}
		}
	}
	for _, c := range through {
		w := p.toService(c.first)
		w.World = p.says(c.box.Verdict, c.box.When, itself, "the pod")
		p.Found(Report{Origin: c.rule.Origin, Worlds: worlds, Witness: w,
			Message: fmt.Sprintf("it %s the pods behind Service %s through its address, and not directly: %s is judged on the address of the Service%s",
				can(c.box.Verdict, "reach"), some(c.names), ruleText(c.rule), ifSo(w.World)),
			Fix: "put the Services' range under except beside the pods' range; where a rule names no peers, name the pods that are meant"})
	}
	for _, c := range direct {
		p.Found(Report{Origin: c.rule.Origin, Worlds: worlds, Witness: p.toService(c.first),
			Message: fmt.Sprintf("%s lets it reach the pods behind Service %s by their own addresses, and not through the Service, on whose address it is judged", ruleText(c.rule), some(c.names)),
			Fix:     "select the pods with namespaceSelector and podSelector, which adds the addresses of their Services, or allow the Services' range on the Services' ports"})
	}
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

// throughServices notes the Services by which alone a box reaches pods of a class, but for DNS.
func (p *Pass) throughServices(to *crossings, class int, b reach.Box, sided []reach.Box) {
	if slices.Contains(p.Radius.Class, class) {
		return
	}
	for _, f := range p.frontsOf(class) {
		if !b.Conns.Contains(f.Protocol, f.Target) || special.DNS.Contains(f.Protocol, f.Service) && special.ResolverPods.Contains(f.Protocol, f.Target) {
			continue
		}
		_, straight := p.boxTo(sided, class, f.Protocol, f.Target)
		if door, open := p.boxTo(sided, f.vip, f.Protocol, f.Service); open && !straight && letBy(door.Egress) != nil {
			to.note(p, letBy(door.Egress), f, b)
		}
	}
}

// pastServices notes the Services before pods of a class that a box reaches directly, and which no
// rule opens.
func (p *Pass) pastServices(to *crossings, class int, b reach.Box, sided, all []reach.Box) {
	if slices.Contains(p.Radius.Class, class) {
		return
	}
	for _, f := range p.frontsOf(class) {
		if !b.Conns.Contains(f.Protocol, f.Target) || p.excepted(letBy(b.Egress), f) {
			continue
		}
		_, reached := p.boxTo(all, class, f.Protocol, f.Target)
		if _, open := p.boxTo(sided, f.vip, f.Protocol, f.Service); reached && !open {
			to.note(p, letBy(b.Egress), f, b)
		}
	}
}

// privateBlocks reports whether a rule names private blocks and no others.
func (p *Pass) privateBlocks(r *policy.Rule) bool {
	addrs := blocksOf(r)
	return !r.AnyPeer && !addrs.IsEmpty() && special.Plan.Covers(addrs)
}

// excepted reports whether a rule excepts the address of a Service, as if on purpose.
func (p *Pass) excepted(r *policy.Rule, f fronted) bool {
	return slices.ContainsFunc(p.Class(f.vip).Addrs[:], func(a reach.Addr) bool {
		return a.State == reach.KnownAddr && slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool {
			return peer.Block != nil && netset.Prefixes(peer.Block.Except...).Contains(a.Addr)
		})
	})
}

// misnamed is a rule that names the port of Services in the place of their pods'.
type misnamed struct {
	rule     *policy.Rule
	first    fronted
	services []string
}

// note adds a Service to what a rule misnames.
func note(out []misnamed, p *Pass, r *policy.Rule, f fronted) []misnamed {
	i := slices.IndexFunc(out, func(m misnamed) bool {
		return m.rule == r && m.first.Service == f.Service && m.first.Target == f.Target
	})
	if i < 0 {
		i, out = len(out), append(out, misnamed{rule: r, first: f})
	}
	if name := p.serviceName(f); !slices.Contains(out[i].services, name) {
		out[i].services = append(out[i].services, name)
	}
	return out
}

// misnames reports whether a rule names the port of a Service by its number, where the pods behind
// listen on another, which it leaves out, and not on this one.
func (p *Pass) misnames(r *policy.Rule, f fronted) bool {
	return f.Service != f.Target && r.Action == policy.Allow && !r.AnyPort && namesPort(r, f.Protocol, f.Service) &&
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

// chosen returns the classes that a rule names one by one: by their labels, or by the name of their
// namespace.
func (p *Pass) chosen(r *policy.Rule) []int {
	var out []int
	for _, peer := range r.Peers {
		if peer.NS == nil {
			continue
		}
		if names, others := peer.NS.On(label.MetadataName).Listed(); !peer.Pod.SelectsAll() || len(names) > 0 && !others {
			out = append(out, p.Selected(policy.Subject{NS: *peer.NS, Pod: *peer.Pod})...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// frontPortOut reports egress rules with the port of a Service, under the profiles where
// connections to that Service do not pass.
func frontPortOut(p *Pass) {
	if certain, by := p.isolated(policy.Egress); !certain || len(by) == 0 {
		return
	}
	for _, class := range p.Radius.Class {
		var found []misnamed
		for _, r := range p.RulesOn(class, policy.Egress) {
			if !slices.ContainsFunc(r.Ports, func(item policy.Port) bool { return item.Lo == item.Hi && item.Name == "" }) {
				continue
			}
			for _, n := range p.chosen(r) {
				for _, f := range p.frontsOf(n) {
					if !slices.Contains(p.Radius.Class, n) && p.misnames(r, f) && p.failing(class, f) != 0 {
						found = note(found, p, r, f)
					}
				}
			}
		}
		for _, m := range found {
			f := m.first
			p.Found(Report{Origin: m.rule.Origin, Worlds: p.failing(class, f), Witness: p.toService(f),
				Message: fmt.Sprintf("%s names port %d of Service %s, whose pods listen on %d: it cannot connect to them", ruleText(m.rule), f.Service, some(m.services), f.Target),
				Fix:     fmt.Sprintf("write %d, the port of the pods, in %s", f.Target, ruleText(m.rule))})
		}
	}
}

// failing returns the profiles under which the server's own rules do not let it connect to a
// Service.
func (p *Pass) failing(class int, f fronted) reach.Worlds {
	before, maybe := p.Answering(cni.JudgedBeforeService)
	sided := sided(p.Program, class, policy.Egress)
	_, open := p.boxTo(sided, f.vip, f.Protocol, f.Service)
	_, straight := p.boxTo(sided, f.class, f.Protocol, f.Target)
	switch {
	case open && straight:
		return 0
	case open:
		return p.Worlds() &^ (before | maybe)
	case straight:
		return before
	}
	return p.Worlds()
}

// frontPortIn reports ingress rules with the port of a Service before the server, whose callers no
// rule lets in on the port that the server listens on.
func frontPortIn(p *Pass) {
	if certain, by := p.isolated(policy.Ingress); !certain || len(by) == 0 || p.hostNetwork() {
		return
	}
	for _, class := range p.Radius.Class {
		var found []misnamed
		for _, r := range p.RulesOn(class, policy.Ingress) {
			for _, f := range p.frontsOf(class) {
				if p.misnames(r, f) && !slices.Contains(p.Server.Ports, f.Service) {
					if _, any := p.keptOut(class, r, f); any {
						found = note(found, p, r, f)
					}
				}
			}
		}
		for _, m := range found {
			f, w := m.first, p.toService(m.first)
			w.From = "the pods that " + ruleText(m.rule) + " names"
			left, _ := p.keptOut(class, m.rule, f)
			if names := p.endNames(left); len(names) > 0 {
				w.From = names[0]
			}
			p.Found(Report{Origin: m.rule.Origin, Witness: w,
				Message: fmt.Sprintf("%s names port %d of Service %s, and the server listens on %d: who calls it through the Service is denied", ruleText(m.rule), f.Service, some(m.services), f.Target),
				Fix:     fmt.Sprintf("write %d, the port of the server, in %s", f.Target, ruleText(m.rule))})
		}
	}
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
