package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestHostPort demands that what connects to a pod's hostPort is judged as what arrives at the pod,
// but for a pod on the host network.
func TestHostPort(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 192.168.1.10}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.1.11}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: mcp}, spec: {selector: {matchLabels: {app: mcp}}, template: {metadata: {labels: {app: mcp}}, spec: {%s containers: [{name: c, image: x, ports: [{containerPort: 8080, hostPort: 18080}]}]}}}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: at, labels: {app: at}}, spec: {nodeName: n1, containers: [{name: c, image: x, ports: [{containerPort: 8080, hostPort: 18081}]}]}, status: {phase: Running, podIP: 10.244.0.5, podIPs: [{ip: 10.244.0.5}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: srv, labels: {app: srv}}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.244.1.5, podIPs: [{ip: 10.244.1.5}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: free, labels: {app: free}}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.244.1.6, podIPs: [{ip: 10.244.1.6}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: b, name: srv}, spec: {podSelector: {matchLabels: {app: srv}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: a}}}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: in}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [%s]}}
`
	const host, anyone, nobody = "hostNetwork: true, ", "{}", ""
	const onPod, runs = "is translated on the pod's own node, before egress is judged", "runs on node n1"
	for _, tt := range []struct {
		spec, ingress, cni, from, to string
		want                         reach.Verdict
		when                         string // part of it
	}{
		// Egress is open for the pod, not for its node.
		{"", anyone, "calico", "b/srv", "192.168.1.10:18080", reach.Depends, onPod},
		{"", anyone, "cilium", "b/srv", "192.168.1.10:18080", reach.Depends, onPod},
		{"", anyone, "calico", "b/srv", "192.168.1.10:18080", reach.Depends, runs},
		{"", anyone, "calico", "b/srv", "n1:18081", reach.Depends, onPod},
		{"", anyone, "calico", "b/srv", "n1:18082", reach.Denied, ""},
		{"", anyone, "calico", "b/srv", "n1:18081/UDP", reach.Denied, ""},
		{"", anyone, "calico", "b/srv", "n2:18081", reach.Denied, ""},
		{"", anyone, "calico", "b/srv", "n1:8080", reach.Denied, ""},

		// Ingress of the pod.
		{"", anyone, "calico", "b/free", "n1:18081", reach.Allowed, ""},
		{"", nobody, "calico", "b/free", "n2:18081", reach.Allowed, ""},
		{"", nobody, "calico", "b/free", "n1:18081", reach.Depends, "it arrives with the address of a node"},
		{"", nobody, "cilium", "203.0.113.5", "192.168.1.10:18081", reach.Denied, ""},
		{"", nobody, "calico", "203.0.113.5", "n1:18081", reach.Denied, ""},
		{"", anyone, "calico", "203.0.113.5", "192.168.1.10:18080", reach.Allowed, ""},
		{"", "{ports: [{port: 8080}]}", "calico", "203.0.113.5", "192.168.1.10:18081", reach.Allowed, ""},
		{"", "{ports: [{port: 18081}]}", "calico", "203.0.113.5", "192.168.1.10:18081", reach.Denied, ""},
		{"", nobody, "calico", "203.0.113.5", "192.168.1.10:18080", reach.Depends, "no pod of a/mcp runs on node n1"},

		// On the host network it is the node that answers.
		{host, anyone, "calico", "b/srv", "192.168.1.10:18080", reach.Denied, ""},
		{host, nobody, "calico", "b/free", "192.168.1.10:18080", reach.Allowed, ""},
	} {
		a := ask(t, under(t, fmt.Sprintf(scene, tt.spec, tt.ingress), tt.cni), tt.from, tt.to)
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) || (a.When.String() == "") == (tt.want == reach.Depends) {
			t.Errorf("%s, ingress %q, %s: %s -> %s: got %v if %q %q, want %v if %q", tt.spec, tt.ingress, tt.cni, tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want, tt.when)
		}
		checkSteps(t, a)
	}
}
