package reach

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Way is how connections get to a class of pods otherwise than at the pods' own address. What
// policies take the two ends for depends on who translates, and when; a reader adds that.
type Way struct {
	Kind    WayKind
	Name    string // "LoadBalancer Service ns/name", "Ingress ns/name", "hostPort of ns/name"
	Service int    // an index into Snapshot.Services; -1 if Kind is ByHostPort
	Pod     Member // if Kind is ByHostPort: who has the port
	Perhaps Doubt
	Ports   []PortMapping
	Local   bool             // if Kind is ByNodes: nodes send on to their own pods only, and keep the client's address
	Route   *model.Route     // if Kind is ByRoute
	Doubt   model.RouteDoubt // whether it leads to the Service
	Origin  origin.Origin
}

// WayKind says what stands before the pods on a way.
type WayKind uint8

const (
	ByService  WayKind = iota // a Service, at its own address
	ByNodes                   // a Service's node ports, load balancers or external IPs, for which nodes take connections in
	ByHostPort                // a port of the node that the pod runs on
	ByRoute                   // a route's ingress controller, which connects to the pods behind a Service itself
)

// Arrival is connections as they arrive at pods, if When holds.
type Arrival struct {
	Conns netset.Conns
	When  when.When
}

// Arriving is what comes a way to the pods.
func (p *Program) Arriving(w Way) []Arrival {
	var out []Arrival
	for _, m := range w.Ports {
		a := Arrival{netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target)), p.Behind(w.Service, w.Perhaps, m).And(p.routed(w))}
		if i := slices.IndexFunc(out, func(o Arrival) bool { return o.When.Equal(a.When) }); i >= 0 {
			out[i].Conns = out[i].Conns.Union(a.Conns)
		} else {
			out = append(out, a)
		}
	}
	return out
}

// Ways returns the ways to a class of pods.
func (g *Ground) Ways(class int) []Way { return g.ways[class] }

// findWays lists the ways to every class.
func (g *Ground) findWays() {
	g.ways = make([][]Way, g.classes)
	s := g.Snapshot
	byName := map[[2]string][]int{} // several that differ may claim one name
	for i := range s.Services {
		svc := &s.Services[i]
		name := [2]string{svc.Namespace, svc.Name}
		byName[name] = append(byName[name], i)
		if w := g.byService(i); w != nil && !g.isKubeAPI(i) {
			g.addWay(*w, PortMapping.any)
		}
		if w := byNodes(i, svc); w != nil {
			g.addWay(*w, PortMapping.any)
		}
	}
	for n := range s.Routes {
		r := &s.Routes[n]
		for _, b := range r.Backends {
			for _, i := range byName[[2]string{b.Namespace, b.Service}] {
				number := b.Port
				for _, p := range s.Services[i].Ports {
					if b.PortName != "" && p.Name == b.PortName {
						number = p.Port
					}
				}
				way := Way{Kind: ByRoute, Name: fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name), Service: i, Route: r, Doubt: b.Doubt, Origin: b.Origin}
				g.addWay(way, func(m PortMapping) bool {
					return (number == 0 || m.Service == number) && (b.Target == 0 || m.Target == b.Target)
				})
			}
		}
	}
	for n := range g.classes {
		for _, m := range g.holders[n].Members {
			g.addHostPorts(n, m)
		}
		if slices.ContainsFunc(g.ways[n], func(w Way) bool { return w.Kind == ByNodes || w.Kind == ByHostPort }) {
			g.behindNodes = append(g.behindNodes, n)
		}
	}
}

// WaysToAddr returns the ways to an endpoint of Services that is no pod with an address of its own.
func (g *Ground) WaysToAddr(addr netip.Addr) []Way {
	var out []Way
	for i := range g.bareBackends {
		o := &g.bareBackends[i]
		if o.addr != addr {
			continue
		}
		for _, w := range []*Way{g.byService(o.service), o.way} {
			if w != nil {
				w := *w
				w.Ports = o.ports
				out = append(out, w)
			}
		}
	}
	return out
}

// WayByNodes returns the way through the node ports and external IPs of a Service, with its ports as
// they are on nodes; ok is false if it has none.
func (g *Ground) WayByNodes(service int) (w Way, ok bool) {
	svc := &g.Snapshot.Services[service]
	way := byNodes(service, svc)
	if way == nil {
		return Way{}, false
	}
	for _, p := range svc.Ports {
		way.Ports = append(way.Ports, mapping(svc, p, p.Target))
	}
	return *way, true
}

// byService is the way through a Service's own address; nil if it has none.
func (g *Ground) byService(service int) *Way {
	if _, ok := g.VIP(service); !ok {
		return nil
	}
	svc := &g.Snapshot.Services[service]
	return &Way{Kind: ByService, Name: fmt.Sprintf("Service %s/%s", svc.Namespace, svc.Name), Service: service, Origin: svc.Origin}
}

// byNodes is the way through the node ports and external IPs of a Service; nil if it has none.
func byNodes(service int, svc *model.Service) *Way {
	kind := svc.Type
	if svc.Headless || kind == "ExternalName" {
		return nil // nothing takes connections in for it
	}
	if kind != "LoadBalancer" && kind != "NodePort" {
		if kind = "externalIPs"; len(svc.ExternalIPs) == 0 {
			return nil
		}
	}
	return &Way{Kind: ByNodes, Name: fmt.Sprintf("%s Service %s/%s", kind, svc.Namespace, svc.Name), Service: service, Local: svc.Local, Origin: svc.Origin}
}

func (PortMapping) any() bool { return true }

// addWay adds a way through a Service to the classes behind it, over the ports that it leads to.
func (g *Ground) addWay(w Way, leads func(PortMapping) bool) {
	for _, b := range g.backends[w.Service] {
		w.Perhaps = b.Perhaps
		w.Ports = slices.DeleteFunc(slices.Clone(b.Ports), func(m PortMapping) bool { return !leads(m) })
		if len(w.Ports) > 0 {
			g.ways[b.Class] = append(g.ways[b.Class], w)
		}
	}
}

// addHostPorts adds the ports that a pod has on its node. What connects there is sent on to the
// pod, whose policies judge it as what arrives on the container's port: the portmap plugin
// translates the destination before policy (containernetworking/plugins, plugins/meta/portmap), and
// Cilium keeps a service of type HostPort for it (pkg/loadbalancer). A pod on the host network
// listens on the node itself, and nothing is translated.
func (g *Ground) addHostPorts(class int, m Member) {
	wl := &g.Snapshot.Workloads[m.Workload]
	pod := &wl.Pods[m.Pod]
	if pod.HostNetwork {
		return
	}
	way := Way{Kind: ByHostPort, Name: "hostPort of " + wl.Namespace + "/" + wl.Name, Service: -1, Pod: m, Origin: wl.Origin}
	for _, p := range pod.Ports {
		if p.HostPort != 0 {
			way.Ports = append(way.Ports, PortMapping{Protocol: p.Protocol, Target: p.Port, Node: netset.PortRange(p.HostPort, p.HostPort)})
		}
	}
	if way.Ports != nil {
		g.ways[class] = append(g.ways[class], way)
	}
}
