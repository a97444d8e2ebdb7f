package toolmoat_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path under which the tree's packages are imported.
const module = "github.com/toolmoat/toolmoat"

// folders is the architecture from afar, lowest first: a package imports from its own folder and from those before it.
var folders = []string{"internal/engine", "internal/input", "internal/analysis", "internal/report", "cmd"}

// layers is the architecture within the folders: a package imports packages of strictly lower layers only. The words for it
// are in ARCHITECTURE.md.
var layers = map[string]int{
	"internal/engine/origin":   0,
	"internal/engine/netset":   0,
	"internal/engine/label":    0,
	"internal/engine/parallel": 0,
	"internal/engine/spell":    0,
	"internal/engine/when":     1,
	"internal/engine/policy":   1,
	"internal/engine/special":  1,
	"internal/engine/cni":      1,
	"internal/engine/finding":  1,
	"internal/engine/model":    2,
	"internal/engine/reach":    3,

	"internal/input/doc":            1,
	"internal/input/source":         3,
	"internal/input/catalog":        3,
	"internal/input/discover":       4,
	"internal/input/source/cluster": 4,
	"internal/input/facts":          4,
	"internal/input/feeds":          4,
	"internal/input/cloud":          5,

	"internal/analysis/blast":  4,
	"internal/analysis/rule":   5,
	"internal/analysis/matrix": 5,
	"internal/analysis/query":  5,
	"internal/analysis/audit":  6,

	"internal/report": 7,

	"cmd/toolmoat": 8,

	"test/synth":     0, // makes test input; imports nothing of ours
	"test/corpus":    0, // reads testdata/corpus; imports nothing of ours
	"test/facts":     0, // reads the patterns of facts; imports nothing of ours
	"test/mutants":   0, // tests only
	"test/slow":      4, // the slow twin of reach
	"test/synth/cmd": 8,

	".": 9, // holds no code
}

// core is what decides. It imports the standard library, netipx and itself, so that nothing in it depends on a cluster, a
// parser or a file.
var core = []string{"internal/engine", "internal/analysis", "internal/input/catalog", "internal/input/discover"}

// pkg is one directory of Go files.
type pkg struct {
	path  string // from the root, "." for the root itself
	files []file
}

type file struct {
	name    string // from the root
	test    bool
	syntax  *ast.File
	imports []imported
	pos     func(ast.Node) string
}

// imported is one import: the name it has in the file, which may be "." or "_", and its path.
type imported struct{ name, path string }

// load parses every Go file of the module: not of modules nested in it, and nothing in testdata or a hidden directory. Build
// constraints are ignored: a file that is built on another system must obey too.
func load(fsys fs.FS) ([]pkg, error) {
	byDir := map[string]*pkg{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, noModule := fs.Stat(fsys, path.Join(name, "go.mod"))
			if name != "." && (noModule == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		f, err := parse(name, src)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if byDir[dir] == nil {
			byDir[dir] = &pkg{path: dir}
		}
		byDir[dir].files = append(byDir[dir].files, f)
		return nil
	})
	var pkgs []pkg
	for _, p := range byDir {
		pkgs = append(pkgs, *p)
	}
	slices.SortFunc(pkgs, func(a, b pkg) int { return strings.Compare(a.path, b.path) })
	return pkgs, err
}

func parse(name string, src []byte) (file, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	f := file{
		name:   name,
		test:   strings.HasSuffix(name, "_test.go"),
		syntax: syntax,
		pos:    func(n ast.Node) string { return fset.Position(n.Pos()).String() },
	}
	for _, spec := range syntax.Imports {
		to, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, err
		}
		name := path.Base(to)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		f.imports = append(f.imports, imported{name, to})
	}
	return f, nil
}

// product calls visit for each file that is not a test.
func product(pkgs []pkg, visit func(pkg, file)) {
	for _, p := range pkgs {
		for _, f := range p.files {
			if !f.test {
				visit(p, f)
			}
		}
	}
}

// ours returns the path from the root of a package of the tree itself.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func isCommand(path string) bool {
	return strings.HasPrefix(path, "cmd/") || path == "test/synth/cmd"
}

// A check returns one line for each violation.
type check func([]pkg) []string

// checkLayers demands that imports go strictly down and that every package has a layer.
func checkLayers(pkgs []pkg) (bad []string) {
	for _, p := range pkgs {
		if _, ok := layers[p.path]; !ok {
			bad = append(bad, fmt.Sprintf("%s is in no layer: add it to the table in tree_test.go and to ARCHITECTURE.md", p.path))
		}
	}
	product(pkgs, func(p pkg, f file) {
		for _, i := range f.imports {
			to, ok := ours(i.path)
			if !ok {
				continue
			}
			if a, b := slices.IndexFunc(folders, within(p.path)), slices.IndexFunc(folders, within(to)); b > a && a >= 0 {
				bad = append(bad, fmt.Sprintf("%s: %s imports %s: imports go from %s to the folders before it", f.name, p.path, to, folders[a]))
				continue
			}
			from, known := layers[p.path]
			layer, listed := layers[to]
			if known && (!listed || layer >= from) {
				bad = append(bad, fmt.Sprintf("%s: %s (layer %d) imports %s (layer %d): imports go to strictly lower layers", f.name, p.path, from, to, layer))
			}
		}
	})
	return bad
}

// checkCore demands that the core stays pure.
func checkCore(pkgs []pkg) (bad []string) {
	product(pkgs, func(p pkg, f file) {
		if !slices.ContainsFunc(core, within(p.path)) {
			return
		}
		for _, i := range f.imports {
			to, own := ours(i.path)
			first, _, _ := strings.Cut(i.path, "/")
			standard := !strings.Contains(first, ".")
			if own && !slices.ContainsFunc(core, within(to)) || !own && !standard && i.path != "go4.org/netipx" {
				bad = append(bad, fmt.Sprintf("%s imports %s: the core imports the standard library, go4.org/netipx and itself", f.name, i.path))
			}
		}
	})
	return bad
}

// checkClient demands that only what reads a live cluster, and commands, know its client.
func checkClient(pkgs []pkg) (bad []string) {
	product(pkgs, func(p pkg, f file) {
		for _, i := range f.imports {
			if (i.path == "k8s.io/client-go" || strings.HasPrefix(i.path, "k8s.io/client-go/")) && p.path != "internal/input/source/cluster" && !isCommand(p.path) {
				bad = append(bad, fmt.Sprintf("%s imports %s: only internal/input/source/cluster and commands speak to a cluster", f.name, i.path))
			}
		}
	})
	return bad
}

// within returns a test for the folders that hold a package.
func within(path string) func(folder string) bool {
	return func(folder string) bool { return strings.HasPrefix(path, folder+"/") || path == folder }
}

// checkTestOnly demands that what exists for tests stays out of the product.
func checkTestOnly(pkgs []pkg) (bad []string) {
	product(pkgs, func(p pkg, f file) {
		for _, i := range f.imports {
			if to, own := ours(i.path); own && strings.HasPrefix(to, "test/") && !strings.HasPrefix(p.path, "test/") {
				bad = append(bad, fmt.Sprintf("%s imports %s, which is for tests", f.name, to))
			}
		}
	})
	return bad
}

// checkComments demands a package comment in the usual form.
func checkComments(pkgs []pkg) (bad []string) {
	for _, p := range pkgs {
		want, found, code := "", false, false
		for _, f := range p.files {
			if f.test {
				continue
			}
			code = true
			if want = "Package " + f.syntax.Name.Name + " "; f.syntax.Name.Name == "main" {
				want = "Command " + path.Base(p.path) + " "
			}
			found = found || strings.HasPrefix(f.syntax.Doc.Text(), want)
		}
		if code && !found {
			bad = append(bad, fmt.Sprintf("%s has no package comment that starts with %q", p.path, want))
		}
	}
	return bad
}

// checkNames refuses drawers for odds and ends.
func checkNames(pkgs []pkg) (bad []string) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "misc", "base"}
	for _, p := range pkgs {
		for _, f := range p.files {
			name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
			if slices.Contains(vague, name) || slices.Contains(vague, path.Base(p.path)) {
				bad = append(bad, fmt.Sprintf("%s: a package is named for what it holds, not %s", f.name, path.Base(p.path)))
			}
		}
	}
	return bad
}

// banned is names of packages, by import path; "*" bans the import itself.
type banned map[string][]string

var (
	streams = banned{
		"fmt":      {"Print", "Printf", "Println"},
		"os":       {"Stdout", "Stderr"},
		"log":      {"*"},
		"log/slog": {"*"},
		"builtin":  {"print", "println"},
	}
	settings = banned{
		"os":                     {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Args"},
		"syscall":                {"Getenv", "Environ"},
		"flag":                   {"*"},
		"github.com/spf13/pflag": {"*"},
		"github.com/spf13/cobra": {"*"},
	}
)

// checkStreams demands that only the packages made for it write to a stream.
func checkStreams(pkgs []pkg) (bad []string) {
	product(pkgs, func(p pkg, f file) {
		if p.path != "internal/report" && !isCommand(p.path) {
			bad = append(bad, f.uses(streams, "only internal/report and commands write to a stream")...)
		}
	})
	return bad
}

// checkSettings demands that only commands read flags and the environment: what a package depends on, it is given.
func checkSettings(pkgs []pkg) (bad []string) {
	product(pkgs, func(p pkg, f file) {
		if !isCommand(p.path) {
			bad = append(bad, f.uses(settings, "only commands read flags and the environment")...)
		}
	})
	return bad
}

// uses returns a line for each banned name that f uses. A dot import of a package with banned names counts as their use.
func (f file) uses(ban banned, why string) (bad []string) {
	paths := map[string]string{}
	for _, i := range f.imports {
		paths[i.name] = i.path
		if names, listed := ban[i.path]; listed && (i.name == "." || slices.Contains(names, "*")) {
			bad = append(bad, fmt.Sprintf("%s imports %s: %s", f.name, i.path, why))
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(ban[paths[x.Name]], n.Sel.Name) {
				bad = append(bad, fmt.Sprintf("%s: %s.%s: %s", f.pos(n), paths[x.Name], n.Sel.Name, why))
			}
		case *ast.CallExpr:
			if fun, ok := n.Fun.(*ast.Ident); ok && slices.Contains(ban["builtin"], fun.Name) {
				bad = append(bad, fmt.Sprintf("%s: %s: %s", f.pos(n), fun.Name, why))
			}
		}
		return true
	})
	return bad
}

// wordsOf reports whether an expression puts a condition into words: x.Text(care, names) or x.Lines(care, names).
func wordsOf(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (sel.Sel.Name == "Text" || sel.Sel.Name == "Lines")
}

// checkConditions demands that conditions are values until they are printed: the engine puts none into words, and nobody reads words: no package
// but when joins, searches or compares those of a condition.
func checkConditions(pkgs []pkg) (bad []string) {
	product(pkgs, func(p pkg, f file) {
		if p.path == "internal/engine/when" {
			return
		}
		holds := func(e ast.Expr) (found bool) {
			ast.Inspect(e, func(n ast.Node) bool { found = found || wordsOf(n); return !found })
			return found
		}
		engine := within(p.path)("internal/engine")
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if wordsOf(n) && engine {
					bad = append(bad, fmt.Sprintf("%s: the engine puts no condition into words", f.pos(n)))
				}
				sel, _ := n.Fun.(*ast.SelectorExpr)
				if sel == nil {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "strings" && sel.Sel.Name != "Join" && slices.ContainsFunc(n.Args, holds) {
					bad = append(bad, fmt.Sprintf("%s: reads the words of a condition: ask the value", f.pos(n)))
				}
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && (holds(n.X) || holds(n.Y)) {
					bad = append(bad, fmt.Sprintf("%s: compares the words of a condition: ask the value", f.pos(n)))
				}
			}
			return true
		})
	})
	return bad
}

// replaced returns the replace directives of a go.mod: with one, what people install is not what is tested here.
func replaced(gomod []byte) (bad []string) {
	for line := range strings.Lines(string(gomod)) {
		if fields := strings.Fields(line); len(fields) > 0 && (fields[0] == "replace" || strings.HasPrefix(fields[0], "replace(")) {
			bad = append(bad, "go.mod: "+strings.TrimSpace(line))
		}
	}
	return bad
}

// diverged compares the YAML of the examples that say they show the same workloads.
func diverged(examples fs.FS) (bad []string) {
	same := func(a, b string) {
		x, errX := fs.ReadFile(examples, a)
		y, errY := fs.ReadFile(examples, b)
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			bad = append(bad, fmt.Sprintf("%s and %s are not the same", a, b))
		}
	}
	entries, err := fs.ReadDir(examples, "unprotected")
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".yaml" {
			same("unprotected/"+e.Name(), "article/"+e.Name())
		}
	}
	same("unprotected/cluster-dns.yaml", "mcp-connect/cluster-dns.yaml")
	return bad
}

// checks are what the tree must pass.
var checks = []struct {
	name  string
	check check
}{
	{"imports go down", checkLayers},
	{"core is pure", checkCore},
	{"one client of clusters", checkClient},
	{"test packages stay in tests", checkTestOnly},
	{"package comments", checkComments},
	{"package names", checkNames},
	{"streams", checkStreams},
	{"conditions are values", checkConditions},
	{"settings", checkSettings},
}

func TestTree(t *testing.T) {
	pkgs, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.path == "internal/engine/model" }) {
		t.Fatal("internal/engine/model was not found, so nothing was")
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { report(t, c.check(pkgs)) })
	}
	t.Run("no replace", func(t *testing.T) {
		gomod, err := os.ReadFile("go.mod")
		if err != nil {
			t.Fatal(err)
		}
		report(t, replaced(gomod))
	})
	t.Run("examples", func(t *testing.T) { report(t, diverged(os.DirFS("examples"))) })
}

func report(t *testing.T, bad []string) {
	t.Helper()
	slices.Sort(bad)
	for _, line := range bad {
		t.Error(line)
	}
}
