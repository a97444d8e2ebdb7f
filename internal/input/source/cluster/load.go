package cluster

import (
	"context"
	"fmt"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// Load reads what is judged of the cluster: of these namespaces, or of all if there are none. What
// cannot be read is a problem of the snapshot. Its error is an [*Error], or that of ctx.
func (c *Client) Load(ctx context.Context, namespaces []string) (*model.Snapshot, error) {
	types, err := c.types(ctx)
	if err != nil {
		return nil, fatal(err)
	}
	wanted := source.Wanted(types.served, namespaces)
	files, unread, err := c.fetch(ctx, wanted, false)
	if err != nil {
		return nil, err
	}
	for _, group := range types.silent {
		if source.HoldsPolicies(group) {
			unread = append(unread, source.Unread{Served: source.Served{Resource: source.Resource{Group: group}},
				Problem: finding.Problem{Rule: "TM901", Origin: origin.Origin{File: source.Live},
					Message: "what serves " + doc.Clean(group, 120) + " does not answer, so its policies cannot be read", Hint: "kubectl get apiservices shows what is wrong with it"}})
		}
	}
	snapshot, err := source.LoadLive(ctx, files, unread, namespaces)
	if err != nil {
		return nil, err
	}
	return snapshot, missing(snapshot, unread, namespaces)
}

// missing is the error that a namespace does not exist: who asks for one must not take silence for
// a pass.
func missing(s *model.Snapshot, unread []source.Unread, namespaces []string) error {
	seen := map[string]bool{}
	for _, u := range unread {
		if u.Kind == "Namespace" {
			seen[u.Name] = true
		}
	}
	for _, n := range s.Namespaces {
		seen[n.Name] = true
	}
	for _, name := range namespaces {
		if !seen[name] {
			return &Error{fmt.Sprintf("the cluster has no namespace %s", doc.Quote(name)), "kubectl get namespaces lists them"}
		}
	}
	return nil
}
