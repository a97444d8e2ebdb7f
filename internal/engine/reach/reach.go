package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Box is part of an answer: from one end to every end in Region, or from there to the one end, over Conns.
type Box struct {
	Region  Region
	Conns   netset.Conns
	Worlds  Worlds // the profiles under which it holds
	Verdict Verdict
	Base    Verdict        // the verdict as far as Worlds are concerned
	Cond    Cond           // of Depends and Unknown
	Egress  []*policy.Rule // what lets it out, or might; nil where nothing isolates the source
	Ingress []*policy.Rule // what lets it in, or might; nil where nothing isolates the destination
}

// When says in which worlds the box is reachable, completing "if ..."; "" for all of them.
func (b Box) When() string { return b.Cond.String() }

// Rules returns the rules on both sides.
func (b Box) Rules() []*policy.Rule { return slices.Concat(b.Egress, b.Ingress) }

// End is one end of a connection: a holder, or an address that none holds.
type End struct {
	Holder int // -1 for an address
	Addr   netip.Addr
}

// AtHolder is the end that is holder n.
func AtHolder(n int) End { return End{Holder: n} }

// AtAddr is the end with address a, which no holder has.
func AtAddr(a netip.Addr) End { return End{Holder: -1, Addr: a} }

// SameNode is the condition under which a node, or a pod on its network, connects to a pod in spite of policies.
const SameNode = "both are on the same node, whose own traffic to its pods no policy denies"

// OwnNodeAddress is the condition under which an address that nothing in the input has is one of the pod's own node.
const OwnNodeAddress = "it is an address of the pod's own node"

// OwnNode is the condition under which a pod connects to a node, or to what runs on its network, in spite of policies.
const OwnNode = "it is the pod's own node, which no policy closes"

// OfOwnNode reports whether c holds only of what is on the pod's own node, or may be.
func (c Cond) OfOwnNode() bool {
	return slices.Contains(c.All, OwnNode) || slices.Contains(c.All, OwnNodeAddress)
}

var (
	sameNode      = onlyIf(SameNode)
	onNode        = [3]Cond{policy.Ingress: sameNode, policy.Egress: onlyIf(OwnNode)}
	familyExists  = [2]Cond{onlyIf("pods have IPv4 addresses"), onlyIf("pods have IPv6 addresses")} // by Family
	beforeService = onlyIf("policy is judged on a Service's address, before it is translated")
)

// Reach returns where class can connect to (Egress) or who can connect to it (Ingress), as disjoint boxes of what certainly or
// possibly passes. What no box holds is denied. Pods that do not exist are left out; see [Program.Hypothetical].
func (p *Program) Reach(class int, d policy.Direction) []Box {
	out := boxes{on: p.On}
	table := p.openOf(class, d)
	for i := range table {
		seg := &table[i]
		for _, f := range Families {
			in, exists := p.existence(class, f)
			if !in {
				continue
			}
			out.add(seg, box{Region{Addrs: seg.region.Addrs.Intersect(familySpace[f])}, seg.conns, seg.worlds}, seg.verdict, seg.cond, d)
			cond := seg.cond.and(exists)
			for _, part := range p.connectable(seg.region.IDs.Intersect(p.others(f)), seg.worlds, d) {
				out.add(seg, box{Region{IDs: part.ids.Intersect(p.addressed[Has])}, seg.conns, part.worlds}, seg.verdict, cond, d)
				out.add(seg, box{Region{IDs: part.ids.Intersect(p.addressed[MayHave])}, seg.conns, part.worlds}, seg.verdict, cond.and(familyExists[f]), d)
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
	return out.all()
}

var familySpace = [2]netset.Addrs{netset.MustPrefixes("0.0.0.0/0"), netset.MustPrefixes("::/0")}

// escapes returns the worlds in which a pod whose address is an IPv6 one has a way out over IPv4 that nothing judges.
func (p *Program) escapes(class int) []branch {
	if s := p.holders[class].Addrs; s[IPv4].State != NoAddr || s[IPv6].State != KnownAddr {
		return nil
	}
	var out []branch
	for _, b := range p.says.where(cni.IPv4EscapesIPv6) {
		if b.worlds &= p.in; b.worlds != 0 {
			out = append(out, b)
		}
	}
	return out
}

// escaping adds what a class reaches over IPv4 though it has no address of that family.
func (p *Program) escaping(out *boxes, class int) {
	for _, b := range p.escapes(class) {
		free := &segment{verdict: Allowed, cond: b.cond}
		out.add(free, box{Region{Addrs: familySpace[IPv4]}, netset.AllConns, b.worlds}, Allowed, b.cond, policy.Egress)
		others := p.others(IPv4)
		out.add(free, box{Region{IDs: others.Intersect(p.addressed[Has])}, netset.AllConns, b.worlds}, Allowed, b.cond, policy.Egress)
		out.add(free, box{Region{IDs: others.Intersect(p.addressed[MayHave])}, netset.AllConns, b.worlds}, Allowed, b.cond.and(familyExists[IPv4]), policy.Egress)
	}
}

// wayOut is [Program.escapes] for one connection.
func (p *Program) wayOut(from, to End, f Family) []branch {
	switch {
	case f != IPv4 || from.Holder < 0 || p.holders[from.Holder].Kind != Class:
		return nil
	case to.Holder < 0 && familyOf(to.Addr) != f, to.Holder >= 0 && (p.holders[to.Holder].Kind == Class || p.holders[to.Holder].Addrs[f].State == NoAddr):
		return nil
	}
	return p.escapes(from.Holder)
}

// others is every holder but the pods, in one family.
func (p *Program) others(f Family) netset.IDs {
	return netset.IDRange(p.ID(p.classes, f), int(p.width)-p.classes)
}

// connectable is part of the other ends with the worlds in which connections to them are judged as such.
type connectable struct {
	ids    netset.IDs
	worlds Worlds
}

// connectable leaves out addresses of Services in the worlds in which a connection is judged only after it was translated: then the pods behind
// the Service say all. A Service of which it is not known what is behind it stays.
func (p *Program) connectable(ids netset.IDs, worlds Worlds, d policy.Direction) []connectable {
	translated := ids.Intersect(p.translated)
	after := worlds &^ p.says.possible(cni.JudgedBeforeService)
	if d == policy.Ingress || after == 0 || translated.IsEmpty() {
		return []connectable{{ids, worlds}}
	}
	out := []connectable{{ids.Minus(translated), worlds}}
	if before := worlds &^ after; before != 0 {
		out = append(out, connectable{translated, before})
	}
	return out
}

// existence says whether a holder has an address in a family: not at all, or if a condition holds (the zero Cond: certainly).
func (p *Program) existence(n int, f Family) (possible bool, cond Cond) {
	switch p.holders[n].Addrs[f].State {
	case NoAddr:
		return false, Cond{}
	case MayHave:
		return true, familyExists[f]
	}
	return true, Cond{}
}

// throughPods adds the classes on the other side, whose own policies have their say.
func (p *Program) throughPods(out *boxes, class int, d policy.Direction) {
	opposite := d.Opposite()
	table := p.openOf(class, d)
	for _, f := range Families {
		in, exists := p.existence(class, f)
		if !in {
			continue
		}
		self := p.ID(class, f)
		for _, g := range p.candidateGroups(table, f, opposite, self) {
			members := p.groups[opposite][g].ids[f]
			open := p.decided(p.groups[opposite][g], opposite).open
			for i := range open {
				back := &open[i]
				if back.worlds&p.in == 0 || !back.region.IDs.Contains(self) {
					continue
				}
				for j := range table {
					if seg := &table[j]; seg.worlds&back.worlds != 0 && seg.conns.Overlaps(back.conns) {
						p.addPods(out, seg, back, seg.region.IDs.Intersect(members), f, exists, d)
					}
				}
			}
		}
	}
}

// candidateGroups returns the groups of the other side among which are all that table and their own policies both let through: found from
// whichever side is narrower.
func (p *Program) candidateGroups(table []segment, f Family, d policy.Direction, self netset.ID) []int {
	var open netset.IDs
	for _, seg := range table {
		open = open.Union(seg.region.IDs)
	}
	open = open.Intersect(netset.IDRange(p.ID(0, f), p.classes))
	if size(open) > wide {
		return p.admitting(d, self)
	}
	var groups []int
	for r := range open.Runs() {
		for id := r.Lo; id <= r.Hi; id++ {
			groups = append(groups, p.groupOf[d][int(id-p.ID(0, f))])
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// wide is how many holders are too many to be looked at one by one.
const wide = 256

// most is the share of the pods that makes a group too open to be listed under each of them: one in so many. To ask such a group is seldom in vain.
const most = 16

// admissions says which groups of one direction possibly let a holder through.
type admissions struct {
	once    sync.Once
	by      map[netset.ID][]int
	anybody []int // groups that let through very many; whether one does is to be asked
}

// admitting returns the groups of direction d whose policies possibly let id through, and perhaps others.
func (p *Program) admitting(d policy.Direction, id netset.ID) []int {
	a := &p.admits[d]
	a.once.Do(func() {
		a.by = map[netset.ID][]int{}
		many := max(wide, size(p.Pods())/most)
		for i, g := range p.groups[d] {
			var open netset.IDs
			for _, seg := range p.decided(g, d).open {
				open = open.Union(seg.region.IDs)
			}
			open = open.Intersect(p.Pods())
			if size(open) > many {
				a.anybody = append(a.anybody, i)
				continue
			}
			for r := range open.Runs() {
				for id := r.Lo; id <= r.Hi; id++ {
					a.by[id] = append(a.by[id], i)
				}
			}
		}
	})
	return slices.Concat(a.anybody, a.by[id])
}

func size(ids netset.IDs) int {
	n := 0
	for r := range ids.Runs() {
		n += int(r.Hi-r.Lo) + 1
	}
	return n
}

// addPods joins one side's segment with the other's for the classes in ids.
func (p *Program) addPods(out *boxes, seg, back *segment, ids netset.IDs, f Family, exists Cond, d policy.Direction) {
	if ids.IsEmpty() {
		return
	}
	conns, worlds := seg.conns.Intersect(back.conns), seg.worlds&back.worlds
	if conns.IsEmpty() || worlds == 0 {
		return
	}
	verdict, cond := min(seg.verdict, back.verdict), seg.cond.and(back.cond)
	add := func(ids netset.IDs, cond Cond) {
		if ids.IsEmpty() {
			return
		}
		b := Box{Region: Region{IDs: ids}, Conns: conns, Worlds: worlds, Verdict: verdict, Cond: cond, Egress: seg.by, Ingress: back.by}
		if d == policy.Ingress {
			b.Egress, b.Ingress = back.by, seg.by
		}
		out.merge(b)
	}
	add(ids.Intersect(p.addressed[Has]), cond.and(exists))
	add(ids.Intersect(p.addressed[MayHave]), cond.and(familyExists[f]))
}

// at returns what a class's table says of one holder.
func (p *Program) at(class int, d policy.Direction, id netset.ID) []segment {
	var out []segment
	table := p.decided(p.groups[d][p.groupOf[d][class]], d).table
	for i := range table {
		if seg := &table[i]; seg.worlds&p.in != 0 && seg.region.IDs.Contains(id) {
			out = append(out, *seg)
			out[len(out)-1].worlds &= p.in
		}
	}
	return out
}

// Between returns what passes from one end to another. Boxes have an empty Region.
func (p *Program) Between(from, to End) []Box {
	out := boxes{on: p.On}
	for _, f := range Families {
		possible, exists := p.bothExist(from, to, f)
		if !possible {
			for _, b := range p.wayOut(from, to, f) {
				out.merge(Box{Conns: netset.AllConns, Worlds: b.worlds & p.in, Verdict: Allowed, Cond: b.cond})
			}
			continue
		}
		for _, e := range p.side(from, to, f, policy.Egress) {
			for _, i := range p.side(to, from, f, policy.Ingress) {
				conns, worlds := e.conns.Intersect(i.conns), e.worlds&i.worlds
				if conns.IsEmpty() || worlds == 0 || e.verdict == Denied || i.verdict == Denied {
					continue
				}
				out.merge(Box{Conns: conns, Worlds: worlds, Verdict: min(e.verdict, i.verdict), Cond: e.cond.and(i.cond).and(exists), Egress: e.by, Ingress: i.by})
			}
		}
	}
	return out.all()
}

func (p *Program) bothExist(from, to End, f Family) (possible bool, cond Cond) {
	for _, e := range []End{from, to} {
		if e.Holder < 0 {
			if familyOf(e.Addr) != f {
				return false, Cond{}
			}
			continue
		}
		in, exists := p.existence(e.Holder, f)
		if !in {
			return false, Cond{}
		}
		cond = cond.and(exists)
	}
	if from.Holder < 0 || to.Holder < 0 { // the address itself shows that the family is in use
		cond = Cond{}
	}
	return true, cond
}

// side returns what the policies of subject say about peer.
func (p *Program) side(subject, peer End, f Family, d policy.Direction) []segment {
	if subject.Holder < 0 || p.holders[subject.Holder].Kind != Class {
		return []segment{{box: box{conns: netset.AllConns, worlds: p.in}, verdict: Allowed}}
	}
	if peer.Holder >= 0 {
		return p.at(subject.Holder, d, p.ID(peer.Holder, f))
	}
	var out []segment
	for _, seg := range p.tableOf(subject.Holder, d) {
		if seg.region.Addrs.Contains(peer.Addr) {
			out = append(out, seg)
		}
	}
	return out
}

// under is the verdict of what has verdict v, where on says that this is only so under some profiles.
func (v Verdict) under(on string) Verdict {
	if on != "" && v > Depends {
		return Depends
	}
	return v
}

// BoxIn narrows a box to the profiles that p speaks of; ok is false if it holds under none.
func (p *Program) BoxIn(b Box) (in Box, ok bool) {
	b.Worlds &= p.in
	b.Cond.On = p.On(b.Worlds)
	b.Verdict = b.Base.under(b.Cond.On)
	return b, b.Worlds != 0
}

// Settle takes out of boxes that are not certain the pods, Services and nodes that another box reaches no less surely, in the other family or for
// another reason.
func (p *Program) Settle(in []Box) []Box {
	out := make([]Box, 0, len(in))
	for i, b := range in {
		if b.Base != Allowed || p.in != b.Worlds {
			for j, o := range in {
				surer := o.Worlds.Covers(b.Worlds) && (o.Base == Allowed || o.Base == b.Base && b.Cond.implies(o.Cond) &&
					(j < i || !o.Cond.implies(b.Cond) || o.Worlds != b.Worlds))
				if j != i && surer && !b.Region.IDs.IsEmpty() && o.Conns.Covers(b.Conns) {
					b.Region.IDs = b.Region.IDs.Minus(p.inBoth(p.Numbers(o.Region.IDs)))
				}
			}
		}
		if !b.Region.IsEmpty() {
			out = append(out, b)
		}
	}
	return out
}

// Numbers returns the holders that ids name, in whichever family, by their numbers.
func (g *Ground) Numbers(ids netset.IDs) netset.IDs {
	v4 := netset.IDRange(0, int(g.width))
	var runs []netset.Run[netset.ID]
	for r := range ids.Minus(v4).Runs() {
		runs = append(runs, netset.Run[netset.ID]{Lo: r.Lo - g.width, Hi: r.Hi - g.width})
	}
	return ids.Intersect(v4).Union(netset.Of(runs...))
}

// CompareVerdicts orders verdicts by how bad they are for who wants the connection denied: Denied first, Allowed last.
func CompareVerdicts(a, b Verdict) int { return cmp.Compare(badness[a], badness[b]) }

var badness = [...]int{Denied: 0, Unknown: 1, Depends: 2, NotEnforced: 3, Allowed: 4}
