package facts

import "strings"

// Need is an answer that would complete the facts.
type Need struct {
	Kind NeedKind
	ID   string // what to ask for, in the form that its kind says
}

// NeedKind says what to ask for. The answer is any form that [Of] recognises.
type NeedKind string

const (
	GoogleSubnet    NeedKind = "subnetwork"             // "projects/P/regions/R/subnetworks/S"
	GoogleSubnets   NeedKind = "subnetworks of network" // "projects/P/global/networks/N": all of its subnetworks, in every region
	GoogleRoutes    NeedKind = "routes of network"      // "projects/P/global/networks/N"
	GoogleRouters   NeedKind = "routers of network"     // "projects/P/global/networks/N": all of its project, and the status of each with BGP peers
	AmazonVPC       NeedKind = "vpc"                    // "vpc-0123"
	AmazonSubnets   NeedKind = "subnets of vpc"         // "vpc-0123": all of its subnets
	AmazonRoutes    NeedKind = "route tables of vpc"    // "vpc-0123"
	AmazonPeerings  NeedKind = "peerings of vpc"        // "vpc-0123"
	AmazonAddon     NeedKind = "add-on"                 // "CLUSTER/vpc-cni"
	AmazonAddons    NeedKind = "add-ons"                // "CLUSTER": their names
	AzureVNet       NeedKind = "virtual network"        // "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V"
	AzureGroupVNets NeedKind = "virtual networks"       // "/subscriptions/S/resourceGroups/G": all in the resource group
)

// command says how a user asks for it.
func (n Need) command() string {
	part := func(after string) string {
		_, rest, _ := strings.Cut(n.ID, after+"/")
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	run := func(words ...string) string { return "run: " + strings.Join(words, " ") }
	switch n.Kind {
	case GoogleSubnet:
		return run("gcloud compute networks subnets describe", part("subnetworks"), "--region", part("regions"), "--project", part("projects"), "--format json")
	case GoogleSubnets:
		return run("gcloud compute networks subnets list --network", part("networks"), "--project", part("projects"), "--format json")
	case GoogleRoutes:
		return run("gcloud compute routes list --project", part("projects"), "--format json")
	case GoogleRouters:
		return run("gcloud compute routers list --project", part("projects"), "--format json,", "and for each with bgpPeers: gcloud compute routers get-status NAME --region REGION --format json")
	case AmazonVPC:
		return run("aws ec2 describe-vpcs --vpc-ids", n.ID)
	case AmazonSubnets:
		return run("aws ec2 describe-subnets --filters Name=vpc-id,Values=" + n.ID)
	case AmazonRoutes:
		return run("aws ec2 describe-route-tables --filters Name=vpc-id,Values=" + n.ID)
	case AmazonPeerings:
		return run("aws ec2 describe-vpc-peering-connections")
	case AmazonAddon:
		cluster, addon, _ := strings.Cut(n.ID, "/")
		return run("aws eks describe-addon --cluster-name", cluster, "--addon-name", addon)
	case AmazonAddons:
		return run("aws eks list-addons --cluster-name", n.ID)
	case AzureVNet:
		return run("az network vnet show --ids", n.ID)
	case AzureGroupVNets:
		return run("az network vnet list --resource-group", part("resourceGroups"), "--subscription", part("subscriptions"))
	}
	return "ask for " + string(n.Kind) + " " + n.ID
}
