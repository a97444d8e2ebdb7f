package facts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// What pods resolve names with, by distribution: shared facts of special.Resolvers and
// special.Endpoints.
var (
	cloudDNS = netip.MustParseAddr("169.254.169.254") // Cloud DNS for GKE: tektoncd/operator issue 4000
	nodeDNS  = netip.MustParseAddr("169.254.20.10")   // NodeLocal DNSCache, as GKE has it: kubernetes.io nodelocaldns
	localDNS = []netip.Addr{netip.MustParseAddr("169.254.10.10"), netip.MustParseAddr("169.254.10.11")}
)

// service reads a Service: its addresses, and whether it is the cluster's DNS or API.
func (r *reading) service(o object) {
	spec := o.key("spec")
	var addrs []netip.Addr
	list := []value{spec.key("clusterIP")}
	for _, v := range append(list, spec.key("clusterIPs").items()...) {
		if t := v.Text(); t == "None" || t == "" {
			continue
		}
		if a, ok := v.addr(); ok && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
			r.kube.addresses = append(r.kube.addresses, named{a, o.String()})
		}
	}
	if o.namespace == "default" && o.name == "kubernetes" {
		r.kube.apiService = append(r.kube.apiService, addrs...)
	}
	app := o.at("metadata", "labels", "k8s-app").Text()
	isDNS := o.namespace == "kube-system" && (o.name == "kube-dns" || app == "kube-dns" || app == "coredns") && app != "node-local-dns" && o.name != "kube-dns-upstream" ||
		o.namespace == "openshift-dns" && o.name == "dns-default"
	if !isDNS {
		return
	}
	for _, a := range addrs {
		r.kube.dns = append(r.kube.dns, model.Resolver{Addr: a, Port: 53, Source: o.String()})
	}
	r.resolverPods(o, spec)
}

// resolverPods reads which pods are behind a DNS Service, and on which port they answer.
func (r *reading) resolverPods(o object, spec value) {
	selector := map[string]string{}
	for key, c := range spec.key("selector").Entries() {
		selector[doc.Clean(key, 320)] = doc.Clean(c.Text(), 63)
	}
	if len(selector) == 0 {
		return // EKS Auto Mode: a service of the node answers
	}
	var port uint16
	for _, p := range spec.key("ports").items() {
		target := p.key("targetPort")
		switch n := p.key("port").port(); {
		case n != 53:
		case !target.IsSet():
			port = 53
		case !target.IsText():
			port = target.port()
		default:
			port = knownPort(o.namespace, selector)
		}
	}
	if port == 0 {
		r.kube.dnsVague = append(r.kube.dnsVague, o.String())
		return
	}
	r.kube.dns = append(r.kube.dns, model.Resolver{Namespace: o.namespace, Selector: selector, Port: port, Source: o.String()})
}

// knownPort returns the port of the resolver pods that a selector names, 0 if they are none that
// are known.
func knownPort(namespace string, selector map[string]string) uint16 {
	for _, s := range special.Resolvers {
		if s.Namespace == namespace && selects(s.Pod, selector) {
			return uint16(s.Port)
		}
	}
	return 0
}

func selects(s label.Selector, labels map[string]string) bool {
	must, _ := s.Match(label.Known(labels))
	return must
}

// resolverPod notes a pod that is a cluster's resolver by its labels, for where its Service was not
// read.
func (r *kube) resolverPod(o object) {
	labels := map[string]string{}
	for key, c := range o.at("metadata", "labels").Entries() {
		if (value{c}).IsText() {
			labels[key] = c.Text()
		}
	}
	for _, s := range special.Resolvers {
		if s.Host || s.Namespace != o.namespace || !selects(s.Pod, labels) {
			continue
		}
		selector := map[string]string{}
		for _, key := range []string{"k8s-app", "dns.operator.openshift.io/daemonset-dns"} {
			if v, ok := labels[key]; ok {
				selector[key] = doc.Clean(v, 63)
			}
		}
		r.dnsPods = append(r.dnsPods, model.Resolver{Namespace: o.namespace, Selector: selector, Port: uint16(s.Port), Source: "pods like " + o.String()})
		return
	}
}

// resolve adds a resolver.
func (b *builder) resolve(list ...model.Resolver) {
	for _, r := range list {
		switch {
		case !b.first(fmt.Sprintf("%s %d %s %q", r.Addr, r.Port, r.Namespace, r.Selector)): // maps print in order
		case len(b.DNS.Resolvers) >= maxPlaces:
			b.missing(fieldDNS, "there are more than %d resolvers", maxPlaces)
		default:
			b.DNS.Resolvers = append(b.DNS.Resolvers, r)
		}
	}
}

const nodeLocalDNS = "NodeLocal DNSCache"

func at53(a netip.Addr, source string) model.Resolver {
	return model.Resolver{Addr: a, Port: 53, Source: source}
}

// kubeDNS is the resolver pods that GKE and AKS run unless something else is said.
func kubeDNS(source string) model.Resolver {
	return model.Resolver{Namespace: "kube-system", Selector: map[string]string{"k8s-app": "kube-dns"}, Port: 53, Source: source}
}

// resolvers adds what pods resolve names with.
func (b *builder) resolvers() {
	k := &b.kube
	if len(k.nodeLocal.addrs) == 0 {
		k.nodeLocal.addrs = k.nodeLocal.configured
	}
	for _, a := range k.nodeLocal.addrs { // before the Services, whose address it may take over on each node
		b.resolve(at53(a, nodeLocalDNS))
	}
	if k.nodeLocal.runs && len(k.nodeLocal.addrs) == 0 {
		b.missing(fieldDNS, "NodeLocal DNSCache runs, and its address was not found; its -localip has it")
	}
	b.resolve(k.dns...)
	if len(k.dns) == 0 {
		b.resolve(k.dnsPods...)
	}
	for _, s := range k.dnsVague {
		b.missing(fieldDNS, "on which port the pods of %s answer was not told: its target port has a name", s)
	}
	switch {
	case b.gke != nil:
		b.gkeDNS(b.gke)
	case b.aks != nil:
		b.aksDNS(b.aks)
	case b.autoMode() && !slices.ContainsFunc(k.dns, func(r model.Resolver) bool { return r.Addr.IsValid() }):
		b.missing(fieldDNS, "in EKS Auto Mode the DNS Service's address is the resolver, and it was not read; run: kubectl get service -n kube-system kube-dns -o json")
	case len(b.DNS.Resolvers) == 0:
	case !k.listed["DaemonSet"]:
		b.missing(fieldDNS, "whether NodeLocal DNSCache runs was not read; run: kubectl get daemonsets -A -o json")
	default:
		b.settle(fieldDNS)
	}
}

// autoMode reports whether nodes of EKS Auto Mode are there.
func (b *builder) autoMode() bool {
	return b.eks != nil && b.eks.auto || b.kube.nodeClasses || slices.ContainsFunc(b.kube.nodes, func(n node) bool { return n.auto })
}

// gkeDNS adds the resolvers of a GKE cluster: GKE documentation, cloud-dns and nodelocal-dns-cache.
func (b *builder) gkeDNS(c *gkeCluster) {
	b.settle(fieldDNS)
	local := c.nodeLocal || c.autopilot // Autopilot always has it
	switch {
	case c.clusterDNS == "CLOUD_DNS":
		b.resolve(at53(cloudDNS, "Cloud DNS for GKE"))
	case c.clusterDNS == "KUBE_DNS", c.clusterDNS == "PLATFORM_DEFAULT" && !c.autopilot, c.clusterDNS == "" && !c.autopilot:
		b.resolve(kubeDNS("GKE, kube-dns"))
	default:
		b.missing(fieldDNS, "the description of GKE cluster %s does not say whether Cloud DNS or kube-dns serves it (networkConfig.dnsConfig); look into /etc/resolv.conf of a pod, and "+
			"write what it names into a facts file", c.name)
	}
	if local && !slices.ContainsFunc(b.DNS.Resolvers, func(r model.Resolver) bool { return r.Source == nodeLocalDNS }) {
		b.resolve(at53(nodeDNS, nodeLocalDNS))
	}
}

// aksDNS adds the resolvers of an AKS cluster: aks-docs localdns-custom.md.
func (b *builder) aksDNS(c *aksCluster) {
	b.settle(fieldDNS)
	b.resolve(kubeDNS("AKS, CoreDNS"))
	if c.dnsService.IsValid() {
		b.resolve(at53(c.dnsService, "AKS, CoreDNS"))
	}
	if c.localDNS || c.localDNSMaybe != "" {
		for _, a := range localDNS {
			b.resolve(at53(a, "AKS LocalDNS"))
		}
	}
	if c.localDNSMaybe != "" && !c.localDNS {
		b.missing(fieldDNS, "LocalDNS is preferred in pool %s, and whether it is on was not told; it is in the list", c.localDNSMaybe)
	}
}

// nodeLocalAddrs reads the addresses that NodeLocal DNSCache binds: its own, and in iptables mode
// the DNS Service's.
func nodeLocalAddrs(text string) []netip.Addr {
	var out []netip.Addr
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" && !a.IsUnspecified() && !a.IsLoopback() {
			out = append(out, a.Unmap())
		}
	}
	return out
}
