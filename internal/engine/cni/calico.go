package cni

import "slices"

var calico = Profile{
	Name:    "calico",
	Title:   "Calico, open source",
	Family:  "Calico",
	Version: "Calico 3.29 to 3.32, documentation of 2026-08",
	Agent:   calicoNode,
	Facts: [Questions]Fact{
		Enforces:               {Yes, "calico-docs network-policy: NetworkPolicy is enforced as soon as Calico runs"},
		BlocksMatchPods:        {Yes, "calico felix/rules/policy.go: nets become plain matches of source and destination addresses"},
		BlocksMatchNodes:       {Yes, "calico felix/rules/policy.go: nets become plain matches of source and destination addresses"},
		SelectorsMatchHost:     {No, "calico libcalico-go conversion.go, IsReadyCalicoPod: hostNetwork pods are no endpoints, so no selector finds them; issue 4667"},
		SelectorsMatchServices: {No, "calico felix/labelindex: selectors become sets of the addresses of endpoints"},
		HostNetworkJudged:      {No, "calico libcalico-go conversion.go, IsReadyCalicoPod: hostNetwork pods are no endpoints; host endpoints stand for nodes"},
		JudgedBeforeService:    {No, "calico-docs reference/resources/globalnetworkpolicy.mdx: enforced after connection tracking and any DNAT"},
		OwnNodeMayEnter:        {Yes, "calico felix/rules/static.go, filterOutputChain: host to endpoint is not policed"},
		OwnNodeReachable: {No, "calico felix/rules/static.go, filterWorkloadToHostChain: the pod's policies first, then defaultEndpointToHostAction, " +
			"which can only take more away"},
		LongestPrefixDecides:      {No, "calico felix/rules/policy.go: each rule has its own nets and notNets"},
		IPv4EscapesIPv6:           {No, "calico felix/rules: the same chains are rendered for both families"},
		NodePortsEscape:           {No, "calico felix/rules/static.go: policy is in the forward chain, before the source is translated"},
		StartsOpen:                {No, "calico felix/rules/dispatch.go: packets of an unknown workload interface are dropped until it is programmed"},
		UntypedRulesApply:         {No, "calico libcalico-go/lib/backend/k8s/conversion: policyTypes become the types of the policy, which decide what applies"},
		UnselectedDenied:          {No, "calico-docs kubernetes-policy: pods are open until a policy selects them"},
		LabelsLeftOut:             {No, "calico libcalico-go conversion: labels of the pod become those of the endpoint"},
		PortNamesShared:           {No, "calico felix, named ports: sets of address and port"},
		PortNamesOfAll:            {Yes, "calico felix, named ports: sets of address and port"},
		IPv6Escapes:               {No, "calico-docs: policy for IPv4 and IPv6"},
		NodesUsePodRange:          {Yes, "calico-docs: with tunnels, from the tunnel's address"},
		NodeSelectors:             {Uncertain, "calico-docs: peers of NetworkPolicy and GlobalNetworkPolicy select no nodes; not confirmed for the admin policies"},
		EnforcesOnWindows:         {Yes, "calico documentation, windows-calico: NetworkPolicy on Windows nodes, where the operator installs it there"},
		EnforcesOnHybrid:          {Yes, "EKS documentation, hybrid-nodes-cni: Cilium and Calico are supported"},
		EnforcesWithoutAgent:      {No, "EKS documentation, fargate: DaemonSets are not supported; what enforces policies is the DaemonSet's pod on the node"},
		OwnServiceOpen:            {Uncertain, "not confirmed: what comes back is masqueraded, and may be judged or not"},
		NegativeSelectorsMatchAll: {No, "calico libcalico-go conversion: a namespace selector matches the profiles of namespaces, which pods alone have"},
		NodePortsTranslatedFirst: {Uncertain, "kubernetes pkg/proxy/iptables: node ports are matched with --dst-type LOCAL, so each node translates its own; " +
			"calico felix/bpf/proxy/syncer.go: the eBPF data plane translates those of every node on the client's"},
		ExternalTranslatedFirst: {Yes, "calico-docs reference/resources/globalnetworkpolicy.mdx: enforced after any DNAT; calico issue 10664: what kube-proxy short-circuits is judged on the pod"},
		PodsShareTables:         {No, "calico felix: chains for each interface of a pod"},
		TablesMerge:             {No, "calico felix: chains for each interface of a pod"},
		StarsMatchDepth:         {No, "cilium pkg/fqdn/matchpattern: a form of Cilium's own policies, which are ignored here"},
		TakesOldForms:           {No, "cilium pkg/policy/api: forms of Cilium's own policies, which are ignored here"},
		TakesNewForms:           {No, "cilium pkg/policy/api: forms of Cilium's own policies, which are ignored here"},
		OnePodPerAddress:        {No, "calico felix/labelindex: a selector is an IP set, in which an address stays as long as some endpoint that matches has it"},
	},
	Kinds: kinds(
		enforced("calico-docs network-policy", networkPolicy),
		enforced("calico-docs reference/resources", calicoKinds...),
		flagged("network-policy-api implementations.md: Calico 3.29 to 3.31", adminNetworkPolicy, baselineAdminNetworkPolicy),
		flagged("network-policy-api implementations.md: Calico 3.32", clusterNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS},
	Other: []string{
		"Between nodes a node's own connections may come from its tunnel's address, which lies in the pods' range: a block with that range lets them in (calico-docs " +
			"node-local-dns-cache).",
		"NodeLocal DNSCache without connection tracking defeats the state match: replies are dropped where a policy denies ingress (calico issue 3795).",
		"defaultEndpointToHostAction may drop what a policy allows from a pod to its own node (calico-docs FelixConfiguration).",
	},
}

var gkeLegacy = derive(calico, Profile{
	Name:    "gke-legacy",
	Title:   "GKE without Dataplane V2, with network policy enabled (Calico)",
	Version: "GKE documentation of 2026-08, Calico source of 2026-08",
	Cloud:   "Google Cloud",
	Facts: [Questions]Fact{
		NodePortsTranslatedFirst: {No, "kubernetes pkg/proxy/iptables: node ports are matched with --dst-type LOCAL, so each node translates its own"},
		Enforces:                 {Yes, "GKE documentation, dataplane-v2: the earlier data plane uses Calico; only where networkPolicy.enabled is set"},
		StartsOpen:               {Uncertain, "not confirmed for Calico beside GKE's own pod network"},
		NodeSelectors:            {Uncertain, "not confirmed"},
		EnforcesOnWindows:        {No, "calico documentation, windows-calico limitations: GKE is not supported"},
	},
	Kinds: kinds(
		enforced("GKE documentation, network-policy", networkPolicy),
		flagged("not documented by GKE; its Calico may read them", slices.Concat(calicoKinds, adminKinds)...),
		flagged("GKE documentation, fqdn-network-policies: Dataplane V2 only; an archived operator made NetworkPolicies of a kind of the same name", gkeFQDNNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS, cloudDNS},
	places:    gkePlaces,
	Other: []string{
		"With networkPolicy.enabled unset nothing is enforced: use the profile none (GKE API, networkPolicy and addonsConfig.networkPolicyConfig).",
		"Workload Identity is reached on 169.254.169.252, TCP ports 987 and 988 (GKE network policy documentation, as quoted by several projects).",
	},
})
