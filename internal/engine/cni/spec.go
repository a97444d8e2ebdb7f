package cni

// Spec is the name of the profile that reads policies as the API's text has it.
const Spec = "spec"

// spec is what the text of the API and of its documentation says. Where the text leaves a point
// open the answer is uncertain.
var spec = Profile{
	Name:    Spec,
	Title:   "the Kubernetes API text",
	Version: "networking.k8s.io/v1, Kubernetes 1.36",
	Facts: [Questions]Fact{
		Enforces:                  {Yes, "k8s.io/api networking/v1: what a policy means where something enforces it"},
		BlocksMatchPods:           {Yes, "kubernetes test/e2e/network/netpol: egress to a server in a CIDR block uses a pod address"},
		BlocksMatchNodes:          {Yes, "kubernetes.io network-policies: a CIDR is a range of addresses, whoever has them"},
		SelectorsMatchHost:        {Uncertain, "kubernetes.io network-policies: behaviour for hostNetwork pods is undefined"},
		HostNetworkJudged:         {No, "kubernetes.io network-policies: most plugins ignore hostNetwork pods"},
		JudgedBeforeService:       {Uncertain, "kubernetes.io network-policies: undefined whether translation happens before or after policy"},
		OwnNodeMayEnter:           {Yes, "k8s.io/api networking/v1: traffic from the pod's local node is allowed"},
		OwnNodeReachable:          {No, "k8s.io/api networking/v1: the exception is for ingress only"},
		SelectorsMatchServices:    {No, "k8s.io/api networking/v1: a podSelector selects pods"},
		LongestPrefixDecides:      {No, "k8s.io/api networking/v1: rules are additive"},
		IPv4EscapesIPv6:           {No, "k8s.io/api networking/v1: makes no such exception"},
		NodePortsEscape:           {No, "k8s.io/api networking/v1: makes no such exception"},
		StartsOpen:                {No, "kubernetes.io network-policies, pod lifecycle: isolated pods are isolated before they start"},
		UntypedRulesApply:         {No, "k8s.io/api networking/v1: policyTypes lists the directions that a policy is about"},
		UnselectedDenied:          {No, "k8s.io/api networking/v1: a pod that no policy selects is not isolated"},
		LabelsLeftOut:             {No, "k8s.io/api networking/v1: a podSelector selects by the labels of the pod"},
		PortNamesShared:           {No, "k8s.io/api networking/v1: a named port on a pod"},
		PortNamesOfAll:            {Yes, "k8s.io/api networking/v1: a named port on a pod"},
		IPv6Escapes:               {No, "k8s.io/api networking/v1: makes no such exception"},
		NodesUsePodRange:          {No, "k8s.io/api networking/v1: says nothing of it"},
		NodeSelectors:             {No, "k8s.io/api networking/v1: has no such peers"},
		EnforcesOnWindows:         {Uncertain, "no part of the API's text"},
		EnforcesOnHybrid:          {Uncertain, "no part of the API's text"},
		EnforcesWithoutAgent:      {Uncertain, "no part of the API's text"},
		OwnServiceOpen:            {Uncertain, "kubernetes issue 125611, network-policy-api PR 390: left open; only a pod's own address is exempt"},
		NegativeSelectorsMatchAll: {No, "k8s.io/api networking/v1: a namespaceSelector selects pods of namespaces"},
		NodePortsTranslatedFirst:  {Uncertain, "kubernetes.io network-policies: undefined whether translation happens before or after policy"},
		ExternalTranslatedFirst:   {Uncertain, "kubernetes.io network-policies: undefined whether translation happens before or after policy"},
		PodsShareTables:           {No, "k8s.io/api networking/v1: a policy is about the pods that it selects"},
		TablesMerge:               {No, "k8s.io/api networking/v1: a policy is about the pods that it selects"},
		StarsMatchDepth:           {Yes, "cilium Documentation/security/policy/layer3.rst, DNS based: as its own policies define it"},
		TakesOldForms:             {Yes, "cilium pkg/policy/api: as its own policies define it"},
		TakesNewForms:             {Yes, "cilium pkg/policy/api: as its own policies define it"},
		OnePodPerAddress:          {Uncertain, "kubernetes.io network-policies: speaks of pods; which of several has an address is not said"},
	},
	Kinds: kinds(
		enforced("k8s.io/api networking/v1", networkPolicy),
		flagged("no part of the API's text: the cluster's plugin decides", pluginKinds...),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS},
}

// Two profiles stand for clusters in which nothing enforces policies. They read policies as the
// text does, to say what would be denied.
var (
	none = unenforced("none", "no network policy engine",
		"kubernetes.io network-policies, prerequisites: without a controller that implements it a NetworkPolicy has no effect")
	flannel = unenforced("flannel", "flannel without a policy engine",
		"flannel documentation: it has none of its own; since chart 0.25.5 netpol.enabled adds kube-network-policies, off by default")
)

func unenforced(name, title, source string) Profile {
	p := derive(spec, Profile{
		Name:  name,
		Title: title,
		Facts: [Questions]Fact{
			Enforces:   {No, source},
			StartsOpen: {Yes, "nothing is ever in force"},
		},
		Other: []string{"Every other answer is the API text's, so that a report can say what the policies would deny if something enforced them."},
	})
	// Not those of the text as well, which leaves every other kind to the plugin.
	p.Kinds = enforced("read as written, to say what would be denied; nothing enforces it",
		networkPolicy, ciliumNetworkPolicy, ciliumClusterwideNetworkPolicy)
	return p
}
