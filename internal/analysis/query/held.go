package query

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// An address may be claimed by several objects of the input, and what claims it need not have it:
// manifests can say anything. All who may answer are choices, but of several pods with an address of
// their own one answers.

// index says who has which address.
type index struct {
	built   bool
	pods    map[netip.Addr][]reach.Member // with an address of their own
	holders map[netip.Addr][]int          // the others, without Services
	own     map[netip.Addr][]entry        // Services by ClusterIP
	outer   map[netip.Addr][]entry        // Services by addresses that clients outside use
	named   map[netip.Addr][]reach.Member // pods that endpoints name and whose own address is another or not known
	nodes   map[netip.Addr]string         // nodes by name; "" where several claim one address
}

// holding returns the index, made at its first use.
func (a *asker) holding() *index {
	x := a.index
	if x.built {
		return x
	}
	*x = index{true, map[netip.Addr][]reach.Member{}, map[netip.Addr][]int{}, map[netip.Addr][]entry{}, map[netip.Addr][]entry{}, map[netip.Addr][]reach.Member{}, nodesByAddr(a)}
	s := a.p.Snapshot
	for w := range s.Workloads {
		for i := range s.Workloads[w].Pods {
			if pod := &s.Workloads[w].Pods[i]; !pod.HostNetwork {
				for _, at := range pod.Addrs {
					put(x.pods, at, reach.Member{Workload: w, Pod: i})
				}
			}
		}
	}
	ofNode := map[string][]netip.Addr{}
	for _, n := range s.Nodes {
		ofNode[n.Name] = append(ofNode[n.Name], n.Addrs...)
	}
	for n := range a.p.Holders() {
		h := a.p.Class(n)
		switch {
		case h.Kind == reach.VIP, h.Kind == reach.KubeAPI && h.Service >= 0, h.Kind == reach.Class && !a.p.HostNetwork(n):
		case h.Kind == reach.Class:
			for _, m := range h.Members {
				pod := &s.Workloads[m.Workload].Pods[m.Pod]
				for _, at := range slices.Concat(pod.Addrs, pod.NodeAddrs, ofNode[nodeOf(pod, x.nodes)]) {
					put(x.holders, at, n)
				}
			}
		default:
			for _, at := range h.Addrs {
				if at.State == reach.KnownAddr {
					put(x.holders, at.Addr, n)
				}
			}
		}
	}
	for i := range s.Services {
		svc := &s.Services[i]
		for _, e := range svc.Endpoints {
			for _, pod := range a.p.NamedBy(e) {
				if at := e.Addr.Unmap(); !slices.Contains(x.named[at], pod.Member) {
					x.named[at] = append(x.named[at], pod.Member)
				}
			}
		}
		if svc.Headless || svc.Type == "ExternalName" {
			continue // nothing takes connections for it
		}
		for _, at := range svc.ClusterIPs {
			put(x.own, at, entry{service: i})
		}
		for _, ip := range svc.ExternalIPs {
			front := plain(ip.Addr)
			put(x.outer, ip.Addr, entry{i, &front})
		}
	}
	return x
}

// put adds v at addr, once in a row.
func put[T comparable](m map[netip.Addr][]T, addr netip.Addr, v T) {
	addr = addr.Unmap()
	if list := m[addr]; len(list) == 0 || list[len(list)-1] != v {
		m[addr] = append(list, v)
	}
}

// servicesAt returns the Services that have addr: as their own, and for clients outside.
func (a *asker) servicesAt(addr netip.Addr) (own, outer []entry) {
	x := a.holding()
	return x.own[addr], x.outer[addr]
}

// contested reports whether somebody else may have an address that a Service has as its own.
// Services draw theirs from a range of the plan in which nothing else lies, but a manifest may
// claim any.
func (a *asker) contested(addr netip.Addr) bool {
	x := a.holding()
	return reserved(addr) || !special.Plan.Contains(addr) || x.pods[addr] != nil || x.holders[addr] != nil || x.outer[addr] != nil
}

// reserved reports whether addr is something's that no pod, node or Service can take it from: a
// cloud's endpoint, or link-local.
func reserved(addr netip.Addr) bool { return special.Reserved.Contains(addr) }

// listening resolves an address that clients connect to: the Services that have it, each on its own
// ports, and whoever has it besides.
func (a *asker) listening(addr netip.Addr) place {
	own, outer := a.servicesAt(addr)
	for _, s := range own {
		a.note(addr.String() + " is the address of " + serviceName(a, s.service))
	}
	for _, s := range outer {
		a.note(addr.String() + " is an external address of " + serviceName(a, s.service) + ", on the ports that this Service has")
	}
	if outer != nil {
		pl := a.address(addr) // a Service takes its own ports only
		pl.name, pl.services = addr.String(), slices.Concat(own, outer)
		var ports netset.Conns
		for _, s := range pl.services {
			for _, p := range a.p.Snapshot.Services[s.service].Ports {
				ports = ports.Union(one(p.Protocol, p.Port))
			}
		}
		if x := a.holding(); !reserved(addr) && x.pods[addr] == nil && x.holders[addr] == nil {
			pl.taken = ports
		} else {
			pl.shared = ports
		}
		return pl
	}
	switch len(own) {
	case 0:
		return a.address(addr)
	case 1:
		return a.servicePlace(own[0].service)
	}
	pl := somewhere(addr.String())
	pl.services = own
	return pl
}

// address resolves an address without its Services: to what is known to hold it, or to what may.
func (a *asker) address(addr netip.Addr) place {
	pl := somewhere(addr.String())
	x := a.holding()
	named := x.named[addr]
	pods := slices.Concat(x.pods[addr], named)
	switch len(pods) {
	case 0:
	case len(named): // or somebody's whom the input does not show
		for _, pod := range pods {
			a.note("an endpoint gives " + addr.String() + " to " + a.onePod(pod).name + ", which does not show it as its own")
		}
	case 1:
		one := a.onePod(pods[0])
		a.note(addr.String() + " is the address of " + one.name)
		pl.ends, pl.namespace, pl.name = one.ends, one.namespace, one.name
	default: // what one of them had before may not be known to be gone
		pl.at = addr
		names := make([]string, len(pods))
		for i, pod := range pods {
			one := a.onePod(pod)
			for j := range one.ends {
				if slices.Contains(named, pod) {
					one.ends[j].claimed = addr
				}
			}
			names[i], pl.rivals = one.name, append(pl.rivals, one.ends...)
		}
		a.note(fmt.Sprintf("the input gives %s to %d pods, of which one can have it: %s", addr, len(pods), listed(names, 3)))
	}
	alone := pl.ends != nil
	for _, n := range x.holders[addr] {
		e := a.holderEnd(n)
		a.noteHost(e)
		pl.ends = append(pl.ends, e)
		a.note(addr.String() + " is the address of " + e.name)
		if alone {
			pl.name = addr.String()
		}
	}
	switch {
	case pl.ends == nil && pl.rivals == nil && (a.p.Plan(familyOf(addr)).Contains(addr) || named != nil) && !reserved(addr):
		pl.unknown = addr
	case pl.ends == nil && pl.rivals == nil:
		pl.ends = []end{plain(addr)}
		if a.p.Assumed() == reach.Typical && addr.Is6() && special.Internet.Contains(addr) { // clusters have such of their own, too
			a.assume(addr.String() + " is the address of nothing in the cluster, as the input does not show it")
		}
	case reserved(addr):
		pl.ends = append(pl.ends, plain(addr))
		pl.name = addr.String()
	}
	return pl
}
