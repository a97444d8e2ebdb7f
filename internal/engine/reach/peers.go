package reach

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// everyone is every end, also pods that do not exist.
func (p *Program) everyone() Region {
	r := p.Everything()
	r.Cubes = cubesOf(label.Selector{}, label.Selector{})
	return r
}

// peersOf resolves the peers of a rule to regions. Where the longest block decides, blocks are left out; see [Program.longestMatches].
func (p *Program) peersOf(r *policy.Rule) []match {
	union := p.all &^ p.says.yes[cni.LongestPrefixDecides]
	if r.AnyPeer {
		worlds := p.all
		if r.Action == policy.Allow {
			worlds = union
		}
		return []match{{box: box{region: p.everyone(), worlds: worlds}}}
	}
	var out []match
	var blocks []netset.Addrs
	var entities []policy.Entity
	for i := range r.Peers {
		switch peer := &r.Peers[i]; {
		case peer.Only != "":
			out = append(out, within(p.peer(peer), []branch{{p.all, onlyIf(peer.Only)}})...)
		case peer.Block != nil:
			blocks = append(blocks, peer.Block.Addrs())
		case peer.Entity != policy.NoEntity && peer.Node == nil:
			entities = append(entities, peer.Entity)
		default:
			out = append(out, p.peer(peer)...)
		}
	}
	if slices.Contains(entities, policy.Host) && slices.Contains(entities, policy.RemoteNode) { // every node, whichever it is
		out = append(out, p.anyNode()...)
		entities = slices.DeleteFunc(entities, func(e policy.Entity) bool { return e == policy.Host || e == policy.RemoteNode })
	}
	for _, e := range entities {
		out = append(out, p.entity(e)...)
	}
	if blocks != nil {
		all := netset.Union(blocks...)
		out = append(out, within(p.blockPeers(all), []branch{{union, Cond{}}})...)
		if r.Dir == policy.Ingress {
			out = append(out, within(p.masked(all), []branch{{union, Cond{}}})...)
		}
	}
	return out
}

// peer resolves one peer.
func (p *Program) peer(peer *policy.Peer) []match {
	switch {
	case peer.Block != nil:
		return p.blockPeers(peer.Block.Addrs())
	case peer.NS != nil:
		var out []match
		for _, v := range p.variants(*peer.Pod) {
			out = append(out, within(p.selectorPeer(*peer.NS, v.pod), v.where)...)
		}
		return out
	case peer.Node != nil:
		return p.nodePeers(*peer.Node)
	case peer.Entity != policy.NoEntity:
		return p.entity(peer.Entity)
	case peer.Name != "":
		return p.namePeer(peer.Name)
	case peer.Service != nil:
		return p.servicePeer(peer.Service)
	}
	return nil
}

// selectorPeer resolves a peer of pods. Peers that reach over namespaces are few and repeated in many, so they are kept.
func (p *Program) selectorPeer(ns, pod label.Selector) []match {
	if names, others := ns.On(label.MetadataName).Listed(); len(names) > 0 && !others {
		return p.resolvePeer(ns, pod)
	}
	key := ns.String() + "\x00" + pod.String()
	if kept, ok := p.peers.Load(key); ok {
		return kept.([]match)
	}
	out := p.resolvePeer(ns, pod)
	p.peers.Store(key, out)
	return out
}

func (p *Program) resolvePeer(ns, pod label.Selector) []match {
	sel := p.choose(ns, pod)
	certainly := Region{IDs: p.inBoth(sel.must.Minus(p.hosts))}
	if !ns.IsEmpty() && !pod.IsEmpty() {
		certainly.Cubes = cubesOf(ns, pod)
	}
	out := []match{{box: box{region: certainly, worlds: p.all}}}
	perhaps := func(ids netset.IDs, where branch) {
		if !ids.IsEmpty() {
			out = append(out, match{box{region: Region{IDs: p.inBoth(ids)}, worlds: where.worlds}, where.cond})
		}
	}
	perhaps(sel.unlabelled.Minus(p.hosts), branch{p.all, noNamespace})
	perhaps(sel.unsettled.Minus(p.hosts), branch{p.all, noLabel})
	if !p.hosts.Overlaps(sel.may()) {
		return out
	}
	for _, b := range p.says.where(cni.SelectorsMatchHost) {
		perhaps(sel.must.Intersect(p.hosts), b)
		perhaps(sel.unlabelled.Intersect(p.hosts), branch{b.worlds, b.cond.and(noNamespace)})
		perhaps(sel.unsettled.Intersect(p.hosts), branch{b.worlds, b.cond.and(noLabel)})
	}
	if yes := p.says.yes[cni.SelectorsMatchHost]; yes != 0 { // the address that such a pod is matched by is its node's
		out = append(out, match{box{region: Region{IDs: p.local}, worlds: yes}, sharesAddress})
		if yes &= p.says.yes[cni.LongestPrefixDecides]; yes != 0 {
			at := p.addrsOf(sel.must.Intersect(p.hosts))
			out = append(out, match{box: box{region: Region{IDs: p.KnownIn(at), Addrs: at}, worlds: yes}})
		}
	}
	return out
}

// addrsOf is the known addresses of holders, whichever family ids name them in.
func (g *Ground) addrsOf(ids netset.IDs) netset.Addrs {
	var all []netip.Addr
	for run := range ids.Runs() {
		for id := run.Lo; id <= run.Hi; id++ {
			h, _, _ := g.Holder(id)
			for _, a := range h.Addrs {
				if a.State == KnownAddr {
					all = append(all, a.Addr)
				}
			}
		}
	}
	return netset.Points(all...)
}

var sharesAddress = onlyIf("it has the address of a pod on the host network that a policy names")

// smallBlock is up to how many addresses a block is asked whether others have all of them already, so that nothing unknown can be in it.
const smallBlock = 4096

// blockPeers resolves addresses as policies name them: the addresses themselves, holders whose address is known and in one, and those of which they
// hold all or part of where they may be.
func (p *Program) blockPeers(addrs netset.Addrs) []match {
	out := p.bareAddrs(addrs)
	add := func(r Region, cond Cond) {
		out = append(out, p.byAddress(r, cond)...)
	}
	add(Region{IDs: p.KnownIn(addrs)}, Cond{})
	for _, f := range Families {
		for k := range p.unplaced {
			unknown := &p.unplaced[k]
			at, plan := Region{IDs: unknown.ids[f]}, unknown.plan[f]
			if k == 0 {
				at.Cubes = []Cube{{Family: f}}
			}
			within := addrs.Intersect(plan)
			if !unknown.shared && netset.Size(within) <= smallBlock {
				within = within.Minus(p.taken)
			}
			switch {
			case within.IsEmpty():
			case within.Equal(plan):
				add(at, Cond{})
			default:
				add(at, Cond{Plan: within})
			}
		}
	}
	for _, f := range Families {
		if special.Broad(addrs.Intersect(familySpace[f])) {
			add(Region{IDs: p.managed[f]}, publicAddress)
		}
	}
	sortMatches(out)
	return out
}

// masked returns the nodes that blocks of ingress rules match because what they send comes from another address of theirs, in the pods' range.
func (p *Program) masked(addrs netset.Addrs) []match {
	var out []match
	for _, f := range Families {
		if !addrs.Overlaps(p.planOf[ofPods][f]) {
			continue
		}
		nodes := Region{IDs: p.local.Intersect(netset.IDRange(p.ID(0, f), int(p.width)))}
		for _, b := range p.says.where(cni.NodesUsePodRange) {
			out = append(out, match{box{region: nodes, worlds: b.worlds}, b.cond.and(fromPodRange)})
		}
	}
	return out
}

var fromPodRange = onlyIf("the node's connections come from an address of the pods' range that a block holds")

// bareAddrs returns what blocks match of addresses that nothing in the input has. Some are known to be each node's own.
func (p *Program) bareAddrs(addrs netset.Addrs) []match {
	onNode := addrs.Intersect(special.OnNode)
	if onNode.IsEmpty() || p.says.yes[cni.BlocksMatchNodes] == p.all {
		return []match{{box: box{region: Region{Addrs: addrs}, worlds: p.all}}}
	}
	out := []match{{box: box{region: Region{Addrs: addrs.Minus(onNode)}, worlds: p.all}}}
	for _, b := range p.says.where(cni.BlocksMatchNodes) {
		out = append(out, match{box{region: Region{Addrs: onNode}, worlds: b.worlds}, b.cond})
	}
	return append(out, match{box{region: Region{Addrs: onNode}, worlds: p.all &^ p.says.possible(cni.BlocksMatchNodes)}, notOfNode})
}

// byAddress returns what blocks match of the holders in r, whose addresses are in one if cond holds: pods and nodes only where the plugin takes
// them by their addresses.
func (p *Program) byAddress(r Region, cond Cond) []match {
	var out []match
	add := func(r Region, where []branch) {
		if r.IsEmpty() {
			return
		}
		for _, b := range where {
			out = append(out, match{box{region: r, worlds: b.worlds}, cond.and(b.cond)})
		}
	}
	pods := p.Pods()
	ofNodes := r.IDs.Intersect(p.local.Union(p.apiPerhapsOnNode))
	add(Region{IDs: r.IDs.Intersect(pods).Minus(ofNodes), Cubes: r.Cubes}, p.says.where(cni.BlocksMatchPods))
	add(Region{IDs: r.IDs.Minus(pods).Minus(ofNodes)}, []branch{{worlds: p.all}})
	add(Region{IDs: ofNodes}, p.says.where(cni.BlocksMatchNodes))
	if perhaps := ofNodes.Intersect(p.apiPerhapsOnNode); !perhaps.IsEmpty() {
		if not := p.all &^ p.says.yes[cni.BlocksMatchNodes]; not != 0 {
			out = append(out, match{box{region: Region{IDs: perhaps}, worlds: not}, cond.and(apiElsewhere)})
		}
	}
	return out
}

const (
	ownNodeText   = "it is on the pod's own node"
	otherNodeText = "it is on another node than the pod's own"
)

var (
	apiElsewhere = onlyIf("the API server does not run on a node of the cluster")
	apiOnNode    = onlyIf("the API server runs on a node of the cluster")
	notOfNode    = onlyIf("nothing on the pod's own node has the address")
	ofOwnNode    = onlyIf(OwnNodeAddress)
	ofOtherNode  = onlyIf("it is an address of another node than the pod's own")
	onOwnNode    = Cond{Texts: []string{ownNodeText}}
	onOtherNode  = Cond{Texts: []string{otherNodeText}}
)

// routable is private space that an address of another node may lie in.
var routable = special.Private.Minus(netset.MustPrefixes("169.254.0.0/16", "fe80::/10"))

// anyNode is the nodes and what runs on their network.
func (p *Program) anyNode() []match {
	return []match{
		{box: box{region: Region{IDs: p.local.Minus(p.apiPerhapsOnNode)}, worlds: p.all}},
		{box{region: Region{IDs: p.apiPerhapsOnNode}, worlds: p.all}, apiOnNode},
	}
}

// entity resolves a part of the world that a policy names (Cilium Documentation/security/policy/layer3.rst, "Entities Based").
func (p *Program) entity(e policy.Entity) []match {
	certainly := func(r Region) []match { return []match{{box: box{region: r, worlds: p.all}}} }
	outside := func(addrs netset.Addrs) []match { // an API server that is no node is outside too
		var families netset.IDs
		for _, f := range Families {
			if addrs.Overlaps(familySpace[f]) {
				families = families.Union(netset.IDRange(p.ID(0, f), int(p.width)))
			}
		}
		vips := p.fronting.Intersect(families)
		return append(certainly(Region{Addrs: addrs, IDs: p.endpoints.Minus(p.local).Minus(p.apiPerhapsOnNode).Union(vips).Intersect(families)}),
			match{box{region: Region{IDs: p.apiPerhapsOnNode.Intersect(families)}, worlds: p.all}, apiElsewhere})
	}
	switch e {
	case policy.All:
		return certainly(p.everyone())
	case policy.Cluster:
		return certainly(Region{IDs: p.Everything().IDs.Minus(p.fronting), Cubes: cubesOf(label.Selector{}, label.Selector{})})
	case policy.World:
		return outside(netset.Universe)
	case policy.WorldIPv4:
		return outside(familySpace[IPv4])
	case policy.WorldIPv6:
		return outside(familySpace[IPv6])
	case policy.Host:
		return append(within(p.anyNode(), []branch{{p.all, onOwnNode}}), match{box{region: Region{Addrs: special.Private}, worlds: p.all}, ofOwnNode})
	case policy.RemoteNode:
		return append(within(p.anyNode(), []branch{{p.all, onOtherNode}}), match{box{region: Region{Addrs: routable}, worlds: p.all}, ofOtherNode})
	case policy.APIServer:
		return p.apiServer()
	}
	return nil
}

// apiServer is what the API server answers on. Where that is the address of a node, it is the whole node, with what runs on its network.
func (p *Program) apiServer() []match {
	at := p.addrsOf(p.endpoints)
	out := []match{{box: box{region: Region{IDs: p.endpoints.Union(p.KnownIn(at)), Addrs: at}, worlds: p.all}}}
	if perhaps := p.unshown(p.local); !perhaps.IsEmpty() {
		out = append(out, match{box{region: Region{IDs: perhaps}, worlds: p.all}, onlyIf("it is on a node that the API server runs on")})
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

// nodePeers resolves nodes by their labels. Of pods on the host network it is not known on which node they run.
func (p *Program) nodePeers(sel label.Selector) []match {
	var must, may []int
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
			must = append(must, n)
		case some:
			may = append(may, n)
		}
	}
	others := p.IDs(may...).Union(p.local.Minus(p.nodes))
	return []match{
		{box{region: Region{IDs: p.IDs(must...)}, worlds: p.all}, onOtherNode},
		{box{region: Region{IDs: others}, worlds: p.all}, onlyIf("it is on another node than the pod's own, with the labels that a policy asks for")},
	}
}

// namePeer resolves a host name: to addresses, never to pods or nodes. An exact name of the public DNS is taken to resolve to addresses of the internet, as
// the reports' assumptions say; a pattern, or a name of a private domain, to any address outside of the cluster.
func (p *Program) namePeer(name netset.Name) []match {
	cond := Cond{Names: []string{string(name)}}
	if name.IsExact() && PublicName(name) {
		api := p.endpoints.Intersect(p.KnownIn(special.Internet)).Minus(p.local)
		return []match{{box{region: Region{Addrs: special.Internet, IDs: api}, worlds: p.all}, cond},
			{box{region: Region{IDs: p.apiPerhapsOnNode.Intersect(p.KnownIn(special.Internet))}, worlds: p.all}, cond.and(apiElsewhere)}}
	}
	out := within(p.entity(policy.World), []branch{{p.all, cond}})
	for i := range out {
		out[i].region.IDs = out[i].region.IDs.Minus(p.fronting)
	}
	return out
}

// PublicName reports whether a name is one of the public DNS, as far as its last label tells (RFC 6762, RFC 8375, ICANN's reservation of .internal, and
// those that networks use in practice).
func PublicName(name netset.Name) bool {
	i := strings.LastIndexByte(string(name), '.')
	return i >= 0 && !slices.Contains(privateDomains, string(name[i+1:]))
}

var privateDomains = []string{"internal", "local", "localdomain", "localhost", "corp", "home", "lan", "intranet", "private", "test", "arpa", "cluster", "svc"}

// servicePeer resolves Services: to the pods behind them, or where they select none, to the addresses of their endpoints.
func (p *Program) servicePeer(peer *policy.ServicePeer) []match {
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
			out = append(out, p.resolvePeer(label.Named(svc.Namespace), *svc.Selector)...)
			continue
		}
		var blocks netset.Addrs
		for _, e := range svc.Endpoints {
			blocks = blocks.Union(netset.Points(e.Addr.Unmap()))
		}
		if !blocks.IsEmpty() {
			out = append(out, match{box: box{region: Region{Addrs: blocks}, worlds: p.all}})
			out = append(out, p.byAddress(Region{IDs: p.KnownIn(blocks)}, Cond{})...)
		} else {
			unknown := onlyIf("it is an endpoint of " + svc.Namespace + "/Service/" + svc.Name + ", which the input does not show")
			out = append(out, within(p.entity(policy.World), []branch{{p.all, unknown}})...)
		}
	}
	if !found || peer.Name == "" { // others may be in the cluster
		out = append(out, match{box{region: p.everyone(), worlds: p.all}, onlyIf("it is behind a Service that a policy names and the input does not show")})
	}
	return out
}

// matchingServices returns the addresses of Services that the selector peers of an egress rule match besides pods, over the Services' own ports,
// where the plugin adds them.
func (p *Program) matchingServices(r *policy.Rule) []match {
	where := p.says.where(cni.SelectorsMatchServices)
	if where == nil {
		return nil
	}
	var out []match
	for i := range r.Peers {
		peer := &r.Peers[i]
		if peer.NS == nil {
			continue
		}
		out = append(out, within(p.unshownAPI(r, peer), where)...)
		mustNS, mayNS := p.chooseNamespaces(*peer.NS)
		for _, ns := range mustNS {
			out = append(out, within(p.servicesFor(ns, r, *peer.Pod), where)...)
		}
		for _, ns := range mayNS {
			out = append(out, within(within(p.servicesFor(ns, r, *peer.Pod), where), []branch{{p.all, noNamespace}})...)
		}
	}
	return out
}

// unshownAPI is the API server as a selector peer matches its Service, which every cluster has in namespace default without a selector, where the
// input does not show it.
func (p *Program) unshownAPI(r *policy.Rule, peer *policy.Peer) []match {
	if p.showsAPI {
		return nil
	}
	must, may := peer.NS.Match(label.Known(label.Set{label.MetadataName: "default"}).Open())
	if all, _ := peer.Pod.Match(label.Labels{}); !may || !all {
		return nil
	}
	conns := netset.Conns{}
	if r.AnyPort {
		conns = special.KubeAPI
	}
	for _, port := range r.Ports { // the Service's port leads to one of these
		switch {
		case port.Protocol != netset.TCP || port.Name != "":
		case port.Lo == 1 && port.Hi == 65535:
			conns = special.KubeAPI
		default:
			conns = conns.Union(special.KubeAPI.Intersect(netset.ConnsOf(netset.TCP, netset.PortRange(port.Lo, port.Lo))))
		}
	}
	if conns.IsEmpty() {
		return nil
	}
	m := match{box: box{Region{IDs: p.endpoints}, conns, p.all}}
	if !must {
		m.cond = noNamespace
	}
	return []match{m}
}
