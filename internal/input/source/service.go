package source

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// service reads a Service.
func (p *part) service(o *object) {
	defer p.close(o)
	spec := o.root.Field("spec")
	before := o.root.Problems()
	s := model.Service{Namespace: o.meta.namespace, Name: o.meta.name, Labels: o.meta.labels, Type: readName(spec.Field("type"), typeForm), Origin: o.at,
		ExternalName: readName(spec.Field("externalName"), hostForm), Local: spec.Field("externalTrafficPolicy").Text() == "Local"}
	switch {
	case s.Type == "":
		s.Type = "ClusterIP"
	case s.Type == "ExternalName" && s.ExternalName == "" && o.root.Problems() == before:
		spec.Field("externalName").Fail("missing", "a Service of type ExternalName needs the name it stands for")
	}
	if set, _ := readLabels(spec.Field("selector")); len(set) > 0 && s.Type != "ExternalName" {
		selector := label.Equals(set)
		s.Selector = &selector
	}
	first := spec.Field("clusterIP")
	s.Headless = first.IsText() && first.Text() == "None"
	s.ClusterIPs = readAddrs(spec.Field("clusterIPs"), "")
	if a, ok := readAddr(first); ok && len(s.ClusterIPs) == 0 {
		s.ClusterIPs = []netip.Addr{a}
	}
	s.MoreAddrs = len(s.ClusterIPs) == 1 && mayBeDual(spec)
	s.ExternalIPs, s.Balancer = readExternalIPs(o.root)
	s.Balancer = s.Balancer && s.Type == "LoadBalancer"
	for _, item := range spec.Field("ports").Items() {
		if port, ok := readServicePort(item); ok {
			s.Ports = append(s.Ports, port)
		}
	}
	if s.Namespace != "" {
		p.services = append(p.services, s)
		p.exposed(o)
	}
}

// exposed notes what annotations of a Service publish: to a tailnet (tailscale.com documentation,
// Kubernetes operator, cluster ingress), by Mappings in an annotation (emissary-ingress/emissary,
// pkg/snapshot/v1/annotations.go), and to load balancers of Google Cloud that the cluster does not manage
// (cloud.google.com/kubernetes-engine/docs, standalone NEGs).
func (p *part) exposed(o *object) {
	add := func(kind string, doubt model.RouteDoubt, ports ...netset.Port) {
		r := route{Route: model.Route{Kind: kind, Namespace: o.meta.namespace, Name: o.meta.name, Controllers: []string{}, Origin: o.at}}
		for _, port := range ports {
			r.Backends = append(r.Backends, model.Backend{Namespace: o.meta.namespace, Service: o.meta.name, Port: port, Doubt: doubt, Origin: o.at})
		}
		p.addRoute(r)
	}
	if o.meta.annotations["tailscale.com/expose"] == "true" {
		add("tailnet of Service", model.NoDoubt, 0)
	}
	if o.meta.annotations["getambassador.io/config"] != "" {
		add("getambassador.io/config of Service", model.Unsupported, 0)
	}
	const key = "cloud.google.com/neg"
	if text := o.meta.annotations[key]; text != "" {
		var neg struct {
			Ports map[string]any `json:"exposed_ports"`
		}
		if json.Unmarshal([]byte(text), &neg) != nil {
			o.root.At("metadata", "annotations", key).Fail("not a network endpoint group", "")
			neg.Ports = map[string]any{"any": nil}
		}
		var ports []netset.Port
		for _, number := range sortedKeys(neg.Ports) {
			port, _ := portOf(number)
			ports = append(ports, port)
		}
		add("network endpoint group of Service", model.NoDoubt, ports...)
	}
}

// readExternalIPs reads the addresses of a Service that clients outside the cluster use, each once.
// hidden is whether a load balancer may have another: none is shown, or one has only a host name.
func readExternalIPs(service *doc.Cursor) (out []model.ExternalIP, hidden bool) {
	add := func(addr netip.Addr, mode model.IPMode) {
		if !slices.ContainsFunc(out, func(e model.ExternalIP) bool { return e.Addr == addr }) {
			out = append(out, model.ExternalIP{Addr: addr, Mode: mode})
		}
	}
	spec := service.Field("spec")
	for _, a := range readAddrs(spec.Field("externalIPs"), "") {
		add(a, model.VIP)
	}
	balancers := service.At("status", "loadBalancer", "ingress").Items()
	hidden = len(balancers) == 0
	for _, item := range balancers {
		mode := model.VIPOrProxy
		switch field := item.Field("ipMode"); field.Text() {
		case "VIP":
			mode = model.VIP
		case "Proxy":
			mode = model.Proxy
		case "":
		default:
			field.Fail("not an ipMode: "+doc.Quote(field.Text()), "VIP or Proxy")
		}
		if a, ok := readAddr(item.Field("ip")); ok {
			add(a, mode)
		} else {
			hidden = true
		}
	}
	if a, ok := readAddr(spec.Field("loadBalancerIP")); ok {
		add(a, model.VIPOrProxy)
		hidden = hidden && len(balancers) > 0
	}
	return out, hidden
}

// mayBeDual reports whether a Service of which one address is known may have another: it asks for
// both families, or says nothing at all, as in an object that leaves out what the API server fills
// in.
func mayBeDual(spec *doc.Cursor) bool {
	families := spec.Field("ipFamilies").Texts()
	switch spec.Field("ipFamilyPolicy").Text() {
	case "PreferDualStack", "RequireDualStack":
		return true
	case "SingleStack":
		return len(families) > 1
	}
	return len(families) > 1 || len(families) == 0 && len(spec.Field("clusterIPs").Items()) == 0
}

func readServicePort(c *doc.Cursor) (model.ServicePort, bool) {
	out := model.ServicePort{Name: readName(c.Field("name"), labelForm), Protocol: readProtocol(c.Field("protocol")),
		AppProtocol: readName(c.Field("appProtocol"), qualifiedForm)}
	number := c.Field("port")
	var ok bool
	if out.Port, ok = readPort(number); !ok {
		if !number.IsSet() {
			number.Fail("missing", "")
		}
		return out, false
	}
	out.NodePort = readPortOrZero(c.Field("nodePort"))
	switch target := c.Field("targetPort"); {
	case target.IsText() && target.Text() != "":
		out.TargetName = readName(target, portForm)
	default:
		if out.Target = out.Port; target.IsSet() && !target.IsText() {
			if n := readPortOrZero(target); n != 0 {
				out.Target = n
			}
		}
	}
	return out, true
}

// endpoints is what one EndpointSlice, or one Endpoints, says of a Service.
type endpoints struct {
	namespace, service, kind, name string
	headless                       bool                // its Service is, as a label tells that the control plane gives it
	ports                          []model.ServicePort // of all in list
	list                           []model.Endpoint
	at                             origin.Origin
}

// isHeadless reports whether o has the label that the control plane gives the endpoints of headless
// Services (kubernetes api/core/v1/annotation_key_constants.go, IsHeadlessService).
func (o *object) isHeadless() bool {
	_, ok := o.meta.labels["service.kubernetes.io/headless"]
	return ok
}

// endpointSlice reads an EndpointSlice. Endpoints that are not ready count: they may be soon.
func (p *part) endpointSlice(o *object) {
	defer p.close(o)
	service := o.meta.labels["kubernetes.io/service-name"]
	if service == "" || o.root.Field("addressType").Text() == "FQDN" {
		p.ignore(o)
		return
	}
	s := endpoints{namespace: o.meta.namespace, service: service, kind: o.kind, name: o.meta.name, headless: o.isHeadless(), at: o.at}
	s.ports = readEndpointPorts(o.root.Field("ports"))
	for _, item := range o.root.Field("endpoints").Items() {
		for _, a := range readAddrs(item.Field("addresses"), "") {
			s.list = append(s.list, model.Endpoint{Addr: a, Pod: readTarget(item, o.meta.namespace), Ports: s.ports})
		}
	}
	p.slices = append(p.slices, s)
}

// endpoints reads an Endpoints, which the control plane mirrors into slices for a Service without a
// selector.
func (p *part) endpoints(o *object) {
	defer p.close(o)
	s := endpoints{namespace: o.meta.namespace, service: o.meta.name, kind: o.kind, name: o.meta.name, headless: o.isHeadless(), at: o.at}
	for _, subset := range o.root.Field("subsets").Items() {
		ports := readEndpointPorts(subset.Field("ports"))
		s.ports = append(s.ports, ports...)
		for _, field := range []string{"addresses", "notReadyAddresses"} {
			for _, item := range subset.Field(field).Items() {
				if a, ok := readAddr(item.Field("ip")); ok {
					s.list = append(s.list, model.Endpoint{Addr: a, Pod: readTarget(item, o.meta.namespace), Ports: ports})
				}
			}
		}
	}
	p.slices = append(p.slices, s)
}

// readTarget reads which pod an endpoint is, as "namespace/name"; "" if it does not say.
func readTarget(c *doc.Cursor, namespace string) string {
	target := c.Field("targetRef")
	name := readName(target.Field("name"), nameForm)
	if target.Field("kind").Text() != "Pod" || name == "" {
		return ""
	}
	return cmp.Or(readName(target.Field("namespace"), labelForm), namespace) + "/" + name
}

func readEndpointPorts(c *doc.Cursor) []model.ServicePort {
	var out []model.ServicePort
	for _, item := range c.Items() {
		port := model.ServicePort{Name: readName(item.Field("name"), labelForm), Protocol: readProtocol(item.Field("protocol")),
			AppProtocol: readName(item.Field("appProtocol"), qualifiedForm)}
		if port.Port = readPortOrZero(item.Field("port")); port.Port != 0 {
			out = append(out, port)
		}
	}
	return out
}
