package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// doorScene is two pods on two nodes, of which b calls a.
const doorScene = `
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 192.168.1.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.1.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: mcp, name: a, labels: {app: a}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.1.5, podIPs: [{ip: 10.0.1.5}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: mcp, name: b, labels: {app: b}}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.2.5, podIPs: [{ip: 10.0.2.5}]}}
---
`

// TestDoors asks about ways to pods on which somebody was denied who is not.
func TestDoors(t *testing.T) {
	const (
		local  = "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {type: NodePort, externalTrafficPolicy: Local, clusterIP: 10.96.0.9, selector: {app: a}, ports: [{port: 80, targetPort: 3000, nodePort: 30080}]}}\n---\n"
		unsaid = "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {type: NodePort, clusterIP: 10.96.0.9, selector: {app: a}, ports: [{port: 80, targetPort: 3000}]}}\n---\n"
		fromB  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]}}"
		fromN2 = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 192.168.1.2/32}}]}]}}"
		toA    = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: a}}}]}]}}"
		closed = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}"
		// A Service without a selector and without an address, whose endpoint nobody has.
		bare = "{apiVersion: v1, kind: Service, metadata: {namespace: data, name: ext}, spec: {ports: [{port: 80, targetPort: 5432}]}}\n---\n" +
			"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: data, name: ext-1, labels: {kubernetes.io/service-name: ext}}, addressType: IPv4, ports: [{port: 5432, protocol: TCP}], endpoints: [{addresses: [10.0.1.9]}]}\n---\n"
		hidden = "{apiVersion: v1, kind: Service, metadata: {namespace: data, name: ext}, spec: {clusterIP: 172.20.0.5, ports: [{port: 5432}]}}\n---\n"
		toVIP  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 172.20.0.0/16}}], ports: [{port: 5432}]}]}}"
		twice  = "{apiVersion: v1, kind: Pod, metadata: {namespace: data, name: db, labels: {app: db}}, spec: {nodeName: n1, containers: [{name: d, image: x, ports: [{name: pg, containerPort: 5432}]}, {name: e, image: x, ports: [{name: pg, containerPort: 6000}]}]}, status: {phase: Running, podIP: 10.0.1.7, podIPs: [{ip: 10.0.1.7}]}}\n---\n" +
			"{apiVersion: v1, kind: Service, metadata: {namespace: data, name: db}, spec: {clusterIP: 10.96.0.8, selector: {app: db}, ports: [{port: 80, targetPort: pg}]}}\n---\n"
		sidecar = "{apiVersion: v1, kind: Pod, metadata: {namespace: data, name: db, labels: {app: db}}, spec: {nodeName: n1, initContainers: [{name: d, image: x, restartPolicy: Always, ports: [{name: pg, containerPort: 7000}]}], containers: [{name: e, image: x}]}, status: {phase: Running, podIP: 10.0.1.7, podIPs: [{ip: 10.0.1.7}]}}\n---\n" +
			"{apiVersion: v1, kind: Service, metadata: {namespace: data, name: db}, spec: {clusterIP: 10.96.0.8, selector: {app: db}, ports: [{port: 80, targetPort: pg}]}}\n---\n"
		two = "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: mcp, name: two}, spec: {replicas: 2, selector: {matchLabels: {app: two}}, template: {metadata: {labels: {app: two}}, spec: {containers: [{name: c, image: x}]}}}}\n---\n" +
			"{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: two}, spec: {clusterIP: 10.96.0.9, selector: {app: two}, ports: [{port: 80, targetPort: 3000}]}}\n---\n"
		plain      = "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {clusterIP: 10.96.0.9, selector: {app: a}, ports: [{port: 80, targetPort: 3000}]}}\n---\n"
		onNodes    = "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {type: NodePort, clusterIP: 10.96.0.9, selector: {app: a}, ports: [{port: 80, targetPort: 3000, nodePort: 30080}]}}\n---\n"
		onHost     = "{apiVersion: v1, kind: Pod, metadata: {namespace: mcp, name: h, labels: {app: h}}, spec: {nodeName: n1, containers: [{name: c, image: x, ports: [{containerPort: 3000, hostPort: 18080}]}]}, status: {phase: Running, podIP: 10.0.1.8, podIPs: [{ip: 10.0.1.8}]}}\n---\n"
		toOwn      = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]}}"
		outer      = "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {clusterIP: 10.96.0.9, externalIPs: [10.77.0.13], selector: {app: a}, ports: [{port: 80, targetPort: 3000}]}}\n---\n"
		toOuter    = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.77.0.13/32}}]}]}}"
		toNodes    = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.168.1.0/24}}]}]}}"
		toInternet = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16]}}], ports: [{port: 443}]}]}}"
		toMetadata = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 169.254.169.254/32}}]}]}}"
		maker      = "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: data, name: db}, spec: {selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: d, image: x}]}}}}\n---\n" +
			"{apiVersion: v1, kind: Service, metadata: {namespace: data, name: db}, spec: {clusterIP: 10.96.0.8, selector: {app: db, pod-template-hash: x}, ports: [{port: 80, targetPort: 5432}]}}\n---\n"
		toolA = "{apiVersion: v1, kind: Pod, metadata: {namespace: mcp, name: tool-a, labels: {app: tool-a}}, spec: {containers: [{name: c, image: x}]}}\n---\n"
		toolB = "{apiVersion: v1, kind: Pod, metadata: {namespace: mcp, name: %s, labels: {app: tool-b}}, spec: {containers: [{name: c, image: x}]}}\n---\n" +
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: b}, spec: {podSelector: {matchLabels: {app: tool-b}}, policyTypes: [Egress]}}"
		// Services whose endpoints are no pods of the input: a cloud's, a database, a node, what listens on one.
		outside = "{apiVersion: v1, kind: Service, metadata: {namespace: data, name: ext}, spec: {SPEC, clusterIP: 10.96.0.7, ports: [{port: 8080, targetPort: 80, NODE}]}}\n---\n" +
			"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: data, name: ext-1, labels: {kubernetes.io/service-name: ext}}, addressType: IPv4, ports: [{port: 80, protocol: TCP}], endpoints: [{addresses: [ADDR]}]}\n---\n"
		shutA     = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress]}}"
		openA     = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], ingress: [{}]}}"
		onNetwork = "{apiVersion: v1, kind: Pod, metadata: {namespace: data, name: exporter, labels: {app: exporter}}, spec: {hostNetwork: true, nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, hostIP: 192.168.1.1, podIP: 192.168.1.1, podIPs: [{ip: 192.168.1.1}]}}\n---\n"
		toN2      = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.168.1.2/32}}]}]}}"
		noPg      = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: data, name: d}, spec: {endpointSelector: {}, ingress: [{fromEntities: [all]}], ingressDeny: [{fromEntities: [all], toPorts: [{ports: [{port: pg, protocol: TCP}]}]}]}}"
	)
	bareAt := func(spec, node, addr string) string {
		return strings.NewReplacer("SPEC", spec, "NODE", node, "ADDR", addr).Replace(outside)
	}
	claimed := func(spec, status string) string {
		return "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {" + spec + ", clusterIP: 10.96.0.9, selector: {app: a}, ports: [{port: 80, targetPort: 3000}]}" + status + "}\n---\n"
	}
	metadata := bareAt("type: NodePort", "nodePort: 30080", "169.254.169.254")
	headless := "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {clusterIP: None, externalIPs: [10.77.0.13], selector: {app: a}, ports: [{port: 80, targetPort: 3000}]}}\n---\n"
	toOuterOnly := toOuter + "\n---\n" + strings.Replace(fromN2, "name: p", "name: q", 1)
	toOwnFromNobody := "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]}}"
	many := ""
	for i := range 12 {
		many += fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {namespace: mcp, name: mcp-%d, labels: {app: m%[1]d}}, spec: {containers: [{name: c, image: x}]}}\n---\n"+
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: mcp, name: m%[1]d}, spec: {podSelector: {matchLabels: {app: m%[1]d}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.%[1]d/32}}]}]}}\n---\n", i)
	}
	many = strings.TrimSuffix(many, "---\n")
	hides := func(status string) string {
		return "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {type: LoadBalancer, clusterIP: 10.96.0.9, selector: {app: a}, ports: [{port: 443, targetPort: 3000, nodePort: 30080}]}" + status + "}\n---\n"
	}
	balanced := func(mode string) string {
		return "{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: a}, spec: {type: LoadBalancer, clusterIP: 10.96.0.9, selector: {app: a}, ports: [{port: 80, targetPort: 3000, nodePort: 30080}]}, status: {loadBalancer: {ingress: [{ip: 10.77.0.13, ipMode: '" + mode + "'}]}}}\n---\n"
	}
	for _, tt := range []struct {
		name, more, cni, from, to string
		want                      reach.Verdict
	}{
		{"Local, from a pod inside", local + fromB, "calico", "mcp/b", "192.168.1.2:30080", reach.Depends},
		{"Local, from a node inside", local + fromB, "calico", "192.168.1.2", "192.168.1.2:30080", reach.Denied}, // the policy knows b alone
		{"Local, from outside", local, "calico", "203.0.113.5", "192.168.1.2:30080", reach.Denied},
		{"Local, the pod's node from outside", local, "calico", "203.0.113.5", "192.168.1.1:30080", reach.Allowed},
		{"Local, hidden behind its node", local + fromN2, "calico", "mcp/b", "192.168.1.1:30080", reach.Depends},
		{"a node port that the input does not give", unsaid + toA, "calico", "mcp/b", "192.168.1.2:31000", reach.Depends},
		{"a node port of other clusters that the input does not give", unsaid + toA, "calico", "mcp/b", "192.168.1.2:29000", reach.Depends},
		{"a node that is open, on a node port of other clusters", unsaid + toNodes, "calico", "mcp/b", "192.168.1.1:29000", reach.Allowed},
		{"a pod behind a node port of other clusters", unsaid + strings.Replace(toN2, "192.168.1.2/32}}]", "192.168.1.1/32}}], ports: [{port: 8080}]", 1), "gke-legacy", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"a pod behind a node port that the input gives", onNodes + strings.Replace(toN2, "192.168.1.2/32}}]", "192.168.1.1/32}}], ports: [{port: 8080}]", 1), "gke-legacy", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"no node port", onNodes + toA, "calico", "mcp/b", "192.168.1.2:29000", reach.Denied},
		{"itself through its Service, or a port of its node", local + closed, "aws-vpc-cni", "mcp/a", "mcp/Service/a:80", reach.Depends},
		{"itself through its Service", plain + closed, "aws-vpc-cni", "mcp/a", "mcp/Service/a:80", reach.Denied},
		{"itself through its Service, not confirmed", local + closed, "calico", "mcp/a", "mcp/Service/a:80", reach.Depends},
		{"itself through its Service, by design", local + closed, "cilium", "mcp/a", "mcp/Service/a:80", reach.Allowed},
		{"one of two through their Service, not confirmed", two + closed, "calico", "mcp/two", "mcp/Service/two:80", reach.Depends},
		{"one of two through their Service, by design", two + closed, "cilium", "mcp/two", "mcp/Service/two:80", reach.Depends},
		{"one of two through their Service, judged", two + closed, "aws-vpc-cni", "mcp/two", "mcp/Service/two:80", reach.Denied},
		{"itself", local + closed, "calico", "mcp/a", "mcp/Pod/a:80", reach.Allowed},
		{"an endpoint that is nobody's", bare + toA, "calico", "mcp/a", "data/Service/ext:80", reach.Allowed},
		{"endpoints that are not shown", hidden + toVIP, "aws-vpc-cni", "mcp/a", "data/Service/ext:5432", reach.Allowed},
		{"a Service whose selector asks for a label that is not shown", maker, "calico", "mcp/a", "data/Service/db:80", reach.Depends},
		{"a pod whose Service is judged", plain + toOwn, "aws-vpc-cni", "mcp/b", "mcp/Pod/a:3000", reach.Allowed},
		{"a pod whose Service is judged, on another port", plain + toOwn, "aws-vpc-cni", "mcp/b", "mcp/Pod/a:3001", reach.Denied},
		{"a pod whose Service is not judged", plain + toOwn, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a pod behind a port of nodes", onNodes + toNodes, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"a pod behind a port of nodes that the input does not give", unsaid + toNodes, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"a node with a port that the input does not give", unsaid + toA, "calico", "mcp/b", "192.168.1.2", reach.Depends},
		{"an endpoint that is no pod, by a port of nodes", metadata + toNodes, "calico", "mcp/b", "169.254.169.254:80", reach.Depends},
		{"an endpoint that is no pod, by a port of nodes that is judged", metadata + toNodes, "aws-vpc-cni", "mcp/b", "169.254.169.254:80", reach.Allowed},
		{"an endpoint that is no pod, on another port", metadata + toNodes, "aws-vpc-cni", "mcp/b", "169.254.169.254:81", reach.Denied},
		{"an endpoint that is no pod, from who is let to nothing", metadata + closed, "calico", "mcp/b", "169.254.169.254:80", reach.Denied},
		{"what is no endpoint", metadata + toNodes, "aws-vpc-cni", "mcp/b", "169.254.169.253:80", reach.Denied},
		{"an endpoint that is no pod, by its Service", bareAt("type: ClusterIP", "name: p", "169.254.169.254") + toOwn, "aws-vpc-cni", "mcp/b", "169.254.169.254:80", reach.Allowed},
		{"an endpoint that is no pod, by its Service that is not judged", bareAt("type: ClusterIP", "name: p", "169.254.169.254") + toOwn, "calico", "mcp/b", "169.254.169.254:80", reach.Denied},
		{"an endpoint that is no pod, by an external IP", bareAt("externalIPs: [10.77.0.13]", "name: p", "203.0.113.9") + toOuter, "aws-vpc-cni", "mcp/b", "203.0.113.9:80", reach.Allowed},
		{"an endpoint that is no pod, by another external IP", bareAt("externalIPs: [10.77.0.14]", "name: p", "203.0.113.9") + toOuter, "aws-vpc-cni", "mcp/b", "203.0.113.9:80", reach.Denied},
		{"an endpoint that is no pod, by a load balancer that is not shown", bareAt("type: LoadBalancer", "name: p", "10.5.5.5") + strings.Replace(toInternet, "port: 443", "port: 8080", 1), "calico", "mcp/b", "10.5.5.5:80", reach.Depends},
		{"an endpoint that somebody may be", bareAt("type: NodePort", "nodePort: 30080", "10.5.5.5") + toNodes, "aws-vpc-cni", "mcp/b", "10.5.5.5:80", reach.Allowed},
		{"an endpoint that is a node", bareAt("type: NodePort", "nodePort: 30080", "192.168.1.1") + toN2, "aws-vpc-cni", "mcp/b", "192.168.1.1:80", reach.Allowed},
		{"an endpoint that is a node, by its name", bareAt("type: NodePort", "nodePort: 30080", "192.168.1.1") + toN2, "aws-vpc-cni", "mcp/b", "n1:80", reach.Allowed},
		{"a node that is no endpoint", metadata + toN2, "aws-vpc-cni", "mcp/b", "192.168.1.1:80", reach.Denied},
		{"an endpoint that is a pod on the host network", onNetwork + bareAt("type: NodePort", "nodePort: 30080", "192.168.1.1") + toN2, "aws-vpc-cni", "mcp/b", "data/Pod/exporter:80", reach.Allowed},
		{"an endpoint that is the address of a pod on the host network", onNetwork + bareAt("type: NodePort", "nodePort: 30080", "192.168.1.1") + toN2, "aws-vpc-cni", "mcp/b", "192.168.1.1:80", reach.Allowed},
		{"a pod on the host network that is no endpoint", onNetwork + metadata + toN2, "aws-vpc-cni", "mcp/b", "data/Pod/exporter:80", reach.Denied},
		{"the address of a pod behind a port of nodes", onNodes + toNodes, "calico", "mcp/b", "10.0.1.5:3000", reach.Depends},
		{"the address of a pod behind a port of nodes that are denied", onNodes + closed, "calico", "mcp/b", "10.0.1.5:3000", reach.Denied},
		{"a Service with a port of nodes", onNodes + toNodes, "calico", "mcp/b", "mcp/Service/a:80", reach.Depends},
		{"the address of a Service with a port of nodes", onNodes + toNodes, "calico", "mcp/b", "10.96.0.9:80", reach.Denied},
		{"a Service with a port of nodes, and endpoints that are no pods", metadata + toNodes, "aws-vpc-cni", "mcp/b", "data/Service/ext:8080", reach.Allowed},
		{"another port of a Service with a port of nodes", onNodes + toNodes, "calico", "mcp/b", "mcp/Service/a:81", reach.Denied},
		{"a pod behind an address outside", outer + toOuter, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a pod behind an address outside, if kube-proxy translates it", outer + toOuter, "cilium", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"a pod behind an address outside that is judged", outer + toOuter, "aws-vpc-cni", "mcp/b", "mcp/Pod/a:3000", reach.Allowed},
		{"a pod behind a load balancer of nodes", balanced("VIP") + toOuter, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a pod behind a load balancer outside", balanced("Proxy") + toOuter, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Allowed},
		{"a pod behind a load balancer of either sort", balanced("") + toOuter, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"a pod behind a load balancer that is not shown", hides("") + toInternet, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"a pod behind a host name", hides(", status: {loadBalancer: {ingress: [{hostname: lb.example.com}]}}") + toInternet, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"a pod behind a load balancer, from one that reaches no address", hides("") + closed, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a pod behind a load balancer, from one that reaches no load balancer", hides("") + toMetadata, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a pod behind a load balancer that is shown", balanced("VIP") + toInternet, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a load balancer outside, and Local", strings.Replace(balanced("Proxy"), "type:", "externalTrafficPolicy: Local, type:", 1) + toOuterOnly, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Depends},
		{"external IPs of a headless Service", headless + toOuter, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"an external IP, and a load balancer that is not shown", strings.Replace(hides(""), "type:", "externalIPs: [10.77.0.13], type:", 1) + toOuter, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"from outside, hidden behind a node", onNodes + fromN2, "calico", "203.0.113.5", "mcp/Pod/a:3000", reach.Depends},
		{"from outside, hidden behind no node", onNodes + fromB, "gke-legacy", "203.0.113.5", "mcp/Pod/a:3001", reach.Denied},
		{"itself through its Service, hidden behind its node", plain + toOwnFromNobody, "aws-vpc-cni", "mcp/a", "mcp/Service/a:80", reach.Depends},
		{"one of many that share a table", many, "aws-vpc-cni", "mcp/mcp-0", "203.0.113.9:443", reach.Depends},
		{"one of many, where none lets it through", strings.ReplaceAll(many, "203.0.113", "198.51.100"), "calico", "mcp/mcp-0", "203.0.113.9:443", reach.Denied},
		{"a load balancer of nodes", balanced("VIP") + toOuter, "calico", "mcp/b", "10.77.0.13:80", reach.Denied},
		{"a load balancer of nodes, by its pods", balanced("VIP") + toA, "calico", "mcp/b", "10.77.0.13:80", reach.Allowed},
		{"a load balancer outside, by its pods", balanced("Proxy") + toA, "calico", "mcp/b", "10.77.0.13:80", reach.Denied},
		{"a pod behind another address outside", outer + toNodes, "aws-vpc-cni", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a pod behind a port of nodes that are denied", onNodes + closed, "calico", "mcp/b", "mcp/Pod/a:3000", reach.Denied},
		{"a pod behind a port of its own on a node", onHost + toNodes, "calico", "mcp/b", "mcp/Pod/h:3000", reach.Depends},
		{"a pod behind a port of its own on a node that is denied", onHost + closed, "calico", "mcp/b", "mcp/Pod/h:3000", reach.Denied},
		{"an external IP that is a node's, to a pod that lets nobody in", claimed("externalIPs: [192.168.1.1]", "") + shutA, "calico", "mcp/b", "192.168.1.1:80", reach.Depends},
		{"an external IP that is a node's, to a pod that lets everybody in", claimed("externalIPs: [192.168.1.1]", "") + openA, "calico", "mcp/b", "192.168.1.1:80", reach.Allowed},
		{"an external IP that is a node's, from who is let to nothing", claimed("externalIPs: [192.168.1.1]", "") + closed, "calico", "mcp/b", "192.168.1.1:80", reach.Denied},
		{"an external IP that is a node's, on another port", claimed("externalIPs: [192.168.1.1]", "") + shutA, "calico", "mcp/b", "192.168.1.1:81", reach.Allowed},
		{"a load balancer's address that is a node's", claimed("type: LoadBalancer", ", status: {loadBalancer: {ingress: [{ip: 192.168.1.1, ipMode: VIP}]}}") + shutA, "cilium", "mcp/b", "192.168.1.1:80", reach.Depends},
		{"an external IP that is a pod's", claimed("externalIPs: [10.0.2.5]", "") + shutA + "\n---\n" + strings.TrimSuffix(onHost, "---\n"), "calico", "mcp/h", "10.0.2.5:80", reach.Depends},
		{"a ClusterIP that is a node's", strings.Replace(claimed("type: ClusterIP", ""), "10.96.0.9", "192.168.1.1", 1) + shutA, "calico", "mcp/b", "192.168.1.1:80", reach.Depends},
		{"a pod that shares its table of rules", toolA + fmt.Sprintf(toolB, "tool-b"), "aws-vpc-cni", "mcp/tool-b", "8.8.8.8:443", reach.Depends},
		{"a pod of another name", toolA + fmt.Sprintf(toolB, "other-b"), "aws-vpc-cni", "mcp/other-b", "8.8.8.8:443", reach.Denied},
		{"a CNI with rules for each pod", toolA + fmt.Sprintf(toolB, "tool-b"), "calico", "mcp/tool-b", "8.8.8.8:443", reach.Denied},
		{"a name that two containers give", twice + noPg, "cilium", "mcp/a", "data/Service/db:80", reach.Depends},
		{"a name that a sidecar gives", sidecar + noPg, "cilium", "mcp/a", "data/Service/db:80", reach.Depends},
	} {
		t.Run(tt.name, func(t *testing.T) {
			snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(doorScene + tt.more)})
			profile, err := cni.ByName(tt.cni)
			if len(snap.Problems) > 0 || err != nil {
				t.Fatal(snap.Problems, err)
			}
			q, err := Parse(tt.from, tt.to)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Ask(reach.Assuming(reach.NewGround(snap), reach.Typical, profile), q); err != nil || got.Verdict != tt.want {
				t.Errorf("%v if %v (%v), want %v", got.Verdict, got.When.When, err, tt.want)
			}
		})
	}
}
