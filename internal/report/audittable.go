package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// table says what a server can reach, with a row for each class of destinations and a column for
// each CNI, and the conditions below.
func (a auditText) table(srv audit.Server) Document {
	t := Table{Header: append([]string{"CAN IT REACH"}, a.res.Program.Names()...)}
	var notes footnotes
	for _, d := range blast.Dests {
		row := []string{destinationNames[d]}
		for i, profile := range a.res.Program.AllProfiles() {
			row = append(row, a.cell(d, srv.To[d], reach.Worlds(1<<i), profile.Cloud, &notes))
		}
		t.Rows = append(t.Rows, row)
	}
	below := Notes{}
	for i, n := range notes {
		lines := a.lines(n.when, itself, n.host)
		below = append(below, Note{Label: mark(i), Tone: Dim, Text: lines[0], Below: lines[1:]})
	}
	if len(below) == 0 {
		return Document{t, Heading{}}
	}
	return Document{t, below, Heading{}}
}

// footnotes are conditions, each once.
type footnotes []footnote

type footnote struct {
	when when.When
	host string // what it is about, if a name
}

// on returns the marks of the conditions under which targets can be reached.
func (f *footnotes) on(ts []blast.Target) string {
	var marks []string
	for _, t := range ts {
		i := slices.IndexFunc(*f, func(n footnote) bool { return n.host == string(t.Host) && n.when.Equal(t.When) })
		if i < 0 {
			i, *f = len(*f), append(*f, footnote{t.When, string(t.Host)})
		}
		if m := mark(i); !slices.Contains(marks, m) {
			marks = append(marks, m)
		}
	}
	if len(marks) > conditionsShown {
		marks = append(marks[:conditionsShown], fmt.Sprintf("and %d more", len(marks)-conditionsShown))
	}
	return strings.Join(marks, " ")
}

func mark(i int) string { return fmt.Sprintf("[%d]", i+1) }

// cell says what of a class of destinations can be reached under one CNI: what passes for certain,
// or what may.
func (a auditText) cell(d blast.Dest, r blast.Reach, world reach.Worlds, cloud string, notes *footnotes) string {
	var certain, perhaps []blast.Target
	p := a.res.Program.In(world)
	unenforced := false
	for _, t := range r.To {
		in, ok := p.BoxIn(reach.Box{When: t.When})
		if !ok || d == blast.Metadata && !inCloud(t, cloud) {
			continue
		}
		switch t.When, t.Verdict = in.When, in.Verdict; t.Verdict {
		case reach.Unknown:
			return "unknown"
		case reach.Depends:
			perhaps = append(perhaps, t)
		default:
			unenforced = unenforced || t.Verdict == reach.NotEnforced
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
	case d == blast.Nodes && !slices.ContainsFunc(perhaps, func(t blast.Target) bool { return !reach.OnOwnNode(t.When) }):
		return "own node only"
	}
	return amount(d, r, perhaps, cloud) + " " + notes.on(perhaps)
}

// besides says what else may be reached, where something certainly is.
func besides(d blast.Dest, certain, perhaps []blast.Target, notes *footnotes) string {
	var more []blast.Target
	own, has := false, namesOf(certain)
	for _, t := range perhaps {
		switch {
		case has[name(t)]:
		case d == blast.Nodes && reach.OnOwnNode(t.When):
			own = true
		default:
			more = append(more, t)
		}
	}
	text := ""
	if own {
		text = "; its own node"
	}
	if open := entries(more); more != nil && areNew(more) {
		text += "; also new pods " + notes.on(more)
	} else if len(open) > 0 {
		text += "; also " + listed(open, 1) + " " + notes.on(more)
	} else if more != nil {
		text += "; also more " + notes.on(more)
	}
	return text
}

// name is what tells the targets of a class apart.
func name(t blast.Target) string { return t.CIDR.String() + t.Pods + string(t.Host) + t.Name }

func namesOf(ts []blast.Target) map[string]bool {
	out := map[string]bool{}
	for _, t := range ts {
		out[name(t)] = true
	}
	return out
}

// inCloud reports whether a credential endpoint is one of a cloud, "" for any.
func inCloud(t blast.Target, cloud string) bool {
	return cloud == "" || slices.ContainsFunc(special.Endpoints, func(e special.Endpoint) bool {
		return e.Kind == special.Credential && e.In(cloud) && slices.Contains(e.Addrs, t.CIDR.Addr())
	})
}

// amount says how much some targets are, of what of their class can be reached under any CNI.
func amount(d blast.Dest, r blast.Reach, ts []blast.Target, cloud string) string {
	has := namesOf(ts)
	lacks := slices.ContainsFunc(r.To, func(t blast.Target) bool { return (d != blast.Metadata || inCloud(t, cloud)) && !has[name(t)] })
	if r.Extent == blast.All && !lacks && d != blast.Internet {
		return "all"
	}
	if d == blast.Metadata {
		return endpoints(ts)
	}
	open := entries(ts)
	if len(open) == 0 {
		return "all"
	}
	if areNew(ts) {
		return "new pods on " + open[0].conns.String()
	}
	var texts []string
	for len(open) > 0 && len(texts) < 2 {
		conns := open[0].conns
		texts = append(texts, onPorts(open, conns))
		open = slices.DeleteFunc(open, func(e entry) bool { return e.conns.Equal(conns) })
	}
	if len(open) > 0 {
		texts = append(texts, fmt.Sprintf("%d more", len(open)))
	}
	return strings.Join(texts, "; ")
}

// endpoints names the first of some credential endpoints, those that every machine has before the
// others, and says how many more there are.
func endpoints(ts []blast.Target) string {
	var names []string
	for _, usual := range []bool{true, false} {
		for _, t := range ts {
			is := slices.ContainsFunc(special.Endpoints, func(e special.Endpoint) bool { return e.Default && slices.Contains(e.Addrs, t.CIDR.Addr()) })
			name := netip.AddrPortFrom(t.CIDR.Addr(), uint16(t.Conns.Of(netset.TCP).First())).String()
			if is == usual && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) > 2 {
		return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
	}
	return strings.Join(names, ", ")
}
