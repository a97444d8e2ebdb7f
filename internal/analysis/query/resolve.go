package query

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// place is what a name stands for. Several ends are choices.
type place struct {
	name      string
	namespace string // of a workload
	ends      []end
	services  []entry      // choices too
	taken     netset.Conns // what the services take, so that it goes to no end
	shared    netset.Conns // what the services or the ends take: they have one address
	host      string       // a name that resolves to addresses nobody knows
	unknown   netip.Addr   // an address that somebody in the cluster may hold
	rivals    []end        // pods to all of which the input gives the address at; one of them has it
	at        netip.Addr   // of rivals
	namesakes []int        // with a workload: Services that are called the same
	api       bool         // the ends are the API server, by the name of its Service
	always    []way        // where no policy has a say
}

// entry is a way into a Service.
type entry struct {
	service int  // index
	front   *end // what the client connects to, if not the Service's own address
}

func somewhere(name string) place { return place{name: name} }

// source resolves FROM.
func (a *asker) source(n Name) (place, error) {
	switch {
	case n.Object != "":
		pl, err := a.object(n)
		if err == nil && len(pl.services) > 0 {
			return place{}, &NameError{pl.name + " is a Service, and a Service opens no connections: name a workload", a.behind(pl.services...)}
		}
		return pl, err
	case n.Host != "":
		if pl, ok := a.node(n.Host); ok {
			return pl, nil
		}
		message := "FROM %s is a host name, which does not tell the address a connection comes from: give a workload as namespace/name, or an address"
		return place{}, &NameError{fmt.Sprintf(message, n.Host), alikeHost(a.p.Snapshot, n.Host)}
	case n.Addr.IsLoopback() || n.Addr.IsUnspecified() || n.Addr.IsMulticast():
		return place{}, &NameError{"FROM " + n.Addr.String() + " is no address that a connection between two hosts comes from", nil}
	}
	if own, _ := a.servicesAt(n.Addr); own != nil && !a.contested(n.Addr) {
		return place{}, &NameError{n.Addr.String() + " is the address of a Service, and a Service opens no connections: name a workload", a.behind(own...)}
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
		pl.always = may(a.conns, when.Always)
		return pl, nil
	case n.Addr.IsMulticast() || n.Addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		a.note("connections to many receivers at once are not judged")
		pl.always = may(a.conns, a.p.Doubt("the network carries it"))
		return pl, nil
	}
	return a.listening(n.Addr), nil
}

// judged reports whether some end may be a pod.
func (a *asker) judged(source, target place) bool {
	return slices.ContainsFunc(slices.Concat(source.ends, source.rivals, target.ends, target.rivals), a.isPods) || source.unknown.IsValid() || target.unknown.IsValid() ||
		target.services != nil || target.always != nil || slices.ContainsFunc(target.ends, a.isNode) && (len(a.nodePorts()) > 0 || len(a.hostPorts()) > 0)
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
	var services []int
	for i := range s.Services {
		if s.Services[i].Namespace == n.Namespace && s.Services[i].Name == n.Object && (n.Kind == "" || n.Kind == "Service") {
			services = append(services, i)
		}
	}
	var kinds []string
	for _, w := range workloads {
		if id := s.Workloads[w].ID(); !slices.Contains(kinds, id) {
			kinds = append(kinds, id)
		}
	}
	switch {
	case len(kinds) > 1:
		return place{}, &NameError{n.String() + " is more than one workload", kinds}
	case workloads != nil:
		pl := a.workload(workloads...)
		pl.namesakes = services
		return pl, nil
	case services != nil:
		return a.servicePlace(services...), nil
	}
	if n.Kind == "" || n.Kind == "Pod" {
		if pl, ok := a.running(n); ok {
			return pl, nil
		}
	}
	if n.Namespace == "default" && n.Object == "kubernetes" && n.Kind != "Pod" {
		return a.kubeAPI(), nil
	}
	if over, ok := s.OverText(n.Namespace, n.Kind, n.Object); ok {
		return place{}, &NameError{over, nil}
	}
	what := "workload or Service"
	if n.Kind != "" {
		what = n.Kind
	}
	return place{}, &NameError{fmt.Sprintf("the input has no %s %s/%s", what, n.Namespace, n.Object), Alike(s, n)}
}

// workload is the pods of the workloads of one name, of which the input may have several: an end
// for each kind of pod they have.
func (a *asker) workload(all ...int) place {
	first := &a.p.Snapshot.Workloads[all[0]]
	pl := somewhere(first.ID())
	pl.namespace = first.Namespace
	if len(all) > 1 {
		a.note(fmt.Sprintf("the input has %s %d times; the answer is for any of them", pl.name, len(all)))
	}
	for _, w := range all {
		classes := a.p.ClassesOf(w)
		for _, c := range classes {
			e := a.podEnd(w, c, len(classes) > 1)
			a.noteHost(e)
			pl.ends = append(pl.ends, e)
		}
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
		if name := wl.Pods[m.Pod].Name; a.p.Scaled(c) != "" {
			e.name += " (pod " + path.Base(a.p.Scaled(c)) + ", beyond its replicas)"
		} else if told && name != "" {
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
	if a.quiet == 0 && a.isPods(e) && a.p.HostNetwork(e.Holder) && a.p.Certain(e.Holder) && !slices.Contains(a.hosts, e.name) {
		a.hosts = append(a.hosts, e.name)
	}
}

// running finds pods by their own name.
func (a *asker) running(n Name) (place, bool) {
	var found place
	for w := range a.p.Snapshot.Workloads {
		wl := &a.p.Snapshot.Workloads[w]
		if wl.Namespace != n.Namespace {
			continue
		}
		for i := range wl.Pods {
			if wl.Pods[i].Name == n.Object {
				pl := a.onePod(reach.Member{Workload: w, Pod: i})
				pl.ends = append(found.ends, pl.ends...)
				found = pl
			}
		}
	}
	return found, found.ends != nil
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

// servicePlace is the Services of one name, of which the input may have several.
func (a *asker) servicePlace(all ...int) place {
	pl := somewhere(serviceName(a, all[0]))
	if len(all) > 1 {
		a.note(fmt.Sprintf("the input has %s %d times; the answer is for any of them", pl.name, len(all)))
	}
	for _, i := range all {
		pl.services = append(pl.services, entry{service: i})
	}
	return pl
}

// behind names the workloads behind Services.
func (a *asker) behind(services ...entry) []string {
	var out []string
	for _, s := range services {
		for _, b := range a.p.Backends(s.service) {
			for _, m := range a.p.Class(b.Class).Members {
				w := &a.p.Snapshot.Workloads[m.Workload]
				if name := w.Namespace + "/" + w.Name; len(out) < maxSuggestions && !slices.Contains(out, name) {
					out = append(out, name)
				}
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

// showsKubeAPI reports whether the input has the Service of the API server.
func (a *asker) showsKubeAPI() bool {
	return slices.ContainsFunc(a.p.Snapshot.Services, func(s model.Service) bool { return s.Namespace == "default" && s.Name == "kubernetes" })
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

func serviceName(a *asker, i int) string {
	svc := &a.p.Snapshot.Services[i]
	return svc.Namespace + "/Service/" + svc.Name
}

// node finds a node by name: an end for each address it has.
func (a *asker) node(name string) (place, bool) {
	pl := somewhere("node " + name)
	for i, node := range a.p.Snapshot.Nodes {
		if node.Name != name {
			continue
		}
		for n := a.p.Classes(); n < a.p.Holders(); n++ {
			if h := a.p.Class(n); h.Kind == reach.Node && (h.Node == i || h.Node < 0) {
				e := a.holderEnd(n)
				e.name = pl.name
				pl.ends = append(pl.ends, e)
			}
		}
	}
	return pl, pl.ends != nil
}

// hostName resolves a host name: a Service of the cluster, a node, or a name of which nothing is
// known.
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
			alikeHost(a.p.Snapshot, host)}
	}
	if len(labels) == 2 && slices.ContainsFunc(a.p.Snapshot.Namespaces, func(ns model.Namespace) bool { return ns.Name == labels[1] }) {
		text := fmt.Sprintf("%s is taken for a name outside the cluster: namespace %s has no Service %s", host, labels[1], labels[0])
		a.note((&NameError{text, alikeHost(a.p.Snapshot, host)}).withHint())
	}
	pl := somewhere(host)
	pl.host = host
	return pl, nil
}

// one is a single port.
func one(proto netset.Protocol, port netset.Port) netset.Conns {
	return netset.ConnsOf(proto, netset.PortRange(port, port))
}
