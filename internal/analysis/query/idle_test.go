package query

import (
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// TestIdle demands that workloads which ask for no pods now are judged as if they ran: they may be
// scaled, resumed or started at any time.
func TestIdle(t *testing.T) {
	const policy = `
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a, name: p}, spec: {podSelector: {matchLabels: {app: x}}, policyTypes: [Ingress, Egress], egress: [{to: [{ipBlock: {cidr: 8.8.8.8/32}}]}], ingress: [{from: [{ipBlock: {cidr: 8.8.8.8/32}}]}]}}
---
`
	const template = "template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: i}]}}"
	for name, object := range map[string]string{
		"replicas: 0":                       "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {replicas: 0, selector: {matchLabels: {app: x}}, " + template + "}}",
		"a paused Deployment":               "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {replicas: 0, paused: true, selector: {matchLabels: {app: x}}, " + template + "}}",
		"replicas left to an autoscaler":    "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {replicas: null, selector: {matchLabels: {app: x}}, " + template + "}}\n---\n{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {namespace: a, name: s}, spec: {scaleTargetRef: {name: x}, minReplicaCount: 0}}",
		"a ReplicaSet":                      "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {namespace: a, name: x}, spec: {replicas: 0, selector: {matchLabels: {app: x}}, " + template + "}}",
		"a ReplicationController":           "{apiVersion: v1, kind: ReplicationController, metadata: {namespace: a, name: x}, spec: {replicas: 0, selector: {app: x}, " + template + "}}",
		"a StatefulSet":                     "{apiVersion: apps/v1, kind: StatefulSet, metadata: {namespace: a, name: x}, spec: {replicas: 0, selector: {matchLabels: {app: x}}, " + template + "}}",
		"a DaemonSet on no node":            "{apiVersion: apps/v1, kind: DaemonSet, metadata: {namespace: a, name: x}, spec: {selector: {matchLabels: {app: x}}, " + template + "}, status: {desiredNumberScheduled: 0}}",
		"a suspended Job":                   "{apiVersion: batch/v1, kind: Job, metadata: {namespace: a, name: x}, spec: {suspend: true, " + template + "}, status: {conditions: [{type: Suspended, status: 'True'}]}}",
		"a Job with parallelism: 0":         "{apiVersion: batch/v1, kind: Job, metadata: {namespace: a, name: x}, spec: {parallelism: 0, " + template + "}}",
		"a suspended CronJob":               "{apiVersion: batch/v1, kind: CronJob, metadata: {namespace: a, name: x}, spec: {suspend: true, schedule: '0 0 1 1 *', jobTemplate: {spec: {" + template + "}}}}",
		"a CronJob whose last run is over":  "{apiVersion: batch/v1, kind: CronJob, metadata: {namespace: a, name: x}, spec: {schedule: '0 0 1 1 *', jobTemplate: {spec: {" + template + "}}}}\n---\n{apiVersion: batch/v1, kind: Job, metadata: {namespace: a, name: x-1, ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: x, controller: true}]}, spec: {" + template + "}, status: {conditions: [{type: Complete, status: 'True'}]}}",
		"a Deployment whose pod has failed": "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: a, name: x}, spec: {replicas: 1, selector: {matchLabels: {app: x}}, " + template + "}}\n---\n{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: x-1-a, labels: {app: x}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: x-1, controller: true}]}, spec: {containers: [{name: c}]}, status: {phase: Failed}}",
	} {
		p := program(policy + object)
		for _, tt := range []struct {
			from, to string
			want     reach.Verdict
		}{
			{"a/x", "8.8.8.8:443", reach.Allowed},
			{"a/x", "1.1.1.1:443", reach.Denied},
			{"8.8.8.8", "a/x:80", reach.Allowed},
			{"1.1.1.1", "a/x:80", reach.Denied},
		} {
			if got := ask(t, p, tt.from, tt.to); got.Verdict != tt.want {
				t.Errorf("%s: %s -> %s: %v if %v, want %v", name, tt.from, tt.to, got.Verdict, got.When.When, tt.want)
			}
		}
	}
}
