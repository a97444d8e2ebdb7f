package facts

import "github.com/toolmoat/toolmoat/internal/input/source"

// Resources lists the objects of a live cluster that [Of] learns from. Those of plugins that a
// cluster does not run are not served there, which is no failure.
var Resources = []source.Resource{
	{Version: "v1", Plural: "nodes"},
	{Version: "v1", Plural: "serviceaccounts"},
	{Version: "v1", Plural: "services", Namespace: "kube-system"},
	{Version: "v1", Plural: "services", Namespace: "openshift-dns", Name: "dns-default"},
	{Version: "v1", Plural: "services", Namespace: "default", Name: "kubernetes"},
	{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "kubeadm-config"},
	{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "cilium-config"},
	{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "amazon-vpc-cni"},
	{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "coredns"},
	{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "node-local-dns"},
	{Group: "apps", Version: "v1", Plural: "daemonsets"},
	{Group: "discovery.k8s.io", Version: "v1", Plural: "endpointslices", Namespace: "default", Name: "kubernetes"},
	{Group: "networking.k8s.io", Version: "v1", Plural: "servicecidrs"},
	{Group: "cilium.io", Version: "v2", Plural: "ciliumnodes"},
	{Group: "cilium.io", Version: "v2alpha1", Plural: "ciliumpodippools"},
	{Group: "crd.projectcalico.org", Version: "v1", Plural: "ippools"},
	{Group: "crd.projectcalico.org", Version: "v1", Plural: "felixconfigurations"},
	{Group: "operator.tigera.io", Version: "v1", Plural: "installations"},
	{Group: "crd.k8s.amazonaws.com", Version: "v1alpha1", Plural: "eniconfigs"},
	{Group: "eks.amazonaws.com", Version: "v1", Plural: "nodeclasses"},
	{Group: "config.openshift.io", Version: "v1", Plural: "networks", Name: "cluster"},
}
