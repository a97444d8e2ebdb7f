package cni

// Spec is the name of the profile that reads policies as the API's text has it.
const Spec = "spec"

// Profiles lists every profile.
var Profiles = []Profile{{
	Name:    Spec,
	Title:   "the Kubernetes API text",
	Version: "networking.k8s.io/v1, Kubernetes 1.36",
	Facts: [Questions]Fact{
		Enforces:               {Yes, "k8s.io/api networking/v1"},
		BlocksMatchPods:        {Yes, "kubernetes test/e2e/network/netpol: egress to a server in a CIDR block uses a pod address"},
		BlocksMatchNodes:       {Yes, "kubernetes.io network-policies: a CIDR is a range of addresses, whoever has them"},
		SelectorsMatchHost:     {Uncertain, "kubernetes.io network-policies: behaviour for hostNetwork pods is undefined"},
		HostNetworkJudged:      {No, "kubernetes.io network-policies: most plugins ignore hostNetwork pods"},
		JudgedBeforeService:    {Uncertain, "kubernetes.io network-policies: undefined whether translation happens before or after policy"},
		OwnNodeMayEnter:        {Yes, "k8s.io/api networking/v1: traffic from the pod's local node is allowed"},
		OwnNodeReachable:       {No, "k8s.io/api networking/v1: the exception is for ingress only"},
		SelectorsMatchServices: {No, "k8s.io/api networking/v1: a podSelector selects pods"},
		LongestPrefixDecides:   {No, "k8s.io/api networking/v1: rules are additive"},
		IPv4EscapesIPv6:        {No, "k8s.io/api networking/v1: makes no such exception"},
		NodePortsEscape:        {No, "k8s.io/api networking/v1: makes no such exception"},
		StartsOpen:             {No, "kubernetes.io network-policies, pod lifecycle: isolated pods are isolated before they start"},
		NodeSelectors:          {No, "k8s.io/api networking/v1: has no such peers"},
	},
	Kinds: map[string]Fact{"networking.k8s.io NetworkPolicy": {Yes, "k8s.io/api networking/v1"}},
}}
