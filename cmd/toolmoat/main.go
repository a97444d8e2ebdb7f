// Command toolmoat shows what each MCP server on Kubernetes can really reach, and proves what it
// cannot.
//
// Its manners: stdout carries the result and nothing else. Errors go to stderr as "error: what,
// where", then "hint: what to do" where we know. The exit code is 0 when all is well, 1 when
// everything was judged and it fails, 2 when it could not run or the answer is incomplete, 3 when
// can depends. A message that does not help is a bug.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/report"
)

// Exit codes of every command.
const (
	exitOK      = 0
	exitFails   = 1
	exitBroken  = 2
	exitDepends = 3
	exitBug     = 70
)

func main() {
	limitMemory()
	colour := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(os.Stdout)
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, colour}))
}

// streams is where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
	colour   bool // the result goes to a terminal that shows colours
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// run runs the command line and returns the exit code.
func run(args []string, s streams) (code int) {
	defer func() {
		if r := recover(); r != nil {
			stack := debug.Stack()
			if p, ok := r.(*parallel.Panic); ok {
				stack = p.Stack
			}
			fmt.Fprintf(s.err, "error: toolmoat failed, and that is our bug: %s\n%s\nhint: please report this with the input that caused it\n", report.Clean(fmt.Sprint(r)), stack)
			code = exitBug
		}
	}()
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(context.Background())
	var exit exitCode
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return int(exit)
	}
	complainOf(s, err)
	return exitBroken
}

// complainOf prints an error, with its advice.
func complainOf(s streams, err error) {
	fmt.Fprintf(s.err, "error: %s\n", report.Clean(err.Error()))
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintf(s.err, "hint: %s\n", report.Clean(h.hint))
	}
}

// exitCode ends a command that has said everything.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit %d", int(c)) }

// hinted is an error with advice.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "toolmoat COMMAND",
		Short: "What each MCP server on Kubernetes can really reach",
		Long: `toolmoat shows what each MCP server on Kubernetes can really reach, proves what it cannot, and says
which policy decides.

It reads Kubernetes YAML and JSON from files, folders or standard input, and needs no cluster and no
network; with --cluster it reads a live cluster.`,
		Example:           "  toolmoat audit examples/unprotected",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              unknownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hinted{err, cmd.CommandPath() + " --help lists the flags"}
	})
	root.SetUsageTemplate(usage)
	root.AddCommand(newAudit(s), newMap(s), newCan(s), newCidrs(s), newFeeds(s), newRules(s), newVersion(s))
	return root
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "toolmoat --help lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean toolmoat " + strings.Join(near, " or toolmoat ") + "?"
	}
	return hinted{fmt.Errorf("there is no command %q", args[0]), hint}
}

// atMost refuses more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return hinted{fmt.Errorf("%q is one argument too many", args[n]), cmd.CommandPath() + " --help says what it takes"}
	}
}

// usage is what --help prints after a command's description. It ends with the example.
const usage = `Usage:
  {{.UseLine}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 100 | trimTrailingWhitespaces}}{{end}}

Example:
{{.Example}}
`

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Args:    atMost(0),
		Example: "  toolmoat version",
		RunE: func(*cobra.Command, []string) error {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version + " " + info.GoVersion
			}
			_, err := fmt.Fprintln(s.out, "toolmoat", version)
			return err
		},
	}
}
