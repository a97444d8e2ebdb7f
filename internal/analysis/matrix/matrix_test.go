package matrix

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
	"github.com/toolmoat/toolmoat/test/synth"
)

func program(files ...source.File) *reach.Program {
	return reach.Assuming(reach.NewGround(source.LoadFiles(files...)), reach.Typical, cni.Profiles[0])
}

// inputs are the public cases, random small scenes, and a synthetic cluster.
func inputs(t testing.TB) map[string]*reach.Program {
	out := map[string]*reach.Program{}
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		out[c.Name] = program(source.File{Name: c.Name, Data: c.Manifests})
	}
	for seed := range uint64(40) {
		out[fmt.Sprint("random ", seed)] = program(source.File{Name: "in.yaml", Data: randomScene(seed)})
	}
	out["synthetic"] = synthetic(60, true)
	out["synthetic templates"] = synthetic(60, false)
	return out
}

func synthetic(workloads int, pods bool) *reach.Program {
	c := synth.Size(workloads)
	c.Pods = pods
	var files []source.File
	for _, f := range c.Files() {
		files = append(files, source.File{Name: f.Name, Data: f.Data})
	}
	return program(files...)
}

// randomScene is a few workloads and policies whose selectors and ports meet.
func randomScene(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	var b bytes.Buffer
	for _, ns := range []string{"n0", "n1"} {
		if r.IntN(4) > 0 {
			fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {team: %s}}}\n", ns, pick("x", "y"))
		}
		for i := range 2 + r.IntN(3) {
			fmt.Fprintf(&b, "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: %s, name: w%d}, spec: {replicas: %d, selector: {matchLabels: {app: %s}}, template: {metadata: {labels: {app: %s, v: %s}}, spec: {hostNetwork: %v, containers: [{name: c, image: x, ports: [{containerPort: %s, name: http}]}]}}}}\n",
				ns, i, 1+r.IntN(2), "a", "a", pick("1", "2"), r.IntN(8) == 0, pick("80", "8080"))
		}
		fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: Service, metadata: {namespace: %s, name: s}, spec: {selector: {v: '1'}, ports: [{port: 80, targetPort: http}]}}\n", ns)
		for i := range r.IntN(4) {
			peer := pick("{podSelector: {matchLabels: {v: '1'}}}", "{namespaceSelector: {matchLabels: {team: x}}}", "{namespaceSelector: {}}", "{ipBlock: {cidr: 10.0.0.0/8}}",
				"{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}", "{ipBlock: {cidr: '::/0'}}", "{ipBlock: {cidr: 198.51.100.0/24}}")
			port := pick("", "ports: [{port: 80}]", "ports: [{port: http}]", "ports: [{port: 53, protocol: UDP}]")
			sides := pick("Ingress", "Egress", "Ingress, Egress")
			fmt.Fprintf(&b, "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: %s, name: p%d}, spec: {podSelector: {%s}, policyTypes: [%s]", ns, i, pick("", "matchLabels: {v: '1'}", "matchLabels: {v: '2'}"), sides)
			if strings.Contains(sides, "Ingress") && r.IntN(3) > 0 {
				fmt.Fprintf(&b, ", ingress: [{from: [%s], %s}]", peer, port)
			}
			if strings.Contains(sides, "Egress") && r.IntN(3) > 0 {
				fmt.Fprintf(&b, ", egress: [{to: [%s], %s}]", peer, port)
			}
			b.WriteString("}}\n")
		}
	}
	return b.Bytes()
}

type pair struct{ from, to string }

// TestExpandIsTheEngine compares every pair of workloads with what the engine says of each pair of
// their classes, one by one.
func TestExpandIsTheEngine(t *testing.T) {
	rows := 0
	for name, p := range inputs(t) {
		got := map[pair]map[reach.Verdict]netset.Conns{}
		for r := range Of(p).Expand() {
			if r.From.Kind != Workloads || r.To.Kind != Workloads {
				continue
			}
			rows++
			at := pair{r.From.Names[0], r.To.Names[0]}
			if got[at] == nil {
				got[at] = map[reach.Verdict]netset.Conns{}
			}
			got[at][r.Verdict] = got[at][r.Verdict].Union(r.Conns)
		}
		for x := range p.Snapshot.Workloads {
			for y := range p.Snapshot.Workloads {
				from, to := &p.Snapshot.Workloads[x], &p.Snapshot.Workloads[y]
				want := map[reach.Verdict]netset.Conns{}
				for _, c := range p.ClassesOf(x) {
					for _, d := range p.ClassesOf(y) {
						for _, b := range p.Reach(c, policy.Egress) {
							if x == y && !from.Many || !b.Region.IDs.Contains(netset.ID(d)) {
								continue
							}
							want[b.Verdict] = want[b.Verdict].Union(b.Conns)
						}
					}
				}
				want[reach.Depends] = want[reach.Depends].Minus(want[reach.Allowed])
				want[reach.Unknown] = want[reach.Unknown].Minus(want[reach.Allowed])
				for _, v := range []reach.Verdict{reach.Allowed, reach.Depends, reach.Unknown} {
					if have := got[pair{from.ID(), to.ID()}][v]; !have.Equal(want[v]) {
						t.Errorf("%s: %s -> %s %v: %v, the engine says %v", name, from.ID(), to.ID(), v, have, want[v])
					}
				}
			}
		}
	}
	if rows < 1000 {
		t.Errorf("only %d rows", rows)
	}
}

// text writes a row with ends of one name.
func text(from, to string, r Row) string {
	return fmt.Sprint(from, " -> ", to, " ", r.Conns, " ", r.Verdict, " ", r.When)
}

// said is the condition of a row.
func said(m *Matrix, r Row) string { return r.When.Text(when.Always, m.Words(r)) }

// TestGroupsStandForPairs expands grouped rows by hand.
func TestGroupsStandForPairs(t *testing.T) {
	for name, p := range inputs(t) {
		m := Of(p)
		many := map[string]bool{}
		for i := range p.Snapshot.Workloads {
			many[p.Snapshot.Workloads[i].ID()] = p.Snapshot.Workloads[i].Many
		}
		var want, got []string
		members := func(e End) []string {
			if e.Kind == Workloads {
				return e.Names
			}
			return []string{e.Name()}
		}
		for r := range m.Rows() {
			for _, from := range members(r.From) {
				for _, to := range members(r.To) {
					if r.From.Kind != Workloads || r.To.Kind != Workloads || from != to || many[from] {
						want = append(want, text(from, to, r))
					}
				}
			}
		}
		for r := range m.Expand() {
			got = append(got, text(r.From.Name(), r.To.Name(), r))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d expanded rows, %d from groups", name, len(got), len(want))
		}
	}
}

// TestAddresses probes the rows to and from addresses against single questions, at the ends of
// every range.
func TestAddresses(t *testing.T) {
	probes := 0
	for name, p := range inputs(t) {
		rows := slices.Collect(Of(p).Expand())
		for w := range p.Snapshot.Workloads {
			id := p.Snapshot.Workloads[w].ID()
			for _, d := range policy.Directions {
				var mine []Row
				for _, r := range rows {
					own, other := r.From, r.To
					if d == policy.Ingress {
						own, other = r.To, r.From
					}
					if other.Kind == Addresses && own.Kind == Workloads && own.Names[0] == id {
						r.From = other
						mine = append(mine, r)
					}
				}
				for r := range netset.MustPrefixes("10.0.0.0/8", "198.51.100.0/24", "8.8.8.8/32", "2001:db8::/32", "fd00::/8", "169.254.169.254/32").Runs() {
					for _, addr := range []reach.End{reach.AtAddr(r.Lo), reach.AtAddr(r.Hi), reach.AtAddr(r.Hi.Next())} {
						want := map[reach.Verdict]netset.Conns{}
						for _, c := range p.ClassesOf(w) {
							from, to := reach.AtHolder(c), addr
							if d == policy.Ingress {
								from, to = to, from
							}
							for _, b := range p.Between(from, to) {
								want[b.Verdict] = want[b.Verdict].Union(b.Conns)
							}
						}
						for _, v := range []reach.Verdict{reach.Depends, reach.Unknown} { // a pod that gets through is enough
							want[v] = want[v].Minus(want[reach.Allowed])
						}
						have := map[reach.Verdict]netset.Conns{}
						for _, r := range mine {
							if r.From.Addrs.Contains(addr.Addr) {
								have[r.Verdict] = have[r.Verdict].Union(r.Conns)
							}
						}
						for _, v := range []reach.Verdict{reach.Allowed, reach.Depends, reach.Unknown} {
							if probes++; !have[v].Equal(want[v]) {
								t.Errorf("%s: %s of %s with %v %v: %v, the engine says %v", name, d, id, addr.Addr, v, have[v], want[v])
							}
						}
					}
				}
			}
		}
	}
	if probes < 1000 {
		t.Errorf("only %d probes", probes)
	}
}

// TestSorted demands the documented order, without repeats, the same each time.
func TestSorted(t *testing.T) {
	for name, p := range inputs(t) {
		m, again := Of(p), Of(p)
		for kind, rows := range map[string][]Row{"rows": slices.Collect(m.Rows()), "expanded": slices.Collect(m.Expand())} {
			for i := range rows[:max(len(rows)-1, 0)] {
				if rows[i].compare(rows[i+1]) >= 0 {
					t.Errorf("%s: %s: %s -> %s stands before %s -> %s", name, kind, rows[i].From.Name(), rows[i].To.Name(), rows[i+1].From.Name(), rows[i+1].To.Name())
				}
			}
		}
		edges := slices.Collect(Edges(m.Rows()))
		if !slices.EqualFunc(edges, slices.Collect(Edges(again.Rows())), func(a, b Edge) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Errorf("%s: two maps of one input differ", name)
		}
		froms := map[string]bool{}
		for i, e := range edges {
			if i > 0 && edges[i-1].From != e.From && froms[e.From] {
				t.Errorf("%s: edges from %s stand apart", name, e.From)
			}
			froms[e.From] = true
		}
	}
}

func TestRangeText(t *testing.T) {
	for want, addrs := range map[string]netset.Addrs{
		"0.0.0.0/0, ::/0":                 netset.Universe,
		"0.0.0.0/0 except 10.0.0.0/8":     netset.MustPrefixes("0.0.0.0/0").Minus(netset.MustPrefixes("10.0.0.0/8")),
		"10.0.0.0/8, 192.0.2.1, fd00::/8": netset.MustPrefixes("10.0.0.0/8", "192.0.2.1/32", "fd00::/8"),
		"::/0 except fc00::/7, fe80::/10": netset.MustPrefixes("::/0").Minus(netset.MustPrefixes("fc00::/7", "fe80::/10")),
	} {
		if got := RangeText(addrs); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestGroups checks who is grouped with whom on an input small enough to see it.
func TestGroups(t *testing.T) {
	p := program(source.File{Name: "in.yaml", Data: []byte(`
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x, labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: k, labels: {app: k}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: z, labels: {app: z}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: x}, spec: {podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {matchLabels: {app: k}}}], ports: [{port: 80}]}]}}
`)})
	var got []string
	for r := range Of(p).Rows() {
		if r.From.Kind == Workloads && r.To.Kind == Workloads {
			got = append(got, fmt.Sprint(strings.Join(r.From.Names, "+"), " ", strings.Join(r.To.Names, "+"), " ", r.Conns))
		}
	}
	want := []string{"a/Pod/k a/Pod/x TCP 80", "a/Pod/k b/Pod/z any port", "a/Pod/x a/Pod/k any port", "a/Pod/x b/Pod/z any port", "b/Pod/z a/Pod/k any port"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	open := Of(program(source.File{Name: "in.yaml", Data: []byte(`
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: b, name: k}, spec: {containers: [{name: c, image: i}]}}
`)}))
	if groups := open.Groups(); len(groups) != 1 || !slices.Equal(groups[0].Members, []string{"a/Pod/x", "b/Pod/k"}) {
		t.Errorf("groups of an open cluster: %v", groups)
	}
}

func BenchmarkRows(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		p := synthetic(n, false)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				rows := 0
				m := Of(p)
				for range m.Rows() {
					rows++
				}
				_, groups := m.Size()
				b.ReportMetric(float64(rows), "rows")
				b.ReportMetric(float64(groups), "groups")
			}
		})
	}
}
