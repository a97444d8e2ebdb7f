package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/input/feeds"
	"github.com/toolmoat/toolmoat/internal/report"
)

func newFeedsUpdate(s streams) *cobra.Command {
	var c feedsFlags
	var all, accept bool
	var file string
	cmd := &cobra.Command{
		Use:   "update [flags] [NAME...]",
		Short: "Fetch feeds, and keep what passes every check",
		Long: `update fetches the feeds that are named, or without names those that were fetched before. It asks
only for what has changed. What is empty, private, too broad, older than the copy or wildly
different from it is refused: the copy stays, and the exit code is 2.

It connects to public addresses only, over TLS on port 443, and uses no proxy. Where that cannot be,
fetch the document by other means and pass it with --from-file; its time is that of the file.`,
		Example: "  toolmoat feeds update github openai aws\n  toolmoat feeds update azure --from-file ServiceTags_Public.json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(); err != nil {
				return err
			}
			o := feeds.Options{Dir: c.dir, Now: time.Now(), AcceptChange: accept}
			switch {
			case all && len(args) > 0:
				return hinted{errors.New("--all stands beside names"), "leave out one of them"}
			case file != "" && (all || len(args) != 1):
				return hinted{errors.New("--from-file is about one feed"), "toolmoat feeds update NAME --from-file FILE"}
			case file != "":
				return c.importFile(s, o, args[0], file)
			case all:
				args = feeds.Fetchable()
			case len(args) == 0:
				fetched, err := feeds.Fetched(c.dir)
				if err != nil {
					return err
				}
				if args = fetched; len(args) == 0 {
					return hinted{errors.New("no feed was ever fetched"), "name some, or fetch all with --all"}
				}
			}
			return c.update(cmd.Context(), s, o, args)
		},
	}
	c.register(cmd, "text", "json")
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "fetch every feed that can be fetched")
	f.BoolVar(&accept, "accept-change", false, "accept what is older than the copy or wildly different, and say so")
	f.StringVar(&file, "from-file", "", "read the document from this `file` instead of fetching it")
	return cmd
}

func (c *feedsFlags) update(ctx context.Context, s streams, o feeds.Options, names []string) error {
	outcomes, err := feeds.Update(ctx, o, names...)
	if err != nil {
		return feedError(err)
	}
	return c.updated(s, names, outcomes)
}

func (c *feedsFlags) importFile(s streams, o feeds.Options, name, file string) error {
	data, at, err := feeds.ReadAnswer(file)
	if err != nil {
		return err
	}
	if at.After(o.Now) {
		at = o.Now
	}
	outcome, err := feeds.Import(o, name, data, at)
	if err != nil {
		return feedError(err)
	}
	return c.updated(s, []string{name}, []feeds.Outcome{outcome})
}

// updated prints what came of an update. A name may be of a section that there is not: that shows
// only now.
func (c *feedsFlags) updated(s streams, names []string, outcomes []feeds.Outcome) error {
	var errs []error
	for _, name := range names {
		if err := c.known(name); err != nil {
			errs = append(errs, err)
		}
	}
	for _, o := range outcomes {
		if o.Err != nil {
			err := fmt.Errorf("%s was not renewed, and the old copy is kept: %w", o.Feed, o.Err)
			if o.Copy == nil {
				err = fmt.Errorf("%s was not fetched, and there is no older copy: %w", o.Feed, o.Err)
			}
			var doubt *feeds.DoubtError
			if errors.As(o.Err, &doubt) {
				err = hinted{err, "if the provider says so elsewhere too: toolmoat feeds update --accept-change " + o.Feed}
			}
			errs = append(errs, err)
		}
	}
	err := c.write(s, nil, func(w io.Writer, opts report.Options) error {
		if c.format == "json" {
			return report.JSON(w, report.UpdatesJSON(outcomes))
		}
		return report.Text(w, report.Updates(outcomes), opts)
	})
	if err != nil {
		return err
	}
	c.say(s, errs...)
	return c.exit(len(errs) > 0, exitOK)
}
