package matrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// placed is a pod in a cluster that shows its nodes and where its API server is: at a node, and
// elsewhere.
const placed = `
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {disk: fast}}, status: {addresses: [{type: InternalIP, address: 192.168.1.10}, {type: InternalIP, address: 'fd00:1::10'}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.1.11}, {type: InternalIP, address: 'fd00:1::11'}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: default, name: kubernetes}, spec: {clusterIP: 10.96.0.1, ports: [{port: 443, targetPort: 6443}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: default, name: kubernetes, labels: {kubernetes.io/service-name: kubernetes}}, addressType: IPv4, ports: [{port: 6443, protocol: TCP}], endpoints: [{addresses: [%s]}]}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: mcp}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.244.0.5, podIPs: [{ip: 10.244.0.5}, {ip: 'fd00:2::5'}]}}
---
%s
`

func placedProgram(t *testing.T, api, manifest, profiles string) *reach.Program {
	t.Helper()
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: fmt.Appendf(nil, placed, api, manifest)})
	if len(snap.Problems) > 0 {
		t.Fatal(snap.Problems)
	}
	named, err := cni.Named(profiles)
	if err != nil {
		t.Fatal(err)
	}
	return reach.Assuming(reach.NewGround(snap), reach.Typical, named...)
}

const ciliumPolicy = `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: a, name: p}, spec: {endpointSelector: {}, %s}}`

// TestShownNodes demands a row for nodes and API servers whose address is known where something
// else than their address lets them through.
func TestShownNodes(t *testing.T) {
	const block = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {}, policyTypes: [Ingress, Egress],
  ingress: [{from: [{ipBlock: {cidr: %s}}], ports: [{port: 80}]}], egress: [{to: [{ipBlock: {cidr: %[1]s}}], ports: [{port: 80}]}]}}`
	for _, tt := range []struct {
		name, api, policy, cni string
		want                   []string // the beginnings of the rows that are not for the pod's own node alone
	}{
		{"entities", "192.168.7.7", fmt.Sprintf(ciliumPolicy, "ingress: [{fromEntities: [host, remote-node]}], egress: [{toEntities: [host, remote-node]}]"), "cilium",
			[]string{"nodes a/Pod/mcp any port allowed ", "a/Pod/mcp nodes any port allowed "}},
		{"the cluster", "192.168.7.7", fmt.Sprintf(ciliumPolicy, "ingress: [{fromEntities: [cluster]}]"), "cilium", []string{"kubernetes API a/Pod/mcp any port allowed ", "nodes a/Pod/mcp any port allowed "}},
		{"labels", "192.168.7.7", fmt.Sprintf(ciliumPolicy, "egress: [{toNodes: [{matchLabels: {disk: fast}}], toPorts: [{ports: [{port: '22', protocol: TCP}]}]}]"), "cilium",
			[]string{"a/Pod/mcp nodes TCP 22 depends "}},
		{"the API server's node", "192.168.1.10", fmt.Sprintf(ciliumPolicy, "egress: [{toEntities: [remote-node]}]"), "cilium",
			[]string{"a/Pod/mcp kubernetes API TCP 6443 depends the client and the API server are on different nodes",
				"a/Pod/mcp nodes any port depends the client and the destination are on different nodes"}},
		{"addresses", "192.168.7.7", fmt.Sprintf(block, "192.168.0.0/16"), "calico", nil},
		{"addresses of one family", "192.168.1.10", fmt.Sprintf(block, "192.168.0.0/16"), "antrea,calico", nil},
		{"nothing", "192.168.7.7", fmt.Sprintf(ciliumPolicy, "ingress: [{}], egress: [{}]"), "cilium", nil},
		{"no policy", "192.168.7.7", "", "calico", nil},
		{"some plugins", "192.168.7.7", fmt.Sprintf(ciliumPolicy, "egress: [{toEntities: [host, remote-node]}]"), "calico,cilium",
			[]string{"a/Pod/mcp nodes any port allowed "}},
	} {
		var got []string
		m := Of(placedProgram(t, tt.api, tt.policy, tt.cni))
		for r := range m.Rows() {
			node := r.From.Kind == Nodes || r.To.Kind == Nodes || r.From.Kind == KubeAPI || r.To.Kind == KubeAPI
			if node && !reach.OnOwnNode(r.When) {
				got = append(got, fmt.Sprint(r.From.Name(), " ", r.To.Name(), " ", r.Conns, " ", r.Verdict, " ", said(m, r)))
			}
		}
		if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestNoNodeIsLost demands that whatever passes between the pod and a node or an API server is in a
// row, of theirs or of their address.
func TestNoNodeIsLost(t *testing.T) {
	asked := 0
	for _, api := range []string{"192.168.7.7", "192.168.1.10", "203.0.113.9"} {
		for _, peers := range []string{"Entities: [host]", "Entities: [remote-node]", "Entities: [cluster]", "Entities: [world]", "Entities: [all]", "Entities: [kube-apiserver]",
			"CIDR: [192.168.0.0/16]", "CIDR: ['fd00:1::/64']", "CIDR: [192.168.1.10/32]", "Nodes: [{matchLabels: {disk: fast}}]", "Endpoints: [{}]"} {
			for _, deny := range []string{"", "CIDR: [192.168.1.11/32]", "Entities: [host]"} {
				rules := fmt.Sprintf("ingress: [{from%s}], egress: [{to%s}]", peers, peers)
				if deny != "" {
					rules += fmt.Sprintf(", ingressDeny: [{from%s}], egressDeny: [{to%s}]", deny, deny)
				}
				p := placedProgram(t, api, fmt.Sprintf(ciliumPolicy, rules), "cilium")
				rows := slices.Collect(Of(p).Rows())
				for n := p.Classes(); n < p.Holders(); n++ {
					for _, d := range policy.Directions {
						asked += lost(t, fmt.Sprint(api, ": ", rules), p, rows, n, d)
					}
				}
			}
		}
	}
	if asked < 200 {
		t.Errorf("only %d that pass", asked)
	}
}

// lost compares what passes between the only pod and a holder with what rows say, and returns how
// many boxes there were.
func lost(t *testing.T, name string, p *reach.Program, rows []Row, n int, d policy.Direction) int {
	h := p.Class(n)
	if h.Kind != reach.Node && h.Kind != reach.KubeAPI || h.Kind == reach.KubeAPI && h.Service >= 0 {
		return 0
	}
	ends := [2]reach.End{reach.AtHolder(0), reach.AtHolder(n)}
	if d == policy.Ingress {
		ends[0], ends[1] = ends[1], ends[0]
	}
	var want, got netset.Conns
	boxes := p.Between(ends[0], ends[1])
	for _, b := range boxes {
		conns := b.Conns
		if h.Kind == reach.KubeAPI && d == policy.Egress {
			conns = conns.Intersect(h.Conns)
		}
		want = want.Union(conns)
	}
	for _, r := range rows {
		other, own := r.To, r.From
		if d == policy.Ingress {
			other, own = own, other
		}
		at := other.Kind == Nodes && h.Kind == reach.Node || other.Kind == KubeAPI && h.Kind == reach.KubeAPI
		for _, a := range h.Addrs {
			at = at || other.Kind == Addresses && a.State == reach.KnownAddr && other.Addrs.Contains(a.Addr)
		}
		if own.Kind == Workloads && at {
			got = got.Union(r.Conns)
		}
	}
	if missing := want.Minus(got); !missing.IsEmpty() {
		t.Errorf("%s: %v: %v with holder %d is in no row", name, d, missing, n)
	}
	return len(boxes)
}
