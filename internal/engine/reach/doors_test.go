package reach

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/source"
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

// What is known of nodes and of who translates decides doors: the pods are on n2, or the client on
// n1.
func TestDoorsByProfile(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Namespace, metadata: {name: x}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 10.9.0.2}, {type: ExternalIP, address: 203.0.113.2}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n3}, status: {addresses: [{type: InternalIP, address: 10.9.0.3}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: x, name: a, labels: {app: a}}, spec: {nodeName: CLIENT, containers: [{name: c, image: i}]}, status: {podIPs: [{ip: 10.1.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: x, name: b, labels: {app: b}}, spec: {nodeName: n2, containers: [{name: c, image: i}]}, status: {podIPs: [{ip: 10.1.0.2}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: x, name: b}, spec: {clusterIP: 10.96.0.9, selector: {app: b}, ports: [{port: 443, targetPort: 80, NODE}], SPEC}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: x, name: out}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: CIDR}}], ports: [{port: PORT}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: x, name: in}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress], ingress: [FROM]}}
`
	for _, tt := range []struct {
		name, cni, spec, cidr, port, from string
		want                              Verdict
	}{
		{"what nodes take in is not judged", "azure-npm", "type: NodePort", "10.9.0.1/32", "30080", "", Allowed},
		{"Local keeps it judged", "azure-npm", "type: NodePort, externalTrafficPolicy: Local", "10.9.0.1/32", "30080", "", Depends},
		{"n1 has no pod behind it", "gke-legacy", "type: NodePort, externalTrafficPolicy: Local", "10.9.0.1/32", "30080", "{}", Depends},
		{"n1 sends on", "gke-legacy", "type: NodePort", "10.9.0.1/32", "30080", "{}", Allowed},
		{"the own node translates first", "gke-legacy", "type: NodePort", "10.9.0.2/32", "30080", "{}", Denied},
		{"the own node's ExternalIP may be translated outside", "gke-legacy", "type: NodePort", "203.0.113.2/32", "30080", "{}", Depends},
		{"let to the pod, which lets nodes in, by an external IP", "gke-legacy", "externalIPs: [203.0.113.9]", "10.1.0.2/32", "80", "", Depends},
		{"let to the pod, which lets nodes in, with no way there", "gke-legacy", "type: ClusterIP", "10.1.0.2/32", "80", "", Denied},
		{"a load balancer somewhere", "gke-legacy", "type: LoadBalancer", "198.51.100.0/24", "443", "{}", Depends},
		{"a load balancer anywhere", "gke-legacy", "type: LoadBalancer", "0.0.0.0/0", "443", "{}", Depends}, // or over IPv6
		{"a load balancer of either sort", "gke-legacy", "type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}", "203.0.113.9/32", "443", "{}", Depends},
		{"a load balancer of nodes", "gke-legacy", "type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 203.0.113.9, ipMode: VIP}]}", "203.0.113.9/32", "443", "{}", Denied},
		{"another port of it", "gke-legacy", "type: LoadBalancer", "198.51.100.0/24", "80", "{}", Denied},
		{"a port that other clusters give out", "gke-legacy", "n1 type: LoadBalancer", "10.9.0.3/32", "8080", "{}", Depends},
		{"a port that no node port has", "gke-legacy", "n1 type: NodePort", "10.9.0.3/32", "8080", "{}", Denied},
		{"every port that is usually given out", "gke-legacy", "n1 type: LoadBalancer", "10.9.0.3/32", "30000, endPort: 32767", "{}", Depends},
		{"every port of a node", "gke-legacy", "n1 type: LoadBalancer", "10.9.0.3/32", "1, endPort: 65535", "{}", Allowed},
		{"Local, hidden behind the node of both", "gke-legacy", "type: LoadBalancer, externalTrafficPolicy: Local", "198.51.100.0/24", "443", "", Depends},
		{"Local, hidden behind another node", "gke-legacy", "n1 type: LoadBalancer, externalTrafficPolicy: Local", "198.51.100.0/24", "443", "", Denied},
		{"a node port, hidden behind its own node", "gke-legacy", "n1 type: NodePort", "10.9.0.2/32", "30080", "", Depends},
		{"a node port, hidden behind another node", "gke-legacy", "n1 type: NodePort", "10.9.0.3/32", "30080", "", Denied},
		{"a node port, hidden behind another node that is let in", "gke-legacy", "n1 type: NodePort", "10.9.0.3/32", "30080", "{from: [{ipBlock: {cidr: 10.9.0.3/32}}]}", Depends},
		{"Local, sent on by another node", "gke-legacy", "n1 type: NodePort, externalTrafficPolicy: Local", "10.9.0.3/32", "30080", "", Denied},
	} {
		client, spec := "n2", tt.spec
		if rest, ok := strings.CutPrefix(tt.spec, "n1 "); ok {
			client, spec = "n1", rest
		}
		node := "nodePort: 30080"
		if !strings.HasPrefix(spec, "type: NodePort") {
			node = "name: p"
		}
		text := strings.NewReplacer("CLIENT", client, "NODE", node, "SPEC", spec, "CIDR", tt.cidr, "PORT", tt.port, "FROM", tt.from).Replace(scene)
		profile, err := cni.ByName(tt.cni)
		if err != nil {
			t.Fatal(err)
		}
		p := NewProgram(NewGround(source.LoadFiles(source.File{Name: "x.yaml", Data: []byte(text)})), profile)
		got := Denied
		for _, b := range p.Reach(p.ClassesOf(0)[0], policy.Egress) {
			if b.Region.IDs.Contains(netset.ID(p.ClassesOf(1)[0])) && b.Conns.Contains(netset.TCP, 80) && CompareVerdicts(b.Verdict, got) > 0 {
				got = b.Verdict
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
