package reach

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// subjective is a rule or a isolation with its subject.
type subjective struct {
	sub       policy.Subject
	rule      *ruleIn
	isolation *isolationIn
}

// dir is the direction that s is about.
func (s *subjective) dir() policy.Direction {
	if s.rule != nil {
		return s.rule.Dir
	}
	return s.isolation.Dir
}

// judged is the condition under which s is in force.
func (s *subjective) judged() when.When {
	if s.rule != nil {
		return s.rule.judged
	}
	return s.isolation.judged
}

// isolationIn is a isolation with where it holds.
type isolationIn struct {
	*policy.Isolation
	judged when.When
}

// collect lists the rules and isolations that apply somewhere, and notes in their order what they
// ask.
func (c *compiled) collect(g *Ground) {
	rank := 0
	named := map[string]int{}
	for i := range g.Snapshot.Policies {
		pol := &g.Snapshot.Policies[i]
		name := pol.Origin.Object
		if named[name]++; named[name] > 1 {
			name = fmt.Sprintf("%s #%d", name, named[name])
		}
		judged := c.inForce(pol, name, rank)
		if judged.IsNever() {
			continue
		}
		for j := range pol.Isolations {
			st := &pol.Isolations[j]
			where := c.applies(judged, st.Untyped, st.If, fmt.Sprintf("%s isolates %s %d", name, st.Dir, j), rank, st.Dir)
			if st.Untyped && !slices.ContainsFunc(pol.Rules, func(r policy.Rule) bool { return r.Dir == st.Dir && g.namesSomething(&r) }) {
				where = where.Minus(c.asks.on(c.says.yes[cni.LongestPrefixDecides]).And(c.noEntries(name, st.Dir, rank)))
			}
			c.note(ownEnd(st.Dir), &st.Subject.NS, &st.Subject.Pod, rank)
			for _, v := range c.variants(st.Subject.Pod) {
				if in := where.And(v.where); !in.IsNever() {
					c.subjects = append(c.subjects, subjective{sub: policy.Subject{NS: st.Subject.NS, Pod: v.pod}, isolation: &isolationIn{st, in}})
				}
			}
		}
		for j := range pol.Rules {
			r := &pol.Rules[j]
			rank++
			scope := fmt.Sprintf("%s %s %d", name, r.Dir, j)
			where := c.applies(judged, r.Untyped, r.If, scope, rank, r.Dir)
			c.noteRule(r, rank)
			for _, v := range c.variants(r.Subject.Pod) {
				if in := where.And(v.where); !in.IsNever() {
					c.subjects = append(c.subjects, subjective{sub: policy.Subject{NS: r.Subject.NS, Pod: v.pod}, rule: &ruleIn{Rule: r, rank: rank, scope: scope, judged: in, plain: pol.Dialect == policy.NetworkPolicy}})
				}
			}
		}
	}
}

// noteRule notes what a rule asks of labels and names, which others may ask too.
func (c *compiled) noteRule(r *policy.Rule, rank int) {
	c.note(ownEnd(r.Dir), &r.Subject.NS, &r.Subject.Pod, rank)
	for i := range r.Peers {
		switch peer := &r.Peers[i]; {
		case peer.NS != nil:
			c.note(peerEnd(r.Dir), peer.NS, peer.Pod, rank)
		case peer.Name != "":
			for _, n := range c.readings(peer.Name) {
				c.asks.note(nameID(peerEnd(r.Dir), n.name), rank)
			}
		}
	}
}

func (c *compiled) note(end when.End, ns, pod *label.Selector, rank int) {
	c.asks.note(selectedID(end, *ns, *pod), rank)
}

// variant is how a selector is understood where a condition holds.
type variant struct {
	pod   label.Selector
	where when.When
}

// maxLeftOut is up to how many labels of one selector may each be left out or not.
const maxLeftOut = 4

// variants returns the selectors that CNIs make of pod. Cilium drops labels such as
// pod-template-hash from what it matches: there, a selector that requires one matches no pod, and
// one that forbids it matches every pod.
func (c *compiled) variants(pod label.Selector) []variant {
	left := c.asks.on(c.says.yes[cni.LabelsLeftOut] | c.says.maybe[cni.LabelsLeftOut])
	if left.IsNever() {
		return []variant{{pod, when.Always}}
	}
	out := []variant{{pod, when.Always}}
	n := 0
	for _, key := range pod.Keys() {
		if cni.KeepsLabel(key) {
			continue
		}
		if n++; n > maxLeftOut { // all of the others together
			break
		}
		kept := c.asks.ask("setting labels: keeps "+key, when.Cluster, 0, "the CNI is set to keep the label "+key+", which it leaves out by default",
			"the CNI leaves out the label "+key)
		gone := left.Minus(kept)
		var next []variant
		for _, v := range out {
			next = append(next, variant{v.pod, v.where.Minus(gone)})
			without := v.pod.Without(key, label.Values.AllowsAbsent)
			if !slices.Contains(without.Keys(), key) { // else it asks for a label that no pod has
				next = append(next, variant{without, v.where.And(gone)})
			}
		}
		out = next
	}
	return out
}

// inForce is the condition under which a policy is enforced.
func (c *compiled) inForce(pol *policy.Policy, name string, rank int) when.When {
	yes, maybe := c.judging(string(pol.Dialect))
	out := c.asks.on(yes)
	if maybe != 0 {
		kind := string(pol.Dialect)
		out = out.Or(c.asks.on(maybe).And(c.asks.ask("enforced kind "+kind, when.Cluster, 0, kind+" is enforced", kind+" is not enforced")))
	}
	if selectsNodes(pol) { // the plugin refuses the whole policy where such peers are not enabled
		out = out.And(c.says.where[cni.NodeSelectors])
	}
	return out.And(c.asks.only(pol.If, name, rank, when.Cluster))
}

// applies narrows where a policy is enforced to where one of its rules or isolations applies.
func (c *compiled) applies(judged when.When, untyped bool, facts []policy.Fact, scope string, rank int, d policy.Direction) when.When {
	if untyped {
		judged = judged.And(c.says.where[cni.UntypedRulesApply])
	}
	return judged.And(c.asks.only(facts, scope, rank, peerEnd(d)))
}

func selectsNodes(pol *policy.Policy) bool {
	return slices.ContainsFunc(pol.Rules, func(r policy.Rule) bool {
		return slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.Node != nil })
	})
}

// subject is the condition under which s applies to a class that its subject selects so surely.
func (c *compiled) subject(s *subjective, sure certainty, host bool) when.When {
	out := s.judged().And(c.selects(ownEnd(s.dir()), s.sub, sure))
	if host {
		out = out.And(c.says.where[cni.HostNetworkJudged])
	}
	return out
}

// noEntries is the condition under which rules that policyTypes leaves out do not isolate: there is
// nothing to make an entry of (amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go;
// aws-network-policy-agent controllers, deriveIngressAndEgressFirewallRules).
func (c *compiled) noEntries(name string, d policy.Direction, rank int) when.When {
	return c.asks.ask("no entries: "+name+" "+d.String(), when.Cluster, rank,
		"no pod is what the rules name that policyTypes leaves out", "some pod is what the rules name that policyTypes leaves out")
}

// namesSomething reports whether a rule certainly is about some address, and some port.
func (g *Ground) namesSomething(r *policy.Rule) bool {
	if !r.AnyPort && !slices.ContainsFunc(r.Ports, func(port policy.Port) bool { return port.Name == "" }) {
		return false
	}
	return r.AnyPeer || slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool {
		if peer.Block != nil {
			return peer.If == nil
		}
		if peer.NS == nil {
			return false
		}
		for run := range g.choose(*peer.NS, *peer.Pod).must.Runs() {
			for id := run.Lo; id <= run.Hi; id++ {
				if g.holders[id].shown() {
					return true
				}
			}
		}
		return false
	})
}
