package blast

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
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
	seen := map[when.When]bool{} // of which there are few
	differ := func(w when.When) {
		if !seen[w] {
			seen[w] = true
			r.Groups = a.Refine(r.Groups, reach.OffNode(w))
		}
	}
	for _, class := range r.Class {
		r.Groups = a.Split(r.Groups, class)
		var all [3][]reach.Box
		for _, d := range policy.Directions {
			all[d] = a.Reach(class, d)
			for _, b := range all[d] {
				differ(b.When)
			}
		}
		r.Boxes = append(r.Boxes, all)
		boxes := a.Settle(all[policy.Egress])
		hypotheticals := reach.SettleHypothetical(a.Hypothetical(class, policy.Egress))
		for _, s := range hypotheticals {
			differ(s.When)
		}
		isolated, _ := a.Isolation(class, policy.Egress)
		for _, d := range Dests {
			in := a.within(d, class, r.Class, boxes, hypotheticals)
			in.Open = len(isolated) == 0
			r.To[d].join(in)
		}
	}
	for d := range r.To {
		a.sum(&r.To[d])
	}
	r.By = a.callers(r)
	for _, c := range r.By {
		differ(c.When)
	}
	return r
}

// Under returns the atlas and a radius as far as one of the radius's groups of profiles is
// concerned, and only what is for the server's policies to decide: without what is on the pod's own
// node, and, but on the internet, what some host name may resolve to.
func (a *Atlas) Under(group reach.Worlds, r Radius) (*Atlas, Radius) {
	view := *a
	view.Program = a.In(group)
	out := Radius{Server: r.Server, Class: r.Class, Groups: []reach.Worlds{group}}
	for _, by := range r.Boxes {
		var all [3][]reach.Box
		for _, d := range policy.Directions {
			for _, b := range by[d] {
				if in, ok := view.BoxIn(b); ok {
					all[d] = append(all[d], in)
				}
			}
		}
		out.Boxes = append(out.Boxes, all)
	}
	open := slices.ContainsFunc(r.Class, func(class int) bool {
		isolated, _ := view.Isolation(class, policy.Egress)
		return len(isolated) == 0
	})
	for d := range r.To {
		to := &out.To[d]
		to.Extent, to.Open = r.To[d].Extent, open
		for _, t := range r.To[d].To {
			in, _ := view.BoxIn(reach.Box{When: t.When, Egress: t.By})
			if t.When, t.By = reach.OffNode(in.When), in.Egress; !unnamed(t.When).IsNever() {
				to.To = append(to.To, t)
			}
		}
		view.sum(to)
	}
	for _, c := range r.By {
		if in, ok := view.BoxIn(reach.Box{When: c.When, Egress: c.By}); ok {
			c.When, c.Verdict, c.By = in.When, in.Verdict, in.Egress
			out.By = append(out.By, c)
		}
	}
	return &view, out
}

// within narrows an answer to one class of destinations.
func (a *Atlas) within(d Dest, class int, own []int, boxes []reach.Box, hypotheticals []reach.Hypothetical) (out Reach) {
	places, but := a.places(d, class, own)
	var got reach.Region
	for _, p := range places {
		for _, b := range boxes {
			if !p.region.Overlaps(b.Region) {
				continue
			}
			b.Region, b.Conns = p.region.Intersect(b.Region), p.conns.Intersect(b.Conns)
			b.Region.IDs = b.Region.IDs.Minus(but)
			if d == KubeAPI || d == Nodes {
				// Whose an address is decides how plugins judge it: what is said of it as an
				// address alone does not count.
				b.Region.Addrs = b.Region.Addrs.Minus(a.held)
			}
			if b.Conns.IsEmpty() || b.Region.IsEmpty() {
				continue
			}
			if d == Internet && names(b.When) != nil {
				// Where only names lead there, the names are what is reached.
				byAddress := a.WorldsOf(unnamed(b.When))
				byName := b
				byName.When = b.When.And(a.On(a.Worlds() &^ byAddress))
				out.add(a.hosts(byName)...)
				if b.When = b.When.And(a.On(byAddress)); b.When.IsNever() {
					out.Extent = max(out.Extent, Some)
					continue
				}
			}
			got = reach.Region{IDs: got.IDs.Union(b.Region.IDs), Addrs: got.Addrs.Union(b.Region.Addrs)}
			out.add(a.targets(d, p, b)...)
		}
	}
	if !got.IsEmpty() {
		all := a.whole[d]
		if d == SameNamespace {
			all = wholeOf(places)
		}
		out.Extent = max(out.Extent, extentOf(all, got, but))
	}
	if fresh := a.hypotheticalsIn(d, class, hypotheticals); fresh != nil {
		out.add(targetsOf(d, fresh)...)
		out.Extent = max(out.Extent, Some)
	}
	return out
}
