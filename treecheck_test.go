package toolmoat_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestChecksFail feeds each check small trees that break its law, and some that keep it: in each, want is part of the one line
// expected, or "" for none.
func TestChecksFail(t *testing.T) {
	const at = `"github.com/toolmoat/toolmoat/`
	for _, tt := range []struct {
		name  string
		check check
		file  string
		src   string
		want  string
	}{
		{"up", checkLayers, "internal/engine/model/m.go", `package model; import _ ` + at + `internal/engine/reach"`, "internal/engine/model (layer 2) imports internal/engine/reach (layer 3)"},
		{"sideways", checkLayers, "internal/engine/netset/n.go", `package netset; import _ ` + at + `internal/engine/label"`, "(layer 0) imports internal/engine/label (layer 0)"},
		{"down", checkLayers, "internal/engine/model/m.go", `package model; import _ ` + at + `internal/engine/netset"`, ""},
		{"up in a test", checkLayers, "internal/engine/model/m_test.go", `package model; import _ ` + at + `internal/engine/reach"`, ""},
		{"synth imports ours", checkLayers, "test/synth/s.go", `package synth; import _ ` + at + `internal/engine/origin"`, "imports internal/engine/origin"},
		{"imports the root", checkLayers, "internal/engine/model/m.go", `package model; import _ "github.com/toolmoat/toolmoat"`, "imports . (layer 9)"},
		{"against the folders", checkLayers, "internal/input/source/s.go", `package source; import _ ` + at + `internal/analysis/blast"`, "imports go from internal/input to the folders before it"},
		{"along the folders", checkLayers, "internal/analysis/blast/b.go", `package blast; import _ ` + at + `internal/engine/model"`, ""},
		{"unlisted", checkLayers, "internal/engine/novel/n.go", `package novel`, "internal/engine/novel is in no layer: add it to the table in tree_test.go and to ARCHITECTURE.md"},
		{"imports unlisted", checkLayers, "internal/engine/model/m.go", `package model; import _ ` + at + `internal/engine/novel"`, "imports internal/engine/novel"},

		{"core imports a parser", checkCore, "internal/engine/reach/r.go", `package reach; import _ "go.yaml.in/yaml/v3"`, "go.yaml.in/yaml/v3"},
		{"core imports what is not core", checkCore, "internal/engine/reach/r.go", `package reach; import _ ` + at + `internal/input/doc"`, "internal/input/doc"},
		{"core imports core", checkCore, "internal/engine/reach/r.go", `package reach; import _ ` + at + `internal/engine/netset"; import _ "net/netip"; import _ "go4.org/netipx"`, ""},
		{"others import a parser", checkCore, "internal/input/doc/d.go", `package doc; import _ "go.yaml.in/yaml/v3"`, ""},

		{"source speaks to a cluster", checkClient, "internal/input/source/s.go", `package source; import _ "k8s.io/client-go/rest"`, "internal/input/source/s.go imports k8s.io/client-go/rest"},
		{"the client speaks to a cluster", checkClient, "internal/input/source/cluster/c.go", `package cluster; import _ "k8s.io/client-go/rest"`, ""},
		{"a command speaks to a cluster", checkClient, "cmd/toolmoat/m.go", `package main; import _ "k8s.io/client-go/rest"`, ""},

		{"product imports the twin", checkTestOnly, "internal/analysis/rule/r.go", `package rule; import _ ` + at + `test/slow"`, "test/slow, which is for tests"},
		{"a test imports the twin", checkTestOnly, "internal/engine/reach/r_test.go", `package reach; import _ ` + at + `test/slow"`, ""},
		{"product imports synth", checkTestOnly, "cmd/toolmoat/m.go", `package main; import _ ` + at + `test/synth"`, "test/synth, which is for tests"},
		{"its command imports synth", checkTestOnly, "test/synth/cmd/m.go", `package main; import _ ` + at + `test/synth"`, ""},

		{"no comment", checkComments, "internal/engine/model/m.go", "package model", `"Package model "`},
		{"another form", checkComments, "internal/engine/model/m.go", "// The model package.\npackage model", `"Package model "`},
		{"command without comment", checkComments, "cmd/toolmoat/m.go", "// Package main is it.\npackage main", `"Command toolmoat "`},
		{"comment", checkComments, "internal/engine/model/m.go", "// Package model is it.\npackage model", ""},
		{"command", checkComments, "cmd/toolmoat/m.go", "// Command toolmoat is it.\npackage main", ""},
		{"tests alone", checkComments, "internal/engine/model/m_test.go", "package model", ""},

		{"vague directory", checkNames, "internal/utils/u.go", "package text", "internal/utils/u.go"},
		{"vague name", checkNames, "internal/text/t.go", "package common", "internal/text/t.go"},
		{"telling name", checkNames, "internal/text/t.go", "package text", ""},

		{"prints", checkStreams, "internal/analysis/rule/r.go", `package rule; import "fmt"; func f() { fmt.Println() }`, "fmt.Println"},
		{"prints under another name", checkStreams, "internal/analysis/rule/r.go", `package rule; import x "fmt"; func f() { x.Printf("") }`, "fmt.Printf"},
		{"prints by dot import", checkStreams, "internal/analysis/rule/r.go", `package rule; import . "fmt"; func f() { Println() }`, "imports fmt"},
		{"prints by builtin", checkStreams, "internal/analysis/rule/r.go", `package rule; func f() { println() }`, "println"},
		{"keeps stderr", checkStreams, "internal/analysis/rule/r.go", `package rule; import "os"; var w = os.Stderr`, "os.Stderr"},
		{"logs", checkStreams, "internal/analysis/rule/r.go", `package rule; import _ "log"`, "imports log"},
		{"formats", checkStreams, "internal/analysis/rule/r.go", `package rule; import "fmt"; var s = fmt.Sprint()`, ""},
		{"reports", checkStreams, "internal/report/r.go", `package report; import "os"; var w = os.Stdout`, ""},
		{"command prints", checkStreams, "cmd/toolmoat/m.go", `package main; import "fmt"; func main() { fmt.Println() }`, ""},
		{"test prints", checkStreams, "internal/analysis/rule/r_test.go", `package rule; import "fmt"; func f() { fmt.Println() }`, ""},

		{"environment", checkSettings, "internal/report/r.go", `package report; import "os"; var e = os.Getenv("X")`, "os.Getenv"},
		{"arguments", checkSettings, "internal/analysis/rule/r.go", `package rule; import "os"; var a = os.Args`, "os.Args"},
		{"flags", checkSettings, "internal/analysis/rule/r.go", `package rule; import _ "flag"`, "imports flag"},
		{"other flags", checkSettings, "internal/analysis/rule/r.go", `package rule; import _ "github.com/spf13/pflag"`, "imports github.com/spf13/pflag"},
		{"command has flags", checkSettings, "test/synth/cmd/m.go", `package main; import "flag"; import "os"; var a, _ = os.LookupEnv("X"), flag.Parse`, ""},

		{"puts into words", checkConditions, "internal/engine/reach/r.go", `package reach; func f(w W) string { return w.Text(care, names) }`, "the engine puts no condition into words"},
		{"a report puts into words", checkConditions, "internal/report/r.go", `package report; func f(w W) []string { return w.Lines(care, names) }`, ""},
		{"a report reads words", checkConditions, "internal/report/r.go", `package report; func f(w W) bool { return strings.Contains(w.Text(care, names), "node") }`, "reads the words of a condition"},
		{"a report compares words", checkConditions, "internal/report/r.go", `package report; func f(w W) bool { return w.Text(care, names) == "" }`, "compares the words of a condition"},
		{"another text", checkConditions, "internal/input/facts/f.go", `package facts; func f(v V) bool { return v.Text() == "" }`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pkgs, err := load(fstest.MapFS{tt.file: {Data: []byte(tt.src)}})
			if err != nil {
				t.Fatal(err)
			}
			switch bad := tt.check(pkgs); {
			case tt.want == "" && len(bad) > 0:
				t.Errorf("got %q, want no violation", bad)
			case tt.want != "" && (len(bad) != 1 || !strings.Contains(bad[0], tt.want)):
				t.Errorf("got %q, want one violation with %q", bad, tt.want)
			}
		})
	}
}

func TestReplaceIsSeen(t *testing.T) {
	for src, want := range map[string]int{
		"module m\n\nreplace a => ../a\n":    1,
		"module m\n\nreplace (\n\ta => b\n)": 1,
		"module m\n\nrequire replaced v1\n":  0,
	} {
		if bad := replaced([]byte(src)); len(bad) != want {
			t.Errorf("%q: got %q, want %d", src, bad, want)
		}
	}
}

func TestDivergedExamplesAreSeen(t *testing.T) {
	examples := fstest.MapFS{}
	for name, data := range map[string]string{
		"unprotected/cluster-dns.yaml": "dns", "article/cluster-dns.yaml": "dns", "mcp-connect/cluster-dns.yaml": "dns",
		"unprotected/a.yaml": "a", "article/a.yaml": "b", "unprotected/README.md": "", "article/policy.yaml": "p",
	} {
		examples[name] = &fstest.MapFile{Data: []byte(data)}
	}
	if bad := diverged(examples); len(bad) != 1 || !strings.Contains(bad[0], "article/a.yaml") {
		t.Errorf("got %q, want one line about a.yaml", bad)
	}
}

// TestLoadReadsTheModuleOnly makes sure that no package escapes the checks, and that what is not ours is not judged.
func TestLoadReadsTheModuleOnly(t *testing.T) {
	tree := fstest.MapFS{}
	for _, name := range []string{
		"go.mod", "a/a.go", "a/a_test.go", "a/b/only_test.go", "a/windows.go", "testdata/t.go", "a/testdata/t.go", ".hidden/h.go", "nested/go.mod", "nested/n.go", "nested/x/x.go",
	} {
		tree[name] = &fstest.MapFile{Data: []byte("//go:build windows\n\npackage a")}
	}
	pkgs, err := load(tree)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range pkgs {
		for _, f := range p.files {
			got = append(got, f.name)
		}
	}
	if want := []string{"a/a.go", "a/a_test.go", "a/windows.go", "a/b/only_test.go"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
