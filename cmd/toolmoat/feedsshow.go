package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/input/feeds"
	"github.com/toolmoat/toolmoat/internal/report"
)

func newFeedsShow(s streams) *cobra.Command {
	var c feedsFlags
	var max int
	var target string
	cmd := &cobra.Command{
		Use:   "show [flags] NAME",
		Short: "Print the ranges of one feed",
		Long: `show prints the ranges of a feed or of a section of it, as published.

--aggregate merges them without opening anything that is not published, and fails if they are still
more than that: it never rounds. --target takes the number from what one object of a kind can hold:
` + targets() + `.
-o lines prints one range a line, after comments.`,
		Example: "  toolmoat feeds show github/api\n  toolmoat feeds show -o lines --aggregate 25 anthropic/outbound",
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(); err != nil {
				return err
			}
			fit, err := limit(cmd.Flags().Changed("aggregate"), max, target)
			if err != nil {
				return err
			}
			return c.show(s, args[0], fit, time.Now())
		},
	}
	c.register(cmd, "text", "json", "lines")
	c.registerAge(cmd)
	f := cmd.Flags()
	f.IntVar(&max, "aggregate", 0, "merge ranges exactly, until at most this `number` is left")
	f.StringVar(&target, "target", "", "merge ranges exactly, until they fit one object of this `kind`")
	return cmd
}

// limit returns how many ranges there may be, from the flags; nil if they are to be shown as they
// are.
func limit(given bool, max int, target string) (*feeds.Target, error) {
	switch {
	case given && target != "":
		return nil, hinted{errors.New("--target stands beside --aggregate"), "leave out one of them"}
	case given && max < 1:
		return nil, hinted{errors.New("--aggregate takes the greatest number of ranges"), "toolmoat feeds show --aggregate 25 github/api"}
	case given:
		return &feeds.Target{Max: max}, nil
	case target == "":
		return nil, nil
	}
	i := slices.IndexFunc(feeds.Targets, func(t feeds.Target) bool { return t.Name == target })
	if i < 0 {
		return nil, hinted{fmt.Errorf("there is no kind of policy %q here", target), "kinds are " + targets()}
	}
	return &feeds.Targets[i], nil
}

func targets() string {
	var names []string
	for _, t := range feeds.Targets {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// show prints the ranges of one name, merged to what fits, or as they are if that is nil.
func (c *feedsFlags) show(s streams, name string, fit *feeds.Target, now time.Time) error {
	r, err := feeds.Lookup(name, c.dir)
	if err != nil {
		return feedError(err)
	}
	prefixes := r.Prefixes
	if fit != nil {
		if prefixes, err = feeds.Aggregate(prefixes, fit.Max); err != nil {
			if fit.Why != "" {
				err = fmt.Errorf("%w: %s", err, fit.Why)
			}
			complainOf(s, hinted{fmt.Errorf("%s: %w", r.Name, err), "take a section of it, or allow the host name with a plugin that enforces names"})
			return exitCode(exitFails)
		}
	}
	var stale *bool
	code := exitOK
	if c.maxAge > 0 {
		old, err := c.maxAge.stale(r.Copy, now)
		if err != nil {
			return err
		}
		if stale = &old; old {
			code = exitFails
			c.say(s, c.tooOld(r.Copy))
		}
	}
	err = c.write(s, nil, func(w io.Writer, o report.Options) error {
		switch c.format {
		case "json":
			return report.JSON(w, report.RangesJSON(r, prefixes, stale))
		case "lines":
			return writeLines(w, r, prefixes)
		}
		return report.Text(w, report.Ranges(r, prefixes, now), o)
	})
	if err != nil {
		return err
	}
	return c.exit(false, code)
}

// writeLines writes one range a line, after comments.
func writeLines(to io.Writer, r feeds.Ranges, prefixes []netip.Prefix) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "# %s as of %s, from %s\n", report.Clean(r.Name), r.Copy.FetchedAt.Format(time.DateOnly), report.Clean(r.Copy.URL))
	for _, text := range r.Warnings {
		fmt.Fprintf(w, "# %s\n", report.Clean(text))
	}
	for _, p := range prefixes {
		fmt.Fprintln(w, p)
	}
	return w.Flush()
}

// exactly demands one argument.
func exactly(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return hinted{errors.New(what + " is missing"), cmd.CommandPath() + " --help says what it takes"}
		}
		return atMost(1)(cmd, args)
	}
}
