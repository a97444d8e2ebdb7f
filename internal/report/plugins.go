package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// plugins is the network plugins that a report speaks of, and whether it names all of them that it means.
type plugins struct {
	names []string
	whole bool
}

// pluginsNamed is how many plugins a phrase names before it counts.
const pluginsNamed = 3

// on says on which plugins something holds: "on a and b", "not on c", "on a, b and 4 more". It is "" for all of them.
func (p plugins) on(these []string) string {
	others := p.others(these)
	switch {
	case len(others) == 0:
		return ""
	case len(others) < len(these) && (p.whole || len(others) <= pluginsNamed):
		return "not on " + and(others)
	case p.whole || len(these) <= pluginsNamed:
		return "on " + and(these)
	}
	return fmt.Sprintf("on %s and %d more", strings.Join(these[:pluginsNamed-1], ", "), len(these)-pluginsNamed+1)
}

// only is the same for what is to be read as a limit.
func (p plugins) only(these []string) string {
	text := p.on(these)
	if strings.HasPrefix(text, "on ") {
		return "only " + text
	}
	return text
}

// others returns the plugins that are not these.
func (p plugins) others(these []string) []string {
	return slices.DeleteFunc(slices.Clone(p.names), func(name string) bool { return slices.Contains(these, name) })
}

// in returns the names of the plugins in w.
func (p plugins) in(w reach.Worlds) []string {
	var out []string
	for i, name := range p.names {
		if w.Has(i) {
			out = append(out, name)
		}
	}
	return out
}

// grades lists the plugins by what grade a server has on each, the worst first.
func (p plugins) grades(by map[string]string) string {
	names := map[string][]string{}
	for _, name := range p.names {
		names[by[name]] = append(names[by[name]], name)
	}
	grades := slices.SortedFunc(maps.Keys(names), func(a, b string) int { return cmp.Compare(b, a) })
	var out []string
	for i, g := range grades {
		on := p.on(names[g])
		if last := i == len(grades)-1; last && i > 0 && !p.whole && len(names[g]) > pluginsNamed {
			on = fmt.Sprintf("on the other %d", len(names[g]))
		} else if strings.HasPrefix(on, "not ") {
			on = "on " + and(names[g])
		}
		out = append(out, g+" "+on)
	}
	return strings.Join(out, "; ")
}

// and joins names as a sentence does.
func and(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
