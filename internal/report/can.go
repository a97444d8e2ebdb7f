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
)

// CanResult is the JSON contract of the can command.
type CanResult struct {
	Schema  string        `json:"schema"`
	From    string        `json:"from"`
	To      string        `json:"to"`
	Verdict reach.Verdict `json:"verdict"`
	When    string        `json:"when,omitempty"`
	Conns   []netset.Part `json:"conns"` // of those asked about, those that have the verdict
	Basis
	Notes  []string   `json:"notes"`
	Trace  canTrace   `json:"trace"`
	Facts  []canFact  `json:"facts"`  // what of the network plugin decided, where all answer alike
	Worlds []canWorld `json:"worlds"` // by network plugin, worst first; empty where all answer alike
}

// canWorld is the answer under some network plugins.
type canWorld struct {
	CNI     []string      `json:"cni"`
	Verdict reach.Verdict `json:"verdict"`
	When    string        `json:"when,omitempty"`
	Conns   []netset.Part `json:"conns"`
	Trace   canTrace      `json:"trace"`
	Facts   []canFact     `json:"facts"`
}

// canFact is something known of a plugin without which the answer would be another one.
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
	World    string        `json:"world,omitempty"`
	Verdict  reach.Verdict `json:"verdict"`
	When     string        `json:"when,omitempty"`
	Sides    []canSide     `json:"sides"`
}

type canSide struct {
	Direction  string          `json:"direction"`
	Of         string          `json:"of"`
	Verdict    reach.Verdict   `json:"verdict"`
	When       string          `json:"when,omitempty"`
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
	out := CanResult{Schema: CanSchema, From: a.From, To: a.To, Verdict: a.Verdict, When: a.When, Conns: a.Conns.Parts(), Basis: basis,
		Notes: append([]string{}, a.Notes...), Trace: traceOf(a.Steps), Facts: []canFact{}, Worlds: []canWorld{}}
	if len(a.Worlds) == 1 {
		out.Facts = factsOf(a.Worlds[0].Facts)
		return out
	}
	for _, w := range a.Worlds {
		out.Worlds = append(out.Worlds, canWorld{w.CNI, w.Verdict, w.When, w.Conns.Parts(), traceOf(w.Steps), factsOf(w.Facts)})
	}
	return out
}

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
		step := canStep{From: s.From, To: s.To, Judged: s.Judged, Protocol: s.Protocol.String(), Port: s.Port, Family: s.Family.String(), World: s.World,
			Verdict: s.Verdict, When: s.When, Sides: []canSide{}}
		for _, side := range s.Sides {
			out := canSide{Direction: side.Dir.String(), Of: side.Of, Verdict: side.Verdict, When: side.When,
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

// CanText is the report of an answer for people: the verdict, then why, then what would change it.
func CanText(a query.Answer, basis Basis, o Options) Document {
	head := Heading{Mark: a.Verdict.String(), Tone: verdictTone(a.Verdict), Text: short(a.From) + " -> " + short(a.To)}
	switch {
	case a.Asked.Port != 0:
	case a.Verdict == reach.Denied:
		head.Text += ", any port"
	default:
		head.Text += ", " + a.Conns.String()
	}
	doc := Document{head}
	switch {
	case len(a.Worlds) > 1:
		doc = append(doc, worldBlocks(a)...)
	default:
		if a.When != "" {
			doc = append(doc, Paragraph{Text: "if " + a.When, Tone: Strong})
		}
		for _, s := range a.Steps {
			doc = append(doc, stepBlocks(a, s)...)
		}
		for _, w := range a.Worlds {
			doc = append(doc, factBlocks(w.Facts)...)
		}
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

// worldBlocks says what each network plugin makes of it, and for each verdict, or for each reason where there is one verdict, why.
func worldBlocks(a query.Answer) Document {
	type row struct {
		verdict reach.Verdict
		when    string
		cni     []string
	}
	var rows []row
	for _, w := range a.Worlds {
		i := slices.IndexFunc(rows, func(r row) bool { return r.verdict == w.Verdict && r.when == w.When })
		if i < 0 {
			i = len(rows)
			rows = append(rows, row{verdict: w.Verdict, when: w.When})
		}
		rows[i].cni = append(rows[i].cni, w.CNI...)
	}
	doc := Document{}
	if len(rows) == 1 {
		doc = append(doc, Paragraph{Text: "on each of these plugins, for different reasons", Tone: Dim})
		if rows[0].when != "" {
			doc = append(doc, Paragraph{Text: "if " + rows[0].when, Tone: Strong})
		}
	} else {
		notes := Notes{}
		for _, r := range rows {
			slices.Sort(r.cni)
			n := Note{Label: r.verdict.String(), Tone: verdictTone(r.verdict), Text: "on " + strings.Join(r.cni, ", ")}
			if r.when != "" {
				n.Below = []string{"if " + r.when}
			}
			notes = append(notes, n)
		}
		doc = append(doc, notes)
	}
	explained := map[reach.Verdict]int{}
	for _, w := range a.Worlds {
		if explained[w.Verdict]++; explained[w.Verdict] > 1 && len(rows) > 1 {
			continue
		}
		head := Heading{Text: "on " + strings.Join(w.CNI, ", ")}
		if len(rows) > 1 {
			head.Mark, head.Tone = w.Verdict.String(), verdictTone(w.Verdict)
		}
		doc = append(doc, head)
		one := a
		one.Verdict, one.When, one.Steps = w.Verdict, w.When, w.Steps
		for _, s := range w.Steps {
			doc = append(doc, stepBlocks(one, s)...)
		}
		doc = append(doc, factBlocks(w.Facts)...)
	}
	return doc
}

// factBlocks says what of a plugin decided.
func factBlocks(facts []query.Fact) Document {
	if len(facts) == 0 {
		return nil
	}
	notes := Notes{}
	for _, f := range facts {
		is := map[cni.Answer]string{cni.Yes: "so", cni.No: "not so", cni.Uncertain: "not certain"}[f.Answer]
		n := Note{Label: "on " + f.CNI, Tone: Dim, Text: is + ": " + f.Asks}
		if f.Source != "" {
			n.Below = []string{f.Source}
		}
		notes = append(notes, n)
	}
	return Document{notes}
}

// short leaves a kind out of "namespace/Kind/name" that only says "the pods of". A port and a protocol may follow.
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

// stepBlocks says why one connection passes or not.
func stepBlocks(a query.Answer, s query.Step) Document {
	title := fmt.Sprintf("%s -> %s", s.From, s.To)
	if s.Protocol != netset.NoProtocol {
		title += fmt.Sprintf(" on %s %d", s.Protocol, s.Port)
	}
	head := Heading{Text: title}
	if a.Asked.Port == 0 {
		head.Text += ", for example"
	}
	if len(a.Steps) > 1 || s.Verdict != a.Verdict {
		head.Mark, head.Tone = s.Verdict.String(), verdictTone(s.Verdict)
	}
	var aside []string
	if s.World != "" {
		aside = append(aside, "if "+s.World)
	}
	if s.Judged != "" {
		aside = append(aside, "egress is judged on "+s.Judged)
	}
	head.Aside = strings.Join(aside, "; ")
	notes := Notes{}
	for _, side := range s.Sides {
		notes = append(notes, sideNote(side))
	}
	if len(notes) == 0 {
		notes = append(notes, Note{Text: "no network policy judges this"})
	}
	if len(a.Steps) == 1 && head.Aside == "" && a.Asked.Port != 0 && short(a.From) == s.From && strings.HasPrefix(short(a.To), s.To) {
		head = Heading{} // the title says it
	}
	return Document{head, notes}
}

func sideNote(side query.Side) Note {
	n := Note{Label: side.Dir.String() + " of " + side.Of, Tone: Strong, Text: side.Verdict.String()}
	if side.When != "" {
		n.Text += " if " + side.When
	}
	if side.Because != "" {
		n.Below = append(n.Below, side.Because)
		return n
	}
	if len(side.Isolating) == 0 && len(side.By) == 0 {
		text := "no policy isolates it: everything passes"
		if side.Verdict == reach.Denied {
			text = "no policy selects it, and this plugin then denies everything"
		}
		n.Below = append(n.Below, text)
		return n
	}
	for _, r := range side.By {
		verb := "let through by "
		switch {
		case r.Path == "":
			verb = "not judged: "
		case r.Denies && side.Verdict == reach.Denied:
			verb = "denied by "
		case r.Denies:
			verb = "perhaps denied by "
		case side.Verdict != reach.Allowed:
			verb = "perhaps let through by "
		}
		n.Below = append(n.Below, verb+ruleText(r))
	}
	for _, at := range side.Isolating {
		n.Below = append(n.Below, "isolated by "+at.Object+" ("+at.Pos()+")")
	}
	if side.Verdict == reach.NotEnforced {
		n.Below = append(n.Below, "no rule allows it, and nothing enforces that")
	}
	if side.Verdict == reach.Denied {
		if !slices.ContainsFunc(side.By, func(r query.Rule) bool { return r.Denies }) {
			n.Below = append(n.Below, "no rule allows it")
		}
		for _, near := range side.Near {
			why := "the port is right, the other end is not"
			switch {
			case near.Except.IsValid():
				why = "its exception " + near.Except.String() + " has the address, and the longest block decides"
			case near.Miss == reach.MissPort:
				why = "the other end is right, the port is not"
			}
			n.Below = append(n.Below, "close: "+ruleText(near.Rule)+": "+why)
		}
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
	if a.Verdict != reach.Denied && a.Verdict != reach.Allowed || len(a.Worlds) > 1 {
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
				add(fmt.Sprintf("a policy that selects %s needs an %s rule for %s on %s %d", side.Of, side.Dir, otherEnd(s, side.Dir), s.Protocol, s.Port))
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

func otherEnd(s query.Step, d policy.Direction) string {
	switch {
	case d == policy.Ingress:
		return s.From
	case s.Judged != "":
		return s.Judged
	}
	return s.To
}

func capital(d policy.Direction) string {
	text := d.String()
	return strings.ToUpper(text[:1]) + text[1:]
}
