package query

import (
	"fmt"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestNetworks demands that only what a further network leads to hangs on it, and that all else stays denied.
func TestNetworks(t *testing.T) {
	const scene = `
{apiVersion: k8s.cni.cncf.io/v1, kind: NetworkAttachmentDefinition, metadata: {namespace: a, name: lan, annotations: {k8s.v1.cni.cncf.io/resourceName: example.com/fast}}, spec: {config: '%s'}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x}, annotations: {%s}}, spec: {containers: [{name: c, image: i%s}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: peer}, spec: {selector: {matchLabels: {app: peer}}, template: {metadata: {labels: {app: peer}, annotations: {k8s.v1.cni.cncf.io/networks: lan}}, spec: {containers: [{name: c, image: i}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: other}, spec: {selector: {matchLabels: {app: other}}, template: {metadata: {labels: {app: other}}, spec: {containers: [{name: c, image: i}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p%s}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
`
	const (
		bounded = `{"type":"macvlan","ipam":{"type":"host-local","subnet":"192.168.5.0/24"}}`
		open    = `{"type":"macvlan","ipam":{"type":"dhcp"}}`
		gateway = `{"type":"bridge","isDefaultGateway":true,"ipam":{"type":"host-local","subnet":"192.168.5.0/24"}}`
		routed  = `{"type":"macvlan","ipam":{"type":"host-local","subnet":"192.168.5.0/24","routes":[{"dst":"8.8.0.0/16"}]}}`
		lan     = "k8s.v1.cni.cncf.io/networks: lan"
		list    = `k8s.v1.cni.cncf.io/networks: '[{"name":"lan"}]'`
		byRoute = `k8s.v1.cni.cncf.io/networks: '[{"name":"lan","default-route":["192.168.5.1"]}]'`
		gke     = `networking.gke.io/interfaces: '[{"interfaceName":"eth0","network":"default"},{"interfaceName":"eth1","network":"blue"}]'`
	)
	for _, tt := range []struct {
		name, config, annotations, more, policy, to string
		want                                        reach.Verdict
	}{
		{"inside its range", bounded, lan, "", "", "192.168.5.9:22", reach.Depends},
		{"inside its range, by a list", bounded, list, "", "", "192.168.5.9:22", reach.Depends},
		{"outside of it", bounded, lan, "", "", "8.8.8.8:443", reach.Denied},
		{"no range", open, lan, "", "", "8.8.8.8:443", reach.Depends},
		{"a default gateway", gateway, lan, "", "", "8.8.8.8:443", reach.Depends},
		{"a route", routed, lan, "", "", "8.8.8.8:443", reach.Depends},
		{"beside the route", routed, lan, "", "", "1.1.1.1:443", reach.Denied},
		{"a default route of the pod's own", bounded, byRoute, "", "", "8.8.8.8:443", reach.Depends},
		{"no network", open, "", "", "", "8.8.8.8:443", reach.Denied},
		{"a network of another name", bounded, "k8s.v1.cni.cncf.io/networks: other/lan@net1", "", "", "8.8.8.8:443", reach.Depends},
		{"GKE's form", bounded, gke, "", "", "8.8.8.8:443", reach.Depends},
		{"GKE's default network", bounded, `networking.gke.io/interfaces: '[{"interfaceName":"eth0","network":"default"}]'`, "", "", "8.8.8.8:443", reach.Denied},
		{"a device of SR-IOV", bounded, "", ", resources: {limits: {intel.com/sriov_netdevice: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"a device that a definition names, which the pod does not", bounded, "", ", resources: {limits: {example.com/fast: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"a device that the pod's network is", bounded, lan, ", resources: {limits: {example.com/fast: '1'}}", "", "8.8.8.8:443", reach.Denied},
		{"a device beside the pod's network", bounded, lan, ", resources: {limits: {vpc.amazonaws.com/efa: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"OpenShift's prefix", bounded, "", ", resources: {requests: {openshift.io/mlxnics: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"a device of NVIDIA's network operator", bounded, "", ", resources: {limits: {nvidia.com/hostdev: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"RDMA", bounded, "", ", resources: {limits: {rdma/hca_shared_devices_a: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"KubeVirt's macvtap", bounded, "", ", resources: {limits: {macvtap.network.kubevirt.io/eth0: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"GKE's resource", bounded, "", ", resources: {limits: {networking.gke.io.networks/blue: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"a GPU", bounded, "", ", resources: {limits: {nvidia.com/gpu: '1', amd.com/gpu: '1', gpu.intel.com/i915: '1', cpu: '1', hugepages-2Mi: 1Gi}}", "", "8.8.8.8:443", reach.Denied},
		{"security groups for pods", bounded, "", ", resources: {limits: {vpc.amazonaws.com/pod-eni: '1'}}", "", "8.8.8.8:443", reach.Denied},
		{"devices of KubeVirt that are no network", bounded, "", ", resources: {limits: {devices.kubevirt.io/kvm: '1', devices.kubevirt.io/vhost-net: '1'}}", "", "8.8.8.8:443", reach.Denied},
		{"a device that no definition names", bounded, "", ", resources: {limits: {example.com/other: '1'}}", "", "8.8.8.8:443", reach.Denied},
		{"another default network", bounded, "v1.multus-cni.io/default-network: a/lan", "", "", "8.8.8.8:443", reach.Depends},
		{"what Multus says that a pod got", bounded, `k8s.v1.cni.cncf.io/network-status: '[{"name":"cbr0","ips":["10.0.0.7"],"default":true},{"name":"a/lan","interface":"net1","ips":["192.168.5.7"]}]'`, "", "", "192.168.5.9:22", reach.Depends},
		{"outside of its range", bounded, `k8s.v1.cni.cncf.io/network-status: '[{"name":"a/lan","interface":"net1","ips":["192.168.5.7"]}]'`, "", "", "8.8.8.8:443", reach.Denied},
		{"the cluster's own network alone", bounded, `k8s.v1.cni.cncf.io/network-status: '[{"name":"kube-system/flannel","default":true},{"name":"ovn-kubernetes","interface":"ovn-udn1"}]'`, "", "", "192.168.5.9:22", reach.Denied},
		{"a status that cannot be read", bounded, `k8s.v1.cni.cncf.io/networks-status: '[{'`, "", "", "8.8.8.8:443", reach.Depends},
		{"what OVN-Kubernetes says that a pod got", bounded, `k8s.ovn.org/pod-networks: '{"default":{"role":"primary"},"a/lan":{"role":"secondary"}}'`, "", "", "192.168.5.9:22", reach.Depends},
		{"a primary network of OVN-Kubernetes, on which policies are enforced", bounded, `k8s.ovn.org/pod-networks: '{"default":{"role":"infrastructure-locked"},"a/lan":{"role":"primary"}}'`, "", "", "192.168.5.9:22", reach.Denied},
		{"a pod on the same network", bounded, lan, "", "", "a/peer:80", reach.Depends},
		{"a pod without it", open, lan, "", "", "a/other:80", reach.Denied},
		{"a policy for another network", bounded, "", "", ", annotations: {networking.gke.io/network: blue}", "8.8.8.8:443", reach.Depends},
		{"a policy for the default network", bounded, "", "", ", annotations: {networking.gke.io/network: default}", "8.8.8.8:443", reach.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := program(fmt.Sprintf(scene, tt.config, tt.annotations, tt.more, tt.policy))
			if got := ask(t, p, "a/x", tt.to); got.Verdict != tt.want {
				t.Errorf("%v if %v, want %v", got.Verdict, got.When.When, tt.want)
			}
		})
	}
}

// TestMultiNetworkPolicy demands that one, which is not judged, says so and changes nothing about
// the cluster's own network.
func TestMultiNetworkPolicy(t *testing.T) {
	const scene = `
{apiVersion: k8s.cni.cncf.io/v1, kind: NetworkAttachmentDefinition, metadata: {namespace: a, name: lan}, spec: {config: '{"type":"macvlan","ipam":{"type":"host-local","subnet":"192.168.5.0/24"}}'}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x, labels: {app: x}, annotations: {k8s.v1.cni.cncf.io/networks: lan}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: 1.1.1.1/32}}]}]}}
---
{apiVersion: k8s.cni.cncf.io/v1beta1, kind: MultiNetworkPolicy, metadata: {namespace: a, name: m, annotations: {k8s.v1.cni.cncf.io/policy-for: lan}}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
`
	p := program(scene)
	for to, want := range map[string]reach.Verdict{"192.168.5.9:22": reach.Depends, "8.8.8.8:443": reach.Denied, "1.1.1.1:443": reach.Allowed} {
		if got := ask(t, p, "a/x", to); got.Verdict != want {
			t.Errorf("%s: %v if %v, want %v", to, got.Verdict, got.When.When, want)
		}
	}
	if list := p.Snapshot.Problems; len(list) != 1 || list[0].Rule != "TM903" || list[0].Message != "MultiNetworkPolicy of k8s.cni.cncf.io is not judged yet" {
		t.Errorf("problems %v", list)
	}
}

// TestUserDefinedNetworks demands that secondary networks of OVN-Kubernetes leave the cluster's own
// as it is, and that primary ones do not.
func TestUserDefinedNetworks(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x, labels: {app: x}%s}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
---
{apiVersion: k8s.ovn.org/v1, %s}
`
	const named = ", annotations: {k8s.v1.cni.cncf.io/networks: lan}"
	for _, tt := range []struct {
		annotations, network string
		want                 reach.Verdict
	}{
		{"", "kind: UserDefinedNetwork, metadata: {namespace: a, name: lan}, spec: {topology: Layer2, layer2: {role: Secondary, subnets: [192.168.5.0/24]}}", reach.Denied},
		{named, "kind: UserDefinedNetwork, metadata: {namespace: a, name: lan}, spec: {topology: Layer2, layer2: {role: Secondary, subnets: [192.168.5.0/24]}}", reach.Depends},
		{"", "kind: UserDefinedNetwork, metadata: {namespace: a, name: lan}, spec: {topology: Layer3, layer3: {role: Primary, subnets: [{cidr: 10.20.0.0/16}]}}", reach.Unknown},
		{"", "kind: UserDefinedNetwork, metadata: {namespace: a, name: lan}, spec: {topology: Layer9}", reach.Unknown},
		{"", "kind: UserDefinedNetwork, metadata: {namespace: b, name: lan}, spec: {topology: Layer3, layer3: {role: Primary}}", reach.Denied},
		{"", "kind: ClusterUserDefinedNetwork, metadata: {name: lan}, spec: {namespaceSelector: {}, network: {topology: Localnet, localnet: {role: Secondary, physicalNetworkName: p}}}", reach.Denied},
		{named, "kind: ClusterUserDefinedNetwork, metadata: {name: lan}, spec: {namespaceSelector: {}, network: {topology: Localnet, localnet: {role: Secondary, physicalNetworkName: p}}}", reach.Depends},
		{"", "kind: ClusterUserDefinedNetwork, metadata: {name: lan}, spec: {namespaceSelector: {}, network: {topology: Layer2, layer2: {role: Primary}}}", reach.Unknown},
	} {
		if got := ask(t, program(fmt.Sprintf(scene, tt.annotations, tt.network)), "a/x", "8.8.8.8:443"); got.Verdict != tt.want {
			t.Errorf("%s %s: %v if %v, want %v", tt.annotations, tt.network, got.Verdict, got.When.When, tt.want)
		}
	}
}
