package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// object is a JSON object, read by key so that a key that is missing is not taken for one that is
// empty.
type object map[string]any

func parse(t testing.TB, text string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v\n%.1000s", err, text)
	}
	return o
}

func (o object) object(key string) object { v, _ := o[key].(map[string]any); return v }

func (o object) objects(key string) []object {
	list, _ := o[key].([]any)
	var out []object
	for _, v := range list {
		v, _ := v.(map[string]any)
		out = append(out, v)
	}
	return out
}

// keys demands that the object has every key of a list, with a value that is not null, and is one
// of the optional ones otherwise.
func (o object) keys(t *testing.T, of, required, optional string) {
	t.Helper()
	for _, key := range strings.Fields(required) {
		if v, ok := o[key]; !ok || v == nil {
			t.Errorf("%s has no %q: %v", of, key, o)
		}
	}
	for key := range maps.Keys(o) {
		if !slices.Contains(strings.Fields(required+" "+optional), key) {
			t.Errorf("%s has a key that nothing documents: %q", of, key)
		}
	}
}

var (
	verdicts     = []string{"unknown", "denied", "allowed", "depends", "notEnforced"}
	extents      = []string{"none", "some", "all"}
	callers      = []string{"gateway", "anyPod", "namespace", "pods", "nodes", "external", "hypothetical"}
	destinations = []string{"dns", "internet", "kubeApi", "metadata", "nodes", "otherNamespaces", "otherServers", "privateNetworks", "sameNamespace"}
)

func oneOf(t *testing.T, what string, got any, names []string) {
	t.Helper()
	if text, ok := got.(string); !ok || !slices.Contains(names, text) {
		t.Errorf("%s is %v, not one of %v", what, got, names)
	}
}

// TestAuditContract holds the JSON of audit to its documented shape, on inputs that are fine, bad
// and broken.
func TestAuditContract(t *testing.T) {
	broken := files(t, map[string]string{"a.yaml": "{"})
	for _, in := range []string{"examples/unprotected", "examples/article", "examples/mcp-connect", "examples/article-cilium", broken} {
		got := toolmoat(t, root(t), "", "audit", "-q", "-o", "json", in)
		res := parse(t, got.out)
		res.keys(t, "the result", "schema cni assume complete assumptions problems servers findings summary", "")
		if res["schema"] != "toolmoat.dev/audit/v1" {
			t.Errorf("schema %v", res["schema"])
		}
		if complete := res["complete"] == true; complete != (in != broken) || complete != (len(res.objects("problems")) == 0) {
			t.Errorf("%s: complete is %v, with %d problems", in, res["complete"], len(res.objects("problems")))
		}
		var plugins []string
		for _, name := range res["cni"].([]any) {
			plugins = append(plugins, name.(string))
		}
		for _, p := range res.objects("problems") {
			p.keys(t, "a problem", "rule message origin", "hint")
		}
		for _, srv := range res.objects("servers") {
			srv.keys(t, "a server", "namespace name kind origin ports transport evidence grade score reach reachableBy", "catalog grades")
			grades := []string{"A", "B", "C", "D", "F"}
			oneOf(t, "grade", srv["grade"], grades)
			worst := ""
			for name, grade := range srv.object("grades") {
				oneOf(t, "grades", name, plugins)
				oneOf(t, name, grade, grades)
				worst = max(worst, grade.(string))
			}
			if by := srv.object("grades"); by != nil && (len(by) != len(plugins) || worst != srv["grade"]) {
				t.Errorf("%s: grade %v, by plugin %v", in, srv["grade"], by)
			}
			reach := srv.object("reach")
			if names := slices.Sorted(maps.Keys(reach)); !slices.Equal(names, destinations) {
				t.Errorf("destinations %v", names)
			}
			for name := range reach {
				d := reach.object(name)
				d.keys(t, name, "verdict extent to because", "")
				oneOf(t, name, d["verdict"], verdicts)
				oneOf(t, name, d["extent"], extents)
				for _, to := range d.objects("to") {
					to.keys(t, name, "conns verdict", "cidr except pods host name when if more")
				}
			}
			for _, c := range srv.objects("reachableBy") {
				c.keys(t, "a caller", "who conns verdict", "names labels text when if more")
				oneOf(t, "who", c["who"], callers)
			}
		}
		for _, f := range res.objects("findings") {
			f.keys(t, "a finding", "rule severity message origin fingerprint", "server cni witness fix")
			if cni, ok := f["cni"]; ok {
				some, _ := cni.([]any)
				if len(some) == 0 || len(some) >= len(plugins) {
					t.Errorf("%s: holds on %v, of %v", f["rule"], cni, plugins)
				}
				for _, name := range some {
					oneOf(t, "cni", name, plugins)
				}
			}
			oneOf(t, "severity", f["severity"], []string{"critical", "high", "medium", "low", "info"})
			if w := f.object("witness"); w != nil {
				w.keys(t, "a witness", "", "from to port protocol world")
			}
		}
		res.object("summary").keys(t, "the summary", "servers gateways agents workloads policies bySeverity grade", "")
	}
}

// TestFeedsContract holds the JSON of the feeds commands to its documented shape.
func TestFeedsContract(t *testing.T) {
	dir := files(t, map[string]string{"in/stripe.json": `{"API":["3.18.12.63"]}`})
	for _, args := range [][]string{{"feeds"}, {"feeds", "github"}, {"feeds", "--max-age", "7d", "anthropic"}, {"feeds", "show", "github/api"},
		{"feeds", "update", "stripe/api", "--from-file", "in/stripe.json"}, {"feeds", "update", "anthropic"}} {
		got := toolmoat(t, dir, "", append(slices.Clone(args), "-q", "-o", "json", "--dir", "kept")...)
		res := parse(t, got.out)
		res.keys(t, "the result", "schema feeds", "")
		if res["schema"] != "toolmoat.dev/feeds/v1" || len(res.objects("feeds")) == 0 {
			t.Errorf("%v: %.200s", args, got.out)
		}
		for _, f := range res.objects("feeds") {
			f.keys(t, "a feed", "name title direction warnings source", "url page copy sections ranges stale update error")
			oneOf(t, "direction", f["direction"], []string{"to", "from", "both"})
			if c := f.object("copy"); c != nil {
				c.keys(t, "a copy", "from asOf source sha256 count4 count6", "etag lastModified syncToken")
				oneOf(t, "from", c["from"], []string{"bundled", "fetched"})
			}
			for _, s := range f.objects("sections") {
				s.keys(t, "a section", "name direction count", "")
			}
			if u := f.object("update"); u != nil {
				u.keys(t, "an update", "result added removed accepted", "")
				oneOf(t, "result", u["result"], []string{"updated", "unchanged", "failed"})
			}
		}
	}
}

// serversOf returns the servers of an audit by their names.
func serversOf(res object) map[string]object {
	out := map[string]object{}
	for _, srv := range res.objects("servers") {
		out[srv["name"].(string)] = srv
	}
	return out
}

// fired returns by server which rules report it, with their severities.
func fired(res object) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, f := range res.objects("findings") {
		server, _ := f["server"].(string)
		if out[server] == nil {
			out[server] = map[string]string{}
		}
		out[server][f["rule"].(string)] = f["severity"].(string)
	}
	return out
}

func TestAuditUnprotected(t *testing.T) {
	got := toolmoat(t, root(t), "", "audit", "-o", "json", "examples/unprotected")
	got.want(t, exitFails)
	res := parse(t, got.out)
	servers, rules := serversOf(res), fired(res)
	if len(servers) != 3 {
		t.Errorf("%d servers", len(servers))
	}
	for name, srv := range servers {
		if srv["grade"] != "F" || rules["mcp-workloads/"+name]["TM301"] != "critical" {
			t.Errorf("%s: grade %v, TM301 %s", name, srv["grade"], rules["mcp-workloads/"+name]["TM301"])
		}
		if m := srv.object("reach").object("metadata"); m["verdict"] != "allowed" || m["extent"] != "all" {
			t.Errorf("%s: metadata %v, %v", name, m["verdict"], m["extent"])
		}
	}
}

func TestAuditArticle(t *testing.T) {
	got := toolmoat(t, root(t), "", "audit", "--cni", "spec", "-o", "json", "examples/article")
	got.want(t, exitOK)
	res := parse(t, got.out)
	servers, rules := serversOf(res), fired(res)
	for _, name := range []string{"mcp-github", "mcp-notion", "mcp-postgres"} {
		reach := servers[name].object("reach")
		for _, d := range []string{"metadata", "nodes", "kubeApi", "otherNamespaces", "otherServers", "privateNetworks"} {
			if to := reach.object(d); to["verdict"] != "denied" || to["extent"] != "none" || len(to.objects("to")) != 0 {
				t.Errorf("%s: %s is %v, %v: %v", name, d, to["verdict"], to["extent"], to["to"])
			}
		}
		for _, d := range []string{"internet", "dns"} {
			if to := reach.object(d); to["verdict"] != "allowed" || to["extent"] != "some" {
				t.Errorf("%s: %s is %v, %v", name, d, to["verdict"], to["extent"])
			}
		}
		for _, id := range []string{"TM110", "TM206"} {
			if rules["mcp-workloads/"+name][id] != "medium" {
				t.Errorf("%s: %s is %q", name, id, rules["mcp-workloads/"+name][id])
			}
		}
	}
	if n := res.object("summary").object("bySeverity"); n["critical"] != 0.0 || n["high"] != 0.0 {
		t.Errorf("%v", n)
	}
}

// TestOrder demands the same bytes whichever way round the same files are given, and however often.
func TestOrder(t *testing.T) {
	for _, example := range []string{"unprotected", "article", "article-cilium", "mcp-connect"} {
		paths, err := filepath.Glob(filepath.Join(root(t), "examples", example, "*.yaml"))
		if err != nil || len(paths) < 3 {
			t.Fatal(paths, err)
		}
		backwards := slices.Clone(paths)
		slices.Reverse(backwards)
		rotated := slices.Concat(paths[2:], paths[:2])
		for _, command := range [][]string{
			{"audit", "-o", "json"}, {"audit", "--verbose"}, {"map", "-o", "json"}, {"map", "--expand", "-o", "csv"}, {"map", "-o", "dot"}, {"map"},
		} {
			want := toolmoat(t, "", "", slices.Concat(command, paths)...)
			for _, order := range [][]string{paths, backwards, rotated} {
				if got := toolmoat(t, "", "", slices.Concat(command, order)...); got.out != want.out || got.code != want.code {
					t.Errorf("%s %v: the output depends on the order of the files: %s", example, command, difference(want.out, got.out))
				}
			}
		}
	}
}

// difference returns the first line in which two texts differ.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i] + " | " + bs[i]
		}
	}
	return "one is longer"
}

// TestFullDisk demands that a result that could not be written is not reported as one that was.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no device that is always full:", err)
	}
	defer full.Close()
	for _, args := range [][]string{
		{"audit", "examples/article"}, {"audit", "-o", "json", "examples/article"}, {"map", "examples/article"}, {"map", "-o", "json", "examples/article"},
		{"map", "-o", "csv", "examples/article"}, {"map", "-o", "dot", "examples/article"}, {"rules"}, {"rules", "-o", "json"}, {"version"},
		{"feeds"}, {"feeds", "-o", "json"}, {"feeds", "show", "-o", "lines", "github/api"},
		{"cidrs", "--from-file", "examples/cidrs/gke"}, {"cidrs", "-o", "except", "--from-file", "examples/cidrs/gke"},
		{"can", "mcp-workloads/mcp-github", "140.82.112.3:443", "examples/article"},
	} {
		cmd, errs := command(t, root(t), args...)
		cmd.Stdout = full
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitBroken || !strings.HasPrefix(errs.String(), "error: ") {
			t.Errorf("%v: exit %d, %s", args, code, errs)
		}
	}
}
