package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/parallel"
	"github.com/toolmoat/toolmoat/internal/policy"
)

// tableOf returns the table of a class in one direction, in the worlds of p.
func (p *Program) tableOf(class int, d policy.Direction) []segment {
	return p.seen(p.decided(p.groups[d][p.groupOf[d][class]], d).table)
}

// openOf returns the part of a class's table that is not denied, in the worlds of p.
func (p *Program) openOf(class int, d policy.Direction) []segment {
	return p.seen(p.decided(p.groups[d][p.groupOf[d][class]], d).open)
}

// seen narrows segments to the worlds of p.
func (p *Program) seen(segs []segment) []segment {
	if p.in == p.all {
		return segs
	}
	out := make([]segment, 0, len(segs))
	for _, s := range segs {
		if s.worlds &= p.in; s.worlds != 0 {
			out = append(out, s)
		}
	}
	return out
}

func (p *Program) decided(g *group, d policy.Direction) *group {
	g.once.Do(func() {
		g.table = p.decide(g, d, box{p.Everything(), netset.AllConns, p.all})
		for _, seg := range g.table {
			if seg.verdict != Denied && !seg.region.IsEmpty() {
				g.open = append(g.open, seg)
			}
		}
	})
	return g
}

// Fold makes every table, on every processor. Without it, tables are made when they are asked for.
func (p *Program) Fold() {
	for _, d := range policy.Directions {
		parallel.Do(len(p.groups[d]), func(i int) { p.decided(p.groups[d][i], d) })
	}
}

// decide folds a group's rules over a region, and applies what plugins do whatever the policies say.
func (p *Program) decide(g *group, d policy.Direction, open box) []segment {
	segs := fold(open, p.steps(g), g.stances, p.hostPlan)
	own := cni.OwnNodeReachable
	if d == policy.Ingress {
		own = cni.OwnNodeMayEnter
	}
	segs = p.spare(segs, Region{IDs: p.local}, p.says.possible(own), onNode[d])
	if d == policy.Egress && p.states[IPv6] == Has {
		v4 := Region{IDs: netset.IDRange(0, int(p.width)), Addrs: familySpace[IPv4]}
		segs = p.spare(segs, v4, p.says.possible(cni.IPv4EscapesIPv6), ipv4Escapes)
	}
	return p.unenforced(segs)
}

// spare turns what is denied to a region into what depends on cond.
func (p *Program) spare(segs []segment, region Region, worlds Worlds, cond Cond) []segment {
	if worlds == 0 {
		return segs
	}
	for i, seg := range segs {
		if seg.verdict != Denied || !seg.overlaps(box{region, netset.AllConns, worlds}) {
			continue
		}
		in, rest := seg.cut(box{region, netset.AllConns, worlds})
		segs[i].box = box{}
		for _, b := range rest {
			segs = append(segs, segment{b, seg.verdict, seg.cond, seg.by})
		}
		segs = append(segs, segment{box: in, verdict: Depends, cond: cond})
	}
	return slices.DeleteFunc(segs, func(s segment) bool { return s.worlds == 0 })
}

// unenforced turns what policies do not let through where nothing enforces them.
func (p *Program) unenforced(segs []segment) []segment {
	perhaps, never := p.says.maybe[cni.Enforces], p.all&^p.says.possible(cni.Enforces)
	if perhaps|never == 0 {
		return segs
	}
	var out []segment
	for _, seg := range segs {
		if seg.verdict == Allowed {
			out = append(out, seg)
			continue
		}
		for _, part := range []struct {
			worlds  Worlds
			verdict Verdict
			cond    Cond
		}{{seg.worlds &^ (perhaps | never), seg.verdict, seg.cond}, {seg.worlds & perhaps, Depends, notEnforcing}, {seg.worlds & never, NotEnforced, Cond{}}} {
			if part.worlds != 0 {
				at := seg
				at.worlds, at.verdict, at.cond = part.worlds, part.verdict, part.cond
				out = append(out, at)
			}
		}
	}
	return out
}

var (
	notEnforcing = onlyIf("policies are not enforced")
	ipv4Escapes  = onlyIf("pods have a way out over IPv4, which is not judged")
)

// Split refines sets of profiles until no table of class tells two of one set apart.
func (p *Program) Split(sets []Worlds, class int) []Worlds {
	for _, d := range policy.Directions {
		for _, seg := range p.tableOf(class, d) {
			sets = Refine(sets, seg.worlds)
		}
		for _, s := range p.groups[d][p.groupOf[d][class]].stances {
			sets = Refine(sets, s.worlds)
		}
	}
	return sets
}

// Refine splits each of some sets of profiles by whether they are in by.
func Refine(sets []Worlds, by Worlds) []Worlds {
	for i, n := 0, len(sets); i < n; i++ {
		if in, out := sets[i]&by, sets[i]&^by; in != 0 && out != 0 {
			sets[i] = in
			sets = append(sets, out)
		}
	}
	return sets
}
