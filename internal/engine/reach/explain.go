package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Trace says why one connection passes or not.
type Trace struct {
	Verdict Verdict
	When    when.When
	Family  Family
	Sides   []Side // egress of the source, ingress of the destination; without a side that has no policies
}

// Side is what the policies of one end decide.
type Side struct {
	Dir      policy.Direction
	Verdict  Verdict
	When     when.When
	Isolated []*policy.Isolation // the policies that isolate this end; none: everything passes
	By       []By                // the rules that let it through or deny it, or might
	Near     []Near              // where it is denied: rules of those policies that come close
}

// Near is a rule that would have matched but for one thing.
type Near struct {
	Rule *policy.Rule
	Miss Miss
}

// Miss is what kept a rule from matching.
type Miss uint8

const (
	MissPeer Miss = iota // the port is right, the other end is not
	MissPort             // the other end is right, the port is not
)

// maxNear bounds how many near misses a trace lists.
const maxNear = 3

// Explain decides one connection, to port of protocol proto, by the same fold over a region of one
// point. Where both ends have addresses in both families, the one that gets further is explained.
func (p *Program) Explain(from, to End, proto netset.Protocol, port netset.Port) Trace {
	conns := netset.ConnsOf(proto, netset.PortRange(port, port))
	best := Trace{Verdict: Denied}
	passes := when.Never // over either family
	better := func(t Trace) {
		t.When = p.narrow(t.When)
		t.Verdict = p.Verdict(t.When)
		passes = passes.Or(t.When)
		if best.Sides == nil || CompareVerdicts(t.Verdict, best.Verdict) > 0 {
			best = t
		}
	}
	meet := p.Meet(from, to)
	for _, f := range Families {
		over := p.asks.over(f)
		t := Trace{Family: f, When: meet.Assume(over)}
		if t.When.IsNever() {
			continue
		}
		for _, s := range []struct {
			subject, peer End
			dir           policy.Direction
		}{{from, to, policy.Egress}, {to, from, policy.Ingress}} {
			if s.subject.Holder < 0 || p.holders[s.subject.Holder].Kind != Class {
				continue
			}
			side := p.explainSide(s.subject, s.peer, over, s.dir, conns)
			t.Sides = append(t.Sides, side)
			t.When = t.When.And(side.When)
		}
		t.When = p.placed(from, to, t.When)
		better(t)
	}
	if out := p.narrow(p.wayOut(from, to)); !out.IsNever() {
		better(Trace{Family: IPv4, When: out, Sides: []Side{{Dir: policy.Egress, When: out, Verdict: p.Verdict(out)}}})
	}
	best.When, best.Verdict = passes, p.Verdict(passes)
	return best
}

func (p *Program) explainSide(subject, peer End, over when.When, d policy.Direction, conns netset.Conns) Side {
	g := p.groupFor(subject.Holder, d)
	at := Region{}
	if peer.Holder >= 0 {
		at.IDs = netset.Points(netset.ID(peer.Holder))
	} else {
		at.Addrs = netset.Points(peer.Addr)
	}
	side := Side{Dir: d, When: when.Never}
	for _, s := range g.isolations {
		if !slices.Contains(side.Isolated, s.by) && !p.narrow(s.when).IsNever() {
			side.Isolated = append(side.Isolated, s.by)
		}
	}
	for _, seg := range p.decide(g, at, conns) { // a point is in one segment
		side.When, side.By = p.narrow(seg.pass.Assume(over)), p.narrowBy(seg.by)
	}
	if side.Verdict = p.Verdict(side.When); side.Verdict == Denied {
		side.Near = p.near(g.steps(), at, conns)
	}
	return side
}

// near finds the rules that come closest to matching a point.
func (p *Program) near(steps []step, at Region, conns netset.Conns) []Near {
	var out []Near
	for _, miss := range []Miss{MissPort, MissPeer} {
		for _, s := range steps {
			for _, m := range s.matches {
				peer, port := m.ends.Overlaps(at), m.conns.Overlaps(conns)
				if s.rule.Action == policy.Allow && len(out) < maxNear && (miss == MissPort && peer && !port || miss == MissPeer && port && !peer) && !p.narrow(m.when).IsNever() {
					out = append(out, Near{s.rule.Rule, miss})
					break
				}
			}
		}
	}
	return out
}
