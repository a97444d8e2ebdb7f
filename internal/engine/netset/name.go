package netset

import (
	"slices"
	"strings"
)

// Name is a host name, or a pattern of host names, in one canonical form: lower case, without the
// dot at the end, and
//
//	"*"  within a label stands for any characters of that label, also none;
//	"**" as the first label stands for one or more labels, so that alone it is every name;
//	"*"  alone stands for every name too;
//	"*." alone stands for every name of one label.
//
// Dialects write wildcards differently and are translated into this form where they are read.
type Name string

// Every is the pattern of every name.
const Every Name = "*"

// IsExact reports whether n is one name.
func (n Name) IsExact() bool { return !strings.Contains(string(n), "*") }

// IsEvery reports whether n is every name.
func (n Name) IsEvery() bool { return n == Every || n == "**" }

// OneLabel is n where "**" as the first label stands for one label.
func (n Name) OneLabel() Name {
	switch {
	case n == "**":
		return "*."
	case strings.HasPrefix(string(n), "**."):
		return n[1:]
	}
	return n
}

// labels splits n so that its first label alone says how many it stands for.
func (n Name) labels() []string {
	switch n {
	case Every:
		return []string{"**"}
	case "*.":
		return []string{"*"}
	}
	return strings.Split(string(n), ".")
}

// Matches reports whether host, in the same form and without wildcards, is n or fits it.
func (n Name) Matches(host string) bool {
	return !slices.Contains(strings.Split(host, "."), "") && n.Covers(Name(host))
}

// Covers reports whether every name that fits m fits n. It may miss that where several wildcards
// are in one label.
func (n Name) Covers(m Name) bool {
	both, ok := n.Meet(m)
	return ok && slices.Equal(both.labels(), m.labels())
}

// Meet is the names that fit both n and m; ok is false if none does, or if no pattern says which.
func (n Name) Meet(m Name) (both Name, ok bool) {
	a, b := n.labels(), m.labels()
	if a[0] != "**" || b[0] == "**" && len(b) < len(a) {
		a, b = b, a
	}
	switch {
	case a[0] == "**" && len(a) <= len(b):
		a = a[1:]
	case len(a) != len(b) || a[0] == "**":
		return "", false
	}
	out := slices.Clone(b)
	last := out[len(out)-len(a):]
	for i, l := range a {
		switch {
		case matchLabel(last[i], l):
			last[i] = l
		case !matchLabel(l, last[i]):
			return "", false
		}
	}
	if len(out) == 1 && out[0] == "*" {
		return "*.", true
	}
	return Name(strings.Join(out, ".")), true
}

// matchLabel matches one label, or a pattern of labels, against a pattern in which each "*" stands
// for any characters. It takes time in proportion to the product of their lengths at most.
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
