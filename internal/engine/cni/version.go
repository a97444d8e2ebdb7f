package cni

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Past is what was otherwise before a version. Facts and kinds that it leaves out were as later.
type Past struct {
	Version string // "1.19"
	Facts   [Questions]Fact
	Kinds   map[string]Fact
}

// Versions is a range of versions, from the first that begins like First to the last that begins
// like Last: "1.18" is 1.18.0 and all of its patches. The zero value is none.
type Versions struct{ First, Last string }

// carried says in which versions of a plugin its agent has which. No number is in both.
type carried struct{ agent, by Versions }

func (v Versions) String() string {
	if v.First == v.Last {
		return "version " + v.First
	}
	return "versions " + v.First + " to " + v.Last
}

// release is a version as numbers: major, minor, patch.
type release [3]int

func (r release) isBefore(other release) bool { return slices.Compare(r[:], other[:]) < 0 }

// releases returns the first and the last release that text names; ok is false if it is no version.
func releases(text string) (first, last release, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) > len(first) {
		return first, last, false
	}
	for i := range last {
		last[i] = 1 << 16
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return first, last, false
		}
		first[i], last[i] = int(n), int(n)
	}
	return first, last, true
}

// bounds are the first and the last release of v.
func (v Versions) bounds() (first, last release) {
	first, _, _ = releases(v.First)
	_, last, _ = releases(v.Last)
	return first, last
}

// holds reports whether all that text names is in v.
func (v Versions) holds(text string) bool {
	first, last, ok := releases(text)
	oldest, newest := v.bounds()
	return ok && !first.isBefore(oldest) && !newest.isBefore(last)
}

// through returns p for where no version is named, which stands for those of usual. Those of known can
// be asked about.
func (p Profile) through(usual, known Versions) Profile {
	out := p.during(usual)
	out.Known, out.every = known, &p
	return out
}

// during returns p as it was in some versions. What differs among them is uncertain.
func (p Profile) during(v Versions) Profile {
	first, last := v.bounds()
	settle := func(now Fact, past func(Past) Fact) Fact {
		var held []Fact // in v, the latest first
		var texts []string
		until := ""
		note := func(f Fact, since string) {
			if begins, _, ok := releases(since); ok && last.isBefore(begins) {
				return
			}
			if ends, _, ok := releases(until); ok && !first.isBefore(ends) {
				return
			}
			held = append(held, f)
			if texts = append(texts, fmt.Sprintf("since %s %s (%s)", since, f.Answer, f.Source)); since == "" {
				texts[len(texts)-1] = fmt.Sprintf("before %s %s (%s)", until, f.Answer, f.Source)
			}
		}
		for _, e := range p.before {
			if f := past(e); f != (Fact{}) {
				note(now, e.Version)
				now, until = f, e.Version
			}
		}
		note(now, "")
		if len(held) == 1 {
			return held[0]
		}
		out := Fact{held[0].Answer, strings.Join(texts, "; ")}
		if slices.ContainsFunc(held, func(f Fact) bool { return f.Answer != out.Answer }) {
			out.Answer = Uncertain
		}
		return out
	}
	out := p
	for q := range out.Facts {
		out.Facts[q] = settle(p.Facts[q], func(e Past) Fact { return e.Facts[q] })
	}
	out.Kinds = kinds(p.Kinds)
	for kind, now := range p.Kinds {
		out.Kinds[kind] = settle(now, func(e Past) Fact { return e.Kinds[kind] })
	}
	return out
}
