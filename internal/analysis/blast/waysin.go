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

// findIngress finds the classes of ingress controllers, by the images that a route's kind names.
func (a *Atlas) findIngress() {
	a.ingress = map[string][]int{}
	find := func(images []string) {
		key := strings.Join(images, " ")
		if _, ok := a.ingress[key]; ok {
			return
		}
		a.ingress[key] = nil
		for n := range a.Classes() {
			if slices.ContainsFunc(a.Class(n).Members, func(m reach.Member) bool { return runs(&a.Snapshot.Workloads[m.Workload], images) }) {
				a.ingress[key] = append(a.ingress[key], n)
			}
		}
	}
	for i := range a.Snapshot.Routes {
		find(imagesFor(&a.Snapshot.Routes[i]))
	}
}

// imagesFor are parts of the images of the controllers that serve a route.
func imagesFor(r *model.Route) []string {
	if r.Controllers == nil {
		return ingressImages
	}
	return r.Controllers
}

// controllers are the classes of those that the input shows.
func (a *Atlas) controllers(r *model.Route) []int { return a.ingress[strings.Join(imagesFor(r), " ")] }

// runs reports whether a workload's only container has one of the images: proxies of that kind also
// run beside other containers.
func runs(w *model.Workload, images []string) bool {
	running := 0
	found := false
	for _, c := range w.Containers {
		if !c.Init || c.Sidecar {
			running++
			found = found || slices.ContainsFunc(images, func(part string) bool { return strings.Contains(c.Image, part) })
		}
	}
	return found && running == 1
}
