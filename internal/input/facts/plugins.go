package facts

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// plugin is a network plugin that a DaemonSet runs.
type plugin struct {
	name     string
	at       string // the DaemonSet
	enforces answer
	why      string // where that cannot be told
	strict   bool   // of Amazon's
}

// answer is what can be told of a question.
type answer uint8

const (
	cannotTell answer = iota
	no
	yes
)

// Names of plugins, as far as they are asked for.
const (
	awsNode  = "Amazon VPC CNI"
	ciliumP  = "Cilium"
	anetd    = "GKE Dataplane V2"
	calicoP  = "Calico"
	canalP   = "Canal"
	antreaP  = "Antrea"
	routerP  = "kube-router"
	ovnP     = "OVN-Kubernetes"
	npmP     = "Azure Network Policy Manager"
	flannel  = "flannel"
	azureCNI = "Azure CNI"
	kindnet  = "kindnet"
	knp      = "kube-network-policies"
)

type plugins []plugin

func (p plugins) has(name string) bool {
	return slices.ContainsFunc(p, func(q plugin) bool { return q.name == name })
}

func (p plugins) any() bool { return len(p) > 0 }

// container is what decides of a container.
type container struct {
	name, image string
	args        []string
	env         map[string]string
}

func readContainers(v value) []container {
	var out []container
	for _, c := range v.items() {
		one := container{name: c.key("name").Text(), image: c.key("image").Text(), env: map[string]string{}}
		for _, key := range []string{"command", "args"} {
			for _, a := range c.key(key).items() {
				one.args = append(one.args, a.Text())
			}
		}
		for _, e := range c.key("env").items() {
			if name := e.key("name").Text(); strings.HasPrefix(name, "NETWORK_POLICY_") {
				one.env[name] = e.key("value").Text()
			}
		}
		out = append(out, one)
	}
	return out
}

// add adds p, once for each DaemonSet. More than a few tell nothing more.
func (p *plugins) add(one plugin) {
	if len(*p) < 100 && !slices.ContainsFunc(*p, func(q plugin) bool { return q.name == one.name && q.at == one.at }) {
		*p = append(*p, one)
	}
}

// isSystem reports whether what is in a namespace can be taken for a part of the cluster itself:
// where the projects' own manifests and charts install. What others may put into a cluster must not
// decide how its policies are read.
func isSystem(namespace string) bool {
	switch namespace {
	case "kube-system", "kube-flannel", "kube-router", "cilium", "cilium-system", "calico-system", "ovn-kubernetes", "antrea-system", "weave":
		return true
	}
	return strings.HasPrefix(namespace, "openshift-")
}

// daemonSet looks what a DaemonSet runs. Containers are known by the names that the projects' own
// manifests give them.
func (r *reading) daemonSet(o object) {
	if n := o.at("status", "desiredNumberScheduled"); n.IsSet() {
		if count, ok := n.Int(); ok && count == 0 {
			return // it runs nowhere
		}
	}
	list := readContainers(o.at("spec", "template", "spec", "containers"))
	system := isSystem(o.namespace)
	k := &r.kube
	for _, c := range list {
		p := plugin{at: o.String(), enforces: yes}
		switch {
		case c.name == "node-cache" || o.name == "node-local-dns":
			k.nodeLocal.runs = true
			if text, ok := flag(c.args, "localip"); ok && system { // what others run must not name the cluster's resolver
				k.nodeLocal.addrs = append(k.nodeLocal.addrs, nodeLocalAddrs(text)...)
			}
			continue
		case c.name == "eks-pod-identity-agent" && system:
			k.podIdentity = true
			continue
		case o.namespace == "kube-system" && o.name == "gke-metadata-server":
			k.gkeMetadata = true
			continue
		case c.name == "cilium-agent" && o.name == "anetd":
			p.name = anetd
		case c.name == "cilium-agent":
			p.name = ciliumP
		case c.name == "calico-node" && strings.HasSuffix(o.name, "canal"):
			p.name = canalP
		case c.name == "calico-node":
			p.name = calicoP
		case c.name == "aws-node":
			p.name = awsNode
			p.agent(c, list)
		case c.name == "azure-npm":
			p.name = npmP
		case c.name == "antrea-agent":
			p.name = antreaP
		case c.name == "kube-router":
			p.name = routerP
			if text, ok := flag(c.args, "run-firewall"); ok && text == "false" {
				p.enforces = no
			}
		case c.name == "ovnkube-controller", c.name == "ovnkube-node", c.name == "ovn-controller" && strings.HasPrefix(o.name, "ovnkube"):
			p.name = ovnP
		case c.name == knp, strings.Contains(c.image, "/kube-network-policies:"), strings.HasSuffix(c.image, "/kube-network-policies"):
			p.name = knp
		case c.name == "kindnet-cni":
			p.name = kindnet
			p.kindnet(c.image)
		case c.name == "kube-flannel":
			p.name, p.enforces = flannel, no
		case c.name == "cns-container" && o.name == "azure-cns":
			p.name, p.enforces = azureCNI, no
		case c.name == "weave", c.name == "weave-npc":
			p.name, p.enforces, p.why = "Weave Net", cannotTell, "there is no profile of it"
		case o.name == "kube-ovn-cni":
			p.name, p.enforces, p.why = "Kube-OVN", cannotTell, "there is no profile of it"
		case o.namespace == "openshift-sdn" && c.name == "sdn":
			p.name, p.enforces, p.why = "OpenShift SDN", cannotTell, "there is no profile of it"
		case o.name == "nsx-node-agent", o.name == "romana-agent", o.name == "contrail-agent":
			p.name, p.enforces, p.why = doc.Clean(o.name, 40), cannotTell, "there is no profile of it"
		default:
			continue
		}
		if !system {
			p.enforces, p.why = cannotTell, "that is no namespace of the system"
		}
		k.plugins.add(p)
	}
}

// agent says whether the policy agent beside Amazon's plugin is on: amazon-vpc-cni-k8s,
// charts/aws-vpc-cni/templates/daemonset.yaml.
func (p *plugin) agent(node container, all []container) {
	p.enforces = no
	for _, c := range all {
		if c.name != "aws-eks-nodeagent" {
			continue
		}
		if text, ok := flag(c.args, "enable-network-policy"); ok && text != "false" {
			p.enforces = yes
		}
	}
	p.strict = node.env["NETWORK_POLICY_ENFORCING_MODE"] == "strict"
}

// firstEnforcing is the date in the tag of kindnetd in kind 0.24, the release that began to enforce
// policies. Of that image itself reports differ.
const firstEnforcing = "20240813"

// kindnet says whether this kindnetd enforces, which its image's tag tells: "v20240813-c6f155d6".
func (p *plugin) kindnet(image string) {
	_, tag, _ := strings.Cut(last(image), ":")
	date, _, _ := strings.Cut(strings.TrimPrefix(tag, "v"), "-")
	switch {
	case len(date) != len(firstEnforcing) || strings.Trim(date, "0123456789") != "":
		p.enforces, p.why = cannotTell, "its image's tag has no date, which tells whether it enforces policies: it does in releases of kind after 0.24"
	case date == firstEnforcing:
		p.enforces, p.why = cannotTell, "whether that of kind 0.24 enforces policies is not certain"
	case date < firstEnforcing:
		p.enforces = no
	}
}

// ciliumConfig is ConfigMap cilium-config: cilium Documentation/cmdref.
type ciliumConfig struct {
	policy, match, ipam string
	pools               []model.Range
	audit               bool // it lets through what policies deny, and says so
	blind               bool // it reads no NetworkPolicies
	chained             bool // another plugin gives pods their addresses
}

// configMap reads those that say something.
func (r *reading) configMap(o object) {
	data := o.key("data")
	k := &r.kube
	if !isSystem(o.namespace) {
		return
	}
	switch o.name {
	case "kubeadm-config":
		r.kubeadm(data.key("ClusterConfiguration"), o)
	case "cilium-config":
		c := &ciliumConfig{policy: data.key("enable-policy").word(), match: data.key("policy-cidr-match-mode").word(), ipam: data.key("ipam").word(),
			audit: data.key("policy-audit-mode").word() == "true", blind: data.key("enable-k8s-networkpolicy").word() == "false",
			chained: !slices.Contains([]string{"", "none", "portmap"}, data.key("cni-chaining-mode").word())}
		for _, key := range []string{"cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr"} {
			c.pools = append(c.pools, data.key(key).ranges("pods, Cilium "+key)...)
		}
		k.cilium = c
	case "amazon-vpc-cni":
		k.amazon = map[string]string{}
		for key, v := range data.Entries() {
			k.amazon[key] = v.Text()
		}
	case "node-local-dns":
		// "bind 169.254.20.10 10.96.0.10" in each zone of the Corefile; the manifest has
		// placeholders before it is applied.
		for line := range strings.Lines(data.key("Corefile").Text()) {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "bind "); ok {
				for _, a := range nodeLocalAddrs(rest) {
					if !slices.Contains(k.nodeLocal.configured, a) {
						k.nodeLocal.configured = append(k.nodeLocal.configured, a)
					}
				}
			}
		}
	}
}

// kubeadm reads a ClusterConfiguration, which is YAML in a text: kubernetes
// cmd/kubeadm/app/apis/kubeadm/v1beta4.
func (r *reading) kubeadm(v value, o object) {
	docs, err := doc.Documents([]byte(v.Text()))
	if err != nil {
		v.Fail("cannot be read: "+err.(*doc.Error).Message, "")
		return
	}
	for d := range docs {
		if d.Err != nil {
			v.Fail("cannot be read: "+d.Err.Message, "")
			continue
		}
		root := d.Open(doc.Lenient)
		if !root.IsMap() {
			v.Fail("not a ClusterConfiguration", "")
			continue
		}
		net := value{root}.key("networking")
		r.kube.kubeadmPods = append(r.kube.kubeadmPods, net.key("podSubnet").ranges("pods, kubeadm podSubnet")...)
		r.kube.kubeadmServices = append(r.kube.kubeadmServices, net.key("serviceSubnet").ranges("services, kubeadm serviceSubnet")...)
		for _, p := range root.Close() {
			v.Fail(p.Path+": "+p.Message, p.Hint)
		}
	}
}

func (r *reading) ciliumNode(o object) {
	r.kube.ciliumNodes = append(r.kube.ciliumNodes, o.at("spec", "ipam", "podCIDRs").ranges("pods of node "+o.name+", CiliumNode")...)
}

func (r *reading) ciliumPool(o object) {
	for _, family := range []string{"ipv4", "ipv6"} {
		r.kube.ciliumPools = append(r.kube.ciliumPools, o.at("spec", family, "cidrs").ranges("pods, CiliumPodIPPool "+o.name)...)
	}
}

// calicoInstallation is what the operator's Installation says:
// https://docs.tigera.io/calico/latest/reference/installation/api
type calicoInstallation struct {
	read       bool
	cni, ipam  string
	enterprise bool
}

// calicoPool reads an IPPool. One that is disabled may still have pods in it.
func (r *reading) calicoPool(o object) {
	source := "pods, Calico IPPool " + o.name
	if o.at("spec", "disabled").Bool() {
		source += " (disabled)"
	}
	add(&r.kube.calicoPools, o.at("spec", "cidr").ranges(source)...)
}

func (r *reading) calicoInstallation(o object) {
	spec := o.key("spec")
	variant := spec.key("variant").Text()
	r.kube.installation = calicoInstallation{read: true, cni: spec.at("cni", "type").Text(), ipam: spec.at("cni", "ipam", "type").Text(),
		enterprise: variant == "TigeraSecureEnterprise" || variant == "CalicoEnterprise"}
	for _, p := range spec.at("calicoNetwork", "ipPools").items() {
		add(&r.kube.calicoPools, p.key("cidr").ranges("pods, Calico Installation "+o.name)...)
	}
}
