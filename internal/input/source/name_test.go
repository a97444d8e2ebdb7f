package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestLongNames puts a name that is no name wherever one is read. None may stay that long, or go
// unreported.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, name := range []string{long, "a\\e[31m", "A_B", "-"} {
		quoted := `"` + name + `"`
		for _, text := range []string{
			"{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: a}}",
			"{apiVersion: v1, kind: Pod, metadata: {generateName: %s, namespace: a}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: %s}}",
			"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: %s, namespace: a}}",
			"{apiVersion: v1, kind: Namespace, metadata: {name: %s}}",
			"{apiVersion: v1, kind: Node, metadata: {name: %s}}",
			"{apiVersion: v1, kind: Service, metadata: {name: %s}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a, ownerReferences: [{controller: true, kind: Job, name: %s}]}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {? %s : a}}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {a: %s}}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {nodeName: %s, containers: [{name: a}]}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: %s}]}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, ports: [{containerPort: 80, name: %s}]}]}}",
			"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: %s}}",
			"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {externalName: %s}}",
			"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, name: %s}]}}",
			"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, targetPort: %s}]}}",
			"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {ingressClassName: %s}}",
			"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {defaultBackend: {service: {name: %s}}}}",
			"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {defaultBackend: {service: {name: a, port: {name: %s}}}}}",
			"{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a}, spec: {parentRefs: [{name: %s}]}}",
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: %s}}",
			"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: %s}}",
			"{apiVersion: cilium.io/v9, kind: CiliumNetworkPolicy, metadata: {name: %s, namespace: %[1]s}}",
			"{apiVersion: cilium.io/v2, kind: %s, metadata: {name: a}}",
			"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a, namespace: %s}, spec: {endpointSelector: {}, ingress: [{}]}}",
			"{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: %s}, spec: {endpointSelector: {}, ingress: [{}]}}",
			"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a}, spec: {endpointSelector: {}, egress: [{toCIDRSet: [{cidrGroupRef: %s}]}]}}",
			"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a}, spec: {endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: %s}}]}]}}",
			"{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a}, spec: {endpointSelector: {}, egress: [{toServices: [{k8sServiceSelector: {namespace: %s, selector: {}}}]}]}}",
			"{apiVersion: cilium.io/v2, kind: CiliumCIDRGroup, metadata: {name: %s}, spec: {externalCIDRs: []}}",
		} {
			s := load(fmt.Sprintf(text, quoted))
			if strings.Contains(text, "labels:") && name == "A_B" {
				continue // is a valid label
			}
			if len(s.Problems) != 1 {
				t.Errorf("%s of %.20q: problems %s", text, name, problems(s))
			}
			printed := fmt.Sprintf("%+v %+v %+v %+v %+v %+v", s.Namespaces, s.Workloads, s.Services, s.Nodes, s.Routes, s.Policies) + problems(s)
			if len(printed) > 4000 || strings.Contains(printed, "\x1b") {
				t.Errorf("%s: %d bytes are kept of %.20q: %.1000q", text, len(printed), name, printed)
			}
		}
	}
}

// TestVariableNames keeps no name that is not one: it may be NAME=value.
func TestVariableNames(t *testing.T) {
	s := load(`
{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {a b: x, good: z, bad: 1}}
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: a
    envFrom: [{prefix: "P=", configMapRef: {name: m}}]
    env: [{name: A=hunter2, value: "1"}, {name: B=hunter2, value: "2"}]
`)
	same(t, "problems", problems(s), `
TM902 2 data.bad: wants a text, has a number (put it in quotes)
TM902 2 data["a b"]: not a valid key (letters, digits, '-', '_' and '.', at most 253 of them)
TM902 10 spec.containers[0].envFrom[0].prefix: not a valid name of a variable (printable characters but '=', at most 253 of them)
TM902 11 spec.containers[0].env[0].name: not a valid name of a variable (printable characters but '=', at most 253 of them)
TM902 11 spec.containers[0].env[1].name: not a valid name of a variable (printable characters but '=', at most 253 of them)`)
	want := []model.EnvVar{{Name: "good", Value: "z", Known: true}, {Value: "1", Known: true}, {Value: "2", Known: true}}
	if got := s.Workloads[0].Containers[0].Env; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// One mistake in the metadata is one problem.
func TestMetadata(t *testing.T) {
	for _, tt := range []struct{ meta, problem, id string }{
		{"{name: a, namespace: n}", "TM902 1 metadata.namespace: wants a text, has a boolean (put it in quotes)", ""},
		{"{name: a, namespace: Prod}", `TM902 1 metadata.namespace: not a valid namespace: "Prod"`, ""},
		{`{name: a, namespace: ""}`, "", "default/Pod/a"},
		{"{name: a, namespace: ~}", "", "default/Pod/a"},
		{"{name: y}", "TM902 1 metadata.name: wants a text, has a boolean (put it in quotes)", "default/Pod/"},
		{`{name: ""}`, "TM902 1 metadata.name: missing (every object needs a name)", "default/Pod/"},
		{"{}", "TM902 1 metadata.name: missing (every object needs a name)", "default/Pod/"},
		{"{generateName: a-}", "", "default/Pod/a-"},
	} {
		s := load("{apiVersion: v1, kind: Pod, metadata: " + tt.meta + "}")
		same(t, tt.meta, problems(s), tt.problem)
		id := ""
		if len(s.Workloads) > 0 {
			id = s.Workloads[0].ID()
		}
		if id != tt.id {
			t.Errorf("%s: workload %q, want %q", tt.meta, id, tt.id)
		}
	}
	s := load("{apiVersion: v1, kind: Namespace, metadata: {name: y}}")
	same(t, "namespace", problems(s), "TM902 1 metadata.name: wants a text, has a boolean (put it in quotes)")
	s = load("{apiVersion: v1, kind: Namespace, metadata: {name: a.b}}")
	same(t, "namespace", problems(s), "TM902 1 metadata.name: not the name of a namespace")
}

func TestRoleAnnotations(t *testing.T) {
	const server = `neither true nor false (write "true" if this is an MCP server, and "false" if it is none)`
	const role = "not a role (server, gateway, agent or none)"
	for annotation, problem := range map[string]string{
		`server: "true"`: "", `server: "False"`: "", "role: server": "", "role: gateway": "", "role: agent": "", "role: none": "",
		`server: ""`: server, "server: mcp": server, "role: boss": role, "role: Server": role,
		"server: true": "wants a text, has a boolean (put it in quotes)",
	} {
		key, _, _ := strings.Cut(annotation, ":")
		meta := "annotations: {toolmoat.dev/" + annotation + "}"
		for text, path := range map[string]string{
			"{apiVersion: v1, kind: Pod, metadata: {name: a, " + meta + "}}":                                                                  "metadata",
			"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, " + meta + "}}":                                                      "metadata",
			"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {metadata: {" + meta + "}}}}":                      "spec.template.metadata",
			"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {metadata: {" + meta + "}}}}}}": "spec.jobTemplate.spec.template.metadata",
		} {
			want := problem
			if want != "" {
				want = "TM902 1 " + path + `.annotations["toolmoat.dev/` + key + `"]: ` + want
			}
			same(t, text, problems(load(text)), want)
		}
	}
}

func TestJoinedObjects(t *testing.T) {
	s := load("apiVersion: v1\nkind: Service\nmetadata: {name: a}\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n")
	same(t, "problems", problems(s), `TM901 4 the key "apiVersion" is there twice (first on line 1) (are these two objects? put a line with --- between them)`)
}

// failing is a source that ends, after some text, by f.
type failing struct {
	text io.Reader
	f    func() error
}

func (r failing) Read(p []byte) (int, error) {
	if n, err := r.text.Read(p); err == nil {
		return n, nil
	}
	return 0, r.f()
}

// TestPanic demands that a panic while files are read can be recovered from where Load was called,
// with what it was and where.
func TestPanic(t *testing.T) {
	defer func() {
		p, _ := recover().(*parallel.Panic)
		if p == nil || p.Value != "out of order" || !strings.Contains(string(p.Stack), "failing.Read") {
			t.Errorf("recovered %v", p)
		}
	}()
	source.Load(context.Background(), source.Options{Paths: []string{"-"}, Stdin: failing{strings.NewReader("a: b"), func() error { panic("out of order") }}})
	t.Error("no panic")
}

// TestStdin reads as much as fits, in pieces of every kind.
func TestStdin(t *testing.T) {
	line := "# " + strings.Repeat("x", 1021) + "\n"
	for _, size := range []int{0, 1, 511, 512, 513, 100_000, 40 << 20} {
		text := strings.Repeat(line, size/len(line)) + "\na: " + strings.Repeat("[", size%100)
		s, err := source.Load(context.Background(), source.Options{Paths: []string{"-"}, Stdin: failing{strings.NewReader(text), func() error { return io.EOF }}})
		if err != nil || s.Counts.Documents != 1 {
			t.Errorf("%d bytes: %v, %+v", size, err, s.Counts)
		}
	}
	s, err := source.Load(context.Background(), source.Options{Paths: []string{"-"}, Stdin: failing{strings.NewReader("a: b"), func() error { return errors.New("gone") }}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "problems", problems(s), "TM901 0 cannot be read: gone")
}
