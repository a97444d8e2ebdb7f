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
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Program is a ground under one profile or several, compiled: for each class and direction, the
// table of what may pass. Tables are made when first asked for. A Program is safe for concurrent
// use.
type Program struct {
	*Ground
	*compiled
	in   Worlds    // the profiles of which it speaks
	care when.When // the cluster runs one of them
}

// compiled is what all views of a program share.
type compiled struct {
	profiles   []cni.Profile
	assume     Assumed
	all        Worlds
	areas      [kinds][2]area // where addresses lie that are not known, by Family
	says       opinions
	asks       questions
	enforced   when.When // policies are enforced, where that is not certain
	unenforced Worlds    // the profiles that enforce nothing
	anyLoose   bool      // some class runs on nodes on which perhaps nothing is enforced

	subjects []subjective // every rule and isolation that applies somewhere, with its subject
	groups   [3][]*group  // by policy.Direction
	groupOf  [3][]int     // by policy.Direction and class

	admits [3]lookup // groups by pod, by policy.Direction
	peers  sync.Map  // of selectors that name no namespace: their []match

	homes  sync.Map // of cubes of pods that do not exist: their []hypothetical
	places sync.Map // of selectors of namespaces: their places

	senders senders

	partsLock sync.Mutex
	partsOf   map[uint64]parted // by hash of a condition

	inOnce sync.Once
	inNS   map[int][]subjective // what can apply in a namespace; -1 for those that do not exist
}

// group is the classes to which the same rules and isolations apply, in one direction.
type group struct {
	dir        policy.Direction
	classes    []int
	ids        netset.IDs // the classes
	rules      []applied
	isolations []isolation
	selected   when.When // some policy isolates them, in either direction
	like       *Holder   // one of its classes, which all resolve port names alike; nil for pods that do not exist
	host       bool      // its classes are on the host network
	sharing    mates

	steps   func() []step    // its rules, made ready
	strange func() []segment // what these do not deny to pods that do not exist

	once  sync.Once
	table []segment
	open  []segment // what table does not deny
}

// applied is a rule as it applies to one group, if when holds.
type applied struct {
	rule *ruleIn
	sure certainty
	when when.When
}

// isolation is a policy that isolates the pods of one group, if when holds.
type isolation struct {
	by   *policy.Isolation
	when when.When
}

// ruleIn is a rule with what it selects.
type ruleIn struct {
	*policy.Rule
	rank   int       // its place among all rules, from 1
	scope  string    // names it in the IDs of what only it asks: policy, direction, index
	judged when.When // its kind of policy is enforced, and it itself in force
	plain  bool      // of a NetworkPolicy

	once    sync.Once
	peers   []match // without connections
	numbers netset.Conns
	names   []portName
	matches []match // of rules whose ports do not depend on the subject
}

// Assumed says what of the cluster is left open where the input does not show it.
type Assumed uint8

const (
	Worst   Assumed = iota // everything that a platform can be like
	Typical                // addresses and IP families are as clusters usually have them
)

func (a Assumed) String() string { return [...]string{Worst: "worst", Typical: "typical"}[a] }

// NewProgram compiles g under the given profiles, of which there may be up to [MaxProfiles], for
// the worst case.
func NewProgram(g *Ground, profiles ...cni.Profile) *Program { return Assuming(g, Worst, profiles...) }

// Assuming is [NewProgram] under what is assumed.
func Assuming(g *Ground, assume Assumed, profiles ...cni.Profile) *Program {
	c := &compiled{profiles: profiles, assume: assume, all: worldsOf(len(profiles)), asks: newQuestions(len(profiles))}
	c.says = opinionsOf(profiles, &c.asks)
	c.enforced = c.asks.so[cni.Enforces]
	c.unenforced = c.all &^ c.says.possible(cni.Enforces)
	c.findAreas(g)
	if assume == Typical {
		c.asks.assumeFamilies(g)
	}
	p := &Program{g, c, c.all, when.Always}
	c.collect(g)
	on := p.applying()
	for _, d := range policy.Directions {
		p.addGroups(d, on)
	}
	return p
}

// certainty is how surely a subject selects a class.
type certainty int

const (
	certain certainty = iota
	perhaps           // some label is not known
	certainties
)

// Assumed says what was assumed when p was compiled.
func (p *Program) Assumed() Assumed { return p.assume }

// applying returns what applies to each class in each direction, as a key: numbers of subjects with
// their certainty.
func (p *Program) applying() (on [3][][]byte) {
	choices := map[string]selection{}
	choose := func(sub policy.Subject) selection {
		key := sub.NS.String() + "\x00" + sub.Pod.String()
		sel, ok := choices[key]
		if !ok {
			sel = p.choose(sub.NS, sub.Pod)
			choices[key] = sel
		}
		return sel
	}
	for _, d := range policy.Directions {
		on[d] = make([][]byte, p.classes)
	}
	hostsJudged := p.says.possible(cni.HostNetworkJudged)
	for i, sub := range p.subjects {
		sel := choose(sub.sub)
		for at, ids := range []netset.IDs{sel.must, sel.perhaps} {
			for run := range ids.Runs() {
				for id := run.Lo; id <= run.Hi; id++ {
					if !p.holders[id].host || hostsJudged != 0 {
						on[sub.dir()][id] = binary.AppendUvarint(on[sub.dir()][id], uint64(i*int(certainties)+at))
					}
				}
			}
		}
	}
	return on
}

// addGroups puts the classes together to which the same applies in one direction.
func (p *Program) addGroups(d policy.Direction, on [3][][]byte) {
	p.groupOf[d] = make([]int, p.classes)
	sharing := p.findSharing()
	byKey := map[string]int{}
	for n := range p.classes {
		h := &p.holders[n]
		key := string(on[d][n])
		if h.host {
			key += "\x00host"
		} else if p.says.yes[cni.UnselectedDenied] != 0 {
			key += "\x00" + string(on[d.Opposite()][n])
		}
		if d == policy.Ingress {
			key += portsKey(h)
		}
		if h.nodes.may != 0 {
			key += fmt.Sprint("\x00nodes", h.nodes)
			p.anyLoose = true
		}
		mates := sharing[n]
		mates.classes = slices.DeleteFunc(mates.classes, func(m int) bool {
			same := string(on[d][m]) == string(on[d][n]) && string(on[d.Opposite()][m]) == string(on[d.Opposite()][n])
			return same && portsKey(&p.holders[m]) == portsKey(h)
		})
		if len(mates.classes) > 0 || mates.more {
			key += fmt.Sprint("\x00sharing", mates)
		}
		if h.mesh != noMesh {
			key += "\x00mesh" + h.mesh.String()
		}
		if h.networks != nil || h.network != "" {
			key += fmt.Sprintf("\x00networks%q%q", h.networks, h.network)
		}
		if h.scaled != "" || h.mayBeHost != "" {
			key += fmt.Sprintf("\x00there%q%q", h.scaled, h.mayBeHost)
		}
		at, ok := byKey[key]
		if !ok {
			at = len(p.groups[d])
			byKey[key] = at
			made := p.groupOn(d, h, on[d][n], on[d.Opposite()][n])
			made.sharing = mates
			p.groups[d] = append(p.groups[d], made)
		}
		p.groups[d][at].classes = append(p.groups[d][at].classes, n)
		p.groupOf[d][n] = at
	}
	for _, grp := range p.groups[d] {
		ids := make([]netset.ID, len(grp.classes))
		for i, n := range grp.classes {
			ids[i] = netset.ID(n)
		}
		grp.ids = netset.Points(ids...)
	}
}

// groupOn makes the group of classes like h, from the keys of what applies to it in its direction
// and in the opposite one.
func (p *Program) groupOn(d policy.Direction, h *Holder, on, opposite []byte) *group {
	grp := &group{dir: d, like: h, host: h.host, selected: when.Never}
	for sub, sure := range p.decode(on) {
		where := p.subject(sub, sure, h.host)
		if sub.isolation != nil {
			grp.isolations = append(grp.isolations, isolation{sub.isolation.Isolation, where})
			grp.selected = grp.selected.Or(where)
		} else {
			grp.rules = append(grp.rules, applied{sub.rule, sure, where})
		}
	}
	for sub, sure := range p.decode(opposite) {
		if sub.isolation != nil && p.says.yes[cni.UnselectedDenied] != 0 {
			grp.selected = grp.selected.Or(p.subject(sub, sure, h.host))
		}
	}
	sortRules(grp.rules)
	p.prepare(grp)
	return grp
}

// prepare says how a group's rules are made ready, once.
func (p *Program) prepare(g *group) {
	g.steps = sync.OnceValue(func() []step { return p.steps(g) })
	g.strange = sync.OnceValue(func() []segment { return p.strange(g) })
}

// decode yields the subjects that a key names.
func (p *Program) decode(key []byte) func(func(*subjective, certainty) bool) {
	return func(yield func(*subjective, certainty) bool) {
		for len(key) > 0 {
			v, size := binary.Uvarint(key)
			key = key[size:]
			if !yield(&p.subjects[v/uint64(certainties)], certainty(v%uint64(certainties))) {
				return
			}
		}
	}
}

func sortRules(rules []applied) {
	slices.SortStableFunc(rules, func(a, b applied) int {
		return cmp.Or(cmp.Compare(a.rule.Tier, b.rule.Tier), cmp.Compare(a.rule.Order, b.rule.Order))
	})
}

// within narrows matches to where.
func within(ms []match, where when.When) []match {
	if where.IsAlways() {
		return ms
	}
	var out []match
	for _, m := range ms {
		if m.when = m.when.And(where); !m.when.IsNever() {
			out = append(out, m)
		}
	}
	return out
}

// portsKey tells classes apart that resolve port names differently.
func portsKey(h *Holder) string {
	if h.ports == nil {
		return ""
	}
	return fmt.Sprint(h.ports)
}

// selects is the condition that a subject selects a class, which it does so surely.
func (c *compiled) selects(end when.End, sub policy.Subject, sure certainty) when.When {
	if sure == certain {
		return when.Always
	}
	return c.asks.selected(end, sub.NS, sub.Pod)
}
