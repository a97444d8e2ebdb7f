package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// EKSOptions names a cluster. Other endpoints than the region's are set as for every tool of AWS:
// AWS_ENDPOINT_URL_EKS, AWS_ENDPOINT_URL_EC2, or a profile.
type EKSOptions struct {
	Cluster string
	Region  string // "" is that of the environment or the profile
	Profile string // of the shared configuration; "" is that of the environment
}

// amazon refuses in words such as: User: arn:aws:iam::1:user/x is not authorized to perform:
// ec2:DescribeVpcs because no identity-based policy ...
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
var amazon = provider{
	name:  "AWS",
	login: "log in: aws sso login, or set AWS_PROFILE",
	lacks: regexp.MustCompile(`not authorized to perform: ([\w-]+:\w+)`),
}

// EKS asks for a cluster, its VPC with subnets, routes and peerings, and the add-ons that decide
// whether policies are enforced. It uses the default chain of credentials. What refusals hide is
// unknown; any other error ends it, and is a [*Error].
func EKS(ctx context.Context, o EKSOptions) ([]source.File, []model.Unknown, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	e, region, err := newEKS(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	ask := request{
		what:       "the EKS cluster " + o.Cluster + " in " + region,
		permission: "eks:DescribeCluster",
		find:       "aws eks list-clusters --region " + region + " lists the clusters of a region",
	}
	cluster, err := e.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &o.Cluster})
	first, err := answered(ask, cluster, err)
	if err != nil {
		return nil, nil, err
	}
	if cluster.Cluster == nil {
		return nil, nil, amazon.failed(ask, errors.New("the answer describes no cluster"))
	}
	also := []facts.Need{{Kind: facts.AmazonAddons, ID: o.Cluster}, {Kind: podIdentities, ID: o.Cluster}}
	if net := cluster.Cluster.ResourcesVpcConfig; net != nil && net.VpcId != nil {
		also = append(also, facts.Need{Kind: facts.AmazonSubnets, ID: *net.VpcId}, facts.Need{Kind: peerings, ID: *net.VpcId})
	}
	return complete(ctx, e.fetch, first, also...)
}

// What only the cloud knows and nothing else asks for: the Pod Identity associations of "CLUSTER",
// and the peerings of "vpc-0123".
const (
	podIdentities facts.NeedKind = "pod identity associations"
	peerings      facts.NeedKind = "peerings of vpc"
)

type eksAPI struct {
	eks *eks.Client
	ec2 *ec2.Client
}

func newEKS(ctx context.Context, o EKSOptions) (*eksAPI, string, error) {
	login := request{what: "the credentials for AWS"}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(o.Region), config.WithSharedConfigProfile(o.Profile), config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, "", amazon.stranger(login, err)
	}
	if cfg.Region == "" {
		return nil, "", &Error{What: "the EKS cluster " + o.Cluster, Why: "no region is named", Hint: "name it with --region"}
	}
	if cfg.Credentials == nil {
		return nil, "", amazon.stranger(login, errors.New("there are none"))
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, "", amazon.stranger(login, err)
	}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(s *retry.StandardOptions) {
			s.MaxAttempts, s.MaxBackoff = attempts, maxPause
			s.Backoff = retry.BackoffDelayerFunc(backoff)
		})
	}
	client := newClient()
	return &eksAPI{
		eks: eks.NewFromConfig(cfg, func(o *eks.Options) { o.HTTPClient = client }),
		ec2: ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.HTTPClient = client }),
	}, cfg.Region, nil
}

// backoff waits as the answer asks, where it does: the SDK knows only the header of its own
// services.
func backoff(attempt int, err error) (time.Duration, error) {
	var answer *awshttp.ResponseError
	var header http.Header
	if errors.As(err, &answer) && answer.Response != nil {
		header = answer.Response.Header
	}
	d, patient := wait(attempt+1, header)
	if !patient {
		return 0, err
	}
	return d, nil
}

// answered makes a document of what an operation returned, or an error of its error.
func answered(r request, output any, err error) ([]answer, error) {
	if err != nil {
		return nil, awsError(r, err)
	}
	body, err := json.Marshal(output)
	if err != nil {
		return nil, amazon.failed(r, err)
	}
	return []answer{{r, body}}, nil
}

// unknownCaller lists the codes with which AWS says that it does not accept credentials. EKS gives
// them status 403, EC2 401.
var unknownCaller = []string{
	"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "AuthFailure", "InvalidSignatureException",
	"SignatureDoesNotMatch", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature",
}

func awsError(r request, err error) error {
	var api smithy.APIError
	var unread *smithy.DeserializationError
	var unsent *smithyhttp.RequestSendError
	switch {
	case errors.As(err, &api):
	case errors.As(err, &unread):
		return amazon.failed(r, fmt.Errorf("the answer cannot be read: %w", unread.Err))
	case errors.As(err, &unsent):
		return amazon.failed(r, unsent.Err)
	default:
		return amazon.failed(r, err)
	}
	status, message := 0, api.ErrorMessage()
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	switch code := api.ErrorCode(); {
	case slices.Contains(unknownCaller, code):
		status = http.StatusUnauthorized
	case code == "UnauthorizedOperation", code == "AccessDenied", code == "AccessDeniedException":
		status = http.StatusForbidden
	case strings.HasSuffix(code, ".NotFound"), code == "ResourceNotFoundException":
		status = http.StatusNotFound
	case code == message: // the SDK found neither
		message = ""
	}
	return amazon.refused(r, status, message)
}

// fetch gets what the facts need further.
func (e *eksAPI) fetch(ctx context.Context, n facts.Need) ([]answer, error) {
	switch n.Kind {
	case facts.AmazonVPC:
		ask := request{what: "the VPC " + n.ID, permission: "ec2:DescribeVpcs", hides: []string{"ranges.nodes", "ranges.pods", "ranges.vpc"}}
		out, err := e.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{n.ID}})
		return answered(ask, out, err)
	case facts.AmazonSubnets:
		ask := request{what: "the subnets of " + n.ID, permission: "ec2:DescribeSubnets", hides: []string{"ranges.controlPlane"}}
		subnets, err := eachPage(func(token *string) ([]ec2types.Subnet, *string, error) {
			p, err := e.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: where("vpc-id", n.ID), NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return p.Subnets, p.NextToken, nil
		})
		return answered(ask, map[string]any{"Subnets": subnets}, err)
	case facts.AmazonRoutes:
		ask := request{what: "the route tables of " + n.ID, permission: "ec2:DescribeRouteTables", hides: []string{"ranges.remote"}}
		tables, err := eachPage(func(token *string) ([]ec2types.RouteTable, *string, error) {
			p, err := e.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: where("vpc-id", n.ID), NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return p.RouteTables, p.NextToken, nil
		})
		return answered(ask, map[string]any{"RouteTables": tables}, err)
	case peerings:
		return e.peerings(ctx, n.ID)
	case facts.AmazonInterfaces:
		ask := request{what: "the network interfaces of the control plane of " + n.ID, permission: "ec2:DescribeNetworkInterfaces", hides: []string{"kubeAPI"}}
		interfaces, err := eachPage(func(token *string) ([]ec2types.NetworkInterface, *string, error) {
			p, err := e.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: where("description", "Amazon EKS "+n.ID), NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return p.NetworkInterfaces, p.NextToken, nil
		})
		return answered(ask, map[string]any{"NetworkInterfaces": interfaces}, err)
	case facts.AmazonAddons:
		ask := request{what: "the add-ons of " + n.ID, permission: "eks:ListAddons", hides: []string{"cni", "identity"}}
		names, err := eachPage(func(token *string) ([]string, *string, error) {
			p, err := e.eks.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: &n.ID, NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return p.Addons, p.NextToken, nil
		})
		return answered(ask, map[string]any{"addons": names}, err)
	case facts.AmazonAddon:
		cluster, addon, _ := strings.Cut(n.ID, "/")
		ask := request{what: "the add-on " + addon + " of " + cluster, permission: "eks:DescribeAddon", hides: []string{"cni", "ranges.pods"}}
		out, err := e.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &cluster, AddonName: &addon})
		return answered(ask, out, err)
	case podIdentities:
		ask := request{what: "the Pod Identity associations of " + n.ID, permission: "eks:ListPodIdentityAssociations", hides: []string{"identity"}}
		list, err := eachPage(func(token *string) ([]ekstypes.PodIdentityAssociationSummary, *string, error) {
			p, err := e.eks.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: &n.ID, NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return p.Associations, p.NextToken, nil
		})
		return answered(ask, map[string]any{"associations": list}, err)
	}
	return nil, errNotAsked
}

// peerings asks for the peerings that a VPC asked for, and those that it was asked for: all filters
// of one request must hold.
func (e *eksAPI) peerings(ctx context.Context, vpc string) ([]answer, error) {
	ask := request{what: "the peerings of " + vpc, permission: "ec2:DescribeVpcPeeringConnections", hides: []string{"ranges.remote"}}
	all := []ec2types.VpcPeeringConnection{}
	for _, side := range []string{"requester-vpc-info.vpc-id", "accepter-vpc-info.vpc-id"} {
		some, err := eachPage(func(token *string) ([]ec2types.VpcPeeringConnection, *string, error) {
			p, err := e.ec2.DescribeVpcPeeringConnections(ctx, &ec2.DescribeVpcPeeringConnectionsInput{Filters: where(side, vpc), NextToken: token})
			if err != nil {
				return nil, nil, err
			}
			return p.VpcPeeringConnections, p.NextToken, nil
		})
		if err != nil {
			return answered(ask, nil, err)
		}
		all = append(all, some...)
	}
	return answered(ask, map[string]any{"VpcPeeringConnections": all}, nil)
}

func where(filter, value string) []ec2types.Filter {
	return []ec2types.Filter{{Name: &filter, Values: []string{value}}}
}

// eachPage returns the items of all pages, never nil: it asks for the first page, and for that of
// each token that it gets. The SDK's paginators do it too, but they take the client as an
// interface: then the linker keeps each of EC2's 800 operations, and the command is 31 MB larger.
func eachPage[T any](ask func(token *string) ([]T, *string, error)) ([]T, error) {
	all := []T{}
	var token *string
	for range maxPages {
		items, next, err := ask(token)
		if err != nil {
			return nil, err
		}
		if all = append(all, items...); next == nil || *next == "" {
			return all, nil
		}
		if token = next; len(all) > maxItems {
			break
		}
	}
	return nil, fmt.Errorf("the list has more than %d pages or %d items", maxPages, maxItems)
}
