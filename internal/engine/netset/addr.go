package netset

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"

	"go4.org/netipx"
)

// Addrs is a set of IPv4 and IPv6 addresses. An IPv4 address inside IPv6 (::ffff:a.b.c.d) is kept
// as IPv4.
type Addrs = Set[netip.Addr]

// Universe is every IPv4 and every IPv6 address.
var Universe = Prefixes(netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))

// Prefixes returns the union of prefixes. An invalid prefix holds nothing; host bits are ignored.
func Prefixes(prefixes ...netip.Prefix) Addrs {
	runs := make([]Run[netip.Addr], 0, len(prefixes))
	for _, p := range prefixes {
		if p = Unmap(p); p.IsValid() {
			r := netipx.RangeOfPrefix(p.Masked())
			runs = append(runs, Run[netip.Addr]{r.From(), r.To()})
		}
	}
	return Of(runs...)
}

// MustPrefixes is [Prefixes] of constants in text; it panics where one does not parse.
func MustPrefixes(texts ...string) Addrs {
	prefixes := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		prefixes[i] = netip.MustParsePrefix(t)
	}
	return Prefixes(prefixes...)
}

// Unmap returns the IPv4 prefix that an IPv4-mapped IPv6 prefix stands for, and any other prefix
// unchanged.
func Unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// CIDRs returns the fewest prefixes whose union is s, in order.
func CIDRs(s Addrs) []netip.Prefix {
	var out []netip.Prefix
	for r := range s.Runs() {
		out = netipx.IPRangeFrom(r.Lo, r.Hi).AppendPrefixes(out)
	}
	return out
}

// Size returns how many addresses s holds, to float64 precision.
func Size(s Addrs) float64 {
	n := 0.0
	for r := range s.Runs() {
		lo, hi := r.Lo.As16(), r.Hi.As16()
		low, borrow := bits.Sub64(binary.BigEndian.Uint64(hi[8:]), binary.BigEndian.Uint64(lo[8:]), 0)
		high, _ := bits.Sub64(binary.BigEndian.Uint64(hi[:8]), binary.BigEndian.Uint64(lo[:8]), borrow)
		n += math.Ldexp(float64(high), 64) + float64(low) + 1
	}
	return n
}
