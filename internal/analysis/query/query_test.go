package query

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/test/corpus"
)

func program(yaml string) *reach.Program {
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(yaml)})
	return reach.Assuming(reach.NewGround(snap), reach.Typical, cni.Profiles[0])
}

func ask(t *testing.T, p *reach.Program, from, to string) Answer {
	t.Helper()
	q, err := Parse(from, to)
	if err != nil {
		t.Fatalf("%s -> %s: %v", from, to, err)
	}
	a, err := Ask(p, q)
	if err != nil {
		t.Fatalf("%s -> %s: %v", from, to, err)
	}
	checkFacts(t, a)
	return a
}

// TestCorpus asks every question of the public cases, under each profile that they speak of.
func TestCorpus(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	any, err := cni.Named(cni.Any)
	if err != nil {
		t.Fatal(err)
	}
	var enforcing []string
	for _, p := range any {
		enforcing = append(enforcing, p.Name)
	}
	named := map[string]reach.Verdict{"allow": reach.Allowed, "deny": reach.Denied, "depends": reach.Depends, "unknown": reach.Unknown, "notenforced": reach.NotEnforced}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			ground := program(string(c.Manifests)).Ground
			for _, profile := range cni.Profiles {
				expect := c.Under(profile.Name, enforcing)
				if profile.Name == cni.Spec {
					expect = c.Expect
				}
				worst, p := reach.NewProgram(ground, profile), reach.Assuming(ground, reach.Typical, profile)
				for _, e := range expect {
					to := e.To
					if strings.Count(to, ":") > 1 && !strings.HasPrefix(to, "[") {
						to = "[" + to + "]"
					}
					for _, port := range []int{e.Lo, e.Hi} {
						a := askAlone(t, p, e.From, fmt.Sprintf("%s:%d/%s", to, port, e.Protocol))
						want, when := named[e.Verdict], e.If
						if want == reach.Depends && strings.Contains(e.If, "node") && (a.Verdict == reach.Allowed || a.Verdict == reach.Denied) {
							want, when = a.Verdict, "" // the question settles on which nodes both ends are
						}
						if want == reach.Depends && (a.Verdict != want || !strings.Contains(a.When.String(), when)) { // the cases know only the worst
							a = askAlone(t, worst, e.From, fmt.Sprintf("%s:%d/%s", to, port, e.Protocol))
						}
						if a.Verdict != want && !(a.Verdict == reach.NotEnforced && want == reach.Allowed) || !strings.Contains(a.When.String(), when) {
							t.Errorf("line %d: %s: %s -> %s:%d/%s: want %s %q, got %v %q %q", e.Line, profile.Name, e.From, e.To, port, e.Protocol, e.Verdict, e.If, a.Verdict, a.When, a.Notes)
						}
						checkSteps(t, a)
					}
				}
			}
		})
	}
}

// askAlone asks about the target at its own address, as the cases do, without looking for the facts
// that decided.
func askAlone(t *testing.T, p *reach.Program, from, to string) Answer {
	t.Helper()
	q, err := Parse(from, to)
	if err != nil {
		t.Fatalf("%s -> %s: %v", from, to, err)
	}
	alone := newAsker(p, q)
	alone.straight = true
	a, err := alone.ask()
	if err != nil {
		t.Fatalf("%s -> %s: %v", from, to, err)
	}
	checkFacts(t, a)
	return a
}

// checkSteps demands that the trace tells the verdict.
func checkSteps(t *testing.T, a Answer) {
	t.Helper()
	if len(a.Steps) == 0 && a.Notes == nil {
		t.Errorf("%s -> %s: %v without a reason", a.From, a.To, a.Verdict)
	}
	for _, s := range a.Steps {
		sides := reach.Allowed
		for _, side := range s.Sides {
			if side.Verdict == reach.Denied || sides == reach.Denied {
				sides = reach.Denied
				continue
			}
			sides = min(sides, side.Verdict)
		}
		if (sides == reach.Denied) != (s.Verdict == reach.Denied) && s.Sides != nil {
			t.Errorf("%s -> %s: the step is %v, its sides say %v", a.From, a.To, s.Verdict, sides)
		}
		if len(a.Steps) == 1 && s.Verdict != a.Verdict && a.Verdict != reach.NotEnforced {
			t.Errorf("%s -> %s: the answer is %v, its only step %v", a.From, a.To, a.Verdict, s.Verdict)
		}
	}
}

// TestAgreesWithEngine compares questions between workloads with the engine's own decisions, on
// every case and port that policies tell apart.
func TestAgreesWithEngine(t *testing.T) {
	cases, err := corpus.Load(os.DirFS("../../../testdata/corpus"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, c := range cases {
		p := program(string(c.Manifests))
		for from := range p.Snapshot.Workloads {
			for to := range p.Snapshot.Workloads {
				if from == to {
					continue
				}
				for _, port := range []string{"80", "81", "443", "8080", "53/UDP"} {
					a := askAlone(t, p, p.Snapshot.Workloads[from].ID(), p.Snapshot.Workloads[to].ID()+":"+port)
					if a.Verdict == reach.NotEnforced {
						continue
					}
					best, settled := reach.Denied, false
					for _, x := range p.ClassesOf(from) {
						for _, y := range p.ClassesOf(to) {
							v := p.Explain(reach.AtHolder(x), reach.AtHolder(y), a.Asked.Protocol, a.Asked.Port)
							placed := newAsker(p, a.Asked).placements(end{End: reach.AtHolder(x), workload: from}, end{End: reach.AtHolder(y), workload: to})
							if (p.HostNetwork(x) || p.HostNetwork(y)) && placed[0] != unplaced {
								settled = true // which the engine leaves open
							}
							if reach.CompareVerdicts(v.Verdict, best) > 0 {
								best = v.Verdict
							}
						}
					}
					if compared++; a.Verdict != best && !(settled && best == reach.Depends) {
						t.Errorf("%s: %s -> %s: %v, the engine says %v", c.Name, a.From, a.To, a.Verdict, best)
					}
				}
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d questions compared", compared)
	}
}

const scene = `
{apiVersion: v1, kind: Namespace, metadata: {name: app}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: data}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: app, name: web}, spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: x, ports: [{containerPort: 8080, name: http}]}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: app, name: lonely}, spec: {replicas: 1, selector: {matchLabels: {app: lonely}}, template: {metadata: {labels: {app: lonely}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: app, name: free}, spec: {replicas: 1, selector: {matchLabels: {app: free}}, template: {metadata: {labels: {app: free}}, spec: {containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: app, name: host}, spec: {replicas: 1, selector: {matchLabels: {app: host}}, template: {metadata: {labels: {app: host}}, spec: {hostNetwork: true, containers: [{name: c, image: x}]}}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {namespace: data, name: db}, spec: {replicas: 2, serviceName: db-pods, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: x, ports: [{containerPort: 5432}]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: web}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: data, name: db-pods}, spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: data, name: nobody}, spec: {selector: {app: nobody}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: github}, spec: {type: ExternalName, externalName: api.github.com}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: alias}, spec: {type: ExternalName, externalName: web.app.svc.cluster.local}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: loop}, spec: {type: ExternalName, externalName: loop.app.svc.cluster.local}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: byhand}, spec: {ports: [{port: 443}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: lonely}, spec: {podSelector: {matchLabels: {app: lonely}}, policyTypes: [Ingress, Egress], egress: [
  {to: [{ipBlock: {cidr: 140.82.112.0/20}}], ports: [{port: 443}]},
  {to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]},
  {to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 169.254.0.0/16]}}], ports: [{port: 8443}]},
  {to: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: "::/0"}}], ports: [{port: 9443}]},
  {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}], ports: [{port: 5432}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: web}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: lonely}}}, {ipBlock: {cidr: 198.51.100.0/24}}], ports: [{port: http}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: host}, spec: {podSelector: {matchLabels: {app: host}}, policyTypes: [Egress]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: data, name: second}, spec: {podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-1}}, policyTypes: [Ingress]}}
`

func TestAsk(t *testing.T) {
	p := program(scene)
	if len(p.Snapshot.Problems) > 0 {
		t.Fatal(p.Snapshot.Problems)
	}
	tests := []struct {
		from, to string
		want     reach.Verdict
		when     string // part of it
		note     string // part of one
	}{
		{"app/free", "app/web:8080", reach.Denied, "", ""},
		{"app/lonely", "app/web:8080", reach.Allowed, "", ""},
		{"app/lonely", "app/Deployment/web:8080/TCP", reach.Allowed, "", ""},
		{"app/lonely", "app/web", reach.Allowed, "", ""},
		{"app/lonely", "app/web:8081", reach.Denied, "", ""},
		{"app/lonely", "app/web:8080/udp", reach.Denied, "", ""},
		{"app/lonely", "app/web/sctp", reach.Denied, "", ""},

		{"app/lonely", "app/Service/web:80", reach.Depends, "after a Service's address is translated", ""},
		{"app/free", "app/Service/web:80", reach.Denied, "", ""},
		{"app/lonely", "app/Service/web:8080", reach.Denied, "", "has no port 8080/TCP, so nothing listens; it has 80/TCP (http)"},
		{"app/lonely", "app/web:80", reach.Denied, "", "the Service app/Service/web answers differently: depends"},
		{"app/lonely", "web:80", reach.Depends, "after", ""},
		{"app/lonely", "web.app:80", reach.Depends, "after", ""},
		{"app/lonely", "WEB.app.svc.cluster.local.:80", reach.Depends, "after", ""},
		{"app/lonely", "alias.app.svc:80", reach.Depends, "after", "another name for web.app.svc.cluster.local"},
		{"app/free", "loop.app.svc:80", reach.Allowed, "", "followed 4 times"},
		{"app/lonely", "data/Service/db-pods:5432", reach.Allowed, "", "headless"},
		{"app/lonely", "db-0.db-pods.data.svc:5432", reach.Allowed, "", "any of them"},
		{"app/free", "data/Service/nobody:80", reach.Depends, "comes to be", "selects no pod"},
		{"app/host", "data/Service/nobody:80", reach.Depends, "comes to be", "selects no pod"},
		{"app/lonely", "data/Service/nobody:80", reach.Denied, "", "selects no pod"},
		{"app/lonely", "app/Service/byhand:443", reach.Depends, "has an address in 140.82.112.0/20", "does not show the endpoints"},

		{"app/lonely", "data/db:5432", reach.Allowed, "", "pods differ: denied from app/lonely to data/db"},
		{"app/lonely", "app/lonely", reach.Allowed, "", "a pod always reaches itself"},
		{"app/web", "app/web:8080", reach.Denied, "", ""},
		{"app/lonely", "127.0.0.1:80", reach.Allowed, "", "the pod itself"},
		{"app/lonely", "localhost:80", reach.Allowed, "", "the pod itself"},
		{"app/lonely", "224.0.0.1:80", reach.Unknown, "carries", "not judged"},

		{"app/lonely", "140.82.112.5:443", reach.Allowed, "", ""},
		{"app/lonely", "140.82.112.5:80", reach.Denied, "", ""},
		{"app/lonely", "169.254.169.254:80", reach.Denied, "", ""},
		{"app/free", "169.254.169.254:80", reach.Allowed, "", ""},
		{"app/lonely", "10.1.2.3:81", reach.Denied, "", ""},
		{"app/lonely", "10.1.2.3:80", reach.Depends, "10.1.2.3 is the address of app/Service/web", ""},
		{"app/lonely", "10.1.2.3:8080", reach.Depends, "10.1.2.3 is the address of any new pod labelled app=web", ""},
		{"app/lonely", "10.1.2.3:8443", reach.Denied, "", ""},
		{"app/lonely", "192.168.2.3:8443", reach.Depends, "192.168.2.3 is not the address of", ""},
		{"app/free", "10.1.2.3:8080", reach.Depends, "10.1.2.3 is not the address of", ""},

		{"app/free", "api.github.com:443", reach.Allowed, "", ""},
		{"app/free", "github.app.svc:443", reach.Allowed, "", "another name for api.github.com"},
		{"app/lonely", "api.github.com:443", reach.Depends, "api.github.com has an address in 140.82.112.0/20", ""},
		{"app/lonely", "api.github.com:8443", reach.Depends, "has an address outside 10.0.0.0/8 and 169.254.0.0/16", ""},
		{"app/lonely", "api.github.com:9443", reach.Allowed, "", ""},
		{"app/lonely", "api.github.com:8080", reach.Depends, "resolves to a pod, Service or node", ""},
		{"app/lonely", "api.github.com:22", reach.Denied, "", ""},
		{"app/lonely", "api.github.com", reach.Allowed, "", ""},

		{"198.51.100.7", "app/web:8080", reach.Allowed, "", ""},
		{"198.51.101.7", "app/web:8080", reach.Denied, "", ""},
		{"198.51.100.7", "app/Service/web:80", reach.Allowed, "", "no address outside the cluster"},
		{"10.0.0.7", "app/web:8080", reach.Depends, "10.0.0.7 is the address of", ""},
		{"8.8.8.8", "app/free", reach.Allowed, "", ""},

		{"app/host", "data/db:5432", reach.NotEnforced, "", "on its node's network"},
		{"app/host", "app/web:8080", reach.Depends, "same node", ""},
		{"app/lonely", "default/kubernetes:443", reach.Denied, "", ""},
		{"app/free", "kubernetes.default.svc:443", reach.Allowed, "", ""},
	}
	for _, tt := range tests {
		a := ask(t, p, tt.from, tt.to)
		noted := slices.ContainsFunc(append(a.Notes, ""), func(n string) bool { return strings.Contains(n, tt.note) })
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) || !noted {
			t.Errorf("%s -> %s: got %v if %q %q; want %v if %q %q", tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want, tt.when, tt.note)
		}
		if (a.When.String() == "") != (tt.want != reach.Depends && tt.want != reach.Unknown) {
			t.Errorf("%s -> %s: %v if %q", tt.from, tt.to, a.Verdict, a.When)
		}
		checkSteps(t, a)
	}
}

func TestTrace(t *testing.T) {
	a := ask(t, program(scene), "app/lonely", "app/web:8081")
	want := "egress isolated [in.yaml:30] near [{egress[1] port} {egress[2] port} {egress[3] port}]; ingress isolated [in.yaml:37] near [{ingress[0] port}]"
	var got []string
	for _, side := range a.Steps[0].Sides {
		var at []string
		for _, o := range side.Isolating {
			at = append(at, o.Pos())
		}
		var near []string
		for _, n := range side.Near {
			near = append(near, fmt.Sprintf("{%s %s}", n.Path, [...]string{"peer", "port"}[n.Miss]))
		}
		got = append(got, fmt.Sprint(side.Dir, " isolated ", at, " near ", near))
	}
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
	if a := ask(t, program(scene), "app/lonely", "app/web:8080"); len(a.Steps) != 1 || len(a.Steps[0].Sides) != 2 || a.Steps[0].Sides[1].By[0].Path != "ingress[0]" {
		t.Errorf("steps %+v", a.Steps)
	}
}

func TestExitCodes(t *testing.T) {
	for v, want := range map[reach.Verdict]int{reach.Allowed: 0, reach.NotEnforced: 0, reach.Denied: 1, reach.Unknown: 2, reach.Depends: 3} {
		if got := (Answer{Group: Group{Verdict: v}, Groups: []Group{{Verdict: v}}}).ExitCode(); got != want {
			t.Errorf("%v: %d, want %d", v, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	p := program(scene)
	for _, tt := range []struct{ from, to, message, hint string }{
		{"app/wb", "app/free", "the input has no workload or Service app/wb", "did you mean app/web"},
		{"web/app", "app/free", "the input has no workload or Service web/app", ""},
		{"app/free", "dta/db", "the input has no workload or Service dta/db", "did you mean data/db"},
		{"app/free", "app/Job/web", "the input has no Job app/web", "app/web"},
		{"app/free", "data/web", "no workload or Service data/web", "did you mean app/web or app/Service/web or data/db?"},
		{"app/free", "elsewhere/web", "no workload or Service elsewhere/web", "did you mean app/web or app/Service/web?"},
		{"app/free", "app/Service/free", "no Service app/free", "did you mean app/free?"},
		{"app/free", "app/Pod/free-5d4f-xyz", "no Pod app/free-5d4f-xyz", "did you mean app/free?"},
		{"app/free", "App/Web", "no workload or Service App/Web", "did you mean app/web"},
		{"app/free", "app/db", "no workload or Service app/db", "did you mean data/db?"},
		{"app/free", "app/zz", "no workload or Service app/zz", ""},
		{"wbe", "app/free", "FROM wbe is a host name", "did you mean app/web"},
		{"web.app", "app/free", "FROM web.app is a host name", "did you mean app/web"},
		{"app/free", "hosst", `"hosst" is neither`, "did you mean app/host?"},
		{"app/Service/web", "app/free", "a Service opens no connections", "did you mean app/web?"},
		{"example.com", "app/free", "FROM example.com is a host name", ""},
		{"127.0.0.1", "app/free", "no address that a connection", ""},
		{"app/free", "nosuch.app.svc", "the input has no Service app/nosuch", ""},
		{"app/free", "db", `"db" is neither a host name`, "did you mean data/db?"},
		{"8.8.8.8", "1.1.1.1", "neither 8.8.8.8 nor 1.1.1.1 is a pod", ""},
	} {
		q, err := Parse(tt.from, tt.to)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Ask(p, q)
		if err == nil {
			t.Errorf("%s -> %s: no error", tt.from, tt.to)
			continue
		}
		var name *NameError
		hint := ""
		if errors.As(err, &name) {
			hint = name.Hint()
		}
		if !strings.Contains(err.Error(), tt.message) || !strings.Contains(hint, tt.hint) {
			t.Errorf("%s -> %s: error %q, hint %q", tt.from, tt.to, err, hint)
		}
	}
}

// TestFinished: what has finished is found, and is neither denied nor missing.
func TestFinished(t *testing.T) {
	const spec = "spec: {containers: [{name: c, image: x}]}"
	job := func(name, owner, condition string) string {
		return "---\n{apiVersion: batch/v1, kind: Job, metadata: {namespace: batch, name: " + name + owner + "}, spec: {template: {metadata: {labels: {app: j}}, " + spec + "}}, status: {conditions: [{type: Suspended, status: \"False\"}, {type: " + condition + "}]}}\n"
	}
	pod := func(name, more, phase string) string {
		return "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: batch, name: " + name + ", labels: {app: j}" + more + "}, " + spec + ", status: {phase: " + phase + ", podIP: 10.0.0.9}}\n"
	}
	const owned = ", ownerReferences: [{apiVersion: batch/v1, kind: Job, name: gone, controller: true}]"
	p := program(pod("done", "", "Succeeded") + pod("evicted", "", "Failed") + pod("runs", "", "Running") + pod("gone-1", owned, "Succeeded") +
		job("complete", "", `Complete, status: "True"`) + job("failed", "", `Failed, status: "True"`) + job("going", "", `Complete, status: "False"`) +
		job("nightly-1", ", ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: nightly, controller: true}]", `Complete, status: "True"`) +
		"---\n{apiVersion: batch/v1, kind: CronJob, metadata: {namespace: batch, name: nightly}, spec: {jobTemplate: {spec: {template: {" + spec + "}}}}}\n" +
		"---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: batch, name: closed}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}\n")
	for name, want := range map[string]string{
		"batch/done": "batch/Pod/done has finished (phase Succeeded)", "batch/pod/evicted": "batch/Pod/evicted has finished (phase Failed)", "batch/gone-1": "batch/Pod/gone-1 has finished",
		"batch/gone": "the pods of batch/Job/gone have finished", "batch/Job/complete": "batch/Job/complete has finished (Complete)", "batch/failed": "batch/Job/failed has finished (Failed)",
		"batch/Job/done": "the input has no Job batch/done", "batch/Deployment/gone": "the input has no Deployment batch/gone", "elsewhere/done": "the input has no workload or Service elsewhere/done",
		"batch/runs": "", "batch/going": "", "batch/nightly": "",
	} {
		for _, ends := range [][2]string{{name, "1.1.1.1:443"}, {"8.8.8.8", name}} {
			q, err := Parse(ends[0], ends[1])
			if err != nil {
				t.Fatal(err)
			}
			a, err := Ask(p, q)
			if want == "" && (err != nil || a.Verdict != reach.Denied) || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
				t.Errorf("%v: %v, %v", ends, a.Verdict, err)
			}
		}
	}
	if a := ask(t, p, "8.8.8.8", "10.0.0.9"); a.Verdict != reach.Denied || a.To != "batch/Pod/runs" { // what has finished has it no more
		t.Errorf("%v to %s", a.Verdict, a.To)
	}
}

// TestOneAddressOfTwo: of two pods to which the input gives one address, either may have it.
func TestOneAddressOfTwo(t *testing.T) {
	pod := func(name, spec, status string) string {
		return "---\n{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: " + name + ", labels: {app: " + name + "}}, spec: {" + spec + "containers: [{name: c, image: x}]}, status: {" + status + "}}\n"
	}
	p := program("{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 10.9.0.1}, {type: ExternalIP, address: 203.0.113.1}]}}\n" +
		pod("open", "", "podIP: 10.0.0.5") + pod("closed", "", "podIP: 10.0.0.5") + pod("alone", "", "podIP: 10.0.0.6") + pod("twin", "", "podIP: 10.0.0.7") + pod("double", "", "podIP: 10.0.0.7") + pod("client", "", "podIP: 10.0.0.8") +
		pod("agent", "hostNetwork: true, nodeName: n1, ", "podIP: 10.9.0.1") + pod("proxy", "hostNetwork: true, nodeName: n1, ", "podIP: 10.9.0.1") + `
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: closed}, spec: {podSelector: {matchExpressions: [{key: app, operator: In, values: [closed, twin, double]}]}, policyTypes: [Ingress, Egress]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: hand}, spec: {ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: app, name: hand-1, labels: {kubernetes.io/service-name: hand}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.5]}], ports: [{port: 80}]}
`)
	for _, tt := range []struct {
		from, to string
		want     reach.Verdict
		when     string
		notes    []string
	}{
		{"app/client", "10.0.0.5:80", reach.Depends, "10.0.0.5 is ", []string{"gives 10.0.0.5 to 2 pods, of which one can have it", "app/Pod/open", "app/Pod/closed"}},
		{"10.0.0.5", "app/client:80", reach.Depends, "10.0.0.5 is ", []string{"gives 10.0.0.5 to 2 pods"}},
		{"app/client", "10.0.0.7:80", reach.Denied, "", []string{"gives 10.0.0.7 to 2 pods"}},
		{"app/client", "10.0.0.6:80", reach.Allowed, "", []string{"10.0.0.6 is the address of app/Pod/alone"}},
		{"app/client", "app/closed:80", reach.Denied, "", nil},
		{"app/client", "app/open:80", reach.Allowed, "", nil},
		{"app/client", "app/Service/hand:80", reach.Allowed, "", nil}, // whoever answers
		{"app/client", "10.9.0.1:80", reach.Allowed, "", []string{"10.9.0.1 is the address of app/Pod/agent", "10.9.0.1 is the address of app/Pod/proxy", "10.9.0.1 is the address of node n1"}},
		{"app/client", "203.0.113.1:80", reach.Allowed, "", []string{"203.0.113.1 is the address of app/Pod/agent", "203.0.113.1 is the address of app/Pod/proxy", "203.0.113.1 is the address of node n1"}},
	} {
		a := ask(t, p, tt.from, tt.to)
		if a.Verdict != tt.want || !strings.Contains(a.When.String(), tt.when) {
			t.Errorf("%s -> %s: %v if %q %q, want %v", tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want)
		}
		for _, note := range tt.notes {
			if !strings.Contains(strings.Join(a.Notes, "\n"), note) {
				t.Errorf("%s -> %s: %q lacks %q", tt.from, tt.to, a.Notes, note)
			}
		}
		checkSteps(t, a)
	}
	// The engine's own list of what is behind a Service asks the same.
	backs := p.Backends(0)
	if len(backs) != 2 || backs[0].Perhaps != reach.AsEndpoint || backs[1].Perhaps != reach.AsEndpoint {
		t.Errorf("behind the Service: %+v", backs)
	}
}

// TestRunningPods asks by addresses that the input shows.
func TestRunningPods(t *testing.T) {
	p := program(`
{apiVersion: v1, kind: Namespace, metadata: {name: app}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: a, labels: {app: a}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}], hostIP: 10.9.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {namespace: app, name: b, labels: {app: b}}, spec: {nodeName: n1, containers: [{name: c, image: x}]}, status: {podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}], hostIP: 10.9.0.1}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: app, name: b}, spec: {clusterIP: 10.96.0.2, clusterIPs: [10.96.0.2], externalIPs: [203.0.113.9], selector: {app: b}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: b}, spec: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 8080}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: app, name: a}, spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/16}}, {ipBlock: {cidr: 10.0.0.0/16}}]}]}}
`)
	for _, tt := range []struct {
		from, to string
		want     reach.Verdict
		note     string
	}{
		{"10.0.0.1", "10.0.0.2:8080", reach.Allowed, "10.0.0.2 is the address of app/Pod/b"},
		{"10.0.0.1", "10.0.0.2:80", reach.Denied, ""},
		{"app/a", "10.96.0.2:80", reach.Allowed, "10.96.0.2 is the address of app/Service/b"},
		{"app/a", "10.96.0.2:8080", reach.Denied, "has no port 8080"},
		{"app/a", "203.0.113.9:80", reach.Depends, "external address of app/Service/b"},
		{"app/a", "n1:22", reach.Denied, ""},
		{"app/b", "10.9.0.1:22", reach.Allowed, "is the address of node n1"},
		{"n1", "app/b:8080", reach.Allowed, ""}, // its own node
		{"10.0.0.1", "app/Pod/a:1", reach.Allowed, "reaches itself"},
		{"app/b", "[::ffff:10.0.0.1]:80", reach.Allowed, "10.0.0.1 is the address of app/Pod/a"},
		{"app/b", "[2001:db8::1]:80", reach.Denied, "no addresses of the same IP family"},
	} {
		a := ask(t, p, tt.from, tt.to)
		if a.Verdict != tt.want || !slices.ContainsFunc(append(a.Notes, ""), func(n string) bool { return strings.Contains(n, tt.note) }) {
			t.Errorf("%s -> %s: %v if %q %q, want %v %q", tt.from, tt.to, a.Verdict, a.When, a.Notes, tt.want, tt.note)
		}
		checkSteps(t, a)
	}
}
