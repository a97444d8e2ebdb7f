package audit

import "github.com/toolmoat/toolmoat/internal/finding"

// Deductions is what a finding takes from a server's 100 points, by severity.
var Deductions = map[finding.Severity]int{finding.Critical: 40, finding.High: 20, finding.Medium: 8, finding.Low: 3}

// Grade turns a server's findings into a score from 0 to 100 and a grade from A to F: each rule counts once, at its worst; any critical
// finding makes the grade F, any high one C at best.
func Grade(findings []finding.Finding) (score int, grade string) {
	byRule := map[string]finding.Severity{}
	worst := finding.Info
	for _, f := range findings {
		byRule[f.Rule] = max(byRule[f.Rule], f.Severity)
		worst = max(worst, f.Severity)
	}
	score = 100
	for _, sev := range byRule {
		score -= Deductions[sev]
	}
	score = max(score, 0)
	switch {
	case worst == finding.Critical || score < 60:
		grade = "F"
	case score < 70:
		grade = "D"
	case score < 80 || worst == finding.High:
		grade = "C"
	case score < 90:
		grade = "B"
	default:
		grade = "A"
	}
	return score, grade
}
