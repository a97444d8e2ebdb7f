package oracle

import (
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// clone returns a copy that may be changed without changing s.
func (s *awsState) clone() *awsState {
	c := &awsState{state: s.state.clone(), ipv6: s.ipv6, nodes: slices.Clone(s.nodes)}
	for _, svc := range s.services {
		c.services = append(c.services, svc.DeepCopy())
	}
	return c
}

// shrink takes away whatever s can do without and still be bad.
func shrink(t *testing.T, s *awsState, bad func(*awsState) bool) *awsState {
	t.Helper()
	for n := 0; n < s.parts(); {
		if c := s.without(n); bad(c) {
			s = c
		} else {
			n++
		}
	}
	return s
}

// parts is how many parts without knows.
func (s *awsState) parts() int {
	n := 0
	s.clone().each(func(func()) { n++ })
	return n
}

// without returns s without its nth part.
func (s *awsState) without(n int) *awsState {
	c := s.clone()
	var remove func()
	c.each(func(f func()) {
		if n--; n == -1 {
			remove = f
		}
	})
	remove()
	return c
}

// each visits ways to make s smaller.
func (s *awsState) each(visit func(remove func())) {
	eachOf(&s.policies, visit)
	eachOf(&s.services, visit)
	eachOf(&s.pods, visit)
	for _, p := range s.policies {
		spec := &p.Spec
		eachSelector(&spec.PodSelector, visit)
		eachOf(&spec.PolicyTypes, visit)
		eachOf(&spec.Ingress, visit)
		eachOf(&spec.Egress, visit)
		for i := range spec.Ingress {
			eachPeer(&spec.Ingress[i].From, visit)
			eachOf(&spec.Ingress[i].Ports, visit)
		}
		for i := range spec.Egress {
			eachPeer(&spec.Egress[i].To, visit)
			eachOf(&spec.Egress[i].Ports, visit)
		}
	}
	for _, p := range s.pods {
		for i := range p.Spec.Containers {
			eachOf(&p.Spec.Containers[i].Ports, visit)
		}
		for key := range p.Labels {
			visit(func() { delete(p.Labels, key) })
		}
	}
	for _, svc := range s.services {
		if len(svc.Spec.Ports) > 1 {
			eachOf(&svc.Spec.Ports, visit)
		}
		for key := range svc.Spec.Selector {
			visit(func() { delete(svc.Spec.Selector, key) })
		}
	}
}

func eachPeer(peers *[]networkingv1.NetworkPolicyPeer, visit func(func())) {
	eachOf(peers, visit)
	for _, peer := range *peers {
		if peer.IPBlock != nil {
			eachOf(&peer.IPBlock.Except, visit)
			continue
		}
		for _, sel := range []*metav1.LabelSelector{peer.PodSelector, peer.NamespaceSelector} {
			eachSelector(sel, visit)
		}
	}
}

func eachSelector(sel *metav1.LabelSelector, visit func(func())) {
	if sel != nil && (sel.MatchLabels != nil || sel.MatchExpressions != nil) {
		visit(func() { *sel = metav1.LabelSelector{} })
	}
}

func eachOf[T any](list *[]T, visit func(func())) {
	for i := range *list {
		visit(func() { *list = slices.Delete(slices.Clone(*list), i, i+1) })
	}
}
