package facts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// verdict is what one side says of the network plugin: a profile, or why none can be named. The
// zero value says nothing.
type verdict struct{ profile, from, why string }

const noEngine = "none" // the profile of clusters in which nothing enforces policies

// plugin decides which profile of the network plugin is the cluster's. It never guesses: with two
// engines, or signs of none, it stays unknown.
func (b *builder) plugin() {
	cloud, own := b.cloudPlugin(), b.ownPlugin()
	v := own
	switch {
	case own == verdict{}, b.autoMode() && (own.profile == noEngine || b.kube.plugins.has(awsNode)):
		v = cloud
	case cloud.profile == "" || cloud.profile == own.profile:
	case cloud.profile == noEngine: // the user brought an engine
	case own.profile == noEngine:
		v = verdict{why: fmt.Sprintf("%s says %s, and no DaemonSet that was read enforces policies", cloud.from, cloud.profile)}
	case own.profile != "":
		v = verdict{why: fmt.Sprintf("two are named: %s by %s and %s by %s", cloud.profile, cloud.from, own.profile, own.from)}
	}
	if v.profile != "" {
		if why := b.outside(v.profile); why != "" {
			v = verdict{why: why}
		}
	}
	switch {
	case v.profile != "":
		b.CNI = v.profile
		b.settle(fieldCNI)
	case v.why != "":
		b.missing(fieldCNI, "%s", v.why)
	}
}

// outside names a node on which a plugin enforces nothing: EKS documentation, cni-network-policy
// and fargate, which runs no DaemonSets.
func (b *builder) outside(profile string) string {
	amazon := strings.HasPrefix(profile, "aws-") || profile == "eks-auto"
	for _, n := range b.kube.nodes {
		switch {
		case n.fargate && profile != noEngine:
			return "node " + n.name + " is of Fargate, on which " + profile + " enforces nothing; name the plugin for the nodes that you ask about with --cni"
		case n.win && amazon:
			return "node " + n.name + " runs Windows, on which " + profile + " enforces nothing; name the plugin for the nodes that you ask about with --cni"
		}
	}
	return ""
}

// cloudPlugin is what the cloud's description says.
func (b *builder) cloudPlugin() verdict {
	switch {
	case b.gke != nil:
		return b.gke.engine()
	case b.aks != nil:
		return b.aks.engine()
	case b.eks != nil || len(b.addons) > 0 || b.autoMode():
		return b.eksEngine()
	}
	return verdict{}
}

// engine: GKE documentation, dataplane-v2 and network-policy.
func (c *gkeCluster) engine() verdict {
	v := verdict{from: "the description of GKE cluster " + c.name}
	switch {
	case c.dataplane == "ADVANCED_DATAPATH":
		v.profile = "gke-dpv2"
	case c.dataplane != "" && c.dataplane != "LEGACY_DATAPATH" && c.dataplane != "DATAPATH_PROVIDER_UNSPECIFIED":
		v.why = v.from + " names a data plane that is not known here"
	case c.autopilot:
		v.why = v.from + " says Autopilot, and no Dataplane V2"
	case c.policies && c.policiesOff:
		v.why = v.from + " says that network policy is enabled, and that its add-on is disabled"
	case c.policies:
		v.profile = "gke-legacy"
	default:
		v.profile = noEngine
	}
	return v
}

// engine: aks-docs use-network-policies.md and azure-cni-powered-by-cilium.md.
func (c *aksCluster) engine() verdict {
	v := verdict{from: "the description of AKS cluster " + c.name}
	switch {
	case c.dataplane == "cilium" && (c.policy == "" || c.policy == "cilium" || c.policy == "none"):
		v.profile = "aks-cilium"
	case c.dataplane != "" && c.dataplane != "azure":
		v.why = fmt.Sprintf("%s names data plane %q and network policy %q", v.from, c.dataplane, c.policy)
	case c.policy == "azure":
		v.profile = "azure-npm"
	case c.policy == "calico":
		v.profile = "calico"
	case (c.policy == "" || c.policy == "none") && c.plugin == "none":
		v.why = v.from + " leaves the plugin to the user; " + whoTells[fieldCNI]
	case c.policy == "" || c.policy == "none":
		v.profile = noEngine
	default:
		v.why = fmt.Sprintf("%s names network policy %q", v.from, c.policy)
	}
	return v
}

// eksEngine: EKS documentation, cni-network-policy and auto-net-pol.
func (b *builder) eksEngine() verdict {
	addon, ok := b.addons[addonVPC]
	switch {
	case b.autoMode():
		return b.autoEngine()
	case ok && addon.policies && addon.strict:
		return verdict{profile: "aws-vpc-cni:strict", from: "add-on vpc-cni"}
	case ok && addon.policies:
		return verdict{profile: "aws-vpc-cni", from: "add-on vpc-cni"}
	case ok:
		return verdict{why: "the configuration of add-on vpc-cni does not enable its network policy agent, and whether another engine enforces policies was not read; " + whoTells[fieldCNI]}
	case b.eks != nil:
		n := Need{AmazonAddon, b.eks.name + "/" + addonVPC}
		if !b.kube.listed["DaemonSet"] {
			b.ask(n)
		}
		return verdict{why: "which plugin the EKS cluster runs, and whether it enforces policies, was not read; " + n.command() + ", or kubectl get daemonsets,configmaps -A -o json"}
	}
	return verdict{}
}

// autoEngine says whether EKS Auto Mode enforces: only with a key in a ConfigMap.
func (b *builder) autoEngine() verdict {
	if b.kube.plugins.has(awsNode) {
		return verdict{why: "nodes of EKS Auto Mode are there, and others that run aws-node; name the plugin for the nodes that you ask about with --cni"}
	}
	switch b.kube.amazon["enable-network-policy-controller"] {
	case "true":
		return verdict{profile: "eks-auto", from: "ConfigMap kube-system/amazon-vpc-cni"}
	case "":
		return verdict{why: "EKS Auto Mode enforces policies only with enable-network-policy-controller in ConfigMap kube-system/amazon-vpc-cni, which was not seen; " +
			"run: kubectl get configmap -n kube-system amazon-vpc-cni -o json, and use --cni none if there is none"}
	}
	return verdict{profile: noEngine, from: "ConfigMap kube-system/amazon-vpc-cni"}
}

// ownPlugin is what the objects of the cluster say.
func (b *builder) ownPlugin() verdict {
	k := &b.kube
	var engines, others []plugin
	for _, p := range k.plugins {
		switch p.enforces {
		case cannotTell:
			return verdict{why: p.at + " runs " + p.name + ": " + p.why}
		case yes:
			engines = append(engines, p)
		case no:
			others = append(others, p)
		}
	}
	names := func(list []plugin) (out []string) {
		for _, p := range list {
			if !slices.Contains(out, p.name) {
				out = append(out, p.name)
			}
		}
		return out
	}
	switch engine := names(engines); {
	case len(engine) > 1:
		return verdict{why: "several plugins that enforce policies run: " + strings.Join(engine, ", ")}
	case len(engine) == 1:
		return b.profileOf(engines[0])
	case k.openshift != nil && k.openshift.plugin == "OVNKubernetes":
		return verdict{profile: "ovn-kubernetes", from: "the cluster's Network"}
	case k.openshift != nil && k.openshift.plugin != "":
		return verdict{why: "OpenShift's network type is " + k.openshift.plugin + ", of which there is no profile"}
	case slices.ContainsFunc(k.nodes, func(n node) bool { return n.distribution == "k3s" }):
		return b.k3s()
	case len(others) > 0 && !k.listed["DaemonSet"]:
		return verdict{why: strings.Join(names(others), ", ") + " enforces nothing here, and whether another engine does was not read; run: kubectl get daemonsets -A -o json"}
	case len(others) > 0:
		return verdict{profile: noEngine, from: strings.Join(names(others), ", ") + ", which enforces nothing here"}
	}
	return verdict{}
}

// profileOf names the profile of the only engine.
func (b *builder) profileOf(p plugin) verdict {
	k := &b.kube
	onGKE := b.gke != nil || slices.ContainsFunc(k.nodes, func(n node) bool { return n.gke })
	onAKS := b.aks != nil || slices.ContainsFunc(k.nodes, func(n node) bool { return n.aks })
	v := verdict{from: p.at}
	switch p.name {
	case anetd:
		v.profile = "gke-dpv2"
	case npmP:
		v.profile = "azure-npm"
	case antreaP:
		v.profile = "antrea"
	case routerP:
		v.profile = "kube-router"
	case ovnP:
		v.profile = "ovn-kubernetes"
	case kindnet, knp:
		v.profile = "kube-network-policies"
	case calicoP, canalP:
		switch {
		case k.installation.enterprise:
			v.why = "the Installation is of Calico Enterprise, of which there is no profile"
		case onGKE && strings.HasPrefix(p.at, "DaemonSet kube-system/"):
			v.profile = "gke-legacy"
		default:
			v.profile = "calico"
		}
	case ciliumP:
		return b.ciliumProfile(v, onAKS)
	case awsNode:
		return b.amazonProfile(v, p)
	}
	return v
}

// amazonProfile: the agent on the nodes enforces what the controller in the control plane tells it,
// which a ConfigMap turns on, as the managed add-on does by itself: EKS documentation,
// cni-network-policy-configure.
func (b *builder) amazonProfile(v verdict, p plugin) verdict {
	controller := b.kube.amazon["enable-network-policy-controller"]
	switch {
	case controller == "" && !b.addons[addonVPC].policies:
		v.why = p.at + " runs with its network policy agent on, and whether the controller is on was not seen; run: kubectl get configmap -n kube-system amazon-vpc-cni -o json"
	case controller != "" && controller != "true":
		v.why = p.at + " runs with its network policy agent on, and ConfigMap kube-system/amazon-vpc-cni turns the controller off"
	case p.strict:
		v.profile = "aws-vpc-cni:strict"
	default:
		v.profile = "aws-vpc-cni"
	}
	return v
}

// ciliumProfile reads the mode from ConfigMap cilium-config: cilium Documentation/cmdref,
// --enable-policy, --policy-cidr-match-mode, --policy-audit-mode and --enable-k8s-networkpolicy.
func (b *builder) ciliumProfile(v verdict, onAKS bool) verdict {
	c := b.kube.cilium
	managed := onAKS && (b.aks == nil || b.aks.dataplane == "cilium")
	switch {
	case c != nil && (c.audit || c.blind): // what it judges in spite of that is not told apart
		v.profile, v.from = noEngine, "ConfigMap kube-system/cilium-config, which turns policies off"
		return v
	case managed && (c == nil || c.match == "" && (c.policy == "" || c.policy == "default")): // a user's own Cilium may be on nodes of AKS too
		v.profile = "aks-cilium"
		return v
	case c == nil:
		v.why = "Cilium runs, and its mode was not read; run: kubectl get configmap -n kube-system cilium-config -o json"
		return v
	}
	modes := strings.FieldsFunc(c.match, func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(modes)
	switch {
	case c.policy == "never":
		v.profile = noEngine
	case c.policy != "" && c.policy != "default":
		v.why = "Cilium runs with enable-policy " + c.policy + ", of which there is no profile"
	case len(modes) == 0:
		v.profile = "cilium"
	default:
		v.profile = "cilium:cidr-match=" + map[string]string{"nodes": "nodes", "pods": "pods", "nodes pods": "pods+nodes"}[strings.Join(modes, " ")]
		if strings.HasSuffix(v.profile, "=") {
			v.profile, v.why = "", "Cilium runs with policy-cidr-match-mode "+c.match+", of which there is no profile"
		}
	}
	return v
}

// k3s runs flannel and kube-router's controller in its own process, unless its arguments say
// otherwise: docs.k3s.io, networking/basic-network-options. A node's annotation has the arguments,
// those of the configuration file included.
func (b *builder) k3s() verdict {
	for _, n := range b.kube.nodes {
		if len(n.args) == 0 || n.args[0] != "server" {
			continue
		}
		off, given := flag(n.args, "disable-network-policy")
		backend, _ := flag(n.args, "flannel-backend")
		switch {
		case given && off != "false" && backend == "none":
			return verdict{why: "k3s runs without its own plugin, and no DaemonSet of another was seen; " + whoTells[fieldCNI]}
		case given && off != "false":
			return verdict{profile: noEngine, from: "the arguments of k3s on node " + n.name}
		case !b.kube.listed["DaemonSet"]:
			return verdict{why: "k3s enforces policies by itself, and whether another engine does too was not read; run: kubectl get daemonsets -A -o json"}
		}
		return verdict{profile: "kube-router", from: "the arguments of k3s on node " + n.name}
	}
	return verdict{why: "no server node of k3s was seen whose annotation k3s.io/node-args says whether network policy is on"}
}

// identities decides how pods get identities of the cloud.
func (b *builder) identities() {
	k := &b.kube
	switch {
	case b.gke != nil:
		b.identity(pick(b.gke.workloadPool, model.GKEWorkloadIdentity, model.NoIdentity))
	case b.aks != nil:
		b.identity(pick(b.aks.identity, model.AzureWorkload, model.NoIdentity))
	case k.gkeMetadata, k.accounts[model.GKEWorkloadIdentity] != "":
		b.identity(model.GKEWorkloadIdentity)
	case k.accounts[model.AzureWorkload] != "":
		b.identity(model.AzureWorkload)
	case b.eks != nil || b.Cloud == "AWS":
		b.amazonIdentity()
	case b.Cloud != "" && k.listed["DaemonSet"] && k.listed["ServiceAccount"]:
		b.identity(model.NoIdentity)
	}
}

func pick(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

func (b *builder) identity(name string) {
	b.Identity = name
	b.settle(fieldIdentity)
}

// amazonIdentity: the agent's presence decides before annotations, because it is what needs an
// address of its own.
func (b *builder) amazonIdentity() {
	k := &b.kube
	agent := k.podIdentity || b.podRoles || b.autoMode() || slices.Contains(b.addonNames, addonIdentity)
	if _, ok := b.addons[addonIdentity]; ok || agent {
		b.identity(model.EKSPodIdentity)
		return
	}
	if !b.allAddons && !k.listed["DaemonSet"] {
		if b.eks != nil {
			b.need(Need{AmazonAddons, b.eks.name}, fieldIdentity, "whether the EKS Pod Identity agent runs was not read")
		}
		return
	}
	switch {
	case k.accounts[model.EKSIRSA] != "":
		b.identity(model.EKSIRSA)
	case k.listed["ServiceAccount"]:
		b.identity(model.NoIdentity)
	default:
		b.missing(fieldIdentity, "whether service accounts have roles was not read; run: kubectl get serviceaccounts -A -o json")
	}
}
