// Package feeds knows the address ranges that providers publish: where, in which form, and what of
// them is known without a network.
//
// [Lookup] is what rules and generated policies need. Everything else serves to look at the copies
// and to renew them: [Update] is the only thing here that opens a connection, and what it gets is
// taken for hostile until it has passed every check.
package feeds

import (
	"fmt"
	"strings"
)

// Direction says who connects to whom. The zero value is unknown.
type Direction uint8

const (
	UnknownDirection Direction = iota
	To                         // the cluster connects to these addresses
	From                       // connections to the cluster come from these addresses
	Both                       // the provider does not tell them apart
	Retired                    // no longer the provider's: what allows them should be removed
)

func (d Direction) String() string {
	return [...]string{"unknown", "to them", "from them", "both", "retired"}[d]
}

// MarshalText writes the direction as "to", "from", "both", "retired" or "unknown".
func (d Direction) MarshalText() ([]byte, error) {
	word, _, _ := strings.Cut(d.String(), " ")
	return []byte(word), nil
}

// Feed is one publication of a provider.
type Feed struct {
	Name      string    // "github", "stripe/api"; what follows in a longer name is a section of it
	Title     string    // for people
	URL       string    // of an answer in JSON; "" where none can be fetched
	Page      string    // what the provider says about it to people
	Fresh     string    // how the publication says how fresh it is, or what the provider promises
	Direction Direction // of sections that Sections does not list
	Sections  []Section // what is known of sections beforehand; a publication may have others
	Shared    string    // who else is reached through the addresses, as a sentence; "" where nobody is
	Note      string    // what else one has to know, as a sentence
	Source    string    // where this was read

	decode decoder // nil where there is no JSON
}

// Section is a part of a feed.
type Section struct {
	Name      string // as in a name after the feed's: "api", "egress"
	Direction Direction
}

// Of returns the direction of a section by its path, or with "" of the whole.
func (f Feed) Of(path string) Direction {
	for _, s := range f.Sections {
		if s.Name == top(path) {
			return s.Direction
		}
		if path == "" && s.Direction != f.Direction {
			return Both
		}
	}
	return f.Direction
}

// NameError says that a name is no feed's.
type NameError struct {
	Name string
	Near []string // feeds that may be meant
}

func (e *NameError) Error() string { return fmt.Sprintf("there is no feed %q", e.Name) }

// Find returns the feed that a name means, and the path of the section: "aws/ec2/us-east-1" is the
// section "ec2/us-east-1" of aws, and "aws" all of it. Whether a copy has such a section is another
// question. Capitals do not matter. The error is a *[NameError].
func Find(name string) (f Feed, section string, err error) {
	name = strings.ToLower(name)
	for _, known := range All {
		if rest, ok := cutPath(name, known.Name); ok && len(known.Name) > len(f.Name) {
			f, section = known, rest
		}
	}
	if f.Name == "" {
		return Feed{}, "", unknown(name)
	}
	return f, section, nil
}

// Group returns the feeds that a name means: one, with or without a section, or those of a provider
// with several.
func Group(name string) ([]Feed, error) {
	var group []Feed
	name = strings.ToLower(name)
	for _, f := range All {
		if rest, ok := cutPath(f.Name, name); ok && rest != "" && name != "" {
			group = append(group, f)
		}
	}
	if group != nil {
		return group, nil
	}
	f, _, err := Find(name)
	return []Feed{f}, err
}

func unknown(name string) *NameError {
	e := &NameError{Name: name}
	for _, f := range All {
		if _, ok := cutPath(f.Name, top(name)); ok || len(name) > 2 && strings.Contains(f.Name, name) {
			e.Near = append(e.Near, f.Name)
		}
	}
	return e
}

// cutPath returns what follows prefix in a path, and whether the path is there or below it.
func cutPath(path, prefix string) (rest string, ok bool) {
	if prefix == "" || path == prefix {
		return strings.TrimPrefix(path, prefix), true
	}
	return strings.CutPrefix(path, prefix+"/")
}
