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
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// view is what a question comes to under CNIs that cannot answer differently.
type view struct {
	p  *reach.Program // that speaks of these CNIs alone
	on when.When      // the cluster runs one of them
}

func (a *asker) view(kin reach.Worlds) view { return view{a.p.In(kin), a.p.On(kin)} }

// passes is w as far as these CNIs are concerned.
func (v view) passes(w when.When) when.When { return w.Assume(v.on) }

func (v view) verdict(w when.When) reach.Verdict { return v.p.Verdict(v.passes(w)) }

// ifs is the condition of an answer that has one, between ends of such names.
func (v view) ifs(w when.When, names when.Names) If {
	if verdict := v.verdict(w); verdict != reach.Depends && verdict != reach.Unknown {
		return If{}
	}
	return ifs(v.p, v.passes(w), names)
}

// trace tells why the answer is verdict under some CNIs: the first of the ways that get furthest,
// or where it is open which way connections go, one for each verdict that they may get.
func (a *asker) trace(v view, d decision, verdict reach.Verdict) []Step {
	var best *way
	for i := range d.ways {
		w := &d.ways[i]
		if !w.untold && !v.passes(w.given).IsNever() && (best == nil || a.further(v, w, best)) {
			best = w
		}
	}
	if best == nil {
		return nil
	}
	open := verdict == reach.Depends || verdict == reach.Unknown
	if !open || v.passes(best.given).IsAlways() {
		return []Step{a.step(v, *best)}
	}
	idle := func(q *when.Question) bool {
		return !d.passes.Asks(func(asked *when.Question) bool { return asked == q })
	}
	var out []Step
	seen := map[reach.Verdict]bool{}
	for _, w := range d.ways {
		given := v.passes(w.given)
		if w.untold || given.IsNever() || given.IsAlways() || seen[v.verdict(w.pass)] {
			continue
		}
		s := a.step(v, w)
		s.Given = v.ifs(w.given.Exists(idle), w.names())
		seen[v.verdict(w.pass)] = true
		out = append(out, s)
	}
	return out
}

// further reports whether w gets further than x, on the whole or where it is the way.
func (a *asker) further(v view, w, x *way) bool {
	c := reach.CompareVerdicts(v.verdict(w.given.And(w.pass)), v.verdict(x.given.And(x.pass)))
	return c > 0 || c == 0 && reach.CompareVerdicts(v.verdict(w.pass), v.verdict(x.pass)) > 0
}

// names are those of the ends of w.
func (w way) names() when.Names {
	ends := w.ends()
	return when.Names{Src: ends[when.Source].called(), Dst: ends[when.Destination].called(), Via: ends[when.Via].called()}
}

// step traces a way at the first of the connections that it decides, in the IP family that gets
// further.
func (a *asker) step(v view, w way) Step {
	if w.host != "" {
		return a.hostStep(v, w)
	}
	if v.passes(w.pass).IsNever() {
		w.hit = w.inConns
	}
	var best *Step
	for _, f := range reach.Families {
		if a.p.InFamily(a.meet(w.route), f).IsNever() && w.because == "" {
			continue
		}
		s := a.stepIn(v, w, f)
		if best == nil || reach.CompareVerdicts(s.sides(), best.sides()) > 0 {
			best = &s
		}
	}
	if best == nil {
		a.note(w.from.name + " and " + w.to.name + " have no addresses of the same IP family")
		proto, port := a.point(w.hit, w.to)
		best = &Step{From: w.from.name, To: w.to.name, Protocol: proto, Port: port, Verdict: reach.Denied}
	}
	return *best
}

func (a *asker) stepIn(v view, w way, f reach.Family) Step {
	proto, port := a.point(w.hit, w.to)
	s := Step{From: w.from.name, To: w.to.name, Protocol: proto, Port: port, Family: f}
	outProto, outPort := proto, port
	if w.before {
		outProto, outPort = a.point(w.outConns, w.out)
		s.Judged = w.out.name + ":" + strconv.Itoa(int(outPort)) + "/" + outProto.String()
	}
	switch {
	case w.because != "":
		s.Sides = []Side{{Dir: policy.Egress, Of: w.from.name, Verdict: v.verdict(w.pass), When: v.ifs(w.pass, w.names()), Because: w.because}}
	default:
		if a.isPods(w.from) {
			s.Sides = append(s.Sides, a.explain(v, w.from, w.out, w.at, f, policy.Egress, outProto, outPort))
		}
		if a.isPods(w.to) && w.unjudged {
			s.Sides = append(s.Sides, Side{Dir: policy.Ingress, Of: w.to.name, Verdict: reach.Allowed, Because: "what enters through node ports is not judged"})
		} else if a.isPods(w.to) {
			s.Sides = append(s.Sides, a.explain(v, w.to, w.as, w.inAt, f, policy.Ingress, proto, port))
		}
	}
	if s.Verdict = s.sides(); s.Verdict != reach.Denied {
		s.Verdict, s.When = v.verdict(w.pass), v.ifs(w.pass, w.names())
	}
	return s
}

// sides is what the sides of a step come to together, as far as each of them tells.
func (s Step) sides() reach.Verdict {
	out := reach.Allowed
	for _, side := range s.Sides {
		switch {
		case side.Verdict == reach.Denied:
			return reach.Denied
		case side.Verdict < out:
			out = side.Verdict
		}
	}
	return out
}

// point picks the connection to explain: the only one, or a port that the destination declares, or
// a usual one.
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

// isolating returns the policies that isolate an end in one direction.
func (a *asker) isolating(v view, e end, d policy.Direction) []origin.Origin {
	var out []origin.Origin
	by, _ := v.p.Isolation(e.Holder, d)
	for _, s := range by {
		out = append(out, s.Origin)
	}
	slices.SortFunc(out, origin.Origin.Compare)
	return slices.Compact(out)
}

// explain says what one end's policies decide of one connection.
func (a *asker) explain(v view, subject, peer end, at placement, f reach.Family, d policy.Direction, proto netset.Protocol, port netset.Port) Side {
	side := Side{Dir: d, Of: subject.name, Verdict: reach.Denied, Isolating: a.isolating(v, subject, d)}
	names := when.Names{Src: subject.called(), Dst: peer.called()}
	from, to := subject.End, peer.End
	ownNode := cni.OwnNodeReachable
	if d == policy.Ingress {
		names.Src, names.Dst, from, to, ownNode = names.Dst, names.Src, to, from, cni.OwnNodeMayEnter
	}
	for _, p := range a.side(subject, peer, at, d, one(proto, port)) {
		in := func(w when.When) when.When { return v.passes(a.p.InFamily(w, f)) }
		if pass := in(p.when); !pass.IsNever() {
			side.Verdict, side.When = v.verdict(pass), v.ifs(pass, names)
			for _, by := range p.by {
				if !in(by.When).IsNever() {
					side.By = append(side.By, ruleOf(by.Rule))
				}
			}
		}
	}
	if at == sameNode && a.onNode(peer) && v.p.Says(ownNode) == cni.Yes {
		side.By, side.Because = nil, "both are on the same node, and policies do not come between a pod and its own node"
	}
	if side.Verdict != reach.Denied {
		return side
	}
	side.Near = a.excepting(v, subject, peer, f, d)
	for _, s := range v.p.Explain(from, to, proto, port).Sides {
		if s.Dir != d {
			continue
		}
		for _, by := range s.By {
			if by.Rule.Action == policy.Deny {
				side.By = append(side.By, ruleOf(by.Rule))
			}
		}
		for _, n := range s.Near {
			side.Near = append(side.Near, Near{Rule: ruleOf(n.Rule), Miss: n.Miss})
		}
	}
	return side
}

// maxNear bounds how many rules of one sort a trace lists that come close.
const maxNear = 3

// excepting returns the rules of subject that leave the address of peer out, where that denies what
// another rule allows: where of the CIDRs around an address the longest decides.
func (a *asker) excepting(v view, subject, peer end, f reach.Family, d policy.Direction) []Near {
	addr := peer.shown().Addr
	if !addr.IsValid() {
		addr = a.p.Class(peer.Holder).Addrs[f].Addr
	}
	if !addr.IsValid() || v.p.Says(cni.LongestPrefixDecides) != cni.Yes {
		return nil
	}
	var out []Near
	for _, r := range v.p.RulesOn(subject.Holder, d) {
		for _, peer := range r.Peers {
			if peer.Block == nil || !peer.Block.CIDR.Contains(addr) || r.Action != policy.Allow {
				continue
			}
			at := slices.IndexFunc(peer.Block.Except, func(x netip.Prefix) bool { return x.Contains(addr) })
			if at >= 0 && len(out) < maxNear {
				out = append(out, Near{Rule: ruleOf(r), Except: peer.Block.Except[at]})
			}
		}
	}
	return out
}
