// Package slow decides single connections the long way round, as a reference for tests of the
// engine.
//
// It is written from the text of the NetworkPolicy API
// (kubernetes.io/docs/concepts/services-networking/network-policies and k8s.io/api/networking/v1)
// and of the Cilium API, and shares no code with what it checks: objects have the shape of the
// APIs, selectors are evaluated requirement by requirement, and everything is known. What the texts
// leave undefined, or what network plugins do in their own way, is a choice that a [World] makes.
package slow

import (
	"net/netip"
	"slices"
)

// World is one cluster in which everything is known. Its pods have long been running, so nothing is
// said of the time before the policies of a new pod are in force.
type World struct {
	Namespaces     map[string]map[string]string // labels by name, with kubernetes.io/metadata.name
	Pods           []Pod
	Nodes          map[string][]netip.Addr      // addresses by name
	NodeLabels     map[string]map[string]string // by name
	NodeLocal      []netip.Addr                 // addresses at which every node answers its own pods
	APIServers     []netip.Addr                 // where the API server itself answers; some may be nodes
	Services       []Service
	Policies       []Policy
	CiliumPolicies []CiliumPolicy
	Overrides      []Override              // judged before all policies; the first that applies decides
	Translated     map[netip.Addr]bool     // addresses of Nodes that something outside of the cluster translates
	Meshes         map[string]int          // the port to which each mesh carries connections over TCP
	Over           []Network               // networks beside the cluster's own, as far as connections go over them
	Seen           map[netip.Addr]int      // the pod for which an address stands, where several have it
	Names          map[string][]netip.Addr // what host names resolve to, as the pods have looked them up; lower case, no dot at the end

	SelectorsMatchHost       bool // selector peers match pods on the host network
	SelectorsMatchServices   bool // so do the addresses of Services whose own selector satisfies a peer's, for egress that is judged before translation
	HostPodsJudged           bool // policies are enforced on pods on the host network
	BlocksMissPods           bool // a block does not match pods
	BlocksMissNodes          bool // a block does not match nodes and what runs on their network
	JudgedBeforeService      bool // egress to a Service is judged on the Service's address
	OwnNodeJudged            bool // the pod's own node needs a policy's leave to enter
	OwnNodeOpen              bool // a pod needs no policy's leave to reach its own node
	LongestPrefixDecides     bool // of the blocks that hold an address the longest decides, and an exception is a block that denies
	IPv4Escapes              bool // pods that have only IPv6 addresses have another way out over IPv4, which is not judged
	IPv6Escapes              bool // what is sent over IPv6 is not judged
	UntypedRulesApply        bool // rules of a direction that policyTypes does not name apply, and isolate
	UnselectedDenied         bool // a pod that no policy selects is denied everything
	NodeSelectors            bool // peers that select nodes are enabled
	PortNamesShared          bool // a port name in an egress rule is one number in the whole cluster, and none if pods differ
	PortNamesOfAll           bool // or each of them
	LabelsLeftOut            bool // selectors do not see the labels that the platform sets
	NotEnforced              bool // no policy is
	IgnoresNetworkPolicies   bool
	IgnoresCilium            bool // CiliumNetworkPolicies are not enforced
	IgnoresCiliumClusterwide bool // nor CiliumClusterwideNetworkPolicies
	NodePortsTranslatedFirst bool // a port of another node is translated on the client's, before egress is judged
	ExternalTranslatedFirst  bool // so is an external IP
	NodePortsEscape          bool // what nodes take in for others is not judged when it enters
	ClientsKept              bool // what nodes and load balancers take in keeps the client's address
	SentOn                   bool // nodes send on to other nodes where they should not
	NegativeMatchesAll       bool // a namespaceSelector of NotIn and DoesNotExist alone matches everything
	RequestsFit              bool // what is sent fits the rules for HTTP, DNS and others
	StarsMatchDepth          bool // "**." at the start of a pattern of names is any number of labels
	OnePodPerAddress         bool // selector peers see one of the pods with an address, by Seen, and not any of them
	NamesTaught              bool // on each node some other pod has asked for every name, and the answers were seen
}

// Pod is one running pod.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	Addrs           []netip.Addr // at most one a family; its node's, on the host network
	Node            string
	HostNetwork     bool
	NodeLeftOut     bool     // policies are not enforced on its node
	Networks        []string // beside the cluster's own
	Mesh            string
	HeldTo          int         // the pod whose policies it is held to, from 1; 0 for itself
	Ports           []NamedPort // the first of a name and protocol counts
	HostPorts       []HostPort
}

// NamedPort is a container port that has a name.
type NamedPort struct {
	Name, Protocol string
	Number         int
	Init           bool // of an init container that runs on
}

// Service is a Service with an address of its own and what is behind it.
type Service struct {
	Namespace, Name string
	Labels          map[string]string
	Selector        map[string]string // nil: its endpoints are set by hand
	Addrs           []netip.Addr      // none: headless
	Ports           []ServicePort
	Backends        []Backend
	Endpoints       []netip.Addr // of one whose endpoints are set by hand
	External        []External
	Local           bool // nodes keep the client's address, and send to no other node
}

// ServicePort is a port of a Service.
type ServicePort struct {
	Protocol   string
	Number     int
	Target     int // 0 if TargetName says it
	TargetName string
}

// Backend says that connections to a port of a Service may end at a port of a pod.
type Backend struct {
	Pod      int // index into World.Pods
	Protocol string
	Port     int // of the Service
	Target   int // of the pod
	Node     int // on every node; 0 for none
}

// Policy is a NetworkPolicy.
type Policy struct {
	Namespace   string
	PodSelector Selector
	PolicyTypes []string // "Ingress", "Egress"; none: as the API defaults them
	Ingress     []Rule
	Egress      []Rule
}

// Rule is one ingress or egress rule. No peers: every peer. No ports: every port.
type Rule struct {
	Peers []Peer
	Ports []Port
}

// Peer is one item of from or to.
type Peer struct {
	PodSelector       *Selector
	NamespaceSelector *Selector
	IPBlock           *IPBlock
}

// IPBlock is a range of addresses without some.
type IPBlock struct {
	CIDR   netip.Prefix
	Except []netip.Prefix
}

// Port is one item of ports.
type Port struct {
	Protocol string // "": TCP
	Number   int    // 0: every port, unless Name is set
	EndPort  int    // 0: none
	Name     string
}

// Selector is a label selector; all requirements must hold.
type Selector []Requirement

// Requirement is one item of matchExpressions; an entry of matchLabels is an In with one value.
type Requirement struct {
	Key      string
	Operator string // In, NotIn, Exists, DoesNotExist
	Values   []string
}

// Override stands for what a policy of a kind that is not modelled does: in one direction, it
// decides all connections of the pods it selects.
type Override struct {
	Namespaces, Pods Selector
	Ingress          bool
	Allow            bool
}

// End is one end of a connection: a pod, or what is not a pod at an address.
type End struct {
	Pod  int // index into World.Pods; -1 for an address
	Addr netip.Addr
}

// AtPod is the end that is pod n.
func AtPod(n int) End { return End{Pod: n} }

// AtAddr is the end at address a, which no pod has.
func AtAddr(a netip.Addr) End { return End{-1, a} }

// Allowed reports whether from can connect to port of to by its own address, in some IP family.
func (w *World) Allowed(from, to End, protocol string, port int) bool {
	if from.Pod >= 0 && from.Pod == to.Pod {
		return true
	}
	for _, f := range w.addrs(from) {
		for _, t := range w.addrs(to) {
			if f.Is4() == t.Is4() && w.leaves(from, to, t, protocol, port) && w.enters(from, f, to, protocol, port) || to.Pod < 0 && w.escapes(from, t) {
				return true
			}
		}
	}
	return false
}

// escapes reports whether from has a way to t that no policy sees.
func (w *World) escapes(from End, t netip.Addr) bool {
	return w.IPv4Escapes && from.Pod >= 0 && t.Is4() && !slices.ContainsFunc(w.Pods[from.Pod].Addrs, netip.Addr.Is4)
}

// Leaves reports whether from may send to address t as such, in whatever way what is there would
// judge it.
func (w *World) Leaves(from End, t netip.Addr, protocol string, port int) bool {
	for _, f := range w.addrs(from) {
		if f.Is4() == t.Is4() && w.leaves(from, AtAddr(t), t, protocol, port) || w.escapes(from, t) {
			return true
		}
	}
	return false
}

func (w *World) addrs(e End) []netip.Addr {
	if e.Pod >= 0 {
		return w.Pods[e.Pod].Addrs
	}
	return []netip.Addr{e.Addr}
}

// leaves judges the egress of from towards to, which has address t in the family in use.
func (w *World) leaves(from, to End, t netip.Addr, protocol string, port int) bool {
	if from.Pod < 0 {
		return true
	}
	if w.OwnNodeOpen && (w.isNode(to, t, w.Pods[from.Pod].Node) || !w.LongestPrefixDecides && slices.Contains(w.NodeLocal, t)) {
		return true
	}
	return w.side(from.Pod, to, t, false, to, protocol, port)
}

// enters judges the ingress of to from from, which has address f in the family in use.
func (w *World) enters(from End, f netip.Addr, to End, protocol string, port int) bool {
	if to.Pod < 0 {
		return true
	}
	if !w.OwnNodeJudged && w.isNode(from, f, w.Pods[to.Pod].Node) {
		return true
	}
	return w.side(to.Pod, from, f, true, to, protocol, port)
}

// isNode reports whether a connection from e, at address a, comes from the named node's own
// network.
func (w *World) isNode(e End, a netip.Addr, node string) bool {
	if e.Pod >= 0 {
		return w.Pods[e.Pod].HostNetwork && w.Pods[e.Pod].Node == node
	}
	return slices.Contains(w.Nodes[node], a) && !w.Translated[a]
}

// side judges one end: subject is the pod whose policies are asked, peer the other end at address
// a, dst the end that listens.
func (w *World) side(subject int, peer End, a netip.Addr, ingress bool, dst End, protocol string, port int) bool {
	pod := w.Pods[subject]
	if pod.HostNetwork && !w.HostPodsJudged || pod.NodeLeftOut {
		return true
	}
	for _, o := range w.Overrides { // who cannot be read may judge whatever there is
		if o.Ingress == ingress && o.Namespaces.matches(w.Namespaces[pod.Namespace]) && o.Pods.matches(pod.Labels) {
			return o.Allow
		}
	}
	if w.NotEnforced || w.IPv6Escapes && !a.Is4() || w.overNetwork(pod, peer, a) {
		return true
	}
	if carrier, ok := w.Meshes[pod.Mesh]; ok && protocol == "TCP" && port != carrier && peer.Pod >= 0 && w.Pods[peer.Pod].Mesh == pod.Mesh {
		return w.side(subject, peer, a, ingress, dst, protocol, carrier)
	}
	if pod.HeldTo > 0 {
		subject = pod.HeldTo - 1
		pod = w.Pods[subject]
	}
	if w.UnselectedDenied && !slices.ContainsFunc(w.Policies, func(p Policy) bool { return p.Namespace == pod.Namespace && p.PodSelector.matches(pod.Labels) }) {
		return false
	}
	if w.LongestPrefixDecides && !ingress && w.SelectorsMatchServices && w.kubernetesService(pod, a, protocol, port) {
		return true
	}
	if w.LongestPrefixDecides {
		return w.longestPrefix(subject, a, ingress, protocol, port)
	}
	denied, allowed, isolated := w.cilium(subject, peer, a, ingress, dst, protocol, port)
	for _, p := range w.applying(pod, ingress) {
		isolated = true
		for _, r := range p.rules(ingress) {
			allowed = allowed || w.peersMatch(p, r, peer, a) && w.portsMatch(r, dst, ingress, protocol, port)
			allowed = allowed || !ingress && w.toService(p, r, peer, a, protocol, port)
		}
	}
	return !denied && (allowed || !isolated)
}

// applying returns the NetworkPolicies that isolate a pod in one direction.
func (w *World) applying(pod Pod, ingress bool) []Policy {
	var out []Policy
	for _, p := range w.Policies {
		if !w.IgnoresNetworkPolicies && p.Namespace == pod.Namespace && p.PodSelector.matches(w.seen(pod.Labels)) && (p.isolates(ingress) || w.UntypedRulesApply && len(p.rules(ingress)) > 0) {
			out = append(out, p)
		}
	}
	return out
}

func (p Policy) rules(ingress bool) []Rule {
	if ingress {
		return p.Ingress
	}
	return p.Egress
}

func (p Policy) isolates(ingress bool) bool {
	if len(p.PolicyTypes) == 0 {
		return ingress || len(p.Egress) > 0
	}
	if ingress {
		return slices.Contains(p.PolicyTypes, "Ingress")
	}
	return slices.Contains(p.PolicyTypes, "Egress")
}

func (w *World) peersMatch(p Policy, r Rule, peer End, a netip.Addr) bool {
	if len(r.Peers) == 0 {
		return true
	}
	for _, x := range r.Peers {
		if x.IPBlock != nil {
			if x.IPBlock.contains(a) && w.inBlocks(peer, a) {
				return true
			}
			continue
		}
		if w.NegativeMatchesAll && x.excludes() && (peer.Pod < 0 || w.Pods[peer.Pod].HostNetwork) {
			return true
		}
		if peer.Pod < 0 {
			continue
		}
		if slices.ContainsFunc(w.stands(peer, a), func(i int) bool { return w.selected(p, x, w.Pods[i]) }) {
			return true
		}
	}
	return false
}

// selected reports whether the selectors of a peer select a pod.
func (w *World) selected(p Policy, x Peer, pod Pod) bool {
	if x.IPBlock != nil || pod.HostNetwork && !w.SelectorsMatchHost {
		return false
	}
	inNamespace := pod.Namespace == p.Namespace
	if x.NamespaceSelector != nil {
		inNamespace = x.NamespaceSelector.matches(w.Namespaces[pod.Namespace])
	}
	return inNamespace && (x.PodSelector == nil || x.PodSelector.matches(w.seen(pod.Labels)))
}

// stands is the pods that an end, which is a pod, may be for selectors, by the address it has.
func (w *World) stands(e End, a netip.Addr) []int {
	if w.Pods[e.Pod].HostNetwork {
		return []int{e.Pod}
	}
	if i, ok := w.Seen[a]; ok && w.OnePodPerAddress {
		return []int{i}
	}
	var out []int
	for i, pod := range w.Pods {
		if !pod.HostNetwork && slices.Contains(pod.Addrs, a) {
			out = append(out, i)
		}
	}
	return out
}

// excludes reports whether the selectors of a peer ask only for labels that must not be there, with
// one of them about namespaces.
func (x Peer) excludes() bool {
	negative := func(s *Selector) bool {
		return s == nil || !slices.ContainsFunc(*s, func(r Requirement) bool { return r.Operator != "NotIn" && r.Operator != "DoesNotExist" })
	}
	return x.NamespaceSelector != nil && len(*x.NamespaceSelector) > 0 && negative(x.NamespaceSelector) && negative(x.PodSelector)
}

func (b IPBlock) contains(a netip.Addr) bool {
	if !b.CIDR.Contains(a) {
		return false
	}
	for _, e := range b.Except {
		if e.Contains(a) {
			return false
		}
	}
	return true
}

func (w *World) portsMatch(r Rule, dst End, ingress bool, protocol string, port int) bool {
	if len(r.Ports) == 0 {
		return true
	}
	for _, p := range r.Ports {
		want := p.Protocol
		if want == "" {
			want = "TCP"
		}
		if want != protocol {
			continue
		}
		switch {
		case p.Name != "":
			if w.named(p.Name, dst, ingress, protocol, port) {
				return true
			}
		case p.Number == 0:
			return true
		case p.EndPort != 0:
			if p.Number <= port && port <= p.EndPort {
				return true
			}
		case p.Number == port:
			return true
		}
	}
	return false
}

// named reports whether a port name in a rule stands for port.
func (w *World) named(name string, dst End, ingress bool, protocol string, port int) bool {
	if ingress || !w.PortNamesShared {
		return dst.Pod >= 0 && w.Pods[dst.Pod].number(name, protocol) == port
	}
	same := false
	for _, pod := range w.Pods {
		for _, n := range pod.Ports {
			if pod.HostNetwork || n.Init || n.Name != name || n.Protocol != protocol {
				continue
			}
			if n.Number != port && !w.PortNamesOfAll {
				return false
			}
			same = same || n.Number == port
		}
	}
	return same
}

// seen is the labels of a pod that selectors see.
func (w *World) seen(labels map[string]string) map[string]string {
	if !w.LabelsLeftOut {
		return labels
	}
	out := map[string]string{}
	for k, v := range labels {
		if k != "pod-template-hash" && k != "statefulset.kubernetes.io/pod-name" && k != "apps.kubernetes.io/pod-index" && k != "controller-revision-hash" {
			out[k] = v
		}
	}
	return out
}

// number resolves a port name; 0 if the pod has none of that name.
func (p Pod) number(name, protocol string) int {
	for _, n := range p.Ports {
		if n.Name == name && n.Protocol == protocol {
			return n.Number
		}
	}
	return 0
}

func (s Selector) matches(labels map[string]string) bool {
	for _, r := range s {
		value, present := labels[r.Key]
		ok := false
		switch r.Operator {
		case "In":
			ok = present && slices.Contains(r.Values, value)
		case "NotIn":
			ok = !present || !slices.Contains(r.Values, value)
		case "Exists":
			ok = present
		case "DoesNotExist":
			ok = !present
		}
		if !ok {
			return false
		}
	}
	return true
}
