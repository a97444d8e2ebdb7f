package slow

import (
	"net/netip"
	"strings"
	"testing"
)

// entries reads one entry a line: a block, "except" with blocks, then ports as "tcp/80",
// "tcp/80-90", "tcp".
func entries(text string) []AWSEntry {
	var out []AWSEntry
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		e := AWSEntry{CIDR: netip.MustParsePrefix(fields[0])}
		for _, f := range fields[1:] {
			switch proto, ports, ranged := strings.Cut(f, "/"); {
			case proto == "tcp" || proto == "udp":
				lo, hi, _ := strings.Cut(ports, "-")
				e.Ports = append(e.Ports, AWSPort{strings.ToUpper(proto), number(lo), number(hi)})
			case ranged:
				e.Except = append(e.Except, netip.MustParsePrefix(f))
			}
		}
		out = append(out, e)
	}
	return out
}

func number(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// many is n different items of TCP from port first on.
func many(first, n int) (out []AWSPort) {
	for i := range n {
		out = append(out, AWSPort{Protocol: "TCP", Number: first + i})
	}
	return out
}

func TestAWS(t *testing.T) {
	for _, c := range []struct {
		why, entries, addr string
		port               int
		want               bool
	}{
		{"nothing opens it", "", "10.1.0.1", 80, false},
		{"every port", "10.0.0.0/8", "10.1.0.1", 80, true},
		{"host bits do not count", "10.9.9.9/8 tcp/80\n10.0.0.0/8 tcp/81", "10.1.0.1", 80, true},
		{"the longest block decides", "10.0.0.0/8 tcp/80\n10.1.0.0/16 tcp/81", "10.2.0.1", 81, false},
		{"and inherits", "10.0.0.0/8 tcp/80\n10.1.0.0/16 tcp/81", "10.1.0.1", 80, true},
		{"an exception denies", "10.0.0.0/8 except 10.1.0.0/16", "10.1.0.1", 80, false},
		{"and what another entry opens with the same block", "10.0.0.0/8 except 10.1.0.0/16\n10.0.0.0/8", "10.1.0.1", 80, false},
		{"or a shorter one", "10.0.0.0/8 except 10.1.0.0/16\n0.0.0.0/0", "10.1.0.1", 80, false},
		{"unless an entry names it", "10.0.0.0/8 except 10.1.0.0/16\n10.1.0.0/16 tcp/80", "10.1.0.1", 80, true},
		{"which inherits nothing from where it is an exception", "10.0.0.0/8 except 10.1.0.0/16\n10.1.0.0/16 tcp/80", "10.1.0.1", 81, false},
		{"but from others", "0.0.0.0/0 tcp/81\n10.0.0.0/8 except 10.1.0.0/16 tcp/82\n10.1.0.0/16 tcp/80", "10.1.0.1", 81, true},
		{"a pod in an exception has its own ports", "10.0.0.0/8 except 10.1.0.0/16\n10.1.0.1/32 tcp/80", "10.1.0.1", 80, true},
		{"and no others", "10.0.0.0/8 except 10.1.0.0/16\n10.1.0.1/32 tcp/80", "10.1.0.1", 81, false},
		{"inheriting leads around an exception", "0.0.0.0/0 except 10.1.2.0/24 tcp/1\n10.1.0.0/16 tcp/2\n10.1.2.0/25 tcp/3", "10.1.2.1", 1, true},
		{"the exception decides by the first address", "10.0.0.0/8 except 10.1.0.0/24 tcp/1\n10.1.0.0/16 tcp/2", "10.1.9.9", 1, false},
		{"and only by it", "10.0.0.0/8 except 10.1.1.0/24 tcp/1\n10.1.0.0/16 tcp/2", "10.1.9.9", 1, true},
		{"exceptions within exceptions deny too", "10.0.0.0/8 except 10.1.0.0/16\n10.1.0.0/16 except 10.1.1.0/24", "10.1.1.1", 80, false},
		{"a range", "10.0.0.0/8 tcp/80-90", "10.1.0.1", 90, true},
		{"ends", "10.0.0.0/8 tcp/80-90", "10.1.0.1", 91, false},
		{"a range that ends before it begins is one port", "10.0.0.0/8 tcp/8000-90", "10.1.0.1", 8000, true},
		{"and not the others", "10.0.0.0/8 tcp/8000-90", "10.1.0.1", 85, false},
		{"another protocol", "10.0.0.0/8 udp/80", "10.1.0.1", 80, false},
		{"a whole protocol", "10.0.0.0/8 tcp", "10.1.0.1", 80, true},
		{"the node is open", "", "10.0.0.16", 80, true},
		{"also in an exception", "10.0.0.0/8 except 10.0.0.0/24", "10.0.0.16", 80, true},
		{"unless it is one itself", "10.0.0.0/8 except 10.0.0.16/32", "10.0.0.16", 80, false},
		{"no entry narrows it", "10.0.0.16/32 tcp/81", "10.0.0.16", 80, true},
		{"a block that begins at the node is not read", "10.0.0.16/28", "10.0.0.17", 80, false},
		{"with its exceptions", "10.0.0.0/8\n10.0.0.16/28 except 10.0.0.20/32", "10.0.0.20", 80, true},
		{"the other family is not judged", "", "2001:db8::1", 80, true},
	} {
		m := AWS{Entries: entries(c.entries), Node: netip.MustParseAddr("10.0.0.16")}
		if surely, perhaps := m.Passes(netip.MustParseAddr(c.addr), "TCP", c.port); surely != c.want || perhaps != c.want {
			t.Errorf("%s: %s port %d: certainly %t, possibly %t; want %t\n%s", c.why, c.addr, c.port, surely, perhaps, c.want, c.entries)
		}
	}
}

func TestAWSInIPv6(t *testing.T) {
	m := AWS{Node: netip.MustParseAddr("fd00::16"), IPv6: true,
		Entries: entries("fd00::/16 tcp/1\nfd00::/32 tcp/2\nfd00::/64 tcp/3\nfd00::5/128 tcp/4\n10.0.0.0/8")}
	for port, want := range map[int]bool{1: true, 2: false, 3: true, 4: true} {
		if surely, perhaps := m.Passes(netip.MustParseAddr("fd00::5"), "TCP", port); surely != want || perhaps != want {
			t.Errorf("port %d: certainly %t, possibly %t; want %t: a /32 bequeaths nothing", port, surely, perhaps, want)
		}
	}
	if surely, _ := m.Passes(netip.MustParseAddr("192.0.2.1"), "TCP", 80); !surely {
		t.Error("IPv4 is judged")
	}
}

func TestAWSKeeps24(t *testing.T) {
	node, block, pod := netip.MustParseAddr("10.0.0.16"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.1.0.1/32")
	for _, c := range []struct {
		why              string
		entries          []AWSEntry
		port             int
		surely, possibly bool
	}{
		{"24 fit", []AWSEntry{{CIDR: block, Ports: many(1, 24)}}, 5, true, true},
		{"of 25 each may be lost", []AWSEntry{{CIDR: block, Ports: many(1, 25)}}, 5, false, true},
		{"but nothing is gained", []AWSEntry{{CIDR: block, Ports: many(1, 25)}}, 26, false, false},
		{"two that match are not both lost", []AWSEntry{{CIDR: block, Ports: append(many(1, 24), AWSPort{"TCP", 1, 9})}}, 5, true, true},
		{"the same one twice counts once", []AWSEntry{{CIDR: block, Ports: many(1, 24)}, {CIDR: block, Ports: many(1, 24)}}, 5, true, true},
		{"what is inherited counts", []AWSEntry{{CIDR: block, Ports: many(1, 13)}, {CIDR: pod, Ports: many(101, 12)}}, 5, false, true},
		{"the item for everything may be lost as well", []AWSEntry{{CIDR: block, Ports: many(1, 24)}, {CIDR: block}}, 80, false, true},
	} {
		m := AWS{Entries: c.entries, Node: node}
		if surely, possibly := m.Passes(pod.Addr(), "TCP", c.port); surely != c.surely || possibly != c.possibly {
			t.Errorf("%s: certainly %t, possibly %t; want %t, %t", c.why, surely, possibly, c.surely, c.possibly)
		}
	}
}
