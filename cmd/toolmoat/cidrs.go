package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/internal/report"
)

// cidrs is what every form of the command shares: gke, eks, aks, cluster and saved answers all end
// in print.
type cidrs struct {
	common
	problems []finding.Problem // of reading the files
}

func (c *cidrs) register(cmd *cobra.Command) {
	c.formats = []string{"yaml", "json", "except"}
	f := cmd.Flags()
	f.StringVarP(&c.format, "output", "o", c.formats[0], "format: "+strings.Join(c.formats, ", "))
	f.StringVar(&c.out, "out", "", "write the result to this `file` instead of standard output")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "print nothing to standard error")
	f.BoolVar(&c.allowIncomplete, "allow-incomplete", false, "do not exit with 2 where something could not be learned")
}

// checkFormat refuses a format that there is none of. Call it before anything is asked for.
func (c *cidrs) checkFormat() error {
	if !slices.Contains(c.formats, c.format) {
		return hinted{fmt.Errorf("there is no format %q here", c.format), "formats are " + strings.Join(c.formats, ", ")}
	}
	return nil
}

func newCidrs(s streams) *cobra.Command {
	var c cidrs
	var from []string
	cmd := &cobra.Command{
		Use:   "cidrs gke|eks|aks|cluster | --from-file FILE...",
		Short: "Learn a cluster's ranges, DNS, plugin and cloud",
		Long: `cidrs puts together what is known of one cluster: the ranges of its nodes, pods, Services and
control plane, of its network and of what that leads to, its DNS, network plugin, cloud and
identities.

It reads saved answers of gcloud, aws, az and kubectl, JSON or YAML, whatever the files are called,
and prints a facts file, or with -o except a list to paste under ipBlock.except. A facts file may
be among the answers: it says what you know and they do not.

Exit codes: 0; 2 if anything could not be learned: what, and which command has it, is on standard
error.`,
		Example: `  toolmoat cidrs --from-file examples/cidrs/gke
  toolmoat cidrs -o json --from-file examples/cidrs/eks`,
		RunE: func(cmd *cobra.Command, args []string) error {
			hint := "toolmoat cidrs gke, eks, aks or cluster asks for them; toolmoat cidrs --from-file FILE reads saved ones"
			switch {
			case len(from) == 0 && len(args) > 0:
				return hinted{fmt.Errorf("no answers given, and %q is nothing that has any", args[0]), hint}
			case len(from) == 0:
				return hinted{errors.New("no answers given"), hint}
			}
			if err := c.checkFormat(); err != nil {
				return err
			}
			files, problems, err := source.Files(source.Options{Paths: append(from, args...), Stdin: s.in})
			if err != nil {
				return err
			}
			c.problems = problems
			return c.print(s, files, nil)
		},
	}
	c.register(cmd)
	cmd.Flags().StringArrayVar(&from, "from-file", nil, "read saved answers from this `file` or folder, and from those that follow; - is standard input")
	cmd.AddCommand(newCidrsGKE(s), newCidrsEKS(s), newCidrsAKS(s), newCidrsCluster(s))
	return cmd
}

// print says what files, answers in any form that facts.Of recognises, tell of one cluster. missing
// is what could not be asked for, and why: "the caller lacks compute.subnetworks.get on project p".
// Its error is the exit code.
func (c *cidrs) print(s streams, files []source.File, missing []model.Unknown) error {
	f, problems := facts.Of(files...)
	f.Unknown = append(f.Unknown, missing...)
	if problems = append(c.problems, problems...); len(c.problems) > 0 {
		f.Unknown = append(f.Unknown, facts.Unread(c.problems)...)
	}
	slices.SortStableFunc(f.Unknown, func(a, b model.Unknown) int {
		return slices.Index(facts.Fields, a.What) - slices.Index(facts.Fields, b.What)
	})
	err := c.write(s, problems, func(w io.Writer, o report.Options) error {
		switch c.format {
		case "json":
			return report.JSON(w, facts.JSON(f))
		case "except":
			_, err := w.Write(facts.WriteExcept(f))
			return err
		}
		_, err := w.Write(facts.Write(f))
		return err
	})
	if err != nil {
		return err
	}
	c.warn(s, f)
	return c.exit(len(problems)+len(f.Unknown) > 0, exitOK)
}

// warn says on standard error what is not known, and what a list of exceptions cuts off.
func (c *cidrs) warn(s streams, f model.Facts) {
	if c.quiet {
		return
	}
	for _, u := range f.Unknown {
		fmt.Fprintf(s.err, "unknown: %s: %s\n", report.Clean(u.What), report.Clean(u.Why))
	}
	if c.format != "except" {
		return
	}
	for _, o := range facts.Openings(f) {
		who, how := "pods that get an identity of the cloud need it", fmt.Sprintf("allow %s on %s in a rule of its own", o.CIDR, o.Conns)
		if o.All {
			who = "without it every pod loses DNS"
		}
		if o.Host {
			how = fmt.Sprintf("allow the entity host on %s in a CiliumNetworkPolicy: no ipBlock matches it", o.Conns)
		}
		fmt.Fprintf(s.err, "warning: the list closes %s, %s: %s\n", o.CIDR.Addr(), report.Clean(o.Why), who)
		fmt.Fprintf(s.err, "hint: %s; the list has it as a comment\n", how)
	}
}
