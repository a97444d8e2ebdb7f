package slow

import (
	"net/netip"
	"slices"
)

// longestPrefix judges one end as the AWS agent does, from the entries that the controller makes of
// all policies that select the pod (amazon-network-policy-controller-k8s,
// pkg/resolvers/endpoints.go).
func (w *World) longestPrefix(subject int, a netip.Addr, ingress bool, protocol string, port int) bool {
	pod := w.Pods[subject]
	policies := w.applying(pod, ingress)
	if len(policies) == 0 {
		return true
	}
	m := AWS{IPv6: a.Is6()}
	for _, n := range w.Nodes[pod.Node] {
		if n.Is6() == m.IPv6 {
			m.Node = n
		}
	}
	for _, p := range policies {
		for _, r := range p.rules(ingress) {
			m.Entries = append(m.Entries, w.entries(p, r, ingress, m.IPv6)...)
		}
	}
	certainly, _ := m.Passes(a, protocol, port)
	return certainly
}

// entries returns what one rule opens.
func (w *World) entries(p Policy, r Rule, ingress, v6 bool) []AWSEntry {
	var out []AWSEntry
	add := func(cidr netip.Prefix, except []netip.Prefix, ports []AWSPort) {
		if len(r.Ports) == 0 || len(ports) > 0 {
			out = append(out, AWSEntry{CIDR: cidr, Except: except, Ports: ports})
		}
	}
	here := numbers(r.Ports)
	if ingress && len(here) < len(r.Ports) {
		here = w.subjectPorts(p, r.Ports)
	}
	if len(r.Peers) == 0 {
		for _, all := range []string{"0.0.0.0/0", "::/0"} {
			add(netip.MustParsePrefix(all), nil, here)
		}
	}
	for _, x := range r.Peers {
		if x.IPBlock != nil {
			add(x.IPBlock.CIDR, x.IPBlock.Except, here)
			continue
		}
		only := Rule{Peers: []Peer{x}, Ports: r.Ports}
		for _, pod := range w.Pods {
			for _, a := range pod.Addrs {
				if a.Is6() != v6 || !w.selected(p, x, pod) {
					continue
				}
				if ingress {
					add(netip.PrefixFrom(a, a.BitLen()), nil, here)
				} else {
					add(netip.PrefixFrom(a, a.BitLen()), nil, pod.resolved(r.Ports))
				}
			}
		}
		for _, s := range w.Services {
			if ingress || !w.SelectorsMatchServices || !w.peersHold(p, only, s) {
				continue
			}
			for _, a := range s.Addrs {
				add(netip.PrefixFrom(a, a.BitLen()), nil, w.listening(s, r.Ports))
			}
		}
	}
	return out
}

// numbers drops the ports that have names: blocks resolve none.
func numbers(ports []Port) []AWSPort {
	var out []AWSPort
	for _, p := range ports {
		if p.Name == "" {
			out = append(out, AWSPort{orTCP(p.Protocol), p.Number, p.EndPort})
		}
	}
	return out
}

// resolved resolves the ports that have names by p's own, and drops those that p does not have.
func (p Pod) resolved(ports []Port) []AWSPort {
	var out []AWSPort
	for _, x := range ports {
		number := x.Number
		if x.Name != "" {
			if number = p.number(x.Name, orTCP(x.Protocol)); number == 0 {
				continue
			}
		}
		out = append(out, AWSPort{orTCP(x.Protocol), number, x.EndPort})
	}
	return out
}

// subjectPorts resolves the ports of an ingress rule by every pod that its policy selects: what one
// of them calls so is open on all.
func (w *World) subjectPorts(p Policy, ports []Port) []AWSPort {
	var out []AWSPort
	for _, pod := range w.Pods {
		if pod.Namespace == p.Namespace && p.PodSelector.matches(pod.Labels) {
			for _, x := range pod.resolved(ports) {
				if !slices.Contains(out, x) {
					out = append(out, x)
				}
			}
		}
	}
	return out
}

// listening translates ports of pods to those of a Service, and drops those that lead nowhere.
func (w *World) listening(s Service, ports []Port) []AWSPort {
	var out []AWSPort
	for _, p := range ports {
		number, ok := 0, p.Name == "" && p.Number == 0
		if !ok {
			number, ok = w.listens(s, p, orTCP(p.Protocol))
		}
		if ok {
			out = append(out, AWSPort{orTCP(p.Protocol), number, p.EndPort})
		}
	}
	return out
}

func orTCP(protocol string) string {
	if protocol == "" {
		return "TCP"
	}
	return protocol
}
