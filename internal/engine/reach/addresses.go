package reach

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Two running pods may show one address: lists are saved bit by bit, and a node that is lost keeps
// its pods for a while. CNIs know the other end of a connection by its address alone.

// commonAddrs is the addresses on the pod network that several pods show.
func commonAddrs(s *model.Snapshot) netset.Addrs {
	seen := map[netip.Addr]bool{}
	var out []netip.Addr
	for _, w := range s.Workloads {
		for i := range w.Pods {
			p := &w.Pods[i]
			if p.HostNetwork || p.Default != "" {
				continue
			}
			for _, a := range p.Addrs {
				if a = a.Unmap(); seen[a] {
					out = append(out, a)
				}
				seen[a] = true
			}
		}
	}
	return netset.Points(out...)
}

// noteSharers finds the classes that have one address.
func (g *Ground) noteSharers(common netset.Addrs) {
	g.sharers = map[int][2]netset.IDs{}
	var all []int
	for a, pods := range g.byAddr {
		if !common.Contains(a) {
			continue
		}
		var classes []int
		for _, pod := range pods {
			if g.holders[pod.Class].network == "" {
				classes = append(classes, pod.Class)
			}
		}
		ids := g.IDs(classes...)
		for _, c := range classes {
			others := g.sharers[c]
			if others[familyOf(a)] = ids.Minus(g.IDs(c)); !others[familyOf(a)].IsEmpty() {
				g.sharers[c] = others
				all = append(all, c)
			}
		}
	}
	g.sharing = g.IDs(all...)
}

// sharedPeers resolves a peer of pods among those that share an address: where policies know
// addresses, it matches whoever has that of a pod it selects; where they know one pod for each, it
// matches that one's.
func (p *Program) sharedPeers(ns, pod label.Selector, sel selection, end when.End) []match {
	var out []match
	for _, c := range p.HoldersOf(p.sharing, Class) {
		own := when.Never
		switch {
		case p.Holds(sel.must, c):
			own = when.Always
		case p.Holds(sel.perhaps, c):
			own = p.asks.selected(end, ns, pod)
		}
		all := when.Never
		for _, f := range Families {
			others := p.sharers[c][f]
			by, sure := when.Never, others.Minus(sel.must).IsEmpty()
			if others.Overlaps(sel.may()) {
				by = p.asks.ask("shares the address of another pod: "+selectedID(end, ns, pod), end, 0,
					word(end)+" has the address of another pod that a policy names", word(end)+" has no address of another pod that a policy names")
				for _, o := range p.HoldersOf(others.Intersect(sel.must), Class) {
					if sure = sure && p.Certain(o); p.Certain(o) {
						by = when.Always // the set of addresses has it
					}
				}
			}
			in := own
			if !others.IsEmpty() {
				first := p.asks.ask("own address of "+endName(end), end, 0,
					"the CNI takes the address of "+word(end)+" for its own, not for another pod's", "the CNI takes the address of "+word(end)+" for another pod's")
				that := by
				if by.IsAlways() && !sure { // which of the others it is, is open
					that = p.asks.ask("taken for another pod: "+selectedID(end, ns, pod), end, 0,
						"the CNI takes the address of "+word(end)+" for that of a pod that a policy names", "the CNI does not take the address of "+word(end)+" for that of a pod that a policy names")
				}
				one := p.says.where[cni.OnePodPerAddress]
				in = own.Or(by).Minus(one).Or(one.And(own.And(first).Or(that.Minus(first))))
			}
			all = all.Or(in.And(p.asks.over(f)))
		}
		if !all.IsNever() {
			out = append(out, match{ends: p.IDRegion(c), when: all})
		}
	}
	return out
}

// shareNames leaves open which number a port name stands for at an address that several pods have:
// which of them a rule selects decides it.
func (g *Ground) shareNames() {
	for _, ids := range g.portNames {
		given := map[int][]netset.Port{}
		for _, by := range []map[netset.Port][]int{ids.must, ids.may} {
			for number, classes := range by {
				for _, c := range classes {
					if g.Holds(g.sharing, c) {
						given[c] = append(given[c], number)
					}
				}
			}
		}
		open := map[int][]netset.Port{}
		for _, c := range g.HoldersOf(g.sharing, Class) {
			all := given[c]
			for _, o := range g.HoldersOf(g.sharers[c][IPv4].Union(g.sharers[c][IPv6]), Class) {
				all = slices.Concat(all, given[o])
			}
			slices.Sort(all)
			if all = slices.Compact(all); !slices.Equal(all, given[c]) || len(all) > 1 {
				open[c] = all
			}
		}
		for c, numbers := range open {
			for number := range ids.must {
				ids.must[number] = slices.DeleteFunc(ids.must[number], func(n int) bool { return n == c })
			}
			for _, number := range numbers {
				if !slices.Contains(ids.may[number], c) {
					ids.may[number] = append(ids.may[number], c)
				}
			}
		}
	}
}
