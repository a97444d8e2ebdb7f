package reach

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
)

// typicalWorld answers questions as in some world that is typical under one profile, the same ones
// alike. Where addresses lie is looked up in the profile, not in a program.
type typicalWorld struct {
	r       *random
	p       *Program // for the worst
	profile cni.Profile
	bit     uint64
	answers map[string]when.Answers
}

// answer is that to a question of any program for the same input.
func (w *typicalWorld) answer(q *when.Question) when.Answers {
	id, _, _ := strings.Cut(strings.Replace(strings.Replace(q.ID, " on EKS", "", 1), " on GKE", "", 1), " @")
	switch known, ok := w.answers[id]; {
	case ok:
		return known
	case q.Kind == when.CNI:
		return when.Answers{Bits: w.bit}
	case id == "cluster has IPv6", id == "nodes have IPv6":
		has := when.No
		if w.p.showsIPv6() {
			has = when.Yes
		}
		return when.Answers{Bits: has}
	}
	var out when.Answers
	if q.Kind == when.Address {
		out.Addrs = netset.Points(w.address(id))
	} else {
		for out.Bits == 0 {
			out.Bits = uint64(1) << w.r.IntN(64) & q.All.Bits
		}
	}
	w.answers[id] = out
	return out
}

// address chooses a typical address for what "FAMILY address of END, of KIND" asks.
func (w *typicalWorld) address(id string) netip.Addr {
	f, family := IPv4, "0.0.0.0/0"
	if strings.HasPrefix(id, IPv6.String()) {
		f, family = IPv6, "::/0"
	}
	for k := range kinds {
		if _, of, _ := strings.Cut(id, ", of "); of != k.String() && (k != ofPods || !strings.Contains(id, "pods' range")) {
			continue
		}
		at := w.p.shown[k]
		space := w.profile.Place(k.object()).Typical
		if at.all[f] {
			space = netset.Addrs{}
		}
		var runs []netset.Run[netip.Addr]
		for run := range space.Union(at.ranges).Union(at.more).Intersect(netset.MustPrefixes(family)).Runs() {
			runs = append(runs, run)
		}
		run := pick(w.r, runs...)
		return pick(w.r, run.Lo, run.Hi)
	}
	panic("no kind: " + id)
}

// holds reports whether a condition does in the world.
func (w *typicalWorld) holds(c when.When) bool {
	for !c.IsAlways() && !c.IsNever() {
		q := c.Questions()[0]
		is := q.Is(w.answer(q))
		if is.IsNever() {
			panic("no answer to " + q.ID)
		}
		c = c.Assume(is)
	}
	return c.IsAlways()
}

// TestTypical demands that what is typical is the worst, in the worlds in which addresses and IP
// families are as the profile says that they typically are.
func TestTypical(t *testing.T) {
	t.Parallel()
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := cni.Named(cni.Any)
	if err != nil {
		t.Fatal(err)
	}
	r := newRandom(11, mix{})
	asked, decided := 0, 0
	compare := func(name string, g *Ground) {
		worst, typical := NewProgram(g, profiles...), Assuming(g, Typical, profiles...)
		for i, profile := range profiles {
			a, b := worst.In(1<<i), typical.In(1<<i)
			for from := range min(g.Classes(), 6) {
				for range 6 {
					to, port := AtHolder(r.IntN(g.Holders())), pick(r, netset.Port(53), 80, 443, 8080)
					x, y := a.Explain(AtHolder(from), to, netset.TCP, port), b.Explain(AtHolder(from), to, netset.TCP, port)
					for range 3 {
						w := typicalWorld{r, worst, profile, 1 << i, map[string]when.Answers{}}
						if asked++; w.holds(x.When) != w.holds(y.When) {
							t.Fatalf("%s, %s: %d -> %d:%d: in the worst case %v if %v, typically %v if %v; where %v", name, profile.Name, from, to.Holder, port, x.Verdict, x.When, y.Verdict, y.When, w.answers)
						}
					}
					if x.Verdict == Depends && (y.Verdict == Allowed || y.Verdict == Denied) {
						decided++
					}
				}
			}
		}
	}
	for _, c := range cases {
		compare(c.Name, NewGround(source.LoadFiles(source.File{Name: c.Name, Data: c.Manifests})))
	}
	for seed := range uint64(scenes(t, 60)) {
		compare("random", NewGround(newRandom(seed, mix{unknown: seed%2 == 0, hosts: seed%3 == 0, services: seed%3 == 1, nodes: seed%2 == 1, cilium: seed%4 != 0}).scene().snap))
	}
	if asked < 1000 || decided < asked/400 {
		t.Errorf("%d worlds asked, of which %d answers are decided that depend in the worst case", asked, decided)
	}
	t.Logf("%d worlds, %d answers decided that depend in the worst case", asked, decided)
}
