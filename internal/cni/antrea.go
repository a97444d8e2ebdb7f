package cni

var antrea = Profile{
	Name:    "antrea",
	Title:   "Antrea",
	Version: "Antrea 1.15 and later, docs/design/ovs-pipeline.md",
	Facts: [Questions]Fact{
		Enforces:               {Yes, "antrea docs/design/ovs-pipeline.md: tables EgressRule and IngressRule"},
		BlocksMatchPods:        {Yes, "antrea docs/design/ovs-pipeline.md: peers become matches of nw_src and nw_dst; issue 1764 is about a block of pod addresses"},
		BlocksMatchNodes:       {Yes, "antrea docs/design/ovs-pipeline.md: peers become matches of nw_src and nw_dst"},
		SelectorsMatchHost:     {No, "antrea issue 3078: hostNetwork pods are left out of address groups"},
		SelectorsMatchServices: {No, "antrea docs/design/ovs-pipeline.md: selectors become addresses of pods"},
		HostNetworkJudged:      {No, "antrea docs/antrea-node-network-policy.md: nodes are another feature, of ClusterNetworkPolicy only"},
		JudgedBeforeService:    {No, "antrea docs/design/ovs-pipeline.md: EndpointDNAT comes before the egress tables, with AntreaProxy, the default"},
		OwnNodeMayEnter:        {Yes, "antrea docs/design/ovs-pipeline.md, IngressSecurityClassifier: what the node itself sends bypasses ingress"},
		OwnNodeReachable:       {No, "antrea docs/design/ovs-pipeline.md, EgressDefaultRule: drops whatever an isolated pod sends, whereto it may be"},
		LongestPrefixDecides:   {No, "antrea pkg/agent/controller/networkpolicy, DiffFromCIDRs: each block is split around its own exceptions"},
		IPv4EscapesIPv6:        {No, "antrea docs: the pipeline has both families"},
		NodePortsEscape:        {No, "antrea pull request 1816, since 0.12.2, on Linux: judged with the local gateway's address as the source"},
		StartsOpen:             {Uncertain, "not confirmed"},
		UntypedRulesApply:      {Uncertain, "not confirmed"},
		UnselectedDenied:       {No, "antrea docs: a pod that no policy selects is not isolated"},
		LabelsLeftOut:          {No, "antrea docs: selectors are Kubernetes label selectors"},
		PortNamesShared:        {No, "antrea pkg/agent/controller/networkpolicy: port names are resolved for each address of the group"},
		NodeSelectors:          {Yes, "antrea docs/antrea-network-policy.md: nodeSelector peers in ClusterNetworkPolicy"},
	},
	Kinds: kinds(
		enforced("antrea docs/design/ovs-pipeline.md", networkPolicy),
		enforced("antrea docs/antrea-network-policy.md: AntreaPolicy is on by default since 1.0", antreaNetworkPolicy, antreaClusterNetworkPolicy),
		flagged("antrea docs/admin-network-policy.md: a feature gate, off by default", adminNetworkPolicy, baselineAdminNetworkPolicy),
		flagged("not confirmed", clusterNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS},
	Other: []string{
		"A node's connections to pods of other nodes come from its gateway's address, which lies in the pods' range (antrea issue 3078).",
		"Without AntreaProxy egress to a Service is judged on the Service's address (antrea docs/antrea-proxy.md).",
	},
}
