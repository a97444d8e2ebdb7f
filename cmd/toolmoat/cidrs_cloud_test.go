package main

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/tools/txtar"
)

// awsServer answers as recorded for the tests of internal/input/cloud, but refuses one action of
// EC2, and takes its credentials from the environment.
func awsServer(t *testing.T, refused string) {
	t.Helper()
	all, err := txtar.ParseFile(filepath.Join(root(t), "internal", "input", "cloud", "testdata", "eks.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		key := cmp.Or(form.Get("Action"), r.URL.Path)
		if page := cmp.Or(form.Get("NextToken"), r.URL.Query().Get("nextToken")); page != "" {
			key += "#" + page
		}
		if key == refused {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>User: arn:aws:iam::1:user/x is not authorized to perform: ec2:"+key+
				" because no identity-based policy allows it</Message></Error></Errors></Response>")
			return
		}
		for _, f := range all.Files {
			if f.Name == key {
				w.Write(f.Data)
				return
			}
		}
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"message": "No cluster found."}`)
	}))
	t.Cleanup(server.Close)
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": none,
		"AWS_SHARED_CREDENTIALS_FILE": none, "AWS_ENDPOINT_URL_EKS": server.URL, "AWS_ENDPOINT_URL_EC2": server.URL,
	} {
		t.Setenv(name, value)
	}
}

func TestCidrsEKS(t *testing.T) {
	for _, c := range []struct {
		name, refused, cluster string
		code                   int
		out, err               []string
	}{
		{"whole", "", "prod", exitBroken, // DNS is not the cloud's to tell
			[]string{"cloud: AWS", "10.0.0.0/16", "100.64.0.0/16", "172.20.0.0/16", "10.200.0.0/16", "10.61.0.0/16"},
			[]string{"unknown: dns: "}},
		{"refused", "DescribeRouteTables", "prod", exitBroken,
			[]string{"10.0.0.0/16", "10.61.0.0/16"},
			[]string{"unknown: ranges.remote: the route tables of vpc-0123: the caller lacks ec2:DescribeRouteTables"}},
		{"no such cluster", "", "staging", exitBroken, nil,
			[]string{"error: the EKS cluster staging in eu-west-1: there is none", "hint: aws eks list-clusters --region eu-west-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			awsServer(t, c.refused)
			got := toolmoat(t, t.TempDir(), "", "cidrs", "eks", c.cluster, "--region", "eu-west-1")
			got.want(t, c.code)
			for _, want := range c.out {
				if !strings.Contains(got.out, want) {
					t.Errorf("%s\nlacks %s", got.out, want)
				}
			}
			for _, want := range c.err {
				if !strings.Contains(got.err, want) {
					t.Errorf("%s\nlacks %s", got.err, want)
				}
			}
			if strings.Contains(got.out, "10.99.0.0/16") {
				t.Error("a range that is not associated is listed")
			}
			if all := got.out + got.err; strings.Contains(all, "very-secret") || strings.Contains(all, "AWS4-HMAC") || strings.Contains(all, "SDK ") {
				t.Error(all)
			}
		})
	}
}

// TestCidrsClouds demands of each cloud's command that its help fits a terminal, names what it
// takes and ends with its example, and that a command line that cannot be run is refused before
// anything is asked for.
func TestCidrsClouds(t *testing.T) {
	for name, c := range map[string]struct {
		takes string
		needs []string
	}{
		"gke": {"container.clusters.get", []string{"prod"}},
		"eks": {"eks:DescribeCluster", []string{"prod", "-o", "xml"}},
		"aks": {"Microsoft.ContainerService/managedClusters/read", []string{"prod"}},
	} {
		help := toolmoat(t, t.TempDir(), "", "cidrs", name, "--help")
		help.want(t, exitOK)
		for line := range strings.Lines(help.out) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
				t.Errorf("wider than %d columns: %s", columns, line)
			}
		}
		if _, example, ok := strings.Cut(help.out, "\nExample:\n"); !ok || !strings.HasPrefix(example, "  toolmoat cidrs "+name+" prod ") || !strings.Contains(help.out, c.takes) {
			t.Error(help.out)
		}
		for _, args := range [][]string{nil, {"a", "b"}, c.needs} {
			got := toolmoat(t, t.TempDir(), "", append([]string{"cidrs", name}, args...)...)
			got.want(t, exitBroken)
			if got.out != "" || !strings.HasPrefix(got.err, "error: ") || !strings.Contains(got.err, "\nhint: ") {
				t.Errorf("%q: %s", args, got.err)
			}
		}
	}
}
