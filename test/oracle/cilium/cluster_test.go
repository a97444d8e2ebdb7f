package cilium

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// object is a manifest, or a part of one, as a user writes it: what is left out and what is empty
// differ.
type object = map[string]any

// cluster is a cluster at one moment.
type cluster struct {
	title      string
	dual       bool // IPv6 beside IPv4
	namespaces map[string]map[string]string
	nodes      []node
	pods       []pod
	api        []netip.Addr // where the API server answers: addresses of nodes, or outside
	groups     []group
	services   []service
	policies   []object
	outside    []netip.Addr // addresses to ask for that are neither a pod's nor a node's

	features map[string][2]map[string]bool // by policy and spec ("name/0"), what its ingress and its egress are made of
}

type node struct {
	name  string
	addrs []netip.Addr
}

type pod struct {
	namespace, name string
	labels          map[string]string
	account         string
	ports           []port
	node            int // index into cluster.nodes
	host            bool
	addrs           []netip.Addr // nil on the host's network
}

type port struct {
	name, protocol string
	number         int
}

type group struct {
	name   string
	labels map[string]string
	blocks []netip.Prefix
}

// service is a Service with a selector, or with endpoints outside the cluster.
type service struct {
	namespace, name  string
	labels, selector map[string]string
	endpoints        []netip.Addr
}

// apiOn reports whether the API server answers on a node.
func (c *cluster) apiOn(n int) bool {
	return slices.ContainsFunc(c.api, func(a netip.Addr) bool { return slices.Contains(c.nodes[n].addrs, a) })
}

// manifests writes c as a user would.
func (c *cluster) manifests(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	write := func(o object) {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	for _, name := range slices.Sorted(maps.Keys(c.namespaces)) {
		write(object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": c.namespaces[name]}})
	}
	for _, n := range c.nodes {
		var addrs []object
		for _, a := range n.addrs {
			addrs = append(addrs, object{"type": "InternalIP", "address": a.String()})
		}
		write(object{"apiVersion": "v1", "kind": "Node", "metadata": object{"name": n.name}, "status": object{"addresses": addrs}})
	}
	for _, p := range c.pods {
		write(c.podManifest(p))
	}
	write(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": "default", "name": "kubernetes"},
		"spec": object{"clusterIP": "10.96.0.1", "clusterIPs": []string{"10.96.0.1"}, "ports": []object{{"port": 443, "protocol": "TCP", "targetPort": 6443}}}})
	write(slice("default", "kubernetes", 6443, c.api))
	for i, svc := range c.services {
		spec := object{"clusterIP": fmt.Sprintf("10.96.1.%d", i+1), "ports": []object{{"port": 80, "protocol": "TCP", "targetPort": 8080}}}
		if svc.selector != nil {
			spec["selector"] = svc.selector
		}
		write(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": svc.namespace, "name": svc.name, "labels": svc.labels}, "spec": spec})
		if svc.selector == nil {
			write(slice(svc.namespace, svc.name, 8080, svc.endpoints))
		}
	}
	for _, g := range c.groups {
		blocks := []string{}
		for _, p := range g.blocks {
			blocks = append(blocks, p.String())
		}
		write(object{"apiVersion": "cilium.io/v2", "kind": "CiliumCIDRGroup", "metadata": object{"name": g.name, "labels": g.labels}, "spec": object{"externalCIDRs": blocks}})
	}
	for _, p := range c.policies {
		write(p)
	}
	return b.Bytes()
}

// slice is the EndpointSlice of a Service, all of whose endpoints are IPv4 addresses.
func slice(namespace, service string, port int, addrs []netip.Addr) object {
	var endpoints []object
	for _, a := range addrs {
		endpoints = append(endpoints, object{"addresses": []string{a.String()}})
	}
	return object{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
		"metadata":    object{"namespace": namespace, "name": service + "-0", "labels": object{"kubernetes.io/service-name": service}},
		"addressType": "IPv4", "endpoints": endpoints, "ports": []object{{"port": port, "protocol": "TCP"}}}
}

func (c *cluster) podManifest(p pod) object {
	var ports []object
	for _, one := range p.ports {
		o := object{"containerPort": one.number, "protocol": one.protocol}
		if one.name != "" {
			o["name"] = one.name
		}
		ports = append(ports, o)
	}
	addrs := p.addrs
	spec := object{"nodeName": c.nodes[p.node].name, "containers": []object{{"name": "main", "image": "registry.example/main", "ports": ports}}}
	if p.account != "" {
		spec["serviceAccountName"] = p.account
	}
	if p.host {
		addrs = c.nodes[p.node].addrs
		spec["hostNetwork"] = true
	}
	var ips, hosts []object
	for _, a := range addrs {
		ips = append(ips, object{"ip": a.String()})
	}
	for _, a := range c.nodes[p.node].addrs {
		hosts = append(hosts, object{"ip": a.String()})
	}
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"namespace": p.namespace, "name": p.name, "labels": p.labels}, "spec": spec,
		"status": object{"phase": "Running", "podIP": addrs[0].String(), "podIPs": ips, "hostIP": c.nodes[p.node].addrs[0].String(), "hostIPs": hosts}}
}

// end is one end of a connection: a pod on the pod network, a node with all that runs on its
// network, or an address outside.
type end struct {
	pod, node int // index, or -1
	addr      netip.Addr
}

// nodeOf is where an end runs, or -1.
func (c *cluster) nodeOf(e end) int {
	if e.pod >= 0 {
		return c.pods[e.pod].node
	}
	return e.node
}

func (c *cluster) text(e end) string {
	switch {
	case e.pod >= 0:
		return fmt.Sprintf("%s/%s (%v)", c.pods[e.pod].namespace, c.pods[e.pod].name, e.addr)
	case e.node >= 0:
		return fmt.Sprintf("%s (%v)", c.nodes[e.node].name, e.addr)
	}
	return e.addr.String()
}

// ends returns the ends of every connection that can be asked for.
func (c *cluster) ends() []end {
	var out []end
	for i, p := range c.pods {
		for _, a := range p.addrs {
			out = append(out, end{i, -1, a})
		}
	}
	for i, n := range c.nodes {
		for _, a := range n.addrs {
			out = append(out, end{-1, i, a})
		}
	}
	for _, a := range c.outside {
		out = append(out, end{-1, -1, a})
	}
	return out
}
