package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/analysis/query"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; -update writes\n%s", path, got)
	}
}

func input(t *testing.T) *reach.Program {
	t.Helper()
	data, err := os.ReadFile("testdata/input.yaml")
	if err != nil {
		t.Fatal(err)
	}
	snap := source.LoadFiles(source.File{Name: "input.yaml", Data: data})
	if len(snap.Problems) > 0 {
		t.Fatal(snap.Problems)
	}
	return reach.Assuming(reach.NewGround(snap), reach.Typical, cni.Profiles[0])
}

var basis = Basis{CNI: []string{"spec"}, Complete: true, Assumptions: []string{"policies mean what they say", "only TCP, UDP and SCTP are judged"}}

func rendered(t *testing.T, d Document, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, d, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestMapGolden(t *testing.T) {
	m := matrix.Of(input(t))
	for name, write := range map[string]func(*bytes.Buffer) error{
		"map.txt": func(b *bytes.Buffer) error { return Text(b, Map(m, basis, false, Options{}), Options{}) },
		"map-verbose.txt": func(b *bytes.Buffer) error {
			o := Options{Verbose: true, Color: true}
			return Text(b, Map(m, basis, false, o), o)
		},
		"map-expanded.txt": func(b *bytes.Buffer) error { return Text(b, Map(m, basis, true, Options{}), Options{}) },
		"map.json":         func(b *bytes.Buffer) error { return MapJSON(b, m, basis, false) },
		"map.csv":          func(b *bytes.Buffer) error { return MapCSV(b, m) },
		"map.dot":          func(b *bytes.Buffer) error { return MapDOT(b, m, false) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

func TestMapJSONIsOneObject(t *testing.T) {
	for name, m := range map[string]*matrix.Matrix{"input": matrix.Of(input(t)), "nothing": matrix.Of(reach.Assuming(reach.NewGround(source.LoadFiles()), reach.Typical, cni.Profiles[0]))} {
		for _, expand := range []bool{false, true} {
			var b bytes.Buffer
			if err := MapJSON(&b, m, Basis{}, expand); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Schema      string
				Problems    []finding.Problem
				Groups      []matrix.Group
				Connections []struct {
					From, To string
					Conns    []struct{ Protocol, Ports string }
				}
			}
			dec := json.NewDecoder(&b)
			dec.DisallowUnknownFields()
			if err := json.Unmarshal(b.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, b.String())
			}
			edges := 0
			rows, _ := rowsOf(m, expand)
			for range matrix.Edges(rows) {
				edges++
			}
			if got.Schema != MapSchema || got.Problems == nil || got.Groups == nil || got.Connections == nil || len(got.Connections) != edges {
				t.Errorf("%s: %d connections of %d edges, %+v", name, len(got.Connections), edges, got)
			}
		}
	}
}

// TestMapJSONNamesPlugins demands of every connection its verdict, and the plugins under which it
// passes where these are not all.
func TestMapJSONNamesPlugins(t *testing.T) {
	named, err := cni.Named("calico,cilium")
	if err != nil {
		t.Fatal(err)
	}
	ground := reach.NewGround(source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(`
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x, labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: z, labels: {app: z}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: a, name: x}, spec: {endpointSelector: {matchLabels: {app: x}}, ingress: [{fromEndpoints: [{matchLabels: {app: none}}]}]}}
`)}))
	var b bytes.Buffer
	if err := MapJSON(&b, matrix.Of(reach.Assuming(ground, reach.Typical, named...)), Basis{}, true); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Connections []struct {
			From, To, Verdict, When string
			CNI                     []string
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, c := range got.Connections {
		if c.Verdict == "" || (c.CNI != nil) != strings.Contains(c.When, "the cluster runs ") {
			t.Errorf("%+v", c)
		}
		seen[c.From+" "+c.To] += fmt.Sprint(c.Verdict, " ", c.CNI)
	}
	if to, from := seen["a/Pod/z a/Pod/x"], seen["a/Pod/x a/Pod/z"]; to != "depends [calico]" || from != "allowed []" {
		t.Errorf("to the isolated pod %q, from it %q", to, from)
	}
}

func TestCanGolden(t *testing.T) {
	p := input(t)
	var text bytes.Buffer
	for i, ask := range [][2]string{
		{"mcp/server", "169.254.169.254:80"},
		{"mcp/gateway", "mcp/server:3000"},
		{"mcp/gateway", "mcp/Service/server:80"},
		{"mcp/server", "api.example.com:443"},
		{"data/db", "mcp/server"},
		{"mcp/server", "data/Service/db:1"},
		{"198.51.100.9", "mcp/server:3000"},
		{"mcp/server", "[2001:db8::1]:443"},
		{"mcp/server", "kubernetes.default.svc:443"},
	} {
		q, err := query.Parse(ask[0], ask[1])
		if err != nil {
			t.Fatal(err)
		}
		a, err := query.Ask(p, q)
		if err != nil {
			fmt.Fprintf(&text, "error: %v\n\n", err)
			continue
		}
		text.Write(rendered(t, CanText(a, basis, Options{}), Options{}))
		text.WriteString("\n")
		if i < 2 {
			var b bytes.Buffer
			if err := JSON(&b, Can(a, basis)); err != nil {
				t.Fatal(err)
			}
			golden(t, fmt.Sprintf("can-%d.json", i), b.Bytes())
		}
	}
	golden(t, "can.txt", text.Bytes())
}

// TestCanWorldsGolden asks where plugins differ: in the verdict, and in the reasons for one.
func TestCanWorldsGolden(t *testing.T) {
	profiles, err := cni.Named("cilium,calico,aws-vpc-cni,none")
	if err != nil {
		t.Fatal(err)
	}
	p := reach.Assuming(input(t).Ground, reach.Typical, profiles...)
	var text bytes.Buffer
	for i, ask := range [][2]string{
		{"mcp/server", "data/StatefulSet/db:443"},
		{"mcp/server", "mcp/Service/server:80"},
		{"mcp/gateway", "mcp/Service/server:80"},
		{"mcp/server", "169.254.169.254:80"},
	} {
		q, err := query.Parse(ask[0], ask[1])
		if err != nil {
			t.Fatal(err)
		}
		a, err := query.Ask(p, q)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(rendered(t, CanText(a, basis, Options{}), Options{}))
		text.WriteString("\n")
		if i == 0 {
			var b bytes.Buffer
			if err := JSON(&b, Can(a, basis)); err != nil {
				t.Fatal(err)
			}
			golden(t, "can-worlds.json", b.Bytes())
		}
	}
	golden(t, "can-worlds.txt", text.Bytes())
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain, größe 世界":     "plain, größe 世界",
		"\x1b[31mred":         `\x1b[31mred`,
		"a\nb\tc\r":           `a\x0ab\x09c\x0d`,
		"\u202egnp.exe":       `\u202egnp.exe`,
		"zero\u200bwidth":     `zero\u200bwidth`,
		"\u009b31m":           `\u009b31m`,
		"\xffbad\xc3":         `\xffbad\xc3`,
		"\ufffd":              "\ufffd",
		"\U000e0041tag":       `\U000e0041tag`,
		"line\u2028separator": `line\u2028separator`,
		"del\x7f":             `del\x7f`,
		"":                    "",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// FuzzClean demands that what is cleaned is printable, and not cleaned again.
func FuzzClean(f *testing.F) {
	f.Add("a\x1b[0m\u202e\xff世")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) || Clean(got) != got {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// hostile is a document in which every text tries to be more than text.
func hostile(s string) Document {
	return Document{Heading{Mark: s, Text: s, Aside: s}, Paragraph{Text: s}, Notes{{Label: s, Text: s, Below: []string{s}}}, Fields{{Name: s, Text: s}},
		Table{Header: []string{s, s}, Rows: [][]string{{s, s}, {s}, {}, {s, s, s}}, Stream: slices.Values([][]string{{s, s}})}}
}

// FuzzText demands that no renderer lets anything through, and that tables keep to the width.
func FuzzText(f *testing.F) {
	f.Add("a\x1b[31m b", 40)
	f.Add(strings.Repeat("mcp-workloads/Deployment/", 20), 100)
	f.Add("\u202e\n\xff世界 世界", 20)
	f.Fuzz(func(t *testing.T, s string, width int) {
		if len(s) > 2000 {
			return
		}
		width = 20 + (width&0xff)%180
		var b bytes.Buffer
		if err := Text(&b, hostile(s), Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q lets %q through", s, line)
			}
		}
		b.Reset()
		Text(&b, Document{hostile(s)[4]}, Options{Width: width})
		for line := range strings.Lines(b.String()) {
			if n := columns(strings.TrimSuffix(line, "\n")); n > width+1 { // a wide character may stand half beyond
				t.Errorf("%q: a table line of %d columns in %d: %q", s, n, width, line)
			}
		}
	})
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	in := map[string]string{"b<>&": "\u202e\u009b\x1b\U000e0041\x7f", "a": "größe\n"}
	if err := JSON(&b, in); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"a\": \"größe\\n\",\n  \"b<>&\": \"\\u202e\\u009b\\u001b\\udb40\\udc41\\u007f\"\n}\n"
	if b.String() != want {
		t.Errorf("got %s, want %s", b.String(), want)
	}
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["b<>&"] != in["b<>&"] {
		t.Errorf("read back %q, %v", back, err)
	}
	if err := JSON(&b, func() {}); err == nil {
		t.Error("a function was written")
	}
}

func TestCells(t *testing.T) {
	for in, want := range map[string]string{"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "a=b": "a=b", "": "", "\t=1": `\x09=1`, "::/0": "::/0"} {
		if got := cell(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	var b bytes.Buffer
	if err := MapCSV(&b, matrix.Of(input(t))); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) < 10 || len(rows[0]) != 6 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{`a"b`: `"a\"b"`, `a\N`: `"a\\N"`, "a\nb": `"a\\x0ab"`, `\"`: `"\\\""`} {
		if got := quoted(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestTextLayout(t *testing.T) {
	d := Document{
		Heading{Mark: "F", Tone: Bad, Text: "mcp/server", Aside: "a server with quite a lot to say about itself"},
		Fields{{Name: "can reach", Text: "everything that there is to reach and more than that"}, {Name: "by", Text: "x"}},
		Notes{{Label: "high", Tone: Bad, Text: "this goes on for longer than the line is wide", Below: []string{"fix: do something about it, and soon"}}},
		Heading{},
		Table{Header: []string{"FROM", "TO", "EMPTY"}, Rows: [][]string{{"one", "a-very-long-name/with-parts/of-which-one-is-long"}, {"one", "two"}, {"three"}}},
		Table{Header: []string{"ALONE"}},
	}
	golden(t, "layout.txt", append(rendered(t, d, Options{Width: 40}), rendered(t, d[:2], Options{Color: true})...))
}

// TestLongWord demands that a word of any length is broken in a time that does not grow with its
// square.
func TestLongWord(t *testing.T) {
	got := rendered(t, Document{Table{Header: []string{"A"}, Rows: [][]string{{strings.Repeat("x", 4<<20)}}}}, Options{})
	if n := bytes.Count(got, []byte("x")); n != 4<<20 {
		t.Errorf("%d of the word are left", n)
	}
}

// TestStream demands that rows beyond those that are measured keep the columns.
func TestStream(t *testing.T) {
	rows := func(yield func([]string) bool) {
		for i := range 3 * measured {
			if !yield([]string{fmt.Sprint(i), strings.Repeat("x", i%30)}) {
				return
			}
		}
	}
	lines := strings.Split(string(rendered(t, Document{Table{Header: []string{"N", "X"}, Stream: rows}}, Options{})), "\n")
	if len(lines) != 3*measured+2 || !strings.HasPrefix(lines[700], "  699  ") {
		t.Errorf("%d lines, %q", len(lines), lines[min(700, len(lines)-1)])
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestWriteErrors(t *testing.T) {
	m := matrix.Of(input(t))
	for name, err := range map[string]error{
		"text": Text(brokenPipe{}, Map(m, basis, false, Options{}), Options{}), "json": JSON(brokenPipe{}, 1), "map json": MapJSON(brokenPipe{}, m, basis, false),
		"csv": MapCSV(brokenPipe{}, m), "dot": MapDOT(brokenPipe{}, m, false),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestProblemsAreShown(t *testing.T) {
	b := Basis{Problems: []finding.Problem{{Rule: "TM901", Message: "cannot be read", Hint: "mend it", Origin: origin.Origin{File: "a.yaml", Line: 3}}}}
	got := string(rendered(t, Map(matrix.Of(input(t)), b, false, Options{}), Options{}))
	for _, want := range []string{"Incomplete", "TM901", "a.yaml:3", "mend it"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}
