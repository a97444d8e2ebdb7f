package source

import (
	"cmp"
	"slices"
	"strings"
)

// Resource names a type of object as an API server serves it: all its objects, those of one
// namespace, or one of them.
type Resource struct{ Group, Version, Plural, Namespace, Name string }

func (r Resource) String() string {
	if r.Group == "" {
		return r.Plural
	}
	return r.Plural + "." + r.Group
}

// Served is a resource with what the API server tells of its type.
type Served struct {
	Resource
	Kind       string
	Namespaced bool
}

// Wanted returns what there is to read of the types that an API server serves and that can be
// listed: each type that says something about reachability, in one version, policies of kinds that
// are not judged included. Of a group with several versions, the one it prefers comes first in
// served.
//
// With namespaces, resources of a namespace are wanted of these only. Policies that may act beyond
// their own namespace are wanted of all, a Namespace by its name, and from elsewhere what tells the
// addresses of the API server.
func Wanted(served []Served, namespaces []string) []Served {
	var out []Served
	for _, s := range oneVersion(served) {
		k, isPolicy := policyKindOf(s.Group, s.Kind)
		homes := namespaces
		switch {
		case namespaces == nil:
			out = append(out, s)
			continue
		case s.Group == "" && s.Kind == "Namespace":
			for _, name := range namespaces {
				s.Name = name
				out = append(out, s)
			}
			continue
		case !s.Namespaced, isPolicy && k.scope == clusterWide:
			out = append(out, s)
			continue
		case isPolicy && k.scope == meshWide && !slices.Contains(namespaces, istioRoot):
			homes = append(slices.Clip(namespaces), istioRoot)
		}
		for _, name := range homes {
			s.Namespace = name
			out = append(out, s)
		}
		if tells := s.Kind == "Service" || s.Kind == "EndpointSlice"; tells && !slices.Contains(namespaces, "default") {
			s.Namespace, s.Name = "default", "kubernetes" // kubernetes pkg/controlplane/controller/kubernetesservice
			out = append(out, s)
		}
	}
	return out
}

// oneVersion keeps each type that is read once, in a version that is decoded if there is one,
// sorted.
func oneVersion(served []Served) []Served {
	var out []Served
	at := map[groupKind]int{}
	for _, s := range served {
		gk := groupKind{s.Group, s.Kind}
		if !isLive(gk) {
			continue
		}
		i, again := at[gk]
		if !again {
			at[gk] = len(out)
			out = append(out, s)
		} else if isDecoded(s) && !isDecoded(out[i]) {
			out[i] = s
		}
	}
	slices.SortFunc(out, func(a, b Served) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind)) })
	return out
}

func isDecoded(s Served) bool {
	_, ok := policyReaders[groupVersionKind{s.Group, s.Version, s.Kind}]
	return ok
}

// isLive reports whether objects of a type are read from a cluster. Those of the old group
// extensions are there under their new group too, and what Endpoints say stands in EndpointSlices.
// ConfigMaps are left alone, as Secrets are: they hold more than what they would be read for.
func isLive(gk groupKind) bool {
	if gk.group == "extensions" || gk.group == "" && (gk.kind == "ConfigMap" || gk.kind == "Endpoints") {
		return false
	}
	if gk.kind == "RuntimeClass" { // the nodes of running pods say it
		return false
	}
	for gvk := range policyReaders { // also what policies refer to
		if gvk.group == gk.group && gvk.kind == gk.kind {
			return true
		}
	}
	_, isPolicy := policyKindOf(gk.group, gk.kind)
	return isPolicy || readers[gk] != nil
}

// Readable returns every type that is known to be read from a cluster, by group and plural, sorted:
// what a role must let a caller list. What an API server serves beside them in a group of policies
// is wanted too. Namespaced says whether reading one namespace is enough to judge its pods.
func Readable() []Served {
	found := map[groupKind]bool{}
	for gk := range readers {
		found[gk] = true
	}
	for gvk := range policyReaders {
		found[groupKind{gvk.group, gvk.kind}] = true
	}
	for group, g := range policyGroups {
		for kind := range g.policies {
			found[groupKind{group, kind}] = true
		}
	}
	var out []Served
	for gk := range found {
		if isLive(gk) {
			k := policyGroups[gk.group].policies[gk.kind]
			out = append(out, Served{Resource{Group: gk.group, Plural: plural(gk.kind)}, gk.kind, !clusterKinds[gk.kind] && k.scope != clusterWide})
		}
	}
	slices.SortFunc(out, func(a, b Served) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Plural, b.Plural)) })
	return out
}

// plural returns what a kind is called in addresses, as API servers and definitions of resources do
// for all kinds known here but one (k8snetworkplumbingwg/multi-networkpolicy, scheme.yml).
func plural(kind string) string {
	name := strings.ToLower(kind)
	switch {
	case kind == "MultiNetworkPolicy":
		return "multi-networkpolicies"
	case strings.HasSuffix(name, "y") && !strings.HasSuffix(name, "ay"):
		return strings.TrimSuffix(name, "y") + "ies"
	case strings.HasSuffix(name, "s"):
		return name + "es"
	}
	return name + "s"
}
