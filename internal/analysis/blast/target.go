package blast

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Target is part of what can be reached: addresses, workloads, host names or pods that do not
// exist.
type Target struct {
	Dest    Dest
	CIDR    netip.Prefix   // valid for addresses: those of the destination class in it
	Except  []netip.Prefix // without these
	Pods    string         // "namespace/name", "namespace/*", "*" or, for pods that do not exist, in words
	Host    netset.Name    // a host name, or a pattern of such; the addresses it resolves to are not known
	Name    string         // of a special endpoint, or of a kind of holder: "nodes", "the API server"
	New     bool           // pods that do not exist
	Conns   netset.Conns
	When    when.When
	Verdict reach.Verdict // of When
	By      []reach.By    // the rules that let it through

	ends reach.Region // what is meant, exactly
}

// Addrs returns the addresses that t is.
func (t Target) Addrs() netset.Addrs { return t.ends.Addrs }

// Noun is what conditions call t.
func (t Target) Noun() string {
	if t.Host != "" {
		return string(t.Host)
	}
	return t.Dest.noun()
}

// Rules returns the rules that let t through.
func (t Target) Rules() []*policy.Rule { return reach.RulesOf(t.By) }

// same reports whether t and u are the same ends over the same connections.
func (t *Target) same(u *Target) bool {
	return t.Dest == u.Dest && t.CIDR == u.CIDR && t.Pods == u.Pods && t.Host == u.Host && t.Name == u.Name && t.New == u.New && t.Conns.Equal(u.Conns) &&
		t.ends.IDs.Equal(u.ends.IDs) && t.ends.Addrs.Equal(u.ends.Addrs) &&
		slices.EqualFunc(t.ends.Cubes, u.ends.Cubes, func(a, b reach.Cube) bool { return a.NS.Equal(b.NS) && a.Pod.Equal(b.Pod) })
}

// LetThrough leaves out of the rules that decide those that deny.
func LetThrough(by ...reach.By) []reach.By {
	return slices.DeleteFunc(slices.Clone(by), func(b reach.By) bool { return b.Rule.Action == policy.Deny })
}

// through is the rules of both sides that let a box through.
func through(b reach.Box) []reach.By { return LetThrough(slices.Concat(b.Egress, b.Ingress)...) }

// names returns the questions of w whether a host name resolves to an end.
func names(w when.When) []*when.Question {
	if w.IsAlways() {
		return nil
	}
	return slices.DeleteFunc(w.Questions(), func(q *when.Question) bool {
		_, ok := reach.NameOf(q)
		return !ok
	})
}

// unnamed is w for addresses that no host name resolves to.
func unnamed(w when.When) when.When {
	for _, q := range names(w) {
		w = w.Assume(q.Has(when.No))
	}
	return w
}

// hosts describes what a box reaches of the internet by the names that resolve to it. An address
// that a name resolves to may be one that another rule denies.
func (a *Atlas) hosts(b reach.Box) []Target {
	whole := slices.ContainsFunc(families[:], func(f netset.Addrs) bool { return b.Region.Addrs.Covers(special.Internet.Intersect(f)) })
	var out []Target
	for _, q := range names(b.When) {
		name, _ := reach.NameOf(q)
		w := b.When.Assume(q.Has(when.Yes))
		if !whole {
			w = w.And(a.ResolvesTo(name, policy.Egress, b.Region.Addrs))
		}
		out = append(out, Target{Dest: Internet, Host: name, Conns: b.Conns, When: w, By: through(b)})
	}
	return out
}

var families = [...]netset.Addrs{netset.MustPrefixes("0.0.0.0/0"), netset.MustPrefixes("::/0")}

// maxList is how many ranges are listed one by one before they are written as everything but some,
// if that is shorter.
const maxList = 16

// targets describes a box in a place.
func (a *Atlas) targets(d Dest, p place, b reach.Box) []Target {
	base := Target{Dest: d, Conns: b.Conns, When: b.When, Name: p.name, By: through(b)}
	var out []Target
	addrs := b.Region.Addrs
	if d == KubeAPI || d == Nodes {
		addrs = addrs.Union(a.known(b.Region.IDs))
	}
	for _, family := range families {
		in := addrs.Intersect(family)
		listed := netset.CIDRs(in)
		if len(listed) > maxList {
			if missing := netset.CIDRs(p.region.Addrs.Intersect(family).Minus(in)); len(missing) < len(listed) {
				t := base
				t.CIDR, t.Except, t.ends = netset.CIDRs(family)[0], missing, reach.Region{Addrs: in}
				out = append(out, t)
				continue
			}
		}
		for _, c := range listed {
			t := base
			t.CIDR, t.ends = c, reach.Region{Addrs: netset.Prefixes(c)}
			out = append(out, t)
		}
	}
	pods := a.podSets(b.Region.IDs)
	for _, set := range pods {
		t := base
		t.Pods, t.ends = set.name, reach.Region{IDs: set.ids}
		out = append(out, t)
	}
	if named := holderNames[d]; named != "" && addrs.IsEmpty() && pods == nil {
		t := base
		t.Name, t.ends = named, reach.Region{IDs: b.Region.IDs}
		out = append(out, t)
	}
	return out
}

var holderNames = [destCount]string{KubeAPI: "the API server", Nodes: "nodes", DNS: "the DNS Service"}

// podSet is classes under the name of a workload, of a whole namespace or of all.
type podSet struct {
	name string
	ids  netset.IDs
}

// podSets names the workloads of classes, by whole namespaces where it can.
func (a *Atlas) podSets(ids netset.IDs) []podSet {
	ids = ids.Intersect(a.pods)
	switch {
	case ids.IsEmpty():
		return nil
	case ids.Equal(a.pods):
		return []podSet{{"*", ids}}
	}
	var out []podSet
	for r := range ids.Runs() {
		for id := r.Lo; id <= r.Hi; {
			ns := a.NamespaceOf(int(id))
			run := a.Namespace(ns)
			last := run.First()
			for x := range run.Runs() {
				last = x.Hi
			}
			if id == run.First() && r.Hi >= last {
				out = append(out, podSet{ns + "/*", run})
				id = last + 1
				continue
			}
			for _, m := range a.Class(int(id)).Members {
				w := &a.Snapshot.Workloads[m.Workload]
				out = append(out, podSet{w.Namespace + "/" + w.Name, a.IDs(int(id))})
			}
			id++
		}
	}
	slices.SortStableFunc(out, func(x, y podSet) int { return strings.Compare(x.name, y.name) })
	n := 0
	for _, set := range out {
		if n > 0 && out[n-1].name == set.name {
			out[n-1].ids = out[n-1].ids.Union(set.ids)
		} else {
			out[n], n = set, n+1
		}
	}
	return out[:n]
}

// podNames names the workloads of classes, by whole namespaces where it can.
func (a *Atlas) podNames(ids netset.IDs) []string {
	var out []string
	for _, set := range a.podSets(ids) {
		out = append(out, set.name)
	}
	return out
}

// targetsOf describes pods that do not exist.
func targetsOf(d Dest, hypotheticals []reach.Hypothetical) []Target {
	out := make([]Target, len(hypotheticals))
	for i, s := range hypotheticals {
		text := HypotheticalText(s)
		if d == OtherServers {
			text = "servers that were not read"
		}
		out[i] = Target{Dest: d, Pods: text, New: true, Conns: s.Conns, When: s.When, By: LetThrough(slices.Concat(s.Egress, s.Ingress)...),
			ends: reach.Region{Cubes: []reach.Cube{{NS: namespaceOf(s), Pod: s.Pod}}}}
	}
	return out
}

// namespaceOf is what the namespace of s carries.
func namespaceOf(s reach.Hypothetical) label.Selector {
	if s.Namespace != "" {
		return label.Named(s.Namespace)
	}
	return s.NS
}
