package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// table says what a server can reach, with a row for each class of destinations and a column for each network plugin, and the conditions below.
func (a auditText) table(srv audit.Server) Document {
	t := Table{Header: append([]string{"CAN IT REACH"}, a.names...)}
	var notes footnotes
	for _, d := range blast.Dests {
		row := []string{destinationNames[d]}
		r := srv.Reach[d.String()]
		for i, name := range a.names {
			row = append(row, reachCell(d, r, i, cloudOf(name), &notes))
		}
		t.Rows = append(t.Rows, row)
	}
	doc := Document{t, Heading{}}
	if len(notes) > 0 {
		below := Notes{}
		for i, text := range notes {
			below = append(below, Note{Label: mark(i), Tone: Dim, Text: "if " + text})
		}
		doc = Document{t, below, Heading{}}
	}
	return doc
}

func namesOf(ts []audit.Target) map[string]bool {
	out := map[string]bool{}
	for _, t := range ts {
		out[name(t)] = true
	}
	return out
}

// footnotes are conditions, each once.
type footnotes []string

// on returns the mark of a condition.
func (f *footnotes) on(cond string) string {
	i := slices.Index(*f, cond)
	if i < 0 {
		i = len(*f)
		*f = append(*f, cond)
	}
	return mark(i)
}

// all says under which conditions targets can be reached.
func (f *footnotes) all(ts []audit.Target) string {
	var marks []string
	for _, t := range ts {
		if m := f.on(t.If); !slices.Contains(marks, m) {
			marks = append(marks, m)
		}
	}
	return "if " + strings.Join(marks, ", ")
}

func mark(i int) string { return fmt.Sprintf("[%d]", i+1) }

func cloudOf(plugin string) string {
	p, _ := cni.ByName(plugin)
	return p.Cloud
}

// reachCell says what of a class of destinations can be reached under one plugin: what passes for certain, or what may.
func reachCell(d blast.Dest, r audit.Reach, plugin int, cloud string, notes *footnotes) string {
	var certain, perhaps []audit.Target
	unenforced := false
	for _, t := range r.To {
		switch {
		case !t.Worlds.Has(plugin) || d == blast.Metadata && !inCloud(t, cloud):
		case t.Base == reach.Unknown:
			return "unknown"
		case t.Base == reach.Depends:
			perhaps = append(perhaps, t)
		default:
			unenforced = unenforced || t.Base == reach.NotEnforced
			certain = append(certain, t)
		}
	}
	switch {
	case unenforced:
		return "not enforced"
	case len(certain) > 0:
		return amount(d, r, certain, cloud) + besides(d, certain, perhaps, notes)
	case len(perhaps) == 0:
		return "denied"
	case d == blast.Nodes && !slices.ContainsFunc(perhaps, func(t audit.Target) bool { return !ownNode(t) }):
		return "own node only"
	}
	return amount(d, r, perhaps, cloud) + " " + notes.all(perhaps)
}

// besides says what else may be reached, where something certainly is.
func besides(d blast.Dest, certain, perhaps []audit.Target, notes *footnotes) string {
	var more []audit.Target
	own, has := false, namesOf(certain)
	for _, t := range perhaps {
		switch {
		case has[name(t)]:
		case d == blast.Nodes && ownNode(t):
			own = true
		default:
			more = append(more, t)
		}
	}
	text := ""
	if own {
		text = "; its own node"
	}
	if more != nil {
		text += "; more " + notes.all(more)
	}
	return text
}

// name is what tells the targets of a class apart.
func name(t audit.Target) string { return t.CIDR + t.Pods + t.Host + t.Name }

// inCloud reports whether a credential endpoint is one of a cloud, "" for any.
func inCloud(t audit.Target, cloud string) bool {
	prefix, err := netip.ParsePrefix(t.CIDR)
	return cloud == "" || err != nil || slices.ContainsFunc(special.Endpoints, func(e special.Endpoint) bool {
		return e.Kind == special.Credential && e.In(cloud) && slices.Contains(e.Addrs, prefix.Addr())
	})
}

// amount says how much some targets are, of what of their class can be reached under any plugin.
func amount(d blast.Dest, r audit.Reach, ts []audit.Target, cloud string) string {
	has := namesOf(ts)
	lacks := slices.ContainsFunc(r.To, func(t audit.Target) bool { return (d != blast.Metadata || inCloud(t, cloud)) && !has[name(t)] })
	if r.Extent == blast.All && !lacks && d != blast.Internet {
		return "all"
	}
	if d == blast.Metadata {
		return endpoints(ts)
	}
	for i := range ts {
		ts[i].Base = reach.Allowed // that they are reached is settled
	}
	open := entries(ts)
	if len(open) == 0 {
		return "all"
	}
	if !slices.ContainsFunc(open, func(e entry) bool { return !e.fresh }) {
		return "new pods on " + open[0].conns
	}
	slices.SortStableFunc(open, func(e, f entry) int { return bits(e.what) - bits(f.what) })
	var texts []string
	for len(open) > 0 && len(texts) < 2 {
		conns := open[0].conns
		texts = append(texts, listed(slices.DeleteFunc(slices.Clone(open), func(e entry) bool { return e.conns != conns }), 2)+" on "+conns)
		open = slices.DeleteFunc(open, func(e entry) bool { return e.conns == conns })
	}
	if len(open) > 0 {
		texts = append(texts, fmt.Sprintf("%d more", len(open)))
	}
	return strings.Join(texts, "; ")
}

// endpoints names the first of some credential endpoints, those that every machine has before the others, and says how many more there are.
func endpoints(ts []audit.Target) string {
	var names []string
	for _, usual := range []bool{true, false} {
		for _, t := range ts {
			prefix, err := netip.ParsePrefix(t.CIDR)
			if err != nil || len(t.Conns) == 0 {
				continue
			}
			is := slices.ContainsFunc(special.Endpoints, func(e special.Endpoint) bool { return e.Default && slices.Contains(e.Addrs, prefix.Addr()) })
			at := prefix.Addr().String()
			if prefix.Addr().Is6() {
				at = "[" + at + "]"
			}
			port, _, _ := strings.Cut(t.Conns[0].Ports, ",")
			port, _, _ = strings.Cut(port, "-")
			if name := at + ":" + port; is == usual && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) > 2 {
		return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	}
	return strings.Join(names, ", ")
}
