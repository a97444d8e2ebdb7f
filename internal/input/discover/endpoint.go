package discover

import (
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Flags, without dashes, that say where a program listens.
var (
	portFlags   = []string{"port", "p", "sse-port", "http-port", "mcp-port", "server-port", "listen-port", "proxy-port", "transport-port"}
	listenFlags = []string{"host", "address", "addr", "listen", "listen-address", "listen-addr", "bind", "bind-address", "sse-address", "sse-host", "http-address", "http-addr", "http-host",
		"mcp-address", "mcp-host"}
)

// flagsOf yields the flags among args with their values; the value of "--a b" is b, of "--a=b" too,
// of a last "--a" "".
func flagsOf(args []string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i, a := range args {
			if !strings.HasPrefix(a, "-") {
				continue
			}
			name, value, joined := strings.Cut(strings.TrimLeft(a, "-"), "=")
			if !joined && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				value = args[i+1]
			}
			if !yield(strings.ToLower(strings.ReplaceAll(name, "_", "-")), value) {
				return
			}
		}
	}
}

// transportName returns the transport that a word names, or "".
func transportName(word string) string {
	switch strings.ToLower(word) {
	case "stdio":
		return "stdio"
	case "sse":
		return "sse"
	case "http", "streamable", "streamablehttp", "streamable-http", "streamable_http":
		return "streamable-http"
	}
	return ""
}

// transport returns what the workload speaks, as far as anything tells: its operator's label,
// arguments, environment, a bridge, the paths it is called on, and last the catalogue.
func (s *subject) transport(role model.Role) string {
	if t := transportName(s.labels["toolhive-transport"]); t != "" && role == model.IsServer {
		return t
	}
	for i := range s.units {
		u := &s.units[i]
		for name, value := range flagsOf(u.args()) {
			if t := transportName(value); t != "" && (name == "transport" || name == "t" || name == "outputtransport") {
				return t
			}
		}
		if b := u.bridge(); b != nil {
			if b.transport != "" {
				return b.transport
			}
			continue
		}
		for _, p := range u.programs {
			for _, word := range p.args[:min(2, len(p.args))] {
				if t := transportName(word); t != "" && (word != "http" || u.nature == namesServer || p.isServer()) {
					return t
				}
			}
		}
		if t := transportFromEnv(u.Env); t != "" {
			return t
		}
	}
	if _, _, ok := s.path("mcp"); ok {
		return "streamable-http"
	}
	if _, _, ok := s.path("sse"); ok {
		return "sse"
	}
	for _, e := range s.entries() {
		if e.Transport != "" && (e.Transport != "stdio" || len(s.declared()) == 0) && !s.bridged() {
			return e.Transport
		}
	}
	return ""
}

func transportFromEnv(env []model.EnvVar) string {
	for _, e := range env {
		if !e.Known {
			continue
		}
		switch {
		case e.Name == "MCP_TRANSPORT", e.Name == "MCP_MODE", e.Name == "FASTMCP_TRANSPORT", e.Name == "TRANSPORT", strings.HasSuffix(e.Name, "_MCP_TRANSPORT"):
			if t := transportName(e.Value); t != "" {
				return t
			}
		case e.Name == "STREAMABLE_HTTP" && strings.EqualFold(e.Value, "true"):
			return "streamable-http"
		case e.Name == "SSE" && strings.EqualFold(e.Value, "true"):
			return "sse"
		}
	}
	return ""
}

func (s *subject) bridged() bool {
	_, _, ok := bridged(s)
	return ok
}

// ports returns the TCP ports on which the workload answers MCP, in order: those that arguments and
// environment give and container ports named mcp; else declared ports, else those that Services
// lead to, else what its bridge or the catalogue has by default. A server that speaks stdio and has
// no bridge answers on none.
func (s *subject) ports(role model.Role, transport string) []netset.Port {
	if transport == "stdio" && role == model.IsServer && !s.bridged() {
		return nil
	}
	var explicit, defaults []netset.Port
	for i := range s.units {
		u := &s.units[i]
		explicit = append(explicit, u.listens()...)
		for _, p := range u.Ports {
			if hasToken(p.Name, "mcp") && p.Protocol == netset.TCP {
				explicit = append(explicit, p.Port)
			}
		}
		if b := u.bridge(); b != nil && b.port != 0 {
			defaults = append(defaults, b.port)
		}
	}
	if len(explicit) > 0 {
		return sorted(explicit)
	}
	// A declared port is documentation, the default of a bridge is what it does: without a flag to
	// the contrary both may hold.
	if ports := append(s.declared(), defaults...); len(ports) > 0 {
		return sorted(ports)
	}
	if ports := s.serviceTargets(); len(ports) > 0 {
		return sorted(ports)
	}
	if role == model.IsServer {
		for _, e := range s.entries() {
			if !s.bridged() {
				defaults = append(defaults, e.Ports...)
			}
		}
	}
	return sorted(defaults)
}

// listens returns the ports that a container's arguments and environment say it listens on.
func (u *unit) listens() []netset.Port {
	var ports []netset.Port
	add := func(text string) {
		if n, err := strconv.ParseUint(expand(text, u.Env), 10, 16); err == nil && n > 0 {
			ports = append(ports, netset.Port(n))
		}
	}
	for name, value := range flagsOf(u.args()) {
		switch {
		case slices.Contains(portFlags, name):
			add(value)
		case slices.Contains(listenFlags, name):
			if i := strings.LastIndexByte(value, ':'); i >= 0 {
				add(value[i+1:])
			}
		}
	}
	for _, e := range u.Env {
		if !e.Known {
			continue
		}
		switch {
		case e.Name == "MCP_PORT", e.Name == "FASTMCP_PORT", e.Name == "MCP_HTTP_PORT", e.Name == "MCP_SERVER_PORT", e.Name == "SSE_PORT", e.Name == "PORT",
			strings.HasSuffix(e.Name, "_MCP_PORT"):
			add(e.Value)
		case e.Name == "MCP_LISTEN_ADDR", e.Name == "MCP_ADDR", e.Name == "MCP_BIND":
			add(e.Value[strings.LastIndexByte(e.Value, ':')+1:])
		}
	}
	return ports
}

// expand replaces a value that is one reference to a variable, "$(X)", "$X", "${X}" or "${X:-1}",
// by that variable's value.
func expand(text string, env []model.EnvVar) string {
	name, ok := strings.CutPrefix(text, "$")
	if !ok {
		return text
	}
	name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimLeft(name, "({"), ")"), "}")
	name, fallback, _ := strings.Cut(name, ":-")
	for _, e := range env {
		if e.Name == name && e.Known {
			return e.Value
		}
	}
	return fallback
}

// declared returns the container ports that may be MCP's: those named for HTTP if there are such,
// else every TCP port that is not for metrics or health.
func (s *subject) declared() []netset.Port {
	var http, all []netset.Port
	for i := range s.units {
		for _, p := range s.units[i].Ports {
			if p.Protocol != netset.TCP || isMetrics(p.Name) || p.Port == 9464 { // 9464: metrics of ToolHive and of Prometheus exporters for OpenTelemetry
				continue
			}
			all = append(all, p.Port)
			if hasAnyToken(p.Name, "http", "https", "sse", "web", "api") || strings.HasPrefix(p.Name, "http") {
				http = append(http, p.Port)
			}
		}
	}
	if len(http) > 0 {
		return http
	}
	return all
}

func isMetrics(name string) bool {
	return hasAnyToken(name, "metrics", "prometheus", "prom", "health", "healthz", "probe", "pprof", "debug", "admin")
}

// serviceTargets returns the pod ports that the workload's Services lead to.
func (s *subject) serviceTargets() []netset.Port {
	var ports []netset.Port
	for _, service := range s.services {
		for _, p := range service.Ports {
			switch {
			case p.Protocol != netset.TCP, isMetrics(p.Name), isMetrics(p.TargetName):
			case p.TargetName == "" && p.Target != 0:
				ports = append(ports, p.Target)
			case p.TargetName == "":
				ports = append(ports, p.Port)
			}
		}
	}
	return ports
}

func sorted(ports []netset.Port) []netset.Port {
	if len(ports) == 0 {
		return nil
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func portText(p netset.Port) string { return strconv.Itoa(int(p)) }

// isLocal reports whether a host means the pod itself, or every address of it.
func isLocal(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.Unmap().IsLoopback() || a.Unmap().IsUnspecified())
}
