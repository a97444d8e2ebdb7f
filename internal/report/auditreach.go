package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// conditionsShown is how many conditions an entry has before the rest is left to --verbose.
const conditionsShown = 2

var destinationNames = [...]string{
	blast.Metadata: "credential endpoints", blast.KubeAPI: "the Kubernetes API", blast.Nodes: "nodes", blast.DNS: "DNS", blast.OtherServers: "other MCP servers",
	blast.SameNamespace: "its namespace", blast.OtherNamespaces: "other namespaces", blast.PrivateNetworks: "private networks", blast.Internet: "the internet",
}

// itself is what conditions call the server, of which several may be alike.
const itself = "the server"

// lines puts a condition into words, one thing that must hold a line.
func (a auditText) lines(w when.When, src, dst string) []string {
	if a.res.Program.Verdict(w) == reach.NotEnforced {
		return []string{"not enforced"}
	}
	return a.res.Program.Unenforced(w).Lines(when.Always, a.names(src, dst))
}

// names are the words of conditions, of which a short report shows a few.
func (a auditText) names(src, dst string) when.Names {
	names := a.res.Program.Words(src, dst, "")
	if !a.Verbose {
		names.Max = conditionsShown
	}
	return names
}

// limit says on which CNIs something holds, where that is not all of them.
func (a auditText) limit(worlds reach.Worlds) string {
	for _, text := range a.lines(a.res.Program.On(worlds), "", "") {
		return text
	}
	return ""
}

// onCNIs names the CNIs on which something was found. It may be otherwise on the others, or the
// same for another reason.
func (a auditText) onCNIs(worlds reach.Worlds) string {
	return a.names("", "").On(uint64(worlds))
}

// stated collects what is said with the condition under which it is so.
type stated struct {
	auditText
	out     Fields
	unknown map[reach.Worlds][]string // what is unknown on some CNIs
}

func (a auditText) stated() *stated {
	return &stated{auditText: a, unknown: map[reach.Worlds][]string{}}
}

// say says text with its condition: CNIs alone in the same line, all else below. Of name, the CNIs
// on which it is unknown are said at the end.
func (s *stated) say(name, text string, w when.When, src, dst string) {
	p := s.res.Program
	if !s.Verbose {
		var unknown reach.Worlds
		for i := range p.AllProfiles() {
			if one := reach.Worlds(1 << i); p.In(one).Verdict(w) == reach.Unknown {
				unknown |= one
			}
		}
		if unknown != 0 && !slices.Contains(s.unknown[unknown], name) {
			s.unknown[unknown] = append(s.unknown[unknown], name)
		}
		if w = w.Minus(p.On(unknown)); w.IsNever() {
			return
		}
	}
	worlds := p.WorldsOf(w)
	if limit := s.limit(worlds); limit != "" && p.On(worlds).Implies(w) {
		s.out = append(s.out, Field{Text: text + "; " + limit})
	} else {
		s.out = append(s.out, Field{Text: text, Below: s.lines(w, src, dst)})
	}
}

// fields are what was said, and then what is unknown.
func (s *stated) fields() Fields {
	for _, worlds := range slices.Sorted(maps.Keys(s.unknown)) {
		where := s.limit(worlds)
		if where != "" {
			where = ", " + where
		}
		s.out = append(s.out, Field{Text: "unknown" + where + ", as a policy could not be judged: " + strings.Join(s.unknown[worlds], "; ")})
	}
	return s.out
}

// destinations says in words what a server can and cannot reach: in one line what it reaches whole
// and always, the rest a class a line, and what is on its own node alone together.
func (a auditText) destinations(srv audit.Server) Fields {
	var whole, own, no []string
	var ownOn reach.Worlds
	said := a.stated()
	p := a.res.Program
	for _, d := range blast.Dests {
		r := srv.To[d]
		if r.Verdict == reach.Denied {
			no = append(no, destinationNames[d])
			continue
		}
		for i, g := range a.alikeTargets(r.To) {
			if i > 0 && !a.Verbose { // the surest is enough
				break
			}
			w, text := g[0].When, destinationNames[d]
			if !a.Verbose {
				off := reach.OffNode(w)
				if on := p.WorldsOf(w) &^ p.WorldsOf(off); on != 0 {
					own, ownOn = append(own, text), ownOn|on
				}
				if w = off; w.IsNever() {
					break
				}
			}
			switch extent := a.extent(d, r, g); {
			case extent != "":
				said.say(text, text+": "+extent, w, itself, g[0].Noun())
			case w.IsAlways():
				whole = append(whole, text)
			default:
				said.say(text, text, w, itself, g[0].Noun())
			}
		}
	}
	if own != nil {
		said.say("", "on its own node alone: "+strings.Join(own, ", "), p.On(ownOn), "", "")
	}
	out := said.fields()
	if whole != nil {
		out = append(Fields{{Text: strings.Join(whole, "; ")}}, out...)
	}
	if out != nil {
		out[0].Name = "can reach"
	}
	if no != nil {
		out = append(out, Field{Name: "cannot reach", Text: strings.Join(no, ", "), Tone: Good})
	}
	return out
}

// alikeTargets puts targets of one class together that are reached under one condition. First comes
// what policies let be reached, of pods that exist, on most CNIs for certain.
func (a auditText) alikeTargets(ts []blast.Target) [][]blast.Target {
	var out [][]blast.Target
	for _, t := range ts {
		i := slices.IndexFunc(out, func(g []blast.Target) bool { return g[0].When.Equal(t.When) })
		if i < 0 {
			i, out = len(out), append(out, nil)
		}
		out[i] = append(out[i], t)
	}
	rank := func(g []blast.Target) (rank int) {
		w := g[0].When
		rank = a.res.Program.WorldsOf(blast.Certain(w)).Count()*reach.MaxProfiles + a.res.Program.WorldsOf(w).Count()
		if reach.OnOwnNode(w) || areNew(g) {
			rank -= reach.MaxProfiles * reach.MaxProfiles
		}
		return rank
	}
	slices.SortStableFunc(out, func(g, h []blast.Target) int { return rank(h) - rank(g) })
	return out
}

// areNew reports whether targets are nothing but pods that do not exist yet.
func areNew(ts []blast.Target) bool {
	return !slices.ContainsFunc(ts, func(t blast.Target) bool { return !t.New })
}

// extent says what of a class of destinations some targets are, where it is not all of it on any
// port.
func (a auditText) extent(d blast.Dest, r blast.Reach, ts []blast.Target) string {
	open := entries(ts)
	switch {
	case len(open) == 0:
		return ""
	case r.Extent == blast.All && len(open) == len(entries(r.To)) && (d != blast.Internet || r.AddrsOnAll(netset.AllConns).Covers(special.Internet)):
		return ""
	case areNew(ts) && !a.Verbose:
		return "new pods on " + open[0].conns.String()
	}
	return onPorts(open, open[0].conns)
}

// onPorts names the entries that are open on the same ports.
func onPorts(es []entry, conns netset.Conns) string {
	return listed(slices.DeleteFunc(slices.Clone(es), func(e entry) bool { return !e.conns.Equal(conns) }), 2) + " on " + conns.String()
}

// entry is what can be reached, by name.
type entry struct {
	what  string
	bits  int // of addresses: a short prefix is much
	conns netset.Conns
}

// entries names targets, the widest first. What has no name of its own is left out, and where there
// is something else pods that do not exist yet, and what is left of the addresses of special
// endpoints, which are of another class.
func entries(ts []blast.Target) []entry {
	var out, lesser []entry
	for _, t := range ts {
		e := entry{t.Pods + string(t.Host), t.CIDR.Bits(), t.Conns}
		switch {
		case t.Except != nil:
			e.what = "all but " + count(len(t.Except), "range")
		case t.CIDR.IsValid() && t.CIDR.Bits() == 0 && t.CIDR.Addr().Is4():
			e.what = "all of IPv4"
		case t.CIDR.IsValid() && t.CIDR.Bits() == 0:
			e.what = "all of IPv6"
		case t.CIDR.IsSingleIP():
			e.what = t.CIDR.Addr().String()
		case t.CIDR.IsValid():
			e.what = t.CIDR.String()
		}
		if e.what == "" {
			continue
		}
		to := &out
		if t.New || t.Name == "" && t.CIDR.IsValid() && specialAddrs().Covers(t.Addrs()) {
			to = &lesser
		}
		if !slices.ContainsFunc(*to, func(o entry) bool { return o.what == e.what && o.conns.Equal(e.conns) }) {
			*to = append(*to, e)
		}
	}
	if out == nil {
		out = lesser
	}
	slices.SortStableFunc(out, func(e, f entry) int { return e.bits - f.bits })
	return out
}

var specialAddrs = sync.OnceValue(func() netset.Addrs {
	var all []netset.Addrs
	for _, e := range special.Endpoints {
		all = append(all, netset.Points(e.Addrs...))
	}
	return netset.Union(all...)
})

// listed names up to n entries, and how many more there are.
func listed(es []entry, n int) string {
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = e.what
	}
	if len(names) > n {
		names = append(names[:n], strconv.Itoa(len(names)-n)+" more")
	}
	return strings.Join(names, ", ")
}

// callers says who can connect to a server, one a line. That its own node can is an assumption of
// every report.
func (a auditText) callers(cs []blast.Caller) Fields {
	anybody := slices.ContainsFunc(cs, func(c blast.Caller) bool { return c.Who == blast.AnyPod && c.When.IsAlways() })
	said := a.stated()
	var shown []blast.Caller
	for _, c := range cs {
		if c.Who == blast.NodeCallers {
			c.When = reach.OffNode(c.When)
		}
		switch {
		case anybody && c.Who != blast.AnyPod && c.Who != blast.External, c.When.IsNever():
		case slices.ContainsFunc(shown, func(o blast.Caller) bool { return who(o) == who(c) && (!a.Verbose || o.When.Equal(c.When)) }):
		default:
			shown = append(shown, c)
		}
	}
	for i, c := range shown {
		if i == callersShown && !a.Verbose {
			said.out = append(said.out, Field{Text: fmt.Sprintf("and %d more (--verbose)", len(shown)-i)})
			break
		}
		said.say(who(c), who(c), c.When, c.Who.Noun(), itself)
	}
	out := said.fields()
	if out == nil {
		out = Fields{{Text: "no pods (only the node it runs on)"}}
	}
	out[0].Name = "called by"
	return out
}

// who names a caller.
func who(c blast.Caller) string {
	switch c.Who {
	case blast.AnyPod, blast.Hypothetical, blast.NamespacePod:
		return c.Text
	case blast.NodeCallers:
		return "nodes"
	case blast.GatewayPods:
		return "gateway " + some(c.Names)
	case blast.Pods:
		return some(c.Names)
	}
	return "from outside: " + some(c.Names)
}

func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + " and " + strconv.Itoa(len(names)-3) + " more"
	}
	return strings.Join(names, ", ")
}
