package discover

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// texts writes destinations as "host:port (source name)", unresolved ones as "? (source name)".
func texts(ds []Destination) []string {
	var out []string
	for _, d := range ds {
		host := fmt.Sprintf("%s:%d", d.Host, d.Port)
		if d.Unresolved {
			host = "?"
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s (%v %s", host, d.Source, d.Name))+")")
	}
	return out
}

func TestDestinations(t *testing.T) {
	const plain = "corp/x"
	for _, tt := range []struct {
		name string
		w    model.Workload
		want []string
	}{
		{"nothing", workload("a", "x", plain), nil},
		{"URL", workload("a", "x", plain, env("GRAFANA_URL", "http://grafana.observability.svc/path?x=1")), []string{"grafana.observability.svc:80 (environment GRAFANA_URL)"}},
		{"userinfo and case", workload("a", "x", plain, env("DATABASE_URL", "postgresql+asyncpg://u:p%40@DB.Example.:6432/x?sslmode=y@z")), []string{"db.example:6432 (environment DATABASE_URL)"}},
		{"several hosts", workload("a", "x", plain, env("MONGO_URI", "mongodb://u:p@m1:27018,m2/x")), []string{"m1:27018 (environment MONGO_URI)", "m2:27017 (environment MONGO_URI)"}},
		{"SRV", workload("a", "x", plain, env("MONGO_URI", "mongodb+srv://u:p@c0.abc.mongodb.net/x")), []string{"*.abc.mongodb.net:0 (environment MONGO_URI)"}},
		{"host and port", workload("a", "x", plain, env("DB_HOST", "db", "DB_PORT", "5433", "CACHE_REDIS_HOST", "cache", "X_HOST", "x.example")),
			[]string{"cache:6379 (environment CACHE_REDIS_HOST)", "db:5433 (environment DB_HOST)", "x.example:0 (environment X_HOST)"}},
		{"brokers", workload("a", "x", plain, env("KAFKA_BOOTSTRAP_SERVERS", "k1:9093, k2")), []string{"k1:9093 (environment KAFKA_BOOTSTRAP_SERVERS)", "k2:9092 (environment KAFKA_BOOTSTRAP_SERVERS)"}},
		{"addresses", workload("a", "x", plain, env("A_ADDR", "10.0.0.1:99", "B_URL", "https://[2001:db8::1]:8443/x", "C_HOST", "2001:db8::2")),
			[]string{"10.0.0.1:99 (environment A_ADDR)", "2001:db8::1:8443 (environment B_URL)", "2001:db8::2:0 (environment C_HOST)"}},
		{"libpq and ADO", workload("a", "x", plain, env("PG_DSN", "host=db port=5433 user=u password=p", "X_CONNECTION_STRING", "Server=tcp:sql.corp,1433;Password=p", "MY_DSN", "u:p@tcp(my:3307)/x")),
			[]string{"db:5433 (environment PG_DSN)", "my:3307 (environment MY_DSN)", "sql.corp:1433 (environment X_CONNECTION_STRING)"}},
		{"JDBC", workload("a", "x", plain, env("DB", "jdbc:sqlserver://sql.corp;database=x")), []string{"sql.corp:1433 (environment DB)"}},
		{"password that hides the host", workload("a", "x", plain, env("DATABASE_URL", "postgres://u:12/34@db/x")), []string{"? (environment DATABASE_URL)"}},
		{"secret and template", workload("a", "x", plain, secretEnv("DATABASE_URL", "API_TOKEN"), env("A_URL", "https://{{ .Values.host }}/x", "B_HOST", "$(UNKNOWN)", "C_HOST", "${X}")),
			[]string{"? (environment A_URL)", "? (environment B_HOST)", "? (environment C_HOST)", "? (environment DATABASE_URL)"}},
		{"reference", workload("a", "x", plain, env("H", "db", "DB_URL", "mysql://u:$(SECRET)@$(H)/x")), []string{"db:3306 (environment DB_URL)"}},
		{"listeners", workload("a", "x", plain, env("HOST", "x.example", "MCP_SERVER_HOST", "x.example", "BIND_ADDR", "10.0.0.1:1", "FASTMCP_HOST", "h", "BRAVE_MCP_HOST", "h.example", "A_HOST", "0.0.0.0",
			"B_URL", "http://localhost:3000", "C_URL", "http://127.0.0.1", "D_HOST", "::", "PUBLIC_URL", "https://me.example", "OAUTH_REDIRECT_URI", "https://me.example/cb", "NO_PROXY", "a.example,.svc")), nil},
		{"no address", workload("a", "x", plain, env("A_HOST", "true", "B_HOST", "", "DATABASE_URL", "abcdef", "FILE_URL", "file:///x", "LITE_URL", "sqlite:///x.db", "NOTE", "see foo://bar", "C_HOST", "12345")), nil},
		{"arguments", workload("a", "x", plain, command("npx", "mcp-remote", "https://mcp.example/sse"), args("--prometheus=http://prom:9090", "--base-url", "https://me.example", "--cors-origin=https://you.example")),
			[]string{"mcp.example:443 (arguments)", "prom:9090 (arguments)"}},
		{"arguments inside a bridge", workload("a", "x", plain, command("supergateway", "--stdio", "npx @modelcontextprotocol/server-postgres postgresql://u:p@db/x", "--baseUrl", "http://localhost:8000")),
			[]string{"db:5432 (arguments)"}},
		{"catalogue's hosts", workload("a", "x", "mcp/notion"), []string{"api.notion.com:443 (catalogue notion)"}},
		{"hosts replaced", workload("a", "x", "mcp/sentry", env("SENTRY_HOST", "sentry.corp")), []string{"sentry.corp:443 (environment SENTRY_HOST)"}},
		{"hosts replaced by a secret", workload("a", "x", "mcp/sentry", secretEnv("SENTRY_HOST")), []string{"? (environment SENTRY_HOST)"}},
		{"hosts not replaced by nothing", workload("a", "x", "mcp/firecrawl", env("FIRECRAWL_API_URL", "")), []string{"api.firecrawl.dev:443 (catalogue firecrawl)"}},
		{"port from the catalogue's variable", workload("a", "x", "mongodb/mongodb-mcp-server", env("MDB_MCP_SERVER_ADDRESS", "m", "MDB_MCP_SERVER_PORT", "27099")), []string{"m:27099 (environment MDB_MCP_SERVER_ADDRESS)"}},
		{"variable of the catalogue missing", workload("a", "x", "mcp/grafana"), []string{"? (catalogue grafana)"}},
		{"API server", workload("a", "x", "stackloklabs/mkp/server"), []string{"kubernetes.default.svc:443 (catalogue mkp)"}},
		{"open fetch and none", workload("a", "x", "mcp/fetch", container(model.Container{Name: "t", Image: "mcp/time"})), nil},
		{"init and sidecar containers do not count", workload("a", "x", plain, container(model.Container{Name: "i", Init: true, Env: []model.EnvVar{{Name: "A_URL", Value: "http://a.example", Known: true}}}),
			container(model.Container{Name: "istio-proxy", Env: []model.EnvVar{{Name: "B_URL", Value: "http://b.example", Known: true}}})), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Destinations(&tt.w)
			if !reflect.DeepEqual(texts(got), tt.want) {
				t.Errorf("got %q\nwant %q", texts(got), tt.want)
			}
			for _, d := range got {
				if d.Origin.IsZero() || d.Source == NoSource || d.Unresolved != (d.Host == "") {
					t.Errorf("%+v", d)
				}
			}
		})
	}
}
