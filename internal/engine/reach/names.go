package reach

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// reading is how the wildcards of a name are read where a condition holds.
type reading struct {
	name  netset.Name
	where when.When
}

// readings returns what CNIs make of a name.
func (c *compiled) readings(name netset.Name) []reading {
	shallow := name.OneLabel()
	if shallow == name {
		return []reading{{name, when.Always}}
	}
	deep := c.says.where[cni.StarsMatchDepth]
	return slices.DeleteFunc([]reading{{name, deep}, {shallow, deep.Not()}}, func(r reading) bool { return r.where.IsNever() })
}

// namePeer resolves a host name: to addresses, never to pods or nodes. An exact name of the public
// DNS is taken to resolve to addresses of the internet, as the reports' assumptions say; a pattern,
// or a name of a private domain, to any address outside of the cluster.
func (p *Program) namePeer(name netset.Name, end when.End) []match {
	var out []match
	if name.IsExact() && PublicName(name) {
		out = always(Region{Addrs: special.Internet})
		for _, m := range p.knownIn(special.Internet) {
			perhaps := m.ends.IDs.Intersect(p.apiPerhapsOnNode)
			out = append(out, match{ends: Region{IDs: m.ends.IDs.Intersect(p.endpoints).Minus(p.local).Minus(perhaps)}, when: m.when},
				match{ends: Region{IDs: perhaps}, when: m.when.And(p.asks.node(end, anyNode, noNode))})
		}
	} else {
		out = p.outside(end, netset.Universe, when.Always)
		for i := range out {
			out[i].ends.IDs = out[i].ends.IDs.Minus(p.frontendIDs)
		}
	}
	var all []match
	for _, r := range p.readings(name) {
		for _, m := range within(out, r.where) {
			m.name = r.name
			all = append(all, m)
		}
	}
	return all
}

// named narrows those of a rule's matches that are by host names, for the pods of a group, to where
// an address is known to be that of the name: Cilium learns it from the answer to a query that it
// inspects (cilium v1.19.1, pkg/fqdn/dnsproxy and Documentation/security/policy/layer3.rst, "DNS
// based").
func (p *Program) named(ms []match, r *ruleIn, g *group) []match {
	if !slices.ContainsFunc(ms, func(m match) bool { return m.name != "" }) {
		return ms
	}
	known := map[netset.Name]when.When{}
	out := slices.Clone(ms)
	for i, m := range out {
		if m.name == "" {
			continue
		}
		where, ok := known[m.name]
		if !ok {
			where = p.learnt(m.name, r, g)
			known[m.name] = where
		}
		out[i].when = m.when.And(where)
	}
	return out
}

// learnt is the condition that an address is known to be that of a name: a pod of the group may ask
// for it where the answer is seen, or another pod on its node has. Where no policy speaks of DNS,
// the input does not show how the pods resolve names, and that is left to the policies that do.
func (p *Program) learnt(name netset.Name, r *ruleIn, g *group) when.When {
	end := peerEnd(r.Dir)
	asked, silent, inspected := when.Never, true, false
	for _, a := range g.rules {
		if a.rule.Action != policy.Allow || !p.aboutDNS(a.rule) {
			continue
		}
		silent = false
		if a.rule.DNS == nil || !p.leadsToResolver(a.rule) {
			continue
		}
		inspected = true
		applies := appliesTo(a)
		for _, allowed := range p.queries(a, g) {
			for _, d := range p.readings(allowed) {
				if both, ok := name.Meet(d.name); ok {
					asked = asked.Or(applies.And(d.where).And(p.asks.named(end, both, r.rank)))
				}
			}
		}
	}
	all := p.asks.named(end, name, r.rank)
	switch {
	case silent || all.Implies(asked):
		return all
	case !inspected:
		return all.And(p.asks.taught("", r.rank))
	}
	return asked.Or(all.And(p.asks.taught(name, r.rank)))
}

// leadsToResolver reports whether what a rule lets through may get to something that answers DNS:
// one of the resolver pods that the input shows, if it does, or what is no pod.
func (p *Program) leadsToResolver(r *ruleIn) bool {
	ready := p.ready(r)
	if r.names == nil && !ready.numbers.Overlaps(special.ResolverPods) {
		return false
	}
	var resolvers netset.IDs
	for _, s := range special.Resolvers {
		resolvers = resolvers.Union(p.choose(label.Named(s.Namespace), s.Pod).may())
	}
	answers := resolvers.Union(p.Everything().IDs.Minus(p.Pods())).Union(p.hosts)
	return resolvers.IsEmpty() || slices.ContainsFunc(ready.peers, func(m match) bool { return !m.ends.Addrs.IsEmpty() || m.ends.IDs.Overlaps(answers) })
}

// aboutDNS reports whether a rule is about connections to resolvers.
func (p *Program) aboutDNS(r *ruleIn) bool {
	if r.DNS != nil {
		return true
	}
	if !r.AnyPeer && !slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.Name == "" }) {
		return false
	}
	return p.ready(r).numbers.Overlaps(special.ResolverPods) || slices.ContainsFunc(r.names, func(name portName) bool {
		return slices.ContainsFunc(p.clusterwide[name].all, func(n netset.Port) bool { return special.ResolverPods.Contains(name.protocol, n) })
	})
}

// appliesTo is the condition that a rule applies to the pods of its group, to whomever they connect.
func appliesTo(a applied) when.When {
	end := peerEnd(a.rule.Dir)
	return a.when.Exists(func(q *when.Question) bool { return q.End == end })
}

// queries returns the names that pods of a group may ask for where a rule has queries inspected. A
// rule for the same port and some of the same peers that inspects nothing lets every query through
// there, which is inspected all the same (cilium v1.19.1, pkg/fqdn/dnsproxy, GeneratePattern).
func (p *Program) queries(a applied, g *group) []netset.Name {
	if a.rule.DNS != nil && slices.ContainsFunc(g.rules, func(b applied) bool {
		return b.rule.Action == policy.Allow && b.rule.DNS == nil && samePort(a.rule, b.rule) && overlap(p.ready(a.rule).peers, p.ready(b.rule).peers) &&
			appliesTo(a).Implies(appliesTo(b))
	}) {
		return []netset.Name{netset.Every}
	}
	return a.rule.DNS
}

// samePort reports whether two rules name the same port.
func samePort(a, b *ruleIn) bool {
	return slices.ContainsFunc(a.Ports, func(x policy.Port) bool {
		return slices.ContainsFunc(b.Ports, func(y policy.Port) bool {
			return x.Protocol == y.Protocol && x.Name == y.Name && (x.Name != "" || x.Lo == y.Lo && x.Hi == y.Hi)
		})
	})
}

// overlap reports whether some end may be in a match of both.
func overlap(a, b []match) bool {
	return slices.ContainsFunc(a, func(m match) bool {
		return slices.ContainsFunc(b, func(o match) bool { return o.name == "" && m.ends.Overlaps(o.ends) })
	})
}

// PublicName reports whether a name is one of the public DNS, as far as its last label tells (RFC
// 6762, RFC 8375, ICANN's reservation of .internal, and those that networks use in practice).
func PublicName(name netset.Name) bool {
	i := strings.LastIndexByte(string(name), '.')
	return i >= 0 && !slices.Contains(privateDomains, string(name[i+1:]))
}

var privateDomains = []string{"internal", "local", "localdomain", "localhost", "corp", "home", "lan", "intranet", "private", "test", "arpa", "cluster", "svc"}
