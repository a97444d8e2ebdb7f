package reach

import (
	"net/netip"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

func TestHeld(t *testing.T) {
	pod := func(name string, addrs ...netip.Addr) model.Workload {
		return model.Workload{Namespace: "apps", Kind: "Pod", Name: name, Pods: []model.Pod{{Labels: label.Known(label.Set{"app": name}), Addrs: addrs}}}
	}
	g := NewProgram(NewGround(&model.Snapshot{
		Namespaces: []model.Namespace{{Name: "apps", Labels: label.Known(label.Set{label.MetadataName: "apps"})}},
		Workloads:  []model.Workload{pod("known", netip.MustParseAddr("10.1.2.3")), pod("other")},
		Policies: []policy.Policy{{Rules: []policy.Rule{{Dir: policy.Egress, AnyPeer: true, AnyPort: true, Action: policy.Allow,
			Subject: policy.Subject{Pod: label.Equals(label.Set{"app": "other"})}}}}},
	}), spec())
	known, other := g.ClassesOf(0)[0], g.ClassesOf(1)[0]
	for _, tt := range []struct {
		block                       string
		knownHeld, otherHeld, maybe bool
	}{
		{"10.1.2.3/32", true, false, false},
		{"10.1.2.4/32", false, false, true},
		{"10.0.0.0/8", true, false, true},
		{"0.0.0.0/0", true, true, false},
		{"203.0.113.0/24", false, false, true},
	} {
		surely, perhaps := g.Held(netset.MustPrefixes(tt.block))
		if g.Holds(surely, known) != tt.knownHeld || g.Holds(surely, other) != tt.otherHeld || g.Holds(perhaps, other) != tt.maybe || g.Holds(perhaps, known) {
			t.Errorf("%s: surely %v, perhaps %v", tt.block, surely, perhaps)
		}
	}
	for _, tt := range []struct {
		subject policy.Subject
		must    bool
	}{
		{policy.Subject{}, true},
		{policy.Subject{Pod: label.Equals(label.Set{"app": "other"})}, true},
		{policy.Subject{NS: label.Named("data")}, false},
		{policy.Subject{NS: label.Named("apps"), Pod: label.Equals(label.Set{"app": "known"})}, false},
	} {
		if must, may := g.Selects(tt.subject, other); must != tt.must || may != tt.must {
			t.Errorf("%v: %v, %v", tt.subject, must, may)
		}
	}
}
