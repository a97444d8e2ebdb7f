// Package blast computes the blast radius of an MCP server: what it can reach, by class of
// destination, and who can reach it.
package blast

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// Dest is a class of destinations, the same in every report. They are disjoint.
type Dest uint8

const (
	Metadata        Dest = iota // credential endpoints, by address and port
	KubeAPI                     // the API server: its Service and what answers behind it
	Nodes                       // node addresses, with the kubelet on them
	DNS                         // resolvers, on DNS ports
	OtherServers                // other MCP servers
	SameNamespace               // other pods of its namespace
	OtherNamespaces             // pods of other namespaces, also those that do not exist yet
	PrivateNetworks             // private address space that is none of the above
	Internet                    // everything else
	destCount
)

// Dests lists every class, in the order in which reports name them.
var Dests = [destCount]Dest{Metadata, KubeAPI, Nodes, DNS, OtherServers, SameNamespace, OtherNamespaces, PrivateNetworks, Internet}

var destNames = [destCount]string{"metadata", "kubeApi", "nodes", "dns", "otherServers", "sameNamespace", "otherNamespaces", "privateNetworks", "internet"}

func (d Dest) String() string { return destNames[d] }

// noun is what conditions call one of the class.
func (d Dest) noun() string {
	return [destCount]string{"the endpoint", "the API server", "the node", "the resolver", "the other server", "the pod", "the pod", "the address", "the address"}[d]
}

// place is a part of a destination class: ends, over connections.
type place struct {
	region reach.Region
	conns  netset.Conns
	name   string // of a special endpoint
}

// Atlas is what the destination classes of one program are, made once and read by every server.
type Atlas struct {
	*reach.Program
	NodeAddrs  netset.Addrs            // every address of a node that the input shows: the engine keeps one a family
	fixed      [destCount][]place      // those that are the same for every server, or nearly
	whole      [destCount]reach.Region // of fixed
	nodeAddrs  netset.Addrs            // of nodes, as far as the input shows them
	held       netset.Addrs            // addresses of nodes and of the API server that the engine knows to be theirs
	servers    netset.IDs              // classes of servers
	resolvers  netset.IDs              // classes of resolver pods
	pods       netset.IDs
	ordinary   netset.IDs   // classes of pods that are no servers
	resolver   []reach.Cube // resolver pods that may exist without being in the input
	gateways   []int        // classes of gateways
	gatewayIDs netset.IDs
	ingress    map[string][]int // classes of ingress controllers
	named      map[string]int   // how many servers have a namespace and name
}

// NewAtlas prepares the destination classes of p.
func NewAtlas(p *reach.Program) *Atlas {
	a := &Atlas{Program: p, pods: p.Pods()}
	a.named = map[string]int{}
	for _, srv := range p.Snapshot.Servers {
		if srv.Role == model.IsServer {
			w := &p.Snapshot.Workloads[srv.Workload]
			a.named[w.Namespace+"/"+w.Name]++
		}
	}
	var servers []int
	for n := range p.Classes() {
		switch p.Role(n) {
		case model.IsServer:
			servers = append(servers, n)
		case model.IsGateway:
			a.gateways = append(a.gateways, n)
		}
	}
	a.servers = p.IDs(servers...)
	a.gatewayIDs = p.IDs(a.gateways...)
	a.ordinary = a.pods.Minus(a.servers)
	var resolvers []int
	for _, r := range special.Resolvers {
		ns := label.Named(r.Namespace)
		resolvers = append(resolvers, p.Selected(policy.Subject{NS: ns, Pod: r.Pod})...)
		a.resolver = append(a.resolver, reach.Cube{NS: ns, Pod: r.Pod})
	}
	a.resolvers = p.IDs(resolvers...)
	a.fixSpecial()
	a.fixHolders()
	a.nodeAddrs = a.knownOf(a.nodeIDs())
	// What is left are addresses. Of those that a class above takes on some ports, the other ports
	// are here.
	taken := slices.Concat(a.fixed[Metadata], a.fixed[DNS], a.fixed[KubeAPI], a.fixed[Nodes])
	internet := special.Internet.Union(specialAddrs().Minus(special.Private))
	for d, addrs := range map[Dest]netset.Addrs{PrivateNetworks: special.Private, Internet: internet} {
		a.fixed[d] = minus(place{region: reach.Region{Addrs: addrs.Minus(a.heldAddrs())}, conns: netset.AllConns}, taken)
	}
	a.fixed[OtherServers] = []place{{region: reach.Region{IDs: a.servers}, conns: netset.AllConns}}
	a.fixed[OtherNamespaces] = a.besidesDNS(a.ordinary)
	for d, places := range a.fixed {
		a.whole[d] = wholeOf(places)
	}
	a.findIngress()
	return a
}

// fixSpecial places the special endpoints.
func (a *Atlas) fixSpecial() {
	for _, e := range special.Endpoints {
		at := place{region: reach.Region{Addrs: netset.Points(e.Addrs...)}, conns: e.Conns, name: e.Name + " (" + e.Cloud + ")"}
		d := Metadata
		if e.Kind == special.Resolver {
			d = DNS
		}
		a.fixed[d] = append(a.fixed[d], at)
	}
}

func specialAddrs() netset.Addrs {
	var all []netip.Addr
	for _, e := range special.Endpoints {
		all = append(all, e.Addrs...)
	}
	return netset.Points(all...)
}

// fixHolders places the API server, the nodes and the resolver pods and Services.
func (a *Atlas) fixHolders() {
	var nodes []int
	var held []netset.Addrs
	for n := a.Classes(); n < a.Holders(); n++ {
		h := a.Class(n)
		if h.Kind == reach.KubeAPI || h.Kind == reach.Node {
			held = append(held, addrsOf(h))
		}
		switch h.Kind {
		case reach.KubeAPI:
			at := place{region: reach.Region{IDs: a.IDs(n), Addrs: addrsOf(h)}, conns: h.Conns}
			a.fixed[KubeAPI] = append(a.fixed[KubeAPI], at)
		case reach.Node:
			nodes = append(nodes, n)
		case reach.VIP:
			if slices.ContainsFunc(a.Backends(h.Service), func(b reach.Backend) bool { return a.Holds(a.resolvers, b.Class) }) {
				a.fixed[DNS] = append(a.fixed[DNS], place{region: reach.Region{IDs: a.IDs(n), Addrs: addrsOf(h)}, conns: special.DNS})
			}
		}
	}
	a.held = netset.Union(held...)
	var addrs []netip.Addr
	for _, n := range a.Snapshot.Nodes {
		for _, addr := range n.Addrs {
			addrs = append(addrs, addr.Unmap())
		}
	}
	a.NodeAddrs = netset.Points(addrs...)
	// Where the API server runs on a node, its ports are the API's and the others the node's.
	a.fixed[Nodes] = minus(place{region: reach.Region{IDs: a.IDs(nodes...), Addrs: a.NodeAddrs}, conns: netset.AllConns}, a.fixed[KubeAPI])
	a.fixed[DNS] = append(a.fixed[DNS], place{region: reach.Region{IDs: a.resolvers}, conns: special.ResolverPods})
}

// Name returns "namespace/name" of a server, and "namespace/Kind/name" where another server has the
// same.
func (a *Atlas) Name(server int) string {
	w := &a.Snapshot.Workloads[a.Snapshot.Servers[server].Workload]
	if name := w.Namespace + "/" + w.Name; a.named[name] == 1 {
		return name
	}
	return w.ID()
}

// Gateways returns the classes of gateways.
func (a *Atlas) Gateways() []int { return a.gateways }

// GatewaysIn returns those that are in ids.
func (a *Atlas) GatewaysIn(ids netset.IDs) []int {
	return a.HoldersOf(a.gatewayIDs.Intersect(ids), reach.Class)
}

// ResolverClasses returns the classes of resolver pods in the input.
func (a *Atlas) ResolverClasses() []int { return a.HoldersOf(a.resolvers, reach.Class) }

// heldAddrs is every address that leads to pods: their own, and those of Services with pods behind
// them.
func (a *Atlas) heldAddrs() netset.Addrs {
	var pods []netip.Addr
	var services []netset.Addrs
	for n := range a.Holders() {
		h := a.Class(n)
		for _, m := range h.Members {
			for _, addr := range a.Snapshot.Workloads[m.Workload].Pods[m.Pod].Addrs {
				pods = append(pods, addr.Unmap())
			}
		}
		if (h.Kind == reach.VIP || h.Kind == reach.KubeAPI) && h.Service >= 0 && (h.Kind == reach.KubeAPI || len(a.Backends(h.Service)) > 0) {
			services = append(services, addrsOf(h))
		}
	}
	return netset.Union(append(services, netset.Points(pods...))...)
}

// known returns the addresses of nodes, Services and the API server among ids, as far as the input
// shows them.
func (a *Atlas) known(ids netset.IDs) netset.Addrs {
	if ids.Equal(a.nodeIDs()) { // what many servers reach
		return a.nodeAddrs
	}
	return a.knownOf(ids)
}

func (a *Atlas) knownOf(ids netset.IDs) netset.Addrs {
	var out []netset.Addrs
	for r := range ids.Runs() {
		for n := max(int(r.Lo), a.Classes()); n <= int(r.Hi); n++ {
			out = append(out, addrsOf(a.Class(n)))
		}
	}
	return netset.Union(out...)
}

func addrsOf(h *reach.Holder) netset.Addrs {
	var known []netip.Addr
	for _, addr := range h.Addrs {
		if addr.State == reach.KnownAddr {
			known = append(known, addr.Addr)
		}
	}
	return netset.Points(known...)
}

// minus returns p without what the others hold.
func minus(p place, others []place) []place {
	rest := []place{p}
	for _, o := range others {
		var next []place
		for _, r := range rest {
			in := r.region.Intersect(o.region)
			if in.IsEmpty() {
				next = append(next, r)
				continue
			}
			if out := r.region.Minus(o.region); !out.IsEmpty() {
				next = append(next, place{out, r.conns, r.name})
			}
			if conns := r.conns.Minus(o.conns); !conns.IsEmpty() {
				next = append(next, place{in, conns, r.name})
			}
		}
		rest = next
	}
	return rest
}

// places returns what a class of destinations is for the pods of class, of a server whose classes
// are own: all of it, but for some holders.
func (a *Atlas) places(d Dest, class int, own []int) (places []place, but netset.IDs) {
	switch d {
	case OtherServers:
		for _, n := range own {
			if !a.shared(n) {
				but = but.Union(a.IDs(n))
			}
		}
	case SameNamespace:
		home := a.Namespace(a.NamespaceOf(class))
		return a.besidesDNS(home.Intersect(a.ordinary)), a.IDs(class)
	case OtherNamespaces:
		but = a.Namespace(a.NamespaceOf(class))
	}
	return a.fixed[d], but
}

// besidesDNS is pods, without resolvers on the ports they resolve on.
func (a *Atlas) besidesDNS(ids netset.IDs) []place {
	return minus(place{region: reach.Region{IDs: ids}, conns: netset.AllConns}, []place{{region: reach.Region{IDs: a.resolvers}, conns: special.ResolverPods}})
}

// shared reports whether pods of more than one workload are in class: then it is another server to
// itself.
func (a *Atlas) shared(class int) bool {
	members := a.Class(class).Members
	return slices.ContainsFunc(members, func(m reach.Member) bool { return m.Workload != members[0].Workload })
}
