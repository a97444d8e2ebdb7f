package cni

// Where no version is named, Cilium is that of today; AKS says which it has, and GKE does not.
var (
	cilium          = everyCilium.through(Versions{"1.19", "1.20"}, Versions{"1.14", "1.20"})
	ciliumNodes     = everyCiliumNodes.through(Versions{"1.19", "1.20"}, Versions{"1.17", "1.20"})
	ciliumPods      = everyCiliumPods.through(Versions{"1.20", "1.20"}, Versions{"1.20", "1.20"})
	ciliumPodsNodes = everyCiliumPodsNodes.through(Versions{"1.20", "1.20"}, Versions{"1.20", "1.20"})
	aksCilium       = everyAKSCilium.through(Versions{"1.14", "1.18"}, Versions{"1.14", "1.18"})
)

var everyCilium = Profile{
	Name:    "cilium",
	Title:   "Cilium, policy-cidr-match-mode unset",
	Family:  "Cilium",
	Version: "Cilium 1.19.1 and 1.20.2",
	Agent:   ciliumAgent,
	Facts: [Questions]Fact{
		Enforces:               {Yes, "cilium Documentation/security/policy/intro.rst: unless enable-policy is never"},
		BlocksMatchPods:        {No, "cilium Documentation/security/policy/language.rst, IP/CIDR based: CIDR rules do not apply between managed endpoints; seen with 1.19.1"},
		BlocksMatchNodes:       {No, "cilium Documentation/security/policy/language.rst, IP/CIDR based: nor to an address of a node in the cluster; seen with 1.19.1"},
		SelectorsMatchHost:     {No, "cilium Documentation/security/policy/language.rst, Entities based: hostNetwork pods are the host or remote-node entity"},
		SelectorsMatchServices: {No, "cilium pkg/policy: selectors match identities, which come from the labels of endpoints"},
		HostNetworkJudged:      {No, "cilium Documentation/security/policy/language.rst, Host Policies: hosts are selected by nodeSelector only, behind a flag"},
		JudgedBeforeService:    {No, "cilium bpf/bpf_lxc.c: Services are translated before egress policy"},
		OwnNodeMayEnter:        {Yes, "cilium Documentation/security/policy/language.rst: the local host may always connect, unless --allow-localhost=policy"},
		OwnNodeReachable:       {No, "cilium Documentation/security/policy/language.rst: toEntities host allows it, nothing else; seen with 1.19.1"},
		LongestPrefixDecides:   {No, "cilium pkg/policy/mapstate.go: deny beats allow, and every rule of an identity counts"},
		IPv4EscapesIPv6:        {No, "cilium bpf/bpf_lxc.c: both families are judged"},
		NodePortsEscape: {No, "cilium Documentation/security/policy/caveats.rst: judged as world or remote-node; behind kube-proxy as world " +
			"(bpf/bpf_lxc.c, issue 23603)"},
		StartsOpen:                {No, "cilium pkg/endpoint: an endpoint's policy is computed before it is ready"},
		UntypedRulesApply:         {Yes, "cilium 1.19.1 pkg/k8s/network_policy.go, ParseNetworkPolicy: keeps the rules of both directions, and each isolates"},
		UnselectedDenied:          {No, "cilium Documentation/security/policy/intro.rst: enforcement mode default, pods are open until a policy selects them"},
		LabelsLeftOut:             {Yes, "cilium 1.19.1 pkg/labelsfilter, defaultLabelPrefixCfg: pod-template-hash, the pod name of a StatefulSet and others, unless the labels option keeps them"},
		PortNamesShared:           {Yes, "cilium 1.19.1 pkg/endpoint/policy.go and pkg/types/portmap.go: names are looked up over all pods; one with two numbers is skipped"},
		PortNamesOfAll:            {Yes, "cilium PR 45760"},
		IPv6Escapes:               {No, "cilium Documentation/security/policy: both families"},
		NodesUsePodRange:          {No, "cilium Documentation/security/policy/layer3.rst: a node is known by its identity, whatever its address"},
		NodeSelectors:             {Uncertain, "cilium Documentation/security/policy/language.rst, Node based: only with --enable-node-selector-labels, off by default"},
		EnforcesOnWindows:         {No, "cilium Documentation/operations/system_requirements.rst: Linux nodes"},
		EnforcesOnHybrid:          {Yes, "EKS documentation, hybrid-nodes-cni: Cilium and Calico are supported"},
		EnforcesWithoutAgent:      {No, "EKS documentation, fargate: DaemonSets are not supported; what enforces policies is the DaemonSet's pod on the node"},
		OwnServiceOpen:            {Yes, "cilium bpf/lib/lb.h and issue 11593: hairpinned connections of an endpoint to itself skip policy"},
		StarsMatchDepth:           {Yes, "cilium 1.19 Documentation/operations/upgrade.rst and pkg/fqdn/matchpattern"},
		TakesOldForms:             {No, "cilium 1.20.2 pkg/policy/api/l4.go and rule_validation.go, and its definitions, have none of them"},
		TakesNewForms:             {Yes, "cilium 1.20.2 pkg/policy/api/entity.go and l4.go, and its definitions"},
		OnePodPerAddress:          {Yes, "cilium pkg/ipcache: an address has one identity, that of whoever came last"},
		NegativeSelectorsMatchAll: {Uncertain, "cilium issue 46949, PR 46996: what has no such label fits too, unless policy-default-local-cluster adds the label of the cluster"},
		NodePortsTranslatedFirst:  {Uncertain, "cilium Documentation/network/kubernetes/kubeproxy-free.rst: by socket or per packet with kube-proxy replacement, else by kube-proxy on the other node"},
		ExternalTranslatedFirst:   {Uncertain, "cilium Documentation/network/kubernetes/kubeproxy-free.rst: with kube-proxy replacement; else kube-proxy translates it after egress was judged"},
		PodsShareTables:           {No, "cilium pkg/maps/policymap: a map for each endpoint"},
		TablesMerge:               {No, "cilium pkg/maps/policymap: a map for each endpoint"},
	},
	Kinds: kinds(
		enforced("cilium Documentation/network/kubernetes/policy.rst", networkPolicy, ciliumNetworkPolicy, ciliumClusterwideNetworkPolicy),
		flagged("cilium Documentation/network/kubernetes/local-redirect-policy.rst: only with localRedirectPolicies.enabled", ciliumLocalRedirectPolicy),
		flagged("cilium 1.20 Documentation/network/kubernetes/policy.rst: only with --enable-k8s-cluster-network-policy", clusterNetworkPolicy),
		ignored("cilium 1.19.1: no code reads it, and its go.mod has no network-policy-api", adminNetworkPolicy, baselineAdminNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS},
	Other: []string{
		"A policy with egressDeny or ingressDeny alone puts its pods into default deny for that direction, unless enableDefaultDeny says false " +
			"(pkg/policy/api/rule_validation.go).",
		"The EKS Pod Identity agent, 169.254.170.23, is on the node: toEntities host lets to it, a CIDR does not (cilium issue 34387).",
		"A named port may not be enforced where the name stands for several numbers (cilium issue 30003); endPort in NetworkPolicy is read since 1.17.",
		"With --allow-localhost=policy a pod's own node is judged like anybody.",
	},
	before: []Past{{
		Version: "1.20",
		Facts: [Questions]Fact{
			TakesOldForms:  {Yes, "cilium 1.19.1 pkg/policy/api/l4.go and rule_validation.go, and its definitions"},
			PortNamesOfAll: {No, "cilium 1.19.1 pkg/types/portmap.go: a name with two numbers is skipped"},
			TakesNewForms:  {No, "cilium 1.19.1 pkg/policy/api/entity.go and l4.go, and its definitions, have none of them"},
		},
		Kinds: ignored("cilium 1.19.1: no code reads it, and its go.mod has no network-policy-api", clusterNetworkPolicy),
	}, {
		Version: "1.19",
		Facts:   [Questions]Fact{StarsMatchDepth: {No, "cilium 1.18.2 pkg/fqdn/matchpattern: ** is read as *"}},
	}, {
		Version: "1.18",
		Facts: [Questions]Fact{NegativeSelectorsMatchAll: {Yes, "cilium 1.17.0 pkg/k8s/network_policy.go, parseNetworkPolicyPeer: " +
			"adds neither a namespace nor the cluster to such a selector, and no option does"}},
	}},
}

// The modes of policy-cidr-match-mode, in which CIDRs also match nodes, pods or both.
var (
	everyCiliumNodes = derive(everyCilium, Profile{
		Name:  "cilium:cidr-match=nodes",
		Title: "Cilium, policy-cidr-match-mode nodes",
		Facts: [Questions]Fact{
			BlocksMatchNodes: {Yes, "cilium Documentation/security/policy/language.rst, Selecting nodes with CIDR"},
			OwnNodeReachable: {Uncertain, "cilium pkg/node/manager/manager.go, nodeIdentityLabels: the own node has all of its addresses at once, its " +
				"router's in the pods' range included, and a block with any of them lets to it"},
		},
	})
	everyCiliumPods = derive(everyCilium, Profile{
		Name:    "cilium:cidr-match=pods",
		Title:   "Cilium, policy-cidr-match-mode pods",
		Version: "Cilium 1.20.2",
		Facts: [Questions]Fact{
			BlocksMatchPods: {Yes, "cilium 1.20.2 Documentation/cmdref, --policy-cidr-match-mode: takes pods"},
		},
	})
	everyCiliumPodsNodes = derive(everyCiliumNodes, Profile{
		Name:    "cilium:cidr-match=pods+nodes",
		Title:   "Cilium, policy-cidr-match-mode pods and nodes",
		Version: everyCiliumPods.Version,
		Facts:   [Questions]Fact{BlocksMatchPods: everyCiliumPods.Facts[BlocksMatchPods]},
	})
)

var everyAKSCilium = derive(everyCilium, Profile{
	Name:    "aks-cilium",
	Title:   "Azure CNI powered by Cilium",
	Version: "AKS documentation of 2026-08, Cilium 1.14 to 1.18",
	Cloud:   "Azure",
	Facts: [Questions]Fact{
		Enforces:          {Yes, "aks-docs azure-cni-powered-by-cilium.md: policy enforcement is part of the data plane; Linux nodes only"},
		BlocksMatchPods:   {No, "aks-docs migrate-from-npm-to-cilium-network-policy.md: ipBlock does not allow pod addresses"},
		BlocksMatchNodes:  {No, "aks-docs migrate-from-npm-to-cilium-network-policy.md: ipBlock does not allow node addresses"},
		HostNetworkJudged: {No, "aks-docs azure-cni-powered-by-cilium.md: policies do not apply to hostNetwork pods"},
		OwnNodeReachable:  {No, "aks-docs migrate-from-npm-to-cilium-network-policy.md: egress to the node's address is blocked unless allowed"},
		NodePortsEscape:   {No, "aks-docs migrate-from-npm-to-cilium-network-policy.md: enforced on all traffic, externalTrafficPolicy Cluster included"},
		NodeSelectors:     {Uncertain, "aks-docs azure-cni-powered-by-cilium.md: AKS manages the configuration; whether it sets --enable-node-selector-labels is not said"},
	},
	Kinds: kinds(
		enforced("aks-docs azure-cni-powered-by-cilium.md, supported features; names and L7 rules need ACNS", networkPolicy, ciliumNetworkPolicy,
			ciliumClusterwideNetworkPolicy),
		enforced("aks-docs azure-cni-powered-by-cilium.md: supported from Kubernetes 1.29", ciliumLocalRedirectPolicy),
		flagged("not documented by AKS", clusterNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS, localDNS},
	Other: []string{
		"Rules by name or by L7 need Advanced Container Networking Services; with it disabled they block (aks-docs container-network-security-fqdn-filtering-concepts.md).",
		"Kubernetes 1.31 and earlier may have a Cilium older than 1.17, which does not read endPort (aks-docs azure-cni-powered-by-cilium.md).",
		"LocalDNS is matched by a CIDR up to Cilium 1.16 and by toEntities host from 1.17 (aks-docs localdns-custom.md).",
	},
})

var gkeDPv2 = derive(everyCilium.during(Versions{"1.14", "1.20"}), Profile{
	Name:    "gke-dpv2",
	Title:   "GKE Dataplane V2",
	Version: "GKE documentation of 2026-08 and field reports up to 2026-09",
	Cloud:   "Google Cloud",
	Facts: [Questions]Fact{
		Enforces:          {Yes, "GKE documentation, dataplane-v2: NetworkPolicy is always on"},
		BlocksMatchPods:   {No, "tryretool/retool-helm issue 375: a policy with blocks alone cut every in-cluster destination"},
		BlocksMatchNodes:  {No, "GKE documentation, dataplane-v2: implemented with Cilium; kube-agents issue 747: an ipBlock cannot match a node address"},
		HostNetworkJudged: {No, "GKE documentation, dataplane-v2: implemented with Cilium, which selects no hostNetwork pods"},
		JudgedBeforeService: {No, "GKE documentation, fqdn-network-policies: GKE translates a Service's address to pods' before it evaluates policy; " +
			"cilium 1.19.1 bpf/bpf_lxc.c, __tail_handle_ipv4: so with socket or per-packet translation"},
		NodePortsEscape: {No, "GKE documentation, dataplane-v2: no kube-proxy; Cilium judges it as world or remote-node"},
		NodeSelectors:   {Uncertain, "not confirmed"},
	},
	Kinds: kinds(
		enforced("GKE documentation, dataplane-v2", networkPolicy),
		flagged("GKE API, networkConfig.enableCiliumClusterwideNetworkPolicy", ciliumClusterwideNetworkPolicy),
		ignored("GKE documentation, dataplane-v2: not offered to users", ciliumNetworkPolicy),
		flagged("GKE API, networkConfig.enableFqdnNetworkPolicy", gkeFQDNNetworkPolicy),
		flagged("not confirmed", ciliumLocalRedirectPolicy, adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS, cloudDNS},
	places:    gkePlaces,
	Other: []string{
		"Workload Identity is reached on 169.254.169.254, TCP ports 80 and 8080 (GKE network policy documentation, as quoted by several projects).",
		"NodeLocal DNSCache is always on in Autopilot, and by default in Standard from 1.33.1 (GKE documentation, nodelocal-dns-cache).",
	},
})
