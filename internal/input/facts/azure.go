package facts

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

// aksCluster is what az aks show, or the REST interface, says: Azure SDK for Go,
// armcontainerservice, ManagedClusterProperties.
type aksCluster struct {
	name, group, subscription, nodeGroup string
	at                                   origin.Origin

	pods, services    []model.Range
	plugin, mode      string
	dataplane, policy string
	subnets           []aksSubnet
	unnamed           bool   // some pool is in the network that AKS made
	controlBy         string // the subnet that the API server is in
	host, privateHost string
	public            []string // pools whose nodes have public addresses too
	localDNS          bool
	localDNSMaybe     string // a pool in which the version decides
	dnsService        netip.Addr
	identity          bool // workload identity
}

// aksSubnet is a subnet that a pool uses, by its id.
type aksSubnet struct {
	id, source string
	pods       bool // pods have addresses of it
	nodes      bool
}

type azureVNet struct {
	name     string
	space    []model.Range
	subnets  map[string]azureSubnet // by name in lower case
	peers    []azurePeer
	peerings bool // the answer has the list
}

type azureSubnet struct {
	ranges []model.Range
	routes string // the name of its route table
}

type azurePeer struct {
	name    string
	ranges  []model.Range
	gateway bool // traffic goes on through the peer's gateway
}

// azureID returns one of the names in a resource id, which is written in any case.
func azureID(id, name string) string {
	parts := strings.Split(id, "/")
	for i := 0; i+1 < len(parts); i++ {
		if strings.EqualFold(parts[i], name) {
			return parts[i+1]
		}
	}
	return ""
}

// vnetOf returns the id of the virtual network that a subnet's id begins with, in lower case.
func vnetOf(subnet string) string {
	id := strings.ToLower(subnet)
	id, _, _ = strings.Cut(id, "/subnets/")
	return id
}

func (r *reading) aksCluster(e entry) {
	p := e.properties()
	c := &aksCluster{name: e.key("name").word(), at: e.pos, nodeGroup: p.key("nodeResourceGroup").word()}
	id := e.key("id").word()
	c.group, c.subscription = azureID(id, "resourceGroups"), azureID(id, "subscriptions")
	net := p.key("networkProfile")
	c.pods = append(net.key("podCidr").ranges("pods"), net.key("podCidrs").ranges("pods")...)
	c.services = append(net.key("serviceCidr").ranges("services"), net.key("serviceCidrs").ranges("services")...)
	c.dnsService, _ = net.key("dnsServiceIP").addr()
	for _, f := range []struct {
		key string
		to  *string
	}{{"networkPlugin", &c.plugin}, {"networkPluginMode", &c.mode}, {"networkDataplane", &c.dataplane}, {"networkPolicy", &c.policy}} {
		*f.to = strings.ToLower(net.key(f.key).word())
	}
	for _, pool := range p.key("agentPoolProfiles").items() {
		c.pool(pool)
	}
	access := p.key("apiServerAccessProfile")
	if access.key("enableVnetIntegration").Bool() {
		c.controlBy = access.key("subnetId").word()
	}
	c.host, c.privateHost = p.key("fqdn").word(), p.key("privateFQDN").word()
	c.identity = p.at("securityProfile", "workloadIdentity", "enabled").Bool()
	if other := r.aks; other != nil && (!strings.EqualFold(other.name, c.name) || !strings.EqualFold(other.group, c.group)) {
		r.conflict(e, c.name, other.name)
		return
	} else if other != nil {
		c.at = other.at
		r.agree(e.pos, c.name, other, c)
	}
	r.aks = c
}

func (c *aksCluster) pool(v value) {
	name := v.key("name").word()
	v = v.properties()
	nodes, pods := v.key("vnetSubnetID").word(), v.key("podSubnetID").word()
	if v.key("enableNodePublicIP").Bool() {
		c.public = append(c.public, name)
	}
	onNode := pods == "" && c.plugin == "azure" && c.mode != "overlay"
	switch {
	case nodes == "":
		c.unnamed = true
	default:
		c.subnets = append(c.subnets, aksSubnet{id: nodes, source: "nodes of pool " + name, nodes: true, pods: onNode})
	}
	if pods != "" {
		c.subnets = append(c.subnets, aksSubnet{id: pods, source: "pods of pool " + name, pods: true})
	}
	switch dns := v.key("localDNSProfile"); strings.ToLower(dns.key("state").Text()) {
	case "enabled":
		c.localDNS = true
	case "disabled":
	default:
		switch strings.ToLower(dns.key("mode").Text()) {
		case "required":
			c.localDNS = true
		case "preferred":
			c.localDNSMaybe = name
		}
	}
}

// azureVNet reads a virtual network: Azure SDK for Go, armnetwork, VirtualNetworkPropertiesFormat.
func (r *reading) azureVNet(e entry) {
	p, name := e.properties(), e.key("name").word()
	v := azureVNet{name: name, subnets: map[string]azureSubnet{}, space: p.at("addressSpace", "addressPrefixes").ranges("VNet " + name)}
	for _, s := range p.key("subnets").items() {
		v.subnets[strings.ToLower(s.key("name").word())] = readAzureSubnet(s)
	}
	for _, peer := range p.key("virtualNetworkPeerings").items() {
		q := peer.properties()
		remote := last(q.at("remoteVirtualNetwork", "id").word())
		to := azurePeer{name: remote, gateway: q.key("useRemoteGateways").Bool()}
		if state := q.key("peeringState").Text(); state != "" && !strings.EqualFold(state, "Connected") {
			continue
		}
		for _, space := range []string{"remoteAddressSpace", "remoteVirtualNetworkAddressSpace"} {
			to.ranges = unique(append(to.ranges, q.at(space, "addressPrefixes").ranges("peered VNet "+remote)...))
		}
		v.peers = append(v.peers, to)
	}
	v.peerings = p.key("virtualNetworkPeerings").IsSet()
	e.wants(v.space)
	once(r, e.pos, r.vnets, strings.ToLower(e.key("id").word()), v)
}

func readAzureSubnet(s value) azureSubnet {
	p := s.properties()
	source := "subnet " + s.key("name").word()
	list := append(p.key("addressPrefix").ranges(source), p.key("addressPrefixes").ranges(source)...)
	s.wants(list)
	return azureSubnet{ranges: unique(list), routes: last(p.at("routeTable", "id").word())}
}

// azureSubnet reads a subnet on its own, which says by its id of which network it is one.
func (r *reading) azureSubnet(e entry) {
	id := strings.ToLower(e.key("id").word())
	if !strings.Contains(id, "/subnets/") {
		r.problem(ruleUnreadable, e.pos, "not an answer that is known here", readable)
		return
	}
	once(r, e.pos, r.azureSubnets, id, readAzureSubnet(e.value))
}

// azure adds what an AKS cluster and its networks say.
func (b *builder) azure() {
	c := b.aks
	if c == nil {
		return
	}
	if b.gke != nil || b.eks != nil {
		b.problem(ruleConflict, c.at, "describes an AKS cluster, and another document one of another cloud", "read the answers about one cluster at a time")
		return
	}
	b.Cloud = "Azure"
	b.settle(fieldCloud, fieldNodes, fieldPods, fieldServices, fieldVPC, fieldRemote, fieldControlPlane, fieldKubeAPI)
	add(&b.Ranges.Services, c.services...)
	if len(c.services) == 0 {
		b.missing(fieldServices, "the description of AKS cluster %s names no range of services", c.name)
	}
	b.publicNodes("pool", c.public)
	b.aksPods(c)
	b.aksNetworks(c)
	b.aksControlPlane(c)
}

func (b *builder) aksPods(c *aksCluster) {
	switch {
	case c.plugin == "kubenet", c.plugin == "azure" && c.mode == "overlay":
		add(&b.Ranges.Pods, c.pods...)
		if len(c.pods) == 0 {
			b.missing(fieldPods, "the description of AKS cluster %s names no podCidr", c.name)
		}
	case c.plugin == "azure":
		// Subnets of the pools: aksNetworks.
	case c.plugin == "none" && b.kube.plugins.any():
		b.known[fieldPods] = false // clusterPods tells where the pods of a plugin of the user's own are
	default:
		b.missing(fieldPods, "AKS cluster %s has the network plugin %q, and where its pods are was not read; %s", c.name, c.plugin, whoTells[fieldCNI])
	}
}

// aksNetworks adds the subnets of the pools, the networks that these are in, and what those are
// peered with.
func (b *builder) aksNetworks(c *aksCluster) {
	networks := map[string]bool{}
	for _, u := range c.subnets {
		id, name := vnetOf(u.id), azureID(u.id, "subnets")
		networks[id] = true
		s, ok := b.subnetOf(u.id)
		for _, f := range []struct {
			name string
			used bool
		}{{fieldNodes, u.nodes}, {fieldPods, u.pods}} {
			switch {
			case f.used && ok:
				add(field(&b.Ranges, f.name), from(s.ranges, u.source+", subnet "+name)...)
			case f.used:
				b.need(Need{AzureVNet, id}, f.name, "the range of %s, subnet %s, was not read", u.source, name)
			}
		}
		if s.routes != "" && c.plugin != "kubenet" {
			b.missing(fieldRemote, "route table %s of subnet %s may lead to other networks; az network route-table show has its routes: write what they lead to into a facts file",
				s.routes, name)
		}
	}
	if c.unnamed {
		b.managedNetwork(c, networks)
	}
	for _, id := range slices.Sorted(maps.Keys(networks)) {
		v, ok := b.vnets[id]
		if !ok {
			for _, f := range []string{fieldVPC, fieldRemote} {
				b.need(Need{AzureVNet, id}, f, "virtual network %s was not read", last(id))
			}
			continue
		}
		add(&b.Ranges.VPC, v.space...)
		b.azurePeers(v)
	}
}

// subnetOf returns a subnet, which was read on its own or in its network.
func (b *builder) subnetOf(id string) (azureSubnet, bool) {
	if s, ok := b.azureSubnets[strings.ToLower(id)]; ok {
		return s, true
	}
	s, ok := b.vnets[vnetOf(id)].subnets[strings.ToLower(azureID(id, "subnets"))]
	return s, ok
}

// managedNetwork takes the networks in the resource group of the nodes for those that AKS made:
// pools that name no subnet are in them.
func (b *builder) managedNetwork(c *aksCluster, networks map[string]bool) {
	group, found := "/resourcegroups/"+strings.ToLower(c.nodeGroup)+"/", false
	for id, v := range sorted(b.vnets) {
		if c.nodeGroup == "" || !strings.Contains(id, group) {
			continue
		}
		found, networks[id] = true, true
		for name, s := range sorted(v.subnets) {
			add(&b.Ranges.Nodes, from(s.ranges, "nodes, subnet "+name)...)
			if c.plugin == "azure" && c.mode != "overlay" {
				add(&b.Ranges.Pods, from(s.ranges, "pods, subnet "+name)...)
			}
		}
	}
	if found {
		return
	}
	fields := []string{fieldNodes, fieldVPC, fieldRemote}
	if c.plugin == "azure" && c.mode != "overlay" {
		fields = append(fields, fieldPods)
	}
	for _, f := range fields {
		b.need(Need{AzureGroupVNets, "/subscriptions/" + c.subscription + "/resourceGroups/" + c.nodeGroup}, f, "the network that AKS made for the nodes was not read")
	}
}

func (b *builder) azurePeers(v azureVNet) {
	if !v.peerings {
		b.missing(fieldRemote, "the description of virtual network %s has no list of peerings", v.name)
	}
	for _, p := range v.peers {
		add(&b.Ranges.Remote, p.ranges...)
		if len(p.ranges) == 0 {
			b.missing(fieldRemote, "the peering with %s does not say its ranges", p.name)
		}
		if p.gateway {
			b.missing(fieldRemote, "virtual network %s uses the gateway of %s, and which ranges are behind that is not said; write those you know into a facts file", v.name, p.name)
		}
	}
	if _, ok := v.subnets["gatewaysubnet"]; ok {
		b.missing(fieldRemote, "virtual network %s has a gateway, and which ranges are behind that is not said; write those you know into a facts file", v.name)
	}
}

// aksControlPlane adds what is known of the API server: names, and the subnet that it is in where
// it is in one of the user's.
func (b *builder) aksControlPlane(c *aksCluster) {
	for _, h := range []struct{ name, what string }{{c.host, "fqdn"}, {c.privateHost, "privateFQDN"}} {
		if h.name != "" {
			b.api(model.KubeEndpoint{Host: h.name, Port: 443, Source: "AKS, " + h.what})
		}
	}
	if len(b.kube.api) > 0 {
		return // cluster tells the addresses
	}
	what := "of the API server only names are known; " + whoTells[fieldKubeAPI]
	if c.host == "" && c.privateHost == "" {
		what = "the description of AKS cluster " + c.name + " has no name of its API server"
	}
	b.missing(fieldKubeAPI, "%s", what)
	if c.controlBy == "" {
		b.missing(fieldControlPlane, "%s", what)
		return
	}
	s, ok := b.subnetOf(c.controlBy)
	if ok {
		add(&b.Ranges.ControlPlane, from(s.ranges, "control plane, subnet "+azureID(c.controlBy, "subnets"))...)
	} else {
		b.need(Need{AzureVNet, vnetOf(c.controlBy)}, fieldControlPlane, "the range of the API server's subnet was not read")
	}
}
