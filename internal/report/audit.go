package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/audit"
	"github.com/toolmoat/toolmoat/internal/blast"
	"github.com/toolmoat/toolmoat/internal/finding"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/reach"
)

// How much of an audit a person sees before asking for all of it.
const (
	blocksShown   = 4 // servers with a block of their own
	rowsShown     = 12
	findingsShown = 4 // of a server
	problemsShown = 20
	callersShown  = 6
)

// Audit is the report that a person reads first: what was assumed, then the servers, worst first, with what each can reach, who can reach it, why, and
// where to start.
func Audit(res audit.Result, o Options) Document {
	doc := Document{Heading{
		Mark: res.Summary.Grade, Tone: gradeTone(res.Summary.Grade),
		Text:  count(res.Summary.Servers, "MCP server") + " among " + count(res.Summary.Workloads, "workload") + " and " + count(res.Summary.Policies, "policy"),
		Aside: severities(res.Summary.BySeverity),
	}}
	if o.Verbose {
		notes := Notes{}
		for _, a := range res.Assumptions {
			notes = append(notes, Note{Label: "assumed", Tone: Dim, Text: a})
		}
		doc = append(doc, notes)
	} else if len(res.Assumptions) > 0 {
		doc = append(doc, Paragraph{Text: "Assumed: " + res.Assumptions[0] + "; " + strconv.Itoa(len(res.Assumptions)-1) + " more with --verbose.", Tone: Dim})
	}
	doc = append(doc, problems(res.Problems, o)...)
	byServer := map[string][]finding.Finding{}
	for _, f := range res.Findings {
		byServer[f.Server] = append(byServer[f.Server], f)
	}
	shown := res.Servers
	if !o.Verbose && len(shown) > blocksShown {
		shown = shown[:blocksShown]
	}
	for _, srv := range shown {
		doc = append(doc, serverBlock(srv, byServer[srv.ID()], o)...)
	}
	doc = append(doc, serverRows(res.Servers[len(shown):], byServer)...)
	if rest := byServer[""]; len(rest) > 0 {
		doc = append(doc, Heading{Text: "In the input"})
		doc = append(doc, findingNotes(rest, o, "")...)
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
		if p.Hint != "" {
			n.Below = []string{"hint: " + p.Hint}
		}
		notes = append(notes, n)
	}
	return Document{Heading{Text: "Incomplete", Aside: "not judged; what a policy among them could change is unknown, and counts as unsafe"}, notes}
}

func serverBlock(srv audit.Server, fs []finding.Finding, o Options) Document {
	about := []string{srv.Kind}
	if srv.Catalog != "" {
		about = append([]string{srv.Catalog}, about...)
	}
	if len(srv.Ports) > 0 {
		about = append(about, netset.ConnsOf(netset.TCP, netset.Points(srv.Ports...)).String())
	}
	about = append(about, "score "+strconv.Itoa(srv.Score), srv.Origin.Pos())
	can, cannot := destinations(srv)
	fields := Fields{}
	if can != "" {
		fields = append(fields, Field{Name: "can reach", Text: can})
	}
	if cannot != "" {
		fields = append(fields, Field{Name: "cannot reach", Text: cannot, Tone: Good})
	}
	fields = append(fields, Field{Name: "called by", Text: callers(srv.ReachableBy)})
	if fix := firstFix(fs); fix != "" {
		fields = append(fields, Field{Name: "start with", Text: fix, Tone: Strong})
	}
	doc := Document{Heading{Mark: srv.Grade, Tone: gradeTone(srv.Grade), Text: srv.ID(), Aside: strings.Join(about, " · ")}, fields}
	if o.Verbose {
		notes := Notes{}
		for _, e := range srv.Evidence {
			notes = append(notes, Note{Label: "evidence", Tone: Dim, Text: e.Detail})
		}
		doc = append(doc, notes)
	}
	return append(doc, findingNotes(fs, o, srv.Origin.Pos())...)
}

// findingNotes lists findings, with where each is written unless that is at.
func findingNotes(fs []finding.Finding, o Options, at string) Document {
	notes := Notes{}
	for i, f := range fs {
		if i == findingsShown && !o.Verbose {
			notes = append(notes, Note{Text: fmt.Sprintf("and %s: --verbose", count(len(fs)-i, "more finding")), Tone: Dim})
			break
		}
		n := Note{Label: f.Severity.String() + " " + f.Rule, Tone: severityTone(f.Severity), Text: f.Message}
		if pos := f.Origin.Pos(); pos != at {
			n.Text += " (" + pos + ")"
		}
		if f.Fix != "" && o.Verbose {
			n.Below = []string{"fix: " + f.Fix}
		}
		notes = append(notes, n)
	}
	return Document{notes}
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
		if fs := byServer[srv.ID()]; len(fs) > 0 {
			worst = fs[0].Severity.String() + " " + fs[0].Rule + ": " + fs[0].Message
		}
		table.Rows = append(table.Rows, []string{srv.Grade, srv.ID(), worst})
	}
	doc := Document{Heading{Text: count(len(rest), "more server")}, table}
	if len(rest) > rowsShown {
		doc = append(doc, Paragraph{Text: fmt.Sprintf("and %d more. --server NAMESPACE/NAME shows one whole, --verbose all of them.", len(rest)-rowsShown), Tone: Dim})
	}
	return doc
}

// destinations says in words what a server can and cannot reach.
func destinations(srv audit.Server) (can, cannot string) {
	var yes, no []string
	for _, d := range blast.Dests {
		r := srv.Reach[d.String()]
		if r.Verdict == reach.Denied {
			no = append(no, destinationNames[d])
		} else {
			yes = append(yes, destinationNames[d]+extent(d, r))
		}
	}
	return strings.Join(yes, "; "), strings.Join(no, ", ")
}

var destinationNames = map[blast.Dest]string{
	blast.Metadata: "credential endpoints", blast.KubeAPI: "the Kubernetes API", blast.Nodes: "nodes", blast.DNS: "DNS", blast.OtherServers: "other MCP servers",
	blast.SameNamespace: "its namespace", blast.OtherNamespaces: "other namespaces", blast.PrivateNetworks: "private networks", blast.Internet: "the internet",
}

// extent says how much of a destination class is open, where it is not all of it on any port.
func extent(d blast.Dest, r audit.Reach) string {
	switch r.Verdict {
	case reach.Unknown:
		return " (unknown)"
	case reach.Depends:
		return " (depends)"
	}
	if d == blast.Metadata || r.Extent == blast.All && d != blast.Internet {
		return ""
	}
	open := slices.DeleteFunc(slices.Clone(r.To), func(t audit.Target) bool { return t.Verdict != reach.Allowed || t.CIDR+t.Pods == "" })
	slices.SortStableFunc(open, func(t, u audit.Target) int { return cmp.Compare(bits(t.CIDR), bits(u.CIDR)) })
	var what []string
	for _, t := range open {
		if name := t.CIDR + t.Pods; slices.Equal(t.Conns, open[0].Conns) && !slices.Contains(what, name) {
			what = append(what, name)
		}
	}
	if len(what) == 0 {
		return ""
	}
	if len(what) > 2 {
		what = append(what[:2], strconv.Itoa(len(what)-2)+" more")
	}
	return " (" + strings.Join(what, ", ") + " on " + partsText(open[0].Conns) + ")"
}

// bits is the length of a prefix; what is none comes first.
func bits(cidr string) int {
	_, length, _ := strings.Cut(cidr, "/")
	n, _ := strconv.Atoi(length)
	return n
}

func partsText(parts []netset.Part) string {
	var texts []string
	for _, p := range parts {
		text := p.Protocol + " " + p.Ports
		if p.Ports == "1-65535" {
			text = p.Protocol + " any port"
		}
		texts = append(texts, text)
	}
	if len(parts) == len(netset.Protocols) && !slices.ContainsFunc(parts, func(p netset.Part) bool { return p.Ports != "1-65535" }) {
		return "any port"
	}
	return strings.Join(texts, " · ")
}

// callers says in words who can connect to a server. What a node always can is left out: it is an assumption of every report.
func callers(cs []audit.Caller) string {
	anybody := slices.ContainsFunc(cs, func(c audit.Caller) bool { return c.Who == blast.AnyPod && c.Verdict == reach.Allowed })
	var texts []string
	for _, c := range cs {
		text := ""
		if anybody && c.Who != blast.AnyPod && c.Who != blast.External {
			continue
		}
		switch c.Who {
		case blast.AnyPod:
			text = strings.Replace(c.Text, "new pod", "pod", 1)
		case blast.NamespacePod:
			text = "any pod of its namespace"
		case blast.Hypothetical:
			text = strings.Replace(c.Text, "new pod", "pod", 1)
		case blast.NodeCallers:
			if c.Verdict != reach.Allowed {
				continue
			}
			text = "nodes"
		case blast.GatewayPods:
			text = "gateway " + some(c.Names)
		case blast.Pods:
			text = some(c.Names)
		default:
			text = "from outside: " + some(c.Names)
		}
		switch c.Verdict {
		case reach.Depends:
			text += " (if " + c.When + ")"
		case reach.Unknown:
			text += " (unknown)"
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if texts == nil {
		return "nobody but its own node"
	}
	if len(texts) > callersShown {
		texts = append(texts[:callersShown], strconv.Itoa(len(texts)-callersShown)+" more")
	}
	return strings.Join(texts, "; ")
}

func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " and " + strconv.Itoa(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
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
