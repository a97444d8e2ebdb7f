package reach

import (
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// mixFor is what scenes for a profile may hold: one that enforces one family only sees one.
func mixFor(profile cni.Profile, bits uint64) mix {
	return mix{unknown: bits&1 != 0, hosts: bits&2 != 0, services: bits&4 != 0, nodes: bits&8 != 0 || bits&3 == 2, cilium: bits&16 != 0,
		v4: profile.Says(cni.LongestPrefixDecides) == cni.Yes, numbered: profile.Says(cni.LongestPrefixDecides) == cni.Yes}
}

// TestEveryProfile holds every profile against worlds of its own, with policies of Cilium's own
// kinds among the others.
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

// TestViews demands that a program over several profiles says of each what a program over that one
// alone does.
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
	if got.Verdict != want.Verdict || got.When.String() != want.When.String() {
		b.fail(t, q, "%s: among others %v %q, alone %v %q", profile, got.Verdict, got.When, want.Verdict, want.When)
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
			w := r.concretise(b.Ground, s, profile, edgesOf(s.snap))
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
	f.Add(uint64(362), byte('v'), byte('Y'))   // a policy that perhaps selects a pod, where pods that none selects are denied
	f.Add(uint64(331), byte(0x9c), byte(0xdc)) // a Service without a selector, to whose pods no name leads
	f.Add(uint64(309), byte('1'), byte(0xa1))  // a policy that perhaps selects a pod, whose exception gets ports by way of a longer prefix
	f.Add(uint64(664), byte('P'), byte(0xfe))  // a selector names the address of one node, where a hostNetwork class runs on two
	f.Add(uint64(19), byte('<'), byte('d'))    // a Service's address as a client, which no selector of an ingress rule names
	f.Add(uint64(45), byte('\v'), byte('9'))   // a selector names the API server's Service, which the input does not show
	f.Add(uint64(579), byte(0x16), byte(5))    // a Service's port by a name that only a sidecar gives
	f.Add(uint64(364), byte(0x17), byte('k'))  // the API server's Service, which facts alone show
	f.Add(uint64(666), byte('1'), byte(5))     // and its namespace, which nothing shows
	f.Add(uint64(571), byte('j'), byte('d'))   // an endpoint that is one of two pods of a class
	f.Fuzz(func(t *testing.T, seed uint64, which, bits byte) {
		profile := cni.Profiles[int(which)%len(cni.Profiles)]
		r := newRandom(seed, mixFor(profile, uint64(bits)))
		newBench(r, seed, r.scene(), profile, 3).survey(t, r, false)
	})
}
