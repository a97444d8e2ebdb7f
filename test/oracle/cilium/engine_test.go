package cilium

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/pkg/endpoint/regeneration"
	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/k8s"
	k8sconst "github.com/cilium/cilium/pkg/k8s/apis/cilium.io"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	slimcorev1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/core/v1"
	slimnetworkingv1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	slimmetav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	k8sutils "github.com/cilium/cilium/pkg/k8s/utils"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/labelsfilter"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	policyutils "github.com/cilium/cilium/pkg/policy/utils"
	"github.com/cilium/cilium/pkg/spanstat"
	testidentity "github.com/cilium/cilium/pkg/testutils/identity"
	testpolicy "github.com/cilium/cilium/pkg/testutils/policy"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"
	"sigs.k8s.io/yaml"
)

const clusterName = "default"

var quiet = slog.New(slog.DiscardHandler)

// TestMain gives Cilium's packages the configuration that an agent has by default.
func TestMain(m *testing.M) {
	option.Config.ClusterName = clusterName
	option.Config.EnableL7Proxy = true
	option.Config.EnableICMPRules = true
	option.Config.EnableNonDefaultDenyPolicies = true
	option.Config.AllowLocalhost = option.AllowLocalhostAlways // what "auto" means under Kubernetes
	policy.SetPolicyEnabled(option.DefaultEnforcement)
	api.InitEntities(clusterName)
	if err := labelsfilter.ParseLabelPrefixCfg(quiet, nil, nil, ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// parsed is a policy in Cilium's own form.
type parsed struct {
	key     string // "namespace/name", "/name" for one of the whole cluster
	entries policytypes.PolicyEntries
	names   []api.FQDNSelector
}

// parse reads one policy as the agent does where there are some Services.
func parse(text []byte, services ...service) (out parsed, err error) {
	var meta struct {
		Kind     string `json:"kind"`
		Metadata struct{ Namespace, Name string }
	}
	if err := yaml.Unmarshal(text, &meta); err != nil {
		return out, err
	}
	out.key = meta.Metadata.Namespace + "/" + meta.Metadata.Name
	var rules api.Rules
	switch meta.Kind {
	case "NetworkPolicy":
		var np slimnetworkingv1.NetworkPolicy
		if err := yaml.Unmarshal(text, &np); err != nil {
			return out, err
		}
		out.entries, err = k8s.ParseNetworkPolicy(quiet, clusterName, &np)
		for _, e := range out.entries {
			mendBlocks(e)
		}
		return out, err
	case "CiliumNetworkPolicy":
		var p ciliumv2.CiliumNetworkPolicy
		if err := yaml.Unmarshal(text, &p); err != nil {
			return out, err
		}
		prepare(p.Spec, p.Specs, services)
		rules, err = p.Parse(quiet, clusterName)
	case "CiliumClusterwideNetworkPolicy":
		var p ciliumv2.CiliumClusterwideNetworkPolicy
		if err := yaml.Unmarshal(text, &p); err != nil {
			return out, err
		}
		prepare(p.Spec, p.Specs, services)
		rules, err = p.Parse(quiet, clusterName)
	default:
		return out, fmt.Errorf("not a policy: %q", meta.Kind)
	}
	if err != nil {
		return out, err
	}
	for _, r := range rules {
		for _, e := range r.Egress {
			out.names = append(out.names, e.ToFQDNs...)
		}
	}
	out.entries = policyutils.RulesToPolicyEntries(rules)
	return out, nil
}

// mendBlocks takes away what 1.19.1 puts beside an ingress ipBlock by mistake, a selector of every
// pod of the namespace: cilium/cilium#46305 has mended it, in 1.19 by #46456. An entry is about one
// peer.
func mendBlocks(e *policytypes.PolicyEntry) {
	isBlock := func(s policytypes.Selector) bool {
		_, ok := s.(*policytypes.CIDRSelector)
		return ok
	}
	if slices.ContainsFunc(e.L3, isBlock) {
		e.L3 = slices.DeleteFunc(e.L3, func(s policytypes.Selector) bool { return !isBlock(s) })
	}
}

// specLabel says in which spec a rule stands, for the tally of what decided.
const specLabel = "test.spec"

// prepare labels the specs of a policy and writes its Services as the agent does before it parses:
// pkg/policy/k8s/service.go, processRule. What stands under egressDeny it leaves alone.
func prepare(spec *api.Rule, specs api.Rules, services []service) {
	for i, r := range append(api.Rules{spec}, specs...) {
		if r == nil {
			continue
		}
		r.Labels = append(r.Labels, labels.NewLabel(specLabel, fmt.Sprint(i), labels.LabelSourceUnspec))
		for k := range r.Egress {
			rule := &r.Egress[k]
			for _, to := range rule.ToServices {
				for _, svc := range services {
					if !svc.isMeant(to) {
						continue
					}
					for _, a := range svc.endpoints {
						rule.ToCIDRSet = append(rule.ToCIDRSet, api.CIDRRule{Cidr: api.CIDR(netip.PrefixFrom(a, a.BitLen()).String()), Generated: true})
					}
					if svc.selector != nil {
						match := maps.Clone(svc.selector)
						match[labels.LabelSourceK8sKeyPrefix+k8sconst.PodNamespaceLabel] = svc.namespace
						es := api.NewESFromMatchRequirements(match, nil)
						es.Generated = true
						rule.ToEndpoints = append(rule.ToEndpoints, es)
					}
				}
			}
		}
	}
}

func (s service) isMeant(to api.Service) bool {
	if sel := to.K8sServiceSelector; sel != nil {
		own := labels.Map2Labels(s.labels, labels.LabelSourceK8s)
		return (sel.Namespace == s.namespace || sel.Namespace == "") &&
			policytypes.Matches(policytypes.NewLabelSelector(api.EndpointSelector(sel.Selector)), anySource(own))
	}
	ref := to.K8sService
	return ref != nil && (ref.Namespace == s.namespace || ref.Namespace == "") && ref.ServiceName == s.name
}

// anySource is labels whose source is not looked at.
type anySource labels.Labels

func (l anySource) GetLabel(of *labels.Label) string { return l[of.Key].Value }

func (l anySource) HasLabel(of *labels.Label) bool {
	_, ok := l[of.Key]
	return ok
}

func (l anySource) LookupLabel(of *labels.Label) (string, bool) {
	found, ok := l[of.Key]
	return found.Value, ok
}

// variant is what DNS has told Cilium of an address outside.
type variant int

const (
	unnamed variant = iota // nothing
	named                  // every name that it might have
	variants
)

// engine is Cilium's policy engine for one cluster. What a node is depends on whose neighbour asks,
// so each node has a repository.
type engine struct {
	c         *cluster
	nodes     []*repository
	everybody types.NamedPortMultiMap // what the names of ports mean in egress rules
	origins   map[labels.LabelArrayListString][]string
}

type repository struct {
	*policy.Repository
	pods      []*identity.Identity // by pod, nil on the host's network
	outside   map[netip.Addr][variants]identity.NumericIdentity
	distilled map[int]*policy.EndpointPolicy // by pod
}

func newEngine(t testing.TB, c *cluster) *engine {
	t.Helper()
	option.Config.EnableIPv4, option.Config.EnableIPv6 = true, c.dual
	var all []parsed
	for _, o := range c.policies {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parse(text, c.services...)
		if err != nil {
			t.Fatalf("Cilium refuses: %v\n%s", err, text)
		}
		all = append(all, p)
	}
	e := &engine{c: c, origins: map[labels.LabelArrayListString][]string{}}
	ports := types.NewNamedPortMultiMap()
	for _, p := range c.pods {
		if !p.host {
			ports.Update(nil, p.namedPorts())
		}
	}
	e.everybody = ports
	like := map[bool]*repository{}
	for n := range c.nodes {
		on := c.apiOn(n)
		if like[on] == nil {
			like[on] = newRepository(c, on, all)
		}
		e.nodes = append(e.nodes, like[on])
	}
	return e
}

func (p pod) namedPorts() types.NamedPortMap {
	m := types.NamedPortMap{}
	for _, one := range p.ports {
		if one.name != "" {
			_ = m.AddPort(one.name, one.number, one.protocol) // what is refused is skipped, as the agent does
		}
	}
	return m
}

func newRepository(c *cluster, apiServer bool, all []parsed) *repository {
	r := &repository{outside: map[netip.Addr][variants]identity.NumericIdentity{}, distilled: map[int]*policy.EndpointPolicy{}}
	ids := identity.IdentityMap{
		identity.ReservedIdentityHost:          reserved(labels.LabelHost, apiServer),
		identity.ReservedIdentityRemoteNode:    reserved(labels.LabelRemoteNode, false),
		identity.ReservedIdentityKubeAPIServer: reserved(labels.LabelRemoteNode, true),
	}
	for i, p := range c.pods {
		if p.host {
			r.pods = append(r.pods, nil)
			continue
		}
		id := identity.NewIdentity(identity.NumericIdentity(20000+i), podLabels(c, p))
		ids[id.ID] = id.LabelArray
		r.pods = append(r.pods, id)
	}
	var names []api.FQDNSelector
	for _, p := range all {
		names = append(names, p.names...)
	}
	next := identity.NumericIdentity(identity.IdentityScopeLocal)
	for _, a := range c.outside {
		var both [variants]identity.NumericIdentity
		for v := range both {
			next++
			both[v] = next
			ids[next] = outsideLabels(c, a, names, variant(v)).LabelArray()
		}
		r.outside[a] = both
	}
	manager := identitymanager.NewIDManager(quiet)
	r.Repository = policy.NewPolicyRepository(quiet, ids, nil, envoypolicy.NewEnvoyL7RulesTranslator(quiet, nil), manager, testpolicy.NewPolicyMetricsNoop())
	r.GetSelectorCache().SetLocalIdentityNotifier(testidentity.NewDummyIdentityNotifier())
	for _, id := range r.pods {
		if id != nil {
			manager.Add(id)
		}
	}
	for _, p := range all {
		r.MustAddPolicyEntries(p.entries)
	}
	return r
}

func reserved(lbls labels.Labels, apiServer bool) labels.LabelArray {
	out := labels.Labels{}
	out.MergeLabels(lbls)
	if apiServer {
		out.MergeLabels(labels.LabelKubeAPIServer)
	}
	return out.LabelArray()
}

// podLabels returns the labels that make a pod's identity.
func podLabels(c *cluster, p pod) labels.Labels {
	ns := &slimcorev1.Namespace{ObjectMeta: slimmetav1.ObjectMeta{Name: p.namespace, Labels: map[string]string{"kubernetes.io/metadata.name": p.namespace}}}
	for k, v := range c.namespaces[p.namespace] {
		ns.Labels[k] = v
	}
	account := p.account
	if account == "" {
		account = "default" // as the API server fills it in
	}
	_, all := k8s.GetPodMetadata(quiet, ns, &slimcorev1.Pod{
		ObjectMeta: slimmetav1.ObjectMeta{Namespace: p.namespace, Name: p.name, Labels: p.labels},
		Spec:       slimcorev1.PodSpec{ServiceAccountName: account},
	})
	id, _ := labelsfilter.Filter(labels.Map2Labels(all, labels.LabelSourceK8s))
	return id
}

// outsideLabels returns the labels of an address outside, as the agent's table of addresses merges
// them: those of the longest block first, and one for the address that stands for every block
// around it.
func outsideLabels(c *cluster, a netip.Addr, names []api.FQDNSelector, v variant) labels.Labels {
	out := labels.GetCIDRLabels(netip.PrefixFrom(a, a.BitLen()))
	if slices.Contains(c.api, a) {
		out.MergeLabels(labels.LabelKubeAPIServer)
	}
	for bits := a.BitLen(); bits >= 0; bits-- {
		for _, g := range c.groups {
			for _, b := range g.blocks {
				if b.Bits() != bits || !b.Contains(a) {
					continue
				}
				of := labels.Map2Labels(k8sutils.RemoveCiliumLabels(g.labels), labels.LabelSourceCIDRGroup)
				name := api.LabelForCIDRGroupRef(g.name)
				of[name.Key] = name
				for k, l := range of {
					if _, taken := out[k]; !taken {
						out[k] = l
					}
				}
			}
		}
	}
	for _, s := range names {
		every := s.MatchName == "" && strings.Trim(strings.TrimSuffix(s.MatchPattern, "."), "*") == "" // some name resolves to any address
		if !every && (v == unnamed || s.MatchName != "" && !public(a)) {
			continue // taken for granted: exact names resolve to addresses of the internet
		}
		l := s.IdentityLabel()
		out[l.Key] = l
	}
	return out
}

// public reports whether a is an address of the internet.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

// identityOf returns the identity of an end as pods on node at see it.
func (e *engine) identityOf(o end, at int, v variant) identity.NumericIdentity {
	switch {
	case o.pod >= 0:
		return e.nodes[at].pods[o.pod].ID
	case o.node == at:
		return identity.ReservedIdentityHost
	case o.node >= 0 && e.c.apiOn(o.node):
		return identity.ReservedIdentityKubeAPIServer
	case o.node >= 0:
		return identity.ReservedIdentityRemoteNode
	}
	return e.nodes[at].outside[o.addr][v]
}

// owner is the pod whose policy is distilled.
type owner struct {
	id      uint64
	ports   types.NamedPortMap
	cluster types.NamedPortMultiMap
}

func (o owner) GetID() uint64 { return o.id }

// GetNamedPort does what the agent does (pkg/endpoint/policy.go), not what policy.LookupFlow does:
// in egress a name means the one number that it has on every pod of the cluster, and nothing where
// two differ.
func (o owner) GetNamedPort(ingress bool, name string, proto u8proto.U8proto) uint16 {
	var number uint16
	if ingress {
		number, _ = o.ports.GetNamedPort(name, proto)
	} else {
		number, _ = o.cluster.GetNamedPort(name, proto)
	}
	return number
}

func (owner) PolicyDebug(string, ...any)         {}
func (owner) IsHost() bool                       { return false }
func (owner) PreviousMapState() *policy.MapState { return nil }
func (owner) RegenerateIfAlive(*regeneration.ExternalRegenerationMetadata) <-chan bool {
	done := make(chan bool)
	close(done)
	return done
}

type stats struct{ waiting, calculation spanstat.SpanStat }

func (s *stats) WaitingForPolicyRepository() *spanstat.SpanStat { return &s.waiting }
func (s *stats) SelectorPolicyCalculation() *spanstat.SpanStat  { return &s.calculation }

// policyOf computes the policy of a pod.
func (e *engine) policyOf(t testing.TB, i int) *policy.EndpointPolicy {
	p := e.c.pods[i]
	r := e.nodes[p.node]
	if d := r.distilled[i]; d != nil {
		return d
	}
	o := owner{uint64(1000 + i), p.namedPorts(), e.everybody}
	sp, _, err := r.GetSelectorPolicy(r.pods[i], 0, &stats{}, o.id)
	if err != nil {
		t.Fatalf("%s: %v", e.c.title, err)
	}
	redirects := map[string]uint16{}
	for filter, tuple := range sp.RedirectFilters() {
		number := filter.Port
		if number == 0 && filter.PortName != "" {
			number = o.GetNamedPort(filter.Ingress, filter.PortName, filter.U8Proto)
		}
		redirects[policy.ProxyID(uint16(o.id), filter.Ingress, string(filter.Protocol), number, tuple.Policy.GetListener())] = 10000
	}
	d := sp.DistillPolicy(quiet, o, redirects)
	d.Ready()
	d.Detach(quiet)
	r.distilled[i] = d
	return d
}

// answer is what Cilium says of one side of one connection.
type answer struct {
	allowed bool
	proxied bool     // a proxy has the last word
	by      []string // the specs it comes from, as in cluster.features; nil where nothing matched
}

func (a answer) String() string {
	text := "denied"
	if a.allowed {
		text = "allowed"
	}
	if a.proxied {
		text += ", to the proxy"
	}
	return fmt.Sprintf("%s by %v", text, a.by)
}

// ask asks what the policies of a pod say of connections with another end.
func (e *engine) ask(t testing.TB, subject int, peer end, ingress bool, proto u8proto.U8proto, number int, v variant) answer {
	key := policy.EgressKey()
	if ingress {
		key = policy.IngressKey()
	}
	key = key.WithIdentity(e.identityOf(peer, e.c.pods[subject].node, v)).WithPortProto(proto, uint16(number))
	entry, meta, _ := e.policyOf(t, subject).Lookup(key)
	return answer{!entry.IsDeny(), !entry.IsDeny() && entry.IsRedirectEntry(), e.originsOf(meta)}
}

func (e *engine) originsOf(meta policy.RuleMeta) []string {
	text := meta.LabelArrayListString()
	if by, ok := e.origins[text]; ok {
		return by
	}
	var by []string
	for _, l := range meta.LabelArray() {
		if name := l.Get("k8s.io.cilium.k8s.policy.name"); name != "" {
			by = append(by, l.Get("k8s.io.cilium.k8s.policy.namespace")+"/"+name+"/"+l.Get("unspec."+specLabel))
		}
	}
	e.origins[text] = by
	return by
}
