package synth

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// generator writes the files of one cluster.
type generator struct {
	Cluster
	pods     uint32 // running pods so far, for names and addresses
	services uint32 // cluster addresses given so far
}

// tenant is one team's namespace.
type tenant struct {
	number    int
	name      string
	next      string // the neighbour whose pods may call this tenant's API services
	rand      *rand.Rand
	workloads int
	policies  int
}

// role is a workload's part in its tenant, and the value of its pods' role label.
type role string

const (
	gateway  role = "mcp-gateway"
	server   role = "mcp-server"
	api      role = "api"      // internal, called by the neighbours too
	internal role = "internal" // internal, called within the namespace
	dns      role = "dns"
)

// port is one port of a workload, and of its Service.
type port struct {
	name     string
	protocol string
	number   int
}

// workload is one Deployment or StatefulSet with its Service.
type workload struct {
	namespace string
	kind      string
	name      string
	labels    [][2]string // of the pods; the first selects them
	service   string      // the name of its Service; "" if it is the workload's own
	role      role
	image     string
	args      []string
	env       [][2]string
	ports     []port
	replicas  int
}

// tenant writes one tenant's namespace.
func (g *generator) tenant(t *tenant) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels:\n    kind: tenant\n    tier: %s\n", t.name, pick(t.rand, "prod", "dev"))
	workloads := t.list()
	for i := range workloads {
		g.workload(&b, t.rand, &workloads[i])
	}
	t.writePolicies(&b, workloads)
	return b.Bytes()
}

// list returns the tenant's workloads: its gateway, then its servers (a third of all), then its
// other services.
func (t *tenant) list() []workload {
	servers := (t.workloads + 1) / 3
	first := t.rand.IntN(len(programs))
	var out []workload
	for i := range t.workloads {
		w := workload{namespace: t.name, kind: "Deployment", replicas: 1 + t.rand.IntN(3)}
		switch {
		case i == 0:
			w.name, w.role, w.image = "mcp-gateway", gateway, "registry.example/ibm/mcp-context-forge:latest"
			w.ports = []port{{"http", "TCP", 4444}}
		case i <= servers:
			p := programs[(first+i)%len(programs)]
			w.name, w.role, w.image, w.args, w.env = fmt.Sprintf("mcp-%s-%d", p.name, i), server, p.image, p.args, p.env
			w.ports = []port{{"mcp", "TCP", p.port}}
		default:
			t.service(&w, i-servers-1)
		}
		w.labels = [][2]string{{"app", w.name}, {"role", string(w.role)}, {"team", t.name}}
		if w.role == server && i%2 == 0 {
			w.labels = append(w.labels, [2]string{"web", "open"})
		}
		out = append(out, w)
	}
	return out
}

// service makes w the n-th of the tenant's own services. Every fourth has state; every fifth is an
// API that serves on a port whose number differs from tenant to tenant, so that only its name can
// be relied on.
func (t *tenant) service(w *workload, n int) {
	w.name = fmt.Sprintf("svc-%02d", n)
	w.role = internal
	w.image = fmt.Sprintf("registry.example.com/%s/%s:1.%d.0", t.name, w.name, t.rand.IntN(30))
	w.ports = []port{{"http", "TCP", 8080}, {"metrics", "TCP", 9090}}
	if n%4 == 0 {
		w.kind, w.image = "StatefulSet", "registry.example/library/postgres:18"
		w.ports = []port{{"postgres", "TCP", 5432}}
	}
	if n%5 == 1 {
		w.role = api
		w.ports = append(w.ports, port{"grpc", "TCP", 50051 + t.number%7})
	}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// workload writes the controller, its Service and, for a live cluster, its pods.
func (g *generator) workload(b *bytes.Buffer, r *rand.Rand, w *workload) {
	fmt.Fprintf(b, "---\napiVersion: apps/v1\nkind: %s\nmetadata:\n  name: %s\n  namespace: %s\n", w.kind, w.name, w.namespace)
	labels(b, "  ", w.labels)
	b.WriteString("spec:\n")
	if w.kind == "StatefulSet" {
		fmt.Fprintf(b, "  serviceName: %s\n", w.name)
	}
	fmt.Fprintf(b, "  replicas: %d\n  selector:\n    matchLabels:\n      %s: %s\n", w.replicas, w.labels[0][0], w.labels[0][1])
	b.WriteString("  template:\n    metadata:\n")
	labels(b, "      ", w.labels)
	b.WriteString("    spec:\n")
	w.podSpec(b, "      ")
	g.service(b, w)
	if g.Pods {
		g.running(b, r, w)
	}
}

// podSpec writes the fields of a pod's spec.
func (w *workload) podSpec(b *bytes.Buffer, indent string) {
	line := func(format string, args ...any) { fmt.Fprintf(b, indent+format+"\n", args...) }
	line("automountServiceAccountToken: false")
	line("containers:")
	line("  - name: %s", w.role)
	line("    image: %s", w.image)
	if len(w.args) > 0 {
		line("    args:")
		for _, a := range w.args {
			line("      - %q", a)
		}
	}
	if len(w.env) > 0 {
		line("    env:")
		for _, e := range w.env {
			line("      - name: %s", e[0])
			line("        value: %q", e[1])
		}
	}
	line("    ports:")
	for _, p := range w.ports {
		line("      - name: %s", p.name)
		line("        protocol: %s", p.protocol)
		line("        containerPort: %d", p.number)
	}
	line("    resources:")
	line("      requests:")
	line("        cpu: 100m")
	line("        memory: 128Mi")
}

func (g *generator) service(b *bytes.Buffer, w *workload) {
	fmt.Fprintf(b, "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n", cmp.Or(w.service, w.name), w.namespace)
	if g.Pods {
		g.services++
		fmt.Fprintf(b, "  clusterIP: %s\n", addr("10.32.0.0", g.services))
	}
	fmt.Fprintf(b, "  selector:\n    %s: %s\n  ports:\n", w.labels[0][0], w.labels[0][1])
	for _, p := range w.ports {
		fmt.Fprintf(b, "    - name: %s\n      protocol: %s\n      port: %d\n      targetPort: %s\n", p.name, p.protocol, p.number, p.name)
	}
}

// running writes the pods that a live cluster lists, and the ReplicaSet between a Deployment and
// its pods.
func (g *generator) running(b *bytes.Buffer, r *rand.Rand, w *workload) {
	owner, kind, set := w.name, w.kind, w.labels
	if w.kind == "Deployment" {
		hash := fmt.Sprintf("%08x", r.Uint32())
		set = append(slices.Clone(w.labels), [2]string{"pod-template-hash", `"` + hash + `"`})
		owner, kind = w.name+"-"+hash, "ReplicaSet"
		fmt.Fprintf(b, "---\napiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: %s\n  namespace: %s\n", owner, w.namespace)
		labels(b, "  ", set)
		owned(b, w.namespace, w.kind, w.name)
		fmt.Fprintf(b, "spec:\n  replicas: %d\n  selector:\n    matchLabels:\n      %s: %s\n      pod-template-hash: %q\n",
			w.replicas, w.labels[0][0], w.labels[0][1], hash)
		b.WriteString("  template:\n    metadata:\n")
		labels(b, "      ", set)
		b.WriteString("    spec:\n")
		w.podSpec(b, "      ")
	}
	for i := range w.replicas {
		g.pods++
		node := int(g.pods) % max(g.Nodes, 1)
		name, own := fmt.Sprintf("%s-%05x", owner, g.pods), set
		if w.kind == "StatefulSet" {
			name = fmt.Sprintf("%s-%d", w.name, i)
			own = append(slices.Clone(set), [2]string{"apps.kubernetes.io/pod-index", fmt.Sprintf(`"%d"`, i)},
				[2]string{"statefulset.kubernetes.io/pod-name", name})
		}
		fmt.Fprintf(b, "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\n  namespace: %s\n", name, w.namespace)
		labels(b, "  ", own)
		owned(b, w.namespace, kind, owner)
		fmt.Fprintf(b, "spec:\n  nodeName: %s\n", nodeName(node))
		w.podSpec(b, "  ")
		ip := addr("10.64.0.0", g.pods)
		fmt.Fprintf(b, "status:\n  phase: Running\n  hostIP: %s\n  podIP: %s\n  podIPs:\n    - ip: %s\n", nodeAddr(node), ip, ip)
	}
}

func labels(b *bytes.Buffer, indent string, set [][2]string) {
	fmt.Fprintf(b, "%slabels:\n", indent)
	for _, l := range set {
		fmt.Fprintf(b, "%s  %s: %s\n", indent, l[0], l[1])
	}
}

func owned(b *bytes.Buffer, namespace, kind, name string) {
	fmt.Fprintf(b, "  ownerReferences:\n    - apiVersion: apps/v1\n      kind: %s\n      name: %s\n      uid: %s\n      controller: true\n",
		kind, name, uid(namespace, kind, name))
}

// uid returns a well-formed UID that is an object's own.
func uid(namespace, kind, name string) string {
	h := fnv.New64a()
	h.Write([]byte(namespace + "/" + kind + "/" + name))
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", h.Sum64()>>16)
}

// nodes writes the Node objects.
func (g *generator) nodes() []byte {
	var b bytes.Buffer
	for i := range g.Nodes {
		fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Node\nmetadata:\n  name: %s\n  labels:\n    kubernetes.io/hostname: %s\n    topology.kubernetes.io/zone: zone-%c\n",
			nodeName(i), nodeName(i), 'a'+rune(i%3))
		fmt.Fprintf(&b, "status:\n  addresses:\n    - type: InternalIP\n      address: %s\n    - type: Hostname\n      address: %s\n", nodeAddr(i), nodeName(i))
	}
	return b.Bytes()
}

// clusterDNS writes kube-system.
func (g *generator) clusterDNS() []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: kube-system\n")
	g.workload(&b, rand.New(rand.NewPCG(g.Seed, 1<<32)), &workload{
		namespace: "kube-system",
		kind:      "Deployment",
		name:      "coredns",
		service:   "kube-dns",
		labels:    [][2]string{{"k8s-app", "kube-dns"}},
		role:      dns,
		image:     "registry.example/coredns/coredns:1.13.1",
		ports:     []port{{"dns", "UDP", 53}, {"dns-tcp", "TCP", 53}},
		replicas:  2,
	})
	return b.Bytes()
}

func nodeName(i int) string { return fmt.Sprintf("node-%03d", i) }
func nodeAddr(i int) string { return addr("10.0.0.0", uint32(i)+1) }

// addr returns the n-th IPv4 address after base.
func addr(base string, n uint32) string {
	b := netip.MustParseAddr(base).As4()
	at := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	at += n
	return netip.AddrFrom4([4]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)}).String()
}
