package source

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

const gatewayGroup = "gateway.networking.k8s.io"

// gateway is what a Gateway says of the routes that may attach to it.
type gateway struct {
	namespace, name string
	listeners       []listener
	unsound         bool // not all of it could be read
	at              origin.Origin
}

// listener is one of its listeners.
type listener struct {
	name     string
	port     netset.Port
	from     string // Same, All, Selector, None
	selector label.Selector
	kinds    []string // nil for those of its protocol
}

// gateway reads a Gateway of the Gateway API (kubernetes-sigs/gateway-api, apis/v1/gateway_types.go).
func (p *part) gateway(o *object) {
	defer p.close(o)
	g := gateway{namespace: o.meta.namespace, name: o.meta.name, at: o.at}
	before := o.root.Problems()
	for _, c := range o.root.At("spec", "listeners").Items() {
		allowed := c.Field("allowedRoutes")
		from := allowed.Field("namespaces")
		l := listener{name: c.Field("name").Text(), port: readPortOrZero(c.Field("port")), from: orElse(from.Field("from").Text(), "Same"), selector: readSelector(from.Field("selector"))}
		for _, kind := range allowed.Field("kinds").Items() {
			l.kinds = append(l.kinds, kind.Field("kind").Text())
		}
		g.listeners = append(g.listeners, l)
	}
	g.unsound = o.root.Problems() > before
	p.gateways = append(p.gateways, g)
}

// grant is a ReferenceGrant: routes of which namespaces may lead to which Services of its own.
type grant struct {
	namespace string
	from      []ref // namespace and kind
	services  []string
	all       bool // of the Services
}

// grant reads a ReferenceGrant (kubernetes-sigs/gateway-api, apis/v1beta1/referencegrant_types.go).
func (p *part) grant(o *object) {
	defer p.close(o)
	g := grant{namespace: o.meta.namespace}
	for _, c := range o.root.At("spec", "from").Items() {
		g.from = append(g.from, ref{namespace: readName(c.Field("namespace"), namespaceForm), kind: c.Field("kind").Text()})
	}
	for _, c := range o.root.At("spec", "to").Items() {
		if c.Field("kind").Text() == "Service" {
			name := c.Field("name").Text()
			g.services, g.all = append(g.services, name), g.all || name == ""
		}
	}
	p.grants = append(p.grants, g)
}

// allows reports whether g lets a route lead to a backend.
func (g *grant) allows(r *route, b *model.Backend) bool {
	return (g.all || slices.Contains(g.services, b.Service)) && slices.Contains(g.from, ref{namespace: r.Namespace, kind: r.Kind})
}

// What one route may lead on to over other objects and Services.
const (
	maxParts    = 256
	maxBackends = 4096
)

// waysIn returns the routes that lead to Services from outside the cluster.
func (p *part) waysIn(services []model.Service, namespaces []model.Namespace) []model.Route {
	w := &waysIn{part: p, services: map[ref][]*model.Service{}, routes: map[ref][]*route{}, gateways: map[ref][]*gateway{}, grants: map[string][]*grant{}, namespaces: map[string]label.Labels{}}
	for i := range services {
		at := ref{services[i].Namespace, "Service", services[i].Name}
		w.services[at] = append(w.services[at], &services[i])
		w.list = append(w.list, &services[i])
	}
	for i := range p.gateways {
		if g := &p.gateways[i]; g.name != "" {
			at := ref{g.namespace, "Gateway", g.name}
			w.gateways[at] = append(w.gateways[at], g)
		}
	}
	for i := range p.grants {
		w.grants[p.grants[i].namespace] = append(w.grants[p.grants[i].namespace], &p.grants[i])
	}
	for _, n := range namespaces {
		w.namespaces[n.Name] = n.Labels
	}
	led := map[ref]bool{}
	for i := range p.routes {
		r := &p.routes[i]
		at := ref{r.Namespace, r.Kind, r.Name}
		w.routes[at] = append(w.routes[at], r)
		for _, to := range r.parts {
			led[to] = led[to] || to != at
		}
	}
	var out []model.Route
	for i := range p.routes {
		// A part that nothing here leads on to is perhaps led to by what was not read.
		if r := &p.routes[i]; !r.inside && w.attached(r) && !(r.part && led[ref{r.Namespace, r.Kind, r.Name}]) {
			if r.Backends = w.backends(r); len(r.Backends) > 0 {
				out = append(out, r.Route)
			}
		}
	}
	if out == nil { // nothing here leads anywhere
		p.counts.Ignored += len(p.routes) + len(p.gateways) + len(p.grants)
	}
	return out
}

// waysIn finds what stands behind names.
type waysIn struct {
	*part
	list       []*model.Service
	services   map[ref][]*model.Service
	routes     map[ref][]*route
	gateways   map[ref][]*gateway
	grants     map[string][]*grant
	namespaces map[string]label.Labels
}

// attached reports whether a Gateway may take r on: one that was not read may.
func (w *waysIn) attached(r *route) bool {
	return len(r.parents) == 0 || slices.ContainsFunc(r.parents, func(at parent) bool {
		known := w.gateways[ref{at.namespace, "Gateway", at.name}]
		return len(known) == 0 || slices.ContainsFunc(known, func(g *gateway) bool {
			return g.unsound || slices.ContainsFunc(g.listeners, func(l listener) bool { return w.takes(g, l, r, at) })
		})
	})
}

// takes reports whether a listener may take r on, which names it or all of its Gateway.
func (w *waysIn) takes(g *gateway, l listener, r *route, at parent) bool {
	if at.section != "" && at.section != l.name || at.port != 0 && at.port != l.port {
		return false
	}
	if r.group == gatewayGroup && l.kinds != nil && !slices.Contains(l.kinds, r.Kind) { // others become routes of these kinds
		return false
	}
	switch l.from {
	case "Same":
		return r.Namespace == g.namespace
	case "None":
		return false
	case "Selector":
		labels, ok := w.namespaces[r.Namespace]
		_, may := l.selector.Match(labels)
		return !ok || may
	}
	return true
}

// backends returns the Services that r leads to, by itself or over other objects.
func (w *waysIn) backends(r *route) []model.Backend {
	out := slices.Clone(r.Backends)
	for i := range out {
		w.judge(r, &out[i])
	}
	all := []*route{r}
	seen := map[*route]bool{r: true}
	for n := 0; n < len(all); n++ {
		for _, at := range all[n].parts {
			for _, part := range w.routes[at] {
				if !seen[part] {
					seen[part] = true
					all = append(all, part)
				}
			}
		}
		if n > 0 {
			out = append(out, all[n].Backends...)
		}
		for _, s := range all[n].selects {
			out = append(out, w.selected(s)...)
		}
		if len(all) > maxParts || len(out)-len(r.Backends) > maxBackends {
			w.problem(ruleUnreadable, r.Origin, fmt.Sprintf("leads on over more than %d objects or to more than %d backends; not all were followed", maxParts, maxBackends), "")
			break
		}
	}
	out = w.external(out)
	for _, part := range all {
		out = append(out, w.guesses(part, out)...)
	}
	return distinctBackends(out)
}

// judge says of a backend in another namespace whether a ReferenceGrant lets a route of the Gateway
// API lead there.
func (w *waysIn) judge(r *route, b *model.Backend) {
	if r.group == gatewayGroup && b.Namespace != r.Namespace &&
		!slices.ContainsFunc(w.grants[b.Namespace], func(g *grant) bool { return g.allows(r, b) }) {
		b.Doubt = model.Ungranted
	}
}

// selected are the Services with labels that a selector asks for.
func (w *waysIn) selected(s serviceSelector) (out []model.Backend) {
	for _, svc := range w.list {
		_, home := s.namespaces.Match(w.namespaces[svc.Namespace])
		if is, _ := s.services.Match(label.Known(svc.Labels)); is && home {
			out = append(out, model.Backend{Namespace: svc.Namespace, Service: svc.Name, Origin: s.at})
		}
	}
	return out
}

// external adds the Services that Services of type ExternalName stand for by their name. Which port
// a controller then takes depends on the controller.
func (w *waysIn) external(list []model.Backend) []model.Backend {
	seen := map[ref]bool{}
	for n := 0; n < len(list); n++ {
		b := list[n]
		at := ref{b.Namespace, "Service", b.Service}
		if seen[at] {
			continue
		}
		seen[at] = true
		for _, svc := range w.services[at] {
			if to, _, ok := serviceOf(svc.ExternalName); ok && svc.Type == "ExternalName" && to.namespace != "" {
				list = append(list, model.Backend{Namespace: to.namespace, Service: to.name, Path: b.Path, Doubt: b.Doubt, Origin: b.Origin})
			}
		}
	}
	return list
}

// guesses are the Services that fields of r which are not supported name, if r leads to none of
// their name already.
func (w *waysIn) guesses(r *route, known []model.Backend) (out []model.Backend) {
	for _, at := range slices.SortedFunc(maps.Keys(r.named), func(a, b ref) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	}) {
		if w.services[at] != nil && !slices.ContainsFunc(known, func(b model.Backend) bool { return b.Namespace == at.namespace && b.Service == at.name }) {
			out = append(out, model.Backend{Namespace: at.namespace, Service: at.name, Doubt: model.Unsupported, Origin: r.Origin})
		}
	}
	return out
}

// distinctBackends leaves one of those that differ in their origin alone.
func distinctBackends(list []model.Backend) []model.Backend {
	seen := map[model.Backend]bool{}
	return slices.DeleteFunc(list, func(b model.Backend) bool {
		b.Origin = origin.Origin{}
		again := seen[b]
		seen[b] = true
		return again
	})
}
