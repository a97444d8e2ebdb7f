package source

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// assemble puts the parts together, in their order, into a snapshot.
func assemble(parts []*part) *model.Snapshot {
	var all part
	all.homes = map[string]bool{}
	for _, p := range parts {
		all.merge(p)
	}
	all.distinct()
	snap := &model.Snapshot{Nodes: all.nodes, Finished: all.finished}

	data := map[ref]map[string]string{}
	for _, c := range all.configMaps {
		data[ref{c.namespace, "ConfigMap", c.name}] = c.data
	}
	for i := range all.workloads {
		w := &all.workloads[i]
		w.spec.resolve(func(name string) map[string]string { return data[ref{w.Namespace, "ConfigMap", name}] })
		w.Containers = w.spec.containers
	}
	place(all.workloads, all.runtimeClasses)
	lendAddrs(all.workloads, all.slices)
	withDevices(all.workloads, all.networks)
	for _, n := range all.networks {
		snap.Networks = append(snap.Networks, n.Network)
	}
	snap.Services = joinEndpoints(all.services, all.slices)
	snap.Policies = resolve(all.policies, all.groups, snap.Services)
	snap.Workloads = join(all.workloads, namesOrdinals(snap))
	snap.Namespaces = withHomes(all.namespaces, all.homes)
	snap.Routes = all.waysIn(snap.Services, snap.Namespaces)
	snap.Counts = all.counts
	snap.Problems = all.problems
	sortSnapshot(snap)
	return snap
}

func (p *part) merge(q *part) {
	p.namespaces = append(p.namespaces, q.namespaces...)
	p.workloads = append(p.workloads, q.workloads...)
	p.finished = append(p.finished, q.finished...)
	p.services = append(p.services, q.services...)
	p.slices = append(p.slices, q.slices...)
	p.nodes = append(p.nodes, q.nodes...)
	p.routes = append(p.routes, q.routes...)
	p.gateways = append(p.gateways, q.gateways...)
	p.grants = append(p.grants, q.grants...)
	p.policies = append(p.policies, q.policies...)
	p.groups = append(p.groups, q.groups...)
	p.configMaps = append(p.configMaps, q.configMaps...)
	p.runtimeClasses = append(p.runtimeClasses, q.runtimeClasses...)
	p.networks = append(p.networks, q.networks...)
	p.problems = append(p.problems, q.problems...)
	maps.Copy(p.homes, q.homes)
	p.counts.Files += q.counts.Files
	p.counts.Documents += q.counts.Documents
	p.counts.Ignored += q.counts.Ignored
	p.counts.Foreign += q.counts.Foreign
	p.counts.Excluded += q.counts.Excluded
	for _, kind := range sortedKeys(q.counts.IgnoredKinds) {
		p.ignoredKind(kind, q.counts.IgnoredKinds[kind])
	}
}

// distinct leaves one of each object that is there more than once with the same content, and
// reports those whose contents differ.
func (p *part) distinct() {
	p.namespaces = distinct(p, p.namespaces, func(n *model.Namespace) (ref, origin.Origin) {
		return ref{"", "Namespace", n.Name}, n.Origin
	}, nil)
	p.namespaces = agreed(p.namespaces)
	p.workloads = distinct(p, p.workloads, func(w *workload) (ref, origin.Origin) { return w.ref(), w.Origin }, nil)
	p.services = distinct(p, p.services, func(s *model.Service) (ref, origin.Origin) {
		return ref{s.Namespace, "Service", s.Name}, s.Origin
	}, nil)
	p.slices = distinct(p, p.slices, func(e *endpoints) (ref, origin.Origin) { return ref{e.namespace, e.kind, e.name}, e.at }, nil)
	p.nodes = distinct(p, p.nodes, func(n *model.Node) (ref, origin.Origin) { return ref{"", "Node", n.Name}, n.Origin }, nil)
	p.routes = distinct(p, p.routes, func(r *route) (ref, origin.Origin) {
		return ref{r.Namespace, r.Kind + "." + r.group, r.Name}, r.Origin
	}, nil)
	p.gateways = distinct(p, p.gateways, func(g *gateway) (ref, origin.Origin) { return ref{g.namespace, "Gateway", g.name}, g.at }, nil)
	p.configMaps = distinct(p, p.configMaps, func(c *configMap) (ref, origin.Origin) {
		return ref{c.namespace, "ConfigMap", c.name}, c.at
	}, func(c *configMap) { c.data = nil })
	p.groups = distinct(p, p.groups, func(g *cidrGroup) (ref, origin.Origin) {
		return ref{"", "CiliumCIDRGroup", g.name}, g.at
	}, func(g *cidrGroup) { g.unsound = true })
	p.policies = distinct(p, p.policies, func(q *draft) (ref, origin.Origin) {
		return ref{q.Namespace, string(q.Dialect), q.Name}, q.Origin
	}, setAside)
}

// agreed leaves one of the Namespaces of each name, with the labels that all of them have and
// perhaps others: any of them may be in force.
func agreed(list []model.Namespace) []model.Namespace {
	at := make(map[string]int, len(list))
	out := list[:0]
	for _, n := range list {
		i, ok := at[n.Name]
		if !ok {
			at[n.Name] = len(out)
			out = append(out, n)
			continue
		}
		both := out[i].Labels.Set()
		maps.DeleteFunc(both, func(key, value string) bool {
			other, ok := n.Labels.Value(key)
			return !ok || other != value
		})
		out[i].Labels, out[i].Linkerd = label.Known(both).Open(), out[i].Linkerd || n.Linkerd
	}
	return out
}

// setAside makes a policy that conflicts with another of its name one that judges nothing: either
// may be in force.
func setAside(q *draft) {
	var subjects []policy.Subject
	add := func(s policy.Subject) {
		if !slices.ContainsFunc(subjects, func(t policy.Subject) bool { return t.NS.Equal(s.NS) && t.Pod.Equal(s.Pod) }) {
			subjects = append(subjects, s)
		}
	}
	var dirs []policy.Direction
	for _, s := range q.Isolations {
		add(s.Subject)
		dirs = append(dirs, s.Dir)
	}
	for _, r := range q.Rules {
		if r.Action == policy.Unjudged {
			return // not judged as it is
		}
		add(r.Subject)
		dirs = append(dirs, r.Dir)
	}
	q.Rules, q.Isolations, q.open = nil, nil, nil
	for _, s := range subjects {
		q.Rules = append(q.Rules, onlyIn(notJudged(q.Dialect, s, q.Origin), dirs)...)
	}
}

// maxAlike bounds the objects of one name that another one is compared with.
const maxAlike = 8

// distinct returns list without repeated objects. Those that conflict all stay, changed by conflict
// if that is not nil. An object without a name is like no other.
func distinct[T any](p *part, list []T, key func(*T) (ref, origin.Origin), conflict func(*T)) []T {
	seen := make(map[ref][]int, len(list))
	fight := map[int]bool{}
	out := list[:0]
	for i := range list {
		k, at := key(&list[i])
		if k.name != "" {
			if slices.ContainsFunc(seen[k], func(n int) bool { return same(reflect.ValueOf(&out[n]), reflect.ValueOf(&list[i])) }) {
				continue
			}
			if first := seen[k]; len(first) > 0 {
				_, other := key(&out[first[0]])
				p.problems = append(p.problems, finding.Problem{Rule: ruleDuplicate, Origin: at,
					Message: "defined differently in " + other.Pos(),
					Hint:    "read the files of one environment at a time, or leave some out with --exclude"})
				fight[first[0]], fight[len(out)] = true, true
			}
			if len(seen[k]) < maxAlike {
				seen[k] = append(seen[k], len(out))
			}
		}
		out = append(out, list[i])
	}
	if conflict != nil {
		for n := range fight {
			conflict(&out[n])
		}
	}
	return out
}

var originType = reflect.TypeFor[origin.Origin]()

// same reports whether two values are equal apart from where they were written.
func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for it := a.MapRange(); it.Next(); {
			if v := b.MapIndex(it.Key()); !v.IsValid() || !same(it.Value(), v) {
				return false
			}
		}
		return true
	case reflect.Struct:
		if a.Type() == originType {
			return true
		}
		for i := range a.NumField() {
			if a.Type().Field(i).Name != "Line" && !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// withHomes adds the namespaces that objects live in and that no Namespace object describes.
func withHomes(list []model.Namespace, homes map[string]bool) []model.Namespace {
	for _, n := range list {
		delete(homes, n.Name)
	}
	for name := range homes {
		if isDNSLabel(name) {
			list = append(list, model.Namespace{Name: name, Labels: label.Known(label.Set{label.MetadataName: name}).Open()})
		}
	}
	return list
}

// sortSnapshot puts every list in its order, which does not depend on that of the files but for
// what is named alike.
func sortSnapshot(s *model.Snapshot) {
	slices.SortStableFunc(s.Namespaces, func(a, b model.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(s.Workloads, func(a, b model.Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), a.Origin.Compare(b.Origin))
	})
	slices.SortFunc(s.Finished, func(a, b model.Finished) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.State, b.State))
	})
	s.Finished = slices.Compact(s.Finished)
	slices.SortStableFunc(s.Services, func(a, b model.Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), a.Origin.Compare(b.Origin))
	})
	slices.SortStableFunc(s.Nodes, func(a, b model.Node) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Origin.Compare(b.Origin))
	})
	slices.SortStableFunc(s.Routes, func(a, b model.Route) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), a.Origin.Compare(b.Origin))
	})
	slices.SortStableFunc(s.Policies, func(a, b policy.Policy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Name, b.Name), a.Origin.Compare(b.Origin))
	})
	slices.SortStableFunc(s.Problems, func(a, b finding.Problem) int {
		return cmp.Or(a.Origin.Compare(b.Origin), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	s.Problems = slices.Compact(s.Problems)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
