package blast

import (
	"cmp"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Radius is the blast radius of one server.
type Radius struct {
	Server int   // index into Snapshot.Servers
	Class  []int // the classes of its pods
	To     [destCount]Reach
	By     []Caller
	Boxes  [][3][]reach.Box // the engine's own answer, by class and policy.Direction
	Groups []reach.Worlds   // profiles that nothing in the answer tells apart but the pod's own node, together
}

// Of computes the radius of a server.
func (a *Atlas) Of(server int) Radius {
	r := Radius{Server: server, Class: a.ClassesOf(a.Snapshot.Servers[server].Workload), Groups: []reach.Worlds{a.Worlds()}}
	for _, class := range r.Class {
		var all [3][]reach.Box
		r.Groups = a.Split(r.Groups, class)
		for _, d := range policy.Directions {
			all[d] = a.Reach(class, d)
			for _, b := range all[d] {
				if b.Egress != nil || b.Ingress != nil || !b.Cond.OfOwnNode() {
					r.Groups = reach.Refine(r.Groups, b.Worlds)
				}
			}
		}
		r.Boxes = append(r.Boxes, all)
		boxes := a.Settle(all[policy.Egress])
		strangers := reach.SettleStrangers(a.Hypothetical(class, policy.Egress))
		for _, s := range strangers {
			r.Groups = reach.Refine(r.Groups, s.Worlds)
		}
		isolated, _ := a.Isolation(class, policy.Egress)
		for _, d := range Dests {
			in := a.within(d, class, r.Class, boxes, strangers)
			in.Open = len(isolated) == 0
			r.To[d] = join(r.To[d], in, class == r.Class[0])
		}
	}
	for d := range r.To {
		r.To[d].settle(a.Worlds())
	}
	r.By = a.callers(r)
	for _, c := range r.By {
		r.Groups = reach.Refine(r.Groups, c.worlds)
	}
	return r
}

// within narrows an answer to one class of destinations.
func (a *Atlas) within(d Dest, class int, own []int, boxes []reach.Box, strangers []reach.Stranger) Reach {
	out := Reach{Verdict: reach.Denied}
	places, but := a.places(d, class, own)
	var got reach.Region
	for _, p := range places {
		for _, b := range boxes {
			if !p.region.Overlaps(b.Region) {
				continue
			}
			in, conns := p.region.Intersect(b.Region), p.conns.Intersect(b.Conns)
			in.IDs = in.IDs.Minus(but)
			if d == KubeAPI || d == Nodes {
				// Whose an address is decides how plugins judge it: what is said of it as an address alone does not count.
				in.Addrs = in.Addrs.Minus(a.held)
			}
			if conns.IsEmpty() || in.IsEmpty() {
				continue
			}
			if d == Internet && named(b.Cond) {
				out.add(reach.Denied, b.Rules(), hosts(in, conns, b)...)
				in.Addrs = netset.Addrs{}
			}
			got = reach.Region{IDs: got.IDs.Union(in.IDs), Addrs: got.Addrs.Union(in.Addrs)}
			if !in.Addrs.IsEmpty() {
				out.openings = append(out.openings, opening{place{region: reach.Region{Addrs: in.Addrs}, conns: conns}, b.Worlds, aside(b)})
			}
			if !in.IsEmpty() {
				out.add(b.Verdict, b.Rules(), a.targets(d, p, in, conns, b)...)
			}
		}
	}
	if !got.IsEmpty() {
		all := a.whole[d]
		if d == SameNamespace {
			all = a.wholeOf(places)
		}
		out.Addrs, out.Extent = got.Addrs, max(out.Extent, a.extent(all, got, but))
	}
	for _, s := range a.strangersIn(d, class, strangers) {
		rules, text := slices.Concat(s.Egress, s.Ingress), StrangerText(s)
		if d == OtherServers {
			text = "servers that were not read"
		}
		out.add(s.Verdict, rules, Target{Pods: text, New: true, Conns: s.Conns, Verdict: s.Verdict, When: s.Cond.String(), Rules: rules, scope: scopeOfStranger(s)})
		out.Extent = max(out.Extent, Some)
	}
	slices.SortStableFunc(out.To, func(t, u Target) int {
		return cmp.Or(reach.CompareVerdicts(u.Verdict, t.Verdict), boolCompare(t.New, u.New), t.CIDR.Addr().Compare(u.CIDR.Addr()),
			cmp.Compare(t.CIDR.Bits(), u.CIDR.Bits()), cmp.Compare(t.Host, u.Host), cmp.Compare(t.Pods, u.Pods), cmp.Compare(t.Name, u.Name))
	})
	return out
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
