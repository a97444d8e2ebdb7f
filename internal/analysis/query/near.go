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

// maxSuggestions bounds how many names an error suggests.
const maxSuggestions = 5

// suggest returns the names in s that are most like n.
func suggest(s *model.Snapshot, n Name) []string {
	type candidate struct {
		name string
		far  int
	}
	var found []candidate
	consider := func(ns, name, as string) {
		far := spell.Distance(n.Object, name, maxFar)
		if far > maxFar && len(n.Object) >= 3 && (strings.Contains(name, n.Object) || strings.Contains(n.Object, name)) {
			far = maxFar
		}
		if far > maxFar {
			return
		}
		if ns != n.Namespace {
			if far += 1 + spell.Distance(n.Namespace, ns, maxFar); far > maxFar && name != n.Object {
				return
			}
		}
		found = append(found, candidate{as, far})
	}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		consider(w.Namespace, w.Name, w.Namespace+"/"+w.Name)
	}
	for i := range s.Services {
		svc := &s.Services[i]
		consider(svc.Namespace, svc.Name, svc.Namespace+"/Service/"+svc.Name)
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(strings.Count(a.name, "/"), strings.Count(b.name, "/")), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range found {
		if len(out) < maxSuggestions && !slices.Contains(out, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

// maxFar is how many changes apart two names may be to be alike.
const maxFar = 3
