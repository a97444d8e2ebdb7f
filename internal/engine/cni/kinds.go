package cni

import "maps"

// The kinds of policy on which plugins differ, by dialect. Left out are those that do not depend on the plugin: meshes, policies for secondary
// networks and for security groups, NetworkPolicy under its old group (the API server hands it on under the new one), and the kinds of
// OpenShift SDN, which has no profile.
const (
	networkPolicy = "networking.k8s.io NetworkPolicy"

	adminNetworkPolicy         = "policy.networking.k8s.io AdminNetworkPolicy"
	baselineAdminNetworkPolicy = "policy.networking.k8s.io BaselineAdminNetworkPolicy"
	clusterNetworkPolicy       = "policy.networking.k8s.io ClusterNetworkPolicy"

	ciliumNetworkPolicy            = "cilium.io CiliumNetworkPolicy"
	ciliumClusterwideNetworkPolicy = "cilium.io CiliumClusterwideNetworkPolicy"
	ciliumLocalRedirectPolicy      = "cilium.io CiliumLocalRedirectPolicy"

	calicoNetworkPolicy       = "projectcalico.org NetworkPolicy"
	calicoGlobalNetworkPolicy = "projectcalico.org GlobalNetworkPolicy"
	calicoHostEndpoint        = "projectcalico.org HostEndpoint"

	calicoStoredNetworkPolicy       = "crd.projectcalico.org NetworkPolicy"
	calicoStoredGlobalNetworkPolicy = "crd.projectcalico.org GlobalNetworkPolicy"
	calicoStoredHostEndpoint        = "crd.projectcalico.org HostEndpoint"

	antreaNetworkPolicy        = "crd.antrea.io NetworkPolicy"
	antreaClusterNetworkPolicy = "crd.antrea.io ClusterNetworkPolicy"

	awsApplicationNetworkPolicy = "networking.k8s.aws ApplicationNetworkPolicy"
	awsClusterNetworkPolicy     = "networking.k8s.aws ClusterNetworkPolicy"

	gkeFQDNNetworkPolicy = "networking.gke.io FQDNNetworkPolicy"

	ovnEgressFirewall            = "k8s.ovn.org EgressFirewall"
	ovnUserDefinedNetwork        = "k8s.ovn.org UserDefinedNetwork"
	ovnClusterUserDefinedNetwork = "k8s.ovn.org ClusterUserDefinedNetwork"
)

// pluginKinds are all of those but NetworkPolicy, which every plugin that enforces anything enforces.
var pluginKinds = []string{
	adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy,
	ciliumNetworkPolicy, ciliumClusterwideNetworkPolicy, ciliumLocalRedirectPolicy,
	calicoNetworkPolicy, calicoGlobalNetworkPolicy, calicoHostEndpoint,
	calicoStoredNetworkPolicy, calicoStoredGlobalNetworkPolicy, calicoStoredHostEndpoint,
	antreaNetworkPolicy, antreaClusterNetworkPolicy,
	awsApplicationNetworkPolicy, awsClusterNetworkPolicy,
	gkeFQDNNetworkPolicy,
	ovnEgressFirewall, ovnUserDefinedNetwork, ovnClusterUserDefinedNetwork,
}

// kinds joins what enforced, flagged and ignored say.
func kinds(parts ...map[string]Fact) map[string]Fact {
	all := map[string]Fact{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}

// enforced says that policies of these kinds always are.
func enforced(source string, dialects ...string) map[string]Fact {
	return each(Fact{Yes, source}, dialects)
}

// flagged says that policies of these kinds perhaps are: an option or a version decides.
func flagged(source string, dialects ...string) map[string]Fact {
	return each(Fact{Uncertain, source}, dialects)
}

// ignored says that policies of these kinds never are, where somebody might think so.
func ignored(source string, dialects ...string) map[string]Fact {
	return each(Fact{No, source}, dialects)
}

func each(f Fact, dialects []string) map[string]Fact {
	all := make(map[string]Fact, len(dialects))
	for _, d := range dialects {
		all[d] = f
	}
	return all
}
