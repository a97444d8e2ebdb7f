package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

const (
	networkPolicies = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"
	multiNetwork    = "https://github.com/k8snetworkplumbingwg/multi-net-spec"
)

// isolationRules judge whether policies apply to a server at all.
var isolationRules = []Rule{{
	ID: "TM101", Title: "Ingress is not isolated", Severity: finding.High, Since: "0.1",
	Why:        "A pod that no policy selects for ingress accepts connections from every pod of the cluster, past the gateway that authenticates callers.",
	Bad:        "no NetworkPolicy with policyTypes: [Ingress] selects the server",
	Good:       "a default-deny policy in its namespace, and one that lets the gateway in",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		if certain, _ := p.isolated(policy.Ingress); !certain && !p.hostNetwork() {
			p.Found(Report{Message: p.notIsolated(policy.Ingress),
				Fix: "add a NetworkPolicy in " + p.Workload.Namespace + " with podSelector: {} and policyTypes: [Ingress, Egress], then allow the gateway in"})
		}
	},
}, {
	ID: "TM102", Title: "Egress is not isolated", Severity: finding.High, Since: "0.1",
	Why:        "One bad URL in a tool call is enough: a server whose egress nothing limits can be made to scan the network, read credentials and send data anywhere.",
	Bad:        "no NetworkPolicy with policyTypes: [Egress] selects the server",
	Good:       "a default-deny policy in its namespace, and one that allows the destinations it needs",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		_, ingress := p.isolated(policy.Ingress)
		if certain, by := p.isolated(policy.Egress); !certain && !p.hostNetwork() && (len(ingress) == 0 || len(by) > 0) {
			p.Found(Report{Message: p.notIsolated(policy.Egress),
				Fix: "add a NetworkPolicy in " + p.Workload.Namespace + " with podSelector: {} and policyTypes: [Ingress, Egress], then allow DNS and what the server needs"})
		}
	},
}, {
	ID: "TM103", Title: "The namespace has no default deny", Severity: finding.Medium, Since: "0.1",
	Why:        "Policies add up by pod. Without one that selects every pod, the next pod of the namespace, or the same pod with another label, is open.",
	Bad:        "policies that select servers one by one, and none with podSelector: {}",
	Good:       "podSelector: {} with policyTypes: [Ingress, Egress] and no rules",
	References: []string{networkPolicies + "#default-policies"},
	Server: func(p *Pass) {
		missing, why := "", ""
		for _, d := range policy.Directions {
			open := p.defaultAllow(p.Workload.Namespace, d)
			if !p.DefaultDeny(p.Workload.Namespace, d) || open != nil {
				missing += " and " + d.String()
			}
			if open != nil {
				why = ": " + open.Origin.Object + " lets everything through"
			}
		}
		if missing != "" {
			p.Found(Report{Message: fmt.Sprintf("a new pod in namespace %s is not isolated for %s%s", p.Workload.Namespace, missing[len(" and "):], why),
				Fix: "add a NetworkPolicy in " + p.Workload.Namespace + " with podSelector: {} and policyTypes: [Ingress, Egress] and no rules, and drop what lets everything through"})
		}
	},
}, {
	ID: "TM104", Title: "Egress is open because policyTypes lacks Egress", Severity: finding.High, Since: "0.1",
	Why:        "A policy isolates only the directions in its policyTypes, and without egress rules the default is Ingress alone. It looks like protection and leaves the dangerous half open.",
	Bad:        "policyTypes: [Ingress], alone on the server",
	Good:       "policyTypes: [Ingress, Egress], with the egress the server needs",
	References: []string{networkPolicies},
	Server: func(p *Pass) {
		_, egress := p.isolated(policy.Egress)
		if _, ingress := p.isolated(policy.Ingress); len(ingress) > 0 && len(egress) == 0 && !p.hostNetwork() {
			other := "no policy limits its egress"
			if u := p.unjudged(policy.Egress); u != nil {
				other = policyAt(u.Origin) + " may limit its egress and is not judged"
			}
			p.Found(Report{Message: fmt.Sprintf("%s selects it for ingress only; %s", ingress[0].Origin.Object, other), Origin: ingress[0].Origin,
				Fix: "isolate its egress too: " + egressAt(ingress[0]) + " (" + ingress[0].Origin.Pos() + "), and egress rules for what the server needs"})
		}
	},
}, {
	ID: "TM105", Title: "A policy selects nothing", Severity: finding.Medium, Since: "0.1",
	Why:        "A selector that matches no pod, or a policy in the wrong namespace, protects nothing and looks as if it did.",
	Bad:        "podSelector with a label that no pod carries; metadata.namespace left out",
	Good:       "a podSelector that selects the pods it was written for",
	References: []string{networkPolicies},
	Input:      selectsNothing,
}, {
	ID: "TM106", Title: "The server is on the host network", Severity: finding.High, Since: "0.1",
	Why:        "Pods with hostNetwork use their node's own network: most plugins apply no NetworkPolicy to them, and they reach whatever the node reaches.",
	Bad:        "hostNetwork: true",
	Good:       "a pod network of its own",
	References: []string{networkPolicies + "#networkpolicy-and-hostnetwork-pods"},
	Server: func(p *Pass) {
		if p.hostNetwork() {
			p.Found(Report{Message: "it runs on the host network, where policies are not enforced on it", Fix: "remove hostNetwork: true from its pod template"})
		}
	},
}, {
	ID: "TM112", Title: "A network that NetworkPolicy does not see", Severity: finding.Medium, Since: "0.2",
	Why: "NetworkPolicy is enforced on a pod's interface to the cluster's own network. What goes over a second interface (Multus, SR-IOV, GKE multi-network), " +
		"no NetworkPolicy allows or denies: whoever shares that network reaches the server, and the server reaches them.",
	Bad:        "the annotation k8s.v1.cni.cncf.io/networks on an MCP server",
	Good:       "the cluster's own network alone, or a firewall on the second one",
	References: []string{multiNetwork},
	Server: func(p *Pass) {
		var more []string
		instead := ""
		for _, class := range p.Radius.Class {
			networks, own := p.Networks(class)
			more = append(more, networks...)
			if own != "" {
				instead = own
			}
		}
		const fix = "drop the network from its pods' annotations, or hold what goes over it by the means of that network: a MultiNetworkPolicy, a firewall"
		if more != nil {
			p.Found(Report{Message: "its pods have the network " + some(distinct(more)) + " beside the cluster's own, and no NetworkPolicy is enforced there", Fix: fix})
		}
		if instead != "" {
			p.Found(Report{Message: "its pods have the network " + instead + " instead of the cluster's own, and policies may not be enforced there", Fix: fix})
		}
	},
}}

// notIsolated says why the server is not certainly isolated in one direction.
func (p *Pass) notIsolated(d policy.Direction) string {
	open := 0 // classes that nothing selects
	var perhaps *policy.Isolation
	for _, class := range p.Radius.Class {
		if by, certain := p.Isolation(class, d); len(by) == 0 {
			open++
		} else if !certain {
			perhaps = by[0]
		}
	}
	switch u := p.unjudged(d); {
	case open > 0 && u != nil:
		return fmt.Sprintf("%s may select it for %s and is not judged; no other policy does", policyAt(u.Origin), d)
	case open == len(p.Radius.Class) && p.denied(d):
		return fmt.Sprintf("policies deny it some %s, and none isolates it: everything else passes", d)
	case open == len(p.Radius.Class):
		return fmt.Sprintf("no policy selects it for %s: everything passes", d)
	case open > 0:
		return fmt.Sprintf("no policy selects some of its pods for %s: everything passes", d)
	}
	return fmt.Sprintf("whether %s selects it for %s depends on labels that the input does not show", perhaps.Origin.Object, d)
}

// egressAt says what to write in a policy that isolates ingress only.
func egressAt(st *policy.Isolation) string {
	if strings.HasPrefix(st.Origin.Object, "Cilium") {
		return "add an egress section to " + st.Origin.Object
	}
	return "add Egress to policyTypes of " + st.Origin.Object
}

// denied reports whether some rule denies the server something in one direction.
func (p *Pass) denied(d policy.Direction) bool {
	return slices.ContainsFunc(p.Radius.Class, func(class int) bool {
		return slices.ContainsFunc(p.RulesOn(class, d), func(r *policy.Rule) bool { return r.Action == policy.Deny })
	})
}

// policyAt names a policy, of which perhaps nothing could be read.
func policyAt(o origin.Origin) string {
	if o.Object == "" {
		return "what stands at " + o.Pos()
	}
	return o.Object
}

// unjudged returns a rule that stands for a policy about the server which could not be judged, or
// nil.
func (p *Pass) unjudged(d policy.Direction) *policy.Rule {
	for _, class := range p.Radius.Class {
		for _, r := range p.RulesOn(class, d) {
			if r.Action == policy.Unjudged {
				return r
			}
		}
	}
	return nil
}

// defaultAllow returns a rule that lets every pod of a namespace connect to, or be called by,
// everything; nil if there is none.
func (p *Pass) defaultAllow(namespace string, d policy.Direction) *policy.Rule {
	all := p.Snapshot.Policies // sorted by namespace
	first, _ := slices.BinarySearchFunc(all, namespace, func(pol policy.Policy, ns string) int { return strings.Compare(pol.Namespace, ns) })
	for i := first; i < len(all) && all[i].Namespace == namespace; i++ {
		pol := &all[i]
		for j := range pol.Rules {
			if r := &pol.Rules[j]; r.Action == policy.Allow && r.Dir == d && r.AnyPeer && r.AnyPort && r.Subject.Pod.SelectsAll() {
				return r
			}
		}
	}
	return nil
}

func (p *Pass) hostNetwork() bool {
	for _, class := range p.Radius.Class {
		if p.HostNetwork(class) && p.Certain(class) {
			return true
		}
	}
	return false
}

func selectsNothing(o *Overall) {
	declared := map[string]bool{}
	for _, ns := range o.Snapshot.Namespaces {
		declared[ns.Name] = !ns.Origin.IsZero()
	}
	for i := range o.Snapshot.Policies {
		pol := &o.Snapshot.Policies[i]
		if pol.Dialect != policy.NetworkPolicy || len(pol.Isolations) == 0 {
			continue
		}
		sub := pol.Isolations[0].Subject
		if slices.ContainsFunc(o.Selected(sub), o.Certain) || sub.Pod.SelectsAll() && declared[pol.Namespace] { // the latter waits for the pods of a new namespace
			continue
		}
		none := fmt.Sprintf("none in namespace %s carries %s", pol.Namespace, sub.Pod)
		if sub.Pod.SelectsAll() {
			none = "there is none in namespace " + pol.Namespace
		}
		o.Found(Report{Message: fmt.Sprintf("%s selects no pod of the input: %s", pol.Origin.Object, none),
			Origin: pol.Origin, Fix: "correct its podSelector or its namespace, or delete it"})
	}
}
