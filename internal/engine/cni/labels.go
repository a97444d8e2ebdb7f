package cni

import (
	"slices"
	"strings"
)

// KeepsLabel reports whether Cilium keeps a pod's label in the identity that selectors are matched
// against, unless it is told otherwise (cilium v1.19.1, pkg/labelsfilter, defaultLabelPrefixCfg).
// No selector finds a label that Cilium leaves out.
func KeepsLabel(key string) bool {
	switch {
	case key == "io.kubernetes.pod.namespace", strings.HasPrefix(key, "io.cilium.k8s."):
		return true
	case strings.Contains(key, "beta.kubernetes.io"):
		return false
	}
	return !slices.ContainsFunc(leftOut, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

var leftOut = []string{"io.kubernetes", "kubernetes.io", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
	"batch.kubernetes.io/job-completion-index", "batch.kubernetes.io/controller-uid", "k8s.io", "pod-template-generation", "pod-template-hash",
	"controller-revision-hash", "controller-uid", "annotation", "etcd_node", "topology.kubernetes.io"}
