package blast

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
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
	Verdict reach.Verdict
	Extent  Extent
	To      []Target       // what certainly or possibly can be reached; nothing else can
	Because []*policy.Rule // the rules that let it through; none where nothing isolates
	Open    bool           // nothing isolates the server's egress
	Addrs   netset.Addrs   // the addresses in To

	openings []opening    // the same, by what the server's policies tell apart
	sure     reach.Worlds // the profiles under which something certainly is
}

// opening is addresses that are reached over some connections.
type opening struct {
	place
	worlds reach.Worlds
	aside  bool
}

// settle makes the verdict that of all profiles, where each lets through something.
func (r *Reach) settle(all reach.Worlds) {
	if r.Verdict == reach.Depends && r.sure.Covers(all) {
		r.Verdict = reach.Allowed
	}
}

// AddrsOn returns the addresses that are reached on some of conns.
func (r Reach) AddrsOn(conns netset.Conns) netset.Addrs {
	var out []netset.Addrs
	for _, o := range r.openings {
		if !o.conns.Intersect(conns).IsEmpty() {
			out = append(out, o.region.Addrs)
		}
	}
	return netset.Union(out...)
}

// AddrsOnAll returns the addresses that are reached on all of conns, be it by several rules.
func (r Reach) AddrsOnAll(conns netset.Conns) netset.Addrs {
	out := r.Addrs
	open := make([]place, len(r.openings))
	var together netset.Conns
	for i, o := range r.openings {
		open[i] = o.place
		together = together.Union(o.conns)
	}
	if !together.Covers(conns) {
		return netset.Addrs{}
	}
	for _, lack := range minus(place{region: reach.Region{Addrs: out}, conns: conns}, open) {
		out = out.Minus(lack.region.Addrs)
	}
	return out
}

// join adds what another kind of pods of the same server reaches.
func join(a, b Reach, first bool) Reach {
	if first {
		return b
	}
	if reach.CompareVerdicts(b.Verdict, a.Verdict) > 0 {
		a.Verdict = b.Verdict
	}
	a.Extent = max(a.Extent, b.Extent)
	for _, t := range b.To {
		if !slices.ContainsFunc(a.To, t.equal) {
			a.To = append(a.To, t)
		}
	}
	for _, rule := range b.Because {
		if !slices.Contains(a.Because, rule) {
			a.Because = append(a.Because, rule)
		}
	}
	a.Open = a.Open || b.Open
	a.Addrs = a.Addrs.Union(b.Addrs)
	a.openings = append(slices.Clip(a.openings), b.openings...)
	a.sure |= b.sure
	return a
}

func (r *Reach) add(v reach.Verdict, rules []*policy.Rule, targets ...Target) {
	if reach.CompareVerdicts(v, r.Verdict) > 0 {
		r.Verdict = v
	}
	for _, rule := range rules {
		if !slices.Contains(r.Because, rule) {
			r.Because = append(r.Because, rule)
		}
	}
	for _, t := range targets {
		if reach.CompareVerdicts(t.Verdict, r.Verdict) > 0 {
			r.Verdict = t.Verdict
		}
		if t.base == reach.Allowed {
			r.sure |= t.worlds
		}
		if t.Host != "" {
			r.Extent = max(r.Extent, Some)
		}
		if !slices.ContainsFunc(r.To, t.equal) {
			r.To = append(r.To, t)
		}
	}
}

// whole is all of a class of destinations.
type whole struct {
	addrs   []netset.Addrs // by family, where there are any
	numbers netset.IDs     // holders, see [reach.Ground.Numbers]
}

func (a *Atlas) wholeOf(places []place) (out whole) {
	for _, f := range families {
		var addrs []netset.Addrs
		for _, p := range places {
			addrs = append(addrs, p.region.Addrs.Intersect(f))
		}
		if all := netset.Union(addrs...); !all.IsEmpty() {
			out.addrs = append(out.addrs, all)
		}
	}
	for _, p := range places {
		out.numbers = out.numbers.Union(a.Numbers(p.region.IDs))
	}
	return out
}

// extent compares what was reached with the whole class but for some holders. Addresses count as all when all of one family are.
func (a *Atlas) extent(all whole, got reach.Region, but netset.IDs) Extent {
	if (all.addrs == nil || slices.ContainsFunc(all.addrs, got.Addrs.Covers)) && a.Numbers(got.IDs.Union(but)).Covers(all.numbers) {
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
