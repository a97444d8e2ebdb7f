// Package mutants breaks the engine on purpose, one small change at a time, and demands that the
// tests notice.
//
// It takes minutes, and so runs only where TOOLMOAT_MUTANTS is 1. A mutant that survives is a test
// that is missing. A mutant whose old text is gone has to follow the code: that is always checked.
//
//	TOOLMOAT_MUTANTS=1 go test -v ./test/mutants                           # all of them
//	TOOLMOAT_MUTANTS=1 go test -v -run TestMutants/all/exception ./test/mutants # those with "exception" in their words
package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// mutant is one change to one file.
type mutant struct {
	file     string // below internal
	old, new string // old occurs once
	why      string // what would go wrong
}

const root = "../.."

// judges are the packages below internal whose tests may notice a mutant, beside its own, in the
// order in which they are asked.
var judges = []string{"engine/reach", "analysis/query", "analysis/rule", "analysis/matrix"}

// source returns the text of the file that m changes, and its path.
func (m mutant) source(t *testing.T) (text, path string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "internal", m.file))
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		t.Fatalf("%s has %d times %q, and should have it once", m.file, n, m.old)
	}
	return string(src), path
}

// TestFit demands that every mutant fits the code and compiles.
func TestFit(t *testing.T) {
	seen := map[string]bool{}
	imports := compiled(t)
	for _, m := range mutants {
		t.Run(m.why, func(t *testing.T) {
			src, path := m.source(t)
			if err := check(path, strings.Replace(src, m.old, m.new, 1), imports); err != nil {
				t.Errorf("%s: %v\n+ %s", m.file, err, m.new)
			}
		})
		if seen[m.why] {
			t.Errorf("two mutants are called %q", m.why)
		}
		seen[m.why] = true
	}
}

// compiled returns what the packages below internal import, as the compiler left it.
func compiled(t *testing.T) types.Importer {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./internal/...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		pkg, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[pkg] = file
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(pkg string) (io.ReadCloser, error) { return os.Open(files[pkg]) })
}

// check type-checks the package of the file at path with text in its place.
func check(path, text string, imports types.Importer) error {
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		var src any
		switch {
		case strings.HasSuffix(name, "_test.go"):
			continue
		case name == path:
			src = text
		}
		file, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	_, err = (&types.Config{Importer: imports}).Check(filepath.Dir(path), set, files, nil)
	return err
}

func TestMutants(t *testing.T) {
	if os.Getenv("TOOLMOAT_MUTANTS") != "1" {
		t.Skip("set TOOLMOAT_MUTANTS=1 to run it; it takes minutes")
	}
	for _, p := range judges {
		if out, err := suite(t.Context(), p, "", true).CombinedOutput(); err != nil {
			t.Fatalf("the tests of %s fail without any mutant: %v\n%s", p, err, out)
		}
	}
	var killed, survived atomic.Int32
	t.Run("all", func(t *testing.T) {
		for i, m := range mutants {
			t.Run(fmt.Sprintf("%02d %s", i+1, m.why), func(t *testing.T) {
				t.Parallel()
				if m.dies(t) {
					killed.Add(1)
					return
				}
				survived.Add(1)
				t.Errorf("%s: survived: %s\n- %s\n+ %s", m.file, m.why, m.old, m.new)
			})
		}
	})
	t.Logf("mutants: %d killed, %d survived", killed.Load(), survived.Load())
	if killed.Load() == 0 {
		t.Error("no mutant was killed")
	}
}

// dies reports whether some test fails with m in place: those of its own package, then those of the
// engine and of what asks it, first with few random scenes and then with all.
func (m mutant) dies(t *testing.T) bool {
	t.Helper()
	src, path := m.source(t)
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{changed: []byte(strings.Replace(src, m.old, m.new, 1)), overlay: text} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := filepath.Dir(m.file)
	packages := append([]string{own}, slices.DeleteFunc(slices.Clone(judges), func(p string) bool { return p == own })...)
	for _, short := range []bool{true, false} {
		for _, p := range packages {
			out, err := suite(t.Context(), p, overlay, short).CombinedOutput()
			if bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")) {
				t.Fatalf("%s: the mutant does not compile\n%s", m.file, out)
			}
			if err != nil {
				return true
			}
		}
	}
	return false
}

// suite runs the tests of a package below internal, with an overlay unless it is "".
func suite(ctx context.Context, pkg, overlay string, short bool) *exec.Cmd {
	args := []string{"test", "-count=1", "-failfast", "-vet=off", "-timeout=2m", fmt.Sprintf("-short=%t", short)}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./internal/"+pkg)...)
	cmd.Dir = root
	return cmd
}
