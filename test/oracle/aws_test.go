package oracle

import (
	"flag"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/toolmoat/toolmoat/test/slow"
)

var flagShow = flag.Int("show", 1, "how many disagreements of a kind to show in full")

var awsDirections = [2]string{"egress", "ingress"}

// addresses returns every address that a cluster's policies might tell from others: what holds one,
// the edges of blocks, some outside.
func (r *randomAWS) addresses(s *awsState) []netip.Addr {
	out := append(slices.Clone(r.pods), netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9"))
	for _, a := range r.edges {
		if a.Is6() == s.ipv6 {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// TestAWSTwin compares the naive evaluation of the agent's behaviour with the agent, so that it may
// stand in for it: also where the agent's answer is an accident, of which the agent is asked twice.
func TestAWSTwin(t *testing.T) {
	var verdicts, open, accidents, changes int
	for i := range max(*flagStates/6, 1) {
		r := newRandomAWS(i)
		r.aligned = true
		s := r.cluster(i)
		one, two := newAWS(t, s, 0), newAWS(t, s, 0)
		ports, _ := r.probes(6, 0)
		for _, addr := range r.addresses(s) {
			for d, direction := range awsDirections {
				for _, pod := range s.pods {
					for _, proto := range protocols {
						for _, port := range ports {
							side := one.sides[d][pod]
							got, again, want := side.passes(addr, proto, port), two.sides[d][pod].passes(addr, proto, port), side.certain(addr, proto, port)
							verdicts++
							if got == allowed {
								open++
							}
							if got != again {
								changes++
							}
							switch {
							case want == unsure && side.full(addr):
								accidents++
							case want != got || want != again:
								t.Fatalf("%s: %s of %s/%s, %v %s %d: the twin says %v, the agent %v and %v\n%s",
									s.title, direction, pod.Namespace, pod.Name, addr, proto, port, want, got, again, s.manifests(t))
							}
						}
					}
				}
			}
		}
	}
	if open*10 < verdicts || open*10 > verdicts*9 || changes == 0 {
		t.Errorf("the generator is unbalanced: %d of %d open, %d changed in two runs", open, verdicts, changes)
	}
	summary(t, "%d verdicts, %d open, 0 disagreements; %d left to accident, of which %d changed in two runs", verdicts, open, accidents, changes)
}

// awsReference is what the agent makes of connections, in every order in which its controller may
// see the pods.
type awsReference struct{ runs []*aws }

func newAWSReference(t *testing.T, s *awsState) awsReference {
	ref := awsReference{[]*aws{newAWS(t, s, 0)}}
	opened := func(first int) (out []entry) {
		for _, p := range s.defaulted() {
			for _, r := range p.Spec.Egress {
				out = append(out, awsController{s, first}.services(p, r)...)
			}
		}
		return out
	}
	for first := 1; first < len(s.pods); first++ {
		if !reflect.DeepEqual(opened(first), opened(0)) {
			ref.runs = append(ref.runs, newAWS(t, s, first))
		}
	}
	return ref
}

// side says what one direction of one pod makes of an address; unsure where that is an accident.
func (ref awsReference) side(t *testing.T, d int, pod *corev1.Pod, addr netip.Addr, proto corev1.Protocol, port int) verdict {
	t.Helper()
	var v verdict
	for i, run := range ref.runs {
		side := run.sides[d][pod]
		w := side.certain(addr, proto, port)
		if got := side.passes(addr, proto, port); w != got && w != unsure {
			t.Fatalf("%s: the twin says %v of %v %s %d, the agent %v", run.title, w, addr, proto, port, got)
		}
		if i > 0 && v != w {
			return unsure
		}
		v = w
	}
	return v
}

// both joins the verdicts of two ends.
func both(a, b verdict) verdict {
	switch {
	case a == denied || b == denied:
		return denied
	case a == unsure || b == unsure:
		return unsure
	}
	return allowed
}

func either(a, b verdict) verdict {
	switch {
	case a == allowed || b == allowed:
		return allowed
	case a == unsure || b == unsure:
		return unsure
	}
	return denied
}

// judge says what becomes of packets between two addresses.
func (ref awsReference) judge(t *testing.T, from, to awsEnd, proto corev1.Protocol, port int) verdict {
	t.Helper()
	v := allowed
	if from.judged() {
		v = ref.side(t, 0, from.pod, to.addr, proto, port)
	}
	if to.judged() {
		v = both(v, ref.side(t, 1, to.pod, from.addr, proto, port))
	}
	return v
}

// reached says whether a pod gets to a port of another one, itself or by way of a Service, whose
// address the agent judges.
func (ref awsReference) reached(t *testing.T, from, to awsEnd, proto corev1.Protocol, port int) verdict {
	t.Helper()
	v := ref.judge(t, from, to, proto, port)
	if to.pod == nil {
		return v
	}
	enters := allowed
	if to.judged() {
		enters = ref.side(t, 1, to.pod, from.addr, proto, port)
	}
	for _, svc := range ref.runs[0].services {
		if svc.Spec.ClusterIP == corev1.ClusterIPNone || len(svc.Spec.Selector) == 0 || svc.Namespace != to.pod.Namespace ||
			!labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(to.pod.Labels)) {
			continue
		}
		for _, sp := range svc.Spec.Ports {
			if target, _, ok := lookup(to.pod, sp.TargetPort, proto); ok && sp.Protocol == proto && int(target) == port {
				v = either(v, both(enters, ref.side(t, 0, from.pod, netip.MustParseAddr(svc.Spec.ClusterIP), proto, int(sp.Port))))
			}
		}
	}
	return v
}

// awsQuestion is one connection in one cluster. Its ends are known by what they are and their
// addresses: clusters are copied.
type awsQuestion struct {
	from, to awsEnd
	proto    corev1.Protocol
	port     int
}

func (q awsQuestion) String() string {
	return fmt.Sprintf("%v -> %v %s %d", q.from, q.to, q.proto, q.port)
}

// in returns q as it is asked of a copy of its cluster; ok is false if an end is gone.
func (q awsQuestion) in(s *awsState) (_ awsQuestion, ok bool) {
	ends := s.ends([]netip.Addr{q.from.addr, q.to.addr})
	for _, e := range []*awsEnd{&q.from, &q.to} {
		i := slices.IndexFunc(ends, func(o awsEnd) bool { return o.what == e.what && o.addr == e.addr })
		if i < 0 {
			return q, false
		}
		*e = ends[i]
	}
	return q, true
}

// compareAWS asks both of one connection. what says in which respect they differ; "" for in none.
func compareAWS(t *testing.T, ref awsReference, ours *toolmoatAWS, q awsQuestion) (want verdict, what, how string) {
	t.Helper()
	if ref.ownNodeExcepted(q) {
		return unsure, "", ""
	}
	want = ref.judge(t, q.from, q.to, q.proto, q.port)
	got := ours.judge(q.from, q.to, q.proto, q.port)
	for _, v := range got.direct {
		if v != want && !(v == unsure && ref.mayDepend(q)) {
			return want, kindOf(ref.runs[0].awsState, q.from, q.to), fmt.Sprintf("the agent says %v, toolmoat %v", want, v)
		}
	}
	if q.from.judged() && q.to.pod != nil {
		reached := ref.reached(t, q.from, q.to, q.proto, q.port)
		for _, v := range got.reached {
			if v != reached && !(v == unsure && ref.mayDepend(q)) {
				return want, "through Services", fmt.Sprintf("the agent says %v, toolmoat %v", reached, v)
			}
		}
	}
	return want, "", ""
}

// ownNodeExcepted reports whether one end is a judged pod and the other its own node, which is
// exactly an exception of one rule and exactly the block of another: the one difference in which we
// do not follow the agent. It does not read the block, because it is the node (pkg/utils,
// IsNodeIP), so the exception takes the node's entry away; for every other node the block is what
// counts.
func (ref awsReference) ownNodeExcepted(q awsQuestion) bool {
	for d, ends := range [][2]awsEnd{{q.from, q.to}, {q.to, q.from}} {
		if subject, other := ends[0], ends[1].addr; subject.judged() {
			twin, only := ref.runs[0].sides[d][subject.pod].twin, netip.PrefixFrom(other, other.BitLen())
			if other == twin.Node && slices.ContainsFunc(twin.Entries, func(e slow.AWSEntry) bool { return e.CIDR == only }) &&
				slices.ContainsFunc(twin.Entries, func(e slow.AWSEntry) bool { return slices.Contains(e.Except, only) }) {
				return true
			}
		}
	}
	return false
}

// mayDepend reports whether our engine may leave q open though the agent's answer is known. It does
// so on four grounds: pods move, so it does not take the node on which one runs for its own (the
// other end is a node's address, which policies alone would not let through); a Service whose pods
// the input does not show may lead anywhere; rules that policyTypes leaves out isolate as soon as
// some pod is what they name; and where the rules name more items than a block holds, it does not
// count how many of them a pod's own entry has, nor how many a full block can lose.
func (ref awsReference) mayDepend(q awsQuestion) bool {
	s := ref.runs[0].awsState
	if q.to.svc && !s.leadsToPods(q.to.addr) { // the input does not show to which ports such a Service leads
		return true
	}
	for d, ends := range [][2]awsEnd{{q.from, q.to}, {q.to, q.from}} {
		subject, other := ends[0], ends[1].addr
		if !subject.judged() {
			continue
		}
		for _, run := range ref.runs {
			side := run.sides[d][subject.pod]
			if s.untyped(subject.pod, policyTypes[d]) {
				return true
			}
			if side.keys == nil {
				continue
			}
			if (side.full(other) || side.crowded()) && side.passes(other, q.proto, q.port) == allowed {
				return true
			}
			side.twin.Node = netip.Addr{}
			if s.isNode(other) && side.certain(other, q.proto, q.port) != allowed {
				return true
			}
		}
	}
	return false
}

var policyTypes = [...]networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress}

// untyped reports whether a policy that selects pod has rules of a direction that its policyTypes
// leave out.
func (s *awsState) untyped(pod *corev1.Pod, direction networkingv1.PolicyType) bool {
	return slices.ContainsFunc(s.policies, func(p *networkingv1.NetworkPolicy) bool {
		sel, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		rules := len(p.Spec.Egress)
		if direction == networkingv1.PolicyTypeIngress {
			rules = len(p.Spec.Ingress)
		}
		return err == nil && p.Namespace == pod.Namespace && sel.Matches(labels.Set(pod.Labels)) && rules > 0 && !slices.Contains(p.Spec.PolicyTypes, direction)
	})
}

// leadsToPods reports whether the Service at addr selects some pod.
func (s *awsState) leadsToPods(addr netip.Addr) bool {
	return slices.ContainsFunc(s.services, func(svc *corev1.Service) bool {
		return svc.Spec.ClusterIP == addr.String() && len(svc.Spec.Selector) > 0 && slices.ContainsFunc(s.pods, func(pod *corev1.Pod) bool {
			return pod.Namespace == svc.Namespace && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(pod.Labels))
		})
	})
}

// crowded reports whether the entries of one direction of one pod have more items, all together,
// than one block holds.
func (s awsSide) crowded() bool {
	items := map[slow.AWSPort]bool{}
	for _, e := range s.twin.Entries {
		for _, port := range e.Ports {
			items[port] = true
		}
	}
	return len(items) > 24
}

// awsQuestions asks for every pair of ends of which one is judged.
func awsQuestions(ends []awsEnd, ports []int) []awsQuestion {
	var out []awsQuestion
	for _, from := range ends {
		for _, to := range ends {
			switch {
			case !from.judged() && !to.judged() || from == to || from.svc:
			case from.addr.Is6() != to.addr.Is6() && (to.pod != nil || to.addr.Is6()): // only from IPv6 clusters is there a way out that no address shows
			default:
				for _, proto := range protocols {
					for _, port := range ports {
						out = append(out, awsQuestion{from, to, proto, port})
					}
				}
			}
		}
	}
	return out
}

// TestAWSPolicies compares our engine with the agent on random clusters: pods, nodes, Services and
// addresses outside, in both directions.
func TestAWSPolicies(t *testing.T) {
	var n tally
	accidents, kinds := 0, map[string]int{}
	for i := range max(*flagStates/3, 1) {
		r := newRandomAWS(i)
		s := r.cluster(i)
		for _, p := range s.policies {
			if _, err := admit(t, manifest(t, p), strict); err != nil {
				t.Fatalf("the API server refuses a generated policy: %v\n%s", err, manifest(t, p))
			}
		}
		ref, ours := newAWSReference(t, s), newToolmoatAWS(t, s)
		n.states++
		ports, _ := r.probes(5, 0)
		outside := r.addresses(s)
		r.Shuffle(len(outside), func(i, j int) { outside[i], outside[j] = outside[j], outside[i] })
		outside = append(outside[:min(len(outside), 10)], netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::9"))
		for _, q := range awsQuestions(s.ends(outside), ports) {
			want, what, how := compareAWS(t, ref, ours, q)
			n.verdicts++
			switch want {
			case allowed:
				n.allowed++
			case denied:
				n.denied++
			default:
				accidents++
			}
			if what == "" {
				continue
			}
			n.disagreements++
			if kinds[what]++; kinds[what] > *flagShow {
				t.Fail()
				continue
			}
			small := shrink(t, s, func(c *awsState) bool {
				q, ok := q.in(c)
				if !ok {
					return false
				}
				_, now, nowHow := compareAWS(t, newAWSReference(t, c), newToolmoatAWS(t, c), q)
				return now == what && nowHow == how
			})
			t.Errorf("%s\n%s: %v: %s\n%s", s.title, what, q, how, small.manifests(t))
		}
	}
	if least := n.verdicts / 10; n.allowed < least || n.denied < least {
		t.Errorf("the generator is unbalanced: %d allowed and %d denied of %d", n.allowed, n.denied, n.verdicts)
	}
	summary(t, "%v; %d left to accident", &n, accidents)
	if n.disagreements > 0 {
		t.Logf("disagreements by kind: %v", kinds)
	}
}

// kindOf says what sort of connection it is, to tell differences apart.
func kindOf(s *awsState, from, to awsEnd) string {
	name := func(e awsEnd) string {
		switch {
		case e.pod != nil && e.pod.Spec.HostNetwork:
			return "host pod"
		case e.pod != nil:
			return "pod"
		case e.svc:
			return "Service"
		case e.held:
			return "node"
		case e.addr.Is6() != s.ipv6:
			return "other family"
		}
		return "outside"
	}
	return name(from) + " to " + name(to)
}
