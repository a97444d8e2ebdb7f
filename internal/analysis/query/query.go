// Package query answers one question exactly: can FROM connect to TO, and why?
//
// What a question leaves open is either a choice or unknown. Of choices (replicas that differ, IP
// families, ports where none was asked for, the pods behind a Service) one that passes is enough.
// What is unknown (who has an address that nothing shows, where a name resolves to, whether policy
// is judged before a Service's address is translated, the CNI) becomes a question in the condition.
//
// So a question is answered in one pass: every [way] to connect is listed, with the condition under
// which connections go that way and the one under which they then pass; the answer is where one of
// them does.
package query

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// asker answers one question.
type asker struct {
	p          *reach.Program
	q          Question
	conns      netset.Conns
	sides      map[sideKey][]reach.Box
	notes      []string
	assumed    []string
	hosts      []string // names of ends on the host network
	quiet      int      // what is noted is about one case of many
	index      *index   // who has which address
	followed   int      // Services of type ExternalName that the question is going through
	names      int      // of those, how many it went through so far
	straight   bool     // pods are asked about at their own addresses only
	atDoor     bool     // it is about other pods than the client: one that a Service sends back to itself is no answer
	translated bool     // the question is about an endpoint of a Service: no other Service takes that on
	held       int      // what may have an address that is not known, so far
}

func newAsker(p *reach.Program, q Question) *asker {
	return &asker{p: p, q: q, conns: q.Conns(), sides: map[sideKey][]reach.Box{}, index: &index{}}
}

// under returns an asker of the same question about other CNIs, which notes nothing.
func (a *asker) under(profiles []cni.Profile) *asker {
	out := newAsker(reach.Assuming(a.p.Ground, a.p.Assumed(), profiles...), a.q)
	out.index, out.quiet = a.index, 1
	return out
}

// quietly keeps notes from being made until the function that it returns is called.
func (a *asker) quietly() (done func()) {
	a.quiet++
	return func() { a.quiet-- }
}

// note adds a sentence once.
func (a *asker) note(text string) {
	if a.quiet == 0 && !slices.Contains(a.notes, text) {
		a.notes = append(a.notes, text)
	}
}

func (a *asker) assume(text string) {
	if a.quiet == 0 && !slices.Contains(a.assumed, text) {
		a.assumed = append(a.assumed, text)
	}
}

// is asks whether something is so of one of some. The ID that a list of names completes is of one
// of [FactKinds]; yes and no begin the sentences that it completes.
func (a *asker) is(id, yes, no string, names []string) when.When {
	return a.p.Ask(id+strings.Join(names, ", "), when.Cluster, yes+orList(names), no+orList(names))
}

// runs asks whether a pod of one of some workloads runs on a node.
func (a *asker) runs(names []string, node string) when.When {
	on := " runs on " + node
	return a.p.Ask("runs on "+node+": "+strings.Join(names, ", "), when.Cluster, "a pod of "+orList(names)+on, "no pod of "+orList(names)+on)
}

// decision is a question decided, under all CNIs.
type decision struct {
	from, to string
	ways     []way
	names    when.Names
	parts    []part
	passes   when.When
}

// Ask answers q on p's snapshot under each of p's profiles. The error is a [*NameError] where a
// name means nothing in the input or too much.
func Ask(p *reach.Program, q Question) (Answer, error) {
	a := newAsker(p, q)
	out, err := a.ask()
	if err == nil {
		a.findFacts(out.Groups)
	}
	return out, err
}

// ask is [Ask] without the facts that decided.
func (a *asker) ask() (Answer, error) {
	d, err := a.answer()
	if err != nil {
		return Answer{}, err
	}
	groups := a.groups(d)
	if a.hosts != nil && !a.p.Where(cni.HostNetworkJudged).IsAlways() {
		a.asIfEnforced(groups)
	}
	out := Answer{Asked: a.q, From: d.from, To: a.withSuffix(d.to), Group: a.judge(d, a.p.Worlds()), Groups: groups}
	out.Verdict, out.CNI, out.Steps = overall(groups), a.p.Names(), stepsOf(a.p, groups)
	out.Notes, out.Assumed = a.notes, a.assumed
	return out, nil
}

// answer decides the question under all of p's profiles.
func (a *asker) answer() (decision, error) {
	source, err := a.source(a.q.From)
	if err != nil {
		return decision{}, err
	}
	target, err := a.target(a.q.To, source)
	if err != nil {
		return decision{}, err
	}
	if !a.judged(source, target) {
		return decision{}, fmt.Errorf("neither %s nor %s is a pod of the input, and network policies judge pods only", source.name, target.name)
	}
	d := a.between(source, target)
	a.noteDifferences(d.ways)
	a.compareNamesake(source, target, d)
	return d, nil
}

// between tries every choice of source and target.
func (a *asker) between(source, target place) decision {
	ways := target.always
	if ways == nil {
		ways = a.eachOf(source, func(from end) []way {
			direct := a.choices(from, target)
			if a.straight || a.allPass(direct) {
				return direct
			}
			return append(direct, a.otherwise(from, target)...)
		})
		if source.unknown.IsValid() {
			ways = append(ways, a.fromUnknown(source.unknown, target)...)
		}
	}
	if ways == nil { // nothing to ask about is not the same as nothing that passes
		ways = may(a.conns, a.p.Doubt(target.name+" is something"))
	}
	d := decision{from: source.name, to: target.name, passes: when.Never}
	d.ways, d.names = bound(ways)
	d.parts = parts(d.ways)
	for _, p := range d.parts {
		d.passes = d.passes.Or(p.when)
	}
	return d
}

// eachOf decides for each end of a place: all are choices, but of rivals only one is there.
func (a *asker) eachOf(pl place, decide func(end) []way) []way {
	var out []way
	for _, e := range pl.ends {
		out = append(out, decide(e)...)
	}
	var worlds []world
	for _, e := range pl.rivals {
		worlds = append(worlds, world{e.name, decide(e)})
	}
	return append(out, a.oneOf(nil, worlds, func(names []string) when.When { return a.has(pl.at, names) })...)
}

// allPass reports whether everything that is asked about passes in any case.
func (a *asker) allPass(ways []way) bool {
	all := parts(ways)
	return len(all) == 1 && all[0].when.IsAlways() && all[0].conns.Covers(a.conns)
}

// choices tries every choice of a target.
func (a *asker) choices(from end, target place) []way {
	var tried []way
	rest := a.conns.Minus(target.taken)
	tried = append(tried, a.eachOf(target, func(to end) []way {
		switch {
		case rest.IsEmpty():
		case target.api && a.q.Port == apiService:
			door := to
			door.name = target.name
			return a.toKubeAPI(from, to, door)
		case a.isNode(to):
			return a.toNode(from, to)
		case !a.nodeTaken(to, target):
			return a.try(from, to, rest)
		}
		return nil
	})...)
	var translated []way
	for _, at := range target.services {
		translated = append(translated, a.toService(from, at)...)
	}
	if tried != nil && translated != nil && target.shared.Covers(a.conns) {
		var names []string
		for _, at := range target.services {
			names = append(names, serviceName(a, at.service))
		}
		tried = a.translating(target.name, tried, world{listed(names, 3), translated})
	} else {
		tried = append(tried, translated...)
	}
	switch {
	case target.host != "":
		ways := a.toHost(from, target.host, a.conns)
		if parts(ways) != nil {
			a.noteDNS(from, target.host)
		}
		tried = append(tried, ways...)
	case target.unknown.IsValid() && !rest.IsEmpty():
		tried = append(tried, a.toUnknown(from, target.unknown, rest)...)
	}
	return tried
}

// translating decides for an address that a Service claims and somebody else has: which of the two
// gets what is sent there is whether nodes translate it.
func (a *asker) translating(addr string, others []way, service world) []way {
	return a.oneOf(others, []world{service}, func(names []string) when.When {
		return a.is("nodes translate "+addr+" for: ", "nodes translate what is sent to "+addr+" for ", "nodes do not translate what is sent to "+addr+" for ", names)
	})
}

// groups answers for each CNI, and puts those together that answer alike for the same reasons.
func (a *asker) groups(d decision) []Group {
	var out []Group
	at := map[string]int{}
	for n := range a.p.AllProfiles() {
		if !a.p.Worlds().Has(n) {
			continue
		}
		g := a.group(d, 1<<n)
		key := g.key()
		if i, ok := at[key]; ok {
			out[i].on |= g.on
		} else {
			at[key] = len(out)
			out = append(out, g)
		}
	}
	for i := range out {
		out[i].CNI = a.p.In(out[i].on).Names()
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(reach.CompareVerdicts(b.Verdict, a.Verdict), cmp.Compare(b.on.Count(), a.on.Count()), slices.Compare(a.CNI, b.CNI))
	})
	return out
}

// group is [asker.judge] with why.
func (a *asker) group(d decision, on reach.Worlds) Group {
	g := a.judge(d, on)
	g.Steps = a.trace(a.view(on), d, g.Verdict)
	return g
}

// judge answers under some CNIs.
func (a *asker) judge(d decision, on reach.Worlds) Group {
	v := a.view(on)
	verdict := v.verdict(d.passes)
	g := Group{Verdict: verdict, When: v.ifs(d.passes, d.names), on: on, judged: verdict}
	var others netset.Conns
	for _, p := range d.parts {
		switch v.verdict(p.when) {
		case verdict:
			g.Conns = g.Conns.Union(p.conns)
		case reach.Denied:
		default:
			others = others.Union(p.conns)
		}
	}
	switch {
	case verdict == reach.Denied:
		g.Conns = a.conns
	case g.Conns.IsEmpty():
		g.Conns = others
		a.note("one of these ports passes in any case, but none in every case")
	}
	return g
}

// noteDifferences says which replicas or backends get a different answer than the best.
func (a *asker) noteDifferences(ways []way) {
	var pairs []string
	passes, given := map[string]when.When{}, map[string]when.When{}
	for _, w := range ways {
		if w.untold || w.from.claimed.IsValid() || w.to.claimed.IsValid() {
			continue
		}
		pair := w.from.name + " to " + w.to.name
		if _, seen := passes[pair]; !seen {
			pairs, passes[pair], given[pair] = append(pairs, pair), when.Never, when.Never
		}
		given[pair] = given[pair].Or(w.given)
		passes[pair] = passes[pair].Or(w.given.And(w.pass))
	}
	slices.Sort(pairs)
	byVerdict := map[reach.Verdict][]string{}
	for _, pair := range pairs {
		if !given[pair].IsAlways() { // it is no choice
			continue
		}
		v := a.p.Verdict(passes[pair])
		byVerdict[v] = append(byVerdict[v], pair)
	}
	if len(byVerdict) < 2 {
		return
	}
	for _, v := range []reach.Verdict{reach.Allowed, reach.NotEnforced, reach.Depends, reach.Unknown, reach.Denied} {
		if pairs := byVerdict[v]; len(pairs) > 0 {
			a.note("pods differ: " + v.String() + " from " + listed(pairs, 3))
		}
	}
	a.note("one that gets through is enough")
}

// compareNamesake answers for the Services that have the same name as a workload, and says so where
// the answer differs.
func (a *asker) compareNamesake(source, target place, got decision) {
	var meant []int
	for _, i := range target.namesakes {
		svc := &a.p.Snapshot.Services[i]
		if svc.Headless || slices.ContainsFunc(svc.Ports, func(p model.ServicePort) bool { return a.conns.Contains(p.Protocol, p.Port) }) {
			meant = append(meant, i) // the others cannot be what is meant
		}
	}
	if meant == nil {
		return
	}
	before, assumed := a.notes, a.assumed
	a.notes = nil
	other := a.between(source, a.servicePlace(meant...))
	notes := a.notes
	a.notes, a.assumed = before, assumed
	if verdict := a.p.Verdict(other.passes); verdict != a.p.Verdict(got.passes) || !other.passes.Equal(got.passes) {
		text := "this is about the pods of " + target.name + "; the Service " + serviceName(a, meant[0]) + " answers differently: " + inWords(a.p, other, verdict)
		a.note(strings.Join(append([]string{text}, notes...), "; "))
	}
}

// inWords is a verdict with its condition.
func inWords(p *reach.Program, d decision, verdict reach.Verdict) string {
	text := verdict.String()
	if verdict == reach.Depends || verdict == reach.Unknown {
		text += " if " + ifs(p, d.passes, d.names).String()
	}
	return text
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

// listed joins texts, at most n of them and how many more there are.
func listed(texts []string, n int) string {
	if len(texts) <= n {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:n], ", "), len(texts)-n)
}

// orList joins at most four names, or three and how many more there are: one of them is meant.
func orList(names []string) string {
	if len(names) > 4 {
		names = append(slices.Clone(names[:3]), fmt.Sprintf("%d more", len(names)-3))
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return names[0]
}
