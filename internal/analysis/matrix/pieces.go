package matrix

import (
	"cmp"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// part is connections that pass if when holds.
type part struct {
	conns netset.Conns
	when  when.When
}

func (p part) equal(o part) bool { return p.conns.Equal(o.conns) && p.when.Equal(o.when) }

func (p part) compare(o part) int {
	return cmp.Or(cmp.Compare(p.conns.String(), o.conns.String()), cmp.Compare(p.when.Hash(), o.when.Hash()))
}

// merged joins the connections of parts with the same condition, and sorts.
func merged(in []part) []part {
	var out []part
	for _, p := range in {
		if p.conns.IsEmpty() || p.when.IsNever() {
			continue
		}
		if i := slices.IndexFunc(out, func(o part) bool { return o.when.Equal(p.when) }); i >= 0 {
			out[i].conns = out[i].conns.Union(p.conns)
		} else {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, part.compare)
	return out
}

// either joins what is said of one end. No two parts of the result share connections or a
// condition.
func either(in []part) []part {
	var out []part
	for _, p := range in {
		for i, n := 0, len(out); i < n; i++ {
			if both := out[i].conns.Intersect(p.conns); !both.IsEmpty() {
				out = append(out, part{both, out[i].when.Or(p.when)})
				out[i].conns, p.conns = out[i].conns.Minus(both), p.conns.Minus(both)
			}
		}
		out = append(out, p)
	}
	return merged(out)
}

// some joins what is said of several ends that one row names. Conditions about different ends are
// never joined with one another, each of them only with what is about the whole cluster. So parts
// of the result may share connections.
func some(in []part) []part {
	var shared, own, out []part
	for _, p := range in {
		if p.when.Asks(func(q *when.Question) bool { return q.End != when.Cluster }) {
			own = append(own, p)
		} else {
			shared = append(shared, p)
		}
	}
	shared = either(shared)
	left := slices.Clone(shared)
	for _, p := range merged(own) {
		for i, s := range shared {
			both, passes := p.conns.Intersect(s.conns), p.when.Or(s.when)
			if p.conns = p.conns.Minus(both); !passes.Equal(s.when) {
				out = append(out, part{both, passes})
				left[i].conns = left[i].conns.Minus(both)
			}
		}
		out = append(out, p)
	}
	return merged(append(out, left...))
}

// piece is a part with the holders or addresses that it is said of.
type piece[P netset.Point[P]] struct {
	at netset.Set[P]
	part
}

func (p piece[P]) equal(o piece[P]) bool { return p.at.Equal(o.at) && p.part.equal(o.part) }

// overlay joins pieces point by point. The result depends only on what they say, not on how they
// were cut: no two of its pieces have the same connections under the same condition.
func overlay[P netset.Point[P]](in []piece[P], join func([]part) []part) []piece[P] {
	type atom struct { // points that the same pieces hold
		at    netset.Set[P]
		among []part
	}
	var atoms []atom
	for _, p := range in {
		for i, n := 0, len(atoms); i < n && !p.at.IsEmpty(); i++ {
			a := atoms[i]
			both := a.at.Intersect(p.at)
			if both.IsEmpty() {
				continue
			}
			if rest := a.at.Minus(both); !rest.IsEmpty() {
				atoms = append(atoms, atom{rest, a.among})
			}
			atoms[i] = atom{both, append(slices.Clip(a.among), p.part)}
			p.at = p.at.Minus(both)
		}
		if !p.at.IsEmpty() {
			atoms = append(atoms, atom{p.at, []part{p.part}})
		}
	}
	var out []piece[P]
	for _, a := range atoms {
		for _, p := range join(a.among) {
			if i := slices.IndexFunc(out, func(o piece[P]) bool { return o.part.equal(p) }); i >= 0 {
				out[i].at = out[i].at.Union(a.at)
			} else {
				out = append(out, piece[P]{a.at, p})
			}
		}
	}
	slices.SortFunc(out, func(a, b piece[P]) int { return cmp.Or(a.at.First().Compare(b.at.First()), a.compare(b.part)) })
	return out
}

// without takes the connections of a piece with its points out of others.
func without[P netset.Point[P]](in []piece[P], o piece[P]) []piece[P] {
	var out []piece[P]
	for _, p := range in {
		both, rest := p.at.Intersect(o.at), p.conns.Minus(o.conns)
		if at := p.at.Minus(both); !at.IsEmpty() {
			out = append(out, piece[P]{at, p.part})
		}
		if !both.IsEmpty() && !rest.IsEmpty() {
			out = append(out, piece[P]{both, part{rest, p.when}})
		}
	}
	return out
}

// widened adds pieces to others with the same condition where what they lack of the others'
// connections passes under that condition anyway: "everywhere over any port" instead of two rows
// around an address that more passes to. It may change in.
func widened[P netset.Point[P]](in []piece[P]) []piece[P] {
	for i, p := range in {
		most := p.part
		for _, o := range in {
			if o.at.Covers(p.at) && p.when.Implies(o.when) {
				most.conns = most.conns.Union(o.conns)
			}
		}
		if j := slices.IndexFunc(in, func(o piece[P]) bool { return o.part.equal(most) }); j >= 0 && j != i {
			in[j].at, in[i].at = in[j].at.Union(p.at), netset.Set[P]{}
		}
	}
	return slices.DeleteFunc(in, func(p piece[P]) bool { return p.at.IsEmpty() })
}
