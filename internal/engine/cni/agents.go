package cni

import "slices"

// Agent is what enforces a plugin's policies on a node: the pod of a DaemonSet there.
type Agent struct {
	Name   string   // of its DaemonSet, as its makers call it
	Names  []string // of its DaemonSets and of its container in them, in every form it is installed in
	Source string

	// Beside is a label of nodes that come with an agent of their own in its place; nil for none.
	Beside *[2]string
}

// What the plugins call the DaemonSets of their agents, and the containers in them.
var (
	antreaAgent = Agent{Name: "antrea-agent", Names: []string{"antrea-agent"}, Source: "antrea build/yamls/antrea.yml"}
	awsNode     = Agent{Name: "aws-node", Names: []string{"aws-node", "aws-eks-nodeagent"}, Source: "amazon-vpc-cni-k8s config/master/aws-k8s-cni.yaml; " +
		"Auto Mode nodes come with their own (EKS documentation, auto-networking)", Beside: &[2]string{"eks.amazonaws.com/compute-type", "auto"}}
	azureNPMAgent = Agent{Name: "azure-npm", Names: []string{"azure-npm"}, Source: "azure-container-networking npm/azure-npm.yaml"}
	calicoNode    = Agent{Name: "calico-node", Names: []string{"calico-node"}, Source: "calico manifests/calico.yaml, canal.yaml"}
	ciliumAgent   = Agent{Name: "cilium", Names: []string{"cilium", "anetd", "cilium-agent"}, Source: "cilium install/kubernetes/cilium/templates/cilium-agent/daemonset.yaml; " +
		"GKE documentation, dataplane-v2: anetd"}
	kubeNetworkPoliciesAgent = Agent{Name: "kube-network-policies", Names: []string{"kube-network-policies"}, Source: "kube-network-policies install.yaml"}
	kubeRouterAgent          = Agent{Name: "kube-router", Names: []string{"kube-router"}, Source: "kube-router daemonset/kubeadm-kuberouter.yaml"}
	ovnkubeNode              = Agent{Name: "ovnkube-node", Names: []string{"ovnkube-node", "ovnkube-controller", "ovn-controller"},
		Source: "ovn-kubernetes dist/templates/ovnkube-node.yaml.j2, ovnkube-single-node-zone.yaml.j2"}
)

// Agents lists them. What enforces policies in other plugins is no DaemonSet: EKS Auto Mode's is part
// of its nodes.
var Agents = []Agent{antreaAgent, awsNode, azureNPMAgent, calicoNode, ciliumAgent, kubeNetworkPoliciesAgent, kubeRouterAgent, ovnkubeNode}

// Is reports whether a DaemonSet or a container of this name is the agent's.
func (a *Agent) Is(name string) bool { return slices.Contains(a.Names, name) }

// withoutAgent is p where no DaemonSet enforces its policies.
func withoutAgent(p Profile) Profile {
	p.Agent = Agent{}
	return p
}
