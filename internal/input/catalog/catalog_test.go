package catalog

import (
	"slices"
	"strings"
	"testing"
)

func TestDataIsValid(t *testing.T) {
	entries, err := decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 20 {
		t.Fatalf("%d entries", len(entries))
	}
	if !slices.IsSortedFunc(entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("entries are not sorted by id")
	}
	ids, images, packages := map[string]bool{}, map[string]string{}, map[string]string{}
	for _, e := range entries {
		if e.ID == "" || ids[e.ID] || e.Title == "" {
			t.Errorf("%q: id repeated, or id or title missing", e.ID)
		}
		ids[e.ID] = true
		if e.Class == UnknownClass {
			t.Errorf("%s: no class", e.ID)
		}
		if len(e.Images)+len(e.Packages) == 0 {
			t.Errorf("%s: nothing recognises it", e.ID)
		}
		if len(e.Evidence) == 0 {
			t.Errorf("%s: no evidence", e.ID)
		}
		for _, source := range e.Evidence {
			if repo, path, ok := strings.Cut(source, " "); !ok || strings.Count(repo, "/") != 1 || path == "" || strings.Contains(source, "://") {
				t.Errorf("%s: evidence %q is not \"owner/repository path\"", e.ID, source)
			}
		}
		for _, ref := range e.Images {
			image, ok := ParseImage(ref)
			if !ok || image.Path != ref || !strings.Contains(ref, "/") {
				t.Errorf("%s: image %q is not a repository path of two segments or more", e.ID, ref)
			}
			if images[ref] != "" {
				t.Errorf("image %q is in %s and %s", ref, images[ref], e.ID)
			}
			images[ref] = e.ID
		}
		for _, p := range e.Packages {
			if p.Kind != "npm" && p.Kind != "pypi" || p.Name == "" {
				t.Errorf("%s: package %+v", e.ID, p)
			}
			if key := p.Kind + canonical(p.Kind, p.Name); packages[key] != "" {
				t.Errorf("package %q is in %s and %s", p.Name, packages[key], e.ID)
			} else {
				packages[key] = e.ID
			}
		}
		if !slices.Contains([]string{"", "stdio", "sse", "streamable-http"}, e.Transport) {
			t.Errorf("%s: transport %q", e.ID, e.Transport)
		}
		if e.Transport == "stdio" && len(e.Ports) > 0 {
			t.Errorf("%s: stdio answers on no port", e.ID)
		}
		for _, v := range e.Env {
			if v.Name == "" || v.Replaces && len(e.Hosts) == 0 {
				t.Errorf("%s: env %+v", e.ID, v)
			}
		}
		switch e.Class {
		case None, KubeAPI, OpenFetch:
			if len(e.Hosts)+len(e.Env) > 0 {
				t.Errorf("%s: class %v with hosts", e.ID, e.Class)
			}
		case Fixed, Templated:
			if len(e.Hosts) == 0 {
				t.Errorf("%s: class %v without hosts", e.ID, e.Class)
			}
		case EnvAddressed:
			if len(e.Env) == 0 {
				t.Errorf("%s: class %v without env", e.ID, e.Class)
			}
		}
	}
}

func TestDecodeIsStrict(t *testing.T) {
	for _, text := range []string{
		`[{"id":"x","surprise":1}]`,
		`[{"id":"x","class":"unknown"}]`,
		`[{"id":"x","class":"wide"}]`,
		`[{"id":"x","hosts":["https://a.b"]}]`,
		`[{"id":"x","hosts":["a.b:0"]}]`,
		`[{"id":"x","hosts":["a.b:99999"]}]`,
		`[{"id":"x","hosts":["*."]}]`,
		`[{"id":"x","hosts":["A.example"]}]`,
		`[] []`,
	} {
		if _, err := decode([]byte(text)); err == nil {
			t.Errorf("decode(%s): no error", text)
		}
	}
	entries, err := decode([]byte(`[{"id":"x","class":"fixed","hosts":["a.example","b.example:80"]}]`))
	if err != nil || len(entries) != 1 || entries[0].Hosts[0] != (Host{"a.example", 443}) || entries[0].Hosts[1].String() != "b.example:80" {
		t.Errorf("got %+v, %v", entries, err)
	}
}

func TestByImage(t *testing.T) {
	for _, tt := range []struct{ ref, want string }{
		{"github/github-mcp-server", "github"},
		{"registry.example/github/github-mcp-server:v1.2", "github"},
		{"harbor.corp/mirror/github/github-mcp-server:v1", "github"},
		{"harbor.corp:8443/mirror/github/github-mcp-server:v1@sha256:0123", "github"},
		{"localhost/github/github-mcp-server@sha256:0123", "github"},
		{"[fd00::1]:5000/mcp/time", "time"},
		{"mcp/time:latest", "time"},
		{"registry.example/stacklok/dockyard/npx/tavily-mcp:0.2.16", "tavily"},
		{"GitHub/GitHub-MCP-Server", ""}, // a capital makes the first segment a host
		{"github-mcp-server", ""},
		{"registry.example/xgithub/github-mcp-server", ""},
		{"github/github-mcp-server/extra", ""},
		{"github/github-mcp-server:v1/x", ""},
		{"{{ .Values.image }}", ""},
		{"", ""},
		{"registry.example/", ""},
		{"mcp//time", ""},
	} {
		e, ok := ByImage(tt.ref)
		if e.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("ByImage(%q) = %q, %v; want %q", tt.ref, e.ID, ok, tt.want)
		}
	}
}

func TestParseImage(t *testing.T) {
	got, ok := ParseImage("harbor.corp:8443/a/b:v1@sha256:ab")
	if want := (Image{"harbor.corp:8443", "a/b", "v1", "sha256:ab"}); got != want || !ok {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Base() != "b" {
		t.Errorf("Base() = %q", got.Base())
	}
	if got, ok := ParseImage("redis:7"); !ok || got.Path != "redis" || got.Base() != "redis" || got.Tag != "7" {
		t.Errorf("got %+v, %v", got, ok)
	}
}

func TestByPackage(t *testing.T) {
	for _, tt := range []struct{ kind, name, want string }{
		{"npm", "@modelcontextprotocol/server-github", "github"},
		{"pypi", "mcp-server-fetch", "fetch"},
		{"pypi", "MCP_Server.Fetch", "fetch"},
		{"pypi", "prometheus_mcp_server", "prometheus"},
		{"npm", "mcp-server-fetch", ""},
		{"npm", "@Playwright/mcp", ""},
		{"", "", ""},
	} {
		if e, ok := ByPackage(tt.kind, tt.name); e.ID != tt.want || ok != (tt.want != "") {
			t.Errorf("ByPackage(%q, %q) = %q, %v; want %q", tt.kind, tt.name, e.ID, ok, tt.want)
		}
	}
}

func TestByID(t *testing.T) {
	for _, e := range All() {
		if got, ok := ByID(e.ID); !ok || got.Title != e.Title {
			t.Errorf("ByID(%q) = %q, %v", e.ID, got.Title, ok)
		}
	}
	if _, ok := ByID("no-such-server"); ok {
		t.Error("ByID of an unknown id")
	}
}

func FuzzParseImage(f *testing.F) {
	for _, s := range []string{"a/b:c@d", "host:1/p", "[::1]:5/x", "", "@", ":", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		image, ok := ParseImage(ref)
		if ok && (image.Base() == "" || !isPath(image.Path)) {
			t.Errorf("ParseImage(%q) = %+v", ref, image)
		}
		ByImage(ref)
	})
}
