package query

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// end is one end of a connection.
type end struct {
	reach.End
	name     string
	workload int          // index, or -1
	pod      reach.Member // the one pod that is meant, if single
	single   bool
	claimed  netip.Addr // the address that the question gives it, though the input does not show it
}

// plain is the end that is an address, whoever has it.
func plain(addr netip.Addr) end {
	return end{End: reach.AtAddr(addr), name: addr.String(), workload: -1}
}

// called is how conditions name e: by the address that the question is about, if there is one.
func (e end) called() string {
	if e.claimed.IsValid() {
		return e.claimed.String()
	}
	return e.name
}

// key tells ends apart.
func (e end) key() string {
	if e.claimed.IsValid() || e.Holder < 0 {
		return e.called()
	}
	return fmt.Sprintf("%s #%d", e.name, e.Holder)
}

// shown is e, or the address that shows which IP family is in use.
func (e end) shown() reach.End {
	if e.claimed.IsValid() {
		return reach.AtAddr(e.claimed)
	}
	return e.End
}

// isPods reports whether policies may select e.
func (a *asker) isPods(e end) bool { return e.Holder >= 0 && e.Holder < a.p.Classes() }

// isNode reports whether e is a node.
func (a *asker) isNode(e end) bool {
	return e.Holder >= 0 && a.p.Class(e.Holder).Kind == reach.Node
}

// route is how a connection goes from one end to another, perhaps through an address that leads on
// to there.
type route struct {
	from, to          end
	via               *end         // the address that the client sends to, if not that of to
	out               end          // what egress policy judges it on: to or via
	as                end          // what ingress policy takes the client for
	outConns, inConns netset.Conns // as egress and ingress policy judge them
	asked             netset.Conns // as the question names them
	before            bool         // egress policy judges it on via, before that is translated
	unjudged          bool         // ingress policy does not judge it
	at, inAt          placement    // of from and out, and of as and to
}

// direct is the route without anything between.
func direct(from, to end, conns netset.Conns) route {
	return route{from: from, to: to, out: to, as: from, outConns: conns, inConns: conns, asked: conns}
}

// way is a way in which connections of the question may go, decided: if given holds they go this
// way, and if pass does they get through. Several ways that are given at once are choices, of which
// one that passes is enough.
type way struct {
	route
	conns       netset.Conns // of the question
	hit         netset.Conns // as they arrive
	given, pass when.When
	host        string // the destination is whatever this name resolves to
	because     string // why it passes, where policies have no say
	untold      bool   // no step can tell it
}

// ends are those that questions are about, by [when.End].
func (w way) ends() (out [4]end) {
	out[when.Source], out[when.Destination] = w.from, w.to
	if w.via != nil {
		out[when.Via] = *w.via
	}
	return out
}

// within adds to what must be so for some ways to be taken.
func within(ways []way, given when.When) []way {
	out := slices.Clone(ways)
	for i := range out {
		out[i].given = out[i].given.And(given)
	}
	return out
}

// may is a way that nothing is known of but the condition.
func may(conns netset.Conns, pass when.When) []way {
	return []way{{conns: conns, pass: pass, untold: true}}
}

// try decides connections straight to an end.
func (a *asker) try(from, to end, conns netset.Conns) []way {
	if own := a.ownPod(from, to); own != nil {
		return own
	}
	return a.decide(direct(from, to, conns))
}

// ownPod answers for a pod that connects to itself, which no policy can deny.
func (a *asker) ownPod(from, to end) []way {
	if !from.single || !to.single || from.pod != to.pod {
		return nil
	}
	a.note("a pod always reaches itself")
	return may(a.conns, when.Always)
}

// decide says what passes on a route: a way for each of the connections that policies tell apart,
// or one that never passes.
func (a *asker) decide(r route) []way {
	out := a.escaping(r)
	placed := a.placed(r)
	meet := a.meet(r)
	for _, r := range placed {
		for _, e := range a.side(r.from, r.out, r.at, policy.Egress, r.outConns) {
			if r.before {
				e.when = e.when.Move(when.Destination, when.Via)
			}
			for _, i := range a.entering(r) {
				if r.as.End != r.from.End {
					i.when = i.when.Bind(when.Source, r.as.key(), r.as.called())
				}
				w := way{route: r, conns: r.asked, hit: i.conns, pass: reach.AnyFamily(meet.And(e.when).And(i.when))}
				if r.via == nil && r.inConns.Equal(r.asked) {
					w.conns = e.conns.Intersect(i.conns)
					w.hit = w.conns
				}
				if !w.conns.IsEmpty() && !w.pass.IsNever() {
					out = append(out, w)
				}
			}
		}
	}
	if out == nil {
		out = []way{{route: placed[0], conns: r.asked, hit: r.inConns, pass: when.Never}}
	}
	return out
}

// meet is the condition under which all ends of a route have addresses in the family that the
// client uses.
func (a *asker) meet(r route) when.When {
	ends := []reach.End{r.from.shown(), r.out.shown(), r.to.shown()}
	if r.via != nil {
		ends = append(ends, r.via.shown())
	}
	return a.p.Meet(ends...)
}

// entering is what the policies of a route's destination let through.
func (a *asker) entering(r route) []piece {
	if r.unjudged {
		return []piece{{conns: r.inConns}}
	}
	return a.side(r.to, r.as, r.inAt, policy.Ingress, r.inConns)
}

// piece is what one end's policies let through of some connections, if when holds. What no piece
// holds is denied.
type piece struct {
	conns netset.Conns
	when  when.When
	by    []reach.By
}

// ends are those that a direction's rules name, and whose rules they are.
var peerEnd, ownEnd = [...]when.End{policy.Ingress: when.Source, policy.Egress: when.Destination}, [...]when.End{policy.Ingress: when.Destination, policy.Egress: when.Source}

// side returns what the policies of subject let through to or from peer. at is where both are, as
// far as they are on nodes.
func (a *asker) side(subject, peer end, at placement, d policy.Direction, conns netset.Conns) []piece {
	if !a.isPods(subject) {
		return []piece{{conns: conns}}
	}
	settled := func(w when.When) when.When {
		for _, e := range []struct {
			at   when.End
			addr netip.Addr
		}{{peerEnd[d], peer.claimed}, {ownEnd[d], subject.claimed}} {
			if e.addr.IsValid() {
				w = a.p.HasAddr(w, e.at, e.addr)
			}
		}
		return a.settle(w, at, subject, peer)
	}
	var out []piece
	for _, b := range a.oneSided(subject.Holder, d) {
		both := b.Conns.Intersect(conns)
		if peer.Holder >= 0 && !b.Region.IDs.Contains(netset.ID(peer.Holder)) || peer.Holder < 0 && !b.Region.Addrs.Contains(peer.Addr) || both.IsEmpty() {
			continue
		}
		p := piece{conns: both, when: settled(b.When)}
		for _, by := range slices.Concat(b.Egress, b.Ingress) {
			p.by = append(p.by, reach.By{Rule: by.Rule, When: settled(by.When)})
		}
		if !p.when.IsNever() {
			out = append(out, p)
		}
	}
	return out
}

// oneSided is what the policies of a class let through, which is the same for all classes of its
// group.
func (a *asker) oneSided(class int, d policy.Direction) []reach.Box {
	key := sideKey{a.p.GroupOf(class, d), d}
	boxes, ok := a.sides[key]
	if !ok {
		boxes = a.p.OneSided(class, d)
		a.sides[key] = boxes
	}
	return boxes
}

type sideKey struct {
	group int
	dir   policy.Direction
}

// documentation is an address of the internet that is nobody's (RFC 5737).
var documentation = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// escapes is the condition under which a pod without an IPv4 address gets out over IPv4, judged by
// nobody.
func (a *asker) escapes(from end) when.When {
	return a.p.WayOut(from.End, reach.AtAddr(documentation))
}

// escaping returns what passes that way of a route to an IPv4 address that is no pod's.
func (a *asker) escaping(r route) []way {
	to := r.to.shown()
	if r.via != nil || to.Holder < 0 && !to.Addr.Is4() || to.Holder >= 0 && a.p.Class(to.Holder).Addrs[reach.IPv4].State == reach.NoAddr || a.isPods(r.to) {
		return nil
	}
	pass := a.escapes(r.from)
	if pass.IsNever() {
		return nil
	}
	return []way{{route: r, conns: r.asked, hit: r.asked, pass: pass, because: "IPv4 traffic of a pod with an IPv6 address is not judged"}}
}

// world is a case of which at most one is so, with the ways that connections then go.
type world struct {
	name string
	ways []way
}

// maxWorlds bounds how many cases an answer tells apart.
const maxWorlds = 8

// isOpen reports whether a question is neither about the CNI nor about a policy that could not be
// read.
func isOpen(q *when.Question) bool { return q.Kind != when.CNI && q.Kind != when.Unjudged }

// oneOf joins ways of cases of which at most one is so, or base if none is; without base, the first
// case is so if no other one is. Cases that decide alike are one. ask asks whether it is one of
// some.
func (a *asker) oneOf(base []way, worlds []world, ask func(names []string) when.When) []way {
	type group struct {
		names []string
		world
	}
	if base == nil && len(worlds) > 0 {
		base, worlds = worlds[0].ways, worlds[1:]
	}
	var groups []*group
	at := map[string]*group{signature(base): nil} // as if it were none
	for _, w := range worlds {
		key := signature(w.ways)
		g, ok := at[key]
		if !ok {
			g = &group{world: w}
			at[key], groups = g, append(groups, g)
		}
		if g != nil {
			g.names = append(g.names, w.name)
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(len(parts(a.ways)), len(parts(b.ways))) }) // denied first
	if len(groups) > maxWorlds {                                                                                        // too many to be told apart: one of the others may let it through
		var rest group
		lets := a.p.Ask("one of others lets it through, from: "+groups[maxWorlds-1].name, when.Cluster, "its policies let the connection through", "its policies do not let the connection through")
		for _, g := range groups[maxWorlds-1:] {
			rest.names = append(rest.names, g.names...)
			for _, p := range parts(g.ways) {
				rest.ways = append(rest.ways, may(p.conns, lets.And(p.when.Exists(isOpen)))...)
			}
		}
		groups = append(groups[:maxWorlds-1], &rest)
	}
	none, notDenied := when.Always, when.Always // nothing passes in the cases that come first
	var out []way
	for _, g := range groups {
		slices.Sort(g.names)
		is := ask(slices.Compact(g.names))
		out = append(out, within(g.ways, notDenied.And(is))...)
		if none = none.Minus(is); parts(g.ways) == nil {
			notDenied = none
		}
	}
	return append(within(base, none), out...)
}

// part is connections of the question with the condition under which they pass, whichever way they
// go.
type part struct {
	conns netset.Conns
	when  when.When
}

// parts joins ways: disjoint parts, without what never passes.
func parts(ways []way) []part {
	var out []part
	for _, w := range ways {
		passes, rest := w.given.And(w.pass), w.conns
		if passes.IsNever() {
			continue
		}
		for i, n := 0, len(out); i < n && !rest.IsEmpty(); i++ {
			both := out[i].conns.Intersect(rest)
			if both.IsEmpty() {
				continue
			}
			rest = rest.Minus(both)
			if other := out[i].conns.Minus(both); !other.IsEmpty() {
				out = append(out, part{other, out[i].when})
			}
			out[i] = part{both, out[i].when.Or(passes)}
		}
		if !rest.IsEmpty() {
			out = append(out, part{rest, passes})
		}
	}
	var merged []part
	for _, p := range out {
		if i := slices.IndexFunc(merged, func(m part) bool { return m.when.Equal(p.when) }); i >= 0 {
			merged[i].conns = merged[i].conns.Union(p.conns)
		} else {
			merged = append(merged, p)
		}
	}
	return merged
}

// signature is the same for ways that decide alike.
func signature(ways []way) string {
	var all []string
	for _, p := range parts(ways) {
		all = append(all, fmt.Sprintf("%x %x", p.conns.Hash(), p.when.Hash()))
	}
	slices.Sort(all)
	return strings.Join(all, ";")
}

// bound are ways of which conditions about several things at one end stand beside each other. names
// are those of the first way that may pass: about its ends, questions stay as they are.
func bound(ways []way) (out []way, names when.Names) {
	if len(ways) == 0 {
		return nil, names
	}
	main := ways[max(0, slices.IndexFunc(ways, func(w way) bool { return !w.pass.IsNever() && !w.untold }))]
	ends := main.ends()
	out = slices.Clone(ways)
	for i := range out {
		w := &out[i]
		for at, e := range w.ends() {
			if e.name != "" && e.key() != ends[at].key() {
				w.pass = w.pass.Bind(when.End(at), e.key(), e.called())
			}
		}
	}
	return out, when.Names{Src: ends[when.Source].called(), Dst: ends[when.Destination].called(), Via: ends[when.Via].called()}
}
