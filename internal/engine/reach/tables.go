package reach

import (
	"cmp"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
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
		slices.SortStableFunc(g.table, func(a, b segment) int { return cmp.Compare(a.shut(), b.shut()) })
		n := slices.IndexFunc(g.table, func(s segment) bool { return s.shut() > 0 })
		if n < 0 {
			n = len(g.table)
		}
		g.open = g.table[:n:n]
	})
	return g
}

// shut is 1 for what lets nothing through, else 0.
func (s segment) shut() int {
	if s.verdict == Denied || s.region.IsEmpty() {
		return 1
	}
	return 0
}

// Fold makes every table, on every processor. Without it, tables are made when they are asked for.
func (p *Program) Fold() {
	for _, d := range policy.Directions {
		parallel.Do(len(p.groups[d]), func(i int) { p.decided(p.groups[d][i], d) })
	}
}

// strange returns what a group's rules do not deny to pods that do not exist.
func (p *Program) strange(g *group, d policy.Direction) []segment {
	segs := p.decide(g, d, box{Region{Cubes: cubesOf(label.Selector{}, label.Selector{})}, netset.AllConns, p.all})
	return slices.DeleteFunc(segs, func(s segment) bool { return s.verdict == Denied })
}

// decide folds a group's rules over a region, and applies what plugins do whatever the policies say.
func (p *Program) decide(g *group, d policy.Direction, open box) []segment {
	segs := fold(open, g.steps(), g.stances, p.plan)
	if worlds := p.says.yes[cni.UnselectedDenied] & g.unselected; worlds != 0 {
		segs = closed(segs, worlds)
	}
	own, there := cni.OwnNodeReachable, p.local.Union(p.apiPerhapsOnNode)
	if d == policy.Ingress {
		own, there = cni.OwnNodeMayEnter, p.local
	}
	segs = p.spare(segs, Region{IDs: there}, branch{p.says.possible(own), onNode[d]})
	if byPath := p.says.possible(own) &^ p.says.yes[cni.LongestPrefixDecides]; d == policy.Egress && byPath != 0 {
		// Where the longest block decides, the node is spared by its one address; elsewhere because of the way that packets take to it.
		segs = p.spare(segs, Region{Addrs: special.OnNode}, branch{byPath, ofOwnNode})
	}
	if p.podFamilies[IPv6] && !p.podFamilies[IPv4] {
		v4 := Region{IDs: netset.IDRange(0, int(p.width)), Addrs: familySpace[IPv4]}
		for _, b := range p.says.where(cni.IPv4EscapesIPv6) {
			segs = p.spare(segs, v4, b)
		}
	}
	if p.podFamilies[IPv6] {
		v6 := Region{IDs: netset.IDRange(p.width, int(p.width)), Addrs: familySpace[IPv6]}
		for _, b := range p.says.where(cni.IPv6Escapes) {
			segs = p.spare(segs, v6, b)
		}
	}
	return p.unenforced(segs)
}

// closed denies what passes only because nothing isolates, in some worlds.
func closed(segs []segment, worlds Worlds) []segment {
	for i, seg := range segs {
		if in := seg.worlds & worlds; in != 0 && seg.verdict == Allowed && seg.by == nil {
			segs[i].worlds &^= worlds
			seg.worlds, seg.verdict, seg.cond, seg.by = in, Denied, Cond{}, nil
			segs = append(segs, seg)
		}
	}
	return slices.DeleteFunc(segs, func(s segment) bool { return s.worlds == 0 })
}

// spare lets through what is denied to a region, in the worlds and under the condition of where.
func (p *Program) spare(segs []segment, region Region, where branch) []segment {
	worlds, verdict := where.worlds, Depends
	within := box{region, netset.AllConns, worlds}
	if where.cond.IsZero() {
		verdict = Allowed
	}
	for i, seg := range segs {
		if seg.verdict != Denied || !seg.overlaps(&within) {
			continue
		}
		in, rest := seg.cut(&within, nil)
		segs[i].box = box{}
		for _, b := range rest {
			segs = append(segs, segment{b, seg.verdict, seg.cond, seg.by})
		}
		segs = append(segs, segment{box: in, verdict: verdict, cond: where.cond})
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

var notEnforcing = onlyIf("policies are not enforced")

// Split refines sets of profiles until nothing that policies say of class tells two of one set apart.
func (p *Program) Split(sets []Worlds, class int) []Worlds {
	for _, d := range policy.Directions {
		g := p.groups[d][p.groupOf[d][class]]
		for _, a := range g.rules {
			for _, b := range a.rule.judged {
				sets = Refine(sets, b.worlds)
			}
		}
		for _, s := range g.stances {
			sets = Refine(sets, s.worlds)
		}
		for _, seg := range p.openOf(class, d) {
			if seg.by != nil || !seg.cond.OfOwnNode() {
				sets = Refine(sets, seg.worlds)
			}
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
