package query

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// World is the answer under some of the profiles, all of which answer alike.
type World struct {
	CNI     []string
	Verdict reach.Verdict
	When    string
	Conns   netset.Conns
	Steps   []Step
	Facts   []Fact // what of the profiles decided

	worlds reach.Worlds
	notes  []string
	to     string
}

// Fact is what is known of a plugin, without which the answer would be another one.
type Fact struct {
	Name   string // what machine output calls it
	Asks   string // a sentence that may be true
	Answer cni.Answer
	Source string
	CNI    string // the profile it was taken from
}

// Ask answers q on p's snapshot under each of p's profiles. The error is a [*NameError] where a name means nothing in the input or too much.
func Ask(p *reach.Program, q Question) (Answer, error) {
	first := newAsker(p, q) // what it indexes is the same in every world
	var worlds []World
	var out Answer
	for _, kin := range likely(p) {
		a := first.in(p.In(only(kin)))
		one, err := a.ask()
		if err != nil {
			return Answer{}, err
		}
		if worlds == nil {
			out = one
		}
		for _, text := range one.Assumed {
			if !slices.Contains(out.Assumed, text) {
				out.Assumed = append(out.Assumed, text)
			}
		}
		w := World{Verdict: one.Verdict, When: one.When, Conns: one.Conns, Steps: one.Steps, worlds: kin, notes: one.Notes, to: one.To}
		if i := slices.IndexFunc(worlds, w.alike); i >= 0 {
			worlds[i].worlds |= kin
			worlds[i].notes = shared(worlds[i].notes, one.Notes)
			continue
		}
		worlds = append(worlds, w)
	}
	for i := range worlds {
		worlds[i].CNI = p.In(worlds[i].worlds).Names()
	}
	slices.SortFunc(worlds, func(a, b World) int {
		return cmp.Or(reach.CompareVerdicts(b.Verdict, a.Verdict), cmp.Compare(b.worlds.Count(), a.worlds.Count()), slices.Compare(a.CNI, b.CNI))
	})
	first.findFacts(worlds)
	out.Asked, out.CNI, out.Worlds = q, p.Names(), worlds
	if len(worlds) == 1 {
		return out, nil
	}
	out.Notes = notesOf(p, worlds)
	out.joinWorlds(p)
	return out, nil
}

// alike reports whether two worlds get the same answer for the same reasons.
func (w World) alike(v World) bool {
	return w.Verdict == v.Verdict && w.When == v.When && w.Conns.Equal(v.Conns) && w.to == v.to && reflect.DeepEqual(w.Steps, v.Steps)
}

// likely returns p's profiles in groups that cannot answer differently: what they say to every question is the same.
func likely(p *reach.Program) []reach.Worlds {
	var out []reach.Worlds
	at := map[string]int{}
	dialects := dialectsOf(p)
	for i, profile := range p.AllProfiles() {
		if !p.Worlds().Has(i) {
			continue
		}
		key := fmt.Sprint(profile.PortsPerBlock)
		for q := range cni.Questions {
			if q != cni.StartsOpen { // which is about the first moments of a pod
				key += fmt.Sprint(profile.Says(q))
			}
		}
		for _, d := range dialects {
			key += fmt.Sprint(profile.Judges(d))
		}
		if _, ok := at[key]; !ok {
			at[key] = len(out)
			out = append(out, 0)
		}
		out[at[key]] |= 1 << i
	}
	return out
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

// only returns the first of some worlds.
func only(w reach.Worlds) reach.Worlds { return w & -w }

// shared returns the texts that both lists have, in the order of the first.
func shared(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(text string) bool { return !slices.Contains(b, text) })
}

// notesOf joins the notes of worlds: those that only some have say so.
func notesOf(p *reach.Program, worlds []World) []string {
	var out []string
	for _, w := range worlds {
		for _, text := range w.notes {
			var in reach.Worlds
			for _, v := range worlds {
				if slices.Contains(v.notes, text) {
					in |= v.worlds
				}
			}
			if on := p.On(in); on != "" {
				text = "if " + on + ": " + text
			}
			if !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// joinWorlds makes one answer of those of all worlds.
func (a *Answer) joinWorlds(p *reach.Program) {
	passing, judged, allowed, same := false, false, true, true
	for _, w := range a.Worlds {
		passes := w.Verdict != reach.Denied
		passing = passing || passes
		judged = judged || passes && w.Verdict != reach.Unknown
		allowed = allowed && w.Verdict >= reach.NotEnforced
		same = same && w.Verdict == a.Worlds[0].Verdict
	}
	switch {
	case !passing:
		a.Verdict = reach.Denied
	case allowed:
		a.Verdict = a.Worlds[0].Verdict // the worst
	case same:
		a.Verdict = a.Worlds[0].Verdict
	case judged:
		a.Verdict = reach.Depends
	default:
		a.Verdict = reach.Unknown
	}
	a.Conns, a.When, a.Steps = netset.Conns{}, "", nil
	in := map[string]reach.Worlds{} // by condition
	var whens []string
	for _, w := range a.Worlds {
		if w.Verdict != reach.Denied || !passing {
			a.Conns = a.Conns.Union(w.Conns)
			if _, seen := in[w.When]; !seen {
				whens = append(whens, w.When)
			}
			in[w.When] |= w.worlds
		}
	}
	if a.Verdict == reach.Depends || a.Verdict == reach.Unknown {
		for i, when := range whens {
			whens[i] = joinAnd(p.On(in[when]), when)
		}
		a.When = strings.Join(whens, ", or ")
	}
	seen := map[reach.Verdict]bool{}
	for _, w := range a.Worlds {
		if seen[w.Verdict] {
			continue
		}
		seen[w.Verdict] = true
		for _, s := range w.Steps {
			if !same {
				s.World = joinAnd(p.On(w.worlds), s.World)
			}
			a.Steps = append(a.Steps, s)
		}
	}
}

// enforced is the same program with policies enforced on pods on the host network, made at its first use.
type enforced struct {
	of, program *reach.Program
}

// in returns its view of some worlds.
func (e *enforced) in(w reach.Worlds) *reach.Program {
	if e.program == nil {
		profiles := slices.Clone(e.of.AllProfiles())
		for i := range profiles {
			profiles[i].Facts[cni.HostNetworkJudged].Answer = cni.Yes
			if profiles[i].Says(cni.Enforces) == cni.No {
				profiles[i].Facts[cni.Enforces].Answer = cni.Yes
			}
		}
		e.program = reach.NewProgram(e.of.Ground, profiles...)
	}
	return e.program.In(w)
}
