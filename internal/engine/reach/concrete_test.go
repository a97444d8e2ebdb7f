package reach

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/test/slow"
)

// concrete is one way in which everything that a scene leaves open could be, with what stands for
// each of the engine's numbers.
type concrete struct {
	slow.World
	of     [][]int        // by class: its pods in World.Pods
	member []Member       // by pod: what it was made of
	kinds  []traitSet     // by pod: the traits of its node
	addrs  [][]netip.Addr // by holder beyond the classes: the addresses it may have, each for one thing of its kind
	fronts map[int]bool   // those of addrs that are Services'
	used   map[netip.Addr]bool
	snap   *model.Snapshot

	primary   Family // every pod has an address in it, unless the input says otherwise
	onNodes   Family // likewise, every node
	secondary bool   // most have one in the other too
	aws       bool   // IPv6 addresses of pods and nodes are public ones, those of Services private
	ipv6Pods  bool   // the input shows pods or Services that have IPv6 addresses
}

// concretise chooses. edges are addresses at which blocks begin and end: what is not known likes to
// lie there.
func (r *random) concretise(g *Ground, s scene, profile cni.Profile, edges []netip.Addr) concrete {
	w := concrete{snap: s.snap, aws: profile.Cloud == "AWS", used: map[netip.Addr]bool{}, of: make([][]int, g.Classes())}
	for a := range g.byAddr {
		w.used[a] = true
	}
	for _, svc := range s.snap.Services {
		for _, a := range svc.ClusterIPs {
			w.used[a] = true
		}
	}
	w.secondary = !r.v4 && r.one(2)
	w.ipv6Pods = g.podFamilies[IPv6]
	pods, all := familiesShown(g.Snapshot) // with the Service of the API server that facts show
	w.primary, w.onNodes = all, all
	if pods != nil {
		w.primary = *pods
	}
	invent := func(k kind) []netip.Addr {
		first := w.primary
		if k != ofPods && k != ofServices {
			first = w.onNodes
		}
		out := []netip.Addr{w.invent(r, k, first, edges)}
		if w.secondary && !r.one(8) {
			out = append(out, w.invent(r, k, 1-first, edges))
		}
		return out
	}
	words := vocabulary(s.snap)
	w.Namespaces = map[string]map[string]string{}
	for _, ns := range s.snap.Namespaces {
		w.Namespaces[ns.Name] = r.labels(ns.Labels, words)
	}
	if _, ok := g.nsIndex["default"]; ok && w.Namespaces["default"] == nil { // of the API server's Service
		w.Namespaces["default"] = map[string]string{label.MetadataName: "default"}
		for _, k := range slices.Sorted(maps.Keys(words)) {
			if values := words[k]; len(values) > 0 && r.more.IntN(3) == 0 && k != label.MetadataName {
				w.Namespaces["default"][k] = values[r.more.IntN(len(values))]
			}
		}
	}
	w.addNodes(r, s.snap, func() []netip.Addr { // not where a block begins, which the AWS agent takes for the node alone
		for {
			if a := invent(ofNodes); !slices.ContainsFunc(a, func(a netip.Addr) bool { return slices.Contains(edges, a) && slices.Contains(edges, a.Prev()) }) {
				return a
			}
		}
	})
	for i := range s.snap.Workloads {
		for j := range s.snap.Workloads[i].Pods {
			w.addPods(r, g, Member{i, j}, words, invent)
		}
	}
	w.Policies, w.CiliumPolicies = s.policies, s.cilium(r.groups(s.missing, edges))
	for _, u := range s.unjudged {
		for _, ingress := range []bool{true, false} {
			if o := u; !r.one(3) {
				o.Ingress, o.Allow = ingress, r.one(2)
				w.Overrides = append(w.Overrides, o)
			}
		}
	}
	w.addServices(r, g, g.Snapshot, invent)
	w.addNames(r, s.names, edges)
	for _, a := range s.asked {
		if a.IsLinkLocalUnicast() && a != metadataServer && r.one(2) {
			w.NodeLocal = append(w.NodeLocal, a)
		}
	}
	return w
}

// metadataServer answers outside of the node.
var metadataServer = netip.MustParseAddr("169.254.169.254")

// under chooses what a profile leaves open. The twin has no word for what no connection shows:
// whether pods start open.
func (w *concrete) under(r *random, profile cni.Profile) {
	says := func(q cni.Question) bool { return r.decide(profile.Says(q)) }
	judges := func(d policy.Dialect) bool { return r.decide(profile.Judges(string(d))) }
	w.NotEnforced = !says(cni.Enforces)
	w.BlocksMissPods, w.BlocksMissNodes = !says(cni.BlocksMatchPods), !says(cni.BlocksMatchNodes)
	w.SelectorsMatchHost, w.SelectorsMatchServices = says(cni.SelectorsMatchHost), says(cni.SelectorsMatchServices)
	w.HostPodsJudged, w.JudgedBeforeService = says(cni.HostNetworkJudged), says(cni.JudgedBeforeService)
	w.OwnNodeJudged, w.OwnNodeOpen = !says(cni.OwnNodeMayEnter), says(cni.OwnNodeReachable)
	w.LongestPrefixDecides, w.IPv4Escapes = says(cni.LongestPrefixDecides), says(cni.IPv4EscapesIPv6)
	w.NodeSelectors, w.UntypedRulesApply, w.UnselectedDenied = says(cni.NodeSelectors), says(cni.UntypedRulesApply), says(cni.UnselectedDenied)
	w.IgnoresNetworkPolicies = !judges(policy.NetworkPolicy)
	w.IgnoresCilium, w.IgnoresCiliumClusterwide = !judges(policy.CiliumNetworkPolicy), !judges(policy.CiliumClusterwideNetworkPolicy)
	w.PortNamesShared, w.IPv6Escapes = says(cni.PortNamesShared), w.ipv6Pods && says(cni.IPv6Escapes)
	of := profile.Says(cni.PortNamesOfAll)
	w.PortNamesOfAll = of == cni.Yes || of == cni.Uncertain && r.more.IntN(2) == 0
	w.LabelsLeftOut = profile.Says(cni.LabelsLeftOut) != cni.No && r.one(2)
	w.RequestsFit = r.one(2)
	for _, n := range w.snap.Networks {
		w.Over = append(w.Over, slow.Network{Name: n.Name, Ranges: n.Ranges}, slow.Network{Name: "n0/open", Ranges: []netip.Prefix{allIPv4, allIPv6}})
	}
	w.Over = slices.DeleteFunc(w.Over, func(slow.Network) bool { return r.more.IntN(2) == 0 })
	for i := range w.Over {
		for n, addrs := range w.addrs {
			if w.fronts[n] {
				w.Over[i].Not = append(w.Over[i].Not, addrs...)
			}
		}
	}
	w.Translated = map[netip.Addr]bool{}
	for _, n := range w.snap.Nodes {
		for _, a := range n.External {
			w.Translated[a] = r.more.IntN(2) == 0
		}
	}
	w.Meshes = map[string]int{}
	for m := ambient; m < meshes; m++ {
		if r.more.IntN(2) == 0 {
			w.Meshes[m.String()] = int(meshPorts[m])
		}
	}
	mays := func(q cni.Question) bool {
		a := profile.Says(q)
		return a == cni.Yes || a == cni.Uncertain && r.more.IntN(2) == 0
	}
	w.NodePortsTranslatedFirst, w.ExternalTranslatedFirst = mays(cni.NodePortsTranslatedFirst), mays(cni.ExternalTranslatedFirst)
	w.NodePortsEscape, w.ClientsKept, w.SentOn = mays(cni.NodePortsEscape), r.more.IntN(2) == 0, r.more.IntN(2) == 0
	if profile.Says(cni.PodsShareTables) == cni.Yes && r.more.IntN(2) == 0 {
		w.share(r, mays(cni.TablesMerge))
	}
	w.StarsMatchDepth = mays(cni.StarsMatchDepth)
	w.NamesTaught = r.more.IntN(2) == 0
	w.OnePodPerAddress = mays(cni.OnePodPerAddress)
	w.Seen = map[netip.Addr]int{}
	for i, pod := range w.Pods {
		for _, a := range pod.Addrs {
			if _, ok := w.Seen[a]; !pod.HostNetwork && (!ok || r.more.IntN(2) == 0) {
				w.Seen[a] = i
			}
		}
	}
	w.NegativeMatchesAll = profile.Says(cni.NegativeSelectorsMatchAll) == cni.Uncertain && r.more.IntN(2) == 0
	for t := range traits {
		if t < byLabel {
			if a := profile.Says(nodeTraits[t].enforces); a == cni.Yes || a == cni.Uncertain && r.more.IntN(2) == 0 {
				continue
			}
		} else if cni.Agents[t-byLabel].Name != profile.Agent.Name {
			continue
		}
		for i, kinds := range w.kinds {
			w.Pods[i].NodeLeftOut = w.Pods[i].NodeLeftOut || kinds&t.bit() != 0
		}
	}
}

// share holds pods of one node whose names agree up to the last '-' to the policies of one of them:
// of one namespace, or joined with it by another '-'.
func (w *concrete) share(r *random, merge bool) {
	tables := map[[2]string][]int{}
	for i, pod := range w.Pods {
		p := w.snap.Workloads[w.member[i].Workload].Pods[w.member[i].Pod]
		if p.Name == "" || pod.HostNetwork {
			continue
		}
		prefix := p.Name
		if at := strings.LastIndexByte(prefix, '-'); at >= 0 {
			prefix = prefix[:at]
		}
		key := [2]string{prefix + "@" + pod.Namespace, pod.Node}
		if merge {
			key[0] = prefix + "-" + pod.Namespace
		}
		tables[key] = append(tables[key], i)
	}
	for _, key := range slices.SortedFunc(maps.Keys(tables), func(a, b [2]string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) }) {
		last := tables[key][r.more.IntN(len(tables[key]))]
		for _, i := range tables[key] {
			if i != last {
				w.Pods[i].HeldTo = last + 1
			}
		}
	}
}

// decide settles an answer.
func (r *random) decide(a cni.Answer) bool {
	return a == cni.Yes || a == cni.Uncertain && r.one(2)
}

// groups says what groups of blocks that the input does not have hold: an address or a few, or
// nothing.
func (r *random) groups(names []string, edges []netip.Addr) map[string][]netip.Prefix {
	out := map[string][]netip.Prefix{}
	for _, n := range names {
		for range r.IntN(4) {
			a := pick(r, edges...)
			out[n] = append(out[n], netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

// addNames resolves names to addresses of the internet, one a family.
func (w *concrete) addNames(r *random, names []string, edges []netip.Addr) {
	w.Names = map[string][]netip.Addr{}
	public := [2][]netip.Addr{IPv4: {netip.MustParseAddr("140.82.112.3")}, IPv6: {netip.MustParseAddr("2606:4700::2222")}}
	for f, a := range map[Family]netip.Addr{IPv4: netip.MustParseAddr("140.82.112.4"), IPv6: netip.MustParseAddr("2606:4700::2223")} {
		if w.used[public[f][0]] {
			public[f][0] = a
		}
	}
	for _, a := range edges {
		if special.Internet.Contains(a) && !w.used[a] {
			public[familyOf(a)] = append(public[familyOf(a)], a)
		}
	}
	for _, n := range names {
		w.Names[n] = []netip.Addr{pick(r, public[IPv4]...), pick(r, public[IPv6]...)}
	}
}

// familiesShown is the family in which there certainly are addresses: of pods and Services, nil if none is
// shown, and of everything.
func familiesShown(s *model.Snapshot) (pods *Family, all Family) {
	var families [2]bool
	note := func(addrs []netip.Addr) {
		for _, a := range addrs {
			families[familyOf(a)] = true
		}
	}
	primary := func() Family {
		if families[IPv6] && !families[IPv4] {
			return IPv6
		}
		return IPv4
	}
	for _, w := range s.Workloads {
		for _, p := range w.Pods {
			note(p.Addrs)
		}
	}
	for _, svc := range s.Services {
		note(svc.ClusterIPs)
	}
	if families != [2]bool{} {
		f := primary()
		pods = &f
	}
	for _, n := range s.Nodes {
		note(n.Addrs)
	}
	return pods, primary()
}

// mayLie is where addresses of a kind lie that the input does not show.
func (w *concrete) mayLie(k kind) netset.Addrs {
	s := w.snap
	var ranges []model.Range
	var what string
	switch k {
	case ofPods:
		ranges, what = s.Facts.Ranges.Pods, "ranges.pods"
	case ofServices:
		ranges, what = s.Facts.Ranges.Services, "ranges.services"
	case ofNodes:
		ranges, what = s.Facts.Ranges.Nodes, "ranges.nodes"
	}
	var all netset.Addrs
	for _, r := range ranges {
		all = all.Union(netset.Prefixes(r.CIDR))
	}
	if slices.ContainsFunc(s.Facts.Unknown, func(u model.Unknown) bool { return u.What == what }) || k == ofAPI {
		all = all.Union(w.anywhere(k))
	}
	return all
}

// anywhere is where a platform can put addresses of a kind.
func (w *concrete) anywhere(k kind) netset.Addrs {
	switch {
	case w.aws && k == ofServices:
		return special.Hosts.Intersect(netset.MustPrefixes("0.0.0.0/0", "fc00::/7"))
	case w.aws:
		return special.Hosts.Intersect(netset.MustPrefixes("0.0.0.0/0", "2000::/3"))
	}
	return special.Hosts
}

// invent returns an address that nothing has, where addresses of a kind may lie.
func (w *concrete) invent(r *random, k kind, f Family, edges []netip.Addr) netip.Addr {
	plan := w.mayLie(k).Intersect(familySpace[f])
	if plan.IsEmpty() {
		plan = w.anywhere(k).Intersect(familySpace[f])
	}
	if private := plan.Intersect(special.Plan); !private.IsEmpty() && !r.one(4) {
		plan = private
	}
	for {
		var a netip.Addr
		if len(edges) > 0 && !r.one(3) {
			a = pick(r, edges...)
		} else {
			run := pick(r, slices.Collect(plan.Runs())...)
			bytes := run.Lo.AsSlice()
			for i := len(bytes) / 2; i < len(bytes); i++ {
				bytes[i] |= byte(r.IntN(256))
			}
			a, _ = netip.AddrFromSlice(bytes)
		}
		if plan.Contains(a) && !w.used[a] {
			w.used[a] = true
			return a
		}
		edges = nil // once is enough: the edges may all be taken
	}
}

// vocabulary is the label values that selectors name, by key.
func vocabulary(s *model.Snapshot) map[string][]string {
	out := map[string][]string{}
	add := func(sel label.Selector) {
		for _, k := range sel.Keys() {
			values, _ := sel.On(k).Listed()
			out[k] = append(out[k], values...)
		}
	}
	for _, p := range s.Policies {
		for _, st := range p.Isolations {
			add(st.Subject.Pod)
		}
		for _, rule := range p.Rules {
			add(rule.Subject.NS)
			add(rule.Subject.Pod)
			for _, x := range rule.Peers {
				if x.NS != nil {
					add(*x.NS)
					add(*x.Pod)
				}
			}
		}
	}
	return out
}

// labels completes what is known of an object's labels with what selectors ask for, or something
// else.
func (r *random) labels(l label.Labels, words map[string][]string) map[string]string {
	set := l.Set()
	for _, k := range slices.Sorted(maps.Keys(words)) {
		_, given := set[k]
		if must, may := (label.Selector{}).Require(k, label.Exists()).Match(l); !given && may && (must || r.one(2)) {
			set[k] = pick(r, append(words[k], "zz")...)
		}
	}
	return set
}

// addNodes makes the nodes that the snapshot shows, and some if it shows none.
func (w *concrete) addNodes(r *random, s *model.Snapshot, invent func() []netip.Addr) {
	w.Nodes = map[string][]netip.Addr{}
	for _, n := range s.Nodes {
		w.Nodes[n.Name] = n.Addrs
		if n.Addrs == nil {
			w.Nodes[n.Name] = invent()
		}
		for _, a := range w.Nodes[n.Name] {
			w.used[a] = true
		}
	}
	for i := 0; len(s.Nodes) == 0 && i < 2; i++ {
		w.Nodes[fmt.Sprintf("invented%d", i)] = invent()
	}
	w.NodeLabels = map[string]map[string]string{}
	for _, n := range s.Nodes {
		w.NodeLabels[n.Name] = n.Labels.Set()
	}
}

// addPods makes the pods that one pod of the snapshot stands for.
func (w *concrete) addPods(r *random, g *Ground, m Member, words map[string][]string, invent func(kind) []netip.Addr) {
	wl := &g.Snapshot.Workloads[m.Workload]
	p := &wl.Pods[m.Pod]
	copies := 1
	if p.Name == "" && wl.Many {
		copies = 2
	}
	o := p.Ordinals
	var numbers []int
	for i := range max(copies, o.Count) {
		numbers = append(numbers, o.First+i)
	}
	if o.Base != "" { // perhaps the set is scaled up, or starts lower
		ruled := ordinals(o.Base, g.said.ruled)
		for n := range 4 {
			if !o.Has(n) && (ruled[n] || g.said.others) && r.more.IntN(3) == 0 {
				numbers = append(numbers, n)
			}
		}
	}
	host, networks := p.HostNetwork, p.Networks
	if p.MayBeHost && r.more.IntN(2) == 0 {
		host, networks = true, nil
	}
	for i, ordinal := range numbers {
		pod := slow.Pod{Namespace: wl.Namespace, Name: fmt.Sprintf("%s~%d.%d", wl.Name, m.Pod, i), Addrs: p.Addrs, Node: p.Node, HostNetwork: host, Networks: networks}
		pod.Labels = r.labels(p.Labels, words)
		if o.Base != "" {
			pod.Labels[model.SetPodName] = fmt.Sprintf("%s-%d", o.Base, ordinal)
			pod.Labels[model.SetPodIndex] = strconv.Itoa(ordinal)
		}
		if pod.Node == "" {
			pod.Node = pick(r, slices.Sorted(maps.Keys(w.Nodes))...)
		}
		if pod.Addrs == nil && pod.HostNetwork {
			pod.Addrs = w.Nodes[pod.Node]
		} else if pod.Addrs == nil {
			pod.Addrs = invent(ofPods)
		}
		for _, n := range r.Perm(len(p.Ports)) { // which of equal names counts is open
			c := p.Ports[n]
			if c.HostPort != 0 {
				pod.HostPorts = append(pod.HostPorts, slow.HostPort{Protocol: c.Protocol.String(), Host: int(c.HostPort), Port: int(c.Port)})
			}
			if !c.Sidecar || r.one(2) {
				pod.Ports = append(pod.Ports, slow.NamedPort{Name: c.Name, Protocol: c.Protocol.String(), Number: int(c.Port), Init: c.Sidecar})
			}
		}
		c := classFor(g, m, host, ordinal)
		w.of[c] = append(w.of[c], len(w.Pods))
		w.member = append(w.member, m)
		pod.Mesh = g.holders[c].mesh.String()
		nodes := g.holders[c].nodes
		w.kinds = append(w.kinds, nodes.must|nodes.may&traitSet(r.more.IntN(1<<traits)))
		w.Pods = append(w.Pods, pod)
	}
}

// classFor finds the class that stands for a pod; ordinal counts only where a template stands for
// numbered pods.
func classFor(g *Ground, m Member, host bool, ordinal int) int {
	rest := -1
	for _, c := range g.ClassesOf(m.Workload) {
		h := g.Class(c)
		if !slices.Contains(h.Members, m) || h.host != host {
			continue
		}
		o := g.Snapshot.Workloads[m.Workload].Pods[m.Pod].Ordinals
		if o.Base == "" {
			return c
		}
		index, _ := h.labels.Value(model.SetPodIndex)
		if index == strconv.Itoa(ordinal) {
			return c
		}
		if n, _ := strconv.Atoi(index); !ordinals(o.Base, g.said.values)[n] || g.Scaled(c) != "" && rest < 0 && !ordinals(o.Base, g.said.ruled)[n] {
			rest = c
		}
	}
	if rest < 0 {
		panic("a pod of no class")
	}
	return rest
}

// addServices resolves Services, and gives addresses to what is no pod.
func (w *concrete) addServices(r *random, g *Ground, s *model.Snapshot, invent func(kind) []netip.Addr) {
	w.addrs, w.fronts = make([][]netip.Addr, len(g.holders)), map[int]bool{}
	for _, n := range slices.Concat(g.frontends...) {
		w.fronts[n] = true
	}
	nodes := slices.Sorted(maps.Keys(w.Nodes))
	for n := g.Classes(); n < len(g.holders); n++ {
		switch h := g.Class(n); {
		case h.Kind == VIP && knownAddrs(h) != nil && g.frontends[h.Service][0] != n:
			w.addrs[n] = knownAddrs(h) // an external IP
		case h.Kind == VIP && s.Services[h.Service].ClusterIPs != nil:
			w.addrs[n] = s.Services[h.Service].ClusterIPs
		case h.Kind == Node && h.Node >= 0:
			if w.addrs[n] = knownAddrs(h); w.addrs[n] == nil {
				w.addrs[n] = w.Nodes[s.Nodes[h.Node].Name]
			}
		case h.Kind == Node:
			w.addrs[n] = w.Nodes[pick(r, nodes...)]
		case h.Kind == KubeAPI && knownAddrs(h) != nil:
			w.addrs[n] = knownAddrs(h)
		default:
			w.addrs[n] = invent(h.kind())
		}
		if h := g.Class(n); h.Kind == KubeAPI && h.Service < 0 {
			w.APIServers = append(w.APIServers, w.addrs[n]...)
			if (s.Nodes == nil || knownAddrs(h) == nil) && r.one(2) { // it is a node, without pods
				w.Nodes[fmt.Sprintf("control%d", n)] = w.addrs[n]
			}
		}
	}
	first := []int{31000, 31000, 31000, 79}[r.more.IntN(4)] // where node ports are given out from
	for i, svc := range s.Services {
		out := slow.Service{Namespace: svc.Namespace, Name: svc.Name, Labels: svc.Labels}
		if svc.Selector != nil {
			out.Selector, _ = svc.Selector.Example()
		}
		for _, e := range svc.Endpoints {
			out.Endpoints = append(out.Endpoints, e.Addr)
		}
		if svc.Balancer {
			at := netip.MustParseAddr([]string{"198.51.100.200", "93.184.216.99", "2606:4700::99"}[r.more.IntN(3)])
			out.External = append(out.External, slow.External{Addr: at, Outside: true, Comes: netip.MustParseAddr("198.51.100.77")})
		}
		given := map[int]int{} // node ports
		for j, p := range svc.Ports {
			switch at := NodePorts(&svc, p); {
			case p.NodePort != 0:
				given[int(p.Port)] = int(p.NodePort)
			case !at.IsEmpty():
				given[int(p.Port)] = first + 100*i + j
			}
			out.Ports = append(out.Ports, slow.ServicePort{Protocol: p.Protocol.String(), Number: int(p.Port), Target: int(p.Target), TargetName: p.TargetName})
		}
		if n, ok := g.VIP(i); ok {
			out.Addrs = w.addrs[n]
		}
		out.Local = svc.Local
		for _, ip := range svc.ExternalIPs {
			outside := ip.Mode == model.Proxy || ip.Mode == model.VIPOrProxy && r.more.IntN(2) == 0
			out.External = append(out.External, slow.External{Addr: ip.Addr, Outside: outside, Comes: netip.MustParseAddr("198.51.100.77")})
		}
		for n, pod := range w.Pods {
			m := w.member[n]
			for _, back := range backends(svc, pod, n, s.Workloads[m.Workload].Pods[m.Pod].Ports, r.more.IntN(2) == 0) {
				back.Node = given[back.Port]
				out.Backends = append(out.Backends, back)
			}
		}
		w.Services = append(w.Services, out)
	}
}

// knownAddrs returns the addresses that a holder is known to have; nil if there are none.
func knownAddrs(h *Holder) []netip.Addr {
	var out []netip.Addr
	for _, a := range h.Addrs {
		if a.State == KnownAddr {
			out = append(out, a.Addr)
		}
	}
	return out
}

// backends are what a pod is behind a Service. Of equal names the first container's counts, and a
// sidecar's only if sidecars do, and no container gives it.
func backends(svc model.Service, pod slow.Pod, n int, declared []model.ContainerPort, sidecars bool) (out []slow.Backend) {
	if svc.Selector == nil {
		for _, e := range svc.Endpoints {
			for _, p := range svc.Ports {
				for _, t := range e.Ports {
					if slices.Contains(pod.Addrs, e.Addr) && (t.Name == p.Name || len(svc.Ports) == 1) && t.Protocol == p.Protocol {
						out = append(out, slow.Backend{Pod: n, Protocol: p.Protocol.String(), Port: int(p.Port), Target: int(t.Port)})
					}
				}
			}
		}
		return out
	}
	if must, _ := svc.Selector.Match(label.Known(pod.Labels)); !must || pod.Namespace != svc.Namespace {
		return nil
	}
	for _, p := range svc.Ports {
		target := int(p.Target)
		for _, sidecar := range []bool{false, true} {
			for _, q := range declared {
				if target == 0 && q.Name == p.TargetName && q.Protocol == p.Protocol && q.Sidecar == sidecar && (sidecars || !sidecar) {
					target = int(q.Port)
				}
			}
		}
		if target != 0 {
			out = append(out, slow.Backend{Pod: n, Protocol: p.Protocol.String(), Port: int(p.Port), Target: target})
		}
	}
	return out
}

// edgesOf returns the addresses just inside and outside of every block of the policies, and one far
// from all of them.
func edgesOf(s *model.Snapshot) []netip.Addr {
	out := []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("2606:4700::1111")}
	add := func(p netip.Prefix) {
		for r := range netset.Prefixes(p).Runs() {
			for _, a := range []netip.Addr{r.Lo.Prev(), r.Lo, r.Hi, r.Hi.Next()} {
				if a.IsValid() {
					out = append(out, a)
				}
			}
		}
	}
	for _, p := range s.Policies {
		for _, rule := range p.Rules {
			for _, x := range rule.Peers {
				if x.Block != nil {
					add(x.Block.CIDR)
					for _, e := range x.Block.Except {
						add(e)
					}
				}
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}
