package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

const (
	gkePath    = "/v1/projects/tenant-1/locations/europe-west1/clusters/prod"
	nodesPath  = "/compute/v1/projects/host-1/regions/europe-west1/subnetworks/nodes"
	routesPath = "/compute/v1/projects/host-1/global/routes"
)

func gkeOf(t *testing.T, r *replay) ([]string, model.Facts, []model.Unknown, error) {
	t.Helper()
	loginGoogle(t, r)
	files, unknown, err := GKE(t.Context(), GKEOptions{Cluster: "prod", Location: "europe-west1", Project: "tenant-1", Container: r.URL, Compute: r.URL + "/"})
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	known, problems := facts.Of(files...)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Origin.Pos(), p.Message)
	}
	return names, known, unknown, err
}

// cidrs returns the ranges of a list in order.
func cidrs(list []model.Range) string {
	var out []string
	for _, r := range list {
		out = append(out, r.CIDR.String())
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

func TestGKE(t *testing.T) {
	r := newReplay(t, "gke.txtar", nil)
	names, known, unknown, err := gkeOf(t, r)
	if err != nil {
		t.Fatal(err)
	}
	r.clean(t)
	if len(unknown) > 0 {
		t.Errorf("unknown: %v", unknown)
	}
	if names[0] != "GKE cluster prod in projects/tenant-1/locations/europe-west1" || !slices.Contains(names, "subnetwork projects/host-1/regions/europe-west1/subnetworks/nodes") {
		t.Errorf("files are %q", names)
	}
	for _, key := range []string{routesPath, "/compute/v1/projects/host-1/aggregated/subnetworks#page 2/of=2", "/compute/v1/projects/host-1/aggregated/routers"} {
		if got := r.how[key].Get("filter"); got != `network eq ".*/networks/shared"` {
			t.Errorf("%s has the filter %q", key, got)
		}
	}
	for _, want := range []struct{ what, got, want string }{
		{"nodes", cidrs(known.Ranges.Nodes), "10.10.10.0/24 10.10.11.0/24"},
		{"pods", cidrs(known.Ranges.Pods), "100.64.0.0/16 100.65.0.0/16 172.20.0.0/16"},
		{"services", cidrs(known.Ranges.Services), "172.21.0.0/17"},
		{"control plane", cidrs(known.Ranges.ControlPlane), "10.10.12.0/28 10.10.12.2/32"},
		{"vpc", cidrs(known.Ranges.VPC), "10.10.10.0/24 10.10.11.0/24 10.10.12.0/28 10.20.0.0/20 100.64.0.0/16 100.65.0.0/16 172.20.0.0/16 172.21.0.0/17"},
		{"remote", cidrs(known.Ranges.Remote), "10.30.0.0/16 192.168.0.0/16"},
	} {
		if want.got != want.want {
			t.Errorf("%s: %s, want %s", want.what, want.got, want.want)
		}
	}
	for _, u := range known.Unknown {
		t.Errorf("unknown: %s: %s", u.What, u.Why)
	}
}

const (
	gkeDenied     = `{"error": {"code": 403, "message": "Required \"container.clusters.get\" permission(s) for \"projects/tenant-1/locations/europe-west1/clusters/prod\".", "status": "PERMISSION_DENIED"}}`
	computeDenied = `{"error": {"code": 403, "message": "Required 'compute.subnetworks.get' permission for 'projects/host-1/regions/europe-west1/subnetworks/nodes'", "errors": [{"reason": "forbidden"}]}}`
	computeOff    = `{"error": {"code": 403, "message": "Compute Engine API has not been used in project host-1 before or it is disabled.", "errors": [{"reason": "accessNotConfigured"}]}}`
	googleUnauth  = `{"error": {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED"}}`
	googleMissing = `{"error": {"code": 404, "message": "Not found: projects/tenant-1/locations/europe-west1/clusters/prod.", "status": "NOT_FOUND"}}`
	googleQuota   = `{"error": {"code": 429, "message": "Quota exceeded for quota metric 'Requests'", "status": "RESOURCE_EXHAUSTED"}}`
	googleBroken  = `{"error": {"code": 503, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}}`
)

func TestGKEFails(t *testing.T) {
	later := http.Header{"Retry-After": {"3600"}}
	for name, c := range map[string]struct {
		path    string
		replies []reply
		want    []string
	}{
		"401":             {gkePath, []reply{{status: 401, body: googleUnauth}}, []string{"invalid authentication", "gcloud auth application-default login"}},
		"403":             {gkePath, []reply{{status: 403, body: gkeDenied}}, []string{"the caller lacks container.clusters.get"}},
		"403 in no words": {gkePath, []reply{{status: 403, body: "<html>go away</html>"}}, []string{"it takes container.clusters.get"}},
		"404":             {gkePath, []reply{{status: 404, body: googleMissing}}, []string{"prod in projects/tenant-1/locations/europe-west1", "clusters list"}},
		"429 for long":    {gkePath, []reply{{status: 429, body: googleQuota, header: later}}, []string{"Quota exceeded", "try again later"}},
		"503 for ever":    {nodesPath, []reply{{status: 503, body: googleBroken}}, []string{"subnetworks/nodes", "currently unavailable"}},
		"cut off":         {gkePath, []reply{{body: `{"name": "prod", "nodePools": [`}}, []string{"was cut off"}},
		"connection lost": {gkePath, []reply{{body: `{"name": "prod"`, header: http.Header{"Content-Length": {"500"}}, cut: true}}, []string{"the answer was cut off"}},
		"too large":       {gkePath, []reply{{body: `{"name": "` + strings.Repeat("x", maxBody) + `"}`}}, []string{"larger than 32 MiB"}},
		"no object":       {gkePath, []reply{{body: `<html>sign in</html>`}}, []string{"no JSON object"}},
		"redirect":        {gkePath, []reply{{status: 302, header: http.Header{"Location": {"http://169.254.169.254/"}}}}, []string{"status 302"}},
		"pages for ever":  {routesPath + "#1", []reply{{body: `{"kind": "compute#routeList", "nextPageToken": "1"}`}}, []string{"more than 200 pages"}},
		"unreachable":     {routesPath, []reply{{body: `{"kind": "compute#routeList", "unreachables": ["regions/x"]}`}}, []string{"regions/x could not be reached"}},
		"no login":        {"/token", []reply{{status: 400, body: `{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}`}}, []string{"Invalid JWT Signature", "gcloud auth"}},
		"login in pieces": {"/token", []reply{{status: 502, body: "Bearer " + token}}, []string{"502", "gcloud auth"}},
	} {
		t.Run(name, func(t *testing.T) {
			instead := map[string][]reply{c.path: c.replies}
			if name == "pages for ever" {
				instead[routesPath] = c.replies
			}
			r := newReplay(t, "gke.txtar", instead)
			_, _, _, err := gkeOf(t, r)
			wantError(t, err, c.want...)
		})
	}
}

// TestGKEPatience demands that what is asked again is asked as the answer says, and no more often
// than that.
func TestGKEPatience(t *testing.T) {
	soon := http.Header{"Retry-After": {"0"}}
	r := newReplay(t, "gke.txtar", map[string][]reply{gkePath: {
		{status: 429, body: googleQuota, header: soon}, {status: 503, body: googleBroken}, {body: recorded(t, "gke.txtar", gkePath)},
	}})
	if _, _, _, err := gkeOf(t, r); err != nil {
		t.Fatal(err)
	}
	if n := r.times(gkePath); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
	r = newReplay(t, "gke.txtar", map[string][]reply{gkePath: {{status: 503, body: googleBroken}}})
	if _, _, _, err := gkeOf(t, r); err == nil || r.times(gkePath) != attempts {
		t.Errorf("asked %d times, want %d; %v", r.times(gkePath), attempts, err)
	}
}

// TestGKEGaps demands that what is refused is unknown, and that the rest is there.
func TestGKEGaps(t *testing.T) {
	r := newReplay(t, "gke.txtar", map[string][]reply{
		nodesPath:  {{status: 403, body: computeDenied}},
		routesPath: {{status: 403, body: computeOff}},
		"/compute/v1/projects/host-1/regions/europe-west1/subnetworks/control": {{status: 404, body: googleMissing}},
	})
	_, known, unknown, err := gkeOf(t, r)
	if err != nil {
		t.Fatal(err)
	}
	names(t, unknown,
		"ranges.nodes: the subnetwork projects/host-1/regions/europe-west1/subnetworks/nodes: the caller lacks compute.subnetworks.get\n",
		"ranges.pods: the subnetwork projects/host-1/regions/europe-west1/subnetworks/nodes: the caller lacks compute.subnetworks.get\n",
		"ranges.remote: the routes of projects/host-1/global/networks/shared: Google Cloud refuses it: Compute Engine API has not been used",
		"subnetworks/control: there is none",
	)
	if got := cidrs(known.Ranges.Services); got != "172.21.0.0/17" {
		t.Errorf("services are %s", got)
	}
}

// TestGKEAsSaved demands that asking for the cluster of an example tells what its saved answers
// tell.
func TestGKEAsSaved(t *testing.T) {
	var saved []source.File
	docs := map[string]json.RawMessage{}
	for _, name := range []string{"cluster", "subnets", "routes", "routers"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "cidrs", "gke", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		saved = append(saved, source.File{Name: name, Data: data})
		docs[name] = data
	}
	const compute = "/compute/v1/projects/codemie-prod/"
	aggregated := func(kind, list, items string) []reply {
		return []reply{{body: fmt.Sprintf(`{"kind": "compute#%s", "id": "projects/codemie-prod/aggregated/%s", "items": {"regions/europe-west1": {"%[2]s": %[3]s}}}`, kind, list, docs[items])}}
	}
	var cluster struct{ Name, Location, SelfLink string }
	var subnets []json.RawMessage
	if err := errors.Join(json.Unmarshal(docs["cluster"], &cluster), json.Unmarshal(docs["subnets"], &subnets)); err != nil {
		t.Fatal(err)
	}
	instead := map[string][]reply{
		"/v1/projects/codemie-prod/locations/" + cluster.Location + "/clusters/" + cluster.Name: {{body: string(docs["cluster"])}},
		compute + "aggregated/subnetworks": aggregated("subnetworkAggregatedList", "subnetworks", "subnets"),
		compute + "aggregated/routers":     aggregated("routerAggregatedList", "routers", "routers"),
		compute + "global/routes":          {{body: `{"kind": "compute#routeList", "id": "projects/codemie-prod/global/routes", "items": ` + string(docs["routes"]) + `}`}},
	}
	for _, s := range subnets {
		var subnet struct{ SelfLink string }
		if err := json.Unmarshal(s, &subnet); err != nil {
			t.Fatal(err)
		}
		_, path, _ := strings.Cut(subnet.SelfLink, "googleapis.com")
		instead[path] = []reply{{body: string(s)}}
	}
	r := newReplay(t, "gke.txtar", instead)
	loginGoogle(t, r)
	files, unknown, err := GKE(t.Context(), GKEOptions{Cluster: cluster.Name, Location: cluster.Location, Project: "codemie-prod", Container: r.URL, Compute: r.URL})
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	r.clean(t)
	got, _ := facts.Of(files...)
	want, _ := facts.Of(saved...)
	if !reflect.DeepEqual(got, want) || len(want.Ranges.Pods) == 0 {
		t.Errorf("asked: %+v\nsaved: %+v", got, want)
	}
}

func TestEndpoint(t *testing.T) {
	for given, ok := range map[string]bool{
		"": true, "https://container.example.com": true, "https://container.example.com/": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true,
		"http://container.example.com": false, "http://127.0.0.1.example.com": false, "container.example.com": false, "ftp://127.0.0.1": false,
		"https://user:password@example.com": false, "https://": false, "http://169.254.169.254": false, "://": false,
	} {
		if base, err := endpoint(given, "https://usual"); (err == nil) != ok || strings.HasSuffix(base, "/") {
			t.Errorf("%q: %q, %v", given, base, err)
		}
	}
}
