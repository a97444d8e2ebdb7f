package cluster

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/toolmoat/toolmoat/internal/input/source"
)

// script is an API server that gives one answer after the other, by path, and the last one again
// and again.
type script struct {
	sync.Mutex
	answers map[string][]func(http.ResponseWriter, *http.Request)
	asked   []string // path?query
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	s.asked = append(s.asked, strings.TrimPrefix(r.URL.Path+"?"+r.URL.RawQuery, "/"))
	list := s.answers[r.URL.Path]
	if len(list) > 1 {
		s.answers[r.URL.Path] = list[1:]
	}
	s.Unlock()
	if len(list) == 0 {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	list[0](w, r)
}

func says(code int, body string, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func status(code int, reason, message string) func(http.ResponseWriter, *http.Request) {
	return says(code, fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`, reason, message, code))
}

// pods is a page of a list of pods.
func pods(next string, names ...string) func(http.ResponseWriter, *http.Request) {
	var items []string
	for _, name := range names {
		items = append(items, fmt.Sprintf(`{"metadata":{"namespace":"n","name":%q,"managedFields":[{"manager":"kubectl","fieldsV1":{"f:spec":{}}}]},"spec":{"containers":[{"name":"c","image":"i"}]}}`, name))
	}
	return says(200, fmt.Sprintf(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":%q},"items":[%s]}`, next, strings.Join(items, ",")))
}

// brokenOff is an answer that ends before it is complete.
func brokenOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","items":[`)
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// bomb is a small answer that unpacks to a large one.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	fmt.Fprint(z, strings.Repeat(" ", 1<<20))
	z.Close()
}

// testClient reads from a handler, with small bounds.
func testClient(t testing.TB, h http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := open(&rest.Config{Host: server.URL, BearerToken: "secret-token"})
	if err != nil {
		t.Fatal(err)
	}
	c.limits = limits{page: 2, body: 64 << 10, total: 512 << 10, tries: 3, wait: time.Millisecond, longest: 20 * time.Millisecond, request: 5 * time.Second, parallel: 2}
	return c
}

var podList = source.Served{Resource: source.Resource{Version: "v1", Plural: "pods"}, Kind: "Pod", Namespaced: true}

func TestFetch(t *testing.T) {
	type answers = []func(http.ResponseWriter, *http.Request)
	first := []string{"cluster/Pod/n/a", "cluster/Pod/n/b"}
	for _, tt := range []struct {
		name    string
		answers answers
		files   []string
		problem string // "RULE message", or part of the error
	}{
		{"pages", answers{pods("1", "a", "b"), pods("2", "c"), pods("", "d")}, []string{"cluster/Pod/n/a", "cluster/Pod/n/b", "cluster/Pod/n/c", "cluster/Pod/n/d"}, ""},
		{"none", answers{pods("")}, nil, ""},
		{"forgotten halfway", answers{pods("1", "a", "z"), status(410, "Expired", "continue token is too old"), pods("1", "a"), pods("", "b")}, first, ""},
		{"forgotten always", answers{status(410, "Expired", "continue token is too old")}, nil, "TM901 cannot list pods in all namespaces: 410 Gone: continue token is too old"},
		{"too many requests", answers{says(429, "", "Retry-After", "3600"), pods("", "a", "b")}, first, ""},
		{"too many requests always", answers{says(429, "")}, nil, "TM901 cannot list pods in all namespaces: 429 Too Many Requests"},
		{"starting", answers{status(503, "ServiceUnavailable", "starting"), says(500, ""), pods("", "a", "b")}, first, ""},
		{"broken off", answers{brokenOff, pods("", "a", "b")}, first, ""},
		{"broken off always", answers{brokenOff}, nil, "TM901 cannot list pods in all namespaces: the answer broke off: unexpected EOF"},
		{"broken off on the second page", answers{pods("1", "a"), brokenOff}, nil, "TM901 cannot list pods in all namespaces: the answer broke off: unexpected EOF"},
		{"forbidden", answers{status(403, "Forbidden", `pods is forbidden: User "u" cannot list`)}, nil, "TM906 needs list on pods in all namespaces"},
		{"forbidden on the second page", answers{pods("1", "a"), status(403, "Forbidden", "")}, nil, "TM906 needs list on pods in all namespaces"},
		{"no longer served", answers{status(404, "NotFound", "")}, nil, "TM901 cannot list pods in all namespaces: 404 Not Found"},
		{"logged out", answers{status(401, "Unauthorized", "Unauthorized")}, nil, "the cluster refuses the credentials of this context: 401 Unauthorized: Unauthorized"},
		{"bad request", answers{says(400, "<html>\x1b[31m")}, nil, "TM901 cannot list pods in all namespaces: 400 Bad Request"},
		{"moved", answers{says(302, "", "Location", "http://192.0.2.1/")}, nil, "TM901 cannot list pods in all namespaces: 302 Found"},
		{"large", answers{says(200, strings.Repeat(" ", 65<<10))}, nil, "TM901 cannot list pods in all namespaces: the answer is too large: more than 0 MiB"},
		{"large together", answers{pods("1", "a"), says(200, strings.Repeat(" ", 65<<10)), pods("", "b")}, first, ""},
		{"bomb", answers{bomb}, nil, "TM901 cannot list pods in all namespaces: the answer is too large: more than 0 MiB"},
		{"without end, the same page", answers{pods("1", "a")}, nil, "TM901 cannot list pods in all namespaces: the list does not end: its next page is the same again"},
		{"no JSON", answers{says(200, "{")}, nil, "TM901 cannot list pods in all namespaces: the answer is no list: unexpected end of JSON input"},
		{"no list", answers{says(200, `{"kind":"Table","apiVersion":"meta.k8s.io/v1"}`)}, nil, `TM901 cannot list pods in all namespaces: the answer is no list: kind "Table"`},
		{"no objects", answers{says(200, `{"kind":"PodList","apiVersion":"v1","items":[{},7]}`)}, nil, "TM901 cannot list pods in all namespaces: the answer holds what is no object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{answers: map[string][]func(http.ResponseWriter, *http.Request){"/api/v1/pods": tt.answers}}
			files, unread, err := testClient(t, s).fetch(t.Context(), []source.Served{podList}, false)
			var names []string
			for _, f := range files {
				names = append(names, f.Name)
				if want := strings.TrimPrefix(f.Name, "cluster/Pod/n/"); string(f.Data) != `{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"n","name":"`+want+`","managedFields":[]},"spec":{"containers":[{"name":"c","image":"i"}]}}` {
					t.Errorf("%s is %s", f.Name, f.Data)
				}
			}
			problem := ""
			if err != nil {
				problem = err.Error()
			}
			for _, u := range unread {
				problem += u.Problem.Rule + " " + u.Problem.Message
			}
			if !slices.Equal(names, tt.files) || problem != tt.problem {
				t.Errorf("read %q, %q; want %q, %q\nasked %q", names, problem, tt.files, tt.problem, s.asked)
			}
			for i, asked := range s.asked {
				if !strings.Contains(asked, "limit=") {
					t.Errorf("request %d without a limit: %s", i, asked)
				}
			}
		})
	}
}

// TestBudget reads lists that do not end but for the bound on all that is read.
func TestBudget(t *testing.T) {
	n := 0
	for name, h := range map[string]http.HandlerFunc{
		"empty pages": func(w http.ResponseWriter, r *http.Request) { n++; pods(fmt.Sprint(n))(w, r) },
		"large pages": func(w http.ResponseWriter, r *http.Request) {
			n++
			pods(fmt.Sprint(n), strings.Repeat("x", 30<<10))(w, r)
		},
	} {
		n = 0
		c := testClient(t, h)
		_, unread, err := c.fetch(t.Context(), []source.Served{podList}, false)
		if err != nil || len(unread) != 1 || !strings.Contains(unread[0].Problem.Message, "all that was read") {
			t.Errorf("%s: %v %v", name, unread, err)
		}
		if most := int(c.limits.total/leastCost) + 1; n > most {
			t.Errorf("%s: %d requests, at most %d", name, n, most)
		}
	}
}

func TestFetchObjects(t *testing.T) {
	one := says(200, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":"kube-system","name":"cilium-config"},"data":{"a":"b"}}`)
	s := &script{answers: map[string][]func(http.ResponseWriter, *http.Request){
		"/api/v1/namespaces/kube-system/configmaps/cilium-config": {one},
		"/api/v1/namespaces/kube-system/configmaps/secret":        {status(403, "Forbidden", "")},
		"/apis/apps/v1/namespaces/n/deployments":                  {says(200, `{"kind":"DeploymentList","apiVersion":"apps/v1","items":[{"metadata":{"name":"d","namespace":"n"}}]}`)},
		"/apis/cilium.io/v2/ciliumnodes": {says(200, `{"kind":"CiliumNodeList","apiVersion":"cilium.io/v2","items":[
			{"apiVersion":"cilium.io/v2","kind":"CiliumNode","metadata":{"name":"n"}}]}`)},
	}}
	resources := []source.Resource{
		{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "cilium-config"},
		{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "kubeadm-config"},
		{Version: "v1", Plural: "configmaps", Namespace: "kube-system", Name: "secret"},
		{Group: "apps", Version: "v1", Plural: "deployments", Namespace: "n"},
		{Group: "cilium.io", Version: "v2", Plural: "ciliumnodes"},
		{Group: "crd.projectcalico.org", Version: "v1", Plural: "ippools"},
	}
	files, unread, err := testClient(t, s).Fetch(t.Context(), resources)
	var got []string
	for _, f := range files {
		got = append(got, f.Name)
	}
	want := []string{"cluster/ConfigMap/kube-system/cilium-config", "cluster/DeploymentList", "cluster/CiliumNodeList"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("read %q, %v", got, err)
	}
	if len(unread) != 1 || unread[0].Problem.Message != "needs get on configmaps secret in namespace kube-system" || unread[0].Resource != resources[2] {
		t.Errorf("unread %+v", unread)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cancel(); says(503, "")(w, r) }))
	c.limits.wait = time.Hour
	if _, _, err := c.Fetch(ctx, []source.Resource{podList.Resource}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestRedirect demands that credentials go nowhere but to the API server.
func TestRedirect(t *testing.T) {
	elsewhere := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere = true }))
	defer other.Close()
	c := testClient(t, says302(other.URL))
	if _, err := c.Load(t.Context(), nil); err == nil || elsewhere {
		t.Errorf("followed %t, error %v", elsewhere, err)
	}
}

func says302(to string) http.HandlerFunc { return says(302, "", "Location", to) }

// FuzzFetch reads whatever a server answers to everything.
func FuzzFetch(f *testing.F) {
	f.Add(`{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"1"},"items":[{"metadata":{"name":"a","namespace":"n"}}]}`)
	f.Add(`{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"cilium.io"},"versions":[{"version":"v2","resources":[{"resource":"x","scope":"Cluster","responseKind":{"kind":"X"},"verbs":["list"]}]}]}]}`)
	f.Add(`{"kind":"APIGroupList","groups":[{"name":"apps","versions":[{"version":"v1"}],"preferredVersion":{"version":"v1"}}],"resources":[{"name":"pods","kind":"Pod","verbs":["list"]}]}`)
	f.Add(`{"kind":"List","apiVersion":"v1","items":[{}]}`)
	f.Add(`{"kind":"PodList","apiVersion":"v1","items":[null,{ }]}`)
	f.Fuzz(func(t *testing.T, body string) {
		c := &Client{http: &http.Client{Transport: fixed(body)}, base: testBase, limits: limits{page: 2, body: 1 << 16, total: 1 << 16, tries: 1, request: time.Second, parallel: 1}}
		files, _, err := c.fetch(t.Context(), []source.Served{podList}, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := source.LoadLive(t.Context(), files, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Load(t.Context(), nil); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%T: %v", err, err)
			}
		}
	})
}
