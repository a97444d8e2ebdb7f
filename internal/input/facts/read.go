package facts

import (
	"reflect"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// The rules that problems go by, as in source.
const (
	ruleUnreadable = "TM901"
	ruleInvalid    = "TM902"
	ruleConflict   = "TM904"
)

// maxProblems bounds the problems of one reading.
const maxProblems = 200

// reading is what all documents say, each for itself.
type reading struct {
	gke         *gkeCluster
	gcpSubnets  map[string]gcpSubnet // by "projects/P/regions/R/subnetworks/S"
	gcpNetworks map[string]bool      // those all of whose subnetworks were listed
	gcpRoutes   map[string][]gcpRoute
	gcpRouted   map[string]bool // networks all of whose routes were listed
	gcpRouters  map[string]int  // by network, how many routers speak BGP
	gcpStatuses map[string]int  // by network, of how many it is known what they learned
	gcpProjects map[string]bool // those all of whose routers were listed

	eks        *eksCluster
	addons     map[string]eksAddon
	addonNames []string
	allAddons  bool // every add-on's name was listed
	podRoles   bool // there are EKS Pod Identity associations
	vpcs       map[string]awsVPC
	awsSubnets map[string]awsSubnet
	awsRoutes  map[string][]awsRoute // by VPC
	peerings   []awsPeering
	interfaces []awsInterface
	attached   map[string]string // by VPC, its transit gateway

	aks          *aksCluster
	vnets        map[string]azureVNet   // by id in lower case
	azureSubnets map[string]azureSubnet // those that were read on their own, likewise

	kube kube
	hand handwritten

	problems []finding.Problem
	idle     []finding.Problem // files that could be read, and hold nothing that is read here
}

// entry is a document, or an item of one, and where it stands.
type entry struct {
	value
	pos origin.Origin
}

// form is one kind of answer.
type form struct {
	is   func(entry) bool
	read func(*reading, entry)
}

// forms lists what is recognised by its keys. Kubernetes objects, which say their kind, are in
// kinds.
func forms() []form {
	return []form{
		{either("clusterIpv4Cidr", "currentMasterVersion"), (*reading).gkeCluster},
		{compute("compute#subnetwork", "ipCidrRange"), (*reading).gcpSubnet},
		{compute("compute#route", "destRange"), (*reading).gcpRoute},
		{compute("compute#routerStatusResponse", ""), (*reading).gcpRouterStatus},
		{compute("compute#router", ""), (*reading).gcpRouter},
		{computeList, (*reading).gcpList},

		{either("resourcesVpcConfig"), (*reading).eksCluster},
		{either("addon"), (*reading).eksAddon},
		{either("addons"), (*reading).eksAddons},
		{either("associations"), (*reading).eksAssociations},
		{either("vpcs"), (*reading).awsVPCs},
		{either("vpcPeeringConnections"), (*reading).awsPeerings},
		{either("transitGatewayVpcAttachments"), (*reading).awsAttachments},
		{either("networkInterfaces"), (*reading).awsInterfaces},
		{either("routeTables"), (*reading).awsRouteTables},

		{property("agentPoolProfiles", "networkProfile"), (*reading).aksCluster},
		{property("addressSpace"), (*reading).azureVNet},
		{property("addressPrefix", "addressPrefixes"), (*reading).azureSubnet},

		{either("subnets"), (*reading).awsSubnetList}, // after the virtual networks of Azure, which have that key too
	}
}

// either recognises what has one of the keys.
func either(keys ...string) func(entry) bool {
	return func(e entry) bool { return slices.ContainsFunc(keys, func(key string) bool { return e.has(key) }) }
}

// property recognises a resource of Azure that has one of the keys.
func property(keys ...string) func(entry) bool {
	return func(e entry) bool { return either(keys...)(entry{e.properties(), e.pos}) }
}

// compute recognises a resource of Google's Compute API by its kind, or where that was left out by
// a key beside "network".
func compute(kind, key string) func(entry) bool {
	return func(e entry) bool { return kindOf(e) == kind || key != "" && e.has(key, "network") }
}

func computeList(e entry) bool {
	return strings.HasPrefix(kindOf(e), "compute#") && strings.HasSuffix(kindOf(e), "List")
}

// wrappers are the keys under which REST interfaces and SDKs put what was asked for: one of them,
// or a list.
var wrappers = []string{"cluster", "clusters", "value"}

func kindOf(e entry) string {
	if k := e.at("kind"); k.IsText() {
		return k.Text()
	}
	return ""
}

// read reads every document of every file.
func read(files []source.File) *reading {
	r := &reading{
		gcpSubnets: map[string]gcpSubnet{}, gcpNetworks: map[string]bool{}, gcpRoutes: map[string][]gcpRoute{}, gcpRouted: map[string]bool{}, gcpRouters: map[string]int{}, gcpStatuses: map[string]int{}, gcpProjects: map[string]bool{},
		addons: map[string]eksAddon{}, vpcs: map[string]awsVPC{}, awsSubnets: map[string]awsSubnet{}, awsRoutes: map[string][]awsRoute{}, attached: map[string]string{},
		vnets: map[string]azureVNet{}, azureSubnets: map[string]azureSubnet{}, kube: newKube(), hand: handwritten{},
	}
	for _, f := range files {
		r.file(f)
	}
	return r
}

func (r *reading) file(f source.File) {
	at := origin.Origin{File: f.Name}
	docs, err := doc.Documents(f.Data)
	if err != nil {
		at.Line = err.(*doc.Error).Line
		r.problem(ruleUnreadable, at, "cannot be read: "+err.(*doc.Error).Message, "")
		return
	}
	useful, other := false, 0
	for d := range docs {
		at := at.At(d.Line)
		if d.Err != nil {
			if d.Err.Line > 0 {
				at.Line = d.Err.Line
			}
			r.problem(ruleUnreadable, at, d.Err.Message, d.Err.Hint)
			useful = true
			continue
		}
		root := d.Open(doc.Lenient)
		if root.IsMap() && root.Field("apiVersion").IsText() && root.Field("apiVersion").Text() == apiVersion {
			root = d.Open(doc.Strict) // a person wrote it
		}
		e := entry{value{root}, at}
		if r.entry(e, d.List) {
			useful = true
		} else {
			other++
		}
		for _, p := range root.Close() {
			message := p.Message
			if p.Path != "" {
				message = p.Path + ": " + message
			}
			r.problem(ruleInvalid, at.At(p.Line), message, p.Hint)
		}
	}
	if !useful {
		message := "nothing in it says anything of a cluster's addresses"
		if other == 0 {
			message = "there is nothing in it"
		}
		r.idle = append(r.idle, finding.Problem{Rule: ruleUnreadable, Message: message, Hint: readable, Origin: at})
	}
}

// readable says what is read.
const readable = "answers of gcloud container clusters describe, aws eks describe-cluster, az aks show, of what they refer to, and kubectl get -o json are"

// entry reads one document or item, and reports whether it may say something. What is not
// recognised is a problem, but for Kubernetes objects of other kinds.
func (r *reading) entry(e entry, list *doc.List) bool {
	if e.IsText() {
		r.problem(ruleUnreadable, e.pos, "not an answer that is known here", readable)
		return true
	}
	if !e.IsMap() {
		items := e.items()
		for _, item := range items {
			r.entry(entry{item, e.line(item)}, nil)
		}
		r.gcpListed(items)
		if len(items) == 0 {
			r.problem(ruleUnreadable, e.pos, "an empty list, which does not say of what", "leave it out")
		}
		return true
	}
	if apiVersion, kind := typeOf(e, list); apiVersion != "" && kind != "" {
		return r.object(e, apiVersion, kind, list != nil)
	}
	for _, f := range forms() {
		if f.is(e) {
			f.read(r, e)
			return true
		}
	}
	for _, key := range wrappers {
		inner := e.key(key)
		if !inner.IsSet() {
			continue
		}
		if link := e.key("nextLink"); link.IsSet() && link.Text() != "" {
			link.Fail("the list goes on", "ask for the other pages too")
		}
		if inner.IsMap() {
			return r.entry(entry{inner, e.line(inner)}, nil)
		}
		for _, item := range inner.items() {
			r.entry(entry{item, e.line(item)}, nil)
		}
		return true
	}
	r.problem(ruleUnreadable, e.pos, "not an answer that is known here", readable)
	return true
}

// line is where a value in e stands.
func (e entry) line(v value) origin.Origin { return e.pos.At(v.Line()) }

func (r *reading) problem(rule string, at origin.Origin, message, hint string) {
	switch n := len(r.problems); {
	case n < maxProblems:
		r.problems = append(r.problems, finding.Problem{Rule: rule, Message: message, Hint: hint, Origin: at})
	case n == maxProblems:
		r.problems = append(r.problems, finding.Problem{Rule: rule, Message: "and more problems", Origin: at})
	}
}

// conflict says that two documents are about two clusters.
func (r *reading) conflict(e entry, this, other string) {
	r.problem(ruleConflict, e.pos, "describes "+doc.Quote(this)+", and another document "+doc.Quote(other), "read the answers about one cluster at a time")
}

// once keeps what a document says of the thing with this id.
func once[T any](r *reading, at origin.Origin, known map[string]T, id string, v T) {
	if other, ok := known[id]; ok {
		r.agree(at, id, other, v)
	}
	known[id] = v
}

// agree demands that two documents say the same of one thing: which of them is true cannot be told.
func (r *reading) agree(at origin.Origin, id string, this, other any) {
	if !reflect.DeepEqual(this, other) {
		r.problem(ruleConflict, at, "says something else of "+doc.Quote(id)+" than another document", "leave out the one that is older")
	}
}
