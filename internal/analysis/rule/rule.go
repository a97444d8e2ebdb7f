// Package rule judges what the engine found. A rule judges meaning, never the presence of YAML, and
// is a value: its documentation and its function.
//
// To add a rule, write its entry in the file of its family and a case under testdata that fires and
// one that stays silent.
package rule

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/discover"
)

// Rule is one check with its documentation, from which help and the reports are rendered.
type Rule struct {
	ID         string           `json:"id"`
	Title      string           `json:"title"`
	Severity   finding.Severity `json:"severity"` // the worst it reports
	Why        string           `json:"why"`
	Bad        string           `json:"bad"`  // what makes it fire
	Good       string           `json:"good"` // what keeps it silent
	Since      string           `json:"since"`
	References []string         `json:"references,omitempty"`

	Server func(*Pass)    `json:"-"` // run once a server; nil if it has nothing to say of one
	Input  func(*Overall) `json:"-"` // run once for the whole input
}

// All lists every rule, by id.
var All = slices.SortedFunc(slices.Values(slices.Concat(isolationRules, powerRules, meshRules, portNameRules, pairRules, callerRules, reachRules, meaningRules, pluginRules, knownRules, inputRules)),
	func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })

// ByID returns a rule.
func ByID(id string) (Rule, bool) {
	i := slices.IndexFunc(All, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return All[i], true
}

// Pass is what a rule reads of one server, under profiles that its policies do not tell apart.
type Pass struct {
	*blast.Atlas
	Radius   blast.Radius
	Server   *model.Server
	Workload *model.Workload
	Needs    []discover.Destination // where its configuration says that it connects to

	rule *Rule
	out  *[]found

	shut    []int // see shutOut
	shutSet bool
}

// Overall is what a rule reads of the whole input, under all profiles.
type Overall struct {
	*blast.Atlas

	rule *Rule
	out  *[]found
}

// Report is a finding as a rule gives it; what is left out is filled in: the rule's severity, the
// server's own object as origin, all profiles that the rule was asked about.
type Report struct {
	Severity finding.Severity
	Message  string
	Origin   origin.Origin
	Witness  *finding.Witness
	Fix      string
	Worlds   reach.Worlds // some of the profiles that the rule was asked about
}

// found is a finding with the profiles under which it holds.
type found struct {
	finding.Finding
	worlds reach.Worlds
}

// Found adds a finding about the server.
func (p *Pass) Found(r Report) {
	if r.Origin.IsZero() {
		r.Origin = p.Workload.Origin
	}
	if r.Witness != nil && r.Witness.From == "" {
		r.Witness.From = p.Name()
	}
	add(p.out, p.rule, r, p.Name(), p.Worlds())
}

// Found adds a finding about the input.
func (o *Overall) Found(r Report) { add(o.out, o.rule, r, "", o.Worlds()) }

func add(out *[]found, rule *Rule, r Report, server string, all reach.Worlds) {
	if r.Severity == finding.Incomplete {
		r.Severity = rule.Severity
	}
	if r.Worlds == 0 {
		r.Worlds = all
	}
	*out = append(*out, found{finding.Finding{Rule: rule.ID, Severity: r.Severity, Message: r.Message, Server: server, Origin: r.Origin, Witness: r.Witness, Fix: r.Fix}, r.Worlds})
}

// Name returns "namespace/name" of the server, with its kind between them where another server has
// the same.
func (p *Pass) Name() string { return p.Atlas.Name(p.Radius.Server) }

// isolated reports whether policies certainly isolate all of the server's pods in one direction; by
// lists those that do or may.
func (p *Pass) isolated(d policy.Direction) (certain bool, by []*policy.Isolation) {
	certain = true
	for _, class := range p.Radius.Class {
		isolations, sure := p.Isolation(class, d)
		certain = certain && sure
		by = append(by, isolations...)
	}
	return certain, by
}

// Server runs every rule on one server, once for each group of profiles that its policies do not
// tell apart.
func Server(a *blast.Atlas, radius blast.Radius) []finding.Finding {
	srv := &a.Snapshot.Servers[radius.Server]
	workload := &a.Snapshot.Workloads[srv.Workload]
	needs := discover.Destinations(workload)
	var out []found
	for _, group := range radius.Groups {
		pass := &Pass{Server: srv, Workload: workload, Needs: needs, out: &out}
		pass.Atlas, pass.Radius = a.Under(group, radius)
		for i := range All {
			if All[i].Server != nil {
				pass.rule = &All[i]
				All[i].Server(pass)
			}
		}
	}
	return joined(a.Program, out)
}

// Input runs the rules that judge the input as a whole.
func Input(a *blast.Atlas) []finding.Finding {
	var out []found
	for i := range All {
		if All[i].Input != nil {
			All[i].Input(&Overall{a, &All[i], &out})
		}
	}
	return joined(a.Program, out)
}

// joined makes one finding of those that differ only in their profiles, and names these where they
// are not all.
func joined(p *reach.Program, all []found) []finding.Finding {
	var kept []found
next:
	for _, f := range all {
		for i := range kept {
			if kept[i].same(f.Finding) {
				kept[i].worlds |= f.worlds
				continue next
			}
		}
		kept = append(kept, f)
	}
	out := make([]finding.Finding, len(kept))
	for i, f := range kept {
		if out[i] = f.Finding; f.worlds != p.Worlds() {
			out[i].CNI = p.In(f.worlds).Names()
		}
	}
	return out
}

func (f found) same(o finding.Finding) bool {
	return f.Rule == o.Rule && f.Severity == o.Severity && f.Server == o.Server && f.Message == o.Message && f.Origin == o.Origin && f.Fix == o.Fix &&
		(f.Witness == o.Witness || f.Witness != nil && o.Witness != nil && *f.Witness == *o.Witness)
}

// can says how sure it is that something is done.
func can(v reach.Verdict, verb string) string {
	if v == reach.Unknown {
		return "may be able to " + verb
	}
	return "can " + verb
}

// says puts a condition into words, of a connection from src to dst. It is empty if the verdict
// needs none.
func (p *Pass) says(v reach.Verdict, w when.When, src, dst string) string {
	if v >= reach.NotEnforced {
		return ""
	}
	names := p.Words(src, dst, "")
	names.Max = 2
	return w.Text(when.Always, names)
}

// ifSo puts a condition at the end of a message.
func ifSo(text string) string {
	if text == "" {
		return ""
	}
	return ", if " + text
}

// itself is what conditions call the server.
const itself = "the server"

// condition says when the server reaches a target.
func (p *Pass) condition(t blast.Target) string {
	return p.says(t.Verdict, t.When, itself, t.Noun())
}
