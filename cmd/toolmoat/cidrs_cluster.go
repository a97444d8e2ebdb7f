package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source/cluster"
)

func newCidrsCluster(s streams) *cobra.Command {
	var out cidrs
	var o cluster.Options
	var printRBAC bool
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Ask a cluster's own API server",
		Long: `cluster asks a live cluster for what it tells of itself: its nodes, the settings of its network
plugin and of DNS, and where its API server answers. It only reads, and no Secrets.

What no object of a cluster says, such as the ranges of a cloud's network, is named as unknown, and
the exit code is 2. gke, eks or aks has them: save what both print, and read the two files with
toolmoat cidrs --from-file.`,
		Args:    atMost(0),
		Example: "  toolmoat cidrs cluster --context prod > cluster.yaml\n  toolmoat cidrs --from-file cluster.yaml gke.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if printRBAC {
				_, err := s.out.Write(cluster.RBACFor(facts.Resources))
				return err
			}
			if err := out.checkFormat(); err != nil {
				return err
			}
			client, err := cluster.Open(o)
			if err != nil {
				return explained(err)
			}
			files, unread, err := client.Fetch(cmd.Context(), facts.Resources)
			if err != nil {
				return explained(err)
			}
			for _, u := range unread {
				if u.Problem.Rule == "TM906" {
					u.Problem.Hint = cmd.CommandPath() + " --print-rbac prints a role that allows what is needed"
				}
				out.problems = append(out.problems, u.Problem)
			}
			return out.print(s, files, nil)
		},
	}
	out.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.Context, "context", "", "the `context` of the kubeconfig")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "the kubeconfig `file`, instead of where kubectl finds it")
	f.BoolVar(&printRBAC, "print-rbac", false, "print the roles that it needs, as YAML to apply")
	return cmd
}

// explained gives an error of a cluster its hint.
func explained(err error) error {
	var e *cluster.Error
	if errors.As(err, &e) && e.Hint != "" {
		return hinted{err, e.Hint}
	}
	return err
}
