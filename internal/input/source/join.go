package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// ref names a workload.
type ref struct{ namespace, kind, name string }

func (w *workload) ref() ref { return ref{w.Namespace, w.Kind, w.Name} }

// controllers are the kinds of owner that are workloads. Pods of any other owner stand for
// themselves.
var controllers = map[string]bool{"Deployment": true, "ReplicaSet": true, "StatefulSet": true, "DaemonSet": true, "Job": true, "CronJob": true,
	"ReplicationController": true}

// joiner joins running pods to the workloads that own them.
type joiner struct {
	all  []workload
	read map[ref]int // index of each workload that was read
}

// join gives every workload that was read its running pods, makes workloads of the pods whose owner
// was not read, and leaves out what another workload made. A template stays beside the running pods
// where none of them is as it says: during a rollout, its pods are those to come. So does that of a
// StatefulSet if policies name pods by number: they may name one that a larger set has.
func join(all []workload, numbered bool) []model.Workload {
	j := joiner{all, map[ref]int{}}
	for i := range all {
		if _, ok := j.read[all[i].ref()]; !ok {
			j.read[all[i].ref()] = i
		}
	}
	var out []model.Workload
	made := map[ref]int{} // index in out of what was made of pods
	running := map[int][]model.Pod{}
	powers := map[int][]model.Power{} // of these
	runs := map[ref]bool{}            // direct owners of running pods
	for i := range all {
		w := &all[i]
		if w.Kind != "Pod" {
			continue
		}
		runs[ref{w.Namespace, w.owner.kind, w.owner.name}] = true
		top, ok := j.top(w)
		if !ok {
			out = append(out, w.Workload)
			continue
		}
		if at, ok := j.read[top]; ok {
			running[at], powers[at] = append(running[at], w.Pods...), append(powers[at], w.Powers...)
		} else if at, ok := made[top]; ok {
			out[at].Pods, out[at].Powers = append(out[at].Pods, w.Pods...), append(out[at].Powers, w.Powers...)
			out[at].Many = true
		} else {
			made[top] = len(out)
			m := w.Workload
			m.Kind, m.Name, m.Labels, m.Many = top.kind, top.name, nil, top.kind == "DaemonSet" || top.kind == "CronJob"
			out = append(out, m)
		}
	}
	sets := map[int][]model.Pod{} // by Deployment: templates of its ReplicaSets whose pods run but were not read
	for i := range all {
		if w := &all[i]; w.Kind == "ReplicaSet" && !w.Idle && j.isMade(w) && !runs[w.ref()] {
			at := j.read[ref{w.Namespace, w.owner.kind, w.owner.name}]
			sets[at] = append(sets[at], w.Pods...)
		}
	}
	for i := range all {
		w := &all[i]
		if w.Kind == "Pod" || j.isMade(w) {
			continue
		}
		w.Powers = append(w.Powers, powers[i]...)
		w.Pods = withTemplates(running[i], append(w.Pods, sets[i]...), numbered)
		w.Many = w.Many || len(w.Pods) > 1
		out = append(out, w.Workload)
	}
	for i := range out {
		slices.SortStableFunc(out[i].Pods, func(a, b model.Pod) int { return cmp.Compare(a.Name, b.Name) })
	}
	return out
}

// namesOrdinals reports whether policies name pods of StatefulSets by their number.
func namesOrdinals(s *model.Snapshot) bool {
	for sel := range s.PolicySelectors() {
		if slices.ContainsFunc(sel.Keys(), func(k string) bool { return k == model.SetPodName || k == model.SetPodIndex }) {
			return true
		}
	}
	return false
}

// withTemplates returns the running pods, and of the templates' pods those that are like none
// before them; those that are stand for the pods of a set that is scaled, where numbered.
func withTemplates(running, templates []model.Pod, numbered bool) []model.Pod {
	if len(running) == 0 && len(templates) == 1 {
		return templates
	}
	seen := map[string]bool{}
	for i := range running {
		seen[likeness(&running[i])] = true
	}
	out := running
	for i := range templates {
		if key := likeness(&templates[i]); !seen[key] {
			seen[key] = true
			out = append(out, templates[i])
		} else if t := templates[i]; numbered && t.Ordinals.Base != "" {
			t.Ordinals.Count = 0
			out = append(out, t)
		}
	}
	return out
}

// likeness returns a text that is equal for pods which differ in nothing that a template decides
// and answers hang on: labels but those that controllers add, service account, host network, declared
// ports, further networks, and where they may run.
func likeness(p *model.Pod) string {
	keys := slices.DeleteFunc(sortedKeys(p.Labels.Set()), isAdded)
	ports := make([]string, 0, len(p.Ports))
	for _, port := range p.Ports {
		ports = append(ports, fmt.Sprintf("%d/%d/%d/%q/%t", port.Protocol, port.Port, port.HostPort, port.Name, port.Sidecar))
	}
	slices.Sort(ports)
	place := &p.Placement
	return fmt.Sprintf("%q %q %t%t %v %q %q %v %q %q", p.Labels.Only(keys), p.Account, p.HostNetwork, p.MayBeHost, ports, p.Networks, p.Default, place.Nodes, place.OS, place.RuntimeClass)
}

// isAdded reports whether controllers, or EKS as it places pods on Fargate, add a label of their own
// with this key.
func isAdded(key string) bool {
	switch key {
	case templateHash, revisionHash, generation, model.SetPodName, model.SetPodIndex, oldJobName, oldUID, model.FargateProfile:
		return true
	}
	return strings.HasPrefix(key, "batch.kubernetes.io/")
}

// isMade reports whether a workload that was read made w: a Deployment its ReplicaSet, a CronJob
// its Job.
func (j *joiner) isMade(w *workload) bool {
	_, ok := j.read[ref{w.Namespace, w.owner.kind, w.owner.name}]
	return ok && (w.Kind == "ReplicaSet" && w.owner.kind == "Deployment" || w.Kind == "Job" && w.owner.kind == "CronJob")
}

// top returns the topmost owner of a pod: as far up as owners were read, and one step beyond. It is
// false for a pod of its own.
func (j *joiner) top(pod *workload) (ref, bool) {
	up := ref{pod.Namespace, pod.owner.kind, pod.owner.name}
	if up.name == "" {
		return ref{}, false
	}
	at, ok := j.read[up]
	if !ok {
		if name, ok := deploymentName(pod, up); ok {
			return ref{up.namespace, "Deployment", name}, true
		}
		return up, true
	}
	if w := &j.all[at]; j.isMade(w) {
		return ref{w.Namespace, w.owner.kind, w.owner.name}, true
	}
	return up, true
}

// deploymentName returns the name of the Deployment that made a ReplicaSet which was not read: the
// ReplicaSet is called after it and after the hash of its template, which its pods carry.
func deploymentName(pod *workload, set ref) (string, bool) {
	hash, ok := pod.Pods[0].Labels.Value(templateHash)
	if !ok || set.kind != "ReplicaSet" || hash == "" {
		return "", false
	}
	name, ok := strings.CutSuffix(set.name, "-"+hash)
	return name, ok && name != ""
}
