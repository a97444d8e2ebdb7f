package source_test

import (
	"strings"
	"testing"
)

// The pods to come of a template stay beside running ones that are not as it says, and so do pods
// of an old ReplicaSet.
func TestTemplateBesideRunningPods(t *testing.T) {
	const port = "spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}"
	deployment := func(spec string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: ns}\nspec: {replicas: 1, template: {metadata: {labels: {app: x, tier: new}}, spec: " + spec + "}}\n---\n"
	}
	fresh := pod("fresh", "app: x, tier: new, pod-template-hash: b", "ReplicaSet/d-b", port)
	old := pod("old", "app: x, tier: old, pod-template-hash: a", "ReplicaSet/d-a", port)
	set := func(replicas string) string {
		return strings.Replace(owned("ReplicaSet", "apps/v1", "d-a", "Deployment/d", "a"), "spec: {template", "spec: {replicas: "+replicas+", template", 1)
	}
	const (
		head     = "ns/Deployment/d\n"
		many     = "ns/Deployment/d many\n"
		template = "  [] app=x,tier=new,pod-template-hash=?"
		isFresh  = "  [fresh] app=x,pod-template-hash=b,tier=new :TCP/80"
		isOld    = "  [old] app=x,pod-template-hash=a,tier=old :TCP/80"
	)
	for _, tt := range []struct{ name, text, want string }{
		{"as it says", deployment("{containers: [{ports: [{containerPort: 80}]}]}") + fresh, head + isFresh},
		{"old and new", deployment("{containers: [{ports: [{containerPort: 80}]}]}") + fresh + old, many + isFresh + "\n" + isOld},
		{"other labels", deployment("{containers: [{ports: [{containerPort: 80}]}]}") + old, many + template + " :TCP/80\n" + isOld},
		{"other ports", deployment("{containers: [{ports: [{containerPort: 81}]}]}") + fresh, many + template + " :TCP/81\n" + isFresh},
		{"host network", deployment("{hostNetwork: true, containers: [{ports: [{containerPort: 80}]}]}") + fresh, many + template + " host :TCP/80\n" + isFresh},
		{"an old set", deployment("{}") + set("1"), many + template + "\n  [] app=x,h=a"},
		{"an old set without pods", deployment("{}") + set("0"), head + template},
		{"a set with its pods", deployment("{containers: [{ports: [{containerPort: 80}]}]}") + set("1") + fresh + old, many + isFresh + "\n" + isOld},
		{"what controllers add", controller("StatefulSet", "apps/v1", "s", "replicas: 1") +
			pod("s-0", "app: x, controller-revision-hash: s-1, statefulset.kubernetes.io/pod-name: s-0, apps.kubernetes.io/pod-index: '0'", "StatefulSet/s", "") +
			controller("Job", "batch/v1", "j", "parallelism: 1") +
			pod("j-1", "app: x, job-name: j, controller-uid: u, batch.kubernetes.io/job-name: j, batch.kubernetes.io/controller-uid: u", "Job/j", ""),
			"ns/Job/j\n  [j-1] app=x,batch.kubernetes.io/controller-uid=u,batch.kubernetes.io/job-name=j,controller-uid=u,job-name=j\n" +
				"ns/StatefulSet/s\n  [s-0] app=x,apps.kubernetes.io/pod-index=0,controller-revision-hash=s-1,statefulset.kubernetes.io/pod-name=s-0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(tt.text)
			same(t, "problems", problems(s), "")
			same(t, "workloads", workloads(s), tt.want)
		})
	}
}
