package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/query"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/report"
)

func newAudit(s streams) *cobra.Command {
	var c common
	var failOn, selector string
	var servers []string
	var allowEmpty bool
	cmd := &cobra.Command{
		Use:   "audit [flags] PATH... | --cluster",
		Short: "Find the MCP servers and judge what each can reach, and who can reach it",
		Long: `audit finds the MCP servers among the workloads of the input, computes for each what it can reach
and who can reach it, over all addresses, ports and pods, also pods that do not exist yet, and
reports findings, worst first, with a grade from A to F.

PATH is a file or folder of Kubernetes YAML or JSON, or - for standard input. --cluster reads the
live cluster of the kubeconfig instead: all of it, or the namespaces of -n, each --context for
itself. It only reads; --print-rbac prints the role it needs, and what it may not read is named.

Network plugins read the same policy differently. Without --cni every one that enforces policies is
judged, and the report says on which something holds; with two to four names, each has a column.

Exit codes: 0 nothing at or above --fail-on; 1 findings at or above it; 2 something could not be
read or judged (wins over 1).`,
		Example: `  toolmoat audit --cluster
  toolmoat audit examples/unprotected
  toolmoat audit --cni aws-vpc-cni,calico,cilium examples/mcp-connect`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			threshold := finding.Severity(0)
			if failOn != "none" {
				var err error
				if threshold, err = finding.ParseSeverity(failOn); err != nil || threshold == finding.Incomplete {
					return hinted{fmt.Errorf("--fail-on %s is no severity", failOn), "it is critical, high, medium, low, info or none"}
				}
			}
			sel, err := label.Parse(selector)
			if err != nil {
				return fmt.Errorf("-l %s: %w", selector, err)
			}
			return c.run(cmd.Context(), s, paths, "audit", func(program *reach.Program) (outcome, error) {
				res := audit.Of(program, func(w *model.Workload) bool { return wanted(w, servers, sel) })
				if err := unselected(program.Snapshot, res, servers, selector); err != nil {
					return outcome{problems: res.Problems}, err
				}
				if allowEmpty {
					res.Problems = slices.DeleteFunc(res.Problems, func(p finding.Problem) bool { return p.Rule == "TM907" })
					res.Complete = len(res.Problems) == 0
				}
				o := outcome{problems: res.Problems, complete: res.Complete, render: func(w io.Writer, o report.Options) error {
					if c.format == "json" {
						return report.AuditJSON(w, res)
					}
					return report.Text(w, report.Audit(res, o), o)
				}}
				if failOn != "none" && slices.ContainsFunc(res.Findings, func(f finding.Finding) bool { return f.Severity >= threshold }) {
					o.code = exitFails
				}
				return o, nil
			})
		},
	}
	c.register(cmd, "text", "json")
	f := cmd.Flags()
	f.StringVar(&failOn, "fail-on", "high", "exit with 1 for findings of this `severity` or worse: critical, high, medium, low, info, none")
	f.StringArrayVar(&servers, "server", nil, "judge only this server, `namespace/name`; may be repeated")
	f.StringVarP(&selector, "selector", "l", "", "judge only servers whose workload or pods carry these labels")
	f.BoolVar(&allowEmpty, "allow-empty", false, "do not take it for incomplete if there is no MCP server")
	return cmd
}

// unselected is the error that --server or -l do not select what they name: who asks for one server
// must not take silence for a pass.
func unselected(s *model.Snapshot, res audit.Result, servers []string, selector string) error {
	const hint = "toolmoat audit without --server and -l lists the servers"
	for _, name := range servers {
		if !slices.ContainsFunc(res.Servers, func(srv audit.Server) bool {
			return name == srv.ID || name == srv.Namespace+"/"+srv.Kind+"/"+srv.Name
		}) {
			return hinted{fmt.Errorf("--server %s %s", name, noServer(s, name)), cmp.Or(alike(s, name), hint)}
		}
	}
	if selector != "" && len(res.Servers) == 0 {
		return hinted{fmt.Errorf("-l %s selects no MCP server of the input", selector), hint}
	}
	return nil
}

// noServer says why no MCP server is called name.
func noServer(s *model.Snapshot, name string) string {
	n := query.ObjectName(name)
	if over, ok := s.OverText(n.Namespace, n.Kind, n.Object); ok {
		return "is no MCP server that runs: " + over
	}
	for i := range s.Workloads {
		if w := &s.Workloads[i]; name == w.Namespace+"/"+w.Name || name == w.ID() {
			return "is a workload, but no MCP server: toolmoat.dev/role: server makes it one"
		}
	}
	return "selects no MCP server of the input"
}

// alike is the hint that names servers whose names are like name; "" if none is.
func alike(s *model.Snapshot, name string) string {
	servers := model.Snapshot{}
	for _, srv := range s.Servers {
		if w := s.Workloads[srv.Workload]; srv.Role == model.IsServer {
			w.Pods = nil
			servers.Workloads = append(servers.Workloads, w)
		}
	}
	names := query.NameError{Names: query.Alike(&servers, query.ObjectName(name))}
	return names.Hint()
}

func wanted(w *model.Workload, servers []string, sel label.Selector) bool {
	if servers != nil && !slices.Contains(servers, w.Namespace+"/"+w.Name) && !slices.Contains(servers, w.ID()) {
		return false
	}
	_, own := sel.Match(label.Known(w.Labels))
	return own || slices.ContainsFunc(w.Pods, func(p model.Pod) bool { _, may := sel.Match(p.Labels); return may })
}
