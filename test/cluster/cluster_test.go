package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"fmt"
	"os"
)

// ran is what the program made of a command line.
type ran struct {
	code     int
	out, err string
}

// toolmoat runs the program in a process of its own, at the root of the tree.
func toolmoat(t *testing.T, args ...string) ran {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(scratch, "toolmoat"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Join("..", ".."), &out, &stderr
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// json is the result as a JSON object.
func (r ran) json(t *testing.T) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(r.out), &o); err != nil {
		t.Fatalf("%v\n%s\n%s", err, r.out, r.err)
	}
	return o
}

// withoutOrigins takes out of a result where things were written, and what depends on that.
func withoutOrigins(v any) any {
	switch v := v.(type) {
	case object:
		delete(v, "origin")
		delete(v, "because")
		for key := range v {
			v[key] = withoutOrigins(v[key])
		}
	case []any:
		for i := range v {
			v[i] = withoutOrigins(v[i])
		}
	}
	return v
}

func TestAuditIsAsOfFiles(t *testing.T) {
	for _, example := range []string{"article", "unprotected", "mcp-connect"} {
		t.Run(example, func(t *testing.T) {
			p := newPlane(t, example)
			p.api.apply(t, folder(t, "examples/"+example))
			config := kubeconfig(t, token("admin-token"), p)
			live := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "-o", "json")
			files := toolmoat(t, "audit", "-o", "json", "examples/"+example)
			fmt.Println(live.err)
			os.WriteFile("/tmp/live-"+example+".json", mustJSON(withoutOrigins(live.json(t))), 0o666)
			os.WriteFile("/tmp/files-"+example+".json", mustJSON(withoutOrigins(files.json(t))), 0o666)
			fmt.Println(live.code, files.code)
			txt := toolmoat(t, "audit", "--cluster", "--kubeconfig", config)
			os.WriteFile("/tmp/live-"+example+".txt", []byte(txt.out), 0o666)
		})
	}
}

func mustJSON(v any) []byte { b, _ := json.MarshalIndent(v, "", " "); return b }

var _ = slices.Contains[[]string]
