package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/internal/report"
)

// common is the flags of every command that reads input.
type common struct {
	format          string
	out             string
	cni             string
	assume          string
	exclude         []string
	quiet           bool
	noColor         bool
	verbose         bool
	allowIncomplete bool
	live            live
	facts           string // a facts file

	flags   *pflag.FlagSet
	formats []string
}

func (c *common) register(cmd *cobra.Command, formats ...string) {
	c.formats = formats
	f := cmd.Flags()
	c.flags = f
	f.StringVarP(&c.format, "output", "o", formats[0], "format: "+strings.Join(formats, ", "))
	f.StringVar(&c.out, "out", "", "write the result to this `file` instead of standard output")
	f.StringVar(&c.cni, "cni", cni.Any, "read policies as these network `plugins` do: names with commas between them, each NAME[:VERSION][:MODE], or of a platform (aks, eks, gke, k3s, kind, openshift, rke2), or any for every one that enforces them; toolmoat rules --cni any lists them")
	f.StringVar(&c.facts, "facts", "", "judge with what this `file` says of the cluster: ranges, DNS, plugin, cloud; toolmoat cidrs writes it")
	f.StringVar(&c.assume, "assume", reach.Typical.String(), "what the input does not show of addresses is as clusters usually have it, typical, or anything that a platform can give, worst: `typical|worst`")
	f.StringArrayVar(&c.exclude, "exclude", nil, "leave out files that match this `glob`, relative to the folder; may be repeated")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "print no problems to standard error")
	f.BoolVar(&c.noColor, "no-color", false, "print no colours")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "print every finding, problem and assumption, with fixes")
	f.BoolVar(&c.allowIncomplete, "allow-incomplete", false, "do not exit with 2 where something could not be judged")
	c.live.register(cmd)
}

func profileNames() string {
	names := make([]string, len(cni.Profiles))
	for i, p := range cni.Profiles {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

// world is one input: the files of the command line, or one cluster.
type world struct {
	context string // of the kubeconfig, where several are read
	program *reach.Program
}

// outcome is what a command makes of one world.
type outcome struct {
	problems []finding.Problem
	complete bool
	code     int // the exit code if it is complete
	render   func(io.Writer, report.Options) error
}

// run reads the input, has each world of it judged, and writes what comes of it. command is how the
// JSON of several worlds is called, and that of one in it.
func (c *common) run(ctx context.Context, s streams, paths []string, command string, judge func(*reach.Program) (outcome, error)) error {
	if c.live.printRBAC {
		return c.live.rbac(s)
	}
	worlds, err := c.load(ctx, s, paths)
	if err != nil {
		return err
	}
	outcomes := make([]outcome, len(worlds))
	var problems []finding.Problem
	incomplete, code := false, exitOK
	for i, w := range worlds {
		o, err := judge(w.program)
		if err != nil {
			c.complain(s, w.say(o.problems))
			return w.explain(err)
		}
		outcomes[i] = o
		problems = append(problems, w.say(o.problems)...)
		incomplete, code = incomplete || !o.complete, worse(code, o.code)
	}
	render := outcomes[0].render
	if len(worlds) > 1 {
		render = c.several(worlds, outcomes, command)
	}
	if err := c.write(s, problems, render); err != nil {
		return err
	}
	return c.exit(incomplete, code)
}

// say returns problems that say in which of several worlds they are.
func (w world) say(problems []finding.Problem) []finding.Problem {
	if w.context == "" {
		return problems
	}
	out := slices.Clone(problems)
	for i := range out {
		out[i].Message = "context " + w.context + ": " + out[i].Message
	}
	return out
}

// explain says in which of several worlds an error came up.
func (w world) explain(err error) error {
	if w.context == "" {
		return err
	}
	var h hinted
	if errors.As(err, &h) {
		return hinted{fmt.Errorf("context %s: %w", w.context, h.error), h.hint}
	}
	return fmt.Errorf("context %s: %w", w.context, err)
}

// worse returns which of two exit codes of complete answers counts: what is not judged, then what
// fails, then what depends.
func worse(a, b int) int {
	for _, code := range []int{exitBroken, exitFails, exitDepends} {
		if a == code || b == code {
			return code
		}
	}
	return exitOK
}

// load reads the paths, or the clusters, and compiles them.
func (c *common) load(ctx context.Context, s streams, paths []string) ([]world, error) {
	if !slices.Contains(c.formats, c.format) {
		return nil, hinted{fmt.Errorf("there is no format %q here", c.format), "formats are " + strings.Join(c.formats, ", ")}
	}
	assume := slices.IndexFunc([]reach.Assumed{reach.Worst, reach.Typical}, func(a reach.Assumed) bool { return a.String() == c.assume })
	if assume < 0 {
		return nil, hinted{fmt.Errorf("there is no --assume %q", c.assume), "--assume takes typical or worst"}
	}
	if _, err := cni.Named(c.cni); err != nil {
		return nil, unknownProfile(err)
	}
	var given *model.Facts
	if c.facts != "" {
		f, err := readFacts(c.facts)
		if err != nil {
			return nil, err
		}
		given = &f
	}
	compile := func(snapshot *model.Snapshot) *reach.Program {
		if given != nil {
			snapshot.Facts = supplement(*given, snapshot.Facts)
		}
		doubt(snapshot, c.facts)
		makeRoom(len(snapshot.Workloads))
		snapshot.Servers = discover.Servers(snapshot)
		return reach.Assuming(reach.NewGround(snapshot), reach.Assumed(assume), c.profiles(snapshot.Facts)...)
	}
	if err := c.live.check(paths); err != nil {
		return nil, err
	}
	if c.live.cluster {
		if given != nil && len(c.live.contexts) > 1 {
			return nil, hinted{errors.New("--facts is about one cluster, and several are to be read"), "give one --context, or leave out --facts: each cluster tells of itself"}
		}
		if several := len(c.live.contexts) > 1; several && c.format != "text" && c.format != "json" {
			return nil, hinted{fmt.Errorf("-o %s is about one cluster", c.format), "give one --context, or -o json"}
		}
		return c.live.load(ctx, compile)
	}
	if len(paths) == 0 {
		return nil, hinted{fmt.Errorf("no path given"), "name a file, a folder, - for standard input, or --cluster: toolmoat audit examples/unprotected"}
	}
	snapshot, err := source.Load(ctx, source.Options{Paths: paths, Stdin: s.in, Exclude: c.exclude})
	if err != nil {
		return nil, err
	}
	return []world{{program: compile(snapshot)}}, nil
}

// several renders what came of several worlds, one after the other.
func (c *common) several(worlds []world, outcomes []outcome, command string) func(io.Writer, report.Options) error {
	return func(w io.Writer, opts report.Options) error {
		var all []report.Context
		for i, o := range outcomes {
			if c.format == "text" {
				if err := report.Text(w, report.ContextHeading(worlds[i].context, i == 0), opts); err != nil {
					return err
				}
				if err := o.render(w, opts); err != nil {
					return err
				}
				continue
			}
			var buf bytes.Buffer
			if err := o.render(&buf, opts); err != nil {
				return err
			}
			all = append(all, report.Context{Name: worlds[i].context, Result: json.RawMessage(buf.Bytes())})
		}
		if c.format == "text" {
			return nil
		}
		return report.ContextsJSON(w, command, all)
	}
}

// write gives the result to the output that the flags name, and the problems to standard error
// unless they are in the text that stands beside it.
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
	for i, p := range problems {
		text := "error: " + report.Clean(p.Message)
		if at := p.Origin.Pos(); at != "" {
			text += " (" + report.Clean(at) + ")"
		}
		fmt.Fprintf(s.err, "%s [%s]\n", text, p.Rule)
		if p.Hint != "" && (i == 0 || problems[i-1].Hint != p.Hint) {
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
	return report.Basis{CNI: p.Names(), Assume: p.Assumed().String(), Complete: len(problems) == 0, Assumptions: audit.Assumptions(p), Problems: problems}
}
