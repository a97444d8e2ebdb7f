package rule_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/rule"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// severities is the table that users grade by. A rule that changes its severity changes grades, so
// it is written down twice.
var severities = map[string]finding.Severity{
	"TM101": finding.High, "TM102": finding.High, "TM103": finding.Medium, "TM104": finding.High, "TM105": finding.Medium, "TM106": finding.High,
	"TM110": finding.Medium, "TM111": finding.High, "TM201": finding.High, "TM202": finding.High, "TM203": finding.Medium, "TM206": finding.Medium,
	"TM301": finding.Critical, "TM302": finding.High, "TM303": finding.Medium, "TM304": finding.High, "TM305": finding.High, "TM306": finding.High,
	"TM307": finding.Medium, "TM308": finding.Medium, "TM309": finding.Medium, "TM310": finding.Low, "TM311": finding.Medium, "TM313": finding.Medium, "TM317": finding.Medium,
	"TM107": finding.Medium, "TM112": finding.Medium, "TM401": finding.High, "TM402": finding.High, "TM403": finding.Medium, "TM404": finding.Medium, "TM405": finding.Low,
	"TM406": finding.High, "TM407": finding.Medium, "TM408": finding.Low, "TM409": finding.Medium, "TM410": finding.Medium,
	"TM416": finding.Medium, "TM417": finding.Medium, "TM418": finding.Medium, "TM419": finding.Critical, "TM420": finding.Medium, "TM421": finding.Low,
	"TM901": finding.Incomplete, "TM902": finding.Incomplete, "TM903": finding.Incomplete, "TM904": finding.Incomplete, "TM905": finding.Incomplete,
	"TM906": finding.Incomplete, "TM907": finding.Incomplete,
}

func TestDocumentation(t *testing.T) {
	for id := range severities {
		if _, ok := rule.ByID(id); !ok {
			t.Errorf("%s is gone", id)
		}
	}
	last := ""
	for _, r := range rule.All {
		if r.ID <= last {
			t.Errorf("%s stands after %s", r.ID, last)
		}
		last = r.ID
		if want, ok := severities[r.ID]; !ok || r.Severity != want {
			t.Errorf("%s is %s, want %s", r.ID, r.Severity, want)
		}
		for field, text := range map[string]string{"title": r.Title, "why": r.Why, "bad": r.Bad, "good": r.Good, "since": r.Since} {
			if text == "" || strings.TrimSpace(text) != text {
				t.Errorf("%s: its %s is %q", r.ID, field, text)
			}
		}
		if strings.HasSuffix(r.Title, ".") || !strings.HasSuffix(r.Why, ".") {
			t.Errorf("%s: a title is no sentence, and why is some: %q, %q", r.ID, r.Title, r.Why)
		}
		judges := r.Server != nil || r.Input != nil
		if judges != (r.Severity != finding.Incomplete) || r.Server != nil && r.Input != nil {
			t.Errorf("%s judges a server or the input, or is about reading it", r.ID)
		}
		if judges && r.References == nil {
			t.Errorf("%s refers to nothing", r.ID)
		}
		for _, ref := range r.References {
			if u, err := url.Parse(ref); err != nil || u.Scheme != "https" || u.Host == "" {
				t.Errorf("%s refers to %q", r.ID, ref)
			}
		}
	}
}

// elsewhere lists the rules that a folder or a cluster is needed for, and which no file can be a
// case of.
var elsewhere = []string{"TM905", "TM906"}

// byPolicy lists the rules whose fix is a policy, which can be judged again.
var byPolicy = []string{"TM101", "TM102", "TM103", "TM104", "TM201", "TM203", "TM206", "TM301", "TM313", "TM317", "TM407", "TM409", "TM410", "TM416", "TM417", "TM107", "TM401", "TM402", "TM403", "TM404", "TM405"}

func TestEveryRuleHasCases(t *testing.T) {
	fires, silent, mended := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range ruleCases(t) {
		if _, known := rule.ByID(c.rule); !known {
			t.Errorf("testdata/%s is for no rule", c.rule)
		}
		if slices.ContainsFunc(c.wants, func(w want) bool { return !w.other }) {
			fires[c.rule] = true
			mended[c.rule] = mended[c.rule] || c.fixed != ""
		} else {
			silent[c.rule] = true
		}
	}
	fires["TM907"] = true // TestNoServer
	for _, r := range rule.All {
		if slices.Contains(elsewhere, r.ID) {
			continue
		}
		if !fires[r.ID] {
			t.Errorf("%s has no case that fires", r.ID)
		}
		if !silent[r.ID] {
			t.Errorf("%s has no case in which it stays silent", r.ID)
		}
		if slices.Contains(byPolicy, r.ID) && !mended[r.ID] {
			t.Errorf("%s has no case with its fix", r.ID)
		}
	}
}

func TestNoServer(t *testing.T) {
	for _, text := range []string{"", "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: apps}\nspec: {containers: [{name: web, image: nginx}]}\n",
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a-mcp, namespace: apps, annotations: {toolmoat.dev/server: \"false\"}}\nspec: {containers: [{name: a, image: acme/a-mcp}]}\n"} {
		res := judge(t, cni.Spec, text)
		if len(res.Problems) != 1 || res.Problems[0].Rule != "TM907" || res.Complete || res.Problems[0].Hint == "" {
			t.Errorf("%q: %+v", text, res.Problems)
		}
	}
}

func TestNotRendered(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("plain/server.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a-mcp, namespace: apps}\nspec: {containers: [{name: a, image: acme/a-mcp}]}\n")
	for _, name := range []string{"plain", "plain/chart"} {
		if name == "plain/chart" {
			write("plain/chart/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n")
			write("plain/chart/templates/policy.yaml", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: {{ .Values.name }}}\n")
		}
		s, err := source.Load(context.Background(), source.Options{Paths: []string{filepath.Join(dir, "plain")}})
		if err != nil {
			t.Fatal(err)
		}
		var rules []string
		for _, p := range s.Problems {
			rules = append(rules, p.Rule)
			if !strings.HasSuffix(p.Origin.File, "plain/chart/Chart.yaml") || p.Hint == "" {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if want := name == "plain/chart"; slices.Equal(rules, []string{"TM905"}) != want || (len(rules) > 0) != want {
			t.Errorf("%s: %v", name, rules)
		}
		if len(s.Workloads) != 1 {
			t.Errorf("%s: %d workloads", name, len(s.Workloads))
		}
	}
}
