package when

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// twin is the slow model: a condition is the list of its worlds, and a world is an answer to each
// of a few questions.
type twin struct {
	space     *Space
	questions []*Question
	answers   [][]Answers // of each question, one at a time
	worlds    int
	follow    map[*node][]follows // the cases of each node that was asked
}

// asked are questions of all kinds and ends. Ranks and IDs are such that their order is not the one
// of this list.
var asked = []Question{
	{ID: "h", Kind: Fact, End: Destination, Rank: 1, All: Answers{Bits: Yes | No}},
	{ID: "address of dst", Kind: Address, End: Destination, All: Answers{Addrs: netset.MustPrefixes("8.0.0.0/8", "10.0.0.0/8", "fd00::/8")}},
	{ID: "unread", Kind: Unjudged, End: Source, Rank: 2, All: Answers{Bits: 7}},
	{ID: "family", Kind: Family, All: Answers{Bits: IPv4 | IPv6}},
	{ID: "cni", Kind: CNI, All: Answers{Bits: 7}},
	{ID: "g", Kind: Fact, End: Source, Rank: 1, All: Answers{Bits: Yes | No}},
	{ID: "address of src", Kind: Address, End: Source, All: Answers{Addrs: netset.MustPrefixes("10.0.0.0/8")}},
	{ID: "node", Kind: Node, End: Destination, All: Answers{Bits: 7}},
}

func newTwin() *twin {
	t := &twin{space: NewSpace(), worlds: 1, follow: map[*node][]follows{}}
	parts := []netset.Addrs{netset.MustPrefixes("8.0.0.0/8"), netset.MustPrefixes("10.0.0.0/9"), netset.MustPrefixes("10.128.0.0/9"), netset.MustPrefixes("fd00::/8")}
	for _, q := range asked {
		var each []Answers
		for bit := uint64(1); bit <= q.All.Bits; bit <<= 1 {
			each = append(each, Answers{Bits: bit})
		}
		for _, part := range parts {
			if q.All.Addrs.Overlaps(part) {
				each = append(each, Answers{Addrs: part})
			}
		}
		t.questions = append(t.questions, t.space.Ask(q))
		t.answers = append(t.answers, each)
		t.worlds *= len(each)
	}
	return t
}

// answer is the answer to question i in a world, as its place in t.answers[i].
func (t *twin) answer(world, i int) int {
	for _, each := range t.answers[:i] {
		world /= len(each)
	}
	return world % len(t.answers[i])
}

// with is the world that differs in the answer to question i.
func (t *twin) with(world, i, answer int) int {
	step := 1
	for _, each := range t.answers[:i] {
		step *= len(each)
	}
	return world + (answer-t.answer(world, i))*step
}

// holds says whether w holds in a world. What was too large to be told is answered by wide.
func (t *twin) holds(w When, world int, wide uint64) bool {
	n := w.n
	for n != nil && n != never {
		in := Answers{Bits: wide}
		if i := slices.IndexFunc(t.questions, func(q *Question) bool { return q == n.q || q == n.q.home }); i >= 0 {
			in = t.answers[i][t.answer(world, i)]
		}
		cases, ok := t.follow[n]
		if !ok {
			cases = n.cases()
			t.follow[n] = cases
		}
		n = cases[slices.IndexFunc(cases, func(c follows) bool { return !c.in.and(in).IsEmpty() })].to
	}
	return n == nil
}

// set is a condition of the slow model.
type set []bool

// combine is the set of the worlds for which f is true.
func (t *twin) combine(f func(world int) bool) set {
	out := make(set, t.worlds)
	for world := range out {
		out[world] = f(world)
	}
	return out
}

func (s set) implies(o set) bool {
	for world, in := range s {
		if in && !o[world] {
			return false
		}
	}
	return true
}

func (s set) overlaps(o set) bool {
	for world, in := range s {
		if in && o[world] {
			return true
		}
	}
	return false
}

func (s set) equal(o set) bool { return slices.Equal(s, o) }

// some is where s holds for some answer to the questions that of names.
func (t *twin) some(s set, of func(*Question) bool) set {
	for i, q := range t.questions {
		if of(q) {
			was := s
			s = t.combine(func(world int) bool {
				for a := range t.answers[i] {
					if was[t.with(world, i, a)] {
						return true
					}
				}
				return false
			})
		}
	}
	return s
}

func (s set) not() set {
	out := make(set, len(s))
	for world, in := range s {
		out[world] = !in
	}
	return out
}

// both is one condition in both forms.
type both struct {
	when When
	set  set
}

// driver reads bytes as steps that build and compare conditions.
type driver struct {
	*twin
	t    *testing.T
	data []byte
	pool []both
}

func (d *driver) next(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b) % n
}

// pick takes a condition, seldom always or never.
func (d *driver) pick() both {
	i := d.next(4 * len(d.pool))
	return d.pool[max(i%len(d.pool), min(i, 2))]
}

// literal is the condition that a question has some of its answers.
func (d *driver) literal() both {
	i := d.next(len(d.questions))
	chosen := d.next(1<<len(d.answers[i])-1) + 1
	var in Answers
	for a, answer := range d.answers[i] {
		if chosen>>a&1 != 0 {
			in = in.or(answer)
		}
	}
	return both{d.questions[i].Is(in), d.combine(func(world int) bool { return chosen>>d.answer(world, i)&1 != 0 })}
}

// of names some questions.
func (d *driver) of() func(*Question) bool {
	end := End(d.next(4))
	if kind := Kind(d.next(8)); kind <= Unjudged {
		return func(q *Question) bool { return q.Kind == kind }
	}
	return func(q *Question) bool { return q.End == end }
}

// step makes a condition of the ones before it.
func (d *driver) step() both {
	a, b := d.pick(), d.pick()
	switch d.next(16) {
	case 0:
		return both{a.when.And(b.when), d.combine(func(w int) bool { return a.set[w] && b.set[w] })}
	case 1:
		return both{a.when.Or(b.when), d.combine(func(w int) bool { return a.set[w] || b.set[w] })}
	case 2:
		return both{a.when.Minus(b.when), d.combine(func(w int) bool { return a.set[w] && !b.set[w] })}
	case 3:
		return both{a.when.Not(), a.set.not()}
	case 4:
		of := d.of()
		return both{a.when.Exists(of), d.some(a.set, of)}
	case 5:
		of := d.of()
		return both{a.when.Every(of), d.some(a.set.not(), of).not()}
	case 6:
		return both{a.when.Move(Destination, Via).Or(b.when).Move(Via, Destination),
			d.combine(func(w int) bool { return a.set[w] || b.set[w] })}
	case 7, 8, 9, 10:
		return both{a.when.Minus(b.when).Or(b.when.Minus(a.when)), d.combine(func(w int) bool { return a.set[w] != b.set[w] })}
	case 11:
		d.space.cache.Lock()
		clear(d.space.nodes)
		clear(d.space.results)
		d.space.cache.Unlock()
	case 12, 13:
		o := d.literal()
		return both{a.when.And(o.when).Or(b.when), d.combine(func(w int) bool { return a.set[w] && o.set[w] || b.set[w] })}
	}
	return d.literal()
}

// run builds conditions from data; check sees each of them.
func run(t *testing.T, twin *twin, data []byte, check func(d *driver, made both)) {
	d := &driver{twin: twin, t: t, data: data}
	d.pool = []both{{Always, d.combine(func(int) bool { return true })}, {Never, make(set, d.worlds)}, d.literal(), d.literal(), d.literal(), d.literal()}
	for len(d.data) > 0 {
		made := d.step()
		check(d, made)
		switch {
		case len(made.when.Questions()) < 1+d.next(3): // too plain to be of use
		case len(d.pool) < 12:
			d.pool = append(d.pool, made)
		default:
			d.pool[2+d.next(10)] = made
		}
	}
}

// agree compares a condition with its worlds, and with another condition.
func agree(d *driver, made both) {
	d.t.Helper()
	d.same("the condition", made.when, made.set)
	o := d.pick()
	w, x := made.when, o.when
	for what, ok := range map[string]bool{
		"IsAlways": w.IsAlways() == made.set.equal(d.pool[0].set) && made.set.equal(d.pool[0].set) == w.Equal(Always),
		"IsNever":  w.IsNever() == made.set.equal(d.pool[1].set) && w.IsNever() == w.Equal(Never),
		"Equal":    w.Equal(x) == made.set.equal(o.set),
		"Hash":     (w.Hash() == x.Hash()) == made.set.equal(o.set),
		"Implies":  w.Implies(x) == made.set.implies(o.set),
		"Overlaps": w.Overlaps(x) == made.set.overlaps(o.set),
	} {
		if !ok {
			d.t.Fatalf("%s is wrong of %v and %v", what, dump(w.n), dump(x.n))
		}
	}
	d.order(w.n)
	d.questionsOf(made)
	d.assume(made, o)
	d.by(made, o)
}

// same compares a condition with the worlds in which it must hold.
func (d *driver) same(what string, w When, want set) {
	d.t.Helper()
	for world, in := range want {
		if d.holds(w, world, No) != in {
			d.t.Fatalf("%s: in world %d it is %v, want %v: %s", what, world, !in, in, dump(w.n))
		}
	}
}

// order checks that a diagram asks in order and is whole.
func (d *driver) order(n *node) {
	d.t.Helper()
	if n == nil || n == never {
		return
	}
	var all Answers
	for i, e := range n.edges {
		if e.lo.compare(e.hi) > 0 || i > 0 && n.edges[i-1].hi.compare(e.lo) >= 0 {
			d.t.Fatalf("edges are not disjoint and sorted: %s", dump(n))
		}
		if i > 0 && n.edges[i-1].hi.next() == e.lo && same(n.edges[i-1].to, e.to) {
			d.t.Fatalf("neighbours lead to the same: %s", dump(n))
		}
		if all = all.or(n.q.answers([]span{e.span})); e.to != nil && e.to != never && n.q.compare(e.to.q) >= 0 {
			d.t.Fatalf("%q is asked before %q: %s", n.q.ID, e.to.q.ID, dump(n))
		}
		d.order(e.to)
	}
	if len(n.cases()) < 2 || !all.equal(n.q.All) {
		d.t.Fatalf("%q is not answered by all of its answers: %s", n.q.ID, dump(n))
	}
}

// questionsOf checks that a condition asks just what makes a difference.
func (d *driver) questionsOf(b both) {
	d.t.Helper()
	got := b.when.Questions()
	for _, q := range d.questions {
		is := func(o *Question) bool { return o == q }
		matters := !d.some(b.set, is).equal(b.set)
		if slices.Contains(got, q) != matters || b.when.Asks(is) != matters {
			d.t.Fatalf("asks %q: %v, want %v: %s", q.ID, !matters, matters, dump(b.when.n))
		}
	}
	if !slices.IsSortedFunc(got, (*Question).compare) {
		d.t.Fatalf("questions are not in order: %s", dump(b.when.n))
	}
}

func (d *driver) assume(f, care both) {
	d.t.Helper()
	got := f.when.Assume(care.when)
	if care.when.IsNever() {
		return
	}
	d.order(got.n)
	if !got.And(care.when).Equal(f.when.And(care.when)) {
		d.t.Fatalf("(%v).Assume(%v) is %v, which differs inside", dump(f.when.n), dump(care.when.n), dump(got.n))
	}
	if got.IsAlways() != care.set.implies(f.set) || got.IsNever() == care.set.overlaps(f.set) {
		d.t.Fatalf("(%v).Assume(%v) is %v: always or never is wrong", dump(f.when.n), dump(care.when.n), dump(got.n))
	}
	for _, q := range got.Questions() {
		if !slices.Contains(f.when.Questions(), q) {
			d.t.Fatalf("(%v).Assume(%v) asks %q", dump(f.when.n), dump(care.when.n), q.ID)
		}
	}
}

func (d *driver) by(f, of both) {
	d.t.Helper()
	i := d.next(len(d.questions))
	q, within := d.questions[i], d.questions[i].All
	if of.when.n != nil && of.when.n != never && of.when.n.q == q {
		within = of.when.n.cases()[0].in
	}
	var all Answers
	var rests []When
	for _, c := range f.when.By(q, within) {
		if c.In.IsEmpty() || !all.and(c.In).IsEmpty() || slices.ContainsFunc(rests, c.Rest.Equal) {
			d.t.Fatalf("cases of %s by %q overlap", dump(f.when.n), q.ID)
		}
		all, rests = all.or(c.In), append(rests, c.Rest)
		d.order(c.Rest.n)
		for a, answer := range d.answers[i] {
			if !answer.and(c.In).IsEmpty() {
				d.same("the rest of a case", c.Rest, d.combine(func(w int) bool { return f.set[d.with(w, i, a)] }))
			}
		}
	}
	if !all.equal(within) {
		d.t.Fatalf("cases of %s by %q are %v, want %v", dump(f.when.n), q.ID, all, within)
	}
}

// dump is a whole diagram in one line.
func dump(n *node) string {
	switch n {
	case nil:
		return "always"
	case never:
		return "never"
	}
	out := n.q.ID + "("
	for _, c := range n.cases() {
		out += fmt.Sprint(c.in.Bits, netset.CIDRs(c.in.Addrs), ":", dump(c.to), " ")
	}
	return out + ")"
}

func randomBytes(r *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func TestWhenAgreesWithItsWorlds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 15 {
		run(t, newTwin(), randomBytes(r, 400), agree)
	}
}

func FuzzWhen(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		f.Add(randomBytes(r, 60))
	}
	f.Fuzz(func(t *testing.T, data []byte) { run(t, newTwin(), data[:min(len(data), 120)], agree) })
}

// What is too large to be told is widened: wherever the truth is yes, yes is possible, and wherever
// it is no, no is.
func TestWhatIsTooLargeIsWidened(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	wide, exact := 0, 0
	for i := range 24 {
		twin := newTwin()
		twin.space.maxEdges = 4 + i%12
		run(t, twin, randomBytes(r, 400), func(d *driver, made both) {
			d.order(made.when.n)
			is := (*Question).isTooMany
			every, some := When{exists(made.when.Not().n, is, map[*node]*node{})}.Not(), When{exists(made.when.n, is, map[*node]*node{})}
			for world, in := range made.set {
				if low, high := d.holds(every, world, No), d.holds(some, world, Yes); low && !in || in && !high {
					t.Fatalf("bound %d, world %d: it is %v, and said to be in %v to %v: %s", twin.space.maxEdges, world, in, low, high, dump(made.when.n))
				}
			}
			if made.when.Asks(is) {
				wide++
			} else {
				exact++
			}
		})
	}
	if wide < 100 || exact < 100 {
		t.Errorf("%d conditions were widened, %d not: too few to show anything", wide, exact)
	}
}

// A condition that grows without end, here (a and A) or (b and B) or ... with all small letters
// asked first.
func TestBound(t *testing.T) {
	t.Parallel()
	s := NewSpace()
	w := Never
	const pairs = 40
	for i := range pairs {
		a := s.Fact(fmt.Sprintf("a%02d", i), Destination, i, "a", "not a").Has(Yes)
		b := s.Fact(fmt.Sprintf("b%02d", i), Destination, pairs+i, "b", "not b").Has(Yes)
		w = w.Or(a.And(b))
	}
	n := 0
	w.visit(func(x *node) bool { n += len(x.edges); return true })
	if !w.Asks((*Question).isTooMany) || n > maxEdges {
		t.Fatalf("%d edges, and what is too many is said: %v", n, w.Asks((*Question).isTooMany))
	}
	if w.IsAlways() || w.IsNever() || !w.Minus(w).IsNever() || !w.Or(w.Not()).IsAlways() || w.Overlaps(w.Not()) {
		t.Error("what is too many is taken for always or never, or is not one condition")
	}
	for _, q := range w.Questions() {
		if moved := q.Has(Yes).Move(Destination, Via); q.isTooMany() && moved.Equal(q.Has(Yes)) {
			t.Errorf("%q may be about the destination, and is not moved", q.ID)
		}
	}
	ofDestination := func(q *Question) bool { return q.End == Destination }
	if moved := w.Move(Destination, Via); moved.Minus(w).IsNever() || w.Minus(moved).IsNever() || w.Minus(w.Every(ofDestination)).IsNever() {
		t.Error("what is too many of one end is taken for that of another, or of every")
	}
	if lines := w.Lines(Always, Names{}); len(lines) == 0 {
		t.Error("what is too many is said in no words")
	}
}

// Sixteen and a hundred rules that each ask two facts, in the order of the rules, stay small.
func TestRulesInOrderStaySmall(t *testing.T) {
	t.Parallel()
	for _, rules := range []int{16, 100} {
		s := NewSpace()
		w := Never
		for i := range rules {
			name := s.Fact(fmt.Sprint("name ", i), Destination, i, "the name resolves", "it does not").Has(Yes)
			path := s.Fact(fmt.Sprint("path ", i), Cluster, i, "the path is allowed", "it is not").Has(Yes)
			w = w.Or(name.And(path))
		}
		n := 0
		w.visit(func(*node) bool { n++; return true })
		if n != 2*rules {
			t.Errorf("%d rules: %d nodes, want %d", rules, n, 2*rules)
		}
	}
}

func TestOrderOfBuildingDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		one, other := newTwin(), newTwin()
		slices.Reverse(other.questions)
		other.space = NewSpace()
		for i, q := range other.questions { // asked the other way round
			other.questions[i] = other.space.Ask(Question{ID: q.ID, Kind: q.Kind, End: q.End, Rank: q.Rank, All: q.All})
		}
		slices.Reverse(other.questions)
		cubes := make([][]byte, 12)
		for i := range cubes {
			cubes[i] = randomBytes(r, 6)
		}
		sum := func(t *twin) When {
			w := Never
			for _, data := range cubes {
				d := &driver{twin: t, data: data}
				w = w.Or(d.literal().when.And(d.literal().when).And(d.literal().when))
			}
			return w
		}
		first := sum(one)
		clear(one.space.nodes)
		clear(one.space.results)
		r.Shuffle(len(cubes), func(i, j int) { cubes[i], cubes[j] = cubes[j], cubes[i] })
		if again := sum(one); !again.Equal(first) || again.Hash() != first.Hash() {
			t.Fatalf("built in another order, it is another: %s and %s", dump(first.n), dump(again.n))
		}
		if far := sum(other); far.Hash() != first.Hash() || dump(far.n) != dump(first.n) {
			t.Fatalf("asked in another order, it is another: %s and %s", dump(first.n), dump(far.n))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	shared := newTwin()
	data := randomBytes(rand.New(rand.NewPCG(9, 10)), 120)
	results := make([][]When, 4)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			run(t, shared, data, func(_ *driver, made both) { results[i] = append(results[i], made.when) })
		})
	}
	wg.Wait()
	for _, other := range results[1:] {
		if !slices.EqualFunc(results[0], other, When.Equal) {
			t.Error("goroutines got different results")
		}
	}
}

func TestMove(t *testing.T) {
	t.Parallel()
	s := NewSpace()
	dst := s.Ask(Question{ID: "address", Kind: Address, End: Destination, All: Answers{Addrs: netset.MustPrefixes("10.0.0.0/8")}})
	fact := s.Fact("name", Destination, 3, "a name resolves to {dst}", "no name resolves to {dst}")
	cni := s.Ask(Question{ID: "cni", Kind: CNI, All: Answers{Bits: 3}})
	w := dst.In(netset.MustPrefixes("10.0.0.0/9")).And(cni.Has(1)).Or(fact.Has(Yes))
	moved := w.Move(Destination, Via)
	if moved.Asks(func(q *Question) bool { return q.End == Destination }) || !moved.Asks(func(q *Question) bool { return q == cni }) {
		t.Errorf("moved, it asks %s", dump(moved.n))
	}
	if i := slices.IndexFunc(moved.Questions(), func(q *Question) bool { return q.Kind == Fact }); moved.Questions()[i].Words[Yes] != "a name resolves to {via}" {
		t.Errorf("got %q", moved.Questions()[i].Words)
	}
	if !moved.Move(Via, Destination).Equal(w) || !moved.Move(Via, Source).Equal(w.Move(Destination, Source)) {
		t.Error("moved back, it is another")
	}
	if moved.Equal(w) || moved.Implies(w) || w.Implies(moved) || moved.Minus(w).IsNever() {
		t.Error("two ends are taken for one")
	}
	if cni.Has(1).Move(Destination, Via) != cni.Has(1) {
		t.Error("what is about no end was moved")
	}
}

// Answers by addresses have one order, whichever comes first.
func TestAddressesAreInOrder(t *testing.T) {
	t.Parallel()
	s := NewSpace()
	first, low, high := netset.MustPrefixes("8.0.0.0/8"), netset.MustPrefixes("10.0.0.0/9"), netset.MustPrefixes("10.128.0.0/9")
	q := s.Ask(Question{ID: "address", Kind: Address, End: Destination, All: Answers{Addrs: netset.Union(first, low, high)}})
	a, b := s.Fact("a", Cluster, 0, "a", "no a").Has(Yes), s.Fact("b", Cluster, 1, "b", "no b").Has(Yes)
	parts := []When{q.In(first), q.In(low).And(a), q.In(high).And(b)}
	want := parts[0].Or(parts[1]).Or(parts[2])
	for _, order := range [][3]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		if got := parts[order[0]].Or(parts[order[1]]).Or(parts[order[2]]); !got.Equal(want) || got.Hash() != want.Hash() {
			t.Errorf("%v: got %s, want %s", order, dump(got.n), dump(want.n))
		}
	}
}

func TestAQuestionWithoutAnswersIsNever(t *testing.T) {
	t.Parallel()
	q := NewSpace().Ask(Question{ID: "nowhere", Kind: Address})
	if w := q.In(netset.Points(netip.MustParseAddr("10.0.0.1"))); !w.IsNever() {
		t.Errorf("got %s", dump(w.n))
	}
}

// TestAnswersOfBothFamilies demands that sets of addresses come out of a diagram as they went in,
// also where those of two families are neighbours.
func TestAnswersOfBothFamilies(t *testing.T) {
	all := netset.MustPrefixes("0.0.0.0/0", "::/0")
	q := NewSpace().Ask(Question{ID: "address", Kind: Address, All: Answers{Addrs: all}})
	for _, in := range []Answers{
		{Addrs: all}, {Addrs: netset.MustPrefixes("0.0.0.0/0")},
		{Addrs: netset.MustPrefixes("::/0")}, {Addrs: netset.MustPrefixes("10.0.0.0/8", "::/1")}, {Addrs: netset.MustPrefixes("240.0.0.0/4", "8000::/1")},
		{Addrs: netset.MustPrefixes("0.0.0.0/1", "::/97")},
	} {
		last := Answers{Addrs: netset.MustPrefixes("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")} // which nobody has
		if got := q.answers(q.spans(in)); !got.or(last).equal(in.or(last)) {
			t.Errorf("got %v, want %v", netset.CIDRs(got.Addrs), netset.CIDRs(in.Addrs))
		}
		for _, c := range q.Is(in).By(q, q.All) {
			if c.In.IsEmpty() {
				t.Errorf("%v: a case without answers", netset.CIDRs(in.Addrs))
			}
		}
	}
}
