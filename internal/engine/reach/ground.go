// Package reach is the engine: it decides, exactly, which connections a snapshot's policies let
// through.
//
// Pods that nothing can tell apart are one class. The other end of a connection is a point of one
// space, a [Region]: numbered holders of addresses (classes of pods, Services, nodes) once for each
// IP family, addresses outside the cluster, and label cubes of pods that do not exist yet. A policy
// rule matches boxes (a region and the connections to it); [fold] turns an ordered list of rules
// into a table, and is the only code that decides. [Program.Reach], [Program.Explain] and
// [Program.Hypothetical] are that one fold over different regions.
//
// Every answer has two bounds. What is certain is Allowed or Denied; what depends on something
// unknown is Depends, with the condition, or Unknown, where an input could not be judged.
package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Family is an IP family.
type Family uint8

const (
	IPv4 Family = iota
	IPv6
)

// Families lists both families.
var Families = [...]Family{IPv4, IPv6}

func (f Family) String() string { return [...]string{"IPv4", "IPv6"}[f] }

func familyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// Holder is what a number stands for: something that holds an address in each family, or may.
type Holder struct {
	Kind    HolderKind
	Members []Member     // of a Class
	Service int          // of a VIP, and of a KubeAPI that is one: index into Snapshot.Services; else -1
	Node    int          // of a Node: index into Snapshot.Nodes, or -1 for nodes that were not read
	Conns   netset.Conns // of a KubeAPI: what it answers on
	Addrs   [2]Addr      // by Family

	namespace int // of a Class: index into Ground.namespaces
	labels    label.Labels
	ports     []model.ContainerPort
	host      bool
	nodes     nodeKinds
	networks  []string // beside the cluster's own
	network   string   // instead of the cluster's own
	mesh      mesh
	role      model.Role
	scaled    string       // the pod of a StatefulSet that there will be once that is scaled; "" for pods that there are
	mayBeHost string       // the pod or workload, where it is not known whether it is on the host network: host says which case this is
	others    []netip.Addr // known addresses of further pods of a hostNetwork class: those of their nodes
	external  bool         // of a Node: ExternalIPs, perhaps on no interface of its own
}

// HolderKind says what a holder is.
type HolderKind uint8

const (
	Class   HolderKind = iota // pods that nothing can tell apart
	VIP                       // a Service's own address
	Node                      // cluster nodes
	KubeAPI                   // what the API server answers on
)

// Member is a pod of a class: an index into Snapshot.Workloads, and one into its Pods.
type Member struct{ Workload, Pod int }

// Addr is what is known of a holder's address in one family. The zero value has none.
type Addr struct {
	State AddrState
	Addr  netip.Addr // where State is KnownAddr; one that policies treat alike, for the pods of a class
}

// AddrState says whether there is an address.
type AddrState uint8

const (
	NoAddr    AddrState = iota
	MayHave             // perhaps there is one
	Has                 // there is one, somewhere in the plan
	KnownAddr           // it is Addr
)

// Ground is a snapshot made ready for any profile: classes, and everything interned.
type Ground struct {
	Snapshot *model.Snapshot

	namespaces []model.Namespace
	nsIndex    map[string]int
	nodeAt     map[string]int  // the nodes of the input by name
	twins      map[string]bool // the nodes that share an address
	onlyNode   []string        // by class: the node that all of its pods run on, "" if that is not one that is shown
	placement  []int           // by class: a number for the nodes that it is shown to be on
	nodeKinds  []nodeKinds     // their traits
	anyNode    traitSet        // all that one of them may have
	agents     []agent         // of CNIs, that the input shows
	networks   map[string]*network
	meshes     [meshes]netset.IDs // the classes in each
	nsRuns     []netset.IDs       // the classes of each namespace
	holders    []Holder           // classes first, sorted by namespace; then the others
	classes    int

	classOf      [][]int                         // by workload: its classes
	byAddr       map[netip.Addr][]RunningPod     // several where an address is one's still and another's already
	byName       map[string][]RunningPod         // by "namespace/name"; those on the pod network
	sharers      map[int][2]netset.IDs           // by class and Family: other classes with its address
	sharing      netset.IDs                      // the classes that have some
	vips         map[netip.Addr]int              // holder by Service address
	frontends    [][]int                         // by service: the holders of its addresses, its own first
	external     [][]int                         // by service and external IP: its holder, -1 if that is none
	backends     [][]Backend                     // by service
	fronts       [][]front                       // by class
	frontsOn     map[netset.ProtocolPort][]front // by the port of the Service
	frontendIDs  netset.IDs                      // holders of addresses of Services
	ownIDs       netset.IDs                      // holders of Services' own addresses
	translated   netset.IDs                      // those of them of which it is known what is behind
	nodes        netset.IDs
	nodeIDs      map[string]netset.IDs // their holders by name
	behindNodes  []int                 // the classes that ports of nodes or external IPs lead to
	bareBackends []bareBackend
	ways         [][]Way           // by class
	postings     map[posting][]int // classes by label; under value "" and open those where it is not known
	said         mentions
	hosts        netset.IDs // hostNetwork classes
	local        netset.IDs // what may be a pod's own node: nodes and hostNetwork classes
	endpoints    netset.IDs // what the API server answers on, without its Service
	servicesIn   [][]int    // Services by namespace
	showsAPI     bool       // the Service of the API server is among them

	apiPerhapsOnNode netset.IDs           // those of endpoints that may be a node's; those whose address is known are in local too
	portNames        map[portName]portIDs // who resolves a name to what
	clusterwide      map[portName]shared  // the numbers that pods give a name, without those of sidecars and of pods on the host network
	known            []heldAddr           // holders by known address, sorted
	shown            [kinds]shown         // where the facts put addresses that are not known
	unknownAddrs     [kinds]unknownAddrs  // holders whose address is not known
	taken            netset.Addrs         // addresses that some holder is known to have
	existing         []existing           // holders by the families that they have addresses in
	states           [2]AddrState         // of pods and Services whose address is not known, by Family
	nodeStates       [2]AddrState         // of nodes, and of what has their addresses
	podFamilies      [2]bool              // families that pods and Services show in use
	seen             [2]bool              // families that the input shows in use
	newNamespaces    label.Selector       // the namespaces that do not exist
}

// shared is the numbers that pods give a port name.
type shared struct {
	all, sure []netset.Port         // by any pod of the input, and by pods that there are
	by        map[netset.Port][]int // the classes that give a number
}

// portIDs says to which number classes resolve a port name.
type portIDs struct {
	must, may map[netset.Port][]int
}

// NewGround prepares s. The snapshot must not change afterwards.
func NewGround(s *model.Snapshot) *Ground {
	g := &Ground{Snapshot: s, nsIndex: map[string]int{}, byAddr: map[netip.Addr][]RunningPod{}, byName: map[string][]RunningPod{}, vips: map[netip.Addr]int{}}
	g.indexNodes()
	g.showAPI()
	g.namespaces = g.Snapshot.Namespaces
	names := make([]string, len(g.namespaces))
	for i, ns := range g.namespaces {
		names[i], g.nsIndex[ns.Name] = ns.Name, i
	}
	g.placeFacts()
	g.newNamespaces = g.newNamespaces.Require(label.MetadataName, label.Exists()).Require(label.MetadataName, label.NotIn(names...))
	g.noteFamilies()
	g.addClasses()
	g.classes = len(g.holders)
	g.addOthers()
	g.index()
	g.indexNetworks()
	g.indexMeshes()
	g.indexAddrs()
	g.addBackends()
	g.indexFronts()
	g.noteNodes()
	g.findWays()
	return g
}

// Class returns the holder numbered n; the classes come first.
func (g *Ground) Class(n int) *Holder { return &g.holders[n] }

// Classes returns how many classes of pods there are; they are numbered from 0.
func (g *Ground) Classes() int { return g.classes }

// ClassesOf returns the classes of a workload's pods.
func (g *Ground) ClassesOf(workload int) []int { return g.classOf[workload] }

// IDs returns a set of holders.
func (g *Ground) IDs(holders ...int) netset.IDs {
	points := make([]netset.ID, len(holders))
	for i, n := range holders {
		points[i] = netset.ID(n)
	}
	return netset.Points(points...)
}

// Holds reports whether ids has holder n.
func (g *Ground) Holds(ids netset.IDs, n int) bool { return ids.Contains(netset.ID(n)) }

// Everything is every holder and every address.
func (g *Ground) Everything() Region {
	return Region{IDs: netset.IDRange(0, len(g.holders)), Addrs: netset.Universe}
}

// Pods is every class of pods.
func (g *Ground) Pods() netset.IDs { return netset.IDRange(0, g.classes) }

// Namespace returns the classes in a namespace.
func (g *Ground) Namespace(name string) netset.IDs {
	i, ok := g.nsIndex[name]
	if !ok {
		return netset.IDs{}
	}
	return g.nsRuns[i]
}

// HoldersOf returns the holders of a kind among ids, in order.
func (g *Ground) HoldersOf(ids netset.IDs, kind HolderKind) []int {
	var out []int
	for r := range ids.Runs() {
		for id := int(r.Lo); id <= int(r.Hi); id++ {
			if g.holders[id].Kind == kind {
				out = append(out, id)
			}
		}
	}
	return out
}

// RunningPod is a pod found by its address or name.
type RunningPod struct {
	Member
	Class int
}

// PodAt returns the running pod whose own address is a, if it is one's alone.
func (g *Ground) PodAt(a netip.Addr) (pod RunningPod, ok bool) {
	if pods := g.byAddr[a]; len(pods) == 1 {
		return pods[0], true
	}
	return RunningPod{}, false
}

// NamespaceOf returns the name of a class's namespace.
func (g *Ground) NamespaceOf(class int) string { return g.namespaces[g.holders[class].namespace].Name }

// HostNetwork reports whether the pods of a class share their node's network.
func (g *Ground) HostNetwork(class int) bool { return g.holders[class].host }

// Role returns what discovery took the pods of a class for.
func (g *Ground) Role(class int) model.Role { return g.holders[class].role }

// addClasses partitions the pods.
func (g *Ground) addClasses() {
	s := g.Snapshot
	said := mentioned(s)
	g.said = said
	atoms := boundaries(s)
	common := commonAddrs(s)
	roles := make([]model.Role, len(s.Workloads))
	for _, srv := range s.Servers {
		roles[srv.Workload] = srv.Role
	}
	type draft struct {
		key string
		Holder
	}
	byKey := map[string]*draft{}
	var drafts []*draft
	memberOf := make([][]*draft, len(s.Workloads))
	var b strings.Builder
	for w := range s.Workloads {
		wl := &s.Workloads[w]
		for _, m := range g.pods(w, said) {
			m.labels = said.withAccount(m.labels, m.pod)
			h := Holder{namespace: g.nsIndex[wl.Namespace], labels: m.labels, host: m.pod.HostNetwork, nodes: g.kindsOf(m.pod), networks: m.pod.Networks, network: m.pod.Default, mesh: meshOf(&g.namespaces[g.nsIndex[wl.Namespace]], wl, m.pod), role: roles[w], scaled: m.scaled}
			if orig := &wl.Pods[m.Pod]; orig.MayBeHost {
				h.mayBeHost = wl.ID()
				if orig.Name != "" {
					h.mayBeHost = wl.Namespace + "/Pod/" + orig.Name
				}
			}
			addrs := m.pod.Addrs
			if h.host && addrs == nil {
				addrs = m.pod.NodeAddrs
			}
			unknown := g.states
			if h.host {
				unknown = g.nodeStates
			}
			b.Reset()
			fmt.Fprintf(&b, "%08d\x00%s\x00%t%d", h.namespace, m.labels.Only(said.keys), h.host, h.role)
			if h.nodes != (nodeKinds{}) || h.networks != nil || h.network != "" || h.mesh != noMesh {
				fmt.Fprintf(&b, "%v%q%q%d", h.nodes, h.networks, h.network, h.mesh)
			}
			if h.scaled != "" || h.mayBeHost != "" {
				fmt.Fprintf(&b, "%q%q", h.scaled, h.mayBeHost)
			}
			for _, f := range Families {
				h.Addrs[f] = stateOf(addrs, m.pod.MoreAddrs, f, unknown)
				if h.Addrs[f].State == KnownAddr {
					h.Addrs[f].Addr = h.Addrs[f].Addr.Unmap()
					fmt.Fprintf(&b, "\x00%d", atoms.of(h.Addrs[f].Addr))
					if common.Contains(h.Addrs[f].Addr) && !h.host {
						fmt.Fprintf(&b, "=%s", h.Addrs[f].Addr)
					}
				} else {
					fmt.Fprintf(&b, "\x00s%d", h.Addrs[f].State)
				}
			}
			for _, p := range m.pod.Ports {
				if said.ports[portName{p.Protocol, p.Name}] {
					h.ports = append(h.ports, p)
					fmt.Fprintf(&b, "\x00%d/%s/%d/%t", p.Protocol, p.Name, p.Port, p.Sidecar)
				}
			}
			d := byKey[b.String()]
			if d == nil {
				d = &draft{b.String(), h}
				byKey[d.key] = d
				drafts = append(drafts, d)
			}
			for _, f := range Families {
				if a := h.Addrs[f]; h.host && a.State == KnownAddr && a.Addr != d.Addrs[f].Addr {
					d.others = append(d.others, a.Addr)
				}
			}
			d.Members = append(d.Members, m.Member)
			memberOf[w] = append(memberOf[w], d)
		}
	}
	slices.SortStableFunc(drafts, func(a, b *draft) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.Members[0].Workload, b.Members[0].Workload), cmp.Compare(a.key, b.key))
	})
	number := make(map[*draft]int, len(drafts))
	counts := make([]int, len(g.namespaces))
	for i, d := range drafts {
		number[d] = i
		g.holders = append(g.holders, d.Holder)
		counts[d.namespace]++
		for _, m := range d.Members {
			if d.host {
				continue
			}
			w := &s.Workloads[m.Workload]
			pod := &w.Pods[m.Pod]
			for _, a := range pod.Addrs {
				g.byAddr[a.Unmap()] = append(g.byAddr[a.Unmap()], RunningPod{m, i})
			}
			if name := w.Namespace + "/" + pod.Name; pod.Name != "" {
				g.byName[name] = append(g.byName[name], RunningPod{m, i})
			}
		}
	}
	g.noteSharers(common)
	g.nsRuns = make([]netset.IDs, len(g.namespaces))
	first := 0
	for i, n := range counts {
		g.nsRuns[i] = netset.IDRange(netset.ID(first), n)
		first += n
	}
	g.classOf = make([][]int, len(s.Workloads))
	for w, ds := range memberOf {
		for _, d := range ds {
			g.classOf[w] = append(g.classOf[w], number[d])
		}
		slices.Sort(g.classOf[w])
		g.classOf[w] = slices.Compact(g.classOf[w])
	}
}

type drafted struct {
	Member
	pod    *model.Pod
	labels label.Labels
	scaled string
}

// maxOrdinals is how many pods of one StatefulSet are told apart.
const maxOrdinals = 256

// pods lists a workload's pods. A StatefulSet's template becomes a pod for each ordinal that some
// selector can name, and one for the rest. Those that there will be only once the set is scaled, as
// far as policies tell them apart, are marked: its replicas and its first ordinal may change at any
// time. A pod of which it is not known whether it is on the host network is two.
func (g *Ground) pods(w int, said mentions) []drafted {
	var out []drafted
	wl := &g.Snapshot.Workloads[w]
	for i := range wl.Pods {
		p := &wl.Pods[i]
		if p.Ordinals.Base == "" {
			out = append(out, drafted{Member{w, i}, p, p.Labels, ""})
		} else {
			out = append(out, numbered(Member{w, i}, wl, said)...)
		}
	}
	for _, d := range out {
		if d.pod.MayBeHost {
			host := *d.pod
			host.HostNetwork, host.Networks, host.Default = true, nil, ""
			d.pod = &host
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b drafted) int { return cmp.Compare(a.labels.Only(ordinalKeys), b.labels.Only(ordinalKeys)) })
	return out
}

var ordinalKeys = []string{model.SetPodIndex, model.SetPodName}

// numbered lists the pods that a StatefulSet's template stands for.
func numbered(m Member, w *model.Workload, said mentions) []drafted {
	p := &w.Pods[m.Pod]
	o, named, ruled := p.Ordinals, ordinals(p.Ordinals.Base, said.values), ordinals(p.Ordinals.Base, said.ruled)
	if len(named) > maxOrdinals { // too many to tell apart: any of them
		return []drafted{{m, p, p.Labels.WithUnknown(ordinalKeys...), ""}}
	}
	runs, plain := map[int]bool{}, !said.others // plain: no policy names pods to leave them out, or there is one that none names
	for i := range w.Pods {
		if n, ok := ordinalOf(w.Pods[i].Name, o.Base); ok && o.Count == 0 {
			runs[n], plain = true, plain || !ruled[n]
		}
	}
	var out []drafted
	add := func(n int) {
		name := fmt.Sprintf("%s-%d", o.Base, n)
		one := drafted{m, p, p.Labels.With(model.SetPodName, name).With(model.SetPodIndex, strconv.Itoa(n)), ""}
		if !o.Has(n) {
			one.scaled = w.Namespace + "/" + name
		}
		out = append(out, one)
	}
	for n := range named {
		if o.Has(n) || ruled[n] && !runs[n] {
			add(n)
			plain = plain || !ruled[n]
		}
	}
	n := o.First
	for ; named[n] || runs[n]; n++ {
	}
	if o.Has(n) || !plain {
		add(n)
	}
	return out
}

// ordinalOf returns the number of a StatefulSet's pod.
func ordinalOf(pod, base string) (n int, ok bool) {
	text, ok := strings.CutPrefix(pod, base+"-")
	if !ok {
		return 0, false
	}
	return parseOrdinal(text)
}

func parseOrdinal(text string) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == text
}

// Certain reports whether there are pods of a class, whatever the input leaves open.
func (g *Ground) Certain(class int) bool {
	return g.holders[class].scaled == "" && g.holders[class].mayBeHost == ""
}

// Scaled returns the pod of a StatefulSet that a class stands for if there will be one only once
// that is scaled, as "namespace/name"; "" for pods that there are.
func (g *Ground) Scaled(class int) string { return g.holders[class].scaled }

// Holders returns how many holders there are; the classes come first.
func (g *Ground) Holders() int { return len(g.holders) }
