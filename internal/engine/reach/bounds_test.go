package reach

import (
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
)

// TestBounds holds the engine's bounds against worlds in which everything that the input leaves
// open is chosen.
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

// TestExact holds the engine against the twin where everything is known: pods and addresses are
// certain.
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

// FuzzBounds is TestBounds for any seed.
func FuzzBounds(f *testing.F) {
	f.Add(uint64(1), byte(0xff))
	f.Add(uint64(219), byte(0x97)) // facts that show the API server's Service, and so a family
	f.Fuzz(func(t *testing.T, seed uint64, bits byte) {
		r := newRandom(seed, mix{unknown: bits&1 != 0, hosts: bits&2 != 0, services: bits&4 != 0, nodes: bits&8 != 0 || bits&3 == 2})
		newBench(r, seed, r.scene(), spec(), 3).survey(t, r, false)
	})
}
