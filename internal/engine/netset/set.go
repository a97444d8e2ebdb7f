// Package netset is the one algebra under every answer: sets of addresses, ports and numbered
// classes, kept as sorted runs, and their products.
//
// Every set is immutable and canonical: runs are sorted, disjoint and never touch, so equal sets
// have equal runs. The zero value is the empty set. Operations return new values and may share
// memory with their operands; all are safe for concurrent use.
package netset

import (
	"iter"
	"slices"
)

// Point is a position on a discrete line. Next and Prev of the last and first position return a
// value that is not beyond them in order, as those of [netip.Addr] and of the wrapping integers
// here do.
type Point[T any] interface {
	comparable
	Compare(T) int
	Next() T
	Prev() T
}

// Run is the closed interval from Lo to Hi. A run of addresses never crosses from IPv4 to IPv6.
type Run[T Point[T]] struct{ Lo, Hi T }

// Set is a set of points.
type Set[T Point[T]] struct{ runs []Run[T] }

// Of returns the union of runs, which may come in any order and overlap. A run with Hi before Lo
// holds nothing.
func Of[T Point[T]](runs ...Run[T]) Set[T] {
	sorted := make([]Run[T], 0, len(runs))
	for _, r := range runs {
		if r.Lo.Compare(r.Hi) <= 0 {
			sorted = append(sorted, r)
		}
	}
	slices.SortFunc(sorted, func(a, b Run[T]) int { return a.Lo.Compare(b.Lo) })
	return Set[T]{join(sorted)}
}

// Points returns the set of the given points.
func Points[T Point[T]](points ...T) Set[T] {
	runs := make([]Run[T], len(points))
	for i, p := range points {
		runs[i] = Run[T]{p, p}
	}
	return Of(runs...)
}

// Union returns the union of many sets in one pass.
func Union[T Point[T]](sets ...Set[T]) Set[T] {
	switch len(sets) {
	case 0:
		return Set[T]{}
	case 1:
		return sets[0]
	case 2:
		return sets[0].Union(sets[1])
	}
	n := 0
	for _, s := range sets {
		n += len(s.runs)
	}
	all := make([]Run[T], 0, n)
	for _, s := range sets {
		all = append(all, s.runs...)
	}
	return Of(all...)
}

// join merges sorted runs that overlap or touch, in place.
func join[T Point[T]](runs []Run[T]) []Run[T] {
	if len(runs) == 0 {
		return nil
	}
	out := runs[:1]
	for _, r := range runs[1:] {
		last := &out[len(out)-1]
		if r.Lo.Compare(last.Hi) <= 0 || last.Hi.Next() == r.Lo {
			if r.Hi.Compare(last.Hi) > 0 {
				last.Hi = r.Hi
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

// IsEmpty reports whether s holds nothing.
func (s Set[T]) IsEmpty() bool { return len(s.runs) == 0 }

// Len returns the number of runs.
func (s Set[T]) Len() int { return len(s.runs) }

// Runs yields the runs in order.
func (s Set[T]) Runs() iter.Seq[Run[T]] { return slices.Values(s.runs) }

// First returns the smallest point of a set that is not empty.
func (s Set[T]) First() T { return s.runs[0].Lo }

// Equal reports whether s and o hold the same points.
func (s Set[T]) Equal(o Set[T]) bool { return slices.Equal(s.runs, o.runs) }

// Contains reports whether p is in s.
func (s Set[T]) Contains(p T) bool {
	i := s.search(p)
	return i < len(s.runs) && s.runs[i].Lo.Compare(p) <= 0
}

// search returns the index of the first run that ends at or after p.
func (s Set[T]) search(p T) int {
	lo, hi := 0, len(s.runs)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.runs[mid].Hi.Compare(p) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Covers reports whether every point of o is in s.
func (s Set[T]) Covers(o Set[T]) bool {
	for _, r := range o.runs {
		i := s.search(r.Lo)
		if i == len(s.runs) || s.runs[i].Lo.Compare(r.Lo) > 0 || s.runs[i].Hi.Compare(r.Hi) < 0 {
			return false
		}
	}
	return true
}

// Overlaps reports whether s and o share a point.
func (s Set[T]) Overlaps(o Set[T]) bool {
	if len(s.runs) > len(o.runs) {
		s, o = o, s
	}
	for _, r := range s.runs {
		i := o.search(r.Lo)
		if i < len(o.runs) && o.runs[i].Lo.Compare(r.Hi) <= 0 {
			return true
		}
	}
	return false
}

// Union returns the points in s or o.
func (s Set[T]) Union(o Set[T]) Set[T] {
	switch {
	case len(s.runs) == 0:
		return o
	case len(o.runs) == 0, s.Covers(o):
		return s
	case o.Covers(s):
		return o
	}
	all := make([]Run[T], 0, len(s.runs)+len(o.runs))
	i, j := 0, 0
	for i < len(s.runs) || j < len(o.runs) {
		if j == len(o.runs) || i < len(s.runs) && s.runs[i].Lo.Compare(o.runs[j].Lo) <= 0 {
			all = append(all, s.runs[i])
			i++
		} else {
			all = append(all, o.runs[j])
			j++
		}
	}
	return Set[T]{join(all)}
}

// Intersect returns the points in both s and o.
func (s Set[T]) Intersect(o Set[T]) Set[T] {
	if len(s.runs) > len(o.runs) {
		s, o = o, s
	}
	if len(s.runs) == 1 {
		return Set[T]{within(o.runs[o.search(s.runs[0].Lo):], s.runs[0])}
	}
	var out []Run[T]
	for _, r := range s.runs {
		for i := o.search(r.Lo); i < len(o.runs) && o.runs[i].Lo.Compare(r.Hi) <= 0; i++ {
			out = append(out, Run[T]{later(r.Lo, o.runs[i].Lo), earlier(r.Hi, o.runs[i].Hi)})
		}
	}
	return Set[T]{out}
}

// within cuts runs, of which the first ends in r or after it, down to r.
func within[T Point[T]](runs []Run[T], r Run[T]) []Run[T] {
	n, _ := slices.BinarySearchFunc(runs, r.Hi, func(run Run[T], hi T) int {
		if run.Lo.Compare(hi) > 0 {
			return 1
		}
		return -1
	})
	if n == 0 {
		return nil
	}
	runs = runs[:n:n]
	if runs[0].Lo.Compare(r.Lo) < 0 || runs[n-1].Hi.Compare(r.Hi) > 0 {
		runs = slices.Clone(runs)
		runs[0].Lo, runs[n-1].Hi = later(runs[0].Lo, r.Lo), earlier(runs[n-1].Hi, r.Hi)
	}
	return runs
}

// Minus returns the points of s that are not in o.
func (s Set[T]) Minus(o Set[T]) Set[T] {
	if len(s.runs) == 0 || !s.Overlaps(o) {
		return s
	}
	out := make([]Run[T], 0, len(s.runs)+1)
	for _, r := range s.runs {
		rest, left := r, true
		for i := o.search(r.Lo); left && i < len(o.runs) && o.runs[i].Lo.Compare(r.Hi) <= 0; i++ {
			cut := o.runs[i]
			if cut.Lo.Compare(rest.Lo) > 0 {
				out = append(out, Run[T]{rest.Lo, cut.Lo.Prev()})
			}
			if left = cut.Hi.Compare(rest.Hi) < 0; left {
				rest.Lo = cut.Hi.Next()
			}
		}
		if left {
			out = append(out, rest)
		}
	}
	if len(out) == 0 {
		return Set[T]{}
	}
	return Set[T]{out}
}

func later[T Point[T]](a, b T) T {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}

func earlier[T Point[T]](a, b T) T {
	if a.Compare(b) < 0 {
		return a
	}
	return b
}
