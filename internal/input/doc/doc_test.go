package doc_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// summary writes each document as "line" or "line!error-line".
func summary(t *testing.T, text string) string {
	t.Helper()
	docs, err := doc.Documents([]byte(text))
	if err != nil {
		return "whole: " + err.Error()
	}
	var out []string
	for d := range docs {
		s := fmt.Sprint(d.Line)
		if d.Err != nil {
			s = fmt.Sprintf("%d!%d", d.Line, d.Err.Line)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestStream(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"comments", "# a\n---\n# b\n---\n", ""},
		{"one", "a: b\n", "1"},
		{"two", "a: b\n---\nc: d\n", "1 3"},
		{"leading comment", "# hello\n\n---\na: b\n", "4"},
		{"marker with content", "--- {a: b}\n--- # c\nd: e\n", "1 3"},
		{"a broken one between", "a: b\n---\na: [\n---\nc: d\n", "1 2!3 5"},
		{"crlf", "a: b\r\n---\r\nc: d\r\n", "1 3"},
		{"byte order mark", "\ufeffa: b\n", "1"},
		{"joined files with marks", "a: b\n\ufeff---\nc: d\n", "1 3"},
		{"mark in a key", "a: b\n\ufeffc: d\n", "1!2"},
		{"end marker", "a: b\n...\nc: d\n...\n", "1 3"},
		{"directives", "%YAML 1.2\n---\na: b\n...\n%YAML 1.1\n%TAG ! !x\n---\nc: d\n", "3 8"},
		{"no marker", "---foo: b\n", "1"},
		{"marker in a block", "a: |\n  x\n  ---\n  y\n", "1"},
		{"control", "a: b\n---\nc: \x07\n---\ne: f\n", "1 2!3 5"},
		{"nul", "a: \x00\n", "1!1"},
		{"utf-16", "a\x00:\x00 \x00b\x00\n\x00", "1!1"},
		{"invalid utf-8", "a: b\nc: \xff\n", "whole: line 2: not valid UTF-8 text"},
		{"bare carriage returns", "a: b\r---\rc: d\r", "1!1"},
		{"line separators", "a: 'b\u2028\u0085c'\n---\n# \u2029\nd: e\nd: f\n", "1 2!5"},
		{"a marker after a line separator", "a: b\u2028---\u2028c: d\n", "1!1"},
		{"a comment that ends at a line separator", "# c\u2028a: 1\nb: 2\na: 3\n", "1!3"},
		{"trailing text", "{a: b} c\n", "1!1"},
		{"json", "{\"a\": 1}\n{\"b\": 2}\n", "1 2"},
		{"json on many lines", "\n\n{\n\"a\": 1\n}\n\n{}{\"b\":\n2}", "3 7 7"},
		{"json after markers", "---\n{\"a\": 1}\n---\n{\"b\": 1}", "2 4"},
		{"json broken", "{\"a\": 1\n\"b\": 2}", "1!2"},
		{"json cut short", "{\"a\": [1, 2\n", "1!2"},
		{"json then text", "{\"a\": 1} x", "1!1"},
		{"flow yaml", "{a: 1, b: [c]}\n", "1"},
		{"json with a trailing comma is yaml", "{\"a\": 1,}\n", "1"},
		{"template", "{{ if .x }}\na: b\n{{ end }}\n", "1!2"},
		{"duplicate key", "a: 1\nb: 2\na: 3\n", "1!3"},
		{"duplicate key by meaning", "8080: 1\n0x1f90: 3\n", "1!2"},
		{"duplicate json key", "{\"a\": 1,\n\"\\u0061\": 2}", "1!2"},
		{"null key", "~: 1\n", "1!1"},
		{"map as key", "{a: b}: 1\n", "1!1"},
		{"alias cycle", "a: &x\n  b: *x\n", "1!2"},
		{"unknown alias", "a: *x\n", "1!1"},
		{"unknown alias further down", "a: 1\n---\n# *x\na: '2 *xy'\nb: [1 *x, *x]\n", "1 2!5"},
		{"alias before its anchor", "# c\n---\na: 1\nb: *x\nc: &x 1\n", "1!4"},
		{"C1 control", "a: 1\n---\nb: 1\nc: \u0081\n", "1 2!4"},
		{"alias", "a: &x [1]\nb: *x\n", "1"},
		{"merge", "a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n", "1"},
		{"merge after the key, the same", "a: &x {b: 1}\nc:\n  b: 1\n  <<: *x\n", "1"},
		{"merge after the key, another", "a: &x {b: 1}\nc:\n  b: 2\n  <<: *x\n", "1!4"},
		{"merge of a text", "c:\n  <<: x\n", "1!2"},
		{"list", "kind: List\napiVersion: v1\nitems:\n- a: b\n- c: d\n", "4 5"},
		{"list, one item broken", "kind: List\napiVersion: v1\nitems:\n- a: b\n  a: c\n- c: d\n", "4!5 6"},
		{"list in a list", "kind: List\napiVersion: v1\nitems:\n- {kind: List, apiVersion: v1, items: [{a: b}]}\n- c: d\n", "4 5"},
		{"empty list", "kind: List\napiVersion: v1\nitems: []\n", "1"},
		{"one page of a list", "kind: List\napiVersion: v1\nmetadata: {continue: x}\nitems:\n- a: b\n", "5 5!5"},
		{"an empty page", "kind: List\napiVersion: v1\nmetadata: {continue: x}\nitems: []\n", "1!1"},
		{"one page of a json list", "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n{}], \"metadata\": {\"continue\": \"x\"}}", "2 1!1"},
		{"the last page", "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n{}], \"metadata\": {\"continue\": \"\"}}", "2"},
		{"json list, kind last", "{\"apiVersion\": \"v1\", \"items\": [\n{\"a\": \"]\"},\n\n{\"b\": {}} ,\n{\"c\":1,\"c\":2}\n], \"kind\": \"List\"}", "2 4 5!5"},
		{"json list without kind", "{\"apiVersion\": \"v1\", \"items\": [{}]}", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := summary(t, tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLines breaks a document in every way that the parser has, first, last, under comments and
// behind markers.
func TestLines(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line       int // of the text
	}{
		{"flow map", "a: 1\nb: {c: d\n", 2},
		{"flow map at the top", "{a: 1,\n b: 2\n c: 3}\n", 3},
		{"flow map that does not end", "{a: 1,\n b: 2\n\n", 2},
		{"flow list", "a: 1\nb:\n  c: [1, 2\nd: 1\n", 3},
		{"key", "a: 1\nb: [x]\n y\nc: 1\n", 3},
		{"key, deeper", "a: 1\nb:\n  c: [x]\n   y\n", 3}, // where the map begins
		{"item", "a:\n- b\n- c\n  - d\n -e: f\n", 5},
		{"document start", "a: 1\n}\n", 2},
		{"node content", "a: 1\nb: {c: }, }\n", 2},
		{"tag handle", "a: 1\nb: !x!y z\n", 2},
		{"values", "a: 1\nb: c: d\n", 2},
		{"quote", "a: 1\nb: 'c\n", 2},
		{"token", "a: 1\nb: @c\n", 2},
		{"tab", "a:\n\tb: 1\n", 2},
		{"alias", "a: 1\nb: *c\n", 2},
		{"repeated key", "a: 1\na: 1\n", 2},
	} {
		for _, before := range []string{"", "\n", "# c\n\n", "---\n", "# c\n---\n# d\n", "a: b\n---\n", "a: [\n--- # c\n", "a: b\n...\n%YAML 1.2\n---\n"} {
			for _, after := range []string{"", "---\na: b\n"} {
				docs, err := doc.Documents([]byte(before + tt.text + after))
				if err != nil {
					t.Fatal(err)
				}
				var got []int
				for d := range docs {
					if d.Err != nil {
						got = append(got, d.Err.Line)
					}
				}
				if want := tt.line + strings.Count(before, "\n"); len(got) == 0 || got[len(got)-1] != want {
					t.Errorf("%s after %q: lines %d, want %d", tt.name, before, got, want)
				}
			}
		}
	}
}

// TestHints asks for the hint about what two objects without a marker between them become.
func TestHints(t *testing.T) {
	const hint = "are these two objects? put a line with --- between them"
	for text, want := range map[string]string{
		"apiVersion: v1\nkind: Pod\nmetadata: {}\napiVersion: v1\nkind: Pod\n": hint,
		"metadata: {}\nkind: Pod\napiVersion: v1\nmetadata: {}\nkind: Pod\n":   hint,
		"apiVersion: v1\nkind: Pod\nmetadata: {}\nmetadata: {}\n":              "",
		"a:\n  kind: Pod\n  kind: Pod\n":                                       "",
		`{"kind": "Pod", "kind": "Pod"}`:                                       "",
		"apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  kind: Pod\n":       "",
	} {
		docs, err := doc.Documents([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for d := range docs {
			if d.Err == nil || d.Err.Hint != want {
				t.Errorf("%q: %+v, want the hint %q", text, d.Err, want)
			}
		}
	}
}

// open returns a cursor at the only document of text.
func open(t *testing.T, text string, mode doc.Mode) *doc.Cursor {
	t.Helper()
	docs, err := doc.Documents([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for d := range docs {
		if d.Err != nil {
			t.Fatal(d.Err)
		}
		return d.Open(mode)
	}
	t.Fatal("no document")
	return nil
}

func problems(c *doc.Cursor) string {
	var b strings.Builder
	for _, p := range c.Close() {
		fmt.Fprintf(&b, "%d %s: %s", p.Line, p.Path, p.Message)
		if p.Hint != "" {
			fmt.Fprintf(&b, " (%s)", p.Hint)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ in, text, problem string }{
		{"web", "web", ""},
		{"'y'", "y", ""},
		{"!!str yes", "yes", ""},
		{"2001-01-01", "2001-01-01", ""},
		{"1.2.3", "1.2.3", ""},
		{"|\n  two\n  lines\n", "two\nlines\n", ""},
		{"~", "", ""},
		{"", "", ""},
		{"y", "", `wants a text, has a boolean (put it in quotes)`},
		{"On", "", `wants a text, has a boolean (put it in quotes)`},
		{"false", "", `wants a text, has a boolean (put it in quotes)`},
		{"010", "", `wants a text, has a number (put it in quotes)`},
		{"1.0", "", `wants a text, has a number (put it in quotes)`},
		{"1e3", "", `wants a text, has a number (put it in quotes)`},
		{"[a]", "", `wants a text, has a list`},
		{"!x {}", "", `wants a text, has the tag of another type`},
		{"!x a", "", `wants a text, has the tag of another type`},
		{`"` + strings.Repeat("x", 99) + `\e[31m"`, strings.Repeat("x", 99) + "\x1b[31m", ""},
	} {
		c := open(t, "a: "+tt.in, doc.Lenient)
		if got := c.Field("a").Text(); got != tt.text {
			t.Errorf("%s: got %q, want %q", tt.in, got, tt.text)
		}
		want := tt.problem
		if want != "" {
			want = "1 a: " + want
		}
		if got := problems(c); got != want {
			t.Errorf("%s: problems %q, want %q", tt.in, got, want)
		}
	}
	c := open(t, "[a, ~]", doc.Lenient)
	if got := c.Texts(); len(got) != 2 || got[1] != "" || problems(c) != "" {
		t.Errorf("null in a list, which the API server takes for an empty text: %q, %s", got, problems(c))
	}
}

func TestInt(t *testing.T) {
	for in, want := range map[string]int64{"80": 80, "0x50": 80, "0o120": 80, "0b1010000": 80, "1_000": 1000, "80.0": 80, "8e1": 80, "-1": -1, "010": 8, "080": 80} {
		c := open(t, "a: "+in, doc.Lenient)
		if n, ok := c.Field("a").Int(); !ok || n != want || problems(c) != "" {
			t.Errorf("%s: got %d, %v, %q; want %d", in, n, ok, problems(c), want)
		}
	}
	for _, in := range []string{"'80'", "80.5", "x", "true", "[1]", ".inf", ".nan", "99999999999999999999"} {
		c := open(t, "a: "+in, doc.Lenient)
		if _, ok := c.Field("a").Int(); ok || problems(c) == "" {
			t.Errorf("%s: accepted", in)
		}
	}
}

func TestKeys(t *testing.T) {
	c := open(t, "a: {y: v, 0x10: w, 1.5: x, 'q': z}", doc.Lenient)
	got := fmt.Sprint(c.Field("a").TextMap())
	if want := "map[1.5:x 16:w q:z true:v]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFieldFold(t *testing.T) {
	c := open(t, "VpcId: a\nvpcid: b\nVPCID: ~\nother: c", doc.Lenient)
	for name, want := range map[string]string{"vpcid": "b", "VpcId": "a", "vpcID": "a", "VPCID": "a", "OTHER": "c", "none": ""} {
		if got := c.FieldFold(name).Text(); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if c = open(t, "VpcId: a\nvpcid: b\nother: c\nOther: ~", doc.Lenient); c.FieldFold("other").Text() != "c" || c.Problems() != 0 {
		t.Error("a null is a second value")
	}
	if c.FieldFold("vpcID"); c.Problems() != 1 {
		t.Error("two values, and no problem")
	}
}

func TestMerge(t *testing.T) {
	c := open(t, "x: &x {a: '1', b: '1'}\ny: &y {b: '2', c: '2'}\nz:\n  <<: [*x, *y]\n  a: '3'\n", doc.Lenient)
	got := fmt.Sprint(c.Field("z").TextMap())
	if want := "map[a:3 b:1 c:2]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestUnknownFields(t *testing.T) {
	c := open(t, `spec:
  ingres:
  - from: []
  egress:
  - to:
    - {ipBlok: {}}
  "we.ird\n": 1
  free: {a: {b: c}}
`, doc.Strict)
	spec := c.Field("spec")
	spec.Field("ingress").Items()
	for _, e := range spec.Field("egress").Items() {
		for _, to := range e.Field("to").Items() {
			to.Field("ipBlock")
		}
	}
	spec.Field("free").Skip()
	want := `2 spec.ingres: unknown field (did you mean "ingress"?)
6 spec.egress[0].to[0].ipBlok: unknown field (did you mean "ipBlock"?)
7 spec["we.ird\n"]: unknown field`
	if got := problems(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An alias is read where it stands: what one place reads of it is unknown in another.
func TestUnknownFieldsThroughAlias(t *testing.T) {
	c := open(t, "a: &x {from: 1}\nb: *x\n", doc.Strict)
	c.Field("a").Field("from").Int()
	c.Field("b").Field("to").Int()
	if got, want := problems(c), "1 b.from: unknown field"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestManyProblems(t *testing.T) {
	c := open(t, "a: ["+strings.Repeat("1,", 1000)+"]", doc.Lenient)
	c.Field("a").Texts()
	got := c.Close()
	if len(got) != doc.MaxProblems+1 || got[len(got)-1].Message != "and 950 more problems" {
		t.Errorf("%d problems, the last %v", len(got), got[len(got)-1])
	}
}

func TestJSONStrings(t *testing.T) {
	c := open(t, `{"a": "x\/y \ud83d\ude00 \u00e9"}`, doc.Lenient)
	if got, want := c.Field("a").Text(), "x/y 😀 é"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// allocated runs f and returns how many bytes it allocated.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestHostile(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	merges := "a0: &a0 {k: v}\n"
	for i := range 30 {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
		merges += fmt.Sprintf("a%d: &a%d {<<: [%s*a%d]}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
	}
	wide := "a: &a {" + strings.Repeat("k,", 0)
	for i := range 20_000 {
		wide += fmt.Sprintf("k%d: v,", i)
	}
	wide += "}\nb:\n" + strings.Repeat("- {<<: *a}\n", 20_000)
	for _, tt := range []struct {
		name, text string
		mega       uint64 // bytes that may be allocated, in MB
		message    string // "" if it can be read
	}{
		{"alias bomb", bomb, 8, "aliases that stand for far more than is written"},
		{"merge bomb", merges, 8, "aliases that stand for far more than is written"},
		{"wide merges", wide, 200, "aliases that stand for far more than is written"},
		{"deep flow", strings.Repeat("[", 100_000), 64, "exceeded max depth of 10000"},
		{"deep flow that the parser takes", strings.Repeat("[", 9000) + strings.Repeat("]", 9000), 64, "nested deeper than 256 levels"},
		{"deep block", strings.Repeat("- ", 100_000), 64, "exceeded max depth of 10000"},
		{"deep json", strings.Repeat(`{"a":`, 100_000), 64, "exceeded max depth"},
		{"deep json that is whole", strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000), 64, "nested deeper than 256 levels"},
		{"long value", "a: " + strings.Repeat("x", 20<<20), 250, ""},
		{"long json value", `{"a": "` + strings.Repeat("x", 20<<20) + `"}`, 250, ""},
		{"long key", strings.Repeat("x", 20<<20) + ": a", 250, "mapping values are not allowed in this context"},
		{"too many values", strings.Repeat("[],", 3<<20), 64, "more than 4194304 values in one document"},
		{"too many json values", "[" + strings.Repeat("1,", 5<<20) + "1]", 64, "more than 4194304 values in one document"},
		{"deep aliases", deepAliases(), 8, "nested deeper than 256 levels"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			message, lines := "", 1+strings.Count(tt.text, "\n")
			used := allocated(func() {
				docs, err := doc.Documents([]byte(tt.text))
				if err != nil {
					t.Fatal(err)
				}
				for d := range docs {
					if d.Err != nil {
						message = d.Err.Message
						if d.Err.Line < 1 || d.Err.Line > lines {
							t.Errorf("line %d of %d", d.Err.Line, lines)
						}
					}
				}
			})
			if !strings.Contains(message, tt.message) || (message == "") != (tt.message == "") {
				t.Errorf("got %q, want %q", message, tt.message)
			}
			if used > tt.mega<<20 {
				t.Errorf("%d MB allocated, more than %d", used>>20, tt.mega)
			}
		})
	}
}

// deepAliases nests 200 levels in an alias that is itself 100 levels down.
func deepAliases() string {
	return "a: &a " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\nb: " + strings.Repeat("[", 100) + "*a" + strings.Repeat("]", 100) + "\n"
}

func TestManyDocuments(t *testing.T) {
	text := strings.Repeat("---\na: b\n", 100_000)
	n := 0
	docs, err := doc.Documents([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for d := range docs {
		if n++; d.Err != nil || d.Line != 2*n {
			t.Fatalf("document %d on line %d: %v", n, d.Line, d.Err)
		}
	}
	if n != 100_000 {
		t.Errorf("%d documents", n)
	}
}

// A large list must not be in memory as a whole: what is alive while its items pass stays small.
func TestListIsStreamed(t *testing.T) {
	item := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"a":"b","c":"d"}},"spec":{"x":[1,2,3,4,5,6,7,8]}}`
	text := []byte(`{"apiVersion":"v1","items":[` + strings.Repeat(item+",\n", 50_000) + item + `],"kind":"List"}`)
	docs, err := doc.Documents(text)
	if err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for d := range docs {
		if n++; d.Err != nil || d.List == nil || d.List.Kind != "List" {
			t.Fatal(n, d.Err, d.List)
		}
		if n == 50_000 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > before.HeapAlloc+4<<20 {
				t.Errorf("%d MB alive", (now.HeapAlloc-before.HeapAlloc)>>20)
			}
		}
	}
	if n != 50_001 {
		t.Errorf("%d items", n)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[31m":             `"a\x1b[31m"`,
		"a\u202eb":              `"a\u202eb"`,
		strings.Repeat("é", 50): `"` + strings.Repeat("é", 39) + `…"`,
	} {
		if got := doc.Quote(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := doc.Clean("a\nb\x00"+strings.Repeat("\x01", 100), 20); len([]rune(got)) > 20 || strings.ContainsAny(got, "\n\x00\x01") {
		t.Errorf("got %q", got)
	}
}

func FuzzDocuments(f *testing.F) {
	for _, s := range []string{"a: b\n---\nc: [d, {e: f}]\n", `{"a":[1,2,{"b":null}]}`, "a: &x {b: 1}\nc: {<<: *x}\n", "%YAML 1.2\n---\nkind: List\napiVersion: v1\nitems: [{a: b}]",
		`{"apiVersion":"v1","items":[{"a":"b"}],"kind":"List"}{}`, "a: |\n  x\n...\n# c\n--- !t\n? a\n: b\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := doc.Documents(data)
		if err != nil {
			return
		}
		last, lines := 0, 1+strings.Count(string(data), "\n")
		for d := range docs {
			if d.Line < 1 || d.Line > lines {
				t.Fatalf("line %d of %d", d.Line, lines)
			}
			last = max(last, d.Line)
			if d.Err != nil {
				if d.Err.Message == "" || strings.ContainsFunc(d.Err.Message, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Fatalf("message %q", d.Err.Message)
				}
				continue
			}
			c := d.Open(doc.Strict)
			read(c, 0)
			if c.IsMap() && c.Problems() == 0 && len(c.Close()) > 0 {
				t.Fatal("everything was read, yet something is unknown")
			}
		}
	})
}

// read goes over everything below c with the reads that fit, so that nothing is a problem.
func read(c *doc.Cursor, depth int) {
	if depth > 20 {
		c.Skip()
		return
	}
	if c.IsMap() {
		for _, v := range c.Entries() {
			_ = v.Path()
			read(v, depth+1)
		}
		return
	}
	if c.IsText() {
		c.Text()
	}
}
