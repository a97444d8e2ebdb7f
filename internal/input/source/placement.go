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
		if key := t.Field("key").Text(); key != "" && !slices.Contains(p.Tolerates, key) {
			p.Tolerates = append(p.Tolerates, key)
		}
	}
	set, _ := readLabels(c.Field("nodeSelector"))
	all := label.Equals(set)
	required := c.At("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution").Field("nodeSelectorTerms")
	if !required.IsSet() {
		if !all.SelectsAll() {
			p.Nodes = []label.Selector{all}
		}
		return p
	}
	for _, term := range required.Items() {
		if sel, ok := readNodeTerm(term); ok && len(p.Nodes) < maxPlaces {
			p.Nodes = append(p.Nodes, sel.And(all))
		} else {
			return model.Placement{OS: p.OS, Scheduler: p.Scheduler, RuntimeClass: p.RuntimeClass, Tolerates: p.Tolerates} // any node
		}
	}
	return p
}

// readNodeTerm reads one term of a node's affinity; ok is false for one that asks for more than
// labels with values.
func readNodeTerm(c *doc.Cursor) (sel label.Selector, ok bool) {
	if c.Field("matchFields").IsSet() {
		return label.Selector{}, false
	}
	for _, e := range c.Field("matchExpressions").Items() {
		switch e.Field("operator").Text() {
		case "Gt", "Lt":
			return label.Selector{}, false
		}
		key, values, fine := readRequirement(e)
		if !fine {
			return label.Selector{}, false
		}
		sel = sel.Require(key, values)
	}
	return sel, true
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
