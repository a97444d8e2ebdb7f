package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// callerRules judge who can connect to a server.
var callerRules = []Rule{{
	ID: "TM201", Title: "Any pod can call it", Severity: finding.High, Since: "0.1",
	Why:        "Any workload that is taken over, in any namespace, can call the server's tools without the gateway that authenticates callers.",
	Bad:        "no ingress policy; from: [{namespaceSelector: {}}]",
	Good:       "from: [{podSelector: {matchLabels: {app: mcp-gateway}}}]",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		for _, c := range p.Radius.By {
			if c.Who != blast.AnyPod {
				continue
			}
			r := Report{Message: c.Text + p.canCall(c, ""), Fix: "allow ingress only from its gateway", Witness: p.calls(c, c.Text)}
			if len(c.By) > 0 {
				r.Origin = c.By[0].Rule.Origin
			}
			p.Found(r)
			return
		}
	},
}, {
	ID: "TM202", Title: "Reachable from outside the cluster", Severity: finding.High, Since: "0.1",
	Why:        "MCP servers hold credentials and rarely authenticate callers themselves. What the internet can call, it will.",
	Bad:        "a Service of type LoadBalancer, a NodePort, a hostPort, or an Ingress that leads to the server",
	Good:       "a ClusterIP Service behind a gateway that authenticates callers",
	References: []string{"https://kubernetes.io/docs/concepts/services-networking/service/"},
	Server: func(p *Pass) {
		var names []string
		worst := blast.Caller{}
		for _, c := range p.Radius.By {
			if c.Who == blast.External && c.Addrs.IsEmpty() {
				if names == nil || reach.CompareVerdicts(c.Verdict, worst.Verdict) > 0 {
					worst = c
				}
				names = append(names, c.Names...)
			}
		}
		if names == nil {
			return
		}
		slices.Sort(names)
		r := Report{Message: "clients outside the cluster" + p.canCall(worst, " through "+strings.Join(slices.Compact(names), ", ")),
			Fix:     "make its Service a ClusterIP, take the route away, or put a gateway that authenticates callers in front",
			Witness: p.calls(worst, "outside the cluster")}
		if at := p.WaysIn(p.Radius.Server); len(at) > 0 {
			r.Origin = at[0]
		}
		p.Found(r)
	},
}}

// canCall says on what a caller can connect to the server, by which way, and under which condition.
func (p *Pass) canCall(c blast.Caller, way string) string {
	return fmt.Sprintf(" %s to it on %s%s%s", can(c.Verdict, "connect"), c.Conns, way, ifSo(p.says(c.Verdict, c.When, c.Who.Noun(), itself)))
}

// calls is a connection of a caller.
func (p *Pass) calls(c blast.Caller, from string) *finding.Witness {
	return &finding.Witness{From: from, To: p.Name(), World: p.says(c.Verdict, c.When, c.Who.Noun(), itself)}
}
