package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"ns/a":                         "ns/a 0 none",
		"ns/a:80":                      "ns/a 80 TCP",
		"ns/a:80/udp":                  "ns/a 80 UDP",
		"ns/deployment/a:80/Sctp":      "ns/Deployment/a 80 SCTP",
		"ns/Deployment/udp":            "ns/Deployment/udp 0 none",
		"ns/Deployment/udp/udp":        "ns/Deployment/udp 0 UDP",
		"ns/udp":                       "ns/udp 0 none",
		"ns/a/udp":                     "ns/a 0 UDP",
		"ns/Service/a:65535":           "ns/Service/a 65535 TCP",
		"10.0.0.1":                     "10.0.0.1 0 none",
		"10.0.0.1:53/UDP":              "10.0.0.1 53 UDP",
		"10.0.0.1/udp":                 "10.0.0.1 0 UDP",
		"::ffff:10.0.0.1":              "10.0.0.1 0 none",
		"fd00::1":                      "fd00::1 0 none",
		"[fd00::1]":                    "fd00::1 0 none",
		"[fd00::1]:443":                "fd00::1 443 TCP",
		"[fd00::1]/udp":                "fd00::1 0 UDP",
		"API.Example.com.:443":         "api.example.com 443 TCP",
		"api.example.com/udp":          "api.example.com 0 UDP",
		"_http._tcp.example.com":       "_http._tcp.example.com 0 none",
		"a:b":                          `error: TO "a:b": the port "b" is not a number from 1 to 65535`,
		"ns/a:0":                       "error: ",
		"ns/a:65536":                   "error: ",
		"ns/a:-1":                      "error: ",
		"ns/a:":                        "error: ",
		"ns/a:80/icmp":                 `error: TO "ns/a:80/icmp": the protocol "icmp" is not tcp, udp or sctp`,
		"ns/Sevrice/a":                 "error: ",
		"ns/Pod/a/b":                   "error: ",
		"10.0.0.0/8":                   `error: TO "10.0.0.0/8": this is a range; ask for one address`,
		"[10.0.0.1]":                   "error: ",
		"fe80::1%eth0":                 "error: ",
		"":                             "error: TO is empty",
		"ns/":                          "error: ",
		"/a":                           "error: ",
		"a b.com":                      "error: ",
		"http://example.com":           "error: ",
		"ns/a\x1b[31m":                 "error: ",
		strings.Repeat("a", 2000):      "error: TO is longer than 1024 characters",
		strings.Repeat("a.", 130):      "error: ",
		"ns/" + strings.Repeat("/", 9): "error: ",
	} {
		q, err := Parse("ns/from", text)
		got := fmt.Sprint(q.To, " ", q.Port, " ", q.Protocol)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want && !(strings.HasPrefix(want, "error: ") && strings.HasPrefix(got, want)) {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if _, err := Parse("ns/a:80", "ns/b"); err == nil || !strings.Contains(err.Error(), "a port belongs on TO") {
		t.Errorf("a port on FROM: %v", err)
	}
}

// TestNotAnAddress: what was meant as an address and is none is never a host name.
func TestNotAnAddress(t *testing.T) {
	const none, read = ": this is not an IP address", ": this is not an IP address; some programs read it as "
	for text, want := range map[string]string{
		"10.0.0.300": none, "256.1.1.1": none, "10.0.0.300.": none, "1.2.3.4.5": none, "10.0.0.1.2": none, "0.0.0.0.0": none, "10..0.1": none, ".10.0.0.1": none, "10.0.0.1..": none,
		"10.0.0.-1": none, "10.0.0.1-5": none, "10.0.0.x": none, "10.0.0.*": none, "10.0.0.1a": none, "1O.0.0.1": none, "10,0,0,1": none, "10. 0.0.1": none, "10.0.0.1 ": none, "10.0.0.1%eth0": none,
		"4294967296": none, "256.1": none, "example.123": none, "a.b.0x7f": none, "08.0.0.1": none, "10.0.0.0x100": none,
		"10.0.0": read + "10.0.0.0", "10.1": read + "10.0.0.1", "010.0.0.1": read + "8.0.0.1", "0x0a000001": read + "10.0.0.1", "0XA.0.0.1": read + "10.0.0.1", "167772161": read + "10.0.0.1", "0x7f.1": read + "127.0.0.1", "127.1.": read + "127.0.0.1", "169.254.43518": read + "169.254.169.254", "2852039166": read + "169.254.169.254", "0xA9.0xfe.0xA9.0xfe": read + "169.254.169.254", "0": read + "0.0.0.0",
		"1.2.3.4/33": none, "10.0.0.300/24": none, "10.0.0.1/foo": none, "10.0.0.1/Pod/a": none, "::1/129": none, "fd00::/x": none, "::g/64": none, "[fd00::1]/64": none,
		"[::1": none, "::1]": none, "[::1]]": none, "::g": none, "[::g]": none, ":::": none, "1::2::3": none, "1:2:3:4:5:6:7:8:9": none, "::ffff:10.0.0.300": none, "fd00::12345": none, "00:1a:2b:3c:4d:5e": none,
		"１０.0.0.1": none, "10。0。0。1": none, "١٠.0.0.1": none, "：：1": none,
	} {
		for _, suffix := range []string{"", ":443", ":443/udp"} {
			if strings.Contains(text, ":") && suffix != "" || text == "10.0.0.1/foo" && suffix == ":443/udp" {
				continue
			}
			if q, err := Parse("ns/a", text+suffix); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %+v, %v", text+suffix, q.To, err)
			}
		}
		if q, err := Parse(text, "ns/a"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("from %q: %+v, %v", text, q.From, err)
		}
	}
	for _, text := range []string{"10.0.0.1.nip.io", "ip-10-0-0-1.ec2.internal", "1.0.0.127.in-addr.arpa", "4.example", "0x", "1e100.net", "web.123.svc", "v1.2.3.example.com", "a.b.c.d", "0x7f.example", "1.2.3.xn--p1ai", "123/10.0.0.300", "ns/5", "5/a", "ns/Pod/1.2.3.4"} {
		if q, err := Parse("ns/a", text); err != nil || q.To.Host != text && q.To.String() != text {
			t.Errorf("%q is a name: %+v, %v", text, q.To, err)
		}
	}
}

func TestConns(t *testing.T) {
	for to, want := range map[string]netset.Conns{
		"ns/a":    netset.AllConns,
		"ns/a:80": netset.ConnsOf(netset.TCP, netset.PortRange(80, 80)), "ns/a/udp": netset.ConnsOf(netset.UDP, netset.AllPorts),
	} {
		if q, err := Parse("ns/b", to); err != nil || !q.Conns().Equal(want) {
			t.Errorf("%s: %v, %v", to, q.Conns(), err)
		}
	}
}

// FuzzParse demands that what parses is written and read as the same, and that its question can be
// asked.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"ns/a:80/tcp", "[fd00::1]:443", "ns/Service/a", "web.app.svc:80/udp", "10.0.0.1", "a/b/c/d", "::", "[", "/:", "A./udp"} {
		f.Add(seed, seed)
	}
	p := program(scene)
	f.Fuzz(func(t *testing.T, from, to string) {
		q, err := Parse(from, to)
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 8*maxName {
				t.Errorf("error %q", err)
			}
			return
		}
		text := q.To.String()
		switch {
		case strings.Contains(text, ":"):
			text = "[" + text + "]"
		case q.To.Host != "":
			text += "." // "a/udp" is an object of namespace a, "a./udp" the host a
		}
		if q.Port != 0 {
			text += fmt.Sprintf(":%d", q.Port)
		}
		if q.Protocol != netset.NoProtocol {
			text += "/" + q.Protocol.String()
		}
		if again, err := Parse(q.From.String(), text); err != nil || again != q {
			t.Errorf("%q %q became %+v, and %q %q %+v (%v)", from, to, q, q.From, text, again, err)
		}
		Ask(p, q)
	})
}
