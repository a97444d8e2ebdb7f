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
)

// backend is what answers one port of a Service.
type backend struct {
	end
	reach.PortMapping
	unknown netip.Addr // of an endpoint that somebody unknown may be
}

// toService tries everything that may answer behind a Service, and where it has no answer to give, whoever else may have its address.
func (a *asker) toService(from end, at entry) []outcome {
	svc := &a.p.Snapshot.Services[at.service]
	switch {
	case svc.Type == "ExternalName":
		return []outcome{a.toExternalName(from, at.service)}
	case svc.Headless:
		return a.toHeadless(from, at.service)
	}
	var others []outcome
	front := at.front
	if front == nil {
		vip, _ := a.p.VIP(at.service)
		own := end{End: reach.AtHolder(vip), name: serviceName(a, at.service), workload: -1}
		front = &own
		for _, addr := range svc.ClusterIPs {
			if a.contested(addr.Unmap()) {
				pl := a.address(addr.Unmap())
				if pl.unknown.IsValid() {
					others = append(others, a.toEndpoint(from, pl.unknown, a.conns, a.conns))
					pl.unknown = netip.Addr{}
				}
				others = append(others, a.choices(from, pl)...)
			}
		}
	}
	switch has := a.hasPort(svc); {
	case !has && at.front != nil: // who else has the address is asked beside
		a.notePorts(svc, "what connects there goes to whoever else has "+at.front.name)
		return nil
	case !has && others != nil:
		a.notePorts(svc, "what connects there goes to whoever else has its address")
		return others
	case !has:
		a.notePorts(svc, "nothing listens")
		return []outcome{{verdict: reach.Denied}}
	}
	return append(others, a.behindPorts(from, at.service, *front)...)
}

// behindPorts tries what answers on the ports that a Service has.
func (a *asker) behindPorts(from end, service int, front end) []outcome {
	svc := &a.p.Snapshot.Services[service]
	backends := a.backends(service)
	var tried []outcome
	for _, b := range backends {
		tried = append(tried, a.arrive(from, front, b, svc))
		if b.unknown.IsValid() {
			tried = append(tried, a.toEndpoint(from, b.unknown, one(b.Protocol, b.Target), one(b.Protocol, b.PortMapping.Service)))
		}
	}
	switch {
	case svc.Selector != nil && !a.selects(service):
		return append(tried, a.toNobody(from, service, front))
	case len(tried) > 0:
		return tried
	case len(a.p.Backends(service)) > 0:
		a.note("no pod behind " + serviceName(a, service) + " names the port that the Service sends this to, so nothing listens")
		return []outcome{{verdict: reach.Denied}}
	}
	a.note("the input does not show the endpoints of " + serviceName(a, service))
	return []outcome{a.toHost(from, "an endpoint of "+serviceName(a, service), a.conns.Union(a.arriving(svc)))}
}

// selects reports whether some pod of the input may be one that the Service selects.
func (a *asker) selects(service int) bool {
	svc := &a.p.Snapshot.Services[service]
	return svc.Selector != nil && slices.ContainsFunc(a.p.Backends(service), func(b reach.Backing) bool {
		return a.p.NamespaceOf(b.Class) == svc.Namespace && a.p.Matches(*svc.Selector, b.Class)
	})
}

// maxUnknowns is for how many addresses behind or beside the Services of one question it is asked in turn who may have them; of the others,
// anybody may.
const maxUnknowns = 64

// toEndpoint decides for whoever may hold an address behind or beside a Service. arriving is what asked becomes there.
func (a *asker) toEndpoint(from end, addr netip.Addr, arriving, asked netset.Conns) outcome {
	if *a.unknowns++; *a.unknowns > maxUnknowns {
		return a.toHost(from, "an address that the input gives to nothing", arriving)
	}
	out := anyOf(a.quietly(func(q *asker) []outcome { return []outcome{q.toUnknown(from, addr, arriving)} }))
	if out.verdict != reach.Denied {
		out.conns = asked
	}
	return out
}

// hasPort reports whether a Service has a port that the question is about.
func (a *asker) hasPort(svc *model.Service) bool {
	return slices.ContainsFunc(svc.Ports, func(p model.ServicePort) bool { return a.conns.Contains(p.Protocol, p.Port) })
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

// backends lists what answers the ports in question: what the selector selects, and what endpoints name, which may be more.
func (a *asker) backends(service int) []backend {
	var out []backend
	type answer struct {
		reach.End
		protocol        netset.Protocol
		service, target netset.Port
	}
	seen := map[answer]bool{}
	add := func(b backend) {
		if key := (answer{b.End, b.Protocol, b.PortMapping.Service, b.Target}); a.conns.Contains(b.Protocol, b.PortMapping.Service) && !seen[key] {
			seen[key] = true
			out = append(out, b)
		}
	}
	svc := &a.p.Snapshot.Services[service]
	for _, b := range a.p.Backends(service) {
		e := a.holderEnd(b.Class)
		a.noteHost(e)
		for _, m := range b.Ports {
			add(backend{end: e, PortMapping: m})
		}
	}
	for _, e := range svc.Endpoints {
		ends, unknown := a.endsAt(e)
		for _, p := range svc.Ports {
			for _, t := range e.Ports {
				if t.Protocol == p.Protocol && (t.Name == p.Name || len(svc.Ports) == 1) {
					for _, at := range ends {
						add(backend{at, reach.PortMapping{Protocol: p.Protocol, Service: p.Port, Target: t.Port}, unknown})
					}
				}
			}
		}
	}
	if svc.Namespace == "default" && svc.Name == "kubernetes" && svc.Endpoints == nil {
		for _, e := range a.kubeAPI().ends {
			for r := range a.p.Class(e.Holder).Conns.Of(netset.TCP).Runs() {
				for port := r.Lo; ; port++ {
					add(backend{end: e, PortMapping: reach.PortMapping{Protocol: netset.TCP, Service: apiService, Target: port}})
					if port == r.Hi {
						break
					}
				}
			}
		}
	}
	return out
}

// endsAt is who an endpoint's address is known to belong to, else the address itself, which somebody unknown may have if it lies in the plan.
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
		ends = append(ends, end{End: reach.AtAddr(addr), name: addr.String(), workload: -1})
	}
	return ends, unknown
}

// namesOf names the workloads of a class.
func (a *asker) namesOf(class int) string {
	var names []string
	seen := map[int]bool{}
	for _, m := range a.p.Class(class).Members {
		if w := &a.p.Snapshot.Workloads[m.Workload]; !seen[m.Workload] {
			seen[m.Workload] = true
			names = append(names, shortName(w.Namespace, w.Kind, w.Name))
		}
	}
	return listed(names, 2)
}

// arrive tries one backend. What connects to another address than the Service's own may arrive with a node's address, and some plugins then do not
// judge it.
func (a *asker) arrive(from, front end, b backend, svc *model.Service) outcome {
	if from.Holder >= 0 && front.Holder >= 0 {
		return a.translate(from, front, b)
	}
	if own, ok := a.ownPod(from, b.end); ok {
		return own
	}
	asked, arriving := one(b.Protocol, b.PortMapping.Service), one(b.Protocol, b.Target)
	r := route{from: from, in: b.end, inConns: arriving, translated: true, asked: asked}
	out := []seen{{name: onPod, end: b.end}}
	if from.Holder >= 0 {
		r.via = &front
		if a.isPods(from) { // who translates the address, and where, is open
			out = append(out, seen{name: onService, end: front})
		}
	}
	if !exposed(svc) {
		a.note(svc.Namespace + "/Service/" + svc.Name + " has no address outside the cluster; the answer is for its pods")
		return a.cross(r, out, a.arrivals(from, nil, true))
	}
	if svc.Type == "LoadBalancer" {
		a.assume("load balancers keep the client's address, or a node's takes its place")
	}
	return a.cross(r, out, a.arrivals(from, a.allNodes(), svc.Local))
}

// exposed reports whether svc has ways in from outside the cluster.
func exposed(svc *model.Service) bool {
	return svc.Type == "NodePort" || svc.Type == "LoadBalancer" || len(svc.ExternalIPs) > 0
}

// allNodes returns the nodes that were read, or the one that stands for all of them.
func (a *asker) allNodes() []end {
	var out []end
	for n := a.p.Classes(); n < a.p.Holders(); n++ {
		if a.p.Class(n).Kind == reach.Node {
			out = append(out, a.holderEnd(n))
		}
	}
	*a.held += len(out)
	return out
}

// On what egress to a Service may be judged.
const (
	onPod     = "policy is judged on the pod's address, after the Service's is translated"
	onService = "policy is judged on a Service's address, before it is translated"
)

// translate tries one backend in each order of translation and policy that the profile leaves open.
func (a *asker) translate(from, front end, b backend) outcome {
	if own, ok := a.ownPod(from, b.end); ok {
		return own
	}
	asked, arriving := one(b.Protocol, b.PortMapping.Service), one(b.Protocol, b.Target)
	after := route{from: from, out: b.end, in: b.end, via: &front, outConns: arriving, inConns: arriving, translated: true, asked: asked}
	before := after
	before.out, before.outConns = front, asked
	order := a.p.Says(cni.JudgedBeforeService)
	switch {
	case !a.isPods(from) || order == cni.No:
		return a.pass(after)
	case order == cni.Yes:
		return a.pass(before)
	}
	return across([]world{
		{onPod, a.pass(after)},
		{onService, a.pass(before)},
	})
}

// apiService is the port of the API server's Service.
const apiService = 443

// toKubeAPI decides a connection to the API server's Service where the input does not show it, and front is its address: on what port the server itself listens is open.
func (a *asker) toKubeAPI(from, api, front end) outcome {
	var worlds []world
	for r := range a.p.Class(api.Holder).Conns.Of(netset.TCP).Runs() {
		for port := r.Lo; ; port++ {
			b := backend{end: api, PortMapping: reach.PortMapping{Protocol: netset.TCP, Service: apiService, Target: port}}
			worlds = append(worlds, world{fmt.Sprintf("the API server listens on port %d", port), a.translate(from, front, b)})
			if port == r.Hi {
				break
			}
		}
	}
	return across(worlds)
}

// toHeadless tries the pods of a headless Service: its name resolves to them, and no port is translated.
func (a *asker) toHeadless(from end, service int) []outcome {
	svc := &a.p.Snapshot.Services[service]
	id := serviceName(a, service)
	a.note(id + " is headless: its name resolves to its pods, and ports are not translated")
	var tried []outcome
	for _, b := range a.p.Backends(service) {
		e := a.holderEnd(b.Class)
		a.noteHost(e)
		tried = append(tried, a.try(from, e, a.conns))
	}
	for _, e := range svc.Endpoints {
		ends, unknown := a.endsAt(e)
		for _, at := range ends {
			tried = append(tried, a.try(from, at, a.conns))
		}
		if unknown.IsValid() {
			tried = append(tried, a.toEndpoint(from, unknown, a.conns, a.conns))
		}
	}
	switch {
	case svc.Selector != nil && !a.selects(service):
		return append(tried, a.toNobody(from, service, end{End: reach.End{Holder: -1}}))
	case tried != nil:
		return tried
	}
	a.note("the input does not show the endpoints of " + id)
	return []outcome{a.toHost(from, "an endpoint of "+id, a.conns)}
}

// toExternalName follows a Service that is another name for a host.
func (a *asker) toExternalName(from end, service int) outcome {
	svc, id := &a.p.Snapshot.Services[service], serviceName(a, service)
	host := strings.TrimSuffix(strings.ToLower(svc.ExternalName), ".")
	if host == "" {
		a.note(id + " is another name for a host that the input does not name")
		return a.toHost(from, id, a.conns)
	}
	a.note(id + " is another name for " + svc.ExternalName)
	*a.names++
	if a.followed++; a.followed > maxFollowed || *a.names > maxNames {
		a.followed--
		a.note("names that stand for names were followed " + fmt.Sprint(maxFollowed) + " times")
		return a.toHost(from, host, a.conns)
	}
	defer func() { a.followed-- }()
	name := Name{Host: host}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		name = Name{Addr: addr.Unmap()}
	}
	target, err := a.target(name, somewhere(""))
	if err != nil {
		return a.toHost(from, host, a.conns)
	}
	if target.always != nil {
		return *target.always
	}
	return anyOf(a.choices(from, target))
}

// How many Services of type ExternalName are followed one after the other, and in all: several may have one name.
const maxFollowed, maxNames = 4, 256

// toNobody answers for a Service that selects no pod of the input: if one comes to be, it may be reachable.
func (a *asker) toNobody(from end, service int, front end) outcome {
	svc := &a.p.Snapshot.Services[service]
	id := serviceName(a, service)
	a.note(id + " selects no pod of the input")
	maybe := outcome{verdict: reach.Depends, when: "a pod that " + id + " selects comes to be and lets it in", conns: a.conns}
	denied := outcome{verdict: reach.Denied}
	if !a.isPods(from) {
		return maybe
	}
	for _, stranger := range a.p.Hypothetical(from.Holder, policy.Egress) {
		where := stranger.Namespace == svc.Namespace || stranger.Namespace == "" // which also stands for existing ones
		if where && !stranger.Pod.And(*svc.Selector).IsEmpty() && !stranger.Conns.Intersect(a.arriving(svc)).IsEmpty() || stranger.Verdict == reach.Unknown {
			return maybe
		}
	}
	if front.Holder >= 0 && a.p.Says(cni.JudgedBeforeService) != cni.No {
		for _, f := range reach.Families {
			if len(a.side(from, front, unplaced, f, policy.Egress, a.conns)) > 0 {
				return maybe
			}
		}
	}
	return denied
}

// arriving is the connections in question as they may arrive at a pod behind svc.
func (a *asker) arriving(svc *model.Service) netset.Conns {
	if svc.Headless {
		return a.conns
	}
	var out netset.Conns
	for _, p := range svc.Ports {
		switch {
		case !a.conns.Contains(p.Protocol, p.Port):
		case p.TargetName != "" || p.Target == 0:
			out = out.Union(netset.ConnsOf(p.Protocol, netset.AllPorts))
		default:
			out = out.Union(one(p.Protocol, p.Target))
		}
	}
	return out
}
