// Package finding is what a rule reports, as plain data.
package finding

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

// Severity says how bad a finding is. The zero value is a fault in the input that left the answer
// incomplete.
type Severity uint8

const (
	Incomplete Severity = iota
	Info
	Low
	Medium
	High
	Critical
)

// Severities lists every severity, worst first; what left the answer incomplete comes last.
var Severities = [...]Severity{Critical, High, Medium, Low, Info, Incomplete}

func (s Severity) String() string {
	return [...]string{"incomplete", "info", "low", "medium", "high", "critical"}[s]
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity reads a severity by name.
func ParseSeverity(text string) (Severity, error) {
	for _, s := range Severities {
		if text == s.String() {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%q is no severity; they are critical, high, medium, low and info", text)
}

// Witness is a concrete connection that shows a finding.
type Witness struct {
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Port     int    `json:"port,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	World    string `json:"world,omitempty"` // in words, where it does not hold in every world
}

// Finding is one thing a rule reports about one server, or about the input where Server is empty.
type Finding struct {
	Rule        string        `json:"rule"`
	Severity    Severity      `json:"severity"`
	Message     string        `json:"message"`
	Server      string        `json:"server,omitempty"` // "namespace/name"
	CNI         []string      `json:"cni,omitempty"`    // the profiles under which it holds, where these are not all
	Origin      origin.Origin `json:"origin"`
	Witness     *Witness      `json:"witness,omitempty"`
	Fix         string        `json:"fix,omitempty"` // what to do, in a sentence
	Fingerprint string        `json:"fingerprint"`   // stable while rule, server, object and message stay
}

// Sort orders findings worst first and gives each its fingerprint.
func Sort(fs []Finding) {
	for i, f := range fs {
		sum := sha256.Sum256([]byte(strings.Join([]string{f.Rule, f.Server, f.Origin.Object, f.Message}, "\x00")))
		fs[i].Fingerprint = hex.EncodeToString(sum[:8])
	}
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Server, b.Server),
			a.Origin.Compare(b.Origin), cmp.Compare(a.Message, b.Message), slices.Compare(a.CNI, b.CNI))
	})
}

// Problem is something in the input that left the answer incomplete.
type Problem struct {
	Rule    string        `json:"rule"` // TM901 to TM907
	Message string        `json:"message"`
	Hint    string        `json:"hint,omitempty"`
	Origin  origin.Origin `json:"origin"`
}
