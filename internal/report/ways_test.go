package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/analysis/query"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestWaysAgree demands that can, map and audit say the same of what enters by way of a Service
// from outside the cluster.
func TestWaysAgree(t *testing.T) {
	const scene = `
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: mcp}, spec: {selector: {matchLabels: {app: mcp}}, template: {metadata: {labels: {app: mcp}}, spec: {
  %s}}}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: a, name: mcp}, spec: {%s, ports: [{port: 80, targetPort: http}], clusterIP: 10.96.0.9}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [%s]}}
`
	const mcp = ", selector: {app: mcp}"
	const (
		plain   = "containers: [{name: c, image: mcp/fetch, ports: [{name: http, containerPort: 8080}]}, {name: d, image: x, ports: [{name: http, containerPort: 9090}]}]"
		sidecar = "initContainers: [{name: c, image: mcp/fetch, restartPolicy: Always, ports: [{name: http, containerPort: 8080}]}], containers: [{name: d, image: x}]" // it is open whether the Service takes its name for the port
	)
	for _, tt := range []struct {
		service, ports, ingress, cni string
		want                         reach.Verdict
	}{
		{"type: NodePort" + mcp, plain, "", "azure-npm", reach.Allowed},
		{"type: LoadBalancer" + mcp, plain, "", "azure-npm", reach.Allowed},
		{"externalIPs: [203.0.113.80]" + mcp, plain, "", "azure-npm", reach.Allowed},
		{"externalIPs: [203.0.113.80]" + mcp, plain, "", "calico", reach.Depends},
		{"type: NodePort" + mcp, sidecar, "", "azure-npm", reach.Depends},
		{"externalIPs: [203.0.113.80]" + mcp, sidecar, "{}", "calico", reach.Depends},
		{"type: NodePort, selector: {app: mcp, pod-template-hash: x}", plain, "", "azure-npm", reach.Depends}, // a label that the input does not show
		{"type: NodePort, externalTrafficPolicy: Local" + mcp, plain, "", "azure-npm", reach.Denied},
		{"type: NodePort, externalTrafficPolicy: Local" + mcp, plain, "{}", "azure-npm", reach.Allowed},
	} {
		t.Run(tt.service+tt.ports+tt.ingress+" "+tt.cni, func(t *testing.T) {
			snap := source.LoadFiles(source.File{Name: "in.yaml", Data: fmt.Appendf(nil, scene, tt.ports, tt.service, tt.ingress)})
			profile, err := cni.ByName(tt.cni)
			if len(snap.Problems) > 0 || err != nil {
				t.Fatal(snap.Problems, err)
			}
			snap.Servers = []model.Server{{Workload: 0, Role: model.IsServer}}
			p := reach.Assuming(reach.NewGround(snap), reach.Typical, profile)

			q, err := query.Parse("203.0.113.5", "a/Service/mcp:80")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := query.Ask(p, q); err != nil || got.Verdict != tt.want {
				t.Errorf("can says %v (%v), want %v", got.Verdict, err, tt.want)
			}

			atlas, best := blast.NewAtlas(p), reach.Denied
			for _, c := range atlas.Of(0).By {
				if c.Who == blast.External && strings.HasSuffix(c.Names[0], "Service a/mcp") && reach.CompareVerdicts(c.Verdict, best) > 0 {
					best = c.Verdict
				}
			}
			if best != tt.want {
				t.Errorf("audit says %v, want %v: %+v", best, tt.want, atlas.Of(0).By)
			}

			if tt.ingress != "" || tt.want == reach.Depends && tt.cni == "calico" {
				return // map has rows of addresses and a note instead
			}
			best = reach.Denied
			for row := range matrix.Of(p).Rows() {
				if row.From.Kind == matrix.NodePorts && reach.CompareVerdicts(row.Verdict, best) > 0 {
					best = row.Verdict
				}
			}
			if best != tt.want {
				t.Errorf("map says %v, want %v", best, tt.want)
			}
		})
	}
}
