package slow

import (
	"net/netip"
	"slices"
)

// Network is one that some pods have beside the cluster's own.
type Network struct {
	Name   string
	Ranges []netip.Prefix // the addresses that it leads to
	Not    []netip.Addr   // but for these, which are Services'
}

// overNetwork reports whether a connection between a pod and another end goes over a network that
// no policy sees.
func (w *World) overNetwork(pod Pod, peer End, a netip.Addr) bool {
	for _, n := range w.Over {
		switch {
		case !slices.Contains(pod.Networks, n.Name):
		case peer.Pod >= 0 && slices.Contains(w.Pods[peer.Pod].Networks, n.Name):
			return true
		case peer.Pod < 0 && !slices.Contains(n.Not, a) &&
			slices.ContainsFunc(n.Ranges, func(r netip.Prefix) bool { return r.Contains(a) }):
			return true
		}
	}
	return false
}
