package source

import (
	"context"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Live is how origins name a live cluster: an object's file is "cluster/Kind/namespace/name", and
// it has no line.
const Live = "cluster"

// Unread is what a live cluster serves and was not read, and why.
type Unread struct {
	Served
	Problem finding.Problem
}

// LoadLive puts together what was read of a live cluster: one object a file. A policy that judges
// nothing stands for each kind of policy that was not read, and, where only some namespaces were,
// for whatever policies hold in the others. Namespaces is nil if all were read. Its error is that
// of ctx.
func LoadLive(ctx context.Context, files []File, unread []Unread, namespaces []string) (*model.Snapshot, error) {
	var in inputs
	var unseen []label.Selector
	for _, f := range files {
		in.files = append(in.files, input{name: f.Name, read: func() ([]byte, error) { return f.Data, nil }, live: true})
	}
	for _, u := range unread {
		in.found.problems = append(in.found.problems, u.Problem)
		if stand, ok := u.stand(); ok {
			in.found.stand(stand)
		}
		if u.Group == "" && u.Kind == "Pod" {
			home := label.Selector{}
			if u.Namespace != "" {
				home = label.Named(u.Namespace)
			}
			unseen = append(unseen, home)
		}
	}
	if namespaces != nil {
		at := origin.Origin{File: Live}
		in.found.problems = append(in.found.problems, finding.Problem{Rule: ruleForbidden, Origin: at,
			Message: "read of these namespaces only: " + doc.Clean(strings.Join(namespaces, ", "), 200) + "; what runs in others, and their policies, Services and routes, is not known",
			Hint:    "-A reads all namespaces"})
		others := label.Selector{}.Require(label.MetadataName, label.NotIn(namespaces...))
		in.found.stand(policy.Policy{Origin: at, Rules: policy.NotJudged(policy.TierUnjudged, 0, policy.Subject{NS: others}, at)})
		unseen = append(unseen, others)
	}
	snap, err := in.load(ctx)
	if snap != nil {
		snap.Unread = unseen
	}
	return snap, err
}

// stand returns the policy that stands for those of a kind that were not read; ok is false if it is
// no kind of policy. What is missing of other kinds leaves less known than there is, which widens
// answers by itself.
func (u Unread) stand() (stand policy.Policy, ok bool) {
	k, ok := policyKindOf(u.Group, u.Kind)
	if !ok || k.beside {
		return policy.Policy{}, false
	}
	subject := everything
	if u.Namespace != "" && k.scope != clusterWide && (k.scope != meshWide || u.Namespace != istioRoot) {
		subject.NS = label.Named(u.Namespace)
	}
	dialect := policy.Dialect(doc.Clean(u.Group+" "+u.Kind, 80))
	if u.Kind == "" { // a group of which no kind is known
		dialect = ""
	}
	stand = policy.Policy{Origin: u.Problem.Origin, Dialect: dialect, Namespace: u.Namespace}
	if isDecoded(u.Served) {
		stand.Rules = notJudged(dialect, subject, stand.Origin)
	} else {
		stand.Rules = policy.NotJudged(policy.TierUnjudged, 0, subject, stand.Origin)
	}
	return stand, true
}
