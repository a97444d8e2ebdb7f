// Package when says under which conditions something holds.
//
// The input leaves questions open: which CNI the cluster runs, where an address lies, whether a
// label is set, what a policy says that could not be judged. A world is one answer to each of them.
// A [When] is the set of worlds in which something holds, as a decision diagram: it asks a
// question, and for each set of answers goes on with another When. It is canonical (questions in
// one order, none whose answer makes no difference), so equal conditions have equal diagrams;
// immutable; and safe for concurrent use.
//
// For example, "allowed by a CIDR that holds half of the range, but on Cilium only if the
// destination is no node":
//
//	address of dst ─ in 10.0.0.0/9 ──> CNI ─ calico ──> always
//	      │                             └──── cilium ─> node of dst ─ none ──> always
//	      └ elsewhere ─> never                                └────── others ─> never
//
// This is the only package that joins, settles or words conditions. The zero When always holds.
package when

import (
	"fmt"
	"slices"
)

// When is the set of worlds in which something holds. The zero value is all of them.
type When struct{ n *node }

// node asks a question. nil is every world, never is none.
type node struct {
	q     *Question
	edges []edge // sorted, disjoint, together every answer; neighbours lead to different nodes
	summary
}

// summary is what a node says of all that follows from it.
type summary struct {
	hash  uint64
	cnis  ByCNI
	kinds uint8 // of the questions, a bit each
	wide  bool  // it asks what was too large to be told
}

// ByCNI says under which CNIs, by their bits, a condition holds in some world, fails in some world,
// and asks what an unjudged policy does.
type ByCNI struct{ Holds, Fails, Unjudged uint64 }

// ByCNI says what becomes of w under each CNI.
func (w When) ByCNI() ByCNI { return w.n.byCNI() }

func (n *node) byCNI() ByCNI {
	switch n {
	case nil:
		return ByCNI{Holds: ^uint64(0)}
	case never:
		return ByCNI{Fails: ^uint64(0)}
	}
	return n.cnis
}

// summed is what a node of such edges says of all that follows from it.
func summed(q *Question, edges []edge) summary {
	out := summary{hash: q.hash, wide: q.isTooMany(), kinds: 1 << q.Kind}
	if q.Kind == Unjudged {
		out.cnis.Unjudged = ^uint64(0)
	}
	for _, e := range edges {
		out.hash = mix(mix(mix(out.hash, mix(e.lo.hi, e.lo.lo)), mix(e.hi.hi, e.hi.lo)), hashOf(e.to))
		in, rest := ^uint64(0), e.to.byCNI()
		if q.Kind == CNI {
			in = bitsIn(e.span)
		}
		out.cnis.Holds |= rest.Holds & in
		out.cnis.Fails |= rest.Fails & in
		out.cnis.Unjudged |= rest.Unjudged & in
		if e.to != nil {
			out.wide, out.kinds = out.wide || e.to.wide, out.kinds|e.to.kinds
		}
	}
	return out
}

var never = &node{}

// Always is every world, Never none.
var Always, Never = When{}, When{never}

// And is where both hold, Or where either does, Not where w does not, Minus where w holds and x
// does not.
func (w When) And(x When) When   { return When{apply(opAnd, w.n, x.n)} }
func (w When) Or(x When) When    { return When{apply(opOr, w.n, x.n)} }
func (w When) Minus(x When) When { return When{apply(opMinus, w.n, x.n)} }
func (w When) Not() When         { return When{apply(opMinus, nil, w.n)} }

func (w When) IsAlways() bool { return w.n == nil }
func (w When) IsNever() bool  { return w.n == never }

// Equal reports whether w and x hold in the same worlds.
func (w When) Equal(x When) bool { return same(w.n, x.n) }

// Implies reports whether x holds wherever w does.
func (w When) Implies(x When) bool { return w.Minus(x).IsNever() }

// Overlaps reports whether some world is in both.
func (w When) Overlaps(x When) bool { return !w.And(x).IsNever() }

// Hash is equal for equal conditions.
func (w When) Hash() uint64 { return hashOf(w.n) }

// Questions returns what w asks, in order.
func (w When) Questions() []*Question {
	var out []*Question
	w.visit(func(n *node) bool {
		out = append(out, n.q)
		return true
	})
	slices.SortFunc(out, (*Question).compare)
	return slices.CompactFunc(out, func(a, b *Question) bool { return a.compare(b) == 0 })
}

// Asks reports whether w asks some question for which ask is true.
func (w When) Asks(ask func(*Question) bool) bool {
	found := false
	w.visit(func(n *node) bool {
		found = found || ask(n.q)
		return !found
	})
	return found
}

// AsksKind reports whether w asks some question of a kind.
func (w When) AsksKind(k Kind) bool { return w.n != nil && w.n.kinds&(1<<k) != 0 }

// visit calls f for each node once, until it returns false.
func (w When) visit(f func(*node) bool) {
	if w.n == nil || w.n == never {
		return
	}
	seen := map[*node]bool{}
	var walk func(*node) bool
	walk = func(n *node) bool {
		if n == nil || n == never || seen[n] {
			return true
		}
		seen[n] = true
		return f(n) && !slices.ContainsFunc(n.edges, func(e edge) bool { return !walk(e.to) })
	}
	walk(w.n)
}

// Case is some answers to a question, with what must hold besides where it has one of them.
type Case struct {
	In   Answers
	Rest When
}

// By splits w by the answers to q of which within has some: together all of within, each case
// another condition.
func (w When) By(q *Question, within Answers) []Case {
	var rests []*node
	spans := map[*node][]span{}
	var asked []edge
	for _, s := range q.spans(within) {
		asked = append(asked, edge{s, nil})
	}
	each(by(w.n, q, map[*node][]edge{}), asked, func(s span, to, _ *node) {
		i := slices.IndexFunc(rests, func(n *node) bool { return same(n, to) })
		if i < 0 {
			i, rests = len(rests), append(rests, to)
		}
		spans[rests[i]] = append(spans[rests[i]], s)
	})
	out := make([]Case, len(rests))
	for i, n := range rests {
		out[i] = Case{q.answers(spans[n]), When{n}}
	}
	slices.SortFunc(out, func(a, b Case) int { return a.In.compare(b.In) })
	return out
}

// by returns what is left of n for each answer to q.
func by(n *node, q *Question, done map[*node][]edge) []edge {
	switch order := firstOf(n, &node{q: q}); {
	case order == 0:
		return n.edges
	case order > 0:
		return whole(q, n)
	}
	if out, ok := done[n]; ok {
		return out
	}
	rests := make([][]edge, len(n.edges))
	for i, e := range n.edges {
		rests[i] = by(e.to, q, done)
	}
	// The pieces of q in which all edges go on alike.
	cuts := whole(q, nil)
	for _, rest := range rests {
		var next []edge
		each(cuts, rest, func(s span, _, _ *node) { next = append(next, edge{s, nil}) })
		cuts = next
	}
	at := make([]int, len(rests))
	for c := range cuts {
		edges := make([]edge, len(n.edges))
		for i, e := range n.edges {
			for rests[i][at[i]].hi.compare(cuts[c].lo) < 0 {
				at[i]++
			}
			edges[i] = edge{e.span, rests[i][at[i]].to}
		}
		cuts[c].to = n.q.space.build(n.q, edges)
	}
	done[n] = cuts
	return cuts
}

// whole lets n follow from every answer to q.
func whole(q *Question, n *node) []edge {
	out := make([]edge, len(q.domain))
	for i, s := range q.domain {
		out[i] = edge{s, n}
	}
	return out
}

// Assume is w where care is known to hold: it agrees with w there, and asks nothing that w does
// not. Outside of care it means nothing. It is Always where care implies w, and Never where the two
// do not overlap. That an answer is known is Assume(q.Is(answer)).
func (w When) Assume(care When) When {
	switch {
	case care.IsNever() || care.IsAlways() || w.IsAlways() || w.IsNever():
		return w
	case w.n == care.n:
		return Always
	}
	j := job{opAssume, w.n, care.n}
	out, ok := w.n.q.space.known(j)
	if !ok {
		out = new(assumer).assume(w.n, care.n)
		w.n.q.space.learn(j, out)
	}
	return When{out}
}

// assumer settles one diagram by another, each pair of nodes once.
type assumer struct{ done map[[2]*node]*node }

func (a *assumer) assume(f, c *node) *node {
	if c == nil || c == never || f == nil || f == never {
		return f
	}
	if n, ok := a.done[[2]*node{f, c}]; ok {
		return n
	}
	if len(a.done) > maxEdges { // f agrees with itself
		return f
	}
	var out *node
	if c.q.compare(f.q) < 0 { // f does not ask it: whichever the answer
		some := never
		for _, e := range c.edges {
			some = apply(opOr, some, e.to)
		}
		out = a.assume(f, some)
	} else {
		var edges []edge
		cared := c.on(f.q)
		each(f.edges, cared, func(s span, x, y *node) {
			if y != never {
				edges = append(edges, edge{s, a.assume(x, y)})
			}
		})
		if edges != nil { // what care excludes goes with any of them: a diagram stays whole
			var excluded []span
			for _, e := range cared {
				if e.to == never {
					excluded = append(excluded, e.span)
				}
			}
			any := edges[0].to
			for _, s := range excluded {
				edges = append(edges, edge{s, any})
			}
			slices.SortFunc(edges, func(a, b edge) int { return a.lo.compare(b.lo) })
		}
		out = f.q.space.build(f.q, edges)
	}
	if a.done == nil {
		a.done = map[[2]*node]*node{}
	}
	a.done[[2]*node{f, c}] = out
	return out
}

// on returns the edges of n, or one to n itself if n does not ask q first.
func (n *node) on(q *Question) []edge {
	if n != nil && n != never && n.q.compare(q) == 0 {
		return n.edges
	}
	return whole(q, n)
}

// Exists is where w holds for some answer to each question of those that of names: they are a
// choice of whoever asks.
func (w When) Exists(of func(*Question) bool) When {
	if w.n != nil && w.n.wide {
		return w.bounds(of)
	}
	if !w.Asks(of) {
		return w
	}
	return When{exists(w.n, of, map[*node]*node{})}
}

// AnyFamily is where w holds over some IP family, which is the client's to choose. It is the
// question that diagrams ask first.
func (w When) AnyFamily() When {
	switch {
	case w.n != nil && w.n.wide:
		return w.Exists(func(q *Question) bool { return q.Kind == Family })
	case w.n == nil || w.n == never || w.n.q.Kind != Family:
		return w
	}
	out := never
	for _, e := range w.n.edges {
		out = apply(opOr, out, e.to)
	}
	return When{out}
}

// bounds is Exists where parts of w were too large to be told, and may hang on what of names. w may
// hold where it does if those parts turn out well, and does hold where it does however they turn
// out; what lies between is a new question.
func (w When) bounds(of func(*Question) bool) When {
	wide := (*Question).isTooMany
	some := When{exists(w.n, func(q *Question) bool { return wide(q) || of(q) }, map[*node]*node{})}
	every := When{exists(w.Not().n, wide, map[*node]*node{})}.Not().Exists(of)
	id := mix(hashOf(w.n), mix(some.Hash(), every.Hash()))
	for kind := Family; kind <= Unjudged; kind++ {
		for end := Cluster; end <= Source; end++ {
			if of(&Question{Kind: kind, End: end}) {
				id = mix(id, uint64(kind)<<8|uint64(end))
			}
		}
	}
	between := some.Minus(every)
	if between.IsNever() {
		return some
	}
	return every.Or(between.And(w.n.q.space.tooMany(fmt.Sprintf("too many conditions %x", id)).Has(Yes)))
}

// Every is where w holds for every answer to each question of those that of names.
func (w When) Every(of func(*Question) bool) When { return w.Not().Exists(of).Not() }

func exists(n *node, of func(*Question) bool, done map[*node]*node) *node {
	if n == nil || n == never {
		return n
	}
	if out, ok := done[n]; ok {
		return out
	}
	var out *node
	if of(n.q) {
		out = never
		for _, e := range n.edges {
			out = apply(opOr, out, exists(e.to, of, done))
		}
	} else {
		edges := make([]edge, len(n.edges))
		for i, e := range n.edges {
			edges[i] = edge{e.span, exists(e.to, of, done)}
		}
		out = n.q.space.build(n.q, edges)
	}
	done[n] = out
	return out
}

// Move is w said of another end: the questions about from become questions about to. w must not ask
// about to.
func (w When) Move(from, to End) When {
	if !w.Asks(func(q *Question) bool { return q.End == from || q.isTooMany() }) {
		return w
	}
	return When{move(w.n, from, to, map[*node]*node{})}
}

func move(n *node, from, to End, done map[*node]*node) *node {
	if n == nil || n == never {
		return n
	}
	if out, ok := done[n]; ok {
		return out
	}
	q := n.q.move(from, to)
	out := never
	for _, c := range n.cases() { // the order may be another one, so it is put together anew
		out = apply(opOr, out, apply(opAnd, q.Is(c.in).n, move(c.to, from, to, done)))
	}
	done[n] = out
	return out
}
