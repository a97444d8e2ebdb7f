// Package query answers one question exactly: can FROM connect to TO, and why?
//
// What a question leaves open is either a choice or a world. Of choices (replicas that differ, IP families, ports where none was asked for,
// the pods behind a Service) one that passes is enough. Of worlds (who holds an address that nothing shows, where a name resolves to, whether
// policy is judged before a Service's address is translated) all must agree, or the answer depends. Both are decided on the engine's own tables,
// and the trace is made of what decided. Network plugins are worlds too: each is asked, and what of it decided is named.
package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Answer is the answer to a [Question].
type Answer struct {
	Asked   Question
	From    string // as resolved: "namespace/Kind/name", an address or a name
	To      string // likewise, with ":PORT/PROTOCOL" where they were asked for
	Verdict reach.Verdict
	When    string       // of depends and unknown: in which worlds it passes, completing "if ..."
	Conns   netset.Conns // of the connections asked about, those that have the verdict
	CNI     []string
	Notes   []string // sentences on how the question was understood and what else to know
	Assumed []string // sentences that the verdict rests on
	Steps   []Step   // what decided: one, or one for each world that differs
	Worlds  []World  // by network plugin, worst first; one if all answer alike
}

// Step is one connection between two ends, decided.
type Step struct {
	From, To string
	Judged   string // what egress is judged on, where that is not To: a Service's address and port
	Protocol netset.Protocol
	Port     netset.Port
	Family   reach.Family
	World    string // completing "if ..."; "" if it holds in every world
	Verdict  reach.Verdict
	When     string
	Sides    []Side // egress of the source, ingress of the destination; without an end that is no pod
}

// Side is what the policies of one end of a step decide.
type Side struct {
	Dir       policy.Direction
	Of        string
	Verdict   reach.Verdict
	When      string
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
	Except netip.Prefix // the exception of the rule's block that has the address, and denies it whatever other rules say
}

// ExitCode returns what a command that answers exits with, if the input was complete: 0 allowed or not enforced, 1 denied,
// 2 unknown, 3 depends.
func (a Answer) ExitCode() int {
	switch a.Verdict {
	case reach.Allowed, reach.NotEnforced:
		return 0
	case reach.Denied:
		return 1
	case reach.Depends:
		return 3
	}
	return 2
}

// ask answers under one profile.
func (a *asker) ask() (Answer, error) {
	p, q := a.p, a.q
	source, err := a.source(q.From)
	if err != nil {
		return Answer{}, err
	}
	target, err := a.target(q.To, source)
	if err != nil {
		return Answer{}, err
	}
	if !a.judged(source, target) {
		return Answer{}, fmt.Errorf("neither %s nor %s is a pod of the input, and network policies judge pods only", source.name, target.name)
	}
	got := a.decide(source, target)
	a.compareNamesake(source, target, got)
	if h := a.hostNetworked(); h != "" && p.Says(cni.HostNetworkJudged) != cni.Yes {
		got = a.asIfEnforced(h, got)
	}
	var steps []Step
	if got.steps != nil {
		steps = got.steps() // which may note something
	}
	out := Answer{Asked: q, From: source.name, To: a.withSuffix(target.name), Verdict: got.verdict, When: got.when, Conns: got.conns, CNI: p.Names(),
		Notes: a.notes, Assumed: a.assumed, Steps: steps}
	if got.verdict == reach.Denied {
		out.Conns = a.conns
	}
	return out, nil
}

// suffix is the port and protocol of the question, as the user would write them.
func (a *asker) suffix() string {
	text := ""
	if a.q.Port != 0 {
		text = fmt.Sprintf(":%d", a.q.Port)
	}
	if a.q.Protocol != netset.NoProtocol {
		text += "/" + a.q.Protocol.String()
	}
	return text
}

// withSuffix writes name with the port and protocol of the question.
func (a *asker) withSuffix(name string) string {
	if a.q.Port != 0 && strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return name + a.suffix()
}

// decide tries every choice of source and target.
func (a *asker) decide(source, target place) outcome {
	if target.always != nil {
		return *target.always
	}
	var tried []outcome
	for _, from := range source.ends {
		tried = append(tried, a.choices(from, target)...)
	}
	if source.unknown.IsValid() {
		tried = append(tried, a.fromUnknown(source.unknown, target))
	}
	if tried == nil { // nothing to ask about is not the same as nothing that passes
		return outcome{when: target.name + " is something", conns: a.conns}
	}
	a.noteDifferences(tried)
	return anyOf(tried)
}

// choices tries every choice of a target.
func (a *asker) choices(from end, target place) []outcome {
	var tried []outcome
	rest := a.conns.Minus(target.taken)
	for _, to := range target.ends {
		if rest.IsEmpty() {
			break
		}
		if target.api && a.q.Port == apiService {
			tried = append(tried, a.toKubeAPI(from, to, to))
			continue
		}
		switch {
		case a.isNode(to):
			tried = append(tried, a.toNode(from, to)...)
		case !a.nodeTaken(to, target):
			tried = append(tried, a.try(from, to, rest))
		}
	}
	for _, at := range target.services {
		tried = append(tried, a.toService(from, at)...)
	}
	switch {
	case target.host != "":
		o := a.toHost(from, target.host, a.conns)
		if o.verdict != reach.Denied {
			a.noteDNS(from, target.host)
		}
		tried = append(tried, o)
	case target.unknown.IsValid() && !rest.IsEmpty():
		tried = append(tried, a.toUnknown(from, target.unknown, rest))
	}
	return tried
}

// noteDifferences says which replicas or backends get a different answer than the best.
func (a *asker) noteDifferences(tried []outcome) {
	byPair := map[string]reach.Verdict{}
	for _, o := range tried {
		if o.from == "" {
			continue
		}
		pair := o.from + " to " + o.to
		if v, seen := byPair[pair]; !seen || reach.CompareVerdicts(o.verdict, v) > 0 {
			byPair[pair] = o.verdict
		}
	}
	byVerdict := map[reach.Verdict][]string{}
	for pair, v := range byPair {
		byVerdict[v] = append(byVerdict[v], pair)
	}
	if len(byVerdict) < 2 {
		return
	}
	for _, v := range []reach.Verdict{reach.Allowed, reach.Depends, reach.Unknown, reach.Denied} {
		if pairs := byVerdict[v]; len(pairs) > 0 {
			slices.Sort(pairs)
			a.note("pods differ: " + v.String() + " from " + listed(pairs, 3))
		}
	}
	a.note("one that gets through is enough")
}

// compareNamesake answers for the Services that have the same name as a workload, and says so where the answer differs.
func (a *asker) compareNamesake(source, target place, got outcome) {
	var meant []int
	for _, i := range target.namesakes {
		svc := &a.p.Snapshot.Services[i]
		asked := func(p model.ServicePort) bool { return a.conns.Contains(p.Protocol, p.Port) }
		if svc.Headless || slices.ContainsFunc(svc.Ports, asked) {
			meant = append(meant, i) // the others cannot be what is meant
		}
	}
	if meant == nil {
		return
	}
	id := serviceName(a, meant[0])
	quiet := *a
	quiet.notes, quiet.assumed = nil, nil
	other := quiet.decide(source, quiet.servicePlace(meant...))
	text := "this is about the pods of " + target.name + "; the Service " + id
	if other.verdict != got.verdict || other.when != got.when {
		text += " answers differently: " + other.verdict.String()
		if other.when != "" {
			text += " if " + other.when
		}
		a.note(strings.Join(append([]string{text}, quiet.notes...), "; "))
	}
}

// asIfEnforced compares got with what policies say that the plugin does not hold a pod on the host network to.
func (a *asker) asIfEnforced(host string, got outcome) outcome {
	if got.verdict == reach.Denied {
		return got
	}
	strict := a.in(a.enforced.in(a.p.Worlds()))
	source, err := strict.source(a.q.From)
	if err != nil {
		return got
	}
	target, err := strict.target(a.q.To, source)
	if err != nil {
		return got
	}
	meant := strict.decide(source, target)
	if meant.verdict == got.verdict && meant.when == got.when && meant.conns.Equal(got.conns) {
		return got
	}
	text := host + " is on its node's network, where policies that select it are not enforced; if they were: " + meant.verdict.String()
	if meant.when != "" {
		text += " if " + meant.when
	}
	a.note(text)
	if got.verdict == reach.Allowed && meant.verdict != reach.Allowed {
		got.verdict = reach.NotEnforced
	}
	return got
}

// listed joins texts, at most n of them and how many more there are.
func listed(texts []string, n int) string {
	if len(texts) <= n {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:n], ", "), len(texts)-n)
}
