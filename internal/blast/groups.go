package blast

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/reach"
)

// Under returns the atlas and a radius as far as one of the radius's groups of profiles is concerned.
func (a *Atlas) Under(group reach.Worlds, r Radius) (*Atlas, Radius) {
	view := *a
	view.Program = a.Program.In(group)
	return &view, view.narrow(r)
}

// aside reports whether a box holds for no doing of policies.
func aside(b reach.Box) bool {
	return named(b.Cond) || slices.Contains(b.Cond.All, reach.OwnNodeAddress)
}

// Proper returns r without what is reached for no doing of the server's policies: what is at addresses of the pod's own node, and, but on the internet,
// what some host name may resolve to.
func (r Radius) Proper() Radius {
	for d := range r.To {
		if slices.ContainsFunc(r.To[d].To, func(t Target) bool { return t.Aside }) {
			r.To[d] = r.To[d].proper()
		}
	}
	return r
}

func (r Reach) proper() Reach {
	out := Reach{Verdict: reach.Denied, Open: r.Open, sure: r.sure}
	for _, t := range r.To {
		if !t.Aside {
			out.add(t.Verdict, t.Rules, t)
			out.Extent = r.Extent
		}
	}
	addrs := make([]netset.Addrs, 0, len(r.openings))
	for _, o := range r.openings {
		if !o.aside {
			out.openings = append(out.openings, o)
			addrs = append(addrs, o.region.Addrs)
		}
	}
	out.Addrs = netset.Union(addrs...)
	return out
}

// narrow narrows a radius that was computed for more profiles to those of a, which nothing in it tells apart.
func (a *Atlas) narrow(r Radius) Radius {
	if len(r.Groups) == 1 {
		return r
	}
	w := a.Worlds()
	out := Radius{Server: r.Server, Class: r.Class, Groups: []reach.Worlds{w}}
	for _, by := range r.Boxes {
		var all [3][]reach.Box
		for _, d := range policy.Directions {
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
	for _, c := range r.By {
		if c.worlds&w != 0 {
			c.Verdict, c.When = c.base, c.within
			out.By = append(out.By, c)
		}
	}
	return out
}

// in narrows r to profiles that nothing in it tells apart.
func (r Reach) in(w reach.Worlds) Reach {
	out := Reach{Verdict: reach.Denied, sure: r.sure & w}
	for _, t := range r.To {
		if t.worlds&w != 0 {
			t.Verdict, t.When = t.base, t.within
			out.To = append(out.To, t)
			out.add(t.base, t.Rules)
			out.Extent = r.Extent
		}
	}
	addrs := make([]netset.Addrs, 0, len(r.openings))
	for _, o := range r.openings {
		if o.worlds&w != 0 {
			out.openings = append(out.openings, o)
			addrs = append(addrs, o.region.Addrs)
		}
	}
	out.Addrs = netset.Union(addrs...)
	return out
}
