package cloud

import (
	"cmp"
	"net/http"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
)

const (
	aksPath  = "/subscriptions/0000/resourceGroups/rg1/providers/Microsoft.ContainerService/managedClusters/prod"
	vnetPath = "/subscriptions/0000/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub"
	mcPath   = "/subscriptions/0000/resourceGroups/MC_rg1_plain_westeurope/providers/Microsoft.Network/virtualNetworks"
)

func aksOf(t *testing.T, r *replay, o AKSOptions) (model.Facts, []model.Unknown, error) {
	t.Helper()
	loginAzure(t)
	o.ResourceGroup, o.Endpoint, o.Cluster = "rg1", r.URL, cmp.Or(o.Cluster, "prod")
	files, unknown, err := AKS(t.Context(), o)
	known, problems := facts.Of(files...)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Origin.Pos(), p.Message)
	}
	return known, unknown, err
}

func TestAKS(t *testing.T) {
	for _, c := range []struct{ cluster, nodes, vpc, remote string }{
		{"prod", "10.1.4.0/22", "10.1.0.0/16 10.2.0.0/16", "10.9.0.0/16"},
		{"plain", "10.224.0.0/16", "10.224.0.0/12", ""},
	} {
		t.Run(c.cluster, func(t *testing.T) {
			r := newReplay(t, "aks.txtar", nil)
			known, unknown, err := aksOf(t, r, AKSOptions{Cluster: c.cluster})
			if err != nil {
				t.Fatal(err)
			}
			r.clean(t)
			if len(unknown) > 0 {
				t.Errorf("unknown: %v", unknown)
			}
			for key, query := range r.how {
				if query.Get("api-version") == "" {
					t.Errorf("%s is asked without a version", key)
				}
			}
			for _, want := range []struct{ what, got, want string }{
				{"nodes", cidrs(known.Ranges.Nodes), c.nodes},
				{"pods", cidrs(known.Ranges.Pods), "10.244.0.0/16"},
				{"services", cidrs(known.Ranges.Services), "10.0.0.0/16"},
				{"vpc", cidrs(known.Ranges.VPC), c.vpc},
				{"remote", cidrs(known.Ranges.Remote), c.remote},
			} {
				if want.got != want.want {
					t.Errorf("%s: %s, want %s", want.what, want.got, want.want)
				}
			}
			for _, u := range known.Unknown {
				if u.What == "ranges.nodes" || u.What == "ranges.vpc" || u.What == "ranges.pods" {
					t.Errorf("unknown: %s: %s", u.What, u.Why)
				}
			}
		})
	}
}

const (
	azureDenied = `{"error": {"code": "AuthorizationFailed", "message": "The client 'x' with object id 'y' does not have authorization to perform action 'Microsoft.Network/virtualNetworks/read' over scope '/subscriptions/0000/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub' or the scope is invalid. If access was recently granted, please refresh your credentials."}}`
	aksDenied   = `{"error": {"code": "AuthorizationFailed", "message": "The client 'x' with object id 'y' does not have authorization to perform action 'Microsoft.ContainerService/managedClusters/read' over scope '/subscriptions/0000/resourceGroups/rg1' or the scope is invalid."}}`
	azureUnauth = `{"error": {"code": "ExpiredAuthenticationToken", "message": "The access token expiry UTC time is earlier than current UTC time."}}`
	azureGone   = `{"error": {"code": "ResourceNotFound", "message": "The Resource 'Microsoft.ContainerService/managedClusters/prod' under resource group 'rg1' was not found."}}`
	azureLimit  = `{"error": {"code": "TooManyRequests", "message": "The request is being throttled."}}`
	azureBroken = `{"error": {"code": "InternalServerError", "message": "Encountered internal server error."}}`
)

func TestAKSFails(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		replies []reply
		want    []string
	}{
		"401":            {aksPath, []reply{{status: 401, body: azureUnauth}}, []string{"access token expiry", "az login"}},
		"403":            {aksPath, []reply{{status: 403, body: aksDenied}}, []string{"the caller lacks Microsoft.ContainerService/managedClusters/read"}},
		"404":            {aksPath, []reply{{status: 404, body: azureGone}}, []string{"prod in resource group rg1 of subscription 0000", "az aks list"}},
		"429 for long":   {aksPath, []reply{{status: 429, body: azureLimit, header: http.Header{"Retry-After": {"3600"}}}}, []string{"being throttled", "try again later"}},
		"500 for ever":   {vnetPath, []reply{{status: 500, body: azureBroken}}, []string{"virtualnetworks/hub", "internal server error"}},
		"cut off":        {aksPath, []reply{{body: `{"id": "x", "properties": {`}}, []string{"was cut off"}},
		"too large":      {aksPath, []reply{{body: `{"id": "` + strings.Repeat("x", maxBody) + `"}`}}, []string{"larger than 32 MiB"}},
		"redirect":       {aksPath, []reply{{status: 302, header: http.Header{"Location": {"http://169.254.169.254/"}}}}, []string{"status 302"}},
		"another host":   {"/subscriptions", []reply{{body: `{"value": [], "nextLink": "https://attacker.example.com/subscriptions"}`}}, []string{"on another host"}},
		"two to choose":  {"/subscriptions", []reply{{body: `{"value": [{"subscriptionId": "a"}, {"subscriptionId": "b"}]}`}}, []string{"the caller sees 2", "--subscription"}},
		"none to choose": {"/subscriptions", []reply{{body: `{"value": []}`}}, []string{"the caller sees 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, "aks.txtar", map[string][]reply{c.path: c.replies})
			_, _, err := aksOf(t, r, AKSOptions{})
			wantError(t, err, c.want...)
		})
	}
	t.Run("not logged in", func(t *testing.T) {
		azCommand(t, "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
		_, _, err := AKS(t.Context(), AKSOptions{Cluster: "prod", ResourceGroup: "rg1"})
		wantError(t, err, "az login")
	})
	t.Run("no such cloud", func(t *testing.T) {
		_, _, err := AKS(t.Context(), AKSOptions{Cluster: "prod", ResourceGroup: "rg1", Cloud: "moon"})
		wantError(t, err, "public, government, china")
	})
}

func TestAKSPatience(t *testing.T) {
	soon := http.Header{"Retry-After": {"1"}}
	r := newReplay(t, "aks.txtar", map[string][]reply{aksPath: {
		{status: 429, body: azureLimit, header: soon}, {status: 503, body: azureBroken}, {body: recorded(t, "aks.txtar", aksPath)},
	}})
	if _, _, err := aksOf(t, r, AKSOptions{Subscription: "0000"}); err != nil {
		t.Fatal(err)
	}
	if n := r.times(aksPath); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
}

func TestAKSGaps(t *testing.T) {
	r := newReplay(t, "aks.txtar", map[string][]reply{vnetPath: {{status: 403, body: azureDenied}}})
	known, unknown, err := aksOf(t, r, AKSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(unknown) == 0 || unknown[0].What != "ranges.nodes" || !strings.HasSuffix(unknown[0].Why, "virtualnetworks/hub: the caller lacks Microsoft.Network/virtualNetworks/read") {
		t.Errorf("unknown: %v", unknown)
	}
	if got := cidrs(known.Ranges.Services); got != "10.0.0.0/16" {
		t.Errorf("services are %s", got)
	}
}

func TestSameHost(t *testing.T) {
	for link, want := range map[string]bool{
		"https://management.azure.com/subscriptions?x": true, "https://management.azure.com:443/subscriptions": true, "https://Management.Azure.com/": true,
		"http://management.azure.com/": false, "https://management.azure.com.example.com/": false, "https://management.azure.com@example.com/": false,
		"https://management.azure.com:8443/": false, "//management.azure.com/": false, "/subscriptions": false, ":": false,
	} {
		if sameHost(link, "https://management.azure.com") != want {
			t.Errorf("%s: want %t", link, want)
		}
	}
}
