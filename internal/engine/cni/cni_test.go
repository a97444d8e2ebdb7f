package cni

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func names(profiles []Profile) []string {
	out := make([]string, len(profiles))
	for i, p := range profiles {
		out[i] = p.Name
	}
	return out
}

func TestProfiles(t *testing.T) {
	if Profiles[0].Name != Spec {
		t.Errorf("the first profile is %s", Profiles[0].Name)
	}
	if rest := names(Profiles[1:]); !slices.IsSorted(rest) {
		t.Errorf("the others are not in order: %v", rest)
	}
	seen := map[string]bool{}
	for _, p := range Profiles {
		if seen[p.Name] {
			t.Errorf("two profiles are called %s", p.Name)
		}
		seen[p.Name] = true
		if p.Name == "" || strings.ContainsAny(p.Name, ", \t") || p.Name == Any || strings.ToLower(p.Name) != p.Name {
			t.Errorf("%q is no name: commas separate names, and any stands for several", p.Name)
		}
		if p.Title == "" || p.Version == "" {
			t.Errorf("%s: no title or no version", p.Name)
		}
		if !slices.Contains([]string{"", "AWS", "Azure", "Google Cloud"}, p.Cloud) {
			t.Errorf("%s: no special endpoint is in %q", p.Name, p.Cloud)
		}
		if family, _, mode := strings.Cut(p.Name, ":"); mode {
			if _, err := ByName(family); err != nil || p.Mode() == "" {
				t.Errorf("%s is a mode of nothing", p.Name)
			}
		}
	}
}

// TestSources demands a source for all that a profile says, in words short enough for a line.
func TestSources(t *testing.T) {
	for _, p := range Profiles {
		check := func(what, source string) {
			if source == "" {
				t.Errorf("%s: %s: no source", p.Name, what)
			}
			for word := range strings.FieldsSeq(source) {
				if len(word) > 90 {
					t.Errorf("%s: %s: %s does not fit into a line", p.Name, what, word)
				}
			}
		}
		for q, f := range p.Facts {
			check(Question(q).Name(), f.Source)
		}
		for kind, f := range p.Kinds {
			check(kind, f.Source)
		}
		for _, r := range p.Resolvers {
			check(r.Name, r.Source)
			if r.Name == "" || r.Port == 0 || r.Pod && len(r.Addrs) > 0 {
				t.Errorf("%s: %+v", p.Name, r)
			}
		}
		if len(p.Resolvers) == 0 {
			t.Errorf("%s: DNS answers nowhere", p.Name)
		}
		if (p.PortsPerBlock > 0) != (p.LimitSource != "") {
			t.Errorf("%s: a limit and its source go together", p.Name)
		}
	}
}

func TestQuestions(t *testing.T) {
	seen := map[string]bool{}
	for q := range Questions {
		for _, text := range []string{q.Name(), q.String()} {
			if text == "" || seen[text] {
				t.Errorf("question %d: %q", q, text)
			}
			seen[text] = true
		}
	}
}

// TestEveryPluginJudgesNetworkPolicy demands it also of those that enforce nothing: what a policy
// would deny has to be found first.
func TestEveryPluginJudgesNetworkPolicy(t *testing.T) {
	for _, p := range Profiles {
		if got := p.Judges(networkPolicy); got != Yes {
			t.Errorf("%s: %s", p.Name, got)
		}
	}
}

func TestJudges(t *testing.T) {
	for _, test := range []struct {
		profile, dialect string
		want             Answer
	}{
		{"cilium", ciliumNetworkPolicy, Yes},
		{"cilium", ciliumClusterwideNetworkPolicy, Yes},
		{"cilium:cidr-match=pods", ciliumNetworkPolicy, Yes},
		{"cilium", ciliumLocalRedirectPolicy, Uncertain},
		{"cilium", clusterNetworkPolicy, Uncertain},
		{"cilium", adminNetworkPolicy, No},
		{"cilium", calicoGlobalNetworkPolicy, No},
		{"aks-cilium", ciliumNetworkPolicy, Yes},
		{"aks-cilium", ciliumClusterwideNetworkPolicy, Yes},
		{"gke-dpv2", ciliumNetworkPolicy, No},
		{"gke-dpv2", ciliumClusterwideNetworkPolicy, Uncertain},
		{"gke-dpv2", gkeFQDNNetworkPolicy, Uncertain},
		{"calico", ciliumNetworkPolicy, No},
		{"calico", calicoStoredGlobalNetworkPolicy, Yes},
		{"aws-vpc-cni", awsApplicationNetworkPolicy, Uncertain},
		{"aws-vpc-cni", clusterNetworkPolicy, No},
		{"eks-auto", awsApplicationNetworkPolicy, Yes},
		{"ovn-kubernetes", ovnEgressFirewall, Uncertain},
		{"antrea", antreaClusterNetworkPolicy, Yes},
		{"azure-npm", antreaClusterNetworkPolicy, No},
		{"none", ciliumNetworkPolicy, Yes},
		{"spec", ciliumNetworkPolicy, Uncertain},
		{"spec", ovnEgressFirewall, Uncertain},

		// Kinds that do not depend on the plugin stay uncertain under all.
		{"cilium", "security.istio.io AuthorizationPolicy", Uncertain},
		{"calico", "policy.linkerd.io Server", Uncertain},
		{"aws-vpc-cni", "vpcresources.k8s.aws SecurityGroupPolicy", Uncertain},
		{"none", "k8s.cni.cncf.io MultiNetworkPolicy", Uncertain},
		{"kube-router", "network.openshift.io NetNamespace", Uncertain},
		{"azure-npm", "extensions NetworkPolicy", Uncertain},
	} {
		p, err := ByName(test.profile)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Judges(test.dialect); got != test.want {
			t.Errorf("%s enforces %s: %s, want %s", test.profile, test.dialect, got, test.want)
		}
	}
}

// independent are the kinds that depend on no plugin, or on none that has a profile.
var independent = []string{
	"extensions NetworkPolicy",
	"k8s.cni.cncf.io MultiNetworkPolicy",
	"network.openshift.io EgressNetworkPolicy", "network.openshift.io NetNamespace",
	"policy.linkerd.io AuthorizationPolicy", "policy.linkerd.io EgressNetwork", "policy.linkerd.io HTTPLocalRateLimitPolicy",
	"policy.linkerd.io Server", "policy.linkerd.io ServerAuthorization",
	"security.istio.io AuthorizationPolicy", "security.istio.io PeerAuthentication",
	"vpcresources.k8s.aws SecurityGroupPolicy",
}

// TestEveryKindIsTreated reads the kinds of policy that the source package knows and demands that
// each is known here under the same name. A slip in a name would make a plugin seem to ignore its
// own policies.
func TestEveryKindIsTreated(t *testing.T) {
	known := policyKinds(t, filepath.Join("..", "..", "input", "source", "policykinds.go"))
	for kind := range known {
		if slices.Contains(independent, kind) == (kind == networkPolicy || slices.Contains(pluginKinds, kind)) {
			t.Errorf("%s has to be among the kinds on which plugins differ, or among those that are independent", kind)
		}
	}
	for _, kind := range slices.Concat(pluginKinds, independent, []string{networkPolicy}) {
		if !known[kind] {
			t.Errorf("no policy is of the kind %s", kind)
		}
	}
	for _, p := range Profiles {
		for kind := range p.Kinds {
			if !known[kind] || slices.Contains(independent, kind) {
				t.Errorf("%s lists %s", p.Name, kind)
			}
		}
	}
}

// policyKinds reads what a Go file has under "policies" in literals of policyGroup, as
// "group Kind".
func policyKinds(t *testing.T, path string) map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	text := func(e ast.Expr) string {
		lit, ok := e.(*ast.BasicLit)
		if !ok {
			t.Fatalf("%T where a text is expected", e)
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	kindsIn := func(group *ast.CompositeLit) (out []string) {
		for _, field := range group.Elts {
			field := field.(*ast.KeyValueExpr)
			if field.Key.(*ast.Ident).Name == "policies" {
				for _, kind := range field.Value.(*ast.CompositeLit).Elts {
					out = append(out, text(kind.(*ast.KeyValueExpr).Key))
				}
			}
		}
		return out
	}
	values := map[string]*ast.CompositeLit{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.CompositeLit); ok {
				values[spec.Names[0].Name] = lit
			}
		}
		return true
	})
	known := map[string]bool{}
	for _, group := range values["policyGroups"].Elts {
		group := group.(*ast.KeyValueExpr)
		literal, ok := group.Value.(*ast.CompositeLit)
		if !ok {
			literal = values[group.Value.(*ast.Ident).Name]
		}
		for _, kind := range kindsIn(literal) {
			known[text(group.Key)+" "+kind] = true
		}
	}
	return known
}

// TestSpecLeavesKindsOpen demands that the API's text, which knows no plugin, ignores no kind that
// a plugin lists.
func TestSpecLeavesKindsOpen(t *testing.T) {
	for _, p := range Profiles {
		for kind := range p.Kinds {
			if spec.Judges(kind) == No {
				t.Errorf("%s, which %s lists, is ignored under %s", kind, p.Name, Spec)
			}
		}
	}
}

func TestNamed(t *testing.T) {
	for text, want := range map[string][]string{
		"spec":                 {"spec"},
		"cilium,calico,cilium": {"calico", "cilium"},
		Any: {"aks-cilium", "antrea", "aws-vpc-cni", "azure-npm", "calico", "cilium", "eks-auto", "gke-dpv2", "gke-legacy", "kube-network-policies", "kube-router",
			"ovn-kubernetes"},
		"cilium:cidr-match=pods+nodes,cilium": {"cilium", "cilium:cidr-match=pods+nodes"},
		" Calico , CILIUM:v1.19 ":             {"calico", "cilium:1.19"},
		"eks:strict":                          {"aws-vpc-cni:strict"},
		"EKS,eks-auto":                        {"aws-vpc-cni", "eks-auto"},
		"gke":                                 {"gke-dpv2", "gke-legacy"},
		"aks":                                 {"aks-cilium", "azure-npm", "calico"},
		"openshift,k3s,rke2,kindnet,kind":     {"calico", "kube-network-policies", "kube-router", "ovn-kubernetes"},
	} {
		got, err := Named(text)
		if err != nil || !slices.Equal(names(got), want) {
			t.Errorf("%s: %v, %v", text, names(got), err)
		}
	}
	both, err := Named("any,none,cilium")
	if err != nil || len(both) != 13 {
		t.Errorf("%v, %v", names(both), err)
	}
}

func TestUnknown(t *testing.T) {
	for name, nearest := range map[string]string{
		"cilum":                 "cilium",
		"Cilum":                 "cilium",
		"npm":                   "azure-npm",
		"flanel":                "flannel",
		"frobnicate":            "",
		"":                      "",
		"cilium,":               "",
		strings.Repeat("c", 99): "",
		"1.19":                  "",
		":1.19":                 "",
		"1.19:cilium":           "",
		"v1.19":                 "",
	} {
		_, err := Named(name)
		var unknown *UnknownError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "no profile is called") {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if got := unknown.Nearest(); got != nearest {
			t.Errorf("%q is near %q, want %q", name, got, nearest)
		}
	}
}

func TestWeave(t *testing.T) {
	_, err := Named("calico,Weave")
	var unknown *UnknownError
	if !errors.As(err, &unknown) || !strings.Contains(unknown.Hint, Spec) {
		t.Errorf("%v", err)
	}
}

// TestUnknownPart: the part of a name that is wrong is named, with what could stand there.
func TestUnknownPart(t *testing.T) {
	const cilium = " of cilium (modes: cidr-match=nodes, cidr-match=pods, cidr-match=pods+nodes; versions 1.14 to 1.20)"
	for name, want := range map[string]string{
		"cilium:strict":       `"strict" is neither a version nor a mode` + cilium,
		"cilium:1.19:strict":  `"strict" is neither a version nor a mode` + cilium,
		"cilium:strict:v1.19": `"strict" is neither a version nor a mode` + cilium,
		"cilium:1.19.1.1":     `"1.19.1.1" is neither a version nor a mode` + cilium,
		"cilium:01.19":        `"01.19" is neither a version nor a mode` + cilium,
		"cilium:vv1.19":       `"vv1.19" is neither a version nor a mode` + cilium,
		"cilium:latest":       `"latest" is neither a version nor a mode` + cilium,
		"cilium:":             `"" is neither a version nor a mode` + cilium,
		"cilium:1.19:1.18":    "two versions or two modes of cilium are named at once",
		"cilium:cidr-match=nodes:cidr-match=pods": "two versions or two modes of cilium are named at once",
		"aws-vpc-cni:stric":                       `"stric" is neither a version nor a mode of aws-vpc-cni (modes: strict; versions 1.14 to 1.23)`,
		"calico:ebpf":                             `"ebpf" is neither a version nor a mode of calico (no modes; the same in every version)`,
		"cilium:" + strings.Repeat("c", 99):       "no profile is called \"cilium:" + strings.Repeat("c", 99) + "\"",
	} {
		if _, err := ByName(name); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	// Images have a v before their version, and people copy it.
	for name, want := range map[string]string{"cilium:v1.19": "cilium:1.19", "cilium:cidr-match=nodes:v1.18.2": "cilium:1.18.2:cidr-match=nodes"} {
		if p, err := ByName(name); err != nil || p.Name != want {
			t.Errorf("%s is called %s, %v", name, p.Name, err)
		}
	}
}

// TestVersions asks for facts that changed with a version.
func TestVersions(t *testing.T) {
	for name, want := range map[string]Answer{
		"cilium": Yes, "cilium:1.20": Yes, "cilium:1.20.99": Yes, "cilium:1.19": Yes, "cilium:1.19.0": Yes, "cilium:1.18": No,
		"cilium:1.18.2": No, "cilium:1.14": No, "aks-cilium": No, "aks-cilium:1.18": No, "gke-dpv2": Uncertain, "cilium:1.18:cidr-match=nodes": No,
		"cilium:cidr-match=nodes:1.18": No, "cilium:cidr-match=nodes": Yes, "cilium:1.20:cidr-match=pods+nodes": Yes,
	} {
		p, err := ByName(name)
		if err != nil || p.Says(StarsMatchDepth) != want {
			t.Errorf("%s: %s, %v, want %s", name, p.Says(StarsMatchDepth), err, want)
		}
	}
	for name, want := range map[string]Answer{"cilium": Uncertain, "cilium:1.18": Uncertain, "cilium:1.17": Yes, "cilium:1.14.3": Yes, "aks-cilium": Uncertain, "aks-cilium:1.17": Yes} {
		if p, err := ByName(name); err != nil || p.Says(NegativeSelectorsMatchAll) != want {
			t.Errorf("%s: %s, %v, want %s", name, p.Says(NegativeSelectorsMatchAll), err, want)
		}
	}
	for name, want := range map[string]Answer{"cilium": Uncertain, "cilium:1.20": Uncertain, "cilium:1.19": No, "aks-cilium": No} {
		if p, err := ByName(name); err != nil || p.Judges(clusterNetworkPolicy) != want {
			t.Errorf("%s: %s, %v, want %s", name, p.Judges(clusterNetworkPolicy), err, want)
		}
	}
	for name, want := range map[string]Answer{ // versions of the VPC CNI, and below them those of its agent
		"aws-vpc-cni": Uncertain, "aws-vpc-cni:1.14": Yes, "aws-vpc-cni:1.21.2": Yes, "aws-vpc-cni:v1.22.3": Yes, "aws-vpc-cni:1.22": Uncertain, "aws-vpc-cni:1.22.4": No,
		"aws-vpc-cni:v1.23.1:strict": No, "aws-vpc-cni:1.0.4": Yes, "aws-vpc-cni:1.3.7": Yes, "aws-vpc-cni:1.4.0": No, "aws-vpc-cni:1.5.0": No, "eks-auto": Uncertain, "calico": No,
	} {
		if p, err := ByName(name); err != nil || p.Says(TablesMerge) != want {
			t.Errorf("%s: %s, %v, want %s", name, p.Says(TablesMerge), err, want)
		}
	}
	for name, want := range map[string]string{
		"aws-vpc-cni:1.13":            "aws-vpc-cni is known in versions 1.14 to 1.23, not in 1.13",
		"cilium:1.21":                 "cilium is known in versions 1.14 to 1.20, not in 1.21",
		"cilium:1.13.9":               "cilium is known in versions 1.14 to 1.20, not in 1.13.9",
		"cilium:1":                    "cilium is known in versions 1.14 to 1.20, not in 1",
		"cilium:1.19:cidr-match=pods": "cilium:cidr-match=pods is known in version 1.20, not in 1.19",
		"aks-cilium:1.19":             "aks-cilium is known in versions 1.14 to 1.18, not in 1.19",
		"calico:3.30":                 "what is known of calico does not depend on the version",
	} {
		if _, err := ByName(name); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{"cilium:cidr-match=nodes:1.18.2": "cilium:1.18.2:cidr-match=nodes", "cilium:1.18": "cilium:1.18", "cilium": "cilium"} {
		if p, err := ByName(name); err != nil || p.Name != want {
			t.Errorf("%s is called %s, %v", name, p.Name, err)
		}
	}
	var many []string
	for i := range Most + 1 {
		many = append(many, fmt.Sprintf("cilium:1.19.%d", i))
	}
	if _, err := Named(strings.Join(many, ",")); err == nil {
		t.Errorf("%d profiles at once", len(many))
	}
	if got, err := Named(strings.Join(many[1:], ",")); err != nil || len(got) != Most {
		t.Errorf("%d profiles, %v", len(got), err)
	}
}

// TestPast demands that what was otherwise is in order, has a source and differs from what came
// after it.
func TestPast(t *testing.T) {
	asked := 0
	for _, p := range Profiles {
		if p.every == nil {
			continue
		}
		now := *p.every
		last := release{1 << 16}
		for _, e := range p.every.before {
			begins, _, ok := releases(e.Version)
			if !ok || !begins.isBefore(last) {
				t.Errorf("%s: %q is no version, or not in order", p.Name, e.Version)
			}
			last = begins
			for q, f := range e.Facts {
				if f != (Fact{}) && (f.Source == "" || f == now.Facts[q]) {
					t.Errorf("%s before %s: %s %+v", p.Name, e.Version, Question(q), f)
				}
			}
			for kind := range e.Kinds {
				if _, ok := p.Kinds[kind]; !ok {
					t.Errorf("%s before %s: %s is no kind of it", p.Name, e.Version, kind)
				}
			}
			asked++
		}
	}
	if asked == 0 {
		t.Error("no profile has a past")
	}
}

// TestDerive demands that derive takes every field from the changes and leaves what they do not
// set.
func TestDerive(t *testing.T) {
	full := everyAWSVPCCNI
	full.before = []Past{{Version: "1.0"}}
	for field, value := range reflect.ValueOf(full).Fields() {
		if value.IsZero() && field.Name != "Known" && field.Name != "every" {
			t.Errorf("%s has no %s: take a profile that sets every field", full.Name, field.Name)
		}
	}
	if got := derive(Profile{}, full); !reflect.DeepEqual(got, full) {
		t.Errorf("derived from nothing: %+v", got)
	}
	if got := derive(full.through(Versions{"1.0", "1.0"}, Versions{"1.0", "1.0"}), full); got.every != nil || got.Known != (Versions{}) {
		t.Errorf("derived of a profile of some versions: %+v", got)
	}
	if got := derive(full, Profile{Name: full.Name, Title: full.Title}); !reflect.DeepEqual(got, full) {
		t.Errorf("derived without changes: %+v", got)
	}

	got := derive(full, Profile{Facts: [Questions]Fact{StartsOpen: {No, "x"}}, Kinds: ignored("y", networkPolicy)})
	for q := range Questions {
		if want := full.Facts[q]; q != StartsOpen && got.Facts[q] != want {
			t.Errorf("%s: %v, want %v", q, got.Facts[q], want)
		}
	}
	if got.Says(StartsOpen) != No || got.Judges(networkPolicy) != No || len(got.Kinds) != len(full.Kinds) {
		t.Errorf("the changes are not in force: %+v", got)
	}
	if full.Says(StartsOpen) != Yes || full.Judges(networkPolicy) != Yes {
		t.Errorf("the base has changed: %+v", full)
	}
}

// TestModes demands that a mode differs from the default one, or nobody would ask for it.
func TestModes(t *testing.T) {
	for _, p := range Profiles {
		if p.Mode() == "" {
			continue
		}
		family, _, _ := strings.Cut(p.Name, ":")
		base, err := ByName(family)
		if err != nil {
			t.Fatal(err)
		}
		same := true
		for q := range Questions {
			same = same && p.Says(q) == base.Says(q)
		}
		if same {
			t.Errorf("%s answers every question as %s does", p.Name, family)
		}
	}
}

// TestWhatFlipsVerdicts holds the answers on which plugins are known to differ, so that none
// changes by accident.
func TestWhatFlipsVerdicts(t *testing.T) {
	for _, test := range []struct {
		question Question
		yes, no  []string
	}{
		{Enforces, []string{"spec", "cilium", "aws-vpc-cni"}, []string{"none", "flannel"}},
		{BlocksMatchPods, []string{"calico", "aws-vpc-cni", "azure-npm", "cilium:cidr-match=pods"}, []string{"cilium", "aks-cilium", "gke-dpv2", "cilium:cidr-match=nodes"}},
		{BlocksMatchNodes, []string{"calico", "aws-vpc-cni", "cilium:cidr-match=nodes"}, []string{"cilium", "aks-cilium", "gke-dpv2", "cilium:cidr-match=pods"}},
		{JudgedBeforeService, []string{"aws-vpc-cni", "eks-auto"}, []string{"calico", "cilium", "ovn-kubernetes", "azure-npm"}},
		{SelectorsMatchServices, []string{"aws-vpc-cni", "aws-vpc-cni:strict", "eks-auto"}, []string{"calico", "cilium", "spec"}},
		{OwnNodeReachable, []string{"aws-vpc-cni", "eks-auto", "azure-npm"}, []string{"cilium", "calico", "ovn-kubernetes"}},
		{LongestPrefixDecides, []string{"aws-vpc-cni", "aws-vpc-cni:strict", "eks-auto"}, []string{"calico", "cilium", "kube-router", "azure-npm"}},
		{IPv4EscapesIPv6, []string{"aws-vpc-cni"}, []string{"calico", "cilium"}},
		{NodePortsEscape, []string{"azure-npm"}, []string{"cilium", "aks-cilium", "calico", "antrea"}},
		{StartsOpen, []string{"aws-vpc-cni", "kube-network-policies"}, []string{"aws-vpc-cni:strict", "cilium", "calico"}},
	} {
		for _, p := range Profiles {
			got := p.Says(test.question)
			if slices.Contains(test.yes, p.Name) && got != Yes || slices.Contains(test.no, p.Name) && got != No {
				t.Errorf("%s, %s: %s", p.Name, test.question, got)
			}
		}
	}
}
