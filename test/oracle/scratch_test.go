package oracle

// Scratch: a stand-in for the decoder until it exists.

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	networkingdefaults "k8s.io/kubernetes/pkg/apis/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/toolmoat/toolmoat/internal/label"
	"github.com/toolmoat/toolmoat/internal/model"
	"github.com/toolmoat/toolmoat/internal/netset"
	"github.com/toolmoat/toolmoat/internal/origin"
	"github.com/toolmoat/toolmoat/internal/policy"
)

func read(t *testing.T, text []byte) string { return "" }

func sel(s *metav1.LabelSelector) label.Selector {
	if s == nil {
		return label.Selector{}
	}
	out := label.Equals(s.MatchLabels)
	for _, e := range s.MatchExpressions {
		switch e.Operator {
		case "In":
			out = out.Require(e.Key, label.In(e.Values...))
		case "NotIn":
			out = out.Require(e.Key, label.NotIn(e.Values...))
		case "Exists":
			out = out.Require(e.Key, label.Exists())
		case "DoesNotExist":
			out = out.Require(e.Key, label.Absent())
		}
	}
	return out
}

func load(t *testing.T, text []byte) *model.Snapshot {
	s := &model.Snapshot{}
	for _, doc := range bytes.Split(text, []byte("---\n")) {
		var k metav1.TypeMeta
		_ = yaml.Unmarshal(doc, &k)
		switch k.Kind {
		case "Namespace":
			var n corev1.Namespace
			_ = yaml.Unmarshal(doc, &n)
			s.Namespaces = append(s.Namespaces, model.Namespace{Name: n.Name, Labels: label.Known(n.Labels).With(label.MetadataName, n.Name), Origin: origin.Origin{Object: "Namespace " + n.Name}})
		case "Pod":
			var p corev1.Pod
			_ = yaml.Unmarshal(doc, &p)
			mp := model.Pod{Name: p.Name, Labels: label.Known(p.Labels), Node: p.Spec.NodeName}
			for _, ip := range p.Status.PodIPs {
				mp.Addrs = append(mp.Addrs, netip.MustParseAddr(ip.IP))
			}
			for _, ip := range p.Status.HostIPs {
				mp.NodeAddrs = append(mp.NodeAddrs, netip.MustParseAddr(ip.IP))
			}
			for _, c := range p.Spec.Containers {
				for _, cp := range c.Ports {
					mp.Ports = append(mp.Ports, model.ContainerPort{Name: cp.Name, Protocol: ourProtocol[cp.Protocol], Port: netset.Port(cp.ContainerPort)})
				}
			}
			s.Workloads = append(s.Workloads, model.Workload{Namespace: p.Namespace, Kind: "Pod", Name: p.Name, Pods: []model.Pod{mp}})
		case "NetworkPolicy":
			var p networkingv1.NetworkPolicy
			if err := yaml.Unmarshal(doc, &p); err != nil {
				t.Fatal(err)
			}
			networkingdefaults.SetObjectDefaults_NetworkPolicy(&p)
			mp := policy.Policy{Dialect: policy.NetworkPolicy, Namespace: p.Namespace, Name: p.Name, Origin: origin.Origin{Object: p.Name}}
			sub := policy.Subject{NS: label.Named(p.Namespace), Pod: sel(&p.Spec.PodSelector)}
			add := func(d policy.Direction, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
				r := policy.Rule{Tier: policy.TierNetworkPolicy, Action: policy.Allow, Dir: d, Subject: sub, AnyPeer: len(peers) == 0, AnyPort: len(ports) == 0}
				for _, peer := range peers {
					if b := peer.IPBlock; b != nil {
						blk := &policy.Block{CIDR: netip.MustParsePrefix(b.CIDR)}
						for _, e := range b.Except {
							blk.Except = append(blk.Except, netip.MustParsePrefix(e))
						}
						r.Peers = append(r.Peers, policy.Peer{Block: blk})
						continue
					}
					ns, pod := sel(peer.NamespaceSelector), sel(peer.PodSelector)
					if peer.NamespaceSelector == nil {
						ns = label.Named(p.Namespace)
					}
					r.Peers = append(r.Peers, policy.Peer{NS: &ns, Pod: &pod})
				}
				for _, port := range ports {
					pp := policy.Port{Protocol: ourProtocol[*port.Protocol], Lo: 1, Hi: 65535}
					if port.Port != nil && port.Port.StrVal != "" {
						pp.Name = port.Port.StrVal
					} else if port.Port != nil {
						pp.Lo = netset.Port(port.Port.IntVal)
						pp.Hi = pp.Lo
						if port.EndPort != nil {
							pp.Hi = netset.Port(*port.EndPort)
						}
					}
					r.Ports = append(r.Ports, pp)
				}
				mp.Rules = append(mp.Rules, r)
			}
			for _, ty := range p.Spec.PolicyTypes {
				switch ty {
				case "Ingress":
					mp.Stances = append(mp.Stances, policy.Stance{Tier: policy.TierNetworkPolicy, Dir: policy.Ingress, Subject: sub, Else: policy.Deny})
					for _, r := range p.Spec.Ingress {
						add(policy.Ingress, r.From, r.Ports)
					}
				case "Egress":
					mp.Stances = append(mp.Stances, policy.Stance{Tier: policy.TierNetworkPolicy, Dir: policy.Egress, Subject: sub, Else: policy.Deny})
					for _, r := range p.Spec.Egress {
						add(policy.Egress, r.To, r.Ports)
					}
				}
			}
			s.Policies = append(s.Policies, mp)
		}
	}
	slices.SortFunc(s.Workloads, func(a, b model.Workload) int { return strings.Compare(a.ID(), b.ID()) })
	slices.SortFunc(s.Namespaces, func(a, b model.Namespace) int { return strings.Compare(a.Name, b.Name) })
	return s
}
