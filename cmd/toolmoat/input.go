package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/audit"
	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/discover"
	"github.com/toolmoat/toolmoat/internal/finding"
	"github.com/toolmoat/toolmoat/internal/reach"
	"github.com/toolmoat/toolmoat/internal/report"
	"github.com/toolmoat/toolmoat/internal/source"
)

// common is the flags of every command that reads input.
type common struct {
	format          string
	out             string
	cni             string
	exclude         []string
	quiet           bool
	noColor         bool
	verbose         bool
	allowIncomplete bool

	formats []string
}

func (c *common) register(cmd *cobra.Command, formats ...string) {
	c.formats = formats
	f := cmd.Flags()
	f.StringVarP(&c.format, "output", "o", formats[0], "format: "+strings.Join(formats, ", "))
	f.StringVar(&c.out, "out", "", "write the result to this `file` instead of standard output")
	f.StringVar(&c.cni, "cni", cni.Any, "read policies as these network `plugins` do: names with commas between them, or any for every one that enforces them; toolmoat rules --cni any lists them")
	f.StringArrayVar(&c.exclude, "exclude", nil, "leave out files that match this `glob`, relative to the folder; may be repeated")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "print no problems to standard error")
	f.BoolVar(&c.noColor, "no-color", false, "print no colours")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "print every finding, problem and assumption, with fixes")
	f.BoolVar(&c.allowIncomplete, "allow-incomplete", false, "do not exit with 2 where something could not be judged")
}

func profileNames() string {
	names := make([]string, len(cni.Profiles))
	for i, p := range cni.Profiles {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

// load reads the paths and compiles them.
func (c *common) load(ctx context.Context, s streams, paths []string) (*reach.Program, error) {
	if !slices.Contains(c.formats, c.format) {
		return nil, hinted{fmt.Errorf("there is no format %q here", c.format), "formats are " + strings.Join(c.formats, ", ")}
	}
	profiles, err := cni.Named(c.cni)
	if err != nil {
		return nil, unknownProfile(err)
	}
	if len(paths) == 0 {
		return nil, hinted{fmt.Errorf("no path given"), "name a file, a folder, or - for standard input: toolmoat audit examples/unprotected"}
	}
	snapshot, err := source.Load(ctx, source.Options{Paths: paths, Stdin: s.in, Exclude: c.exclude})
	if err != nil {
		return nil, err
	}
	makeRoom(len(snapshot.Workloads))
	snapshot.Servers = discover.Servers(snapshot)
	return reach.NewProgram(reach.NewGround(snapshot), profiles...), nil
}

// write gives the result to the output that the flags name, and the problems to standard error unless they are in the text that stands beside it.
func (c *common) write(s streams, problems []finding.Problem, render func(io.Writer, report.Options) error) error {
	opts := report.Options{Color: s.colour && !c.noColor && c.out == "", Verbose: c.verbose}
	if c.out == "" {
		if err := render(s.out, opts); err != nil {
			return err
		}
	} else {
		var buf bytes.Buffer
		if err := render(&buf, opts); err != nil {
			return err
		}
		if err := os.WriteFile(c.out, buf.Bytes(), 0o666); err != nil {
			return err
		}
	}
	if c.out != "" || c.format != "text" {
		c.complain(s, problems)
	}
	return nil
}

// complain prints the problems to standard error.
func (c *common) complain(s streams, problems []finding.Problem) {
	if c.quiet {
		return
	}
	for _, p := range problems {
		text := "error: " + report.Clean(p.Message)
		if at := p.Origin.Pos(); at != "" {
			text += " (" + report.Clean(at) + ")"
		}
		fmt.Fprintf(s.err, "%s [%s]\n", text, p.Rule)
		if p.Hint != "" {
			fmt.Fprintf(s.err, "hint: %s\n", report.Clean(p.Hint))
		}
	}
}

// exit turns an outcome into the error that ends the command: incomplete wins over failing.
func (c *common) exit(incomplete bool, otherwise int) error {
	switch {
	case incomplete && !c.allowIncomplete:
		return exitCode(exitBroken)
	case otherwise != exitOK:
		return exitCode(otherwise)
	}
	return nil
}

// basisOf is what every answer from p rests on.
func basisOf(p *reach.Program) report.Basis {
	problems := p.Snapshot.Problems
	return report.Basis{CNI: p.Names(), Complete: len(problems) == 0, Assumptions: audit.Assumptions(p), Problems: problems}
}
