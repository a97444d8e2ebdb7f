package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

const (
	podB   = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: b, labels: {app: b}}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 8080}]}]}, status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}}\n---\n"
	podC   = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: c, labels: {app: c}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}]}}\n---\n"
	egress = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: %s}}\n---\n"
	ofB    = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {endpointSelector: {matchLabels: {app: b}}, %s}}\n---\n"
	ofA    = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: default, name: p}, spec: {endpointSelector: {matchLabels: {app: a}}, %s}}\n---\n"
	broken = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: %s}, spec: {podSelector: {matchLabels: {app: b}}, podSelektor: {}}}\n---\n"
)

// to80 is what Explain says of a connection from a to another pod.
func to80(p *Program, to string) Trace {
	return p.Explain(AtHolder(named(p, "a")), AtHolder(named(p, to)), netset.TCP, 80)
}

// An unjudged policy may allow, deny or say nothing, and another one may do otherwise.
func TestUnjudged(t *testing.T) {
	p := load(t, onePod+podB+fmt.Sprintf(broken, "first")+fmt.Sprintf(broken, "second"))
	got := to80(p, "b")
	if got.Verdict != Unknown || len(got.When.Questions()) != 2 {
		t.Fatalf("%v if %v", got.Verdict, got.When)
	}
	if text := got.When.String(); text != "NetworkPolicy default/first and NetworkPolicy default/second, which could not be read, let it through" {
		t.Errorf("passes if %q", text)
	}
	for n := range p.Holders() {
		if p.Class(n).Kind != Node {
			continue
		}
		if in := SameNode(p.Explain(AtHolder(n), AtHolder(named(p, "b")), netset.TCP, 80).When); p.Verdict(in) != Unknown {
			t.Errorf("from its own node: %v if %v", p.Verdict(in), in)
		}
	}
}

// Two objects that differ may have one name, and what one asks the other does not.
func TestPoliciesOfOneName(t *testing.T) {
	asks := func(label, more string) string {
		return fmt.Sprintf(ofA, "egress: [{toEndpoints: [{matchLabels: {'container:x': "+label+"}}]"+more+"}]")
	}
	profiles, err := cni.Named("cilium")
	if err != nil {
		t.Fatal(err)
	}
	p := NewProgram(load(t, onePod+podB+asks("v", "")+asks("w", ", toPorts: [{ports: [{port: '80'}]}]")).Ground, profiles...)
	if got := to80(p, "b"); len(got.When.Questions()) != 2 {
		t.Errorf("passes if %q", got.When)
	}
}

// What a rule asks of one end, one peer and one selector it asks of no other.
func TestQuestionsAreApart(t *testing.T) {
	const unlabelled = "{apiVersion: v1, kind: Pod, metadata: {namespace: other, name: d, labels: {app: d}}, spec: {containers: [{name: c, image: x}]}}\n---\n"
	for _, tt := range []struct {
		name, cni, yaml, to string
		questions           int
		want                Verdict
	}{
		{"two selectors of one namespace", "spec", unlabelled + fmt.Sprintf(egress, "[{to: [{namespaceSelector: {matchLabels: {team: x}}}, {namespaceSelector: {matchLabels: {team: z}}}]}]"), "d", 2, Depends},
		{"a fact that must be so and one that must not", "cilium", podB + fmt.Sprintf(ofA, "egress: [{toEndpoints: [{matchLabels: {'k8s:io.cilium.k8s.policy.cluster': west}}]}, "+
			"{toEndpoints: [{matchExpressions: [{key: 'k8s:io.cilium.k8s.policy.cluster', operator: NotIn, values: [west]}]}]}]"), "b", 0, Allowed},
		{"a fact that must not be so", "cilium", podB + fmt.Sprintf(ofA, "egress: [{toEndpoints: [{matchExpressions: [{key: 'k8s:io.cilium.k8s.policy.cluster', operator: NotIn, values: [west]}]}]}], "+
			"egressDeny: [{toEndpoints: [{matchExpressions: [{key: 'k8s:io.cilium.k8s.policy.cluster', operator: In, values: [west]}]}]}]"), "b", 1, Depends},
		{"two facts of one rule", "cilium", podB + fmt.Sprintf(ofA, "egress: [{toEndpoints: [{matchLabels: {'container:x': v, 'k8s:io.cilium.k8s.policy.cluster': west}}]}]"), "b", 2, Depends},
		{"one fact of two rules", "cilium", podB + fmt.Sprintf(ofA, "egress: [{toEndpoints: [{matchLabels: {'container:x': v}}]}, {toEndpoints: [{matchLabels: {'container:x': z}}]}]"), "b", 2, Depends},
		{"one fact of two peers", "cilium", podB + fmt.Sprintf(ofA, "egress: [{toEndpoints: [{matchLabels: {'container:x': v}}, {matchLabels: {'container:x': z}}]}]"), "b", 2, Depends},
	} {
		p := under(t, tt.cni, onePod+tt.yaml)
		if got := to80(p, tt.to); got.Verdict != tt.want || len(got.When.Questions()) != tt.questions {
			t.Errorf("%s: %v if %q, which asks %d questions, want %v and %d", tt.name, got.Verdict, got.When, len(got.When.Questions()), tt.want, tt.questions)
		}
	}
}

// Where an address that the input does not show may lie, and what nodes are.
func TestWhereAddressesMayLie(t *testing.T) {
	const podD = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: d, labels: {app: d}}, spec: {containers: [{name: c, image: x}]}}\n---\n"
	const host = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: host}, spec: {hostNetwork: true, containers: [{name: c, image: x}]}}\n---\n"
	const nodeA = "{apiVersion: v1, kind: Node, metadata: {name: a, labels: {zone: east}}, status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}}\n---\n"
	const service = "{apiVersion: v1, kind: Service, metadata: {namespace: default, name: s}, spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], ports: [{port: 80}]}}\n---\n"
	const public = "0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 198.18.0.0/15, 34.118.224.0/20, 240.0.0.0/4]"
	block := func(cidr string) string { return fmt.Sprintf(egress, "[{to: [{ipBlock: {cidr: "+cidr+"}}]}]") }
	to := func(text string) string { return fmt.Sprintf(ofA, "egress: [{"+text+"}]") }
	const other, zone = "on different nodes", "on a node with zone=east"
	for _, tt := range []struct {
		name, cni, yaml, to string // a workload, an address, or "node" or "VIP"
		want                Verdict
		asks, not           string
	}{
		{"a node and all public addresses", "spec", block(public), "node", Depends, "an address outside 10.0.0.0/8", ""},
		{"a pod and all public addresses", "spec", podD + block(public), "d", Depends, "an address outside 10.0.0.0/8", ""},
		{"a node and some public addresses", "spec", block("8.8.8.0/24"), "node", Depends, "an address in 8.8.8.0/24", ""},
		{"a pod and another pod's address", "spec", podD + podB + block("10.0.0.2/32"), "d", Denied, "", ""},
		{"a pod and a block of more", "spec", podD + podB + block("10.0.0.2/31"), "d", Depends, "the destination has an address in 10.0.0.3/32", ""},
		{"a host pod and a node's address", "spec", host + nodeA + block("10.9.0.1/32"), "host", Depends, "an address in 10.9.0.1/32", ""},
		{"an IPv4 Service and the IPv6 world", "cilium", service + to("toEndpoints: [{matchLabels: {'reserved:world-ipv6': ''}}]"), "VIP", Denied, "", ""},
		{"an IPv4 Service and the IPv4 world", "cilium", service + to("toEndpoints: [{matchLabels: {'reserved:world-ipv4': ''}}]"), "VIP", Depends, "both IP families", ""},
		{"a Service by a pattern of names", "cilium", service + to("toFQDNs: [{matchPattern: '*.example.com'}]"), "VIP", Denied, "", ""},
		{"another node's link-local address", "cilium", to("toEntities: [remote-node]"), "169.254.1.1", Denied, "", ""},
		{"another node's private address", "cilium", to("toEntities: [remote-node]"), "10.7.0.1", Depends, "another node", ""},
		{"the own node's private address", "cilium", to("toEntities: [host]"), "10.7.0.1", Depends, "the node of", ""},
		{"the own node's link-local address", "cilium", to("toEntities: [host]"), "169.254.1.1", Depends, "the node of", ""},
		{"a node by its labels", "cilium", nodeA + to("toNodes: [{matchLabels: {zone: east}}]"), "node", Depends, other, zone},
		{"a node that was not read", "cilium", to("toNodes: [{matchLabels: {zone: east}}]"), "node", Depends, zone, ""},
		{"a host pod by the labels of its node", "cilium", host + nodeA + to("toNodes: [{matchLabels: {zone: east}}]"), "host", Depends, zone, ""},
	} {
		p := under(t, tt.cni, onePod+tt.yaml)
		end := AtHolder(named(p, tt.to))
		for n := range p.Holders() {
			if k := p.Class(n).Kind; k == Node && tt.to == "node" || k == VIP && tt.to == "VIP" {
				end = AtHolder(n)
			}
		}
		if a, err := netip.ParseAddr(tt.to); err == nil {
			end = AtAddr(a)
		}
		got := p.Explain(AtHolder(named(p, "a")), end, netset.TCP, 80)
		if text := got.When.String(); got.Verdict != tt.want || !strings.Contains(text, tt.asks) || tt.not != "" && strings.Contains(text, tt.not) {
			t.Errorf("%s: %v if %q, want %v", tt.name, got.Verdict, got.When, tt.want)
		}
	}
}

// Where the longest block decides, a port name stands for what it is on every pod that the policy
// selects.
func TestPortNameOfAnotherPod(t *testing.T) {
	const pod = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: %s, labels: {app: %[1]s, both: x}}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: %d}]}]}%s}\n---\n"
	const running = ", status: {phase: Running, podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}]}"
	const rest = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {both: x}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}], ports: [{port: web}]}]}}\n"
	for status, want := range map[string]Verdict{running: Allowed, "": Depends} {
		p := under(t, "aws-vpc-cni", onePod+fmt.Sprintf(pod, "b", 8080, "")+fmt.Sprintf(pod, "c", 9090, status)+rest)
		if got := p.Explain(AtHolder(named(p, "a")), AtHolder(named(p, "b")), netset.TCP, 9090); got.Verdict != want {
			t.Errorf("%q: %v if %q, want %v", status, got.Verdict, got.When, want)
		}
	}
}

// A Service's address is a destination only where a connection is judged before it is translated.
func TestTranslatedServices(t *testing.T) {
	const service = "{apiVersion: v1, kind: Service, metadata: {namespace: default, name: s}, spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], selector: {app: b}, ports: [{port: 80, targetPort: 8080}]}}\n"
	p := under(t, "aws-vpc-cni,calico", onePod+podB+service)
	vip, _ := p.VIP(0)
	var in Worlds
	for _, b := range p.Reach(named(p, "a"), policy.Egress) {
		if p.Holds(b.Region.IDs, vip) {
			in |= p.WorldsOf(b.When)
		}
	}
	if want, _ := p.Answering(cni.JudgedBeforeService); in != want || want.Count() != 1 {
		t.Errorf("reached under %v, want %v", p.In(in).Names(), p.In(want).Names())
	}
}

// A rule decides under the CNIs that enforce it, each of them.
func TestRulesDecideUnderTheirCNIs(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		port       netset.Port
		want       Worlds // Calico, Cilium
	}{
		{"a kind that one enforces", fmt.Sprintf(ofB, "ingressDeny: [{fromEntities: [all]}]"), 80, 2},
		{"a port name that each reads in its way", fmt.Sprintf(egress, "[{to: [{podSelector: {matchLabels: {app: b}}}], ports: [{port: web}]}]"), 8080, 3},
	} {
		p := under(t, "calico,cilium", onePod+podB+tt.yaml)
		got := p.Explain(AtHolder(named(p, "a")), AtHolder(named(p, "b")), netset.TCP, tt.port)
		var in Worlds
		for _, s := range got.Sides {
			for _, b := range s.By {
				in |= p.underCertainly(b.When)
			}
		}
		if in != tt.want {
			t.Errorf("%s: decides under %v, want %v", tt.name, p.In(in).Names(), p.In(tt.want).Names())
		}
	}
}

// A view knows no rule that other CNIs alone enforce.
func TestRulesOfViews(t *testing.T) {
	p := under(t, "calico,cilium", onePod+podB+fmt.Sprintf(egress, "[]")+fmt.Sprintf(ofA, "egress: [{toEndpoints: [{matchLabels: {app: b}}], toPorts: [{ports: [{port: '8080'}]}]}]"))
	for view, want := range map[Worlds]int{1: 0, 2: 1, 3: 1} {
		v := p.In(view)
		decides := v.Explain(AtHolder(named(p, "a")), AtHolder(named(p, "b")), netset.TCP, 8080).Sides[0].By
		near := to80(v, "b").Sides[0].Near
		if len(decides) != want || len(near) != want {
			t.Errorf("%v: %d rules decide and %d come close, want %d", v.Names(), len(decides), len(near), want)
		}
	}
}

// What passes over either family passes, whichever of them is explained.
func TestExplainEitherFamily(t *testing.T) {
	const podD = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: d, labels: {app: d}}, spec: {containers: [{name: c, image: x}]}}\n---\n"
	p := under(t, "spec", onePod+podD+fmt.Sprintf(egress, "[{to: [{ipBlock: {cidr: 10.0.0.0/16}}, {ipBlock: {cidr: 'fd00::/16'}}]}]"))
	asked := 0
	for _, q := range to80(p, "d").When.Questions() {
		if q.Kind == when.Address {
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("it asks for %d addresses: %q", asked, to80(p, "d").When)
	}
}

// Of two families the one that gets further is explained.
func TestExplainTheFamilyThatGetsFurther(t *testing.T) {
	const dual = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: %s, labels: {app: %[1]s}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: %s, podIPs: [{ip: %[2]s}, {ip: '%s'}]}}\n---\n"
	both := fmt.Sprintf(dual, "a", "10.0.0.1", "fd00::1") + fmt.Sprintf(dual, "b", "10.0.0.2", "fd00::2")
	for cidr, want := range map[string]Family{"10.0.0.2/32": IPv4, "fd00::2/128": IPv6} {
		p := under(t, "spec", both+fmt.Sprintf(egress, "[{to: [{ipBlock: {cidr: '"+cidr+"'}}]}]"))
		if got := to80(p, "b"); got.Family != want {
			t.Errorf("only %s may be reached, and %v is explained: %v", cidr, got.Family, got.Verdict)
		}
	}
}

func TestBoxesOfTwoRulesStayApart(t *testing.T) {
	p := under(t, "spec", onePod+podB+podC+fmt.Sprintf(egress, "[{to: [{podSelector: {matchLabels: {app: b}}}]}, {to: [{podSelector: {matchLabels: {app: c}}}]}]"))
	for pod, path := range map[string]string{"b": "egress[0]", "c": "egress[1]"} {
		for _, b := range p.Reach(named(p, "a"), policy.Egress) {
			if p.Holds(b.Region.IDs, named(p, pod)) && (len(b.Rules()) != 1 || b.Rules()[0].Path != path) {
				t.Errorf("%s is let to by %d rules, the first %s, want %s", pod, len(b.Rules()), b.Rules()[0].Path, path)
			}
		}
	}
}

// Selectors of two labels each split pods to come again and again. What is too much to be told
// apart is unknown, and not denied.
func TestTooManyKindsOfPods(t *testing.T) {
	const kinds = 13
	selector := func(i int) string { return fmt.Sprintf("{matchLabels: {first%d: x, second%d: x}}", i, i) }
	var peers, subjects strings.Builder
	for i := range kinds {
		fmt.Fprintf(&peers, "{to: [{podSelector: %s}]}, ", selector(i))
		fmt.Fprintf(&subjects, "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p%d}, spec: {podSelector: %s, policyTypes: [Ingress], ingress: [{}]}}\n---\n", i, selector(i))
	}
	for name, yaml := range map[string]string{"peers": fmt.Sprintf(egress, "["+peers.String()+"]"), "subjects": subjects.String()} {
		p := under(t, "spec", onePod+yaml)
		if !slices.ContainsFunc(p.Hypothetical(named(p, "a"), policy.Egress), func(s Hypothetical) bool { return s.Verdict == Unknown }) {
			t.Errorf("%s: no kind of pods is unknown", name)
		}
	}
}

func TestSettleByPorts(t *testing.T) {
	p := under(t, "spec", onePod)
	rains := p.asks.ask("weather", when.Cluster, 0, "it rains", "it is dry")
	sure := Box{Region: p.IDRegion(0), Conns: netset.ConnsOf(netset.TCP, netset.PortRange(80, 80)), When: when.Always}
	if got := p.Settle([]Box{sure, {Region: p.IDRegion(0), Conns: netset.AllConns, When: rains}}); len(got) != 2 {
		t.Errorf("what is certain on one port settles others: %+v", got)
	}
}

// What becomes known after all settles what is asked of one end, and of no other.
func TestSettled(t *testing.T) {
	p := under(t, "spec", onePod)
	in := func(end when.End, f Family, text string) when.When {
		return p.asks.over(f).And(p.addressIn(end, ofPods, f, netset.MustPrefixes(text)))
	}
	public := p.addressIn(when.Source, ofPods, IPv4, netset.MustPrefixes("8.0.0.0/8"))
	dst, src := in(when.Destination, IPv4, "10.1.0.0/16"), in(when.Source, IPv4, "10.1.0.0/16")
	inside, outside, internet := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("8.8.8.8")
	own, none := p.asks.node(when.Destination, anyNode, ownNode), p.asks.node(when.Destination, anyNode, noNode)
	for _, tt := range []struct {
		name string
		got  when.When
		want when.When
	}{
		{"in the block", p.HasAddr(dst, when.Destination, inside), when.Always},
		{"outside of it", p.HasAddr(dst, when.Destination, outside), when.Never},
		{"of the other end", p.HasAddr(dst.And(src), when.Destination, inside), p.InFamily(src, IPv4)},
		{"of a public address", p.HasAddr(public, when.Source, internet), when.Always},
		{"of the other family", p.HasAddr(p.asks.over(IPv6), when.Source, inside), when.Never},
		{"on the same node", SameNode(own), when.Always},
		{"on another one", OtherNode(own), when.Never},
		{"on no node, and on the own one", OffNode(own), when.Never},
		{"on no node", OffNode(none).Not(), OtherNode(none.Not()).And(OffNode(none).Not())},
		{"on another node than both", OffNode(p.asks.node(when.Destination, aNode, ownNode)), when.Never},
	} {
		if !tt.got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if OffNode(none).IsNever() || OnOwnNode(none) || OnOwnNode(when.Never) || !OnOwnNode(own) {
		t.Error("what is on no node is on the own one, or what never is")
	}
}

// Pods of one hostNetwork workload have the addresses of their nodes, and a selector names some of
// these only.
func TestHostPodsOfSeveralNodes(t *testing.T) {
	host := func(name string, node int) string {
		return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: %s-%d, labels: {app: %[1]s}, ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: %[1]s, uid: u%[1]s, controller: true}]}, "+
			"spec: {hostNetwork: true, containers: [{name: c, image: x}]}, status: {phase: Running, hostIP: 10.9.0.%[2]d, podIP: 10.9.0.%[2]d, podIPs: [{ip: 10.9.0.%[2]d}]}}\n---\n", name, node)
	}
	rule := fmt.Sprintf(egress, "[{to: [{podSelector: {matchLabels: {app: named}}}]}]")
	for _, tt := range []struct {
		name, yaml, asked string
		want              Verdict
	}{
		{"one of two nodes, the first", host("named", 1) + host("other", 1) + host("other", 2), "other", Depends},
		{"one of two nodes, the second", host("named", 2) + host("other", 1) + host("other", 2), "other", Depends},
		{"both nodes", host("named", 1) + host("named", 2) + host("other", 1) + host("other", 2), "other", Allowed},
		{"the first address", host("named", 1) + host("named", 2), "10.9.0.1", Allowed},
		{"the second address", host("named", 1) + host("named", 2), "10.9.0.2", Allowed},
	} {
		p := under(t, "aws-vpc-cni:strict", onePod+tt.yaml+rule)
		end := AtHolder(named(p, tt.asked))
		if a, err := netip.ParseAddr(tt.asked); err == nil {
			end = AtAddr(a)
		}
		if got := p.Explain(AtHolder(named(p, "a")), end, netset.TCP, 80); got.Verdict != tt.want {
			t.Errorf("%s: %v if %q, want %v", tt.name, got.Verdict, got.When, tt.want)
		}
	}
}
