package reach

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/test/slow"
)

// labelSets lists every label set on keys with values or without.
func labelSets(keys, values []string) []label.Set {
	out := []label.Set{{}}
	for _, k := range keys {
		for _, set := range out {
			for _, v := range values {
				more := maps.Clone(set)
				more[k] = v
				out = append(out, more)
			}
		}
	}
	return out
}

// hypotheticalPod is a pod that a scene does not hold, in a namespace that it may hold.
type hypotheticalPod struct {
	namespace string // "" for a new one
	ns, pod   label.Set
}

// freshSets lists the labels of new namespaces of every kind.
var freshSets = labelSets([]string{"team", "zone"}, teamValues)

// newcomer is s in a new namespace with such labels.
func (s hypotheticalPod) newcomer(ns label.Set) hypotheticalPod {
	ns = maps.Clone(ns)
	ns[label.MetadataName] = "new"
	return hypotheticalPod{ns: ns, pod: s.pod}
}

// verdictOn returns what Hypothetical says of one such pod.
func verdictOn(t *testing.T, list []Hypothetical, s hypotheticalPod, proto netset.Protocol, port netset.Port) Verdict {
	t.Helper()
	v := Denied
	held := 0
	for _, x := range list {
		in := x.Namespace == s.namespace
		if in && s.namespace == "" {
			in, _ = x.NS.Match(label.Known(s.ns))
		}
		fits, _ := x.Pod.Match(label.Known(s.pod))
		if in && fits && x.Verdict == Unknown && x.Conns.IsEmpty() {
			return Unknown // too many kinds to tell apart
		}
		if !in || !fits || !x.Conns.Contains(proto, port) {
			continue
		}
		if held++; held > 1 && s.namespace == "" { // an existing namespace may turn out to be of several kinds
			t.Fatalf("%+v is in several of the sets", s)
		}
		if CompareVerdicts(x.Verdict, v) > 0 {
			v = x.Verdict
		}
	}
	return v
}

// settle adds the pod to a world, with addresses in the families of pod n. number is what its named
// ports stand for, 0 if it has none.
func (w concrete) settle(r *random, s hypotheticalPod, n int, edges []netip.Addr, number int) slow.World {
	world := w.World
	name := s.namespace
	if name == "" {
		name = s.ns[label.MetadataName]
		world.Namespaces = maps.Clone(w.Namespaces)
		world.Namespaces[name] = s.ns
	}
	pod := slow.Pod{Namespace: name, Name: "hypothetical", Labels: s.pod}
	w.used = maps.Clone(w.used)
	for _, a := range w.Pods[n].Addrs {
		pod.Addrs = append(pod.Addrs, w.invent(r, ofPods, familyOf(a), edges))
	}
	for n := range w.Nodes {
		pod.Node = n
	}
	for _, title := range portTitles {
		for _, proto := range protocols {
			pod.Ports = append(pod.Ports, slow.NamedPort{Name: title, Protocol: proto, Number: number})
		}
	}
	world.Pods = append(w.Pods[:len(w.Pods):len(w.Pods)], pod)
	return world
}

// TestHypothetical holds hypothetical pods against brute force: every label set on three keys with
// three values each, in three namespaces and in new ones of every kind.
func TestHypothetical(t *testing.T) {
	pods := labelSets([]string{"app", "tier", "hash"}, labelValues)
	var count tally
	for seed := range uint64(scenes(t, 60)) {
		r := newRandom(seed, mix{unknown: seed%4 != 0, hosts: seed%8 == 1, nodes: seed%4 == 0})
		b := newBench(r, seed, r.scene(), spec(), 4)
		edges := edgesOf(b.snap)
		for c := range b.Classes() {
			for _, d := range policy.Directions {
				list := b.Hypothetical(c, d)
				for _, set := range pods {
					if r.one(3) {
						continue
					}
					s := hypotheticalPod{pod: set}
					if r.one(2) {
						s = s.newcomer(pick(r, freshSets...))
					} else {
						s.namespace = pick(r, nsNames...)
					}
					count.add(b.askHypothetical(t, r, c, d, list, s, edges))
				}
			}
		}
	}
	t.Log(&count)
	count.healthy(t, Allowed, Denied, Depends)
}

// askHypothetical asks about one hypothetical pod, at a port drawn at random.
func (b *bench) askHypothetical(t *testing.T, r *random, c int, d policy.Direction, list []Hypothetical, s hypotheticalPod, edges []netip.Addr) (count tally) {
	t.Helper()
	proto, port := pick(r, netset.TCP, netset.TCP, netset.UDP, netset.SCTP), netset.Port(pick(r, portNumbers...))
	verdict := verdictOn(t, list, s, proto, port)
	count.verdicts[verdict]++
	upper := verdict
	if s.namespace != "" && s.namespace != b.NamespaceOf(c) { // left out where the same pod of a new namespace can do as much
		for _, ns := range freshSets {
			if v := verdictOn(t, list, s.newcomer(ns), proto, port); CompareVerdicts(v, upper) > 0 {
				upper = v
			}
		}
	}
	var seen [2]bool
	for i := range b.worlds {
		for _, n := range b.worlds[i].of[c] {
			passes := false
			for _, number := range []int{0, int(port)} { // what a pod could do: it names its ports as it likes
				w := b.worlds[i].settle(r, s, n, edges, number)
				from, to := slow.AtPod(n), slow.AtPod(len(w.Pods)-1)
				if d == policy.Ingress {
					from, to = to, from
				}
				passes = passes || w.Allowed(from, to, proto.String(), int(port))
			}
			if passes && upper == Denied || !passes && verdict == Allowed {
				q := question{AtHolder(c), AtHolder(c), proto, port}
				b.fail(t, q, "Hypothetical(%v) says %v of %+v, a world shows otherwise\n%+v", d, verdict, s, b.worlds[i].World)
			}
			if passes {
				seen[1] = true
			} else {
				seen[0] = true
			}
		}
	}
	if verdict == Depends && seen[0] && seen[1] {
		count.both++
	}
	return count
}
