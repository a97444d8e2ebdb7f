package cni

import (
	"maps"
	"slices"
)

// The kinds of policy on which plugins differ, by dialect. Four sorts are left out because they do
// not depend on the plugin: policies of meshes; policies for secondary networks and for security
// groups; NetworkPolicy under its old group, which the API server hands on under the new one; and
// the kinds of OpenShift SDN, which has no profile.
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

var (
	adminKinds  = []string{adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy}
	calicoKinds = []string{
		calicoNetworkPolicy, calicoGlobalNetworkPolicy, calicoHostEndpoint,
		calicoStoredNetworkPolicy, calicoStoredGlobalNetworkPolicy, calicoStoredHostEndpoint,
	}
)

// pluginKinds are all kinds except NetworkPolicy, which every plugin enforces that enforces any.
var pluginKinds = slices.Concat(adminKinds, calicoKinds, []string{
	ciliumNetworkPolicy, ciliumClusterwideNetworkPolicy, ciliumLocalRedirectPolicy,
	antreaNetworkPolicy, antreaClusterNetworkPolicy,
	awsApplicationNetworkPolicy, awsClusterNetworkPolicy,
	gkeFQDNNetworkPolicy,
	ovnEgressFirewall, ovnUserDefinedNetwork, ovnClusterUserDefinedNetwork,
})

// kinds joins what enforced, flagged and ignored say. Of two that name one kind the later counts.
func kinds(parts ...map[string]Fact) map[string]Fact {
	all := map[string]Fact{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}

// What a profile says of kinds of policy, with the source and the kinds.
var (
	enforced = says(Yes)       // policies of these kinds always are
	flagged  = says(Uncertain) // they may be: an option or a version decides
	ignored  = says(No)        // they never are, although somebody might think so
)

func says(a Answer) func(source string, dialects ...string) map[string]Fact {
	return func(source string, dialects ...string) map[string]Fact {
		all := map[string]Fact{}
		for _, d := range dialects {
			all[d] = Fact{a, source}
		}
		return all
	}
}
