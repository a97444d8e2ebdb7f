package reach

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Where the longest block decides (the AWS network policy agent, pkg/fwruleprocessor/fw_rule_processor.go), the blocks of all rules that apply to
// a pod become one table of prefixes. A prefix lets through its own ports and those of shorter prefixes around it that do not except it; an
// exception that no rule names too lets nothing through; of the prefixes around an address only the longest counts. A pod that a selector
// names is a prefix of its own.

// grant says that a prefix lets through some connections because of a rule, an index into the group's rules.
type grant struct {
	rule    int
	conns   netset.Conns
	perhaps netset.Conns // likewise, if a name stands for such a port
}

// prefix is an entry of such a table.
type prefix struct {
	netip.Prefix
	except []netip.Prefix
	grants []grant
	items  map[portItem]bool // the ports and ranges it holds, as written
}

// portItem is one of the entries of which a plugin holds a limited number for each block; the zero value is every port.
type portItem struct {
	protocol netset.Protocol
	lo, hi   netset.Port
}

// crowded is the condition under which a block whose ports are more than the plugin holds lets a connection through.
var crowded = onlyIf("the plugin keeps this port for a block that has more ports than it can hold")

// part is addresses in which a prefix decides for some of the ends that may have them, under a condition.
type part struct {
	addrs netset.Addrs
	of    func(Region) Region
	cond  Cond
}

// longestMatches returns what the blocks of a group's rules match where the longest block decides, by rule; nil if there are no such worlds.
func (p *Program) longestMatches(g *group) [][]match {
	worlds := p.says.yes[cni.LongestPrefixDecides]
	if worlds == 0 {
		return nil
	}
	table := p.prefixesOf(g)
	if table == nil {
		return nil
	}
	if slices.ContainsFunc(g.rules, func(a applied) bool { return a.certainty != certain && p.inTable(p.ready(a.rule)) }) {
		return p.unsettledMatches(g, worlds)
	}
	limit := p.portsPerBlock()
	out := make([][]match, len(g.rules))
	surely, perhaps := p.namedPods(g, worlds)
	named := surely.union(Region{IDs: perhaps.IDs, Addrs: perhaps.Addrs, Cubes: minusCubes(perhaps.Cubes, surely.Cubes)})
	alone := func(r Region) Region { return r.Minus(named) }                      // what no selector names
	chosen := func(r Region) Region { return r.Intersect(surely) }                // what some selector names
	either := func(r Region) Region { return r.Intersect(perhaps).Minus(surely) } // what some selector perhaps names
	full := Cond{}                                                                // of a pod that a selector names
	if limit > 0 && p.portItems(g) > limit {
		full = crowded
	}
	hasPerhaps := !perhaps.Minus(surely).IsEmpty()
	for i := range table {
		pre := &table[i]
		cond := Cond{}
		if limit > 0 && len(pre.items) > limit {
			cond = crowded
		}
		var inner []netip.Prefix
		for _, other := range table[i+1:] {
			if other.Bits() > pre.Bits() && pre.Contains(other.Addr()) {
				inner = append(inner, other.Prefix)
			}
		}
		longest := netset.Prefixes(pre.Prefix).Minus(netset.Prefixes(inner...))
		left := netset.Addrs{} // what it leaves to a pod that a selector names
		if bequeaths(pre.Prefix) && (hasPerhaps || !surely.IsEmpty()) {
			left = netset.Prefixes(pre.Prefix).Minus(netset.Prefixes(pre.except...))
		}
		parts := []part{{longest, alone, cond}}
		if !surely.IsEmpty() {
			parts = append(parts, part{left, chosen, cond.and(full)})
		}
		if hasPerhaps {
			both := longest.Intersect(left)
			parts = append(parts, part{both, either, cond.and(full)}, part{longest.Union(left).Minus(both), either, cond.and(full).and(noLabel)})
		}
		for _, at := range parts {
			if len(pre.grants) == 0 || at.addrs.IsEmpty() {
				continue
			}
			peers := p.blockPeers(at.addrs)
			for _, gr := range pre.grants {
				where := cross(g.rules[gr.rule].rule.judged, []branch{{worlds, Cond{}}})
				for _, m := range within(peers, where) {
					if m.region = at.of(m.region); m.region.IsEmpty() {
						continue
					}
					m.conns, m.cond = gr.conns, m.cond.and(at.cond)
					if !gr.conns.IsEmpty() {
						out[gr.rule] = append(out[gr.rule], m)
					}
					if perhaps := gr.perhaps.Minus(gr.conns); !perhaps.IsEmpty() {
						m.conns, m.cond = perhaps, m.cond.and(otherPods)
						out[gr.rule] = append(out[gr.rule], m)
					}
				}
			}
		}
	}
	for i := range out {
		out[i] = merge(out[i], inRegion)
	}
	return out
}

// unsettledMatches is what the blocks of a group's rules match at most, where it is not known whether all of the rules apply: any of them may add
// an exception that denies what another lets through.
func (p *Program) unsettledMatches(g *group, worlds Worlds) [][]match {
	out := make([][]match, len(g.rules))
	for i, a := range g.rules {
		r := p.ready(a.rule)
		if !p.inTable(r) {
			continue
		}
		blocks := netset.Addrs{}
		if r.AnyPeer {
			blocks = netset.Universe
		}
		for _, peer := range r.Peers {
			if peer.Block != nil && peer.Only == "" {
				blocks = blocks.Union(peer.Block.Addrs())
			}
		}
		conns, perhaps, _ := p.blockPorts(r, g)
		if conns = conns.Union(perhaps); conns.IsEmpty() || blocks.IsEmpty() {
			continue
		}
		for _, m := range within(p.blockPeers(blocks), cross(r.judged, []branch{{worlds, noLabel}})) {
			m.conns = conns
			out[i] = append(out[i], m)
		}
	}
	return out
}

// portsPerBlock is how many ports the plugins hold for one block where the longest decides; 0 for any number.
func (p *Program) portsPerBlock() int {
	limit := 0
	for i, profile := range p.profiles {
		if n := profile.PortsPerBlock; p.says.yes[cni.LongestPrefixDecides].Has(i) && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// portItems is how many ports and ranges the rules of a group name, all together: no pod that they name has more.
func (p *Program) portItems(g *group) int {
	all := map[portItem]bool{}
	for _, a := range g.rules {
		if r := p.ready(a.rule); p.inTable(r) {
			_, _, items := p.blockPorts(r, g)
			for item := range items {
				all[item] = true
			}
		}
	}
	return len(all)
}

func minusCubes(cubes, others []Cube) []Cube {
	return Region{Cubes: cubes}.Minus(Region{Cubes: others}).Cubes
}

// bequeaths reports whether longer prefixes, and addresses that stand for themselves, take over the ports of a prefix. What the agent takes for a
// single address does not: also an IPv6 prefix of 32 bits (pkg/utils, IsNonHostCIDR).
func bequeaths(p netip.Prefix) bool { return p.Bits() != 32 || p.IsSingleIP() }

// prefixesOf makes the table of a group: the prefixes that rules name, and those that only exceptions do, shortest first.
func (p *Program) prefixesOf(g *group) []prefix {
	var named []prefix
	for i, a := range g.rules {
		r := p.ready(a.rule)
		if !p.inTable(r) {
			continue
		}
		conns, perhaps, items := p.blockPorts(r, g)
		if conns.Union(perhaps).IsEmpty() {
			continue
		}
		add := func(cidr netip.Prefix, except []netip.Prefix) {
			named = append(named, prefix{cidr.Masked(), except, []grant{{i, conns, perhaps}}, items})
		}
		if r.AnyPeer {
			add(allIPv4, nil)
			add(allIPv6, nil)
		}
		for _, peer := range r.Peers {
			if peer.Block != nil && peer.Only == "" {
				add(peer.Block.CIDR, peer.Block.Except)
			}
		}
	}
	if named == nil {
		return nil
	}
	slices.SortStableFunc(named, func(a, b prefix) int { return cmp.Compare(a.Bits(), b.Bits()) })
	var table []prefix
	at := map[netip.Prefix]int{}
	excepts := map[netip.Prefix]bool{}
	for _, e := range named {
		for _, x := range e.except {
			excepts[x.Masked()] = true
		}
		if i, ok := at[e.Prefix]; ok {
			table[i].except = append(slices.Clip(table[i].except), e.except...)
			table[i].take(e)
			continue
		}
		own := prefix{Prefix: e.Prefix, except: e.except, items: map[portItem]bool{}}
		own.take(e)
		for _, around := range table {
			if around.Bits() < e.Bits() && around.Contains(e.Addr()) && around.Bits() != 32 &&
				!slices.ContainsFunc(around.except, func(x netip.Prefix) bool { return x.Contains(e.Addr()) }) {
				own.take(around)
			}
		}
		at[e.Prefix] = len(table)
		table = append(table, own)
	}
	for x := range excepts {
		if _, ok := at[x]; !ok {
			table = append(table, prefix{Prefix: x})
		}
	}
	slices.SortFunc(table, func(a, b prefix) int { return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Addr().Compare(b.Addr())) })
	return table
}

// inTable reports whether a rule counts where the longest block decides.
func (p *Program) inTable(r *ruleIn) bool {
	return r.Action == policy.Allow && slices.ContainsFunc(r.judged, func(b branch) bool { return b.worlds&p.says.yes[cni.LongestPrefixDecides] != 0 })
}

// maxGrants is how many rules are told apart that let something through to one prefix.
const maxGrants = 16

// take adds what another prefix lets through.
func (p *prefix) take(o prefix) {
	for _, gr := range o.grants {
		if i := slices.IndexFunc(p.grants, func(own grant) bool { return own.rule == gr.rule }); i >= 0 {
			p.grants[i].conns = p.grants[i].conns.Union(gr.conns)
			p.grants[i].perhaps = p.grants[i].perhaps.Union(gr.perhaps)
		} else if n := len(p.grants); n < maxGrants {
			p.grants = append(p.grants, gr)
		} else { // who of so many rules it was does not matter any more
			p.grants[n-1].conns = p.grants[n-1].conns.Union(gr.conns)
			p.grants[n-1].perhaps = p.grants[n-1].perhaps.Union(gr.perhaps)
		}
	}
	for item := range o.items {
		p.items[item] = true
	}
}

var allIPv4, allIPv6 = netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")

// blockPorts is the connections that a rule's blocks let through: port names are resolved for ingress only, and over all pods that the policy
// selects, of which those of the group are some.
func (p *Program) blockPorts(r *ruleIn, g *group) (conns, perhaps netset.Conns, items map[portItem]bool) {
	conns, items = r.numbers, map[portItem]bool{}
	if r.AnyPort {
		items[portItem{}] = true
	}
	for _, port := range r.Ports {
		if port.Name == "" {
			items[portItem{port.Protocol, port.Lo, port.Hi}] = true
		} else if r.Dir == policy.Ingress && g.like != nil {
			for _, b := range p.numbers(r, portName{port.Protocol, port.Name}, g) {
				if b.worlds&p.says.yes[cni.LongestPrefixDecides] == 0 {
					continue
				}
				one := netset.ConnsOf(port.Protocol, netset.PortRange(b.port, b.port))
				if items[portItem{port.Protocol, b.port, b.port}] = true; b.cond.IsZero() {
					conns = conns.Union(one)
				} else {
					perhaps = perhaps.Union(one)
				}
			}
		}
	}
	return conns, perhaps.Minus(conns), items
}

// namedPods returns the ends that some selector of a group's rules names, and those that one perhaps does.
func (p *Program) namedPods(g *group, worlds Worlds) (surely, perhaps Region) {
	var sure, may []Region
	for _, a := range g.rules {
		r := p.ready(a.rule)
		if r.Action != policy.Allow || r.AnyPeer {
			continue
		}
		for _, m := range r.peers {
			if m.worlds&worlds == 0 || m.region.IDs.IsEmpty() && m.region.Cubes == nil {
				continue
			}
			if m.cond.IsZero() && a.certainty == certain {
				sure = append(sure, m.region)
			} else {
				may = append(may, m.region)
			}
		}
		for _, m := range p.matchingServices(r.Rule) {
			if m.worlds&worlds != 0 && m.cond.IsZero() && a.certainty == certain {
				sure = append(sure, m.region)
			} else {
				may = append(may, m.region)
			}
		}
	}
	return disjointUnion(sure), disjointUnion(may)
}

// disjointUnion joins regions whose cubes may overlap.
func disjointUnion(regions []Region) Region {
	var out Region
	for _, r := range regions {
		out = out.union(Region{IDs: r.IDs, Addrs: r.Addrs, Cubes: minusCubes(r.Cubes, out.Cubes)})
	}
	return out
}
