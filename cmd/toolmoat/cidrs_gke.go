package main

import (
	"cmp"
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/cloud"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func newCidrsGKE(s streams) *cobra.Command {
	var o cloud.GKEOptions
	cmd := &cobra.Command{
		Use:   "gke CLUSTER --location REGION-OR-ZONE",
		Short: "Ask Google Cloud for a GKE cluster",
		Long: `gke asks Google Cloud for a cluster, the subnetworks that it names, and what its network is
connected with. It only reads.

It uses application default credentials: those of gcloud auth application-default login, of
GOOGLE_APPLICATION_CREDENTIALS, or of the machine it runs on.

It takes container.clusters.get in the cluster's project and, in that of its network, which is
another one with a shared VPC, compute.subnetworks.get, compute.subnetworks.list,
compute.routes.list, compute.routers.list and compute.routers.get. What a missing permission of the
network hides is named, and the exit code is 2.`,
		Example: "  toolmoat cidrs gke prod --location europe-west1 --project my-project -o except",
	}
	f := cmd.Flags()
	f.StringVar(&o.Location, "location", "", "the region or zone that the cluster is in")
	f.StringVar(&o.Project, "project", "", "the cluster's project; default is GOOGLE_CLOUD_PROJECT, or that of the credentials")
	f.StringVar(&o.Container, "endpoint", "", "ask this `URL` instead of https://container.googleapis.com")
	f.StringVar(&o.Compute, "compute-endpoint", "", "ask this `URL` instead of https://compute.googleapis.com")
	return newCloudCluster(s, cloudCluster{cmd, []string{"location"}, func(ctx context.Context, cluster string) ([]source.File, []model.Unknown, error) {
		o.Cluster, o.Project = cluster, cmp.Or(o.Project, os.Getenv("GOOGLE_CLOUD_PROJECT"))
		return cloud.GKE(ctx, o)
	}})
}
