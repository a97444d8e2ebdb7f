package query

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// An address where pods, nodes and Services may lie, and which the input gives to none of them, may
// be anybody's whose address the input does not show: each of those is a case.

// maxHeld bounds how often one question asks who may have an address.
const maxHeld = 100_000

// toUnknown decides a connection to an address that somebody may hold.
func (a *asker) toUnknown(from end, addr netip.Addr, conns netset.Conns) []way {
	base := a.decide(direct(from, plain(addr), conns))
	done := a.quietly()
	var held []world
	var fresh []way
	for _, c := range a.mayHold(addr, !a.translated) {
		n := c.holder
		to, h := a.holderEnd(n), a.p.Class(n)
		to.claimed, to.single = addr, false
		hold := func(ways []way) { held = append(held, world{to.name, a.where(c.where, ways, base)}) }
		switch {
		case h.Service >= 0 && (h.Kind == reach.VIP || h.Kind == reach.KubeAPI):
			if len(a.backends(h.Service, a.conns)) > 0 { // else nothing listens, and it is as if nobody had the address
				hold(a.toService(from, entry{h.Service, &to}))
			}
			continue
		case a.isNode(to) && conns.Equal(a.conns):
			hold(a.toNode(from, to))
			continue
		case h.Kind == reach.KubeAPI && conns.Contains(netset.TCP, apiService) && !a.showsKubeAPI():
			front := to
			front.name = "default/Service/kubernetes"
			fresh = append(fresh, within(a.toKubeAPI(from, a.holderEnd(n), front), a.has(addr, []string{front.name}))...)
		}
		hold(a.decide(direct(from, to, conns)))
	}
	if a.isPods(from) {
		fresh = append(fresh, a.newPods(from, policy.Egress, addr, conns)...)
	}
	done()
	out := append(a.heldBy(addr, base, held), fresh...)
	if parts(out) == nil && a.isPods(from) {
		a.assume(addr.String() + " is not the address of " + from.name + " itself")
	}
	return out
}

// fromUnknown decides connections to target from an address that somebody may hold.
func (a *asker) fromUnknown(addr netip.Addr, target place) []way {
	base := a.choices(plain(addr), target)
	defer a.quietly()()
	var held []world
	for _, c := range a.mayHold(addr, false) {
		e := a.holderEnd(c.holder)
		e.claimed, e.single = addr, false
		held = append(held, world{e.name, a.where(c.where, a.choices(e, target), base)})
	}
	out := a.heldBy(addr, base, held)
	for _, to := range slices.Concat(target.ends, target.rivals) {
		if a.isPods(to) {
			out = append(out, a.newPods(to, policy.Ingress, addr, a.conns)...)
		}
	}
	for _, s := range target.services {
		for _, b := range a.backends(s.service, a.conns) {
			if a.isPods(b.end) {
				out = append(out, a.newPods(b.end, policy.Ingress, addr, b.arriving)...)
			}
		}
	}
	return out
}

// where is one thing where a condition holds, and another elsewhere.
func (a *asker) where(holds when.When, then, otherwise []way) []way {
	if holds.IsAlways() {
		return then
	}
	return append(within(then, holds), within(otherwise, holds.Not())...)
}

// has is the condition that an address is that of one of some.
func (a *asker) has(addr netip.Addr, names []string) when.When {
	return a.is("holder of "+addr.String()+": ", addr.String()+" is the address of ", addr.String()+" is not the address of ", names)
}

// heldBy joins what is so if nobody that the input shows has addr with what is if somebody has.
func (a *asker) heldBy(addr netip.Addr, base []way, held []world) []way {
	return a.oneOf(base, held, func(names []string) when.When { return a.has(addr, names) })
}

// candidate is who may have an address, where a condition holds.
type candidate struct {
	holder int
	where  when.When
}

// mayHold lists the holders whose address is not known and may be addr, and the pods that endpoints
// give it to.
func (a *asker) mayHold(addr netip.Addr, services bool) []candidate {
	var named []int
	for _, m := range a.holding().named[addr] {
		for _, c := range a.p.ClassesOf(m.Workload) {
			if slices.Contains(a.p.Class(c).Members, m) {
				named = append(named, c)
			}
		}
	}
	var out []candidate
	for n := range a.p.Holders() {
		h, where := a.p.Class(n), a.p.MayLie(n, addr)
		if slices.Contains(named, n) {
			where = when.Always
		}
		isService := h.Kind == reach.VIP || h.Kind == reach.KubeAPI && h.Service >= 0
		if (services || !isService) && !where.IsNever() {
			out = append(out, candidate{n, where})
		}
	}
	a.held += len(out)
	return out
}

// newPods is how pods that are not in the input get through, if one of them has the address. They
// only ever widen an answer.
func (a *asker) newPods(subject end, d policy.Direction, addr netip.Addr, conns netset.Conns) []way {
	if a.p.Class(subject.Holder).Addrs[familyOf(addr)].State == reach.NoAddr {
		return nil
	}
	var found []world
	for _, s := range a.p.Hypothetical(subject.Holder, d) {
		own, both := s.Egress, s.Conns.Intersect(conns)
		if d == policy.Ingress {
			own = s.Ingress
		}
		if s.Conns.IsEmpty() { // too many kinds of pods to tell apart
			both = conns
		}
		pass := a.p.HasAddr(s.When, peerEnd[d], addr).And(a.p.MayLie(-1, addr))
		if !both.IsEmpty() && !pass.IsNever() && (len(own) == 0 || slices.ContainsFunc(own, func(by reach.By) bool { return mayMean(by.Rule, addr) })) {
			found = append(found, world{blast.HypotheticalText(s), may(both, pass)})
		}
	}
	denied := may(conns, when.Never)
	return a.oneOf(denied, found, func(names []string) when.When { return a.has(addr, names) })
}

// mayMean reports whether r may match a pod whose address is addr.
func mayMean(r *policy.Rule, addr netip.Addr) bool {
	return r.AnyPeer || slices.ContainsFunc(r.Peers, func(p policy.Peer) bool { return p.Block == nil || p.Block.Addrs().Contains(addr) })
}

func familyOf(a netip.Addr) reach.Family {
	if a.Is4() {
		return reach.IPv4
	}
	return reach.IPv6
}
