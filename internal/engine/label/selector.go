package label

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Values is a constraint on one key: a set of values that is finite or leaves finitely many out,
// together with whether the key may be absent. The zero value allows nothing.
type Values struct {
	absent bool     // the key may be missing
	except bool     // list names the values left out rather than those allowed
	list   []string // sorted, without repeats
}

// In allows the given values.
func In(values ...string) Values { return Values{list: sorted(values)} }

// NotIn allows every other value, and the key's absence, as Kubernetes' NotIn does.
func NotIn(values ...string) Values { return Values{absent: true, except: true, list: sorted(values)} }

// Exists allows every value.
func Exists() Values { return Values{except: true} }

// Absent allows only that the key is missing, as DoesNotExist does.
func Absent() Values { return Values{absent: true} }

func sorted(values []string) []string {
	out := slices.Clone(values)
	slices.Sort(out)
	return slices.Compact(out)
}

// IsEmpty reports whether v allows nothing.
func (v Values) IsEmpty() bool { return !v.absent && !v.except && len(v.list) == 0 }

// isAny reports whether v constrains nothing.
func (v Values) isAny() bool { return v.absent && v.except && len(v.list) == 0 }

// Allows reports whether value is allowed.
func (v Values) Allows(value string) bool {
	_, listed := slices.BinarySearch(v.list, value)
	return listed != v.except
}

// AllowsAbsent reports whether the key may be missing.
func (v Values) AllowsAbsent() bool { return v.absent }

// Listed returns the values that v names: those allowed, or with others true those left out.
func (v Values) Listed() (values []string, others bool) { return slices.Clone(v.list), v.except }

func (v Values) not() Values { return Values{absent: !v.absent, except: !v.except, list: v.list} }

func (v Values) and(w Values) Values {
	out := Values{absent: v.absent && w.absent, except: v.except && w.except}
	switch {
	case v.except && w.except && len(v.list) == 0:
		out.list = w.list
	case v.except && w.except && len(w.list) == 0:
		out.list = v.list
	case v.except && w.except:
		out.list = sorted(append(slices.Clone(v.list), w.list...))
	case v.except:
		out.list = keep(w.list, v)
	default:
		out.list = keep(v.list, w)
	}
	return out
}

func keep(list []string, v Values) []string {
	var out []string
	for _, x := range list {
		if v.Allows(x) {
			out = append(out, x)
		}
	}
	return out
}

// overlaps reports whether v and w allow something in common.
func (v Values) overlaps(w Values) bool {
	switch {
	case v.absent && w.absent, v.except && w.except:
		return true
	case v.except:
		v, w = w, v
	}
	return slices.ContainsFunc(v.list, w.Allows)
}

// within reports whether w allows all that v does.
func (v Values) within(w Values) bool {
	switch {
	case v.absent && !w.absent, v.except && !w.except:
		return false
	case v.except:
		return !slices.ContainsFunc(w.list, v.Allows)
	}
	return !slices.ContainsFunc(v.list, func(x string) bool { return !w.Allows(x) })
}

func (v Values) equal(w Values) bool {
	return v.absent == w.absent && v.except == w.except && slices.Equal(v.list, w.list)
}

type requirement struct {
	key    string
	values Values
}

// Selector is a conjunction of constraints, one a key. The zero value selects everything. It is
// immutable.
type Selector struct{ reqs []requirement } // sorted by key; none of them allows everything

// Require returns s with one more constraint on key.
func (s Selector) Require(key string, v Values) Selector {
	if v.isAny() {
		return s
	}
	return s.And(Selector{[]requirement{{key, v}}})
}

// Equals returns the selector of a matchLabels map.
func Equals(set Set) Selector {
	var s Selector
	for k, v := range set {
		s.reqs = append(s.reqs, requirement{k, In(v)})
	}
	slices.SortFunc(s.reqs, func(a, b requirement) int { return cmp.Compare(a.key, b.key) })
	return s
}

// Named returns the selector of the namespace called name, by the label every namespace carries.
func Named(name string) Selector { return Selector{[]requirement{{MetadataName, In(name)}}} }

// SelectsAll reports whether s constrains nothing.
func (s Selector) SelectsAll() bool { return len(s.reqs) == 0 }

// IsEmpty reports whether no label set can satisfy s.
func (s Selector) IsEmpty() bool {
	return slices.ContainsFunc(s.reqs, func(r requirement) bool { return r.values.IsEmpty() })
}

// On returns what s asks of key.
func (s Selector) On(key string) Values {
	for _, r := range s.reqs {
		if r.key == key {
			return r.values
		}
	}
	return Values{absent: true, except: true}
}

// Keys returns the keys that s constrains, sorted.
func (s Selector) Keys() []string {
	keys := make([]string, len(s.reqs))
	for i, r := range s.reqs {
		keys[i] = r.key
	}
	return keys
}

// Equal reports whether s and t are the same constraints.
func (s Selector) Equal(t Selector) bool {
	return slices.EqualFunc(s.reqs, t.reqs, func(a, b requirement) bool { return a.key == b.key && a.values.equal(b.values) })
}

// Match reports whether an object certainly satisfies s (must) and whether it possibly does (may).
func (s Selector) Match(l Labels) (must, may bool) {
	must = true
	for _, r := range s.reqs {
		if value, known := l.Value(r.key); known {
			if !r.values.Allows(value) {
				return false, false
			}
			continue
		}
		has := l.on(r.key)
		if !has.overlaps(r.values) {
			return false, false
		}
		must = must && has.within(r.values)
	}
	return must, true
}

// And returns the selector of what satisfies both s and t.
func (s Selector) And(t Selector) Selector {
	switch {
	case len(s.reqs) == 0:
		return t
	case len(t.reqs) == 0:
		return s
	}
	out := make([]requirement, 0, len(s.reqs)+len(t.reqs))
	i, j := 0, 0
	for i < len(s.reqs) || j < len(t.reqs) {
		switch {
		case j == len(t.reqs) || i < len(s.reqs) && s.reqs[i].key < t.reqs[j].key:
			out = append(out, s.reqs[i])
			i++
		case i == len(s.reqs) || t.reqs[j].key < s.reqs[i].key:
			out = append(out, t.reqs[j])
			j++
		default:
			out = append(out, requirement{s.reqs[i].key, s.reqs[i].values.and(t.reqs[j].values)})
			i, j = i+1, j+1
		}
	}
	return Selector{slices.DeleteFunc(out, func(r requirement) bool { return r.values.isAny() })}
}

// Overlaps reports whether some label set satisfies both s and t.
func (s Selector) Overlaps(t Selector) bool {
	return !s.IsEmpty() && !t.IsEmpty() && !slices.ContainsFunc(s.reqs, func(r requirement) bool { return !r.values.overlaps(t.On(r.key)) })
}

// Within reports whether every label set that satisfies s satisfies t.
func (s Selector) Within(t Selector) bool {
	return s.IsEmpty() || !slices.ContainsFunc(t.reqs, func(r requirement) bool { return !s.On(r.key).within(r.values) })
}

// Minus returns disjoint selectors that together hold what satisfies s and not t.
func (s Selector) Minus(t Selector) []Selector {
	if !s.Overlaps(t) {
		return []Selector{s}
	}
	var out []Selector
	within := s
	for _, r := range t.reqs {
		if part := within.Require(r.key, r.values.not()); !part.IsEmpty() {
			out = append(out, part)
		}
		within = within.Require(r.key, r.values)
	}
	return out
}

// Example returns labels that satisfy s, as few as possible; ok is false if none can.
func (s Selector) Example() (set Set, ok bool) {
	set = Set{}
	for _, r := range s.reqs {
		switch {
		case r.values.IsEmpty():
			return nil, false
		case r.values.absent:
		case !r.values.except:
			set[r.key] = r.values.list[0]
		default:
			set[r.key] = fresh(r.values)
		}
	}
	return set, true
}

// fresh returns a value that v, which leaves values out, does not leave out.
func fresh(v Values) string {
	for i := 0; ; i++ {
		text := "any"
		if i > 0 {
			text += strconv.Itoa(i)
		}
		if v.Allows(text) {
			return text
		}
	}
}

// String writes s in kubectl's selector language: "app=web,tier in (a,b),!legacy"; "everything" for
// no constraint.
func (s Selector) String() string {
	if len(s.reqs) == 0 {
		return "everything"
	}
	parts := make([]string, len(s.reqs))
	for i, r := range s.reqs {
		parts[i] = r.String()
	}
	return strings.Join(parts, ",")
}

func (r requirement) String() string {
	list := strings.Join(r.values.list, ",")
	switch v := r.values; {
	case v.IsEmpty():
		return r.key + " in ()"
	case !v.except && !v.absent && len(v.list) == 1:
		return r.key + "=" + list
	case !v.except && !v.absent:
		return fmt.Sprintf("%s in (%s)", r.key, list)
	case v.except && v.absent && len(v.list) == 1:
		return r.key + "!=" + list
	case v.except && v.absent:
		return fmt.Sprintf("%s notin (%s)", r.key, list)
	case v.except && len(v.list) == 0:
		return r.key
	case v.except:
		return fmt.Sprintf("%s,%s notin (%s)", r.key, r.key, list)
	case len(v.list) == 0:
		return "!" + r.key
	}
	return fmt.Sprintf("(!%s or %s in (%s))", r.key, r.key, list)
}

// Without returns s without its constraint on key, if drop says so.
func (s Selector) Without(key string, drop func(Values) bool) Selector {
	return Selector{slices.DeleteFunc(slices.Clone(s.reqs), func(r requirement) bool { return r.key == key && drop(r.values) })}
}
