package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Where the longest block decides (the AWS network policy agent,
// pkg/fwruleprocessor/fw_rule_processor.go), the blocks of all rules that apply to a pod become one
// table of prefixes. A prefix lets through its own ports and those of shorter prefixes around it
// that do not except it; an exception that no rule names too lets nothing through; of the prefixes
// around an address only the longest counts. A pod that a selector names is a prefix of its own.

// grant says that a prefix lets through some connections because of a rule, an index into the
// group's rules, if when holds.
type grant struct {
	rule  int
	conns netset.Conns
	when  when.When
}

// prefix is an entry of such a table.
type prefix struct {
	netip.Prefix
	except []netip.Prefix
	grants []grant
	items  map[portItem]bool // the ports and ranges it holds, as written
}

// portItem is one of the entries of which a plugin holds a limited number for each block; the zero
// value is every port.
type portItem struct {
	protocol netset.Protocol
	lo, hi   netset.Port
}

// keeps is the condition under which an entry with more ports than the CNI holds has the one in
// question.
func (p *Program) keeps(d policy.Direction, entry string) when.When {
	return p.asks.ask(fmt.Sprintf("kept port: %s of %s, %s", d, endName(ownEnd(d)), entry), ownEnd(d), 0,
		"the CNI keeps this port for "+entry+", which has more ports than it can hold", "the CNI drops this port for "+entry+", which has more ports than it can hold")
}

// IsKeptPort picks the questions which ports a CNI keeps that holds a limited number.
func IsKeptPort(q *when.Question) bool { return strings.HasPrefix(q.ID, "kept port: ") }

// keptOfPods is [Program.keeps] for the pods that selectors of a group name.
func (p *Program) keptOfPods(g *group) when.When {
	limit, longest := p.portsPerBlock(), p.says.yes[cni.LongestPrefixDecides]
	if limit == 0 || longest == 0 || p.portItems(g) <= limit {
		return when.Always
	}
	return p.keeps(g.dir, "a pod that a selector names").Or(p.asks.on(longest).Not())
}

// part is addresses in which a prefix decides for some of the ends that may have them, under a
// condition.
type part struct {
	addrs netset.Addrs
	of    func(Region) Region
	when  when.When
}

// longestMatches returns what the blocks of a group's rules match where the longest block decides,
// by rule; nil if no CNI works so.
func (p *Program) longestMatches(g *group) [][]match {
	worlds := p.says.yes[cni.LongestPrefixDecides]
	if worlds == 0 {
		return nil
	}
	table := p.prefixesOf(g)
	if table == nil {
		return nil
	}
	if slices.ContainsFunc(g.rules, func(a applied) bool { return a.sure != certain && p.inTable(p.ready(a.rule)) }) {
		return p.unsettledMatches(g, worlds)
	}
	limit, end := p.portsPerBlock(), peerEnd(g.dir)
	out := make([][]match, len(g.rules))
	surely, perhaps := p.namedPods(g, worlds)
	named := surely.union(Region{IDs: perhaps.IDs, Addrs: perhaps.Addrs, Cubes: minusCubes(perhaps.Cubes, surely.Cubes)})
	alone := func(r Region) Region { return r.Minus(named) }                      // what no selector names
	chosen := func(r Region) Region { return r.Intersect(surely) }                // what some selector names
	either := func(r Region) Region { return r.Intersect(perhaps).Minus(surely) } // what some selector perhaps names
	pods := p.keptOfPods(g)
	hasPerhaps := !perhaps.Minus(surely).IsEmpty()
	for i := range table {
		pre := &table[i]
		kept := when.Always
		if limit > 0 && len(pre.items) > limit {
			kept = p.keeps(g.dir, pre.String())
		}
		var inner []netip.Prefix
		for _, other := range table[i+1:] {
			if other.Bits() > pre.Bits() && pre.Contains(other.Addr()) {
				inner = append(inner, other.Prefix)
			}
		}
		longest := netset.Prefixes(pre.Prefix).Minus(netset.Prefixes(inner...))
		left := netset.Addrs{} // what it leaves to a pod that a selector names
		if inherits(pre.Prefix) && (hasPerhaps || !surely.IsEmpty()) {
			left = netset.Prefixes(pre.Prefix).Minus(netset.Prefixes(pre.except...))
		}
		parts := []part{{longest, alone, kept}}
		if !surely.IsEmpty() {
			parts = append(parts, part{left, chosen, kept.And(pods)})
		}
		if hasPerhaps {
			both := longest.Intersect(left)
			parts = append(parts, part{both, either, kept.And(pods)},
				part{longest.Minus(both), either, kept.And(pods).Minus(p.someNames(g, end))}, part{left.Minus(both), either, kept.And(pods).And(p.someNames(g, end))})
		}
		for _, at := range parts {
			if len(pre.grants) == 0 || at.addrs.IsEmpty() {
				continue
			}
			peers := p.blockPeers(at.addrs, end)
			for _, gr := range pre.grants {
				where := at.when.And(gr.when).And(p.asks.on(worlds)).And(g.rules[gr.rule].rule.judged)
				for _, m := range within(peers, where) {
					m.ends, m.conns = at.of(m.ends), gr.conns
					out[gr.rule] = append(out[gr.rule], m)
				}
			}
		}
	}
	for i := range out {
		out[i] = joined(out[i])
	}
	return out
}

// someNames is the condition that some selector of a group's rules names an end, where that is not
// certain.
func (p *Program) someNames(g *group, end when.End) when.When {
	return p.asks.ask(fmt.Sprintf("named by a rule: %s of %s", g.dir, endName(end)), end, 0, "a selector of the same policies names "+word(end), "no selector of the same policies names "+word(end))
}

// unsettledMatches is what the blocks of a group's rules match at most, where it is not known
// whether all of the rules apply: any of them may add an exception that denies what another lets
// through.
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
			if peer.Block != nil && peer.If == nil {
				blocks = blocks.Union(netset.Prefixes(peer.Block.CIDR)) // its exceptions too may get its ports, by a prefix between them
			}
		}
		if blocks.IsEmpty() {
			continue
		}
		ports, _ := p.blockPorts(r, g)
		undenied := p.asks.ask(r.scope+": no exception of another rule", ownEnd(r.Dir), r.rank,
			"no policy that may select "+word(ownEnd(r.Dir))+" makes an exception of the address", "a policy that may select "+word(ownEnd(r.Dir))+" makes an exception of the address")
		for _, port := range ports {
			for _, m := range within(p.blockPeers(blocks, peerEnd(r.Dir)), r.judged.And(p.asks.on(worlds)).And(undenied).And(port.when)) {
				m.conns = port.conns
				out[i] = append(out[i], m)
			}
		}
	}
	return out
}

// portsPerBlock is how many ports the plugins hold for one block where the longest decides; 0 for
// any number.
func (p *Program) portsPerBlock() int {
	limit := 0
	for i, profile := range p.profiles {
		if n := profile.PortsPerBlock; p.says.yes[cni.LongestPrefixDecides].Has(i) && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// portItems is how many ports and ranges the rules of a group name, all together: no pod that they
// name has more.
func (p *Program) portItems(g *group) int {
	all := map[portItem]bool{}
	for _, a := range g.rules {
		if r := p.ready(a.rule); p.inTable(r) {
			_, items := p.blockPorts(r, g)
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

// inherits reports whether longer prefixes inside p also get p's ports. The agent does not pass on
// the ports of a single address, and takes an IPv6 /32 for one (pkg/utils, IsNonHostCIDR).
func inherits(p netip.Prefix) bool { return p.Bits() != 32 || p.IsSingleIP() }

// prefixesOf makes the table of a group: the prefixes that rules name, and those that only
// exceptions do, shortest first.
func (p *Program) prefixesOf(g *group) []prefix {
	var named []prefix
	for i, a := range g.rules {
		r := p.ready(a.rule)
		if !p.inTable(r) {
			continue
		}
		ports, items := p.blockPorts(r, g)
		var grants []grant
		for _, port := range ports {
			grants = append(grants, grant{i, port.conns, port.when})
		}
		if grants == nil {
			continue
		}
		add := func(cidr netip.Prefix, except []netip.Prefix) {
			named = append(named, prefix{cidr.Masked(), except, grants, items})
		}
		if r.AnyPeer {
			add(allIPv4, nil)
			add(allIPv6, nil)
		}
		for _, peer := range r.Peers {
			if peer.Block != nil && peer.If == nil {
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
	return r.Action == policy.Allow && r.judged.Overlaps(p.asks.on(p.says.yes[cni.LongestPrefixDecides]))
}

// maxGrants is how many rules are told apart that let something through to one prefix.
const maxGrants = 16

// take adds what another prefix lets through.
func (p *prefix) take(o prefix) {
	for _, gr := range o.grants {
		i := slices.IndexFunc(p.grants, func(own grant) bool { return own.rule == gr.rule && own.when.Equal(gr.when) })
		if i < 0 && len(p.grants) >= maxGrants { // who of so many rules it was does not matter any more
			i = slices.IndexFunc(p.grants, func(own grant) bool { return own.when.Equal(gr.when) })
		}
		if i >= 0 {
			p.grants[i].conns = p.grants[i].conns.Union(gr.conns)
		} else {
			p.grants = append(p.grants, gr)
		}
	}
	for item := range o.items {
		p.items[item] = true
	}
}

var allIPv4, allIPv6 = netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")

// portsIf is connections that hold if when does.
type portsIf struct {
	conns netset.Conns
	when  when.When
}

// blockPorts is the connections that a rule's blocks let through: port names are resolved for
// ingress only, and over all pods that the policy selects, of which those of the group are some.
func (p *Program) blockPorts(r *ruleIn, g *group) (ports []portsIf, items map[portItem]bool) {
	certain := r.numbers
	items = map[portItem]bool{}
	if r.AnyPort {
		items[portItem{}] = true
	}
	longest := p.asks.on(p.says.yes[cni.LongestPrefixDecides])
	for _, port := range r.Ports {
		if port.Name == "" {
			items[portItem{port.Protocol, port.Lo, port.Hi}] = true
			continue
		}
		if r.Dir != policy.Ingress || g.like == nil {
			continue
		}
		for _, n := range p.numbers(r, portName{port.Protocol, port.Name}, g) {
			one := netset.ConnsOf(port.Protocol, netset.PortRange(n.port, n.port))
			items[portItem{port.Protocol, n.port, n.port}] = true
			if where := n.when.Assume(longest); where.IsAlways() {
				certain = certain.Union(one)
			} else {
				ports = append(ports, portsIf{one, where})
			}
		}
	}
	if !certain.IsEmpty() {
		ports = append([]portsIf{{conns: certain}}, ports...)
	}
	return ports, items
}

// namedPods returns the ends that some selector of a group's rules names, and those that one
// perhaps does.
func (p *Program) namedPods(g *group, worlds Worlds) (surely, perhaps Region) {
	var sure, may []Region
	longest := p.asks.on(worlds)
	for _, a := range g.rules {
		r := p.ready(a.rule)
		if r.Action != policy.Allow || r.AnyPeer {
			continue
		}
		named := r.peers
		if r.Dir == policy.Egress {
			named = slices.Concat(named, p.matchingServices(r))
		}
		for _, m := range named {
			if m.ends.IDs.IsEmpty() && m.ends.Cubes == nil || !m.when.Overlaps(longest) {
				continue
			}
			certainly := Region{}
			if a.sure == certain {
				certainly = p.certainly(m, longest)
			}
			sure, may = append(sure, certainly), append(may, m.ends.Minus(certainly))
		}
	}
	return disjointUnion(sure), disjointUnion(may)
}

// certainly is the ends that m matches over every family in which they have addresses, where care
// holds.
func (p *Program) certainly(m match, care when.When) Region {
	over := func(state [2]AddrState) bool {
		return !slices.ContainsFunc(Families[:], func(f Family) bool { return state[f] != NoAddr && !m.when.Assume(care.And(p.asks.over(f))).IsAlways() })
	}
	var out Region
	for _, e := range p.existing {
		if over(e.state) {
			out.IDs = out.IDs.Union(m.ends.IDs.Intersect(e.ids))
		}
	}
	if over(p.states) {
		out.Cubes = m.ends.Cubes
	}
	for _, f := range Families {
		var state [2]AddrState
		if state[f] = Has; over(state) {
			out.Addrs = out.Addrs.Union(m.ends.Addrs.Intersect(familySpace[f]))
		}
	}
	return out
}

// disjointUnion joins regions whose cubes may overlap.
func disjointUnion(regions []Region) Region {
	var out Region
	for _, r := range regions {
		out = out.union(Region{IDs: r.IDs, Addrs: r.Addrs, Cubes: minusCubes(r.Cubes, out.Cubes)})
	}
	return out
}
