package oracle

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var (
	flagStates = flag.Int("states", 300, "how many random clusters to compare")
	flagSeed   = flag.Uint64("seed", 1, "seed of the random clusters")
)

// random makes clusters whose selectors, blocks and ports often meet what is there, and often just
// miss it.
type random struct {
	*rand.Rand
	v4, v6 bool
	full   bool         // everything carries every key, with a value: what Cyclonus can be asked about
	pods   []netip.Addr // addresses of pods
	edges  []netip.Addr // addresses at and beside the ends of blocks
	ports  []int        // at and beside the ends of ranges
}

func (r *random) chance(percent int) bool { return r.IntN(100) < percent }

func pick[T any](r *random, list []T) T { return list[r.IntN(len(list))] }

var (
	podKeys, nsKeys = []string{"app", "role", "env"}, []string{"team", "tier", metadataName}
	labelValues     = []string{"", "a", "b", "c"}
	nsNames         = []string{"alpha", "beta", "gamma"}
	portNumbers     = []int{53, 80, 81, 443, 8080, 9000, 65535}
	portNames       = []string{"web", "dns", "admin", "m-1"}
)

func (r *random) labels(keys []string) map[string]string {
	out := map[string]string{}
	for _, k := range keys {
		if k != metadataName && (r.full || r.chance(60)) {
			out[k] = r.value()
		}
	}
	return out
}

func (r *random) value() string {
	if r.full {
		return pick(r, labelValues[1:])
	}
	return pick(r, labelValues)
}

func (r *random) state(n int) *state {
	r.full = n%2 == 0
	s := &state{title: fmt.Sprintf("random cluster %d of seed %d", n, *flagSeed), namespaces: map[string]map[string]string{}}
	switch r.IntN(4) {
	case 0:
		r.v6 = true
	case 1:
		r.v4, r.v6 = true, true
	default:
		r.v4 = true
	}
	for _, ns := range nsNames {
		s.namespaces[ns] = r.labels(nsKeys)
		labels, ports := r.labels(podKeys), r.containerPorts()
		for i := range 2 + r.IntN(3) {
			if r.chance(60) { // else it is a replica of the one before: only its address may tell them apart
				labels, ports = r.labels(podKeys), r.containerPorts()
			}
			p := newPod(ns, fmt.Sprintf("p%d", i), labels, slices.Clone(ports), r.podAddrs()...)
			if r.chance(30) { // its ports are spread over two containers
				c := &p.Spec.Containers[0]
				second := corev1.Container{Name: "second", Image: "registry.example/second", Ports: c.Ports[len(c.Ports)/2:]}
				c.Ports = c.Ports[:len(c.Ports)/2]
				p.Spec.Containers = append(p.Spec.Containers, second)
			}
			s.pods = append(s.pods, p)
		}
	}
	for i := range 1 + r.IntN(6) {
		s.policies = append(s.policies, r.policy(pick(r, nsNames), fmt.Sprintf("policy-%d", i)))
	}
	return s
}

// containerPorts gives a pod some names, none of them twice for one protocol: which port such a
// name means is nowhere defined.
func (r *random) containerPorts() []corev1.ContainerPort {
	var out []corev1.ContainerPort
	for _, name := range append([]string{""}, portNames...) {
		if r.chance(60) {
			out = append(out, corev1.ContainerPort{Name: name, Protocol: pick(r, protocols), ContainerPort: int32(pick(r, portNumbers))})
		}
	}
	return out
}

func (r *random) podAddrs() []netip.Addr {
	var out []netip.Addr
	add := func(make func() netip.Addr) {
		a := make()
		for slices.Contains(r.pods, a) {
			a = make()
		}
		r.pods, out = append(r.pods, a), append(out, a)
	}
	if r.v4 {
		add(func() netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(r.IntN(4)), byte(r.IntN(16) * 16)}) })
	}
	if r.v6 {
		add(func() netip.Addr {
			return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0, 7: byte(r.IntN(3)), 15: byte(r.IntN(8) * 32)})
		})
	}
	return out
}

func (r *random) policy(namespace, name string) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if r.chance(60) {
		p.Spec.PodSelector = *r.selector(podKeys)
	}
	switch r.IntN(5) {
	case 0, 1:
		p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	case 2:
		p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	case 3:
		p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	}
	rules := func() int { return [...]int{0, 1, 1, 2, 3}[r.IntN(5)] }
	for range rules() {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: r.peers(), Ports: r.policyPorts()})
	}
	for range rules() {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: r.peers(), Ports: r.policyPorts()})
	}
	return p
}

func (r *random) selector(keys []string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	value := func(key string) string {
		if key == metadataName {
			return pick(r, append(nsNames, "absent"))
		}
		return r.value()
	}
	for range [...]int{0, 1, 1, 1, 2}[r.IntN(5)] {
		key := pick(r, keys)
		if r.chance(40) {
			if s.MatchLabels == nil {
				s.MatchLabels = map[string]string{}
			}
			s.MatchLabels[key] = value(key)
			continue
		}
		e := metav1.LabelSelectorRequirement{Key: key, Operator: pick(r, []metav1.LabelSelectorOperator{
			metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist})}
		if e.Operator == metav1.LabelSelectorOpIn || e.Operator == metav1.LabelSelectorOpNotIn {
			for range 1 + r.IntN(3) {
				e.Values = append(e.Values, value(key))
			}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

func (r *random) peers() []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for range [...]int{0, 1, 1, 2, 3}[r.IntN(5)] {
		switch r.IntN(5) {
		case 0:
			out = append(out, networkingv1.NetworkPolicyPeer{PodSelector: r.selector(podKeys)})
		case 1:
			out = append(out, networkingv1.NetworkPolicyPeer{NamespaceSelector: r.selector(nsKeys)})
		case 2:
			out = append(out, networkingv1.NetworkPolicyPeer{PodSelector: r.selector(podKeys), NamespaceSelector: r.selector(nsKeys)})
		default:
			out = append(out, networkingv1.NetworkPolicyPeer{IPBlock: r.block()})
		}
	}
	return out
}

// block returns a block around a pod's address or one outside, with exceptions strictly inside.
func (r *random) block() *networkingv1.IPBlock {
	cidr := r.prefix(r.anchor(), 0)
	b := &networkingv1.IPBlock{CIDR: cidr.String()}
	for range [...]int{0, 0, 1, 2, 3}[r.IntN(5)] {
		if cidr.Bits() == cidr.Addr().BitLen() {
			break
		}
		inside := r.anchor()
		for range 20 {
			if cidr.Contains(inside) {
				break
			}
			inside = r.anchor()
		}
		if !cidr.Contains(inside) {
			inside = cidr.Addr()
		}
		b.Except = append(b.Except, r.prefix(inside, cidr.Bits()+1).String())
	}
	return b
}

// anchor is an address for blocks to lie around.
func (r *random) anchor() netip.Addr {
	if r.chance(75) {
		return pick(r, r.pods)
	}
	return pick(r, []netip.Addr{
		netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("169.254.169.254"),
		netip.MustParseAddr("2001:db8::77"), netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("10.1.1.7"),
	})
}

// prefix returns a prefix around a, no shorter than least bits, and remembers the addresses at its
// edges.
func (r *random) prefix(a netip.Addr, least int) netip.Prefix {
	bits := least + r.IntN(a.BitLen()-least+1)
	if narrow := a.BitLen() - 8; r.chance(60) && narrow > least {
		bits = narrow + r.IntN(9)
	} else if r.chance(15) {
		bits = least
	}
	p := netip.PrefixFrom(a, bits).Masked()
	first, last := p.Addr(), lastOf(p)
	for _, e := range []netip.Addr{first, last, first.Prev(), last.Next()} {
		if e.IsValid() {
			r.edges = append(r.edges, e)
		}
	}
	return p
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (r *random) policyPorts() []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for range [...]int{0, 0, 1, 2, 3}[r.IntN(5)] {
		var p networkingv1.NetworkPolicyPort
		if r.chance(70) {
			proto := pick(r, protocols)
			p.Protocol = &proto
		}
		switch r.IntN(5) {
		case 0: // the whole protocol
		case 1:
			name := intstr.FromString(pick(r, append(portNames, "nobody")))
			p.Port = &name
		case 2, 3:
			lo := pick(r, portNumbers)
			hi := int32(lo + r.IntN(65536-lo)/(1+r.IntN(64)))
			number := intstr.FromInt32(int32(lo))
			p.Port, p.EndPort = &number, &hi
			r.ports = append(r.ports, lo-1, lo, int(hi), int(hi)+1)
		case 4:
			number := intstr.FromInt32(int32(pick(r, portNumbers)))
			p.Port = &number
			r.ports = append(r.ports, int(number.IntVal)-1, int(number.IntVal)+1)
		}
		out = append(out, p)
	}
	return out
}

// probes returns the ports and the addresses outside to ask for: the edges of what the policies
// say, as many as are given.
func (r *random) probes(ports, addrs int) ([]int, []netip.Addr) {
	var p []int
	for _, port := range append(slices.Clone(portNumbers), r.ports...) {
		if port >= 1 && port <= 65535 {
			p = append(p, port)
		}
	}
	r.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
	a := []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9")}
	for _, addr := range r.edges {
		if !slices.Contains(r.pods, addr) && (addr.Is4() && r.v4 || addr.Is6() && r.v6) {
			a = append(a, addr)
		}
	}
	slices.Sort(p)
	p = slices.Compact(p)
	r.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
	slices.SortFunc(a, netip.Addr.Compare)
	a = slices.Compact(a)
	r.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
	return p[:min(ports, len(p))], a[:min(addrs, len(a))]
}

// TestRandomPolicies compares the engines on random clusters, in IPv4, IPv6 and both, at the edges
// of ranges and blocks.
func TestRandomPolicies(t *testing.T) {
	var n tally
	for i := range *flagStates {
		r := &random{Rand: rand.New(rand.NewPCG(*flagSeed, uint64(i)))}
		s := r.state(i)
		for _, p := range s.policies {
			if _, err := admit(t, manifest(t, p), strict); err != nil {
				t.Fatalf("the API server refuses a generated policy: %v\n%s", err, manifest(t, p))
			}
		}
		k, err := newKindnet(s)
		if err != nil {
			t.Fatal(err)
		}
		engines := []engine{k, newToolmoat(t, s)}
		if cyclonusReadsSelectors(s) {
			engines = append(engines, newCyclonus(s))
		} else {
			n.skipped++
		}
		ports, outside := r.probes(6, 8)
		n.compare(t, s, s.questions(outside, ports), engines...)
	}
	if n.skipped*10 > n.states*6 {
		t.Errorf("Cyclonus can be asked about too few states: %d of %d are without it", n.skipped, n.states)
	}
	if n.unsure["toolmoat"] > 0 || n.unsure["kube-network-policies"] > 0 {
		t.Errorf("an engine does not commit itself though everything is known: %v", n.unsure)
	}
	if least := n.verdicts / 10; n.allowed < least || n.denied < least {
		t.Errorf("the generator is unbalanced: %d allowed and %d denied of %d", n.allowed, n.denied, n.verdicts)
	}
	summary(t, "%v", &n)
}
