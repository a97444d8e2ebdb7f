package reach

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// everyone is every end, also pods that do not exist.
func (p *Program) everyone() Region {
	r := p.Everything()
	r.Cubes = everyPod
	return r
}

var everyPod = []Cube{{}}

// always is what matches a region in every world.
func always(ends Region) []match { return []match{{ends: ends}} }

// peersOf resolves the peers of a rule to regions. Where the longest block decides, blocks are left
// out; see [Program.longestMatches].
func (p *Program) peersOf(r *ruleIn) []match {
	union := p.asks.on(p.all &^ p.says.yes[cni.LongestPrefixDecides])
	end := peerEnd(r.Dir)
	if r.AnyPeer {
		out := always(p.everyone())
		if r.Action == policy.Allow {
			return within(out, union)
		}
		return out
	}
	var out []match
	var blocks []netset.Addrs
	for i := range r.Peers {
		peer := &r.Peers[i]
		if peer.Block != nil && peer.If == nil {
			blocks = append(blocks, peer.Block.Addrs())
			continue
		}
		where := p.asks.only(peer.If, r.scope+" peer "+strconv.Itoa(i), r.rank, end)
		out = append(out, within(p.peer(peer, end), where)...)
		if r.plain && excludes(peer) {
			unlabelled := Region{IDs: p.Everything().IDs.Minus(p.Pods().Minus(p.hosts)), Addrs: netset.Universe}
			out = append(out, within(always(unlabelled), where.And(p.says.where[cni.NegativeSelectorsMatchAll]))...)
		}
	}
	if blocks != nil {
		all := netset.Union(blocks...)
		out = append(out, within(p.blockPeers(all, end), union)...)
		if r.Dir == policy.Ingress {
			out = append(out, within(p.masked(all), union)...)
		}
	}
	return out
}

// excludes reports whether a peer selects by labels that must not be there, and by no other: what
// has no labels at all satisfies it too.
func excludes(peer *policy.Peer) bool {
	if peer.NS == nil || len(peer.NS.Keys()) == 0 {
		return false
	}
	for _, sel := range []*label.Selector{peer.NS, peer.Pod} {
		if slices.ContainsFunc(sel.Keys(), func(key string) bool { return !sel.On(key).AllowsAbsent() }) {
			return false
		}
	}
	return true
}

// peer resolves one peer at an end.
func (p *Program) peer(peer *policy.Peer, end when.End) []match {
	switch {
	case peer.Block != nil:
		return p.blockPeers(peer.Block.Addrs(), end)
	case peer.NS != nil:
		var out []match
		for _, v := range p.variants(*peer.Pod) {
			out = append(out, within(p.selectorPeer(*peer.NS, v.pod, end), v.where)...)
		}
		return out
	case peer.Node != nil:
		return p.nodePeers(*peer.Node, end)
	case peer.Entity != policy.NoEntity:
		return p.entity(peer.Entity, end)
	case peer.Name != "":
		return p.namePeer(peer.Name, end)
	case peer.Service != nil:
		return p.servicePeer(peer.Service, end)
	}
	return nil
}

// selectorPeer resolves a peer of pods. Peers that reach over namespaces are few and repeated in
// many, so they are kept.
func (p *Program) selectorPeer(ns, pod label.Selector, end when.End) []match {
	if names, others := ns.On(label.MetadataName).Listed(); len(names) > 0 && !others {
		return p.resolvePeer(ns, pod, end)
	}
	key := selectedID(end, ns, pod)
	if kept, ok := p.peers.Load(key); ok {
		return kept.([]match)
	}
	out := p.resolvePeer(ns, pod, end)
	p.peers.Store(key, out)
	return out
}

func (p *Program) resolvePeer(ns, pod label.Selector, end when.End) []match {
	sel := p.choose(ns, pod)
	var out []match
	add := func(ids netset.IDs, where when.When) {
		if !ids.IsEmpty() && !where.IsNever() {
			out = append(out, match{ends: Region{IDs: ids}, when: where})
		}
	}
	certainly := Region{IDs: sel.must.Minus(p.hosts).Minus(p.sharing)}
	if !ns.IsEmpty() && !pod.IsEmpty() {
		certainly.Cubes = []Cube{{ns, pod}}
	}
	out = append(out, match{ends: certainly})
	add(sel.perhaps.Minus(p.hosts).Minus(p.sharing), p.asks.selected(end, ns, pod))
	out = append(out, p.sharedPeers(ns, pod, sel, end)...)
	if !p.hosts.Overlaps(sel.may()) {
		return out
	}
	matched := p.says.where[cni.SelectorsMatchHost]
	add(sel.must.Intersect(p.hosts), matched)
	add(sel.perhaps.Intersect(p.hosts), matched.And(p.asks.selected(end, ns, pod)))
	if !matched.IsNever() { // the address that such a pod is matched by is its node's
		shares := p.asks.ask("shares the address of a host pod: "+selectedID(end, ns, pod), end, 0,
			word(end)+" has the address of a pod on the host network that a policy names", word(end)+" has no address of a pod on the host network that a policy names")
		add(p.local, matched.And(shares))
		if yes := p.says.yes[cni.SelectorsMatchHost] & p.says.yes[cni.LongestPrefixDecides]; yes != 0 {
			at := p.addrsOf(sel.must.Intersect(p.hosts))
			for _, m := range p.knownIn(at) {
				add(p.entirelyIn(m.ends.IDs, at), p.asks.on(yes).And(m.when))
			}
			out = append(out, match{ends: Region{Addrs: at}, when: p.asks.on(yes)})
		}
	}
	return out
}

// addrsOf is the known addresses of holders.
func (g *Ground) addrsOf(ids netset.IDs) netset.Addrs {
	var all []netip.Addr
	for run := range ids.Runs() {
		for id := run.Lo; id <= run.Hi; id++ {
			for _, a := range g.holders[id].Addrs {
				if a.State == KnownAddr {
					all = append(all, a.Addr)
				}
			}
			all = append(all, g.holders[id].others...)
		}
	}
	return netset.Points(all...)
}

// entirelyIn is those of ids that have no other known address than those in addrs: the pods of a
// hostNetwork class run on several nodes.
func (g *Ground) entirelyIn(ids netset.IDs, addrs netset.Addrs) netset.IDs {
	var out []netset.ID
	for run := range ids.Runs() {
		for id := run.Lo; id <= run.Hi; id++ {
			if !slices.ContainsFunc(g.holders[id].others, func(a netip.Addr) bool { return !addrs.Contains(a) }) {
				out = append(out, id)
			}
		}
	}
	return netset.Points(out...)
}

// smallBlock is up to how many addresses a block is asked whether others have all of them already,
// so that nothing unknown can be in it.
const smallBlock = 4096

// knownIn matches the holders whose known address lies in addrs, over the family of that address.
func (p *Program) knownIn(addrs netset.Addrs) []match {
	var at [2]netset.IDs
	for _, f := range Families {
		at[f] = p.KnownIn(addrs.Intersect(familySpace[f]))
	}
	both := at[IPv4].Intersect(at[IPv6])
	out := always(Region{IDs: both})
	for _, f := range Families {
		out = append(out, match{ends: Region{IDs: at[f].Minus(both)}, when: p.asks.over(f)})
	}
	return slices.DeleteFunc(out, func(m match) bool { return m.ends.IsEmpty() })
}

// blockPeers resolves addresses as policies name them: the addresses themselves, holders whose
// address is known and in one, and those of which they hold all or part of where they may be.
func (p *Program) blockPeers(addrs netset.Addrs, end when.End) []match {
	out := p.bareAddrs(addrs, end)
	for _, m := range p.holdersIn(addrs, end) {
		out = append(out, p.byAddress(m, end)...)
	}
	return out
}

// holdersIn matches the holders whose address is known and in addrs, and those of which addrs hold
// all or part of where they may be.
func (p *Program) holdersIn(addrs netset.Addrs, end when.End) []match {
	out := p.knownIn(addrs)
	for k := range kinds {
		where := [2]when.When{when.Never, when.Never}
		for _, f := range Families {
			within := addrs.Intersect(p.areas[k][f].all)
			if !k.shares() && netset.Size(within) <= smallBlock {
				within = within.Minus(p.taken)
			}
			where[f] = p.asks.over(f).And(p.addressIn(end, k, f, within))
		}
		for _, part := range p.unknownAddrs[k].parts() {
			at := match{ends: Region{IDs: part.ids}, when: when.Never}
			for f, has := range part.unknown {
				if has {
					at.when = at.when.Or(where[f])
				}
			}
			if k == ofPods && part.unknown == [2]bool{true, true} { // addresses of pods that do not exist are not known either
				at.ends.Cubes = everyPod
			}
			if !at.when.IsNever() {
				out = append(out, at)
			}
		}
	}
	return out
}

// masked returns the nodes that blocks of ingress rules match because what they send comes from
// another address of theirs, in the pods' range.
func (p *Program) masked(addrs netset.Addrs) []match {
	var out []match
	for _, f := range Families {
		where := p.says.where[cni.NodesUsePodRange]
		for _, at := range p.areas[ofPods][f].by {
			if on := where.And(p.asks.on(at.on)); !on.IsNever() && addrs.Overlaps(at.addrs) {
				from := p.asks.maskedAddress(f, at).In(addrs)
				out = append(out, match{ends: Region{IDs: p.local}, when: on.And(p.asks.over(f)).And(from)})
			}
		}
	}
	return out
}

// bareAddrs returns what blocks match of addresses that nothing in the input has. Some are known to
// be each node's own.
func (p *Program) bareAddrs(addrs netset.Addrs, end when.End) []match {
	onNode := addrs.Intersect(special.OnNode)
	if onNode.IsEmpty() || p.says.yes[cni.BlocksMatchNodes] == p.all {
		return always(Region{Addrs: addrs})
	}
	elsewhere := p.asks.node(end, anyNode, otherNode|noNode)
	return append(always(Region{Addrs: addrs.Minus(onNode)}), match{ends: Region{Addrs: onNode}, when: p.says.where[cni.BlocksMatchNodes].Or(elsewhere)})
}

// byAddress returns what blocks match of the holders that m is about, whose addresses are in one if
// m holds: pods and nodes only where the plugin takes them by their addresses.
func (p *Program) byAddress(m match, end when.End) []match {
	pods := p.Pods()
	nodes := m.ends.IDs.Intersect(p.local.Union(p.apiPerhapsOnNode))
	perhaps := nodes.Intersect(p.apiPerhapsOnNode)
	byNodes := p.says.where[cni.BlocksMatchNodes]
	var out []match
	for _, part := range []match{
		{ends: Region{IDs: m.ends.IDs.Intersect(pods).Minus(nodes), Cubes: m.ends.Cubes}, when: p.says.where[cni.BlocksMatchPods]},
		{ends: Region{IDs: m.ends.IDs.Minus(pods).Minus(nodes)}},
		{ends: Region{IDs: nodes.Minus(perhaps)}, when: byNodes},
		{ends: Region{IDs: perhaps}, when: byNodes.Or(p.asks.node(end, anyNode, noNode))},
	} {
		if part.when = part.when.And(m.when); !part.ends.IsEmpty() && !part.when.IsNever() {
			out = append(out, part)
		}
	}
	return out
}

// anyNode is every answer to the question on which node an end is; aNode those for what certainly
// is on one.
const (
	aNode   = ownNode | otherNode
	anyNode = aNode | noNode
)

// onNode matches what runs on nodes, where it is on one of in.
func (p *Program) onNode(end when.End, in uint64) []match {
	return []match{
		{ends: Region{IDs: p.local.Minus(p.apiPerhapsOnNode)}, when: p.asks.node(end, aNode, in)},
		{ends: Region{IDs: p.apiPerhapsOnNode}, when: p.asks.node(end, anyNode, in)},
	}
}

// bareNode matches private addresses that the input gives to nothing, where a node has them: one of
// in.
func (p *Program) bareNode(end when.End, in uint64) []match {
	var out []match
	for _, f := range Families {
		for _, at := range p.areas[ofNodes][f].by {
			out = append(out, match{ends: Region{Addrs: at.addrs.Intersect(special.Plan)}, when: p.asks.on(at.on).And(p.asks.node(end, anyNode, in))})
		}
	}
	return out
}

// entity resolves a part of the world that a policy names (Cilium
// Documentation/security/policy/layer3.rst, "Entities Based").
func (p *Program) entity(e policy.Entity, end when.End) []match {
	switch e {
	case policy.All:
		return always(p.everyone())
	case policy.Cluster:
		return always(Region{IDs: p.Everything().IDs.Minus(p.frontendIDs), Cubes: everyPod})
	case policy.World:
		return p.outside(end, netset.Universe, when.Always)
	case policy.WorldIPv4:
		return p.outside(end, familySpace[IPv4], p.asks.over(IPv4))
	case policy.WorldIPv6:
		return p.outside(end, familySpace[IPv6], p.asks.over(IPv6))
	case policy.Host:
		link := match{ends: Region{Addrs: special.LinkLocal}, when: p.asks.node(end, anyNode, ownNode)}
		return slices.Concat(p.onNode(end, ownNode), p.bareNode(end, ownNode), []match{link})
	case policy.RemoteNode:
		return slices.Concat(p.onNode(end, otherNode), p.bareNode(end, otherNode))
	case policy.APIServer:
		return p.apiServer(end)
	}
	return nil
}

// outside is what is not in the cluster: addresses, Services, and an API server that is no node,
// over the families of where.
func (p *Program) outside(end when.End, addrs netset.Addrs, where when.When) []match {
	return []match{
		{ends: Region{Addrs: addrs}},
		{ends: Region{IDs: p.endpoints.Minus(p.local).Minus(p.apiPerhapsOnNode).Union(p.frontendIDs)}, when: where},
		{ends: Region{IDs: p.apiPerhapsOnNode}, when: where.And(p.asks.node(end, anyNode, noNode))},
	}
}

// apiServer is what the API server answers on. Where that is the address of a node, it is the whole
// node, with what runs on its network.
func (p *Program) apiServer(end when.End) []match {
	at := p.addrsOf(p.endpoints)
	out := append(p.knownIn(at), always(Region{IDs: p.endpoints, Addrs: at})...)
	if perhaps := p.unshown(p.local); !perhaps.IsEmpty() {
		on := p.asks.ask("node of the API server: "+endName(end), end, 0, word(end)+" is on a node that the API server runs on", word(end)+" is on a node that the API server does not run on")
		out = append(out, match{ends: Region{IDs: perhaps}, when: on})
	}
	return out
}

// unshown returns those of ids whose address the input does not show.
func (g *Ground) unshown(ids netset.IDs) netset.IDs {
	var known []netset.ID
	for _, h := range g.known {
		known = append(known, h.id)
	}
	return ids.Minus(netset.Points(known...))
}

// nodePeers resolves nodes by their labels. Of pods on the host network it is not known on which
// node they run.
func (p *Program) nodePeers(sel label.Selector, end when.End) []match {
	var must, may []netset.ID
	for n := p.classes; n < len(p.holders); n++ {
		h := &p.holders[n]
		if h.Kind != Node {
			continue
		}
		all, some := true, true
		if h.Node >= 0 {
			all, some = sel.Match(p.Snapshot.Nodes[h.Node].Labels)
		} else {
			all = sel.SelectsAll()
		}
		switch {
		case all:
			must = append(must, netset.ID(n))
		case some:
			may = append(may, netset.ID(n))
		}
	}
	others := netset.Points(may...).Union(p.local.Minus(p.nodes))
	labelled := p.asks.ask("labels of the node of "+endName(end)+": "+sel.String(), end, 0,
		word(end)+" is on a node with "+sel.String(), word(end)+" is on no node with "+sel.String())
	perhaps := others.Intersect(p.apiPerhapsOnNode)
	return []match{
		{ends: Region{IDs: netset.Points(must...)}, when: p.asks.node(end, aNode, otherNode)},
		{ends: Region{IDs: others.Minus(perhaps)}, when: p.asks.node(end, aNode, otherNode).And(labelled)},
		{ends: Region{IDs: perhaps}, when: p.asks.node(end, anyNode, otherNode).And(labelled)},
	}
}

// servicePeer resolves Services: to the pods behind them, or where they select none, to the
// addresses of their endpoints.
func (p *Program) servicePeer(peer *policy.ServicePeer, end when.End) []match {
	var out []match
	found := false
	for i := range p.Snapshot.Services {
		svc := &p.Snapshot.Services[i]
		if peer.Namespace != "" && svc.Namespace != peer.Namespace || peer.Name != "" && svc.Name != peer.Name {
			continue
		}
		if peer.Labels != nil {
			if must, _ := peer.Labels.Match(label.Known(svc.Labels)); !must {
				continue
			}
		}
		found = true
		if svc.Selector != nil {
			out = append(out, p.resolvePeer(label.Named(svc.Namespace), *svc.Selector, end)...)
			continue
		}
		var blocks netset.Addrs
		for _, e := range svc.Endpoints {
			blocks = blocks.Union(netset.Points(e.Addr.Unmap()))
		}
		if !blocks.IsEmpty() {
			out = append(out, always(Region{Addrs: blocks})...)
			for _, m := range p.knownIn(blocks) {
				out = append(out, p.byAddress(m, end)...)
			}
		} else {
			name := svc.Namespace + "/Service/" + svc.Name
			behind := p.asks.ask("endpoint "+endName(end)+" of "+name, end, 0,
				word(end)+" is an endpoint of "+name+", which the input does not show", word(end)+" is no endpoint of "+name)
			out = append(out, within(p.outside(end, netset.Universe, when.Always), behind)...)
		}
	}
	if !found || peer.Name == "" { // others may be in the cluster
		labels := ""
		if peer.Labels != nil {
			labels = peer.Labels.String()
		}
		behind := p.asks.ask(strings.Join([]string{"behind a Service:", endName(end), peer.Namespace, peer.Name, labels}, " "), end, 0,
			word(end)+" is behind a Service that a policy names and the input does not show", word(end)+" is behind no Service that a policy names and the input does not show")
		out = append(out, within(always(p.everyone()), behind)...)
	}
	return out
}
