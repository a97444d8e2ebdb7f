package query

import "github.com/toolmoat/toolmoat/internal/engine/reach"

// FactKinds lists every kind of fact that a question asks for beside those of the engine. Ends have
// the names that its answer gives them.
var FactKinds = []reach.FactKind{
	ofCluster("client's address kept: from <client> through <service> to <workload> <ports>", "whether the client's own address is kept on the way",
		"client's address kept: from a/Deployment/b through a/Service/c to a/Deployment/d TCP 80"),
	ofCluster("arrives with the address of: <nodes>", "whether it arrives with the address of one of some nodes", "arrives with the address of: node n1"),
	ofCluster("runs on <node>: <workloads>", "whether a pod of one of some workloads runs on a node", "runs on node n1: a/Deployment/b"),
	ofCluster("pods to come of: <service>", "whether a pod comes to be that a Service selects and that lets it in", "pods to come of: a/Service/b"),
	ofCluster("node port <port> of: <services>", "whether the API server gave a port of nodes to one of some Services", "node port 31000 of: a/Service/b"),
	ofCluster("sent on to another node: from <client> through <node>", "whether a node sends what comes from inside the cluster on to another one, in spite of externalTrafficPolicy Local",
		"sent on to another node: from a/Deployment/b through node n1"),
	ofCluster("sent back to itself: <client> through <service>", "whether a Service sends a pod back to itself, and not to another one", "sent back to itself: a/Deployment/b through a/Service/c"),
	ofCluster("port of the API server: <ports>", "whether the API server listens on one of some ports", "port of the API server: 6443"),
	ofCluster("holder of <address>: <workloads>", "whether an address is that of one of some pods or nodes", "holder of 10.0.0.7: a/Deployment/b"),
	ofCluster("nodes translate <address> for: <services>", "whether what is sent to an address that a Service claims and somebody else has goes to the Service",
		"nodes translate 10.0.0.7 for: a/Service/b"),
	ofCluster("one of others lets it through, from: <clients>", "whether one of others, too many to be told apart, lets it through", "one of others lets it through, from: a/Pod/b"),

	{Pattern: "<family> address of a name: <name>", End: "dst", Answers: "CIDRs", What: "where an address lies that a host name resolves to",
		Example: "IPv4 address of a name: api.example.com"},
	ofCluster("IP family of a name: <name>", "whether a host name resolves to an IPv4 address", "IP family of a name: api.example.com"),
	ofCluster("resolves inside: <name> for <workload>", "whether a host name resolves to a pod, Service or node that the policies let an end reach",
		"resolves inside: api.example.com for a/Deployment/b"),
	ofCluster("resolves to the own node: <name> for <workload>", "whether a host name resolves to the node of an end", "resolves to the own node: api.example.com for a/Deployment/b"),
	ofCluster("address in common: <name> and <name>", "whether two host names share an address", "address in common: api.example.com and *.example.org"),
}

func ofCluster(pattern, what, example string) reach.FactKind {
	return reach.FactKind{Pattern: pattern, End: "cluster", Answers: "yes or no", What: what, Example: example}
}
