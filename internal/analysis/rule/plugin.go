package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

const (
	awsPolicies = "https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html"
	awsAgent    = "https://github.com/aws/aws-network-policy-agent"
	awsStarts   = "https://github.com/aws/amazon-network-policy-controller-k8s"
	kubeletAuth = "https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/"
	gkePolicies = "https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy"
	nodeLocal   = "https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/"
	services    = "https://kubernetes.io/docs/concepts/services-networking/service/"
)

// pluginRules judge what a plugin does whatever the policies say, or does otherwise than they say.
var pluginRules = []Rule{{
	ID: "TM407", Title: "The longest block decides", Severity: finding.Medium, Since: "0.2",
	Why: "Policies add up everywhere but in the Amazon VPC CNI: there an exception becomes an entry that denies, also what another rule allows, and a longer block takes over for a shorter one. " +
		"A block holds 24 ports and ranges at most, all policies together; which ones survive is chance.",
	Bad:        "0.0.0.0/0 except 198.51.100.0/24 on TCP 443 beside 0.0.0.0/0 on TCP 80; 25 ports for one block",
	Good:       "a rule for exactly 198.51.100.0/24 with the ports it should have; ranges of ports",
	References: []string{awsPolicies, awsAgent},
	Server:     longestDecides,
}, {
	ID: "TM408", Title: "No policy closes the pod's own node", Severity: finding.Low, Since: "0.2",
	Why:        "Some plugins let every pod connect to the node it runs on whatever policies say: to the kubelet, and to every service on the node's network, agents that hand out credentials included.",
	Bad:        "a default deny on the Amazon VPC CNI or Azure NPM, taken for a closed door to the node",
	Good:       "a kubelet that asks for authentication, no services with hostNetwork that trust whoever connects, security groups for pods",
	References: []string{awsAgent, kubeletAuth},
	Server:     ownNode,
}, {
	ID: "TM409", Title: "Judged before the Service is translated", Severity: finding.Medium, Since: "0.2",
	Why: "The Amazon VPC CNI judges egress on the address a client connects to, not on the pod that answers. " +
		"An exception for the pods' range then leaves their Services open, and a block for the pods' range does not open them.",
	Bad:        "0.0.0.0/0 except the pods' range, without the Services' range",
	Good:       "both ranges under except; podSelector and namespaceSelector for pods that are meant",
	References: []string{awsPolicies, awsStarts},
	Server:     misread("TM409"),
}, {
	ID: "TM410", Title: "DNS answers where no rule allows it", Severity: finding.Medium, Since: "0.2",
	Why: "The usual rule for DNS selects resolver pods by label. It does not match a cache or a service on the node, or a cloud's resolver, nor port 53 of pods that listen on 5353. " +
		"Names then do not resolve, and the usual repair opens too much.",
	Bad:        "port 53 to k8s-app: kube-dns alone, where the cluster uses NodeLocal DNSCache, Cloud DNS for GKE, AKS LocalDNS or EKS Auto Mode",
	Good:       "port 53 to the resolver that stands in a pod's resolv.conf as well",
	References: []string{nodeLocal, networkPolicies},
	Server:     missedResolver,
}, {
	ID: "TM416", Title: "The wrong metadata address for this plugin", Severity: finding.Medium, Since: "0.2",
	Why: "Workload identity answers on one pair of address and ports on GKE's Dataplane V2 and on another without it, and Amazon's agent on a third. " +
		"With the wrong one every call for a token times out.",
	Bad:        "169.254.169.252/32 on TCP 987 and 988 on Dataplane V2",
	Good:       "169.254.169.254/32 on TCP 80 and 8080 on Dataplane V2; 169.254.169.252/32 on TCP 987 and 988 without it",
	References: []string{gkePolicies, "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html"},
	Server:     wrongIdentity,
}, {
	ID: "TM417", Title: "A Service's port in the place of the pod's", Severity: finding.Medium, Since: "0.2",
	Why:        "Policies name the ports that pods listen on. A rule with the port of the Service before them matches nothing once the connection is translated, so what it was written for does not work.",
	Bad:        "port: 80, for pods that listen on 8080 behind a Service on 80",
	Good:       "port: 8080",
	References: []string{services, networkPolicies},
	Server:     misread("TM417"),
}, {
	ID: "TM419", Title: "No policy is enforced", Severity: finding.Critical, Since: "0.2",
	Why:        "Without a plugin that implements them, the API server accepts policies and nothing reads them. Everything passes, and the objects look like protection.",
	Bad:        "NetworkPolicy in a cluster with flannel alone",
	Good:       "a plugin that enforces policies",
	References: []string{networkPolicies + "#prerequisites"},
	Server:     notEnforced,
}, {
	ID: "TM420", Title: "New pods start open", Severity: finding.Medium, Since: "0.2",
	Why:        "Some plugins let a new pod's connections pass until its policies have reached its node. A server that runs code at start, or is restarted on purpose, has that moment each time.",
	Bad:        "the Amazon VPC CNI in its standard mode",
	Good:       "its strict mode, or a pod that waits until its policies are in force",
	References: []string{awsStarts, awsPolicies},
	Server:     startsOpen,
}}

// selecting returns the policy that isolates the server, for findings about what becomes of it; ok
// is false if none does, or if the server is on the host network, of which TM106 speaks.
func (p *Pass) selecting(ds ...policy.Direction) (by *policy.Isolation, ok bool) {
	if p.hostNetwork() {
		return nil, false
	}
	for _, d := range ds {
		if _, isolations := p.isolated(d); len(isolations) > 0 {
			return isolations[0], true
		}
	}
	return nil, false
}

// ownNode reports a server whose egress is isolated and whose own node is open all the same. Where
// the answer is uncertain it says so, for silence would read as a closed door.
func ownNode(p *Pass) {
	if certain, by := p.isolated(policy.Egress); !certain || len(by) == 0 || p.hostNetwork() {
		return
	}
	by, _ := p.selecting(policy.Egress)
	open := "the kubelet on TCP 10250 and whatever else listens on the node's network"
	if names := p.onHostNetwork(); names != nil {
		open += ", such as " + some(names)
	}
	fix := "keep the kubelet's authentication on, and run no service with hostNetwork there that trusts whoever connects"
	if p.among("AWS", true, cni.OwnNodeReachable) {
		fix += "; security groups for pods in strict mode, where the cluster has them, judge these connections too"
	}
	yes, maybe := p.Answering(cni.OwnNodeReachable)
	for _, part := range []struct {
		worlds reach.Worlds
		text   string
	}{{yes, "no policy closes its own node to it: "}, {maybe, "it is not confirmed that policies close its own node to it: "}} {
		if part.worlds != 0 {
			p.Found(Report{Origin: by.Origin, Worlds: part.worlds, Message: part.text + open, Fix: fix,
				Witness: &finding.Witness{To: "its own node", Port: 10250, Protocol: netset.TCP.String()}})
		}
	}
}

// onHostNetwork names the workloads of the input that may be on the pod's own node, on the node's
// network.
func (p *Pass) onHostNetwork() []string {
	var ids netset.IDs
	for i := range p.Radius.Class {
		for _, b := range p.Radius.Boxes[i][policy.Egress] {
			if reach.OnOwnNode(b.When) {
				ids = ids.Union(b.Region.IDs.Intersect(p.Pods()))
			}
		}
	}
	return p.endNames(ids)
}

// among reports whether one of all the profiles says yes to q, of those of a cloud if inside, else
// of the others.
func (p *Pass) among(cloud string, inside bool, q cni.Question) bool {
	return slices.ContainsFunc(p.AllProfiles(), func(profile cni.Profile) bool {
		return (profile.Cloud == cloud) == inside && profile.Says(q) == cni.Yes && profile.Says(cni.Enforces) == cni.Yes
	})
}

// notEnforced reports a server whose policies deny something that passes, for nothing enforces
// them in the cluster, or on the nodes that it runs on. A server without policies is no worse off
// than elsewhere. It is no row of misreadings: all policies together have no effect, not one rule.
func notEnforced(p *Pass) {
	yes, maybe := p.Answering(cni.Enforces)
	nowhere := p.Worlds() &^ (yes | maybe)
	p.noEffect(nowhere, "nothing in the cluster enforces policies",
		"run a plugin that enforces policies, or add an engine beside the one there is: flannel's chart brings kube-network-policies with netpol.enabled")
	var certain, possible reach.Worlds
	var where string
	for _, class := range p.Radius.Class {
		must, may, on := p.Unheld(class)
		if may != 0 {
			certain, possible, where = certain|must, possible|may, on
		}
	}
	const fix = "run it on nodes on which the cluster's CNI enforces policies, or hold it there by the platform's own means (security groups)"
	p.noEffect(certain&^nowhere, "it runs on "+where+", where nothing enforces policies", fix)
	p.noEffect(possible&^(certain|nowhere), "it may run on "+where+", where perhaps nothing enforces policies", fix)
}

// noEffect reports that under some CNIs the policies about a server have no effect, and why.
func (p *Pass) noEffect(worlds reach.Worlds, why, fix string) {
	by, ok := p.selecting(policy.Egress, policy.Ingress)
	if worlds == 0 || !ok {
		return
	}
	w := &finding.Witness{From: "any pod", To: p.Name()}
	for _, d := range blast.Dests {
		passing := only(p.Radius.To[d].To, func(t blast.Target) bool { return t.Verdict == reach.NotEnforced })
		if len(passing) == 0 {
			continue
		}
		usual := func(t blast.Target) bool {
			return slices.ContainsFunc(endpointsOf(t), func(e special.Endpoint) bool { return e.Default })
		}
		w = p.witness(passing[max(0, slices.IndexFunc(passing, usual))])
		break
	}
	var names []string
	for _, d := range policy.Directions {
		_, isolations := p.isolated(d)
		for _, s := range isolations {
			names = append(names, s.Origin.Object)
		}
	}
	names = distinct(names)
	verb := "selects it and has"
	if len(names) > 1 {
		verb = "select it and have"
	}
	p.Found(Report{Origin: by.Origin, Worlds: worlds, Witness: w,
		Message: fmt.Sprintf("%s %s no effect: %s", some(names), verb, why), Fix: fix})
}

// startsOpen reports a server that policies isolate, and that is open until these are in force. Of
// plugins for which that is not confirmed it says nothing: a window of which nobody has seen how
// long it is asks for nothing that can be done.
func startsOpen(p *Pass) {
	open, _ := p.Answering(cni.StartsOpen)
	enforcing, _ := p.Answering(cni.Enforces)
	by, ok := p.selecting(policy.Egress, policy.Ingress)
	if open&enforcing == 0 || !ok {
		return
	}
	var out []string
	var w *finding.Witness
	if _, by := p.isolated(policy.Egress); len(by) > 0 {
		out = append(out, "may connect to anything")
		if !p.Radius.To[blast.Metadata].Addrs.Overlaps(special.MetadataIPv4) {
			w = &finding.Witness{To: "169.254.169.254", Port: 80, Protocol: netset.TCP.String(), World: "the pod has just started"}
		}
	}
	if _, by := p.isolated(policy.Ingress); len(by) > 0 {
		out = append(out, "may be called by anybody")
		if w == nil {
			w = &finding.Witness{From: "any pod", To: p.Name(), World: "the pod has just started"}
		}
	}
	var fixes []string
	if p.among("AWS", true, cni.StartsOpen) {
		fixes = append(fixes, "on AWS, set NETWORK_POLICY_ENFORCING_MODE=strict, or in Auto Mode networkPolicy: DefaultDeny in the NodeClass")
	}
	if p.among("AWS", false, cni.StartsOpen) {
		fixes = append(fixes, "let an init container wait until a connection that its policies deny fails")
	}
	fix := strings.Join(fixes, "; elsewhere, ")
	p.Found(Report{Origin: by.Origin, Worlds: open & enforcing, Witness: w, Fix: fix,
		Message: "a new pod of it " + strings.Join(out, ", and ") + ", until its policies are in force"})
}

// wrongIdentity reports a rule that names where another cloud, or another dataplane of the same
// cloud, hands out the identities of pods.
func wrongIdentity(p *Pass) {
	for _, r := range p.rulesOn(policy.Egress) {
		for _, named := range special.Identities {
			if r.Action == policy.Allow && !r.AnyPort && means(r, named) {
				p.identityElsewhere(r, named)
			}
		}
	}
}

// means reports whether a rule can only mean an identity's endpoint: one of its addresses by
// itself, with its ports. The address that it shares with the metadata of every cloud counts only
// with all of them.
func means(r *policy.Rule, id special.Identity) bool {
	shared := slices.ContainsFunc(special.Endpoints, func(e special.Endpoint) bool {
		return e.Default && slices.Contains(e.Addrs, id.Addrs[0]) && e.Conns.Overlaps(id.Conns)
	})
	if conns := written(r); shared && !conns.Covers(id.Conns) || !conns.Overlaps(id.Conns) {
		return false
	}
	return slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool {
		return peer.Block != nil && peer.Block.CIDR.IsSingleIP() && slices.Contains(id.Addrs, peer.Block.CIDR.Addr().Unmap())
	})
}

// identityElsewhere reports a rule for an endpoint under the profiles that have another, or none.
// That one of several clouds does not have it is no news while another may be meant.
func (p *Pass) identityElsewhere(r *policy.Rule, named special.Identity) {
	meant := slices.ContainsFunc(p.AllProfiles(), func(profile cni.Profile) bool { return p.cloudOf(profile) == named.Cloud })
	where := netip.AddrPortFrom(named.Addrs[0], uint16(named.Conns.Of(netset.TCP).First())).String()
	without := map[string]reach.Worlds{} // by cloud
	for i, profile := range p.AllProfiles() {
		cloud := p.cloudOf(profile)
		if !p.Worlds().Has(i) || cloud == "" || named.Under(profile.Name, cloud) || meant && cloud != named.Cloud {
			continue
		}
		own := slices.IndexFunc(special.Identities, func(id special.Identity) bool { return id.Under(profile.Name, cloud) })
		if own < 0 && cloud == named.Cloud { // a plugin that the cloud does not bring: nothing tells which of its forms it has
			continue
		}
		if own < 0 {
			without[cloud] |= 1 << i
			continue
		}
		if id := special.Identities[own]; !p.Radius.To[blast.Metadata].AddrsOnAll(id.Conns).Contains(id.Addrs[0]) {
			at := special.Identities[own].Addrs[0].String()
			p.Found(Report{Origin: r.Origin, Worlds: 1 << i,
				Message: fmt.Sprintf("%s allows %s, the %s; here it is the %s, at %s on %s, which no rule allows on all of these ports", ruleText(r), where, named.Name, id.Name, at, id.Conns),
				Fix:     fmt.Sprintf("allow %s/32 on %s instead", at, id.Conns),
				Witness: &finding.Witness{To: at, Port: int(id.Conns.Of(netset.TCP).First()), Protocol: netset.TCP.String()}})
		}
	}
	for cloud, worlds := range without {
		p.Found(Report{Origin: r.Origin, Worlds: worlds,
			Message: fmt.Sprintf("%s allows %s, the %s of %s; %s has no such endpoint", ruleText(r), where, named.Name, named.Cloud, cloud),
			Fix:     "drop the rule, and allow what the pods of this cloud get their tokens from, if they need any",
			Witness: &finding.Witness{To: named.Addrs[0].String(), Port: int(named.Conns.Of(netset.TCP).First()), Protocol: netset.TCP.String()}})
	}
}
