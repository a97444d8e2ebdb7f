package source_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func TestUnreadable(t *testing.T) {
	const all = "tier 0 order 0 ns everything pods everything"
	const inA = "tier 0 order 0 ns kubernetes.io/metadata.name=a pods everything"
	for _, tt := range []struct{ name, text, want string }{
		{"no kind", "a: [\n", all},
		{"a workload", "apiVersion: apps/v1\nkind: Deployment # x\nmetadata: {\n", ""},
		{"a workload in quotes", "kind: \"Service\"\nmetadata: {\n", ""},
		{"a workload and something else", "kind: Deployment\nx: {\nkind: NetworkPolicy\n", all},
		{"a policy inside", "kind: Service\nitems:\n- kind: NetworkPolicy\n  x: [\n", all},
		{"a template in the kind", "kind: {{ .Values.kind }}\n", all},
		{"a template in a nested kind", "kind: Service\nx:\n  kind: {{ .Values.kind }}\n", all},
		{"a list", "kind: List\nitems: {\n", all},
		{"json", "{\"kind\": \"Service\",\n", all},
		{"json key in yaml", "kind: Service\nx: {\"kind\": NetworkPolicy\n", all},
		{"a policy", "kind: NetworkPolicy\nmetadata:\n  name: x\n  namespace: a # b\nspec: {\n", inA},
		{"a policy, deeper namespace", "kind: NetworkPolicy\nmetadata:\n  labels:\n    namespace: a\nspec: {\n", all},
		{"a policy, other namespace", "kind: NetworkPolicy\nspec:\n  namespace: a\n  x: {\n", all},
		{"a policy, two namespaces", "kind: NetworkPolicy\nmetadata:\n  namespace: b\n  namespace: a\nspec: {\n", all},
		{"a policy, template", "kind: NetworkPolicy\nmetadata:\n  namespace: {{ .Release.Namespace }}\n", all},
		{"a cluster-wide policy", "kind: ClusterNetworkPolicy\nmetadata:\n  namespace: a\nspec: {\n", all},
		{"a kind that is wide somewhere", "kind: CiliumClusterwideNetworkPolicy\nmetadata:\n  namespace: a\nspec: {\n", all},
		{"duplicate key", "kind: NetworkPolicy\nmetadata:\n  namespace: a\nspec:\n  ingress: []\n  ingress: []\n", inA},
		{"alias bomb", "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + bomb(), all},
		{"not utf-8", "kind: Service\n\xff", all},
		{"nul", "kind: Service\nx: \x00\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(tt.text)
			same(t, "stands for", unjudged(t, s), tt.want)
			if len(s.Problems) != 1 || s.Problems[0].Rule != "TM901" || s.Problems[0].Origin.Line == 0 {
				t.Errorf("problems %s", problems(s))
			}
		})
	}
	s := load("kind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n")
	if !strings.Contains(s.Problems[0].Hint, "helm template") {
		t.Errorf("hint %q", s.Problems[0].Hint)
	}
}

func bomb() string {
	var b strings.Builder
	last := "a"
	for i := range 12 {
		name := fmt.Sprintf("b%d", i)
		fmt.Fprintf(&b, "%s: &%s [%s*%s]\n", name, name, strings.Repeat("*"+last+",", 9), last)
		last = name
	}
	return b.String()
}

// A broken document does not hide its neighbours.
func TestNeighbours(t *testing.T) {
	s := load(controller("Deployment", "apps/v1", "a", "replicas: 1") + "kind: Service\nx: [\n---\n" + controller("Deployment", "apps/v1", "b", "replicas: 1"))
	if len(s.Workloads) != 2 || len(s.Problems) != 1 || s.Counts.Documents != 3 {
		t.Errorf("%d workloads, %v, %s", len(s.Workloads), s.Counts, problems(s))
	}
}

func TestTypes(t *testing.T) {
	for _, tt := range []struct{ name, text, want, problem string }{
		{"values", "replicas: 1\nimage: x\n", "foreign", ""},
		{"chart", "apiVersion: v2\nname: x\nversion: 1.0.0\n", "foreign", ""},
		{"text", "hello\n", "foreign", ""},
		{"list", "- a\n", "foreign", ""},
		{"wrong types", "apiVersion: 1\nkind: [x]\n", "foreign", ""},
		{"kind of a policy", "kind: NetworkPolicy\nmetadata: {namespace: a}\n", "tier 0 order 0 ns kubernetes.io/metadata.name=a pods everything",
			"TM902 1 apiVersion: missing or not a text (an object needs both apiVersion and kind, as texts)"},
		{"kind of a policy, number", "apiVersion: 1\nkind: CiliumNetworkPolicy\n", "tier 0 order 0 ns everything pods everything",
			"TM902 1 apiVersion: missing or not a text (an object needs both apiVersion and kind, as texts)"},
		{"kind of a workload", "kind: Deployment\n", "", "TM902 1 apiVersion: missing or not a text (an object needs both apiVersion and kind, as texts)"},
		{"group of policies", "apiVersion: cilium.io/v2\nkind: 1\nmetadata: {}\n", "tier 0 order 0 ns everything pods everything",
			"TM902 1 kind: missing or not a text (an object needs both apiVersion and kind, as texts)"},
		{"list without apiVersion", "kind: List\nitems: [{a: b}]\n", "tier 0 order 0 ns everything pods everything",
			"TM902 1 apiVersion: missing or not a text (an object needs both apiVersion and kind, as texts)"},
		{"list of nothing", "apiVersion: v1\nkind: List\nitems: x\n", "tier 0 order 0 ns everything pods everything", "TM902 3 items: not a list"},
		{"empty list", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems: []\n", "ignored", ""},
		{"typed list", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems: [{metadata: {name: a}, spec: {ingress: 1}}]\n",
			"tier 1 order 2 ns kubernetes.io/metadata.name=default pods everything", `TM902 3 spec.ingress: wants a list, has a number`},
		{"secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: 1}\n", "ignored", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(tt.text)
			got := unjudged(t, s)
			if s.Counts.Foreign > 0 {
				got += "foreign"
			}
			if s.Counts.Ignored > 0 {
				got += "ignored"
			}
			same(t, "outcome", got, tt.want)
			same(t, "problems", problems(s), tt.problem)
		})
	}
}

// A file with too many problems says so, and the rest widens everything.
func TestManyProblems(t *testing.T) {
	s := load(strings.Repeat("---\nkind: NetworkPolicy\nmetadata:\n  namespace: a\nx: [\n", 3000))
	if n := len(s.Problems); n != 1001 {
		t.Errorf("%d problems", n)
	}
	if got := unjudged(t, s); !strings.Contains(got, "ns everything") {
		t.Error("what was dropped is lost")
	}
	if !strings.Contains(problems(s), "and 2000 more problems") {
		t.Error("it does not say how many there were")
	}
}

func TestHostileInput(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, text := range []string{
		strings.Repeat("---\nkind: A\napiVersion: b\n", 100_000),
		strings.Repeat("- ", 100_000), strings.Repeat("{a: ", 100_000), strings.Repeat(`{"a":[`, 100_000),
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: " + strings.Repeat("y", 20<<20) + "}\n",
		npHead + "spec: {ingress: [" + strings.Repeat("{},", 50_000) + "]}",
		strings.Repeat("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {b: c}}\n", 2_000),
	} {
		s := load(text)
		if len(s.Policies)+s.Counts.Ignored+s.Counts.Foreign+len(s.Problems)+len(s.Namespaces) == 0 {
			t.Errorf("nothing came of %.30q", text)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if after.HeapAlloc > before.HeapAlloc+20<<20 {
		t.Errorf("%d MB are still alive", (after.HeapAlloc-before.HeapAlloc)>>20)
	}
}

// accounted returns how many documents left a trace that a user can see.
func accounted(s *model.Snapshot) int {
	return len(s.Namespaces) + len(s.Workloads) + len(s.Services) + len(s.Nodes) + len(s.Networks) + len(s.Routes) + len(s.Policies) + len(s.Problems) +
		s.Counts.Ignored + s.Counts.Foreign
}

func FuzzLoad(f *testing.F) {
	for _, m := range manifests(4) {
		f.Add(m.Data, []byte("{}"))
	}
	f.Add([]byte(npHead+"spec: {ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: http}]}]}"), []byte("a: ["))
	f.Add([]byte(`{"apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","ownerReferences":[{"controller":true,"kind":"Job","name":"j"}]}}],"kind":"List"}`), []byte("kind: NetworkPolicy"))
	f.Add([]byte(`{"apiVersion":"traefik.io/v1alpha1","kind":"IngressRoute","metadata":{"name":"a"},"spec":{"routes":[{"services":[{"name":"a","kind":"TraefikService"},{"name":"b","port":"80","namespace":"c"}]}]}}`),
		[]byte("{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: a}, spec: {weighted: {services: [{name: s}]}}}"))
	f.Add([]byte("{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: a}, spec: {hosts: [a], gateways: [g], http: [{match: [{gateways: [mesh]}], route: [{destination: {host: a.b, port: {number: 1}}}], delegate: {name: a}}]}}"),
		[]byte("{apiVersion: example.com/v1, kind: EdgeRoute, metadata: {name: a}, spec: {to: 'http://s.default.svc:80'}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}"))
	f.Add([]byte("apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: &m {name: a}\nspec: {endpointSelector: *m}"), []byte(npHead))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		alone := source.LoadFiles(source.File{Name: "a", Data: a})
		// Alone, a document is always seen somewhere; of several, some may be the same object.
		if n := accounted(alone); alone.Counts.Documents > 0 && n == 0 {
			t.Fatalf("%d documents, nothing to see", alone.Counts.Documents)
		}
		both := source.LoadFiles(source.File{Name: "a", Data: a}, source.File{Name: "b", Data: b})
		again := source.LoadFiles(source.File{Name: "a", Data: a}, source.File{Name: "b", Data: b})
		if x, y := fmt.Sprintf("%+v", both), fmt.Sprintf("%+v", again); !bytes.Equal(plain(x), plain(y)) {
			t.Fatalf("two readings differ:\n%s\n%s", x, y)
		}
		if both.Counts.Documents < alone.Counts.Documents || len(both.Policies) < min(1, len(alone.Policies)) {
			t.Fatal("another file took something away")
		}
		for _, p := range both.Problems {
			if p.Origin.File == "" || strings.ContainsFunc(p.Message+p.Hint+p.Origin.Object, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("problem %#v", p)
			}
		}
		for _, p := range both.Policies {
			if len(p.Rules)+len(p.Isolations) == 0 && !strings.HasPrefix(string(p.Dialect), "cilium.io ") { // of these some are about nodes alone
				t.Fatalf("a policy without effect: %+v", p)
			}
		}
		for _, w := range both.Workloads {
			if len(w.Pods) == 0 {
				t.Fatalf("a workload without pods: %+v", w)
			}
		}
	})
}

// plain removes the addresses of pointers from a printed value.
func plain(text string) []byte {
	var out []byte
	for {
		before, after, ok := strings.Cut(text, "0xc")
		out = append(out, before...)
		if !ok {
			return out
		}
		text = strings.TrimLeft(after, "0123456789abcdef")
	}
}
