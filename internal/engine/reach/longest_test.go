package reach

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// TestLongest holds what the AWS agent does with blocks, where random scenes seldom go.
func TestLongest(t *testing.T) {
	const policyOf = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: "
	const withPort = `
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: a, labels: {app: a}}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: 8080}]}]}}
---
`
	const v6 = `
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: six, labels: {app: six}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: "fd00::6", podIPs: [{ip: "fd00::6"}]}}
---
`
	const sixth = `
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: b, labels: {app: b}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: "2001:db8::2", podIPs: [{ip: "2001:db8::2"}]}}
---
`
	const other = `
{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: b, labels: {app: b}}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}}
---
`
	ports := func(n int) string { // and one that is asked about
		out := "ports: [{port: 80}"
		for i := range n {
			out += fmt.Sprintf(", {port: %d}", 1000+i)
		}
		return out + "]"
	}
	rules := func(n int) string {
		out := ""
		for i := range n {
			out += fmt.Sprintf("{to: [{ipBlock: {cidr: 198.51.100.0/24}}], ports: [{port: %d}]}, ", 1000+i)
		}
		return out
	}
	const toOther = "to: [{podSelector: {matchLabels: {app: b}}}], "
	for _, tt := range []struct {
		name, yaml, to string
		port           netset.Port
		want           Verdict
	}{
		{"a port name opens no block", withPort + policyOf + "[{to: [{ipBlock: {cidr: 198.51.100.0/24}}], ports: [{port: web}, {port: 443}]}]}}\n", "198.51.100.1", 8080, Denied},
		{"the number beside it does", withPort + policyOf + "[{to: [{ipBlock: {cidr: 198.51.100.0/24}}], ports: [{port: web}, {port: 443}]}]}}\n", "198.51.100.1", 443, Allowed},
		{"32 bits of IPv6 leave nothing", v6 + onePod + policyOf + `[{to: [{ipBlock: {cidr: "2001:db8::/32"}}], ports: [{port: 80}]}, {to: [{ipBlock: {cidr: "2001:db8:1::/48"}}], ports: [{port: 443}]}]}}`,
			"2001:db8:1::1", 80, Denied},
		{"nor do they to a selected pod", sixth + onePod + policyOf + "[{" + toOther + ports(0) + `}, {to: [{ipBlock: {cidr: "2001:db8::/32"}}], ports: [{port: 9000}]}]}}`, "2001:db8::2", 9000, Denied},
		{"31 bits do to a selected pod", sixth + onePod + policyOf + "[{" + toOther + ports(0) + `}, {to: [{ipBlock: {cidr: "2001:db8::/31"}}], ports: [{port: 9000}]}]}}`, "2001:db8::2", 9000, Allowed},
		{"31 bits do", v6 + onePod + policyOf + `[{to: [{ipBlock: {cidr: "2001:db8::/31"}}], ports: [{port: 80}]}, {to: [{ipBlock: {cidr: "2001:db8:1::/48"}}], ports: [{port: 443}]}]}}`,
			"2001:db8:1::1", 80, Allowed},
		{"an exception of one rule denies what another opens", onePod + policyOf + "[{to: [{ipBlock: {cidr: 198.51.0.0/16, except: [198.51.100.0/24]}}]}, {}]}}\n", "198.51.100.1", 443, Denied},
		{"a selected pod holds 24 ports", other + onePod + policyOf + "[{" + toOther + ports(23) + "}]}}\n", "10.0.0.2", 80, Allowed},
		{"and perhaps one of 25", other + onePod + policyOf + "[{" + toOther + ports(24) + "}]}}\n", "10.0.0.2", 80, Depends},
		{"what it takes over counts", other + onePod + policyOf + "[{" + toOther + ports(23) + "}, {to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 9000}]}]}}\n", "10.0.0.2", 9000, Depends},
		{"but not for a pod that nothing selects", other + onePod + policyOf + "[{to: [{podSelector: {matchLabels: {app: none}}}], " + ports(23) + "}, {to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 9000}]}]}}\n",
			"10.0.0.2", 9000, Allowed},
		{"a block holds 24 ports", onePod + policyOf + "[{to: [{ipBlock: {cidr: 198.51.100.0/24}}], " + ports(23) + "}]}}\n", "198.51.100.1", 80, Allowed},
		{"and perhaps one of 25 too", onePod + policyOf + "[{to: [{ipBlock: {cidr: 198.51.100.0/24}}], " + ports(24) + "}]}}\n", "198.51.100.1", 80, Depends},
		{"a selected pod takes over", other + onePod + policyOf + "[{" + toOther + ports(0) + "}, {to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.1.0/24]}}], ports: [{port: 9000}]}]}}\n",
			"10.0.0.2", 9000, Allowed},
		{"but not what is excepted", other + onePod + policyOf + "[{" + toOther + ports(0) + "}, {to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/24]}}], ports: [{port: 9000}]}]}}\n",
			"10.0.0.2", 9000, Denied},
		{"many rules on one block", onePod + policyOf + "[" + rules(20) + "]}}\n", "198.51.100.1", 1019, Allowed},
	} {
		p := under(t, "aws-vpc-cni", tt.yaml)
		addr := netip.MustParseAddr(tt.to)
		to := AtAddr(addr)
		if pod, ok := p.PodAt(addr); ok {
			to = AtHolder(pod.Class)
		}
		if got := p.Explain(AtHolder(named(p, "a")), to, netset.TCP, tt.port); got.Verdict != tt.want {
			t.Errorf("%s: %v if %q, want %v", tt.name, got.Verdict, got.When, tt.want)
		}
	}
}

// TestServicePorts demands that a Service's address is open for certain only if its port leads to
// the rule's on all pods.
func TestServicePorts(t *testing.T) {
	const pod = "{apiVersion: v1, kind: Pod, metadata: {namespace: default, name: %s, labels: {app: b, n: %[1]s}}, spec: {containers: [{name: c, image: x, ports: [{name: web, containerPort: %d}]}]}, status: {phase: Running, podIP: %s, podIPs: [{ip: %[3]s}]}}\n---\n"
	const rest = `
{apiVersion: v1, kind: Service, metadata: {namespace: default, name: b}, spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], selector: {app: b}, ports: [{port: 80, targetPort: web}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: default, name: p}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: b}}}], ports: [{port: 8080}]}]}}
`
	for second, want := range map[int]Verdict{8080: Allowed, 9090: Depends} {
		p := under(t, "aws-vpc-cni", onePod+fmt.Sprintf(pod, "b1", 8080, "10.0.0.2")+fmt.Sprintf(pod, "b2", second, "10.0.0.3")+rest)
		vip, _ := p.VIP(0)
		if got := p.Explain(AtHolder(named(p, "a")), AtHolder(vip), netset.TCP, 80); got.Verdict != want {
			t.Errorf("%d: %v if %q, want %v", second, got.Verdict, got.When, want)
		}
	}
}
