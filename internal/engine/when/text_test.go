package when

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

var cniNames = []string{
	"aks-cilium", "antrea", "aws-vpc-cni", "azure-npm", "calico", "cilium", "eks-auto", "gke-dpv2", "gke-legacy",
	"kube-network-policies", "kube-router", "ovn-kubernetes",
}

// bitsOf are the bits of CNIs by name.
func bitsOf(names ...string) uint64 {
	var out uint64
	for _, name := range names {
		out |= 1 << slices.Index(cniNames, name)
	}
	return out
}

var (
	allCNIs   = uint64(1)<<len(cniNames) - 1
	ciliums   = bitsOf("aks-cilium", "cilium", "gke-dpv2")
	awses     = bitsOf("aws-vpc-cni", "eks-auto")
	ownNode   = awses | bitsOf("azure-npm", "kube-network-policies", "kube-router")
	testNames = Names{CNIs: cniNames, Families: []CNIFamily{{"Cilium", ciliums}, {"AWS VPC CNI", awses}, {"Calico", bitsOf("calico", "gke-legacy")}}}
	rfc1918   = netset.MustPrefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
	plan      = rfc1918.Union(netset.MustPrefixes("34.118.224.0/20", "100.64.0.0/10", "240.0.0.0/4", "fc00::/7"))
)

// asker asks what the samples ask.
type asker struct{ *Space }

func (s asker) on(cnis uint64) When {
	return s.Ask(Question{ID: "cni", Kind: CNI, All: Answers{Bits: allCNIs}}).Has(cnis)
}

func (s asker) address(end End) *Question {
	return s.Ask(Question{ID: fmt.Sprint("address ", end), Kind: Address, End: end, All: Answers{Addrs: plan}})
}

func (s asker) in(end End, cidrs ...string) When {
	return s.address(end).In(netset.MustPrefixes(cidrs...))
}

func (s asker) outside(end End, cidrs ...string) When { return s.in(end, cidrs...).Not() }

const otherNode, sameNode, noNode = 1, 2, 4

func (s asker) node(answers uint64) When {
	return s.Ask(Question{ID: "node", Kind: Node, End: Destination, All: Answers{Bits: 7}, Words: []string{
		otherNode: "{src} and {dst} are on different nodes", sameNode: "{src} and {dst} are on the same node", noNode: "{dst} runs outside the cluster's nodes",
		otherNode | sameNode: "{dst} runs on a node of the cluster",
	}}).Has(answers)
}

// fact holds if yes, which is its rank and text.
func (s asker) fact(rank int, yes, no string) When {
	return s.Fact("fact "+yes, Destination, rank, yes, no).Has(Yes)
}

const allows, denies, silent = 1, 2, 4

// unread is what a policy that could not be read may say.
func (s asker) unread(policy string, answers uint64) When {
	return s.Ask(Question{ID: policy, Kind: Unjudged, Of: policy, All: Answers{Bits: 7}, Names: []string{"allows", "denies", "nothing"}, Words: []string{
		allows: policy + " allows it", denies: policy + " denies it", silent: policy + " says nothing of it",
		allows | silent: policy + " does not deny it", denies | silent: policy + " does not allow it",
	}}).Has(answers)
}

// The samples of the design, each with what the program should say.
func TestLines(t *testing.T) {
	t.Parallel()
	const fetch, api, orders = "mcp/fetch-mcp", "the API server", "data/orders-db"
	private := []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}
	settled := func(s asker) When { return s.address(Destination).In(rfc1918) }
	beforeService := func(s asker) When {
		return s.fact(1, "policy is judged on a Service's address, before it is translated", "policy is judged after a Service's address is translated")
	}
	toAPI := func(s asker) When {
		return s.outside(Destination, private...).And(s.on(ciliums).Not().Or(s.node(noNode))).Or(s.on(ownNode).And(s.node(sameNode)))
	}
	oneNumber := func(s asker) When {
		same := s.fact(1, "all pods that name this port give it the same number", "pods that name this port give it different numbers")
		cluster := s.fact(2, "a port name stands for one number in the whole cluster", "a port name may stand for several numbers")
		each := s.fact(3, "port names are resolved for each pod", "port names are not resolved for each pod")
		other := bitsOf("azure-npm", "ovn-kubernetes")
		return s.on(ciliums | other).Not().Or(s.on(ciliums).And(same)).Or(s.on(other).And(each.Or(same.And(cluster))))
	}
	for _, tt := range []struct {
		name     string
		src, dst string
		when     func(asker) When
		care     func(asker) When // nil: Always
		want     []string
		text     string // "": not compared
	}{
		{"1 Service", fetch, orders, func(s asker) When {
			return s.on(awses | bitsOf("gke-dpv2")).And(s.outside(Destination, private...)).And(s.on(bitsOf("gke-dpv2")).Not().Or(beforeService(s)))
		}, nil, []string{
			"only on AWS VPC CNI and gke-dpv2",
			"if data/orders-db has an address outside 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16",
			"on gke-dpv2 only if policy is judged on a Service's address, before it is translated",
		}, "the cluster runs AWS VPC CNI or gke-dpv2, and data/orders-db has an address outside 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16, " +
			"and on gke-dpv2 only if policy is judged on a Service's address, before it is translated"},
		{"1 typical", fetch, orders, func(s asker) When { return s.outside(Destination, private...) }, settled, []string{"never"}, "never"},
		{"2 API server", fetch, api, toAPI, nil, []string{
			"if one of:",
			"- the API server has an address outside 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (on Cilium only if the API server runs outside the cluster's nodes)",
			"- on AWS VPC CNI, azure-npm, kube-network-policies and kube-router, if mcp/fetch-mcp and the API server are on the same node",
		}, "(the API server has an address outside 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 and on Cilium only if the API server runs outside the cluster's nodes)" +
			" or (the cluster runs AWS VPC CNI, azure-npm, kube-network-policies or kube-router and mcp/fetch-mcp and the API server are on the same node)"},
		{"2 typical, another node", fetch, api, toAPI, func(s asker) When { return settled(s).And(s.node(otherNode)) }, []string{"never"}, "never"},
		{"2 typical, own node", fetch, api, toAPI, func(s asker) When { return settled(s).And(s.node(sameNode)) }, []string{
			"only on AWS VPC CNI, azure-npm, kube-network-policies and kube-router",
		}, "the cluster runs AWS VPC CNI, azure-npm, kube-network-policies or kube-router"},
		{"3 named port", "mcp/mcp-gateway", fetch, oneNumber, nil, []string{
			"on Cilium only if all pods that name this port give it the same number",
			"on azure-npm and ovn-kubernetes only if port names are resolved for each pod or " +
				"(all pods that name this port give it the same number and a port name stands for one number in the whole cluster)",
		}, ""},
		{"4 not on Cilium", fetch, orders, func(s asker) When { return s.on(ciliums).Not().And(s.outside(Destination, "10.0.0.0/8")) }, nil, []string{
			"not on Cilium", "if data/orders-db has an address outside 10.0.0.0/8",
		}, "the cluster does not run Cilium, and data/orders-db has an address outside 10.0.0.0/8"},
		{"5 own node", "mcp/postgres-mcp", api, func(s asker) When { return s.on(ownNode).And(s.node(sameNode)) }, nil, []string{
			"only on AWS VPC CNI, azure-npm, kube-network-policies and kube-router", "if mcp/postgres-mcp and the API server are on the same node",
		}, ""},
		{"5 another node", "mcp/postgres-mcp", api, func(s asker) When { return s.on(ownNode).And(s.node(sameNode)) }, func(s asker) When { return s.node(otherNode) }, []string{"never"}, ""},
		{"6 CNI by CNI", fetch, api, func(s asker) When {
			aws := s.on(awses).Not().Or(s.outside(Destination, "10.0.0.0/8")).Or(s.node(sameNode))
			return aws.And(s.on(ciliums).Not().Or(s.node(noNode)))
		}, nil, []string{
			"on Cilium only if the API server runs outside the cluster's nodes",
			"on AWS VPC CNI only if the API server has an address outside 10.0.0.0/8 or mcp/fetch-mcp and the API server are on the same node",
		}, ""},
		{"7 two addresses", fetch, orders, func(s asker) When {
			aws := s.on(awses).Not().Or(s.outside(Destination, "10.0.0.0/8")).Or(s.outside(Via, "10.0.0.0/8"))
			return aws.And(s.on(bitsOf("aks-cilium", "cilium")).Not()).And(s.on(bitsOf("gke-dpv2")).Not().Or(beforeService(s)))
		}, nil, []string{
			"not on aks-cilium or cilium",
			"on AWS VPC CNI only if data/orders-db or its Service has an address outside 10.0.0.0/8",
			"on gke-dpv2 only if policy is judged on a Service's address, before it is translated",
		}, ""},
		{"8 a node's address", fetch, "169.254.20.10", func(s asker) When {
			return s.on(ciliums).Not().Or(s.fact(1, "{dst} is an address of the pod's own node", "{dst} is not an address of the pod's own node").Not())
		}, nil, []string{"on Cilium only if 169.254.20.10 is not an address of the pod's own node"}, "the cluster does not run Cilium or 169.254.20.10 is not an address of the pod's own node"},
		{"9 two facts", "mcp/github-mcp", api, func(s asker) When {
			name := s.fact(1, "*.githubusercontent.com resolves to it", "*.githubusercontent.com does not resolve to it")
			return s.on(bitsOf("aks-cilium", "cilium")).Not().Or(s.node(noNode).And(name))
		}, nil, []string{"on aks-cilium and cilium only if the API server runs outside the cluster's nodes and *.githubusercontent.com resolves to it"}, ""},
		{"10 a request", fetch, "kube-system/coredns", func(s asker) When {
			return s.on(bitsOf("aks-cilium", "cilium")).Not().Or(s.fact(1, "the query is for a name that its DNS rules allow", "the query is for another name"))
		}, nil, []string{"on aks-cilium and cilium only if the query is for a name that its DNS rules allow"}, ""},
		{"11 a setting", "mcp/srv", "mcp/prom", func(s asker) When {
			enforced := s.fact(1, "CiliumClusterwideNetworkPolicy is enforced", "CiliumClusterwideNetworkPolicy is not enforced")
			return s.on(bitsOf("aks-cilium", "cilium")).Not().And(s.on(bitsOf("gke-dpv2")).Not().Or(enforced.Not()))
		}, nil, []string{"not on aks-cilium or cilium", "on gke-dpv2 only if CiliumClusterwideNetworkPolicy is not enforced"}, ""},
		{"12 covered", "mcp/tri", api, func(s asker) When {
			block := s.in(Destination, "172.16.0.0/12")
			cilium := s.node(noNode).And(block).Or(s.node(noNode).And(block.Not()))
			return s.on(ciliums).Not().Or(cilium)
		}, nil, []string{"on Cilium only if the API server runs outside the cluster's nodes"}, ""},
		{"13 unread", "mcp/srv", "mcp/peer", func(s asker) When {
			return s.on(bitsOf("aks-cilium", "cilium")).Not().Or(s.unread("CiliumNetworkPolicy mcp/req", allows|silent))
		}, nil, []string{"on aks-cilium and cilium only if CiliumNetworkPolicy mcp/req does not deny it"}, ""},
		{"14 the others", fetch, api, func(s asker) When {
			deny := s.unread("GlobalNetworkPolicy deny-metadata", allows)
			enforced := s.fact(1, "GlobalNetworkPolicy is enforced", "GlobalNetworkPolicy is not enforced")
			return s.on(bitsOf("calico")).And(deny).Or(s.on(bitsOf("gke-legacy")).And(deny).And(enforced)).Or(s.on(ownNode).And(s.node(sameNode)))
		}, nil, []string{
			"not on antrea, Cilium or ovn-kubernetes",
			"on calico only if GlobalNetworkPolicy deny-metadata allows it",
			"on gke-legacy only if GlobalNetworkPolicy deny-metadata allows it and GlobalNetworkPolicy is enforced",
			"on the others only if mcp/fetch-mcp and the API server are on the same node",
		}, ""},
		{"15 two ends, one block", "x/a", "x/b", func(s asker) When { return s.in(Destination, "10.0.0.0/9").And(s.in(Source, "10.0.0.0/9")) }, nil, []string{
			"if x/b has an address in 10.0.0.0/9", "if x/a has an address in 10.0.0.0/9",
		}, ""},
		{"15 two ends, two blocks", "x/a", "x/b", func(s asker) When { return s.in(Destination, "10.0.0.0/9").And(s.in(Source, "10.128.0.0/9")) }, nil, []string{
			"if x/b has an address in 10.0.0.0/9", "if x/a has an address in 10.128.0.0/9",
		}, ""},

		// The pitfalls.
		{"always", fetch, api, func(asker) When { return Always }, nil, nil, ""},
		{"what need not be said", fetch, api, func(s asker) When { // a split would say "and has an address in 10.0.0.0/8"
			return s.outside(Destination, "10.0.0.0/8").Or(s.in(Destination, "10.0.0.0/8").And(s.node(sameNode)))
		}, nil, []string{"if the API server has an address outside 10.0.0.0/8 or mcp/fetch-mcp and the API server are on the same node"}, ""},
		{"one CNI's open fact", fetch, api, func(s asker) When { // not "if it is not Cilium, or the policy allows it, or ..."
			return s.on(ciliums).Not().Or(s.unread("P", allows)).Or(s.in(Destination, "10.0.0.0/9"))
		}, nil, []string{"on Cilium only if the API server has an address in 10.0.0.0/9 or P allows it"}, ""},
		{"the domain is what is possible", fetch, api, func(s asker) When { return s.outside(Destination, "10.0.0.0/8") }, settled, []string{
			"if the API server has an address outside 10.0.0.0/8",
		}, ""},
		{"in, where that is shorter", fetch, api, func(s asker) When { return s.outside(Destination, "10.0.0.0/8", "192.168.0.0/16") }, settled, []string{
			"if the API server has an address in 172.16.0.0/12",
		}, ""},
		{"of two as long, the smaller", fetch, api, func(s asker) When { return s.outside(Destination, "192.168.0.0/16") }, func(s asker) When {
			return s.in(Destination, "10.0.0.0/8", "192.168.0.0/16")
		}, []string{"if the API server has an address outside 192.168.0.0/16"}, ""},
		{"a block with exceptions", fetch, api, func(s asker) When {
			return s.in(Destination, "10.0.0.0/8").Minus(s.in(Destination, "10.1.0.0/16", "10.200.0.0/16"))
		}, nil, []string{"if the API server has an address in 10.0.0.0/8 outside 10.1.0.0/16 and 10.200.0.0/16"}, ""},
		{"two blocks", fetch, api, func(s asker) When { return s.in(Destination, "10.1.0.0/16", "172.16.0.0/16") }, nil, []string{
			"if the API server has an address in 10.1.0.0/16 or 172.16.0.0/16",
		}, ""},
		{"all possible of a family", fetch, api, func(s asker) When { return s.on(bitsOf("aks-cilium", "cilium")) }, func(s asker) When {
			return s.on(bitsOf("gke-dpv2", "antrea", "kube-router")).Not()
		}, []string{"only on Cilium"}, ""},
		{"the only one of a family", fetch, api, func(s asker) When { return s.on(bitsOf("cilium")) }, func(s asker) When {
			return s.on(bitsOf("cilium", "calico", "antrea"))
		}, []string{"only on cilium"}, ""},
		{"family", fetch, api, func(s asker) When {
			return s.Ask(Question{ID: "family", Kind: Family, All: Answers{Bits: IPv4 | IPv6}}).Has(IPv4).And(s.node(sameNode))
		}, nil, []string{"over IPv4 only", "if mcp/fetch-mcp and the API server are on the same node"}, "over IPv4 only, and mcp/fetch-mcp and the API server are on the same node"},
		{"care that hangs on the CNI", fetch, api, func(s asker) When { return s.outside(Destination, private...) }, func(s asker) When {
			return settled(s).Or(s.on(bitsOf("gke-dpv2")).And(s.in(Destination, "34.118.224.0/20")))
		}, []string{"only on gke-dpv2", "if the API server has an address in 34.118.224.0/20"}, ""},
		{"an answer without a text of its own", fetch, api, func(s asker) When { return s.node(sameNode | noNode) }, nil, []string{
			"if mcp/fetch-mcp and the API server are on the same node or the API server runs outside the cluster's nodes",
		}, ""},
		{"policies that could not be read", fetch, api, func(s asker) When { // whatever each of them would have to say
			return s.node(sameNode).Or(s.unread("P", denies).Not().And(s.unread("Q", allows)))
		}, nil, []string{"if mcp/fetch-mcp and the API server are on the same node or P and Q, which could not be read, let it through"}, ""},
		{"one that could not be read, in two ways", fetch, api, func(s asker) When {
			return s.unread("P", denies).Not().And(s.node(sameNode).Or(s.unread("P", allows)))
		}, nil, []string{"if P does not deny it", "if mcp/fetch-mcp and the API server are on the same node or P allows it"}, ""},
		{"what they must say hangs on something else", fetch, api, func(s asker) When {
			return s.in(Destination, "10.0.0.0/9").And(s.unread("P", allows|silent)).Or(s.unread("P", allows|silent).And(s.unread("Q", allows)))
		}, nil, []string{"if (the API server has an address in 10.0.0.0/9 and P does not deny it) or (the API server has an address outside 10.0.0.0/9 and P and Q, which could not be read, let it through)"}, ""},
		{"what is impossible may be said along", fetch, api, func(s asker) When { return s.unread("P", allows) }, func(s asker) When {
			return s.unread("P", allows|denies)
		}, []string{"if P allows it"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := asker{NewSpace()}
			care := Always
			if tt.care != nil {
				care = tt.care(s)
			}
			n := testNames
			n.Src, n.Dst = tt.src, tt.dst
			w := tt.when(s)
			if got := w.Lines(care, n); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if got := w.Text(care, n); got != tt.text && tt.text != "" {
				t.Errorf("got\n%s\nwant\n%s", got, tt.text)
			}
		})
	}
}

// meaning is what a phrase says.
func meaning(p phrase) When {
	if p.isLiteral() {
		return p.Question.Is(p.In)
	}
	out := Always
	if p.or {
		out = Never
	}
	for _, part := range p.parts {
		if p.or {
			out = out.Or(meaning(part))
		} else {
			out = out.And(meaning(part))
		}
	}
	return out
}

func literalsOf(parts []phrase) []Literal {
	var out []Literal
	for _, p := range parts {
		if p.isLiteral() {
			out = append(out, p.Literal)
		}
		out = append(out, literalsOf(p.parts)...)
	}
	return out
}

// Words say neither more nor less than the condition, terms need all they have, and no two
// different literals print alike.
func TestWordsMeanTheCondition(t *testing.T) {
	t.Parallel()
	n := Names{CNIs: []string{"calico", "cilium", "aks-cilium"}, Families: []CNIFamily{{"Cilium", 6}}}
	r := rand.New(rand.NewPCG(11, 12))
	said, bracketed := 0, 0
	for range 20 {
		run(t, newTwin(), randomBytes(r, 400), func(d *driver, made both) {
			w, care := made.when, d.pick().when
			if d.next(2) == 0 {
				care = Always
			}
			if care.IsNever() {
				return
			}
			terms, all := w.Terms(care, 0)
			d.terms(w, care, terms)
			if short, allShort := w.Terms(care, 2); !all || allShort != (len(terms) <= 2) || len(short) != min(2, len(terms)) {
				t.Fatalf("%d terms of %d, all: %v", len(short), len(terms), allShort)
			}
			if !w.Overlaps(care) {
				return
			}
			parts := w.phrases(care)
			got := Always
			for _, p := range parts {
				got = got.And(meaning(p))
			}
			if !got.And(care).Equal(w.And(care)) {
				t.Fatalf("%s\nwithin %s is said as\n%s", dump(w.n), dump(care.n), strings.Join(w.Lines(care, n), "\n"))
			}
			lines := w.Lines(care, n)
			if (len(lines) == 0) != care.Implies(w) || (w.Text(care, n) == "") != care.Implies(w) {
				t.Fatalf("%s within %s has lines %q", dump(w.n), dump(care.n), lines)
			}
			alike := map[string]Literal{}
			for _, l := range literalsOf(parts) {
				subject, what := n.literal(l)
				before, ok := alike[subject+what]
				if in := l.In; ok && (before.Question != l.Question || !before.In.equal(in)) && before.Domain.equal(l.Domain) {
					t.Fatalf("%q and %q both print %q", before.Question.ID, l.Question.ID, subject+" "+what)
				}
				alike[subject+what] = l
			}
			said++
			if strings.Contains(strings.Join(lines, ""), "((") {
				bracketed++
			}
		})
	}
	if said < 500 || bracketed > 0 {
		t.Errorf("%d conditions were said, %d with brackets in brackets", said, bracketed)
	}
}

// terms checks that terms are w where care holds, and that each needs all it has.
func (d *driver) terms(w, care When, terms [][]Literal) {
	d.t.Helper()
	sum := Never
	for i, term := range terms {
		holds := Always
		for _, l := range term {
			holds = holds.And(l.Question.Is(l.In))
		}
		for j, l := range term {
			rest := care
			for k, other := range term {
				if k != j {
					rest = rest.And(other.Question.Is(other.In))
				}
			}
			outside := rest.Minus(w).answers(l.Question)
			if !l.Domain.equal(care.answers(l.Question)) || !l.In.equal(l.Domain.minus(outside)) {
				d.t.Fatalf("literal %d of term %d of %s within %s could have other answers", j, i, dump(w.n), dump(care.n))
			}
		}
		if sum.Or(care.Not()).Equal(sum.Or(care.Not()).Or(holds)) {
			d.t.Fatalf("term %d of %s says nothing new", i, dump(w.n))
		}
		sum = sum.Or(holds)
	}
	if !sum.And(care).Equal(w.And(care)) {
		d.t.Fatalf("the terms of %s within %s are %v", dump(w.n), dump(care.n), terms)
	}
}

func TestLinesAreCut(t *testing.T) {
	t.Parallel()
	s := asker{NewSpace()}
	fact := func(i int) When { return s.fact(i, fmt.Sprintf("fact %d", i), fmt.Sprintf("not fact %d", i)) }
	every, some, wide := Always, Never, Never
	for i := range 5 {
		every, some = every.And(fact(i)), some.Or(fact(i))
	}
	for i := range 100 {
		wide = wide.Or(fact(2 * i).And(fact(2*i + 1)))
	}
	for _, tt := range []struct {
		name string
		when When
		max  int
		want []string
	}{
		{"lines", every, 2, []string{"if fact 0", "if fact 1", "and 3 more (--verbose)"}},
		{"as many lines", every, 5, []string{"if fact 0", "if fact 1", "if fact 2", "if fact 3", "if fact 4"}},
		{"alternatives", some, 2, []string{"if one of:", "- fact 0", "- fact 1", "- fact 2", "- and 2 more (--verbose)"}},
		{"all", some, 0, []string{"if one of:", "- fact 0", "- fact 1", "- fact 2", "- fact 3", "- fact 4"}},
		{"too many", wide, 2, []string{"if one of:", "- fact 0 and fact 1", "- fact 2 and fact 3", "- fact 4 and fact 5", "- and more (--verbose)"}},
		{"CIDRs", s.in(Destination, "10.0.0.0/32", "10.0.0.2/32", "10.0.0.4/32", "10.0.0.6/32", "10.0.0.8/32"), 2, []string{
			"if the destination has an address in 10.0.0.0/32, 10.0.0.2/32, 10.0.0.4/32 or 2 more",
		}},
	} {
		n := testNames
		if n.Max = tt.max; !slices.Equal(tt.when.Lines(Always, n), tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, tt.when.Lines(Always, n), tt.want)
		}
	}
	for w, want := range map[When]string{every: "fact 0, and fact 1, and 3 more", wide: "(fact 0 and fact 1) or (fact 2 and fact 3) or (fact 4 and fact 5) or more"} {
		if got := w.Text(Always, Names{Max: 2}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for w, want := range map[When]string{Always: "always", Never: "never", fact(1): "fact 1"} {
		if got := w.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestIfs(t *testing.T) {
	t.Parallel()
	s := asker{NewSpace()}
	family := s.Ask(Question{ID: "family", Kind: Family, All: Answers{Bits: IPv4 | IPv6}})
	fact := s.fact(1, "x", "not x")
	w := s.on(ciliums).And(s.in(Destination, "10.0.0.0/8", "fc00::/7"))
	w = w.Or(fact.Not().And(s.unread("policy", allows|silent)).And(family.Has(IPv6))).Or(s.node(sameNode).And(s.on(awses)))
	for _, tt := range []struct {
		when, care When
		max        int
		want       string
		more       int
	}{
		{Always, Always, 0, `[[]]`, 0},
		{Never, Always, 0, `[]`, 0},
		{w, Always, 0, `[` +
			`[{"fact":"cni","answer":"aks-cilium,cilium,gke-dpv2"},{"fact":"address 1","answer":"10.0.0.0/8,fc00::/7"}],` +
			`[{"fact":"cni","answer":"aws-vpc-cni,eks-auto"},{"fact":"node","answer":"1"}],` +
			`[{"fact":"family","answer":"IPv6"},{"fact":"policy","answer":"allows,nothing"},{"fact":"fact x","answer":"no"}]]`, 0},
		{w, s.on(ciliums), 1, `[[{"fact":"address 1","answer":"10.0.0.0/8,fc00::/7"}]]`, 1},
	} {
		terms, more := tt.when.Ifs(tt.care, cniNames, tt.max)
		got, err := json.Marshal(append([][]Term{}, terms...))
		if err != nil || string(got) != tt.want || more != tt.more {
			t.Errorf("got %s and %d more, want %s and %d", got, more, tt.want, tt.more)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	s := asker{NewSpace()}
	for _, n := range []int{10, 30, 100, 200} {
		w := Never
		for i := range n {
			w = w.Or(s.fact(2*i, fmt.Sprint("a", i), "").And(s.fact(2*i+1, fmt.Sprint("b", i), "")))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				w.Lines(Always, Names{})
			}
		})
	}
}
