package reach

import (
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Entry is how connections from outside the cluster may come to a pod.
type Entry uint8

const (
	AtNode           Entry = iota // at a node, whose address then is their source
	AtOwnNode                     // at the pod's own node
	ByController                  // an ingress controller that the input does not show
	ByHostController              // the same, on the network of the pod's own node
	ByAddress                     // a load balancer or ingress controller at an address
	ByUnsupported                 // a route that is not supported and names a Service
	ByGrant                       // a route that needs a ReferenceGrant
)

var entries = [...]struct{ id, yes, no string }{
	AtNode:           {"enters at a node", "the connection enters at a node, which policies then see as its source", "the connection enters at no node"},
	AtOwnNode:        {"enters at the own node", "the connection enters at the node of {dst}", "the connection does not enter at the node of {dst}"},
	ByController:     {"allowed ingress controller", "the ingress controller, which the input does not show, may connect", "the ingress controller may not connect"},
	ByHostController: {"ingress controller on the own node", "the ingress controller runs on the network of the node of {dst}", "the ingress controller does not run on the network of the node of {dst}"},
	ByAddress:        {"allowed address", "its load balancer or ingress controller has an allowed address", "its load balancer or ingress controller has no allowed address"},
	ByUnsupported:    {"not supported", "the route, which is not supported, leads to {dst}", "the route, which is not supported, does not lead to {dst}"},
	ByGrant:          {"granted", "a ReferenceGrant, which the input does not show, allows the route", "no ReferenceGrant allows the route"},
}

// routed is the condition under which a route leads to its Service.
func (p *Program) routed(w Way) when.When {
	if w.Doubt == model.NoDoubt {
		return when.Always
	}
	svc := &p.Snapshot.Services[w.Service]
	to := w.Name + " to " + svc.Namespace + "/" + svc.Name
	if w.Doubt == model.Ungranted {
		return p.Enters(to, ByGrant)
	}
	return p.Enters(to, ByUnsupported)
}

// Enters is the condition that connections through a way into the cluster come so.
func (p *Program) Enters(way string, e Entry) when.When {
	return p.asks.ask("way in "+way+": "+entries[e].id, when.Source, 0, entries[e].yes, entries[e].no)
}

// Split splits sets of profiles until within each the same policies isolate class, the same rules
// apply to it, and they let the same through but for the pod's own node.
func (p *Program) Split(sets []Worlds, class int) []Worlds {
	for _, d := range policy.Directions {
		g := p.groupFor(class, d)
		sets = p.Refine(sets, p.isolation(g))
		for _, s := range g.isolations {
			sets = p.Refine(sets, s.when)
		}
		for _, a := range g.rules {
			sets = p.Refine(sets, a.rule.judged)
		}
		for _, seg := range p.openOf(class, d) {
			sets = p.Refine(sets, OffNode(seg.pass))
		}
	}
	return sets
}
