package cilium

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/policy"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	"sigs.k8s.io/yaml"
)

var (
	flagClusters = flag.Int("clusters", 150, "how many random clusters to compare")
	flagSeed     = flag.Uint64("seed", 1, "seed of the random clusters")
)

// TestGenerator checks that the API server and the agent take what the generator makes.
func TestGenerator(t *testing.T) {
	for n := range *flagClusters {
		c, _ := newCluster(*flagSeed, n)
		for _, p := range c.policies {
			text, err := yaml.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if err, _ := refused(text); err != nil {
				t.Fatalf("Cilium refuses a generated policy: %v\n%s", err, text)
			}
		}
	}
}

// Features that must decide verdicts, by direction and by what their rules may do. Each stands for
// itself in what the generator makes.
var mustDecide = map[bool][]string{
	true: {
		"NetworkPolicy", "rules that policyTypes leaves out", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "specs", "allow", "Endpoints", "Entities", "CIDR", "CIDRSet", "cidrGroupRef", "cidrGroupSelector", "except",
		"matchExpressions", "namespace key", "namespace labels", "reserved labels", "cluster names", "service accounts", "port", "range", "named port", "any protocol", "port 0", "HTTP rules",
		"server names", "enableDefaultDeny true", "enableDefaultDeny false",
		"entity all", "entity world", "entity cluster", "entity host", "entity remote-node", "entity kube-apiserver",
	},
	false: {
		"CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "specs", "deny", "Endpoints", "Entities", "CIDR", "CIDRSet", "cidrGroupRef", "cidrGroupSelector", "except",
		"matchExpressions", "namespace key", "namespace labels", "port", "range", "named port", "any protocol", "port 0", "enableDefaultDeny true", "enableDefaultDeny false",
		"entity all", "entity world", "entity cluster", "entity host", "entity remote-node", "entity kube-apiserver",
	},
}

const leastDecided = 20

// TestRandomPolicies compares the engines on random clusters: each side of each connection, and the
// whole.
func TestRandomPolicies(t *testing.T) {
	var n tally
	for i := range *flagClusters {
		if n.shown == maxShown {
			break
		}
		c, r := newCluster(*flagSeed, i)
		n.compare(t, c, c.questions(r.probes(6)))
	}
	n.healthy(t)
	t.Log(n.decided())
	for _, cond := range slices.SortedFunc(maps.Keys(n.conds), func(a, b string) int { return n.conds[b] - n.conds[a] })[:min(len(n.conds), 12)] {
		t.Logf("%d times: if %s", n.conds[cond], cond)
	}
	summary(t, "%v", &n)
}

// healthy checks that what was asked is worth asking, and that few answers are not certain.
func (n *tally) healthy(t *testing.T) {
	t.Helper()
	if n.clusters < 150 || n.shown > 0 {
		return // too little to say
	}
	if n.connections < 100_000 {
		t.Errorf("only %d connections were asked for", n.connections)
	}
	if least := n.connections / 10; n.allowed < least || n.denied < least {
		t.Errorf("the generator is unbalanced: %d allowed and %d denied of %d", n.allowed, n.denied, n.connections)
	}
	for allowed, features := range mustDecide {
		for _, f := range features {
			if k := n.by["ingress "+f][allowed] + n.by["egress "+f][allowed]; k < leastDecided {
				t.Errorf("%q decided %d verdicts, allowed: %t", f, k, allowed)
			}
		}
	}
	for a, percent := range map[agreement]int{ownNode: 8, perhapsNode: 3, configured: 6, nameOrL7: 3} {
		if n.agreed[a]*100 > n.verdicts*percent {
			t.Errorf("%d of %d answers are not certain: %s", n.agreed[a], n.verdicts, agreementNames[a])
		}
	}
	if n.settled*10 < n.open()*8 {
		t.Errorf("the cluster settles %d of %d connections that are left open", n.settled, n.open())
	}
}

// TestLookupFlow checks that the way we ask Cilium's engine is the way its own tests do, where
// these can be asked: they know no redirects, and of the names of ports those of the destination
// alone.
func TestLookupFlow(t *testing.T) {
	asked, manager := 0, identitymanager.NewIDManager(quiet)
	for i := range 40 {
		c, r := newCluster(*flagSeed, i)
		text := fmt.Sprint(c.policies)
		if strings.Contains(text, "rules:") || strings.Contains(text, "serverNames") || strings.Contains(strings.ToLower(text), "port:web") ||
			strings.Contains(text, "port:dns") || strings.Contains(text, "port:admin") {
			continue
		}
		e := newEngine(t, c)
		for _, q := range c.questions(r.probes(2)) {
			if q.from.pod < 0 || q.to.pod < 0 || c.pods[q.from.pod].node != c.pods[q.to.pod].node {
				continue
			}
			repo := e.nodes[c.pods[q.from.pod].node]
			result, _, _, err := policy.LookupFlow(quiet, repo, manager, policytypes.Flow{
				From: repo.pods[q.from.pod], To: repo.pods[q.to.pod], Proto: theirProtocol[q.protocol], Dport: uint16(q.port),
			})
			if err != nil {
				t.Fatal(err)
			}
			asked++
			if got := e.judge(t, q)[unnamed].whole.allowed; got != result.Allowed() {
				t.Fatalf("%s: %s: LookupFlow says %v, we ask and hear %t", c.title, c.textOf(q), result, got)
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d connections could be asked for", asked)
	}
}
