package cni

var kubeNetworkPolicies = Profile{
	Name:    "kube-network-policies",
	Title:   "kube-network-policies, also in kindnet and the flannel chart",
	Version: "kube-network-policies 1.1.1",
	Facts: [Questions]Fact{
		Enforces:               {Yes, "kube-network-policies pkg/networkpolicy"},
		BlocksMatchPods:        {Yes, "kube-network-policies pkg/networkpolicy/networkpolicy.go, evaluateIPBlocks: the packet's address, whoever has it"},
		BlocksMatchNodes:       {Yes, "kube-network-policies pkg/networkpolicy/networkpolicy.go, evaluateIPBlocks: the packet's address, whoever has it"},
		SelectorsMatchHost:     {No, "kube-network-policies pkg/podinfo, InformerResolver: hostNetwork pods are not found by address"},
		SelectorsMatchServices: {No, "kube-network-policies pkg/networkpolicy/networkpolicy.go, evaluateSelectors: the pod that has the packet's address"},
		HostNetworkJudged:      {No, "kube-network-policies pkg/networkpolicy/networkpolicy.go, getLocalPodsForNetworkPolicy: skips hostNetwork pods"},
		JudgedBeforeService:    {No, "kube-network-policies pkg/dataplane/controller.go: judged in postrouting, DNS in prerouting after its translation"},
		OwnNodeMayEnter:        {Uncertain, "kube-network-policies pkg/dataplane/controller.go: what root sends on the node passes (meta skuid 0), other users are judged"},
		OwnNodeReachable:       {Uncertain, "kube-network-policies 1.1.1 pkg/dataplane/controller.go: judged in input; versions before did not (issue 283)"},
		LongestPrefixDecides:   {No, "kube-network-policies pkg/networkpolicy: each peer with its own exceptions"},
		IPv4EscapesIPv6:        {No, "kube-network-policies pkg/dataplane/controller.go: sets of pods for both families"},
		NodePortsEscape:        {No, "kube-network-policies pkg/dataplane/controller.go: all that goes to a pod is queued, before the source is translated"},
		StartsOpen:             {Yes, "kube-network-policies pkg/cmd/cmd.go: fail-open is true by default, and only pods already known are queued"},
		UntypedRulesApply:      {No, "kube-network-policies pkg/networkpolicy/networkpolicy.go: evaluates a direction only where policyTypes names it"},
		UnselectedDenied:       {No, "kube-network-policies pkg/networkpolicy: a pod that no policy selects is accepted"},
		LabelsLeftOut:          {No, "kube-network-policies pkg/networkpolicy: Kubernetes label selectors"},
		PortNamesShared:        {No, "kube-network-policies pkg/networkpolicy: resolved for the destination pod"},
		IPv6Escapes:            {No, "kube-network-policies pkg/dataplane: tables of both families"},
		NodesUsePodRange:       {Uncertain, "not confirmed: it depends on the plugin that routes"},
		NodeSelectors:          {Uncertain, "NetworkPolicy has no such peers; kube-network-policies plugins: the builds for admin policies have"},
	},
	Kinds: kinds(
		enforced("kube-network-policies cmd/kube-network-policies/standard", networkPolicy),
		flagged("kube-network-policies cmd/kube-network-policies/npa-v1alpha1: a build of its own", adminNetworkPolicy, baselineAdminNetworkPolicy),
		flagged("kube-network-policies cmd/kube-network-policies/npa-v1alpha2: a build of its own", clusterNetworkPolicy),
	),
	Resolvers: []Resolver{coreDNS, nodeLocalDNS},
	Other: []string{
		"While the controller is down connections pass: --fail-open is true by default (pkg/cmd/cmd.go).",
		"Connections that are established stay so until the policies are synchronised again (pkg/dataplane/conntrack.go).",
	},
}
