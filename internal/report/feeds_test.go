package report

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/toolmoat/toolmoat/internal/input/feeds"
)

// TestFeedsGolden renders what came with the program, as of a day.
func TestFeedsGolden(t *testing.T) {
	now := time.Date(2026, 8, 15, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	list, err := feeds.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	few, err := feeds.List(dir, "anthropic", "slack", "github")
	if err != nil {
		t.Fatal(err)
	}
	broken := feeds.Status{Feed: few[0].Feed, Err: errors.New("cut off\x1b[31m")}
	r, err := feeds.Lookup("github/api", dir)
	if err != nil {
		t.Fatal(err)
	}
	github, anthropic := few[1], few[0]
	outcomes := []feeds.Outcome{
		{Feed: "github", Copy: github.Copy, Changed: true, Added: 2, Removed: 1, Accepted: []string{"api: 60 % of its IPv4 addresses are gone"}},
		{Feed: "anthropic", Copy: anthropic.Copy},
		{Feed: "aws", Err: errors.New("the answer is larger than 16 MiB")},
	}
	for name, doc := range map[string]Document{
		"feeds.txt":         Feeds(append([]feeds.Status{broken}, list[1:]...), now),
		"feeds-detail.txt":  FeedsInDetail(append(few, broken), now),
		"feeds-ranges.txt":  Ranges(r, r.Prefixes, now),
		"feeds-updates.txt": Updates(outcomes),
	} {
		golden(t, name, rendered(t, doc, Options{}))
	}
	old := true
	for name, v := range map[string]any{
		"feeds.json":         FeedsJSON(append(few, broken), map[*feeds.Copy]bool{github.Copy: true, anthropic.Copy: false}),
		"feeds-ranges.json":  RangesJSON(r, r.Prefixes, &old),
		"feeds-updates.json": UpdatesJSON(outcomes),
	} {
		var b bytes.Buffer
		if err := JSON(&b, v); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}
