package reach

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/policy"
	"github.com/toolmoat/toolmoat/internal/reach/slow"
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

// tally counts what the engine said, and how often worlds showed both outcomes where it said that it depends.
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

// healthy demands that none of the outcomes is rare among those that could be judged. With few scenes chance decides that, so then it does not ask.
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
		w := r.concretise(b.Ground, s, edges)
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

// worst returns the verdict that is worst for who wants the connection denied, of the boxes that hold it.
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
		return r.IDs.Contains(b.ID(e.Holder, IPv4)) || r.IDs.Contains(b.ID(e.Holder, IPv6))
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

// behindVIP reports whether e is the address of a Service that connections no longer have when they are judged: what is behind it says all.
func (w *concrete) behindVIP(b *bench, e End) bool {
	return e.Holder >= b.Classes() && !w.JudgedBeforeService && b.translated.Contains(b.ID(e.Holder, IPv4))
}

// unasked reports whether pod, of end e, has no address in the family of the address at the other end, as it may: the engine is
// only asked about an address where its family is in use.
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
	translated := b.Says(cni.JudgedBeforeService) != cni.No && len(b.snap.Services) > 0
	door := q.to.Holder >= 0 && b.translated.Contains(b.ID(q.to.Holder, IPv4)) // which Reach leaves out where it is never judged
	if c := q.from.Holder; c >= 0 && c < b.Classes() && q.to.Holder != c && (translated || !door) {
		v := worst(b.reach[policy.Egress][c], q.proto, q.port, b.inRegion(q.to))
		if v != verdict && (!translated || CompareVerdicts(v, verdict) < 0) {
			b.fail(t, q, "Explain says %v, Reach(egress) %v", verdict, v)
		}
	}
	if c := q.to.Holder; c >= 0 && c < b.Classes() && q.from.Holder != c {
		if v := worst(b.reach[policy.Ingress][c], q.proto, q.port, b.inRegion(q.from)); v != verdict {
			b.fail(t, q, "Explain says %v, Reach(ingress) %v", verdict, v)
		}
	}
	for i := range b.worlds {
		if translated {
			b.checkTranslated(t, q, &b.worlds[i])
		}
		got := b.worlds[i].truths(b, q)
		if got[1] && verdict == Denied || got[0] && verdict == Allowed {
			b.fail(t, q, "Explain says %v, world %d shows otherwise: %+v", verdict, i, b.worlds[i].World)
		}
		seen[0], seen[1] = seen[0] || got[0], seen[1] || got[1]
	}
	return verdict, seen
}

// checkTranslated holds Reach against a world in which pods are also reached through Services.
func (b *bench) checkTranslated(t *testing.T, q question, w *concrete) {
	t.Helper()
	c := q.from.Holder
	if c < 0 || c >= b.Classes() || q.to.Holder < 0 || q.to.Holder >= b.Classes() || q.to.Holder == c {
		return
	}
	v := worst(b.reach[policy.Egress][c], q.proto, q.port, b.inRegion(q.to))
	for _, from := range w.of[c] {
		for _, to := range w.of[q.to.Holder] {
			passes := w.Allowed(slow.AtPod(from), slow.AtPod(to), q.proto.String(), int(q.port)) || w.ThroughService(slow.AtPod(from), to, q.proto.String(), int(q.port))
			if passes && v == Denied || !passes && v == Allowed {
				b.fail(t, q, "Reach(egress) says %v, a world with Services shows otherwise: %+v", v, w.World)
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
					if verdict == Depends && seen[0] && seen[1] {
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

// TestBounds holds the engine's bounds against worlds in which everything that the input leaves open is chosen.
func TestBounds(t *testing.T) {
	var count tally
	for seed := range uint64(scenes(t, 300)) {
		r := newRandom(seed, mix{unknown: true, hosts: seed%2 == 0, services: seed%4 == 0, nodes: seed%2 == 0})
		count.add(newBench(r, seed, r.scene(), spec(), 5).survey(t, r, false))
	}
	t.Log(&count)
	count.healthy(t, Allowed, Denied, Depends)
	if 2*count.both < count.verdicts[Depends] && !testing.Short() {
		t.Errorf("too few of the verdicts that depend were seen to: %v", &count)
	}
}

// TestExact holds the engine against the twin where everything is known: pods and addresses are certain.
func TestExact(t *testing.T) {
	var count tally
	for seed := range uint64(scenes(t, 200)) {
		r := newRandom(seed, mix{nodes: seed%2 == 0})
		count.add(newBench(r, seed, r.scene(), spec(), 2).survey(t, r, true))
	}
	t.Log(&count)
	count.healthy(t, Allowed, Denied)
}

// TestProfiles repeats both under profiles that know more, or other things, than the API's text.
func TestProfiles(t *testing.T) {
	yes, no := cni.Fact{Answer: cni.Yes}, cni.Fact{Answer: cni.No}
	for _, tt := range []struct {
		name string
		set  func(*cni.Profile)
	}{
		{"selectors match host pods", func(p *cni.Profile) { p.Facts[cni.SelectorsMatchHost] = yes }},
		{"selectors miss host pods", func(p *cni.Profile) { p.Facts[cni.SelectorsMatchHost] = no }},
		{"own node is judged", func(p *cni.Profile) { p.Facts[cni.OwnNodeMayEnter] = no }},
		{"judged after translation", func(p *cni.Profile) { p.Facts[cni.JudgedBeforeService] = no }},
		{"host pods are judged", func(p *cni.Profile) { p.Facts[cni.HostNetworkJudged] = yes }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			profile := spec()
			tt.set(&profile)
			var count tally
			for seed := range uint64(scenes(t, 60)) {
				r := newRandom(seed, mix{unknown: true, hosts: true, services: seed%4 == 0, nodes: seed%2 == 0})
				count.add(newBench(r, seed, r.scene(), profile, 4).survey(t, r, false))
			}
			count.healthy(t, Allowed, Denied)
		})
	}
}

// mixFor is what scenes for a profile may hold: one that enforces one family only sees one.
func mixFor(profile cni.Profile, bits uint64) mix {
	return mix{unknown: bits&1 != 0, hosts: bits&2 != 0, services: bits&4 != 0, nodes: bits&8 != 0 || bits&3 == 2, cilium: bits&16 != 0,
		v4: profile.Says(cni.LongestPrefixDecides) == cni.Yes, numbered: profile.Says(cni.LongestPrefixDecides) == cni.Yes}
}

// TestEveryProfile holds every profile against worlds of its own, with policies of Cilium's own kinds among the others.
func TestEveryProfile(t *testing.T) {
	for i, profile := range cni.Profiles {
		t.Run(profile.Name, func(t *testing.T) {
			var count tally
			for n := range uint64(scenes(t, 30)) {
				seed := uint64(i)*100000 + n
				r := newRandom(seed, mixFor(profile, n|16*(n%4/3^1)))
				count.add(newBench(r, seed, r.scene(), profile, 4).survey(t, r, false))
			}
			t.Log(&count)
		})
	}
}

// TestCilium does so for the one profile that enforces all of Cilium's own kinds.
func TestCilium(t *testing.T) {
	profile, err := cni.ByName("cilium")
	if err != nil {
		t.Fatal(err)
	}
	var count tally
	for seed := range uint64(scenes(t, 150)) {
		r := newRandom(seed, mixFor(profile, seed|16))
		count.add(newBench(r, seed, r.scene(), profile, 4).survey(t, r, false))
	}
	t.Log(&count)
	count.healthy(t, Allowed, Denied, Depends)
	if 4*count.both < count.verdicts[Depends] && !testing.Short() {
		t.Errorf("too few of the verdicts that depend were seen to: %v", &count)
	}
}

// TestViews demands that a program over several profiles says of each what a program over that one alone does.
func TestViews(t *testing.T) {
	compared := 0
	for seed := range uint64(scenes(t, 25)) {
		r := newRandom(seed, mix{unknown: seed%2 == 0, hosts: seed%3 == 0, services: seed%3 == 1, nodes: seed%2 == 1, cilium: seed%4 != 0})
		s := r.scene()
		g := NewGround(s.snap)
		all := NewProgram(g, cni.Profiles...)
		b := &bench{scene: s, Program: all, seed: seed}
		ends := b.ends(edgesOf(s.snap))
		for i, profile := range cni.Profiles {
			view, alone := all.In(1<<i), NewProgram(g, profile)
			for range 6 {
				q := question{AtHolder(r.IntN(g.Classes())), pick(r, ends...), pick(r, netset.Protocols[:]...), 0}
				if q.to.Holder < 0 && r.one(2) {
					q.from, q.to = q.to, q.from
				}
				boxes := slices.Concat(alone.Between(q.from, q.to), view.Between(q.from, q.to))
				for proto, ports := range r.portsFor(boxes) {
					for port := range ports {
						q.proto, q.port = proto, port
						b.sameSaid(t, q, profile.Name, view, alone)
						compared++
					}
				}
			}
			for _, d := range policy.Directions {
				for c := range g.Classes() {
					b.sameReach(t, r, view.Reach(c, d), alone.Reach(c, d), ends, profile.Name)
				}
			}
		}
	}
	if compared < 10000 && !testing.Short() {
		t.Errorf("only %d compared", compared)
	}
}

// sameSaid compares what two programs of one profile say of a connection.
func (b *bench) sameSaid(t *testing.T, q question, profile string, view, alone *Program) {
	t.Helper()
	anywhere := func(Region) bool { return true }
	got, want := view.Explain(q.from, q.to, q.proto, q.port), alone.Explain(q.from, q.to, q.proto, q.port)
	if got.Verdict != want.Verdict || got.Cond.String() != want.Cond.String() {
		b.fail(t, q, "%s: among others %v %q, alone %v %q", profile, got.Verdict, got.Cond, want.Verdict, want.Cond)
	}
	v, w := worst(view.Between(q.from, q.to), q.proto, q.port, anywhere), worst(alone.Between(q.from, q.to), q.proto, q.port, anywhere)
	if v != w {
		b.fail(t, q, "%s: Between says among others %v, alone %v", profile, v, w)
	}
}

// sameReach compares boxes by what they say of points.
func (b *bench) sameReach(t *testing.T, r *random, got, want []Box, ends []End, profile string) {
	t.Helper()
	for proto, ports := range r.portsFor(nil) {
		for port := range ports {
			for range 6 {
				e := pick(r, ends...)
				if v, w := worst(got, proto, port, b.inRegion(e)), worst(want, proto, port, b.inRegion(e)); v != w {
					b.fail(t, question{e, e, proto, port}, "%s: Reach says among others %v, alone %v", profile, v, w)
				}
			}
		}
	}
}

// TestSeveral holds a program over several profiles against worlds of each of them.
func TestSeveral(t *testing.T) {
	var count tally
	for seed := range uint64(scenes(t, 40)) {
		r := newRandom(seed, mix{unknown: seed%2 == 0, services: seed%3 == 1, nodes: seed%2 == 1, cilium: true, v4: true})
		s := r.scene()
		any, err := cni.Named(cni.Any)
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(r, seed, s, any[0], 0)
		b.Program = NewProgram(b.Ground, any...)
		for _, profile := range any {
			w := r.concretise(b.Ground, s, edgesOf(s.snap))
			w.under(r, profile)
			b.worlds = append(b.worlds, w)
		}
		ends := b.ends(edgesOf(s.snap))
		for range 60 {
			q := question{AtHolder(r.IntN(b.Classes())), pick(r, ends...), pick(r, netset.Protocols[:]...), netset.Port(pick(r, portNumbers...))}
			if q.to.Holder < 0 && r.one(2) {
				q.from, q.to = q.to, q.from
			}
			verdict := b.Explain(q.from, q.to, q.proto, q.port).Verdict
			count.verdicts[verdict]++
			var seen [2]bool
			for i := range b.worlds {
				got := b.worlds[i].truths(b, q)
				if got[1] && verdict == Denied || got[0] && verdict == Allowed {
					b.fail(t, q, "Explain says %v, a world of %s shows otherwise: %+v", verdict, any[i].Name, b.worlds[i].World)
				}
				seen[0], seen[1] = seen[0] || got[0], seen[1] || got[1]
			}
			if verdict == Depends && seen[0] && seen[1] {
				count.both++
			}
		}
	}
	t.Log(&count)
	count.healthy(t, Allowed, Denied, Depends)
}

// FuzzProfiles is TestEveryProfile for any seed.
func FuzzProfiles(f *testing.F) {
	f.Add(uint64(1), byte(0), byte(0xff))
	f.Fuzz(func(t *testing.T, seed uint64, which, bits byte) {
		profile := cni.Profiles[int(which)%len(cni.Profiles)]
		r := newRandom(seed, mixFor(profile, uint64(bits)))
		newBench(r, seed, r.scene(), profile, 3).survey(t, r, false)
	})
}

// FuzzBounds is TestBounds for any seed.
func FuzzBounds(f *testing.F) {
	f.Add(uint64(1), byte(0xff))
	f.Fuzz(func(t *testing.T, seed uint64, bits byte) {
		r := newRandom(seed, mix{unknown: bits&1 != 0, hosts: bits&2 != 0, services: bits&4 != 0, nodes: bits&8 != 0 || bits&3 == 2})
		newBench(r, seed, r.scene(), spec(), 3).survey(t, r, false)
	})
}
