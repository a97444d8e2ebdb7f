package reach

// FactKind is one kind of fact that a condition may ask for. Its pattern is what the fact's ID in
// JSON looks like, and stays as it is: <end> is src, dst or via; <rule> is a policy, a direction
// and a number; all else in <> is what the input says. Where a question has several clients or
// destinations, " of <name>" follows and says whose it is.
type FactKind struct {
	Pattern string `json:"pattern"`
	End     string `json:"end"`     // whose it is: the cluster's, the client's (src), the destination's (dst), or that of the one named (end)
	Answers string `json:"answers"` // what may stand beside it in JSON
	What    string `json:"what"`
	Example string `json:"example"`
}

const (
	ofCluster = "cluster"
	ofEnd     = "end"
	yesOrNo   = "yes or no"
)

// FactKinds lists every kind of fact that the engine asks for, those of one kind together. No ID
// matches two patterns.
var FactKinds = []FactKind{
	{"CNI", ofCluster, "names of CNIs", "which CNI the cluster runs", "CNI"},
	{"CNI fact <fact>", ofCluster, yesOrNo, "what a CNI does, where that is not confirmed or depends on its settings: toolmoat rules --cni NAME",
		"CNI fact ownNodeReachable"},
	{"IP family", ofCluster, "IPv4 or IPv6", "which IP family the client uses", "IP family"},
	{"cluster has <family>", ofCluster, yesOrNo, "whether pods have addresses of an IP family", "cluster has IPv6"},
	{"nodes have <family>", ofCluster, yesOrNo, "whether nodes and the API server have addresses of an IP family", "nodes have IPv6"},
	{"cluster has both IP families", ofCluster, yesOrNo, "whether Cilium runs with both IP families", "cluster has both IP families"},

	{"<family> address of <end>, of <kind>", ofEnd, "CIDRs", "where an address lies that the input does not show; with \" on EKS\" or the like where that platform has its own places", "IPv4 address of dst, of pods"},
	{"address of <end>: <name>", ofEnd, "CIDRs", "which address a host name resolves to", "address of dst: api.example.com"},
	{"name of <end>: <name>", ofEnd, yesOrNo, "whether a host name resolves to the address", "name of dst: *.example.com"},
	{"learnt from another pod", "src", yesOrNo, "whether other pods' DNS queries have told Cilium the addresses of names, where the client's are not inspected",
		"learnt from another pod"},
	{"learnt from another pod: <name>", "src", yesOrNo, "the same of one name, where the client's queries are inspected and not for that name",
		"learnt from another pod: api.example.com"},
	{"<family> address in the pods' range of <end><platform>", "src", "CIDRs", "from which address in the pods' range a node connects", "IPv4 address in the pods' range of src"},
	{"shares the address of a host pod: labels of <end>: namespace {<selector>} pod {<selector>}", ofEnd, yesOrNo,
		"whether it has the address of a pod on the host network that a selector names", "shares the address of a host pod: labels of dst: namespace {} pod {app=a}"},
	{"shares the address of another pod: labels of <end>: namespace {<selector>} pod {<selector>}", ofEnd, yesOrNo,
		"whether it has the address of another pod that a selector names", "shares the address of another pod: labels of dst: namespace {} pod {app=a}"},
	{"own address of <end>", ofEnd, yesOrNo, "whether the CNI takes an address that several pods have for this one's", "own address of src"},
	{"taken for another pod: labels of <end>: namespace {<selector>} pod {<selector>}", ofEnd, yesOrNo,
		"whether the CNI takes it for another pod with its address that a selector names", "taken for another pod: labels of src: namespace {} pod {app=a}"},

	{"scaled to have <pod>", ofCluster, yesOrNo, "whether there is a pod that a StatefulSet has only once it is scaled, and that a selector names", "scaled to have a/db-5"},
	{"on the host network: <pod>", ofCluster, yesOrNo, "whether a pod is on its node's network, where that could not be read", "on the host network: a/Pod/b"},
	{"node", "dst", "same or other", "whether both ends are on one node", "node"},
	{"node or none of <end>", ofEnd, "same, other or none", "whether it is on the node of the other end, on another one or on none", "node or none of dst"},
	{"node of the API server: <end>", ofEnd, yesOrNo, "whether it is on a node that the API server runs on", "node of the API server: dst"},
	{"kind of node of <end>: <kind>", ofEnd, yesOrNo, "whether it runs on a kind of node on which not every CNI enforces policies", "kind of node of src: a Windows node"},
	{"over network <network>", "dst", yesOrNo, "whether the connection goes over a network that pods have beside the cluster's own", "over network a/lan"},
	{"carried by <mesh> to port <port>", "dst", yesOrNo, "whether a mesh carries the connection to a port of its own, and its own policy allows it", "carried by Istio ambient to port 15008"},
	{"table of <end>: <workload>", ofEnd, yesOrNo, "whether a pod is held to the policies of another, whose table of rules it shares", "table of src: a/Pod/b"},
	{"own network of <end>: <network>", ofEnd, yesOrNo, "whether policies are enforced on the network that a pod has instead of the cluster's", "own network of src: a/lan"},
	{"enforced all the same: <end>", ofEnd, yesOrNo, "whether policies are enforced where the CNI does not enforce them", "enforced all the same: src"},
	{"labels of the node of <end>: <selector>", ofEnd, yesOrNo, "whether it is on a node with such labels", "labels of the node of dst: zone=a"},

	{"labels of <end>: namespace {<selector>} pod {<selector>}", ofEnd, yesOrNo, "whether a pod and its namespace have labels that the input does not show",
		"labels of src: namespace {} pod {app=a}"},
	{"setting labels: keeps <label>", ofCluster, yesOrNo, "whether Cilium is set to keep a label that it leaves out by default",
		"setting labels: keeps pod-template-hash"},
	{"<rule>: labels of source <source>", ofEnd, yesOrNo, "whether Cilium gives labels of a source of its own", "CiliumNetworkPolicy a/b ingress 0: labels of source cidr"},
	{"<rule>: reserved labels", ofEnd, yesOrNo, "whether Cilium gives the reserved labels that a selector asks for", "CiliumNetworkPolicy a/b ingress 0: reserved labels"},
	{"<rule>: pod of another cluster", ofEnd, yesOrNo, "whether it is a pod of another cluster of the mesh", "CiliumNetworkPolicy a/b egress 0 peer 1: pod of another cluster"},
	{"<rule>: unmanaged", ofEnd, yesOrNo, "whether Cilium does not manage a pod", "CiliumNetworkPolicy a/b ingress 0 peer 0: unmanaged"},

	{"port name <protocol>/<name> of <end> is <port>", ofEnd, yesOrNo, "which number a port name stands for, where containers differ",
		"port name TCP/http of dst is 8080"},
	{"port name <protocol>/<name> of dst is <port> to a Service", "dst", yesOrNo, "whether a Service takes the port name of a sidecar", "port name TCP/http of dst is 8080 to a Service"},
	{"port name <protocol>/<name> is given", ofCluster, yesOrNo, "whether some pod gives a port this name", "port name TCP/http is given"},
	{"port name <protocol>/<name> is <port> everywhere", ofCluster, yesOrNo, "whether every running pod gives a port name this number",
		"port name TCP/http is 8080 everywhere"},
	{"<rule>: another pod's port name <protocol>/<name> is <port>", "dst", yesOrNo, "whether another pod that the policy selects gives a port name this number",
		"NetworkPolicy a/b ingress 0: another pod's port name TCP/http is 8080"},
	{"<rule>: port <port> of <service> is <protocol>/<port>", ofCluster, yesOrNo, "which port of a Service leads to the port of a rule",
		"NetworkPolicy a/b egress 0: port http of a/Service/b is TCP/80"},
	{"kept port: <direction> of <end>, <entry>", ofEnd, yesOrNo, "whether the CNI keeps a port of an entry that has more than it can hold",
		"kept port: egress of src, 203.0.113.0/24"},
	{"named by a rule: <direction> of <end>", ofEnd, yesOrNo, "whether a selector of the same policies names it", "named by a rule: egress of dst"},
	{"<rule>: no exception of another rule", ofEnd, yesOrNo, "whether no other policy makes an exception of the address",
		"NetworkPolicy a/b egress 0: no exception of another rule"},

	{"endpoint <end> of <service>", ofEnd, yesOrNo, "whether it is an endpoint of a Service that the input does not show", "endpoint dst of a/Service/b"},
	{"behind a Service: <end> <service>", ofEnd, yesOrNo, "whether it is behind a Service that a policy names and the input does not show",
		"behind a Service: dst a b "},
	{"Service <services>", ofCluster, yesOrNo, "whether a Service that a policy names has something behind it", "Service named b in namespace a"},
	{"node port of: <service>", ofCluster, yesOrNo, "whether policies let a node port through that the input does not show", "node port of: a/Service/b"},
	{"node ports from another range", ofCluster, yesOrNo, "whether kube-apiserver gives out node ports from another range than its default", "node ports from another range"},
	{"load balancer of: <service>", ofCluster, yesOrNo, "whether policies let through the address of a load balancer that the input does not show", "load balancer of: a/Service/b"},
	{"ExternalIP on an interface of: <node>", ofCluster, yesOrNo, "whether a node has its ExternalIP itself, or something outside of the cluster translates it",
		"ExternalIP on an interface of: n1"},
	{"ipMode Proxy: <address>", ofCluster, yesOrNo, "whether what pods send to a load balancer's address leaves the cluster for it", "ipMode Proxy: 203.0.113.7"},
	{"client's address kept: <end> by <way>", ofEnd, yesOrNo, "whether the client's own address is kept on a way through a node or load balancer",
		"client's address kept: dst by NodePort Service a/b"},
	{"sent on by <way>", ofCluster, yesOrNo, "whether nodes send what comes from inside the cluster on to other nodes, in spite of externalTrafficPolicy Local",
		"sent on by NodePort Service a/b"},
	{"way in <way>: <how>", "src", yesOrNo, "how connections from outside the cluster arrive", "way in NodePort Service a/b: enters at a node"},

	{"enforced kind <kind>", ofCluster, yesOrNo, "whether a kind of policy is enforced", "enforced kind cilium.io CiliumClusterwideNetworkPolicy"},
	{"policies for the network <name>", ofCluster, yesOrNo, "whether a NetworkPolicy that is annotated for a network of GKE's holds on the cluster's own", "policies for the network \"blue\""},
	{"no entries: <policy> <direction>", ofCluster, yesOrNo, "whether rules that policyTypes leaves out name no pod", "no entries: NetworkPolicy a/b egress"},
	{"setting <setting>", ofCluster, yesOrNo, "how Cilium is set", "setting enable-node-selector-labels"},
	{"operator looks groups up at AWS", ofCluster, yesOrNo, "whether the Cilium operator can look groups up at AWS", "operator looks groups up at AWS"},
	{"cluster name in <names>", ofCluster, yesOrNo, "what Cilium calls the cluster", "cluster name in one,two"},
	{"<rule>: CiliumCIDRGroup <groups>", ofEnd, yesOrNo, "whether a CIDR group that the input does not show holds the address",
		"CiliumNetworkPolicy a/b egress 0 peer 0: CiliumCIDRGroup that the selector leaves out"},
	{"<rule>: CIDR in except", ofEnd, yesOrNo, "whether a CIDR in except holds the address", "CiliumNetworkPolicy a/b egress 0 peer 0: CIDR in except"},

	{"<rule>: request by <rules>", ofEnd, yesOrNo, "whether rules for requests allow the request", "CiliumNetworkPolicy a/b ingress 0: request by HTTP rules"},
	{"<rule>: DNS query", ofEnd, yesOrNo, "whether DNS rules allow the query", "CiliumNetworkPolicy a/b egress 0: DNS query"},
	{"<rule>: TLS server name in <names>", ofEnd, yesOrNo, "which TLS server name the client sends", "CiliumNetworkPolicy a/b egress 0: TLS server name in example.com"},
	{"<rule>: <tls>TLS", ofEnd, yesOrNo, "whether the proxy accepts the TLS of an end", "CiliumNetworkPolicy a/b egress 0: originatingTLS"},
	{"<rule>: proxy for <protocol>", ofEnd, yesOrNo, "whether a proxy lets the request pass", "CiliumNetworkPolicy a/b egress 0: proxy for \"redis\""},
	{"<rule>: Envoy listener <listener>", ofEnd, yesOrNo, "whether an Envoy listener lets the connection pass",
		"CiliumNetworkPolicy a/b egress 0: Envoy listener \"l\" of \"CiliumEnvoyConfig\" \"c\""},
	{"<rule>: authentication", ofEnd, yesOrNo, "whether both ends prove their identity", "CiliumNetworkPolicy a/b ingress 0: authentication"},

	{"unjudged: <rule>", ofCluster, "allows, denies or nothing", "what a policy does that could not be judged", "unjudged: GlobalNetworkPolicy a ingress 0"},
	{"unknown: <what>", ofCluster, yesOrNo, "nobody can tell", "unknown: too many kinds of pods to tell apart"},
	{"too many conditions <n>", ofCluster, yesOrNo, "nobody can tell: there are too many conditions", "too many conditions 1f"},
}
