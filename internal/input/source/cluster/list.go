package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// Fetch reads resources: each list whole, page by page, or not at all, and each object that has a
// name. The files, in the order of resources, hold one list or object each: that a list is whole,
// or empty, says something too. What is not there is no problem: an object that does not exist, and
// a type that the API server does not serve. Unread says why the others could not be read; it has
// their kind only where resources do. The error is an [*Error]: nothing could be read.
func (c *Client) Fetch(ctx context.Context, resources []source.Resource) (files []source.File, unread []source.Unread, err error) {
	wanted := make([]source.Served, len(resources))
	for i, r := range resources {
		wanted[i] = source.Served{Resource: r}
	}
	return c.fetch(ctx, wanted, true)
}

// fetch is Fetch; a type that is not served is a problem unless absent may be.
func (c *Client) fetch(ctx context.Context, wanted []source.Served, mayMiss bool) (files []source.File, unread []source.Unread, err error) {
	left := newBudget(c.limits.total)
	results := make([][]source.File, len(wanted))
	errs := make([]error, len(wanted))
	var wg sync.WaitGroup
	slots := make(chan struct{}, c.limits.parallel)
	for i := range wanted {
		wg.Add(1)
		go func() {
			defer wg.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i], errs[i] = c.read(ctx, wanted[i].Resource, left, mayMiss)
		}()
	}
	wg.Wait()
	answered := func(err error) bool { var status *statusError; return err == nil || errors.As(err, &status) }
	if mayMiss && len(errs) > 0 && ctx.Err() == nil && !slices.ContainsFunc(errs, answered) {
		return nil, nil, fatal(errs[0]) // to say the same of each would say less
	}
	for i, w := range wanted {
		var status *statusError
		switch err := errs[i]; {
		case err == nil:
			files = append(files, results[i]...)
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case errors.As(err, &status) && status.code == http.StatusUnauthorized:
			return nil, nil, fatal(err)
		case errors.As(err, &status) && status.code == http.StatusNotFound && (w.Name != "" || mayMiss):
		default:
			unread = append(unread, source.Unread{Served: w, Problem: problem(w, err)})
		}
	}
	return files, unread, nil
}

// problem says what could not be read, and what would let it be read.
func problem(w source.Served, err error) finding.Problem {
	verb, what := "list", w.String()
	if w.Name != "" {
		verb, what = "get", what+" "+doc.Clean(w.Name, 120)
	}
	if w.Namespace != "" {
		what += " in namespace " + doc.Clean(w.Namespace, 120)
	} else if w.Namespaced {
		what += " in all namespaces"
	}
	p := finding.Problem{Rule: "TM901", Origin: origin.Origin{File: source.Live}, Message: "cannot " + verb + " " + what + ": " + doc.Clean(err.Error(), maxMessage)}
	var status *statusError
	if errors.As(err, &status) && status.code == http.StatusForbidden {
		p.Rule, p.Message, p.Hint = "TM906", "needs "+verb+" on "+what, "toolmoat audit --print-rbac prints a role that allows what is needed"
	}
	return p
}

// address returns the path of a resource.
func address(r source.Resource) string {
	at := "apis/" + url.PathEscape(r.Group)
	if r.Group == "" {
		at = "api"
	}
	at += "/" + r.Version
	if r.Namespace != "" {
		at += "/namespaces/" + r.Namespace
	}
	if r.Plural != "" {
		at += "/" + r.Plural
	}
	if r.Name != "" {
		at += "/" + r.Name
	}
	return at
}

// read reads one resource. A list whose pages the server has forgotten halfway begins again. If
// whole, a list is one file.
func (c *Client) read(ctx context.Context, r source.Resource, left *budget, whole bool) ([]source.File, error) {
	at := address(r)
	if r.Name != "" {
		body, err := c.get(ctx, at, nil, plain)
		if err != nil {
			return nil, err
		}
		if err := left.spend(len(body)); err != nil {
			return nil, err
		}
		f, err := file(body, "", "")
		return []source.File{f}, err
	}
	for try := 1; ; try++ {
		files, err := c.list(ctx, at, left, whole)
		var status *statusError
		if err == nil || try == c.limits.tries || !errors.As(err, &status) || status.code != http.StatusGone {
			return files, err
		}
	}
}

// page is what is read of a list.
type page struct {
	APIVersion, Kind string
	Metadata         struct{ Continue string }
	Items            []json.RawMessage
}

// list reads every page of a list. Where objects are large, pages become small.
func (c *Client) list(ctx context.Context, at string, left *budget, whole bool) (out []source.File, err error) {
	limit, next, spent := c.limits.page, "", 0
	defer func() {
		if err != nil {
			left.back(spent)
		}
	}()
	for {
		query := url.Values{"limit": {strconv.Itoa(limit)}}
		if next != "" {
			query.Set("continue", next)
		}
		body, err := c.get(ctx, at, query, plain)
		if errors.Is(err, errTooLarge) && limit > 1 {
			limit = max(1, limit/8)
			continue
		} else if err != nil {
			return nil, err
		}
		if err := left.spend(len(body)); err != nil {
			return nil, err
		}
		spent += len(body)
		var p page
		if err := json.Unmarshal(body, &p); err != nil {
			return nil, fmt.Errorf("the answer is no list: %s", doc.Clean(err.Error(), maxMessage))
		}
		kind, ok := strings.CutSuffix(p.Kind, "List")
		if !ok || kind == "" || p.APIVersion == "" {
			return nil, fmt.Errorf("the answer is no list: kind %s", doc.Quote(p.Kind))
		}
		for _, item := range p.Items {
			f, err := file(item, p.APIVersion, kind)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
		switch p.Metadata.Continue {
		case "":
			if whole {
				return []source.File{joined(p, out)}, nil
			}
			return out, nil
		case next:
			return nil, errors.New("the list does not end: its next page is the same again")
		}
		next = p.Metadata.Continue
	}
}

// joined is one list of what was read of several pages.
func joined(last page, items []source.File) source.File {
	all := make([]json.RawMessage, len(items))
	for i, f := range items {
		all[i] = f.Data
	}
	data, _ := json.Marshal(map[string]any{"apiVersion": last.APIVersion, "kind": last.Kind, "items": all})
	return source.File{Name: doc.Clean(source.Live+"/"+last.Kind, 400), Data: data}
}

// file makes a file of an object, as if it had been written there: the items of a list do not
// repeat apiVersion and kind where these are those of the list. What only says who wrote which
// field is left out.
func file(object json.RawMessage, apiVersion, kind string) (source.File, error) {
	var head struct {
		APIVersion, Kind string
		Metadata         struct {
			Namespace, Name string
			ManagedFields   json.RawMessage
		}
	}
	if err := json.Unmarshal(object, &head); err != nil || object[0] != '{' {
		return source.File{}, errors.New("the answer holds what is no object")
	}
	data := []byte(object)
	if fields := head.Metadata.ManagedFields; fields != nil {
		whole := append([]byte(`"managedFields":`), fields...)
		data = bytes.Replace(data, whole, []byte(`"managedFields":[]`), 1)
	}
	if head.APIVersion == "" && head.Kind == "" {
		head.Kind = kind
		start, _ := json.Marshal(map[string]string{"apiVersion": apiVersion, "kind": kind})
		rest := bytes.TrimLeft(data[1:], " \t\r\n")
		if rest[0] != '}' {
			start[len(start)-1] = ','
			data = append(start, rest...)
		}
	}
	name := []string{source.Live, head.Kind, head.Metadata.Namespace, head.Metadata.Name}
	if head.Metadata.Namespace == "" {
		name = slices.Delete(name, 2, 3)
	}
	return source.File{Name: doc.Clean(strings.Join(name, "/"), 400), Data: data}, nil
}

// budget is how many bytes may still be kept.
type budget struct {
	left  atomic.Int64
	total int64
}

func newBudget(total int64) *budget {
	b := &budget{total: total}
	b.left.Store(total)
	return b
}

// leastCost is what an answer costs at least: a list of endless empty pages must end.
const leastCost = 4 << 10

func (b *budget) spend(n int) error {
	if b.left.Add(-int64(max(n, leastCost))) < 0 {
		return fmt.Errorf("%w: all that was read is more than %d MiB", errTooLarge, b.total>>20)
	}
	return nil
}

func (b *budget) back(n int) { b.left.Add(int64(n)) }
