// Package policy is the one form into which every policy dialect is decoded.
//
// What a dialect writes for convenience is resolved when it is read: a peer without a namespace
// selector gets its policy's own namespace, an absent protocol becomes TCP, absent policyTypes
// become the directions they default to. What a CNI decides (the meaning of a tier, whether a block
// matches pods) stays symbolic.
package policy

import (
	"net/netip"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

// Direction is the side of a connection that a rule judges. The zero value is neither.
type Direction uint8

const (
	NoDirection Direction = iota
	Ingress
	Egress
)

// Directions lists both directions.
var Directions = [...]Direction{Ingress, Egress}

// Opposite is the direction in which the other end judges the same connection.
func (d Direction) Opposite() Direction { return [...]Direction{NoDirection, Egress, Ingress}[d] }

func (d Direction) String() string {
	switch d {
	case Ingress:
		return "ingress"
	case Egress:
		return "egress"
	}
	return "no direction"
}

// Action is what a rule does with what it matches. The zero value judges nothing and so widens the
// answer.
type Action uint8

const (
	Unjudged Action = iota
	Deny
	Pass
	Allow
)

func (a Action) String() string { return [...]string{"unjudged", "deny", "pass", "allow"}[a] }

// Tier orders policies of different kinds; a lower tier is judged first. Which dialects sit in
// which tier is the dialects' own business.
type Tier uint8

const (
	// TierUnjudged holds policies of kinds that are not judged: nothing is known of their
	// precedence, so they come first.
	TierUnjudged Tier = iota
	// TierNetworkPolicy is networking.k8s.io NetworkPolicy, and what plugins judge together with
	// it: rules that deny first, then those that allow, then deny where a policy isolates.
	TierNetworkPolicy
)

// Order of the rules of [TierNetworkPolicy]: one that denies beats every one that allows, whichever
// object it is in.
const (
	OrderDeny  = 0
	OrderAllow = 1
)

// Dialect is the API group and kind a policy was written in.
type Dialect string

// The dialects that are decoded. Policies of others stand in the input unjudged, under their own
// group and kind.
const (
	NetworkPolicy                  Dialect = "networking.k8s.io NetworkPolicy"
	CiliumNetworkPolicy            Dialect = "cilium.io CiliumNetworkPolicy"
	CiliumClusterwideNetworkPolicy Dialect = "cilium.io CiliumClusterwideNetworkPolicy"
)

// Policy is one policy object.
type Policy struct {
	Origin     origin.Origin
	Dialect    Dialect // "" for what could not be read at all: any plugin may enforce it
	Namespace  string  // "" for cluster-wide kinds
	Name       string
	If         []Fact // what else must hold for it to be in force
	Rules      []Rule
	Isolations []Isolation
}

// Fact is something that must hold for a policy, a rule or a peer to count, and that the input does
// not show.
type Fact struct {
	ID      string // names the fact: "setting enable-node-selector-labels", "request"
	Cluster bool   // it is about the cluster, and so the same wherever it stands; else no two rules or peers share it
	Not     bool   // it must not be so
	Yes, No string // each completes "if ...": "the request is one that its HTTP rules allow"; {peer} stands for the rule's other end
}

// Subject selects the pods a rule or isolation is about: pods that satisfy Pod in namespaces that
// satisfy NS. The zero value selects every pod.
type Subject struct{ NS, Pod label.Selector }

// Isolation makes its subjects deny (or whatever Else says) what no rule of the tier decided, in
// one direction. It holds with no rules at all.
type Isolation struct {
	Tier    Tier
	Dir     Direction
	Subject Subject
	Else    Action
	Untyped bool   // its policy has rules of this direction and leaves it out of policyTypes
	If      []Fact // what else must hold for it to isolate
	Origin  origin.Origin
}

// Rule matches connections of its subjects with its peers.
type Rule struct {
	Tier    Tier
	Order   float64 // within the tier; lower first
	Action  Action
	Dir     Direction
	Subject Subject
	Peers   []Peer        // a union; empty matches nothing
	AnyPeer bool          // every peer, whatever Peers says
	Ports   []Port        // a union; empty matches nothing
	AnyPort bool          // every port of every protocol, whatever Ports says
	DNS     []netset.Name // it has DNS queries inspected, and lets through those for these; nil if it inspects none
	Untyped bool          // its policy leaves its direction out of policyTypes
	If      []Fact        // what else must hold for it to match
	Path    string        // where in the policy: "egress[0]"; "" for a rule that stands for a whole object
	Origin  origin.Origin
}

// Peer is one alternative of a rule's peers. One of its forms is set: pods by selectors, addresses
// by blocks, a part of the world by name, nodes by labels, addresses by the host names that resolve
// to them, what is behind Services.
type Peer struct {
	NS, Pod *label.Selector // both set or both nil
	Block   *Block
	Entity  Entity
	Node    *label.Selector // nodes other than the pod's own
	Name    netset.Name     // known from inspected DNS queries
	Service *ServicePeer
	If      []Fact // what else must hold for it to match
	Path    string // within the rule: "to[1]"
	Origin  origin.Origin
}

// Entity is a part of the world that policies can name. The zero value is none.
type Entity uint8

const (
	NoEntity   Entity = iota
	All               // everything
	Cluster           // all pods, nodes and what else runs in the cluster, also the API server
	World             // addresses outside of the cluster
	WorldIPv4         // likewise, IPv4 only
	WorldIPv6         // likewise, IPv6 only
	Host              // the pod's own node, with what runs on its network
	RemoteNode        // every other node, with what runs on its network
	APIServer         // what the API server answers on
	Nobody            // nothing of what is judged here: health checkers, pods that are starting, the plugin's own ingress proxy
)

func (e Entity) String() string {
	return [...]string{"none", "all", "cluster", "world", "world-ipv4", "world-ipv6", "host", "remote-node", "kube-apiserver", "nobody"}[e]
}

// ServicePeer names Services by namespace and name, or by their own labels. It matches the pods
// behind those that select pods, and the addresses behind the others.
type ServicePeer struct {
	Namespace string // "" for every namespace
	Name      string // "" if Labels say which
	Labels    *label.Selector
}

// Block is a CIDR without its exceptions, kept as written.
type Block struct {
	CIDR   netip.Prefix
	Except []netip.Prefix
}

// Addrs returns the addresses that b holds.
func (b Block) Addrs() netset.Addrs {
	return netset.Prefixes(b.CIDR).Minus(netset.Prefixes(b.Except...))
}

func (b Block) String() string {
	text := b.CIDR.String()
	for i, e := range b.Except {
		if i == 0 {
			text += " except "
		} else {
			text += ", "
		}
		text += e.String()
	}
	return text
}

// Port is a range of numbers, or a name that each destination pod resolves for itself.
type Port struct {
	Protocol netset.Protocol
	Lo, Hi   netset.Port
	Name     string // if set, Lo and Hi mean nothing
	Origin   origin.Origin
}

// NotJudged returns the rules that stand for a policy whose meaning is not known, in both
// directions: whatever its subject sends or receives may pass or not. tier and order place them
// among the rules that are known.
func NotJudged(tier Tier, order float64, subject Subject, at origin.Origin) []Rule {
	var rules []Rule
	for _, dir := range Directions {
		rules = append(rules, Rule{Tier: tier, Order: order, Dir: dir, Subject: subject, AnyPeer: true, AnyPort: true, Origin: at})
	}
	return rules
}
