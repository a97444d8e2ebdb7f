package cluster

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared are planes that several tests use. A test adds what no other one sees, or has a plane of
// its own.
var shared = struct {
	sync.Mutex
	planes map[string]*controlPlane
}{planes: map[string]*controlPlane{}}

// plane returns the plane with an example, which the first test that asks for it starts.
func plane(t *testing.T, name string) *controlPlane {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.planes[name] == nil {
		p := newPlane(t, "shared-"+name)
		p.api.apply(t, example(t, name, "10.96.8."))
		shared.planes[name] = p
	}
	return shared.planes[name]
}

// TestPages writes 5,000 pods and has them read, page by page, through a proxy that counts.
func TestPages(t *testing.T) {
	const count, namespaces, page = 5000, 5, 500
	p := newPlane(t, "pages")
	begin := time.Now()
	for n := range namespaces {
		p.api.create(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": fmt.Sprint("team-", n)}})
	}
	work := make(chan int)
	errs := make(chan error, count)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range work {
				errs <- p.api.post(t.Context(), object{"apiVersion": "v1", "kind": "Pod",
					"metadata": object{"namespace": fmt.Sprint("team-", i%namespaces), "name": fmt.Sprint("pod-", i), "labels": object{"app": fmt.Sprint("app-", i%7)}},
					"spec":     object{"containers": []any{object{"name": "main", "image": "registry.example/app:1"}}}})
			}
		})
	}
	for i := range count {
		work <- i
	}
	close(work)
	wg.Wait()
	for range count {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("cluster: wrote %d pods in %.1f s\n", count, time.Since(begin).Seconds())

	var seen struct {
		sync.Mutex
		pods, more int
	}
	to, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = p.api.client.Transport
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/pods") {
			seen.Lock()
			seen.pods++
			if r.URL.Query().Has("continue") {
				seen.more++
			}
			seen.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	config := filepath.Join(t.TempDir(), "kubeconfig")
	write(t, config, fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}], users: [{name: u, user: {token: admin-token}}]}`,
		front.URL, base64.StdEncoding.EncodeToString(ca)))

	begin = time.Now()
	all := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "--allow-empty", "-o", "json").json(t)
	fmt.Printf("cluster: audited %d pods in %.1f s\n", count, time.Since(begin).Seconds())
	if got := all["summary"].(object)["workloads"]; got != float64(count) || all["complete"] != true {
		t.Errorf("read %v workloads, complete %v", got, all["complete"])
	}
	if want := count / page; seen.pods != want || seen.more != want-1 {
		t.Errorf("%d pages of pods, %d of them after another; want %d", seen.pods, seen.more, want)
	}
	some := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "--allow-empty", "-o", "json", "-n", "team-1", "-n", "team-3").json(t)
	if got := some["summary"].(object)["workloads"]; got != float64(2*count/namespaces) || some["complete"] != false {
		t.Errorf("of two namespaces read %v workloads, complete %v", got, some["complete"])
	}
}

// TestForbidden reads with a user who may list what is in one namespace.
func TestForbidden(t *testing.T) {
	p := plane(t, "article")
	p.api.apply(t, objects(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: mcp-workloads}
rules:
- {apiGroups: ["", apps, batch, networking.k8s.io, discovery.k8s.io], resources: ["*"], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: mcp-workloads}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, name: narrow, apiGroup: rbac.authorization.k8s.io}]
`))
	config := kubeconfig(t, token("narrow-token"), p)
	all := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "-A", "-o", "json")
	var want []string
	for _, what := range []string{"cronjobs.batch", "daemonsets.apps", "deployments.apps", "endpointslices.discovery.k8s.io", "ingresses.networking.k8s.io", "jobs.batch",
		"networkpolicies.networking.k8s.io", "pods", "replicasets.apps", "replicationcontrollers", "services", "statefulsets.apps"} {
		want = append(want, "TM906 needs list on "+what+" in all namespaces")
	}
	want = append(want, "TM906 needs list on namespaces", "TM906 needs list on nodes", "TM907 no MCP server found; workloads read: 0")
	slices.Sort(want)
	got := messages(all.json(t))
	slices.Sort(got)
	if all.code != 2 || !slices.Equal(got, want) {
		t.Errorf("exits with %d and says\n%s\nnot\n%s", all.code, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	one := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "-n", "mcp-workloads", "-o", "json")
	res := one.json(t)
	want = []string{"TM906 needs get on endpointslices.discovery.k8s.io kubernetes in namespace default", "TM906 needs get on services kubernetes in namespace default",
		"TM906 needs list on nodes", "TM906 read of these namespaces only: mcp-workloads; what runs in others, and their policies, Services and routes, is not known"}
	if got := messages(res); one.code != 2 || !slices.Equal(got, want) || len(list(res, "servers")) != 3 {
		t.Errorf("of its namespace, exits with %d and says %q, servers %d", one.code, got, len(list(res, "servers")))
	}
	for _, args := range [][]string{{"-n", "data"}, {"-n", "nowhere"}} {
		r := toolmoat(t, append([]string{"audit", "--cluster", "--kubeconfig", config}, args...)...)
		if r.code != 2 {
			t.Errorf("%q exits with %d:\n%s%s", args, r.code, r.out, r.err)
		}
	}
	r := toolmoat(t, "audit", "--cluster", "--kubeconfig", kubeconfig(t, token("admin-token"), p), "-n", "nowhere")
	if r.code != 2 || !strings.Contains(r.err, `error: the cluster has no namespace "nowhere"`) || !strings.Contains(r.err, "hint: ") {
		t.Errorf("a namespace that does not exist: exit %d, %s", r.code, r.err)
	}
	r = toolmoat(t, "audit", "--cluster", "--kubeconfig", kubeconfig(t, token("no-such-token"), p))
	if r.code != 2 || !strings.Contains(r.err, "refuses the credentials") || strings.Contains(r.err+r.out, "no-such-token") {
		t.Errorf("wrong credentials: exit %d, %s", r.code, r.err)
	}
}

// TestForbiddenPolicies reads with a user who may list everything but NetworkPolicies: then nothing
// is known of what passes.
func TestForbiddenPolicies(t *testing.T) {
	p := plane(t, "article")
	p.api.apply(t, objects(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: listed}
rules:
- {apiGroups: ["", apps, batch, discovery.k8s.io], resources: ["*"], verbs: [list]}
- {apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: listed}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: listed}
subjects: [{kind: User, name: listed, apiGroup: rbac.authorization.k8s.io}]
`))
	config := kubeconfig(t, token("listed-token"), p)
	want := []string{"TM906 needs list on networkpolicies.networking.k8s.io in all namespaces"}
	for to, verdict := range map[string]string{"10.9.9.9:22": "unknown", "mcp-workloads/log-aggregator:5044": "unknown"} {
		r := toolmoat(t, "can", "--cluster", "--kubeconfig", config, "-o", "json", "mcp-workloads/mcp-github", to)
		if res := r.json(t); r.code != 2 || res["verdict"] != verdict || !slices.Equal(messages(res), want) {
			t.Errorf("to %s: exit %d, %v, %q", to, r.code, res["verdict"], messages(res))
		}
	}
	r := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "-o", "json")
	res := r.json(t)
	if r.code != 2 || !slices.Equal(messages(res), want) || len(list(res, "servers")) != 3 {
		t.Errorf("exit %d, %q", r.code, messages(res))
	}
	for _, srv := range list(res, "servers") {
		for class, reach := range srv["reach"].(object) {
			if verdict := reach.(object)["verdict"]; verdict != "unknown" {
				t.Errorf("%v: %s is %v", srv["name"], class, verdict)
			}
		}
	}
}

// TestPrintRBAC applies what --print-rbac prints, and reads as the service account that it makes.
func TestPrintRBAC(t *testing.T) {
	p := plane(t, "unprotected")
	as := func(namespace string, flags ...string) (bearer string) {
		printed := toolmoat(t, append([]string{"audit", "--print-rbac"}, flags...)...)
		if printed.code != 0 {
			t.Fatal(printed.err)
		}
		p.api.apply(t, objects(t, printed.out))
		return p.api.tokenOf(t, namespace, "toolmoat")
	}
	all := as("default")
	admin := toolmoat(t, "audit", "--cluster", "--kubeconfig", kubeconfig(t, token("admin-token"), p), "-o", "json")
	same(t, toolmoat(t, "audit", "--cluster", "--kubeconfig", kubeconfig(t, token(all), p), "-o", "json"), admin)

	some := as("mcp-workloads", "-n", "mcp-workloads", "-n", "kube-system")
	r := toolmoat(t, "audit", "--cluster", "--kubeconfig", kubeconfig(t, token(some), p), "-n", "mcp-workloads", "-n", "kube-system", "-o", "json")
	if got := messages(r.json(t)); r.code != 2 || len(got) != 2 || !slices.Contains(got, "TM906 needs list on nodes") {
		t.Errorf("with roles in two namespaces: exit %d, %q", r.code, got)
	}
	// It is the least: nothing else is allowed.
	for _, bearer := range []string{all, some} {
		user := &api{p.api.client, p.url, bearer}
		for _, path := range []string{"/api/v1/secrets", "/api/v1/namespaces/mcp-workloads/secrets", "/api/v1/namespaces/mcp-workloads/configmaps",
			"/api/v1/namespaces/kube-system/configmaps", "/api/v1/namespaces/mcp-workloads/pods?watch=true&timeoutSeconds=1"} {
			if status, _, err := user.do(t.Context(), "GET", path, nil); err != nil || status != http.StatusForbidden {
				t.Errorf("%s: %d %v", path, status, err)
			}
		}
	}
}

// definition is a CustomResourceDefinition that takes anything.
func definition(group, version, kind, scope string) object {
	plural := strings.ToLower(strings.TrimSuffix(kind, "y")) + map[bool]string{true: "ies", false: "s"}[strings.HasSuffix(kind, "y")]
	return object{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": object{"name": plural + "." + group, "annotations": object{"api-approved.kubernetes.io": "unapproved, for a test"}},
		"spec": object{"group": group, "scope": scope, "names": object{"kind": kind, "plural": plural, "singular": strings.ToLower(kind), "listKind": kind + "List"},
			"versions": []any{object{"name": version, "served": true, "storage": true,
				"schema": object{"openAPIV3Schema": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}
}

// TestDefinitions adds kinds of policies to a cluster that had none: what is judged, what is not,
// and what nobody knows.
func TestDefinitions(t *testing.T) {
	p := newPlane(t, "definitions")
	written := example(t, "article-cilium", "10.96.8.")
	isCilium := func(o object) bool { return strings.HasPrefix(fmt.Sprint(o["apiVersion"]), "cilium.io") }
	p.api.apply(t, slices.DeleteFunc(slices.Clone(written), isCilium))
	config := kubeconfig(t, token("admin-token"), p)
	audit := func() ran { return toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "-o", "json") }
	if res := audit().json(t); res["complete"] != true {
		t.Errorf("without definitions: %q", messages(res))
	}
	p.api.create(t, definition("cilium.io", "v2", "CiliumNetworkPolicy", "Namespaced"))
	p.api.create(t, definition("cilium.io", "v2", "CiliumClusterwideNetworkPolicy", "Cluster"))
	p.api.create(t, definition("cilium.io", "v2", "CiliumEndpoint", "Namespaced"))
	p.api.apply(t, written)
	p.api.waitFor(t, "/apis/cilium.io/v2/ciliumendpoints")
	same(t, audit(), toolmoat(t, "audit", "-o", "json", "--facts", factsOf(t, config), files(t, written), ownObjects(t, p.api)), "complete", "problems", "servers", "findings", "summary")

	p.api.create(t, definition("cilium.io", "v2", "CiliumFuturePolicy", "Namespaced"))
	p.api.create(t, definition("policy.networking.k8s.io", "v1alpha1", "AdminNetworkPolicy", "Cluster"))
	p.api.create(t, definition("vendor.example", "v1", "StrictNetworkPolicy", "Namespaced"))
	p.api.waitFor(t, "/apis/vendor.example/v1/strictnetworkpolicies")
	if res := audit().json(t); res["complete"] != true {
		t.Errorf("definitions without objects: %q", messages(res))
	}
	p.api.apply(t, []object{
		{"apiVersion": "cilium.io/v2", "kind": "CiliumFuturePolicy", "metadata": object{"name": "f", "namespace": "data"}},
		{"apiVersion": "vendor.example/v1", "kind": "StrictNetworkPolicy", "metadata": object{"name": "s", "namespace": "data"}},
	})
	want := []string{"TM903 CiliumFuturePolicy of cilium.io is not judged yet", "TM903 StrictNetworkPolicy of vendor.example is not judged yet"}
	r := audit()
	if got := messages(r.json(t)); r.code != 2 || !slices.Equal(got, want) {
		t.Errorf("exits with %d and says %q", r.code, got)
	}
	// The second is named by its kind alone, and read in one namespace too, as nothing tells how
	// far it reaches.
	r = toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "-n", "mcp-workloads", "-o", "json")
	for _, message := range want {
		if !slices.Contains(messages(r.json(t)), message) {
			t.Errorf("with -n, nothing is said of it: %s", message)
		}
	}

	// An extension that does not answer.
	p.api.create(t, object{"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": object{"name": "v3.projectcalico.org"},
		"spec": object{"group": "projectcalico.org", "version": "v3", "groupPriorityMinimum": 1000, "versionPriority": 10, "insecureSkipTLSVerify": true,
			"service": object{"namespace": "data", "name": "calico-api"}}})
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := messages(audit().json(t))
		if slices.Contains(got, "TM901 what serves projectcalico.org does not answer, so its policies cannot be read") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("nothing is said of an extension that does not answer: %q", got)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// waitFor waits until the API server serves a path of a new definition, and says so.
func (a *api) waitFor(t *testing.T, path string) {
	t.Helper()
	group, plural := strings.Split(path, "/")[2], filepath.Base(path)
	deadline := time.Now().Add(20 * time.Second)
	for {
		status, answer, err := a.do(t.Context(), "GET", "/apis/"+group+"/"+strings.Split(path, "/")[3], nil)
		if err == nil && status == 200 && strings.Contains(string(answer), plural) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%s is not served: %d %v", path, status, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second) // the answer about all groups together follows a little later
}

// TestContexts reads two clusters in one run.
func TestContexts(t *testing.T) {
	article, unprotected := plane(t, "article"), plane(t, "unprotected")
	config := kubeconfig(t, token("admin-token"), article, unprotected)
	args := []string{"audit", "--cluster", "--kubeconfig", config, "--context", article.name, "--context", unprotected.name}
	both := toolmoat(t, append(args, "-o", "json")...)
	contexts := list(both.json(t), "contexts")
	if both.code != 1 || both.json(t)["schema"] != "toolmoat.dev/audit-contexts/v1" || len(contexts) != 2 {
		t.Fatalf("exit %d, %v contexts, %s", both.code, len(contexts), both.err)
	}
	for i, p := range []*controlPlane{article, unprotected} {
		alone := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "--context", p.name, "-o", "json")
		if contexts[i]["context"] != p.name || fmt.Sprint(contexts[i]["audit"]) != fmt.Sprint(alone.json(t)) {
			t.Errorf("context %v does not say the same as it does alone", contexts[i]["context"])
		}
	}
	for _, command := range [][]string{{"map"}, {"can", "mcp-workloads/mcp-github", "169.254.169.254:80"}} {
		r := toolmoat(t, slices.Concat(command, args[1:], []string{"-o", "json"})...)
		contexts := list(r.json(t), "contexts")
		if len(contexts) != 2 || contexts[1][command[0]].(object)["schema"] != "toolmoat.dev/"+command[0]+"/v1" {
			t.Errorf("%s: exit %d, %.300s", command, r.code, r.out)
		}
	}
	text := toolmoat(t, args...)
	first, second := strings.Index(text.out, "context "+article.name+"\n"), strings.Index(text.out, "context "+unprotected.name+"\n")
	if text.code != 1 || first != 0 || second < first {
		t.Errorf("exit %d:\n%s", text.code, text.out)
	}
	if r := toolmoat(t, append([]string{"map"}, append(slices.Clone(args[1:]), "-o", "csv")...)...); r.code != 2 || !strings.Contains(r.err, "-o csv is about one cluster") {
		t.Errorf("csv of two: exit %d, %s", r.code, r.err)
	}
	missing := toolmoat(t, "audit", "--cluster", "--kubeconfig", config, "--context", "elsewhere")
	if missing.code != 2 || !strings.Contains(missing.err, `no context "elsewhere"`) {
		t.Errorf("exit %d, %s", missing.code, missing.err)
	}
}

// TestExecPlugin logs in with a program that the kubeconfig names, and with one that fails.
func TestExecPlugin(t *testing.T) {
	p := plane(t, "article")
	plugin := filepath.Join(t.TempDir(), "login")
	script := "#!/bin/sh\n[ \"$1\" = fail ] && exit 3\n" +
		`printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$TOKEN"` + "\n"
	if err := os.WriteFile(plugin, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	user := func(arg string) string {
		return fmt.Sprintf("{exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, args: [%s], env: [{name: TOKEN, value: admin-token}], interactiveMode: Never}}", plugin, arg)
	}
	got := toolmoat(t, "can", "mcp-workloads/mcp-github", "1.1.1.1:443", "--cluster", "--kubeconfig", kubeconfig(t, user("ok"), p), "-o", "json")
	want := toolmoat(t, "can", "mcp-workloads/mcp-github", "1.1.1.1:443", "--cluster", "--kubeconfig", kubeconfig(t, token("admin-token"), p), "-o", "json")
	same(t, got, want)
	failed := toolmoat(t, "audit", "--cluster", "--kubeconfig", kubeconfig(t, user("fail"), p))
	lines := strings.Split(strings.TrimSpace(failed.err), "\n")
	if failed.code != 2 || failed.out != "" || !strings.Contains(failed.err, "exit code 3") || strings.Contains(failed.err, "admin-token") || len(lines) > 2 {
		t.Errorf("exit %d, %s", failed.code, failed.err)
	}
}
