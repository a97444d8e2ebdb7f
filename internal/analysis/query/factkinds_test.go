package query

import (
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/test/facts"
)

// patterns are the patterns of all facts that an answer may ask for.
var patterns = func() facts.Patterns {
	var texts []string
	for _, k := range slices.Concat(reach.FactKinds, FactKinds) {
		texts = append(texts, k.Pattern)
	}
	return facts.Compile(texts...)
}()

func TestFactKinds(t *testing.T) {
	for _, k := range slices.Concat(reach.FactKinds, FactKinds) {
		if of := patterns.Of(k.Example); !slices.Equal(of, []string{k.Pattern}) {
			t.Errorf("%q is no example of %q, but of %q", k.Example, k.Pattern, of)
		}
	}
}

// checkFacts demands that each fact an answer asks for is of one kind.
func checkFacts(t *testing.T, a Answer) {
	t.Helper()
	check := func(w If) {
		for _, q := range w.When.Questions() {
			if of := patterns.Of(q.ID); len(of) != 1 {
				t.Errorf("%s -> %s: %q is of %d kinds: %q", a.From, a.To, q.ID, len(of), of)
			}
		}
	}
	for _, g := range append(a.Groups, a.Group) {
		check(g.When)
		for _, s := range g.Steps {
			check(s.Given)
			check(s.When)
			for _, side := range s.Sides {
				check(side.When)
			}
		}
	}
}
