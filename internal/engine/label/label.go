// Package label holds what is known of an object's labels, and selectors as constraints on them.
//
// A [Selector] is a conjunction of one constraint per key, and each constraint is a set of values
// (finite, or all but finitely many, with or without "absent"). Such sets are closed under
// intersection and complement, so questions about pods that do not exist yet have exact answers: a
// selector is also a cube of hypothetical label sets.
package label

import (
	"slices"
	"strings"
)

// MetadataName is the label that the API server gives every namespace, with the namespace's own
// name as value.
const MetadataName = "kubernetes.io/metadata.name"

// Set is a set of labels, by key.
type Set = map[string]string

type pair struct{ key, value string }

// Labels is what is known of one object's labels. The zero value is an object known to have none.
// It is immutable.
type Labels struct {
	pairs   []pair   // sorted by key
	unknown []string // sorted keys that are present with a value we do not know
	open    bool     // any other key may be present too
}

// Known returns the labels of an object of which every label is known.
func Known(set Set) Labels {
	l := Labels{pairs: make([]pair, 0, len(set))}
	for k, v := range set {
		l.pairs = append(l.pairs, pair{k, v})
	}
	slices.SortFunc(l.pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	return l
}

// WithUnknown returns l with more keys present, whose values nothing tells: what a controller
// generates.
func (l Labels) WithUnknown(keys ...string) Labels {
	unknown := slices.Clone(l.unknown)
	for _, k := range keys {
		if _, ok := l.Value(k); !ok {
			unknown = append(unknown, k)
		}
	}
	slices.Sort(unknown)
	l.unknown = slices.Compact(unknown)
	return l
}

// Open returns l with "and perhaps others": an object that is named but was never read.
func (l Labels) Open() Labels {
	l.open = true
	return l
}

// With returns l with key set to value.
func (l Labels) With(key, value string) Labels {
	set := l.Set()
	set[key] = value
	out := Known(set)
	out.open = l.open
	out.unknown = slices.DeleteFunc(slices.Clone(l.unknown), func(k string) bool { return k == key })
	return out
}

// Value returns the value of key, if it is known.
func (l Labels) Value(key string) (string, bool) {
	i, ok := slices.BinarySearchFunc(l.pairs, key, func(p pair, k string) int { return strings.Compare(p.key, k) })
	if !ok {
		return "", false
	}
	return l.pairs[i].value, true
}

// Set returns the labels whose values are known, as a new map.
func (l Labels) Set() Set {
	set := make(Set, len(l.pairs))
	for _, p := range l.pairs {
		set[p.key] = p.value
	}
	return set
}

// IsOpen reports whether keys that are not named may be present.
func (l Labels) IsOpen() bool { return l.open }

// Only returns what l says of the given keys, as a text equal for label sets that no selector on
// those keys can tell apart. keys are sorted.
func (l Labels) Only(keys []string) string {
	var b strings.Builder
	for _, k := range keys {
		if v, ok := l.Value(k); ok {
			b.WriteString(k + "\x00=" + v + "\x00")
		} else if slices.Contains(l.unknown, k) {
			b.WriteString(k + "\x00?\x00")
		}
	}
	if l.open {
		b.WriteString("\x00*")
	}
	return b.String()
}

// on returns the values that a key may have whose value is not known.
func (l Labels) on(key string) Values {
	switch {
	case slices.Contains(l.unknown, key):
		return Exists()
	case l.open:
		return Values{absent: true, except: true}
	}
	return Absent()
}
