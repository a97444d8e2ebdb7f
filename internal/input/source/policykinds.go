package source

import "github.com/toolmoat/toolmoat/internal/engine/policy"

// scope says which pods an object of a policy kind may be about.
type scope uint8

const (
	noPolicy   scope = iota
	namespaced       // those of its own namespace
	clusterWide
	meshWide // those of its own namespace, or of all of them in the mesh's root namespace
)

// policyKind is a kind of policy that is recognised.
type policyKind struct {
	scope   scope
	subject string     // where a plain label selector narrows the scope; "" if none can be read
	dirs    directions // nil for both
	beside  bool       // it restricts networks beside the cluster's own, and nothing else
}

// What the kinds say of their directions: a NetworkPolicy in its policyTypes, the others by which
// rules they have.
var (
	byTypes        = typed("policyTypes")
	adminSections  = sections("subject", "priority", "tier")
	antreaSections = sections("appliedTo", "priority", "tier")
	ciliumSections = isolating("enableDefaultDeny", "endpointSelector", "nodeSelector", "labels", "description", "log")
)

// policyGroup is an API group with policies in it. A kind that neither list knows is taken for a
// policy about everything.
type policyGroup struct {
	policies map[string]policyKind
	ignored  []string // kinds that decide nothing on their own
}

// policyGroups lists every API group known to hold policies, whatever the version. Left out are
// kinds that only hold data for policies (sets of addresses, identities), that only mirror them
// (status, staging, what a controller derives), and that choose routes or source addresses but
// never refuse a connection.
var policyGroups = map[string]policyGroup{
	// v1 NetworkPolicy is decoded; any other version of the group is not.
	"networking.k8s.io": {
		policies: map[string]policyKind{"NetworkPolicy": {scope: namespaced, subject: "spec.podSelector", dirs: byTypes}},
		ignored:  []string{"Ingress", "IngressClass", "IPAddress", "ServiceCIDR"},
	},
	// The old home of NetworkPolicy among workloads; the API server has not served it since 1.16.
	"extensions": {
		policies: map[string]policyKind{"NetworkPolicy": {scope: namespaced, subject: "spec.podSelector", dirs: byTypes}},
		ignored:  []string{"Deployment", "DaemonSet", "ReplicaSet", "Ingress", "PodSecurityPolicy", "Scale"},
	},
	// https://network-policy-api.sigs.k8s.io
	"policy.networking.k8s.io": {
		policies: map[string]policyKind{
			"AdminNetworkPolicy":         {scope: clusterWide, subject: "spec.subject", dirs: adminSections},
			"BaselineAdminNetworkPolicy": {scope: clusterWide, subject: "spec.subject", dirs: adminSections},
			"ClusterNetworkPolicy":       {scope: clusterWide, subject: "spec.subject", dirs: adminSections},
		},
	},
	// v2 of the first two is decoded, as are v2 and v2alpha1 of CiliumCIDRGroup; any other version
	// is not. A CiliumLocalRedirectPolicy sends what is meant for one address to another pod, so it
	// is one here.
	"cilium.io": {
		policies: map[string]policyKind{
			"CiliumNetworkPolicy":            {scope: namespaced, subject: "spec.endpointSelector", dirs: ciliumSections},
			"CiliumClusterwideNetworkPolicy": {scope: clusterWide, subject: "spec.endpointSelector", dirs: ciliumSections},
			"CiliumLocalRedirectPolicy":      {scope: clusterWide},
		},
		ignored: []string{"CiliumBGPAdvertisement", "CiliumBGPClusterConfig", "CiliumBGPNodeConfig", "CiliumBGPNodeConfigOverride",
			"CiliumBGPPeerConfig", "CiliumBGPPeeringPolicy", "CiliumCIDRGroup", "CiliumClusterwideEnvoyConfig",
			"CiliumEgressGatewayPolicy", "CiliumEndpoint", "CiliumEndpointSlice", "CiliumEnvoyConfig", "CiliumExternalWorkload",
			"CiliumGatewayClassConfig", "CiliumIdentity", "CiliumL2AnnouncementPolicy", "CiliumLoadBalancerIPPool", "CiliumNode",
			"CiliumNodeConfig", "CiliumPodIPPool", "CiliumVTEPConfig"},
	},
	"crd.projectcalico.org": calico,
	"projectcalico.org":     calico,
	"crd.antrea.io": {
		policies: map[string]policyKind{
			"NetworkPolicy":        {scope: namespaced, dirs: antreaSections}, // what it applies to is a list of selectors
			"ClusterNetworkPolicy": {scope: clusterWide, dirs: antreaSections},
		},
		ignored: []string{"AntreaAgentInfo", "AntreaControllerInfo", "BGPPolicy", "ClusterGroup", "Egress", "ExternalEntity",
			"ExternalIPPool", "ExternalNode", "Group", "IPPool", "NodeLatencyMonitor", "PacketCapture", "SupportBundleCollection", "Tier",
			"Traceflow", "TrafficControl"},
	},
	// https://docs.aws.amazon.com/eks; a PolicyEndpoint is what the controller makes of a policy.
	"networking.k8s.aws": {
		policies: map[string]policyKind{
			"ApplicationNetworkPolicy": {scope: namespaced, subject: "spec.podSelector", dirs: byTypes},
			"ClusterNetworkPolicy":     {scope: clusterWide, subject: "spec.subject", dirs: adminSections},
		},
		ignored: []string{"ClusterPolicyEndpoint", "PolicyEndpoint"},
	},
	"vpcresources.k8s.aws": {
		policies: map[string]policyKind{"SecurityGroupPolicy": {scope: namespaced, subject: "spec.podSelector"}},
		ignored:  []string{"CNINode"},
	},
	"networking.gke.io": {
		policies: map[string]policyKind{"FQDNNetworkPolicy": {scope: namespaced, subject: "spec.podSelector", dirs: only(policy.Egress)}},
		ignored: []string{"FrontendConfig", "GCPBackendPolicy", "GCPGatewayPolicy", "GCPSessionAffinityFilter",
			"GCPSessionAffinityPolicy", "GCPTrafficDistributionPolicy", "GKENetworkParamSet", "HealthCheckPolicy", "ManagedCertificate",
			"Network", "NetworkInterface", "NetworkLogging", "ServiceNetworkEndpointGroup"},
	},
	// Primary user-defined networks cut pods off from those of other networks.
	"k8s.ovn.org": {
		policies: map[string]policyKind{
			"EgressFirewall":            {scope: namespaced, dirs: only(policy.Egress)},
			"UserDefinedNetwork":        {scope: namespaced},
			"ClusterUserDefinedNetwork": {scope: clusterWide},
		},
		ignored: []string{"AdminPolicyBasedExternalRoute", "EgressIP", "EgressQoS", "EgressService", "NetworkQoS", "RouteAdvertisements"},
	},
	// A NetNamespace joins or parts the networks of projects.
	"network.openshift.io": {
		policies: map[string]policyKind{
			"EgressNetworkPolicy": {scope: namespaced, dirs: only(policy.Egress)},
			"NetNamespace":        {scope: clusterWide},
		},
		ignored: []string{"ClusterNetwork", "HostSubnet"},
	},
	// PeerAuthentication refuses plain text; RequestAuthentication alone refuses nobody without a
	// token.
	"security.istio.io": {
		policies: map[string]policyKind{
			"AuthorizationPolicy": {scope: meshWide, subject: "spec.selector", dirs: atWorkloads},
			"PeerAuthentication":  {scope: meshWide, subject: "spec.selector", dirs: atWorkloads},
		},
		ignored: []string{"RequestAuthentication"},
	},
	// Istio calls none of these a security boundary: a Sidecar limits what the proxy is told, and a
	// pod can go round the proxy; a ServiceEntry adds names. They never let through what a policy
	// refuses.
	"networking.istio.io": {
		ignored: []string{"DestinationRule", "EnvoyFilter", "Gateway", "ProxyConfig", "ServiceEntry", "Sidecar", "VirtualService",
			"WorkloadEntry", "WorkloadGroup"},
	},
	"k8s.cni.cncf.io": {
		policies: map[string]policyKind{"MultiNetworkPolicy": {scope: namespaced, subject: "spec.podSelector", dirs: byTypes, beside: true}},
		ignored:  []string{"IPAMClaim", "NetworkAttachmentDefinition"},
	},
	"policy.linkerd.io": {
		policies: map[string]policyKind{
			"AuthorizationPolicy":      {scope: meshWide, dirs: only(policy.Ingress)}, // its target is a server or a namespace
			"EgressNetwork":            {scope: meshWide, dirs: only(policy.Egress)},
			"Server":                   {scope: namespaced, subject: "spec.podSelector", dirs: only(policy.Ingress)},
			"ServerAuthorization":      {scope: namespaced, dirs: only(policy.Ingress)},
			"HTTPLocalRateLimitPolicy": {scope: namespaced, dirs: only(policy.Ingress)},
		},
		ignored: []string{"ExternalWorkload", "GRPCRoute", "HTTPRoute", "MeshTLSAuthentication", "NetworkAuthentication", "TCPRoute", "TLSRoute"},
	},
}

// calico has the same kinds in the group of its API server and in that of its definitions. A Tier
// decides nothing without policies, and what is staged is not enforced. Profiles come from Calico
// itself where Kubernetes holds its data.
var calico = policyGroup{
	policies: map[string]policyKind{
		"NetworkPolicy":       {scope: namespaced, dirs: typed("types")}, // its selectors are expressions
		"GlobalNetworkPolicy": {scope: clusterWide, dirs: typed("types")},
		"HostEndpoint":        {scope: clusterWide},
	},
	ignored: []string{"BGPConfiguration", "BGPFilter", "BGPPeer", "BlockAffinity", "CalicoNodeStatus", "ClusterInformation",
		"FelixConfiguration", "GlobalNetworkSet", "IPAMBlock", "IPAMConfig", "IPAMConfiguration", "IPAMHandle", "IPPool",
		"IPReservation", "KubeControllersConfiguration", "Node", "NetworkSet", "Profile", "StagedGlobalNetworkPolicy",
		"StagedKubernetesNetworkPolicy", "StagedNetworkPolicy", "Tier", "WorkloadEndpoint"},
}

// policyScopes is the widest scope that a kind of policy has in any group: what a name alone tells.
var policyScopes = scopesByKind()

func scopesByKind() map[string]scope {
	scopes := map[string]scope{}
	for _, g := range policyGroups {
		for kind, k := range g.policies {
			s := k.scope
			if s == meshWide {
				s = clusterWide
			}
			scopes[kind] = max(scopes[kind], s)
		}
	}
	return scopes
}
