package reach

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Pods are reached at addresses of nodes and load balancers, too. Who translates these decides on
// what egress is judged, and whose address arrives: what policies let through there may get to
// pods that they deny.

// JudgedAtNode is the condition that egress to a port of a node is judged on the node's address: it
// is another node's, which translates it there, or egress is judged before anything is translated.
func (p *Program) JudgedAtNode() when.When {
	other := p.asks.node(when.Destination, ownNode|otherNode, otherNode)
	return p.narrow(p.says.where[cni.JudgedBeforeService].Or(other.Minus(p.says.where[cni.NodePortsTranslatedFirst])))
}

// JudgedAtExternalIP is the condition that egress to an external IP of a Service is judged on that
// address.
func (p *Program) JudgedAtExternalIP(ip model.ExternalIP) when.When {
	if ip.Mode == model.Proxy {
		return when.Always
	}
	before := p.says.where[cni.JudgedBeforeService].Or(p.says.where[cni.ExternalTranslatedFirst].Not())
	if ip.Mode == model.VIPOrProxy {
		before = before.Or(p.LeavesCluster(ip))
	}
	return p.narrow(before)
}

// LeavesCluster is the condition that what is sent to an external IP from inside the cluster gets
// to the load balancer, as ipMode Proxy has it.
func (p *Program) LeavesCluster(ip model.ExternalIP) when.When {
	switch ip.Mode {
	case model.VIP:
		return when.Never
	case model.Proxy:
		return when.Always
	}
	return p.asks.ask("ipMode Proxy: "+ip.Addr.String(), when.Cluster, 0,
		"what pods send to "+ip.Addr.String()+" leaves the cluster for the load balancer", "nodes translate what pods send to "+ip.Addr.String())
}

// OnNodePort is the condition that policies let through the node port of a Service, where the input
// does not show which it is.
func (p *Program) OnNodePort(service int) when.When { return p.unseen("node port", service) }

// OtherNodePorts is the condition that node ports are given out from another range than the default.
func (p *Program) OtherNodePorts() when.When {
	return p.asks.ask("node ports from another range", when.Cluster, 0, "kube-apiserver gives out node ports from another range than 30000-32767 (--service-node-port-range)",
		"kube-apiserver gives out node ports from 30000-32767")
}

// nodePortIn is the condition that one of some ports is the node port of a Service, which the input
// does not show.
func (p *Program) nodePortIn(service int, ports netset.Ports) when.When {
	switch on := p.OnNodePort(service); {
	case ports.Covers(netset.AllPorts):
		return when.Always
	case ports.Covers(DefaultNodePorts):
		return on.Or(p.OtherNodePorts().Not())
	case ports.Overlaps(DefaultNodePorts):
		return on
	default:
		return on.And(p.OtherNodePorts())
	}
}

// OnBalancer is the condition that policies let through the address of a Service's load balancer,
// where the input does not show it.
func (p *Program) OnBalancer(service int) when.When { return p.unseen("load balancer", service) }

func (p *Program) unseen(what string, service int) when.When {
	svc := &p.Snapshot.Services[service]
	name := svc.Namespace + "/Service/" + svc.Name
	is := "let through the " + what + " of " + name + ", which the input does not show"
	return p.asks.ask(what+" of: "+name, when.Cluster, 0, "policies "+is, "policies do not "+is)
}

// throughNodes adds the pods that class reaches, or that reach it, through ports of nodes and
// external IPs, where that is more than their own addresses and Services give.
func (p *Program) throughNodes(out *boxes, class int, d policy.Direction) {
	if d == policy.Ingress {
		before := !p.Where(cni.JudgedBeforeService).IsNever()
		admitted := openIDs(p.openOf(class, d))
		for i := range p.ways[class] {
			w := &p.ways[class][i]
			if w.Kind == ByRoute || w.Kind == ByService && !before {
				continue
			}
			for s := range p.sendersBy(w) {
				if w.Kind != ByService || s.ids.Overlaps(admitted) { // behind nodes a client is hidden
					p.throughWay(out, s, class, w, d)
				}
			}
		}
		return
	}
	from := sender{class, p.IDs(class)}
	for _, to := range p.behindNodes {
		for i := range p.ways[to] {
			if w := &p.ways[to][i]; w.Kind == ByNodes || w.Kind == ByHostPort {
				p.throughWay(out, from, to, w, d)
			}
		}
	}
	for i := range p.bareBackends {
		o := &p.bareBackends[i]
		if o.way == nil {
			continue
		}
		for _, m := range o.ports {
			conns := netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
			for _, e := range p.departures(class, -1, o.way, m) {
				out.add(p.box(p.at(o.addr), conns, e.pass.Assume(p.asks.over(familyOf(o.addr))), policy.Egress, e.by, nil))
			}
		}
	}
}

// sender is classes that send alike, of which class is one.
type sender struct {
	class int
	ids   netset.IDs
}

// senders is all classes, divided into those under the same egress policies, with addresses in the
// same families, on the same nodes.
type senders struct {
	all []sender
	to  lookup // by a Service's own address: those that policies perhaps let send there
}

// sendersBy yields those among which are all that policies let send to the beginning of a way.
func (p *Program) sendersBy(w *Way) iter.Seq[sender] {
	s := &p.senders
	s.to.once.Do(p.findSenders)
	if w.Kind != ByService {
		return slices.Values(s.all)
	}
	vip, _ := p.VIP(w.Service)
	return func(yield func(sender) bool) {
		for _, i := range s.to.find(netset.ID(vip)) {
			if !yield(s.all[i]) {
				return
			}
		}
	}
}

func (p *Program) findSenders() {
	type key struct {
		group int
		existence
		placement int
	}
	s, at, ids := &p.senders, map[key]int{}, [][]netset.ID(nil)
	for c := range p.classes {
		k := key{p.groupOf[policy.Egress][c], p.holders[c].existence(), p.placement[c]}
		i, ok := at[k]
		if !ok {
			i = len(ids)
			at[k], ids = i, append(ids, nil)
			s.all = append(s.all, sender{class: c})
		}
		ids[i] = append(ids[i], netset.ID(c))
	}
	for i := range s.all {
		s.all[i].ids = netset.Points(ids[i]...)
		s.to.add(i, openIDs(p.openOf(s.all[i].class, policy.Egress)).Intersect(p.ownIDs), p.ownIDs)
	}
}

// throughWay adds what gets from some classes to pods of another by one way.
func (p *Program) throughWay(out *boxes, from sender, to int, w *Way, d policy.Direction) {
	for _, m := range w.Ports {
		target := netset.ConnsOf(m.Protocol, netset.PortRange(m.Target, m.Target))
		if p.alwaysDirect(from, to, m) {
			continue
		}
		behind := p.Behind(w.Service, w.Perhaps, m)
		for _, e := range p.departures(from.class, to, w, m) {
			if w.Kind == ByService && p.direct(from.class, to, m, e.pass) {
				continue
			}
			e.conns, e.pass = target, e.pass.And(behind)
			if w.Local && w.Kind == ByNodes {
				e.pass = e.pass.And(p.sentOn(w, to, e))
			}
			for _, a := range p.arrivals(to, w, e, d) {
				switch a.conns = a.conns.Intersect(target); {
				case a.conns.IsEmpty():
				case d == policy.Egress && a.from.Overlaps(from.ids):
					p.addPods(out, from.class, &e.segment, &a.segment, p.IDs(to), d)
				case d == policy.Ingress:
					p.addPods(out, to, &a.segment, &e.segment, from.ids.Intersect(a.from), d)
				}
			}
		}
	}
}

// alwaysDirect reports whether some classes reach a port of another at its own address in any case.
func (p *Program) alwaysDirect(from sender, to int, m PortMapping) bool {
	open := func(segments []segment, ids netset.IDs) bool {
		return slices.ContainsFunc(segments, func(s segment) bool {
			return s.conns.Contains(m.Protocol, m.Target) && s.pass.IsAlways() && s.ends.IDs.Covers(ids)
		})
	}
	return open(p.openOf(from.class, policy.Egress), p.IDs(to)) && open(p.openOf(to, policy.Ingress), from.ids)
}

// departure is what egress policies let through to where a way begins.
type departure struct {
	segment
	nodes   netset.IDs // whose addresses may hide the client's
	local   netset.IDs // the nodes that it is sent to
	outside bool       // a load balancer outside of the cluster may take it in, and hides the client too
}

// departures is what egress policies let a class send to a class behind one of a way's ports: on
// the address where the way begins, or on the pod if that is translated before they judge. to is -1
// for what is no pod.
func (p *Program) departures(class, to int, w *Way, m PortMapping) []departure {
	l := leaving{p: p, class: class, to: to, way: w, port: m}
	table := p.openOf(class, policy.Egress)
	for i := range table {
		seg := &table[i]
		switch w.Kind {
		case ByService:
			l.toService(seg)
		case ByHostPort:
			l.toNodes(seg)
		case ByNodes:
			l.toNodes(seg)
			l.toExternalIPs(seg)
			l.toBalancer(seg)
		}
	}
	return l.out
}

// leaving collects departures.
type leaving struct {
	p         *Program
	class, to int
	way       *Way
	port      PortMapping
	out       []departure
}

// add notes what a segment lets through, to something with addresses in some families.
func (l *leaving) add(seg *segment, pass when.When, at existence, d departure) {
	d.by, d.pass = seg.by, pass.And(l.p.meet(l.p.holders[l.class].existence(), at))
	if !d.pass.IsNever() {
		l.out = append(l.out, d)
	}
}

// onPod adds what a segment lets through to the pod, where that is what is judged.
func (l *leaving) onPod(seg *segment, judged when.When, d departure) {
	if l.to >= 0 && seg.conns.Contains(l.port.Protocol, l.port.Target) && l.p.Holds(seg.ends.IDs, l.to) {
		l.add(seg, seg.pass.And(judged), l.p.holders[l.class].existence(), d)
	}
}

// atDoor is a condition about the destination said of where the way begins.
func atDoor(w when.When) when.When { return w.Move(when.Destination, when.Via) }

func (l *leaving) toService(seg *segment) {
	p := l.p
	if vip, ok := p.VIP(l.way.Service); ok && p.Holds(seg.ends.IDs, vip) && seg.conns.Contains(l.port.Protocol, l.port.Service) {
		l.add(seg, atDoor(seg.pass.And(p.says.where[cni.JudgedBeforeService])), p.holders[vip].existence(), departure{})
	}
}

func (l *leaving) toNodes(seg *segment) {
	p, at := l.p, l.p.JudgedAtNode()
	if !l.port.Node.IsEmpty() {
		l.onPod(seg, atDoor(at.Not()), departure{nodes: p.nodes})
	}
	nodes, conns := seg.ends.IDs.Intersect(p.nodes), seg.conns.Of(l.port.Protocol)
	if nodes.IsEmpty() || !conns.Overlaps(l.port.Node) {
		return
	}
	pass := seg.pass.And(at)
	if l.way.Kind == ByHostPort {
		nodes = nodes.Intersect(p.nodesOfPod(l.way.Pod))
	} else if !conns.Covers(l.port.Node) {
		pass = pass.And(p.nodePortIn(l.way.Service, conns))
	}
	for _, part := range p.apart(l.class, nodes, pass) {
		for _, e := range p.existing {
			if in := part.ids.Intersect(e.ids); !in.IsEmpty() {
				l.add(seg, atDoor(part.passes), e.existence, departure{nodes: p.hiding(l.class, l.way, in), local: in})
			}
		}
	}
}

// taken is a departure to an address that clients outside of the cluster use. What leaves the
// cluster does so with the address of the client's node, if not with its own.
func (l *leaving) taken(outside bool) departure {
	d := departure{outside: outside}
	switch {
	case !l.way.Local:
		d.nodes = l.p.nodes
	case outside:
		d.nodes = l.p.nodesFor(l.class)
	}
	return d
}

func (l *leaving) toExternalIPs(seg *segment) {
	p := l.p
	for i, ip := range p.Snapshot.Services[l.way.Service].ExternalIPs {
		judged, d := p.JudgedAtExternalIP(ip), l.taken(ip.Mode != model.VIP)
		l.onPod(seg, judged.Not(), d)
		at := AtAddr(ip.Addr)
		if holder := p.external[l.way.Service][i]; holder >= 0 {
			at = AtHolder(holder)
		}
		if seg.ends.has(at) && seg.conns.Contains(l.port.Protocol, l.port.Service) {
			l.add(seg, atDoor(seg.pass.And(judged)), p.existenceOf(at), d)
		}
	}
}

// toBalancer is for the load balancer whose address is not known.
func (l *leaving) toBalancer(seg *segment) {
	space := l.p.BalancerSpace(l.way.Service)
	addrs := seg.ends.Addrs.Intersect(space)
	if !l.p.Snapshot.Services[l.way.Service].Balancer || addrs.IsEmpty() || !seg.conns.Contains(l.port.Protocol, l.port.Service) {
		return
	}
	var in existence
	for _, f := range Families {
		if addrs.Overlaps(familySpace[f]) {
			in.state[f] = Has
		}
	}
	pass := seg.pass
	if !addrs.Covers(space) {
		pass = pass.And(l.p.OnBalancer(l.way.Service))
	}
	l.add(seg, atDoor(pass), in, l.taken(true))
}

// hiding returns the nodes whose address what is sent to some of them may arrive with: that of the
// one that takes it in, and where that keeps the client's, the client's own.
func (p *Program) hiding(class int, w *Way, nodes netset.IDs) netset.IDs {
	if w.Kind == ByHostPort || w.Local {
		return nodes.Union(p.nodesFor(class))
	}
	return nodes
}

// sentOn is the condition that a node sends to another one in spite of externalTrafficPolicy Local,
// where no pod of the class runs on it.
func (p *Program) sentOn(w *Way, to int, d departure) when.When {
	if d.local.IsEmpty() || d.local.Overlaps(p.nodesFor(to)) {
		return when.Always
	}
	return p.asks.ask("sent on by "+w.Name, when.Cluster, 0, "nodes send what comes from inside the cluster on to other nodes, in spite of externalTrafficPolicy Local of "+w.Name,
		"nodes do not send on to other nodes, as externalTrafficPolicy Local of "+w.Name+" says")
}

// arrival is what ingress policies let through of what comes a way.
type arrival struct {
	segment
	from netset.IDs // the clients of which it is so
}

// arrivals is what a class lets in of what comes a way: with the client's address, with that of a
// node, or judged by nobody.
func (p *Program) arrivals(to int, w *Way, d departure, dir policy.Direction) []arrival {
	end := peerEnd(dir)
	kept := p.asks.ask("client's address kept: "+endName(end)+" by "+w.Name, end, 0, "the client's address is kept on the way by "+w.Name, "the client's address is not kept on the way by "+w.Name)
	hides := !d.nodes.IsEmpty() || d.outside
	var out []arrival
	add := func(s *segment, pass when.When, from netset.IDs) {
		if !pass.IsNever() {
			out = append(out, arrival{segment{conns: s.conns, pass: pass, by: s.by}, from})
		}
	}
	open := p.openOf(to, policy.Ingress)
	for i := range open {
		s := &open[i]
		hidden := s.ends.IDs.Overlaps(d.nodes) || d.outside && s.ends.Addrs.Overlaps(OutsideAddrs)
		own, whoever := s.ends.IDs.Intersect(p.Pods()), p.hidden(to, w, d, s).Bind(when.Source, "what hides it", "the node or load balancer that takes it in")
		switch {
		case !hides:
			add(s, s.pass, own)
			continue
		case s.ends.IDs.Covers(d.nodes) && (!d.outside || s.ends.Addrs.Covers(OutsideAddrs)) && whoever.Equal(s.pass):
			add(s, s.pass, own) // it does not matter who
			own = p.Pods().Minus(own)
		default:
			add(s, s.pass.And(kept), own)
			own = p.Pods()
		}
		if hidden {
			add(s, whoever.Minus(kept), own)
		}
	}
	if w.Kind == ByNodes && !w.Local {
		add(&segment{conns: netset.AllConns}, p.says.where[cni.NodePortsEscape], p.Pods())
	}
	return out
}

// hidden is when a segment passes for what hides a client. The client chooses the node to which it
// sends, if that is what hides it; else it is settled only what is so for all that may.
func (p *Program) hidden(to int, w *Way, d departure, s *segment) when.When {
	var passes []when.When
	for _, part := range p.apart(to, s.ends.IDs.Intersect(d.nodes), s.pass) {
		if !part.ids.IsEmpty() {
			passes = append(passes, part.passes)
		}
	}
	if d.outside && s.ends.Addrs.Overlaps(OutsideAddrs) {
		passes = append(passes, s.pass)
	}
	if len(passes) == 0 {
		return s.pass
	}
	some, all := passes[0], passes[0]
	for _, pass := range passes[1:] {
		some, all = some.Or(pass), all.And(pass)
	}
	if some.Equal(all) || !w.Local && !d.local.IsEmpty() && w.Kind == ByNodes {
		return some
	}
	return s.pass
}

// OutsideAddrs is what clients outside of the cluster may have as their address.
var OutsideAddrs = special.Internet.Union(special.Private)

// BalancerSpace is where the load balancer of a Service may be whose address is not known.
func (p *Program) BalancerSpace(service int) netset.Addrs {
	var known []netip.Addr
	for _, ip := range p.Snapshot.Services[service].ExternalIPs {
		known = append(known, ip.Addr)
	}
	return special.Hosts.Minus(special.Reserved).Minus(netset.Points(known...))
}
