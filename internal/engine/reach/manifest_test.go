package reach

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/toolmoat/toolmoat/test/slow"
)

// The wire form of a NetworkPolicy, read for the twin without any of the product's decoding.
type (
	wirePolicy struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name, Namespace string }
		Spec       struct {
			PodSelector wireSelector `yaml:"podSelector"`
			PolicyTypes []string     `yaml:"policyTypes"`
			Ingress     []struct {
				From  []wirePeer
				Ports []wirePort
			}
			Egress []struct {
				To    []wirePeer
				Ports []wirePort
			}
		}
	}
	wireSelector struct {
		MatchLabels      map[string]string `yaml:"matchLabels"`
		MatchExpressions []struct {
			Key, Operator string
			Values        []string
		} `yaml:"matchExpressions"`
	}
	wirePeer struct {
		PodSelector       *wireSelector `yaml:"podSelector"`
		NamespaceSelector *wireSelector `yaml:"namespaceSelector"`
		IPBlock           *struct {
			CIDR   string `yaml:"cidr"`
			Except []string
		} `yaml:"ipBlock"`
	}
	wirePort struct {
		Protocol string
		Port     any
		EndPort  int `yaml:"endPort"`
	}
)

// readPolicies reads the NetworkPolicies of a stream.
func readPolicies(t *testing.T, data []byte) []slow.Policy {
	t.Helper()
	var out []slow.Policy
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var w wirePolicy
		if err := d.Decode(&w); errors.Is(err, io.EOF) {
			return out
		} else if mismatch := (*yaml.TypeError)(nil); err != nil && (w.Kind == "NetworkPolicy" || !errors.As(err, &mismatch)) {
			t.Fatal(err)
		}
		if w.Kind != "NetworkPolicy" || w.APIVersion != "networking.k8s.io/v1" {
			continue
		}
		p := slow.Policy{Namespace: w.Metadata.Namespace, PodSelector: w.Spec.PodSelector.slow(), PolicyTypes: w.Spec.PolicyTypes}
		if p.Namespace == "" {
			p.Namespace = "default"
		}
		for _, r := range w.Spec.Ingress {
			p.Ingress = append(p.Ingress, rule(r.From, r.Ports))
		}
		for _, r := range w.Spec.Egress {
			p.Egress = append(p.Egress, rule(r.To, r.Ports))
		}
		out = append(out, p)
	}
}

func (s wireSelector) slow() slow.Selector {
	var out slow.Selector
	for k, v := range s.MatchLabels {
		out = append(out, slow.Requirement{Key: k, Operator: "In", Values: []string{v}})
	}
	for _, e := range s.MatchExpressions {
		out = append(out, slow.Requirement{Key: e.Key, Operator: e.Operator, Values: e.Values})
	}
	return out
}

func rule(peers []wirePeer, ports []wirePort) slow.Rule {
	var out slow.Rule
	for _, p := range peers {
		var x slow.Peer
		if p.PodSelector != nil {
			s := p.PodSelector.slow()
			x.PodSelector = &s
		}
		if p.NamespaceSelector != nil {
			s := p.NamespaceSelector.slow()
			x.NamespaceSelector = &s
		}
		if p.IPBlock != nil {
			x.IPBlock = &slow.IPBlock{CIDR: netip.MustParsePrefix(p.IPBlock.CIDR)}
			for _, e := range p.IPBlock.Except {
				x.IPBlock.Except = append(x.IPBlock.Except, netip.MustParsePrefix(e))
			}
		}
		out.Peers = append(out.Peers, x)
	}
	for _, p := range ports {
		x := slow.Port{Protocol: p.Protocol, EndPort: p.EndPort}
		switch v := p.Port.(type) {
		case int:
			x.Number = v
		case string:
			x.Name = v
		}
		out.Ports = append(out.Ports, x)
	}
	return out
}
