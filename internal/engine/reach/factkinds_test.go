package reach

import (
	"os"
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
	"github.com/toolmoat/toolmoat/test/facts"
)

// TestFactKinds demands that every question which the engine asks over the corpus is of one kind
// that is listed, and so each example.
func TestFactKinds(t *testing.T) {
	var patterns []string
	for _, k := range FactKinds {
		patterns = append(patterns, k.Pattern)
	}
	kinds := facts.Compile(patterns...)
	check := func(id string) {
		if of := kinds.Of(id); len(of) != 1 {
			t.Errorf("%q is of %d kinds: %q", id, len(of), of)
		}
	}
	for _, k := range FactKinds {
		if of := kinds.Of(k.Example); !slices.Equal(of, []string{k.Pattern}) {
			t.Errorf("%q is no example of %q, but of %q", k.Example, k.Pattern, of)
		}
	}
	seen := map[string]bool{}
	note := func(w when.When) {
		for _, q := range w.Questions() {
			if !seen[q.ID] {
				seen[q.ID] = true
				check(q.ID)
			}
		}
	}
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := cni.Named(cni.Any)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		p := NewProgram(NewGround(source.LoadFiles(source.File{Name: c.Name, Data: c.Manifests})), profiles...)
		for class := range p.Classes() {
			for _, d := range policy.Directions {
				for _, b := range append(p.OneSided(class, d), p.Reach(class, d)...) {
					note(b.When)
				}
				for _, s := range p.Hypothetical(class, d) {
					note(s.When)
				}
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d facts: this shows little", len(seen))
	}
}
