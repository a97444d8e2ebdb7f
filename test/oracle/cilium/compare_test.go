package cilium

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/u8proto"
	"sigs.k8s.io/yaml"

	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// question is one connection.
type question struct {
	from, to end
	protocol string
	port     int
}

var theirProtocol = map[string]u8proto.U8proto{"TCP": u8proto.TCP, "UDP": u8proto.UDP, "SCTP": u8proto.SCTP}

func (c *cluster) textOf(q question) string {
	return fmt.Sprintf("%s -> %s %s %d", c.text(q.from), c.text(q.to), q.protocol, q.port)
}

// questions asks for every ordered pair of ends of one family of which one is a pod, at some ports.
func (c *cluster) questions(ports []int) []question {
	var out []question
	ends := c.ends()
	for _, from := range ends {
		for _, to := range ends {
			if from.pod < 0 && to.pod < 0 || from.pod >= 0 && from.pod == to.pod || from.addr.Is4() != to.addr.Is4() {
				continue
			}
			for _, protocol := range []string{"TCP", "UDP", "SCTP"} {
				for _, p := range ports {
					out = append(out, question{from, to, protocol, p})
				}
			}
		}
	}
	return out
}

// theirs is what Cilium says of one connection: with and without what DNS may have told it, of the
// whole and of each side.
type theirs [variants]struct {
	whole answer
	sides map[policy.Direction]answer
}

func (e *engine) judge(t testing.TB, q question) theirs {
	var out theirs
	for v := range out {
		o := &out[v]
		o.whole.allowed = true
		o.sides = map[policy.Direction]answer{}
		for d, on := range map[policy.Direction][2]end{policy.Egress: {q.from, q.to}, policy.Ingress: {q.to, q.from}} {
			if on[0].pod < 0 {
				continue
			}
			a := e.ask(t, on[0].pod, on[1], d == policy.Ingress, theirProtocol[q.protocol], q.port, variant(v))
			o.sides[d] = a
			o.whole.allowed = o.whole.allowed && a.allowed
			o.whole.proxied = o.whole.proxied || a.proxied
			o.whole.by = append(o.whole.by, a.by...)
		}
	}
	return out
}

// agreement is how our answer stands to Cilium's.
type agreement int

const (
	wrong       agreement = iota // certain, and not what Cilium says
	unsure                       // not certain, for no reason
	ownNode                      // not certain, because a pod's own node is a matter of where it runs
	perhapsNode                  // not certain, because a private address may be one that a node has beside those in the input
	configured                   // not certain, because it depends on how Cilium is set up
	nameOrL7                     // not certain, because DNS or a proxy has the last word
	same                         // certain, and what Cilium says
	sameProxy                    // certain that it passes, where Cilium's proxy has the last word: the rules for the proxy leave a way round
	agreements
)

var agreementNames = [agreements]string{"wrong", "unsure without need", "own node", "perhaps a node's", "by configuration", "by name or proxy", "same", "same, by way of the proxy"}

// claim is what we say of a connection, or of one side of it: also where all is known that we leave
// open and the cluster at hand settles, by what DNS has told.
type claim struct {
	verdict reach.Verdict
	when    when.When
	settled [variants]reach.Verdict
	byNode  bool // the pod's own node is the client, which is taken to get in also where a rule denies it
}

// agree compares what we claim with Cilium's answers.
func agree(ours claim, plain, named answer, node bool) agreement {
	for v, theirs := range [variants]answer{plain, named} {
		if s := ours.settled[v]; s == reach.Allowed && !theirs.allowed && !ours.byNode || s == reach.Denied && theirs.allowed {
			return wrong
		}
	}
	switch ours.verdict {
	case reach.Allowed:
		switch {
		case plain.allowed && named.allowed:
		case ours.byNode:
			return ownNode
		default:
			return wrong
		}
		if plain.proxied {
			return sameProxy
		}
		return same
	case reach.Denied:
		if plain.allowed || named.allowed {
			return wrong
		}
		return same
	}
	switch onNode := ours.when.Asks(isNode); {
	case plain.allowed != named.allowed || plain.proxied || named.proxied || ours.when.Asks(isTaught):
		return nameOrL7
	case node && onNode:
		return ownNode
	case !node && onNode:
		return perhapsNode
	case ours.when.Asks(isSetting):
		return configured
	}
	return unsure
}

// isTaught reports whether a question is what other pods' queries have told the agent, which here is
// told all names.
func isTaught(q *when.Question) bool { return strings.HasPrefix(q.ID, "learnt from another pod") }

func isNode(q *when.Question) bool {
	return q.Kind == when.Node
}

// settings are what the facts are called that say how Cilium is set up, that a pod escapes it, or
// that a group has more blocks than the input shows.
var settings = []string{
	"setting ", "cluster name in ", "cluster has both IP families", "Service ", "CiliumCIDRGroup ",
	"labels of source ", "unmanaged", "reserved labels", "port name ", "behind a Service: ", "group at AWS", "CNI fact negativeSelectorsMatchAll",
}

func isSetting(q *when.Question) bool {
	return slices.ContainsFunc(settings, func(s string) bool {
		return strings.HasPrefix(q.ID, s) || strings.Contains(q.ID, ": "+s) // of one rule or peer
	})
}

// tally counts what a test compared.
type tally struct {
	clusters, connections, verdicts, allowed, denied int
	by                                               map[string]map[bool]int // verdicts that a feature decided, by direction and feature
	agreed                                           [agreements]int
	conds                                            map[string]int // of connections that are not certain
	settled                                          int            // how many of those are, where all is known
	shown                                            int
}

func (n *tally) String() string {
	text := fmt.Sprintf("%d clusters, %d connections, %d verdicts, %d allowed, %d denied", n.clusters, n.connections, n.verdicts, n.allowed, n.denied)
	for a, name := range agreementNames {
		text += fmt.Sprintf(", %d %s", n.agreed[a], name)
	}
	return text + fmt.Sprintf("; %d of %d connections left open are settled by the cluster, and then the same", n.settled, n.open())
}

// open is how many connections are not certain.
func (n *tally) open() int {
	open := 0
	for _, times := range n.conds {
		open += times
	}
	return open
}

// decided lists what decided how many verdicts.
func (n *tally) decided() string {
	var b strings.Builder
	for _, f := range slices.Sorted(maps.Keys(n.by)) {
		fmt.Fprintf(&b, "%s: %d allowed, %d denied\n", f, n.by[f][true], n.by[f][false])
	}
	return b.String()
}

// summary prints one line for a test, also without -v's help.
func summary(t *testing.T, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	fmt.Printf("oracle: %s: %s\n", t.Name(), line)
}

func (n *tally) credit(c *cluster, sides map[policy.Direction]answer) {
	for d, a := range sides {
		index := ingress
		if d == policy.Egress {
			index = egress
		}
		if a.by == nil {
			continue
		}
		for _, spec := range a.by {
			for f := range c.features[spec][index] {
				key := directions[index] + " " + f
				if n.by[key] == nil {
					n.by[key] = map[bool]int{}
				}
				n.by[key][a.allowed]++
			}
		}
	}
}

// maxShown bounds the cases a failing test prints in full.
const maxShown = 5

// compare asks both engines every question.
func (n *tally) compare(t *testing.T, c *cluster, questions []question) {
	t.Helper()
	n.clusters++
	if n.by == nil {
		n.by, n.conds = map[string]map[bool]int{}, map[string]int{}
	}
	e, m := newEngine(t, c), newToolmoat(t, c)
	shown := false
	for _, q := range questions {
		theirs := e.judge(t, q)
		n.connections++
		n.credit(c, theirs[unnamed].sides)
		if theirs[unnamed].whole.allowed {
			n.allowed++
		} else {
			n.denied++
		}
		for _, ours := range m.ask(t, q) {
			as, worst := compareOne(theirs, ours, q)
			for _, a := range as {
				n.verdicts++
				n.agreed[a]++
			}
			if ours.whole.verdict != reach.Allowed && ours.whole.verdict != reach.Denied {
				n.conds[ours.whole.when.String()]++
				if ours.whole.settled[unnamed] != reach.Depends {
					n.settled++
				}
			}
			if worst > unsure {
				continue
			}
			t.Fail()
			if n.shown < maxShown && !shown {
				n.shown++
				shown = true
				t.Errorf("%s\n%s", c.title, smallest(t, c, q))
			}
		}
	}
}

// compareOne returns how the verdicts of the whole and of each side agree, and the worst.
func compareOne(theirs theirs, ours opinion, q question) (as []agreement, worst agreement) {
	node := q.from.node >= 0 || q.to.node >= 0
	as = []agreement{agree(ours.whole, theirs[unnamed].whole, theirs[named].whole, node)}
	for d, s := range theirs[unnamed].sides {
		side, ok := ours.sides[d]
		if !ok {
			as = append(as, wrong)
			continue
		}
		as = append(as, agree(side, s, theirs[named].sides[d], node))
	}
	return as, slices.Min(as)
}

// smallest takes away from a cluster's policies what a difference does not need, and says what is
// left.
func smallest(t *testing.T, c *cluster, q question) string {
	differs := func(c *cluster) bool {
		e, m := newEngine(t, c), newToolmoat(t, c)
		theirs := e.judge(t, q)
		for _, ours := range m.ask(t, q) {
			if _, worst := compareOne(theirs, ours, q); worst <= unsure {
				return true
			}
		}
		return false
	}
	small := *c
	for again := true; again; {
		again = false
		for _, cut := range cuts(small.policies) {
			next := small
			next.policies = cut
			if acceptable(cut) && differs(&next) {
				small, again = next, true
				break
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", c.textOf(q))
	for v, o := range newEngine(t, &small).judge(t, q) {
		fmt.Fprintf(&b, "Cilium, %s: %v; by side %v\n", [...]string{"address without names", "address with every name"}[v], o.whole, o.sides)
	}
	for _, ours := range newToolmoat(t, &small).ask(t, q) {
		fmt.Fprintf(&b, "toolmoat: %v\n", ours)
	}
	for _, p := range []int{q.from.pod, q.to.pod} {
		if p >= 0 {
			fmt.Fprintf(&b, "pod %+v in a namespace with %v\n", c.pods[p], c.namespaces[c.pods[p].namespace])
		}
	}
	fmt.Fprintf(&b, "API server %v, groups %+v\n", c.api, c.groups)
	for _, p := range small.policies {
		text, _ := yaml.Marshal(p)
		fmt.Fprintf(&b, "---\n%s", text)
	}
	return b.String()
}

// acceptable reports whether both sides read the policies: cutting may make them invalid.
func acceptable(policies []object) bool {
	for _, p := range policies {
		text, err := yaml.Marshal(p)
		if err != nil {
			return false
		}
		if _, err := parse(text); err != nil || admit(text) != nil || len(problems(text)) > 0 {
			return false
		}
	}
	return true
}

// cuts returns policies with one thing less, each a copy.
func cuts(policies []object) [][]object {
	var out [][]object
	for i := range policies {
		out = append(out, slices.Delete(slices.Clone(policies), i, i+1))
	}
	for i := range policies {
		plain := plainCopy(policies[i])
		for k := range places(plain, "") {
			less := plainCopy(policies[i])
			p := places(less, "")[k]
			if strings.HasPrefix(p.path, ".metadata") || p.path == ".kind" || p.path == ".apiVersion" {
				continue
			}
			switch parent := p.parent.(type) {
			case map[string]any:
				delete(parent, p.key)
			case []any:
				if len(parent) < 2 {
					continue
				}
				p.cut()
			}
			next := slices.Clone(policies)
			next[i] = less
			out = append(out, next)
		}
	}
	return out
}
