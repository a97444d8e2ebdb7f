package facts_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
)

const head = "apiVersion: toolmoat.dev/v1alpha1\nkind: ClusterFacts\n"

// TestRoundTrip writes facts in both languages and reads them again.
func TestRoundTrip(t *testing.T) {
	hostile := model.Facts{Cloud: "Oracle Cloud", Identity: model.NoIdentity,
		Ranges:  model.Ranges{Pods: []model.Range{{CIDR: netip.MustParsePrefix("fd00::/64"), Source: "- a: [b] # c\\ \"'"}, {CIDR: netip.MustParsePrefix("10.0.0.0/8"), Source: "0x10"}}},
		DNS:     model.DNS{Resolvers: []model.Resolver{{Namespace: "kube-system", Selector: map[string]string{"k8s-app": "yes", "a.b/c": "1", "d, e": "f, g"}, Port: 5353}}},
		KubeAPI: []model.KubeEndpoint{{Host: "null", Port: 443}, {Addr: netip.MustParseAddr("::1"), Port: 1, Source: "~"}, {Host: "y", Port: 2}},
		Unknown: []model.Unknown{{What: "cni", Why: "a: b"}}}
	all := []model.Facts{{}, hostile}
	for _, name := range []string{"gke", "gke-psc", "eks", "aks", "kubeadm"} {
		f, _ := facts.Of(example(t, name)...)
		all = append(all, f)
	}
	for _, want := range all {
		asJSON, err := json.Marshal(facts.JSON(want))
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{facts.Write(want), asJSON} {
			got, err := facts.Read("facts", data)
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			if again, problems := facts.Of(text(string(data))...); slices.ContainsFunc(facts.Fields, func(field string) bool {
				return strings.HasPrefix(field, "ranges.") && again.Known(field) != want.Known(field)
			}) {
				t.Errorf("%s\nas an answer leaves open %v %v", data, again.Unknown, problems)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s\nread as\n%+v\nnot\n%+v", data, got, want)
			}
		}
	}
}

func TestRead(t *testing.T) {
	for _, tt := range []struct{ text, err string }{
		{head + "pods: []\n", "f:3: pods: unknown field"},
		{head + "ranges: {pods: [{cidr: 10.0.0.1/8}]}\n", "f:3: ranges.pods[0].cidr: bits are set beyond the prefix length: \"10.0.0.1/8\" (write 10.0.0.0/8)"},
		{head + "ranges: {pods: [{cidr: 0.0.0.0/0}]}\n", "f:3: ranges.pods[0].cidr: 0.0.0.0/0 is everything"},
		{head + "ranges: {pods: [{source: x}]}\n", "f:3: ranges.pods[0].cidr: missing"},
		{head + "ranges: {pods: [~]}\n", "f:3: ranges.pods[0].cidr: missing"},
		{head + "ranges: {pods: ['::ffff:10.0.0.0/104']}\n", "f:3: ranges.pods[0]: wants a map"},
		{head + "ranges: {pod: []}\n", "f:3: ranges.pod: unknown field (did you mean \"pods\"?)"},
		{head + "cni: celium\n", "f:3: cni: no profile is called \"celium\" (did you mean cilium?)"},
		{head + "cloud: GCP\n", "f:3: cloud: not a cloud that is known here: \"GCP\" (one of AWS, Akamai,"},
		{head + "identity: irsa\n", "f:3: identity: not a way to get an identity"},
		{head + "kubeAPI: [{address: 10.0.0.1, port: 0}]\n", "f:3: kubeAPI[0].port: not a port: 0"},
		{head + "kubeAPI: [{address: 10.0.0.1, port: 70000}]\n", "f:3: kubeAPI[0].port: not a port: 70000"},
		{head + "kubeAPI: [{address: 10.0.0.1}]\n", "f:3: kubeAPI[0].port: missing"},
		{head + "kubeAPI: [{port: 443}]\n", "f:3: kubeAPI[0]: wants either an address or a host"},
		{head + "dns: {resolvers: [{address: 10.0.0.1, namespace: a, selector: {b: c}, port: 53}]}\n", "f:3: dns.resolvers[0]: wants either"},
		{head + "dns: {resolvers: [{namespace: a, port: 53}]}\n", "f:3: dns.resolvers[0]: wants either"},
		{head + "cloud: aws\n", "f:3: cloud: not a cloud that is known here: \"aws\" (one of AWS, "},
		{head + "unknown: [{what: pods}]\n", "f:3: unknown[0].what: not a field of facts"},
		{"kind: ClusterFacts\n", "f:1: apiVersion: want toolmoat.dev/v1alpha1"},
		{head + "---\n" + head, "f:4: a second document"},
		{"[]", "f:1: wants a map"},
		{"{", "f:1: "},
		{"", "f: there is nothing in it"},
	} {
		_, err := facts.Read("f", []byte(tt.text))
		if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.err)
		}
	}
}

// TestKnownEmpty demands that what is known to be empty is written, and what is unknown is not.
func TestKnownEmpty(t *testing.T) {
	f := model.Facts{Unknown: []model.Unknown{{What: "ranges.pods", Why: "x"}}}
	got := facts.Write(f)
	if !bytes.Contains(got, []byte("  remote: []\n")) || bytes.Contains(got, []byte("  pods:")) || !bytes.HasPrefix(got, []byte("# Not known:\n# * ranges.pods: x\n")) {
		t.Errorf("%s", got)
	}
}

// TestTwoFiles reads a cluster's facts beside those of its cloud: what one of them knows is known,
// whichever way round they are.
func TestTwoFiles(t *testing.T) {
	files := text(head+"ranges: {nodes: [{cidr: 10.0.0.7/32, source: a node}]}\nunknown: [{what: ranges.nodes, why: x}, {what: dns, why: unread}]\n", head+"ranges: {nodes: [{cidr: 10.0.0.0/24, source: subnet}]}\n")
	for range 2 {
		f, problems := facts.Of(files...)
		check(t, f, "nodes: 10.0.0.0/24 10.0.0.7/32\nunknown: cloud cni ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI identity")
		if len(problems) > 0 {
			t.Error(problems)
		}
		slices.Reverse(files)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"gke", "kubeadm"} {
		known, _ := facts.Of(example(f, name)...)
		f.Add(facts.Write(known))
	}
	f.Add([]byte(head + "ranges: {pods: [{cidr: 10.0.0.0/8, source: 'a\\x1b[31m'}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		known, err := facts.Read("f", data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q", err)
			}
			return
		}
		out := facts.Write(known)
		again, err := facts.Read("g", out)
		if err != nil || !bytes.Equal(facts.Write(again), out) {
			t.Errorf("%v\n%s\n%s", err, data, out)
		}
	})
}

func FuzzOf(f *testing.F) {
	for _, name := range []string{"gke", "gke-psc", "eks", "aks", "kubeadm"} {
		for _, file := range example(f, name) {
			f.Add(file.Data)
		}
	}
	f.Add([]byte(gke("") + eks("") + vpc + subnet + "}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		known, problems := facts.Of(text(string(data))...)
		if len(problems) > 0 && len(known.Unknown) == 0 {
			t.Error("problems, and nothing is unknown")
		}
		facts.Needs(text(string(data))...)
		out := facts.Write(known)
		if _, err := facts.Read("f", out); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(facts.WriteExcept(known))) {
			entry, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "- ")
			cidr, _, _ := strings.Cut(entry, "  # ")
			if p, err := netip.ParsePrefix(cidr); ok && (err != nil || p.Bits() == 0) || !ok && !strings.HasPrefix(line, "#") {
				t.Errorf("%q", line)
			}
		}
	})
}
