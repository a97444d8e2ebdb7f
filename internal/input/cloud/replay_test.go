package cloud

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// replay is a server that answers as recorded.
type replay struct {
	*httptest.Server
	answers map[string][]reply // by path or action, and page; the last one is repeated

	mu    sync.Mutex
	asked []string              // in order
	how   map[string]url.Values // the last question to each: its query, or its form
	other []string              // what was asked for without the credentials, or is not recorded
}

type reply struct {
	status int // 0 is 200
	body   string
	header http.Header
	cut    bool // the connection ends in the middle of the body
}

// newReplay serves the sections of a file in testdata, and whatever replaces some of them.
func newReplay(t *testing.T, file string, instead map[string][]reply) *replay {
	t.Helper()
	recorded, err := txtar.ParseFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{answers: map[string][]reply{}, how: map[string]url.Values{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	for _, f := range recorded.Files {
		r.answers[strings.ToLower(f.Name)] = []reply{{body: strings.ReplaceAll(string(f.Data), "https://SERVER", r.URL)}}
	}
	for key, replies := range instead {
		r.answers[strings.ToLower(key)] = replies
	}
	return r
}

const token = "token-that-nobody-prints"

func (r *replay) serve(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	form, _ := url.ParseQuery(string(body))
	query := req.URL.Query()
	key := cmp.Or(form.Get("Action"), req.URL.Path)
	if page := cmp.Or(form.Get("NextToken"), query.Get("nextToken"), query.Get("pageToken"), query.Get("$skiptoken")); page != "" {
		key += "#" + page
	}
	key = strings.ToLower(key) // Azure's are the same in either case
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, key)
	if r.how[key] = form; len(form) == 0 {
		r.how[key] = query
	}
	auth := req.Header.Get("Authorization")
	if key != "/token" && auth != "Bearer "+token && !strings.Contains(auth, "Credential="+accessKey+"/") {
		r.other = append(r.other, key+" without credentials")
	}
	replies := r.answers[key]
	if len(replies) == 0 {
		r.other = append(r.other, key+" is not recorded")
		http.NotFound(w, req)
		return
	}
	if len(replies) > 1 {
		r.answers[key] = replies[1:]
	}
	a := replies[0]
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if strings.HasPrefix(strings.TrimSpace(a.body), "{") {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	io.WriteString(w, a.body)
	if a.cut {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// times returns how often something was asked for.
func (r *replay) times(key string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(r.asked), func(k string) bool { return !strings.EqualFold(k, key) }))
}

// clean fails the test if something was asked for that is not recorded, or without credentials.
func (r *replay) clean(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.other {
		t.Error(line)
	}
}

// recorded reads a recorded answer.
func recorded(t *testing.T, file, key string) string {
	t.Helper()
	all, err := txtar.ParseFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all.Files {
		if f.Name == key {
			return string(f.Data)
		}
	}
	t.Fatalf("%s has no %s", file, key)
	return ""
}

// names demands that what is unknown is named, a line each: "what: why".
func names(t *testing.T, unknown []model.Unknown, lines ...string) {
	t.Helper()
	said := ""
	for _, u := range unknown {
		said += u.What + ": " + u.Why + "\n"
	}
	for _, want := range lines {
		if !strings.Contains(said, want) {
			t.Errorf("%s\ndoes not say %s", said, want)
		}
	}
}
