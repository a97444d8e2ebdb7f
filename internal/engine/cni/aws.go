package cni

import "slices"

// Where no version is named, the VPC CNI is that of today.
var (
	awsVPCCNI       = everyAWSVPCCNI.through(Versions{"1.19", "1.23"}, Versions{"1.14", "1.23"})
	awsVPCCNIStrict = everyAWSVPCCNIStrict.through(Versions{"1.19", "1.23"}, Versions{"1.14", "1.23"})
)

var everyAWSVPCCNI = Profile{
	Name:    "aws-vpc-cni",
	Title:   "Amazon VPC CNI, standard mode",
	Family:  "AWS VPC CNI",
	Version: "aws-network-policy-agent 1.4.3, amazon-network-policy-controller-k8s 1.1.7",
	Cloud:   "AWS",
	Agent:   awsNode,
	Facts: [Questions]Fact{
		Enforces:           {Yes, "amazon-vpc-cni-k8s network-policy-faq: once enableNetworkPolicy is set, which it is not by default; Linux nodes only"},
		BlocksMatchPods:    {Yes, "aws-network-policy-agent pkg/fwruleprocessor: a trie of addresses, whoever has them"},
		BlocksMatchNodes:   {Yes, "aws-network-policy-agent pkg/fwruleprocessor: a trie of addresses, whoever has them"},
		SelectorsMatchHost: {Yes, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go: matching pods by status.podIP, hostNetwork or not"},
		SelectorsMatchServices: {Yes, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go, getMatchingServiceClusterIPs: adds the ClusterIPs of Services " +
			"whose selector satisfies the peer's"},
		HostNetworkJudged:    {No, "aws-network-policy-agent controllers/policyendpoints_controller.go, deriveTargetPods: skips pods whose address is the node's"},
		JudgedBeforeService:  {Yes, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go: the probe on the pod's interface sees the Service's address"},
		OwnNodeMayEnter:      {Yes, "aws-network-policy-agent pkg/fwruleprocessor/fw_rule_processor.go: an entry that allows the node's address is in every map"},
		OwnNodeReachable:     {Yes, "aws-network-policy-agent pkg/fwruleprocessor/fw_rule_processor.go: in the egress map as well"},
		LongestPrefixDecides: {Yes, "aws-network-policy-agent pkg/fwruleprocessor/fw_rule_processor.go: except becomes an entry that denies, unless a rule has that block"},
		IPv4EscapesIPv6:      {Yes, "aws-network-policy-agent README.md, enable-ipv6: the egress-only IPv4 interface is not secured; ENABLE_V4_EGRESS=false removes it"},
		NodePortsEscape: {Uncertain, "kube-proxy hides the client behind the node's address, which may enter if it is the pod's own node; " +
			"reasoned from pkg/fwruleprocessor, not seen"},
		StartsOpen:                {Yes, "amazon-network-policy-controller-k8s README.md: new pods come up with a default allow policy until they are reconciled"},
		UntypedRulesApply:         {Yes, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go: turns the rules of both directions into entries, whatever policyTypes says"},
		UnselectedDenied:          {No, "amazon-network-policy-controller-k8s README.md: a pod that no policy selects is open, in standard mode"},
		LabelsLeftOut:             {No, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go: lists pods by their labels"},
		PortNamesShared:           {No, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go, getPortList: resolved for each pod"},
		PortNamesOfAll:            {Yes, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go, getPortList: resolved for each pod"},
		IPv6Escapes:               {No, "aws-network-policy-agent pkg/ebpf/c/tc.v6ingress.bpf.c: judges the family of the cluster"},
		NodesUsePodRange:          {No, "EKS documentation: nodes and pods have addresses of the VPC; a node's own traffic has the node's"},
		NodeSelectors:             {Uncertain, "NetworkPolicy has no such peers; not confirmed for the AWS kinds"},
		EnforcesOnWindows:         {No, "EKS documentation, cni-network-policy: Linux nodes of Amazon EC2 only"},
		EnforcesOnHybrid:          {No, "EKS documentation, hybrid-nodes-cni: the VPC CNI is not compatible with hybrid nodes, and its DaemonSet keeps off them"},
		EnforcesWithoutAgent:      {No, "EKS documentation, fargate: DaemonSets are not supported; what enforces policies is the DaemonSet's pod on the node"},
		OwnServiceOpen:            {No, "aws-network-policy-agent pkg/ebpf/c/tc.v4egress.bpf.c: judges the Service's address, which no rule for the pod names"},
		NegativeSelectorsMatchAll: {No, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go: lists the pods of the namespaces that match"},
		NodePortsTranslatedFirst:  {No, "kubernetes pkg/proxy/iptables: node ports are matched with --dst-type LOCAL, so each node translates its own"},
		ExternalTranslatedFirst:   {No, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go: the probe on the pod's interface sees what the pod sends, before kube-proxy"},
		PodsShareTables:           {Yes, "aws-network-policy-agent pkg/utils/utils.go, GetPodIdentifier; PRs 576, 616, 676: pods without a controller called mcp-a and mcp-b are held to each other's policies"},
		StarsMatchDepth:           {No, "cilium pkg/fqdn/matchpattern: a form of Cilium's own policies, which are ignored here"},
		TakesOldForms:             {No, "cilium pkg/policy/api: forms of Cilium's own policies, which are ignored here"},
		TablesMerge:               {No, "aws-network-policy-agent 1.4.0 pkg/utils/utils.go, GetPodIdentifier: '@' stands between name and namespace, which neither can have"},
		TakesNewForms:             {No, "cilium pkg/policy/api: forms of Cilium's own policies, which are ignored here"},
		OnePodPerAddress:          {No, "amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go: selectors become the addresses of the pods that they match"},
	},
	Kinds: kinds(
		enforced("amazon-network-policy-controller-k8s internal/controllers", networkPolicy),
		flagged("EKS documentation, cni-network-policy: VPC CNI 1.21 and Kubernetes 1.29 or later", awsClusterNetworkPolicy),
		flagged("amazon-network-policy-controller-k8s api/v1alpha1; EKS documents it for Auto Mode", awsApplicationNetworkPolicy),
		ignored("amazon-network-policy-controller-k8s api/v1alpha1: its ClusterNetworkPolicy is networking.k8s.aws, another kind", adminKinds...),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS},
	places:    awsPlaces,
	before: []Past{{
		Version: "1.22.4", // the first with an agent later than 1.3.7
		Facts: [Questions]Fact{TablesMerge: {Yes, "aws-network-policy-agent 1.3.7 pkg/utils/utils.go, GetPodIdentifier: '-' stands between name and namespace; " +
			"amazon-vpc-cni-k8s charts/aws-vpc-cni/values.yaml: 1.22.3 has agent 1.3.7"}},
	}},
	carries: []carried{ // amazon-vpc-cni-k8s charts/aws-vpc-cni/values.yaml, nodeAgent.image.tag, of each release
		{Versions{"1.0", "1.3"}, Versions{"1.14", "1.22.3"}},
		{Versions{"1.4", "1.5"}, Versions{"1.22.4", "1.23"}},
	},
	PortsPerBlock: 24,
	LimitSource:   "aws-network-policy-agent pkg/ebpf/c/tc.v4ingress.bpf.c: MAX_PORT_PROTOCOL 24; EKS documentation, cni-network-policy",
	Other: []string{
		"A named port in an egress rule with an ipBlock peer is dropped, and the peer with it if no port is left; in an ingress rule it stands for the numbers of all pods " +
			"that the policy selects (pkg/resolvers/endpoints.go).",
		"A Service without a selector satisfies a peer whose selector is empty: its ClusterIP is then allowed too, the API server's included (pkg/resolvers/endpoints.go).",
		"An exception of exactly the node's own address, as a /32 or /128, takes the node's entry away (pkg/fwruleprocessor/fw_rule_processor.go, from source only).",
		"Policies are documented for pods that a controller made; those without ownerReferences are not said to be covered (EKS documentation, cni-network-policy).",
		"Rules of the other IP family are skipped: a cluster has one family (pkg/fwruleprocessor/fw_rule_processor.go, shouldSkipRule).",
		"Fargate and Windows nodes enforce nothing (EKS documentation, cni-network-policy).",
		"A map holds 65,536 entries per pod and direction (pkg/ebpf/c/tc.v4egress.bpf.c).",
		"A version before 1.14 is one of the network policy agent: VPC CNI 1.14 to 1.22.3 have agent 1.0 to 1.3, later ones 1.4 (charts/aws-vpc-cni/values.yaml).",
	},
}

var everyAWSVPCCNIStrict = derive(everyAWSVPCCNI, Profile{
	Name:  "aws-vpc-cni:strict",
	Title: "Amazon VPC CNI, strict mode",
	Facts: [Questions]Fact{
		StartsOpen:       {No, "aws-network-policy-agent pkg/rpc/rpc_handler.go: with NETWORK_POLICY_ENFORCING_MODE=strict a pod starts in default deny"},
		UnselectedDenied: {Yes, "aws-network-policy-agent controllers, strict mode: a pod that no policy selects stays in default deny"},
	},
	Other: slices.Concat([]string{
		"A policy for egress alone opens its pods' ingress (aws-network-policy-agent controllers, strict mode).",
	}, everyAWSVPCCNI.Other),
})

var eksAuto = derive(withoutAgent(awsVPCCNI), Profile{
	Name:    "eks-auto",
	Title:   "EKS Auto Mode",
	Version: "EKS documentation of 2026-08; the agent and controller of aws-vpc-cni",
	Facts: [Questions]Fact{
		Enforces:        {Yes, "EKS documentation, auto-net-pol: once ConfigMap kube-system/amazon-vpc-cni has enable-network-policy-controller \"true\""},
		IPv4EscapesIPv6: {Uncertain, "not confirmed for Auto Mode; " + awsVPCCNI.Facts[IPv4EscapesIPv6].Source},
		StartsOpen:      {Yes, "EKS documentation, auto-net-pol: NodeClass networkPolicy is DefaultAllow unless it says DefaultDeny"},
	},
	Kinds: enforced("EKS documentation, auto-net-pol", networkPolicy, awsApplicationNetworkPolicy, awsClusterNetworkPolicy),
	Resolvers: []Resolver{{Name: "CoreDNS as a service of the node", Port: 53, Always: true,
		Source: "EKS documentation, Auto Mode; containers-roadmap issue 2552: no pods to select, the DNS Service's address has to be allowed as a block"}},
	Other: slices.Concat([]string{
		"With the ConfigMap missing policies are accepted and not enforced: use the profile none (EKS documentation, auto-net-pol).",
		"Rules by domain name work here only (EKS documentation, ApplicationNetworkPolicy and ClusterNetworkPolicy).",
	}, awsVPCCNI.Other),
})
