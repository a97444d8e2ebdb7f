package audit

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
)

// Deductions is what a finding takes from a server's 100 points, by severity.
var Deductions = map[finding.Severity]int{finding.Critical: 40, finding.High: 20, finding.Medium: 8, finding.Low: 3}

// Grade turns a server's findings into a score from 0 to 100 and a grade from A to F: each rule
// counts once, at its worst; any critical finding makes the grade F, any high one C at best.
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

// grades grades a server under each profile. The score and grade are the worst; byProfile is nil
// where all are the same.
func grades(findings []finding.Finding, profiles []string) (score int, grade string, byProfile map[string]string) {
	score, byProfile = 101, map[string]string{}
	differ := false
	for _, name := range profiles {
		elsewhere := func(f finding.Finding) bool { return f.CNI != nil && !slices.Contains(f.CNI, name) }
		s, g := Grade(slices.DeleteFunc(slices.Clone(findings), elsewhere))
		differ = differ || len(byProfile) > 0 && g != grade
		byProfile[name] = g
		if score > s {
			score = s
		}
		grade = max(grade, g)
	}
	if !differ {
		byProfile = nil
	}
	return score, grade, byProfile
}
