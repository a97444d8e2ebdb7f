package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/input/source"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.json": "{}", "a.yaml": "a: 1", "c.txt": "no manifest"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "out.yaml")); err != nil {
		t.Fatal(err)
	}
	files, problems, err := source.Files(source.Options{Paths: []string{dir, "-", filepath.Join(dir, "c.txt")}, Stdin: strings.NewReader("x: y")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, filepath.Base(f.Name)+"="+string(f.Data))
	}
	if text := strings.Join(got, " "); text != "a.yaml=a: 1 b.json={} -=x: y c.txt=no manifest" {
		t.Error(text)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "leaves the directory") {
		t.Errorf("%v", problems)
	}
	if _, _, err := source.Files(source.Options{Paths: []string{filepath.Join(dir, "none")}}); err == nil {
		t.Error("a path that does not exist is no error")
	}
}
