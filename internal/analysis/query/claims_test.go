package query

import (
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// claims has addresses and names that several objects claim. free has no policy; picky may connect
// to what the tests name only.
const claims = `
{apiVersion: v1, kind: Pod, metadata: {name: free, namespace: mcp, labels: {app: free}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: picky, namespace: mcp, labels: {app: picky}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: one, namespace: mcp, labels: {app: one}}, spec: {containers: [{name: c, image: x}]}, status: {podIP: 10.244.0.4}}
---
{apiVersion: v1, kind: Pod, metadata: {name: two, namespace: mcp, labels: {app: two}}, spec: {containers: [{name: c, image: x}]}, status: {podIP: 10.244.0.4}}
---
{apiVersion: v1, kind: Pod, metadata: {name: fake, namespace: mcp, labels: {app: fake}}, spec: {containers: [{name: c, image: x}]}, status: {podIP: 169.254.169.254}}
---
{apiVersion: v1, kind: Node, metadata: {name: node1}, status: {addresses: [{type: InternalIP, address: 10.0.0.7}, {type: ExternalIP, address: 203.0.113.5}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: metadata, namespace: mcp}, spec: {clusterIP: 10.96.0.8, externalIPs: [169.254.169.253, 10.0.0.7], selector: {app: closed}, ports: [{port: 1}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: own, namespace: mcp}, spec: {clusterIP: 169.254.169.252, selector: {app: closed}, ports: [{port: 1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: closed, namespace: mcp, labels: {app: closed}}, spec: {containers: [{name: c, image: x}]}, status: {podIP: 10.244.0.9}}
---
{apiVersion: v1, kind: Service, metadata: {name: s1, namespace: mcp}, spec: {type: LoadBalancer, clusterIP: 10.96.0.9, selector: {app: closed}, ports: [{port: 80}]}, status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}}
---
{apiVersion: v1, kind: Service, metadata: {name: s2, namespace: mcp}, spec: {type: LoadBalancer, clusterIP: 10.96.0.10, selector: {app: one}, ports: [{port: 443}]}, status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}}
---
{apiVersion: v1, kind: Service, metadata: {name: extra, namespace: mcp}, spec: {clusterIP: 10.96.0.11, selector: {app: closed}, ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: extra, namespace: mcp, labels: {kubernetes.io/service-name: extra}}, addressType: IPv4, ports: [{port: 80}], endpoints: [{addresses: [198.51.100.1]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: gone, namespace: mcp}, spec: {clusterIP: 10.96.0.12, selector: {app: gone}, ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: gone, namespace: mcp, labels: {kubernetes.io/service-name: gone}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [198.51.100.1]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: pair, namespace: mcp}, spec: {selector: {app: one}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: pair, namespace: mcp}, spec: {selector: {app: closed}, ports: [{port: 80}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: twin, namespace: mcp}, spec: {selector: {matchLabels: {app: twin}}, template: {metadata: {labels: {app: twin}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: twin, namespace: mcp}, spec: {selector: {matchLabels: {app: closed}}, template: {metadata: {labels: {app: closed}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: nameless, namespace: mcp}, spec: {type: ExternalName}}
---
{apiVersion: v1, kind: Service, metadata: {name: dot, namespace: mcp}, spec: {type: ExternalName, externalName: "."}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: mcp}, spec: {podSelector: {matchExpressions: [{key: app, operator: In, values: [closed, two, fake]}]}, policyTypes: [Ingress]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: picky, namespace: mcp}, spec: {podSelector: {matchLabels: {app: picky}}, policyTypes: [Egress], egress: [
  {to: [{ipBlock: {cidr: 203.0.113.5/32}}, {ipBlock: {cidr: 198.51.100.1/32}}, {podSelector: {matchLabels: {app: one}}}]}]}}
`

func TestClaims(t *testing.T) {
	p := program(claims)
	for _, tt := range []struct {
		from, to string
		want     reach.Verdict
		note     string // part of the notes
	}{
		{"mcp/free", "169.254.169.253:80", reach.Allowed, "mcp/Service/metadata has no port 80/TCP, so what connects there goes to whoever else has 169.254.169.253"},
		{"mcp/free", "10.0.0.7:10250", reach.Allowed, "10.0.0.7 is the address of node node1"},
		{"mcp/picky", "10.0.0.7:1", reach.Depends, ""},
		{"mcp/free", "10.0.0.7:1", reach.Depends, "10.0.0.7 is the address of node node1"}, // the node's, or a Service's whose pod is closed
		{"mcp/free", "10.0.0.7:2", reach.Allowed, ""},
		{"mcp/free", "169.254.169.253:1", reach.Depends, ""},
		{"mcp/free", "169.254.169.252:1", reach.Depends, ""},
		{"mcp/free", "169.254.169.252:2", reach.Allowed, ""},
		{"mcp/free", "169.254.169.252:80", reach.Allowed, "goes to whoever else has its address"},
		{"mcp/free", "mcp/own:80", reach.Allowed, "goes to whoever else has its address"},
		{"mcp/free", "169.254.169.254:80", reach.Allowed, "169.254.169.254 is the address of mcp/Pod/fake"},
		{"mcp/free", "10.96.0.9:81", reach.Denied, "nothing listens"},
		{"mcp/free", "10.96.0.9:80", reach.Denied, ""},
		{"mcp/free", "mcp/s1:80", reach.Depends, "another way there: 203.0.113.9:80"},

		{"mcp/picky", "203.0.113.9:443", reach.Depends, "203.0.113.9 is an external address of mcp/Service/s2"},
		{"mcp/picky", "203.0.113.9:80", reach.Denied, "203.0.113.9 is an external address of mcp/Service/s1"},
		{"mcp/free", "203.0.113.9:22", reach.Allowed, ""},

		{"mcp/picky", "mcp/extra:80", reach.Depends, ""},
		{"mcp/free", "mcp/extra:80", reach.Allowed, ""},
		{"mcp/picky", "mcp/gone:80", reach.Depends, "selects no pod"},
		{"mcp/free", "mcp/gone:80", reach.Allowed, "selects no pod"},

		{"mcp/free", "mcp/pair:80", reach.Allowed, "2 times"},
		{"mcp/free", "mcp/twin:80", reach.Allowed, "2 times"},
		{"mcp/twin", "mcp/free:80", reach.Allowed, "2 times"},

		{"mcp/free", "10.244.0.4:80", reach.Depends, "gives 10.244.0.4 to 2 pods, of which one can have it: mcp/Pod/one, mcp/Pod/two"},
		{"10.244.0.4", "mcp/free:80", reach.Allowed, ""},

		{"mcp/picky", "203.0.113.5:10250", reach.Allowed, ""},
		{"mcp/picky", "10.0.0.7:10250", reach.Depends, ""}, // if it is the node port of s2, to which picky may connect
		{"mcp/picky", "10.0.0.7:10250/udp", reach.Denied, ""},
		{"mcp/picky", "node1:10250", reach.Allowed, ""},

		{"mcp/free", "mcp/nameless:80", reach.Allowed, "does not name"},
		{"mcp/picky", "dot.mcp:80", reach.Depends, ""},
	} {
		a := ask(t, p, tt.from, tt.to)
		if a.Verdict != tt.want || !strings.Contains(strings.Join(a.Notes, "\n"), tt.note) {
			t.Errorf("%s -> %s: %v if %q %q, want %v %q", tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want, tt.note)
		}
	}
}

// TestPublicKubeAPI asks where all but private addresses are open: a managed API server may have a
// public one.
func TestPublicKubeAPI(t *testing.T) {
	p := program(`
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: mcp}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: mcp}, spec: {podSelector: {}, policyTypes: [Egress], egress: [
  {to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 34.118.224.0/20, 240.0.0.0/4]}}], ports: [{port: 443}]}]}}
`)
	p = reach.NewProgram(p.Ground, p.Profiles()...)
	for to, want := range map[string]reach.Verdict{"default/kubernetes:443": reach.Depends, "10.0.0.1:443": reach.Depends, "10.0.0.1:6443": reach.Denied} {
		a := ask(t, p, "mcp/a", to)
		if a.Verdict != want || want == reach.Depends && !strings.Contains(a.When.String(), "kubernetes") && !strings.Contains(a.When.String(), "has an address outside") {
			t.Errorf("%s: %v if %q, want %v", to, a.Verdict, a.When, want)
		}
	}
}

// TestNamesWithoutEnd follows names that several Services have and that lead to each other.
func TestNamesWithoutEnd(t *testing.T) {
	text := "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: mcp}, spec: {containers: [{name: c, image: x}]}}\n"
	text += strings.Repeat("---\n{apiVersion: v1, kind: Service, metadata: {name: loop, namespace: mcp}, spec: {type: ExternalName, externalName: loop.mcp.svc.cluster.local}}\n", 100)
	if a := ask(t, program(text), "mcp/a", "mcp/loop:80"); a.Verdict != reach.Allowed {
		t.Errorf("%v", a.Verdict)
	}
}

// TestEndpointNamesPod: the address of an endpoint is that of the pod that it names, where this shows
// none; where it shows another, either may be right.
func TestEndpointNamesPod(t *testing.T) {
	pod := func(name, status string) string {
		return "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: x, name: " + name + ", labels: {app: " + name + "}}, spec: {containers: [{name: c, image: x}]}" + status + "}\n"
	}
	p := under(t, pod("web", "")+pod("db", "")+pod("client", ", status: {podIP: 10.0.0.9}")+pod("moved", ", status: {podIP: 10.0.0.8}")+pod("next", ", status: {podIP: 10.0.0.7}")+`
---
{apiVersion: v1, kind: Service, metadata: {namespace: x, name: web}, spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: x, name: moved}, spec: {clusterIP: 10.96.0.8, ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: x, name: web-1, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{port: 80}],
  endpoints: [{addresses: [10.0.0.5], targetRef: {kind: Pod, name: web, namespace: x}}]}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: x, name: moved-1, labels: {kubernetes.io/service-name: moved}}, addressType: IPv4, ports: [{port: 80}],
  endpoints: [{addresses: [10.0.0.6], targetRef: {kind: Pod, name: moved, namespace: x}}, {addresses: [10.0.0.7], targetRef: {kind: Pod, name: moved, namespace: x}}]}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: x, name: in}, spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [client, moved]}]}}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: x, name: out}, spec: {podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, moved]}]}}]}]}}
`, "calico")
	for _, tt := range []struct {
		from, to string
		want     reach.Verdict
		note     string
	}{
		{"x/client", "10.0.0.5:80", reach.Allowed, "10.0.0.5 is the address of x/Pod/web"},
		{"x/client", "x/web:80", reach.Allowed, ""},
		{"x/db", "10.0.0.5:80", reach.Denied, "10.0.0.5 is the address of x/Pod/web"},
		{"10.0.0.5", "x/db:80", reach.Allowed, "10.0.0.5 is the address of x/Pod/web"},
		{"x/client", "10.0.0.8:80", reach.Allowed, ""},
		{"x/client", "10.0.0.6:80", reach.Depends, "an endpoint gives 10.0.0.6 to x/Pod/moved, which does not show it as its own"},
		{"10.0.0.6", "x/web:80", reach.Depends, "x/Pod/moved"},
		{"x/client", "10.0.0.7:80", reach.Depends, "gives 10.0.0.7 to 2 pods, of which one can have it: x/Pod/next, x/Pod/moved"},
		{"10.0.0.7", "x/web:80", reach.Depends, "x/Pod/moved"},
		{"x/client", "x/Service/moved:80", reach.Depends, ""},
		{"x/client", "x/next:80", reach.Denied, ""},
	} {
		a := ask(t, p, tt.from, tt.to)
		if a.Verdict != tt.want || !strings.Contains(strings.Join(a.Notes, "\n"), tt.note) {
			t.Errorf("%s -> %s: %v if %q %q, want %v %q", tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want, tt.note)
		}
		checkSteps(t, a)
	}
}

// TestSharedAddress: CNIs know a peer by its address, so a pod that shows the address of one that a
// rule selects is let in and kept out with it, or perhaps.
func TestSharedAddress(t *testing.T) {
	pod := func(name, addr string) string {
		return "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: x, name: " + name + ", labels: {app: " + name + "}}, spec: {containers: [{name: c, image: x, ports: [{containerPort: 80, name: web}]}]}, status: {podIP: " + addr + ", podIPs: [{ip: " + addr + "}]}}\n"
	}
	scene := pod("named", "10.0.0.5") + pod("double", "10.0.0.5") + pod("other", "10.0.0.6") + pod("client", "10.0.0.8") + pod("server", "10.0.0.9") + `
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: x, name: in}, spec: {podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: named}}}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: x, name: out}, spec: {podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: named}}}]}]}}
`
	sets := []string{"calico", "kube-router", "azure-npm", "aws-vpc-cni", "antrea", "ovn-kubernetes"}
	for _, name := range append(sets, "cilium", "kube-network-policies", "spec") {
		p := under(t, scene, name)
		shared := reach.Depends
		if slices.Contains(sets, name) {
			shared = reach.Allowed
		}
		for _, tt := range []struct {
			from, to string
			want     reach.Verdict
		}{
			{"x/named", "x/server:80", shared}, {"x/double", "x/server:80", shared}, {"x/other", "x/server:80", reach.Denied},
			{"x/client", "x/named:80", shared}, {"x/client", "x/double:80", shared}, {"x/client", "x/other:80", reach.Denied},
			{"x/double", "x/other:80", reach.Allowed},
		} {
			if a := ask(t, p, tt.from, tt.to); a.Verdict != tt.want {
				t.Errorf("%s: %s -> %s: %v if %q, want %v", name, tt.from, tt.to, a.Verdict, a.When, tt.want)
			}
		}
	}
}

// TestTablesMerge: before version 1.4 the AWS agent also took pods of two namespaces for replicas, where
// name and namespace joined by '-' are the same.
func TestTablesMerge(t *testing.T) {
	pod := func(namespace, name, app string) string {
		return "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: " + namespace + ", name: " + name + ", labels: {app: " + app + "}}, spec: {containers: [{name: c, image: x}]}}\n"
	}
	scene := pod("c", "a-b-0", "closed") + pod("c", "a-b-1", "open") + pod("b-c", "a-0", "far") + pod("b", "a-0", "other") + `
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: c, name: out}, spec: {podSelector: {matchLabels: {app: closed}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 1.1.1.0/24}}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: c, name: none}, spec: {podSelector: {matchLabels: {app: open}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 1.1.1.0/24}}]}]}}
`
	for name, far := range map[string]reach.Verdict{"aws-vpc-cni": reach.Depends, "aws-vpc-cni:v1.21.2": reach.Depends, "aws-vpc-cni:1.3.7": reach.Depends, "aws-vpc-cni:1.23": reach.Denied, "aws-vpc-cni:1.5.0:strict": reach.Denied, "calico": reach.Denied} {
		p := under(t, scene, name)
		for _, tt := range []struct {
			from string
			want reach.Verdict
		}{{"c/a-b-0", far}, {"c/a-b-1", far}} {
			if a := ask(t, p, tt.from, "8.8.8.8:443"); a.Verdict != tt.want {
				t.Errorf("%s: %s: %v if %q, want %v", name, tt.from, a.Verdict, a.When, tt.want)
			}
			if a := ask(t, p, tt.from, "1.1.1.1:443"); a.Verdict == reach.Denied {
				t.Errorf("%s: %s: %v if %q", name, tt.from, a.Verdict, a.When)
			}
		}
		for from, want := range map[string]reach.Verdict{"b-c/a-0": far, "b/a-0": reach.Denied} {
			if want == reach.Denied && !strings.Contains(name, "strict") {
				want = reach.Allowed
			}
			if a := ask(t, p, from, "8.8.8.8:443"); a.Verdict != want {
				t.Errorf("%s: %s: %v if %q, want %v", name, from, a.Verdict, a.When, want)
			}
		}
	}
}

// TestRequires: before 1.19 Cilium held every rule of a pod to what toRequires asks for, whichever policy
// has it; later versions refuse it. Neither allows or denies for certain, but for the other direction.
func TestRequires(t *testing.T) {
	pod := func(name, labels string) string {
		return "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: x, name: " + name + ", labels: {app: " + name + labels + "}}, spec: {containers: [{name: c, image: x}]}}\n"
	}
	scene := pod("a", "") + pod("b", ", env: prod") + pod("o", "") + `
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: x, name: p}, spec: {endpointSelector: {matchLabels: {app: a}}, egress: [{toRequires: [{matchLabels: {env: prod}}]}]}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: x, name: q}, spec: {endpointSelector: {matchLabels: {app: a}}, egress: [{toEndpoints: [{}]}]}}
`
	for _, name := range []string{"cilium", "cilium:1.17", "cilium:1.20", "aks-cilium:1.18"} {
		profile, err := cni.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		p := reach.NewProgram(reach.NewGround(source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(scene)})), profile)
		for ends, want := range map[[2]string]reach.Verdict{
			{"x/a", "x/b:80"}: reach.Unknown, {"x/a", "x/o:80"}: reach.Unknown, {"x/b", "x/a:80"}: reach.Allowed, {"x/b", "x/o:80"}: reach.Allowed,
		} {
			if a := ask(t, p, ends[0], ends[1]); a.Verdict != want {
				t.Errorf("%s: %v: %v if %q, want %v", name, ends, a.Verdict, a.When, want)
			}
		}
	}
}
