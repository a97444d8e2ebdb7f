package source_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// load reads one text as the file f.yaml.
func load(text string) *model.Snapshot {
	return source.LoadFiles(source.File{Name: "f.yaml", Data: []byte(text)})
}

// problems writes the problems of a snapshot, one a line: "TM902 3 message (hint)".
func problems(s *model.Snapshot) string {
	var out []string
	for _, p := range s.Problems {
		line := fmt.Sprintf("%s %d %s", p.Rule, p.Origin.Line, p.Message)
		if p.Hint != "" {
			line += " (" + p.Hint + ")"
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func subject(s policy.Subject) string {
	return "ns " + s.NS.String() + " pods " + s.Pod.String()
}

// stands writes what a policy does, one rule or isolation a line.
func stands(p policy.Policy) string {
	var out []string
	for _, s := range p.Isolations {
		line := fmt.Sprintf("%d: %s isolates %s, else %s", s.Origin.Line, s.Dir, subject(s.Subject), s.Else)
		if s.Untyped {
			line += ", though untyped"
		}
		out = append(out, line)
	}
	for _, r := range p.Rules {
		peers := make([]string, 0, len(r.Peers))
		for _, peer := range r.Peers {
			peers = append(peers, fmt.Sprintf("%s@%d %s", peer.Path, peer.Origin.Line, peerText(peer)))
		}
		if r.AnyPeer {
			peers = append(peers, "anyone")
		}
		ports := make([]string, 0, len(r.Ports))
		for _, port := range r.Ports {
			if port.Name != "" {
				ports = append(ports, fmt.Sprintf("%s %s", port.Protocol, port.Name))
			} else {
				ports = append(ports, fmt.Sprintf("%s %d-%d", port.Protocol, port.Lo, port.Hi))
			}
		}
		if r.AnyPort {
			ports = append(ports, "any port")
		}
		line := fmt.Sprintf("%d: %s %s %s: %s; %s", r.Origin.Line, r.Action, r.Dir, r.Path, strings.Join(peers, " | "), strings.Join(ports, ", "))
		if r.Untyped {
			line += ", though untyped"
		}
		if r.DNS != nil {
			line += fmt.Sprintf("; queries for %s", r.DNS)
		}
		if r.If != nil {
			line += "; if " + facts(r.If)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func peerText(peer policy.Peer) string {
	var text string
	switch {
	case peer.Block != nil:
		text = peer.Block.String()
	case peer.NS != nil:
		text = subject(policy.Subject{NS: *peer.NS, Pod: *peer.Pod})
	case peer.Node != nil:
		text = "nodes " + peer.Node.String()
	case peer.Name != "":
		text = "name " + string(peer.Name)
	case peer.Service != nil && peer.Service.Labels != nil:
		text = "services " + peer.Service.Namespace + "/ " + peer.Service.Labels.String()
	case peer.Service != nil:
		text = "service " + peer.Service.Namespace + "/" + peer.Service.Name
	default:
		text = peer.Entity.String()
	}
	if peer.If != nil {
		text += " if " + facts(peer.If)
	}
	return text
}

// facts writes what must hold.
func facts(list []policy.Fact) string {
	texts := make([]string, len(list))
	for i, f := range list {
		if texts[i] = f.Yes; f.Not {
			texts[i] = f.No
		}
	}
	return strings.Join(texts, " and ")
}

// unjudged returns the subject of each policy that judges nothing, one a line, with the direction
// where it is one only.
func unjudged(t *testing.T, s *model.Snapshot) string {
	t.Helper()
	var out []string
	for _, p := range s.Policies {
		if len(p.Isolations) > 0 {
			continue
		}
		n := len(p.Rules)
		if n == 0 || n > 2 || n == 2 && p.Rules[0].Dir == p.Rules[1].Dir || !p.Rules[0].AnyPeer || !p.Rules[n-1].AnyPort || p.Rules[0].Action != policy.Unjudged {
			t.Errorf("a policy that is judged: %+v", p)
			continue
		}
		text := fmt.Sprintf("tier %d order %v %s", p.Rules[0].Tier, p.Rules[0].Order, subject(p.Rules[0].Subject))
		if n == 1 {
			text += " " + p.Rules[0].Dir.String()
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

// same fails unless got is want, both being lines.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	if want = strings.TrimSpace(want); got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// labels writes what is known of labels.
func labels(l label.Labels) string {
	var out []string
	for k, v := range l.Set() {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	for _, k := range []string{"pod-template-hash", "controller-revision-hash", "pod-template-generation", "batch.kubernetes.io/job-name",
		"job-name", "controller-uid", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-completion-index"} {
		if _, ok := l.Value(k); ok {
			continue
		}
		if must, _ := (label.Selector{}).Require(k, label.Exists()).Match(l); must {
			out = append(out, k+"=?")
		}
	}
	if l.IsOpen() {
		out = append(out, "...")
	}
	return strings.Join(out, ",")
}

// workloads writes each workload with its pods, one of either a line.
func workloads(s *model.Snapshot) string {
	var out []string
	for _, w := range s.Workloads {
		line := w.ID()
		if w.Many {
			line += " many"
		}
		out = append(out, line)
		for _, p := range w.Pods {
			line := "  [" + p.Name + "] " + labels(p.Labels)
			for _, a := range p.Addrs {
				line += " " + a.String()
			}
			if p.Node != "" {
				line += " on " + p.Node
			}
			if p.HostNetwork {
				line += " host"
			}
			for _, port := range p.Ports {
				line += fmt.Sprintf(" %s:%s/%d", port.Name, port.Protocol, port.Port)
			}
			if p.Ordinals != (model.Ordinals{}) {
				line += fmt.Sprintf(" %s-%d x%d", p.Ordinals.Base, p.Ordinals.First, p.Ordinals.Count)
			}
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func controller(kind, version, name, spec string) string {
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: ns}\nspec:\n  %s\n  template:\n    metadata: {labels: {app: x}}\n    spec: {containers: [{name: c, image: i}]}\n---\n",
		version, kind, name, spec)
}

func TestControllers(t *testing.T) {
	s := load(controller("Deployment", "apps/v1", "one", "replicas: 1") + controller("Deployment", "apps/v1", "many", "replicas: 3") +
		controller("Deployment", "apps/v1", "idle", "replicas: 0") + controller("ReplicaSet", "apps/v1", "rs", "replicas: 2") +
		controller("StatefulSet", "apps/v1", "sts", "replicas: 3\n  ordinals: {start: 2}") + controller("StatefulSet", "apps/v1", "single", "serviceName: x") +
		controller("DaemonSet", "apps/v1", "ds", "x: y") + controller("Job", "batch/v1", "job", "parallelism: 2\n  completionMode: Indexed") +
		controller("Job", "batch/v1", "manual", "manualSelector: true") + controller("ReplicationController", "v1", "rc", "replicas: 2") +
		"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cj, namespace: ns}\nspec: {jobTemplate: {spec: {template: {metadata: {labels: {app: x, pod-template-hash: own}}, spec: {hostNetwork: true, containers: []}}}}}\n")
	same(t, "problems", problems(s), "")
	same(t, "workloads", workloads(s), `
ns/CronJob/cj many
  [] app=x,pod-template-hash=own,batch.kubernetes.io/job-name=?,job-name=?,controller-uid=?,batch.kubernetes.io/controller-uid=? host
ns/DaemonSet/ds many
  [] app=x,controller-revision-hash=?,pod-template-generation=?
ns/Deployment/idle
  [] app=x,pod-template-hash=?
ns/Deployment/many many
  [] app=x,pod-template-hash=?
ns/Deployment/one
  [] app=x,pod-template-hash=?
ns/Job/job many
  [] app=x,batch.kubernetes.io/job-name=job,job-name=job,controller-uid=?,batch.kubernetes.io/controller-uid=?,batch.kubernetes.io/job-completion-index=?
ns/Job/manual
  [] app=x
ns/ReplicaSet/rs many
  [] app=x
ns/ReplicationController/rc many
  [] app=x
ns/StatefulSet/single
  [] app=x,controller-revision-hash=? single-0 x1
ns/StatefulSet/sts many
  [] app=x,controller-revision-hash=? sts-2 x3`)
}

// A label that a controller sets replaces the one in the template.
func TestControllerLabelWins(t *testing.T) {
	s := load(strings.Replace(controller("Deployment", "apps/v1", "d", "replicas: 1"), "app: x", "app: x, pod-template-hash: own", 1))
	same(t, "workloads", workloads(s), "ns/Deployment/d\n  [] app=x,pod-template-hash=?")
}

func pod(name, labels, owner, rest string) string {
	if owner != "" {
		kind, name, _ := strings.Cut(owner, "/")
		owner = fmt.Sprintf(", ownerReferences: [{kind: Other, name: z}, {controller: true, kind: %s, name: %s}]", kind, name)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: ns, labels: {%s}%s}\n%s\n---\n", name, labels, owner, rest)
}

func owned(kind, version, name, owner, hash string) string {
	kindOf, ownerName, _ := strings.Cut(owner, "/")
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: ns, ownerReferences: [{controller: true, kind: %s, name: %s}]}\nspec: {template: {metadata: {labels: {app: x, h: %s}}, spec: {}}}\n---\n",
		version, kind, name, kindOf, ownerName, hash)
}

func TestRunningPods(t *testing.T) {
	running := "spec: {nodeName: n1, containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}\nstatus: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}, {ip: 10.0.0.9}], hostIP: 192.168.0.1}"
	for _, tt := range []struct{ name, text, want string }{
		{"on its own", pod("p", "a: b", "", running), "ns/Pod/p\n  [p] a=b 10.0.0.1 fd00::1 on n1 http:TCP/80"},
		{"of a deployment, through its set", controller("Deployment", "apps/v1", "d", "replicas: 2") + owned("ReplicaSet", "apps/v1", "d-odd", "Deployment/d", "a") +
			pod("d-2", "app: x, num: '2'", "ReplicaSet/d-odd", running) + pod("d-1", "app: x, num: '1'", "ReplicaSet/d-odd", "spec: {hostNetwork: true}"),
			"ns/Deployment/d many\n  [] app=x,pod-template-hash=?\n  [d-1] app=x,num=1 host\n  [d-2] app=x,num=2 10.0.0.1 fd00::1 on n1 http:TCP/80"},
		{"of a deployment, by the hash", controller("Deployment", "apps/v1", "d", "replicas: 1") + pod("d-abc-1", "app: x, pod-template-hash: abc", "ReplicaSet/d-abc", ""),
			"ns/Deployment/d\n  [d-abc-1] app=x,pod-template-hash=abc"},
		{"of a deployment that was not read", pod("b", "pod-template-hash: abc", "ReplicaSet/d-abc", "") + pod("a", "pod-template-hash: abc", "ReplicaSet/d-abc", ""),
			"ns/Deployment/d many\n  [a] pod-template-hash=abc\n  [b] pod-template-hash=abc"},
		{"of a set alone", owned("ReplicaSet", "apps/v1", "d-abc", "Deployment/d", "a") + pod("a", "app: x, h: a, pod-template-hash: abc", "ReplicaSet/d-abc", ""),
			"ns/ReplicaSet/d-abc\n  [a] app=x,h=a,pod-template-hash=abc"},
		{"of a set that is not a deployment's", pod("a", "app: x", "ReplicaSet/rs", ""), "ns/ReplicaSet/rs\n  [a] app=x"},
		{"of a cron job", "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cj, namespace: ns}\nspec: {}\n---\n" + owned("Job", "batch/v1", "cj-1", "CronJob/cj", "a") + pod("a", "app: x", "Job/cj-1", ""),
			"ns/CronJob/cj many\n  [] batch.kubernetes.io/job-name=?,job-name=?,controller-uid=?,batch.kubernetes.io/controller-uid=?\n  [a] app=x"},
		{"of something else", pod("a", "app: x", "Rollout/r", "") + pod("b", "app: x", "Node/n1", ""), "ns/Pod/a\n  [a] app=x\nns/Pod/b\n  [b] app=x"},
		{"done", controller("Deployment", "apps/v1", "d", "replicas: 1") + pod("a", "", "ReplicaSet/d-x", "status: {phase: Succeeded}") + pod("b", "", "", "status: {phase: Failed}"),
			"ns/Deployment/d\n  [] app=x,pod-template-hash=?"},
		{"two that own each other", owned("ReplicaSet", "apps/v1", "r", "ReplicaSet/r", "a") + owned("Deployment", "apps/v1", "d", "ReplicaSet/r", "b"),
			"ns/Deployment/d\n  [] app=x,h=b,pod-template-hash=?\nns/ReplicaSet/r\n  [] app=x,h=a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := load(tt.text)
			same(t, "problems", problems(s), "")
			same(t, "workloads", workloads(s), tt.want)
		})
	}
}

func TestContainers(t *testing.T) {
	s := load(`
apiVersion: v1
kind: ConfigMap
metadata: {name: cm, namespace: ns}
data: {A: from-a, B: from-b, long: "` + strings.Repeat("x", 9000) + `"}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ns, annotations: {toolmoat.dev/role: server, kubectl.kubernetes.io/last-applied-configuration: "{}"}}
spec:
  initContainers:
  - {name: setup, ports: [{containerPort: 1}]}
  - {name: proxy, restartPolicy: Always, ports: [{name: admin, containerPort: 15000, protocol: UDP, hostPort: 15001}]}
  containers:
  - name: main
    image: img
    command: [node]
    args: [a, b]
    env:
    - {name: A, value: own}
    - {name: KEY, valueFrom: {configMapKeyRef: {name: cm, key: B}}}
    - {name: GONE, valueFrom: {configMapKeyRef: {name: cm, key: none}}}
    - {name: SECRET, valueFrom: {secretKeyRef: {name: s, key: k}}}
    - {name: EMPTY}
    - {name: KEY2, value: "1"}
    - {name: KEY2, value: "2"}
    envFrom:
    - {prefix: P_, configMapRef: {name: cm}}
    - {configMapRef: {name: cm}}
    - {configMapRef: {name: missing}}
    readinessProbe: {httpGet: {path: /ready, port: 80}}
    livenessProbe: {httpGet: {path: /ready, port: 80}}
`)
	same(t, "problems", problems(s), "")
	w := s.Workloads[0]
	if len(w.Annotations) != 1 || w.Annotations["toolmoat.dev/role"] != "server" {
		t.Errorf("annotations %v", w.Annotations)
	}
	var out []string
	for _, c := range w.Containers {
		out = append(out, fmt.Sprintf("%s %s %v %v %v init=%v sidecar=%v", c.Name, c.Image, c.Command, c.Args, c.Paths, c.Init, c.Sidecar))
		for _, e := range c.Env {
			out = append(out, fmt.Sprintf("  %s=%q %v", e.Name, e.Value, e.Known))
		}
	}
	same(t, "containers", strings.Join(out, "\n"), `
setup  [] [] [] init=true sidecar=false
proxy  [] [] [] init=true sidecar=true
main img [node] [a b] [/ready] init=false sidecar=false
  P_A="from-a" true
  P_B="from-b" true
  B="from-b" true
  A="own" true
  KEY="from-b" true
  GONE="" false
  SECRET="" false
  EMPTY="" true
  KEY2="2" true`)
	want := model.ContainerPort{Name: "admin", Protocol: netset.UDP, Port: 15000, HostPort: 15001, Sidecar: true}
	if p := w.Pods[0].Ports; len(p) != 1 || p[0] != want {
		t.Errorf("ports %v", p)
	}
}

func TestWorkloadProblems(t *testing.T) {
	s := load(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: ns, labels: {a: yes}}
spec:
  replicas: "2"
  whatever: {unknown: [fields]}
  template:
    metadata: {labels: {app: x, version: 1.0, bad: "a b"}}
    spec:
      hostNetwork: "true"
      containers:
      - ports: [{containerPort: 70000}, {containerPort: http}, {containerPort: 80, protocol: tcp}]
        env: [{name: PORT, value: 8080}]
`)
	same(t, "problems", problems(s), `
TM902 4 metadata.labels.a: wants a text, has a boolean (put it in quotes)
TM902 6 spec.replicas: wants a whole number, has a text
TM902 9 spec.template.metadata.labels.bad: not a valid label value: "a b" (letters, digits, '-', '_' and '.', at most 63 of them)
TM902 9 spec.template.metadata.labels.version: wants a text, has a number (put it in quotes)
TM902 11 spec.template.spec.hostNetwork: wants true or false, has a text
TM902 13 spec.template.spec.containers[0].ports[0].containerPort: not a port: 70000 (ports run from 1 to 65535)
TM902 13 spec.template.spec.containers[0].ports[1].containerPort: wants a whole number, has a text
TM902 13 spec.template.spec.containers[0].ports[2].protocol: not a protocol: "tcp" (TCP, UDP or SCTP, in capitals)
TM902 14 spec.template.spec.containers[0].env[0].value: wants a text, has a number (put it in quotes)`)
	same(t, "workloads", workloads(s), "ns/Deployment/d\n  [] app=x,pod-template-hash=?,... :none/80")
	if o := s.Problems[0].Origin; o.Object != "Deployment ns/d" || o.File != "f.yaml" {
		t.Errorf("origin %+v", o)
	}
}

func TestNamespaces(t *testing.T) {
	s := load(`
apiVersion: v1
kind: Namespace
metadata: {name: b, labels: {env: prod, kubernetes.io/metadata.name: lies}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: x, namespace: c}
---
apiVersion: v1
kind: Service
metadata: {name: x}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: x, namespace: a}
`)
	var out []string
	for _, n := range s.Namespaces {
		out = append(out, n.Name+" "+labels(n.Labels))
	}
	same(t, "problems", problems(s), "")
	same(t, "namespaces", strings.Join(out, "\n"), `
a kubernetes.io/metadata.name=a,...
b env=prod,kubernetes.io/metadata.name=b
c kubernetes.io/metadata.name=c,...
default kubernetes.io/metadata.name=default,...`)
}

func TestServices(t *testing.T) {
	s := load(`
apiVersion: v1
kind: Service
metadata: {name: a, namespace: ns}
spec:
  type: LoadBalancer
  selector: {app: x}
  clusterIPs: [10.96.0.1, "fd00::1"]
  clusterIP: 10.96.0.1
  externalIPs: [203.0.113.1]
  externalTrafficPolicy: Local
  ports:
  - {port: 80}
  - {name: second, port: 81, targetPort: http, protocol: UDP, nodePort: 30001}
  - {name: m, port: 82, targetPort: 8082}
status: {loadBalancer: {ingress: [{ip: 203.0.113.2}, {hostname: x}, {ip: 203.0.113.3, ipMode: Proxy}, {ip: 203.0.113.4, ipMode: VIP}]}}
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: ns}
spec: {clusterIP: None, selector: {}, ports: [{port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: b-1, namespace: ns, labels: {kubernetes.io/service-name: b}}
addressType: IPv4
endpoints: [{addresses: [192.0.2.1], conditions: {ready: false}}]
ports: [{name: "", port: 5432}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: b, namespace: ns}
subsets: [{addresses: [{ip: 192.0.2.1}, {ip: 192.0.2.2}], ports: [{port: 5432}]}]
---
apiVersion: v1
kind: Service
metadata: {name: c, namespace: ns}
spec: {type: ExternalName, externalName: example.com, selector: {a: b}}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}, {type: Hostname, address: n1}, {type: ExternalIP, address: 203.0.113.9}]}
`)
	same(t, "problems", problems(s), "")
	var out []string
	for _, v := range s.Services {
		sel := "none"
		if v.Selector != nil {
			sel = v.Selector.String()
		}
		out = append(out, fmt.Sprintf("%s %s %s headless=%v %v %v %q local=%v", v.Name, v.Type, sel, v.Headless, v.ClusterIPs, v.ExternalIPs, v.ExternalName, v.Local))
		for _, p := range v.Ports {
			out = append(out, fmt.Sprintf("  %q %s %d -> %d%s node %d", p.Name, p.Protocol, p.Port, p.Target, p.TargetName, p.NodePort))
		}
		for _, e := range v.Endpoints {
			out = append(out, fmt.Sprintf("  %s %d", e.Addr, e.Ports[0].Port))
		}
	}
	for _, n := range s.Nodes {
		out = append(out, fmt.Sprintf("%s %s %v", n.Name, labels(n.Labels), n.Addrs))
	}
	same(t, "services", strings.Join(out, "\n"), `
a LoadBalancer app=x headless=false [10.96.0.1 fd00::1] [203.0.113.1 VIP 203.0.113.2 VIP or Proxy 203.0.113.3 Proxy 203.0.113.4 VIP] "" local=true
  "" TCP 80 -> 80 node 0
  "second" UDP 81 -> 0http node 30001
  "m" TCP 82 -> 8082 node 0
b ClusterIP none headless=true [] [] "" local=false
  "" TCP 5432 -> 5432 node 0
  192.0.2.1 5432
  192.0.2.2 5432
c ExternalName none headless=false [] [] "example.com" local=false
n1 zone=a [10.0.0.1 203.0.113.9]`)
}

func TestRoutes(t *testing.T) {
	s := load(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: ns}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: d, port: {number: 80}}}
  rules: [{host: x, http: {paths: [{path: /mcp, backend: {service: {name: s, port: {name: http}}}}, {path: /r, backend: {resource: {kind: B, name: b}}}]}}]
---
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata: {name: old, namespace: ns, annotations: {kubernetes.io/ingress.class: gce}}
spec: {backend: {serviceName: s, servicePort: http}, rules: [{http: {paths: [{backend: {serviceName: t, servicePort: 81}}]}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: ns}
spec:
  parentRefs: [{name: gw, namespace: infra, sectionName: a}, {name: gw, namespace: infra, sectionName: b}, {name: own}, {kind: Service, name: x}]
  rules: [{matches: [{path: {value: /mcp}}], backendRefs: [{name: s, port: 80}, {name: u, namespace: other, port: 81}, {kind: Bucket, name: b}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: mesh, namespace: ns}
spec: {parentRefs: [{kind: Service, name: x}]}
`)
	same(t, "problems", problems(s), "")
	same(t, "routes", routesOf(s), `
HTTPRoute ns/r ns/s:80/mcp other/u:81/mcp ungranted
Ingress ns/i ns/d:80 ns/s:http/mcp
Ingress ns/old ns/s:http ns/t:81`)
}
