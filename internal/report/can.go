package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/query"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// CanResult is the JSON contract of the can command.
type CanResult struct {
	Schema  string        `json:"schema"`
	From    string        `json:"from"`
	To      string        `json:"to"`
	Verdict reach.Verdict `json:"verdict"`
	condition
	Conns []netset.Part `json:"conns"` // of those asked about, those that have the verdict
	Basis
	Notes  []string   `json:"notes"`
	Trace  canTrace   `json:"trace"`
	Facts  []canFact  `json:"facts"`  // what of the CNI decided, where all answer alike
	Worlds []canGroup `json:"worlds"` // by CNI, worst first; empty where all answer alike
}

// canGroup is the answer under some CNIs.
type canGroup struct {
	CNI     []string      `json:"cni"`
	Verdict reach.Verdict `json:"verdict"`
	condition
	Conns []netset.Part `json:"conns"`
	Trace canTrace      `json:"trace"`
	Facts []canFact     `json:"facts"`
}

// canFact is something known of a CNI without which the answer would be another one.
type canFact struct {
	CNI    string `json:"cni"`
	Fact   string `json:"fact"`
	Says   string `json:"says"` // a sentence that may be true
	Answer string `json:"answer"`
	Source string `json:"source"`
}

type canTrace struct {
	Steps []canStep `json:"steps"`
}

type canStep struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Judged   string        `json:"judgedOn,omitempty"`
	Protocol string        `json:"protocol"`
	Port     netset.Port   `json:"port"`
	Family   string        `json:"family"`
	World    string        `json:"world,omitempty"` // when connections go this way
	Verdict  reach.Verdict `json:"verdict"`
	condition
	Sides []canSide `json:"sides"`
}

type canSide struct {
	Direction string        `json:"direction"`
	Of        string        `json:"of"`
	Verdict   reach.Verdict `json:"verdict"`
	condition
	IsolatedBy []origin.Origin `json:"isolatedBy"`
	Rules      []canRule       `json:"rules"` // that let it through, or might
	Because    string          `json:"because,omitempty"`
	Near       []canRule       `json:"near,omitempty"`
}

type canRule struct {
	Path   string        `json:"path"`
	Denies bool          `json:"denies,omitempty"`
	Origin origin.Origin `json:"origin"`
	Miss   string        `json:"miss,omitempty"` // "port", "peer" or "except RANGE"
}

// Can returns what the can command answers as JSON.
func Can(a query.Answer, basis Basis) CanResult {
	basis = basis.orEmpty()
	basis.Assumptions = append(basis.Assumptions, a.Assumed...)
	out := CanResult{Schema: CanSchema, From: a.From, To: a.To, Verdict: a.Verdict, condition: termsOf(a.When), Conns: a.Conns.Parts(), Basis: basis,
		Notes: append([]string{}, a.Notes...), Trace: traceOf(a.Steps), Facts: []canFact{}, Worlds: []canGroup{}}
	if len(a.Groups) == 1 {
		out.Facts = factsOf(a.Groups[0].Facts)
		return out
	}
	for _, g := range a.Groups {
		out.Worlds = append(out.Worlds, canGroup{g.CNI, g.Verdict, termsOf(g.When), g.Conns.Parts(), traceOf(g.Steps), factsOf(g.Facts)})
	}
	return out
}

func termsOf(i query.If) condition { return conditionOf(i.When, reach.Depends, i.Names) }

func factsOf(facts []query.Fact) []canFact {
	out := []canFact{}
	for _, f := range facts {
		out = append(out, canFact{CNI: f.CNI, Fact: f.Name, Says: f.Asks, Answer: f.Answer.String(), Source: f.Source})
	}
	return out
}

func traceOf(steps []query.Step) canTrace {
	out := canTrace{Steps: []canStep{}}
	for _, s := range steps {
		step := canStep{From: s.From, To: s.To, Judged: s.Judged, Protocol: s.Protocol.String(), Port: s.Port, Family: s.Family.String(),
			World: s.Given.String(), Verdict: s.Verdict, condition: termsOf(s.When), Sides: []canSide{}}
		for _, side := range s.Sides {
			out := canSide{Direction: side.Dir.String(), Of: side.Of, Verdict: side.Verdict, condition: termsOf(side.When),
				IsolatedBy: append([]origin.Origin{}, side.Isolating...), Rules: []canRule{}, Because: side.Because}
			for _, r := range side.By {
				out.Rules = append(out.Rules, canRule{Path: r.Path, Origin: r.Origin, Denies: r.Denies})
			}
			for _, n := range side.Near {
				near := canRule{Path: n.Path, Origin: n.Origin, Miss: missNames[n.Miss]}
				if n.Except.IsValid() {
					near.Miss = "except " + n.Except.String()
				}
				out.Near = append(out.Near, near)
			}
			step.Sides = append(step.Sides, out)
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

var missNames = [...]string{reach.MissPeer: "peer", reach.MissPort: "port"}

// canText renders one answer for people.
type canText struct {
	query.Answer
	lines int // how many lines of a condition are shown, or 0 for all
}

// CanText is the report of an answer for people: the verdict, why, on what it hangs, then what
// would change it.
func CanText(a query.Answer, basis Basis, o Options) Document {
	c := canText{a, 4}
	if o.Verbose {
		c.lines = 0
	}
	head := Heading{Mark: capitals[a.Verdict], Tone: verdictTone(a.Verdict), Text: short(a.From) + " -> " + short(a.To)}
	switch {
	case a.Verdict == reach.NotEnforced:
		head.Aside = "policies deny it, and nothing enforces them"
	case a.Asked.Port != 0:
	case a.Verdict == reach.Denied:
		head.Text += ", any port"
	default:
		head.Text += ", " + a.Conns.String()
	}
	doc := Document{head}
	if len(a.Groups) == 1 {
		doc = append(doc, c.steps(a.Groups[0])...)
		if lines := c.ifs(a.When); lines != nil {
			doc = append(doc, Heading{})
			for _, line := range lines {
				doc = append(doc, Paragraph{Text: line, Tone: Strong})
			}
		}
	} else {
		doc = append(doc, c.groups()...)
	}
	if advice := wayOut(a); advice != nil {
		doc = append(doc, Heading{}, advice)
	}
	notes := Notes{}
	for _, n := range a.Notes {
		notes = append(notes, Note{Text: n})
	}
	for _, n := range a.Assumed {
		notes = append(notes, Note{Label: "assumed", Tone: Dim, Text: n})
	}
	if len(notes) > 0 {
		doc = append(doc, Heading{}, notes)
	}
	if len(basis.Assumptions)+len(basis.Problems) > 0 {
		doc = append(append(doc, Heading{}), basisBlocks(basis, o)...)
	}
	return doc
}

// capitals are the first words of answers. What nothing enforces is allowed.
var capitals = [...]string{reach.Unknown: "UNKNOWN", reach.Denied: "DENIED", reach.Depends: "DEPENDS", reach.NotEnforced: "ALLOWED", reach.Allowed: "ALLOWED"}

// ifs says a condition, one thing that must hold a line.
func (c canText) ifs(i query.If) []string {
	i.Names.Max = c.lines
	return i.When.Lines(when.Always, i.Names)
}

// groups says what each CNI makes of it, and why: once for each verdict, or for each reason where
// there is one verdict.
func (c canText) groups() Document {
	type row struct {
		verdict reach.Verdict
		when    query.If
		cni     []string
	}
	var rows []row
	for _, g := range c.Groups {
		i := slices.IndexFunc(rows, func(r row) bool { return r.verdict == g.Verdict && r.when.When.Equal(g.When.When) })
		if i < 0 {
			i = len(rows)
			rows = append(rows, row{verdict: g.Verdict, when: g.When})
		}
		rows[i].cni = append(rows[i].cni, g.CNI...)
	}
	notes := Notes{}
	for _, r := range rows {
		slices.Sort(r.cni)
		note := Note{Label: capitals[r.verdict], Tone: verdictTone(r.verdict), Text: "on " + strings.Join(r.cni, ", "), Below: c.ifs(r.when)}
		if r.verdict == reach.NotEnforced {
			note.Text += ", not enforced"
		}
		notes = append(notes, note)
	}
	doc := Document{notes}
	if len(rows) == 1 {
		doc = Document{Paragraph{Text: "on each of these CNIs, for different reasons", Tone: Dim}}
		for _, line := range c.ifs(rows[0].when) {
			doc = append(doc, Paragraph{Text: line, Tone: Strong})
		}
	}
	explained := map[reach.Verdict]bool{}
	for _, g := range c.Groups {
		if explained[g.Verdict] && len(rows) > 1 {
			continue
		}
		explained[g.Verdict] = true
		head := Heading{Text: "on " + strings.Join(g.CNI, ", ")}
		if len(rows) > 1 {
			head.Mark, head.Tone = capitals[g.Verdict], verdictTone(g.Verdict)
		}
		if g.Verdict == reach.NotEnforced {
			head.Text += ", not enforced"
		}
		doc = append(append(doc, head), c.steps(g)...)
	}
	return doc
}

// steps says why the answer under some CNIs is what it is, and what of the CNIs decided.
func (c canText) steps(g query.Group) Document {
	var doc Document
	for _, s := range g.Steps {
		doc = append(doc, c.step(g, s)...)
	}
	notes := Notes{}
	for _, f := range g.Facts {
		is := map[cni.Answer]string{cni.Yes: f.Asks, cni.No: f.Not, cni.Uncertain: "not certain: " + f.Asks}[f.Answer]
		n := Note{Label: "on " + f.CNI, Tone: Dim, Text: is}
		if f.Source != "" {
			n.Below = []string{f.Source}
		}
		notes = append(notes, n)
	}
	if len(notes) > 0 {
		doc = append(doc, notes)
	}
	return doc
}

// short leaves a kind out of "namespace/Kind/name" that only says "the pods of". A port and a
// protocol may follow.
func short(id string) string {
	name, port := id, ""
	if i := strings.IndexByte(id, ':'); i >= 0 && strings.Contains(id[:i], "/") {
		name, port = id[:i], id[i:]
	}
	parts := strings.Split(name, "/")
	if len(parts) >= 3 && parts[1] != "Service" && parts[1] != "Pod" {
		return parts[0] + "/" + strings.Join(parts[2:], "/") + port
	}
	return id
}

func verdictTone(v reach.Verdict) Tone {
	switch v {
	case reach.Denied:
		return Good
	case reach.Allowed:
		return Strong
	case reach.NotEnforced:
		return Bad
	}
	return Warn
}

// step says why one connection passes or not.
func (c canText) step(g query.Group, s query.Step) Document {
	head := Heading{Text: s.From + " -> " + s.To}
	if s.Protocol != netset.NoProtocol {
		head.Text += fmt.Sprintf(" on %s %d", s.Protocol, s.Port)
	}
	if c.Asked.Port == 0 {
		head.Text += ", for example"
	}
	if len(g.Steps) > 1 || s.Verdict != g.Verdict {
		head.Mark, head.Tone = capitals[s.Verdict], verdictTone(s.Verdict)
	}
	doc := Document{head}
	for _, line := range c.ifs(s.Given) {
		doc = append(doc, Paragraph{Text: line})
	}
	if s.Judged != "" {
		doc = append(doc, Paragraph{Text: "egress is judged on " + s.Judged, Tone: Dim})
	}
	notes := Notes{}
	for _, side := range s.Sides {
		notes = append(notes, c.side(side))
	}
	if len(notes) == 0 {
		notes = append(notes, Note{Text: "no network policy judges this"})
	}
	if len(doc) == 1 && len(g.Steps) == 1 && c.Asked.Port != 0 && short(c.From) == s.From && strings.HasPrefix(short(c.To), s.To) {
		doc[0] = Heading{} // the title says it
	}
	return append(doc, notes)
}

func (c canText) side(side query.Side) Note {
	n := Note{Label: side.Dir.String() + " of " + side.Of, Tone: Strong, Text: strings.ToLower(capitals[side.Verdict])}
	n.Below = append(n.Below, c.ifs(side.When)...)
	switch {
	case side.Because != "":
		n.Below = append(n.Below, side.Because)
		return n
	case len(side.Isolating) > 0 || len(side.By) > 0:
	case side.Verdict == reach.Denied:
		n.Below = append(n.Below, "no policy selects it, and this CNI then denies everything")
		return n
	default:
		n.Below = append(n.Below, "no policy selects it: everything passes")
		return n
	}
	for _, r := range side.By {
		verb := "allowed by "
		switch {
		case r.Path == "":
			verb = "could not be read: "
		case r.Denies && side.Verdict == reach.Denied:
			verb = "denied by "
		case r.Denies:
			verb = "may be denied by "
		case side.Verdict != reach.Allowed:
			verb = "may be allowed by "
		}
		n.Below = append(n.Below, verb+ruleText(r))
	}
	for _, at := range side.Isolating {
		n.Below = append(n.Below, "selected by "+at.Object+" ("+at.Pos()+")")
	}
	if side.Verdict == reach.NotEnforced {
		n.Below = append(n.Below, "no rule allows it, and nothing enforces that")
	}
	if side.Verdict != reach.Denied {
		return n
	}
	if !slices.ContainsFunc(side.By, func(r query.Rule) bool { return r.Denies }) {
		n.Below = append(n.Below, "no rule allows it")
	}
	peer := [...]string{policy.Egress: "destination", policy.Ingress: "client"}[side.Dir]
	for _, near := range side.Near {
		why := "the port matches, the " + peer + " does not"
		switch {
		case near.Except.IsValid():
			why = "its except " + near.Except.String() + " holds the address, and the longest CIDR decides"
		case near.Miss == reach.MissPort:
			why = "the " + peer + " matches, the port does not"
		}
		n.Below = append(n.Below, "close: "+ruleText(near.Rule)+": "+why)
	}
	return n
}

func ruleText(r query.Rule) string {
	text := r.Origin.Object
	if r.Path != "" {
		text = r.Path + " of " + text
	}
	return text + " (" + r.Origin.Pos() + ")"
}

// wayOut says what would have to change for the opposite answer.
func wayOut(a query.Answer) Block {
	if a.Verdict != reach.Denied && a.Verdict != reach.Allowed || len(a.Groups) > 1 {
		return nil
	}
	fields := Fields{}
	add := func(text string) {
		name := "to deny it"
		if a.Verdict == reach.Denied {
			name = "to allow it"
		}
		if slices.ContainsFunc(fields, func(f Field) bool { return f.Text == text }) {
			return
		}
		if len(fields) > 0 {
			name = "or"
			if a.Verdict == reach.Denied {
				name = "and"
			}
		}
		fields = append(fields, Field{Name: name, Text: text})
	}
	for _, s := range a.Steps {
		for _, side := range s.Sides {
			switch {
			case a.Verdict == reach.Denied && side.Verdict == reach.Denied && len(side.By) > 0:
				for _, r := range side.By {
					add("narrow " + ruleText(r))
				}
			case a.Verdict == reach.Denied && side.Verdict == reach.Denied:
				add(fmt.Sprintf("a policy that selects %s needs an %s rule for %s", side.Of, side.Dir, otherEnd(s, side.Dir)))
			case a.Verdict == reach.Denied || side.Verdict == reach.Denied || side.Because != "":
			case len(side.By) > 0:
				var rules []string
				for _, r := range side.By {
					rules = append(rules, ruleText(r))
				}
				add("narrow " + strings.Join(rules, " and "))
			case len(side.Isolating) == 0:
				add(fmt.Sprintf("a policy that selects %s, with %s in its policyTypes and no rule that matches", side.Of, capital(side.Dir)))
			}
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return fields
}

// otherEnd names whom a rule in a direction must allow, and on which port: egress may be judged on
// the address and port of a Service.
func otherEnd(s query.Step, d policy.Direction) string {
	if d == policy.Egress && s.Judged != "" {
		return s.Judged
	}
	end := s.To
	if d == policy.Ingress {
		end = s.From
	}
	return fmt.Sprintf("%s on %s %d", end, s.Protocol, s.Port)
}

func capital(d policy.Direction) string {
	text := d.String()
	return strings.ToUpper(text[:1]) + text[1:]
}
