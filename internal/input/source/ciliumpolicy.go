package source

import (
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// ciliumPolicy reads a cilium.io/v2 CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy. It
// accepts what both the definitions of the two and Cilium's own check accept (cilium v1.19.1,
// pkg/k8s/apis/cilium.io/client/crds/v2 and pkg/policy/api/rule_validation.go), and beyond that
// refuses unknown fields, which the API server would drop. What an option of Cilium has to allow
// makes the policy depend on it.
func (p *part) ciliumPolicy(o *object) {
	root := o.doc.Open(doc.Strict)
	root.Field("apiVersion")
	root.Field("kind")
	root.Field("status").Skip()
	placed := o.readPolicyMeta(root.Field("metadata"))
	p.home(o)

	d := ciliumDecoder{object: o, wide: policy.Subject{}}
	d.Policy = policy.Policy{Origin: o.at, Dialect: policy.Dialect(o.group + " " + o.kind), Namespace: o.meta.namespace, Name: o.meta.name}
	if o.meta.namespace != "" {
		d.wide = o.subject()
	}
	spec, specs := root.Field("spec"), root.Field("specs")
	if !spec.IsSet() && !specs.IsSet() {
		spec.Fail("missing", "a policy needs spec or specs")
	}
	if spec.IsSet() {
		d.spec(spec, "spec")
	}
	for i, item := range ciliumItems(specs) {
		if item.IsSet() {
			d.spec(item, "specs["+strconv.Itoa(i)+"]")
		}
	}

	problems := root.Close()
	if len(problems) == 0 {
		d.wantForms()
		p.policies = append(p.policies, d.draft)
		return
	}
	p.invalid(o.at, problems)
	subjects := d.subjects
	if !placed {
		subjects = []policy.Subject{everything}
	} else if d.unclear || len(subjects) == 0 && (d.nodes < d.specs || d.specs == 0) {
		subjects = []policy.Subject{d.wide}
	}
	pol := policy.Policy{Origin: o.at, Dialect: d.Dialect, Namespace: o.meta.namespace, Name: o.meta.name}
	for _, s := range subjects {
		pol.Rules = append(pol.Rules, onlyIn(notJudged(d.Dialect, s, o.at), o.directions(ciliumSections))...)
	}
	p.stand(pol)
}

// ciliumDecoder decodes one Cilium policy.
type ciliumDecoder struct {
	*object
	draft
	wide     policy.Subject   // every pod that it may be about
	subjects []policy.Subject // of each spec
	specs    int              // how many there are
	nodes    int              // how many of them are about nodes
	unclear  bool             // the selector of one could not be read
	forms    []policy.Fact    // that the plugin takes a form which not every version does

	// Of the spec that is being read:
	subject   policy.Subject
	specFacts []policy.Fact // what else must hold for it to be about them
	none      bool          // it is about no pods
	starting  bool          // it names endpoints that are starting
	host      bool          // it is about nodes
}

// need makes the policy depend on a fact about the cluster.
func (d *ciliumDecoder) need(f policy.Fact) {
	if !slices.Contains(d.If, f) {
		d.If = append(d.If, f)
	}
}

// takes notes that the policy has a form which not every version of Cilium takes.
func (d *ciliumDecoder) takes(q cni.Question) {
	if f := onPlugin(q); !slices.Contains(d.forms, f) {
		d.forms = append(d.forms, f)
	}
}

// wantForms makes what the policy says depend on the forms it has. Where one is refused the cluster
// may have the policy without it, or as it was before, or not at all.
func (d *ciliumDecoder) wantForms() {
	if d.forms == nil {
		return
	}
	for i := range d.Rules {
		d.Rules[i].If = slices.Concat(d.Rules[i].If, d.forms)
	}
	for i := range d.Isolations {
		d.Isolations[i].If = slices.Concat(d.Isolations[i].If, d.forms)
	}
	for _, f := range d.forms {
		for _, s := range d.subjects {
			for _, r := range notJudged(d.Dialect, s, d.at) {
				r.If = []policy.Fact{not(f)}
				d.Rules = append(d.Rules, r)
			}
		}
	}
}

// ciliumField is one of the four lists of rules in a spec.
type ciliumField struct {
	name   string
	dir    policy.Direction
	action policy.Action
}

var ciliumFields = [...]ciliumField{
	{"ingress", policy.Ingress, policy.Allow},
	{"ingressDeny", policy.Ingress, policy.Deny},
	{"egress", policy.Egress, policy.Allow},
	{"egressDeny", policy.Egress, policy.Deny},
}

// spec reads one spec. Rules of a direction make its subjects deny what no rule allows, unless
// enableDefaultDeny says otherwise; without rules it says nothing (cilium v1.19.1,
// pkg/policy/utils, RulesToPolicyEntries).
func (d *ciliumDecoder) spec(c *doc.Cursor, path string) {
	before := c.Problems()
	d.specs++
	d.about(c)
	if c.Problems() > before {
		d.unclear = true
	} else if !d.none {
		d.subjects = append(d.subjects, d.subject)
	}
	posture := c.Field("enableDefaultDeny")
	isolates := map[policy.Direction]bool{
		policy.Ingress: flag(posture.Field("ingress")),
		policy.Egress:  flag(posture.Field("egress")),
	}
	total, stanced := 0, policy.NoDirection
	for _, f := range ciliumFields {
		list := c.Field(f.name)
		items := ciliumItems(list)
		total += len(items)
		if len(items) > 0 && !d.none && isolates[f.dir] && stanced != f.dir {
			stanced = f.dir
			d.Isolations = append(d.Isolations, policy.Isolation{Tier: policy.TierNetworkPolicy, Dir: f.dir, Subject: d.subject, Else: policy.Deny,
				If: d.specFacts, Origin: d.at.At(list.Line())})
		}
		for i, item := range items {
			d.rule(item, f, path+"."+f.name+"["+strconv.Itoa(i)+"]")
		}
	}
	if total == 0 {
		c.Fail("no rules", "give it ingress, ingressDeny, egress or egressDeny; [{}] denies everything")
	}
	c.Field("description").Text()
	for _, item := range ciliumItems(c.Field("labels")) {
		key := item.Field("key")
		if failed := c.Problems(); key.Text() == "" && c.Problems() == failed {
			key.Fail("missing", "")
		}
		item.Field("source").Text()
		item.Field("value").Text()
	}
	value := c.Field("log").Field("value")
	if text := value.Text(); utf8.RuneCountInString(text) > 32 || slices.ContainsFunc([]rune(text), func(r rune) bool { return unicode.Is(unicode.C, r) }) {
		value.Fail("not at most 32 characters that can be printed", "")
	}
}

// flag reads a boolean that is true if absent.
func flag(c *doc.Cursor) bool {
	value := c.Bool()
	return value || !c.IsSet()
}

// about reads what a spec is about.
func (d *ciliumDecoder) about(c *doc.Cursor) {
	pods, nodes := c.Field("endpointSelector"), c.Field("nodeSelector")
	before := c.Problems()
	list := readCiliumSelector(pods, d.extendKey)
	readCiliumSelector(nodes, d.extendKey)
	d.subject, d.specFacts, d.none, d.host, d.starting = d.wide, nil, true, nodes.IsSet(), selectsStarting(list)
	switch {
	case c.Problems() > before:
	case pods.IsSet() && nodes.IsSet():
		nodes.Fail("beside an endpointSelector", "make them two specs")
	case nodes.IsSet() && d.meta.namespace != "":
		nodes.Fail("not allowed in a "+d.kind, "nodes are selected by a CiliumClusterwideNetworkPolicy")
	case nodes.IsSet(): // what runs on the network of a node is no endpoint of Cilium's
		d.nodes++
	case !pods.IsSet():
		pods.Fail("missing", "{} selects every pod")
	default:
		e := ciliumSubject(list, d.meta.namespace)
		d.subject, d.specFacts, d.none = e.Subject, e.facts, e.none
	}
}
