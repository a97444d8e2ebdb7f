package source

import "strings"

// groupKind names a type of object, whatever its version.
type groupKind struct{ group, kind string }

// readers holds the kinds that are decoded. Another kind of a group of Kubernetes' own says nothing
// about reachability.
var readers = withRoutes(map[groupKind]func(*part, *object){
	{"", "Namespace"}:                                  (*part).namespace,
	{"", "Node"}:                                       (*part).node,
	{"", "ConfigMap"}:                                  (*part).configMap,
	{"", "Pod"}:                                        (*part).pod,
	{"", "ReplicationController"}:                      (*part).workload,
	{"", "Service"}:                                    (*part).service,
	{"", "Endpoints"}:                                  (*part).endpoints,
	{"discovery.k8s.io", "EndpointSlice"}:              (*part).endpointSlice,
	{"apps", "Deployment"}:                             (*part).workload,
	{"apps", "ReplicaSet"}:                             (*part).workload,
	{"apps", "StatefulSet"}:                            (*part).workload,
	{"apps", "DaemonSet"}:                              (*part).workload,
	{"extensions", "Deployment"}:                       (*part).workload,
	{"extensions", "ReplicaSet"}:                       (*part).workload,
	{"extensions", "DaemonSet"}:                        (*part).workload,
	{"k8s.cni.cncf.io", "NetworkAttachmentDefinition"}: (*part).attachment,
	{"k8s.ovn.org", "UserDefinedNetwork"}:              (*part).userNetwork,
	{"k8s.ovn.org", "ClusterUserDefinedNetwork"}:       (*part).userNetwork,
	{"node.k8s.io", "RuntimeClass"}:                    (*part).runtimeClass,
	{"batch", "Job"}:                                   (*part).workload,
	{"batch", "CronJob"}:                               (*part).workload,
	{"gateway.networking.k8s.io", "Gateway"}:           (*part).gateway,
	{"gateway.networking.k8s.io", "ReferenceGrant"}:    (*part).grant,
})

// withRoutes adds the kinds that lead to Services from outside the cluster.
func withRoutes(readers map[groupKind]func(*part, *object)) map[groupKind]func(*part, *object) {
	for gk := range routeKinds {
		readers[gk] = (*part).route
	}
	return readers
}

// groupVersionKind names a type of object.
type groupVersionKind struct{ group, version, kind string }

// policyReaders holds the policies that are decoded, and what they refer to, which other versions
// of their groups may write differently.
var policyReaders = map[groupVersionKind]func(*part, *object){
	{"networking.k8s.io", "v1", "NetworkPolicy"}:          (*part).networkPolicy,
	{"cilium.io", "v2", "CiliumNetworkPolicy"}:            (*part).ciliumPolicy,
	{"cilium.io", "v2", "CiliumClusterwideNetworkPolicy"}: (*part).ciliumPolicy,
	{"cilium.io", "v2", "CiliumCIDRGroup"}:                (*part).ciliumCIDRGroup,
	{"cilium.io", "v2alpha1", "CiliumCIDRGroup"}:          (*part).ciliumCIDRGroup,
}

// clusterKinds are the decoded kinds that live in no namespace.
var clusterKinds = map[string]bool{"Namespace": true, "Node": true, "RuntimeClass": true, "CiliumClusterwideNetworkPolicy": true, "CiliumCIDRGroup": true,
	"ClusterUserDefinedNetwork": true}

// coreKinds are kinds, by name alone, that are known to be no policies and no lists: a document of
// which only the kind can be read says nothing about reachability that a policy would have to stand
// for.
var coreKinds = coreKindSet()

func coreKindSet() map[string]bool {
	set := map[string]bool{}
	for gk := range readers {
		if _, ok := routeKinds[gk]; !ok || strings.HasSuffix(gk.group, ".k8s.io") { // others use common words, as Route
			set[gk.kind] = true
		}
	}
	for _, kind := range []string{
		"APIService", "Certificate", "ClusterIssuer", "ClusterRole", "ClusterRoleBinding", "ControllerRevision",
		"CustomResourceDefinition", "Event", "Gateway", "GatewayClass", "HorizontalPodAutoscaler", "IngressClass", "Issuer",
		"Kustomization", "Lease", "LimitRange", "MutatingWebhookConfiguration", "PersistentVolume", "PersistentVolumeClaim",
		"PodDisruptionBudget", "PodMonitor", "PodTemplate", "PriorityClass", "PrometheusRule", "ReferenceGrant", "ResourceQuota",
		"Role", "RoleBinding", "Secret", "ServiceAccount", "ServiceMonitor", "StorageClass",
		"ValidatingWebhookConfiguration", "VolumeSnapshot",
	} {
		set[kind] = true
	}
	return set
}
