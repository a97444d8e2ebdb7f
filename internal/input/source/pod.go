package source

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// podSpec is what decides of a pod or a pod template.
type podSpec struct {
	containers  []model.Container
	imports     []envImport // of the containers, by index
	ports       []model.ContainerPort
	hostNetwork bool
	mayBeHost   bool // hostNetwork could not be read
	node        string
	placement   model.Placement
	networks    []string // beside the cluster's own
	devices     []string // resources of its containers that may be networks
	first       string   // instead of the cluster's own
	account     string
	powers      []model.Power
}

// envImport is an environment variable, or all of them, that a container takes from a ConfigMap.
type envImport struct {
	container int
	configMap string
	key       string // "" for every key
	variable  int    // index into the container's Env; for a key
	prefix    string // before every key
}

// readPodSpec reads the spec of a pod.
func readPodSpec(c *doc.Cursor) podSpec {
	before := c.Problems()
	host := c.Field("hostNetwork").Bool()
	s := podSpec{hostNetwork: host, mayBeHost: c.Problems() > before, node: readName(c.Field("nodeName"), nameForm), account: readAccount(c), placement: readPlacement(c), powers: readPowers(c)}
	for _, item := range c.Field("initContainers").Items() {
		s.container(item, true)
	}
	for _, item := range c.Field("containers").Items() {
		s.container(item, false)
	}
	return s
}

// readAccount reads the service account of a pod, which is "default" if none is given. The older of
// its two fields counts where the newer one is empty (kubernetes pkg/apis/core/v1/conversion.go).
func readAccount(c *doc.Cursor) string {
	before := c.Problems()
	name := readName(c.Field("serviceAccountName"), nameForm)
	if name == "" {
		name = readName(c.Field("serviceAccount"), nameForm)
	}
	switch {
	case c.Problems() > before:
		return ""
	case name == "":
		return "default"
	}
	return name
}

func (s *podSpec) container(c *doc.Cursor, init bool) {
	out := model.Container{Name: readName(c.Field("name"), labelForm), Image: c.Field("image").Text(), Command: c.Field("command").Texts(),
		Args: c.Field("args").Texts(), Init: init, Line: c.Line()}
	sidecar := init && c.Field("restartPolicy").Text() == "Always"
	out.Sidecar = sidecar
	for _, item := range c.Field("ports").Items() {
		port := model.ContainerPort{Name: readName(item.Field("name"), portForm), Protocol: readProtocol(item.Field("protocol")), Sidecar: sidecar}
		var ok bool
		if port.Port, ok = readPort(item.Field("containerPort")); !ok {
			continue
		}
		port.HostPort = readPortOrZero(item.Field("hostPort"))
		if s.hostNetwork {
			port.HostPort = port.Port
		}
		out.Ports = append(out.Ports, port)
		if !init || sidecar {
			s.ports = append(s.ports, port)
		}
	}
	for _, probe := range []string{"readinessProbe", "livenessProbe", "startupProbe"} {
		if path := c.Field(probe).Field("httpGet").Field("path").Text(); path != "" && !slices.Contains(out.Paths, path) {
			out.Paths = append(out.Paths, path)
		}
	}
	s.readDevices(c)
	s.env(c, &out)
	s.containers = append(s.containers, out)
}

// env reads the environment of a container. Values that stand elsewhere are left for the end, when
// every ConfigMap is known.
func (s *podSpec) env(c *doc.Cursor, out *model.Container) {
	index := len(s.containers)
	for _, item := range c.Field("envFrom").Items() {
		if name := item.Field("configMapRef").Field("name").Text(); name != "" {
			s.imports = append(s.imports, envImport{container: index, configMap: name, prefix: readVariable(item.Field("prefix"))})
		}
	}
	for _, item := range c.Field("env").Items() {
		v := model.EnvVar{Name: readVariable(item.Field("name"))}
		from := item.Field("valueFrom")
		if !from.IsSet() {
			before := item.Problems()
			v.Value = item.Field("value").Text()
			v.Known = item.Problems() == before
		}
		if ref := from.Field("configMapKeyRef"); ref.IsSet() {
			s.imports = append(s.imports, envImport{container: index, configMap: ref.Field("name").Text(), key: ref.Field("key").Text(),
				variable: len(out.Env)})
		}
		out.Env = append(out.Env, v)
	}
}

// resolve fills in what the containers take from ConfigMaps. A variable that is set twice has its
// last value, and those of the container's own list come last.
func (s *podSpec) resolve(lookup func(name string) map[string]string) {
	lists := make([][]model.EnvVar, len(s.containers))
	for _, im := range s.imports {
		data := lookup(im.configMap)
		if im.key != "" {
			if value, ok := data[im.key]; ok {
				v := &s.containers[im.container].Env[im.variable]
				v.Value, v.Known = value, true
			}
			continue
		}
		for _, key := range sortedKeys(data) {
			lists[im.container] = append(lists[im.container], model.EnvVar{Name: im.prefix + key, Value: data[key], Known: true})
		}
	}
	for i := range s.containers {
		c := &s.containers[i]
		if c.Env = lastOf(append(lists[i], c.Env...)); len(c.Env) == 0 {
			c.Env = nil
		}
	}
}

// lastOf drops every variable that a later one of the same name replaces. What has no valid name is
// not known to be replaced.
func lastOf(list []model.EnvVar) []model.EnvVar {
	last := make(map[string]int, len(list))
	for i, v := range list {
		last[v.Name] = i
	}
	if len(last) == len(list) {
		return list
	}
	var out []model.EnvVar
	for i, v := range list {
		if v.Name == "" || last[v.Name] == i {
			out = append(out, v)
		}
	}
	return out
}

// readAddrs reads addresses, each one's text under field of an item of the list, or the item itself
// if field is "".
func readAddrs(c *doc.Cursor, field string) []netip.Addr {
	var out []netip.Addr
	for _, item := range c.Items() {
		if field != "" {
			item = item.Field(field)
		}
		if a, ok := readAddr(item); ok {
			out = append(out, a)
		}
	}
	return out
}

// readAddr reads one address; "" and "None" are none.
func readAddr(c *doc.Cursor) (netip.Addr, bool) {
	before := c.Problems()
	text := c.Text()
	if text == "" || text == "None" || c.Problems() > before {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		c.Fail("not an address: "+doc.Quote(text), "")
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// onePerFamily keeps the first IPv4 and the first IPv6 address.
func onePerFamily(addrs []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range addrs {
		if !slices.ContainsFunc(out, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			out = append(out, a)
		}
	}
	return out
}

// pod reads a Pod, which may be running.
func (p *part) pod(o *object) {
	defer p.close(o)
	status := o.root.Field("status")
	spec := readPodSpec(o.root.Field("spec"))
	phase := status.Field("phase").Text()
	if phase == "Succeeded" || phase == "Failed" {
		p.over(o, "phase "+phase)
		return
	}
	if o.meta.namespace == "" {
		return
	}
	addrs := readAddrs(status.Field("podIPs"), "ip")
	more := false
	if a, ok := readAddr(status.Field("podIP")); ok && len(addrs) == 0 {
		addrs, more = append(addrs, a), true
	}
	nodes := readAddrs(status.Field("hostIPs"), "ip")
	if a, ok := readAddr(status.Field("hostIP")); ok && len(nodes) == 0 {
		nodes = append(nodes, a)
	}
	w := o.workload(spec, o.meta.annotations)
	checkRole(o.root.At("metadata", "annotations"))
	if _, mirror := o.meta.annotations[mirrorPod]; mirror {
		spec.account = ""
	}
	spec.attach(o.root.At("metadata", "annotations"), o.meta.annotations, o.meta.namespace)
	w.Pods = []model.Pod{{Name: o.meta.name, Networks: spec.networks, Default: spec.first, Labels: podLabels(o.meta.labels, o.meta.sound), Account: spec.account, Addrs: onePerFamily(addrs), MoreAddrs: more,
		Node: spec.node, NodeAddrs: nodes, HostNetwork: spec.hostNetwork, MayBeHost: spec.mayBeHost, Ports: spec.ports, Placement: spec.placement, Origin: o.at}}
	p.workloads = append(p.workloads, w)
}

// mirrorPod is the annotation of a pod that shows one which a node runs from its own files. Such
// pods get no service account (kubernetes plugin/pkg/admission/serviceaccount/admission.go).
const mirrorPod = "kubernetes.io/config.mirror"

// podLabels returns what is known of a pod's labels. Where some cannot be read, others may be
// there.
func podLabels(set label.Set, sound bool) label.Labels {
	l := label.Known(set)
	if !sound {
		l = l.Open()
	}
	return l
}

// readPortOrZero reads a port number that may be absent or 0.
func readPortOrZero(c *doc.Cursor) netset.Port {
	if n, ok := c.Int(); ok && n != 0 {
		port, _ := readPort(c)
		return port
	}
	return 0
}
