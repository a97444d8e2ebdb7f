package blast

import (
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// aside reports whether a box holds for no doing of the server's policies.
func aside(b reach.Box) bool { return named(b.Cond) || b.Cond.OfOwnNode() }

// Under returns the atlas and a radius as far as one of the radius's groups of profiles is concerned, and only what is for the server's policies to
// decide: without what is on the pod's own node, and, but on the internet, what some host name may resolve to.
func (a *Atlas) Under(group reach.Worlds, r Radius) (*Atlas, Radius) {
	view := *a
	view.Program = a.Program.In(group)
	return &view, view.narrow(r)
}

func (a *Atlas) narrow(r Radius) Radius {
	w := a.Worlds()
	out := Radius{Server: r.Server, Class: r.Class, Groups: []reach.Worlds{w}}
	for _, by := range r.Boxes {
		var all [3][]reach.Box
		for _, d := range policy.Directions {
			all[d] = make([]reach.Box, 0, len(by[d]))
			for _, b := range by[d] {
				if in, ok := a.BoxIn(b); ok {
					all[d] = append(all[d], in)
				}
			}
		}
		out.Boxes = append(out.Boxes, all)
	}
	open := false
	for _, class := range r.Class {
		isolated, _ := a.Isolation(class, policy.Egress)
		open = open || len(isolated) == 0
	}
	for d := range r.To {
		out.To[d] = r.To[d].in(w)
		out.To[d].Open = open
	}
	out.By = make([]Caller, 0, len(r.By))
	for _, c := range r.By {
		if c.worlds&w != 0 {
			c.Verdict, c.When = c.base, c.within
			out.By = append(out.By, c)
		}
	}
	return out
}

// in narrows r to profiles that nothing in it tells apart but what is aside.
func (r Reach) in(w reach.Worlds) Reach {
	out := Reach{Verdict: reach.Denied}
	n := 0
	for i := range r.To {
		if r.To[i].proper(w) {
			n++
		}
	}
	if n > 0 {
		out.Extent, out.To = r.Extent, make([]Target, 0, n)
	}
	for i := range r.To {
		if t := &r.To[i]; t.proper(w) {
			out.To = append(out.To, *t)
			into := &out.To[len(out.To)-1]
			into.Verdict, into.When = t.base, t.within
			out.add(t.base, t.Rules)
		}
	}
	var addrs []netset.Addrs
	for _, o := range r.openings {
		if o.worlds&w != 0 && !o.aside {
			out.openings = append(out.openings, o)
			addrs = append(addrs, o.region.Addrs)
		}
	}
	out.Addrs = netset.Union(addrs...)
	return out
}

// proper reports whether t is reached under some of the profiles by the doing of policies.
func (t *Target) proper(w reach.Worlds) bool { return t.worlds&w != 0 && !t.Aside }
