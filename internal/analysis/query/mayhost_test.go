package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestMayBeHost: a pod whose hostNetwork cannot be read may be on the host network, and no policy
// surely holds for it.
func TestMayBeHost(t *testing.T) {
	const closed = "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: closed}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}\n"
	pod := func(name, host string) string {
		return fmt.Sprintf("---\n{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: %s}, spec: {%scontainers: [{name: c, image: x}]}}\n", name, host)
	}
	for _, tt := range []struct {
		host string
		want reach.Verdict
	}{
		{"", reach.Denied}, {"hostNetwork: false, ", reach.Denied}, {"hostNetwork: null, ", reach.Denied}, {"hostNetwork: true, ", reach.NotEnforced},
		{`hostNetwork: "true", `, reach.Depends}, {`hostNetwork: "{{ .Values.host }}", `, reach.Depends}, {"hostNetwork: 1, ", reach.Depends}, {"hostNetwork: {a: b}, ", reach.Depends}, {"hostNetwork: [true], ", reach.Depends},
	} {
		text := pod("h", tt.host) + "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: app, name: d}, spec: {selector: {matchLabels: {app: d}}, template: {metadata: {labels: {app: d}}, spec: {" + tt.host + "containers: [{name: c, image: x}]}}}}\n" + closed
		profiles, err := cni.Named("calico")
		if err != nil {
			t.Fatal(err)
		}
		p := reach.Assuming(program(text).Ground, reach.Typical, profiles...)
		for _, ends := range [][2]string{{"app/h", "1.1.1.1:443"}, {"8.8.8.8", "app/h:80"}, {"app/d", "1.1.1.1:443"}, {"8.8.8.8", "app/d:80"}} {
			a := ask(t, p, ends[0], ends[1])
			if a.Verdict != tt.want || tt.want == reach.Depends && !strings.Contains(a.When.String(), "is on the host network") {
				t.Errorf("%q %v: %v if %q, want %v", tt.host, ends, a.Verdict, a.When, tt.want)
			}
			checkSteps(t, a)
		}
	}
}

// TestHostTwins: pods on the network of one node share its address, so that a selector which names
// one of them, or perhaps does, may let the others through where the CNI takes it for an address.
func TestHostTwins(t *testing.T) {
	const pod = "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: %s, name: %s, labels: {app: %[2]s}}, spec: {%[3]scontainers: [{name: c, image: x}]}, status: {podIP: %[4]s, hostIP: %[4]s}}\n"
	const policies = `---
{apiVersion: v1, kind: Namespace, metadata: {name: app}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress],
  ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}, podSelector: {matchLabels: {app: named}}}]}], egress: [{to: [{namespaceSelector: {matchLabels: {team: x}}, podSelector: {matchLabels: {app: named}}}]}]}}
`
	for _, twin := range []string{"hostNetwork: true, nodeName: n1, ", "nodeName: n2, "} { // what the selector may name
		addr := map[bool]string{true: "10.9.0.1", false: "10.0.0.6"}[strings.HasPrefix(twin, "hostNetwork")]
		text := policies + fmt.Sprintf(pod, "app", "client", "nodeName: n2, ", "10.0.0.5") + fmt.Sprintf(pod, "sys", "named", twin, addr) + fmt.Sprintf(pod, "sys", "other", "hostNetwork: true, nodeName: n1, ", "10.9.0.1")
		for name, matched := range map[string]bool{"ovn-kubernetes": true, "aws-vpc-cni": true, "spec": true, "calico": false, "cilium": false} {
			p := under(t, text, name)
			for _, ends := range [][2]string{{"app/client", "sys/other:80"}, {"sys/other", "app/client:80"}, {"app/client", "10.9.0.1:80"}, {"10.9.0.1", "app/client:80"}} {
				want := reach.Denied
				if matched && addr == "10.9.0.1" {
					want = reach.Depends
				}
				if a := ask(t, p, ends[0], ends[1]); a.Verdict != want {
					t.Errorf("%s, the twin has %s, %v: %v if %q, want %v", name, addr, ends, a.Verdict, a.When, want)
				}
			}
		}
	}
}
