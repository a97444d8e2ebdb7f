package feeds

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestConditional follows a feed over several updates: fetched, not modified, changed.
func TestConditional(t *testing.T) {
	f, dir := sample(t)
	const tag, since = `W/"abc"`, "Sun, 01 Nov 2026 12:00:00 GMT"
	body, asked := good, 0
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path == "/feed" {
			http.Redirect(w, r, "/feed/", http.StatusPermanentRedirect)
			return
		}
		if r.Header.Get("If-None-Match") == tag && r.Header.Get("If-Modified-Since") == since && body == good {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", since)
		say(w, body)
	})
	at := day
	next := func() Outcome {
		t.Helper()
		at = at.Add(time.Hour)
		out, err := Update(t.Context(), Options{Dir: dir, Now: at, fetch: through(srv, nil)}, "sample/api", "sample")
		if err != nil || len(out) != 1 || out[0].Err != nil {
			t.Fatal(err, out)
		}
		c, err := f.Kept(dir)
		if err != nil || !c.FetchedAt.Equal(at) || c.ETag != tag || c.LastModified != since {
			t.Errorf("%+v, %v", c, err)
		}
		return out[0]
	}
	if out := next(); out.Changed || out.Added != 0 {
		t.Errorf("%+v", out)
	}
	if out := next(); out.Changed || asked != 4 {
		t.Errorf("%+v after %d requests", out, asked)
	}
	body = `{"api": ["140.82.112.0/20", "143.55.64.0/21", "2a0a:a440::/29"]}`
	if out := next(); !out.Changed || out.Added != 1 || out.Removed != 0 {
		t.Errorf("%+v", out)
	}
	r, err := Lookup("sample/api", dir)
	if err != nil || len(r.Prefixes) != 3 || !r.Copy.FetchedAt.Equal(at) || r.Copy.Bundled || r.Copy.URL != f.URL {
		t.Errorf("%+v, %v", r, err)
	}
}

func take(t *testing.T, o Options, name, answer string) Outcome {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = day
	}
	out, err := Import(o, name, []byte(answer), o.Now)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func aws(token string, prefixes ...string) string {
	var items []string
	for _, p := range prefixes {
		prefix, section, _ := strings.Cut(p, " ")
		service, region, _ := strings.Cut(section, "/")
		items = append(items, `{"ip_prefix":"`+prefix+`","service":"`+service+`","region":"`+region+`"}`)
	}
	return `{"syncToken":"` + token + `","prefixes":[` + strings.Join(items, ",") + `]}`
}

// TestDoubts gives publications that are well formed, one after the other, and says which of them
// are doubted.
func TestDoubts(t *testing.T) {
	first := aws("100", "3.0.0.0/16 EC2/a", "3.1.0.0/16 EC2/b", "3.2.0.0/16 EC2/c", "4.0.0.0/16 S3/a", "4.1.0.0/16 S3/b")
	for _, tt := range []struct{ name, feed, then, want string }{
		{"the same", "aws", first, ""},
		{"newer", "aws", strings.Replace(first, "100", "101", 1), ""},
		{"older", "aws", strings.Replace(first, "100", "99", 1), "it is publication 99, and older than the copy, which is 100"},
		{"a service gone", "aws", aws("101", "3.0.0.0/16 EC2/a", "3.1.0.0/16 EC2/b", "3.2.0.0/16 EC2/c"), "s3: 100 % of its IPv4 addresses are gone"},
		{"a service tripled", "aws", aws("101", "3.0.0.0/16 EC2/a", "3.1.0.0/16 EC2/b", "3.2.0.0/16 EC2/c", "4.0.0.0/16 S3/a", "4.1.0.0/16 S3/b", "4.4.0.0/14 S3/a"),
			"s3: it has 3.0 times as many IPv4 addresses"},
		{"a new service that swells the whole", "aws", aws("101", "3.0.0.0/16 EC2/a", "3.1.0.0/16 EC2/b", "3.2.0.0/16 EC2/c", "4.0.0.0/16 S3/a", "4.1.0.0/16 S3/b", "20.0.0.0/12 NEW/a"),
			"it has 4.2 times as many IPv4 addresses"},
		{"a region doubled that nobody named", "aws", aws("101", "3.0.0.0/16 EC2/a", "3.1.0.0/16 EC2/b", "3.2.0.0/16 EC2/c", "3.3.0.0/16 EC2/c", "3.4.0.0/17 EC2/c", "4.0.0.0/16 S3/a", "4.1.0.0/16 S3/b"), ""},
		{"a region doubled that was named", "aws/ec2/c", aws("101", "3.0.0.0/16 EC2/a", "3.1.0.0/16 EC2/b", "3.2.0.0/16 EC2/c", "3.3.0.0/16 EC2/c", "3.4.0.0/17 EC2/c", "4.0.0.0/16 S3/a", "4.1.0.0/16 S3/b"),
			"ec2/c: it has 2.5 times as many IPv4 addresses"},
		{"IPv6 for the first time", "aws", strings.Replace(first, `"prefixes"`, `"ipv6_prefixes":[{"ipv6_prefix":"2600:1f00::/40","service":"EC2","region":"a"}],"prefixes"`, 1),
			"ec2: it has IPv6 addresses, and had none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), Now: day}
			if out := take(t, o, "aws", first); out.Err != nil || !out.Changed || out.Added != 3 { // 3.0.0.0/15, 3.2.0.0/16, 4.0.0.0/15
				t.Fatalf("%+v", out)
			}
			before := bytesOf(t, All[1], o.Dir)
			out := take(t, o, tt.feed, tt.then)
			var doubt *DoubtError
			if tt.want == "" && out.Err != nil || tt.want != "" && (!errors.As(out.Err, &doubt) || !slices.Contains(doubt.Reasons, tt.want)) {
				t.Fatalf("%v, want %q", out.Err, tt.want)
			}
			if tt.want == "" {
				return
			}
			if bytesOf(t, All[1], o.Dir) != before {
				t.Error("the old copy was not kept")
			}
			o.AcceptChange = true
			if out = take(t, o, tt.feed, tt.then); out.Err != nil || !slices.Contains(out.Accepted, tt.want) {
				t.Errorf("%+v", out)
			}
		})
	}
}

// TestAcceptsOnlyDoubts makes sure that no flag lets in what no provider publishes.
func TestAcceptsOnlyDoubts(t *testing.T) {
	f, dir := sample(t)
	for _, answer := range []string{`{"api":["0.0.0.0/0"]}`, `{"api":["10.0.0.0/8"]}`, `{"api":[]}`, `{"api":`, `<html>`} {
		if out := take(t, Options{Dir: dir, AcceptChange: true}, f.Name, answer); out.Err == nil {
			t.Errorf("%s was accepted", answer)
		}
	}
}

// TestBundledIsCompared makes sure that the first fetch is compared with what came with the
// program, in the sections that it has.
func TestBundledIsCompared(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	six := `"140.82.112.0/20","143.55.64.0/20","185.199.108.0/22","192.30.252.0/22","2606:50c0::/32","2a0a:a440::/29"`
	if out := take(t, o, "github", `{"api":["4.0.0.0/9"],"web":[`+six+`],"git":[`+six+`]}`); out.Err == nil || !out.Copy.Bundled {
		t.Errorf("%+v", out)
	}
	if out := take(t, o, "github", `{"api":[`+six+`,"20.201.28.148/32"],"web":[`+six+`],"git":[`+six+`],"actions":["4.0.0.0/9"]}`); out.Err != nil {
		t.Errorf("%+v", out)
	}
	if r, err := Lookup("github/api", o.Dir); err != nil || len(r.Prefixes) != 7 || r.Copy.Bundled || r.Direction != To {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestLookup(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if r, err := Lookup("anthropic", none); err != nil || slices.ContainsFunc(r.Prefixes, func(p netip.Prefix) bool { return p.String() == "34.162.46.92/32" }) || len(r.Prefixes) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := Lookup("anthropic/retired", none); err != nil || len(r.Prefixes) != 5 || r.Direction != Retired || !r.Copy.Bundled {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := Lookup("github/api", none); err != nil || len(r.Warnings) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	var section *NoSectionError
	if _, err := Lookup("anthropic/api", none); !errors.As(err, &section) || !slices.Equal(section.Have, []string{"inbound", "outbound", "retired"}) {
		t.Error(err)
	}
	if _, err := Lookup("aws/ec2", none); !errors.Is(err, ErrNoCopy) {
		t.Error(err)
	}
	o := Options{Dir: t.TempDir()}
	if out := take(t, o, "google/cloud", string(answers(t)["google-cloud.json"])); out.Err != nil {
		t.Fatal(out.Err)
	}
	if r, err := Lookup("google/cloud/us-east1", o.Dir); err != nil || !strings.Contains(strings.Join(r.Warnings, " "), "It holds 34.118.224.0/20, which inside clusters") {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestBrokenCopies puts files where a copy should be. None may be taken for one, and none may stand
// in the way for ever.
func TestBrokenCopies(t *testing.T) {
	f, dir := sample(t)
	whole := bytesOf(t, f, dir)
	path := filepath.Join(dir, f.file())
	for name, text := range map[string]string{
		"empty": "", "cut off": whole[:len(whole)/2], "twice": whole + whole, "another feed's": strings.Replace(whole, `"sample"`, `"aws"`, 1),
		"unknown key":  strings.Replace(whole, `"feed"`, `"x": 1, "feed"`, 1),
		"wider":        strings.Replace(whole, "140.82.112.0/20", "140.82.0.0/16", 1),
		"everything":   strings.Replace(whole, "140.82.112.0/20", "0.0.0.0/0", 1),
		"host bits":    strings.Replace(whole, "140.82.112.0/20", "140.82.112.1/20", 1),
		"count":        strings.Replace(whole, `"count4": 1`, `"count4": 2`, 1),
		"section":      strings.Replace(whole, `"api"`, `"../api"`, 1),
		"time":         strings.Replace(whole, "2026-11-01", "0001-01-01", 1),
		"control":      strings.Replace(whole, `"sha256"`, `"etag": "a\nb", "sha256"`, 1),
		"no range":     strings.Replace(whole, `"140.82.112.0/20"`, `""`, 1),
		"other schema": strings.Replace(whole, "/v1", "/v2", 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var broken *BrokenError
		if _, err := Lookup(f.Name, dir); text == whole || !errors.As(err, &broken) {
			t.Errorf("%s: %v", name, err)
		}
		if out := take(t, Options{Dir: dir}, f.Name, good); out.Err == nil || !strings.Contains(out.Err.Error(), "nothing to compare") {
			t.Errorf("%s: %+v", name, out)
		}
		if list, err := List(dir, f.Name); err != nil || list[0].Copy != nil || list[0].Err == nil {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
		if out := take(t, Options{Dir: dir, AcceptChange: true}, f.Name, good); out.Err != nil || len(out.Accepted) != 1 || bytesOf(t, f, dir) != whole {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

// TestForgedCopies has copies whose counts and sums are right, and whose ranges are not.
func TestForgedCopies(t *testing.T) {
	f, dir := sample(t)
	many := sections{}
	for i := range maxSections + 1 {
		many[fmt.Sprint("s", i)] = prefixes("8.8.8.0/24")
	}
	for name, ranges := range map[string]sections{
		"everything":    {"api": prefixes("0.0.0.0/0")},
		"private":       {"api": prefixes("10.0.0.0/8")},
		"nothing":       {},
		"host bits":     {"api": prefixes("8.8.8.1/24")},
		"mapped":        {"api": prefixes("::ffff:8.8.8.0/120")},
		"out of order":  {"api": prefixes("8.8.8.0/24", "8.8.4.0/24")},
		"a path":        {"../api": prefixes("8.8.8.0/24")},
		"depth":         {"a/a/a/a/a/a/a/a": prefixes("8.8.8.0/24")},
		"many sections": many,
	} {
		c := Copy{Schema: copySchema, Feed: f.Name, FetchedAt: day, Ranges: ranges}
		c.count()
		if err := c.write(f, dir); err != nil {
			t.Fatal(err)
		}
		var broken *BrokenError
		if got, err := f.Kept(dir); !errors.As(err, &broken) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// TestTooMuch has ranges that are each of a size that providers have, and together of one that none
// has.
func TestTooMuch(t *testing.T) {
	s := sections{}
	for first := 2; len(s[""]) < 33; first += 2 {
		if p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(first)}), 8); checkRange(p) == nil {
			s[""] = append(s[""], p)
		}
	}
	if err := s.check(); err == nil || !strings.Contains(err.Error(), "more than any provider has") {
		t.Error(err)
	}
	s[""] = s[""][:32]
	if err := s.check(); err != nil {
		t.Error(err)
	}
}

func TestImportOldFile(t *testing.T) {
	f, dir := sample(t)
	out, err := Import(Options{Dir: dir, Now: day}, f.Name, []byte(good), day.Add(-time.Hour))
	if err != nil || out.Err == nil || !strings.Contains(out.Err.Error(), "the file is from") {
		t.Errorf("%+v, %v", out, err)
	}
	out, err = Import(Options{Dir: t.TempDir(), Now: day}, f.Name, []byte(good), time.Unix(1, 0)) // as archives without times have them
	if err != nil || out.Err == nil || !strings.Contains(out.Err.Error(), "set that to when it was fetched") {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestAge(t *testing.T) {
	c := &Copy{Feed: "x", FetchedAt: day}
	for at, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, 0: 0, -time.Minute: 0} {
		if age, err := c.Age(day.Add(at)); err != nil || age != want {
			t.Errorf("%v: %v, %v", at, age, err)
		}
	}
	if _, err := c.Age(day.Add(-time.Hour)); err == nil {
		t.Error("a copy from the future has an age")
	}
}

// TestUnwritable makes sure that what could not be kept is not reported as renewed.
func TestUnwritable(t *testing.T) {
	f, dir := sample(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "x")} {
		if _, err := Import(Options{Dir: bad, Now: day}, f.Name, []byte(good), day); err == nil {
			t.Errorf("%s holds copies", bad)
		}
		if _, err := Fetched(bad); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, good) })
	srv.Close()
	out, err := Update(t.Context(), Options{Dir: dir, Now: day, fetch: through(srv, nil)}, f.Name)
	if err != nil || out[0].Err == nil || out[0].Copy == nil {
		t.Errorf("%+v, %v", out, err)
	}
}
