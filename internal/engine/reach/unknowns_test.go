package reach

import (
	"net/netip"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func load(t *testing.T, text string) *Program {
	return NewProgram(NewGround(source.LoadFiles(source.File{Name: "x.yaml", Data: []byte(text)})), spec())
}

const blockOut = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: default, name: out}
spec:
  podSelector: {matchLabels: {app: a}}
  policyTypes: [Egress]
  egress:
    - to: [{ipBlock: {cidr: 203.0.113.0/24}}]
---
apiVersion: v1
kind: Pod
metadata: {namespace: default, name: a, labels: {app: a}}
spec: {containers: [{name: m, image: i}]}
`

// A host pod from a template, on a cluster whose only node has a public address.
func TestHostPodOnPublicNode(t *testing.T) {
	p := load(t, blockOut+`
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 203.0.113.5}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {namespace: default, name: host}
spec:
  selector: {matchLabels: {app: host}}
  template:
    metadata: {labels: {app: host}}
    spec: {hostNetwork: true, containers: [{name: m, image: i}]}
`)
	for i, w := range p.Snapshot.Workloads {
		t.Log(w.ID(), p.ClassesOf(i), p.holders[p.ClassesOf(i)[0]].Addrs)
	}
	v := p.Explain(AtHolder(p.ClassesOf(1)[0]), AtHolder(p.ClassesOf(0)[0]), netset.TCP, 80)
	t.Log(v.Verdict, v.When)
	if v.Verdict == Denied {
		t.Error("the pod's address is its node's, which the block holds")
	}
}

// One node with an address and one without: the second is nowhere.
func TestNodeWithoutAddress(t *testing.T) {
	p := load(t, blockOut+`
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 10.0.0.5}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
`)
	n := 0
	for i := range p.holders {
		if p.holders[i].Kind == Node {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d of 2 nodes are holders", n)
	}
}

// A namespace always has its name as a label.
func TestNamelessNamespace(t *testing.T) {
	p := load(t, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: default, name: in}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
    - from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: DoesNotExist}]}}]
---
apiVersion: v1
kind: Pod
metadata: {namespace: default, name: a, labels: {app: a}}
spec: {containers: [{name: m, image: i}]}
`)
	if got := p.Hypothetical(0, policy.Ingress); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// On a cluster of one node the API server is on every pod's own node.
func TestAPIServerOnOwnNode(t *testing.T) {
	p := load(t, `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: default, name: in}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: v1
kind: Pod
metadata: {namespace: default, name: a, labels: {app: a}}
spec: {containers: [{name: m, image: i}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 10.0.0.5}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: default, name: kubernetes}
spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: default, name: kubernetes, labels: {kubernetes.io/service-name: kubernetes}}
addressType: IPv4
ports: [{name: https, port: 6443, protocol: TCP}]
endpoints: [{addresses: [10.0.0.5]}]
`)
	for n := range p.holders {
		h := &p.holders[n]
		if h.Kind == KubeAPI && h.Addrs[IPv4].Addr == netip.MustParseAddr("10.0.0.5") {
			if v := p.Explain(AtHolder(n), AtHolder(0), netset.TCP, 80).Verdict; v == Denied {
				t.Error("the API server's own address is a node's, whose traffic no policy denies")
			}
		}
	}
}

// Two objects that differ may both claim to be the API server's Service: neither's endpoints are
// forgotten.
func TestEveryAPIServer(t *testing.T) {
	p := load(t, `
apiVersion: v1
kind: Service
metadata: {namespace: default, name: kubernetes}
spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443}]}
---
apiVersion: v1
kind: Service
metadata: {namespace: default, name: kubernetes}
spec: {clusterIP: 10.96.0.2, ports: [{name: https, port: 443, targetPort: 6443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: default, name: kubernetes, labels: {kubernetes.io/service-name: kubernetes}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}]
ports: [{name: https, port: 6443, protocol: TCP}]
`)
	var vips, endpoints int
	for n := range p.Holders() {
		switch h := p.Class(n); {
		case h.Kind == KubeAPI && h.Service >= 0:
			vips++
		case h.Kind == KubeAPI && h.Addrs[IPv4].State == KnownAddr:
			endpoints++
		}
	}
	if vips != 2 || endpoints == 0 {
		t.Errorf("%d addresses of the Service, %d endpoints", vips, endpoints)
	}
}
