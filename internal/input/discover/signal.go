package discover

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/catalog"
)

// weight is how much one signal says.
type weight uint8

const (
	hint   weight = iota + 1 // counts only beside a medium signal
	medium                   // two different ones decide
	strong                   // decides alone
)

// signal is one kind of evidence. find returns it in words that hold no value of the environment,
// and where it is written.
type signal struct {
	name   string
	weight weight
	find   func(*subject) (detail string, at origin.Origin, ok bool)
}

// serverSignals say that a workload is an MCP server.
var serverSignals = []signal{
	{"label", strong, operatorLabel(model.IsServer)},
	{"catalog", strong, catalogued},
	{"image", strong, serverImage},
	{"command", strong, serverCommand},
	{"bridge", strong, bridged},
	{"transport", strong, transportArgument},
	{"env", medium, serverEnv},
	{"path", medium, mcpPath},
	{"port-name", medium, mcpPortName},
	{"name", medium, serverName},
	{"sse-path", hint, ssePath},
	{"namespace", hint, mcpNamespace},
	{"port", hint, usualPort},
}

// gatewaySignals say that a workload stands before servers; each decides where nothing says more
// strongly that it is a server.
var gatewaySignals = []signal{
	{"label", strong, operatorLabel(model.IsGateway)},
	{"image", strong, gatewayImage},
	{"command", strong, gatewayCommand},
	{"name", medium, gatewayName},
}

// agentSignals say that a workload is an MCP client with a language model.
var agentSignals = []signal{
	{"runtime", strong, agentRuntime},
	{"client", medium, clientEnv},
	{"client-name", medium, clientName},
	{"model", medium, modelEnv},
	{"image", medium, agentImage},
	{"name", medium, agentName},
}

// operatorLabels are the labels that operators of MCP servers put on pods. Sources:
// kubernetes-sigs/mcp-lifecycle-operator, archestra-ai/archestra, stacklok/toolhive,
// kagent-dev/kmcp, obot-platform/obot, microsoft/mcp-gateway, IBM/mcp-context-forge.
var operatorLabels = []struct {
	key, value string // value "" is any
	role       model.Role
	detail     string
}{
	{"app", "mcpserver", model.IsGateway, "label app=mcpserver of a ToolHive proxy"},
	{"app", "virtualmcpserver", model.IsGateway, "label app=virtualmcpserver of a ToolHive virtual server"},
	{"app", "mcpgateway", model.IsGateway, "label app=mcpgateway of an MCP gateway"},
	{"app", "mcpremoteproxy", model.IsServer, "label app=mcpremoteproxy of a ToolHive remote server"},
	{"toolhive-name", "", model.IsServer, "label toolhive-name of a ToolHive server"},
	{"app", "mcp-server", model.IsServer, "label app=mcp-server"},
	{"mcp-server", "", model.IsServer, "label mcp-server of the MCP lifecycle operator"},
	{"app.kubernetes.io/managed-by", "kmcp", model.IsServer, "label app.kubernetes.io/managed-by=kmcp"},
	{"mcp-user-id", "", model.IsServer, "label mcp-user-id of an Obot server"},
	{"adapter/type", "mcp", model.IsServer, "label adapter/type=mcp of Microsoft's MCP gateway"},
}

// operatorLabel finds the first label that decides, and fires if it is for role.
func operatorLabel(role model.Role) func(*subject) (string, origin.Origin, bool) {
	return func(s *subject) (string, origin.Origin, bool) {
		for _, l := range operatorLabels {
			if value, ok := s.labels[l.key]; ok && (l.value == "" || l.value == value) {
				return l.detail, s.w.Origin, l.role == role
			}
		}
		return "", origin.Origin{}, false
	}
}

func catalogued(s *subject) (string, origin.Origin, bool) {
	for u := range s.servers {
		if e, ok := catalog.ByImage(u.Image); ok {
			return "image " + u.image.Path + " is " + e.Title, s.at(u.Container), true
		}
		for _, p := range u.programs {
			if e, ok := p.entry(); ok {
				return "runs " + printable(p.label()) + ", which is " + e.Title, s.at(u.Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}

func serverImage(s *subject) (string, origin.Origin, bool) {
	for u := range s.servers {
		if u.nature == namesServer {
			return "image " + u.image.Path, s.at(u.Container), true
		}
	}
	return "", origin.Origin{}, false
}

func serverCommand(s *subject) (string, origin.Origin, bool) {
	for u := range s.servers {
		for _, p := range u.programs {
			if p.isServer() {
				return "runs " + printable(p.label()), s.at(u.Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}

// bridged fires on a program that puts a server on the network, also where an init container copies
// it into the pod (kmcp) or it stands beside the server.
func bridged(s *subject) (string, origin.Origin, bool) {
	for i := range s.inits {
		image, _ := catalog.ParseImage(s.inits[i].Image)
		if image.Base() == "agentgateway" || slices.ContainsFunc(s.inits[i].Command, func(w string) bool { return strings.HasSuffix(w, "/agentgateway") }) {
			return "init container brings agentgateway as transport adapter", s.at(&s.inits[i]), true
		}
	}
	for i := range s.units {
		u := &s.units[i]
		if u.nature == namesGateway && (u.image.Base() != "agentgateway" || len(s.units) == 1) {
			continue
		}
		if u.nature == namesGateway {
			return "agentgateway stands beside the server", s.at(u.Container), true
		}
		for _, p := range u.programs {
			if bridges[p.name] != nil {
				return "runs the bridge " + p.name, s.at(u.Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}

// transportArgument fires on "--transport sse --host 0.0.0.0": an MCP transport and a place to
// listen.
func transportArgument(s *subject) (string, origin.Origin, bool) {
	for u := range s.servers {
		args, transport, listens := u.args(), "", false
		for name, value := range flagsOf(args) {
			switch {
			case name == "transport" || name == "t":
				transport = transportName(value)
			case slices.Contains(listenFlags, name), slices.Contains(portFlags, name):
				listens = true
			}
		}
		if transport != "" && listens {
			return "arguments give the transport " + transport + " and where to listen", s.at(u.Container), true
		}
	}
	return "", origin.Origin{}, false
}

func serverEnv(s *subject) (string, origin.Origin, bool) {
	for u := range s.servers {
		for _, e := range u.Env {
			if configuresServer(e.Name) {
				return "environment variable " + e.Name, s.at(u.Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}

// configuresServer reports whether a variable is of those that set up a server: FASTMCP_PORT,
// MCP_TRANSPORT, BRAVE_MCP_HOST.
func configuresServer(name string) bool {
	if namesMCPAddress(name) {
		return false
	}
	switch name {
	case "MCP_TRANSPORT", "MCP_PORT", "MCP_HOST", "MCP_PATH", "MCP_LISTEN_ADDR", "MCP_MODE", "MCP_BIND", "MCP_ADDR", "MCP_LOG_LEVEL", "MCP_HTTP_PORT":
		return true
	}
	return strings.HasPrefix(name, "FASTMCP_") || strings.HasPrefix(name, "MCP_SERVER_") || strings.Contains(name, "_MCP_")
}

// namesMCPAddress reports whether a variable is of those that tell a client where servers are.
func namesMCPAddress(name string) bool {
	switch name {
	case "MCP_URL", "MCP_URLS", "MCP_SERVERS", "MCP_ENDPOINT", "MCP_ENDPOINTS", "MCP_SERVER_CONFIG", "MCP_SERVERS_CONFIG", "MCP_CONFIG":
		return true
	}
	if !strings.HasPrefix(name, "MCP_") && !strings.Contains(name, "_MCP_") {
		return false
	}
	_, tail, _ := strings.Cut("_"+name, "_MCP_")
	switch tail {
	case "URL", "URLS", "SERVERS", "ENDPOINT", "ENDPOINTS", "SERVER_URL", "SERVER_URLS", "SERVER_ENDPOINT", "SERVERS_URL", "SERVERS_JSON", "GATEWAY_URL", "PROXY_URL", "HUB_URL":
		return true
	}
	return strings.HasPrefix(tail, "CLIENT_")
}

func mcpPath(s *subject) (string, origin.Origin, bool) { return s.path("mcp") }

func ssePath(s *subject) (string, origin.Origin, bool) { return s.path("sse", "messages", "message") }

// path finds a probe, Ingress or route path with one of the given tokens.
func (s *subject) path(any ...string) (string, origin.Origin, bool) {
	for i := range s.units {
		for _, path := range s.units[i].Paths {
			if hasAnyToken(path, any...) {
				return "probe path with /" + firstToken(path, any), s.at(s.units[i].Container), true
			}
		}
	}
	for _, b := range s.routes {
		if hasAnyToken(b.Path, any...) {
			return "route path with /" + firstToken(b.Path, any), b.Origin, true
		}
	}
	return "", origin.Origin{}, false
}

func firstToken(path string, any []string) string {
	return any[slices.IndexFunc(any, func(t string) bool { return hasToken(path, t) })]
}

func mcpPortName(s *subject) (string, origin.Origin, bool) {
	if s.foreign {
		return "", origin.Origin{}, false
	}
	for i := range s.units {
		for _, p := range s.units[i].Ports {
			if hasToken(p.Name, "mcp") {
				return "container port " + p.Name, s.at(s.units[i].Container), true
			}
		}
	}
	for _, service := range s.services {
		for _, p := range service.Ports {
			switch {
			case hasToken(p.AppProtocol, "mcp"):
				return "Service " + service.Name + " has the appProtocol mcp", service.Origin, true
			case hasToken(p.Name, "mcp"), hasToken(p.TargetName, "mcp"):
				return "Service " + service.Name + " has a port named mcp", service.Origin, true
			}
		}
	}
	return "", origin.Origin{}, false
}

// nameKeys are the labels whose values name a workload.
var nameKeys = []string{"app", "app.kubernetes.io/name", "app.kubernetes.io/component", "k8s-app", "name"}

// named finds a name of the given nature: the workload's own, that of a label or of a Service. They
// count as one signal because one follows from the other.
func (s *subject) named(n nature) (string, origin.Origin, bool) {
	if s.foreign || s.store {
		return "", origin.Origin{}, false
	}
	if natureOf(s.w.Name) == n {
		return "name " + s.w.Name, s.w.Origin, true
	}
	if natureOf(s.w.Name) != unnamed {
		return "", origin.Origin{}, false // its own name says it is something else
	}
	for _, key := range nameKeys {
		if value := s.labels[key]; natureOf(value) == n {
			return "label " + key + "=" + value, s.w.Origin, true
		}
	}
	for _, service := range s.services {
		if natureOf(service.Name) == n {
			return "Service " + service.Name, service.Origin, true
		}
	}
	return "", origin.Origin{}, false
}

func serverName(s *subject) (string, origin.Origin, bool) { return s.named(namesServer) }

func gatewayName(s *subject) (string, origin.Origin, bool) { return s.named(namesGateway) }

func mcpNamespace(s *subject) (string, origin.Origin, bool) {
	ns := s.w.Namespace
	if s.foreign || s.store || !hasToken(ns, "mcp") && ns != "toolhive-system" && ns != "adapter" {
		return "", origin.Origin{}, false
	}
	return "namespace " + ns, s.w.Origin, true
}

// usualPorts are where known servers and operators listen: kmcp 3000, Flux159's chart 3001,
// gitlab-mcp 3002, toolbox 5000, supergateway and FastMCP 8000, netbird 8001, ToolHive 8080, Obot
// 8099, Playwright 8931, Kuadrant's samples 9090.
var usualPorts = []netset.Port{3000, 3001, 3002, 5000, 8000, 8001, 8080, 8099, 8931, 9090}

func usualPort(s *subject) (string, origin.Origin, bool) {
	for i := range s.units {
		for _, p := range s.units[i].Ports {
			if slices.Contains(usualPorts, p.Port) && p.Protocol == netset.TCP && !isMetrics(p.Name) {
				return "port " + portText(p.Port) + ", usual for MCP", s.at(s.units[i].Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}

func gatewayImage(s *subject) (string, origin.Origin, bool) {
	for i := range s.units {
		if u := &s.units[i]; u.nature == namesGateway {
			return "image " + u.image.Path, s.at(u.Container), true
		}
	}
	return "", origin.Origin{}, false
}

func gatewayCommand(s *subject) (string, origin.Origin, bool) {
	for i := range s.units {
		for _, p := range s.units[i].programs {
			if p.name == "docker mcp gateway" || p.kind != "" && natureOf(p.pkg) == namesGateway && bridges[p.name] == nil {
				return "runs " + printable(strings.ReplaceAll(p.label(), " ", "-")), s.at(s.units[i].Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}
