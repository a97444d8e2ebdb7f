package feeds

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Ranges is what is known of one feed or section. Where they were read and when is in Copy.
type Ranges struct {
	Name      string
	Direction Direction
	Prefixes  []netip.Prefix // sorted, none twice; they may overlap, as published
	Warnings  []string       // sentences on what else they open, and on what is missing in them
	Feed      Feed
	Copy      *Copy
}

// NoSectionError says that a copy has no such section.
type NoSectionError struct {
	Feed, Section string
	Have          []string // the sections at its top
}

func (e *NoSectionError) Error() string {
	return fmt.Sprintf("the copy of %s has no section %q", e.Feed, e.Section)
}

// Lookup returns the ranges that a name such as "github/api" stands for, from the copy in dir or
// else the bundled one. A section that is retired has to be named: it is no part of the whole. The
// error is a *[NameError], a *[NoSectionError], [ErrNoCopy], or a *[BrokenError] of a copy that
// cannot be read.
func Lookup(name, dir string) (Ranges, error) {
	f, section, err := Find(name)
	if err != nil {
		return Ranges{}, err
	}
	c, err := f.Kept(dir)
	if err != nil {
		if errors.Is(err, ErrNoCopy) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return Ranges{}, err
	}
	prefixes, ok := c.Ranges.inUse(f, section)
	if !ok {
		return Ranges{}, &NoSectionError{f.Name, section, slices.Sorted(maps.Keys(c.Ranges.byTop()))}
	}
	return Ranges{name, f.Of(section), prefixes, warnings(f, c, prefixes), f, c}, nil
}

// inUse is under, without retired sections below the one that is asked for.
func (s sections) inUse(f Feed, section string) ([]netip.Prefix, bool) {
	live := sections{}
	for path, ranges := range s {
		if f.Of(path) != Retired || section != "" {
			live[path] = ranges
		}
	}
	return live.under(section)
}

func warnings(f Feed, c *Copy, prefixes []netip.Prefix) []string {
	var out []string
	for _, text := range []string{c.Note, f.Shared, f.Note} {
		if text != "" {
			out = append(out, text)
		}
	}
	for _, p := range netset.CIDRs(netset.Prefixes(prefixes...).Intersect(insideClusters)) {
		out = append(out, fmt.Sprintf("It holds %s, which inside clusters of that cloud means something else: Services on GKE, the WireServer on Azure.", p))
	}
	return out
}

// Status is what is kept of one feed.
type Status struct {
	Feed Feed
	Copy *Copy // nil where there is none, or none that can be read
	Err  error // a *BrokenError, if there is one that cannot be read
}

// List returns the status of every feed, in the order of their names, or of those that names mean.
// Its error is a *[NameError], or about dir itself.
func List(dir string, names ...string) ([]Status, error) {
	list := All
	if len(names) > 0 {
		list = nil
		for _, name := range names {
			group, err := Group(name)
			if err != nil {
				return nil, err
			}
			list = append(list, group...)
		}
	}
	list = slices.SortedFunc(slices.Values(list), func(a, b Feed) int { return strings.Compare(a.Name, b.Name) })
	list = slices.CompactFunc(list, func(a, b Feed) bool { return a.Name == b.Name })
	out := make([]Status, len(list))
	for i, f := range list {
		c, err := f.Kept(dir)
		var broken *BrokenError
		switch {
		case errors.Is(err, ErrNoCopy):
			err = nil
		case err != nil && !errors.As(err, &broken):
			return nil, err
		}
		out[i] = Status{f, c, err}
	}
	return out, nil
}
