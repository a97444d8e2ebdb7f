package facts

import (
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// eksCluster is what describe-cluster of EKS says: botocore, data/eks/2017-11-01.
type eksCluster struct {
	name, vpc string
	at        origin.Origin

	subnets                []string
	services               []model.Range
	remoteNodes, remotePod []model.Range
	auto                   bool
	host                   string // of the endpoint
	public                 bool
}

// eksAddon is what describe-addon says.
type eksAddon struct {
	policies bool // enableNetworkPolicy
	strict   bool
}

func (r *reading) eksCluster(e entry) {
	net, svc := e.key("resourcesVpcConfig"), e.key("kubernetesNetworkConfig")
	c := &eksCluster{name: e.key("name").word(), vpc: net.key("vpcId").word(), at: e.pos}
	for _, v := range net.key("subnetIds").items() {
		c.subnets = append(c.subnets, v.word())
	}
	c.services = svc.key("serviceIpv4Cidr").ranges("services")
	c.services = append(c.services, svc.key("serviceIpv6Cidr").ranges("services, IPv6")...)
	for _, n := range e.at("remoteNetworkConfig", "remoteNodeNetworks").items() {
		c.remoteNodes = append(c.remoteNodes, n.key("cidrs").ranges("hybrid nodes")...)
	}
	for _, n := range e.at("remoteNetworkConfig", "remotePodNetworks").items() {
		c.remotePod = append(c.remotePod, n.key("cidrs").ranges("pods of hybrid nodes")...)
	}
	c.auto = e.at("computeConfig", "enabled").Bool()
	c.public = net.key("endpointPublicAccess").Bool()
	c.host = strings.TrimSuffix(strings.TrimPrefix(e.key("endpoint").word(), "https://"), "/")
	if other := r.eks; other != nil && (other.name != c.name || other.vpc != c.vpc) {
		r.conflict(e, c.name, other.name)
		return
	} else if other != nil {
		c.at = other.at
		r.agree(e.pos, c.name, other, c)
	}
	r.eks = c
}

func (r *reading) eksAddon(e entry) {
	addon := e.key("addon")
	var a eksAddon
	if docs, err := doc.Documents([]byte(addon.key("configurationValues").Text())); err == nil {
		for d := range docs {
			if d.Err != nil {
				addon.Fail("configurationValues: "+d.Err.Message, "")
				continue
			}
			root := d.Open(doc.Lenient)
			if !root.IsMap() {
				continue
			}
			config := value{root}
			a.policies = a.policies || config.key("enableNetworkPolicy").yes()
			a.strict = a.strict || config.at("env", "NETWORK_POLICY_ENFORCING_MODE").IsText() && config.at("env", "NETWORK_POLICY_ENFORCING_MODE").Text() == "strict"
		}
	}
	once(r, e.pos, r.addons, addon.key("addonName").word(), a)
}

// yes reads a boolean that may be written as a text.
func (v value) yes() bool {
	if v.IsText() {
		return v.Text() == "true"
	}
	return v.Bool()
}

// eksAddons reads list-addons.
func (r *reading) eksAddons(e entry) {
	r.more(e)
	for _, name := range e.key("addons").items() {
		if !name.IsText() {
			name.Fail("not the name of an add-on", "aws eks list-addons prints them")
			continue
		}
		if _, known := r.addons[name.word()]; !known && name.word() != addonVPC {
			r.addons[name.word()] = eksAddon{}
		}
		r.addonNames = append(r.addonNames, name.word())
	}
	r.allAddons = true
}

// Names of add-ons: EKS documentation, workloads-add-ons-available-eks.
const (
	addonVPC      = "vpc-cni"
	addonIdentity = "eks-pod-identity-agent"
)

func (r *reading) eksAssociations(e entry) {
	r.more(e)
	r.podRoles = r.podRoles || len(e.key("associations").items()) > 0
}

// amazon adds what an EKS cluster and its VPC say.
func (b *builder) amazon() {
	c := b.eks
	if c == nil {
		return
	}
	if b.gke != nil {
		b.problem(ruleConflict, c.at, "describes an EKS cluster, and another document a GKE cluster", "read the answers about one cluster at a time")
		return
	}
	b.Cloud = "AWS"
	b.settle(fieldCloud, fieldVPC, fieldNodes, fieldPods, fieldServices, fieldControlPlane, fieldRemote, fieldKubeAPI)
	v, ok := b.vpcs[c.vpc]
	if !ok {
		for _, f := range []string{fieldVPC, fieldNodes, fieldPods} {
			b.need(Need{AmazonVPC, c.vpc}, f, "the ranges of VPC %s were not read", c.vpc)
		}
	}
	add(&b.Ranges.VPC, v.ranges...)
	add(&b.Ranges.Nodes, v.ranges...)
	add(&b.Ranges.Nodes, c.remoteNodes...)
	add(&b.Ranges.Pods, v.ranges...)
	add(&b.Ranges.Pods, c.remotePod...)
	add(&b.Ranges.Remote, c.remoteNodes...)
	add(&b.Ranges.Remote, c.remotePod...)
	if len(c.remoteNodes) > 0 && len(c.remotePod) == 0 {
		b.missing(fieldPods, "EKS cluster %s has hybrid nodes, and no remotePodNetworks say where their pods are", c.name)
	}
	if add(&b.Ranges.Services, c.services...); len(c.services) == 0 {
		b.missing(fieldServices, "the description of EKS cluster %s names no range of services", c.name)
	}
	for id, s := range sorted(b.awsSubnets) {
		if s.vpc == c.vpc && s.public {
			b.publicNodes("subnet", []string{id})
			break
		}
	}
	b.eksControlPlane(c, v)
	b.eksRemote(c)
	b.eksPods(c)
}

// eksPods says whether pods have addresses of the VPC, which is so with Amazon's own plugin only.
func (b *builder) eksPods(c *eksCluster) {
	for name, subnet := range sorted(b.kube.eniSubnets) {
		if s, known := b.awsSubnets[subnet]; known && s.vpc != c.vpc {
			b.missing(fieldPods, "ENIConfig %s is about subnet %s, which is in another VPC", name, subnet)
		}
	}
	_, addon := b.addons[addonVPC]
	switch {
	case b.kube.plugins.has(awsNode) || c.auto && !b.kube.plugins.any():
	case b.kube.plugins.any() && (b.kube.cilium == nil || b.kube.cilium.ipam != "eni"):
		b.known[fieldPods] = false // clusterPods tells where the pods of another plugin are
	case b.kube.plugins.any():
	case !addon:
		b.need(Need{AmazonAddon, c.name + "/" + addonVPC}, fieldPods, "pods have addresses of the VPC with Amazon's plugin only, and which plugin runs was not read")
	}
}

// eksControlPlane adds where the API server is: its interfaces are in the cluster's subnets.
func (b *builder) eksControlPlane(c *eksCluster, v awsVPC) {
	list, whole := []model.Range{}, len(c.subnets) > 0
	for _, id := range c.subnets {
		s, ok := b.awsSubnets[id]
		whole = whole && ok
		list = append(list, from(s.ranges, "control plane, in subnet "+id)...)
	}
	switch {
	case whole:
		add(&b.Ranges.ControlPlane, list...)
	case len(v.ranges) > 0:
		add(&b.Ranges.ControlPlane, relabel(v.ranges, "control plane, in some subnet")...)
	default:
		b.need(Need{AmazonSubnets, c.vpc}, fieldControlPlane, "the subnets that the control plane is in were not read")
	}
	b.eksAddresses(c)
	if c.host == "" {
		b.missing(fieldKubeAPI, "the description of EKS cluster %s has no endpoint", c.name)
		return
	}
	b.api(model.KubeEndpoint{Host: c.host, Port: 443, Source: "EKS, endpoint"})
	if c.public {
		b.missing(fieldKubeAPI, "the endpoint %s is public, and its public addresses may change: only its name is known; turn public access off, or allow and deny it by name", c.host)
	}
}

// eksAddresses adds the addresses of the endpoint in the VPC: those of the control plane's
// interfaces.
func (b *builder) eksAddresses(c *eksCluster) {
	found := len(b.kube.api) > 0 // clusterAPI adds them
	for _, i := range b.interfaces {
		for _, a := range i.addrs {
			if i.cluster == c.name {
				b.api(model.KubeEndpoint{Addr: a, Port: 443, Source: "EKS, interface of the control plane"})
				found = true
			}
		}
	}
	if !found {
		b.need(Need{AmazonInterfaces, c.name}, fieldKubeAPI, "the addresses of the endpoint in the VPC were not read")
	}
}

// eksRemote adds what is routed from the VPC to other networks.
func (b *builder) eksRemote(c *eksCluster) {
	for _, p := range b.peerings {
		other, ok := p.beside(c.vpc)
		if add(&b.Ranges.Remote, other...); ok && len(other) == 0 {
			b.missing(fieldRemote, "peering %s does not say the ranges of the other VPC", p.id)
		}
	}
	routes, known := b.awsRoutes[c.vpc]
	if !known {
		what := "the routes of VPC " + c.vpc + " were not read"
		if gateway := b.attached[c.vpc]; gateway != "" {
			what += ", and it is attached to " + gateway
		}
		b.need(Need{AmazonRoutes, c.vpc}, fieldRemote, "%s", what)
	}
	for _, route := range routes {
		if route.list != "" {
			b.missing(fieldRemote, "a route to prefix list %s leads to %s; aws ec2 get-managed-prefix-list-entries --prefix-list-id %s says what that is: write it into a facts file",
				route.list, route.via, word(route.list))
			continue
		}
		b.route(route.dest, "route by "+route.via)
	}
}
