package netset

import (
	"fmt"
	"strconv"
	"strings"
)

// Port is a transport port; ports run from 1 to 65535.
type Port uint16

func (p Port) Compare(q Port) int { return int(p) - int(q) }
func (p Port) Next() Port         { return p + 1 }
func (p Port) Prev() Port         { return p - 1 }

// ID is the number of a class of pods.
type ID uint32

func (i ID) Compare(j ID) int {
	if i < j {
		return -1
	} else if i > j {
		return 1
	}
	return 0
}
func (i ID) Next() ID { return i + 1 }
func (i ID) Prev() ID { return i - 1 }

// Ports is a set of ports of one protocol, IDs a set of classes.
type (
	Ports = Set[Port]
	IDs   = Set[ID]
)

// AllPorts is every port, 1 to 65535.
var AllPorts = PortRange(1, 65535)

// PortRange returns the ports from lo to hi.
func PortRange(lo, hi Port) Ports { return Of(Run[Port]{lo, hi}) }

// IDRange returns the n classes that start at first.
func IDRange(first ID, n int) IDs {
	if n == 0 {
		return IDs{}
	}
	return Of(Run[ID]{first, first + ID(n) - 1})
}

// PortsText writes ports as "53,8000-8999".
func PortsText(s Ports) string {
	var b strings.Builder
	for r := range s.Runs() {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(r.Lo)))
		if r.Hi != r.Lo {
			b.WriteString("-" + strconv.Itoa(int(r.Hi)))
		}
	}
	return b.String()
}

// Protocol is a transport protocol that policies judge. The zero value is none of them.
type Protocol uint8

const (
	NoProtocol Protocol = iota
	TCP
	UDP
	SCTP
)

// Protocols lists every protocol, in the order in which answers name them.
var Protocols = [...]Protocol{TCP, UDP, SCTP}

// ParseProtocol reads a protocol as Kubernetes writes it, in capitals.
func ParseProtocol(s string) (Protocol, error) {
	for _, p := range Protocols {
		if s == p.String() {
			return p, nil
		}
	}
	return NoProtocol, fmt.Errorf("protocol %q is not TCP, UDP or SCTP", s)
}

func (p Protocol) String() string {
	switch p {
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	case SCTP:
		return "SCTP"
	}
	return "none"
}

// Conns is a set of connections by protocol and destination port.
type Conns struct{ ports [len(Protocols)]Ports }

// AllConns is every port of every protocol.
var AllConns = Conns{[...]Ports{AllPorts, AllPorts, AllPorts}}

// ConnsOf returns the connections of one protocol to ports; none for NoProtocol.
func ConnsOf(p Protocol, ports Ports) Conns {
	var c Conns
	if p != NoProtocol {
		c.ports[p-1] = ports
	}
	return c
}

// Of returns the ports of one protocol.
func (c Conns) Of(p Protocol) Ports {
	if p == NoProtocol {
		return Ports{}
	}
	return c.ports[p-1]
}

// IsEmpty reports whether c holds no connection.
func (c Conns) IsEmpty() bool {
	for _, p := range c.ports {
		if !p.IsEmpty() {
			return false
		}
	}
	return true
}

// IsAll reports whether c is [AllConns].
func (c Conns) IsAll() bool { return c.Equal(AllConns) }

// Equal reports whether c and d hold the same connections.
func (c Conns) Equal(d Conns) bool {
	for i := range c.ports {
		if !c.ports[i].Equal(d.ports[i]) {
			return false
		}
	}
	return true
}

// Contains reports whether c holds protocol p to port.
func (c Conns) Contains(p Protocol, port Port) bool { return c.Of(p).Contains(port) }

// Covers reports whether every connection of d is in c.
func (c Conns) Covers(d Conns) bool {
	for i := range c.ports {
		if !c.ports[i].Covers(d.ports[i]) {
			return false
		}
	}
	return true
}

// Overlaps reports whether some connection is in both c and d.
func (c Conns) Overlaps(d Conns) bool {
	for i := range c.ports {
		if c.ports[i].Overlaps(d.ports[i]) {
			return true
		}
	}
	return false
}

// Union returns the connections in c or d.
func (c Conns) Union(d Conns) Conns { return c.with(d, Ports.Union) }

// Intersect returns the connections in both c and d.
func (c Conns) Intersect(d Conns) Conns { return c.with(d, Ports.Intersect) }

// Minus returns the connections in c that are not in d.
func (c Conns) Minus(d Conns) Conns { return c.with(d, Ports.Minus) }

func (c Conns) with(d Conns, op func(a, b Ports) Ports) Conns {
	var out Conns
	for i := range out.ports {
		out.ports[i] = op(c.ports[i], d.ports[i])
	}
	return out
}

// String writes c as "TCP 80,443 · UDP 53", "any port" for everything and "none" for nothing.
func (c Conns) String() string {
	if c.IsAll() {
		return "any port"
	}
	var parts []string
	for _, p := range Protocols {
		switch ports := c.Of(p); {
		case ports.Equal(AllPorts):
			parts = append(parts, p.String()+" any port")
		case !ports.IsEmpty():
			parts = append(parts, p.String()+" "+PortsText(ports))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, " · ")
}

// ProtocolPort is one port of one protocol.
type ProtocolPort struct {
	Protocol Protocol
	Port     Port
}

// Few lists the ports of c if there are at most n; else nil.
func (c Conns) Few(n int) []ProtocolPort {
	var out []ProtocolPort
	for _, proto := range Protocols {
		for r := range c.Of(proto).Runs() {
			if len(out)+int(r.Hi-r.Lo) >= n {
				return nil
			}
			for port := r.Lo; ; port++ {
				out = append(out, ProtocolPort{proto, port})
				if port == r.Hi {
					break
				}
			}
		}
	}
	return out
}

// Part is the ports of one protocol, in text.
type Part struct {
	Protocol string `json:"protocol"`
	Ports    string `json:"ports"` // "a", "a-b", comma separated
}

// Parts returns c by protocol, without protocols that have no port.
func (c Conns) Parts() []Part {
	parts := []Part{}
	for _, p := range Protocols {
		if ports := c.Of(p); !ports.IsEmpty() {
			parts = append(parts, Part{p.String(), PortsText(ports)})
		}
	}
	return parts
}

// Hash returns a number that is the same for equal sets, and mostly another for others.
func (c Conns) Hash() uint64 {
	h := uint64(14695981039346656037)
	for i := range c.ports {
		h = (h ^ uint64(i)) * 1099511628211
		for r := range c.ports[i].Runs() {
			h = (h ^ uint64(r.Lo)<<16 ^ uint64(r.Hi)) * 1099511628211
		}
	}
	return h
}

// Count returns how many ports s holds.
func Count(s Ports) int {
	n := 0
	for r := range s.Runs() {
		n += int(r.Hi-r.Lo) + 1
	}
	return n
}
