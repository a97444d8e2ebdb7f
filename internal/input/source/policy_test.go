package source_test

import (
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

const npHead = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: ns}\n"

func TestNetworkPolicy(t *testing.T) {
	for _, tt := range []struct{ name, spec, want string }{
		{"no spec", "", "1: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny"},
		{"nothing", "spec: {podSelector: }", "1: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny"},
		{"egress rules imply egress", "spec: {egress: [{}]}", `
1: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny
1: egress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny
4: allow egress egress[0]: anyone; any port`},
		{"an empty list of egress rules does not", "spec: {egress: [], policyTypes: []}", "1: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny"},
		{"null rules and lists", "spec:\n  ingress:\n  -\n  - from:\n    ports: ~\n", `
1: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny
6: allow ingress ingress[0]: anyone; any port
7: allow ingress ingress[1]: anyone; any port`},
		{"a direction that is not listed", "spec:\n  policyTypes:\n  - Egress\n  ingress: [{}]\n", `
7: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny, though untyped
6: egress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny
7: allow ingress ingress[0]: anyone; any port, though untyped`},
		{"listed twice", "spec: {policyTypes: [Ingress, Ingress]}", "4: ingress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny"},
		{"peers", `spec:
  podSelector: {matchLabels: {app: x}, matchExpressions: [{key: tier, operator: NotIn, values: [a, b]}]}
  ingress:
  - from:
    - podSelector: {}
    - namespaceSelector: {}
    - namespaceSelector: {matchLabels: {env: prod}}
      podSelector: {matchExpressions: [{key: k, operator: Exists}, {key: l, operator: DoesNotExist}, {key: m, operator: In, values: [z]}]}
    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}
    - ipBlock: {cidr: "::/0"}
`, `
1: ingress isolates ns kubernetes.io/metadata.name=ns pods app=x,tier notin (a,b), else deny
7: allow ingress ingress[0]: from[0]@8 ns kubernetes.io/metadata.name=ns pods everything | from[1]@9 ns everything pods everything | from[2]@10 ns env=prod pods k,!l,m=z | from[3]@12 10.0.0.0/8 except 10.1.0.0/16, 10.2.0.0/16 | from[4]@13 ::/0; any port`},
		{"ports", `spec:
  policyTypes: [Egress]
  egress:
  - ports: [{}, {protocol: UDP}, {port: 80}, {port: http, protocol: SCTP}, {port: 100, endPort: 200}, {port: 0x50, endPort: 80}]
`, `
5: egress isolates ns kubernetes.io/metadata.name=ns pods everything, else deny
7: allow egress egress[0]: anyone; TCP 1-65535, UDP 1-65535, TCP 80-80, SCTP http, TCP 100-200, TCP 80-80`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(npHead + tt.spec)
			same(t, "problems", problems(s), "")
			if len(s.Policies) != 1 {
				t.Fatalf("%d policies", len(s.Policies))
			}
			p := s.Policies[0]
			same(t, "policy", stands(p), tt.want)
			if p.Dialect != policy.NetworkPolicy || p.Namespace != "ns" || p.Name != "p" || p.Origin.Object != "NetworkPolicy ns/p" {
				t.Errorf("%s %s %s %+v", p.Dialect, p.Namespace, p.Name, p.Origin)
			}
		})
	}
}

// What kube-apiserver 1.36 refuses is invalid, and stands unjudged for the pods it was about.
func TestInvalidNetworkPolicy(t *testing.T) {
	const inNS = "tier 1 order 2 ns kubernetes.io/metadata.name=ns pods "
	for _, tt := range []struct{ name, spec, problem, subject string }{
		{"unknown field", "spec: {podSelector: {matchLabels: {a: b}}, ingres: []}", `TM902 4 spec.ingres: unknown field (did you mean "ingress"?)`, inNS + "a=b"},
		{"typo in a selector", "spec: {podSelector: {matchLables: {a: b}}}", `TM902 4 spec.podSelector.matchLables: unknown field (did you mean "matchLabels"?)`, inNS + "everything"},
		{"policy type", "spec: {policyTypes: [ingress]}", `TM902 4 spec.policyTypes[0]: not a policy type: "ingress" (Ingress or Egress, with a capital)`, inNS + "everything"},
		{"types", "spec: {policyTypes: [Ingress, Egress, Ingress]}", "TM902 4 spec.policyTypes: more than two policy types", inNS + "everything"},
		{"empty peer", "spec: {ingress: [{from: [{}]}]}", "TM902 4 spec.ingress[0].from[0]: an empty peer (give it a podSelector, a namespaceSelector or an ipBlock; leave the whole list out for everyone)", inNS + "everything"},
		{"null peer", "spec: {ingress: [{from: [~]}]}", "TM902 4 spec.ingress[0].from[0]: an empty peer (give it a podSelector, a namespaceSelector or an ipBlock; leave the whole list out for everyone)", inNS + "everything"},
		{"block and selector", "spec: {egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}", "TM902 4 spec.egress[0].to[0]: ipBlock beside a selector (make them two peers)", inNS + "everything"},
		{"no cidr", "spec: {egress: [{to: [{ipBlock: {}}]}]}", "TM902 4 spec.egress[0].to[0].ipBlock.cidr: missing (a CIDR such as 10.0.0.0/8)", inNS + "everything"},
		{"bare address", "spec: {egress: [{to: [{ipBlock: {cidr: 10.0.0.1}}]}]}", `TM902 4 spec.egress[0].to[0].ipBlock.cidr: not a CIDR: "10.0.0.1" (for one address write /32 after it, or /128 for IPv6)`, inNS + "everything"},
		{"host bits", "spec: {egress: [{to: [{ipBlock: {cidr: 10.0.0.1/8}}]}]}", `TM902 4 spec.egress[0].to[0].ipBlock.cidr: bits are set beyond the prefix length: "10.0.0.1/8" (write 10.0.0.0/8)`, inNS + "everything"},
		{"leading zeros", "spec: {egress: [{to: [{ipBlock: {cidr: 010.0.0.0/8}}]}]}", `TM902 4 spec.egress[0].to[0].ipBlock.cidr: not a CIDR: "010.0.0.0/8" (such as 10.0.0.0/8 or 2001:db8::/32, without leading zeros)`, inNS + "everything"},
		{"mapped", `spec: {egress: [{to: [{ipBlock: {cidr: "::ffff:10.0.0.0/104"}}]}]}`, `TM902 4 spec.egress[0].to[0].ipBlock.cidr: IPv4 inside IPv6: "::ffff:10.0.0.0/104" (write the IPv4 address)`, inNS + "everything"},
		{"except outside", "spec: {egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [192.168.0.0/16]}}]}]}", `TM902 4 spec.egress[0].to[0].ipBlock.except[0]: "192.168.0.0/16" is not a strict part of 10.0.0.0/8 (an exception must lie inside its cidr, and be smaller)`, inNS + "everything"},
		{"except equal", "spec: {egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}", `TM902 4 spec.egress[0].to[0].ipBlock.except[0]: "10.0.0.0/8" is not a strict part of 10.0.0.0/8 (an exception must lie inside its cidr, and be smaller)`, inNS + "everything"},
		{"except of the other family", `spec: {egress: [{to: [{ipBlock: {cidr: "::/0", except: [10.0.0.0/8]}}]}]}`, `TM902 4 spec.egress[0].to[0].ipBlock.except[0]: "10.0.0.0/8" is not a strict part of ::/0 (an exception must lie inside its cidr, and be smaller)`, inNS + "everything"},
		{"port 0", "spec: {ingress: [{ports: [{port: 0}]}]}", "TM902 4 spec.ingress[0].ports[0].port: not a port: 0 (ports run from 1 to 65535)", inNS + "everything"},
		{"port in quotes", `spec: {ingress: [{ports: [{port: "80"}]}]}`, `TM902 4 spec.ingress[0].ports[0].port: not a port name: "80" (take the quotes away: a number in quotes is a name)`, inNS + "everything"},
		{"port name", "spec: {ingress: [{ports: [{port: Http}]}]}", `TM902 4 spec.ingress[0].ports[0].port: not a port name: "Http" (a port name has at most 15 lower case letters, digits and '-')`, inNS + "everything"},
		{"endPort alone", "spec: {ingress: [{ports: [{endPort: 80}]}]}", "TM902 4 spec.ingress[0].ports[0].endPort: without a port (give the first port of the range)", inNS + "everything"},
		{"endPort below", "spec: {ingress: [{ports: [{port: 80, endPort: 79}]}]}", "TM902 4 spec.ingress[0].ports[0].endPort: below the port", inNS + "everything"},
		{"endPort of a name", "spec: {ingress: [{ports: [{port: http, endPort: 79}]}]}", "TM902 4 spec.ingress[0].ports[0].endPort: beside a port name (a range needs numbers)", inNS + "everything"},
		{"endPort too high", "spec: {ingress: [{ports: [{port: 80, endPort: 65536}]}]}", "TM902 4 spec.ingress[0].ports[0].endPort: not a port: 65536 (ports run from 1 to 65535)", inNS + "everything"},
		{"protocol", "spec: {ingress: [{ports: [{protocol: tcp}]}]}", `TM902 4 spec.ingress[0].ports[0].protocol: not a protocol: "tcp" (TCP, UDP or SCTP, in capitals)`, inNS + "everything"},
		{"empty protocol", `spec: {ingress: [{ports: [{protocol: ""}]}]}`, `TM902 4 spec.ingress[0].ports[0].protocol: not a protocol: "" (TCP, UDP or SCTP, in capitals)`, inNS + "everything"},
		{"operator", "spec: {podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}}", "TM902 4 spec.podSelector.matchExpressions[0].operator: not a selector operator (In, NotIn, Exists or DoesNotExist)", inNS + "everything"},
		{"In without values", "spec: {podSelector: {matchExpressions: [{key: a, operator: In}]}}", "TM902 4 spec.podSelector.matchExpressions[0].values: missing: the operator needs values", inNS + "everything"},
		{"Exists with values", "spec: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}", "TM902 4 spec.podSelector.matchExpressions[0].values: not allowed with this operator", inNS + "everything"},
		{"label that is a boolean", "spec: {podSelector: {matchLabels: {a: y}}}", `TM902 4 spec.podSelector.matchLabels.a: wants a text, has a boolean (put it in quotes)`, inNS + "everything"},
		{"label key", `spec: {podSelector: {matchLabels: {"a b": c}}}`, `TM902 4 spec.podSelector.matchLabels["a b"]: not a valid label key: "a b"`, inNS + "everything"},
		{"rules are no list", "spec: {podSelector: {matchLabels: {a: b}}, ingress: {}}", "TM902 4 spec.ingress: wants a list, has a map", inNS + "a=b"},
		{"spec is no map", "spec: []", "TM902 4 spec: wants a map, has a list", inNS + "everything"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(npHead + tt.spec)
			same(t, "problems", problems(s), tt.problem)
			same(t, "stands for", unjudged(t, s), tt.subject)
			if len(s.Policies) != 1 || s.Policies[0].Dialect != policy.NetworkPolicy {
				t.Errorf("%d policies", len(s.Policies))
			}
		})
	}
}

func TestPolicyMetadata(t *testing.T) {
	const everyone = "tier 1 order 2 ns everything pods everything"
	for _, tt := range []struct{ meta, problem, subject string }{
		{"{namespace: ns}", "TM902 3 metadata.name: missing (a name is lower case letters, digits, '-' and '.', at most 253 of them)", "tier 1 order 2 ns kubernetes.io/metadata.name=ns pods a=b"},
		{"{name: p, namespace: 5}", `TM902 3 metadata.namespace: wants a text, has a number (put it in quotes)`, everyone},
		{"{name: p, namespace: Prod}", `TM902 3 metadata.namespace: not a valid namespace: "Prod"`, everyone},
		{"{name: p, names: x}", `TM902 3 metadata.names: unknown field (did you mean "name"?)`, "tier 1 order 2 ns kubernetes.io/metadata.name=default pods a=b"},
		{"{name: p, annotations: {a b: c}}", `TM902 3 metadata.annotations["a b"]: not a valid annotation key: "a b"`, "tier 1 order 2 ns kubernetes.io/metadata.name=default pods a=b"},
		{"{name: p, labels: {a: on}}", `TM902 3 metadata.labels.a: wants a text, has a boolean (put it in quotes)`, "tier 1 order 2 ns kubernetes.io/metadata.name=default pods a=b"},
	} {
		s := load("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: " + tt.meta + "\nspec: {podSelector: {matchLabels: {a: b}}}\n")
		same(t, tt.meta, problems(s), tt.problem)
		same(t, tt.meta, unjudged(t, s), tt.subject)
	}
	s := load("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a.b, uid: x, generation: 1, managedFields: [{x: y}], annotations: {A/B: c}}\nstatus: {conditions: [1]}\n")
	same(t, "metadata that a server adds", problems(s), "")
}

func TestUnjudgedKinds(t *testing.T) {
	const in = "tier 0 order 0 ns kubernetes.io/metadata.name=ns pods "
	const all = "tier 0 order 0 ns everything pods "
	for _, tt := range []struct{ apiVersion, kind, spec, want string }{
		{"cilium.io/v9", "CiliumNetworkPolicy", "{endpointSelector: {matchLabels: {app: x}}}", in + "app=x"},
		{"cilium.io/v9", "CiliumNetworkPolicy", "{endpointSelector: {}}", in + "everything"},
		{"cilium.io/v9", "CiliumNetworkPolicy", "{endpointSelector: {matchLabels: {'k8s:app': x}}}", in + "everything"},
		{"cilium.io/v9", "CiliumNetworkPolicy", "{endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: x}}}", in + "everything"},
		{"cilium.io/v9", "CiliumClusterwideNetworkPolicy", "{endpointSelector: {matchLabels: {app: x}}}", all + "app=x"},
		{"cilium.io/v2", "CiliumNewPolicy", "{}", all + "everything"},
		{"cilium.io/v2", "CiliumEndpoint", "{}", ""},
		{"projectcalico.org/v3", "NetworkPolicy", "{selector: app == 'x'}", in + "everything"},
		{"crd.projectcalico.org/v1", "GlobalNetworkPolicy", "{}", all + "everything"},
		{"crd.projectcalico.org/v1", "StagedNetworkPolicy", "{}", ""},
		{"policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "{subject: {namespaces: {matchLabels: {a: b}}}}", "tier 0 order 0 ns a=b pods everything"},
		{"policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "{subject: {pods: {namespaceSelector: {matchLabels: {a: b}}, podSelector: {matchLabels: {c: d}}}}}", "tier 0 order 0 ns a=b pods c=d"},
		{"policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "{subject: {}}", all + "everything"},
		{"networking.k8s.aws/v1alpha1", "ApplicationNetworkPolicy", "{podSelector: {matchLabels: {a: b}}}", in + "a=b"},
		{"networking.k8s.aws/v1alpha1", "PolicyEndpoint", "{}", ""},
		{"vpcresources.k8s.aws/v1beta1", "SecurityGroupPolicy", "{serviceAccountSelector: {}}", in + "everything"},
		{"networking.gke.io/v1alpha1", "FQDNNetworkPolicy", "{podSelector: {matchLabels: {a: b}}}", in + "a=b egress"},
		{"k8s.ovn.org/v1", "EgressFirewall", "{}", in + "everything egress"},
		{"network.openshift.io/v1", "NetNamespace", "{}", all + "everything"},
		{"security.istio.io/v1", "AuthorizationPolicy", "{selector: {matchLabels: {a: b}}}", in + "a=b ingress"},
		{"security.istio.io/v1", "AuthorizationPolicy", "{targetRefs: [{}], selector: {matchLabels: {a: b}}}", in + "everything"},
		{"networking.istio.io/v1", "VirtualService", "{}", ""},
		{"crd.antrea.io/v1beta1", "ClusterNetworkPolicy", "{}", all + "everything"},
		{"policy.linkerd.io/v1beta3", "Server", "{podSelector: {matchLabels: {a: b}}}", in + "a=b ingress"},
		{"networking.k8s.io/v1beta1", "NetworkPolicy", "{podSelector: {matchLabels: {a: b}}}", in + "a=b"},
		{"extensions/v1beta1", "NetworkPolicy", "{podSelector: {matchLabels: {a: y}}}", in + "everything"},
		{"networking.k8s.io/v1", "networkPolicy", "{}", all + "everything"},
		{"extensions/v1beta1", "NetworkPolicy", "{podSelector: {}, policyTypes: [Egress]}", in + "everything egress"},
		{"extensions/v1beta1", "NetworkPolicy", "{podSelector: {}, policyTypes: [Egress], ingress: [{}]}", in + "everything"},
		{"extensions/v1beta1", "NetworkPolicy", "{podSelector: {}, policyTypes: [Egres]}", in + "everything"},
		{"networking.k8s.aws/v1alpha1", "ApplicationNetworkPolicy", "{podSelector: {}, policyTypes: [Ingress]}", in + "everything ingress"},
		{"cilium.io/v9", "CiliumNetworkPolicy", "{endpointSelector: {}, ingressDeny: [{}]}", in + "everything ingress"},
		{"cilium.io/v9", "CiliumNetworkPolicy", "{endpointSelector: {}, egress: [{}], egresDeny: [{}]}", in + "everything"},
		{"cilium.io/v9", "CiliumClusterwideNetworkPolicy", "{endpointSelector: {}, egress: [{}], enableDefaultDeny: {egress: false}}", all + "everything egress"},
		{"cilium.io/v9", "CiliumNetworkPolicy", "{endpointSelector: {}, egress: [{}], enableDefaultDeny: {ingress: true}}", in + "everything"},
		{"policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "{priority: 1, subject: {namespaces: {}}, egress: []}", "tier 0 order 0 ns everything pods everything egress"},
		{"policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", "{subject: {namespaces: {}}, ingress: [{}]}", "tier 0 order 0 ns everything pods everything ingress"},
		{"policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "{tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [], egress: []}", "tier 0 order 0 ns everything pods everything"},
		{"projectcalico.org/v3", "NetworkPolicy", "{selector: all(), types: [Egress]}", in + "everything egress"},
		{"projectcalico.org/v3", "NetworkPolicy", "{selector: all(), egress: [{action: Allow}]}", in + "everything"},
		{"crd.projectcalico.org/v1", "GlobalNetworkPolicy", "{types: [Ingress]}", all + "everything ingress"},
		{"crd.projectcalico.org/v1", "HostEndpoint", "{types: [Ingress]}", all + "everything"},
		{"crd.antrea.io/v1beta1", "NetworkPolicy", "{tier: x, priority: 1, appliedTo: [], ingress: [{}]}", in + "everything ingress"},
		{"network.openshift.io/v1", "EgressNetworkPolicy", "{}", in + "everything egress"},
		{"security.istio.io/v1", "PeerAuthentication", "{}", in + "everything ingress"},
		{"policy.linkerd.io/v1beta3", "ServerAuthorization", "{}", in + "everything ingress"},
		{"policy.linkerd.io/v1alpha1", "AuthorizationPolicy", "{targetRef: {kind: Server}}", in + "everything ingress"},
		{"policy.linkerd.io/v1alpha1", "EgressNetwork", "{}", in + "everything egress"},
		{"v1", "NetworkPolicy", "{}", all + "everything"},
		{"example.com/v1", "SuperNetworkPolicy", "{}", all + "everything"},
		{"example.com/v1", "Widget", "{}", ""},
		{"policy/v1", "PodDisruptionBudget", "{}", ""},
	} {
		t.Run(tt.apiVersion+" "+tt.kind, func(t *testing.T) {
			s := load("apiVersion: " + tt.apiVersion + "\nkind: " + tt.kind + "\nmetadata: {name: p, namespace: ns}\nspec: " + tt.spec + "\n")
			same(t, "stands for", unjudged(t, s), tt.want)
			if n := len(s.Problems); (n == 1) != (tt.want != "") || n == 1 && s.Problems[0].Rule != "TM903" || (s.Counts.Ignored == 1) != (tt.want == "") {
				t.Errorf("problems %q, %d ignored", problems(s), s.Counts.Ignored)
			}
		})
	}
	s := load("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: istio-system}\nspec: {}\n")
	same(t, "in Istio's root namespace", unjudged(t, s), all+"everything ingress")
	s = load("apiVersion: cilium.io/v9\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\nspecs: [{}]\nspec: {endpointSelector: {matchLabels: {a: b}}}\n")
	same(t, "several specs", unjudged(t, s), "tier 0 order 0 ns kubernetes.io/metadata.name=default pods everything")
}

func TestDuplicates(t *testing.T) {
	np := npHead + "spec: {podSelector: {matchLabels: {a: b}}}\n"
	other := npHead + "# moved\n\nspec: {podSelector: {matchLabels: {c: d}}}\n"
	dep := controller("Deployment", "apps/v1", "d", "replicas: 1")
	file := func(name, text string) source.File { return source.File{Name: name, Data: []byte(text)} }

	s := source.LoadFiles(file("a", np+"---\n"+dep), file("b", "# elsewhere\n"+np), file("c", dep))
	same(t, "the same", problems(s), "")
	if len(s.Policies) != 1 || len(s.Workloads) != 1 || len(s.Policies[0].Isolations) != 1 {
		t.Errorf("%d policies, %d workloads", len(s.Policies), len(s.Workloads))
	}

	s = source.LoadFiles(file("a", np), file("b", other), file("c", other))
	same(t, "different", problems(s), "TM904 1 defined differently in a:1 (read the files of one environment at a time, or leave some out with --exclude)")
	same(t, "stand for", unjudged(t, s), `
tier 1 order 2 ns kubernetes.io/metadata.name=ns pods a=b ingress
tier 1 order 2 ns kubernetes.io/metadata.name=ns pods c=d ingress`)
	if o := s.Problems[0].Origin; o.File != "b" || o.Object != "NetworkPolicy ns/p" {
		t.Errorf("%+v", o)
	}

	s = source.LoadFiles(file("a", dep), file("b", strings.Replace(dep, "app: x", "app: z", 1)))
	if len(s.Workloads) != 2 || len(s.Problems) != 1 || s.Problems[0].Rule != "TM904" {
		t.Errorf("%d workloads, %s", len(s.Workloads), problems(s))
	}
}
