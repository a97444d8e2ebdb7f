package cni

var azureNPM = Profile{
	Name:    "azure-npm",
	Title:   "Azure Network Policy Manager",
	Version: "azure-container-networking npm v2, AKS documentation of 2026-08",
	Cloud:   "Azure",
	Facts: [Questions]Fact{
		Enforces:               {Yes, "aks-docs use-network-policies.md; ends on Windows in 2026-09 and on Linux in 2028-09"},
		BlocksMatchPods:        {Yes, "aks-docs migrate-from-npm-to-cilium-network-policy.md: 0.0.0.0/0 allows all destinations, pods included"},
		BlocksMatchNodes:       {Yes, "aks-docs migrate-from-npm-to-cilium-network-policy.md: 0.0.0.0/0 allows all destinations, nodes included"},
		SelectorsMatchHost:     {No, "azure-container-networking npm/pkg/controlplane/controllers/v2/podController.go, needSync: hostNetwork pods are left out"},
		SelectorsMatchServices: {No, "azure-container-networking npm/pkg/controlplane/controllers/v2/podController.go: sets hold addresses of pods"},
		HostNetworkJudged:      {No, "azure-container-networking npm/pkg/controlplane/controllers/v2/podController.go, needSync: hostNetwork pods are left out"},
		JudgedBeforeService:    {No, "azure-container-networking npm/pkg/dataplane/policies: the chain is in FORWARD, after kube-proxy's translation"},
		OwnNodeMayEnter:        {Yes, "azure-container-networking npm/pkg/dataplane/policies: the chain is in FORWARD, which the node's own traffic does not pass"},
		OwnNodeReachable:       {Yes, "aks-docs migrate-from-npm-to-cilium-network-policy.md: egress to the pod's own node is implicitly allowed"},
		LongestPrefixDecides:   {No, "azure-container-networking npm/pkg/controlplane/translation: a set for each ipBlock, with its exceptions"},
		IPv4EscapesIPv6:        {No, "the other way round: IPv6 is not judged, see below"},
		NodePortsEscape:        {Yes, "aks-docs migrate-from-npm-to-cilium-network-policy.md: externalTrafficPolicy Cluster is not subject to ingress policy"},
		StartsOpen:             {Yes, "azure-container-networking npm/pkg/controlplane/controllers/v2/podController.go: a pod joins the sets after it has its address"},
		UntypedRulesApply:      {Uncertain, "not confirmed"},
		UnselectedDenied:       {No, "aks-docs use-network-policies.md: pods are open until a policy selects them"},
		LabelsLeftOut:          {No, "azure-container-networking npm: sets by label"},
		PortNamesShared:        {Uncertain, "not confirmed"},
		NodeSelectors:          {No, "azure-container-networking npm: reads NetworkPolicy only, which has no such peers"},
	},
	Kinds: kinds(
		enforced("azure-container-networking npm/pkg/controlplane/controllers/v2", networkPolicy),
		ignored("azure-container-networking npm/pkg/controlplane/controllers/v2: controllers for pods, namespaces and NetworkPolicy only",
			adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS, localDNS},
	Other: []string{
		"IPv6 is not supported: pods are known by their IPv4 address only (podController.go, syncAddedPod; aks-docs use-network-policies.md).",
		"On Windows named ports, SCTP, negative selectors and exceptions do not work (aks-docs use-network-policies.md).",
		"Policies with more than four blocks may be deleted and added again as a whole, which leaves a gap (aks-docs use-network-policies.md).",
	},
}
