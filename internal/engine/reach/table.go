package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Isolation returns the policies that isolate a class in one direction, and whether it certainly is
// isolated: by one of them, or because the CNI denies what no policy selects. If it is not, and
// there is none, everything passes as far as this end is concerned.
func (p *Program) Isolation(class int, d policy.Direction) (by []*policy.Isolation, certain bool) {
	g := p.groupFor(class, d)
	for _, s := range g.isolations {
		if !slices.Contains(by, s.by) && !p.narrow(s.when).IsNever() {
			by = append(by, s.by)
		}
	}
	return by, p.narrow(p.isolation(g)).IsAlways()
}

// RulesOn returns the rules that apply to a class in one direction, in the order in which they are
// judged.
func (p *Program) RulesOn(class int, d policy.Direction) []*policy.Rule {
	var out []*policy.Rule
	for _, a := range p.groupFor(class, d).rules {
		if !p.narrow(a.rule.judged).IsNever() {
			out = append(out, a.rule.Rule)
		}
	}
	return out
}

// OneSided returns what the policies of class alone let through in one direction, whatever the
// other end's say.
func (p *Program) OneSided(class int, d policy.Direction) []Box {
	var out boxes
	for _, seg := range p.openOf(class, d) {
		out.add(p.box(seg.ends, seg.conns, seg.pass, d, seg.by, nil))
	}
	return out.all()
}

// Selected returns the classes that a pair of selectors possibly selects.
func (p *Program) Selected(s policy.Subject) []int {
	return p.HoldersOf(p.choose(s.NS, s.Pod).may(), Class)
}

// GroupOf returns a number that classes share to which the same rules apply in one direction.
func (p *Program) GroupOf(class int, d policy.Direction) int { return p.groupOf[d][class] }

// Matches reports whether pods of a class possibly satisfy sel.
func (g *Ground) Matches(sel label.Selector, class int) bool {
	_, may := sel.Match(g.holders[class].labels)
	return may
}

// DefaultDeny reports whether every pod of a namespace, also one that does not exist yet, is
// certainly isolated in one direction.
func (p *Program) DefaultDeny(namespace string, d policy.Direction) bool {
	i, ok := p.nsIndex[namespace]
	if !ok {
		return false
	}
	isolated := when.Never
	for _, s := range p.about(i, d) {
		if s.isolation != nil && s.isolation.Else == policy.Deny && s.sub.Pod.SelectsAll() {
			if must, _ := s.sub.NS.Match(p.namespaces[i].Labels); must {
				isolated = isolated.Or(s.isolation.judged)
			}
		}
	}
	return p.narrow(isolated).IsAlways()
}

// DualStack reports whether the input shows addresses of both families, on pods, Services or nodes.
func (g *Ground) DualStack() bool { return g.seen[IPv4] && g.seen[IPv6] }
