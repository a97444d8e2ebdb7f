package oracle

import (
	"fmt"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// awsEnd is one end of a connection: a pod, a node, a Service's own address, or an address that
// nothing has.
type awsEnd struct {
	what string
	pod  *corev1.Pod // nil for the others
	addr netip.Addr
	svc  bool
	held bool // by a node or a Service
}

func (e awsEnd) String() string { return fmt.Sprintf("%s (%v)", e.what, e.addr) }

// judged reports whether policies are enforced on e.
func (e awsEnd) judged() bool { return e.pod != nil && !e.pod.Spec.HostNetwork }

// ends returns everything that a connection can end at, and those of outside that nothing has.
func (s *awsState) ends(outside []netip.Addr) []awsEnd {
	var out []awsEnd
	taken := map[netip.Addr]bool{}
	add := func(e awsEnd) { out, taken[e.addr] = append(out, e), true }
	for _, p := range s.pods {
		add(awsEnd{what: p.Namespace + "/" + p.Name, pod: p, addr: netip.MustParseAddr(p.Status.PodIP)})
	}
	for _, n := range s.nodes {
		add(awsEnd{what: n.Name, addr: s.nodeAddr(n.Name), held: true})
	}
	for _, svc := range s.services {
		if svc.Spec.ClusterIP != corev1.ClusterIPNone {
			add(awsEnd{what: "Service " + svc.Namespace + "/" + svc.Name, addr: netip.MustParseAddr(svc.Spec.ClusterIP), held: true, svc: true})
		}
	}
	for _, a := range outside {
		if !taken[a] {
			add(awsEnd{what: "outside", addr: a})
		}
	}
	return out
}

// toolmoatAWS is our own engine under the profile of the agent.
type toolmoatAWS struct {
	program *reach.Program
	classes map[*corev1.Pod]int
	holders map[netip.Addr]int // of nodes and Services
	tables  map[[2]int][]reach.Box
	asked   int
}

func newToolmoatAWS(t *testing.T, s *awsState) *toolmoatAWS {
	t.Helper()
	profile, err := cni.ByName("aws-vpc-cni")
	if err != nil {
		t.Fatal(err)
	}
	g := reach.NewGround(load(t, s.manifests(t)))
	m := &toolmoatAWS{program: reach.NewProgram(g, profile), classes: map[*corev1.Pod]int{}, holders: map[netip.Addr]int{}, tables: map[[2]int][]reach.Box{}}
	byName := map[string]int{}
	for i, w := range g.Snapshot.Workloads {
		byName[w.Namespace+"/"+w.Name] = i
	}
	for _, p := range s.pods {
		m.classes[p] = g.ClassesOf(byName[p.Namespace+"/"+p.Name])[0]
	}
	for n := range g.Holders() {
		h := g.Class(n)
		for _, a := range h.Addrs {
			if a.State == reach.KnownAddr && (h.Kind == reach.Node || h.Kind == reach.VIP) {
				m.holders[a.Addr] = n
			}
		}
	}
	return m
}

// awsAnswers is what our engine says of one connection.
type awsAnswers struct {
	direct  []verdict // by its several ways of asking, about the addresses themselves
	reached []verdict // from both sides, whether the source reaches the destination at all, also by way of a Service
}

func (m *toolmoatAWS) judge(from, to awsEnd, proto corev1.Protocol, port int) awsAnswers {
	q := question{proto: proto, port: port}
	var out awsAnswers
	out.direct = append(out.direct, judgeBoxes(m.program.Between(m.end(from), m.end(to)), q))
	if m.asked++; m.asked%explainEvery == 0 {
		out.direct = append(out.direct, ourVerdict[m.program.Explain(m.end(from), m.end(to), ourProtocol[proto], netset.Port(port)).Verdict])
	}
	if to.judged() {
		if in := m.look(policy.Ingress, to, from, q); from.judged() {
			out.reached = append(out.reached, in)
		} else {
			out.direct = append(out.direct, in)
		}
	}
	if from.judged() {
		reached := m.look(policy.Egress, from, to, q)
		if out.reached = append(out.reached, reached); !to.judged() {
			out.direct = append(out.direct, reached)
		}
	}
	return out
}

func (m *toolmoatAWS) end(e awsEnd) reach.End {
	if n, ok := m.holder(e); ok {
		return reach.AtHolder(n)
	}
	return reach.AtAddr(e.addr)
}

func (m *toolmoatAWS) holder(e awsEnd) (n int, ok bool) {
	switch {
	case e.pod != nil:
		return m.classes[e.pod], true
	case e.held:
		return m.holders[e.addr], true
	}
	return 0, false
}

// look finds what the whole reach of a pod says of one other end.
func (m *toolmoatAWS) look(d policy.Direction, pod, other awsEnd, q question) verdict {
	key := [2]int{m.classes[pod.pod], int(d)}
	if _, ok := m.tables[key]; !ok {
		m.tables[key] = m.program.Reach(key[0], d)
	}
	var boxes []reach.Box
	for _, b := range m.tables[key] {
		if n, ok := m.holder(other); ok && m.program.Holds(b.Region.IDs, n) || !ok && b.Region.Addrs.Contains(other.addr) {
			boxes = append(boxes, b)
		}
	}
	return judgeBoxes(boxes, q)
}
