package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Verdict is the answer to a question about reachability. The zero value is unknown, and counts as unsafe. Where neither side of a connection denies it, the
// smaller verdict of the two is that of both.
type Verdict uint8

const (
	Unknown     Verdict = iota // some input could not be judged
	Denied                     // certainly nothing passes
	Depends                    // passes in some worlds
	NotEnforced                // a policy says otherwise, and nothing enforces it
	Allowed                    // certainly passes
)

func (v Verdict) String() string {
	return [...]string{"unknown", "denied", "depends", "notEnforced", "allowed"}[v]
}

// MarshalText writes the verdict as the JSON outputs name it.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

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
	by     *policy.Stance
	worlds Worlds
	free   Cond // when it does not; zero if it certainly isolates
}

// cell is part of the space that no rule has decided yet.
type cell struct {
	box
	perhaps Cond           // allowed if this holds; zero for never
	denied  Cond           // but not if this holds; zero for never
	by      []*policy.Rule // the rules that perhaps decide
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
	cells, spare := []cell{{box: open}}, []cell(nil)
	var out []segment
	for _, s := range steps {
		for i := range s.matches {
			if m := &s.matches[i]; slices.ContainsFunc(cells, func(c cell) bool { return c.overlaps(&m.box) }) {
				spare, out = apply(cells, spare[:0], out, s.rule, m, plan)
				cells, spare = spare, cells
			}
		}
		cells = merge(cells, inRegion) // so that their number stays that of the distinct connections left
	}
	for _, c := range cells {
		for _, part := range isolation(stances, c.worlds) {
			at := c
			at.worlds = part.worlds
			switch {
			case part.open:
				if at.denied.IsZero() {
					at.by = nil
				}
				out = append(out, outcome(at, Cond{}, true, plan))
			case c.perhaps.IsZero() && part.free.IsZero():
				out = append(out, segment{box: at.box, verdict: Denied, by: c.by})
			default:
				out = append(out, outcome(at, c.perhaps.or(part.free), false, plan))
			}
		}
	}
	return mergeSegments(out)
}

// outcome turns a cell into a segment that passes if cond holds and nothing perhaps denies it. certain is true for what is allowed for certain but
// for that.
func outcome(c cell, cond Cond, certain bool, plan [2]netset.Addrs) segment {
	seg := segment{box: c.box, by: c.by}
	certain = certain || everywhere(cond, plan)
	if certain {
		cond = Cond{}
	}
	cond, never := cond.unless(c.denied, plan)
	switch {
	case never:
		seg.verdict = Denied
	case cond.IsZero():
		seg.verdict = Allowed
	default:
		seg.verdict, seg.cond = cond.verdict(), cond
	}
	return seg
}

// everywhere reports whether parts of a condition that each may hold together certainly do.
func everywhere(c Cond, plan [2]netset.Addrs) bool {
	if slices.Contains(c.Texts, ownNodeText) && slices.Contains(c.Texts, otherNodeText) ||
		slices.ContainsFunc(c.Texts, func(t string) bool { return slices.Contains(c.Texts, notSo+t) }) {
		return true
	}
	return !c.Plan.IsEmpty() && c.Plan.Covers(plan[familyOf(c.Plan.First())])
}

// apply lets one match of a rule act on the open cells: it adds those that stay open to next, and what is decided to out.
func apply(cells, next []cell, out []segment, rule *policy.Rule, m *match, plan [2]netset.Addrs) ([]cell, []segment) {
	var buf [3]box
	for i := range cells {
		c := &cells[i]
		if !c.overlaps(&m.box) {
			next = append(next, *c)
			continue
		}
		if len(c.region.Cubes) > maxCubes { // too many kinds of pods to tell apart
			out = append(out, segment{box{Region{Cubes: c.region.Cubes}, c.conns, c.worlds}, Unknown, Cond{Unjudged: true}, nil})
			if c.region.Cubes = nil; !c.overlaps(&m.box) {
				if !c.region.IsEmpty() {
					next = append(next, *c)
				}
				continue
			}
		}
		in, rest := c.cut(&m.box, buf[:0])
		for _, r := range rest {
			next = append(next, cell{r, c.perhaps, c.denied, c.by})
		}
		hit := cell{in, c.perhaps, c.denied, with(c.by, rule)}
		switch {
		case rule.Action != policy.Allow && rule.Action != policy.Deny: // nothing is known of what it does
			out = append(out, segment{in, Unknown, Cond{Unjudged: true}, hit.by})
		case rule.Action == policy.Allow && m.cond.IsZero():
			if c.denied.IsZero() {
				hit.by = []*policy.Rule{rule}
			}
			out = append(out, outcome(hit, Cond{}, true, plan))
		case rule.Action == policy.Allow:
			hit.perhaps = c.perhaps.or(m.cond)
			next = append(next, hit)
		case m.cond.IsZero() && c.perhaps.IsZero():
			out = append(out, segment{box: in, verdict: Denied, by: []*policy.Rule{rule}})
		case m.cond.IsZero():
			out = append(out, outcome(hit, c.perhaps, false, plan))
		default:
			hit.denied = c.denied.or(m.cond)
			next = append(next, hit)
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

// isolated is a part of the worlds in which the same stances hold.
type isolated struct {
	worlds Worlds
	open   bool // nothing isolates
	free   Cond // when nothing does, where that is not settled
}

// isolation splits worlds by whether some of stances isolates there.
func isolation(stances []stance, worlds Worlds) []isolated {
	var out []isolated
	var certainly Worlds
	for _, s := range stances {
		if s.free.IsZero() {
			certainly |= s.worlds
		}
	}
	if in := worlds & certainly; in != 0 {
		out = append(out, isolated{worlds: in})
	}
	parts := []isolated{}
	if left := worlds &^ certainly; left != 0 {
		parts = append(parts, isolated{worlds: left, open: true})
	}
	for _, s := range stances {
		if s.free.IsZero() {
			continue
		}
		var next []isolated
		for _, part := range parts {
			if without := part.worlds &^ s.worlds; without != 0 {
				next = append(next, isolated{without, part.open, part.free})
			}
			if in := part.worlds & s.worlds; in != 0 {
				free := part.free
				if part.open || !free.IsZero() { // else it is isolated anyway
					free = free.and(s.free)
				}
				if free.never() {
					free = Cond{}
				}
				next = append(next, isolated{in, false, free})
			}
		}
		parts = next
	}
	return append(out, parts...)
}

// mergeSegments joins segments that say the same.
func mergeSegments(segs []segment) []segment {
	for _, at := range []side{inRegion, inWorlds, inConns} {
		segs = merge(segs, at)
	}
	return segs
}

func (m *match) says(o *match) bool { return m.cond.equal(o.cond) }

func (m *match) last() *policy.Rule { return nil }

func (c *cell) says(o *cell) bool {
	return c.perhaps.equal(o.perhaps) && c.denied.equal(o.denied) && slices.Equal(c.by, o.by)
}

func (c *cell) last() *policy.Rule { return lastOf(c.by) }

func (s *segment) says(o *segment) bool {
	return s.verdict == o.verdict && slices.Equal(s.by, o.by) && s.cond.equal(o.cond)
}

func (s *segment) last() *policy.Rule { return lastOf(s.by) }

func lastOf(rules []*policy.Rule) *policy.Rule {
	if len(rules) == 0 {
		return nil
	}
	return rules[len(rules)-1]
}
