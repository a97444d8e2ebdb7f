package source

import (
	"maps"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// workload is a workload before running pods and ConfigMaps are joined to it.
type workload struct {
	model.Workload
	owner owner
	spec  podSpec
}

// workload returns what o's metadata and the pods' annotations say of a workload.
func (o *object) workload(spec podSpec, podAnnotations label.Set) workload {
	annotations := podAnnotations
	if len(o.meta.annotations) > 0 {
		annotations = maps.Clone(podAnnotations)
		if annotations == nil {
			annotations = label.Set{}
		}
		maps.Copy(annotations, o.meta.annotations)
	}
	powers := slices.Clone(spec.powers)
	for i := range powers {
		powers[i].Origin = o.at.At(powers[i].Origin.Line)
	}
	return workload{owner: o.meta.owner, spec: spec, Workload: model.Workload{Namespace: o.meta.namespace, Kind: o.kind, Name: o.meta.name,
		Labels: o.meta.labels, Annotations: annotations, Containers: spec.containers, Powers: powers, Origin: o.at}}
}

// roles are the values of the annotation that gives a workload its role.
var roles = []string{"server", "gateway", "agent", "none"}

// checkRole reports annotations of ours that say nothing that is understood. What they say is not
// quoted, as no annotation is.
func checkRole(annotations *doc.Cursor) {
	if !annotations.IsMap() {
		return
	}
	if c := annotations.Field("toolmoat.dev/server"); c.IsText() && !strings.EqualFold(c.Text(), "true") && !strings.EqualFold(c.Text(), "false") {
		c.Fail("neither true nor false", `write "true" if this is an MCP server, and "false" if it is none`)
	}
	if c := annotations.Field("toolmoat.dev/role"); c.IsText() && !slices.Contains(roles, c.Text()) {
		c.Fail("not a role", strings.Join(roles[:3], ", ")+" or "+roles[3])
	}
}

// workload reads a controller with a pod template.
func (p *part) workload(o *object) {
	defer p.close(o)
	spec := o.root.Field("spec")
	if o.kind == "CronJob" {
		spec = spec.At("jobTemplate", "spec")
	}
	template := spec.Field("template")
	m := template.Field("metadata")
	set, sound := readLabels(m.Field("labels"))
	pods := readPodSpec(template.Field("spec"))
	annotations := readAnnotations(m.Field("annotations"))
	pods.attach(m.Field("annotations"), annotations, o.meta.namespace)
	w := o.workload(pods, annotations)
	checkRole(o.root.At("metadata", "annotations"))
	checkRole(m.Field("annotations"))
	replicas := readCount(spec.Field("replicas"))
	switch o.kind {
	case "DaemonSet", "CronJob": // a CronJob's runs may overlap
		w.Many = true
	case "Job":
		w.Many = readCount(spec.Field("parallelism")) > 1
	default:
		w.Many = replicas > 1
	}
	if selector := spec.Field("selector"); o.kind != "ReplicationController" {
		readSelector(selector) // for its problems only: the API server sees to it that it selects the template
	}
	pod := model.Pod{Networks: pods.networks, Default: pods.first, Account: pods.account, HostNetwork: pods.hostNetwork, MayBeHost: pods.mayBeHost, Node: pods.node, Ports: pods.ports, Placement: pods.placement, Origin: o.at.At(template.Line())}
	pod.Labels = o.templateLabels(set, sound, spec)
	if o.kind == "StatefulSet" {
		start := spec.Field("ordinals").Field("start")
		first, _ := start.Int()
		if first < 0 {
			start.Fail("negative", "")
			first = 0
		}
		pod.Ordinals = model.Ordinals{Base: o.meta.name, First: int(first), Count: max(1, replicas)}
	}
	if state := ended(o.root.At("status", "conditions")); o.kind == "Job" && state != "" && o.meta.owner.kind != "CronJob" { // a CronJob's has runs to come
		p.over(o, state)
		return
	}
	w.Pods = []model.Pod{pod}
	w.Idle = replicas == 0
	if o.meta.namespace != "" {
		p.workloads = append(p.workloads, w)
	}
}

// ended returns the condition that says of a Job that none of its pods will run again (kubernetes
// pkg/apis/batch/types.go); "" if none does.
func ended(conditions *doc.Cursor) string {
	for _, c := range conditions.Items() {
		if kind := c.Field("type").Text(); (kind == "Complete" || kind == "Failed") && c.Field("status").Text() == "True" {
			return kind
		}
	}
	return ""
}

// readCount reads a number of pods, which is 1 by default.
func readCount(c *doc.Cursor) int {
	n, ok := c.Int()
	if !ok {
		return 1
	}
	if n < 0 || n > 1<<31-1 {
		c.Fail("not a number of pods", "")
		return 1
	}
	return int(n)
}

// What controllers add to the labels of the pods they make (kubernetes
// pkg/controller/deployment/sync.go,
// pkg/controller/daemon/daemon_controller.go, pkg/registry/batch/job/strategy.go and
// pkg/controller/job/indexed_job_utils.go). What they set replaces what a template says.
const (
	templateHash    = "pod-template-hash"
	revisionHash    = "controller-revision-hash"
	generation      = "pod-template-generation"
	jobName         = "batch.kubernetes.io/job-name"
	oldJobName      = "job-name"
	controllerUID   = "batch.kubernetes.io/controller-uid"
	oldUID          = "controller-uid"
	completionIndex = "batch.kubernetes.io/job-completion-index"
)

// templateLabels returns the labels of the pods that a controller makes of its template. spec is
// the controller's, or the Job's of a CronJob.
func (o *object) templateLabels(set label.Set, sound bool, spec *doc.Cursor) label.Labels {
	known := maps.Clone(set)
	if known == nil {
		known = label.Set{}
	}
	var unknown []string
	switch o.kind {
	case "Deployment":
		unknown = []string{templateHash}
	case "StatefulSet":
		unknown = []string{revisionHash}
		delete(known, model.SetPodName) // Ordinals stand for these two
		delete(known, model.SetPodIndex)
	case "DaemonSet":
		unknown = []string{revisionHash, generation}
	case "Job", "CronJob":
		if spec.Field("completionMode").Text() == "Indexed" {
			unknown = append(unknown, completionIndex)
		}
		if spec.Field("manualSelector").Bool() {
			break
		}
		unknown = append(unknown, controllerUID, oldUID)
		if o.kind == "Job" && isLabelValue(o.meta.name) {
			known[jobName], known[oldJobName] = o.meta.name, o.meta.name
		} else {
			unknown = append(unknown, jobName, oldJobName)
		}
	}
	for _, key := range unknown {
		delete(known, key)
	}
	return podLabels(known, sound).WithUnknown(unknown...)
}
