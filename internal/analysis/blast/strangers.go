package blast

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// strangersIn returns the pods that do not exist which belong to a class of destinations. Where some may exist that were not read, these may be servers.
func (a *Atlas) strangersIn(d Dest, class int, strangers []reach.Stranger) []reach.Stranger {
	if d != DNS && d != SameNamespace && d != OtherNamespaces && (d != OtherServers || a.Snapshot.Unread == nil) {
		return nil
	}
	home := a.NamespaceOf(class)
	var out []reach.Stranger
	for _, s := range strangers {
		vague := s.Conns.IsEmpty() && s.Verdict == reach.Unknown // too many kinds of pods to tell apart
		resolver := slices.ContainsFunc(a.resolver, func(c reach.Cube) bool { return a.isResolver(c, s) })
		switch {
		case d == OtherServers && !a.mayExist(s):
			continue
		case d == OtherServers:
			s.Verdict, s.Base, s.Cond.Unjudged = reach.Unknown, reach.Unknown, true
			if resolver {
				s.Conns = s.Conns.Minus(special.ResolverPods)
			}
		case d == DNS && resolver:
			s.Conns = s.Conns.Intersect(special.ResolverPods)
		case d == DNS:
			continue
		case (s.Namespace == home) != (d == SameNamespace):
			continue
		case resolver:
			s.Conns = s.Conns.Minus(special.ResolverPods)
		}
		if vague || !s.Conns.IsEmpty() {
			out = append(out, s)
		}
	}
	return out
}

// mayExist reports whether some of s may run in a namespace that was not read.
func (a *Atlas) mayExist(s reach.Stranger) bool {
	return slices.ContainsFunc(a.Snapshot.Unread, namespaceOf(s).Overlaps)
}

// isResolver reports whether every pod of s would be a resolver.
func (a *Atlas) isResolver(c reach.Cube, s reach.Stranger) bool {
	return namespaceOf(s).Within(c.NS) && s.Pod.Within(c.Pod)
}

// namespaceOf is what the namespace of s carries.
func namespaceOf(s reach.Stranger) label.Selector {
	if s.Namespace != "" {
		return label.Named(s.Namespace)
	}
	return s.NS
}

// StrangerText says which pods s is, in words.
func StrangerText(s reach.Stranger) string {
	pod := "any new pod"
	if !s.Pod.SelectsAll() {
		pod = "a new pod with " + s.Pod.String()
	}
	switch {
	case s.Namespace != "":
		return pod + " in " + s.Namespace
	case newNamespace(s.NS).SelectsAll():
		return pod + " in any namespace"
	}
	return pod + " in a namespace with " + newNamespace(s.NS).String()
}

// newNamespace is what a namespace that does not exist must carry, without that its name is new.
func newNamespace(sel label.Selector) label.Selector {
	return sel.Without(label.MetadataName, func(v label.Values) bool { _, others := v.Listed(); return others })
}
