package report

import (
	"strconv"

	"github.com/toolmoat/toolmoat/internal/finding"
	"github.com/toolmoat/toolmoat/internal/rule"
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

// Grading explains how findings become a grade.
func Grading(deductions map[finding.Severity]int, severities []finding.Severity) Document {
	table := Table{Header: []string{"SEVERITY", "POINTS"}}
	for _, s := range severities {
		table.Rows = append(table.Rows, []string{s.String(), strconv.Itoa(-deductions[s])})
	}
	return Document{Paragraph{Text: "A server starts at 100 points. Each rule that reports it counts once, at its worst severity:"}, table,
		Paragraph{Text: "A from 90, B from 80, C from 70, D from 60, else F. Any critical finding makes it F; any high one C at best."}}
}
