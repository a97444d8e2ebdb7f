package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// routesOf writes the routes of a snapshot and what they lead to, one a line:
// "HTTPRoute ns/name ns/service:80/path doubt ns/other:>8080", ">" before a port of the pods.
func routesOf(s *model.Snapshot) string {
	var out []string
	for _, r := range s.Routes {
		line := r.Kind + " " + r.Namespace + "/" + r.Name
		for _, b := range r.Backends {
			line += " " + b.Namespace + "/" + b.Service
			switch {
			case b.Target != 0:
				line += fmt.Sprintf(":>%d", b.Target)
			case b.PortName != "":
				line += ":" + b.PortName
			case b.Port != 0:
				line += fmt.Sprintf(":%d", b.Port)
			}
			line += b.Path + [...]string{"", " unsupported", " ungranted"}[b.Doubt]
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// leadable is what routes may lead to: two in namespace mcp, one in infra, and names for two of
// them.
const leadable = `
---
{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: orders, labels: {app: orders, tier: mcp}}, spec: {selector: {app: orders}, ports: [{name: web, port: 80, targetPort: 3000}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: notes, labels: {app: notes}}, spec: {selector: {app: notes}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: infra, name: auth, labels: {tier: mcp}}, spec: {selector: {app: auth}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: edge, name: alias}, spec: {type: ExternalName, externalName: orders.mcp.svc.cluster.local}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: edge, name: second}, spec: {type: ExternalName, externalName: alias.edge.svc}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: edge, name: loop}, spec: {type: ExternalName, externalName: loop.edge.svc}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: edge, name: away}, spec: {type: ExternalName, externalName: api.example.com}}
`

// TestRouteKinds reads manifests as the projects' own documentation writes them.
func TestRouteKinds(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"Gateway API, a mirror, a weight", `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: mcp}
spec:
  parentRefs: [{name: edge, namespace: infra}]
  hostnames: [orders.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /mcp}}]
    filters: [{type: RequestMirror, requestMirror: {backendRef: {name: notes, port: 80}}}]
    backendRefs: [{name: orders, port: 80, weight: 90}]`, "HTTPRoute mcp/r mcp/orders:80/mcp mcp/notes:80"},
		{"GRPCRoute, of an old version", `
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: GRPCRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: edge}], rules: [{matches: [{method: {service: orders.v1.Orders}}], backendRefs: [{name: orders, port: 80}]}]}`, "GRPCRoute mcp/r mcp/orders:80"},
		{"TLSRoute", `
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: edge, sectionName: tls}], rules: [{backendRefs: [{kind: Service, group: "", name: orders, port: 443}]}]}`, "TLSRoute mcp/r mcp/orders:443"},
		{"TCPRoute and UDPRoute", `
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: orders, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: UDPRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: notes, port: 53}]}]}`, "TCPRoute mcp/r mcp/orders:80\nUDPRoute mcp/r mcp/notes:53"},
		{"HTTPRoute to Services of other clusters, which are perhaps of this one", `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{group: net.gke.io, kind: ServiceImport, name: orders, port: 80}]}]}
---
apiVersion: net.gke.io/v1
kind: ServiceExport
metadata: {name: notes, namespace: mcp}`, "HTTPRoute mcp/r mcp/orders:80\nServiceExport mcp/notes mcp/notes"},
		{"Envoy Gateway's Backend", `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: b}]}]}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: b, namespace: mcp}
spec: {endpoints: [{fqdn: {hostname: orders.mcp.svc.cluster.local, port: 80}}, {fqdn: {hostname: api.example.com, port: 443}}, {ip: {address: 192.0.2.1, port: 80}}]}`, "HTTPRoute mcp/r mcp/orders:80"},
		{"Envoy AI Gateway's MCPRoute", `
apiVersion: aigateway.envoyproxy.io/v1alpha1
kind: MCPRoute
metadata: {name: m, namespace: mcp}
spec:
  parentRefs: [{name: aigw, kind: Gateway, group: gateway.networking.k8s.io}]
  path: /mcp
  backendRefs: [{name: orders, port: 80, path: /mcp, toolSelector: {include: [list]}}]`, "MCPRoute mcp/m mcp/orders:80/mcp"},
		{"Envoy AI Gateway's AIGatewayRoute, to a server of models", `
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIGatewayRoute
metadata: {name: m, namespace: mcp}
spec:
  parentRefs: [{name: aigw, kind: Gateway, group: gateway.networking.k8s.io}]
  rules: [{matches: [{headers: [{type: Exact, name: x-ai-eg-model, value: m}]}], backendRefs: [{name: model, weight: 1}]}]
---
apiVersion: aigateway.envoyproxy.io/v1beta1
kind: AIServiceBackend
metadata: {name: model, namespace: mcp}
spec: {schema: {name: OpenAI}, backendRef: {group: gateway.envoyproxy.io, kind: Backend, name: model}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: model, namespace: mcp}
spec: {endpoints: [{fqdn: {hostname: notes.mcp.svc.cluster.local, port: 80}}]}`, "AIGatewayRoute mcp/m mcp/notes:80"},
		{"agentgateway's backend, by name and by labels", `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: agw}], rules: [{backendRefs: [{group: agentgateway.dev, kind: AgentgatewayBackend, name: tools}]}]}
---
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {name: tools, namespace: mcp}
spec:
  mcp:
    targets:
    - {name: a, static: {host: notes.mcp.svc.cluster.local, port: 80, protocol: StreamableHTTP}}
    - {name: b, selector: {services: {matchLabels: {tier: mcp}}}}`, "HTTPRoute mcp/r mcp/notes:80 mcp/orders"},
		{"and in other namespaces", `
apiVersion: agentgateway.dev/v1alpha1
kind: AgentgatewayBackend
metadata: {name: tools, namespace: mcp}
spec: {mcp: {targets: [{name: b, selector: {namespaces: {}, services: {matchLabels: {tier: mcp}}}}]}}`, "AgentgatewayBackend mcp/tools mcp/orders infra/auth"},
		{"kgateway's delegation, by name, to all of a namespace, and to none", `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: root, namespace: infra}
spec:
  parentRefs: [{name: http}]
  rules:
  - {matches: [{path: {value: /a}}], backendRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: "*", namespace: mcp}]}
  - {matches: [{path: {value: /b}}], backendRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: child, namespace: infra}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: child, namespace: infra}
spec: {rules: [{backendRefs: [{name: auth, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: child, namespace: mcp}
spec: {rules: [{matches: [{path: {value: /a/1}}], backendRefs: [{name: orders, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: empty, namespace: mcp}
spec: {rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]}`, "HTTPRoute infra/root infra/auth:80\nHTTPRoute mcp/child mcp/orders:80/a/1"},
		{"kgateway's Backend, with a reference from another route", `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: mcp}
spec: {parentRefs: [{name: gw}], rules: [{backendRefs: [{group: gateway.kgateway.dev, kind: Backend, name: static}]}]}
---
apiVersion: gateway.kgateway.dev/v1alpha1
kind: Backend
metadata: {name: static, namespace: mcp}
spec: {type: Static, static: {hosts: [{host: orders.mcp.svc.cluster.local, port: 80}]}}`, "HTTPRoute mcp/r mcp/orders:80"},

		{"OpenShift Route, by port of the pods", `
apiVersion: route.openshift.io/v1
kind: Route
metadata: {name: orders, namespace: mcp}
spec:
  host: orders.apps.example.com
  path: /mcp
  to: {kind: Service, name: orders, weight: 100}
  alternateBackends: [{kind: Service, name: notes, weight: 10}]
  port: {targetPort: 3000}
  tls: {termination: edge}
  wildcardPolicy: None`, "Route mcp/orders mcp/orders:>3000/mcp mcp/notes:>3000/mcp"},
		{"and by name", `
apiVersion: route.openshift.io/v1
kind: Route
metadata: {name: orders, namespace: mcp}
spec: {to: {name: orders}, port: {targetPort: web}}`, "Route mcp/orders mcp/orders:web"},

		{"Traefik", `
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: r, namespace: mcp}
spec:
  entryPoints: [websecure]
  routes:
  - kind: Rule
    match: Host(` + "`orders.example.com`" + `)
    middlewares: [{name: pages}]
    services:
    - {name: orders, port: 80, serversTransport: notes}
    - {kind: TraefikService, name: api@internal}
    - {kind: TraefikService, name: split}
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: split, namespace: mcp}
spec: {weighted: {services: [{name: mirrored, kind: TraefikService, weight: 1}]}}
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: mirrored, namespace: mcp}
spec: {mirroring: {name: orders, port: web, mirrors: [{name: notes, port: "80", percent: 20}, {name: split, kind: TraefikService}]}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: pages, namespace: mcp}
spec: {errors: {status: ["500-599"], query: /error, service: {name: auth, namespace: infra, port: 80}}}`,
			"IngressRoute mcp/r mcp/orders:80 infra/auth:80 mcp/orders:web mcp/notes:80"},
		{"the old group, TCP and UDP", `
apiVersion: traefik.containo.us/v1alpha1
kind: IngressRouteTCP
metadata: {name: r, namespace: edge}
spec: {routes: [{match: "HostSNI(` + "`*`" + `)", services: [{name: orders, namespace: mcp, port: 80}]}]}
---
apiVersion: traefik.containo.us/v1alpha1
kind: IngressRouteUDP
metadata: {name: r, namespace: mcp}
spec: {routes: [{services: [{name: notes, port: 80}]}]}`, "IngressRouteTCP edge/r mcp/orders:80\nIngressRouteUDP mcp/r mcp/notes:80"},

		{"Istio, with all forms of hosts", `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: mcp}
spec:
  hosts: [orders.example.com]
  gateways: [infra/edge, mesh]
  http:
  - match: [{uri: {prefix: /mcp}}]
    route: [{destination: {host: orders, port: {number: 80}}, weight: 90}, {destination: {host: notes.mcp.svc.cluster.local}}]
    mirror: {host: auth.infra}
  - match: [{gateways: [mesh]}]
    route: [{destination: {host: alias.edge.svc.cluster.local}}]
  tls: [{match: [{port: 443, sniHosts: [a.example.com]}], route: [{destination: {host: auth.infra.svc, port: {number: 443}}}]}]
  tcp: [{route: [{destination: {host: api.example.com}}]}]`,
			"VirtualService mcp/v mcp/orders:80/mcp mcp/notes/mcp infra/auth infra/auth:443"},
		{"Istio inside the mesh alone", `
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: a, namespace: mcp}
spec: {hosts: [orders], http: [{route: [{destination: {host: orders}}]}]}
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: b, namespace: mcp}
spec: {hosts: [orders], gateways: [mesh], http: [{delegate: {name: c}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: c, namespace: mcp}
spec: {http: [{route: [{destination: {host: orders}}]}]}`, ""},
		{"Istio, a match that names a gateway, and a delegate", `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: mcp}
spec:
  hosts: [orders]
  http:
  - {match: [{gateways: [infra/edge]}], delegate: {name: c, namespace: infra}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: c, namespace: infra}
spec: {http: [{route: [{destination: {host: auth}}]}]}`, "VirtualService mcp/a infra/auth"},

		{"Contour, with includes in a circle", `
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: root, namespace: edge}
spec:
  virtualhost: {fqdn: orders.example.com, tls: {secretName: notes}}
  includes: [{name: child, namespace: mcp, conditions: [{prefix: /mcp}]}]
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: child, namespace: mcp}
spec:
  routes: [{conditions: [{prefix: /v1}], services: [{name: orders, port: 80}, {name: notes, port: 80, mirror: true}]}]
  includes: [{name: child}, {name: root, namespace: edge}]
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: tcp, namespace: infra}
spec: {virtualhost: {fqdn: a.example.com}, tcpproxy: {services: [{name: auth, port: 80}]}}`,
			"HTTPProxy edge/root mcp/orders:80/v1 mcp/notes:80/v1\nHTTPProxy infra/tcp infra/auth:80"},
		{"Contour, a child whose root is elsewhere", `
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: child, namespace: mcp}
spec: {routes: [{services: [{name: orders, port: 80}]}]}`, "HTTPProxy mcp/child mcp/orders:80"},

		{"NGINX Inc.", `
apiVersion: k8s.nginx.org/v1
kind: VirtualServer
metadata: {name: v, namespace: edge}
spec:
  host: orders.example.com
  upstreams: [{name: alias, service: away, port: 80}]
  routes: [{path: /, action: {pass: alias}}, {path: /mcp, route: mcp/sub}]
---
apiVersion: k8s.nginx.org/v1
kind: VirtualServerRoute
metadata: {name: sub, namespace: mcp}
spec: {host: orders.example.com, upstreams: [{name: o, service: orders, port: 80, backup: notes, backupPort: 80}], subroutes: [{path: /mcp, action: {pass: o}}]}
---
apiVersion: k8s.nginx.org/v1
kind: TransportServer
metadata: {name: t, namespace: infra}
spec: {listener: {name: tcp, protocol: TCP}, upstreams: [{name: a, service: auth, port: 80}], action: {pass: a}}`,
			"VirtualServer edge/v edge/away:80 mcp/orders:80 mcp/notes:80\nTransportServer infra/t infra/auth:80"},
		{"Kong", `
apiVersion: configuration.konghq.com/v1beta1
kind: TCPIngress
metadata: {name: t, namespace: mcp}
spec: {rules: [{port: 9000, backend: {serviceName: orders, servicePort: 80}}]}
---
apiVersion: configuration.konghq.com/v1beta1
kind: UDPIngress
metadata: {name: u, namespace: mcp}
spec: {rules: [{port: 9001, backend: {serviceName: notes, servicePort: 80}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: mcp}
spec: {ingressClassName: kong, rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {resource: {apiGroup: incubator.ingress-controller.konghq.com, kind: KongServiceFacade, name: f}}}]}}]}
---
apiVersion: incubator.ingress-controller.konghq.com/v1alpha1
kind: KongServiceFacade
metadata: {name: f, namespace: mcp}
spec: {backendRef: {name: orders, port: 80}}`,
			"Ingress mcp/i mcp/orders:80\nTCPIngress mcp/t mcp/orders:80\nUDPIngress mcp/u mcp/notes:80"},
		{"Emissary", `
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: {name: m, namespace: edge}
spec: {hostname: "*", prefix: /mcp/, service: "https://orders.mcp:8443"}
---
apiVersion: getambassador.io/v2
kind: Mapping
metadata: {name: short, namespace: mcp}
spec: {prefix: /notes/, service: notes}
---
apiVersion: getambassador.io/v3alpha1
kind: TCPMapping
metadata: {name: t, namespace: mcp}
spec: {port: 9000, service: "orders.mcp.svc.cluster.local:80"}`,
			"Mapping edge/m mcp/orders:8443/mcp/\nMapping mcp/short mcp/notes/notes/\nTCPMapping mcp/t mcp/orders:80"},
		{"APISIX", `
apiVersion: apisix.apache.org/v2
kind: ApisixRoute
metadata: {name: r, namespace: mcp}
spec:
  http: [{name: orders, match: {hosts: [a.example.com], paths: [/mcp*]}, backends: [{serviceName: orders, servicePort: web}], upstreams: [{name: u}]}]
  stream: [{name: tcp, protocol: TCP, match: {ingressPort: 9100}, backend: {serviceName: notes, servicePort: 80}}]
---
apiVersion: apisix.apache.org/v2
kind: ApisixUpstream
metadata: {name: u, namespace: mcp}
spec: {externalNodes: [{type: Domain, name: auth.infra.svc.cluster.local, port: 80}]}`,
			"ApisixRoute mcp/r mcp/orders:web mcp/notes:80 infra/auth:80"},
		{"Skipper", `
apiVersion: zalando.org/v1
kind: RouteGroup
metadata: {name: r, namespace: mcp}
spec:
  hosts: [orders.example.org]
  backends:
  - {name: notes, type: service, serviceName: orders, servicePort: 80}
  - {name: lb, type: lb, endpoints: ["http://auth.infra.svc.cluster.local:80"]}
  routes: [{pathSubtree: /, backends: [{backendName: notes}]}]`, "RouteGroup mcp/r mcp/orders:80 infra/auth:80"},
		{"a target group of AWS, an agent of ngrok, a tunnel of Cloudflare", `
apiVersion: elbv2.k8s.aws/v1beta1
kind: TargetGroupBinding
metadata: {name: t, namespace: mcp}
spec: {serviceRef: {name: orders, port: 80}, targetGroupARN: "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/t/1", targetType: ip}
---
apiVersion: ngrok.k8s.ngrok.com/v1alpha1
kind: AgentEndpoint
metadata: {name: agent, namespace: mcp}
spec: {url: "https://orders.ngrok.app", upstream: {url: "http://orders.mcp:80"}}
---
apiVersion: networking.cfargotunnel.com/v1alpha1
kind: TunnelBinding
metadata: {name: c, namespace: mcp}
subjects: [{name: orders, spec: {fqdn: orders.example.com}}, {kind: Service, name: notes}]
tunnelRef: {kind: ClusterTunnel, name: orders}`,
			"AgentEndpoint mcp/agent mcp/orders:80\nTargetGroupBinding mcp/t mcp/orders:80\nTunnelBinding mcp/c mcp/orders mcp/notes"},

		{"backends that annotations give an Ingress", `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i
  namespace: mcp
  annotations:
    alb.ingress.kubernetes.io/actions.split: >
      {"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"orders","ServicePort":"80","Weight":20},{"serviceName":"notes","servicePort":80},{"TargetGroupArn":"arn"}]}}
    nginx.ingress.kubernetes.io/default-backend: notes
    nginx.ingress.kubernetes.io/mirror-target: https://auth.infra.svc.cluster.local$request_uri
spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: split, port: {name: use-annotation}}}}]}}]}`,
			"Ingress mcp/i mcp/notes infra/auth mcp/orders:80 mcp/notes:80 mcp/split:use-annotation/"},
		{"Services that annotations publish", `
{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: tail, annotations: {tailscale.com/expose: 'true'}}, spec: {selector: {app: orders}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: neg, annotations: {cloud.google.com/neg: '{"exposed_ports": {"80": {"name": "orders"}}}'}}, spec: {selector: {app: orders}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: old, annotations: {getambassador.io/config: "apiVersion: getambassador.io/v2\nkind: Mapping\nservice: old"}}, spec: {selector: {app: orders}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: mcp, name: neither, annotations: {tailscale.com/expose: 'false', cloud.google.com/neg: '{"ingress": true}'}}, spec: {selector: {app: orders}, ports: [{port: 80}]}}`,
			"getambassador.io/config of Service mcp/old mcp/old unsupported\nnetwork endpoint group of Service mcp/neg mcp/neg:80\ntailnet of Service mcp/tail mcp/tail"},
		{"names for Services of other namespaces", `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: edge}
spec: {defaultBackend: {service: {name: second, port: {number: 80}}}, rules: [{http: {paths: [{path: /a, backend: {service: {name: loop, port: {number: 80}}}}, {path: /b, backend: {service: {name: away, port: {number: 80}}}}]}}]}`,
			"Ingress edge/i edge/second:80 edge/loop:80/a edge/away:80/b edge/alias edge/loop/a mcp/orders"},
	} {
		s := load(tt.text + leadable)
		if got := problems(s); got != "" {
			t.Errorf("%s: problems %s", tt.name, got)
		}
		if got := routesOf(s); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestPerhapsRoutes reads kinds that are not supported, and fields of others that are not: what
// names a Service there perhaps leads to it.
func TestPerhapsRoutes(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a host name", "{apiVersion: ingress.pomerium.example/v1, kind: EdgeRoute, metadata: {name: r, namespace: edge}, spec: {to: [\"http://orders.mcp.svc.cluster.local:80\"]}}",
			"EdgeRoute.ingress.pomerium.example edge/r mcp/orders unsupported"},
		{"a short host name with a namespace", "{apiVersion: example.com/v1, kind: TCPMapping, metadata: {name: r, namespace: edge}, spec: {address: 'orders.mcp:80'}}",
			"TCPMapping.example.com edge/r mcp/orders unsupported"},
		{"a name with a namespace beside it", "{apiVersion: gateway.solo.io/v1, kind: VirtualService, metadata: {name: v, namespace: edge}, spec: {virtualHost: {routes: [{routeAction: {single: {kube: {ref: {name: orders, namespace: mcp}, port: 80}}}}]}}}",
			"VirtualService.gateway.solo.io edge/v mcp/orders unsupported"},
		{"one of its own namespace", "{apiVersion: voyager.appscode.com/v1beta1, kind: Ingress, metadata: {name: i, namespace: mcp}, spec: {rules: [{http: {paths: [{backend: {serviceName: orders}}]}}]}}",
			"Ingress.voyager.appscode.com mcp/i mcp/orders unsupported"},
		{"in two words", "{apiVersion: example.com/v1, kind: Tunnel, metadata: {name: i, namespace: edge}, spec: {to: mcp/orders}}",
			"Tunnel.example.com edge/i mcp/orders unsupported"},
		{"OpenShift 3", "{apiVersion: v1, kind: Route, metadata: {name: r, namespace: mcp}, spec: {to: {kind: Service, name: orders}}}",
			"Route mcp/r mcp/orders unsupported"},

		// Controls: nothing to do with a Service, or not by a field of it.
		{"no Service of that name", "{apiVersion: example.com/v1, kind: EdgeRoute, metadata: {name: r, namespace: edge}, spec: {to: orders, host: orders.example.com}}", ""},
		{"in its metadata and status", "{apiVersion: example.com/v1, kind: EdgeRoute, metadata: {name: orders, namespace: mcp, labels: {app: orders}}, status: {service: orders}}", ""},
		{"a kind that does not route", "{apiVersion: example.com/v1, kind: Probe, metadata: {name: r, namespace: mcp}, spec: {service: orders}}", ""},
		{"a policy for backends", "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: p, namespace: mcp}, spec: {targetRefs: [{group: '', kind: Service, name: orders}]}}", ""},
		{"a mesh's own routes", "{apiVersion: policy.linkerd.io/v1beta3, kind: HTTPRoute, metadata: {name: r, namespace: mcp}, spec: {parentRefs: [{kind: Server, group: policy.linkerd.io, name: orders}]}}", ""},

		// Fields of supported kinds.
		{"a filter to come", "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: mcp}, spec: {parentRefs: [{name: g}], rules: [{backendRefs: [{name: notes, port: 80}], filters: [{type: New, new: {backendRef: {name: orders}}}]}]}}",
			"HTTPRoute mcp/r mcp/notes:80 mcp/orders unsupported"},
		{"a backend to come", "{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: s, namespace: mcp}, spec: {newest: {services: [orders], fallback: notes}}}",
			"TraefikService mcp/s mcp/notes unsupported mcp/orders unsupported"},
		{"in another namespace", "{apiVersion: route.openshift.io/v1, kind: Route, metadata: {name: r, namespace: edge}, spec: {to: {name: away}, spareBackends: [{name: auth, namespace: infra}]}}",
			"Route edge/r edge/away infra/auth unsupported"},
		{"what is no backend", "{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: r, namespace: mcp}, spec: {tls: {secretName: orders}, routes: [{match: orders, services: [{name: notes, serversTransport: orders, sticky: {cookie: {}}}]}]}}",
			"IngressRoute mcp/r mcp/notes"},
		{"a route of the mesh alone", "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: mcp}, spec: {parentRefs: [{kind: Service, name: orders}], rules: [{backendRefs: [{name: orders}], newBackends: [orders]}]}}", ""},
		{"hosts that are the Service's own name", "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v, namespace: mcp}, spec: {hosts: [orders], gateways: [g], http: [{name: orders, route: [{destination: {host: notes, subset: orders}}]}]}}",
			"VirtualService mcp/v mcp/notes"},
	} {
		s := load(tt.text + leadable)
		if got := problems(s); got != "" {
			t.Errorf("%s: problems %s", tt.name, got)
		}
		if got := routesOf(s); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestAttachedRoutes asks the Gateways of the input whether they take a route on.
func TestAttachedRoutes(t *testing.T) {
	const (
		route   = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: mcp}, spec: {parentRefs: [{name: g, namespace: infra%s}], rules: [{backendRefs: [{name: orders}]}]}}\n---\n"
		gateway = "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: %s}, spec: {listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: %s}]}}\n---\n"
		home    = "{apiVersion: v1, kind: Namespace, metadata: {name: mcp, labels: {expose: 'true'}}}\n"
	)
	for _, tt := range []struct {
		name, ref, namespace, allowed string
		want                          bool
	}{
		{"all", "", "infra", "{namespaces: {from: All}}", true},
		{"its own alone", "", "infra", "{namespaces: {from: Same}}", false},
		{"its own alone, which is the default", "", "infra", "{}", false},
		{"none", "", "infra", "{namespaces: {from: None}}", false},
		{"by a label that the namespace has", "", "infra", "{namespaces: {from: Selector, selector: {matchLabels: {expose: 'true'}}}}", true},
		{"by one that it has not", "", "infra", "{namespaces: {from: Selector, selector: {matchLabels: {expose: 'no'}}}}", false},
		{"by something to come", "", "infra", "{namespaces: {from: Sometimes}}", true},
		{"another kind", "", "infra", "{namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}", false},
		{"its kind", "", "infra", "{namespaces: {from: All}, kinds: [{kind: GRPCRoute}, {kind: HTTPRoute}]}", true},
		{"another listener", ", sectionName: https", "infra", "{namespaces: {from: All}}", false},
		{"another port", ", port: 443", "infra", "{namespaces: {from: All}}", false},
		{"its listener", ", sectionName: http, port: 80", "infra", "{namespaces: {from: All}}", true},
		{"another Gateway", "", "other", "{namespaces: {from: Same}}", true},
		{"no Gateway but a set of listeners", ", kind: ListenerSet", "infra", "{namespaces: {from: Same}}", true},
	} {
		s := load(fmt.Sprintf(route+gateway, tt.ref, tt.namespace, tt.allowed) + home + leadable)
		if got := routesOf(s); problems(s) != "" || (got != "") != tt.want {
			t.Errorf("%s: %q, problems %q", tt.name, got, problems(s))
		}
	}
	s := load(fmt.Sprintf(route+gateway, "", "infra", "[]") + home + leadable)
	mcp := strings.ReplaceAll(fmt.Sprintf(route+gateway, "", "infra", "{namespaces: {from: All}, kinds: [{kind: HTTPRoute}]}"), "gateway.networking.k8s.io/v1, kind: HTTPRoute", "aigateway.envoyproxy.io/v1alpha1, kind: MCPRoute")
	mcp = strings.Replace(mcp, "rules: [{backendRefs: [{name: orders}]}]", "backendRefs: [{name: orders}]", 1)
	same(t, "a kind that becomes an HTTPRoute", routesOf(load(mcp+home+leadable)), "MCPRoute mcp/r mcp/orders")
	same(t, "a Gateway that cannot be read", routesOf(s), "HTTPRoute mcp/r mcp/orders")
	same(t, "and says so", problems(s), "TM902 3 spec.listeners[0].allowedRoutes: wants a map, has a list")
}

// TestReferenceGrants asks those of the input whether a route may lead to other namespaces.
func TestReferenceGrants(t *testing.T) {
	for grant, want := range map[string]string{
		"": "HTTPRoute edge/r mcp/orders ungranted",
		"from: [{kind: HTTPRoute, group: gateway.networking.k8s.io, namespace: edge}], to: [{kind: Service, group: ''}]":               "HTTPRoute edge/r mcp/orders",
		"from: [{kind: HTTPRoute, group: gateway.networking.k8s.io, namespace: edge}], to: [{kind: Service, group: '', name: orders}]": "HTTPRoute edge/r mcp/orders",
		"from: [{kind: HTTPRoute, group: gateway.networking.k8s.io, namespace: edge}], to: [{kind: Service, group: '', name: notes}]":  "HTTPRoute edge/r mcp/orders ungranted",
		"from: [{kind: HTTPRoute, group: gateway.networking.k8s.io, namespace: edge}], to: [{kind: Secret, group: ''}]":                "HTTPRoute edge/r mcp/orders ungranted",
		"from: [{kind: TLSRoute, group: gateway.networking.k8s.io, namespace: edge}], to: [{kind: Service, group: ''}]":                "HTTPRoute edge/r mcp/orders ungranted",
		"from: [{kind: HTTPRoute, group: gateway.networking.k8s.io, namespace: infra}], to: [{kind: Service, group: ''}]":              "HTTPRoute edge/r mcp/orders ungranted",
	} {
		text := "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: edge}, spec: {parentRefs: [{name: g}], rules: [{backendRefs: [{name: orders, namespace: mcp}]}]}}\n"
		if grant != "" {
			text += "---\n{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: g, namespace: mcp}, spec: {" + grant + "}}\n"
		}
		if s := load(text + leadable); routesOf(s) != want || problems(s) != "" {
			t.Errorf("%s: %s, want %s, problems %q", grant, routesOf(s), want, problems(s))
		}
	}
}

// TestBrokenRoutes says with the line what of a route cannot be read.
func TestBrokenRoutes(t *testing.T) {
	for _, tt := range []struct{ text, routes, problems string }{
		{"apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r, namespace: mcp}\nspec:\n  routes:\n  - services: {name: orders}", "",
			"TM902 6 spec.routes[0].services: wants a list, has a map"},
		{"apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: r, namespace: mcp}\nspec:\n  routes:\n  - services: [{name: [orders]}, {name: notes, port: 99999}]", "IngressRoute mcp/r mcp/notes",
			"TM902 6 spec.routes[0].services[0].name: wants a text, has a list\nTM902 6 spec.routes[0].services[1].port: not a port: 99999 (ports run from 1 to 65535)"},
		{"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v, namespace: mcp}\nspec:\n  hosts: [a]\n  gateways: g\n  http: [{route: [{destination: {host: orders}}]}]", "",
			"TM902 6 spec.gateways: wants a list, has a text"},
		{"apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: r, namespace: mcp}\nspec: nothing", "", "TM902 4 spec: wants a map, has a text"},
		{"apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: r, namespace: mcp}\nspec:\n  to: {name: Orders_1}", "Route mcp/r mcp/Orders_1",
			"TM902 5 spec.to.name: not a valid name: \"Orders_1\" (lower case letters, digits and '-', at most 63 of them)"},
		{"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: i\n  namespace: mcp\n  annotations:\n    alb.ingress.kubernetes.io/actions.a: '{\"type'\n", "",
			"TM902 7 metadata.annotations[\"alb.ingress.kubernetes.io/actions.a\"]: not an action"},
	} {
		s := load(tt.text + leadable)
		same(t, "routes", routesOf(s), tt.routes)
		same(t, "problems", problems(s), tt.problems)
	}
}

// TestHostileRoutes demands that what leads on and on ends, and says so.
func TestHostileRoutes(t *testing.T) {
	var chain, names, parts strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&chain, "{apiVersion: projectcontour.io/v1, kind: HTTPProxy, metadata: {name: p%d, namespace: mcp}, spec: {virtualhost: {fqdn: a}, includes: [{name: p%d}]}}\n---\n", i, i+1)
		fmt.Fprintf(&names, "n%d, ", i)
		fmt.Fprintf(&parts, "{name: s%d, port: 80}, ", i%1000)
	}
	s := load(chain.String() + leadable)
	if n := strings.Count(problems(s), "leads on over more than 256 objects"); n == 0 || n > 2000 {
		t.Errorf("%d problems of a chain: %.200s", n, problems(s))
	}
	s = load("{apiVersion: example.com/v1, kind: EdgeRoute, metadata: {name: r, namespace: mcp}, spec: {names: [" + names.String() + "]}}" + leadable)
	same(t, "names", problems(s), "TM901 1 has more than 1000 names that may be a Service's; not all were read")
	s = load("{apiVersion: traefik.io/v1alpha1, kind: IngressRoute, metadata: {name: r, namespace: mcp}, spec: {routes: [{services: [" + parts.String() + "]}]}}" + leadable)
	if n := len(s.Routes[0].Backends); n != 1000 || problems(s) != "" {
		t.Errorf("%d backends, %s", n, problems(s))
	}
	deep := strings.Repeat("{a: ", 200) + "orders" + strings.Repeat("}", 200)
	s = load("{apiVersion: example.com/v1, kind: EdgeRoute, metadata: {name: r, namespace: mcp}, spec: " + deep + "}" + leadable)
	same(t, "deep", routesOf(s), "EdgeRoute.example.com mcp/r mcp/orders unsupported")
}
