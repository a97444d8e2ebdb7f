package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Box is part of an answer: from one end to every end in Region, or from there to the one end, over
// Conns, if When holds. The questions of When are about each end of Region by itself.
type Box struct {
	Region  Region
	Conns   netset.Conns
	When    when.When
	Verdict Verdict // of When, under the profiles of the program
	Egress  []By    // what lets it out, or might; nil where nothing isolates the source
	Ingress []By    // what lets it in, or might; nil where nothing isolates the destination
}

// Rules returns the rules on both sides.
func (b Box) Rules() []*policy.Rule { return RulesOf(slices.Concat(b.Egress, b.Ingress)) }

// RulesOf returns the rules that decide, without their conditions.
func RulesOf(by []By) []*policy.Rule {
	out := make([]*policy.Rule, len(by))
	for i, b := range by {
		out[i] = b.Rule
	}
	return out
}

// box makes a box of what passes as far as p's profiles are concerned. own is what decides in
// direction d, back what does in the opposite one.
func (p *Program) box(ends Region, conns netset.Conns, passes when.When, d policy.Direction, own, back []By) Box {
	b := Box{Region: ends, Conns: conns, When: p.narrow(passes), Egress: p.narrowBy(own), Ingress: p.narrowBy(back)}
	if d == policy.Ingress {
		b.Egress, b.Ingress = b.Ingress, b.Egress
	}
	b.Verdict = p.Verdict(b.When)
	return b
}

// narrowBy leaves out what decides under other profiles alone.
func (p *Program) narrowBy(by []By) []By {
	if p.in == p.all {
		return by
	}
	var out []By
	for _, b := range by {
		if b.When = p.narrow(b.When); !b.When.IsNever() {
			out = append(out, b)
		}
	}
	return out
}

// BoxIn narrows a box to the profiles that p speaks of; ok is false if it holds under none.
func (p *Program) BoxIn(b Box) (in Box, ok bool) {
	b.When, b.Egress, b.Ingress = p.narrow(b.When), p.narrowBy(b.Egress), p.narrowBy(b.Ingress)
	b.Verdict = p.Verdict(b.When)
	return b, !b.When.IsNever()
}

// boxes collects boxes and joins those that differ only in where they are.
type boxes struct {
	kept    interned
	list    []Box
	at      map[uint64][]int // by what can be joined
	regions map[int][]Region // where those are that were joined, by index of list
}

func (bs *boxes) add(b Box) {
	if b.Region.IsEmpty() {
		return
	}
	bs.addAnywhere(b)
}

// addAnywhere adds a box whose ends are said elsewhere.
func (bs *boxes) addAnywhere(b Box) {
	if b.When.IsNever() || b.Conns.IsEmpty() {
		return
	}
	b.When = bs.kept.one(b.When)
	key := b.When.Hash() ^ b.Conns.Hash() ^ hashBy(b.Egress) ^ 31*hashBy(b.Ingress)
	for _, i := range bs.at[key] {
		if o := &bs.list[i]; o.When.Equal(b.When) && o.Conns.Equal(b.Conns) && equalBy(o.Egress, b.Egress) && equalBy(o.Ingress, b.Ingress) {
			if bs.regions[i] == nil {
				bs.regions[i] = []Region{o.Region}
			}
			bs.regions[i] = append(bs.regions[i], b.Region)
			return
		}
	}
	if bs.at == nil {
		bs.at, bs.regions = map[uint64][]int{}, map[int][]Region{}
	}
	bs.at[key] = append(bs.at[key], len(bs.list))
	bs.list = append(bs.list, b)
}

// all returns the boxes, and ends the collection.
func (bs *boxes) all() []Box {
	for i, regions := range bs.regions {
		bs.list[i].Region = unionOf(regions)
	}
	return bs.list
}

// End is one end of a connection: a holder, or an address that none holds.
type End struct {
	Holder int // -1 for an address
	Addr   netip.Addr
}

// AtHolder is the end that is holder n.
func AtHolder(n int) End { return End{Holder: n} }

// AtAddr is the end with address a, which no holder has.
func AtAddr(a netip.Addr) End { return End{Holder: -1, Addr: a} }

// Reach returns where class can connect to (Egress) or who can connect to it (Ingress), as boxes of
// what certainly or possibly passes. What no box holds is denied. Pods that do not exist are left
// out; see [Program.Hypothetical].
func (p *Program) Reach(class int, d policy.Direction) []Box {
	var out boxes
	table := p.openOf(class, d)
	pods := p.Pods()
	for i := range table {
		seg := &table[i]
		for _, f := range Families {
			if p.holders[class].Addrs[f].State == NoAddr {
				continue
			}
			addrs := Region{Addrs: seg.ends.Addrs.Intersect(familySpace[f])}
			out.add(p.box(addrs, seg.conns, seg.pass.Assume(p.asks.over(f)), d, seg.by, nil))
		}
		for _, e := range p.existing {
			ids := seg.ends.IDs.Intersect(e.ids).Minus(pods)
			if ids.IsEmpty() {
				continue
			}
			passes := seg.pass.And(p.meet(p.holders[class].existence(), e.existence))
			for _, part := range p.connectable(ids, passes, d) {
				out.add(p.box(Region{IDs: part.ids}, seg.conns, part.passes.AnyFamily(), d, seg.by, nil))
			}
		}
	}
	if d == policy.Egress {
		p.escaping(&out, class)
	}
	p.throughPods(&out, class, d)
	if d == policy.Egress {
		p.throughServices(&out, class)
	}
	p.throughNodes(&out, class, d)
	return out.all()
}

var familySpace = [2]netset.Addrs{netset.MustPrefixes("0.0.0.0/0"), netset.MustPrefixes("::/0")}

// inFamily is the condition under which something has an address in a family.
func (p *Program) inFamily(e existence, f Family) when.When {
	switch {
	case e.state[f] == NoAddr:
		return when.Never
	case e.state[f] == MayHave && e.nodes:
		return p.asks.nodesHave[f]
	case e.state[f] == MayHave:
		return p.asks.has[f]
	}
	return when.Always
}

// meet is the condition under which two ends have addresses in the family that the client uses.
func (p *Program) meet(a, b existence) when.When {
	out := when.Never
	for _, f := range Families {
		out = out.Or(p.asks.over(f).And(p.inFamily(a, f)).And(p.inFamily(b, f)))
	}
	return out
}

// escapes is the condition under which a pod without an IPv4 address has a way out over IPv4 that
// nothing judges.
func (p *Program) escapes(class int) when.When {
	e := p.holders[class].existence()
	if e.state[IPv6] == NoAddr {
		return when.Never
	}
	return p.says.where[cni.IPv4EscapesIPv6].Minus(p.inFamily(e, IPv4))
}

// escaping adds what a class reaches over IPv4 though it has no address of that family.
func (p *Program) escaping(out *boxes, class int) {
	free := p.escapes(class)
	if free.IsNever() {
		return
	}
	out.add(p.box(Region{Addrs: familySpace[IPv4]}, netset.AllConns, free, policy.Egress, nil, nil))
	for _, e := range p.existing {
		if e.state[IPv4] != NoAddr {
			out.add(p.box(Region{IDs: e.ids.Minus(p.Pods())}, netset.AllConns, free.And(p.inFamily(e.existence, IPv4)), policy.Egress, nil, nil))
		}
	}
}

// WayOut is the condition under which a pod without an IPv4 address sends to an end over IPv4 all
// the same, judged by nobody.
func (p *Program) WayOut(from, to End) when.When { return p.narrow(p.wayOut(from, to)) }

// wayOut is [Program.escapes] for one connection.
func (p *Program) wayOut(from, to End) when.When {
	switch {
	case from.Holder < 0 || p.holders[from.Holder].Kind != Class:
		return when.Never
	case to.Holder < 0 && familyOf(to.Addr) != IPv4, to.Holder >= 0 && (p.holders[to.Holder].Kind == Class || p.holders[to.Holder].Addrs[IPv4].State == NoAddr):
		return when.Never
	}
	return p.escapes(from.Holder)
}

// connectable is part of the other ends with the condition under which connections to them pass.
type connectable struct {
	ids    netset.IDs
	passes when.When
}

// connectable leaves out addresses of Services where a connection is judged only after it was
// translated: then the pods behind the Service say all. A Service of which it is not known what is
// behind it stays.
func (p *Program) connectable(ids netset.IDs, passes when.When, d policy.Direction) []connectable {
	translated := ids.Intersect(p.translated)
	if d == policy.Ingress || translated.IsEmpty() {
		return []connectable{{ids, passes}}
	}
	return []connectable{{ids.Minus(translated), passes}, {translated, passes.And(p.asks.on(p.says.possible(cni.JudgedBeforeService)))}}
}

// throughPods adds the classes on the other side, whose own policies have their say.
func (p *Program) throughPods(out *boxes, class int, d policy.Direction) {
	opposite, self := d.Opposite(), netset.ID(class)
	table := p.openOf(class, d)
	for _, g := range p.candidateGroups(table, opposite, self) {
		members := p.groups[opposite][g].ids
		open := p.decided(p.groups[opposite][g]).open
		for i := range open {
			back := &open[i]
			if !back.ends.IDs.Contains(self) {
				continue
			}
			for j := range table {
				if seg := &table[j]; seg.conns.Overlaps(back.conns) {
					p.addPods(out, class, seg, back, seg.ends.IDs.Intersect(members), d)
				}
			}
		}
	}
}

// candidateGroups returns the groups of the other side among which are all that table and their own
// policies both let through: found from whichever side is narrower.
func (p *Program) candidateGroups(table []segment, d policy.Direction, self netset.ID) []int {
	open := openIDs(table).Intersect(p.Pods())
	if size(open) > wide {
		return p.admitting(d, self)
	}
	var groups []int
	for r := range open.Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			groups = append(groups, p.groupOf[d][id])
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// wide is how many holders are too many to be looked at one by one.
const wide = 256

// lookup finds by holder those of a list that may have to do with it. What may have to do with very
// many is not listed under each of them, but is always found.
type lookup struct {
	once    sync.Once
	by      map[netset.ID][]int
	anybody []int
}

// most is the share of all holders that is very many: one in so many. To ask those is seldom in
// vain.
const most = 16

// add notes that number n of the list may have to do with ids, some of all.
func (l *lookup) add(n int, ids, all netset.IDs) {
	if l.by == nil {
		l.by = map[netset.ID][]int{}
	}
	if size(ids) > max(wide, size(all)/most) {
		l.anybody = append(l.anybody, n)
		return
	}
	for r := range ids.Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			l.by[id] = append(l.by[id], n)
		}
	}
}

// find returns those among which are all that may have to do with id.
func (l *lookup) find(id netset.ID) []int { return slices.Concat(l.anybody, l.by[id]) }

// openIDs is the holders in some segments.
func openIDs(segs []segment) (ids netset.IDs) {
	for i := range segs {
		ids = ids.Union(segs[i].ends.IDs)
	}
	return ids
}

// admitting returns the groups of direction d whose policies possibly let id through, and perhaps
// others.
func (p *Program) admitting(d policy.Direction, id netset.ID) []int {
	l := &p.admits[d]
	l.once.Do(func() {
		for i, g := range p.groups[d] {
			l.add(i, openIDs(p.decided(g).open).Intersect(p.Pods()), p.Pods())
		}
	})
	return l.find(id)
}

func size(ids netset.IDs) int {
	n := 0
	for r := range ids.Runs() {
		n += int(r.Hi-r.Lo) + 1
	}
	return n
}

// addPods joins one side's segment with the other's for the classes in ids.
func (p *Program) addPods(out *boxes, class int, seg, back *segment, ids netset.IDs, d policy.Direction) {
	conns := seg.conns.Intersect(back.conns)
	if ids.IsEmpty() || conns.IsEmpty() {
		return
	}
	passes := seg.pass.And(back.pass)
	if passes.IsNever() {
		return
	}
	for _, e := range p.existing {
		in := ids.Intersect(e.ids)
		if in.IsEmpty() {
			continue
		}
		both := passes.And(p.meet(p.holders[class].existence(), e.existence)).AnyFamily()
		for _, part := range p.placedParts(class, in, both) {
			out.add(p.box(Region{IDs: part.ids}, conns, part.passes, d, seg.by, back.by))
		}
	}
}

// Between returns what passes from one end to another. Boxes have an empty Region.
func (p *Program) Between(from, to End) []Box {
	var out boxes
	out.addAnywhere(p.box(Region{}, netset.AllConns, p.wayOut(from, to), policy.Egress, nil, nil))
	meet := p.Meet(from, to)
	for _, e := range p.side(from, to, policy.Egress) {
		for _, i := range p.side(to, from, policy.Ingress) {
			passes := p.placed(from, to, e.pass.And(i.pass).And(meet).AnyFamily())
			out.addAnywhere(p.box(Region{}, e.conns.Intersect(i.conns), passes, policy.Egress, e.by, i.by))
		}
	}
	return out.all()
}

// Meet is the condition under which all of some ends have addresses in the family that the client
// uses. One that is an address shows that its family is in use.
func (p *Program) Meet(ends ...End) when.When {
	shown := slices.ContainsFunc(ends, func(e End) bool { return e.Holder < 0 })
	out := when.Never
	for _, f := range Families {
		all := p.asks.over(f)
		for _, e := range ends {
			has := p.existenceOf(e)
			if shown {
				has.state[f] = surely(has.state[f])
			}
			all = all.And(p.inFamily(has, f))
		}
		out = out.Or(all)
	}
	return out
}

func surely(s AddrState) AddrState {
	if s == MayHave {
		return Has
	}
	return s
}

func (p *Program) existenceOf(e End) existence {
	if e.Holder < 0 {
		var has existence
		has.state[familyOf(e.Addr)] = Has
		return has
	}
	return p.holders[e.Holder].existence()
}

// side returns what the policies of subject say about peer.
func (p *Program) side(subject, peer End, d policy.Direction) []segment {
	if subject.Holder < 0 || p.holders[subject.Holder].Kind != Class {
		return []segment{{conns: netset.AllConns}}
	}
	var out []segment
	for _, seg := range p.openOf(subject.Holder, d) {
		if seg.ends.has(peer) {
			out = append(out, seg)
		}
	}
	return out
}

// has reports whether e is in r.
func (r Region) has(e End) bool {
	if e.Holder >= 0 {
		return r.IDs.Contains(netset.ID(e.Holder))
	}
	return r.Addrs.Contains(e.Addr)
}

// Settle takes out of boxes the pods, Services and nodes that another box reaches wherever they do.
func (p *Program) Settle(in []Box) []Box {
	out := make([]Box, 0, len(in))
	for i, b := range in {
		if !b.When.IsAlways() && !b.Region.IDs.IsEmpty() {
			for j, o := range in {
				if j != i && o.Region.IDs.Overlaps(b.Region.IDs) && o.Conns.Covers(b.Conns) && b.When.Implies(o.When) &&
					(j < i || !o.When.Equal(b.When) || !o.Conns.Equal(b.Conns)) {
					b.Region.IDs = b.Region.IDs.Minus(o.Region.IDs)
				}
			}
		}
		if !b.Region.IsEmpty() {
			out = append(out, b)
		}
	}
	return out
}

// CompareVerdicts orders verdicts by how bad they are for who wants the connection denied: Denied
// first, Allowed last.
func CompareVerdicts(a, b Verdict) int { return cmp.Compare(badness[a], badness[b]) }

var badness = [...]int{Denied: 0, Unknown: 1, Depends: 2, NotEnforced: 3, Allowed: 4}
