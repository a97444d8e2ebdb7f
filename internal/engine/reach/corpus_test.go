package reach

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
	"github.com/toolmoat/toolmoat/test/slow"
)

// TestCorpus runs every public case through the engine, and through the twin unless it holds
// something that cannot be judged.
func TestCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 40 {
		t.Errorf("%d cases: some are missing", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { runCase(t, c) })
	}
}

// enforcing is the names of the profiles that "any" stands for.
func enforcing(t *testing.T) []string {
	t.Helper()
	all, err := cni.Named(cni.Any)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names
}

func runCase(t *testing.T, c corpus.Case) {
	snap := source.LoadFiles(source.File{Name: c.Name + ".case", Data: c.Manifests})
	checkProblems(t, c, snap)
	in := scene{snap: snap}
	if len(c.Problems) == 0 {
		in.policies = readPolicies(t, c.Manifests)
		in.own, in.missing = readCilium(t, c.Manifests)
	}
	any := enforcing(t)
	for _, profile := range cni.Profiles {
		expect := c.Under(profile.Name, any)
		if profile.Name == cni.Spec {
			expect = c.Expect
		}
		if expect != nil {
			t.Run(profile.Name, func(t *testing.T) { in.expect(t, profile, expect, len(c.Problems) == 0) })
		}
	}
}

// expect asks the engine under one profile and, if everything is judged, the twin in worlds of that
// profile.
func (s scene) expect(t *testing.T, profile cni.Profile, expect []corpus.Expect, judged bool) {
	worlds := 0
	if judged {
		worlds = 60
	}
	for _, e := range expect {
		for _, end := range []string{e.From, e.To} {
			if a, err := netip.ParseAddr(strings.Trim(end, "[]")); err == nil {
				s.asked = append(s.asked, a)
			}
		}
		if isName(e.To) && !slices.Contains(s.names, e.To) {
			s.names = append(s.names, e.To)
		}
	}
	s.names = append(s.names, lookedUp(s)...)
	b := newBench(newRandom(1, mix{unknown: true}), 0, s, profile, worlds)
	for _, e := range expect {
		from, to := b.find(t, e.From), b.find(t, e.To)
		proto := protocolOf(e.Protocol)
		for port := e.Lo; ; port = e.Hi {
			if to.name == "" { // the engine knows addresses only; names are the queries'
				verdict, cond := b.client(t, from, to, proto, netset.Port(port))
				if verdict != verdictNamed[e.Verdict] || !strings.Contains(cond.String(), e.If) {
					t.Errorf("line %d: %s -> %s:%d/%s: want %s %q, got %v %q", e.Line, e.From, e.To, port, e.Protocol, e.Verdict, e.If, verdict, cond)
				}
			}
			if judged {
				b.checkWorlds(t, e, from, to, port)
			}
			if port == e.Hi {
				break
			}
		}
	}
}

// isName reports whether an end is written as a host name.
func isName(text string) bool {
	_, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return err != nil && strings.Contains(text, ".") && !strings.Contains(text, "/")
}

// lookedUp returns host names that policies are about: as they are written, and one for each
// pattern.
func lookedUp(s scene) []string {
	var out []string
	for _, p := range s.cilium(nil) {
		for _, r := range p.Egress {
			for _, n := range r.Names {
				name := strings.NewReplacer("**.", "deep.www.", "*.", "www.", "*", "any.example").Replace(n)
				if !slices.Contains(s.names, name) && !slices.Contains(out, name) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

var verdictNamed = map[string]Verdict{"allow": Allowed, "deny": Denied, "depends": Depends, "unknown": Unknown, "notenforced": NotEnforced}

// checkProblems demands exactly the problems that the case lists.
func checkProblems(t *testing.T, c corpus.Case, s *model.Snapshot) {
	t.Helper()
	left := slices.Clone(s.Problems)
	for _, want := range c.Problems {
		i := slices.IndexFunc(left, func(p finding.Problem) bool { return p.Rule == want.Rule && strings.Contains(p.Message, want.Text) })
		if i < 0 {
			t.Errorf("line %d: no problem %s %q", want.Line, want.Rule, want.Text)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, p := range left {
		t.Errorf("unexpected problem %s at %s: %s", p.Rule, p.Origin.Pos(), p.Message)
	}
}

// party is one end of an expectation.
type party struct {
	ends    []caseEnd // choices, of which one that passes is enough
	service int       // index into Snapshot.Services, or -1
	name    string    // a host name
}

type caseEnd struct {
	End
	pod    Member
	single bool // it is one pod
}

// find resolves an end as the corpus writes it.
func (b *bench) find(t *testing.T, text string) party {
	t.Helper()
	if isName(text) {
		return party{service: -1, name: text}
	}
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		if pod, ok := b.PodAt(a); ok {
			return party{ends: []caseEnd{{AtHolder(pod.Class), pod.Member, true}}, service: -1}
		}
		if n, ok := b.VIPAt(a); ok {
			return party{service: b.Class(n).Service}
		}
		for n := range b.holders {
			if h := b.Class(n); (h.Kind == Node || h.Kind == KubeAPI) && h.Addrs[familyOf(a)] == (Addr{KnownAddr, a}) {
				return party{ends: []caseEnd{{End: AtHolder(n)}}, service: -1}
			}
		}
		return party{ends: []caseEnd{{End: AtAddr(a)}}, service: -1}
	}
	ns, rest, _ := strings.Cut(text, "/")
	kind, name, ok := strings.Cut(rest, "/")
	if !ok {
		kind, name = "", rest
	}
	out := party{service: -1}
	for i := range b.snap.Workloads {
		w := &b.snap.Workloads[i]
		if w.Namespace != ns {
			continue
		}
		whole := w.Name == name && (kind == "" || kind == w.Kind)
		for _, class := range b.ClassesOf(i) {
			for _, m := range b.Class(class).Members {
				if p := w.Pods[m.Pod%len(w.Pods)]; m.Workload == i && (whole || kind == "Pod" && p.Name == name) {
					out.ends = append(out.ends, caseEnd{AtHolder(class), m, p.Name != "" || !w.Many})
				}
			}
		}
	}
	for i, svc := range b.snap.Services {
		if out.ends == nil && svc.Namespace == ns && svc.Name == name && (kind == "" || kind == "Service") {
			out.service = i
		}
	}
	if out.ends == nil && out.service < 0 {
		t.Fatalf("the case has no %s", text)
	}
	return out
}

// client answers as a client would see it: any choice will do, and worlds in which policy is judged
// before or after a Service's address is translated must agree.
func (b *bench) client(t *testing.T, from, to party, proto netset.Protocol, port netset.Port) (Verdict, when.When) {
	t.Helper()
	verdict, cond := Denied, when.Never
	better := func(v Verdict, c when.When) {
		if CompareVerdicts(v, verdict) > 0 {
			verdict, cond = v, c
		}
	}
	for _, f := range from.ends {
		for _, e := range to.ends {
			if f.single && e.single && f.pod == e.pod && f.Holder >= 0 && f.Holder == e.Holder {
				better(Allowed, when.Always)
				continue
			}
			v, _ := b.ask(t, question{f.End, e.End, proto, port})
			better(v, b.Explain(f.End, e.End, proto, port).When)
		}
		if to.service >= 0 {
			better(b.viaService(f.End, to.service, proto, port))
		}
	}
	return verdict, cond
}

func (b *bench) viaService(from End, service int, proto netset.Protocol, port netset.Port) (Verdict, when.When) {
	front, hasVIP := b.VIP(service)
	after, before := Denied, Denied
	for _, back := range b.Backends(service) {
		for _, m := range back.Ports {
			if m.Protocol != proto || m.Service != port {
				continue
			}
			if !hasVIP { // a name for the pods: nothing is translated
				m.Target = port
			}
			t := b.Explain(from, AtHolder(back.Class), proto, m.Target)
			if CompareVerdicts(t.Verdict, after) > 0 {
				after = t.Verdict
			}
			if !hasVIP {
				continue
			}
			out := b.Explain(from, AtHolder(front), proto, port).Verdict
			in := sideOf(t, policy.Ingress).Verdict
			if out != Denied && in != Denied && CompareVerdicts(min(out, in), before) > 0 {
				before = min(out, in)
			}
		}
	}
	switch judged := b.Says(cni.JudgedBeforeService); {
	case !hasVIP || judged == cni.No || after == before:
		return after, when.Always
	case judged == cni.Yes:
		return before, when.Always
	}
	return Depends, b.says.where[cni.JudgedBeforeService]
}

// checkWorlds demands of the twin what the case says: always, never, or in some worlds and not in
// others.
func (b *bench) checkWorlds(t *testing.T, e corpus.Expect, from, to party, port int) {
	t.Helper()
	var seen [2]int
	for i := range b.worlds {
		w := &b.worlds[i]
		passes, asked := false, to.service >= 0 || to.name != ""
		for _, f := range from.pods(b, w) {
			for _, a := range w.Names[to.name] {
				passes = passes || w.Allowed(f, slow.AtAddr(a), e.Protocol, port)
			}
			for _, x := range to.pods(b, w) {
				if f == x && !from.ends[0].single || w.unasked(b, from.ends[0].End, f, x) || w.unasked(b, to.ends[0].End, x, f) {
					continue // two replicas are meant; an address shows that its family is in use
				}
				asked = true
				passes = passes || w.Allowed(f, x, e.Protocol, port)
			}
			if to.service >= 0 {
				for _, back := range w.Services[to.service].Backends {
					if back.Port == port && back.Protocol == e.Protocol {
						passes = passes || w.ByService(f, w.Services[to.service], back)
					}
				}
			}
		}
		switch {
		case passes:
			seen[1]++
		case asked:
			seen[0]++
		}
	}
	if want := map[string][2]bool{"allow": {false, true}, "notenforced": {false, true}, "deny": {true, false}, "depends": {true, true}}[e.Verdict]; (seen[0] > 0) != want[0] || (seen[1] > 0) != want[1] {
		t.Errorf("line %d: %s -> %s:%d/%s: want %s, but it passes in %d worlds and not in %d", e.Line, e.From, e.To, port, e.Protocol, e.Verdict, seen[1], seen[0])
	}
}

// pods returns what stands in w for a party.
func (p party) pods(b *bench, w *concrete) []slow.End {
	var out []slow.End
	for _, e := range p.ends {
		switch {
		case e.Holder < 0:
			out = append(out, w.in(b, e.End)...)
			continue
		case e.Holder >= len(w.of):
			for _, a := range w.addrs[e.Holder] {
				out = append(out, slow.AtAddr(a))
			}
			continue
		}
		for _, n := range w.of[e.Holder] {
			if w.member[n] == e.pod {
				out = append(out, slow.AtPod(n))
			}
		}
	}
	return out
}
