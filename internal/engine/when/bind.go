package when

import (
	"slices"
	"strings"
)

// Bind is w said of one thing in particular at an end: the questions that mention the end are asked of it alone, so that they may
// stand beside the same ones about another thing. id tells it apart, who names it in words.
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
		q, out, cases := n.q, never, n.cases()
		if q.End == end && q.Kind == Address { // whose words name its end: where the address lies become facts
			out = bind(cases[len(cases)-1].to)
			for _, c := range cases[:len(cases)-1] {
				in, rest := who+" has "+Names{}.address(Literal{q, c.in, q.All}), who+" has "+Names{}.address(Literal{q, q.All.minus(c.in), q.All})
				is := q.space.Fact(q.ID+" of "+id+": "+in, end, 0, in, rest).Has(Yes)
				out = When{bind(c.to)}.And(is).Or(When{out}.Minus(is)).n
			}
			done[n] = out
			return out
		}
		if mentions(q) {
			bound := *q
			bound.ID, bound.home, bound.Words = q.ID+" of "+id, nil, make([]string, len(q.Words))
			for i, text := range q.Words {
				bound.Words[i] = strings.ReplaceAll(text, placeholder[end], who)
			}
			q = q.space.Ask(bound)
		}
		for _, c := range cases { // the order may be another one, so it is put together anew
			out = apply(opOr, out, apply(opAnd, q.Is(c.in).n, bind(c.to)))
		}
		done[n] = out
		return out
	}
	return When{bind(w.n)}
}
