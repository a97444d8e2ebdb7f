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
	indent       = 2 // of everything but headings and paragraphs
	gutter       = 2 // between columns
)

// Text writes d for a terminal. Its error is w's.
func Text(w io.Writer, d Document, o Options) error {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	t := &textWriter{bufio.NewWriter(w), max(o.Width, minWidth), o.Color}
	for i, b := range d {
		t.block(b, i == 0)
	}
	return t.Flush()
}

type textWriter struct {
	*bufio.Writer
	width int
	color bool
}

// span is text of one tone, which is clean.
type span struct {
	tone Tone
	text string
}

func (t *textWriter) block(b Block, first bool) {
	switch b := b.(type) {
	case Heading:
		if !first && !b.Close {
			t.WriteByte('\n')
		}
		text := []span{{b.Tone, Clean(b.Mark)}, {Strong, gap(b.Mark, Clean(b.Text))}, {Dim, gap(b.Mark+b.Text, Clean(b.Aside))}}
		if b != (Heading{}) {
			t.hanging(text, 0, indent)
		}
	case Paragraph:
		t.hanging([]span{{b.Tone, Clean(b.Text)}}, 0, 0)
	case Notes:
		for _, n := range b {
			t.pad(indent)
			t.WriteString("- ")
			t.hanging([]span{{n.Tone, Clean(n.Label)}, {Plain, gap(n.Label, Clean(n.Text))}}, 0, indent+2)
			for _, below := range n.Below {
				t.hanging([]span{{Plain, Clean(below)}}, indent+2, indent+4)
			}
			for _, aside := range n.Aside {
				t.hanging([]span{{Dim, Clean(aside)}}, indent+2, indent+4)
			}
		}
	case Fields:
		t.fields(b)
	case Table:
		t.table(b)
	}
}

// gap sets text apart from what stands before it.
func gap(before, text string) string {
	if before == "" || text == "" {
		return text
	}
	return "  " + text
}

func (t *textWriter) fields(fs Fields) {
	column := 0
	for _, f := range fs {
		column = max(column, min(columns(Clean(f.Name)), t.width/4))
	}
	for i, f := range fs {
		t.pad(indent)
		name := Clean(f.Name)
		t.span(span{Dim, name})
		t.pad(max(0, column-columns(name)) + gutter)
		at := indent + column + gutter
		rest := at
		if f.Name == "" || f.Below != nil || i+1 < len(fs) && fs[i+1].Name == "" { // one of several
			rest += indent
		}
		t.hanging([]span{{f.Tone, Clean(f.Text)}}, 0, rest)
		for _, below := range f.Below {
			t.hanging([]span{{Plain, Clean(below)}}, at+indent, at+2*indent)
		}
	}
}

// hanging writes text with its first line indented by first, which may have been written already,
// and the others by rest.
func (t *textWriter) hanging(text []span, first, rest int) {
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

func (t *textWriter) line(spans []span) (width int) {
	for _, s := range spans {
		t.span(s)
		width += columns(s.text)
	}
	return width
}

var codes = [...]string{Strong: "1", Dim: "2", Good: "32", Warn: "33", Bad: "31"}

func (t *textWriter) span(s span) {
	if t.color && s.tone != Plain && strings.TrimSpace(s.text) != "" {
		t.WriteString("\x1b[" + codes[s.tone] + "m" + s.text + "\x1b[0m")
		return
	}
	t.WriteString(s.text)
}

// word is what is never broken in running text.
type word struct {
	gap   int // spaces before it
	spans []span
	width int
}

// words splits text at spaces.
func words(text []span) []word {
	var out []word
	gap, open := 0, false
	for _, s := range text {
		clean := s.text
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
			last.spans = append(last.spans, span{s.tone, part})
			last.width += columns(part)
			clean = rest
		}
	}
	return out
}

// wrap breaks text into lines of at most width columns. A longer word is broken where force says
// so, after a separator if it can be.
func wrap(text []span, width int, force bool) [][]span {
	var lines [][]span
	var line []span
	used := 0
	end := func() {
		lines = append(lines, line)
		line, used = nil, 0
	}
	for _, w := range words(text) {
		if used > 0 && used+w.gap+w.width > width {
			end()
		} else if used > 0 {
			line = joined(line, span{w.spans[0].tone, strings.Repeat(" ", w.gap)})
			used += w.gap
		}
		for force && w.width > width {
			var head word
			head, w = w.split(width)
			line = append(line, head.spans...)
			end()
		}
		for _, s := range w.spans {
			line = joined(line, s)
		}
		used += w.width
	}
	if line != nil || lines == nil {
		end()
	}
	return lines
}

// joined appends to a line, whose last span may go on.
func joined(line []span, s span) []span {
	if n := len(line); n > 0 && line[n-1].tone == s.tone {
		line[n-1].text += s.text
		return line
	}
	return append(line, s)
}

// split takes from a word what fits into width columns, up to a separator in its second half if
// there is one. It reads no further, so that a word of any length is split in linear time.
func (w word) split(width int) (head, rest word) {
	at, cols := 0, 0        // where the line is full
	separator, upTo := 0, 0 // the last separator, and the columns up to it
	scan := func(text string) (full bool) {
		for i, r := range text {
			if cols+runeColumns(r) > width && at+i > 0 {
				at += i
				return true
			}
			cols += runeColumns(r)
			if strings.ContainsRune("/.,:-", r) && cols > width/2 {
				separator, upTo = at+i+1, cols
			}
		}
		at += len(text)
		return false
	}
	for _, s := range w.spans {
		if scan(s.text) {
			break
		}
	}
	if separator > 0 {
		at, cols = separator, upTo
	}
	for i, s := range w.spans {
		if at >= len(s.text) {
			head.spans = append(head.spans, s)
			at -= len(s.text)
			continue
		}
		if at > 0 {
			head.spans = append(head.spans, span{s.tone, s.text[:at]})
		}
		rest.spans = append([]span{{s.tone, s.text[at:]}}, w.spans[i+1:]...)
		break
	}
	head.width, rest.width = cols, w.width-cols
	return head, rest
}

// measured is how many rows of a table decide how wide its columns are. Later rows are wrapped into
// them.
const measured = 256

func (t *textWriter) table(tb Table) {
	rows := iter.Seq[[]string](func(yield func([]string) bool) {
		for _, row := range tb.Rows {
			if !yield(row) {
				return
			}
		}
		if tb.Stream != nil {
			tb.Stream(yield)
		}
	})
	var first [][]string
	var widths []int
	last := "\x00"
	show := func(row []string) {
		if len(row) > 1 && row[0] == last {
			row = append([]string{""}, row[1:]...)
		} else if len(row) > 0 {
			last = row[0]
		}
		t.row(row, Plain, widths)
	}
	start := func() {
		widths = t.widths(tb.Header, first)
		t.row(tb.Header, Strong, widths)
		for _, row := range first {
			show(row)
		}
	}
	for row := range rows {
		if widths == nil {
			if first = append(first, row); len(first) == measured {
				start()
			}
			continue
		}
		show(row)
	}
	if widths == nil {
		start()
	}
}

// widths gives each column what it needs, and less to the widest where that is too much. A last
// column with nothing in it is left out.
func (t *textWriter) widths(header []string, rows [][]string) []int {
	need := make([]int, len(header))
	used := 0
	for i, h := range header {
		need[i] = columns(Clean(h))
		for _, row := range rows {
			if i < len(row) && row[i] != "" {
				used = i + 1
				need[i] = max(need[i], columns(Clean(row[i])))
			}
		}
	}
	if len(rows) > 0 && len(rows) < measured {
		need = need[:used]
	}
	room := max(t.width-indent-gutter*(len(need)-1), len(need))
	out := slices.Clone(need)
	for limit := t.width; sum(out) > room && limit > 4; limit-- {
		for i := range out {
			out[i] = min(need[i], limit)
		}
	}
	for i := range out { // what is left after the last cut
		out[i] += max(0, min(need[i]-out[i], room-sum(out)))
	}
	return out
}

func sum(ns []int) int {
	total := 0
	for _, n := range ns {
		total += n
	}
	return total
}

// row writes the cells of a row beside one another.
func (t *textWriter) row(cells []string, tone Tone, widths []int) {
	wrapped := make([][][]span, len(widths))
	height := 1
	for i := range widths {
		if i < len(cells) {
			wrapped[i] = wrap([]span{{tone, Clean(cells[i])}}, widths[i], true)
			height = max(height, len(wrapped[i]))
		}
	}
	for l := range height {
		gap := indent
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
