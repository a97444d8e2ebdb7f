package source_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// services writes each Service with its ports and endpoints on one line.
func services(s *model.Snapshot) string {
	var out []string
	for _, v := range s.Services {
		line := fmt.Sprintf("%s/%s %s line %d", v.Namespace, v.Name, v.Type, v.Origin.Line)
		if v.Headless {
			line += " headless"
		}
		if v.Selector != nil {
			line += " " + v.Selector.String()
		}
		for _, p := range v.Ports {
			line += fmt.Sprintf(" %s:%s/%d->%d", p.Name, p.Protocol, p.Port, p.Target)
		}
		for _, e := range v.Endpoints {
			line += fmt.Sprintf(" %s:%d", e.Addr, e.Ports[0].Port)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func endpointSlice(namespace, name, service, rest string) string {
	return fmt.Sprintf("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %s, namespace: %s, labels: {kubernetes.io/service-name: %s}}\naddressType: IPv4\n%s\n---\n",
		name, namespace, service, rest)
}

func TestEndpointsWithoutService(t *testing.T) {
	s := load(endpointSlice("default", "kubernetes", "kubernetes", "endpoints: [{addresses: [203.0.113.1]}]\nports: [{name: https, port: 6443}]") +
		endpointSlice("ns", "a-1", "a", "endpoints: [{addresses: [192.0.2.1]}, {addresses: [192.0.2.2]}]\nports: [{name: m, port: 8080}]") +
		endpointSlice("ns", "a-2", "a", "endpoints: [{addresses: [192.0.2.3]}]\nports: [{name: m, port: 8080}, {name: o, port: 9}]") +
		endpointSlice("ns", "empty", "empty", "endpoints: []\nports: [{port: 1}]") +
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: db, namespace: ns, labels: {service.kubernetes.io/headless: ''}}\nsubsets: [{addresses: [{ip: 192.0.2.9}], ports: [{port: 5432}]}]\n")
	same(t, "problems", problems(s), "")
	same(t, "services", services(s), `
default/kubernetes ClusterIP line 1 https:TCP/443->6443 203.0.113.1:6443
ns/a ClusterIP line 8 m:TCP/8080->8080 o:TCP/9->9 192.0.2.1:8080 192.0.2.2:8080 192.0.2.3:8080
ns/db ClusterIP line 29 headless :TCP/5432->5432 192.0.2.9:5432`)
}

// Two Services of one name that differ both stay, and both have all the endpoints.
func TestConflictingServices(t *testing.T) {
	text := func(app string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns}\nspec: {selector: {app: " + app + "}}\n---\n"
	}
	s := load(text("x") + text("z") + endpointSlice("ns", "a-1", "a", "endpoints: [{addresses: [192.0.2.1]}, {addresses: [192.0.2.2]}]\nports: [{port: 80}]") +
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: a, namespace: ns}\nsubsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]\n")
	same(t, "services", services(s), `
ns/a ClusterIP line 1 app=x 192.0.2.1:80 192.0.2.2:80
ns/a ClusterIP line 6 app=z 192.0.2.1:80 192.0.2.2:80`)
	if len(s.Problems) != 1 || s.Problems[0].Rule != "TM904" {
		t.Errorf("problems %s", problems(s))
	}
}

// Of Namespaces that contradict each other, one remains, and it says only what all of them say.
func TestConflictingNamespaces(t *testing.T) {
	file := func(name, labels string) source.File {
		return source.File{Name: name, Data: []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: web, labels: {" + labels + "}}\n")}
	}
	s := source.LoadFiles(file("a", "env: prod, team: x, own: a"), file("b", "env: dev, team: x"), file("c", "env: prod, team: x, own: a"))
	if len(s.Namespaces) != 1 || len(s.Problems) != 1 || s.Problems[0].Rule != "TM904" {
		t.Fatalf("%d namespaces, %s", len(s.Namespaces), problems(s))
	}
	same(t, "labels", labels(s.Namespaces[0].Labels), "kubernetes.io/metadata.name=web,team=x,...")
}

func TestMoreAddrs(t *testing.T) {
	for _, tt := range []struct {
		spec string
		want bool
	}{
		{"{clusterIP: 10.96.0.1}", true},
		{"{clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1]}", false},
		{"{clusterIP: 10.96.0.1, ipFamilyPolicy: SingleStack}", false},
		{"{clusterIP: 10.96.0.1, ipFamilies: [IPv4]}", false},
		{"{clusterIP: 10.96.0.1, ipFamilies: [IPv4, IPv6]}", true},
		{"{clusterIPs: [10.96.0.1], ipFamilyPolicy: PreferDualStack}", true},
		{"{clusterIPs: [10.96.0.1], ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4]}", true},
		{"{clusterIPs: [10.96.0.1, 'fd00::1'], ipFamilyPolicy: RequireDualStack}", false},
		{"{ipFamilyPolicy: RequireDualStack}", false}, // none is known
		{"{clusterIP: None}", false},
	} {
		s := load("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: " + tt.spec + "\n")
		if len(s.Problems) > 0 || s.Services[0].MoreAddrs != tt.want {
			t.Errorf("%s: %v %s", tt.spec, s.Services[0].MoreAddrs, problems(s))
		}
	}
	for status, want := range map[string]bool{"{podIP: 10.0.0.1}": true, "{podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}": false, "{podIPs: [{ip: 10.0.0.1}]}": false, "{}": false} {
		s := load(pod("p", "", "", "status: "+status))
		if len(s.Problems) > 0 || s.Workloads[0].Pods[0].MoreAddrs != want {
			t.Errorf("%s: %v %s", status, s.Workloads[0].Pods[0].MoreAddrs, problems(s))
		}
	}
}

func TestExternalNameMissing(t *testing.T) {
	s := load("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: ExternalName}\n")
	same(t, "problems", problems(s), "TM902 4 spec.externalName: missing (a Service of type ExternalName needs the name it stands for)")
}

func TestIgnoredKinds(t *testing.T) {
	object := func(apiVersion, kind string) string {
		return fmt.Sprintf("apiVersion: %s\nkind: %q\nmetadata: {name: a, namespace: ns}\n---\n", apiVersion, kind)
	}
	s := source.LoadFiles(source.File{Name: "a", Data: []byte(object("v1", "Secret") + object("example.com/v1", "Widget\x1b[m"))},
		source.File{Name: "b", Data: []byte(object("v1", "Secret") + pod("p", "", "", "status: {phase: Failed}"))})
	same(t, "kinds", fmt.Sprint(s.Counts.IgnoredKinds), `map[Pod:1 Secret:2 Widget\x1b[m.example.com:1]`)

	var many strings.Builder
	for i := range model.MaxIgnoredKinds {
		many.WriteString(object("example.com/v1", fmt.Sprintf("Kind%d", i)))
	}
	s = source.LoadFiles(source.File{Name: "a", Data: []byte(many.String() + object("v1", "Secret"))}, source.File{Name: "b", Data: []byte(object("v1", "Secret") + object("example.com/v2", "Kind0"))})
	if c := s.Counts; len(c.IgnoredKinds) != model.MaxIgnoredKinds || c.IgnoredKinds["Kind0.example.com"] != 2 || c.Ignored != model.MaxIgnoredKinds+3 {
		t.Errorf("%d kinds, %d of one, %d in all", len(c.IgnoredKinds), c.IgnoredKinds["Kind0.example.com"], c.Ignored)
	}
}

// TestTargetRef: an endpoint says whose address it is where the pod's own status is not there.
func TestTargetRef(t *testing.T) {
	pod := func(name, rest string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: ns}\nspec: {containers: [{name: c, image: i}]}\n" + rest + "---\n"
	}
	ref := func(addr, name, more string) string {
		return "{addresses: ['" + addr + "'], targetRef: {kind: Pod, name: " + name + more + "}}"
	}
	pods := pod("a", "") + pod("b", "status: {podIP: 192.0.2.20}\n") + pod("c", "") + pod("d", "") + pod("e", "") + pod("f", "") + pod("g", "")
	s := load(pods + endpointSlice("ns", "s-1", "s", "endpoints: ["+strings.Join([]string{
		ref("192.0.2.1", "a", ", namespace: ns"), ref("192.0.2.2", "b", ""), // b shows another
		ref("192.0.2.3", "c", ""), ref("192.0.2.4", "c", ""), // one of them is old
		ref("192.0.2.5", "d", ", namespace: other"), "{addresses: [192.0.2.6], targetRef: {kind: Node, name: e}}",
	}, ", ")+"]\nports: [{port: 80}]") +
		endpointSlice("ns", "s-2", "s", "endpoints: ["+ref("2001:db8::7", "f", "")+"]\nports: [{port: 80}]") +
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: s, namespace: ns}\nsubsets: [{addresses: [{ip: 192.0.2.1}, {ip: 192.0.2.7, targetRef: {kind: Pod, name: f, namespace: ns}}], notReadyAddresses: [{ip: 192.0.2.8, targetRef: {kind: Pod, name: g}}], ports: [{port: 80}]}]\n")
	same(t, "problems", problems(s), "")
	var got []string
	for _, w := range s.Workloads {
		got = append(got, fmt.Sprintf("%s %v %t", w.Name, w.Pods[0].Addrs, w.Pods[0].MoreAddrs))
	}
	same(t, "pods", strings.Join(got, "\n"), `
a [192.0.2.1] true
b [192.0.2.20] true
c [] false
d [] false
e [] false
f [2001:db8::7 192.0.2.7] false
g [192.0.2.8] true`)
	same(t, "services", services(s), `
ns/s ClusterIP line 37 :TCP/80->80 192.0.2.1:80 192.0.2.2:80 192.0.2.3:80 192.0.2.4:80 192.0.2.5:80 192.0.2.6:80 192.0.2.7:80 192.0.2.8:80 2001:db8::7:80`)
}
