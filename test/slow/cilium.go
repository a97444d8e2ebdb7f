package slow

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// This file is written from the text of the CiliumNetworkPolicy API (docs.cilium.io, network
// policy) and the agent's own reading of it (cilium v1.19.1, pkg/policy/utils and pkg/policy/api):
// every rule is asked in turn whether it matches.

// CiliumPolicy is one spec of a CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy.
type CiliumPolicy struct {
	Namespace     string // "": cluster-wide
	Subject       Selector
	SubjectIsNode bool // it has a nodeSelector, so it says nothing of pods

	Ingress, IngressDeny, Egress, EgressDeny []CiliumRule

	DenyIngress, DenyEgress *bool // enableDefaultDeny; nil: as the API defaults it
}

// CiliumRule is one item of ingress, ingressDeny, egress or egressDeny. A list that is nil is
// absent, one that is empty matches nothing.
type CiliumRule struct {
	Endpoints []Selector // fromEndpoints, toEndpoints
	Entities  []string
	CIDRs     []IPBlock // fromCIDR, fromCIDRSet and so on, with groups written out
	Nodes     []Selector
	Names     []string // toFQDNs: names and patterns; a list that is empty is as good as absent
	Services  []ServiceRef
	Ports     []CiliumPort // toPorts
	ICMPs     bool         // it is about ICMP, of which nothing is judged here
	Queries   []string     // names and patterns of DNS rules, of all its ports; their answers are seen
}

// ServiceRef is one item of toServices.
type ServiceRef struct {
	Namespace, Name string // no namespace: any
	Labels          Selector
	ByLabels        bool // Labels counts, not Name
}

// CiliumPort is one port of toPorts.
type CiliumPort struct {
	Protocol string // "" or "ANY": every one
	Number   int    // 0: every port, unless Name is set
	EndPort  int    // 0: none
	Name     string
	Requests bool // there are rules for HTTP, DNS or others that requests must fit
}

// identity is the labels that Cilium knows an end by, seen from a pod on the given node.
func (w *World) identity(e End, a netip.Addr, node string) map[string]string {
	id := map[string]string{}
	for name, addrs := range w.Nodes {
		if w.isNode(e, a, name) || slices.Contains(addrs, a) {
			if name == node && !w.Translated[a] {
				id["reserved:host"] = ""
			} else {
				id["reserved:remote-node"] = ""
			}
		}
	}
	if slices.Contains(w.NodeLocal, a) {
		id["reserved:host"] = ""
	}
	if slices.Contains(w.APIServers, a) {
		id["reserved:kube-apiserver"] = ""
	}
	switch {
	case e.Pod >= 0 && !w.Pods[e.Pod].HostNetwork:
		return w.podIdentity(w.Pods[e.Pod])
	case len(id) == 0 || len(id) == 1 && slices.Contains(w.APIServers, a):
		id["reserved:world"] = ""
	}
	return id
}

func (w *World) podIdentity(p Pod) map[string]string {
	id := map[string]string{"io.kubernetes.pod.namespace": p.Namespace, "io.cilium.k8s.policy.cluster": "default"}
	for k, v := range w.seen(p.Labels) {
		id[k] = v
	}
	for k, v := range w.Namespaces[p.Namespace] {
		id["io.cilium.k8s.namespace.labels."+k] = v
	}
	return id
}

// sourceless is a selector whose keys do not say where a label comes from.
func sourceless(s Selector) Selector {
	var out Selector
	for _, r := range s {
		r.Key = strings.TrimPrefix(strings.TrimPrefix(r.Key, "k8s:"), "any:")
		out = append(out, r)
	}
	return out
}

// endpoints completes a selector of endpoints as it is read in a policy of namespace ns: one that
// names neither a namespace nor labels of one means pods of the policy's own, or of any if the
// policy is cluster-wide; and always of this cluster.
func endpoints(s Selector, ns string) Selector {
	s = sourceless(s)
	said := false
	for _, r := range s {
		if strings.HasPrefix(r.Key, "reserved:") {
			return s
		}
		said = said || r.Key == "io.kubernetes.pod.namespace" || ns != "" && strings.HasPrefix(r.Key, "io.cilium.k8s.namespace.labels.")
	}
	switch {
	case said:
	case ns == "":
		s = append(s, Requirement{Key: "io.kubernetes.pod.namespace", Operator: "Exists"})
	default:
		s = append(s, Requirement{Key: "io.kubernetes.pod.namespace", Operator: "In", Values: []string{ns}})
	}
	return append(s, Requirement{Key: "io.cilium.k8s.policy.cluster", Operator: "In", Values: []string{"default"}})
}

func (p CiliumPolicy) selects(w *World, pod Pod) bool {
	if p.SubjectIsNode || p.Namespace != "" && p.Namespace != pod.Namespace {
		return false
	}
	var s Selector
	for _, r := range sourceless(p.Subject) {
		if p.Namespace == "" || r.Key != "io.kubernetes.pod.namespace" {
			s = append(s, r)
		}
	}
	return s.matches(w.podIdentity(pod))
}

// isolates reports whether p makes its subjects deny what no rule allows.
func (p CiliumPolicy) isolates(ingress bool) bool {
	said, rules := p.DenyEgress, len(p.Egress)+len(p.EgressDeny)
	if ingress {
		said, rules = p.DenyIngress, len(p.Ingress)+len(p.IngressDeny)
	}
	return rules > 0 && (said == nil || *said)
}

// cilium says what Cilium's own policies do with a connection: whether one denies it, one allows
// it, and one isolates the subject.
func (w *World) cilium(subject int, peer End, a netip.Addr, ingress bool, dst End, protocol string, port int) (denied, allowed, isolated bool) {
	pod := w.Pods[subject]
	for _, p := range w.CiliumPolicies {
		if p.Namespace != "" && w.IgnoresCilium || p.Namespace == "" && w.IgnoresCiliumClusterwide || !p.selects(w, pod) {
			continue
		}
		allow, deny := p.Egress, p.EgressDeny
		if ingress {
			allow, deny = p.Ingress, p.IngressDeny
		}
		isolated = isolated || p.isolates(ingress)
		for _, r := range deny {
			denied = denied || w.ciliumPeer(p, r, pod, peer, a) && w.ciliumPort(r, dst, ingress, protocol, port)
		}
		for _, r := range allow {
			allowed = allowed || w.ciliumPeer(p, r, pod, peer, a) && w.ciliumPort(r, dst, ingress, protocol, port)
		}
	}
	return denied, allowed, isolated
}

// isNobody reports whether one of a rule's lists is there and empty.
func (r CiliumRule) isNobody() bool {
	return r.Endpoints != nil && len(r.Endpoints) == 0 || r.Entities != nil && len(r.Entities) == 0 || r.CIDRs != nil && len(r.CIDRs) == 0 || r.Nodes != nil && len(r.Nodes) == 0
}

// ciliumPeer reports whether a rule's peers hold the other end, for a subject.
func (w *World) ciliumPeer(p CiliumPolicy, r CiliumRule, subject Pod, peer End, a netip.Addr) bool {
	if r.isNobody() {
		return false
	}
	id := w.identity(peer, a, subject.Node)
	ids := []map[string]string{id}
	if peer.Pod >= 0 && !w.Pods[peer.Pod].HostNetwork {
		ids = nil
		for _, i := range w.stands(peer, a) {
			ids = append(ids, w.podIdentity(w.Pods[i]))
		}
	}
	some := false
	for _, s := range r.Endpoints {
		some = true
		if slices.ContainsFunc(ids, endpoints(s, p.Namespace).matches) {
			return true
		}
	}
	for _, e := range r.Entities {
		some = true
		if isEntity(e, id, a) {
			return true
		}
	}
	for _, b := range r.CIDRs {
		some = true
		if b.contains(a) && w.inBlocks(peer, a) {
			return true
		}
	}
	for _, s := range r.Nodes {
		some = true
		if _, remote := id["reserved:remote-node"]; remote && w.NodeSelectors && s.matches(w.nodeLabels(peer, a)) {
			return true
		}
	}
	for _, n := range r.Names {
		some = true
		if w.isEvery(n) { // some name resolves to any address outside
			if _, world := id["reserved:world"]; world && !w.isServiceAddr(a) && w.known(subject, "any.name.there.is") {
				return true
			}
		}
		for name, addrs := range w.Names {
			if w.fits(name, n) && slices.Contains(addrs, a) && w.inBlocks(peer, a) && w.known(subject, name) {
				return true
			}
		}
	}
	for _, ref := range r.Services {
		for _, s := range w.Services {
			if w.isService(ref, s) {
				some = true
				if w.behind(s, peer, a) {
					return true
				}
			}
		}
	}
	return !some && (r.Ports != nil || r.ICMPs) // a rule that says nothing of peers means every one, if it says anything
}

// isEntity reports whether an end of a given identity, at address a, is part of an entity.
func isEntity(entity string, id map[string]string, a netip.Addr) bool {
	_, pod := id["io.cilium.k8s.policy.cluster"]
	_, world := id["reserved:world"]
	_, host := id["reserved:host"]
	_, remote := id["reserved:remote-node"]
	_, api := id["reserved:kube-apiserver"]
	switch entity {
	case "all":
		return true
	case "cluster":
		return pod || host || remote || api
	case "world":
		return world
	case "world-ipv4":
		return world && a.Is4()
	case "world-ipv6":
		return world && !a.Is4()
	case "host":
		return host
	case "remote-node":
		return remote
	case "kube-apiserver":
		return api
	}
	return false
}

// inBlocks reports whether blocks are matched with an end at all.
func (w *World) inBlocks(e End, a netip.Addr) bool {
	if e.Pod >= 0 && !w.Pods[e.Pod].HostNetwork {
		return !w.BlocksMissPods
	}
	return !w.BlocksMissNodes || e.Pod < 0 && !w.isAnyNode(a)
}

// isAnyNode reports whether a is the address of a node.
func (w *World) isAnyNode(a netip.Addr) bool {
	if slices.Contains(w.NodeLocal, a) {
		return true
	}
	for _, addrs := range w.Nodes {
		if slices.Contains(addrs, a) {
			return true
		}
	}
	return false
}

func (w *World) nodeLabels(e End, a netip.Addr) map[string]string {
	for name := range w.Nodes {
		if w.isNode(e, a, name) {
			return w.NodeLabels[name]
		}
	}
	return nil
}

func (w *World) isService(ref ServiceRef, s Service) bool {
	if ref.Namespace != "" && ref.Namespace != s.Namespace {
		return false
	}
	if ref.ByLabels {
		return ref.Labels.matches(s.Labels)
	}
	return ref.Name == s.Name
}

// behind reports whether an end is one of a Service's: a pod that it selects, or, if it selects
// none, what has the address of an endpoint and can be matched by a block.
func (w *World) behind(s Service, e End, a netip.Addr) bool {
	if s.Selector == nil {
		return slices.Contains(s.Endpoints, a) && w.inBlocks(e, a)
	}
	if e.Pod < 0 || w.Pods[e.Pod].HostNetwork {
		return false
	}
	return slices.ContainsFunc(w.stands(e, a), func(i int) bool {
		for k, v := range s.Selector {
			if w.Pods[i].Labels[k] != v {
				return false
			}
		}
		return w.Pods[i].Namespace == s.Namespace
	})
}

func (w *World) ciliumPort(r CiliumRule, dst End, ingress bool, protocol string, port int) bool {
	if r.Ports == nil {
		return !r.ICMPs
	}
	for _, p := range r.Ports {
		if p.Protocol != "" && p.Protocol != "ANY" && p.Protocol != protocol || p.Requests && !w.RequestsFit {
			continue
		}
		switch {
		case p.Name != "":
			if w.named(p.Name, dst, ingress, protocol, port) {
				return true
			}
		case p.Number == 0, p.Number == port, p.Number <= port && port <= p.EndPort:
			return true
		}
	}
	return false
}

// isEvery reports whether a pattern is that of every name.
func (w *World) isEvery(pattern string) bool {
	return pattern == "*" || w.StarsMatchDepth && strings.Trim(strings.TrimSuffix(pattern, "."), "*") == ""
}

// isServiceAddr reports whether a is the address of a Service.
func (w *World) isServiceAddr(a netip.Addr) bool {
	return slices.ContainsFunc(w.Services, func(s Service) bool { return slices.Contains(s.Addrs, a) })
}

// known reports whether what a name resolves to is known on the node of a pod: the pod can ask for
// it where answers are seen, or another one has. Where none of the pod's rules is about DNS, that is
// left to others.
func (w *World) known(pod Pod, name string) bool {
	about := func(number, end int, named string) bool { return named == "" && aboutDNS(number, end) }
	silent := true
	for _, p := range w.applying(pod, false) {
		for _, r := range p.Egress {
			silent = silent && len(r.Ports) > 0 && !slices.ContainsFunc(r.Ports, func(x Port) bool { return about(x.Number, x.EndPort, x.Name) })
		}
	}
	var plain []CiliumRule
	var asked []string
	var ports []CiliumPort
	for _, p := range w.CiliumPolicies {
		if p.Namespace != "" && w.IgnoresCilium || p.Namespace == "" && w.IgnoresCiliumClusterwide || !p.selects(w, pod) {
			continue
		}
		for _, r := range p.Egress {
			if r.isNobody() || r.Names != nil || r.ICMPs {
				continue
			}
			if r.Queries != nil && w.leadsToResolver(p, r, pod) {
				asked, ports = append(asked, r.Queries...), append(ports, r.Ports...)
			} else if r.Queries == nil {
				plain = append(plain, r)
			}
			silent = silent && r.Queries == nil && r.Ports != nil && !slices.ContainsFunc(r.Ports, func(x CiliumPort) bool { return about(x.Number, x.EndPort, x.Name) })
		}
	}
	return silent || w.NamesTaught || slices.ContainsFunc(asked, func(pattern string) bool { return w.fits(name, pattern) }) ||
		slices.ContainsFunc(plain, func(r CiliumRule) bool { // lets every query through, if it is about the same port
			return slices.ContainsFunc(r.Ports, func(x CiliumPort) bool {
				return slices.ContainsFunc(ports, func(y CiliumPort) bool { return x.Number == y.Number && x.EndPort == y.EndPort && x.Name == "" })
			})
		})
}

// leadsToResolver reports whether a rule lets a pod ask somebody who may answer: one of the resolver
// pods if there are any, or what is no pod.
func (w *World) leadsToResolver(p CiliumPolicy, r CiliumRule, pod Pod) bool {
	if !slices.ContainsFunc(r.Ports, func(x CiliumPort) bool { return x.Name != "" || aboutDNS(x.Number, x.EndPort) }) {
		return false
	}
	some := false
	for i, o := range w.Pods {
		app := o.Labels["k8s-app"]
		if o.Namespace != "kube-system" || app != "kube-dns" && app != "coredns" && app != "node-local-dns" {
			continue
		}
		some = true
		if slices.ContainsFunc(o.Addrs, func(a netip.Addr) bool { return w.ciliumPeer(p, r, pod, End{Pod: i}, a) }) {
			return true
		}
	}
	return !some || len(r.Endpoints) == 0
}

// aboutDNS reports whether a port or range of ports holds one that DNS is served on.
func aboutDNS(number, end int) bool {
	return number == 0 || slices.ContainsFunc([]int{53, 5353}, func(dns int) bool { return number == dns || number <= dns && dns <= end })
}

// fits reports whether a name is what toFQDNs says, by the regular expression that Cilium makes of
// it (cilium v1.19.1 and v1.18.2, pkg/fqdn/matchpattern).
func (w *World) fits(name, pattern string) bool {
	pattern = strings.ToLower(strings.TrimSuffix(pattern, "."))
	if w.isEvery(pattern) {
		return true
	}
	depth := ""
	if rest := strings.TrimLeft(pattern, "*"); w.StarsMatchDepth && len(pattern)-len(rest) > 1 && strings.HasPrefix(rest, ".") {
		depth, pattern = `([-a-z0-9_]+[.])+`, rest[1:]
	}
	var b strings.Builder
	for i, part := range strings.Split(pattern, "*") {
		if i > 0 {
			b.WriteString("[-a-z0-9_]*")
		}
		b.WriteString(regexp.QuoteMeta(part))
	}
	return regexp.MustCompile("^" + depth + b.String() + "$").MatchString(strings.ToLower(name))
}
