package feeds

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// sections is ranges by the path of their section.
type sections map[string][]netip.Prefix

// tidy sorts each section and drops what is there twice.
func (s sections) tidy() {
	for path, ranges := range s {
		slices.SortFunc(ranges, netip.Prefix.Compare)
		s[path] = slices.Compact(ranges)
	}
}

// under returns the ranges of a section and of those below it, sorted, and whether there is such a
// section.
func (s sections) under(path string) (ranges []netip.Prefix, ok bool) {
	for at, some := range s {
		if _, below := cutPath(at, path); below {
			ranges, ok = append(ranges, some...), true
		}
	}
	slices.SortFunc(ranges, netip.Prefix.Compare)
	return slices.Compact(ranges), ok
}

// byTop puts together what has the same first part of its path.
func (s sections) byTop() map[string]netset.Addrs {
	ranges := map[string][]netip.Prefix{}
	for path, some := range s {
		ranges[top(path)] = append(ranges[top(path)], some...)
	}
	out := map[string]netset.Addrs{}
	for at, some := range ranges {
		out[at] = netset.Prefixes(some...)
	}
	return out
}

// union returns the addresses of a section and of those below it.
func (s sections) union(path string) netset.Addrs {
	ranges, _ := s.under(path)
	return netset.Prefixes(ranges...)
}

// notPublic is what is no address of a host on the internet: what special says is none, and the
// rest of the IANA special-purpose registries: space for documentation, the 6to4 relay, and in IPv6
// all but global unicast (2000::/3), and in that the protocol assignments with Teredo,
// documentation and 6to4. What translates to IPv4, as NAT64 does, is judged by what it translates
// to.
var notPublic = netset.Universe.Minus(special.Internet).
	Union(netset.MustPrefixes("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "192.88.99.0/24")).
	Union(netset.MustPrefixes("::/0").Minus(netset.MustPrefixes("2000::/3"))).
	Union(netset.MustPrefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))

// insideClusters is public space, and rightly published, that means something else inside some
// clusters: GKE's default range of Services, Azure's WireServer.
var insideClusters = netset.MustPrefixes("34.118.224.0/20", "168.63.129.16/32")

// refused is what no feed may hold.
var refused = notPublic.Minus(insideClusters)

// How large a range, and everything together, may be. No provider has more than a /8 in one piece;
// of IPv6, a /20 is what special takes for the internet as such: a registry gives a provider a /32
// unless it asks for more, and the largest range published is Azure's /24. The largest whole is
// AWS's, about 2^27 addresses of IPv4.
const (
	minBits4 = 8
	minBits6 = 20
	maxSize4 = 1 << 29
	maxSize6 = 1 << 112
)

// check returns why the ranges cannot be what a provider publishes, or nil.
func (s sections) check() error {
	var all []netip.Prefix
	for _, path := range slices.Sorted(maps.Keys(s)) {
		for _, p := range s[path] {
			if err := checkRange(p); err != nil {
				return fmt.Errorf("%s%w", label(path), err)
			}
		}
		all = append(all, s[path]...)
	}
	if len(all) == 0 {
		return errors.New("holds no ranges")
	}
	union := netset.Prefixes(all...)
	for _, p := range netset.CIDRs(union) {
		if err := checkRange(p); err != nil {
			return fmt.Errorf("its ranges together are too much: %w", err)
		}
	}
	v4, v6 := sizes(union)
	if v4 > maxSize4 || v6 > maxSize6 {
		return errors.New("its ranges together are more than any provider has")
	}
	return nil
}

func checkRange(p netip.Prefix) error {
	limit := minBits4
	if p.Addr().Is6() {
		limit = minBits6
	}
	switch {
	case p.Bits() < limit:
		return fmt.Errorf("%s is wider than /%d", p, limit)
	case refused.Overlaps(netset.Prefixes(p)):
		return fmt.Errorf("%s is not public address space", p)
	}
	return nil
}

// sizes returns how many addresses of IPv4 and of IPv6 there are.
func sizes(s netset.Addrs) (v4, v6 float64) {
	four := s.Intersect(special.IPv4)
	return netset.Size(four), netset.Size(s.Minus(four))
}

// maxReasons is how many changes a refusal names.
const maxReasons = 5

// wild returns, in words, what changed from before to after so much that a fault or an attack is
// likelier than news: in one of the sections at the top, in one of those at, and in one IP family,
// more than half of the addresses are gone or there are more than twice as many. New sections are
// no change of what is in use.
func wild(before, after sections, at []string) []string {
	var reasons []string
	was, is := before.byTop(), after.byTop()
	for _, path := range slices.Sorted(maps.Keys(was)) {
		reasons = append(reasons, wildly(label(path), was[path], is[path])...)
	}
	for _, path := range at {
		reasons = append(reasons, wildly(label(path), before.union(path), after.union(path))...)
	}
	if n := len(reasons); n > maxReasons {
		reasons = append(reasons[:maxReasons], fmt.Sprintf("%d more", n-maxReasons))
	}
	return reasons
}

// wildly is wild for one set of addresses.
func wildly(label string, was, is netset.Addrs) (reasons []string) {
	was4, was6 := sizes(was)
	gone4, gone6 := sizes(was.Minus(is))
	came4, came6 := sizes(is.Minus(was))
	for _, family := range []struct {
		name            string
		was, gone, came float64
	}{{"IPv4", was4, gone4, came4}, {"IPv6", was6, gone6, came6}} {
		switch {
		case family.gone > family.was/2:
			reasons = append(reasons, fmt.Sprintf("%s%.0f %% of its %s addresses are gone", label, 100*family.gone/family.was, family.name))
		case family.came > 0 && family.was == 0:
			reasons = append(reasons, fmt.Sprintf("%sit has %s addresses, and had none", label, family.name))
		case family.came > family.was:
			reasons = append(reasons, fmt.Sprintf("%sit has %.1f times as many %s addresses", label, (family.was-family.gone+family.came)/family.was, family.name))
		}
	}
	return reasons
}

// label names a section before what is said of it.
func label(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// top is the first part of a path.
func top(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}
