package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// front is how connections get to what is behind a port: of a Service, of a node, of a pod that has
// it on its node. The zero value is a headless Service, whose name resolves to what is behind.
type front struct {
	via     *end      // what the client sends to; nil where nobody judges that
	before  when.When // egress policy judges it on via, and else on what is behind
	nodes   []end     // what may take connections in: the destination then sees the client's own address or that of one of them
	node    string    // how one of these is called
	escapes when.When // ingress policy does not judge it
	leaves  when.When // something outside of the cluster takes connections in
	local   bool      // it leads to pods on the node that is via only
	meshed  bool      // inside a mesh, the client's proxy may turn via into what is behind
}

// backend is what answers behind a front.
type backend struct {
	end
	asked, arriving netset.Conns // as the question names them, and as they arrive
	is              when.When    // it is behind the front
	unknown         netip.Addr   // of an endpoint that somebody unknown may be
}

// straight is the front of a headless Service.
var straight = front{before: when.Never, escapes: when.Never, leaves: when.Never}

// through decides for one backend. A Service may send a pod back to itself: always if it is alone,
// and else if it is the one that answers.
func (a *asker) through(from end, f front, b backend) []way {
	switch byService := f.via != nil && f.via.Holder >= 0 && a.p.Class(f.via.Holder).Kind == reach.VIP; {
	case !byService || a.atDoor || !a.isPods(from) || from.Holder != b.Holder || from.single && b.single && from.pod != b.pod:
		return a.throughTo(from, f, b, false)
	case from.single && b.single:
		return a.throughTo(from, f, b, true)
	}
	itself := a.p.Ask(fmt.Sprintf("sent back to itself: %s through %s", from.called(), f.via.called()), when.Cluster,
		f.via.name+" sends the pod back to itself", f.via.name+" sends the pod to another one")
	return append(within(a.throughTo(from, f, b, true), itself), within(a.throughTo(from, f, b, false), itself.Not())...)
}

// throughTo decides for one backend, which is the client itself or is not.
func (a *asker) throughTo(from end, f front, b backend, itself bool) []way {
	sent := when.Always
	if f.local && a.isPods(b.end) && slices.Equal(a.placements(*f.via, b.end), []placement{otherNode}) {
		if from.Holder < 0 && !a.p.Plan(familyOf(from.Addr)).Contains(from.Addr) {
			a.note(f.via.name + " has no pod behind this port, and externalTrafficPolicy Local sends to no other node")
			return may(b.asked, when.Never)
		}
		sent = a.p.Ask(fmt.Sprintf("sent on to another node: from %s through %s", from.called(), f.via.called()), when.Cluster,
			f.via.name+" sends what comes from inside the cluster on to another node, in spite of externalTrafficPolicy Local",
			f.via.name+" sends nothing on to another node, as externalTrafficPolicy Local says")
	}
	if f.via == nil { // by its own address
		if own := a.ownPod(from, b.end); own != nil {
			return own
		}
	}
	if itself && f.nodes == nil { // kube-proxy hides it, so that the answer comes back through the node
		f.nodes, f.node = a.hiding(from, from), "the pod's own node"
	}
	r := route{from: from, to: b.end, via: f.via, out: b.end, as: from, outConns: b.arriving, inConns: b.arriving, asked: b.asked}
	out := within(a.enter(r, f), f.before.Not())
	if !f.before.IsNever() && f.meshed && !b.arriving.Of(netset.TCP).IsEmpty() {
		out = append(out, within(a.decide(r), f.before.And(a.carried(from, b.end)))...)
	}
	if !f.before.IsNever() {
		r.before, r.out, r.outConns = true, *f.via, b.asked
		out = append(out, within(a.enter(r, f), f.before)...)
	}
	if f.via != nil && !f.leaves.IsNever() {
		out = append(out, within(a.fromBalancer(r, *f.via), f.leaves)...)
	}
	own := when.Never
	if itself {
		own = a.p.Where(cni.OwnServiceOpen)
	}
	for i := range out {
		out[i].pass = out[i].pass.Or(own).And(b.is).And(sent)
	}
	return slices.DeleteFunc(out, func(w way) bool { return w.given.IsNever() })
}

// carried is the condition that the mesh that both of two ends are in carries what one sends to a
// Service to the pod behind it: then policies see the pod and the mesh's port alone.
func (a *asker) carried(from, to end) when.When {
	if !a.isPods(from) || !a.isPods(to) {
		return when.Never
	}
	own, _, carries, ok := a.p.MeshOf(from.Holder)
	if other, _, _, both := a.p.MeshOf(to.Holder); !ok || !both || own != other {
		return when.Never
	}
	return carries
}

// fromBalancer is what passes to a backend because a load balancer outside of the cluster connects
// to it, at an address that policies let in.
func (a *asker) fromBalancer(r route, via end) []way {
	if !a.isPods(r.to) {
		return nil
	}
	lets := when.Never
	for _, b := range a.oneSided(r.to.Holder, policy.Ingress) {
		if b.Region.Addrs.Overlaps(reach.OutsideAddrs) && b.Conns.Overlaps(r.inConns) {
			lets = lets.Or(b.When.Exists(isChosen))
		}
	}
	lets = lets.And(a.p.Enters(via.called(), reach.ByAddress))
	var out []way
	for _, e := range a.side(r.from, via, unplaced, policy.Egress, r.asked) {
		pass := reach.AnyFamily(a.meet(direct(r.from, via, r.asked)).And(e.when)).And(lets)
		out = append(out, way{route: r, conns: r.asked, hit: r.inConns, pass: pass, untold: true})
	}
	return out
}

// enter decides a route for each way in which ingress policy may see it.
func (a *asker) enter(r route, f front) []way {
	out := a.decide(r)
	if len(f.nodes) > 0 {
		via := ""
		if r.via != nil {
			via = r.via.called()
		}
		kept := a.p.Ask(fmt.Sprintf("client's address kept: from %s through %s to %s %s", r.from.called(), via, r.to.called(), r.asked), when.Cluster,
			"the client's own address is kept on the way", "it arrives with the address of "+f.node)
		var worlds []world
		for _, n := range f.nodes {
			as := r
			if as.as = n; r.via == nil { // behind a load balancer the family may be another one than the client's
				as.from = n
			}
			worlds = append(worlds, world{n.name, a.decide(as)})
		}
		others := a.oneOf(nil, worlds, func(names []string) when.When {
			return a.is("arrives with the address of: ", "it arrives with the address of ", "it does not arrive with the address of ", names)
		})
		out = append(within(out, kept), within(others, kept.Not())...)
	}
	if f.escapes.IsNever() {
		return out
	}
	r.unjudged = true
	return append(within(out, f.escapes.Not()), within(a.decide(r), f.escapes)...)
}

// answering decides for all that may answer behind a front of a Service. asked are the connections
// that the question is about, arriving what they may become at a pod.
func (a *asker) answering(from end, service int, f front, backends []backend, asked, arriving netset.Conns) []way {
	svc, name := &a.p.Snapshot.Services[service], serviceName(a, service)
	var tried []way
	for _, b := range backends {
		if tried = append(tried, a.through(from, f, b)...); b.unknown.IsValid() {
			tried = append(tried, a.toEndpoint(from, b)...)
		}
	}
	switch {
	case svc.Selector != nil && !a.selects(service):
		return append(tried, a.toNobody(from, service, f, asked, arriving)...)
	case tried != nil:
		return tried
	case !svc.Headless && len(a.p.Backends(service)) > 0:
		a.note("no pod behind " + name + " names the port that the Service sends this to, so nothing listens")
		return may(asked, when.Never)
	}
	a.note("the input does not show the endpoints of " + name)
	tried = within(a.toHost(from, "an endpoint of "+name, asked.Union(arriving)), f.before.Not())
	for i := range tried {
		tried[i].conns = asked
	}
	if f.via != nil && a.isPods(from) { // whatever they are, egress is judged on the Service
		for _, e := range a.side(from, *f.via, unplaced, policy.Egress, asked) {
			pass := reach.AnyFamily(a.meet(direct(from, *f.via, asked)).And(e.when))
			tried = append(tried, within(may(e.conns, pass), f.before)...)
		}
	}
	return slices.DeleteFunc(tried, func(w way) bool { return w.given.IsNever() })
}

// selects reports whether some pod of the input may be one that the Service selects.
func (a *asker) selects(service int) bool {
	svc := &a.p.Snapshot.Services[service]
	return svc.Selector != nil && slices.ContainsFunc(a.p.Backends(service), func(b reach.Backend) bool {
		return a.p.NamespaceOf(b.Class) == svc.Namespace && a.p.Matches(*svc.Selector, b.Class)
	})
}

// toEndpoint decides for whoever may hold the address of a backend.
func (a *asker) toEndpoint(from end, b backend) []way {
	if a.held > maxHeld {
		return a.toHost(from, "an address that the input gives to nothing", b.arriving)
	}
	defer a.quietly()()
	defer func(was bool) { a.translated = was }(a.translated)
	a.translated = true
	out := a.toUnknown(from, b.unknown, b.arriving)
	for i := range out {
		out[i].conns = b.asked
	}
	return out
}

// toNobody answers for a Service that selects no pod of the input: if one comes to be, it may be
// reachable.
func (a *asker) toNobody(from end, service int, f front, asked, arriving netset.Conns) []way {
	svc, name := &a.p.Snapshot.Services[service], serviceName(a, service)
	a.note(name + " selects no pod of the input")
	opens := when.Always
	if a.isPods(from) {
		opens = when.Never
		for _, pods := range a.p.Hypothetical(from.Holder, policy.Egress) {
			where := pods.Namespace == svc.Namespace || pods.Namespace == "" // which also stands for existing ones
			if where && !pods.Pod.And(*svc.Selector).IsEmpty() && pods.Conns.Overlaps(arriving) || pods.Conns.IsEmpty() {
				opens = opens.Or(pods.When.Exists(isChosen))
			}
		}
		if f.via != nil {
			for _, e := range a.side(from, *f.via, unplaced, policy.Egress, asked) {
				opens = opens.Or(e.when.Exists(isChosen).And(f.before))
			}
		}
	}
	comes := a.p.Ask("pods to come of: "+name, when.Cluster, "a pod that "+name+" selects comes to be and lets it in", "no pod that "+name+" selects comes to be and lets it in")
	return may(asked, opens.And(comes))
}

// isChosen reports whether a question is about what is one of many: an end, or the IP family.
func isChosen(q *when.Question) bool { return q.End != when.Cluster || q.Kind == when.Family }

// toService tries everything that may answer behind a Service, and where it has no answer to give,
// whoever else may have its address.
func (a *asker) toService(from end, at entry) []way {
	svc := &a.p.Snapshot.Services[at.service]
	switch {
	case svc.Type == "ExternalName":
		return a.toExternalName(from, at.service)
	case svc.Headless:
		a.note(serviceName(a, at.service) + " is headless: its name resolves to its pods, and ports are not translated")
		return a.answering(from, at.service, straight, a.headless(at.service), a.conns, a.conns)
	}
	var others []way
	door := at.front
	if door == nil {
		vip, _ := a.p.VIP(at.service)
		door = &end{End: reach.AtHolder(vip), name: serviceName(a, at.service), workload: -1}
		for _, addr := range svc.ClusterIPs {
			if a.contested(addr.Unmap()) {
				pl := a.address(addr.Unmap())
				if pl.unknown.IsValid() {
					others = append(others, a.toEndpoint(from, backend{asked: a.conns, arriving: a.conns, unknown: pl.unknown})...)
					pl.unknown = netip.Addr{}
				}
				others = append(others, a.choices(from, pl)...)
			}
		}
	}
	if slices.ContainsFunc(svc.Ports, func(p model.ServicePort) bool { return a.conns.Contains(p.Protocol, p.Port) }) {
		f := a.serviceFront(from, door, svc)
		ways := a.answering(from, at.service, f, a.backends(at.service, a.conns), a.conns, arriving(svc, a.conns))
		if others != nil && a.q.Port != 0 {
			return a.translating(svc.ClusterIPs[0].String(), others, world{serviceName(a, at.service), ways})
		}
		return append(others, ways...)
	}
	so := "nothing listens"
	switch {
	case at.front != nil: // who else has the address is asked beside
		so = "what connects there goes to whoever else has " + at.front.called()
	case others != nil:
		so = "what connects there goes to whoever else has its address"
	default:
		others = may(a.conns, when.Never)
	}
	a.notePorts(svc, so)
	return others
}

// serviceFront is a Service at one of its addresses. What connects to another one than its own may
// arrive with a node's address, and some CNIs then do not judge it.
func (a *asker) serviceFront(from end, door *end, svc *model.Service) front {
	f := front{via: door, before: when.Never, escapes: when.Never, leaves: when.Never, node: "the node that took it in"}
	own := from.Holder >= 0 && door.Holder >= 0
	// ztunnel knows a Service by its ClusterIPs, in earlier versions by its load balancer's addresses
	// too (istio pilot/pkg/serviceregistry/kube/controller/ambient, getVIPs), Linkerd's proxy by its
	// ClusterIP (linkerd2 controller/api/destination, GetProfile).
	f.meshed = own || svc.Type == "LoadBalancer"
	switch {
	case own && a.isPods(from):
		f.before = a.p.Where(cni.JudgedBeforeService)
		return f
	case own:
		return f
	case a.isPods(from):
		ip := externalIP(svc, door.Addr)
		f.before, f.leaves = a.p.JudgedAtExternalIP(ip), a.p.LeavesCluster(ip)
	case from.Holder < 0: // which comes through a load balancer or a node
		f.via = nil
	}
	if svc.Type != "NodePort" && svc.Type != "LoadBalancer" && len(svc.ExternalIPs) == 0 {
		a.note(svc.Namespace + "/Service/" + svc.Name + " has no address outside the cluster; the answer is for its pods")
		return f
	}
	if svc.Type == "LoadBalancer" {
		a.assume("load balancers keep the client's address, or a node's takes its place")
	}
	switch {
	case !svc.Local:
		f.nodes, f.escapes = a.allNodes(), a.p.Where(cni.NodePortsEscape)
	case a.isPods(from) && !f.leaves.IsNever():
		f.nodes = a.hiding(from, from) // whose address it has when it leaves the cluster
	}
	return f
}

// externalIP is what is known of the address of svc that a client sends to.
func externalIP(svc *model.Service, addr netip.Addr) model.ExternalIP {
	for _, ip := range svc.ExternalIPs {
		if ip.Addr == addr {
			return ip
		}
	}
	return model.ExternalIP{Addr: addr, Mode: model.Proxy} // of a load balancer whose address is not known
}

// notePorts says what ports a Service has, where none of them is asked about, and what follows.
func (a *asker) notePorts(svc *model.Service, so string) {
	var has []string
	for _, p := range svc.Ports {
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		has = append(has, text)
	}
	id := svc.Namespace + "/Service/" + svc.Name
	if has == nil {
		a.note(id + " has no ports, so " + so)
	} else {
		a.note(fmt.Sprintf("%s has no port %s, so %s; it has %s", id, strings.TrimPrefix(a.suffix(), ":"), so, listed(has, 8)))
	}
}

// backends lists what answers some of a Service's ports: what the selector selects, and what
// endpoints name, which may be more.
func (a *asker) backends(service int, conns netset.Conns) []backend {
	var out []backend
	type answer struct {
		reach.End
		protocol        netset.Protocol
		service, target netset.Port
	}
	seen := map[answer]bool{}
	add := func(e end, unknown netip.Addr, is when.When, proto netset.Protocol, port, target netset.Port) {
		if key := (answer{e.End, proto, port, target}); conns.Contains(proto, port) && !seen[key] {
			seen[key] = true
			out = append(out, backend{e, one(proto, port), one(proto, target), is, unknown})
		}
	}
	svc := &a.p.Snapshot.Services[service]
	for _, b := range a.p.Backends(service) {
		if b.Perhaps == reach.AsEndpoint {
			continue // which comes below
		}
		e := a.holderEnd(b.Class)
		a.noteHost(e)
		for _, m := range b.Ports {
			add(e, netip.Addr{}, a.p.Behind(service, b.Perhaps, m), m.Protocol, m.Service, m.Target)
		}
	}
	for _, e := range svc.Endpoints {
		ends, unknown := a.endsAt(e)
		for _, m := range reach.EndpointPorts(svc, e) {
			for _, at := range ends {
				add(at, unknown, when.Always, m.Protocol, m.Service, m.Target)
			}
			for _, pod := range a.p.NamedBy(e) {
				add(a.holderEnd(pod.Class), netip.Addr{}, a.p.Behind(service, reach.AsEndpoint, m), m.Protocol, m.Service, m.Target)
			}
		}
	}
	if svc.Namespace == "default" && svc.Name == "kubernetes" && svc.Endpoints == nil {
		for _, e := range a.kubeAPI().ends {
			for _, port := range a.apiPorts(e) {
				add(e, netip.Addr{}, when.Always, netset.TCP, apiService, port)
			}
		}
	}
	return out
}

// headless lists what a headless Service's name resolves to.
func (a *asker) headless(service int) []backend {
	var out []backend
	for _, b := range a.p.Backends(service) {
		if b.Perhaps == reach.AsEndpoint {
			continue // which comes below
		}
		e := a.holderEnd(b.Class)
		a.noteHost(e)
		out = append(out, backend{end: e, asked: a.conns, arriving: a.conns, is: a.p.Behind(service, b.Perhaps, reach.PortMapping{})})
	}
	for _, e := range a.p.Snapshot.Services[service].Endpoints {
		ends, unknown := a.endsAt(e)
		for _, at := range ends {
			out = append(out, backend{at, a.conns, a.conns, when.Always, unknown})
		}
		for _, pod := range a.p.NamedBy(e) {
			out = append(out, backend{a.holderEnd(pod.Class), a.conns, a.conns, a.p.Behind(service, reach.AsEndpoint, reach.PortMapping{}), netip.Addr{}})
		}
	}
	return out
}

// endsAt is who an endpoint's address is known to belong to, else the address itself, which
// somebody unknown may have if it lies in the plan.
func (a *asker) endsAt(e model.Endpoint) (ends []end, unknown netip.Addr) {
	addr := e.Addr.Unmap()
	for _, pod := range a.holding().pods[addr] {
		for _, c := range a.p.ClassesOf(pod.Workload) {
			if slices.Contains(a.p.Class(c).Members, pod) {
				ends = append(ends, a.holderEnd(c))
			}
		}
	}
	for _, n := range a.holding().holders[addr] {
		ends = append(ends, a.holderEnd(n))
	}
	if ends == nil && a.p.Plan(familyOf(addr)).Contains(addr) {
		unknown = addr
	}
	if ends == nil || reserved(addr) {
		ends = append(ends, plain(addr))
	}
	return ends, unknown
}

// arriving is connections to ports of svc as they may arrive at a pod behind it.
func arriving(svc *model.Service, conns netset.Conns) netset.Conns {
	var out netset.Conns
	for _, p := range svc.Ports {
		switch {
		case !conns.Contains(p.Protocol, p.Port):
		case p.TargetName != "" || p.Target == 0:
			out = out.Union(netset.ConnsOf(p.Protocol, netset.AllPorts))
		default:
			out = out.Union(one(p.Protocol, p.Target))
		}
	}
	return out
}

// allNodes returns the nodes that were read, or the one that stands for all of them.
func (a *asker) allNodes() []end {
	var out []end
	for n := a.p.Classes(); n < a.p.Holders(); n++ {
		if a.p.Class(n).Kind == reach.Node {
			out = append(out, a.holderEnd(n))
		}
	}
	return out
}

// apiService is the port of the API server's Service.
const apiService = 443

// apiPorts lists the ports that the API server may listen on.
func (a *asker) apiPorts(api end) []netset.Port {
	var out []netset.Port
	for r := range a.p.Class(api.Holder).Conns.Of(netset.TCP).Runs() {
		for port := r.Lo; ; port++ {
			if out = append(out, port); port == r.Hi {
				break
			}
		}
	}
	return out
}

// toKubeAPI decides a connection to the API server's Service where the input does not show it, and
// door is its address: on what port the server itself listens is open.
func (a *asker) toKubeAPI(from, api, door end) []way {
	f := front{via: &door, before: when.Never, escapes: when.Never, leaves: when.Never}
	if a.isPods(from) {
		f.before = a.p.Where(cni.JudgedBeforeService)
	}
	var worlds []world
	for _, port := range a.apiPorts(api) {
		b := backend{end: api, asked: one(netset.TCP, apiService), arriving: one(netset.TCP, port)}
		worlds = append(worlds, world{fmt.Sprint(port), a.through(from, f, b)})
	}
	return a.oneOf(nil, worlds, func(names []string) when.When {
		return a.is("port of the API server: ", "the API server listens on port ", "the API server does not listen on port ", names)
	})
}

// toExternalName follows a Service that is another name for a host.
func (a *asker) toExternalName(from end, service int) []way {
	svc, id := &a.p.Snapshot.Services[service], serviceName(a, service)
	host := strings.TrimSuffix(strings.ToLower(svc.ExternalName), ".")
	if host == "" {
		a.note(id + " is another name for a host that the input does not name")
		return a.toHost(from, id, a.conns)
	}
	a.note(id + " is another name for " + svc.ExternalName)
	a.names++
	a.followed++
	defer func() { a.followed-- }()
	if a.followed > maxFollowed || a.names > maxNames {
		a.note("names that stand for names were followed " + fmt.Sprint(maxFollowed) + " times")
		return a.toHost(from, host, a.conns)
	}
	name := Name{Host: host}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		name = Name{Addr: addr.Unmap()}
	}
	target, err := a.target(name, somewhere(""))
	switch {
	case err != nil:
		return a.toHost(from, host, a.conns)
	case target.always != nil:
		return target.always
	}
	return a.choices(from, target)
}

// How many Services of type ExternalName are followed one after the other, and in all: several may
// have one name.
const maxFollowed, maxNames = 4, 256
