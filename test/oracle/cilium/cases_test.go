package cilium

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/k8s"
	slimnetworkingv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// scene is a cluster for cases: the API server is on node-0, client on node-1.
func scene() *cluster {
	at := netip.MustParseAddr
	c := &cluster{
		namespaces: map[string]map[string]string{"default": {}, "other": {"team": "x"}},
		nodes:      []node{{"node-0", []netip.Addr{at("192.168.77.2")}}, {"node-1", []netip.Addr{at("192.168.77.3")}}},
		pods: []pod{
			{namespace: "default", name: "client", labels: map[string]string{"app": "client"}, account: "robot", node: 1, addrs: []netip.Addr{at("10.1.0.1")}},
			{namespace: "default", name: "web", labels: map[string]string{"app": "web", "app.kubernetes.io/name": "web", "pod-template-hash": "a"}, ports: []port{{"web", "TCP", 8080}}, addrs: []netip.Addr{at("10.1.0.2")}},
			{namespace: "other", name: "db", labels: map[string]string{"app": "db"}, addrs: []netip.Addr{at("10.1.1.1")}},
		},
		api:     []netip.Addr{at("192.168.77.2")},
		groups:  []group{{"wide", map[string]string{"net": "wide"}, []netip.Prefix{netip.MustParsePrefix("140.82.0.0/16")}}, {"narrow", map[string]string{"net": "narrow"}, []netip.Prefix{netip.MustParsePrefix("140.82.112.0/24")}}},
		outside: []netip.Addr{at("140.82.112.3"), at("10.9.1.1")},
		services: []service{
			{namespace: "default", name: "plain", labels: map[string]string{"tier": "a"}, selector: map[string]string{"app": "web"}},
			{namespace: "default", name: "dotted", selector: map[string]string{"app.kubernetes.io/name": "web"}},
		},
		features: map[string][2]map[string]bool{},
	}
	return c
}

// find returns the end that text names: a pod, a node or an address.
func (c *cluster) find(t *testing.T, text string) end {
	for i, p := range c.pods {
		if p.name == text {
			return end{i, -1, p.addrs[0]}
		}
	}
	for i, n := range c.nodes {
		if n.name == text {
			return end{-1, i, n.addrs[0]}
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return end{-1, -1, a}
}

func (c *cluster) question(t *testing.T, text string) question {
	t.Helper()
	f := strings.Fields(text) // from -> to TCP 80
	q := question{from: c.find(t, f[0]), to: c.find(t, f[2]), protocol: f[3]}
	if _, err := fmt.Sscan(f[4], &q.port); err != nil {
		t.Fatal(err)
	}
	return q
}

const (
	cnp = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: case, namespace: default}, spec: "
	np  = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: case, namespace: default}, spec: "
)

// TestCases are what Cilium does where one would not expect it, each read in its code. We say the
// same.
func TestCases(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		yes, no      string // connections, separated by commas
	}{
		{"a rule of nothing allows nothing", cnp + "{endpointSelector: {}, egress: [{}]}}",
			"", "client -> web TCP 8080, client -> 140.82.112.3 TCP 443"},
		{"an empty list matches nobody", cnp + "{endpointSelector: {}, egress: [{toCIDR: [], toPorts: [{ports: [{port: '443'}]}]}]}}",
			"", "client -> web TCP 443, client -> 140.82.112.3 TCP 443"},
		{"an empty list of names is no list", cnp + "{endpointSelector: {}, egress: [{toFQDNs: [], toPorts: [{ports: [{port: '443'}]}]}]}}",
			"client -> web TCP 443, client -> 140.82.112.3 TCP 443", "client -> web TCP 80"},
		{"a Service that does not exist, with ports, is everybody", cnp + "{endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: absent, namespace: default}}], toPorts: [{ports: [{port: '443'}]}]}]}}",
			"client -> 140.82.112.3 TCP 443", "client -> web TCP 80"},
		{"and without ports nobody", cnp + "{endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: absent, namespace: default}}]}]}}",
			"", "client -> 140.82.112.3 TCP 443"},
		{"a Service to deny, with ports, is everybody", cnp + "{endpointSelector: {}, enableDefaultDeny: {egress: false}, egressDeny: [{toServices: [{k8sService: {serviceName: plain, namespace: default}}], toPorts: [{ports: [{port: '443'}]}]}]}}",
			"client -> web TCP 80", "client -> web TCP 443, client -> 140.82.112.3 TCP 443"},
		{"and without ports nobody", cnp + "{endpointSelector: {}, enableDefaultDeny: {egress: false}, egressDeny: [{toServices: [{k8sService: {serviceName: plain, namespace: default}}]}]}}",
			"client -> web TCP 80", ""},
		{"a Service by its selector", cnp + "{endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: plain, namespace: default}}]}]}}",
			"client -> web TCP 80", "client -> db TCP 80"},
		{"a port name in egress is the number that it has in the cluster, for every peer", cnp + "{endpointSelector: {}, egress: [{toPorts: [{ports: [{port: web, protocol: TCP}]}]}]}}",
			"client -> web TCP 8080, client -> db TCP 8080, client -> 140.82.112.3 TCP 8080", "client -> web TCP 80"},
		{"also in a NetworkPolicy", np + "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 140.82.0.0/16}}], ports: [{port: web}]}]}}",
			"client -> 140.82.112.3 TCP 8080", "client -> 140.82.112.3 TCP 80, client -> web TCP 8080"},
		// k8s.ParseNetworkPolicy reads both lists of rules whatever policyTypes says:
		// cilium/cilium#48703, open.
		{"rules of a direction that policyTypes leaves out isolate", np + "{podSelector: {}, policyTypes: [Ingress], egress: [{to: [{ipBlock: {cidr: 10.9.0.0/16}}]}], ingress: [{}]}}",
			"client -> 10.9.1.1 TCP 443", "client -> 140.82.112.3 TCP 443"},
		{"in ingress it is the pod's own", cnp + "{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: web, protocol: TCP}]}]}]}}",
			"db -> web TCP 8080", "db -> client TCP 8080"},
		{"the API server is its node, on every port", cnp + "{endpointSelector: {}, egress: [{toEntities: [kube-apiserver]}]}}",
			"client -> node-0 TCP 6443, client -> node-0 TCP 22", "client -> 140.82.112.3 TCP 6443"},
		{"service accounts are labels", cnp + "{endpointSelector: {matchLabels: {io.cilium.k8s.policy.serviceaccount: robot}}, egress: [{toEntities: [world]}]}}",
			"client -> 140.82.112.3 TCP 443, web -> db TCP 80", "client -> web TCP 80"},
		{"a CIDR matches no node", cnp + "{endpointSelector: {}, egress: [{toCIDR: [0.0.0.0/0]}]}}",
			"client -> 140.82.112.3 TCP 443, client -> 10.9.1.1 TCP 443", "client -> node-0 TCP 443, client -> web TCP 443"},
		{"denying alone isolates", cnp + "{endpointSelector: {}, egressDeny: [{toCIDR: [10.0.0.0/8]}]}}",
			"", "client -> 140.82.112.3 TCP 443, client -> web TCP 443"},
		{"unless it says otherwise", cnp + "{endpointSelector: {}, enableDefaultDeny: {egress: false}, egressDeny: [{toCIDR: [10.0.0.0/8]}]}}",
			"client -> 140.82.112.3 TCP 443, client -> web TCP 443", "client -> 10.9.1.1 TCP 443"},
		{"a spec about a label that Cilium leaves out, beside another", "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: case, namespace: default}, specs: [{endpointSelector: {}, egress: [{}]}, " +
			"{endpointSelector: {matchLabels: {pod-template-hash: a}}, egress: [{toPorts: [{ports: [{port: '80'}]}]}]}]}",
			"", "web -> db TCP 80, client -> db TCP 80"},
		{"a group's name", cnp + "{endpointSelector: {}, egress: [{toCIDRSet: [{cidrGroupRef: wide}]}]}}",
			"client -> 140.82.112.3 TCP 443", "client -> 10.9.1.1 TCP 443"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, e, m := setUp(t, c.policy)
			for want, list := range map[bool]string{true: c.yes, false: c.no} {
				for _, text := range fields(list) {
					q := s.question(t, text)
					theirs := e.judge(t, q)
					if got := theirs[unnamed].whole.allowed; got != want {
						t.Errorf("%s: Cilium allows it: %t, want %t", text, got, want)
					}
					for _, ours := range m.ask(t, q) {
						if _, worst := compareOne(theirs, ours, q); worst <= unsure {
							t.Errorf("%s: Cilium allows it: %t, toolmoat: %v", text, want, ours)
						}
					}
				}
			}
		})
	}
}

func fields(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ", ")
}

func setUp(t *testing.T, text string) (*cluster, *engine, *toolmoat) {
	o := object{}
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	c := scene()
	c.policies = []object{o}
	return c, newEngine(t, c), newToolmoat(t, c)
}

// TestKnownDifferences are where we do not follow Cilium 1.19.1, on purpose: see
// docs/oracle-cilium.md. Each holds as long as both stay as they are.
func TestKnownDifferences(t *testing.T) {
	for _, c := range []struct {
		name, policy, connection string
		theirs                   bool
		ours                     reach.Verdict
	}{
		// pkg/policy/k8s/service.go, appendSelector, gives the keys of a Service's selector no
		// source, so that what stands before a dot is taken for one: cilium/cilium#41151 and
		// #46732, mended after 1.19.5.
		{"a Service whose selector has a key with a dot", cnp + "{endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: dotted, namespace: default}}]}]}}",
			"client -> web TCP 80", false, reach.Allowed},
		// pkg/policy/mapstate.go, determineAllowLocalhostIngress, only adds an entry that allows.
		{"a node whose pod denies it", cnp + "{endpointSelector: {}, ingressDeny: [{fromEntities: [all]}]}}", "node-1 -> client TCP 80", false, reach.Depends},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, e, m := setUp(t, c.policy)
			q := s.question(t, c.connection)
			if got := e.judge(t, q)[unnamed].whole.allowed; got != c.theirs {
				t.Errorf("Cilium allows it: %t", got)
			}
			for _, o := range m.ask(t, q) {
				if o.whole.verdict != c.ours {
					t.Errorf("toolmoat: %v", o)
				}
			}
		})
	}
}

// TestBlocksNeedMending checks that Cilium still puts a selector of pods beside an ingress ipBlock,
// as mendBlocks assumes.
func TestBlocksNeedMending(t *testing.T) {
	var policy slimnetworkingv1.NetworkPolicy
	if err := yaml.Unmarshal([]byte(np+"{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 140.82.0.0/16}}]}]}}"), &policy); err != nil {
		t.Fatal(err)
	}
	entries, err := k8s.ParseNetworkPolicy(quiet, clusterName, &policy)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || len(entries[0].L3) != 2 {
		t.Fatalf("it is mended: %v", entries)
	}
	if mendBlocks(entries[0]); len(entries[0].L3) != 1 || !entries[0].Ingress {
		t.Errorf("mended to %v", entries[0].L3)
	}
}
