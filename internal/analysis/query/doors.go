package query

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// throughDoors decides for the ways that lead to pods otherwise than at their own address, where
// the question names the pods: what policies deny there they may let through at the address of a
// Service or a node. It names those that pass.
func (a *asker) throughDoors(from, to end) []way {
	var out []way
	tried := 0
	for _, w := range a.p.Ways(to.Holder) {
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

// throughDoor decides for one door: what of it ends at the pods, as the question names it.
func (a *asker) throughDoor(from, to end, d door, m reach.PortMapping) []way {
	asked := a.conns
	a.conns = one(m.Protocol, m.Service)
	done := a.quietly()
	ways := d.ways(from)
	done()
	a.conns = asked
	ways = slices.DeleteFunc(ways, func(w way) bool {
		return w.untold && w.via == nil || w.to.Holder != to.Holder || !w.hit.Contains(m.Protocol, m.Target) || w.pass.And(w.given).IsNever()
	})
	for i := range ways {
		ways[i].conns = netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
	}
	if len(ways) > 0 {
		a.note("another way there: " + d.name)
	}
	return ways
}
