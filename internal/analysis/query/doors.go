package query

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// otherwise decides for the ways that lead to a target otherwise than at its own address: what
// policies deny there they may let through at the address of a Service or a node.
func (a *asker) otherwise(from end, target place) []way {
	out := a.eachOf(target, func(to end) []way { return a.throughDoors(from, to) })
	if target.unknown.IsValid() {
		out = append(out, a.throughDoors(from, plain(target.unknown))...)
	}
	if a.q.To.Object != "" {
		for _, at := range target.services {
			out = append(out, a.throughNodes(from, at.service)...)
		}
	}
	return out
}

// waysTo returns the ways to an end: to pods, or to endpoints of Services that are no pods.
func (a *asker) waysTo(to end) []reach.Way {
	switch {
	case a.isPods(to):
		return a.p.Ways(to.Holder)
	case to.Holder < 0:
		return a.p.WaysToAddr(to.Addr)
	}
	var out []reach.Way
	for _, at := range a.p.Class(to.Holder).Addrs {
		if at.State == reach.KnownAddr {
			out = append(out, a.p.WaysToAddr(at.Addr)...)
		}
	}
	return out
}

// throughDoors decides for the ways to an end that the question names, and names those that pass.
func (a *asker) throughDoors(from, to end) []way {
	var out []way
	tried := 0
	for _, w := range a.waysTo(to) {
		if w.Kind == reach.ByService && !a.isPods(from) {
			continue // which nodes reach as they do the pods, and nobody from outside
		}
		for _, m := range w.Ports {
			if !a.conns.Contains(m.Protocol, m.Target) {
				continue
			}
			for _, d := range a.doors(w, m, to) {
				if tried++; tried > maxNodePorts {
					a.note(fmt.Sprintf("%s has more than %d ways in; the rest was not asked", to.name, maxNodePorts))
					return append(out, may(a.conns, a.p.Doubt("one of many ways in leads to "+to.name))...)
				}
				out = append(out, a.throughDoor(from, to, d, m)...)
			}
		}
	}
	return out
}

// throughNodes decides for what is behind the ports of nodes, external IPs and load balancers of a
// Service that the question names, and names those that pass.
func (a *asker) throughNodes(from end, service int) []way {
	w, ok := a.p.WayByNodes(service)
	if !ok {
		return nil
	}
	var out []way
	tried := 0
	for _, m := range w.Ports {
		if !a.conns.Contains(m.Protocol, m.Service) {
			continue
		}
		for _, d := range a.doors(w, m, end{}) {
			if tried++; tried > maxNodePorts {
				a.note(fmt.Sprintf("%s has more than %d ways in; the rest was not asked", serviceName(a, service), maxNodePorts))
				return append(out, may(a.conns, a.p.Doubt("one of many ways in leads to "+serviceName(a, service)))...)
			}
			ways := a.open(d, from, m)
			for i := range ways {
				ways[i].conns = one(m.Protocol, m.Service)
			}
			if parts(ways) != nil {
				a.note("another way there: " + d.name)
				out = append(out, ways...)
			}
		}
	}
	return out
}

// door is where a way to pods begins.
type door struct {
	name string // "a/Service/b:443", "port 30080 of node n1"
	ways func(from end) []way
}

// doors lists where a way over one of its ports begins. A Service's address is one only where
// policy may be judged on it.
func (a *asker) doors(w reach.Way, m reach.PortMapping, to end) []door {
	var out []door
	switch w.Kind {
	case reach.ByService:
		vip, ok := a.p.VIP(w.Service)
		if !ok || a.p.Says(cni.JudgedBeforeService) == cni.No {
			return nil
		}
		at := end{End: reach.AtHolder(vip), name: serviceName(a, w.Service), workload: -1}
		return []door{{fmt.Sprintf("%s:%d", at.name, m.Service), func(from end) []way {
			return a.toService(from, entry{service: w.Service, front: nil})
		}}}
	case reach.ByNodes:
		svc := &a.p.Snapshot.Services[w.Service]
		for _, ip := range svc.ExternalIPs {
			front := plain(ip.Addr)
			out = append(out, door{fmt.Sprintf("%s:%d", front.name, m.Service), func(from end) []way {
				return a.toService(from, entry{w.Service, &front})
			}})
		}
		if svc.Balancer {
			name := fmt.Sprintf("the load balancer of %s, whose address the input does not show", serviceName(a, w.Service))
			out = append(out, door{name, func(from end) []way { return a.toBalancer(from, w.Service) }})
		}
		for _, p := range svc.Ports {
			at, ok := a.nodePortOf(w.Service, p)
			if !ok || p.Port != m.Service || p.Protocol != m.Protocol {
				continue
			}
			for _, n := range a.allNodes() {
				out = append(out, door{at.name() + " of " + n.name, func(from end) []way { return a.toSomeNodePort(from, n, at) }})
			}
		}
	case reach.ByHostPort:
		hp := hostPort{to, m.Protocol, m.Node.First(), m.Target}
		for _, n := range a.allNodes() {
			if a.runsOn(n, hp) != cni.No {
				out = append(out, door{fmt.Sprintf("port %d of %s", hp.port, n.name), func(from end) []way { return a.toHostPort(from, n, hp) }})
			}
		}
	}
	return out
}

// toBalancer decides for what is behind a Service's load balancer, wherever outside of the cluster
// that is: at one address of each range that policies let the client to.
func (a *asker) toBalancer(from end, service int) []way {
	if !a.isPods(from) {
		return nil
	}
	space := a.p.BalancerSpace(service)
	var out []way
	for _, b := range a.oneSided(from.Holder, policy.Egress) {
		for _, family := range []netset.Addrs{netset.MustPrefixes("0.0.0.0/0"), netset.MustPrefixes("::/0")} {
			addrs := b.Region.Addrs.Intersect(space).Intersect(family)
			if addrs.IsEmpty() || !b.Conns.Overlaps(a.conns) {
				continue
			}
			at := plain(addrs.First())
			at.name = "the load balancer of " + serviceName(a, service)
			ways := a.toService(from, entry{service, &at})
			if !b.Region.Addrs.Covers(space) {
				ways = within(ways, a.p.OnBalancer(service))
			}
			out = append(out, ways...)
		}
	}
	return out
}

// name is how people call it.
func (p nodePort) name() string {
	if p.perhaps {
		return "its node port, which the input does not show,"
	}
	return fmt.Sprintf("port %d", p.at.First())
}

// open decides for whatever is behind a door, over one of its ports.
func (a *asker) open(d door, from end, m reach.PortMapping) []way {
	defer a.quietly()()
	defer func(asked netset.Conns, atDoor bool) { a.conns, a.atDoor = asked, atDoor }(a.conns, a.atDoor)
	a.conns, a.atDoor = one(m.Protocol, m.Service), true
	return d.ways(from)
}

// throughDoor decides for one door: what of it ends at the pods, as the question names it.
func (a *asker) throughDoor(from, to end, d door, m reach.PortMapping) []way {
	ways := slices.DeleteFunc(a.open(d, from, m), func(w way) bool {
		return w.untold && w.via == nil || w.to.End != to.End || !w.hit.Contains(m.Protocol, m.Target) || w.pass.And(w.given).IsNever()
	})
	for i := range ways {
		ways[i].conns = netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
	}
	if len(ways) > 0 {
		a.note("another way there: " + d.name)
	}
	return ways
}
