package oracle

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/generator"
	corev1 "k8s.io/api/core/v1"
)

// Cyclonus' cluster: three namespaces of three pods that serve two ports of three protocols, each
// port with a name. The addresses are such that its blocks around z/c (/24 less /28 and the like)
// hold some of the pods.
var (
	cyclonusPorts = []int{80, 81}
	familyPrefix  = map[string]string{"IPv4": "192.168.", "IPv6": "fd00:10:244::"}
	lastPart      = map[string]string{"x/a": "2.3", "x/b": "2.4", "x/c": "1.130", "y/a": "1.61", "y/b": "1.46", "y/c": "9.1", "z/a": "1.60", "z/b": "1.44", "z/c": "1.45"}
)

func cyclonusAddr(family, pod string) netip.Addr {
	part := lastPart[pod]
	if part == "" {
		part = "7." + fmt.Sprint(len(pod)) // a pod that a case adds
	}
	if family == "IPv6" {
		var hi, lo int
		fmt.Sscanf(part, "%d.%d", &hi, &lo)
		part = fmt.Sprintf("%x%02x", hi, lo)
	}
	return netip.MustParseAddr(familyPrefix[family] + part)
}

func cyclonusPodPorts() []corev1.ContainerPort {
	var out []corev1.ContainerPort
	for _, port := range cyclonusPorts {
		for _, proto := range protocols {
			out = append(out, corev1.ContainerPort{ContainerPort: int32(port), Protocol: proto, Name: fmt.Sprintf("serve-%d-%s", port, strings.ToLower(string(proto)))})
		}
	}
	return out
}

func cyclonusState(family string) *state {
	s := &state{namespaces: map[string]map[string]string{}}
	for _, ns := range []string{"x", "y", "z"} {
		s.namespaces[ns] = map[string]string{"ns": ns}
		for _, pod := range []string{"a", "b", "c"} {
			s.pods = append(s.pods, newPod(ns, pod, map[string]string{"pod": pod}, cyclonusPodPorts(), cyclonusAddr(family, ns+"/"+pod)))
		}
	}
	return s
}

// apply does to s what a Cyclonus action does to its cluster.
func (s *state) apply(t *testing.T, family string, a *generator.Action) {
	t.Helper()
	done := 0
	switch {
	case a.CreatePolicy != nil:
		s.policies = append(s.policies, a.CreatePolicy.Policy.DeepCopy())
		done = 1
	case a.UpdatePolicy != nil:
		for i, p := range s.policies {
			if u := a.UpdatePolicy.Policy; p.Namespace == u.Namespace && p.Name == u.Name {
				s.policies[i] = u.DeepCopy()
				done++
			}
		}
	case a.DeletePolicy != nil:
		kept := s.policies[:0:0]
		for _, p := range s.policies {
			if p.Namespace == a.DeletePolicy.Namespace && p.Name == a.DeletePolicy.Name {
				done++
			} else {
				kept = append(kept, p)
			}
		}
		s.policies = kept
	case a.CreateNamespace != nil:
		s.namespaces[a.CreateNamespace.Namespace] = a.CreateNamespace.Labels
		done = 1
	case a.SetNamespaceLabels != nil:
		s.namespaces[a.SetNamespaceLabels.Namespace] = a.SetNamespaceLabels.Labels
		done = 1
	case a.DeleteNamespace != nil:
		ns := a.DeleteNamespace.Namespace
		delete(s.namespaces, ns)
		kept := s.pods[:0:0]
		for _, p := range s.pods {
			if p.Namespace != ns {
				kept = append(kept, p)
			}
		}
		s.pods, done = kept, 1
	case a.CreatePod != nil:
		c := a.CreatePod
		addr := cyclonusAddr(family, c.Namespace+"/"+c.Pod)
		for s.holds(addr) {
			addr = addr.Next()
		}
		s.pods = append(s.pods, newPod(c.Namespace, c.Pod, c.Labels, cyclonusPodPorts(), addr))
		done = 1
	case a.SetPodLabels != nil:
		for _, p := range s.pods {
			if p.Namespace == a.SetPodLabels.Namespace && p.Name == a.SetPodLabels.Pod {
				p.Labels = a.SetPodLabels.Labels
				done++
			}
		}
	case a.DeletePod != nil:
		kept := s.pods[:0:0]
		for _, p := range s.pods {
			if p.Namespace == a.DeletePod.Namespace && p.Name == a.DeletePod.Pod {
				done++
			} else {
				kept = append(kept, p)
			}
		}
		s.pods = kept
	}
	if done != 1 {
		t.Fatalf("%s: an action touched %d objects: %+v", s.title, done, a)
	}
}

func (s *state) holds(a netip.Addr) bool {
	for _, e := range s.ends(nil) {
		if e.addr == a {
			return true
		}
	}
	return false
}

// TestCyclonusCases takes every case that Cyclonus generates, in IPv4 and in IPv6, through each of
// its steps, and asks three engines for every pair of pods, and pods and addresses outside.
func TestCyclonusCases(t *testing.T) {
	outside := map[string][]netip.Addr{
		"IPv4": {netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("192.168.1.47"), netip.MustParseAddr("192.168.1.200")},
		"IPv6": {netip.MustParseAddr("2001:db8::8"), netip.MustParseAddr("fd00:10:244::12f"), netip.MustParseAddr("fd00:10:244::1c8")},
	}
	ports := append([]int{53, 79, 82, 7981}, cyclonusPorts...)
	for _, family := range []string{"IPv4", "IPv6"} {
		t.Run(family, func(t *testing.T) {
			var n tally
			zc := cyclonusAddr(family, "z/c").String()
			cases := generator.NewTestCaseGenerator(true, zc, []string{"x", "y", "z"}, nil, nil).GenerateAllTestCases()
			if len(cases) < 200 {
				t.Fatalf("%d cases: Cyclonus is said to generate 230", len(cases))
			}
			for i, c := range cases {
				s := cyclonusState(family)
				for j, step := range c.Steps {
					s = s.clone()
					s.title = fmt.Sprintf("case %d, step %d: %s", i+1, j+1, c.Description)
					for _, a := range step.Actions {
						s.apply(t, family, a)
					}
					k, err := newKindnet(s)
					if err != nil {
						t.Fatal(err)
					}
					if !cyclonusReadsSelectors(s) {
						t.Fatalf("%s: Cyclonus misreads a selector of its own", s.title)
					}
					n.compare(t, s, s.questions(outside[family], ports), k, newCyclonus(s), newToolmoat(t, s))
				}
			}
			for who, count := range n.unsure {
				t.Errorf("%s is unsure of %d connections though everything is known", who, count)
			}
			summary(t, "%d cases, %v", len(cases), &n)
		})
	}
}
