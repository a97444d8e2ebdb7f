package query

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
)

// under compiles a manifest for the profiles that text names.
func under(t testing.TB, yaml, profiles string) *reach.Program {
	t.Helper()
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(yaml)})
	if len(snap.Problems) > 0 {
		t.Fatal(snap.Problems)
	}
	named, err := cni.Named(profiles)
	if err != nil {
		t.Fatal(err)
	}
	return reach.Assuming(reach.NewGround(snap), reach.Typical, named...)
}

// plugins is a cluster in which plugins disagree.
const plugins = `
{apiVersion: v1, kind: Namespace, metadata: {name: app}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 10.9.0.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: a, labels: {app: a}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: b, labels: {app: b}}, spec: {nodeName: n2, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: host, labels: {app: host}}, spec: {nodeName: n2, hostNetwork: true, containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 10.9.0.2, podIPs: [{ip: 10.9.0.2}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: b}, spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], selector: {app: b}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: door}, spec: {type: NodePort, clusterIP: 10.96.0.3, clusterIPs: [10.96.0.3], selector: {app: b}, ports: [{port: 80, targetPort: 8081, nodePort: 30081}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: a}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [
  {to: [{ipBlock: {cidr: 10.0.0.0/16}}], ports: [{port: 9000}]},
  {to: [{ipBlock: {cidr: 10.96.0.2/32}}], ports: [{port: 80}]},
  {to: [{ipBlock: {cidr: 198.51.0.0/16, except: [198.51.100.0/24]}}], ports: [{port: 443}]},
  {to: [{ipBlock: {cidr: 198.0.0.0/8}}], ports: [{port: 443}]},
  {to: [{podSelector: {matchLabels: {app: b}}}], ports: [{port: 8081}]},
  {to: [{ipBlock: {cidr: 10.9.0.0/16}}], ports: [{port: 30081}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: b}, spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress], ingress: [
  {from: [{podSelector: {matchLabels: {app: a}}}]}, {from: [{ipBlock: {cidr: 10.9.0.0/16}}], ports: [{port: 8081}]}]}}
`

func TestWorlds(t *testing.T) {
	tests := []struct {
		cni, from, to string
		want          reach.Verdict
		when          string // part of it
		verdicts      string // of the worlds, worst first
		fact          string // the name of one, of the first world
	}{
		// A block and a pod's address.
		{"calico", "app/a", "app/b:9000", reach.Allowed, "", "allowed", "blocksMatchPods"},
		{"cilium", "app/a", "app/b:9000", reach.Denied, "", "denied", "blocksMatchPods"},
		{"cilium:cidr-match=pods", "app/a", "app/b:9000", reach.Allowed, "", "allowed", "blocksMatchPods"},
		{"calico,cilium,aks-cilium", "app/a", "app/b:9000", reach.Depends, "the cluster runs calico", "allowed denied", "blocksMatchPods"},
		{"any", "app/a", "app/b:9000", reach.Depends, "the cluster does not run", "allowed denied", "blocksMatchPods"},
		{"any", "app/a", "app/b:9001", reach.Denied, "", "denied", ""},

		// A Service's address, before and after it is translated.
		{"aws-vpc-cni", "app/a", "app/Service/b:80", reach.Allowed, "", "allowed", "judgedBeforeService"},
		{"calico", "app/a", "app/Service/b:80", reach.Denied, "", "denied", "judgedBeforeService"},
		{"spec", "app/a", "app/Service/b:80", reach.Depends, "before it is translated", "depends", "judgedBeforeService"},
		{"aws-vpc-cni,calico", "app/a", "app/Service/b:80", reach.Depends, "the cluster runs aws-vpc-cni", "allowed denied", "judgedBeforeService"},

		// An exception, where the longest block decides.
		{"calico", "app/a", "198.51.100.7:443", reach.Allowed, "", "allowed", "longestPrefixDecides"},
		{"aws-vpc-cni", "app/a", "198.51.100.7:443", reach.Denied, "", "denied", "longestPrefixDecides"},
		{"aws-vpc-cni", "app/a", "198.51.101.7:443", reach.Allowed, "", "allowed", ""},

		// Nothing enforces anything.
		{"none", "app/a", "app/b:9001", reach.NotEnforced, "", "notEnforced", ""},
		{"flannel", "app/a", "198.51.100.7:80", reach.NotEnforced, "", "notEnforced", ""},
		{"none", "app/a", "198.51.101.7:443", reach.Allowed, "", "allowed", ""},
		{"none", "app/a", "api.github.com:80", reach.NotEnforced, "", "notEnforced", ""},
		{"none", "app/a", "app/Service/b:80", reach.NotEnforced, "", "notEnforced", ""},
		{"none,calico", "app/a", "app/b:9001", reach.Depends, "the cluster runs none", "notEnforced denied", "enforces"},

		// A pod's own node, and another.
		{"aws-vpc-cni", "app/a", "n1:22", reach.Allowed, "", "allowed", "ownNodeReachable"},
		{"aws-vpc-cni", "app/a", "10.9.0.1:22", reach.Allowed, "", "allowed", "ownNodeReachable"},
		{"aws-vpc-cni", "app/a", "n2:22", reach.Denied, "", "denied", ""},
		{"aws-vpc-cni", "app/a", "10.9.0.2:22", reach.Denied, "", "denied", ""},
		{"aws-vpc-cni", "app/a", "app/host:22", reach.Denied, "", "denied", ""},
		{"calico", "app/a", "n1:22", reach.Denied, "", "denied", "ownNodeReachable"},
		{"calico", "n2", "app/b:22", reach.Allowed, "", "allowed", ""},
		{"calico", "n1", "app/b:22", reach.Denied, "", "denied", ""},
		{"calico", "app/host", "app/b:22", reach.Allowed, "", "allowed", ""},

		// A node port.
		{"calico", "n1", "n2:30081", reach.Allowed, "", "allowed", ""},
		{"aws-vpc-cni", "app/a", "n2:30081", reach.Allowed, "", "allowed", ""},
		{"calico", "203.0.113.1", "n1:30081", reach.Depends, "arrives with the address of the node", "depends", ""},
		{"calico", "app/a", "n2:30080", reach.Denied, "", "denied", ""},
	}
	for _, tt := range tests {
		p := under(t, plugins, tt.cni)
		q, err := Parse(tt.from, tt.to)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Ask(p, q)
		if err != nil {
			t.Errorf("%s: %s -> %s: %v", tt.cni, tt.from, tt.to, err)
			continue
		}
		var verdicts []string
		for _, w := range a.Groups {
			if v := w.Verdict.String(); !slices.Contains(verdicts, v) {
				verdicts = append(verdicts, v)
			}
		}
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) || strings.Join(verdicts, " ") != tt.verdicts {
			t.Errorf("%s: %s -> %s: got %v if %q %q %q; want %v if %q %q", tt.cni, tt.from, tt.to, a.Verdict, a.When, verdicts, a.Notes, tt.want, tt.when, tt.verdicts)
		}
		if (a.When.String() == "") == (a.Verdict == reach.Depends) {
			t.Errorf("%s: %s -> %s: %v if %q", tt.cni, tt.from, tt.to, a.Verdict, a.When)
		}
		var facts []string
		for _, f := range a.Groups[0].Facts {
			facts = append(facts, f.Name)
			if f.Source == "" || f.Asks == "" {
				t.Errorf("%s: %s -> %s: fact %+v", tt.cni, tt.from, tt.to, f)
			}
		}
		if tt.fact != "" && !slices.Contains(facts, tt.fact) {
			t.Errorf("%s: %s -> %s: %v because of %q, want %s", tt.cni, tt.from, tt.to, a.Verdict, facts, tt.fact)
		}
	}
}

func TestTraceNamesWhatDecided(t *testing.T) {
	a := ask(t, under(t, plugins, "aws-vpc-cni"), "app/a", "198.51.100.7:443")
	near := a.Steps[0].Sides[0].Near
	if len(near) == 0 || near[0].Except.String() != "198.51.100.0/24" || near[0].Path != "egress[2]" {
		t.Errorf("the exception that denies is missing: %+v", near)
	}
	if a = ask(t, under(t, plugins, "aws-vpc-cni"), "app/a", "app/Service/b:80"); a.Steps[0].Judged != "app/Service/b:80/TCP" {
		t.Errorf("judged on %q", a.Steps[0].Judged)
	}
	if a = ask(t, under(t, plugins, "aws-vpc-cni"), "app/a", "n1:22"); a.Steps[0].Sides[0].Because == "" || a.Steps[0].Sides[0].By != nil {
		t.Errorf("own node: %+v", a.Steps[0].Sides)
	}
}

// TestOneVerdictForDifferentReasons demands that the reasons are kept apart where the verdict is
// one.
func TestOneVerdictForDifferentReasons(t *testing.T) {
	a := ask(t, under(t, plugins, "aws-vpc-cni,calico"), "app/a", "app/Service/door:80")
	if a.Verdict != reach.Allowed || a.When.String() != "" || len(a.Groups) != 2 || len(a.Groups[0].Facts)+len(a.Groups[1].Facts) == 0 {
		t.Errorf("%v if %q, %d worlds: %+v", a.Verdict, a.When, len(a.Groups), a.Groups)
	}
}

// TestAnyIsEach demands that what is asked of several plugins at once is what each says alone.
func TestAnyIsEach(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	profiles, err := cni.Named("any,spec,none")
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	for i, c := range cases {
		if testing.Short() && i%5 > 0 {
			continue
		}
		ground := program(string(c.Manifests)).Ground
		all := reach.Assuming(ground, reach.Typical, profiles...)
		expect := c.Expect
		for _, s := range c.Sections {
			expect = append(expect, s.Expect...)
		}
		for _, e := range expect[:min(len(expect), 4)] {
			to := e.To
			if strings.Count(to, ":") > 1 && !strings.HasPrefix(to, "[") {
				to = "[" + to + "]"
			}
			q, err := Parse(e.From, to+":"+"80")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Ask(all, q)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Groups) > 1 {
				differ++
			}
			passes := 0
			for _, profile := range profiles {
				alone, err := newAsker(reach.Assuming(ground, reach.Typical, profile), q).ask()
				if err != nil {
					t.Fatal(err)
				}
				if alone.Verdict != reach.Denied {
					passes++
				}
				w := got.Groups[slices.IndexFunc(got.Groups, func(w Group) bool { return slices.Contains(w.CNI, profile.Name) })]
				if w.Verdict != alone.Verdict || w.When.String() != alone.When.String() {
					t.Errorf("%s: %s: %s -> %s: %v if %q, alone %v if %q", c.Name, profile.Name, e.From, to, w.Verdict, w.When, alone.Verdict, alone.When)
				}
			}
			if (got.Verdict == reach.Denied) != (passes == 0) || got.Verdict == reach.Allowed && passes < len(profiles) {
				t.Errorf("%s: %s -> %s: %v, and it passes in %d of %d", c.Name, e.From, to, got.Verdict, passes, len(profiles))
			}
		}
	}
	if differ < 20 {
		t.Errorf("only %d questions have several answers", differ)
	}
}

// TestNamesByVersion demands that what one version of Cilium makes of a pattern in rules.dns is not
// said of another.
func TestNamesByVersion(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x, labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: a, name: p}, spec: {endpointSelector: {}, egress: [
  {toEntities: [all], toPorts: [{ports: [{port: '53', protocol: ANY}], rules: {dns: [{matchPattern: '**.example.com'}]}}]},
  {toFQDNs: [{matchName: a.b.example.com}], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}]}}
`
	for cni, want := range map[string]reach.Verdict{"cilium": reach.Allowed, "aks-cilium": reach.Depends, "cilium,aks-cilium": reach.Depends} {
		if a := ask(t, under(t, scene, cni), "a/x", "a.b.example.com:443"); a.Verdict != want {
			t.Errorf("%s: %v, want %v", cni, a.Verdict, want)
		}
	}
}
