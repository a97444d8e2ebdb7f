package query

import (
	"fmt"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestAgents demands that nothing is enforced on nodes that the DaemonSet of the CNI's agent leaves
// out, at either end, and that policies are on those where it runs and under other CNIs.
func TestAgents(t *testing.T) {
	const (
		nodes = `
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {kubernetes.io/os: linux, pool: main, cni: "yes"}}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2, labels: {pool: gpu}}, spec: {taints: [{key: gpu, value: a, effect: NoSchedule}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n3, labels: {pool: soft}}, spec: {unschedulable: true, taints: [{key: s, effect: PreferNoSchedule}, {key: node.kubernetes.io/unschedulable, effect: NoSchedule}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n4, labels: {pool: db}}, spec: {taints: [{key: db, effect: NoExecute}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: w1, labels: {kubernetes.io/os: windows, pool: win}}}
---
{apiVersion: v1, kind: Node, metadata: {name: auto, labels: {eks.amazonaws.com/compute-type: auto}}}
`
		all = "tolerations: [{operator: Exists}], nodeSelector: {kubernetes.io/os: linux},"
	)
	gpuOff := `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: NotIn, values: [gpu]}]}]}}}, tolerations: [{operator: Exists}],`
	for _, tt := range []struct {
		name, cni, agent, pods string // pods: the agent's
		spec                   string // of the pod asked about
		nodes                  string
		want                   reach.Verdict
	}{
		{"no agent shown", "calico", "", "", "nodeName: n2,", nodes, reach.Denied},
		{"another CNI's agent", "calico", "cilium", "nodeSelector: {pool: main},", "nodeName: n2,", nodes, reach.Denied},
		{"an agent that runs everywhere", "calico", "calico-node", all, "nodeName: n2,", nodes, reach.Denied},
		{"on a node where the agent runs", "cilium", "cilium", "nodeSelector: {pool: main},", "nodeName: n1,", nodes, reach.Denied},
		{"nodeSelector", "cilium", "cilium", "nodeSelector: {pool: main}, tolerations: [{operator: Exists}],", "nodeName: n3,", nodes, reach.NotEnforced},
		{"GKE's", "gke-dpv2", "anetd", "nodeSelector: {pool: main},", "nodeName: n3,", nodes, reach.NotEnforced},
		{"affinity", "antrea", "antrea-agent", gpuOff, "nodeName: n2,", nodes, reach.NotEnforced},
		{"affinity, another node", "antrea", "antrea-agent", gpuOff, "nodeName: n4,", nodes, reach.Denied},
		{"affinity by a node's name", "ovn-kubernetes", "ovnkube-node", `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: NotIn, values: [n1]}]}]}}},`,
			"nodeName: n1,", nodes, reach.NotEnforced},
		{"affinity by a number", "ovn-kubernetes", "ovnkube-node", `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: cores, operator: Gt, values: ["4"]}]}]}}},`,
			"nodeName: n1,", nodes, reach.Depends},
		{"affinity by a number beside a label", "ovn-kubernetes", "ovnkube-node", `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [main]}, {key: cores, operator: Gt, values: ["4"]}]}]}}},`,
			"nodeName: n1,", nodes, reach.Depends},
		{"NoSchedule", "aws-vpc-cni", "aws-node", "", "nodeName: n2,", nodes, reach.NotEnforced},
		{"NoSchedule, tolerated by its value", "aws-vpc-cni", "aws-node", "tolerations: [{key: gpu, value: a, effect: NoSchedule}],", "nodeName: n2,", nodes, reach.Denied},
		{"NoSchedule, another value tolerated", "aws-vpc-cni", "aws-node", "tolerations: [{key: gpu, value: b}],", "nodeName: n2,", nodes, reach.NotEnforced},
		{"NoSchedule, NoExecute tolerated", "aws-vpc-cni", "aws-node", "tolerations: [{key: gpu, operator: Exists, effect: NoExecute}],", "nodeName: n2,", nodes, reach.NotEnforced},
		{"NoExecute", "kube-network-policies", "kube-network-policies", "tolerations: [{operator: Exists, effect: NoSchedule}],", "nodeName: n4,", nodes, reach.NotEnforced},
		{"taints that keep no DaemonSet off", "kube-router", "kube-router", "", "nodeName: n3,", nodes, reach.Denied},
		{"a Windows node, of the Linux agent", "calico", "calico-node", "nodeSelector: {kubernetes.io/os: linux},", "nodeName: w1,", nodes, reach.Denied},
		{"a node that has an agent of its own", "aws-vpc-cni", "aws-node", "nodeSelector: {pool: main},", "nodeName: auto,", nodes, reach.Depends},
		{"EKS Auto Mode", "eks-auto", "aws-node", "nodeSelector: {pool: main},", "nodeName: auto,", nodes, reach.Denied},
		{"no nodes shown", "cilium", "cilium", "nodeSelector: {pool: main},", "", "", reach.Denied},
		{"nothing says where the pod runs", "cilium", "cilium", "nodeSelector: {pool: main},", "", nodes, reach.Depends},
		{"a taint that the pod does not tolerate either", "aws-vpc-cni", "aws-node", "", "", nodes, reach.Denied},
		{"a taint that the pod tolerates", "aws-vpc-cni", "aws-node", "", "tolerations: [{key: gpu, operator: Exists}],", nodes, reach.Depends},
		{"a label that the agent asks against", "azure-npm", "azure-npm", gpuOff, "nodeSelector: {pool: gpu},", "", reach.NotEnforced},
		{"a label that the agent asks for", "azure-npm", "azure-npm", "nodeSelector: {pool: gpu},", "nodeSelector: {pool: gpu},", "", reach.Denied},
		{"a label of nodes that it leaves out", "cilium", "cilium", "nodeSelector: {cni: \"yes\"}, tolerations: [{operator: Exists}],", "nodeSelector: {pool: soft},", nodes, reach.Depends},
		{"a node by its name", "cilium", "cilium", "nodeSelector: {cni: \"yes\"}, tolerations: [{operator: Exists}],",
			"affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [n3]}]}]}}},", nodes, reach.NotEnforced},
		{"a node that it leaves out, where a pod of it runs", "cilium", "cilium", "nodeSelector: {pool: main},", "nodeName: n3,", nodes + `---
{apiVersion: v1, kind: Pod, metadata: {namespace: kube-system, name: cilium-x, labels: {app: agent}, ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: cilium, controller: true}]}, spec: {nodeName: n3, hostNetwork: true, containers: [{name: c}]}}
`, reach.Denied},
		{"by the name of its container", "cilium", "cni", "nodeSelector: {pool: main}, containers: [{name: cilium-agent}]#", "nodeName: n3,", nodes, reach.NotEnforced},
		{"another DaemonSet of the CNI", "cilium", "cilium-envoy", "nodeSelector: {pool: main},", "nodeName: n3,", nodes, reach.Denied},
		{"a second DaemonSet for the other nodes", "calico", "calico-node", "nodeSelector: {pool: main},", "nodeName: n3,", nodes + `---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {namespace: kube-system, name: calico-soft}, spec: {selector: {matchLabels: {app: soft}}, template: {metadata: {labels: {app: soft}}, spec: {nodeSelector: {pool: soft}, containers: [{name: calico-node}]}}}}
`, reach.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := fmt.Sprintf(`
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x}}, spec: {%s containers: [{name: c, image: i}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: other}, spec: {selector: {matchLabels: {app: other}}, template: {metadata: {labels: {app: other}}, spec: {containers: [{name: c, image: i}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {matchLabels: {app: x}}, policyTypes: [Ingress, Egress]}}
---
`, tt.spec) + tt.nodes
			if tt.agent != "" {
				containers := "containers: [{name: c, image: i}]"
				if n := len(tt.pods) - 1; n > 0 && tt.pods[n] == '#' { // which names its own
					tt.pods, containers = tt.pods[:n], ""
				}
				in += fmt.Sprintf("---\n{apiVersion: apps/v1, kind: DaemonSet, metadata: {namespace: kube-system, name: %s}, spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {hostNetwork: true, %s %s}}}}\n", tt.agent, tt.pods, containers)
			}
			snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(in)})
			if len(snap.Problems) > 0 {
				t.Fatal(snap.Problems)
			}
			profile, err := cni.ByName(tt.cni)
			if err != nil {
				t.Fatal(err)
			}
			p := reach.Assuming(reach.NewGround(snap), reach.Typical, profile)
			for _, ends := range [][2]string{{"a/x", "8.8.8.8:443"}, {"a/other", "a/x:80"}} {
				q, err := Parse(ends[0], ends[1])
				if err != nil {
					t.Fatal(err)
				}
				if got, err := Ask(p, q); err != nil || got.Verdict != tt.want {
					t.Errorf("%s -> %s: %v (%v), want %v", ends[0], ends[1], got.Verdict, err, tt.want)
				}
			}
		})
	}
}
