package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// balanced is a pod that lets in its own node and nobody else, behind a Service with an address
// outside of the cluster.
const balanced = `
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 192.168.1.10}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.1.11}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: mcp, labels: {app: mcp}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.244.0.5, podIPs: [{ip: 10.244.0.5}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: client, labels: {app: client}}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.244.1.5, podIPs: [{ip: 10.244.1.5}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: shut, labels: {app: shut}}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.244.1.6, podIPs: [{ip: 10.244.1.6}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: a, name: mcp}, spec: {%s, selector: {app: mcp}, ports: [{port: 80, targetPort: 8080%s}], clusterIP: 10.96.0.9}%s}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [%s]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: b, name: shut}, spec: {podSelector: {matchLabels: {app: shut}}, policyTypes: [Egress]}}
`

// TestWaysIn demands that what enters through nodes is judged as the plugin says, whichever way it
// is asked about.
func TestWaysIn(t *testing.T) {
	const status = ", status: {loadBalancer: {ingress: [{ip: 203.0.113.80}]}}"
	scene := func(spec, ingress string) string {
		if strings.Contains(spec, "externalIPs") {
			return fmt.Sprintf(balanced, spec, "", "", ingress)
		}
		return fmt.Sprintf(balanced, spec, ", nodePort: 30080", status, ingress)
	}
	cluster, private := scene("type: LoadBalancer", ""), scene("externalIPs: [10.77.0.80]", "")
	local := scene("type: LoadBalancer, externalTrafficPolicy: Local", "")
	open := scene("type: LoadBalancer", "{from: [{podSelector: {}}, {namespaceSelector: {}}]}")
	for _, tt := range []struct {
		scene, cni, from, to string
		want                 reach.Verdict
		when                 string // part of it
	}{
		// The Service, its load balancer and its node port say the same.
		{cluster, "azure-npm", "203.0.113.5", "a/Service/mcp:80", reach.Allowed, ""},
		{cluster, "azure-npm", "203.0.113.5", "203.0.113.80:80", reach.Allowed, ""},
		{cluster, "azure-npm", "203.0.113.5", "n2:30080", reach.Allowed, ""},
		{cluster, "aws-vpc-cni", "203.0.113.5", "a/Service/mcp:80", reach.Depends, "enters through node ports is not judged"},
		{cluster, "aws-vpc-cni", "203.0.113.5", "203.0.113.80:80", reach.Depends, "enters through node ports is not judged"},
		{cluster, "calico", "203.0.113.5", "203.0.113.80:80", reach.Depends, "address of the node that took it in"},
		{cluster, "calico", "2001:db8::5", "a/Service/mcp:80", reach.Depends, "address of the node that took it in"},

		// From inside: through the pods, not to an address that is nothing's.
		{cluster, "azure-npm", "b/client", "203.0.113.80:80", reach.Allowed, ""},
		{cluster, "azure-npm", "b/shut", "203.0.113.80:80", reach.Denied, ""},
		{cluster, "calico", "b/client", "203.0.113.80:80", reach.Depends, "address of the node that took it in"},
		{cluster, "calico", "b/client", "203.0.113.80:81", reach.Allowed, ""},
		{cluster, "calico", "b/client", "a/Service/mcp:80", reach.Depends, "address of the node that took it in"}, // by its load balancer
		{cluster, "azure-npm", "b/client", "a/Service/mcp:80", reach.Allowed, ""},
		{cluster, "azure-npm", "b/shut", "a/Service/mcp:80", reach.Denied, ""},
		{cluster, "calico", "b/client", "10.96.0.9:80", reach.Denied, ""},
		{open, "calico", "b/client", "203.0.113.80:80", reach.Depends, "the client's own address is kept"},
		{open, "azure-npm", "b/client", "203.0.113.80:80", reach.Allowed, ""},

		// With the client's own address.
		{local, "spec", "203.0.113.5", "203.0.113.80:80", reach.Denied, ""},
		{local, "azure-npm", "203.0.113.5", "a/Service/mcp:80", reach.Denied, ""},
		{local, "azure-npm", "b/client", "203.0.113.80:80", reach.Denied, ""},
		{local, "azure-npm", "b/client", "203.0.113.80:443", reach.Allowed, ""},

		// Where addresses of the cluster lie.
		{private, "azure-npm", "203.0.113.5", "10.77.0.80:80", reach.Allowed, ""},
		{private, "calico", "b/client", "10.77.0.80:80", reach.Depends, "address of the node that took it in"},
		{private, "calico", "b/shut", "10.77.0.80:80", reach.Denied, ""},
	} {
		a := ask(t, under(t, tt.scene, tt.cni), tt.from, tt.to)
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) || (a.When.String() == "") == (tt.want == reach.Depends) {
			t.Errorf("%s: %s -> %s: got %v if %q %q, want %v if %q", tt.cni, tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want, tt.when)
		}
		checkSteps(t, a)
	}
	a := ask(t, under(t, local, "calico"), "203.0.113.5", "203.0.113.80:80")
	if !slices.ContainsFunc(a.Assumed, func(s string) bool { return strings.HasPrefix(s, "load balancers keep") }) {
		t.Errorf("assumed %q", a.Assumed)
	}
}
