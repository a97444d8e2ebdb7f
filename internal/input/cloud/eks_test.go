package cloud

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func eksOf(t *testing.T, r *replay) (model.Facts, []model.Unknown, error) {
	t.Helper()
	loginAmazon(t, r)
	files, unknown, err := EKS(t.Context(), EKSOptions{Cluster: "prod", Region: "eu-west-1"})
	known, problems := facts.Of(files...)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Origin.Pos(), p.Message)
	}
	return known, unknown, err
}

func TestEKS(t *testing.T) {
	r := newReplay(t, "eks.txtar", nil)
	known, unknown, err := eksOf(t, r)
	if err != nil {
		t.Fatal(err)
	}
	r.clean(t)
	if len(unknown) > 0 {
		t.Errorf("unknown: %v", unknown)
	}
	for _, key := range []string{"describesubnets#second", "describeroutetables"} {
		if got := r.how[key].Get("Filter.1.Name") + "=" + r.how[key].Get("Filter.1.Value.1"); got != "vpc-id=vpc-0123" {
			t.Errorf("%s has the filter %s", key, got)
		}
	}
	for _, want := range []struct{ what, got, want string }{
		{"nodes", cidrs(known.Ranges.Nodes), "10.0.0.0/16 100.64.0.0/16 192.168.10.0/24"},
		{"pods", cidrs(known.Ranges.Pods), "10.0.0.0/16 100.64.0.0/16 192.168.128.0/17"},
		{"services", cidrs(known.Ranges.Services), "172.20.0.0/16"},
		{"control plane", cidrs(known.Ranges.ControlPlane), "10.0.0.0/24 10.0.1.0/24"},
		{"vpc", cidrs(known.Ranges.VPC), "10.0.0.0/16 100.64.0.0/16"},
		{"remote", cidrs(known.Ranges.Remote), "10.200.0.0/16 10.60.0.0/16 10.61.0.0/16 192.168.10.0/24 192.168.128.0/17"},
		{"identity", known.Identity, model.EKSPodIdentity},
	} {
		if want.got != want.want {
			t.Errorf("%s: %s, want %s", want.what, want.got, want.want)
		}
	}
	for _, u := range known.Unknown {
		if u.What != "dns" { // which only the cluster itself tells
			t.Errorf("unknown: %s: %s", u.What, u.Why)
		}
	}
}

// TestEKSAsSaved demands that asking tells what the same answers tell when aws printed them.
func TestEKSAsSaved(t *testing.T) {
	saved, err := os.ReadFile(filepath.Join("testdata", "eks-saved.json"))
	if err != nil {
		t.Fatal(err)
	}
	want, problems := facts.Of(source.File{Name: "eks-saved.json", Data: saved})
	got, _, err := eksOf(t, newReplay(t, "eks.txtar", nil))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("asked: %+v\nsaved: %+v", got, want)
	}
}

const (
	eksPath     = "/clusters/prod"
	eksDenied   = `{"message": "User: arn:aws:iam::111122223333:user/x is not authorized to perform: eks:DescribeCluster on resource: arn:aws:eks:eu-west-1:111122223333:cluster/prod"}`
	eksBadToken = `{"message": "The security token included in the request is invalid."}`
	eksMissing  = `{"message": "No cluster found for name: prod."}`
	eksThrottle = `{"message": "Rate exceeded"}`
)

// coded is the header in which EKS names an error.
func coded(code string) http.Header { return http.Header{"X-Amzn-Errortype": {code}} }

func ec2Error(code, message string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>` + code + `</Code><Message>` + message + `</Message></Error></Errors><RequestID>1</RequestID></Response>`
}

func TestEKSFails(t *testing.T) {
	later := http.Header{"Retry-After": {"3600"}, "X-Amzn-Errortype": {"ThrottlingException"}}
	for name, c := range map[string]struct {
		path    string
		replies []reply
		want    []string
	}{
		"bad key":        {eksPath, []reply{{status: 403, body: eksBadToken, header: coded("UnrecognizedClientException")}}, []string{"security token", "aws sso login"}},
		"bad key at EC2": {"DescribeVpcs", []reply{{status: 401, body: ec2Error("AuthFailure", "AWS was not able to validate the provided access credentials")}}, []string{"vpc-0123", "not able to validate", "aws sso login"}},
		"403":            {eksPath, []reply{{status: 403, body: eksDenied, header: coded("AccessDeniedException")}}, []string{"the caller lacks eks:DescribeCluster"}},
		"404":            {eksPath, []reply{{status: 404, body: eksMissing, header: coded("ResourceNotFoundException")}}, []string{"prod in eu-west-1", "list-clusters"}},
		"429 for long":   {eksPath, []reply{{status: 429, body: eksThrottle, header: later}}, []string{"Rate exceeded", "try again later"}},
		"503 for ever":   {"DescribeSubnets", []reply{{status: 503, body: ec2Error("RequestLimitExceeded", "Request limit exceeded.")}}, []string{"the subnets of vpc-0123", "Request limit exceeded"}},
		"cut off":        {eksPath, []reply{{body: `{"cluster": {"name": "prod"`}}, []string{"prod in eu-west-1: the answer cannot be read"}},
		"nothing":        {eksPath, []reply{{body: `{}`}}, []string{"describes no cluster"}},
		"cut off XML":    {"DescribeVpcs", []reply{{body: "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-0123</vpcId>"}}, []string{"vpc-0123: the answer cannot be read"}},
		"too large":      {eksPath, []reply{{body: `{"cluster": {"name": "` + strings.Repeat("x", maxBody) + `"}}`}}, []string{"larger than 32 MiB"}},
		"redirect":       {eksPath, []reply{{status: 302, header: http.Header{"Location": {"http://169.254.169.254/"}}}}, []string{"AWS answers with status 302"}},
		"pages for ever": {"/clusters/prod/addons#more", []reply{{body: `{"addons": [], "nextToken": "more"}`}}, []string{"more than 200 pages"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, "eks.txtar", map[string][]reply{c.path: c.replies})
			_, _, err := eksOf(t, r)
			wantError(t, err, c.want...)
		})
	}
}

func TestEKSPatience(t *testing.T) {
	soon := coded("ThrottlingException")
	soon.Set("Retry-After", "0")
	r := newReplay(t, "eks.txtar", map[string][]reply{
		eksPath:        {{status: 429, body: eksThrottle, header: soon}, {status: 429, body: eksThrottle, header: soon}, {body: recorded(t, "eks.txtar", eksPath)}},
		"DescribeVpcs": {{status: 503, body: ec2Error("RequestLimitExceeded", "Request limit exceeded.")}, {body: recorded(t, "eks.txtar", "DescribeVpcs")}},
	})
	if _, _, err := eksOf(t, r); err != nil {
		t.Fatal(err)
	}
	if r.times(eksPath) != 3 || r.times("DescribeVpcs") != 2 {
		t.Errorf("asked %q", r.asked)
	}
}

func TestEKSGaps(t *testing.T) {
	denied := func(action string) []reply {
		return []reply{{status: 403, body: ec2Error("UnauthorizedOperation", "You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized to perform: ec2:"+action+
			" because no identity-based policy allows the ec2:"+action+" action. Encoded authorization failure message: c2VjcmV0")}}
	}
	r := newReplay(t, "eks.txtar", map[string][]reply{
		"DescribeVpcs":                  denied("DescribeVpcs"),
		"DescribeSubnets":               denied("DescribeSubnets"),
		"DescribeRouteTables":           denied("DescribeRouteTables"),
		"DescribeVpcPeeringConnections": denied("DescribeVpcPeeringConnections"),
		"DescribeNetworkInterfaces":     denied("DescribeNetworkInterfaces"),
		"/clusters/prod/addons/vpc-cni": {{status: 404, body: `{"message": "No addon: vpc-cni found in cluster: prod"}`, header: coded("ResourceNotFoundException")}},
	})
	known, unknown, err := eksOf(t, r)
	if err != nil {
		t.Fatal(err)
	}
	names(t, unknown,
		"ranges.vpc: the VPC vpc-0123: the caller lacks ec2:DescribeVpcs\n",
		"ranges.controlPlane: the subnets of vpc-0123: the caller lacks ec2:DescribeSubnets\n",
		"ranges.remote: the route tables of vpc-0123: the caller lacks ec2:DescribeRouteTables\n",
		"ranges.remote: the peerings of vpc-0123: the caller lacks ec2:DescribeVpcPeeringConnections\n",
		"kubeAPI: the network interfaces of the control plane of prod: the caller lacks ec2:DescribeNetworkInterfaces\n",
		"cni: the add-on vpc-cni of prod: there is none: No addon",
	)
	if got := cidrs(known.Ranges.Services); got != "172.20.0.0/16" {
		t.Errorf("services are %s", got)
	}
}

// TestEKSEmpty demands that a list with nothing in it is an answer.
func TestEKSEmpty(t *testing.T) {
	r := newReplay(t, "eks.txtar", map[string][]reply{
		"DescribeVpcPeeringConnections":            {{body: "<DescribeVpcPeeringConnectionsResponse><vpcPeeringConnectionSet/></DescribeVpcPeeringConnectionsResponse>"}},
		"/clusters/prod/addons":                    {{body: `{"addons": []}`}},
		"/clusters/prod/pod-identity-associations": {{body: `{"associations": []}`}},
	})
	known, unknown, err := eksOf(t, r)
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	if got := cidrs(known.Ranges.Remote); got != "10.200.0.0/16 192.168.10.0/24 192.168.128.0/17" {
		t.Errorf("remote: %s", got)
	}
}

// TestEKSClear demands that no endpoint of the environment gets a signed request in clear.
func TestEKSClear(t *testing.T) {
	r := newReplay(t, "eks.txtar", nil)
	loginAmazon(t, r)
	t.Setenv("AWS_ENDPOINT_URL_EKS", "http://eks.example.com")
	_, _, err := EKS(t.Context(), EKSOptions{Cluster: "prod", Region: "eu-west-1"})
	wantError(t, err, "http://eks.example.com is no https endpoint")
	_, _, err = EKS(t.Context(), EKSOptions{Cluster: "prod"})
	wantError(t, err, "--region")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, _, err = EKS(t.Context(), EKSOptions{Cluster: "prod", Region: "eu-west-1"})
	wantError(t, err, "aws sso login")
}
