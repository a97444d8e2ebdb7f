package cluster

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// api is an API server as one of its users.
type api struct {
	client     *http.Client
	url, token string
}

func newAPI(p *controlPlane, token string) (*api, error) {
	text, err := os.ReadFile(p.ca())
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", p.ca())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 32}
	return &api{&http.Client{Transport: transport, Timeout: time.Minute}, p.url, token}, nil
}

// do makes one request.
func (a *api) do(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// get reads one object or list.
func (a *api) get(t *testing.T, path string) object {
	t.Helper()
	status, answer, err := a.do(t.Context(), "GET", path, nil)
	var o object
	if err == nil {
		err = json.Unmarshal(answer, &o)
	}
	if err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %v", path, status, err)
	}
	return o
}

// object is a Kubernetes object.
type object = map[string]any

func meta(o object, key string) string {
	m, _ := o["metadata"].(map[string]any)
	text, _ := m[key].(string)
	return text
}

// create makes an object with its status, or gives one that exists its metadata.
func (a *api) create(t *testing.T, o object) {
	t.Helper()
	if err := a.post(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func (a *api) post(ctx context.Context, o object) error {
	path, err := pathOf(o)
	if err != nil {
		return err
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, answer, err := a.do(ctx, "POST", path, body)
		switch {
		case err != nil:
			return err
		case status == http.StatusConflict, status == http.StatusUnprocessableEntity && o["kind"] == "Service": // its address is taken, by itself
			return a.patch(ctx, path+"/"+meta(o, "name"), object{"metadata": o["metadata"]})
		case status < 300 && o["status"] != nil: // creating leaves it out
			return a.patch(ctx, path+"/"+meta(o, "name")+"/status", object{"status": o["status"]})
		case status < 300:
			return nil
		case status == http.StatusNotFound && time.Now().Before(deadline): // a definition that was just made
			time.Sleep(100 * time.Millisecond)
		default:
			return fmt.Errorf("POST %s: %d %s", path, status, answer)
		}
	}
}

func (a *api) patch(ctx context.Context, path string, o object) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	status, answer, err := a.do(ctx, "PATCH", path, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("PATCH %s: %d %s", path, status, answer)
	}
	return err
}

// withoutNamespace are the kinds the tests use that live in none.
var withoutNamespace = []string{"Namespace", "Node", "ClusterRole", "ClusterRoleBinding", "APIService", "CustomResourceDefinition", "CiliumClusterwideNetworkPolicy", "CiliumCIDRGroup"}

// pathOf returns where objects of o's type are made.
func pathOf(o object) (string, error) {
	apiVersion, _ := o["apiVersion"].(string)
	kind, _ := o["kind"].(string)
	if apiVersion == "" || kind == "" {
		return "", fmt.Errorf("an object without a type: %v", o)
	}
	path := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		path = "/api/" + apiVersion
	}
	if !slices.Contains(withoutNamespace, kind) {
		namespace := meta(o, "namespace")
		if namespace == "" {
			namespace = "default"
		}
		path += "/namespaces/" + namespace
	}
	plural := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(plural, "y"):
		plural = strings.TrimSuffix(plural, "y") + "ie"
	case strings.HasSuffix(plural, "s"):
		plural += "e"
	}
	return path + "/" + plural + "s", nil
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

// objects reads YAML.
func objects(t *testing.T, text string) []object {
	t.Helper()
	var out []object
	for _, part := range separator.Split(text, -1) {
		var o object
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			t.Fatal(err)
		}
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

// apply makes objects, Namespaces first, and the namespaces that none of them makes.
func (a *api) apply(t *testing.T, list []object) {
	t.Helper()
	isNamespace := func(o object) bool { return o["kind"] == "Namespace" }
	for _, o := range list {
		if isNamespace(o) {
			a.create(t, o)
		}
	}
	for _, o := range list {
		if name := meta(o, "namespace"); name != "" {
			a.create(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}})
		}
		if !isNamespace(o) {
			a.create(t, o)
		}
	}
}

// example returns the objects of a folder of examples. Services get an address that starts with
// prefix where they have none: the API server would choose one.
func example(t *testing.T, name, prefix string) []object {
	t.Helper()
	list := objects(t, folder(t, "examples/"+name))
	for i, o := range list {
		spec, _ := o["spec"].(object)
		if o["kind"] == "Service" && spec["clusterIP"] == nil && spec["type"] != "ExternalName" {
			spec["clusterIP"] = fmt.Sprint(prefix, i+10)
		}
	}
	return list
}

// files writes objects into a folder, a file each.
func files(t *testing.T, list []object) string {
	t.Helper()
	dir := t.TempDir()
	for i, o := range list {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, fmt.Sprintf("%03d.yaml", i)), string(text))
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// folder returns the YAML of a folder of the tree as one text.
func folder(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		b.WriteString("\n---\n")
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// writeKey writes a key that signs the tokens of service accounts.
func writeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}

// tokenOf returns a token of a service account.
func (a *api) tokenOf(t *testing.T, namespace, account string) string {
	t.Helper()
	body := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}`)
	status, answer, err := a.do(t.Context(), "POST", "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+account+"/token", body)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("no token: %d %s %v", status, answer, err)
	}
	var o struct{ Status struct{ Token string } }
	decode(t, answer, &o)
	return o.Status.Token
}

// appears waits until an object is there.
func (a *api) appears(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if status, _, err := a.do(t.Context(), "GET", path, nil); err == nil && status == http.StatusOK {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%s is not there: %d %v", path, status, err)
		}
	}
}
