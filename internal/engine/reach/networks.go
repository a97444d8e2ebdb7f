package reach

import (
	"maps"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// A NetworkPolicy is enforced on a pod's interface to the cluster's own network. What a pod sends
// and hears over another one, no policy judges (k8s.v1.cni.cncf.io, multi-net-spec; Google Cloud
// documentation, setup-multinetwork-support-for-pods).

// network is one that some pods have beside the cluster's own.
type network struct {
	classes netset.IDs   // whose pods have it
	addrs   netset.Addrs // what it leads to
	bounded bool         // and nothing else
}

// indexNetworks finds the networks that pods have. A definition that is not there, or is there
// twice, bounds nothing.
func (g *Ground) indexNetworks() {
	g.networks = map[string]*network{}
	of := map[string][]int{}
	for n := range g.classes {
		for _, name := range g.holders[n].networks {
			of[name] = append(of[name], n)
		}
	}
	for name, classes := range of {
		g.networks[name] = &network{classes: g.IDs(classes...), addrs: netset.Universe}
	}
	seen := map[string]bool{}
	for i := range g.Snapshot.Networks {
		def := &g.Snapshot.Networks[i]
		n := g.networks[def.Name]
		if n == nil {
			continue
		}
		if n.bounded = def.Bounded && !seen[def.Name]; n.bounded {
			n.addrs = netset.Prefixes(def.Ranges...)
		} else {
			n.addrs = netset.Universe
		}
		seen[def.Name] = true
	}
}

// overTo is whom a network leads to from an end: other pods that have it, also such as do not exist
// yet, and the addresses beyond it.
func (p *Program) overTo(n *network, end when.End) []match {
	out := always(Region{Addrs: n.addrs, IDs: n.classes})
	others := n.classes.Union(p.Pods()).Union(p.frontendIDs)
	if !n.bounded {
		return append(out, match{ends: Region{IDs: p.Everything().IDs.Minus(others), Cubes: everyPod}})
	}
	for _, m := range p.holdersIn(n.addrs, end) {
		m.ends.IDs = m.ends.IDs.Minus(others)
		out = append(out, m)
	}
	return out
}

// overNetworks lets through what passes over the networks that the pods of a group have beside the
// cluster's own.
func (p *Program) overNetworks(g *group, segs []segment) []segment {
	switch {
	case len(p.networks) == 0:
	case g.like == nil: // pods that do not exist may have any of them
		for _, name := range slices.Sorted(maps.Keys(p.networks)) {
			segs = exempt(segs, Region{IDs: p.networks[name].classes}, p.asks.overNetwork(name))
		}
	default:
		for _, name := range g.like.networks {
			for _, m := range p.overTo(p.networks[name], peerEnd(g.dir)) {
				segs = exempt(segs, m.ends, p.asks.overNetwork(name).And(m.when))
			}
		}
	}
	return segs
}

// overNetwork is the condition that a connection goes over a network of both ends.
func (q *questions) overNetwork(name string) when.When {
	return q.ask("over network "+name, when.Destination, 0, "the connection goes over the network "+name, "the connection does not go over the network "+name)
}

// Networks returns the networks that the pods of a class have beside the cluster's own, and the one
// that they have instead of it; "" for none.
func (g *Ground) Networks(class int) (more []string, instead string) {
	return g.holders[class].networks, g.holders[class].network
}
