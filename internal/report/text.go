package report

import (
	"bufio"
	"io"
	"iter"
	"slices"
	"strings"
)

// Options says how to render a report.
type Options struct {
	Width   int  // columns; 0 is 100
	Color   bool // ANSI colours
	Verbose bool // all of it
}

const (
	defaultWidth = 100
	minWidth     = 20
)

// WriteText PLACEHOLDER

type textWriter struct {
	*bufio.Writer
	width int
	color bool
}

// blocks writes blocks, indented.
func (t *textWriter) blocks(bs []Block, indent int, loose bool) {
	for i, b := range bs {
		if i > 0 && loose {
			if _, afterHeading := bs[i-1].(Heading); !afterHeading {
				t.WriteByte('\n')
			}
		}
		t.block(b, indent)
	}
}

func (t *textWriter) block(b Block, indent int) {
	switch b := b.(type) {
	case Heading:
		text := b.Text
		if len(text) == 1 && text[0].Tone == Plain {
			text = In(Strong, text[0].Text)
		}
		t.hanging(text, indent, indent)
		if b.Level == 1 {
			t.WriteByte('\n')
		}
	case Paragraph:
		t.hanging(b.Text, indent, indent)
	case List:
		for _, item := range b.Items {
			t.pad(indent)
			t.WriteString("- ")
			t.hanging(item, 0, indent+2)
		}
	case Fields:
		t.fields(b, indent)
	case Table:
		t.table(b, indent)
	case Callout:
		t.hanging(b.Title, indent, indent+2)
		t.blocks(b.Body, indent+2, false)
	}
}

func (t *textWriter) fields(fs Fields, indent int) {
	label := 0
	for _, f := range fs {
		label = max(label, min(columns(Clean(f.Label)), t.width/4))
	}
	for _, f := range fs {
		t.pad(indent)
		t.span(Span{Quiet, Clean(f.Label)})
		t.pad(max(0, label-columns(Clean(f.Label))) + 2)
		t.hanging(f.Text, 0, indent+label+2)
	}
}

// hanging writes text with its first line indented by first, which may have been written already, and the others by rest.
func (t *textWriter) hanging(text Text, first, rest int) {
	for i, line := range wrap(text, max(t.width-rest, minWidth), false) {
		if i > 0 {
			first = rest
		}
		t.pad(first)
		t.line(line)
		t.WriteByte('\n')
	}
}

func (t *textWriter) pad(n int) {
	for range n {
		t.WriteByte(' ')
	}
}

func (t *textWriter) line(spans []Span) (width int) {
	for _, s := range spans {
		t.span(s)
		width += columns(s.Text)
	}
	return width
}

var codes = [...]string{Strong: "1", Quiet: "2", Good: "32", Notice: "33", Bad: "31", Worst: "1;31"}

// span writes a text that is clean.
func (t *textWriter) span(s Span) {
	if t.color && s.Tone != Plain && s.Text != "" {
		t.WriteString("\x1b[" + codes[s.Tone] + "m" + s.Text + "\x1b[0m")
		return
	}
	t.WriteString(s.Text)
}

// word is what is never broken in running text.
type word struct {
	gap   int // spaces before it
	spans []Span
	width int
}

// words splits text, cleaned, at spaces.
func words(text Text) []word {
	var out []word
	gap, open := 0, false
	for _, s := range text {
		clean := Clean(s.Text)
		for clean != "" {
			if clean[0] == ' ' {
				trimmed := strings.TrimLeft(clean, " ")
				gap += len(clean) - len(trimmed)
				clean, open = trimmed, false
				continue
			}
			part, rest, spaced := strings.Cut(clean, " ")
			if spaced {
				rest = " " + rest
			}
			if !open {
				out = append(out, word{gap: gap})
				gap, open = 0, true
			}
			last := &out[len(out)-1]
			last.spans = append(last.spans, Span{s.Tone, part})
			last.width += columns(part)
			clean = rest
		}
	}
	return out
}

// wrap breaks text into lines of at most width columns. A longer word is broken where force says so, after a separator if it can be.
func wrap(text Text, width int, force bool) [][]Span {
	var lines [][]Span
	var line []Span
	used := 0
	end := func() {
		lines = append(lines, line)
		line, used = nil, 0
	}
	for _, w := range words(text) {
		if used > 0 && used+w.gap+w.width > width {
			end()
		} else if used > 0 {
			line = append(line, Span{Text: strings.Repeat(" ", w.gap)})
			used += w.gap
		}
		for force && w.width > width {
			var head word
			head, w = w.split(width)
			line = append(line, head.spans...)
			end()
		}
		line = append(line, w.spans...)
		used += w.width
	}
	if line != nil || lines == nil {
		end()
	}
	return lines
}

// split takes from a word what fits into width columns, up to a separator in its second half if there is one.
func (w word) split(width int) (head, rest word) {
	whole := ""
	for _, s := range w.spans {
		whole += s.Text
	}
	at, cols, separator := 0, 0, 0
	for i, r := range whole {
		if cols += runeColumns(r); cols > width && i > 0 {
			break
		}
		at = i + len(string(r))
		if strings.ContainsRune("/.,:-", r) && cols > width/2 {
			separator = at
		}
	}
	if separator > 0 {
		at = separator
	}
	for _, s := range w.spans {
		switch {
		case at >= len(s.Text):
			head.spans = append(head.spans, s)
			at -= len(s.Text)
		default:
			if at > 0 {
				head.spans = append(head.spans, Span{s.Tone, s.Text[:at]})
			}
			rest.spans = append(rest.spans, Span{s.Tone, s.Text[at:]})
			at = 0
		}
	}
	for _, part := range []*word{&head, &rest} {
		for _, s := range part.spans {
			part.width += columns(s.Text)
		}
	}
	return head, rest
}

// measured is how many rows of a table decide how wide its columns are. Later rows are wrapped into them.
const measured = 256

const gutter = 2

func (t *textWriter) table(tb Table, indent int) {
	next, stop := iter.Pull(tb.Rows)
	defer stop()
	var rows [][]Text
	for len(rows) < measured {
		row, ok := next()
		if !ok {
			break
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		t.hanging(In(Quiet, tb.Empty), indent, indent)
		return
	}
	widths := t.widths(tb.Head, rows, indent)
	head := make([]Text, len(tb.Head))
	for i, h := range tb.Head {
		head[i] = In(Strong, h)
	}
	t.row(head, widths, indent)
	var last Text
	show := func(row []Text) {
		if len(row) > 1 && slices.Equal(row[0], last) {
			row = append([]Text{nil}, row[1:]...)
		} else if len(row) > 0 {
			last = row[0]
		}
		t.row(row, widths, indent)
	}
	for _, row := range rows {
		show(row)
	}
	for {
		row, ok := next()
		if !ok {
			return
		}
		show(row)
	}
}

// widths gives each column what it needs, and less to the widest where that is too much.
func (t *textWriter) widths(head []string, rows [][]Text, indent int) []int {
	need := make([]int, len(head))
	for i, h := range head {
		need[i] = columns(Clean(h))
	}
	for _, row := range rows {
		for i, cell := range row {
			if i >= len(need) {
				break
			}
			n := 0
			for _, s := range cell {
				n += columns(Clean(s.Text))
			}
			need[i] = max(need[i], n)
		}
	}
	for len(need) > 0 && need[len(need)-1] == columns(Clean(head[len(need)-1])) && emptyColumn(rows, len(need)-1) {
		need = need[:len(need)-1] // nothing to say in the last column
	}
	room := max(t.width-indent-gutter*(len(need)-1), minWidth)
	out := slices.Clone(need)
	for limit := t.width; sum(out) > room && limit > 4; limit-- {
		for i := range out {
			out[i] = min(need[i], limit)
		}
	}
	if len(out) > 0 { // what is left after the last cut goes to whoever needs it
		for i := range out {
			if more := min(need[i]-out[i], room-sum(out)); more > 0 {
				out[i] += more
			}
		}
	}
	return out
}

func emptyColumn(rows [][]Text, i int) bool {
	if len(rows) == measured {
		return false
	}
	return !slices.ContainsFunc(rows, func(row []Text) bool { return i < len(row) && len(words(row[i])) > 0 })
}

func sum(ns []int) int {
	total := 0
	for _, n := range ns {
		total += n
	}
	return total
}

// row writes the cells of a row beside one another.
func (t *textWriter) row(cells []Text, widths []int, indent int) {
	wrapped := make([][][]Span, len(widths))
	height := 1
	for i := range widths {
		if i < len(cells) {
			wrapped[i] = wrap(cells[i], widths[i], true)
			height = max(height, len(wrapped[i]))
		}
	}
	for l := range height {
		t.pad(indent)
		gap := 0
		for i, lines := range wrapped {
			used := 0
			if l < len(lines) && len(lines[l]) > 0 {
				t.pad(gap)
				gap = 0
				used = t.line(lines[l])
			}
			gap += max(0, widths[i]-used) + gutter
		}
		t.WriteByte('\n')
	}
}
