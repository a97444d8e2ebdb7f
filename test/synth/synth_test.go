package synth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is what these tests read of an object.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		OwnerReferences []struct{ Kind, Name string } `yaml:"ownerReferences"`
	}
	Spec struct {
		Template struct {
			Spec struct{ Containers []any }
		}
		Egress  []rule
		Ingress []rule
	}
	Status struct {
		PodIP string `yaml:"podIP"`
	}
}

type rule struct {
	To, From []struct {
		IPBlock *struct {
			CIDR   string
			Except []string
		} `yaml:"ipBlock"`
	}
	Ports []struct {
		Port    any
		EndPort int `yaml:"endPort"`
	}
}

func decode(t *testing.T, files []File) []object {
	t.Helper()
	var out []object
	for _, f := range files {
		d := yaml.NewDecoder(bytes.NewReader(f.Data))
		for {
			var o object
			err := d.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
			out = append(out, o)
		}
	}
	return out
}

func count(objects []object) map[string]int {
	n := map[string]int{}
	for _, o := range objects {
		n[o.Kind]++
	}
	return n
}

func TestSizeHoldsWhatItSays(t *testing.T) {
	for _, tt := range []struct{ ask, workloads, policies, namespaces int }{
		{0, 10, 5, 2}, {39, 39, 19, 2}, {500, 500, 250, 25}, {2000, 2000, 1000, 100}, {10000, 10000, 5000, 500},
	} {
		t.Run(fmt.Sprint(tt.ask), func(t *testing.T) {
			c := Size(tt.ask)
			objects := decode(t, c.Files())
			n := count(objects)
			if got := n["Deployment"] + n["StatefulSet"]; got != tt.workloads {
				t.Errorf("%d workloads, want %d", got, tt.workloads)
			}
			if n["NetworkPolicy"] != tt.policies || n["Namespace"] != tt.namespaces || n["Service"] != tt.workloads || n["Node"] != c.Nodes {
				t.Errorf("got %v, want %d policies, %d namespaces and %d nodes", n, tt.policies, tt.namespaces, c.Nodes)
			}
			servers := 0
			for _, o := range objects {
				if len(o.Spec.Template.Spec.Containers) > 0 && strings.HasPrefix(o.Metadata.Name, "mcp-") && o.Metadata.Name != "mcp-gateway" {
					servers++
				}
			}
			if part := float64(servers) / float64(tt.workloads); part < 0.28 || part > 0.36 {
				t.Errorf("%d of %d workloads are servers, want about a third", servers, tt.workloads)
			}
		})
	}
}

func TestNamesAreUnique(t *testing.T) {
	c := Size(300)
	c.Pods = true
	seen := map[string]bool{}
	for _, o := range decode(t, c.Files()) {
		id := o.Kind + " " + o.Metadata.Namespace + "/" + o.Metadata.Name
		if seen[id] {
			t.Errorf("%s appears twice", id)
		}
		seen[id] = true
	}
}

func TestEveryFieldOfAPolicyIsValid(t *testing.T) {
	blocks, excepts, ranges, names := 0, 0, 0, 0
	for _, o := range decode(t, Size(2000).Files()) {
		for _, r := range append(o.Spec.Egress, o.Spec.Ingress...) {
			for _, peer := range append(r.To, r.From...) {
				if peer.IPBlock == nil {
					continue
				}
				blocks++
				cidr := netip.MustParsePrefix(peer.IPBlock.CIDR)
				if cidr != cidr.Masked() {
					t.Errorf("%s: %s has host bits", o.Metadata.Name, cidr)
				}
				for _, e := range peer.IPBlock.Except {
					excepts++
					if p := netip.MustParsePrefix(e); !cidr.Contains(p.Addr()) || p.Bits() <= cidr.Bits() {
						t.Errorf("%s: except %s is not within %s", o.Metadata.Name, p, cidr)
					}
				}
			}
			for _, p := range r.Ports {
				switch port := p.Port.(type) {
				case int:
					if p.EndPort != 0 {
						ranges++
						if p.EndPort < port {
							t.Errorf("%s: endPort %d is before %d", o.Metadata.Name, p.EndPort, port)
						}
					}
				case string:
					names++
				default:
					t.Errorf("%s: port %v", o.Metadata.Name, p.Port)
				}
			}
		}
	}
	if blocks == 0 || excepts == 0 || ranges == 0 || names == 0 {
		t.Errorf("%d blocks, %d exceptions, %d port ranges and %d named ports; want some of each", blocks, excepts, ranges, names)
	}
}

func TestPodsHaveOwnersAndAddresses(t *testing.T) {
	c := Size(200)
	c.Pods = true
	objects := decode(t, c.Files())
	exists, addrs := map[string]bool{}, map[string]bool{}
	for _, o := range objects {
		exists[o.Kind+" "+o.Metadata.Namespace+"/"+o.Metadata.Name] = true
	}
	for _, o := range objects {
		if o.Kind != "Pod" && o.Kind != "ReplicaSet" {
			continue
		}
		if len(o.Metadata.OwnerReferences) != 1 {
			t.Fatalf("%s %s has %d owners, want 1", o.Kind, o.Metadata.Name, len(o.Metadata.OwnerReferences))
		}
		owner := o.Metadata.OwnerReferences[0]
		if !exists[owner.Kind+" "+o.Metadata.Namespace+"/"+owner.Name] {
			t.Errorf("%s %s is owned by %s %s, which is not there", o.Kind, o.Metadata.Name, owner.Kind, owner.Name)
		}
		if o.Kind == "Pod" {
			if _, err := netip.ParseAddr(o.Status.PodIP); err != nil || addrs[o.Status.PodIP] {
				t.Errorf("pod %s has address %q, want one of its own (%v)", o.Metadata.Name, o.Status.PodIP, err)
			}
			addrs[o.Status.PodIP] = true
		}
	}
	if n := count(objects); n["Pod"] < n["Deployment"] || n["ReplicaSet"] != n["Deployment"] {
		t.Errorf("got %v, want a ReplicaSet for each Deployment and pods for each", n)
	}
}

func TestSameClusterSameBytes(t *testing.T) {
	same := func(a, b []File) bool {
		for i := range a {
			if a[i].Name != b[i].Name || !bytes.Equal(a[i].Data, b[i].Data) {
				return false
			}
		}
		return len(a) == len(b)
	}
	a, b := Size(200), Size(200)
	b.Seed++
	if !same(a.Files(), a.Files()) {
		t.Error("two runs of one cluster differ")
	}
	if same(a.Files(), b.Files()) {
		t.Error("two seeds give the same cluster")
	}
}

func TestZeroClusterHasDNSOnly(t *testing.T) {
	if n := count(decode(t, Cluster{}.Files())); len(n) != 3 || n["Namespace"] != 1 || n["Deployment"] != 1 || n["Service"] != 1 {
		t.Errorf("got %v, want kube-system with cluster DNS", n)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	c := Size(100)
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files() {
		data, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil || !bytes.Equal(data, f.Data) {
			t.Errorf("%s: written as something else (%v)", f.Name, err)
		}
	}
	if err := c.Write(dir); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("writing twice gives %v, want ErrNotEmpty", err)
	}
}
