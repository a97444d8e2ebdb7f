package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// boxes collects boxes and joins those that differ only in where they are.
type boxes struct {
	on      func(Worlds) string
	list    []Box
	more    map[int][]Region // where those are to which others were joined, by index of list
	buckets map[bucket][]int // indices into list, once it is longer than short
}

// bucket is what boxes that can be joined have in common, as far as it is cheap to compare.
type bucket struct {
	worlds          Worlds
	verdict         Verdict
	egress, ingress *policy.Rule
}

func (b *Box) bucket() bucket {
	key := bucket{worlds: b.Worlds, verdict: b.Verdict}
	if len(b.Egress) > 0 {
		key.egress = b.Egress[0]
	}
	if len(b.Ingress) > 0 {
		key.ingress = b.Ingress[0]
	}
	return key
}

// differsOnlyInRegion reports whether b and o say the same of other ends.
func (b *Box) differsOnlyInRegion(o *Box) bool {
	return b.Worlds == o.Worlds && b.Verdict == o.Verdict && slices.Equal(o.Egress, b.Egress) && slices.Equal(o.Ingress, b.Ingress) && o.Cond.equal(b.Cond) && o.Conns.Equal(b.Conns)
}

func (bs *boxes) add(seg *segment, in box, verdict Verdict, cond Cond, d policy.Direction) {
	if in.region.IsEmpty() {
		return
	}
	b := Box{Region: in.region, Conns: in.conns, Worlds: in.worlds, Verdict: verdict, Cond: cond, Egress: seg.by}
	if d == policy.Ingress {
		b.Egress, b.Ingress = nil, seg.by
	}
	bs.merge(b)
}

// merge adds b. What is allowed, but only under some condition, depends.
func (bs *boxes) merge(b Box) {
	b.Base = b.Verdict
	if b.Verdict == Allowed && !b.Cond.IsZero() {
		b.Base = Depends
	}
	b.Cond.On = bs.on(b.Worlds)
	b.Verdict = b.Base.under(b.Cond.On)
	if i := bs.find(&b); i >= 0 {
		if bs.more == nil {
			bs.more = map[int][]Region{}
		}
		if bs.more[i] == nil {
			bs.more[i] = append(bs.more[i], bs.list[i].Region)
		}
		bs.more[i] = append(bs.more[i], b.Region)
		return
	}
	if bs.buckets != nil {
		key := b.bucket()
		bs.buckets[key] = append(bs.buckets[key], len(bs.list))
	}
	bs.list = append(bs.list, b)
}

// find returns the index of the box that b can be joined to; -1 if there is none.
func (bs *boxes) find(b *Box) int {
	if len(bs.list) <= short {
		for i := range bs.list {
			if bs.list[i].differsOnlyInRegion(b) {
				return i
			}
		}
		return -1
	}
	if bs.buckets == nil {
		bs.buckets = map[bucket][]int{}
		for i := range bs.list {
			key := bs.list[i].bucket()
			bs.buckets[key] = append(bs.buckets[key], i)
		}
	}
	for _, i := range bs.buckets[b.bucket()] {
		if bs.list[i].differsOnlyInRegion(b) {
			return i
		}
	}
	return -1
}

// all returns the boxes, and ends the collection.
func (bs *boxes) all() []Box {
	for i, regions := range bs.more {
		bs.list[i].Region = unionOf(regions)
	}
	return bs.list
}
