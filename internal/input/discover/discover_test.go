package discover

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

// workload returns a Deployment "ns/name" with one container, changed by tweaks.
func workload(ns, name, image string, tweaks ...func(*model.Workload)) model.Workload {
	w := model.Workload{
		Namespace: ns, Kind: "Deployment", Name: name,
		Containers: []model.Container{{Name: "main", Image: image, Line: 20}},
		Pods:       []model.Pod{{Labels: label.Known(label.Set{"app": name})}},
		Origin:     origin.Origin{File: "a.yaml", Line: 1, Object: "Deployment " + ns + "/" + name},
	}
	for _, tweak := range tweaks {
		tweak(&w)
	}
	return w
}

func podLabels(pairs ...string) func(*model.Workload) {
	return func(w *model.Workload) {
		set := label.Set{}
		for i := 0; i < len(pairs); i += 2 {
			set[pairs[i]] = pairs[i+1]
		}
		w.Pods[0].Labels = label.Known(set)
	}
}

func command(argv ...string) func(*model.Workload) {
	return func(w *model.Workload) { w.Containers[0].Command = argv }
}

func args(argv ...string) func(*model.Workload) {
	return func(w *model.Workload) { w.Containers[0].Args = argv }
}

func env(pairs ...string) func(*model.Workload) {
	return func(w *model.Workload) {
		for i := 0; i < len(pairs); i += 2 {
			w.Containers[0].Env = append(w.Containers[0].Env, model.EnvVar{Name: pairs[i], Value: pairs[i+1], Known: true})
		}
	}
}

func secretEnv(names ...string) func(*model.Workload) {
	return func(w *model.Workload) {
		for _, n := range names {
			w.Containers[0].Env = append(w.Containers[0].Env, model.EnvVar{Name: n})
		}
	}
}

func port(name string, n netset.Port) func(*model.Workload) {
	return func(w *model.Workload) {
		w.Containers[0].Ports = append(w.Containers[0].Ports, model.ContainerPort{Name: name, Protocol: netset.TCP, Port: n})
	}
}

func probe(path string) func(*model.Workload) {
	return func(w *model.Workload) { w.Containers[0].Paths = append(w.Containers[0].Paths, path) }
}

func container(c model.Container) func(*model.Workload) {
	return func(w *model.Workload) { w.Containers = append(w.Containers, c) }
}

func annotation(key, value string) func(*model.Workload) {
	return func(w *model.Workload) {
		if w.Annotations == nil {
			w.Annotations = label.Set{}
		}
		w.Annotations[key] = value
	}
}

// one discovers a single workload.
func one(w model.Workload, rest ...func(*model.Snapshot)) model.Server {
	s := &model.Snapshot{Workloads: []model.Workload{w}}
	for _, f := range rest {
		f(s)
	}
	if found := Servers(s); len(found) > 0 {
		return found[0]
	}
	return model.Server{}
}

func service(ns, name, portName, appProtocol string, target netset.Port, selector label.Set) func(*model.Snapshot) {
	return func(s *model.Snapshot) {
		sel := label.Equals(selector)
		s.Services = append(s.Services, model.Service{
			Namespace: ns, Name: name, Type: "ClusterIP", Selector: &sel,
			Ports: []model.ServicePort{{Name: portName, Protocol: netset.TCP, Port: 80, Target: target, AppProtocol: appProtocol}},
		})
	}
}

func route(ns, service, path string) func(*model.Snapshot) {
	return func(s *model.Snapshot) {
		s.Routes = append(s.Routes, model.Route{Kind: "HTTPRoute", Namespace: ns, Name: "r", Backends: []model.Backend{{Namespace: ns, Service: service, Path: path}}})
	}
}

func signals(s model.Server) string {
	var names []string
	for _, e := range s.Evidence {
		names = append(names, e.Signal)
	}
	return strings.Join(names, " ")
}

// TestServerSignals has, for each signal, a workload on which it fires and one that is nearly the
// same on which it does not.
func TestServerSignals(t *testing.T) {
	const plain = "registry.example/team/billing:1"
	for _, tt := range []struct {
		signal string
		fires  model.Workload
		silent model.Workload
	}{
		{"label", workload("a", "x", plain, podLabels("mcp-server", "github")), workload("a", "x", plain, podLabels("mcp-client", "github"))},
		{"label", workload("a", "x", plain, podLabels("app", "mcp-server")), workload("a", "x", plain, podLabels("app", "server"))},
		{"label", workload("a", "x", plain, podLabels("app.kubernetes.io/managed-by", "kmcp")), workload("a", "x", plain, podLabels("app.kubernetes.io/managed-by", "Helm"))},
		{"label", workload("a", "x", plain, podLabels("adapter/type", "mcp")), workload("a", "x", plain, podLabels("adapter/type", "sql"))},
		{"label", workload("a", "x", plain, podLabels("mcp-user-id", "7")), workload("a", "x", plain, podLabels("user-id", "7"))},
		{"label", workload("a", "x", plain, podLabels("app", "fetch", "toolhive", "true", "toolhive-name", "fetch")), workload("a", "x", plain, podLabels("toolhive", "true"))},
		{"catalog", workload("a", "x", "harbor.corp/mirror/github/github-mcp-server:v1"), workload("a", "x", "harbor.corp/mirror/github/runner:v1")},
		{"catalog", workload("a", "x", "node:22", command("npx", "-y", "@notionhq/notion-mcp-server@1.9.1")), workload("a", "x", "node:22", command("npx", "-y", "@notionhq/client"))},
		{"image", workload("a", "x", "registry.example/acme/mcp-server-billing"), workload("a", "x", "registry.example/acme/mcpd-billing")},
		{"image", workload("a", "x", "registry.example/acme/jira_mcp_server"), workload("a", "x", "registry.example/acme/mcp-operator:1")},
		{"image", workload("a", "x", "registry.example/acme/billing-mcp"), workload("a", "x", "registry.example/kagent-dev/kmcp/controller")},
		{"image", workload("a", "x", "mcp/anything"), workload("a", "x", "mcpx/anything")},
		{"image", workload("a", "x", "registry.example/stackloklabs/sql/server"), workload("a", "x", "registry.example/stackloklabs/sql/web")},
		{"image", workload("a", "x", "registry.example/corp/codemie-mcp-connect-service:2"), workload("a", "x", "registry.example/corp/codemie-api:2")},
		{"command", workload("a", "x", plain, command("npx", "-y", "@modelcontextprotocol/server-slack")), workload("a", "x", plain, command("npx", "-y", "@modelcontextprotocol/inspector"))},
		{"command", workload("a", "x", plain, command("uvx", "--from", "git+https://t0ken@git.corp/x", "mcp-server-x")), workload("a", "x", plain, command("uvx", "ruff"))},
		{"command", workload("a", "x", plain, command("uvx", "awslabs.cost-mcp-server@latest")), workload("a", "x", plain, command("uvx", "awslabs.cost"))},
		{"command", workload("a", "x", plain, command("python3.12", "-u", "-m", "mcp_server_jira")), workload("a", "x", plain, command("python3", "-m", "mcpserver_jira"))},
		{"command", workload("a", "x", plain, command("uv", "--directory", "/app", "run", "--with", "x", "fastmcp", "run", "s.py")), workload("a", "x", plain, command("uv", "run", "fastapi", "run", "s.py"))},
		{"command", workload("a", "x", plain, command("sh", "-c", "cd /app && exec node node_modules/@modelcontextprotocol/server-x/dist/index.js")), workload("a", "x", plain, command("sh", "-c", "cd /mcp && exec node index.js"))},
		{"command", workload("a", "x", plain, command("/usr/bin/tini", "--", "node", "/opt/mcp-server-x/dist/index.js")), workload("a", "x", plain, command("/usr/bin/tini", "--", "node", "/opt/x/dist/index.js"))},
		{"command", workload("a", "x", plain, command("pipx", "run", "--spec", "mcp-x==1", "serve")), workload("a", "x", plain, command("pipx", "install", "mcp-x"))},
		{"bridge", workload("a", "x", plain, command("npx", "-y", "supergateway", "--stdio", "my-tool")), workload("a", "x", plain, command("npx", "-y", "gateway", "--stdio", "my-tool"))},
		{"bridge", workload("a", "x", "registry.example/open-webui/mcpo:main", args("--port", "9000", "--", "tool")), workload("a", "x", "registry.example/open-webui/web:main", args("--port", "9000"))},
		{"bridge", workload("a", "x", plain, container(model.Container{Name: "adapter", Image: "registry.example/agentgateway/agentgateway:1", Init: true})),
			workload("a", "x", plain, container(model.Container{Name: "copy", Image: "busybox", Init: true, Command: []string{"cp", "a", "b"}}))},
		{"transport", workload("a", "x", plain, args("-t", "streamable-http", "--address", "0.0.0.0:8000")), workload("a", "x", plain, args("-t", "5s", "--address", "0.0.0.0:8000"))},
		{"transport", workload("a", "x", plain, args("--transport=sse", "--sse-port=8000")), workload("a", "x", plain, args("--transport=sse"))},
	} {
		t.Run(tt.signal, func(t *testing.T) {
			got := one(tt.fires)
			if got.Role != model.IsServer || !strings.Contains(" "+signals(got)+" ", " "+tt.signal+" ") {
				t.Errorf("%s %v: role %v with signals %q", tt.fires.Containers[0].Image, tt.fires.Containers[0].Command, got.Role, signals(got))
			}
			if got := one(tt.silent); got.Role != model.NoRole {
				t.Errorf("%s %v: role %v with signals %q; want none", tt.silent.Containers[0].Image, tt.silent.Containers[0].Command, got.Role, signals(got))
			}
		})
	}
}

// TestMediumSignals checks that each medium signal needs another one.
func TestMediumSignals(t *testing.T) {
	const plain = "registry.example/team/billing:1"
	app := label.Set{"app": "x"}
	for _, tt := range []struct {
		name string
		w    model.Workload
		rest []func(*model.Snapshot)
		want string // signals; "" for no server
	}{
		{"env alone", workload("a", "x", plain, env("MCP_TRANSPORT", "sse")), nil, ""},
		{"env and name", workload("a", "mcp-x", plain, env("FASTMCP_PORT", "8000")), nil, "env name"},
		{"name alone", workload("a", "mcp-x", plain), nil, ""},
		{"name inside a word", workload("a", "mcpx", plain, port("", 8000)), nil, ""},
		{"name and port", workload("a", "x-mcp", plain, port("", 8000)), nil, "name port"},
		{"name and metrics port", workload("a", "x-mcp", plain, port("metrics", 8080)), nil, ""},
		{"name and namespace", workload("mcp-servers", "x-mcp", plain), nil, "name namespace"},
		{"namespace and port", workload("mcp-servers", "x", plain, port("", 8000)), nil, ""},
		{"name and Service's name", workload("a", "mcp-x", plain), []func(*model.Snapshot){service("a", "mcp-x", "", "", 0, label.Set{"app": "mcp-x"})}, ""},
		{"Service's name and probe", workload("a", "x", plain, probe("/mcp")), []func(*model.Snapshot){service("a", "x-mcp", "", "", 0, app)}, "path name"},
		{"Service of another namespace", workload("a", "x", plain, probe("/mcp")), []func(*model.Snapshot){service("b", "x-mcp", "", "", 0, app)}, ""},
		{"Service of other pods", workload("a", "x", plain, probe("/mcp")), []func(*model.Snapshot){service("a", "x-mcp", "", "", 0, label.Set{"app": "y"})}, ""},
		{"Service port name and route", workload("a", "x", plain), []func(*model.Snapshot){service("a", "x", "mcp", "", 0, app), route("a", "x", "/tools/mcp(/|$)(.*)")}, "path port-name"},
		{"appProtocol and env", workload("a", "x", plain, env("BRAVE_MCP_HOST", "0.0.0.0")), []func(*model.Snapshot){service("a", "x", "web", "kgateway.dev/mcp", 0, app)}, "env port-name"},
		{"container port name and namespace", workload("mcp", "x", plain, port("mcp", 7000)), nil, "port-name namespace"},
		{"chat application", workload("a", "chat", plain, probe("/messages"), port("http", 3000)), nil, ""},
		{"sse and name", workload("a", "mcp-x", plain, probe("/sse")), nil, "name sse-path"},
		{"store of a server", workload("mcp", "mcp-redis", "redis:7", port("", 8000)), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := one(tt.w, tt.rest...)
			if signals(got) != tt.want || (got.Role == model.IsServer) != (tt.want != "") {
				t.Errorf("role %v, signals %q; want %q", got.Role, signals(got), tt.want)
			}
		})
	}
}

func TestNotMCP(t *testing.T) {
	for _, w := range []model.Workload{
		workload("openshift-machine-config-operator", "mcp-controller", "registry.example/openshift/machine-config-operator:4", port("", 8080)),
		workload("openshift-machine-config-operator", "mcp-worker", "registry.example/openshift/machine-config-operator:4", port("", 8080)),
		workload("istio-system", "istio-mcp", "registry.example/istio/pilot:1.20", port("mcp", 8080)),
		workload("mcp-system", "istiod", "registry.example/istio/pilot:1.20", port("mcp-xds", 15012)),
		workload("vault", "secrets-agent", "registry.example/hashicorp/vault:1", port("http", 8000)),
		workload("logs", "log-aggregator", "registry.example/fluent/fluent-bit:3", port("http", 8080)),
		workload("logs", "datadog-agent", "registry.example/datadog/agent:7", env("DD_API_KEY", "x")),
		workload("ai", "support-agent", "registry.example/corp/support-agent:1", env("OPENAI_API_KEY", "x")),
		workload("mcp", "mcp-operator", "registry.example/acme/mcp-operator:1", port("webhook", 8080)),
		workload("a", "x", "{{ .Values.image }}", args("{{ .Values.args }}")),
		workload("a", "plain", "nginx", port("http", 8080), container(model.Container{Name: "istio-proxy", Image: "registry.example/istio/proxyv2", Env: []model.EnvVar{{Name: "MCP_TRANSPORT"}}, Paths: []string{"/mcp"}})),
		workload("a", "job", "alpine", container(model.Container{Name: "fetch", Init: true, Image: "node", Command: []string{"npx", "mcp-server-x"}})),
		{Namespace: "a", Kind: "Pod", Name: "empty"},
	} {
		if got := one(w); got.Role != model.NoRole {
			t.Errorf("%s: %v by %q", w.ID(), got.Role, signals(got))
		}
	}
}

func TestExamples(t *testing.T) {
	for _, tt := range []struct {
		name      string
		w         model.Workload
		role      model.Role
		catalog   string
		transport string
		ports     []netset.Port
	}{
		{"GitHub over HTTP", workload("mcp", "mcp-github", "registry.example/github/github-mcp-server:v0.30.2", args("http", "--port", "8082"), port("http", 8082)),
			model.IsServer, "github", "streamable-http", []netset.Port{8082}},
		{"GitHub over stdio", workload("mcp", "mcp-github", "registry.example/github/github-mcp-server:v0.30.2", args("stdio")), model.IsServer, "github", "stdio", nil},
		{"supergateway with npx inside", workload("a", "gh", "node:22", command("npx", "-y", "supergateway@3.2.0", "--stdio", `npx -y "@modelcontextprotocol/server-github@1.0.0" --port 1`, "--outputTransport", "streamableHttp")),
			model.IsServer, "github", "streamable-http", []netset.Port{8000}},
		{"supergateway in a shell", workload("a", "t", "node:22", command("/bin/sh", "-c"), args(`export A=b; npx -y supergateway --port 9001 --stdio "uvx mcp-server-time --local-timezone=UTC"`)),
			model.IsServer, "time", "sse", []netset.Port{9001}},
		{"supergateway's image", workload("a", "t", "registry.example/supercorp/supergateway:uvx", args("--stdio", "uvx mcp-server-fetch", "--port=8000")), model.IsServer, "fetch", "sse", []netset.Port{8000}},
		{"mcp-proxy", workload("a", "t", "registry.example/sparfenyuk/mcp-proxy:1", args("--port=8096", "--host", "0.0.0.0", "--", "uvx", "mcp-server-fetch", "--user-agent=x")),
			model.IsServer, "fetch", "", []netset.Port{8096}},
		{"mcp-proxy with a named server", workload("a", "t", "x", command("mcp-proxy", "--port=8096", "--named-server", "a", "uvx mcp-server-git")), model.IsServer, "git", "", []netset.Port{8096}},
		{"mcpo", workload("a", "t", "x", command("uvx", "mcpo", "--port", "8001", "--api-key", "top-secret", "--", "npx", "-y", "@modelcontextprotocol/server-memory")), model.IsServer, "memory", "", []netset.Port{8001}},
		{"docker inside a bridge", workload("a", "t", "x", command("supergateway", "--stdio", "docker run -i --rm -e A=b mcp/sentry --flag")), model.IsServer, "sentry", "sse", []netset.Port{8000}},
		{"kmcp", workload("a", "echo", "node:24", podLabels("app.kubernetes.io/managed-by", "kmcp", "app.kubernetes.io/name", "echo"), command("/agentbin/agentgateway", "-f", "/config/local.yaml"), port("http", 3000),
			container(model.Container{Name: "copy-binary", Image: "registry.example/agentgateway/agentgateway:0.5", Init: true})),
			model.IsServer, "", "", []netset.Port{3000}},
		{"ToolHive proxy", workload("toolhive-system", "fetch", "registry.example/stacklok/toolhive/proxyrunner:v0.2", podLabels("app", "mcpserver", "toolhive", "true", "toolhive-name", "fetch"), args("run", "--proxy-port=8080", "x/y"), port("http", 8080)),
			model.IsGateway, "", "", []netset.Port{8080}},
		{"ToolHive backend", workload("toolhive-system", "fetch", "registry.example/stackloklabs/gofetch/server:1", podLabels("app", "fetch", "toolhive", "true", "toolhive-name", "fetch", "toolhive-transport", "streamable-http"), env("MCP_PORT", "8080", "FASTMCP_PORT", "8080")),
			model.IsServer, "gofetch", "streamable-http", []netset.Port{8080}},
		{"ToolHive backend on stdio", workload("toolhive-system", "git", "registry.example/mcp/git", podLabels("app", "git", "toolhive", "true", "toolhive-name", "git", "toolhive-transport", "stdio", "toolhive-port", "8080"), port("x", 8080)),
			model.IsServer, "git", "stdio", nil},
		{"Grafana", workload("a", "grafana-mcp", "registry.example/grafana/mcp-grafana:1", args("-t", "streamable-http", "--address", "0.0.0.0:8000", "--metrics-address", ":9090"), port("metrics", 9090), port("http", 8000)),
			model.IsServer, "grafana", "streamable-http", []netset.Port{8000}},
		{"catalogue's port", workload("a", "pw", "registry.example/playwright/mcp:1"), model.IsServer, "playwright", "sse", []netset.Port{8931}},
		{"port from a variable", workload("a", "x", "x", command("mcp-server-x", "--port", "$(LISTEN)"), env("LISTEN", "7001")), model.IsServer, "", "", []netset.Port{7001}},
		{"CodeMie's connect service", workload("codemie", "codemie-mcp-connect-service", "registry.example/codemie-mcp-connect-service:1", port("http", 3000)), model.IsServer, "", "", []netset.Port{3000}},
		{"Docker's gateway", workload("a", "gw", "registry.example/docker/mcp-gateway:v2", args("--port=8811", "--transport=streaming")), model.IsGateway, "", "", []netset.Port{8811}},
		{"Docker's gateway by command", workload("a", "gw", "docker:cli", command("docker", "mcp", "gateway", "run", "--port", "8811")), model.IsGateway, "", "", []netset.Port{8811}},
		{"context forge", workload("a", "forge", "registry.example/ibm/mcp-context-forge:0.5", port("http", 4444), env("MCP_SERVER_X", "y")), model.IsGateway, "", "", []netset.Port{4444}},
		{"agentgateway alone", workload("a", "gw", "registry.example/agentgateway/agentgateway:1", args("-f", "c.yaml"), port("http", 3000)), model.IsGateway, "", "", []netset.Port{3000}},
		{"gateway by name", workload("a", "mcp-gateway", "registry.example/corp/gw:1", port("http", 8080)), model.IsGateway, "", "", []netset.Port{8080}},
		{"gateway by label", workload("a", "edge", "registry.example/corp/gw:1", podLabels("app", "mcp-router")), model.IsGateway, "", "", nil},
		{"gateway's name, server's command", workload("a", "github-mcp-proxy", "x", command("supergateway", "--stdio", "uvx mcp-server-time")), model.IsServer, "time", "sse", []netset.Port{8000}},
		{"gateway's image with a transport", workload("a", "x", "registry.example/corp/mcp-gateway:1", args("--transport", "sse", "--host", "0.0.0.0")), model.IsGateway, "", "sse", nil},
		{"server beside agentgateway", workload("a", "x", "registry.example/corp/tool:1", container(model.Container{Name: "gw", Image: "agentgateway/agentgateway", Ports: []model.ContainerPort{{Name: "http", Protocol: netset.TCP, Port: 3000}}})),
			model.IsServer, "", "", []netset.Port{3000}},
		{"agent", workload("ai", "billing-agent", "registry.example/corp/billing-agent:1", env("MCP_SERVER_URL", "http://mcp-github.mcp:8080/mcp"), secretEnv("ANTHROPIC_API_KEY")), model.IsAgent, "", "", nil},
		{"agent by a URL", workload("ai", "bot", "registry.example/corp/bot:1", env("TOOLS", "http://mcp-github.mcp:8080/mcp"), secretEnv("OPENAI_API_KEY")), model.IsAgent, "", "", nil},
		{"agent by its name", workload("ai", "mcp-agent", "registry.example/corp/x:1", secretEnv("OPENAI_API_KEY")), model.IsAgent, "", "", nil},
		{"LibreChat", workload("ai", "chat", "registry.example/danny-avila/librechat:1", env("MCP_SERVERS", "{}")), model.IsAgent, "", "", nil},
		{"kagent", workload("kagent", "k8s-agent", "registry.example/kagent-dev/kagent/app:0.7"), model.IsAgent, "", "", nil},
		{"server that knows its own URL", workload("a", "mcp-notes", "registry.example/corp/notes:1", env("MCP_SERVER_URL", "http://mcp-notes:8000/mcp"), secretEnv("OPENAI_API_KEY"), port("http", 8000)), model.IsServer, "", "", []netset.Port{8000}},
		{"annotation makes a server", workload("a", "x", "corp/x", annotation("toolmoat.dev/server", "true"), port("http", 9000)), model.IsServer, "", "", []netset.Port{9000}},
		{"annotation makes a gateway", workload("a", "x", "corp/x", annotation("toolmoat.dev/role", "gateway")), model.IsGateway, "", "", nil},
		{"annotation makes none", workload("a", "x", "registry.example/mcp/github", annotation("toolmoat.dev/server", "false")), model.NoRole, "", "", nil},
		{"unknown annotation", workload("a", "x", "registry.example/mcp/git", annotation("toolmoat.dev/role", "boss")), model.IsServer, "git", "stdio", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := one(tt.w)
			if got.Role != tt.role || got.Catalog != tt.catalog || got.Transport != tt.transport || !reflect.DeepEqual(got.Ports, tt.ports) {
				t.Errorf("got %v %q %q %v by %q; want %v %q %q %v", got.Role, got.Catalog, got.Transport, got.Ports, signals(got), tt.role, tt.catalog, tt.transport, tt.ports)
			}
			for _, e := range got.Evidence {
				if e.Detail == "" || e.Origin.IsZero() || len(e.Detail) > maxDetail {
					t.Errorf("evidence %+v", e)
				}
			}
		})
	}
}

func TestServicePort(t *testing.T) {
	w := workload("a", "x", "registry.example/acme/mcp-server-x", podLabels("app", "x", "release", "r"))
	got := one(w, service("a", "x", "http", "", 7777, label.Set{"app": "x", "release": "r"}))
	if !reflect.DeepEqual(got.Ports, []netset.Port{7777}) {
		t.Errorf("ports %v", got.Ports)
	}
}

func TestOrderAndEvidence(t *testing.T) {
	s := &model.Snapshot{Workloads: []model.Workload{
		workload("a", "plain", "nginx"),
		workload("a", "one", "mcp/time"),
		workload("a", "two", "mcp/git"),
	}}
	first := Servers(s)
	if len(first) != 2 || first[0].Workload != 1 || first[1].Workload != 2 || s.Servers != nil {
		t.Fatalf("got %+v", first)
	}
	want := model.Evidence{Signal: "catalog", Detail: "image mcp/time is Time", Strong: true, Origin: s.Workloads[1].Origin.At(20)}
	if first[0].Evidence[0] != want {
		t.Errorf("got %+v, want %+v", first[0].Evidence[0], want)
	}
	for range 5 {
		if again := Servers(s); !reflect.DeepEqual(first, again) {
			t.Fatalf("%+v, then %+v", first, again)
		}
	}
}

// TestNoSecrets puts a secret wherever a manifest can hold one and looks for it in everything that
// comes out.
func TestNoSecrets(t *testing.T) {
	const secret = "s3cr3t-mcp-server"
	for _, w := range []model.Workload{
		workload("a", "mcp-x", "x", env("MCP_TRANSPORT", secret, "X_MCP_TOKEN", secret, "MCP_PORT", secret), port("", 8000)),
		workload("a", "x", "x", command("supergateway", "--stdio", "node mcp-server.js --key "+secret, "--header", "Authorization: "+secret)),
		workload("a", "x", "x", command("sh", "-c", "TOKEN="+secret+" npx -y mcp-server-x --token "+secret)),
		workload("a", "x", "x", command("uvx", "--from", "git+https://"+secret+"@git.corp/mcp-server-x", "mcp-server-x")),
		workload("a", "x", "x", command("npx", "-y", "https://u:"+secret+"@git.corp/mcp-server-x")),
		workload("a", "x", "x", command("npx", "-y", "mcp-server-x@"+secret)),
		workload("a", "x", "mcp/redis", env("REDIS_URL", "redis://u:"+secret+"@redis:6379/0?x="+secret, "REDIS_HOST", secret+":"+secret)),
		workload("a", "x", "mcp/redis", env("DATABASE_URL", "postgres://u:p/"+secret+"@db:5432/x", "PG_DSN", "host=db password="+secret+" port=5433")),
		workload("a", "x", "mcp/redis", env("API_URL", "https://"+secret+":1/x@host.example/", "HOOK_URL", "https://hooks.example/"+secret, "A_URL", secret)),
		workload("a", "x", "mcp/redis", env("MY_DSN", "u:"+secret+"@tcp(db:3306)/x", "B_URL", "//"+secret+"@h/")),
		workload("a", "x", "mcp/redis", args("postgresql://u:"+secret+"@db/x", "--url=https://"+secret+"@api.example/")),
	} {
		out := fmt.Sprintf("%+v %+v", one(w), Destinations(&w))
		if strings.Contains(strings.ToLower(out), "s3cr3t") {
			t.Errorf("%v %v: %s", w.Containers[0].Command, w.Containers[0].Env, out)
		}
	}
}

func TestCut(t *testing.T) {
	got := cut(strings.Repeat("é", 100))
	if len(got) > maxDetail || !strings.HasSuffix(got, "é…") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func BenchmarkServers(b *testing.B) {
	s := &model.Snapshot{}
	for i := range 10000 {
		name, ns := fmt.Sprintf("app-%d", i), fmt.Sprintf("ns-%d", i%10)
		image, argv := "registry.example/corp/app:1", []string{"--config", "/etc/app.yaml"}
		if i%10 == 0 {
			image, argv = "node:22", []string{"npx", "-y", "supergateway", "--stdio", "npx -y @modelcontextprotocol/server-github", "--port", "8000"}
		}
		s.Workloads = append(s.Workloads, workload(ns, name, image, args(argv...), podLabels("app", name, "release", "all"), port("http", 8080), env("LOG", "x", "DATABASE_URL", "postgres://db/x"), probe("/healthz")))
		service(ns, name, "http", "", 8080, label.Set{"app": name, "release": "all"})(s)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := Servers(s); len(got) != 1000 {
			b.Fatal(len(got))
		}
	}
}
