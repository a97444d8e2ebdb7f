package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Trace says why one connection passes or not.
type Trace struct {
	Verdict Verdict
	Cond    Cond
	Family  Family
	Sides   []Side // egress of the source, ingress of the destination; without a side that has no policies
}

// Side is what the policies of one end decide.
type Side struct {
	Dir      policy.Direction
	Verdict  Verdict
	Cond     Cond
	Isolated []*policy.Stance // the policies that isolate this end; none: everything passes
	By       []*policy.Rule   // the rules that let it through, or might
	Near     []Near           // where it is denied: rules of those policies that come close
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

// Explain decides one connection, to port of protocol proto, by the same fold over a region of one point. Where both ends have
// addresses in both families, the one that gets further is explained.
func (p *Program) Explain(from, to End, proto netset.Protocol, port netset.Port) Trace {
	conns := netset.ConnsOf(proto, netset.PortRange(port, port))
	best := Trace{Verdict: Denied}
	for _, f := range Families {
		possible, exists := p.bothExist(from, to, f)
		if !possible {
			for _, b := range p.wayOut(from, to, f) {
				t := Trace{Verdict: Allowed, Family: f, Cond: b.cond, Sides: []Side{{Dir: policy.Egress, Verdict: Allowed}}}
				t.Cond.On = p.On(b.worlds)
				if !t.Cond.IsZero() {
					t.Verdict = Depends
				}
				if best.Sides == nil || CompareVerdicts(t.Verdict, best.Verdict) > 0 {
					best = t
				}
			}
			continue
		}
		t := Trace{Verdict: Allowed, Family: f, Cond: exists}
		for _, s := range []struct {
			subject, peer End
			dir           policy.Direction
		}{{from, to, policy.Egress}, {to, from, policy.Ingress}} {
			if s.subject.Holder < 0 || p.holders[s.subject.Holder].Kind != Class {
				continue
			}
			side := p.explainSide(s.subject, s.peer, f, s.dir, conns)
			t.Sides = append(t.Sides, side)
			if t.Verdict == Denied || side.Verdict == Denied {
				t.Verdict = Denied
				continue
			}
			t.Verdict, t.Cond = min(t.Verdict, side.Verdict), t.Cond.and(side.Cond)
		}
		if t.Verdict == Allowed && !t.Cond.IsZero() {
			t.Verdict = Depends
		}
		if best.Sides == nil || CompareVerdicts(t.Verdict, best.Verdict) > 0 {
			best = t
		}
	}
	return best
}

func (p *Program) explainSide(subject, peer End, f Family, d policy.Direction, conns netset.Conns) Side {
	g := p.groups[d][p.groupOf[d][subject.Holder]]
	at := Region{}
	if peer.Holder >= 0 {
		at.IDs = netset.Points(p.ID(peer.Holder, f))
	} else {
		at.Addrs = netset.Points(peer.Addr)
	}
	side := Side{Dir: d}
	for _, s := range g.stances {
		if s.worlds&p.in != 0 && !slices.Contains(side.Isolated, s.by) {
			side.Isolated = append(side.Isolated, s.by)
		}
	}
	point := box{at, conns, p.in}
	worst := true
	for _, seg := range p.decide(g, d, point) { // one point has one verdict under each profile
		if seg.region.IsEmpty() || !worst && CompareVerdicts(seg.verdict, side.Verdict) <= 0 {
			continue
		}
		worst = false
		side.Verdict, side.Cond, side.By = seg.verdict, seg.cond, seg.by
		if side.Cond.On = p.On(seg.worlds); side.Cond.On != "" && seg.verdict > Depends {
			side.Verdict = Depends
		}
	}
	if side.Verdict == Denied {
		side.Near = near(g.steps(), point)
	}
	return side
}

// near finds the rules that come closest to matching a point.
func near(steps []step, point box) []Near {
	var out []Near
	for _, miss := range []Miss{MissPort, MissPeer} {
		for _, s := range steps {
			for _, m := range s.matches {
				peer, port := m.region.Overlaps(point.region), m.conns.Overlaps(point.conns)
				if s.rule.Action == policy.Allow && m.worlds&point.worlds != 0 && len(out) < maxNear && (miss == MissPort && peer && !port || miss == MissPeer && port && !peer) {
					out = append(out, Near{s.rule, miss})
					break
				}
			}
		}
	}
	return out
}
