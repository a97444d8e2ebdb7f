package query

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// A host name resolves to what its owner says. Rules by name let it through by what it is called, on the assumption that it resolves to addresses
// of the internet; to rules by address it may resolve to any.

// routable is every address that a name may usefully resolve to.
var routable = func() netset.Addrs {
	all := special.Internet.Union(special.Private)
	for _, e := range special.Endpoints {
		all = all.Union(netset.Points(e.Addrs...))
	}
	return all
}()

var familySpace = [...]netset.Addrs{reach.IPv4: netset.MustPrefixes("0.0.0.0/0"), reach.IPv6: netset.MustPrefixes("::/0")}

// toName is what policies let through, as far as a host name may resolve to it.
type toName struct {
	reach.Box
	named bool // because of a rule that has the name
}

// hostBoxes returns what the policies of from let through to host, and the names that they let through where host is none of them.
func (a *asker) hostBoxes(from end, host string) (out []toName, others []toName) {
	for _, b := range a.oneSided(from.Holder, policy.Egress) {
		at := toName{Box: b}
		never := slices.Contains(b.Cond.All, reach.OwnNode) || slices.Contains(b.Cond.All, atOwnNode) // which nobody takes a name for
		switch {
		case b.Cond.Names == nil:
		case isName(host) && slices.ContainsFunc(b.Cond.Names, func(n string) bool { return netset.Name(n).Matches(host) }):
			at.named = true
			at.Cond.Plan, at.Cond.Names, at.Cond.Texts = netset.Addrs{}, nil, nil
		default:
			others = append(others, toName{Box: b})
			at.Cond.Names = nil
			never = never || at.Cond.Plan.IsEmpty() && at.Cond.Texts == nil
		}
		if at.Verdict = settled(b.Verdict, at.Cond, never); at.Verdict != reach.Denied {
			out = append(out, at)
		}
	}
	return out, others
}

// toHost decides a connection to a name that may resolve to any address.
func (a *asker) toHost(from end, host string, conns netset.Conns) outcome {
	if !a.isPods(from) {
		return outcome{verdict: reach.Allowed, conns: conns}
	}
	boxes, others := a.hostBoxes(from, host)
	var tried []outcome
	for _, c := range atoms(conns, slices.Concat(boxes, others)) {
		o := a.toHostOn(from, host, c, boxes, others)
		o.steps = func() []Step { return []Step{a.hostStep(from, host, c, o, slices.Concat(boxes, others))} }
		o.from, o.to = from.name, host
		tried = append(tried, o)
	}
	return anyOf(tried)
}

// shares says when host is reached as one of other names: rules by name let through the addresses that these resolve to.
func shares(host string, conns netset.Conns, others []toName) string {
	var names []string
	for _, b := range others {
		for _, n := range b.Cond.Names {
			if b.Conns.Overlaps(conns) && !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	if names == nil {
		return ""
	}
	slices.Sort(names)
	return host + " has an address in common with " + listed(names, 3)
}

// noteDNS says what keeps a pod from resolving a name that it may connect to.
func (a *asker) noteDNS(from end, host string) {
	if !a.isPods(from) {
		return
	}
	var whens []string
	for _, b := range a.oneSided(from.Holder, policy.Egress) {
		switch {
		case !b.Conns.Overlaps(special.ResolverPods):
		case b.Verdict == reach.Allowed, b.Verdict == reach.NotEnforced:
			return
		default:
			whens = append(whens, b.When())
		}
	}
	if whens == nil {
		a.note(host + " cannot be resolved: no rule lets " + from.name + " reach DNS")
		return
	}
	slices.Sort(whens)
	a.note(host + " can be resolved only if " + listedOr(slices.Compact(whens)))
}

// atoms splits conns into the parts that no box divides.
func atoms(conns netset.Conns, boxes []toName) []netset.Conns {
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
func (a *asker) toHostOn(from end, host string, conns netset.Conns, boxes, shared []toName) outcome {
	var space, family, sure, idle, maybe netset.Addrs
	for _, f := range reach.Families {
		if a.p.Class(from.Holder).Addrs[f].State != reach.NoAddr {
			family = family.Union(familySpace[f])
		}
	}
	space = routable.Intersect(family)
	boxes = slices.DeleteFunc(slices.Clone(boxes), func(b toName) bool { return !b.Conns.Overlaps(conns) })
	named := slices.ContainsFunc(boxes, func(b toName) bool { return b.named })
	if named {
		space = special.Internet.Intersect(family)
	}
	others, judged := false, false // reaches more than addresses; some of it for certain or under a condition
	var whens []string
	for _, b := range boxes {
		addrs := b.Region.Addrs.Intersect(space)
		switch b.Verdict {
		case reach.Allowed:
			sure = sure.Union(addrs)
		case reach.NotEnforced:
			idle = idle.Union(addrs)
		default:
			maybe = maybe.Union(addrs)
			if when := b.When(); b.named && when != "" && !slices.Contains(whens, when) {
				whens = append(whens, when)
			}
		}
		if b.Region.Addrs.IsEmpty() && !b.Region.IsEmpty() && b.Cond.Plan.IsEmpty() { // a condition on addresses comes from a block
			others = true
		}
		judged = judged || b.Verdict != reach.Unknown
	}
	passing := netset.Union(sure, idle, maybe)
	switch {
	case sure.Covers(space):
		a.assumeResolves(host, named)
		return outcome{verdict: reach.Allowed, conns: conns}
	case sure.Union(idle).Covers(space):
		return outcome{verdict: reach.NotEnforced, conns: conns}
	}
	var also []string // ways that do not depend on what the name is
	if with := shares(host, conns, shared); with != "" {
		also = append(also, with)
	}
	for _, b := range a.wayOut(from) {
		also = append(also, joinAnd(host+" resolves to an IPv4 address", b.When()))
		judged = true
	}
	if passing.IsEmpty() && !others && also == nil {
		return outcome{verdict: reach.Denied}
	}
	o := outcome{verdict: reach.Depends, conns: conns}
	if !judged && !slices.ContainsFunc(shared, func(b toName) bool { return b.Conns.Overlaps(conns) && b.Verdict != reach.Unknown }) {
		o.verdict = reach.Unknown
	}
	if named {
		a.assumeResolves(host, named)
	}
	if whens != nil && passing.Covers(space) { // what a rule by name wants besides the name
		o.when = listedOr(whens)
		return o
	}
	whens = nil
	if !passing.IsEmpty() {
		whens = append(whens, host+" resolves "+into(passing, space))
	}
	if others && !named {
		whens = append(whens, host+" resolves to a pod, Service or node that the policies let "+from.name+" reach")
	}
	o.when = listedOr(append(whens, also...))
	return o
}

// assumeResolves says what an answer to a name takes for granted.
func (a *asker) assumeResolves(host string, named bool) {
	if named {
		a.assume(host + " resolves to addresses of the internet, outside of private and special ranges")
		return
	}
	a.assume(host + " resolves to an address outside the cluster, or to pods that let it in")
}

// into says where addresses lie, by what they are or by what they are not, whichever is shorter.
func into(in, space netset.Addrs) string {
	for _, f := range reach.Families {
		if in.Equal(space.Intersect(familySpace[f])) {
			return "to an " + f.String() + " address"
		}
	}
	text := "into "
	for _, f := range reach.Families {
		part, whole := in.Intersect(familySpace[f]), space.Intersect(familySpace[f])
		if part.IsEmpty() {
			continue
		}
		if text != "into " {
			text += ", or into "
		}
		rest := whole.Minus(part)
		switch cidrs, without := netset.CIDRs(part), netset.CIDRs(rest); {
		case len(without) == 0:
			text += f.String()
		case len(without) < len(cidrs):
			text += f.String() + " outside " + reach.PrefixText(without, 4)
		default:
			text += reach.PrefixText(cidrs, 4)
		}
	}
	return text
}

// hostStep traces the egress side: which policies isolate, and which rules let some address through.
func (a *asker) hostStep(from end, host string, conns netset.Conns, o outcome, boxes []toName) Step {
	nowhere := end{End: reach.End{Holder: -1}, name: host, workload: -1}
	proto, port := a.point(conns, nowhere)
	s := Step{From: from.name, To: host, Protocol: proto, Port: port, Verdict: o.verdict, When: o.when}
	side := Side{Dir: policy.Egress, Of: from.name, Verdict: o.verdict, When: o.when}
	isolating, _ := a.p.Isolation(from.Holder, policy.Egress)
	for _, st := range isolating {
		side.Isolating = append(side.Isolating, st.Origin)
	}
	for _, b := range boxes {
		if b.Conns.Contains(proto, port) && o.verdict != reach.Denied {
			for _, r := range b.Rules() {
				if rule := ruleOf(r); !slices.Contains(side.By, rule) {
					side.By = append(side.By, rule)
				}
			}
		}
	}
	if o.verdict == reach.Denied {
		side.Near = a.nearNames(from, host, proto, port)
	}
	s.Sides = []Side{side}
	return s
}

// maxNearNames bounds how many rules by name a trace lists that come close.
const maxNearNames = 3

// nearNames returns the rules by name that have the name or the port, but not both.
func (a *asker) nearNames(from end, host string, proto netset.Protocol, port netset.Port) []Near {
	var out []Near
	for _, miss := range []reach.Miss{reach.MissPort, reach.MissPeer} {
		for _, r := range a.p.RulesOn(from.Holder, policy.Egress) {
			var has, names bool
			for _, peer := range r.Peers {
				names = names || peer.Name != ""
				has = has || peer.Name != "" && isName(host) && peer.Name.Matches(host)
			}
			open := r.AnyPort || slices.ContainsFunc(r.Ports, func(p policy.Port) bool { return p.Protocol == proto && p.Name == "" && p.Lo <= port && port <= p.Hi })
			if close := has && !open && miss == reach.MissPort || !has && open && miss == reach.MissPeer; close && names && r.Action == policy.Allow && len(out) < maxNearNames {
				out = append(out, Near{Rule: ruleOf(r), Miss: miss})
			}
		}
	}
	return out
}
