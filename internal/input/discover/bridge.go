package discover

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// bridge is a program that speaks MCP over the network for a server it starts, or for one
// elsewhere.
type bridge struct {
	port      netset.Port // where it listens unless told otherwise; 0 if it picks one or listens on none
	transport string      // what it speaks unless told otherwise
	whole     []string    // flags whose value is a whole command line
	named     []string    // flags followed by a name and a whole command line
	valued    []string    // flags that take a value, where a command follows the flags
	pairs     []string    // flags that take two values
	trailing  bool        // a command follows the flags, or "--"
}

// bridges lists the known ones by the name of their program. Ports and transports:
// supercorp-ai/supergateway README.md, sparfenyuk/mcp-proxy README.md, open-webui/mcpo README.md
// (its interface is OpenAPI, so no MCP transport).
var bridges = map[string]*bridge{
	"supergateway": {port: 8000, transport: "sse", whole: []string{"--stdio"}},
	"mcp-proxy": {named: []string{"--named-server"}, pairs: []string{"--env", "-e", "--headers", "-H"}, trailing: true,
		valued: []string{"--port", "--host", "--sse-port", "--sse-host", "--cwd", "--allow-origin", "--transport", "--named-server-config", "--log-level",
			"--server", "--endpoint", "--ssendpoint", "--streamendpoint"}},
	"mcpo": {port: 8000, trailing: true, valued: []string{"--port", "-p", "--host", "-H", "--api-key", "-k", "--server-type", "--type", "-t", "--config", "-c", "--root-path",
		"--path-prefix", "--name", "-n", "--description", "-d", "--version", "-v", "--env", "-e", "--env-path", "--cors-allow-origins", "--ssl-certfile", "--ssl-keyfile",
		"--log-level", "--header"}},
	"mcp-remote":      {transport: "stdio"},
	"thv-proxyrunner": {},
	"nanobot":         {},
	"agentgateway":    {},
}

// split separates a bridge's own arguments from the commands it is told to start.
func (b *bridge) split(args []string) (own []string, nested [][]string) {
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case slices.Contains(b.whole, name):
			if !joined && i+1 < len(args) {
				i++
				value = args[i]
			}
			nested = append(nested, words(value)...)
		case slices.Contains(b.named, name) && i+2 < len(args):
			nested = append(nested, words(args[i+2])...)
			i += 2
		case !b.trailing:
			own = append(own, args[i])
		case args[i] == "--":
			return own, withCommand(nested, args[i+1:])
		case slices.Contains(b.pairs, name) && !joined:
			i += 2
		case slices.Contains(b.valued, name) && !joined && i+1 < len(args):
			own = append(own, args[i], args[i+1])
			i++
		case strings.HasPrefix(name, "-"):
			own = append(own, args[i])
		default:
			return own, withCommand(nested, args[i:])
		}
	}
	return own, nested
}

// withCommand adds a command, unless it is the address of a server elsewhere.
func withCommand(nested [][]string, argv []string) [][]string {
	if len(argv) == 0 || strings.Contains(argv[0], "://") {
		return nested
	}
	return append(nested, argv)
}
