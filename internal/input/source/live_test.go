package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

func served(group, version, kind string, namespaced bool) Served {
	return Served{Resource{Group: group, Version: version, Plural: plural(kind)}, kind, namespaced}
}

func TestWanted(t *testing.T) {
	all := []Served{
		served("", "v1", "Pod", true), served("", "v1", "Node", false), served("", "v1", "Namespace", false), served("", "v1", "Secret", true),
		served("", "v1", "ConfigMap", true), served("", "v1", "Endpoints", true), served("", "v1", "Service", true),
		served("apps", "v1", "Deployment", true), served("extensions", "v1beta1", "Deployment", true),
		served("networking.k8s.io", "v1", "NetworkPolicy", true), served("networking.k8s.io", "v1", "IngressClass", false),
		served("cilium.io", "v2alpha1", "CiliumCIDRGroup", false), served("cilium.io", "v1", "CiliumNetworkPolicy", true), served("cilium.io", "v2", "CiliumNetworkPolicy", true),
		served("cilium.io", "v2", "CiliumLocalRedirectPolicy", true), served("cilium.io", "v2", "CiliumEndpoint", true), served("cilium.io", "v3", "CiliumFuturePolicy", true),
		served("security.istio.io", "v1", "AuthorizationPolicy", true), served("security.istio.io", "v1", "RequestAuthentication", true),
		served("policy.networking.k8s.io", "v1alpha1", "AdminNetworkPolicy", false), served("crd.projectcalico.org", "v1", "GlobalNetworkPolicy", false),
		served("vendor.example", "v1", "StrictNetworkPolicy", true), served("vendor.example", "v1", "Widget", true),
		served("gateway.networking.k8s.io", "v1", "HTTPRoute", true), served("gateway.networking.k8s.io", "v1", "Gateway", true),
	}
	text := func(list []Served) string {
		var lines []string
		for _, s := range list {
			line := s.String() + "/" + s.Version
			if s.Namespace+s.Name != "" {
				line += " " + s.Namespace + " " + s.Name
			}
			lines = append(lines, line)
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	for _, tt := range []struct {
		namespaces []string
		want       string
	}{
		{nil, `adminnetworkpolicies.policy.networking.k8s.io/v1alpha1
authorizationpolicies.security.istio.io/v1
ciliumcidrgroups.cilium.io/v2alpha1
ciliumfuturepolicies.cilium.io/v3
ciliumlocalredirectpolicies.cilium.io/v2
ciliumnetworkpolicies.cilium.io/v2
deployments.apps/v1
gateways.gateway.networking.k8s.io/v1
globalnetworkpolicies.crd.projectcalico.org/v1
httproutes.gateway.networking.k8s.io/v1
namespaces/v1
networkpolicies.networking.k8s.io/v1
nodes/v1
pods/v1
services/v1
strictnetworkpolicies.vendor.example/v1`},
		{[]string{"a", "b"}, `adminnetworkpolicies.policy.networking.k8s.io/v1alpha1
authorizationpolicies.security.istio.io/v1 a 
authorizationpolicies.security.istio.io/v1 b 
authorizationpolicies.security.istio.io/v1 istio-system 
ciliumcidrgroups.cilium.io/v2alpha1
ciliumfuturepolicies.cilium.io/v3
ciliumlocalredirectpolicies.cilium.io/v2
ciliumnetworkpolicies.cilium.io/v2 a 
ciliumnetworkpolicies.cilium.io/v2 b 
deployments.apps/v1 a 
deployments.apps/v1 b 
gateways.gateway.networking.k8s.io/v1 a 
gateways.gateway.networking.k8s.io/v1 b 
globalnetworkpolicies.crd.projectcalico.org/v1
httproutes.gateway.networking.k8s.io/v1 a 
httproutes.gateway.networking.k8s.io/v1 b 
namespaces/v1  a
namespaces/v1  b
networkpolicies.networking.k8s.io/v1 a 
networkpolicies.networking.k8s.io/v1 b 
nodes/v1
pods/v1 a 
pods/v1 b 
services/v1 a 
services/v1 b 
services/v1 default kubernetes
strictnetworkpolicies.vendor.example/v1`},
	} {
		if got := text(Wanted(all, tt.namespaces)); got != tt.want {
			t.Errorf("of %q wants\n%s\nnot\n%s", tt.namespaces, got, tt.want)
		}
	}
}

// TestReadable demands that a role can name everything that is decoded or known to be a policy.
func TestReadable(t *testing.T) {
	named := map[groupKind]bool{}
	for _, s := range Readable() {
		named[groupKind{s.Group, s.Kind}] = true
		if s.Plural == "" || s.Plural != strings.ToLower(s.Plural) {
			t.Errorf("%s is called %q", s.Kind, s.Plural)
		}
	}
	for gvk := range policyReaders {
		if !named[groupKind{gvk.group, gvk.kind}] {
			t.Errorf("%v is missing", gvk)
		}
	}
	for group, g := range policyGroups {
		for kind := range g.policies {
			if named[groupKind{group, kind}] == (group == "extensions") {
				t.Errorf("%s of %s: named %t", kind, group, group == "extensions")
			}
		}
	}
	for _, no := range []string{"ConfigMap", "Secret", "Endpoints"} {
		if named[groupKind{"", no}] {
			t.Errorf("%s is read", no)
		}
	}
}

// TestUnread demands that what was not read stands in the snapshot, unjudged, for just the pods
// that it may be about.
func TestUnread(t *testing.T) {
	in := func(s Served, namespace string) Served { s.Namespace = namespace; return s }
	networkPolicy := served("networking.k8s.io", "v1", "NetworkPolicy", true)
	istio := served("security.istio.io", "v1", "AuthorizationPolicy", true)
	for _, tt := range []struct {
		unread Served
		want   string // "dialect: namespaces, tier"; "" if nothing stands for it
	}{
		{networkPolicy, "networking.k8s.io NetworkPolicy: everything, 1"},
		{in(networkPolicy, "a"), "networking.k8s.io NetworkPolicy: kubernetes.io/metadata.name=a, 1"},
		{served("cilium.io", "v2", "CiliumClusterwideNetworkPolicy", false), "cilium.io CiliumClusterwideNetworkPolicy: everything, 1"},
		{in(served("cilium.io", "v2", "CiliumNetworkPolicy", true), "a"), "cilium.io CiliumNetworkPolicy: kubernetes.io/metadata.name=a, 1"},
		{in(served("cilium.io", "v9", "CiliumNetworkPolicy", true), "a"), "cilium.io CiliumNetworkPolicy: kubernetes.io/metadata.name=a, 0"},
		{in(served("cilium.io", "v2", "CiliumLocalRedirectPolicy", true), "a"), "cilium.io CiliumLocalRedirectPolicy: everything, 0"},
		{in(istio, "a"), "security.istio.io AuthorizationPolicy: kubernetes.io/metadata.name=a, 0"},
		{in(istio, istioRoot), "security.istio.io AuthorizationPolicy: everything, 0"},
		{served("vendor.example", "v1", "StrictNetworkPolicy", true), "vendor.example StrictNetworkPolicy: everything, 0"},
		{Served{Resource: Resource{Group: "projectcalico.org"}}, ": everything, 0"},
		{served("", "v1", "Pod", true), ""},
		{served("apps", "v1", "Deployment", true), ""},
		{served("cilium.io", "v2", "CiliumCIDRGroup", false), ""}, // a policy that names one is a condition without it
	} {
		problem := finding.Problem{Rule: ruleForbidden, Message: "needs list on " + tt.unread.String()}
		snap, err := LoadLive(t.Context(), nil, []Unread{{tt.unread, problem}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range snap.Policies {
			if len(p.Rules) != 2 || p.Rules[0].Action != policy.Unjudged {
				t.Errorf("%s: %+v", tt.unread, p)
				continue
			}
			got += fmt.Sprintf("%s: %s, %d", p.Dialect, p.Rules[0].Subject.NS, p.Rules[0].Tier)
		}
		if got != tt.want || len(snap.Problems) != 1 || snap.Problems[0] != problem {
			t.Errorf("%s: stands %q, want %q; problems %v", tt.unread, got, tt.want, snap.Problems)
		}
	}
}

func TestLoadLive(t *testing.T) {
	pod := File{"cluster/Pod/a/p", []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"a","name":"p"},` + "\n" + `"spec":{"containers":[{"name":"c","image":"i"}]},"status":{"podIPs":[{"ip":"10.1.2.3"}]}}`)}
	snap, err := LoadLive(t.Context(), []File{pod}, nil, []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	w := snap.Workloads[0]
	if w.Origin.Pos() != "cluster/Pod/a/p" || w.Origin.Object != "Pod a/p" || w.Containers[0].Line != 0 || len(w.Pods[0].Addrs) != 1 {
		t.Errorf("read %+v", w)
	}
	if len(snap.Problems) != 1 || snap.Problems[0].Rule != ruleForbidden || !strings.Contains(snap.Problems[0].Message, "a, b") || len(snap.Policies) != 1 {
		t.Fatalf("of two namespaces: %v, %v", snap.Problems, snap.Policies)
	}
	if got := snap.Policies[0].Rules[0].Subject.NS.String(); got != "kubernetes.io/metadata.name notin (a,b)" && got != "kubernetes.io/metadata.name notin (a, b)" {
		t.Errorf("stands for %s", got)
	}
}
