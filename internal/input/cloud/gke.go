package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	neturl "net/url"
	"regexp"
	"slices"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// GKEOptions names a cluster.
type GKEOptions struct {
	Cluster  string
	Location string // a region or a zone
	Project  string // "" is that of the credentials

	Container string // base URL of the GKE API; "" is https://container.googleapis.com
	Compute   string // base URL of the Compute Engine API; "" is https://compute.googleapis.com
}

// googleCloud refuses in words such as: Required "container.clusters.get" permission(s) for
// "projects/p/locations/l/clusters/c". https://github.com/google-github-actions/auth/issues/424
var googleCloud = provider{
	name:  "Google Cloud",
	login: "log in: gcloud auth application-default login",
	lacks: regexp.MustCompile(`Required ['"]([\w.]+)['"] permission`),
}

// GKE asks for a cluster, the subnetworks that it names, and the other subnetworks and the routes
// of its network. It uses application default credentials. What refusals hide is unknown; any other
// error ends it, and is a [*Error].
func GKE(ctx context.Context, o GKEOptions) ([]source.File, []model.Unknown, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	g, err := newGKE(ctx, &o)
	if err != nil {
		return nil, nil, err
	}
	ask := request{
		what:       fmt.Sprintf("the GKE cluster %s in projects/%s/locations/%s", o.Cluster, o.Project, o.Location),
		permission: "container.clusters.get",
		find:       "gcloud container clusters list --project " + o.Project + " lists the clusters and their locations",
	}
	path := "/v1/projects/" + neturl.PathEscape(o.Project) + "/locations/" + neturl.PathEscape(o.Location) + "/clusters/" + neturl.PathEscape(o.Cluster)
	cluster, err := g.one(ctx, ask, o.Container+path)
	if err != nil {
		return nil, nil, err
	}
	return complete(ctx, g.fetch, cluster)
}

type gke struct {
	rest
	*GKEOptions
}

// newGKE finds credentials, and fills in what o leaves to be found.
func newGKE(ctx context.Context, o *GKEOptions) (*gke, error) {
	login := request{what: "the credentials for Google Cloud"}
	creds, err := google.FindDefaultCredentials(ctx, "https://www.googleapis.com/auth/cloud-platform.read-only")
	if err != nil {
		return nil, googleCloud.stranger(login, err)
	}
	if _, err := creds.TokenSource.Token(); err != nil {
		return nil, googleCloud.stranger(login, tokenError(err))
	}
	universe, err := creds.GetUniverseDomain()
	if err != nil {
		return nil, googleCloud.failed(login, err)
	}
	if o.Project = cmp.Or(o.Project, creds.ProjectID); o.Project == "" {
		return nil, &Error{What: "the GKE cluster " + o.Cluster, Why: "no project is named", Hint: "name it with --project"}
	}
	for base, api := range map[*string]string{&o.Container: "container", &o.Compute: "compute"} {
		if *base, err = endpoint(*base, "https://"+api+"."+universe); err != nil {
			return nil, &Error{What: "the endpoint of the " + api + " API", Why: err.Error()}
		}
	}
	client := newClient()
	client.Transport = &oauth2.Transport{Source: creds.TokenSource, Base: client.Transport}
	send := func(ctx context.Context, url string) (*http.Response, error) { return getAgain(ctx, client, url) }
	return &gke{rest{googleCloud, send}, o}, nil
}

// tokenError is err without the answer of the login service, but for what it says is wrong.
func tokenError(err error) error {
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) {
		return err
	}
	said := struct {
		Error string `json:"error"`
		Words string `json:"error_description"`
	}{r.ErrorCode, r.ErrorDescription}
	if said.Error == "" {
		json.Unmarshal(r.Body, &said) // not every flow of the library does; what is no JSON says nothing
	}
	return fmt.Errorf("the login service answers with status %s %s %s", r.Response.Status, said.Error, said.Words)
}

// getAgain gets url, more than once where that may help.
func getAgain(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	for n := 1; ; n++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		status, header := 0, http.Header(nil)
		if err == nil {
			status, header = resp.StatusCode, resp.Header
		}
		delay, patient := wait(n, header)
		if n == attempts || !patient || !retries(status, err) {
			return resp, err
		}
		if err == nil {
			io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
			resp.Body.Close()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(delay):
		}
	}
}

// fetch gets what the facts need further.
func (g *gke) fetch(ctx context.Context, n facts.Need) ([]answer, error) {
	if n.Kind == facts.GoogleSubnet && subnetPath.MatchString(n.ID) {
		ask := request{what: "the subnetwork " + n.ID, permission: "compute.subnetworks.get", hides: []string{"ranges.nodes", "ranges.pods"}}
		return g.one(ctx, ask, g.Compute+"/compute/v1/"+n.ID)
	}
	m := networkPath.FindStringSubmatch(n.ID)
	if m == nil {
		return nil, errNotAsked
	}
	list := func(r request, collection string) ([]answer, error) {
		query := neturl.Values{"filter": {`network eq ".*/networks/` + m[2] + `"`}} // it compares whole URLs, of which the host may differ
		base := g.Compute + "/compute/v1/projects/" + m[1] + collection + "?"
		return g.list(ctx, r, base+query.Encode(), "nextPageToken", func(token string) (string, error) {
			query.Set("pageToken", token)
			return base + query.Encode(), nil
		})
	}
	switch n.Kind {
	case facts.GoogleSubnets:
		return list(request{what: "the subnetworks of " + n.ID, permission: "compute.subnetworks.list", hides: []string{"ranges.vpc"}}, "/aggregated/subnetworks")
	case facts.GoogleRoutes:
		return list(request{what: "the routes of " + n.ID, permission: "compute.routes.list", hides: []string{"ranges.remote"}}, "/global/routes")
	case facts.GoogleRouters:
		pages, err := list(request{what: "the Cloud Routers of " + n.ID, permission: "compute.routers.list", hides: []string{"ranges.remote"}}, "/aggregated/routers")
		if err != nil {
			return nil, err
		}
		statuses, err := g.statuses(ctx, pages)
		return append(pages, statuses...), err
	}
	return nil, errNotAsked
}

// What facts name. A project may be in a domain: example.com:p.
var (
	subnetPath  = regexp.MustCompile(`^projects/[\w.:-]+/regions/[\w-]+/subnetworks/[\w-]+$`)
	networkPath = regexp.MustCompile(`^projects/([\w.:-]+)/global/networks/([\w-]+)$`)
	routerPath  = regexp.MustCompile(`/(projects/[\w.:-]+/regions/[\w-]+/routers/[\w-]+)$`)
)

// statuses asks the routers of a list that have peers what they learned from them.
func (g *gke) statuses(ctx context.Context, pages []answer) (all []answer, err error) {
	for _, page := range pages {
		var routers struct {
			Items map[string]struct {
				Routers []struct {
					SelfLink string
					BGPPeers []json.RawMessage
				}
			}
		}
		if err := json.Unmarshal(page.data, &routers); err != nil {
			return nil, g.failed(page.to, err)
		}
		for _, region := range slices.Sorted(maps.Keys(routers.Items)) {
			for _, r := range routers.Items[region].Routers {
				m := routerPath.FindStringSubmatch(r.SelfLink)
				if m == nil || len(r.BGPPeers) == 0 {
					continue
				}
				if len(all) == maxAsked {
					return nil, g.failed(page.to, fmt.Errorf("there are more than %d", maxAsked))
				}
				ask := request{what: "the status of " + m[1], permission: "compute.routers.get", hides: page.to.hides}
				status, err := g.one(ctx, ask, g.Compute+"/compute/v1/"+m[1]+"/getRouterStatus")
				if err != nil {
					return all, err
				}
				all = append(all, status...)
			}
		}
	}
	return all, nil
}
