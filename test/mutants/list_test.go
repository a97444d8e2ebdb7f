package mutants

var mutants = []mutant{
	// The fold.
	{"reach/fold.go", "case m.cond.IsZero():", "case true:", "what matches perhaps is allowed for certain"},
	{"reach/fold.go", "seg.verdict = Denied", "seg.verdict = Allowed", "what no rule admits passes"},
	{"reach/fold.go", "case !isolated:", "case !isolated && false:", "what nothing isolates is denied"},
	{"reach/fold.go", "blocks.Covers(plan[", "blocks.Overlaps(plan[", "a block with some of the plan holds every pod"},
	{"reach/fold.go", "return !blocks.IsEmpty() && blocks.Covers(plan[familyOf(blocks.First())])", "return false", "blocks that cover the plan together do not"},
	{"reach/fold.go", "rest = append(rest, box{in.region, other})", "_ = other", "other ports of a peer are forgotten"},
	{"reach/fold.go", "box{outside, b.conns}", "box{outside, in.conns}", "other ports of other peers are forgotten"},
	{"reach/fold.go", "cell{r, c.perhaps, c.by}", "cell{box: r}", "what was perhaps open is forgotten around a match"},
	{"reach/fold.go", "c.perhaps.or(m.cond)", "m.cond", "what was perhaps open is forgotten at a match"},
	{"reach/fold.go", "if s.free.IsZero() {", "if !s.free.IsZero() {", "a stance that perhaps isolates does so for certain"},
	{"reach/fold.go", "return len(stances) > 0, free", "return false, free", "a stance that perhaps isolates does not"},
	{"reach/fold.go", "case rule.Action != policy.Allow:", "case rule.Action == policy.Deny:", "an unjudged policy allows"},
	{"reach/fold.go", "return a.conns.Equal(b.conns) && a.perhaps", "return a.perhaps", "cells of different ports are joined"},
	{"reach/fold.go", "a.perhaps.equal(b.perhaps) && slices.Equal(a.by, b.by)", "true", "cells are joined that differ in what is perhaps open"},
	{"reach/fold.go", "a.cond.equal(b.cond) && a.conns.Equal(b.conns)", "a.cond.equal(b.cond)", "segments of different ports are joined"},

	// Conditions.
	{"reach/cond.go", " && c.Texts == nil && c.All == nil }", " && c.Texts == nil }", "a condition in words is certainty"},
	{"reach/cond.go", "return !c.Unjudged && c.Plan.IsEmpty() &&", "return !c.Unjudged &&", "a condition on an address is certainty"},
	{"reach/cond.go", "c.Plan.Union(d.Plan)", "c.Plan", "of two blocks that may hold a pod, one is forgotten"},
	{"reach/cond.go", "	out.All = joined(c.All, d.All)\n", "	out.All = nil\n", "of two conditions that must both hold, none is left"},

	// Regions.
	{"reach/region.go", "out = append(out, Cube{c.Family, both.NS, pod})", "_ = both\n		out = append(out, Cube{c.Family, c.NS, pod})", "cubes that are cut out of one another overlap"},
	{"reach/region.go", "r.IDs.Minus(o.IDs), r.Addrs.Minus(o.Addrs)", "r.IDs.Minus(o.IDs), r.Addrs", "addresses are never settled"},
	{"reach/region.go", "r.IDs.Minus(o.IDs), r.Addrs", "r.IDs, r.Addrs", "classes are never settled"},
	{"reach/region.go", "return r.IDs.Overlaps(o.IDs) || r.Addrs.Overlaps(o.Addrs) ||", "return r.IDs.Overlaps(o.IDs) ||", "blocks are not seen to match"},

	// Classes and the index.
	{"reach/ground.go", "n-o.First < o.Count", "n-o.First <= o.Count", "a StatefulSet has one pod more"},
	{"reach/ground.go", "if len(named) < o.Count {", "if len(named) == 0 {", "the pods of a StatefulSet that nothing names are forgotten"},
	{"reach/ground.go", "atoms.of(h.Addrs[f].Addr)", "0*atoms.of(h.Addrs[f].Addr)", "pods are one class whatever blocks hold them"},
	{"reach/ground.go", `\x00%d/%s/%d/%t", p.Protocol, p.Name, p.Port, p.Sidecar`, `\x00%d/%s/%t", p.Protocol, p.Name, p.Sidecar`, "pods are one class whatever their ports are called"},
	{"reach/ground.go", `%t%d", h.namespace, m.labels.Only(said.keys), h.host, h.role`, `%d", h.namespace, m.labels.Only(said.keys), h.role`, "pods on the host network are of the class of others"},
	{"reach/mentions.go", "if found {\n		i++\n	}", "_ = found", "the first address of a block is outside of it"},
	{"reach/mentions.go", "for _, e := range peer.Block.Except {", "for _, e := range peer.Block.Except[:0] {", "exceptions tell no pods apart"},
	{"reach/mentions.go", "if next := r.Hi.Next(); next.IsValid() {", "if next := r.Hi.Next(); false {", "what follows a block is inside of it"},
	{"reach/holders.go", "if g.seen[IPv6] && !g.seen[IPv4] {", "if g.seen[IPv6] {", "one IPv6 address gives one to all"},
	{"reach/index.go", "if len(may) == 1 && !sidecar {", "if len(may) > 0 && !sidecar {", "a name for two ports is certainly both"},
	{"reach/index.go", "if len(may) == 1 && !sidecar {", "if len(may) == 1 {", "a sidecar's port name is certain"},
	{"reach/index.go", "if p.Protocol == name.protocol && p.Name == name.name {", "if p.Name == name.name {", "a port name counts for any protocol"},
	{"reach/index.go", "if others || sel.On(k).AllowsAbsent() {", "if others {", "pods that lack a key are not found"},
	{"reach/index.go", "found = append(found, g.postings[posting{key: k, open: true}]...)", "", "pods with a label of unknown value are not found"},
	{"reach/index.go", "case !certain:\n			unlabelled = append(unlabelled", "case !certain:\n			must = append(must", "unknown namespace labels are what is asked for"},
	{"reach/index.go", "case !all:\n			unsettled = append(unsettled", "case !all:\n			must = append(must", "unknown pod labels are what is asked for"},
	{"reach/index.go", "may = append(may, i)", "", "unknown namespace labels are never what is asked for"},
	{"reach/holders.go", "g.known[i].addr.Compare(r.Hi) <= 0", "g.known[i].addr.Compare(r.Hi) < 0", "the last address of a block is outside of it"},
	{"reach/holders.go", "case MayHave:\n				unknown[f] = append(unknown[f], id)\n", "case MayHave:\n", "blocks miss addresses that pods may have"},

	// Rules to regions.
	{"reach/program.go", "if g.holders[id].host && profile", "if false && profile", "policies hold pods on the host network"},
	{"reach/program.go", "p.inBoth(sel.must.Minus(hosts))", "p.inBoth(sel.must)", "selectors certainly match pods on the host network"},
	{"reach/program.go", "case within.Equal(unknown.plan):", "case true:", "a block with some of the plan certainly holds every pod"},
	{"reach/program.go", "case within.IsEmpty():", "case false:", "a public block holds pods"},
	{"reach/program.go", "if d == policy.Egress || p.Profile", "if p.Profile", "a pod may always connect to its node"},
	{"reach/program.go", "seg.verdict == Denied && !local.IsEmpty() {", "false {", "a pod's node may not enter"},
	{"reach/program.go", "netset.PortRange(port.Lo, port.Hi)", "netset.PortRange(port.Lo, port.Lo)", "endPort is forgotten"},
	{"reach/program.go", "r.numbers = netset.AllConns", "r.numbers = netset.ConnsOf(netset.TCP, netset.AllPorts)", "a rule without ports is TCP"},
	{"reach/program.go", "	return fmt.Sprint(h.ports)\n", "	_ = fmt.Sprint()\n	return \"\"\n", "pods share a table whatever their ports are called"},
	{"reach/program.go", "case certain:\n		return Cond{}\n", "case certain, unlabelled, unsettled:\n		return Cond{}\n", "a policy that perhaps selects a pod isolates it"},
	{"reach/program.go", "return [...]Cond{certain: {}, unlabelled: noNamespace, unsettled: noLabel, onHost: hostJudged}[certainty]", "return [...]Cond{certain: {}, unlabelled: {}, unsettled: {}, onHost: {}}[certainty]", "a policy that perhaps selects a pod admits"},
	{"reach/program.go", "resolved(p.portNames[name].may, sidecarPort)", "", "an ambiguous port name admits nothing on egress"},
	{"reach/program.go", "if slices.Contains(must, number) {", "if true || slices.Contains(must, number) {", "an ambiguous port name is certain on ingress"},
	{"reach/program.go", "everything.Cubes = cubesOf(label.Selector{}, label.Selector{})", "", "a rule for everybody admits no pod to come"},
	{"reach/program.go", "certainly.Cubes = cubesOf(ns, pod)", "", "a rule by labels admits no pod to come"},

	// Both ends.
	{"reach/reach.go", "verdict, cond := min(seg.verdict, back.verdict)", "verdict, cond := max(seg.verdict, back.verdict)", "what one end leaves open is settled by the other"},
	{"reach/reach.go", "case NoAddr:\n		return false, Cond{}", "case NoAddr:\n		return true, Cond{}", "pods connect over a family they lack"},
	{"reach/reach.go", "add(ids.Intersect(p.addressed[MayHave]), cond.and(familyExists[f]))", "", "pods that may have an address are never reached there"},
	{"reach/reach.go", "add(ids.Intersect(p.addressed[Has]), cond.and(exists))", "add(ids, cond.and(exists))", "pods are reached over a family they lack"},
	{"reach/reach.go", "if from.Holder < 0 || to.Holder < 0 {", "if false {", "an address does not show that its family is in use"},
	{"reach/reach.go", "return slices.Concat(a.anybody, a.by[id])", "return a.by[id]", "what admits very many admits nobody"},
	{"reach/reach.go", "p.throughServices(&out, class)", "", "what only a Service's address lets out is forgotten"},
	{"reach/explain.go", "CompareVerdicts(t.Verdict, best.Verdict) > 0", "CompareVerdicts(t.Verdict, best.Verdict) < 0", "the family that gets less far is explained"},
	{"reach/explain.go", "at.IDs = netset.Points(p.ID(peer.Holder, f))", "at.IDs = netset.Points(p.ID(peer.Holder, IPv4))", "IPv6 is explained by what holds for IPv4"},

	// Pods that do not exist.
	{"reach/hypothetical.go", "for _, rest := range h.pod.Minus(s.sub.Pod) {", "for _, rest := range []label.Selector{} {", "pods to come that a policy misses are forgotten"},
	{"reach/hypothetical.go", "for _, rest := range h.ns.Minus(sub) {", "for _, rest := range []label.Selector{} {", "namespaces to come that a policy misses are forgotten"},
	{"reach/hypothetical.go", "self := p.ID(class, in.Family)", "self := p.ID(class, IPv4)", "pods to come are judged by IPv4 for IPv6"},
	{"reach/region.go", "c.Family == d.Family && !out.NS.IsEmpty()", "!out.NS.IsEmpty()", "a block of one family holds pods to come in the other"},
	{"reach/hypothetical.go", "hit.stances = append(slices.Clip(h.stances), stance{s.stance, free})", "_ = free", "no policy isolates a pod to come"},

	// The algebra.
	{"netset/set.go", "|| last.Hi.Next() == r.Lo ", "", "runs that touch stay apart, so equal sets differ"},
	{"netset/set.go", "if s.runs[mid].Hi.Compare(p) < 0 {", "if s.runs[mid].Hi.Compare(p) <= 0 {", "the last point of a run is outside of it"},
	{"netset/set.go", "Run[T]{rest.Lo, cut.Lo.Prev()}", "Run[T]{rest.Lo, cut.Lo}", "a difference keeps the first point of what is taken out"},
	{"netset/set.go", "rest.Lo = cut.Hi.Next()", "rest.Lo = cut.Hi", "a difference keeps the last point of what is taken out"},
	{"netset/set.go", " || s.runs[i].Hi.Compare(r.Hi) < 0 {", " {", "a set covers what reaches beyond it"},
	{"netset/set.go", "if i < len(o.runs) && o.runs[i].Lo.Compare(r.Hi) <= 0 {\n			return true", "if i < len(o.runs) && o.runs[i].Lo.Compare(r.Hi) < 0 {\n			return true", "sets that share one point do not overlap"},
	{"netset/set.go", "earlier(r.Hi, o.runs[i].Hi)", "r.Hi", "an intersection reaches beyond one side"},
	{"netset/addr.go", "p.Bits()-96", "p.Bits()/4", "mapped prefixes get another length"},

	// Labels.
	{"label/selector.go", "func NotIn(values ...string) Values { return Values{absent: true, except: true,", "func NotIn(values ...string) Values { return Values{absent: false, except: true,", "NotIn wants the key"},
	{"label/selector.go", "Values{absent: !v.absent, except: !v.except, list: v.list}", "Values{absent: v.absent, except: !v.except, list: v.list}", "a complement keeps what lacks the key"},
	{"label/selector.go", "out.list = keep(w.list, v)", "out.list = w.list", "what is left out comes back"},
	{"label/selector.go", "must = must && has.and(r.values.not()).IsEmpty()", "must = must && true", "an unknown label certainly matches"},
	{"label/selector.go", "		within = within.Require(r.key, r.values)\n", "", "parts of a difference overlap"},
	{"label/label.go", "case slices.Contains(l.unknown, key):\n		return Exists()", "case slices.Contains(l.unknown, key):\n		return Absent()", "a label of unknown value is missing"},
}
