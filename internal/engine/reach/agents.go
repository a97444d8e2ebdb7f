package reach

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// A node that the DaemonSet of a CNI's agent leaves out enforces nothing: by its nodeSelector, its
// required affinity, or a taint that it does not tolerate.

// agent is one of [cni.Agents] with the DaemonSets of the input that run it.
type agent struct {
	cni.Agent
	trait     trait
	templates []*model.Placement // of these
	on        map[string]bool    // the nodes on which a pod of it is shown
}

// agentsOf finds the agents in s. Those of which only pods are shown are left out: they may run on
// further nodes.
func agentsOf(s *model.Snapshot) []agent {
	var out []agent
	for i := range cni.Agents {
		a := agent{Agent: cni.Agents[i], trait: leftOut(i), on: map[string]bool{}}
		for j := range s.Workloads {
			w := &s.Workloads[j]
			if w.Kind != "DaemonSet" || !a.Is(w.Name) && !slices.ContainsFunc(w.Containers, func(c model.Container) bool { return !c.Init && a.Is(c.Name) }) {
				continue
			}
			for k := range w.Pods {
				switch p := &w.Pods[k]; {
				case p.Name == "":
					a.templates = append(a.templates, &p.Placement)
				case p.Node != "":
					a.on[p.Node] = true
				}
			}
		}
		if a.templates != nil {
			out = append(out, a)
		}
	}
	return out
}

// leaves notes whether a leaves a node out, certainly or perhaps.
func (a *agent) leaves(n *model.Node, kind *nodeKinds) {
	if a.on[n.Name] {
		return
	}
	own := false
	if a.Beside != nil {
		value, ok := n.Labels.Value(a.Beside[0])
		own = ok && value == a.Beside[1]
	}
	runs, may := false, false
	for _, place := range a.templates {
		fits, perhaps := fits(place, n)
		runs, may = runs || fits, may || perhaps
	}
	if !runs {
		kind.may |= a.trait.bit()
		if !may && !own {
			kind.must |= a.trait.bit()
		}
	}
}

// leaveOut adds to out the agents that are not there on the nodes on which a pod may run.
func (g *Ground) leaveOut(p *model.Pod, out *nodeKinds) {
	for i := range g.agents {
		a := &g.agents[i]
		if g.apart(&p.Placement, a) {
			out.must |= a.trait.bit()
		} else if p.Node == "" && g.anyNode&a.trait.bit() != 0 && g.fitting(&p.Placement, func(n int) bool { return g.nodeKinds[n].may&a.trait.bit() != 0 }) {
			out.may |= a.trait.bit()
		}
	}
	out.may |= out.must
}

// fitting reports whether pods placed so may run on one of some nodes of the input.
func (g *Ground) fitting(place *model.Placement, some func(node int) bool) bool {
	for i := range g.Snapshot.Nodes {
		if some(i) {
			if _, may := fits(place, &g.Snapshot.Nodes[i]); may {
				return true
			}
		}
	}
	return false
}

// apart reports whether pods placed so run on no node that an agent runs on: nothing is both what
// they and what its DaemonSets ask of a node, or they name nodes that it leaves out.
func (g *Ground) apart(place *model.Placement, a *agent) bool {
	if place.Nodes == nil {
		return false
	}
	for _, sel := range place.Nodes {
		names, more := sel.On(model.NodeName).Listed()
		if !more && !slices.ContainsFunc(names, func(name string) bool { kind, _ := g.nodeKind(name); return kind.must&a.trait.bit() == 0 }) {
			continue
		}
		for _, other := range a.templates {
			if other.Nodes == nil || slices.ContainsFunc(other.Nodes, sel.Overlaps) {
				return false
			}
		}
	}
	return !g.fitting(place, func(n int) bool { return a.on[g.Snapshot.Nodes[n].Name] })
}

// fits reports whether pods placed so may run on a node, and whether nothing that could not be read
// keeps them off.
func fits(place *model.Placement, n *model.Node) (must, may bool) {
	if slices.ContainsFunc(n.Taints, func(t model.Taint) bool { return keepsOff(t) && !place.Tolerates(t) }) {
		return false, false
	}
	if place.Nodes == nil {
		return !place.AsksMore, true
	}
	labels := n.Labels.With(model.NodeName, n.Name)
	for _, sel := range place.Nodes {
		for _, key := range sel.Keys() {
			if _, shown := n.Labels.Value(key); !shown && slices.Contains(everyNode, key) {
				sel = sel.Without(key, func(label.Values) bool { return true })
			}
		}
		fits, perhaps := sel.Match(labels)
		must, may = must || fits, may || perhaps
	}
	return must && !place.AsksMore, may
}

// everyNode is the labels that every node has, also where the input does not show them (kubernetes
// pkg/kubelet/kubelet_node_status.go).
var everyNode = []string{"kubernetes.io/os", "beta.kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/arch", "kubernetes.io/hostname"}

// keepsOff reports whether a taint keeps pods off for as long as the node is there. Others come and
// go, and DaemonSets tolerate them or are there already (kubernetes
// pkg/controller/daemon/util/daemonset_util.go; autoscalers, cloud providers and CNIs of nodes that
// start or end).
func keepsOff(t model.Taint) bool {
	return (t.Effect == "NoSchedule" || t.Effect == "NoExecute") &&
		!slices.ContainsFunc(passing, func(prefix string) bool { return strings.HasPrefix(t.Key, prefix) })
}

// passing are how the keys of such taints begin.
var passing = []string{"node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "karpenter.sh/", "ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler",
	"node.cilium.io/", "cluster.x-k8s.io/"}
