package facts_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// example returns the files of an example.
func example(t testing.TB, name string) []source.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "examples", "cidrs", name, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	var out []source.File
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, source.File{Name: filepath.Base(p), Data: data})
	}
	return out
}

func text(texts ...string) []source.File {
	var out []source.File
	for i, t := range texts {
		out = append(out, source.File{Name: fmt.Sprintf("f%d", i), Data: []byte(t)})
	}
	return out
}

// cidrs writes a list of ranges.
func cidrs(list []model.Range) string {
	var out []string
	for _, r := range list {
		if s := r.CIDR.String(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

// shown writes what is known as one line for each field that a test may ask for.
func shown(f model.Facts) map[string]string {
	var dns, api, unknown []string
	for _, r := range f.DNS.Resolvers {
		if r.Addr.IsValid() {
			dns = append(dns, netip.AddrPortFrom(r.Addr, r.Port).String())
		} else {
			dns = append(dns, fmt.Sprintf("%s/%v:%d", r.Namespace, slices.Collect(maps.Values(r.Selector)), r.Port))
		}
	}
	for _, e := range f.KubeAPI {
		if e.Addr.IsValid() {
			api = append(api, netip.AddrPortFrom(e.Addr, e.Port).String())
		} else {
			api = append(api, fmt.Sprintf("%s:%d", e.Host, e.Port))
		}
	}
	for _, u := range f.Unknown {
		if !slices.Contains(unknown, u.What) {
			unknown = append(unknown, u.What)
		}
	}
	return map[string]string{
		"cloud": f.Cloud, "cni": f.CNI, "identity": f.Identity, "dns": strings.Join(dns, " "), "api": strings.Join(api, " "),
		"nodes": cidrs(f.Ranges.Nodes), "pods": cidrs(f.Ranges.Pods), "services": cidrs(f.Ranges.Services), "control": cidrs(f.Ranges.ControlPlane),
		"vpc": cidrs(f.Ranges.VPC), "remote": cidrs(f.Ranges.Remote), "unknown": strings.Join(unknown, " "),
	}
}

// check compares what is asked for: "key: value" lines.
func check(t *testing.T, f model.Facts, want string) {
	t.Helper()
	got := shown(f)
	for line := range strings.Lines(want) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		have, known := got[key]
		if !known {
			t.Fatalf("no field %q", key)
		}
		if value = strings.TrimSpace(value); have != value {
			t.Errorf("%s: got %q, want %q", key, have, value)
		}
	}
	if t.Failed() {
		for _, u := range f.Unknown {
			t.Log(u.What, u.Why)
		}
	}
}

// TestExamples holds the recorded answers to what they say. The first is the second seed document's
// cluster: its script prints 10.10.10.0/24, 10.0.0.0/28, 172.20.0.0/16 and 172.21.0.0/17.
func TestExamples(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"gke", `
			cloud: Google Cloud
			cni: gke-dpv2
			identity: gke-workload-identity
			nodes: 10.10.10.0/24 10.10.20.0/24
			pods: 100.64.0.0/20 172.20.0.0/16 172.22.0.0/18 172.23.0.0/18
			services: 172.21.0.0/17
			control: 10.0.0.0/28 34.140.21.7/32
			remote: 10.0.0.0/28 10.50.0.0/16
			dns: kube-system/[kube-dns]:53 169.254.20.10:53
			api: 10.0.0.2:443 34.140.21.7:443 172.21.0.1:443
			unknown:`},
		{"gke-psc", `
			cni: gke-dpv2
			nodes: 10.132.0.0/22 fd20:abc:1::/64
			pods: 10.32.0.0/16 fd20:abc:1::/64
			services: 34.118.224.0/20 fd20:abc:3:0:8000::/112
			control: 10.132.15.0/28 10.132.15.2/32 34.79.88.4/32
			dns: 169.254.169.254:53
			remote:
			unknown:`},
		{"eks", `
			cloud: AWS
			cni: aws-vpc-cni
			identity: eks-pod-identity
			nodes: 10.0.0.0/16 100.64.0.0/16 192.168.40.0/24
			pods: 10.0.0.0/16 100.64.0.0/16 192.168.64.0/18
			services: 172.20.0.0/16
			control: 10.0.0.0/20 10.0.16.0/20
			vpc: 10.0.0.0/16 100.64.0.0/16
			remote: 10.50.0.0/16 192.168.0.0/16 192.168.40.0/24 192.168.64.0/18
			dns: 172.20.0.10:53 kube-system/[kube-dns]:53
			unknown:`},
		{"aks", `
			cloud: Azure
			cni: aks-cilium
			identity: azure-workload-identity
			nodes: 10.1.0.0/22 10.1.4.0/24
			pods: 10.244.0.0/16
			services: 10.2.0.0/16
			control: 10.1.8.4/32
			vpc: 10.1.0.0/16
			remote: 10.250.0.0/22
			dns: kube-system/[kube-dns]:53 10.2.0.10:53 169.254.10.10:53 169.254.10.11:53
			unknown:`},
		{"kubeadm", `
			cloud: OpenStack
			cni: calico
			identity: none
			nodes: 192.168.77.11/32 192.168.77.12/32 fd77::11/128 fd77::12/128
			pods: 10.243.0.0/16 10.244.0.0/16 fd00:244::/56
			services: 10.96.0.0/16 fd00:96::/112
			control: 192.168.77.11/32
			dns: 169.254.20.10:53 10.96.0.10:53 kube-system/[kube-dns]:53
			api: 192.168.77.11:6443 10.96.0.1:443
			unknown: ranges.nodes ranges.vpc ranges.remote`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := facts.Of(example(t, tt.name)...)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			check(t, f, tt.want)
		})
	}
}

// TestOrder demands the same facts whichever way round the files are given.
func TestOrder(t *testing.T) {
	for _, name := range []string{"gke", "gke-psc", "eks", "aks"} {
		files := example(t, name)
		want, _ := facts.Of(files...)
		slices.Reverse(files)
		got, _ := facts.Of(files...)
		if a, b := string(facts.Write(want)), string(facts.Write(got)); a != b {
			t.Errorf("%s depends on the order:\n%s\n%s", name, a, b)
		}
	}
}

// TestNothing demands that whatever is not read is unknown.
func TestNothing(t *testing.T) {
	f, problems := facts.Of()
	check(t, f, "unknown: "+strings.Join(facts.Fields, " "))
	if len(problems) != 0 {
		t.Error(problems)
	}
}

// TestLeftOut takes each answer away from an example that is whole: what it told has to be unknown
// then.
func TestLeftOut(t *testing.T) {
	for _, tt := range []struct{ example, file, unknown string }{
		{"gke", "subnets.json", "ranges.nodes ranges.pods ranges.vpc"},
		{"gke", "routes.json", "ranges.remote"},
		{"gke", "routers.json", "ranges.remote"},
		{"gke", "cluster.json", strings.Join(facts.Fields, " ")},
		{"gke-psc", "subnets.json", "ranges.nodes ranges.pods ranges.controlPlane ranges.vpc"},
		{"gke-psc", "known.yaml", "ranges.remote"},
		{"eks", "network.json", "ranges.nodes ranges.pods ranges.controlPlane ranges.vpc ranges.remote"},
		{"eks", "addons.json", "cni"},
		{"eks", "kubernetes.json", "dns kubeAPI"},
		{"aks", "vnet.json", "ranges.nodes ranges.vpc ranges.remote"},
		{"aks", "kubernetes.json", "kubeAPI"},
	} {
		files := example(t, tt.example)
		files = slices.DeleteFunc(files, func(f source.File) bool { return f.Name == tt.file })
		f, problems := facts.Of(files...)
		if len(problems) > 0 {
			t.Error(tt.example, tt.file, problems)
		}
		if got := shown(f)["unknown"]; got != tt.unknown {
			t.Errorf("%s without %s: unknown %q, want %q", tt.example, tt.file, got, tt.unknown)
		}
	}
}

// split makes a file of each document: a stream is YAML or JSON, not both.
func split(docs string) []source.File {
	return text(strings.Split(strings.TrimPrefix(docs, "---\n"), "\n---\n")...)
}

// TestIdleFile demands that a file with other objects is named, and spoils nothing.
func TestIdleFile(t *testing.T) {
	other := source.File{Name: "other.yaml", Data: []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n")}
	f, problems := facts.Of(append(example(t, "gke"), other)...)
	check(t, f, "unknown:")
	if len(problems) != 1 || problems[0].Origin.File != "other.yaml" {
		t.Error(problems)
	}
}

// TestManyReasons demands that what is unknown for many reasons is said for some, and counted.
func TestManyReasons(t *testing.T) {
	var pods strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&pods, "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p%d\"}, \"status\": {\"podIP\": \"192.0.2.%d\"}}\n", i, i%250)
	}
	f, _ := facts.Of(append(example(t, "gke"), text(pods.String())...)...)
	if n := len(f.Unknown); n > 25 || !strings.Contains(f.Unknown[n-1].Why, "and for 980 more reasons") {
		t.Errorf("%d: %v", n, f.Unknown[n-1])
	}
}
