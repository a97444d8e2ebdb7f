package source

import (
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// object is one Kubernetes object while it is being read.
type object struct {
	doc  *doc.Document
	root *doc.Cursor // lenient

	group, version, kind string

	meta meta
	at   origin.Origin
}

// meta is what decides of an object's metadata.
type meta struct {
	namespace   string // "" if none is written
	name        string
	labels      label.Set
	annotations label.Set
	owner       owner
	sound       bool // the labels could be read and are valid
}

// owner is the workload that made an object; the zero value is none.
type owner struct{ kind, name string }

// subject returns every pod of o's own namespace.
func (o *object) subject() policy.Subject { return policy.Subject{NS: label.Named(o.meta.namespace)} }

// document reads a document that is well-formed.
func (p *part) document(d *doc.Document, file string) {
	root := d.Open(doc.Lenient)
	if !root.IsMap() {
		p.counts.Foreign++
		return
	}
	apiVersion, kind := typeOf(root, d.List)
	o := &object{doc: d, root: root, kind: kind, at: origin.Origin{File: file, Line: root.Line()}}
	var grouped bool
	if o.group, o.version, grouped = strings.Cut(apiVersion, "/"); !grouped {
		o.group, o.version = "", apiVersion
	}
	switch {
	case strings.HasSuffix(kind, "List") && p.list(o, apiVersion):
	case apiVersion == "" || kind == "":
		p.typeless(o, apiVersion)
	default:
		p.typed(o)
	}
}

// list judges a list that doc has not taken apart, and reports whether o is one: it is empty, or it
// is no proper list.
func (p *part) list(o *object, apiVersion string) bool {
	items := o.root.Field("items")
	before := o.root.Problems()
	switch n := len(items.Items()); {
	case o.root.Problems() > before:
		o.at.Line = items.Line()
		p.notJudged(o, ruleInvalid, "items: not a list", "", "", policy.TierUnjudged, 0, everything)
	case n > 0 && apiVersion == "":
		p.notJudged(o, ruleInvalid, "apiVersion: missing or not a text", typeHint, "", policy.TierUnjudged, 0, everything)
	case n == 0 && apiVersion != "":
		p.ignore(o)
	default:
		return false
	}
	return true
}

// typed reads an object whose type is known.
func (p *part) typed(o *object) {
	if read, ok := readers[groupKind{o.group, o.kind}]; ok {
		o.readMeta()
		p.home(o)
		read(p, o)
		return
	}
	if read, ok := policyReaders[groupVersionKind{o.group, o.version, o.kind}]; ok {
		read(p, o)
		return
	}
	o.peekMeta()
	if kind, ok := policyKindOf(o.group, o.kind); ok {
		p.unjudged(o, kind)
	} else {
		p.ignore(o)
		p.perhapsRoute(o)
	}
	p.home(o)
}

// typeOf returns the apiVersion and kind of an object, as far as they are texts. The items of a
// typed list have those of the list, as in kubectl.
func typeOf(root *doc.Cursor, list *doc.List) (apiVersion, kind string) {
	if c := root.Field("apiVersion"); c.IsText() {
		apiVersion = c.Text()
	}
	if c := root.Field("kind"); c.IsText() {
		kind = c.Text()
	}
	if list == nil || root.Field("apiVersion").IsSet() || root.Field("kind").IsSet() {
		return apiVersion, kind
	}
	if item, ok := strings.CutSuffix(list.Kind, "List"); ok && item != "" {
		return list.APIVersion, item
	}
	return "", ""
}

const typeHint = "an object needs both apiVersion and kind, as texts"

// typeless judges a map without a whole type. Most are no Kubernetes objects; one that is nearly a
// policy may have been meant as one.
func (p *part) typeless(o *object, apiVersion string) {
	_, isGroup := policyGroups[o.group]
	switch {
	case o.kind != "" && policyScopes[o.kind] != noPolicy:
		o.peekMeta()
		subject := everything
		if policyScopes[o.kind] == namespaced && isDNSLabel(o.meta.namespace) {
			subject = o.subject()
		}
		o.at.Object = title(o.kind, o.meta.namespace, o.meta.name)
		p.notJudged(o, ruleInvalid, "apiVersion: missing or not a text", typeHint, policy.Dialect(o.kind), policy.TierUnjudged, 0, subject)
	case o.kind != "" && coreKinds[o.kind]:
		o.peekMeta()
		o.at.Object = title(o.kind, o.meta.namespace, o.meta.name)
		p.problem(ruleInvalid, o.at, "apiVersion: missing or not a text", typeHint)
	case apiVersion != "" && isGroup && o.root.Field("metadata").IsMap():
		p.notJudged(o, ruleInvalid, "kind: missing or not a text", typeHint, policy.Dialect(o.group), policy.TierUnjudged, 0, everything)
	default:
		p.counts.Foreign++
	}
}

// notJudged records a problem with an object of a policy kind, and lets a policy that judges
// nothing stand for it.
func (p *part) notJudged(o *object, rule, message, hint string, dialect policy.Dialect, tier policy.Tier, order float64, subject policy.Subject, dirs ...policy.Direction) {
	if p.problem(rule, o.at, message, hint) {
		rules := policy.NotJudged(tier, order, subject, o.at)
		if dirs != nil {
			rules = onlyIn(rules, dirs)
		}
		p.stand(policy.Policy{Origin: o.at, Dialect: dialect, Namespace: o.meta.namespace, Name: o.meta.name, Rules: rules})
	}
}

// ignore counts an object that says nothing about reachability.
func (p *part) ignore(o *object) {
	kind := o.kind
	if o.group != "" {
		kind += "." + o.group
	}
	p.counts.Ignored++
	p.ignoredKind(doc.Clean(kind, 120), 1)
}

// over notes a pod or a Job that has finished: it says nothing about reachability, but may be asked
// about.
func (p *part) over(o *object, state string) {
	p.ignore(o)
	f := model.Finished{Namespace: o.meta.namespace, Kind: o.kind, Name: o.meta.name, State: state}
	if o.meta.owner.name != "" {
		f.Owner = o.meta.owner.kind + "/" + o.meta.owner.name
	}
	p.finished = append(p.finished, f)
}

// ignoredKind adds n to the count of a kind. A kind beyond those that are kept is in the total
// alone.
func (p *part) ignoredKind(kind string, n int) {
	kinds := p.counts.IgnoredKinds
	if kinds == nil {
		kinds = map[string]int{}
		p.counts.IgnoredKinds = kinds
	}
	if _, ok := kinds[kind]; ok || len(kinds) < model.MaxIgnoredKinds {
		kinds[kind] += n
	}
}

// home notes the namespace that o lives in.
func (p *part) home(o *object) {
	if o.meta.namespace != "" {
		p.homes[o.meta.namespace] = true
	}
}

// title names an object as origins do.
func title(kind, namespace, name string) string {
	text := kind + " "
	if namespace != "" {
		text += namespace + "/"
	}
	return doc.Clean(text+name, 200)
}

// peekMeta reads name and namespace where they are plain, and reports no problems.
func (o *object) peekMeta() {
	m := o.root.Field("metadata")
	if !m.IsMap() {
		return
	}
	if c := m.Field("name"); c.IsText() {
		if o.meta.name = c.Text(); !isSubdomain(o.meta.name) {
			o.meta.name = bounded(o.meta.name)
		}
	}
	if c := m.Field("namespace"); c.IsText() {
		if o.meta.namespace = c.Text(); !isDNSLabel(o.meta.namespace) {
			o.meta.namespace = bounded(o.meta.namespace)
		}
	}
	o.at.Object = title(o.kind, o.meta.namespace, o.meta.name)
}

// readMeta reads the metadata of an object that is decoded. The problems are those of o.root.
func (o *object) readMeta() {
	m := o.root.Field("metadata")
	name, before := m.Field("name"), m.Problems()
	o.meta.name = readName(name, nameForm)
	if o.meta.name == "" && m.Problems() == before {
		if o.meta.name = readName(m.Field("generateName"), generatedForm); o.meta.name == "" && m.Problems() == before {
			name.Fail("missing", "every object needs a name")
		}
	}
	if !clusterKinds[o.kind] {
		o.meta.namespace = readNamespace(m.Field("namespace"))
	}
	o.meta.labels, o.meta.sound = readLabels(m.Field("labels"))
	o.meta.annotations = readAnnotations(m.Field("annotations"))
	o.meta.owner = readOwner(m.Field("ownerReferences"))
	o.at.Object = title(o.kind, o.meta.namespace, o.meta.name)
}

// readLabels reads a map of labels; sound is false if some of them could not be read or are not
// valid.
func readLabels(c *doc.Cursor) (set label.Set, sound bool) {
	before := c.Problems()
	for key, value := range c.Entries() {
		failed := c.Problems()
		text := value.Text()
		switch {
		case c.Problems() > failed:
		case !isLabelKey(key):
			value.Fail("not a valid label key: "+doc.Quote(key), "")
		case !isLabelValue(text):
			value.Fail("not a valid label value: "+doc.Quote(text), "letters, digits, '-', '_' and '.', at most 63 of them")
		default:
			if set == nil {
				set = label.Set{}
			}
			set[key] = text
		}
	}
	return set, c.Problems() == before
}

// lastApplied is a copy of the whole object that kubectl keeps; nothing reads it.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func readAnnotations(c *doc.Cursor) label.Set {
	set := label.Set(c.TextMap())
	delete(set, lastApplied)
	return set
}

// readOwner returns the owner that controls the object, if it is a workload.
func readOwner(c *doc.Cursor) owner {
	for _, ref := range c.Items() {
		if !ref.Field("controller").Bool() {
			continue
		}
		if kind := ref.Field("kind").Text(); controllers[kind] {
			return owner{kind, readName(ref.Field("name"), nameForm)}
		}
	}
	return owner{}
}

// close records the problems of reading o.
func (p *part) close(o *object) { p.invalid(o.at, o.root.Close()) }
