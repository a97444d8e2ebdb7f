package audit_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func of(only func(*model.Workload) bool, files ...source.File) audit.Result {
	s := source.LoadFiles(files...)
	s.Servers = discover.Servers(s)
	return audit.Of(reach.Assuming(reach.NewGround(s), reach.Typical, cni.Profiles[0]), only)
}

// documents returns the manifests of an example and of what cannot be judged, one document a file.
func documents(t *testing.T) []source.File {
	t.Helper()
	names, err := filepath.Glob("../../../examples/article/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal("no example", err)
	}
	var out []source.File
	add := func(name, text string) {
		for i, doc := range strings.Split(text, "\n---\n") {
			out = append(out, source.File{Name: fmt.Sprintf("%s-%d.yaml", name, i), Data: []byte(doc + "\n")})
		}
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		add(strings.TrimSuffix(filepath.Base(name), ".yaml"), string(data))
	}
	add("more", `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: x, namespace: elsewhere}
spec: {endpointSelector: {}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: y
  namespace: elsewhere
spec: {
---
apiVersion: v1
kind: Pod
metadata: {name: some-mcp, namespace: elsewhere}
spec: {containers: [{name: a, image: acme/some-mcp, ports: [{containerPort: 3000}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: some-mcp, namespace: another}
spec: {containers: [{name: a, image: acme/some-mcp, ports: [{containerPort: 3000}]}]}`)
	return out
}

// said is all that an audit says of some servers, and its findings, a line each.
func said(servers []audit.Server, findings []finding.Finding) []byte {
	var b bytes.Buffer
	for _, srv := range servers {
		fmt.Fprintln(&b, srv.ID, srv.Kind, srv.Origin, srv.Ports, srv.Transport, srv.Evidence, srv.Catalog, srv.Grade, srv.Score, srv.Grades)
		for d, r := range srv.To {
			fmt.Fprintln(&b, blast.Dest(d), r.Verdict, r.Extent, r.Open, blast.Origins(r.Because))
			for _, t := range r.To {
				fmt.Fprintln(&b, t.CIDR, t.Except, t.Host, t.Pods, t.Name, t.Conns, t.Verdict, "if", t.When)
			}
		}
		for _, c := range srv.By {
			fmt.Fprintln(&b, c.Who, c.Names, c.Labels, c.Text, c.Conns, c.Verdict, "if", c.When)
		}
	}
	for _, f := range findings {
		fmt.Fprintln(&b, f.Rule, f.Severity, f.Server, f.CNI, f.Message, f.Origin, cmp.Or(f.Witness, &finding.Witness{}).To, f.Fix, f.Fingerprint)
	}
	return b.Bytes()
}

// TestOrder demands the same bytes for the same input, in whatever order its files are read and
// however often.
func TestOrder(t *testing.T) {
	files := documents(t)
	res := of(nil, files...)
	want := said(res.Servers, res.Findings)
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		res := of(nil, files...)
		if got := said(res.Servers, res.Findings); !bytes.Equal(got, want) {
			t.Fatalf("another order changes the outcome:\n%s", firstDifference(got, want))
		}
	}
}

func firstDifference(got, want []byte) string {
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d: %s, and %s before", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(a), len(b))
}

// TestSorted demands servers worst first and findings worst first, and counts that agree with them.
func TestSorted(t *testing.T) {
	res := of(nil, documents(t)...)
	if len(res.Servers) < 4 || len(res.Findings) < 10 || len(res.Problems) != 2 || res.Complete {
		t.Fatalf("%d servers, %d findings, %v", len(res.Servers), len(res.Findings), res.Problems)
	}
	worst := ""
	for i, s := range res.Servers {
		if i > 0 && s.Score < res.Servers[i-1].Score {
			t.Errorf("%s with %d points stands after %s with %d", s.ID, s.Score, res.Servers[i-1].ID, res.Servers[i-1].Score)
		}
		var its []finding.Finding
		for _, f := range res.Findings {
			if f.Server == s.ID {
				its = append(its, f)
			}
		}
		if score, grade := audit.Grade(its); score != s.Score || grade != s.Grade {
			t.Errorf("%s: %d %s, its findings make %d %s", s.ID, s.Score, s.Grade, score, grade)
		}
		worst = max(worst, s.Grade)
	}
	counts := map[string]int{"critical": 0, "high": 0, "medium": 0, "low": 0, "info": 0}
	for i, f := range res.Findings {
		counts[f.Severity.String()]++
		if i > 0 && f.Severity > res.Findings[i-1].Severity {
			t.Errorf("finding %d is worse than the one before it", i)
		}
	}
	if !maps.Equal(counts, res.Summary.BySeverity) || res.Summary.Grade != worst || res.Summary.Servers != len(res.Servers) {
		t.Errorf("summary %+v", res.Summary)
	}
}

func TestOnly(t *testing.T) {
	all := of(nil, documents(t)...)
	res := of(func(w *model.Workload) bool { return w.Namespace == "elsewhere" }, documents(t)...)
	if len(res.Servers) != 1 || res.Servers[0].ID != "elsewhere/some-mcp" || !slices.Equal(res.Problems, all.Problems) {
		t.Errorf("%+v", res.Servers)
	}
	i := slices.IndexFunc(all.Servers, func(s audit.Server) bool { return s.ID == "elsewhere/some-mcp" })
	if !bytes.Equal(said(res.Servers[:1], nil), said(all.Servers[i:i+1], nil)) {
		t.Error("what is left out changes what is judged")
	}
	for _, f := range res.Findings {
		if f.Server != "" && f.Server != "elsewhere/some-mcp" {
			t.Errorf("a finding about %s", f.Server)
		}
	}
	// That servers exist and are left out is no reason to say that there is none.
	if none := of(func(*model.Workload) bool { return false }, documents(t)...); !slices.Equal(none.Problems, all.Problems) {
		t.Errorf("%v", none.Problems)
	}
}

func TestGrade(t *testing.T) {
	of := func(rules ...string) []finding.Finding {
		var out []finding.Finding
		for _, r := range rules {
			id, severity, _ := strings.Cut(r, " ")
			sev, err := finding.ParseSeverity(severity)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, finding.Finding{Rule: id, Severity: sev})
		}
		return out
	}
	for _, tt := range []struct {
		findings []finding.Finding
		score    int
		grade    string
	}{
		{of(), 100, "A"},
		{of("a info"), 100, "A"},
		{of("a low", "b low", "c low"), 91, "A"},
		{of("a medium"), 92, "A"},
		{of("a medium", "b low"), 89, "B"},
		{of("a medium", "b medium"), 84, "B"},
		{of("a medium", "a medium", "a medium"), 92, "A"}, // each rule once
		{of("a medium", "b medium", "c medium"), 76, "C"},
		{of("a high"), 80, "C"}, // at best
		{of("a high", "b high"), 60, "D"},
		{of("a medium", "b medium", "c medium", "d medium"), 68, "D"},
		{of("a high", "b high", "c low"), 57, "F"},
		{of("a critical"), 60, "F"},                      // whatever else
		{of("a medium", "a critical", "a low"), 60, "F"}, // a rule counts at its worst
		{of("a critical", "b critical", "c critical"), 0, "F"},
	} {
		if score, grade := audit.Grade(tt.findings); score != tt.score || grade != tt.grade {
			t.Errorf("%v: %d %s, want %d %s", tt.findings, score, grade, tt.score, tt.grade)
		}
	}
}
