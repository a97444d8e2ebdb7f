package cilium

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// random makes clusters whose selectors, blocks and ports often meet what is there, and often just
// miss it.
type random struct {
	*rand.Rand
	c     *cluster
	ports []int              // at and beside the ends of what policies name
	says  [2]map[string]bool // what the directions of the spec at hand are made of, by direction
	names map[string]meaning // what every pod means by a name, in clusters that agree
}

type meaning struct {
	number   int
	protocol string
}

const (
	ingress = iota
	egress
)

var directions = [...]string{"ingress", "egress"}

func (r *random) chance(percent int) bool { return r.IntN(100) < percent }

func pick[T any](r *random, list ...T) T { return list[r.IntN(len(list))] }

// some returns between one and most of what make makes, or none at times.
func some[T any](r *random, none, most int, make func() T) []T {
	if r.chance(none) {
		return []T{}
	}
	var out []T
	for range 1 + r.IntN(most) {
		out = append(out, make())
	}
	return out
}

const (
	nsKey      = "io.kubernetes.pod.namespace"
	nsLabels   = "io.cilium.k8s.namespace.labels."
	accountKey = "io.cilium.k8s.policy.serviceaccount"
	clusterKey = "io.cilium.k8s.policy.cluster"
	metaName   = "kubernetes.io/metadata.name"
)

var (
	namespaceNames = []string{"alpha", "beta", "default"}
	podKeys        = []string{"app", "app", "role", "app.kubernetes.io/name"}
	namespaceKeys  = []string{"team", "tier"}
	values         = []string{"a", "a", "b", "c"}
	portNames      = []string{"web", "dns", "admin"}
	portNumbers    = []int{53, 80, 443, 8080, 9000}
	protocols      = []string{"TCP", "TCP", "UDP", "SCTP"}
)

func (r *random) labels(keys []string) map[string]string {
	out := map[string]string{}
	for _, k := range keys {
		if r.chance(70) {
			out[k] = pick(r, values...)
		}
	}
	return out
}

func newCluster(seed uint64, n int) (*cluster, *random) {
	c := &cluster{title: fmt.Sprintf("random cluster %d of seed %d", n, seed), namespaces: map[string]map[string]string{}, features: map[string][2]map[string]bool{}}
	r := &random{Rand: rand.New(rand.NewPCG(seed, uint64(n))), c: c, names: map[string]meaning{}}
	c.dual = r.chance(35)
	for i := range 3 {
		c.nodes = append(c.nodes, node{fmt.Sprintf("node-%d", i), r.addrs(fmt.Sprintf("192.168.77.%d", 2+i), fmt.Sprintf("fd77::%d", 2+i))})
	}
	agree := r.chance(60)
	for _, name := range portNames {
		r.names[name] = meaning{pick(r, portNumbers...), pick(r, "TCP", "UDP")}
	}
	for i, ns := range namespaceNames {
		c.namespaces[ns] = r.labels(namespaceKeys)
		for k := range 2 + r.IntN(2) {
			p := pod{namespace: ns, name: fmt.Sprintf("p%d", k), labels: r.labels(podKeys[1:]), node: r.IntN(len(c.nodes)), host: k > 1 && r.chance(40), account: pick(r, "", "robot")}
			if r.chance(10) {
				p.labels["pod-template-hash"] = pick(r, values...)
			}
			for _, name := range append([]string{""}, portNames...) {
				of := meaning{pick(r, portNumbers...), pick(r, "TCP", "UDP")}
				if agree && name != "" {
					of = r.names[name]
				}
				if r.chance(60) {
					p.ports = append(p.ports, port{name, of.protocol, of.number})
				}
			}
			if !p.host {
				p.addrs = r.addrs(fmt.Sprintf("10.1.%d.%d", i, 16*k+r.IntN(16)), fmt.Sprintf("fd00:1::%d:%d", i, 16*k+1))
			}
			c.pods = append(c.pods, p)
		}
	}
	c.outside = append(c.outside, r.addrs("140.82.112.3", "2606:4700::1111")...)
	c.outside = append(c.outside, r.addrs("10.9.1.1", "fd09::1")...)
	c.outside = append(c.outside, r.addrs("169.254.169.254", "fd00:ec2::254")...)
	c.outside = append(c.outside, netip.MustParseAddr("8.8.4.4"), netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("192.168.200.7"))
	if r.chance(50) {
		c.api = c.nodes[0].addrs[:1]
	} else {
		c.api = []netip.Addr{netip.MustParseAddr(pick(r, "34.118.7.10", "10.200.0.10"))}
		c.outside = append(c.outside, c.api...)
	}
	for i := range r.IntN(3) {
		g := group{name: fmt.Sprintf("group-%d", i), labels: map[string]string{"net": pick(r, "x", "y")}}
		g.blocks = some(r, 5, 3, r.prefix)
		c.groups = append(c.groups, g)
	}
	for i := range r.IntN(3) {
		svc := service{namespace: pick(r, namespaceNames...), name: fmt.Sprintf("service-%d", i), labels: r.labels(namespaceKeys)}
		if r.chance(60) {
			svc.selector = map[string]string{pick(r, "app", "role"): pick(r, values...)} // keys with dots are in TestKnownDifferences
		} else {
			svc.endpoints = []netip.Addr{pick(r, c.outside[0], netip.MustParseAddr("8.8.4.4"))}
		}
		c.services = append(c.services, svc)
	}
	for i := range 2 + r.IntN(4) {
		r.policy(fmt.Sprintf("policy-%d", i))
	}
	return c, r
}

func (r *random) addrs(v4, v6 string) []netip.Addr {
	out := []netip.Addr{netip.MustParseAddr(v4)}
	if r.c.dual {
		out = append(out, netip.MustParseAddr(v6))
	}
	return out
}

// prefix returns a block around something that is there, or everything.
func (r *random) prefix() netip.Prefix {
	ends := r.c.ends()
	a := pick(r, ends...).addr
	if r.chance(60) {
		a = pick(r, r.c.outside...)
	}
	bits := pick(r, 0, 8, 16, 24, 31, a.BitLen())
	if a.Is6() && bits != 0 {
		bits = pick(r, 16, 32, 64, 127, 128)
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// within returns a block inside another.
func (r *random) within(p netip.Prefix) netip.Prefix {
	a := p.Addr()
	for range 8 {
		if b := pick(r, r.c.outside...); p.Contains(b) {
			a = b
			break
		}
	}
	return netip.PrefixFrom(a, p.Bits()+r.IntN(a.BitLen()-p.Bits()+1)).Masked()
}

// probes returns ports to ask for: those that policies and pods name and their neighbours, as many
// as are given.
func (r *random) probes(most int) []int {
	var out []int
	for _, p := range append(slices.Clone(portNumbers), r.ports...) {
		if p >= 1 && p <= 65535 {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(most, len(out))]
}
