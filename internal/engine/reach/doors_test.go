package reach

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Where nothing tells whether policy is judged before a Service's address is translated, what a
// Service leads to may be reached by whoever is let to the Service: by its own address, by one from
// outside, by a node's.
func TestDoors(t *testing.T) {
	const client = `
apiVersion: v1
kind: Namespace
metadata: {name: default}
---
apiVersion: v1
kind: Pod
metadata: {namespace: default, name: a, labels: {app: a}}
spec: {containers: [{name: m, image: i}]}
status: {podIPs: [{ip: 10.1.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: default, name: b, labels: {app: b}}
spec: {containers: [{name: m, image: i}]}
status: {podIPs: [{ip: 10.1.0.2}]}
---
apiVersion: v1
kind: Node
metadata: {name: n}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: default, name: out}
spec:
  podSelector: {matchLabels: {app: a}}
  policyTypes: [Egress]
  egress:
    - to: [{ipBlock: {cidr: CIDR}}]
      ports: [{port: PORT}]
---
`
	const metadata = `
apiVersion: v1
kind: Service
metadata: {namespace: default, name: s}
spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: default, name: s-1, labels: {kubernetes.io/service-name: s}}
addressType: IPv4
endpoints: [{addresses: [169.254.169.254]}]
ports: [{port: 80, protocol: TCP}]
`
	service := func(spec string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {namespace: default, name: s}\nspec: {selector: {app: b}, clusterIP: 10.96.0.9, " + spec + "}\n"
	}
	for _, tt := range []struct {
		name, cidr, port, service string
		want                      Verdict
		to                        string // an address, or "b"
	}{
		{"a credential endpoint behind a Service", "10.96.0.9/32", "80", metadata, Depends, "169.254.169.254"},
		{"on another port of the Service", "10.96.0.9/32", "81", metadata, Denied, "169.254.169.254"},
		{"the Service's own address", "10.96.0.9/32", "443", service("ports: [{port: 443, targetPort: 80}]"), Depends, "b"},
		{"an external address", "203.0.113.9/32", "443", service("externalIPs: [203.0.113.9], ports: [{port: 443, targetPort: 80}]"), Depends, "b"},
		{"another address", "203.0.113.8/32", "443", service("externalIPs: [203.0.113.9], ports: [{port: 443, targetPort: 80}]"), Denied, "b"},
		{"a node port", "10.9.0.1/32", "30080", service("type: NodePort, ports: [{port: 443, targetPort: 80, nodePort: 30080}]"), Depends, "b"},
		{"a node port that is not given yet", "10.9.0.0/16", "31000", service("type: NodePort, ports: [{port: 443, targetPort: 80}]"), Depends, "b"},
		{"another port of the node", "10.9.0.1/32", "30081", service("type: NodePort, ports: [{port: 443, targetPort: 80, nodePort: 30080}]"), Denied, "b"},
	} {
		p := load(t, strings.NewReplacer("CIDR", tt.cidr, "PORT", tt.port).Replace(client)+tt.service)
		got := Denied
		for _, b := range p.Reach(p.ClassesOf(0)[0], policy.Egress) {
			in := b.Region.IDs.Contains(netset.ID(p.ClassesOf(1)[0]))
			if tt.to != "b" {
				in = b.Region.Addrs.Contains(netip.MustParseAddr(tt.to))
			}
			if in && b.Conns.Contains(netset.TCP, 80) {
				got = b.Verdict
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
