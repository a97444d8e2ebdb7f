package source

import (
	"context"
	"fmt"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// The rules that problems go by.
const (
	ruleUnreadable = "TM901"
	ruleInvalid    = "TM902"
	ruleUnjudged   = "TM903"
	ruleDuplicate  = "TM904"
	ruleUnrendered = "TM905"
	ruleForbidden  = "TM906"
)

// maxProblems bounds the problems of one file. What comes after is counted, and widens everything.
const maxProblems = 1000

// part is what one file holds, before objects of different files are put together.
type part struct {
	namespaces     []model.Namespace
	workloads      []workload
	finished       []model.Finished
	services       []model.Service
	slices         []endpoints
	nodes          []model.Node
	routes         []route
	gateways       []gateway
	grants         []grant
	policies       []draft
	groups         []cidrGroup
	configMaps     []configMap
	runtimeClasses []runtimeClass
	networks       []attached
	homes          map[string]bool // namespaces that objects live in
	problems       []finding.Problem
	dropped        int // problems beyond maxProblems
	counts         model.Counts
}

// everything is the subject of a policy of which nothing is known.
var everything = policy.Subject{}

// readPart reads and decodes one file.
func readPart(ctx context.Context, in input) *part {
	p := &part{homes: map[string]bool{}}
	at := origin.Origin{File: in.name}
	data, err := in.read()
	if err != nil {
		p.unreadable(at, "cannot be read: "+doc.Clean(err.Error(), 80), "", everything)
		return p
	}
	p.counts.Files = 1
	docs, err := doc.Documents(data)
	if err != nil {
		at.Line = err.(*doc.Error).Line
		p.unreadable(at, "cannot be read: "+err.(*doc.Error).Message, "", everything)
		return p
	}
	for d := range docs {
		if ctx.Err() != nil {
			break
		}
		p.counts.Documents++
		if in.live {
			d.DropLines()
		}
		if d.Err != nil {
			p.unreadableDocument(&d, in.name)
		} else {
			p.document(&d, in.name)
		}
	}
	p.finish(at)
	return p
}

// finish says how many problems were not kept; what they were about stands for everything.
func (p *part) finish(at origin.Origin) {
	if p.dropped > 0 {
		p.problems = append(p.problems, finding.Problem{Rule: ruleUnreadable, Message: fmt.Sprintf("and %d more problems", p.dropped), Origin: at})
		p.stand(policy.Policy{Origin: at, Rules: policy.NotJudged(policy.TierUnjudged, 0, everything, at)})
	}
}

// problem records a problem and reports whether it was kept.
func (p *part) problem(rule string, at origin.Origin, message, hint string) bool {
	if len(p.problems) >= maxProblems {
		p.dropped++
		return false
	}
	p.problems = append(p.problems, finding.Problem{Rule: rule, Message: message, Hint: hint, Origin: at})
	return true
}

// stand puts a policy into the snapshot.
func (p *part) stand(pol policy.Policy) { p.policies = append(p.policies, draft{Policy: pol}) }

// unreadable records what could not be read at all; it may have said anything about subject.
func (p *part) unreadable(at origin.Origin, message, hint string, subject policy.Subject) {
	if p.problem(ruleUnreadable, at, message, hint) {
		p.stand(policy.Policy{Origin: at, Rules: policy.NotJudged(policy.TierUnjudged, 0, subject, at)})
	}
}

// unrendered records a chart or a kustomization; what it renders to may say anything, unless widens
// is false.
func (p *part) unrendered(at origin.Origin, message, hint string, widens bool) {
	p.problem(ruleUnrendered, at, message, hint)
	if widens {
		p.stand(policy.Policy{Origin: at, Rules: policy.NotJudged(policy.TierUnjudged, 0, everything, at)})
	}
}

// invalid records the problems of one reading of an object.
func (p *part) invalid(at origin.Origin, problems []doc.Problem) {
	for _, q := range problems {
		message := q.Message
		if q.Path != "" {
			message = q.Path + ": " + message
		}
		p.problem(ruleInvalid, at.At(q.Line), message, q.Hint)
	}
}
