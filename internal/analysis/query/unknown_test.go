package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestDeniedRange demands that a rule which denies addresses is settled with the address that was
// asked about.
func TestDeniedRange(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: mcp}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 172.20.0.5}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: a, name: p}, spec: {endpointSelector: {}, egress: [{toEntities: [all]}], egressDeny: [{toCIDR: [10.0.0.0/8]}]}}
`
	p := under(t, scene, "cilium")
	for _, tt := range []struct {
		to   string
		want reach.Verdict
	}{
		{"192.168.7.7:6443", reach.Allowed},
		{"192.168.7.7:443", reach.Allowed},
		{"10.1.2.3:6443", reach.Depends},
		{"8.8.8.8:443", reach.Allowed},
	} {
		a := ask(t, p, "a/mcp", tt.to)
		if a.Verdict != tt.want {
			t.Errorf("%s: got %v if %q, want %v", tt.to, a.Verdict, a.When, tt.want)
		}
		checkSteps(t, a)
	}
}

// pair is two Deployments, of which one may connect to a range of addresses, and the other lets one
// in.
const pair = `
{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: x}, spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: b, namespace: x}, spec: {selector: {matchLabels: {app: b}}, template: {metadata: {labels: {app: b}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: x}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{ipBlock: %s}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: b, namespace: x}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: %s}]}]}}
`

// TestBothEnds demands that conditions about both ends are told apart, and neither is lost.
func TestBothEnds(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/9":   "x/b has an address in 10.0.0.0/9, and x/a has an address in 10.0.0.0/9",
		"10.128.0.0/9": "x/b has an address in 10.0.0.0/9, and x/a has an address in 10.128.0.0/9",
	} {
		a := ask(t, under(t, fmt.Sprintf(pair, "{cidr: 10.0.0.0/9}", "{cidr: "+in+"}"), "calico"), "x/a", "x/b:80")
		if a.Verdict != reach.Depends || a.When.String() != want {
			t.Errorf("%s: %v if %q, want %q", in, a.Verdict, a.When, want)
		}
	}
}

// TestPinnedAddress demands that a question about an address settles where it lies, whoever may
// have it.
func TestPinnedAddress(t *testing.T) {
	scene := fmt.Sprintf(pair, "{cidr: 0.0.0.0/0, except: [172.16.0.0/12]}", "{cidr: 10.0.0.0/8}")
	for _, tt := range []struct {
		cni, to string
		want    reach.Verdict
		when    string
	}{
		{"cilium", "172.31.6.6:80", reach.Denied, ""},
		{"calico", "172.31.6.6:80", reach.Denied, ""},
		{"calico", "10.1.2.3:80", reach.Depends, "x/a has an address in 10.0.0.0/8"},
		{"aws-vpc-cni", "172.31.6.6:80", reach.Depends, "on the same node"}, // a pod's own node, which a policy cannot deny there
	} {
		a := ask(t, under(t, scene, tt.cni), "x/a", tt.to)
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) || strings.Contains(a.When.String(), "172.31.6.6 has") {
			t.Errorf("%s: %s: %v if %q, want %v if %q", tt.cni, tt.to, a.Verdict, a.When, tt.want, tt.when)
		}
		checkSteps(t, a)
	}
}

// TestManyHolders demands an answer where very many may have an address, on each of which another
// policy decides.
func TestManyHolders(t *testing.T) {
	var text strings.Builder
	text.WriteString("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}, spec: {containers: [{name: c, image: x}]}}")
	for i := range 300 {
		fmt.Fprintf(&text, "\n---\n{apiVersion: v1, kind: Pod, metadata: {name: p%d, namespace: x, labels: {app: p%d}}, spec: {containers: [{name: c, image: x}]}}", i, i)
		fmt.Fprintf(&text, "\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p%d, namespace: x}, spec: {podSelector: {matchLabels: {app: p%d}}, ingress: [{from: [{ipBlock: {cidr: 10.%d.0.0/16}}]}]}}", i, i, i%256)
	}
	if a := ask(t, under(t, text.String(), "calico"), "x/a", "10.1.2.3:80"); a.Verdict != reach.Depends || len(a.When.String()) > 2000 {
		t.Errorf("%v if %q", a.Verdict, a.When)
	}
}

// TestUnknownAmongCNIs demands that what is unknown under one CNI is not passed over where others
// are certain.
func TestUnknownAmongCNIs(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: z}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: mystery, namespace: x}, spec: {selector: all(), egress: [{action: Deny}]}}
`
	p := program(scene)
	named, err := cni.Named("calico,cilium")
	if err != nil {
		t.Fatal(err)
	}
	a := ask(t, reach.Assuming(p.Ground, reach.Typical, named...), "x/a", "z/b:80")
	if a.Verdict != reach.Depends || a.ExitCode() != 2 || !strings.Contains(a.When.String(), "NetworkPolicy x/mystery") {
		t.Errorf("%v, exit code %d, if %q", a.Verdict, a.ExitCode(), a.When)
	}
}
