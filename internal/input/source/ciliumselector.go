package source

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Labels that Cilium gives its endpoints beside the pod's own (cilium v1.19.1,
// pkg/k8s/apis/cilium.io/const.go).
const (
	ciliumLabels          = "io.cilium.k8s" // the prefix of labels that pods cannot set themselves
	ciliumPodNamespace    = "io.kubernetes.pod.namespace"
	ciliumNamespaceLabels = "io.cilium.k8s.namespace.labels."
	ciliumCluster         = "io.cilium.k8s.policy.cluster"
	ciliumAccount         = "io.cilium.k8s.policy.serviceaccount" // asked of a pod's labels; see [model.Pod].Account
)

// requirement is what a Cilium selector asks of one label.
type requirement struct {
	source, key string // "k8s", "any", "reserved" and so on
	values      label.Values
	equal       bool // of matchLabels
}

// readCiliumSelector reads a selector as the definitions of Cilium's resources and its own check
// take it. extend turns a key as it is written into "source.key".
func readCiliumSelector(c *doc.Cursor, extend func(string) string) []requirement {
	var out []requirement
	seen := map[string]bool{}
	for key, value := range c.Field("matchLabels").Entries() {
		if !value.IsSet() {
			continue // the API server drops what is null
		}
		before := c.Problems()
		text := value.Text()
		switch source, name, ok := cutKey(extend(key)); {
		case c.Problems() > before:
		case !ok:
			value.Fail("not a valid label key: "+doc.Quote(key), "")
		case seen[source+"."+name]:
			value.Fail("the same label a second time: "+doc.Quote(key), "Cilium takes one of the two values")
		case !isLabelValue(text):
			value.Fail("not a valid label value: "+doc.Quote(text), "letters, digits, '-', '_' and '.', at most 63 of them")
		default:
			seen[source+"."+name] = true
			out = append(out, requirement{source, name, label.In(text), true})
		}
	}
	for _, item := range ciliumItems(c.Field("matchExpressions")) {
		before := c.Problems()
		key := item.Field("key").Text()
		source, name, ok := cutKey(extend(key))
		if c.Problems() == before && !ok {
			item.Field("key").Fail("not a valid label key: "+doc.Quote(key), "")
		}
		ciliumItems(item.Field("values"))
		if values, sound := readConstraint(item); sound && c.Problems() == before {
			out = append(out, requirement{source, name, values, false})
		}
	}
	return out
}

// ciliumItems returns the items of a list. The API server takes no null among those of a custom
// resource.
func ciliumItems(c *doc.Cursor) []*doc.Cursor {
	items := c.Items()
	for _, item := range items {
		if !item.IsSet() {
			item.Fail("an item is missing", "")
		}
	}
	return items
}

// extendKey gives a key its source. Up to 1.19 Cilium takes keys that no label can have.
func (d *ciliumDecoder) extendKey(key string) string {
	extended := extendKey(key)
	_, name, _ := strings.Cut(extended, ".")
	d.checkKey(name)
	return extended
}

// checkKey notes a key that not every version takes.
func (d *ciliumDecoder) checkKey(name string) {
	if !isLabelKey(name) {
		d.takes(cni.TakesOldForms)
	}
}

// extendKey gives a key its source: "k8s:app" is "k8s.app", and "app" is "any.app" (cilium v1.19.1,
// pkg/labels, GetExtendedKeyFrom).
func extendKey(key string) string {
	source, rest, ok := strings.Cut(key, ":")
	switch {
	case strings.HasPrefix(key, "$"):
		source, rest = "reserved", key[1:]
	case ok:
	case strings.HasPrefix(key, "reserved."):
		source, rest, _ = strings.Cut(key, ".")
	default:
		source, rest = "", key
	}
	if source == "" {
		source = "any"
	}
	rest, _, _ = strings.Cut(rest, "=")
	return source + "." + rest
}

// cutKey parts an extended key, and reports whether it is valid.
func cutKey(extended string) (source, key string, ok bool) {
	source, key, ok = strings.Cut(extended, ".")
	return source, key, ok && isLabelKey(extended)
}

// ciliumEndpoints is a Cilium selector as it selects pods.
type ciliumEndpoints struct {
	policy.Subject
	none       bool // it selects no pods
	namespaced bool // it asks for the namespace by name
	labelled   bool // it asks for labels of the namespace
	beyond     bool // what lives in no namespace satisfies it too
	reserved   []requirement
	others     int           // requirements that are not reserved
	facts      []policy.Fact // what else must hold for it to select
}

// endpointsOf translates requirements. Facts call what is selected who.
func endpointsOf(list []requirement, who string) ciliumEndpoints {
	e := ciliumEndpoints{beyond: true}
	for _, r := range list {
		switch r.source {
		case "reserved":
			e.reserved = append(e.reserved, r)
			continue
		case "k8s", "any":
			e.require(r)
		default:
			e.facts = append(e.facts, labelsFrom(r.source, who))
		}
		e.others++
		e.beyond = e.beyond && (r.values.AllowsAbsent() || r.key == ciliumCluster)
	}
	return e
}

func (e *ciliumEndpoints) require(r requirement) {
	name, ofNamespace := strings.CutPrefix(r.key, ciliumNamespaceLabels)
	e.namespaced = e.namespaced || r.key == ciliumPodNamespace
	e.labelled = e.labelled || ofNamespace
	switch {
	case r.key == ciliumPodNamespace:
		e.NS = e.NS.Require(label.MetadataName, r.values)
	case ofNamespace:
		e.NS = e.NS.Require(name, r.values)
	case r.key == ciliumCluster:
		e.cluster(r.values)
	case strings.HasPrefix(r.key, ciliumLabels) && r.key != ciliumAccount: // no pod has it
		e.none = e.none || !r.values.AllowsAbsent()
	default:
		e.Pod = e.Pod.Require(r.key, r.values)
	}
}

// cluster notes what a selector asks of the cluster's name, which every pod of the cluster has as a
// label.
func (e *ciliumEndpoints) cluster(v label.Values) {
	names, others := v.Listed()
	switch {
	case len(names) == 0 && !others:
		e.none = true
		e.beyond = e.beyond && v.AllowsAbsent()
	case len(names) == 0:
		e.beyond = false
	case others:
		e.facts = append(e.facts, not(clusterNamed(names)))
	default:
		e.facts = append(e.facts, clusterNamed(names))
		e.beyond = false
	}
}

// listed writes at most four texts, as in "a, b or 7 others".
func listed(texts []string) string {
	const most = 4
	var b strings.Builder
	for i, text := range texts[:min(len(texts), most)] {
		if i > 0 && i == len(texts)-1 {
			b.WriteString(" or ")
		} else if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(doc.Quote(text))
	}
	if len(texts) > most {
		b.WriteString(" or others")
	}
	return b.String()
}

// subject translates the endpointSelector of a policy of namespace, "" for a cluster-wide one. Of
// its own namespace's name a policy can ask nothing: Cilium replaces what it asks.
func ciliumSubject(list []requirement, namespace string) ciliumEndpoints {
	if namespace != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(r requirement) bool {
			return r.equal && r.source == "k8s" && r.key == ciliumPodNamespace
		})
	}
	e := endpointsOf(list, "the selected pod")
	if namespace != "" {
		e.NS = e.NS.And(label.Named(namespace))
	}
	for _, r := range e.reserved { // what pods have not
		e.none = e.none || !r.values.AllowsAbsent()
	}
	e.none = e.none || e.NS.IsEmpty() || e.Pod.IsEmpty()
	return e
}

// selectsStarting reports whether a selector names the label of endpoints that are starting, in
// whatever way.
func selectsStarting(list []requirement) bool {
	return slices.ContainsFunc(list, func(r requirement) bool { return r.source == "reserved" && r.key == "init" })
}

// ciliumPeers translates an item of fromEndpoints or toEndpoints. starting says that the policy
// selects endpoints that are starting, in which case a cluster-wide policy's selector holds beyond
// namespaces.
func ciliumPeers(list []requirement, namespace string, starting bool) []policy.Peer {
	e := endpointsOf(list, "{peer}")
	if e.reserved != nil {
		return []policy.Peer{reservedPeer(e)}
	}
	switch {
	case e.namespaced:
	case namespace == "":
		e.beyond = e.beyond && starting
	case !e.labelled:
		e.NS, e.beyond = e.NS.And(label.Named(namespace)), false
	}
	var out []policy.Peer
	if !e.none && !e.NS.IsEmpty() && !e.Pod.IsEmpty() {
		out = append(out, policy.Peer{NS: &e.NS, Pod: &e.Pod, If: e.facts})
	}
	if e.beyond {
		out = append(out, policy.Peer{Entity: policy.All, If: append(e.facts, otherClusters)})
	}
	if out == nil {
		out = []policy.Peer{{Entity: policy.Nobody}}
	}
	return out
}

// reservedPeer translates a selector that asks for a reserved label: it gets no namespace, and
// means a part of the world.
func reservedPeer(e ciliumEndpoints) policy.Peer {
	for _, r := range e.reserved {
		if r.values.AllowsAbsent() {
			continue
		}
		if !r.values.Allows("") { // reserved labels have no value
			return policy.Peer{Entity: policy.Nobody}
		}
		peer := policy.Peer{Entity: policy.Nobody}
		switch r.key {
		case "host":
			peer.Entity = policy.Host
		case "remote-node":
			peer.Entity = policy.RemoteNode
		case "kube-apiserver":
			peer.Entity = policy.APIServer
		case "world":
			peer = policy.Peer{Entity: policy.World, If: []policy.Fact{not(bothFamilies)}}
		case "world-ipv4":
			peer = policy.Peer{Entity: policy.WorldIPv4, If: []policy.Fact{bothFamilies}}
		case "world-ipv6":
			peer = policy.Peer{Entity: policy.WorldIPv6, If: []policy.Fact{bothFamilies}}
		case "unmanaged":
			peer = unmanaged
		}
		if len(e.reserved)+e.others > 1 && peer.Entity != policy.Nobody {
			peer.If = otherReserved
		}
		return peer
	}
	return policy.Peer{Entity: policy.All, If: otherReserved}
}

var otherReserved = []policy.Fact{fact("reserved labels", "the labels that Cilium gives {peer} are all that the selector asks for",
	"the labels that Cilium gives {peer} are not all that the selector asks for")}

var unmanaged = policy.Peer{Entity: policy.Cluster, If: []policy.Fact{fact("unmanaged", "Cilium does not manage {peer}", "Cilium manages {peer}")}}

// ciliumNodes translates an item of fromNodes or toNodes. Nodes have their labels from the source
// "node".
func ciliumNodes(list []requirement) policy.Peer {
	var sel label.Selector
	var e ciliumEndpoints
	for _, r := range list {
		switch {
		case r.key == ciliumCluster && r.source != "node":
			e.cluster(r.values)
		case r.source == "any" || r.source == "node":
			sel = sel.Require(r.key, r.values)
		default:
			e.facts = append(e.facts, labelsFrom(r.source, "{peer}"))
		}
	}
	if e.none || sel.IsEmpty() {
		return policy.Peer{Entity: policy.Nobody}
	}
	return policy.Peer{Node: &sel, If: e.facts}
}
