package reach

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// TestPeers holds what peers match where random scenes seldom go.
func TestPeers(t *testing.T) {
	const cilium = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {endpointSelector: {matchLabels: {app: a}}, egress: [{%}]}}\n"
	const aws = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{%}]}}\n"
	const untyped = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress], egress: [{%}]}}\n"
	const service = `
{apiVersion: v1, kind: Pod, metadata: {namespace: elsewhere, name: b, labels: {app: b}}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 8080}]}]}, status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: elsewhere, name: b}, spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], selector: {app: b}, ports: [{name: first, port: 80, targetPort: web}, {name: second, port: 81, targetPort: web}, {name: third, port: 82, targetPort: 9000}]}}
---
`
	address := func(text string) func(*Program) End {
		return func(*Program) End { return AtAddr(netip.MustParseAddr(text)) }
	}
	first := func(kind HolderKind) func(*Program) End {
		return func(p *Program) End {
			for n := range p.Holders() {
				if p.Class(n).Kind == kind {
					return AtHolder(n)
				}
			}
			return End{}
		}
	}
	for _, tt := range []struct {
		name, cni, policy, egress, more string
		to                              func(*Program) End
		port                            netset.Port
		want                            Verdict
		when                            string
	}{
		{"a public name and the internet", "cilium", cilium, "toFQDNs: [{matchName: api.example.com}]", "", address("8.8.8.8"), 443, Depends, "api.example.com resolves to"},
		{"a public name and a private address", "cilium", cilium, "toFQDNs: [{matchName: api.example.com}]", "", address("10.1.2.3"), 443, Denied, ""},
		{"a private name and a private address", "cilium", cilium, "toFQDNs: [{matchName: db.internal}]", "", address("10.1.2.3"), 443, Depends, "db.internal resolves to"},
		{"the API server and a node", "cilium", cilium, "toEntities: [kube-apiserver]", "", first(Node), 22, Depends, "the API server runs on"},
		{"the world and a node", "cilium", cilium, "toEntities: [world]", "", first(Node), 22, Denied, ""},
		{"the world and a pod", "cilium", cilium, "toEntities: [world]", "", first(Class), 22, Denied, ""},

		{"a policy that an option must allow", "cilium", cilium, "toCIDR: [8.8.8.8/32], toPorts: [{ports: [{protocol: TCP}]}]", "", address("9.9.9.9"), 443, Depends, "enable-extended-ip-protocols"},
		{"a policy about nodes", "cilium", cilium, "toNodes: [{matchLabels: {zone: a}}]", "", address("9.9.9.9"), 443, Depends, "enable-node-selector-labels"},

		{"a part of a block that is denied", "cilium:cidr-match=pods", cilium, "toCIDR: [10.1.0.0/16]}], egressDeny: [{toCIDR: [10.0.0.0/8]", "", first(Class), 80, Denied, ""},
		{"a block of which a part is denied", "cilium:cidr-match=pods", cilium, "toCIDR: [10.0.0.0/8]}], egressDeny: [{toCIDR: [10.1.0.0/16]", "", first(Class), 80, Depends, "outside 10.1.0.0/16"},

		{"a Service by its selector", "aws-vpc-cni", aws, "to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: b}}}], ports: [{port: 9000}]", service, first(VIP), 82, Allowed, ""},
		{"a Service of a namespace without labels", "aws-vpc-cni", aws, "to: [{namespaceSelector: {matchLabels: {team: x}}, podSelector: {matchLabels: {app: b}}}], ports: [{port: 9000}]", service, first(VIP), 82, Depends, "team=x"},
		{"the port of the pods", "aws-vpc-cni", aws, "to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: b}}}], ports: [{port: 9000}]", service, first(VIP), 9000, Denied, ""},
		{"two ports that lead there", "aws-vpc-cni", aws, "to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: b}}}], ports: [{port: 8080}]", service, first(VIP), 80, Depends, "leads to"},
		{"the node of a pod on the host network", "aws-vpc-cni", aws, "to: [{podSelector: {matchLabels: {app: host}}}]",
			"{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: host, labels: {app: host}}, spec: {hostNetwork: true, containers: [{name: c, image: x}]}}\n---\n", first(Node), 22, Depends, "has the address of a pod on the host network"},
		{"IPv4 out of a cluster of IPv6", "aws-vpc-cni", aws, "to: [{ipBlock: {cidr: 10.0.0.0/8}}]",
			"{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: six}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 'fd00::6', podIPs: [{ip: 'fd00::6'}]}}\n---\n", address("8.8.8.8"), 443, Depends, "pods have no IPv4 addresses"},
		{"a rule without its type that names nobody", "aws-vpc-cni", untyped, "to: [{podSelector: {matchLabels: {app: nobody}}}]", "", address("8.8.8.8"), 443, Depends, "no pod is what the rules name"},
		{"a rule without its type that names somebody", "aws-vpc-cni", untyped, "to: [{ipBlock: {cidr: 10.0.0.0/8}}]", "", address("8.8.8.8"), 443, Denied, ""},
	} {
		p := under(t, tt.cni, tt.more+onePod+strings.ReplaceAll(tt.policy, "%", tt.egress))
		if got := p.Explain(AtHolder(named(p, "a")), tt.to(p), netset.TCP, tt.port); got.Verdict != tt.want || !strings.Contains(got.When.String(), tt.when) {
			t.Errorf("%s: %v if %q, want %v if %q", tt.name, got.Verdict, got.When, tt.want, tt.when)
		}
	}
}

// underCertainly is the profiles under which w holds in every world.
func (p *Program) underCertainly(w when.When) (in Worlds) {
	for i := range p.profiles {
		if p.In(1 << i).narrow(w).IsAlways() {
			in |= 1 << i
		}
	}
	return in
}

// TestServiceOfSomeWorlds demands that a pod that one plugin lets to by its Service, and another by
// its address, is reached under both.
func TestServiceOfSomeWorlds(t *testing.T) {
	p := under(t, "aws-vpc-cni,calico", onePod+`
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: b, labels: {app: b}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: default, name: b}, spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], selector: {app: b}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [
  {to: [{ipBlock: {cidr: 10.0.0.0/16}}], ports: [{port: 8080}]},
  {to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/24]}}], ports: [{port: 9000}]},
  {to: [{ipBlock: {cidr: 10.96.0.2/32}}], ports: [{port: 80}]}]}}
`)
	b := netset.ID(named(p, "b"))
	var in Worlds
	for _, box := range p.Reach(named(p, "a"), policy.Egress) {
		if box.Region.IDs.Contains(b) && box.Conns.Contains(netset.TCP, 8080) {
			in |= p.underCertainly(box.When)
		}
	}
	if in != p.Worlds() {
		t.Errorf("reached under %v only", p.In(in).Names())
	}
	if got := p.In(1).Explain(AtHolder(named(p, "a")), AtHolder(named(p, "b")), netset.TCP, 8080); got.Verdict != Denied {
		t.Errorf("by its address under %v: %v", p.In(1).Names(), got.Verdict)
	}
}

// TestNodeSelectors demands that a policy about nodes is none where the plugin refuses it.
func TestNodeSelectors(t *testing.T) {
	p := under(t, "cilium", onePod+
		"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {endpointSelector: {}, egress: [{toNodes: [{}]}]}}\n")
	profile := p.Profiles()[0]
	profile.Facts[cni.NodeSelectors].Answer = cni.No
	p = NewProgram(p.Ground, profile)
	if got := p.Explain(AtHolder(0), AtAddr(netip.MustParseAddr("9.9.9.9")), netset.TCP, 443); got.Verdict != Allowed {
		t.Errorf("%v if %q", got.Verdict, got.When)
	}
}

// TestNodesInPodRange demands that a block of the pods' range perhaps lets in nodes whose own
// address lies outside of it.
func TestNodesInPodRange(t *testing.T) {
	const cluster = onePod + `
{apiVersion: v1, kind: Node, metadata: {name: first}, status: {addresses: [{type: InternalIP, address: 198.51.100.7}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}}
`
	for answer, want := range map[cni.Answer]bool{cni.Yes: true, cni.No: false} {
		profile := spec()
		profile.Facts[cni.NodesUsePodRange].Answer = answer
		p := NewProgram(under(t, "spec", cluster).Ground, profile)
		for n := range p.Holders() {
			if p.Class(n).Kind != Node {
				continue
			}
			got := p.Explain(AtHolder(n), AtHolder(0), netset.TCP, 80)
			if got.Verdict != Depends || strings.Contains(got.When.String(), "what the node sends") != want {
				t.Errorf("%v: %v if %q", answer, got.Verdict, got.When)
			}
		}
	}
}
