// Package audit judges every MCP server of a snapshot: its blast radius, its findings, its grade. [Result] is the JSON
// contract of the audit command.
package audit

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/analysis/rule"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Schema names the shape of a [Result].
const Schema = "toolmoat.dev/audit/v1"

// Result is an audit.
type Result struct {
	Schema      string            `json:"schema"`
	CNI         []string          `json:"cni"`
	Complete    bool              `json:"complete"`
	Assumptions []string          `json:"assumptions"`
	Problems    []finding.Problem `json:"problems"`
	Servers     []Server          `json:"servers"` // worst first
	Findings    []finding.Finding `json:"findings"`
	Summary     Summary           `json:"summary"`
}

// Server is one MCP server as the audit sees it.
type Server struct {
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Kind        string            `json:"kind"`
	Origin      origin.Origin     `json:"origin"`
	Ports       []netset.Port     `json:"ports"`
	Transport   string            `json:"transport"`
	Evidence    []model.Evidence  `json:"evidence"`
	Catalog     string            `json:"catalog,omitempty"`
	Grade       string            `json:"grade"`            // under the profile that makes it worst
	Score       int               `json:"score"`            // likewise
	Grades      map[string]string `json:"grades,omitempty"` // by profile, where they differ
	Reach       map[string]Reach  `json:"reach"`            // by blast.Dest
	ReachableBy []Caller          `json:"reachableBy"`

	id string
}

// ID is how findings name the server: "namespace/name", with its kind between them where another server has the same.
func (s Server) ID() string { return s.id }

// Reach is what the server can reach of one class of destinations.
type Reach struct {
	Verdict reach.Verdict   `json:"verdict"`
	Extent  blast.Extent    `json:"extent"`
	To      []Target        `json:"to"`
	Because []origin.Origin `json:"because"`
}

// Target is part of what can be reached: one of CIDR, Host and Pods says what, and Name what it is known as; Name alone stands for what has no
// address in the input.
type Target struct {
	CIDR    string         `json:"cidr,omitempty"`   // the addresses of the class in it
	Except  []netip.Prefix `json:"except,omitempty"` // without these
	Host    string         `json:"host,omitempty"`   // a host name, or a pattern of such
	Pods    string         `json:"pods,omitempty"`   // "namespace/name", "namespace/*", "*", or in words for pods that do not exist
	Name    string         `json:"name,omitempty"`
	Conns   []netset.Part  `json:"conns"`
	Verdict reach.Verdict  `json:"verdict"`
	When    string         `json:"when,omitempty"`
	New     bool           `json:"-"` // pods that do not exist yet
	Under
}

// Under says under which profiles something holds, for texts that name them in their own way.
type Under struct {
	Worlds reach.Worlds  `json:"-"` // by index into [Result.CNI]
	Base   reach.Verdict `json:"-"` // the verdict there
	If     string        `json:"-"` // what else must hold there
}

// under takes apart what the engine says: its condition names the profiles first. What is reached only where nothing enforces policies is so because of
// that.
func under(atlas *blast.Atlas, worlds reach.Worlds, verdict reach.Verdict, when string) Under {
	out := Under{Worlds: worlds & atlas.Worlds(), Base: verdict, If: when}
	on := atlas.On(out.Worlds)
	if on == "" || verdict != reach.Depends {
		return out
	}
	out.If = strings.TrimPrefix(strings.TrimPrefix(when, on), ", and ")
	if atlas.In(out.Worlds).Says(cni.Enforces) == cni.No {
		out.Base = reach.NotEnforced
	} else if out.If == "" {
		out.Base = reach.Allowed
	}
	return out
}

// Caller is who can connect to the server.
type Caller struct {
	Who     blast.Who     `json:"who"`
	Names   []string      `json:"names,omitempty"`
	Labels  label.Set     `json:"labels,omitempty"`
	Text    string        `json:"text,omitempty"`
	Verdict reach.Verdict `json:"verdict"`
	Conns   []netset.Part `json:"conns"`
	When    string        `json:"when,omitempty"`
	Under
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

// Of audits the snapshot that p was compiled from. Where only is not nil, servers of which it says no are left out.
func Of(p *reach.Program, only func(*model.Workload) bool) Result {
	s := p.Snapshot
	p.Fold()
	atlas := blast.NewAtlas(p)
	res := Result{Schema: Schema, CNI: p.Names(), Assumptions: Assumptions(p), Problems: slices.Clone(s.Problems),
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
		return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(b.Grade, a.Grade), cmp.Compare(a.ID(), b.ID()), cmp.Compare(a.Kind, b.Kind))
	})
	res.Servers, res.Findings, res.Complete = judged, findings, len(res.Problems) == 0
	res.Summary.Servers = len(judged)
	for i := range s.Policies {
		if len(s.Policies[i].Stances) > 0 {
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
	if res.Problems == nil {
		res.Problems = []finding.Problem{}
	}
	if res.Findings == nil {
		res.Findings = []finding.Finding{}
	}
	return res
}

func server(atlas *blast.Atlas, radius blast.Radius, findings []finding.Finding) Server {
	s := atlas.Snapshot
	srv := &s.Servers[radius.Server]
	w := &s.Workloads[srv.Workload]
	out := Server{Namespace: w.Namespace, Name: w.Name, Kind: w.Kind, Origin: w.Origin, Ports: append([]netset.Port{}, srv.Ports...), Transport: srv.Transport,
		Evidence: srv.Evidence, Catalog: srv.Catalog, Reach: make(map[string]Reach, len(blast.Dests)), ReachableBy: make([]Caller, 0, len(radius.By))}
	out.id = atlas.Name(radius.Server)
	out.Score, out.Grade, out.Grades = grades(findings, atlas.Names())
	for _, d := range blast.Dests {
		got := radius.To[d]
		r := Reach{Verdict: got.Verdict, Extent: got.Extent, To: make([]Target, 0, len(got.To)), Because: blast.Origins(got.Because)}
		for _, t := range got.To {
			to := Target{Except: t.Except, Host: string(t.Host), Pods: t.Pods, Name: t.Name, Conns: t.Conns.Parts(), Verdict: t.Verdict, When: t.When,
				New: t.New, Under: under(atlas, t.Worlds(), t.Verdict, t.When)}
			if t.CIDR.IsValid() {
				to.CIDR = t.CIDR.String()
			}
			r.To = append(r.To, to)
		}
		out.Reach[d.String()] = r
	}
	for _, c := range radius.By {
		out.ReachableBy = append(out.ReachableBy, Caller{c.Who, c.Names, c.Labels, c.Text, c.Verdict, c.Conns.Parts(), c.When, under(atlas, c.Worlds(), c.Verdict, c.When)})
	}
	return out
}
