package discover

import (
	"slices"
	"strings"
)

// nature is what the name of an image, a package, a program or an object says it is. The zero value
// says nothing.
type nature uint8

const (
	unnamed      nature = iota
	namesServer         // an MCP server
	namesGateway        // something that stands before servers
	namesOther          // of the MCP world, but neither: an operator, a client, a registry
)

// Words that say what stands beside "mcp" in a name.
var (
	gatewayWords = []string{"gateway", "proxy", "router", "hub", "broker"}
	otherWords   = []string{"operator", "controller", "webhook", "inspector", "client", "registry", "exporter", "catalog", "crds", "sdk", "ui", "frontend", "agent"}
)

// natureOf judges a name by its whole tokens. "mcp" alone is too short to be sought inside words,
// so "mcpd" and "kmcp" say nothing.
func natureOf(name string) nature {
	if !hasToken(name, "mcp") {
		return unnamed
	}
	t := tokens(name)
	at := slices.Index(t, "mcp")
	after := t[at+1:]
	server := slices.ContainsFunc(t, func(w string) bool { return w == "server" || w == "servers" })
	if len(after) > 0 && (after[0] == "server" || after[0] == "servers") {
		after = after[1:]
	}
	switch {
	case len(after) > 0 && slices.Contains(otherWords, after[len(after)-1]),
		len(after) > 0 && slices.Contains(otherWords, after[0]) && after[0] != "catalog":
		return namesOther
	case len(after) > 0 && slices.Contains(gatewayWords, after[0]):
		return namesGateway
	case !server && (at < len(t)-1 || len(t) == 2) && slices.ContainsFunc(t, func(w string) bool { return slices.Contains(gatewayWords, w) }):
		return namesGateway // "mcp-tool-gateway", "gateway-mcp", but not "docker-hub-mcp"
	}
	return namesServer
}

// tokens splits s at whatever is no letter or digit, in lower case.
func tokens(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !isAlnum(r) })
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// hasToken reports whether token, in lower case, is one of the tokens of s. It allocates nothing.
func hasToken(s, token string) bool {
	for i := 0; i+len(token) <= len(s); i++ {
		if s[i]|0x20 == token[0] && strings.EqualFold(s[i:i+len(token)], token) &&
			(i == 0 || !isAlnum(rune(s[i-1]))) && (i+len(token) == len(s) || !isAlnum(rune(s[i+len(token)]))) {
			return true
		}
	}
	return false
}

// hasAnyToken reports whether s has one of several tokens.
func hasAnyToken(s string, any ...string) bool {
	return slices.ContainsFunc(any, func(t string) bool { return hasToken(s, t) })
}

// printable returns a name found in a command line if it can hold no secret worth the name: short,
// and of the characters of package names. Otherwise it returns a phrase that stands for it.
func printable(name string) string {
	if name == "" || len(name) > 80 || strings.Contains(name, "://") || strings.ContainsFunc(name, func(r rune) bool {
		return !isAlnum(r) && !strings.ContainsRune("@/._-", r)
	}) || strings.LastIndexByte(name, '@') > 0 {
		return "a name not shown"
	}
	return name
}
