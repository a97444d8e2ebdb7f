package query

import (
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// names is a cluster with policies by host name.
const names = `
{apiVersion: v1, kind: Namespace, metadata: {name: app}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: a, labels: {app: a}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: mute, labels: {app: mute}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: watched, labels: {app: watched}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: kube-system, name: dns, labels: {k8s-app: kube-dns}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.53, podIPs: [{ip: 10.0.0.53}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: github}, spec: {type: ExternalName, externalName: api.github.com}}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {namespace: app, name: a}
spec:
  endpointSelector: {matchLabels: {app: a}}
  egress:
    - toEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": kube-system, k8s-app: kube-dns}}]
      toPorts: [{ports: [{port: "53", protocol: ANY}], rules: {dns: [{matchPattern: "*"}]}}]
    - toFQDNs: [{matchName: api.github.com}, {matchPattern: "*.example.com"}]
      toPorts: [{ports: [{port: "443", protocol: TCP}]}]
    - toCIDR: [140.82.112.0/20]
      toPorts: [{ports: [{port: "22", protocol: TCP}]}]
  egressDeny:
    - toCIDR: [93.184.216.0/24]
      toPorts: [{ports: [{port: "8443", protocol: TCP}]}]
    - toCIDR: [10.0.0.0/8, 192.168.0.0/16]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {namespace: app, name: mute}
spec:
  endpointSelector: {matchLabels: {app: mute}}
  egress:
    - toFQDNs: [{matchName: api.github.com}]
      toPorts: [{ports: [{port: "443", protocol: TCP}, {port: "8443", protocol: TCP}]}]
  egressDeny:
    - toCIDR: [93.184.216.0/24]
      toPorts: [{ports: [{port: "8443", protocol: TCP}]}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {namespace: app, name: watched}
spec:
  endpointSelector: {matchLabels: {app: watched}}
  egress:
    - toEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": kube-system, k8s-app: kube-dns}}]
      toPorts: [{ports: [{port: "53", protocol: ANY}], rules: {dns: [{matchName: api.github.com}]}}]
    - toFQDNs: [{matchName: api.github.com}]
      toPorts: [{ports: [{port: "443", protocol: TCP}]}]
`

func TestHostNames(t *testing.T) {
	p := under(t, names, "cilium")
	tests := []struct {
		from, to string
		want     reach.Verdict
		when     string // part of it
		note     string // part of one
		assumed  string // part of one
	}{
		{"app/a", "api.github.com:443", reach.Allowed, "", "", "api.github.com resolves to addresses of the internet, outside of private and special ranges"},
		{"app/a", "API.GitHub.com.:443", reach.Allowed, "", "", "api.github.com resolves to"},
		{"app/a", "www.example.com:443", reach.Allowed, "", "", "www.example.com resolves to"},
		{"app/a", "app/Service/github:443", reach.Allowed, "", "another name for api.github.com", "api.github.com resolves to"},
		{"app/a", "api.github.com:80", reach.Denied, "", "", ""},
		{"app/a", "api.github.com:443/udp", reach.Denied, "", "", ""},
		{"app/a", "api.github.com:22", reach.Depends, "api.github.com has an address in 140.82.112.0/20", "", ""},
		{"app/a", "api.github.com", reach.Allowed, "", "", ""},
		{"app/a", "evil.example.org:443", reach.Depends, "evil.example.org has an address in common with *.example.com or evil.example.org has an address in common with api.github.com", "", ""},
		{"app/a", "a.b.example.com:443", reach.Depends, "has an address in common", "", ""},
		{"app/a", "evil.example.org:80", reach.Denied, "", "", ""},
		{"app/a", "8.8.8.8:443", reach.Depends, "*.example.com resolves to 8.8.8.8 or api.github.com resolves to 8.8.8.8", "", ""},
		{"app/a", "8.8.8.8:80", reach.Denied, "", "", ""},
		{"app/a", "10.7.7.7:443", reach.Depends, "is the address of default/Service/kubernetes", "", ""},
		{"app/mute", "api.github.com:443", reach.Allowed, "", "api.github.com cannot be resolved: no rule lets app/Pod/mute reach DNS", ""},
		{"app/mute", "api.github.com:8443", reach.Depends, "api.github.com has an address outside 93.184.216.0/24", "cannot be resolved", ""},
		{"app/watched", "api.github.com:443", reach.Allowed, "", "", ""},
		{"app/watched", "www.example.com:443", reach.Depends, "has an address in common", "www.example.com cannot be resolved: no rule for DNS queries lets app/Pod/watched ask for it", ""},
		{"app/mute", "kubernetes.default.svc:443", reach.Denied, "", "", ""},
	}
	for _, tt := range tests {
		a := ask(t, p, tt.from, tt.to)
		has := func(list []string, part string) bool {
			return part == "" || slices.ContainsFunc(list, func(n string) bool { return strings.Contains(n, part) })
		}
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) || !has(a.Notes, tt.note) || !has(a.Assumed, tt.assumed) {
			t.Errorf("%s -> %s: got %v if %q %q %q; want %v if %q %q %q", tt.from, tt.to, a.Verdict, a.When, a.Notes, a.Assumed, tt.want, tt.when, tt.note, tt.assumed)
		}
		if tt.note == "" && slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, "resolved") }) {
			t.Errorf("%s -> %s: notes %q", tt.from, tt.to, a.Notes)
		}
		if (a.When.String() == "") == (tt.want == reach.Depends) {
			t.Errorf("%s -> %s: %v if %q", tt.from, tt.to, a.Verdict, a.When)
		}
		checkSteps(t, a)
	}
	near := ask(t, p, "app/a", "api.github.com:80").Steps[0].Sides[0].Near
	if len(near) == 0 || near[0].Path != "spec.egress[1]" || near[0].Miss != reach.MissPort {
		t.Errorf("the rule with the name and another port is missing: %+v", near)
	}
	if a := ask(t, under(t, names, "cilium,calico"), "app/a", "api.github.com:80"); a.Verdict != reach.Depends || a.Groups[0].Facts[0].Name != "judges" {
		t.Errorf("a kind of policy that calico ignores: %v %+v", a.Verdict, a.Groups)
	}
	deny := ask(t, p, "app/a", "10.7.7.7:22").Steps[0].Sides[0].By
	if len(deny) != 1 || !deny[0].Denies || deny[0].Path != "spec.egressDeny[1]" {
		t.Errorf("the rule that denies is missing: %+v", deny)
	}
}

// FuzzHostNames demands an answer, or an error, for whatever stands where a name does.
func FuzzHostNames(f *testing.F) {
	for _, s := range []string{"api.github.com:443", "*.example.com", "**", ".", "..", "a..b:1", "-:1", "xn--.com", strings.Repeat("a.", 200), "\x00", "[::]:1", "a/b/c/d", "*:443", "0x7f.1"} {
		f.Add(s)
	}
	p := under(f, names, "cilium")
	f.Fuzz(func(t *testing.T, to string) {
		q, err := Parse("app/a", to)
		if err != nil {
			return
		}
		a, err := newAsker(p, q).ask()
		if err == nil && (a.When.String() == "") != (a.Verdict != reach.Depends && a.Verdict != reach.Unknown) {
			t.Errorf("%q: %v if %q", to, a.Verdict, a.When)
		}
	})
}
