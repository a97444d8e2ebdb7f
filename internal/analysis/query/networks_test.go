package query

import (
	"fmt"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestNetworks demands that only what a further network leads to hangs on it, and that all else stays denied.
func TestNetworks(t *testing.T) {
	const scene = `
{apiVersion: k8s.cni.cncf.io/v1, kind: NetworkAttachmentDefinition, metadata: {namespace: a, name: lan}, spec: {config: '%s'}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x}, annotations: {%s}}, spec: {containers: [{name: c, image: i%s}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: peer}, spec: {selector: {matchLabels: {app: peer}}, template: {metadata: {labels: {app: peer}, annotations: {k8s.v1.cni.cncf.io/networks: lan}}, spec: {containers: [{name: c, image: i}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: other}, spec: {selector: {matchLabels: {app: other}}, template: {metadata: {labels: {app: other}}, spec: {containers: [{name: c, image: i}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p%s}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
`
	const (
		bounded = `{"type":"macvlan","ipam":{"type":"host-local","subnet":"192.168.5.0/24"}}`
		open    = `{"type":"macvlan","ipam":{"type":"dhcp"}}`
		gateway = `{"type":"bridge","isDefaultGateway":true,"ipam":{"type":"host-local","subnet":"192.168.5.0/24"}}`
		routed  = `{"type":"macvlan","ipam":{"type":"host-local","subnet":"192.168.5.0/24","routes":[{"dst":"8.8.0.0/16"}]}}`
		lan     = "k8s.v1.cni.cncf.io/networks: lan"
		list    = `k8s.v1.cni.cncf.io/networks: '[{"name":"lan"}]'`
		byRoute = `k8s.v1.cni.cncf.io/networks: '[{"name":"lan","default-route":["192.168.5.1"]}]'`
		gke     = `networking.gke.io/interfaces: '[{"interfaceName":"eth0","network":"default"},{"interfaceName":"eth1","network":"blue"}]'`
	)
	for _, tt := range []struct {
		name, config, annotations, more, policy, to string
		want                                        reach.Verdict
	}{
		{"inside its range", bounded, lan, "", "", "192.168.5.9:22", reach.Depends},
		{"inside its range, by a list", bounded, list, "", "", "192.168.5.9:22", reach.Depends},
		{"outside of it", bounded, lan, "", "", "8.8.8.8:443", reach.Denied},
		{"no range", open, lan, "", "", "8.8.8.8:443", reach.Depends},
		{"a default gateway", gateway, lan, "", "", "8.8.8.8:443", reach.Depends},
		{"a route", routed, lan, "", "", "8.8.8.8:443", reach.Depends},
		{"beside the route", routed, lan, "", "", "1.1.1.1:443", reach.Denied},
		{"a default route of the pod's own", bounded, byRoute, "", "", "8.8.8.8:443", reach.Depends},
		{"no network", open, "", "", "", "8.8.8.8:443", reach.Denied},
		{"a network of another name", bounded, "k8s.v1.cni.cncf.io/networks: other/lan@net1", "", "", "8.8.8.8:443", reach.Depends},
		{"GKE's form", bounded, gke, "", "", "8.8.8.8:443", reach.Depends},
		{"GKE's default network", bounded, `networking.gke.io/interfaces: '[{"interfaceName":"eth0","network":"default"}]'`, "", "", "8.8.8.8:443", reach.Denied},
		{"a device of SR-IOV", bounded, "", ", resources: {limits: {intel.com/sriov_netdevice: '1'}}", "", "8.8.8.8:443", reach.Depends},
		{"another default network", bounded, "v1.multus-cni.io/default-network: a/lan", "", "", "8.8.8.8:443", reach.Depends},
		{"a pod on the same network", bounded, lan, "", "", "a/peer:80", reach.Depends},
		{"a pod without it", open, lan, "", "", "a/other:80", reach.Denied},
		{"a policy for another network", bounded, "", "", ", annotations: {networking.gke.io/network: blue}", "8.8.8.8:443", reach.Depends},
		{"a policy for the default network", bounded, "", "", ", annotations: {networking.gke.io/network: default}", "8.8.8.8:443", reach.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := program(fmt.Sprintf(scene, tt.config, tt.annotations, tt.more, tt.policy))
			if got := ask(t, p, "a/x", tt.to); got.Verdict != tt.want {
				t.Errorf("%v if %v, want %v", got.Verdict, got.When.When, tt.want)
			}
		})
	}
}
