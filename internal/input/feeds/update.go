package feeds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Options says how to renew copies.
type Options struct {
	Dir          string    // where copies are kept; made if need be
	Now          time.Time // what the clock says
	AcceptChange bool      // accept a publication that is older than the copy or differs from it wildly, and a copy that cannot be read

	fetch fetcher
}

// Outcome is what came of renewing one copy.
type Outcome struct {
	Feed     string
	Copy     *Copy    // what is kept now; nil for nothing
	Changed  bool     // the copy holds other ranges than before
	Added    int      // ranges in the new one that were not in the old one, after merging
	Removed  int      // the other way round
	Accepted []string // why it would have been refused but for AcceptChange
	Err      error    // why the old copy was kept; nil if the provider confirmed or renewed it
}

// Update fetches what names mean: feeds, sections or groups. Each is judged for itself, and what
// could not be renewed is kept as it was; that is in the outcomes. The error says that names are
// wrong, or context was cancelled.
func Update(ctx context.Context, o Options, names ...string) ([]Outcome, error) {
	type job struct {
		feed     Feed
		sections []string
	}
	var jobs []job
	at := map[string]int{}
	for _, name := range names {
		group, err := Group(name)
		if err != nil {
			return nil, err
		}
		for _, f := range group {
			if _, known := at[f.Name]; !known {
				at[f.Name] = len(jobs)
				jobs = append(jobs, job{feed: f})
			}
			if section, below := strings.CutPrefix(strings.ToLower(name), f.Name+"/"); below {
				j := &jobs[at[f.Name]]
				j.sections = append(j.sections, section)
			}
		}
	}
	out := make([]Outcome, len(jobs))
	parallel.Do(len(jobs), func(i int) { out[i] = o.update(ctx, jobs[i].feed, jobs[i].sections) })
	return out, ctx.Err()
}

// Fetchable returns the names of the feeds that can be fetched.
func Fetchable() []string {
	var names []string
	for _, f := range All {
		if f.URL != "" {
			names = append(names, f.Name)
		}
	}
	return names
}

// Fetched returns the names of the feeds that can be fetched, and of which dir has a copy, readable
// or not.
func Fetched(dir string) ([]string, error) {
	list, err := List(dir, Fetchable()...)
	var names []string
	for _, s := range list {
		if s.Err != nil || s.Copy != nil && !s.Copy.Bundled {
			names = append(names, s.Feed.Name)
		}
	}
	return names, err
}

// update renews the copy of one feed. The sections are those that the user named.
func (o Options) update(ctx context.Context, f Feed, named []string) Outcome {
	old, broken, err := o.old(f)
	switch {
	case err != nil:
		return kept(f, nil, err)
	case f.URL == "":
		return kept(f, old, errors.New(strings.TrimSpace("it cannot be fetched. "+f.Note)))
	}
	var etag, lastModified string
	if old != nil && !old.Bundled && old.URL == f.URL {
		etag, lastModified = old.ETag, old.LastModified
	}
	got, err := o.fetch.get(ctx, f.URL, etag, lastModified)
	if err != nil {
		return kept(f, old, fmt.Errorf("%s: %w", f.URL, err))
	}
	if got.notModified {
		same := *old
		same.FetchedAt = o.Now
		return o.keep(f, old, &same, nil)
	}
	return o.accept(f, old, broken, got, named, o.Now)
}

// old returns what is kept of f, or of a copy that cannot be read why. The error is about the
// directory.
func (o Options) old(f Feed) (old *Copy, broken *BrokenError, err error) {
	old, err = f.Kept(o.Dir)
	if errors.Is(err, ErrNoCopy) || errors.As(err, &broken) {
		err = nil
	}
	return old, broken, err
}

// Import takes an answer that was fetched by other means at the given time. What name means must be
// one feed.
func Import(o Options, name string, data []byte, at time.Time) (Outcome, error) {
	f, section, err := Find(name)
	if err != nil {
		return Outcome{}, err
	}
	old, broken, err := o.old(f)
	if err != nil {
		return Outcome{}, err
	}
	if old != nil && !old.Bundled && at.Before(old.FetchedAt) {
		return kept(f, old, fmt.Errorf("the file is from %s, and the copy from later", at.UTC().Format(time.RFC3339))), nil
	}
	if !isTime(at) {
		return kept(f, old, fmt.Errorf("the file is from %s, by its own time, which says nothing: set that to when it was fetched", at.UTC().Format(time.DateOnly))), nil
	}
	var named []string
	if section != "" {
		named = []string{section}
	}
	return o.accept(f, old, broken, &answer{body: data}, named, at), nil
}

// ReadAnswer reads a file with a provider's answer for [Import], and returns the time of the file.
func ReadAnswer(path string) ([]byte, time.Time, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("cannot read %s: %w", doc.Clean(path, 200), reason(err))
	}
	defer f.Close()
	data, at, err := readRegular(f, maxBody)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("cannot read %s: %w", doc.Clean(path, 200), err)
	}
	return data, at, nil
}

func kept(f Feed, old *Copy, err error) Outcome { return Outcome{Feed: f.Name, Copy: old, Err: err} }

// accept makes an answer the new copy, if it passes.
func (o Options) accept(f Feed, old *Copy, broken *BrokenError, got *answer, named []string, at time.Time) Outcome {
	d, err := f.read(got.body)
	if err == nil {
		err = d.sections.check()
	}
	if err != nil {
		return kept(f, old, err)
	}
	next := &Copy{Schema: copySchema, Feed: f.Name, URL: f.URL, ETag: got.etag, LastModified: got.lastModified, FetchedAt: at, Ranges: d.sections}
	if d.serial > 0 {
		next.SyncToken = strconv.FormatUint(d.serial, 10)
	}
	if next.URL == "" {
		next.URL = f.Page
	}
	next.count()

	doubts := doubts(old, next, named)
	if broken != nil {
		doubts = append(doubts, "there is nothing to compare it with: "+broken.Error())
	}
	if len(doubts) > 0 && !o.AcceptChange {
		return kept(f, old, &DoubtError{doubts})
	}
	return o.keep(f, old, next, doubts)
}

// DoubtError says why a publication that is well formed was refused all the same.
type DoubtError struct{ Reasons []string }

func (e *DoubtError) Error() string { return strings.Join(e.Reasons, "; ") }

// doubts returns why next may not be what the provider wants to say after old.
func doubts(old, next *Copy, named []string) []string {
	if old == nil {
		return nil
	}
	var out []string
	if was, is := old.serial(), next.serial(); is < was {
		out = append(out, fmt.Sprintf("it is publication %d, and older than the copy, which is %d", is, was))
	}
	var at []string
	if _, flat := old.Ranges[""]; !flat && !old.Bundled { // a bundled copy need not be whole
		at = append(at, "")
	}
	for _, section := range named {
		if _, was := old.Ranges.under(section); was && top(section) != section {
			at = append(at, section)
		}
	}
	return append(out, wild(old.Ranges, next.Ranges, at)...)
}

// keep writes the new copy.
func (o Options) keep(f Feed, old, next *Copy, accepted []string) Outcome {
	next.FetchedAt = next.FetchedAt.UTC().Truncate(time.Second)
	if err := next.write(f, o.Dir); err != nil {
		return kept(f, old, err)
	}
	out := Outcome{Feed: f.Name, Copy: next, Accepted: accepted}
	var was netset.Addrs
	if old != nil {
		was = old.Ranges.union("")
	}
	is := next.Ranges.union("")
	out.Changed = old == nil || old.SHA256 != next.SHA256
	out.Added, out.Removed = len(netset.CIDRs(is.Minus(was))), len(netset.CIDRs(was.Minus(is)))
	return out
}
