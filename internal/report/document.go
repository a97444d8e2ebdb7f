// Package report renders results. Apart from commands it is the only package that writes output.
//
// JSON is the result itself, CSV and DOT take the edges of a map, and everything for people is one
// [Document] of plain data that each renderer renders. Texts may hold anything that the input
// holds: renderers make them harmless.
package report

import "iter"

// Document is what a report says, without how it looks.
type Document []Block

// Block is one of [Heading], [Paragraph], [Notes], [Fields] and [Table].
type Block interface{ isBlock() }

// Tone says how much a text matters. The zero value is ordinary text.
type Tone uint8

const (
	Plain  Tone = iota
	Strong      // stands out
	Dim         // may be passed over
	Good        // all is well
	Warn        // look at this
	Bad         // this is wrong
)

// Heading starts a section. An empty one only sets what follows apart.
type Heading struct {
	Mark  string // a grade, a verdict or an id, set before Text in Tone
	Tone  Tone
	Text  string
	Aside string // what else to know, in the background
	Close bool   // it belongs to the heading before it, with the same section
}

// Paragraph is running text.
type Paragraph struct {
	Text string
	Tone Tone
}

// Notes is bullet notes.
type Notes []Note

// Note is a sentence, with a label in Tone that says what it is about, and lines below it.
type Note struct {
	Label string
	Tone  Tone
	Text  string
	Below []string
	Aside []string // lines after Below, in the background
}

// Fields is names with a text each.
type Fields []Field

// Field is a name and what it says. Without a name it goes on with the one before it.
type Field struct {
	Name  string
	Text  string
	Tone  Tone     // of Text
	Below []string // lines after Text
}

// Table has a cell for each name in Header in each row; cells that miss at the end are empty. A row
// whose first cell is that of the row before leaves it out.
type Table struct {
	Header []string
	Rows   [][]string
	Stream iter.Seq[[]string] // rows after Rows, made one at a time; nil for none
}

func (Heading) isBlock()   {}
func (Paragraph) isBlock() {}
func (Notes) isBlock()     {}
func (Fields) isBlock()    {}
func (Table) isBlock()     {}
