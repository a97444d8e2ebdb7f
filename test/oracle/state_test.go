package oracle

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	networkingdefaults "k8s.io/kubernetes/pkg/apis/networking/v1"
	"sigs.k8s.io/yaml"
)

// metadataName is the label that the API server gives every namespace. Manifests leave it out: our
// engine has to know.
const metadataName = "kubernetes.io/metadata.name"

// state is a cluster at one moment.
type state struct {
	title      string
	namespaces map[string]map[string]string // labels by name
	pods       []*corev1.Pod
	policies   []*networkingv1.NetworkPolicy // as a user writes them, before defaulting
}

// newPod returns a running pod with addresses that nothing else has.
func newPod(namespace, name string, labels map[string]string, ports []corev1.ContainerPort, addrs ...netip.Addr) *corev1.Pod {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example/main", Ports: ports}}, NodeName: "node-1"},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: addrs[0].String()},
	}
	for _, a := range addrs {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: a.String()})
		host := "198.18.0.1"
		if a.Is6() {
			host = "2001:db8:ffff::1"
		}
		p.Status.HostIPs = append(p.Status.HostIPs, corev1.HostIP{IP: host})
	}
	p.Status.HostIP = p.Status.HostIPs[0].IP
	return p
}

// clone returns a copy that may be changed without changing s.
func (s *state) clone() *state {
	c := &state{title: s.title, namespaces: map[string]map[string]string{}}
	for name, labels := range s.namespaces {
		c.namespaces[name] = maps.Clone(labels)
	}
	for _, p := range s.pods {
		c.pods = append(c.pods, p.DeepCopy())
	}
	for _, p := range s.policies {
		c.policies = append(c.policies, p.DeepCopy())
	}
	return c
}

// manifests writes s as a user would, so that our own decoder is part of what is tested.
func (s *state) manifests(t testing.TB) []byte {
	t.Helper()
	var objects []any
	for _, name := range slices.Sorted(maps.Keys(s.namespaces)) {
		labels := maps.Clone(s.namespaces[name])
		delete(labels, metadataName)
		objects = append(objects, &corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		})
	}
	for _, p := range s.pods {
		objects = append(objects, p)
	}
	for _, p := range s.policies {
		p = p.DeepCopy()
		p.TypeMeta = metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}
		objects = append(objects, p)
	}
	var b bytes.Buffer
	for _, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	return b.Bytes()
}

// labelsOf returns the labels of a namespace as the API server would store them.
func (s *state) labelsOf(namespace string) map[string]string {
	labels := maps.Clone(s.namespaces[namespace])
	if labels == nil {
		labels = map[string]string{}
	}
	labels[metadataName] = namespace
	return labels
}

// defaulted returns the policies as the API server would store them.
func (s *state) defaulted() []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, p := range s.policies {
		p = p.DeepCopy()
		networkingdefaults.SetObjectDefaults_NetworkPolicy(p)
		out = append(out, p)
	}
	return out
}

// end is one end of a connection: a pod at one of its addresses, or an address that is no pod's.
type end struct {
	pod  *corev1.Pod // nil outside the cluster
	addr netip.Addr
}

func (e end) String() string {
	if e.pod == nil {
		return e.addr.String()
	}
	return fmt.Sprintf("%s/%s (%v)", e.pod.Namespace, e.pod.Name, e.addr)
}

// portName returns the name that the pod's containers give a port, and whether it is the only one.
func (e end) portName(proto corev1.Protocol, port int) (name string, only bool) {
	if e.pod == nil {
		return "", true
	}
	only = true
	for _, c := range e.pod.Spec.Containers {
		for _, p := range c.Ports {
			if int(p.ContainerPort) == port && p.Protocol == proto && p.Name != "" && p.Name != name {
				only = name == ""
				name = p.Name
			}
		}
	}
	return name, only
}

// question is one connection.
type question struct {
	from, to end
	proto    corev1.Protocol
	port     int
}

func (q question) String() string {
	return fmt.Sprintf("%v -> %v %s %d", q.from, q.to, q.proto, q.port)
}

var protocols = []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}

// ends returns every address of every pod, then the addresses outside.
func (s *state) ends(outside []netip.Addr) []end {
	var out []end
	for _, p := range s.pods {
		for _, ip := range p.Status.PodIPs {
			out = append(out, end{p, netip.MustParseAddr(ip.IP)})
		}
	}
	for _, a := range outside {
		out = append(out, end{addr: a})
	}
	return out
}

// questions asks for every ordered pair of ends of one family that are not the same pod nor both
// outside. A pod always reaches itself: that is asked elsewhere, for the other engines do not say
// so.
func (s *state) questions(outside []netip.Addr, ports []int) []question {
	ends := s.ends(outside)
	var out []question
	for _, from := range ends {
		for _, to := range ends {
			if from.addr.Is4() != to.addr.Is4() || from.pod == to.pod {
				continue
			}
			for _, proto := range protocols {
				for _, port := range ports {
					out = append(out, question{from, to, proto, port})
				}
			}
		}
	}
	return out
}

// verdict is one engine's answer. The zero value means that the engine does not commit itself.
type verdict int

const (
	unsure verdict = iota
	denied
	allowed
)

func (v verdict) String() string { return [...]string{"unsure", "denied", "allowed"}[v] }

func judged(ok bool) verdict {
	if ok {
		return allowed
	}
	return denied
}

// engine answers questions about the one state it was built for.
type engine interface {
	name() string
	judge(question) verdict
}

// tally counts what a test compared.
type tally struct {
	states, verdicts, allowed, denied, disagreements int
	unsure                                           map[string]int
	skipped                                          int // states that an engine cannot be asked about
}

func (n *tally) String() string {
	text := fmt.Sprintf("%d states, %d connections, %d allowed, %d denied, %d disagreements", n.states, n.verdicts, n.allowed, n.denied, n.disagreements)
	for _, name := range slices.Sorted(maps.Keys(n.unsure)) {
		text += fmt.Sprintf(", %d unsure of %s", n.unsure[name], name)
	}
	if n.skipped > 0 {
		text += fmt.Sprintf("; %d states compared without Cyclonus", n.skipped)
	}
	return text
}

// summary prints one line for a test, also without -v's help.
func summary(t *testing.T, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	fmt.Printf("oracle: %s: %s\n", t.Name(), line)
}

// maxShown bounds the cases a failing test prints in full.
const maxShown = 3

// compare asks every engine every question. The first engine is the reference that the counts are
// of.
func (n *tally) compare(t *testing.T, s *state, questions []question, engines ...engine) {
	t.Helper()
	n.states++
	if n.unsure == nil {
		n.unsure = map[string]int{}
	}
	verdicts := make([]verdict, len(engines))
	shown := false
	for _, q := range questions {
		low, high := allowed, denied
		for i, e := range engines {
			v := e.judge(q)
			if verdicts[i] = v; v == unsure {
				n.unsure[e.name()]++
				continue
			}
			low, high = min(low, v), max(high, v)
		}
		n.verdicts++
		switch verdicts[0] {
		case allowed:
			n.allowed++
		case denied:
			n.denied++
		}
		if low >= high {
			continue
		}
		n.disagreements++
		if n.disagreements <= maxShown && !shown {
			shown = true
			t.Errorf("%s\n%v\n%s\n%s", s.title, q, verdictText(engines, verdicts), s.manifests(t))
		} else {
			t.Fail()
		}
	}
}

func verdictText(engines []engine, verdicts []verdict) string {
	var b strings.Builder
	for i, e := range engines {
		fmt.Fprintf(&b, "%-24s %v\n", e.name(), verdicts[i])
	}
	return b.String()
}
