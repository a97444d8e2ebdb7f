package rule

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// opening is addresses over some connections.
type opening struct {
	addrs netset.Addrs
	conns netset.Conns
}

// without returns what of some openings is not in o.
func without(all []opening, o opening) []opening {
	var out []opening
	for _, a := range all {
		in := a.addrs.Intersect(o.addrs)
		if in.IsEmpty() || !a.conns.Overlaps(o.conns) {
			out = append(out, a)
			continue
		}
		for _, rest := range []opening{{a.addrs.Minus(in), a.conns}, {in, a.conns.Minus(o.conns)}} {
			if !rest.addrs.IsEmpty() && !rest.conns.IsEmpty() {
				out = append(out, rest)
			}
		}
	}
	return out
}

// longestDecides reports rules with blocks of which something is denied where the longest block
// decides, though the rule allows it, and blocks with more ports than the plugin holds for one. It
// is no row of misreadings: what is lost is addresses, and the words are about the other rule that
// takes them.
func longestDecides(p *Pass) {
	worlds, _ := p.Answering(cni.LongestPrefixDecides)
	if worlds == 0 {
		return
	}
	view := p.In(worlds)
	for _, d := range policy.Directions {
		seen := map[origin.Origin]bool{}
		full := false
		for _, class := range p.Radius.Class {
			rules := view.RulesOn(class, d)
			if !slices.ContainsFunc(rules, hasBlock) {
				continue
			}
			boxes := sided(view, class, d)
			for _, r := range rules {
				if r.Action != policy.Allow || r.Untyped || r.If != nil || seen[r.Origin] {
					continue
				}
				if lost := lostOf(r, boxes); lost != nil {
					seen[r.Origin] = true
					p.Found(p.lossOf(r, lost, rules, worlds))
				}
			}
			crowded := slices.DeleteFunc(boxes, func(b reach.Box) bool {
				return !b.When.Asks(reach.IsKeptPort) || letBy(slices.Concat(b.Egress, b.Ingress)) == nil
			})
			if len(crowded) > 0 && !full {
				full = true
				p.crowd(crowded, d)
			}
		}
	}
}

func hasBlock(r *policy.Rule) bool {
	return r.AnyPeer || slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.Block != nil })
}

// lostOf returns what a rule's blocks allow, by numbers of ports, and no box lets through even
// perhaps.
func lostOf(r *policy.Rule, boxes []reach.Box) []opening {
	conns := netset.AllConns
	if !r.AnyPort {
		conns = netset.Conns{}
		for _, port := range r.Ports {
			if port.Name == "" {
				conns = conns.Union(netset.ConnsOf(port.Protocol, netset.PortRange(port.Lo, port.Hi)))
			}
		}
	}
	addrs := blocksOf(r)
	if r.AnyPeer {
		addrs = netset.Universe
	}
	if addrs.IsEmpty() || conns.IsEmpty() {
		return nil
	}
	lost := []opening{{addrs, conns}}
	for _, b := range boxes {
		lost = without(lost, opening{b.Region.Addrs, b.Conns})
	}
	return lost
}

func (p *Pass) lossOf(r *policy.Rule, lost []opening, rules []*policy.Rule, worlds reach.Worlds) Report {
	at := example(lost[0].addrs)
	ranges := reach.PrefixText(netset.CIDRs(lost[0].addrs), 2)
	allows, w := "allows", connection(at.String(), lost[0].conns)
	if r.Dir == policy.Ingress {
		allows = "lets in"
		w.From, w.To = w.To, p.Name()
	}
	report := Report{Origin: r.Origin, Worlds: worlds, Witness: w,
		Message: fmt.Sprintf("%s %s %s on %s, and that is denied: ", ruleText(r), allows, ranges, lost[0].conns),
		Fix:     fmt.Sprintf("add a rule for exactly %s with the ports it should have, so that it is the longest block", ranges)}
	switch other, longest, excepted := longestAround(rules, at); {
	case excepted:
		report.Message += fmt.Sprintf("%s excepts %s, which denies it to every rule", ruleText(other), longest)
	case other != nil:
		report.Message += fmt.Sprintf("%s has the longer block %s, which decides alone", ruleText(other), longest)
		report.Fix = fmt.Sprintf("add the ports to %s, or write another rule for exactly %s with them", ruleText(other), longest)
	default:
		report.Message += "another rule decides"
	}
	return report
}

// longestAround returns the longest block or exception that holds an address, and whose it is. A
// block that an exception is equal to wins.
func longestAround(rules []*policy.Rule, a netip.Addr) (r *policy.Rule, longest netip.Prefix, excepted bool) {
	for _, other := range rules {
		for _, peer := range other.Peers {
			if peer.Block == nil {
				continue
			}
			if b := peer.Block.CIDR; b.Contains(a) && (r == nil || b.Bits() > longest.Bits() || excepted && b.Bits() == longest.Bits()) {
				r, longest, excepted = other, b, false
			}
			for _, x := range peer.Block.Except {
				if x.Contains(a) && (r == nil || x.Bits() > longest.Bits()) {
					r, longest, excepted = other, x, true
				}
			}
		}
	}
	return r, longest, excepted
}

// crowd reports a block with more ports than the plugin holds for one: of those in boxes, the one
// that is written first.
func (p *Pass) crowd(boxes []reach.Box, d policy.Direction) {
	rule := func(b reach.Box) *policy.Rule { return letBy(slices.Concat(b.Egress, b.Ingress)) }
	b := slices.MinFunc(boxes, func(a, b reach.Box) int { return rule(a).Origin.Compare(rule(b).Origin) })
	limit, worlds := 0, reach.Worlds(0)
	for i, profile := range p.AllProfiles() {
		if n := profile.PortsPerBlock; p.Worlds().Has(i) && n > 0 {
			limit, worlds = n, worlds|1<<i
		}
	}
	var where, one string
	if !b.Region.Addrs.IsEmpty() {
		where, one = reach.PrefixText(netset.CIDRs(b.Region.Addrs), 2), example(b.Region.Addrs).String()
	} else if names := p.endNames(b.Region.IDs); len(names) > 0 {
		where, one = some(names), names[0]
	} else {
		where, one = "what it names", "what it names"
	}
	w := connection(one, b.Conns)
	w.World = "the CNI drops the port"
	if d == policy.Ingress {
		w.From, w.To = w.To, p.Name()
	}
	p.Found(Report{Origin: rule(b).Origin, Worlds: worlds, Witness: w,
		Message: fmt.Sprintf("the %s rules for %s have more than %d ports and ranges of ports, and the plugin keeps %d of them by chance", d, where, limit, limit),
		Fix:     "write ranges with endPort, or the ports that matter alone: all rules together count, also those of shorter blocks around it"})
}
