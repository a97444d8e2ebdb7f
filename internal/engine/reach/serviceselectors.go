package reach

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Some CNIs let a selector of pods also match the addresses of Services.

// matchingServices returns the addresses of Services that the selector peers of an egress rule
// match besides pods, over the Services' own ports, where the CNI adds them.
func (p *Program) matchingServices(r *ruleIn) []match {
	where := p.says.where[cni.SelectorsMatchServices]
	if where.IsNever() {
		return nil
	}
	end := peerEnd(r.Dir)
	var out []match
	for i := range r.Peers {
		peer := &r.Peers[i]
		if peer.NS == nil {
			continue
		}
		facts := p.asks.only(peer.If, r.scope+" peer "+strconv.Itoa(i), r.rank, end)
		ms := p.unshownAPI(r, peer)
		mustNS, mayNS := p.chooseNamespaces(*peer.NS)
		for _, ns := range mustNS {
			ms = append(ms, p.servicesFor(ns, r, *peer.Pod)...)
		}
		for _, ns := range mayNS {
			ms = append(ms, within(p.servicesFor(ns, r, *peer.Pod), p.asks.selected(end, *peer.NS, label.Selector{}))...)
		}
		out = append(out, within(ms, where.And(facts))...)
	}
	return out
}

// unshownAPI is the API server as a selector peer matches its Service, which every cluster has in
// namespace default without a selector, where the input does not show it.
func (p *Program) unshownAPI(r *ruleIn, peer *policy.Peer) []match {
	if p.showsAPI {
		return nil
	}
	must, may := peer.NS.Match(label.Known(label.Set{label.MetadataName: "default"}).Open())
	if all, _ := peer.Pod.Match(label.Labels{}); !may || !all {
		return nil
	}
	conns := netset.Conns{}
	if r.AnyPort {
		conns = special.KubeAPI
	}
	for _, port := range r.Ports { // the Service's port leads to one of these
		switch {
		case port.Protocol != netset.TCP || port.Name != "":
		case port.Lo == 1 && port.Hi == 65535:
			conns = special.KubeAPI
		default:
			conns = conns.Union(special.KubeAPI.Intersect(netset.ConnsOf(netset.TCP, netset.PortRange(port.Lo, port.Lo))))
		}
	}
	if conns.IsEmpty() {
		return nil
	}
	m := match{ends: Region{IDs: p.endpoints}, conns: conns}
	if !must {
		m.when = p.asks.selected(peerEnd(r.Dir), *peer.NS, label.Selector{})
	}
	return []match{m}
}

// servicesFor returns the addresses of the Services of a namespace whose own selector satisfies the
// selector of an egress peer, over the Services' ports that lead to ports of the rule
// (amazon-network-policy-controller-k8s, pkg/resolvers/endpoints.go).
func (p *Program) servicesFor(ns int, r *ruleIn, pod label.Selector) []match {
	var out []match
	for _, i := range p.servicesIn[ns] {
		svc := &p.Snapshot.Services[i]
		holder, ok := p.VIP(i)
		if !ok {
			continue
		}
		own := label.Set{}
		if svc.Selector != nil {
			own, _ = svc.Selector.Example()
		}
		if must, _ := pod.Match(label.Known(own)); !must {
			continue
		}
		for _, b := range p.frontPorts(i, r) {
			out = append(out, match{ends: p.IDRegion(holder), conns: b.conns, when: b.when.And(p.asks.over(p.primaryFamily(svc)))})
		}
	}
	return out
}

// frontPorts returns the connections to a Service's own ports that lead to the ports of a rule. A
// range is taken over as it is, from the Service port that its first number leads to.
func (p *Program) frontPorts(service int, r *ruleIn) []portsIf {
	if r.AnyPort {
		return []portsIf{{conns: netset.AllConns}}
	}
	svc := &p.Snapshot.Services[service]
	var out []portsIf
	for _, item := range r.Ports {
		if item.Name == "" && item.Lo == 1 && item.Hi == 65535 {
			out = append(out, portsIf{conns: netset.ConnsOf(item.Protocol, netset.AllPorts)})
			continue
		}
		found := false
		for _, sp := range svc.Ports {
			if sp.Protocol == item.Protocol && (item.Name == "" && sp.TargetName == "" && sp.Target == item.Lo || item.Name != "" && sp.TargetName == item.Name) {
				out = append(out, portsIf{conns: fromPort(item, sp.Port)})
				found = true
				break
			}
		}
		if found {
			continue
		}
		var led []portsIf
		one := true
		for _, sp := range svc.Ports {
			if certainly, perhaps := p.leads(svc, sp, item, r.Rule); sp.Protocol == item.Protocol && perhaps {
				led = append(led, portsIf{fromPort(item, sp.Port), p.leadsTo(svc, sp, item, r)})
				one = one && certainly
			}
		}
		if len(led) == 1 && one { // else the CNI takes one of them
			led[0].when = when.Always
		}
		out = append(out, led...)
	}
	return out
}

// leadsTo is the condition that a CNI takes a port of a Service for the one that leads to a port of
// a rule.
func (p *Program) leadsTo(svc *model.Service, sp model.ServicePort, item policy.Port, r *ruleIn) when.When {
	port := item.Name
	if port == "" {
		port = strconv.Itoa(int(item.Lo))
	}
	name := svc.Namespace + "/Service/" + svc.Name
	return p.asks.ask(fmt.Sprintf("%s: port %s of %s is %s/%d", r.scope, port, name, sp.Protocol, sp.Port), when.Cluster, r.rank,
		fmt.Sprintf("port %d of %s leads to port %s of a policy, as its pods name their ports", sp.Port, name, port),
		fmt.Sprintf("port %d of %s does not lead to port %s of a policy", sp.Port, name, port))
}

// fromPort is the connections that an item of a rule stands for from a Service port up.
func fromPort(item policy.Port, port netset.Port) netset.Conns {
	if item.Name == "" && item.Hi > item.Lo && item.Hi > port {
		return netset.ConnsOf(item.Protocol, netset.PortRange(port, item.Hi))
	}
	return netset.ConnsOf(item.Protocol, netset.PortRange(port, port))
}

// leads reports whether a port of a Service is the one that an item of a rule is on its pods: on
// one of them is enough, if on no other the name of the Service's port stands for a number that the
// rule does not let through. Its pods are those that its selector selects, without one all of its
// namespace; endpoints that are set by hand do not count (amazon-network-policy-controller-k8s,
// pkg/resolvers/endpoints.go, getMatchingServicePort).
func (p *Program) leads(svc *model.Service, sp model.ServicePort, item policy.Port, r *policy.Rule) (certainly, perhaps bool) {
	selector := label.Selector{}
	if svc.Selector != nil {
		selector = *svc.Selector
	}
	pods := p.choose(label.Named(svc.Namespace), selector)
	if pods.may().IsEmpty() {
		return false, true
	}
	both := func(a, b []netset.Port) bool {
		return slices.ContainsFunc(a, func(port netset.Port) bool { return slices.Contains(b, port) })
	}
	strays := false
	for _, class := range p.HoldersOf(pods.may(), Class) {
		h := &p.holders[class]
		mustBe, mayBe := []netset.Port{item.Lo}, []netset.Port{item.Lo}
		if item.Name != "" {
			mustBe, mayBe = h.resolve(portName{item.Protocol, item.Name})
		}
		mustGo, mayGo := []netset.Port{sp.Target}, []netset.Port{sp.Target}
		if sp.TargetName != "" {
			mustGo, mayGo = h.resolve(portName{sp.Protocol, sp.TargetName})
			strays = strays || item.Name == "" && slices.ContainsFunc(mayGo, func(n netset.Port) bool { return !allows(r, item.Protocol, n) })
		}
		certainly = certainly || both(mustBe, mustGo) && p.Holds(pods.must, class)
		perhaps = perhaps || both(mayBe, mayGo)
	}
	return certainly && !strays, perhaps
}

// allows reports whether a rule names a port by its number.
func allows(r *policy.Rule, protocol netset.Protocol, port netset.Port) bool {
	return slices.ContainsFunc(r.Ports, func(item policy.Port) bool {
		return item.Name == "" && item.Protocol == protocol && item.Lo <= port && port <= item.Hi
	})
}
