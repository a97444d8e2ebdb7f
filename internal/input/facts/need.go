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
	GoogleSubnet     NeedKind = "subnetwork"             // "projects/P/regions/R/subnetworks/S"
	GoogleSubnets    NeedKind = "subnetworks of network" // "projects/P/global/networks/N": all of its subnetworks, in every region
	GoogleRoutes     NeedKind = "routes of network"      // "projects/P/global/networks/N"
	GoogleRouters    NeedKind = "routers of network"     // "projects/P/global/networks/N": all of its project, and the status of each with BGP peers
	AmazonVPC        NeedKind = "vpc"                    // "vpc-0123"
	AmazonSubnets    NeedKind = "subnets of vpc"         // "vpc-0123": all of its subnets
	AmazonRoutes     NeedKind = "route tables of vpc"    // "vpc-0123"
	AmazonPeerings   NeedKind = "peerings of vpc"        // "vpc-0123": no need of [Needs], but they name what routes lead to
	AmazonInterfaces NeedKind = "interfaces of cluster"  // "CLUSTER": those whose description is "Amazon EKS CLUSTER"
	AmazonAddon      NeedKind = "add-on"                 // "CLUSTER/vpc-cni"
	AmazonAddons     NeedKind = "add-ons"                // "CLUSTER": their names
	AzureVNet        NeedKind = "virtual network"        // "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V"
	AzureGroupVNets  NeedKind = "virtual networks"       // "/subscriptions/S/resourceGroups/G": all in the resource group
)

// command says how a user asks for it.
func (n Need) command() string {
	part := func(after string) string {
		_, rest, _ := strings.Cut(n.ID, after+"/")
		id, _, _ := strings.Cut(rest, "/")
		return word(id)
	}
	var words []string
	switch n.Kind {
	case GoogleSubnet:
		words = []string{"gcloud compute networks subnets describe", part("subnetworks"), "--region", part("regions"), "--project", part("projects"), "--format json"}
	case GoogleSubnets:
		words = []string{"gcloud compute networks subnets list --network", part("networks"), "--project", part("projects"), "--format json"}
	case GoogleRoutes:
		words = []string{"gcloud compute routes list --project", part("projects"), "--format json"}
	case GoogleRouters:
		words = []string{"gcloud compute routers list --project", part("projects"), "--format json, and for each with bgpPeers: gcloud compute routers get-status NAME --region REGION --format json"}
	case AmazonVPC:
		words = []string{"aws ec2 describe-vpcs --vpc-ids", word(n.ID)}
	case AmazonSubnets:
		words = []string{"aws ec2 describe-subnets --filters", word("Name=vpc-id,Values=" + n.ID)}
	case AmazonRoutes:
		words = []string{"aws ec2 describe-route-tables --filters", word("Name=vpc-id,Values=" + n.ID)}
	case AmazonPeerings:
		words = []string{"aws ec2 describe-vpc-peering-connections --filters", word("Name=requester-vpc-info.vpc-id,Values=" + n.ID), "and the same of accepter-vpc-info.vpc-id"}
	case AmazonInterfaces:
		words = []string{"aws ec2 describe-network-interfaces --filters", word("Name=description,Values=Amazon EKS " + n.ID)}
	case AmazonAddon:
		cluster, addon, _ := strings.Cut(n.ID, "/")
		words = []string{"aws eks describe-addon --cluster-name", word(cluster), "--addon-name", word(addon)}
	case AmazonAddons:
		words = []string{"aws eks list-addons --cluster-name", word(n.ID)}
	case AzureVNet:
		words = []string{"az network vnet show --ids", word(n.ID)}
	case AzureGroupVNets:
		words = []string{"az network vnet list --resource-group", part("resourceGroups"), "--subscription", part("subscriptions")}
	}
	return "run: " + strings.Join(words, " ")
}

// word returns text as one word of a shell: names come from answers, and people paste commands.
func word(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:=,"
	if text != "" && text[0] != '-' && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
