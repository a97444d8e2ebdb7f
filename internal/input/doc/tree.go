package doc

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func tooDeep(line int) *Error {
	return &Error{Line: line, Message: fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
}
func tooLarge(line int) *Error {
	return &Error{Line: line, Message: fmt.Sprintf("more than %d values in one document", MaxNodes)}
}

// resolve returns the node that n stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// checker goes over a parsed tree once: it makes lines true, keys texts and unique, merge keys
// plain entries, and refuses aliases that form a cycle or stand for far more than was written.
type checker struct {
	lines   lines
	items   *yaml.Node             // the items of a list: an error in one of them is its own
	broken  map[int]*Error         // by index of the item
	anchors map[*yaml.Node]*extent // of nodes with an anchor; nil while being visited
	nodes   int                    // visited so far
	hidden  int                    // keys around the current node below which values may be credentials
	added   int                    // what aliases so far stand for
}

// extent is what a node amounts to once its aliases are followed.
type extent struct{ size, height int }

func (ck *checker) check(root *yaml.Node) *Error {
	ck.anchors = map[*yaml.Node]*extent{}
	_, err := ck.visit(root, 0)
	return err
}

func (ck *checker) visit(n *yaml.Node, depth int) (extent, *Error) {
	n.Line = ck.lines.of(n.Line)
	if ck.nodes++; depth > MaxDepth {
		return extent{}, tooDeep(n.Line)
	}
	if n.Kind == yaml.AliasNode {
		e, ok := ck.anchors[n.Alias]
		switch {
		case !ok:
			return extent{}, &Error{Line: n.Line, Message: "an alias of something that cannot be read"}
		case e == nil:
			return extent{}, &Error{Line: n.Line, Message: "an alias of something around itself"}
		case depth+e.height > MaxDepth:
			return extent{}, tooDeep(n.Line)
		}
		if ck.added = min(ck.added+e.size, math.MaxInt32); ck.added > aliasFactor*ck.nodes+aliasSlack {
			return extent{}, &Error{Line: n.Line, Message: "aliases that stand for far more than is written"}
		}
		return *e, nil
	}
	if n.Anchor != "" {
		ck.anchors[n] = nil
	}
	e := extent{size: 1}
	for i, child := range n.Content {
		hides := n.Kind == yaml.MappingNode && i%2 == 1 && mayHide[n.Content[i-1].Value]
		if hides {
			ck.hidden++
		}
		c, err := ck.visit(child, depth+1)
		if hides {
			ck.hidden--
		}
		if err != nil && n == ck.items {
			if ck.broken == nil {
				ck.broken = map[int]*Error{}
			}
			ck.broken[i] = err
			continue
		}
		if err != nil {
			return e, err
		}
		e.size = min(e.size+c.size, math.MaxInt32)
		e.height = max(e.height, c.height+1)
	}
	if n.Kind == yaml.MappingNode {
		if err := ck.keys(n); err != nil {
			if depth == 0 && isJoined(n) {
				err.Hint = "are these two objects? put a line with --- between them"
			}
			return e, err
		}
	}
	if n.Anchor != "" {
		ck.anchors[n] = &e
	}
	return e, nil
}

// mayHide holds the keys below which Kubernetes objects carry credentials. Where YAML is broken, a
// value may have become a key.
var mayHide = map[string]bool{"env": true, "value": true, "args": true, "command": true, "data": true, "stringData": true,
	"binaryData": true, "annotations": true}

// quote names a key in a message.
func (ck *checker) quote(key *yaml.Node) string {
	if ck.hidden > 0 {
		return "a key"
	}
	return "the key " + Quote(key.Value)
}

// isJoined reports whether n is what two objects become without a line between them: it has two
// types.
func isJoined(n *yaml.Node) bool {
	if n.Style&yaml.FlowStyle != 0 {
		return false
	}
	versions, kinds := 0, 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch n.Content[i].Value {
		case "apiVersion":
			versions++
		case "kind":
			kinds++
		}
	}
	return versions > 1 || kinds > 1
}

// keys makes the keys of a map texts, refuses those that repeat, and puts in what its merge key
// brings.
func (ck *checker) keys(n *yaml.Node) *Error {
	merge := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.ScalarNode && key.Tag == "!!merge" {
			if merge >= 0 {
				return &Error{Line: key.Line, Message: `the key "<<" is there twice`}
			}
			merge = i
			continue
		}
		text, ok := keyText(resolve(key))
		if !ok {
			return &Error{Line: key.Line, Message: "a key that is not a text"}
		}
		if key.Kind == yaml.AliasNode || key.Value != text || key.Tag != "!!str" {
			n.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Line: key.Line}
		}
	}
	at, err := ck.positions(n, merge)
	if err != nil || merge < 0 {
		return err
	}
	return ck.mergeInto(n, merge, at)
}

// positions returns the index of each key of n but the one at skip, and refuses a key that is there
// twice. For small maps without a merge key it only compares and returns nil.
func (ck *checker) positions(n *yaml.Node, skip int) (map[string]int, *Error) {
	twice := func(key *yaml.Node, first int) *Error {
		return &Error{Line: key.Line, Message: fmt.Sprintf("%s is there twice (first on line %d)", ck.quote(key), n.Content[first].Line)}
	}
	if len(n.Content) <= 24 && skip < 0 {
		for i := 2; i < len(n.Content); i += 2 {
			for j := 0; j < i; j += 2 {
				if n.Content[i].Value == n.Content[j].Value {
					return nil, twice(n.Content[i], j)
				}
			}
		}
		return nil, nil
	}
	at := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i == skip {
			continue
		}
		if first, ok := at[n.Content[i].Value]; ok {
			return nil, twice(n.Content[i], first)
		}
		at[n.Content[i].Value] = i
	}
	return at, nil
}

// mergeInto replaces the merge key of n by the entries it brings. The map's own keys win, then maps
// earlier in the list of maps. kubectl lets a merge override the keys written before it, unlike the
// YAML specification and kustomize, so where that would matter the document is refused.
func (ck *checker) mergeInto(n *yaml.Node, merge int, at map[string]int) *Error {
	key, from := n.Content[merge], resolve(n.Content[merge+1])
	maps := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		maps = from.Content
	}
	out := append(n.Content[:merge:merge], n.Content[merge+2:]...)
	merged := map[string]bool{}
	for _, m := range maps {
		if m = resolve(m); m.Kind != yaml.MappingNode {
			return &Error{Line: key.Line, Message: `"<<" wants a map`}
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			name := m.Content[i].Value
			if merged[name] {
				continue
			}
			merged[name] = true
			own, ok := at[name]
			switch {
			case !ok:
				out = append(out, m.Content[i], m.Content[i+1])
			case own < merge && !equal(n.Content[own+1], m.Content[i+1]):
				return &Error{Line: key.Line, Message: fmt.Sprintf(`"<<" sets %s, which line %d has set: tools disagree on which one holds; put "<<" first`,
					ck.quote(m.Content[i]), n.Content[own].Line)}

			}
		}
	}
	n.Content = out
	return nil
}

// maxEqual bounds the comparison of two values: aliases can make them far larger than they are
// written.
const maxEqual = 1000

// equal reports whether two checked trees hold the same, in the same order; what is too large to
// compare is not.
func equal(a, b *yaml.Node) bool {
	left := maxEqual
	var same func(a, b *yaml.Node) bool
	same = func(a, b *yaml.Node) bool {
		a, b = resolve(a), resolve(b)
		if left--; left < 0 {
			return false
		}
		if a.Kind != b.Kind || len(a.Content) != len(b.Content) || a.Value != b.Value || a.Kind == yaml.ScalarNode && scalarOf(a) != scalarOf(b) {
			return false
		}
		for i := range a.Content {
			if !same(a.Content[i], b.Content[i]) {
				return false
			}
		}
		return true
	}
	return same(a, b)
}

// scalar is what kubectl takes a scalar for.
type scalar uint8

const (
	stringScalar scalar = iota
	boolScalar
	intScalar
	floatScalar
	nullScalar
	taggedScalar // carries a tag of its own, which Kubernetes objects have no use for
)

// scalarOf follows go.yaml.in/yaml/v2, with which kubectl reads: the booleans of YAML 1.1 count,
// dates do not.
func scalarOf(n *yaml.Node) scalar {
	if n.Style&yaml.TaggedStyle != 0 {
		if n.Tag == "!!str" {
			return stringScalar
		}
		return taggedScalar
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return stringScalar
	}
	switch n.Tag {
	case "!!bool":
		return boolScalar
	case "!!int":
		return intScalar
	case "!!float":
		return floatScalar
	case "!!null":
		return nullScalar
	}
	if _, ok := yaml11[n.Value]; ok {
		return boolScalar
	}
	return stringScalar
}

// yaml11 holds the plain words that YAML 1.1 reads as booleans and YAML 1.2 does not.
var yaml11 = map[string]bool{
	"y": true, "Y": true, "yes": true, "Yes": true, "YES": true, "on": true, "On": true, "ON": true,
	"n": false, "N": false, "no": false, "No": false, "NO": false, "off": false, "Off": false, "OFF": false,
}

func boolOf(n *yaml.Node) bool {
	if b, ok := yaml11[n.Value]; ok {
		return b
	}
	return n.Value[0] == 't' || n.Value[0] == 'T'
}

// intOf reads a number that is whole, however it is written: kubectl sends 80.0 as 80.
func intOf(n *yaml.Node) (int64, bool) {
	switch plain := strings.ReplaceAll(n.Value, "_", ""); scalarOf(n) {
	case intScalar:
		i, err := strconv.ParseInt(plain, 0, 64)
		return i, err == nil
	case floatScalar:
		f, err := strconv.ParseFloat(plain, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0, false
		}
		return int64(f), true
	}
	return 0, false
}

// keyText returns what a key becomes in JSON.
func keyText(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		return "", false
	}
	switch scalarOf(n) {
	case stringScalar:
		return n.Value, true
	case boolScalar:
		return strconv.FormatBool(boolOf(n)), true
	case intScalar:
		if i, ok := intOf(n); ok {
			return strconv.FormatInt(i, 10), true
		}
	case floatScalar:
		if f, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64); err == nil {
			return strconv.FormatFloat(f, 'g', -1, 32), true
		}
	}
	return "", false
}
