package oracle

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// awsState is a cluster of one IP family with its nodes and Services.
type awsState struct {
	*state
	ipv6     bool
	nodes    []*corev1.Node
	services []*corev1.Service
}

func (s *awsState) everything() string {
	if s.ipv6 {
		return "::/0"
	}
	return "0.0.0.0/0"
}

func (s *awsState) nodeAddr(name string) netip.Addr {
	for _, n := range s.nodes {
		if n.Name == name {
			return netip.MustParseAddr(n.Status.Addresses[0].Address)
		}
	}
	panic("no node is called " + name)
}

func (s *awsState) isNode(a netip.Addr) bool {
	return slices.ContainsFunc(s.nodes, func(n *corev1.Node) bool { return n.Status.Addresses[0].Address == a.String() })
}

func (s *awsState) manifests(t testing.TB) []byte {
	t.Helper()
	b := bytes.NewBuffer(s.state.manifests(t))
	add := func(o any) {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	for _, n := range s.nodes {
		add(n)
	}
	for _, svc := range s.services {
		svc = svc.DeepCopy()
		for i, p := range svc.Spec.Ports { // a target that is the port itself need not be written
			if p.TargetPort == intstr.FromInt32(p.Port) && i == 0 {
				svc.Spec.Ports[i].TargetPort = intstr.IntOrString{}
			}
		}
		add(svc)
	}
	return b.Bytes()
}

// randomAWS makes clusters whose blocks nest and coincide, with each other, with pods, nodes and
// Services.
type randomAWS struct {
	*random
	blocks  []netip.Prefix // that stand somewhere already
	crowded bool           // rules have many ports
	aligned bool           // blocks may begin at the address of a node: see docs/oracle-aws.md
}

func newRandomAWS(n int) *randomAWS {
	r := &randomAWS{random: &random{Rand: rand.New(rand.NewPCG(*flagSeed, uint64(n)<<8|0xa5))}}
	if r.v6 = n%3 == 0; !r.v6 {
		r.v4 = true
	}
	r.crowded = n%5 == 4
	return r
}

func (r *randomAWS) cluster(n int) *awsState {
	s := &awsState{state: &state{title: fmt.Sprintf("random cluster %d of seed %d", n, *flagSeed), namespaces: map[string]map[string]string{}}, ipv6: r.v6}
	for i := range 3 {
		addr := r.podAddrs()[0]
		if !r.aligned {
			r.pods[len(r.pods)-1] = addr.Next()
		}
		s.nodes = append(s.nodes, newNode(fmt.Sprintf("node%d", i), r.pods[len(r.pods)-1]))
	}
	hosts := slices.Clone(r.pods)
	for _, ns := range nsNames {
		s.namespaces[ns] = r.labels(nsKeys)
		labels, ports := r.labels(podKeys), r.containerPorts()
		for i := range 2 + r.IntN(3) {
			if r.chance(60) {
				labels, ports = r.labels(podKeys), r.containerPorts()
			}
			node := r.IntN(len(s.nodes))
			host := r.chance(8)
			addr := hosts[node]
			if !host {
				addr = r.podAddrs()[0]
			}
			p := newPod(ns, fmt.Sprintf("p%d", i), labels, slices.Clone(ports), addr) // no dash: pods with names alike up to a dash share their maps
			p.Spec.NodeName, p.Spec.HostNetwork = s.nodes[node].Name, host
			p.Status.HostIP, p.Status.HostIPs = hosts[node].String(), []corev1.HostIP{{IP: hosts[node].String()}}
			s.pods = append(s.pods, p)
		}
		for i := range r.IntN(4) {
			s.services = append(s.services, r.service(s, ns, fmt.Sprintf("s%d", i)))
		}
	}
	for i := range 2 + r.IntN(6) {
		s.policies = append(s.policies, r.policy(pick(r.random, nsNames), fmt.Sprintf("policy%d", i)))
	}
	return s
}

func newNode(name string, addr netip.Addr) *corev1.Node {
	return &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: addr.String()}}},
	}
}

// service returns a Service for pods of ns, or for none, with ports that are mostly other ones than
// its targets.
func (r *randomAWS) service(s *awsState, ns, name string) *corev1.Service {
	svc := &corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP}}
	if r.chance(80) {
		var of []*corev1.Pod
		for _, p := range s.pods {
			if p.Namespace == ns {
				of = append(of, p)
			}
		}
		svc.Spec.Selector = map[string]string{}
		for k, v := range pick(r.random, of).Labels {
			if r.chance(70) {
				svc.Spec.Selector[k] = v
			}
		}
	}
	svc.Spec.ClusterIP = corev1.ClusterIPNone
	if r.chance(85) {
		addr := netip.AddrFrom4([4]byte{10, 1, 4, byte(r.IntN(16) * 16)}) // so that blocks around pods hold some
		if r.v6 {
			addr = netip.AddrFrom16([16]byte{0: 0xfd, 7: 3, 15: byte(r.IntN(8) * 32)})
		}
		for slices.Contains(r.pods, addr) {
			addr = addr.Next()
		}
		r.pods = append(r.pods, addr)
		svc.Spec.ClusterIP = addr.String()
	}
	svc.Spec.ClusterIPs = []string{svc.Spec.ClusterIP}
	for i := range 1 + r.IntN(3) {
		p := corev1.ServicePort{Name: fmt.Sprintf("port%d", i), Protocol: pick(r.random, protocols), Port: int32(pick(r.random, portNumbers))}
		switch r.IntN(4) {
		case 0:
			p.TargetPort = intstr.FromInt32(p.Port)
		case 1:
			p.TargetPort = intstr.FromString(pick(r.random, portNames))
		default:
			p.TargetPort = intstr.FromInt32(int32(pick(r.random, portNumbers)))
		}
		if !slices.ContainsFunc(svc.Spec.Ports, func(o corev1.ServicePort) bool { return o.Port == p.Port && o.Protocol == p.Protocol }) {
			svc.Spec.Ports = append(svc.Spec.Ports, p)
		}
	}
	return svc
}

func (r *randomAWS) policy(namespace, name string) *networkingv1.NetworkPolicy {
	p := r.random.policy(namespace, name)
	p.Spec.Ingress, p.Spec.Egress = nil, nil
	if r.chance(50) {
		p.Spec.PodSelector = metav1.LabelSelector{} // several policies shall meet on one pod
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

func (r *randomAWS) peers() []networkingv1.NetworkPolicyPeer {
	out := r.random.peers()
	for i, p := range out {
		if p.IPBlock != nil {
			out[i].IPBlock = r.block()
		}
	}
	if len(out) == 0 && r.chance(60) {
		out = append(out, networkingv1.NetworkPolicyPeer{IPBlock: r.block()})
	}
	return out
}

func (r *randomAWS) policyPorts() []networkingv1.NetworkPolicyPort {
	out := r.random.policyPorts()
	for r.crowded && len(out) > 0 && len(out) < 12 {
		out = append(out, r.random.policyPorts()...)
	}
	for i, p := range out {
		if p.EndPort != nil && *p.EndPort == p.Port.IntVal {
			out[i].EndPort = nil // it would be another item than the number alone: see docs/oracle-aws.md
		}
	}
	return out
}

// block returns a block that often stands elsewhere already, as a block or as an exception, with
// exceptions of which that holds too.
func (r *randomAWS) block() *networkingv1.IPBlock {
	cidr := r.nested(netip.Prefix{})
	b := &networkingv1.IPBlock{CIDR: cidr.String()}
	for range [...]int{0, 0, 1, 1, 2}[r.IntN(5)] {
		if inside := r.nested(cidr); inside.Bits() > cidr.Bits() {
			b.Except = append(b.Except, inside.String())
		}
	}
	return b
}

var blockBits = [2][]int{
	{0, 8, 14, 15, 16, 22, 23, 24, 25, 26, 27, 28, 30, 31, 32},
	{0, 8, 16, 31, 32, 32, 33, 48, 56, 62, 63, 64, 120, 121, 122, 123, 124, 127, 128},
}

// nested returns a block of the cluster's family, or seldom of the other one, inside outer if that
// is one.
func (r *randomAWS) nested(outer netip.Prefix) netip.Prefix {
	if r.chance(40) {
		var fit []netip.Prefix
		for _, b := range r.blocks {
			if !outer.IsValid() || outer.Contains(b.Addr()) && b.Bits() > outer.Bits() {
				fit = append(fit, b)
			}
		}
		if len(fit) > 0 {
			return pick(r.random, fit)
		}
	}
	for range 20 {
		anchor := pick(r.random, r.pods)
		if r.chance(20) {
			anchor = r.anchor()
		}
		if anchor.Is6() != r.v6 && r.chance(90) {
			continue
		}
		bits := blockBits[0]
		if anchor.Is6() {
			bits = blockBits[1]
		}
		p := netip.PrefixFrom(anchor, pick(r.random, bits)).Masked()
		if outer.IsValid() && !(outer.Contains(anchor) && p.Bits() > outer.Bits()) {
			continue
		}
		r.prefix(anchor, p.Bits())
		for _, e := range []netip.Addr{p.Addr(), lastOf(p), p.Addr().Prev(), lastOf(p).Next()} {
			if e.IsValid() {
				r.edges = append(r.edges, e)
			}
		}
		r.blocks = append(r.blocks, p)
		return p
	}
	if outer.IsValid() {
		return outer
	}
	return netip.PrefixFrom(r.pods[0], r.pods[0].BitLen())
}
