package query

import (
	"net/netip"

	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// documentation is an address of the internet that is nobody's (RFC 5737).
var documentation = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// wayOut is how a pod without an IPv4 address gets out over IPv4 all the same; nil if it does not, or has one.
func (a *asker) wayOut(from end) []reach.Box {
	if !a.isPods(from) || a.p.Class(from.Holder).Addrs[reach.IPv4].State != reach.NoAddr {
		return nil
	}
	return a.p.Between(from.End, reach.AtAddr(documentation))
}

// escaping returns what passes that way of a route to an IPv4 address that is no pod's.
func (a *asker) escaping(r route) []outcome {
	to := r.out
	switch {
	case r.translated:
		return nil
	case to.claimed.IsValid() && !to.claimed.Is4(), to.Holder < 0 && !to.Addr.Is4():
		return nil
	case to.Holder >= 0 && (a.isPods(to) || a.p.Class(to.Holder).Addrs[reach.IPv4].State == reach.NoAddr):
		return nil
	}
	var out []outcome
	for _, b := range a.wayOut(r.from) {
		o := outcome{verdict: b.Verdict, when: b.When(), conns: r.asked}
		o.steps = func() []Step {
			proto, port := a.point(r.asked, to)
			side := Side{Dir: policy.Egress, Of: r.from.name, Verdict: o.verdict, When: o.when, Because: "IPv4 traffic of a pod with an IPv6 address is not judged"}
			return []Step{{From: r.from.name, To: to.name, Protocol: proto, Port: port, Verdict: o.verdict, When: o.when, Sides: []Side{side}}}
		}
		out = append(out, o)
	}
	return out
}
