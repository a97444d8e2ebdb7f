package source

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// route is one object that routes, with the classes it is attached to: one model.Route each.
type route struct {
	model.Route
	classes []string
}

// ingress reads an Ingress of any version: before v1 a backend had serviceName and servicePort.
func (p *part) ingress(o *object) {
	defer p.close(o)
	spec := o.root.Field("spec")
	class := readName(spec.Field("ingressClassName"), nameForm)
	if class == "" {
		if class = o.meta.annotations["kubernetes.io/ingress.class"]; !isSubdomain(class) {
			class = bounded(class) // may be anything: no object is called by it
		}
	}
	r := route{o.route(), []string{class}}
	for _, field := range []string{"defaultBackend", "backend"} {
		o.ingressBackend(&r, spec.Field(field), "")
	}
	for _, rule := range spec.Field("rules").Items() {
		for _, path := range rule.At("http", "paths").Items() {
			o.ingressBackend(&r, path.Field("backend"), path.Field("path").Text())
		}
	}
	p.addRoute(r)
}

func (o *object) route() model.Route {
	return model.Route{Kind: o.kind, Namespace: o.meta.namespace, Name: o.meta.name, Origin: o.at}
}

func (p *part) addRoute(r route) {
	if r.Namespace != "" {
		p.routes = append(p.routes, r)
	}
}

func (o *object) ingressBackend(r *route, c *doc.Cursor, path string) {
	b := model.Backend{Namespace: o.meta.namespace, Path: path, Origin: o.at.At(c.Line())}
	service := c.Field("service")
	b.Service = readName(service.Field("name"), labelForm)
	port := service.Field("port")
	b.Port, b.PortName = readPortOrZero(port.Field("number")), readName(port.Field("name"), labelForm)
	if old := c.Field("serviceName"); old.IsSet() {
		b.Service = readName(old, labelForm)
		if number := c.Field("servicePort"); number.IsText() {
			b.PortName = readName(number, labelForm)
		} else {
			b.Port = readPortOrZero(number)
		}
	}
	if b.Service != "" { // a resource, not a Service, is no way to a pod
		r.Backends = append(r.Backends, b)
	}
}

// gatewayRoute reads a route of the Gateway API that is attached to a gateway. One attached to
// Services only speaks of traffic inside a mesh.
func (p *part) gatewayRoute(o *object) {
	defer p.close(o)
	spec := o.root.Field("spec")
	r := route{Route: o.route()}
	for _, ref := range spec.Field("parentRefs").Items() {
		kind, namespace := ref.Field("kind").Text(), readName(ref.Field("namespace"), namespaceForm)
		if kind == "Service" {
			continue
		}
		if namespace == "" {
			namespace = o.meta.namespace
		}
		if class := namespace + "/" + readName(ref.Field("name"), nameForm); !slices.Contains(r.classes, class) {
			r.classes = append(r.classes, class)
		}
	}
	for _, rule := range spec.Field("rules").Items() {
		path := ""
		for _, match := range rule.Field("matches").Items() {
			if value := match.At("path", "value"); path == "" && value.IsText() {
				path = value.Text()
			}
		}
		for _, ref := range rule.Field("backendRefs").Items() {
			if kind := ref.Field("kind").Text(); kind != "" && kind != "Service" {
				continue
			}
			b := model.Backend{Namespace: readName(ref.Field("namespace"), namespaceForm), Service: readName(ref.Field("name"), labelForm), Path: path,
				Port: readPortOrZero(ref.Field("port")), Origin: o.at.At(ref.Line())}
			if b.Namespace == "" {
				b.Namespace = o.meta.namespace
			}
			if b.Service != "" {
				r.Backends = append(r.Backends, b)
			}
		}
	}
	if len(r.classes) == 0 {
		p.counts.Ignored++
		return
	}
	p.addRoute(r)
}
