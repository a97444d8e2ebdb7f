package query

import (
	"fmt"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestPlacement demands that policies about pods on nodes where a CNI enforces nothing deny nothing, at either end, and that they do elsewhere.
func TestPlacement(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Node, metadata: {name: fargate-ip-10-9-0-2.ec2.internal, labels: {eks.amazonaws.com/compute-type: fargate, kubernetes.io/os: linux}}}
---
{apiVersion: v1, kind: Node, metadata: {name: w1, labels: {kubernetes.io/os: windows, pool: win}}}
---
{apiVersion: v1, kind: Node, metadata: {name: w2, labels: {pool: bare}}, status: {nodeInfo: {operatingSystem: windows}}}
---
{apiVersion: v1, kind: Node, metadata: {name: l1, labels: {kubernetes.io/os: linux, pool: lin}}}
---
{apiVersion: v1, kind: Node, metadata: {name: vk, labels: {kubernetes.io/os: linux, type: virtual-kubelet, pool: burst}}}
---
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: win}, handler: runhcs, scheduling: {nodeSelector: {kubernetes.io/os: windows}}}
---
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: gvisor}, handler: runsc}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x%s}}, spec: {%s containers: [{name: c, image: i}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: other}, spec: {selector: {matchLabels: {app: other}}, template: {metadata: {labels: {app: other}}, spec: {containers: [{name: c, image: i}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {matchLabels: {app: x}}, policyTypes: [Ingress, Egress]}}
`
	affinity := func(terms string) string {
		return "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [" + terms + "]}}},"
	}
	for _, tt := range []struct {
		name, labels, spec string
		aws, calico        reach.Verdict
	}{
		{"a Linux node", "", "", reach.Denied, reach.Denied},
		{"a Linux node that it asks for", "", "nodeSelector: {pool: lin},", reach.Denied, reach.Denied},
		{"the label of a Fargate profile", ", eks.amazonaws.com/fargate-profile: fp", "", reach.NotEnforced, reach.NotEnforced},
		{"Fargate's scheduler", "", "schedulerName: fargate-scheduler,", reach.NotEnforced, reach.NotEnforced},
		{"a Fargate node that is shown", "", "nodeName: fargate-ip-10-9-0-2.ec2.internal,", reach.NotEnforced, reach.NotEnforced},
		{"a Fargate node by its name", "", "nodeName: fargate-ip-10-9-0-77.ec2.internal,", reach.NotEnforced, reach.NotEnforced},
		{"nodeSelector of Fargate", "", "nodeSelector: {eks.amazonaws.com/compute-type: fargate},", reach.NotEnforced, reach.NotEnforced},
		{"hybrid", "", "nodeSelector: {eks.amazonaws.com/compute-type: hybrid},", reach.NotEnforced, reach.Denied},
		{"spec.os", "", "os: {name: windows},", reach.NotEnforced, reach.Denied},
		{"nodeSelector of Windows", "", "nodeSelector: {kubernetes.io/os: windows},", reach.NotEnforced, reach.Denied},
		{"the older label", "", "nodeSelector: {beta.kubernetes.io/os: windows},", reach.NotEnforced, reach.Denied},
		{"a Windows node that is shown", "", "nodeName: w1,", reach.NotEnforced, reach.Denied},
		{"a Windows node by nodeInfo", "", "nodeName: w2,", reach.NotEnforced, reach.Denied},
		{"a Windows node that is not shown", "", "nodeName: elsewhere, nodeSelector: {kubernetes.io/os: windows},", reach.NotEnforced, reach.Denied},
		{"a Linux node that is shown", "", "nodeName: l1, tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}],", reach.Denied, reach.Denied},
		{"one node by its name, of Windows", "", "nodeSelector: {kubernetes.io/os: windows}, " + affinity("{matchFields: [{key: metadata.name, operator: In, values: [w1]}]}"), reach.NotEnforced, reach.Denied},
		{"one node by its name", "", affinity("{matchFields: [{key: metadata.name, operator: In, values: [w1]}]}"), reach.Depends, reach.Denied},
		{"one Linux node by its name", "", affinity("{matchFields: [{key: metadata.name, operator: In, values: [l1]}]}"), reach.Denied, reach.Denied},
		{"a virtual node of AKS by its name", "", "nodeName: virtual-node-aci-linux,", reach.NotEnforced, reach.NotEnforced},
		{"a label that only Windows nodes have", "", "nodeSelector: {pool: win},", reach.Depends, reach.Denied},
		{"a RuntimeClass with Windows nodes", "", "runtimeClassName: win,", reach.NotEnforced, reach.Denied},
		{"a RuntimeClass alone", "", "runtimeClassName: gvisor,", reach.Denied, reach.Denied},
		{"a RuntimeClass that is not shown", "", "runtimeClassName: kata,", reach.Denied, reach.Denied},
		{"affinity", "", affinity("{matchExpressions: [{key: kubernetes.io/os, operator: In, values: [windows]}]}"), reach.NotEnforced, reach.Denied},
		{"affinity to either", "", affinity("{matchExpressions: [{key: kubernetes.io/os, operator: In, values: [windows, linux]}]}"), reach.Depends, reach.Denied},
		{"affinity of which one term asks for it", "", affinity("{matchExpressions: [{key: eks.amazonaws.com/compute-type, operator: In, values: [fargate]}]}, {matchExpressions: [{key: pool, operator: Exists}]}"),
			reach.Depends, reach.Depends},
		{"affinity away from it", "", affinity("{matchExpressions: [{key: kubernetes.io/os, operator: NotIn, values: [windows]}, {key: pool, operator: In, values: [lin]}]}"), reach.Denied, reach.Denied},
		{"a virtual node that it asks for", "", "nodeSelector: {type: virtual-kubelet}, tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}],", reach.NotEnforced, reach.NotEnforced},
		{"a virtual node that it tolerates", "", "tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}],", reach.Depends, reach.Depends},
		{"a label that only a virtual node has", "", "nodeSelector: {pool: burst},", reach.Depends, reach.Depends},
	} {
		t.Run(tt.name, func(t *testing.T) {
			snap := source.LoadFiles(source.File{Name: "in.yaml", Data: fmt.Appendf(nil, scene, tt.labels, tt.spec)})
			if len(snap.Problems) > 0 {
				t.Fatal(snap.Problems)
			}
			g := reach.NewGround(snap)
			for name, want := range map[string]reach.Verdict{"aws-vpc-cni": tt.aws, "calico": tt.calico} {
				profile, err := cni.ByName(name)
				if err != nil {
					t.Fatal(err)
				}
				for _, ends := range [][2]string{{"a/x", "8.8.8.8:443"}, {"a/other", "a/x:80"}} {
					q, err := Parse(ends[0], ends[1])
					if err != nil {
						t.Fatal(err)
					}
					if got, err := Ask(reach.Assuming(g, reach.Typical, profile), q); err != nil || got.Verdict != want {
						t.Errorf("%s: %s -> %s: %v (%v), want %v", name, ends[0], ends[1], got.Verdict, err, want)
					}
				}
			}
		})
	}
}
