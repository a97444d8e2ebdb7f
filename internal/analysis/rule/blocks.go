package rule

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// blocksOf returns the addresses that a rule names as such.
func blocksOf(r *policy.Rule) netset.Addrs {
	var out []netset.Addrs
	for _, peer := range r.Peers {
		if peer.Block != nil {
			out = append(out, peer.Block.Addrs())
		}
	}
	return netset.Union(out...)
}

// blocksText lists the blocks of a rule as they were written, a few of them and of their
// exceptions.
func blocksText(r *policy.Rule) string {
	var out []string
	for _, peer := range r.Peers {
		if peer.Block == nil {
			continue
		}
		text := peer.Block.CIDR.String()
		if len(peer.Block.Except) > 0 {
			text += " except " + reach.PrefixText(peer.Block.Except, 2)
		}
		out = append(out, text)
	}
	return some(out)
}

// missed is profiles under which blocks match some kinds of what has the addresses in them not at
// all.
type missed struct {
	worlds      reach.Worlds
	pods, nodes bool
}

func (m missed) String() string {
	switch {
	case m.pods && m.nodes:
		return "pods or nodes"
	case m.pods:
		return "pods"
	}
	return "nodes"
}

// missing parts the profiles by what blocks do not match under them.
func (p *Pass) missing() []missed {
	none := func(q cni.Question) reach.Worlds {
		yes, maybe := p.Answering(q)
		return p.Worlds() &^ (yes | maybe)
	}
	pods, nodes := none(cni.BlocksMatchPods), none(cni.BlocksMatchNodes)
	var out []missed
	for _, m := range []missed{{pods & nodes, true, true}, {pods &^ nodes, true, false}, {nodes &^ pods, false, true}} {
		if m.worlds != 0 {
			out = append(out, m)
		}
	}
	return out
}

// private are the ranges that clusters mostly have their addresses in.
var private = [...]netset.Addrs{netset.MustPrefixes("10.0.0.0/8"), netset.MustPrefixes("172.16.0.0/12"), netset.MustPrefixes("192.168.0.0/16"), netset.MustPrefixes("fc00::/7")}

// meansCluster reports whether a rule about addrs is to be taken to mean the cluster by them, where
// nothing tells its addresses: it names a private range whole, and of a block around all of them
// excepts none.
func meansCluster(addrs netset.Addrs) bool {
	if special.Private.Covers(addrs) {
		return slices.ContainsFunc(private[:], addrs.Covers)
	}
	return !addrs.Overlaps(private[0]) && addrs.Covers(private[3]) || addrs.Covers(netset.Union(private[:3]...))
}

// meant returns who a rule about addrs is about: those who have one, and if it means the cluster by
// them those who may. The server's own pods are not among them, nor what runs on the network of
// nodes.
func (p *Pass) meant(addrs netset.Addrs, m missed) netset.IDs {
	ids, perhaps := p.Held(addrs)
	if meansCluster(addrs) {
		ids = ids.Union(perhaps)
	}
	var out []int
	if m.pods {
		for _, n := range p.HoldersOf(ids.Intersect(p.Pods()), reach.Class) {
			if !p.HostNetwork(n) && !slices.Contains(p.Radius.Class, n) {
				out = append(out, n)
			}
		}
	}
	if m.nodes {
		out = append(out, p.HoldersOf(ids, reach.Node)...)
	}
	return p.IDs(out...)
}

// sparing reports rules that deny blocks and so spare the pods and nodes in them.
func sparing(p *Pass) {
	for _, d := range policy.Directions {
		for _, r := range p.rulesOn(d) {
			if addrs := blocksOf(r); r.Action == policy.Deny && !addrs.IsEmpty() {
				for _, m := range p.missing() {
					p.spares(r, addrs, m)
				}
			}
		}
	}
}

// spared is an end that a rule does not deny, though its address is in a block of it.
type spared struct {
	box   reach.Box
	names []string
	loose bool // nothing names it by its labels
}

func (p *Pass) spares(r *policy.Rule, addrs netset.Addrs, m missed) {
	if m.nodes = m.nodes && r.Dir == policy.Egress; !m.nodes && !m.pods { // a pod's own node may always connect to it
		return
	}
	ids := p.meant(addrs, m)
	if ids.IsEmpty() {
		return
	}
	var worst spared
	names := map[bool][]string{}
	for i := range p.Radius.Class {
		for _, b := range p.Radius.Boxes[i][r.Dir] {
			in := b.Region.IDs.Intersect(ids)
			if b.Verdict == reach.Unknown || in.IsEmpty() || !b.Conns.Overlaps(written(r)) {
				continue
			}
			s := spared{b, p.endNames(in), loosely(b, r.Dir)}
			names[s.loose] = append(names[s.loose], s.names...)
			if worst.names == nil || s.loose && !worst.loose || s.loose == worst.loose && reach.CompareVerdicts(s.box.Verdict, worst.box.Verdict) > 0 {
				worst = s
			}
		}
	}
	ranges := blocksText(r)
	if worst.names == nil {
		p.Found(Report{Severity: finding.Low, Origin: r.Origin, Worlds: m.worlds, Fix: p.relyOnDefault(r),
			Message: fmt.Sprintf("%s denies %s, which matches no %s here: what keeps them apart is that no rule allows it", ruleText(r), ranges, m)})
		return
	}
	who := some(distinct(names[worst.loose]))
	w := connection(worst.names[0], worst.box.Conns.Intersect(written(r)))
	w.World = p.says(worst.box.Verdict, worst.box.When, itself, "the pod")
	passes := fmt.Sprintf("it %s %s on %s%s", can(worst.box.Verdict, "reach"), who, worst.box.Conns, ifSo(w.World))
	rules := blast.LetThrough(worst.box.Egress...)
	if r.Dir == policy.Ingress {
		rules = blast.LetThrough(worst.box.Ingress...)
		w.From, w.To, w.World = w.To, p.Name(), p.says(worst.box.Verdict, worst.box.When, "the pod", itself)
		passes = fmt.Sprintf("%s %s to it on %s%s", who, can(worst.box.Verdict, "connect"), worst.box.Conns, ifSo(w.World))
	}
	report := Report{Origin: r.Origin, Worlds: m.worlds, Witness: w, Fix: p.relyOnDefault(r),
		Message: fmt.Sprintf("%s denies %s, which matches no %s here: %s", ruleText(r), ranges, m, passes)}
	switch {
	case !worst.loose:
		report.Severity = finding.Medium
		report.Message += ", as " + ruleText(rules[0].Rule) + " allows"
	case len(rules) > 0:
		report.Fix = "name in " + ruleText(rules[0].Rule) + " only the pods it needs: what no rule allows is then denied, and a block denies addresses outside the cluster only"
	default:
		report.Fix = fmt.Sprintf("let a policy isolate its %s, and allow only the pods it needs: a block denies addresses outside the cluster only", r.Dir)
	}
	p.Found(report)
}

// distinct returns names, each once, in their order.
func distinct(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		defer func() { seen[name] = true }()
		return seen[name]
	})
}

func (p *Pass) relyOnDefault(r *policy.Rule) string {
	return "drop the range from " + ruleText(r) + " unless it is meant for networks outside the cluster: pods are kept out by allowing only those it needs"
}

// loosely reports whether nothing on the server's side names the other end by its labels.
func loosely(b reach.Box, d policy.Direction) bool {
	by := b.Egress
	if d == policy.Ingress {
		by = b.Ingress
	}
	return !slices.ContainsFunc(reach.RulesOf(blast.LetThrough(by...)), func(r *policy.Rule) bool {
		return !r.AnyPeer && len(r.Peers) > 0 && !slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool {
			return peer.Service == nil && peer.Node == nil && (peer.NS == nil || peer.Pod.SelectsAll())
		})
	})
}

// endNames names pods, and then nodes.
func (p *Pass) endNames(ids netset.IDs) []string {
	var out []string
	for _, n := range p.HoldersOf(ids, reach.Class) {
		out = append(out, p.workloadNames(n)...)
	}
	slices.Sort(out)
	for _, n := range p.HoldersOf(ids, reach.Node) {
		if i := p.Class(n).Node; i >= 0 {
			out = append(out, "node "+p.Snapshot.Nodes[i].Name)
		} else {
			out = append(out, "cluster nodes")
		}
	}
	return slices.Compact(out)
}

// matchingNothing reports rules that allow blocks, and by them nothing of what is in them in the
// cluster.
func matchingNothing(p *Pass) {
	for _, d := range policy.Directions {
		_, by := p.isolated(d)
		if len(by) == 0 {
			continue
		}
		for _, r := range p.rulesOn(d) {
			addrs := blocksOf(r)
			if r.Action != policy.Allow || addrs.IsEmpty() {
				continue
			}
			if d == policy.Ingress {
				p.admitsNobody(r, addrs)
			} else if !p.opensNoResolver(r, addrs) {
				p.opensNoService(r, addrs, p.opensNothing(r, addrs))
			}
		}
	}
}

// opensNoResolver reports a block that would be all that lets the server resolve names, were the
// resolver matched by it.
func (p *Pass) opensNoResolver(r *policy.Rule, addrs netset.Addrs) bool {
	forDNS := r.AnyPort || slices.ContainsFunc(r.Ports, func(port policy.Port) bool { return port.Name == "" && port.Lo <= 53 && 53 <= port.Hi })
	if !forDNS || p.resolves() {
		return false
	}
	for _, m := range p.missing() {
		if !m.pods {
			continue
		}
		known := p.ResolverClasses()
		if known == nil && !meansCluster(addrs) || known != nil && !p.IDs(known...).Overlaps(p.meant(addrs, m)) {
			continue
		}
		p.Found(Report{Origin: r.Origin, Worlds: m.worlds, Witness: &finding.Witness{To: p.resolverName(), Port: 53, Protocol: "UDP"},
			Message: fmt.Sprintf("%s allows %s, which matches no pods here, and no other rule lets it reach the cluster's resolver pods: names resolve only where something else answers",
				ruleText(r), blocksText(r)),
			Fix: "add an egress rule on UDP and TCP 53 to the resolver pods by selectors (kube-system, k8s-app: kube-dns on most distributions), and one by selectors for each Service it calls"})
		return true
	}
	return false
}

// resolves reports whether the server reaches some resolver that is a pod, or certainly the Service
// before them.
func (p *Pass) resolves() bool {
	return slices.ContainsFunc(p.Radius.To[blast.DNS].To, func(t blast.Target) bool {
		return t.Pods != "" || !t.CIDR.IsValid() && t.Verdict == reach.Allowed
	})
}

// opensNothing reports a private block with pods or nodes whose addresses are known, none of which
// the server reaches, and returns under which profiles it did.
func (p *Pass) opensNothing(r *policy.Rule, addrs netset.Addrs) reach.Worlds {
	if !special.Private.Covers(addrs) {
		return 0
	}
	for _, m := range p.missing() {
		held, _ := p.Held(addrs)
		ids := p.meant(addrs, m).Intersect(held)
		if ids.IsEmpty() || p.reaches(ids, written(r)) {
			continue
		}
		names := p.endNames(ids)
		w := connection(names[0], written(r))
		fix := "name its pods by selectors"
		if len(p.HoldersOf(ids, reach.Node)) > 0 {
			fix += ", and nodes with toEntities: [host, remote-node] in a CiliumNetworkPolicy"
		}
		p.Found(Report{Severity: finding.Medium, Origin: r.Origin, Worlds: m.worlds, Witness: w,
			Message: fmt.Sprintf("%s allows %s, which matches no %s here, so it cannot reach %s", ruleText(r), blocksText(r), m, some(names)),
			Fix:     fix + ", where it means those"})
		return m.worlds
	}
	return 0
}

// opensNoService reports a private block with the addresses of Services, where a connection to one
// is judged on its pods and none of these is let through; but not under the profiles said, of which
// more was.
func (p *Pass) opensNoService(r *policy.Rule, addrs netset.Addrs, said reach.Worlds) {
	yes, maybe := p.Answering(cni.JudgedBeforeService)
	worlds := p.Worlds() &^ (yes | maybe | said)
	if worlds == 0 || !special.Private.Covers(addrs) {
		return
	}
	held, _ := p.Held(addrs)
	var names []string
	var first model.ServicePort
	for _, n := range p.HoldersOf(held, reach.VIP) {
		svc := &p.Snapshot.Services[p.Class(n).Service]
		var behind []int
		for _, b := range p.Backends(p.Class(n).Service) {
			behind = append(behind, b.Class)
		}
		i := slices.IndexFunc(svc.Ports, func(sp model.ServicePort) bool { return written(r).Contains(sp.Protocol, sp.Port) })
		if behind == nil || i < 0 || p.reaches(p.IDs(behind...), netset.AllConns) {
			continue
		}
		if names = append(names, svc.Namespace+"/"+svc.Name); len(names) == 1 {
			first = svc.Ports[i]
		}
	}
	if names == nil {
		return
	}
	p.Found(Report{Severity: finding.Medium, Origin: r.Origin, Worlds: worlds,
		Witness: &finding.Witness{To: names[0], Port: int(first.Port), Protocol: first.Protocol.String()},
		Message: fmt.Sprintf("%s allows %s, with the address of Service %s, and connections to a Service are judged on its pods here, which no rule lets it reach",
			ruleText(r), blocksText(r), some(names)),
		Fix: "allow the pods behind the Service by selectors, on the ports they listen on"})
}

// reaches reports whether the server possibly reaches any of some ends over some of conns.
func (p *Pass) reaches(ids netset.IDs, conns netset.Conns) bool {
	for i := range p.Radius.Class {
		if slices.ContainsFunc(p.Radius.Boxes[i][policy.Egress], func(b reach.Box) bool { return b.Region.IDs.Overlaps(ids) && b.Conns.Overlaps(conns) }) {
			return true
		}
	}
	return false
}

// admitsNobody reports an ingress block that a gateway's address is in, where no gateway gets in.
func (p *Pass) admitsNobody(r *policy.Rule, addrs netset.Addrs) {
	for _, m := range p.missing() {
		gateways := p.GatewaysIn(p.meant(addrs, m))
		if len(gateways) == 0 || len(p.Server.Ports) == 0 || slices.ContainsFunc(gateways, func(g int) bool { in, _ := p.enters(g); return in != nil }) {
			continue
		}
		port := p.Server.Ports[0]
		if !written(r).Contains(netset.TCP, port) {
			continue
		}
		name := p.workloadNames(gateways[0])[0]
		p.Found(Report{Severity: finding.Medium, Origin: r.Origin, Worlds: m.worlds, Witness: &finding.Witness{From: name, To: p.Name(), Port: int(port), Protocol: "TCP"},
			Message: fmt.Sprintf("%s allows %s, which matches no pods here, so gateway %s cannot connect to it", ruleText(r), blocksText(r), name),
			Fix:     "name the gateway's pods by selectors in " + ruleText(r)})
	}
}
