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
func (p *Pass) meant(addrs netset.Addrs, m reading) netset.IDs {
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

// sparing reports rules that deny blocks and so spare the pods and nodes in them. It is no row of
// misreadings: the worst of the ends that are spared decides severity, words and fix, and that no
// end is spared is a finding too.
func sparing(p *Pass) {
	for _, d := range policy.Directions {
		for _, r := range p.rulesOn(d) {
			if addrs := blocksOf(r); r.Action == policy.Deny && !addrs.IsEmpty() {
				for _, m := range p.readings(cni.BlocksMatchPods, cni.No) {
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

func (p *Pass) spares(r *policy.Rule, addrs netset.Addrs, in reading) {
	if in.nodes = in.nodes && r.Dir == policy.Egress; !in.nodes && !in.pods { // a pod's own node may always connect to it
		return
	}
	ids := p.meant(addrs, in)
	if ids.IsEmpty() {
		return
	}
	var worst spared
	names := map[bool][]string{}
	view := p.In(in.worlds)
	for i := range p.Radius.Class {
		for _, b := range p.Radius.Boxes[i][r.Dir] {
			meant := b.Region.IDs.Intersect(ids)
			b, ok := view.BoxIn(b)
			if !ok || b.Verdict == reach.Unknown || meant.IsEmpty() || !b.Conns.Overlaps(written(r)) {
				continue
			}
			s := spared{b, p.endNames(meant), loosely(b, r.Dir)}
			names[s.loose] = append(names[s.loose], s.names...)
			if worst.names == nil || s.loose && !worst.loose || s.loose == worst.loose && reach.CompareVerdicts(s.box.Verdict, worst.box.Verdict) > 0 {
				worst = s
			}
		}
	}
	report := Report{Severity: finding.Low, Origin: r.Origin, Worlds: in.worlds,
		Message: fmt.Sprintf("%s denies %s, which matches no %s here: ", ruleText(r), blocksText(r), in),
		Fix:     "drop the range from " + ruleText(r) + " unless it is meant for networks outside the cluster: pods are kept out by allowing only those it needs"}
	if worst.names == nil {
		report.Message += "what keeps them apart is that no rule allows it"
		p.Found(report)
		return
	}
	box, who, rules := worst.box, some(distinct(names[worst.loose])), blast.LetThrough(own(worst.box, r.Dir)...)
	w := connection(worst.names[0], box.Conns.Intersect(written(r)))
	if report.Witness = w; r.Dir == policy.Egress {
		w.World = p.says(box.Verdict, box.When, itself, "the pod")
		report.Message += fmt.Sprintf("it %s %s on %s%s", can(box.Verdict, "reach"), who, box.Conns, ifSo(w.World))
	} else {
		w.From, w.To, w.World = w.To, p.Name(), p.says(box.Verdict, box.When, "the pod", itself)
		report.Message += fmt.Sprintf("%s %s to it on %s%s", who, can(box.Verdict, "connect"), box.Conns, ifSo(w.World))
	}
	report.Severity = finding.High
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

// own is what decides at the server's side of a box.
func own(b reach.Box, d policy.Direction) []reach.By {
	if d == policy.Ingress {
		return b.Ingress
	}
	return b.Egress
}

// distinct returns names, each once, in their order.
func distinct(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		defer func() { seen[name] = true }()
		return seen[name]
	})
}

// loosely reports whether nothing on the server's side names the other end by its labels.
func loosely(b reach.Box, d policy.Direction) bool {
	return !slices.ContainsFunc(reach.RulesOf(blast.LetThrough(own(b, d)...)), func(r *policy.Rule) bool {
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

// resolversInBlocks returns the resolver pods, where a rule's blocks would be all that lets the
// server resolve names.
func resolversInBlocks(p *Pass, r *policy.Rule, in reading) []end {
	forDNS := r.AnyPort || slices.ContainsFunc(r.Ports, func(port policy.Port) bool { return port.Name == "" && port.Lo <= 53 && 53 <= port.Hi })
	addrs, known := blocksOf(r), p.ResolverClasses()
	if !forDNS || !in.pods || addrs.IsEmpty() || p.resolves() ||
		known == nil && !meansCluster(addrs) || known != nil && !p.IDs(known...).Overlaps(p.meant(addrs, in)) {
		return nil
	}
	return []end{{witness: &finding.Witness{To: p.resolverName(), Port: 53, Protocol: "UDP"}}}
}

// resolves reports whether the server reaches some resolver that is a pod, or certainly the Service
// before them.
func (p *Pass) resolves() bool {
	return slices.ContainsFunc(p.Radius.To[blast.DNS].To, func(t blast.Target) bool {
		return t.Pods != "" || !t.CIDR.IsValid() && t.Verdict == reach.Allowed
	})
}

// heldInBlocks returns the pods and nodes whose addresses are known to be in a rule's private
// blocks, where the server reaches none of them.
func heldInBlocks(p *Pass, r *policy.Rule, in reading) []end {
	addrs := blocksOf(r)
	held, _ := p.Held(addrs)
	ids := p.meant(addrs, in).Intersect(held)
	if ids.IsEmpty() || !special.Private.Covers(addrs) || p.reaches(ids, written(r)) {
		return nil
	}
	e := end{names: p.endNames(ids)}
	e.witness = connection(e.names[0], written(r))
	if len(p.HoldersOf(ids, reach.Node)) > 0 {
		e.more = ", and nodes with toEntities: [host, remote-node] in a CiliumNetworkPolicy"
	}
	return []end{e}
}

// servicesInBlocks returns the Services with addresses in a rule's private blocks, where the server
// reaches none of their pods.
func servicesInBlocks(p *Pass, r *policy.Rule, _ reading) (out []end) {
	addrs := blocksOf(r)
	if !special.Private.Covers(addrs) {
		return nil
	}
	held, _ := p.Held(addrs)
	for _, n := range p.HoldersOf(held, reach.VIP) {
		svc := &p.Snapshot.Services[p.Class(n).Service]
		var behind []int
		for _, b := range p.Backends(p.Class(n).Service) {
			if !slices.Contains(p.Radius.Class, b.Class) { // the server needs no leave to call itself
				behind = append(behind, b.Class)
			}
		}
		i := slices.IndexFunc(svc.Ports, func(sp model.ServicePort) bool { return written(r).Contains(sp.Protocol, sp.Port) })
		if behind != nil && i >= 0 && !p.reaches(p.IDs(behind...), netset.AllConns) {
			name, port := svc.Namespace+"/"+svc.Name, svc.Ports[i]
			out = append(out, end{names: []string{name}, witness: &finding.Witness{To: svc.Namespace + "/Service/" + svc.Name, Port: int(port.Port), Protocol: port.Protocol.String()}})
		}
	}
	return out
}

// gatewaysInBlocks returns the gateways that a rule's blocks mean, where none of them gets in.
func gatewaysInBlocks(p *Pass, r *policy.Rule, in reading) []end {
	gateways := p.GatewaysIn(p.meant(blocksOf(r), in))
	if len(gateways) == 0 || len(p.Server.Ports) == 0 || !written(r).Contains(netset.TCP, p.Server.Ports[0]) ||
		slices.ContainsFunc(gateways, func(g int) bool { in, _ := p.enters(g); return in != nil }) {
		return nil
	}
	name := p.workloadNames(gateways[0])[0]
	return []end{{names: []string{name}, witness: &finding.Witness{From: name, To: p.Name(), Port: int(p.Server.Ports[0]), Protocol: "TCP"}}}
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
