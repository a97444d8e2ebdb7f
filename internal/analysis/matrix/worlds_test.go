package matrix

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// passes is what passes between two workloads, or to addresses, in one world.
type passes struct{ sure, may netset.Conns }

// add adds a part as far as the profiles of a program are concerned.
func (p *passes) add(in *reach.Program, at part) {
	switch in.Verdict(at.when) {
	case reach.Denied:
	case reach.Allowed:
		p.sure = p.sure.Union(at.conns)
	default:
		p.may = p.may.Union(at.conns)
	}
}

func (p passes) equal(o passes) bool {
	return p.sure.Equal(o.sure) && p.may.Minus(p.sure).Equal(o.may.Minus(o.sure))
}

// to is what m lets through from a workload to the ends that at picks, under some profiles.
func (m *Matrix) to(from int, in reach.Worlds, at func(End) bool) (out passes) {
	for _, o := range m.targets(m.groupsW[from], func(g int) []End { return []End{m.end(m.groups[g].members...)} }) {
		if at(o.End) {
			out.add(m.p.In(in), o.part)
		}
	}
	return out
}

// TestAnyIsEach demands that a matrix of several plugins says of each what the matrix of that
// plugin says.
func TestAnyIsEach(t *testing.T) {
	profiles, err := cni.Named("any,spec")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	all := inputs(t)
	for i, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		if i%4 > 0 || len(p.Snapshot.Workloads) > 30 {
			continue
		}
		m := Of(reach.Assuming(p.Ground, reach.Typical, profiles...))
		for i, profile := range profiles {
			alone := Of(reach.Assuming(p.Ground, reach.Typical, profile))
			for x := range p.Snapshot.Workloads {
				for y := range p.Snapshot.Workloads {
					rows++
					workload := func(e End) bool { return e.Kind == Workloads && slices.Contains(e.Names, m.ids[y]) }
					if got, want := m.to(x, 1<<i, workload), alone.to(x, 1, workload); !got.equal(want) {
						t.Errorf("%s: %s: %s -> %s: %v, alone %v", name, profile.Name, m.ids[x], m.ids[y], got, want)
					}
				}
				for r := range netset.MustPrefixes("10.0.0.0/8", "198.51.100.0/24", "8.8.8.8/32", "2001:db8::/32", "169.254.169.254/32").Runs() {
					addr := func(e End) bool { return e.Addrs.Contains(r.Lo) }
					if got, want := m.to(x, 1<<i, addr), alone.to(x, 1, addr); !got.equal(want) {
						t.Errorf("%s: %s: %s -> %s: %v, alone %v", name, profile.Name, m.ids[x], r.Lo, got, want)
					}
				}
			}
		}
	}
	if rows < 1000 {
		t.Errorf("only %d pairs", rows)
	}
}

// TestHostNames demands that what passes by name is shown as the name.
func TestHostNames(t *testing.T) {
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(`
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x, labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: z, labels: {app: z}}, spec: {containers: [{name: c, image: i}]}}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {namespace: a, name: x}
spec:
  endpointSelector: {matchLabels: {app: x}}
  egress:
    - toFQDNs: [{matchName: api.github.com}, {matchName: github.com}]
      toPorts: [{ports: [{port: "443", protocol: TCP}]}]
    - toFQDNs: [{matchName: api.github.com}]
      toPorts: [{ports: [{port: "22", protocol: TCP}]}]
    - toCIDR: [140.82.112.0/20]
      toPorts: [{ports: [{port: "443", protocol: TCP}]}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {namespace: a, name: z}
spec:
  endpointSelector: {matchLabels: {app: z}}
  egress:
    - toFQDNs: [{matchName: api.github.com}]
      toPorts: [{ports: [{port: "443", protocol: TCP}]}]
  egressDeny:
    - toCIDR: [140.82.112.0/20]
`)})
	if len(snap.Problems) > 0 {
		t.Fatal(snap.Problems)
	}
	rowsOf := func(profiles string, brief bool) []string {
		named, err := cni.Named(profiles)
		if err != nil {
			t.Fatal(err)
		}
		m := Of(reach.Assuming(reach.NewGround(snap), reach.Typical, named...))
		if brief {
			m = m.Brief()
		}
		var out []string
		for r := range m.Rows() {
			if r.From.Kind == Workloads && (r.To.Kind == Hosts || r.To.Kind == Addresses) {
				out = append(out, fmt.Sprint(r.From.Name(), " ", r.To.Name(), " ", r.Conns, " ", r.Verdict, " ", said(m, r)))
			}
		}
		return out
	}
	for _, tt := range []struct {
		cni   string
		brief bool
		want  []string
	}{
		{"cilium", false, []string{
			"a/Pod/x 140.82.112.0/20 TCP 443 allowed ",
			"a/Pod/x api.github.com TCP 22,443 allowed ",
			"a/Pod/x github.com TCP 443 allowed ",
			"a/Pod/z api.github.com TCP 443 depends api.github.com has an address outside 140.82.112.0/20",
		}},
		{"calico,cilium", false, []string{
			"a/Pod/x 0.0.0.0/0 except 140.82.112.0/20, ::/0 any port depends the cluster runs calico",
			"a/Pod/x 140.82.112.0/20 TCP 443 allowed ",
			"a/Pod/x 140.82.112.0/20 TCP 1-442,444-65535 · UDP any port · SCTP any port depends the cluster runs calico",
			"a/Pod/x api.github.com TCP 22,443 allowed ",
			"a/Pod/x github.com TCP 443 allowed ",
			"a/Pod/z 0.0.0.0/0, ::/0 any port depends the cluster runs calico",
			"a/Pod/z api.github.com TCP 443 depends the cluster does not run cilium or api.github.com has an address outside 140.82.112.0/20",
		}},
		{"calico,cilium", true, []string{ // fewer rows of addresses
			"a/Pod/x 0.0.0.0/0, ::/0 any port depends the cluster runs calico",
			"a/Pod/x 140.82.112.0/20 TCP 443 allowed ",
			"a/Pod/x api.github.com TCP 22,443 allowed ",
			"a/Pod/x github.com TCP 443 allowed ",
			"a/Pod/z 0.0.0.0/0, ::/0 any port depends the cluster runs calico",
			"a/Pod/z api.github.com TCP 443 depends the cluster does not run cilium or api.github.com has an address outside 140.82.112.0/20",
		}},
	} {
		if got := rowsOf(tt.cni, tt.brief); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q\nwant %q", tt.cni, got, tt.want)
		}
	}
}
