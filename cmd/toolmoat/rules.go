package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/rule"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/report"
)

func newRules(s streams) *cobra.Command {
	var c common
	var grading, facts bool
	cmd := &cobra.Command{
		Use:   "rules [flags] [ID]",
		Short: "List the rules, or explain one",
		Long: `rules lists every rule with its severity, or with an ID says why it matters, what makes it fire and
what keeps it silent.

With --cni it prints what every answer rests on: how a network plugin enforces policies, each fact
with its source. With --facts it prints what the conditions of answers may ask for, for programs
that read them.`,
		Example: "  toolmoat rules TM301\n  toolmoat rules --cni calico,cilium\n  toolmoat rules --facts",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("cni") {
				return writeProfiles(s, &c, len(args) > 0 || grading || facts)
			}
			if facts && (len(args) > 0 || grading) {
				return hinted{fmt.Errorf("--facts is about conditions, and not about rules or grades"), "toolmoat rules --facts prints every kind of fact"}
			}
			rules := rule.All
			if len(args) == 1 {
				r, ok := rule.ByID(strings.ToUpper(args[0]))
				if !ok {
					return hinted{fmt.Errorf("there is no rule %s", args[0]), "toolmoat rules lists them"}
				}
				rules = []rule.Rule{r}
			}
			if !slices.Contains(c.formats, c.format) {
				return hinted{fmt.Errorf("there is no format %q here", c.format), "formats are " + strings.Join(c.formats, ", ")}
			}
			return c.write(s, nil, func(w io.Writer, o report.Options) error {
				switch {
				case facts && c.format == "json":
					return report.JSON(w, report.FactsJSON())
				case facts:
					return report.Text(w, report.Facts(), o)
				case c.format == "json":
					return report.JSON(w, struct {
						Rules []rule.Rule `json:"rules"`
					}{rules})
				case grading:
					return report.Text(w, report.Grading(audit.Deductions, []finding.Severity{finding.Critical, finding.High, finding.Medium, finding.Low, finding.Info}), o)
				case len(args) == 1:
					return report.Text(w, report.Rule(rules[0]), o)
				}
				return report.Text(w, report.Rules(rules), o)
			})
		},
	}
	c.formats = []string{"text", "json"}
	f := cmd.Flags()
	f.StringVarP(&c.format, "output", "o", "text", "format: text, json")
	f.StringVar(&c.out, "out", "", "write the result to this `file` instead of standard output")
	f.BoolVar(&c.noColor, "no-color", false, "print no colours")
	f.StringVar(&c.cni, "cni", "", "print what is known of these `plugins`: names with commas between them, each NAME[:VERSION][:MODE], or any")
	f.BoolVar(&grading, "grading", false, "say how findings become a grade")
	f.BoolVar(&facts, "facts", false, "list the facts that the conditions of answers may ask for")
	return cmd
}

// writeProfiles prints the profiles that --cni names.
func writeProfiles(s streams, c *common, besides bool) error {
	if besides {
		return hinted{fmt.Errorf("--cni is about plugins, and not about rules or grades"), "toolmoat rules --cni " + cni.Any + " prints every plugin"}
	}
	if !slices.Contains(c.formats, c.format) {
		return hinted{fmt.Errorf("there is no format %q here", c.format), "formats are " + strings.Join(c.formats, ", ")}
	}
	profiles, err := cni.Named(c.cni)
	if err != nil {
		return unknownProfile(err)
	}
	return c.write(s, nil, func(w io.Writer, o report.Options) error {
		if c.format == "json" {
			return report.JSON(w, report.ProfilesJSON(profiles))
		}
		return report.Text(w, report.Profiles(profiles), o)
	})
}

// unknownProfile adds to the error of a name that is no profile's what the names are.
func unknownProfile(err error) error {
	hint := "profiles are " + profileNames() + ", or " + cni.Any
	var unknown *cni.UnknownError
	if errors.As(err, &unknown) && unknown.Hint != "" {
		hint = unknown.Hint
	} else if unknown != nil && unknown.Why != "" {
		hint = "toolmoat rules --cni " + cmp.Or(unknown.Nearest(), cni.Any) + " lists versions and modes"
	} else if unknown != nil && unknown.Nearest() != "" {
		hint = "did you mean " + unknown.Nearest() + "? " + hint
	}
	return hinted{err, hint}
}
