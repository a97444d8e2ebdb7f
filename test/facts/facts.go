// Package facts reads the patterns of the IDs of facts. It is for tests.
package facts

import (
	"regexp"
	"strings"
)

// placeholders are what may stand for a part of a pattern; of all others it is anything.
var placeholders = map[string]string{"<end>": "(src|dst|via)", "<family>": "IPv[46]", "<direction>": "(ingress|egress)", "<protocol>": `("[^"]*"|TCP|UDP|SCTP)`,
	"<n>": "[0-9a-f]+", "<port>": "[a-z0-9-]+", "<setting>": "[^:]+", "<tls>": "(terminating|originating)",
	"<rule>": `.*( isolates)? (ingress|egress) [0-9]+( peer [0-9]+)?`}

var placeholder = regexp.MustCompile("<[a-z]+>")

// Patterns are the patterns of IDs.
type Patterns struct {
	texts []string
	exprs []*regexp.Regexp
}

// Compile returns patterns, which match also the IDs of facts that were moved to another end, or are
// about one of several.
func Compile(patterns ...string) Patterns {
	out := Patterns{texts: patterns}
	for _, p := range patterns {
		var expr strings.Builder
		at := 0
		for _, m := range placeholder.FindAllStringIndex(p, -1) {
			expr.WriteString(regexp.QuoteMeta(p[at:m[0]]))
			if text, ok := placeholders[p[m[0]:m[1]]]; ok {
				expr.WriteString(text)
			} else {
				expr.WriteString(".*")
			}
			at = m[1]
		}
		out.exprs = append(out.exprs, regexp.MustCompile("^"+expr.String()+regexp.QuoteMeta(p[at:])+"( @[0-9])?( of .+ #[0-9]+| of [0-9a-f.:]+)?( @[0-9])?$"))
	}
	return out
}

// Of returns the patterns that match an ID.
func (p Patterns) Of(id string) []string {
	var out []string
	for i, e := range p.exprs {
		if e.MatchString(id) {
			out = append(out, p.texts[i])
		}
	}
	return out
}
