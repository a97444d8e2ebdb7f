package cni

// Alias is a name that people have for what may run, and the plugins that it stands for.
type Alias struct {
	Name    string
	Plugins []string
	Source  string
}

// Aliases are the names of platforms, with the plugins that enforce policies there.
var Aliases = []Alias{
	{"aks", []string{"aks-cilium", "azure-npm", "calico"}, "aks-docs use-network-policies.md: network policy is cilium, azure or calico"},
	{"eks", []string{"aws-vpc-cni"}, "EKS documentation, cni-network-policy: the VPC CNI unless another plugin was installed"},
	{"gke", []string{"gke-dpv2", "gke-legacy"}, "GKE documentation, network-policy: Dataplane V2, or Calico where it is off"},
	{"k3s", []string{"kube-router"}, "k3s documentation, networking-services: kube-router's network policy controller"},
	{"kind", []string{"kube-network-policies"}, "kind release notes 0.24: kindnet enforces policies by kube-network-policies"},
	{"kindnet", []string{"kube-network-policies"}, "kind release notes 0.24: kindnet enforces policies by kube-network-policies"},
	{"openshift", []string{"ovn-kubernetes"}, "OpenShift documentation, OVN-Kubernetes: the default since 4.12"},
	{"rke2", []string{"calico"}, "RKE2 documentation, network_options: Canal by default, whose policies Calico enforces"},
}

// meantBy returns the plugins that a name stands for: itself, if it is no alias.
func meantBy(name string) []string {
	for _, a := range Aliases {
		if a.Name == name {
			return a.Plugins
		}
	}
	return []string{name}
}
