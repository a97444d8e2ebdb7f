package oracle

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-network-policy-agent/api/v1alpha1"
	fwrp "github.com/aws/aws-network-policy-agent/pkg/fwruleprocessor"
	"github.com/aws/aws-network-policy-agent/pkg/logger"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/toolmoat/toolmoat/test/slow"
)

func init() { logger.New("fatal", os.DevNull, 1, 1) } // else it writes to /var/log, or says that it cannot

// aws is the AWS network policy agent: one map for each pod and direction.
type aws struct {
	*awsState
	sides [2]map[*corev1.Pod]awsSide // by whether it is ingress
}

// awsSide is one direction of one pod.
type awsSide struct {
	keys map[netip.Prefix][]byte // what the agent writes into the kernel's map; nil where it judges nothing
	twin slow.AWS
}

// newAWS runs the agent for every pod of s. first is the pod that the controller's lists begin
// with.
func newAWS(t testing.TB, s *awsState, first int) *aws {
	t.Helper()
	a := &aws{awsState: s}
	c := awsController{s, first}
	policies := s.defaulted()
	for i := range a.sides {
		ingress := i == 1
		a.sides[i] = map[*corev1.Pod]awsSide{}
		for _, pod := range s.pods {
			if !pod.Spec.HostNetwork {
				a.sides[i][pod] = a.side(t, c, policies, pod, ingress)
			}
		}
	}
	return a
}

// side does what the agent's reconciler does before and after its rule processor: it collects what
// all policies open, and adds an entry for everything if there is none and no policy isolates the
// pod.
func (a *aws) side(t testing.TB, c awsController, policies []*networkingv1.NetworkPolicy, pod *corev1.Pod, ingress bool) awsSide {
	t.Helper()
	var rules []entry
	direction, selected, isolated := networkingv1.PolicyTypeEgress, false, false
	if ingress {
		direction = networkingv1.PolicyTypeIngress
	}
	for _, p := range policies {
		if p.Namespace == pod.Namespace && selects(&p.Spec.PodSelector, pod.Labels) {
			selected = true
			isolated = isolated || slices.Contains(p.Spec.PolicyTypes, direction)
			rules = append(rules, c.entries(p, ingress)...)
		}
	}
	if !selected {
		return awsSide{}
	}
	if len(rules) == 0 && !isolated {
		rules = []entry{{IPCidr: v1alpha1.NetworkAddress(a.everything())}}
	}
	node := a.nodeAddr(pod.Spec.NodeName)
	out := awsSide{twin: slow.AWS{Entries: twins(rules), Node: node, IPv6: a.ipv6}}
	entries, err := fwrp.NewFirewallRuleProcessor(node.String(), fmt.Sprintf("/%d", node.BitLen()), a.ipv6).ComputeMapEntriesFromEndpointRules(rules)
	if err != nil {
		t.Fatal(err)
	}
	out.keys = make(map[netip.Prefix][]byte, len(entries))
	for key, value := range entries {
		out.keys[prefixOf(t, key)] = value
	}
	return out
}

func twins(rules []entry) []slow.AWSEntry {
	var out []slow.AWSEntry
	for _, r := range rules {
		cidr, err := netip.ParsePrefix(string(r.IPCidr))
		if err != nil {
			addr := netip.MustParseAddr(string(r.IPCidr))
			cidr = netip.PrefixFrom(addr, addr.BitLen())
		}
		e := slow.AWSEntry{CIDR: cidr}
		for _, x := range r.Except {
			e.Except = append(e.Except, netip.MustParsePrefix(string(x)))
		}
		for _, p := range r.L4Info {
			port := slow.AWSPort{Protocol: string(*p.Protocol)}
			if p.Port != nil {
				port.Number = int(*p.Port)
			}
			if p.EndPort != nil {
				port.EndPort = int(*p.EndPort)
			}
			e.Ports = append(e.Ports, port)
		}
		out = append(out, e)
	}
	return out
}

// passes looks an address up as the kernel's program does (pkg/ebpf/c): the longest prefix, then
// its items one by one.
func (s awsSide) passes(addr netip.Addr, proto corev1.Protocol, port int) verdict {
	if s.keys == nil || addr.Is6() != s.twin.IPv6 {
		return allowed
	}
	return judged(opened(s.value(addr), protocolNumber[proto], uint32(port)))
}

// value returns what the map has for an address; nil for nothing.
func (s awsSide) value(addr netip.Addr) []byte {
	for bits := addr.BitLen(); bits >= 0; bits-- {
		if value, ok := s.keys[netip.PrefixFrom(addr, bits).Masked()]; ok {
			return value
		}
	}
	return nil
}

// full reports whether what the map has for an address has no room left: the agent may have left
// something out.
func (s awsSide) full(addr netip.Addr) bool {
	value := s.value(addr)
	return value != nil && slices.Max(value[(mapItems-1)*itemSize:]) > 0
}

// prefixOf reads a key of the kernel's map: the length of a prefix, then an address.
func prefixOf(t testing.TB, key string) netip.Prefix {
	t.Helper()
	addr, ok := netip.AddrFromSlice([]byte(key[4:]))
	p := netip.PrefixFrom(addr, int(binary.LittleEndian.Uint32([]byte(key))))
	if !ok || p != p.Masked() || !p.IsValid() {
		t.Fatalf("the agent made the key %x", key)
	}
	return p
}

// The layout of the kernel's map values, and the protocol numbers in them that stand for every
// protocol and for nothing.
const (
	itemSize  = 12
	mapItems  = 24
	anyProto  = 254
	denyProto = 255
)

var protocolNumber = map[corev1.Protocol]uint32{corev1.ProtocolTCP: 6, corev1.ProtocolUDP: 17, corev1.ProtocolSCTP: 132}

func opened(value []byte, proto, port uint32) bool {
	for item := range slices.Chunk(value, itemSize) {
		kept, first, last := binary.LittleEndian.Uint32(item), binary.LittleEndian.Uint32(item[4:]), binary.LittleEndian.Uint32(item[8:])
		switch {
		case kept == denyProto:
			return false
		case kept != anyProto && kept != proto:
		case first == 0 || port == first || port > first && port <= last:
			return true
		}
	}
	return false
}

// certain is the twin's answer, unsure where the agent's is an accident.
func (s awsSide) certain(addr netip.Addr, proto corev1.Protocol, port int) verdict {
	if s.keys == nil {
		return allowed
	}
	certainly, possibly := s.twin.Passes(addr, string(proto), port)
	switch {
	case certainly:
		return allowed
	case possibly:
		return unsure
	}
	return denied
}
