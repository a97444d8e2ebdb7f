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
			from := strings.Replace(c.Text, "any new pod", "any pod", 1)
			r := Report{Message: from + canCall(c), Fix: "allow ingress only from its gateway", Witness: &finding.Witness{From: from, To: p.Name(), World: c.When}}
			if len(c.Rules) > 0 {
				r.Origin = c.Rules[0].Origin
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
		r := Report{Message: "clients outside the cluster" + canCall(worst) + ", through " + strings.Join(slices.Compact(names), ", "),
			Fix:     "make its Service a ClusterIP, take the route away, or put a gateway that authenticates callers in front",
			Witness: &finding.Witness{From: "outside the cluster", To: p.Name(), World: worst.When}}
		if at := p.WaysIn(p.Radius.Server); len(at) > 0 {
			r.Origin = at[0]
		}
		p.Found(r)
	},
}}

func canCall(c blast.Caller) string {
	text := fmt.Sprintf(" can connect to it on %s", c.Conns)
	switch c.Verdict {
	case reach.Depends:
		return text + ", if " + c.When
	case reach.Unknown:
		return fmt.Sprintf(" cannot be shown not to connect to it on %s", c.Conns)
	}
	return text
}
