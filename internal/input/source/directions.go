package source

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// directions returns the directions that a policy may be about, whatever else its spec says.
type directions func(spec *doc.Cursor) []policy.Direction

// only is for kinds that can have no other.
func only(d policy.Direction) directions {
	return func(*doc.Cursor) []policy.Direction { return []policy.Direction{d} }
}

// typed is for kinds with a list of directions in a field: those of the list, if it can be read, and
// those that there are rules for, which some CNIs apply too.
func typed(field string) directions {
	return func(spec *doc.Cursor) []policy.Direction {
		types := spec.Field(field)
		before := types.Problems()
		texts := types.Texts()
		unclear := func(text string) bool { return text != "Ingress" && text != "Egress" }
		if types.Problems() > before || len(texts) == 0 || slices.ContainsFunc(texts, unclear) {
			return policy.Directions[:]
		}
		var out []policy.Direction
		for _, d := range policy.Directions {
			if slices.ContainsFunc(texts, func(text string) bool { return strings.EqualFold(text, d.String()) }) || spec.Field(d.String()).IsSet() {
				out = append(out, d)
			}
		}
		return out
	}
}

// sections is for kinds that say nothing of a direction without rules for it: those that there are
// rules for. fields are the others that a spec may have; any more may be a misspelt section.
func sections(fields ...string) directions {
	return func(spec *doc.Cursor) []policy.Direction {
		found := map[policy.Direction]bool{}
		for key := range spec.Entries() {
			var known bool
			for _, d := range policy.Directions {
				if key == d.String() || key == d.String()+"Deny" {
					found[d], known = true, true
				}
			}
			if !known && !slices.Contains(fields, key) {
				return policy.Directions[:]
			}
		}
		if len(found) == 0 {
			return policy.Directions[:]
		}
		return slices.DeleteFunc(slices.Clone(policy.Directions[:]), func(d policy.Direction) bool { return !found[d] })
	}
}

// isolating is sections for kinds that may isolate a direction without rules for it: where a field
// names it, whatever it says.
func isolating(field string, fields ...string) directions {
	bySections := sections(append(fields, field)...)
	return func(spec *doc.Cursor) []policy.Direction {
		out := bySections(spec)
		for _, d := range policy.Directions {
			if spec.At(field, d.String()).IsSet() && !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
		slices.Sort(out)
		return out
	}
}

// atWorkloads is for Istio's kinds, which judge what comes in, unless they name something else than
// workloads: what goes out through a waypoint, too.
func atWorkloads(spec *doc.Cursor) []policy.Direction {
	if spec.Field("targetRef").IsSet() || spec.Field("targetRefs").IsSet() {
		return policy.Directions[:]
	}
	return []policy.Direction{policy.Ingress}
}

// directions returns those that an object of a kind may be about: of spec, and of each of
// specs.
func (o *object) directions(of directions) []policy.Direction {
	root := o.doc.Open(doc.Lenient)
	specs := root.Field("specs").Items()
	if spec := root.Field("spec"); spec.IsSet() || specs == nil {
		specs = append(specs, spec)
	}
	out := map[policy.Direction]bool{}
	for _, spec := range specs {
		if of == nil || !spec.IsMap() || root.Problems() > 0 {
			return policy.Directions[:]
		}
		for _, d := range of(spec) {
			out[d] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(policy.Directions[:]), func(d policy.Direction) bool { return !out[d] })
}

// onlyIn leaves the rules of some directions.
func onlyIn(rules []policy.Rule, dirs []policy.Direction) []policy.Rule {
	return slices.DeleteFunc(rules, func(r policy.Rule) bool { return !slices.Contains(dirs, r.Dir) })
}
