package query

import (
	"maps"
	"reflect"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Which facts of a profile decided is asked, not guessed: a fact decided if the answer is another one where the plugin differs in that fact
// alone. All those plugins that do not exist are the profiles of one more program.

// maxFacts bounds how many facts of a profile an answer names.
const maxFacts = 3

// maxHeld bounds how many times it is asked who has an address that is not known, to find facts: beyond, they are not named.
const maxHeld = 20_000

// other is a plugin that differs from one of p's in a single fact.
type other struct {
	cni.Profile
	world int // index into the worlds whose first profile it is made of
	fact  Fact
}

// findFacts fills in the facts of worlds.
func (a *asker) findFacts(worlds []World) {
	all := a.p.Profiles()
	among := all
	if len(all) == 1 {
		among, _ = cni.Named(cni.Any)
	}
	var others []other
	for i := range worlds {
		profile := a.p.In(only(worlds[i].worlds)).Profiles()[0]
		others = append(others, a.othersThan(profile, among, i)...)
	}
	if *a.held/len(worlds)*len(others) > maxHeld {
		return
	}
	same := true
	for _, w := range worlds {
		same = same && w.Verdict == worlds[0].Verdict
	}
	found := make([][3][]Fact, len(worlds)) // by what else they change
	for len(others) > 0 {
		batch := others[:min(len(others), reach.MaxProfiles)]
		others = others[len(batch):]
		profiles := make([]cni.Profile, len(batch))
		for i, o := range batch {
			profiles[i] = o.Profile
		}
		p := reach.NewProgram(a.p.Ground, profiles...)
		asker := a.on(p)
		for i, o := range batch {
			got, err := asker.in(p.In(1 << i)).ask()
			w := &worlds[o.world]
			switch at := &found[o.world]; {
			case err != nil:
			case got.Verdict != w.Verdict:
				at[0] = append(at[0], o.fact)
			case !same || len(worlds) == 1: // else there are reasons to tell apart
			case got.When != w.When:
				at[1] = append(at[1], o.fact)
			case !reflect.DeepEqual(got.Steps, w.Steps):
				at[2] = append(at[2], o.fact)
			}
		}
	}
	for i := range worlds {
		for _, facts := range found[i] {
			if facts != nil {
				worlds[i].Facts = distinct(facts)
				break
			}
		}
	}
}

// distinct leaves out what is said before, what is certain where something is not, and what is more than [maxFacts].
func distinct(facts []Fact) []Fact {
	if slices.ContainsFunc(facts, uncertain) {
		facts = slices.DeleteFunc(facts, func(f Fact) bool { return !uncertain(f) })
	}
	var out []Fact
	for _, f := range facts {
		if n := len(out); (n == 0 || out[n-1] != f) && n < maxFacts {
			out = append(out, f)
		}
	}
	return out
}

func uncertain(f Fact) bool { return f.Answer == cni.Uncertain }

// othersThan returns the plugins that differ from profile in one fact, as one of among does.
func (a *asker) othersThan(profile cni.Profile, among []cni.Profile, world int) []other {
	var out []other
	for q := range cni.Questions {
		was := profile.Facts[q]
		if q == cni.StartsOpen || q == cni.Enforces && was.Answer == cni.Yes { // which goes without saying
			continue
		}
		for _, answer := range []cni.Answer{cni.No, cni.Yes} {
			if answer == was.Answer || !slices.ContainsFunc(among, func(p cni.Profile) bool { return p.Says(q) == answer }) {
				continue
			}
			o := other{profile, world, Fact{q.Name(), q.String(), was.Answer, was.Source, profile.Name}}
			o.Facts[q].Answer = answer
			out = append(out, o)
		}
	}
	for _, d := range dialectsOf(a.p) {
		was := profile.Judges(d)
		for _, answer := range []cni.Answer{cni.No, cni.Yes} {
			if answer == was || !slices.ContainsFunc(among, func(p cni.Profile) bool { return p.Judges(d) == answer }) {
				continue
			}
			o := other{profile, world, Fact{"judges", d + " is enforced", was, profile.Kinds[d].Source, profile.Name}}
			o.Kinds = maps.Clone(profile.Kinds)
			if o.Kinds == nil {
				o.Kinds = map[string]cni.Fact{}
			}
			o.Kinds[d] = cni.Fact{Answer: answer}
			out = append(out, o)
		}
	}
	return out
}
