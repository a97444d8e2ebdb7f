package query

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Answer is the answer to a [Question], under all CNIs together.
type Answer struct {
	Asked    Question
	From, To string // as resolved: "namespace/Kind/name", an address or a name; with ":PORT/PROTOCOL" where they were asked for
	Group
	Notes   []string // sentences on how the question was understood and what else to know
	Assumed []string // sentences that the verdict rests on
	Groups  []Group  // by CNI, worst first; one if all answer alike
}

// Group is the answer under some CNIs, all of which answer alike for the same reasons.
type Group struct {
	CNI     []string
	Verdict reach.Verdict
	When    If           // of depends and unknown
	Conns   netset.Conns // of the connections asked about, those that have the verdict
	Steps   []Step       // what decided: one, or one for each case that differs
	Facts   []Fact       // what of the CNIs decided

	on     reach.Worlds
	judged reach.Verdict // what policies say, also where they are not enforced on hostNetwork pods
}

// If is a condition, with what its ends are called. The zero value always holds.
type If struct {
	When  when.When
	Names when.Names
}

// String completes "if ...".
func (i If) String() string { return i.When.Text(when.Always, i.Names) }

// GoString tells conditions apart in [Group.key].
func (i If) GoString() string { return fmt.Sprint(i.When.Hash()) }

// key tells answers apart.
func (g Group) key() string { return fmt.Sprintf("%v %#v %v %#v", g.Verdict, g.When, g.Conns, g.Steps) }

// ifs puts a condition into words between ends of such names.
func ifs(p *reach.Program, w when.When, names when.Names) If {
	return If{p.Unenforced(w), p.Words(names.Src, names.Dst, names.Via)}
}

// Step is one connection between two ends, decided.
type Step struct {
	From, To string
	Judged   string // what egress is judged on, where that is not To: a Service's address and port
	Protocol netset.Protocol
	Port     netset.Port
	Family   reach.Family
	Given    If // when connections go this way
	Verdict  reach.Verdict
	When     If
	Sides    []Side // egress of the source, ingress of the destination; without an end that is no pod
}

// Side is what the policies of one end of a step decide.
type Side struct {
	Dir       policy.Direction
	Of        string
	Verdict   reach.Verdict
	When      If
	Isolating []origin.Origin // the policies that isolate this end; none: everything passes
	By        []Rule          // the rules that let it through, or might, and those that deny it, or might
	Because   string          // why it passes, where neither a rule nor the lack of policies is the reason
	Near      []Near          // where it is denied: rules that come close
}

// Rule names a rule of a policy.
type Rule struct {
	Path   string // in the policy: "egress[0]"
	Origin origin.Origin
	Denies bool // it denies what it matches
}

func ruleOf(r *policy.Rule) Rule { return Rule{r.Path, r.Origin, r.Action == policy.Deny} }

// Near is a rule that would have let it through but for one thing.
type Near struct {
	Rule
	Miss   reach.Miss   // means nothing where Except is set
	Except netip.Prefix // the exception of the rule's CIDR that has the address, and denies it whatever other rules say
}

// ExitCode returns what a command that answers exits with, if the input was complete: 0 allowed or
// not enforced, 1 denied, 2 unknown under some CNI that was asked about, 3 depends.
func (a Answer) ExitCode() int {
	switch unknown := slices.ContainsFunc(a.Groups, func(g Group) bool { return g.Verdict == reach.Unknown }); {
	case unknown:
	case a.Verdict == reach.Allowed, a.Verdict == reach.NotEnforced:
		return 0
	case a.Verdict == reach.Denied:
		return 1
	case a.Verdict == reach.Depends:
		return 3
	}
	return 2
}

// overall is the verdict of groups together: what they agree on, else depends.
func overall(groups []Group) reach.Verdict {
	out := groups[0].Verdict
	for _, g := range groups {
		switch {
		case g.Verdict == out:
		case min(g.Verdict, out) >= reach.NotEnforced:
			out = reach.NotEnforced
		default:
			return reach.Depends
		}
	}
	return out
}

// stepsOf are the steps of the first group of each verdict.
func stepsOf(p *reach.Program, groups []Group) []Step {
	if len(groups) == 1 {
		return groups[0].Steps
	}
	var out []Step
	seen := map[reach.Verdict]bool{}
	for _, g := range groups {
		for _, s := range g.Steps {
			if !seen[g.Verdict] {
				s.Given = ifs(p, s.Given.When.And(p.On(g.on)), s.Given.Names)
				out = append(out, s)
			}
		}
		seen[g.Verdict] = true
	}
	return out
}
