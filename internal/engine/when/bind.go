package when

import (
	"slices"
	"strings"
)

// Bind is w said of one thing in particular at an end: the questions that mention the end are asked
// of it alone, so that they may stand beside the same ones about another thing. id tells it apart,
// who names it in words.
func (w When) Bind(end End, id, who string) When {
	mentions := func(q *Question) bool {
		return q.End == end || slices.ContainsFunc(q.Words, func(text string) bool { return strings.Contains(text, placeholder[end]) })
	}
	if !w.Asks(mentions) {
		return w
	}
	done := map[*node]*node{}
	var bind func(n *node) *node
	bind = func(n *node) *node {
		if n == nil || n == never {
			return n
		}
		if out, ok := done[n]; ok {
			return out
		}
		q, out := n.q, never
		if mentions(q) {
			bound := *q
			bound.ID, bound.Who, bound.home, bound.Words = q.ID+" of "+id, who, nil, make([]string, len(q.Words))
			for i, text := range q.Words {
				bound.Words[i] = strings.ReplaceAll(text, placeholder[end], who)
			}
			q = q.space.Ask(bound)
		}
		for _, c := range n.cases() { // the order may be another one, so it is put together anew
			out = apply(opOr, out, apply(opAnd, q.Is(c.in).n, bind(c.to)))
		}
		done[n] = out
		return out
	}
	return When{bind(w.n)}
}
