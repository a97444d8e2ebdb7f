package facts

import (
	"net/netip"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// gkeCluster is what a cluster of the GKE API, v1, says. Field names:
// https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
type gkeCluster struct {
	name, project, region string
	network, subnet       string // "projects/P/..."
	at                    origin.Origin

	pods, services, control []model.Range
	named                   []gkeNamed     // ranges that only have a name
	subnets                 []gkeSubnetUse // beside the cluster's own

	public    []string // pools whose nodes have public addresses too
	dualStack bool
	v6        []model.Range // the cluster's range of IPv6 addresses, for nodes and pods

	endpoints []model.KubeEndpoint
	controlBy string // the subnetwork of the private endpoint
	openName  string // a public name of the control plane

	dataplane    string
	policies     bool // the network policy add-on enforces
	policiesOff  bool // the add-on is disabled
	autopilot    bool
	clusterDNS   string
	nodeLocal    bool
	workloadPool bool
}

// gkeNamed is a secondary range of a subnetwork, by name.
type gkeNamed struct{ subnet, name, source string }

// gkeSubnetUse is a subnetwork that nodes or pods of a cluster are in.
type gkeSubnetUse struct {
	subnet, source string
	pods           bool // pods have addresses of its primary range
}

// gcpSubnet is a subnetwork of the Compute API.
type gcpSubnet struct {
	network   string
	primary   []model.Range
	v6        []model.Range
	secondary map[string][]model.Range
}

// gcpPath returns the part of a URL or path from "projects/" on.
func gcpPath(text string) string {
	if i := strings.Index(text, "projects/"); i >= 0 && (i == 0 || text[i-1] == '/') {
		return doc.Clean(text[i:], 240)
	}
	return ""
}

// segment returns what follows a name in a path: "europe-west1" of regions in
// "projects/p/regions/europe-west1".
func segment(path, name string) string {
	parts := strings.Split(path, "/")
	for i := 0; i+1 < len(parts); i++ {
		if parts[i] == name {
			return parts[i+1]
		}
	}
	return ""
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// subnetPath makes a full path of a subnetwork that may be written as a name, in the project and
// region of another.
func (c *gkeCluster) subnetPath(text string) string {
	if p := gcpPath(text); p != "" || text == "" {
		return p
	}
	project, region := segment(c.subnet, "projects"), segment(c.subnet, "regions")
	if project == "" {
		project = c.project
	}
	if region == "" {
		region = c.region
	}
	return "projects/" + project + "/regions/" + region + "/subnetworks/" + doc.Clean(last(text), 80)
}

func (r *reading) gkeCluster(e entry) {
	c := &gkeCluster{name: e.key("name").word(), at: e.pos}
	c.project = segment(gcpPath(e.key("selfLink").Text()), "projects")
	location := e.key("location").Text()
	if location == "" {
		location = e.key("zone").Text()
	}
	if c.region = doc.Clean(location, 40); strings.Count(c.region, "-") == 2 { // a zone
		c.region = c.region[:strings.LastIndexByte(c.region, '-')]
	}
	net := e.key("networkConfig")
	c.network = gcpPath(net.key("network").Text())
	if c.network == "" && c.project != "" {
		c.network = "projects/" + c.project + "/global/networks/" + last(e.key("network").word())
	}
	if c.subnet = gcpPath(net.key("subnetwork").Text()); c.subnet == "" && e.has("subnetwork") {
		c.subnet = c.subnetPath(e.key("subnetwork").Text())
	}
	c.addresses(e, net)
	c.controlPlane(e)
	c.features(e, net)
	private := e.at("privateClusterConfig", "enablePrivateNodes").Bool() || net.key("defaultEnablePrivateNodes").Bool()
	for _, pool := range e.key("nodePools").items() {
		c.pool(pool, private)
	}
	if other := r.gke; other != nil && (other.name != c.name || other.project != c.project || other.region != c.region) {
		r.conflict(e, c.name, other.name)
		return
	} else if other != nil {
		c.at = other.at
		r.agree(e.pos, c.name, other, c)
	}
	r.gke = c
}

// addresses reads the cluster's own ranges.
func (c *gkeCluster) addresses(e entry, net value) {
	alloc := e.key("ipAllocationPolicy")
	for _, v := range []value{e.key("clusterIpv4Cidr"), alloc.key("clusterIpv4CidrBlock"), alloc.key("clusterIpv4Cidr")} {
		c.pods = unique(append(c.pods, v.ranges("pods")...))
	}
	for _, v := range []value{e.key("servicesIpv4Cidr"), alloc.key("servicesIpv4CidrBlock"), alloc.key("servicesIpv4Cidr")} {
		c.services = unique(append(c.services, v.ranges("services")...))
	}
	c.services = append(c.services, alloc.key("servicesIpv6CidrBlock").ranges("services, IPv6")...)
	c.dualStack = alloc.key("stackType").Text() == "IPV4_IPV6"
	c.v6 = alloc.key("subnetIpv6CidrBlock").ranges("node subnet " + last(c.subnet) + ", IPv6")

	more := alloc.key("additionalPodRangesConfig")
	for _, name := range more.key("podRangeNames").items() {
		c.namedRange(c.subnet, name.word(), "additional pod range")
	}
	for _, info := range more.key("podRangeInfo").items() {
		c.namedRange(c.subnet, info.key("rangeName").word(), "additional pod range")
	}
	for _, extra := range alloc.key("additionalIpRangesConfigs").items() {
		subnet := c.subnetPath(extra.key("subnetwork").Text())
		c.use(subnet, "additional node subnet", false)
		for _, name := range extra.key("podIpv4RangeNames").items() {
			c.namedRange(subnet, name.word(), "pods of additional subnet "+last(subnet))
		}
	}
}

func (c *gkeCluster) namedRange(subnet, name, source string) {
	if name != "" {
		c.named = append(c.named, gkeNamed{subnet, name, source + " " + name})
	}
}

func (c *gkeCluster) use(subnet, source string, pods bool) {
	if subnet != "" {
		c.subnets = append(c.subnets, gkeSubnetUse{subnet, source + " " + last(subnet), pods})
	}
}

// pool reads what a node pool has of its own.
func (c *gkeCluster) pool(p value, private bool) {
	name, net := p.key("name").word(), p.key("networkConfig")
	if own := net.key("enablePrivateNodes"); own.IsSet() && !own.Bool() || !own.IsSet() && !private {
		c.public = append(c.public, name)
	}
	subnet := c.subnet
	if s := c.subnetPath(net.key("subnetwork").Text()); s != "" && s != c.subnet {
		subnet = s
		c.use(s, "nodes of pool "+name+", subnet", false)
	}
	literal := net.key("podIpv4CidrBlock").ranges("pods of pool " + name)
	c.pods = append(c.pods, literal...)
	if len(literal) == 0 {
		c.namedRange(subnet, net.key("podRange").word(), "pods of pool "+name+",")
	}
	for _, extra := range net.key("additionalPodNetworkConfigs").items() {
		at, rng := c.subnetPath(extra.key("subnetwork").Text()), extra.key("secondaryPodRange").word()
		if rng == "" {
			c.use(at, "pods of pool "+name+", second interface, subnet", true)
		} else {
			c.namedRange(at, rng, "pods of pool "+name+", second interface,")
		}
	}
	for _, extra := range net.key("additionalNodeNetworkConfigs").items() {
		c.use(c.subnetPath(extra.key("subnetwork").Text()), "nodes of pool "+name+", second interface, subnet", false)
	}
}

// controlPlane reads where the control plane is, in both generations of the API.
func (c *gkeCluster) controlPlane(e entry) {
	private, ends := e.key("privateClusterConfig"), e.at("controlPlaneEndpointsConfig", "ipEndpointsConfig")
	c.control = private.key("masterIpv4CidrBlock").ranges("control plane")
	off := ends.key("enabled").IsSet() && !ends.key("enabled").Bool()
	c.endpoint(private.key("privateEndpoint"), "private endpoint")
	c.endpoint(private.key("publicEndpoint"), "public endpoint")
	if !off {
		c.endpoint(ends.key("privateEndpoint"), "private endpoint")
		c.endpoint(ends.key("publicEndpoint"), "public endpoint")
	}
	c.endpoint(e.key("endpoint"), "endpoint")
	for _, v := range []value{ends.key("privateEndpointSubnetwork"), private.key("privateEndpointSubnetwork")} {
		if c.controlBy == "" {
			c.controlBy = c.subnetPath(v.Text())
		}
	}
	if name := e.at("controlPlaneEndpointsConfig", "dnsEndpointConfig"); name.key("allowExternalTraffic").Bool() {
		if c.openName = name.key("endpoint").word(); c.openName != "" {
			c.endpoints = append(c.endpoints, model.KubeEndpoint{Host: c.openName, Port: 443, Source: "GKE, DNS endpoint"})
		}
	}
}

// endpoint reads one address, or name, of the control plane.
func (c *gkeCluster) endpoint(v value, what string) {
	text := v.Text()
	if text == "" {
		return
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		c.endpoints = append(c.endpoints, model.KubeEndpoint{Host: doc.Clean(text, 160), Port: 443, Source: "GKE, " + what})
		return
	}
	a = a.WithZone("").Unmap()
	for _, known := range c.endpoints {
		if known.Addr == a {
			return
		}
	}
	c.endpoints = append(c.endpoints, model.KubeEndpoint{Addr: a, Port: 443, Source: "GKE, " + what})
}

func (c *gkeCluster) features(e entry, net value) {
	c.dataplane = net.key("datapathProvider").Text()
	c.policies = e.at("networkPolicy", "enabled").Bool()
	c.policiesOff = e.at("addonsConfig", "networkPolicyConfig", "disabled").Bool()
	c.autopilot = e.at("autopilot", "enabled").Bool()
	c.clusterDNS = net.at("dnsConfig", "clusterDns").Text()
	c.nodeLocal = e.at("addonsConfig", "dnsCacheConfig", "enabled").Bool()
	c.workloadPool = e.at("workloadIdentityConfig", "workloadPool").Text() != ""
}

func (r *reading) gcpSubnet(e entry) {
	path := gcpPath(e.key("selfLink").Text())
	if segment(path, "subnetworks") == "" {
		region := last(e.key("region").Text())
		path = "projects/" + segment(gcpPath(e.key("network").Text()), "projects") + "/regions/" + region + "/subnetworks/" + e.key("name").word()
	}
	name := last(path)
	s := gcpSubnet{network: gcpPath(e.key("network").Text()), secondary: map[string][]model.Range{}, primary: e.key("ipCidrRange").ranges("subnet " + name)}
	for _, key := range []string{"ipv6CidrRange", "internalIpv6Prefix", "externalIpv6Prefix"} {
		s.v6 = unique(append(s.v6, e.key(key).ranges("subnet "+name+", IPv6")...))
	}
	for _, v := range e.key("secondaryIpRanges").items() {
		at := v.key("rangeName").word()
		s.secondary[at] = append(s.secondary[at], v.key("ipCidrRange").ranges("secondary range "+at)...)
	}
	e.wants(s.primary, s.v6)
	once(r, e.pos, r.gcpSubnets, path, s)
}
