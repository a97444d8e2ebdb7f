package netset

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

func TestPrefixes(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []netip.Prefix
		want []Run[netip.Addr]
	}{
		{"nothing", nil, nil},
		{"an invalid prefix", []netip.Prefix{{}, netip.PrefixFrom(netip.IPv4Unspecified(), 33)}, nil},
		{"host bits", []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8")}, []Run[netip.Addr]{addrs("10.0.0.0", "10.255.255.255")}},
		{"one address", []netip.Prefix{netip.MustParsePrefix("fd00:ec2::254/128")}, []Run[netip.Addr]{addrs("fd00:ec2::254", "fd00:ec2::254")}},
		{"IPv4 in IPv6", []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 104)}, []Run[netip.Addr]{addrs("10.0.0.0", "10.255.255.255")}},
		{"neighbours join", []netip.Prefix{netip.MustParsePrefix("10.0.1.0/24"), netip.MustParsePrefix("10.0.0.0/24")}, []Run[netip.Addr]{addrs("10.0.0.0", "10.0.1.255")}},
		{"families stay apart", []netip.Prefix{netip.MustParsePrefix("::/0"), netip.MustParsePrefix("0.0.0.0/0")},
			[]Run[netip.Addr]{addrs("0.0.0.0", "255.255.255.255"), addrs("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}},
	} {
		if got := Prefixes(c.in...); !slices.Equal(got.runs, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got.runs, c.want)
		}
	}
	if want := MustPrefixes("0.0.0.0/0", "::/0"); !Universe.Equal(want) {
		t.Errorf("universe: %v", Universe.runs)
	}
}

func TestUnmap(t *testing.T) {
	mapped := netip.MustParseAddr("::ffff:10.0.0.0")
	for _, c := range []struct{ in, want netip.Prefix }{
		{netip.PrefixFrom(mapped, 96), netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 0)},
		{netip.PrefixFrom(mapped, 128), netip.MustParsePrefix("10.0.0.0/32")},
		{netip.PrefixFrom(mapped, 95), netip.PrefixFrom(mapped, 95)}, // holds more than IPv4
		{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")},
		{netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fd00::/8")},
		{netip.Prefix{}, netip.Prefix{}},
	} {
		if got := Unmap(c.in); got != c.want {
			t.Errorf("Unmap(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

// TestCIDRs checks on random sets that the prefixes hold exactly the set, in order, and that no
// fewer would do: two prefixes that follow each other never are the halves of one.
func TestCIDRs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 2000 {
		var in []netip.Prefix
		for range r.IntN(6) {
			in = append(in, randomPrefix(r))
		}
		s := Prefixes(in...)
		if len(in) > 1 && r.IntN(2) == 0 {
			s = Universe.Minus(s)
		}
		out := CIDRs(s)
		if !Prefixes(out...).Equal(s) {
			t.Fatalf("%v became %v", s.runs, out)
		}
		size := 0.0
		for i, p := range out {
			size += math.Ldexp(1, p.Addr().BitLen()-p.Bits())
			if p != p.Masked() {
				t.Fatalf("%v has host bits", p)
			}
			if i == 0 {
				continue
			}
			before := out[i-1]
			if before.Addr().Compare(p.Addr()) >= 0 {
				t.Fatalf("%v comes before %v", before, p)
			}
			if parent := netip.PrefixFrom(p.Addr(), max(p.Bits()-1, 0)).Masked(); p.Bits() == before.Bits() && parent.Contains(before.Addr()) {
				t.Fatalf("%v and %v are %v", before, p, parent)
			}
		}
		if got := Size(s); math.Abs(got-size) > size*1e-15 {
			t.Fatalf("size of %v is %g, want %g", out, got, size)
		}
	}
}

func randomPrefix(r *rand.Rand) netip.Prefix {
	if r.IntN(2) == 0 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.IntN(3) * 127), byte(r.IntN(256)), byte(r.IntN(2)), byte(r.IntN(256))}), r.IntN(33))
	}
	a := [16]byte{0xfd, 15: byte(r.IntN(256))}
	a[7] = byte(r.IntN(256))
	return netip.PrefixFrom(netip.AddrFrom16(a), r.IntN(129))
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		s    Addrs
		want float64
	}{
		{Addrs{}, 0},
		{MustPrefixes("10.0.0.0/8"), 1 << 24},
		{MustPrefixes("0.0.0.0/0").Minus(MustPrefixes("10.0.0.0/8")), 1<<32 - 1<<24},
		{MustPrefixes("fd00:ec2::254/128", "169.254.169.254/32"), 2},
		{MustPrefixes("::/0"), math.Ldexp(1, 128)},
	} {
		if got := Size(c.s); got != c.want {
			t.Errorf("size of %v: %g, want %g", CIDRs(c.s), got, c.want)
		}
	}
}
