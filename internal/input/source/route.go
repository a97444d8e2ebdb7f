package source

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// route is what one object that routes says, before it is known what stands behind the names.
type route struct {
	model.Route
	group    string
	part     bool              // leads from outside only where another route leads to it
	inside   bool              // routes what comes from within the cluster only
	parents  []parent          // Gateways of the Gateway API
	gateways []string          // of Istio
	parts    []ref             // other objects that it sends requests on to
	selects  []serviceSelector // Services that it leads to by their labels
	named    map[ref]bool      // Services that fields which are not supported may name
}

// parent is a Gateway, and the listener that is meant.
type parent struct {
	namespace, name, section string
	port                     netset.Port
}

// serviceSelector selects Services of namespaces.
type serviceSelector struct {
	namespaces, services label.Selector
	at                   origin.Origin
}

// maxNamed bounds the names that may be a Service's which are kept of one object.
const maxNamed = 1000

// route reads an object of a kind in routeKinds.
func (p *part) route(o *object) {
	defer p.close(o)
	root := o.doc.Open(doc.Tracked)
	k := routeKinds[groupKind{o.group, o.kind}]
	r := route{Route: model.Route{Kind: o.kind, Namespace: o.meta.namespace, Name: o.meta.name, Controllers: k.by, Origin: o.at}, group: o.group}
	if k.served != nil {
		k.served(o, &r, root.Field("spec"))
	}
	readName(root.Field("spec").Field("ingressClassName"), nameForm)
	for _, l := range k.leads {
		o.follow(&r, root, l)
	}
	if k.selects != "" {
		each(root, k.selects, func(c *doc.Cursor) { o.selected(&r, c) })
	}
	for _, path := range k.own {
		each(root, path, (*doc.Cursor).Skip)
	}
	for _, c := range root.Unread() {
		p.names(o, &r, c, leadingWords)
	}
	p.invalid(o.at, root.Close())
	p.addRoute(r)
}

// leadingWords are parts of the names of fields that may hold where requests go.
var leadingWords = []string{"service", "backend", "upstream", "destination", "target", "mirror", "forward", "delegate", "fallback"}

// each yields the values at a path of fields below c, "[]" after a field standing for each of its
// items.
func each(c *doc.Cursor, path string, yield func(*doc.Cursor)) {
	if path == "" {
		yield(c)
		return
	}
	field, rest, _ := strings.Cut(path, ".")
	name, isList := strings.CutSuffix(field, "[]")
	switch c = c.Field(name); {
	case isList:
		for _, item := range c.Items() {
			each(item, rest, yield)
		}
	case c.IsSet():
		each(c, rest, yield)
	}
}

// follow notes what a lead says.
func (o *object) follow(r *route, root *doc.Cursor, l lead) {
	var b model.Backend
	if l.target != "" {
		b.Target, b.PortName = readBackendPort(root.At(strings.Split(l.target, ".")...))
	}
	each(root, l.each, func(item *doc.Cursor) {
		b.Path = ""
		each(item, l.path, func(c *doc.Cursor) {
			if b.Path == "" && l.path != "" && c.IsText() {
				b.Path = c.Text()
			}
		})
		counts := l.onlyIf == nil || l.onlyIf(r, item)
		each(item, l.at, func(c *doc.Cursor) {
			if !counts {
				c.Skip()
				return
			}
			o.lead(r, l, c, b)
		})
	})
}

// lead notes one thing that a route leads to. What b has beside a name holds for it.
func (o *object) lead(r *route, l lead, c *doc.Cursor, b model.Backend) {
	at := c
	if l.name != "" {
		at = c.At(strings.Split(l.name, ".")...)
	}
	if l.port != "" {
		b.Port, b.PortName = readBackendPort(c.Field(l.port))
	}
	b.Origin = o.at.At(c.Line())
	kind := l.to
	if l.kind != "" {
		if text := c.Field(l.kind).Text(); text != "" {
			kind = text
		}
	}
	isService := kind == "" || kind == "Service" || kind == "ServiceImport" // which stands for the Services of its name
	home := ""
	if l.namespace != "" {
		home = readName(c.Field(l.namespace), namespaceForm)
	}
	switch text := at.Text(); {
	case text == "" || !isService && strings.ContainsAny(text, "@*"): // what is no object (Traefik), or any (kgateway)
		return
	case l.host:
		host, port, ok := serviceOf(text)
		if !ok {
			return
		}
		if b.Namespace, b.Service = host.namespace, host.name; b.Port == 0 {
			b.Port = port
		}
	case isService:
		b.Namespace, b.Service = readScoped(at, labelForm)
	default:
		b.Namespace, b.Service = readScoped(at, nameForm)
	}
	b.Namespace = orElse(orElse(b.Namespace, home), o.meta.namespace)
	switch {
	case b.Service == "":
	case isService:
		r.Backends = append(r.Backends, b)
	default:
		r.parts = append(r.parts, ref{b.Namespace, kind, b.Service})
	}
}

// selected notes the Services that label selectors of an AgentgatewayBackend select, in its own
// namespace where it names none.
func (o *object) selected(r *route, c *doc.Cursor) {
	s := serviceSelector{label.Named(o.meta.namespace), readSelector(c.Field("services")), o.at.At(c.Line())}
	if ns := c.Field("namespaces"); ns.IsSet() {
		s.namespaces = readSelector(ns)
	}
	r.selects = append(r.selects, s)
}

// readScoped reads a name, or "namespace/name".
func readScoped(c *doc.Cursor, f form) (namespace, name string) {
	if ns, name, ok := strings.Cut(c.Text(), "/"); ok && isDNSLabel(ns) && f.valid(name) {
		return ns, name
	}
	return "", readName(c, f)
}

// readBackendPort reads a number, a name, or a map with one of them.
func readBackendPort(c *doc.Cursor) (netset.Port, string) {
	switch {
	case c.IsMap():
		return readPortOrZero(c.Field("number")), readName(c.Field("name"), labelForm)
	case !c.IsText():
		return readPortOrZero(c), ""
	}
	if n, err := strconv.ParseUint(c.Text(), 10, 16); err == nil {
		return netset.Port(n), ""
	}
	return 0, readName(c, labelForm)
}

// serviceOf returns the Service that a host name, or a URL with one, is the name of in the
// cluster's DNS, with the port of the URL; the namespace is "" for the one where it is asked. A
// name outside the cluster may look like one of them: "example.com".
func serviceOf(text string) (host ref, port netset.Port, ok bool) {
	if _, rest, isURL := strings.Cut(text, "://"); isURL {
		text = rest
	}
	if end := strings.IndexAny(text, "/?$"); end >= 0 {
		text = text[:end]
	}
	text = text[strings.LastIndexByte(text, '@')+1:]
	text, number, _ := strings.Cut(text, ":")
	if n, err := strconv.ParseUint(number, 10, 16); err == nil {
		port = netset.Port(n)
	}
	parts := strings.Split(strings.TrimSuffix(strings.ToLower(text), "."), ".")
	if len(parts) > 2 && parts[2] != "svc" || len(parts) > 16 || slices.ContainsFunc(parts, func(part string) bool { return !isDNSLabel(part) }) {
		return ref{}, 0, false
	}
	if host = (ref{kind: "Service", name: parts[0]}); len(parts) > 1 {
		host.namespace = parts[1]
	}
	return host, port, true
}

// names notes what texts in c may name of Services, if a word of words is in their path: "name",
// with a namespace beside it or without, "namespace/name", a host name, a URL.
func (p *part) names(o *object, r *route, c *doc.Cursor, words []string) {
	if c.Path() == "metadata" || c.Path() == "status" {
		return
	}
	for text, near := range c.AllTexts("namespace", "metadata", "status", "apiVersion", "kind") {
		n, _, ok := serviceOf(text.Text())
		if ns, name, scoped := strings.Cut(text.Text(), "/"); scoped && isDNSLabel(ns) && isDNSLabel(name) {
			n, ok = ref{ns, "Service", name}, true
		}
		if !ok || !hasPart(strings.ToLower(text.Path()), words) {
			continue
		}
		n.namespace = orElse(n.namespace, orElse(near, o.meta.namespace))
		if len(r.named) == maxNamed && !r.named[n] {
			p.problem(ruleUnreadable, o.at, fmt.Sprintf("has more than %d names that may be a Service's; not all were read", maxNamed), "")
			return
		}
		if r.named == nil {
			r.named = map[ref]bool{}
		}
		r.named[n] = true
	}
}

func (p *part) addRoute(r route) {
	switch {
	case r.Namespace == "":
	case len(r.parts) == 0 && (r.inside || r.Backends == nil && r.selects == nil && r.named == nil):
		p.counts.Ignored++
	default:
		p.routes = append(p.routes, r)
	}
}

// hasPart reports whether one of words is in text.
func hasPart(text string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// routeWords are parts of what kinds are called that route.
var routeWords = []string{"Route", "Ingress", "Gateway", "Mapping", "Proxy", "VirtualServ", "VirtualHost", "TransportServer", "Tunnel", "Edge", "Backend", "Upstream"}

// perhapsRoute keeps what an object of a kind that is not known names, if kinds that route are
// called like it. Groups with policies are known: what routes there is of a mesh.
func (p *part) perhapsRoute(o *object) {
	if _, known := policyGroups[o.group]; known || !hasPart(o.kind, routeWords) || strings.HasSuffix(o.kind, "Policy") {
		return
	}
	kind := doc.Clean(o.kind, 63)
	if o.group != "" {
		kind += "." + doc.Clean(o.group, 63)
	}
	if o.meta.namespace = orElse(o.meta.namespace, "default"); !isDNSLabel(o.meta.namespace) {
		return
	}
	r := route{Route: model.Route{Kind: kind, Namespace: o.meta.namespace, Name: o.meta.name, Controllers: []string{}, Origin: o.at}, group: o.group}
	if p.names(o, &r, o.doc.Open(doc.Lenient), []string{""}); r.named != nil {
		p.addRoute(r)
	}
}

// asPart says that an object leads from outside only where another leads to it.
func asPart(_ *object, r *route, _ *doc.Cursor) { r.part = true }

// withVirtualHost says so of an HTTPProxy without a virtual host, which others include.
func withVirtualHost(_ *object, r *route, spec *doc.Cursor) {
	r.part = !spec.Field("virtualhost").IsSet()
}

// ofGateways reads the parents of a route of the Gateway API. One attached to Services only speaks
// of traffic inside a mesh; one without parents is what others delegate to (kgateway).
func ofGateways(o *object, r *route, spec *doc.Cursor) {
	list := spec.Field("parentRefs").Items()
	r.part, r.inside = len(list) == 0, len(list) > 0
	for _, c := range list {
		at := parent{readName(c.Field("namespace"), namespaceForm), readName(c.Field("name"), nameForm), c.Field("sectionName").Text(), readPortOrZero(c.Field("port"))}
		at.namespace = orElse(at.namespace, o.meta.namespace)
		switch kind := c.Field("kind").Text(); kind {
		case "Service":
			continue
		case "", "Gateway":
			r.parents = append(r.parents, at)
		default: // whose listeners are not read
			r.parents = append(r.parents, parent{})
		}
		r.inside = false
	}
}

// mesh stands for the sidecars among the gateways of a VirtualService, and for all of them where it
// names none.
const mesh = "mesh"

// ofIstioGateways reads the gateways of a VirtualService. A match that names gateways overrides
// them. Without hosts it is one that others delegate to, and theirs are its gateways.
func ofIstioGateways(_ *object, r *route, spec *doc.Cursor) {
	r.gateways = spec.Field("gateways").Texts()
	if !spec.Field("hosts").IsSet() {
		r.part, r.gateways = true, nil
		return
	}
	if r.gateways == nil {
		r.gateways = []string{mesh}
	}
	r.inside = true
	for _, protocol := range []string{"http", "tls", "tcp"} {
		r.inside = r.inside && !slices.ContainsFunc(spec.Field(protocol).Items(), func(item *doc.Cursor) bool { return beyondMesh(r, item) })
	}
}

func isGateway(name string) bool { return name != mesh }

// beyondMesh reports whether an item of a VirtualService's routes is for gateways.
func beyondMesh(r *route, item *doc.Cursor) bool {
	ofAll := r.gateways == nil || slices.ContainsFunc(r.gateways, isGateway)
	matches := item.Field("match").Items()
	return len(matches) == 0 && ofAll || slices.ContainsFunc(matches, func(m *doc.Cursor) bool {
		own := m.Field("gateways").Texts()
		return own == nil && ofAll || slices.ContainsFunc(own, isGateway)
	})
}

// byAnnotations reads the backends that annotations give an Ingress, for controllers that know
// them.
func byAnnotations(o *object, r *route, _ *doc.Cursor) {
	annotations := o.root.At("metadata", "annotations")
	add := func(c *doc.Cursor, host ref, port netset.Port, portName string) {
		r.Backends = append(r.Backends, model.Backend{Namespace: orElse(host.namespace, o.meta.namespace), Service: host.name, Port: port, PortName: portName, Origin: o.at.At(c.Line())})
	}
	// kubernetes/ingress-nginx, docs/user-guide/nginx-configuration/annotations.md
	for _, name := range []string{"default-backend", "mirror-target"} {
		c := annotations.Field("nginx.ingress.kubernetes.io/" + name)
		if host, port, ok := serviceOf(c.Text()); ok {
			add(c, host, port, "")
		}
	}
	// kubernetes-sigs/aws-load-balancer-controller, docs/guide/ingress/annotations.md: the keys of the
	// JSON in any case.
	for key, c := range annotations.Entries() {
		if !strings.HasPrefix(key, "alb.ingress.kubernetes.io/actions.") {
			continue
		}
		var action struct {
			ForwardConfig struct {
				TargetGroups []struct {
					ServiceName string
					ServicePort any
				}
			}
		}
		if json.Unmarshal([]byte(c.Text()), &action) != nil {
			c.Fail("not an action", "")
			continue
		}
		for _, group := range action.ForwardConfig.TargetGroups {
			if isDNSLabel(group.ServiceName) {
				port, name := portOf(group.ServicePort)
				add(c, ref{name: group.ServiceName}, port, name)
			}
		}
	}
}

// portOf returns a port as JSON has it: a number, as a text too, or a name.
func portOf(value any) (netset.Port, string) {
	text := fmt.Sprint(value)
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return netset.Port(n), ""
	}
	if !isDNSLabel(text) {
		return 0, "" // any
	}
	return 0, text
}
