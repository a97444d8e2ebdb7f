package query

import (
	"cmp"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
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
		far := distance(n.Object, name, maxFar)
		if far > maxFar && len(n.Object) >= 3 && (strings.Contains(name, n.Object) || strings.Contains(n.Object, name)) {
			far = maxFar
		}
		if far > maxFar {
			return
		}
		if ns != n.Namespace {
			if far += 1 + distance(n.Namespace, ns, maxFar); far > maxFar && name != n.Object {
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

// distance returns how many single-character changes, insertions and deletions turn a into b, or most+1 if more than most do.
func distance(a, b string, most int) int {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > most {
		return most + 1
	}
	row := make([]int, len(a)+1)
	for i := range row {
		row[i] = i
	}
	for j := range len(b) {
		diagonal, least := row[0], j+1
		row[0] = j + 1
		for i := range len(a) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[i+1]
			row[i+1] = min(change, row[i]+1, row[i+1]+1)
			least = min(least, row[i+1])
		}
		if least > most {
			return most + 1
		}
	}
	return min(row[len(a)], most+1)
}
