package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// place is one value of a decoded manifest and where it hangs.
type place struct {
	path   string
	parent any // map[string]any or []any
	key    string
	index  int
	set    func(any) // replaces the value
}

func (p place) value() any {
	switch parent := p.parent.(type) {
	case map[string]any:
		return parent[p.key]
	case []any:
		return parent[p.index]
	}
	return nil
}

// places lists every value below v, in a fixed order.
func places(v any, path string) []place {
	var out []place
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, place{path: path + "." + k, parent: v, key: k, set: func(x any) { v[k] = x }})
			out = append(out, places(v[k], path+"."+k)...)
		}
	case []any:
		for i := range v {
			out = append(out, place{path: path + "[]", parent: v, index: i, set: func(x any) { v[i] = x }})
			out = append(out, places(v[i], path+"[]")...)
		}
	}
	return out
}

// Strings to put in place of others: each is right somewhere and wrong somewhere else.
var wrongStrings = []string{
	"", "a", "A", "-a", "a-", "a_b", "a.b", "a b", "é", "a/b", "a/b/c", "x.y/z", "X.y/z", "/a", "a/", "1", "80", "8o", "http--x", "0http", "http-",
	"fifteen-chars-x", "sixteen-chars-xx", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a", 254),
	"a\nb", "a\x00b", " a", "a ", "true", "null",
	"10.0.0.0/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0", "10.0.0/8", "10.0.0.1/8", "010.0.0.0/8", "10.0.0.0/08", "::/0", "0.0.0.0/0", "fd00::/129", "fd00::1/64",
	"FD00::/8", "fd00:0:0::/48", "::ffff:10.0.0.0/104", "fe80::%eth0/64", "256.0.0.0/8", "10.1.0.0/16", "10.1.0.0/15", "10.2.0.0/16",
	"TCP", "tcp", "UDP", "SCTP", "ICMP", "Ingress", "ingress", "Egress", "In", "NotIn", "Exists", "DoesNotExist", "Gt", "exists",
	"networking.k8s.io/v1", "kubernetes.io/metadata.name", "2026-01-02T03:04:05Z", "2026-01-02",
}

var wrongNumbers = []any{0, 1, -1, 80, 65535, 65536, 2147483647, 2147483648, 4294967376, 1.5, 80.0, 1e3}

// known keys, to be put where they may not belong.
var knownKeys = []string{
	"podSelector", "namespaceSelector", "ipBlock", "cidr", "except", "ports", "port", "endPort", "protocol", "from", "to", "ingress", "egress", "policyTypes",
	"matchLabels", "matchExpressions", "key", "operator", "values", "metadata", "spec", "status", "name", "labels", "extra", "Ports", "",
}

// wrong returns a value to put somewhere.
func (r *random) wrong() any {
	switch r.IntN(7) {
	case 0:
		return nil
	case 1:
		return pick(r, wrongNumbers)
	case 2:
		return r.chance(50)
	case 3:
		return []any{}
	case 4:
		return map[string]any{}
	case 5:
		return []any{pick(r, wrongStrings)}
	}
	return pick(r, wrongStrings)
}

// mutate changes one thing below root and says what, or "" where that is not possible. The object
// stays a NetworkPolicy.
func (r *random) mutate(root map[string]any) string {
	list := slices.DeleteFunc(places(root, ""), func(p place) bool { return p.path == ".apiVersion" || p.path == ".kind" })
	p := pick(r, list)
	switch r.IntN(9) {
	case 0, 1: // a string for a string, a number for a number
		switch p.value().(type) {
		case string:
			p.set(pick(r, wrongStrings))
			return "text of " + p.path
		case int64, float64:
			p.set(pick(r, wrongNumbers))
			return "number of " + p.path
		}
	case 2:
		p.set(r.wrong())
		return "type of " + p.path
	case 3:
		if m, ok := p.parent.(map[string]any); ok {
			delete(m, p.key)
			return "without " + p.path
		}
	case 4:
		if m, ok := p.parent.(map[string]any); ok {
			typo := pick(r, []string{strings.ToUpper(p.key), p.key + "s", strings.TrimSuffix(p.key, "s"), p.key + " ", strings.ToUpper(p.key[:min(1, len(p.key))]) + p.key[min(1, len(p.key)):]})
			if _, taken := m[typo]; !taken {
				m[typo] = m[p.key]
				delete(m, p.key)
				return "spelling of " + p.path
			}
		}
	case 5:
		if m, ok := p.value().(map[string]any); ok {
			k := pick(r, knownKeys)
			m[k] = r.wrong()
			return "extra " + p.path + "." + k
		}
	case 6:
		if l, ok := p.value().([]any); ok {
			switch {
			case len(l) > 0 && r.chance(50):
				p.set(append(slices.Clone(l), l[0]))
				return "repeated " + p.path + "[]"
			default:
				p.set(append(slices.Clone(l), r.wrong()))
				return "extra " + p.path + "[]"
			}
		}
	case 7:
		if m, ok := p.parent.(map[string]any); ok && (strings.HasSuffix(p.path, ".matchLabels."+p.key) || strings.HasSuffix(p.path, ".labels."+p.key)) {
			k := pick(r, wrongStrings)
			m[k] = m[p.key]
			delete(m, p.key)
			return "key of " + strings.TrimSuffix(p.path, p.key)
		}
	case 8:
		return r.mutateMetadata(root)
	}
	return ""
}

func (r *random) mutateMetadata(root map[string]any) string {
	meta, ok := root["metadata"].(map[string]any)
	if !ok {
		return ""
	}
	// The rest of the metadata says nothing about reachability, and our decoder does not look into
	// it.
	key := pick(r, []string{"name", "namespace", "labels", "annotations", "clusterName"})
	switch key {
	case "labels", "annotations":
		meta[key] = map[string]any{pick(r, wrongStrings): pick(r, wrongStrings)}
		if r.chance(20) {
			meta[key] = map[string]any{"a": r.wrong()}
		}
	default:
		meta[key] = pick(r, wrongStrings)
		if r.chance(30) {
			meta[key] = r.wrong()
		}
	}
	return fmt.Sprintf("metadata.%s", key)
}
