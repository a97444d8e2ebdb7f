package netset

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// line is the slow twin of the algebra: the whole of T cut into at most 16 adjacent cells, so that
// a set of cells is a bitmap and every operation is one on bits. Cells are chosen where mistakes
// live: at both ends and, for addresses, where IPv4 meets IPv6.
type line[T Point[T]] struct {
	name  string
	cells []Run[T]
	apart int // no run crosses from cell apart-1 to cell apart; 0 if any may
}

type bitmap uint16

var (
	portLine = line[Port]{name: "ports", cells: []Run[Port]{{0, 0}, {1, 1}, {2, 79}, {80, 80}, {81, 443}, {444, 65533}, {65534, 65534}, {65535, 65535}}}
	idLine   = line[ID]{name: "ids", cells: []Run[ID]{{0, 0}, {1, 6}, {7, 7}, {8, 8}, {9, 1<<31 - 1}, {1 << 31, 1<<32 - 3}, {1<<32 - 2, 1<<32 - 2}, {1<<32 - 1, 1<<32 - 1}}}
	addrLine = line[netip.Addr]{name: "addresses", apart: 5, cells: []Run[netip.Addr]{
		addrs("0.0.0.0", "0.0.0.0"), addrs("0.0.0.1", "9.255.255.255"), addrs("10.0.0.0", "10.255.255.255"),
		addrs("11.0.0.0", "255.255.255.254"), addrs("255.255.255.255", "255.255.255.255"),
		addrs("::", "::"), addrs("::1", "::1"), addrs("::2", "fd00:ec2::253"), addrs("fd00:ec2::254", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"),
		addrs("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
	}}
)

func addrs(lo, hi string) Run[netip.Addr] {
	return Run[netip.Addr]{netip.MustParseAddr(lo), netip.MustParseAddr(hi)}
}

func (l line[T]) all() bitmap { return 1<<len(l.cells) - 1 }

// runs returns the canonical runs of m: as long as can be, in order.
func (l line[T]) runs(m bitmap) []Run[T] {
	var out []Run[T]
	for i, c := range l.cells {
		switch {
		case m&(1<<i) == 0:
		case i > 0 && i != l.apart && m&(1<<(i-1)) != 0:
			out[len(out)-1].Hi = c.Hi
		default:
			out = append(out, c)
		}
	}
	return out
}

// messy builds m from single cells in an order that seed chooses, some of them twice and with runs
// that hold nothing.
func (l line[T]) messy(m bitmap, seed uint64) Set[T] {
	r := rand.New(rand.NewPCG(seed, 1))
	runs := l.runs(m)
	for i, c := range l.cells {
		if m&(1<<i) != 0 && r.IntN(2) == 0 {
			runs = append(runs, c)
		}
	}
	if r.IntN(2) == 0 {
		runs = append(runs, Run[T]{l.cells[1].Lo, l.cells[0].Hi})
	}
	r.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	return Of(runs...)
}

func (l line[T]) check(t *testing.T, what string, got Set[T], want bitmap) {
	t.Helper()
	if runs := l.runs(want); !slices.Equal(got.runs, runs) {
		t.Fatalf("%s %s: got %v, want %v", l.name, what, got.runs, runs)
	}
}

// checkPair compares every operation on two sets with the same operation on bitmaps.
func (l line[T]) checkPair(t *testing.T, a, b Set[T], ma, mb bitmap) {
	t.Helper()
	before := [...][]Run[T]{slices.Clone(a.runs), slices.Clone(b.runs)}
	l.check(t, "union", a.Union(b), ma|mb)
	l.check(t, "union of many", Union(a, b, a, Set[T]{}), ma|mb)
	l.check(t, "intersection", a.Intersect(b), ma&mb)
	l.check(t, "difference", a.Minus(b), ma&^mb)
	for _, q := range []struct {
		what      string
		got, want bool
	}{
		{"covers", a.Covers(b), mb&^ma == 0},
		{"overlaps", a.Overlaps(b), ma&mb != 0},
		{"equal", a.Equal(b), ma == mb},
	} {
		if q.got != q.want {
			t.Fatalf("%s: %v %s %v: got %t, want %t", l.name, a.runs, q.what, b.runs, q.got, q.want)
		}
	}
	if !slices.Equal(a.runs, before[0]) || !slices.Equal(b.runs, before[1]) {
		t.Fatalf("%s: an operation changed its operand: %v, %v", l.name, before[0], before[1])
	}
}

// checkOne compares what can be asked of one set.
func (l line[T]) checkOne(t *testing.T, s Set[T], m bitmap) {
	t.Helper()
	l.check(t, "set", s, m)
	if s.IsEmpty() != (m == 0) || s.Len() != len(l.runs(m)) || !slices.Equal(slices.Collect(s.Runs()), l.runs(m)) {
		t.Fatalf("%s: %v is reported as empty %t, %d runs", l.name, s.runs, s.IsEmpty(), s.Len())
	}
	if m != 0 && s.First() != l.runs(m)[0].Lo {
		t.Fatalf("%s: first of %v is %v", l.name, s.runs, s.First())
	}
	for i, c := range l.cells {
		want := m&(1<<i) != 0
		if s.Contains(c.Lo) != want || s.Contains(c.Hi) != want {
			t.Fatalf("%s: %v contains %v or %v: want %t", l.name, s.runs, c.Lo, c.Hi, want)
		}
	}
}

func (l line[T]) exhaust(t *testing.T) {
	t.Run(l.name, func(t *testing.T) {
		sets := make([]Set[T], l.all()+1)
		for m := range sets {
			sets[m] = l.messy(bitmap(m), uint64(m))
			l.checkOne(t, sets[m], bitmap(m))
		}
		if len(sets) > 512 { // every pair of 1,024 sets takes seconds: take each with 64 others
			r := rand.New(rand.NewPCG(7, 7))
			for ma, a := range sets {
				for range 64 {
					mb := r.IntN(len(sets))
					l.checkPair(t, a, sets[mb], bitmap(ma), bitmap(mb))
				}
			}
			return
		}
		for ma, a := range sets {
			for mb, b := range sets {
				l.checkPair(t, a, b, bitmap(ma), bitmap(mb))
			}
		}
	})
}

func TestSetAlgebraAgreesWithBitmaps(t *testing.T) {
	portLine.exhaust(t)
	idLine.exhaust(t)
	addrLine.exhaust(t)
}

// FuzzSetAlgebra builds three sets by whatever operations data spells and compares each step with
// bitmaps.
func FuzzSetAlgebra(f *testing.F) {
	f.Add(uint8(0), []byte{0x81, 0x42, 0x18, 1, 2, 3, 0})
	f.Add(uint8(1), []byte{0xff, 0x00, 0x3c, 3, 1, 2})
	f.Add(uint8(2), []byte{0x10, 0x30, 0xff, 0, 1, 2, 3, 3, 3, 2, 1, 0})
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		switch kind % 3 {
		case 0:
			portLine.replay(t, data)
		case 1:
			idLine.replay(t, data)
		case 2:
			addrLine.replay(t, data)
		}
	})
}

func (l line[T]) replay(t *testing.T, data []byte) {
	if len(data) < 3 || len(data) > 64 {
		return
	}
	var masks [3]bitmap
	var sets [3]Set[T]
	for i := range sets {
		masks[i] = (bitmap(data[i]) | bitmap(data[i])<<5) & l.all()
		sets[i] = l.messy(masks[i], uint64(data[i]))
	}
	for _, op := range data[3:] {
		x, y, z := int(op>>2)%3, int(op>>4)%3, int(op>>6)%3
		switch op % 4 {
		case 0:
			masks[x], sets[x] = masks[y]|masks[z], sets[y].Union(sets[z])
		case 1:
			masks[x], sets[x] = masks[y]&masks[z], sets[y].Intersect(sets[z])
		case 2:
			masks[x], sets[x] = masks[y]&^masks[z], sets[y].Minus(sets[z])
		case 3:
			masks[x], sets[x] = masks[x]|masks[y]|masks[z], Union(sets[:]...)
			masks[x] = masks[0] | masks[1] | masks[2]
		}
		l.checkOne(t, sets[x], masks[x])
		l.checkPair(t, sets[y], sets[x], masks[y], masks[x])
	}
}

func TestSetsOfPointsAndRanges(t *testing.T) {
	if got := Points[Port](443, 80, 81, 80); !slices.Equal(got.runs, []Run[Port]{{80, 81}, {443, 443}}) {
		t.Errorf("points: %v", got.runs)
	}
	if got := Points[Port](); !got.IsEmpty() || !got.Equal(Ports{}) {
		t.Errorf("no points: %v", got.runs)
	}
	if got := PortRange(81, 80); !got.IsEmpty() {
		t.Errorf("a range that ends before it starts: %v", got.runs)
	}
	if got := Union[Port](); !got.IsEmpty() {
		t.Errorf("the union of nothing: %v", got.runs)
	}
	if AllPorts.Contains(0) || !AllPorts.Contains(1) || !AllPorts.Contains(65535) {
		t.Errorf("all ports: %v", AllPorts.runs)
	}
	for _, c := range []struct {
		first ID
		n     int
		want  []Run[ID]
	}{
		{5, 0, nil}, {0, 1, []Run[ID]{{0, 0}}}, {5, 3, []Run[ID]{{5, 7}}}, {1<<32 - 1, 1, []Run[ID]{{1<<32 - 1, 1<<32 - 1}}},
	} {
		if got := IDRange(c.first, c.n); !slices.Equal(got.runs, c.want) {
			t.Errorf("IDRange(%d, %d) = %v, want %v", c.first, c.n, got.runs, c.want)
		}
	}
}
