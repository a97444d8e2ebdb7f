package cilium

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestNamePatterns compares what names and patterns of toFQDNs match with the regular expressions
// that Cilium makes of them, and which of them its definitions refuse with what we refuse.
func TestNamePatterns(t *testing.T) {
	parts := []string{"*", "**", "***", "a", "A", "a*", "*b", "a**b", "-", "_", "", "a b"}
	patterns := slices.Clone(parts)
	for _, x := range parts {
		for _, y := range parts {
			patterns = append(patterns, x+"."+y)
			for _, z := range []string{"*", "**", "a", "_b", ""} {
				patterns = append(patterns, x+"."+y+"."+z)
			}
		}
	}
	for _, n := range []int{253, 254, 255, 256} {
		patterns = append(patterns, strings.Repeat("a.", n/2)+strings.Repeat("b", n%2))
	}
	labels := []string{"a", "b", "ab", "axb", "-", "_b", "xb"}
	hosts := slices.Clone(labels)
	for _, x := range labels {
		for _, y := range labels {
			hosts = append(hosts, x+"."+y, x+"."+y+".a", x+"."+y+"._b", "a."+x+"."+y+".b")
		}
	}
	compared, matched, refused := 0, 0, 0
	for _, field := range []string{"matchName", "matchPattern"} {
		for _, pattern := range patterns {
			text := []byte(fmt.Sprintf("{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a, namespace: b}, spec: {endpointSelector: {}, egress: [{toFQDNs: [{%s: %q}]}]}}", field, pattern))
			s := source.LoadFiles(source.File{Name: "a.yaml", Data: text})
			if theirs := admit(text); (theirs == nil) != (s.Problems == nil) {
				t.Errorf("%s %q: the API server says %v, we say %v", field, pattern, theirs, s.Problems)
			} else if theirs != nil {
				refused++
				continue
			}
			selector := api.FQDNSelector{MatchName: pattern}
			if field == "matchPattern" {
				selector = api.FQDNSelector{MatchPattern: pattern}
			}
			re, err := selector.ToRegex()
			if err != nil && len(pattern) < 255 { // one of 255 is too long once a dot is put after it, and matches nothing
				t.Fatalf("%q: %v", pattern, err)
			}
			name := s.Policies[0].Rules[0].Peers[0].Name
			for _, host := range hosts {
				compared++
				if theirs := re != nil && re.MatchString(host+"."); name.Matches(host) != theirs {
					t.Errorf("%s %q, which is %q here, matches %q: %t", field, pattern, name, host, theirs)
				} else if theirs {
					matched++
				}
			}
		}
	}
	if compared < 10_000 || matched < 1000 || refused < 100 {
		t.Errorf("%d names compared, of which %d match, and %d patterns refused", compared, matched, refused)
	}
}
