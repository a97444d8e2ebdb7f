package blast

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// hypotheticalsIn returns the pods that do not exist which belong to a class of destinations. Where
// some may exist that were not read, these may be servers.
func (a *Atlas) hypotheticalsIn(d Dest, class int, hypotheticals []reach.Hypothetical) []reach.Hypothetical {
	if d != DNS && d != SameNamespace && d != OtherNamespaces && (d != OtherServers || a.Snapshot.Unread == nil) {
		return nil
	}
	home := a.NamespaceOf(class)
	var out []reach.Hypothetical
	for _, s := range hypotheticals {
		vague := s.Conns.IsEmpty() && s.Verdict == reach.Unknown // too many kinds of pods to tell apart
		resolver := slices.ContainsFunc(a.resolver, func(c reach.Cube) bool { return a.isResolver(c, s) })
		switch {
		case d == OtherServers && !a.mayExist(s):
			continue
		case d == OtherServers:
			s.When = s.When.And(a.Doubt("servers that were not read run there"))
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
func (a *Atlas) mayExist(s reach.Hypothetical) bool {
	return slices.ContainsFunc(a.Snapshot.Unread, namespaceOf(s).Overlaps)
}

// isResolver reports whether every pod of s would be a resolver.
func (a *Atlas) isResolver(c reach.Cube, s reach.Hypothetical) bool {
	return namespaceOf(s).Within(c.NS) && s.Pod.Within(c.Pod)
}

// HypotheticalText says which pods s is, in words.
func HypotheticalText(s reach.Hypothetical) string { return podText("any new pod", s) }

func podText(pod string, s reach.Hypothetical) string {
	if !s.Pod.SelectsAll() {
		pod += " labelled " + s.Pod.String()
	}
	switch {
	case s.Namespace != "":
		return pod + " in " + s.Namespace
	case newNamespace(s.NS).SelectsAll():
		return pod + " in any namespace"
	}
	return pod + " in a namespace labelled " + newNamespace(s.NS).String()
}

// newNamespace is what a namespace that does not exist must carry, without that its name is new.
func newNamespace(sel label.Selector) label.Selector {
	return sel.Without(label.MetadataName, func(v label.Values) bool { _, others := v.Listed(); return others })
}
