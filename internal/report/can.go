package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/origin"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/query"
	"github.com/toolmoat/toolmoat/internal/reach"
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
	Notes []string `json:"notes"`
	Trace canTrace `json:"trace"`
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
	Near       []canRule       `json:"near,omitempty"`
}

type canRule struct {
	Path   string        `json:"path"`
	Origin origin.Origin `json:"origin"`
	Miss   string        `json:"miss,omitempty"` // "port" or "peer"
}

// Can returns what the can command answers as JSON.
func Can(a query.Answer, basis Basis) CanResult {
	basis = basis.orEmpty()
	basis.Assumptions = append(basis.Assumptions, a.Assumed...)
	out := CanResult{Schema: CanSchema, From: a.From, To: a.To, Verdict: a.Verdict, When: a.When, Conns: a.Conns.Parts(), Basis: basis,
		Notes: append([]string{}, a.Notes...), Trace: canTrace{Steps: []canStep{}}}
	for _, s := range a.Steps {
		step := canStep{From: s.From, To: s.To, Judged: s.Judged, Protocol: s.Protocol.String(), Port: s.Port, Family: s.Family.String(), World: s.World,
			Verdict: s.Verdict, When: s.When, Sides: []canSide{}}
		for _, side := range s.Sides {
			out := canSide{Direction: side.Dir.String(), Of: side.Of, Verdict: side.Verdict, When: side.When,
				IsolatedBy: append([]origin.Origin{}, side.Isolating...), Rules: []canRule{}}
			for _, r := range side.By {
				out.Rules = append(out.Rules, canRule{Path: r.Path, Origin: r.Origin})
			}
			for _, n := range side.Near {
				out.Near = append(out.Near, canRule{n.Path, n.Origin, missNames[n.Miss]})
			}
			step.Sides = append(step.Sides, out)
		}
		out.Trace.Steps = append(out.Trace.Steps, step)
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
	if a.When != "" {
		doc = append(doc, Paragraph{Text: "if " + a.When, Tone: Strong})
	}
	for _, s := range a.Steps {
		doc = append(doc, stepBlocks(a, s)...)
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
	if len(side.Isolating) == 0 && len(side.By) == 0 {
		n.Below = append(n.Below, "no policy isolates it: everything passes")
		return n
	}
	for _, r := range side.By {
		verb := "let through by "
		switch {
		case r.Path == "":
			verb = "not judged: "
		case side.Verdict != reach.Allowed:
			verb = "perhaps let through by "
		}
		n.Below = append(n.Below, verb+ruleText(r))
	}
	for _, at := range side.Isolating {
		n.Below = append(n.Below, "isolated by "+at.Object+" ("+at.Pos()+")")
	}
	if side.Verdict == reach.Denied {
		n.Below = append(n.Below, "no rule allows it")
		for _, near := range side.Near {
			why := "the port is right, the other end is not"
			if near.Miss == reach.MissPort {
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
	if a.Verdict != reach.Denied && a.Verdict != reach.Allowed {
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
			case a.Verdict == reach.Denied && side.Verdict == reach.Denied:
				add(fmt.Sprintf("a policy that selects %s needs an %s rule for %s on %s %d", side.Of, side.Dir, otherEnd(s, side.Dir), s.Protocol, s.Port))
			case a.Verdict == reach.Denied || side.Verdict == reach.Denied:
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
