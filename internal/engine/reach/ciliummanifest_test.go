package reach

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/toolmoat/toolmoat/test/slow"
)

// The wire form of Cilium's policies, read for the twin without any of the product's decoding.
// Lists that are absent stay nil.
type (
	wireCilium struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct {
			Name, Namespace string
			Labels          map[string]string
		}
		Spec  yaml.Node
		Specs []wireCiliumSpec
	}
	wireCiliumSpec struct {
		EndpointSelector  *wireSelector                   `yaml:"endpointSelector"`
		NodeSelector      *wireSelector                   `yaml:"nodeSelector"`
		EnableDefaultDeny struct{ Ingress, Egress *bool } `yaml:"enableDefaultDeny"`
		Ingress           []wireCiliumRule
		IngressDeny       []wireCiliumRule `yaml:"ingressDeny"`
		Egress            []wireCiliumRule
		EgressDeny        []wireCiliumRule `yaml:"egressDeny"`
	}
	wireCiliumRule struct {
		FromEndpoints []wireSelector `yaml:"fromEndpoints"`
		ToEndpoints   []wireSelector `yaml:"toEndpoints"`
		FromEntities  []string       `yaml:"fromEntities"`
		ToEntities    []string       `yaml:"toEntities"`
		FromCIDR      []string       `yaml:"fromCIDR"`
		ToCIDR        []string       `yaml:"toCIDR"`
		FromCIDRSet   []wireCIDR     `yaml:"fromCIDRSet"`
		ToCIDRSet     []wireCIDR     `yaml:"toCIDRSet"`
		FromNodes     []wireSelector `yaml:"fromNodes"`
		ToNodes       []wireSelector `yaml:"toNodes"`
		ToFQDNs       []struct {
			MatchName    string `yaml:"matchName"`
			MatchPattern string `yaml:"matchPattern"`
		} `yaml:"toFQDNs"`
		ToServices []struct {
			K8sService *struct {
				ServiceName string `yaml:"serviceName"`
				Namespace   string
			} `yaml:"k8sService"`
			K8sServiceSelector *struct {
				Selector  wireSelector
				Namespace string
			} `yaml:"k8sServiceSelector"`
		} `yaml:"toServices"`
		ToPorts []struct {
			Ports []struct {
				Port, Protocol string
				EndPort        int `yaml:"endPort"`
			}
			Rules struct {
				HTTP, Kafka, L7 []any
				DNS             []struct {
					MatchName    string `yaml:"matchName"`
					MatchPattern string `yaml:"matchPattern"`
				}
			}
		} `yaml:"toPorts"`
		ICMPs []any
	}
	wireCIDR struct {
		CIDR              string
		CIDRGroupRef      string        `yaml:"cidrGroupRef"`
		CIDRGroupSelector *wireSelector `yaml:"cidrGroupSelector"`
		Except            []string
	}
)

// wireGroup is a CiliumCIDRGroup.
type wireGroup struct {
	name   string
	labels map[string]string
	blocks []netip.Prefix
}

// readCilium reads Cilium's policies of a stream, and the names of the groups of blocks that it
// does not have.
func readCilium(t *testing.T, data []byte) (own func(groups map[string][]netip.Prefix) []slow.CiliumPolicy, missing []string) {
	t.Helper()
	type spec struct {
		namespace string
		wireCiliumSpec
	}
	var specs []spec
	var known []wireGroup
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var w wireCilium
		if err := d.Decode(&w); errors.Is(err, io.EOF) {
			break
		} else if mismatch := (*yaml.TypeError)(nil); err != nil && (strings.HasPrefix(w.APIVersion, "cilium.io/") || !errors.As(err, &mismatch)) {
			t.Fatal(err)
		}
		if !strings.HasPrefix(w.APIVersion, "cilium.io/") {
			continue
		}
		namespace := w.Metadata.Namespace
		switch w.Kind {
		case "CiliumCIDRGroup":
			var s struct {
				ExternalCIDRs []string `yaml:"externalCIDRs"`
			}
			if err := w.Spec.Decode(&s); err != nil {
				t.Fatal(err)
			}
			g := wireGroup{name: w.Metadata.Name, labels: w.Metadata.Labels}
			for _, c := range s.ExternalCIDRs {
				g.blocks = append(g.blocks, netip.MustParsePrefix(c))
			}
			known = append(known, g)
			continue
		case "CiliumNetworkPolicy":
			if namespace == "" {
				namespace = "default"
			}
		case "CiliumClusterwideNetworkPolicy":
			namespace = ""
		default:
			continue
		}
		if !w.Spec.IsZero() {
			var s wireCiliumSpec
			if err := w.Spec.Decode(&s); err != nil {
				t.Fatal(err)
			}
			specs = append(specs, spec{namespace, s})
		}
		for _, s := range w.Specs {
			specs = append(specs, spec{namespace, s})
		}
	}
	for _, s := range specs {
		for _, r := range slices.Concat(s.Ingress, s.IngressDeny, s.Egress, s.EgressDeny) {
			for _, c := range slices.Concat(r.FromCIDRSet, r.ToCIDRSet) {
				if c.CIDRGroupRef != "" && !slices.ContainsFunc(known, func(g wireGroup) bool { return g.name == c.CIDRGroupRef }) {
					missing = append(missing, c.CIDRGroupRef)
				}
			}
		}
	}
	if specs == nil {
		return nil, nil
	}
	return func(groups map[string][]netip.Prefix) []slow.CiliumPolicy {
		all := slices.Clone(known)
		for name, blocks := range groups {
			all = append(all, wireGroup{name: name, blocks: blocks})
		}
		var out []slow.CiliumPolicy
		for _, s := range specs {
			p := slow.CiliumPolicy{Namespace: s.namespace, SubjectIsNode: s.NodeSelector != nil,
				DenyIngress: s.EnableDefaultDeny.Ingress, DenyEgress: s.EnableDefaultDeny.Egress,
				Ingress: ciliumRules(s.Ingress, all), IngressDeny: ciliumRules(s.IngressDeny, all),
				Egress: ciliumRules(s.Egress, all), EgressDeny: ciliumRules(s.EgressDeny, all)}
			if s.EndpointSelector != nil {
				p.Subject = s.EndpointSelector.slow()
			}
			out = append(out, p)
		}
		return out
	}, missing
}

func ciliumRules(in []wireCiliumRule, groups []wireGroup) []slow.CiliumRule {
	var out []slow.CiliumRule
	for _, w := range in {
		r := slow.CiliumRule{Endpoints: selectors(w.FromEndpoints, w.ToEndpoints), Nodes: selectors(w.FromNodes, w.ToNodes), ICMPs: w.ICMPs != nil}
		for _, list := range [][]string{w.FromEntities, w.ToEntities} {
			if list != nil {
				r.Entities = list
			}
		}
		for _, list := range [][]string{w.FromCIDR, w.ToCIDR} {
			if list != nil {
				r.CIDRs = []slow.IPBlock{}
			}
			for _, c := range list {
				r.CIDRs = append(r.CIDRs, slow.IPBlock{CIDR: netip.MustParsePrefix(c)})
			}
		}
		for _, list := range [][]wireCIDR{w.FromCIDRSet, w.ToCIDRSet} {
			if list != nil && r.CIDRs == nil {
				r.CIDRs = []slow.IPBlock{}
			}
			for _, c := range list {
				r.CIDRs = append(r.CIDRs, c.blocks(groups)...)
			}
		}
		for _, f := range w.ToFQDNs {
			r.Names = append(r.Names, f.MatchName+f.MatchPattern)
		}
		for _, s := range w.ToServices {
			if s.K8sService != nil {
				r.Services = append(r.Services, slow.ServiceRef{Namespace: s.K8sService.Namespace, Name: s.K8sService.ServiceName})
			} else {
				r.Services = append(r.Services, slow.ServiceRef{Namespace: s.K8sServiceSelector.Namespace, ByLabels: true, Labels: s.K8sServiceSelector.Selector.slow()})
			}
		}
		for _, tp := range w.ToPorts {
			if r.Ports == nil {
				r.Ports = []slow.CiliumPort{}
			}
			to := &r
			if tp.Rules.DNS != nil { // a rule of its own
				asks := r
				asks.Ports, to = nil, &asks
			}
			looks := len(tp.Rules.HTTP)+len(tp.Rules.Kafka)+len(tp.Rules.L7)+len(tp.Rules.DNS) > 0
			for _, d := range tp.Rules.DNS {
				looks = looks && d.MatchPattern != "*"
				to.Queries = append(to.Queries, d.MatchName+d.MatchPattern)
			}
			for _, p := range tp.Ports {
				x := slow.CiliumPort{Protocol: p.Protocol, EndPort: p.EndPort, Requests: looks}
				if n, err := strconv.Atoi(p.Port); err == nil {
					x.Number = n
				} else {
					x.Name = p.Port
				}
				to.Ports = append(to.Ports, x)
			}
			if to != &r {
				out = append(out, *to)
			}
		}
		out = append(out, r)
	}
	return out
}

func selectors(lists ...[]wireSelector) []slow.Selector {
	var out []slow.Selector
	for _, list := range lists {
		if list != nil {
			out = []slow.Selector{}
		}
		for _, s := range list {
			out = append(out, s.slow())
		}
	}
	return out
}

// blocks returns what one item of a CIDR set holds.
func (c wireCIDR) blocks(groups []wireGroup) []slow.IPBlock {
	var except []netip.Prefix
	for _, e := range c.Except {
		except = append(except, netip.MustParsePrefix(e))
	}
	if c.CIDR != "" {
		return []slow.IPBlock{{CIDR: netip.MustParsePrefix(c.CIDR), Except: except}}
	}
	out := []slow.IPBlock{}
	for _, g := range groups {
		if c.CIDRGroupRef == g.name || c.CIDRGroupSelector != nil && holds(g.labels, c.CIDRGroupSelector.MatchLabels) {
			for _, p := range g.blocks {
				out = append(out, slow.IPBlock{CIDR: p, Except: except})
			}
		}
	}
	return out
}

func holds(labels, want map[string]string) bool {
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}
