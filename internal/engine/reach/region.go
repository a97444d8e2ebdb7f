package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Region is a set of possible other ends of a connection. The zero value is empty.
type Region struct {
	IDs   netset.IDs   // holders, by number
	Addrs netset.Addrs // addresses as such, whoever holds them
	Cubes []Cube       // pods that do not exist; disjoint
}

// Cube is a set of pods that do not exist: those that carry such labels in namespaces that carry
// such labels.
type Cube struct{ NS, Pod label.Selector }

// maxCubes bounds how finely hypothetical pods are told apart; beyond it the answer is Unknown.
const maxCubes = 4096

func (c Cube) overlaps(d Cube) bool {
	return c.NS.Overlaps(d.NS) && c.Pod.Overlaps(d.Pod)
}

func (c Cube) and(d Cube) (Cube, bool) {
	if !c.overlaps(d) {
		return Cube{}, false
	}
	return Cube{c.NS.And(d.NS), c.Pod.And(d.Pod)}, true
}

func (c Cube) minus(d Cube) []Cube {
	both, ok := c.and(d)
	if !ok {
		return []Cube{c}
	}
	var out []Cube
	for _, ns := range c.NS.Minus(d.NS) {
		out = append(out, Cube{ns, c.Pod})
	}
	for _, pod := range c.Pod.Minus(d.Pod) {
		out = append(out, Cube{both.NS, pod})
	}
	return out
}

// IsEmpty reports whether r holds nothing.
func (r Region) IsEmpty() bool { return r.IDs.IsEmpty() && r.Addrs.IsEmpty() && len(r.Cubes) == 0 }

// Overlaps reports whether r and o share anything.
func (r Region) Overlaps(o Region) bool {
	return r.IDs.Overlaps(o.IDs) || r.Addrs.Overlaps(o.Addrs) ||
		slices.ContainsFunc(r.Cubes, func(c Cube) bool {
			return slices.ContainsFunc(o.Cubes, c.overlaps)
		})
}

// Intersect returns what is in both r and o.
func (r Region) Intersect(o Region) Region {
	out := Region{IDs: r.IDs.Intersect(o.IDs), Addrs: r.Addrs.Intersect(o.Addrs)}
	for _, c := range r.Cubes {
		for _, d := range o.Cubes {
			if both, ok := c.and(d); ok {
				out.Cubes = append(out.Cubes, both)
			}
		}
	}
	return out
}

// Minus returns what is in r and not in o.
func (r Region) Minus(o Region) Region {
	out := Region{r.IDs.Minus(o.IDs), r.Addrs.Minus(o.Addrs), r.Cubes}
	for _, d := range o.Cubes {
		var rest []Cube
		for _, c := range out.Cubes {
			rest = append(rest, c.minus(d)...)
		}
		out.Cubes = rest
	}
	return out
}

// union joins two regions whose cubes are disjoint.
func (r Region) union(o Region) Region {
	return Region{r.IDs.Union(o.IDs), r.Addrs.Union(o.Addrs), append(slices.Clip(r.Cubes), o.Cubes...)}
}

// unionOf joins regions whose cubes are disjoint.
func unionOf(regions []Region) Region {
	if len(regions) == 1 {
		return regions[0]
	}
	var out Region
	ids, addrs := make([]netset.IDs, len(regions)), make([]netset.Addrs, len(regions))
	for i, r := range regions {
		ids[i], addrs[i] = r.IDs, r.Addrs
		out.Cubes = append(out.Cubes, r.Cubes...)
	}
	out.IDs, out.Addrs = netset.Union(ids...), netset.Union(addrs...)
	return out
}

// without returns r without some addresses.
func (r Region) without(addrs netset.Addrs) Region {
	r.Addrs = r.Addrs.Minus(addrs)
	return r
}
