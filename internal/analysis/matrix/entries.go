package matrix

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// way is how something passes: under which profiles, and what else must hold.
type way struct {
	verdict reach.Verdict // in those worlds: Depends only if there is more to hold
	worlds  reach.Worlds
	rest    string // completing "if ..."; "" for nothing
}

// certain reports whether it passes without a condition in its worlds.
func (w way) certain() bool { return w.verdict == reach.Allowed && w.rest == "" }

func (w way) compare(o way) int {
	return cmp.Or(reach.CompareVerdicts(o.verdict, w.verdict), cmp.Compare(w.rest, o.rest), cmp.Compare(w.worlds, o.worlds))
}

// wayOf is how a box passes.
func wayOf(b reach.Box) way {
	cond := b.Cond
	cond.On = ""
	w := way{b.Verdict, b.Worlds, cond.String()}
	if w.verdict == reach.Depends && w.rest == "" {
		w.verdict = reach.Allowed
	}
	return w
}

// entry is part of a row or of what comes in: holders by number, host names, and addresses, over conns.
type entry struct {
	ids   netset.IDs
	hosts []string // sorted
	addrs netset.Addrs
	conns netset.Conns
	door  bool // it comes through node ports, from anybody
	way
}

type entries []entry

// same reports whether two entries differ only in where they lead.
func (e entry) same(o entry) bool {
	return e.way == o.way && e.door == o.door && e.conns.Equal(o.conns)
}

func (es entries) add(e entry) entries {
	for i := range es {
		if es[i].same(e) {
			es[i].ids = es[i].ids.Union(e.ids)
			es[i].addrs = es[i].addrs.Union(e.addrs)
			if e.hosts != nil {
				es[i].hosts = slices.Compact(slices.Sorted(slices.Values(slices.Concat(es[i].hosts, e.hosts))))
			}
			return es
		}
	}
	return append(es, e)
}

// sorted puts entries in an order that depends on nothing but what they say.
func (es entries) sorted() entries {
	slices.SortStableFunc(es, func(a, b entry) int {
		return cmp.Or(a.way.compare(b.way), cmp.Compare(a.conns.String(), b.conns.String()))
	})
	return es
}

// key is equal for equal entries.
func (es entries) key() string {
	h := sha256.New()
	for _, e := range es {
		fmt.Fprintf(h, "%d\x00%d\x00%q\x00%q\x00%q\x00%v\x00", e.verdict, e.worlds, e.rest, e.hosts, e.conns.String(), e.door)
		for r := range e.ids.Runs() {
			fmt.Fprintf(h, "%d-%d,", r.Lo, r.Hi)
		}
		for r := range e.addrs.Runs() {
			fmt.Fprintf(h, "%v-%v,", r.Lo, r.Hi)
		}
	}
	return string(h.Sum(nil))
}

// row is what a class reaches.
func (m *Matrix) row(class int) entries { return m.entriesOf(class, policy.Egress) }

// comesIn is what reaches a class other than pods. Where nothing isolates it, all addresses stand for everybody.
func (m *Matrix) comesIn(class int) entries {
	others := netset.IDRange(netset.ID(m.p.Classes()), m.p.Holders()-m.p.Classes())
	isolating, _ := m.p.Isolation(class, policy.Ingress)
	in := m.entriesOf(class, policy.Ingress)
	var out entries
	for _, e := range in {
		if e.ids = e.ids.Intersect(others); isolating == nil {
			e.ids = netset.IDs{}
		}
		if !e.ids.IsEmpty() || !e.addrs.IsEmpty() {
			out = append(out, e)
		}
	}
	return append(out, m.throughDoors(class, in)...)
}

func (m *Matrix) entriesOf(class int, d policy.Direction) entries {
	var out entries
	boxes := m.p.Settle(m.p.Reach(class, d))
	told := m.told(boxes)
	for _, b := range boxes {
		e := entry{ids: m.p.Numbers(b.Region.IDs.Minus(m.shownIDs)), addrs: b.Region.Addrs, conns: b.Conns, way: wayOf(b)}
		for _, left := range m.untold(b, told) {
			out = out.add(left)
		}
		if byName(b) && !e.addrs.IsEmpty() {
			out = out.add(m.hosts(class, b, boxes))
			e.addrs = netset.Addrs{}
		}
		if !e.ids.IsEmpty() || !e.addrs.IsEmpty() {
			out = out.add(e)
		}
	}
	return out.spread().sorted()
}

// spread divides addresses anew, so that what passes in the same way under several profiles stands in one entry, under all of them.
func (es entries) spread() entries {
	var out, parts entries
	for _, e := range es {
		part := entry{addrs: e.addrs, conns: e.conns, way: e.way}
		if e.addrs = (netset.Addrs{}); !e.ids.IsEmpty() || e.hosts != nil {
			out = out.add(e)
		}
		for i := 0; i < len(parts) && !part.addrs.IsEmpty(); i++ {
			o := parts[i]
			both := o.addrs.Intersect(part.addrs)
			if both.IsEmpty() || o.verdict != part.verdict || o.rest != part.rest || !o.conns.Equal(part.conns) {
				continue
			}
			parts[i].addrs = o.addrs.Minus(both)
			part.addrs = part.addrs.Minus(both)
			o.addrs, o.worlds = both, o.worlds|part.worlds
			parts = append(parts, o)
		}
		if !part.addrs.IsEmpty() {
			parts = append(parts, part)
		}
	}
	for _, e := range parts {
		if !e.addrs.IsEmpty() {
			out = out.add(e)
		}
	}
	return out
}

// byName reports whether b passes to whatever some host names resolve to, and for no other reason.
func byName(b reach.Box) bool {
	c := b.Cond
	return !c.Unjudged && c.Names != nil && c.Plan.IsEmpty() && c.Texts == nil
}

// hosts is the entry of a box that passes by name. The names are taken to resolve to addresses of the internet.
func (m *Matrix) hosts(class int, b reach.Box, all []reach.Box) entry {
	var missing netset.Addrs
	for _, f := range reach.Families {
		if m.p.Class(class).Addrs[f].State != reach.NoAddr {
			missing = missing.Union(special.Internet.Intersect(families[f]))
		}
	}
	missing = missing.Minus(b.Region.Addrs)
	for _, o := range all {
		if o.Conns.Covers(b.Conns) && o.Worlds.Covers(b.Worlds) && (byName(o) || wayOf(o).certain()) {
			missing = missing.Minus(o.Region.Addrs)
		}
	}
	cond, names := b.Cond, b.Cond.Names
	cond.Names = nil
	if !missing.IsEmpty() {
		cond.All = append(slices.Clone(cond.All), "it resolves outside "+RangeText(missing))
	}
	b.Cond = cond
	return entry{hosts: names, conns: b.Conns, way: wayOf(b)}
}
