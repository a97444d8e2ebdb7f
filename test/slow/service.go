package slow

import (
	"net/netip"
	"slices"
)

// toService reports whether a rule lets its subjects connect to a port of a Service's own address,
// where selectors mean Services too. A rule's port is a port of pods, so it becomes the port of the
// Service that leads to it; a rule none of whose ports a Service has says nothing of it
// (amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go, getMatchingServiceClusterIPs).
func (w *World) toService(p Policy, r Rule, peer End, a netip.Addr, protocol string, port int) bool {
	if !w.SelectorsMatchServices || peer.Pod >= 0 {
		return false
	}
	for _, s := range w.Services {
		if slices.Contains(s.Addrs, a) && w.peersHold(p, r, s) && w.servicePort(s, r, protocol, port) {
			return true
		}
	}
	return false
}

// peersHold reports whether the selectors of a rule hold a Service by its own selector.
func (w *World) peersHold(p Policy, r Rule, s Service) bool {
	for _, x := range r.Peers {
		if x.IPBlock != nil {
			continue
		}
		inNamespace := s.Namespace == p.Namespace
		if x.NamespaceSelector != nil {
			inNamespace = x.NamespaceSelector.matches(w.Namespaces[s.Namespace])
		}
		if inNamespace && (x.PodSelector == nil || x.PodSelector.matches(s.Selector)) {
			return true
		}
	}
	return false
}

// servicePort reports whether a rule's ports, translated to ports of s, hold one.
func (w *World) servicePort(s Service, r Rule, protocol string, port int) bool {
	for _, p := range r.Ports {
		want := p.Protocol
		if want == "" {
			want = "TCP"
		}
		if want != protocol {
			continue
		}
		if p.Name == "" && p.Number == 0 {
			return true
		}
		if lo, ok := w.listens(s, p, protocol); ok && (lo == port || lo <= port && port <= p.EndPort) {
			return true
		}
	}
	return len(r.Ports) == 0
}

// listens finds the port of s that leads to a rule's port: by the target as it is written, else by
// what a pod behind s calls it. The first that is found counts.
func (w *World) listens(s Service, p Port, protocol string) (int, bool) {
	for _, x := range s.Ports {
		if x.Protocol == protocol && x.TargetName == p.Name && (p.Name != "" || x.Target == p.Number) {
			return x.Number, true
		}
	}
	for _, pod := range w.Pods {
		if pod.Namespace != s.Namespace || !selects(s.Selector, pod.Labels) {
			continue
		}
		for _, n := range pod.Ports {
			if n.Protocol != protocol || p.Name != "" && n.Name != p.Name || p.Name == "" && n.Number != p.Number {
				continue
			}
			for _, x := range s.Ports {
				if x.Protocol == protocol && (x.TargetName != "" && x.TargetName == n.Name || x.TargetName == "" && x.Target == n.Number) {
					return x.Number, true
				}
			}
			break // the first of a name counts
		}
	}
	return 0, false
}

// selects reports whether labels hold all of want.
func selects(want, labels map[string]string) bool {
	for k, v := range want {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// kubernetesService reports whether pod reaches the API server at address a because its policies
// match the Service that every cluster has for it, in namespace default and without a selector,
// where Services does not list it.
func (w *World) kubernetesService(pod Pod, a netip.Addr, protocol string, port int) bool {
	listed := slices.ContainsFunc(w.Services, func(s Service) bool { return s.Namespace == "default" && s.Name == "kubernetes" })
	if listed || protocol != "TCP" || port != 443 && port != 6443 || !slices.Contains(w.APIServers, a) {
		return false
	}
	labels := w.Namespaces["default"]
	if labels == nil {
		labels = map[string]string{"kubernetes.io/metadata.name": "default"}
	}
	for _, p := range w.applying(pod, false) {
		for _, r := range p.Egress {
			for _, x := range r.Peers {
				here := p.Namespace == "default"
				if x.NamespaceSelector != nil {
					here = x.NamespaceSelector.matches(labels)
				}
				if x.IPBlock != nil || !here || x.PodSelector != nil && !x.PodSelector.matches(nil) {
					continue
				}
				if len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(q Port) bool {
					return q.Name == "" && (q.Protocol == "" || q.Protocol == "TCP") && (q.Number == 0 || q.Number == port)
				}) {
					return true
				}
			}
		}
	}
	return false
}
