package netset_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

func TestNameMatches(t *testing.T) {
	for _, tt := range []struct{ name, yes, no string }{
		{"api.github.com", "api.github.com", "github.com x.api.github.com api.github.comm apiXgithub.com"},
		{"*", "a a.b a.b.c", ".a a..b"},
		{"**", "a a.b a.b.c", ".a a..b"},
		{"*.", "a ab", "a.b"},
		{"*.a.com", "b.a.com -.a.com", "a.com c.b.a.com b.a.com.x"},
		{"**.a.com", "b.a.com c.b.a.com", "a.com ba.com"},
		{"*a.com", "a.com ba.com", "b.a.com c.com"},
		{"b*.a.com", "b.a.com bcd.a.com", "a.com cb.a.com b.c.a.com"},
		{"x*y*z.com", "xyz.com xaybz.com xyyz.com", "xz.com zyx.com xyz.a.com xy.com"},
		{"ab*ba.com", "abba.com abxba.com", "aba.com"},
		{"a.*.com", "a.b.com", "a.com a.b.c.com"},
		{"**.*.com", "a.b.com x.a.b.com", "a.com"},
		{"**.com", "a.com b.a.com", "com .com"},
		{"", "", "a"},
	} {
		for _, host := range strings.Fields(tt.yes) {
			if !netset.Name(tt.name).Matches(host) {
				t.Errorf("%q does not match %q", tt.name, host)
			}
		}
		for _, host := range append(strings.Fields(tt.no), "") {
			if netset.Name(tt.name).Matches(host) {
				t.Errorf("%q matches %q", tt.name, host)
			}
		}
		if got := netset.Name(tt.name).IsExact(); got == strings.Contains(tt.name, "*") {
			t.Errorf("%q is exact: %t", tt.name, got)
		}
	}
}

// slowMatch asks a regular expression that says what the form says.
func slowMatch(name, host string) bool {
	const char, label = "[-a-z0-9_]", "[-a-z0-9_]+"
	if name == "*" {
		return host != ""
	}
	rest, deep := strings.CutPrefix(name, "**.")
	text := strings.ReplaceAll(regexp.QuoteMeta(rest), `\*`, char+"*")
	if deep {
		text = "(" + label + `\.)+` + text
	}
	return regexp.MustCompile("^" + text + "$").MatchString(host)
}

func TestNameMatchesAsRegexp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(letters string) string {
		labels := make([]string, 1+r.IntN(4))
		for i := range labels {
			for range 1 + r.IntN(4) {
				labels[i] += string(letters[r.IntN(len(letters))])
			}
		}
		return strings.Join(labels, ".")
	}
	double := regexp.MustCompile(`\*\*+`)
	yes := 0
	for range 200_000 {
		name, host := double.ReplaceAllString(text("aab*"), "*"), text("aab")
		if r.IntN(3) == 0 {
			name = "**." + name
		}
		got := netset.Name(name).Matches(host)
		if got != slowMatch(name, host) {
			t.Fatalf("%q matches %q: %t", name, host, got)
		}
		if got {
			yes++
		}
	}
	if yes < 2_000 {
		t.Errorf("only %d matches", yes)
	}
}

// A name as long as names may be, with as many stars as fit, takes no time.
func TestNameIsFast(t *testing.T) {
	name, host := netset.Name(strings.Repeat("a*", 127)+"b"), strings.Repeat("a", 255)
	for range 10_000 {
		if name.Matches(host) {
			t.Fatal("matches")
		}
	}
}

func TestNameMeet(t *testing.T) {
	for _, tt := range []struct{ a, b, both string }{
		{"*", "a.b", "a.b"}, {"*", "**.b", "**.b"}, {"*", "**", "**"}, {"*.", "**", "*."}, {"*.", "a", "a"}, {"*.", "a.b", ""}, {"*.", "**.b", ""},
		{"*.a.b", "c.a.b", "c.a.b"}, {"*.a.b", "a.b", ""}, {"*.a.b", "c.*.b", "c.a.b"}, {"*.a.b", "**.b", "*.a.b"}, {"*.b", "**.b", "*.b"},
		{"**.a.b", "**.b", "**.a.b"}, {"**.a.b", "**.*.b", "**.a.b"}, {"**.a.b", "*.*.b", "*.a.b"}, {"**.a.b", "*.b", ""}, {"**.a.*", "**.c.a.b", "**.c.a.b"},
		{"x*.b", "*x.b", ""}, {"x*.b", "xy*.b", "xy*.b"}, {"**.b", "**.c", ""}, {"a.b", "a.b", "a.b"}, {"a.b", "a.c", ""},
	} {
		for _, pair := range [][2]netset.Name{{netset.Name(tt.a), netset.Name(tt.b)}, {netset.Name(tt.b), netset.Name(tt.a)}} {
			if both, ok := pair[0].Meet(pair[1]); string(both) != tt.both || ok != (tt.both != "") {
				t.Errorf("%s and %s: %q, %t, want %q", pair[0], pair[1], both, ok, tt.both)
			}
		}
	}
	for name, want := range map[netset.Name]netset.Name{"**.a": "*.a", "**.*.a": "*.*.a", "**": "*.", "*": "*", "*.a": "*.a", "a.b": "a.b"} {
		if got := name.OneLabel(); got != want {
			t.Errorf("%s with one label: %s, want %s", name, got, want)
		}
	}
}

// TestNameMeetMatches demands that what fits a meeting fits both, and that a name that fits both
// fits it, where there is one.
func TestNameMeetMatches(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	text := func(letters ...string) string {
		labels := make([]string, 1+r.IntN(3))
		for i := range labels {
			labels[i] = letters[r.IntN(len(letters))]
		}
		return strings.Join(labels, ".")
	}
	met, missed := 0, 0
	for range 200_000 {
		a, b, host := netset.Name(text("a", "ab", "*", "a*", "*b")), netset.Name(text("a", "ab", "*", "a*", "*b")), text("a", "b", "ab", "aab")
		for _, n := range []*netset.Name{&a, &b} {
			if r.IntN(3) == 0 {
				*n = "**." + *n
			}
		}
		both, ok := a.Meet(b)
		switch fits := a.Matches(host) && b.Matches(host); {
		case ok && both.Matches(host) != fits:
			t.Fatalf("%s and %s are %s, and of %s: %t", a, b, both, host, fits)
		case ok && fits:
			met++
		case fits:
			missed++
		}
	}
	if met < 10*missed {
		t.Errorf("%d names fit a meeting, %d fit both sides of none", met, missed)
	}
}
