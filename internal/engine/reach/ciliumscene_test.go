package reach

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/test/slow"
)

const (
	ciliumNamespace = "io.kubernetes.pod.namespace"
	ciliumNSLabels  = "io.cilium.k8s.namespace.labels."
)

var (
	ciliumEntities = []string{"all", "world", "cluster", "host", "remote-node", "kube-apiserver"}
	ciliumPatterns = []string{"api.example.com", "www.example.com", "*.example.com", "**.example.com", "*"}
	hostNames      = []string{"api.example.com", "www.example.com", "a.b.example.com", "example.org"}
)

// addCilium adds policies of Cilium's own kinds, in both forms.
func (r *random) addCilium(s *scene) {
	var all []slow.CiliumPolicy
	for range 1 + r.IntN(4) {
		all = append(all, r.ciliumPolicy())
	}
	for i, p := range all {
		s.snap.Policies = append(s.snap.Policies, decodedCilium(p, i))
	}
	s.own = func(map[string][]netip.Prefix) []slow.CiliumPolicy { return all }
	s.names = hostNames
}

func (r *random) ciliumPolicy() slow.CiliumPolicy {
	p := slow.CiliumPolicy{Namespace: pick(r, append(nsNames, "")...), Subject: r.subject()}
	for _, list := range []*[]slow.CiliumRule{&p.Ingress, &p.IngressDeny, &p.Egress, &p.EgressDeny} {
		if r.one(2) {
			for range 1 + r.IntN(2) {
				*list = append(*list, r.ciliumRule(list == &p.Egress))
			}
		}
	}
	for r.more.IntN(3) == 0 {
		p.Egress = append(p.Egress, r.dnsRule())
	}
	flag := func() *bool {
		if r.one(2) {
			return nil
		}
		b := r.one(3)
		return &b
	}
	p.DenyIngress, p.DenyEgress = flag(), flag()
	return p
}

// ciliumRule draws a rule with peers of one form; names and Services only where they may stand.
func (r *random) ciliumRule(names bool) slow.CiliumRule {
	var out slow.CiliumRule
	few := func(add func()) {
		for range 1 + r.IntN(2) {
			add()
		}
	}
	forms := 7
	if names {
		forms = 9
	}
	switch r.IntN(forms) {
	case 0: // none
	case 1, 2:
		out.Endpoints = []slow.Selector{}
		few(func() {
			if !r.one(8) {
				out.Endpoints = append(out.Endpoints, r.endpoints())
			}
		})
	case 3, 4:
		few(func() {
			b := r.peer()
			for b.IPBlock == nil {
				b = r.peer()
			}
			out.CIDRs = append(out.CIDRs, *b.IPBlock)
		})
	case 5, 6:
		few(func() { out.Entities = append(out.Entities, pick(r, ciliumEntities...)) })
	case 7:
		few(func() {
			out.Names = append(out.Names, pick(r, ciliumPatterns...))
			if r.more.IntN(6) == 0 {
				out.Names = append(out.Names, []string{"**", "*.b.example.com", "**.com"}[r.more.IntN(3)])
			}
		})
	case 8:
		ref := slow.ServiceRef{Namespace: pick(r, nsNames...), Name: pick(r, "s0", "s1")}
		if r.one(3) {
			ref.Name, ref.ByLabels, ref.Labels = "", true, slow.Selector{{Key: "kind", Operator: "In", Values: []string{pick(r, labelValues...)}}}
		}
		out.Services = append(out.Services, ref)
	}
	for range r.IntN(3) {
		p := slow.CiliumPort{Protocol: pick(r, append(protocols, "", "ANY", "TCP")...), Number: pick(r, portNumbers...)}
		switch r.IntN(6) {
		case 0:
			p.Number = 0
		case 1:
			p.EndPort = min(p.Number+r.IntN(500), 65535)
		case 2:
			if !r.numbered {
				p.Number, p.Name = 0, pick(r, portTitles...)
			}
		case 3:
			p.Requests = names && r.unknown
		}
		out.Ports = append(out.Ports, p)
	}
	return out
}

// dnsRule draws a rule for resolvers, with rules for queries or without.
func (r *random) dnsRule() slow.CiliumRule {
	one := func(of []string) string { return of[r.more.IntN(len(of))] }
	out := slow.CiliumRule{Entities: []string{one(ciliumEntities)}, Ports: []slow.CiliumPort{{Protocol: one([]string{"UDP", "ANY"}), Number: []int{53, 5353}[r.more.IntN(2)]}}}
	for n := range r.more.IntN(3) {
		out.Ports[0].Requests = true
		out.Queries = append(out.Queries, one(ciliumPatterns))
		if n == 0 && r.more.IntN(3) == 0 {
			out.Queries[0] = one([]string{"**", "b.*.com", "a.*.example.com", "example.*"})
		}
	}
	return out
}

func (r *random) endpoints() slow.Selector {
	s := r.podSelector()
	switch r.IntN(4) {
	case 0:
		s = append(s, slow.Requirement{Key: ciliumNamespace, Operator: pick(r, "In", "NotIn"), Values: []string{pick(r, nsNames...)}})
	case 1:
		s = append(s, slow.Requirement{Key: ciliumNSLabels + "team", Operator: pick(r, "In", "Exists", "DoesNotExist"), Values: []string{pick(r, teamValues...)}})
	}
	return s
}

// decodedCilium is the engine's form of a policy of Cilium's own. i numbers it.
func decodedCilium(p slow.CiliumPolicy, i int) policy.Policy {
	name := fmt.Sprintf("c%d", i)
	at := origin.Origin{File: "cilium.yaml", Line: 1000 * (i + 1), Object: "CiliumNetworkPolicy " + p.Namespace + "/" + name}
	out := policy.Policy{Origin: at, Dialect: policy.CiliumNetworkPolicy, Namespace: p.Namespace, Name: name}
	sub := policy.Subject{NS: label.Named(p.Namespace), Pod: selects(p.Subject)}
	if p.Namespace == "" {
		out.Dialect, sub.NS = policy.CiliumClusterwideNetworkPolicy, label.Selector{}
	}
	for _, d := range policy.Directions {
		allow, deny, flag := p.Ingress, p.IngressDeny, p.DenyIngress
		if d == policy.Egress {
			allow, deny, flag = p.Egress, p.EgressDeny, p.DenyEgress
		}
		if len(allow)+len(deny) > 0 && (flag == nil || *flag) {
			out.Isolations = append(out.Isolations, policy.Isolation{Tier: policy.TierNetworkPolicy, Dir: d, Subject: sub, Else: policy.Deny, Origin: at})
		}
		rule := policy.Rule{Tier: policy.TierNetworkPolicy, Dir: d, Subject: sub, Origin: at}
		for n, r := range deny {
			rule.Order, rule.Action, rule.Path = policy.OrderDeny, policy.Deny, fmt.Sprintf("%sDeny[%d]", d, n)
			out.Rules = append(out.Rules, decodedCiliumRule(r, p.Namespace, rule)...)
		}
		for n, r := range allow {
			rule.Order, rule.Action, rule.Path = policy.OrderAllow, policy.Allow, fmt.Sprintf("%s[%d]", d, n)
			out.Rules = append(out.Rules, decodedCiliumRule(r, p.Namespace, rule)...)
		}
	}
	return out
}

var entityNamed = map[string]policy.Entity{"all": policy.All, "world": policy.World, "cluster": policy.Cluster, "host": policy.Host,
	"remote-node": policy.RemoteNode, "kube-apiserver": policy.APIServer}

// decodedCiliumRule returns one rule for the ports that stand alone, and one for those whose
// requests must fit.
func decodedCiliumRule(r slow.CiliumRule, namespace string, rule policy.Rule) []policy.Rule {
	if r.Endpoints != nil && len(r.Endpoints) == 0 {
		return nil
	}
	for _, s := range r.Endpoints {
		ns, pod := decodedEndpoints(s, namespace)
		rule.Peers = append(rule.Peers, policy.Peer{NS: &ns, Pod: &pod})
	}
	for _, b := range r.CIDRs {
		rule.Peers = append(rule.Peers, policy.Peer{Block: &policy.Block{CIDR: b.CIDR, Except: b.Except}})
	}
	for _, e := range r.Entities {
		rule.Peers = append(rule.Peers, policy.Peer{Entity: entityNamed[e]})
	}
	for _, n := range r.Names {
		rule.Peers = append(rule.Peers, policy.Peer{Name: netset.Name(n)})
	}
	for _, s := range r.Services {
		x := &policy.ServicePeer{Namespace: s.Namespace, Name: s.Name}
		if s.ByLabels {
			sel := selects(s.Labels)
			x.Labels = &sel
		}
		rule.Peers = append(rule.Peers, policy.Peer{Service: x})
	}
	if rule.Peers == nil {
		if r.Ports == nil {
			return nil
		}
		rule.AnyPeer = true
	}
	if r.Ports == nil {
		rule.AnyPort = true
		return []policy.Rule{rule}
	}
	plain, looking := rule, rule
	for _, n := range r.Queries {
		looking.DNS = append(looking.DNS, netset.Name(n))
	}
	looking.If = []policy.Fact{{ID: "request", Yes: "the request is one that its rules allow", No: "the request is none that its rules allow"}}
	for _, p := range r.Ports {
		to := &plain
		if p.Requests {
			to = &looking
		}
		x := policy.Port{Lo: netset.Port(p.Number), Hi: netset.Port(max(p.Number, p.EndPort)), Name: p.Name}
		if p.Name == "" && p.Number == 0 {
			x.Lo, x.Hi = 1, 65535
		}
		for _, proto := range netset.Protocols {
			if p.Protocol == "" || p.Protocol == "ANY" || p.Protocol == proto.String() {
				x.Protocol = proto
				to.Ports = append(to.Ports, x)
			}
		}
	}
	var out []policy.Rule
	for _, x := range []policy.Rule{plain, looking} {
		if x.Ports != nil {
			out = append(out, x)
		}
	}
	return out
}

// decodedEndpoints splits a selector of endpoints into what it says of the namespace and what of
// the pod.
func decodedEndpoints(s slow.Selector, namespace string) (ns, pod label.Selector) {
	said := namespace == ""
	var nsPart, podPart slow.Selector
	for _, q := range s {
		switch {
		case q.Key == ciliumNamespace:
			q.Key, said = label.MetadataName, true
			nsPart = append(nsPart, q)
		case strings.HasPrefix(q.Key, ciliumNSLabels):
			q.Key, said = strings.TrimPrefix(q.Key, ciliumNSLabels), true
			nsPart = append(nsPart, q)
		default:
			podPart = append(podPart, q)
		}
	}
	if !said {
		return label.Named(namespace), selects(podPart)
	}
	return selects(nsPart), selects(podPart)
}
