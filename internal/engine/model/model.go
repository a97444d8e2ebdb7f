// Package model is the typed world that every analysis reads: what the input says exists, and
// nothing about what it means.
package model

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// Snapshot is everything that was read. Each list is sorted by namespace, kind and name.
type Snapshot struct {
	Namespaces []Namespace // every namespace that has a Namespace object or in which some object lives
	Workloads  []Workload
	Finished   []Finished
	Services   []Service
	Nodes      []Node
	Networks   []Network // beside the cluster's own
	Routes     []Route
	Policies   []policy.Policy  // also those that stand, unjudged, for what could not be read
	Servers    []Server         // MCP servers, gateways and agents; discover fills it
	Unread     []label.Selector // namespaces in which pods may run that were not read; nil where all that there is was there to be read
	Problems   []finding.Problem
	Counts     Counts
	Facts      Facts // what else is known of the cluster
}

// Counts says how much was read.
type Counts struct {
	Files     int // regular files read
	Documents int // YAML and JSON documents that are not empty
	Ignored   int // Kubernetes objects of kinds that say nothing about reachability
	Foreign   int // documents that are no Kubernetes object
	Excluded  int // manifests that an --exclude glob left out; a directory left out whole counts as one

	// IgnoredKinds counts what is in Ignored by "Kind.group", or "Kind" in the core group, fit for
	// a terminal. It names at most MaxIgnoredKinds of them: what of Ignored it does not account for
	// is of others. nil if nothing was ignored.
	IgnoredKinds map[string]int
}

// MaxIgnoredKinds is how many kinds [Counts].IgnoredKinds names at most.
const MaxIgnoredKinds = 200

// Namespace is a namespace and what is known of its labels, always including [label.MetadataName].
type Namespace struct {
	Name    string
	Linkerd bool         // its pods are in Linkerd's mesh, unless they say otherwise
	Labels  label.Labels // open where there is no Namespace object, or where several contradict each other: what these agree on
	Origin  origin.Origin
}

// InLinkerd reports whether annotations put pods into Linkerd's mesh (linkerd.io, proxy-injection).
func InLinkerd(annotations label.Set) bool {
	inject := annotations[LinkerdInject]
	return inject == "enabled" || inject == "ingress"
}

// LinkerdInject is the annotation of a namespace or a pod that does so, or says otherwise.
const LinkerdInject = "linkerd.io/inject"

// Workload is what runs pods: a controller with its pod template, or a pod of its own.
type Workload struct {
	Namespace   string
	Kind        string // of the topmost owner: Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet, ReplicationController, Pod
	Name        string
	Labels      label.Set // of the object itself; the pods' own are in Pods
	Annotations label.Set // of the object and of its pod template; the object's win
	Idle        bool      // it asks for no pods
	Many        bool      // more than one of its pods may run at once
	Containers  []Container
	Powers      []Power // of any of its pods
	Pods        []Pod   // never empty: the running pods that the input has, and one for each template that none of them shows
	Origin      origin.Origin
}

// Pod is one pod, or all the pods of a template.
type Pod struct {
	Name        string // "" for a template's pods
	Labels      label.Labels
	Account     string       // its service account; "" when unknown, and for the few pods that have none
	Addrs       []netip.Addr // at most one a family; nil when unknown
	MoreAddrs   bool         // perhaps it has an address in the other family too, which the input does not show
	Node        string       // "" when unknown
	NodeAddrs   []netip.Addr // of its node (status.hostIPs); nil when unknown
	HostNetwork bool
	MayBeHost   bool // HostNetwork is false because what the input says could not be read
	Ports       []ContainerPort
	Ordinals    Ordinals // only for the template of a StatefulSet
	Placement   Placement
	Networks    []string // beside the cluster's own, by Network.Name; sorted
	Default     string   // the network it has instead of the cluster's own; "" for none
	Origin      origin.Origin
}

// Finished is a pod, or a Job of its own, that is over: nothing runs for it any more, and its
// address may be another's.
type Finished struct {
	Namespace string
	Kind      string // Pod or Job
	Name      string
	Owner     string // "Kind/name" of what made it; "" if nothing did
	State     string // a pod's phase, or the condition that ended a Job
}

// Network is a network that pods may have beside the cluster's own (a NetworkAttachmentDefinition).
type Network struct {
	Name    string         // "namespace/name"
	Ranges  []netip.Prefix // the addresses that it leads to
	Bounded bool           // and to no others
	Origin  origin.Origin
}

// NodeName is what selectors of nodes call a node's name (k8s.io/api core/v1, matchFields).
const NodeName = "metadata.name"

// FargateProfile is the label that EKS gives to pods which it runs on Fargate (EKS documentation,
// fargate-profile).
const FargateProfile = "eks.amazonaws.com/fargate-profile"

// Placement is what a pod's spec says of the nodes that it may run on, where it is not known on
// which it does.
type Placement struct {
	Nodes        []label.Selector // nodeSelector and required affinity: one of them fits the node; nil for any node
	OS           string           // spec.os.name
	Scheduler    string
	RuntimeClass string
	Tolerations  []Toleration
	AsksMore     bool // they ask more of a node than Nodes says
}

// Toleration is one of a pod's.
type Toleration struct {
	Key    string // "" for any
	Value  string
	Exists bool   // whatever the value
	Effect string // "" for any
}

// Tolerates reports whether p's pods tolerate a taint (k8s.io/api core/v1, ToleratesTaint).
func (p *Placement) Tolerates(t Taint) bool {
	return slices.ContainsFunc(p.Tolerations, func(o Toleration) bool {
		return (o.Effect == "" || o.Effect == t.Effect) && (o.Key == "" && o.Exists || o.Key == t.Key) && (o.Exists || o.Value == t.Value)
	})
}

// Ordinals says which numbered pods a StatefulSet's template stands for: Count of them, from
// Base-First up, and those that there will be once it is scaled. Where Count is 0, running pods
// show the others. The zero value: it is no StatefulSet's.
type Ordinals struct {
	Base         string // the StatefulSet's name
	First, Count int
}

// Has reports whether o holds number n.
func (o Ordinals) Has(n int) bool { return n >= o.First && n-o.First < o.Count }

// The labels that number the pods of a StatefulSet (kubernetes
// pkg/controller/statefulset/stateful_set_utils.go).
const (
	SetPodName  = "statefulset.kubernetes.io/pod-name"
	SetPodIndex = "apps.kubernetes.io/pod-index"
)

// ContainerPort is a declared port. Declaring is documentation: a pod may listen on any port.
type ContainerPort struct {
	Name     string
	Protocol netset.Protocol
	Port     netset.Port
	HostPort netset.Port // 0 if none
	Sidecar  bool        // declared on an init container with restartPolicy Always
}

// Container is what discovery reads of a container.
type Container struct {
	Name    string
	Image   string
	Command []string
	Args    []string
	Env     []EnvVar
	Ports   []ContainerPort
	Paths   []string // HTTP paths of its probes
	Init    bool     // runs before the others, or, if Sidecar, starts before them
	Sidecar bool     // an init container with restartPolicy Always: runs beside the others
	Line    int
}

// Power is something that lets the processes of a pod past network policy.
type Power struct {
	Name      string // privileged, hostProcess, hostPID, hostIPC, or a capability without "CAP_"
	Container string // "" for all of the pod
	Init      bool   // the container runs before the others
	Unread    bool   // what the input says could not be read, so that it may be so
	Origin    origin.Origin
}

// EnvVar is an environment variable. Values come from untrusted manifests and may hold secrets:
// they are read for hosts, ports and modes, and never printed.
type EnvVar struct {
	Name  string
	Value string
	Known bool // false when the value comes from a Secret, a field or an object that was not read
}

// Service is a Service with the endpoints that EndpointSlices name. Where only these were read, it
// is what they tell of it: no selector, no addresses, and each port of the endpoints as its own.
type Service struct {
	Namespace    string
	Name         string
	Labels       label.Set       // of the object itself
	Type         string          // ClusterIP, NodePort, LoadBalancer, ExternalName
	Selector     *label.Selector // nil: endpoints are set by hand
	Headless     bool
	ClusterIPs   []netip.Addr // nil when unknown
	MoreAddrs    bool         // perhaps it has an address in the other family too, which the input does not show
	ExternalIPs  []ExternalIP // spec.externalIPs and the load balancer's
	Balancer     bool         // it has a load balancer whose address the input does not show
	ExternalName string
	Local        bool // externalTrafficPolicy Local: the client's address survives
	Ports        []ServicePort
	Endpoints    []Endpoint
	Origin       origin.Origin
}

// ExternalIP is an address of a Service that clients outside the cluster use.
type ExternalIP struct {
	Addr netip.Addr
	Mode IPMode
}

// IPMode says who answers on an external IP from inside the cluster.
type IPMode uint8

const (
	VIP        IPMode = iota // the nodes, which translate it to a pod: spec.externalIPs, and ipMode VIP
	Proxy                    // the load balancer, outside of the cluster: ipMode Proxy
	VIPOrProxy               // one of these: a load balancer's without ipMode
)

func (e ExternalIP) String() string {
	return e.Addr.String() + " " + [...]string{VIP: "VIP", Proxy: "Proxy", VIPOrProxy: "VIP or Proxy"}[e.Mode]
}

// ServicePort maps a port of the Service to a port of its pods.
type ServicePort struct {
	Name        string
	Protocol    netset.Protocol
	Port        netset.Port
	Target      netset.Port // 0 if TargetName says it
	TargetName  string
	NodePort    netset.Port // 0 if none, or not yet given
	AppProtocol string
}

// Endpoint is an address behind a Service.
type Endpoint struct {
	Addr  netip.Addr
	Pod   string        // "namespace/name" of the pod that has it, as its targetRef says; "" if it does not
	Ports []ServicePort // Name, Protocol and Port as the EndpointSlice has them
}

// Node is a cluster node.
type Node struct {
	Name     string
	Labels   label.Labels
	Addrs    []netip.Addr
	External []netip.Addr // those of Addrs that are ExternalIPs and no InternalIPs: perhaps translated to the node outside of the cluster
	OS       string       // status.nodeInfo.operatingSystem; "" when unknown
	Taints   []Taint
	Origin   origin.Origin
}

// Taint keeps pods that do not tolerate it off a node.
type Taint struct{ Key, Value, Effect string }

// Route is a way into the cluster: an Ingress, a Gateway API route with a parent, or an object of
// an ingress controller's own kinds.
type Route struct {
	Kind        string // Ingress, HTTPRoute; with its group if it is not supported
	Namespace   string
	Name        string
	Controllers []string // parts of the images of the controllers that serve it; nil for any controller
	Backends    []Backend
	Origin      origin.Origin
}

// Backend is where a route sends traffic.
type Backend struct {
	Namespace string
	Service   string
	Port      netset.Port // of the Service; 0 if PortName or Target says it, or if it may be any
	PortName  string
	Target    netset.Port // of the pods; 0 if the port is the Service's
	Path      string
	Doubt     RouteDoubt
	Origin    origin.Origin
}

// RouteDoubt is why it is not certain that a route sends traffic to a Service.
type RouteDoubt uint8

const (
	NoDoubt     RouteDoubt = iota
	Unsupported            // its kind or one of its fields is not known: it names the Service
	Ungranted              // the input has no ReferenceGrant for a Service of another namespace
)

// Role is what an MCP workload is. The zero value is none.
type Role uint8

const (
	NoRole    Role = iota
	IsServer       // answers MCP requests with tools
	IsGateway      // calls servers on behalf of others
	IsAgent        // an MCP client with a language model
)

func (r Role) String() string { return [...]string{"none", "server", "gateway", "agent"}[r] }

// Server is a workload that speaks MCP, in the role discovery gave it.
type Server struct {
	Workload  int // index into Snapshot.Workloads
	Role      Role
	Ports     []netset.Port // TCP ports on which it answers MCP; empty for stdio or unknown
	Transport string        // stdio, sse, streamable-http; "" if nothing tells
	Catalog   string        // id of the catalogue entry; "" if unknown
	Evidence  []Evidence
}

// Evidence is one reason to take a workload for what it is.
type Evidence struct {
	Signal string        `json:"signal"` // "image", "command", "annotation" ...
	Detail string        `json:"detail"` // in words, without values of the environment
	Strong bool          `json:"strong"`
	Origin origin.Origin `json:"origin"`
}

// PolicySelectors yields what policies select pods by.
func (s *Snapshot) PolicySelectors() iter.Seq[label.Selector] {
	return func(yield func(label.Selector) bool) {
		for _, p := range s.Policies {
			for _, st := range p.Isolations {
				if !yield(st.Subject.Pod) {
					return
				}
			}
			for _, r := range p.Rules {
				if !yield(r.Subject.Pod) {
					return
				}
				for _, peer := range r.Peers {
					if peer.Pod != nil && !yield(*peer.Pod) {
						return
					}
				}
			}
		}
	}
}

// OverText says that what is called so is over; kind is "" if it was not given. ok is false where
// nothing that is over is called so.
func (s *Snapshot) OverText(namespace, kind, name string) (text string, ok bool) {
	for _, f := range s.Finished {
		if f.Namespace != namespace {
			continue
		}
		if f.Name == name && (kind == "" || kind == f.Kind) {
			return namespace + "/" + f.Kind + "/" + name + " has finished (" + f.State + "), so it makes and takes no connections", true
		}
		if owner, of, _ := strings.Cut(f.Owner, "/"); of == name && (kind == "" || kind == owner) {
			text, ok = "the pods of "+namespace+"/"+f.Owner+" have finished, so they make and take no connections", true
		}
	}
	return text, ok
}

// ID returns "namespace/Kind/name".
func (w *Workload) ID() string { return w.Namespace + "/" + w.Kind + "/" + w.Name }
