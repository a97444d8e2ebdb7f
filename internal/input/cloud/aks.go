package cloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	neturl "net/url"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	azcloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// AKSOptions names a cluster.
type AKSOptions struct {
	Cluster, ResourceGroup string
	Subscription           string // its ID; "" is the only one that the caller sees

	Cloud    string // one of AzureClouds; "" is the first
	Endpoint string // base URL of the Resource Manager API; "" is that of the cloud
}

// AzureClouds lists the clouds of Azure, by what they are called here.
var AzureClouds = []string{"public", "government", "china"}

func azureCloud(name string) (azcloud.Configuration, bool) {
	switch name {
	case "", "public":
		return azcloud.AzurePublic, true
	case "government":
		return azcloud.AzureGovernment, true
	case "china":
		return azcloud.AzureChina, true
	}
	return azcloud.Configuration{}, false
}

// Versions of the APIs, the first stable ones with all that is read.
// https://github.com/Azure/azure-rest-api-specs: specification/containerservice/.../aks/stable,
// specification/network/.../Microsoft.Network/stable
const (
	aksVersion           = "2025-08-01"
	azureNetworkVersion  = "2024-05-01"
	subscriptionsVersion = "2022-12-01"
)

// azure refuses in words such as: The client 'x' with object id 'y' does not have authorization to
// perform action 'Microsoft.Network/virtualNetworks/read' over scope '/subscriptions/s/...' or the
// scope is invalid. https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
var azure = provider{
	name:  "Azure",
	login: "log in: az login",
	lacks: regexp.MustCompile(`perform action '([\w./*-]+)'`),
}

// AKS asks for a cluster and the virtual networks that it is in. It uses the credentials that the
// Azure SDK finds: of the environment, a workload or managed identity, or az login. What refusals
// hide is unknown; any other error ends it, and is a [*Error].
func AKS(ctx context.Context, o AKSOptions) ([]source.File, []model.Unknown, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	a, err := newAKS(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	if o.Subscription == "" {
		if o.Subscription, err = a.subscription(ctx); err != nil {
			return nil, nil, err
		}
	}
	ask := request{
		what:       fmt.Sprintf("the AKS cluster %s in resource group %s of subscription %s", o.Cluster, o.ResourceGroup, o.Subscription),
		permission: "Microsoft.ContainerService/managedClusters/read",
		find:       "az aks list --subscription " + o.Subscription + " lists the clusters and their resource groups",
	}
	path := "/subscriptions/" + neturl.PathEscape(o.Subscription) + "/resourceGroups/" + neturl.PathEscape(o.ResourceGroup) +
		"/providers/Microsoft.ContainerService/managedClusters/" + neturl.PathEscape(o.Cluster)
	cluster, err := a.one(ctx, ask, a.url(path, aksVersion))
	if err != nil {
		return nil, nil, err
	}
	return complete(ctx, a.fetch, cluster)
}

// aks asks Azure Resource Manager.
type aks struct {
	rest
	base string
}

func newAKS(ctx context.Context, o AKSOptions) (*aks, error) {
	conf, ok := azureCloud(o.Cloud)
	if !ok {
		return nil, &Error{What: "the cloud " + o.Cloud, Why: "there is none of this name", Hint: "clouds of Azure are " + strings.Join(AzureClouds, ", ")}
	}
	manager := conf.Services[azcloud.ResourceManager]
	base, err := endpoint(o.Endpoint, strings.TrimSuffix(manager.Endpoint, "/"))
	if err != nil {
		return nil, &Error{What: "the endpoint of Azure Resource Manager", Why: err.Error()}
	}
	login := request{what: "the credentials for Azure"}
	cred, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: policy.ClientOptions{Cloud: conf}})
	if err != nil {
		return nil, azure.stranger(login, err)
	}
	if _, err := cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{manager.Audience + "/.default"}}); err != nil {
		return nil, azure.stranger(login, err)
	}
	client, err := arm.NewClient("toolmoat", "v0.0.0", cred, &arm.ClientOptions{
		ClientOptions: policy.ClientOptions{
			Cloud:                           conf,
			Transport:                       newClient(),
			Retry:                           policy.RetryOptions{MaxRetries: attempts - 1, RetryDelay: pause, MaxRetryDelay: maxPause},
			Telemetry:                       policy.TelemetryOptions{Disabled: true},
			InsecureAllowCredentialWithHTTP: true, // newClient decides
		},
		DisableRPRegistration: true, // nothing is changed
	})
	if err != nil {
		return nil, azure.failed(login, err)
	}
	send := func(ctx context.Context, url string) (*http.Response, error) {
		req, err := runtime.NewRequest(ctx, http.MethodGet, url)
		if err != nil {
			return nil, err
		}
		return client.Pipeline().Do(req)
	}
	return &aks{rest{azure, send}, base}, nil
}

func (a *aks) url(path, version string) string { return a.base + path + "?api-version=" + version }

// list gets all pages of a list. The URLs of pages are the server's: they must be of its own host,
// which gets the credentials.
func (a *aks) list(ctx context.Context, r request, url string) ([]answer, error) {
	return a.rest.list(ctx, r, url, "nextLink", func(link string) (string, error) {
		if !sameHost(link, a.base) {
			return "", errors.New("the next page is on another host")
		}
		return link, nil
	})
}

// sameHost reports whether two URLs lead to the same server. Azure writes its port into some.
func sameHost(a, b string) bool {
	x, errX := neturl.Parse(a)
	y, errY := neturl.Parse(b)
	if errX != nil || errY != nil || x.Scheme != y.Scheme || x.User != nil {
		return false
	}
	port := func(u *neturl.URL) string {
		return cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
	}
	return strings.EqualFold(x.Hostname(), y.Hostname()) && port(x) == port(y)
}

// subscription returns the only subscription that the caller sees.
func (a *aks) subscription(ctx context.Context) (string, error) {
	ask := request{what: "the subscriptions", permission: "Microsoft.Resources/subscriptions/read"}
	pages, err := a.list(ctx, ask, a.url("/subscriptions", subscriptionsVersion))
	if err != nil {
		return "", err
	}
	var ids []string
	for _, p := range pages {
		var list struct {
			Value []struct{ SubscriptionID, State string }
		}
		if err := json.Unmarshal(p.data, &list); err != nil {
			return "", a.failed(ask, err)
		}
		for _, s := range list.Value {
			if s.State != "Deleted" && s.State != "Disabled" {
				ids = append(ids, s.SubscriptionID)
			}
		}
	}
	if len(ids) != 1 {
		return "", &Error{What: ask.what, Why: fmt.Sprintf("the caller sees %d of them", len(ids)), Hint: "name one with --subscription: az account list prints them"}
	}
	return ids[0], nil
}

// What facts name: the IDs of a virtual network and of a resource group.
var (
	vnetID  = regexp.MustCompile(`(?i)^/subscriptions/[\w-]+/resourceGroups/[\w.()-]+/providers/Microsoft\.Network/virtualNetworks/[\w.-]+$`)
	groupID = regexp.MustCompile(`(?i)^/subscriptions/[\w-]+/resourceGroups/[\w.()-]+$`)
)

// fetch gets what the facts need further.
func (a *aks) fetch(ctx context.Context, n facts.Need) ([]answer, error) {
	hides := []string{"ranges.nodes", "ranges.vpc", "ranges.remote"}
	switch {
	case n.Kind == facts.AzureVNet && vnetID.MatchString(n.ID):
		ask := request{what: "the virtual network " + n.ID, permission: "Microsoft.Network/virtualNetworks/read", hides: hides}
		return a.one(ctx, ask, a.url(n.ID, azureNetworkVersion))
	case n.Kind == facts.AzureGroupVNets && groupID.MatchString(n.ID):
		ask := request{what: "the virtual networks of " + n.ID, permission: "Microsoft.Network/virtualNetworks/read", hides: hides}
		return a.list(ctx, ask, a.url(n.ID+"/providers/Microsoft.Network/virtualNetworks", azureNetworkVersion))
	}
	return nil, errNotAsked
}
