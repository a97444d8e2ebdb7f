package synth

// program is what an MCP server runs. Images and ports are those of well-known servers, as their
// own documentation has them.
type program struct {
	name  string
	image string
	args  []string
	env   [][2]string // name, value
	port  int
}

var programs = []program{
	{name: "github", image: "registry.example/github/github-mcp-server:latest", args: []string{"http"}, port: 8082},
	{name: "notion", image: "registry.example/supercorp/supergateway:latest", args: []string{
		"--stdio", "npx -y @notionhq/notion-mcp-server", "--outputTransport", "streamableHttp", "--port", "8000"}, port: 8000},
	{name: "fetch", image: "registry.example/mcp/fetch:latest", port: 8000},
	{name: "postgres", image: "registry.example/crystaldba/postgres-mcp:latest", args: []string{"--transport=sse", "--sse-port=8000"},
		env: [][2]string{{"DATABASE_URI", "postgresql://reader@svc-00:5432/orders"}}, port: 8000},
	{name: "playwright", image: "registry.example/playwright/mcp:latest", args: []string{"--host", "0.0.0.0", "--port", "8931"}, port: 8931},
	{name: "slack", image: "registry.example/korotovsky/slack-mcp-server:latest", args: []string{"--transport", "sse"}, port: 3001},
	{name: "atlassian", image: "registry.example/sooperset/mcp-atlassian:latest", args: []string{"--transport", "streamable-http", "--port", "8000"},
		env: [][2]string{{"JIRA_URL", "https://example.atlassian.net"}}, port: 8000},
	{name: "grafana", image: "registry.example/grafana/mcp-grafana:latest", args: []string{"-t", "streamable-http", "--address", "0.0.0.0:8000"},
		env: [][2]string{{"GRAFANA_URL", "http://svc-01:8080"}}, port: 8000},
	{name: "gitlab", image: "registry.example/iwakitakuma/gitlab-mcp:latest", port: 3002},
	{name: "kubernetes", image: "registry.example/containers/kubernetes_mcp_server:latest", args: []string{"--port", "8080"}, port: 8080},
	{name: "redis", image: "registry.example/mcp/redis:latest", env: [][2]string{{"REDIS_HOST", "svc-02"}, {"REDIS_PORT", "6379"}}, port: 8000},
	{name: "elasticsearch", image: "registry.example/mcp/elasticsearch:latest", env: [][2]string{{"ES_URL", "http://svc-03:9200"}}, port: 8080},
	{name: "terraform", image: "registry.example/hashicorp/terraform-mcp-server:latest", args: []string{"streamable-http", "--transport-port", "8080"}, port: 8080},
	{name: "brave", image: "registry.example/mcp/brave-search:latest", args: []string{"--transport", "http", "--port", "8080"}, port: 8080},
	{name: "sentry", image: "registry.example/mcp/sentry:latest", port: 8000},
	{name: "aws-docs", image: "registry.example/mcp/aws-documentation:latest", port: 8000},
}
