package doc

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isJSON reports whether c may be JSON: it begins with a brace or a bracket.
func (c chunk) isJSON() bool {
	text := c.body()
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}

// looksLikeJSON reports whether c is meant as JSON: a quoted key follows the brace.
func (c chunk) looksLikeJSON() bool {
	text := bytes.TrimLeft(bytes.TrimLeft(c.body(), "{["), " \t\r\n")
	return bytes.HasPrefix(text, []byte(`"`))
}

// body returns c without its marker line and leading blanks.
func (c chunk) body() []byte {
	text := bytes.TrimPrefix(c.text, bom)
	if row, rest, _ := bytes.Cut(text, []byte("\n")); isMarker(row, "---") && isBlank(row[3:]) {
		text = rest
	}
	return bytes.TrimLeft(text, " \t\r\n")
}

// value is one JSON value, known to be valid but not yet a tree.
type value struct {
	text []byte
	line int
}

// values yields the JSON values of c one after the other. The first that is not valid JSON ends
// them.
func (c chunk) values() iter.Seq2[value, *Error] {
	return func(yield func(value, *Error) bool) {
		text := c.body()
		lines := lineCounter{text: c.text, line: c.line}
		base := len(c.text) - len(text)
		for at := blanks(text, 0); at < len(text); at = blanks(text, at) {
			end := skip(text, at)
			v := value{text[at:end], lines.at(base + at)}
			if !json.Valid(v.text) {
				yield(v, v.syntax())
				return
			}
			if !yield(v, nil) {
				return
			}
			at = end
		}
	}
}

// validJSON returns why c is not a sequence of JSON values, or nil if it is.
func (c chunk) validJSON() *Error {
	for _, err := range c.values() {
		if err != nil {
			return err
		}
	}
	return nil
}

// syntax says what is wrong with v.
func (v value) syntax() *Error {
	lines := lineCounter{text: v.text, line: v.line}
	var whole json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(v.text, &whole); errors.As(err, &syntax) {
		return &Error{Line: lines.at(int(syntax.Offset)), Message: "invalid JSON: " + Clean(syntax.Error(), 80)}
	}
	return &Error{Line: v.line, Message: "invalid JSON"}
}

// blanks returns the first position from at on that is not white space.
func blanks(text []byte, at int) int {
	for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
		at++
	}
	return at
}

// skip returns the position after the value that begins at at, as far as quotes and brackets tell.
func skip(text []byte, at int) int {
	depth := 0
	for at < len(text) {
		switch b := text[at]; b {
		case '"':
			at = skipString(text, at)
			if depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at // of what is around the value
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ' ', '\t', '\r', '\n', ',', ':':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return at
}

func skipString(text []byte, at int) int {
	for at++; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(text)
}

// fields yields the members of v, a valid JSON object: the key as it is meant, and the bounds of
// the value in v.text.
func (v value) fields() iter.Seq2[string, [2]int] {
	return func(yield func(string, [2]int) bool) {
		for at := blanks(v.text, 1); v.text[at] == '"'; {
			end := skipString(v.text, at)
			var key string
			if json.Unmarshal(v.text[at:end], &key) != nil {
				return
			}
			at = blanks(v.text, blanks(v.text, end)+1) // past the colon
			end = skip(v.text, at)
			if !yield(key, [2]int{at, end}) {
				return
			}
			if at = blanks(v.text, end); v.text[at] == ',' {
				at = blanks(v.text, at+1)
			}
		}
	}
}

// list returns the list that v is, and the bounds of its items; nil if it is none. A repeated key
// makes it none, and the check of the whole tree then reports it.
func (v value) list() (*List, [2]int) {
	if v.text[0] != '{' {
		return nil, [2]int{}
	}
	var list List
	var items [2]int
	seen := map[string]bool{}
	for key, at := range v.fields() {
		if seen[key] {
			return nil, items
		}
		switch key {
		case "apiVersion":
			json.Unmarshal(v.text[at[0]:at[1]], &list.APIVersion) // not a string: stays empty, and v is no list
		case "kind":
			json.Unmarshal(v.text[at[0]:at[1]], &list.Kind)
		case "metadata":
			var meta struct{ Continue string }
			list.more = json.Unmarshal(v.text[at[0]:at[1]], &meta) == nil && meta.Continue != ""
		case "items":
			if v.text[at[0]] == '[' && v.text[blanks(v.text, at[0]+1)] != ']' {
				items = at
			}
		default:
			if len(seen) > MaxDepth {
				return nil, items // no list has so many fields of its own
			}
		}
		seen[key] = true
	}
	if list.APIVersion == "" || list.Kind == "" || items[1] == 0 {
		return nil, items
	}
	return &list, items
}

// documents yields v, or its items if it is a list, building the tree of one at a time. It reports
// whether to go on.
func (v value) documents(yield func(Document) bool) bool {
	list, items := v.list()
	if list == nil {
		return v.document(nil, yield)
	}
	lines := lineCounter{text: v.text, line: v.line}
	for at := blanks(v.text, items[0]+1); v.text[at] != ']'; {
		end := skip(v.text, at)
		if !(value{v.text[at:end], lines.at(at)}).document(list, yield) {
			return false
		}
		if at = blanks(v.text, end); v.text[at] == ',' {
			at = blanks(v.text, at+1)
		}
	}
	return !list.more || yield(Document{Line: v.line, Err: goesOn(v.line)})
}

func (v value) document(list *List, yield func(Document) bool) bool {
	d := Document{Line: v.line, Text: v.text, List: list}
	root, err := v.tree()
	if err != nil {
		d.Err = err
		return yield(d)
	}
	return expand(root, d, lines{}, yield)
}

// tree builds the nodes of v.
func (v value) tree() (*yaml.Node, *Error) {
	if (chunk{text: v.text}).nodes() > MaxNodes {
		return nil, tooLarge(v.line)
	}
	b := builder{text: v.text, lines: lineCounter{text: v.text, line: v.line}}
	return b.node(0)
}

// builder goes over valid JSON from left to right.
type builder struct {
	text  []byte
	at    int
	lines lineCounter
}

func (b *builder) node(depth int) (*yaml.Node, *Error) {
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: b.lines.at(b.at)}
	if depth > MaxDepth {
		return nil, tooDeep(n.Line)
	}
	switch first := b.text[b.at]; first {
	case '{', '[':
		n.Kind, n.Tag, n.Style = yaml.MappingNode, "!!map", yaml.FlowStyle
		if first == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		b.at = blanks(b.text, b.at+1)
		for b.text[b.at] != '}' && b.text[b.at] != ']' {
			child, err := b.node(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
			if b.at = blanks(b.text, b.at); b.text[b.at] == ',' || b.text[b.at] == ':' {
				b.at = blanks(b.text, b.at+1)
			}
		}
		b.at++
		return n, nil
	case '"':
		n.Tag, n.Style = "!!str", yaml.DoubleQuotedStyle
	case 't', 'f':
		n.Tag = "!!bool"
	case 'n':
		n.Tag = "!!null"
	default:
		n.Tag = "!!int"
	}
	end := skip(b.text, b.at)
	raw := b.text[b.at:end]
	b.at = end
	switch {
	case n.Tag != "!!str":
		if n.Value = string(raw); n.Tag == "!!int" && strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bytes.IndexByte(raw, '\\') < 0:
		n.Value = string(raw[1 : len(raw)-1])
	default:
		if json.Unmarshal(raw, &n.Value) != nil {
			return nil, &Error{Line: n.Line, Message: "invalid JSON"}
		}
	}
	return n, nil
}

// lineCounter tells the line of offsets that are asked for in rising order.
type lineCounter struct {
	text []byte
	off  int
	line int
}

func (l *lineCounter) at(off int) int {
	if off = min(off, len(l.text)); off > l.off {
		l.line += bytes.Count(l.text[l.off:off], []byte("\n"))
		l.off = off
	}
	return l.line
}
