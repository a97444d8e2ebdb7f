package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/cloud"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func newCidrsEKS(s streams) *cobra.Command {
	var o cloud.EKSOptions
	cmd := &cobra.Command{
		Use:   "eks CLUSTER [--region REGION]",
		Short: "Ask AWS for an EKS cluster",
		Long: `eks asks AWS for a cluster, its VPC with subnets, routes and peerings, and the add-ons that decide
whether policies are enforced. It only reads.

It uses the credentials, region, proxies and endpoints (AWS_ENDPOINT_URL_EKS, AWS_ENDPOINT_URL_EC2)
of every AWS tool.

It takes eks:DescribeCluster, eks:ListAddons, eks:DescribeAddon, eks:ListPodIdentityAssociations,
ec2:DescribeVpcs, ec2:DescribeSubnets, ec2:DescribeRouteTables, ec2:DescribeNetworkInterfaces and
ec2:DescribeVpcPeeringConnections. What a missing one other than the first hides is named, and the
exit code is 2.`,
		Example: "  toolmoat cidrs eks prod --region eu-west-1 -o except",
	}
	f := cmd.Flags()
	f.StringVar(&o.Region, "region", "", "the region that the cluster is in; default is that of AWS_REGION or the profile")
	f.StringVar(&o.Profile, "profile", "", "a profile of the shared configuration; default is AWS_PROFILE")
	return newCloudCluster(s, cloudCluster{cmd, nil, func(ctx context.Context, cluster string) ([]source.File, []model.Unknown, error) {
		o.Cluster = cluster
		return cloud.EKS(ctx, o)
	}})
}
