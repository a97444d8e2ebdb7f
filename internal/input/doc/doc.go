// Package doc reads streams of YAML and JSON documents, and values out of them with their
// positions.
//
// Both languages become one tree (yaml.Node), which a consuming [Cursor] reads by schema: keys that
// were never asked for are the unknown fields, every value knows its line and its path, and scalars
// mean what kubectl and the API server make of them. All input is taken to be hostile: size, depth,
// aliases and characters are limited, and messages quote no more than a short, escaped piece.
// Values may be credentials: messages name the types and the lines of values, never a value, a tag
// or an anchor.
package doc

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits on the input. What exceeds them cannot be read and says so.
const (
	MaxFile     = 256 << 20 // bytes of one stream
	MaxDocument = 64 << 20  // bytes of one YAML document
	MaxNodes    = 4 << 20   // keys, values, maps and lists of one document; each takes about 200 bytes
	MaxDepth    = 256       // maps and lists in each other, aliases followed
	MaxProblems = 50        // problems kept of one document

	// A document may stand for aliasFactor times the nodes it is written with, and aliasSlack more.
	aliasFactor = 10
	aliasSlack  = 100_000
)

// Error is why a stream or a document cannot be read.
type Error struct {
	Line    int // 1-based; 0 when unknown
	Message string
	Hint    string // what to do, where one knows
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return "line " + strconv.Itoa(e.Line) + ": " + e.Message
}

// Document is one document of a stream, or one item of a Kubernetes list in it. Documents that hold
// nothing are not handed out.
type Document struct {
	Line int    // of the first line that belongs to it
	Text []byte // as written; nil for an item of a YAML list
	Err  *Error // not nil if it cannot be read; then there is no tree
	List *List  // the list that it is an item of; nil for a document of its own
	root *yaml.Node
}

// DropLines takes the lines out of d: those of a text that nobody can look up say nothing.
func (d *Document) DropLines() {
	d.Line = 0
	if d.Err != nil {
		d.Err.Line = 0
	}
	if d.root != nil {
		dropLines(d.root)
	}
}

func dropLines(n *yaml.Node) {
	n.Line = 0
	for _, child := range n.Content {
		dropLines(child) // no deeper than MaxDepth, and without aliases in JSON
	}
}

// List is what an item knows of the list around it.
type List struct {
	APIVersion, Kind string

	more bool // it is one page of several
}

// goesOn is the error that stands for what a page of a list leaves out.
func goesOn(line int) *Error {
	return &Error{Line: line, Message: "the list goes on after its last item", Hint: "read all pages: kubectl get does, kubectl get --raw does not"}
}

// Documents yields the documents of a stream one after the other. Nothing is kept of a document,
// nor of an item of a list, once the next one is asked for. A stream whose size or encoding makes
// it unreadable as a whole is an *[Error].
func Documents(data []byte) (iter.Seq[Document], error) {
	if len(data) > MaxFile {
		return nil, &Error{Message: "larger than " + strconv.Itoa(MaxFile>>20) + " MiB"}
	}
	if !utf8.Valid(data) {
		return nil, &Error{Line: invalidLine(data), Message: "not valid UTF-8 text"}
	}
	data = bytes.TrimPrefix(data, bom)
	return func(yield func(Document) bool) {
		for c := range chunks(data) {
			for d := range c.documents() {
				if !yield(d) {
					return
				}
			}
		}
	}, nil
}

var bom = []byte("\ufeff")

func invalidLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			return line
		}
		if r == '\n' {
			line++
		}
		data = data[n:]
	}
	return line
}

// documents yields what one chunk holds: a YAML document or the items of a list in it, or any
// number of JSON values.
func (c chunk) documents() iter.Seq[Document] {
	return func(yield func(Document) bool) {
		fail := func(err *Error) { yield(Document{Line: c.line, Text: c.text, Err: err}) }
		if err := c.controls(); err != nil {
			fail(err)
			return
		}
		var notJSON *Error
		if c.isJSON() {
			// Values are handed out only when all of the text proved to be JSON: a brace may also
			// begin YAML.
			if notJSON = c.validJSON(); notJSON == nil {
				for v := range c.values() {
					if !v.documents(yield) {
						return
					}
				}
				return
			}
		}
		content := c.content()
		root, err := content.parse()
		if err != nil {
			if notJSON != nil && c.looksLikeJSON() {
				err = notJSON
			}
			fail(err)
			return
		}
		expand(root, Document{Line: c.line, Text: c.text}, content.lines(), yield)
	}
}

// expand checks a parsed tree and yields it, or its items if it is a list. at makes the lines of
// its nodes true. It reports whether to go on.
func expand(root *yaml.Node, d Document, at lines, yield func(Document) bool) bool {
	list, items := listOf(root)
	ck := checker{lines: at, items: items}
	if d.Err = ck.check(root); d.Err != nil {
		return yield(d)
	}
	d.Line = root.Line
	if items == nil || len(items.Content) == 0 {
		if d.root = root; list != nil && list.more {
			d.Err, d.root = goesOn(d.Line), nil
		}
		return yield(d)
	}
	return each(list, items, ck.broken, yield)
}

// each yields the items of a list that was checked, and drops each one once it has been handed out.
func each(list *List, items *yaml.Node, broken map[int]*Error, yield func(Document) bool) bool {
	for i, item := range items.Content {
		items.Content[i] = nil
		d := Document{Line: item.Line, List: list, Err: broken[i]}
		if d.Err == nil {
			d.root = resolve(item)
			if inner, nested := listOf(d.root); nested != nil && len(nested.Content) > 0 {
				if !each(inner, nested, nil, yield) {
					return false
				}
				continue
			}
		}
		if !yield(d) {
			return false
		}
	}
	return !list.more || yield(Document{Line: items.Line, Err: goesOn(items.Line)})
}

// listOf returns the items of a Kubernetes list, which is any object with a list under "items", as
// in kubectl; nil if root is none.
func listOf(root *yaml.Node) (*List, *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		return nil, nil
	}
	var list List
	var items *yaml.Node
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch v := resolve(root.Content[i+1]); root.Content[i].Value {
		case "apiVersion":
			list.APIVersion = text(v)
		case "kind":
			list.Kind = text(v)
		case "metadata":
			list.more = continues(v)
		case "items":
			if v.Kind == yaml.SequenceNode && root.Content[i+1].Kind != yaml.AliasNode {
				items = v
			}
		}
	}
	if list.APIVersion == "" || list.Kind == "" || items == nil {
		return nil, nil
	}
	return &list, items
}

// continues reports whether the metadata of a list say that there are more pages.
func continues(meta *yaml.Node) bool {
	for i := 0; meta.Kind == yaml.MappingNode && i+1 < len(meta.Content); i += 2 {
		if meta.Content[i].Value == "continue" && text(resolve(meta.Content[i+1])) != "" {
			return true
		}
	}
	return false
}

func text(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && scalarOf(n) == stringScalar {
		return n.Value
	}
	return ""
}
