package query

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestDeniedRange demands that a rule which denies addresses is settled with the address that was asked about.
func TestDeniedRange(t *testing.T) {
	const scene = `
{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: mcp}, spec: {containers: [{name: c, image: x}]}, status: {phase: Running, podIP: 172.20.0.5}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {namespace: a, name: p}, spec: {endpointSelector: {}, egress: [{toEntities: [all]}], egressDeny: [{toCIDR: [10.0.0.0/8]}]}}
`
	p := under(t, scene, "cilium")
	for _, tt := range []struct {
		to   string
		want reach.Verdict
	}{
		{"192.168.7.7:6443", reach.Allowed},
		{"192.168.7.7:443", reach.Allowed},
		{"10.1.2.3:6443", reach.Depends},
		{"8.8.8.8:443", reach.Allowed},
	} {
		a := ask(t, p, "a/mcp", tt.to)
		if a.Verdict != tt.want {
			t.Errorf("%s: got %v if %q, want %v", tt.to, a.Verdict, a.When, tt.want)
		}
		checkSteps(t, a)
	}
}

func TestSettleDenied(t *testing.T) {
	const never = "never"
	for _, tt := range []struct{ text, addr, want string }{
		{notDenied + liesIn + "10.0.0.0/8", "10.1.2.3", never},
		{notDenied + liesIn + "10.0.0.0/8", "192.168.7.7", ""},
		{notDenied + liesIn + "10.0.0.0/8, 192.168.7.7", "192.168.7.7", never},
		{notDenied + liesIn + "10.0.0.0/8", "fd00::1", ""},
		{notDenied + liesNotIn + "10.0.0.0/8", "10.1.2.3", ""},
		{notDenied + liesNotIn + "10.0.0.0/8", "192.168.7.7", never},
		{notDenied + liesIn + "10.0.0.0/8, and it rains", "10.1.2.3", notDenied + "it rains"},
		{notDenied + liesIn + "10.0.0.0/8, and it rains", "192.168.7.7", ""},
		// What is not understood stays open.
		{notDenied + liesNotIn + "10.0.0.0/8", "fd00::1", notDenied + liesNotIn + "10.0.0.0/8"},
		{notDenied + liesNotIn + "10.0.0.0/8", "8.8.8.8", notDenied + liesNotIn + "10.0.0.0/8"},
		{notDenied + liesIn + "10.0.0.0/8 and 2 more ranges", "192.168.7.7", notDenied + liesIn + "10.0.0.0/8 and 2 more ranges"},
		{notDenied + liesIn + "10.0.0.0/8, or it rains", "192.168.7.7", notDenied + liesIn + "10.0.0.0/8, or it rains"},
		{liesIn + "10.0.0.0/8", "192.168.7.7", liesIn + "10.0.0.0/8"},
	} {
		got, denied := settleDenied(tt.text, netip.MustParseAddr(tt.addr))
		if denied {
			got = never
		}
		if got != tt.want {
			t.Errorf("%s: %s: got %q, want %q", strings.TrimPrefix(tt.text, notDenied), tt.addr, got, tt.want)
		}
	}
}
