package cilium

import (
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

// place is one value of a manifest and where it hangs.
type place struct {
	path   string
	parent any // map[string]any or []any
	key    string
	index  int
	set    func(any) // replaces the value
	cut    func()    // takes an element out of its list
}

func (p place) value() any {
	switch parent := p.parent.(type) {
	case map[string]any:
		return parent[p.key]
	case []any:
		return parent[p.index]
	}
	return nil
}

// places lists every value below v, in a fixed order. v holds what a decoder makes: maps, lists of
// any, numbers and strings.
func places(v any, path string) []place { return placesIn(v, path, func([]any) {}) }

func placesIn(v any, path string, replace func([]any)) []place {
	var out []place
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			set := func(x any) { v[k] = x }
			out = append(out, place{path: path + "." + k, parent: v, key: k, set: set})
			out = append(out, placesIn(v[k], path+"."+k, func(l []any) { set(l) })...)
		}
	case []any:
		for i := range v {
			set := func(x any) { v[i] = x }
			cut := func() { replace(slices.Delete(slices.Clone(v), i, i+1)) }
			out = append(out, place{path: path + "[]", parent: v, index: i, set: set, cut: cut})
			out = append(out, placesIn(v[i], path+"[]", func(l []any) { set(l) })...)
		}
	}
	return out
}

// plainCopy returns a copy of o that holds nothing but what a decoder makes.
func plainCopy(o object) object {
	text, err := yaml.Marshal(o)
	if err != nil {
		panic(err)
	}
	out := object{}
	if err := yaml.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}
