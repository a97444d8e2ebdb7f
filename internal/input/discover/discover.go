// Package discover finds the MCP servers, gateways and agents among workloads, and what their
// manifests say they need.
//
// A signal is one kind of evidence, a value in one of three lists (signal.go): for servers,
// gateways and agents. A strong signal decides alone; of medium ones it takes two, since "mcp" also
// names OpenShift's machine config pools and Istio's mesh configuration protocol. An annotation on
// the workload overrules them all. Nothing found in a value of the environment or an argument is
// ever part of the evidence, but names of packages, images and variables, ports and well-known
// paths.
package discover

import (
	"slices"
	"unicode/utf8"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// Servers returns the workloads of s that speak MCP, in the order of s.Workloads. It does not
// change s.
func Servers(s *model.Snapshot) []model.Server {
	x := newIndex(s)
	var servers []model.Server
	for i := range s.Workloads {
		subject := read(&s.Workloads[i], x)
		role, evidence := subject.judge()
		if role == model.NoRole {
			continue
		}
		server := model.Server{Workload: i, Role: role, Evidence: evidence}
		if role == model.IsServer {
			if entries := subject.entries(); len(entries) > 0 {
				server.Catalog = entries[0].ID
			}
		}
		if role != model.IsAgent {
			server.Transport = subject.transport(role)
			server.Ports = subject.ports(role, server.Transport)
		}
		servers = append(servers, server)
	}
	return servers
}

// judge decides the workload's role. A server beats a gateway unless the gateway's own operator or
// image says so, since its reach is what gets judged; an agent beats a server that is one by hints
// only.
func (s *subject) judge() (model.Role, []model.Evidence) {
	if role, e, ok := s.annotated(); ok {
		return role, append([]model.Evidence{e}, s.evidenceFor(role)...)
	}
	gateway := s.collect(gatewaySignals)
	if gateway.has("label") {
		return model.IsGateway, gateway.list
	}
	server := s.collect(serverSignals)
	switch {
	case server.strong > 0:
		return model.IsServer, server.list
	case len(gateway.list) > 0:
		return model.IsGateway, gateway.list
	}
	agent := s.collect(agentSignals)
	switch {
	case server.suffices() && !(agent.isAgent() && (agent.strong > 0 || agent.has("name") || agent.has("image"))):
		return model.IsServer, server.list
	case agent.isAgent():
		return model.IsAgent, agent.list
	}
	return model.NoRole, nil
}

// evidenceFor returns what speaks for a role that something else decided.
func (s *subject) evidenceFor(role model.Role) []model.Evidence {
	switch role {
	case model.IsServer:
		return s.collect(serverSignals).list
	case model.IsGateway:
		return s.collect(gatewaySignals).list
	case model.IsAgent:
		return s.collect(agentSignals).list
	}
	return nil
}

// findings are the signals of one list that fired.
type findings struct {
	list                 []model.Evidence
	strong, medium, hint int
}

func (s *subject) collect(signals []signal) findings {
	var f findings
	for _, sig := range signals {
		detail, at, ok := sig.find(s)
		if !ok {
			continue
		}
		f.list = append(f.list, model.Evidence{Signal: sig.name, Detail: cut(detail), Strong: sig.weight == strong, Origin: at})
		switch sig.weight {
		case strong:
			f.strong++
		case medium:
			f.medium++
		case hint:
			f.hint++
		}
	}
	return f
}

// suffices reports whether the signals show a server: a strong one, two medium ones, or a medium
// one and a hint.
func (f findings) suffices() bool { return f.strong > 0 || f.medium > 0 && f.medium+f.hint > 1 }

// isAgent reports whether the signals show an agent: it is a client of MCP and something else says
// it is an agent. Where only its name says that it is a client, that something is a model.
func (f findings) isAgent() bool {
	return f.strong > 0 || f.has("client") && f.medium > 1 || f.has("client-name") && (f.has("model") || f.has("image"))
}

func (f findings) has(signal string) bool {
	return slices.ContainsFunc(f.list, func(e model.Evidence) bool { return e.Signal == signal })
}

// maxDetail is the length of an evidence's words, in bytes.
const maxDetail = 120

func cut(text string) string {
	if len(text) <= maxDetail {
		return text
	}
	end := maxDetail - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
