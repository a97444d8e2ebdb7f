package oracle

import (
	"slices"

	"github.com/aws/aws-network-policy-agent/api/v1alpha1"
	fwrp "github.com/aws/aws-network-policy-agent/pkg/fwruleprocessor"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// awsController resolves policies to addresses as amazon-network-policy-controller-k8s does
// (pkg/resolvers/endpoints.go and pkg/k8s as of the middle of 2026), which cannot be imported: it
// is written anew from its behaviour. What combines the results into PolicyEndpoints is left out,
// for it changes nothing since that project's pull request 218.
type awsController struct {
	*awsState
	first int // the pod that lists begin with: their order is the informer's, which is none
}

// entry is what the agent is given of one peer.
type entry = fwrp.EbpfFirewallRules

// entries returns what a policy, as the API server stores it, opens in one direction. policyTypes
// has no say in it.
func (c awsController) entries(p *networkingv1.NetworkPolicy, ingress bool) []entry {
	var out []entry
	if ingress {
		for _, r := range p.Spec.Ingress {
			if ports := c.ingressPorts(p, r.Ports); len(r.Ports) == 0 || len(ports) > 0 {
				out = append(out, c.peers(p, r.From, ports, func(*corev1.Pod) []v1alpha1.Port { return ports })...)
			}
		}
		return out
	}
	for _, r := range p.Spec.Egress {
		numbers := literal(r.Ports)
		ofPod := func(pod *corev1.Pod) []v1alpha1.Port { return ofPod(pod, r.Ports) }
		for _, e := range c.peers(p, r.To, numbers, ofPod) {
			if len(r.Ports) == 0 || len(e.L4Info) > 0 { // names that nothing resolves must not open everything
				out = append(out, e)
			}
		}
		out = append(out, c.services(p, r)...)
	}
	return out
}

// peers resolves one rule's peers. Blocks, and the absence of peers, get the ports of blocks.
func (c awsController) peers(p *networkingv1.NetworkPolicy, peers []networkingv1.NetworkPolicyPeer, blocks []v1alpha1.Port,
	pods func(*corev1.Pod) []v1alpha1.Port) []entry {
	if len(peers) == 0 {
		return []entry{{IPCidr: "0.0.0.0/0", L4Info: slices.Clone(blocks)}, {IPCidr: "::/0", L4Info: slices.Clone(blocks)}}
	}
	var out []entry
	for _, peer := range peers {
		if b := peer.IPBlock; b != nil {
			e := entry{IPCidr: v1alpha1.NetworkAddress(b.CIDR), L4Info: slices.Clone(blocks)}
			for _, x := range b.Except {
				e.Except = append(e.Except, v1alpha1.NetworkAddress(x))
			}
			out = append(out, e)
			continue
		}
		for _, pod := range c.listed() {
			if pod.Status.PodIP != "" && c.inNamespace(p, peer, pod.Namespace) && selects(peer.PodSelector, pod.Labels) {
				out = append(out, entry{IPCidr: v1alpha1.NetworkAddress(pod.Status.PodIP), L4Info: slices.Clone(pods(pod))})
			}
		}
	}
	return out
}

// services returns the Services' own addresses that an egress rule opens: of those whose selector,
// taken for labels, satisfies a peer.
func (c awsController) services(p *networkingv1.NetworkPolicy, r networkingv1.NetworkPolicyEgressRule) []entry {
	var out []entry
	for _, peer := range r.To {
		for _, svc := range c.awsState.services {
			if peer.IPBlock != nil || svc.Spec.ClusterIP == "" || svc.Spec.ClusterIP == corev1.ClusterIPNone ||
				!c.inNamespace(p, peer, svc.Namespace) || !selects(peer.PodSelector, svc.Spec.Selector) {
				continue
			}
			e := entry{IPCidr: v1alpha1.NetworkAddress(svc.Spec.ClusterIP)}
			for _, item := range r.Ports {
				port := v1alpha1.Port{Protocol: item.Protocol, EndPort: item.EndPort} // the end is not translated
				if item.Port != nil {
					number, ok := c.listenPort(svc, *item.Port, *item.Protocol, r.Ports)
					if !ok {
						continue
					}
					port.Port = &number
				}
				e.L4Info = append(e.L4Info, port)
			}
			if len(r.Ports) == 0 || len(e.L4Info) > 0 {
				out = append(out, e)
			}
		}
	}
	return out
}

// listenPort translates a policy's port to the Service's that leads to it.
func (c awsController) listenPort(svc *corev1.Service, port intstr.IntOrString, proto corev1.Protocol, items []networkingv1.NetworkPolicyPort) (int32, bool) {
	number, ok := int32(0), false
	for _, sp := range svc.Spec.Ports {
		if !ok && sp.Protocol == proto && sp.TargetPort == port {
			number, ok = sp.Port, true
		}
	}
	for _, pod := range c.behind(svc) {
		if ok {
			break
		}
		container, name, found := lookup(pod, port, proto)
		for _, sp := range svc.Spec.Ports {
			target := sp.TargetPort
			leads := target.Type == intstr.String && target.StrVal == name || target.Type == intstr.Int && target.IntVal == container
			if found && !ok && sp.Protocol == proto && leads {
				number, ok = sp.Port, true
			}
		}
	}
	return number, ok && !(port.Type == intstr.Int && c.leadsElsewhere(svc, number, proto, items))
}

// leadsElsewhere reports whether a port of a Service, by the name of its target, ends at a number
// on some pod that the rule does not open.
func (c awsController) leadsElsewhere(svc *corev1.Service, number int32, proto corev1.Protocol, items []networkingv1.NetworkPolicyPort) bool {
	at := slices.IndexFunc(svc.Spec.Ports, func(sp corev1.ServicePort) bool {
		return sp.Port == number && sp.Protocol == proto && sp.TargetPort.Type == intstr.String
	})
	if at < 0 {
		return false
	}
	for _, pod := range c.behind(svc) {
		end, _, ok := lookup(pod, svc.Spec.Ports[at].TargetPort, proto)
		if ok && !slices.ContainsFunc(items, func(i networkingv1.NetworkPolicyPort) bool {
			return *i.Protocol == proto && (i.Port == nil || i.Port.Type == intstr.Int && (i.Port.IntVal == end ||
				i.EndPort != nil && i.Port.IntVal <= end && end <= *i.EndPort))
		}) {
			return true
		}
	}
	return false
}

// behind returns the pods that a Service selects; without a selector, every pod of its namespace.
func (c awsController) behind(svc *corev1.Service) []*corev1.Pod {
	var out []*corev1.Pod
	for _, pod := range c.listed() {
		if pod.Namespace == svc.Namespace && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(pod.Labels)) {
			out = append(out, pod)
		}
	}
	return out
}

func (c awsController) listed() []*corev1.Pod {
	return slices.Concat(c.pods[c.first:], c.pods[:c.first])
}

// ingressPorts resolves the ports of an ingress rule, once for all of its peers: names to whatever
// number any of the selected pods has by them.
func (c awsController) ingressPorts(p *networkingv1.NetworkPolicy, items []networkingv1.NetworkPolicyPort) []v1alpha1.Port {
	if !slices.ContainsFunc(items, func(i networkingv1.NetworkPolicyPort) bool { return i.Port != nil && i.Port.Type == intstr.String }) {
		return literal(items)
	}
	var out []v1alpha1.Port
	for _, pod := range c.listed() {
		if pod.Namespace == p.Namespace && pod.Status.PodIP != "" && selects(&p.Spec.PodSelector, pod.Labels) {
			out = append(out, ofPod(pod, items)...)
		}
	}
	return out
}

// literal returns ports without those that are names.
func literal(items []networkingv1.NetworkPolicyPort) []v1alpha1.Port {
	return ofPod(&corev1.Pod{}, items)
}

// ofPod returns ports as one pod names them, without the names that it does not have.
func ofPod(pod *corev1.Pod, items []networkingv1.NetworkPolicyPort) []v1alpha1.Port {
	var out []v1alpha1.Port
	for _, i := range items {
		port := v1alpha1.Port{Protocol: i.Protocol, EndPort: i.EndPort}
		if i.Port != nil {
			number, _, ok := lookup(pod, *i.Port, *i.Protocol)
			if !ok {
				continue
			}
			port.Port = &number
		}
		out = append(out, port)
	}
	return out
}

// lookup finds the first container port that is meant, and its name. A number need not be declared.
func lookup(pod *corev1.Pod, port intstr.IntOrString, proto corev1.Protocol) (number int32, name string, ok bool) {
	for _, container := range pod.Spec.Containers {
		for _, p := range container.Ports {
			if p.Protocol == proto && (port.Type == intstr.String && p.Name == port.StrVal || port.Type == intstr.Int && p.ContainerPort == port.IntVal) {
				return p.ContainerPort, p.Name, true
			}
		}
	}
	return port.IntVal, "", port.Type == intstr.Int
}

func (c awsController) inNamespace(p *networkingv1.NetworkPolicy, peer networkingv1.NetworkPolicyPeer, namespace string) bool {
	if peer.NamespaceSelector == nil {
		return namespace == p.Namespace
	}
	return selects(peer.NamespaceSelector, c.labelsOf(namespace))
}

// selects reports whether a selector, or none, matches labels.
func selects(sel *metav1.LabelSelector, set map[string]string) bool {
	if sel == nil {
		return true
	}
	parsed, err := metav1.LabelSelectorAsSelector(sel)
	return err == nil && parsed.Matches(labels.Set(set))
}
