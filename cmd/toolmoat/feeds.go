package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/input/feeds"
	"github.com/toolmoat/toolmoat/internal/report"
)

// feedsFlags is the flags of the feeds commands.
type feedsFlags struct {
	common
	dir    string
	maxAge age
}

func (c *feedsFlags) register(cmd *cobra.Command, formats ...string) {
	c.formats = formats
	f := cmd.Flags()
	f.StringVarP(&c.format, "output", "o", formats[0], "format: "+strings.Join(formats, ", "))
	f.StringVar(&c.out, "out", "", "write the result to this `file` instead of standard output")
	f.BoolVar(&c.noColor, "no-color", false, "print no colours")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "print no problems to standard error")
	f.StringVar(&c.dir, "dir", "", "keep the copies in this `directory` instead of the user's cache")
}

func (c *feedsFlags) registerAge(cmd *cobra.Command) {
	cmd.Flags().Var(&c.maxAge, "max-age", "exit with 1 where a copy is older than this: 7d, 12h")
}

// check refuses what the flags cannot mean, and fills in the directory.
func (c *feedsFlags) check() error {
	if !slices.Contains(c.formats, c.format) {
		return hinted{fmt.Errorf("there is no format %q here", c.format), "formats are " + strings.Join(c.formats, ", ")}
	}
	if c.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return hinted{fmt.Errorf("the user has no cache directory: %w", err), "name a directory with --dir"}
		}
		c.dir = filepath.Join(cache, "toolmoat", "feeds")
	}
	return nil
}

// age is a duration that may be given in days.
type age time.Duration

func (a *age) String() string {
	switch d := time.Duration(*a); {
	case d == 0:
		return ""
	case d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	default:
		return d.String()
	}
}

func (a *age) Type() string { return "age" }

func (a *age) Set(text string) error {
	days, isDays := strings.CutSuffix(text, "d")
	n, err := strconv.ParseUint(days, 10, 16)
	d := time.Duration(n) * 24 * time.Hour
	if !isDays {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d <= 0 {
		return errors.New("an age is a number with d, h or m: 7d, 12h")
	}
	*a = age(d)
	return nil
}

// stale reports whether a copy is older than it may be.
func (a age) stale(c *feeds.Copy, now time.Time) (bool, error) {
	old, err := c.Age(now)
	return err == nil && old > time.Duration(a), err
}

func newFeeds(s streams) *cobra.Command {
	var c feedsFlags
	cmd := &cobra.Command{
		Use:   "feeds [flags] [NAME...]",
		Short: "Address ranges that providers publish: list, show, update",
		Long: `feeds lists the address ranges that providers publish, and what of them is kept here: the copy that
was fetched last, or one that came with the program. With names it says all about those, with their
sections. A name is a feed or a part of one: github, github/api, aws/ec2/us-east-1; openai is all
feeds of OpenAI.

With --max-age it exits with 1 where a copy is older than that, and with 2 where one cannot be
checked: of the names, or without names of everything that was ever fetched. Only feeds update opens
a connection.`,
		Example: "  toolmoat feeds\n  toolmoat feeds show github/api",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := c.check(); err != nil {
				return err
			}
			return c.list(s, args, time.Now())
		},
	}
	c.register(cmd, "text", "json")
	c.registerAge(cmd)
	cmd.AddCommand(newFeedsShow(s), newFeedsUpdate(s))
	return cmd
}

// list prints what there is.
func (c *feedsFlags) list(s streams, names []string, now time.Time) error {
	for _, name := range names {
		if err := c.known(name); err != nil {
			return err
		}
	}
	list, err := feeds.List(c.dir, names...)
	if err != nil {
		return feedError(err)
	}
	var errs []error
	for _, st := range list {
		if st.Err != nil {
			errs = append(errs, feedError(st.Err))
		}
	}
	verdicts := map[*feeds.Copy]bool{}
	if c.maxAge > 0 {
		errs = append(errs, c.judge(list, len(names) > 0, now, verdicts)...)
	}
	err = c.write(s, nil, func(w io.Writer, o report.Options) error {
		switch {
		case c.format == "json":
			return report.JSON(w, report.FeedsJSON(list, verdicts))
		case len(names) > 0:
			return report.Text(w, report.FeedsInDetail(list, now), o)
		}
		return report.Text(w, report.Feeds(list, now), o)
	})
	if err != nil {
		return err
	}
	c.say(s, errs...)
	code := exitOK
	for _, st := range list {
		if verdicts[st.Copy] {
			code = exitFails
			c.say(s, c.tooOld(st.Copy))
		}
	}
	return c.exit(len(errs) > 0, code)
}

// judge says of each copy that is to be checked whether it is too old, and returns why others could
// not be checked: of feeds that were not named, those that were never fetched need not be.
func (c *feedsFlags) judge(list []feeds.Status, named bool, now time.Time, verdicts map[*feeds.Copy]bool) (errs []error) {
	broken := 0
	for _, st := range list {
		switch {
		case st.Err != nil:
			broken++
		case !named && (st.Copy == nil || st.Copy.Bundled):
		case st.Copy == nil:
			errs = append(errs, feedError(fmt.Errorf("%s: %w", st.Feed.Name, feeds.ErrNoCopy)))
		default:
			old, err := c.maxAge.stale(st.Copy, now)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			verdicts[st.Copy] = old
		}
	}
	if len(verdicts)+len(errs)+broken == 0 {
		errs = append(errs, hinted{errors.New("there is nothing to check: no feed was ever fetched"), "toolmoat feeds update NAME fetches one"})
	}
	return errs
}

func (c *feedsFlags) tooOld(kept *feeds.Copy) error {
	err := fmt.Errorf("the copy of %s is from %s, and older than %s", kept.Feed, kept.FetchedAt.Format(time.RFC3339), &c.maxAge)
	if kept.Bundled {
		return hinted{err, "it came with the program; toolmoat feeds " + kept.Feed + " says where to look"}
	}
	return hinted{err, "toolmoat feeds update " + kept.Feed}
}

// say prints what went wrong beside the result.
func (c *feedsFlags) say(s streams, errs ...error) {
	for _, err := range errs {
		if !c.quiet {
			complainOf(s, err)
		}
	}
}

// known refuses a name of a section that the copy does not have.
func (c *feedsFlags) known(name string) error {
	if _, err := feeds.Group(name); err != nil {
		return feedError(err)
	}
	_, err := feeds.Lookup(name, c.dir)
	var none *feeds.NoSectionError
	if errors.As(err, &none) {
		return feedError(err)
	}
	return nil
}

// feedError adds what to do.
func feedError(err error) error {
	var unknown *feeds.NameError
	var section *feeds.NoSectionError
	var broken *feeds.BrokenError
	switch {
	case errors.As(err, &unknown) && len(unknown.Near) > 0:
		return hinted{err, "feeds are " + strings.Join(unknown.Near, ", ")}
	case errors.As(err, &unknown):
		return hinted{err, "toolmoat feeds lists them"}
	case errors.As(err, &section) && slices.Equal(section.Have, []string{""}):
		return hinted{err, "it has no sections"}
	case errors.As(err, &section):
		return hinted{err, "sections are " + strings.Join(section.Have, ", ")}
	case errors.As(err, &broken):
		return hinted{err, "toolmoat feeds update --accept-change " + broken.Feed + " replaces it"}
	case errors.Is(err, feeds.ErrNoCopy):
		return hinted{err, "toolmoat feeds update fetches it; toolmoat feeds NAME says where from"}
	}
	return err
}
