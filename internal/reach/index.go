package reach

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/label"
	"github.com/toolmoat/toolmoat/internal/model"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/special"
)

// mentions is what selectors and rules name: only that can tell pods apart.
type mentions struct {
	keys   []string            // sorted
	values map[string][]string // of the keys that StatefulSets number pods by
	ports  map[portName]bool
}

type portName struct {
	protocol netset.Protocol
	name     string
}

func mentioned(s *model.Snapshot) mentions {
	said := mentions{values: map[string][]string{}, ports: map[portName]bool{}}
	keys := map[string]bool{}
	add := func(sel label.Selector) {
		for _, k := range sel.Keys() {
			keys[k] = true
			if k == podNameKey || k == podIndexKey {
				values, _ := sel.On(k).Listed()
				said.values[k] = append(said.values[k], values...)
			}
		}
	}
	for _, p := range s.Policies {
		for _, st := range p.Stances {
			add(st.Subject.Pod)
		}
		for _, r := range p.Rules {
			add(r.Subject.Pod)
			for _, peer := range r.Peers {
				if peer.Pod != nil {
					add(*peer.Pod)
				}
			}
			for _, port := range r.Ports {
				if port.Name != "" {
					said.ports[portName{port.Protocol, port.Name}] = true
				}
			}
		}
	}
	for _, svc := range s.Services {
		if svc.Selector != nil {
			add(*svc.Selector)
		}
		for _, p := range svc.Ports {
			if p.TargetName != "" {
				said.ports[portName{p.Protocol, p.TargetName}] = true
			}
		}
	}
	for _, r := range special.Resolvers { // whoever asks what reaches DNS has to find them
		add(r.Pod)
	}
	for k := range keys {
		said.keys = append(said.keys, k)
	}
	slices.Sort(said.keys)
	return said
}

// ordinals returns the numbers, as text, by which selectors name pods of the StatefulSet base.
func (m mentions) ordinals(base string) []string {
	out := slices.Clone(m.values[podIndexKey])
	for _, name := range m.values[podNameKey] {
		if n, ok := strings.CutPrefix(name, base+"-"); ok {
			out = append(out, n)
		}
	}
	return out
}

// atoms splits the addresses into the pieces that no block tells apart.
type atoms []netip.Addr // where each piece after the first starts

func boundaries(s *model.Snapshot) atoms {
	var out atoms
	add := func(p netip.Prefix) {
		for r := range netset.Prefixes(p).Runs() {
			out = append(out, r.Lo)
			if next := r.Hi.Next(); next.IsValid() {
				out = append(out, next)
			}
		}
	}
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			for _, peer := range r.Peers {
				if peer.Block != nil {
					add(peer.Block.CIDR)
					for _, e := range peer.Block.Except {
						add(e)
					}
				}
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

func (as atoms) of(a netip.Addr) int {
	i, found := slices.BinarySearchFunc(as, a, netip.Addr.Compare)
	if found {
		i++
	}
	return i
}

// addressStates says what is known of the addresses of something whose address is not: IPv4 unless the input shows a cluster
// that has none, and perhaps IPv6.
func (g *Ground) addressStates() [2]AddrState {
	note := func(addrs []netip.Addr) {
		for _, a := range addrs {
			g.seen[familyOf(a.Unmap())] = true
		}
	}
	for _, w := range g.Snapshot.Workloads {
		for _, p := range w.Pods {
			note(p.Addrs)
		}
	}
	for _, svc := range g.Snapshot.Services {
		note(svc.ClusterIPs)
	}
	for _, n := range g.Snapshot.Nodes {
		note(n.Addrs)
	}
	if g.seen[IPv6] && !g.seen[IPv4] {
		return [2]AddrState{MayHave, Has}
	}
	return [2]AddrState{Has, MayHave}
}

func stateOf(addrs []netip.Addr, f Family, unknown [2]AddrState) Addr {
	for _, a := range addrs {
		if familyOf(a.Unmap()) == f {
			return Addr{KnownAddr, a.Unmap()}
		}
	}
	if len(addrs) > 0 {
		return Addr{}
	}
	return Addr{State: unknown[f]}
}

// addOthers gives numbers to Services, nodes and the API server.
func (g *Ground) addOthers() {
	s := g.Snapshot
	states := func(addrs []netip.Addr) (out [2]Addr) {
		for _, f := range Families {
			out[f] = stateOf(addrs, f, g.states)
		}
		return out
	}
	var endpoints []model.Endpoint
	g.vipOf = make([]int, len(s.Services))
	for i, svc := range s.Services {
		g.vipOf[i] = -1
		if svc.Headless || svc.Type == "ExternalName" {
			continue
		}
		h := Holder{Kind: VIP, Service: i, Addrs: states(svc.ClusterIPs)}
		if svc.Namespace == "default" && svc.Name == "kubernetes" {
			h.Kind = KubeAPI
			h.Conns = portsOf(svc.Ports)
			endpoints = svc.Endpoints
		}
		g.vipOf[i] = len(g.holders)
		for _, a := range svc.ClusterIPs {
			g.vips[a.Unmap()] = len(g.holders)
		}
		g.holders = append(g.holders, h)
	}
	for _, e := range endpoints {
		g.holders = append(g.holders, Holder{Kind: KubeAPI, Service: -1, Addrs: states([]netip.Addr{e.Addr}), Conns: portsOf(e.Ports)})
	}
	if endpoints == nil {
		g.holders = append(g.holders, Holder{Kind: KubeAPI, Service: -1, Addrs: states(nil), Conns: special.KubeAPI})
	}
	for i, n := range s.Nodes {
		first, more := onePerFamily(n.Addrs)
		g.holders = append(g.holders, Holder{Kind: Node, Node: i, Addrs: states(first)})
		for len(more) > 0 {
			first, more = onePerFamily(more)
			g.holders = append(g.holders, Holder{Kind: Node, Node: i, Addrs: states(first)})
		}
	}
	if s.Nodes == nil {
		g.holders = append(g.holders, Holder{Kind: Node, Node: -1, Addrs: states(nil)})
	}
}

// onePerFamily splits addresses into the first of each family and the others.
func onePerFamily(addrs []netip.Addr) (first, more []netip.Addr) {
	var seen [2]bool
	for _, a := range addrs {
		if f := familyOf(a.Unmap()); seen[f] {
			more = append(more, a)
		} else {
			seen[f] = true
			first = append(first, a)
		}
	}
	return first, more
}

// nodeAddrs is the known addresses of nodes. A pod on the host network of a node that is not known may have any of them, wherever they lie.
func nodeAddrs(s *model.Snapshot) netset.Addrs {
	var all []netip.Addr
	for _, n := range s.Nodes {
		for _, a := range n.Addrs {
			all = append(all, a.Unmap())
		}
	}
	return netset.Points(all...)
}

func portsOf(ports []model.ServicePort) netset.Conns {
	var c netset.Conns
	for _, p := range ports {
		c = c.Union(netset.ConnsOf(p.Protocol, netset.PortRange(p.Port, p.Port)))
	}
	return c
}

type posting struct {
	key, value string
	open       bool // the classes of which the value is not known
}

// index makes the look-ups that keep selection from asking every class.
func (g *Ground) index() {
	g.postings = map[posting][]int{}
	g.portNames = map[portName]portIDs{}
	var hosts []netset.ID
	for n := range g.classes {
		h := &g.holders[n]
		if h.host {
			hosts = append(hosts, netset.ID(n))
		}
		for _, k := range g.said.keys {
			if v, ok := h.labels.Value(k); ok {
				p := posting{key: k, value: v}
				g.postings[p] = append(g.postings[p], n)
			} else if _, may := label.Selector.Require(label.Selector{}, k, label.Exists()).Match(h.labels); may {
				p := posting{key: k, open: true}
				g.postings[p] = append(g.postings[p], n)
			}
		}
		for _, p := range h.ports {
			name := portName{p.Protocol, p.Name}
			if _, ok := g.portNames[name]; !ok {
				g.portNames[name] = portIDs{map[netset.Port][]int{}, map[netset.Port][]int{}}
			}
			must, may := h.resolve(name)
			for _, number := range may {
				into := g.portNames[name].may
				if slices.Contains(must, number) {
					into = g.portNames[name].must
				}
				if !slices.Contains(into[number], n) {
					into[number] = append(into[number], n)
				}
			}
		}
	}
	g.hosts = netset.Points(hosts...)
	var local []int
	for n := range g.holders {
		if h := &g.holders[n]; h.Kind == Node || h.host || h.Kind == KubeAPI && h.Service < 0 && g.maybeNode(h) {
			local = append(local, n)
		}
	}
	g.local = g.IDs(local...)
}

// maybeNode reports whether the address of an endpoint of the API server is a node's, or may be one of a node that is not known.
func (g *Ground) maybeNode(h *Holder) bool {
	known := g.Snapshot.Nodes != nil
	for _, n := range g.Snapshot.Nodes {
		known = known && n.Addrs != nil
	}
	nodes := nodeAddrs(g.Snapshot)
	for _, a := range h.Addrs {
		if a.State == KnownAddr && (!known || nodes.Contains(a.Addr)) {
			return true
		}
	}
	return false
}

// resolve returns the numbers to which a class resolves a port name: may holds all of them, must the one that is certain. A name
// that containers give to different ports, or only a sidecar declares, is resolved differently by implementations.
func (h *Holder) resolve(name portName) (must, may []netset.Port) {
	sidecar := false
	for _, p := range h.ports {
		if p.Protocol == name.protocol && p.Name == name.name {
			may = append(may, p.Port)
			sidecar = sidecar || p.Sidecar
		}
	}
	slices.Sort(may)
	may = slices.Compact(may)
	if len(may) == 1 && !sidecar {
		must = may
	}
	return must, may
}

// candidates returns classes, sorted, among which are all that sel may select.
func (g *Ground) candidates(sel label.Selector) (classes []int, narrowed bool) {
	for _, k := range sel.Keys() {
		values, others := sel.On(k).Listed()
		if others || sel.On(k).AllowsAbsent() {
			continue
		}
		var found []int
		for _, v := range values {
			found = append(found, g.postings[posting{key: k, value: v}]...)
		}
		found = append(found, g.postings[posting{key: k, open: true}]...)
		if !narrowed || len(found) < len(classes) {
			classes, narrowed = found, true
		}
	}
	slices.Sort(classes)
	return slices.Compact(classes), narrowed
}

// selection is what a pair of selectors selects among the classes, in family IPv4.
type selection struct {
	must       netset.IDs
	unlabelled netset.IDs // possibly: the labels of their namespace are not known
	unsettled  netset.IDs // possibly: a label of theirs is not known
}

func (s selection) may() netset.IDs { return netset.Union(s.must, s.unlabelled, s.unsettled) }

// choose evaluates selectors against every class.
func (g *Ground) choose(ns, pod label.Selector) selection {
	mustNS, mayNS := g.chooseNamespaces(ns)
	if pod.SelectsAll() {
		return selection{must: g.runsOf(mustNS), unlabelled: g.runsOf(mayNS)}
	}
	inNS := map[int]bool{} // whether the namespace is certain
	for _, i := range mustNS {
		inNS[i] = true
	}
	for _, i := range mayNS {
		inNS[i] = false
	}
	classes, narrowed := g.candidates(pod)
	if size := g.sizeOf(mustNS) + g.sizeOf(mayNS); !narrowed || size < len(classes) {
		classes = classes[:0]
		for _, i := range slices.Concat(mustNS, mayNS) {
			for r := range g.nsRuns[i].Runs() {
				for id := r.Lo; id <= r.Hi; id++ {
					classes = append(classes, int(id))
				}
			}
		}
	}
	var must, unlabelled, unsettled []netset.ID
	for _, n := range classes {
		certain, in := inNS[g.holders[n].namespace]
		if !in {
			continue
		}
		switch all, some := pod.Match(g.holders[n].labels); {
		case !some:
		case !certain:
			unlabelled = append(unlabelled, netset.ID(n))
		case !all:
			unsettled = append(unsettled, netset.ID(n))
		default:
			must = append(must, netset.ID(n))
		}
	}
	return selection{netset.Points(must...), netset.Points(unlabelled...), netset.Points(unsettled...)}
}

// chooseNamespaces returns the namespaces that certainly satisfy sel, and those that possibly do.
func (g *Ground) chooseNamespaces(sel label.Selector) (must, may []int) {
	if names, others := sel.On(label.MetadataName).Listed(); !others && !sel.On(label.MetadataName).AllowsAbsent() {
		for _, name := range names {
			if i, ok := g.nsIndex[name]; ok {
				must, may = g.matchNamespace(sel, i, must, may)
			}
		}
		slices.Sort(must)
		slices.Sort(may)
		return must, may
	}
	for i := range g.namespaces {
		must, may = g.matchNamespace(sel, i, must, may)
	}
	return must, may
}

func (g *Ground) matchNamespace(sel label.Selector, i int, must, may []int) (_, _ []int) {
	switch all, some := sel.Match(g.namespaces[i].Labels); {
	case all:
		must = append(must, i)
	case some:
		may = append(may, i)
	}
	return must, may
}

func (g *Ground) runsOf(namespaces []int) netset.IDs {
	runs := make([]netset.IDs, len(namespaces))
	for i, n := range namespaces {
		runs[i] = g.nsRuns[n]
	}
	return netset.Union(runs...)
}

func (g *Ground) sizeOf(namespaces []int) int {
	n := 0
	for _, i := range namespaces {
		for r := range g.nsRuns[i].Runs() {
			n += int(r.Hi-r.Lo) + 1
		}
	}
	return n
}

// addBackends resolves every Service to the classes behind it.
func (g *Ground) addBackends() {
	s := g.Snapshot
	g.backends = make([][]Backing, len(s.Services))
	for i, svc := range s.Services {
		if svc.Selector == nil {
			for _, e := range svc.Endpoints {
				if pod, ok := g.byAddr[e.Addr.Unmap()]; ok {
					g.backends[i] = append(g.backends[i], Backing{pod.Class, endpointPorts(svc, e)})
				}
			}
			continue
		}
		for r := range g.choose(label.Named(svc.Namespace), *svc.Selector).may().Runs() {
			for id := r.Lo; id <= r.Hi; id++ {
				b := Backing{Class: int(id)}
				for _, p := range svc.Ports {
					targets := []netset.Port{p.Target}
					if p.TargetName != "" {
						_, targets = g.holders[id].resolve(portName{p.Protocol, p.TargetName})
					}
					for _, t := range targets {
						b.Ports = append(b.Ports, PortMapping{p.Protocol, p.Port, t})
					}
				}
				g.backends[i] = append(g.backends[i], b)
			}
		}
	}
}

// indexFronts turns the Services' backends round.
func (g *Ground) indexFronts() {
	g.fronts = make([][]front, g.classes)
	var vips []int
	for i, backends := range g.backends {
		if g.vipOf[i] < 0 || len(backends) == 0 {
			continue
		}
		vips = append(vips, g.vipOf[i])
		for j, b := range backends {
			g.fronts[b.Class] = append(g.fronts[b.Class], front{i, j})
		}
	}
	for _, f := range Families {
		var ids []netset.ID
		for _, n := range vips {
			if g.holders[n].Addrs[f].State != NoAddr {
				ids = append(ids, g.ID(n, f))
			}
		}
		g.fronting[f] = netset.Points(ids...)
	}
}

// endpointPorts pairs the ports of a Service with those of an endpoint, by name.
func endpointPorts(svc model.Service, e model.Endpoint) []PortMapping {
	var out []PortMapping
	for _, p := range svc.Ports {
		for _, t := range e.Ports {
			if t.Protocol == p.Protocol && (t.Name == p.Name || len(svc.Ports) == 1) {
				out = append(out, PortMapping{p.Protocol, p.Port, t.Port})
			}
		}
	}
	return out
}

// Backends returns the classes behind a Service, an index into Snapshot.Services.
func (g *Ground) Backends(service int) []Backing { return g.backends[service] }

// VIP returns the holder of a Service's own address; ok is false for headless Services and names.
func (g *Ground) VIP(service int) (holder int, ok bool) {
	return g.vipOf[service], g.vipOf[service] >= 0
}

// VIPAt returns the holder of the Service address a.
func (g *Ground) VIPAt(a netip.Addr) (holder int, ok bool) {
	holder, ok = g.vips[a]
	return holder, ok
}

func compareRules(a, b *policy.Rule) int {
	return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Order, b.Order))
}

type heldAddr struct {
	addr netip.Addr
	id   netset.ID
}

// indexAddrs sorts the holders by what is known of their addresses.
func (g *Ground) indexAddrs() {
	var anywhere, onNodes [2][]netset.ID
	var sure, maybe []netset.ID
	for n := range g.holders {
		unknown := &anywhere
		if g.holders[n].host || g.holders[n].Kind == KubeAPI {
			unknown = &onNodes
		}
		for _, f := range Families {
			id := g.ID(n, f)
			switch a := g.holders[n].Addrs[f]; a.State {
			case KnownAddr:
				g.known = append(g.known, heldAddr{a.Addr, id})
				sure = append(sure, id)
			case Has:
				unknown[f] = append(unknown[f], id)
				sure = append(sure, id)
			case MayHave:
				unknown[f] = append(unknown[f], id)
				maybe = append(maybe, id)
			}
		}
	}
	slices.SortFunc(g.known, func(a, b heldAddr) int { return a.addr.Compare(b.addr) })
	taken := make([]netip.Addr, len(g.known))
	for i, h := range g.known {
		taken[i] = h.addr
	}
	g.taken = netset.Points(taken...)
	for _, f := range Families {
		g.anywhere[f], g.onNodes[f] = netset.Points(anywhere[f]...), netset.Points(onNodes[f]...)
	}
	g.addressed = map[AddrState]netset.IDs{Has: netset.Points(sure...), MayHave: netset.Points(maybe...)}
}

// knownIn returns the holders whose known address lies in addrs.
func (g *Ground) knownIn(addrs netset.Addrs) netset.IDs {
	var ids []netset.ID
	for r := range addrs.Runs() {
		i, _ := slices.BinarySearchFunc(g.known, r.Lo, func(h heldAddr, a netip.Addr) int { return h.addr.Compare(a) })
		for ; i < len(g.known) && g.known[i].addr.Compare(r.Hi) <= 0; i++ {
			ids = append(ids, g.known[i].id)
		}
	}
	return netset.Points(ids...)
}
