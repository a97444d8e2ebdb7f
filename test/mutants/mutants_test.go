// Package mutants breaks the engine on purpose, one small change at a time, and demands that the tests notice.
//
// It takes minutes, and so runs only where TOOLMOAT_MUTANTS is 1. A mutant that survives is a test that is missing. A mutant whose old
// text is gone has to follow the code.
package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

func TestMutants(t *testing.T) {
	if os.Getenv("TOOLMOAT_MUTANTS") != "1" {
		t.Skip("set TOOLMOAT_MUTANTS=1 to run it; it takes minutes")
	}
	if out, err := suite(t.Context(), "reach", "").CombinedOutput(); err != nil {
		t.Fatalf("the tests fail without any mutant: %v\n%s", err, out)
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
	if n := int(killed.Load() + survived.Load()); n != len(mutants) || n < 30 {
		t.Errorf("%d of %d mutants ran", n, len(mutants))
	}
}

// dies reports whether some test fails with m in place: those of its own package, then those of the engine.
func (m mutant) dies(t *testing.T) bool {
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
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{changed: []byte(strings.Replace(string(src), m.old, m.new, 1)), overlay: text} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packages := []string{filepath.Dir(m.file), "reach"}
	if packages[0] == "reach" {
		packages = packages[1:]
	}
	for _, p := range packages {
		out, err := suite(t.Context(), p, overlay).CombinedOutput()
		if bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")) {
			t.Fatalf("%s: the mutant does not compile\n%s", m.file, out)
		}
		if err != nil {
			return true
		}
	}
	return false
}

// suite runs the tests of a package below internal, with an overlay unless it is "".
func suite(ctx context.Context, pkg, overlay string) *exec.Cmd {
	args := []string{"test", "-count=1", "-failfast", "-vet=off", "-timeout=2m"}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./internal/"+pkg)...)
	cmd.Dir = root
	return cmd
}
