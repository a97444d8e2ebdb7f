package when

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// point is one answer as diagrams keep it: the number of a bit, or an address of the question's
// family. It holds no pointer, and comparing two is two comparisons of words.
type point struct{ hi, lo uint64 }

func (p point) compare(q point) int {
	if p.hi != q.hi {
		return cmp.Compare(p.hi, q.hi)
	}
	return cmp.Compare(p.lo, q.lo)
}

func (p point) next() point {
	lo, carry := bits.Add64(p.lo, 1, 0)
	return point{p.hi + carry, lo}
}

func (p point) prev() point {
	lo, borrow := bits.Sub64(p.lo, 1, 0)
	return point{p.hi - borrow, lo}
}

// span is the answers from lo to hi.
type span struct{ lo, hi point }

// edge is what follows from the answers of a span.
type edge struct {
	span
	to *node
}

// spans returns a set of answers to q, sorted.
func (q *Question) spans(a Answers) []span {
	if q.Kind != Address {
		return bitSpans(a.Bits)
	}
	out := make([]span, 0, a.Addrs.Len()+2)
	for r := range a.Addrs.Runs() {
		s := span{pointOf(r.Lo), earlier(pointOf(r.Hi), last)}
		if r.Lo.Is6() && s.lo.compare(mapped.hi) <= 0 && s.hi.compare(mapped.lo) >= 0 {
			if s.lo.compare(mapped.lo) < 0 {
				out = append(out, span{s.lo, mapped.lo.prev()})
			}
			if s.lo = mapped.hi.next(); s.hi.compare(s.lo) < 0 {
				continue
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b span) int { return a.lo.compare(b.lo) }) // IPv4 lies among IPv6
	return out
}

// last is the last address that anything may have: every point has one after it.
var last = point{^uint64(0), ^uint64(0) - 1}

// mapped is where IPv4 addresses are kept, in the range that IPv6 has for them. Nobody has an IPv6
// address there.
var mapped = span{point{0, 0xffff << 32}, point{0, 0xffff<<32 | 0xffffffff}}

func bitSpans(set uint64) []span {
	var out []span
	for set != 0 {
		lo := bits.TrailingZeros64(set)
		n := bits.TrailingZeros64(^(set >> lo))
		out = append(out, span{point{lo: uint64(lo)}, point{lo: uint64(lo + n - 1)}})
		set &^= bitsIn(out[len(out)-1])
	}
	return out
}

// bitsIn returns the bits of a span of a question that is answered by bits.
func bitsIn(s span) uint64 { return ^uint64(0) << s.lo.lo & (^uint64(0) >> (63 - s.hi.lo)) }

// families are where IPv6 addresses are kept, before and after those of IPv4.
var families = [...]span{{point{}, mapped.lo.prev()}, mapped, {mapped.hi.next(), last}}

// inMapped is the IPv6 addresses of mapped.
var inMapped = netset.Run[netip.Addr]{Lo: netip.MustParseAddr("::ffff:0.0.0.0"), Hi: netip.MustParseAddr("::ffff:255.255.255.255")}

func later(a, b point) point {
	if a.compare(b) > 0 {
		return a
	}
	return b
}

func earlier(a, b point) point {
	if a.compare(b) < 0 {
		return a
	}
	return b
}

func pointOf(a netip.Addr) point {
	all := a.As16() // of IPv4, in mapped
	return point{binary.BigEndian.Uint64(all[:8]), binary.BigEndian.Uint64(all[8:])}
}

// answers returns what spans of q stand for.
func (q *Question) answers(spans []span) Answers {
	var out Answers
	var runs []netset.Run[netip.Addr]
	for _, s := range spans {
		switch {
		case q.Kind != Address:
			out.Bits |= bitsIn(s)
		default:
			for _, in := range families { // neighbours of two families may be one span
				if lo, hi := later(s.lo, in.lo), earlier(s.hi, in.hi); lo.compare(hi) <= 0 {
					runs = append(runs, netset.Run[netip.Addr]{Lo: addrOf(lo), Hi: addrOf(hi)})
				}
			}
			if s.lo.compare(mapped.lo) < 0 && s.hi.compare(mapped.lo.prev()) >= 0 { // so that what is around mapped is one run again
				runs = append(runs, inMapped)
			}
		}
	}
	out.Addrs = netset.Of(runs...)
	return out
}

func addrOf(p point) netip.Addr {
	var all [16]byte
	binary.BigEndian.PutUint64(all[:8], p.hi)
	binary.BigEndian.PutUint64(all[8:], p.lo)
	return netip.AddrFrom16(all).Unmap()
}

// each calls f for each piece in which two diagrams that ask the same question go on alike, in
// order.
func each(a, b []edge, f func(s span, a, b *node)) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x, y := &a[i], &b[j]
		s := x.span
		if y.lo.compare(s.lo) > 0 {
			s.lo = y.lo
		}
		order := x.hi.compare(y.hi)
		if order > 0 {
			s.hi = y.hi
		}
		if s.lo.compare(s.hi) <= 0 {
			f(s, x.to, y.to)
		}
		if order <= 0 {
			i++
		}
		if order >= 0 {
			j++
		}
	}
}

// follows is all the answers from which the same follows.
type follows struct {
	in Answers
	to *node
}

// cases returns the edges of n by what follows from them.
func (n *node) cases() []follows {
	var targets []*node
	spans := map[*node][]span{}
	for _, e := range n.edges {
		if spans[e.to] == nil {
			targets = append(targets, e.to)
		}
		spans[e.to] = append(spans[e.to], e.span)
	}
	out := make([]follows, len(targets))
	for i, to := range targets {
		out[i] = follows{n.q.answers(spans[to]), to}
	}
	slices.SortFunc(out, func(a, b follows) int { return a.in.compare(b.in) })
	return out
}

// overlay lets to follow from the answers of some spans, where edges says something at all.
func overlay(edges []edge, over []span, to *node) []edge {
	out := make([]edge, 0, len(edges)+2*len(over))
	j := 0
	for _, e := range edges {
		for ; j < len(over) && over[j].hi.compare(e.lo) < 0; j++ {
		}
		for k := j; k < len(over) && over[k].lo.compare(e.hi) <= 0; k++ {
			s := over[k]
			if e.lo.compare(s.lo) < 0 {
				out = append(out, edge{span{e.lo, s.lo.prev()}, e.to})
				e.lo = s.lo
			}
			if s.hi.compare(e.hi) >= 0 {
				out = append(out, edge{e.span, to})
				e.to = nil
				e.lo = e.hi.next()
				break
			}
			out = append(out, edge{span{e.lo, s.hi}, to})
			e.lo = s.hi.next()
		}
		if e.lo.compare(e.hi) <= 0 {
			out = append(out, e)
		}
	}
	return out
}
