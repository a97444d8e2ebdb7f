package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// secret stands where manifests hold credentials. No output of any format may have it.
const secret = "hunter2-SECRET"

// TestSecrets plants a secret everywhere that a workload may hold one, in servers that start in
// every way that discovery reads.
func TestSecrets(t *testing.T) {
	commands := [][]string{
		{"node", "server.js", "--token", secret},
		{"node", "server.js", "--token=" + secret},
		{"sh", "-c", "TOKEN=" + secret + " npx -y @modelcontextprotocol/server-github --token " + secret},
		{"npx", "-y", "https://user:" + secret + "@host.example/pkg-mcp.tgz"},
		{"npx", "--registry=https://x:" + secret + "@npm.example/", "mcp-server-x"},
		{"npx", "-y", "mcp-server-x@" + secret},
		{"npx", "mcp-remote", "https://mcp.example.com/sse?token=" + secret},
		{"npx", "mcp-remote", "https://u:" + secret + "@mcp.example.com/sse", "--header", "Authorization: Bearer " + secret},
		{"uvx", "--from", "git+https://" + secret + "@github.com/org/mcp-server", "mcp-server"},
		{"uvx", "--index-url", "https://" + secret + "@pypi.example/", "mcp-server-x"},
		{"python", "-m", "mcp_server", secret},
		{"docker", "run", "-e", "TOKEN=" + secret, "mcp/github"},
		{"supergateway", "--stdio", "npx -y server --key=" + secret, "--port", "8000"},
		{"mcp-server", "--transport", secret, "--host", secret, "--port=" + secret},
		{"mcp-server", "postgresql://u:" + secret + "@db.data:5432/x?password=" + secret + "#" + secret},
		{"mcp-server", "postgresql://" + secret + "@db.data:5432/" + secret},
		{"mcp-server", "--config", `{"token":"` + secret + `","url":"https://` + secret + `@api.example.com/"}`},
	}
	var docs []string
	for i, argv := range commands {
		text, err := json.Marshal(argv)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"command", "args"} {
			docs = append(docs, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: server-%[1]d-%[2]s
  namespace: tools
  annotations: {toolmoat.dev/server: "true", note: %[3]s, kubectl.kubernetes.io/last-applied-configuration: '{"token":"%[3]s"}'}
spec:
  selector: {matchLabels: {app: server-%[1]d}}
  template:
    metadata: {labels: {app: server-%[1]d}, annotations: {note: %[3]s, "sidecar/%[3]s": a}}
    spec:
      initContainers: [{name: init, image: example.com/init, args: [%[3]s], env: [{name: A, value: %[3]s}]}]
      containers:
        - name: server
          image: example.com/mcp-server
          %[2]s: %[4]s
          env:
            - {name: API_TOKEN, value: %[3]s}
            - {name: DATABASE_URL, value: "postgres://u:%[3]s@db.data.svc:5432/x?password=%[3]s"}
            - {name: UPSTREAM_URL, value: "https://%[3]s@api.example.com/v1/%[3]s?k=%[3]s#%[3]s"}
            - {name: MCP_TRANSPORT, value: %[3]s}
            - {name: MCP_SERVER_URL, value: "http://gateway.tools/%[3]s"}
            - {name: PORT, value: %[3]s}
            - {name: HOST, value: "%[3]s"}
            - {name: FROM_MAP, valueFrom: {configMapKeyRef: {name: settings, key: token}}}
            - {name: FROM_SECRET, valueFrom: {secretKeyRef: {name: credentials, key: token}}}
          envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: credentials}}]
          livenessProbe: {httpGet: {path: /mcp/%[3]s, port: 80, httpHeaders: [{name: Authorization, value: %[3]s}]}}
          lifecycle: {preStop: {exec: {command: [%[3]s]}}}
      volumes: [{name: a, csi: {driver: d, volumeAttributes: {token: %[3]s}}}]
`, i, key, secret, text))
		}
	}
	docs = append(docs, fmt.Sprintf(`
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: tools}, data: {token: %[1]s, URL: "https://x:%[1]s@api.example.com"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: credentials, namespace: tools}, stringData: {token: %[1]s}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: broken, namespace: tools}, data: {token: {a: %[1]s}}}
---
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: tools, annotations: {token: %[1]s}}, spec: {selector: {app: server-1}, ports: [{port: 80}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: tools, annotations: {token: %[1]s}}, spec: {podSelector: {}, policyTypes: [Ingress]}}
---
{some: {other: [%[1]s]}}
`, secret))
	dir := files(t, map[string]string{"all.yaml": strings.Join(docs, "---")})

	found := len(serversOf(parse(t, toolmoat(t, dir, "", "audit", "-q", "-o", "json", "all.yaml").out)))
	if want := 2 * len(commands); found != want {
		t.Errorf("%d servers, want %d", found, want)
	}
	for _, args := range [][]string{
		{"audit"}, {"audit", "--verbose"}, {"audit", "-o", "json"},
		{"map"}, {"map", "--verbose"}, {"map", "--expand"}, {"map", "-o", "json"}, {"map", "-o", "csv", "--expand"}, {"map", "-o", "dot", "--expand"},
		{"can", "tools/server-1-args", "api.example.com:443"}, {"can", "-o", "json", "tools/server-1-args", "tools/Service/a:80"}, {"can", "tools/server-1-arg", "db.data"},
	} {
		got := toolmoat(t, dir, "", append(args, "all.yaml")...)
		if at := strings.Index(got.out+got.err, secret); at >= 0 {
			all := got.out + got.err
			t.Errorf("%v prints the secret: %q", args, all[max(0, at-100):at+len(secret)])
		}
	}
}

// TestSecretsInErrors breaks what may be a credential in every way that YAML knows, wherever one
// may stand. The message says where, and not what.
func TestSecretsInErrors(t *testing.T) {
	const number = "8675309"
	values := []string{number, number + ".5e1", "0x" + number, "*" + secret, "*" + number, "!" + secret + " x", "!" + secret, "!" + secret + " {}", "!!" + secret + " x", "!<" + secret + "> x",
		"!x!" + secret + " y", "!" + number + " x", "&" + secret + " {}", "[&" + secret + " a, *" + secret + "x]", "{" + secret + ": a, " + secret + ": b}",
		"{<<: {" + secret + ": a}, " + secret + ": b, <<: {}}", "{" + secret + ": b, <<: {" + secret + ": a}}", "<<: " + secret, "{<<: " + secret + "}", "{a: [" + secret + ", " + number + "]}"}
	for _, broken := range []string{
		`@%s`, "`%s", `%%%s`, `|%s`, `>%s`, `{%s`, `{%s: x}`, `[%s]`, `[%s`, `"%s`, `'%s`, `%s: x`, `"\%s"`, `!!int %s`, `!!binary %s`, `? %s`, `- %s`, "%s\x00", "%s\xff", "%s\u0081", `"%s" x`,
	} {
		values = append(values, fmt.Sprintf(broken, secret))
	}
	for _, place := range []string{
		"kind: Pod\nmetadata: {name: a, namespace: tools}\nspec:\n  containers:\n  - name: a\n    image: a\n    env:\n    - name: TOKEN\n      value: %s\n",
		"kind: Pod\nmetadata: {name: a, namespace: tools}\nspec:\n  containers:\n  - name: a\n    image: a\n    args:\n    - --token\n    - %s\n",
		"kind: Pod\nmetadata: {name: a, namespace: tools}\nspec:\n  containers:\n  - name: a\n    image: a\n    command:\n    - %s\n",
		"kind: Pod\nmetadata:\n  name: a\n  namespace: tools\n  annotations:\n    toolmoat.dev/server: %s\n",
		"kind: ConfigMap\nmetadata: {name: a, namespace: tools}\ndata:\n  TOKEN: %s\n",
		"kind: Secret\nmetadata: {name: a, namespace: tools}\ndata:\n  TOKEN: %s\n",
		"kind: Secret\nmetadata: {name: a, namespace: tools}\nstringData:\n  TOKEN: %s\n",
	} {
		texts := map[string]string{}
		for i, value := range values {
			texts[fmt.Sprintf("%02d.yaml", i)] = "apiVersion: v1\n" + fmt.Sprintf(place, value)
		}
		dir := files(t, texts)
		for _, format := range []string{"json", "text"} {
			got := toolmoat(t, dir, "", "audit", "--verbose", "-o", format, ".")
			got.want(t, exitBroken)
			all := got.out + got.err
			for i, value := range values {
				// Nothing reads a Secret, so that only what is no YAML is wrong in one.
				if !strings.Contains(all, fmt.Sprintf("%02d.yaml:", i)) && !strings.Contains(place, "kind: Secret") {
					t.Errorf("%s of %q is no problem", value, place)
				}
			}
			for _, s := range []string{secret, number} {
				if at := strings.Index(all, s); at >= 0 {
					t.Errorf("%q is printed: %q", place, all[max(0, at-200):at+len(s)])
				}
			}
		}
	}
}
