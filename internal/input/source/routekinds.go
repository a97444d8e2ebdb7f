package source

import "github.com/toolmoat/toolmoat/internal/input/doc"

// routeKind says what an object of a kind leads to from outside the cluster. A kind that is not
// here, and is called like one that routes, leads perhaps to each Service that it names.
type routeKind struct {
	leads   []lead
	served  func(o *object, r *route, spec *doc.Cursor) // reads what else makes it a route from outside, and for what; nil: nothing
	by      []string                                    // parts of the images of the controllers that serve it; nil for any controller
	selects string                                      // from the root: selectors of Services
	own     []string                                    // from the root: what names parts of the object itself, or what is no Service
}

// lead is a place of an object that names a Service, or another object that leads on. Paths are
// fields joined by dots, "[]" after one standing for each of its items.
type lead struct {
	each string // from the root
	at   string // from there: a map with the fields that follow
	path string // from each: where requests are for, if it says so

	name, namespace, port, kind string

	to     string // the kind that is meant where none is written; "" for a Service
	host   bool   // the name is a host name or a URL
	target string // from the root: the port of the pods, instead of the Service's
	onlyIf func(r *route, item *doc.Cursor) bool
}

// in returns l at another place.
func (l lead) in(each, at string) lead {
	l.each, l.at = each, at
	return l
}

// withPath returns l with the place of the path that requests are for.
func (l lead) withPath(path string) lead {
	l.path = path
	return l
}

var (
	toService = lead{name: "name", port: "port"}
	toRef     = lead{name: "name", namespace: "namespace", port: "port", kind: "kind"}
	toNamed   = lead{name: "serviceName", port: "servicePort"}
	toIstio   = lead{name: "host", port: "port", host: true, onlyIf: beyondMesh}
	toNginx   = lead{name: "service", port: "port"}
)

// onTo is a lead to another object of a kind.
func onTo(kind, each, at string) lead {
	return lead{each: each, at: at, name: "name", namespace: "namespace", to: kind}
}

// routeKinds lists the kinds that are decoded, whatever their version. Fields are those of the
// projects' own definitions.
var routeKinds = map[groupKind]routeKind{
	{"networking.k8s.io", "Ingress"}: ingress,
	{"extensions", "Ingress"}:        ingress,

	// kubernetes-sigs/gateway-api, apis/v1 and apis/v1alpha2.
	{"gateway.networking.k8s.io", "HTTPRoute"}: gatewayRoute,
	{"gateway.networking.k8s.io", "GRPCRoute"}: gatewayRoute,
	{"gateway.networking.k8s.io", "TLSRoute"}:  gatewayRoute,
	{"gateway.networking.k8s.io", "TCPRoute"}:  gatewayRoute,
	{"gateway.networking.k8s.io", "UDPRoute"}:  gatewayRoute,
	// envoyproxy/ai-gateway, api/v1alpha1/mcp_route.go
	{"aigateway.envoyproxy.io", "MCPRoute"}: {served: ofGateways, own: []string{"spec.securityPolicy"},
		leads: []lead{toRef.in("spec", "backendRefs[]").withPath("path")}},
	// the same, api/v1beta1/ai_gateway_route.go and ai_service_backend.go
	{"aigateway.envoyproxy.io", "AIGatewayRoute"}: {served: ofGateways, leads: []lead{
		{each: "spec.rules[]", at: "backendRefs[]", name: "name", namespace: "namespace", kind: "kind", to: "AIServiceBackend"}}},
	{"aigateway.envoyproxy.io", "AIServiceBackend"}: {served: asPart, leads: []lead{toRef.in("spec.backendRef", "")}},
	// envoyproxy/gateway, api/v1alpha1/backend_types.go
	{"gateway.envoyproxy.io", "Backend"}: {served: asPart, leads: []lead{
		{each: "spec.endpoints[].fqdn", name: "hostname", port: "port", host: true}}},
	// kgateway-dev/kgateway, api/v1alpha1/kgateway/backend_types.go
	{"gateway.kgateway.dev", "Backend"}: {served: asPart, leads: []lead{
		{each: "spec.static.hosts[]", name: "host", port: "port", host: true}}},
	// agentgateway, controller/api/v1alpha1/agentgateway/agentgateway_backend_types.go
	{"agentgateway.dev", "AgentgatewayBackend"}: {served: asPart, selects: "spec.mcp.targets[].selector", leads: []lead{
		{each: "spec.static", name: "host", port: "port", host: true},
		{each: "spec.mcp.targets[].static", name: "host", port: "port", host: true},
		{each: "spec.mcp.targets[].static", name: "backendRef.name", port: "port"}}},
	// kubernetes-sigs/mcs-api: an exported Service answers clients of other clusters.
	{"multicluster.x-k8s.io", "ServiceExport"}:          exported,
	{"net.gke.io", "ServiceExport"}:                     exported,
	{"application-networking.k8s.aws", "ServiceExport"}: exported,

	// openshift/api, route/v1/types.go
	{"route.openshift.io", "Route"}: {by: []string{"haproxy-router"}, leads: []lead{
		{each: "spec", at: "to", path: "path", name: "name", kind: "kind", target: "spec.port.targetPort"},
		{each: "spec", at: "alternateBackends[]", path: "path", name: "name", kind: "kind", target: "spec.port.targetPort"}}},

	// traefik/traefik, pkg/provider/kubernetes/crd/traefikio/v1alpha1
	{"traefik.io", "IngressRoute"}:             traefikRoute,
	{"traefik.io", "IngressRouteTCP"}:          traefikRoute,
	{"traefik.io", "IngressRouteUDP"}:          traefikRoute,
	{"traefik.io", "TraefikService"}:           traefikService,
	{"traefik.io", "Middleware"}:               traefikMiddleware,
	{"traefik.containo.us", "IngressRoute"}:    traefikRoute,
	{"traefik.containo.us", "IngressRouteTCP"}: traefikRoute,
	{"traefik.containo.us", "IngressRouteUDP"}: traefikRoute,
	{"traefik.containo.us", "TraefikService"}:  traefikService,
	{"traefik.containo.us", "Middleware"}:      traefikMiddleware,

	// istio/api, networking/v1alpha3/virtual_service.proto
	{"networking.istio.io", "VirtualService"}: {served: ofIstioGateways, by: []string{"istio/proxyv2", "istio/pilot"}, own: []string{"spec.http[].route[].destination.subset", "spec.tls[].route[].destination.subset", "spec.tcp[].route[].destination.subset", "spec.http[].mirror.subset", "spec.http[].mirrors[].destination.subset"}, leads: []lead{
		toIstio.in("spec.http[]", "route[].destination").withPath("match[].uri.prefix"),
		toIstio.in("spec.http[]", "mirror"),
		toIstio.in("spec.http[]", "mirrors[].destination"),
		toIstio.in("spec.tls[]", "route[].destination"),
		toIstio.in("spec.tcp[]", "route[].destination"),
		{each: "spec.http[]", at: "delegate", name: "name", namespace: "namespace", to: "VirtualService"}}},

	// projectcontour/contour, apis/projectcontour/v1/httpproxy.go
	{"projectcontour.io", "HTTPProxy"}: {served: withVirtualHost, by: []string{"projectcontour/contour", "envoyproxy/envoy"}, leads: []lead{
		toService.in("spec.routes[]", "services[]").withPath("conditions[].prefix"),
		toService.in("spec.tcpproxy", "services[]"),
		onTo("HTTPProxy", "spec.includes[]", ""),
		onTo("HTTPProxy", "spec.tcpproxy.include", ""),
		onTo("HTTPProxy", "spec.tcpproxy.includes", "")}},

	// nginx/kubernetes-ingress, pkg/apis/configuration/v1/types.go
	{"k8s.nginx.org", "VirtualServer"}: {by: nginx, own: nginxOwn, leads: append(nginxUpstreams("spec.upstreams[]"),
		lead{each: "spec.routes[]", name: "route", to: "VirtualServerRoute"})},
	{"k8s.nginx.org", "VirtualServerRoute"}: {by: nginx, own: nginxOwn, served: asPart, leads: nginxUpstreams("spec.upstreams[]")},
	{"k8s.nginx.org", "TransportServer"}:    {by: nginx, own: nginxOwn, leads: nginxUpstreams("spec.upstreams[]")},

	// Kong/kubernetes-ingress-controller, pkg/apis/configuration/v1beta1/ingress_rules.go, and
	// pkg/apis/incubator/v1alpha1/kongservicefacade_types.go
	{"configuration.konghq.com", "TCPIngress"}: {by: []string{"kong/"}, leads: []lead{toNamed.in("spec.rules[]", "backend")}},
	{"configuration.konghq.com", "UDPIngress"}: {by: []string{"kong/"}, leads: []lead{toNamed.in("spec.rules[]", "backend")}},
	{"incubator.ingress-controller.konghq.com", "KongServiceFacade"}: {by: []string{"kong/"}, served: asPart,
		leads: []lead{toService.in("spec.backendRef", "")}},

	// emissary-ingress/emissary, pkg/api/getambassador.io/v3alpha1
	{"getambassador.io", "Mapping"}:    {by: emissary, leads: []lead{{each: "spec", path: "prefix", name: "service", host: true}}},
	{"getambassador.io", "TCPMapping"}: {by: emissary, leads: []lead{{each: "spec", name: "service", host: true}}},

	// apache/apisix-ingress-controller, api/v2
	{"apisix.apache.org", "ApisixRoute"}: {by: []string{"apisix"}, own: []string{"spec.http[].backends[].subset", "spec.stream[].backend.subset"}, leads: []lead{
		toNamed.in("spec.http[]", "backends[]"),
		toNamed.in("spec.http[]", "backend"), // before v2
		toNamed.in("spec.stream[]", "backend"),
		toNamed.in("spec.tcp[]", "backend"), // before v2
		onTo("ApisixUpstream", "spec.http[].upstreams[]", "")}},
	{"apisix.apache.org", "ApisixUpstream"}: {by: []string{"apisix"}, served: asPart, leads: []lead{
		{each: "spec.externalNodes[]", name: "name", port: "port", host: true}}},

	// zalando/skipper, dataclients/kubernetes/deploy/apply/routegroups_crd.yaml
	{"zalando.org", "RouteGroup"}: {by: []string{"skipper"}, own: []string{"spec.backends[].name", "spec.defaultBackends[].backendName", "spec.routes[].backends[].backendName"}, leads: []lead{
		{each: "spec.backends[]", name: "serviceName", port: "servicePort"},
		{each: "spec.backends[]", name: "address", host: true},
		{each: "spec.backends[].endpoints[]", host: true}}},

	// kubernetes-sigs/aws-load-balancer-controller, apis/elbv2: a load balancer made by hand.
	{"elbv2.k8s.aws", "TargetGroupBinding"}: {by: []string{}, leads: []lead{toService.in("spec.serviceRef", "")}},

	// ngrok/ngrok-operator, api/ngrok/v1alpha1/agentendpoint_types.go
	{"ngrok.k8s.ngrok.com", "AgentEndpoint"}: {by: []string{"ngrok/"}, leads: []lead{{each: "spec.upstream", name: "url", host: true}}},
	// adyanth/cloudflare-operator, api/v1alpha1/tunnelbinding_types.go
	{"networking.cfargotunnel.com", "TunnelBinding"}: {by: []string{"cloudflare/cloudflared"}, leads: []lead{
		{each: "subjects[]", name: "name", kind: "kind"},
		{each: "subjects[].spec", name: "target", host: true}}},
}

var (
	ingress = routeKind{leads: concat(
		ingressLeads("spec", "defaultBackend"), ingressLeads("spec", "backend"), ingressLeads("spec.rules[].http.paths[]", "backend")),
		served: byAnnotations}

	gatewayRoute = routeKind{served: ofGateways, leads: []lead{
		toRef.in("spec.rules[]", "backendRefs[]").withPath("matches[].path.value"),
		toRef.in("spec.rules[]", "filters[].requestMirror.backendRef"),
		toRef.in("spec.rules[]", "backendRefs[].filters[].requestMirror.backendRef")}}

	exported = routeKind{by: []string{}, leads: []lead{{each: "metadata", name: "name"}}}

	traefik      = []string{"traefik"}
	traefikRoute = routeKind{by: traefik, own: []string{"spec.routes[].services[].serversTransport", "spec.routes[].services[].middlewares"}, leads: []lead{
		toRef.in("spec.routes[]", "services[]"),
		{each: "spec.routes[]", at: "middlewares[]", name: "name", namespace: "namespace", to: "Middleware"}}}
	traefikService = routeKind{by: traefik, served: asPart, leads: []lead{
		toRef.in("spec.weighted.services[]", ""),
		toRef.in("spec.highestRandomWeight.services[]", ""),
		toRef.in("spec.mirroring", ""),
		toRef.in("spec.mirroring.mirrors[]", ""),
		toRef.in("spec.failover.service", ""),
		toRef.in("spec.failover.fallback", "")}}
	traefikMiddleware = routeKind{by: traefik, served: asPart, leads: []lead{
		toRef.in("spec.errors.service", ""),
		{each: "spec.chain.middlewares[]", name: "name", namespace: "namespace", to: "Middleware"}}}

	nginxOwn = []string{"spec.upstreams[].name", "spec.routes[].action", "spec.routes[].splits", "spec.routes[].matches", "spec.subroutes[]", "spec.action"}
	nginx    = []string{"nginx/nginx-ingress", "nginx-ic/nginx-plus-ingress"}
	emissary = []string{"emissary", "datawire/ambassador", "datawire/aes"}
)

// ingressLeads are the forms that a backend of an Ingress has: before v1 it had serviceName and
// servicePort.
func ingressLeads(each, at string) []lead {
	return []lead{
		toService.in(each, at+".service").withPath("path"),
		toNamed.in(each, at).withPath("path"),
		lead{name: "name", kind: "kind", to: "(none)"}.in(each, at+".resource"),
	}
}

func nginxUpstreams(each string) []lead {
	backup := lead{name: "backup", port: "backupPort"}
	return []lead{toNginx.in(each, ""), backup.in(each, "")}
}

func concat(lists ...[]lead) (out []lead) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}
