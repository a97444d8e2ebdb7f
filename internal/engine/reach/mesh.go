package reach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Inside some meshes a connection to any TCP port of a pod arrives on one port of the mesh's, and
// that is what the policies of both ends see.

// mesh is one that carries connections so.
type mesh uint8

const (
	noMesh  mesh = iota
	ambient      // Istio's ztunnel (istio.io, ambient/usage/networkpolicy)
	linkerd      // its proxy's inbound port (linkerd.io, tasks/restricting-access and cli/install)
	meshes
)

var meshPorts = [...]netset.Port{ambient: 15008, linkerd: 4143}

func (m mesh) String() string {
	return [...]string{noMesh: "", ambient: "Istio ambient", linkerd: "Linkerd"}[m]
}

// ambientMode is the label with which namespaces and pods join Istio's ambient mesh, or leave it.
const ambientMode = "istio.io/dataplane-mode"

// newIn is the pods that do not exist and may be in each mesh.
var newIn = [...][]Cube{
	ambient: {
		{NS: label.Selector{}.Require(ambientMode, label.In("ambient")), Pod: label.Selector{}.Require(ambientMode, label.NotIn("none"))},
		{NS: label.Selector{}.Require(ambientMode, label.NotIn("ambient")), Pod: label.Selector{}.Require(ambientMode, label.In("ambient"))},
	},
	linkerd: everyPod, // an annotation says so
}

// meshOf returns the mesh that a pod is in, as far as labels, annotations and containers say.
func meshOf(ns *model.Namespace, w *model.Workload, p *model.Pod) mesh {
	own, set := p.Labels.Value(ambientMode)
	all, _ := ns.Labels.Value(ambientMode)
	switch {
	case p.HostNetwork:
		return noMesh
	case own == "ambient", !set && all == "ambient":
		return ambient
	case model.InLinkerd(w.Annotations), ns.Linkerd && w.Annotations[model.LinkerdInject] == "",
		slices.ContainsFunc(w.Containers, func(c model.Container) bool {
			return c.Name == "linkerd-proxy" || strings.Contains(c.Image, "linkerd/proxy")
		}):
		return linkerd
	}
	return noMesh
}

// indexMeshes notes which classes are in which mesh.
func (g *Ground) indexMeshes() {
	var in [meshes][]int
	for n := range g.classes {
		m := g.holders[n].mesh
		in[m] = append(in[m], n)
	}
	for m := ambient; m < meshes; m++ {
		g.meshes[m] = g.IDs(in[m]...)
	}
}

// carried judges what a mesh carries between a group's pods and others of it, over TCP, as policies
// do its port: that they let that port through is enough, and needed. Pods that do not exist may be
// in any mesh or in none, whichever gets further.
func (p *Program) carried(g *group, segs []segment) []segment {
	for m := ambient; m < meshes; m++ {
		if p.meshes[m].IsEmpty() || g.like != nil && g.like.mesh != m {
			continue
		}
		carries := p.asks.carries(m)
		for _, t := range p.ruled(g, Region{IDs: p.meshes[m], Cubes: newIn[m]}, meshConns(m)) {
			through, strange := t.pass.And(carries), t.ends
			if g.like != nil {
				segs = alter(segs, Region{IDs: t.ends.IDs}, tcp, func(s *segment) when.When { return s.pass.Minus(carries).Or(through) })
				strange.IDs = netset.IDs{}
			}
			segs = exemptOn(segs, strange, tcp, through)
		}
	}
	return segs
}

var tcp = netset.ConnsOf(netset.TCP, netset.AllPorts)

func meshConns(m mesh) netset.Conns {
	return netset.ConnsOf(netset.TCP, netset.PortRange(meshPorts[m], meshPorts[m]))
}

// carries is the condition that a mesh carries a connection to its own port.
func (q *questions) carries(m mesh) when.When {
	return q.ask(fmt.Sprintf("carried by %s to port %d", m, meshPorts[m]), when.Destination, 0,
		fmt.Sprintf("%s carries the connection to port %d of {dst}, and its own policy allows it", m, meshPorts[m]),
		fmt.Sprintf("%s does not carry the connection to port %d of {dst}", m, meshPorts[m]))
}

// MeshOf returns the mesh that the pods of a class are in, the port to which it carries connections
// between its pods, and the condition that it does; ok is false for pods in none.
func (p *Program) MeshOf(class int) (name string, port netset.Port, carries when.When, ok bool) {
	m := p.holders[class].mesh
	if m == noMesh {
		return "", 0, when.Never, false
	}
	return m.String(), meshPorts[m], p.asks.carries(m), true
}
