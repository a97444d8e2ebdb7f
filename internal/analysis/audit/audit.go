// Package audit judges every MCP server of a snapshot: its blast radius, its findings, its grade.
package audit

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/analysis/rule"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Result is an audit.
type Result struct {
	Program     *reach.Program // under which conditions hold
	Complete    bool
	Assumptions []string
	Problems    []finding.Problem
	Servers     []Server // worst first
	Findings    []finding.Finding
	Summary     Summary
}

// Server is one MCP server as the audit sees it.
type Server struct {
	ID        string // how findings name it: "namespace/name", with its kind between them where another server has the same
	Namespace string
	Name      string
	Kind      string
	Origin    origin.Origin
	Ports     []netset.Port
	Transport string
	Evidence  []model.Evidence
	Catalog   string
	Grade     string                        // under the profile that makes it worst
	Score     int                           // likewise
	Grades    map[string]string             // by profile, where they differ
	To        [len(blast.Dests)]blast.Reach // by blast.Dest
	By        []blast.Caller
}

// Summary counts.
type Summary struct {
	Servers    int            `json:"servers"`
	Gateways   int            `json:"gateways"`
	Agents     int            `json:"agents"`
	Workloads  int            `json:"workloads"`
	Policies   int            `json:"policies"`
	BySeverity map[string]int `json:"bySeverity"`
	Grade      string         `json:"grade"` // the worst server's
}

// Of audits the snapshot that p was compiled from. Where only is not nil, servers of which it says
// no are left out.
func Of(p *reach.Program, only func(*model.Workload) bool) Result {
	s := p.Snapshot
	p.Fold()
	atlas := blast.NewAtlas(p)
	res := Result{Program: p, Assumptions: Assumptions(p), Problems: slices.Clone(s.Problems),
		Summary: Summary{Workloads: len(s.Workloads), BySeverity: map[string]int{}}}
	var servers []int
	found := false
	for i, srv := range s.Servers {
		switch srv.Role {
		case model.IsServer:
			found = true
			if only == nil || only(&s.Workloads[srv.Workload]) {
				servers = append(servers, i)
			}
		case model.IsGateway:
			res.Summary.Gateways++
		case model.IsAgent:
			res.Summary.Agents++
		}
	}
	if !found {
		res.Problems = append(res.Problems, finding.Problem{Rule: "TM907", Message: "no MCP server found; workloads read: " + strconv.Itoa(len(s.Workloads)),
			Hint: `annotate the workload with toolmoat.dev/server: "true" if discovery does not know it`})
	}
	findings := rule.Input(atlas)
	judged := make([]Server, len(servers))
	each := make([][]finding.Finding, len(servers))
	parallel.Do(len(servers), func(i int) {
		radius := atlas.Of(servers[i])
		each[i] = rule.Server(atlas, radius)
		judged[i] = server(atlas, radius, each[i])
	})
	for _, fs := range each {
		findings = append(findings, fs...)
	}
	finding.Sort(findings)
	slices.SortStableFunc(judged, func(a, b Server) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(b.Grade, a.Grade), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Kind, b.Kind))
	})
	res.Servers, res.Findings, res.Complete = judged, findings, len(res.Problems) == 0
	res.Summary.Servers = len(judged)
	for i := range s.Policies {
		if len(s.Policies[i].Isolations) > 0 {
			res.Summary.Policies++
		}
	}
	for _, sev := range finding.Severities[:len(finding.Severities)-1] {
		res.Summary.BySeverity[sev.String()] = 0
	}
	for _, f := range findings {
		res.Summary.BySeverity[f.Severity.String()]++
	}
	for _, srv := range judged {
		res.Summary.Grade = max(res.Summary.Grade, srv.Grade)
	}
	return res
}

func server(atlas *blast.Atlas, radius blast.Radius, findings []finding.Finding) Server {
	srv := &atlas.Snapshot.Servers[radius.Server]
	w := &atlas.Snapshot.Workloads[srv.Workload]
	out := Server{ID: atlas.Name(radius.Server), Namespace: w.Namespace, Name: w.Name, Kind: w.Kind, Origin: w.Origin, Ports: srv.Ports,
		Transport: srv.Transport, Evidence: srv.Evidence, Catalog: srv.Catalog, To: radius.To, By: radius.By}
	out.Score, out.Grade, out.Grades = grades(findings, atlas.Names())
	return out
}
