package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/report"
)

func newMap(s streams) *cobra.Command {
	var c common
	var expand bool
	cmd := &cobra.Command{
		Use:   "map [flags] PATH... | --cluster",
		Short: "Show who may connect to whom",
		Long: `map lists every connection that policies let through between the workloads of the input, addresses
outside the cluster, nodes and the Kubernetes API. Workloads that nothing can tell apart are one
row; --expand lists every pair. What passes with some of the network plugins of --cni only says
with which.

What is not listed is denied, with two exceptions. The table leaves out what passes between a pod
and its own node only, which --verbose and the other formats have. And pods that do not exist yet
are in no format: a policy may let them in, or connect to them, all the same.

Exit codes: 0; 2 if something could not be read or judged.`,
		Example: `  toolmoat map examples/article
  toolmoat map -o dot examples/article | dot -Tsvg > map.svg`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			return c.run(cmd.Context(), s, paths, "map", func(program *reach.Program) (outcome, error) {
				m, basis := matrix.Of(program), basisOf(program)
				return outcome{problems: basis.Problems, complete: basis.Complete, render: func(w io.Writer, o report.Options) error {
					switch c.format {
					case "json":
						return report.MapJSON(w, m, basis, expand)
					case "csv":
						return report.MapCSV(w, m)
					case "dot":
						return report.MapDOT(w, m, expand)
					}
					return report.Text(w, report.Map(m, basis, expand, o), o)
				}}, nil
			})
		},
	}
	c.register(cmd, "text", "json", "csv", "dot")
	cmd.Flags().BoolVar(&expand, "expand", false, "list every pair of workloads instead of groups, as csv always does")
	return cmd
}
