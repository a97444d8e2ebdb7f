// Package catalog knows well-known MCP servers: how to recognise them and which destinations they
// need.
//
// The data is embedded (catalog.json) and was collected from public registries and the servers' own
// repositories; every entry names its sources, as "owner/repository path". What no source states is
// left out or marked unverified. An entry says what a server needs; that a workload matches one
// proves nothing about what it does.
package catalog

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Class says where a server's destinations come from. The zero value is unknown.
type Class uint8

const (
	UnknownClass Class = iota
	None               // needs no network
	Fixed              // the hosts of the entry, unless the environment replaces them
	Templated          // hosts that a region, account or site in the environment completes
	EnvAddressed       // whatever the environment names, inside the cluster or outside
	KubeAPI            // the Kubernetes API server
	OpenFetch          // any public web address: a floor and a proxy can hold it, a list of hosts cannot
)

var classNames = [...]string{"unknown", "none", "fixed", "templated", "envAddressed", "kubeAPI", "openFetch"}

func (c Class) String() string { return classNames[c] }

// MarshalText writes the class's name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a class by name; "unknown" is none of them.
func (c *Class) UnmarshalText(text []byte) error {
	i := slices.Index(classNames[:], string(text))
	if i <= 0 {
		return fmt.Errorf("class %q is not one of %s", text, strings.Join(classNames[1:], ", "))
	}
	*c = Class(i)
	return nil
}

// Entry is a known server. Its slices are shared and must not be changed.
type Entry struct {
	ID        string        `json:"id"`
	Title     string        `json:"title"`
	Class     Class         `json:"class"`
	Images    []string      `json:"images,omitempty"` // repository paths of two segments or more, without registry host and tag
	Packages  []Package     `json:"packages,omitempty"`
	Ports     []netset.Port `json:"ports,omitempty"`     // TCP, where it answers unless told otherwise
	Transport string        `json:"transport,omitempty"` // stdio, sse or streamable-http, unless told otherwise
	Hosts     []Host        `json:"hosts,omitempty"`
	Env       []Env         `json:"env,omitempty"`
	Evidence  []string      `json:"evidence"`
}

// Package is a name under which a server is published.
type Package struct {
	Kind       string `json:"kind"` // npm, pypi
	Name       string `json:"name"`
	Unverified bool   `json:"unverified,omitempty"` // widely used, but none of the entry's sources states it
}

// Env is an environment variable that names a destination: a URL, a connection string or a host.
type Env struct {
	Name     string      `json:"name"`
	Port     netset.Port `json:"port,omitempty"`     // where neither the value nor its scheme names one; 0 if nothing tells
	PortEnv  string      `json:"portEnv,omitempty"`  // the variable that holds the port, if it has one of its own
	Replaces bool        `json:"replaces,omitempty"` // when set, the entry's hosts are not needed
}

// Host is a destination by name; Name may start with "*." for every name below a domain (not the
// domain itself).
type Host struct {
	Name string
	Port netset.Port
}

// String writes h as "host", or "host:port" if the port is not 443.
func (h Host) String() string {
	if h.Port == 443 {
		return h.Name
	}
	return h.Name + ":" + strconv.Itoa(int(h.Port))
}

// MarshalText writes h as String does.
func (h Host) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads "host" or "host:port".
func (h *Host) UnmarshalText(text []byte) error {
	name, port, found := strings.Cut(string(text), ":")
	h.Name, h.Port = name, 443
	if found {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("host %q: port is not a number from 1 to 65535", text)
		}
		h.Port = netset.Port(n)
	}
	rest := strings.TrimPrefix(name, "*.")
	if rest == "" || !strings.Contains(rest, ".") || strings.ContainsFunc(rest, func(r rune) bool {
		return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) {
		return fmt.Errorf("%q is no host name in lower case", text)
	}
	return nil
}

//go:embed catalog.json
var data []byte

// decode reads entries strictly: an unknown key is an error.
func decode(text []byte) ([]Entry, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var entries []Entry
	if err := d.Decode(&entries); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("catalogue: text after the list")
	}
	return entries, nil
}

// index finds entries; it is built once, on first use.
type index struct {
	entries  []Entry // sorted by ID
	images   map[string]int
	packages map[Package]int // with Unverified false and a canonical name
}

var load = sync.OnceValue(func() index {
	entries, err := decode(data)
	if err != nil {
		panic(err) // the data is part of the program, and a test decodes it
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	x := index{entries, map[string]int{}, map[Package]int{}}
	for i, e := range entries {
		for _, image := range e.Images {
			x.images[image] = i
		}
		for _, p := range e.Packages {
			x.packages[Package{Kind: p.Kind, Name: canonical(p.Kind, p.Name)}] = i
		}
	}
	return x
})

// All returns every entry, sorted by ID.
func All() []Entry { return slices.Clone(load().entries) }

// ByID returns the entry called id.
func ByID(id string) (Entry, bool) {
	x := load()
	i, ok := slices.BinarySearchFunc(x.entries, id, func(e Entry, id string) int { return strings.Compare(e.ID, id) })
	if !ok {
		return Entry{}, false
	}
	return x.entries[i], true
}

// ByImage returns the entry of an image reference. Only the repository path counts, and more may
// stand before it, so that a mirror ("harbor.corp/mirror/github/github-mcp-server:v1") is
// recognised; the longest known path wins.
func ByImage(ref string) (Entry, bool) {
	image, ok := ParseImage(ref)
	if !ok {
		return Entry{}, false
	}
	x := load()
	for path := image.Path; strings.Contains(path, "/"); {
		if i, ok := x.images[path]; ok {
			return x.entries[i], true
		}
		_, path, _ = strings.Cut(path, "/")
	}
	return Entry{}, false
}

// ByPackage returns the entry of a package by kind (npm, pypi) and name, without version or extras.
func ByPackage(kind, name string) (Entry, bool) {
	x := load()
	if i, ok := x.packages[Package{Kind: kind, Name: canonical(kind, name)}]; ok {
		return x.entries[i], true
	}
	return Entry{}, false
}

// canonical returns the spelling under which equal package names are equal: PyPI ignores case and
// the difference between runs of "-", "_" and "."
// (https://packaging.python.org/en/latest/specifications/name-normalization/).
func canonical(kind, name string) string {
	if kind != "pypi" {
		return name
	}
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	return strings.Join(parts, "-")
}
