package synth

import (
	"bytes"
	"fmt"
)

// writePolicies writes the tenant's policies: the first of a fixed list, then one for the upstreams
// of each workload in turn, round and round, until there are as many as asked for.
func (t *tenant) writePolicies(b *bytes.Buffer, workloads []workload) {
	fixed := []func(*bytes.Buffer){
		t.denyAll, t.allowDNS, t.gatewayIngress, t.gatewayEgress, t.serverIngress, t.openWeb, t.internalIngress, t.neighbours,
	}
	for i := range t.policies {
		switch {
		case i < len(fixed):
			fixed[i](b)
		case len(workloads) > 0:
			n := i - len(fixed)
			// Servers come right after the gateway in the list, so they are served first.
			t.upstream(b, &workloads[(n+1)%len(workloads)], n)
		}
	}
}

// policy writes what every policy starts with; selector is the body of spec.podSelector, or "" for
// every pod.
func (t *tenant) policy(b *bytes.Buffer, name, selector string, types ...string) {
	fmt.Fprintf(b, "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n", name, t.name)
	if selector == "" {
		b.WriteString("  podSelector: {}\n")
	} else {
		fmt.Fprintf(b, "  podSelector:\n%s", selector)
	}
	b.WriteString("  policyTypes:\n")
	for _, typ := range types {
		fmt.Fprintf(b, "    - %s\n", typ)
	}
}

// roleIs selects pods by role, as the body of a podSelector.
func roleIs(r role) string { return fmt.Sprintf("    matchLabels:\n      role: %s\n", r) }

func (t *tenant) denyAll(b *bytes.Buffer) { t.policy(b, "default-deny", "", "Ingress", "Egress") }

func (t *tenant) allowDNS(b *bytes.Buffer) {
	t.policy(b, "allow-dns", "", "Egress")
	b.WriteString(`  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
      ports:
        - protocol: UDP
          port: 53
        - protocol: TCP
          port: 53
`)
}

// gatewayIngress lets every tenant's pods in.
func (t *tenant) gatewayIngress(b *bytes.Buffer) {
	t.policy(b, "gateway-ingress", roleIs(gateway), "Ingress")
	b.WriteString(`  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kind: tenant
      ports:
        - port: http
`)
}

func (t *tenant) gatewayEgress(b *bytes.Buffer) {
	t.policy(b, "gateway-egress", roleIs(gateway), "Egress")
	b.WriteString(`  egress:
    - to:
        - podSelector:
            matchLabels:
              role: mcp-server
      ports:
        - protocol: TCP
          port: 3000
          endPort: 8999
`)
}

// serverIngress lets the gateway in on a named port, whose number differs from server to server.
func (t *tenant) serverIngress(b *bytes.Buffer) {
	t.policy(b, "server-ingress", roleIs(server), "Ingress")
	b.WriteString(`  ingress:
    - from:
        - podSelector:
            matchLabels:
              role: mcp-gateway
      ports:
        - protocol: TCP
          port: mcp
`)
}

// openWeb lets half of the servers out to everything but an except list. Every third tenant's list
// is short, and every second tenant remembers IPv6.
func (t *tenant) openWeb(b *bytes.Buffer) {
	t.policy(b, "server-web", "    matchLabels:\n      role: mcp-server\n      web: open\n", "Egress")
	b.WriteString(`  egress:
    - to:
        - ipBlock:
            cidr: 0.0.0.0/0
            except:
              - 10.0.0.0/8
              - 172.16.0.0/12
              - 192.168.0.0/16
`)
	if t.number%3 != 0 {
		b.WriteString("              - 169.254.0.0/16\n              - 100.64.0.0/10\n")
	}
	if t.number%2 == 0 {
		b.WriteString("        - ipBlock:\n            cidr: ::/0\n            except:\n              - fc00::/7\n              - fe80::/10\n")
	}
	b.WriteString("      ports:\n        - protocol: TCP\n          port: 443\n        - protocol: TCP\n          port: 80\n")
}

// internalIngress lets the tenant's own pods call its services.
func (t *tenant) internalIngress(b *bytes.Buffer) {
	t.policy(b, "internal-ingress", roleIs(internal), "Ingress")
	b.WriteString(`  ingress:
    - from:
        - podSelector:
            matchExpressions:
              - key: role
                operator: In
                values: [api, internal, mcp-server]
      ports:
        - port: http
        - port: postgres
`)
}

// neighbours lets the next tenant's pods, and pods of production namespaces that are no servers,
// call the APIs by port name.
func (t *tenant) neighbours(b *bytes.Buffer) {
	t.policy(b, "api-ingress", roleIs(api), "Ingress")
	fmt.Fprintf(b, `  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: %s
        - namespaceSelector:
            matchExpressions:
              - key: tier
                operator: In
                values: [prod]
          podSelector:
            matchExpressions:
              - key: role
                operator: NotIn
                values: [mcp-server]
      ports:
        - protocol: TCP
          port: grpc
        - protocol: TCP
          port: http
`, t.next)
}

// upstream is a workload's own list of addresses outside, in ranges that no other tenant names.
func (t *tenant) upstream(b *bytes.Buffer, w *workload, n int) {
	t.policy(b, fmt.Sprintf("upstream-%02d-%s", n, w.name), fmt.Sprintf("    matchLabels:\n      app: %s\n", w.name), "Egress")
	b.WriteString("  egress:\n    - to:\n")
	for range 1 + t.rand.IntN(3) {
		bits := 26 + t.rand.IntN(4)
		host := t.rand.IntN(256) >> (32 - bits) << (32 - bits)
		fmt.Fprintf(b, "        - ipBlock:\n            cidr: 20.%d.%d.%d/%d\n", t.number/256, t.number%256, host, bits)
	}
	if t.number%4 == 0 {
		fmt.Fprintf(b, "        - ipBlock:\n            cidr: 2001:db8:%x:%x::/64\n", t.number, n)
	}
	lo := 8000 + t.rand.IntN(50)*10
	fmt.Fprintf(b, "      ports:\n        - protocol: TCP\n          port: 443\n        - protocol: TCP\n          port: %d\n          endPort: %d\n", lo, lo+t.rand.IntN(9)+1)
}
