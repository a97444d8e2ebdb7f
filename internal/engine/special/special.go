// Package special lists the addresses that mean something of their own: credential endpoints,
// resolvers, private space.
//
// It is the one source for rules, generated policies and detection. Every entry names where the
// fact was read.
package special

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Kind says what an endpoint serves. The zero value is unknown.
type Kind uint8

const (
	UnknownKind Kind = iota
	Credential       // hands out identity tokens, instance data or secrets
	Resolver         // answers DNS
)

// Endpoint is one service at fixed addresses.
type Endpoint struct {
	Cloud   string // "AWS", "Google Cloud" ...
	Name    string
	Kind    Kind
	Addrs   []netip.Addr
	Conns   netset.Conns
	Default bool   // critical even where the cloud is not known
	Source  string // where the fact was read
}

// In reports whether e is one of a cloud's, or may be: which the others are is not listed.
func (e Endpoint) In(cloud string) bool {
	return e.Cloud == "any" || slices.Contains(e.clouds(), cloud) || slices.Contains(e.clouds(), "others")
}

func (e Endpoint) clouds() []string {
	return strings.Split(strings.ReplaceAll(e.Cloud, " and ", ", "), ", ")
}

// Clouds returns the names of the clouds whose endpoints are known.
func Clouds() []string {
	var out []string
	for _, e := range Endpoints {
		out = append(out, e.clouds()...)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return name == "any" || name == "others" })
}

// Endpoints lists every special endpoint. Ports that serve DNS on a credential address are the
// resolver's, not the credential endpoint's: on Google Cloud with Cloud DNS, 169.254.169.254 is the
// pods' own resolver.
var Endpoints = []Endpoint{
	{"AWS, Google Cloud, Azure and others", "instance metadata", Credential, addrs("169.254.169.254"), tcp(80), true,
		"botocore utils.py; cloud-init DataSourceEc2.py; aks-docs imds-restriction.md"},
	{"AWS", "instance metadata over IPv6", Credential, addrs("fd00:ec2::254"), tcp(80), true, "cloud-init DataSourceEc2.py"},
	{"Google Cloud", "GKE metadata server (Dataplane V2)", Credential, addrs("169.254.169.254"), tcp(8080), false,
		"GKE network policy documentation, as quoted by several projects"},
	{"Google Cloud", "GKE metadata server", Credential, addrs("169.254.169.252"), tcp(987, 988), false,
		"GKE network policy documentation, as quoted by several projects"},
	{"Google Cloud", "instance metadata over IPv6", Credential, addrs("fd20:ce::254"), tcp(80), false, "GCE documentation, quoted consistently by public code"},
	{"AWS", "ECS and Fargate task credentials", Credential, addrs("169.254.170.2"), tcp(80), false, "botocore ContainerMetadataFetcher"},
	{"AWS", "EKS Pod Identity agent", Credential, addrs("169.254.170.23", "fd00:ec2::23"), tcp(80), false, "botocore; EKS pod-id-agent-setup"},
	{"Azure", "WireServer", Credential, addrs("168.63.129.16"), tcp(80, 32526), false, "aks-docs private-clusters; port 32526 is not confirmed"},
	{"Alibaba Cloud", "instance metadata", Credential, addrs("100.100.100.200"), tcp(80), false, "cloud-init DataSourceAliYun.py"},
	{"Oracle Cloud", "instance metadata, classic and IPv6", Credential, addrs("192.0.0.192", "fd00:c1::a9fe:a9fe"), tcp(80), false, "cloud-init DataSourceOracle.py"},
	{"OpenStack, Hetzner", "instance metadata over IPv6", Credential, addrs("fe80::a9fe:a9fe"), tcp(80), false, "cloud-init DataSourceOpenStack.py, DataSourceHetzner.py"},
	{"Akamai", "instance metadata over IPv6", Credential, addrs("fd00:a9fe:a9fe::1"), tcp(80), false, "cloud-init DataSourceAkamai.py"},
	{"Scaleway", "instance metadata", Credential, addrs("169.254.42.42", "fd00:42::42"), tcp(80), false, "cloud-init DataSourceScaleway.py"},
	{"Tencent Cloud", "instance metadata", Credential, addrs("169.254.0.23"), tcp(80), false, "datadog-agent tencent package; tencentcloud.com document 213/4934"},
	{"any", "instance metadata through NAT64", Credential, addrs("64:ff9b::a9fe:a9fe"), tcp(80), false, "RFC 6052 form of 169.254.169.254"},

	{"Google Cloud and others", "Cloud DNS", Resolver, addrs("169.254.169.254"), dns, false, "tektoncd/operator issue 4000"},
	{"AWS", "Route 53 Resolver", Resolver, addrs("169.254.169.253", "fd00:ec2::253"), dns, false, "AWS VPC DNS documentation"},
	{"Azure", "VNet DNS", Resolver, addrs("168.63.129.16"), dns, false, "aks-docs private-clusters"},
	{"any", "NodeLocal DNSCache", Resolver, addrs("169.254.20.10", "169.254.25.10"), dns, false, "kubernetes.io nodelocaldns; kubespray default"},
	{"Azure", "AKS LocalDNS", Resolver, addrs("169.254.10.10", "169.254.10.11"), dns, false, "aks-docs localdns-custom.md"},
}

var dns = netset.ConnsOf(netset.UDP, netset.PortRange(53, 53)).Union(tcp(53))

func tcp(ports ...netset.Port) netset.Conns {
	return netset.ConnsOf(netset.TCP, netset.Points(ports...))
}

func addrs(texts ...string) []netip.Addr {
	out := make([]netip.Addr, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParseAddr(t)
	}
	return out
}

// IPv4 is every IPv4 address. NAT64 stands for them all where a NAT64 translates (RFC 6052, section
// 2.1).
var IPv4, NAT64 = netset.MustPrefixes("0.0.0.0/0"), netset.MustPrefixes("64:ff9b::/96")

// Plan is where pods, Services and nodes may have their addresses when nothing tells: private
// space, the shared and the benchmarking space that EKS custom networking and GKE use, GKE's default
// Service range, and the reserved block that GKE allows for pods (EKS documentation,
// cni-custom-network; GKE documentation, alias-ips).
var Plan = netset.MustPrefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "34.118.224.0/20", "240.0.0.0/4", "fc00::/7")

// LinkLocal is addresses that are each link's own.
var LinkLocal = netset.MustPrefixes("169.254.0.0/16", "fe80::/10")

// Private is address space that is not on the internet but can be routed to: the plan and
// link-local addresses.
var Private = Plan.Union(LinkLocal).Union(netset.MustPrefixes("192.0.0.0/24"))

// unroutable is space that no connection of a pod leaves it for, or that is no single host: this
// host, loopback, multicast, broadcast.
var unroutable = netset.MustPrefixes("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/127", "ff00::/8")

// Internet is everything else that a connection can be made to, without the special endpoints in
// it.
var Internet = netset.Universe.Minus(Private).Minus(unroutable).Minus(addrsOf(Credential))

// Hosts is where anything that a connection can be made to may have its address, but link-local.
var Hosts = Plan.Union(Internet)

// Reserved is what no pod, node or Service of a cluster can have as its own: the addresses of special
// endpoints, and link-local ones.
var Reserved = LinkLocal.Union(addrsOf(Credential)).Union(addrsOf(Resolver))

func addrsOf(kind Kind) netset.Addrs {
	var all []netip.Addr
	for _, e := range Endpoints {
		if e.Kind == kind {
			all = append(all, e.Addrs...)
		}
	}
	return netset.Points(all...)
}

// DNS is what a resolver answers on: port 53, over UDP and TCP. ResolverPods is what resolver pods
// may listen on, which on OpenShift is 5353; rules for any protocol open SCTP too, on which nothing
// answers.
var (
	DNS          = dns
	ResolverPods = netset.ConnsOf(netset.UDP, netset.Points[netset.Port](53, 5353)).Union(tcp(53, 5353)).
			Union(netset.ConnsOf(netset.SCTP, netset.Points[netset.Port](53, 5353)))
)

// ResolverSelector names the resolver pods of a distribution.
type ResolverSelector struct {
	Namespace string
	Pod       label.Selector
	Port      netset.Port // on which they listen
	Host      bool        // they are on the host network
	Source    string
}

// Resolvers lists the labels of the resolver pods by distribution.
var Resolvers = []ResolverSelector{
	{"kube-system", label.Equals(label.Set{"k8s-app": "kube-dns"}), 53, false, "kubernetes and k3s CoreDNS manifests; EKS, AKS, GKE and kind alike"},
	{"kube-system", label.Equals(label.Set{"k8s-app": "coredns"}), 53, false, "Canonical Kubernetes, tigera/operator issue 4652"},
	{"kube-system", label.Equals(label.Set{"k8s-app": "node-local-dns"}), 53, true, "kubernetes.io nodelocaldns"},
	{"openshift-dns", label.Equals(label.Set{"dns.operator.openshift.io/daemonset-dns": "default"}), 5353, false, "OpenShift DNS operator; openshift/kubernetes-nmstate issue 776"},
}

// MetadataIPv4 is where the instance metadata of most clouds answers.
var MetadataIPv4 = netset.MustPrefixes("169.254.169.254/32")

// OnNode is the addresses that agents on each node answer at, where they run: NodeLocal DNSCache,
// EKS Pod Identity, AKS LocalDNS, the GKE metadata server.
var OnNode = netset.MustPrefixes("169.254.20.10/32", "169.254.25.10/32", "169.254.170.23/32", "fd00:ec2::23/128", "169.254.10.10/31", "169.254.169.252/32")

// KubeAPI is what an API server listens on where nothing tells: the Service port and the usual
// target port.
var KubeAPI = tcp(443, 6443)

// How many addresses of the internet make an opening unrestricted: a /8 of IPv4, a /20 of IPv6.
// Such ranges belong to no single service; whole clouds, in which anybody can rent a machine, are
// of that size.
const (
	broadIPv4 = 1 << 24
	broadIPv6 = 1 << 108
)

// Broad reports whether addrs opens the internet as such, rather than some service on it.
func Broad(addrs netset.Addrs) bool {
	open := addrs.Intersect(Internet)
	v4 := open.Intersect(IPv4)
	return netset.Size(v4)+netset.Size(open.Intersect(NAT64)) >= broadIPv4 || netset.Size(open.Minus(v4)) >= broadIPv6
}
