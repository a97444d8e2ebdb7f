package doc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// chunk is the text of one YAML document, or of JSON values up to the next document marker.
type chunk struct {
	text []byte
	line int // of its first line in the stream
}

// chunks yields the parts of a stream between document markers. A line that starts with "---" is a
// marker wherever it stands, so splitting the text is exact, and one broken document does not lose
// the others. Parts without content are left out.
func chunks(data []byte) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		pending, line := 0, 1
		prologue := true // nothing but blank lines, comments and directives since the last document ended
		for at, now := 0, 1; ; now++ {
			row, next := data[at:], len(data)
			if n := bytes.IndexByte(row, '\n'); n >= 0 {
				row, next = row[:n], at+n+1
			}
			switch {
			case isMarker(row, "---") && prologue:
				prologue = false
			case isMarker(row, "---"):
				if c := (chunk{data[pending:at], line}); !c.isEmpty() && !yield(c) {
					return
				}
				pending, line = at, now
			case isMarker(row, "..."):
				if c := (chunk{data[pending:at], line}); !c.isEmpty() && !yield(c) {
					return
				}
				pending, line, prologue = next, now+1, true
			case prologue && !isBlank(row) && row[0] != '%':
				prologue = false
			}
			if at = next; at >= len(data) {
				break
			}
		}
		if c := (chunk{data[pending:], line}); !c.isEmpty() {
			yield(c)
		}
	}
}

func isMarker(row []byte, marker string) bool {
	row = bytes.TrimPrefix(row, bom) // allowed before each document: files that were concatenated
	if !bytes.HasPrefix(row, []byte(marker)) {
		return false
	}
	return len(row) == len(marker) || strings.IndexByte(" \t\r", row[len(marker)]) >= 0
}

func isBlank(row []byte) bool {
	row = bytes.TrimLeft(row, " \t\r")
	return len(row) == 0 || row[0] == '#'
}

// isEmpty reports whether c holds nothing but blank lines, comments, directives and its own marker.
func (c chunk) isEmpty() bool {
	for row := range bytes.Lines(c.text) {
		row = bytes.TrimSuffix(row, []byte("\n"))
		if isMarker(row, "---") {
			row = bytes.TrimPrefix(row, bom)[3:]
		} else if len(row) > 0 && row[0] == '%' {
			continue
		}
		if !isBlank(row) {
			return false
		}
	}
	return true
}

// controls refuses characters that neither language allows, and byte order marks where they would
// become part of a key.
func (c chunk) controls() *Error {
	line := c.line
	for i, b := range c.text {
		switch {
		case b == '\n':
			line++
		case b == '\r':
			if i+1 < len(c.text) && c.text[i+1] != '\n' {
				return &Error{Line: line, Message: "a carriage return within a line"}
			}
		case b < ' ' && b != '\t', b == 0x7f:
			return &Error{Line: line, Message: fmt.Sprintf("control character %#02x", b)}
		}
	}
	if i := bytes.LastIndex(c.text, bom); i > 0 {
		return &Error{Line: c.line + bytes.Count(c.text[:i], []byte("\n")), Message: "a byte order mark in the middle"}
	}
	return nil
}

// parse reads c as one YAML document. Lines of the result count from the start of c.
func (c chunk) parse() (root *yaml.Node, failure *Error) {
	if len(c.text) > MaxDocument {
		return nil, &Error{Line: c.line, Message: "a document larger than " + strconv.Itoa(MaxDocument>>20) + " MiB"}
	}
	if c.nodes() > MaxNodes {
		return nil, tooLarge(c.line)
	}
	defer func() {
		// The parser panics on some malformed input; that is the input's fault, and must not end
		// the run.
		if r := recover(); r != nil {
			root, failure = nil, &Error{Line: c.line, Message: "the YAML parser gave up"}
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(c.withoutVersion()))
	var node, rest yaml.Node
	if err := dec.Decode(&node); err != nil {
		return nil, c.syntax(err)
	}
	if len(node.Content) != 1 {
		return nil, &Error{Line: c.line, Message: "no content"}
	}
	// A second document can only begin after a line break that this package does not split at; see
	// lines.
	if err := dec.Decode(&rest); err == nil {
		return nil, &Error{Line: c.line, Message: "text after the end of the document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, c.syntax(err)
	}
	return node.Content[0], nil
}

// content returns c from its first line that holds something, so that the parser tells lines inside
// top level collections: it tells none of what begins on its first line, and then tells where the
// trouble is instead of where the collection began. Directives but %YAML stay.
func (c chunk) content() chunk {
	out, marked := c, false
	for len(out.text) > 0 {
		row, rest, _ := bytes.Cut(out.text, []byte("\n"))
		switch {
		case hasBreak(row): // to the parser a comment ends there
			return c
		case !marked && isMarker(row, "---") && isBlank(bytes.TrimPrefix(row, bom)[3:]):
			marked = true
		case !marked && bytes.HasPrefix(row, versionDirective): // see withoutVersion
		case !isBlank(bytes.TrimPrefix(row, bom)):
			if row[0] == '%' {
				return c
			}
			return out
		}
		out = chunk{rest, out.line + 1}
	}
	return c
}

// nodes returns a number that the nodes of c cannot exceed: the parser keeps no limit of its own,
// so a document is judged before it is parsed. Each node but the first needs one of these
// characters.
func (c chunk) nodes() int {
	n := 1
	for _, b := range c.text {
		switch b {
		case ':', '?':
			n += 2
		case '-', ',', '[', '{':
			n++
		}
	}
	return n
}

var versionDirective = []byte("%YAML")

// withoutVersion returns the text with its %YAML directive made a comment: the parser refuses every
// version but 1.1, and nothing that Kubernetes reads depends on it.
func (c chunk) withoutVersion() []byte {
	text := bytes.TrimPrefix(c.text, bom)
	if !bytes.Contains(text, versionDirective) {
		return text
	}
	var out []byte
	prologue := true
	for row := range bytes.Lines(text) {
		prologue = prologue && !isMarker(bytes.TrimSuffix(row, []byte("\n")), "---")
		if prologue && bytes.HasPrefix(row, versionDirective) {
			out = append(out, '#')
			row = row[1:]
		}
		out = append(out, row...)
	}
	return out
}

// lines turns the parser's line numbers into those of the stream. The parser counts three
// characters as line breaks that neither editors nor YAML 1.2 do: NEL, LS and PS.
type lines struct {
	shift int
	table []int // line of the stream by the parser's, where such a character is there; else nil
}

func hasBreak(text []byte) bool {
	return bytes.Contains(text, []byte("\u0085")) || bytes.Contains(text, []byte("\u2028")) || bytes.Contains(text, []byte("\u2029"))
}

func (c chunk) lines() lines {
	l := lines{shift: c.line - 1}
	if !hasBreak(c.text) {
		return l
	}
	now := c.line
	l.table = []int{now, now}
	for _, r := range string(c.text) {
		switch r {
		case '\n':
			now++
			l.table = append(l.table, now)
		case '\u0085', '\u2028', '\u2029':
			l.table = append(l.table, now)
		}
	}
	return l
}

// of returns the line of the stream that the parser calls n.
func (l lines) of(n int) int {
	if l.table == nil {
		return n + l.shift
	}
	return l.table[min(n, len(l.table)-1)]
}

// syntax turns an error of the YAML parser into one with a line of the stream.
func (c chunk) syntax(err error) *Error {
	e := &Error{Line: c.line, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if rest, ok := strings.CutPrefix(e.Message, "line "); ok {
		if number, message, ok := strings.Cut(rest, ": "); ok {
			if n, err := strconv.Atoi(number); err == nil && n > 0 {
				e.Message = message
				if countsFromZero[message] {
					n++
				}
				// What is never closed is missed at the end, after the last line.
				e.Line = min(c.lines().of(n), c.line+bytes.Count(bytes.TrimRight(c.text, " \t\r\n"), []byte("\n")))
			}
		}
	}
	if name, ok := strings.CutPrefix(e.Message, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		e.Line, e.Message = c.lineOfAlias(name), "an alias of an anchor that is not defined before it"
	}
	if e.Message == "control characters are not allowed" {
		if i := bytes.IndexFunc(c.text, isRefused); i >= 0 {
			e.Line += bytes.Count(c.text[:i], []byte("\n"))
		}
	}
	e.Message = Clean(e.Message, 80)
	return e
}

// countsFromZero holds the messages of that part of the YAML parser whose lines count from 0; those
// of its scanner count from 1 (go.yaml.in/yaml/v3, parserc.go and fail in decode.go).
var countsFromZero = map[string]bool{
	"did not find expected <document start>": true,
	"did not find expected node content":     true,
	"did not find expected '-' indicator":    true,
	"did not find expected key":              true,
	"did not find expected ',' or ']'":       true,
	"did not find expected ',' or '}'":       true,
	"found undefined tag handle":             true,
	"found duplicate %YAML directive":        true,
	"found duplicate %TAG directive":         true,
	"found incompatible YAML document":       true,
}

// isRefused reports whether the YAML parser takes r for a control character.
func isRefused(r rune) bool { return r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff }

// lineOfAlias returns the line of the first alias of that name, which the parser does not tell: the
// first that stands where an alias may, and not in a comment.
func (c chunk) lineOfAlias(name string) int {
	line, alias := c.line, []byte("*"+name)
	for row := range bytes.Lines(c.text) {
		for at := 0; ; {
			i := bytes.Index(row[at:], alias)
			if i < 0 {
				break
			}
			before, after := row[:at+i], row[at+i+len(alias):]
			if bytes.Contains(before, []byte(" #")) || bytes.HasPrefix(before, []byte("#")) {
				break
			}
			if (len(before) == 0 || bytes.IndexByte([]byte(" \t[{,:"), before[len(before)-1]) >= 0) && (len(after) == 0 || !isAnchorByte(after[0])) {
				return line
			}
			at += i + len(alias)
		}
		line++
	}
	return c.line
}

func isAnchorByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-'
}

// Quote returns text in double quotes, fit for a terminal: at most 40 characters of it, nothing
// unprintable raw.
func Quote(text string) string { return strconv.Quote(shorten(text, 40)) }

// Clean returns text fit for a terminal without quotes: at most max characters, nothing unprintable
// raw.
func Clean(text string, max int) string {
	for _, r := range text {
		if !strconv.IsPrint(r) {
			quoted := strconv.Quote(shorten(text, max))
			return shorten(quoted[1:len(quoted)-1], max)
		}
	}
	return shorten(text, max)
}

func shorten(text string, max int) string {
	if utf8.RuneCountInString(text) <= max {
		return text
	}
	n := 0
	for i := range text {
		if n++; n == max {
			return text[:i] + "…"
		}
	}
	return text
}
