package discover

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/input/catalog"
)

// entry returns the catalogue's entry of what a program is.
func (p program) entry() (catalog.Entry, bool) {
	switch {
	case p.kind == "image":
		return catalog.ByImage(p.pkg)
	case p.kind != "":
		return catalog.ByPackage(p.kind, p.pkg)
	}
	// A program in the image has the name of its package as a rule.
	if e, ok := catalog.ByPackage("pypi", p.name); ok {
		return e, true
	}
	return catalog.ByPackage("npm", p.name)
}

// label names a program for people.
func (p program) label() string {
	if p.kind == "image" {
		image, _ := catalog.ParseImage(p.pkg)
		return image.Path
	}
	if p.pkg != "" {
		return p.pkg
	}
	return p.name
}

// isServer reports whether a program is an MCP server by its name.
func (p program) isServer() bool {
	switch {
	case bridges[p.name] != nil:
		return false
	case p.kind == "image":
		image, ok := catalog.ParseImage(p.pkg)
		return ok && imageNature(image) == namesServer
	case p.name == "fastmcp", p.name == "mcp" && p.kind == "":
		return slices.Contains(p.args, "run")
	case strings.HasPrefix(p.pkg, "@modelcontextprotocol/"):
		return strings.HasPrefix(p.pkg, "@modelcontextprotocol/server-")
	}
	return natureOf(p.label()) == namesServer || natureOf(p.name) == namesServer
}

// entries returns the catalogue's entries of what the workload runs, without repeats. What a bridge
// starts counts, not the bridge.
func (s *subject) entries() []catalog.Entry {
	var found []catalog.Entry
	add := func(e catalog.Entry, ok bool) {
		if ok && !slices.ContainsFunc(found, func(f catalog.Entry) bool { return f.ID == e.ID }) {
			found = append(found, e)
		}
	}
	for u := range s.servers {
		add(catalog.ByImage(u.Image))
		for _, p := range u.programs {
			add(p.entry())
		}
	}
	return found
}

// args returns the arguments of the programs that are not behind a bridge.
func (u *unit) args() []string {
	if len(u.programs) == 1 {
		return u.programs[0].args
	}
	var args []string
	for _, p := range u.programs {
		if !p.within {
			args = append(args, p.args...)
		}
	}
	return args
}

// bridge returns the bridge that a container runs, or nil.
func (u *unit) bridge() *bridge {
	for _, p := range u.programs {
		if b := bridges[p.name]; b != nil {
			return b
		}
	}
	return nil
}
