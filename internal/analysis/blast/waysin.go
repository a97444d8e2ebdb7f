package blast

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// wayIn is how connections from outside the cluster get to pods.
type wayIn struct {
	name         string
	conns        netset.Conns // on the pods
	routed       bool         // by an ingress controller, which connects to the pods itself
	onNodes      bool         // through node ports
	keepsAddress bool         // the client's address survives on the way to the pods
	origin       origin.Origin
}

// findWaysIn collects the ways into each class.
func (a *Atlas) findWaysIn() {
	a.waysIn = map[int][]wayIn{}
	byName := map[string]int{}
	for i, svc := range a.Snapshot.Services {
		byName[svc.Namespace+"/"+svc.Name] = i
		kind := ""
		switch {
		case svc.Type == "LoadBalancer" || svc.Type == "NodePort":
			kind = svc.Type
		case len(svc.ExternalIPs) > 0:
			kind = "externalIPs"
		default:
			continue
		}
		way := wayIn{name: fmt.Sprintf("%s Service %s/%s", kind, svc.Namespace, svc.Name), keepsAddress: svc.Local, onNodes: svc.Type == "LoadBalancer" || svc.Type == "NodePort", origin: svc.Origin}
		a.addWay(i, way, func(reach.PortMapping) bool { return true })
	}
	for _, r := range a.Snapshot.Routes {
		for _, b := range r.Backends {
			i, ok := byName[b.Namespace+"/"+b.Service]
			if !ok {
				continue
			}
			number := b.Port
			for _, p := range a.Snapshot.Services[i].Ports {
				if b.PortName != "" && p.Name == b.PortName {
					number = p.Port
				}
			}
			way := wayIn{name: fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name), routed: true, origin: b.Origin}
			a.addWay(i, way, func(m reach.PortMapping) bool { return number == 0 || m.Service == number })
		}
	}
	for n := range a.Classes() {
		for _, m := range a.Class(n).Members {
			w := &a.Snapshot.Workloads[m.Workload]
			var conns netset.Conns
			for _, p := range w.Pods[m.Pod].Ports {
				if p.HostPort != 0 && !w.Pods[m.Pod].HostNetwork {
					conns = conns.Union(netset.ConnsOf(p.Protocol, netset.PortRange(p.Port, p.Port)))
				}
			}
			if !conns.IsEmpty() {
				a.waysIn[n] = append(a.waysIn[n], wayIn{name: "hostPort of " + w.Namespace + "/" + w.Name, conns: conns, origin: w.Origin})
			}
		}
	}
}

func (a *Atlas) addWay(service int, way wayIn, leads func(reach.PortMapping) bool) {
	for _, b := range a.Backends(service) {
		w := way
		for _, m := range b.Ports {
			if leads(m) {
				w.conns = w.conns.Union(netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target)))
			}
		}
		if !w.conns.IsEmpty() {
			a.waysIn[b.Class] = append(a.waysIn[b.Class], w)
		}
	}
}

// WaysIn returns where the ways into a server from outside are written.
func (a *Atlas) WaysIn(server int) []origin.Origin {
	var out []origin.Origin
	for _, class := range a.ClassesOf(a.Snapshot.Servers[server].Workload) {
		for _, w := range a.waysIn[class] {
			out = append(out, w.origin)
		}
	}
	return out
}

// ingressImages are parts of the image paths of ingress controllers and gateways for HTTP, from the
// projects' own manifests.
var ingressImages = []string{"ingress-nginx/controller", "nginx/nginx-ingress", "traefik", "haproxytech/kubernetes-ingress", "kong/", "projectcontour/contour",
	"envoyproxy/envoy", "envoyproxy/gateway", "istio/proxyv2", "nginx-gateway-fabric"}

// findIngress finds the classes of ingress controllers.
func (a *Atlas) findIngress() {
	for n := range a.Classes() {
		if slices.ContainsFunc(a.Class(n).Members, func(m reach.Member) bool { return isIngress(&a.Snapshot.Workloads[m.Workload]) }) {
			a.ingress = append(a.ingress, n)
		}
	}
}

// isIngress reports whether a workload's only container is an ingress controller: proxies of that
// kind also run beside other containers.
func isIngress(w *model.Workload) bool {
	running := 0
	found := false
	for _, c := range w.Containers {
		if !c.Init || c.Sidecar {
			running++
			found = found || slices.ContainsFunc(ingressImages, func(part string) bool { return strings.Contains(c.Image, part) })
		}
	}
	return found && running == 1
}
