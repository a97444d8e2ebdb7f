package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// shortCondition is how long the text of a condition may be to stand in a list; what is longer stands with --verbose.
const shortCondition = 64

// commonScope is how many classes of destinations with the same limit to some plugins share one mention of it.
const commonScope = 3

// destinations says in words what a server can and cannot reach.
func (a auditText) destinations(srv audit.Server) (can, cannot string) {
	var no []string
	var yes []destination
	limits := map[string]int{}
	for _, d := range blast.Dests {
		r := srv.Reach[d.String()]
		if r.Verdict == reach.Denied {
			no = append(no, destinationNames[d])
			continue
		}
		yes = append(yes, a.destination(d, r))
		limits[yes[len(yes)-1].on]++
	}
	var each, together []string
	hoisted := ""
	for _, d := range yes {
		if limits[d.on] >= commonScope && d.on != "" && (hoisted == "" || hoisted == d.on) {
			hoisted = d.on
			d.on = ""
			together = append(together, d.String())
			continue
		}
		each = append(each, d.String())
	}
	if together != nil {
		each = append(each, hoisted+": "+strings.Join(together, ", "))
	}
	return strings.Join(each, "; "), strings.Join(no, ", ")
}

// destination is what of a class can be reached, in words.
type destination struct{ name, extent, on, cond string }

func (d destination) String() string {
	parts := slices.DeleteFunc([]string{d.extent, d.on, d.cond}, func(text string) bool { return text == "" })
	if len(parts) == 0 {
		return d.name
	}
	return d.name + " (" + strings.Join(parts, "; ") + ")"
}

var destinationNames = map[blast.Dest]string{
	blast.Metadata: "credential endpoints", blast.KubeAPI: "the Kubernetes API", blast.Nodes: "nodes", blast.DNS: "DNS", blast.OtherServers: "other MCP servers",
	blast.SameNamespace: "its namespace", blast.OtherNamespaces: "other namespaces", blast.PrivateNetworks: "private networks", blast.Internet: "the internet",
}

// destination says what of a class can be reached, where that is not all of it, on which plugins, where these are not all, and under which condition,
// where it always has the same one.
func (a auditText) destination(d blast.Dest, r audit.Reach) destination {
	out := destination{name: destinationNames[d]}
	if r.Verdict == reach.Unknown {
		out.cond = "unknown"
		return out
	}
	own := d == blast.Nodes && !slices.ContainsFunc(r.To, func(t audit.Target) bool { return !ownNode(t) })
	worlds := worldsOf(r.To)
	out.extent, out.on = extent(d, r, worlds), a.only(a.in(worlds))
	cond, always := condition(r.To)
	if own {
		out.name = "its own node"
		cond = strings.TrimPrefix(strings.TrimPrefix(cond, reach.OwnNode), ", and ")
		always = cond != ""
	}
	switch {
	case !always:
	case cond == "" || len(cond) > shortCondition && !a.Verbose:
		out.cond = "depends"
	default:
		out.cond = "if " + cond
	}
	return out
}

// ownNode reports whether a target is nothing but the pod's own node.
func ownNode(t audit.Target) bool {
	return strings.Contains(t.If, reach.OwnNode) && !strings.Contains(t.If, ", or ")
}

// worldsOf is the plugins under which some of the targets can be reached.
func worldsOf(ts []audit.Target) (w reach.Worlds) {
	for _, t := range ts {
		w |= t.Worlds
	}
	return w
}

// condition is what always must hold, "" if that differs; always is false if something is reached whatever holds.
func condition(ts []audit.Target) (cond string, always bool) {
	for i, t := range ts {
		if t.If == "" {
			return "", false
		}
		if i == 0 {
			cond = t.If
		} else if cond != t.If {
			cond = ""
		}
		always = true
	}
	return cond, always
}

// extent says how much of a destination class is open, where it is not all of it on any port: what is under all the plugins that let something through.
func extent(d blast.Dest, r audit.Reach, worlds reach.Worlds) string {
	if r.Extent == blast.All && d != blast.Internet {
		return ""
	}
	all := entries(r.To)
	open := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return !e.worlds.Covers(worlds) })
	if len(open) == 0 && len(all) > 0 {
		return "in part"
	} else if len(open) == 0 {
		return ""
	}
	slices.SortStableFunc(open, func(e, f entry) int { return cmp.Compare(bits(e.what), bits(f.what)) })
	first := open[0].conns
	return listed(slices.DeleteFunc(open, func(e entry) bool { return e.conns != first }), 2) + " on " + first
}

// entry is what can be reached without a condition, on the same ports, and under which plugins.
type entry struct {
	what, conns string
	worlds      reach.Worlds
	fresh       bool // pods that do not exist yet
}

// entries puts together what differs only in plugins. What has no name of its own is left out, and where there is something else pods that do not exist
// yet, and what is left of the addresses of special endpoints, which are of another class.
func entries(ts []audit.Target) []entry {
	type key struct {
		what, conns string
		lesser      bool
	}
	var out, lesser []entry
	at := map[key]int{}
	for _, t := range ts {
		e := entry{t.CIDR + t.Pods + t.Host, partsText(t.Conns), t.Worlds, t.New}
		if t.Base != reach.Allowed && t.Base != reach.NotEnforced || e.what == "" {
			continue
		}
		if t.Except != nil {
			e.what = "all but " + count(len(t.Except), "range")
		}
		k := key{e.what, e.conns, t.New || t.Name == "" && isSpecial(t.CIDR)}
		to := &out
		if k.lesser {
			to = &lesser
		}
		if i, ok := at[k]; ok {
			(*to)[i].worlds |= e.worlds
			continue
		}
		at[k] = len(*to)
		*to = append(*to, e)
	}
	if out == nil {
		return lesser
	}
	return out
}

// isSpecial reports whether a CIDR holds nothing but addresses of special endpoints.
func isSpecial(cidr string) bool {
	prefix, err := netip.ParsePrefix(cidr)
	return err == nil && specialAddrs().Covers(netset.Prefixes(prefix))
}

var specialAddrs = sync.OnceValue(func() netset.Addrs {
	var all []netip.Addr
	for _, e := range special.Endpoints {
		all = append(all, e.Addrs...)
	}
	return netset.Points(all...)
})

// listed names up to n entries, and how many more there are.
func listed(es []entry, n int) string {
	var names []string
	seen := map[string]bool{}
	for _, e := range es {
		name := strings.TrimSuffix(strings.TrimSuffix(e.what, "/32"), "/128")
		if name == "0.0.0.0/0" {
			name = "all of IPv4"
		} else if name == "::/0" {
			name = "all of IPv6"
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) > n {
		names = append(names[:n], strconv.Itoa(len(names)-n)+" more")
	}
	return strings.Join(names, ", ")
}

// bits is the length of a prefix; what is none comes first.
func bits(cidr string) int {
	_, length, _ := strings.Cut(cidr, "/")
	n, _ := strconv.Atoi(length)
	return n
}

func partsText(parts []netset.Part) string {
	var texts []string
	for _, p := range parts {
		text := p.Protocol + " " + p.Ports
		if p.Ports == "1-65535" {
			text = p.Protocol + " any port"
		}
		texts = append(texts, text)
	}
	if len(parts) == len(netset.Protocols) && !slices.ContainsFunc(parts, func(p netset.Part) bool { return p.Ports != "1-65535" }) {
		return "any port"
	}
	return strings.Join(texts, " · ")
}

// callers says in words who can connect to a server. What a node always can is left out: it is an assumption of every report.
func (a auditText) callers(cs []audit.Caller) string {
	anybody := slices.ContainsFunc(cs, func(c audit.Caller) bool {
		return c.Who == blast.AnyPod && (c.Verdict == reach.Allowed || c.Verdict == reach.NotEnforced)
	})
	type caller struct {
		text, cond string
		worlds     reach.Worlds
	}
	var found []caller
	for _, c := range cs {
		if anybody && c.Who != blast.AnyPod && c.Who != blast.External || c.Who == blast.NodeCallers && c.Base == reach.Depends {
			continue
		}
		one := caller{who(c), "", c.Worlds}
		switch {
		case c.Base == reach.Unknown:
			one.cond = "unknown"
		case c.Base == reach.Depends:
			one.cond = "if " + c.If
		}
		i := slices.IndexFunc(found, func(f caller) bool { return f.text == one.text && f.cond == one.cond })
		if i < 0 {
			found = append(found, one)
		} else {
			found[i].worlds |= one.worlds
		}
	}
	if found == nil {
		return "nobody but its own node"
	}
	var texts []string
	for _, c := range found {
		var notes []string
		if on := a.only(a.in(c.worlds)); on != "" {
			notes = append(notes, on)
		}
		if c.cond != "" {
			notes = append(notes, c.cond)
		}
		if notes != nil {
			c.text += " (" + strings.Join(notes, "; ") + ")"
		}
		texts = append(texts, c.text)
	}
	if len(texts) > callersShown {
		texts = append(texts[:callersShown], strconv.Itoa(len(texts)-callersShown)+" more")
	}
	return strings.Join(texts, "; ")
}

// who names a caller.
func who(c audit.Caller) string {
	switch c.Who {
	case blast.AnyPod, blast.Hypothetical:
		return strings.Replace(c.Text, "new pod", "pod", 1)
	case blast.NamespacePod:
		return "any pod of its namespace"
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
