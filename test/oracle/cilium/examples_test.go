package cilium

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// examples returns Cilium's own example policies, one manifest each, by file and position.
func examples(t *testing.T) map[string]object {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cilium/cilium").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(strings.TrimSpace(string(dir)), "examples", "policies")
	out := map[string]object{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for i, part := range bytes.Split(append([]byte("\n"), text...), []byte("\n---")) {
			o := object{}
			if err := yaml.Unmarshal(part, &o); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if kind, _ := o["kind"].(string); strings.HasSuffix(kind, "NetworkPolicy") {
				if meta, ok := o["metadata"].(object); ok && kind != "CiliumClusterwideNetworkPolicy" && meta["namespace"] == nil {
					meta["namespace"] = "default" // as kubectl fills it in
				}
				out[fmt.Sprintf("%s#%d", name, i)] = o
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// around makes a cluster of what a policy mentions, and of what it does not.
func around(o object) (*cluster, []int) {
	meta, _ := o["metadata"].(object)
	home, _ := meta["namespace"].(string)
	if home == "" {
		home = "default"
	}
	c := &cluster{namespaces: map[string]map[string]string{home: {}, "elsewhere": {"team": "other"}}, features: map[string][2]map[string]bool{}, dual: true}
	for i := range 2 {
		c.nodes = append(c.nodes, node{fmt.Sprintf("node-%d", i), []netip.Addr{netip.MustParseAddr(fmt.Sprintf("192.168.77.%d", 2+i))}})
	}
	c.api = c.nodes[1].addrs
	c.outside = []netip.Addr{netip.MustParseAddr("140.82.112.3"), netip.MustParseAddr("10.9.1.1"), netip.MustParseAddr("2606:4700::1111")}
	ports := []int{53, 79, 80}
	add := func(namespace string, labels map[string]string) {
		n := len(c.pods)
		c.pods = append(c.pods, pod{namespace: namespace, name: fmt.Sprintf("p%d", n), labels: labels, node: n % len(c.nodes),
			addrs: []netip.Addr{netip.MustParseAddr(fmt.Sprintf("10.1.0.%d", n+1)), netip.MustParseAddr(fmt.Sprintf("fd00:1::%d", n+1))}})
	}
	add(home, map[string]string{})
	add("elsewhere", map[string]string{})
	for _, p := range places(o, "") {
		switch v := p.value().(type) {
		case object:
			if strings.HasSuffix(p.path, "ndpoints[]") || strings.HasSuffix(p.path, ".endpointSelector") || strings.HasSuffix(p.path, "Selector") {
				namespace, labels := satisfying(v, home, c)
				add(namespace, labels)
				for k := range labels {
					less := map[string]string{}
					for other, value := range labels {
						if other != k {
							less[other] = value
						}
					}
					add(namespace, less)
				}
				add("elsewhere", labels)
			}
			if s, ok := v["serviceName"].(string); ok {
				namespace, _ := v["namespace"].(string)
				c.services = append(c.services, service{namespace: namespace, name: s, selector: map[string]string{"service": s}})
				if c.namespaces[namespace] == nil {
					c.namespaces[namespace] = map[string]string{}
				}
				add(namespace, map[string]string{"service": s})
			}
		case string:
			if prefix, err := netip.ParsePrefix(v); err == nil {
				for _, a := range []netip.Addr{prefix.Addr(), prefix.Addr().Next()} {
					if !slices.Contains(c.outside, a) && !slices.ContainsFunc(c.pods, func(p pod) bool { return slices.Contains(p.addrs, a) }) && !c.nodePrefix(a) {
						c.outside = append(c.outside, a)
					}
				}
			}
			if n, err := strconv.Atoi(v); err == nil && p.key == "port" && n > 0 {
				ports = append(ports, n, n+1)
			}
		case int64:
			if p.key == "endPort" {
				ports = append(ports, int(v), int(v)+1)
			}
		}
	}
	slices.Sort(ports)
	return c, slices.Compact(ports)
}

func (c *cluster) nodePrefix(a netip.Addr) bool {
	return slices.ContainsFunc(c.nodes, func(n node) bool { return slices.Contains(n.addrs, a) })
}

// satisfying returns a namespace and labels that satisfy a selector, as far as it asks for some.
func satisfying(selector object, home string, c *cluster) (string, map[string]string) {
	want := map[string]string{}
	match, _ := selector["matchLabels"].(object)
	for k, v := range match {
		want[k], _ = v.(string)
	}
	expressions, _ := selector["matchExpressions"].([]any)
	for _, e := range expressions {
		one, _ := e.(object)
		key, _ := one["key"].(string)
		switch one["operator"] {
		case "In":
			want[key] = fmt.Sprint(one["values"].([]any)[0])
		case "Exists":
			want[key] = "a"
		}
	}
	namespace, labels, nsWant := home, map[string]string{}, map[string]string{}
	for k, v := range want {
		source, key, ok := strings.Cut(k, ":")
		if !ok {
			source, key = "any", k
		}
		switch {
		case source != "any" && source != "k8s":
		case key == nsKey:
			namespace = v
		case strings.HasPrefix(key, nsLabels):
			nsWant[strings.TrimPrefix(key, nsLabels)] = v
		case strings.HasPrefix(key, "io.cilium"):
		default:
			labels[key] = v
		}
	}
	if c.namespaces[namespace] == nil {
		c.namespaces[namespace] = map[string]string{}
	}
	for k, v := range nsWant {
		if k != metaName {
			c.namespaces[namespace][k] = v
		}
	}
	return namespace, labels
}

// TestExamples compares what both make of Cilium's own example policies.
func TestExamples(t *testing.T) {
	var n tally
	takenN, refusedN := 0, 0
	for name, o := range examples(t) {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if d := differ(t, text); d != "" {
			t.Errorf("%s\n%s\n%s", name, d, text)
			continue
		}
		if err, _ := refused(text); err != nil {
			refusedN++
			continue
		}
		takenN++
		c, ports := around(o)
		c.title = name
		c.policies = []object{o}
		t.Run(name, func(t *testing.T) { n.compare(t, c, c.questions(ports)) })
	}
	summary(t, "%d examples, %d refused by both; %v", takenN+refusedN, refusedN, &n)
}
