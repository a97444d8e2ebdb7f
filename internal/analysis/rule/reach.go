package rule

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/input/catalog"
	"github.com/toolmoat/toolmoat/internal/input/discover"
)

// destination is a rule that reports that a class of destinations is reachable at all.
type destination struct {
	id, title, why, bad, good string
	severity                  finding.Severity
	dest                      blast.Dest
	what                      string // for the message: "can reach ..."
	fix                       string
	needed                    func(*Pass) bool        // nil: never
	counts                    func(blast.Target) bool // nil: always
}

var destinations = []destination{{
	id: "TM304", title: "The Kubernetes API is reachable", severity: finding.High, dest: blast.KubeAPI, what: "the Kubernetes API",
	why: "With a service account token, or a flaw that needs none, the API server is the way to the whole cluster.",
	bad: "egress to 0.0.0.0/0, or to node or control-plane ranges", good: "no egress rule that covers the API server's addresses",
	fix:    "except the control-plane and Service ranges from its egress blocks",
	needed: func(p *Pass) bool { return p.catalogClass() == catalog.KubeAPI },
}, {
	id: "TM305", title: "Nodes and kubelets are reachable", severity: finding.High, dest: blast.Nodes, what: "cluster nodes",
	why: "Nodes listen on the kubelet's port 10250 and on whatever runs on their network, often without authentication of their own.",
	bad: "egress to 0.0.0.0/0 without the node range under except", good: "the node range under except",
	fix: "except the node range from its egress blocks",
}, {
	id: "TM306", title: "Other MCP servers are reachable", severity: finding.High, dest: blast.OtherServers, what: "other MCP servers",
	why: "A server that is taken over can call the tools of every other, with their credentials and past the gateway.",
	bad: "no egress isolation, or ingress from app: mcp-server", good: "ingress from the gateway only",
	fix: "allow ingress to servers from their gateway only, and no egress between servers",
	counts: func(t blast.Target) bool {
		return t.Conns.IsEmpty() || !t.Conns.Of(netset.TCP).Minus(netset.PortRange(53, 53)).IsEmpty()
	}, // MCP is over TCP; 53 is what rules for DNS open
}, {
	id: "TM307", title: "Pods of other namespaces are reachable", severity: finding.Medium, dest: blast.OtherNamespaces, what: "pods of other namespaces",
	why: "Lateral movement: databases and internal services of other teams trust the cluster network.",
	bad: "egress to namespaceSelector: {}, or to blocks that cover the pod range", good: "egress to the one service it needs, by namespace and pod labels",
	fix: "allow egress only to the pods it needs, and except the pod range from its egress blocks",
}}

func (d destination) rule() Rule {
	return Rule{ID: d.id, Title: d.title, Severity: d.severity, Since: "0.1", Why: d.why, Bad: d.bad, Good: d.good,
		References: []string{networkPolicies}, Server: d.run}
}

func (d destination) run(p *Pass) {
	got := p.Radius.To[d.dest]
	if d.counts != nil {
		got.To = only(got.To, d.counts)
	}
	if len(got.To) == 0 || d.needed != nil && d.needed(p) {
		return
	}
	p.Found(p.reaching(got, d.what+listed(got), d.fix))
}

func only[T any](ts []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(ts), func(t T) bool { return !keep(t) })
}

// widest puts the target with the largest range first, of those that are reached most surely.
func widest(ts []blast.Target) []blast.Target {
	out := slices.Clone(ts)
	slices.SortStableFunc(out, func(t, u blast.Target) int {
		return cmp.Or(reach.CompareVerdicts(u.Verdict, t.Verdict), cmp.Compare(t.CIDR.Bits(), u.CIDR.Bits()))
	})
	return out
}

// reaching words a finding about what can be reached, of which the first target is the example.
func (p *Pass) reaching(got blast.Reach, what, fix string) Report {
	worst := got.To[0]
	r := Report{Message: fmt.Sprintf("it %s %s on %s%s", can(worst.Verdict, "reach"), what, portsOf(got.To), ifSo(p.condition(worst))), Fix: fix, Witness: p.witness(worst)}
	if len(worst.By) > 0 {
		r.Origin = worst.By[0].Rule.Origin
	} else if got.Open {
		r.Fix = "isolate its egress first; " + fix
	}
	return r
}

// portsOf says on what targets are reached in the way of the first of them, and on what else in
// other ways.
func portsOf(ts []blast.Target) string {
	var conns, others netset.Conns
	for _, t := range ts {
		if t.When.Equal(ts[0].When) {
			conns = conns.Union(t.Conns)
		} else {
			others = others.Union(t.Conns)
		}
	}
	if conns.Covers(others) {
		return conns.String()
	}
	return conns.String() + ", and under other conditions on " + others.String()
}

// witness is one connection out of a target.
func (p *Pass) witness(t blast.Target) *finding.Witness {
	to := t.Pods
	switch {
	case t.CIDR.IsValid():
		to = t.CIDR.Addr().String()
		if shown := t.Addrs().Intersect(special.Internet.Union(special.Private)); !shown.IsEmpty() {
			to = example(shown).String()
		}
	case t.Pods == "":
		to = t.Name
	}
	w := connection(to, t.Conns)
	w.World = p.condition(t)
	return w
}

// wellKnown are addresses that readers recognise.
var wellKnown = []netip.Addr{netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2606:4700:4700::1111")}

// example is an address of addrs: one that is well known, or the second, as the first of a range
// may be no host.
func example(addrs netset.Addrs) netip.Addr {
	if i := slices.IndexFunc(wellKnown, addrs.Contains); i >= 0 {
		return wellKnown[i]
	}
	if second := addrs.First().Next(); addrs.Contains(second) {
		return second
	}
	return addrs.First()
}

// connection is one of conns, to an end.
func connection(to string, conns netset.Conns) *finding.Witness {
	w := &finding.Witness{To: to}
	for _, proto := range netset.Protocols {
		if ports := conns.Of(proto); !ports.IsEmpty() {
			w.Protocol, w.Port = proto.String(), int(ports.First())
			if ports.Equal(netset.AllPorts) { // any will do: one that is likely to answer
				w.Port = 443
			}
			break
		}
	}
	return w
}

// listed names up to three targets, for the end of a message.
func listed(got blast.Reach) string {
	var names []string
	for _, t := range got.To {
		if t.Pods != "" && t.Pods != "*" && !slices.Contains(names, t.Pods) {
			names = append(names, t.Pods)
		}
	}
	if names == nil {
		return ""
	}
	return " (" + some(names) + ")"
}

// some lists up to three names, and how many more there are.
func some(names []string) string {
	if len(names) > 3 {
		names = append(slices.Clip(names[:3]), fmt.Sprintf("and %d more", len(names)-3))
	}
	return strings.Join(names, ", ")
}

// reachRules judge what a server can connect to.
var reachRules = slices.Concat([]Rule{{
	ID: "TM301", Title: "A credential endpoint is reachable", Severity: finding.Critical, Since: "0.1",
	Why:        "Metadata endpoints hand the node's or the pod's cloud identity to whoever asks. One server-side request forgery then is a cloud account.",
	Bad:        "egress to 0.0.0.0/0 without 169.254.169.254/32 under except; no egress policy",
	Good:       "no egress rule that covers the endpoints",
	References: []string{"https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster", networkPolicies},
	Server:     credentials,
}, {
	ID: "TM302", Title: "Unrestricted internet access", Severity: finding.High, Since: "0.1",
	Why:        "Whatever an attacker makes the server read, it can send anywhere, and fetch more from there.",
	Bad:        "egress to 0.0.0.0/0",
	Good:       "egress to the ranges of the one API it calls, or through a proxy that knows names",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		got := p.Radius.To[blast.Internet]
		if special.Broad(got.Addrs) && !(p.catalogClass() == catalog.OpenFetch && onlyWeb(got)) {
			got.To = widest(got.To)
			p.Found(p.reaching(got, "the internet ("+got.RangesText(2)+")",
				"replace the broad block by the ranges its upstream publishes, or send it through an egress proxy"))
		}
	},
}, {
	ID: "TM303", Title: "Private networks are reachable beyond declared needs", Severity: finding.Medium, Since: "0.1",
	Why:        "Private ranges hold peered networks, on-premises systems, databases and the cluster itself.",
	Bad:        "egress to 10.0.0.0/8; egress to 0.0.0.0/0 without the private ranges under except",
	Good:       "egress to the single private address the server is configured for",
	References: []string{"https://www.rfc-editor.org/rfc/rfc1918"},
	Server: func(p *Pass) {
		got := p.Radius.To[blast.PrivateNetworks]
		if beyond := got.Addrs.Minus(p.declared()); !beyond.IsEmpty() {
			got.To = widest(only(got.To, func(t blast.Target) bool { return t.Addrs().Overlaps(beyond) }))
			p.Found(p.reaching(got, "private networks ("+reach.PrefixText(netset.CIDRs(beyond), 3)+")",
				"except the private ranges from its egress blocks, or name only the addresses it needs"))
		}
	},
}}, rulesOf(destinations), []Rule{{
	ID: "TM308", Title: "DNS to any resolver", Severity: finding.Medium, Since: "0.1",
	Why:        "DNS carries data out in names. Queries to any resolver on the internet bypass every control of the cluster's own.",
	Bad:        "an egress rule on port 53 without to, or to 0.0.0.0/0",
	Good:       "port 53 to the cluster's resolver pods only",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		certain, _ := p.isolated(policy.Egress)
		got := p.Radius.To[blast.Internet]
		if certain && special.Broad(got.AddrsOn(special.DNS)) {
			t := widest(only(got.To, func(t blast.Target) bool { return !t.Conns.Intersect(special.DNS).IsEmpty() }))[0]
			t.Conns = t.Conns.Intersect(special.DNS)
			got.To = []blast.Target{t}
			p.Found(p.reaching(got, "any DNS resolver on the internet", "limit port 53 to the cluster's resolver pods"))
		}
	},
}, {
	ID: "TM309", Title: "No DNS though names are needed", Severity: finding.Medium, Since: "0.1",
	Why:        "A server that calls an API by name fails at the first lookup when nothing lets it reach a resolver; the usual repair opens too much.",
	Bad:        "a default deny with egress to an API's ranges and none to port 53",
	Good:       "port 53, UDP and TCP, to the cluster's resolver pods",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		certain, by := p.isolated(policy.Egress)
		if name := p.neededName(); certain && name != "" && p.Radius.To[blast.DNS].Verdict == reach.Denied {
			r := Report{Message: fmt.Sprintf("it needs to resolve %s and can reach no resolver", name),
				Fix: "allow UDP and TCP 53 to the cluster's resolver pods (kube-system, k8s-app: kube-dns on most distributions)"}
			if len(by) > 0 {
				r.Origin = by[0].Origin
			}
			p.Found(r)
		}
	},
}, {
	ID: "TM310", Title: "One IP family is forgotten", Severity: finding.Low, Since: "0.1",
	Why:        "Blocks of one family say nothing about the other: with IPv4 rules alone, dual-stack clients stall until IPv6 times out.",
	Bad:        "egress to ranges of IPv4 only, in a cluster whose pods have IPv6 addresses too",
	Good:       "the same limits in both families",
	References: []string{"https://kubernetes.io/docs/concepts/services-networking/dual-stack/"},
	Server:     forgottenFamily,
}, {
	ID: "TM311", Title: "Egress on all ports", Severity: finding.Medium, Since: "0.1",
	Why:        "A rule without ports opens mail, SSH, databases and every other protocol to the addresses it names; an API needs one port.",
	Bad:        "to: [{ipBlock: {cidr: 0.0.0.0/0}}] without ports",
	Good:       "ports: [{protocol: TCP, port: 443}]",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		if certain, _ := p.isolated(policy.Egress); certain {
			allPorts(p)
		}
	},
}})

func rulesOf(ds []destination) []Rule {
	out := make([]Rule, len(ds))
	for i, d := range ds {
		out[i] = d.rule()
	}
	return out
}

// allPorts reports addresses that are reached on every port of a protocol, be it by several rules.
func allPorts(p *Pass) {
	for _, d := range []blast.Dest{blast.Internet, blast.PrivateNetworks} {
		got := p.Radius.To[d]
		for _, proto := range netset.Protocols {
			every := netset.ConnsOf(proto, netset.AllPorts)
			open := got.AddrsOnAll(every)
			if open.IsEmpty() {
				continue
			}
			got.To = widest(only(got.To, func(t blast.Target) bool { return t.Addrs().Overlaps(open) && !t.Conns.Intersect(every).IsEmpty() }))
			slices.SortStableFunc(got.To, func(t, u blast.Target) int {
				return cmp.Compare(netset.Count(u.Conns.Of(proto)), netset.Count(t.Conns.Of(proto)))
			})
			got.To = got.To[:1]
			got.To[0].Conns = every
			p.Found(p.reaching(got, "addresses outside the cluster ("+got.RangesText(2)+")", "add ports: [{protocol: TCP, port: 443}], or what its upstream listens on, to the rule"))
			return
		}
	}
}

// credentials reports the worst of the credential endpoints, and how many there are: of the cloud,
// where the profile says which it is.
func credentials(p *Pass) {
	for cloud, worlds := range p.clouds() {
		p.credentialsOf(cloud, worlds)
	}
}

// clouds returns the profiles by the cloud they are of, "" for any.
func (p *Pass) clouds() map[string]reach.Worlds {
	out := map[string]reach.Worlds{}
	for i, profile := range p.AllProfiles() {
		if p.Worlds().Has(i) {
			out[p.cloudOf(profile)] |= 1 << i
		}
	}
	return out
}

func (p *Pass) credentialsOf(cloud string, worlds reach.Worlds) {
	got := p.Radius.To[blast.Metadata]
	got.To = only(got.To, func(t blast.Target) bool {
		return cloud == "" || slices.ContainsFunc(endpointsOf(t), func(e special.Endpoint) bool { return e.In(cloud) })
	})
	if len(got.To) == 0 {
		return
	}
	var names []string
	worst, severity := got.To[0], finding.Medium
	for _, t := range got.To {
		own := slices.ContainsFunc(endpointsOf(t), func(e special.Endpoint) bool { return e.Default || cloud != "" && e.In(cloud) })
		if own && severity == finding.Medium {
			worst, severity = t, finding.Critical
		}
		if name := netip.AddrPortFrom(t.CIDR.Addr(), uint16(t.Conns.Of(netset.TCP).First())).String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	first := netip.AddrPortFrom(worst.CIDR.Addr(), uint16(worst.Conns.Of(netset.TCP).First())).String()
	message := fmt.Sprintf("it %s %s, %s", can(worst.Verdict, "reach"), first, worst.Name)
	if others := len(names) - 1; others == 1 {
		message += ", and 1 other credential endpoint"
	} else if others > 1 {
		message += fmt.Sprintf(", and %d other credential endpoints", others)
	}
	message += ifSo(p.condition(worst))
	got.To = []blast.Target{worst}
	r := p.reaching(got, "", "where a rule opens a broad block, put 169.254.169.254/32 and the other endpoints under except")
	r.Message, r.Severity, r.Worlds = message, severity, worlds
	p.Found(r)
}

// endpointsOf returns the credential endpoints that a target is.
func endpointsOf(t blast.Target) []special.Endpoint {
	var out []special.Endpoint
	for _, e := range special.Endpoints {
		if e.Kind == special.Credential && slices.Contains(e.Addrs, t.CIDR.Addr()) && e.Conns.Covers(t.Conns) {
			out = append(out, e)
		}
	}
	return out
}

// onlyWeb reports whether nothing but TCP 80 and 443 is open.
func onlyWeb(got blast.Reach) bool {
	web := netset.ConnsOf(netset.TCP, netset.Points[netset.Port](80, 443))
	return !slices.ContainsFunc(got.To, func(t blast.Target) bool { return !web.Covers(t.Conns) })
}

func (p *Pass) catalogClass() catalog.Class {
	entry, _ := catalog.ByID(p.Server.Catalog)
	return entry.Class
}

// declared is the addresses that the server's own configuration names.
func (p *Pass) declared() netset.Addrs {
	var addrs []netip.Addr
	for _, d := range p.Needs {
		if a, err := netip.ParseAddr(d.Host); err == nil {
			addrs = append(addrs, a.Unmap())
		}
	}
	return netset.Points(addrs...)
}

// neededName is a name that the server has to resolve, or "".
func (p *Pass) neededName() string {
	for _, d := range p.Needs {
		inCluster := d.Source == discover.FromCatalog && p.catalogClass() == catalog.KubeAPI // clients take the address from their environment
		if _, err := netip.ParseAddr(d.Host); err != nil && d.Host != "" && !inCluster {
			switch d.Source { // what stands in the environment may be a secret that only looks like a host
			case discover.FromCatalog:
				return d.Host
			case discover.FromEnv:
				return "the host in its variable " + d.Name
			}
			return "a host in its arguments"
		}
	}
	return ""
}

// forgottenFamily compares what rules open in each family, where the input shows that both are in
// use.
func forgottenFamily(p *Pass) {
	if certain, _ := p.isolated(policy.Egress); !certain || !p.DualStack() {
		return
	}
	for _, d := range []blast.Dest{blast.Internet, blast.PrivateNetworks} {
		got := p.Radius.To[d]
		addrs := got.Addrs.Minus(p.declared()) // an address that is configured as such has no other family
		four, six := addrs.Intersect(special.IPv4), addrs.Minus(special.IPv4)
		if four.IsEmpty() == six.IsEmpty() {
			continue
		}
		has, lacks := "IPv4", "IPv6"
		if four.IsEmpty() {
			has, lacks = lacks, has
		}
		got.To = only(got.To, func(t blast.Target) bool { return t.Addrs().Overlaps(addrs) })
		r := p.reaching(got, "", "write the rule for both families")
		r.Message = fmt.Sprintf("its egress blocks open %s addresses (%s) and none of %s, and the cluster uses both", has, d, lacks)
		p.Found(r)
		return
	}
}
