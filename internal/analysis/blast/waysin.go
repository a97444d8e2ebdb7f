package blast

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// WaysIn returns where the ways into a server from outside are written.
func (a *Atlas) WaysIn(server int) []origin.Origin {
	var out []origin.Origin
	for _, class := range a.ClassesOf(a.Snapshot.Servers[server].Workload) {
		for _, w := range a.Ways(class) {
			if w.Kind != reach.ByService {
				out = append(out, w.Origin)
			}
		}
	}
	return out
}

// ingressImages are parts of the image paths of ingress controllers and gateways for HTTP, from the
// projects' own manifests.
var ingressImages = []string{"ingress-nginx/controller", "nginx/nginx-ingress", "traefik", "haproxytech/kubernetes-ingress", "kong/", "projectcontour/contour",
	"envoyproxy/envoy", "envoyproxy/gateway", "istio/proxyv2", "nginx-gateway-fabric"}

// findIngress finds the classes of ingress controllers.
func (a *Atlas) findIngress() {
	for n := range a.Classes() {
		if slices.ContainsFunc(a.Class(n).Members, func(m reach.Member) bool { return isIngress(&a.Snapshot.Workloads[m.Workload]) }) {
			a.ingress = append(a.ingress, n)
		}
	}
}

// isIngress reports whether a workload's only container is an ingress controller: proxies of that
// kind also run beside other containers.
func isIngress(w *model.Workload) bool {
	running := 0
	found := false
	for _, c := range w.Containers {
		if !c.Init || c.Sidecar {
			running++
			found = found || slices.ContainsFunc(ingressImages, func(part string) bool { return strings.Contains(c.Image, part) })
		}
	}
	return found && running == 1
}
