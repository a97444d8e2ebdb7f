package matrix

import (
	"maps"
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// TestSomeKeepsEndsApart demands that conditions about different ends are never joined: one of two
// pods may fail what the other needs.
func TestSomeKeepsEndsApart(t *testing.T) {
	space := when.NewSpace()
	label := space.Fact("label of dst", when.Destination, 1, "it is set", "it is not set").Has(when.Yes)
	setting := space.Fact("setting", when.Cluster, 2, "it is on", "it is off").Has(when.Yes)
	web := netset.ConnsOf(netset.TCP, netset.PortRange(80, 80))
	for name, tt := range map[string]struct{ in, want []part }{
		"two pods, of which each may be the other": {
			[]part{{web, label}, {web, label.Not()}},
			[]part{{web, label}, {web, label.Not()}}},
		"one of them passes anyway": {
			[]part{{web, label}, {netset.AllConns, when.Always}},
			[]part{{netset.AllConns, when.Always}}},
		"what is about the cluster holds for each": {
			[]part{{web, label}, {web, label.Not()}, {netset.AllConns, setting}},
			[]part{{web, label.Or(setting)}, {web, label.Not().Or(setting)}, {netset.AllConns.Minus(web), setting}}},
		"what is about the cluster is joined": {
			[]part{{web, setting}, {netset.AllConns, setting.Not()}},
			[]part{{web, when.Always}, {netset.AllConns.Minus(web), setting.Not()}}},
	} {
		slices.SortFunc(tt.want, part.compare)
		if got := some(tt.in); !slices.EqualFunc(got, tt.want, part.equal) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestGroupsAreExact compares every two classes by all that passes: they are of one unit exactly
// where nothing tells them apart.
func TestGroupsAreExact(t *testing.T) {
	pairs := map[bool]int{}
	all := inputs(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := Of(all[name])
		n := m.p.Classes()
		if n > 40 {
			continue
		}
		rows := make([]line, n)
		for c := range n {
			rows[c] = m.goesOut(c)
		}
		for c := range n {
			for d := range c {
				equal := rows[c].equal(rows[d]) && m.comesIn(c).equal(m.comesIn(d))
				for _, r := range rows {
					for _, p := range r.ids {
						equal = equal && p.at.Contains(netset.ID(c)) == p.at.Contains(netset.ID(d))
					}
				}
				if pairs[equal]++; equal != (m.unitOf[c] == m.unitOf[d]) {
					t.Errorf("%s: classes %d and %d are equal %v, of one unit %v", name, c, d, equal, !equal)
				}
			}
		}
	}
	if pairs[true] < 50 || pairs[false] < 500 {
		t.Errorf("only %v pairs", pairs)
	}
}
