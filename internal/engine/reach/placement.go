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
	byLabel         // after them one for each of [cni.Agents], whose DaemonSet leaves nodes out
)

// traits is how many there are.
var traits = byLabel + trait(len(cni.Agents))

// traitSet is a set of traits, a bit each.
type traitSet uint16

func (t trait) bit() traitSet { return 1 << t }

// leftOut is the trait of nodes that an agent's DaemonSet leaves out.
func leftOut(agent int) trait { return byLabel + trait(agent) }

// noLinuxAgent is the traits of nodes on which no DaemonSet for Linux counts.
var noLinuxAgent = windows.bit() | agentless.bit()

// nodeTraits says of each kind of node which CNIs it matters to, and by which labels of a node, and
// names of one, it is known.
var nodeTraits = [byLabel]struct {
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

// nodeKinds is the traits that a node has, or the nodes that a pod runs on.
type nodeKinds struct{ must, may traitSet }

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
		kind, shown := g.nodeKind(p.Node)
		if out.must |= kind.must; shown {
			out.may = out.must | kind.may
			return out
		}
	}
	for t := range byLabel {
		switch all, some := asked(place.Nodes, nodeTraits[t].labels); {
		case all:
			out.must |= t.bit()
		case some:
			out.may |= t.bit()
		}
	}
	for _, o := range place.Tolerations {
		if t, ok := reaching[o.Key]; ok {
			out.may |= t.bit()
		}
	}
	out.may |= out.must | g.reachable(place)
	if out.must&noLinuxAgent == 0 {
		g.leaveOut(p, &out)
	}
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
	agents := agentsOf(g.Snapshot)
	g.agents = agents
	for i := range g.Snapshot.Nodes {
		n := &g.Snapshot.Nodes[i]
		kind := nodeKinds{}
		for t := range byLabel {
			if t == windows && n.OS == "windows" || slices.ContainsFunc(nodeTraits[t].labels, func(l [2]string) bool {
				value, ok := n.Labels.Value(l[0])
				return ok && value == l[1]
			}) {
				kind.must |= t.bit()
			}
		}
		kind.must |= told(n.Name)
		if kind.may = kind.must; kind.must&noLinuxAgent == 0 {
			for i := range agents {
				agents[i].leaves(n, &kind)
			}
		}
		g.nodeAt[n.Name], g.nodeKinds = i, append(g.nodeKinds, kind)
		g.anyNode |= kind.may
	}
}

// nodeKind is the traits of a node of the input, or of one that only a name is known of.
func (g *Ground) nodeKind(name string) (kind nodeKinds, shown bool) {
	i, shown := g.nodeAt[name]
	if shown {
		return g.nodeKinds[i], true
	}
	return nodeKinds{must: told(name)}, false
}

// told is the traits that a node's name tells.
func told(node string) (out traitSet) {
	for t := range byLabel {
		if slices.ContainsFunc(nodeTraits[t].prefixes, func(p string) bool { return strings.HasPrefix(node, p) }) {
			out |= t.bit()
		}
	}
	return out
}

// reachable is the traits of the nodes of the input that a pod may be placed on. Windows nodes and
// those without DaemonSets count only if no other fits: an image is of one operating system, and
// who does not tolerate the taints of the others does not run there.
func (g *Ground) reachable(place *model.Placement) traitSet {
	if place.Nodes == nil {
		return g.anyNode & hybrid.bit()
	}
	out, everywhere := traitSet(0), ^traitSet(0)
	for i := range g.Snapshot.Nodes {
		n := &g.Snapshot.Nodes[i]
		if slices.ContainsFunc(place.Nodes, func(sel label.Selector) bool { _, may := sel.Match(n.Labels.With(model.NodeName, n.Name)); return may }) {
			everywhere &= g.nodeKinds[i].must
			out |= g.nodeKinds[i].must & hybrid.bit()
		}
	}
	if everywhere != ^traitSet(0) {
		out |= everywhere & (1<<byLabel - 1)
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
		is := when.Always
		switch {
		case g.like.nodes.may&t.bit() == 0:
			continue
		case g.like.nodes.must&t.bit() == 0:
			name, yes, no := t.words()
			is = p.asks.ask("kind of node of "+endName(end)+": "+name, end, 0, word(end)+yes, word(end)+no)
		}
		out = out.Or(is.Minus(p.enforcesOn(t)))
	}
	out = out.Minus(p.asks.held(end))
	if name := g.like.network; name != "" {
		out = out.Or(p.asks.ask("own network of "+endName(end)+": "+name, end, 0, "policies are enforced on the network "+name+", which "+word(end)+" has instead of the cluster's",
			"policies are not enforced on the network "+name+", which "+word(end)+" has instead of the cluster's").Not())
	}
	return out
}

// enforcing returns the profiles that enforce policies on nodes of a trait, and those that perhaps do.
func (c *compiled) enforcing(t trait) (yes, maybe Worlds) {
	if t < byLabel {
		q := nodeTraits[t].enforces
		return c.says.yes[q], c.says.maybe[q]
	}
	yes = c.all
	for i, profile := range c.profiles {
		if profile.Agent.Name == cni.Agents[t-byLabel].Name {
			yes &^= 1 << i
		}
	}
	return yes, 0
}

// enforcesOn is the condition under which policies are enforced on nodes of a trait.
func (c *compiled) enforcesOn(t trait) when.When {
	if t < byLabel {
		return c.says.where[nodeTraits[t].enforces]
	}
	yes, _ := c.enforcing(t)
	return c.asks.on(yes)
}

// words names a trait, and says that an end has it or not.
func (t trait) words() (name, yes, no string) {
	if t < byLabel {
		return nodeTraits[t].name, nodeTraits[t].yes, nodeTraits[t].no
	}
	agent := cni.Agents[t-byLabel].Name
	return "a node without " + agent, " runs on a node that DaemonSet " + agent + " leaves out", " runs on a node on which DaemonSet " + agent + " runs"
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
		yes, maybe := p.enforcing(t)
		not, perhaps := p.in&^(yes|maybe), p.in&^yes
		if not|perhaps == 0 {
			continue
		}
		name, _, _ := t.words()
		names = append(names, name)
		may |= perhaps
		if kinds.must&t.bit() != 0 {
			must |= not
		}
	}
	return must, may, strings.Join(names, " and ")
}
