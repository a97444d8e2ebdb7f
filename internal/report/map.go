package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Schemas of the JSON outputs.
const (
	MapSchema = "toolmoat.dev/map/v1"
	CanSchema = "toolmoat.dev/can/v1"
)

// Basis is what an answer rests on besides its own trace.
type Basis struct {
	CNI         []string          `json:"cni"`
	Assume      string            `json:"assume"` // "typical" or "worst": what is taken to be so of what the input does not show
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

// mapHead is all of a map but its connections, which follow it in the same object as a list of
// [connection].
//
// Where workloads are grouped, "groups" has the groups of more than one:
// {"name":"ns/Kind/name","members":["ns/Kind/name",...]}. A connection names a group by its name,
// which is that of its first member, and holds for every pair of members.
type mapHead struct {
	Schema string `json:"schema"`
	Basis
	Notes  []string       `json:"notes"`
	Groups []matrix.Group `json:"groups"`
}

// connection is an edge: from and to are "ns/Kind/name", a CIDR, a host name or a pattern of names,
// "nodes", "node ports", "kubernetes API" or "Service addresses". cni is on which CNIs it passes,
// where that is not all of the map's; the condition has that too.
type connection struct {
	From    string        `json:"from"`
	To      string        `json:"to"`
	Conns   []netset.Part `json:"conns"`
	Verdict reach.Verdict `json:"verdict"`
	condition
	CNI []string `json:"cni,omitempty"`
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
	out := bufio.NewWriter(w)
	err := object(out, mapHead{MapSchema, basis.orEmpty(), m.Notes(), groups}, func() error {
		return list(out, "connections", matrix.Edges(rows), func(e matrix.Edge) any {
			r := e.Row
			return connection{e.From, e.To, r.Conns.Parts(), r.Verdict, conditionOf(r.When, r.Verdict, m.Words(r)), m.Profiles(r.When)}
		})
	})
	return cmp.Or(err, out.Flush())
}

// Map is the report of a map for people.
func Map(m *matrix.Matrix, basis Basis, expand bool, o Options) Document {
	most := 0
	if !o.Verbose {
		m, most = m.Brief(), linesOfWhen
	}
	rows, groups := rowsOf(m, expand)
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
			names := m.Words(r)
			names.Max = most
			lines := whenLines(r, names)
			if !yield([]string{name(r.From), name(r.To), r.Conns.String(), lines[0]}) {
				return
			}
			for _, line := range lines[1:] {
				if !yield([]string{name(r.From), "", "", line}) {
					return
				}
			}
		}
	}})
	doc = append(doc, groupBlocks(groups, o)...)
	notes := Notes{{Text: "what no row names is denied"}}
	if !o.Verbose {
		notes = append(notes, Note{Text: "rows are about different nodes; --verbose adds what passes between a pod and its own node"})
	}
	for _, n := range m.Notes() {
		notes = append(notes, Note{Text: n})
	}
	return append(doc, Heading{}, notes)
}

// readAs says which CNIs policies are read for.
func readAs(cni []string) string {
	if len(cni) > 3 {
		return fmt.Sprintf("each of %d CNIs does", len(cni))
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

// linesOfWhen is up to how many lines a condition has, unless the report is verbose.
const linesOfWhen = 2

// whenLines is under which conditions the connections of a row pass, one a line; one empty line for
// none.
func whenLines(r matrix.Row, names when.Names) []string {
	lines := r.When.Lines(when.Always, names)
	switch {
	case r.Verdict == reach.NotEnforced:
		return []string{"a policy denies it, but is not enforced"}
	case r.Verdict == reach.Unknown:
		return append([]string{"unknown"}, lines...)
	case lines == nil:
		return []string{""}
	}
	return lines
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
	case len(basis.Assumptions) > 0:
		first := basis.Assumptions[:min(len(basis.Assumptions), 2)]
		text := "Assumed: " + strings.Join(first, "; ")
		if more := len(basis.Assumptions) - len(first); more > 0 {
			text += fmt.Sprintf("; %d more with --verbose", more)
		}
		doc = append(doc, Paragraph{Text: text + ".", Tone: Dim})
	}
	return append(doc, problems(basis.Problems, o)...)
}
