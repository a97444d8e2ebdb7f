package blast

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

func atlas(text string) *Atlas {
	s := source.LoadFiles(source.File{Name: "f.yaml", Data: []byte(text)})
	s.Servers = discover.Servers(s)
	return NewAtlas(reach.Assuming(reach.NewGround(s), reach.Typical, cni.Profiles[0]))
}

// radiusOf returns the radius of the first server.
func radiusOf(t *testing.T, a *Atlas) Radius {
	t.Helper()
	if len(a.Snapshot.Problems) > 0 {
		t.Fatal(a.Snapshot.Problems)
	}
	i := slices.IndexFunc(a.Snapshot.Servers, func(s model.Server) bool { return s.Role == model.IsServer })
	if i < 0 {
		t.Fatal("no server found")
	}
	return a.Of(i)
}

// rich is a cluster of which everything is known, with addresses of both families and one of each
// kind of holder.
const rich = `
apiVersion: v1
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: kubernetes, namespace: default}
subsets: [{addresses: [{ip: 10.1.0.4}, {ip: 198.51.100.5}], ports: [{name: https, port: 6443}]}]
---
apiVersion: v1
kind: Node
metadata: {name: a}
status: {addresses: [{type: InternalIP, address: 10.1.0.4}, {type: InternalIP, address: "fd00:1::4"}, {type: ExternalIP, address: 198.51.100.9}]}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: dns, protocol: UDP, port: 53}, {name: metrics, port: 9153}]}
---
apiVersion: v1
kind: Pod
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {containers: [{name: a, image: coredns}]}
status: {podIP: 10.2.0.2, podIPs: [{ip: 10.2.0.2}, {ip: "fd00:2::2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: proxy, namespace: kube-system, labels: {app: proxy}}
spec: {hostNetwork: true, containers: [{name: a, image: kube-proxy}]}
status: {podIP: 10.1.0.4, podIPs: [{ip: 10.1.0.4}], hostIP: 10.1.0.4}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: mcp}
spec: {clusterIP: 10.96.0.50, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: mcp}
spec: {clusterIP: 10.96.0.60, selector: {app: b-mcp}, ports: [{port: 80, targetPort: 3000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a-mcp, namespace: mcp, labels: {app: a-mcp}}
spec: {containers: [{name: a, image: acme/a-mcp}]}
status: {podIP: 10.2.0.3, podIPs: [{ip: 10.2.0.3}, {ip: "fd00:2::3"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b-mcp, namespace: mcp, labels: {app: b-mcp}}
spec: {containers: [{name: a, image: acme/b-mcp}]}
status: {podIP: 10.2.0.4, podIPs: [{ip: 10.2.0.4}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: mcp, labels: {app: web}}
spec: {containers: [{name: a, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: data, labels: {app: db}}
spec: {containers: [{name: a, image: postgres}]}
---
`

// scenes are the cases of the rules, and rich under several policies.
func scenes(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"rich": rich}
	for name, egress := range map[string]string{
		"blocks":   "[{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.2.0.4/32]}}, {ipBlock: {cidr: 168.63.129.16/32}}], ports: [{port: 53}, {port: 443}]}]",
		"ipv6":     "[{to: [{ipBlock: {cidr: '::/0'}}], ports: [{port: 1, endPort: 6443}]}, {to: [{namespaceSelector: {}}]}]",
		"pods":     "[{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: 53}, {port: 9153}]}]",
		"services": "[{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}]",
	} {
		out["rich, "+name] = rich + "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: out, namespace: mcp}\nspec: {podSelector: {}, policyTypes: [Egress], egress: " + egress + "}\n"
	}
	files, err := filepath.Glob("../rule/testdata/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(string(data), "\n-- fixed --\n")
		out[f] = text
	}
	return out
}

// unroutable is space that no connection of a pod leaves it for, or that is no single host.
var unroutable = netset.MustPrefixes("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/127", "ff00::/8")

// TestClassesPartition demands that the destination classes are disjoint, that they hold all that
// the engine says can be reached, and that a radius reports exactly this.
func TestClassesPartition(t *testing.T) {
	for name, text := range scenes(t) {
		a := atlas(text)
		for i, srv := range a.Snapshot.Servers {
			if srv.Role != model.IsServer {
				continue
			}
			r := a.Of(i)
			for j, class := range r.Class {
				checkPartition(t, fmt.Sprintf("%s: %s", name, a.Snapshot.Workloads[srv.Workload].ID()), a, r, class, r.Boxes[j][policy.Egress])
			}
		}
	}
}

func checkPartition(t *testing.T, name string, a *Atlas, r Radius, class int, boxes []reach.Box) {
	t.Helper()
	var all []place
	for _, d := range Dests {
		places, but := a.places(d, class, r.Class)
		places = slices.Clone(places)
		for i := range places {
			p := &places[i]
			p.region.IDs = p.region.IDs.Minus(but)
			for _, q := range all {
				if p.region.IDs.Overlaps(q.region.IDs) && !p.conns.Intersect(q.conns).IsEmpty() || p.region.Addrs.Overlaps(q.region.Addrs) && !p.conns.Intersect(q.conns).IsEmpty() {
					t.Errorf("%s: %v overlaps a class before it: %v", name, d, netset.CIDRs(p.region.Addrs.Intersect(q.region.Addrs)))
				}
			}
		}
		all = append(all, places...)
	}
	// What may be left out: the pod itself, Services (what is behind them counts), the API server's
	// other ports where its address is not known, and addresses of pods.
	var services netset.IDs
	for n := a.Classes(); n < a.Holders(); n++ {
		if k := a.Class(n).Kind; k == reach.VIP || k == reach.KubeAPI {
			services = services.Union(a.IDs(n))
		}
	}
	free := services.Union(a.IDs(r.Class...))
	for _, b := range boxes {
		for _, left := range minus(place{region: b.Region, conns: b.Conns}, all) {
			if ids := left.region.IDs.Minus(free); !ids.IsEmpty() {
				t.Errorf("%s: holders %v on %v are in no class", name, a.HoldersOf(ids, reach.Class), left.conns)
			}
			if rest := left.region.Addrs.Minus(unroutable).Minus(a.heldAddrs()); !rest.IsEmpty() {
				t.Errorf("%s: addresses %s on %v are in no class", name, reach.PrefixText(netset.CIDRs(rest), 4), left.conns)
			}
		}
	}
	for _, d := range Dests {
		checkReach(t, name+": "+d.String(), r.To[d])
	}
}

// checkReach demands that the parts of an answer agree.
func checkReach(t *testing.T, name string, got Reach) {
	t.Helper()
	if (got.Verdict == reach.Denied) != (len(got.To) == 0) || (got.Verdict == reach.Denied) != (got.Extent == None) {
		t.Errorf("%s: %v, %v, %d targets", name, got.Verdict, got.Extent, len(got.To))
	}
	var listed netset.Addrs
	worst := reach.Denied
	for _, target := range got.To {
		if target.CIDR.IsValid() {
			listed = listed.Union(target.Addrs())
			if !netset.Prefixes(target.CIDR).Minus(netset.Prefixes(target.Except...)).Covers(target.Addrs()) {
				t.Errorf("%s: %v is not all of %v", name, target.CIDR, netset.CIDRs(target.Addrs()))
			}
		}
		if reach.CompareVerdicts(target.Verdict, worst) > 0 {
			worst = target.Verdict
		}
		if target.When.IsNever() || target.When.IsAlways() && target.Verdict != reach.Allowed {
			t.Errorf("%s: %v if %v", name, target.Verdict, target.When)
		}
		if !target.CIDR.IsValid() && target.Pods == "" && target.Name == "" && target.Host == "" {
			t.Errorf("%s: a target without a name", name)
		}
	}
	if worst != got.Verdict {
		t.Errorf("%s: the worst target is %v, the verdict %v", name, worst, got.Verdict)
	}
	if !listed.Covers(got.Addrs) {
		t.Errorf("%s: %v are reached and not listed", name, netset.CIDRs(got.Addrs.Minus(listed)))
	}
	if !got.AddrsOn(netset.AllConns).Equal(got.Addrs) {
		t.Errorf("%s: the openings are not what is reached", name)
	}
}

// server is one server, with a policy for its egress or ingress.
func server(rules string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: a-mcp, namespace: mcp, labels: {app: a-mcp}}\nspec: {containers: [{name: a, image: acme/a-mcp}]}\n" +
		"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: mcp}\nspec: {podSelector: {matchLabels: {app: a-mcp}}, " + rules + "}\n---\n"
}

func TestExtent(t *testing.T) {
	const pods = "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: data, labels: {app: x}}\nspec: {containers: [{name: a, image: nginx}]}\n---\n" +
		"apiVersion: v1\nkind: Pod\nmetadata: {name: z, namespace: data, labels: {app: z}}\nspec: {containers: [{name: a, image: nginx}]}\n"
	const data = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}"
	for _, tt := range []struct {
		egress string
		dest   Dest
		want   Extent
	}{
		{"[]", Internet, None},
		{"[{}]", Internet, All},
		{"[{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]", Internet, All}, // of one family
		{"[{to: [{ipBlock: {cidr: '::/0'}}]}]", Internet, All},
		{"[{to: [{ipBlock: {cidr: 0.0.0.0/1}}, {ipBlock: {cidr: 128.0.0.0/1}}], ports: [{port: 443}]}]", Internet, All}, // on any port
		{"[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [8.8.8.8/32]}}]}]", Internet, Some},
		{"[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]", Internet, All}, // the exception is no part of the internet
		{"[{to: [{ipBlock: {cidr: 8.8.8.8/32}}]}]", Internet, Some},
		{"[{to: [{ipBlock: {cidr: 8.8.8.8/32}}]}]", PrivateNetworks, None},
		{"[{to: [{" + data + "}]}]", OtherNamespaces, All},
		{"[{to: [{" + data + ", podSelector: {matchLabels: {app: x}}}]}]", OtherNamespaces, Some},
		{"[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: new}}}]}]", OtherNamespaces, Some}, // pods that do not exist
		{"[{to: [{podSelector: {}}]}]", OtherNamespaces, None},
		{"[{to: [{podSelector: {}}]}]", SameNamespace, Some},
		{"[{to: [{ipBlock: {cidr: 169.254.169.254/32}}], ports: [{port: 80}]}]", Metadata, Some},
		{"[{to: [{ipBlock: {cidr: 169.254.169.254/32}}], ports: [{port: 53}]}]", Metadata, None},
		{"[{to: [{ipBlock: {cidr: 169.254.169.254/32}}], ports: [{port: 53}]}]", DNS, Some},
		{"[{to: [{ipBlock: {cidr: 169.254.169.254/32}}], ports: [{port: 22}]}]", PrivateNetworks, Some},
		{"[{to: [{ipBlock: {cidr: 168.63.129.16/32}}], ports: [{port: 22}]}]", Internet, Some},
	} {
		got := radiusOf(t, atlas(server("policyTypes: [Egress], egress: "+tt.egress)+pods)).To[tt.dest]
		if got.Extent != tt.want {
			t.Errorf("%s: %v of %v, want %v", tt.egress, got.Extent, tt.dest, tt.want)
		}
	}
}

func TestAddrsOn(t *testing.T) {
	got := radiusOf(t, atlas(server("policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}], ports: [{port: 53}, {port: 443}]}, "+
		"{to: [{ipBlock: {cidr: 203.0.113.0/25}}], ports: [{port: 54, endPort: 500}]}]"))).To[Internet]
	port := func(lo, hi netset.Port) netset.Conns { return netset.ConnsOf(netset.TCP, netset.PortRange(lo, hi)) }
	for _, tt := range []struct {
		conns     netset.Conns
		some, all string
	}{
		{port(53, 53), "203.0.113.0/24", "203.0.113.0/24"},
		{port(53, 60), "203.0.113.0/24", "203.0.113.0/25"},
		{port(54, 60), "203.0.113.0/25", "203.0.113.0/25"},
		{port(53, 501), "203.0.113.0/24", ""},
		{port(501, 600), "", ""},
		{netset.ConnsOf(netset.UDP, netset.PortRange(53, 53)), "", ""},
	} {
		some, all := reach.PrefixText(netset.CIDRs(got.AddrsOn(tt.conns)), 9), reach.PrefixText(netset.CIDRs(got.AddrsOnAll(tt.conns)), 9)
		if some != tt.some || all != tt.all {
			t.Errorf("%v: %q and %q, want %q and %q", tt.conns, some, all, tt.some, tt.all)
		}
	}
}

// by writes the callers, one a line, without nodes.
func by(r Radius) string {
	var out []string
	for _, c := range r.By {
		if c.Who == NodeCallers {
			continue
		}
		line := c.Who.String()
		if c.Names != nil {
			line += " " + strings.Join(c.Names, ",")
		}
		if c.Text != "" {
			line += " " + c.Text
		}
		line += ": " + c.Verdict.String() + " " + c.Conns.String()
		if !c.When.IsAlways() {
			line += " if " + c.When.String()
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestCallers(t *testing.T) {
	const gateway = "apiVersion: v1\nkind: Pod\nmetadata: {name: gw, namespace: mcp, labels: {app: gw, tier: edge}}\nspec: {containers: [{name: a, image: docker/mcp-gateway}]}\n"
	const web = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: mcp, labels: {app: web}}\nspec: {containers: [{name: a, image: nginx}]}\n"
	for _, tt := range []struct{ name, from, more, want string }{
		{"nobody", "[]", gateway, ""},
		{"the gateway, whose labels a pod that counts as the gateway would carry", "[{from: [{podSelector: {matchLabels: {app: gw}}}], ports: [{port: 3000}]}]", gateway + web,
			"gateway mcp/gw: allowed TCP 3000"},
		{"a label that a gateway has, without saying which", "[{from: [{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}]}]", gateway,
			"hypothetical any new pod labelled app in mcp: allowed any port\ngateway mcp/gw: allowed any port"},
		{"a label of the gateway or of another", "[{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [gw, web]}]}}]}]", gateway,
			"hypothetical any new pod labelled app in (gw,web) in mcp: allowed any port\ngateway mcp/gw: allowed any port"},
		{"the gateway's labels in another namespace", "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}, podSelector: {matchLabels: {app: gw}}}]}]", gateway,
			"hypothetical any new pod labelled app=gw in a namespace labelled kubernetes.io/metadata.name=x: allowed any port"},
		{"everybody but some", "[{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}]}]", gateway + web,
			"namespace any pod labelled app!=web in mcp: allowed any port\ngateway mcp/gw: allowed any port"},
		{"its namespace", "[{from: [{podSelector: {}}], ports: [{port: 3000}]}]", web, "namespace any pod in mcp: allowed TCP 3000\npods mcp/web: allowed TCP 3000"},
		{"addresses", "[{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]", web, "external 203.0.113.0/24: allowed any port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := by(radiusOf(t, atlas(server("policyTypes: [Ingress], ingress: "+tt.from)+tt.more))); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// The engine keeps one address a family of each node; every one of them is a node's.
func TestEveryAddressOfANode(t *testing.T) {
	a := atlas(rich)
	for _, text := range []string{"10.1.0.4", "fd00:1::4", "198.51.100.9"} {
		addr := netip.MustParseAddr(text)
		if !slices.ContainsFunc(a.fixed[Nodes], func(p place) bool { return p.region.Addrs.Contains(addr) }) {
			t.Errorf("%s is no node's address", text)
		}
	}
}

// TestUnread demands that pods which were not read count as servers that may be there, in the
// namespaces where they may run and nowhere else.
func TestUnread(t *testing.T) {
	out := label.Selector{}.Require(label.MetadataName, label.NotIn("a"))
	for _, tt := range []struct {
		name, to string
		unread   []label.Selector
		want     reach.Verdict
	}{
		{"all was read", "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}", nil, reach.Denied},
		{"one namespace was read", "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}", []label.Selector{out}, reach.Unknown},
		{"the one that it may reach", "podSelector: {matchLabels: {app: other}}", []label.Selector{out}, reach.Denied},
		{"pods of no namespace", "podSelector: {matchLabels: {app: other}}", []label.Selector{{}}, reach.Unknown},
		{"DNS is no server", "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}", []label.Selector{out}, reach.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to := tt.to
			if !strings.HasPrefix(to, "{") {
				to = "{" + to + "}"
			}
			port := "3000"
			if strings.Contains(to, "kube-dns") {
				port = "53"
			}
			a := atlas(`
apiVersion: v1
kind: Pod
metadata: {name: s, namespace: a, labels: {app: s}, annotations: {toolmoat.dev/server: "true"}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 3000}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: a}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [` + to + `], ports: [{port: ` + port + `}]}]}
`)
			a.Snapshot.Unread = tt.unread
			if got := radiusOf(t, a).To[OtherServers]; got.Verdict != tt.want || (got.Extent == None) != (tt.want == reach.Denied) {
				t.Errorf("%v, %v, want %v: %+v", got.Verdict, got.Extent, tt.want, got.To)
			}
		})
	}
}
