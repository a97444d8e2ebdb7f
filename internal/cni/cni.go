// Package cni holds what is known of how each network plugin enforces policies, as data. Nothing outside it asks for a plugin by name.
package cni

import "fmt"

// Answer is what a profile says to a question that implementations answer differently. The zero value is uncertain and
// widens every answer that depends on it.
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

// Profile is how one plugin, in one mode, reads policies.
type Profile struct {
	Name    string
	Title   string
	Version string // what the facts were read from

	BlocksMatchPods       Fact // an ipBlock matches pods by their addresses
	SelectorsMatchHost    Fact // a podSelector peer matches hostNetwork pods
	HostNetworkJudged     Fact // policies that select hostNetwork pods are enforced on them
	JudgedBeforeService   Fact // egress is judged on a Service's address, before it is translated
	OwnNodeMayAlwaysEnter Fact // a pod's own node may open connections to it whatever policies say
}

// Profiles lists every profile.
var Profiles = []Profile{{
	Name:    "spec",
	Title:   "the Kubernetes API text",
	Version: "networking.k8s.io/v1, Kubernetes 1.36",

	BlocksMatchPods:       Fact{Yes, "kubernetes test/e2e/network/netpol: egress to a server in a CIDR block uses a pod address"},
	SelectorsMatchHost:    Fact{Uncertain, "kubernetes.io network-policies: behaviour for hostNetwork pods is undefined"},
	HostNetworkJudged:     Fact{No, "kubernetes.io network-policies: most plugins ignore hostNetwork pods"},
	JudgedBeforeService:   Fact{Uncertain, "kubernetes.io network-policies: undefined whether translation happens before or after policy"},
	OwnNodeMayAlwaysEnter: Fact{Yes, "k8s.io/api networking/v1: traffic from the pod's local node is allowed"},
}}

// ByName returns the profile called name.
func ByName(name string) (Profile, error) {
	for _, p := range Profiles {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("no profile is called %q", name)
}
