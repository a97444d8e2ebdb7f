package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Verdict is the answer to a question about reachability. The zero value is unknown, and counts as
// unsafe. Where neither side of a connection denies it, the smaller verdict of the two is that of
// both.
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

// match is what a rule matches: connections with the ends of a region, if when holds. One by a host
// name holds only where the name is known to be theirs, which is another question for each group:
// see [Program.named].
type match struct {
	ends  Region
	conns netset.Conns
	when  when.When
	name  netset.Name
}

// on is m for some connections, as far as where holds.
func (m match) on(conns netset.Conns, where when.When) match {
	m.conns, m.when = conns, m.when.And(where)
	return m
}

// step is one rule, made ready for the pods of one group.
type step struct {
	rule    *ruleIn
	matches []match
}

// segment is part of a table: connections with the ends of a region, with the condition under which
// they pass.
type segment struct {
	ends  Region
	conns netset.Conns
	open  when.When // no rule has decided yet
	pass  when.When
	vague when.When // a policy that could not be judged denies them
	doubt when.When // some policy that could not be judged may decide
	by    []By
}

// By is a rule that decides in some world, under the CNIs that When names.
type By struct {
	Rule *policy.Rule
	When when.When
}

// fold decides a region. The rules take what they match, in their order: what they allow passes,
// what they deny does not, and what none decides passes where nothing isolates. It is the only code
// that decides.
func (p *Program) fold(ends Region, conns netset.Conns, steps []step, isolated when.When) []segment {
	segs := []segment{{ends: ends, conns: conns, pass: when.Never, vague: when.Never, doubt: when.Never}}
	for _, s := range steps {
		for i := range s.matches {
			segs = p.apply(segs, s.rule, &s.matches[i])
		}
	}
	for i := range segs {
		segs[i].pass, segs[i].open = segs[i].pass.Or(segs[i].open.Minus(isolated)), when.Never
	}
	return join(segs)
}

// apply lets one match of a rule act on what is still open.
func (p *Program) apply(segs []segment, r *ruleIn, m *match) []segment {
	for i, n := 0, len(segs); i < n; i++ {
		seg := &segs[i]
		if seg.open.IsNever() || !seg.conns.Overlaps(m.conns) || !seg.ends.Overlaps(m.ends) {
			continue
		}
		if r.Action == policy.Unjudged && len(seg.by) >= enoughDoubts && m.when.Implies(seg.doubt) {
			continue // one more says nothing new
		}
		hit := seg.open.And(m.when)
		if hit.IsNever() {
			continue
		}
		if len(seg.ends.Cubes) > maxCubes { // too many kinds of pods to tell apart
			vague := *seg
			vague.ends, vague.open, vague.pass = Region{Cubes: seg.ends.Cubes}, when.Never, p.asks.unknown("too many kinds of pods to tell apart")
			segs = append(segs, vague)
			seg = &segs[i]
			if seg.ends.Cubes = nil; !seg.ends.Overlaps(m.ends) {
				continue
			}
		}
		in := seg.ends.Intersect(m.ends)
		both := seg.conns.Intersect(m.conns)
		if rest := seg.ends.Minus(m.ends); !rest.IsEmpty() {
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
		seg.ends, seg.conns = in, both
		seg.decide(p, r, m.when, hit)
	}
	return segs
}

// enoughDoubts is how many policies that could not be judged are asked one by one, where they may
// decide in the same worlds.
const enoughDoubts = 4

// decide lets a rule decide a segment where hit holds.
func (s *segment) decide(p *Program, r *ruleIn, matches, hit when.When) {
	switch s.open = s.open.Minus(matches); r.Action {
	case policy.Allow:
		s.pass = s.pass.Or(hit)
	case policy.Deny:
	default: // nothing is known of what it does
		allows, silent := p.asks.judged(r)
		s.pass = s.pass.Or(hit.And(allows))
		s.open = s.open.Or(hit.And(silent))
		s.vague = s.vague.Or(hit.Minus(allows.Or(silent)))
		s.doubt = s.doubt.Or(matches)
	}
	s.by = with(s.by, By{r.Rule, p.asks.on(Worlds(hit.ByCNI().Holds))})
}

// with adds a rule that decides, or the worlds in which it does.
func with(list []By, more By) []By {
	if n := len(list); n > 0 && list[n-1].Rule == more.Rule {
		list = slices.Clone(list)
		list[n-1].When = list[n-1].When.Or(more.When)
		return list
	}
	return append(slices.Clip(list), more)
}

// join puts together what passes under one condition for the same rules: over other connections
// with the same ends, then with other ends.
func join(segs []segment) []segment {
	type key struct {
		pass, by, conns uint64
	}
	at := map[key][]int{}
	var out []segment
	regions := map[int][]Region{}
	var kept interned
	for _, s := range segs {
		if s.ends.IsEmpty() {
			continue
		}
		s.pass = kept.one(s.pass)
		k := key{s.pass.Hash(), hashBy(s.by), s.conns.Hash()}
		i := slices.IndexFunc(at[k], func(i int) bool {
			return out[i].pass.Equal(s.pass) && out[i].conns.Equal(s.conns) && equalBy(out[i].by, s.by)
		})
		if i < 0 {
			at[k] = append(at[k], len(out))
			out = append(out, s)
			continue
		}
		into := at[k][i]
		if regions[into] == nil {
			regions[into] = []Region{out[into].ends}
		}
		regions[into] = append(regions[into], s.ends)
	}
	for i, list := range regions {
		out[i].ends = unionOf(list)
	}
	return out
}

func hashBy(by []By) uint64 {
	var out uint64
	for _, b := range by {
		out = out*31 + uint64(b.Rule.Origin.Line) + b.When.Hash()
	}
	return out
}

func equalBy(a, b []By) bool {
	return slices.EqualFunc(a, b, func(x, y By) bool { return x.Rule == y.Rule && x.When.Equal(y.When) })
}

// interned makes equal conditions one value, so that they are kept once.
type interned struct{ by map[uint64]when.When }

func (s *interned) one(w when.When) when.When {
	if kept, ok := s.by[w.Hash()]; ok && kept.Equal(w) {
		return kept
	}
	if s.by == nil {
		s.by = map[uint64]when.When{}
	}
	s.by[w.Hash()] = w
	return w
}
