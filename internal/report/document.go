// Package report renders results. Apart from commands it is the only package that writes output.
//
// JSON is the result itself, CSV and DOT take the edges of a map, and everything for people is one [Document] of plain data that each renderer
// renders. Texts may hold anything that the input holds: renderers make them harmless.
package report

import (
	"iter"
	"slices"
)

// Document is what a report says, without how it looks.
type Document struct{ Blocks []Block }

// Add appends blocks.
func (d *Document) Add(blocks ...Block) { d.Blocks = append(d.Blocks, blocks...) }

// Block is one of [Heading], [Paragraph], [List], [Fields], [Table] and [Callout].
type Block interface{ isBlock() }

// Tone says how much a text matters. The zero value is ordinary text.
type Tone uint8

const (
	Plain  Tone = iota
	Strong      // stands out
	Quiet       // may be passed over
	Good        // all is well
	Notice      // look at this
	Bad         // this is wrong
	Worst       // this is as wrong as can be
)

// Span is text of one tone.
type Span struct {
	Tone Tone
	Text string
}

// Text is a line of text, wrapped where it has to be.
type Text []Span

// Say is text of the ordinary tone.
func Say(text string) Text { return Text{{Plain, text}} }

// In is text of one tone.
func In(tone Tone, text string) Text { return Text{{tone, text}} }

// And returns t followed by more.
func (t Text) And(more ...Span) Text { return append(slices.Clip(t), more...) }

// Heading starts a section. Level 1 is the highest.
type Heading struct {
	Level int
	Text  Text
}

// Paragraph is running text.
type Paragraph struct{ Text Text }

// List is bullet notes.
type List struct{ Items []Text }

// Fields is labels with a text each.
type Fields []Field

// Field is a label and what it says.
type Field struct {
	Label string
	Text  Text
}

// Table has one row of cells for each row. Rows are asked for once, and a row whose first cell is that of the row before leaves it out.
type Table struct {
	Head  []string
	Rows  iter.Seq[[]Text]
	Empty string // what to say where there are no rows
}

// Callout is blocks under a title.
type Callout struct {
	Title Text
	Body  []Block
}

func (Heading) isBlock()   {}
func (Paragraph) isBlock() {}
func (List) isBlock()      {}
func (Fields) isBlock()    {}
func (Table) isBlock()     {}
func (Callout) isBlock()   {}
