package query

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/blast"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/reach"
	"github.com/toolmoat/toolmoat/internal/special"
)

// An address where pods, nodes and Services may lie, and which the input gives to none of them, may be anybody's whose address the
// input does not show: each of those is a world.

// holderWorld is the world in which something has the address in question.
type holderWorld struct {
	name  string
	isNew bool // it is not in the input: it may widen an answer, and never narrows one
	outcome
}

// toUnknown decides a connection to an address that somebody may hold.
func (a *asker) toUnknown(from end, addr netip.Addr, conns netset.Conns) outcome {
	base := a.pass(a.direct(from, end{End: reach.AtAddr(addr), name: addr.String(), workload: -1}, conns))
	var held []holderWorld
	for _, n := range a.mayHold(addr, true) {
		to := a.holderEnd(n)
		to.claimed = addr
		h := a.p.Class(n)
		if h.Service >= 0 && (h.Kind == reach.VIP || h.Kind == reach.KubeAPI) {
			if len(a.backends(h.Service)) > 0 { // else nothing listens, and it is as if nobody had the address
				held = append(held, holderWorld{to.name, false, anyOf(a.quietly(func(q *asker) []outcome { return q.toService(from, entry{h.Service, &to}) }))})
			}
			continue
		}
		to.single = false
		if h.Kind == reach.KubeAPI && conns.Contains(netset.TCP, apiService) && !a.showsKubeAPI() {
			api, front := a.holderEnd(n), to
			front.name = "default/Service/kubernetes"
			held = append(held, holderWorld{front.name, true, a.toKubeAPI(from, api, front)})
		}
		held = append(held, holderWorld{to.name, false, a.pass(a.direct(from, to, conns))})
	}
	if a.isPods(from) {
		held = append(held, a.strangers(from, policy.Egress, addr, conns)...)
	}
	out := acrossHolders(addr, base, held)
	if out.verdict == reach.Denied && a.isPods(from) {
		a.assume(addr.String() + " is not the address of " + from.name + " itself")
	}
	return out
}

// fromUnknown decides connections to target from an address that somebody may hold.
func (a *asker) fromUnknown(addr netip.Addr, target place) outcome {
	from := func(e end) outcome {
		return anyOf(a.quietly(func(q *asker) []outcome { return q.choices(e, target) }))
	}
	base := anyOf(a.choices(end{End: reach.AtAddr(addr), name: addr.String(), workload: -1}, target))
	var held []holderWorld
	for _, n := range a.mayHold(addr, false) {
		e := a.holderEnd(n)
		e.claimed, e.single = addr, false
		held = append(held, holderWorld{e.name, false, from(e)})
	}
	for _, to := range target.ends {
		if a.isPods(to) {
			held = append(held, a.strangers(to, policy.Ingress, addr, a.conns)...)
		}
	}
	for _, s := range target.services {
		for _, b := range a.backends(s.service) {
			if a.isPods(b.end) {
				held = append(held, a.strangers(b.end, policy.Ingress, addr, one(b.Protocol, b.Target))...)
			}
		}
	}
	return acrossHolders(addr, base, held)
}

// quietly runs f without keeping its notes, which are about one world of many.
func (a *asker) quietly(f func(*asker) []outcome) []outcome {
	q := *a
	q.notes, q.assumed, q.hosts = nil, nil, nil
	return f(&q)
}

// mayHold lists the holders whose address is not known and may be addr.
func (a *asker) mayHold(addr netip.Addr, services bool) []int {
	var out []int
	for n := range a.p.Holders() {
		h := a.p.Class(n)
		isService := h.Kind == reach.VIP || h.Kind == reach.KubeAPI && h.Service >= 0
		if state := h.Addrs[familyOf(addr)].State; (state == reach.Has || state == reach.MayHave) && (services || !isService) {
			out = append(out, n)
		}
	}
	return out
}

// strangers is the worlds in which a pod that is not in the input has the address, and gets through.
func (a *asker) strangers(subject end, d policy.Direction, addr netip.Addr, conns netset.Conns) []holderWorld {
	var out []holderWorld
	for _, s := range a.p.Hypothetical(subject.Holder, d) {
		own := s.Egress
		if d == policy.Ingress {
			own = s.Ingress
		}
		both := s.Conns.Intersect(conns)
		switch {
		case s.Verdict == reach.Unknown && s.Conns.IsEmpty(): // too many kinds of pods to tell apart
			both = conns
		case s.Family != familyOf(addr) || both.IsEmpty() || len(own) > 0 && !slices.ContainsFunc(own, func(r *policy.Rule) bool { return mayMean(r, addr) }):
			continue
		}
		o := outcome{verdict: reach.Depends, conns: both}
		if s.Verdict == reach.Unknown {
			o = outcome{verdict: reach.Unknown, when: s.Cond.String(), conns: both}
		}
		out = append(out, holderWorld{blast.StrangerText(s), true, o})
	}
	return out
}

// mayMean reports whether r may match a pod whose address is addr.
func mayMean(r *policy.Rule, addr netip.Addr) bool {
	return r.AnyPeer || slices.ContainsFunc(r.Peers, func(p policy.Peer) bool { return p.Block == nil || p.Block.Addrs().Contains(addr) })
}

// acrossHolders joins the world in which nobody of the cluster has addr with those in which somebody does.
func acrossHolders(addr netip.Addr, base outcome, held []holderWorld) outcome {
	var through, kept []string
	worlds := []world{{addr.String() + " is the address of nothing that the input shows", base}}
	agree := true
	for _, h := range held {
		if h.isNew && base.verdict == reach.Allowed {
			continue
		}
		worlds = append(worlds, world{addr.String() + " is the address of " + h.name, h.outcome})
		agree = agree && h.verdict == base.verdict
		if h.verdict != reach.Denied {
			through = append(through, h.name)
		}
		if h.verdict != reach.Allowed {
			kept = append(kept, h.name)
		}
	}
	if agree && (base.verdict == reach.Denied || base.verdict == reach.Allowed) {
		return base
	}
	out := outcome{verdict: reach.Depends, conns: base.conns, steps: func() []Step { return worldSteps(worlds) }}
	for _, h := range held {
		out.conns = out.conns.Union(h.conns)
	}
	slices.Sort(through)
	slices.Sort(kept)
	through, kept = slices.Compact(through), slices.Compact(kept)
	switch {
	case base.verdict == reach.Allowed:
		out.when = addr.String() + " is not the address of " + listed(kept, 3)
	case base.verdict == reach.Denied:
		out.when = addr.String() + " is the address of " + listed(through, 3)
	default:
		out.when = base.when
		if len(through) > 0 {
			out.when = listedOr([]string{base.when, addr.String() + " is the address of " + listed(through, 3)})
		}
	}
	onlyUnknown := func(o outcome) bool { return o.verdict == reach.Unknown || o.verdict == reach.Denied }
	if onlyUnknown(base) && !slices.ContainsFunc(held, func(h holderWorld) bool { return !onlyUnknown(h.outcome) }) {
		out.verdict = reach.Unknown
	}
	return out
}

// routable is every address that a name may usefully resolve to.
var routable = func() netset.Addrs {
	all := special.Internet.Union(special.Private)
	for _, e := range special.Endpoints {
		all = all.Union(netset.Points(e.Addrs...))
	}
	return all
}()

var familySpace = [...]netset.Addrs{reach.IPv4: netset.MustPrefixes("0.0.0.0/0"), reach.IPv6: netset.MustPrefixes("::/0")}

// toHost decides a connection to a name that may resolve to any address.
func (a *asker) toHost(from end, host string, conns netset.Conns) outcome {
	if !a.isPods(from) {
		return outcome{verdict: reach.Allowed, conns: conns}
	}
	boxes := a.oneSided(from.Holder, policy.Egress)
	var tried []outcome
	for _, c := range atoms(conns, boxes) {
		o := a.toHostOn(from, host, c, boxes)
		o.steps = func() []Step { return []Step{a.hostStep(from, host, c, o, boxes)} }
		o.from, o.to = from.name, host
		tried = append(tried, o)
	}
	out := anyOf(tried)
	if out.verdict == reach.Allowed {
		a.assume(host + " resolves to an address outside the cluster, or to pods that let it in")
	}
	return out
}

// atoms splits conns into the parts that no box divides.
func atoms(conns netset.Conns, boxes []reach.Box) []netset.Conns {
	out := []netset.Conns{conns}
	for _, b := range boxes {
		var next []netset.Conns
		for _, c := range out {
			for _, part := range []netset.Conns{c.Intersect(b.Conns), c.Minus(b.Conns)} {
				if !part.IsEmpty() {
					next = append(next, part)
				}
			}
		}
		out = next
	}
	return out
}

// toHostOn decides for connections that no box divides.
func (a *asker) toHostOn(from end, host string, conns netset.Conns, boxes []reach.Box) outcome {
	var space, sure, maybe netset.Addrs
	for _, f := range reach.Families {
		if a.p.Class(from.Holder).Addrs[f].State != reach.NoAddr {
			space = space.Union(routable.Intersect(familySpace[f]))
		}
	}
	others, judged := false, false // reaches more than addresses; some of it for certain or under a condition
	for _, b := range boxes {
		if b.Conns.Intersect(conns).IsEmpty() {
			continue
		}
		if addrs := b.Region.Addrs.Intersect(space); b.Verdict == reach.Allowed {
			sure = sure.Union(addrs)
		} else {
			maybe = maybe.Union(addrs)
		}
		if b.Region.Addrs.IsEmpty() && !b.Region.IsEmpty() && b.Cond.Plan.IsEmpty() { // a condition on addresses comes from a block
			others = true
		}
		judged = judged || b.Verdict != reach.Unknown
	}
	passing := sure.Union(maybe)
	switch {
	case sure.Covers(space):
		return outcome{verdict: reach.Allowed, conns: conns}
	case passing.IsEmpty() && !others:
		return outcome{verdict: reach.Denied}
	}
	o := outcome{verdict: reach.Depends, conns: conns}
	if !judged {
		o.verdict = reach.Unknown
	}
	var whens []string
	if !passing.IsEmpty() {
		whens = append(whens, host+" resolves "+into(passing, space))
	}
	if others {
		whens = append(whens, host+" resolves to a pod, Service or node that the policies let "+from.name+" reach")
	}
	o.when = listedOr(whens)
	return o
}

// into says where addresses lie, by what they are or by what they are not, whichever is shorter.
func into(in, space netset.Addrs) string {
	for _, f := range reach.Families {
		if in.Equal(space.Intersect(familySpace[f])) {
			return "to an " + f.String() + " address"
		}
	}
	text := "into "
	for _, f := range reach.Families {
		part, whole := in.Intersect(familySpace[f]), space.Intersect(familySpace[f])
		if part.IsEmpty() {
			continue
		}
		if text != "into " {
			text += ", or into "
		}
		rest := whole.Minus(part)
		switch cidrs, without := netset.CIDRs(part), netset.CIDRs(rest); {
		case len(without) == 0:
			text += f.String()
		case len(without) < len(cidrs):
			text += f.String() + " outside " + reach.PrefixText(without, 4)
		default:
			text += reach.PrefixText(cidrs, 4)
		}
	}
	return text
}

// hostStep traces the egress side: which policies isolate, and which rules let some address through.
func (a *asker) hostStep(from end, host string, conns netset.Conns, o outcome, boxes []reach.Box) Step {
	nowhere := end{End: reach.End{Holder: -1}, name: host, workload: -1}
	proto, port := a.point(conns, nowhere)
	s := Step{From: from.name, To: host, Protocol: proto, Port: port, Verdict: o.verdict, When: o.when}
	side := Side{Dir: policy.Egress, Of: from.name, Verdict: o.verdict, When: o.when}
	isolating, _ := a.p.Isolation(from.Holder, policy.Egress)
	for _, st := range isolating {
		side.Isolating = append(side.Isolating, st.Origin)
	}
	for _, b := range boxes {
		if b.Conns.Contains(proto, port) && o.verdict != reach.Denied {
			for _, r := range b.Rules() {
				if rule := (Rule{r.Path, r.Origin}); !slices.Contains(side.By, rule) {
					side.By = append(side.By, rule)
				}
			}
		}
	}
	s.Sides = []Side{side}
	return s
}
