package oracle

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// load reads manifests in which nothing is wrong.
func load(t *testing.T, text []byte) *model.Snapshot {
	t.Helper()
	snapshot := source.LoadFiles(source.File{Name: "case.yaml", Data: text})
	if snapshot.Problems != nil {
		t.Fatalf("toolmoat takes offence at %+v\n%s", snapshot.Problems, text)
	}
	return snapshot
}

// read decodes the one object in text and says what is wrong with it. It also checks that a policy
// stands in the snapshot in either case: what is refused must widen the answer, not vanish.
func read(t *testing.T, text []byte) (policies []policy.Policy, problems []string) {
	t.Helper()
	snapshot := source.LoadFiles(source.File{Name: "case.yaml", Data: text})
	for _, p := range snapshot.Problems {
		problems = append(problems, p.Rule+" "+p.Message)
	}
	unjudged := slices.ContainsFunc(snapshot.Policies, func(p policy.Policy) bool {
		return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { return r.Action == policy.Unjudged })
	})
	if unjudged != (problems != nil) || len(snapshot.Policies) == 0 {
		t.Errorf("%d problems, %d policies, one of them unjudged: %t\n%s", len(problems), len(snapshot.Policies), unjudged, text)
	}
	return snapshot.Policies, problems
}

// meaning writes everything that policies say but where they say it.
func meaning(policies []policy.Policy) string {
	var b strings.Builder
	for _, p := range policies {
		fmt.Fprintf(&b, "%s %s/%s\n", p.Dialect, p.Namespace, p.Name)
		for _, s := range p.Isolations {
			fmt.Fprintf(&b, "isolation %d %v of %v in %v, else %v\n", s.Tier, s.Dir, s.Subject.Pod, s.Subject.NS, s.Else)
		}
		for _, r := range p.Rules {
			fmt.Fprintf(&b, "rule %d %g %v %v of %v in %v, any peer %t, any port %t\n", r.Tier, r.Order, r.Action, r.Dir, r.Subject.Pod, r.Subject.NS, r.AnyPeer, r.AnyPort)
			for _, peer := range r.Peers {
				fmt.Fprintf(&b, "  peer %v in %v, block %v\n", peer.Pod, peer.NS, peer.Block)
			}
			for _, port := range r.Ports {
				fmt.Fprintf(&b, "  port %v %d-%d %q\n", port.Protocol, port.Lo, port.Hi, port.Name)
			}
		}
	}
	return b.String()
}

// toolmoat is our own engine, under the profile that reads the API as the upstream end-to-end tests
// do: an ipBlock matches pods.
//
// Each question is answered four times: from what the policies of each end let through in its
// family, and, which forgets the family, from what the source reaches, from who reaches the
// destination, and for the pair alone; some are also explained. Answers that contradict each other,
// and boxes that are not disjoint, are reported as unsure, which no test takes.
type toolmoat struct {
	program *reach.Program
	classes map[string]int   // by "namespace/name" of the pod
	reach   [3][][]reach.Box // by direction and class
	sides   [3][][]reach.Box // likewise, whatever the other end says
	asked   int

	foreseen map[string][]reach.Hypothetical
}

// explainEvery thins out the questions that are also explained, each of which is a fold of its own.
const explainEvery = 7

var ourVerdict = map[reach.Verdict]verdict{reach.Denied: denied, reach.Allowed: allowed}

func newToolmoat(t *testing.T, s *state) *toolmoat {
	t.Helper()
	profile, err := cni.ByName("spec")
	if err != nil {
		t.Fatal(err)
	}
	snapshot := load(t, s.manifests(t))
	m := &toolmoat{program: reach.NewProgram(reach.NewGround(snapshot), profile), classes: map[string]int{}, foreseen: map[string][]reach.Hypothetical{}}
	for _, p := range s.pods {
		for _, ip := range p.Status.PodIPs {
			at, ok := m.program.PodAt(netip.MustParseAddr(ip.IP))
			if !ok {
				t.Fatalf("toolmoat knows no pod at %s", ip.IP)
			}
			m.classes[p.Namespace+"/"+p.Name] = at.Class
		}
	}
	for _, d := range policy.Directions {
		for class := range m.program.Classes() {
			m.reach[d] = append(m.reach[d], m.program.Reach(class, d))
			m.sides[d] = append(m.sides[d], m.program.OneSided(class, d))
		}
	}
	return m
}

func (*toolmoat) name() string { return "toolmoat" }

func (m *toolmoat) judge(q question) verdict {
	out, other := m.inFamily(q, familyOf(q.to.addr)), denied
	if dual(q.from) && dual(q.to) {
		other = m.inFamily(q, 1-familyOf(q.to.addr))
	}
	if out == unsure || other == unsure {
		return unsure
	}
	for _, v := range m.inAnyFamily(q) {
		if v != max(out, other) {
			return unsure
		}
	}
	return out
}

// inFamily joins what the policies of both ends let through over one family.
func (m *toolmoat) inFamily(q question, f reach.Family) verdict {
	passes := m.program.Meet(m.end(q.from), m.end(q.to))
	for _, side := range []struct {
		d          policy.Direction
		pod, other end
	}{{policy.Egress, q.from, q.to}, {policy.Ingress, q.to, q.from}} {
		if side.pod.pod == nil {
			continue
		}
		lets, found := when.Never, false
		for _, b := range m.boxes(m.sides[side.d], side.pod, side.other) {
			if !b.Conns.Contains(ourProtocol[q.proto], netset.Port(q.port)) {
				continue
			}
			if found {
				return unsure
			}
			lets, found = b.When, true
		}
		passes = passes.And(lets)
	}
	return ourVerdict[m.program.Verdict(m.program.InFamily(passes, f))]
}

// inAnyFamily answers q in every way that forgets the family.
func (m *toolmoat) inAnyFamily(q question) []verdict {
	var out []verdict
	if q.from.pod != nil {
		out = append(out, judgeBoxes(m.boxes(m.reach[policy.Egress], q.from, q.to), q))
	}
	if q.to.pod != nil {
		out = append(out, judgeBoxes(m.boxes(m.reach[policy.Ingress], q.to, q.from), q))
	}
	out = append(out, judgeBoxes(m.program.Between(m.end(q.from), m.end(q.to)), q))
	if m.asked++; m.asked%explainEvery == 0 {
		out = append(out, ourVerdict[m.program.Explain(m.end(q.from), m.end(q.to), ourProtocol[q.proto], netset.Port(q.port)).Verdict])
	}
	return out
}

func familyOf(a netip.Addr) reach.Family {
	if a.Is4() {
		return reach.IPv4
	}
	return reach.IPv6
}

func dual(e end) bool { return e.pod != nil && len(e.pod.Status.PodIPs) > 1 }

func (m *toolmoat) class(e end) int { return m.classes[e.pod.Namespace+"/"+e.pod.Name] }

func (m *toolmoat) end(e end) reach.End {
	if e.pod == nil {
		return reach.AtAddr(e.addr)
	}
	return reach.AtHolder(m.class(e))
}

// boxes picks those that are about a pod and one other end, of the tables of all classes.
func (m *toolmoat) boxes(tables [][]reach.Box, pod, other end) []reach.Box {
	var out []reach.Box
	for _, b := range tables[m.class(pod)] {
		if other.pod == nil && b.Region.Addrs.Contains(other.addr) || other.pod != nil && m.program.Holds(b.Region.IDs, m.class(other)) {
			out = append(out, b)
		}
	}
	return out
}

var ourProtocol = map[corev1.Protocol]netset.Protocol{corev1.ProtocolTCP: netset.TCP, corev1.ProtocolUDP: netset.UDP, corev1.ProtocolSCTP: netset.SCTP}

// judgeBoxes says what boxes about one pair of ends make of one connection: what none of them holds
// is denied.
func judgeBoxes(boxes []reach.Box, q question) verdict {
	v := denied
	for _, b := range boxes {
		if !b.Conns.Contains(ourProtocol[q.proto], netset.Port(q.port)) {
			continue
		}
		if b.Verdict != reach.Allowed || v == allowed {
			return unsure
		}
		v = allowed
	}
	return v
}
