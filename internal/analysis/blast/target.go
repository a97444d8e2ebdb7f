package blast

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

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

func (t Target) equal(u Target) bool {
	return t.CIDR == u.CIDR && slices.Equal(t.Except, u.Except) && t.Pods == u.Pods && t.Host == u.Host && t.Name == u.Name && t.worlds == u.worlds && t.New == u.New && t.Verdict == u.Verdict && t.When == u.When && t.Conns.Equal(u.Conns)
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
