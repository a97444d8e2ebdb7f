package facts_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func rng(cidr, source string) model.Range {
	return model.Range{CIDR: netip.MustParsePrefix(cidr), Source: source}
}

func TestExcept(t *testing.T) {
	f := model.Facts{Cloud: "Google Cloud", Ranges: model.Ranges{
		Nodes:    []model.Range{rng("10.0.0.0/25", "nodes"), rng("10.0.0.128/25", "more nodes"), rng("fd00::/64", "nodes, IPv6")},
		Pods:     []model.Range{rng("10.1.0.0/16", "pods"), rng("10.1.2.0/24", "pods of pool a")},
		Services: []model.Range{rng("10.1.0.0/16", "services")},
		Remote:   []model.Range{rng("169.254.0.0/16", "all of link-local")},
	}}
	var got strings.Builder
	for _, e := range facts.Except(f) {
		fmt.Fprintf(&got, "%s %s: %s\n", e.Of, e.CIDR, e.Note)
	}
	want := `0.0.0.0/0 10.0.0.0/24: joins 10.0.0.0/25 nodes; 10.0.0.128/25 more nodes
0.0.0.0/0 10.1.0.0/16: pods; services; with 10.1.2.0/24 pods of pool a
0.0.0.0/0 169.254.0.0/16: all of link-local; with 169.254.169.252/32 credentials: GKE metadata server; 169.254.169.254/32 credentials: instance metadata
::/0 64:ff9b::a9fe:a9fe/128: credentials: instance metadata through NAT64
::/0 fd00::/64: nodes, IPv6
::/0 fd20:ce::254/128: credentials: instance metadata over IPv6
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
}

// TestUnsureCloud demands the credential endpoints of every cloud where it is not sure which one it
// is.
func TestUnsureCloud(t *testing.T) {
	f := model.Facts{Cloud: "AWS", Unknown: []model.Unknown{{What: "cloud", Why: "a file could not be read"}}}
	if got := string(facts.WriteExcept(f)); !strings.Contains(got, "- 169.254.169.252/32  # credentials: GKE metadata server\n") {
		t.Error(got)
	}
}

// TestExceptIsExact demands of every example that its exceptions are exactly its ranges and the
// credential endpoints, and that each range is named.
func TestExceptIsExact(t *testing.T) {
	for _, name := range []string{"gke", "gke-psc", "eks", "aks", "kubeadm"} {
		f, _ := facts.Of(example(t, name)...)
		var want, got []netip.Prefix
		notes := ""
		for _, e := range facts.Except(f) {
			got = append(got, e.CIDR)
			notes += e.CIDR.String() + " " + e.Note + "\n"
		}
		r := f.Ranges
		for _, list := range [][]model.Range{r.Nodes, r.Pods, r.Services, r.ControlPlane, r.VPC, r.Remote} {
			for _, one := range list {
				want = append(want, one.CIDR)
				if !strings.Contains(notes, one.CIDR.String()) || !strings.Contains(notes, one.Source) {
					t.Errorf("%s: %s is nowhere in\n%s", name, one, notes)
				}
			}
		}
		for _, e := range special.Endpoints {
			for _, a := range e.Addrs {
				if e.Kind == special.Credential && (e.In(f.Cloud) || special.MetadataIPv4.Contains(a)) {
					want = append(want, netip.PrefixFrom(a, a.BitLen()))
				}
			}
		}
		if !netset.Prefixes(got...).Equal(netset.Prefixes(want...)) {
			t.Errorf("%s: %v", name, netset.CIDRs(netset.Prefixes(got...)))
		}
	}
}

// TestExceptPastes puts what is printed under the blocks of a policy, as a user does, and has it
// read as strictly as the API server reads it.
func TestExceptPastes(t *testing.T) {
	for _, name := range []string{"gke", "gke-psc", "eks", "aks", "kubeadm"} {
		f, _ := facts.Of(example(t, name)...)
		_, lists, ok := strings.Cut(string(facts.WriteExcept(f)), "# except of 0.0.0.0/0\n")
		v4, v6, both := strings.Cut(lists, "# except of ::/0\n")
		if !ok || !both {
			t.Fatalf("%s has not both lists", name)
		}
		policy := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: b}\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n  - to:\n"
		for _, block := range []struct{ cidr, list string }{{"0.0.0.0/0", v4}, {"\"::/0\"", v6}} {
			policy += "    - ipBlock:\n        cidr: " + block.cidr + "\n        except:\n"
			for line := range strings.Lines(block.list) {
				policy += "        " + line
			}
		}
		if snap := source.LoadFiles(source.File{Name: "policy.yaml", Data: []byte(policy)}); len(snap.Problems) > 0 || len(snap.Policies) != 1 {
			t.Errorf("%s: %v\n%s", name, snap.Problems, policy)
		}
	}
}

// TestEverythingIsNoException: two halves join to a block that no policy may except.
func TestEverythingIsNoException(t *testing.T) {
	f := model.Facts{Ranges: model.Ranges{Remote: []model.Range{rng("0.0.0.0/1", "low"), rng("128.0.0.0/1", "high")}}}
	for _, e := range facts.Except(f) {
		if e.CIDR.Bits() == 0 {
			t.Error(e)
		}
	}
}

func TestOpenings(t *testing.T) {
	dns := func(address, source string) model.DNS {
		return model.DNS{Resolvers: []model.Resolver{{Addr: netip.MustParseAddr(address), Port: 53, Source: source}}}
	}
	for _, tt := range []struct {
		name string
		f    model.Facts
		want string
	}{
		{"Cloud DNS", model.Facts{Cloud: "Google Cloud", CNI: "gke-dpv2", DNS: dns("169.254.169.254", "Cloud DNS for GKE")}, "169.254.169.254/32 TCP 53 · UDP 53 true false"},
		{"NodeLocal DNSCache", model.Facts{Cloud: "Google Cloud", DNS: dns("169.254.20.10", "x")}, ""},
		{"dataplane v2", model.Facts{Cloud: "Google Cloud", CNI: "gke-dpv2", Identity: model.GKEWorkloadIdentity}, "169.254.169.254/32 TCP 80,8080 false false"},
		{"legacy", model.Facts{Cloud: "Google Cloud", CNI: "gke-legacy", Identity: model.GKEWorkloadIdentity}, "169.254.169.252/32 TCP 987-988 false false"},
		{"no identity", model.Facts{Cloud: "Google Cloud", CNI: "gke-dpv2", Identity: model.NoIdentity}, ""},
		{"plugin unknown", model.Facts{Cloud: "Google Cloud", Identity: model.GKEWorkloadIdentity}, "169.254.169.252/32 TCP 987-988 false false, 169.254.169.254/32 TCP 80,8080 false false"},
		{"Pod Identity", model.Facts{Cloud: "AWS", CNI: "aws-vpc-cni", Identity: model.EKSPodIdentity}, "169.254.170.23/32 TCP 80 false false, fd00:ec2::23/128 TCP 80 false false"},
		{"Pod Identity under Cilium", model.Facts{Cloud: "AWS", CNI: "cilium", Identity: model.EKSPodIdentity}, "169.254.170.23/32 TCP 80 false true, fd00:ec2::23/128 TCP 80 false true"},
		{"roles", model.Facts{Cloud: "AWS", CNI: "aws-vpc-cni", Identity: model.EKSIRSA}, ""},
		{"Auto Mode's DNS", model.Facts{Cloud: "AWS", CNI: "eks-auto", DNS: dns("172.20.0.10", "Service"), Ranges: model.Ranges{Services: []model.Range{rng("172.20.0.0/16", "services")}}},
			"172.20.0.10/32 TCP 53 · UDP 53 true false"},
	} {
		var got []string
		for _, o := range facts.Openings(tt.f) {
			got = append(got, fmt.Sprint(o.CIDR, " ", o.Conns, " ", o.All, " ", o.Host))
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, text, tt.want)
		}
	}
}

// TestNeeds follows what is missing from a description of a cluster alone: a caller that asks for
// it gets further.
func TestNeeds(t *testing.T) {
	for _, tt := range []struct{ example, have, want string }{
		{"gke", "cluster.json", "subnetwork projects/codemie-prod/regions/europe-west1/subnetworks/nodes, subnetwork projects/codemie-prod/regions/europe-west1/subnetworks/batch, " +
			"subnetworks of network projects/codemie-prod/global/networks/default-vpc, routes of network projects/codemie-prod/global/networks/default-vpc, " +
			"routers of network projects/codemie-prod/global/networks/default-vpc"},
		{"eks", "cluster.json", "vpc vpc-0ccc0000000000001, subnets of vpc vpc-0ccc0000000000001, interfaces of cluster codemie, route tables of vpc vpc-0ccc0000000000001, add-on codemie/vpc-cni, add-ons codemie"},
		{"aks", "cluster.json", "virtual network /subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/net/providers/microsoft.network/virtualnetworks/spoke"},
	} {
		for _, f := range example(t, tt.example) {
			if f.Name != tt.have {
				continue
			}
			var got []string
			for _, n := range facts.Needs(f) {
				got = append(got, string(n.Kind)+" "+n.ID)
			}
			if text := strings.Join(got, ", "); text != tt.want {
				t.Errorf("%s: needs %s", tt.example, text)
			}
		}
		if left := facts.Needs(example(t, tt.example)...); len(left) > 0 {
			t.Errorf("%s, whole, still needs %v", tt.example, left)
		}
	}
}
