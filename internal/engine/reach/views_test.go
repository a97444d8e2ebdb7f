package reach

import (
	"net/netip"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// under is load for the profiles that text names, in the order of their names.
func under(t testing.TB, text, yaml string) *Program {
	t.Helper()
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(yaml)})
	if len(snap.Problems) > 0 {
		t.Fatal(snap.Problems)
	}
	profiles, err := cni.Named(text)
	if err != nil {
		t.Fatal(err)
	}
	return NewProgram(NewGround(snap), profiles...)
}

// named returns the class of the first workload with a name, -1 for none.
func named(p *Program, name string) int {
	for w := range p.Snapshot.Workloads {
		if p.Snapshot.Workloads[w].Name == name {
			return p.ClassesOf(w)[0]
		}
	}
	return -1
}

const onePod = `
{apiVersion: v1, kind: Namespace, metadata: {name: default}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: a, labels: {app: a}}, spec: {containers: [{name: c, image: x}]}}
---
`

// TestIsolationOfViews demands that a policy isolates only in the view of plugins that enforce it.
func TestIsolationOfViews(t *testing.T) {
	p := under(t, "calico,cilium", onePod+
		"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {endpointSelector: {}, egress: [{}]}}\n")
	for _, tt := range []struct {
		view     Worlds
		policies int
		certain  bool
	}{
		{1, 0, false}, // Calico
		{2, 1, true},
		{3, 1, false},
	} {
		by, certain := p.In(tt.view).Isolation(0, policy.Egress)
		if len(by) != tt.policies || certain != tt.certain {
			t.Errorf("%v: %d policies isolate, for certain %v", p.In(tt.view).Names(), len(by), certain)
		}
		if got := p.In(tt.view).DefaultDeny("default", policy.Egress); got != tt.certain {
			t.Errorf("%v: default deny %v", p.In(tt.view).Names(), got)
		}
	}
}

// TestPerhapsDefaultDeny demands that what perhaps is not in force is no default deny.
func TestPerhapsDefaultDeny(t *testing.T) {
	p := under(t, "cilium", onePod+
		"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {endpointSelector: {}, egress: [{toNodes: [{matchLabels: {zone: a}}]}]}}\n")
	if by, certain := p.Isolation(0, policy.Egress); len(by) != 1 || certain {
		t.Errorf("%d policies isolate, for certain %v", len(by), certain)
	}
	if p.DefaultDeny("default", policy.Egress) {
		t.Error("a policy that may be refused is a default deny")
	}
}

// TestSharedPortNames demands that a port name is one number where all pods agree on it, those on
// the network of their node aside.
func TestSharedPortNames(t *testing.T) {
	const rest = `
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: host, labels: {app: host}}, spec: {hostNetwork: true, containers: [{name: c, image: x, ports: [{name: web, containerPort: 9999}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: b}}}], ports: [{port: web}]}]}}
---
`
	for _, tt := range []struct {
		name, more string
		want       Verdict
	}{
		{"b alone", "", Allowed},
		{"another with that number", "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: c}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 8080}]}]}}\n", Allowed},
		{"another with another number", "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: c}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 80}]}]}}\n", Depends},
		{"another that runs at times", "{apiVersion: batch/v1, kind: CronJob, metadata: {namespace: default, name: c}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 80}]}]}}}}}}\n", Depends},
		{"two that run and differ", "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: c}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 80}]}]}, status: {phase: Running, podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}]}}\n---\n" +
			"{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: d}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 8080}]}]}, status: {phase: Running, podIP: 10.0.0.4, podIPs: [{ip: 10.0.0.4}]}}\n", Depends},
	} {
		p := under(t, "cilium", onePod+"{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: b, labels: {app: b}}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 8080}]}]}}\n---\n"+rest+tt.more)
		if got := p.Explain(AtHolder(named(p, "a")), AtHolder(named(p, "b")), netset.TCP, 8080); got.Verdict != tt.want {
			t.Errorf("%s: %v if %q, want %v", tt.name, got.Verdict, got.When, tt.want)
		}
		if tt.want != Depends || tt.name == "another that runs at times" {
			continue
		}
		for answer, want := range map[cni.Answer]Verdict{cni.Yes: Allowed, cni.No: Denied} { // as versions of Cilium do
			profile := p.AllProfiles()[0]
			profile.Facts[cni.PortNamesOfAll].Answer = answer
			p := NewProgram(p.Ground, profile)
			if got := p.Explain(AtHolder(named(p, "a")), AtHolder(named(p, "b")), netset.TCP, 8080); got.Verdict != want {
				t.Errorf("%s, for each number %v: %v if %q, want %v", tt.name, answer, got.Verdict, got.When, want)
			}
		}
	}
}

// TestHypotheticalOfSomeWorlds demands that pods of an existing namespace are listed where those of
// a new one do not get as far under every plugin.
func TestHypotheticalOfSomeWorlds(t *testing.T) {
	p := under(t, "calico,cilium", onePod+`
{apiVersion: v1, kind: Namespace, metadata: {name: other}}
---
{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: p}, spec: {endpointSelector: {matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [default, other]}]}, ingress: [{}]}}
`)
	in := map[string]Worlds{}
	for _, s := range p.Hypothetical(0, policy.Egress) {
		in[s.Namespace] |= p.underCertainly(s.When)
	}
	if in[""] != 1 || in["other"] != p.Worlds() {
		t.Errorf("new namespaces under %v, an existing one under %v", p.In(in[""]).Names(), p.In(in["other"]).Names())
	}
}

func TestSettleHypotheticalByWorlds(t *testing.T) {
	p := under(t, "calico,cilium", onePod)
	rains := p.asks.ask("weather", when.Cluster, 0, "it rains", "it is dry")
	sure, perhaps := Hypothetical{Conns: netset.AllConns, When: p.On(1)}, Hypothetical{Conns: netset.AllConns, When: rains}
	if got := SettleHypothetical([]Hypothetical{sure, perhaps}); len(got) != 2 {
		t.Errorf("what is certain under one profile settles another: %+v", got)
	}
	if sure.When = p.On(3); len(SettleHypothetical([]Hypothetical{sure, perhaps})) != 1 {
		t.Error("what is certain settles nothing")
	}
}

func TestSettleByWorlds(t *testing.T) {
	p := under(t, "calico,cilium", onePod)
	rains := p.asks.ask("weather", when.Cluster, 0, "it rains", "it is dry")
	at := Region{IDs: p.IDs(0)}
	sure := Box{Region: at, Conns: netset.AllConns, When: p.On(1)}
	perhaps := Box{Region: at, Conns: netset.AllConns, When: rains}
	if got := p.Settle([]Box{sure, perhaps}); len(got) != 2 {
		t.Errorf("what is certain under one profile settles another: %+v", got)
	}
	if sure.When = p.On(3); len(p.Settle([]Box{sure, perhaps})) != 1 {
		t.Error("what is certain settles nothing")
	}
}

// TestHostPodsOfSomeWorlds demands that policies on a pod on the host network are in force only
// where the plugin enforces them.
func TestHostPodsOfSomeWorlds(t *testing.T) {
	p := under(t, "calico,cilium", `
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: a}, spec: {hostNetwork: true, containers: [{name: c, image: x}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {}, policyTypes: [Egress]}}
`)
	profiles := p.Profiles()
	profiles[0].Facts[cni.HostNetworkJudged].Answer, profiles[1].Facts[cni.HostNetworkJudged].Answer = cni.Yes, cni.No
	p = NewProgram(p.Ground, profiles...)
	for view, want := range map[Worlds]Verdict{1: Denied, 2: Allowed, 3: Depends} {
		if got := p.In(view).Explain(AtHolder(0), AtAddr(netip.MustParseAddr("8.8.8.8")), netset.TCP, 443); got.Verdict != want {
			t.Errorf("%v: %v, want %v", p.In(view).Names(), got.Verdict, want)
		}
	}
}

// TestBothSidesOfSomeWorlds demands that what either end's policies deny under one plugin passes
// under the others alone, and that no view says more.
func TestBothSidesOfSomeWorlds(t *testing.T) {
	const b = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: b, labels: {app: b}}, spec: {containers: [{name: c, image: x}]}}\n---\n"
	for _, tt := range []struct{ name, spec string }{
		{"source", "endpointSelector: {matchLabels: {app: a}}, egress: [{}]"},
		{"destination", "endpointSelector: {matchLabels: {app: b}}, ingress: [{}]"},
	} {
		p := under(t, "calico,cilium", onePod+b+"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {"+tt.spec+"}}\n")
		from, to := named(p, "a"), named(p, "b")
		for view, want := range map[Worlds]Verdict{1: Allowed, 2: Denied, 3: Depends} {
			v := p.In(view)
			boxes := v.Between(AtHolder(from), AtHolder(to))
			for _, box := range v.Reach(from, policy.Egress) {
				if box.Region.IDs.Contains(netset.ID(to)) {
					boxes = append(boxes, box)
				}
			}
			got := Denied
			for _, box := range boxes {
				if in := v.WorldsOf(box.When); in != 1 {
					t.Errorf("%s: %v: a box of %b", tt.name, v.Names(), in)
				}
				if CompareVerdicts(box.Verdict, got) > 0 {
					got = box.Verdict
				}
			}
			if got != want || (want == Denied) != (boxes == nil) {
				t.Errorf("%s: %v: %v, want %v", tt.name, v.Names(), got, want)
			}
		}
	}
}

func TestBoxesOfWorldsStayApart(t *testing.T) {
	p := under(t, "calico,cilium", onePod)
	var bs boxes
	for i, on := range []Worlds{1, 2, 2} {
		bs.add(p.box(p.IDRegion(i), netset.AllConns, p.On(on), policy.Egress, nil, nil))
	}
	if all := bs.all(); len(all) != 2 || all[0].Verdict != Depends || p.underCertainly(all[0].When) != 1 {
		t.Errorf("%+v", all)
	}
}

// TestNewNamespacesThatAPolicyMisses demands that a policy on some namespaces says nothing of
// others that may come.
func TestNewNamespacesThatAPolicyMisses(t *testing.T) {
	p := under(t, "cilium", onePod+
		"{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: p}, spec: {endpointSelector: {matchLabels: {io.cilium.k8s.namespace.labels.team: x}}, ingress: [{}]}}\n")
	found := false
	for _, s := range p.Hypothetical(0, policy.Egress) {
		found = found || s.Namespace == "" && s.Verdict == Allowed
	}
	if !found {
		t.Error("pods of namespaces that the policy does not select are out of reach")
	}
}

func TestViewOfOneConnection(t *testing.T) {
	p := under(t, "calico,cilium", onePod)
	for _, box := range p.In(2).Between(AtHolder(0), AtHolder(0)) {
		if box.Verdict != Allowed {
			t.Errorf("a box of %v", box.When)
		}
	}
}

// TestLabelsThatAPluginLeavesOut demands that a policy that asks for such a label selects nobody
// for certain.
func TestLabelsThatAPluginLeavesOut(t *testing.T) {
	const text = `
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: a, labels: {pod-template-hash: x}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {pod-template-hash: x}}, policyTypes: [Egress]}}
`
	for name, want := range map[string]bool{"calico": true, "cilium": false} {
		if by, certain := under(t, name, text).Isolation(0, policy.Egress); len(by) != 1 || certain != want {
			t.Errorf("%s: isolated for certain: %t, want %t", name, certain, want)
		}
	}
}
