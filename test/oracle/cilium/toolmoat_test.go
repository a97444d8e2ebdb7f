package cilium

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
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

// problems says what we take offence at in one manifest.
func problems(text []byte) (out []string) {
	for _, p := range source.LoadFiles(source.File{Name: "case.yaml", Data: text}).Problems {
		out = append(out, p.Rule+" "+p.Message)
	}
	return out
}

// conditional reports whether everything that one manifest says depends on something.
func conditional(text []byte) bool {
	policies := source.LoadFiles(source.File{Name: "case.yaml", Data: text}).Policies
	return !slices.ContainsFunc(policies, func(p policy.Policy) bool { return p.Only == "" })
}

// toolmoat is our own engine under the profile of Cilium.
type toolmoat struct {
	c       *cluster
	program *reach.Program
	at      map[netip.Addr][]reach.End // who has an address: all of them are to be treated alike
}

func newToolmoat(t testing.TB, c *cluster) *toolmoat {
	t.Helper()
	profile, err := cni.ByName("cilium")
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
	whole reach.Verdict
	cond  reach.Cond
	sides map[policy.Direction]reach.Side
}

func (o opinion) String() string {
	text := fmt.Sprintf("verdict %v", o.whole)
	for d, s := range o.sides {
		text += fmt.Sprintf("; %v: verdict %v, if %q", d, s.Verdict, s.Cond)
		for _, r := range s.By {
			text += fmt.Sprintf(" [%v %s]", r.Origin, r.Path)
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
			o := opinion{trace.Verdict, trace.Cond, map[policy.Direction]reach.Side{}}
			for _, s := range trace.Sides {
				o.sides[s.Dir] = s
			}
			out = append(out, o)
		}
	}
	return out
}
