package label

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The slow twin: requirements as Kubernetes writes them, judged one by one on every label set of
// three keys that are absent, have one of three values, or one that no selector names. No selector
// over these keys and values can tell more label sets apart.
var (
	twinKeys   = []string{"a", "b", "c"}
	twinValues = []string{"x", "y", "z"}
	others     = "other" // stands for every value that is not named
	everySet   = allSets()
)

func allSets() []Set {
	sets := []Set{{}}
	for _, k := range twinKeys {
		for _, s := range slices.Clone(sets) {
			for _, v := range append([]string{others}, twinValues...) {
				t := Set{k: v}
				for kk, vv := range s {
					t[kk] = vv
				}
				sets = append(sets, t)
			}
		}
	}
	return sets
}

type twinReq struct {
	key    string
	op     byte // In, NotIn, Exists, DoesNotExist
	values []string
}

func (r twinReq) satisfiedBy(s Set) bool {
	v, present := s[r.key]
	switch r.op {
	case 0:
		return present && slices.Contains(r.values, v)
	case 1:
		return !present || !slices.Contains(r.values, v)
	case 2:
		return present
	}
	return !present
}

type twin []twinReq

func (w twin) satisfiedBy(s Set) bool {
	return !slices.ContainsFunc(w, func(r twinReq) bool { return !r.satisfiedBy(s) })
}

func (w twin) selector() Selector {
	var s Selector
	for _, r := range w {
		switch r.op {
		case 0:
			s = s.Require(r.key, In(r.values...))
		case 1:
			s = s.Require(r.key, NotIn(r.values...))
		case 2:
			s = s.Require(r.key, Exists())
		case 3:
			s = s.Require(r.key, Absent())
		}
	}
	return s
}

// twinOf reads a twin from bytes, three each: key, operator, a bitmap of values.
func twinOf(data []byte) twin {
	var w twin
	for ; len(data) >= 3 && len(w) < 6; data = data[3:] {
		r := twinReq{key: twinKeys[int(data[0])%len(twinKeys)], op: data[1] % 4}
		for i := range 2 * len(twinValues) { // unsorted and with repeats
			if data[2]&(1<<i) != 0 {
				r.values = append(r.values, twinValues[(i*2)%len(twinValues)])
			}
		}
		w = append(w, r)
	}
	return w
}

// holds reports whether s selects exactly known labels set.
func holds(t *testing.T, s Selector, set Set) bool {
	t.Helper()
	must, may := s.Match(Known(set))
	if must != may {
		t.Fatalf("%v on %v: must %t, may %t, though every label is known", s, set, must, may)
	}
	return must
}

func checkSelectors(t *testing.T, wa, wb twin) {
	t.Helper()
	a, b := wa.selector(), wb.selector()
	both, rest := a.And(b), a.Minus(b)
	size, fewest, same := 0, len(twinKeys)+1, true
	overlaps, within := false, true
	for _, set := range everySet {
		inA, inB := wa.satisfiedBy(set), wb.satisfiedBy(set)
		if holds(t, a, set) != inA || holds(t, b, set) != inB {
			t.Fatalf("%v on %v: want %t; %v: want %t", a, set, inA, b, inB)
		}
		if holds(t, both, set) != (inA && inB) {
			t.Fatalf("%v and %v on %v: %v", a, b, set, both)
		}
		parts := 0
		for _, part := range rest {
			if holds(t, part, set) {
				parts++
			}
		}
		if (inA && !inB) != (parts == 1) || parts > 1 {
			t.Fatalf("%v minus %v is %v: %v is in %d parts", a, b, rest, set, parts)
		}
		if inA {
			size++
			fewest = min(fewest, len(set))
		}
		same = same && inA == inB
		overlaps, within = overlaps || inA && inB, within && (!inA || inB)
	}
	if a.Overlaps(b) != overlaps || a.Within(b) != within {
		t.Fatalf("%v overlaps %v: %t, is within: %t; want %t and %t", a, b, a.Overlaps(b), a.Within(b), overlaps, within)
	}
	if a.IsEmpty() != (size == 0) || a.SelectsAll() != (size == len(everySet)) {
		t.Fatalf("%v selects %d of %d: empty %t, all %t", a, size, len(everySet), a.IsEmpty(), a.SelectsAll())
	}
	if !a.IsEmpty() && a.Equal(b) != same || a.Equal(b) && !same {
		t.Fatalf("%v equals %v: %t, though they select the same: %t", a, b, a.Equal(b), same)
	}
	example, ok := a.Example()
	if ok != (size > 0) || ok && (!wa.satisfiedBy(example) || len(example) != fewest) {
		t.Fatalf("example of %v: %v, %t; the fewest labels are %d", a, example, ok, fewest)
	}
	checkForm(t, a)
	checkForm(t, both)
	for _, part := range rest {
		checkForm(t, part)
		if part.IsEmpty() && !a.IsEmpty() {
			t.Fatalf("%v minus %v has a part that selects nothing: %v", a, b, rest)
		}
	}
}

// checkForm checks what the type promises of every selector.
func checkForm(t *testing.T, s Selector) {
	t.Helper()
	if keys := s.Keys(); !slices.IsSorted(keys) || len(slices.Compact(keys)) != len(s.reqs) {
		t.Fatalf("%v: keys %v", s, keys)
	}
	for _, r := range s.reqs {
		list, except := r.values.Listed()
		if r.values.isAny() || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) || !s.On(r.key).equal(r.values) {
			t.Fatalf("%v: constraint on %s: %v, %t", s, r.key, list, except)
		}
	}
	if !s.On("never").isAny() {
		t.Fatalf("%v constrains a key it does not name", s)
	}
}

// partial is labels of which not everything is known, and every label set they may stand for.
func partial(known, unknown, open byte) (Labels, []Set) {
	set, keys := Set{}, []string{}
	for i, k := range twinKeys {
		switch known >> (2 * i) & 3 {
		case 0:
		default:
			set[k] = append([]string{others}, twinValues...)[known>>(2*i)&3]
		}
		if unknown&(1<<i) != 0 {
			keys = append(keys, k)
		}
	}
	l := Known(set).WithUnknown(keys...)
	if open&1 != 0 {
		l = l.Open()
	}
	var sets []Set
	for _, s := range everySet {
		fits := true
		for _, k := range twinKeys {
			v, present := s[k]
			switch is, ok := set[k]; {
			case ok:
				fits = fits && present && v == is
			case slices.Contains(keys, k):
				fits = fits && present
			case open&1 == 0:
				fits = fits && !present
			}
		}
		if fits {
			sets = append(sets, s)
		}
	}
	return l, sets
}

// checkMatch compares must and may with all and any of the label sets that l may stand for.
func checkMatch(t *testing.T, w twin, l Labels, sets []Set) {
	t.Helper()
	all, any := true, false
	for _, s := range sets {
		in := w.satisfiedBy(s)
		all, any = all && in, any || in
	}
	if must, may := w.selector().Match(l); must != all || may != any {
		t.Fatalf("%v on %+v: must %t and may %t, want %t and %t", w.selector(), l, must, may, all, any)
	}
}

func TestSelectorAlgebraAgreesWithBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	random := func() twin {
		data := make([]byte, 3*r.IntN(5))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		return twinOf(data)
	}
	empty, whole := 0, 0
	for range 1500 {
		a, b := random(), random()
		checkSelectors(t, a, b)
		checkSelectors(t, a, a)
		l, sets := partial(byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()))
		checkMatch(t, a, l, sets)
		if a.selector().IsEmpty() {
			empty++
		}
		if a.selector().SelectsAll() {
			whole++
		}
	}
	if empty < 100 || whole < 100 {
		t.Errorf("of 1,500 selectors %d select nothing and %d everything: too few to test with", empty, whole)
	}
}

func FuzzSelectorAlgebra(f *testing.F) {
	f.Add([]byte{0, 0, 3, 1, 1, 5}, []byte{0, 1, 1, 2, 2, 0}, byte(0x1b), byte(2), byte(1))
	f.Add([]byte{}, []byte{0, 1, 0}, byte(0), byte(7), byte(0))
	f.Add([]byte{2, 1, 63, 2, 2, 0, 2, 3, 0}, []byte{1, 0, 9}, byte(0xff), byte(0), byte(1))
	f.Fuzz(func(t *testing.T, a, b []byte, known, unknown, open byte) {
		wa, wb := twinOf(a), twinOf(b)
		checkSelectors(t, wa, wb)
		l, sets := partial(known, unknown, open)
		checkMatch(t, wa, l, sets)
	})
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		name          string
		v             Values
		x, y, absent  bool
		empty, others bool
		listed        string
	}{
		{name: "zero", empty: true},
		{name: "in", v: In("x"), x: true, listed: "x"},
		{name: "in nothing", v: In(), empty: true},
		{name: "in with repeats", v: In("y", "x", "y"), x: true, y: true, listed: "x y"},
		{name: "not in", v: NotIn("x"), y: true, absent: true, others: true, listed: "x"},
		{name: "exists", v: Exists(), x: true, y: true, others: true},
		{name: "absent", v: Absent(), absent: true},
	} {
		list, others := c.v.Listed()
		if c.v.Allows("x") != c.x || c.v.Allows("y") != c.y || c.v.AllowsAbsent() != c.absent || c.v.IsEmpty() != c.empty || others != c.others || strings.Join(list, " ") != c.listed {
			t.Errorf("%s: x %t, y %t, absent %t, empty %t, listed %v and others %t", c.name, c.v.Allows("x"), c.v.Allows("y"), c.v.AllowsAbsent(), c.v.IsEmpty(), list, others)
		}
	}
}

// TestExampleInventsValues checks that an invented value is none of those left out, whatever they
// are.
func TestExampleInventsValues(t *testing.T) {
	s := Selector{}.Require("k", Exists()).Require("k", NotIn("any", "any1", "any3"))
	got, ok := s.Example()
	if v := got["k"]; !ok || v == "" || slices.Contains([]string{"any", "any1", "any3"}, v) {
		t.Errorf("example %v, %t", got, ok)
	}
}

func TestNamedAndEquals(t *testing.T) {
	if got, want := Named("shop"), Equals(Set{"kubernetes.io/metadata.name": "shop"}); !got.Equal(want) {
		t.Errorf("Named: %v, want %v", got, want)
	}
	s := Equals(Set{"b": "2", "a": "1"})
	if !holds(t, s, Set{"a": "1", "b": "2", "c": "3"}) || holds(t, s, Set{"a": "1"}) || holds(t, Equals(Set{"a": ""}), Set{}) || !holds(t, Equals(Set{"a": ""}), Set{"a": ""}) {
		t.Errorf("%v selects the wrong labels", s)
	}
	checkForm(t, s)
	if !Equals(nil).SelectsAll() {
		t.Error("no labels do not select everything")
	}
}

func TestSelectorText(t *testing.T) {
	for _, c := range []struct {
		s    Selector
		want string
	}{
		{Selector{}, "everything"},
		{Equals(Set{"tier": "db", "app": "web"}), "app=web,tier=db"},
		{Selector{}.Require("tier", In("b", "a")), "tier in (a,b)"},
		{Selector{}.Require("tier", NotIn("b", "a")), "tier notin (a,b)"},
		{Selector{}.Require("tier", NotIn("a")), "tier!=a"},
		{Selector{}.Require("tier", Exists()), "tier"},
		{Selector{}.Require("legacy", Absent()), "!legacy"},
		{Selector{}.Require("tier", Exists()).Require("tier", NotIn("a")), "tier,tier notin (a)"},
		{Selector{}.Require("tier", In()), "tier in ()"},
		{Selector{}.Minus(Selector{}.Require("tier", Exists()).Require("tier", NotIn("a", "b")))[0], "(!tier or tier in (a,b))"},
	} {
		if got := c.s.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
