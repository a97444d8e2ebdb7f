// Package cluster reads a live cluster: the objects that its API server lists, as raw JSON for
// [source], so that a cluster says what the same objects in files say.
//
// It only reads, asks for nothing but what is judged, and takes every answer to be hostile: bodies,
// waits and pages are bounded. What it may not or cannot read becomes a [source.Unread], which
// widens the answers.
package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Options says which cluster to read.
type Options struct {
	Kubeconfig string // the file; "" for where kubectl looks, and then the cluster that the program runs in
	Context    string // of the kubeconfig; "" for its current one
}

// Error is why a cluster cannot be read at all.
type Error struct {
	Message string
	Hint    string // what to do, where one knows
}

func (e *Error) Error() string { return e.Message }

// Client reads one cluster. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base *url.URL

	limits limits
}

// limits bound what an API server can make the client do. They are variables of a client for tests
// alone.
type limits struct {
	page     int           // objects asked for at once, where these are no larger than usual
	body     int64         // bytes of one answer
	total    int64         // bytes of all answers that are kept
	tries    int           // of one request, and of one list
	wait     time.Duration // before the first try again; then twice as long each time
	longest  time.Duration // that is waited because the server says so
	request  time.Duration // that one try may take
	parallel int           // requests at a time
}

var defaults = limits{page: 500, body: 64 << 20, total: 1 << 30, tries: 5, wait: 500 * time.Millisecond, longest: 30 * time.Second,
	request: 2 * time.Minute, parallel: 8}

// Open finds the cluster that o names as kubectl does, with its credentials and the plugins for
// these. It asks the cluster nothing yet. Its error is an [*Error].
func Open(o Options) (*Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	rules.WarnIfAllMissing = false
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context})
	raw, err := loader.RawConfig()
	if err == nil && o.Context != "" && raw.Contexts[o.Context] == nil {
		return nil, &Error{fmt.Sprintf("the kubeconfig has no context %s", doc.Quote(o.Context)), "kubectl config get-contexts lists them"}
	}
	var config *rest.Config
	if err == nil {
		config, err = loader.ClientConfig()
	}
	switch {
	case err == nil:
		return open(config)
	case clientcmd.IsEmptyConfig(err):
		return nil, &Error{"no cluster: there is no kubeconfig, and toolmoat does not run in a cluster",
			"--kubeconfig names the file, or the variable KUBECONFIG; kubectl config view shows what kubectl uses"}
	}
	return nil, unusable(err)
}

func unusable(err error) error {
	return &Error{"cannot use the kubeconfig: " + doc.Clean(err.Error(), maxMessage), ""}
}

// maxMessage is up to how much is shown of what others say.
const maxMessage = 300

func open(config *rest.Config) (*Client, error) {
	config.UserAgent = "toolmoat"
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, unusable(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, unusable(err)
	}
	own := *client // it may be one that others use
	// The transport adds credentials to every request, also to one for where an answer sends it.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{http: &own, base: base, limits: defaults}, nil
}

// fatal makes an error that ends the reading of a cluster one that says what to do.
func fatal(err error) error {
	var status *statusError
	switch {
	case errors.As(err, &status) && status.code == http.StatusUnauthorized:
		return &Error{"the cluster refuses the credentials of this context: " + status.Error(), "log in again, or see what kubectl auth whoami says"}
	case errors.As(err, &status) && status.code == http.StatusForbidden:
		return &Error{"the cluster does not tell what it serves: " + status.Error(), "bind the ClusterRole system:discovery to this user"}
	}
	return &Error{"cannot read the cluster: " + doc.Clean(err.Error(), maxMessage), ""}
}
