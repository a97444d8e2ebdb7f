package blast

import (
	"cmp"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// Who is a kind of caller. The zero value is unknown.
type Who uint8

const (
	WhoUnknown   Who = iota
	AnyPod           // a pod that carries nothing, in any namespace: what it must not carry is in Text
	External         // from outside the cluster
	NamespacePod     // likewise, in the server's namespace
	Hypothetical     // pods that do not exist, with the labels they would need
	Pods             // pods that exist
	NodeCallers      // nodes and what runs on their network
	GatewayPods      // MCP gateways
)

func (w Who) String() string {
	return [...]string{"unknown", "anyPod", "external", "namespace", "hypothetical", "pods", "nodes", "gateway"}[w]
}

// MarshalText writes the kind as the JSON outputs name it.
func (w Who) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Caller is who can connect to a server.
type Caller struct {
	Who     Who
	Names   []string  // workloads, ways in or address ranges
	Labels  label.Set // what a pod that does not exist would carry, as an example
	Text    string    // in words, of pods that do not exist
	Conns   netset.Conns
	Verdict reach.Verdict
	When    string
	Rules   []*policy.Rule
	scope
	Addrs netset.Addrs // of External: the addresses that may connect to the pods themselves
}

// callers lists who can connect to a server's pods, the least wanted first.
func (a *Atlas) callers(r Radius) []Caller {
	var out []Caller
	for i, class := range r.Class {
		in := a.Settle(r.Boxes[i][policy.Ingress])
		strangers := a.strangerCallers(class)
		out = slices.Concat(out, strangers, a.podCallers(class, in))
		for _, w := range a.waysIn[class] {
			out = append(out, a.through(w, class, in, strangers)...)
		}
	}
	slices.SortStableFunc(out, func(c, d Caller) int {
		return cmp.Or(cmp.Compare(c.Who, d.Who), reach.CompareVerdicts(d.Verdict, c.Verdict), slices.Compare(c.Names, d.Names), cmp.Compare(c.Text, d.Text))
	})
	return slices.CompactFunc(out, func(c, d Caller) bool {
		return c.Who == d.Who && slices.Equal(c.Names, d.Names) && c.Text == d.Text && c.Conns.Equal(d.Conns) && c.Verdict == d.Verdict && c.When == d.When && c.worlds == d.worlds
	})
}

// strangerCallers are the pods that do not exist.
func (a *Atlas) strangerCallers(class int) []Caller {
	home := a.NamespaceOf(class)
	var out []Caller
	for _, s := range reach.SettleStrangers(a.Hypothetical(class, policy.Ingress)) {
		c := Caller{Who: Hypothetical, Text: StrangerText(s), Conns: s.Conns, Verdict: s.Verdict, When: s.Cond.String(), Rules: slices.Concat(s.Egress, s.Ingress), scope: scopeOfStranger(s)}
		c.Labels, _ = s.Pod.Example()
		// Rules split the pods that do not exist into several sets. The one with the pod that carries nothing is whom
		// everybody can be.
		switch {
		case s.Namespace == "" && asksNothing(s.Pod) && asksNothing(newNamespace(s.NS)):
			c.Who = AnyPod
		case s.Namespace == home && asksNothing(s.Pod):
			c.Who = NamespacePod
		case a.isGateway(s):
			continue // a pod that carries the gateway's labels in its namespace counts as the gateway
		}
		out = append(out, c)
	}
	return out
}

// asksNothing reports whether what carries no label satisfies sel.
func asksNothing(sel label.Selector) bool {
	_, may := sel.Match(label.Labels{})
	return may
}

// isGateway reports whether a gateway that exists is what s describes: a label with one value, which the gateway has, says who is meant.
func (a *Atlas) isGateway(s reach.Stranger) bool {
	pinned := slices.ContainsFunc(s.Pod.Keys(), func(key string) bool {
		values, others := s.Pod.On(key).Listed()
		return len(values) == 1 && !others && !s.Pod.On(key).AllowsAbsent()
	})
	return pinned && s.Namespace != "" && slices.ContainsFunc(a.GatewaysIn(a.Namespace(s.Namespace)), func(g int) bool { return a.Matches(s.Pod, g) })
}

// podCallers are the pods, nodes and addresses of the engine's own answer.
func (a *Atlas) podCallers(class int, in []reach.Box) []Caller {
	gateways := a.gatewayIDs
	var out []Caller
	for _, b := range in {
		pods := b.Region.IDs.Intersect(a.pods)
		if !a.shared(class) && !a.many(class) {
			pods = pods.Minus(a.IDs(class)) // a pod's own traffic to itself is no caller
		}
		base := Caller{Conns: b.Conns, Verdict: b.Verdict, When: b.When(), Rules: b.Rules(), scope: scopeOf(b)}
		for who, ids := range map[Who]netset.IDs{GatewayPods: pods.Intersect(gateways), Pods: pods.Minus(gateways)} {
			if c := base; !ids.IsEmpty() {
				c.Who, c.Names = who, a.podNames(ids)
				out = append(out, c)
			}
		}
		if c := base; b.Region.IDs.Overlaps(a.nodeIDs()) {
			c.Who = NodeCallers
			out = append(out, c)
		}
		if c := base; b.Ingress != nil && b.Region.Addrs.Overlaps(outside) {
			c.Who, c.Addrs = External, b.Region.Addrs
			c.Names = []string{reach.PrefixText(netset.CIDRs(b.Region.Addrs), 4)}
			out = append(out, c)
		}
	}
	return out
}

// many reports whether more than one pod of class may run.
func (a *Atlas) many(class int) bool {
	members := a.Class(class).Members
	return len(members) > 1 || a.Snapshot.Workloads[members[0].Workload].Many
}

// through are the clients outside the cluster that come by one way in. An ingress controller that the input does not show may be one of
// the strangers.
func (a *Atlas) through(w wayIn, class int, in []reach.Box, strangers []Caller) []Caller {
	var out []Caller
	add := func(from Caller, why string) {
		conns := from.Conns.Intersect(w.conns)
		c := Caller{Who: External, Names: []string{w.name}, Conns: conns, Verdict: from.Verdict, When: from.When, Rules: from.Rules, scope: from.scope}
		if why != "" {
			c.Verdict, c.base = weakest(c.Verdict), weakest(c.base)
			c.When, c.within = on(a.Program, c.worlds, why), why
		}
		if !conns.IsEmpty() && !slices.ContainsFunc(out, func(o Caller) bool {
			return o.Conns.Equal(conns) && o.worlds.Covers(c.worlds) && (o.within == c.within || o.within == "")
		}) {
			out = append(out, c)
		}
	}
	if w.routed {
		a.routed(class, in, strangers, add)
		return out
	}
	for _, b := range in {
		switch {
		case b.Region.Addrs.Overlaps(outside):
			add(callerOf(b), "")
		case !w.keepsAddress && b.Region.IDs.Overlaps(a.nodeIDs()):
			node := "a node"
			if slices.Contains(b.Cond.All, reach.SameNode) {
				node = "the pod's own node"
			}
			add(callerOf(b), "the connection enters at "+node+", which then counts as its source")
		}
	}
	if escape, perhaps := a.Answering(cni.NodePortsEscape); w.onNodes && !w.keepsAddress && escape|perhaps != 0 {
		out = append(out, a.escaping(w, escape, reach.Allowed, "")...)
		out = append(out, a.escaping(w, perhaps, reach.Depends, "the plugin does not judge what enters through node ports")...)
	}
	return out
}

// escaping are the clients that come through node ports which a plugin does not judge.
func (a *Atlas) escaping(w wayIn, worlds reach.Worlds, v reach.Verdict, why string) []Caller {
	if worlds == 0 {
		return nil
	}
	c := Caller{Who: External, Names: []string{w.name}, Conns: w.conns, Verdict: v, When: on(a.Program, worlds, why), scope: scope{worlds, v, why}}
	if c.When != "" {
		c.Verdict = weakest(v)
	}
	return []Caller{c}
}

func callerOf(b reach.Box) Caller {
	return Caller{Conns: b.Conns, Verdict: b.Verdict, When: b.When(), Rules: b.Rules(), scope: scopeOf(b)}
}

// on joins a condition with the profiles under which it is one.
func on(p *reach.Program, w reach.Worlds, why string) string {
	c := reach.Cond{On: p.On(w)}
	if why != "" {
		c.All = []string{why}
	}
	return c.String()
}

// outside is the addresses that clients outside the cluster may have.
var outside = special.Internet.Union(special.Private)

// routed adds what an ingress controller, or a load balancer of the cloud that does its work, can connect to. What the input does not
// show is taken to be whatever the policies let in.
func (a *Atlas) routed(class int, in []reach.Box, strangers []Caller, add func(from Caller, why string)) {
	const (
		letIn   = "the ingress controller, which the input does not show, is let in"
		onNode  = "the ingress controller, which the input does not show, runs on the network of the pod's own node"
		atBlock = "a load balancer or ingress controller that the input does not show is at an address that is let in"
	)
	known := len(a.ingress) > 0
	controllers := a.IDs(a.ingress...)
	others := a.pods.Minus(a.gatewayIDs).Minus(a.IDs(class))
	for _, b := range in {
		switch from := callerOf(b); {
		case known && b.Region.IDs.Overlaps(controllers):
			add(from, "")
		case b.Ingress == nil && b.Base == reach.Allowed:
			from.Rules = nil
			if known {
				add(from, atBlock)
			} else {
				add(from, "")
			}
		case b.Region.Addrs.Overlaps(outside):
			add(from, atBlock)
		case !known && b.Region.IDs.Overlaps(others):
			add(from, letIn)
		}
	}
	if known {
		return
	}
	for _, c := range strangers {
		add(c, letIn)
	}
	for _, b := range in {
		if b.Region.IDs.Overlaps(a.nodeIDs()) {
			add(callerOf(b), onNode)
		}
	}
}

// nodeIDs is the nodes that were read, or the one that stands for all of them.
func (a *Atlas) nodeIDs() netset.IDs { return a.fixed[Nodes][0].region.IDs }

// weakest turns certainty into "depends".
func weakest(v reach.Verdict) reach.Verdict {
	if v == reach.Allowed {
		return reach.Depends
	}
	return v
}
