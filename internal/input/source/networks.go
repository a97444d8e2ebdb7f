package source

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// The annotations that give a pod networks beside the cluster's own (Kubernetes Network Custom
// Resource Definition De-facto Standard 1.3; multus-cni docs/configuration.md; Google Cloud
// documentation, setup-multinetwork-support-for-pods).
const (
	multusNetworks = "k8s.v1.cni.cncf.io/networks"
	multusDefault  = "v1.multus-cni.io/default-network"
	gkeInterfaces  = "networking.gke.io/interfaces"
	gkeNetwork     = "networking.gke.io/network" // of a NetworkPolicy: the network that it is about, alone

	// What a running pod got, also where nothing else of it says so (k8snetworkplumbingwg,
	// network-attachment-definition-client, pkg/apis/k8s.cni.cncf.io/v1/types.go; ovn-kubernetes,
	// go-controller/pkg/util/pod_annotation.go).
	networkStatus    = "k8s.v1.cni.cncf.io/network-status"
	networkStatusOld = "k8s.v1.cni.cncf.io/networks-status"
	ovnNetworks      = "k8s.ovn.org/pod-networks"
)

// maxNetworks bounds how many networks of one pod are told apart.
const maxNetworks = 16

// unnamedNetwork stands for networks whose names cannot be read.
const unnamedNetwork = "(unnamed)"

// readNetworks reads the networks that annotations of a pod name, by "namespace/name".
func readNetworks(c *doc.Cursor, set label.Set, namespace string) (networks []string, first string) {
	add := func(ns, name string) {
		if !isSubdomain(name) || ns != "" && !isSubdomain(ns) {
			name, ns = unnamedNetwork, ""
		}
		if ns != "" {
			name = ns + "/" + name
		}
		if len(networks) >= maxNetworks {
			name = unnamedNetwork
		}
		if !slices.Contains(networks, name) {
			networks = append(networks, name)
		}
	}
	refuse := func(key string) {
		c.Field(key).Fail("not a list of networks", "")
		add("", "")
	}
	if text := strings.TrimSpace(set[multusNetworks]); strings.HasPrefix(text, "[") {
		var list []struct {
			Name, Namespace string
			IPs             []string
			DefaultRoute    []string `json:"default-route"`
		}
		if json.Unmarshal([]byte(text), &list) != nil {
			refuse(multusNetworks)
		}
		for _, n := range list {
			add(orElse(n.Namespace, namespace), n.Name)
			if len(n.IPs)+len(n.DefaultRoute) > 0 { // which leads beyond what its definition says
				add("", unnamedNetwork)
			}
		}
	} else if text != "" {
		for item := range strings.SplitSeq(text, ",") {
			item, _, _ = strings.Cut(strings.TrimSpace(item), "@")
			ns, name, ok := strings.Cut(item, "/")
			if !ok {
				ns, name = namespace, item
			}
			add(ns, name)
		}
	}
	if text := set[gkeInterfaces]; text != "" {
		var list []struct{ Network string }
		if json.Unmarshal([]byte(text), &list) != nil {
			refuse(gkeInterfaces)
		}
		for _, n := range list {
			if n.Network != "default" {
				add("", n.Network)
			}
		}
	}
	for _, key := range []string{networkStatus, networkStatusOld} {
		var list []struct {
			Name    string
			Default bool
		}
		if text := set[key]; text != "" && json.Unmarshal([]byte(text), &list) != nil {
			refuse(key)
		}
		for _, n := range list {
			if ns, name, ok := strings.Cut(n.Name, "/"); ok && !n.Default { // others are of the cluster's own plugin
				add(ns, name)
			}
		}
	}
	if text := set[ovnNetworks]; text != "" {
		var roles map[string]struct{ Role string }
		if json.Unmarshal([]byte(text), &roles) != nil {
			refuse(ovnNetworks)
		}
		for _, full := range sortedKeys(roles) {
			if ns, name, ok := strings.Cut(full, "/"); ok && roles[full].Role != "primary" { // on which policies are enforced
				add(ns, name)
			}
		}
	}
	if text := strings.TrimSpace(set[multusDefault]); text != "" {
		if first = text; !strings.Contains(text, "/") {
			first = namespace + "/" + text
		}
		if ns, name, _ := strings.Cut(first, "/"); !isSubdomain(ns) || !isSubdomain(name) {
			first = unnamedNetwork
		}
	}
	slices.Sort(networks)
	return networks, first
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// devices are the names of resources that stand for network interfaces, by a part of them
// (k8snetworkplumbingwg, sriov-network-operator and k8s-rdma-shared-dev-plugin; NVIDIA network
// operator, hostDeviceNetwork; kubevirt.io, macvtap and bridge marker; EKS documentation, node-efa;
// Google Cloud documentation, setup-multinetwork-support-for-pods). Others stand for what they like:
// GPUs, and security groups for pods (vpc.amazonaws.com/pod-eni), which are no further network.
var devices = []string{"sriov", "openshift.io/", "rdma/", "/hostdev", ".network.kubevirt.io/", "vpc.amazonaws.com/efa", gkeDevice}

// gkeDevice is what GKE calls an interface of a network, and with ".IP" after the network's name an
// address of it.
const gkeDevice = "networking.gke.io.networks/"

// isDevice reports whether a resource is a network interface whatever the input says of it.
func isDevice(resource string) bool {
	return slices.ContainsFunc(devices, func(part string) bool { return strings.Contains(resource, part) })
}

// readDevices notes the resources that a container takes and that may be network interfaces.
func (s *podSpec) readDevices(c *doc.Cursor) {
	for _, list := range []string{"limits", "requests"} {
		for key := range c.Field("resources").Field(list).Entries() {
			if strings.Contains(key, "/") && isLabelKey(key) && !slices.Contains(s.devices, key) && len(s.devices) < maxNetworks {
				s.devices = append(s.devices, key)
			}
		}
	}
}

// resourceName is the annotation by which a definition says what resource its interfaces are.
const resourceName = "k8s.v1.cni.cncf.io/resourceName"

// attached is a definition with that resource; "" for none.
type attached struct {
	model.Network
	resource string
}

// withDevices gives pods the networks that their devices are: those of which a definition says so,
// and those that are nothing else. What a network that the pod names says of its own stays that.
func withDevices(workloads []workload, definitions []attached) {
	of := map[string]string{}  // by definition: its resource
	named := map[string]bool{} // resources
	for _, d := range definitions {
		of[d.Name], named[d.resource] = d.resource, true
	}
	for i := range workloads {
		w := &workloads[i]
		for _, key := range w.spec.devices {
			if !named[key] && !isDevice(key) {
				continue
			}
			for j := range w.Pods {
				p := &w.Pods[j]
				network := "resource " + key
				if name, ok := strings.CutPrefix(key, gkeDevice); ok {
					network = strings.TrimSuffix(name, ".IP")
				}
				if !slices.ContainsFunc(p.Networks, func(name string) bool { return name == network || of[name] == key }) {
					p.Networks = append(slices.Clip(p.Networks), network)
				}
			}
		}
		for j := range w.Pods {
			slices.Sort(w.Pods[j].Networks)
		}
	}
}

// attachment reads a NetworkAttachmentDefinition.
func (p *part) attachment(o *object) {
	defer p.close(o)
	n := model.Network{Name: o.meta.namespace + "/" + o.meta.name, Origin: o.at}
	n.Ranges, n.Bounded = rangesOf(o.root.At("spec").Field("config").Text())
	p.networks = append(p.networks, attached{n, o.meta.annotations[resourceName]})
}

// userNetwork reads a user-defined network of OVN-Kubernetes (ovn-kubernetes,
// go-controller/pkg/crd/userdefinednetwork/v1). A secondary one is there for pods that name it. A
// primary one takes the place of the cluster's own in its namespaces, which is not judged.
func (p *part) userNetwork(o *object) {
	defer p.close(o)
	spec := o.root.Field("spec")
	if o.kind == "ClusterUserDefinedNetwork" {
		spec = spec.Field("network")
	}
	secondary, primary := false, false
	for _, topology := range []string{"layer2", "layer3", "localnet"} {
		if c := spec.Field(topology); c.IsSet() {
			is := c.Field("role").Text() == "Secondary"
			secondary, primary = secondary || is, primary || !is
		}
	}
	switch {
	case primary || !secondary:
		k, _ := policyKindOf(o.group, o.kind)
		p.unjudged(o, k)
	case o.meta.namespace != "":
		p.networks = append(p.networks, attached{Network: model.Network{Name: o.meta.namespace + "/" + o.meta.name, Origin: o.at}})
	default: // it has definitions in its namespaces
		p.counts.Ignored++
	}
}

// rangesOf reads the addresses that an interface reaches from the configuration of its CNI plugin:
// those of its subnets and of the routes that it gets. ok is false where these are not all.
func rangesOf(config string) (ranges []netip.Prefix, ok bool) {
	var c struct {
		IsDefaultGateway bool
		IPAM             struct {
			Type, Subnet, Range string
			Ranges              [][]struct{ Subnet string }
			IPRanges            []struct{ Range string }
			Addresses           []struct{ Address string }
			Routes              []struct{ Dst string }
		}
	}
	if json.Unmarshal([]byte(config), &c) != nil || c.IsDefaultGateway {
		return nil, false
	}
	var texts []string
	switch c.IPAM.Type {
	case "host-local":
		texts = append(texts, c.IPAM.Subnet)
		for _, set := range c.IPAM.Ranges {
			for _, r := range set {
				texts = append(texts, r.Subnet)
			}
		}
	case "whereabouts":
		texts = append(texts, c.IPAM.Range)
		for _, r := range c.IPAM.IPRanges {
			texts = append(texts, r.Range)
		}
	case "static":
		for _, a := range c.IPAM.Addresses {
			texts = append(texts, a.Address)
		}
	default: // DHCP and others give what they like
		return nil, false
	}
	for _, r := range c.IPAM.Routes {
		texts = append(texts, r.Dst)
	}
	for _, text := range texts {
		if text == "" {
			continue
		}
		if _, last, isRange := strings.Cut(text, "-"); isRange { // whereabouts: "192.168.2.225-192.168.2.230/28"
			text = last
		}
		r, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, false
		}
		ranges = append(ranges, r.Masked())
	}
	return ranges, len(ranges) > 0
}

// attach notes the networks that the annotations of the pod name.
func (s *podSpec) attach(c *doc.Cursor, annotations label.Set, namespace string) {
	s.networks, s.first = readNetworks(c, annotations, namespace)
}
