package reach

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

type posting struct {
	key, value string
	open       bool // the classes of which the value is not known
}

// index makes the look-ups that keep selection from asking every class.
func (g *Ground) index() {
	g.postings = map[posting][]int{}
	g.portNames = map[portName]portIDs{}
	g.clusterwide = map[portName]shared{}
	var hosts []netset.ID
	for n := range g.classes {
		h := &g.holders[n]
		if h.host {
			hosts = append(hosts, netset.ID(n))
		}
		for _, k := range g.said.keys {
			if v, ok := h.labels.Value(k); ok {
				p := posting{key: k, value: v}
				g.postings[p] = append(g.postings[p], n)
			} else if _, may := label.Selector.Require(label.Selector{}, k, label.Exists()).Match(h.labels); may {
				p := posting{key: k, open: true}
				g.postings[p] = append(g.postings[p], n)
			}
		}
		for _, p := range h.ports {
			name := portName{p.Protocol, p.Name}
			if all := g.clusterwide[name]; !h.host && !p.Sidecar {
				if !slices.Contains(all.all, p.Port) {
					all.all = append(all.all, p.Port)
				}
				if all.by == nil {
					all.by = map[netset.Port][]int{}
				}
				all.by[p.Port] = append(all.by[p.Port], n)
				if g.runs(n) && !slices.Contains(all.sure, p.Port) {
					all.sure = append(all.sure, p.Port)
				}
				g.clusterwide[name] = all
			}
			if _, ok := g.portNames[name]; !ok {
				g.portNames[name] = portIDs{map[netset.Port][]int{}, map[netset.Port][]int{}}
			}
			must, may := h.resolve(name)
			for _, number := range may {
				into := g.portNames[name].may
				if slices.Contains(must, number) {
					into = g.portNames[name].must
				}
				if !slices.Contains(into[number], n) {
					into[number] = append(into[number], n)
				}
			}
		}
	}
	g.shareNames()
	g.hosts = netset.Points(hosts...)
	var local, endpoints, perhaps []int
	for n := range g.holders {
		switch h := &g.holders[n]; {
		case h.Kind == Node || h.host:
			local = append(local, n)
		case h.Kind == KubeAPI && h.Service < 0:
			endpoints = append(endpoints, n)
			surely, maybe := g.onNode(h)
			if surely || maybe && h.shown() {
				local = append(local, n)
			}
			if maybe && !surely {
				perhaps = append(perhaps, n)
			}
		}
	}
	g.endpoints, g.apiPerhapsOnNode = g.IDs(endpoints...), g.IDs(perhaps...)
	g.servicesIn = make([][]int, len(g.namespaces))
	for i, svc := range g.Snapshot.Services {
		g.showsAPI = g.showsAPI || svc.Namespace == "default" && svc.Name == "kubernetes"
		if ns, ok := g.nsIndex[svc.Namespace]; ok {
			g.servicesIn[ns] = append(g.servicesIn[ns], i)
		}
	}
	g.local = g.IDs(local...)
}

// runs reports whether pods of a class run now, as far as the input says: not if their workload asks
// for none, or for some at times only.
func (g *Ground) runs(class int) bool {
	h := &g.holders[class]
	return g.Certain(class) && (h.shown() || slices.ContainsFunc(h.Members, func(m Member) bool {
		w := &g.Snapshot.Workloads[m.Workload]
		return !w.Idle && w.Kind != "Job" && w.Kind != "CronJob"
	}))
}

// resolve returns the numbers to which a class resolves a port name: may holds all of them, must
// the one that is certain. A name that containers give to different ports, or only a sidecar
// declares, is resolved differently by implementations.
func (h *Holder) resolve(name portName) (must, may []netset.Port) {
	sidecar := false
	for _, p := range h.ports {
		if p.Protocol == name.protocol && p.Name == name.name {
			may = append(may, p.Port)
			sidecar = sidecar || p.Sidecar
		}
	}
	slices.Sort(may)
	may = slices.Compact(may)
	if len(may) == 1 && !sidecar {
		must = may
	}
	return must, may
}

// candidates returns classes, sorted, among which are all that sel may select, if that narrows them
// to at most so many.
func (g *Ground) candidates(sel label.Selector, most int) (classes []int, narrowed bool) {
	for _, k := range sel.Keys() {
		values, others := sel.On(k).Listed()
		if others || sel.On(k).AllowsAbsent() {
			continue
		}
		open := g.postings[posting{key: k, open: true}]
		n := len(open)
		for _, v := range values {
			n += len(g.postings[posting{key: k, value: v}])
		}
		switch {
		case n > most:
			continue
		case len(values) == 1 && open == nil: // sorted already, and not to be changed
			classes = g.postings[posting{key: k, value: values[0]}]
		default:
			classes = slices.Clone(open)
			for _, v := range values {
				classes = append(classes, g.postings[posting{key: k, value: v}]...)
			}
			slices.Sort(classes)
			classes = slices.Compact(classes)
		}
		narrowed, most = true, len(classes)
	}
	return classes, narrowed
}

// selection is what a pair of selectors selects among the classes: certainly, and perhaps, where a
// label of theirs or of their namespace is not known.
type selection struct{ must, perhaps netset.IDs }

func (s selection) may() netset.IDs { return s.must.Union(s.perhaps) }

// choose evaluates selectors against every class.
func (g *Ground) choose(ns, pod label.Selector) selection {
	mustNS, mayNS := g.chooseNamespaces(ns)
	if pod.SelectsAll() {
		return selection{g.runsOf(mustNS), g.runsOf(mayNS)}
	}
	inNS := map[int]bool{} // whether the namespace is certain
	for _, i := range mustNS {
		inNS[i] = true
	}
	for _, i := range mayNS {
		inNS[i] = false
	}
	size := g.sizeOf(mustNS) + g.sizeOf(mayNS)
	classes, narrowed := g.candidates(pod, size)
	if !narrowed {
		classes = make([]int, 0, size)
		for _, i := range slices.Concat(mustNS, mayNS) {
			for r := range g.nsRuns[i].Runs() {
				for id := r.Lo; id <= r.Hi; id++ {
					classes = append(classes, int(id))
				}
			}
		}
	}
	var must, perhaps []netset.ID
	for _, n := range classes {
		certain, in := inNS[g.holders[n].namespace]
		if !in {
			continue
		}
		switch all, some := pod.Match(g.holders[n].labels); {
		case !some:
		case !certain || !all:
			perhaps = append(perhaps, netset.ID(n))
		default:
			must = append(must, netset.ID(n))
		}
	}
	return selection{netset.Points(must...), netset.Points(perhaps...)}
}

// chooseNamespaces returns the namespaces that certainly satisfy sel, and those that possibly do.
func (g *Ground) chooseNamespaces(sel label.Selector) (must, may []int) {
	if names, others := sel.On(label.MetadataName).Listed(); !others && !sel.On(label.MetadataName).AllowsAbsent() {
		for _, name := range names {
			if i, ok := g.nsIndex[name]; ok {
				must, may = g.matchNamespace(sel, i, must, may)
			}
		}
		slices.Sort(must)
		slices.Sort(may)
		return must, may
	}
	for i := range g.namespaces {
		must, may = g.matchNamespace(sel, i, must, may)
	}
	return must, may
}

func (g *Ground) matchNamespace(sel label.Selector, i int, must, may []int) (_, _ []int) {
	switch all, some := sel.Match(g.namespaces[i].Labels); {
	case all:
		must = append(must, i)
	case some:
		may = append(may, i)
	}
	return must, may
}

func (g *Ground) runsOf(namespaces []int) netset.IDs {
	runs := make([]netset.IDs, len(namespaces))
	for i, n := range namespaces {
		runs[i] = g.nsRuns[n]
	}
	return netset.Union(runs...)
}

func (g *Ground) sizeOf(namespaces []int) int {
	n := 0
	for _, i := range namespaces {
		for r := range g.nsRuns[i].Runs() {
			n += int(r.Hi-r.Lo) + 1
		}
	}
	return n
}
