package facts

import (
	"net/netip"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// kube is what objects of the cluster's own API say.
type kube struct {
	listed map[string]bool // kinds of which a list was read, be it an empty one: those are taken for all that there are

	nodes     []node
	cidrs     []model.Range // ServiceCIDR
	addresses []named       // of Services
	pods      []named       // of pods that have an address of their own

	kubeadmPods, kubeadmServices []model.Range
	api                          []model.KubeEndpoint // EndpointSlice default/kubernetes
	apiService                   []netip.Addr

	dns       []model.Resolver
	dnsVague  []string // Services whose port could not be told
	dnsPods   []model.Resolver
	nodeLocal nodeLocal

	plugins      plugins
	cilium       *ciliumConfig
	ciliumPools  []model.Range
	ciliumNodes  []model.Range
	calicoPools  []model.Range
	installation calicoInstallation
	openshift    *openshift
	eniSubnets   map[string]string // ENIConfig to subnet
	nodeClasses  bool
	amazon       map[string]string // ConfigMap amazon-vpc-cni; nil if it was not read

	podIdentity, gkeMetadata bool
	accounts                 map[string]string // identities that service accounts ask for, with one that does
}

// named is an address and whose it is.
type named struct {
	addr netip.Addr
	of   string
}

type node struct {
	name, provider string
	addrs          []model.Range
	podCIDRs       []model.Range
	distribution   string // "k3s", "rke2", from the kubelet's version
	fargate, win   bool
	gke, aks, auto bool
	args           []string // of k3s and RKE2
}

type nodeLocal struct {
	runs       bool
	addrs      []netip.Addr // of its DaemonSet
	configured []netip.Addr // of its ConfigMap
}

func newKube() kube {
	return kube{listed: map[string]bool{}, eniSubnets: map[string]string{}, accounts: map[string]string{}}
}

// object is a Kubernetes object that is read.
type object struct {
	entry
	kind, namespace, name string
}

// String returns "Kind namespace/name".
func (o object) String() string {
	if o.namespace == "" {
		return o.kind + " " + o.name
	}
	return o.kind + " " + o.namespace + "/" + o.name
}

// kinds are the objects that say something, by group and kind.
var kinds = map[string]func(*reading, object){
	"/Node":                                    (*reading).node,
	"/Pod":                                     (*reading).pod,
	"/Service":                                 (*reading).service,
	"/ServiceAccount":                          (*reading).serviceAccount,
	"/ConfigMap":                               (*reading).configMap,
	"/Endpoints":                               (*reading).endpoints,
	"apps/DaemonSet":                           (*reading).daemonSet,
	"discovery.k8s.io/EndpointSlice":           (*reading).endpointSlice,
	"networking.k8s.io/ServiceCIDR":            (*reading).serviceCIDR,
	"networking.k8s.io/IPAddress":              (*reading).ipAddress,
	"cilium.io/CiliumNode":                     (*reading).ciliumNode,
	"cilium.io/CiliumPodIPPool":                (*reading).ciliumPool,
	"crd.projectcalico.org/IPPool":             (*reading).calicoPool,
	"projectcalico.org/IPPool":                 (*reading).calicoPool,
	"operator.tigera.io/Installation":          (*reading).calicoInstallation,
	"crd.k8s.amazonaws.com/ENIConfig":          (*reading).eniConfig,
	"eks.amazonaws.com/NodeClass":              (*reading).nodeClass,
	"config.openshift.io/Network":              (*reading).openshiftNetwork,
	"operator.openshift.io/Network":            func(*reading, object) {}, // what the one above sums up
	"crd.projectcalico.org/FelixConfiguration": func(*reading, object) {}, // nothing in it decides a fact
	"projectcalico.org/FelixConfiguration":     func(*reading, object) {},
	"toolmoat.dev/ClusterFacts":                (*reading).clusterFacts,
}

// typeOf returns the type of an object, which items of a list may leave to the list.
func typeOf(e entry, list *doc.List) (apiVersion, kind string) {
	text := func(v value) string {
		if v.IsText() {
			return v.Text()
		}
		return ""
	}
	apiVersion, kind = text(e.key("apiVersion")), text(e.key("kind"))
	if list != nil && list.Kind != "List" && apiVersion == "" && kind == "" {
		return list.APIVersion, strings.TrimSuffix(list.Kind, "List")
	}
	return apiVersion, kind
}

// object reads a Kubernetes object, an item of a list or not, and reports whether it is of a kind
// that says something.
func (r *reading) object(e entry, apiVersion, kind string, item bool) bool {
	group, _, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		group = ""
	}
	if of, ok := strings.CutSuffix(kind, "List"); ok { // an empty one: doc takes others apart
		r.kube.listed[of] = true
		_, known := kinds[group+"/"+of]
		return known || kind == "List"
	}
	read, ok := kinds[group+"/"+kind]
	if !ok {
		return false
	}
	meta := e.key("metadata")
	o := object{entry: e, kind: doc.Clean(kind, 60), namespace: doc.Clean(meta.key("namespace").Text(), 63), name: doc.Clean(meta.key("name").Text(), 100)}
	if read(r, o); item {
		r.kube.listed[kind] = true
	}
	return true
}

// externalAddress ends the source of an address that a node has beside those of its subnet.
const externalAddress = ", external address"

func (r *reading) node(o object) {
	n := node{name: o.name, provider: o.at("spec", "providerID").Text()}
	for _, a := range o.at("status", "addresses").items() {
		switch kind := a.key("type").Text(); kind {
		case "InternalIP", "ExternalIP":
			if addr, ok := a.key("address").addr(); ok {
				source := "node " + n.name
				if kind == "ExternalIP" {
					source += externalAddress
				}
				n.addrs = append(n.addrs, host(addr, source))
			}
		}
	}
	n.podCIDRs = o.at("spec", "podCIDRs").ranges("pods of node " + n.name)
	if len(n.podCIDRs) == 0 {
		n.podCIDRs = o.at("spec", "podCIDR").ranges("pods of node " + n.name)
	}
	version := o.at("status", "nodeInfo", "kubeletVersion").Text()
	for _, name := range []string{"k3s", "rke2"} {
		if strings.Contains(version, "+"+name) {
			n.distribution = name
		}
	}
	labels := o.at("metadata", "labels")
	n.fargate = labels.key("eks.amazonaws.com/compute-type").Text() == "fargate"
	n.auto = labels.key("eks.amazonaws.com/compute-type").Text() == "auto"
	n.win = labels.key("kubernetes.io/os").Text() == "windows"
	n.gke, n.aks = labels.has("cloud.google.com/gke-nodepool"), labels.has("kubernetes.azure.com/cluster")
	n.args = argsOf(o.at("metadata", "annotations", n.distribution+".io/node-args"))
	r.kube.nodes = append(r.kube.nodes, n)
}

// argsOf reads the list of arguments that k3s and RKE2 write into an annotation, as JSON.
func argsOf(v value) []string {
	docs, err := doc.Documents([]byte(v.Text()))
	if err != nil {
		return nil
	}
	for d := range docs {
		if d.Err != nil {
			return nil
		}
		var out []string
		if root := (value{d.Open(doc.Lenient)}); !root.IsMap() && !root.IsText() {
			for _, item := range root.items() {
				if item.IsText() {
					out = append(out, item.Text())
				}
			}
		}
		return out
	}
	return nil
}

// flag returns the value of a flag, "" if it has none, and whether it is given.
func flag(args []string, name string) (string, bool) {
	for i, a := range args {
		text, ok := strings.CutPrefix(a, "-")
		text = strings.TrimPrefix(text, "-")
		if !ok {
			continue
		}
		key, val, joined := strings.Cut(text, "=")
		switch {
		case key != name:
		case joined:
			return val, true
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "-"):
			return args[i+1], true
		default:
			return "", true
		}
	}
	return "", false
}

func (r *reading) pod(o object) {
	if o.at("spec", "hostNetwork").Bool() {
		return
	}
	status := o.key("status")
	list := []value{status.key("podIP")}
	for _, v := range status.key("podIPs").items() {
		list = append(list, v.key("ip"))
	}
	for _, v := range list {
		if a, ok := v.addr(); ok {
			r.kube.pods = append(r.kube.pods, named{a, o.String()})
		}
	}
	r.kube.resolverPod(o)
}

func (r *reading) serviceCIDR(o object) {
	r.kube.cidrs = append(r.kube.cidrs, o.at("spec", "cidrs").ranges("ServiceCIDR "+o.name)...)
}

// ipAddress reads the address of a Service, which is the object's name.
func (r *reading) ipAddress(o object) {
	if a, err := netip.ParseAddr(o.name); err == nil {
		r.kube.addresses = append(r.kube.addresses, named{a.WithZone("").Unmap(), o.String()})
	}
}

func (r *reading) endpointSlice(o object) {
	service := o.at("metadata", "labels", "kubernetes.io/service-name").Text()
	if o.namespace != "default" || o.name != "kubernetes" && service != "kubernetes" {
		return
	}
	var ports []uint16
	for _, p := range o.key("ports").items() {
		if n := p.key("port").port(); n != 0 {
			ports = append(ports, n)
		}
	}
	for _, end := range o.key("endpoints").items() {
		r.apiAddresses(o, end.key("addresses").items(), ports)
	}
}

func (r *reading) endpoints(o object) {
	if o.namespace != "default" || o.name != "kubernetes" {
		return
	}
	for _, subset := range o.key("subsets").items() {
		var ports []uint16
		for _, p := range subset.key("ports").items() {
			if n := p.key("port").port(); n != 0 {
				ports = append(ports, n)
			}
		}
		var addrs []value
		for _, a := range append(subset.key("addresses").items(), subset.key("notReadyAddresses").items()...) {
			addrs = append(addrs, a.key("ip"))
		}
		r.apiAddresses(o, addrs, ports)
	}
}

func (r *reading) apiAddresses(o object, addrs []value, ports []uint16) {
	for _, v := range addrs {
		a, ok := v.addr()
		if !ok {
			continue
		}
		for _, p := range ports {
			r.kube.api = append(r.kube.api, model.KubeEndpoint{Addr: a, Port: p, Source: o.String()})
		}
	}
}

// How service accounts ask for identities of a cloud: EKS documentation,
// associate-service-account-role; aks-docs workload-identity-overview.md; GKE documentation,
// workload-identity.
var accountAnnotations = map[string]string{
	"eks.amazonaws.com/role-arn":        model.EKSIRSA,
	"azure.workload.identity/client-id": model.AzureWorkload,
	"iam.gke.io/gcp-service-account":    model.GKEWorkloadIdentity,
}

func (r *reading) serviceAccount(o object) {
	notes := o.at("metadata", "annotations")
	for key, identity := range accountAnnotations {
		if notes.has(key) && r.kube.accounts[identity] == "" {
			r.kube.accounts[identity] = o.String()
		}
	}
}

// openshift is what the cluster's Network says: OpenShift API, config.openshift.io/v1.
type openshift struct {
	pods, services []model.Range
	plugin         string
}

func (r *reading) openshiftNetwork(o object) {
	var n openshift
	for _, part := range []string{"status", "spec"} {
		p := o.key(part)
		for _, c := range p.key("clusterNetwork").items() {
			n.pods = append(n.pods, c.key("cidr").ranges("pods, OpenShift clusterNetwork")...)
		}
		n.services = append(n.services, p.key("serviceNetwork").ranges("services, OpenShift serviceNetwork")...)
		if n.plugin == "" {
			n.plugin = p.key("networkType").word()
		}
	}
	r.kube.openshift = &n
}

func (r *reading) eniConfig(o object) {
	r.kube.eniSubnets[o.name] = o.at("spec", "subnet").word()
}

func (r *reading) nodeClass(object) { r.kube.nodeClasses = true }
