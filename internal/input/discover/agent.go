package discover

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

// agentRuntime fires on the runtime of kagent's agents, whose tools are MCP servers
// (kagent-dev/kagent).
func agentRuntime(s *subject) (string, origin.Origin, bool) {
	for i := range s.units {
		if path := "/" + s.units[i].image.Path; strings.HasSuffix(path, "/kagent-dev/kagent/app") {
			return "image " + path[1:], s.at(s.units[i].Container), true
		}
	}
	return "", origin.Origin{}, false
}

// clientEnv fires on what tells a client where MCP servers are: a variable named for it, or any
// whose value is a URL with the path /mcp or /sse. A variable that holds the workload's own address
// does not count.
func clientEnv(s *subject) (string, origin.Origin, bool) {
	for i := range s.units {
		u := &s.units[i]
		for _, e := range u.Env {
			switch {
			case namesMCPAddress(e.Name) && !s.isSelf(e):
				return "environment variable " + e.Name + " names MCP servers", s.at(u.Container), true
			case e.Known && hasMCPPath(e.Value) && !s.isSelf(e):
				return "environment variable " + e.Name + " holds the address of an MCP server", s.at(u.Container), true
			}
		}
		for _, w := range u.args() {
			if _, value, ok := strings.Cut(w, "="); ok && hasMCPPath(value) || !ok && hasMCPPath(w) {
				return "an argument is the address of an MCP server", s.at(u.Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}

// clientName fires on a name such as mcp-client.
func clientName(s *subject) (string, origin.Origin, bool) {
	if natureOf(s.w.Name) != namesOther || !hasAnyToken(s.w.Name, "client", "agent") || s.foreign {
		return "", origin.Origin{}, false
	}
	return "name " + s.w.Name, s.w.Origin, true
}

// hasMCPPath reports whether value is a URL whose path has the token mcp or sse.
func hasMCPPath(value string) bool {
	if !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "https://") || len(value) > maxScript {
		return false
	}
	_, rest, _ := strings.Cut(value, "://")
	rest, _, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	return hasAnyToken(path, "mcp", "sse")
}

// isSelf reports whether a variable holds this workload's own address.
func (s *subject) isSelf(e model.EnvVar) bool {
	if !e.Known {
		return false
	}
	found, _ := targets(e.Value, 0, true)
	for _, t := range found {
		first, _, _ := strings.Cut(t.host, ".")
		if isLocal(t.host) || first == s.w.Name || slices.ContainsFunc(s.services, func(v *model.Service) bool { return v.Name == first }) {
			return true
		}
	}
	return false
}

// modelKeys are variables that give access to a language model.
var modelKeys = []string{
	"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "GEMINI_API_KEY", "GOOGLE_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY",
	"DEEPSEEK_API_KEY", "OPENROUTER_API_KEY", "COHERE_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "OLLAMA_HOST", "OLLAMA_BASE_URL", "LITELLM_API_KEY",
	"LITELLM_BASE_URL", "LLM_API_KEY", "LLM_MODEL", "LLM_PROVIDER", "BEDROCK_MODEL_ID",
}

func modelEnv(s *subject) (string, origin.Origin, bool) {
	for i := range s.units {
		for _, e := range s.units[i].Env {
			if slices.Contains(modelKeys, e.Name) {
				return "environment variable " + e.Name, s.at(s.units[i].Container), true
			}
		}
	}
	return "", origin.Origin{}, false
}

// agentImages are the last segments of images of well-known applications that can call MCP servers.
var agentImages = []string{"librechat", "open-webui", "n8n", "lobe-chat", "flowise", "langflow", "anythingllm", "dify-api", "goose", "kagent"}

func agentImage(s *subject) (string, origin.Origin, bool) {
	for i := range s.units {
		if u := &s.units[i]; slices.Contains(agentImages, u.image.Base()) {
			return "image " + u.image.Path, s.at(u.Container), true
		}
	}
	return "", origin.Origin{}, false
}

// agentName fires on a name such as billing-agent. It says little alone: collectors of logs and
// secrets are called so too.
func agentName(s *subject) (string, origin.Origin, bool) {
	if hasAnyToken(s.w.Name, "agent", "agents", "assistant", "copilot", "chatbot") {
		return "name " + s.w.Name, s.w.Origin, true
	}
	for i := range s.units {
		if u := &s.units[i]; hasAnyToken(u.image.Base(), "agent", "agents", "assistant", "copilot", "chatbot") {
			return "image " + u.image.Path, s.at(u.Container), true
		}
	}
	return "", origin.Origin{}, false
}
