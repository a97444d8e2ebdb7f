package oracle

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var flagObjects = flag.Int("objects", 5000, "how many random NetworkPolicy objects to validate")

// admissions counts what two readers of the same objects made of them.
type admissions struct {
	both, neither, cautious int
	older                   int            // of neither: for how a CIDR is written, which servers before 1.36 let pass
	wrong                   map[string]int // disagreements by kind of change
}

func (n *admissions) String() string {
	wrong := 0
	for _, c := range n.wrong {
		wrong += c
	}
	return fmt.Sprintf("%d admitted with the same meaning, %d refused (%d for the form of a CIDR), %d refused by us alone, %d disagreements",
		n.both, n.neither, n.older, n.cautious, wrong)
}

// cautious reports whether all that our decoder complains of is what it is stricter in than the API
// server, on purpose: explicit YAML tags, which the server mostly ignores.
func cautious(problems []string) bool {
	for _, p := range problems {
		if !strings.Contains(p, "has the tag") {
			return false
		}
	}
	return len(problems) > 0
}

// compare asks the API server and our own decoder about one object, and where both take it, whether
// they read the same.
func (n *admissions) compare(t *testing.T, what string, text []byte) {
	t.Helper()
	stored, refused := admit(t, text, strict)
	policies, problems := read(t, text)
	switch {
	case refused == nil && problems == nil:
		canonical, more := read(t, manifest(t, stored))
		if got, want := meaning(policies), meaning(canonical); got != want || more != nil {
			n.disagree(t, what, fmt.Sprintf("toolmoat reads\n%s\nthe API server stores\n%s\n%q", got, want, more), text)
			return
		}
		n.both++
	case refused != nil && problems != nil:
		n.neither++
		if _, err := admit(t, text, relaxed); err == nil {
			n.older++
		}
	case refused == nil && cautious(problems):
		n.cautious++
	default:
		n.disagree(t, what, fmt.Sprintf("API server: %v\ntoolmoat: %q", refused, problems), text)
	}
}

func (n *admissions) disagree(t *testing.T, what, how string, text []byte) {
	t.Helper()
	if n.wrong == nil {
		n.wrong = map[string]int{}
	}
	if n.wrong[what]++; n.wrong[what] == 1 && len(n.wrong) <= 25 {
		t.Errorf("%s\n%s\n%s", what, how, text)
	} else {
		t.Fail()
	}
}

// TestAdmissionOfRandomPolicies changes one thing or none in random policies and checks that our
// decoder refuses exactly those that the API server refuses.
func TestAdmissionOfRandomPolicies(t *testing.T) {
	var n admissions
	kinds := map[string]bool{}
	for i := range *flagObjects {
		r := &random{Rand: rand.New(rand.NewPCG(*flagSeed, uint64(i))), v4: true, v6: true}
		r.podAddrs()
		p := r.policy("alpha", "policy")
		p.Labels = map[string]string{"app.kubernetes.io/part-of": "x"}
		root := map[string]any{}
		if err := yaml.Unmarshal(manifest(t, p), &root); err != nil {
			t.Fatal(err)
		}
		what := "unchanged"
		if r.chance(90) {
			for what = ""; what == ""; {
				what = r.mutate(root)
			}
		}
		kinds[what] = true
		text, err := yaml.Marshal(root)
		if i%3 == 0 {
			text, err = json.Marshal(root)
		}
		if err != nil {
			t.Fatal(err)
		}
		n.compare(t, what, text)
	}
	for _, what := range slices.Sorted(maps.Keys(n.wrong)) {
		t.Logf("%5d disagreements: %s", n.wrong[what], what)
	}
	if least := *flagObjects / 10; n.both < least || n.neither < least {
		t.Errorf("the generator is unbalanced: %v", &n)
	}
	summary(t, "%d kinds of change, %v", len(kinds), &n)
}

// TestAdmissionOfText compares the readers on what only text can say: scalars in their many
// spellings, repeated keys, aliases.
func TestAdmissionOfText(t *testing.T) {
	var n admissions
	for _, c := range texts() {
		n.compare(t, c, []byte(c))
	}
	if n.both < 10 || n.neither < 10 {
		t.Errorf("too few texts are admitted or refused: %v", &n)
	}
	summary(t, "%v", &n)
}

// texts returns manifests: a template with one line each of many.
func texts() []string {
	const head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: alpha}\n"
	var out []string
	for _, spec := range []string{
		"", "spec:\n", "spec: {}\n", "spec: null\n", "spec: []\n", "spec: text\n", "data: {}\n",
		"spec: {podSelector: }\n", "spec: {podSelector: null, ingress: null, egress: null, policyTypes: null}\n", "spec: {podSelector: []}\n",
		"spec: {podSelector: {}, policyTypes: []}\n", "spec: {podSelector: {}, policyTypes: [Ingress, Ingress]}\n",
		"spec: {podSelector: {}, policyTypes: [Ingress, Egress, Ingress]}\n", "spec: {podSelector: {}, policyTypes: [ingress]}\n",
		"spec: {podSelector: {}, policyTypes: Ingress}\n", "spec: {podSelector: {}, policyTypes: [null]}\n",
		"spec: {podSelector: {}, ingress: [null]}\n", "spec: {podSelector: {}, ingress: [{}]}\n", "spec: {podSelector: {}, ingress: {}}\n",
		"spec: {podSelector: {}, ingress: [{from: null, ports: null}]}\n", "spec: {podSelector: {}, ingress: [{from: [], ports: []}]}\n",
		"spec: {podSelector: {}, ingress: [{from: [null]}]}\n", "spec: {podSelector: {}, ingress: [{from: [{}]}]}\n", "spec: {podSelector: {}, ingress: [{ports: [null]}]}\n",
		"spec: {podSelector: {}, ingress: [{ports: [{}]}]}\n", "spec: {podSelector: {}, ingress: [{to: []}]}\n", "spec: {podSelector: {}, ingres: []}\n",
		"spec: {podSelector: {}, podSelector: {}}\n", "spec: {podSelector: {}}\nspec: {podSelector: {}}\n",
		"spec: {podSelector: &a {matchLabels: {app: x}}, ingress: [{from: [{podSelector: *a}]}]}\n",
		"spec:\n  podSelector: {}\n  <<: {policyTypes: [Egress]}\n", "spec: {podSelector: {matchLabels: {<<: {a: b}}}}\n", "spec: !!map {podSelector: {}}\n",
		"---\n", "...\n", "# nothing\n",
	} {
		out = append(out, head+spec)
	}
	for _, value := range []string{
		"x", `"x"`, "'x'", "y", "Y", "n", "yes", "no", "on", "off", "true", "True", "false", `"true"`, "1", `"1"`, "0x1", "1.0", "1e3", "null", "~", `""`, "", "!!str 1", "!!str true",
		"2026-01-02", "2001-01-01T00:00:00Z", ".nan", ".inf", "1_000", "0o7", "07", "08", "0b1", "1:30", "+1", "- ", "[x]", "{x: y}", "x y", `"x\ty"`, "é", "|\n          x\n", ">-\n          x\n", "*a", "!local x", "=", "<<",
	} {
		out = append(out, head+"spec:\n  podSelector:\n    matchLabels:\n        app: "+value+"\n")
	}
	for _, key := range []string{"x", "y", "1", "true", "null", "~", `""`, "1.5", "[x]", "{x: y}", "? x", "0x1", "x.y/z", "'x/'", "é", "2026-01-02", "!!str 1"} {
		out = append(out, head+"spec: {podSelector: {matchLabels: {"+key+": v}}}\n")
	}
	for _, port := range []string{
		"80", `"80"`, "http", `"http"`, "'8o'", "080", "0100", "0o100", "0x50", "0b11", "8_0", "80.0", "8e1", "+80", "-80", "0", "65535", "65536", "4294967376", "99999999999999999999", "1:30", "true", "y", "null", "~", "", "[80]", "{}",
		"!!str 80", `!!int "80"`, "http--x", "a-very-long-name", "HTTP", "80 ", "2026-01-02", ".5",
	} {
		out = append(out, head+"spec: {podSelector: {}, ingress: [{ports: [{port: "+port+"}]}]}\n")
		out = append(out, head+"spec: {podSelector: {}, ingress: [{ports: [{port: 10, endPort: "+port+"}]}]}\n")
		out = append(out, head+"spec: {podSelector: {}, egress: [{ports: [{protocol: "+port+"}]}]}\n")
	}
	for _, cidr := range []string{
		"10.0.0.0/8", "10.0.0.0/8 ", `" 10.0.0.0/8"`, "10.0.0.0", "10.0.0.0/33", "::/0", "0.0.0.0/0", "10.0.0.1/8", "10/8", "1", "null", "", "fd00::/8", "fd00::1/8", "FD00::/8", "::ffff:10.0.0.0/104", "::10.0.0.0/104",
		"010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/+8", "fe80::%1/64", "{}", "[10.0.0.0/8]", "10.0.0.0/8/8", "1::2::3/64", "10.0.0.0/255.0.0.0",
	} {
		out = append(out, head+"spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: "+quoteCIDR(cidr)+"}}]}]}\n")
		out = append(out, head+"spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/7, except: ["+quoteCIDR(cidr)+"]}}]}]}\n")
		out = append(out, head+"spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: \"::/0\", except: ["+quoteCIDR(cidr)+"]}}]}]}\n")
	}
	for _, e := range []string{
		"{key: a, operator: In, values: [x]}", "{key: a, operator: In, values: []}", "{key: a, operator: In}", "{key: a, operator: NotIn}", "{key: a, operator: Exists}", "{key: a, operator: Exists, values: []}",
		"{key: a, operator: Exists, values: [x]}", "{key: a, operator: DoesNotExist, values: [x]}", "{key: a, operator: Gt, values: ['1']}", "{key: a, operator: in, values: [x]}", "{key: a}", "{operator: Exists}",
		"{key: '', operator: Exists}", "{key: a, operator: In, values: [x, x]}", "{key: a, operator: In, values: ['']}", "{key: a, operator: In, values: [null]}", "{key: a, operator: In, values: [1]}", "{key: a, operator: In, values: x}",
		"{key: a/b/c, operator: Exists}", "{key: a, operator: In, values: ['a b']}", "{key: 1, operator: Exists}", "null", "{}", "[]",
	} {
		out = append(out, head+"spec: {podSelector: {matchExpressions: ["+e+"]}}\n")
		out = append(out, head+"spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: ["+e+"]}}]}]}\n")
	}
	for _, meta := range []string{
		"{name: p}", "{name: P, namespace: alpha}", "{name: p.q, namespace: alpha}", "{name: p_q, namespace: alpha}", "{name: '', namespace: alpha}", "{namespace: alpha}", "{generateName: p-, namespace: alpha}", "{name: 1, namespace: alpha}",
		"{name: '1', namespace: alpha}", "{name: p, namespace: Alpha}", "{name: p, namespace: a.b}", "{name: p, namespace: ''}", "{name: p, namespace: null}", "{name: p, namespace: alpha, labels: {a: 1}}", "{name: p, namespace: alpha, labels: null}",
		"{name: p, namespace: alpha, labels: {a: null}}", "{name: p, namespace: alpha, labels: {'a b': c}}", "{name: p, namespace: alpha, annotations: {'a b': c}}", "{name: p, namespace: alpha, annotations: {A.b/c: '%$ anything'}}",
		"{name: p, namespace: alpha, extra: 1}", "{name: p, namespace: alpha, creationTimestamp: null, uid: u, generation: 3}", "null", "[]", "{}", "text", "{name: p, namespace: alpha, managedFields: []}",
		"{name: ' p', namespace: alpha}", "{name: -p, namespace: alpha}", "{name: p/q, namespace: alpha}", "{name: p%q, namespace: alpha}", "{name: .., namespace: alpha}",
	} {
		out = append(out, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: "+meta+"\nspec: {podSelector: {}}\n")
	}
	return out
}

func quoteCIDR(s string) string {
	if s == "" || s[0] == '{' || s[0] == '[' || s[0] == '"' || s == "null" || s == "1" {
		return s
	}
	return `"` + s + `"`
}
