package report

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Schemas of the JSON outputs.
const (
	MapSchema = "toolmoat.dev/map/v1"
	CanSchema = "toolmoat.dev/can/v1"
)

// Basis is what an answer rests on besides its own trace.
type Basis struct {
	CNI         []string          `json:"cni"`
	Complete    bool              `json:"complete"`
	Assumptions []string          `json:"assumptions"`
	Problems    []finding.Problem `json:"problems"`
}

// orEmpty returns b with lists that are not nil.
func (b Basis) orEmpty() Basis {
	b.CNI = append([]string{}, b.CNI...)
	b.Assumptions = append([]string{}, b.Assumptions...)
	b.Problems = append([]finding.Problem{}, b.Problems...)
	return b
}

// mapHead is all of a map but its connections, which follow it in the same object as a list of [connection].
//
// Where workloads are grouped, "groups" has the groups of more than one: {"name":"ns/Kind/name","members":["ns/Kind/name",...]}. A connection names
// a group by its name, which is that of its first member, and holds for every pair of members.
type mapHead struct {
	Schema string `json:"schema"`
	Basis
	Notes  []string       `json:"notes"`
	Groups []matrix.Group `json:"groups"`
}

// connection is an edge: from and to are "ns/Kind/name", a CIDR, a host name or a pattern of names, "nodes", "node ports", "kubernetes API" or "Service addresses".
// cni is under which network plugins it passes, where that is not all of the map's; "when" has that in words too.
type connection struct {
	From    string        `json:"from"`
	To      string        `json:"to"`
	Conns   []netset.Part `json:"conns"`
	Verdict reach.Verdict `json:"verdict"`
	When    string        `json:"when,omitempty"`
	CNI     []string      `json:"cni,omitempty"`
}

// rowsOf returns the rows of m and, if they name groups, the groups.
func rowsOf(m *matrix.Matrix, expand bool) (iter.Seq[matrix.Row], []matrix.Group) {
	if expand {
		return m.Expand(), []matrix.Group{}
	}
	return m.Rows(), m.Groups()
}

// MapJSON writes a map as JSON, one connection at a time.
func MapJSON(w io.Writer, m *matrix.Matrix, basis Basis, expand bool) error {
	rows, groups := rowsOf(m, expand)
	head, err := marshal(mapHead{MapSchema, basis.orEmpty(), m.Notes(), groups}, "")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	out.Write(bytes.TrimSuffix(head, []byte("\n}")))
	out.WriteString(",\n  \"connections\": [")
	separator := "\n    "
	for e := range matrix.Edges(rows) {
		c := connection{From: e.From, To: e.To, Conns: e.Conns.Parts(), Verdict: e.Verdict, When: e.When, CNI: m.Profiles(e.Worlds)}
		text, err := marshal(c, "    ")
		if err != nil {
			return err
		}
		out.WriteString(separator)
		if _, err := out.Write(text); err != nil {
			return err
		}
		separator = ",\n    "
	}
	if separator != "\n    " {
		out.WriteString("\n  ")
	}
	out.WriteString("]\n}\n")
	return out.Flush()
}

// Map is the report of a map for people.
func Map(m *matrix.Matrix, basis Basis, expand bool, o Options) Document {
	rows, groups := rowsOf(m, expand)
	size := map[string]int{}
	for _, g := range groups {
		size[g.Name] = len(g.Members)
	}
	workloads, n := m.Size()
	head := Heading{Text: count(workloads, "workload"), Aside: "policies read as " + readAs(basis.CNI)}
	if !expand && n != workloads {
		head.Text += fmt.Sprintf(" in %s of equal connections", count(n, "group"))
	}
	doc := append(Document{head}, basisBlocks(basis, o)...)
	name := func(e matrix.End) string {
		switch n := e.Name(); {
		case e.Kind == matrix.Services && len(e.Names) > 1:
			return fmt.Sprintf("%s and %d more Services", n, len(e.Names)-1)
		case e.Kind == matrix.Workloads && len(e.Names) > 1:
			return fmt.Sprintf("%s and %d more", n, len(e.Names)-1)
		default:
			return n
		}
	}
	doc = append(doc, Heading{}, Table{Header: []string{"FROM", "TO", "CONNECTIONS", "WHEN"}, Stream: func(yield func([]string) bool) {
		for r := range rows {
			if r.OwnNode && !o.Verbose {
				continue
			}
			if !yield([]string{name(r.From), name(r.To), r.Conns.String(), whenText(r.Verdict, r.When)}) {
				return
			}
		}
	}})
	doc = append(doc, groupBlocks(groups, o)...)
	notes := Notes{{Text: "what no row names is denied"}}
	if !o.Verbose {
		notes[0].Text += ", but that a pod's own node can connect to it, and with some plugins the pod to its own node"
	}
	for _, n := range m.Notes() {
		notes = append(notes, Note{Text: n})
	}
	return append(doc, Heading{}, notes)
}

// readAs says which network plugins policies are read for.
func readAs(cni []string) string {
	if len(cni) > 3 {
		return fmt.Sprintf("each of %d network plugins does", len(cni))
	}
	return strings.Join(cni, ", ")
}

func groupBlocks(groups []matrix.Group, o Options) Document {
	if len(groups) == 0 || !o.Verbose {
		return nil
	}
	notes := Notes{}
	for _, g := range groups {
		notes = append(notes, Note{Label: g.Name, Tone: Strong, Text: fmt.Sprintf("and %d more", len(g.Members)-1), Below: g.Members[1:]})
	}
	return Document{Heading{Text: "Groups"}, notes}
}

// whenText is in which worlds a connection passes; "" for all of them.
func whenText(v reach.Verdict, when string) string {
	switch {
	case v == reach.Allowed:
		return ""
	case when == "":
		return v.String()
	case v == reach.Depends:
		return "if " + when
	}
	return v.String() + ", if " + when
}

// basisBlocks says what an answer rests on.
func basisBlocks(basis Basis, o Options) Document {
	var doc Document
	switch {
	case o.Verbose:
		notes := Notes{}
		for _, a := range basis.Assumptions {
			notes = append(notes, Note{Label: "assumed", Tone: Dim, Text: a})
		}
		doc = append(doc, notes)
	case len(basis.Assumptions) == 1:
		doc = append(doc, Paragraph{Text: "Assumed: " + basis.Assumptions[0] + ".", Tone: Dim})
	case len(basis.Assumptions) > 1:
		doc = append(doc, Paragraph{Text: fmt.Sprintf("Assumed: %s; %d more with --verbose.", basis.Assumptions[0], len(basis.Assumptions)-1), Tone: Dim})
	}
	return append(doc, problems(basis.Problems, o)...)
}
