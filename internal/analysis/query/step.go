package query

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// step traces a route at the first of the connections that decided it.
func (a *asker) step(r route, f reach.Family, decided netset.Conns) Step {
	out, in := decided, decided
	if r.translated {
		out, in = r.outConns, r.inConns
	}
	outProto, outPort := a.point(out, r.out)
	proto, port := a.point(in, r.in)
	s := Step{From: r.from.name, To: r.in.name, Protocol: proto, Port: port, Family: f, Verdict: reach.Allowed}
	if r.out.End != r.in.End {
		s.Judged = r.out.name + portText(outProto, outPort)
	}
	_, s.When = a.exist(r, f)
	if s.When != "" {
		s.Verdict = reach.Depends
	}
	join := func(side Side) {
		s.Sides = append(s.Sides, side)
		if s.Verdict == reach.Denied || side.Verdict == reach.Denied {
			s.Verdict, s.When = reach.Denied, ""
			return
		}
		s.Verdict, s.When = weaker(s.Verdict, side.Verdict), joinAnd(s.When, side.When)
	}
	if a.isPods(r.from) {
		join(a.explain(r.from, r.out, r.at, f, policy.Egress, outProto, outPort))
	}
	if a.isPods(r.in) {
		if r.open {
			join(Side{Dir: policy.Ingress, Of: r.in.name, Verdict: reach.Allowed, Because: notJudged})
		} else {
			join(a.explain(r.in, r.source(), r.inAt, f, policy.Ingress, proto, port))
		}
	}
	return s
}

func portText(proto netset.Protocol, port netset.Port) string {
	return ":" + strconv.Itoa(int(port)) + "/" + proto.String()
}

// deniedStep traces a route that nothing passes, in the first family there is.
func (a *asker) deniedStep(r route) Step {
	for _, f := range reach.Families {
		if possible, _ := a.exist(r, f); possible {
			return a.step(r, f, r.asked)
		}
	}
	a.note(r.from.name + " and " + r.in.name + " have no addresses of the same IP family")
	proto, port := a.point(r.inConns, r.in)
	return Step{From: r.from.name, To: r.in.name, Protocol: proto, Port: port, Verdict: reach.Denied}
}

// point picks the connection to explain: the only one, or a port that the destination declares, or a usual one.
func (a *asker) point(conns netset.Conns, to end) (netset.Protocol, netset.Port) {
	if a.isPods(to) {
		m := a.p.Class(to.Holder).Members[0]
		if to.single {
			m = to.pod
		}
		for _, p := range a.p.Snapshot.Workloads[m.Workload].Pods[m.Pod].Ports {
			if conns.Contains(p.Protocol, p.Port) {
				return p.Protocol, p.Port
			}
		}
	}
	for _, proto := range netset.Protocols {
		ports := conns.Of(proto)
		for _, usual := range []netset.Port{443, 53} {
			if ports.Contains(usual) {
				return proto, usual
			}
		}
		if !ports.IsEmpty() {
			return proto, ports.First()
		}
	}
	return netset.NoProtocol, 0
}

// explain says what one end's policies decide of one connection.
func (a *asker) explain(subject, peer end, at placement, f reach.Family, d policy.Direction, proto netset.Protocol, port netset.Port) Side {
	side := Side{Dir: d, Of: subject.name, Verdict: reach.Denied}
	isolating, _ := a.p.Isolation(subject.Holder, d)
	for _, s := range isolating {
		side.Isolating = append(side.Isolating, s.Origin)
	}
	slices.SortFunc(side.Isolating, origin.Origin.Compare)
	side.Isolating = slices.Compact(side.Isolating)
	for _, p := range a.side(subject, peer, at, f, d, netset.ConnsOf(proto, netset.PortRange(port, port))) {
		side.Verdict, side.When, side.Because = p.verdict, p.cond, p.because
		for _, r := range p.by {
			side.By = append(side.By, ruleOf(r))
		}
	}
	if side.Verdict != reach.Denied {
		return side
	}
	side.Near = a.excepting(subject, peer, f, d)
	from, to := subject.End, peer.End
	if d == policy.Ingress {
		from, to = to, from
	}
	for _, s := range a.p.Explain(from, to, proto, port).Sides {
		if s.Dir == d {
			for _, r := range s.By {
				if r.Action == policy.Deny {
					side.By = append(side.By, ruleOf(r))
				}
			}
			for _, n := range s.Near {
				side.Near = append(side.Near, Near{Rule: ruleOf(n.Rule), Miss: n.Miss})
			}
		}
	}
	return side
}

// maxExcepting bounds how many rules that leave an address out a trace lists.
const maxExcepting = 3

// excepting returns the rules of subject that leave the address of peer out, where that denies what another rule allows: where of the blocks
// around an address the longest decides.
func (a *asker) excepting(subject, peer end, f reach.Family, d policy.Direction) []Near {
	addr := peer.claimed
	switch {
	case addr.IsValid():
	case peer.Holder < 0:
		addr = peer.Addr
	default:
		addr = a.p.Class(peer.Holder).Addrs[f].Addr
	}
	if !addr.IsValid() || a.p.Says(cni.LongestPrefixDecides) != cni.Yes {
		return nil
	}
	var out []Near
	for _, r := range a.p.RulesOn(subject.Holder, d) {
		for _, peer := range r.Peers {
			if peer.Block == nil || !peer.Block.CIDR.Contains(addr) || r.Action != policy.Allow {
				continue
			}
			at := slices.IndexFunc(peer.Block.Except, func(x netip.Prefix) bool { return x.Contains(addr) })
			if at >= 0 && len(out) < maxExcepting {
				out = append(out, Near{Rule: ruleOf(r), Except: peer.Block.Except[at]})
			}
		}
	}
	return out
}
