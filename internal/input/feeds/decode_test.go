package feeds

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// answers returns the samples of testdata/answers by the name of their feed's file: shortened, in
// the form that each provider's has.
func answers(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/answers/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = data
	}
	return out
}

// TestDecode compares what each decoder reads with testdata/decoded.golden.
func TestDecode(t *testing.T) {
	samples, read := answers(t), map[string]bool{}
	var b strings.Builder
	for _, f := range All {
		sample, ok := samples[f.file()]
		if !ok {
			continue
		}
		read[f.file()] = true
		d, err := f.read(sample)
		if err == nil {
			err = d.sections.check()
		}
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		fmt.Fprintf(&b, "%s, publication %d\n", f.Name, d.serial)
		c := Copy{Ranges: d.sections}
		for _, path := range c.Sections() {
			fmt.Fprintf(&b, "  %q %s: %v\n", path, f.Of(path), d.sections[path])
		}
	}
	if len(read) != len(samples) {
		t.Errorf("%d samples of %d belong to a feed", len(read), len(samples))
	}
	const golden = "testdata/decoded.golden"
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != b.String() {
		t.Errorf("%v; -update writes\n%s", err, b.String())
	}
}

// TestEveryFormHasASample demands a sample of each feed, or of one with the same form.
func TestEveryFormHasASample(t *testing.T) {
	same := map[string]string{"datadog-eu.json": "datadog.json", "pagerduty-eu.json": "pagerduty-us.json", "stripe-webhooks.json": "stripe-api.json", "stripe-armada_gator.json": "stripe-api.json",
		"openai-agents.json": "openai-connectors.json", "openai-user.json": "openai-connectors.json", "openai-gptbot.json": "openai-connectors.json"}
	samples := answers(t)
	for _, f := range All {
		if f.decode == nil || strings.HasPrefix(f.Name, "zscaler/") {
			continue
		}
		if samples[f.file()] == nil && samples[same[f.file()]] == nil {
			t.Errorf("%s has no sample", f.Name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct{ feed, answer, want string }{
		{"aws", `{"syncToken":"x","prefixes":[{"ip_prefix":"3.4.12.4/32","region":"a","service":"B"}]}`, "syncToken"},
		{"aws", `{"prefixes":[{"ip_prefix":"3.4.12.4/32","region":"a","service":"B"}]}`, "syncToken"},
		{"aws", `{"syncToken":"1","prefixes":[{"ip_prefix":"3.4.12.4/32","region":"","service":"B"}]}`, "no name of a section"},
		{"aws", `{"syncToken":"1","prefixes":[{"ip_prefix":"3.4.12.4/32","region":"../..","service":"B"}]}`, "no name of a section"},
		{"aws", `{"syncToken":"1","prefixes":[{"ip_prefix":"3.4.12.4/32","region":"a\u001b[31m","service":"B"}]}`, `\x1b`},
		{"aws", `{"syncToken":"1","prefixes":[{"ip_prefix":"10.2.0.0/ 21","region":"a","service":"B"}]}`, "is no range"},
		{"google/all", `{"syncToken":"1","prefixes":[{}]}`, "neither"},
		{"google/all", `{"prefixes":[{"ipv4Prefix":"8.8.8.0/24"}]}`, "creationTime"},
		{"openai/connectors", `{"creationTime":"yesterday","prefixes":[]}`, "not a time"},
		{"cloudflare", `{"success":false,"result":{"ipv4_cidrs":["104.16.0.0/13"]}}`, "did not succeed"},
		{"cloudflare", `{"success":"yes"}`, "another type is due"},
		{"github", `{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":["8.8.8.0/24"]}}}}}}}}`, "deeper"},
		{"github", `{"..":["8.8.8.0/24"]}`, "no name"},
		{"github", `{"api":["","8.8.8.0/24"],"web":["9.9.9.0/24"]}`, "is no range"},
		{"slack", `{}`, "nothing in JSON"},
		{"github", strings.Repeat("[", 1<<20), "invalid JSON"},
		{"github", strings.Repeat(" ", maxBody+1), "larger than"},
		{"azure", `{"changeNumber":1,"values":[` + strings.Join(tags(maxSections+1), ",") + `]}`, "more than 20000 sections"},
		{"stripe/api", `{"API":[` + strings.Repeat(`"8.8.8.8",`, maxRanges) + `"8.8.8.8"]}`, "more than 200000 ranges"},
	} {
		f, _, err := Find(tt.feed)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.read([]byte(tt.answer)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %.80s: %v, want %q", tt.feed, tt.answer, err, tt.want)
		}
	}
}

func tags(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(`{"name":"t%d","properties":{"addressPrefixes":["8.8.8.8"]}}`, i))
	}
	return out
}

// FuzzDecode gives any answer to any decoder. What it reads must be in the form that a copy has,
// and be read again as it was written.
func FuzzDecode(f *testing.F) {
	samples := answers(f)
	for i, feed := range All {
		f.Add(uint8(i), samples[feed.file()])
		f.Add(uint8(i), []byte(`{"data":{"a b":["1.1.1.1","::1/3"]},"prefixes":[{"ipv4Prefix":"1.1.1.1"}],"syncToken":1}`))
	}
	f.Fuzz(func(t *testing.T, i uint8, answer []byte) {
		feed := All[int(i)%len(All)]
		d, err := feed.read(answer)
		if err != nil {
			return
		}
		if err := d.sections.wellFormed(); err != nil {
			t.Fatal(err)
		}
		if d.sections.check() != nil {
			return
		}
		c := &Copy{Schema: copySchema, Feed: feed.Name, FetchedAt: time.Unix(1e9, 0).UTC(), Ranges: d.sections}
		c.count()
		roundTrip(t, feed, c)
	})
}

func roundTrip(t *testing.T, f Feed, c *Copy) {
	t.Helper()
	text, err := c.encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parseCopy(f, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if second, err := again.encode(); err != nil || string(second) != string(text) {
		t.Fatalf("%v: %s\n%s", err, text, second)
	}
}

// FuzzCopy gives any text to the reader of copies. What it accepts holds nothing that a feed may
// not hold.
func FuzzCopy(f *testing.F) {
	feed, _, err := Find("github")
	if err != nil {
		f.Fatal(err)
	}
	data, err := bundles.ReadFile("bundled/github.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(strings.Replace(string(data), "140.82.112.0/20", "0.0.0.0/0", 1)))
	f.Add([]byte(`{"schema":"toolmoat.dev/feedcopy/v1","feed":"github","fetchedAt":"2026-08-01T00:00:00Z","ranges":{"":["1.1.1.1/32",null,""]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCopy(feed, data)
		if err != nil {
			return
		}
		if c.Ranges.union("").Overlaps(refused) || c.Ranges.union("").IsEmpty() {
			t.Fatalf("accepted %v", c.Ranges)
		}
		roundTrip(t, feed, c)
	})
}

// FuzzAggregate demands that merging neither opens nor closes an address, and gives the fewest
// prefixes: no two of them make one.
func FuzzAggregate(f *testing.F) {
	f.Add("1.0.0.0/24 1.0.1.0/24 1.0.2.0/23 1.0.0.5/32", 1)
	f.Add("2001:db8::/33 2001:db8:8000::/33 1.2.3.4/32 1.2.3.5/32 1.2.3.6/32", 2)
	f.Fuzz(func(t *testing.T, text string, max int) {
		var in []string
		d := &document{sections: sections{}}
		for _, field := range strings.Fields(text) {
			if d.add("", field) == nil {
				in = append(in, field)
			}
		}
		prefixes, _ := d.sections.under("")
		merged, err := Aggregate(prefixes, 0)
		if err != nil || !netset.Prefixes(merged...).Equal(netset.Prefixes(prefixes...)) || len(merged) > len(prefixes) {
			t.Fatalf("%v became %v, %v", in, merged, err)
		}
		for i := 1; i < len(merged); i++ {
			a, b := merged[i-1], merged[i]
			wider := netset.Prefixes(a, b)
			if a.Overlaps(b) || len(netset.CIDRs(wider)) == 1 {
				t.Fatalf("%v and %v are one", a, b)
			}
		}
		few, err := Aggregate(prefixes, max)
		switch {
		case max <= 0 || len(merged) <= max:
			if err != nil || !slices.Equal(few, merged) {
				t.Fatalf("at most %d: %v, %v", max, few, err)
			}
		case err == nil || few != nil:
			t.Fatalf("at most %d: %v", max, few)
		}
	})
}
