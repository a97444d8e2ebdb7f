package facts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/input/facts"
)

// ds is a DaemonSet with one container.
func ds(namespace, name, container, image string, args ...string) string {
	return fmt.Sprintf("---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: %s, namespace: %s}\nspec: {template: {spec: {containers: [{name: %s, image: %q, args: [%s]}]}}}\n",
		name, namespace, container, image, strings.Join(args, ", "))
}

// cm is a ConfigMap of kube-system.
func cm(name, data string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: kube-system}\ndata: %s\n", name, data)
}

// nd is a Node.
func nd(name, more string) string {
	return "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: " + name + "\n" + more
}

const awsNode = `---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: aws-node, namespace: kube-system}
spec: {template: {spec: {containers: [
  {name: aws-node, image: x, env: [{name: NETWORK_POLICY_ENFORCING_MODE, value: "MODE"}]},
  {name: aws-eks-nodeagent, image: x, args: [--enable-ipv6=false, --enable-network-policy=AGENT]}]}}}
`

func TestPlugin(t *testing.T) {
	on := strings.NewReplacer(`"MODE"`, "standard", "AGENT", "true").Replace(awsNode)
	off := strings.NewReplacer(`"MODE"`, "standard", "AGENT", "false").Replace(awsNode)
	strict := strings.NewReplacer(`"MODE"`, "strict", "AGENT", "true").Replace(awsNode)
	cilium := ds("kube-system", "cilium", "cilium-agent", "quay.io/cilium/cilium:v1.18.1")
	calico := ds("calico-system", "calico-node", "calico-node", "x")
	flannel := ds("kube-flannel", "kube-flannel-ds", "kube-flannel", "x")
	controller := func(v string) string { return cm("amazon-vpc-cni", `{enable-network-policy-controller: "`+v+`"}`) }
	k3s := func(args string) string {
		return nd("n1", "  annotations: {k3s.io/node-args: '"+args+"'}\nstatus: {nodeInfo: {kubeletVersion: v1.34.1+k3s1}}\n")
	}
	all := "---\napiVersion: apps/v1\nkind: DaemonSetList\nitems: []\n" // these are all of them
	for _, tt := range []struct{ name, docs, want, why string }{
		{"nothing", cm("coredns", "{}") + nd("n1", ""), "", "no answer that was read tells"},
		{"cilium", cilium + cm("cilium-config", "{enable-policy: default, ipam: kubernetes}"), "cilium", ""},
		{"cilium, nodes", cilium + cm("cilium-config", "{policy-cidr-match-mode: nodes}"), "cilium:cidr-match=nodes", ""},
		{"cilium, both", cilium + cm("cilium-config", `{policy-cidr-match-mode: "pods,nodes"}`), "cilium:cidr-match=pods+nodes", ""},
		{"cilium, a mode to come", cilium + cm("cilium-config", `{policy-cidr-match-mode: all}`), "", "there is no profile"},
		{"cilium, never", cilium + cm("cilium-config", "{enable-policy: never}"), "none", ""},
		{"cilium, always", cilium + cm("cilium-config", "{enable-policy: always}"), "", "enable-policy always"},
		{"cilium, audit", cilium + cm("cilium-config", `{policy-audit-mode: "true"}`), "none", ""},
		{"cilium, blind", cilium + cm("cilium-config", `{enable-k8s-networkpolicy: "false"}`), "none", ""},
		{"cilium, told not to", cilium + cm("cilium-config", `{policy-audit-mode: "false", enable-k8s-networkpolicy: "true"}`), "cilium", ""},
		{"cilium, audit in AKS", cilium + cm("cilium-config", `{policy-audit-mode: "true"}`) + nd("n1", "  labels: {kubernetes.azure.com/cluster: MC_x}\n"), "none", ""},
		{"a user's cilium in AKS", cilium + cm("cilium-config", "{policy-cidr-match-mode: nodes}") + nd("n1", "  labels: {kubernetes.azure.com/cluster: MC_x}\n"), "cilium:cidr-match=nodes", ""},
		{"cilium, unread", cilium, "", "its mode was not read"},
		{"cilium in AKS", cilium + nd("n1", "  labels: {kubernetes.azure.com/cluster: MC_x}\n"), "aks-cilium", ""},
		{"dataplane v2", ds("kube-system", "anetd", "cilium-agent", "x"), "gke-dpv2", ""},
		{"calico", calico, "calico", ""},
		{"calico of GKE", ds("kube-system", "calico-node", "calico-node", "x") + nd("n1", "  labels: {cloud.google.com/gke-nodepool: a}\n"), "gke-legacy", ""},
		{"calico of a user of GKE", calico + nd("n1", "  labels: {cloud.google.com/gke-nodepool: a}\n"), "calico", ""},
		{"calico enterprise", calico + "---\napiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata: {name: default}\nspec: {variant: CalicoEnterprise}\n", "", "Enterprise"},
		{"canal", ds("kube-system", "canal", "calico-node", "x") + flannel, "calico", ""},
		{"antrea", ds("kube-system", "antrea-agent", "antrea-agent", "x"), "antrea", ""},
		{"azure npm", ds("kube-system", "azure-npm", "azure-npm", "x"), "azure-npm", ""},
		{"kube-router", ds("kube-system", "kube-router", "kube-router", "x", "--run-firewall=true"), "kube-router", ""},
		{"kube-router without a firewall", ds("kube-system", "kube-router", "kube-router", "x", "--run-firewall=false") + all, "none", ""},
		{"ovn", ds("openshift-ovn-kubernetes", "ovnkube-node", "ovnkube-controller", "x"), "ovn-kubernetes", ""},
		{"openshift", "apiVersion: config.openshift.io/v1\nkind: Network\nmetadata: {name: cluster}\nstatus: {networkType: OVNKubernetes}\n", "ovn-kubernetes", ""},
		{"openshift sdn", "apiVersion: config.openshift.io/v1\nkind: Network\nmetadata: {name: cluster}\nstatus: {networkType: OpenShiftSDN}\n", "", "no profile"},
		{"flannel", flannel + all, "none", ""},
		{"flannel, the others unread", flannel, "", "whether another engine does"},
		{"flannel beside calico", flannel + calico, "calico", ""},
		{"flannel beside an engine", flannel + ds("kube-system", "kube-network-policies", "kube-network-policies", "x"), "kube-network-policies", ""},
		{"kindnet", ds("kube-system", "kindnet", "kindnet-cni", "docker.io/kindest/kindnetd:v20250512-df8de77b"), "kube-network-policies", ""},
		{"kindnet of old", ds("kube-system", "kindnet", "kindnet-cni", "docker.io/kindest/kindnetd:v20230809-80a64d96") + all, "none", ""},
		{"kindnet between", ds("kube-system", "kindnet", "kindnet-cni", "docker.io/kindest/kindnetd:v20240813-c6f155d6"), "", "kind 0.24"},
		{"kindnet by digest", ds("kube-system", "kindnet", "kindnet-cni", "kindest/kindnetd@sha256:00"), "", "no date"},
		{"weave", ds("kube-system", "weave-net", "weave", "x"), "", "no profile"},
		{"an engine in a namespace of users", flannel + ds("team-a", "calico-node", "calico-node", "x"), "", "no namespace of the system"},
		{"two engines", calico + cilium + cm("cilium-config", "{}"), "", "several plugins"},
		{"an engine that runs nowhere", calico + cilium + "status: {desiredNumberScheduled: 0}\n", "calico", ""},
		{"aws, controller on", on + controller("true"), "aws-vpc-cni", ""},
		{"aws, strict", strict + controller("true"), "aws-vpc-cni:strict", ""},
		{"aws, controller unread", on, "", "whether the controller is on"},
		{"aws, controller off", on + controller("false"), "", "turns the controller off"},
		{"aws, agent off", off + all, "none", ""},
		{"aws, agent off, calico", off + calico, "calico", ""},
		{"aws with Fargate", on + controller("true") + nd("f", "  labels: {eks.amazonaws.com/compute-type: fargate}\n"), "", "Fargate"},
		{"calico with Fargate", calico + nd("f", "  labels: {eks.amazonaws.com/compute-type: fargate}\n"), "", "Fargate"},
		{"aws with Windows", on + controller("true") + nd("w", "  labels: {kubernetes.io/os: windows}\n"), "", "Windows"},
		{"auto and others", off + nd("a", "  labels: {eks.amazonaws.com/compute-type: auto}\n") + controller("true"), "", "others that run aws-node"},
		{"k3s", k3s(`["server","--write-kubeconfig-mode","0644"]`) + all, "kube-router", ""},
		{"k3s, DaemonSets unread", k3s(`["server"]`), "", "another engine"},
		{"k3s without policies", k3s(`["server","--disable-network-policy"]`), "none", ""},
		{"k3s without a plugin", k3s(`["server","--disable-network-policy","--flannel-backend","none"]`), "", "without its own plugin"},
		{"k3s with cilium", k3s(`["server","--disable-network-policy","--flannel-backend","none"]`) + cilium + cm("cilium-config", "{}"), "cilium", ""},
		{"k3s, agents only", k3s(`["agent"]`), "", "no server node"},
		{"cloud and cluster agree", gke(`, "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"}`) + "\n" + ds("kube-system", "anetd", "cilium-agent", "x"), "gke-dpv2", ""},
		{"a user's engine", gke("") + "\n" + cilium + cm("cilium-config", "{}"), "cilium", ""},
		{"cloud and cluster differ", gke(`, "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"}`) + "\n" + calico, "", "two are named"},
		{"cloud says more", gke(`, "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"}`) + "\n" + flannel + all, "", "no DaemonSet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := facts.Of(split(tt.docs)...)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			why := ""
			for _, u := range f.Unknown {
				if u.What == "cni" {
					why = u.Why
				}
			}
			if f.CNI != tt.want || !strings.Contains(why, tt.why) || (why == "") != (tt.want != "") {
				t.Errorf("got %q (%s), want %q (%s)", f.CNI, why, tt.want, tt.why)
			}
		})
	}
}

func TestCluster(t *testing.T) {
	kubeadm := cm("kubeadm-config", `{ClusterConfiguration: "networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}"}`)
	kindnet := ds("kube-system", "kindnet", "kindnet-cni", "kindest/kindnetd:v20250512-df8de77b")
	service := func(namespace, name, more string) string {
		return fmt.Sprintf("---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s, labels: {k8s-app: kube-dns}}\nspec: {clusterIP: 10.96.0.10, %s}\n", name, namespace, more)
	}
	slice := "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: kubernetes, namespace: default}\nendpoints: [{addresses: [192.0.2.9]}]\nports: [{port: 6443}]\n"
	none := "---\napiVersion: apps/v1\nkind: DaemonSetList\nitems: []\n"
	for _, tt := range []struct{ name, docs, want string }{
		{"kubeadm", kubeadm + kindnet, "pods: 10.244.0.0/16\nservices: 10.96.0.0/12\napi: 10.96.0.1:443"},
		{"kubeadm, plugin unread", kubeadm, "pods: 10.244.0.0/16\nunknown: cloud cni ranges.nodes ranges.pods ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"nodes' parts only", nd("n1", "spec: {podCIDR: 10.42.0.0/24}\nstatus: {addresses: [{type: InternalIP, address: 192.0.2.1}]}\n"), "nodes: 192.0.2.1/32\npods: 10.42.0.0/24\n" +
			"unknown: cloud cni ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"k3s", nd("n1", "  annotations: {k3s.io/node-args: '[\"server\",\"--cluster-cidr=10.52.0.0/16,fd52::/56\",\"--service-cidr\",\"10.53.0.0/16\"]'}\n"+
			"spec: {podCIDR: 10.52.0.0/24}\nstatus: {nodeInfo: {kubeletVersion: v1.34.1+k3s1}}\n") + none, "pods: 10.52.0.0/16 fd52::/56\nservices: 10.53.0.0/16\ncni: kube-router"},
		{"a pod outside", kubeadm + kindnet + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nstatus: {podIP: 10.1.2.3, podIPs: [{ip: 10.1.2.3}]}\n",
			"unknown: cloud ranges.nodes ranges.pods ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"a pod on the node's network", kubeadm + kindnet + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec: {hostNetwork: true}\nstatus: {podIP: 10.1.2.3}\n",
			"unknown: cloud ranges.nodes ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"a Service outside", kubeadm + kindnet + "---\napiVersion: networking.k8s.io/v1\nkind: IPAddress\nmetadata: {name: 10.200.0.1}\n",
			"unknown: cloud ranges.nodes ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"a pool inside of what the nodes' parts are taken from", ds("kube-system", "calico-node", "calico-node", "x") +
			"---\napiVersion: crd.projectcalico.org/v1\nkind: IPPoolList\nitems: [{metadata: {name: a}, spec: {cidr: 10.1.0.0/24}}]\n" + cm("kubeadm-config", `{ClusterConfiguration: "{kind: ClusterConfiguration, networking: {podSubnet: 10.1.0.0/16, serviceSubnet: 10.96.0.0/12}}"}`) +
			"---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDRList\nitems: [{metadata: {name: kubernetes}, spec: {cidrs: [10.96.0.0/16]}}]\n",
			"pods: 10.1.0.0/16 10.1.0.0/24\nservices: 10.96.0.0/12 10.96.0.0/16\nunknown: cloud ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"cilium's pools", ds("kube-system", "cilium", "cilium-agent", "x") + cm("cilium-config", `{ipam: cluster-pool, cluster-pool-ipv4-cidr: "10.0.0.0/8 172.16.0.0/16"}`),
			"pods: 10.0.0.0/8 172.16.0.0/16"},
		{"cilium's pools, and a node outside", ds("kube-system", "cilium", "cilium-agent", "x") + cm("cilium-config", `{ipam: cluster-pool, cluster-pool-ipv4-cidr: "10.0.0.0/8"}`) +
			"---\napiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: n1}\nspec: {ipam: {podCIDRs: [172.20.5.0/24]}}\n",
			"pods: 10.0.0.0/8 172.20.5.0/24\nunknown: cloud ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"cilium behind another", ds("kube-system", "cilium", "cilium-agent", "x") + cm("cilium-config", `{ipam: cluster-pool, cluster-pool-ipv4-cidr: "10.0.0.0/8", cni-chaining-mode: aws-cni}`),
			"pods: \nunknown: cloud ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"calico that only judges", strings.Replace(awsNode, "AGENT", "false", 1) + ds("kube-system", "calico-node", "calico-node", "x") +
			"---\napiVersion: crd.projectcalico.org/v1\nkind: IPPoolList\nitems: [{metadata: {name: default-ipv4-ippool}, spec: {cidr: 192.168.0.0/16}}]\n",
			"cni: calico\npods: 192.168.0.0/16\nunknown: cloud ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"cilium's named pools", ds("kube-system", "cilium", "cilium-agent", "x") + cm("cilium-config", `{ipam: multi-pool}`) +
			"---\napiVersion: cilium.io/v2alpha1\nkind: CiliumPodIPPool\nmetadata: {name: default}\nspec: {ipv4: {cidrs: [10.10.0.0/16], maskSize: 27}, ipv6: {cidrs: ['fd00:10::/104']}}\n",
			"pods: 10.10.0.0/16 fd00:10::/104"},
		{"cilium in a VPC", ds("kube-system", "cilium", "cilium-agent", "x") + cm("cilium-config", `{ipam: eni}`) +
			"---\napiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: n1}\nspec: {ipam: {podCIDRs: [10.5.0.0/24]}}\n",
			"pods: 10.5.0.0/24\nunknown: cloud ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"openshift", "apiVersion: config.openshift.io/v1\nkind: Network\nmetadata: {name: cluster}\nstatus: {networkType: OVNKubernetes, clusterNetwork: [{cidr: 10.128.0.0/14, hostPrefix: 23}], " +
			"serviceNetwork: [172.30.0.0/16]}\n" + "---\napiVersion: v1\nkind: Service\nmetadata: {name: dns-default, namespace: openshift-dns}\nspec: {clusterIP: 172.30.0.10, " +
			"selector: {dns.operator.openshift.io/daemonset-dns: default}, ports: [{name: dns, port: 53, protocol: UDP, targetPort: dns}, {name: metrics, port: 9154, targetPort: metrics}]}\n" + none,
			"cni: ovn-kubernetes\npods: 10.128.0.0/14\nservices: 172.30.0.0/16\ndns: 172.30.0.10:53 openshift-dns/[default]:5353\n" +
				"unknown: cloud ranges.nodes ranges.controlPlane ranges.vpc ranges.remote kubeAPI identity"},
		{"a resolver's port by a name", service("kube-system", "kube-dns", "selector: {app: mine}, ports: [{port: 53, targetPort: dns}]") + none,
			"dns: 10.96.0.10:53\nunknown: cloud cni ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"a Service elsewhere", service("default", "kube-dns", "selector: {k8s-app: kube-dns}") + none, "dns:"},
		{"NodeLocal DNSCache by its configuration", service("kube-system", "kube-dns", "selector: {k8s-app: kube-dns}, ports: [{port: 53, targetPort: 53}]") +
			ds("kube-system", "node-local-dns", "node-cache", "x") + cm("node-local-dns", `{Corefile: "cluster.local:53 {\n    bind 169.254.25.10\n}\n"}`),
			"dns: 169.254.25.10:53 10.96.0.10:53 kube-system/[kube-dns]:53"},
		{"NodeLocal DNSCache somewhere", ds("kube-system", "node-local-dns", "node-cache", "x"), "dns:\n" +
			"unknown: cloud cni ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity"},
		{"resolver pods", "apiVersion: v1\nkind: Pod\nmetadata: {name: coredns-1, namespace: kube-system, labels: {k8s-app: kube-dns, pod-template-hash: x}}\n" + none, "dns: kube-system/[kube-dns]:53"},
		{"identities", nd("n1", "spec: {providerID: 'azure:///x'}\n") + none + "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, annotations: {azure.workload.identity/client-id: x}}\n",
			"cloud: Azure\nidentity: azure-workload-identity"},
		{"an unknown cloud", nd("n1", "spec: {providerID: 'vsphere://x'}\n"), "cloud:"},
		{"two clouds", nd("n1", "spec: {providerID: 'aws:///x'}\n") + nd("m1", "spec: {providerID: 'gce://x'}\n"),
			"cloud:\nunknown: " + strings.Join(facts.Fields, " ")},
		{"Endpoints", "apiVersion: v1\nkind: Endpoints\nmetadata: {name: kubernetes, namespace: default}\nsubsets: [{addresses: [{ip: 192.0.2.9}], ports: [{port: 6443}]}]\n",
			"api: 192.0.2.9:6443\ncontrol: 192.0.2.9/32"},
		{"a resolver in a namespace of users", service("kube-system", "kube-dns", "selector: {k8s-app: kube-dns}, ports: [{port: 53, targetPort: 53}]") +
			ds("team-a", "cache", "node-cache", "x", "-localip", "'192.0.2.66'") + none,
			"dns: 10.96.0.10:53 kube-system/[kube-dns]:53\nunknown: " + strings.Join(facts.Fields, " ")},
		{"an API server on a node", nd("n1", "status: {addresses: [{type: InternalIP, address: 192.0.2.9}]}\n") + slice, "api: 192.0.2.9:6443\ncontrol: 192.0.2.9/32\n" +
			"unknown: cloud cni ranges.nodes ranges.pods ranges.services ranges.vpc ranges.remote dns identity"},
		{"an API server elsewhere", nd("n1", "status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}\n") + slice, "api: 192.0.2.9:6443\ncontrol: 192.0.2.9/32\n" +
			"unknown: " + strings.Join(facts.Fields, " ")},
		{"what the user knows", kubeadm + "---\napiVersion: toolmoat.dev/v1alpha1\nkind: ClusterFacts\ncni: calico\nranges: {pods: [{cidr: 10.9.0.0/16, source: mine}], vpc: []}\n",
			"cni: calico\npods: 10.9.0.0/16 10.244.0.0/16\nunknown: cloud ranges.nodes ranges.controlPlane ranges.remote dns kubeAPI identity"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := facts.Of(split(tt.docs)...)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			check(t, f, tt.want)
		})
	}
}
