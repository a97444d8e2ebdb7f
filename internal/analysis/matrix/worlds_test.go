package matrix

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// passes is what passes between two workloads, or to addresses, in one world.
type passes struct{ sure, may netset.Conns }

func (p *passes) add(e entry) {
	if e.certain() {
		p.sure = p.sure.Union(e.conns)
	} else {
		p.may = p.may.Union(e.conns)
	}
}

func (p passes) equal(o passes) bool {
	return p.sure.Equal(o.sure) && p.may.Minus(p.sure).Equal(o.may.Minus(o.sure))
}

// toWorkload is what m lets through between two workloads under the profile that in names.
func (m *Matrix) toWorkload(from, to int, in reach.Worlds) (out passes) {
	for _, e := range m.targets(m.groupsW[from]).groups[m.groupsW[to]] {
		if e.worlds&in != 0 {
			out.add(e)
		}
	}
	return out
}

// TestAnyIsEach demands that a matrix of several plugins says of each what the matrix of that plugin says.
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
		m := Of(reach.NewProgram(p.Ground, profiles...))
		for i, profile := range profiles {
			alone := Of(reach.NewProgram(p.Ground, profile))
			for x := range p.Snapshot.Workloads {
				for y := range p.Snapshot.Workloads {
					rows++
					if got, want := m.toWorkload(x, y, 1<<i), alone.toWorkload(x, y, 1); !got.equal(want) {
						t.Errorf("%s: %s: %s -> %s: %v, alone %v", name, profile.Name, m.ids[x], m.ids[y], got, want)
					}
				}
				for r := range netset.MustPrefixes("10.0.0.0/8", "198.51.100.0/24", "8.8.8.8/32", "2001:db8::/32", "169.254.169.254/32").Runs() {
					var got, want passes
					for _, e := range m.targets(m.groupsW[x]).others {
						if e.worlds.Has(i) && e.addrs.Contains(r.Lo) {
							got.add(e)
						}
					}
					for _, e := range alone.targets(alone.groupsW[x]).others {
						if e.addrs.Contains(r.Lo) {
							want.add(e)
						}
					}
					if !got.equal(want) {
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
	rowsOf := func(profiles string) []string {
		named, err := cni.Named(profiles)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for r := range Of(reach.NewProgram(reach.NewGround(snap), named...)).Rows() {
			if r.From.Kind == Workloads && (r.To.Kind == Hosts || r.To.Kind == Addresses) {
				out = append(out, fmt.Sprint(r.From.Name(), " ", r.To.Name(), " ", r.Conns, " ", r.Verdict, " ", r.When))
			}
		}
		return out
	}
	want := []string{
		"a/Pod/x 140.82.112.0/20 TCP 443 allowed ",
		"a/Pod/x api.github.com TCP 22,443 allowed ",
		"a/Pod/x github.com TCP 443 allowed ",
		"a/Pod/z api.github.com TCP 443 depends it resolves outside 140.82.112.0/20",
	}
	if got := rowsOf("cilium"); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	mixed := strings.Join(rowsOf("calico,cilium"), "\n")
	for _, part := range []string{"api.github.com TCP 22,443 depends the cluster runs cilium", "0.0.0.0/0, ::/0 any port depends the cluster runs calico"} {
		if !strings.Contains(mixed, part) {
			t.Errorf("%q is missing in\n%s", part, mixed)
		}
	}
}
