package rule

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// guarded is what an exception shows that somebody means to keep out: private space, and the
// credential endpoints beyond it.
var (
	guarded         = special.Private.Union(credentialAddrs)
	credentialAddrs = addrsOfCredentials()
)

func addrsOfCredentials() netset.Addrs {
	var all []netip.Addr
	for _, e := range special.Endpoints {
		if e.Kind == special.Credential {
			all = append(all, e.Addrs...)
		}
	}
	return netset.Points(all...)
}

// exception is a range that a rule leaves out of a block.
type exception struct {
	rule *policy.Rule
	netip.Prefix
}

// reopened reports exceptions of one policy, all of whose addresses another policy lets through. A
// rule for a part of what is excepted names what it means to open. Each pair of policies is
// reported once, by a credential endpoint if that is among the exceptions.
func reopened(p *Pass) {
	rules := p.rulesOn(policy.Egress)
	out := exceptions(rules)
	if out == nil {
		return
	}
	opened := p.opened()
	type pair struct{ a, b origin.Origin }
	seen := map[pair]bool{}
	for _, b := range rules {
		for _, e := range out {
			key := pair{e.rule.Origin.At(0), b.Origin.At(0)}
			if addrs := netset.Prefixes(e.Prefix); key.a != key.b && !seen[key] && opened[b].Covers(addrs) {
				seen[key] = true
				p.reopens(e, b, addrs)
			}
		}
	}
}

// exceptions returns what rules except of what is guarded, what holds a credential endpoint first.
func exceptions(rules []*policy.Rule) []exception {
	var out []exception
	for _, r := range rules {
		for _, peer := range r.Peers {
			if r.Action != policy.Allow || peer.Block == nil {
				continue
			}
			for _, e := range peer.Block.Except {
				if guarded.Covers(netset.Prefixes(e)) {
					out = append(out, exception{r, e})
				}
			}
		}
	}
	credential := func(e exception) int {
		if netset.Prefixes(e.Prefix).Overlaps(credentialAddrs) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b exception) int { return cmp.Compare(credential(a), credential(b)) })
	return out
}

// opened returns the addresses that each rule lets the server reach, on more than DNS.
func (p *Pass) opened() map[*policy.Rule]netset.Addrs {
	parts := map[*policy.Rule][]netset.Addrs{}
	for i := range p.Radius.Class {
		for _, b := range p.Radius.Boxes[i][policy.Egress] {
			if b.Verdict == reach.Unknown || b.Region.Addrs.IsEmpty() || b.Conns.Minus(special.DNS).IsEmpty() {
				continue
			}
			for _, by := range blast.LetThrough(b.Egress...) {
				parts[by.Rule] = append(parts[by.Rule], b.Region.Addrs)
			}
		}
	}
	out := make(map[*policy.Rule]netset.Addrs, len(parts))
	for r, all := range parts {
		out[r] = netset.Union(all...)
	}
	return out
}

func (p *Pass) reopens(e exception, b *policy.Rule, out netset.Addrs) {
	var all []blast.Target
	for _, d := range []blast.Dest{blast.Metadata, blast.PrivateNetworks, blast.KubeAPI, blast.Nodes, blast.Internet, blast.DNS} {
		for _, t := range p.Radius.To[d].To {
			if decides(b, t.By) && t.Addrs().Overlaps(out) {
				all = append(all, t)
			}
		}
	}
	if len(all) == 0 {
		return
	}
	t := all[0]
	w := p.witness(t)
	w.To = t.Addrs().Intersect(out).First().String()
	text := reach.PrefixText([]netip.Prefix{e.Prefix}, 1)
	p.Found(Report{Origin: b.Origin, Witness: w,
		Message: fmt.Sprintf("%s excepts %s, and %s allows it again: it %s %s on %s%s", at(e.rule), text, ruleText(b), can(t.Verdict, "reach"), w.To, t.Conns, ifSo(p.condition(t))),
		Fix:     fmt.Sprintf("except %s in %s too, or name there only what it needs", text, ruleText(b))})
}

// at names a rule with its place.
func at(r *policy.Rule) string { return ruleText(r) + " (" + r.Origin.Pos() + ")" }

// undoneDefault reports a rule that allows everything beside a policy that denies by default and
// allows nothing itself.
func undoneDefault(p *Pass) {
	for _, d := range policy.Directions {
		_, by := p.isolated(d)
		rules := p.rulesOn(d)
		for _, r := range rules {
			if r.Action != policy.Allow || !r.AnyPort || r.If != nil || !everyPeer(r) {
				continue
			}
			i := slices.IndexFunc(by, func(s *policy.Isolation) bool {
				return !sameObject(s.Origin, r.Origin) && !slices.ContainsFunc(rules, func(o *policy.Rule) bool { return sameObject(o.Origin, s.Origin) })
			})
			if i < 0 {
				continue
			}
			if w, ok := p.passing(r, d); ok {
				s := by[i]
				p.Found(Report{Origin: r.Origin, Witness: w,
					Message: fmt.Sprintf("%s (%s) denies all %s by default, and %s allows all of it again", s.Origin.Object, s.Origin.Pos(), d, ruleText(r)),
					Fix:     fmt.Sprintf("allow in %s only what the server needs", ruleText(r))})
				break
			}
		}
	}
}

func everyPeer(r *policy.Rule) bool {
	return r.AnyPeer || slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.Entity == policy.All && peer.If == nil })
}

// passing returns a connection that a rule lets through.
func (p *Pass) passing(r *policy.Rule, d policy.Direction) (*finding.Witness, bool) {
	if d == policy.Egress {
		t, ok := p.throughRule(r)
		return p.witness(t), ok
	}
	for _, c := range p.Radius.By {
		if decides(r, c.By) {
			from := c.Text
			if from == "" {
				from = some(c.Names)
			}
			if from == "" {
				from = "a node"
			}
			return p.calls(c, from), true
		}
	}
	return nil, false
}

func sameObject(a, b origin.Origin) bool { return a.File == b.File && a.Object == b.Object }
