package when

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
)

// Space is where the questions of one program are asked, so that each is one value. It remembers
// some diagrams and some results; what it forgets is made again.
type Space struct {
	mu        sync.RWMutex
	questions map[string]*Question
	maxEdges  int

	cache   sync.Mutex
	nodes   map[uint64]*node
	results map[job]*node
	bits    map[bitAnswers]*node
}

// remembered bounds how many diagrams, and how many results, a space keeps. Few clusters have more
// than a hundred conditions.
const remembered = 4096

// NewSpace returns a space without questions.
func NewSpace() *Space {
	return &Space{questions: map[string]*Question{}, maxEdges: maxEdges, nodes: map[uint64]*node{}, results: map[job]*node{}, bits: map[bitAnswers]*node{}}
}

// Ask returns the question with q's ID; the first who asks says all else about it.
func (s *Space) Ask(q Question) *Question {
	s.mu.RLock()
	known, ok := s.questions[q.ID]
	s.mu.RUnlock()
	if ok {
		return known
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.questions[q.ID]; ok {
		return known
	}
	h := fnv.New64a()
	h.Write([]byte(q.ID))
	q.space, q.domain, q.hash = s, q.spans(q.All), h.Sum64()
	s.questions[q.ID] = &q
	return &q
}

// Fact asks a question with the answers [Yes] and [No]. yes and no complete "if ...".
func (s *Space) Fact(id string, end End, rank int, yes, no string) *Question {
	return s.Ask(Question{ID: id, Kind: Fact, End: end, Rank: rank, All: Answers{Bits: Yes | No}, Words: []string{No: no, Yes: yes}})
}

// lastRank is asked after every rule.
const lastRank = int(^uint(0) >> 1)

// op is how two conditions are joined.
type op uint8

const (
	opAnd op = iota
	opOr
	opMinus
	opAssume
)

// job is two diagrams to be joined.
type job struct {
	op   op
	a, b *node
}

// decided returns the result where it needs no diagram.
func (j job) decided() (*node, bool) {
	a, b := j.a, j.b
	switch j.op {
	case opAnd:
		switch {
		case a == never || b == never:
			return never, true
		case a == nil || a == b:
			return b, true
		case b == nil:
			return a, true
		}
	case opOr:
		switch {
		case a == nil || b == nil:
			return nil, true
		case a == never || a == b:
			return b, true
		case b == never:
			return a, true
		}
	case opMinus:
		switch {
		case a == never || b == nil || a == b:
			return never, true
		case b == never:
			return a, true
		}
	}
	return nil, false
}

// maxEdges bounds a diagram. What would be larger is one question of its own, which nobody can
// answer: that is sound, since either answer is possible, and widens whatever rests on it.
const maxEdges = 1 << 14

// joiner joins two diagrams.
type joiner struct {
	space *Space
	done  map[job]*node
	stack []edge // of the nodes that are being made, the innermost last
	edges int
}

func apply(o op, a, b *node) *node {
	j := job{o, a, b}
	if out, ok := j.decided(); ok {
		return out
	}
	q := b.q
	if a != nil {
		q = a.q
	}
	s := q.space
	out, ok := s.known(j)
	if ok {
		return out
	}
	in := joiners.Get().(*joiner)
	*in = joiner{space: s, stack: in.stack}
	if out = in.join(j); in.edges > s.maxEdges {
		out = s.tooMany(fmt.Sprintf("too many conditions %x", j.hash())).Has(Yes).n
	}
	joiners.Put(in)
	s.learn(j, out)
	return out
}

// joiners are kept for their stacks.
var joiners = sync.Pool{New: func() any { return new(joiner) }}

// known returns the result of a job that was done before, and learn remembers one.
func (s *Space) known(j job) (*node, bool) {
	s.cache.Lock()
	defer s.cache.Unlock()
	out, ok := s.results[j]
	return out, ok
}

func (s *Space) learn(j job, out *node) {
	s.cache.Lock()
	defer s.cache.Unlock()
	if len(s.results) >= remembered {
		clear(s.results)
	}
	s.results[j] = out
}

func (in *joiner) join(j job) *node {
	if out, ok := j.decided(); ok {
		return out
	}
	if in.edges > in.space.maxEdges {
		return never // which nobody sees
	}
	if out, ok := in.done[j]; ok {
		return out
	}
	start := len(in.stack)
	var q *Question
	switch order := firstOf(j.a, j.b); {
	case order < 0:
		q = j.a.q
		for _, e := range j.a.edges {
			in.push(e.span, job{j.op, e.to, j.b})
		}
	case order > 0:
		q = j.b.q
		for _, e := range j.b.edges {
			in.push(e.span, job{j.op, j.a, e.to})
		}
	default:
		q = j.a.q
		each(j.a.edges, j.b.edges, func(s span, a, b *node) { in.push(s, job{j.op, a, b}) })
	}
	edges := in.stack[start:]
	out := in.space.build(q, edges)
	in.stack = in.stack[:start]
	if in.edges += len(edges); in.done == nil {
		in.done = map[job]*node{}
	}
	in.done[j] = out
	return out
}

// push adds an edge to the node that is being made.
func (in *joiner) push(s span, j job) {
	to := in.join(j)
	in.stack = append(in.stack, edge{s, to})
}

// firstOf says which of two diagrams asks first; not both are without a question.
func firstOf(a, b *node) int {
	switch {
	case a == nil || a == never:
		return 1
	case b == nil || b == never:
		return -1
	}
	return a.q.compare(b.q)
}

func (j job) hash() uint64 { return mix(mix(uint64(j.op), hashOf(j.a)), hashOf(j.b)) }

// tooMany is the question that stands for a condition too large to be told. It may be about any
// end, so what moves or settles ends asks it anew.
func (s *Space) tooMany(id string) *Question {
	text := id[strings.LastIndexByte(id, ' ')+1:]
	return s.Ask(Question{ID: id, Kind: Unjudged, Rank: lastRank, All: Answers{Bits: Yes | No}, Words: []string{
		No: "condition " + text + ", too long to tell, does not hold", Yes: "condition " + text + ", too long to tell, holds",
	}})
}

func (q *Question) isTooMany() bool { return q.Rank == lastRank }

// build makes the node that asks q, of sorted edges, which it overwrites: neighbours from which the
// same follows become one edge, and a question that makes no difference is left out.
func (s *Space) build(q *Question, edges []edge) *node {
	if len(edges) == 0 { // there is no answer, and so no world
		return never
	}
	n, alike := 0, true
	for _, e := range edges[1:] {
		last := &edges[n]
		if e.to != last.to && same(e.to, last.to) {
			e.to = last.to
		}
		if e.to == last.to && last.hi.next() == e.lo {
			last.hi = e.hi
			continue
		}
		alike = alike && same(e.to, last.to)
		n++
		edges[n] = e
	}
	if alike {
		return edges[0].to
	}
	return s.keep(q, edges[:n+1])
}

// keep returns the node of such edges that is remembered, or a new one.
func (s *Space) keep(q *Question, edges []edge) *node {
	sum := summed(q, edges)
	s.cache.Lock()
	defer s.cache.Unlock()
	if known, ok := s.nodes[sum.hash]; ok && known.q.compare(q) == 0 && slices.EqualFunc(known.edges, edges, func(a, b edge) bool { return a.span == b.span && same(a.to, b.to) }) {
		return known
	}
	if len(s.nodes) >= remembered {
		clear(s.nodes)
	}
	n := &node{q: q, edges: slices.Clone(edges), summary: sum}
	s.nodes[n.hash] = n
	return n
}

// same reports whether two diagrams are equal.
func same(a, b *node) bool {
	if a == b || a == nil || b == nil || a == never || b == never {
		return a == b
	}
	return a.hash == b.hash && alike(a, b, map[[2]*node]bool{})
}

// alike compares diagrams node by node, each pair once.
func alike(a, b *node, done map[[2]*node]bool) bool {
	switch pair := [2]*node{a, b}; {
	case a == b || done[pair]:
		return true
	case a == nil || b == nil || a == never || b == never || a.hash != b.hash || a.q.compare(b.q) != 0 || len(a.edges) != len(b.edges):
		return false
	default:
		done[pair] = true // if it is not so, the whole is not
	}
	for i, e := range a.edges {
		if e.span != b.edges[i].span || !alike(e.to, b.edges[i].to, done) {
			return false
		}
	}
	return true
}

func hashOf(n *node) uint64 {
	switch n {
	case nil:
		return 1
	case never:
		return 2
	}
	return n.hash
}

// mix combines two hashes (the finaliser of MurmurHash3).
func mix(a, b uint64) uint64 {
	a = a*31 ^ b
	a = (a ^ a>>33) * 0xff51afd7ed558ccd
	a = (a ^ a>>33) * 0xc4ceb9fe1a85ec53
	return a ^ a>>33
}
