package reach

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// questions is everything that the engine asks about a world. It is the only file that makes
// questions, so that each names its end and all that its answer depends on: two that might differ
// never share an ID. docs/design/2026-11-30-conditions-are-values.md lists them.
type questions struct {
	space  *when.Space
	ranks  map[string]int // when the rules first ask a fact, by ID
	family *when.Question
	cni    *when.Question
	has    [2]when.When // pods and Services have addresses of a family, where that is not known

	nodesHave [2]when.When // likewise, nodes and the API server
	so        [cni.Questions]when.When
	said      map[string]when.When // what profiles say of facts that policies depend on, by ID
}

// The answers to the question on which node an end is.
const (
	ownNode   uint64 = 1 // on that of the other end
	otherNode uint64 = 2
	noNode    uint64 = 4 // on none: an address that no node has, an API server outside of the cluster
)

// nodeNames are these answers in JSON.
var nodeNames = []string{"same", "other", "none"}

// What a policy does that could not be judged.
const (
	mayAllow uint64 = 1
	mayDeny  uint64 = 2
	maySkip  uint64 = 4
)

func newQuestions(profiles int) questions {
	q := questions{space: when.NewSpace(), ranks: map[string]int{}, said: map[string]when.When{}}
	q.family = q.space.Ask(when.Question{ID: "IP family", Kind: when.Family, All: when.Answers{Bits: 3}, Words: []string{1: "it is over IPv4", 2: "it is over IPv6"}})
	q.cni = q.space.Ask(when.Question{ID: "CNI", Kind: when.CNI, All: when.Answers{Bits: uint64(worldsOf(profiles))}})
	for _, f := range Families {
		q.has[f] = q.space.Fact("cluster has "+f.String(), when.Cluster, 0, "pods have "+f.String()+" addresses", "pods have no "+f.String()+" addresses").Has(when.Yes)
		q.nodesHave[f] = q.space.Fact("nodes have "+f.String(), when.Cluster, 0, "nodes have "+f.String()+" addresses", "nodes have no "+f.String()+" addresses").Has(when.Yes)
	}
	for c := range cni.Questions {
		q.so[c] = q.space.Fact(c.FactID(), when.Cluster, 0, c.String(), c.Not()).Has(when.Yes)
	}
	return q
}

// peerEnd is the end that a direction's rules name, ownEnd the one whose rules they are.
func peerEnd(d policy.Direction) when.End {
	return [...]when.End{policy.Ingress: when.Source, policy.Egress: when.Destination}[d]
}

func ownEnd(d policy.Direction) when.End { return peerEnd(d.Opposite()) }

// word is how texts name an end.
func word(end when.End) string {
	return [...]string{when.Destination: "{dst}", when.Via: "{via}", when.Source: "{src}"}[end]
}

func endName(end when.End) string {
	return [...]string{when.Cluster: "", when.Destination: "dst", when.Via: "via", when.Source: "src"}[end]
}

// over is the condition that the client uses one family.
func (q *questions) over(f Family) when.When { return q.family.Has(1 << f) }

// on is the condition that the cluster runs one of some CNIs.
func (q *questions) on(w Worlds) when.When { return q.cni.Has(uint64(w)) }

// address asks for the address of an end in a family, where it is one of a kind whose addresses are
// not known.
func (q *questions) address(end when.End, k kind, f Family, at areaOn) *when.Question {
	id := fmt.Sprintf("%s address of %s, of %s", f, endName(end), k)
	if at.name != "" {
		id += " on " + at.name
	}
	return q.space.Ask(when.Question{ID: id, Kind: when.Address, End: end, All: when.Answers{Addrs: at.addrs}})
}

// maskedAddress asks from which address of the pods' range a node connects.
func (q *questions) maskedAddress(f Family, at areaOn) *when.Question {
	id := fmt.Sprintf("%s address in the pods' range of src", f)
	if at.name != "" {
		id += " on " + at.name
	}
	return q.space.Ask(when.Question{ID: id, Kind: when.Address, End: when.Source, All: when.Answers{Addrs: at.addrs}, Who: "what the node sends"})
}

// node is the condition on which node an end is. Whether it may be on none depends on what it is:
// anything is the domain.
func (q *questions) node(end when.End, domain, in uint64) when.When {
	own, other := when.Destination, when.Source
	if end == when.Source {
		own, other = when.Source, when.Destination
	}
	words := make([]string, 8)
	if domain&noNode == 0 { // the same question from both ends
		words[ownNode], words[otherNode] = "{src} and {dst} are on the same node", "{src} and {dst} are on different nodes"
		return q.space.Ask(when.Question{ID: "node", Kind: when.Node, End: when.Destination, All: when.Answers{Bits: domain}, Words: words, Names: nodeNames}).Has(in)
	}
	words[ownNode] = word(own) + " is on the node of " + word(other)
	words[otherNode] = word(own) + " is on another node than " + word(other)
	words[noNode] = word(own) + " is on no node of the cluster"
	words[ownNode|otherNode] = word(own) + " is on a node of the cluster"
	words[ownNode|noNode] = word(own) + " is not on another node than " + word(other)
	words[otherNode|noNode] = word(own) + " is not on the node of " + word(other)
	return q.space.Ask(when.Question{ID: "node or none of " + endName(end), Kind: when.Node, End: end, All: when.Answers{Bits: domain}, Words: words, Names: nodeNames}).Has(in)
}

// ask makes a fact. Its rank is that of the first rule that mentions it, or rank if none was noted.
func (q *questions) ask(id string, end when.End, rank int, yes, no string) when.When {
	if first, ok := q.ranks[id]; ok {
		rank = first
	}
	return q.space.Fact(id, end, rank, yes, no).Has(when.Yes)
}

// there is the condition that there are pods like h, which is nil for those that do not exist.
func (q *questions) there(h *Holder) when.When {
	out := when.Always
	if h == nil {
		return out
	}
	if pod := h.scaled; pod != "" {
		out = q.ask("scaled to have "+pod, when.Cluster, 0, "the StatefulSet is scaled to have the pod "+pod, "the StatefulSet is not scaled to have the pod "+pod)
	}
	if pod := h.mayBeHost; pod != "" {
		host := q.ask("on the host network: "+pod, when.Cluster, 0, pod+" is on the host network", pod+" is not on the host network")
		if !h.host {
			host = host.Not()
		}
		out = out.And(host)
	}
	return out
}

// note says when a fact is first asked.
func (q *questions) note(id string, rank int) {
	if _, ok := q.ranks[id]; !ok {
		q.ranks[id] = rank
	}
}

// selectedID names the fact that an end satisfies a pair of selectors.
func selectedID(end when.End, ns, pod label.Selector) string {
	return "labels of " + endName(end) + ": namespace {" + ns.String() + "} pod {" + pod.String() + "}"
}

// selected is the condition that an end satisfies a pair of selectors, where its labels do not
// tell.
func (q *questions) selected(end when.End, ns, pod label.Selector) when.When {
	labels, in := "labels "+pod.String(), "a namespace labelled "+ns.String()
	if names, others := ns.On(label.MetadataName).Listed(); len(names) == 1 && !others && len(ns.Keys()) == 1 {
		in = "namespace " + names[0]
	}
	yes, no := word(end)+" has "+labels, word(end)+" does not have "+labels
	switch {
	case pod.SelectsAll():
		yes, no = word(end)+" is in "+in, word(end)+" is not in "+in
	case !ns.SelectsAll():
		yes, no = yes+" and is in "+in, no+" or is not in "+in
	}
	return q.ask(selectedID(end, ns, pod), end, 0, yes, no)
}

func nameID(end when.End, name netset.Name) string {
	return "name of " + endName(end) + ": " + string(name)
}

// named is the condition that a host name resolves to the address of an end. Whoever owns an
// address can give it a name, so that the pattern of every name is no condition.
func (q *questions) named(end when.End, name netset.Name, rank int) when.When {
	if name.IsEvery() {
		return when.Always
	}
	return q.ask(nameID(end, name), end, rank, string(name)+" resolves to "+word(end), string(name)+" does not resolve to "+word(end))
}

// taught is the condition that the client's node knows the addresses of names which the client
// itself cannot make it learn: one of those that it may not ask for, or "" for all of them.
func (q *questions) taught(name netset.Name, rank int) when.When {
	id, why := "learnt from another pod", ": no rule with rules.dns inspects the queries of {src}"
	if name != "" {
		id, why = id+": "+string(name), why+" for "+string(name)
	}
	return q.ask(id, when.Source, rank,
		"Cilium knows the address from another pod's DNS query"+why, "Cilium does not know the address from another pod's DNS query"+why)
}

// NameOf returns the host name that a question is about.
func NameOf(q *when.Question) (name netset.Name, ok bool) {
	for _, end := range []when.End{when.Destination, when.Source} {
		if text, found := strings.CutPrefix(q.ID, nameID(end, "")); found {
			return netset.Name(text), true
		}
	}
	return "", false
}

// only is the condition that facts hold which a policy, a rule or a peer needs. scope names whose
// they are; end is what {peer} stands for.
func (q *questions) only(facts []policy.Fact, scope string, rank int, end when.End) when.When {
	all := when.Always
	for _, f := range facts {
		id, of := f.ID, when.Cluster
		if !f.Cluster {
			id, of = scope+": "+f.ID, end
		}
		place := strings.NewReplacer("{peer}", word(end))
		one, ok := q.said[id]
		if !ok {
			one = q.ask(id, of, rank, place.Replace(f.Yes), place.Replace(f.No))
		}
		if f.Not {
			one = one.Not()
		}
		all = all.And(one)
	}
	return all
}

// judged is what an unjudged rule does: the condition that it allows, and the one that it says
// nothing.
func (q *questions) judged(r *ruleIn) (allows, silent when.When) {
	name, it := cmp.Or(r.Origin.Object, r.Origin.Pos()), [...]string{policy.Ingress: "the ingress of {dst}", policy.Egress: "the egress of {src}"}[r.Dir]
	words := make([]string, 8)
	for set, verb := range map[uint64]string{mayAllow: "allows", mayDeny: "denies", maySkip: "says nothing about",
		mayAllow | maySkip: "does not deny", mayAllow | mayDeny: "speaks about", mayDeny | maySkip: "does not allow"} {
		words[set] = name + " " + verb + " " + it
	}
	asked := q.space.Ask(when.Question{ID: "unjudged: " + r.scope, Kind: when.Unjudged, Of: name, Rank: r.rank,
		All: when.Answers{Bits: mayAllow | mayDeny | maySkip}, Words: words, Names: []string{"allows", "denies", "nothing"}})
	return asked.Has(mayAllow), asked.Has(maySkip)
}

// unknown is a question without an answer: something that is too much to be told apart.
func (q *questions) unknown(what string) when.When {
	words := []string{when.No: what, when.Yes: what}
	return q.space.Ask(when.Question{ID: "unknown: " + what, Kind: when.Unjudged, All: when.Answers{Bits: when.Yes | when.No}, Words: words}).Has(when.Yes)
}

// PrefixText lists prefixes, at most n of them and how many more there are. A single address is
// written without its length.
func PrefixText(prefixes []netip.Prefix, n int) string {
	var b strings.Builder
	for i, p := range prefixes {
		if i == n {
			fmt.Fprintf(&b, " and %d more", len(prefixes)-n)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if p.IsSingleIP() {
			b.WriteString(p.Addr().String())
		} else {
			b.WriteString(p.String())
		}
	}
	return b.String()
}
