package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/input/doc"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

const (
	plain = "application/json"
	// aggregated asks for all of discovery in one answer, which API servers give since 1.26.
	aggregated = plain + ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," + plain + ";g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList," + plain
)

// types is what an API server serves.
type types struct {
	served []source.Served // what can be listed, the preferred version of each group first
	silent []string        // groups of extensions that do not answer
}

// types asks what the API server serves.
func (c *Client) types(ctx context.Context) (*types, error) {
	var t types
	for _, root := range []string{"api", "apis"} {
		var list groupList
		if err := c.decode(ctx, root, aggregated, &list); err != nil {
			return nil, err
		}
		switch list.Kind {
		case "APIGroupDiscoveryList":
			list.add(&t)
		case "APIVersions", "APIGroupList":
			if err := c.oneByOne(ctx, root, list, &t); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("/%s: not what an API server answers: kind %s", root, doc.Quote(list.Kind))
		}
	}
	return &t, nil
}

func (c *Client) decode(ctx context.Context, at, accept string, into any) error {
	body, err := c.get(ctx, at, nil, accept)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("/%s: not what an API server answers: %s", at, doc.Clean(err.Error(), maxMessage))
	}
	return nil
}

// groupList is what is read of an APIGroupDiscoveryList (k8s.io/api, apidiscovery/v2), and of the
// APIVersions and the APIGroupList that stand for it where an API server is older
// (k8s.io/apimachinery, meta/v1).
type groupList struct {
	Kind  string
	Items []struct {
		Metadata struct{ Name string }
		Versions []struct {
			Version, Freshness string
			Resources          []struct {
				Resource, Scope string
				ResponseKind    struct{ Kind string }
				Verbs           []string
			}
		}
	}
	Versions []string
	Groups   []struct {
		Name             string
		Versions         []struct{ Version string }
		PreferredVersion struct{ Version string }
	}
}

// add adds the types of an APIGroupDiscoveryList, which has versions in their order. What an
// extension served when it last answered is not counted.
func (l *groupList) add(t *types) {
	for _, group := range l.Items {
		answers := len(group.Versions) == 0
		for _, v := range group.Versions {
			if v.Freshness == "Stale" {
				continue
			}
			answers = true
			for _, r := range v.Resources {
				at := source.Resource{Group: group.Metadata.Name, Version: v.Version, Plural: r.Resource}
				t.add(source.Served{Resource: at, Kind: r.ResponseKind.Kind, Namespaced: r.Scope == "Namespaced"}, r.Verbs)
			}
		}
		if !answers {
			t.silent = append(t.silent, group.Metadata.Name)
		}
	}
}

// add adds a type if it can be listed and is no part of another.
func (t *types) add(s source.Served, verbs []string) {
	if slices.Contains(verbs, "list") && !strings.Contains(s.Plural, "/") {
		t.served = append(t.served, s)
	}
}

// oneByOne asks for each version of each group.
func (c *Client) oneByOne(ctx context.Context, root string, list groupList, t *types) error {
	versions := map[string][]string{}
	var groups []string
	if root == "api" {
		groups, versions[""] = []string{""}, list.Versions
	}
	for _, g := range list.Groups {
		groups = append(groups, g.Name)
		for _, v := range g.Versions {
			if v.Version == g.PreferredVersion.Version {
				versions[g.Name] = append([]string{v.Version}, versions[g.Name]...)
			} else {
				versions[g.Name] = append(versions[g.Name], v.Version)
			}
		}
	}
	for _, group := range groups {
		answers := len(versions[group]) == 0
		for _, version := range versions[group] {
			var resources struct {
				Resources []struct {
					Name, Kind string
					Namespaced bool
					Verbs      []string
				}
			}
			at := source.Resource{Group: group, Version: version}
			err := c.decode(ctx, address(at), plain, &resources)
			var status *statusError
			if errors.As(err, &status) && (status.code >= 500 || status.code == http.StatusNotFound) {
				continue
			} else if err != nil {
				return err
			}
			answers = true
			for _, r := range resources.Resources {
				at.Plural = r.Name
				t.add(source.Served{Resource: at, Kind: r.Kind, Namespaced: r.Namespaced}, r.Verbs)
			}
		}
		if !answers {
			t.silent = append(t.silent, group)
		}
	}
	return nil
}
