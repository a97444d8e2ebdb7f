package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/analysis/query"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/report"
)

func newCan(s streams) *cobra.Command {
	var c common
	cmd := &cobra.Command{
		Use:   "can [flags] FROM TO PATH... | --cluster",
		Short: "Answer one question: can FROM connect to TO, and why?",
		Long: `can answers one question exactly, and says which policies and rules decide it.

FROM and TO are namespace/name or namespace/Kind/name of a workload or Service, an address,
[an IPv6 address], or a host name. TO may be followed by :PORT and /PROTOCOL (tcp, udp, sctp);
without a port the question is about any port. A Service is translated as a client would. Pods
and other endpoints are asked about at their own address, and through their Services, node ports
and hostPorts; a Service also through its node ports, external IPs and load balancers. Pods and
Jobs that have finished make and take no connections, and can says so.

Each network plugin of --cni is asked. Where they differ the answer depends, and says what each
makes of it, which rule decides there, and what is known of the plugin that makes the difference.

Exit codes: 0 allowed, or denied by policies that nothing enforces; 1 denied; 3 it depends, and on
what; 2 unknown, or something could not be read.`,
		Example: `  toolmoat can mcp-workloads/mcp-github 169.254.169.254:80 examples/article
  toolmoat can mcp-workloads/mcp-gateway mcp-workloads/mcp-github:3000 examples/article
  toolmoat can --cni calico,cilium mcp-workloads/mcp-github 10.0.0.7:443 examples/article`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.live.printRBAC {
				return c.live.rbac(s)
			}
			if len(args) < 2 || len(args) == 2 && !c.live.cluster {
				return hinted{errors.New("can needs FROM, TO and a path, or --cluster"), "toolmoat can mcp-workloads/mcp-github 169.254.169.254:80 examples/article"}
			}
			question, err := query.Parse(args[0], args[1])
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), s, args[2:], "can", func(program *reach.Program) (outcome, error) {
				basis := basisOf(program)
				answer, err := query.Ask(program, question)
				if err != nil {
					var name *query.NameError
					if errors.As(err, &name) && name.Hint() != "" {
						err = hinted{err, name.Hint()}
					}
					return outcome{problems: basis.Problems}, err
				}
				return outcome{problems: basis.Problems, complete: basis.Complete, code: answer.ExitCode(), render: func(w io.Writer, o report.Options) error {
					if c.format == "json" {
						return report.JSON(w, report.Can(answer, basis))
					}
					return report.Text(w, report.CanText(answer, basis, o), o)
				}}, nil
			})
		},
	}
	c.register(cmd, "text", "json")
	return cmd
}
