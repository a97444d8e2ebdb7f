package reach

import (
	"maps"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// ready returns what rule r matches, whatever the group: peers, and for egress also connections.
func (p *Program) ready(r *ruleIn) *ruleIn {
	r.once.Do(func() {
		r.peers = within(p.peersOf(r.Rule), r.judged)
		r.numbers = netset.Conns{}
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
				r.matches = append(r.matches, match{box{m.region, r.numbers, m.worlds}, m.cond})
			}
			if r.Dir == policy.Egress {
				r.matches = append(r.matches, p.namedEgress(r, m)...)
			}
		}
		if r.Dir == policy.Egress {
			r.matches = append(r.matches, within(p.matchingServices(r.Rule), r.judged)...)
		}
		sortMatches(r.matches)
	})
	return r
}

// namedEgress resolves the port names of an egress rule for each pod it may match.
func (p *Program) namedEgress(r *ruleIn, m match) []match {
	out, each := p.sharedNames(r, m)
	if each == 0 {
		return out
	}
	m.worlds = each
	if perhaps := each & p.says.maybe[cni.PortNamesShared]; perhaps != 0 {
		return append(out, p.ownNames(r, within([]match{m}, []branch{{each &^ perhaps, Cond{}}, {perhaps, ownName}}))...)
	}
	return append(out, p.ownNames(r, []match{m})...)
}

var ownName = onlyIf("port names are resolved for each pod")

// ownNames resolves the port names of an egress rule for each pod as it declares them.
func (p *Program) ownNames(r *ruleIn, peers []match) []match {
	var out []match
	for _, m := range peers {
		out = append(out, p.ownNamesOf(r, m)...)
	}
	return out
}

func (p *Program) ownNamesOf(r *ruleIn, m match) []match {
	var out []match
	for _, name := range r.names {
		resolved := func(byNumber map[netset.Port][]int, cond Cond) {
			for _, number := range slices.Sorted(maps.Keys(byNumber)) {
				in := Region{IDs: m.region.IDs.Intersect(p.IDs(byNumber[number]...))}
				if !in.IsEmpty() {
					out = append(out, match{box{in, netset.ConnsOf(name.protocol, netset.PortRange(number, number)), m.worlds}, m.cond.and(cond)})
				}
			}
		}
		resolved(p.portNames[name].must, Cond{})
		resolved(p.portNames[name].may, sidecarPort)
		if m.region.Cubes != nil { // a pod that does not exist may give the name to any port
			out = append(out, match{box{Region{Cubes: m.region.Cubes}, netset.ConnsOf(name.protocol, netset.AllPorts), m.worlds}, m.cond})
		}
	}
	return out
}

var oneNumber = onlyIf("all pods that give a port this name, and run, give it the same number")

// sharedNames resolves the port names of an egress rule where they stand for one number in the whole cluster, and returns where they do not. A name
// with several numbers stands for none (cilium v1.19.1, pkg/endpoint/policy.go, pkg/types/portmap.go).
func (p *Program) sharedNames(r *ruleIn, m match) (out []match, each Worlds) {
	for _, b := range p.says.where(cni.PortNamesShared) {
		w := m.worlds & b.worlds
		if w == 0 {
			continue
		}
		for _, name := range r.names {
			numbers := p.clusterwide[name]
			if numbers.all == nil {
				cond := onlyIf("some pod, which the input does not show, gives a port the name " + name.name)
				out = append(out, match{box{m.region, netset.ConnsOf(name.protocol, netset.AllPorts), w}, m.cond.and(b.cond).and(cond)})
			}
			for _, number := range numbers.all {
				at := match{box{m.region, netset.ConnsOf(name.protocol, netset.PortRange(number, number)), w}, m.cond.and(b.cond)}
				switch {
				case len(numbers.running) > 1:
					continue
				case len(numbers.all) > 1:
					at.cond = at.cond.and(oneNumber)
				}
				out = append(out, at)
			}
		}
	}
	return out, m.worlds &^ p.says.yes[cni.PortNamesShared]
}

var sidecarPort = onlyIf("port names that sidecars declare, or containers share, are resolved so")

// sortMatches puts what is certain first, so that it is decided before anything is only perhaps.
func sortMatches(ms []match) {
	slices.SortStableFunc(ms, func(a, b match) int {
		switch az, bz := a.cond.IsZero(), b.cond.IsZero(); {
		case az == bz:
			return 0
		case az:
			return -1
		}
		return 1
	})
}

// steps makes a group's rules ready.
func (p *Program) steps(g *group) []step {
	out := make([]step, 0, len(g.rules))
	longest := p.longestMatches(g)
	full := p.says.yes[cni.LongestPrefixDecides]
	if limit := p.portsPerBlock(); limit == 0 || full == 0 || p.portItems(g) <= limit {
		full = 0
	}
	for i, a := range g.rules {
		r := p.ready(a.rule)
		matches := r.matches
		if r.Dir == policy.Ingress && r.names != nil {
			matches = append(slices.Clone(matches), p.namedIngress(r, g)...)
		}
		if full != 0 {
			matches = within(matches, []branch{{full, crowded}, {p.all &^ full, Cond{}}})
		}
		if longest != nil && longest[i] != nil {
			matches = slices.Concat(matches, longest[i])
		}
		if where := p.subject(a.certainty, g.host); len(where) != 1 || !where[0].cond.IsZero() || where[0].worlds != p.all {
			matches = within(matches, where)
		}
		if len(matches) > len(r.matches) {
			sortMatches(matches)
		}
		out = append(out, step{r.Rule, matches})
	}
	return out
}

// namedIngress resolves the port names of an ingress rule for the pods of a group. A pod that does not exist may give a name to any port.
func (p *Program) namedIngress(r *ruleIn, g *group) []match {
	var out []match
	for _, name := range r.names {
		add := func(ports netset.Ports, where branch) {
			for _, m := range r.peers {
				if w := m.worlds & where.worlds; w != 0 {
					out = append(out, match{box{m.region, netset.ConnsOf(name.protocol, ports), w}, m.cond.and(where.cond)})
				}
			}
		}
		if g.like == nil {
			add(netset.AllPorts, branch{worlds: p.all})
			continue
		}
		for _, b := range p.numbers(r, name, g) {
			add(netset.PortRange(b.port, b.port), b.branch)
		}
	}
	return out
}

// numberIn is a number that a port name stands for, and where it does.
type numberIn struct {
	port netset.Port
	branch
}

// numbers resolves a port name of an ingress rule for the pods of a group: for each pod as it declares it, and where the longest block decides, for all pods
// that the policy selects together (amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go).
func (p *Program) numbers(r *ruleIn, name portName, g *group) []numberIn {
	together := p.says.yes[cni.LongestPrefixDecides]
	must, may := g.like.resolve(name)
	var out []numberIn
	for _, number := range may {
		b := branch{p.all, sidecarPort}
		if slices.Contains(must, number) {
			b.cond = Cond{}
		}
		out = append(out, numberIn{number, b})
	}
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
		b := branch{together, otherPods}
		if others[number] {
			b.cond = Cond{}
		}
		if !slices.Contains(must, number) {
			out = append(out, numberIn{number, b})
		}
	}
	return out
}

var otherPods = onlyIf("another pod that the policy selects gives the name to this port")
