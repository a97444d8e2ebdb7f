package when

import (
	"cmp"
	"fmt"
	"math/bits"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Kind says what a question is about. Questions are asked in the order of their kinds.
type Kind uint8

const (
	Family   Kind = iota // which IP family the client chooses
	Address              // where an address lies that nothing shows
	CNI                  // which CNI the cluster runs, in which mode
	Node                 // whether an end is on the other end's node, on another one or on none
	Fact                 // everything else: labels, names, settings, requests
	Unjudged             // what a policy does that could not be judged
)

// order is the place of a kind: facts and what is unjudged stand side by side, as rules first ask
// them.
func (k Kind) order() Kind { return min(k, Fact) }

// End says whose a question is. Conditions may be joined only if their ends are the same ones.
type End uint8

const (
	Cluster     End = iota // the cluster's, and so everybody's
	Destination            // of what is reached
	Via                    // of the address sent to: a Service, a node port, a route leads on from it
	Source                 // of the client
)

// Answers is a set of answers to one question: bits, and for the address of an end also addresses.
type Answers struct {
	Bits  uint64
	Addrs netset.Addrs
}

// The answers to a question that is asked with [Space.Fact].
const (
	No  uint64 = 1
	Yes uint64 = 2
)

// The answers to a question of kind [Family].
const (
	IPv4 uint64 = 1
	IPv6 uint64 = 2
)

func (a Answers) and(b Answers) Answers { return Answers{a.Bits & b.Bits, a.Addrs.Intersect(b.Addrs)} }

func (a Answers) or(b Answers) Answers { return Answers{a.Bits | b.Bits, a.Addrs.Union(b.Addrs)} }

func (a Answers) minus(b Answers) Answers { return Answers{a.Bits &^ b.Bits, a.Addrs.Minus(b.Addrs)} }

func (a Answers) equal(b Answers) bool { return a.Bits == b.Bits && a.Addrs.Equal(b.Addrs) }

// IsEmpty reports whether a has no answer.
func (a Answers) IsEmpty() bool { return a.Bits == 0 && a.Addrs.IsEmpty() }

// compare orders disjoint sets of answers by their first one, bits first.
func (a Answers) compare(b Answers) int {
	if c := cmp.Compare(bits.TrailingZeros64(a.Bits), bits.TrailingZeros64(b.Bits)); c != 0 {
		return c
	}
	return a.Addrs.First().Compare(b.Addrs.First())
}

// Question is something that the input leaves open. Two questions that might have different answers
// never share an ID: it names everything that the answer depends on (the end, the selector, the
// rule, the direction).
type Question struct {
	ID   string
	Kind Kind
	End  End
	Rank int     // of facts: when a rule first asks it, in the order of the rules
	All  Answers // every answer there is

	// Words completes "if ..." for each set of Bits: Words[Yes], Words[No]. {src}, {dst} and {via}
	// stand for the ends. Questions of kinds Address and CNI need none. A text for several bits is
	// needed only where "A or B" does not say it well.
	Words []string

	// Names are the answers in JSON, by bit position; nil for kinds Family, Address and CNI, and
	// for yes and no.
	Names []string

	// Of is the policy that a question of kind Unjudged is about.
	Of string

	// Who is the name of the one thing that an address question is about, where its end does not
	// say it.
	Who string

	space  *Space
	home   *Question // the question that this one was moved from
	domain []span    // All
	hash   uint64
}

// compare orders questions as diagrams ask them. Of one space, equal means identical.
func (q *Question) compare(r *Question) int {
	if q == r {
		return 0
	}
	return cmp.Or(cmp.Compare(q.Kind.order(), r.Kind.order()), cmp.Compare(q.Rank, r.Rank),
		cmp.Compare(q.End, r.End), cmp.Compare(q.ID, r.ID))
}

// Is is the condition that q has one of the given answers.
func (q *Question) Is(in Answers) When {
	holds := q.spans(in)
	edges := make([]edge, 0, 2*len(holds)+len(q.domain))
	for _, s := range q.domain {
		edges = append(edges, edge{s, never})
	}
	return When{q.space.build(q, overlay(edges, holds, nil))}
}

// Has is [Question.Is] for a question that is answered by bits.
func (q *Question) Has(bits uint64) When {
	s, of := q.space, bitAnswers{q, bits}
	s.cache.Lock()
	n, ok := s.bits[of]
	s.cache.Unlock()
	if !ok {
		n = q.Is(Answers{Bits: bits}).n
		s.cache.Lock()
		if len(s.bits) >= remembered {
			clear(s.bits)
		}
		s.bits[of] = n
		s.cache.Unlock()
	}
	return When{n}
}

// bitAnswers is some answers to a question.
type bitAnswers struct {
	q    *Question
	bits uint64
}

// In is the condition that an address question is answered by an address of addrs.
func (q *Question) In(addrs netset.Addrs) When { return q.Is(Answers{Addrs: addrs}) }

// move is the same question about another end. Moved back, a question is itself again.
func (q *Question) move(from, to End) *Question {
	switch {
	case q.isTooMany(): // which may be about from
		return q.space.tooMany(fmt.Sprintf("%s@%d-%d", q.ID, from, to))
	case q.End != from:
		return q
	case q.home != nil && q.home.End == to:
		return q.home
	}
	moved := *q
	if q.home == nil {
		moved.home = q
	}
	moved.End, moved.ID = to, fmt.Sprintf("%s @%d", moved.home.ID, to)
	moved.Words = make([]string, len(q.Words))
	for i, text := range q.Words {
		moved.Words[i] = renamed(text, from, to)
	}
	return q.space.Ask(moved)
}
