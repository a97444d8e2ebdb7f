package rule

import (
	"fmt"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// meshRules judge what a mesh makes of policies.
var meshRules = []Rule{{
	ID: "TM421", Title: "A policy closes the port of the mesh", Severity: finding.Low, Since: "0.2",
	Why: "Inside Istio's ambient mesh and Linkerd a connection to any port of a pod arrives on one port of the mesh's (15008 and 4143), and that is what policies see. " +
		"A rule for the application's port alone lets nothing pass that the mesh carries.",
	Bad:        "istio.io/dataplane-mode: ambient on the namespace, and ingress from the gateway on port 3000 alone",
	Good:       "ingress from the gateway on ports 3000 and 15008",
	References: []string{"https://istio.io/latest/docs/ambient/usage/networkpolicy/", "https://linkerd.io/2/tasks/restricting-access/"},
	Server:     meshPortClosed,
}}

// meshPortClosed reports policies of the server, or of those it may connect to and that may call it,
// that let connections pass between pods of one mesh, but not where the mesh carries them.
func meshPortClosed(p *Pass) {
	type closing struct {
		by    origin.Origin
		dir   policy.Direction // of the connections, as the server sees them
		mesh  string
		port  netset.Port
		conns netset.Conns
		names []string
	}
	var all []*closing
	for i, class := range p.Radius.Class {
		mesh, port, carries, ok := p.MeshOf(class)
		if !ok {
			continue
		}
		for _, d := range policy.Directions {
			for _, b := range p.Radius.Boxes[i][d] {
				if b.When.IsNever() || b.When.Overlaps(carries) {
					continue
				}
				for _, n := range p.HoldersOf(b.Region.IDs, reach.Class) {
					for _, by := range p.closing(class, n, d, port) {
						at := -1
						for k, c := range all {
							if c.by == by && c.dir == d && c.mesh == mesh {
								at = k
							}
						}
						if at < 0 {
							at, all = len(all), append(all, &closing{by: by, dir: d, mesh: mesh, port: port})
						}
						all[at].conns, all[at].names = all[at].conns.Union(b.Conns), append(all[at].names, p.workloadNames(n)...)
					}
				}
			}
		}
	}
	for _, c := range all {
		names := distinct(c.names)
		w, verb := connection(names[0], c.conns), "connect to"
		if c.dir == policy.Ingress {
			w.From, w.To, verb = w.To, p.Name(), "be called by"
		}
		p.Found(Report{Origin: c.by, Witness: w, Fix: fmt.Sprintf("allow TCP %d between the same pods in %s, beside the application's port", c.port, c.by.Object),
			Message: fmt.Sprintf("%s does not allow TCP %d, on which %s carries connections between its pods: that the server may %s %s on %s holds only for what the mesh does not carry",
				c.by.Object, c.port, c.mesh, verb, some(names), c.conns)})
	}
}

// closing returns the policies because of which connections between a class of the server and
// another one do not pass on a port.
func (p *Pass) closing(class, other int, d policy.Direction, port netset.Port) []origin.Origin {
	from, to := reach.AtHolder(class), reach.AtHolder(other)
	if d == policy.Ingress {
		from, to = to, from
	}
	var out []origin.Origin
	for _, side := range p.Explain(from, to, netset.TCP, port).Sides {
		if side.Verdict == reach.Denied && len(side.Isolated) > 0 {
			out = append(out, side.Isolated[0].Origin)
		}
	}
	return out
}
