package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestMesh demands that what a mesh carries to a port of its own passes where policies open that port at both ends, and only there.
func TestMesh(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Namespace, metadata: {name: a%s}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: src}, spec: {selector: {matchLabels: {app: src}}, template: {metadata: {labels: {app: src%s}%s}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: dst}, spec: {selector: {matchLabels: {app: dst}}, template: {metadata: {labels: {app: dst}%[3]s}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: %d}]}], egress: [{ports: [{port: %d}]}]}}
`
	const (
		ambient = ", labels: {istio.io/dataplane-mode: ambient}"
		linkerd = ", annotations: {linkerd.io/inject: enabled}"
		opted   = ", annotations: {linkerd.io/inject: disabled}"
	)
	for _, tt := range []struct {
		name, namespace, label, annotations string
		ingress, egress                     int
		to                                  string
		want                                reach.Verdict
	}{
		{"ambient", ambient, "", "", 15008, 15008, "a/dst:8080", reach.Depends},
		{"ambient, the port itself", ambient, "", "", 15008, 15008, "a/dst:15008", reach.Allowed},
		{"ambient, over UDP", ambient, "", "", 15008, 15008, "a/dst:8080/udp", reach.Denied},
		{"ambient, closed at one end", ambient, "", "", 15008, 443, "a/dst:8080", reach.Denied},
		{"ambient, to outside", ambient, "", "", 15008, 15008, "8.8.8.8:8080", reach.Denied},
		{"a pod that left", ambient, ", istio.io/dataplane-mode: none", "", 15008, 15008, "a/dst:8080", reach.Denied},
		{"no mesh", "", "", "", 15008, 15008, "a/dst:8080", reach.Denied},
		{"ambient, its port closed", ambient, "", "", 8080, 8080, "a/dst:8080", reach.Depends},
		{"ambient, its port closed at the client", ambient, "", "", 15008, 8080, "a/dst:8080", reach.Denied},
		{"ambient, its port closed, over UDP", ambient, "", "", 8080, 8080, "a/dst:8080/udp", reach.Denied},
		{"ambient, its port closed, to outside", ambient, "", "", 8080, 8080, "8.8.8.8:8080", reach.Allowed},
		{"ambient, its port closed, a pod that left", ambient, ", istio.io/dataplane-mode: none", "", 8080, 8080, "a/dst:8080", reach.Allowed},
		{"no mesh, its port closed", "", "", "", 8080, 8080, "a/dst:8080", reach.Allowed},
		{"linkerd, its port closed", "", "", linkerd, 8080, 8080, "a/dst:8080", reach.Depends},
		{"linkerd with the port of another mesh open", "", "", linkerd, 8080, 8080, "a/dst:8080", reach.Depends},
		{"linkerd", "", "", linkerd, 4143, 4143, "a/dst:8080", reach.Depends},
		{"linkerd by its namespace", linkerd, "", "", 4143, 4143, "a/dst:8080", reach.Depends},
		{"linkerd by its namespace, and not", linkerd, "", opted, 4143, 4143, "a/dst:8080", reach.Denied},
		{"linkerd with the port of another mesh", "", "", linkerd, 15008, 15008, "a/dst:8080", reach.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := program(fmt.Sprintf(scene, tt.namespace, tt.label, tt.annotations, tt.ingress, tt.egress))
			if got := ask(t, p, "a/src", tt.to); got.Verdict != tt.want {
				t.Errorf("%v if %v, want %v", got.Verdict, got.When.When, tt.want)
			}
		})
	}
}

// TestMeshServices demands the same where the client sends to a Service, on whose address AWS judges
// egress: what the mesh carries it sends to the pod.
func TestMeshServices(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {istio.io/dataplane-mode: MODE}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: src}, spec: {selector: {matchLabels: {app: src}}, template: {metadata: {labels: {app: src}ANNOTATIONS}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: dst}, spec: {selector: {matchLabels: {app: dst}}, template: {metadata: {labels: {app: dst}ANNOTATIONS}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: a, name: dst}, spec: {SPEC, clusterIP: 172.20.0.9, selector: {app: dst}, ports: [{port: 80, targetPort: 8080, protocol: PROTOCOL}]}STATUS}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: INGRESS}]}], egress: [{to: [{podSelector: {matchLabels: {app: dst}}}, {ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: EGRESS}]}]}}
`
	const (
		ambient = "ambient"
		linkerd = ", annotations: {linkerd.io/inject: enabled}"
		status  = ", status: {loadBalancer: {ingress: [{ip: 203.0.113.9, ipMode: VIP}]}}"
	)
	for _, tt := range []struct {
		name, mode, annotations, spec, status, protocol string
		ingress, egress                                 string
		cni, to                                         string
		want                                            reach.Verdict
	}{
		{"ambient", ambient, "", "type: ClusterIP", "", "TCP", "15008", "15008", "aws-vpc-cni", "a/Service/dst:80", reach.Depends},
		{"ambient, by address", ambient, "", "type: ClusterIP", "", "TCP", "15008", "15008", "aws-vpc-cni", "172.20.0.9:80", reach.Depends},
		{"ambient, judged on the pod", ambient, "", "type: ClusterIP", "", "TCP", "15008", "15008", "calico", "a/Service/dst:80", reach.Depends},
		{"ambient, another port of the Service", ambient, "", "type: ClusterIP", "", "TCP", "15008", "15008", "aws-vpc-cni", "a/Service/dst:81", reach.Denied},
		{"ambient, over UDP", ambient, "", "type: ClusterIP", "", "UDP", "15008", "15008", "aws-vpc-cni", "a/Service/dst:80/udp", reach.Denied},
		{"ambient, closed at the client", ambient, "", "type: ClusterIP", "", "TCP", "15008", "443", "aws-vpc-cni", "a/Service/dst:80", reach.Denied},
		{"ambient, closed at the pod", ambient, "", "type: ClusterIP", "", "TCP", "443", "15008", "aws-vpc-cni", "a/Service/dst:80", reach.Denied},
		{"no mesh", "none", "", "type: ClusterIP", "", "TCP", "15008", "15008", "aws-vpc-cni", "a/Service/dst:80", reach.Denied},
		{"linkerd", "none", linkerd, "type: ClusterIP", "", "TCP", "4143", "4143", "aws-vpc-cni", "a/Service/dst:80", reach.Depends},
		{"linkerd with the port of another mesh", "none", linkerd, "type: ClusterIP", "", "TCP", "15008", "15008", "aws-vpc-cni", "a/Service/dst:80", reach.Denied},
		{"ambient, a load balancer", ambient, "", "type: LoadBalancer", status, "TCP", "15008", "15008", "aws-vpc-cni", "203.0.113.9:80", reach.Depends},
		{"no mesh, a load balancer", "none", "", "type: LoadBalancer", status, "TCP", "15008", "15008", "aws-vpc-cni", "203.0.113.9:80", reach.Denied},
		{"ambient, an external IP", ambient, "", "externalIPs: [203.0.113.9]", "", "TCP", "15008", "15008", "aws-vpc-cni", "203.0.113.9:80", reach.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.NewReplacer("MODE", tt.mode, "ANNOTATIONS", tt.annotations, "SPEC", tt.spec, "STATUS", tt.status, "PROTOCOL", tt.protocol, "INGRESS", tt.ingress, "EGRESS", tt.egress).Replace(scene)
			if got := ask(t, under(t, text, tt.cni), "a/src", tt.to); got.Verdict != tt.want {
				t.Errorf("%v if %v, want %v", got.Verdict, got.When.When, tt.want)
			}
		})
	}
}
