package corpus_test

import (
	"os"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/corpus"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/query"
	"github.com/toolmoat/toolmoat/internal/reach"
	"github.com/toolmoat/toolmoat/internal/source"
)

// TestQuery asks every public case as a user would.
func TestQuery(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	profile, err := cni.ByName("spec")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			snap := source.LoadFiles(source.File{Name: c.Name + ".case", Data: c.Manifests})
			p := reach.NewProgram(reach.NewGround(snap), profile)
			for _, e := range c.Expect {
				for _, port := range []int{e.Lo, e.Hi} {
					ask(t, p, e, port)
				}
			}
		})
	}
}

func ask(t *testing.T, p *reach.Program, e corpus.Expect, port int) {
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
	want := map[string]reach.Verdict{"allow": reach.Allowed, "deny": reach.Denied, "depends": reach.Depends, "unknown": reach.Unknown}[e.Verdict]
	if a.Verdict == reach.NotEnforced { // the corpus has no word for it: what nothing enforces passes
		a.Verdict = reach.Allowed
	}
	if a.Verdict != want || !strings.Contains(a.When, e.If) {
		t.Errorf("line %d: %s -> %s:%d/%s: want %s %q, got %v %q", e.Line, e.From, e.To, port, e.Protocol, e.Verdict, e.If, a.Verdict, a.When)
	}
}

// TestParse refuses what the language does not have: a case that says less than it seems to would always pass.
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
}
