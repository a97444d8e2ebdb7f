package discover

import (
	"strings"
	"testing"
)

// summary writes programs as "kind:package" or the name, with "<" for what a bridge starts.
func summary(found []program) string {
	var out []string
	for _, p := range found {
		text := p.name
		if p.kind != "" {
			text = p.kind + ":" + p.pkg
		}
		if p.within {
			text = "<" + text
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{"npx -y @a/b@1.2.3 --flag x", "npm:@a/b"},
		{"npx -y @a/b@latest", "npm:@a/b"},
		{"npx --package=@a/b@1.0 -y serve", "npm:@a/b"},
		{"npx -p @a/b serve", "npm:@a/b"},
		{`npx -c "node x/y.js"`, "y"},
		{"npm exec -y @a/b", "npm:@a/b"},
		{"npm run start", "npm"},
		{"pnpm dlx x@^1", "npm:x"},
		{"uvx a[b]==1.0 --x", "pypi:a"},
		{"uvx a>=1", "pypi:a"},
		{"uvx --from a.b==2 --with c run-it", "pypi:a.b"},
		{"uv tool run --python 3.12 a", "pypi:a"},
		{"uv --directory /x run --with y python -m a_b.server", "pypi:a-b"},
		{"uv run -m a.b c", "pypi:a"},
		{"uv run", "uv"},
		{"pipx run --spec a==1 b", "pypi:a"},
		{"python3.11 -u -X dev /app/src/server.py", "app"},
		{"python -m mcp_proxy --port 1 -- uvx t", "mcp-proxy <pypi:t"},
		{"node --env-file=.env -r dotenv /app/node_modules/@s/p/dist/index.js", "npm:@s/p"},
		{"node /srv/server-x/dist/index.js", "server-x"},
		{"deno run -A npm:@a/b@2", "npm:@a/b"},
		{"deno run -A jsr:@a/b", "b"},
		{"exec env A=1 B=2 tini -s -- /usr/bin/thing --x", "thing"},
		{"export A=1; cd /x && npx a | tee log", "export cd npm:a tee"},
		{`supergateway --port 1 --stdio "npx -y a && uvx b"`, "supergateway <npm:a <pypi:b"},
		{`npx -y supergateway@3.4.0 --stdio 'sh -c "uvx a"'`, "npm:supergateway <pypi:a"},
		{`supergateway --sse https://h.example/sse`, "supergateway"},
		{"mcp-proxy --port=1 --env A B --pass-environment uvx a --port 2", "mcp-proxy <pypi:a"},
		{"mcp-proxy https://h.example/sse", "mcp-proxy"},
		{"mcpo --port 1 -- https://h.example/mcp", "mcpo"},
		{"uvx mcpo -p 1 -- npx a", "pypi:mcpo <npm:a"},
		{"docker run -i --rm -e A=b --name c mcp/x --y", "image:mcp/x"},
		{"docker mcp gateway run --port 1", "docker mcp gateway"},
		{"docker ps", "docker"},
		{"sh -c", "sh"},
		{"sh script.sh", "sh"},
		{"npx", "npx"},
		{"npx -p", "npx"},
		{"uvx --from", "uvx"},
		{"exec", ""},
	} {
		var p parser
		for _, c := range words(tt.script) {
			p.run(c, false, 0)
		}
		if got := summary(p.found); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.script, got, tt.want)
		}
	}
}

// TestCommandDepth nests shells beyond the limit: what is that deep is not read, and reading it
// ends.
func TestCommandDepth(t *testing.T) {
	argv := []string{"npx", "deep"}
	for range 40 {
		quoted := make([]string, len(argv))
		for i, w := range argv {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		if argv = []string{"sh", "-c", strings.Join(quoted, " ")}; len(argv[2]) > maxScript {
			break
		}
	}
	var p parser
	p.run(argv, false, 0)
	if len(p.found) != 0 {
		t.Errorf("found %q", summary(p.found))
	}
}

func TestNatureOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		want nature
	}{
		{"mcp", namesServer}, {"mcp-github", namesServer}, {"github_mcp_server", namesServer}, {"Billing.MCP", namesServer}, {"unifi-controller-mcp", namesServer},
		{"docker-hub-mcp", namesServer}, {"api-gateway-mcp-server", namesServer},
		{"mcp-gateway", namesGateway}, {"acme-mcp-proxy", namesGateway}, {"mcp-tool-router", namesGateway}, {"gateway-mcp", namesGateway}, {"mcp-server-broker", namesGateway},
		{"mcp-operator", namesOther}, {"mcp-gateway-controller", namesOther}, {"mcp-operator-webhook-service", namesOther}, {"mcp-inspector", namesOther}, {"mcp-client", namesOther},
		{"", unnamed}, {"kmcp", unnamed}, {"mcpd", unnamed}, {"mcp2221", unnamed}, {"server", unnamed}, {"gateway", unnamed},
	} {
		if got := natureOf(tt.name); got != tt.want {
			t.Errorf("natureOf(%q) = %v, want %v", tt.name, got, tt.want)
		}
	}
}
