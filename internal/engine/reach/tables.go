package reach

import (
	"cmp"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// groupFor is the group of a class in one direction.
func (p *Program) groupFor(class int, d policy.Direction) *group {
	return p.groups[d][p.groupOf[d][class]]
}

// openOf returns the part of a class's table that is not denied, as far as p's profiles are
// concerned.
func (p *Program) openOf(class int, d policy.Direction) []segment {
	return p.seen(p.decided(p.groupFor(class, d)).open)
}

// seen narrows segments to the profiles of p.
func (p *Program) seen(segs []segment) []segment {
	if p.in == p.all {
		return segs
	}
	out := make([]segment, 0, len(segs))
	for _, s := range segs {
		s.pass = p.narrow(s.pass)
		out = append(out, s)
	}
	return out
}

func (p *Program) decided(g *group) *group {
	g.once.Do(func() {
		g.table = p.decide(g, p.Everything(), netset.AllConns)
		slices.SortStableFunc(g.table, func(a, b segment) int { return cmp.Compare(a.denied(), b.denied()) })
		n := slices.IndexFunc(g.table, func(s segment) bool { return s.denied() > 0 })
		if n < 0 {
			n = len(g.table)
		}
		g.open = g.table[:n:n]
	})
	return g
}

// denied is 1 for what lets nothing through, else 0.
func (s segment) denied() int {
	if s.pass.IsNever() {
		return 1
	}
	return 0
}

// Fold makes every table, on every processor. Without it, tables are made when they are asked for.
func (p *Program) Fold() {
	for _, d := range policy.Directions {
		parallel.Do(len(p.groups[d]), func(i int) { p.decided(p.groups[d][i]) })
	}
}

// strange returns what a group's rules do not deny to pods that do not exist.
func (p *Program) strange(g *group) []segment {
	segs := p.decide(g, Region{Cubes: everyPod}, netset.AllConns)
	return slices.DeleteFunc(segs, func(s segment) bool { return s.pass.IsNever() })
}

// isolation is the condition under which a group's pods are denied what no rule decides.
func (p *Program) isolation(g *group) when.When {
	out := when.Never
	for _, s := range g.isolations {
		out = out.Or(s.when)
	}
	if yes := p.says.yes[cni.UnselectedDenied]; yes != 0 && !g.host {
		out = out.Or(p.asks.on(yes).Minus(g.selected))
	}
	return out
}

// decide folds a group's rules over a region, and applies what CNIs do whatever the policies say.
func (p *Program) decide(g *group, ends Region, conns netset.Conns) []segment {
	segs := p.carried(g, p.ruled(g, ends, conns))
	end := peerEnd(g.dir)
	own := p.says.where[[...]cni.Question{policy.Ingress: cni.OwnNodeMayEnter, policy.Egress: cni.OwnNodeReachable}[g.dir]]
	for _, m := range p.onNode(end, ownNode) {
		segs = exempt(segs, m.ends, own.And(m.when))
	}
	if g.dir == policy.Egress {
		// Where the longest block decides, the node is spared by its one address; elsewhere because
		// of the way that packets take to it.
		byPath := own.Minus(p.asks.on(p.says.yes[cni.LongestPrefixDecides]))
		segs = exempt(segs, Region{Addrs: special.OnNode}, byPath.And(p.asks.node(end, anyNode, ownNode)))
	}
	if p.podFamilies[IPv6] || p.states[IPv6] == Has {
		free := p.says.where[cni.IPv6Escapes]
		segs = exempt(segs, Region{Addrs: familySpace[IPv6]}, free)
		segs = exempt(segs, p.everyone().without(netset.Universe), free.And(p.asks.over(IPv6)))
	}
	segs = p.overNetworks(g, segs)
	if loose := p.asks.on(p.unenforced | p.says.maybe[cni.Enforces]); !loose.IsNever() {
		loose = loose.Minus(p.enforced)
		for i := range segs {
			segs[i].pass = segs[i].pass.Or(loose)
		}
	}
	if loose := p.loose(g); !loose.IsNever() {
		for i := range segs {
			segs[i].pass = segs[i].pass.Or(loose)
		}
	}
	if there := p.asks.there(g.like); !there.IsAlways() {
		for i := range segs {
			segs[i].pass = segs[i].pass.And(there)
		}
	}
	return join(segs)
}

// exempt allows, where a condition holds, what policies deny between the subject and region,
// because the CNI never judges it: a pod's own node, IPv6. Policies that could not be judged may be
// another's than the CNI's, and deny it all the same.
func exempt(segs []segment, region Region, where when.When) []segment {
	return exemptOn(segs, region, netset.AllConns, where)
}

// exemptOn is exempt for some connections.
func exemptOn(segs []segment, region Region, conns netset.Conns, where when.When) []segment {
	if where.IsNever() {
		return segs
	}
	return alter(segs, region, conns, func(s *segment) when.When { return s.pass.Or(where.Minus(s.vague)) })
}

// alter changes when something passes between the subject and region, on some connections.
func alter(segs []segment, region Region, conns netset.Conns, to func(*segment) when.When) []segment {
	for i, n := 0, len(segs); i < n; i++ {
		seg := &segs[i]
		pass := to(seg)
		if pass.Equal(seg.pass) || !seg.conns.Overlaps(conns) || !seg.ends.Overlaps(region) {
			continue
		}
		in, both := seg.ends.Intersect(region), seg.conns.Intersect(conns)
		if rest := seg.ends.Minus(region); !rest.IsEmpty() {
			other := *seg
			other.ends = rest
			segs = append(segs, other)
			seg = &segs[i]
		}
		if rest := seg.conns.Minus(both); !rest.IsEmpty() {
			other := *seg
			other.ends, other.conns = in, rest
			segs = append(segs, other)
			seg = &segs[i]
		}
		seg.ends, seg.conns, seg.pass = in, both, pass
	}
	return segs
}
