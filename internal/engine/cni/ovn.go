package cni

var ovnKubernetes = Profile{
	Name:    "ovn-kubernetes",
	Title:   "OVN-Kubernetes, also in OpenShift",
	Version: "ovn-kubernetes source of 2026, OpenShift 4.17 to 4.20 documentation",
	Facts: [Questions]Fact{
		Enforces:         {Yes, "ovn-kubernetes docs network-policy.md: the feature is always enabled"},
		BlocksMatchPods:  {Yes, "ovn-kubernetes go-controller/pkg/ovn/gress_policy.go, getMatchFromIPBlock: plain matches of addresses; docs: internal or external"},
		BlocksMatchNodes: {Yes, "ovn-kubernetes go-controller/pkg/ovn/gress_policy.go, getMatchFromIPBlock: plain matches of addresses"},
		SelectorsMatchHost: {Uncertain, "OpenShift documentation, network-policy: a namespaceSelector includes hostNetwork pods only beside podSelector {}; " +
			"ovn-kubernetes issue 1635 says never"},
		SelectorsMatchServices: {No, "ovn-kubernetes docs network-policy.md: peers become address sets of pods"},
		HostNetworkJudged:      {No, "OpenShift documentation, network-policy: does not apply to the host network namespace"},
		JudgedBeforeService:    {No, "openshift/kubernetes-nmstate issue 776: DNS has to be allowed on 5353, the pods' port; egress rules apply after load balancing"},
		OwnNodeMayEnter:        {Yes, "ovn-kubernetes go-controller/pkg/ovn/base_network_controller_policy.go, addAllowACLFromNode: the management port's address may enter"},
		OwnNodeReachable:       {No, "ovn-kubernetes go-controller/pkg/ovn/base_network_controller_policy.go: addAllowACLFromNode is for ingress, and egress is denied by default"},
		LongestPrefixDecides:   {No, "ovn-kubernetes go-controller/pkg/ovn/gress_policy.go: each block with its own exceptions"},
		IPv4EscapesIPv6:        {No, "ovn-kubernetes go-controller/pkg/ovn/gress_policy.go: both families are matched"},
		NodePortsEscape:        {Uncertain, "in local gateway mode it may come from the management port's address, which may enter; reasoned from source, not seen"},
		StartsOpen:             {Uncertain, "not confirmed: ports join the groups of policies by an event of their own"},
		UntypedRulesApply:      {Uncertain, "not confirmed"},
		UnselectedDenied:       {No, "ovn-kubernetes docs: pods are open until a policy selects them"},
		LabelsLeftOut:          {No, "ovn-kubernetes docs: address sets of pods by Kubernetes label selectors"},
		PortNamesShared:        {Uncertain, "not confirmed"},
		IPv6Escapes:            {No, "ovn-kubernetes docs: dual-stack policies"},
		NodesUsePodRange:       {Yes, "ovn-kubernetes go-controller, syncNodeManagementPort: from the management port's address"},
		NodeSelectors:          {Yes, "ovn-kubernetes docs: EgressFirewall nodeSelector and the nodes peers of admin policies"},
		EnforcesOnWindows:      {Uncertain, "ovn-kubernetes docs, hybrid overlay: Windows nodes have no OVN of their own; not confirmed for policies"},
		EnforcesOnHybrid:       {Uncertain, "not confirmed"},
		EnforcesWithoutAgent:   {No, "EKS documentation, fargate: DaemonSets are not supported; what enforces policies is the DaemonSet's pod on the node"},
		OwnServiceOpen:         {Uncertain, "not confirmed"},
	},
	Kinds: kinds(
		enforced("ovn-kubernetes docs network-policy.md", networkPolicy),
		flagged("ovn-kubernetes --enable-egress-firewall; always on in OpenShift", ovnEgressFirewall),
		flagged("ovn-kubernetes --enable-network-segmentation", ovnUserDefinedNetwork, ovnClusterUserDefinedNetwork),
		flagged("ovn-kubernetes --enable-admin-network-policy; OpenShift documentation, network-policy-apis", adminNetworkPolicy, baselineAdminNetworkPolicy),
		flagged("not confirmed", clusterNetworkPolicy),
	),
	Resolvers: []Resolver{
		{Name: "OpenShift DNS pods", Pod: true, Port: 5353, Source: "openshift/kubernetes-nmstate issue 776: pods in openshift-dns listen on 5353"},
		coreDNS, nodeLocalDNS,
	},
	Other: []string{
		"What a node sends to pods of other nodes comes from its management port, an address in the pods' range (ovn-kubernetes go-controller, syncNodeManagementPort).",
		"EgressFirewall may cut pods off from the API server (OpenShift documentation, egress-firewall).",
	},
}
