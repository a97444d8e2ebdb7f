package facts

import (
	"net/netip"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// Routes, routers and lists of the Compute API, v1:
// https://cloud.google.com/compute/docs/reference/rest/v1

// gcpRoute is a route out of a network that leads neither to the internet nor to its own
// subnetworks.
type gcpRoute struct {
	dest netip.Prefix
	via  string
}

// hops are the fields that say where a route leads, but for the internet gateway and the network
// itself.
var hops = []string{"nextHopPeering", "nextHopVpnTunnel", "nextHopInterconnectAttachment", "nextHopHub", "nextHopInstance", "nextHopIp", "nextHopIlb"}

func (r *reading) gcpRoute(e entry) {
	network := gcpPath(e.key("network").Text())
	r.gcpRoutes[network] = append(r.gcpRoutes[network], readHops(e.value, "")...)
}

// readHops reads a route, if it leads to another network.
func readHops(v value, otherwise string) []gcpRoute {
	dest, ok := v.key("destRange").prefix()
	if !ok {
		return nil
	}
	via := otherwise
	for _, hop := range hops {
		if to := v.key(hop); to.IsSet() && to.Text() != "" {
			via = last(to.word())
			break
		}
	}
	if via == "" {
		return nil
	}
	return []gcpRoute{{dest, via}}
}

// gcpRouter counts a router that learns routes. One for Cloud NAT alone has no peers.
func (r *reading) gcpRouter(e entry) {
	if len(e.key("bgpPeers").items()) > 0 {
		r.gcpRouters[gcpPath(e.key("network").Text())]++
	} else {
		r.gcpRouters[gcpPath(e.key("network").Text())] += 0
	}
}

func (r *reading) gcpRouterStatus(e entry) {
	result := e.key("result")
	network := gcpPath(result.key("network").Text())
	r.gcpStatuses[network]++
	for _, list := range []string{"bestRoutes", "bestRoutesForRouter"} {
		for _, route := range result.key(list).items() {
			r.gcpRoutes[network] = append(r.gcpRoutes[network], readHops(route, "a Cloud Router")...)
		}
	}
}

// gcpList reads a list of the REST interface: of one region, or of all by region.
func (r *reading) gcpList(e entry) {
	if token := e.key("nextPageToken"); token.IsSet() && token.Text() != "" {
		token.Fail("the list goes on", "ask for the other pages and put the items into one list")
	}
	items := e.key("items")
	var all []value
	if items.IsMap() {
		for _, scope := range items.Entries() {
			for _, list := range []string{"subnetworks", "routers", "routes"} {
				all = append(all, value{scope}.key(list).items()...)
			}
		}
	} else {
		all = items.items()
	}
	for _, item := range all {
		r.entry(entry{item, e.line(item)}, nil)
	}
	switch kind := kindOf(e); {
	case strings.HasPrefix(kind, "compute#routerAggregated"):
		r.gcpProjects[segment(e.key("id").Text(), "projects")] = true
	case kind == "compute#subnetworkAggregatedList", kind == "compute#routeList":
		r.gcpListed(all)
	}
}

// gcpListed notes of which networks a list has all there is: it is one that the command prints,
// which asks for every region.
func (r *reading) gcpListed(items []value) {
	for _, item := range items {
		if !item.IsMap() {
			return
		}
		network := gcpPath(item.key("network").Text())
		switch e := (entry{value: item}); kindOf(e) {
		case "compute#subnetwork":
			r.gcpNetworks[network] = true
		case "compute#route":
			r.gcpRouted[network] = true
		case "compute#router":
			r.gcpProjects[segment(network, "projects")] = true
		}
	}
}

// google adds what a GKE cluster and its subnetworks say.
func (b *builder) google() {
	c := b.gke
	if c == nil {
		return
	}
	b.Cloud = "Google Cloud"
	b.settle(fieldCloud, fieldServices)
	add(&b.Ranges.Pods, unique(c.pods)...)
	add(&b.Ranges.Services, c.services...)
	b.gkeSubnets(c)
	b.gkeControlPlane(c)
	b.gkeNetworks(c)
	if len(c.pods) == 0 {
		b.missing(fieldPods, "the description of GKE cluster %s names no range of pods", c.name)
	}
	if len(c.services) == 0 {
		b.missing(fieldServices, "the description of GKE cluster %s names no range of services", c.name)
	}
	if c.dualStack && !hasV6(c.services) {
		b.missing(fieldServices, "GKE cluster %s is dual stack, and its description has no servicesIpv6CidrBlock", c.name)
	}
}

func hasV6(list []model.Range) bool {
	for _, r := range list {
		if r.CIDR.Addr().Is6() {
			return true
		}
	}
	return false
}

// gkeSubnets adds the ranges of nodes, and those of pods that only have a name.
func (b *builder) gkeSubnets(c *gkeCluster) {
	b.settle(fieldNodes, fieldPods)
	uses := append([]gkeSubnetUse{{c.subnet, "node subnet " + last(c.subnet), false}}, c.subnets...)
	if c.subnet == "" {
		b.missing(fieldNodes, "the description of GKE cluster %s names no subnetwork", c.name)
		uses = uses[1:]
	}
	add(&b.Ranges.Nodes, c.v6...)
	if c.dualStack {
		add(&b.Ranges.Pods, c.v6...)
	}
	b.publicNodes("pool", c.public)
	v6 := len(c.v6) > 0
	for _, u := range uses {
		s, ok := b.gcpSubnets[u.subnet]
		if !ok {
			b.need(Need{GoogleSubnet, u.subnet}, fieldNodes, "the range of %s was not read", u.source)
			if u.pods || c.dualStack {
				b.need(Need{GoogleSubnet, u.subnet}, fieldPods, "the ranges of %s were not read", u.source)
			}
			continue
		}
		add(&b.Ranges.Nodes, from(s.primary, u.source)...)
		add(&b.Ranges.Nodes, from(s.v6, u.source+", IPv6")...)
		if u.pods {
			add(&b.Ranges.Pods, from(s.primary, u.source)...)
		}
		if c.dualStack { // pods have addresses of the range that the node's interface has
			add(&b.Ranges.Pods, from(s.v6, u.source+", IPv6")...)
			v6 = v6 || len(s.v6) > 0
		}
	}
	if c.dualStack && !v6 {
		b.missing(fieldPods, "GKE cluster %s is dual stack, and no IPv6 range of its subnetwork was read", c.name)
	}
	for _, n := range c.named {
		s, ok := b.gcpSubnets[n.subnet]
		if !ok {
			b.need(Need{GoogleSubnet, n.subnet}, fieldPods, "the range of %s was not read", n.source)
			continue
		}
		if list := s.secondary[n.name]; len(list) > 0 {
			add(&b.Ranges.Pods, from(list, n.source)...)
		} else {
			b.missing(fieldPods, "subnetwork %s, as it was read, has no secondary range %s", last(n.subnet), n.name)
		}
	}
}

// from returns ranges with another source.
func from(list []model.Range, source string) []model.Range {
	out := make([]model.Range, len(list))
	for i, r := range list {
		out[i] = model.Range{CIDR: r.CIDR, Source: source}
	}
	return out
}

func (b *builder) gkeControlPlane(c *gkeCluster) {
	b.settle(fieldControlPlane, fieldKubeAPI)
	add(&b.Ranges.ControlPlane, c.control...)
	private := len(c.control) > 0
	for _, e := range c.endpoints {
		b.api(e)
		if !e.Addr.IsValid() {
			b.missing(fieldKubeAPI, "of %s only the name %s is known, whose addresses may change", strings.TrimPrefix(e.Source, "GKE, "), e.Host)
			continue
		}
		if !in(b.Ranges.ControlPlane, e.Addr) {
			add(&b.Ranges.ControlPlane, host(e.Addr, "control plane, "+strings.TrimPrefix(e.Source, "GKE, ")))
		}
		private = true
	}
	if c.controlBy != "" {
		if s, ok := b.gcpSubnets[c.controlBy]; ok {
			add(&b.Ranges.ControlPlane, from(s.primary, "subnet "+last(c.controlBy)+" of the private endpoint")...)
			private = true
		} else {
			b.need(Need{GoogleSubnet, c.controlBy}, fieldControlPlane, "the range of subnet %s, which the private endpoint is in, was not read", last(c.controlBy))
		}
	}
	if !private {
		b.missing(fieldControlPlane, "the description of GKE cluster %s has no address of its control plane", c.name)
	}
	if len(c.endpoints) == 0 {
		b.missing(fieldKubeAPI, "the description of GKE cluster %s has no endpoint", c.name)
	}
}

// gkeNetworks adds the network that the cluster is in, and those that further interfaces of nodes
// are in.
func (b *builder) gkeNetworks(c *gkeCluster) {
	b.settle(fieldVPC, fieldRemote)
	b.gkeNetwork(c, c.network)
	networks := map[string]bool{c.network: true}
	var subnets []string
	for _, u := range c.subnets {
		subnets = append(subnets, u.subnet)
	}
	for _, n := range c.named {
		subnets = append(subnets, n.subnet)
	}
	for _, path := range subnets {
		if s, ok := b.gcpSubnets[path]; ok && path != c.subnet && !networks[s.network] {
			networks[s.network] = true
			b.gkeNetwork(c, s.network)
		}
	}
}

// gkeNetwork adds a network, and what is routed from there.
func (b *builder) gkeNetwork(c *gkeCluster, network string) {
	for path, s := range sorted(b.gcpSubnets) {
		if s.network != network && path != c.subnet {
			continue
		}
		add(&b.Ranges.VPC, from(s.primary, "subnet "+last(path))...)
		add(&b.Ranges.VPC, from(s.v6, "subnet "+last(path)+", IPv6")...)
		for _, list := range sorted(s.secondary) {
			add(&b.Ranges.VPC, relabel(list, "subnet "+last(path))...)
		}
	}
	if !b.gcpNetworks[network] {
		b.need(Need{GoogleSubnets, network}, fieldVPC, "the other subnetworks of network %s were not listed", last(network))
	}
	for _, route := range b.gcpRoutes[network] {
		b.route(route.dest, "route by "+route.via)
	}
	if !b.gcpRouted[network] {
		b.need(Need{GoogleRoutes, network}, fieldRemote, "the routes of network %s were not listed", last(network))
	}
	if !b.gcpProjects[segment(network, "projects")] || b.gcpStatuses[network] < b.gcpRouters[network] {
		b.need(Need{GoogleRouters, network}, fieldRemote, "what Cloud Routers learned from other networks was not read")
	}
}

// route adds what a route leads to. One to everywhere says nothing of what is there.
func (b *builder) route(dest netip.Prefix, source string) {
	if dest.Bits() == 0 {
		b.missing(fieldRemote, "the default route %s leads to another network (%s), and which ranges are there is not said; write those you know into a facts file", dest, source)
		return
	}
	add(&b.Ranges.Remote, model.Range{CIDR: dest, Source: source})
}
