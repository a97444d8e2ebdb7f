package audit_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func named(t *testing.T, names string) []cni.Profile {
	t.Helper()
	out, err := cni.Named(names)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func program(profiles []cni.Profile, files ...source.File) *reach.Program {
	s := source.LoadFiles(files...)
	s.Servers = discover.Servers(s)
	return reach.Assuming(reach.NewGround(s), reach.Typical, profiles...)
}

// TestUnder demands that what a target says of one CNI among several is what an audit of that CNI
// alone says: the verdict and the condition, of each thing that can be reached, and the server's
// grade.
func TestUnder(t *testing.T) {
	files := documents(t)
	profiles := named(t, "any")
	all := audit.Of(program(profiles, files...), nil)
	conditional := 0
	for i, p := range profiles {
		alone := audit.Of(program([]cni.Profile{p}, files...), nil)
		in := all.Program.In(1 << i)
		servers := map[string]audit.Server{}
		for _, srv := range all.Servers {
			servers[srv.ID] = srv
		}
		for _, one := range alone.Servers {
			srv := servers[one.ID]
			if grade, ok := srv.Grades[p.Name]; ok && grade != one.Grade || !ok && srv.Grade != one.Grade {
				t.Errorf("%s on %s: grade %q, alone %s", one.ID, p.Name, grade, one.Grade)
			}
			for d, want := range one.To {
				among, single := map[string]bool{}, map[string]bool{}
				for _, to := range srv.To[d].To {
					if b, ok := in.BoxIn(reach.Box{When: to.When}); ok {
						among[fmt.Sprint(to.CIDR, to.Except, to.Host, to.Pods, to.Name, " ", b.Verdict, " if ", b.When)] = true
						if !b.When.IsAlways() {
							conditional++
						}
					}
				}
				for _, to := range want.To {
					single[fmt.Sprint(to.CIDR, to.Except, to.Host, to.Pods, to.Name, " ", to.Verdict, " if ", to.When)] = true
				}
				if !maps.Equal(among, single) {
					t.Errorf("%s on %s, %s:\n%q\nalone\n%q", one.ID, p.Name, blast.Dest(d), slices.Sorted(maps.Keys(among)), slices.Sorted(maps.Keys(single)))
				}
			}
		}
	}
	if conditional == 0 {
		t.Error("nothing is conditional: this shows little")
	}
}

// TestUnderNone demands that what passes only because nothing enforces policies is told apart from
// what policies allow.
func TestUnderNone(t *testing.T) {
	files := documents(t)
	res := audit.Of(program(named(t, "calico,none"), files...), nil)
	enforced, none := res.Program.In(1), res.Program.In(2)
	for _, srv := range res.Servers {
		if srv.Name != "mcp-github" {
			continue
		}
		for _, d := range []blast.Dest{blast.Metadata, blast.Nodes} {
			for _, to := range srv.To[d].To {
				_, on := enforced.BoxIn(reach.Box{When: to.When})
				if in, ok := none.BoxIn(reach.Box{When: to.When}); on || !ok || in.Verdict != reach.NotEnforced {
					t.Errorf("%v: %+v", d, to)
				}
			}
			if len(srv.To[d].To) == 0 {
				t.Errorf("%v: denied", d)
			}
		}
		if to := srv.To[blast.Internet].To; !slices.ContainsFunc(to, func(t blast.Target) bool {
			in, _ := enforced.BoxIn(reach.Box{When: t.When})
			return t.CIDR.String() == "140.82.112.0/20" && in.Verdict == reach.Allowed
		}) {
			t.Errorf("%+v", to)
		}
	}
}

// TestPluginsAssumed demands that the first assumption says which plugins are taken to run, and
// that all are named with what was read of them.
func TestPluginsAssumed(t *testing.T) {
	for names, want := range map[string]string{
		"spec":                 "policies mean what the Kubernetes API text says (--cni spec), and a network plugin enforces them",
		"calico":               "the network plugin is Calico, open source (--cni calico), and it enforces the policies",
		"calico,cilium":        "the network plugin is calico or cilium, and it enforces the policies",
		"any":                  "one of 12 network plugins runs and enforces the policies; --cni NAME says which",
		"none":                 "with --cni none nothing enforces policies",
		"calico,cilium,none":   "the network plugin is calico or cilium, and it enforces the policies; with --cni none nothing enforces policies",
		"none,spec":            "policies mean what the Kubernetes API text says (--cni spec), and a network plugin enforces them; with --cni none nothing enforces policies",
		"antrea,calico,cilium": "the network plugin is antrea, calico or cilium, and it enforces the policies",
	} {
		profiles := named(t, names)
		got := audit.Assumptions(program(profiles, documents(t)...))
		if got[0] != want {
			t.Errorf("--cni %s: %q, want %q", names, got[0], want)
		}
		text := strings.Join(got, "\n")
		for _, p := range profiles {
			if p.Says(cni.Enforces) != cni.No && !strings.Contains(text, p.Name+" ("+p.Version+")") {
				t.Errorf("--cni %s: no version of %s in %s", names, p.Name, text)
			}
			if p.Says(cni.Enforces) == cni.No && !strings.Contains(text, "with --cni "+p.Name+" nothing enforces policies") {
				t.Errorf("--cni %s: nothing about %s in %s", names, p.Name, text)
			}
		}
		ignored := strings.Contains(text, "CiliumNetworkPolicy has no effect on")
		if want := names == "any" || strings.Contains(names, "calico"); ignored != want {
			t.Errorf("--cni %s: that its Cilium policy is ignored: %v in %s", names, ignored, text)
		}
	}
}

// TestNamesAssumed demands that names are assumed to be of the internet only where policies allow
// exact ones.
func TestNamesAssumed(t *testing.T) {
	const policy = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: names, namespace: a}
spec: {endpointSelector: {}, egress: [{toFQDNs: [%s]}]}`
	for names, want := range map[string]string{
		"{matchName: b.example.com}, {matchName: A.example.com}, {matchPattern: '*.example.org'}": "special ranges: a.example.com, b.example.com",
		"{matchPattern: '*.example.org'}": "",
	} {
		text := strings.Join(audit.Assumptions(program(named(t, "cilium"), source.File{Name: "a.yaml", Data: fmt.Appendf(nil, policy, names)})), "\n")
		if has := strings.Contains(text, "host names that policies allow"); has != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%s: %s", names, text)
		}
	}
}
