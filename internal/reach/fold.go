package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
)

// Verdict is the answer to a question about reachability. The zero value is unknown, and counts as unsafe. Where neither side of a connection denies it, the
// smaller verdict of the two is that of both.
type Verdict uint8

const (
	Unknown     Verdict = iota // some input could not be judged
	Denied                     // certainly nothing passes
	Depends                    // passes in some worlds
	Allowed                    // certainly passes
	NotEnforced                // a policy says otherwise, and nothing enforces it
)

func (v Verdict) String() string {
	return [...]string{"unknown", "denied", "depends", "allowed", "notEnforced"}[v]
}

// MarshalText writes the verdict as the JSON outputs name it.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// box is a product: every end in region, over every connection in conns.
type box struct {
	region Region
	conns  netset.Conns
}

func (b box) overlaps(c box) bool {
	return b.region.Overlaps(c.region) && !b.conns.Intersect(c.conns).IsEmpty()
}

// cut splits b into what c holds of it and the disjoint rest.
func (b box) cut(c box) (in box, rest []box) {
	in = box{b.region.Intersect(c.region), b.conns.Intersect(c.conns)}
	if outside := b.region.Minus(c.region); !outside.IsEmpty() {
		rest = append(rest, box{outside, b.conns})
	}
	if other := b.conns.Minus(c.conns); !other.IsEmpty() {
		rest = append(rest, box{in.region, other})
	}
	return in, rest
}

// match is a box that a rule matches; where its condition is not zero, only perhaps.
type match struct {
	box
	cond Cond
}

// step is one rule, made ready for the pods of one group.
type step struct {
	rule    *policy.Rule
	matches []match // what is certain comes first
}

// stance is one policy that isolates the pods of one group, or may.
type stance struct {
	by   *policy.Stance
	free Cond // when it does not; zero if it certainly isolates
}

// cell is part of the space that no rule has decided yet.
type cell struct {
	box
	perhaps Cond           // allowed if this holds
	by      []*policy.Rule // the rules that perhaps allow it
}

// segment is part of a table: one verdict, for one reason.
type segment struct {
	box
	verdict Verdict
	cond    Cond // of Depends and Unknown
	by      []*policy.Rule
}

// fold decides a region: the rules in order, then what the stances leave. It is the only code that decides. plan is where
// addresses that are not known may lie.
func fold(open box, steps []step, stances []stance, plan [2]netset.Addrs) []segment {
	cells := []cell{{box: open}}
	var out []segment
	for _, s := range steps {
		for _, m := range s.matches {
			cells, out = apply(cells, out, s.rule, m)
		}
		cells = mergeCells(cells)
	}
	isolated, free := isolation(stances)
	for _, c := range cells {
		seg := segment{box: c.box, cond: c.perhaps.or(free), by: c.by}
		switch {
		case !isolated:
			seg.verdict, seg.cond, seg.by = Allowed, Cond{}, nil
		case everywhere(c.perhaps.Plan, plan):
			seg.verdict, seg.cond = Allowed, Cond{}
		case seg.cond.IsZero():
			seg.verdict = Denied
		default:
			seg.verdict = seg.cond.verdict()
		}
		out = append(out, seg)
	}
	return mergeSegments(out)
}

// everywhere reports whether blocks that each may hold an unknown address together certainly do.
func everywhere(blocks netset.Addrs, plan [2]netset.Addrs) bool {
	return !blocks.IsEmpty() && blocks.Covers(plan[familyOf(blocks.First())])
}

// apply lets one match of a rule act on the open cells.
func apply(cells []cell, out []segment, rule *policy.Rule, m match) ([]cell, []segment) {
	next := make([]cell, 0, len(cells)+1)
	for _, c := range cells {
		if !c.overlaps(m.box) {
			next = append(next, c)
			continue
		}
		if len(c.region.Cubes) > maxCubes { // too many kinds of pods to tell apart
			out = append(out, segment{box{Region{Cubes: c.region.Cubes}, c.conns}, Unknown, Cond{Unjudged: true}, nil})
			if c.region.Cubes = nil; !c.overlaps(m.box) {
				if !c.region.IsEmpty() {
					next = append(next, c)
				}
				continue
			}
		}
		in, rest := c.cut(m.box)
		for _, r := range rest {
			next = append(next, cell{r, c.perhaps, c.by})
		}
		switch {
		case rule.Action != policy.Allow: // nothing is known of what it does
			out = append(out, segment{in, Unknown, Cond{Unjudged: true}, with(c.by, rule)})
		case m.cond.IsZero():
			out = append(out, segment{box: in, verdict: Allowed, by: []*policy.Rule{rule}})
		default:
			next = append(next, cell{in, c.perhaps.or(m.cond), with(c.by, rule)})
		}
	}
	return next, out
}

// with returns rules and one more, which may be the last of them already.
func with(rules []*policy.Rule, more *policy.Rule) []*policy.Rule {
	if len(rules) > 0 && rules[len(rules)-1] == more {
		return rules
	}
	return append(slices.Clip(rules), more)
}

// isolation reports whether any of stances may isolate; free says when none does, where that is not settled.
func isolation(stances []stance) (isolated bool, free Cond) {
	for _, s := range stances {
		if s.free.IsZero() {
			return true, Cond{}
		}
		free = free.and(s.free)
	}
	return len(stances) > 0, free
}

// mergeCells joins cells that differ only in their region, so that their number stays that of the distinct connections left.
func mergeCells(cells []cell) []cell {
	return merge(cells, func(a, b *cell) bool {
		return a.conns.Equal(b.conns) && a.perhaps.equal(b.perhaps) && slices.Equal(a.by, b.by)
	}, func(c *cell) *Region { return &c.region })
}

func mergeSegments(segs []segment) []segment {
	return merge(segs, func(a, b *segment) bool {
		return a.verdict == b.verdict && slices.Equal(a.by, b.by) && a.cond.equal(b.cond) && a.conns.Equal(b.conns)
	}, func(s *segment) *Region { return &s.region })
}

// merge joins what is alike into the first of it, with the union of their regions.
func merge[T any](list []T, alike func(a, b *T) bool, region func(*T) *Region) []T {
	var out []T
	var regions [][]Region // by index of out
next:
	for i := range list {
		for j := range out {
			if alike(&out[j], &list[i]) {
				regions[j] = append(regions[j], *region(&list[i]))
				continue next
			}
		}
		out = append(out, list[i])
		regions = append(regions, []Region{*region(&list[i])})
	}
	for j := range out {
		*region(&out[j]) = unionOf(regions[j])
	}
	return out
}
