package reach

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/test/slow"
)

// scene is a snapshot for the engine, with its policies in the API's own shape for the twin.
type scene struct {
	snap     *model.Snapshot
	policies []slow.Policy                                              // in the order of snap.Policies, before the unjudged
	unjudged []slow.Override                                            // the subjects of the unjudged; what they do is open
	own      func(groups map[string][]netip.Prefix) []slow.CiliumPolicy // Cilium's own; nil for none
	missing  []string                                                   // groups of blocks that own asks for and the input does not have
	asked    []netip.Addr                                               // addresses that questions are about
	names    []string                                                   // host names that pods have looked up
}

// cilium returns the policies of Cilium's own kinds, if the groups that the input does not have
// hold what groups says.
func (s scene) cilium(groups map[string][]netip.Prefix) []slow.CiliumPolicy {
	if s.own == nil {
		return nil
	}
	return s.own(groups)
}

// mix says what a random scene may hold.
type mix struct {
	unknown  bool // anything that a file may leave open
	hosts    bool
	services bool
	nodes    bool
	v4       bool // no IPv6 anywhere
	cilium   bool // policies of Cilium's own kinds
	numbered bool // no port has a name
}

// random makes scenes. Its pools are small, so that things meet.
type random struct {
	*rand.Rand
	mix
	taken map[netip.Addr]bool
	more  *rand.Rand // for what came later, so that old seeds make the scenes they made
}

func newRandom(seed uint64, m mix) *random {
	return &random{rand.New(rand.NewPCG(seed, 1)), m, map[netip.Addr]bool{}, rand.New(rand.NewPCG(seed, 2))}
}

func (r *random) one(in int) bool { return r.IntN(in) == 0 }

// perhaps is one, in scenes where anything may be unknown.
func (r *random) perhaps(in int) bool { return r.unknown && r.one(in) }

func pick[T any](r *random, from ...T) T { return from[r.IntN(len(from))] }

var (
	labelValues = []string{"a", "b", "c"}
	teamValues  = []string{"x", "y"}
	nsNames     = []string{"n0", "n1", "n2"}
	protocols   = []string{"TCP", "UDP", "SCTP"}
	portNumbers = []int{1, 80, 81, 443, 8080, 65535}
	portTitles  = []string{"http", "dns"}
	podSubnets  = []string{"10.0.0.0", "10.0.0.0", "10.127.255.0", "10.128.0.0", "172.16.0.0", "192.168.1.0", "203.0.113.0"}
	podSubnets6 = []string{"fd00::", "fd80::", "fd00:1::", "2001:db8::"}
	blocks      = []string{"0.0.0.0/0", "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "0.0.0.0/1", "128.0.0.0/1", "172.16.0.0/12",
		"203.0.113.0/24", "198.51.100.0/25", "10.0.0.0/30", "192.168.0.0/16", "::/0", "fd00::/8", "fd80::/9", "fc00::/7", "2001:db8::/32", "fd00::/127"}
	excepts = map[string][]string{
		"0.0.0.0/0":       {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32", "10.0.0.0/9", "203.0.113.0/25", "100.64.0.0/10", "34.118.224.0/20", "240.0.0.0/4"},
		"10.0.0.0/8":      {"10.128.0.0/9", "10.0.0.0/29", "10.0.0.1/32"},
		"10.0.0.0/9":      {"10.0.0.2/31"},
		"203.0.113.0/24":  {"203.0.113.128/25"},
		"198.51.100.0/25": {"198.51.100.0/26", "198.51.100.127/32"},
		"::/0":            {"fc00::/7", "2001:db8::/32", "fd00::/9"},
		"fd00::/8":        {"fd00::/9", "fd00::2/127"},
	}
)

// selector draws a label selector on one or two keys.
func (r *random) selector(keys, values []string) slow.Selector {
	var s slow.Selector
	for range 1 + r.IntN(4)/3 {
		key := pick(r, keys...)
		switch r.IntN(8) {
		case 0:
			s = append(s, slow.Requirement{Key: key, Operator: "Exists"})
		case 1:
			s = append(s, slow.Requirement{Key: key, Operator: "DoesNotExist"})
		case 2:
			s = append(s, slow.Requirement{Key: key, Operator: "NotIn", Values: []string{pick(r, values...), pick(r, values...)}})
		default:
			vs := []string{pick(r, values...)}
			if r.one(3) {
				vs = append(vs, pick(r, values...))
			}
			s = append(s, slow.Requirement{Key: key, Operator: "In", Values: vs})
		}
	}
	return s
}

func (r *random) podSelector() slow.Selector {
	switch {
	case r.one(5):
		return nil
	case r.one(12):
		return slow.Selector{{Key: model.SetPodName, Operator: pick(r, "In", "NotIn"), Values: []string{pick(r, "w0-0", "w1-0", "w1-1")}}}
	case r.one(12):
		return slow.Selector{{Key: model.SetPodIndex, Operator: pick(r, "In", "NotIn"), Values: []string{pick(r, "0", "1", "02")}}}
	}
	return r.selector([]string{"app", "app", "app", "tier", "hash"}, labelValues)
}

func (r *random) namespaceSelector() slow.Selector {
	switch r.IntN(5) {
	case 0:
		return nil
	case 1, 2:
		return slow.Selector{{Key: label.MetadataName, Operator: pick(r, "In", "In", "NotIn"), Values: []string{pick(r, nsNames...)}}}
	}
	return r.selector([]string{"team", "zone"}, teamValues)
}

func (r *random) peer() slow.Peer {
	if r.one(2) {
		cidr := pick(r, blocks...)
		for r.v4 && strings.Contains(cidr, ":") {
			cidr = pick(r, blocks...)
		}
		b := &slow.IPBlock{CIDR: netip.MustParsePrefix(cidr)}
		for _, e := range excepts[cidr] {
			if r.one(3) {
				b.Except = append(b.Except, netip.MustParsePrefix(e))
			}
		}
		return slow.Peer{IPBlock: b}
	}
	var p slow.Peer
	if !r.one(4) {
		s := r.podSelector()
		p.PodSelector = &s
	}
	if p.PodSelector == nil || r.one(3) {
		s := r.namespaceSelector()
		p.NamespaceSelector = &s
	}
	return p
}

func (r *random) port() slow.Port {
	p := slow.Port{Protocol: pick(r, append(protocols, "", "TCP")...)}
	switch r.IntN(8) {
	case 0:
	case 1, 2:
		if p.Name = pick(r, portTitles...); r.numbered {
			p.Name, p.Number = "", pick(r, portNumbers...)
		}
	case 3:
		p.Number = pick(r, portNumbers...)
		p.EndPort = min(p.Number+r.IntN(500), 65535)
	default:
		p.Number = pick(r, portNumbers...)
	}
	return p
}

func (r *random) rules() []slow.Rule {
	var out []slow.Rule
	for range r.IntN(4) {
		var rule slow.Rule
		for range r.IntN(10) % 4 {
			rule.Peers = append(rule.Peers, r.peer())
		}
		for range r.IntN(10) % 4 {
			rule.Ports = append(rule.Ports, r.port())
		}
		out = append(out, rule)
	}
	return out
}

func (r *random) policy() slow.Policy {
	p := slow.Policy{Namespace: pick(r, nsNames...), PodSelector: r.subject(), Ingress: r.rules(), Egress: r.rules()}
	switch r.IntN(5) {
	case 0:
	case 1:
		if p.PolicyTypes = []string{"Ingress"}; !r.one(4) {
			p.Egress = nil
		}
	case 2:
		if p.PolicyTypes = []string{"Egress"}; !r.one(4) {
			p.Ingress = nil
		}
	default:
		p.PolicyTypes = []string{"Ingress", "Egress"}
	}
	return p
}

func (r *random) subject() slow.Selector {
	if r.one(2) {
		return nil
	}
	return r.podSelector()
}

// newNamespaces returns an address of a subnet that nothing has yet.
func (r *random) unused(subnets []string) netip.Addr {
	for {
		a := netip.MustParseAddr(pick(r, subnets...))
		for range r.IntN(6) {
			a = a.Next()
		}
		if r.IntN(2) == 0 {
			for range 250 {
				a = a.Next()
			}
		}
		if !r.taken[a] {
			r.taken[a] = true
			return a
		}
	}
}

func (r *random) addrs() []netip.Addr {
	n := r.IntN(6)
	if r.v4 {
		n = 5
	}
	switch n {
	case 0:
		return []netip.Addr{r.unused(podSubnets6)}
	case 1, 2:
		return []netip.Addr{r.unused(podSubnets), r.unused(podSubnets6)}
	}
	return []netip.Addr{r.unused(podSubnets)}
}

// scene draws a small cluster.
func (r *random) scene() scene {
	s := scene{snap: &model.Snapshot{}}
	for _, n := range nsNames {
		ns := model.Namespace{Name: n, Labels: label.Known(label.Set{label.MetadataName: n})}
		if r.unknown && !r.one(3) {
			ns.Labels = ns.Labels.Open()
		} else if r.one(2) {
			ns.Labels = ns.Labels.With("team", pick(r, teamValues...))
		}
		s.snap.Namespaces = append(s.snap.Namespaces, ns)
	}
	if r.nodes {
		for i := range 1 + r.IntN(2) {
			n := model.Node{Name: fmt.Sprintf("node%d", i), Addrs: []netip.Addr{r.unused([]string{"10.0.0.1", "10.128.0.1", "172.16.0.1"})}}
			if !r.v4 && r.one(3) {
				n.Addrs = append(n.Addrs, r.unused(podSubnets6[:2]))
			}
			n.Labels = label.Known(label.Set{"role": pick(r, labelValues...)})
			s.snap.Nodes = append(s.snap.Nodes, n)
		}
	}
	if r.unknown && r.one(2) {
		s.snap.Facts = r.facts()
	}
	for i := range 3 + r.IntN(3) {
		s.snap.Workloads = append(s.snap.Workloads, r.workload(s.snap, i))
	}
	slices.SortFunc(s.snap.Workloads, func(a, b model.Workload) int { return strings.Compare(a.ID(), b.ID()) })
	if r.services {
		for i := range 1 + r.IntN(2) {
			s.snap.Services = append(s.snap.Services, r.service(s.snap, i))
		}
	}
	for range 3 + r.IntN(5) {
		s.policies = append(s.policies, r.policy())
	}
	for i, p := range s.policies {
		s.snap.Policies = append(s.snap.Policies, decoded(p, i))
	}
	if r.cilium {
		r.addCilium(&s)
	}
	if r.perhaps(7) {
		u := slow.Override{Namespaces: r.namespaceSelector(), Pods: r.podSelector()}
		s.unjudged = append(s.unjudged, u)
		at := origin.Origin{File: "unjudged.yaml", Line: 1, Object: "OtherPolicy x"}
		s.snap.Policies = append(s.snap.Policies, policy.Policy{Origin: at, Dialect: "other", Name: "x",
			Rules: policy.NotJudged(policy.TierUnjudged, 0, policy.Subject{NS: selects(u.Namespaces), Pod: selects(u.Pods)}, at)})
	}
	r.placeAll(s.snap)
	r.addDoors(s.snap)
	r.shareAddrs(s.snap)
	return s
}

// shareAddrs gives some pods the address of another.
func (r *random) shareAddrs(s *model.Snapshot) {
	var shown []*model.Pod
	for i := range s.Workloads {
		for j := range s.Workloads[i].Pods {
			if p := &s.Workloads[i].Pods[j]; p.Addrs != nil && !p.HostNetwork {
				shown = append(shown, p)
			}
		}
	}
	if r.unknown && len(shown) > 1 && r.more.IntN(3) == 0 {
		at := r.more.IntN(len(shown))
		for i := range 1 + r.more.IntN(2) {
			shown[(at+i+1)%len(shown)].Addrs = shown[at].Addrs
		}
	}
}

// addDoors opens ports of nodes, and external IPs.
func (r *random) addDoors(s *model.Snapshot) {
	for i := range s.Services {
		svc := &s.Services[i]
		if svc.Headless {
			continue
		}
		switch r.more.IntN(4) {
		case 0:
			svc.Type = []string{"NodePort", "LoadBalancer"}[r.more.IntN(2)]
			svc.Balancer = svc.Type == "LoadBalancer"
			for j := range svc.Ports {
				if r.more.IntN(2) == 0 {
					svc.Ports[j].NodePort = netset.Port(30080 + 10*i + j)
				}
			}
		case 1:
			svc.ExternalIPs = []model.ExternalIP{{Addr: netip.MustParseAddr([]string{"10.128.0.200", "203.0.113.210"}[i%2]), Mode: model.IPMode(r.more.IntN(3))}}
		}
		svc.Local = r.more.IntN(3) == 0
	}
	for i := range s.Workloads {
		for j := range s.Workloads[i].Pods {
			if pod := &s.Workloads[i].Pods[j]; r.more.IntN(6) == 0 && len(pod.Ports) > 0 {
				pod.Ports[0].HostPort = 18080
			}
		}
	}
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Addrs != nil && r.more.IntN(2) == 0 {
			n.External = []netip.Addr{netip.MustParseAddr([]string{"10.128.0.220", "203.0.113.220"}[r.more.IntN(2)])}
			for range i {
				n.External[0] = n.External[0].Next()
			}
			n.Addrs = slices.Concat(n.Addrs, n.External)
		}
	}
	for i := range s.Services { // some lead to what is on the host network
		for _, w := range s.Workloads {
			for _, pod := range w.Pods {
				if svc := &s.Services[i]; svc.Selector == nil && pod.HostNetwork && pod.Addrs != nil && r.more.IntN(2) == 0 {
					ports := []model.ServicePort{{Name: svc.Ports[0].Name, Protocol: svc.Ports[0].Protocol, Port: 80}}
					svc.Endpoints = append(svc.Endpoints, model.Endpoint{Addr: pod.Addrs[0], Ports: ports})
				}
			}
		}
	}
}

// placeAll puts some nodes and pods where not every CNI enforces policies.
func (r *random) placeAll(s *model.Snapshot) {
	if !r.unknown || r.more.IntN(3) > 0 {
		return
	}
	for i := range s.Nodes {
		if t := trait(r.more.IntN(2 * int(byLabel))); t < byLabel {
			l := nodeTraits[t].labels[0]
			s.Nodes[i].Labels = s.Nodes[i].Labels.With(l[0], l[1])
		}
	}
	r.addAgents(s)
	cidr := netip.MustParsePrefix(factRanges[r.more.IntN(len(factRanges))])
	s.Networks = []model.Network{{Name: "n0/bounded", Ranges: []netip.Prefix{cidr}, Bounded: true}}
	at := func(values ...string) label.Selector {
		return label.Selector{}.Require(computeType, label.In(values...))
	}
	for i := range s.Workloads {
		for j := range s.Workloads[i].Pods {
			pod := &s.Workloads[i].Pods[j]
			for _, name := range []string{"n0/bounded", "n0/open"} {
				if r.more.IntN(5) == 0 && !pod.HostNetwork {
					pod.Networks = append(pod.Networks, name)
				}
			}
			switch r.more.IntN(8) {
			case 0:
				pod.Labels = pod.Labels.With(ambientMode, "ambient")
			case 1:
				s.Workloads[i].Containers = []model.Container{{Name: "linkerd-proxy"}}
			}
			if pod.Addrs == nil && !pod.HostNetwork && r.more.IntN(8) == 0 {
				pod.MayBeHost = true
			}
			p := &pod.Placement
			switch r.more.IntN(12) {
			case 0:
				p.OS = "windows"
			case 1:
				p.Scheduler = "fargate-scheduler"
			case 2:
				p.Nodes = []label.Selector{at("hybrid")}
			case 3:
				p.Nodes = []label.Selector{at("hybrid", "fargate"), at("auto")}
			case 5:
				p.Nodes = []label.Selector{label.Equals(label.Set{"agent": "no"})}
			case 6:
				p.Tolerations = []model.Toleration{{Key: "own", Exists: true}}
			case 4:
				p.Tolerations = []model.Toleration{{Key: "virtual-kubelet.io/provider", Exists: true}}
			}
		}
	}
}

// addAgents makes a workload the DaemonSet of every agent, which some nodes keep off.
func (r *random) addAgents(s *model.Snapshot) {
	w := &s.Workloads[r.more.IntN(len(s.Workloads))]
	if w.Pods[0].Ordinals.Base != "" {
		return
	}
	w.Kind = "DaemonSet"
	for i := range cni.Agents {
		w.Containers = append(w.Containers, model.Container{Name: cni.Agents[i].Names[0]})
	}
	for i := range w.Pods {
		p := &w.Pods[i].Placement
		switch r.more.IntN(3) {
		case 0:
			p.Nodes = []label.Selector{label.Equals(label.Set{"agent": "yes"})}
		case 1:
			p.Tolerations = []model.Toleration{{Exists: true}}
		}
	}
	for i := range s.Nodes {
		n := &s.Nodes[i]
		switch r.more.IntN(4) {
		case 0:
			n.Labels = n.Labels.With("agent", "yes")
		case 1:
			n.Taints = []model.Taint{{Key: "own", Effect: "NoSchedule"}}
		case 2:
			n.Labels = n.Labels.WithUnknown("agent")
		}
	}
}

// facts places what the input does not show: ranges that blocks cut, hold or miss.
func (r *random) facts() model.Facts {
	var f model.Facts
	for i, ranges := range []*[]model.Range{&f.Ranges.Pods, &f.Ranges.Services, &f.Ranges.Nodes} {
		for range r.IntN(3) {
			*ranges = append(*ranges, model.Range{CIDR: netip.MustParsePrefix(pick(r, factRanges...))})
		}
		if r.one(4) {
			f.Unknown = append(f.Unknown, model.Unknown{What: []string{"ranges.pods", "ranges.services", "ranges.nodes"}[i]})
		}
	}
	for range r.IntN(3) {
		f.KubeAPI = append(f.KubeAPI, model.KubeEndpoint{Addr: netip.MustParseAddr(pick(r, "10.0.0.200", "203.0.113.200")), Port: pick[uint16](r, 443, 6443)})
	}
	if r.one(2) {
		f.Unknown = append(f.Unknown, model.Unknown{What: "kubeAPI"})
	}
	return f
}

var factRanges = []string{"10.0.0.0/9", "10.128.0.0/9", "10.0.0.0/8", "172.16.0.0/12", "192.168.1.0/24", "203.0.113.0/24", "fd00::/9", "2001:db8::/32"}

func (r *random) workload(s *model.Snapshot, i int) model.Workload {
	w := model.Workload{Namespace: pick(r, nsNames...), Kind: "Deployment", Name: fmt.Sprintf("w%d", i), Many: r.one(2)}
	set := label.Set{"app": pick(r, labelValues...)}
	if r.one(2) {
		set["tier"] = pick(r, labelValues...)
	}
	pod := model.Pod{Labels: label.Known(set), HostNetwork: r.hosts && r.one(4)}
	for range r.IntN(3) {
		pod.Ports = append(pod.Ports, model.ContainerPort{Name: pick(r, portTitles...), Protocol: pick(r, netset.TCP, netset.TCP, netset.UDP),
			Port: pick[netset.Port](r, 80, 81, 8080), Sidecar: r.perhaps(6)})
	}
	if !r.unknown { // a name given twice is resolved differently by implementations
		slices.SortFunc(pod.Ports, func(a, b model.ContainerPort) int { return strings.Compare(a.Name, b.Name) })
		pod.Ports = slices.CompactFunc(pod.Ports, func(a, b model.ContainerPort) bool { return a.Name == b.Name })
	}
	if r.unknown && !r.one(3) {
		pod.Labels = pod.Labels.WithUnknown("hash")
	}
	if r.perhaps(8) {
		pod.Labels = pod.Labels.Open()
	}
	switch {
	case r.perhaps(2): // a template
		if r.one(3) {
			w.Kind = "StatefulSet"
			pod.Ordinals = model.Ordinals{Base: w.Name, First: r.IntN(2), Count: 1 + r.IntN(3)}
			w.Many = pod.Ordinals.Count > 1
		}
		w.Pods = []model.Pod{pod}
	default:
		for n := range 1 + r.IntN(2) {
			p := pod
			p.Name = fmt.Sprintf("%s-%d", w.Name, n)
			if w.Kind == "Deployment" && r.one(4) { // replicas may differ
				p.Labels = p.Labels.With("tier", pick(r, labelValues...))
			}
			r.place(s, &p)
			w.Pods = append(w.Pods, p)
		}
	}
	return w
}

// place gives a running pod its node and addresses.
func (r *random) place(s *model.Snapshot, p *model.Pod) {
	if len(s.Nodes) > 0 && !r.perhaps(3) {
		n := pick(r, s.Nodes...)
		p.Node, p.NodeAddrs = n.Name, n.Addrs
	}
	switch {
	case p.HostNetwork:
		p.Addrs = p.NodeAddrs
	case !r.perhaps(2):
		p.Addrs = r.addrs()
	}
}

func (r *random) service(s *model.Snapshot, i int) model.Service {
	svc := model.Service{Namespace: pick(r, nsNames...), Name: fmt.Sprintf("s%d", i), Type: "ClusterIP", Headless: r.one(6)}
	svc.Labels = label.Set{"kind": pick(r, labelValues...)}
	for n := range 1 + r.IntN(2) {
		p := model.ServicePort{Name: fmt.Sprintf("p%d", n), Protocol: netset.TCP, Port: netset.Port(443 + n), Target: pick[netset.Port](r, 80, 81, 8080)}
		if r.one(3) {
			p.Target, p.TargetName = 0, pick(r, portTitles...)
		}
		svc.Ports = append(svc.Ports, p)
	}
	if !svc.Headless && !r.perhaps(3) {
		svc.ClusterIPs = []netip.Addr{r.unused([]string{"10.128.0.0", "172.16.0.0", "203.0.113.0"})}
	}
	if r.one(5) {
		for _, w := range s.Workloads {
			for _, p := range w.Pods {
				if p.Addrs != nil && !p.HostNetwork && r.one(2) {
					ports := slices.Clone(svc.Ports)
					for i := range ports {
						ports[i] = model.ServicePort{Name: ports[i].Name, Protocol: ports[i].Protocol, Port: pick[netset.Port](r, 80, 81)}
					}
					svc.Endpoints = append(svc.Endpoints, model.Endpoint{Addr: p.Addrs[0], Ports: ports})
				}
			}
		}
		return svc
	}
	sel := label.Equals(label.Set{"app": pick(r, labelValues...)})
	svc.Selector = &sel
	return svc
}

// selects is the engine's form of a selector.
func selects(s slow.Selector) label.Selector {
	var out label.Selector
	for _, q := range s {
		switch q.Operator {
		case "In":
			out = out.Require(q.Key, label.In(q.Values...))
		case "NotIn":
			out = out.Require(q.Key, label.NotIn(q.Values...))
		case "Exists":
			out = out.Require(q.Key, label.Exists())
		case "DoesNotExist":
			out = out.Require(q.Key, label.Absent())
		}
	}
	return out
}

// decoded is the engine's form of a policy. i numbers it.
func decoded(p slow.Policy, i int) policy.Policy {
	name := fmt.Sprintf("p%d", i)
	at := origin.Origin{File: "policies.yaml", Line: 100 * (i + 1), Object: "NetworkPolicy " + p.Namespace + "/" + name}
	out := policy.Policy{Origin: at, Dialect: policy.NetworkPolicy, Namespace: p.Namespace, Name: name}
	sub := policy.Subject{NS: label.Named(p.Namespace), Pod: selects(p.PodSelector)}
	for _, d := range policy.Directions {
		rules, title := p.Ingress, "Ingress"
		if d == policy.Egress {
			rules, title = p.Egress, "Egress"
		}
		listed := slices.Contains(p.PolicyTypes, title)
		if p.PolicyTypes == nil {
			listed = d == policy.Ingress || len(rules) > 0
		}
		if !listed && len(rules) == 0 {
			continue
		}
		out.Isolations = append(out.Isolations, policy.Isolation{Tier: policy.TierNetworkPolicy, Dir: d, Subject: sub, Else: policy.Deny, Untyped: !listed, Origin: at})
		for n, r := range rules {
			out.Rules = append(out.Rules, decodedRule(r, p.Namespace, policy.Rule{Tier: policy.TierNetworkPolicy, Order: policy.OrderAllow, Action: policy.Allow, Dir: d, Subject: sub, Untyped: !listed,
				AnyPeer: len(r.Peers) == 0, AnyPort: len(r.Ports) == 0, Path: fmt.Sprintf("%s[%d]", d, n), Origin: at.At(at.Line + 10*int(d) + n)}))
		}
	}
	return out
}

func decodedRule(r slow.Rule, namespace string, out policy.Rule) policy.Rule {
	for _, x := range r.Peers {
		if x.IPBlock != nil {
			out.Peers = append(out.Peers, policy.Peer{Block: &policy.Block{CIDR: x.IPBlock.CIDR, Except: x.IPBlock.Except}})
			continue
		}
		ns, pod := label.Named(namespace), label.Selector{}
		if x.NamespaceSelector != nil {
			ns = selects(*x.NamespaceSelector)
		}
		if x.PodSelector != nil {
			pod = selects(*x.PodSelector)
		}
		out.Peers = append(out.Peers, policy.Peer{NS: &ns, Pod: &pod})
	}
	for _, x := range r.Ports {
		p := policy.Port{Protocol: protocolOf(x.Protocol), Lo: netset.Port(x.Number), Hi: netset.Port(x.Number), Name: x.Name}
		switch {
		case x.Name == "" && x.Number == 0:
			p.Lo, p.Hi = 1, 65535
		case x.EndPort != 0:
			p.Hi = netset.Port(x.EndPort)
		}
		out.Ports = append(out.Ports, p)
	}
	return out
}

func protocolOf(text string) netset.Protocol {
	if text == "" {
		return netset.TCP
	}
	p, err := netset.ParseProtocol(text)
	if err != nil {
		panic(err)
	}
	return p
}
