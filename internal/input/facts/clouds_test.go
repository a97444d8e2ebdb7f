package facts_test

import (
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/input/facts"
)

// gke is a cluster of the GKE API with more fields.
func gke(more string) string {
	return `{"name": "c", "location": "europe-west1-b", "clusterIpv4Cidr": "10.4.0.0/14", "servicesIpv4Cidr": "10.8.0.0/20", "endpoint": "34.1.2.3",
		"selfLink": "https://container.googleapis.com/v1/projects/p/zones/europe-west1-b/clusters/c", "network": "net", "subnetwork": "sub"` + more + `}`
}

const subnet = `{"kind": "compute#subnetwork", "name": "sub", "ipCidrRange": "10.0.0.0/24",
	"network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/net", "region": "https://www.googleapis.com/compute/v1/projects/p/regions/europe-west1",
	"selfLink": "https://www.googleapis.com/compute/v1/projects/p/regions/europe-west1/subnetworks/sub",
	"secondaryIpRanges": [{"rangeName": "more", "ipCidrRange": "10.20.0.0/20"}, {"rangeName": "second", "ipCidrRange": "10.21.0.0/20"}]`

func TestGoogle(t *testing.T) {
	for _, tt := range []struct{ name, more, also, want string }{
		{"policies enforced by Calico", `, "networkPolicy": {"enabled": true, "provider": "CALICO"}, "networkConfig": {"datapathProvider": "LEGACY_DATAPATH"}`, "", "cni: gke-legacy"},
		{"no policies", `, "networkConfig": {"datapathProvider": "LEGACY_DATAPATH"}`, "", "cni: none"},
		{"policies and no add-on", `, "networkPolicy": {"enabled": true}, "addonsConfig": {"networkPolicyConfig": {"disabled": true}}`, "", "cni:"},
		{"unknown data plane", `, "networkConfig": {"datapathProvider": "NEW_ONE"}`, "", "cni:"},
		{"Autopilot leaves DNS open", `, "autopilot": {"enabled": true}, "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"}`, "",
			"cni: gke-dpv2\ndns: 169.254.20.10:53\nunknown: ranges.nodes ranges.vpc ranges.remote dns"},
		{"Cloud DNS", `, "networkConfig": {"dnsConfig": {"clusterDns": "CLOUD_DNS"}}`, "", "dns: 169.254.169.254:53"},
		{"Cloud DNS behind NodeLocal DNSCache", `, "networkConfig": {"dnsConfig": {"clusterDns": "CLOUD_DNS"}}, "addonsConfig": {"dnsCacheConfig": {"enabled": true}}`, "",
			"dns: 169.254.169.254:53 169.254.20.10:53"},
		{"no workload identity", "", "", "identity: none"},
		{"empty control plane range", `, "privateClusterConfig": {"masterIpv4CidrBlock": "", "privateEndpoint": "10.0.0.5"}`, "", "control: 10.0.0.5/32 34.1.2.3/32"},
		{"zonal, subnetwork by name", "", subnet + "}", "nodes: 10.0.0.0/24"},
		{"disabled IP endpoints", `, "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": false, "publicEndpoint": "34.9.9.9"},
			"dnsEndpointConfig": {"endpoint": "gke-1.goog", "allowExternalTraffic": true}}`, "", "api: 34.1.2.3:443 gke-1.goog:443 10.8.0.1:443\nunknown: ranges.nodes ranges.vpc ranges.remote kubeAPI"},
		{"nodes with public addresses", `, "nodePools": [{"name": "a", "networkConfig": {"enablePrivateNodes": false}}]`, subnet + "}", "unknown: ranges.nodes ranges.vpc ranges.remote"},
		{"and what they are", `, "nodePools": [{"name": "a"}]`, subnet + `} {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"providerID": "gce://p/z/n"},
			"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}, {"type": "ExternalIP", "address": "34.5.5.5"}]}}`,
			"nodes: 10.0.0.0/24 34.5.5.5/32\nunknown: ranges.vpc ranges.remote"},
		{"ranges by name", `, "ipAllocationPolicy": {"additionalPodRangesConfig": {"podRangeNames": ["more"]}}, "nodePools": [{"name": "a", "networkConfig": {"enablePrivateNodes": true, "podRange": "second"}}]`,
			subnet + "}", "pods: 10.4.0.0/14 10.20.0.0/20 10.21.0.0/20"},
		{"a name that the subnetwork lacks", `, "nodePools": [{"name": "a", "networkConfig": {"enablePrivateNodes": true, "podRange": "gone"}}]`, subnet + "}", "unknown: ranges.pods ranges.vpc ranges.remote"},
		{"second interfaces", `, "nodePools": [{"name": "a", "networkConfig": {"additionalPodNetworkConfigs": [{"subnetwork": "sub", "secondaryPodRange": "more"}, {"subnetwork": "sub"}],
			"additionalNodeNetworkConfigs": [{"network": "other", "subnetwork": "other"}]}}]`, subnet + "}",
			"pods: 10.0.0.0/24 10.4.0.0/14 10.20.0.0/20\nunknown: ranges.nodes ranges.vpc ranges.remote"},
		{"a second network", `, "nodePools": [{"name": "a", "networkConfig": {"enablePrivateNodes": true, "additionalPodNetworkConfigs": [{"subnetwork": "sub2", "secondaryPodRange": "more"}]}}]`,
			"[" + subnet + "}]\n" + strings.NewReplacer("networks/net", "networks/net2", "subnetworks/sub", "subnetworks/sub2", `"sub"`, `"sub2"`, "10.0.", "10.30.", "10.20.", "10.31.").Replace(subnet) + "}",
			"pods: 10.4.0.0/14 10.31.0.0/20\nvpc: 10.0.0.0/24 10.20.0.0/20 10.21.0.0/20 10.30.0.0/24 10.31.0.0/20\nunknown: ranges.vpc ranges.remote"},
		{"dual stack", `, "ipAllocationPolicy": {"stackType": "IPV4_IPV6"}`, subnet + `, "ipv6CidrRange": "2600:1900:1::/64"}`,
			"nodes: 10.0.0.0/24 2600:1900:1::/64\npods: 10.4.0.0/14 2600:1900:1::/64\nunknown: ranges.services ranges.vpc ranges.remote"},
		{"dual stack, ranges unread", `, "ipAllocationPolicy": {"stackType": "IPV4_IPV6", "servicesIpv6CidrBlock": "fd20::/112"}`, "", "unknown: ranges.nodes ranges.pods ranges.vpc ranges.remote"},
		{"all pages of every region", "", `{"kind": "compute#subnetworkAggregatedList", "items": {"regions/europe-west1": {"subnetworks": [` + subnet + `}]},
			"regions/us-east1": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}}`, "vpc: 10.0.0.0/24 10.20.0.0/20 10.21.0.0/20\nunknown: ranges.remote"},
		{"one region", "", `{"kind": "compute#subnetworkList", "items": [` + subnet + `}]}`, "unknown: ranges.vpc ranges.remote"},
		{"learned routes", "", `{"kind": "compute#routerAggregatedList", "id": "projects/p/aggregated/routers", "items": {"regions/europe-west1": {"routers": [
				{"kind": "compute#router", "name": "r", "network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/net", "bgpPeers": [{"name": "a"}]}]}}}
			{"kind": "compute#routerStatusResponse", "result": {"network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/net",
				"bestRoutes": [{"kind": "compute#route", "destRange": "192.168.0.0/16", "nextHopVpnTunnel": "https://x/projects/p/regions/r/vpnTunnels/t1"}]}}
			{"kind": "compute#routeList", "items": [{"kind": "compute#route", "network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/net",
				"destRange": "0.0.0.0/0", "nextHopGateway": "g"}]}`, "remote: 192.168.0.0/16\nunknown: ranges.nodes ranges.vpc"},
		{"a router that did not say what it learned", "", `{"kind": "compute#routerList", "items": [
				{"kind": "compute#router", "name": "r", "network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/net", "bgpPeers": [{"name": "a"}]}]}`,
			"unknown: ranges.nodes ranges.vpc ranges.remote"},
		{"a default route elsewhere", "", `[{"kind": "compute#route", "network": "projects/p/global/networks/net", "destRange": "0.0.0.0/0", "nextHopIlb": "10.0.0.9"}]`,
			"remote:\nunknown: ranges.nodes ranges.vpc ranges.remote"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := facts.Of(text(gke(tt.more) + tt.also)...)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			check(t, f, tt.want)
		})
	}
}

const vpc = `{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
	{"CidrBlock": "100.64.0.0/16", "CidrBlockState": {"State": "associated"}}, {"CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "disassociating"}}],
	"Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2600:1f14::/56", "Ipv6CidrBlockState": {"State": "associated"}},
		{"Ipv6CidrBlock": "2600:1f15::/56", "Ipv6CidrBlockState": {"State": "disassociated"}}]}]}`

func eks(more string) string {
	return `{"cluster": {"name": "c", "endpoint": "https://x.eks.amazonaws.com", "resourcesVpcConfig": {"vpcId": "vpc-1", "subnetIds": ["subnet-1"], "endpointPublicAccess": false},
		"kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"}` + more + `}}`
}

func TestAmazon(t *testing.T) {
	addon := func(config string) string {
		return `{"addon": {"addonName": "vpc-cni", "clusterName": "c", "configurationValues": ` + config + `}}`
	}
	routes := func(list string) string {
		return `{"RouteTables": [{"VpcId": "vpc-1", "Routes": [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}` + list + `]}]}`
	}
	for _, tt := range []struct{ name, more, also, want string }{
		{"only what is associated", "", vpc, "nodes: 10.0.0.0/16 100.64.0.0/16 2600:1f14::/56\nvpc: 10.0.0.0/16 100.64.0.0/16 2600:1f14::/56\n" +
			"control: 10.0.0.0/16 100.64.0.0/16 2600:1f14::/56\nunknown: cni ranges.pods ranges.remote dns kubeAPI identity"},
		{"the SDK's keys", "", `{"Cluster": {"Name": "c", "Endpoint": "https://x", "ResourcesVpcConfig": {"VpcId": "vpc-1", "EndpointPublicAccess": true, "SubnetIds": null},
			"KubernetesNetworkConfig": {"ServiceIpv4Cidr": null, "ServiceIpv6Cidr": "fd30::/108", "IpFamily": "ipv6"}}, "ResultMetadata": {}}` + vpc,
			"services: fd30::/108\napi: x:443 [fd30::1]:443"},
		{"public endpoint", "", strings.Replace(eks(""), `"endpointPublicAccess": false`, `"endpointPublicAccess": true`, 1) + vpc, "api: x.eks.amazonaws.com:443 172.20.0.1:443\n" +
			"unknown: cni ranges.pods ranges.remote dns kubeAPI identity"},
		{"interfaces of the control plane", "", vpc + `{"NetworkInterfaces": [{"Description": "Amazon EKS c", "PrivateIpAddress": "10.0.3.4", "VpcId": "vpc-1",
			"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.3.4"}]}, {"Description": "Amazon EKS other", "PrivateIpAddress": "10.0.3.5"}]}`,
			"api: 10.0.3.4:443 x.eks.amazonaws.com:443 172.20.0.1:443\nunknown: cni ranges.pods ranges.remote dns identity"},
		{"agent on", "", addon(`"{\"enableNetworkPolicy\": \"true\"}"`) + vpc, "cni: aws-vpc-cni\nunknown: ranges.remote dns kubeAPI identity"},
		{"agent on, as a boolean, in YAML", "", addon(`"enableNetworkPolicy: true\nenv:\n  NETWORK_POLICY_ENFORCING_MODE: strict\n"`) + vpc, "cni: aws-vpc-cni:strict"},
		{"agent off", "", addon(`"{\"enableNetworkPolicy\": \"false\"}"`), "cni:"},
		{"no configuration", "", addon(`null`), "cni:"},
		{"no other add-on", "", `{"addons": ["vpc-cni"]} {"apiVersion": "v1", "kind": "ServiceAccountList", "items": []}`, "identity: none"},
		{"a role by annotation", "", `{"addons": []} {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "annotations": {"eks.amazonaws.com/role-arn": "arn:x"}}}`,
			"identity: eks-irsa"},
		{"the agent's name", "", `{"addons": ["eks-pod-identity-agent"]}`, "identity: eks-pod-identity"},
		{"associations", "", `{"associations": [{"clusterName": "c", "namespace": "n", "serviceAccount": "s"}]}`, "identity: eks-pod-identity"},
		{"Auto Mode, unread", `, "computeConfig": {"enabled": true}`, vpc, "cni:\nidentity: eks-pod-identity\ndns:\nunknown: cni ranges.remote dns kubeAPI"},
		{"Auto Mode, on", `, "computeConfig": {"enabled": true}`, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
			"data": {"enable-network-policy-controller": "true"}} {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
			"spec": {"clusterIP": "172.20.0.10", "ports": [{"port": 53, "protocol": "UDP"}]}} {"apiVersion": "apps/v1", "kind": "DaemonSetList", "items": []}`,
			"cni: eks-auto\ndns: 172.20.0.10:53\nunknown: ranges.nodes ranges.pods ranges.controlPlane ranges.vpc ranges.remote kubeAPI"},
		{"Auto Mode, off", `, "computeConfig": {"enabled": true}`, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
			"data": {"enable-network-policy-controller": "false"}}`, "cni: none"},
		{"hybrid nodes without pods", `, "remoteNetworkConfig": {"remoteNodeNetworks": [{"cidrs": ["192.168.0.0/24"]}]}`, vpc + addon(`"{}"`), "remote: 192.168.0.0/24\n" +
			"unknown: cni ranges.pods ranges.remote dns kubeAPI identity"},
		{"routes", "", vpc + routes(`, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
			{"DestinationCidrBlock": "10.7.0.0/16", "NatGatewayId": "nat-1"}, {"DestinationCidrBlock": "10.8.0.0/16", "GatewayId": "vgw-1"}, {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}`),
			"remote: 10.7.0.0/16 10.8.0.0/16\nunknown: cni ranges.pods dns kubeAPI identity"},
		{"a prefix list", "", vpc + routes(`, {"DestinationPrefixListId": "pl-1", "TransitGatewayId": "tgw-1"}`), "remote:\nunknown: cni ranges.pods ranges.remote dns kubeAPI identity"},
		{"everything elsewhere", "", vpc + routes(`, {"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"}`), "remote:\nunknown: cni ranges.pods ranges.remote dns kubeAPI identity"},
		{"attached", "", vpc + `{"TransitGatewayVpcAttachments": [{"VpcId": "vpc-1", "TransitGatewayId": "tgw-1", "State": "available"}]}`, "unknown: cni ranges.pods ranges.remote dns kubeAPI identity"},
		{"public subnets", "", vpc + `{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "MapPublicIpOnLaunch": true}]}`,
			"unknown: cni ranges.nodes ranges.pods ranges.remote dns kubeAPI identity"},
		{"subnets", "", `{"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}]}`, "control: 10.0.1.0/24"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer := tt.also
			if !strings.Contains(strings.ToLower(answer), "resourcesvpcconfig") {
				answer = eks(tt.more) + tt.also
			}
			f, problems := facts.Of(text(answer)...)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			check(t, f, tt.want)
		})
	}
}

// Azure's command prints az's form; rest nests it as the REST interface does.
func TestAzure(t *testing.T) {
	const id = "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v"
	pool := `"agentPoolProfiles": [{"name": "a", "vnetSubnetID": "` + id + `/subnets/Nodes"}]`
	vnet := `{"id": "` + strings.ToUpper(id) + `", "name": "v", "properties": {"addressSpace": {"addressPrefixes": ["10.1.0.0/16", "fd10::/48"]}, "virtualNetworkPeerings": [],
		"subnets": [{"name": "nodes", "properties": {"addressPrefixes": ["10.1.0.0/24", "fd10::/64"]}}, {"name": "pods", "properties": {"addressPrefix": "10.1.4.0/22"}}]}}`
	rest := func(more string) string {
		return `{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c", "name": "c", "properties": {"nodeResourceGroup": "MC_g", "fqdn": "c.azmk8s.io", ` + more + `}}`
	}
	for _, tt := range []struct{ name, doc, want string }{
		{"node subnet", rest(pool+`, "networkProfile": {"networkPlugin": "azure", "networkPolicy": "calico", "serviceCidr": "10.2.0.0/16", "dnsServiceIP": "10.2.0.10"}`) + vnet,
			"cni: calico\nnodes: 10.1.0.0/24 fd10::/64\npods: 10.1.0.0/24 fd10::/64\nservices: 10.2.0.0/16\nvpc: 10.1.0.0/16 fd10::/48\nunknown: ranges.controlPlane kubeAPI"},
		{"pod subnet", rest(`"agentPoolProfiles": [{"name": "a", "vnetSubnetID": "`+id+`/subnets/nodes", "podSubnetID": "`+id+`/subnets/pods"}],
			"networkProfile": {"networkPlugin": "azure", "networkPolicy": "azure", "serviceCidr": "10.2.0.0/16"}`) + vnet, "cni: azure-npm\nnodes: 10.1.0.0/24 fd10::/64\npods: 10.1.4.0/22"},
		{"overlay, dual stack", rest(pool+`, "networkProfile": {"networkPlugin": "azure", "networkPluginMode": "overlay", "networkDataplane": "cilium", "podCidr": "10.244.0.0/16",
			"podCidrs": ["10.244.0.0/16", "fd12::/64"], "serviceCidr": "10.2.0.0/16", "serviceCidrs": ["10.2.0.0/16", "fd13::/108"]}`) + vnet,
			"cni: aks-cilium\npods: 10.244.0.0/16 fd12::/64\nservices: 10.2.0.0/16 fd13::/108"},
		{"kubenet, no policy", rest(pool + `, "networkProfile": {"networkPlugin": "kubenet", "podCidr": "10.244.0.0/16", "networkPolicy": "none", "serviceCidr": "10.2.0.0/16"}`),
			"cni: none\npods: 10.244.0.0/16\nunknown: ranges.nodes ranges.controlPlane ranges.vpc ranges.remote kubeAPI"},
		{"no plugin", rest(pool + `, "networkProfile": {"networkPlugin": "none", "serviceCidr": "10.2.0.0/16"}`), "cni:\nunknown: cni ranges.nodes ranges.pods ranges.controlPlane ranges.vpc ranges.remote kubeAPI"},
		{"the network that AKS made", rest(`"agentPoolProfiles": [{"name": "a"}], "networkProfile": {"networkPlugin": "azure", "serviceCidr": "10.2.0.0/16"}`) +
			`[{"id": "/subscriptions/s/resourceGroups/mc_g/providers/Microsoft.Network/virtualNetworks/aks-vnet", "name": "aks-vnet", "addressSpace": {"addressPrefixes": ["10.224.0.0/12"]},
			"subnets": [{"name": "aks-subnet", "addressPrefix": "10.224.0.0/16"}], "virtualNetworkPeerings": []}]`,
			"nodes: 10.224.0.0/16\npods: 10.224.0.0/16\nvpc: 10.224.0.0/12\nunknown: ranges.controlPlane kubeAPI"},
		{"that network, unread", rest(`"agentPoolProfiles": [{"name": "a"}], "networkProfile": {"networkPlugin": "azure", "serviceCidr": "10.2.0.0/16"}`),
			"unknown: ranges.nodes ranges.pods ranges.controlPlane ranges.vpc ranges.remote kubeAPI"},
		{"a gateway, and a route table", rest(pool+`, "networkProfile": {"networkPlugin": "azure", "serviceCidr": "10.2.0.0/16"}`) + strings.Replace(vnet, `"subnets": [`,
			`"subnets": [{"name": "GatewaySubnet", "properties": {"addressPrefix": "10.1.9.0/27"}}, `, 1), "unknown: ranges.controlPlane ranges.remote kubeAPI"},
		{"LocalDNS, perhaps", rest(`"agentPoolProfiles": [{"name": "a", "localDNSProfile": {"mode": "Preferred"}}], "networkProfile": {"networkPlugin": "azure"}`),
			"dns: kube-system/[kube-dns]:53 169.254.10.10:53 169.254.10.11:53\nunknown: ranges.nodes ranges.pods ranges.services ranges.controlPlane ranges.vpc ranges.remote dns kubeAPI"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := facts.Of(text(tt.doc)...)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			check(t, f, tt.want)
		})
	}
}

// TestLongNames demands that nothing is cut where a long name was.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("a", 300)
	facts.Of(text(strings.Replace(gke(""), "europe-west1-b", long+"-b-c", 1), gke(`, "nodePools": [{"name": "`+long+`"}]`),
		`{"properties": {"agentPoolProfiles": [{"vnetSubnetID": "/SUBNETS/`+strings.Repeat("İ", 99)+`"}], "networkProfile": {}}}`)...)
}

// TestWrapped reads what lists and REST interfaces put around an answer.
func TestWrapped(t *testing.T) {
	aks := `{"name": "c", "networkProfile": {"networkPlugin": "kubenet", "podCidr": "10.244.0.0/16"}}`
	for _, tt := range []struct{ doc, want string }{
		{`{"clusters": [` + gke("") + `]}`, "pods: 10.4.0.0/14"},
		{`[` + gke("") + `, ` + subnet + `}]`, "nodes: 10.0.0.0/24"},
		{`{"value": [` + aks + `]}`, "pods: 10.244.0.0/16"},
		{`[` + aks + `]`, "pods: 10.244.0.0/16"},
	} {
		f, problems := facts.Of(text(tt.doc)...)
		if len(problems) > 0 {
			t.Error(problems)
		}
		check(t, f, tt.want)
	}
}

// TestCommands demands that a name from an answer is one word of the command that is proposed.
func TestCommands(t *testing.T) {
	f, _ := facts.Of(text(strings.Replace(eks(""), "vpc-1", "vpc-1; rm -rf ~ 'x", 1))...)
	for _, u := range f.Unknown {
		if _, command, ok := strings.Cut(u.Why, "run: aws ec2"); ok && strings.Contains(command, "vpc-1") && !strings.Contains(command, `'vpc-1; rm -rf ~ '\''x'`) && !strings.Contains(command, `'Name=vpc-id,Values=vpc-1; rm -rf ~ '\''x'`) {
			t.Error(u.Why)
		}
	}
}

// TestProblems demands of what cannot be read that it is named with its line, and that no list
// counts as whole then.
func TestProblems(t *testing.T) {
	whole := strings.Join(facts.Fields, " ")
	for _, tt := range []struct{ name, doc, message, at, unknown string }{
		{"no answer", `{"hello": "world"}`, "not an answer that is known here", "f0:1", ""},
		{"bad CIDR", "\n" + gke(`, "ipAllocationPolicy": {"servicesIpv6CidrBlock": "fd20::/200"}`), "not a CIDR", "f0:3", whole},
		{"everything as a range", `{"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "a"}, "spec": {"cidrs": ["0.0.0.0/0"]}}`, "is everything", "f0:1", ""},
		{"everything, in IPv6 notation", gke(`, "ipAllocationPolicy": {"servicesIpv4Cidr": "::ffff:0.0.0.0/96"}`), "is everything", "f0:2", whole},
		{"everything as a secondary range", strings.Replace(subnet+"}", "10.20.0.0/20", "0.0.0.0/0", 1), "is everything", "f0:4", ""},
		{"a subnet cut to some fields", strings.Replace(subnet+"}", `"ipCidrRange": "10.0.0.0/24"`, `"x": ""`, 1), "it names no range", "f0:1", ""},
		{"a VPC cut to some fields", `{"Vpcs": [{"VpcId": "vpc-1"}]}`, "it names no range", "f0:1", ""},
		{"a cluster that says two things", gke("") + "\n" + strings.Replace(gke(""), "10.4.0.0/14", "10.64.0.0/14", 1), `says something else of "c"`, "f0:3", whole},
		{"a subnet that says two things", subnet + "}\n" + strings.Replace(subnet+"}", "10.0.0.0/24", "10.9.0.0/24", 1), "says something else of", "f0:5", ""},
		{"a VPC that says two things", vpc + "\n" + strings.Replace(vpc, "10.0.0.0/16", "10.9.0.0/16", 2), `says something else of "vpc-1"`, "f0:5", ""},
		{"a page of a list of add-ons", `{"addons": ["vpc-cni"], "nextToken": "x"}`, "the list goes on", "f0:1", ""},
		{"a page of Azure", `{"value": [{"id": "/subscriptions/s/x/virtualNetworks/v", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}], "nextLink": "https://x"}`, "the list goes on", "f0:1", ""},
		{"a slip in a facts file", "apiVersion: toolmoat.dev/v1alpha1\nkind: ClusterFacts\nranges: {remotes: []}\n", "unknown field", "f0:3", ""},
		{"two facts files", head + "cni: calico\n---\n" + head + "cni: cilium\n", `cni is "cilium", and "calico" in another facts file`, "f0:5", whole},
		{"cut off", strings.TrimSuffix(eks(""), "}}"), "", "f0:2", ""},
		{"two clusters", gke("") + "\n" + strings.Replace(gke(""), `"name": "c"`, `"name": "d"`, 1), `describes "d"`, "f0:3", whole},
		{"two clouds", gke("") + "\n" + eks(""), "describes an EKS cluster", "f0:3", whole},
		{"a page", strings.Replace(vpc, `{"Vpcs"`, `{"NextToken": "x", "Vpcs"`, 1), "the list goes on", "f0:1", ""},
		{"names of clusters", `{"clusters": ["a"]}`, "not an answer that is known here", "f0:1", ""},
		{"an empty list", `[]`, "does not say of what", "f0:1", ""},
		{"nothing at all", `# nothing`, "there is nothing in it", "f0", ""},
		{"other objects", `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}`, "nothing in it says anything", "f0", ""},
		{"an object of a kind that is not read, beside others", gke("") + "\n" + `{"apiVersion": "v1", "kind": "Secret"}` + "\n[", "", "f0:4", whole},
		{"a control character", `{"name": "a` + "\x01" + `"}`, "", "f0:1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := facts.Of(text(tt.doc)...)
			if len(problems) != 1 || !strings.Contains(problems[0].Message, tt.message) || problems[0].Origin.Pos() != tt.at {
				t.Fatalf("%+v", problems)
			}
			if got := shown(f)["unknown"]; tt.unknown != "" && got != tt.unknown {
				t.Errorf("unknown %q, want %q", got, tt.unknown)
			}
		})
	}
}
