package query

import (
	"maps"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Which facts of a CNI decided is asked, not guessed: a fact decided if the answer is another one
// where the CNI differs in that fact alone. All those CNIs that do not exist are the profiles of
// one more program.

// Fact is what is known of a CNI, without which the answer would be another one.
type Fact struct {
	Name   string // what machine output calls it
	Asks   string // a sentence that may be true
	Not    string // the opposite
	Answer cni.Answer
	Source string
	CNI    string // the profile it was taken from
}

// maxFacts bounds how many facts of a profile an answer names; maxHeldFacts how often it was asked
// who has an address that is not known, beyond which none is looked for.
const maxFacts, maxHeldFacts = 3, 20_000

// other is a CNI that differs from one of a group in a single fact.
type other struct {
	cni.Profile
	group int
	fact  Fact
}

// findFacts fills in the facts of groups.
func (a *asker) findFacts(groups []Group) {
	among := a.p.Profiles()
	if len(among) == 1 {
		among, _ = cni.Named(cni.Any)
	}
	var others []other
	for i, g := range groups {
		others = append(others, othersThan(a.p.In(g.on & -g.on).Profiles()[0], among, dialectsOf(a.p), i)...)
	}
	if a.held > maxHeldFacts {
		return
	}
	verdicts := slices.ContainsFunc(groups, func(g Group) bool { return g.Verdict != groups[0].Verdict })
	found := make([][3][]Fact, len(groups)) // by what else they change
	for batch := range slices.Chunk(others, reach.MaxProfiles) {
		profiles := make([]cni.Profile, len(batch))
		for i, o := range batch {
			profiles[i] = o.Profile
		}
		asker := a.under(profiles)
		d, err := asker.answer()
		if err != nil {
			continue
		}
		for i, o := range batch {
			g, got, at := &groups[o.group], asker.group(d, 1<<i), &found[o.group]
			switch {
			case got.Verdict != g.judged:
				at[0] = append(at[0], o.fact)
			case verdicts || len(groups) == 1: // else there are reasons to tell apart
			case !got.When.When.Equal(g.When.When):
				at[1] = append(at[1], o.fact)
			case got.key() != g.key():
				at[2] = append(at[2], o.fact)
			}
		}
	}
	for i := range groups {
		for _, facts := range found[i] {
			if facts != nil {
				groups[i].Facts = distinct(facts)
				break
			}
		}
	}
}

// distinct leaves out what is said before, what is certain where something is not, and what is more
// than [maxFacts].
func distinct(facts []Fact) []Fact {
	uncertain := func(f Fact) bool { return f.Answer == cni.Uncertain }
	if slices.ContainsFunc(facts, uncertain) {
		facts = slices.DeleteFunc(facts, func(f Fact) bool { return !uncertain(f) })
	}
	facts = slices.Compact(facts)
	return facts[:min(len(facts), maxFacts)]
}

// othersThan returns the CNIs that differ from profile in one fact, as one of among does.
func othersThan(profile cni.Profile, among []cni.Profile, dialects []string, group int) []other {
	var out []other
	differ := func(was cni.Answer, says func(cni.Profile) cni.Answer, fact Fact, with func(*cni.Profile, cni.Answer)) {
		for _, answer := range []cni.Answer{cni.No, cni.Yes} {
			if answer != was && slices.ContainsFunc(among, func(p cni.Profile) bool { return says(p) == answer }) {
				o := other{profile, group, fact}
				with(&o.Profile, answer)
				out = append(out, o)
			}
		}
	}
	for q := range cni.Questions {
		if was := profile.Facts[q]; q != cni.StartsOpen && (q != cni.Enforces || was.Answer != cni.Yes) { // which goes without saying
			differ(was.Answer, func(p cni.Profile) cni.Answer { return p.Says(q) }, Fact{q.Name(), q.String(), q.Not(), was.Answer, was.Source, profile.Name},
				func(p *cni.Profile, answer cni.Answer) { p.Facts[q].Answer = answer })
		}
	}
	for _, d := range dialects {
		was := profile.Judges(d)
		differ(was, func(p cni.Profile) cni.Answer { return p.Judges(d) }, Fact{"judges", d + " is enforced", d + " is not enforced", was, profile.Kinds[d].Source, profile.Name},
			func(p *cni.Profile, answer cni.Answer) {
				kinds := maps.Clone(p.Kinds)
				if kinds == nil {
					kinds = map[string]cni.Fact{}
				}
				kinds[d] = cni.Fact{Answer: answer}
				p.Kinds = kinds
			})
	}
	return out
}

// asIfEnforced compares the answers with what policies say that CNIs do not hold a pod on the host
// network to.
func (a *asker) asIfEnforced(groups []Group) {
	profiles := slices.Clone(a.p.AllProfiles())
	for i := range profiles {
		profiles[i].Facts[cni.HostNetworkJudged].Answer = cni.Yes
		profiles[i].Facts[cni.Enforces].Answer = cni.Yes
	}
	strict := a.under(profiles)
	d, err := strict.answer()
	if err != nil {
		return
	}
	var differ reach.Worlds
	for i := range groups {
		g := &groups[i]
		meant := strict.group(d, g.on&-g.on)
		if g.Verdict == reach.Denied || meant.Verdict == g.Verdict && meant.When.When.Equal(g.When.When) && meant.Conns.Equal(g.Conns) {
			continue
		}
		differ |= g.on
		if g.Verdict == reach.Allowed && meant.Verdict != reach.Allowed {
			g.Verdict = reach.NotEnforced
		}
	}
	if differ != 0 {
		text := listed(a.hosts, 3) + " is on its node's network, where policies that select it are not enforced"
		if differ != a.p.Worlds() {
			text += " on " + strings.Join(a.p.In(differ).Names(), ", ")
		}
		p := strict.p.In(differ)
		a.note(text + "; if they were: " + inWords(p, decision{passes: d.passes.Assume(strict.p.On(differ)), names: d.names}, p.Verdict(d.passes)))
	}
}

// dialectsOf returns the dialects of p's policies, sorted.
func dialectsOf(p *reach.Program) []string {
	var out []string
	for i := range p.Snapshot.Policies {
		if d := string(p.Snapshot.Policies[i].Dialect); d != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}
