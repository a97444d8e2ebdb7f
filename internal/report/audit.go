package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// How much of an audit a person sees before asking for all of it.
const (
	compared      = 200 // servers of which it is seen whether they are alike
	blocksShown   = 4   // blocks, each of servers that are alike
	alikeShown    = 6   // servers of one block
	rowsShown     = 12
	findingsShown = 4 // of a server
	commonShown   = 8 // of several in one block
	problemsShown = 20
	callersShown  = 6
	tableProfiles = 4 // up to how many CNIs have a column each
)

// Audit is the report that a person reads first: what was assumed, then the servers, worst first,
// with what each can reach, who can reach it, why, and where to start. Servers that are alike have
// one block together.
func Audit(res audit.Result, o Options) Document {
	doc := Document{Heading{
		Mark: res.Summary.Grade, Tone: gradeTone(res.Summary.Grade),
		Text:  count(res.Summary.Servers, "MCP server") + " among " + count(res.Summary.Workloads, "workload") + " and " + count(res.Summary.Policies, "policy"),
		Aside: severities(res.Summary.BySeverity),
	}}
	doc = append(doc, basisBlocks(Basis{Assumptions: res.Assumptions, Problems: res.Problems}, o)...)
	byServer := map[string][]finding.Finding{}
	for _, f := range res.Findings {
		byServer[f.Server] = append(byServer[f.Server], f)
	}
	a := auditText{res, o, map[string]string{}}
	worst, rest := res.Servers, []audit.Server(nil)
	if !o.Verbose && len(worst) > compared {
		worst, rest = worst[:compared], worst[compared:]
	}
	var more []audit.Server
	for i, b := range a.alike(worst) {
		if i >= blocksShown && !o.Verbose {
			more = append(more, b.servers...)
			continue
		}
		doc = append(doc, a.block(b, byServer)...)
	}
	doc = append(doc, serverRows(append(more, rest...), byServer)...)
	if input := byServer[""]; len(input) > 0 {
		doc = append(doc, Heading{Text: "In the input"})
		doc = append(doc, a.findings(together(nil, input), findingsShown)...)
	}
	if len(res.Findings) > 0 {
		doc = append(doc, Heading{}, Paragraph{Text: "toolmoat rules " + res.Findings[0].Rule + " explains a rule; --verbose prints every finding with its fix.", Tone: Dim})
	}
	return doc
}

func problems(ps []finding.Problem, o Options) Document {
	if len(ps) == 0 {
		return nil
	}
	notes := Notes{}
	for i, p := range ps {
		if i == problemsShown && !o.Verbose {
			notes = append(notes, Note{Text: fmt.Sprintf("and %d more: --verbose", len(ps)-i)})
			break
		}
		n := Note{Label: p.Rule, Tone: Warn, Text: p.Message}
		if at := p.Origin.Pos(); at != "" {
			n.Text = at + ": " + n.Text
		}
		if p.Hint != "" && (i == 0 || ps[i-1].Hint != p.Hint) {
			n.Below = []string{"hint: " + p.Hint}
		}
		notes = append(notes, n)
	}
	return Document{Heading{Text: "Incomplete", Aside: "not judged; what a policy among them could change is unknown, and counts as unsafe"}, notes}
}

// auditText words an audit.
type auditText struct {
	res audit.Result
	Options
	said map[string]string // findings that stand in a block above, and whose block that is
}

// block is servers of which the same is to be said, but for their findings.
type block struct {
	servers []audit.Server
	facts   Document // what they can reach, and who can reach them
}

// alike puts servers together that have the same grade, reach the same and are reached alike, in
// the order of the first of each.
func (a auditText) alike(servers []audit.Server) []block {
	var out []block
	at := map[string]int{}
	for _, srv := range servers {
		facts := a.facts(srv)
		key := fmt.Sprint(srv.Grade, srv.Grades, facts)
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, block{facts: facts})
		}
		out[i].servers = append(out[i].servers, srv)
	}
	return out
}

// facts is what a server can reach and who can reach it: in words, or by CNI where there are a few.
func (a auditText) facts(srv audit.Server) Document {
	var fields Fields
	if srv.Grades != nil {
		fields = append(fields, Field{Name: "grade", Text: a.grades(srv.Grades)})
	}
	if n := a.res.Program.Worlds().Count(); n > 1 && n <= tableProfiles {
		return append(Document{append(fields, a.callers(srv.By)...)}, a.table(srv)...)
	}
	return Document{slices.Concat(fields, a.destinations(srv), a.callers(srv.By))}
}

// worlds returns the CNIs of some names.
func (a auditText) worlds(names []string) (out reach.Worlds) {
	for i, profile := range a.res.Program.AllProfiles() {
		if slices.Contains(names, profile.Name) {
			out |= 1 << i
		}
	}
	return out
}

// grades lists what grade a server has on which CNIs, the worst first.
func (a auditText) grades(by map[string]string) string {
	names := map[string][]string{}
	for name, grade := range by {
		names[grade] = append(names[grade], name)
	}
	var out []string
	for _, grade := range slices.Backward(slices.Sorted(maps.Keys(names))) {
		if len(out) > 0 && len(out) == len(names)-1 {
			out = append(out, grade+" on the others")
		} else {
			out = append(out, grade+" "+a.limit(a.worlds(names[grade])))
		}
	}
	return strings.Join(out, "; ")
}

// block is servers that are alike, with their findings.
func (a auditText) block(b block, byServer map[string][]finding.Finding) Document {
	var doc Document
	for i, srv := range b.servers {
		if i == alikeShown && !a.Verbose && len(b.servers) > alikeShown+1 {
			var names []string
			for _, srv := range b.servers[i:] {
				names = append(names, srv.ID)
			}
			doc = append(doc, Paragraph{Text: "and " + count(len(names), "server") + " alike: " + some(names), Tone: Dim})
			break
		}
		doc = append(doc, Heading{Mark: srv.Grade, Tone: gradeTone(srv.Grade), Text: srv.ID, Aside: about(srv), Close: i > 0})
	}
	fs := together(b.servers, nil)
	for _, srv := range b.servers {
		fs.add(srv, byServer[srv.ID])
	}
	facts := slices.Clone(b.facts)
	if fix := firstFix(byServer[b.servers[0].ID]); fix != "" {
		fields, _ := facts[0].(Fields)
		facts[0] = append(slices.Clip(fields), Field{Name: "fix first", Text: fix, Tone: Strong})
	}
	doc = append(doc, facts...)
	if a.Verbose {
		notes := Notes{}
		for _, srv := range b.servers {
			for _, e := range srv.Evidence {
				n := Note{Label: "evidence", Tone: Dim, Text: e.Detail}
				if len(b.servers) > 1 {
					n.Text = srv.ID + ": " + n.Text
				}
				notes = append(notes, n)
			}
		}
		doc = append(doc, notes)
	}
	most := findingsShown
	if len(b.servers) > 1 {
		most = commonShown
	}
	return append(doc, a.findings(fs, most)...)
}

func about(srv audit.Server) string {
	about := []string{srv.Kind}
	if srv.Catalog != "" {
		about = append([]string{srv.Catalog}, about...)
	}
	if len(srv.Ports) > 0 {
		about = append(about, netset.ConnsOf(netset.TCP, netset.Points(srv.Ports...)).String())
	}
	return strings.Join(append(about, "score "+strconv.Itoa(srv.Score), srv.Origin.Pos()), " · ")
}

func serverRows(rest []audit.Server, byServer map[string][]finding.Finding) Document {
	if len(rest) == 0 {
		return nil
	}
	table := Table{Header: []string{"GRADE", "SERVER", "WORST FINDING"}}
	for i, srv := range rest {
		if i == rowsShown {
			break
		}
		worst := ""
		if fs := byServer[srv.ID]; len(fs) > 0 {
			worst = fs[0].Severity.String() + " " + fs[0].Rule + ": " + fs[0].Message
		}
		table.Rows = append(table.Rows, []string{srv.Grade, srv.ID, worst})
	}
	doc := Document{Heading{Text: count(len(rest), "more server")}, table}
	if len(rest) > rowsShown {
		doc = append(doc, Paragraph{Text: fmt.Sprintf("and %d more. --server NAMESPACE/NAME shows one whole, --verbose all of them.", len(rest)-rowsShown), Tone: Dim})
	}
	return doc
}

// firstFix is where to start: at what leaves a server open altogether, else at the worst finding.
func firstFix(fs []finding.Finding) string {
	for _, id := range []string{"TM106", "TM102", "TM104", "TM101"} {
		if i := slices.IndexFunc(fs, func(f finding.Finding) bool { return f.Rule == id }); i >= 0 {
			return fs[i].Fix
		}
	}
	// A gateway that cannot reach its servers is what makes people delete policies.
	i := slices.IndexFunc(fs, func(f finding.Finding) bool { return f.Rule == "TM206" && f.Severity == fs[0].Severity })
	if i = max(i, 0); len(fs) > 0 {
		return fs[i].Fix
	}
	return ""
}

func gradeTone(grade string) Tone {
	switch grade {
	case "A", "B":
		return Good
	case "C", "D":
		return Warn
	}
	return Bad
}

func severityTone(s finding.Severity) Tone {
	switch s {
	case finding.Critical, finding.High:
		return Bad
	case finding.Medium:
		return Warn
	}
	return Dim
}

func severities(by map[string]int) string {
	var parts []string
	for _, s := range finding.Severities {
		if n := by[s.String()]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+s.String())
		}
	}
	if parts == nil {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}

func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "cy"):
		return strconv.Itoa(n) + " " + strings.TrimSuffix(noun, "y") + "ies"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
