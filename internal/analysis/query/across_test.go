package query

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// TestAcross demands that can, map and audit agree on who reaches whom, in random clusters with all
// that lets connections past a policy. TOOLMOAT_CLUSTERS says how many there are.
func TestAcross(t *testing.T) {
	clusters := 250
	if n, err := strconv.Atoi(os.Getenv("TOOLMOAT_CLUSTERS")); err == nil {
		clusters = n
	} else if testing.Short() {
		clusters = 40
	}
	traits, pairs, denied := map[string]int{}, 0, 0
	for seed := range uint64(clusters) {
		c := newCluster(seed)
		for name := range c.traits {
			traits[name]++
		}
		n, d := c.check(t)
		pairs, denied = pairs+n, denied+d
	}
	t.Logf("%d clusters, %d pairs, %d denied; with %v", clusters, pairs, denied, traits)
	for _, name := range []string{"node port", "load balancer", "external IP", "host port", "Local", "twins", "second network", "unenforced node", "node without agent", "own Service", "mesh", "shared table", "bare endpoint", "one address", "named by an endpoint"} {
		if traits[name]*10 < clusters {
			t.Errorf("only %d of %d clusters have: %s", traits[name], clusters, name)
		}
	}
	if denied*10 < pairs || denied*10 > pairs*9 {
		t.Errorf("%d of %d pairs are denied", denied, pairs)
	}
}

// cluster is a random cluster as manifests.
type cluster struct {
	*rand.Rand
	seed   uint64
	text   strings.Builder
	traits map[string]bool
	cni    string
	alone  map[string]int // pods without a controller, by namespace
	more   *rand.Rand     // for what came later
}

func (c *cluster) add(format string, args ...any) { fmt.Fprintf(&c.text, "---\n"+format+"\n", args...) }

// has draws whether the cluster has a trait once more, one time in n.
func (c *cluster) has(n int, trait string) bool {
	if c.IntN(n) > 0 {
		return false
	}
	c.traits[trait] = true
	return true
}

func (c *cluster) of(choices ...string) string { return choices[c.IntN(len(choices))] }

func newCluster(seed uint64) *cluster {
	c := &cluster{Rand: rand.New(rand.NewPCG(seed, 11)), seed: seed, traits: map[string]bool{}, alone: map[string]int{}, more: rand.New(rand.NewPCG(seed, 12))}
	var names []string
	for _, p := range cni.Profiles {
		names = append(names, p.Name)
	}
	c.cni = c.of(append(names, "aws-vpc-cni", "aws-vpc-cni", "aws-vpc-cni", "aws-vpc-cni", "calico", "cilium")...)
	for i, ns := range []string{"a", "b"} {
		labels := ""
		if c.has(6, "mesh") {
			labels = ", istio.io/dataplane-mode: ambient"
		}
		c.add("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {team: t%d%s}}}", ns, i, labels)
	}
	nodes := c.IntN(3)
	for i := range nodes {
		c.add("{apiVersion: v1, kind: Node, metadata: {name: n%d, labels: {kubernetes.io/hostname: n%d, kubernetes.io/os: %s}}, status: {addresses: [{type: InternalIP, address: 10.9.0.%d}]}}", i, i, c.of("linux", "linux", "windows"), i+1)
	}
	c.add("{apiVersion: k8s.cni.cncf.io/v1, kind: NetworkAttachmentDefinition, metadata: {namespace: a, name: lan}, spec: {config: '{\"type\": \"macvlan\", \"ipam\": {\"type\": \"host-local\", \"subnet\": \"192.168.5.0/24\"}}'}}")
	for i := range 3 + c.IntN(3) {
		c.workload(i, nodes)
	}
	for i := range 1 + c.IntN(3) {
		c.service(i)
	}
	for i := range 1 + c.IntN(4) {
		c.policy(i)
	}
	if profile, err := cni.ByName(c.cni); err == nil && nodes > 0 && profile.Agent.Name != "" && c.has(3, "node without agent") {
		c.add("{apiVersion: apps/v1, kind: DaemonSet, metadata: {namespace: kube-system, name: %s}, spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {hostNetwork: true, nodeSelector: {kubernetes.io/hostname: %s}, containers: [{name: c, image: i}]}}}}",
			profile.Agent.Name, c.of("n0", "n9"))
	}
	return c
}

// workload adds a pod or a Deployment, all of which run MCP servers.
func (c *cluster) workload(i, nodes int) {
	ns, app := c.of("a", "b"), c.of("u", "v", "w")
	name := fmt.Sprintf("w-%d", i)
	spec, meta := "", ""
	host := c.has(8, "twins")
	if host {
		spec += "hostNetwork: true, "
	} else if c.has(6, "second network") {
		meta = ", annotations: {k8s.v1.cni.cncf.io/networks: a/lan}"
	}
	if c.has(7, "unenforced node") {
		spec += c.of("nodeSelector: {kubernetes.io/os: windows}, ", "schedulerName: fargate-scheduler, ", "os: {name: windows}, ")
	}
	port := ""
	if !host && c.has(6, "host port") {
		port = fmt.Sprintf(", hostPort: %d", 18080+i)
	}
	labels := fmt.Sprintf("{app: %s, name: %s}", app, name)
	containers := fmt.Sprintf("containers: [{name: c, image: ghcr.io/github/github-mcp-server, ports: [{containerPort: 8080, name: http%s}]}]", port)
	if c.IntN(2) == 0 {
		c.add("{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: %s, name: %s}, spec: {replicas: %d, selector: {matchLabels: {name: %s}}, template: {metadata: {labels: %s%s}, spec: {%s%s}}}}",
			ns, name, 1+c.IntN(2), name, labels, meta, spec, containers)
		return
	}
	if c.alone[ns]++; c.alone[ns] > 1 && strings.HasPrefix(c.cni, "aws") {
		c.traits["shared table"] = true
	}
	status := ""
	if node := c.IntN(nodes + 1); node < nodes {
		addr := fmt.Sprintf("10.0.0.%d", 10+i)
		switch {
		case host:
			addr = fmt.Sprintf("10.9.0.%d", node+1)
		case c.more.IntN(3) == 0: // which another pod may show too
			addr = "10.0.0.9"
			c.traits["one address"] = true
		}
		spec += fmt.Sprintf("nodeName: n%d, ", node)
		status = fmt.Sprintf(", status: {phase: Running, podIP: %s, podIPs: [{ip: %[1]s}], hostIP: 10.9.0.%d}", addr, node+1)
	}
	c.add("{apiVersion: v1, kind: Pod, metadata: {namespace: %s, name: %s, labels: %s%s}, spec: {%s%s}%s}", ns, name, labels, meta, spec, containers, status)
	if !host && c.more.IntN(3) == 0 { // whether or not it shows an address, and whichever
		c.traits["named by an endpoint"] = true
		c.add("{apiVersion: v1, kind: Service, metadata: {namespace: %s, name: e%d}, spec: {clusterIP: 10.96.0.%d, ports: [{port: 80}]}}", ns, i, 100+i)
		c.add("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: %s, name: e%d, labels: {kubernetes.io/service-name: e%[2]d}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [10.0.0.%d], targetRef: {kind: Pod, name: %s}}]}",
			ns, i, 10+i, name)
	}
}

// service adds a Service, with one or another door.
func (c *cluster) service(i int) {
	spec, status := "", ""
	port := ""
	switch c.IntN(5) {
	case 0:
		c.traits["node port"] = true
		spec = "type: NodePort, "
		port = c.of("", fmt.Sprintf(", nodePort: %d", 30080+i))
	case 1:
		c.traits["load balancer"] = true
		spec = "type: LoadBalancer, "
		port = c.of("", fmt.Sprintf(", nodePort: %d", 30080+i))
		if mode := c.of("", ", ipMode: VIP", ", ipMode: Proxy"); c.IntN(4) > 0 {
			status = fmt.Sprintf(", status: {loadBalancer: {ingress: [{ip: %s%s}]}}", c.of("10.77.0.13", "203.0.113.13"), mode)
		}
	case 2:
		c.traits["external IP"] = true
		spec = "externalIPs: [" + c.of("10.77.0.14", "203.0.113.14") + "], "
	}
	if spec != "" && c.has(3, "Local") {
		spec += "externalTrafficPolicy: Local, "
	}
	selector := "app: " + c.of("u", "v", "w")
	if c.has(3, "own Service") {
		selector = fmt.Sprintf("name: w-%d", c.IntN(4))
	}
	if c.has(3, "bare endpoint") {
		c.add("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: b, name: s%d, labels: {kubernetes.io/service-name: s%[1]d}}, addressType: IPv4, ports: [{port: 8080}], endpoints: [{addresses: [%s]}]}", i, c.of(append([]string{"10.9.0.1"}, bareEndpoints...)...))
	}
	address := ""
	switch n := c.IntN(10); {
	case n == 0 && !strings.HasPrefix(spec, "type"):
		address = "clusterIP: None, "
	case n < 7:
		address = fmt.Sprintf("clusterIP: 10.96.0.%d, ", 2+i)
	}
	c.add("{apiVersion: v1, kind: Service, metadata: {namespace: %s, name: s%d}, spec: {%s%sselector: {%s}, ports: [{port: 80, targetPort: %s%s}]}%s}",
		c.of("a", "b"), i, spec, address, selector, c.of("8080", "http"), port, status)
}

// bareEndpoints is what Services lead to beside pods, and nobody in the cluster has.
var bareEndpoints = []string{"169.254.169.254", "8.8.8.8"}

// policy adds a NetworkPolicy.
func (c *cluster) policy(i int) {
	peer := func() string {
		switch n := c.IntN(8); {
		case n < 4 && strings.HasPrefix(c.cni, "aws"): // which judges addresses of Services
			return "{ipBlock: {cidr: " + c.of("10.96.0.0/16", "10.96.0.0/30", "0.0.0.0/0, except: [10.0.0.0/16]") + "}}"
		case n == 0:
			return "{podSelector: {matchLabels: {app: " + c.of("u", "v", "w") + "}}}"
		case n == 1:
			return "{namespaceSelector: {matchLabels: {team: " + c.of("t0", "t1") + "}}}"
		default:
			return "{ipBlock: {cidr: " + c.of("10.9.0.0/16", "10.9.0.1/32", "10.96.0.0/16", "10.77.0.0/16", "203.0.113.0/24", "10.0.0.0/24", "10.0.0.0/8", "192.168.5.0/24") + "}}"
		}
	}
	rules := func(d, word string) string {
		var out []string
		for range c.IntN(3) {
			ports := ""
			if c.IntN(3) == 0 {
				ports = ", ports: [{port: " + c.of("80", "8080", "30080", "18081", "15008", "http") + "}]"
			}
			out = append(out, fmt.Sprintf("{%s: [%s]%s}", word, peer(), ports))
		}
		return d + ": [" + strings.Join(out, ", ") + "]"
	}
	subject := c.of("", "", "matchLabels: {app: "+c.of("u", "v", "w")+"}")
	types, body := "Ingress, Egress", rules("ingress", "from")+", "+rules("egress", "to")
	switch c.IntN(3) {
	case 0:
		types, body = "Ingress", rules("ingress", "from")
	case 1:
		types, body = "Egress", rules("egress", "to")
	}
	c.add("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: %s, name: p%d}, spec: {podSelector: {%s}, policyTypes: [%s], %s}}", c.of("a", "b"), i, subject, types, body)
}

// check compares what is said of every pair, and returns how many there are and how many of them
// are denied.
func (c *cluster) check(t *testing.T) (pairs, denied int) {
	t.Helper()
	snap := source.LoadFiles(source.File{Name: "in.yaml", Data: []byte(c.text.String())})
	for i := range snap.Workloads { // of which discovery is no part
		snap.Servers = append(snap.Servers, model.Server{Workload: i, Role: model.IsServer})
	}
	profile, err := cni.ByName(c.cni)
	if err != nil || len(snap.Problems) > 0 {
		t.Fatalf("seed %d: %v %v\n%s", c.seed, err, snap.Problems, c.text.String())
	}
	assume := []reach.Assumed{reach.Worst, reach.Typical}[c.seed%2]
	p := reach.Assuming(reach.NewGround(snap), assume, profile)
	rows, addrs := map[[2]string]bool{}, map[string]netset.Addrs{}
	for r := range matrix.Of(p).Expand() {
		if r.From.Kind == matrix.Workloads && r.To.Kind == matrix.Workloads {
			rows[[2]string{r.From.Names[0], r.To.Names[0]}] = true
		}
		if r.From.Kind == matrix.Workloads && r.To.Kind == matrix.Addresses {
			addrs[r.From.Names[0]] = addrs[r.From.Names[0]].Union(r.To.Addrs)
		}
	}
	atlas := blast.NewAtlas(p)
	for i := range snap.Servers {
		from := &snap.Workloads[snap.Servers[i].Workload]
		radius := atlas.Of(i)
		var reached, callers []string
		for _, d := range []blast.Dest{blast.OtherServers, blast.SameNamespace, blast.OtherNamespaces} {
			for _, target := range radius.To[d].To {
				reached = append(reached, target.Pods)
			}
		}
		for _, by := range radius.By {
			callers = append(callers, by.Names...)
		}
		named := func(list []string, w *model.Workload) bool {
			return slices.Contains(list, w.Namespace+"/"+w.Name) || slices.Contains(list, w.Namespace+"/*") || slices.Contains(list, "*")
		}
		for _, to := range bareEndpoints {
			q, err := Parse(from.ID(), to)
			if err != nil {
				t.Fatal(err)
			}
			if assume == reach.Worst && special.Internet.Contains(q.To.Addr) {
				continue // it may be a pod's, of which the map has rows of their own
			}
			answer, err := Ask(p, q)
			if passes := answer.Verdict != reach.Denied; err != nil || passes != addrs[from.ID()].Contains(q.To.Addr) {
				t.Fatalf("seed %d, %s: %s to %s: can says %v if %v (%v), map differs\n%s", c.seed, c.cni, from.ID(), to, answer.Verdict, answer.When, err, c.text.String())
			}
		}
		for j := range snap.Workloads {
			to := &snap.Workloads[j]
			if from == to {
				continue
			}
			q, err := Parse(from.ID(), to.ID())
			if err != nil {
				t.Fatal(err)
			}
			answer, err := Ask(p, q)
			if err != nil {
				t.Fatal(err)
			}
			pairs++
			passes := answer.Verdict != reach.Denied
			if !passes {
				denied++
			}
			fail := func(who string) {
				t.Fatalf("seed %d, %s: %s to %s: can says %v if %v, %s differs\n%s", c.seed, c.cni, from.ID(), to.ID(), answer.Verdict, answer.When, who, c.text.String())
			}
			if passes != rows[[2]string{from.ID(), to.ID()}] {
				fail("map")
			}
			if passes != named(reached, to) {
				fail("audit")
			}
			q.From, q.To = q.To, q.From
			back, err := Ask(p, q)
			if err != nil {
				t.Fatal(err)
			}
			if (back.Verdict != reach.Denied) != named(callers, to) {
				from, to = to, from
				answer = back
				fail("who calls it, in audit,")
			}
		}
	}
	return pairs, denied
}
