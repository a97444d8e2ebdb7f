package blast

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/label"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/origin"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/reach"
	"github.com/toolmoat/toolmoat/internal/special"
)

// Extent says how much of a class of destinations is reachable: on any port, in any world.
type Extent uint8

const (
	None Extent = iota
	Some
	All
)

func (e Extent) String() string { return [...]string{"none", "some", "all"}[e] }

// MarshalText writes the extent as the JSON outputs name it.
func (e Extent) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Reach is what a server can reach of one class of destinations.
type Reach struct {
	Verdict reach.Verdict
	Extent  Extent
	To      []Target       // what certainly or possibly can be reached; nothing else can
	Because []*policy.Rule // the rules that let it through; none where nothing isolates
	Open    bool           // nothing isolates the server's egress
	Addrs   netset.Addrs   // the addresses in To

	openings []opening    // the same, by what the server's policies tell apart
	sure     reach.Worlds // the profiles under which something certainly is
}

// opening is addresses that are reached over some connections.
type opening struct {
	place
	worlds reach.Worlds
	aside  bool
}

// settle makes the verdict that of all profiles, where each lets through something.
func (r *Reach) settle(all reach.Worlds) {
	if r.Verdict == reach.Depends && r.sure.Covers(all) {
		r.Verdict = reach.Allowed
	}
}

// AddrsOn returns the addresses that are reached on some of conns.
func (r Reach) AddrsOn(conns netset.Conns) netset.Addrs {
	var out []netset.Addrs
	for _, o := range r.openings {
		if !o.conns.Intersect(conns).IsEmpty() {
			out = append(out, o.region.Addrs)
		}
	}
	return netset.Union(out...)
}

// AddrsOnAll returns the addresses that are reached on all of conns, be it by several rules.
func (r Reach) AddrsOnAll(conns netset.Conns) netset.Addrs {
	out := r.Addrs
	open := make([]place, len(r.openings))
	var together netset.Conns
	for i, o := range r.openings {
		open[i] = o.place
		together = together.Union(o.conns)
	}
	if !together.Covers(conns) {
		return netset.Addrs{}
	}
	for _, lack := range minus(place{region: reach.Region{Addrs: out}, conns: conns}, open) {
		out = out.Minus(lack.region.Addrs)
	}
	return out
}

// Target is part of what can be reached: addresses, workloads or pods that do not exist.
type Target struct {
	CIDR    netip.Prefix // valid for addresses: those of the destination class in it
	Except  []netip.Prefix
	Pods    string      // "namespace/name", "namespace/*", "*" or, for pods that do not exist, a sentence
	Host    netset.Name // a host name, or a pattern of such; the addresses it resolves to are not known
	Name    string      // of a special endpoint, or of a kind of holder: "nodes", "the API server"
	New     bool        // pods that do not exist
	Aside   bool        // for no doing of the server's policies: some host name may resolve there, or it is at the pod's own node
	Conns   netset.Conns
	Verdict reach.Verdict
	When    string
	scope
	Rules []*policy.Rule // those that let it through; two targets that differ in nothing else are one
}

// scope says under which profiles something holds, and what is to be said of it there.
type scope struct {
	worlds reach.Worlds
	base   reach.Verdict
	within string // its condition, but for the profiles
}

// Worlds returns the profiles under which it holds.
func (s scope) Worlds() reach.Worlds { return s.worlds }

// scopeOf is the scope of a box.
func scopeOf(b reach.Box) scope {
	cond := b.Cond
	cond.On = ""
	return scope{b.Worlds, b.Base, cond.String()}
}

func scopeOfStranger(s reach.Stranger) scope {
	cond := s.Cond
	cond.On = ""
	return scope{s.Worlds, s.Base, cond.String()}
}

// Addrs returns the addresses in t, and perhaps others of other destination classes.
func (t Target) Addrs() netset.Addrs {
	return netset.Prefixes(t.CIDR).Minus(netset.Prefixes(t.Except...))
}

// Radius is the blast radius of one server.
type Radius struct {
	Server int   // index into Snapshot.Servers
	Class  []int // the classes of its pods
	To     [destCount]Reach
	By     []Caller
	Boxes  [][3][]reach.Box // the engine's own answer, by class and policy.Direction
	Groups []reach.Worlds   // profiles that nothing in the answer tells apart but the pod's own node, together
}

// Of computes the radius of a server.
func (a *Atlas) Of(server int) Radius {
	r := Radius{Server: server, Class: a.ClassesOf(a.Snapshot.Servers[server].Workload), Groups: []reach.Worlds{a.Worlds()}}
	for _, class := range r.Class {
		var all [3][]reach.Box
		r.Groups = a.Split(r.Groups, class)
		for _, d := range policy.Directions {
			all[d] = a.Reach(class, d)
			for _, b := range all[d] {
				if b.Egress != nil || b.Ingress != nil || !b.Cond.OfOwnNode() {
					r.Groups = reach.Refine(r.Groups, b.Worlds)
				}
			}
		}
		r.Boxes = append(r.Boxes, all)
		boxes := a.Settle(all[policy.Egress])
		strangers := reach.SettleStrangers(a.Hypothetical(class, policy.Egress))
		for _, s := range strangers {
			r.Groups = reach.Refine(r.Groups, s.Worlds)
		}
		isolated, _ := a.Isolation(class, policy.Egress)
		for _, d := range Dests {
			in := a.within(d, class, r.Class, boxes, strangers)
			in.Open = len(isolated) == 0
			r.To[d] = join(r.To[d], in, class == r.Class[0])
		}
	}
	for d := range r.To {
		r.To[d].settle(a.Worlds())
	}
	r.By = a.callers(r)
	for _, c := range r.By {
		r.Groups = reach.Refine(r.Groups, c.worlds)
	}
	return r
}

// join adds what another kind of pods of the same server reaches.
func join(a, b Reach, first bool) Reach {
	if first {
		return b
	}
	if reach.CompareVerdicts(b.Verdict, a.Verdict) > 0 {
		a.Verdict = b.Verdict
	}
	a.Extent = max(a.Extent, b.Extent)
	for _, t := range b.To {
		if !slices.ContainsFunc(a.To, t.equal) {
			a.To = append(a.To, t)
		}
	}
	for _, rule := range b.Because {
		if !slices.Contains(a.Because, rule) {
			a.Because = append(a.Because, rule)
		}
	}
	a.Open = a.Open || b.Open
	a.Addrs = a.Addrs.Union(b.Addrs)
	a.openings = append(slices.Clip(a.openings), b.openings...)
	a.sure |= b.sure
	return a
}

func (t Target) equal(u Target) bool {
	return t.CIDR == u.CIDR && slices.Equal(t.Except, u.Except) && t.Pods == u.Pods && t.Host == u.Host && t.Name == u.Name && t.worlds == u.worlds && t.New == u.New && t.Verdict == u.Verdict && t.When == u.When && t.Conns.Equal(u.Conns)
}

// within narrows an answer to one class of destinations.
func (a *Atlas) within(d Dest, class int, own []int, boxes []reach.Box, strangers []reach.Stranger) Reach {
	out := Reach{Verdict: reach.Denied}
	places, but := a.places(d, class, own)
	var got reach.Region
	for _, p := range places {
		for _, b := range boxes {
			if !p.region.Overlaps(b.Region) {
				continue
			}
			in, conns := p.region.Intersect(b.Region), p.conns.Intersect(b.Conns)
			in.IDs = in.IDs.Minus(but)
			if d == KubeAPI || d == Nodes {
				// Whose an address is decides how plugins judge it: what is said of it as an address alone does not count.
				in.Addrs = in.Addrs.Minus(a.held)
			}
			if conns.IsEmpty() || in.IsEmpty() {
				continue
			}
			if d == Internet && named(b.Cond) {
				out.add(reach.Denied, b.Rules(), hosts(in, conns, b)...)
				in.Addrs = netset.Addrs{}
			}
			got = reach.Region{IDs: got.IDs.Union(in.IDs), Addrs: got.Addrs.Union(in.Addrs)}
			if !in.Addrs.IsEmpty() {
				out.openings = append(out.openings, opening{place{region: reach.Region{Addrs: in.Addrs}, conns: conns}, b.Worlds, aside(b)})
			}
			if !in.IsEmpty() {
				out.add(b.Verdict, b.Rules(), a.targets(d, p, in, conns, b)...)
			}
		}
	}
	if !got.IsEmpty() {
		all := a.whole[d]
		if d == SameNamespace {
			all = a.wholeOf(places)
		}
		out.Addrs, out.Extent = got.Addrs, max(out.Extent, a.extent(all, got, but))
	}
	for _, s := range a.strangersIn(d, class, strangers) {
		rules, text := slices.Concat(s.Egress, s.Ingress), StrangerText(s)
		if d == OtherServers {
			text = "servers that were not read"
		}
		out.add(s.Verdict, rules, Target{Pods: text, New: true, Conns: s.Conns, Verdict: s.Verdict, When: s.Cond.String(), Rules: rules, scope: scopeOfStranger(s)})
		out.Extent = max(out.Extent, Some)
	}
	slices.SortStableFunc(out.To, func(t, u Target) int {
		return cmp.Or(reach.CompareVerdicts(u.Verdict, t.Verdict), boolCompare(t.New, u.New), t.CIDR.Addr().Compare(u.CIDR.Addr()),
			cmp.Compare(t.CIDR.Bits(), u.CIDR.Bits()), cmp.Compare(t.Host, u.Host), cmp.Compare(t.Pods, u.Pods), cmp.Compare(t.Name, u.Name))
	})
	return out
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (r *Reach) add(v reach.Verdict, rules []*policy.Rule, targets ...Target) {
	if reach.CompareVerdicts(v, r.Verdict) > 0 {
		r.Verdict = v
	}
	for _, rule := range rules {
		if !slices.Contains(r.Because, rule) {
			r.Because = append(r.Because, rule)
		}
	}
	for _, t := range targets {
		if reach.CompareVerdicts(t.Verdict, r.Verdict) > 0 {
			r.Verdict = t.Verdict
		}
		if t.base == reach.Allowed {
			r.sure |= t.worlds
		}
		if t.Host != "" {
			r.Extent = max(r.Extent, Some)
		}
		if !slices.ContainsFunc(r.To, t.equal) {
			r.To = append(r.To, t)
		}
	}
}

// named reports whether a box holds only for addresses that some names resolve to, and these are not all names.
func named(c reach.Cond) bool {
	return c.Names != nil && c.Plan.IsEmpty() && c.Texts == nil && !slices.Contains(c.Names, "*")
}

// hosts describes what a box reaches of the internet by the names that resolve to it. An address that a name resolves to may be one that another
// rule denies.
func hosts(in reach.Region, conns netset.Conns, b reach.Box) []Target {
	cond := b.Cond
	cond.Names = nil
	whole := slices.ContainsFunc(families[:], func(f netset.Addrs) bool { return in.Addrs.Covers(special.Internet.Intersect(f)) })
	if !whole {
		cond.All = append(slices.Clip(cond.All), "it resolves to an address that no rule denies")
	}
	t := Target{Conns: conns, Verdict: reach.Allowed, When: cond.String(), Rules: b.Rules(), scope: scope{worlds: b.Worlds, base: reach.Allowed}}
	if !cond.IsZero() {
		t.Verdict = reach.Depends
	}
	cond.On = ""
	if t.within = cond.String(); !cond.IsZero() {
		t.base = reach.Depends
	}
	if cond.Unjudged {
		t.Verdict, t.base = reach.Unknown, reach.Unknown
	}
	out := make([]Target, len(b.Cond.Names))
	for i, name := range b.Cond.Names {
		out[i] = t
		out[i].Host = netset.Name(name)
	}
	return out
}

var families = [...]netset.Addrs{netset.MustPrefixes("0.0.0.0/0"), netset.MustPrefixes("::/0")}

// whole is all of a class of destinations.
type whole struct {
	addrs   []netset.Addrs // by family, where there are any
	numbers netset.IDs     // holders, see [reach.Ground.Numbers]
}

func (a *Atlas) wholeOf(places []place) (out whole) {
	for _, f := range families {
		var addrs []netset.Addrs
		for _, p := range places {
			addrs = append(addrs, p.region.Addrs.Intersect(f))
		}
		if all := netset.Union(addrs...); !all.IsEmpty() {
			out.addrs = append(out.addrs, all)
		}
	}
	for _, p := range places {
		out.numbers = out.numbers.Union(a.Numbers(p.region.IDs))
	}
	return out
}

// extent compares what was reached with the whole class but for some holders. Addresses count as all when all of one family are.
func (a *Atlas) extent(all whole, got reach.Region, but netset.IDs) Extent {
	if (all.addrs == nil || slices.ContainsFunc(all.addrs, got.Addrs.Covers)) && a.Numbers(got.IDs.Union(but)).Covers(all.numbers) {
		return All
	}
	return Some
}

// maxList is how many ranges are listed one by one before they are written as everything but some, if that is shorter.
const maxList = 16

// targets describes what a box reaches of a place.
func (a *Atlas) targets(d Dest, p place, in reach.Region, conns netset.Conns, b reach.Box) []Target {
	base := Target{Conns: conns, Verdict: b.Verdict, When: b.When(), Name: p.name, Aside: aside(b), Rules: b.Rules(), scope: scopeOf(b)}
	var out []Target
	addrs := in.Addrs
	if d == KubeAPI || d == Nodes {
		addrs = addrs.Union(a.known(in.IDs))
	}
	for _, family := range families {
		listed := netset.CIDRs(addrs.Intersect(family))
		if len(listed) > maxList {
			if missing := netset.CIDRs(p.region.Addrs.Intersect(family).Minus(addrs)); len(missing) < len(listed) {
				t := base
				t.CIDR, t.Except = netset.CIDRs(family)[0], missing
				out = append(out, t)
				continue
			}
		}
		for _, c := range listed {
			t := base
			t.CIDR = c
			out = append(out, t)
		}
	}
	pods := a.podNames(in.IDs)
	for _, name := range pods {
		t := base
		t.Pods = name
		out = append(out, t)
	}
	if named := holderNames[d]; named != "" && addrs.IsEmpty() && pods == nil {
		t := base
		t.Name = named
		out = append(out, t)
	}
	return out
}

var holderNames = [destCount]string{KubeAPI: "the API server", Nodes: "nodes", DNS: "the DNS Service"}

// podNames names the workloads of classes, by whole namespaces where it can.
func (a *Atlas) podNames(ids netset.IDs) []string {
	ids = ids.Intersect(a.pods)
	if ids.IsEmpty() {
		return nil
	}
	if a.Numbers(ids).Equal(a.Numbers(a.pods)) {
		return []string{"*"}
	}
	numbers := a.Numbers(ids)
	var out []string
	for r := range numbers.Runs() {
		for id := r.Lo; id <= r.Hi; {
			ns := a.NamespaceOf(int(id))
			run := a.Numbers(a.Namespace(ns))
			first, last := run.First(), run.First()
			for x := range run.Runs() {
				last = x.Hi
			}
			if id == first && r.Hi >= last {
				out = append(out, ns+"/*")
				id = last + 1
				continue
			}
			for _, m := range a.Class(int(id)).Members {
				w := &a.Snapshot.Workloads[m.Workload]
				out = append(out, w.Namespace+"/"+w.Name)
			}
			id++
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// strangersIn returns the pods that do not exist which belong to a class of destinations. Where some may exist that were not read, these may be servers.
func (a *Atlas) strangersIn(d Dest, class int, strangers []reach.Stranger) []reach.Stranger {
	if d != DNS && d != SameNamespace && d != OtherNamespaces && (d != OtherServers || a.Snapshot.Unread == nil) {
		return nil
	}
	home := a.NamespaceOf(class)
	var out []reach.Stranger
	for _, s := range strangers {
		vague := s.Conns.IsEmpty() && s.Verdict == reach.Unknown // too many kinds of pods to tell apart
		resolver := slices.ContainsFunc(a.resolver, func(c reach.Cube) bool { return a.isResolver(c, s) })
		switch {
		case d == OtherServers && !a.mayExist(s):
			continue
		case d == OtherServers:
			s.Verdict, s.Base, s.Cond.Unjudged = reach.Unknown, reach.Unknown, true
			if resolver {
				s.Conns = s.Conns.Minus(special.ResolverPods)
			}
		case d == DNS && resolver:
			s.Conns = s.Conns.Intersect(special.ResolverPods)
		case d == DNS:
			continue
		case (s.Namespace == home) != (d == SameNamespace):
			continue
		case resolver:
			s.Conns = s.Conns.Minus(special.ResolverPods)
		}
		if vague || !s.Conns.IsEmpty() {
			out = append(out, s)
		}
	}
	return out
}

// mayExist reports whether some of s may run in a namespace that was not read.
func (a *Atlas) mayExist(s reach.Stranger) bool {
	ns := s.NS
	if s.Namespace != "" {
		ns = label.Named(s.Namespace)
	}
	return slices.ContainsFunc(a.Snapshot.Unread, func(unread label.Selector) bool { return !ns.And(unread).IsEmpty() })
}

// isResolver reports whether every pod of s would be a resolver.
func (a *Atlas) isResolver(c reach.Cube, s reach.Stranger) bool {
	ns := s.NS
	if s.Namespace != "" {
		ns = label.Named(s.Namespace)
	}
	return ns.Within(c.NS) && s.Pod.Within(c.Pod)
}

// StrangerText says which pods s is, in words.
func StrangerText(s reach.Stranger) string {
	pod := "any new pod"
	if !s.Pod.SelectsAll() {
		pod = "a new pod with " + s.Pod.String()
	}
	switch {
	case s.Namespace != "":
		return pod + " in " + s.Namespace
	case newNamespace(s.NS).SelectsAll():
		return pod + " in any namespace"
	}
	return pod + " in a namespace with " + newNamespace(s.NS).String()
}

// newNamespace is what a namespace that does not exist must carry, without that its name is new.
func newNamespace(sel label.Selector) label.Selector {
	return sel.Without(label.MetadataName, func(v label.Values) bool { _, others := v.Listed(); return others })
}

// Origins returns where rules are written, each place once and in order.
func Origins(rules []*policy.Rule) []origin.Origin {
	out := make([]origin.Origin, 0, len(rules))
	for _, r := range rules {
		out = append(out, r.Origin)
	}
	slices.SortFunc(out, origin.Origin.Compare)
	return slices.Compact(out)
}

// RangesText lists the address ranges of r, at most n of them, with their exceptions.
func (r Reach) RangesText(n int) string {
	var parts []string
	var whole netset.Addrs // the ranges listed without exceptions
	for _, t := range r.To {
		if !t.CIDR.IsValid() || whole.Covers(netset.Prefixes(t.CIDR)) {
			continue
		}
		if t.Except == nil {
			whole = whole.Union(netset.Prefixes(t.CIDR))
		}
		text := reach.PrefixText([]netip.Prefix{t.CIDR}, 1)
		if t.Except != nil {
			text += " but " + reach.PrefixText(t.Except, 2)
		}
		if !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	if len(parts) > n {
		parts = append(parts[:n], fmt.Sprintf("%d more", len(parts)-n))
	}
	return strings.Join(parts, ", ")
}
