package query

import (
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// nodes is a cluster whose pods are on nodes that are known, or not.
const nodes = `
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 10.9.0.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: a, labels: {app: a}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: shut, labels: {app: shut}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: far, labels: {app: far}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: floating, labels: {app: a}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: host, labels: {app: host}}, spec: {nodeName: n2, hostNetwork: true, containers: [{name: c, image: x}]}, status: {phase: Running, hostIP: 10.9.0.2, podIP: 10.9.0.2, podIPs: [{ip: 10.9.0.2}]}}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {namespace: app, name: spread, uid: u1}, spec: {replicas: 2, selector: {matchLabels: {app: spread}}, template: {metadata: {labels: {app: spread}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: spread-1, labels: {app: spread}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: spread, uid: u1, controller: true}]}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.4, podIPs: [{ip: 10.0.0.4}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: spread-2, labels: {app: spread}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: spread, uid: u1, controller: true}]}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.5, podIPs: [{ip: 10.0.0.5}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: spread}, spec: {podSelector: {matchLabels: {app: spread}}, policyTypes: [Ingress, Egress]}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: app, name: a}, spec: {endpointSelector: {matchLabels: {app: a}}, egress: [{toEntities: [host], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}, {toEntities: [remote-node], toPorts: [{ports: [{port: "23", protocol: TCP}]}]}]}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: app, name: shut}, spec: {endpointSelector: {matchLabels: {app: shut}}, egress: [{toEntities: [all]}], egressDeny: [{toEntities: [host]}]}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: app, name: far}, spec: {endpointSelector: {matchLabels: {app: far}}, egress: [{toEntities: [all]}], egressDeny: [{toEntities: [remote-node]}]}}
`

func TestNodes(t *testing.T) {
	for _, tt := range []struct {
		cni, from, to string
		want          reach.Verdict
		when          string // part of it
	}{
		{"cilium", "app/a", "n1:22", reach.Allowed, ""},
		{"cilium", "app/a", "10.9.0.1:22", reach.Allowed, ""},
		{"cilium", "app/a", "n2:22", reach.Denied, ""},
		{"cilium", "app/a", "app/host:22", reach.Denied, ""},
		{"cilium", "app/a", "n1:23", reach.Denied, ""},
		{"cilium", "app/a", "n2:23", reach.Allowed, ""},
		{"cilium", "app/a", "app/host:23", reach.Allowed, ""},
		{"cilium", "app/floating", "n1:22", reach.Depends, "app/Pod/floating and node n1 are on the same node"},
		{"cilium", "app/floating", "n1:23", reach.Depends, "app/Pod/floating and node n1 are on different nodes"},
		{"cilium", "app/shut", "n1:80", reach.Denied, ""},
		{"cilium", "app/shut", "n2:80", reach.Allowed, ""},
		{"cilium", "app/far", "n1:80", reach.Allowed, ""},
		{"cilium", "app/far", "10.9.0.2:80", reach.Denied, ""},

		{"aws-vpc-cni", "app/spread", "n1:80", reach.Allowed, ""},
		{"aws-vpc-cni", "app/spread", "app/host:80", reach.Allowed, ""},
		{"aws-vpc-cni", "app/Pod/spread-1", "app/host:80", reach.Denied, ""},
		{"calico", "n1", "app/spread:80", reach.Allowed, ""},
		{"calico", "n1", "app/Pod/spread-2:80", reach.Denied, ""},
		{"calico", "10.9.0.2", "app/Pod/spread-2:80", reach.Allowed, ""},
	} {
		a := ask(t, under(t, nodes, tt.cni), tt.from, tt.to)
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) || (a.When.String() == "") == (tt.want == reach.Depends) {
			t.Errorf("%s: %s -> %s: got %v if %q %q, want %v if %q", tt.cni, tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want, tt.when)
		}
		checkSteps(t, a)
	}
}

// TestExternalIP asks about the addresses of the client's own node and of another one: an ExternalIP
// may be translated outside of the cluster, and is then no nearer than another node's.
func TestExternalIP(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: ExternalIP, address: 203.0.113.1}, {type: InternalIP, address: 192.168.1.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.1.2}, {type: ExternalIP, address: 203.0.113.2}, {type: ExternalIP, address: "2001:db8::2"}, {type: InternalIP, address: "2001:db8::2"}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: b, labels: {app: b}}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.2.5, podIPs: [{ip: 10.0.2.5}, {ip: "fd00::5"}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: a, name: s}, spec: {type: NodePort, clusterIP: 10.96.0.9, selector: {app: s}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: s, labels: {app: s}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.1.5, podIPs: [{ip: 10.0.1.5}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: CIDR}}], ports: [{port: 30080}]}]}}
`
	for _, tt := range []struct {
		cni, cidr, from, to string
		want                reach.Verdict
	}{
		{"aws-vpc-cni", "198.51.100.0/24", "a/b", "203.0.113.2:22", reach.Depends},
		{"aws-vpc-cni", "198.51.100.0/24", "a/b", "192.168.1.2:22", reach.Allowed},
		{"aws-vpc-cni", "198.51.100.0/24", "a/b", "[2001:db8::2]:22", reach.Allowed}, // an InternalIP too
		{"aws-vpc-cni", "198.51.100.0/24", "a/b", "203.0.113.1:22", reach.Denied},
		{"calico", "198.51.100.0/24", "203.0.113.2", "a/b:80", reach.Depends},
		{"calico", "198.51.100.0/24", "192.168.1.2", "a/b:80", reach.Allowed},
		{"calico", "198.51.100.0/24", "203.0.113.1", "a/b:80", reach.Denied},
		{"gke-legacy", "203.0.113.2/32", "a/b", "203.0.113.2:30080", reach.Depends}, // its own node may leave it as it is
		{"gke-legacy", "192.168.1.2/32", "a/b", "192.168.1.2:30080", reach.Denied},  // its own node translates it first
		{"gke-legacy", "198.51.100.0/24", "a/b", "203.0.113.2:30080", reach.Denied},
	} {
		if got := ask(t, under(t, strings.ReplaceAll(scene, "CIDR", tt.cidr), tt.cni), tt.from, tt.to); got.Verdict != tt.want {
			t.Errorf("%s, %s: %s -> %s: %v if %v, want %v", tt.cni, tt.cidr, tt.from, tt.to, got.Verdict, got.When.When, tt.want)
		}
	}
}
