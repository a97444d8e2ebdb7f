package oracle

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/mattfenwick/cyclonus/pkg/kube"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// cyclonus is github.com/mattfenwick/cyclonus' matcher.
type cyclonus struct {
	state  *state
	policy *matcher.Policy
}

func newCyclonus(s *state) cyclonus {
	return cyclonus{s, matcher.BuildNetworkPolicies(false, s.defaulted())}
}

func (cyclonus) name() string { return "cyclonus" }

func (c cyclonus) judge(q question) verdict {
	name, only := q.to.portName(q.proto, q.port)
	if !only {
		return unsure // it is told one name for a port
	}
	return judged(c.policy.IsTrafficAllowed(&matcher.Traffic{
		Source: c.peer(q.from), Destination: c.peer(q.to),
		ResolvedPort: q.port, ResolvedPortName: name, Protocol: q.proto,
	}).IsAllowed())
}

func (c cyclonus) peer(e end) *matcher.TrafficPeer {
	p := &matcher.TrafficPeer{IP: e.addr.String()}
	if e.pod != nil {
		p.Internal = &matcher.InternalPeer{PodLabels: e.pod.Labels, NamespaceLabels: c.state.labelsOf(e.pod.Namespace), Namespace: e.pod.Namespace}
	}
	return p
}

// cyclonusReadsSelectors reports whether Cyclonus matches every selector of s to the same labels as
// the API machinery does. It takes a key that is absent for one that NotIn rejects, and for one
// whose value is empty.
func cyclonusReadsSelectors(s *state) bool {
	same := func(sel *metav1.LabelSelector, set map[string]string) bool {
		if sel == nil {
			return true
		}
		parsed, err := metav1.LabelSelectorAsSelector(sel)
		return err == nil && parsed.Matches(labels.Set(set)) == kube.IsLabelsMatchLabelSelector(set, *sel)
	}
	var pods, namespaces []*metav1.LabelSelector
	peers := func(list []networkingv1.NetworkPolicyPeer) {
		for _, p := range list {
			pods, namespaces = append(pods, p.PodSelector), append(namespaces, p.NamespaceSelector)
		}
	}
	for _, p := range s.policies {
		pods = append(pods, &p.Spec.PodSelector)
		for _, r := range p.Spec.Ingress {
			peers(r.From)
		}
		for _, r := range p.Spec.Egress {
			peers(r.To)
		}
	}
	for _, sel := range pods {
		for _, p := range s.pods {
			if !same(sel, p.Labels) {
				return false
			}
		}
	}
	for _, sel := range namespaces {
		for name := range s.namespaces {
			if !same(sel, s.labelsOf(name)) {
				return false
			}
		}
	}
	return true
}

// kindnet is sigs.k8s.io/kube-network-policies' engine, fed through the listers it has in a
// cluster.
type kindnet struct{ engine *networkpolicy.PolicyEngine }

func newKindnet(s *state) (kindnet, error) {
	factory := informers.NewSharedInformerFactory(nil, 0)
	namespaces, pods, policies := factory.Core().V1().Namespaces(), factory.Core().V1().Pods(), factory.Networking().V1().NetworkPolicies()
	evaluator := networkpolicy.NewStandardNetworkPolicy("node-1", namespaces, pods, policies)
	for _, p := range s.defaulted() {
		// A list that is empty and not nil would allow everything: the informers of a cluster never
		// hold one.
		if len(p.Spec.Ingress) == 0 {
			p.Spec.Ingress = nil
		}
		if len(p.Spec.Egress) == 0 {
			p.Spec.Egress = nil
		}
		if err := policies.Informer().GetIndexer().Add(p); err != nil {
			return kindnet{}, fmt.Errorf("indexing policy %s: %w", p.Name, err)
		}
	}
	byIP := podsByIP{}
	for _, p := range s.pods {
		for _, ip := range p.Status.PodIPs {
			byIP[ip.IP] = api.NewPodInfo(p, s.labelsOf(p.Namespace), nil, "")
		}
	}
	return kindnet{networkpolicy.NewPolicyEngine(byIP, []api.PolicyEvaluator{evaluator})}, nil
}

// podsByIP is the pods of a state by address, as the engine asks for them.
type podsByIP map[string]*api.PodInfo

func (m podsByIP) GetPodInfoByIP(ip string) (*api.PodInfo, bool) {
	p, ok := m[ip]
	return p, ok
}

func (kindnet) name() string { return "kube-network-policies" }

func (k kindnet) judge(q question) verdict {
	ok, err := k.engine.EvaluatePacket(context.Background(), &network.Packet{
		SrcIP: ip(q.from.addr), DstIP: ip(q.to.addr), Proto: q.proto, SrcPort: 45678, DstPort: q.port,
	})
	if err != nil {
		return unsure
	}
	return judged(ok)
}

func ip(a netip.Addr) net.IP { return a.AsSlice() }
