package slow

import "net/netip"

// External is an address of a Service for clients outside of the cluster.
type External struct {
	Addr    netip.Addr
	Outside bool       // what pods send to it leaves the cluster
	Comes   netip.Addr // with which address it comes back then, if it does not keep the client's
}

// HostPort is a port of a pod that its node has too.
type HostPort struct {
	Protocol   string
	Host, Port int
}

// ThroughService reports whether from reaches pod b at port by way of the address of some Service.
func (w *World) ThroughService(from End, b int, protocol string, port int) bool {
	for _, s := range w.Services {
		for _, back := range s.Backends {
			if len(s.Addrs) > 0 && back.Pod == b && back.Protocol == protocol && back.Target == port && w.ByService(from, s, back) {
				return true
			}
		}
	}
	return false
}

// ByService reports whether from's connection to a port of s passes, if s sends it to back.
func (w *World) ByService(from End, s Service, back Backend) bool {
	to := AtPod(back.Pod)
	if len(s.Addrs) == 0 { // a name for the pods themselves: nothing is translated
		return w.Allowed(from, to, back.Protocol, back.Port)
	}
	for _, vip := range s.Addrs {
		for _, f := range w.addrs(from) {
			for _, t := range w.addrs(to) {
				if f.Is4() != vip.Is4() || f.Is4() != t.Is4() {
					continue
				}
				out := w.leaves(from, to, t, back.Protocol, back.Target)
				if w.JudgedBeforeService {
					out = out && w.carries(from, to, back.Protocol) || w.leaves(from, AtAddr(vip), vip, back.Protocol, back.Port)
				}
				if from.Pod == back.Pod || out && w.enters(from, f, to, back.Protocol, back.Target) {
					return true
				}
			}
		}
	}
	return false
}

// carries reports whether a mesh carries connections from one pod to another, and so sends to the
// pod what the client sends to its Service.
func (w *World) carries(from, to End, protocol string) bool {
	mesh := w.Pods[from.Pod].Mesh
	return w.Meshes[mesh] != 0 && w.Pods[to.Pod].Mesh == mesh && protocol == "TCP"
}

// ThroughNode reports whether from reaches pod b at port by way of a port of some node, or of an
// external IP.
func (w *World) ThroughNode(from End, b int, protocol string, port int) bool {
	own := w.Pods[from.Pod].Node
	// by asks about one address; hider is whose address replaces the client's.
	by := func(at netip.Addr, on int, judged, escapes bool, hider []netip.Addr) bool {
		for _, f := range w.addrs(from) {
			for _, t := range w.addrs(AtPod(b)) {
				if f.Is4() != at.Is4() || f.Is4() != t.Is4() {
					continue
				}
				out := w.leaves(from, AtPod(b), t, protocol, port)
				if judged {
					out = w.leaves(from, AtAddr(at), at, protocol, on)
				}
				in := escapes
				if w.ClientsKept || hider == nil {
					in = in || w.enters(from, f, AtPod(b), protocol, port)
				} else {
					for _, h := range hider {
						in = in || h.Is4() == t.Is4() && w.enters(AtAddr(h), h, AtPod(b), protocol, port)
					}
				}
				if out && in {
					return true
				}
			}
		}
		return false
	}
	// byNodes asks about a port of the nodes.
	byNodes := func(on int, nodes map[string][]netip.Addr, local, escapes bool) bool {
		for name, addrs := range nodes {
			if local && name != w.Pods[b].Node && !w.SentOn {
				continue
			}
			hider := addrs
			if local {
				hider = w.Nodes[own]
			}
			for _, at := range addrs {
				judged := w.JudgedBeforeService || (name != own || w.Translated[at]) && !w.NodePortsTranslatedFirst
				if by(at, on, judged, escapes, hider) {
					return true
				}
			}
		}
		return false
	}
	for _, s := range w.Services {
		for _, back := range s.Backends {
			if back.Pod != b || back.Protocol != protocol || back.Target != port {
				continue
			}
			if back.Node != 0 && byNodes(back.Node, w.Nodes, s.Local, w.NodePortsEscape && !s.Local) {
				return true
			}
			for _, e := range s.External {
				judged := e.Outside || w.JudgedBeforeService || !w.ExternalTranslatedFirst
				hider := w.Nodes[own]
				switch {
				case e.Outside:
					hider = []netip.Addr{e.Comes}
				case s.Local:
					hider = nil
				}
				if by(e.Addr, back.Port, judged, w.NodePortsEscape && !s.Local, hider) {
					return true
				}
			}
		}
	}
	for _, h := range w.Pods[b].HostPorts {
		if node := w.Pods[b].Node; h.Protocol == protocol && h.Port == port && byNodes(h.Host, map[string][]netip.Addr{node: w.Nodes[node]}, true, false) {
			return true
		}
	}
	return false
}
