package reach

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
)

// placeholders are what may stand for a part of a pattern; of all others it is anything.
var placeholders = map[string]string{"<end>": "(src|dst|via)", "<family>": "IPv[46]", "<direction>": "(ingress|egress)", "<protocol>": `("[^"]*"|TCP|UDP|SCTP)`,
	"<n>": "[0-9a-f]+", "<port>": "[a-z0-9-]+", "<setting>": "[^:]+", "<tls>": "(terminating|originating)",
	"<rule>": `.*( isolates)? (ingress|egress) [0-9]+( peer [0-9]+)?`}

var placeholder = regexp.MustCompile("<[a-z]+>")

// expression matches the IDs of a pattern, also of those that were moved to another end.
func expression(pattern string) *regexp.Regexp {
	var out strings.Builder
	at := 0
	for _, m := range placeholder.FindAllStringIndex(pattern, -1) {
		out.WriteString(regexp.QuoteMeta(pattern[at:m[0]]))
		if text, ok := placeholders[pattern[m[0]:m[1]]]; ok {
			out.WriteString(text)
		} else {
			out.WriteString(".*")
		}
		at = m[1]
	}
	return regexp.MustCompile("^" + out.String() + regexp.QuoteMeta(pattern[at:]) + "( @[0-9])?$")
}

// TestFactKinds demands that every question which the engine asks over the corpus is of one kind
// that is listed, and so each example.
func TestFactKinds(t *testing.T) {
	all := make([]*regexp.Regexp, len(FactKinds))
	for i, k := range FactKinds {
		all[i] = expression(k.Pattern)
	}
	check := func(id string) {
		var kinds []string
		for i, e := range all {
			if e.MatchString(id) {
				kinds = append(kinds, FactKinds[i].Pattern)
			}
		}
		if len(kinds) != 1 {
			t.Errorf("%q is of %d kinds: %q", id, len(kinds), kinds)
		}
	}
	for i, k := range FactKinds {
		if check(k.Example); !all[i].MatchString(k.Example) {
			t.Errorf("%q is no example of %q", k.Example, k.Pattern)
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
