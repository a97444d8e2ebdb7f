package report

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/query"
	"github.com/toolmoat/toolmoat/internal/analysis/rule"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Rules lists rules, one a line.
func Rules(rules []rule.Rule) Document {
	table := Table{Header: []string{"RULE", "SEVERITY", "TITLE"}}
	for _, r := range rules {
		table.Rows = append(table.Rows, []string{r.ID, r.Severity.String(), r.Title})
	}
	return Document{table}
}

// Rule explains one rule.
func Rule(r rule.Rule) Document {
	doc := Document{Heading{Mark: r.ID, Tone: severityTone(r.Severity), Text: r.Title, Aside: r.Severity.String() + ", since " + r.Since}, Paragraph{Text: r.Why},
		Fields{{Name: "fires on", Text: r.Bad}, {Name: "silent on", Text: r.Good}}}
	for _, ref := range r.References {
		doc = append(doc, Fields{{Name: "see", Text: ref}})
	}
	return doc
}

// FactsResult is the JSON contract of the rules command with --facts.
type FactsResult struct {
	Schema string           `json:"schema"`
	Facts  []reach.FactKind `json:"facts"`
}

// FactsJSON returns the kinds of facts that conditions may ask for as JSON.
func FactsJSON() FactsResult {
	return FactsResult{"toolmoat.dev/facts-of-conditions/v1", factKinds()}
}

func factKinds() []reach.FactKind { return slices.Concat(reach.FactKinds, query.FactKinds) }

// Facts lists the kinds of facts that conditions may ask for.
func Facts() Document {
	kinds := factKinds()
	notes := make(Notes, len(kinds))
	for i, k := range kinds {
		notes[i] = Note{Label: k.Pattern, Tone: Strong, Text: k.What, Below: []string{"answers: " + k.Answers}}
		if k.Example != k.Pattern {
			notes[i].Aside = []string{"example: " + k.Example}
		}
	}
	return Document{Paragraph{Text: `A condition in JSON is "if": a list of alternatives, each a list of facts that must all be so. These are the facts, by their ids; ` +
		`<end> is src, dst or via, and <rule> a policy, a direction and a number. An answer may be several, with commas between them.`}, notes}
}

// Grading explains how findings become a grade.
func Grading(deductions map[finding.Severity]int, severities []finding.Severity) Document {
	table := Table{Header: []string{"SEVERITY", "POINTS"}}
	for _, s := range severities {
		table.Rows = append(table.Rows, []string{s.String(), strconv.Itoa(-deductions[s])})
	}
	return Document{Paragraph{Text: "A server starts at 100 points. Each rule that reports it counts once, at its worst severity:"}, table,
		Paragraph{Text: "A from 90, B from 80, C from 70, D from 60, else F. Any critical finding makes it F; any high one C at best."}}
}

// ProfilesSchema is the schema of what the rules command says of plugins.
const ProfilesSchema = "toolmoat.dev/profiles/v1"

// ProfilesResult is the JSON contract of the rules command with --cni.
type ProfilesResult struct {
	Schema   string       `json:"schema"`
	Profiles []cniProfile `json:"profiles"`
}

type cniProfile struct {
	Name          string        `json:"name"`
	Title         string        `json:"title"`
	Version       string        `json:"version"`
	Versions      *versions     `json:"versions,omitempty"` // that can be asked about
	Modes         []string      `json:"modes,omitempty"`    // that can be asked for
	Cloud         string        `json:"cloud,omitempty"`
	Facts         []cniFact     `json:"facts"`           // one for each question, in the same order for every profile
	Kinds         []cniKind     `json:"kinds"`           // by name
	Agent         *cniAgent     `json:"agent,omitempty"` // whose DaemonSet a node must run for policies to be enforced
	Resolvers     []cniResolver `json:"resolvers"`
	Places        []cniPlace    `json:"places"` // one for each kind of object, in the same order for every profile
	PortsPerBlock int           `json:"portsPerBlock,omitempty"`
	LimitSource   string        `json:"limitSource,omitempty"`
	Other         []string      `json:"other"`
}

type versions struct {
	First string `json:"first"`
	Last  string `json:"last"`
}

type cniAgent struct {
	Name   string   `json:"name"`
	Names  []string `json:"names"` // of its DaemonSets and of its container in them
	Source string   `json:"source"`
}

type cniFact struct {
	Question string `json:"question"`
	Asks     string `json:"asks"`
	Answer   string `json:"answer"` // "yes", "no" or "uncertain"
	Source   string `json:"source"`
}

type cniKind struct {
	Kind   string `json:"kind"`
	Answer string `json:"answer"` // whether policies of this kind are enforced
	Source string `json:"source"`
}

type cniResolver struct {
	Name   string       `json:"name"`
	Where  string       `json:"where"` // "pod" or "node"
	Port   netset.Port  `json:"port"`
	Addrs  []netip.Addr `json:"addresses"`
	Always bool         `json:"always"`
	Source string       `json:"source"`
}

// cniPlace is where objects have their addresses, if the input does not show them: typically, and
// wherever they can be.
type cniPlace struct {
	Of       string         `json:"of"` // "pods", "services", "nodes" or "kubeApi"
	Typical  []netip.Prefix `json:"typical"`
	Possible []netip.Prefix `json:"possible"`
	Source   string         `json:"source"`
}

// ProfilesJSON returns what is known of plugins as JSON.
func ProfilesJSON(profiles []cni.Profile) ProfilesResult {
	out := ProfilesResult{Schema: ProfilesSchema, Profiles: []cniProfile{}}
	for _, p := range profiles {
		one := cniProfile{Name: p.Name, Title: p.Title, Version: p.Version, Cloud: p.Cloud, Facts: []cniFact{}, Kinds: []cniKind{}, Resolvers: []cniResolver{},
			PortsPerBlock: p.PortsPerBlock, LimitSource: p.LimitSource, Other: append([]string{}, p.Other...)}
		if one.Modes = p.Modes(); p.Known != (cni.Versions{}) {
			one.Versions = &versions{p.Known.First, p.Known.Last}
		}
		if a := p.Agent; a.Name != "" {
			one.Agent = &cniAgent{a.Name, a.Names, a.Source}
		}
		for q, f := range p.Facts {
			question := cni.Question(q)
			one.Facts = append(one.Facts, cniFact{question.Name(), question.String(), f.Answer.String(), f.Source})
		}
		for _, kind := range slices.Sorted(maps.Keys(p.Kinds)) {
			one.Kinds = append(one.Kinds, cniKind{kind, p.Kinds[kind].Answer.String(), p.Kinds[kind].Source})
		}
		for _, r := range p.Resolvers {
			one.Resolvers = append(one.Resolvers, cniResolver{r.Name, resolverPlace(r), r.Port, append([]netip.Addr{}, r.Addrs...), r.Always, r.Source})
		}
		for o := range cni.Objects {
			at := p.Place(o)
			one.Places = append(one.Places, cniPlace{o.Name(), netset.CIDRs(at.Typical), netset.CIDRs(at.Possible), at.Source})
		}
		out.Profiles = append(out.Profiles, one)
	}
	return out
}

// placeNotes says where objects of a profile have their addresses, those together that have the same.
func placeNotes(p cni.Profile) Notes {
	var out Notes
	for o := cni.Object(0); o < cni.Objects; {
		at, names := p.Place(o), []string{o.String()}
		for o++; o < cni.Objects && p.Place(o).Source == at.Source; o++ {
			names = append(names, o.String())
		}
		text := strings.Join(names, ", ") + ": typically " + reach.PrefixText(netset.CIDRs(at.Typical), 10) + "; in the worst case " + reach.PrefixText(netset.CIDRs(at.Possible), 10)
		out = append(out, Note{Text: text, Below: []string{at.Source}})
	}
	return out
}

func resolverPlace(r cni.Resolver) string {
	if r.Pod {
		return "pod"
	}
	return "node"
}

// Profiles says what is known of plugins, each answer with its source below.
func Profiles(profiles []cni.Profile) Document {
	var doc Document
	for _, p := range profiles {
		aside := "read from " + p.Version
		if p.Cloud != "" {
			aside += "; in " + p.Cloud
		}
		doc = append(doc, Heading{Mark: p.Name, Tone: Strong, Text: p.Title}, Paragraph{Text: aside, Tone: Dim})
		var asks Notes
		plugin, _, _ := strings.Cut(p.Name, ":")
		if p.Known != (cni.Versions{}) {
			asks = append(asks, Note{Text: p.Known.String() + ": --cni " + plugin + ":" + p.Known.Last})
		}
		for _, mode := range p.Modes() {
			asks = append(asks, Note{Text: "mode " + mode + ": --cni " + plugin + ":" + mode})
		}
		if asks != nil {
			doc = append(doc, Heading{Text: "What can be asked for"}, asks)
		}

		var facts, kinds, resolvers Notes
		for q, f := range p.Facts {
			facts = append(facts, factNote(f, cni.Question(q).String()))
		}
		for _, kind := range slices.Sorted(maps.Keys(p.Kinds)) {
			kinds = append(kinds, factNote(p.Kinds[kind], kind))
		}
		for _, r := range p.Resolvers {
			resolvers = append(resolvers, Note{Text: resolverText(r), Below: []string{r.Source}})
		}
		doc = append(doc, Heading{Text: "How it enforces"}, facts, Heading{Text: "Kinds of policy it enforces"}, kinds)
		if p.Agent.Name != "" {
			doc = append(doc, Heading{Text: "On which nodes"}, Notes{{Text: "those on which DaemonSet " + p.Agent.Name + " runs", Below: []string{p.Agent.Source}}})
		}
		doc = append(doc, Heading{Text: "Where the cluster's DNS may answer"}, resolvers, Heading{Text: "Where addresses lie that the input does not show"}, placeNotes(p))
		if p.PortsPerBlock > 0 {
			text := strconv.Itoa(p.PortsPerBlock) + " ports and ranges of ports for one block, all policies together"
			doc = append(doc, Heading{Text: "Limits"}, Notes{{Text: text, Below: []string{p.LimitSource}}})
		}
		if len(p.Other) > 0 {
			var other Notes
			for _, text := range p.Other {
				other = append(other, Note{Text: text})
			}
			doc = append(doc, Heading{Text: "Also"}, other)
		}
	}
	return doc
}

func factNote(f cni.Fact, text string) Note {
	tone := Strong
	if f.Answer == cni.Uncertain {
		tone = Warn
	}
	return Note{Label: f.Answer.String(), Tone: tone, Text: text, Below: []string{f.Source}}
}

func resolverText(r cni.Resolver) string {
	text := r.Name + ": "
	if !r.Pod {
		text += "on the node"
		for i, a := range r.Addrs {
			if i == 0 {
				text += " at " + a.String()
			} else {
				text += " or " + a.String()
			}
		}
		text += ", "
	}
	text += "port " + strconv.Itoa(int(r.Port))
	if r.Always {
		text += "; always"
	}
	return text
}
