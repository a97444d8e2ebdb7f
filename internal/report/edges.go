package report

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// MapCSV writes a map as comma-separated values: from, to, verdict, protocol, ports, when, with a
// line for each pair of workloads and protocol. It knows no groups: a line that stood for other
// lines would be read as all there is.
func MapCSV(w io.Writer, m *matrix.Matrix) error {
	out := csv.NewWriter(w)
	out.Write([]string{"from", "to", "verdict", "protocol", "ports", "when"})
	for e := range matrix.Edges(m.Expand()) {
		r := e.Row
		text := r.When.Text(when.Always, m.Words(r))
		for _, part := range r.Conns.Parts() {
			cells := []string{e.From, e.To, r.Verdict.String(), part.Protocol, part.Ports, text}
			for i := range cells {
				cells[i] = cell(cells[i])
			}
			if err := out.Write(cells); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// cell keeps a spreadsheet from taking text for a formula.
func cell(text string) string {
	text = Clean(text)
	if text != "" && strings.ContainsRune("=+-@|%", rune(text[0])) {
		return "'" + text
	}
	return text
}

// MapDOT writes a map as a Graphviz graph. What is not certain is dashed.
func MapDOT(w io.Writer, m *matrix.Matrix, expand bool) error {
	rows, groups := rowsOf(m, expand)
	out := bufio.NewWriter(w)
	out.WriteString("digraph toolmoat {\n  rankdir=LR;\n  node [shape=box];\n")
	for _, g := range groups {
		fmt.Fprintf(out, "  %s [label=%s];\n", quoted(g.Name), quoted(fmt.Sprintf("%s and %d more", g.Name, len(g.Members)-1)))
	}
	for r := range rows {
		style := ""
		if r.Verdict != reach.Allowed {
			style = ", style=dashed"
		}
		for _, from := range nodesOf(r.From) {
			for _, to := range nodesOf(r.To) {
				fmt.Fprintf(out, "  %s -> %s [label=%s%s];\n", quoted(from), quoted(to), quoted(r.Conns.String()), style)
			}
		}
	}
	out.WriteString("}\n")
	return out.Flush()
}

// nodesOf is the nodes of a graph that stand for an end: ranges together are one.
func nodesOf(e matrix.End) []string {
	if e.Kind == matrix.Services && e.Names != nil {
		return e.Names
	}
	return []string{e.Name()}
}

// quoted is text as a string of the DOT language, without its escapes for labels.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(Clean(text)) + `"`
}
