package oracle

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/reach"
)

// toolmoat is our own engine, under the profile that reads the API as the upstream end-to-end tests do: an ipBlock matches pods.
//
// Each question is answered three times, from what the source reaches, from who reaches the destination, and for the pair alone.
// Answers that contradict each other are reported as unsure, which no test takes.
type toolmoat struct {
	program *reach.Program
	classes map[string]int // by "namespace/name" of the pod
	reach   [3][][]reach.Box
}

func newToolmoat(t *testing.T, s *state) *toolmoat {
	t.Helper()
	profile, err := cni.ByName("spec")
	if err != nil {
		t.Fatal(err)
	}
	snapshot := load(t, s.manifests(t))
	m := &toolmoat{program: reach.NewProgram(reach.NewGround(snapshot), profile), classes: map[string]int{}}
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
		}
	}
	return m
}

func (*toolmoat) name() string { return "toolmoat" }

func (m *toolmoat) judge(q question) verdict {
	var answers []verdict
	if q.from.pod != nil {
		answers = append(answers, m.look(policy.Egress, q.from, q.to, q))
	}
	if q.to.pod != nil {
		answers = append(answers, m.look(policy.Ingress, q.to, q.from, q))
	}
	if !dual(q.from) || !dual(q.to) { // of a pair of pods with both families, Between says what passes in either
		answers = append(answers, judgeBoxes(m.program.Between(m.end(q.from), m.end(q.to)), q))
	}
	for _, v := range answers[1:] {
		if v != answers[0] {
			return unsure
		}
	}
	return answers[0]
}

func dual(e end) bool { return e.pod != nil && len(e.pod.Status.PodIPs) > 1 }

func (m *toolmoat) class(e end) int { return m.classes[e.pod.Namespace+"/"+e.pod.Name] }

func (m *toolmoat) end(e end) reach.End {
	if e.pod == nil {
		return reach.AtAddr(e.addr)
	}
	return reach.AtHolder(m.class(e))
}

// look finds what the whole reach of one pod says of one other end, in the family of the question.
func (m *toolmoat) look(d policy.Direction, pod, other end, q question) verdict {
	family := reach.IPv4
	if other.addr.Is6() {
		family = reach.IPv6
	}
	var boxes []reach.Box
	for _, b := range m.reach[d][m.class(pod)] {
		if other.pod == nil && b.Region.Addrs.Contains(other.addr) ||
			other.pod != nil && b.Region.IDs.Contains(m.program.ID(m.class(other), family)) {
			boxes = append(boxes, b)
		}
	}
	return judgeBoxes(boxes, q)
}

var ourProtocol = map[corev1.Protocol]netset.Protocol{corev1.ProtocolTCP: netset.TCP, corev1.ProtocolUDP: netset.UDP, corev1.ProtocolSCTP: netset.SCTP}

// judgeBoxes says what boxes about one pair of ends make of one connection: what none of them holds is denied.
func judgeBoxes(boxes []reach.Box, q question) verdict {
	v := denied
	for _, b := range boxes {
		if !b.Conns.Contains(ourProtocol[q.proto], netset.Port(q.port)) {
			continue
		}
		if b.Verdict != reach.Allowed {
			return unsure
		}
		v = allowed
	}
	return v
}
