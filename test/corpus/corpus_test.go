package corpus_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/query"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
)

func load(t *testing.T) []corpus.Case {
	t.Helper()
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func enforcing(t *testing.T) []string {
	t.Helper()
	all, err := cni.Named(cni.Any)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names
}

// TestQuery asks every public case as a user would, under every profile that it speaks of.
func TestQuery(t *testing.T) {
	any := enforcing(t)
	for _, c := range load(t) {
		t.Run(c.Name, func(t *testing.T) {
			g := reach.NewGround(source.LoadFiles(source.File{Name: c.Name + ".case", Data: c.Manifests}))
			worst, p := reach.NewProgram(g, cni.Profiles...), reach.Assuming(g, reach.Typical, cni.Profiles...)
			for i, profile := range cni.Profiles {
				expect := c.Under(profile.Name, any)
				if profile.Name == cni.Spec {
					expect = c.Expect
				}
				for _, e := range expect {
					for _, port := range []int{e.Lo, e.Hi} {
						ask(t, profile.Name, p.In(1<<i), worst.In(1<<i), e, port)
					}
				}
			}
		})
	}
}

// ask demands the verdict that a case expects. Cases know only the worst: what depends there may be
// settled by what is typical.
func ask(t *testing.T, profile string, p, worst *reach.Program, e corpus.Expect, port int) {
	t.Helper()
	q, err := query.Parse(e.From, e.To)
	if err != nil {
		t.Fatal(err)
	}
	if q.Protocol, err = netset.ParseProtocol(e.Protocol); err != nil {
		t.Fatal(err)
	}
	q.Port = netset.Port(port)
	a, err := query.Ask(p, q)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]reach.Verdict{"allow": reach.Allowed, "deny": reach.Denied, "depends": reach.Depends, "unknown": reach.Unknown, "notenforced": reach.NotEnforced}[e.Verdict]
	if a.Verdict == reach.NotEnforced && e.Verdict == "allow" { // of pods on the host network: what nothing enforces passes
		a.Verdict = reach.Allowed
	}
	if want == reach.Depends && (a.Verdict != want || !strings.Contains(a.When.String(), e.If)) {
		if a, err = query.Ask(worst, q); err != nil {
			t.Fatal(err)
		}
	}
	if want == reach.Denied && slices.ContainsFunc(a.Notes, func(n string) bool { return strings.HasPrefix(n, "another way there: ") }) {
		return // a case is about a pod's own address
	}
	if a.Verdict != want || !strings.Contains(a.When.String(), e.If) {
		t.Errorf("line %d: %s: %s -> %s:%d/%s: want %s %q, got %v %q", e.Line, profile, e.From, e.To, port, e.Protocol, e.Verdict, e.If, a.Verdict, a.When)
	}
}

// TestProfiles demands that a case that speaks of profiles knows them, and answers each of its
// questions once under every profile that enforces policies in its default mode.
func TestProfiles(t *testing.T) {
	any := enforcing(t)
	for _, c := range load(t) {
		for _, name := range c.Named() {
			if _, err := cni.ByName(name); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
		type question struct {
			from, to, protocol string
			lo, hi             int
		}
		answered := map[question]map[string]int{}
		for _, p := range cni.Profiles {
			for _, e := range c.Under(p.Name, any) {
				q := question{e.From, e.To, e.Protocol, e.Lo, e.Hi}
				if answered[q] == nil {
					answered[q] = map[string]int{}
				}
				if answered[q][p.Name]++; answered[q][p.Name] > 1 {
					t.Errorf("%s: line %d: answered twice under %s", c.Name, e.Line, p.Name)
				}
			}
		}
		for q, by := range answered {
			for _, name := range any {
				if by[name] == 0 {
					t.Errorf("%s: %s -> %s:%d/%s has no answer under %s", c.Name, q.from, q.to, q.lo, q.protocol, name)
				}
			}
		}
	}
}

// TestParse refuses what the language does not have: a case that says less than it seems to would
// always pass.
func TestParse(t *testing.T) {
	const head = "# About.\nkind: X\n\n=== expect\n"
	for _, tt := range []struct{ text, want string }{
		{"# About.\nkind: X\n", "1: no line"},
		{"kind: X\n\n=== expect\nallow a/b -> c/d:1/TCP\n", "1: no comment"},
		{head, "nothing is expected"},
		{head + "# allow a/b -> c/d:1/TCP\n", "nothing is expected"},
		{head + "permit a/b -> c/d:1/TCP\n", `5: "permit"`},
		{head + "\nallow a/b c/d:1/TCP\n", "6: "},
		{head + "allow a/b -> c/d:1\n", "5: "},
		{head + "allow a/b -> c/d/TCP\n", "5: "},
		{head + "allow a/b -> c/d:0/TCP\n", "no port"},
		{head + "allow a/b -> c/d:65536/TCP\n", "no port"},
		{head + "allow a/b -> c/d:9-8/TCP\n", "no port"},
		{head + "allow a/b -> c/d:x/TCP\n", "no port"},
		{head + "allow a/b -> c/d:1/tcp\n", "no protocol"},
		{head + "deny a/b -> c/d:1/TCP if it rains\n", "takes no condition"},
		{head + "problem\n", "names no rule"},
		{head + "allow a/b -> c/d:1/TCP\n=== expect\n", "6: a section without names comes first"},
		{head + "=== expect x\n", "5: nothing is expected"},
		{head + "=== expect x, Y\nallow a/b -> c/d:1/TCP\n", `5: "Y" is no name`},
		{head + "=== expect x,\nallow a/b -> c/d:1/TCP\n", `5: "" is no name`},
		{head + "=== expect any, x\nallow a/b -> c/d:1/TCP\n", "5: any and others stand alone"},
		{head + "=== expected x\nallow a/b -> c/d:1/TCP\n", `"ed x" is no name`},
		{head + "notenforced a/b -> c/d:1/TCP if it rains\n", "takes no condition"},
	} {
		if _, err := corpus.Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
	}
	c, err := corpus.Parse([]byte(head + "depends a/b -> [fd00::1]:1-9/UDP if it rains\nproblem TM902 of that kind\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Expect[0], (corpus.Expect{Line: 5, Verdict: "depends", From: "a/b", To: "[fd00::1]", Lo: 1, Hi: 9, Protocol: "UDP", If: "it rains"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := c.Problems[0], (corpus.Problem{Line: 6, Rule: "TM902", Text: "of that kind"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	c, err = corpus.Parse([]byte("# About.\nkind: X\n\n=== expect x:mode=1, y\nallow a/b -> api.example.com:1/TCP\n\n=== expect others\ndeny a/b -> c/d:1/TCP\n\n=== expect any\ndepends a/b -> c/d:2/TCP\n"))
	if err != nil {
		t.Fatal(err)
	}
	lines := func(profile string) (out []int) {
		for _, e := range c.Under(profile, []string{"y", "z"}) {
			out = append(out, e.Line)
		}
		return out
	}
	for profile, want := range map[string][]int{"x:mode=1": {5}, "y": {5, 11}, "z": {8, 11}, "other": nil} {
		if got := lines(profile); !slices.Equal(got, want) {
			t.Errorf("%s: got lines %v, want %v", profile, got, want)
		}
	}
	if got := c.Sections[0].Expect[0].To; c.Expect != nil || got != "api.example.com" {
		t.Errorf("got %q and %v", got, c.Expect)
	}
}
