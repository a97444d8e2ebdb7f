package discover

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/catalog"
)

// subject is one workload with what signals look at.
type subject struct {
	w        *model.Workload
	units    []unit            // the containers that decide
	inits    []model.Container // what runs before them
	labels   label.Set         // of the pods, and of the object where the pods have none
	services []*model.Service  // that select its pods
	routes   []*model.Backend  // that lead to those Services
	foreign  bool              // "mcp" in its names most likely means something else
	store    bool              // every container is a database or the like
}

// unit is one container that decides what the workload is.
type unit struct {
	*model.Container
	image    catalog.Image // zero if the reference cannot be read
	nature   nature        // of the image
	programs []program
}

// at is where the container is written.
func (s *subject) at(c *model.Container) origin.Origin {
	if c.Line == 0 {
		return s.w.Origin
	}
	return s.w.Origin.At(c.Line)
}

// sidecars are containers that stand beside any workload and say nothing about it, by container
// name or image name.
var sidecars = []string{
	"istio-proxy", "proxyv2", "linkerd-proxy", "kuma-sidecar", "consul-dataplane", "daprd",
	"vault-agent", "vault", "cloud-sql-proxy", "cloudsql-proxy", "alloydb-auth-proxy", "oauth2-proxy", "kube-rbac-proxy",
	"fluent-bit", "fluentd", "filebeat", "promtail", "vector", "datadog-agent", "otel-collector", "otc-container", "opentelemetry-collector", "opentelemetry-collector-contrib",
	"config-reloader", "git-sync", "k8s-sidecar", "reloader",
}

// maxPodsRead bounds how many pods of a workload are asked which Services select them.
const maxPodsRead = 32

// read gathers what is known of a workload.
func read(w *model.Workload, x *index) *subject {
	s := &subject{w: w, labels: w.Labels, foreign: isForeign(w.Name) || isForeign(w.Namespace)}
	if len(w.Pods) > 0 {
		s.labels = w.Pods[0].Labels.Set()
		for i := range w.Pods { // a rollout has pods of the old template beside those of the new
			for _, service := range x.servicesOf(w.Namespace, w.Pods[i].Labels, w.Pods[i].Labels.Set()) {
				if !slices.Contains(s.services, service) {
					s.services = append(s.services, service)
				}
			}
			if i == maxPodsRead {
				break
			}
		}
		for k, v := range w.Labels {
			if _, ok := s.labels[k]; !ok {
				s.labels[k] = v
			}
		}
		for _, service := range s.services {
			s.routes = append(s.routes, x.routes[ref{service.Namespace, service.Name}]...)
		}
	}
	s.units = make([]unit, 0, len(w.Containers))
	for i := range w.Containers {
		c := &w.Containers[i]
		if c.Init && !c.Sidecar {
			s.inits = append(s.inits, *c)
			continue
		}
		u := unit{Container: c}
		u.image, _ = catalog.ParseImage(c.Image)
		if slices.Contains(sidecars, c.Name) || slices.Contains(sidecars, u.image.Base()) {
			continue
		}
		u.nature = imageNature(u.image)
		u.programs = programs(c, u.image)
		s.foreign = s.foreign || isForeign(u.image.Path)
		s.store = (s.store || len(s.units) == 0) && slices.Contains(stores, u.image.Base())
		s.units = append(s.units, u)
	}
	return s
}

// servers yields the containers that may be servers: those whose image is not a gateway's.
func (s *subject) servers(yield func(*unit) bool) {
	for i := range s.units {
		if s.units[i].nature != namesGateway && !yield(&s.units[i]) {
			return
		}
	}
}

// isForeign reports whether a name is of OpenShift's machine config pools or of Istio's mesh
// configuration protocol, which are MCP too.
func isForeign(name string) bool {
	return hasAnyToken(name, "istio", "istiod", "galley", "pilot", "machineconfigpool") || hasToken(name, "machine") && hasToken(name, "config")
}

// stores are images of databases and the like: one called mcp-redis serves an MCP server rather
// than being one.
var stores = []string{
	"postgres", "postgresql", "pgvector", "redis", "valkey", "keydb", "mysql", "mariadb", "mongo", "mongodb", "memcached", "rabbitmq", "nats", "kafka", "minio",
	"elasticsearch", "opensearch", "qdrant", "chroma", "neo4j", "clickhouse-server", "keycloak", "etcd", "prometheus", "grafana",
}

// imageNature judges an image by its repository path.
func imageNature(image catalog.Image) nature {
	base, parents := image.Base(), strings.TrimSuffix(image.Path, image.Base())
	if _, ok := bridges[base]; ok && base != "agentgateway" && base != "thv-proxyrunner" {
		return unnamed // what it starts decides
	}
	for _, path := range gatewayImages {
		if endsWith(image.Path, path) {
			return namesGateway
		}
	}
	for _, path := range otherImages {
		if endsWith(image.Path, path) {
			return namesOther
		}
	}
	for _, family := range serverFamilies {
		if (strings.HasPrefix(parents, family.parent) || strings.Contains(parents, "/"+family.parent)) && (family.base == "" || family.base == base) && !slices.Contains(gatewayWords, base) {
			return namesServer
		}
	}
	if n := natureOf(base); n != unnamed || parents == "" {
		return n
	}
	return natureOf(parents + base)
}

// endsWith reports whether the last segments of path are those of end.
func endsWith(path, end string) bool {
	rest, ok := strings.CutSuffix(path, end)
	return ok && (rest == "" || rest[len(rest)-1] == '/')
}

// gatewayImages are repository paths, or ends of them, of known gateways and platforms that call
// servers.
var gatewayImages = []string{
	"docker/mcp-gateway", "ibm/mcp-context-forge", "mcp-context-forge", "mcpgateway", "kuadrant/mcp-gateway", "microsoft/mcp-gateway", "agentgateway",
	"obot-platform/obot", "mcpjungle", "metamcp", "mcphub", "mcp-hub", "archestra/platform", "archestra-ai/platform", "archestra-ai/archestra",
	"agentic-community/mcp-gateway-registry", "stacklok/toolhive/proxyrunner", "thv-proxyrunner", "stacklok/toolhive/vmcp",
}

// otherImages have "mcp" in their path and are neither servers nor gateways.
var otherImages = []string{"modelcontextprotocol/registry", "modelcontextprotocol/inspector"}

// serverFamilies are repositories that hold nothing but servers: docker/mcp-registry (its images
// are mcp/*), stacklok/dockyard, obot-platform/mcp-images and stackloklabs.
var serverFamilies = []struct{ parent, base string }{
	{parent: "stacklok/dockyard/npx/"}, {parent: "stacklok/dockyard/uvx/"}, {parent: "stacklok/dockyard/go/"},
	{parent: "obot-platform/mcp-images/"}, {parent: "stackloklabs/", base: "server"}, {parent: "mcp/"},
}

// annotated returns the role that the workload's annotations give it; ok is false if they say
// nothing. NoRole means it is to be left out.
func (s *subject) annotated() (model.Role, model.Evidence, bool) {
	say := func(role model.Role, key string) (model.Role, model.Evidence, bool) {
		return role, model.Evidence{Signal: "annotation", Detail: "annotation " + key + " says " + role.String(), Strong: true, Origin: s.w.Origin}, true
	}
	const serverKey, roleKey = "toolmoat.dev/server", "toolmoat.dev/role"
	server := strings.ToLower(s.w.Annotations[serverKey])
	if server == "false" {
		return say(model.NoRole, serverKey)
	}
	switch s.w.Annotations[roleKey] {
	case "server":
		return say(model.IsServer, roleKey)
	case "gateway":
		return say(model.IsGateway, roleKey)
	case "agent":
		return say(model.IsAgent, roleKey)
	case "none":
		return say(model.NoRole, roleKey)
	}
	if server == "true" {
		return say(model.IsServer, serverKey)
	}
	return model.NoRole, model.Evidence{}, false
}
