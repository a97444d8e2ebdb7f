package blast

import (
	"cmp"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
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

// Noun is what conditions call one of the kind.
func (w Who) Noun() string {
	switch w {
	case External:
		return "the client"
	case NodeCallers:
		return "the node"
	case GatewayPods:
		return "the gateway"
	}
	return "the pod"
}

// Caller is who can connect to a server.
type Caller struct {
	Who     Who
	Names   []string  // workloads, ways in or address ranges
	Labels  label.Set // what a pod that does not exist would carry, as an example
	Text    string    // in words, of pods that do not exist
	Conns   netset.Conns
	When    when.When
	Verdict reach.Verdict // of When
	By      []reach.By    // the rules that let it through
	Addrs   netset.Addrs  // of External: the addresses that may connect to the pods themselves
}

// Rules returns the rules that let c through.
func (c Caller) Rules() []*policy.Rule { return reach.RulesOf(c.By) }

// callers lists who can connect to a server's pods, the least wanted first.
func (a *Atlas) callers(r Radius) []Caller {
	var out []Caller
	for i, class := range r.Class {
		in := a.Settle(r.Boxes[i][policy.Ingress])
		hypotheticals := a.hypotheticalCallers(class)
		out = slices.Concat(out, hypotheticals, a.podCallers(class, in))
		for _, w := range a.Ways(class) {
			if w.Kind != reach.ByService {
				out = append(out, a.through(w, class, in, hypotheticals)...)
			}
		}
	}
	for i := range out {
		out[i].Verdict = a.Verdict(out[i].When)
	}
	slices.SortStableFunc(out, func(c, d Caller) int {
		return cmp.Or(cmp.Compare(c.Who, d.Who), reach.CompareVerdicts(d.Verdict, c.Verdict), slices.Compare(c.Names, d.Names), cmp.Compare(c.Text, d.Text))
	})
	return slices.CompactFunc(out, func(c, d Caller) bool {
		return c.Who == d.Who && slices.Equal(c.Names, d.Names) && c.Text == d.Text && c.Conns.Equal(d.Conns) && c.When.Equal(d.When)
	})
}

// hypotheticalCallers are the pods that do not exist.
func (a *Atlas) hypotheticalCallers(class int) []Caller {
	home := a.NamespaceOf(class)
	var out []Caller
	for _, s := range reach.SettleHypothetical(a.Hypothetical(class, policy.Ingress)) {
		c := Caller{Who: Hypothetical, Text: HypotheticalText(s), Conns: s.Conns, When: s.When, By: LetThrough(slices.Concat(s.Egress, s.Ingress)...)}
		c.Labels, _ = s.Pod.Example()
		// Rules split the pods that do not exist into several sets. The one with the pod that
		// carries nothing is whom everybody can be.
		switch {
		case s.Namespace == "" && asksNothing(s.Pod) && asksNothing(newNamespace(s.NS)):
			c.Who, c.Text = AnyPod, podText("any pod", s)
		case s.Namespace == home && asksNothing(s.Pod):
			c.Who, c.Text = NamespacePod, podText("any pod", s)
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

// isGateway reports whether a gateway that exists is what s describes: a label with one value,
// which the gateway has, says who is meant.
func (a *Atlas) isGateway(s reach.Hypothetical) bool {
	pinned := slices.ContainsFunc(s.Pod.Keys(), func(key string) bool {
		values, others := s.Pod.On(key).Listed()
		return len(values) == 1 && !others && !s.Pod.On(key).AllowsAbsent()
	})
	return pinned && s.Namespace != "" && slices.ContainsFunc(a.GatewaysIn(a.Namespace(s.Namespace)), func(g int) bool { return a.Matches(s.Pod, g) })
}

func callerOf(b reach.Box) Caller { return Caller{Conns: b.Conns, When: b.When, By: through(b)} }

// let splits the condition of a box by profiles: those where rules let it through, and those where
// nothing isolates the server.
func (a *Atlas) let(b reach.Box) (byRules, free when.When) {
	var ruled reach.Worlds
	for _, by := range LetThrough(b.Ingress...) {
		ruled |= a.WorldsOf(by.When)
	}
	return b.When.And(a.On(ruled)), b.When.And(a.On(a.Worlds() &^ ruled))
}

// podCallers are the pods, nodes and addresses of the engine's own answer.
func (a *Atlas) podCallers(class int, in []reach.Box) []Caller {
	var out []Caller
	for _, b := range in {
		pods := b.Region.IDs.Intersect(a.pods)
		if !a.shared(class) && !a.many(class) {
			pods = pods.Minus(a.IDs(class)) // a pod's own traffic to itself is no caller
		}
		for who, ids := range map[Who]netset.IDs{GatewayPods: pods.Intersect(a.gatewayIDs), Pods: pods.Minus(a.gatewayIDs)} {
			if c := callerOf(b); !ids.IsEmpty() {
				c.Who, c.Names = who, a.podNames(ids)
				out = append(out, c)
			}
		}
		if c := callerOf(b); b.Region.IDs.Overlaps(a.nodeIDs()) {
			c.Who = NodeCallers
			out = append(out, c)
		}
		if byRules, _ := a.let(b); b.Region.Addrs.Overlaps(reach.OutsideAddrs) && !byRules.IsNever() {
			c := callerOf(b)
			c.Who, c.When, c.Addrs = External, byRules, b.Region.Addrs
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

// Certain is where w holds whatever the answers to questions about the ends, which differ from one
// end to the next.
func Certain(w when.When) when.When {
	return w.Every(func(q *when.Question) bool { return q.End != when.Cluster || q.Kind == when.Unjudged })
}

// through are the clients outside the cluster that come by one way in. An ingress controller that
// the input does not show may be one of the hypotheticals.
func (a *Atlas) through(w reach.Way, class int, in []reach.Box, hypotheticals []Caller) []Caller {
	var out []Caller
	arriving := a.Arriving(w)
	// add notes who comes as from does, if enters. Whoever does so wherever it could adds nothing.
	add := func(from Caller, enters when.When) {
		for _, at := range arriving {
			c := Caller{Who: External, Names: []string{w.Name}, Conns: from.Conns.Intersect(at.Conns), When: from.When.And(enters).And(at.When), By: from.By}
			if !c.Conns.IsEmpty() && !c.When.IsNever() && !slices.ContainsFunc(out, func(o Caller) bool {
				return o.Conns.Equal(c.Conns) && (c.When.Equal(o.When) || c.When.Implies(Certain(o.When)))
			}) {
				out = append(out, c)
			}
		}
	}
	if w.Kind == reach.ByRoute {
		a.routed(w, class, in, hypotheticals, add)
		return out
	}
	for _, b := range in {
		from := callerOf(b)
		switch {
		case b.Region.Addrs.Overlaps(reach.OutsideAddrs):
			add(from, when.Always)
		case w.Local || !b.Region.IDs.Overlaps(a.nodeIDs()):
		case reach.OnOwnNode(b.When):
			from.When = reach.SameNode(b.When)
			add(from, a.Enters(w.Name, reach.AtOwnNode))
		default:
			add(from, a.Enters(w.Name, reach.AtNode))
		}
	}
	if w.Kind == reach.ByNodes && !w.Local { // what enters through node ports is perhaps not judged
		add(Caller{Conns: netset.AllConns, When: a.Where(cni.NodePortsEscape)}, when.Always)
	}
	return out
}

// routed adds what an ingress controller, or a load balancer of the cloud that does its work, can
// connect to. What the input does not show is taken to be whatever the policies let in.
func (a *Atlas) routed(w reach.Way, class int, in []reach.Box, hypotheticals []Caller, add func(from Caller, enters when.When)) {
	serving := a.controllers(w.Route)
	known := len(serving) > 0
	controllers := a.IDs(serving...)
	others := a.pods.Minus(a.gatewayIDs).Minus(a.IDs(class))
	for _, b := range in {
		from := callerOf(b)
		if known && b.Region.IDs.Overlaps(controllers) {
			add(from, when.Always)
			continue
		}
		atAddress := a.Enters(w.Name, reach.ByAddress)
		if _, free := a.let(b); !Certain(free).IsNever() { // nothing isolates the server, so it is open to whoever does this
			open := Caller{Conns: b.Conns, When: Certain(free)}
			from.When = from.When.Minus(open.When)
			if known {
				add(open, atAddress)
			} else {
				add(open, when.Always)
			}
		}
		switch {
		case b.Region.Addrs.Overlaps(reach.OutsideAddrs):
			add(from, atAddress)
		case !known && b.Region.IDs.Overlaps(others):
			add(from, a.Enters(w.Name, reach.ByController))
		}
	}
	if known {
		return
	}
	for _, c := range hypotheticals {
		add(c, a.Enters(w.Name, reach.ByController))
	}
	for _, b := range in {
		if from := callerOf(b); b.Region.IDs.Overlaps(a.nodeIDs()) {
			from.When = reach.SameNode(b.When)
			add(from, a.Enters(w.Name, reach.ByHostController))
		}
	}
}

// nodeIDs is the nodes that were read, or the one that stands for all of them.
func (a *Atlas) nodeIDs() netset.IDs { return a.fixed[Nodes][0].region.IDs }
