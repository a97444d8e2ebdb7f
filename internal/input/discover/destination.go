package discover

import (
	"cmp"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/catalog"
)

// Source says what names a destination. The zero value is nothing.
type Source uint8

const (
	NoSource Source = iota
	FromEnv
	FromArguments
	FromCatalog
)

func (s Source) String() string {
	return [...]string{"nothing", "environment", "arguments", "catalogue"}[s]
}

// Destination is where a server means to connect to. It never holds user names, paths, queries or
// tokens.
type Destination struct {
	Host       string      // a DNS name in lower case, "*.example.com" for every name below, or an address; "" if Unresolved
	Port       netset.Port // TCP; 0 if nothing tells
	Source     Source
	Name       string // the variable, or the id of the catalogue's entry; "" for arguments
	Unresolved bool   // something names a destination in a value that cannot be read: from a Secret, or a template
	Origin     origin.Origin
}

// Destinations returns what the environment and the arguments of a workload's containers and the
// catalogue say it connects to, sorted and without repeats. Addresses on which it listens itself
// are left out. The catalogue's classes without a list of hosts (none, openFetch) add nothing.
func Destinations(w *model.Workload) []Destination {
	s := read(w, &index{})
	d := destinations{seen: map[string]bool{}}
	entries := s.entries()
	for i := range s.units {
		d.at = s.at(s.units[i].Container)
		d.environment(s.units[i].Env, entries)
		d.arguments(&s.units[i])
	}
	d.at = w.Origin
	for _, e := range entries {
		d.catalogued(e)
	}
	slices.SortFunc(d.found, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Name, b.Name), a.Origin.Compare(b.Origin))
	})
	return slices.CompactFunc(d.found, func(a, b Destination) bool {
		a.Origin, b.Origin = origin.Origin{}, origin.Origin{}
		return a == b
	})
}

// destinations collects what one workload names.
type destinations struct {
	found []Destination
	seen  map[string]bool // variables of the catalogue that are set
	at    origin.Origin
}

func (d *destinations) add(source Source, name string, found []target, unresolved bool) {
	for _, t := range found {
		if !isLocal(t.host) {
			d.found = append(d.found, Destination{Host: t.host, Port: t.port, Source: source, Name: name, Origin: d.at})
		}
	}
	if unresolved {
		d.found = append(d.found, Destination{Source: source, Name: name, Unresolved: true, Origin: d.at})
	}
}

// environment reads the variables of one container.
func (d *destinations) environment(env []model.EnvVar, entries []catalog.Entry) {
	values := make(map[string]string, len(env))
	for _, e := range env {
		if e.Known {
			values[e.Name] = e.Value
		}
	}
	for _, e := range env {
		known, fromCatalog := envOf(e.Name, entries)
		names := fromCatalog || namesDestination(e.Name)
		if fromCatalog && (!e.Known || e.Value != "") {
			d.seen[e.Name] = true
		}
		if !e.Known {
			d.add(FromEnv, e.Name, nil, names)
		} else if names || strings.Contains(e.Value, "://") && !namesListener(e.Name) {
			port := siblingPort(e.Name, known, values)
			if port == 0 {
				port = known.Port
			}
			if port == 0 && known.Replaces {
				port = 443 // the entry's hosts are HTTPS, and so is what stands for them
			}
			if port == 0 {
				port = portByName(e.Name)
			}
			value := substitute(e.Value, values)
			if isWord(value) && !namesHost(e.Name) {
				continue // no address: perhaps a key under a name such as DATABASE_URL
			}
			found, unresolved := targets(value, port, names)
			d.add(FromEnv, e.Name, found, unresolved && names)
		}
	}
}

// envOf returns what the catalogue says of a variable.
func envOf(name string, entries []catalog.Entry) (catalog.Env, bool) {
	for _, entry := range entries {
		for _, e := range entry.Env {
			if e.Name == name {
				return e, true
			}
		}
	}
	return catalog.Env{}, false
}

// catalogued adds what an entry needs beyond what the environment named.
func (d *destinations) catalogued(e catalog.Entry) {
	replaced := false
	for _, v := range e.Env {
		replaced = replaced || v.Replaces && d.seen[v.Name]
	}
	switch {
	case e.Class == catalog.KubeAPI:
		d.add(FromCatalog, e.ID, []target{{"kubernetes.default.svc", 443}}, false)
	case e.Class == catalog.EnvAddressed && !slices.ContainsFunc(e.Env, func(v catalog.Env) bool { return d.seen[v.Name] }):
		d.add(FromCatalog, e.ID, nil, true)
	case !replaced:
		for _, h := range e.Hosts {
			d.add(FromCatalog, e.ID, []target{{h.Name, h.Port}}, false)
		}
	}
}

// arguments reads URLs among the words of a container's command line.
func (d *destinations) arguments(u *unit) {
	for _, list := range [][]string{u.Command, u.Args} {
		for i, word := range list {
			if !strings.Contains(word, "://") {
				continue
			}
			if i > 0 && strings.HasPrefix(list[i-1], "-") && namesOwnAddress(list[i-1]) {
				continue
			}
			if !strings.ContainsAny(word, " \t\n") {
				d.argument(word)
				continue
			}
			for _, command := range words(word) {
				for j, w := range command {
					if j == 0 || !namesOwnAddress(command[j-1]) {
						d.argument(w)
					}
				}
			}
		}
	}
}

func (d *destinations) argument(word string) {
	if strings.HasPrefix(word, "-") {
		name, value, _ := strings.Cut(word, "=")
		if namesOwnAddress(name) {
			return
		}
		word = value
	}
	if strings.Contains(word, "://") {
		found, unresolved := targets(word, 0, false)
		d.add(FromArguments, "", found, unresolved)
	}
}

// namesOwnAddress reports whether a flag or variable is of those that hold the workload's own
// address as others see it.
func namesOwnAddress(name string) bool {
	return hasAnyToken(strings.ReplaceAll(name, "_", "-"), "baseurl", "public", "external", "cors", "origin", "origins", "allowed", "redirect", "callback", "resource") ||
		strings.EqualFold(strings.Trim(name, "-"), "base-url")
}

// namesListener reports whether a variable is of those that say where a program listens, or what is
// its own address.
func namesListener(name string) bool {
	switch name {
	case "HOST", "HOSTNAME", "PORT", "ADDR", "ADDRESS", "BASE_URL", "ROOT_URL", "SITE_URL", "APP_URL", "SERVER_URL", "SERVER_HOST", "SSE_HOST", "HTTP_HOST", "HTTP_ADDR", "UVICORN_HOST",
		"MCP_HOST", "MCP_SERVER_HOST", "MCP_SERVER_ADDRESS", "MCP_LISTEN_ADDR", "MCP_ADDR", "MCP_BIND", "NO_PROXY", "no_proxy", "POD_IP", "HOST_IP", "NODE_IP":
		return true
	}
	dashed := strings.ReplaceAll(name, "_", "-")
	return strings.HasPrefix(name, "FASTMCP_") || strings.HasSuffix(name, "_MCP_HOST") || hasAnyToken(dashed, "listen", "bind") || namesOwnAddress(name)
}

// namesDestination reports whether a variable's name says that it holds an address to connect to.
func namesDestination(name string) bool {
	if namesListener(name) {
		return false
	}
	if strings.Contains(name, "CONNECTION_STRING") || strings.Contains(name, "ENDPOINT_URL") || name == "PGHOST" {
		return true
	}
	last := strings.ToUpper(name[strings.LastIndexByte(name, '_')+1:])
	return slices.Contains([]string{"URL", "URLS", "URI", "URIS", "HOST", "HOSTS", "HOSTNAME", "ENDPOINT", "ENDPOINTS", "ADDR", "ADDRESS", "DSN", "BROKERS", "BROKER", "SERVERS", "PROXY"}, last)
}

// namesHost reports whether a variable's name says that its value is a bare host rather than a URL.
func namesHost(name string) bool {
	last := strings.ToUpper(name[strings.LastIndexByte(name, '_')+1:])
	return slices.Contains([]string{"HOST", "HOSTS", "HOSTNAME", "ADDR", "ADDRESS", "BROKERS", "BROKER", "SERVERS", "PGHOST"}, last)
}

// isWord reports whether value has none of the marks of an address.
func isWord(value string) bool { return !strings.ContainsAny(value, ".:/=$({<%") }

// siblingPort returns the port that a variable beside a host holds: REDIS_PORT for REDIS_HOST.
func siblingPort(name string, known catalog.Env, values map[string]string) netset.Port {
	sibling := known.PortEnv
	if sibling == "" {
		prefix := ""
		for _, suffix := range []string{"HOST", "HOSTNAME", "ADDRESS", "ADDR"} {
			if before, ok := strings.CutSuffix(name, suffix); ok {
				prefix = before
				break
			}
		}
		if prefix == "" {
			return 0
		}
		sibling = prefix + "PORT"
	}
	return parsePort(values[sibling])
}
