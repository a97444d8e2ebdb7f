// Package cni holds what is known of how each network plugin enforces policies, as data. Nothing
// outside it asks for a plugin by name.
package cni

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/spell"
)

// Answer is what a profile says to a question that implementations answer differently. The zero
// value is uncertain and widens every answer that depends on it.
type Answer uint8

const (
	Uncertain Answer = iota
	No
	Yes
)

func (a Answer) String() string { return [...]string{"uncertain", "no", "yes"}[a] }

// Fact is an answer and where it was read.
type Fact struct {
	Answer Answer
	Source string
}

// Question is a point on which implementations differ. [Question.String] says what it asks.
type Question uint8

const (
	Enforces Question = iota
	BlocksMatchPods
	BlocksMatchNodes
	SelectorsMatchHost
	SelectorsMatchServices
	HostNetworkJudged
	JudgedBeforeService
	OwnNodeMayEnter
	OwnNodeReachable
	LongestPrefixDecides
	IPv4EscapesIPv6
	NodePortsEscape
	StartsOpen
	UntypedRulesApply
	UnselectedDenied
	LabelsLeftOut
	PortNamesShared
	PortNamesOfAll
	IPv6Escapes
	NodesUsePodRange
	NodeSelectors
	EnforcesOnWindows
	EnforcesOnHybrid
	EnforcesWithoutAgent
	OwnServiceOpen
	NegativeSelectorsMatchAll
	NodePortsTranslatedFirst
	ExternalTranslatedFirst
	PodsShareTables
	StarsMatchDepth
	TakesOldForms
	TakesNewForms
	OnePodPerAddress
	TablesMerge

	Questions // how many there are
)

// questions says of each question what machine output calls it and what it asks. Node ports stand
// for load balancers too, whose traffic enters through them.
var questions = [Questions]struct{ name, asks, not string }{
	Enforces: {"enforces", "policies are enforced",
		"policies are not enforced"},
	BlocksMatchPods: {"blocksMatchPods", "a CIDR matches pods by their addresses",
		"a CIDR does not match pods"},
	BlocksMatchNodes: {"blocksMatchNodes", "a CIDR matches nodes and what runs on their network",
		"a CIDR does not match nodes or what runs on their network"},
	SelectorsMatchHost: {"selectorsMatchHost", "a pod selector as a peer matches hostNetwork pods",
		"a pod selector as a peer does not match hostNetwork pods"},
	SelectorsMatchServices: {"selectorsMatchServices", "a pod selector as an egress peer also matches the addresses of Services whose selector satisfies it",
		"a pod selector as an egress peer does not match the addresses of Services"},
	HostNetworkJudged: {"hostNetworkJudged", "policies are enforced on hostNetwork pods",
		"policies are not enforced on hostNetwork pods"},
	JudgedBeforeService: {"judgedBeforeService", "egress is judged on a Service's address, before it is translated",
		"egress is judged after a Service's address is translated"},
	OwnNodeMayEnter: {"ownNodeMayEnter", "a pod's own node may always connect to it",
		"policies apply to a pod's own node too"},
	OwnNodeReachable: {"ownNodeReachable", "a pod may always connect to its own node",
		"policies apply to a pod's own node too"},
	LongestPrefixDecides: {"longestPrefixDecides", "the longest block decides, and an exception is a block that denies",
		"every CIDR that holds an address counts"},
	IPv4EscapesIPv6: {"ipv4EscapesIPv6", "IPv4 traffic of pods in an IPv6 cluster is not judged",
		"IPv4 traffic of pods in an IPv6 cluster is judged"},
	NodePortsEscape: {"nodePortsEscape", "what enters through node ports is not judged, unless externalTrafficPolicy is Local",
		"what enters through node ports is judged"},
	StartsOpen: {"startsOpen", "a new pod's connections may pass before its policies are in force",
		"a new pod's connections wait for its policies"},
	UntypedRulesApply: {"untypedRulesApply", "rules of a direction that policyTypes does not name apply, and isolate",
		"rules of a direction that policyTypes does not name are ignored"},
	UnselectedDenied: {"unselectedDenied", "a pod that no policy selects is denied everything",
		"a pod that no policy selects is open"},
	LabelsLeftOut: {"labelsLeftOut", "labels that the platform sets on pods are left out of what selectors are matched against",
		"all labels of pods count for selectors"},
	PortNamesShared: {"portNamesShared", "a port name in an egress rule stands for one number in the whole cluster, for every peer",
		"each pod resolves a port name for itself"},
	PortNamesOfAll: {"portNamesOfAll", "a port name in an egress rule that pods give to several numbers stands for each of them",
		"a port name in an egress rule that pods give to several numbers stands for none"},
	IPv6Escapes: {"ipv6Escapes", "IPv6 traffic is not judged, where pods have IPv6 addresses",
		"IPv6 traffic is judged"},
	NodesUsePodRange: {"nodesUsePodRange", "what a node sends to pods of other nodes may come from an address in the pods' range",
		"nodes connect from their own addresses"},
	NodeSelectors: {"nodeSelectors", "peers that select nodes by labels are enabled",
		"peers that select nodes by labels are not enabled"},
	EnforcesOnWindows: {"enforcesOnWindows", "policies are enforced on Windows nodes",
		"policies are not enforced on Windows nodes"},
	EnforcesOnHybrid: {"enforcesOnHybrid", "policies are enforced on EKS hybrid nodes",
		"policies are not enforced on EKS hybrid nodes"},
	EnforcesWithoutAgent: {"enforcesWithoutAgent", "policies are enforced on nodes that run no DaemonSets (Fargate, virtual kubelet)",
		"policies are not enforced on nodes that run no DaemonSets (Fargate, virtual kubelet)"},
	OwnServiceOpen: {"ownServiceOpen", "a pod may always connect to itself through its Service",
		"policies apply to a pod that connects to itself through its Service"},
	NegativeSelectorsMatchAll: {"negativeSelectorsMatchAll", "a namespaceSelector of NotIn and DoesNotExist alone also matches what is no pod: the internet, nodes",
		"a namespaceSelector matches pods alone"},
	NodePortsTranslatedFirst: {"nodePortsTranslatedFirst", "what a pod sends to a port of another node is translated on the pod's own node, before egress is judged",
		"what a pod sends to a port of another node is translated there, after egress is judged"},
	ExternalTranslatedFirst: {"externalTranslatedFirst", "what a pod sends to a Service's external IP or load balancer is translated on the pod's own node, before egress is judged",
		"what a pod sends to a Service's external IP or load balancer is judged on that address"},
	PodsShareTables: {"podsShareTables", "pods of one node whose names agree up to the last '-' share one table of rules",
		"each pod has rules of its own"},
	StarsMatchDepth: {"starsMatchDepth", `"**." at the start of a pattern of host names stands for one or more labels`,
		`"**." at the start of a pattern of host names stands for one label, as "*." does`},
	TakesOldForms: {"takesOldForms", "Cilium takes rules for kafka and l7proto, an except wider than its cidr, and keys that no label can have, as before 1.20",
		"Cilium refuses policies with rules for kafka or l7proto, an except wider than its cidr, or keys that no label can have, as since 1.20"},
	TakesNewForms: {"takesNewForms", "Cilium takes the entity cluster-mesh, GRE and other protocols without ports, and stars anywhere in serverNames, as since 1.20",
		"Cilium refuses policies with the entity cluster-mesh, GRE and other protocols without ports, or stars anywhere in serverNames, as before 1.20"},
	OnePodPerAddress: {"onePodPerAddress", "of several pods with one address, selectors as peers see one alone",
		"a pod selector as a peer stands for the addresses of its pods, whoever has them"},
	TablesMerge: {"tablesMerge", "so do pods of two namespaces, where name and namespace joined by '-' are the same",
		"pods of two namespaces share no table of rules"},
}

// String says what the question asks, as a sentence that may be true.
func (q Question) String() string { return questions[q].asks }

// Not says the opposite of String, as a sentence that may be true.
func (q Question) Not() string { return questions[q].not }

// FactID names what is so of q in one cluster.
func (q Question) FactID() string { return "CNI fact " + q.Name() }

// Name is what machine output calls the question.
func (q Question) Name() string { return questions[q].name }

// Profile is how one plugin, in one mode, reads policies.
type Profile struct {
	Name    string // "cilium"; after colons a version and a mode that is not the default: "cilium:1.20:cidr-match=pods"
	Title   string
	Family  string // what users call it together with its relatives: "Cilium", "AWS VPC CNI"; "" if it has none
	Version string // what the facts were read from
	Cloud   string // the cloud it runs in, as [special.Endpoint] names clouds; "" for any
	Facts   [Questions]Fact

	// Known are the versions that can be asked about, none if the facts are not told apart by version.
	Known  Versions
	before []Past   // what was otherwise earlier, the latest change first
	every  *Profile // with the facts of the latest version

	carries []carried // the agent that enforces policies, where it has version numbers of its own

	// Kinds says which kinds of policy are enforced, by dialect. A kind that some profile lists is
	// ignored under those that do not; a kind that none lists may be enforced under any.
	Kinds map[string]Fact

	// Agent is the DaemonSet without whose pod a node enforces nothing; the zero value where none has
	// to be there.
	Agent Agent

	// Resolvers are where the cluster's DNS answers, beside resolver pods that the input shows.
	Resolvers []Resolver

	// PortsPerBlock is how many ports and ranges of ports one block can hold, all policies
	// together; 0 for any number. LimitSource is where that was read.
	PortsPerBlock int
	LimitSource   string

	Other []string // what else to know, in sentences with their sources

	places [Objects]Place // where it is not as it is anywhere
}

// Resolver is a form in which DNS may answer pods.
type Resolver struct {
	Name   string
	Pod    bool         // it is a pod on the pod network; else it is on the node
	Port   netset.Port  // on which it is judged
	Addrs  []netip.Addr // its fixed addresses, if it has such
	Always bool         // every cluster of this profile has it in this form
	Source string
}

// Says returns p's answer to q.
func (p Profile) Says(q Question) Answer { return p.Facts[q].Answer }

// Mode is the mode of p that has to be asked for, or "".
func (p Profile) Mode() string {
	_, mode, _ := strings.Cut(p.Name, ":")
	return mode
}

// Modes returns the modes of the plugin that p is of, beside the default one.
func (p Profile) Modes() []string {
	plugin, _, _ := strings.Cut(p.Name, ":")
	var out []string
	for _, other := range Profiles {
		if name, mode, _ := strings.Cut(other.Name, ":"); name == plugin && mode != "" {
			out = append(out, mode)
		}
	}
	return out
}

// Judges says whether p enforces policies of a dialect.
func (p Profile) Judges(dialect string) Answer {
	if f, ok := p.Kinds[dialect]; ok {
		return f.Answer
	}
	if slices.ContainsFunc(Profiles, func(other Profile) bool { _, ok := other.Kinds[dialect]; return ok }) {
		return No
	}
	return Uncertain
}

// Most is how many profiles can be asked about together.
const Most = 64

// Any stands for every profile that enforces policies, each in its default mode.
const Any = "any"

// Named returns the profiles that text names, separated by commas, in the order of their names.
// [Any] names all that enforce policies in their default mode, without [Spec]. Capitals and spaces
// around names do not matter, and [Aliases] may stand for plugins. Its error is an [UnknownError].
func Named(text string) ([]Profile, error) {
	var out []Profile
	for name := range strings.SplitSeq(text, ",") {
		plain := strings.ToLower(strings.TrimSpace(name))
		if plain == Any {
			for _, p := range Profiles {
				if p.Name != Spec && p.Mode() == "" && p.Says(Enforces) != No {
					out = append(out, p)
				}
			}
			continue
		}
		plugin, rest, _ := strings.Cut(plain+":", ":")
		if plugin == "weave" {
			return nil, &UnknownError{Name: name, Hint: "--cni " + Spec + " reads policies as the API's text has them",
				Why: "what weave does is not known here, and it is not maintained any more"}
		}
		for _, meant := range meantBy(plugin) {
			p, err := ByName(strings.TrimSuffix(meant+":"+rest, ":"))
			if unknown := new(UnknownError); errors.As(err, &unknown) {
				unknown.Name = name // as it was given
				return nil, unknown
			}
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Profile) int { return strings.Compare(a.Name, b.Name) })
	out = slices.CompactFunc(out, func(a, b Profile) bool { return a.Name == b.Name })
	if len(out) > Most {
		return nil, &UnknownError{Why: fmt.Sprintf("%d profiles are named, and at most %d can be", len(out), Most)}
	}
	return out, nil
}

// ByName returns the profile called name: a plugin, and after colons a version and a mode, in either
// order. Its error is an [UnknownError].
func ByName(name string) (Profile, error) {
	unknown := &UnknownError{Name: name}
	called := func(name string) int {
		return slices.IndexFunc(Profiles, func(p Profile) bool { return p.Name == name })
	}
	parts := strings.Split(name, ":")
	plugin, version := parts[0], ""
	of := called(plugin)
	if of < 0 {
		return Profile{}, unknown
	}
	i := of
	for _, part := range parts[1:] {
		number := strings.TrimPrefix(part, "v") // as tags of images have it
		_, _, isVersion := releases(number)
		mode := called(parts[0] + ":" + part)
		switch {
		case isVersion && version == "":
			version = number
		case mode >= 0 && i == of:
			i, plugin = mode, Profiles[mode].Name
		case isVersion || mode >= 0:
			unknown.Why = "two versions or two modes of " + parts[0] + " are named at once"
			return Profile{}, unknown
		default:
			if len(part) <= longestSlip {
				unknown.Why = fmt.Sprintf("%q is neither a version nor a mode of %s (%s)", part, parts[0], Profiles[of].has())
			}
			return Profile{}, unknown
		}
	}
	p := Profiles[i]
	if version == "" {
		return p, nil
	}
	if p.every == nil {
		unknown.Why = "what is known of " + plugin + " does not depend on the version"
		return Profile{}, unknown
	}
	meant := Versions{version, version}
	if !p.Known.holds(version) {
		at := slices.IndexFunc(p.carries, func(c carried) bool { return c.agent.holds(version) })
		if at < 0 {
			unknown.Why = plugin + " is known in " + p.Known.String() + ", not in " + version
			return Profile{}, unknown
		}
		meant = p.carries[at].by
	}
	known := p.Known
	p = p.every.during(meant)
	p.Known = known
	p.Name, p.Version = strings.TrimSuffix(strings.Replace(plugin+":", ":", ":"+version+":", 1), ":"), p.Version+", for "+version
	return p, nil
}

// has says which modes and versions there are of the plugin that p is of.
func (p Profile) has() string {
	modes, versions := "no modes", "the same in every version"
	if all := p.Modes(); len(all) > 0 {
		modes = "modes: " + strings.Join(all, ", ")
	}
	if p.every != nil {
		versions = p.Known.String()
	}
	return modes + "; " + versions
}

// UnknownError says that no profile has a name: why, and what to do, where more is known than that.
type UnknownError struct{ Name, Why, Hint string }

func (e *UnknownError) Error() string {
	if e.Why != "" {
		return e.Why
	}
	return fmt.Sprintf("no profile is called %q", e.Name)
}

// Nearest returns the name that e's may be a slip of, or "": the plugin whose mode it seems to be,
// else a name that differs in little, else one that contains it.
func (e *UnknownError) Nearest() string {
	slip := strings.ToLower(strings.TrimSpace(e.Name))
	if len(slip) > longestSlip || slip == "" {
		return ""
	}
	family, _, _ := strings.Cut(slip, ":")
	var names []string
	for _, p := range Profiles {
		if p.Name == slip || p.Name == family {
			return p.Name
		}
		names = append(names, p.Name)
	}
	if near, ok := spell.Nearest(slip, names, func(string) int { return len(slip) / 3 }); ok {
		return near
	}
	for _, name := range names {
		if len(slip) >= 3 && strings.Contains(name, slip) {
			return name
		}
	}
	return ""
}

// longestSlip is how many bytes a misspelt name may have.
const longestSlip = 64
