package reach

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Program is a ground under one profile or several, compiled: for each class and direction, the table of what may pass. Tables are made
// when first asked for. A Program is safe for concurrent use.
type Program struct {
	*Ground
	*compiled
	in Worlds // the profiles of which it speaks
}

// compiled is what all views of a program share.
type compiled struct {
	profiles []cni.Profile
	all      Worlds
	says     opinions

	subjects []subjective // every rule and stance that applies somewhere, with its subject
	groups   [3][]*group  // by policy.Direction
	groupOf  [3][]int     // by policy.Direction and class

	admits  [3]admissions // by policy.Direction
	peers   sync.Map      // of selectors that name no namespace: their []match
	onTexts sync.Map      // by two Worlds: what they are in words

	homes  sync.Map // of cubes of pods that do not exist: their []stranger
	places sync.Map // of selectors of namespaces: their places

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
	host    bool    // its classes are on the host network

	unselected Worlds // where no policy isolates its classes, in either direction

	steps   func() []step    // its rules, made ready
	strange func() []segment // what these do not deny to pods that do not exist

	once  sync.Once
	table []segment
	open  []segment // what table does not deny
}

// applied is a rule as it applies to one group, more or less certainly.
type applied struct {
	rule *ruleIn
	certainty
}

// ruleIn is a rule with what it selects.
type ruleIn struct {
	*policy.Rule
	judged []branch // where its kind of policy is enforced, and it itself in force

	once    sync.Once
	peers   []match // without connections
	numbers netset.Conns
	names   []portName
	matches []match // of rules whose ports do not depend on the subject
}

// NewProgram compiles g under the given profiles, of which there may be up to [MaxProfiles].
func NewProgram(g *Ground, profiles ...cni.Profile) *Program {
	c := &compiled{profiles: profiles, all: worldsOf(len(profiles)), says: opinionsOf(profiles)}
	p := &Program{g, c, c.all}
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
	var on [3][][]byte // what applies to each class, as a key
	for _, d := range policy.Directions {
		on[d] = make([][]byte, g.classes)
	}
	hostsJudged := c.says.possible(cni.HostNetworkJudged)
	selectedIn := make([]Worlds, g.classes) // where some policy isolates a class
	note := func(d policy.Direction, sel selection, index int, worlds Worlds) {
		for at, ids := range []netset.IDs{sel.must, sel.unlabelled, sel.unsettled} {
			for run := range ids.Runs() {
				for id := run.Lo; id <= run.Hi; id++ {
					if g.holders[id].host && hostsJudged == 0 {
						continue
					}
					selectedIn[id] |= worlds
					on[d][id] = binary.AppendUvarint(on[d][id], uint64(index*int(certainties)+at))
				}
			}
		}
	}
	c.collect(g)
	for i, sub := range c.subjects {
		if sub.stance != nil {
			note(sub.stance.Dir, choose(sub.sub), i, sub.stance.worlds())
		} else {
			note(sub.rule.Dir, choose(sub.sub), i, 0)
		}
	}
	for _, d := range policy.Directions {
		c.groupOf[d] = make([]int, g.classes)
		byKey := map[string]int{}
		for n := range g.classes {
			key := string(on[d][n])
			var unselected Worlds
			if g.holders[n].host {
				key += "\x00host"
			} else if unselected = c.says.yes[cni.UnselectedDenied] &^ selectedIn[n]; unselected != 0 {
				key += fmt.Sprintf("\x00unselected %x", unselected)
			}
			if d == policy.Ingress {
				key += portsKey(g.holders[n])
			}
			at, ok := byKey[key]
			if !ok {
				at = len(c.groups[d])
				byKey[key] = at
				grp := &group{like: &g.holders[n], host: g.holders[n].host, unselected: unselected}
				for rest := on[d][n]; len(rest) > 0; {
					v, size := binary.Uvarint(rest)
					rest = rest[size:]
					sure, sub := certainty(v%uint64(certainties)), &c.subjects[v/uint64(certainties)]
					if sub.stance != nil {
						grp.stances = append(grp.stances, c.stancesOf(sub.stance, sure, grp.host)...)
					} else {
						grp.rules = append(grp.rules, applied{sub.rule, sure})
					}
				}
				slices.SortStableFunc(grp.rules, func(a, b applied) int { return compareRules(a.rule.Rule, b.rule.Rule) })
				grp.steps = sync.OnceValue(func() []step { return p.steps(grp) })
				grp.strange = sync.OnceValue(func() []segment { return p.strange(grp, d) })
				c.groups[d] = append(c.groups[d], grp)
			}
			c.groups[d][at].classes = append(c.groups[d][at].classes, n)
			c.groupOf[d][n] = at
		}
		for _, grp := range c.groups[d] {
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

// cross returns where both a branch of a and one of b hold.
func cross(a, b []branch) []branch {
	var out []branch
	for _, x := range a {
		for _, y := range b {
			if w := x.worlds & y.worlds; w != 0 {
				out = append(out, branch{w, x.cond.and(y.cond)})
			}
		}
	}
	return out
}

// within narrows matches to branches.
func within(ms []match, where []branch) []match {
	if len(where) == 1 && where[0].cond.IsZero() && !slices.ContainsFunc(ms, func(m match) bool { return !where[0].worlds.Covers(m.worlds) }) {
		return ms
	}
	var out []match
	for _, m := range ms {
		for _, b := range where {
			if w := m.worlds & b.worlds; w != 0 {
				out = append(out, match{box{m.region, m.conns, w}, m.cond.and(b.cond)})
			}
		}
	}
	return out
}

// portsKey tells classes apart that resolve port names differently.
func portsKey(h Holder) string {
	if h.ports == nil {
		return ""
	}
	return fmt.Sprint(h.ports)
}

// PublicAddress is the condition under which blocks that open the internet hold nodes and endpoints of the API server whose address is not known.
const PublicAddress = "nodes and the API server have public addresses"

var (
	// Managed clusters have such. That the address lies in the range of some service on the internet is not worth a thought, so only blocks
	// that open the internet as such match.
	publicAddress = onlyIf(PublicAddress)
	noNamespace   = onlyIf("a namespace that has no Namespace object in the input carries the labels that a policy asks for")
	noLabel       = onlyIf("a label that only the cluster sets has the value that a policy asks for")
	hostSpared    = onlyIf("policies are not enforced on pods on the host network")
)

func compareRules(a, b *policy.Rule) int {
	return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(a.Order, b.Order))
}
