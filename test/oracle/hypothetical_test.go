package oracle

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestPodsThatDoNotExist lets our engine say which pods could connect to those of a random cluster,
// and be connected to, without being shown one. Then a pod with random labels is made, in a
// namespace that exists or in a new one, and kube-network-policies judges it: what it lets pass
// must be foreseen, and what we are certain of it must let pass. We are certain of what passes over
// some family, so that is asked over the one that pods are known to have.
func TestPodsThatDoNotExist(t *testing.T) {
	var connections, passed, certain, wrong int
	for i := range *flagStates {
		r := &random{Rand: rand.New(rand.NewPCG(*flagSeed, uint64(i)))}
		s := r.state(i)
		ours := newToolmoat(t, s)
		ports, _ := r.probes(6, 0)
		for range 4 {
			with := s.clone()
			namespace, isNew := pick(r, nsNames), r.chance(50)
			if isNew {
				namespace = "fresh"
				with.namespaces[namespace] = r.labels(nsKeys)
			}
			hypothetical := newPod(namespace, "hypothetical", r.labels(podKeys), r.containerPorts(), r.podAddrs()...)
			with.pods = append(with.pods, hypothetical)
			k, err := newKindnet(with)
			if err != nil {
				t.Fatal(err)
			}
			for _, ip := range hypothetical.Status.PodIPs {
				for _, q := range with.questionsOf(end{hypothetical, netip.MustParseAddr(ip.IP)}, ports) {
					pod, d := q.to, policy.Ingress
					if q.to.pod == hypothetical {
						pod, d = q.from, policy.Egress
					}
					could, surely := foreseen(ours.hypotheticals(ours.class(pod), d), with, hypothetical.Labels, namespace, isNew, q)
					surely = surely && q.to.addr.Is4() == s.hasIPv4()
					may := k.judge(q) == allowed
					connections++
					if may {
						passed++
					}
					if surely {
						certain++
					}
					if may && !could || surely && !may {
						if wrong++; wrong <= maxShown {
							t.Errorf("%s\n%v of %v, labels %v in %v: kube-network-policies says %t; we say possible %t, certain %t\n%s", with.title, q, d,
								hypothetical.Labels, with.labelsOf(namespace), may, could, surely, with.manifests(t))
						} else {
							t.Fail()
						}
					}
				}
			}
		}
	}
	if passed*10 < connections || passed*10 > 9*connections || certain*10 < passed {
		t.Errorf("unbalanced: %d of %d pass, %d for certain", passed, connections, certain)
	}
	summary(t, "%d connections of pods that were not shown, %d pass, %d foreseen for certain, %d disagreements",
		connections, passed, certain, wrong)
}

// questionsOf asks for connections between e and every pod but itself, both ways.
func (s *state) questionsOf(e end, ports []int) []question {
	var out []question
	for _, q := range s.questions(nil, ports) {
		if q.from == e || q.to == e {
			out = append(out, q)
		}
	}
	return out
}

func (m *toolmoat) hypotheticals(class int, d policy.Direction) []reach.Hypothetical {
	key := fmt.Sprint(class, d)
	if _, ok := m.foreseen[key]; !ok {
		m.foreseen[key] = m.program.Hypothetical(class, d)
	}
	return m.foreseen[key]
}

// foreseen reports whether some hypothetical stands for the pod and the connection, and whether one
// does so unconditionally. A port that the source's rules give by name is never certain here:
// whether the pod carries the name is its own affair.
func foreseen(hypotheticals []reach.Hypothetical, s *state, pod map[string]string, namespace string, isNew bool, q question) (could, surely bool) {
	for _, st := range hypotheticals {
		if !st.Conns.Contains(ourProtocol[q.proto], netset.Port(q.port)) {
			continue
		}
		if in, _ := st.Pod.Match(label.Known(pod)); !in {
			continue
		}
		if isNew {
			if in, _ := st.NS.Match(label.Known(s.labelsOf(namespace))); st.Namespace != "" || !in {
				continue
			}
		} else if st.Namespace == "" {
			// Namespaces that exist are left out where new ones, whatever their name, get as much.
			anyName := st.NS.Without(label.MetadataName, func(v label.Values) bool { _, others := v.Listed(); return others })
			in, _ := anyName.Match(label.Known(s.labelsOf(namespace)))
			could = could || in
			continue
		} else if st.Namespace != namespace {
			continue
		}
		could = true
		surely = surely || st.Verdict == reach.Allowed && !named(st.Egress) && !named(st.Ingress)
	}
	return could, surely
}

// hasIPv4 reports whether some pod has an IPv4 address.
func (s *state) hasIPv4() bool {
	return slices.ContainsFunc(s.ends(nil), func(e end) bool { return e.addr.Is4() })
}

func named(by []reach.By) bool {
	for _, r := range reach.RulesOf(by) {
		for _, p := range r.Ports {
			if p.Name != "" {
				return true
			}
		}
	}
	return false
}
