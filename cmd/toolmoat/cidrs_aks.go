package main

import (
	"cmp"
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/cloud"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func newCidrsAKS(s streams) *cobra.Command {
	var o cloud.AKSOptions
	cmd := &cobra.Command{
		Use:   "aks CLUSTER --resource-group GROUP",
		Short: "Ask Azure for an AKS cluster",
		Long: `aks asks Azure for a cluster and the virtual networks that it is in, with their subnets and
peerings: those that it names, or the one that AKS made in the resource group of its nodes. It only
reads.

It uses the credentials of az login, of the environment (AZURE_CLIENT_ID and the like), or of the
workload or machine it runs as.

It takes Microsoft.ContainerService/managedClusters/read on the cluster and
Microsoft.Network/virtualNetworks/read on each network. What a missing one of the latter hides is
named, and the exit code is 2.`,
		Example: "  toolmoat cidrs aks prod --resource-group my-group -o except",
	}
	f := cmd.Flags()
	f.StringVarP(&o.ResourceGroup, "resource-group", "g", "", "the resource group that the cluster is in")
	f.StringVar(&o.Subscription, "subscription", "", "the `ID` of its subscription; default is AZURE_SUBSCRIPTION_ID, or the only one you have")
	f.StringVar(&o.Cloud, "cloud", cloud.AzureClouds[0], "the cloud: "+strings.Join(cloud.AzureClouds, ", "))
	f.StringVar(&o.Endpoint, "endpoint", "", "ask this `URL` instead of the cloud's Resource Manager")
	return newCloudCluster(s, cloudCluster{cmd, []string{"resource-group"}, func(ctx context.Context, cluster string) ([]source.File, []model.Unknown, error) {
		o.Cluster, o.Subscription = cluster, cmp.Or(o.Subscription, os.Getenv("AZURE_SUBSCRIPTION_ID"))
		return cloud.AKS(ctx, o)
	}})
}
