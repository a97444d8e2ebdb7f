package reach

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
)

// Worlds is a set of a program's profiles, by index, one bit each.
type Worlds uint64

// MaxProfiles is how many profiles one program can have.
const MaxProfiles = 64

// Has reports whether profile i is in w.
func (w Worlds) Has(i int) bool { return w&(1<<i) != 0 }

// Covers reports whether all of v is in w.
func (w Worlds) Covers(v Worlds) bool { return v&^w == 0 }

// Count returns how many profiles are in w.
func (w Worlds) Count() int { return bits.OnesCount64(uint64(w)) }

func worldsOf(n int) Worlds { return Worlds(1<<n - 1) }

// branch is a part of the worlds with what must also hold there.
type branch struct {
	worlds Worlds
	cond   Cond
}

// opinions is what the profiles say to each question.
type opinions struct{ yes, maybe [cni.Questions]Worlds }

func opinionsOf(profiles []cni.Profile) (a opinions) {
	for i, p := range profiles {
		for q := range cni.Questions {
			switch p.Says(q) {
			case cni.Yes:
				a.yes[q] |= 1 << i
			case cni.Uncertain:
				a.maybe[q] |= 1 << i
			}
		}
	}
	return a
}

// where returns the worlds in which q is so, and those in which it perhaps is.
func (a *opinions) where(q cni.Question) []branch {
	return branches(a.yes[q], a.maybe[q], ifSo[q])
}

func branches(yes, maybe Worlds, cond Cond) []branch {
	var out []branch
	if yes != 0 {
		out = append(out, branch{yes, Cond{}})
	}
	if maybe != 0 {
		out = append(out, branch{maybe, cond})
	}
	return out
}

// possible is the worlds in which q is not excluded.
func (a *opinions) possible(q cni.Question) Worlds { return a.yes[q] | a.maybe[q] }

// ifSo says in words what an uncertain answer leaves open, where yes makes something match.
var ifSo = [cni.Questions]Cond{
	cni.BlocksMatchPods:        onlyIf("blocks match pods"),
	cni.BlocksMatchNodes:       onlyIf("blocks match nodes"),
	cni.SelectorsMatchHost:     onlyIf("selectors match pods on the host network"),
	cni.SelectorsMatchServices: onlyIf("selectors match the addresses of Services"),
	cni.HostNetworkJudged:      onlyIf("policies are enforced on pods on the host network"),
	cni.JudgedBeforeService:    beforeService,
	cni.IPv4EscapesIPv6:        onlyIf("IPv4 traffic of pods with IPv6 addresses is not judged"),
	cni.UntypedRulesApply:      onlyIf("rules of a direction that policyTypes leaves out apply"),
	cni.NodeSelectors:          onlyIf("peers that select nodes are enabled"),
}

func init() {
	for q := range cni.Questions {
		if ifSo[q].IsZero() {
			ifSo[q] = onlyIf(q.String())
		}
	}
}

// Profiles returns the profiles that p speaks of.
func (p *Program) Profiles() []cni.Profile {
	var out []cni.Profile
	for i, profile := range p.profiles {
		if p.in.Has(i) {
			out = append(out, profile)
		}
	}
	return out
}

// AllProfiles returns the profiles that p was compiled under, by the numbers that [Worlds] has, also those that this view does not speak of.
func (p *Program) AllProfiles() []cni.Profile { return p.profiles }

// Names returns the names of the profiles that p speaks of.
func (p *Program) Names() []string { return p.namesOf(p.in) }

// Worlds is the profiles that p speaks of.
func (p *Program) Worlds() Worlds { return p.in }

// In returns the same program, as far as some of its profiles are concerned. Nothing is compiled again.
func (p *Program) In(w Worlds) *Program { return &Program{p.Ground, p.compiled, w & p.in} }

// Says returns the answer of all of p's profiles to q: uncertain where they differ.
func (p *Program) Says(q cni.Question) cni.Answer {
	switch {
	case p.says.yes[q].Covers(p.in):
		return cni.Yes
	case p.says.possible(q)&p.in == 0:
		return cni.No
	}
	return cni.Uncertain
}

// Answering returns those of p's profiles that say yes to q, and those that are uncertain.
func (p *Program) Answering(q cni.Question) (yes, maybe Worlds) {
	return p.says.yes[q] & p.in, p.says.maybe[q] & p.in
}

// judging returns the worlds in which policies of a dialect are enforced, and those in which they perhaps are.
func (c *compiled) judging(dialect string) (yes, maybe Worlds) {
	if dialect == "" {
		return c.all, 0
	}
	for i, profile := range c.profiles {
		switch profile.Judges(dialect) {
		case cni.Yes:
			yes |= 1 << i
		case cni.Uncertain:
			maybe |= 1 << i
		}
	}
	return yes, maybe
}

// Judging returns those of p's profiles that enforce policies of a dialect, and those that perhaps do.
func (p *Program) Judging(dialect string) (yes, maybe Worlds) {
	yes, maybe = p.judging(dialect)
	return yes & p.in, maybe & p.in
}

func (c *compiled) namesOf(w Worlds) []string {
	var out []string
	for i, profile := range c.profiles {
		if w.Has(i) {
			out = append(out, profile.Name)
		}
	}
	return out
}

// On says under which of p's profiles something holds, completing "if ..."; "" for all of them.
func (p *Program) On(w Worlds) string {
	w &= p.in
	if w == p.in {
		return ""
	}
	if kept, ok := p.onTexts.Load([2]Worlds{w, p.in}); ok {
		return kept.(string)
	}
	text := OnText(p.namesOf(w), p.namesOf(p.in&^w))
	p.onTexts.Store([2]Worlds{w, p.in}, text)
	return text
}

// OnText says that the cluster runs one of some plugins and none of the others, whichever is shorter, completing "if ...".
func OnText(these, others []string) string {
	if len(others) < len(these) {
		return "the cluster does not run " + orList(others)
	}
	return "the cluster runs " + orList(these)
}

// orList joins names as a sentence does.
func orList(names []string) string {
	names = slices.Clone(names)
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}
