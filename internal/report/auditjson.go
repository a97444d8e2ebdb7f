package report

import (
	"bufio"
	"io"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// AuditSchema names the shape of what [AuditJSON] writes: a basis with "servers", "findings" and
// "summary".
const AuditSchema = "toolmoat.dev/audit/v1"

type auditHead struct {
	Schema string `json:"schema"`
	Basis
}

// auditServer is one MCP server.
type auditServer struct {
	Namespace   string                `json:"namespace"`
	Name        string                `json:"name"`
	Kind        string                `json:"kind"`
	Origin      origin.Origin         `json:"origin"`
	Ports       []netset.Port         `json:"ports"`
	Transport   string                `json:"transport"`
	Evidence    []model.Evidence      `json:"evidence"`
	Catalog     string                `json:"catalog,omitempty"`
	Grade       string                `json:"grade"`            // under the CNI that makes it worst
	Score       int                   `json:"score"`            // likewise
	Grades      map[string]string     `json:"grades,omitempty"` // by CNI, where they differ
	Reach       map[string]auditReach `json:"reach"`            // by class of destinations
	ReachableBy []auditCaller         `json:"reachableBy"`
}

// auditReach is what a server can reach of one class of destinations.
type auditReach struct {
	Verdict reach.Verdict   `json:"verdict"`
	Extent  blast.Extent    `json:"extent"`
	To      []auditTarget   `json:"to"`
	Because []origin.Origin `json:"because"`
}

// auditTarget is part of it: one of CIDR, Host and Pods says what, and Name what it is known as;
// Name alone stands for what has no address in the input.
type auditTarget struct {
	CIDR    string         `json:"cidr,omitempty"`   // the addresses of the class in it
	Except  []netip.Prefix `json:"except,omitempty"` // without these
	Host    netset.Name    `json:"host,omitempty"`   // a host name, or a pattern of such
	Pods    string         `json:"pods,omitempty"`   // "namespace/name", "namespace/*", "*", or in words for pods that do not exist
	Name    string         `json:"name,omitempty"`
	Conns   []netset.Part  `json:"conns"`
	Verdict reach.Verdict  `json:"verdict"`
	condition
}

// auditCaller is who can connect to a server.
type auditCaller struct {
	Who     blast.Who     `json:"who"`
	Names   []string      `json:"names,omitempty"`
	Labels  label.Set     `json:"labels,omitempty"`
	Text    string        `json:"text,omitempty"`
	Verdict reach.Verdict `json:"verdict"`
	Conns   []netset.Part `json:"conns"`
	condition
}

// AuditJSON writes an audit as JSON, one server and one finding at a time.
func AuditJSON(w io.Writer, res audit.Result) error {
	basis := Basis{res.Program.Names(), res.Program.Assumed().String(), res.Complete, res.Assumptions, res.Problems}
	out := bufio.NewWriter(w)
	said := worded{res.Program, map[wordedKey]condition{}}
	err := object(out, auditHead{AuditSchema, basis.orEmpty()}, func() error {
		if err := list(out, "servers", slices.Values(res.Servers), func(srv audit.Server) any { return said.server(srv) }); err != nil {
			return err
		}
		if err := list(out, "findings", slices.Values(res.Findings), func(f finding.Finding) any { return f }); err != nil {
			return err
		}
		return member(out, "summary", res.Summary)
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// worded keeps conditions in JSON, as few are said of many servers.
type worded struct {
	p    *reach.Program
	kept map[wordedKey]condition
}

type wordedKey struct {
	when     when.When
	src, dst string
}

func (s worded) condition(w when.When, v reach.Verdict, src, dst string) condition {
	if v >= reach.NotEnforced {
		return condition{}
	}
	key := wordedKey{w, src, dst}
	out, ok := s.kept[key]
	if !ok {
		out = conditionOf(w, v, s.p.Words(src, dst, ""))
		s.kept[key] = out
	}
	return out
}

func (s worded) server(srv audit.Server) auditServer {
	out := auditServer{Namespace: srv.Namespace, Name: srv.Name, Kind: srv.Kind, Origin: srv.Origin, Ports: append([]netset.Port{}, srv.Ports...),
		Transport: srv.Transport, Evidence: append([]model.Evidence{}, srv.Evidence...), Catalog: srv.Catalog, Grade: srv.Grade, Score: srv.Score, Grades: srv.Grades,
		Reach: make(map[string]auditReach, len(blast.Dests)), ReachableBy: make([]auditCaller, 0, len(srv.By))}
	for _, d := range blast.Dests {
		got := srv.To[d]
		r := auditReach{Verdict: got.Verdict, Extent: got.Extent, To: make([]auditTarget, 0, len(got.To)), Because: blast.Origins(got.Because)}
		for _, t := range got.To {
			to := auditTarget{Except: t.Except, Host: t.Host, Pods: t.Pods, Name: t.Name, Conns: t.Conns.Parts(), Verdict: t.Verdict,
				condition: s.condition(t.When, t.Verdict, itself, t.Noun())}
			if t.CIDR.IsValid() {
				to.CIDR = t.CIDR.String()
			}
			r.To = append(r.To, to)
		}
		out.Reach[d.String()] = r
	}
	for _, c := range srv.By {
		out.ReachableBy = append(out.ReachableBy, auditCaller{c.Who, c.Names, c.Labels, c.Text, c.Verdict, c.Conns.Parts(),
			s.condition(c.When, c.Verdict, c.Who.Noun(), itself)})
	}
	return out
}
