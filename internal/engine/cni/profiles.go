package cni

// Profiles lists every profile: the API's text, then the plugins by name.
var Profiles = []Profile{
	spec,
	aksCilium,
	antrea,
	awsVPCCNI,
	awsVPCCNIStrict,
	azureNPM,
	calico,
	cilium,
	ciliumNodes,
	ciliumPods,
	ciliumPodsNodes,
	eksAuto,
	flannel,
	gkeDPv2,
	gkeLegacy,
	kubeNetworkPolicies,
	kubeRouter,
	none,
	ovnKubernetes,
}
