package matrix

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// unjudged is the condition under which a plugin of which it is not certain lets pass what enters through node ports.
const unjudged = "the plugin does not judge what enters through node ports"

// atNodes reports whether nodes take connections in for svc in a way that hides the client's address.
func atNodes(svc *model.Service) bool {
	return !svc.Local && (svc.Type == "NodePort" || svc.Type == "LoadBalancer" || len(svc.ExternalIPs) > 0)
}

// findDoors collects on which ports pods are behind Services that nodes take connections in for.
func (m *Matrix) findDoors() {
	m.doors = map[int]netset.Conns{}
	for i := range m.p.Snapshot.Services {
		if !atNodes(&m.p.Snapshot.Services[i]) {
			continue
		}
		for _, b := range m.p.Backends(i) {
			for _, at := range b.Ports {
				m.doors[b.Class] = m.doors[b.Class].Union(netset.ConnsOf(at.Protocol, netset.PortRange(at.Target, at.Target)))
			}
		}
	}
}

// throughDoors is what comes in through node ports because it is not judged, beside what comes in from anywhere, which in has.
func (m *Matrix) throughDoors(class int, in entries) entries {
	conns := m.doors[class]
	if conns.IsEmpty() {
		return nil
	}
	yes, maybe := m.p.Answering(cni.NodePortsEscape)
	var out entries
	if yes != 0 {
		out = append(out, entry{conns: conns, way: way{reach.Allowed, yes, ""}, door: true})
	}
	if maybe != 0 {
		out = append(out, entry{conns: conns, way: way{reach.Depends, maybe, unjudged}, door: true})
	}
	for _, e := range in {
		if e.rest == "" && e.verdict >= reach.NotEnforced && m.anywhere(class, e.addrs) {
			var left entries
			for _, o := range out {
				left = append(left, o.without(e)...)
			}
			out = left
		}
	}
	return out
}

// anywhere reports whether addrs are all that may connect to class.
func (m *Matrix) anywhere(class int, addrs netset.Addrs) bool {
	return !slices.ContainsFunc(reach.Families[:], func(f reach.Family) bool {
		return m.p.Class(class).Addrs[f].State != reach.NoAddr && !addrs.Covers(families[f])
	})
}
