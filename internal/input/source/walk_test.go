package source_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// tree makes a directory of files: "path": "text", "path": "-> target" for a link, "path": "| " for
// a FIFO.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, full)
		} else if text == "|" {
			err = syscall.Mkfifo(full, 0o644)
		} else {
			err = os.WriteFile(full, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func service1(name string) string {
	return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\n"
}

// walk loads a tree and writes what was read: the origin of each Service, then the problems with
// their file.
func walk(t *testing.T, dir string, o source.Options) (*model.Snapshot, string) {
	t.Helper()
	if o.Paths == nil {
		o.Paths = []string{dir}
	}
	s, err := source.Load(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, v := range s.Services {
		out = append(out, v.Name+" "+strings.TrimPrefix(v.Origin.File, dir+"/"))
	}
	for _, p := range s.Problems {
		out = append(out, fmt.Sprintf("%s %s: %s", p.Rule, strings.TrimPrefix(p.Origin.File, dir+"/"), p.Message))
	}
	return s, strings.Join(out, "\n")
}

func TestWalk(t *testing.T) {
	outside := tree(t, map[string]string{"secret.yaml": "password: hunter2\n", "more/x.yaml": service1("x")})
	dir := tree(t, map[string]string{
		"b.yml": service1("b"), "a/z.yaml": service1("z"), "a/c.json": `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c"}}`,
		"readme.md": service1("no"), ".git/x.yaml": service1("no"), "skip/x.yaml": service1("no"), "a/skipped.yaml": service1("no"),
		"link.yaml": "-> a/z.yaml", "other.yaml": "-> data.txt", "data.txt": service1("data"), "linked": "-> a",
		"passwd.yaml": "-> /etc/passwd", "up.yaml": "-> " + outside + "/secret.yaml", "outside": "-> " + outside + "/more", "exe": "-> /bin/sh",
		"loop.yaml": "-> loop.yaml", "gone.yaml": "-> nowhere", "fifo.yaml": "|", "fifo": "|", "d.yaml/e.yaml": service1("e"),
	})
	s, got := walk(t, dir, source.Options{Exclude: []string{"skip", "**/skipped.*"}})
	same(t, "walk", got, `
b b.yml
c a/c.json
data other.yaml
e d.yaml/e.yaml
z a/z.yaml
TM901 fifo.yaml: not a regular file
TM901 gone.yaml: a symbolic link that leads nowhere
TM901 loop.yaml: a symbolic link that leads round in a circle
TM901 outside: a symbolic link that leaves the directory; it is not followed
TM901 passwd.yaml: a symbolic link that leaves the directory; it is not followed
TM901 up.yaml: a symbolic link that leaves the directory; it is not followed`)
	if s.Counts.Files != 5 || s.Counts.Excluded != 2 {
		t.Errorf("%d files, %d left out", s.Counts.Files, s.Counts.Excluded)
	}
	if got := unjudged(t, s); strings.Count(got, "ns everything pods everything") != 6 {
		t.Errorf("stand for:\n%s", got)
	}
}

func TestPaths(t *testing.T) {
	dir := tree(t, map[string]string{"a.txt": service1("a"), "link": "-> a.txt", "sub/b.yaml": service1("b"), "dirlink": "-> sub", "fifo": "|"})
	for _, tt := range []struct{ path, want string }{
		{"a.txt", "a a.txt"}, {"link", "a link"}, {"sub", "b sub/b.yaml"}, {"dirlink", "b dirlink/b.yaml"},
	} {
		_, got := walk(t, dir, source.Options{Paths: []string{filepath.Join(dir, tt.path)}})
		same(t, tt.path, got, tt.want)
	}
	_, got := walk(t, dir, source.Options{Paths: []string{"-"}, Stdin: strings.NewReader(service1("s") + "---\n{")})
	same(t, "standard input", got, "s -\nTM901 -: did not find expected node content")

	for _, tt := range []struct {
		o    source.Options
		want string
	}{
		{source.Options{Paths: []string{filepath.Join(dir, "nothing")}}, "no such file or directory"},
		{source.Options{Paths: []string{filepath.Join(dir, "fifo")}}, "neither a file nor a directory"},
		{source.Options{Paths: []string{dir}, Exclude: []string{"a/[b"}}, `"a/[b" is not a glob`},
		{source.Options{}, "no path given"},
	} {
		if _, err := source.Load(context.Background(), tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := source.Load(ctx, source.Options{Paths: []string{dir}}); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestChart(t *testing.T) {
	dir := tree(t, map[string]string{
		"my chart/Chart.yaml": "apiVersion: v2\nname: x\n", "my chart/values.yaml": "a: b\n", "my chart/values-prod.yaml": "a: b\n",
		"my chart/templates/x.yaml": "kind: {{ .x }}\n", "my chart/charts/y/Chart.yaml": "name: y\n", "my chart/crds/z.yaml": service1("no"),
		"my chart/examples/e.yaml": service1("e"), "templates/t.yaml": service1("t"),
	})
	s, got := walk(t, dir, source.Options{})
	same(t, "walk", got, `
e my chart/examples/e.yaml
t templates/t.yaml
TM905 my chart/Chart.yaml: a Helm chart that has not been rendered`)
	if want := "render it first: helm template '" + dir + "/my chart' | toolmoat audit -"; s.Problems[0].Hint != want {
		t.Errorf("hint %q, want %q", s.Problems[0].Hint, want)
	}
	same(t, "stands for", unjudged(t, s), "tier 0 order 0 ns everything pods everything")
}

// A kustomization that only lists files which are read changes nothing; any other may render to
// anything.
func TestKustomization(t *testing.T) {
	const message = "TM905 kustomization.yaml: a kustomization that has not been rendered; the files beside it are read as they are"
	const all = "tier 0 order 0 ns everything pods everything"
	for _, tt := range []struct{ text, want string }{
		{"resources: [./a.yaml, sub, other]\nimages: [{name: x, newTag: y}]\n", ""},
		{"resources: [a.yaml, sub/b.yaml]\n", ""},
		{"resources: [a.yaml]\n", all},
		{"resources: [sub/b.yaml]\n", all},
		{"resources: [a.yaml]\nnamespace: x\n", all},
		{"resources: [a.yaml]\npatches: []\n", all},
		{"resources: [https://example.com/x.yaml]\n", all},
		{"resources: [../base]\n", all},
		{"resources: [c.txt]\n", all},
		{"resources: [skip]\n", all},
		{"resources: 5\n", all},
		{"resources: [\n", all + "\n" + all},
	} {
		files := map[string]string{"kustomization.yaml": tt.text, "a.yaml": service1("a"), "sub/b.yaml": service1("b"), "c.txt": service1("c"), "skip/d.yaml": service1("d")}
		if strings.Contains(tt.text, "sub,") {
			files["sub/kustomization.yaml"], files["other/deep/c.yaml"], files["other/Kustomization"] = "resources: [b.yaml]\n", service1("c"), "resources: [deep/c.yaml]\n"
		}
		dir := tree(t, files)
		s, got := walk(t, dir, source.Options{Exclude: []string{"skip"}})
		if !strings.HasPrefix(got, "a a.yaml\nb sub/b.yaml\n") || !strings.Contains(got, message) {
			t.Errorf("%q: got\n%s", tt.text, got)
		}
		same(t, tt.text, unjudged(t, s), tt.want)
	}
}

// Reading does not depend on how files are spread over processors, nor on their order but for the
// origins.
func TestDeterministic(t *testing.T) {
	files := map[string]string{}
	for i, m := range manifests(200) {
		files[fmt.Sprintf("d%d/%s", i%7, m.Name)] = string(m.Data)
	}
	dir := tree(t, files)
	first, _ := walk(t, dir, source.Options{})
	want := plain(fmt.Sprintf("%+v", first))
	for range 5 {
		again, _ := walk(t, dir, source.Options{})
		if got := plain(fmt.Sprintf("%+v", again)); string(got) != string(want) {
			t.Fatal("two readings differ")
		}
	}
}
