package blast

import (
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/reach"
	"github.com/toolmoat/toolmoat/internal/special"
)

// How many addresses of the internet make an opening unrestricted: a /8 of IPv4, a /20 of IPv6. Such ranges belong to no single
// service; whole clouds, in which anybody can rent a machine, are of that size.
const (
	broadIPv4 = 1 << 24
	broadIPv6 = 1 << 108
)

// Broad reports whether addrs opens the internet as such, rather than some service on it.
func Broad(addrs netset.Addrs) bool {
	v4 := addrs.Intersect(special.IPv4)
	return netset.Size(v4)+netset.Size(addrs.Intersect(special.NAT64)) >= broadIPv4 || netset.Size(addrs.Minus(v4)) >= broadIPv6
}

// publicAPI adds to what is reached of the API server that its address may be a public one, where the input does not show it: managed clusters have
// such. Only an opening of the internet as such counts: that it lies in the range of some service is not worth a thought.
func (a *Atlas) publicAPI(r *Radius) {
	unknown := false
	for n := a.Classes(); n < a.Holders(); n++ {
		h := a.Class(n)
		unknown = unknown || h.Kind == reach.KubeAPI && h.Service < 0 && (h.Addrs[reach.IPv4].State == reach.Has || h.Addrs[reach.IPv6].State == reach.Has)
	}
	open := r.To[Internet].AddrsOn(special.KubeAPI)
	if !unknown || r.To[KubeAPI].Verdict == reach.Allowed || !Broad(open) {
		return
	}
	for _, t := range r.To[Internet].To {
		if conns := t.Conns.Intersect(special.KubeAPI); t.Addrs().Overlaps(open) && !conns.IsEmpty() {
			at := Target{Name: holderNames[KubeAPI], Conns: conns, Verdict: min(t.Verdict, reach.Depends), When: "the API server has a public address", Rules: t.Rules}
			r.To[KubeAPI].add(at.Verdict, t.Rules, at)
			r.To[KubeAPI].Extent = max(r.To[KubeAPI].Extent, Some)
		}
	}
}
