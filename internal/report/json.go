package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// JSON writes v with two spaces of indentation and a final newline. Characters that a terminal
// would act on or hide, which JSON allows in strings, are written as escapes.
func JSON(w io.Writer, v any) error {
	text, err := marshal(v, "")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// marshal returns v as JSON whose lines after the first start with prefix.
func marshal(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return harmless(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// object writes one object with the members of head, a struct with at least one, and those that
// rest writes after them.
func object(out *bufio.Writer, head any, rest func() error) error {
	text, err := marshal(head, "")
	if err != nil {
		return err
	}
	out.Write(bytes.TrimSuffix(text, []byte("\n}")))
	if err := rest(); err != nil {
		return err
	}
	_, err = out.WriteString("\n}\n")
	return err
}

// member writes a member of an object after others.
func member(out *bufio.Writer, key string, v any) error {
	text, err := marshal(v, "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, ",\n  %q: %s", key, text)
	return err
}

// list writes a list as a member of an object after others, one item at a time: it may be too long
// to be held whole.
func list[T any](out *bufio.Writer, key string, items iter.Seq[T], item func(T) any) error {
	fmt.Fprintf(out, ",\n  %q: [", key)
	end := "]"
	for i := range items {
		text, err := marshal(item(i), "    ")
		if err != nil {
			return err
		}
		if end == "]" {
			out.WriteString("\n    ")
		} else {
			out.WriteString(",\n    ")
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
		end = "\n  ]"
	}
	_, err := out.WriteString(end)
	return err
}

// maxTerms is how many alternatives of a condition are listed.
const maxTerms = 8

// condition is what must hold for something, in words and for programs: an or of ands.
type condition struct {
	When string        `json:"when,omitempty"`
	If   [][]when.Term `json:"if,omitempty"`
	More int           `json:"more,omitempty"` // how many alternatives are left out
}

// conditionOf says what must hold for a verdict, if it needs anything.
func conditionOf(w when.When, v reach.Verdict, names when.Names) condition {
	if v >= reach.NotEnforced || w.IsAlways() {
		return condition{}
	}
	terms, more := w.Ifs(when.Always, names.CNIs, maxTerms)
	return condition{w.Text(when.Always, names), terms, more}
}

// harmless escapes what is not printable. Outside strings JSON has ASCII only, and only there is a
// line break.
func harmless(text []byte) []byte {
	clean := true
	for _, c := range text {
		clean = clean && c < 0x7f
	}
	if clean {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, text[:n]...)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		}
		text = text[n:]
	}
	return out
}
