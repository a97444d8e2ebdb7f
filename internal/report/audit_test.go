package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// under is the text of an audit under some CNIs, of nothing.
func under(t *testing.T, names string, text string) auditText {
	t.Helper()
	profiles, err := cni.Named(names)
	if err != nil {
		t.Fatal(err)
	}
	s := source.LoadFiles(source.File{Name: "a.yaml", Data: []byte(text)})
	s.Servers = discover.Servers(s)
	return auditText{audit.Of(reach.Assuming(reach.NewGround(s), reach.Typical, profiles...), nil), Options{}, map[string]string{}}
}

func TestGradesByCNI(t *testing.T) {
	a := under(t, "antrea,azure-npm,calico,cilium,gke-dpv2,aks-cilium", "")
	by := map[string]string{"antrea": "B", "azure-npm": "F", "calico": "B", "cilium": "C", "gke-dpv2": "C", "aks-cilium": "C"}
	if got, want := a.grades(by), "F only on azure-npm; C only on Cilium; B on the others"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWitnessOnce demands that a witness stands below a finding where the message does not say all
// of it.
func TestWitnessOnce(t *testing.T) {
	for _, tt := range []struct {
		message string
		witness finding.Witness
		want    string
	}{
		{"it can reach 169.254.169.254:80", finding.Witness{From: "ns/x", To: "169.254.169.254", Port: 80, Protocol: "TCP"}, ""},
		{"it can reach 169.254.169.254:8080", finding.Witness{From: "ns/x", To: "169.254.169.254", Port: 80, Protocol: "TCP"}, "ns/x -> 169.254.169.254:80/TCP"},
		{"it can reach 169.254.169.254:80", finding.Witness{From: "ns/y", To: "169.254.169.254", Port: 80, Protocol: "TCP"}, "ns/y -> 169.254.169.254:80/TCP"},
		{"it can reach it", finding.Witness{From: "ns/x", To: "fd00::1", Port: 80, Protocol: "TCP"}, "ns/x -> [fd00::1]:80/TCP"},
		{"it can reach nodes on any port", finding.Witness{From: "ns/x", To: "nodes", Port: 1, Protocol: "TCP", World: "it rains"}, ""},
		{"anybody can call it", finding.Witness{From: "any pod", To: "ns/x"}, "any pod -> ns/x"},
	} {
		if got := witness(finding.Finding{Message: tt.message, Server: "ns/x", Witness: &tt.witness}); got != tt.want {
			t.Errorf("%s, %+v: %q, want %q", tt.message, tt.witness, got, tt.want)
		}
	}
}

// server is an audited server: to is what it reaches of a class of destinations, with verdicts left
// to be filled in.
func server(p *reach.Program, d blast.Dest, to ...blast.Target) audit.Server {
	srv := audit.Server{ID: "ns/x", Namespace: "ns", Name: "x", Kind: "Pod", Grade: "C"}
	for other := range srv.To {
		srv.To[other].Verdict = reach.Denied
	}
	if to == nil {
		return srv
	}
	for i := range to {
		to[i].Dest, to[i].Conns, to[i].Verdict = d, netset.AllConns, p.Verdict(to[i].When)
	}
	srv.To[d] = blast.Reach{Verdict: reach.Depends, Extent: blast.Some, To: to}
	return srv
}

func TestReachByCNI(t *testing.T) {
	a := under(t, "antrea,calico,cilium", "")
	p := a.res.Program
	rain := p.Enters("x", reach.AtNode)
	on := func(bits reach.Worlds) when.When { return p.On(bits) }
	const foot = "if the connection enters at a node, which policies then see as its source"
	for _, tt := range []struct {
		name       string
		to         []blast.Target
		can        string
		a, b, c    string
		conditions int
	}{
		{"one CNI", []blast.Target{{Pods: "db/pg", When: on(1)}}, "other namespaces: db/pg on any port; only on antrea", "db/pg on any port", "denied", "denied", 0},
		{"a condition on one", []blast.Target{{Pods: "db/pg", When: on(1).Or(on(2).And(rain))}},
			"other namespaces: db/pg on any port|not on cilium|on calico only if the connection enters at a node, which policies then see as its source",
			"db/pg on any port", "db/pg on any port [1]", "denied", 1},
		{"a condition on all", []blast.Target{{Pods: "db/pg", When: rain}}, "other namespaces: db/pg on any port|" + foot,
			"db/pg on any port [1]", "db/pg on any port [1]", "db/pg on any port [1]", 1},
		{"more under a condition", []blast.Target{{Pods: "db/pg", When: rain}, {Pods: "db/my", When: when.Always}}, "other namespaces: db/my on any port",
			"db/my on any port; also db/pg [1]", "db/my on any port; also db/pg [1]", "db/my on any port; also db/pg [1]", 1},
		{"pods that do not exist", []blast.Target{{Pods: "any new pod in any namespace", New: true, When: on(1)}, {Pods: "db/pg", When: on(2)}},
			"other namespaces: db/pg on any port; only on calico", "new pods on any port", "db/pg on any port", "denied", 0},
	} {
		srv := server(p, blast.OtherNamespaces, tt.to...)
		f := a.destinations(srv)[0]
		if got := strings.Join(append([]string{f.Text}, f.Below...), "|"); got != tt.can {
			t.Errorf("%s: can reach %q, want %q", tt.name, got, tt.can)
		}
		doc := a.table(srv)
		got := doc[0].(Table).Rows[blast.OtherNamespaces]
		if want := []string{"other namespaces", tt.a, tt.b, tt.c}; strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
		if notes, _ := doc[1].(Notes); len(notes) != tt.conditions || tt.conditions > 0 && notes[0].Text != foot {
			t.Errorf("%s: notes %v", tt.name, doc[1])
		}
	}
}

// TestOwnNode demands that what is on a server's own node alone stands apart.
func TestOwnNode(t *testing.T) {
	a := under(t, "aws-vpc-cni,calico", `
{apiVersion: v1, kind: Pod, metadata: {namespace: ns, name: x, annotations: {toolmoat.dev/server: "true"}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: ns, name: all}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
`)
	srv := a.res.Servers[0]
	if f := a.destinations(srv); len(f) != 2 || f[0].Text != "on its own node alone: the Kubernetes API, nodes; only on aws-vpc-cni" {
		t.Errorf("%q", f)
	}
	if f := a.callers(srv.By); len(f) != 1 || f[0].Text != "no pods (only the node it runs on)" {
		t.Errorf("%q", f)
	}
	if row := a.table(srv)[0].(Table).Rows[blast.Nodes]; row[1] != "own node only" || row[2] != "denied" {
		t.Errorf("%q", row)
	}
}

// TestUnknownCell demands that what could not be judged is never a CNI's "denied".
func TestUnknownCell(t *testing.T) {
	a := under(t, "antrea,calico", "")
	p := a.res.Program
	srv := server(p, blast.OtherNamespaces, blast.Target{Pods: "db/pg", When: p.On(1)}, blast.Target{Pods: "db/my", When: p.On(2).And(p.Doubt("it rains"))})
	if row := a.table(srv)[0].(Table).Rows[blast.OtherNamespaces]; row[1] != "db/pg on any port" || row[2] != "unknown" {
		t.Errorf("%q", row)
	}
}

// TestAuditJSON demands JSON in which a list without items is written as one, and each condition in
// both forms.
func TestAuditJSON(t *testing.T) {
	a := under(t, "antrea,calico", "")
	for _, conditional := range []bool{false, true} {
		if p := a.res.Program; conditional {
			a.res.Servers = []audit.Server{server(p, blast.Internet, blast.Target{Host: "x", When: p.On(1)}), server(p, blast.Internet)}
			a.res.Findings = []finding.Finding{{Rule: "TM101"}, {Rule: "TM102"}}
		}
		var b bytes.Buffer
		if err := AuditJSON(&b, a.res); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "null") || !json.Valid(b.Bytes()) {
			t.Errorf("%s", b.String())
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, b.Bytes()); err != nil {
			t.Fatal(err)
		}
		const condition = `"when":"the cluster runs antrea","if":[[{"fact":"CNI","answer":"antrea"}]]`
		if strings.Contains(compact.String(), condition) != conditional {
			t.Errorf("%s", b.String())
		}
	}
	if err := AuditJSON(brokenPipe{}, a.res); err == nil {
		t.Error("no error")
	}
}

// TestAlike demands that servers that are alike stand together, and that what is the same of others
// is not said twice.
func TestAlike(t *testing.T) {
	a := under(t, "antrea,calico", "")
	p := a.res.Program
	one, two, three := server(p, blast.Nodes), server(p, blast.Nodes), server(p, blast.Nodes, blast.Target{Name: "nodes", When: p.On(1)})
	for i, srv := range []*audit.Server{&one, &two, &three} {
		srv.Origin = origin.Origin{File: "a.yaml", Line: 1 + i}
	}
	blocks := a.alike([]audit.Server{one, three, two})
	if len(blocks) != 2 || len(blocks[0].servers) != 2 || len(blocks[1].servers) != 1 {
		t.Fatalf("%d blocks", len(blocks))
	}
	same := finding.Finding{Rule: "TM101", Severity: finding.High, Message: "the same", Server: "ns/x"}
	own := same
	own.Message = "its own"
	c := together([]audit.Server{one, two}, nil)
	c.add(one, []finding.Finding{same, own})
	c.add(two, []finding.Finding{same})
	notes := a.findings(c, 8)[0].(Notes)
	if len(notes) != 2 || notes[0].Text != "the same" || !strings.HasSuffix(notes[1].Text, ": its own") {
		t.Errorf("%v", notes)
	}
	c = together([]audit.Server{three}, nil)
	c.add(three, []finding.Finding{same})
	if notes = a.findings(c, 4)[0].(Notes); len(notes) != 1 || !strings.HasPrefix(notes[0].Label, "as for ") || !strings.HasSuffix(notes[0].Label, "above: TM101") {
		t.Errorf("%v", notes)
	}
}

// TestFold demands one note a rule where there are more findings than are shown, and that none goes
// unmentioned.
func TestFold(t *testing.T) {
	var fs []finding.Finding
	for _, rule := range []string{"TM1", "TM1", "TM1", "TM2", "TM3", "TM3"} {
		fs = append(fs, finding.Finding{Rule: rule, Severity: finding.High, Message: string(rune('a' + len(fs))), Server: "ns/x"})
	}
	a := under(t, "antrea", "")
	srv := server(a.res.Program, blast.Nodes)
	show := func(most int, verbose bool) string {
		c := together([]audit.Server{srv}, nil)
		c.add(srv, fs)
		var out []string
		for _, n := range (auditText{a.res, Options{Verbose: verbose}, map[string]string{}}).findings(c, most)[0].(Notes) {
			out = append(out, n.Text+strings.Join(n.Aside, ""))
		}
		return strings.Join(out, "|")
	}
	for most, want := range map[int]string{
		6: "a|b|c|d|e|f",
		5: "aand 2 more of TM1|d|eand 1 more of TM3",
		2: "aand 2 more of TM1|d|and 2 more findings: --verbose",
	} {
		if got := show(most, false); got != want {
			t.Errorf("%d: %q, want %q", most, got, want)
		}
	}
	if got := show(2, true); got != "a|b|c|d|e|f" {
		t.Errorf("verbose: %q", got)
	}
}
