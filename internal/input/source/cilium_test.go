package source_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

const (
	cnpHead  = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: ns}\n"
	ccnpHead = "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: p}\n"
)

// cilium is the policy of a text without problems.
func cilium(t *testing.T, text string) policy.Policy {
	t.Helper()
	s := load(text)
	same(t, "problems", problems(s), "")
	if len(s.Policies) != 1 {
		t.Fatalf("%d policies", len(s.Policies))
	}
	return s.Policies[0]
}

func TestCiliumRules(t *testing.T) {
	const head = "5: egress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny\n"
	const rule = "6: allow egress spec.egress[0]: "
	for _, tt := range []struct{ name, rule, want string }{
		{"nothing", "{}", ""},
		{"nobody", "{toEndpoints: []}", ""},
		{"nobody beside ports", "{toEndpoints: [], toPorts: [{ports: [{port: '80', protocol: TCP}]}]}", ""},
		{"one empty list takes the peers of another", "{toCIDR: [10.0.0.0/8], toEntities: []}", ""},
		{"null is absent", "{toEndpoints: ~, toPorts: [{ports: [{port: '80', protocol: TCP}]}]}", rule + "anyone; TCP 80-80"},
		{"ports alone", "{toPorts: [{ports: [{port: '80', protocol: TCP}]}]}", rule + "anyone; TCP 80-80"},
		{"lists that do not empty a rule", "{toFQDNs: [], toServices: [], toGroups: [], toRequires: [], toPorts: [{ports: [{port: '80', protocol: TCP}]}]}", rule + "anyone; TCP 80-80"},
		{"they do not fill it either", "{toFQDNs: [], toServices: []}", ""},
		{"no ports", "{toEntities: [all], toPorts: []}", rule + "toEntities[0]@6 all; any port"},
		{"an item without ports", "{toEntities: [all], toPorts: [{}, {ports: []}]}", ""},
		{"ICMP alone", "{toEntities: [all], icmps: [{fields: [{type: 8, family: IPv4}, {type: EchoRequest, family: IPv6}, {type: '255'}]}]}", ""},
		{"other protocols", "{toEntities: [all], toPorts: [{ports: [{port: '0', protocol: VRRP}, {port: '0', protocol: IGMP}]}]}", ""},
		{"entities", "{toEntities: [all, world, cluster, host, remote-node, kube-apiserver, none, ingress]}",
			rule + "toEntities[0]@6 all | toEntities[1]@6 world | toEntities[2]@6 cluster | toEntities[3]@6 host | toEntities[4]@6 remote-node | toEntities[5]@6 kube-apiserver | toEntities[6]@6 nobody | toEntities[7]@6 nobody; any port"},
		{"unmanaged", "{toEntities: [unmanaged]}", rule + "toEntities[0]@6 cluster if Cilium does not manage {peer}; any port"},
		{"blocks", "{toCIDR: [10.0.0.0/8, 10.9.9.9/24, '::/0']}", rule + "toCIDR[0]@6 10.0.0.0/8 | toCIDR[1]@6 10.9.9.0/24 | toCIDR[2]@6 ::/0; any port"},
		{"block with exceptions", "{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.0.0.0/8]}]}", rule + "toCIDRSet[0]@6 10.0.0.0/8 except 10.1.0.0/16, 10.0.0.0/8; any port"},
		{"names", "{toFQDNs: [{matchName: API.github.com.}, {matchPattern: '*'}, {matchPattern: '**.'}, {matchPattern: '*.a.com'}, {matchPattern: '***.a.com'}, {matchPattern: 'b**c.**.com'}, {matchPattern: '**x.com'}]}",
			rule + "toFQDNs[0]@6 name api.github.com | toFQDNs[1]@6 name * | toFQDNs[2]@6 name ** | toFQDNs[3]@6 name *.a.com | toFQDNs[4]@6 name **.a.com | toFQDNs[5]@6 name b*c.*.com | toFQDNs[6]@6 name *x.com; any port"},
		{"ports of all kinds", "{toPorts: [{ports: [{port: '0', protocol: TCP}, {port: '100', endPort: 200, protocol: UDP}, {port: '100', endPort: 9, protocol: SCTP}, {port: Http-x, protocol: TCP}, {port: '010', protocol: TCP}, {port: '0', endPort: 9, protocol: TCP}]}]}",
			rule + "anyone; TCP 1-65535, UDP 100-200, SCTP 100-100, TCP http-x, TCP 8-8, TCP 1-9"},
		{"any protocol", "{toPorts: [{ports: [{port: '53'}, {port: dns, protocol: ANY}]}]}", rule + "anyone; TCP 53-53, UDP 53-53, SCTP 53-53, TCP dns, UDP dns, SCTP dns"},
		{"requests", "{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: [{method: GET, path: /a, host: x, headers: [a b], headerMatches: [{name: nn, value: v, mismatch: LOG, secret: {name: s, namespace: t}}]}]}}, {ports: [{port: '81', protocol: TCP}], rules: {http: []}}, {ports: [{port: '82', protocol: UDP}]}]}",
			"6: allow egress spec.egress[0].toPorts[0]: anyone; TCP 80-80; if the request is one that its HTTP rules allow\n" + rule + "anyone; TCP 81-81, UDP 82-82"},
		{"DNS", "{toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}, {matchName: a.b}]}}]}", rule + "anyone; TCP 53-53, UDP 53-53, SCTP 53-53; queries for [* a.b]; if the query is for a name that its DNS rules allow"},
		{"DNS without rules", "{toPorts: [{ports: [{port: '53', protocol: UDP}], rules: {dns: []}}]}", rule + "anyone; UDP 53-53"},
		{"server names", "{toPorts: [{ports: [{port: '443', protocol: TCP}], serverNames: [a.b, '*.c.d', '**.e']}]}", rule + `anyone; TCP 443-443; if the TLS server name is "a.b", "*.c.d" or "**.e"`},
		{"TLS", "{toPorts: [{ports: [{port: '443', protocol: TCP}], serverNames: [a.b], terminatingTLS: {secret: {name: s}}, originatingTLS: {secret: {name: s}, trustedCA: x}, rules: {http: [{}]}}]}",
			rule + `anyone; TCP 443-443; if the request is one that its HTTP rules allow and the proxy accepts the TLS of the client (terminatingTLS) and the proxy accepts the TLS of the destination (originatingTLS) and the TLS server name is "a.b"`},
		{"a listener", "{toPorts: [{ports: [{port: '443', protocol: TCP}], listener: {name: l, priority: 1, envoyConfig: {kind: CiliumEnvoyConfig, name: c}}}]}", rule + `anyone; TCP 443-443; if the Envoy listener "l" lets the connection pass`},
		{"authentication", "{toEntities: [all], authentication: {mode: required}}", rule + "toEntities[0]@6 all; any port; if both ends prove their identity"},
		{"no authentication", "{toEntities: [all], authentication: {mode: disabled}}", rule + "toEntities[0]@6 all; any port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := cilium(t, cnpHead+"spec:\n  egress:\n  - "+tt.rule+"\n  endpointSelector: {}\n")
			same(t, "policy", stands(p), head+tt.want)
			if p.Dialect != policy.CiliumNetworkPolicy || p.Namespace != "ns" || p.Name != "p" || p.If != nil || p.Origin.Object != "CiliumNetworkPolicy ns/p" {
				t.Errorf("%s %s %s %v %+v", p.Dialect, p.Namespace, p.Name, p.If, p.Origin)
			}
			for _, r := range p.Rules {
				if r.Tier != policy.TierNetworkPolicy || r.Order != policy.OrderAllow {
					t.Errorf("tier %d order %v", r.Tier, r.Order)
				}
			}
		})
	}
}

// TestCiliumForms reads forms that not every version of Cilium takes: what a policy with one says
// depends on it, and where it is refused nothing is known of what is there instead.
func TestCiliumForms(t *testing.T) {
	const rule = "6: allow egress spec.egress[0]: "
	private := ""
	for _, cidr := range netset.CIDRs(special.Plan) {
		private += " | toEntities[0]@6 " + cidr.String() + " if {peer} is a pod of another cluster of the mesh"
	}
	for _, tt := range []struct {
		name, rule, want string
		takes            cni.Question
	}{
		{"Kafka", "{toPorts: [{ports: [{port: '9092', protocol: TCP}], rules: {kafka: [{apiKey: Fetch, apiVersion: '1', topic: a.b, clientID: c}, {role: produce}]}}]}", rule + "anyone; TCP 9092-9092; if the request is one that its Kafka rules allow", cni.TakesOldForms},
		{"other rules", "{toPorts: [{ports: [{port: '9', protocol: TCP}], rules: {l7proto: r2d2, l7: [{cmd: READ}]}}]}", rule + "anyone; TCP 9-9; if the request is one that its rules allow", cni.TakesOldForms},
		{"a proxy without rules", "{toPorts: [{ports: [{port: '9', protocol: TCP}], rules: {l7proto: r2d2}}]}", rule + `anyone; TCP 9-9; if the proxy for "r2d2" lets the request pass`, cni.TakesOldForms},
		{"an except wider than its cidr", "{toCIDRSet: [{cidr: 10.0.0.0/16, except: [10.0.0.0/8]}]}", rule + "toCIDRSet[0]@6 10.0.0.0/16 except 10.0.0.0/8; any port", cni.TakesOldForms},
		{"a key that no label can have", "{toEndpoints: [{matchExpressions: [{key: '-a', operator: DoesNotExist}]}]}", rule + "toEndpoints[0]@6 ns kubernetes.io/metadata.name=ns pods !-a; any port", cni.TakesOldForms},
		{"clusters of a mesh", "{toEntities: [cluster-mesh]}", rule + "toEntities[0]@6 cluster" + private + "; any port", cni.TakesNewForms},
		{"protocols without ports", "{toPorts: [{ports: [{port: '0', protocol: GRE}, {port: '0', protocol: IPIP}, {port: '0', protocol: IPV6}, {port: '0', protocol: ESP}, {port: '0', protocol: AH}]}]}", "", cni.TakesNewForms},
		{"server names", "{toPorts: [{ports: [{port: '443', protocol: TCP}], serverNames: [a.*, '*', 'a*b.c']}]}", rule + `anyone; TCP 443-443; if the TLS server name is "a.*", "*" or "a*b.c"`, cni.TakesNewForms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := cilium(t, cnpHead+"spec:\n  egress:\n  - "+tt.rule+"\n  endpointSelector: {}\n")
			if strings.Contains(tt.want, "; if ") {
				tt.want += " and "
			} else {
				tt.want += "; if "
			}
			var known, rest []policy.Rule
			for _, r := range p.Rules {
				if r.Action == policy.Unjudged {
					rest = append(rest, r)
				} else {
					known = append(known, r)
				}
			}
			p.Rules = known
			want := "5: egress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny\n"
			if len(known) > 0 {
				want += tt.want + tt.takes.String()
			}
			same(t, "policy", stands(p), want)
			if !slices.ContainsFunc(p.Isolations[0].If, func(f policy.Fact) bool { return f.ID == tt.takes.FactID() && !f.Not }) {
				t.Errorf("isolates if %v", p.Isolations[0].If)
			}
			if len(rest) != 2 || rest[0].Dir == rest[1].Dir || !rest[0].AnyPeer || !rest[0].AnyPort || len(rest[0].If) != 1 || !rest[0].If[0].Not || rest[0].If[0].ID != tt.takes.FactID() {
				t.Errorf("where it is refused: %+v", rest)
			}
		})
	}
	if p := cilium(t, cnpHead+"spec:\n  egress:\n  - {toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}], toPorts: [{ports: [{port: '443'}], serverNames: ['**.a']}]}\n  endpointSelector: {}\n"); len(p.Rules) != 1 {
		t.Errorf("forms that every version takes: %s", stands(p))
	}
}

// What a policy says by the directions it has rules for, and by enableDefaultDeny.
func TestCiliumDirections(t *testing.T) {
	const in = " isolates ns kubernetes.io/metadata.name=ns pods app=x, else deny\n"
	for _, tt := range []struct{ name, spec, want string }{
		{"both", "{ingress: [{}], egress: [{}]}", "5: ingress" + in + "5: egress" + in},
		{"one, the other list being empty", "{ingress: [], egress: [{}]}", "5: egress" + in},
		{"deny rules isolate", "{egressDeny: [{toCIDR: [10.0.0.0/8]}]}", "5: egress" + in + "5: deny egress spec.egressDeny[0]: toCIDR[0]@5 10.0.0.0/8; any port"},
		{"they need not", "{egressDeny: [{toCIDR: [10.0.0.0/8]}], enableDefaultDeny: {egress: false}}", "5: deny egress spec.egressDeny[0]: toCIDR[0]@5 10.0.0.0/8; any port"},
		{"null is the default", "{egressDeny: [{}], enableDefaultDeny: {egress: ~, ingress: false}}", "5: egress" + in},
		{"without rules a direction is not isolated", "{ingress: [{}], enableDefaultDeny: {ingress: false, egress: true}}", ""},
		{"all four", "{ingress: [{fromEntities: [host]}], ingressDeny: [{fromEntities: [world]}], egress: [{toEntities: [host]}], egressDeny: [{toEntities: [world], toPorts: [{ports: [{port: '1', protocol: TCP}]}]}]}", "5: ingress" + in + "5: egress" + in +
			"5: allow ingress spec.ingress[0]: fromEntities[0]@5 host; any port\n5: deny ingress spec.ingressDeny[0]: fromEntities[0]@5 world; any port\n" +
			"5: allow egress spec.egress[0]: toEntities[0]@5 host; any port\n5: deny egress spec.egressDeny[0]: toEntities[0]@5 world; TCP 1-1"},
		{"words", "{ingress: [{}], description: x, labels: [{key: a, source: b, value: c}], log: {value: hello}}", "5: ingress" + in},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := cilium(t, cnpHead+"spec:\n  "+strings.Replace(tt.spec, "{", "{endpointSelector: {matchLabels: {app: x}}, ", 1)+"\n")
			same(t, "policy", stands(p), strings.TrimSpace(tt.want))
			for _, r := range p.Rules {
				if want := map[policy.Action]float64{policy.Allow: policy.OrderAllow, policy.Deny: policy.OrderDeny}[r.Action]; r.Order != want {
					t.Errorf("%s in order %v", r.Action, r.Order)
				}
			}
		})
	}
}

func TestCiliumSpecs(t *testing.T) {
	p := cilium(t, cnpHead+`spec: {endpointSelector: {}, ingress: [{}]}
specs:
- {endpointSelector: {matchLabels: {a: b}}, egressDeny: [{toEntities: [world]}]}
-
  endpointSelector: {matchLabels: {c: d}}
  enableDefaultDeny: {ingress: false}
  ingress:
  - {}
  - fromEndpoints:
    - {}
status: {conditions: [x]}
`)
	same(t, "policy", stands(p), `
4: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny
6: egress isolates ns kubernetes.io/metadata.name=ns pods a=b, else deny
6: deny egress specs[0].egressDeny[0]: toEntities[0]@6 world; any port
12: allow ingress specs[1].ingress[1]: fromEndpoints[0]@13 ns kubernetes.io/metadata.name=ns pods everything; any port`)
	if p := cilium(t, cnpHead+"specs: []\n"); len(p.Rules)+len(p.Isolations) > 0 {
		t.Errorf("%+v", p)
	}
}

func TestCiliumSubjects(t *testing.T) {
	for _, tt := range []struct{ head, selector, want, facts string }{
		{cnpHead, "{}", "ns kubernetes.io/metadata.name=ns pods everything", ""},
		{cnpHead, "{matchLabels: {'k8s:app': x, 'any:tier': q, z: ~}, matchExpressions: [{key: v, operator: NotIn, values: [w]}]}", "ns kubernetes.io/metadata.name=ns pods app=x,tier=q,v!=w", ""},
		{cnpHead, "{matchLabels: {'k8s:io.kubernetes.pod.namespace': other}}", "ns kubernetes.io/metadata.name=ns pods everything", ""},
		{cnpHead, "{matchLabels: {io.kubernetes.pod.namespace: other}}", "", ""},
		{cnpHead, "{matchLabels: {io.kubernetes.pod.namespace: ns}}", "ns kubernetes.io/metadata.name=ns pods everything", ""},
		{cnpHead, "{matchExpressions: [{key: 'k8s:io.kubernetes.pod.namespace', operator: In, values: [other]}]}", "", ""},
		{cnpHead, "{matchLabels: {io.cilium.k8s.namespace.labels.env: prod}}", "ns env=prod,kubernetes.io/metadata.name=ns pods everything", ""},
		{cnpHead, "{matchLabels: {'reserved:init': ''}}", "", ""},
		{cnpHead, "{matchExpressions: [{key: 'reserved:host', operator: DoesNotExist}]}", "ns kubernetes.io/metadata.name=ns pods everything", ""},
		{cnpHead, "{matchLabels: {io.cilium.k8s.policy.serviceaccount: sa}}", "ns kubernetes.io/metadata.name=ns pods io.cilium.k8s.policy.serviceaccount=sa", ""},
		{cnpHead, "{matchLabels: {io.cilium.k8s.policy.name: x}}", "", ""},
		{cnpHead, "{matchLabels: {io.cilium.k8s.policy.cluster: west}}", "ns kubernetes.io/metadata.name=ns pods everything", `the cluster is called "west"`},
		{cnpHead, "{matchExpressions: [{key: io.cilium.k8s.policy.cluster, operator: NotIn, values: [west]}]}", "ns kubernetes.io/metadata.name=ns pods everything", `the cluster is not called "west"`},
		{cnpHead, "{matchExpressions: [{key: io.cilium.k8s.policy.cluster, operator: Exists}]}", "ns kubernetes.io/metadata.name=ns pods everything", ""},
		{cnpHead, "{matchExpressions: [{key: io.cilium.k8s.policy.cluster, operator: DoesNotExist}]}", "", ""},
		{cnpHead, "{matchLabels: {pod-template-hash: x}}", "ns kubernetes.io/metadata.name=ns pods pod-template-hash=x", ""},
		{cnpHead, "{matchExpressions: [{key: topology.kubernetes.io/zone, operator: DoesNotExist}]}", "ns kubernetes.io/metadata.name=ns pods !topology.kubernetes.io/zone", ""},
		{cnpHead, "{matchLabels: {app.kubernetes.io/name: x}}", "ns kubernetes.io/metadata.name=ns pods app.kubernetes.io/name=x", ""},
		{cnpHead, "{matchLabels: {'container:x': q}}", "ns kubernetes.io/metadata.name=ns pods everything", `Cilium gives the selected pod the labels of source "container" that the selector asks for`},
		{ccnpHead, "{}", "ns everything pods everything", ""},
		{ccnpHead, "{matchLabels: {'k8s:io.kubernetes.pod.namespace': other, app: x}}", "ns kubernetes.io/metadata.name=other pods app=x", ""},
		{ccnpHead, "{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [kube-system]}]}", "ns kubernetes.io/metadata.name!=kube-system pods everything", ""},
		{ccnpHead, "{matchLabels: {'k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name': a}}", "ns kubernetes.io/metadata.name=a pods everything", ""},
	} {
		t.Run(tt.selector, func(t *testing.T) {
			p := cilium(t, tt.head+"spec: {endpointSelector: "+tt.selector+", ingress: [{}]}\n")
			got, needs := "", ""
			for _, s := range p.Isolations {
				got += subject(s.Subject)
				needs += facts(s.If)
			}
			for _, r := range p.Rules {
				if facts(r.If) != needs {
					t.Errorf("a rule if %s", facts(r.If))
				}
			}
			if got != tt.want || needs != tt.facts || p.If != nil {
				t.Errorf("%s if %s", got, needs)
			}
		})
	}
	p := cilium(t, ccnpHead+"spec: {nodeSelector: {matchLabels: {a: b}}, ingress: [{fromEntities: [cluster]}], egressDeny: [{}]}\n")
	if len(p.Rules)+len(p.Isolations) > 0 || p.Dialect != policy.CiliumClusterwideNetworkPolicy || p.Namespace != "" || p.Origin.Object != "CiliumClusterwideNetworkPolicy p" {
		t.Errorf("a policy about nodes: %+v", p)
	}
}

func TestCiliumPeers(t *testing.T) {
	const own = "ns kubernetes.io/metadata.name=ns pods "
	const others = "all if Cilium does not keep selectors to its own cluster (policy-default-local-cluster: false)"
	for _, tt := range []struct{ head, selector, want string }{
		{cnpHead, "{}", own + "everything"},
		{cnpHead, "{matchLabels: {app: x}}", own + "app=x"},
		{cnpHead, "{matchLabels: {io.kubernetes.pod.namespace: other}}", "ns kubernetes.io/metadata.name=other pods everything"},
		{cnpHead, "{matchLabels: {'k8s:io.kubernetes.pod.namespace': other, 'k8s:app': x}}", "ns kubernetes.io/metadata.name=other pods app=x"},
		{cnpHead, "{matchLabels: {io.cilium.k8s.namespace.labels.env: prod}}", "ns env=prod pods everything"},
		{cnpHead, "{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}", "ns kubernetes.io/metadata.name pods everything"},
		{cnpHead, "{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [a]}]}", "ns kubernetes.io/metadata.name!=a pods everything | " + others},
		{cnpHead, "{matchLabels: {app: x}, matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [a]}]}", "ns kubernetes.io/metadata.name!=a pods app=x"},
		{cnpHead, "{matchExpressions: [{key: io.cilium.k8s.namespace.labels.env, operator: NotIn, values: [a]}]}", "ns env!=a pods everything | " + others},
		{cnpHead, "{matchLabels: {io.cilium.k8s.policy.cluster: west}}", own + `everything if the cluster is called "west"`},
		{cnpHead, "{matchLabels: {'k8s:app': x, 'any:app': q}}", "nobody"},
		{cnpHead, "{matchLabels: {'reserved:host': ''}}", "host"},
		{cnpHead, "{matchLabels: {'reserved:remote-node': ''}}", "remote-node"},
		{cnpHead, "{matchLabels: {reserved.kube-apiserver: ''}}", "kube-apiserver"},
		{cnpHead, "{matchLabels: {'$world': ''}}", "world if the cluster has one IP family only"},
		{cnpHead, "{matchLabels: {'reserved:world-ipv6': ''}}", "world-ipv6 if the cluster has both IP families"},
		{cnpHead, "{matchExpressions: [{key: 'reserved:ingress', operator: Exists}]}", "nobody"},
		{cnpHead, "{matchLabels: {'reserved:host': x}}", "nobody"},
		{cnpHead, "{matchLabels: {'reserved:host': '', app: x}}", "host if the labels that Cilium gives {peer} are all that the selector asks for"},
		{cnpHead, "{matchExpressions: [{key: 'reserved:world', operator: DoesNotExist}]}", "all if the labels that Cilium gives {peer} are all that the selector asks for"},
		{ccnpHead, "{}", "ns everything pods everything"},
		{ccnpHead, "{matchExpressions: [{key: io.cilium.k8s.namespace.labels.env, operator: DoesNotExist}]}", "ns !env pods everything"},
		{ccnpHead, "{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [a]}]}", "ns kubernetes.io/metadata.name!=a pods everything | " + others},
	} {
		t.Run(tt.selector, func(t *testing.T) {
			p := cilium(t, tt.head+"spec: {endpointSelector: {}, ingress: [{fromEndpoints: ["+tt.selector+"]}]}\n")
			if len(p.Rules) != 1 {
				t.Fatalf("%d rules", len(p.Rules))
			}
			var got []string
			for _, peer := range p.Rules[0].Peers {
				got = append(got, peerText(peer))
			}
			same(t, "peers", strings.Join(got, " | "), tt.want)
		})
	}
	p := cilium(t, ccnpHead+"spec: {endpointSelector: {matchExpressions: [{key: 'reserved:init', operator: DoesNotExist}]}, ingress: [{fromEndpoints: [{}]}]}\n")
	same(t, "a policy that names what is starting", stands(p), "4: ingress isolates ns everything pods everything, else deny\n4: allow ingress spec.ingress[0]: fromEndpoints[0]@4 ns everything pods everything | fromEndpoints[0]@4 "+others+"; any port")

	p = cilium(t, cnpHead+"spec: {endpointSelector: {}, egress: [{toNodes: [{matchLabels: {a: b, 'node:c': d}}, {matchLabels: {'k8s:x': q}}]}]}\n")
	if len(p.Rules) != 1 || facts(p.If) != "node selectors are enabled (enable-node-selector-labels)" {
		t.Fatalf("%d rules, if %s", len(p.Rules), facts(p.If))
	}
	same(t, "nodes", peerText(p.Rules[0].Peers[0]), "nodes a=b,c=d")
	same(t, "nodes", peerText(p.Rules[0].Peers[1]), `nodes everything if Cilium gives {peer} the labels of source "k8s" that the selector asks for`)

	p = cilium(t, cnpHead+"spec: {endpointSelector: {}, egressDeny: [{toGroups: [{aws: {labels: {a: b}, region: x, securityGroupsIds: [sg-1], securityGroupsNames: [nn]}}]}]}\n")
	if len(p.Rules) != 1 || facts(p.If) != "the Cilium operator can look groups up at AWS" {
		t.Fatalf("%d rules, if %s", len(p.Rules), facts(p.If))
	}
	same(t, "groups", peerText(p.Rules[0].Peers[0]), "world if a group at AWS that the rule names holds the address of {peer}")

	p = cilium(t, cnpHead+"spec: {endpointSelector: {}, egress: [{toPorts: [{ports: [{protocol: TCP}]}]}]}\n")
	if facts(p.If) != "other protocols are enabled (enable-extended-ip-protocols)" || len(p.Rules) != 1 || p.Rules[0].Ports[0].Hi != 65535 {
		t.Errorf("no port: %+v", p)
	}
}

// Facts about the cluster are the same wherever they stand, and no two that may differ share an ID.
func TestCiliumFactIDs(t *testing.T) {
	named := func(operator, values string) string {
		return "{toEndpoints: [{matchExpressions: [{key: io.cilium.k8s.policy.cluster, operator: " + operator + ", values: [" + values + "]}]}]}"
	}
	services := func(items string) string {
		return "{toServices: [" + items + "], toPorts: [{ports: [{port: '80'}]}]}"
	}
	tls := func(port, names string) string {
		return "{ports: [{port: '" + port + "', protocol: TCP}], serverNames: [" + names + "]}"
	}
	for _, tt := range []struct{ name, rules, want string }{
		{"a cluster's name", named("In", "b, a") + ", " + named("NotIn", "a, b, a"), "cluster name in a,b | not cluster name in a,b"},
		{"names that are not all written", named("In", "a, b, c, d, e") + ", " + named("In", "a, b, c, d, f"), "cluster name in a,b,c,d,e | cluster name in a,b,c,d,f"},
		{"Services", services("{k8sService: {serviceName: t}}, {k8sService: {serviceName: s, namespace: ns}}") + ", " + services("{k8sService: {serviceName: s, namespace: ns}}, {k8sService: {serviceName: t}}") + ", " + services("{k8sServiceSelector: {selector: {matchLabels: {app: x}}}}"),
			"not Service named s in namespace ns or named t | not Service named s in namespace ns or named t | not Service with labels app=x"},
		{"IP families", "{toEndpoints: [{matchLabels: {'reserved:world': ''}}, {matchLabels: {'reserved:world-ipv4': ''}}]}", "not cluster has both IP families | cluster has both IP families"},
		{"TLS server names that are not all written", "{toPorts: [" + tls("1", "a.b, b.b, c.b, d.b, e.b") + ", " + tls("2", "a.b, b.b, c.b, d.b, f.b") + ", " + tls("3", "a.b, b.b, c.b, d.b, e.b") + "]}",
			"TLS server name in a.b,b.b,c.b,d.b,e.b | TLS server name in a.b,b.b,c.b,d.b,f.b"},
		{"listeners of one name", "{toPorts: [{ports: [{port: '1'}], listener: {name: l, envoyConfig: {name: c}}}, {ports: [{port: '2'}], listener: {name: l, envoyConfig: {name: d}}}]}",
			`Envoy listener "l" of "" "c" | Envoy listener "l" of "" "d"`},
	} {
		var got []string
		for _, r := range cilium(t, cnpHead+"spec: {endpointSelector: {}, egress: ["+tt.rules+"]}\n").Rules {
			lists := [][]policy.Fact{r.If}
			for _, peer := range r.Peers {
				lists = append(lists, peer.If)
			}
			for _, f := range slices.Concat(lists...) {
				got = append(got, map[bool]string{true: "not "}[f.Not]+f.ID)
			}
		}
		same(t, tt.name, strings.Join(got, " | "), tt.want)
	}
}

// soundFacts fails unless each fact has an ID and two texts, one ID has one pair of texts, and what
// is not about a peer does not name one.
func soundFacts(t *testing.T, list []policy.Fact, peer bool) {
	t.Helper()
	texts := map[string]string{}
	for _, f := range list {
		text := f.Yes + "/" + f.No
		if before, ok := texts[f.ID]; f.ID == "" || f.Yes == "" || f.No == "" || f.Yes == f.No || ok && before != text || (f.Cluster || !peer) && strings.Contains(text, "{peer}") || !peer && !f.Cluster {
			t.Fatalf("fact %+v", f)
		}
		texts[f.ID] = text
	}
}

func TestCiliumServices(t *testing.T) {
	open := func(which string) string {
		return " | toServices[0]@4 all if no Service named " + which + " has a selector or endpoints"
	}
	const ports = ", toPorts: [{ports: [{port: '80', protocol: TCP}]}]"
	service := func(spec string) string {
		return "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns, labels: {app: x, name: q}}\nspec: " + spec + "\n"
	}
	for _, tt := range []struct{ name, rule, more, want string }{
		{"by name", "egress: [{toServices: [{k8sService: {serviceName: s, namespace: ns}}]}]", "", "allow egress spec.egress[0]: toServices[0]@4 service ns/s; any port"},
		{"with ports, and no such Service", "egress: [{toServices: [{k8sService: {serviceName: s, namespace: ns}}]" + ports + "}]", "", "allow egress spec.egress[0]: toServices[0]@4 service ns/s" + open("s in namespace ns") + "; TCP 80-80"},
		{"with ports, and one of another namespace", "egress: [{toServices: [{k8sService: {serviceName: s, namespace: other}}]" + ports + "}]", service("{selector: {a: b}}"), "allow egress spec.egress[0]: toServices[0]@4 service other/s" + open("s in namespace other") + "; TCP 80-80"},
		{"with ports, and a Service of any namespace", "egress: [{toServices: [{k8sService: {serviceName: s}}]" + ports + "}]", service("{selector: {a: b}}"), "allow egress spec.egress[0]: toServices[0]@4 service /s; TCP 80-80"},
		{"with ports, and a Service with nothing behind it", "egress: [{toServices: [{k8sService: {serviceName: s}}]" + ports + "}]", service("{}"), "allow egress spec.egress[0]: toServices[0]@4 service /s" + open("s") + "; TCP 80-80"},
		{"by labels", "egress: [{toServices: [{k8sServiceSelector: {namespace: ns, selector: {matchLabels: {app: x}}}}]" + ports + "}]", service("{selector: {a: b}}"), "allow egress spec.egress[0]: toServices[0]@4 services ns/ app=x; TCP 80-80"},
		{"by labels with a dot, which Cilium cuts", "egress: [{toServices: [{k8sServiceSelector: {selector: {matchLabels: {app.name: q}}}}]" + ports + "}]", service("{selector: {a: b}}"), "allow egress spec.egress[0]: toServices[0]@4 services / name=q; TCP 80-80"},
		{"every one", "egress: [{toServices: [{k8sServiceSelector: {selector: {}}, k8sService: {serviceName: s}}]" + ports + "}]", service("{selector: {a: b}}"), "allow egress spec.egress[0]: toServices[0]@4 services / everything; TCP 80-80"},
		{"without a name", "egress: [{toServices: [{k8sService: {}}]" + ports + "}]", "", "allow egress spec.egress[0]: anyone; TCP 80-80"},
		{"without a name or ports", "egress: [{toServices: [{k8sService: {}}]}]", "", ""},
		{"that are denied", "egressDeny: [{toServices: [{k8sService: {serviceName: s}}]}]", service("{selector: {a: b}}"), ""},
		{"that are denied, with ports", "egressDeny: [{toServices: [{k8sService: {serviceName: s}}]" + ports + "}]", service("{selector: {a: b}}"), "deny egress spec.egressDeny[0]: anyone; TCP 80-80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := "4: egress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny"
			if tt.want != "" {
				want += "\n4: " + tt.want
			}
			same(t, "policy", stands(cilium(t, cnpHead+"spec: {endpointSelector: {}, "+tt.rule+"}\n"+tt.more)), want)
		})
	}
}

func group(version, name, labels, cidrs string) string {
	return fmt.Sprintf("---\napiVersion: cilium.io/%s\nkind: CiliumCIDRGroup\nmetadata: {name: %s, labels: %s}\nspec: {externalCIDRs: %s}\n", version, name, labels, cidrs)
}

func TestCiliumCIDRGroups(t *testing.T) {
	const unknown = "world if a CiliumCIDRGroup named g holds the address of {peer}"
	nested := group("v2", "a", "{env: prod, io.cilium.k8s.x: q}", "[10.0.0.0/8, 192.0.2.0/24, 'fd00::/8']") + group("v2", "b", "{env: dev}", "[10.1.0.0/16]") + group("v2", "c", "{env: prod}", "[10.1.2.0/24, 10.2.0.0/16]") + group("v2", "d", "{other: x}", "[10.1.3.0/24]")
	for _, tt := range []struct{ name, item, groups, want, problem string }{
		{"none", "{cidrGroupRef: g}", "", unknown, ""},
		{"another", "{cidrGroupRef: g}", group("v2", "h", "{}", "[10.0.0.0/8]"), unknown, ""},
		{"one", "{cidrGroupRef: g, except: [10.1.0.0/16, 11.0.0.0/8]}", group("v2", "g", "{}", "[10.0.0.0/8, 192.0.2.7/24]"), "10.0.0.0/8 except 10.1.0.0/16 | 192.0.2.0/24", ""},
		{"old version", "{cidrGroupRef: g}", group("v2alpha1", "g", "{}", "[10.0.0.0/8]"), "10.0.0.0/8", ""},
		{"unknown version", "{cidrGroupRef: g}", group("v3", "g", "{}", "[10.0.0.0/8]"), unknown, ""},
		{"empty", "{cidrGroupRef: g}", group("v2", "g", "{}", "[]"), "", ""},
		{"twice the same", "{cidrGroupRef: g}", group("v2", "g", "{}", "[10.0.0.0/8]") + group("v2alpha1", "g", "{}", "[10.0.0.0/8]"), "10.0.0.0/8", ""},
		{"invalid", "{cidrGroupRef: g}", group("v2", "g", "{}", "[10.0.0.0/8, 10.0.0.1]"), unknown, `TM902 9 spec.externalCIDRs[1]: not a CIDR: "10.0.0.1" (for one address write /32 after it, or /128 for IPv6)`},
		{"unknown field", "{cidrGroupRef: g}", group("v2", "g", "{}", "[10.0.0.0/8], more: x"), unknown, `TM902 9 spec.more: unknown field`},
		{"without addresses", "{cidrGroupRef: g}", group("v2", "g", "{}", "~"), unknown, `TM902 9 spec.externalCIDRs: missing ([] is a group of no addresses)`},
		{"two that differ", "{cidrGroupRef: g}", group("v2", "g", "{}", "[10.0.0.0/8]") + group("v2", "g", "{}", "[11.0.0.0/8]"), unknown, `TM904 11 defined differently in f.yaml:6 (read the files of one environment at a time, or leave some out with --exclude)`},
		{"labels of none", "{cidrGroupSelector: {matchLabels: {env: prod}}}", "", "world if a CiliumCIDRGroup with labels env=prod holds the address of {peer}", ""},
		{"labels of none that is there", "{cidrGroupSelector: {matchLabels: {env: x}}}", nested, "world if a CiliumCIDRGroup with labels env=x holds the address of {peer}", ""},
		{"labels", "{cidrGroupSelector: {matchLabels: {env: prod}}}", nested, "10.0.0.0/8 except 10.1.0.0/16 | 10.1.2.0/24 | 192.0.2.0/24 | fd00::/8", ""},
		{"labels of what is inside", "{cidrGroupSelector: {matchLabels: {env: dev}, matchExpressions: [{key: io.cilium.policy.cidrgroupname/a, operator: Exists}]}}", nested, "10.1.0.0/16 except 10.1.2.0/24", ""},
		{"labels that are only of some", "{cidrGroupSelector: {matchExpressions: [{key: env, operator: Exists}, {key: other, operator: DoesNotExist}]}}", nested, "10.0.0.0/8 except 10.1.3.0/24 | 192.0.2.0/24 | fd00::/8", ""},
		{"labels that a user cannot set", "{cidrGroupSelector: {matchLabels: {io.cilium.k8s.x: q}}}", nested, "world if a CiliumCIDRGroup with labels io.cilium.k8s.x=q holds the address of {peer}", ""},
		{"exceptions", "{cidrGroupSelector: {matchLabels: {env: dev}}, except: [10.1.1.0/24, 10.9.0.0/16]}", nested, "10.1.0.0/16 except 10.1.1.0/24, 10.1.2.0/24", ""},
		{"every label, and none", "{cidrGroupSelector: {}}", nested, "all", ""},
		{"what is in no group", "{cidrGroupSelector: {matchExpressions: [{key: env, operator: NotIn, values: [prod]}]}}", nested, "all if no CiliumCIDRGroup that the selector leaves out holds the address of {peer}", ""},
		{"what is in no group, with exceptions", "{cidrGroupSelector: {matchExpressions: [{key: env, operator: NotIn, values: [prod]}]}, except: [10.1.0.0/16]}", nested,
			"all if no CiliumCIDRGroup that the selector leaves out holds the address of {peer} and no CIDR in except holds the address of {peer}", ""},
		{"labels in contradiction", "{cidrGroupSelector: {matchLabels: {env: prod}}}", group("v2", "g", "{env: prod}", "[10.0.0.0/8]") + group("v2", "h", "{env: dev}", "[10.0.0.0/8]"),
			"10.0.0.0/8 | world if a CiliumCIDRGroup with labels env=prod holds the address of {peer}", ""},
		{"labels beside what is invalid", "{cidrGroupSelector: {matchLabels: {env: prod}}}", group("v2", "g", "{env: prod}", "[10.0.0.0/8]") + group("v2", "h", "{}", "[x]"),
			"10.0.0.0/8 | world if a CiliumCIDRGroup with labels env=prod holds the address of {peer}", `TM902 14 spec.externalCIDRs[0]: not a CIDR: "x" (for one address write /32 after it, or /128 for IPv6)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(cnpHead + "spec: {endpointSelector: {}, egress: [{toCIDRSet: [" + tt.item + "], toPorts: [{ports: [{port: '1'}]}, {ports: [{port: '2', protocol: TCP}], rules: {http: [{}]}}]}]}\n" + tt.groups)
			same(t, "problems", problems(s), tt.problem)
			if len(s.Policies) != 1 || len(s.Policies[0].Rules) != 2 {
				t.Fatalf("%d policies: %s", len(s.Policies), stands(s.Policies[0]))
			}
			for _, r := range s.Policies[0].Rules {
				var got []string
				for _, peer := range r.Peers {
					got = append(got, peerText(peer))
					if peer.Path != "toCIDRSet[0]" || peer.Origin.Line != 4 {
						t.Errorf("%s at %+v", peer.Path, peer.Origin)
					}
				}
				same(t, "peers", strings.Join(got, " | "), tt.want)
			}
		})
	}
}

// What the definitions of Cilium's resources or its own check refuse is invalid, and stands
// unjudged, before what allows, for the pods it was about.
func TestInvalidCiliumPolicy(t *testing.T) {
	const e = "spec: {endpointSelector: {matchLabels: {a: b}}, egress: [{"
	const port = "toPorts: [{ports: [{port: '80', protocol: TCP}]"
	for _, tt := range []struct{ spec, problem string }{
		{"spec: {endpointSelector: {matchLabels: {a: b}}}", "spec: no rules (give it ingress, ingressDeny, egress or egressDeny; [{}] denies everything)"},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [], egress: ~}", "spec: no rules (give it ingress, ingressDeny, egress or egressDeny; [{}] denies everything)"},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, egress: [~]}", "spec.egress[0]: an item is missing"},
		{e + "toendpoints: []}]}", `spec.egress[0].toendpoints: unknown field (did you mean "toEndpoints"?)`},
		{e + "toEndpoints: [~]}]}", "spec.egress[0].toEndpoints[0]: an item is missing"},
		{e + "toEndpoints: [{matchLabels: {'a b': c}}]}]}", `spec.egress[0].toEndpoints[0].matchLabels["a b"]: not a valid label key: "a b"`},
		{e + "toEndpoints: [{matchLabels: {c: d, 'any:c': e}}]}]}", `spec.egress[0].toEndpoints[0].matchLabels["any:c"]: the same label a second time: "any:c" (Cilium takes one of the two values)`},
		{e + "toEndpoints: [{matchExpressions: [{key: a, operator: In, values: [~]}]}]}]}", "spec.egress[0].toEndpoints[0].matchExpressions[0].values[0]: an item is missing"},
		{e + "toEndpoints: [{}], toEntities: [world]}]}", "spec.egress[0].toEntities: beside toEndpoints (make them two rules)"},
		{e + "toFQDNs: [{matchName: a.b}], toCIDR: [10.0.0.0/8]}]}", "spec.egress[0].toFQDNs: beside toCIDR (make them two rules)"},
		{e + "toEntities: [internet]}]}", `spec.egress[0].toEntities[0]: not an entity: "internet" (all, cluster, cluster-mesh, health, host, ingress, init, kube-apiserver, none, remote-node, unmanaged, world)`},
		{e + "toCIDR: [10.0.0.1]}]}", `spec.egress[0].toCIDR[0]: not a CIDR: "10.0.0.1" (for one address write /32 after it, or /128 for IPv6)`},
		{e + "toCIDR: [010.0.0.0/8]}]}", `spec.egress[0].toCIDR[0]: not a CIDR: "010.0.0.0/8" (such as 10.0.0.0/8 or 2001:db8::/32, without leading zeros)`},
		{e + "toCIDR: ['::ffff:10.0.0.0/104']}]}", `spec.egress[0].toCIDR[0]: IPv4 inside IPv6: "::ffff:10.0.0.0/104" (write the IPv4 address)`},
		{e + "toCIDRSet: [{}]}]}", "spec.egress[0].toCIDRSet[0]: not one of cidr, cidrGroupRef and cidrGroupSelector"},
		{e + "toCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: g}]}]}", "spec.egress[0].toCIDRSet[0]: not one of cidr, cidrGroupRef and cidrGroupSelector"},
		{e + "toCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/8]}]}]}", `spec.egress[0].toCIDRSet[0].except[0]: "11.0.0.0/8" is not a part of 10.0.0.0/8 (an exception must lie inside its cidr)`},
		{e + "toCIDRSet: [{cidrGroupRef: G}]}]}", `spec.egress[0].toCIDRSet[0].cidrGroupRef: not a valid name: "G" (lower case letters, digits, '-' and '.', at most 253 of them)`},
		{e + "toCIDRSet: [{cidrGroupSelector: {matchLabels: {'k8s:a': b}}}]}]}", `spec.egress[0].toCIDRSet[0].cidrGroupSelector.matchLabels["k8s:a"]: not a valid label key: "k8s:a"`},
		{e + "toFQDNs: [{}]}]}", "spec.egress[0].toFQDNs[0]: not one of matchName and matchPattern"},
		{e + "toFQDNs: [{matchName: '*.a.b'}]}]}", `spec.egress[0].toFQDNs[0].matchName: not a name: "*.a.b" (letters, digits, '-' and '_' between dots, and '*' in a pattern)`},
		{e + "toFQDNs: [{matchPattern: 'a..b'}]}]}", `spec.egress[0].toFQDNs[0].matchPattern: not a name: "a..b" (letters, digits, '-' and '_' between dots, and '*' in a pattern)`},
		{e + "toServices: [{k8sServiceSelector: {}}]}]}", "spec.egress[0].toServices[0].k8sServiceSelector.selector: missing ({} selects every Service)"},
		{e + "toServices: [{k8sServiceSelector: {selector: {matchLabels: {'k8s:a': b}}}}]}]}", `spec.egress[0].toServices[0].k8sServiceSelector.selector.matchLabels["k8s:a"]: not a valid label key: "k8s:a"`},
		{e + "toRequires: [x]}]}", "spec.egress[0].toRequires: no longer known (Cilium 1.19 has removed it; say what is allowed or denied in rules)"},
		{e + "toPorts: [{ports: [{port: 80}]}]}]}", `spec.egress[0].toPorts[0].ports[0].port: wants a text, has a number (put it in quotes)`},
		{e + "toPorts: [{ports: [{port: '65536'}]}]}]}", `spec.egress[0].toPorts[0].ports[0].port: not a port: "65536" (a number such as "443", or a name of at most 15 letters, digits and '-')`},
		{e + "toPorts: [{ports: [{port: ''}]}]}]}", `spec.egress[0].toPorts[0].ports[0].port: not a port: "" (a number such as "443", or a name of at most 15 letters, digits and '-')`},
		{e + "toPorts: [{ports: [{port: '80', endPort: 65536}]}]}]}", "spec.egress[0].toPorts[0].ports[0].endPort: not a port: 65536 (ports run from 0, for all, to 65535)"},
		{e + "toPorts: [{ports: [{port: http, endPort: 90}]}]}]}", "spec.egress[0].toPorts[0].ports[0].endPort: beside a port name (a range needs numbers)"},
		{e + "toPorts: [{ports: [{port: '80', protocol: tcp}]}]}]}", `spec.egress[0].toPorts[0].ports[0].protocol: not a protocol: "tcp" (TCP, UDP, SCTP, VRRP, IGMP, GRE, IPIP, IPV6, ESP, AH or ANY, in capitals)`},
		{e + "toPorts: [{ports: [{port: '80', protocol: ICMP}]}]}]}", `spec.egress[0].toPorts[0].ports[0].protocol: not a protocol: "ICMP" (TCP, UDP, SCTP, VRRP, IGMP, GRE, IPIP, IPV6, ESP, AH or ANY, in capitals)`},
		{e + "toPorts: [{ports: [{port: '80', protocol: VRRP}]}]}]}", "spec.egress[0].toPorts[0].ports[0].port: not 0, for a protocol without ports (leave it out)"},
		{e + "toPorts: [{ports: [" + strings.Repeat("{port: '1'},", 41) + "]}]}]}", "spec.egress[0].toPorts[0].ports: more than 40 ports (make them two rules)"},
		{e + port + "}], icmps: [{}]}]}", "spec.egress[0].icmps: beside toPorts (make them two rules)"},
		{e + "icmps: [{fields: [{type: Ping}]}]}]}", `spec.egress[0].icmps[0].fields[0].type: not an ICMP type of IPv4: "Ping" (a number or a name such as EchoRequest)`},
		{e + "icmps: [{fields: [{family: IPv4}]}]}]}", "spec.egress[0].icmps[0].fields[0].type: missing (an ICMP type: a number or a name such as EchoRequest)"},
		{e + port + ", rules: {}}]}]}", "spec.egress[0].toPorts[0].rules: not one of http, kafka, dns and l7proto"},
		{e + port + ", rules: {l7: [{a: b}]}}]}]}", "spec.egress[0].toPorts[0].rules.l7: without l7proto\nspec.egress[0].toPorts[0].rules: not one of http, kafka, dns and l7proto"},
		{e + port + ", rules: {http: [{path: '('}]}}]}]}", "spec.egress[0].toPorts[0].rules.http[0].path: not a regular expression"},
		{e + port + ", rules: {http: [{headerMatches: [{value: x}]}]}}]}]}", "spec.egress[0].toPorts[0].rules.http[0].headerMatches[0].name: missing"},
		{e + port + ", rules: {kafka: [{role: produce, apiKey: fetch}]}}]}]}", "spec.egress[0].toPorts[0].rules.kafka[0].role: beside an apiKey"},
		{e + port + ", rules: {kafka: [{apiKey: x}]}}]}]}", `spec.egress[0].toPorts[0].rules.kafka[0].apiKey: not a request of Kafka: "x"`},
		{e + port + ", rules: {dns: [{}]}}]}]}", "spec.egress[0].toPorts[0].rules.dns[0]: not one of matchName and matchPattern"},
		{e + "toPorts: [{rules: {dns: [{matchPattern: '*'}]}}]}]}", "spec.egress[0].toPorts[0].rules.dns: without a port (give the port of the resolver, as a rule 53)"},
		{e + "toPorts: [{ports: [{port: '53', endPort: 54}], rules: {dns: [{matchPattern: '*'}]}}]}]}", "spec.egress[0].toPorts[0].ports[0].endPort: beside rules for DNS (name single ports)"},
		{e + "toPorts: [{ports: [{port: '0', protocol: TCP}], rules: {http: [{}]}}]}]}", "spec.egress[0].toPorts[0].ports[0].port: 0 beside rules for requests (name the port)"},
		{e + "toPorts: [{ports: [{port: '80'}], rules: {http: [{}]}}]}]}", "spec.egress[0].toPorts[0].ports[0].protocol: not TCP, beside rules for requests (write TCP; only rules for DNS allow others)"},
		{e + port + ", serverNames: []}]}]}", "spec.egress[0].toPorts[0].serverNames: empty (leave it out for every name)"},
		{e + port + ", serverNames: [a.b, a.b]}]}]}", `spec.egress[0].toPorts[0].serverNames[1]: a second time: "a.b"`},
		{e + port + ", serverNames: [a..b]}]}]}", `spec.egress[0].toPorts[0].serverNames[0]: not a name: "a..b" (a host name, with "*." or "**." before it for those below)`},
		{e + port + ", serverNames: [a.b], rules: {http: [{}]}}]}]}", "spec.egress[0].toPorts[0].rules: beside serverNames without terminatingTLS"},
		{e + port + ", terminatingTLS: {}}]}]}", "spec.egress[0].toPorts[0].terminatingTLS.secret.name: missing"},
		{e + port + ", listener: {name: l, envoyConfig: {name: c}, priority: 101}}]}]}", "spec.egress[0].toPorts[0].listener.priority: not from 1 to 100"},
		{e + port + ", listener: {name: l, envoyConfig: {name: c}}, rules: {http: [{}]}}]}]}", "spec.egress[0].toPorts[0].listener: beside rules for requests"},
		{e + "authentication: {}}]}", "spec.egress[0].authentication.mode: missing (disabled or required)"},
		{e + "authentication: {mode: maybe}}]}", `spec.egress[0].authentication.mode: not a value it may have: "maybe" (disabled, required, test-always-fail)`},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, egressDeny: [{toFQDNs: [{matchName: a.b}]}]}", `spec.egressDeny[0].toFQDNs: unknown field`},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, egressDeny: [{" + port + ", rules: {http: [{}]}}]}]}", `spec.egressDeny[0].toPorts[0].rules: unknown field`},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [{toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}]}}]}]}", "spec.ingress[0].toPorts[0].rules.dns: not allowed for ingress (DNS is inspected where a pod sends it)"},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [{" + port + ", listener: {name: l, envoyConfig: {name: c}}}]}]}", "spec.ingress[0].toPorts[0].listener: not allowed for ingress"},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [{fromServices: []}]}", `spec.ingress[0].fromServices: unknown field`},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [{}], enableDefaultDeny: {ingress: 'no'}}", "spec.enableDefaultDeny.ingress: wants true or false, has a text"},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [{}], labels: [{source: x}]}", "spec.labels[0].key: missing"},
		{"spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [{}], log: {value: " + strings.Repeat("x", 33) + "}}", "spec.log.value: not at most 32 characters that can be printed"},
	} {
		t.Run(tt.spec, func(t *testing.T) {
			s := load(cnpHead + tt.spec)
			same(t, "problems", problems(s), "TM902 4 "+strings.ReplaceAll(tt.problem, "\n", "\nTM902 4 "))
			dir := ""
			switch in, out := strings.Contains(tt.spec, "ingress"), strings.Contains(tt.spec, "egress"); {
			case in && !out:
				dir = " ingress"
			case out && !in:
				dir = " egress"
			}
			same(t, "stands for", unjudged(t, s), "tier 1 order 0.5 ns kubernetes.io/metadata.name=ns pods a=b"+dir)
			if len(s.Policies) != 1 || s.Policies[0].Dialect != policy.CiliumNetworkPolicy {
				t.Errorf("%d policies", len(s.Policies))
			}
		})
	}
}

// What an invalid policy stands for where its selectors do not tell.
func TestInvalidCiliumScope(t *testing.T) {
	const inNS, all = "tier 1 order 0.5 ns kubernetes.io/metadata.name=ns pods everything", "tier 1 order 0.5 ns everything pods everything"
	for _, tt := range []struct{ text, problem, subject string }{
		{cnpHead, "TM902 1 spec: missing (a policy needs spec or specs)", inNS},
		{cnpHead + "spec: {ingress: [{}]}", "TM902 4 spec.endpointSelector: missing ({} selects every pod)", inNS},
		{cnpHead + "spec: {nodeSelector: {}, ingress: [{}]}", "TM902 4 spec.nodeSelector: not allowed in a CiliumNetworkPolicy (nodes are selected by a CiliumClusterwideNetworkPolicy)", inNS},
		{cnpHead + "spec: {endpointSelector: {matchLabels: {a: yes}}, ingress: [{}]}", "TM902 4 spec.endpointSelector.matchLabels.a: wants a text, has a boolean (put it in quotes)", inNS},
		{cnpHead + "specs: [{endpointSelector: {matchLabels: {a: b}}, ingress: [{}]}, {endpointSelector: {matchLabels: {c: d}}, egress: [{x: q}]}]", "TM902 4 specs[1].egress[0].x: unknown field",
			"tier 1 order 0.5 ns kubernetes.io/metadata.name=ns pods a=b\ntier 1 order 0.5 ns kubernetes.io/metadata.name=ns pods c=d"},
		{ccnpHead + "spec: {endpointSelector: {matchLabels: {a: b}}, nodeSelector: {}, ingress: [{}]}", "TM902 4 spec.nodeSelector: beside an endpointSelector (make them two specs)", all},
		{ccnpHead + "spec: {nodeSelector: {}, ingress: [{x: q}]}", "TM902 4 spec.ingress[0].x: unknown field", ""},
		{ccnpHead + "spec: {endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: x}}, ingress: [{x: q}]}", "TM902 4 spec.ingress[0].x: unknown field", "tier 1 order 0.5 ns kubernetes.io/metadata.name=x pods everything"},
		{ccnpHead + "spec: {endpointSelector: {}, egress: [{toPorts: [{ports: [{port: '1'}], listener: {name: l, envoyConfig: {name: c, kind: CiliumEnvoyConfig}}}]}]}",
			"TM902 4 spec.egress[0].toPorts[0].listener.envoyConfig.kind: not allowed in a CiliumClusterwideNetworkPolicy (it can use a CiliumClusterwideEnvoyConfig)", all},
		{strings.Replace(cnpHead, "ns}", "5}", 1) + "spec: {endpointSelector: {matchLabels: {a: b}}, ingress: [{}]}", "TM902 3 metadata.namespace: wants a text, has a number (put it in quotes)", all},
	} {
		s := load(tt.text)
		same(t, tt.text, problems(s), tt.problem)
		var got []string
		for _, p := range s.Policies {
			for _, r := range p.Rules {
				if text := fmt.Sprintf("tier %d order %v %s", r.Tier, r.Order, subject(r.Subject)); !slices.Contains(got, text) {
					got = append(got, text)
				}
			}
		}
		same(t, tt.text, strings.Join(got, "\n"), tt.subject)
	}
}

func TestCiliumDuplicates(t *testing.T) {
	file := func(name, text string) source.File { return source.File{Name: name, Data: []byte(text)} }
	one := cnpHead + "specs: [{endpointSelector: {}, ingress: [{fromEntities: [host]}]}, {endpointSelector: {matchLabels: {a: b}}, egressDeny: [{toCIDRSet: [{cidrGroupRef: g}]}], enableDefaultDeny: {egress: false}}]\n"
	other := strings.Replace(one, "cidrGroupRef: g", "cidrGroupRef: h", 1)
	s := source.LoadFiles(file("a", one), file("b", "# x\n"+one))
	same(t, "the same", problems(s), "")
	if len(s.Policies) != 1 {
		t.Errorf("%d policies", len(s.Policies))
	}
	s = source.LoadFiles(file("a", one), file("b", other), file("c", group("v2", "g", "{}", "[10.0.0.0/8]")))
	same(t, "different groups", problems(s), "TM904 1 defined differently in a:1 (read the files of one environment at a time, or leave some out with --exclude)")
	for _, p := range s.Policies {
		if len(p.Isolations) > 0 || len(p.Rules) != 4 || p.Rules[3].Action != policy.Unjudged || p.Rules[3].Order != 0.5 {
			t.Errorf("%+v", p)
		}
	}
}

// A policy with very many references to a very large group is read in bounded memory, and says that
// it is not certain.
func TestCiliumGroupsAreBounded(t *testing.T) {
	var cidrs strings.Builder
	for i := range 2_000 {
		fmt.Fprintf(&cidrs, "10.%d.%d.0/24,", i>>8, i&255)
	}
	for _, item := range []string{"{cidrGroupRef: g}", "{cidrGroupSelector: {matchLabels: {env: prod}}}"} {
		s := load(cnpHead + "spec: {endpointSelector: {}, egress: [{toCIDRSet: [" + strings.Repeat(item+",", 1_000) + "]}]}\n" + group("v2", "g", "{env: prod}", "["+cidrs.String()+"]"))
		same(t, "problems", problems(s), "")
		peers := s.Policies[0].Rules[0].Peers
		if last := peers[len(peers)-1]; len(peers) > 1<<19+1_000 || peers[0].Block == nil || last.Entity != policy.World || last.If == nil {
			t.Errorf("%d peers, the last is %s", len(peers), peerText(last))
		}
	}
}

// The service account of pods, which Cilium gives them as a label, and the labels of Services.
func TestAccounts(t *testing.T) {
	s := load(controller("Deployment", "apps/v1", "d", "replicas: 1") + strings.Replace(controller("Deployment", "apps/v1", "e", "replicas: 1"), "{containers", "{serviceAccountName: sa, serviceAccount: old, containers", 1) + `
{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {serviceAccount: old}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, annotations: {kubernetes.io/config.mirror: x}}}
---
{apiVersion: v1, kind: Service, metadata: {name: s, labels: {a: b}}}
`)
	same(t, "problems", problems(s), "")
	var got []string
	for _, w := range s.Workloads {
		got = append(got, w.Name+" "+w.Pods[0].Account)
	}
	same(t, "accounts", strings.Join(got, ", "), "a old, b , d default, e sa")
	if len(s.Services) != 1 || s.Services[0].Labels["a"] != "b" {
		t.Errorf("%+v", s.Services)
	}
}

// FuzzCilium reads specs of a policy, beside a CIDR group and a Service that they may refer to.
// Whatever is not understood is a problem.
func FuzzCilium(f *testing.F) {
	for _, spec := range []string{
		"{endpointSelector: {}, egress: [{toCIDRSet: [{cidrGroupRef: g}, {cidrGroupSelector: {matchLabels: {a: b}}}], toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}]}}]}]}",
		"{endpointSelector: {matchLabels: {'reserved:init': ''}}, ingressDeny: [{fromEndpoints: [{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: NotIn, values: [a]}]}], icmps: [{fields: [{type: 8}]}]}]}",
		"{endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: s}}], toPorts: [{ports: [{port: http, protocol: TCP}], serverNames: [a.b]}]}], enableDefaultDeny: {egress: false}}",
		"{nodeSelector: {}, egress: [{toFQDNs: [{matchPattern: '**.a.*'}]}]}",
	} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		for _, head := range []string{cnpHead, ccnpHead} {
			s := source.LoadFiles(source.File{Name: "a", Data: []byte(head + "spec: " + spec)},
				source.File{Name: "b", Data: []byte(group("v2", "g", "{a: b}", "[10.0.0.0/8, 10.1.0.0/16]") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: ns}\nspec: {selector: {a: b}}\n")})
			if len(s.Policies) == 0 && len(s.Problems) == 0 && s.Counts.Foreign+s.Counts.Ignored == 0 {
				t.Fatal("nothing to see")
			}
			for _, p := range s.Policies {
				soundFacts(t, p.If, false)
				for _, st := range p.Isolations {
					soundFacts(t, st.If, true)
				}
				for _, r := range p.Rules {
					soundFacts(t, r.If, true)
					if r.Action != policy.Unjudged && (r.Path == "" || !r.AnyPort && len(r.Ports) == 0 || r.Tier != policy.TierNetworkPolicy) {
						t.Fatalf("rule %+v", r)
					}
					for _, port := range r.Ports {
						if port.Name == "" && (port.Lo == 0 || port.Hi < port.Lo) {
							t.Fatalf("port %+v", port)
						}
					}
					for _, peer := range r.Peers {
						soundFacts(t, peer.If, true)
						forms := 0
						for _, set := range []bool{peer.NS != nil && peer.Pod != nil, peer.Block != nil, peer.Entity != policy.NoEntity, peer.Node != nil, peer.Name != "", peer.Service != nil} {
							if set {
								forms++
							}
						}
						if forms != 1 || peer.Path == "" || peer.Block != nil && !peer.Block.CIDR.IsValid() {
							t.Fatalf("peer %+v", peer)
						}
					}
				}
			}
		}
	})
}
