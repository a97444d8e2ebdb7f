package cni

import "github.com/toolmoat/toolmoat/internal/engine/netset"

// Object is a kind of thing whose addresses the input may not show.
type Object uint8

const (
	Pods Object = iota
	Services
	Nodes
	KubeAPI // what the API server answers on, without its Service

	Objects // how many there are
)

// objects is how people call them, and machine output.
var objects = [Objects]struct{ name, id string }{{"pods", "pods"}, {"Services", "services"}, {"nodes", "nodes"}, {"the API server", "kubeApi"}}

// String is how people call the objects.
func (o Object) String() string { return objects[o].name }

// Name is what machine output calls the objects.
func (o Object) Name() string { return objects[o].id }

// Place says where addresses lie that the input does not show.
type Place struct {
	Name     string       // of the platform, "" for every other one
	Typical  netset.Addrs // where clusters have them that nobody set up otherwise
	Possible netset.Addrs // wherever they can be
	Source   string
}

// Place says where objects of p have their addresses.
func (p Profile) Place(o Object) Place {
	if at := p.places[o]; at.Source != "" {
		return at
	}
	return Anywhere
}

// Anywhere is for platforms that leave it to who sets up the cluster.
var Anywhere = Place{"", private, all,
	"RFC 1918 and RFC 4193: clusters are built in private space unless their owner has reasons not to; kubeadm, kOps, EKS, AKS and GKE examples alike. " +
		"Any other may be used privately: GKE documentation, alias-ips, privately used public IPs"}

var (
	all     = netset.MustPrefixes("0.0.0.0/0", "::/0")
	private = netset.MustPrefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)

// awsPlaces are those of EKS, whose clusters have addresses of one family for pods and Services:
// those of IPv6 come from the VPC, but for Services.
var awsPlaces = [Objects]Place{
	Pods:     awsVPC,
	Services: {"EKS", private, netset.MustPrefixes("0.0.0.0/0", "fc00::/7"), "EKS documentation, cni-ipv6: Services have unique local addresses that EKS picks; kubernetesNetworkConfig.serviceIpv4Cidr in RFC 1918 space"},
	Nodes:    awsVPC,
	KubeAPI:  awsVPC,
}

var awsVPC = Place{
	"EKS",
	netset.MustPrefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "2000::/3"),
	netset.MustPrefixes("0.0.0.0/0", "2000::/3"),
	"EKS documentation, network-reqs and cni-ipv6: of the VPC's blocks, which for IPv6 are public space; cni-custom-network: 100.64.0.0/10 and 198.19.0.0/16 once it is set up",
}

// gkePlaces are those of GKE.
var gkePlaces = [Objects]Place{
	Pods: gkeVPC,
	Services: {"GKE", private.Union(netset.MustPrefixes("34.118.224.0/20", "2600:2d00:0:4::/64")), all,
		"GKE documentation, alias-ips: Services are in 34.118.224.0/20 unless a range is given, those of IPv6 in 2600:2d00:0:4::/64"},
	Nodes:   gkeVPC,
	KubeAPI: gkeVPC,
}

var gkeVPC = Place{
	"GKE", private.Union(netset.MustPrefixes("2000::/3")), all,
	"GKE documentation, alias-ips: of subnets, which are in RFC 1918 space unless somebody chose otherwise; those of IPv6 in fd20::/20 or public space",
}
