package cilium

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// load reads manifests in which nothing is wrong.
func load(t testing.TB, text []byte) *model.Snapshot {
	t.Helper()
	snapshot := source.LoadFiles(source.File{Name: "case.yaml", Data: text})
	if snapshot.Problems != nil {
		t.Fatalf("toolmoat takes offence at %+v\n%s", snapshot.Problems, text)
	}
	return snapshot
}

// problems says what we take offence at in one manifest, of Cilium 1.19.
func problems(text []byte) (out []string) {
	s := source.LoadFiles(source.File{Name: "case.yaml", Data: text})
	for _, p := range s.Problems {
		out = append(out, p.Rule+" "+p.Message)
	}
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			if slices.ContainsFunc(r.If, func(f policy.Fact) bool { return f.ID == cni.TakesNewForms.FactID() && f.Not }) {
				return append(out, "a form that is new in Cilium 1.20")
			}
		}
	}
	return out
}

// conditional reports whether everything that one manifest says depends on something.
func conditional(text []byte) bool {
	policies := source.LoadFiles(source.File{Name: "case.yaml", Data: text}).Policies
	return !slices.ContainsFunc(policies, func(p policy.Policy) bool { return p.If == nil })
}

// toolmoat is our own engine under the profile of Cilium.
type toolmoat struct {
	c       *cluster
	program *reach.Program
	at      map[netip.Addr][]reach.End // who has an address: all of them are to be treated alike
}

func newToolmoat(t testing.TB, c *cluster) *toolmoat {
	t.Helper()
	profile, err := cni.ByName("cilium:1.19.1")
	if err != nil {
		t.Fatal(err)
	}
	m := &toolmoat{c: c, program: reach.NewProgram(reach.NewGround(load(t, c.manifests(t))), profile), at: map[netip.Addr][]reach.End{}}
	for n := range m.program.Holders() {
		h := m.program.Class(n)
		if h.Kind == reach.Class && !m.program.HostNetwork(n) || h.Kind == reach.VIP {
			continue
		}
		for _, a := range h.Addrs {
			if a.State == reach.KnownAddr {
				m.at[a.Addr] = append(m.at[a.Addr], reach.AtHolder(n))
			}
		}
	}
	for _, p := range c.pods {
		for _, a := range p.addrs {
			at, ok := m.program.PodAt(a)
			if !ok {
				t.Fatalf("toolmoat knows no pod at %v", a)
			}
			m.at[a] = []reach.End{reach.AtHolder(at.Class)}
		}
	}
	return m
}

func (m *toolmoat) ends(e end) []reach.End {
	if known := m.at[e.addr]; known != nil {
		return known
	}
	return []reach.End{reach.AtAddr(e.addr)}
}

var ourProtocol = map[string]netset.Protocol{"TCP": netset.TCP, "UDP": netset.UDP, "SCTP": netset.SCTP}

// opinion is what we say of one connection: of the whole, and of each side that policies judge.
type opinion struct {
	whole claim
	sides map[policy.Direction]claim
	by    map[policy.Direction][]reach.By
}

func (o opinion) String() string {
	text := fmt.Sprintf("verdict %v", o.whole.verdict)
	for d, s := range o.sides {
		text += fmt.Sprintf("; %v: verdict %v, if %q, settled %v", d, s.verdict, s.when, s.settled)
		for _, b := range o.by[d] {
			text += fmt.Sprintf(" [%v %s]", b.Rule.Origin, b.Rule.Path)
		}
	}
	return text
}

// ask explains a connection between every two holders of the addresses, one opinion for each.
func (m *toolmoat) ask(t testing.TB, q question) []opinion {
	var out []opinion
	for _, from := range m.ends(q.from) {
		for _, to := range m.ends(q.to) {
			trace := m.program.Explain(from, to, ourProtocol[q.protocol], netset.Port(q.port))
			o := opinion{m.claim(trace.Verdict, trace.When, q), map[policy.Direction]claim{}, map[policy.Direction][]reach.By{}}
			for _, s := range trace.Sides {
				o.sides[s.Dir], o.by[s.Dir] = m.claim(s.Verdict, s.When, q), s.By
			}
			out = append(out, o)
		}
	}
	return out
}

func (m *toolmoat) claim(v reach.Verdict, w when.When, q question) claim {
	out := claim{verdict: v, when: w, byNode: q.from.node >= 0 && q.from.node == m.c.nodeOf(q.to)}
	for i := range out.settled {
		out.settled[i] = m.program.Verdict(m.settled(w, q, variant(i)))
	}
	return out
}

// settled is w where both ends are on their nodes, Cilium is set up as it is by default, and DNS
// has told it no name of an address, or every one.
func (m *toolmoat) settled(w when.When, q question, v variant) when.When {
	from, to := m.c.nodeOf(q.from), m.c.nodeOf(q.to)
	switch {
	case from < 0 || to < 0:
		w = reach.OffNode(w)
	case from == to:
		w = reach.SameNode(w)
	default:
		w = reach.OtherNode(w)
	}
	for _, asked := range w.Questions() {
		if answer := m.c.answer(asked, v); answer != 0 {
			w = w.Assume(asked.Has(answer))
		}
	}
	return w
}

// answer says what is so in c of what facts ask; 0 for what is left open.
func (c *cluster) answer(q *when.Question, v variant) uint64 {
	yes := func(so bool) uint64 {
		if so {
			return when.Yes
		}
		return when.No
	}
	if _, ok := reach.NameOf(q); ok {
		return yes(v == named)
	}
	if isTaught(q) {
		return when.Yes
	}
	if names, ok := strings.CutPrefix(q.ID, "cluster name in "); ok {
		return yes(slices.Contains(strings.Split(names, ","), clusterName))
	}
	switch {
	case q.ID == "CNI fact "+cni.NegativeSelectorsMatchAll.Name(): // the default adds the label of the cluster
		return when.No
	case q.ID == "cluster has both IP families":
		return yes(c.dual)
	case strings.HasPrefix(q.ID, "setting "), strings.HasPrefix(q.ID, "port name ") && strings.HasSuffix(q.ID, " is given"),
		strings.HasPrefix(q.ID, "behind a Service: "), strings.HasSuffix(q.ID, ": unmanaged"):
		return when.No
	}
	return 0
}
