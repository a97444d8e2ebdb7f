package source

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

// namespace reads a Namespace.
func (p *part) namespace(o *object) {
	defer p.close(o)
	if !isSubdomain(o.meta.name) {
		return // a problem of its own already
	}
	if !isDNSLabel(o.meta.name) {
		o.root.Field("metadata").Field("name").Fail("not the name of a namespace", "")
		return
	}
	l := podLabels(o.meta.labels, o.meta.sound).With(label.MetadataName, o.meta.name) // the API server sets it, whatever is written
	p.namespaces = append(p.namespaces, model.Namespace{Name: o.meta.name, Linkerd: model.InLinkerd(o.meta.annotations), Labels: l, Origin: o.at})
}

// node reads a Node.
func (p *part) node(o *object) {
	defer p.close(o)
	n := model.Node{Name: o.meta.name, Labels: podLabels(o.meta.labels, o.meta.sound), Origin: o.at,
		OS: o.root.At("status", "nodeInfo", "operatingSystem").Text()}
	var internal []netip.Addr
	for _, item := range o.root.At("status", "addresses").Items() {
		switch kind := item.Field("type").Text(); kind {
		case "InternalIP", "ExternalIP":
			a, ok := readAddr(item.Field("address"))
			if ok && !slices.Contains(n.Addrs, a) {
				n.Addrs = append(n.Addrs, a)
			}
			if ok && kind == "InternalIP" {
				internal = append(internal, a)
			}
		}
	}
	for _, a := range n.Addrs {
		if !slices.Contains(internal, a) {
			n.External = append(n.External, a)
		}
	}
	for _, item := range o.root.At("spec", "taints").Items() {
		n.Taints = append(n.Taints, model.Taint{Key: item.Field("key").Text(), Value: item.Field("value").Text(), Effect: item.Field("effect").Text()})
	}
	p.nodes = append(p.nodes, n)
}

// configMap is a ConfigMap as a source of environment variables.
type configMap struct {
	namespace, name string
	data            map[string]string
	at              origin.Origin
}

// maxEnvValue bounds the values that are kept: what is longer is a file, not a variable.
const maxEnvValue = 8 << 10

func (p *part) configMap(o *object) {
	defer p.close(o)
	data := map[string]string{}
	for key, value := range o.root.Field("data").Entries() {
		before := value.Problems()
		text := value.Text()
		if !isConfigKey(key) {
			value.Fail("not a valid key", "letters, digits, '-', '_' and '.', at most 253 of them")
		}
		if value.Problems() == before && len(text) <= maxEnvValue {
			data[key] = text
		}
	}
	p.configMaps = append(p.configMaps, configMap{o.meta.namespace, o.meta.name, data, o.at})
}
