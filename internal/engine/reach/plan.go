package reach

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// kind is what holders have in common whose addresses, where they are not known, lie in the same
// ranges.
type kind uint8

const (
	ofPods kind = iota
	ofServices
	ofNodes
	ofHosts // pods on the host network of nodes that are not known
	ofAPI
	kinds
)

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

// unknownAddrs is holders whose address is not known in some family, and where it may lie, by
// Family.
type unknownAddrs struct {
	ids    [2]netset.IDs
	plan   [2]netset.Addrs
	shared bool // it may be one that another holder is known to have
	public bool // it may be somewhere on the internet instead: of nodes and the API server
}

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

// place adds the holders of a kind to those of others that lie in the same ranges. Pods come first.
func (g *Ground) place(k kind, ids [2]netset.IDs) {
	plan, shared, public := g.planOf[k], k == ofHosts || k == ofAPI, k == ofNodes || k == ofAPI
	i := slices.IndexFunc(g.unknownAddrs, func(u unknownAddrs) bool {
		return u.shared == shared && u.public == public && u.plan[IPv4].Equal(plan[IPv4]) && u.plan[IPv6].Equal(plan[IPv6])
	})
	if i < 0 {
		i, g.unknownAddrs = len(g.unknownAddrs), append(g.unknownAddrs, unknownAddrs{plan: plan, shared: shared, public: public})
	}
	for _, f := range Families {
		g.unknownAddrs[i].ids[f] = g.unknownAddrs[i].ids[f].Union(ids[f])
	}
}

// planAddrs says where addresses may lie that are not known: where the facts of the cluster say, or
// else in private space.
func (g *Ground) planAddrs() {
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
		ranges := rangesOf(where.ranges)
		for _, f := range Families {
			plan := ranges.Intersect(familySpace[f])
			if plan.IsEmpty() || !facts.Known(where.what) {
				plan = special.Plan.Intersect(familySpace[f]).Union(plan)
			}
			plan = plan.Union(where.more.Intersect(familySpace[f]))
			g.planOf[k][f] = plan
			g.plan[f] = g.plan[f].Union(plan)
		}
	}
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

// MayBeAt reports whether addr may be that of a holder whose address is not known.
func (g *Ground) MayBeAt(n int, addr netip.Addr) bool {
	return !special.Plan.Contains(addr) || g.planOf[g.holders[n].kind()][familyOf(addr)].Contains(addr)
}

func rangesOf(ranges []model.Range) netset.Addrs {
	sets := make([]netset.Addrs, len(ranges))
	for i, r := range ranges {
		sets[i] = netset.Prefixes(r.CIDR)
	}
	return netset.Union(sets...)
}

// Unplaced says, as a sentence, which addresses are not known and where they are taken to lie; ""
// if all are known.
func (g *Ground) Unplaced() string {
	var lost [kinds]bool
	for n := range g.holders {
		for _, a := range g.holders[n].Addrs {
			lost[g.holders[n].kind()] = lost[g.holders[n].kind()] || a.State == Has || a.State == MayHave
		}
	}
	if g.planOf[ofHosts][IPv4].Covers(g.planOf[ofPods][IPv4]) {
		lost[ofPods] = lost[ofPods] || lost[ofHosts]
	} else {
		lost[ofNodes] = lost[ofNodes] || lost[ofHosts]
	}
	var names, placed []string
	for k, name := range [kinds]string{ofPods: "pods", ofServices: "Services", ofNodes: "nodes", ofAPI: "the API server"} {
		switch plan := g.planOf[k][IPv4].Union(g.planOf[k][IPv6]); {
		case !lost[k] || name == "":
		case plan.Covers(special.Plan):
			names = append(names, name)
		default:
			placed = append(placed, "of "+name+" in "+PrefixText(netset.CIDRs(plan), 10))
		}
	}
	assumed := PrefixText(netset.CIDRs(special.Plan), 10)
	text := "addresses that the input does not show "
	switch {
	case names == nil && placed == nil:
		return ""
	case placed == nil:
		text += "(of " + strings.Join(names, ", ") + ") lie in " + assumed
	case names == nil:
		text += "lie, " + strings.Join(placed, ", ")
	default:
		text += "lie, " + strings.Join(placed, ", ") + ", and of " + strings.Join(names, ", ") + " in " + assumed
	}
	return text + "; " + [...]string{Has: "pods have IPv4", MayHave: "pods have IPv6"}[g.states[IPv4]] + " addresses at least"
}
