package cni

var kubeRouter = Profile{
	Name:    "kube-router",
	Title:   "kube-router, also in k3s and k0s",
	Version: "kube-router 2",
	Facts: [Questions]Fact{
		Enforces:               {Yes, "kube-router pkg/controllers/netpol; where the kernel has no ipset it logs and does not (Dstack-TEE/dstack issue 792)"},
		BlocksMatchPods:        {Yes, "kube-router pkg/controllers/netpol/policy.go, evalIPBlockPeer: a hash:net set of addresses"},
		BlocksMatchNodes:       {Yes, "kube-router pkg/controllers/netpol/policy.go, evalIPBlockPeer: a hash:net set of addresses"},
		SelectorsMatchHost:     {No, "kube-router pkg/controllers/netpol, isNetPolActionable: hostNetwork pods are left out of peers"},
		SelectorsMatchServices: {No, "kube-router pkg/controllers/netpol/policy.go, evalPodPeer: addresses of pods"},
		HostNetworkJudged:      {No, "kube-router pkg/controllers/netpol, isNetPolActionable: hostNetwork pods are left out"},
		JudgedBeforeService:    {No, "kube-router pkg/controllers/netpol/pod.go: filter chains, after the address is translated"},
		OwnNodeMayEnter:        {Yes, "kube-router pkg/controllers/netpol/pod.go: a rule permits traffic whose source is the pod's local node"},
		OwnNodeReachable: {Uncertain, "kube-router pkg/controllers/netpol/network_policy_controller.go: node ports of the own node and Service addresses pass first, " +
			"the rest is judged in input"},
		LongestPrefixDecides:      {No, "kube-router pkg/controllers/netpol/policy.go: exceptions are nomatch entries, of one rule"},
		IPv4EscapesIPv6:           {No, "kube-router pkg/controllers/netpol/policy.go: sets and chains for both families"},
		NodePortsEscape:           {Uncertain, "kube-router pkg/controllers/netpol/network_policy_controller.go: node ports are let in; not confirmed what the pod's chain then sees"},
		StartsOpen:                {Yes, "kube-router pkg/controllers/netpol/pod.go: a pod's chain exists after the synchronisation that its event asks for"},
		UntypedRulesApply:         {Uncertain, "not confirmed"},
		UnselectedDenied:          {No, "kube-router docs: pods are open until a policy selects them"},
		LabelsLeftOut:             {No, "kube-router pkg/controllers/netpol: lists pods by their labels"},
		PortNamesShared:           {No, "kube-router pkg/controllers/netpol: named ports are resolved for each pod"},
		PortNamesOfAll:            {Yes, "kube-router pkg/controllers/netpol: named ports are resolved for each pod"},
		IPv6Escapes:               {No, "kube-router pkg/controllers/netpol: ip6tables as well"},
		NodesUsePodRange:          {Yes, "rancher/rke2 issue 1227: from an address in the pods' range"},
		NodeSelectors:             {No, "kube-router pkg/controllers/netpol: reads NetworkPolicy only, which has no such peers"},
		EnforcesOnWindows:         {No, "kube-router docs: iptables and ipsets, which Linux has"},
		EnforcesOnHybrid:          {Uncertain, "not confirmed"},
		EnforcesWithoutAgent:      {No, "EKS documentation, fargate: DaemonSets are not supported; what enforces policies is the DaemonSet's pod on the node"},
		OwnServiceOpen:            {Uncertain, "not confirmed"},
		NegativeSelectorsMatchAll: {No, "kube-router pkg/controllers/netpol: ipsets of the pods that match"},
	},
	Kinds: kinds(
		enforced("kube-router pkg/controllers/netpol", networkPolicy),
		ignored("kube-router pkg/controllers/netpol: reads NetworkPolicy only", adminKinds...),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS},
	Other: []string{
		"All blocks of one rule share one set: an exception of one block also takes addresses from another block of that rule that is no longer " +
			"(pkg/controllers/netpol/policy.go).",
		"The block ::/0 stands for 2000::/3 and fd00::/8 only (pkg/controllers/netpol/policy.go, evalIPBlockPeer).",
		"Between nodes a node's connections may come from an address in the pods' range (rancher/rke2 issue 1227).",
	},
}
