package query

import (
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestAllowedAndDepends demands that what one plugin allows and another leaves open depends.
func TestAllowedAndDepends(t *testing.T) {
	a := ask(t, under(t, plugins, "aws-vpc-cni,spec"), "app/a", "app/Service/b:80")
	if a.Verdict != reach.Depends || len(a.Groups) != 2 || a.Groups[0].Verdict != reach.Allowed || a.Groups[1].Verdict != reach.Depends {
		t.Errorf("%v if %q: %+v", a.Verdict, a.When, a.Groups)
	}
}

// TestKindsTellPluginsApart demands that plugins are told apart that differ only in the kinds of
// policy they enforce.
func TestKindsTellPluginsApart(t *testing.T) {
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(plugins + `
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: app, name: p}, spec: {endpointSelector: {}, egressDeny: [{toEntities: [all]}]}}
`)})
	profiles, err := cni.Named("calico,cilium")
	if err != nil {
		t.Fatal(err)
	}
	profiles[0].Facts = profiles[1].Facts
	a := ask(t, reach.Assuming(reach.NewGround(snap), reach.Typical, profiles...), "app/a", "app/b:8081")
	if a.Verdict != reach.Depends || len(a.Groups) != 2 || a.Groups[0].CNI[0] != "calico" {
		t.Errorf("%v if %q: %+v", a.Verdict, a.When, a.Groups)
	}
}
