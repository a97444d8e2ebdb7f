package report

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// common is findings of several servers; one that differs only by its server is one.
type common struct {
	servers []audit.Server
	all     []shared
	at      map[string]int
}

// shared is a finding and whose it is.
type shared struct {
	finding.Finding
	key    string
	of     []string
	atHome bool // it is written where its server is
}

// together starts the findings of some servers, with those of the input.
func together(servers []audit.Server, input []finding.Finding) *common {
	c := &common{servers: servers, at: map[string]int{}}
	c.add(audit.Server{}, input)
	return c
}

func (c *common) add(srv audit.Server, fs []finding.Finding) {
	for _, f := range fs {
		s := shared{Finding: f, atHome: f.Origin == srv.Origin}
		where := f.Origin.Pos()
		if s.atHome {
			where = ""
		}
		s.key = strings.Join(append([]string{f.Rule, f.Severity.String(), f.Message, where, f.Fix}, f.CNI...), "\x00")
		i, ok := c.at[s.key]
		if !ok {
			i = len(c.all)
			c.at[s.key] = i
			c.all = append(c.all, s)
		}
		c.all[i].of = append(c.all[i].of, srv.ID)
	}
}

// ordered lists them worst first, then by rule, those of most servers first, then those on most
// plugins.
func (c *common) ordered() []shared {
	breadth := func(s shared) int {
		if s.CNI == nil {
			return reach.MaxProfiles
		}
		return len(s.CNI)
	}
	slices.SortStableFunc(c.all, func(a, b shared) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(len(b.of), len(a.of)), cmp.Compare(breadth(b), breadth(a)))
	})
	return c.all
}

// findings lists findings: all of them where they are few or verbose is on, else of each rule the
// first, and at most so many.
func (a auditText) findings(c *common, most int) Document {
	var fresh []shared
	var above []string
	var where string
	for _, f := range c.ordered() {
		if first, ok := a.said[f.key]; ok && !a.Verbose && f.Server != "" {
			if where = first; !slices.Contains(above, f.Rule) {
				above = append(above, f.Rule)
			}
			continue
		}
		fresh = append(fresh, f)
	}
	fold := !a.Verbose && len(above)+len(fresh) > most
	notes := Notes{}
	shown, left := len(above), 0
	for i := 0; i < len(fresh); {
		f := fresh[i]
		same := 1
		for fold && i+same < len(fresh) && fresh[i+same].Rule == f.Rule && fresh[i+same].Severity == f.Severity {
			same++
		}
		i += same
		if fold && shown >= most {
			left += same
			continue
		}
		shown++
		n := a.finding(f, c.servers)
		if same > 1 {
			n.Aside = append(n.Aside, fmt.Sprintf("and %d more of %s", same-1, f.Rule))
		}
		notes = append(notes, n)
		if len(c.servers) > 0 {
			a.said[f.key] = c.servers[0].ID
		}
	}
	if above != nil {
		notes = append(notes, Note{Tone: Dim, Label: "as for " + where + " above: " + strings.Join(above, ", ")})
	}
	if left > 0 {
		notes = append(notes, Note{Text: fmt.Sprintf("and %s: --verbose", count(left, "more finding")), Tone: Dim})
	}
	return Document{notes}
}

// finding is one finding: on which plugins and of which servers first, where these are not all.
func (a auditText) finding(f shared, servers []audit.Server) Note {
	n := Note{Label: f.Severity.String() + " " + f.Rule, Tone: severityTone(f.Severity), Text: f.Message}
	var scope []string
	if len(f.of) < len(servers) {
		scope = append(scope, some(f.of))
	}
	if f.CNI != nil {
		scope = append(scope, "on "+a.onCNIs(a.worlds(f.CNI)))
	}
	if scope != nil {
		n.Text = strings.Join(scope, ", ") + ": " + n.Text
	}
	if pos := f.Origin.Pos(); !f.atHome && pos != "" {
		n.Text += " (" + pos + ")"
	}
	if text := witness(f.Finding); text != "" {
		n.Aside = []string{"example: " + text}
	}
	if f.Fix != "" && a.Verbose {
		n.Below = []string{"fix: " + f.Fix}
	}
	return n
}

// witness is a connection that shows a finding, unless the message names it. Its condition stands
// in the message.
func witness(f finding.Finding) string {
	w := f.Witness
	if w == nil {
		return ""
	}
	says := func(end string) bool { return end == "" || end == f.Server || strings.Contains(f.Message, end) }
	port := w.Port == 0 || strings.Contains(f.Message, "any port") || slices.Contains(strings.FieldsFunc(f.Message, notDigit), strconv.Itoa(w.Port))
	if says(w.From) && says(w.To) && port {
		return ""
	}
	to := w.To
	if addr, err := netip.ParseAddr(to); err == nil && addr.Is6() {
		to = "[" + to + "]"
	}
	if w.Port != 0 {
		to += fmt.Sprintf(":%d/%s", w.Port, w.Protocol)
	}
	return w.From + " -> " + to
}

func notDigit(r rune) bool { return r < '0' || r > '9' }
