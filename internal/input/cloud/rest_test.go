package cloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/toolmoat/toolmoat/internal/input/facts"
)

// FuzzAnswers gives every question that a cluster leads to the same hostile answer: whatever it is,
// the asking ends, and what is said fits a line.
func FuzzAnswers(f *testing.F) {
	f.Add(200, []byte(`{"items": {"regions/r": {"routers": [{"selfLink": "/projects/p/regions/r/routers/x", "bgpPeers": [{}]}]}}, "nextPageToken": "2"}`))
	f.Add(200, []byte(`{"value": [], "nextLink": "https://example.com/x"}`))
	f.Add(200, []byte(`{"items": [], "nextPageToken": 1, "unreachables": ["a\n"]}`))
	f.Add(403, []byte("{\"error\": {\"code\": {}, \"message\": \"Required 'a.b' permission \x1b[2J\"}}"))
	f.Add(404, []byte(`[`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		api := rest{googleCloud, func(context.Context, string) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, nil
		}}
		g, a := gke{api, &GKEOptions{}}, aks{api, "https://example.com"}
		for _, ask := range []struct {
			fetch func(context.Context, facts.Need) ([]answer, error)
			need  facts.Need
		}{
			{g.fetch, facts.Need{Kind: facts.GoogleSubnet, ID: "projects/p/regions/r/subnetworks/s"}},
			{g.fetch, facts.Need{Kind: facts.GoogleSubnets, ID: "projects/p/global/networks/n"}},
			{g.fetch, facts.Need{Kind: facts.GoogleRouters, ID: "projects/p/global/networks/n"}},
			{a.fetch, facts.Need{Kind: facts.AzureGroupVNets, ID: "/subscriptions/s/resourceGroups/g"}},
		} {
			answers, err := ask.fetch(t.Context(), ask.need)
			var e *Error
			if err == nil && (status != 200 || len(answers) == 0) || err != nil && !errors.As(err, &e) {
				t.Fatalf("%s: %d answers, %v", ask.need, len(answers), err)
			}
			if e != nil && strings.ContainsFunc(e.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%q does not fit a line", e)
			}
			if e != nil && e.gap && (len(e.hides) == 0 || slices.ContainsFunc(e.hides, func(f string) bool { return !slices.Contains(facts.Fields, f) })) {
				t.Fatalf("%q hides %q", e, e.hides)
			}
		}
	})
}

// TestUnreachable demands an error without what a query says: the tokens of pages are the server's.
func TestUnreachable(t *testing.T) {
	err := googleCloud.failed(request{what: "x"}, &url.Error{Op: "Get", URL: "https://api.example.com/v1/x?pageToken=SECRET", Err: errors.New("connection refused")})
	if got := err.Error(); got != "x: https://api.example.com cannot be asked: connection refused" {
		t.Error(got)
	}
}

func TestWait(t *testing.T) {
	for asked, want := range map[string]struct {
		min, max time.Duration
		patient  bool
	}{
		"":      {pause, 3 * pause, true}, // the second pause
		"5":     {5 * time.Second, 5 * time.Second, true},
		"0":     {0, 0, true},
		"-1":    {pause, 3 * pause, false},
		"31":    {0, time.Minute, false},
		"9e9":   {pause, 3 * pause, true},
		"later": {pause, 3 * pause, true},
		time.Now().Add(10 * time.Second).UTC().Format(http.TimeFormat): {8 * time.Second, 10 * time.Second, true},
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       {0, 0, true},
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):        {0, 2 * time.Hour, false},
	} {
		got, patient := wait(2, http.Header{"Retry-After": {asked}})
		if patient != want.patient || patient && (got < want.min || got > want.max) {
			t.Errorf("%q: %s, %t, want %s to %s, %t", asked, got, patient, want.min, want.max, want.patient)
		}
	}
}
