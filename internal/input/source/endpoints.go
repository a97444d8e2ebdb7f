package source

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// made is a Service that was not read, while it is made of its endpoints.
type made struct {
	model.Service
	seen map[model.ServicePort]bool
}

// joinEndpoints gives each Service the endpoints that name it, and makes a Service of those that
// name one which was not read.
func joinEndpoints(services []model.Service, lists []endpoints) []model.Service {
	type key struct{ namespace, name string }
	read := make(map[key]bool, len(services))
	for i := range services {
		read[key{services[i].Namespace, services[i].Name}] = true
	}
	byService := make(map[key][]model.Endpoint, len(services))
	unread := map[key]*made{}
	var order []*made
	for i := range lists {
		e := &lists[i]
		k := key{e.namespace, e.service}
		byService[k] = append(byService[k], e.list...)
		if read[k] || len(e.list) == 0 || e.namespace == "" || !isSubdomain(e.service) {
			continue // without an address it leads nowhere; what has no valid name is a problem already, or no name of a Service
		}
		m := unread[k]
		if m == nil {
			m = &made{model.Service{Namespace: e.namespace, Name: e.service, Type: "ClusterIP", Origin: e.at}, map[model.ServicePort]bool{}}
			unread[k] = m
			order = append(order, m)
		}
		m.add(e)
	}
	for k, list := range byService {
		slices.SortStableFunc(list, func(a, b model.Endpoint) int { return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(b.Pod, a.Pod)) })
		byService[k] = slices.CompactFunc(list, func(a, b model.Endpoint) bool {
			return a.Addr == b.Addr && slices.Equal(a.Ports, b.Ports) && (a.Pod == b.Pod || a.Pod == "" || b.Pod == "") // from a slice and from the Endpoints that it mirrors
		})
	}
	for _, m := range order {
		services = append(services, m.Service)
	}
	for i := range services {
		services[i].Endpoints = byService[key{services[i].Namespace, services[i].Name}]
	}
	return services
}

// apiServerPort is the port of the Service default/kubernetes, whatever the API server itself
// listens on (kubernetes cmd/kube-apiserver/app/server.go, APIServerServicePort).
const apiServerPort = 443

// add takes over what endpoints tell of their Service: its ports, each leading to itself, as
// nothing tells what number the Service gives it.
func (m *made) add(e *endpoints) {
	m.Headless = m.Headless || e.headless
	for _, p := range e.ports {
		p.Target = p.Port
		if m.Namespace == "default" && m.Name == "kubernetes" && p.Name == "https" {
			p.Port = apiServerPort
		}
		if !m.seen[p] {
			m.seen[p] = true
			m.Ports = append(m.Ports, p)
		}
	}
}

// lendAddrs gives running pods that show no address the ones of the endpoints that name them: lists
// are saved without status. Where endpoints give a pod two of one family, any of them may be old.
func lendAddrs(pods []workload, lists []endpoints) {
	given := map[string][]netip.Addr{}
	for i := range lists {
		for _, e := range lists[i].list {
			if e.Pod != "" && !slices.Contains(given[e.Pod], e.Addr) {
				given[e.Pod] = append(given[e.Pod], e.Addr)
			}
		}
	}
	for i := range pods {
		w := &pods[i]
		addrs := given[w.Namespace+"/"+w.Name]
		if w.Kind != "Pod" || w.Pods[0].Addrs != nil || addrs == nil || len(onePerFamily(addrs)) < len(addrs) {
			continue
		}
		w.Pods[0].Addrs, w.Pods[0].MoreAddrs = addrs, len(addrs) == 1
	}
}
