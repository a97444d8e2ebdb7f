package report

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/toolmoat/toolmoat/internal/input/feeds"
)

// FeedsSchema is the schema of what the feeds commands say.
const FeedsSchema = "toolmoat.dev/feeds/v1"

// FeedsResult is the JSON contract of the feeds commands.
type FeedsResult struct {
	Schema string     `json:"schema"`
	Feeds  []feedJSON `json:"feeds"`
}

type feedJSON struct {
	Name      string          `json:"name"`
	Title     string          `json:"title"`
	Direction feeds.Direction `json:"direction"`
	URL       string          `json:"url,omitempty"` // where it can be fetched
	Page      string          `json:"page,omitempty"`
	Warnings  []string        `json:"warnings"`
	Source    string          `json:"source"`
	Copy      *feedCopyJSON   `json:"copy,omitempty"`
	Sections  []sectionJSON   `json:"sections,omitempty"`
	Ranges    []netip.Prefix  `json:"ranges,omitempty"`
	Stale     *bool           `json:"stale,omitempty"` // where a greatest age was given
	Update    *feedUpdateJSON `json:"update,omitempty"`
	Error     string          `json:"error,omitempty"`
}

type feedCopyJSON struct {
	From         string    `json:"from"` // "bundled" or "fetched"
	AsOf         time.Time `json:"asOf"`
	Source       string    `json:"source"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"lastModified,omitempty"`
	SyncToken    string    `json:"syncToken,omitempty"`
	SHA256       string    `json:"sha256"`
	Count4       int       `json:"count4"`
	Count6       int       `json:"count6"`
}

type sectionJSON struct {
	Name      string          `json:"name"`
	Direction feeds.Direction `json:"direction"`
	Count     int             `json:"count"`
}

type feedUpdateJSON struct {
	Result   string   `json:"result"` // "updated", "unchanged" or "failed": then the old copy was kept
	Added    int      `json:"added"`
	Removed  int      `json:"removed"`
	Accepted []string `json:"accepted"`
}

func feedOf(f feeds.Feed, c *feeds.Copy) feedJSON {
	out := feedJSON{Name: f.Name, Title: f.Title, Direction: f.Of(""), URL: f.URL, Page: f.Page, Warnings: []string{}, Source: f.Source}
	for _, text := range []string{f.Shared, f.Note} {
		if text != "" {
			out.Warnings = append(out.Warnings, text)
		}
	}
	if c != nil {
		if c.Note != "" {
			out.Warnings = append([]string{c.Note}, out.Warnings...)
		}
		out.Copy = &feedCopyJSON{copyFrom(c), c.FetchedAt, c.URL, c.ETag, c.LastModified, c.SyncToken, c.SHA256, c.Count4, c.Count6}
	}
	return out
}

func copyFrom(c *feeds.Copy) string {
	if c.Bundled {
		return "bundled"
	}
	return "fetched"
}

// FeedsJSON returns what is kept of feeds. Of copies in stale it says whether they are too old.
func FeedsJSON(list []feeds.Status, stale map[*feeds.Copy]bool) FeedsResult {
	out := FeedsResult{Schema: FeedsSchema, Feeds: []feedJSON{}}
	for _, s := range list {
		one := feedOf(s.Feed, s.Copy)
		if s.Err != nil {
			one.Error = s.Err.Error()
		}
		if s.Copy != nil {
			for _, path := range s.Copy.Sections() {
				one.Sections = append(one.Sections, sectionJSON{path, s.Feed.Of(path), len(s.Copy.Ranges[path])})
			}
			if old, checked := stale[s.Copy]; checked {
				one.Stale = &old
			}
		}
		out.Feeds = append(out.Feeds, one)
	}
	return out
}

// Feeds lists feeds with their copies, one a line.
func Feeds(list []feeds.Status, now time.Time) Document {
	table := Table{Header: []string{"FEED", "DIRECTION", "COPY", "AS OF", "IPV4", "IPV6"}}
	for _, s := range list {
		row := []string{s.Feed.Name, s.Feed.Of("").String()}
		switch {
		case s.Err != nil:
			row = append(row, "unreadable")
		case s.Copy != nil:
			row = append(row, copyFrom(s.Copy), asOf(s.Copy.FetchedAt, now), strconv.Itoa(s.Copy.Count4), strconv.Itoa(s.Copy.Count6))
		case s.Feed.URL == "":
			row = append(row, "none: see its note")
		default:
			row = append(row, "none: fetch it")
		}
		table.Rows = append(table.Rows, row)
	}
	return Document{table, Paragraph{}, Paragraph{Text: "toolmoat feeds NAME says more of one, toolmoat feeds update NAME fetches it.", Tone: Dim}}
}

// FeedsInDetail says all that is known of feeds, with the sections of their copies.
func FeedsInDetail(list []feeds.Status, now time.Time) Document {
	var doc Document
	for _, s := range list {
		doc = append(doc, Heading{Mark: s.Feed.Name, Tone: Strong, Text: s.Feed.Title, Aside: s.Feed.Of("").String()})
		for _, text := range []string{s.Feed.Shared, s.Feed.Note} {
			if text != "" {
				doc = append(doc, Notes{{Text: text}})
			}
		}
		fields := fieldsOf("fetched from", s.Feed.URL, "documented", s.Feed.Page, "freshness", s.Feed.Fresh, "known from", s.Feed.Source)
		if s.Err != nil {
			fields = append(fields, Field{Name: "copy", Text: s.Err.Error(), Tone: Bad})
		}
		if s.Copy == nil {
			doc = append(doc, fields)
			continue
		}
		doc = append(doc, append(fields, fieldsOf("copy", copyFrom(s.Copy)+", as of "+asOf(s.Copy.FetchedAt, now), "missing", s.Copy.Note)...))
		table := Table{Header: []string{"SECTION", "DIRECTION", "RANGES"}}
		for _, path := range s.Copy.Sections() {
			name := strings.TrimSuffix(s.Feed.Name+"/"+path, "/")
			table.Rows = append(table.Rows, []string{name, s.Feed.Of(path).String(), strconv.Itoa(len(s.Copy.Ranges[path]))})
		}
		doc = append(doc, Heading{}, table)
	}
	return doc
}

// fieldsOf makes fields of names and texts, without those that have no text.
func fieldsOf(pairs ...string) Fields {
	var out Fields
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, Field{Name: pairs[i], Text: pairs[i+1]})
		}
	}
	return out
}

// asOf says a time as a day, and how long ago that was.
func asOf(at, now time.Time) string {
	day := at.UTC().Format(time.DateOnly)
	switch age := now.Sub(at); {
	case age < 0:
		return day
	case age < 48*time.Hour:
		return fmt.Sprintf("%s, %d hours ago", day, int(age.Hours()))
	default:
		return fmt.Sprintf("%s, %d days ago", day, int(age.Hours()/24))
	}
}

// RangesJSON returns the ranges of one name. The prefixes are those to be shown, merged or not;
// stale may be nil.
func RangesJSON(r feeds.Ranges, prefixes []netip.Prefix, stale *bool) FeedsResult {
	one := feedOf(r.Feed, r.Copy)
	one.Name, one.Direction, one.Warnings, one.Ranges, one.Stale = r.Name, r.Direction, append([]string{}, r.Warnings...), prefixes, stale
	return FeedsResult{Schema: FeedsSchema, Feeds: []feedJSON{one}}
}

// Ranges shows the ranges of one name.
func Ranges(r feeds.Ranges, prefixes []netip.Prefix, now time.Time) Document {
	doc := Document{Heading{Mark: r.Name, Tone: Strong, Text: count(len(prefixes), "range"), Aside: r.Direction.String()},
		Fields{{Name: "copy", Text: copyFrom(r.Copy) + ", as of " + asOf(r.Copy.FetchedAt, now)}, {Name: "read from", Text: r.Copy.URL}}}
	var notes Notes
	for _, text := range r.Warnings {
		notes = append(notes, Note{Label: "note", Tone: Warn, Text: text})
	}
	table := Table{Header: []string{"RANGE"}, Stream: func(yield func([]string) bool) {
		for _, p := range prefixes {
			if !yield([]string{p.String()}) {
				return
			}
		}
	}}
	return append(doc, notes, Heading{}, table)
}

// UpdatesJSON returns what came of renewing copies.
func UpdatesJSON(outcomes []feeds.Outcome) FeedsResult {
	out := FeedsResult{Schema: FeedsSchema, Feeds: []feedJSON{}}
	for _, o := range outcomes {
		f, _, _ := feeds.Find(o.Feed)
		one := feedOf(f, o.Copy)
		one.Update = &feedUpdateJSON{updateResult(o), o.Added, o.Removed, append([]string{}, o.Accepted...)}
		if o.Err != nil {
			one.Error = o.Err.Error()
		}
		out.Feeds = append(out.Feeds, one)
	}
	return out
}

func updateResult(o feeds.Outcome) string {
	switch {
	case o.Err != nil:
		return "failed"
	case o.Changed:
		return "updated"
	}
	return "unchanged"
}

// Updates shows what came of renewing copies. Why one was refused stands beside it, among the
// problems.
func Updates(outcomes []feeds.Outcome) Document {
	table := Table{Header: []string{"FEED", "RESULT", "RANGES", "NEW", "GONE", "KEPT"}}
	var notes Notes
	for _, o := range outcomes {
		row := []string{o.Feed, updateResult(o), "0", strconv.Itoa(o.Added), strconv.Itoa(o.Removed), "nothing"}
		if o.Copy != nil {
			row[2], row[5] = strconv.Itoa(o.Copy.Count4+o.Copy.Count6), copyFrom(o.Copy)+" "+o.Copy.FetchedAt.UTC().Format(time.DateOnly)
		}
		table.Rows = append(table.Rows, row)
		for _, text := range o.Accepted {
			notes = append(notes, Note{Label: o.Feed, Tone: Warn, Text: "accepted: " + text})
		}
	}
	return Document{table, notes}
}
