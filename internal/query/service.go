package query

import (
	"fmt"
	"strings"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/model"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/reach"
)

// backend is what answers one port of a Service.
type backend struct {
	end
	reach.PortMapping
}

// toService tries everything that may answer behind a Service. front is what the client connects to; nil for the Service's own address.
func (a *asker) toService(from end, service int, front *end) []outcome {
	svc := &a.p.Snapshot.Services[service]
	switch {
	case svc.Type == "ExternalName":
		return []outcome{a.toExternalName(from, svc)}
	case svc.Headless:
		return a.toHeadless(from, service)
	}
	if front == nil {
		vip, _ := a.p.VIP(service)
		own := end{End: reach.AtHolder(vip), name: serviceName(a, service), workload: -1}
		front = &own
	}
	if !a.hasPort(svc) {
		return []outcome{{verdict: reach.Denied}}
	}
	backends := a.backends(service)
	switch {
	case len(backends) > 0:
	case len(a.p.Backends(service)) > 0:
		a.note("no pod behind " + serviceName(a, service) + " names the port that the Service sends this to, so nothing listens")
		return []outcome{{verdict: reach.Denied}}
	case svc.Selector != nil:
		return []outcome{a.toNobody(from, service, *front)}
	default:
		a.note("the input does not show the endpoints of " + serviceName(a, service))
		return []outcome{a.toHost(from, "an endpoint of "+serviceName(a, service), a.conns.Union(a.arriving(svc)))}
	}
	var tried []outcome
	for _, b := range backends {
		tried = append(tried, a.arrive(from, *front, b, svc))
	}
	return tried
}

// hasPort reports whether a Service has a port that the question is about, and says what it has if not.
func (a *asker) hasPort(svc *model.Service) bool {
	var has []string
	for _, p := range svc.Ports {
		if a.conns.Contains(p.Protocol, p.Port) {
			return true
		}
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		has = append(has, text)
	}
	id := svc.Namespace + "/Service/" + svc.Name
	if has == nil {
		a.note(id + " has no ports, so nothing listens")
	} else {
		a.note(fmt.Sprintf("%s has no port %s, so nothing listens; it has %s", id, strings.TrimPrefix(a.suffix(), ":"), listed(has, 8)))
	}
	return false
}

// backends lists what answers the ports in question.
func (a *asker) backends(service int) []backend {
	var out []backend
	add := func(e end, m reach.PortMapping) {
		if a.conns.Contains(m.Protocol, m.Service) {
			out = append(out, backend{e, m})
		}
	}
	svc := &a.p.Snapshot.Services[service]
	pods := a.p.Backends(service)
	for _, b := range pods {
		e := a.holderEnd(b.Class)
		a.noteHost(e)
		for _, m := range b.Ports {
			add(e, m)
		}
	}
	if svc.Selector != nil {
		return out
	}
	for _, e := range svc.Endpoints {
		if _, pod := a.p.PodAt(e.Addr.Unmap()); pod {
			continue
		}
		for _, p := range svc.Ports {
			for _, t := range e.Ports {
				if t.Protocol == p.Protocol && (t.Name == p.Name || len(svc.Ports) == 1) {
					for _, at := range a.endsAt(e) {
						add(at, reach.PortMapping{Protocol: p.Protocol, Service: p.Port, Target: t.Port})
					}
				}
			}
		}
	}
	if svc.Namespace == "default" && svc.Name == "kubernetes" && svc.Endpoints == nil {
		for _, e := range a.kubeAPI().ends {
			for r := range a.p.Class(e.Holder).Conns.Of(netset.TCP).Runs() {
				for port := r.Lo; ; port++ {
					add(e, reach.PortMapping{Protocol: netset.TCP, Service: apiService, Target: port})
					if port == r.Hi {
						break
					}
				}
			}
		}
	}
	return out
}

// endsAt is an endpoint that is no pod of the input.
func (a *asker) endsAt(e model.Endpoint) []end {
	addr := e.Addr.Unmap()
	var out []end
	for _, n := range a.holdersAt(addr) {
		out = append(out, a.holderEnd(n))
	}
	if out == nil {
		out = []end{{End: reach.AtAddr(addr), name: addr.String(), workload: -1}}
	}
	return out
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

// arrive tries one backend. What comes from outside may arrive with a node's address.
func (a *asker) arrive(from, front end, b backend, svc *model.Service) outcome {
	open := svc.Type == "NodePort" || svc.Type == "LoadBalancer" || len(svc.ExternalIPs) > 0
	if from.Holder >= 0 {
		return a.translate(from, front, b)
	}
	if !open {
		a.note(svc.Namespace + "/Service/" + svc.Name + " has no address outside the cluster; the answer is for its pods")
	}
	kept := a.pass(route{from: from, out: b.end, in: b.end, outConns: one(b.Protocol, b.Target), inConns: one(b.Protocol, b.Target), translated: true, asked: one(b.Protocol, b.PortMapping.Service)})
	if !open || svc.Local {
		return kept
	}
	worlds := []world{{"the client's own address is kept on the way", kept}}
	for n := a.p.Classes(); n < a.p.Holders(); n++ {
		if a.p.Class(n).Kind == reach.Node {
			worlds = append(worlds, world{"it arrives with the address of the node that took it in", a.translate(a.holderEnd(n), front, b)})
		}
	}
	return across(worlds)
}

// translate tries one backend in each order of translation and policy that the profile leaves open.
func (a *asker) translate(from, front end, b backend) outcome {
	if own, ok := a.ownPod(from, b.end); ok {
		return own
	}
	asked, arriving := one(b.Protocol, b.PortMapping.Service), one(b.Protocol, b.Target)
	after := route{from: from, out: b.end, in: b.end, via: &front, outConns: arriving, inConns: arriving, translated: true, asked: asked}
	before := after
	before.out, before.outConns = front, asked
	order := a.p.Profile.JudgedBeforeService.Answer
	if front.Holder < 0 { // not the Service's own address: who translates it, and where, is open
		order = cni.Uncertain
	}
	switch {
	case !a.isPods(from) || order == cni.No:
		return a.pass(after)
	case order == cni.Yes:
		return a.pass(before)
	}
	return across([]world{
		{"policy is judged on the pod's address, after the Service's is translated", a.pass(after)},
		{"policy is judged on a Service's address, before it is translated", a.pass(before)},
	})
}

// apiService is the port of the API server's Service.
const apiService = 443

// toKubeAPI decides a connection to the API server's Service where the input does not show it: on what port the server itself listens is open.
func (a *asker) toKubeAPI(from, api end) outcome {
	var worlds []world
	for r := range a.p.Class(api.Holder).Conns.Of(netset.TCP).Runs() {
		for port := r.Lo; ; port++ {
			b := backend{api, reach.PortMapping{Protocol: netset.TCP, Service: apiService, Target: port}}
			worlds = append(worlds, world{fmt.Sprintf("the API server listens on port %d", port), a.translate(from, api, b)})
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
		tried = append(tried, a.try(from, e))
	}
	if svc.Selector == nil {
		for _, e := range svc.Endpoints {
			if _, pod := a.p.PodAt(e.Addr.Unmap()); !pod {
				for _, at := range a.endsAt(e) {
					tried = append(tried, a.try(from, at))
				}
			}
		}
	}
	switch {
	case tried != nil:
		return tried
	case svc.Selector != nil:
		return []outcome{a.toNobody(from, service, end{End: reach.End{Holder: -1}})}
	}
	a.note("the input does not show the endpoints of " + id)
	return []outcome{a.toHost(from, "an endpoint of "+id, a.conns)}
}

// toExternalName follows a Service that is another name for a host.
func (a *asker) toExternalName(from end, svc *model.Service) outcome {
	a.note(fmt.Sprintf("%s/Service/%s is another name for %s", svc.Namespace, svc.Name, svc.ExternalName))
	if a.followed++; a.followed > maxFollowed {
		a.note("names that stand for names were followed " + fmt.Sprint(maxFollowed) + " times")
		return a.toHost(from, svc.ExternalName, a.conns)
	}
	defer func() { a.followed-- }()
	host := strings.TrimSuffix(strings.ToLower(svc.ExternalName), ".")
	target, err := a.target(hostOrAddr(host), somewhere(""))
	if err != nil {
		return a.toHost(from, host, a.conns)
	}
	if target.always != nil {
		return *target.always
	}
	return anyOf(a.choices(from, target))
}

// maxFollowed bounds how many Services of type ExternalName are followed.
const maxFollowed = 4

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
	if front.Holder >= 0 && a.p.Profile.JudgedBeforeService.Answer != cni.No {
		for _, f := range reach.Families {
			if len(a.side(from, front, f, policy.Egress, a.conns)) > 0 {
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
