package slow

import (
	"net/netip"
	"slices"
)

// AWS is one direction of one pod as the AWS network policy agent judges it: everything that the
// policies which select the pod open in that direction, in one list. It is written from the
// behaviour of the agent (aws/aws-network-policy-agent v1.4.3: pkg/fwruleprocessor, the lookup in
// pkg/ebpf/c).
//
// A pod that no policy isolates is the caller's affair: the agent gives it an entry for every
// address.
type AWS struct {
	Entries []AWSEntry
	Node    netip.Addr // of the pod's own node, in the family that is enforced
	IPv6    bool       // the family that is enforced; what is sent over the other one is not judged
}

// AWSEntry opens ports of the addresses of a block. A pod or Service is a block of one address.
type AWSEntry struct {
	CIDR   netip.Prefix
	Except []netip.Prefix
	Ports  []AWSPort // none: every port of every protocol
}

// AWSPort is one item of ports. The number 0 is every port of the protocol, the protocol "" every
// protocol.
type AWSPort struct {
	Protocol        string
	Number, EndPort int
}

// awsItems is how many different items the agent keeps for one block.
const awsItems = 24

// Passes reports whether connections with a are certainly, and whether they are possibly, let
// through. Of a block with more than 24 items the agent keeps some 24 that it does not choose.
func (m AWS) Passes(a netip.Addr, protocol string, port int) (certainly, possibly bool) {
	if a.Is6() != m.IPv6 {
		return true, true
	}
	best, denies := netip.Prefix{}, false
	longer := func(p netip.Prefix) bool { return p.Contains(a) && (!best.IsValid() || p.Bits() > best.Bits()) }
	for _, e := range m.Entries {
		if e.CIDR = e.CIDR.Masked(); m.counts(e) && longer(e.CIDR) {
			best, denies = e.CIDR, false
		}
	}
	for _, e := range m.Entries {
		if !m.counts(e) {
			continue
		}
		for _, x := range e.Except {
			if longer(x.Masked()) {
				best, denies = x.Masked(), true
			}
		}
	}
	if a == m.Node && !(denies && best.IsSingleIP()) {
		return true, true
	}
	if denies || !best.IsValid() {
		return false, false
	}
	items := m.items(best)
	matching := 0
	for _, i := range items {
		if i.matches(protocol, port) {
			matching++
		}
	}
	return matching > max(0, len(items)-awsItems), matching > 0
}

// counts reports whether the agent reads e at all.
func (m AWS) counts(e AWSEntry) bool {
	return e.CIDR.Addr().Is6() == m.IPv6 && e.CIDR.Masked().Addr() != m.Node
}

// items returns the different items of block: those of the entries that name it, and those of every
// shorter block that bequeaths to it.
func (m AWS) items(block netip.Prefix) []AWSPort {
	var out []AWSPort
	add := func(items ...AWSPort) {
		for _, i := range items {
			if !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
	}
	var asked []netip.Prefix
	for _, e := range m.Entries {
		outer := e.CIDR.Masked()
		switch {
		case !m.counts(e):
		case outer == block && len(e.Ports) == 0:
			add(AWSPort{})
		case outer == block:
			add(e.Ports...)
		case outer.Bits() < block.Bits() && outer.Contains(block.Addr()) && !slices.Contains(asked, outer) && m.bequeaths(outer, block.Addr()):
			asked = append(asked, outer)
			add(m.items(outer)...)
		}
	}
	return out
}

// bequeaths reports whether a longer block that begins at first inherits what outer opens.
// Whichever of the entries for outer makes an exception, it is one for all; and a prefix length of
// 32 is taken for a single address, also in IPv6.
func (m AWS) bequeaths(outer netip.Prefix, first netip.Addr) bool {
	if outer.Bits() == 32 {
		return false
	}
	for _, e := range m.Entries {
		if m.counts(e) && e.CIDR.Masked() == outer && slices.ContainsFunc(e.Except, func(x netip.Prefix) bool { return x.Contains(first) }) {
			return false
		}
	}
	return true
}

func (i AWSPort) matches(protocol string, port int) bool {
	return (i.Protocol == "" || i.Protocol == protocol) && (i.Number == 0 || i.Number == port || i.Number < port && port <= i.EndPort)
}
