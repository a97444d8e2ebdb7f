package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// json is the result as a JSON object.
func (r ran) json(t *testing.T) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(r.out), &o); err != nil {
		t.Fatalf("exit %d: %v\n%s\n%s", r.code, err, r.out, r.err)
	}
	return o
}

// list returns a list of objects under a key.
func list(o object, key string) []object {
	items, _ := o[key].([]any)
	var out []object
	for _, item := range items {
		item, _ := item.(object)
		out = append(out, item)
	}
	return out
}

// messages returns the messages of the problems of a result.
func messages(o object) []string {
	var out []string
	for _, p := range list(o, "problems") {
		out = append(out, fmt.Sprint(p["rule"], " ", p["message"]))
	}
	return out
}

// withoutOrigins takes out of a result where things were written, and what depends on it.
func withoutOrigins(v any) any {
	switch v := v.(type) {
	case object:
		for _, key := range []string{"file", "line", "because"} {
			delete(v, key)
		}
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

// same demands that two results say the same but for origins: all of them, or under some keys only.
// It prints where they first differ.
func same(t *testing.T, got, want ran, keys ...string) {
	t.Helper()
	if got.code != want.code {
		t.Errorf("exits with %d, not %d\n%s", got.code, want.code, got.err)
	}
	a, b := withoutOrigins(got.json(t)).(object), withoutOrigins(want.json(t)).(object)
	if keys == nil {
		keys = slices.Sorted(maps.Keys(b))
		if all := slices.Sorted(maps.Keys(a)); !slices.Equal(all, keys) {
			t.Errorf("has %q, not %q", all, keys)
		}
	}
	for _, key := range keys {
		x, _ := json.MarshalIndent(a[key], "", " ")
		y, _ := json.MarshalIndent(b[key], "", " ")
		if bytes.Equal(x, y) {
			continue
		}
		xs, ys := strings.Split(string(x), "\n"), strings.Split(string(y), "\n")
		n := 0
		for n < min(len(xs), len(ys)) && xs[n] == ys[n] {
			n++
		}
		from := max(0, n-12)
		t.Errorf("%s differs:\n--- live\n%s\n--- files\n%s", key, strings.Join(xs[from:min(len(xs), n+12)], "\n"), strings.Join(ys[from:min(len(ys), n+12)], "\n"))
	}
}

// dump writes what the API server has, list by list as it answers, into a folder.
func dump(t *testing.T, a *api) string {
	t.Helper()
	dir := t.TempDir()
	for _, path := range []string{"/api/v1/namespaces", "/api/v1/nodes", "/api/v1/pods", "/api/v1/services", "/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets",
		"/apis/apps/v1/daemonsets", "/apis/discovery.k8s.io/v1/endpointslices", "/apis/networking.k8s.io/v1/ingresses", "/apis/networking.k8s.io/v1/networkpolicies",
		"/apis/cilium.io/v2/ciliumnetworkpolicies"} {
		status, text, err := a.do(t.Context(), "GET", path, nil)
		if err != nil || status != 200 && status != 404 {
			t.Fatalf("GET %s: %d %v", path, status, err)
		}
		if status == 200 && !bytes.Contains(text, []byte(`"items":[]`)) {
			write(t, filepath.Join(dir, strings.ReplaceAll(path[1:], "/", "-")+".json"), string(text))
		}
	}
	return dir
}

// ownObjects writes what every API server makes of itself, which no file that is applied to it has.
func ownObjects(t *testing.T, a *api) string {
	t.Helper()
	var b strings.Builder
	for _, path := range []string{"/api/v1/namespaces/default/services/kubernetes", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"} {
		text, err := json.Marshal(a.get(t, path))
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	path := filepath.Join(t.TempDir(), "own.json")
	write(t, path, b.String())
	return path
}

// factsOf writes what a cluster tells of itself, which files do not.
func factsOf(t *testing.T, config string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "facts.yaml")
	if r := toolmoat(t, "cidrs", "cluster", "--kubeconfig", config, "--out", file, "--allow-incomplete"); r.code != 0 {
		t.Fatal(r.err)
	}
	return file
}

// TestSameAsFiles has the program judge a cluster, the files that were applied to it, and what the
// API server itself answers, saved.
func TestSameAsFiles(t *testing.T) {
	for _, tt := range []struct {
		example, prefix string   // of the addresses of Services
		flags           []string // of the API server
		server          string
		complete        bool // the files hold all that there is
	}{
		{"article", "10.96.8.", nil, "mcp-workloads/mcp-github", false},
		{"unprotected", "10.96.8.", nil, "mcp-workloads/mcp-github", false},
		// The example has the Service of the API server and its endpoints.
		{"mcp-connect", "34.118.225.", []string{"--service-cluster-ip-range=34.118.224.0/20", ownEndpoints},
			"codemie-mcp-connect-service/codemie-mcp-connect-service", true},
	} {
		t.Run(tt.example, func(t *testing.T) {
			p := newPlane(t, tt.example, tt.flags...)
			written := example(t, tt.example, tt.prefix)
			p.api.apply(t, written)
			config := kubeconfig(t, token("admin-token"), p)
			live := []string{"--cluster", "--kubeconfig", config}
			facts := factsOf(t, config)
			applied := []string{"--facts", facts, files(t, written)}
			if !tt.complete {
				applied = append(applied, ownObjects(t, p.api))
			}
			saved := []string{"--facts", facts, dump(t, p.api)}
			t.Run("one namespace", func(t *testing.T) {
				namespace, _, _ := strings.Cut(tt.server, "/")
				args := append([]string{"audit", "-q", "-o", "json"}, live...)
				part := toolmoat(t, append(args, "-n", namespace)...)
				if part.code != 2 {
					t.Errorf("exits with %d", part.code)
				}
				deniesNoMore(t, part.json(t), toolmoat(t, args...).json(t))
			})
			for _, command := range [][]string{{"audit"}, {"map"}, {"can", tt.server, "169.254.169.254:80"}, {"can", tt.server, "1.1.1.1"},
				{"can", tt.server, "default/kubernetes:443"}} {
				t.Run(strings.Join(command, " "), func(t *testing.T) {
					with := func(args []string) ran {
						return toolmoat(t, slices.Concat(command, []string{"-q", "-o", "json"}, args)...)
					}
					got := with(live)
					same(t, got, with(saved))
					switch command[0] {
					case "audit":
						if len(list(got.json(t), "servers")) == 0 || got.json(t)["complete"] != true {
							t.Errorf("no server was found, or not all was judged: %s", got.out)
						}
						same(t, got, with(applied), "complete", "problems", "servers", "findings", "summary")
					case "map":
						same(t, got, with(applied), "complete", "connections")
					case "can":
						same(t, got, with(applied), "complete", "verdict", "conns", "worlds")
					}
				})
			}
		})
	}
}

// deniesNoMore demands that an audit of a part of a cluster calls nothing denied that the whole
// does not, neither of what servers reach nor of who calls them.
func deniesNoMore(t *testing.T, part, whole object) {
	t.Helper()
	if len(list(part, "servers")) == 0 {
		t.Error("no server was found")
	}
	for _, srv := range list(part, "servers") {
		i := slices.IndexFunc(list(whole, "servers"), func(o object) bool { return o["name"] == srv["name"] && o["namespace"] == srv["namespace"] })
		full := list(whole, "servers")[i]
		for class, reach := range srv["reach"].(object) {
			before, after := full["reach"].(object)[class].(object)["verdict"], reach.(object)["verdict"]
			if before != "denied" && after == "denied" {
				t.Errorf("%v: %s is denied for who reads one namespace, and %v for who reads all", srv["name"], class, before)
			}
		}
		if len(list(full, "reachableBy")) > 0 && len(list(srv, "reachableBy")) == 0 {
			t.Errorf("%v: nobody calls it for who reads one namespace", srv["name"])
		}
	}
}
