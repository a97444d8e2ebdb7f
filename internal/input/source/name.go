package source

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// form is what a name must look like.
type form struct {
	valid func(string) bool
	what  string // in a message: "not a valid name"
	hint  string // in words; "" where that would not help
}

var (
	nameForm      = form{isSubdomain, "name", "lower case letters, digits, '-' and '.', at most 253 of them"}
	generatedForm = form{func(s string) bool { return isSubdomain(s + "x") }, "prefix of a name", nameForm.hint}
	namespaceForm = form{isDNSLabel, "namespace", ""}
	labelForm     = form{isDNSLabel, "name", "lower case letters, digits and '-', at most 63 of them"}
	portForm      = form{isPortName, "port name", "a port name has at most 15 lower case letters, digits and '-'"}
	hostForm      = form{func(s string) bool { return isSubdomain(strings.TrimSuffix(s, ".")) }, "DNS name", nameForm.hint}
	qualifiedForm = form{isLabelKey, "protocol name", ""}
	typeForm      = form{func(s string) bool { return slices.Contains(serviceTypes, s) }, "type of a Service", strings.Join(serviceTypes, ", ")}
)

var serviceTypes = []string{"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"}

// readNamespace reads the namespace of an object, which is "default" if none is given, and "" if it
// is not valid.
func readNamespace(c *doc.Cursor) string {
	before := c.Problems()
	name := readName(c, namespaceForm)
	switch {
	case c.Problems() > before:
		return ""
	case name == "":
		return "default"
	}
	return name
}

// readName reads a name that must be of a form if there is one. What is not is a problem; it is
// kept as a short text that can be printed and is the name of nothing.
func readName(c *doc.Cursor, f form) string {
	before := c.Problems()
	text := c.Text()
	if text == "" || c.Problems() > before || f.valid(text) {
		return text
	}
	c.Fail("not a valid "+f.what+": "+doc.Quote(text), f.hint)
	return bounded(text)
}

// bounded returns a name that is not valid as it may be kept.
func bounded(name string) string { return doc.Clean(name, 63) }

// readVariable reads the name of an environment variable, or a prefix of one. What is not valid is
// neither quoted nor kept: people write NAME=value there.
func readVariable(c *doc.Cursor) string {
	text := c.Text()
	if text == "" || isVariable(text) {
		return text
	}
	c.Fail("not a valid name of a variable", "printable characters but '=', at most 253 of them")
	return ""
}
