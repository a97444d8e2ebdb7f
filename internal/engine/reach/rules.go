package reach

import (
	"fmt"
	"maps"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// ready returns what rule r matches, whatever the group: peers, and for egress also connections.
func (p *Program) ready(r *ruleIn) *ruleIn {
	r.once.Do(func() {
		r.peers = within(p.peersOf(r), r.judged)
		if r.AnyPort {
			r.numbers = netset.AllConns
		}
		for _, port := range r.Ports {
			if port.Name != "" {
				r.names = append(r.names, portName{port.Protocol, port.Name})
			} else {
				r.numbers = r.numbers.Union(netset.ConnsOf(port.Protocol, netset.PortRange(port.Lo, port.Hi)))
			}
		}
		for _, m := range r.peers {
			if !r.numbers.IsEmpty() {
				r.matches = append(r.matches, m.on(r.numbers, when.Always))
			}
			if r.Dir == policy.Egress {
				r.matches = append(r.matches, p.namedEgress(r, m)...)
			}
		}
		if r.Dir == policy.Egress {
			r.matches = append(r.matches, within(p.matchingServices(r), r.judged)...)
		}
		r.matches = joined(r.matches)
	})
	return r
}

// joined puts together matches that differ in their ends alone, those that ask least first: what is
// certain is decided before anything is only perhaps.
func joined(ms []match) []match {
	var out []match
	regions := make([][]Region, 0, len(ms))
	for _, m := range ms {
		if m.ends.IsEmpty() || m.when.IsNever() || m.conns.IsEmpty() {
			continue
		}
		i := -1
		if m.ends.Cubes == nil { // cubes need not be disjoint
			i = slices.IndexFunc(out, func(o match) bool {
				return o.ends.Cubes == nil && o.name == m.name && o.when.Equal(m.when) && o.conns.Equal(m.conns)
			})
		}
		if i < 0 {
			out, regions = append(out, m), append(regions, []Region{m.ends})
		} else {
			regions[i] = append(regions[i], m.ends)
		}
	}
	for i := range out {
		out[i].ends = unionOf(regions[i])
	}
	slices.SortStableFunc(out, func(a, b match) int { return len(a.when.Questions()) - len(b.when.Questions()) })
	return out
}

// namedEgress resolves the port names of an egress rule for each pod it may match.
func (p *Program) namedEgress(r *ruleIn, m match) []match {
	if r.names == nil {
		return nil
	}
	shared := p.says.where[cni.PortNamesShared]
	out := within(p.sharedNames(r, m), shared)
	return append(out, within(p.ownNames(r, m), shared.Not())...)
}

// ownNames resolves the port names of an egress rule for each pod as it declares them.
func (p *Program) ownNames(r *ruleIn, m match) []match {
	var out []match
	for _, name := range r.names {
		resolved := func(byNumber map[netset.Port][]int, certain bool) {
			for _, number := range slices.Sorted(maps.Keys(byNumber)) {
				at := m.on(netset.ConnsOf(name.protocol, netset.PortRange(number, number)), when.Always)
				if at.ends = (Region{IDs: m.ends.IDs.Intersect(p.IDs(byNumber[number]...))}); at.ends.IsEmpty() {
					continue
				}
				if !certain {
					at.when = at.when.And(p.sidecarPort(when.Destination, name, number))
				}
				out = append(out, at)
			}
		}
		resolved(p.portNames[name].must, true)
		resolved(p.portNames[name].may, false)
		if m.ends.Cubes != nil { // a pod that does not exist may give the name to any port
			fresh := m.on(netset.ConnsOf(name.protocol, netset.AllPorts), when.Always)
			fresh.ends = Region{Cubes: m.ends.Cubes}
			out = append(out, fresh)
		}
	}
	return out
}

// sidecarPort is the condition that a name stands for a number at an end where implementations
// differ.
func (p *Program) sidecarPort(end when.End, name portName, number netset.Port) when.When {
	return p.asks.ask(fmt.Sprintf("port name %s of %s is %d", name, endName(end), number), end, 0,
		fmt.Sprintf("the port name %s of %s is %d, as a sidecar or one of several containers declares it", name.name, word(end), number),
		fmt.Sprintf("the port name %s of %s is not %d, which a sidecar or one of several containers declares", name.name, word(end), number))
}

func (n portName) String() string { return n.protocol.String() + "/" + n.name }

// sharedNames resolves the port names of an egress rule where they stand for one number in the
// whole cluster. A name with several numbers stands for none (cilium v1.19.1,
// pkg/endpoint/policy.go, pkg/types/portmap.go), or for each of them.
func (p *Program) sharedNames(r *ruleIn, m match) (out []match) {
	for _, name := range r.names {
		numbers := p.clusterwide[name]
		if numbers.all == nil {
			given := p.asks.ask("port name "+name.String()+" is given", when.Cluster, 0,
				"some pod, which the input does not show, gives a port the name "+name.name, "no pod gives a port the name "+name.name)
			out = append(out, m.on(netset.ConnsOf(name.protocol, netset.AllPorts), given))
		}
		for _, number := range numbers.all {
			given := when.Never
			for _, class := range numbers.by[number] {
				if given = given.Or(p.asks.there(&p.holders[class])); given.IsAlways() {
					break
				}
			}
			at := m.on(netset.ConnsOf(name.protocol, netset.PortRange(number, number)), given)
			switch {
			case len(numbers.all) == 1:
			case slices.ContainsFunc(numbers.sure, func(n netset.Port) bool { return n != number }):
				at.when = at.when.And(p.says.where[cni.PortNamesOfAll])
			default:
				everywhere := p.asks.ask(fmt.Sprintf("port name %s is %d everywhere", name, number), when.Cluster, 0,
					fmt.Sprintf("every running pod gives the port name %s the number %d", name.name, number),
					fmt.Sprintf("some running pod gives the port name %s another number than %d", name.name, number))
				at.when = at.when.And(everywhere.Or(p.says.where[cni.PortNamesOfAll]))
			}
			if !at.when.IsNever() {
				out = append(out, at)
			}
		}
	}
	return out
}

// steps makes a group's rules ready.
func (p *Program) steps(g *group) []step {
	out := make([]step, 0, len(g.rules))
	longest := p.longestMatches(g)
	kept := p.keptOfPods(g)
	for i, a := range g.rules {
		r := p.ready(a.rule)
		matches := r.matches
		if r.Dir == policy.Ingress && r.names != nil {
			matches = append(slices.Clone(matches), p.namedIngress(r, g)...)
		}
		matches = within(p.named(matches, r, g), kept)
		if longest != nil && longest[i] != nil {
			matches = slices.Concat(matches, longest[i])
		}
		// The rule's own matches hold where it is in force, which a.when repeats.
		if matches = within(matches, a.when); len(matches) > len(r.matches) {
			matches = joined(matches)
		}
		out = append(out, step{r, matches})
	}
	return out
}

// namedIngress resolves the port names of an ingress rule for the pods of a group. A pod that does
// not exist may give a name to any port.
func (p *Program) namedIngress(r *ruleIn, g *group) []match {
	var out []match
	for _, name := range r.names {
		add := func(ports netset.Ports, where when.When) {
			for _, m := range r.peers {
				out = append(out, m.on(netset.ConnsOf(name.protocol, ports), where))
			}
		}
		if g.like == nil {
			add(netset.AllPorts, when.Always)
			continue
		}
		for _, n := range p.numbers(r, name, g) {
			add(netset.PortRange(n.port, n.port), n.when)
		}
	}
	return out
}

// numberIn is a number that a port name stands for, if when holds.
type numberIn struct {
	port netset.Port
	when when.When
}

// numbers resolves a port name of an ingress rule for the pods of a group: for each pod as it
// declares it, and where the longest block decides, for all pods that the policy selects together
// (amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go).
func (p *Program) numbers(r *ruleIn, name portName, g *group) []numberIn {
	must, may := g.like.resolve(name)
	var out []numberIn
	for _, number := range may {
		n := numberIn{port: number}
		if !slices.Contains(must, number) {
			n.when = p.sidecarPort(when.Destination, name, number)
		}
		out = append(out, n)
	}
	together := p.says.yes[cni.LongestPrefixDecides]
	if together == 0 {
		return out
	}
	sel := p.choose(r.Subject.NS, r.Subject.Pod)
	others := map[netset.Port]bool{} // whether it is certain
	for run := range sel.may().Runs() {
		for id := run.Lo; id <= run.Hi; id++ {
			h := &p.holders[id]
			sure, maybe := h.resolve(name)
			for _, number := range maybe {
				others[number] = others[number] || slices.Contains(sure, number) && sel.must.Contains(id) && h.shown()
			}
		}
	}
	for _, number := range slices.Sorted(maps.Keys(others)) {
		if slices.Contains(must, number) {
			continue
		}
		n := numberIn{number, p.asks.on(together)}
		if !others[number] {
			n.when = n.when.And(p.asks.ask(fmt.Sprintf("%s: another pod's port name %s is %d", r.scope, name, number), when.Destination, r.rank,
				fmt.Sprintf("another pod that the policy selects gives the port name %s the number %d", name.name, number),
				fmt.Sprintf("no other pod that the policy selects gives the port name %s the number %d", name.name, number)))
		}
		out = append(out, n)
	}
	return out
}

// NumbersOf returns the numbers that the containers of a class give a port name.
func (g *Ground) NumbersOf(class int, protocol netset.Protocol, name string) []netset.Port {
	_, may := g.holders[class].resolve(portName{protocol, name})
	return may
}

// SharedNumbers returns the numbers that pods which there are give a port name, where a CNI takes a
// name for one number in the whole cluster.
func (g *Ground) SharedNumbers(protocol netset.Protocol, name string) []netset.Port {
	return slices.Sorted(slices.Values(g.clusterwide[portName{protocol, name}].sure))
}
