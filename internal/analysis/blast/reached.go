package blast

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Extent says how much of a class of destinations is reachable: on any port, in any world.
type Extent uint8

const (
	None Extent = iota
	Some
	All
)

func (e Extent) String() string { return [...]string{"none", "some", "all"}[e] }

// MarshalText writes the extent as the JSON outputs name it.
func (e Extent) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Reach is what a server can reach of one class of destinations.
type Reach struct {
	Verdict reach.Verdict // of reaching some of it
	Extent  Extent
	To      []Target       // what certainly or possibly can be reached; nothing else can
	Because []*policy.Rule // the rules that let it through; none where nothing isolates
	Open    bool           // nothing isolates the server's egress
	Addrs   netset.Addrs   // the addresses in To
}

// AddrsOn returns the addresses that are reached on some of conns.
func (r Reach) AddrsOn(conns netset.Conns) netset.Addrs {
	var out []netset.Addrs
	for i := range r.To {
		if t := &r.To[i]; t.CIDR.IsValid() && t.Conns.Overlaps(conns) {
			out = append(out, t.ends.Addrs)
		}
	}
	return netset.Union(out...)
}

// AddrsOnAll returns the addresses that are reached on all of conns, be it by several rules.
func (r Reach) AddrsOnAll(conns netset.Conns) netset.Addrs {
	var together netset.Conns
	for i := range r.To {
		if t := &r.To[i]; t.CIDR.IsValid() {
			together = together.Union(t.Conns)
		}
	}
	if !together.Covers(conns) {
		return netset.Addrs{}
	}
	open := make([]place, 0, len(r.To))
	for i := range r.To {
		if t := &r.To[i]; t.CIDR.IsValid() {
			open = append(open, place{region: reach.Region{Addrs: t.ends.Addrs}, conns: t.Conns})
		}
	}
	out := r.Addrs
	for _, lack := range minus(place{region: reach.Region{Addrs: out}, conns: conns}, open) {
		out = out.Minus(lack.region.Addrs)
	}
	return out
}

// add notes what pods of one class can reach. The same ends over the same connections are one
// target, whichever way leads there.
func (r *Reach) add(targets ...Target) {
	for _, t := range targets {
		if i := slices.IndexFunc(r.To, func(u Target) bool { return u.same(&t) }); i >= 0 {
			r.To[i].When, r.To[i].By = r.To[i].When.Or(t.When), slices.Concat(r.To[i].By, t.By)
		} else if !t.When.IsNever() {
			r.To = append(r.To, t)
		}
	}
}

// join adds what other pods of the same server reach. What is said of both alike is said once.
func (r *Reach) join(o Reach) {
	r.Extent, r.Open = max(r.Extent, o.Extent), r.Open || o.Open
	for _, t := range o.To {
		if !slices.ContainsFunc(r.To, func(u Target) bool { return u.When.Equal(t.When) && u.same(&t) }) {
			r.To = append(r.To, t)
		}
	}
}

// sum says what the targets of r come to, and puts what is surest first.
func (a *Atlas) sum(r *Reach) {
	var addrs []netset.Addrs
	ws := make([]when.When, len(r.To))
	seen := map[*policy.Rule]bool{}
	r.Because = nil
	for i := range r.To {
		t := &r.To[i]
		t.Verdict, ws[i] = a.Verdict(t.When), t.When
		if t.CIDR.IsValid() {
			addrs = append(addrs, t.ends.Addrs)
		}
		for _, b := range t.By {
			if !seen[b.Rule] {
				seen[b.Rule] = true
				r.Because = append(r.Because, b.Rule)
			}
		}
	}
	if r.Addrs = netset.Union(addrs...); len(r.To) == 0 {
		r.Extent = None
	}
	r.Verdict = a.worst(ws)
	slices.SortStableFunc(r.To, func(t, u Target) int {
		return cmp.Or(reach.CompareVerdicts(u.Verdict, t.Verdict), cmp.Compare(len(t.ends.Cubes), len(u.ends.Cubes)), t.CIDR.Addr().Compare(u.CIDR.Addr()),
			cmp.Compare(t.CIDR.Bits(), u.CIDR.Bits()), cmp.Compare(t.Host, u.Host), cmp.Compare(t.Pods, u.Pods), cmp.Compare(t.Name, u.Name))
	})
}

// worst is the verdict of reaching any of some ends, each with its own condition: under each
// profile the worst, and where the profiles agree what they agree on.
func (a *Atlas) worst(ws []when.When) reach.Verdict {
	distinct := map[when.When]bool{}
	groups := []reach.Worlds{a.Worlds()}
	for _, w := range ws {
		if !distinct[w] {
			distinct[w] = true
			groups = a.Refine(groups, w)
		}
	}
	out := reach.Denied
	for i, g := range groups {
		in, v := a.In(g), reach.Denied
		for w := range distinct {
			if one := in.Verdict(w); reach.CompareVerdicts(one, v) > 0 {
				v = one
			}
		}
		switch {
		case i == 0 || v == out:
			out = v
		case min(v, out) >= reach.NotEnforced:
			out = reach.NotEnforced
		default:
			return reach.Depends
		}
	}
	return out
}

// wholeOf is all that some places are.
func wholeOf(places []place) (out reach.Region) {
	addrs := make([]netset.Addrs, len(places))
	for i, p := range places {
		addrs[i], out.IDs = p.region.Addrs, out.IDs.Union(p.region.IDs)
	}
	out.Addrs = netset.Union(addrs...)
	return out
}

// extentOf compares what was reached with all of a class but for some holders. Addresses count as
// all when all of one family are.
func extentOf(all, got reach.Region, but netset.IDs) Extent {
	covers := func(f netset.Addrs) bool {
		in := all.Addrs.Intersect(f)
		return !in.IsEmpty() && got.Addrs.Covers(in)
	}
	if (all.Addrs.IsEmpty() || slices.ContainsFunc(families[:], covers)) && got.IDs.Union(but).Covers(all.IDs) {
		return All
	}
	return Some
}

// Origins returns where rules are written, each place once and in order.
func Origins(rules []*policy.Rule) []origin.Origin {
	out := make([]origin.Origin, 0, len(rules))
	for _, r := range rules {
		out = append(out, r.Origin)
	}
	slices.SortFunc(out, origin.Origin.Compare)
	return slices.Compact(out)
}

// RangesText lists the address ranges of r, at most n of them, with their exceptions.
func (r Reach) RangesText(n int) string {
	var parts []string
	var whole netset.Addrs // the ranges listed without exceptions
	for _, t := range r.To {
		if !t.CIDR.IsValid() || whole.Covers(netset.Prefixes(t.CIDR)) {
			continue
		}
		if t.Except == nil {
			whole = whole.Union(netset.Prefixes(t.CIDR))
		}
		text := reach.PrefixText([]netip.Prefix{t.CIDR}, 1)
		if t.Except != nil {
			text += " but " + reach.PrefixText(t.Except, 2)
		}
		if !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	if len(parts) > n {
		parts = append(parts[:n], fmt.Sprintf("%d more", len(parts)-n))
	}
	return strings.Join(parts, ", ")
}
