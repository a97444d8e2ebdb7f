package cilium

import (
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/option"
	"sigs.k8s.io/yaml"
)

var flagMutants = flag.Int("mutants", 3000, "how many broken policies to compare")

// Strings to put in place of others: each is right somewhere and wrong somewhere else.
var wrongStrings = []string{
	"", "a", "A", "-a", "a-", "a_b", "a.b", "a b", "a/b", "a/b/c", "x.y/z", "/a", "1", "80", "080", "0x50", "65536", "0", "web", "WEB", "http-", "a--b", "8o",
	strings.Repeat("a", 15), strings.Repeat("a", 16), strings.Repeat("a", 64), strings.Repeat("a", 254), strings.Repeat("a", 256),
	"k8s:app", "any:app", "any.app", "k8s.app", "reserved:host", "reserved:", ":app", "k8s:", "reserved.host", "$host", "a=b", "x:y:z", "cidr:10.0.0.0/8", "node:a",
	"10.0.0.0/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0", "10.0.0/8", "10.0.0.1/8", "010.0.0.0/8", "10.0.0.0/08", "::/0", "0.0.0.0/0", "fd00::/129", "fd00::1/64",
	"::ffff:10.0.0.0/104", "fe80::%eth0/64", "10.1.0.0/16", "11.0.0.0/8",
	"TCP", "tcp", "UDP", "SCTP", "ICMP", "ICMPv6", "ANY", "any", "VRRP", "IGMP", "IPv4", "IPv6", "In", "NotIn", "Exists", "DoesNotExist", "Gt",
	"all", "world", "world-ipv4", "cluster", "host", "none", "kube-apiserver", "everything", "true",
	"api.example.com", "api.example.com.", "*.example.com", "**.example.com", "*", "**", "exa*mple.com", "api..example.com", "api example", "api.ex_ample.com", ".example.com", "[a]", "a(b",
	"GET", "/public", "/public/.*", "(", "EchoRequest", "Nonsense",
}

var wrongNumbers = []any{0, 1, -1, 79, 80, 65535, 65536, 255, 256, 2147483648, 1.5, 80.0}

// known keys, to be put where they may not belong.
var knownKeys = []string{
	"endpointSelector", "nodeSelector", "ingress", "egress", "ingressDeny", "egressDeny", "enableDefaultDeny", "description", "labels", "specs", "log",
	"fromEndpoints", "toEndpoints", "fromEntities", "toEntities", "fromCIDR", "toCIDR", "fromCIDRSet", "toCIDRSet", "toFQDNs", "toServices", "fromNodes", "toNodes",
	"fromRequires", "toRequires", "fromGroups", "toGroups", "toPorts", "icmps", "fields", "authentication", "mode", "ports", "port", "endPort", "protocol", "rules", "http", "dns", "kafka", "l7",
	"l7proto", "serverNames", "listener", "terminatingTLS", "cidr", "except", "cidrGroupRef", "cidrGroupSelector", "matchLabels", "matchExpressions", "key", "operator", "values",
	"matchName", "matchPattern", "k8sService", "k8sServiceSelector", "serviceName", "namespace", "selector", "status", "spec", "extra", "type", "family",
}

// good values for some keys, so that what is put somewhere else is wrong for its place alone.
var good = map[string]any{
	"fromEndpoints": []any{object{}}, "toEndpoints": []any{object{}}, "fromEntities": []any{"world"}, "toEntities": []any{"world"}, "fromCIDR": []any{"10.0.0.0/8"}, "toCIDR": []any{"10.0.0.0/8"},
	"fromCIDRSet": []any{object{"cidr": "10.0.0.0/8"}}, "toCIDRSet": []any{object{"cidr": "10.0.0.0/8"}}, "toFQDNs": []any{object{"matchName": "a.b"}},
	"toServices": []any{object{"k8sService": object{"serviceName": "a", "namespace": "b"}}}, "fromNodes": []any{object{}}, "toNodes": []any{object{}},
	"toPorts": []any{object{"ports": []any{object{"port": "80", "protocol": "TCP"}}}}, "icmps": []any{object{"fields": []any{object{"type": 8}}}},
	"rules": object{"http": []any{object{"method": "GET"}}}, "http": []any{object{}}, "dns": []any{object{"matchPattern": "*"}}, "endPort": 90, "port": "80", "protocol": "UDP",
	"ingress": []any{object{}}, "egress": []any{object{}}, "ingressDeny": []any{object{}}, "egressDeny": []any{object{}}, "enableDefaultDeny": object{"egress": false},
	"serverNames": []any{"a.b"}, "except": []any{"10.1.0.0/16"}, "cidr": "10.0.0.0/8", "cidrGroupRef": "group", "cidrGroupSelector": object{}, "endpointSelector": object{}, "nodeSelector": object{},
	"matchLabels": object{"a": "b"}, "matchExpressions": []any{object{"key": "a", "operator": "Exists"}}, "matchName": "a.b", "matchPattern": "*.b", "authentication": object{"mode": "required"},
	"fromRequires": []any{}, "toGroups": []any{object{"aws": object{"region": "x"}}}, "description": "text", "labels": []any{object{"key": "a"}},
}

func (r *random) wrong() any {
	switch r.IntN(7) {
	case 0:
		return nil
	case 1:
		return pick(r, wrongNumbers...)
	case 2:
		return r.chance(50)
	case 3:
		return []any{}
	case 4:
		return map[string]any{}
	case 5:
		return []any{pick(r, wrongStrings...)}
	}
	return pick(r, wrongStrings...)
}

// mutate changes one thing below the spec of a policy and says what, or "" where that is not
// possible.
func (r *random) mutate(root object) string {
	list := slices.DeleteFunc(places(root, ""), func(p place) bool {
		return p.path == ".apiVersion" || p.path == ".kind" || strings.HasPrefix(p.path, ".metadata")
	})
	p := pick(r, list...)
	put := func(m map[string]any) string {
		k := pick(r, knownKeys...)
		if v, ok := good[k]; ok && r.chance(80) {
			m[k] = v
			return "good " + p.path + "." + k
		}
		m[k] = r.wrong()
		return "extra " + p.path + "." + k
	}
	switch r.IntN(9) {
	case 0, 1, 2: // a string for a string, a number for a number
		switch p.value().(type) {
		case string:
			p.set(pick(r, wrongStrings...))
			return "text of " + p.path
		case int64, float64:
			p.set(pick(r, wrongNumbers...))
			return "number of " + p.path
		case map[string]any:
			return put(p.value().(map[string]any))
		}
	case 3:
		p.set(r.wrong())
		return "type of " + p.path
	case 4:
		if m, ok := p.parent.(map[string]any); ok {
			delete(m, p.key)
			return "without " + p.path
		}
	case 5:
		if m, ok := p.value().(map[string]any); ok {
			return put(m)
		}
	case 6:
		if l, ok := p.value().([]any); ok {
			switch {
			case len(l) > 0 && r.chance(30):
				p.set(append(slices.Clone(l), l[0]))
				return "repeated " + p.path + "[]"
			case len(l) > 0 && r.chance(20):
				long := slices.Clone(l)
				for len(long) <= 41 {
					long = append(long, l[0])
				}
				p.set(long)
				return "long " + p.path + "[]"
			default:
				p.set(append(slices.Clone(l), r.wrong()))
				return "extra " + p.path + "[]"
			}
		}
	case 7:
		if m, ok := p.parent.(map[string]any); ok && strings.HasSuffix(p.path, ".matchLabels."+p.key) {
			k := pick(r, wrongStrings...)
			v := m[p.key]
			delete(m, p.key)
			m[k] = v
			return "key of " + strings.TrimSuffix(p.path, p.key)
		}
	case 8:
		if p.path == ".spec" || p.path == ".specs[]" {
			if m, ok := p.value().(map[string]any); ok {
				return put(m)
			}
		}
	}
	return ""
}

// options of Cilium that are off, and without which it refuses what it would take with them.
var options = []*bool{&option.Config.EnableNodeSelectorLabels, &option.Config.EnableExtendedIPProtocols}

// refused says why Cilium's definitions of its resources, or its agent, refuse a policy, and
// whether options would have it taken.
func refused(text []byte) (err error, optional bool) {
	if err := admit(text); err != nil {
		return err, false
	}
	_, err = parse(text)
	if err == nil {
		return nil, false
	}
	for _, on := range options {
		*on = true
		defer func() { *on = false }()
	}
	_, anyway := parse(text)
	return err, anyway == nil
}

// stricter lists what we refuse and Cilium takes, by what our messages end with: it would have no
// meaning.
var stricter = regexp.MustCompile(`: the same label a second time: |not a valid (namespace|Service name|name)|endPort: beside a port name|IPv4 inside IPv6|k8sServiceSelector.selector.*not a valid label`)

// differ says how we and Cilium differ on whether a policy is valid, "" if not. What needs an
// option we take, but for a condition.
func differ(t *testing.T, text []byte) string {
	theirs, optional := refused(text)
	ours := problems(text)
	switch {
	case theirs == nil && ours != nil && !slices.ContainsFunc(ours, func(p string) bool { return !stricter.MatchString(p) }):
		return ""
	case optional && ours == nil && !conditional(text):
		return fmt.Sprintf("Cilium, unless an option is set: %v\ntoolmoat takes it without a condition", theirs)
	case optional || (theirs == nil) == (ours == nil):
		return ""
	}
	return fmt.Sprintf("Cilium: %v\ntoolmoat: %v", theirs, ours)
}

// TestMutants breaks policies in one place, and sometimes in none that matters, and compares who
// takes them.
func TestMutants(t *testing.T) {
	taken, not, differences := 0, 0, map[string]int{}
	for n := 0; taken+not < *flagMutants; n++ {
		c, r := newCluster(*flagSeed, n)
		for _, o := range c.policies {
			if o["kind"] == "NetworkPolicy" {
				continue
			}
			for range 4 {
				m := plainCopy(o)
				what := r.mutate(m)
				if what == "" {
					continue
				}
				text, err := yaml.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				if err, _ := refused(text); err == nil {
					taken++
				} else {
					not++
				}
				if d := differ(t, text); d != "" {
					if differences[what]++; len(differences) <= maxShown {
						t.Errorf("%s\n%s\n%s", what, d, text)
					}
					t.Fail()
				}
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(differences)) {
		t.Logf("%d of %s", differences[k], k)
	}
	if taken*10 < not {
		t.Errorf("the mutations break too much: %d taken, %d refused", taken, not)
	}
	summary(t, "%d broken policies, Cilium takes %d and refuses %d, %d kinds of difference", taken+not, taken, not, len(differences))
}
