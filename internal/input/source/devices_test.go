package source_test

import (
	"fmt"
	"testing"
)

// TestDevices demands that a network which a pod names and has devices of is there once.
func TestDevices(t *testing.T) {
	for _, tt := range []struct{ annotations, limits, want string }{
		{`networking.gke.io/interfaces: '[{"network":"default"},{"network":"blue"}]'`, "networking.gke.io.networks/blue: '1', networking.gke.io.networks/blue.IP: '1'", "[blue]"},
		{"", "networking.gke.io.networks/blue: '1', networking.gke.io.networks/blue.IP: '1'", "[blue]"},
		{"k8s.v1.cni.cncf.io/networks: fast", "intel.com/sriov_a: '1'", "[a/fast]"},
		{"k8s.v1.cni.cncf.io/networks: fast", "intel.com/sriov_b: '1'", "[a/fast resource intel.com/sriov_b]"},
		{"", "intel.com/sriov_a: '1', nvidia.com/gpu: '8'", "[resource intel.com/sriov_a]"},
	} {
		s := load("apiVersion: v1\nkind: Pod\nmetadata: {namespace: a, name: x, annotations: {" + tt.annotations + "}}\nspec: {containers: [{resources: {limits: {" + tt.limits + "}}}]}\n---\n" +
			"apiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata: {namespace: a, name: fast, annotations: {k8s.v1.cni.cncf.io/resourceName: intel.com/sriov_a}}\n")
		same(t, "problems", problems(s), "")
		same(t, tt.annotations+" "+tt.limits, fmt.Sprint(s.Workloads[0].Pods[0].Networks), tt.want)
	}
}
