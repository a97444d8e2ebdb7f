package reach

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/label"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/parallel"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/special"
)

// Program is a ground under one profile, compiled: for each class and direction, the table of what may pass. Tables are made
// when first asked for. A Program is safe for concurrent use.
type Program struct {
	*Ground
	Profile cni.Profile

	rules   []*ruleIn
	groups  [3][]*group // by policy.Direction
	groupOf [3][]int    // by policy.Direction and class

	admits [3]admissions // by policy.Direction
	peers  sync.Map      // of selectors that name no namespace: their []match

	homes sync.Map // of cubes of pods that do not exist: their []stranger

	inOnce sync.Once
	inNS   map[int][]subjective // what can apply in a namespace; -1 for those that do not exist
}

// group is the classes to which the same rules and stances apply, in one direction.
type group struct {
	classes []int
	ids     [2]netset.IDs // the classes, by Family
	rules   []applied
	stances []stance
	like    *Holder // one of its classes, which all resolve port names alike; nil for pods that do not exist

	once  sync.Once
	table []segment
	open  []segment // what table does not deny
}

// applied is a rule as it applies to one group: for certain, or only if a label is what it may be.
type applied struct {
	rule *ruleIn
	cond Cond
}

// ruleIn is a rule with what it selects.
type ruleIn struct {
	*policy.Rule
	selected selection

	once    sync.Once
	peers   []match // without connections
	numbers netset.Conns
	names   []portName
	matches []match // of rules whose ports do not depend on the subject
}

// NewProgram compiles g under profile.
func NewProgram(g *Ground, profile cni.Profile) *Program {
	p := &Program{Ground: g, Profile: profile}
	choices := map[string]selection{}
	choose := func(sub policy.Subject) selection {
		key := sub.NS.String() + "\x00" + sub.Pod.String()
		sel, ok := choices[key]
		if !ok {
			sel = g.choose(sub.NS, sub.Pod)
			choices[key] = sel
		}
		return sel
	}
	type ref struct{ index, kind int }
	var on [3][][]byte // what applies to each class, as a key
	for _, d := range policy.Directions {
		on[d] = make([][]byte, g.classes)
	}
	note := func(d policy.Direction, sel selection, r ref) {
		for certainty, ids := range []netset.IDs{sel.must, sel.unlabelled, sel.unsettled} {
			for run := range ids.Runs() {
				for id := run.Lo; id <= run.Hi; id++ {
					at := certainty
					if g.holders[id].host && profile.Says(cni.HostNetworkJudged) != cni.Yes {
						if profile.Says(cni.HostNetworkJudged) == cni.No {
							continue
						}
						at = onHost
					}
					on[d][id] = binary.AppendUvarint(on[d][id], uint64((r.index*2+r.kind)*certainties+at))
				}
			}
		}
	}
	var stances []*policy.Stance
	for i := range g.Snapshot.Policies {
		pol := &g.Snapshot.Policies[i]
		for j := range pol.Stances {
			st := &pol.Stances[j]
			note(st.Dir, choose(st.Subject), ref{len(stances), 0})
			stances = append(stances, st)
		}
		for j := range pol.Rules {
			r := &ruleIn{Rule: &pol.Rules[j]}
			r.selected = choose(r.Subject)
			note(r.Dir, r.selected, ref{len(p.rules), 1})
			p.rules = append(p.rules, r)
		}
	}
	for _, d := range policy.Directions {
		p.groupOf[d] = make([]int, g.classes)
		byKey := map[string]int{}
		for n := range g.classes {
			key := string(on[d][n])
			if d == policy.Ingress {
				key += portsKey(g.holders[n])
			}
			at, ok := byKey[key]
			if !ok {
				at = len(p.groups[d])
				byKey[key] = at
				grp := &group{like: &g.holders[n]}
				for rest := on[d][n]; len(rest) > 0; {
					v, size := binary.Uvarint(rest)
					rest = rest[size:]
					certainty, kind, index := int(v%certainties), int(v/certainties%2), int(v/certainties/2)
					if kind == 0 {
						grp.stances = append(grp.stances, stance{stances[index], freeIf(certainty, stances[index])})
					} else {
						grp.rules = append(grp.rules, applied{p.rules[index], subjectIf(certainty)})
					}
				}
				slices.SortStableFunc(grp.rules, func(a, b applied) int { return compareRules(a.rule.Rule, b.rule.Rule) })
				p.groups[d] = append(p.groups[d], grp)
			}
			p.groups[d][at].classes = append(p.groups[d][at].classes, n)
			p.groupOf[d][n] = at
		}
		for _, grp := range p.groups[d] {
			for _, f := range Families {
				ids := make([]netset.ID, len(grp.classes))
				for i, n := range grp.classes {
					ids[i] = g.ID(n, f)
				}
				grp.ids[f] = netset.Points(ids...)
			}
		}
	}
	return p
}

// portsKey tells classes apart that resolve port names differently.
func portsKey(h Holder) string {
	if h.ports == nil {
		return ""
	}
	return fmt.Sprint(h.ports)
}

// How surely a rule or stance applies to a class.
const (
	certain    = iota
	unlabelled // the labels of its namespace are not known
	unsettled  // a label of its own is not
	onHost     // it is on the host network, and nothing tells whether policies are enforced there
	certainties
)

// PublicAddress is the condition under which blocks that open the internet hold nodes and endpoints of the API server whose address is not known.
const PublicAddress = "nodes and the API server have public addresses"

var (
	blocksMatch = onlyIf("blocks match pods")
	// Managed clusters have such. That the address lies in the range of some service on the internet is not worth a thought, so only blocks
	// that open the internet as such match.
	publicAddress = onlyIf(PublicAddress)
	hostJudged    = onlyIf("policies are enforced on pods on the host network")
	hostSpared    = onlyIf("policies are not enforced on pods on the host network")
	noNamespace   = onlyIf("a namespace that has no Namespace object in the input carries the labels that a policy asks for")
	noLabel       = onlyIf("a label that only the cluster sets has the value that a policy asks for")
	hostPeer      = onlyIf("selectors match pods on the host network")
)

func subjectIf(certainty int) Cond {
	return [...]Cond{certain: {}, unlabelled: noNamespace, unsettled: noLabel, onHost: hostJudged}[certainty]
}

func freeIf(certainty int, st *policy.Stance) Cond {
	switch certainty {
	case certain:
		return Cond{}
	case onHost:
		return hostSpared
	}
	return onlyIf(st.Origin.Object + " does not select it, which depends on a label that the input does not show")
}

// compiled returns what rule r matches, whatever the group: peers, and for egress also connections.
func (p *Program) compiled(r *ruleIn) *ruleIn {
	r.once.Do(func() {
		r.peers = p.peersOf(r.Rule)
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
				r.matches = append(r.matches, match{box{m.region, r.numbers}, m.cond})
			}
			if r.Dir == policy.Egress {
				r.matches = append(r.matches, p.namedEgress(r, m)...)
			}
		}
		sortMatches(r.matches)
	})
	return r
}

// namedEgress resolves the port names of an egress rule for each pod it may match.
func (p *Program) namedEgress(r *ruleIn, m match) []match {
	var out []match
	for _, name := range r.names {
		resolved := func(byNumber map[netset.Port][]int, cond Cond) {
			for _, number := range slices.Sorted(maps.Keys(byNumber)) {
				in := Region{IDs: m.region.IDs.Intersect(p.IDs(byNumber[number]...))}
				if !in.IsEmpty() {
					out = append(out, match{box{in, netset.ConnsOf(name.protocol, netset.PortRange(number, number))}, m.cond.and(cond)})
				}
			}
		}
		resolved(p.portNames[name].must, Cond{})
		resolved(p.portNames[name].may, sidecarPort)
		if m.region.Cubes != nil { // a pod that does not exist may give the name to any port
			out = append(out, match{box{Region{Cubes: m.region.Cubes}, netset.ConnsOf(name.protocol, netset.AllPorts)}, m.cond})
		}
	}
	return out
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
	for _, a := range g.rules {
		r := p.compiled(a.rule)
		matches := r.matches
		if r.Dir == policy.Ingress && r.names != nil {
			matches = slices.Clone(matches)
			for _, name := range r.names {
				if g.like == nil { // a pod that does not exist may give the name to any port
					for _, m := range r.peers {
						matches = append(matches, match{box{m.region, netset.ConnsOf(name.protocol, netset.AllPorts)}, m.cond})
					}
					continue
				}
				must, may := g.like.resolve(name)
				for _, number := range may {
					cond := sidecarPort
					if slices.Contains(must, number) {
						cond = Cond{}
					}
					for _, m := range r.peers {
						conns := netset.ConnsOf(name.protocol, netset.PortRange(number, number))
						matches = append(matches, match{box{m.region, conns}, m.cond.and(cond)})
					}
				}
			}
			sortMatches(matches)
		}
		if !a.cond.IsZero() {
			matches = slices.Clone(matches)
			for i := range matches {
				matches[i].cond = matches[i].cond.and(a.cond)
			}
		}
		out = append(out, step{r.Rule, matches})
	}
	return out
}

// tableOf returns the table of a class in one direction.
func (p *Program) tableOf(class int, d policy.Direction) []segment {
	return p.decided(p.groups[d][p.groupOf[d][class]], d).table
}

// openOf returns the part of a class's table that is not denied.
func (p *Program) openOf(class int, d policy.Direction) []segment {
	return p.decided(p.groups[d][p.groupOf[d][class]], d).open
}

func (p *Program) decided(g *group, d policy.Direction) *group {
	g.once.Do(func() {
		g.table = p.decide(g, d, box{p.Everything(), netset.AllConns})
		for _, seg := range g.table {
			if seg.verdict != Denied && !seg.region.IsEmpty() {
				g.open = append(g.open, seg)
			}
		}
	})
	return g
}

// Fold makes every table, on every processor. Without it, tables are made when they are asked for.
func (p *Program) Fold() {
	for _, d := range policy.Directions {
		parallel.Do(len(p.groups[d]), func(i int) { p.decided(p.groups[d][i], d) })
	}
}

// decide folds a group's rules over a region. What policies deny, a pod's own node may do in spite of them.
func (p *Program) decide(g *group, d policy.Direction, open box) []segment {
	segs := fold(open, p.steps(g), g.stances, p.hostPlan)
	if d == policy.Egress || p.Profile.Says(cni.OwnNodeMayEnter) == cni.No {
		return segs
	}
	for i, seg := range segs {
		if local := seg.region.IDs.Intersect(p.local); seg.verdict == Denied && !local.IsEmpty() {
			segs[i].region.IDs = seg.region.IDs.Minus(local)
			segs = append(segs, segment{box: box{Region{IDs: local}, seg.conns}, verdict: Depends, cond: sameNode})
		}
	}
	return segs
}

// peersOf resolves the peers of a rule to regions.
func (p *Program) peersOf(r *policy.Rule) []match {
	if r.AnyPeer {
		everything := p.Everything()
		everything.Cubes = cubesOf(label.Selector{}, label.Selector{})
		return []match{{box: box{region: everything}}}
	}
	var out []match
	var blocks []netset.Addrs
	for i := range r.Peers {
		if b := r.Peers[i].Block; b != nil {
			blocks = append(blocks, b.Addrs())
		} else {
			out = append(out, p.selectorPeer(*r.Peers[i].NS, *r.Peers[i].Pod)...)
		}
	}
	if blocks != nil {
		out = append(out, p.blockPeers(netset.Union(blocks...))...)
	}
	return out
}

// selectorPeer resolves a peer of pods. Peers that reach over namespaces are few and repeated in many, so they are kept.
func (p *Program) selectorPeer(ns, pod label.Selector) []match {
	if names, others := ns.On(label.MetadataName).Listed(); len(names) > 0 && !others {
		return p.resolvePeer(ns, pod)
	}
	key := ns.String() + "\x00" + pod.String()
	if kept, ok := p.peers.Load(key); ok {
		return kept.([]match)
	}
	out := p.resolvePeer(ns, pod)
	p.peers.Store(key, out)
	return out
}

func (p *Program) resolvePeer(ns, pod label.Selector) []match {
	sel := p.choose(ns, pod)
	hosts := p.hosts // of which it is not certain that selectors match them
	if p.Profile.Says(cni.SelectorsMatchHost) == cni.Yes {
		hosts = netset.IDs{}
	}
	certainly := Region{IDs: p.inBoth(sel.must.Minus(hosts))}
	if !ns.IsEmpty() && !pod.IsEmpty() {
		certainly.Cubes = cubesOf(ns, pod)
	}
	out := []match{{box: box{region: certainly}}}
	perhaps := func(ids netset.IDs, cond Cond) {
		if !ids.IsEmpty() {
			out = append(out, match{box{region: Region{IDs: p.inBoth(ids)}}, cond})
		}
	}
	perhaps(sel.unlabelled.Minus(hosts), noNamespace)
	perhaps(sel.unsettled.Minus(hosts), noLabel)
	if p.Profile.Says(cni.SelectorsMatchHost) == cni.Uncertain {
		perhaps(sel.may().Intersect(hosts), hostPeer)
	}
	return out
}

// smallBlock is up to how many addresses a block is asked whether others have all of them already, so that nothing unknown can be in it.
const smallBlock = 4096

// blockPeers resolves the blocks of a rule: the addresses themselves, holders whose address is known and in one, and those of which they hold all
// or part of where they may be.
func (p *Program) blockPeers(addrs netset.Addrs) []match {
	out := []match{{box: box{region: Region{Addrs: addrs}}}}
	pods := p.Pods()
	add := func(r Region, cond Cond) {
		if others := r.IDs.Minus(pods); !others.IsEmpty() {
			out = append(out, match{box{region: Region{IDs: others}}, cond})
		}
		switch r.IDs = r.IDs.Intersect(pods); p.Profile.Says(cni.BlocksMatchPods) {
		case cni.No:
			return
		case cni.Uncertain:
			cond = cond.and(blocksMatch)
		}
		if !r.IsEmpty() {
			out = append(out, match{box{region: r}, cond})
		}
	}
	add(Region{IDs: p.knownIn(addrs)}, Cond{})
	for _, f := range Families {
		strangers := []Cube{{Family: f}}
		for i, unknown := range []struct {
			Region
			plan netset.Addrs
		}{{Region{IDs: p.anywhere[f], Cubes: strangers}, p.plan[f]}, {Region{IDs: p.onNodes[f]}, p.hostPlan[f]}} {
			within := addrs.Intersect(unknown.plan)
			if i == 0 && netset.Size(within) <= smallBlock {
				within = within.Minus(p.taken)
			}
			switch {
			case within.IsEmpty():
			case within.Equal(unknown.plan):
				add(unknown.Region, Cond{})
			default:
				add(unknown.Region, Cond{Plan: within})
			}
		}
	}
	for _, f := range Families {
		if special.Broad(addrs.Intersect(familySpace[f])) {
			add(Region{IDs: p.managed[f]}, publicAddress)
		}
	}
	sortMatches(out)
	return out
}

func compareRules(a, b *policy.Rule) int {
	return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Order, b.Order))
}
