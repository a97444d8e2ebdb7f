package reach

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// A CNI enforces policies on the node that a pod runs on, and not on every kind of node.

// trait is a kind of node on which not every CNI enforces policies.
type trait uint8

const (
	windows   trait = iota
	hybrid          // of EKS, outside of AWS
	agentless       // runs no DaemonSets: Fargate, virtual kubelet
	traits
)

// nodeTraits says of each trait which CNIs it matters to, and by which labels of a node, and names
// of one, it is known.
var nodeTraits = [traits]struct {
	enforces cni.Question
	name     string
	labels   [][2]string
	prefixes []string // of the node's name
	yes, no  string
}{
	windows: {cni.EnforcesOnWindows, "a Windows node", [][2]string{{"kubernetes.io/os", "windows"}, {"beta.kubernetes.io/os", "windows"}}, nil,
		" runs on a Windows node", " does not run on a Windows node"},
	hybrid: {cni.EnforcesOnHybrid, "an EKS hybrid node", [][2]string{{computeType, "hybrid"}}, nil,
		" runs on an EKS hybrid node", " does not run on an EKS hybrid node"},
	agentless: {cni.EnforcesWithoutAgent, "Fargate or a virtual node", [][2]string{{computeType, "fargate"}, {"type", "virtual-kubelet"}}, []string{"fargate-ip-", "virtual-node-aci"},
		" runs on Fargate or a virtual node", " runs neither on Fargate nor on a virtual node"},
}

// computeType is the label that EKS gives to nodes that are no instances of Amazon EC2 (EKS
// documentation, fargate and hybrid-nodes).
const computeType = "eks.amazonaws.com/compute-type"

// reaching are keys of tolerations without which nothing runs on nodes of a kind (EKS
// documentation, fargate; virtual-kubelet and AKS documentation, virtual-nodes).
var reaching = map[string]trait{computeType: agentless, "virtual-kubelet.io/provider": agentless, "azure.com/aci": agentless}

// nodeKinds is on nodes of which traits a pod runs, a bit each.
type nodeKinds struct{ must, may uint8 }

func (t trait) bit() uint8 { return 1 << t }

// kindsOf says on which kinds of nodes a pod runs, as far as the input shows.
func (g *Ground) kindsOf(p *model.Pod) nodeKinds {
	var out nodeKinds
	place := &p.Placement
	if place.OS == "windows" {
		out.must |= windows.bit()
	}
	if _, profile := p.Labels.Value(model.FargateProfile); profile || place.Scheduler == "fargate-scheduler" {
		out.must |= agentless.bit()
	}
	if p.Node != "" {
		out.must |= g.nodeKind(p.Node)
		if _, shown := g.nodeAt[p.Node]; shown {
			out.may = out.must
			return out
		}
	}
	for t := range traits {
		switch all, some := asked(place.Nodes, nodeTraits[t].labels); {
		case all:
			out.must |= t.bit()
		case some:
			out.may |= t.bit()
		}
	}
	for _, key := range place.Tolerates {
		if t, ok := reaching[key]; ok {
			out.may |= t.bit()
		}
	}
	out.may |= out.must | g.reachable(place)
	return out
}

// asked reports whether all, or some, of the terms of a node selector ask for one of some labels.
func asked(terms []label.Selector, labels [][2]string) (all, some bool) {
	all = len(terms) > 0
	for _, sel := range terms {
		requires, names := false, false
		for _, l := range labels {
			on := sel.On(l[0])
			values, others := on.Listed()
			if !others && slices.Contains(values, l[1]) {
				names = true
				requires = requires || len(values) == 1 && !on.AllowsAbsent()
			}
		}
		all, some = all && requires, some || names
	}
	return all, some
}

// indexNodes notes the traits of the nodes of the input.
func (g *Ground) indexNodes() {
	g.nodeAt = map[string]int{}
	for i := range g.Snapshot.Nodes {
		n := &g.Snapshot.Nodes[i]
		kind := uint8(0)
		for t := range traits {
			if t == windows && n.OS == "windows" || slices.ContainsFunc(nodeTraits[t].labels, func(l [2]string) bool {
				value, ok := n.Labels.Value(l[0])
				return ok && value == l[1]
			}) {
				kind |= t.bit()
			}
		}
		g.nodeAt[n.Name], g.nodeKinds = i, append(g.nodeKinds, kind)
		g.anyNode |= kind
	}
}

// nodeKind is the traits of a node of the input, or of one that only a name is known of.
func (g *Ground) nodeKind(name string) uint8 {
	var out uint8
	if i, ok := g.nodeAt[name]; ok {
		out = g.nodeKinds[i]
	}
	for t := range traits {
		if slices.ContainsFunc(nodeTraits[t].prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			out |= t.bit()
		}
	}
	return out
}

// reachable is the traits of the nodes of the input that a pod may be placed on. Windows nodes and
// those without DaemonSets count only if no other fits: an image is of one operating system, and
// who does not tolerate the taints of the others does not run there.
func (g *Ground) reachable(place *model.Placement) uint8 {
	if place.Nodes == nil {
		return g.anyNode & hybrid.bit()
	}
	out, everywhere := uint8(0), ^uint8(0)
	for i := range g.Snapshot.Nodes {
		n := &g.Snapshot.Nodes[i]
		if slices.ContainsFunc(place.Nodes, func(sel label.Selector) bool { _, may := sel.Match(n.Labels.With(model.NodeName, n.Name)); return may }) {
			everywhere &= g.nodeKinds[i]
			out |= g.nodeKinds[i] & hybrid.bit()
		}
	}
	if everywhere != ^uint8(0) {
		out |= everywhere
	}
	return out
}

// loose is the condition under which policies are not enforced on the nodes of a group's pods.
// Whether they are is kept as a question of its own, so that what they would deny is still said.
func (p *Program) loose(g *group) when.When {
	if g.like == nil || g.like.nodes.may == 0 && g.like.network == "" {
		return when.Never
	}
	end, out := ownEnd(g.dir), when.Never
	for t := range traits {
		of := &nodeTraits[t]
		is := when.Always
		switch {
		case g.like.nodes.may&t.bit() == 0:
			continue
		case g.like.nodes.must&t.bit() == 0:
			is = p.asks.ask("kind of node of "+endName(end)+": "+of.name, end, 0, word(end)+of.yes, word(end)+of.no)
		}
		out = out.Or(is.Minus(p.says.where[of.enforces]))
	}
	out = out.Minus(p.asks.held(end))
	if name := g.like.network; name != "" {
		out = out.Or(p.asks.ask("own network of "+endName(end)+": "+name, end, 0, "policies are enforced on the network "+name+", which "+word(end)+" has instead of the cluster's",
			"policies are not enforced on the network "+name+", which "+word(end)+" has instead of the cluster's").Not())
	}
	return out
}

// held is the condition that policies are enforced where an end runs, though the CNI does not do it
// there. It is never so; see [Program.actual].
func (q *questions) held(end when.End) when.When {
	return q.ask("enforced all the same: "+endName(end), end, 0, "policies are enforced on the node of "+word(end), "policies are not enforced on the node of "+word(end))
}

// actual is w as things are: CNIs that enforce nothing do not, nor do others on nodes that they
// leave out.
func (p *Program) actual(w when.When) when.When {
	return p.unheld(w.Assume(p.asks.on(p.unenforced).Not().Or(p.enforced.Not())))
}

// unheld is w where policies are not enforced on nodes that the CNI leaves out.
func (p *Program) unheld(w when.When) when.When {
	if p.anyLoose {
		for _, end := range []when.End{when.Source, when.Destination} {
			w = w.Assume(p.asks.held(end).Not())
		}
	}
	return w
}

// Unheld returns the CNIs that do not enforce policies on the nodes that a class runs on, certainly
// or perhaps, and what kind of nodes these are.
func (p *Program) Unheld(class int) (must, may Worlds, where string) {
	kinds := p.holders[class].nodes
	var names []string
	for t := range traits {
		if kinds.may&t.bit() == 0 {
			continue
		}
		q := nodeTraits[t].enforces
		not, perhaps := p.in&^p.says.possible(q), p.in&^p.says.yes[q]
		if not|perhaps == 0 {
			continue
		}
		names = append(names, nodeTraits[t].name)
		may |= perhaps
		if kinds.must&t.bit() != 0 {
			must |= not
		}
	}
	return must, may, strings.Join(names, " and ")
}
