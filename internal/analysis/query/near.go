package query

import (
	"cmp"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/spell"
)

// NameError says that a name means nothing in the input, or more than one thing.
type NameError struct {
	Message string
	Names   []string // what the user may have meant, likeliest first
}

func (e *NameError) Error() string { return e.Message }

// Hint says what to do about it; "" if nothing is known.
func (e *NameError) Hint() string {
	if len(e.Names) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(e.Names, " or ") + "?"
}

// withHint is the message and the hint in one.
func (e *NameError) withHint() string {
	if hint := e.Hint(); hint != "" {
		return e.Message + "; " + hint
	}
	return e.Message
}

// maxSuggestions bounds how many names an error suggests.
const maxSuggestions = 5

// Alike returns what the input has that n may have been meant to name, likeliest first: a name that
// is alike, the same name in another namespace or of another kind, a Service, a pod. Without a
// namespace n may be in any.
func Alike(s *model.Snapshot, n Name) []string {
	type candidate struct {
		name      string
		far, away int // how many changes make another name of it, and another namespace
	}
	var found []candidate
	object := strings.ToLower(n.Object)
	most := min(maxFar, 1+(len(object)+1)/4) // three changes make another name of a short one
	consider := func(ns, name, as string) {
		far := spell.Distance(object, name, most)
		if far > most {
			if len(object) < 3 || len(name) < 3 || !strings.Contains(name, object) && !strings.Contains(object, name) {
				return
			}
			far = maxFar
		}
		away := 0
		if n.Namespace != "" {
			away = spell.Distance(strings.ToLower(n.Namespace), ns, maxFar)
		}
		if far > 0 && away > 0 && far+away >= maxFar {
			return
		}
		found = append(found, candidate{as, far, away})
	}
	kinds := map[string]int{} // how many workloads have a name
	for i := range s.Workloads {
		kinds[s.Workloads[i].Namespace+"/"+s.Workloads[i].Name]++
	}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		as := w.Namespace + "/" + w.Name
		if kinds[as] > 1 {
			as = w.ID()
		}
		consider(w.Namespace, w.Name, as)
		for j := range w.Pods {
			if name := w.Pods[j].Name; name != "" && w.Kind != "Pod" {
				consider(w.Namespace, name, w.Namespace+"/Pod/"+name)
			}
		}
	}
	for i := range s.Services {
		svc := &s.Services[i]
		consider(svc.Namespace, svc.Name, svc.Namespace+"/Service/"+svc.Name)
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.away, b.away), cmp.Compare(strings.Count(a.name, "/"), strings.Count(b.name, "/")), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range found {
		if len(out) < maxSuggestions && !slices.Contains(out, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

// alikeHost is [Alike] for a host name that may be "name.namespace".
func alikeHost(s *model.Snapshot, host string) []string {
	labels := strings.SplitN(host, ".", 3)
	n := Name{Object: labels[0]}
	if len(labels) > 1 {
		n.Namespace = labels[1]
	}
	return Alike(s, n)
}

// maxFar is how many changes apart two names may be to be alike.
const maxFar = 3
