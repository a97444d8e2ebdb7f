package report

import (
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

var eight = []string{"a", "b", "c", "d", "e", "f", "g", "h"}

func TestOn(t *testing.T) {
	for _, tt := range []struct{ these, short, whole string }{
		{"a b c d e f g h", "", ""},
		{"a", "on a", "on a"},
		{"a c", "on a and c", "on a and c"},
		{"a b c", "on a, b and c", "on a, b and c"},
		{"a b c d", "on a, b and 2 more", "on a, b, c and d"},
		{"b c d e f", "not on a, g and h", "not on a, g and h"},
		{"b c d e f g h", "not on a", "not on a"},
	} {
		these := strings.Fields(tt.these)
		if got := (plugins{eight, false}).on(these); got != tt.short {
			t.Errorf("%s: %q, want %q", tt.these, got, tt.short)
		}
		if got := (plugins{eight, true}).on(these); got != tt.whole {
			t.Errorf("%s: %q, want %q", tt.these, got, tt.whole)
		}
	}
	if got := (plugins{eight, false}).only([]string{"a"}); got != "only on a" {
		t.Error(got)
	}
	if got := (plugins{eight, false}).only(eight[1:]); got != "not on a" {
		t.Error(got)
	}
}

func TestGradesByPlugin(t *testing.T) {
	by := map[string]string{"a": "B", "b": "F", "c": "B", "d": "B", "e": "B", "f": "F", "g": "C", "h": "B"}
	if got, want := (plugins{eight, false}).grades(by), "F on b and f; C on g; B on the other 5"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (plugins{eight, true}).grades(by), "F on b and f; C on g; B on a, c, d, e and h"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWitnessOnce demands that a witness stands below a finding where the message does not say all of it.
func TestWitnessOnce(t *testing.T) {
	a := auditText{plugins: plugins{eight, false}}
	for _, tt := range []struct {
		message string
		cni     []string
		witness finding.Witness
		want    string
	}{
		{"it can reach 169.254.169.254:80", nil, finding.Witness{From: "ns/x", To: "169.254.169.254", Port: 80, Protocol: "TCP"}, ""},
		{"it can reach 169.254.169.254:8080", nil, finding.Witness{From: "ns/x", To: "169.254.169.254", Port: 80, Protocol: "TCP"}, "ns/x -> 169.254.169.254:80/TCP"},
		{"it can reach 169.254.169.254:80", nil, finding.Witness{From: "ns/y", To: "169.254.169.254", Port: 80, Protocol: "TCP"}, "ns/y -> 169.254.169.254:80/TCP"},
		{"it can reach it", nil, finding.Witness{From: "ns/x", To: "fd00::1", Port: 80, Protocol: "TCP"}, "ns/x -> [fd00::1]:80/TCP"},
		{"it can reach nodes on any port", nil, finding.Witness{From: "ns/x", To: "nodes", Port: 1, Protocol: "TCP"}, ""},
		{"it can reach nodes on any port", nil, finding.Witness{From: "ns/x", To: "nodes", Port: 1, World: "it rains"}, "ns/x -> nodes:1/, if it rains"},
		{"it can reach nodes on any port", []string{"a", "b"}, finding.Witness{From: "ns/x", To: "nodes", Port: 1, World: "the cluster runs a or b"}, ""},
		{"it can reach all", []string{"a", "b"}, finding.Witness{From: "ns/x", To: "nodes", World: "the cluster runs a or b, and it rains"}, "ns/x -> nodes, if it rains"},
		{"anybody can call it", nil, finding.Witness{From: "any pod", To: "ns/x"}, "any pod -> ns/x"},
	} {
		if got := a.witness(finding.Finding{Message: tt.message, Server: "ns/x", CNI: tt.cni, Witness: &tt.witness}); got != tt.want {
			t.Errorf("%s, %+v: %q, want %q", tt.message, tt.witness, got, tt.want)
		}
	}
}

func target(t audit.Target, worlds reach.Worlds, cond string) audit.Target {
	t.Conns, t.Verdict = netset.AllConns.Parts(), reach.Depends
	t.Under = audit.Under{Worlds: worlds, Base: reach.Allowed, If: cond}
	if cond != "" {
		t.Base = reach.Depends
	}
	return t
}

// worlds is an audit of a server under three plugins: to is what it reaches of nodes and of other namespaces.
func worlds(nodes, pods []audit.Target) audit.Server {
	srv := audit.Server{Namespace: "ns", Name: "x", Kind: "Pod", Grade: "C", Reach: map[string]audit.Reach{}}
	for _, d := range blast.Dests {
		srv.Reach[d.String()] = audit.Reach{Verdict: reach.Denied}
	}
	for d, to := range map[blast.Dest][]audit.Target{blast.Nodes: nodes, blast.OtherNamespaces: pods} {
		if to != nil {
			srv.Reach[d.String()] = audit.Reach{Verdict: reach.Depends, Extent: blast.Some, To: to}
		}
	}
	return srv
}

func TestReachByPlugin(t *testing.T) {
	names := []string{"a", "b", "c"}
	for _, tt := range []struct {
		name               string
		nodes, pods        []audit.Target
		can, a, b, c, foot string
	}{
		{name: "one plugin", nodes: []audit.Target{target(audit.Target{CIDR: "10.0.0.1/32"}, 1, "")},
			can: "nodes (10.0.0.1 on any port; only on a)", a: "10.0.0.1 on any port", b: "denied", c: "denied"},
		{name: "its own node", nodes: []audit.Target{target(audit.Target{Name: "nodes"}, 3, reach.OwnNode)},
			can: "its own node (not on c)", a: "own node only", b: "own node only", c: "denied"},
		{name: "its own node and another", nodes: []audit.Target{target(audit.Target{CIDR: "10.0.0.1/32"}, 7, ""), target(audit.Target{CIDR: "10.0.0.2/32"}, 1, reach.OwnNode)},
			can: "nodes (10.0.0.1 on any port)", a: "10.0.0.1 on any port; its own node", b: "10.0.0.1 on any port", c: "10.0.0.1 on any port"},
		{name: "a condition on one", pods: []audit.Target{target(audit.Target{Pods: "db/pg"}, 1, ""), target(audit.Target{Pods: "db/pg"}, 2, "it rains")},
			can: "other namespaces (in part; not on c)", a: "db/pg on any port", b: "db/pg on any port if [1]", c: "denied", foot: "it rains"},
		{name: "a condition on all", pods: []audit.Target{target(audit.Target{Pods: "db/pg"}, 7, "it rains")},
			can: "other namespaces (if it rains)", a: "db/pg on any port if [1]", b: "db/pg on any port if [1]", c: "db/pg on any port if [1]", foot: "it rains"},
		{name: "pods that do not exist", pods: []audit.Target{target(audit.Target{Pods: "any new pod in any namespace", New: true}, 1, ""), target(audit.Target{Pods: "db/pg"}, 2, "")},
			can: "other namespaces (in part; not on c)", a: "new pods on any port", b: "db/pg on any port", c: "denied"},
	} {
		srv := worlds(tt.nodes, tt.pods)
		a := auditText{plugins: plugins{names, false}}
		if can, _ := a.destinations(srv); can != tt.can {
			t.Errorf("%s: can reach %q, want %q", tt.name, can, tt.can)
		}
		d, row := blast.Nodes, 2
		if tt.pods != nil {
			d, row = blast.OtherNamespaces, 6
		}
		doc := a.table(srv)
		got := doc[0].(Table).Rows[row]
		if want := []string{destinationNames[d], tt.a, tt.b, tt.c}; strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
		if notes, ok := doc[1].(Notes); ok != (tt.foot != "") || ok && notes[0].Text != "if "+tt.foot {
			t.Errorf("%s: notes %v", tt.name, doc[1])
		}
	}
}

// TestUnknownCell demands that what could not be judged is never a plugin's "denied".
func TestUnknownCell(t *testing.T) {
	unknown := target(audit.Target{Pods: "db/pg"}, 2, "a policy that could not be judged lets it")
	unknown.Base, unknown.Verdict = reach.Unknown, reach.Unknown
	srv := worlds(nil, []audit.Target{target(audit.Target{Pods: "db/pg"}, 1, ""), unknown})
	row := auditText{plugins: plugins{[]string{"a", "b"}, false}}.table(srv)[0].(Table).Rows[6]
	if row[1] != "db/pg on any port" || row[2] != "unknown" {
		t.Errorf("%q", row)
	}
}

// TestAlike demands that servers that are alike stand together, and that what is the same of others is not said twice.
func TestAlike(t *testing.T) {
	one, two, three := worlds(nil, nil), worlds(nil, nil), worlds([]audit.Target{target(audit.Target{CIDR: "10.0.0.1/32"}, 3, "")}, nil)
	for i, srv := range []*audit.Server{&one, &two, &three} {
		srv.Origin = origin.Origin{File: "a.yaml", Line: 1 + i}
	}
	a := auditText{plugins: plugins{[]string{"a", "b"}, false}, said: map[string]string{}}
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

// TestFold demands one note a rule where there are more findings than are shown, and that none goes unmentioned.
func TestFold(t *testing.T) {
	var fs []finding.Finding
	for _, rule := range []string{"TM1", "TM1", "TM1", "TM2", "TM3", "TM3"} {
		fs = append(fs, finding.Finding{Rule: rule, Severity: finding.High, Message: string(rune('a' + len(fs))), Server: "ns/x"})
	}
	srv := worlds(nil, nil)
	show := func(most int, verbose bool) string {
		c := together([]audit.Server{srv}, nil)
		c.add(srv, fs)
		var out []string
		for _, n := range (auditText{plugins{eight, verbose}, Options{Verbose: verbose}, map[string]string{}}).findings(c, most)[0].(Notes) {
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
