package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/reach"
)

// place is what a name stands for. Several ends are choices.
type place struct {
	name      string
	namespace string // of a workload
	ends      []end
	service   int        // index, or -1
	front     *end       // with a service: what the client connects to, if not the Service's own address
	host      string     // a name that resolves to addresses nobody knows
	unknown   netip.Addr // an address that somebody in the cluster may hold
	namesake  int        // with a workload: a Service that is called the same, or -1
	api       bool       // the ends are the API server, by the name of its Service
	always    *outcome   // where no policy has a say
}

func somewhere(name string) place { return place{name: name, service: -1, namesake: -1} }

// source resolves FROM.
func (a *asker) source(n Name) (place, error) {
	switch {
	case n.Object != "":
		pl, err := a.object(n)
		if err == nil && pl.service >= 0 {
			return place{}, &NameError{pl.name + " is a Service, and a Service opens no connections: name a workload", a.behind(pl.service)}
		}
		return pl, err
	case n.Host != "":
		if pl, ok := a.node(n.Host); ok {
			return pl, nil
		}
		message := "FROM %s is a host name, which does not tell the address a connection comes from: give a workload as namespace/name, or an address"
		return place{}, &NameError{fmt.Sprintf(message, n.Host), nil}
	case n.Addr.IsLoopback() || n.Addr.IsUnspecified() || n.Addr.IsMulticast():
		return place{}, &NameError{"FROM " + n.Addr.String() + " is no address that a connection between two hosts comes from", nil}
	}
	if h, ok := a.p.VIPAt(n.Addr); ok {
		svc := a.p.Class(h).Service
		return place{}, &NameError{n.Addr.String() + " is the address of a Service, and a Service opens no connections: name a workload", a.behind(svc)}
	}
	return a.address(n.Addr), nil
}

// target resolves TO as a client would that runs where source is.
func (a *asker) target(n Name, source place) (place, error) {
	switch {
	case n.Object != "":
		return a.object(n)
	case n.Host != "":
		return a.hostName(n.Host, source)
	}
	pl := somewhere(n.Addr.String())
	switch {
	case n.Addr.IsLoopback() || n.Addr.IsUnspecified():
		a.note(n.Addr.String() + " is the pod itself")
		pl.always = &outcome{verdict: reach.Allowed, conns: a.conns}
		return pl, nil
	case n.Addr.IsMulticast() || n.Addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		a.note("connections to many receivers at once are not judged")
		pl.always = &outcome{when: "the network carries it", conns: a.conns}
		return pl, nil
	}
	if h, ok := a.p.VIPAt(n.Addr); ok {
		pl = a.servicePlace(a.p.Class(h).Service)
		a.note(n.Addr.String() + " is the address of " + pl.name)
		return pl, nil
	}
	for i, svc := range a.p.Snapshot.Services {
		if slices.ContainsFunc(svc.ExternalIPs, func(e netip.Addr) bool { return e.Unmap() == n.Addr }) {
			pl = a.servicePlace(i)
			pl.front = &end{End: reach.AtAddr(n.Addr), name: n.Addr.String(), workload: -1}
			a.note(n.Addr.String() + " is an external address of " + pl.name)
			return pl, nil
		}
	}
	return a.address(n.Addr), nil
}

// judged reports whether some end may be a pod.
func (a *asker) judged(source, target place) bool {
	return slices.ContainsFunc(slices.Concat(source.ends, target.ends), a.isPods) || source.unknown.IsValid() || target.unknown.IsValid() ||
		target.service >= 0 || target.always != nil
}

// object resolves "namespace/name" or "namespace/Kind/name".
func (a *asker) object(n Name) (place, error) {
	s := a.p.Snapshot
	var workloads []int
	for i := range s.Workloads {
		w := &s.Workloads[i]
		if w.Namespace == n.Namespace && w.Name == n.Object && (n.Kind == "" || n.Kind == w.Kind) {
			workloads = append(workloads, i)
		}
	}
	service := -1
	for i := range s.Services {
		if s.Services[i].Namespace == n.Namespace && s.Services[i].Name == n.Object && (n.Kind == "" || n.Kind == "Service") {
			service = i
		}
	}
	switch {
	case len(workloads) > 1:
		e := &NameError{Message: n.String() + " is more than one workload"}
		for _, w := range workloads {
			e.Names = append(e.Names, s.Workloads[w].ID())
		}
		return place{}, e
	case len(workloads) == 1:
		pl := a.workload(workloads[0])
		pl.namesake = service
		return pl, nil
	case service >= 0:
		return a.servicePlace(service), nil
	}
	if n.Kind == "" || n.Kind == "Pod" {
		if pl, ok := a.running(n); ok {
			return pl, nil
		}
	}
	if n.Namespace == "default" && n.Object == "kubernetes" && n.Kind != "Pod" {
		return a.kubeAPI(), nil
	}
	what := "workload or Service"
	if n.Kind != "" {
		what = n.Kind
	}
	return place{}, &NameError{fmt.Sprintf("the input has no %s %s/%s", what, n.Namespace, n.Object), suggest(s, n)}
}

// workload is the pods of a workload: an end for each kind of pod it has.
func (a *asker) workload(w int) place {
	wl := &a.p.Snapshot.Workloads[w]
	pl := somewhere(wl.ID())
	pl.namespace = wl.Namespace
	classes := a.p.ClassesOf(w)
	for _, c := range classes {
		e := a.podEnd(w, c, len(classes) > 1)
		a.noteHost(e)
		pl.ends = append(pl.ends, e)
	}
	return pl
}

// podEnd is the pods of workload w that are of class c. Where told, the name says which.
func (a *asker) podEnd(w, c int, told bool) end {
	wl := &a.p.Snapshot.Workloads[w]
	e := end{End: reach.AtHolder(c), name: shortName(wl.Namespace, wl.Kind, wl.Name), workload: w}
	first := true
	for _, m := range a.p.Class(c).Members {
		if m.Workload != w || !first {
			continue
		}
		first = false
		e.pod, e.single = m, !wl.Many && len(wl.Pods) == 1
		if name := wl.Pods[m.Pod].Name; told && name != "" {
			e.name += " (pod " + name + ")"
		} else if told {
			e.name += fmt.Sprintf(" (pods of kind %d)", slices.Index(a.p.ClassesOf(w), c)+1)
		}
	}
	return e
}

// shortName leaves out a kind that only says "the pods of".
func shortName(namespace, kind, name string) string {
	if kind == "Pod" {
		return namespace + "/Pod/" + name
	}
	return namespace + "/" + name
}

func (a *asker) noteHost(e end) {
	if a.isPods(e) && a.p.HostNetwork(e.Holder) && !slices.Contains(a.hosts, e.name) {
		a.hosts = append(a.hosts, e.name)
	}
}

// hostNetworked names the ends on the host network; "" if there are none.
func (a *asker) hostNetworked() string { return listed(a.hosts, 3) }

// running finds a pod by its own name.
func (a *asker) running(n Name) (place, bool) {
	for w := range a.p.Snapshot.Workloads {
		wl := &a.p.Snapshot.Workloads[w]
		if wl.Namespace != n.Namespace {
			continue
		}
		for i := range wl.Pods {
			if wl.Pods[i].Name == n.Object {
				return a.onePod(reach.Member{Workload: w, Pod: i}), true
			}
		}
	}
	return place{}, false
}

// onePod is the place of a single running pod.
func (a *asker) onePod(m reach.Member) place {
	wl := &a.p.Snapshot.Workloads[m.Workload]
	pl := somewhere(wl.Namespace + "/Pod/" + wl.Pods[m.Pod].Name)
	pl.namespace = wl.Namespace
	for _, c := range a.p.ClassesOf(m.Workload) {
		if slices.Contains(a.p.Class(c).Members, m) {
			e := end{End: reach.AtHolder(c), name: pl.name, workload: m.Workload, pod: m, single: true}
			a.noteHost(e)
			pl.ends = append(pl.ends, e)
		}
	}
	return pl
}

// servicePlace is a Service.
func (a *asker) servicePlace(i int) place {
	svc := &a.p.Snapshot.Services[i]
	pl := somewhere(svc.Namespace + "/Service/" + svc.Name)
	pl.service = i
	return pl
}

// behind names the workloads behind a Service.
func (a *asker) behind(service int) []string {
	var out []string
	for _, b := range a.p.Backends(service) {
		for _, m := range a.p.Class(b.Class).Members {
			w := &a.p.Snapshot.Workloads[m.Workload]
			if name := w.Namespace + "/" + w.Name; len(out) < maxSuggestions && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// kubeAPI is the API server, where no Service stands for it.
func (a *asker) kubeAPI() place {
	pl := somewhere("default/Service/kubernetes")
	pl.api = true
	for n := a.p.Classes(); n < a.p.Holders(); n++ {
		if h := a.p.Class(n); h.Kind == reach.KubeAPI && h.Service < 0 {
			pl.ends = append(pl.ends, a.holderEnd(n))
		}
	}
	return pl
}

// holderEnd is an end that is no Service and no known workload's pods in particular.
func (a *asker) holderEnd(n int) end {
	e := end{End: reach.AtHolder(n), workload: -1}
	switch h := a.p.Class(n); h.Kind {
	case reach.Class:
		e = a.podEnd(h.Members[0].Workload, n, false)
		e.single = e.single && len(h.Members) == 1
		e.name = a.namesOf(n)
	case reach.VIP:
		e.name = serviceName(a, h.Service)
	case reach.Node:
		e.name = "a node"
		if h.Node >= 0 {
			e.name = "node " + a.p.Snapshot.Nodes[h.Node].Name
		}
	case reach.KubeAPI:
		e.name = "the Kubernetes API"
	}
	return e
}

func serviceName(a *asker, i int) string {
	svc := &a.p.Snapshot.Services[i]
	return svc.Namespace + "/Service/" + svc.Name
}

// node finds a node by name.
func (a *asker) node(name string) (place, bool) {
	for i, node := range a.p.Snapshot.Nodes {
		if node.Name != name {
			continue
		}
		pl := somewhere("node " + name)
		for n := a.p.Classes(); n < a.p.Holders(); n++ {
			if h := a.p.Class(n); h.Kind == reach.Node && (h.Node == i || h.Node < 0) {
				e := a.holderEnd(n)
				e.name = pl.name
				pl.ends = append(pl.ends, e)
			}
		}
		return pl, pl.ends != nil
	}
	return place{}, false
}

// address resolves an address that is no Service's: to what is known to hold it, or to what may.
func (a *asker) address(addr netip.Addr) place {
	if pod, ok := a.p.PodAt(addr); ok {
		pl := a.onePod(pod.Member)
		a.note(addr.String() + " is the address of " + pl.name)
		return pl
	}
	pl := somewhere(addr.String())
	for _, n := range a.holdersAt(addr) {
		e := a.holderEnd(n)
		a.noteHost(e)
		pl.ends = append(pl.ends, e)
		a.note(addr.String() + " is the address of " + e.name)
	}
	switch {
	case pl.ends != nil:
		a.noteNodePort(addr)
	case a.p.Plan(familyOf(addr)).Contains(addr):
		pl.unknown = addr
	default:
		pl.ends = []end{{End: reach.AtAddr(addr), name: addr.String(), workload: -1}}
	}
	return pl
}

// noteNodePort says where a port of a node leads.
func (a *asker) noteNodePort(addr netip.Addr) {
	for _, svc := range a.p.Snapshot.Services {
		for _, p := range svc.Ports {
			if p.NodePort != 0 && p.NodePort == a.q.Port && a.conns.Contains(p.Protocol, p.NodePort) {
				a.note(fmt.Sprintf("port %d of every node leads to the Service %s/%s: ask about that too", p.NodePort, svc.Namespace, svc.Name))
			}
		}
	}
}

// holdersAt returns the holders known to have addr, without Services and without pods that have an address of their own.
func (a *asker) holdersAt(addr netip.Addr) []int {
	if a.holders == nil {
		a.holders = map[netip.Addr][]int{}
		for n := range a.p.Holders() {
			h := a.p.Class(n)
			switch {
			case h.Kind == reach.VIP, h.Kind == reach.KubeAPI && h.Service >= 0, h.Kind == reach.Class && !a.p.HostNetwork(n):
				continue
			case h.Kind == reach.Class:
				for _, m := range h.Members {
					pod := &a.p.Snapshot.Workloads[m.Workload].Pods[m.Pod]
					for _, at := range slices.Concat(pod.Addrs, pod.NodeAddrs) {
						a.hold(at, n)
					}
				}
			case h.Kind == reach.Node && h.Node >= 0:
				for _, at := range a.p.Snapshot.Nodes[h.Node].Addrs {
					a.hold(at, n)
				}
			default:
				for _, at := range h.Addrs {
					if at.State == reach.KnownAddr {
						a.hold(at.Addr, n)
					}
				}
			}
		}
	}
	return a.holders[addr]
}

func (a *asker) hold(addr netip.Addr, n int) {
	if addr = addr.Unmap(); !slices.Contains(a.holders[addr], n) {
		a.holders[addr] = append(a.holders[addr], n)
	}
}

// hostName resolves a host name: a Service of the cluster, a node, or a name of which nothing is known.
func (a *asker) hostName(host string, source place) (place, error) {
	labels := strings.Split(host, ".")
	find := func(name, namespace string) (place, bool) {
		pl, err := a.object(Name{Namespace: namespace, Kind: "Service", Object: name})
		return pl, err == nil
	}
	cluster := len(labels) >= 3 && labels[2] == "svc" && (len(labels) == 3 || strings.Join(labels[3:], ".") == "cluster.local")
	podOf := len(labels) >= 4 && labels[3] == "svc" && (len(labels) == 4 || strings.Join(labels[4:], ".") == "cluster.local")
	switch {
	case cluster:
		return a.object(Name{Namespace: labels[1], Kind: "Service", Object: labels[0]})
	case podOf:
		pl, err := a.object(Name{Namespace: labels[2], Kind: "Service", Object: labels[1]})
		if err == nil {
			a.note(host + " is one of the pods behind " + pl.name + "; the answer is for any of them")
		}
		return pl, err
	case len(labels) == 2:
		if pl, ok := find(labels[0], labels[1]); ok {
			return pl, nil
		}
	case len(labels) == 1 && host == "localhost":
		return a.target(Name{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1})}, source)
	case len(labels) == 1 && source.namespace != "":
		if pl, ok := find(host, source.namespace); ok {
			return pl, nil
		}
	}
	if pl, ok := a.node(host); ok {
		return pl, nil
	}
	if len(labels) == 1 {
		return place{}, &NameError{fmt.Sprintf("%q is neither a host name with a dot nor a Service next to FROM; a workload is written namespace/name", host),
			a.called(host)}
	}
	pl := somewhere(host)
	pl.host = host
	return pl, nil
}

// called returns the workloads of a name, in any namespace.
func (a *asker) called(name string) []string {
	var out []string
	for _, w := range a.p.Snapshot.Workloads {
		if w.Name == name && len(out) < maxSuggestions {
			out = append(out, w.Namespace+"/"+w.Name)
		}
	}
	return out
}

// one is a single port.
func one(proto netset.Protocol, port netset.Port) netset.Conns {
	return netset.ConnsOf(proto, netset.PortRange(port, port))
}

// hostOrAddr reads what a Service of type ExternalName stands for, which may look like an address.
func hostOrAddr(text string) Name {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return Name{Addr: addr.Unmap()}
	}
	return Name{Host: text}
}
