package source

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// policyKindOf returns the kind of policy that a type is, if it is one. A kind that calls itself a
// network policy is one in any group.
func policyKindOf(group, kind string) (policyKind, bool) {
	g, known := policyGroups[group]
	if k, ok := g.policies[kind]; ok {
		return k, true
	}
	switch {
	case known && !slices.Contains(g.ignored, kind):
		return policyKind{scope: clusterWide}, true
	case !known && strings.HasSuffix(kind, "NetworkPolicy"):
		return policyKind{scope: clusterWide}, true
	}
	return policyKind{}, false
}

// istioRoot is the namespace whose Istio policies hold for the whole mesh, unless the mesh is
// configured otherwise
// (https://istio.io/latest/docs/reference/config/security/authorization-policy).
const istioRoot = "istio-system"

// unjudged records a policy of a kind, or a version, that is recognised and not judged.
func (p *part) unjudged(o *object, k policyKind) {
	subject := everything
	if k.scope != clusterWide {
		if o.meta.namespace == "" && !o.root.Field("metadata").Field("namespace").IsSet() {
			o.meta.namespace = "default"
		}
		if isDNSLabel(o.meta.namespace) && (k.scope != meshWide || o.meta.namespace != istioRoot) {
			subject = o.subject()
		}
	}
	if k.subject != "" {
		subject = narrow(o.doc.Open(doc.Lenient), k.subject, subject)
	}
	o.at.Object = title(o.kind, o.meta.namespace, o.meta.name)
	what := o.kind + " of " + o.group
	if _, known := policyGroups[o.group]; o.group == "" {
		what = o.kind + " of the core group, which has no such kind"
	} else if known && o.kind == "NetworkPolicy" && k.subject != "" {
		what += "/" + o.version
	}
	if k.beside { // which can only take away from what is open
		p.problem(ruleUnjudged, o.at, doc.Clean(what, 80)+" is not judged yet", "what goes over its networks counts as not restricted")
		return
	}
	p.notJudged(o, ruleUnjudged, doc.Clean(what, 80)+" is not judged yet", "", policy.Dialect(doc.Clean(o.group+" "+o.kind, 80)),
		policy.TierUnjudged, 0, subject, o.directions(k.dirs)...)
}

// narrow returns the part of subject that a plain label selector at path selects, or subject if
// there is none or it is not plain.
func narrow(root *doc.Cursor, path string, subject policy.Subject) policy.Subject {
	spec := root.Field("spec")
	if root.Field("specs").IsSet() || spec.Field("targetRef").IsSet() || spec.Field("targetRefs").IsSet() {
		return subject
	}
	at := spec.Field(strings.TrimPrefix(path, "spec."))
	if !at.IsMap() {
		return subject
	}
	var out policy.Subject
	if path == "spec.subject" { // namespaces, or pods by both selectors
		namespaces, pods := at.Field("namespaces"), at.Field("pods")
		if namespaces.IsSet() == pods.IsSet() {
			return subject
		}
		if namespaces.IsSet() {
			out.NS = readSelector(namespaces)
		} else {
			out.NS, out.Pod = readSelector(pods.Field("namespaceSelector")), readSelector(pods.Field("podSelector"))
		}
	} else {
		out = policy.Subject{NS: subject.NS, Pod: readSelector(at)}
	}
	if root.Problems() > 0 || !isPlain(out.Pod) {
		return subject
	}
	return out
}

// isPlain reports whether s asks only for labels that pods carry. Cilium gives its endpoints more.
func isPlain(s label.Selector) bool {
	for _, key := range s.Keys() {
		if strings.HasPrefix(key, "io.kubernetes.pod") || strings.HasPrefix(key, "io.cilium") || strings.HasPrefix(key, "reserved") {
			return false
		}
	}
	return true
}

// HoldsPolicies reports whether an API group is known to have kinds of policies.
func HoldsPolicies(group string) bool { return len(policyGroups[group].policies) > 0 }
