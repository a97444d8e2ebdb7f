package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// pairRules judge what the policies of both ends, or several peers of one rule, mean together.
var pairRules = []Rule{{
	ID: "TM110", Title: "One side allows, the other denies", Severity: finding.Medium, Since: "0.1",
	Why:        "A connection passes only if the source's egress and the destination's ingress both let it. A rule on one side alone works on paper only.",
	Bad:        "egress to app: secrets-agent, whose pods a default deny isolates for ingress",
	Good:       "the same connection allowed at both ends",
	References: []string{networkPolicies + "#the-two-sorts-of-pod-isolation"},
	Server: func(p *Pass) {
		for _, d := range policy.Directions {
			p.oneSided(d)
		}
	},
}, {
	ID: "TM203", Title: "Alternatives widened what was meant to be one peer", Severity: finding.Medium, Since: "0.1",
	Why:        "namespaceSelector and podSelector in one item mean both; as two items they mean either: one dash lets a whole namespace in.",
	Bad:        "from:\n- namespaceSelector: {matchLabels: {team: a}}\n- podSelector: {matchLabels: {app: gateway}}",
	Good:       "from:\n- namespaceSelector: {matchLabels: {team: a}}\n  podSelector: {matchLabels: {app: gateway}}",
	References: []string{networkPolicies + "#behavior-of-to-and-from-selectors"},
	Server:     alternatives,
}, {
	ID: "TM206", Title: "The gateway cannot reach its server", Severity: finding.Medium, Since: "0.1",
	Why:        "A default deny also closes the gateway's own egress, and a server's ingress may name other labels or ports than the gateway has. Tools then time out, and the usual repair is to delete the policy.",
	Bad:        "default deny for all pods, ingress from the gateway allowed, no egress rule for the gateway",
	Good:       "an egress rule for the gateway to the servers' port beside the servers' ingress rule",
	References: []string{networkPolicies + "#the-two-sorts-of-pod-isolation"},
	Server:     gatewayShutOut,
}}

// sided is [reach.Program.OneSided], over whichever IP family.
func sided(p *reach.Program, class int, d policy.Direction) []reach.Box {
	out := p.OneSided(class, d)
	for i := range out {
		out[i].When = reach.AnyFamily(out[i].When)
		out[i].Verdict = p.Verdict(out[i].When)
	}
	return out
}

// oneSided reports rules of the server in one direction whose pods, all that exist, deny the
// connection at their end.
func (p *Pass) oneSided(d policy.Direction) {
	type loss struct {
		rule  *policy.Rule
		conns netset.Conns
		names []string
	}
	var lost []loss
	works := map[*policy.Rule]bool{} // some pod takes part
	var shut []int
	if d == policy.Ingress {
		shut = p.shutOut() // of which TM206 speaks
	}
	for i, class := range p.Radius.Class {
		for _, one := range sided(p.Program, class, d) {
			rules := reach.RulesOf(blast.LetThrough(slices.Concat(one.Egress, one.Ingress)...))
			if one.Verdict != reach.Allowed || len(rules) == 0 || !selectsPods(rules[0]) {
				continue
			}
			var reached netset.IDs
			for _, b := range p.Radius.Boxes[i][d] {
				if !b.Conns.Intersect(one.Conns).IsEmpty() {
					reached = reached.Union(b.Region.IDs)
				}
			}
			for _, n := range p.HoldersOf(one.Region.IDs.Intersect(p.Pods()).Minus(p.IDs(p.Radius.Class...)), reach.Class) {
				if p.Holds(reached, n) {
					works[rules[0]] = true
					continue
				}
				if slices.Contains(shut, n) {
					continue
				}
				i := slices.IndexFunc(lost, func(l loss) bool { return l.rule == rules[0] })
				if i < 0 {
					i, lost = len(lost), append(lost, loss{rule: rules[0], conns: one.Conns})
				}
				lost[i].names = append(lost[i].names, p.workloadNames(n)...)
			}
		}
	}
	for _, l := range lost {
		if works[l.rule] && !namesPods(l.rule) {
			continue
		}
		slices.Sort(l.names)
		w := connection(l.names[0], l.conns)
		names := some(slices.Compact(l.names))
		message, fix := "%s %s allows it to connect to %s, whose own policies deny it", "allow ingress from the server at "+names
		if d == policy.Ingress {
			w.From, w.To = w.To, p.Name()
			message, fix = "%s %s lets %[3]s connect to it, whose own policies deny that", "allow egress to the server at "+names
		}
		p.Found(Report{Message: fmt.Sprintf(message, l.rule.Origin.Object, l.rule.Path, names), Origin: l.rule.Origin, Fix: fix + ", or drop the rule", Witness: w})
	}
}

func (p *Pass) workloadNames(class int) []string {
	var names []string
	for _, m := range p.Class(class).Members {
		w := &p.Snapshot.Workloads[m.Workload]
		names = append(names, w.Namespace+"/"+w.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// selectsPods reports whether a rule names pods by selectors rather than everything or addresses.
func selectsPods(r *policy.Rule) bool {
	return !r.AnyPeer && slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.NS != nil })
}

// namesPods reports whether every peer of a rule names pods by their labels, rather than whole
// namespaces.
func namesPods(r *policy.Rule) bool {
	return !slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.NS != nil && peer.Pod.SelectsAll() })
}

// alternatives reports a peer of whole namespaces beside one of pods in the policy's own namespace.
func alternatives(p *Pass) {
	seen := map[origin.Origin]bool{}
	for _, class := range p.Radius.Class {
		for _, d := range policy.Directions {
			for _, r := range p.RulesOn(class, d) {
				wide, narrow := widened(r)
				if wide == nil || seen[r.Origin] {
					continue
				}
				seen[r.Origin] = true
				p.Found(Report{
					Message: fmt.Sprintf("%s %s: %s matches every pod of namespaces with %s, and %s pods with %s of its own namespace: each alone is enough",
						r.Origin.Object, r.Path, wide.Path, wide.NS, narrow.Path, narrow.Pod),
					Origin: wide.Origin,
					Fix:    "if both were meant together, write podSelector and namespaceSelector as one list item (without the second dash)",
				})
			}
		}
	}
}

// widened returns the two peers that look like one written with a dash too many.
func widened(r *policy.Rule) (wide, narrow *policy.Peer) {
	own := r.Subject.NS
	for i := range r.Peers {
		peer := &r.Peers[i]
		if peer.NS == nil {
			continue
		}
		if peer.Pod.SelectsAll() {
			wide = peer
		} else if peer.NS.Equal(own) {
			narrow = peer
		}
	}
	if narrow == nil {
		return nil, nil
	}
	return wide, narrow
}

// shutOut returns the gateways meant for the server, if none of them can reach all of its pods on
// one of its ports.
func (p *Pass) shutOut() []int {
	if !p.shutSet {
		p.shut, p.shutSet = p.gatewaysShutOut(), true
	}
	return p.shut
}

func (p *Pass) gatewaysShutOut() []int {
	if len(p.Server.Ports) == 0 {
		return nil
	}
	named := p.Namespace(p.Workload.Namespace)
	for _, class := range p.Radius.Class {
		named = named.Union(p.namedSources(class))
	}
	meant := p.GatewaysIn(named)
	if meant == nil && !p.calledByAnybody() {
		meant = p.Gateways() // others are of another tenant, but somebody must call it
	}
	for _, n := range meant {
		if _, out := p.enters(n); out == nil {
			return nil
		}
	}
	return meant
}

// enters splits the classes of the server's pods by whether a gateway possibly reaches them on one
// of the server's ports.
func (p *Pass) enters(gateway int) (in, out []int) {
	from := p.IDs(gateway)
	for i, class := range p.Radius.Class {
		if slices.ContainsFunc(p.Radius.Boxes[i][policy.Ingress], func(b reach.Box) bool {
			return b.Region.IDs.Overlaps(from) && slices.ContainsFunc(p.Server.Ports, func(port netset.Port) bool { return b.Conns.Contains(netset.TCP, port) })
		}) {
			in = append(in, class)
		} else {
			out = append(out, class)
		}
	}
	return in, out
}

// calledByAnybody reports whether something that exists, or anybody, can connect to the server.
func (p *Pass) calledByAnybody() bool {
	return slices.ContainsFunc(p.Radius.By, func(c blast.Caller) bool { return c.Who != blast.Hypothetical && c.Who != blast.NodeCallers })
}

// gatewayShutOut reports a server that none of the gateways meant for it can reach.
func gatewayShutOut(p *Pass) {
	shut := p.shutOut()
	if shut == nil {
		return
	}
	port := p.Server.Ports[0]
	_, out := p.enters(shut[0])
	class := out[0]
	name := strings.Join(p.workloadNames(shut[0]), ", ")
	t := p.Explain(reach.AtHolder(shut[0]), reach.AtHolder(class), netset.TCP, port)
	message, at, fix := "", origin.Origin{}, ""
	for _, side := range t.Sides {
		if side.Verdict != reach.Denied || len(side.Isolated) == 0 {
			continue
		}
		at = side.Isolated[0].Origin
		if side.Dir == policy.Egress {
			message = fmt.Sprintf("gateway %s cannot connect to it on port %d: %s isolates the gateway's egress and no rule allows this", name, port, at.Object)
			fix = fmt.Sprintf("add an egress rule to TCP %d of the server for %s, beside its ingress rule", port, name)
		} else {
			message = fmt.Sprintf("gateway %s cannot connect to it on port %d: no ingress rule of the server lets it in", name, port)
			fix = fmt.Sprintf("allow ingress on TCP %d from %s", port, name)
		}
		break
	}
	if message == "" {
		return
	}
	p.Found(Report{Message: message, Origin: at, Fix: fix, Witness: &finding.Witness{From: name, To: p.Name(), Port: int(port), Protocol: "TCP"}})
}

// namedSources is the pods that the ingress rules of a class name by selectors.
func (p *Pass) namedSources(class int) netset.IDs {
	var named netset.IDs
	for _, b := range sided(p.Program, class, policy.Ingress) {
		if r := letBy(b.Ingress); r != nil && selectsPods(r) {
			named = named.Union(b.Region.IDs)
		}
	}
	return named
}
