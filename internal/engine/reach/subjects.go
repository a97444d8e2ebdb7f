package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// subjective is a rule or a stance with its subject.
type subjective struct {
	sub    policy.Subject
	rule   *ruleIn
	stance *stanceIn
}

// dir is the direction that s is about.
func (s *subjective) dir() policy.Direction {
	if s.rule != nil {
		return s.rule.Dir
	}
	return s.stance.Dir
}

// stanceIn is a stance with where it holds.
type stanceIn struct {
	*policy.Stance
	where []branch
	idle  bool // it isolates only if some pod is what its rules name, where the longest block decides
}

func (s *stanceIn) worlds() (all Worlds) {
	for _, b := range s.where {
		all |= b.worlds
	}
	return all
}

// collect lists the rules and stances that apply somewhere.
func (c *compiled) collect(g *Ground) {
	for i := range g.Snapshot.Policies {
		pol := &g.Snapshot.Policies[i]
		judged := c.inForce(pol)
		if judged == nil {
			continue
		}
		for j := range pol.Stances {
			st := &pol.Stances[j]
			idle := st.Untyped && !slices.ContainsFunc(pol.Rules, func(r policy.Rule) bool { return r.Dir == st.Dir && g.namesSomething(&r) })
			for _, v := range c.variants(st.Subject.Pod) {
				if where := cross(c.applying(judged, st.Untyped, st.Only), v.where); where != nil {
					c.subjects = append(c.subjects, subjective{sub: policy.Subject{NS: st.Subject.NS, Pod: v.pod}, stance: &stanceIn{st, where, idle}})
				}
			}
		}
		for j := range pol.Rules {
			r := &pol.Rules[j]
			for _, v := range c.variants(r.Subject.Pod) {
				if where := cross(c.applying(judged, r.Untyped, r.Only), v.where); where != nil {
					c.subjects = append(c.subjects, subjective{sub: policy.Subject{NS: r.Subject.NS, Pod: v.pod}, rule: &ruleIn{Rule: r, judged: where}})
				}
			}
		}
	}
}

// variant is how a selector is understood in some worlds.
type variant struct {
	pod   label.Selector
	where []branch
}

// variants returns how a selector of pods is understood: where labels that the platform sets are left out, what asks for one finds nothing, and what
// asks for its absence finds everything.
func (c *compiled) variants(pod label.Selector) []variant {
	whole := variant{pod, []branch{{worlds: c.all}}}
	left := c.says.possible(cni.LabelsLeftOut)
	if left == 0 {
		return []variant{whole}
	}
	out := []variant{whole}
	without, unseen := pod, ""
	for _, key := range pod.Keys() {
		if !cni.KeepsLabel(key) {
			unseen = key
			without = without.Without(key, label.Values.AllowsAbsent)
		}
	}
	if unseen == "" {
		return out
	}
	kept := "the plugin is set to keep the label " + unseen + ", which it leaves out by default"
	out[0].where = []branch{{left, onlyIf(kept)}}
	if others := c.all &^ left; others != 0 {
		out[0].where = append(out[0].where, branch{worlds: others})
	}
	if !slices.ContainsFunc(without.Keys(), func(key string) bool { return !cni.KeepsLabel(key) }) {
		out = append(out, variant{without, []branch{{left, onlyIf(opposite(kept))}}})
	}
	return out
}

// inForce returns the worlds in which a policy is enforced, and those in which it perhaps is; nil where it never is.
func (c *compiled) inForce(pol *policy.Policy) []branch {
	yes, maybe := c.judging(string(pol.Dialect))
	out := branches(yes, maybe, onlyIf(string(pol.Dialect)+" is enforced"))
	if selectsNodes(pol) { // the plugin refuses the whole policy where such peers are not enabled
		out = cross(out, c.says.where(cni.NodeSelectors))
	}
	if pol.Only != "" {
		out = cross(out, []branch{{c.all, onlyIf(pol.Only)}})
	}
	return out
}

// applying narrows where a policy is enforced to where one of its rules or stances applies.
func (c *compiled) applying(judged []branch, untyped bool, only string) []branch {
	if untyped {
		judged = cross(judged, c.says.where(cni.UntypedRulesApply))
	}
	if only != "" {
		judged = cross(judged, []branch{{c.all, onlyIf(only)}})
	}
	return judged
}

func selectsNodes(pol *policy.Policy) bool {
	return slices.ContainsFunc(pol.Rules, func(r policy.Rule) bool {
		return slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.Node != nil })
	})
}

// certainty is how surely a rule or stance applies to a class.
type certainty int

const (
	certain    certainty = iota
	unlabelled           // the labels of its namespace are not known
	unsettled            // a label of its own is not
	certainties
)

// subject returns when something with such a subject applies to a class that has such certainty.
func (c *compiled) subject(sure certainty, host bool) []branch {
	out := []branch{{c.all, [...]Cond{certain: {}, unlabelled: noNamespace, unsettled: noLabel}[sure]}}
	if host {
		out = cross(out, c.says.where(cni.HostNetworkJudged))
	}
	return out
}

// stancesOf returns st as it holds for a class, world by world.
func (c *compiled) stancesOf(st *stanceIn, sure certainty, host bool) []stance {
	var free Cond
	if sure != certain {
		free = onlyIf(st.Origin.Object + " does not select it, which depends on a label that the input does not show")
	}
	var out []stance
	for _, b := range st.where {
		var idle Cond
		if !b.cond.IsZero() {
			idle = onlyIf(opposite(b.cond.String()))
		}
		for _, h := range c.hostBranches(host) {
			w, empty := b.worlds&h.worlds, Worlds(0)
			if st.idle {
				empty = w & c.says.yes[cni.LongestPrefixDecides]
			}
			if empty != 0 {
				out = append(out, stance{st.Stance, empty, free.or(idle).or(h.cond).or(noEntries)})
			}
			if w &^= empty; w != 0 {
				out = append(out, stance{st.Stance, w, free.or(idle).or(h.cond)})
			}
		}
	}
	return out
}

// noEntries is when rules that policyTypes leaves out do not isolate: there is nothing to make an entry of
// (amazon-network-policy-controller-k8s pkg/resolvers/endpoints.go; aws-network-policy-agent controllers, deriveIngressAndEgressFirewallRules).
var noEntries = onlyIf("no pod is what the rules name that policyTypes leaves out")

// namesSomething reports whether a rule certainly is about some address, and some port.
func (g *Ground) namesSomething(r *policy.Rule) bool {
	if !r.AnyPort && !slices.ContainsFunc(r.Ports, func(port policy.Port) bool { return port.Name == "" }) {
		return false
	}
	return r.AnyPeer || slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool {
		if peer.Block != nil {
			return peer.Only == ""
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

// hostBranches says where policies are enforced on a pod, with when they are not; everywhere, if it is not on the host network.
func (c *compiled) hostBranches(host bool) []branch {
	if !host {
		return []branch{{worlds: c.all}}
	}
	return branches(c.says.yes[cni.HostNetworkJudged], c.says.maybe[cni.HostNetworkJudged], hostSpared)
}
