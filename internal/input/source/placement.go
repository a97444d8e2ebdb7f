package source

import (
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// maxPlaces bounds how many terms of node affinity are kept. What has more may run on any node.
const maxPlaces = 32

// readPlacement reads what of a pod's spec decides on which nodes it may run.
func readPlacement(c *doc.Cursor) model.Placement {
	p := model.Placement{OS: c.Field("os").Field("name").Text(), Scheduler: readName(c.Field("schedulerName"), nameForm), RuntimeClass: readName(c.Field("runtimeClassName"), nameForm)}
	for _, t := range c.Field("tolerations").Items() {
		one := model.Toleration{Key: t.Field("key").Text(), Value: t.Field("value").Text(), Exists: t.Field("operator").Text() == "Exists", Effect: t.Field("effect").Text()}
		if !slices.Contains(p.Tolerations, one) {
			p.Tolerations = append(p.Tolerations, one)
		}
	}
	set, _ := readLabels(c.Field("nodeSelector"))
	all := label.Equals(set)
	required := c.At("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution").Field("nodeSelectorTerms")
	if !required.IsSet() {
		p.Nodes = anyNode(all)
		return p
	}
	var terms []label.Selector
	for _, term := range required.Items() {
		sel, more := readNodeTerm(term)
		terms, p.AsksMore = append(terms, sel.And(all)), p.AsksMore || more
	}
	if len(terms) > maxPlaces {
		terms, p.AsksMore = []label.Selector{all}, true
	}
	p.Nodes = anyNode(terms...)
	return p
}

// anyNode returns selectors of nodes of which one fits, or nil if one of them fits every node.
func anyNode(terms ...label.Selector) []label.Selector {
	if slices.ContainsFunc(terms, label.Selector.SelectsAll) {
		return nil
	}
	return terms
}

// readNodeTerm reads what one term of a node's affinity asks of labels and of a node's name. What
// else it asks (numbers) or cannot be read leaves it too wide, not too narrow; more says so.
func readNodeTerm(c *doc.Cursor) (sel label.Selector, more bool) {
	for _, e := range c.Field("matchExpressions").Items() {
		if op := e.Field("operator").Text(); op == "Gt" || op == "Lt" {
			more = true
			continue
		}
		if key, values, ok := readRequirement(e); ok {
			sel = sel.Require(key, values)
		} else {
			more = true
		}
	}
	for _, e := range c.Field("matchFields").Items() { // which know a node's name alone
		values, op := e.Field("values").Texts(), e.Field("operator").Text()
		switch {
		case e.Field("key").Text() != model.NodeName || len(values) == 0:
			more = true
		case op == "In":
			sel = sel.Require(model.NodeName, label.In(values...))
		case op == "NotIn":
			sel = sel.Require(model.NodeName, label.NotIn(values...))
		default:
			more = true
		}
	}
	return sel, more
}

// runtimeClass reads where the pods of a RuntimeClass run.
func (p *part) runtimeClass(o *object) {
	defer p.close(o)
	set, _ := readLabels(o.root.At("scheduling", "nodeSelector"))
	if sel := label.Equals(set); !sel.SelectsAll() {
		p.runtimeClasses = append(p.runtimeClasses, runtimeClass{o.meta.name, sel})
	}
}

// runtimeClass is where the pods of a RuntimeClass run: its nodeSelector is added to theirs
// (kubernetes plugin/pkg/admission/runtimeclass/admission.go).
type runtimeClass struct {
	name  string
	nodes label.Selector
}

// place adds the nodeSelectors of RuntimeClasses to pods. Of several of one name it is not known
// which is there, so any of them may be.
func place(workloads []workload, classes []runtimeClass) {
	if len(classes) == 0 {
		return
	}
	for i := range workloads {
		for j := range workloads[i].Pods {
			p := &workloads[i].Pods[j].Placement
			if p.RuntimeClass == "" {
				continue
			}
			var nodes []label.Selector
			for _, c := range classes {
				if c.name != p.RuntimeClass {
					continue
				}
				if p.Nodes == nil {
					nodes = append(nodes, c.nodes)
				}
				for _, sel := range p.Nodes {
					nodes = append(nodes, sel.And(c.nodes))
				}
			}
			if nodes != nil {
				p.Nodes = nodes
			}
		}
	}
}
