package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// box is a product: every end in region, over every connection in conns, under every profile in worlds.
type box struct {
	region Region
	conns  netset.Conns
	worlds Worlds
}

func (b *box) overlaps(c *box) bool {
	return b.worlds&c.worlds != 0 && b.region.Overlaps(c.region) && b.conns.Overlaps(c.conns)
}

// cut splits b into what c holds of it and the disjoint rest, which it adds to rest.
func (b *box) cut(c *box, rest []box) (in box, _ []box) {
	in = box{b.region.Intersect(c.region), b.conns.Intersect(c.conns), b.worlds & c.worlds}
	if other := b.worlds &^ c.worlds; other != 0 {
		rest = append(rest, box{b.region, b.conns, other})
	}
	if outside := b.region.Minus(c.region); !outside.IsEmpty() {
		rest = append(rest, box{outside, b.conns, in.worlds})
	}
	if other := b.conns.Minus(c.conns); !other.IsEmpty() {
		rest = append(rest, box{in.region, other, in.worlds})
	}
	return in, rest
}

// side is one of the factors of a box.
type side uint8

const (
	inRegion side = iota
	inWorlds
	inConns
)

// differs reports whether b and c differ at most in one side.
func (b *box) differs(c *box, only side) bool {
	return (only == inWorlds || b.worlds == c.worlds) && (only == inConns || b.conns.Equal(c.conns)) && (only == inRegion || b.region.equal(c.region))
}

// join adds disjoint boxes that differ from b in one side only.
func (b *box) join(more []*box, at side) {
	switch at {
	case inRegion:
		regions := make([]Region, 0, len(more)+1)
		regions = append(regions, b.region)
		for _, c := range more {
			regions = append(regions, c.region)
		}
		b.region = unionOf(regions)
	case inWorlds:
		for _, c := range more {
			b.worlds |= c.worlds
		}
	case inConns:
		for _, c := range more {
			b.conns = b.conns.Union(c.conns)
		}
	}
}

// likeness is what boxes that differ only in one side have in common, as far as it is cheap to tell, with the last rule that made them.
type likeness struct {
	last       *policy.Rule
	worlds     Worlds
	conns      uint64
	ids, addrs int
}

func (b *box) likeness(but side, last *policy.Rule) likeness {
	out := likeness{last: last}
	if but != inWorlds {
		out.worlds = b.worlds
	}
	if but != inConns {
		out.conns = b.conns.Hash()
	}
	if but != inRegion {
		out.ids, out.addrs = b.region.IDs.Len(), b.region.Addrs.Len()
	}
	return out
}

func (b *box) itself() *box { return b }

// boxed is something said of a box, for some rules.
type boxed[T any] interface {
	*T
	itself() *box
	says(*T) bool // the same of whatever box, for the same rules
	last() *policy.Rule
}

// short is up to how many things are compared with each other before they are looked up by what they have in common.
const short = 16

// merge joins into the first of them those that say the same of disjoint boxes which differ only in one side.
func merge[T any, P boxed[T]](list []T, at side) []T {
	var few [short]bool
	joined := few[:min(len(list), short)]
	var alike map[likeness][]int // indices of list
	if len(list) > short {
		joined, alike = make([]bool, len(list)), make(map[likeness][]int, len(list))
	}
	var more map[int][]*box // by index of list
	gone := 0
	join := func(i, into int) bool {
		x, o := P(&list[i]), P(&list[into])
		if joined[into] || !o.itself().differs(x.itself(), at) || !o.says(&list[i]) {
			return false
		}
		if more == nil {
			more = map[int][]*box{}
		}
		more[into] = append(more[into], x.itself())
		joined[i] = true
		gone++
		return true
	}
	for i := range list {
		if alike == nil {
			for j := 0; j < i && !join(i, j); j++ {
			}
			continue
		}
		key := P(&list[i]).itself().likeness(at, P(&list[i]).last())
		if !slices.ContainsFunc(alike[key], func(j int) bool { return join(i, j) }) {
			alike[key] = append(alike[key], i)
		}
	}
	if gone == 0 {
		return list
	}
	out := make([]T, 0, len(list)-gone)
	for i := range list {
		if !joined[i] {
			out = append(out, list[i])
			P(&out[len(out)-1]).itself().join(more[i], at)
		}
	}
	return out
}
