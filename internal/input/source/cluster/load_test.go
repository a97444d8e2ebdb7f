package cluster

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/input/source"
)

var testBase = &url.URL{Scheme: "http", Host: "cluster.example"}

// fixed answers everything with the same body.
type fixed string

func (f fixed) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(string(f)))}, nil
}

const (
	coreGroup = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[{"metadata":{"name":""},"versions":[{"version":"v1","freshness":"Current","resources":[
		{"resource":"pods","responseKind":{"group":"","version":"","kind":"Pod"},"scope":"Namespaced","verbs":["get","list"],"subresources":[{"subresource":"status","verbs":["get"]}]},
		{"resource":"nodes","responseKind":{"kind":"Node"},"scope":"Cluster","verbs":["list"]},
		{"resource":"namespaces","responseKind":{"kind":"Namespace"},"scope":"Cluster","verbs":["get","list"]},
		{"resource":"secrets","responseKind":{"kind":"Secret"},"scope":"Namespaced","verbs":["list"]},
		{"resource":"configmaps","responseKind":{"kind":"ConfigMap"},"scope":"Namespaced","verbs":["list"]},
		{"resource":"bindings","responseKind":{"kind":"Binding"},"scope":"Namespaced","verbs":["create"]}]}]}]}`
	otherGroups = `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[
		{"metadata":{"name":"cilium.io"},"versions":[
			{"version":"v2alpha1","freshness":"Current","resources":[{"resource":"ciliumcidrgroups","responseKind":{"kind":"CiliumCIDRGroup"},"scope":"Cluster","verbs":["list"]},
				{"resource":"ciliumnetworkpolicies","responseKind":{"kind":"CiliumNetworkPolicy"},"scope":"Namespaced","verbs":["list"]}]},
			{"version":"v2","freshness":"Current","resources":[{"resource":"ciliumnetworkpolicies","responseKind":{"kind":"CiliumNetworkPolicy"},"scope":"Namespaced","verbs":["list"]}]}]},
		{"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","freshness":"Stale"}]},
		{"metadata":{"name":"projectcalico.org"},"versions":[{"version":"v3","freshness":"Stale","resources":[
			{"resource":"networkpolicies","responseKind":{"kind":"NetworkPolicy"},"scope":"Namespaced","verbs":["list"]}]}]}]}`
)

// old is what an API server says of itself that knows nothing of answers about all groups.
var old = map[string]string{
	"/api":                     `{"kind":"APIVersions","versions":["v1"]}`,
	"/apis":                    `{"kind":"APIGroupList","groups":[{"name":"cilium.io","versions":[{"groupVersion":"cilium.io/v2alpha1","version":"v2alpha1"},{"groupVersion":"cilium.io/v2","version":"v2"}],"preferredVersion":{"version":"v2"}},{"name":"projectcalico.org","versions":[{"version":"v3"}],"preferredVersion":{"version":"v3"}}]}`,
	"/api/v1":                  `{"kind":"APIResourceList","resources":[{"name":"pods","kind":"Pod","namespaced":true,"verbs":["list"]},{"name":"pods/status","kind":"Pod","namespaced":true,"verbs":["list"]},{"name":"nodes","kind":"Node","verbs":["list"]},{"name":"namespaces","kind":"Namespace","verbs":["list"]},{"name":"secrets","kind":"Secret","namespaced":true,"verbs":["list"]}]}`,
	"/apis/cilium.io/v2":       `{"kind":"APIResourceList","resources":[{"name":"ciliumnetworkpolicies","kind":"CiliumNetworkPolicy","namespaced":true,"verbs":["list"]}]}`,
	"/apis/cilium.io/v2alpha1": `{"kind":"APIResourceList","resources":[{"name":"ciliumcidrgroups","kind":"CiliumCIDRGroup","verbs":["list"]}]}`,
}

// TestLoad reads a cluster whose API server tells what it serves in each of two ways.
func TestLoad(t *testing.T) {
	lists := map[string]string{
		"/api/v1/pods":       `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"namespace":"n","name":"a"},"spec":{"containers":[{"name":"c","image":"i"}]}}]}`,
		"/api/v1/nodes":      `{"kind":"NodeList","apiVersion":"v1","items":[]}`,
		"/api/v1/namespaces": `{"kind":"NamespaceList","apiVersion":"v1","items":[{"metadata":{"name":"n"}}]}`,
		"/apis/cilium.io/v2alpha1/ciliumcidrgroups": `{"kind":"CiliumCIDRGroupList","apiVersion":"cilium.io/v2alpha1","items":[]}`,
		"/apis/cilium.io/v2/ciliumnetworkpolicies":  `{"kind":"CiliumNetworkPolicyList","apiVersion":"cilium.io/v2","items":[]}`,
	}
	for name, discovery := range map[string]map[string]string{"all at once": {"/api": coreGroup, "/apis": otherGroups}, "one by one": old} {
		t.Run(name, func(t *testing.T) {
			s := &script{answers: map[string][]func(http.ResponseWriter, *http.Request){}}
			for path, body := range discovery {
				s.answers[path] = append(s.answers[path], says(200, body))
			}
			for path, body := range lists {
				s.answers[path] = append(s.answers[path], says(200, body))
			}
			snapshot, err := testClient(t, s).Load(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(snapshot.Workloads) != 1 || snapshot.Workloads[0].Origin.Pos() != "cluster/Pod/n/a" || len(snapshot.Namespaces) != 1 {
				t.Errorf("read %+v", snapshot)
			}
			// What does not answer may hold policies; metrics do not.
			if len(snapshot.Problems) != 1 || snapshot.Problems[0].Message != "what serves projectcalico.org does not answer, so its policies cannot be read" || len(snapshot.Policies) != 1 {
				t.Errorf("problems %+v, policies %+v", snapshot.Problems, snapshot.Policies)
			}
			for _, asked := range s.asked {
				if strings.Contains(asked, "secrets") || strings.Contains(asked, "configmaps") || strings.Contains(asked, "v2alpha1/ciliumnetworkpolicies") {
					t.Errorf("asked for %s", asked)
				}
			}
		})
	}
}

func TestLoadFails(t *testing.T) {
	for _, tt := range []struct {
		name       string
		answer     func(http.ResponseWriter, *http.Request)
		want, hint string
	}{
		{"logged out", status(401, "Unauthorized", "Unauthorized"), "the cluster refuses the credentials", "log in again"},
		{"may not ask", status(403, "Forbidden", "forbidden"), "the cluster does not tell what it serves", "system:discovery"},
		{"down", says(503, ""), "cannot read the cluster: 503 Service Unavailable", ""},
		{"something else", says(200, "<html>"), "not what an API server answers", ""},
		{"another object", says(200, `{"kind":"Pod"}`), `not what an API server answers: kind "Pod"`, ""},
	} {
		c := testClient(t, http.HandlerFunc(tt.answer))
		_, err := c.Load(t.Context(), nil)
		e, ok := err.(*Error)
		if !ok || !strings.Contains(e.Message, tt.want) || !strings.Contains(e.Hint, tt.hint) || strings.Contains(e.Message, "secret-token") {
			t.Errorf("%s: %#v", tt.name, err)
		}
	}
	c := testClient(t, http.NotFoundHandler())
	c.base = &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	if _, err := c.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "cannot read the cluster: 127.0.0.1:1: ") {
		t.Errorf("nobody there: %v", err)
	}
	if _, _, err := c.Fetch(t.Context(), []source.Resource{podList.Resource}); err == nil || !strings.Contains(err.Error(), "cannot read the cluster: 127.0.0.1:1: ") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KUBECONFIG", filepath.Join(dir, "none"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	config := filepath.Join(dir, "config")
	const text = `{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: "https://cluster.example:6443/k8s/"}}],
users: [{name: u, user: {token: secret-token}}]}`
	broken := filepath.Join(dir, "broken")
	for path, text := range map[string]string{config: text, broken: "users: {token: secret-token"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(Options{Kubeconfig: config})
	if err != nil || c.base.String() != "https://cluster.example:6443/k8s/" {
		t.Errorf("base %v, error %v", c, err)
	}
	for o, want := range map[Options]string{
		{}:                                 "no cluster: there is no kubeconfig",
		{Kubeconfig: config, Context: "b"}: `the kubeconfig has no context "b"`,
		{Kubeconfig: filepath.Join(dir, "absent")}: "cannot use the kubeconfig: stat ",
		{Kubeconfig: broken}:                       "cannot use the kubeconfig: ",
	} {
		if _, err := Open(o); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret-token") {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
}

// TestRBAC demands that what is printed lets the client read all that it knows, and nothing else.
// That it is what an API server takes is tested with one.
func TestRBAC(t *testing.T) {
	all := string(RBAC(nil, nil))
	for _, s := range source.Readable() {
		if !strings.Contains(all, s.Plural) {
			t.Errorf("%s is not in the role", s)
		}
	}
	for _, no := range []string{"secrets", "configmaps", "get", "watch", "create", "*"} {
		if regexp.MustCompile(`(?:^|[^a-z])` + regexp.QuoteMeta(no) + `(?:[^a-z]|$)`).MatchString(strings.SplitN(all, "rules:", 2)[1]) {
			t.Errorf("the role has %s", no)
		}
	}
	some := string(RBAC([]string{"a", "a: b\n"}, nil))
	if !strings.Contains(some, "#   nodes\n") || strings.Contains(some, "[nodes") || !strings.Contains(some, `namespace: "a: b\n"`) {
		t.Errorf("roles in namespaces:\n%s", some)
	}
	if lines := strings.Split(some, "\n"); slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "a: b") }) {
		t.Error("a name from the command line became YAML of its own")
	}
}
