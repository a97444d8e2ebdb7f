package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestScaledStatefulSet: what selectors say of a pod that a StatefulSet may have one day is neither
// denied nor allowed on the ground that there is none yet.
func TestScaledStatefulSet(t *testing.T) {
	const spec = "spec: {containers: [{name: c, image: x}]}"
	set := func(spread string) string {
		return "{apiVersion: apps/v1, kind: StatefulSet, metadata: {namespace: data, name: db, uid: u}, spec: {" + spread + "serviceName: db, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, " + spec + "}}}\n---\n"
	}
	running := func(numbers ...int) string {
		out := ""
		for _, n := range numbers {
			out += fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {namespace: data, name: db-%d, labels: {app: db, statefulset.kubernetes.io/pod-name: db-%[1]d, apps.kubernetes.io/pod-index: '%[1]d'}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, controller: true}]}, "+spec+", status: {phase: Running, podIP: 10.0.0.1%[1]d}}\n---\n", n)
		}
		return out
	}
	// The set's pods may connect to nothing but, if selected, to 192.0.2.1; app/web takes those that are selected.
	policies := func(expr string) string {
		return "{apiVersion: v1, kind: Pod, metadata: {namespace: data, name: web, labels: {app: web}}, " + spec + ", status: {podIP: 10.0.1.1}}\n---\n" +
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: data, name: deny}, spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]}}\n---\n" +
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: data, name: allow}, spec: {podSelector: {matchExpressions: [" + expr + "]}, policyTypes: [Egress, Ingress], egress: [{to: [{ipBlock: {cidr: 192.0.2.1/32}}]}], ingress: [{from: [{ipBlock: {cidr: 192.0.2.1/32}}]}]}}\n---\n" +
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: data, name: web}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchExpressions: [" + expr + "]}}]}]}}\n"
	}
	in := func(key, operator, value string) string {
		return fmt.Sprintf("{key: app, operator: In, values: [db]}, {key: %s, operator: %s, values: ['%s']}", key, operator, value)
	}
	const name, index = "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"
	for _, tt := range []struct {
		title, set, selector string
		want                 reach.Verdict
		when                 string
	}{
		{"by name, there", set("replicas: 3, "), in(name, "In", "db-2"), reach.Allowed, ""},
		{"by name, beyond", set("replicas: 3, "), in(name, "In", "db-3"), reach.Depends, "scaled to have the pod data/db-3"},
		{"by index, beyond", set("replicas: 3, "), in(index, "In", "7"), reach.Depends, "scaled to have the pod data/db-7"},
		{"by index, there", set("replicas: 3, "), in(index, "In", "0"), reach.Allowed, ""},
		{"no replicas given", set(""), in(name, "In", "db-1"), reach.Depends, "scaled"},
		{"no replicas", set("replicas: 0, "), in(name, "In", "db-1"), reach.Depends, "scaled"},
		{"before the first", set("replicas: 3, ordinals: {start: 5}, "), in(name, "In", "db-0"), reach.Depends, "scaled to have the pod data/db-0"},
		{"from a start", set("replicas: 3, ordinals: {start: 5}, "), in(index, "In", "7"), reach.Allowed, ""},
		{"past the last from a start", set("replicas: 3, ordinals: {start: 5}, "), in(index, "In", "8"), reach.Depends, "scaled"},
		{"another set's", set("replicas: 3, "), in(name, "In", "other-1"), reach.Denied, ""},
		{"no number", set("replicas: 3, "), in(name, "In", "db-x"), reach.Denied, ""},
		{"a number that none is written as", set("replicas: 3, "), in(index, "In", "07"), reach.Denied, ""},
		{"all but one beyond", set("replicas: 3, "), in(name, "NotIn", "db-9"), reach.Allowed, ""},
		{"all but those there", set("replicas: 1, "), in(index, "NotIn", "0"), reach.Depends, "scaled to have the pod data/db-1"},
		{"all but those there, one beyond named", set("replicas: 1, "), in(index, "NotIn", "0") + ", {key: " + index + ", operator: NotIn, values: ['1']}", reach.Depends, "scaled to have the pod data/db-2"},
		{"running, all but those there", set("replicas: 2, ") + running(0, 1), in(index, "NotIn", "0") + ", {key: " + index + ", operator: NotIn, values: ['1']}", reach.Depends, "scaled to have the pod data/db-2"},
		{"running, all but one of those there", set("replicas: 2, ") + running(0, 1), in(index, "NotIn", "0"), reach.Allowed, ""},
		{"running, there", set("replicas: 2, ") + running(0, 1), in(name, "In", "db-1"), reach.Allowed, ""},
		{"running, beyond", set("replicas: 2, ") + running(0, 1), in(name, "In", "db-2"), reach.Depends, "scaled to have the pod data/db-2"},
		{"running, one is missing", set("replicas: 2, ") + running(1), in(index, "In", "0"), reach.Depends, "scaled"},
		{"running alone, beyond", running(0, 1), in(name, "In", "db-1"), reach.Allowed, ""},
	} {
		p := program(tt.set + policies(tt.selector))
		if len(p.Snapshot.Problems) > 0 {
			t.Fatal(tt.title, p.Snapshot.Problems)
		}
		for _, ends := range [][2]string{{"data/db", "192.0.2.1:80"}, {"192.0.2.1", "data/db:80"}, {"data/db", "data/web:80"}} {
			a := ask(t, p, ends[0], ends[1])
			if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) {
				t.Errorf("%s: %v: %v if %q %q, want %v if %q", tt.title, ends, a.Verdict, a.When, a.Notes, tt.want, tt.when)
			}
			checkSteps(t, a)
		}
	}
}
