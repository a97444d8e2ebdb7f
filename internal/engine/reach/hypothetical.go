package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Hypothetical is a set of pods that do not exist and could: all that carry such labels in such
// namespaces, over Conns, if When holds.
type Hypothetical struct {
	Namespace string         // an existing namespace; "" for one that does not exist
	NS        label.Selector // what a namespace that does not exist must carry
	Pod       label.Selector // what the pod must carry
	Conns     netset.Conns   // none: too many kinds of pods to tell apart
	When      when.When
	Verdict   Verdict // of When, under the profiles of the program
	Egress    []By
	Ingress   []By
}

// Hypothetical returns the pods that do not exist which class could connect to (Egress), or which
// could connect to it (Ingress). Pods of existing namespaces other than the class's own are left
// out where the same pods of a namespace that does not exist can do as much: they add nothing to
// what an attacker with some namespace can do.
func (p *Program) Hypothetical(class int, d policy.Direction) []Hypothetical {
	var out []Hypothetical
	meet := p.meet(p.holders[class].existence(), existence{state: p.states})
	for _, seg := range p.seen(p.groupFor(class, d).strange()) {
		if seg.pass = seg.pass.And(meet); seg.pass.IsNever() {
			continue
		}
		for _, c := range seg.ends.Cubes {
			out = append(out, p.inCube(class, d, seg, c)...)
		}
	}
	return out
}

// inCube returns the pods of one cube that get through on both sides.
func (p *Program) inCube(class int, d policy.Direction, seg segment, c Cube) []Hypothetical {
	var out []Hypothetical
	in := p.placesOf(c.NS)
	asMuch := false // a pod in a new namespace can do everything that seg allows
	if !in.newNamespaces.IsEmpty() {
		out = p.hypotheticals(class, d, seg, -1, Cube{in.newNamespaces, c.Pod})
		asMuch = in.anyName && len(out) == 1 && out[0].Pod.Equal(c.Pod) && out[0].NS.Equal(in.newNamespaces) && out[0].Conns.Equal(seg.conns) &&
			out[0].When.Equal(p.narrow(seg.pass.AnyFamily()))
	}
	for _, i := range in.all {
		if i != p.holders[class].namespace && asMuch {
			continue
		}
		at := seg
		if slices.Contains(in.may, i) {
			at.pass = at.pass.And(p.asks.selected(peerEnd(d), c.NS, label.Selector{}))
		}
		out = append(out, p.hypotheticals(class, d, at, i, Cube{label.Selector{}, c.Pod})...)
	}
	return out
}

// places is the namespaces that a selector possibly selects.
type places struct {
	all, may      []int          // those that exist, and those of them that it perhaps does not select
	newNamespaces label.Selector // those that do not exist
	anyName       bool           // whatever they are called
}

// placesOf is asked about the same few selectors by many classes.
func (p *Program) placesOf(ns label.Selector) places {
	key := ns.String()
	if kept, ok := p.places.Load(key); ok {
		return kept.(places)
	}
	must, may := p.chooseNamespaces(ns)
	in := places{all: slices.Concat(must, may), may: may, newNamespaces: ns.And(p.newNamespaces)}
	_, in.anyName = ns.On(label.MetadataName).Listed()
	p.places.Store(key, in)
	return in
}

// SettleHypothetical leaves out hypotheticals that another one stands for anyway: of the same pods,
// over as many connections, wherever they hold.
func SettleHypothetical(in []Hypothetical) []Hypothetical {
	type who struct{ namespace, ns, pod string }
	same := map[who][]int{}
	keys := make([]who, len(in))
	for i, s := range in {
		keys[i] = who{s.Namespace, s.NS.String(), s.Pod.String()}
		same[keys[i]] = append(same[keys[i]], i)
	}
	var out []Hypothetical
	for i, s := range in {
		if !slices.ContainsFunc(same[keys[i]], func(j int) bool { return j != i && s.covered(in[j]) && (j < i || !in[j].covered(s)) }) {
			out = append(out, s)
		}
	}
	return out
}

// covered reports whether t, which is of the same pods, says at least as much as s.
func (s Hypothetical) covered(t Hypothetical) bool {
	return t.Conns.Covers(s.Conns) && s.When.Implies(t.When) && !s.Conns.IsEmpty()
}

// HypotheticalIn narrows s to the profiles that p speaks of; ok is false if it holds under none.
func (p *Program) HypotheticalIn(s Hypothetical) (in Hypothetical, ok bool) {
	s.When, s.Egress, s.Ingress = p.narrow(s.When), p.narrowBy(s.Egress), p.narrowBy(s.Ingress)
	s.Verdict = p.Verdict(s.When)
	return s, !s.When.IsNever()
}

// hypotheticals asks the policies that would apply to the pods of one cube for their side. ns is
// the index of an existing namespace, or -1 for new ones that satisfy in.NS.
func (p *Program) hypotheticals(class int, d policy.Direction, seg segment, ns int, in Cube) []Hypothetical {
	homes := p.homesOf(ns, d.Opposite(), in)
	if homes == nil {
		return []Hypothetical{{Namespace: p.nameOf(ns), NS: in.NS, Pod: in.Pod, Verdict: Unknown, When: p.asks.unknown("too many kinds of pods to tell apart")}}
	}
	var out []Hypothetical
	for _, h := range homes {
		for _, back := range h.open {
			conns, passes := back.conns.Intersect(seg.conns), seg.pass.And(back.pass)
			if conns.IsEmpty() || passes.IsNever() || !back.ends.IDs.Contains(netset.ID(class)) {
				continue
			}
			s := Hypothetical{Namespace: p.nameOf(ns), NS: h.ns, Pod: h.pod, Conns: conns, When: passes.AnyFamily(), Egress: seg.by, Ingress: back.by}
			if d == policy.Ingress {
				s.Egress, s.Ingress = s.Ingress, s.Egress
			}
			if s, ok := p.HypotheticalIn(s); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

// home is where pods that do not exist may live, and the direction in which they are asked.
type home struct {
	ns       int
	d        policy.Direction
	nss, pod string
}

// homesOf splits the pods of a cube by the policies that would apply to them, with what those let
// through; nil if there are too many kinds. Many classes ask about the same cubes.
func (p *Program) homesOf(ns int, d policy.Direction, in Cube) []hypothetical {
	key := home{ns, d, in.NS.String(), in.Pod.String()}
	if kept, ok := p.homes.Load(key); ok {
		return kept.([]hypothetical)
	}
	homes := []hypothetical{{ns: in.NS, pod: in.Pod}}
	for _, a := range p.about(ns, d) {
		if homes = p.refine(homes, ns, a); len(homes) > maxCubes {
			homes = nil
			break
		}
	}
	for i := range homes {
		h := &homes[i]
		sortRules(h.rules)
		for _, seg := range p.decide(p.hypotheticalGroup(h, d), Region{IDs: p.Pods()}, netset.AllConns) {
			if !seg.pass.IsNever() {
				h.open = append(h.open, seg)
			}
		}
	}
	p.homes.Store(key, homes)
	return homes
}

// hypotheticalGroup is the group of pods that do not exist. Whether a policy selects them in the
// other direction is not asked: they count as selected.
func (p *Program) hypotheticalGroup(h *hypothetical, d policy.Direction) *group {
	g := &group{dir: d, rules: h.rules, isolations: h.isolations}
	p.prepare(g)
	return g
}

func (p *Program) nameOf(ns int) string {
	if ns < 0 {
		return ""
	}
	return p.namespaces[ns].Name
}

// hypothetical is a set of hypothetical pods with the rules that apply to all of them.
type hypothetical struct {
	ns, pod    label.Selector
	rules      []applied
	isolations []isolation
	open       []segment // what these do not deny, for every class
}

// about returns the rules and isolations that can apply to pods of a namespace, or with -1 of a
// namespace that does not exist.
func (p *Program) about(ns int, d policy.Direction) []subjective {
	var out []subjective
	for _, s := range p.subjectsIn(ns) {
		if s.dir() == d {
			out = append(out, s)
		}
	}
	return out
}

// subjectsIn lists, once for each namespace, what can apply in it.
func (p *Program) subjectsIn(ns int) []subjective {
	p.inOnce.Do(func() {
		p.inNS = map[int][]subjective{}
		for _, s := range p.subjects {
			p.file(s)
		}
	})
	return p.inNS[ns]
}

func (p *Program) file(s subjective) {
	must, may := p.chooseNamespaces(s.sub.NS)
	for _, i := range slices.Concat(must, may) {
		p.inNS[i] = append(p.inNS[i], s)
	}
	if !s.sub.NS.And(p.newNamespaces).IsEmpty() {
		p.inNS[-1] = append(p.inNS[-1], s)
	}
}

// refine splits homes by whether s applies.
func (p *Program) refine(homes []hypothetical, ns int, s subjective) []hypothetical {
	var out []hypothetical
	for _, h := range homes {
		sub, sure := s.sub.NS, certain
		if ns >= 0 {
			if must, _ := s.sub.NS.Match(p.namespaces[ns].Labels); !must {
				sure = perhaps
			}
			sub = label.Selector{}
		}
		for _, rest := range h.ns.Minus(sub) {
			out = append(out, hypothetical{ns: rest, pod: h.pod, rules: h.rules, isolations: h.isolations})
		}
		in := h.ns.And(sub)
		if in.IsEmpty() {
			continue
		}
		for _, rest := range h.pod.Minus(s.sub.Pod) {
			out = append(out, hypothetical{ns: in, pod: rest, rules: h.rules, isolations: h.isolations})
		}
		pod := h.pod.And(s.sub.Pod)
		if pod.IsEmpty() {
			continue
		}
		hit := hypothetical{ns: in, pod: pod, rules: h.rules, isolations: h.isolations}
		if where := p.subject(&s, sure, false); s.rule != nil {
			hit.rules = append(slices.Clip(h.rules), applied{s.rule, sure, where})
		} else {
			hit.isolations = append(slices.Clip(h.isolations), isolation{s.isolation.Isolation, where})
		}
		out = append(out, hit)
	}
	return out
}
