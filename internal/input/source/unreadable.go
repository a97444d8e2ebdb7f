package source

import (
	"bytes"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// unreadableDocument records a document that is not well-formed. Its text may still tell what it is
// about.
func (p *part) unreadableDocument(d *doc.Document, file string) {
	at := origin.Origin{File: file, Line: d.Err.Line}
	hint := d.Err.Hint
	if bytes.Contains(d.Text, []byte("{{")) {
		hint = "this looks like a Helm template; render it first: helm template CHART | toolmoat audit -"
	}
	subject, widens := textScope(d.Text)
	if !widens {
		p.problem(ruleUnreadable, at, d.Err.Message, hint)
		return
	}
	p.unreadable(at, d.Err.Message, hint, subject)
}

// textScope tells from the text of a document that cannot be parsed which pods it may be about;
// widens is false if its kind is known to be no policy. It looks only at lines that can hardly be
// anything else, and takes the rest for everything.
func textScope(text []byte) (subject policy.Subject, widens bool) {
	kind, namespace, kinds := "", "", 0
	inMetadata, indent := false, 0
	for row := range bytes.Lines(text) {
		line := strings.TrimRight(string(row[:min(len(row), 400)]), " \t\r\n")
		if strings.Contains(line, `"kind"`) || strings.Contains(line, `'kind'`) {
			return everything, true
		}
		trimmed := strings.TrimLeft(line, " -\t")
		if value, ok := strings.CutPrefix(trimmed, "kind:"); ok {
			value = plainValue(value)
			if strings.HasPrefix(line, "kind:") {
				kind, kinds = value, kinds+1
			} else if strings.HasSuffix(value, "Policy") || value == "" {
				return everything, true
			}
		}
		depth := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case depth == 0:
			inMetadata, indent = line == "metadata:", 0
		case inMetadata && (indent == 0 || depth == indent):
			indent = depth
			if value, ok := strings.CutPrefix(line[depth:], "namespace:"); ok {
				if namespace != "" {
					return everything, true
				}
				namespace = plainValue(value)
			}
		}
	}
	switch {
	case kinds != 1:
		return everything, true
	case coreKinds[kind] && policyScopes[kind] == noPolicy:
		return everything, false
	case policyScopes[kind] == namespaced && isDNSLabel(namespace):
		return policy.Subject{NS: label.Named(namespace)}, true
	}
	return everything, true
}

// plainValue returns what follows a key on its line, without comment and quotes; "" if it is not a
// plain word.
func plainValue(text string) string {
	text, _, _ = strings.Cut(text, " #")
	text = strings.TrimSpace(text)
	if n := len(text); n > 1 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		text = text[1 : n-1]
	}
	for i := range len(text) {
		if !isAlnum(text[i]) && text[i] != '-' {
			return ""
		}
	}
	return text
}
