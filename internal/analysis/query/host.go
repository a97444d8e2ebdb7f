package query

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// A host name resolves to what its owner says. Rules by name let it through by what it is called,
// on the assumption that it resolves to addresses of the internet; to rules by address it may
// resolve to any.

// routable is every address that a name may usefully resolve to.
var routable = func() netset.Addrs {
	all := special.Internet.Union(special.Private)
	for _, e := range special.Endpoints {
		all = all.Union(netset.Points(e.Addrs...))
	}
	return all
}()

var familySpace = [...]netset.Addrs{reach.IPv4: netset.MustPrefixes("0.0.0.0/0"), reach.IPv6: netset.MustPrefixes("::/0")}

// toHost decides a connection to a name that may resolve to any address.
func (a *asker) toHost(from end, host string, conns netset.Conns) []way {
	to := end{End: reach.End{Holder: -1}, name: host, workload: -1}
	if !a.isPods(from) {
		return []way{{route: direct(from, to, conns), conns: conns, hit: conns, host: host}}
	}
	var out []way
	for _, c := range atoms(conns, a.oneSided(from.Holder, policy.Egress)) {
		out = append(out, way{route: direct(from, to, c), conns: c, hit: c, pass: a.toHostOn(from, host, c), host: host})
	}
	return out
}

// atoms splits conns into the parts that no box divides.
func atoms(conns netset.Conns, boxes []reach.Box) []netset.Conns {
	out := []netset.Conns{conns}
	for _, b := range boxes {
		var next []netset.Conns
		for _, c := range out {
			for _, part := range []netset.Conns{c.Intersect(b.Conns), c.Minus(b.Conns)} {
				if !part.IsEmpty() {
					next = append(next, part)
				}
			}
		}
		out = next
	}
	return out
}

// toHostOn decides for connections that no box divides.
func (a *asker) toHostOn(from end, host string, conns netset.Conns) when.When {
	space, named := routable, false
	var boxes []reach.Box
	for _, b := range a.oneSided(from.Holder, policy.Egress) {
		if b.Conns.Overlaps(conns) {
			boxes = append(boxes, b)
			named = named || b.When.Asks(func(q *when.Question) bool { name, ok := reach.NameOf(q); return ok && matches(name, host) })
		}
	}
	id := " address of a name: " + host
	if named {
		space, id = special.Internet, id+", on the internet"
	}
	over := [2]when.When{when.Never, when.Never}
	inside, others := when.Never, when.Never
	for _, b := range boxes {
		pass, shared := a.calledSo(from, b.When, host)
		others = others.Or(shared)
		for f := range over {
			if addrs := b.Region.Addrs.Intersect(familySpace[f]); !addrs.IsEmpty() {
				at := a.p.AskAddr(reach.Family(f).String()+id, when.Destination, space.Intersect(familySpace[f]))
				over[f] = over[f].Or(at.In(addrs).And(a.p.InFamily(pass, reach.Family(f))))
			}
		}
		fromBlock := pass.Asks(func(q *when.Question) bool { return q.Kind == when.Address })
		if b.Region.Addrs.IsEmpty() && !b.Region.IDs.IsEmpty() && !fromBlock && !named {
			inside = inside.Or(pass.Exists(isChosen))
		}
	}
	is4 := a.p.Ask("IP family of a name: "+host, when.Cluster, host+" resolves to an IPv4 address", host+" resolves to an IPv6 address")
	pass := is4.And(over[reach.IPv4]).Or(over[reach.IPv6].Minus(is4))
	switch addrs := a.p.Class(from.Holder).Addrs; {
	case addrs[reach.IPv6].State == reach.NoAddr:
		pass = over[reach.IPv4]
	case addrs[reach.IPv4].State == reach.NoAddr:
		pass = over[reach.IPv6]
	}
	pass = pass.Or(is4.And(a.escapes(from)))
	if !inside.IsNever() {
		what := " resolves to a pod, Service or node that the policies let " + from.name + " reach"
		pass = pass.Or(inside.And(a.p.Ask("resolves inside: "+host+" for "+from.name, when.Cluster, host+what, host+" does not resolve to what the policies let "+from.name+" reach")))
	}
	pass = pass.Or(others)
	switch {
	case named && !pass.IsNever():
		a.assume(host + " resolves to addresses of the internet, outside of private and special ranges")
	case pass.IsAlways():
		a.assume(host + " resolves to an address outside the cluster, or to pods that let it in")
	}
	return pass
}

func matches(name netset.Name, host string) bool { return isName(host) && name.Matches(host) }

// calledSo is w for a destination that is called host. Rules by other names let it through if they
// share an address: shared is what passes only then. That no policy comes between a pod and its own
// node does not count: nobody takes a name for it.
func (a *asker) calledSo(from end, w when.When, host string) (pass, shared when.When) {
	if own := reach.SameNode(w).Minus(a.p.Where(cni.OwnNodeReachable)); !own.Implies(reach.OffNode(w)) {
		what := host + " resolves to the node of " + from.name
		own = own.And(a.p.Ask("resolves to the own node: "+host+" for "+from.name, when.Cluster, what, host+" does not resolve to the node of "+from.name))
		w = reach.OffNode(w).Or(own)
	} else {
		w = reach.OffNode(w)
	}
	shared = w
	pass = w
	for _, q := range w.Questions() {
		name, ok := reach.NameOf(q)
		switch {
		case !ok:
		case matches(name, host):
			pass, shared = pass.Assume(q.Has(when.Yes)), shared.Assume(q.Has(when.Yes))
		default:
			what := " an address in common with " + string(name)
			shares := a.p.Ask("address in common: "+host+" and "+string(name), when.Cluster, host+" has"+what, host+" does not have"+what)
			pass = pass.Assume(q.Has(when.No))
			shared = shares.And(shared.Assume(q.Has(when.Yes))).Or(shared.Assume(q.Has(when.No)).Minus(shares))
		}
	}
	return pass, shared.Minus(pass)
}

// noteDNS says what keeps a pod from resolving a name that it may connect to.
func (a *asker) noteDNS(from end, host string) {
	if !a.isPods(from) {
		return
	}
	open, refused := when.Never, false
	for _, b := range a.oneSided(from.Holder, policy.Egress) {
		if !b.Conns.Overlaps(special.ResolverPods) {
			continue
		}
		rules := b.Rules()
		inspects, asks := false, len(rules) == 0
		for _, r := range rules {
			inspects = inspects || r.DNS != nil
			asks = asks || r.DNS == nil || slices.ContainsFunc(r.DNS, func(n netset.Name) bool { return matches(n, host) })
		}
		if refused = refused || !asks; asks { // then what a query must be, this is
			open = open.Or(b.When.Exists(func(q *when.Question) bool {
				return q.Kind <= when.Node && q.Kind != when.CNI || inspects && q.End == when.Destination
			}))
		}
	}
	switch open = a.p.Unenforced(open); {
	case open.IsNever() && refused:
		a.note(host + " cannot be resolved: no rule for DNS queries lets " + from.name + " ask for it")
	case open.IsNever():
		a.note(host + " cannot be resolved: no rule lets " + from.name + " reach DNS")
	case !open.IsAlways():
		a.note(host + " can be resolved only if " + open.Text(when.Always, a.p.Words(from.name, "DNS", "")))
	}
}

// hostStep traces the egress side: which policies isolate, and which rules let some address
// through.
func (a *asker) hostStep(v view, w way) Step {
	proto, port := a.point(w.hit, w.to)
	s := Step{From: w.from.name, To: w.host, Protocol: proto, Port: port, Verdict: v.verdict(w.pass), When: v.ifs(w.pass, w.names())}
	if !a.isPods(w.from) {
		return s
	}
	side := Side{Dir: policy.Egress, Of: w.from.name, Verdict: s.Verdict, When: s.When, Isolating: a.isolating(v, w.from, policy.Egress)}
	for _, b := range a.oneSided(w.from.Holder, policy.Egress) {
		b, ok := v.p.BoxIn(b)
		if !ok || s.Verdict == reach.Denied || !b.Conns.Contains(proto, port) || reach.OffNode(b.When).IsNever() {
			continue
		}
		for _, r := range b.Rules() {
			if rule := ruleOf(r); !slices.Contains(side.By, rule) {
				side.By = append(side.By, rule)
			}
		}
	}
	if s.Verdict == reach.Denied {
		side.Near = a.nearNames(v, w.from, w.host, proto, port)
	}
	s.Sides = []Side{side}
	return s
}

// nearNames returns the rules by name that have the name or the port, but not both.
func (a *asker) nearNames(v view, from end, host string, proto netset.Protocol, port netset.Port) []Near {
	var out []Near
	for _, miss := range []reach.Miss{reach.MissPort, reach.MissPeer} {
		for _, r := range v.p.RulesOn(from.Holder, policy.Egress) {
			var has, names bool
			for _, peer := range r.Peers {
				names = names || peer.Name != ""
				has = has || peer.Name != "" && matches(peer.Name, host)
			}
			open := r.AnyPort || slices.ContainsFunc(r.Ports, func(p policy.Port) bool { return p.Protocol == proto && p.Name == "" && p.Lo <= port && port <= p.Hi })
			if close := has && !open && miss == reach.MissPort || !has && open && miss == reach.MissPeer; close && names && r.Action == policy.Allow && len(out) < maxNear {
				out = append(out, Near{Rule: ruleOf(r), Miss: miss})
			}
		}
	}
	return out
}
