package netset

import (
	"slices"
	"strings"
)

// Name is a host name, or a pattern of host names, in one canonical form: lower case, without the
// dot at the end, and
//
//	"*"  within a label stands for any characters of that label, also none;
//	"**" as the first label stands for one or more labels;
//	"*"  alone stands for every name.
//
// Dialects write wildcards differently and are translated into this form where they are read.
type Name string

// IsExact reports whether n is one name.
func (n Name) IsExact() bool { return !strings.Contains(string(n), "*") }

// Matches reports whether host, in the same form and without wildcards, is n or fits it.
func (n Name) Matches(host string) bool {
	pattern, labels := strings.Split(string(n), "."), strings.Split(host, ".")
	if slices.Contains(labels, "") { // it is no name
		return false
	}
	if n == "*" {
		return true
	}
	if pattern[0] == "**" {
		if len(labels) < len(pattern) {
			return false
		}
		pattern, labels = pattern[1:], labels[len(labels)-len(pattern)+1:]
	}
	if len(pattern) != len(labels) {
		return false
	}
	for i, p := range pattern {
		if !matchLabel(p, labels[i]) {
			return false
		}
	}
	return true
}

// matchLabel matches one label against a pattern in which each "*" stands for any characters. It
// takes time in proportion to the product of their lengths at most.
func matchLabel(pattern, label string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == label
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(label) < len(first)+len(last) || !strings.HasPrefix(label, first) || !strings.HasSuffix(label, last) {
		return false
	}
	rest := label[len(first) : len(label)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return true
}
