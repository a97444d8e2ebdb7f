package reach

import (
	"math/bits"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Worlds is a set of a program's profiles, by index, one bit each.
type Worlds uint64

// MaxProfiles is how many profiles one program can have.
const MaxProfiles = cni.Most

// Has reports whether profile i is in w.
func (w Worlds) Has(i int) bool { return w&(1<<i) != 0 }

// Covers reports whether all of v is in w.
func (w Worlds) Covers(v Worlds) bool { return v&^w == 0 }

// Count returns how many profiles are in w.
func (w Worlds) Count() int { return bits.OnesCount64(uint64(w)) }

func worldsOf(n int) Worlds { return Worlds(1<<n - 1) }

// opinions is what the profiles say to each question, and the condition under which it is so.
type opinions struct {
	yes, maybe [cni.Questions]Worlds
	where      [cni.Questions]when.When
}

func opinionsOf(profiles []cni.Profile, asks *questions) (a opinions) {
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
	for q := range cni.Questions {
		a.where[q] = asks.on(a.yes[q]).Or(asks.on(a.maybe[q]).And(asks.so[q]))
		asks.said[q.FactID()] = a.where[q]
	}
	return a
}

// possible is the profiles that do not say no to q.
func (a *opinions) possible(q cni.Question) Worlds { return a.yes[q] | a.maybe[q] }

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

// AllProfiles returns the profiles that p was compiled under, by the numbers that [Worlds] has,
// also those that this view does not speak of.
func (p *Program) AllProfiles() []cni.Profile { return p.profiles }

// Names returns the names of the profiles that p speaks of.
func (p *Program) Names() []string { return p.namesOf(p.in) }

// Worlds is the profiles that p speaks of.
func (p *Program) Worlds() Worlds { return p.in }

// In returns the same program, as far as some of its profiles are concerned. Nothing is compiled
// again.
func (p *Program) In(w Worlds) *Program {
	return &Program{p.Ground, p.compiled, w & p.in, p.asks.on(w & p.in)}
}

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

// Where is the condition under which q is so.
func (p *Program) Where(q cni.Question) when.When { return p.narrow(p.says.where[q]) }

// judging returns the profiles under which policies of a dialect are enforced, and those under
// which they perhaps are.
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

// Judging returns those of p's profiles that enforce policies of a dialect, and those that perhaps
// do.
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

// On is the condition that the cluster runs one of some profiles.
func (p *Program) On(w Worlds) when.When { return p.narrow(p.asks.on(w)) }

// narrow is w as far as p's profiles are concerned.
func (p *Program) narrow(w when.When) when.When {
	if p.in == p.all || !w.AsksKind(when.CNI) {
		return w
	}
	return w.Assume(p.care)
}

// WorldsOf returns the profiles of p under which w holds in some world.
func (p *Program) WorldsOf(w when.When) Worlds {
	return p.in & Worlds(w.ByCNI().Holds)
}

// Verdict says what w, the condition under which something passes, comes to under p's profiles:
// where all of them agree, what they agree on.
func (p *Program) Verdict(w when.When) Verdict {
	if w.IsAlways() {
		return Allowed
	}
	if w.IsNever() {
		return Denied
	}
	got, in := w.ByCNI(), uint64(p.in)
	never, always := in&^got.Holds, in&^got.Fails
	none := uint64(0)
	// Where nothing enforces, in the cluster or on the nodes of an end, that is no question.
	free := func(worlds uint64, w when.When) {
		if worlds &^= always; worlds == 0 {
			return
		}
		free := w.ByCNI()
		none |= worlds &^ free.Fails
		got.Unjudged = got.Unjudged&^worlds | free.Unjudged&worlds
		never |= worlds &^ free.Holds
	}
	if p.anyLoose {
		w = p.unheld(w)
		free(in&^uint64(p.unenforced), w)
	}
	free(in&uint64(p.unenforced), w.Assume(p.enforced.Not()))
	unknown := in & got.Unjudged &^ (never | always | none)
	for v, of := range [...]uint64{Unknown: unknown, Denied: never, NotEnforced: none, Allowed: always} {
		if of == in {
			return Verdict(v)
		}
	}
	if none|always == in {
		return NotEnforced
	}
	return Depends
}

// Refine splits sets of profiles until w is one condition within each of them.
func (p *Program) Refine(sets []Worlds, w when.When) []Worlds {
	if !w.AsksKind(when.CNI) {
		return sets
	}
	for _, by := range p.parts(w) {
		for i, n := 0, len(sets); i < n; i++ {
			if in, out := sets[i]&by, sets[i]&^by; in != 0 && out != 0 {
				sets[i] = in
				sets = append(sets, out)
			}
		}
	}
	return sets
}

// parts returns the profiles under which w is one condition, set by set. A cluster has few
// conditions, which are asked about again and again.
func (p *Program) parts(w when.When) []Worlds {
	p.partsLock.Lock()
	defer p.partsLock.Unlock()
	if kept, ok := p.partsOf[w.Hash()]; ok && kept.of.Equal(w) {
		return kept.sets
	}
	var sets []Worlds
	for _, c := range w.By(p.asks.cni, when.Answers{Bits: uint64(p.all)}) {
		sets = append(sets, Worlds(c.In.Bits))
	}
	if p.partsOf == nil || len(p.partsOf) >= mostParts {
		p.partsOf = map[uint64]parted{}
	}
	p.partsOf[w.Hash()] = parted{w, sets}
	return sets
}

// mostParts is how many conditions are remembered with their parts.
const mostParts = 4096

type parted struct {
	of   when.When
	sets []Worlds
}

// Words are the names under which conditions are put into words; an end may be "".
func (p *Program) Words(src, dst, via string) when.Names {
	names := when.Names{Src: src, Dst: dst, Via: via}
	at := map[string]int{}
	for i, profile := range p.profiles {
		names.CNIs = append(names.CNIs, profile.Name)
		if profile.Family == "" {
			continue
		}
		j, ok := at[profile.Family]
		if !ok {
			j = len(names.Families)
			at[profile.Family] = j
			names.Families = append(names.Families, when.CNIFamily{Name: profile.Family})
		}
		names.Families[j].Bits |= 1 << i
	}
	return names
}
