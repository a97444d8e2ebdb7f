package reach

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// noteFamilies says what is known of the addresses of something whose address is not: IPv4 unless
// the input shows a cluster that has none, and perhaps IPv6. Nodes of a cluster whose pods have
// IPv6 addresses may well have both.
func (g *Ground) noteFamilies() {
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
	g.podFamilies = g.seen
	for _, n := range g.Snapshot.Nodes {
		note(n.Addrs)
	}
	g.nodeStates = statesOf(g.seen)
	if g.states = g.nodeStates; g.podFamilies != [2]bool{} {
		g.states = statesOf(g.podFamilies)
	}
}

func statesOf(shown [2]bool) [2]AddrState {
	if shown[IPv6] && !shown[IPv4] {
		return [2]AddrState{MayHave, Has}
	}
	return [2]AddrState{Has, MayHave}
}

// stateOf says what is known of an address in family f of something that has addrs, and more that
// the input does not show if more.
func stateOf(addrs []netip.Addr, more bool, f Family, unknown [2]AddrState) Addr {
	for _, a := range addrs {
		if familyOf(a.Unmap()) == f {
			return Addr{KnownAddr, a.Unmap()}
		}
	}
	switch {
	case len(addrs) == 0:
		return Addr{State: unknown[f]}
	case more:
		return Addr{State: MayHave}
	}
	return Addr{}
}

// addOthers gives numbers to Services, nodes and the API server.
func (g *Ground) addOthers() {
	s := g.Snapshot
	states := func(addrs []netip.Addr) (out [2]Addr) {
		for _, f := range Families {
			out[f] = stateOf(addrs, false, f, g.nodeStates)
		}
		return out
	}
	var endpoints []model.Endpoint
	g.frontends, g.external = make([][]int, len(s.Services)), make([][]int, len(s.Services))
	for i, svc := range s.Services {
		if svc.Headless || svc.Type == "ExternalName" {
			continue
		}
		h := Holder{Kind: VIP, Service: i}
		for _, f := range Families {
			h.Addrs[f] = stateOf(svc.ClusterIPs, svc.MoreAddrs, f, g.states)
		}
		if svc.Namespace == "default" && svc.Name == "kubernetes" {
			h.Kind = KubeAPI
			h.Conns = portsOf(svc.Ports)
			endpoints = append(endpoints, svc.Endpoints...) // two that differ may stand in the input
		}
		g.frontends[i] = append(g.frontends[i], len(g.holders))
		for _, a := range svc.ClusterIPs {
			g.vips[a.Unmap()] = len(g.holders)
		}
		g.holders = append(g.holders, h)
		for _, ip := range svc.ExternalIPs {
			holder := -1
			if ip.Mode != model.Proxy && !slices.Contains(svc.ClusterIPs, ip.Addr) { // a client outside the cluster has it answered by a load balancer, so it is no VIP
				holder = len(g.holders)
				g.holders = append(g.holders, Holder{Kind: VIP, Service: i, Addrs: states([]netip.Addr{ip.Addr})})
				g.frontends[i] = append(g.frontends[i], holder)
			}
			g.external[i] = append(g.external[i], holder)
		}
	}
	for _, e := range endpoints {
		g.holders = append(g.holders, Holder{Kind: KubeAPI, Service: -1, Addrs: states([]netip.Addr{e.Addr}), Conns: portsOf(e.Ports)})
	}
	facts := g.factEndpoints(endpoints)
	for _, e := range facts {
		g.holders = append(g.holders, Holder{Kind: KubeAPI, Service: -1, Addrs: states([]netip.Addr{e.Addr}), Conns: portsOf(e.Ports)})
	}
	if endpoints == nil && facts == nil || !s.Facts.Known("kubeAPI") {
		g.holders = append(g.holders, Holder{Kind: KubeAPI, Service: -1, Addrs: states(nil), Conns: special.KubeAPI})
	}
	for i, n := range s.Nodes {
		own := slices.DeleteFunc(slices.Clone(n.Addrs), func(a netip.Addr) bool { return slices.Contains(n.External, a) })
		for _, part := range []struct {
			addrs    []netip.Addr
			external bool
		}{{own, false}, {n.External, true}} {
			if part.addrs == nil && (part.external || n.External != nil) {
				continue
			}
			first, more := onePerFamily(part.addrs)
			g.holders = append(g.holders, Holder{Kind: Node, Node: i, Addrs: states(first), external: part.external})
			for len(more) > 0 {
				first, more = onePerFamily(more)
				g.holders = append(g.holders, Holder{Kind: Node, Node: i, Addrs: states(first), external: part.external})
			}
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

// nodeAddrs is the known addresses of nodes. A pod on the host network of a node that is not known
// may have any of them, wherever they lie.
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

// onNode reports whether an endpoint of the API server is a node of the cluster, certainly or
// perhaps.
func (g *Ground) onNode(h *Holder) (surely, perhaps bool) {
	known := g.Snapshot.Nodes != nil
	for _, n := range g.Snapshot.Nodes {
		known = known && n.Addrs != nil
	}
	nodes := nodeAddrs(g.Snapshot)
	for _, a := range h.Addrs {
		switch {
		case a.State == KnownAddr && nodes.Contains(a.Addr):
			return true, true
		case a.State == KnownAddr && !known, a.State == Has:
			perhaps = true
		}
	}
	return false, perhaps
}

// shown reports whether the input shows an address of h.
func (h *Holder) shown() bool {
	return h.Addrs[IPv4].State == KnownAddr || h.Addrs[IPv6].State == KnownAddr
}

type heldAddr struct {
	addr netip.Addr
	id   netset.ID
}

// indexAddrs sorts the holders by what is known of their addresses.
func (g *Ground) indexAddrs() {
	var lost [kinds][2][]netset.ID
	states := map[existence][]netset.ID{}
	for n := range g.holders {
		h, id := &g.holders[n], netset.ID(n)
		for _, f := range Families {
			switch a := h.Addrs[f]; a.State {
			case KnownAddr:
				g.known = append(g.known, heldAddr{a.Addr, id})
			case Has, MayHave:
				lost[h.kind()][f] = append(lost[h.kind()][f], id)
			}
		}
		states[h.existence()] = append(states[h.existence()], id)
	}
	slices.SortFunc(g.known, func(a, b heldAddr) int { return a.addr.Compare(b.addr) })
	taken := make([]netip.Addr, len(g.known))
	for i, h := range g.known {
		taken[i] = h.addr
	}
	g.taken = netset.Points(taken...)
	for k := range kinds {
		g.unknownAddrs[k].ids = [2]netset.IDs{netset.Points(lost[k][IPv4]...), netset.Points(lost[k][IPv6]...)}
	}
	for state, ids := range states {
		g.existing = append(g.existing, existing{state, netset.Points(ids...)})
	}
	slices.SortFunc(g.existing, func(a, b existing) int {
		return cmp.Or(cmp.Compare(b.state[IPv4], a.state[IPv4]), cmp.Compare(b.state[IPv6], a.state[IPv6]), cmp.Compare(a.ids.First(), b.ids.First()))
	})
}

// existence says in which families there is an address, known or not: NoAddr, MayHave or Has, by
// Family. Whether nodes have addresses of a family is another question than whether pods do.
type existence struct {
	state [2]AddrState
	nodes bool // it has the addresses of nodes, or is the API server
}

// existing is the holders with one existence.
type existing struct {
	existence
	ids netset.IDs
}

// existence says in which families h has an address.
func (h *Holder) existence() (e existence) {
	k := h.kind()
	e.nodes = k != ofPods && k != ofServices
	for _, f := range Families {
		e.state[f] = min(h.Addrs[f].State, Has)
	}
	return e
}

// KnownIn returns the holders whose known address lies in addrs.
func (g *Ground) KnownIn(addrs netset.Addrs) netset.IDs {
	var ids []netset.ID
	for r := range addrs.Runs() {
		i, _ := slices.BinarySearchFunc(g.known, r.Lo, func(h heldAddr, a netip.Addr) int { return h.addr.Compare(a) })
		for ; i < len(g.known) && g.known[i].addr.Compare(r.Hi) <= 0; i++ {
			ids = append(ids, g.known[i].id)
		}
	}
	return netset.Points(ids...)
}
