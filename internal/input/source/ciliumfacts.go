package source

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// fact is about one rule or peer. Its id tells it from the others of that rule or peer.
func fact(id, yes, no string) policy.Fact { return policy.Fact{ID: id, Yes: yes, No: no} }

// clusterFact is about the cluster, the same wherever it stands: its id names all that it is about.
func clusterFact(id, yes, no string) policy.Fact {
	return policy.Fact{ID: id, Cluster: true, Yes: yes, No: no}
}

// setting is how Cilium is configured.
func setting(name, yes, no string) policy.Fact { return clusterFact("setting "+name, yes, no) }

// not is the opposite of f.
func not(f policy.Fact) policy.Fact {
	f.Not = !f.Not
	return f
}

var (
	nodeSelectors = setting("enable-node-selector-labels",
		"node selectors are enabled (enable-node-selector-labels)",
		"node selectors are not enabled (enable-node-selector-labels)")
	// otherProtocols lets a port do without a number.
	otherProtocols = setting("enable-extended-ip-protocols",
		"other protocols are enabled (enable-extended-ip-protocols)",
		"other protocols are not enabled (enable-extended-ip-protocols)")
	// otherClusters completes what selects beyond namespaces: with the default, selectors match
	// only what has the cluster's name for a label (cilium v1.19.1, pkg/k8s/apis/cilium.io/utils,
	// addClusterFilterByDefault).
	otherClusters = setting("policy-default-local-cluster=false",
		"Cilium does not keep selectors to its own cluster (policy-default-local-cluster: false)",
		"Cilium keeps selectors to its own cluster (policy-default-local-cluster: true)")
	looksUpGroups = clusterFact("operator looks groups up at AWS",
		"the Cilium operator can look groups up at AWS", "the Cilium operator cannot look groups up at AWS")
	otherClustersPod = fact("pod of another cluster",
		"{peer} is a pod of another cluster of the mesh", "{peer} is no pod of another cluster of the mesh")
	bothFamilies = clusterFact("cluster has both IP families",
		"the cluster has both IP families", "the cluster has one IP family only")
)

// onPlugin is the fact that plugins answer differently.
func onPlugin(q cni.Question) policy.Fact { return clusterFact(q.FactID(), q.String(), q.Not()) }

// clusterNamed is the fact that the cluster has one of some names, which are sorted.
func clusterNamed(names []string) policy.Fact {
	return clusterFact("cluster name in "+strings.Join(names, ","),
		"the cluster is called "+listed(names), "the cluster is not called "+listed(names))
}

// forNetwork is the fact that a NetworkPolicy which is annotated for a network of GKE's is in force
// on the cluster's own.
func forNetwork(name string) policy.Fact {
	name = doc.Quote(name)
	return clusterFact("policies for the network "+name, "a NetworkPolicy for the network "+name+" also holds on the cluster's own",
		"a NetworkPolicy for the network "+name+" holds on that network alone")
}

// anyService is the fact that the cluster has one of some Services with something behind it.
func anyService(services []policy.ServicePeer) policy.Fact {
	var which []string
	for _, s := range services {
		text := "named " + s.Name
		if s.Labels != nil {
			text = "with labels " + s.Labels.String()
		}
		if s.Namespace != "" {
			text += " in namespace " + s.Namespace
		}
		which = append(which, text)
	}
	slices.Sort(which)
	all := "Service " + strings.Join(slices.Compact(which), " or ")
	text := doc.Clean(all, 120) + " has a selector or endpoints"
	return clusterFact(all, "a "+text, "no "+text)
}

// labelsFrom is the fact that who has the labels of a source that a selector asks for.
func labelsFrom(source, who string) policy.Fact {
	text := who + " the labels of source " + doc.Quote(source) + " that the selector asks for"
	return fact("labels of source "+source, "Cilium gives "+text, "Cilium does not give "+text)
}

// holds is the fact that something of a kind holds the address of the peer.
func holds(what string) policy.Fact {
	return fact(what, "a "+what+" holds the address of {peer}", "no "+what+" holds the address of {peer}")
}

// allowedBy is the fact that rules for requests allow a request.
func allowedBy(rules string) policy.Fact {
	return fact("request by "+rules, "the request is one that its "+rules+" allow", "the request is none that its "+rules+" allow")
}
