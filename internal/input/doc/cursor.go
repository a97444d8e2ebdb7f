package doc

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/toolmoat/toolmoat/internal/engine/spell"
)

// Mode says what becomes of keys that nobody asks for.
type Mode uint8

const (
	Lenient Mode = iota // they are ignored
	Strict              // each is a problem, as in the API server's strict field validation
	Tracked             // [Cursor.Unread] tells them
)

// Problem is a value that is not what its place wants.
type Problem struct {
	Line    int
	Path    string // "spec.egress[0].to[1].ipBlock.cidr"; "" for the whole document
	Message string
	Hint    string // what to do, where one knows
}

// Cursor is a place in a document. Reading a value of the wrong type is a problem that the document
// collects; the reader gets the zero value and goes on. What is absent or null reads as the zero
// value without a problem.
type Cursor struct {
	state *state
	node  *yaml.Node // nil where there is nothing, or null
	up    *Cursor
	name  string // the key
	index int    // of an item of a list; -1 for the value of a key
	line  int
	wrong bool // its type has been reported

	asked []string // keys that were read; kept but in Lenient mode, as are kids
	kids  []*Cursor
	taken bool // every key below counts as read
}

// state is what the cursors of one reading share.
type state struct {
	mode     Mode
	problems []Problem // the first MaxProblems
	failures int       // how many there were
	slab     []Cursor  // cursors are made in blocks, each twice as long as the one before
	made     int       // how long the last was
}

const longestSlab = 64

func (s *state) cursor() *Cursor {
	if len(s.slab) == 0 {
		s.made = min(max(8, 2*s.made), longestSlab)
		s.slab = make([]Cursor, s.made)
	}
	c := &s.slab[0]
	s.slab = s.slab[1:]
	return c
}

// Open returns a cursor at the root of a document that could be read. Each call is a reading of its
// own.
func (d *Document) Open(mode Mode) *Cursor {
	s := &state{mode: mode}
	c := s.cursor()
	*c = Cursor{state: s, line: d.Line, node: d.root}
	return c
}

// Close ends the reading and returns its problems in order of their lines, unknown fields included
// in Strict mode. Call it on the cursor that Open returned.
func (c *Cursor) Close() []Problem {
	if c.state.mode == Strict {
		c.unknown()
	}
	if more := c.state.failures - len(c.state.problems); more > 0 {
		c.state.problems = append(c.state.problems, Problem{Line: c.line, Message: fmt.Sprintf("and %d more problems", more)})
	}
	slices.SortStableFunc(c.state.problems, func(a, b Problem) int { return a.Line - b.Line })
	return c.state.problems
}

// Problems returns how many problems the reading has had so far.
func (c *Cursor) Problems() int { return c.state.failures }

// Line returns the line of the value, or of what it should stand in.
func (c *Cursor) Line() int { return c.line }

// IsSet reports whether there is a value other than null.
func (c *Cursor) IsSet() bool { return c.node != nil }

// IsMap reports whether the value is a map.
func (c *Cursor) IsMap() bool { return c.node != nil && c.node.Kind == yaml.MappingNode }

// Fail records a problem with the value at c.
func (c *Cursor) Fail(message, hint string) {
	c.state.failures++
	if p := c.state.problems; len(p) < MaxProblems {
		c.state.problems = append(p, Problem{c.line, c.Path(), message, hint})
	}
}

func (c *Cursor) want(what string) {
	if !c.wrong {
		c.wrong = true
		c.Fail("wants "+what+", has "+describe(c.node), "")
	}
}

// describe says of which type a node is, and nothing of its value or its tag, which may be
// credentials.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode && isTagged(n), n.Kind == yaml.ScalarNode && scalarOf(n) == taggedScalar:
		return "the tag of another type"
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	switch scalarOf(n) {
	case boolScalar:
		return "a boolean"
	case intScalar, floatScalar:
		return "a number"
	}
	return "a text"
}

// Path returns where c is: "spec.ports[0].name".
func (c *Cursor) Path() string {
	var steps []*Cursor
	for at := c; at.up != nil; at = at.up {
		steps = append(steps, at)
	}
	var b strings.Builder
	for _, at := range slices.Backward(steps) {
		switch {
		case at.index >= 0:
			b.WriteString("[" + strconv.Itoa(at.index) + "]")
		case isPlainKey(at.name):
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(at.name)
		default:
			b.WriteString("[" + Quote(at.name) + "]")
		}
	}
	return b.String()
}

func isPlainKey(key string) bool {
	if key == "" || len(key) > 40 {
		return false
	}
	for _, r := range key {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// child returns the cursor of a value below c, n being its node or nil.
func (c *Cursor) child(n *yaml.Node, line int) *Cursor {
	if n != nil {
		if n = resolve(n); n.Kind == yaml.ScalarNode && scalarOf(n) == nullScalar {
			n = nil
		}
	}
	k := c.state.cursor()
	*k = Cursor{state: c.state, node: n, up: c, index: -1, line: line}
	if c.state.mode != Lenient {
		c.kids = append(c.kids, k)
	}
	return k
}

// Field returns the value of a key of the map at c.
func (c *Cursor) Field(name string) *Cursor {
	if c.state.mode != Lenient {
		for _, k := range c.kids {
			if k.index < 0 && k.name == name {
				return k // what was read of it stays read
			}
		}
		c.asked = append(c.asked, name)
	}
	var k *Cursor
	if c.isMap() {
		for i := 0; i+1 < len(c.node.Content); i += 2 {
			if c.node.Content[i].Value == name {
				k = c.child(c.node.Content[i+1], c.node.Content[i].Line)
				break
			}
		}
	}
	if k == nil {
		k = c.child(nil, c.line)
	}
	k.name = name
	return k
}

// FieldFold returns the value of a key as [Cursor.Field] does, or where the map has no such key
// that of the one that differs from it in case alone. Several that have a value are a problem.
func (c *Cursor) FieldFold(name string) *Cursor {
	k := c.Field(name)
	if !c.IsMap() {
		return k
	}
	for i := 0; i+1 < len(c.node.Content); i += 2 {
		key := c.node.Content[i].Value
		if key == name || !strings.EqualFold(key, name) {
			continue
		}
		switch other := c.Field(key); {
		case k.node == nil:
			k = other
		case other.node != nil:
			other.Fail("a second value, under a key that differs in case alone", "leave out one of them")
		}
	}
	return k
}

// At returns the value at a path of keys.
func (c *Cursor) At(names ...string) *Cursor {
	for _, name := range names {
		c = c.Field(name)
	}
	return c
}

// isMap reports whether c is a map; anything else but nothing is a problem.
func (c *Cursor) isMap() bool {
	switch {
	case c.node == nil:
		return false
	case c.node.Kind != yaml.MappingNode || isTagged(c.node):
		c.want("a map")
		return false
	}
	return true
}

func isTagged(n *yaml.Node) bool {
	return n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!map" && n.Tag != "!!seq"
}

// Items returns the items of the list at c. An item may be null; it then reads as absent, as in the
// API server.
func (c *Cursor) Items() []*Cursor {
	switch {
	case c.node == nil:
		return nil
	case c.node.Kind != yaml.SequenceNode || isTagged(c.node):
		c.want("a list")
		return nil
	}
	if len(c.kids) == len(c.node.Content) && len(c.kids) > 0 {
		return slices.Clone(c.kids) // what was read of them stays read
	}
	items := make([]*Cursor, len(c.node.Content))
	for i, n := range c.node.Content {
		items[i] = c.child(n, n.Line)
		items[i].index = i
	}
	return items
}

// Entries yields the keys of the map at c with their values.
func (c *Cursor) Entries() iter.Seq2[string, *Cursor] {
	return func(yield func(string, *Cursor) bool) {
		c.taken = true
		if !c.isMap() {
			return
		}
		for i := 0; i+1 < len(c.node.Content); i += 2 {
			key := c.node.Content[i]
			k := c.child(c.node.Content[i+1], key.Line)
			k.name = key.Value
			if !yield(key.Value, k) {
				return
			}
		}
	}
}

// Skip makes everything below c count as read.
func (c *Cursor) Skip() { c.taken = true }

// Text returns the text at c. Plain words and numbers that YAML reads as something else are a
// problem: the API server would not receive a text.
func (c *Cursor) Text() string {
	switch {
	case c.node == nil: // the API server takes null for an empty text
	case c.node.Kind != yaml.ScalarNode:
		c.want("a text")
	default:
		switch scalarOf(c.node) {
		case stringScalar:
			return c.node.Value
		case taggedScalar:
			c.want("a text")
		default:
			if !c.wrong {
				c.wrong = true
				c.Fail("wants a text, has "+describe(c.node), "put it in quotes")
			}
		}
	}
	return ""
}

// Bool returns the boolean at c.
func (c *Cursor) Bool() bool {
	if c.node == nil {
		return false
	}
	if c.node.Kind != yaml.ScalarNode || scalarOf(c.node) != boolScalar {
		c.want("true or false")
		return false
	}
	return boolOf(c.node)
}

// Int returns the whole number at c; ok is false if there is none.
func (c *Cursor) Int() (n int64, ok bool) {
	if c.node == nil {
		return 0, false
	}
	if c.node.Kind == yaml.ScalarNode {
		if n, ok = intOf(c.node); ok {
			return n, true
		}
	}
	c.want("a whole number")
	return 0, false
}

// IsText reports whether c holds a text, which matters for values that are a number or a name.
func (c *Cursor) IsText() bool {
	return c.node != nil && c.node.Kind == yaml.ScalarNode && scalarOf(c.node) == stringScalar
}

// Texts returns the list of texts at c.
func (c *Cursor) Texts() []string {
	var out []string
	for _, item := range c.Items() {
		out = append(out, item.Text())
	}
	return out
}

// TextMap returns the map of texts at c, nil if it has none.
func (c *Cursor) TextMap() map[string]string {
	var out map[string]string
	for key, value := range c.Entries() {
		if out == nil {
			out = map[string]string{}
		}
		before := c.Problems()
		if text := value.Text(); c.Problems() == before {
			out[key] = text
		}
	}
	return out
}

// unknown reports the keys below c that nobody asked for.
func (c *Cursor) unknown() {
	if c.taken || c.node == nil {
		return
	}
	if c.node.Kind == yaml.MappingNode && !c.wrong {
		for i := 0; i+1 < len(c.node.Content); i += 2 {
			key := c.node.Content[i]
			if slices.Contains(c.asked, key.Value) {
				continue
			}
			at := Cursor{state: c.state, up: c, name: key.Value, index: -1, line: key.Line}
			hint := ""
			if near, ok := spell.Nearest(key.Value, c.asked, slips); ok {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			at.Fail("unknown field", hint)
		}
	}
	for _, k := range c.kids {
		k.unknown()
	}
}

// Unread returns the values below c whose keys nobody asked for, in Tracked mode.
func (c *Cursor) Unread() []*Cursor {
	if c.taken || c.node == nil {
		return nil
	}
	var out []*Cursor
	for _, k := range c.kids {
		out = append(out, k.Unread()...)
	}
	if c.node.Kind == yaml.MappingNode && !c.wrong {
		for i := 0; i+1 < len(c.node.Content); i += 2 {
			if key := c.node.Content[i]; !slices.Contains(c.asked, key.Value) {
				k := c.child(c.node.Content[i+1], key.Line)
				k.name = key.Value
				out = append(out, k)
			}
		}
	}
	return out
}

// AllTexts yields every text in c and below it, but for those below keys in skip, each with the text
// that the nearest map around it has under the key beside.
func (c *Cursor) AllTexts(beside string, skip ...string) iter.Seq2[*Cursor, string] {
	return func(yield func(*Cursor, string) bool) { c.allTexts(beside, "", skip, yield) }
}

func (c *Cursor) allTexts(beside, near string, skip []string, yield func(*Cursor, string) bool) bool {
	switch {
	case c.IsText():
		return yield(c, near)
	case c.IsMap():
		if k := c.Field(beside); k.IsText() {
			near = k.Text()
		}
		for key, value := range c.Entries() {
			if !slices.Contains(skip, key) && !value.allTexts(beside, near, skip, yield) {
				return false
			}
		}
	case c.node != nil && c.node.Kind == yaml.SequenceNode:
		for _, item := range c.Items() {
			if !item.allTexts(beside, near, skip, yield) {
				return false
			}
		}
	}
	return true
}

// slips returns how many wrong letters a key may have and still be taken for a known key: up to
// two, and fewer than half of a short one, so that words that only look alike give no hint.
func slips(key string) int {
	if len(key) < 3 {
		return -1
	}
	return min(2, len(key)/2-1)
}
