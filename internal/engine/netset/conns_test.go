package netset

import (
	"math/rand/v2"
	"testing"
)

func TestProtocols(t *testing.T) {
	for _, p := range Protocols {
		if got, err := ParseProtocol(p.String()); got != p || err != nil {
			t.Errorf("ParseProtocol(%q) = %v, %v", p, got, err)
		}
	}
	for _, s := range []string{"", "tcp", "none", "ICMP", "TCP "} {
		if got, err := ParseProtocol(s); got != NoProtocol || err == nil {
			t.Errorf("ParseProtocol(%q) = %v, %v", s, got, err)
		}
	}
	if NoProtocol.String() != "none" {
		t.Errorf("no protocol is called %q", NoProtocol)
	}
}

// TestConnsAgreeWithTheirPorts compares every operation with the same operation on the ports of
// each protocol.
func TestConnsAgreeWithTheirPorts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	random := func() (c Conns, ports map[Protocol]Ports) {
		ports = map[Protocol]Ports{}
		for _, p := range Protocols {
			switch r.IntN(3) {
			case 0:
				ports[p] = AllPorts
			case 1:
				ports[p] = portLine.messy(bitmap(r.IntN(256)), r.Uint64()).Intersect(AllPorts)
			}
			c = c.Union(ConnsOf(p, ports[p]))
		}
		return c, ports
	}
	for range 3000 {
		a, pa := random()
		b, pb := random()
		empty, all, equal, covers := true, true, true, true
		for _, p := range Protocols {
			if !a.Of(p).Equal(pa[p]) {
				t.Fatalf("%v: %v is %v, want %v", a, p, a.Of(p).runs, pa[p].runs)
			}
			for what, pair := range map[string][2]Ports{
				"union":        {a.Union(b).Of(p), pa[p].Union(pb[p])},
				"intersection": {a.Intersect(b).Of(p), pa[p].Intersect(pb[p])},
				"difference":   {a.Minus(b).Of(p), pa[p].Minus(pb[p])},
			} {
				if !pair[0].Equal(pair[1]) {
					t.Fatalf("%s of %v and %v, %v: %v, want %v", what, a, b, p, pair[0].runs, pair[1].runs)
				}
			}
			for _, port := range []Port{0, 1, 79, 80, 65535} {
				if a.Contains(p, port) != pa[p].Contains(port) {
					t.Fatalf("%v contains %v %d: %t", a, p, port, a.Contains(p, port))
				}
			}
			empty = empty && pa[p].IsEmpty()
			all = all && pa[p].Equal(AllPorts)
			equal = equal && pa[p].Equal(pb[p])
			covers = covers && pa[p].Covers(pb[p])
		}
		if a.IsEmpty() != empty || a.IsAll() != all || a.Equal(b) != equal || a.Covers(b) != covers {
			t.Fatalf("%v and %v: empty %t, all %t, equal %t, covers %t", a, b, a.IsEmpty(), a.IsAll(), a.Equal(b), a.Covers(b))
		}
	}
}

func TestNoProtocolHoldsNothing(t *testing.T) {
	if c := ConnsOf(NoProtocol, AllPorts); !c.IsEmpty() {
		t.Errorf("connections of no protocol: %v", c)
	}
	if AllConns.Contains(NoProtocol, 80) || !AllConns.Of(NoProtocol).IsEmpty() {
		t.Error("every connection includes some of no protocol")
	}
}

func TestConnsText(t *testing.T) {
	for _, c := range []struct {
		conns Conns
		want  string
	}{
		{Conns{}, "none"},
		{AllConns, "any port"},
		{ConnsOf(TCP, AllPorts), "TCP any port"},
		{ConnsOf(UDP, Points[Port](53)).Union(ConnsOf(TCP, Points[Port](443, 80))), "TCP 80,443 · UDP 53"},
		{ConnsOf(SCTP, PortRange(8000, 8999).Union(Points[Port](1))), "SCTP 1,8000-8999"},
		{ConnsOf(TCP, AllPorts).Union(ConnsOf(UDP, PortRange(2, 65535))), "TCP any port · UDP 2-65535"},
	} {
		if got := c.conns.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := PortsText(Ports{}); got != "" {
		t.Errorf("no ports are written %q", got)
	}
}
