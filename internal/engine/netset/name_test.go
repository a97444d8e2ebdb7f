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
		{"*", "a a.b a.b.c", ""},
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
