package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestNodePorts demands a row for what enters through node ports where plugins do not judge it, and
// a note wherever it may arrive as a node.
func TestNodePorts(t *testing.T) {
	const scene = `
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: mcp}, spec: {selector: {matchLabels: {app: mcp}}, template: {metadata: {labels: {app: mcp}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: free}, spec: {selector: {matchLabels: {app: free}}, template: {metadata: {labels: {app: free}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: a, name: mcp}, spec: {%s, selector: {app: mcp}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: a, name: free}, spec: {%[1]s, selector: {app: free}, ports: [{port: 80, targetPort: 8081}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {matchLabels: {app: mcp}}, policyTypes: [Ingress], ingress: [%s]}}
`
	const (
		anyone  = "{ports: [{port: 8080}]}"
		sure    = "node ports a/Deployment/mcp TCP 8080 allowed "
		perhaps = "node ports a/Deployment/mcp TCP 8080 depends "
	)
	for _, tt := range []struct {
		spec, ingress, cni string
		want               []string
		noted              bool
	}{
		{"type: NodePort", "", "azure-npm", []string{sure}, true},
		{"type: LoadBalancer", "", "azure-npm", []string{sure}, true},
		{"externalIPs: [203.0.113.80]", "", "azure-npm", []string{sure}, true},
		{"type: NodePort", anyone, "azure-npm", nil, true},
		{"type: NodePort", "", "calico", nil, true},
		{"type: NodePort, externalTrafficPolicy: Local", "", "azure-npm", nil, false},
		{"type: ClusterIP", "", "azure-npm", nil, false},
		{"type: NodePort", "", "aws-vpc-cni", []string{perhaps + cni.NodePortsEscape.String()}, true},
		{"type: NodePort", "", "aws-vpc-cni,azure-npm,calico", []string{
			perhaps + "the cluster does not run calico, and on aws-vpc-cni only if " + cni.NodePortsEscape.String()}, true},
	} {
		snap := source.LoadFiles(source.File{Name: "in.yaml", Data: fmt.Appendf(nil, scene, tt.spec, tt.ingress)})
		if len(snap.Problems) > 0 {
			t.Fatal(snap.Problems)
		}
		named, err := cni.Named(tt.cni)
		if err != nil {
			t.Fatal(err)
		}
		m := Of(reach.Assuming(reach.NewGround(snap), reach.Typical, named...))
		var rows, edges []string
		for r := range m.Rows() {
			if r.From.Kind == NodePorts {
				rows = append(rows, fmt.Sprint(r.From.Name(), " ", r.To.Name(), " ", r.Conns, " ", r.Verdict, " ", said(m, r)))
			}
		}
		for e := range Edges(m.Expand()) {
			if e.From == "node ports" {
				edges = append(edges, fmt.Sprint(e.From, " ", e.To, " ", e.Row.Conns, " ", e.Row.Verdict, " ", said(m, e.Row)))
			}
		}
		slices.Sort(rows)
		slices.Sort(edges)
		if !slices.Equal(rows, tt.want) || !slices.Equal(edges, tt.want) {
			t.Errorf("%s, ingress %q, %s: rows %q, edges %q, want %q", tt.spec, tt.ingress, tt.cni, rows, edges, tt.want)
		}
		if noted := strings.Contains(strings.Join(m.Notes(), "\n"), "externalTrafficPolicy"); noted != tt.noted {
			t.Errorf("%s, %s: notes %q", tt.spec, tt.cni, m.Notes())
		}
	}
}

// TestSameNode: of pods under the same policies, those on the node that has a port reach what is
// behind it.
func TestSameNode(t *testing.T) {
	pod := func(name, node, port string) string {
		return fmt.Sprintf("---\n{apiVersion: v1, kind: Pod, metadata: {namespace: %s, name: %[1]s, labels: {app: %[1]s}}, spec: {nodeName: %s, containers: [{name: c, image: x, ports: [{containerPort: 8080%s}]}]}}\n", name, node, port)
	}
	const node = "---\n{apiVersion: v1, kind: Node, metadata: {name: %s}, status: {addresses: [{type: InternalIP, address: %s}]}}\n"
	text := fmt.Sprintf(node, "n1", "10.9.0.1") + fmt.Sprintf(node, "n2", "10.9.0.2") + pod("there", "n1", ", hostPort: 18080") + pod("away", "n2", "") + pod("beside", "n1", "")
	text += "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: shut, name: shut}, spec: {podSelector: {matchExpressions: [{key: app, operator: In, values: [away, beside]}]}, policyTypes: [Egress]}}\n"
	text = strings.NewReplacer("namespace: away", "namespace: shut", "namespace: beside", "namespace: shut").Replace(text)
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(text)})
	profile, err := cni.ByName("aws-vpc-cni")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for r := range Of(reach.Assuming(reach.NewGround(snap), reach.Typical, profile)).Expand() {
		if r.From.Kind == Workloads && r.To.Kind == Workloads && strings.HasPrefix(r.From.Name(), "shut/") && strings.HasPrefix(r.To.Name(), "there/") {
			rows = append(rows, fmt.Sprint(r.From.Name(), " ", r.To.Name(), " ", r.Conns, " ", r.Verdict))
		}
	}
	if want := []string{"shut/Pod/beside there/Pod/there TCP 8080 allowed"}; !slices.Equal(rows, want) {
		t.Errorf("got %q, want %q", rows, want)
	}
}
