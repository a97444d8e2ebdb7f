package reach

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// kind is what holders have in common whose addresses, where they are not known, lie in the same
// places.
type kind uint8

const (
	ofPods kind = iota
	ofServices
	ofNodes
	ofHosts // pods on the host network of nodes that are not known
	ofAPI
	kinds
)

func (k kind) String() string {
	return [kinds]string{ofPods: "pods", ofServices: "Services", ofNodes: "nodes", ofHosts: "pods on the host network", ofAPI: "the API server"}[k]
}

func (h *Holder) kind() kind {
	switch {
	case h.Kind == VIP, h.Kind == KubeAPI && h.Service >= 0:
		return ofServices
	case h.Kind == KubeAPI:
		return ofAPI
	case h.Kind == Node:
		return ofNodes
	case h.host:
		return ofHosts
	}
	return ofPods
}

// object is what profiles know of where addresses of a kind lie.
func (k kind) object() cni.Object {
	return [kinds]cni.Object{ofPods: cni.Pods, ofServices: cni.Services, ofNodes: cni.Nodes, ofHosts: cni.Nodes, ofAPI: cni.KubeAPI}[k]
}

// shares reports whether an address of the kind may be one that another holder is known to have.
func (k kind) shares() bool { return k == ofHosts || k == ofAPI }

// unknownAddrs is the holders of one kind whose address is not known in some family, by Family.
type unknownAddrs struct{ ids [2]netset.IDs }

// parts splits u by the families in which the addresses are not known: both, which comes first and
// may be nobody, or one of them.
func (u *unknownAddrs) parts() []unknownIn {
	both := u.ids[IPv4].Intersect(u.ids[IPv6])
	return []unknownIn{{both, [2]bool{true, true}}, {u.ids[IPv4].Minus(both), [2]bool{IPv4: true}}, {u.ids[IPv6].Minus(both), [2]bool{IPv6: true}}}
}

// unknownIn is holders with the families in which their address is not known.
type unknownIn struct {
	ids     netset.IDs
	unknown [2]bool
}

// shown says where the facts of the cluster put addresses of a kind, and whether they lie nowhere
// else.
type shown struct {
	ranges netset.Addrs
	all    [2]bool      // by Family
	more   netset.Addrs // of others, which they may share
}

// placeFacts notes what the facts of the cluster say of where addresses lie that are not known.
func (g *Ground) placeFacts() {
	facts := &g.Snapshot.Facts
	known := nodeAddrs(g.Snapshot)
	for k, where := range [kinds]struct {
		ranges []model.Range
		what   string
		more   netset.Addrs
	}{
		ofPods:     {facts.Ranges.Pods, "ranges.pods", netset.Addrs{}},
		ofServices: {facts.Ranges.Services, "ranges.services", netset.Addrs{}},
		ofNodes:    {facts.Ranges.Nodes, "ranges.nodes", netset.Addrs{}},
		ofHosts:    {facts.Ranges.Nodes, "ranges.nodes", known},
		ofAPI:      {nil, "kubeAPI", known}, // it may be on a node, in a range of its own, or anywhere else
	} {
		at := shown{ranges: rangesOf(where.ranges), more: where.more}
		for _, f := range Families {
			at.all[f] = at.ranges.Overlaps(familySpace[f]) && facts.Known(where.what)
		}
		g.shown[k] = at
	}
}

// area is where addresses of a kind lie in one family, as far as is assumed.
type area struct {
	all netset.Addrs // under some profile
	by  []areaOn
}

// areaOn is where addresses lie under some profiles. Of one kind, those of one name are the same.
type areaOn struct {
	on    Worlds
	name  string
	addrs netset.Addrs
}

// findAreas says where addresses lie that are not known: where the facts of the cluster put them, or
// else where the profiles do.
func (c *compiled) findAreas(g *Ground) {
	where := func(at cni.Place) netset.Addrs { return at.Possible }
	if c.assume == Typical {
		where = func(at cni.Place) netset.Addrs { return at.Typical }
	}
	for k := range kinds {
		at := &g.shown[k]
		for _, f := range Families {
			in := func(addrs netset.Addrs) netset.Addrs {
				if at.all[f] {
					addrs = netset.Addrs{}
				}
				return addrs.Intersect(special.Hosts).Union(at.ranges).Union(at.more).Intersect(familySpace[f])
			}
			var out area
			for i, profile := range c.profiles {
				at := profile.Place(k.object())
				addrs, name := in(where(at)), at.Name
				if addrs.Equal(in(where(cni.Anywhere))) {
					name = cni.Anywhere.Name
				}
				out.all = out.all.Union(addrs)
				same := slices.IndexFunc(out.by, func(p areaOn) bool { return p.name == name })
				if same < 0 {
					same, out.by = len(out.by), append(out.by, areaOn{name: name, addrs: addrs})
				}
				out.by[same].on |= 1 << i
			}
			c.areas[k][f] = out
		}
	}
}

// addressIn is the condition that the address of an end lies in addrs, where it is one of a kind
// whose addresses are not known.
func (c *compiled) addressIn(end when.End, k kind, f Family, addrs netset.Addrs) when.When {
	out := when.Never
	for _, at := range c.areas[k][f].by {
		if addrs.Overlaps(at.addrs) {
			out = out.Or(c.asks.on(at.on).And(c.asks.address(end, k, f, at).In(addrs)))
		}
	}
	return out
}

// factEndpoints returns where the API server answers too, as the facts say: addresses that are
// neither among those given nor of a Service.
func (g *Ground) factEndpoints(given []model.Endpoint) []model.Endpoint {
	services := rangesOf(g.Snapshot.Facts.Ranges.Services)
	var out []model.Endpoint
	for _, e := range g.Snapshot.Facts.KubeAPI {
		addr := e.Addr.Unmap()
		_, isVIP := g.vips[addr]
		listed := func(o model.Endpoint) bool { return o.Addr.Unmap() == addr }
		if !addr.IsValid() || isVIP || services.Contains(addr) || slices.ContainsFunc(given, listed) {
			continue
		}
		i := slices.IndexFunc(out, listed)
		if i < 0 {
			i, out = len(out), append(out, model.Endpoint{Addr: addr})
		}
		out[i].Ports = append(out[i].Ports, model.ServicePort{Protocol: netset.TCP, Port: netset.Port(e.Port)})
	}
	return out
}

// showAPI adds the Service of the API server where only the facts say what is behind it: every
// cluster has one, and some plugins judge connections to its address.
func (g *Ground) showAPI() {
	s := g.Snapshot
	endpoints := g.factEndpoints(nil)
	if endpoints == nil || slices.ContainsFunc(s.Services, func(svc model.Service) bool { return svc.Namespace == "default" && svc.Name == "kubernetes" }) {
		return
	}
	svc := model.Service{Namespace: "default", Name: "kubernetes", Type: "ClusterIP", Endpoints: endpoints,
		Ports: []model.ServicePort{{Name: "https", Protocol: netset.TCP, Port: 443, Target: endpoints[0].Ports[0].Port}}}
	services := rangesOf(s.Facts.Ranges.Services)
	for _, e := range s.Facts.KubeAPI {
		if addr := e.Addr.Unmap(); addr.IsValid() && services.Contains(addr) && !slices.Contains(svc.ClusterIPs, addr) {
			svc.ClusterIPs = append(svc.ClusterIPs, addr)
		}
	}
	svc.MoreAddrs = len(svc.ClusterIPs) == 1
	with := *s
	with.Services = append(slices.Clip(s.Services), svc)
	if !slices.ContainsFunc(s.Namespaces, func(ns model.Namespace) bool { return ns.Name == svc.Namespace }) {
		labels := label.Known(label.Set{label.MetadataName: svc.Namespace}).Open()
		with.Namespaces = append(slices.Clip(s.Namespaces), model.Namespace{Name: svc.Namespace, Labels: labels})
	}
	g.Snapshot = &with
}

// MayLie is the condition that an address that is asked about may be that of a holder, or of a pod that does not exist
// if n is -1, whose address in its family is not known.
func (p *Program) MayLie(n int, addr netip.Addr) when.When {
	k, f := ofPods, familyOf(addr)
	if n >= 0 {
		h := &p.holders[n]
		if state := h.Addrs[f].State; state != Has && state != MayHave || p.inFamily(h.existence(), f).IsNever() {
			return when.Never
		}
		k = h.kind()
	}
	var on Worlds
	for _, at := range p.areas[k][f].by {
		if p.own(at.addrs).Contains(addr) {
			on |= at.on
		}
	}
	return p.On(on & p.in)
}

// own is what of some addresses may be a cluster's own when one of them is asked about: typically not
// what is on the internet too.
func (p *Program) own(addrs netset.Addrs) netset.Addrs {
	if p.assume == Typical {
		return addrs.Minus(special.Internet)
	}
	return addrs
}

// Plan is where pods, Services and nodes may have addresses of a family that are not known.
func (p *Program) Plan(f Family) netset.Addrs {
	var all netset.Addrs
	for k := range kinds {
		for _, at := range p.areas[k][f].by {
			if at.on&p.in != 0 {
				all = all.Union(p.own(at.addrs))
			}
		}
	}
	return all
}

func rangesOf(ranges []model.Range) netset.Addrs {
	sets := make([]netset.Addrs, len(ranges))
	for i, r := range ranges {
		sets[i] = netset.Prefixes(r.CIDR)
	}
	return netset.Union(sets...)
}

// assumeFamilies settles whether pods and nodes have IPv6 addresses: they do where the input shows
// any, or a policy names some.
func (q *questions) assumeFamilies(g *Ground) {
	has := when.Never
	if g.showsIPv6() {
		has = when.Always
	}
	q.has[IPv6], q.nodesHave[IPv6] = has, has
}

func (g *Ground) showsIPv6() bool {
	s, all := g.Snapshot, familySpace[IPv6]
	names := func(peer policy.Peer) bool { return peer.Block != nil && peer.Block.Addrs().Overlaps(all) }
	return g.seen[IPv6] || slices.ContainsFunc(g.shown[:], func(at shown) bool { return at.ranges.Overlaps(all) }) ||
		slices.ContainsFunc(s.Services, func(svc model.Service) bool { return svc.MoreAddrs }) ||
		slices.ContainsFunc(s.Workloads, func(w model.Workload) bool {
			return slices.ContainsFunc(w.Pods, func(p model.Pod) bool { return p.MoreAddrs })
		}) ||
		slices.ContainsFunc(s.Policies, func(p policy.Policy) bool {
			return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return slices.ContainsFunc(r.Peers, names) })
		})
}

// Unplaced says, as a sentence, which addresses are not known and where they are taken to lie; ""
// if all are known.
func (p *Program) Unplaced() string {
	var lost [kinds]bool
	for n := range p.holders {
		for f, a := range p.holders[n].Addrs {
			there := a.State == Has || a.State == MayHave && !p.inFamily(p.holders[n].existence(), Family(f)).IsNever()
			lost[p.holders[n].kind()] = lost[p.holders[n].kind()] || there
		}
	}
	var names []string // of those that lie in the same places
	var where []netset.Addrs
	for k := range kinds {
		if !lost[k] {
			continue
		}
		at := p.placeOf(k)
		i := slices.IndexFunc(where, at.Equal)
		if i < 0 {
			i, names, where = len(where), append(names, ""), append(where, at)
		}
		names[i] = strings.TrimPrefix(names[i]+", "+k.String(), ", ")
	}
	if names == nil {
		return ""
	}
	texts := make([]string, len(names))
	for i, at := range where {
		switch more := netset.CIDRs(at.Minus(where[0])); {
		case p.assume == Worst && at.Covers(special.Plan):
			texts[i] = names[i] + " may be anywhere"
		case i > 0 && at.Covers(where[0]):
			texts[i] = names[i] + " there or in " + PrefixText(more, 10)
		default:
			texts[i] = names[i] + " are in " + PrefixText(netset.CIDRs(at), 10)
		}
	}
	text := "where the input shows no address, " + strings.Join(texts, ", ")
	if p.assume == Typical {
		text += " (toolmoat cidrs says where, --assume worst leaves it open)"
	}
	return text
}

// placeOf is where addresses of a kind lie that are not known, in the families that there are.
func (p *Program) placeOf(k kind) netset.Addrs {
	all := p.areas[k][IPv4].all
	if !p.asks.has[IPv6].IsNever() {
		all = all.Union(p.areas[k][IPv6].all)
	}
	return all
}
