package blast

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// disagreeing is a server of which every plugin says something else: who calls it, what it reaches,
// what isolates it.
const disagreeing = `
apiVersion: v1
kind: Namespace
metadata: {name: mcp}
---
apiVersion: v1
kind: Pod
metadata: {name: a-mcp, namespace: mcp, labels: {app: a-mcp}}
spec: {containers: [{name: a, image: acme/a-mcp}]}
---
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: mcp, labels: {app: caller}}
spec: {containers: [{name: a, image: nginx}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: blocks, namespace: mcp}
spec:
  podSelector: {matchLabels: {app: a-mcp}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 8080}]}]
  egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [198.51.100.0/24]}}], ports: [{port: 443}]}, {to: [{ipBlock: {cidr: 198.51.0.0/16}}], ports: [{port: 443}]}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: denies, namespace: mcp}
spec:
  endpointSelector: {matchLabels: {app: a-mcp}}
  ingressDeny: [{fromEndpoints: [{matchLabels: {app: caller}}]}]
  egressDeny: [{toCIDR: [203.0.113.0/24]}]
---
apiVersion: v1
kind: Pod
metadata: {name: b-mcp, namespace: closed, labels: {app: b-mcp}}
spec: {containers: [{name: a, image: acme/b-mcp}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all, namespace: closed}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: too, namespace: closed}
spec: {endpointSelector: {}, ingress: [{}], egress: [{}]}
`

// TestGroups demands that an answer for several profiles, narrowed to a group of them, is the
// answer for a profile of the group alone.
func TestGroups(t *testing.T) {
	profiles, err := cni.Named(cni.Any)
	if err != nil {
		t.Fatal(err)
	}
	all := scenes(t)
	all["disagreeing"] = disagreeing
	several := 0
	for name, text := range all {
		if testing.Short() && name != "disagreeing" {
			continue
		}
		s := source.LoadFiles(source.File{Name: "f.yaml", Data: []byte(text)})
		s.Servers = discover.Servers(s)
		p := reach.Assuming(reach.NewGround(s), reach.Typical, profiles...)
		a := NewAtlas(p)
		alone := map[int]*Atlas{} // by profile
		for i, srv := range s.Servers {
			if srv.Role != model.IsServer {
				continue
			}
			r := a.Of(i)
			var together reach.Worlds
			for _, group := range r.Groups {
				if together&group != 0 {
					t.Errorf("%s: a profile is in two groups", name)
				}
				together |= group
				if group.Count() > 1 {
					several++
				}
				for j := range profiles {
					for _, d := range policy.Directions {
						together, _ := p.In(group).Isolation(r.Class[0], d)
						if alone, _ := p.In(1<<j).Isolation(r.Class[0], d); group.Has(j) && !slices.Equal(together, alone) {
							t.Errorf("%s: %d policies isolate, under %s alone %d", name, len(together), profiles[j].Name, len(alone))
						}
					}
					if group.Has(j) && (group == 1<<j || group&^(1<<j) > 1<<j) { // the last but one, or the only one
						if alone[j] == nil {
							alone[j] = NewAtlas(reach.Assuming(p.Ground, reach.Typical, profiles[j]))
						}
						_, in := a.Under(group, r)
						_, want := alone[j].Under(1, alone[j].Of(i))
						sameRadius(t, name+" under "+profiles[j].Name, s, in, want)
					}
				}
			}
			if together != a.Worlds() {
				t.Errorf("%s: a profile is in no group", name)
			}
		}
	}
	if several == 0 {
		t.Error("no group has several profiles")
	}
}

// sameRadius compares what two radiuses say, in whatever parts they say it.
func sameRadius(t *testing.T, name string, s *model.Snapshot, got, want Radius) {
	t.Helper()
	for _, d := range Dests {
		g, w := got.To[d], want.To[d]
		if g.Verdict != w.Verdict || g.Open != w.Open || !g.Addrs.Equal(w.Addrs) || (g.Extent == None) != (w.Extent == None) {
			t.Errorf("%s: %v: among others %v %v %v, alone %v %v %v", name, d, g.Verdict, g.Extent, g.Open, w.Verdict, w.Extent, w.Open)
		}
		if l, a := reached(s, g), reached(s, w); !maps.Equal(l, a) {
			t.Errorf("%s: %v: among others %v, alone %v", name, d, l, a)
		}
	}
	if g, w := called(s, got.By), called(s, want.By); !maps.Equal(g, w) {
		t.Errorf("%s: callers: among others %v, alone %v", name, g, w)
	}
	var from, alone netset.Addrs
	for _, c := range got.By {
		from = from.Union(c.Addrs)
	}
	for _, c := range want.By {
		alone = alone.Union(c.Addrs)
	}
	if !from.Equal(alone) {
		t.Errorf("%s: callers: among others from %v, alone from %v", name, netset.CIDRs(from), netset.CIDRs(alone))
	}
}

// worst keeps the worst verdict of each name.
type worst map[string]reach.Verdict

// add notes a verdict of a name: of each workload that it stands for.
func (w worst) add(s *model.Snapshot, name string, v reach.Verdict) {
	names := []string{name}
	if in, all := strings.CutSuffix(name, "*"); all {
		names = nil
		for i := range s.Workloads {
			if one := s.Workloads[i].Namespace + "/" + s.Workloads[i].Name; strings.HasPrefix(one, in) {
				names = append(names, one)
			}
		}
	}
	for _, name := range names {
		if was, ok := w[name]; !ok || reach.CompareVerdicts(v, was) > 0 {
			w[name] = v
		}
	}
}

// reached returns the worst verdict of each pod that exists, and of each host name.
func reached(s *model.Snapshot, r Reach) worst {
	out := worst{}
	for _, t := range r.To {
		switch {
		case t.Host != "":
			out.add(s, "host "+string(t.Host)+".", t.Verdict)
		case t.Pods != "" && !t.New:
			out.add(s, t.Pods, t.Verdict)
		}
	}
	return out
}

// called returns the worst verdict of each caller that exists.
func called(s *model.Snapshot, callers []Caller) worst {
	out := worst{}
	for _, c := range callers {
		if c.Text != "" || c.Who == External {
			continue
		}
		for _, name := range append(slices.Clone(c.Names), fmt.Sprint(c.Who)) {
			out.add(s, name, c.Verdict)
		}
	}
	return out
}
