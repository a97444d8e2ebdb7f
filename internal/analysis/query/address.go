package query

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
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
		if a.isNode(to) && conns.Equal(a.conns) {
			held = append(held, holderWorld{to.name, false, anyOf(a.quietly(func(q *asker) []outcome { return q.toNode(from, to) }))})
			continue
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
		if state := h.Addrs[familyOf(addr)].State; (state == reach.Has || state == reach.MayHave) && (services || !isService) && a.p.MayBeAt(n, addr) {
			out = append(out, n)
		}
	}
	*a.held += len(out)
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
