package model

import "net/netip"

// Facts is what is known of one cluster beside its objects: the addresses it uses, its DNS, its
// network plugin and its cloud. The zero value knows nothing. What could not be learned is in
// Unknown: a list that is empty there and not named in Unknown is known to be empty.
type Facts struct {
	Cloud    string         `json:"cloud,omitempty"` // as special.Endpoint names clouds: "AWS", "Google Cloud", "Azure"; "" where it is unknown or none
	CNI      string         `json:"cni,omitempty"`   // a name that cni.Named takes; "" where it is unknown
	Ranges   Ranges         `json:"ranges"`
	DNS      DNS            `json:"dns"`
	KubeAPI  []KubeEndpoint `json:"kubeAPI,omitempty"`
	Identity string         `json:"identity,omitempty"` // how pods get identities of the cloud: see the Identity constants; "" where it is unknown
	Unknown  []Unknown      `json:"unknown,omitempty"`
}

// Ranges is a cluster's address ranges by what lives in them. One may be in several lists: on EKS,
// pods and nodes live in the VPC's.
type Ranges struct {
	Nodes        []Range `json:"nodes,omitzero"`
	Pods         []Range `json:"pods,omitzero"`
	Services     []Range `json:"services,omitzero"`
	ControlPlane []Range `json:"controlPlane,omitzero"`
	VPC          []Range `json:"vpc,omitzero"`    // the networks the cluster is in
	Remote       []Range `json:"remote,omitzero"` // what is routed from there: peered networks, networks on premises
}

// Range is a range of addresses and where that was read, fit for a terminal.
type Range struct {
	CIDR   netip.Prefix `json:"cidr"`
	Source string       `json:"source"`
}

// DNS is how the cluster's pods resolve names.
type DNS struct {
	Resolvers []Resolver `json:"resolvers,omitempty"`
}

// Resolver is an address, or the pods of a namespace that a selector names, and the port on which
// they answer.
type Resolver struct {
	Addr      netip.Addr        `json:"address,omitzero"`
	Namespace string            `json:"namespace,omitempty"`
	Selector  map[string]string `json:"selector,omitempty"`
	Port      uint16            `json:"port"`
	Source    string            `json:"source,omitempty"`
}

// KubeEndpoint is where the API server answers.
type KubeEndpoint struct {
	Addr   netip.Addr `json:"address,omitzero"`
	Host   string     `json:"host,omitempty"` // where only a name is known
	Port   uint16     `json:"port"`
	Source string     `json:"source,omitempty"`
}

// How pods get identities of the cloud.
const (
	GKEWorkloadIdentity = "gke-workload-identity"
	EKSPodIdentity      = "eks-pod-identity"
	EKSIRSA             = "eks-irsa"
	AzureWorkload       = "azure-workload-identity"
	NoIdentity          = "none"
)

// Unknown is something that could not be learned.
type Unknown struct {
	What string `json:"what"` // the path of a field of Facts: "ranges.pods", "dns", "kubeAPI", "cni", "cloud", "identity"
	Why  string `json:"why"`  // in words, with what to do where that is known: "the caller lacks compute.subnetworks.get"
}

// Known reports whether a field of f, by its path, is complete as far as f says: Unknown does not
// name it.
func (f *Facts) Known(what string) bool {
	for _, u := range f.Unknown {
		if u.What == what {
			return false
		}
	}
	return true
}
