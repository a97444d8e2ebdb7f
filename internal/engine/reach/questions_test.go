package reach

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/test/slow"
)

// scenes says how many random scenes a test looks at: n, times TOOLMOAT_SCENES where that is set.
func scenes(t testing.TB, n int) int {
	if text := os.Getenv("TOOLMOAT_SCENES"); text != "" {
		factor, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n * factor
	}
	if testing.Short() {
		return n / 3
	}
	return n
}

func spec() cni.Profile {
	p, err := cni.ByName("spec")
	if err != nil {
		panic(err)
	}
	return p
}

// tally counts what the engine said, and how often worlds showed both outcomes where it said that
// it depends.
type tally struct {
	verdicts [5]int
	both     int
}

func (c *tally) add(d tally) {
	for v, n := range d.verdicts {
		c.verdicts[v] += n
	}
	c.both += d.both
}

func (c *tally) String() string {
	var b strings.Builder
	for v, n := range c.verdicts {
		fmt.Fprintf(&b, "%s %d, ", Verdict(v), n)
	}
	return b.String() + fmt.Sprintf("both outcomes seen in %d of those that depend", c.both)
}

// healthy demands that none of the outcomes is rare among those that could be judged. With few
// scenes chance decides that, so then it does not ask.
func (c *tally) healthy(t *testing.T, want ...Verdict) {
	t.Helper()
	if testing.Short() {
		return
	}
	all := c.verdicts[Allowed] + c.verdicts[Denied] + c.verdicts[Depends]
	for _, v := range want {
		if 10*c.verdicts[v] < all {
			t.Errorf("%s is fewer than one verdict in ten: %v", v, c)
		}
	}
}

// question is one connection that is asked of the engine and of every world.
type question struct {
	from, to End
	proto    netset.Protocol
	port     netset.Port
}

func (q question) String() string {
	end := func(e End) string {
		if e.Holder < 0 {
			return e.Addr.String()
		}
		return fmt.Sprintf("#%d", e.Holder)
	}
	return fmt.Sprintf("%s -> %s:%d/%s", end(q.from), end(q.to), q.port, q.proto)
}

// bench is a scene with the program made of it and worlds to hold it against.
type bench struct {
	scene
	*Program
	worlds []concrete
	reach  [3][][]Box // by direction and class
	seed   uint64
}

func newBench(r *random, seed uint64, s scene, profile cni.Profile, worlds int) *bench {
	b := &bench{scene: s, Program: NewProgram(NewGround(s.snap), profile), seed: seed}
	edges := append(edgesOf(s.snap), s.asked...)
	for range worlds {
		w := r.concretise(b.Ground, s, profile, edges)
		w.under(r, profile)
		b.worlds = append(b.worlds, w)
	}
	for _, d := range policy.Directions {
		for c := range b.Classes() {
			b.reach[d] = append(b.reach[d], b.Reach(c, d))
		}
	}
	return b
}

// worst returns the verdict that is worst for who wants the connection denied, of the boxes that
// hold it.
func worst(boxes []Box, proto netset.Protocol, port netset.Port, in func(Region) bool) Verdict {
	v := Denied
	for _, b := range boxes {
		if b.Conns.Contains(proto, port) && in(b.Region) && CompareVerdicts(b.Verdict, v) > 0 {
			v = b.Verdict
		}
	}
	return v
}

func (b *bench) inRegion(e End) func(Region) bool {
	return func(r Region) bool {
		if e.Holder < 0 {
			return r.Addrs.Contains(e.Addr)
		}
		return r.IDs.Contains(netset.ID(e.Holder))
	}
}

// ends lists everything that a question can be about.
func (b *bench) ends(edges []netip.Addr) []End {
	var out []End
	for n := range b.holders {
		out = append(out, AtHolder(n))
	}
	for _, a := range edges {
		out = append(out, AtAddr(a))
	}
	return out
}

// in returns what stands in w for an end.
func (w *concrete) in(b *bench, e End) []slow.End {
	var out []slow.End
	switch {
	case e.Holder < 0:
		taken := false
		for _, p := range w.Pods {
			taken = taken || slices.Contains(p.Addrs, e.Addr)
		}
		for _, addrs := range w.Nodes {
			taken = taken || slices.Contains(addrs, e.Addr)
		}
		for _, addrs := range w.addrs {
			taken = taken || slices.Contains(addrs, e.Addr)
		}
		if !taken {
			out = append(out, slow.AtAddr(e.Addr))
		}
	case e.Holder < b.Classes():
		for _, n := range w.of[e.Holder] {
			out = append(out, slow.AtPod(n))
		}
	}
	return out
}

// truths returns what w says to a question, over all that the two numbers may stand for.
func (w *concrete) truths(b *bench, q question) (seen [2]bool) {
	note := func(ok bool) {
		if ok {
			seen[1] = true
		} else {
			seen[0] = true
		}
	}
	proto, port := q.proto.String(), int(q.port)
	if w.behindVIP(b, q.to) {
		return seen
	}
	wide := func(e End) []netip.Addr { // of what is neither a pod nor an address: any of its addresses will do
		if e.Holder >= b.Classes() {
			return w.addrs[e.Holder]
		}
		return nil
	}
	if addrs := wide(q.from); addrs != nil {
		for _, to := range w.in(b, q.to) {
			note(slices.ContainsFunc(addrs, func(a netip.Addr) bool { return w.Allowed(slow.AtAddr(a), to, proto, port) }))
		}
		return seen
	}
	for _, from := range w.in(b, q.from) {
		if addrs := wide(q.to); addrs != nil {
			note(slices.ContainsFunc(addrs, func(a netip.Addr) bool { return w.Leaves(from, a, proto, port) }))
			continue
		}
		for _, to := range w.in(b, q.to) {
			if from == to || w.unasked(b, q.from, from, to) || w.unasked(b, q.to, to, from) {
				continue
			}
			note(w.Allowed(from, to, proto, port))
		}
	}
	return seen
}

// behindVIP reports whether e is the address of a Service that connections no longer have when they
// are judged: what is behind it says all.
func (w *concrete) behindVIP(b *bench, e End) bool {
	return e.Holder >= b.Classes() && !w.JudgedBeforeService && b.translated.Contains(netset.ID(e.Holder))
}

// unasked reports whether pod, of end e, has no address in the family of the address at the other
// end, as it may: the engine is only asked about an address where its family is in use.
func (w *concrete) unasked(b *bench, e End, pod, addr slow.End) bool {
	if pod.Pod < 0 || addr.Pod >= 0 || b.holders[e.Holder].Addrs[familyOf(addr.Addr)].State != MayHave {
		return false
	}
	return !slices.ContainsFunc(w.Pods[pod.Pod].Addrs, func(a netip.Addr) bool { return a.Is4() == addr.Addr.Is4() })
}

// ask puts one question to the engine in every way, and to the worlds.
func (b *bench) ask(t *testing.T, q question) (verdict Verdict, seen [2]bool) {
	t.Helper()
	trace := b.Explain(q.from, q.to, q.proto, q.port)
	verdict = trace.Verdict
	anywhere := func(Region) bool { return true }
	if v := worst(b.Between(q.from, q.to), q.proto, q.port, anywhere); v != verdict {
		b.fail(t, q, "Explain says %v, Between %v", verdict, v)
	}
	judged := b.Says(cni.JudgedBeforeService) != cni.No && len(b.snap.Services) > 0
	translated := judged || b.behindNodes != nil || b.bareBackends != nil
	door := q.to.Holder >= 0 && b.translated.Contains(netset.ID(q.to.Holder)) // which Reach leaves out where it is never judged
	if c := q.from.Holder; c >= 0 && c < b.Classes() && q.to.Holder != c && (judged || !door) {
		v := worst(b.reach[policy.Egress][c], q.proto, q.port, b.inRegion(q.to))
		if v != verdict && (!translated || CompareVerdicts(v, verdict) < 0) {
			b.fail(t, q, "Explain says %v, Reach(egress) %v", verdict, v)
		}
	}
	if c := q.to.Holder; c >= 0 && c < b.Classes() && q.from.Holder != c {
		if v := worst(b.reach[policy.Ingress][c], q.proto, q.port, b.inRegion(q.from)); v != verdict && (!translated || CompareVerdicts(v, verdict) < 0) {
			b.fail(t, q, "Explain says %v, Reach(ingress) %v", verdict, v)
		}
	}
	for i := range b.worlds {
		if translated {
			b.checkTranslated(t, q, &b.worlds[i])
		}
		got := b.worlds[i].truths(b, q)
		if got[1] && verdict == Denied || got[0] && (verdict == Allowed || verdict == NotEnforced && !b.worlds[i].NotEnforced) {
			b.fail(t, q, "Explain says %v, world %d shows otherwise: %+v", verdict, i, b.worlds[i].World)
		}
		seen[0], seen[1] = seen[0] || got[0], seen[1] || got[1]
	}
	return verdict, seen
}

// checkTranslated holds Reach, from both sides, against a world in which pods are also reached
// through Services, ports of nodes and external IPs.
func (b *bench) checkTranslated(t *testing.T, q question, w *concrete) {
	t.Helper()
	c := q.from.Holder
	if c < 0 || c >= b.Classes() || q.to.Holder < 0 || q.to.Holder >= b.Classes() || q.to.Holder == c {
		return
	}
	out := worst(b.reach[policy.Egress][c], q.proto, q.port, b.inRegion(q.to))
	in := worst(b.reach[policy.Ingress][q.to.Holder], q.proto, q.port, b.inRegion(q.from))
	if (out == Denied) != (in == Denied) {
		b.fail(t, q, "Reach(egress) says %v, Reach(ingress) %v", out, in)
	}
	proto, port := q.proto.String(), int(q.port)
	for _, from := range w.of[c] {
		for _, to := range w.of[q.to.Holder] {
			at := slow.AtPod(from)
			passes := w.Allowed(at, slow.AtPod(to), proto, port) || w.ThroughService(at, to, proto, port) || w.ThroughNode(at, to, proto, port)
			if passes && out == Denied || !passes && out == Allowed {
				b.fail(t, q, "Reach(egress) says %v, a world with Services and ports of nodes shows otherwise: %+v", out, w.World)
			}
		}
	}
}

func (b *bench) fail(t *testing.T, q question, format string, args ...any) {
	t.Helper()
	var w strings.Builder
	for n := range b.holders {
		h := b.Class(n)
		fmt.Fprintf(&w, "#%d %d %v %v %v host=%t %v ports=%v\n", n, h.Kind, h.Members, h.labels, h.Addrs, h.host, h.namespace, h.ports)
	}
	for _, p := range b.policies {
		fmt.Fprintf(&w, "%s %v %v\n", p.Namespace, p.PodSelector, p.PolicyTypes)
		for _, rules := range [][]slow.Rule{p.Ingress, p.Egress} {
			for _, r := range rules {
				fmt.Fprintf(&w, "  ports %+v\n", r.Ports)
				for _, x := range r.Peers {
					fmt.Fprintf(&w, "    pod %v ns %v block %v\n", x.PodSelector, x.NamespaceSelector, x.IPBlock)
				}
			}
			w.WriteString("  --\n")
		}
	}
	for _, p := range b.cilium(nil) {
		fmt.Fprintf(&w, "cilium %q %v deny by default %v %v\n", p.Namespace, p.Subject, p.DenyIngress == nil || *p.DenyIngress, p.DenyEgress == nil || *p.DenyEgress)
		for i, rules := range [][]slow.CiliumRule{p.Ingress, p.IngressDeny, p.Egress, p.EgressDeny} {
			for _, r := range rules {
				fmt.Fprintf(&w, "  %s %+v\n", [...]string{"ingress", "ingressDeny", "egress", "egressDeny"}[i], r)
			}
		}
	}
	t.Fatalf("seed %d: %v: %s\n%s", b.seed, q, fmt.Sprintf(format, args...), w.String())
}

// portsFor draws the ports to ask about: some at random, and every edge of the engine's own answer.
func (r *random) portsFor(boxes []Box) map[netset.Protocol]map[netset.Port]bool {
	out := map[netset.Protocol]map[netset.Port]bool{netset.TCP: {}, netset.UDP: {}, netset.SCTP: {}}
	for range 2 {
		out[pick(r, netset.Protocols[:]...)][pick[netset.Port](r, 1, 79, 80, 81, 82, 443, 8080, 65534, 65535)] = true
	}
	for _, b := range boxes {
		for _, proto := range netset.Protocols {
			for run := range b.Conns.Of(proto).Runs() {
				for _, p := range []int{int(run.Lo) - 1, int(run.Lo), int(run.Hi), int(run.Hi) + 1} {
					if p >= 1 && p <= 65535 {
						out[proto][netset.Port(p)] = true
					}
				}
			}
		}
	}
	return out
}

// survey asks about pairs of a scene, few out of all where a scene is large.
func (b *bench) survey(t *testing.T, r *random, exact bool) (count tally) {
	t.Helper()
	ends := b.ends(edgesOf(b.snap))
	for c := range b.Classes() {
		for range 8 {
			from, to := AtHolder(c), pick(r, ends...)
			if to.Holder < 0 || to.Holder >= b.Classes() {
				if r.one(2) {
					from, to = to, from
				}
			}
			boxes := b.Between(from, to)
			if len(boxes) == 1 && boxes[0].Egress == nil && boxes[0].Ingress == nil && !r.one(10) {
				continue // open for want of a policy, which is easy
			}
			for proto, ports := range r.portsFor(boxes) {
				for port := range ports {
					q := question{from, to, proto, port}
					verdict, seen := b.ask(t, q)
					count.verdicts[verdict]++
					mayLack := func(e End) bool { return e.Holder >= 0 && e.Holder < b.Classes() && !b.Certain(e.Holder) } // where there is no pod, none is seen
					if verdict == Depends && (seen[0] && seen[1] || (seen[0] || seen[1]) && (mayLack(from) || mayLack(to))) {
						count.both++
					}
					if local := func(e End) bool {
						return e.Holder >= 0 && (b.holders[e.Holder].Kind == Node || b.holders[e.Holder].host)
					}; exact &&
						verdict != Allowed && verdict != Denied && !local(from) && !local(to) && b.unknownAddrs(from, to) {
						b.fail(t, q, "Explain says %v, though everything is known", verdict)
					}
				}
			}
		}
	}
	return count
}

// unknownAddrs reports whether what is known of the ends' addresses settles everything.
func (b *bench) unknownAddrs(ends ...End) bool {
	for _, e := range ends {
		if e.Holder >= 0 && (b.holders[e.Holder].Addrs[IPv4].State == MayHave || b.holders[e.Holder].Addrs[IPv6].State == MayHave) {
			return false
		}
	}
	return true
}
