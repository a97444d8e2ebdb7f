package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/catalog"
)

const (
	ciliumPeers   = "https://docs.cilium.io/en/v1.19/security/policy/language/"
	ciliumDefault = "https://docs.cilium.io/en/v1.19/security/policy/intro/"
	ciliumDNS     = "https://docs.cilium.io/en/v1.19/security/policy/language/#dns-based"
)

// meaningRules judge policies that do not mean what they look like, on some plugin or on all.
var meaningRules = []Rule{{
	ID: "TM107", Title: "Undone by another policy", Severity: finding.Medium, Since: "0.1",
	Why:        "Policies of one pod add up. What one leaves out under except, or by a default deny, is open as soon as any other allows it, and no object says so.",
	Bad:        "0.0.0.0/0 except 169.254.169.254/32 in one policy, 0.0.0.0/0 in another; a default deny beside egress: [{}]",
	Good:       "the same exceptions in every policy with a broad block",
	References: []string{networkPolicies, "https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation"},
	Server: func(p *Pass) {
		reopened(p)
		undoneDefault(p)
	},
}, {
	ID: "TM401", Title: "A CIDR rule cannot match what it means to", Severity: finding.High, Since: "0.1",
	Why: "On Cilium, and what is built on it, a CIDR matches neither pods nor nodes, and most plugins judge a connection to a Service on its pods. " +
		"A deny of the private ranges then stops nothing inside the cluster, and an allow of them opens nothing there, DNS included.",
	Bad:        "egressDeny: [{toCIDR: [10.0.0.0/8]}] beside toEntities: [cluster]; ipBlock 0.0.0.0/0 as the only egress",
	Good:       "selectors for pods, entities for nodes and the API server, and blocks for addresses outside the cluster",
	References: []string{ciliumPeers + "#ip-cidr-based", networkPolicies},
	Server: func(p *Pass) {
		sparing(p)
		misread("TM401")(p)
	},
}, {
	ID: "TM402", Title: "A policy that only denies flips the default", Severity: finding.High, Since: "0.1",
	Why:        "A Cilium policy with deny rules alone also puts its pods into default deny for that direction. Added to an open server as an extra, it cuts DNS and everything else.",
	Bad:        "egressDeny: [{toCIDR: [169.254.169.254/32]}], and no policy that allows any egress",
	Good:       "enableDefaultDeny: {egress: false} beside it, or egress rules for what the server needs",
	References: []string{ciliumDefault},
	Server:     denyOnly,
}, {
	ID: "TM403", Title: "An entity opens more than is needed", Severity: finding.Medium, Since: "0.1",
	Why:        "The entities world, cluster and all stand for every address outside, every pod and node, and everything. No server needs to reach, or to be called by, so much.",
	Bad:        "toEntities: [cluster]; fromEntities: [all]",
	Good:       "toEndpoints, toFQDNs or toCIDRSet for what it calls; the entity kube-apiserver for the API",
	References: []string{ciliumPeers + "#entities-based"},
	Server:     broadEntities,
}, {
	ID: "TM404", Title: "toFQDNs without a DNS rule", Severity: finding.Medium, Since: "0.1",
	Why:        "Cilium learns the addresses of a name from the answers it sees, and it sees those of pods whose DNS passes its proxy. Without a rule for DNS requests the name never matches.",
	Bad:        "toFQDNs: [{matchName: api.github.com}], and port 53 without rules: {dns: ...}",
	Good:       "toPorts: [{ports: [{port: \"53\"}], rules: {dns: [{matchName: api.github.com}]}}] towards the resolver",
	References: []string{ciliumDNS},
	Server:     unseenNames,
}, {
	ID: "TM405", Title: "A pattern of names means more or less than it looks", Severity: finding.Low, Since: "0.1",
	Why: "A star is one label to Cilium, one or more to others, and never the domain itself. Where it stands in the part that anybody can register, " +
		"or below a hosting domain, an attacker owns a name that fits.",
	Bad:        "matchPattern: \"*github.com\"; matchPattern: \"*.github.io\"; matchPattern: \"*\"",
	Good:       "matchName: api.github.com",
	References: []string{ciliumDNS, "https://network-policy-api.sigs.k8s.io/npeps/npep-133-fqdn-egress-selector/"},
	Server:     ambiguousNames,
}, {
	ID: "TM406", Title: "A kind of policy that this plugin ignores", Severity: finding.High, Since: "0.1",
	Why:        "The API server accepts a policy of any kind it has a definition of, and nothing says that no plugin reads it. It looks like protection and is a comment.",
	Bad:        "a CiliumNetworkPolicy in a cluster that runs Calico",
	Good:       "NetworkPolicy, or the kinds of the plugin that the cluster runs",
	References: []string{networkPolicies + "#prerequisites"},
	Server:     ignoredKinds,
}}

// ruleText names a rule: its object and where it stands there.
func ruleText(r *policy.Rule) string { return strings.TrimSpace(policyAt(r.Origin) + " " + r.Path) }

// rulesOn returns the rules about the server's pods in one direction, each once.
func (p *Pass) rulesOn(d policy.Direction) []*policy.Rule {
	var out []*policy.Rule
	seen := map[*policy.Rule]bool{}
	for _, class := range p.Radius.Class {
		for _, r := range p.RulesOn(class, d) {
			if !seen[r] {
				seen[r] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// throughRule returns the worst of what a rule lets the server reach, of what it does so most
// surely; of equals one of first.
func (p *Pass) throughRule(r *policy.Rule, first ...blast.Dest) (t blast.Target, ok bool) {
	for _, d := range append(first, blast.Dests[:]...) {
		for _, at := range widest(p.Radius.To[d].To) {
			if decides(r, at.By) && (!ok || reach.CompareVerdicts(at.Verdict, t.Verdict) > 0) {
				t, ok = at, true
			}
		}
	}
	return t, ok
}

// resolverName names a resolver of the input, or what it usually is.
func (p *Pass) resolverName() string {
	for _, r := range p.ResolverClasses() {
		return p.workloadNames(r)[0]
	}
	return "a resolver"
}

// denyOnly reports a policy whose rules only deny, where it alone isolates the server. It is no
// misreading of a CNI's: its kind of policy says so wherever it is enforced.
func denyOnly(p *Pass) {
	for _, d := range policy.Directions {
		for _, class := range p.Radius.Class {
			by, certain := p.Isolation(class, d)
			rules := p.RulesOn(class, d)
			if len(by) == 0 || slices.ContainsFunc(rules, func(r *policy.Rule) bool { return r.Action != policy.Deny }) ||
				slices.ContainsFunc(by, func(s *policy.Isolation) bool { return !madeByDenying(s, rules) }) {
				continue
			}
			p.Found(p.flipped(d, by[0], certain))
			break
		}
	}
}

// madeByDenying reports whether an isolation comes from rules that deny, which then follow it in
// the same object.
func madeByDenying(s *policy.Isolation, rules []*policy.Rule) bool {
	return slices.ContainsFunc(rules, func(r *policy.Rule) bool {
		return r.Action == policy.Deny && r.Origin.File == s.Origin.File && r.Origin.Object == s.Origin.Object && r.Origin.Line >= s.Origin.Line
	})
}

func (p *Pass) flipped(d policy.Direction, s *policy.Isolation, certain bool) Report {
	effect, w := "allows it any egress, DNS included", &finding.Witness{To: p.resolverName(), Port: 53, Protocol: "UDP"}
	if d == policy.Ingress {
		effect, w = "lets anybody connect to it", &finding.Witness{From: "any pod", To: p.Name()}
		if gateways := p.Gateways(); len(gateways) > 0 {
			w.From = p.workloadNames(gateways[0])[0]
		}
		if len(p.Server.Ports) > 0 {
			w.Port, w.Protocol = int(p.Server.Ports[0]), "TCP"
		}
	}
	r := Report{Origin: s.Origin, Witness: w,
		Message: fmt.Sprintf("%s has only rules that deny, which puts its pods into default deny for %s too: no rule %s", s.Origin.Object, d, effect),
		Fix:     fmt.Sprintf("set enableDefaultDeny: {%s: false} in %s, or add %[1]s rules for what the server needs", d, s.Origin.Object)}
	if !certain {
		r.Message += ", if it is in force"
		w.World = s.Origin.Object + " is in force"
	}
	return r
}

// broad says which entities no server needs, and what to write instead.
var broad = map[policy.Entity]struct{ stands, to, from string }{
	policy.All:       {"everything", "name the pods with toEndpoints and the hosts outside with toFQDNs or toCIDRSet", "name its gateway with fromEndpoints"},
	policy.Cluster:   {"every pod and node of the cluster", "name the pods with toEndpoints, or the API server with toEntities: [kube-apiserver]", "name its gateway with fromEndpoints"},
	policy.World:     {"every address outside the cluster", "name the hosts with toFQDNs, or their ranges with toCIDRSet", "name the networks of its callers with fromCIDRSet, or let only a gateway in with fromEndpoints"},
	policy.WorldIPv4: {"every IPv4 address outside the cluster", "name the hosts with toFQDNs, or their ranges with toCIDRSet", "name the networks of its callers with fromCIDRSet, or let only a gateway in with fromEndpoints"},
	policy.WorldIPv6: {"every IPv6 address outside the cluster", "name the hosts with toFQDNs, or their ranges with toCIDRSet", "name the networks of its callers with fromCIDRSet, or let only a gateway in with fromEndpoints"},
}

// broadEntities reports rules that allow such an entity, by what they let through. What else must
// hold for a match, as the server names of a TLS client, narrows an entity.
func broadEntities(p *Pass) {
	for _, d := range policy.Directions {
		for _, r := range p.rulesOn(d) {
			if r.Action != policy.Allow || r.If != nil || r.AnyPeer {
				continue
			}
			i := slices.IndexFunc(r.Peers, func(peer policy.Peer) bool { return broad[peer.Entity].stands != "" && peer.If == nil })
			if i < 0 {
				continue
			}
			if d == policy.Egress {
				p.broadEgress(r, &r.Peers[i])
			} else {
				p.broadIngress(r, &r.Peers[i])
			}
		}
	}
}

func (p *Pass) broadEgress(r *policy.Rule, peer *policy.Peer) {
	t, ok := p.throughRule(r, blast.Internet)
	fetches := p.catalogClass() == catalog.OpenFetch && onlyWeb(p.Radius.To[blast.Internet])
	if !ok || fetches && peer.Entity != policy.All && peer.Entity != policy.Cluster {
		return
	}
	w := p.witness(t)
	p.Found(Report{Origin: r.Origin, Witness: w, Fix: "in " + ruleText(r) + ", " + broad[peer.Entity].to,
		Message: fmt.Sprintf("%s allows the entity %s (%s): it %s %s on %s%s", ruleText(r), peer.Entity, broad[peer.Entity].stands, can(t.Verdict, "reach"), w.To, t.Conns, ifSo(p.condition(t)))})
}

func (p *Pass) broadIngress(r *policy.Rule, peer *policy.Peer) {
	for _, c := range p.Radius.By {
		if !decides(r, c.By) || c.Who == blast.NodeCallers || c.Who == blast.GatewayPods {
			continue
		}
		from := c.Text
		if from == "" {
			from = some(c.Names)
		}
		if c.Who == blast.External {
			from = "clients outside the cluster"
		}
		p.Found(Report{Origin: r.Origin, Witness: p.calls(c, from), Fix: "in " + ruleText(r) + ", " + broad[peer.Entity].from,
			Message: fmt.Sprintf("%s allows the entity %s (%s): %s%s", ruleText(r), peer.Entity, broad[peer.Entity].stands, from, p.canCall(c, ""))})
		return
	}
}

// ignoredKinds reports the policies about the server that a plugin does not read, for each set of
// profiles that ignore the same ones. Where nothing is enforced, kinds make no difference. It is no
// row of misreadings: whole policies are ignored, also some whose rules could not be read.
func ignoredKinds(p *Pass) {
	type unread struct {
		pol    *policy.Policy
		worlds reach.Worlds
		surely bool
	}
	enforcing, maybe := p.Answering(cni.Enforces)
	enforcing |= maybe
	var all []unread
	groups := []reach.Worlds{enforcing}
	for _, pol := range p.policiesOf("", p.Workload.Namespace) {
		yes, perhaps := p.Judging(string(pol.Dialect))
		worlds := enforcing &^ (yes | perhaps)
		if worlds == 0 || pol.Dialect == "" {
			continue
		}
		if surely, possibly := p.isAbout(pol); possibly {
			all = append(all, unread{pol, worlds, surely})
			groups = p.Refine(groups, p.On(worlds))
		}
	}
	for _, g := range groups {
		in := slices.DeleteFunc(slices.Clone(all), func(u unread) bool { return g == 0 || !u.worlds.Covers(g) })
		if len(in) == 0 {
			continue
		}
		verb, one, kind := "selects", "it", "of its kind"
		if len(in) > 1 {
			verb, one, kind = "select", "they", "of their kinds"
		}
		severity := finding.High
		if !slices.ContainsFunc(in, func(u unread) bool { return u.surely }) {
			severity, verb = finding.Medium, "may select"
		}
		var names []string
		for _, u := range in {
			names = append(names, policyAt(u.pol.Origin))
		}
		r := Report{Severity: severity, Origin: in[0].pol.Origin, Worlds: g,
			Message: fmt.Sprintf("%s %s it, and the plugin reads no policies %s", some(names), verb, kind),
			Fix:     "write what " + one + " should do as a NetworkPolicy, which every plugin reads, or as a kind of the cluster's own plugin"}
		if len(p.AllProfiles()) > 1 {
			r.Fix += "; if it is known which plugin the cluster runs, name it with --cni"
		}
		p.Found(r)
	}
}

// policiesOf returns the policies of some namespaces, "" for those of none.
func (p *Pass) policiesOf(namespaces ...string) []*policy.Policy {
	all := p.Snapshot.Policies // sorted by namespace
	var out []*policy.Policy
	for _, ns := range namespaces {
		first, _ := slices.BinarySearchFunc(all, ns, func(pol policy.Policy, ns string) int { return strings.Compare(pol.Namespace, ns) })
		for i := first; i < len(all) && all[i].Namespace == ns; i++ {
			out = append(out, &all[i])
		}
	}
	return out
}

// isAbout reports whether a policy selects pods of the server. Of a kind that is not judged it is
// certain only where labels were read: a subject of every pod then may be all that was understood.
func (p *Pass) isAbout(pol *policy.Policy) (certainly, possibly bool) {
	note := func(s policy.Subject, judged bool) {
		for _, class := range p.Radius.Class {
			surely, perhaps := p.Selects(s, class)
			certainly = certainly || surely && (judged || !s.Pod.Equal(label.Selector{}))
			possibly = possibly || perhaps
		}
	}
	for i := range pol.Isolations {
		note(pol.Isolations[i].Subject, true)
	}
	for i := range pol.Rules {
		note(pol.Rules[i].Subject, pol.Rules[i].Action != policy.Unjudged)
	}
	return certainly, possibly
}

// written is the connections that a rule names. A port name stands for every port of its protocol.
func written(r *policy.Rule) netset.Conns {
	if r.AnyPort {
		return netset.AllConns
	}
	var out netset.Conns
	for _, port := range r.Ports {
		ports := netset.PortRange(port.Lo, port.Hi)
		if port.Name != "" {
			ports = netset.AllPorts
		}
		out = out.Union(netset.ConnsOf(port.Protocol, ports))
	}
	return out
}
