package facts

import (
	"net/netip"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// The network of an EKS cluster, as EC2 describes it: botocore, data/ec2/2016-11-15.

type awsVPC struct{ ranges []model.Range }

type awsSubnet struct {
	vpc    string
	ranges []model.Range
	public bool // what starts there gets a public address
}

// awsRoute is a route of a VPC to another network: to a range, or to a prefix list, whose id it
// has.
type awsRoute struct {
	dest netip.Prefix
	list string
	via  string
}

// awsPeering is a peering that is active, with what is on each side.
type awsPeering struct {
	id    string
	sides [2]struct {
		vpc    string
		ranges []model.Range
	}
}

// beside returns the ranges on the other side of a VPC.
func (p awsPeering) beside(vpc string) ([]model.Range, bool) {
	for i, side := range p.sides {
		if side.vpc == vpc {
			return p.sides[1-i].ranges, true
		}
	}
	return nil, false
}

// associated reads the blocks of a list of associations. One that is not associated is not in use;
// one without a state may be.
func associated(list value, block, state, source string) []model.Range {
	var out []model.Range
	for _, a := range list.items() {
		if s := a.at(state, "state").Text(); s == "" || s == "associated" {
			out = append(out, a.key(block).ranges(source)...)
		}
	}
	return out
}

func (r *reading) awsVPCs(e entry) {
	r.more(e)
	for _, v := range e.key("vpcs").items() {
		id := v.key("vpcId").word()
		source := "VPC " + id
		list := v.key("cidrBlock").ranges(source)
		list = unique(append(list, associated(v.key("cidrBlockAssociationSet"), "cidrBlock", "cidrBlockState", source+", secondary")...))
		list = append(list, associated(v.key("ipv6CidrBlockAssociationSet"), "ipv6CidrBlock", "ipv6CidrBlockState", source+", IPv6")...)
		v.wants(list)
		once(r, e.line(v), r.vpcs, id, awsVPC{list})
	}
}

func (r *reading) awsSubnetList(e entry) {
	r.more(e)
	for _, v := range e.key("subnets").items() {
		id := v.key("subnetId").word()
		list := v.key("cidrBlock").ranges("subnet " + id)
		list = append(list, associated(v.key("ipv6CidrBlockAssociationSet"), "ipv6CidrBlock", "ipv6CidrBlockState", "subnet "+id+", IPv6")...)
		v.wants(list)
		once(r, e.line(v), r.awsSubnets, id, awsSubnet{v.key("vpcId").word(), list, v.key("mapPublicIpOnLaunch").Bool()})
	}
}

// more fails on one page of several.
func (r *reading) more(e entry) {
	if token := e.key("nextToken"); token.IsSet() && token.Text() != "" {
		token.Fail("the list goes on", "ask without --max-items, or for the other pages too")
	}
}

// awsInterface is a network interface that EKS made for a control plane, which its description
// says: EKS documentation, network-reqs.
type awsInterface struct {
	cluster string
	addrs   []netip.Addr
}

func (r *reading) awsInterfaces(e entry) {
	r.more(e)
	for _, v := range e.key("networkInterfaces").items() {
		cluster, ok := strings.CutPrefix(v.key("description").Text(), "Amazon EKS ")
		if !ok {
			continue
		}
		one := awsInterface{cluster: cluster}
		list := []value{v.key("privateIpAddress")}
		for _, a := range v.key("privateIpAddresses").items() {
			list = append(list, a.key("privateIpAddress"))
		}
		for _, a := range v.key("ipv6Addresses").items() {
			list = append(list, a.key("ipv6Address"))
		}
		for _, a := range list {
			if addr, ok := a.addr(); ok {
				one.addrs = append(one.addrs, addr)
			}
		}
		r.interfaces = append(r.interfaces, one)
	}
}

func (r *reading) awsPeerings(e entry) {
	r.more(e)
	for _, v := range e.key("vpcPeeringConnections").items() {
		if code := v.at("status", "code").Text(); code != "" && code != "active" {
			continue
		}
		p := awsPeering{id: v.key("vpcPeeringConnectionId").word()}
		for i, name := range []string{"accepterVpcInfo", "requesterVpcInfo"} {
			info := v.key(name)
			p.sides[i].vpc = info.key("vpcId").word()
			source := "peered VPC " + p.sides[i].vpc
			list := info.key("cidrBlock").ranges(source)
			for _, b := range info.key("cidrBlockSet").items() {
				add(&list, b.key("cidrBlock").ranges(source)...)
			}
			for _, b := range info.key("ipv6CidrBlockSet").items() {
				add(&list, b.key("ipv6CidrBlock").ranges(source+", IPv6")...)
			}
			p.sides[i].ranges = unique(list)
		}
		r.peerings = append(r.peerings, p)
	}
}

func (r *reading) awsAttachments(e entry) {
	r.more(e)
	for _, v := range e.key("transitGatewayVpcAttachments").items() {
		if v.key("state").Text() != "deleted" {
			r.attached[v.key("vpcId").word()] = "transit gateway " + v.key("transitGatewayId").word()
		}
	}
}

// onwards are the fields that name where a route leads, in the order in which they are looked at.
var onwards = []string{"transitGatewayId", "vpcPeeringConnectionId", "coreNetworkArn", "localGatewayId", "instanceId", "networkInterfaceId", "natGatewayId",
	"egressOnlyInternetGatewayId", "carrierGatewayId", "gatewayId"}

func (r *reading) awsRouteTables(e entry) {
	r.more(e)
	for _, table := range e.key("routeTables").items() {
		vpc := table.key("vpcId").word()
		if r.awsRoutes[vpc] == nil {
			r.awsRoutes[vpc] = []awsRoute{}
		}
		for _, v := range table.key("routes").items() {
			if route, ok := readRoute(v); ok {
				r.awsRoutes[vpc] = append(r.awsRoutes[vpc], route)
			}
		}
	}
}

// readRoute reads a route, if it leads to another network: not to the VPC itself, nor to the
// internet, nor to a service of the cloud.
func readRoute(v value) (awsRoute, bool) {
	var out awsRoute
	for _, field := range onwards {
		if out.via = v.key(field).word(); out.via != "" {
			break
		}
	}
	dest, ok := v.key("destinationCidrBlock").prefix()
	if !ok {
		dest, ok = v.key("destinationIpv6CidrBlock").prefix()
	}
	out.dest, out.list = dest, v.key("destinationPrefixListId").word()
	everywhere := ok && dest.Bits() == 0
	kind, _, _ := strings.Cut(out.via, "-")
	switch {
	case v.key("state").Text() == "blackhole", !ok && out.list == "":
		return out, false
	case out.via == "local", kind == "igw", kind == "eigw", kind == "cagw":
		return out, false
	case kind == "nat":
		return out, !everywhere // everywhere is the internet
	case kind == "vpce":
		return out, ok && !everywhere // a prefix list is a service's
	}
	return out, true
}
