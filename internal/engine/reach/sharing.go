package reach

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// The AWS network policy agent keeps one table of rules for all pods of a node whose names agree up
// to the last '-', and whose namespace is the same; before 1.4, if name and namespace are the same
// once they are joined by '-' (aws-network-policy-agent pkg/utils/utils.go, GetPodIdentifier).
// Replicas have the same policies anyway; other pods are held to those of whoever was last.

// tableNames returns what the agent calls the tables of a class's pods, by their nodes; "" for one
// that is not known.
func (g *Ground) tableNames(class int) map[string][]string {
	out := map[string][]string{}
	for _, m := range g.holders[class].Members {
		w := &g.Snapshot.Workloads[m.Workload]
		p := &w.Pods[m.Pod]
		name := p.Name
		switch {
		case name != "":
		case w.Kind == "StatefulSet" || w.Kind == "DaemonSet" || w.Kind == "Job" || w.Kind == "ReplicaSet" || w.Kind == "ReplicationController":
			name = w.Name + "-0" // what its pods are called begins so
		default: // a hash comes in between, which nothing else has
			continue
		}
		if i := strings.LastIndexByte(name, '-'); i >= 0 {
			name = name[:i]
		}
		name = strings.ReplaceAll(name, ".", "_") + "-" + w.Namespace
		if !slices.Contains(out[name], p.Node) {
			out[name] = append(out[name], p.Node)
		}
	}
	return out
}

// mates is classes whose table of rules pods may share.
type mates struct {
	classes []int
	more    bool // there are others, too many to be told apart
}

// findSharing returns the mates of each class.
func (p *Program) findSharing() []mates {
	if p.says.possible(cni.PodsShareTables) == 0 {
		return make([]mates, p.classes)
	}
	type use struct {
		class int
		nodes []string
	}
	by := map[string][]use{}
	for n := range p.classes {
		if !p.holders[n].host {
			for name, nodes := range p.tableNames(n) {
				by[name] = append(by[name], use{n, nodes})
			}
		}
	}
	apart := func(a, b []string) bool {
		return !slices.Contains(a, "") && !slices.Contains(b, "") && !slices.ContainsFunc(a, func(n string) bool { return slices.Contains(b, n) })
	}
	out, merge := make([]mates, p.classes), p.says.possible(cni.TablesMerge) != 0
	for _, uses := range by {
		for _, u := range uses {
			at := &out[u.class]
			for _, v := range uses {
				if u.class == v.class || !merge && p.holders[u.class].namespace != p.holders[v.class].namespace || apart(u.nodes, v.nodes) || slices.Contains(at.classes, v.class) {
					continue
				}
				if at.more = len(at.classes) == maxSharing; at.more {
					break
				}
				at.classes = append(at.classes, v.class)
			}
		}
	}
	for _, m := range out {
		slices.Sort(m.classes)
	}
	return out
}

// maxSharing bounds how many other classes are told apart whose table one shares.
const maxSharing = 8

// ruled folds the rules that the pods of a group are held to over a region: their own, or those of
// others whose table of rules they share.
func (p *Program) ruled(g *group, ends Region, conns netset.Conns) []segment {
	segs := p.fold(ends, conns, g.steps(), p.isolation(g))
	where := p.says.where[cni.PodsShareTables]
	if where.IsNever() {
		return segs
	}
	for _, class := range g.sharing.classes {
		other := p.groups[g.dir][p.groupOf[g.dir][class]]
		m := p.holders[class].Members[0]
		name := p.Snapshot.Workloads[m.Workload].ID()
		end := ownEnd(g.dir)
		held := p.asks.ask("table of "+endName(end)+": "+name, end, 0, word(end)+" is held to the policies of "+name+", whose table of rules it shares",
			word(end)+" is not held to the policies of "+name).And(where)
		on := p.asks.on(p.says.possible(cni.PodsShareTables))
		if !slices.ContainsFunc(g.classes, func(c int) bool { return p.holders[c].namespace == p.holders[class].namespace }) {
			held, on = held.And(p.says.where[cni.TablesMerge]), on.And(p.asks.on(p.says.possible(cni.TablesMerge)))
		}
		segs = either(segs, p.fold(ends, conns, other.steps(), p.isolation(other)), held, on)
	}
	if g.sharing.more {
		end := ownEnd(g.dir)
		held := p.asks.ask("table of "+endName(end)+": many others", end, 0, word(end)+" is held to the policies of one of many pods, whose table of rules it shares",
			word(end)+" is not held to the policies of the many pods whose table of rules it may share").And(where)
		lets := p.asks.ask("table of "+endName(end)+": lets it through", end, 0, "these let the connection through", "these do not let the connection through")
		for i := range segs {
			segs[i].pass = segs[i].pass.Minus(held).Or(held.And(lets))
		}
	}
	return segs
}

// either is what other segments say where a condition holds, under some CNIs, and what segs say
// elsewhere. Both cover the same space. Pods that do not exist are not told apart for it: what some
// of them may do there, all may.
func either(segs, others []segment, where, on when.When) []segment {
	var theirs []By
	var out []segment
	add := func(s segment, t segment) {
		s.open, s.doubt = when.Never, s.doubt.Or(t.doubt)
		s.pass = s.pass.Minus(where).Or(t.pass.And(where))
		s.vague = s.vague.Minus(where).Or(t.vague.And(where))
		s.by = append(slices.Clip(s.by), theirs...)
		out = append(out, s)
	}
	for _, s := range segs {
		fresh, any := segment{ends: Region{Cubes: s.ends.Cubes}}, segment{pass: when.Never, vague: when.Never, doubt: when.Never}
		theirs = nil
		for _, t := range others {
			conns := s.conns.Intersect(t.conns)
			if conns.IsEmpty() {
				continue
			}
			if t.ends.Overlaps(fresh.ends) {
				any.pass, any.vague, any.doubt = any.pass.Or(t.pass), any.vague.Or(t.vague), any.doubt.Or(t.doubt)
			}
			both := s
			both.ends, both.conns = Region{IDs: s.ends.IDs, Addrs: s.ends.Addrs}.Intersect(t.ends), conns
			if !both.ends.IsEmpty() {
				theirs = nil
				for _, by := range t.by {
					if w := by.When.And(on); !w.IsNever() {
						theirs = append(theirs, By{by.Rule, w})
					}
				}
				add(both, t)
			}
		}
		if theirs = nil; len(s.ends.Cubes) > 0 {
			s.ends = fresh.ends
			add(s, any)
		}
	}
	return out
}
