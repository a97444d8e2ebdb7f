package facts

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// cluster adds what the cluster's own objects say, and holds it against what a cloud said.
func (b *builder) cluster() {
	b.cloud()
	b.plugin()
	b.identities()
	b.clusterNodes()
	b.clusterPods()
	b.clusterServices()
	b.clusterAPI()
	b.resolvers()
	b.strays()
}

// providers are the clouds by the scheme of a node's providerID, as their cloud controllers write
// it.
var providers = map[string]string{
	"aws": "AWS", "gce": "Google Cloud", "azure": "Azure", "hcloud": "Hetzner", "openstack": "OpenStack", "oci": "Oracle Cloud", "scaleway": "Scaleway",
	"linode": "Akamai", "qcloud": "Tencent Cloud", "alicloud": "Alibaba Cloud",
}

func (b *builder) cloud() {
	for _, n := range b.kube.nodes {
		scheme, _, ok := strings.Cut(n.provider, "://")
		if !ok || scheme == "k3s" || scheme == "kind" || scheme == "baremetalhost" {
			continue // on machines of any cloud, or of none
		}
		switch name := providers[scheme]; {
		case name == "":
			b.missing(fieldCloud, "node %s is of provider %q, of whose cloud nothing is known here", n.name, doc.Clean(scheme, 40))
		case b.Cloud == "":
			b.Cloud = name
			b.settle(fieldCloud)
		case b.Cloud != name:
			b.missing(fieldCloud, "node %s is in %s, and others in %s", n.name, name, b.Cloud)
			b.Cloud = ""
			return
		}
	}
}

// publicNodes says that nodes have addresses beside those of their subnets, which only the Node
// objects tell.
func (b *builder) publicNodes(what string, names []string) {
	if len(names) > 0 && len(b.kube.nodes) == 0 {
		b.missing(fieldNodes, "nodes of %s %s have public addresses too, which were not read; run: kubectl get nodes -o json", what, names[0])
	}
}

func (b *builder) clusterNodes() {
	if b.known[fieldNodes] { // a cloud told the ranges
		told := space(b.Ranges.Nodes)
		for _, n := range b.kube.nodes {
			for _, a := range n.addrs {
				if told.Contains(a.CIDR.Addr()) {
					continue
				}
				if add(&b.Ranges.Nodes, a); !strings.HasSuffix(a.Source, externalAddress) {
					b.missing(fieldNodes, "node %s has the address %s, which is in none of the ranges that were read", n.name, a.CIDR.Addr())
				}
			}
		}
		return
	}
	for _, n := range b.kube.nodes {
		add(&b.Ranges.Nodes, n.addrs...)
		b.missing(fieldNodes, "the nodes that are there now were read, and not the range that the next one gets its address of; the cloud's description of the subnets has it, or "+
			"write it into a facts file and read that beside the rest")
	}
}

// clusterPods adds every range that something of the cluster's own names for pods. It is the whole
// only where what gives pods their addresses says so.
func (b *builder) clusterPods() {
	k := &b.kube
	list := &b.Ranges.Pods
	var lists [][]model.Range
	var whole, guessed bool // guessed: that the plugin gives pods addresses of its own pools
	switch c := k.cilium; {
	case c != nil && b.gke == nil && b.aks == nil:
		switch ipam := c.ipam; {
		case c.chained:
		case ipam == "cluster-pool", ipam == "cluster-pool-v2beta":
			lists, whole = append(lists, c.pools), len(c.pools) > 0
		case ipam == "multi-pool":
			lists, whole = append(lists, k.ciliumPools), len(k.ciliumPools) > 0 && k.listed["CiliumPodIPPool"]
		case ipam == "kubernetes":
			whole = b.controllerPods(&lists)
		}
	case k.openshift != nil:
		lists, whole = append(lists, k.openshift.pods), len(k.openshift.pods) > 0
	case k.plugins.has(calicoP) && k.installation.ipam == "HostLocal", k.plugins.has(canalP):
		whole = b.controllerPods(&lists)
	case k.plugins.has(calicoP) && (k.installation.cni == "" || k.installation.cni == "Calico"):
		guessed = k.installation.cni == ""
		// Beside a plugin that gives addresses Calico only judges, and has its default pool all the
		// same.
		whole = len(k.calicoPools) > 0 && k.listed["IPPool"] && !(guessed && slices.ContainsFunc([]string{awsNode, azureCNI, flannel}, k.plugins.has))
	case slices.ContainsFunc([]string{flannel, kindnet, routerP, antreaP}, k.plugins.has), slices.ContainsFunc(k.nodes, func(n node) bool { return n.distribution == "k3s" }):
		whole = b.controllerPods(&lists)
	}
	lists = append(lists, k.calicoPools, k.ciliumPools)
	for _, l := range lists {
		add(list, l...)
	}
	if whole {
		b.settle(fieldPods)
	}
	// What is left is what each node has now. It tells where pods are, but not where those of the
	// next node will be.
	rest := slices.Clone(k.ciliumNodes)
	if !whole || guessed {
		rest = append(rest, k.kubeadmPods...)
		for _, n := range k.nodes {
			rest = append(rest, n.podCIDRs...)
		}
	}
	told := space(*list)
	for _, r := range rest {
		switch {
		case told.Covers(netset.Prefixes(r.CIDR)):
			continue
		case b.known[fieldPods]:
			b.missing(fieldPods, "%s are in %s, which is in none of the ranges that were read", r.Source, r.CIDR)
		default:
			b.missing(fieldPods, "ranges of nodes that are there now were read, and not what those are taken from; %s", whoTells[fieldPods])
		}
		add(list, r)
	}
}

// controllerPods adds the range that the controller manager gives nodes parts of, and reports
// whether it is known.
func (b *builder) controllerPods(lists *[][]model.Range) bool {
	found := b.kube.kubeadmPods
	if len(found) == 0 {
		found = b.serverFlag("cluster-cidr", "pods")
	}
	*lists = append(*lists, found)
	return len(found) > 0
}

// serverFlag reads ranges from a flag of k3s or RKE2. Their defaults are not taken for granted.
func (b *builder) serverFlag(name, what string) []model.Range {
	var out []model.Range
	for _, n := range b.kube.nodes {
		text, _ := flag(n.args, name)
		if text == "" {
			continue
		}
		for part := range strings.SplitSeq(text, ",") {
			p, err := netip.ParsePrefix(part)
			if err != nil || p.Bits() == 0 {
				return nil
			}
			out = append(out, model.Range{CIDR: unmapped(p), Source: what + ", " + n.distribution + " " + name})
		}
	}
	return unique(out)
}

func (b *builder) clusterServices() {
	k := &b.kube
	add(&b.Ranges.Services, k.cidrs...)
	if k.listed["ServiceCIDR"] && len(k.cidrs) > 0 {
		b.settle(fieldServices)
	}
	if k.openshift != nil && len(k.openshift.services) > 0 {
		add(&b.Ranges.Services, k.openshift.services...)
		b.settle(fieldServices)
	}
	configured := append(slices.Clone(k.kubeadmServices), b.serverFlag("service-cidr", "services")...)
	if !b.known[fieldServices] && len(configured) > 0 {
		add(&b.Ranges.Services, configured...)
		b.settle(fieldServices)
	}
	told := space(b.Ranges.Services)
	for _, r := range configured {
		if !told.Covers(netset.Prefixes(r.CIDR)) {
			add(&b.Ranges.Services, r)
			b.missing(fieldServices, "%s are in %s, which is in none of the ranges that were read", r.Source, r.CIDR)
		}
	}
}

// clusterAPI adds where the API server answers.
func (b *builder) clusterAPI() {
	k := &b.kube
	told := space(b.Ranges.ControlPlane)
	for _, e := range k.api {
		b.api(e)
		if !told.Contains(e.Addr) {
			add(&b.Ranges.ControlPlane, host(e.Addr, "control plane, "+e.Source))
		}
	}
	if len(k.api) > 0 {
		b.settle(fieldControlPlane, fieldKubeAPI)
	}
	if a, ok := b.offNodes(); ok && b.gke == nil && b.eks == nil && b.aks == nil {
		for _, field := range []string{fieldControlPlane, fieldKubeAPI} {
			b.missing(field, "the API server at %s is on no node that was read, and whoever runs it may have given it other addresses too, public ones among them; "+
				"the cloud's description of the cluster has them", a)
		}
	}
	for _, a := range k.apiService {
		b.api(model.KubeEndpoint{Addr: a, Port: 443, Source: "Service default/kubernetes"})
	}
	// The API server gives its own Service the first address of the range: kubernetes
	// pkg/controlplane/instance.go, APIServerServiceIP.
	if len(k.apiService) == 0 && len(b.Ranges.Services) == 1 {
		if p := b.Ranges.Services[0].CIDR; p.Contains(p.Addr().Next()) {
			b.api(model.KubeEndpoint{Addr: p.Addr().Next(), Port: 443, Source: "Service default/kubernetes, the first address of the range"})
		}
	}
}

// offNodes returns an address of the API server that is not one of a node.
func (b *builder) offNodes() (netip.Addr, bool) {
	i := slices.IndexFunc(b.kube.api, func(e model.KubeEndpoint) bool {
		return !slices.ContainsFunc(b.kube.nodes, func(n node) bool { return in(n.addrs, e.Addr) })
	})
	if i < 0 {
		return netip.Addr{}, false
	}
	return b.kube.api[i].Addr, true
}

// api adds an endpoint of the API server.
func (b *builder) api(e model.KubeEndpoint) {
	place := e
	place.Source = ""
	switch {
	case !b.first(place):
	case len(b.KubeAPI) >= maxPlaces:
		b.missing(fieldKubeAPI, "there are more than %d endpoints", maxPlaces)
	default:
		b.KubeAPI = append(b.KubeAPI, e)
	}
}

// strays names what has an address outside of the ranges that are said to be whole.
func (b *builder) strays() {
	for _, s := range []struct {
		field string
		list  []named
	}{{fieldPods, b.kube.pods}, {fieldServices, b.kube.addresses}} {
		told := space(*field(&b.Ranges, s.field))
		for _, x := range s.list {
			if b.known[s.field] && !told.Contains(x.addr) {
				b.missing(s.field, "%s has the address %s, which is in none of the ranges that were read", x.of, x.addr)
			}
		}
	}
}
