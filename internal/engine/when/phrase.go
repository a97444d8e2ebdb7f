package when

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// phrase is a condition as it is said: one literal, or an and or an or of parts.
type phrase struct {
	Literal
	parts  []phrase // of a literal none
	or     bool
	more   bool // an or has other parts, which are left out
	others bool // "on X only if": X is every CNI of which none before it speaks
}

func (p phrase) isLiteral() bool { return p.Question != nil }

func (p phrase) isCNI() bool { return p.isLiteral() && p.Question.Kind == CNI }

// isOnly reports whether p is said as "on X only if ...": the cluster does not run X, or else the
// rest holds.
func (p phrase) isOnly() bool { return p.or && len(p.parts) > 1 && p.parts[0].isCNI() }

// head is the X of "on X only if ...", and rest what must hold there.
func (p phrase) head() Literal {
	l := p.parts[0].Literal
	l.In = l.Domain.minus(l.In)
	return l
}

func (p phrase) rest() phrase {
	return join(p.or, p.more, p.parts[1:])
}

// join is an and or an or of parts, the CNI first. One part is itself.
func join(or, more bool, parts []phrase) phrase {
	out := phrase{or: or, more: more}
	for _, p := range parts {
		if p.isLiteral() || p.or != or {
			out.parts = append(out.parts, p)
		} else {
			out.parts, out.more = append(out.parts, p.parts...), out.more || p.more
		}
	}
	if len(out.parts) == 1 && !out.more {
		return out.parts[0]
	}
	if i := slices.IndexFunc(out.parts, phrase.isCNI); i > 0 {
		cni := out.parts[i]
		out.parts = slices.Insert(slices.Delete(out.parts, i, i+1), 0, cni)
	}
	return out
}

// cost is how many literals a reader must read.
func cost(parts []phrase) int {
	n := 0
	for _, p := range parts {
		if p.isLiteral() {
			n++
		}
		n += cost(p.parts)
	}
	return n
}

// inWords orders questions as words ask them: the CNI, then as diagrams do.
func inWords(a, b *Question) int {
	return cmp.Or(cmp.Compare(min(1, a.Kind^CNI), min(1, b.Kind^CNI)), a.compare(b))
}

func (w When) inWords() []*Question {
	out := w.Questions()
	slices.SortFunc(out, inWords)
	return out
}

// Nobody reads more than so many nodes or terms.
const (
	manyNodes = 64
	manyTerms = 32
)

// phrases are what must all hold for w, which holds somewhere in care.
func (w When) phrases(care When) []phrase {
	nodes := 0
	w = w.Assume(care).unreadAsOne()
	if w.visit(func(*node) bool { nodes++; return true }); nodes > manyNodes {
		terms, all := w.Terms(care, 3)
		return []phrase{join(true, !all, plain(terms))}
	}
	return w.all(care, true)
}

// unreadAsOne is w with one question for all policies that could not be judged: whether together
// they let it through. How each would have to decide helps nobody who cannot read them.
func (w When) unreadAsOne() When {
	unread := func(q *Question) bool { return q.Of != "" }
	var asked, others []*Question
	var of []string
	for _, q := range w.Questions() {
		if !unread(q) {
			others = append(others, q)
			continue
		}
		asked = append(asked, q)
		if !slices.Contains(of, q.Of) {
			of = append(of, q.Of)
		}
	}
	if len(asked) == 0 || len(asked) == 1 && len(w.By(asked[0], asked[0].All)) <= 2 {
		return w
	}
	surely, perhaps := w.Every(unread), w.Exists(unread)
	hangs := w.Assume(perhaps.Minus(surely)).Asks(func(q *Question) bool { return !unread(q) })
	if hangs && len(others) <= manyOthers { // which of them matter is another matter in each case
		out := Never
		for _, c := range w.By(others[0], others[0].All) {
			out = out.Or(others[0].Is(c.In).And(c.Rest.unreadAsOne()))
		}
		return out
	}
	slices.Sort(of)
	names, lets, not := Names{Max: 1}.list(of, "and"), "let", "do not let"
	if len(of) == 1 {
		lets, not = "lets", "does not let"
	}
	together := asked[0].space.Ask(Question{ID: "unread: " + strings.Join(of, ", "), Kind: Unjudged, All: Answers{Bits: Yes | No}, Words: []string{
		Yes: names + ", which could not be read, " + lets + " it through", No: names + ", which could not be read, " + not + " it through",
	}})
	return surely.Or(perhaps.And(together.Has(Yes)))
}

// manyOthers is up to how many other questions are taken apart for what could not be read.
const manyOthers = 6

// all is what must hold in any case, each question with what it may be answered, and then how the
// rest may hold. Where that is said as well CNI by CNI, it is: readers know theirs.
func (w When) all(care When, byCNI bool) []phrase {
	var out []phrase
	holds := w.And(care)
	for _, q := range holds.inWords() {
		if in, domain := holds.answers(q), care.answers(q); !in.equal(domain) {
			out = append(out, phrase{Literal: Literal{q, in, domain}})
			care = care.And(q.Is(in))
		}
	}
	rest := w.Assume(care)
	if rest.IsAlways() {
		return out
	}
	some := []phrase{rest.some(care)}
	if p := some[0]; !p.or && !p.isLiteral() {
		some = p.parts
	}
	if q := rest.inWords()[0]; byCNI && q.Kind == CNI {
		if each := rest.each(q, care); cost(each) <= cost(some)+1 {
			some = each
		}
	}
	return append(out, some...)
}

// each says w by the answers to q: "on Cilium only if ...". If something is said of every CNI, most
// of them are "the others".
func (w When) each(q *Question, care When) []phrase {
	var out []phrase
	var said Answers
	domain := care.answers(q)
	for _, c := range w.By(q, domain) {
		if all := c.Rest.all(care.And(q.Is(c.In)), false); len(all) > 0 {
			not := phrase{Literal: Literal{q, domain.minus(c.In), domain}}
			out = append(out, join(true, false, []phrase{not, join(false, false, all)}))
			said = said.or(c.In)
		}
	}
	if last := len(out) - 1; last > 0 && said.equal(domain) {
		named := func(p phrase) int { return bits.OnesCount64(p.head().In.Bits) }
		slices.SortStableFunc(out, func(a, b phrase) int { return cmp.Compare(named(a), named(b)) })
		out[last].others = named(out[last]) > 2
	}
	return out
}

// some says w as alternatives: what is enough by itself, then terms with what they share said once.
func (w When) some(care When) phrase {
	var out []phrase
	fails := care.Minus(w)
	for _, q := range w.inWords() {
		domain := care.answers(q)
		if in := domain.minus(fails.answers(q)); !in.IsEmpty() {
			out = append(out, phrase{Literal: Literal{q, in, domain}})
			care = care.And(q.Is(domain.minus(in)))
		}
	}
	terms, all := w.Terms(care, manyTerms)
	return join(true, !all, append(out, factored(terms)...))
}

// plain are terms as they are.
func plain(terms [][]Literal) []phrase {
	out := make([]phrase, len(terms))
	for i, term := range terms {
		parts := make([]phrase, len(term))
		for j, l := range term {
			parts[j] = phrase{Literal: l}
		}
		out[i] = join(false, false, parts)
	}
	return out
}

// factored takes out of terms the literal that most of them share, again and again. What would need
// brackets in brackets stays.
func factored(terms [][]Literal) []phrase {
	in := func(l Literal) func([]Literal) bool {
		return func(term []Literal) bool { return slices.ContainsFunc(term, l.equal) }
	}
	var shared Literal
	most := 1
	for _, term := range terms {
		for _, l := range term {
			n := 0
			for _, other := range terms {
				if in(l)(other) {
					n++
				}
			}
			if n > most {
				shared, most = l, n
			}
		}
	}
	if most == 1 {
		return plain(terms)
	}
	var with, less, without [][]Literal
	for _, term := range terms {
		if in(shared)(term) {
			with = append(with, term)
			less = append(less, slices.DeleteFunc(slices.Clone(term), shared.equal))
		} else {
			without = append(without, term)
		}
	}
	out, inner := plain(with), factored(less)
	if len(inner) == 1 || !slices.ContainsFunc(inner, func(p phrase) bool { return !p.isLiteral() }) {
		out = []phrase{join(false, false, []phrase{{Literal: shared}, join(true, false, inner)})}
	}
	return append(out, factored(without)...)
}
