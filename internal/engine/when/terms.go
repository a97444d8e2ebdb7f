package when

import (
	"cmp"
	"slices"
)

// Literal is the condition that a question has one of some answers. Domain are those that are
// possible at all.
type Literal struct {
	Question *Question
	In       Answers
	Domain   Answers
}

func (l Literal) equal(m Literal) bool { return l.Question == m.Question && l.In.equal(m.In) }

// mostTerms ends a list of terms that nobody could read.
const mostTerms = 1 << 10

// Terms says w where care holds as alternatives: w holds where all literals of one of the terms do.
// No term has a literal that it does not need, none could have more answers, and a short one comes
// first. If max is not 0, it returns at most so many; all reports whether there are no more.
func (w When) Terms(care When, max int) (terms [][]Literal, all bool) {
	if max == 0 {
		max = mostTerms
	}
	for open := care; !open.IsNever(); {
		rest := w.Assume(open)
		if rest.IsNever() {
			break
		}
		if len(terms) == max {
			return terms, false
		}
		term, holds := w.widened(rest.shortest(), care)
		terms, open = append(terms, term), open.Minus(holds)
	}
	return terms, true
}

// shortest is a shortest path from w, which is not never, to always.
func (w When) shortest() []Literal {
	steps := map[*node]int{nil: 0, never: 1 << 30}
	var walk func(*node) int
	nearest := func(a, b follows) int { return cmp.Compare(walk(a.to), walk(b.to)) }
	walk = func(n *node) int {
		if _, ok := steps[n]; !ok {
			steps[n] = 1 + walk(slices.MinFunc(n.cases(), nearest).to)
		}
		return steps[n]
	}
	var path []Literal
	for n := w.n; n != nil; {
		next := slices.MinFunc(n.cases(), nearest)
		path, n = append(path, Literal{Question: n.q, In: next.in}), next.to
	}
	return path
}

// needed is how long a term keeps a literal that others could replace: readers know their CNI best,
// and facts least.
var needed = [...]int{CNI: 3, Family: 2, Address: 1, Unjudged: 0}

// widened drops what is not needed of a path on which w holds where care does, and gives the rest
// all answers that they may have. holds is where all of them do.
func (w When) widened(path []Literal, care When) (term []Literal, holds When) {
	for i, l := range path {
		path[i].Domain = care.answers(l.Question)
		path[i].In = l.In.and(path[i].Domain)
	}
	slices.SortStableFunc(path, func(a, b Literal) int {
		return cmp.Compare(needed[a.Question.Kind], needed[b.Question.Kind])
	})
	for _, widen := range []bool{false, true} {
		for i, l := range path {
			fails := care.Minus(w)
			for j, other := range path {
				if j != i {
					fails = fails.And(other.Question.Is(other.In))
				}
			}
			if in := l.Domain.minus(fails.answers(l.Question)); widen || in.equal(l.Domain) {
				path[i].In = in
			}
		}
	}
	for _, l := range path {
		if !l.In.equal(l.Domain) {
			term, holds = append(term, l), holds.And(l.Question.Is(l.In))
		}
	}
	slices.SortFunc(term, func(a, b Literal) int { return inWords(a.Question, b.Question) })
	return term, holds
}

// answers are those that q has in some world of w.
func (w When) answers(q *Question) Answers {
	var in []span
	for _, e := range by(w.n, q, map[*node][]edge{}) {
		if e.to != never {
			in = append(in, e.span)
		}
	}
	return q.answers(in)
}
