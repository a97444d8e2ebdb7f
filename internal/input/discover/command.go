package discover

import (
	"path"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/catalog"
)

// program is one program that a command line starts.
type program struct {
	name   string   // of the executable, script or module, without directory; lower case
	kind   string   // npm or pypi if it comes from a package, image if docker runs it
	pkg    string   // the package's name without version, or the image reference
	args   []string // its own arguments, without those of what it starts
	within bool     // started by a bridge, which speaks for it
}

// parser collects the programs of one container.
type parser struct{ found []program }

// programs returns what a container starts, outermost first. Without a command the image's own
// program gets the arguments; where that is a bridge, the image's name tells which.
func programs(c *model.Container, image catalog.Image) []program {
	argv := slices.Concat(c.Command, c.Args)
	if len(c.Command) == 0 && bridges[image.Base()] != nil {
		argv = slices.Concat([]string{image.Base()}, c.Args)
	}
	var p parser
	p.run(argv, false, 0)
	return p.found
}

// prefixes are words that stand before the command they start.
var prefixes = []string{"exec", "env", "nohup", "time", "command", "sudo", "tini", "dumb-init", "catatonit", "then", "do", "else", "if", "while", "until", "!", "{"}

// run reads one command. within says that a bridge starts it.
func (p *parser) run(argv []string, within bool, depth int) {
	argv = peel(argv)
	if len(argv) == 0 || depth > maxDepth || len(p.found) >= maxWords {
		return
	}
	base, args := strings.ToLower(path.Base(argv[0])), argv[1:]
	if strings.HasPrefix(base, "python") || base == "pypy3" {
		base = "python"
	}
	if b, ok := bridges[base]; ok {
		own, nested := b.split(args)
		p.found = append(p.found, program{name: base, args: own, within: within})
		for _, n := range nested {
			p.run(n, true, depth+1)
		}
		return
	}
	if read := runnerOf(base); read != nil && read(p, args, within, depth) {
		return
	}
	p.found = append(p.found, program{name: stem(argv[0]), args: argv, within: within})
}

// peel drops assignments and prefix commands with their flags.
func peel(argv []string) []string {
	for len(argv) > 0 {
		switch {
		case isAssignment(argv[0]):
			argv = argv[1:]
		case slices.Contains(prefixes, path.Base(argv[0])):
			argv = argv[1:]
			for len(argv) > 0 && strings.HasPrefix(argv[0], "-") {
				argv = argv[1:]
			}
		default:
			return argv
		}
	}
	return nil
}

func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r != '_' && !isAlnum(r) })
}

// runner reads the arguments of a program that starts other programs. It returns false where the
// command is not of that form.
type runner func(p *parser, args []string, within bool, depth int) bool

// runnerOf returns the runner of a program, or nil.
func runnerOf(base string) runner {
	switch base {
	case "sh", "bash", "ash", "dash", "zsh", "busybox":
		return shell
	case "npx", "bunx", "pnpx":
		return npx
	case "npm":
		return subcommand(npx, "x", "exec")
	case "pnpm", "yarn":
		return subcommand(npx, "dlx")
	case "uvx":
		return uvx
	case "uv":
		return uv
	case "pipx":
		return subcommand(pipx, "run")
	case "python":
		return python
	case "node":
		return script("-r", "--require", "--import", "--loader", "-C")
	case "tsx":
		return script()
	case "bun", "deno":
		return subcommand(script("--config", "-c", "--import-map"), "run")
	case "docker", "podman":
		return docker
	}
	return nil
}

// subcommand returns next for commands that start with one of the given words.
func subcommand(next runner, names ...string) runner {
	return func(p *parser, args []string, within bool, depth int) bool {
		return len(args) > 0 && slices.Contains(names, args[0]) && next(p, args[1:], within, depth)
	}
}

// shell reads "sh -c SCRIPT".
func shell(p *parser, args []string, within bool, depth int) bool {
	for i, a := range args {
		switch {
		case strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "c") && i+1 < len(args):
			for _, command := range words(args[i+1]) {
				p.run(command, within, depth+1)
			}
			return true
		case !strings.HasPrefix(a, "-") && a != "sh":
			return false
		}
	}
	return false
}

func pipx(p *parser, args []string, within bool, _ int) bool {
	return fetched(p, "pypi", args, within, []string{"--spec"}, "--python", "--pip-args", "--index-url", "-i")
}

func npx(p *parser, args []string, within bool, depth int) bool {
	flags, rest := options(args, "-p", "--package", "-c", "--call", "-w", "--workspace", "--prefix", "--cache", "--registry", "--userconfig")
	for _, f := range flags {
		if f.name == "-c" || f.name == "--call" {
			for _, command := range words(f.value) {
				p.run(command, within, depth+1)
			}
			return true
		}
	}
	if len(rest) > 0 {
		if name := unversioned("npm", rest[0]); bridges[name] != nil {
			p.bridge("npm", rest, within, depth)
			return true
		}
	}
	return fetched(p, "npm", args, within, []string{"-p", "--package"}, "-c", "--call", "-w", "--workspace", "--prefix", "--cache", "--registry", "--userconfig")
}

var uvFlags = []string{"--with", "--with-editable", "--with-requirements", "--python", "-p", "--index-url", "-i", "--extra-index-url", "--index", "--default-index",
	"--cache-dir", "--directory", "--project", "--constraints", "-c", "--overrides", "--refresh-package", "--exclude-newer", "--config-file", "--env-file",
	"--link-mode", "--prerelease", "--resolution", "--package", "--extra", "--no-extra", "--group", "--only-group"}

func uvx(p *parser, args []string, within bool, depth int) bool {
	if _, rest := options(args, append([]string{"--from"}, uvFlags...)...); len(rest) > 0 {
		if name := unversioned("pypi", rest[0]); bridges[name] != nil {
			p.bridge("pypi", rest, within, depth)
			return true
		}
	}
	return fetched(p, "pypi", args, within, []string{"--from"}, uvFlags...)
}

// bridge records a bridge that a package manager fetches, and reads on in its arguments.
func (p *parser) bridge(kind string, argv []string, within bool, depth int) {
	name := unversioned(kind, argv[0])
	at := len(p.found)
	p.run(append([]string{name}, argv[1:]...), within, depth+1)
	if at < len(p.found) {
		b := &p.found[at]
		b.kind, b.pkg = kind, name
	}
}

// uv reads "uv run" and "uv tool run".
func uv(p *parser, args []string, within bool, depth int) bool {
	_, rest := options(args, uvFlags...)
	switch {
	case len(rest) > 1 && rest[0] == "tool" && rest[1] == "run":
		return uvx(p, rest[2:], within, depth)
	case len(rest) > 0 && rest[0] == "run":
		flags, command := options(rest[1:], append([]string{"-m", "--module"}, uvFlags...)...)
		for _, f := range flags {
			if f.name == "-m" || f.name == "--module" {
				p.module(f.value, command, within)
				return true
			}
		}
		p.run(command, within, depth+1)
		return len(command) > 0
	}
	return false
}

// module records a Python module; its package usually has the same name.
func (p *parser) module(name string, args []string, within bool) {
	top, _, _ := strings.Cut(name, ".")
	p.found = append(p.found, program{name: strings.ToLower(name), kind: "pypi", pkg: strings.ReplaceAll(top, "_", "-"), args: args, within: within})
}

func python(p *parser, args []string, within bool, depth int) bool {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-m" && i+1 < len(args):
			if bridges[strings.ReplaceAll(args[i+1], "_", "-")] != nil {
				p.run(append([]string{strings.ReplaceAll(args[i+1], "_", "-")}, args[i+2:]...), within, depth+1)
				return true
			}
			p.module(args[i+1], args[i+2:], within)
			return true
		case a == "-c":
			return false
		case a == "-W" || a == "-X":
			i++
		case !strings.HasPrefix(a, "-"):
			return script()(p, args[i:], within, depth)
		}
	}
	return false
}

// script reads the path of a script behind flags, of which valued ones take the next argument.
func script(valued ...string) runner {
	return func(p *parser, args []string, within bool, _ int) bool {
		_, rest := options(args, valued...)
		if len(rest) == 0 {
			return false
		}
		found := program{name: stem(rest[0]), args: rest[1:], within: within}
		if _, pkg, ok := cutLast(rest[0], "node_modules/"); ok {
			parts := strings.SplitN(pkg, "/", 3)
			if found.kind, found.pkg = "npm", parts[0]; strings.HasPrefix(pkg, "@") && len(parts) > 1 {
				found.pkg = parts[0] + "/" + parts[1]
			}
		} else if pkg, ok := strings.CutPrefix(rest[0], "npm:"); ok {
			found.kind, found.pkg = "npm", unversioned("npm", pkg)
		}
		p.found = append(p.found, found)
		return true
	}
}

func docker(p *parser, args []string, within bool, _ int) bool {
	if len(args) >= 2 && args[0] == "mcp" && args[1] == "gateway" {
		p.found = append(p.found, program{name: "docker mcp gateway", args: args[2:], within: within})
		return true
	}
	if len(args) == 0 || args[0] != "run" {
		return false
	}
	_, rest := options(args[1:], "-e", "--env", "--env-file", "-v", "--volume", "--mount", "--name", "--network", "--net", "-p", "--publish", "-u", "--user", "-w", "--workdir",
		"--entrypoint", "-l", "--label", "--platform", "--pull", "-m", "--memory", "--cpus", "--add-host", "--dns", "-h", "--hostname")
	if len(rest) == 0 {
		return false
	}
	p.found = append(p.found, program{name: "docker run", kind: "image", pkg: rest[0], args: rest[1:], within: within})
	return true
}

// fetched records a package that is fetched and run; the flags in from name it where the operand is
// only one of its programs.
func fetched(p *parser, kind string, args []string, within bool, from []string, valued ...string) bool {
	flags, rest := options(args, append(from, valued...)...)
	found := program{kind: kind, within: within}
	if len(rest) > 0 {
		found.pkg = unversioned(kind, rest[0])
		found.args = rest[1:]
	}
	found.name = strings.ToLower(found.pkg)
	for _, f := range flags {
		if slices.Contains(from, f.name) && f.value != "" {
			found.pkg = unversioned(kind, f.value)
			break
		}
	}
	if found.pkg == "" {
		return false
	}
	p.found = append(p.found, found)
	return true
}

// unversioned returns the name in a package specifier: "@a/b@1.2", "b@latest", "c[x]==1.0".
func unversioned(kind, spec string) string {
	if strings.Contains(spec, "://") || strings.HasPrefix(spec, "git+") {
		return spec
	}
	name := spec
	if at := strings.LastIndexByte(spec, '@'); at > 0 {
		name = spec[:at]
	}
	if kind == "pypi" {
		if i := strings.IndexAny(name, "=<>~!;"); i >= 0 {
			name = name[:i]
		}
		name, _, _ = strings.Cut(name, "[")
	}
	return strings.TrimSpace(name)
}

type option struct{ name, value string }

// options splits arguments into the flags before the first operand and the rest; valued flags take
// the next argument unless they hold a value after "=". "--" ends the flags.
func options(args []string, valued ...string) (flags []option, rest []string) {
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return flags, args[i+1:]
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			return flags, args[i:]
		}
		name, value, joined := strings.Cut(a, "=")
		if !joined && slices.Contains(valued, name) && i+1 < len(args) {
			i++
			value = args[i]
		}
		flags = append(flags, option{name, value})
	}
	return flags, nil
}

// stem names a program by its path: the file without extension, or where that is as common as
// "index", the nearest directory that is not.
func stem(file string) string {
	file = strings.ToLower(file)
	for file != "" && file != "/" && file != "." {
		base := path.Base(file)
		for _, ext := range []string{".js", ".mjs", ".cjs", ".ts", ".py"} {
			base = strings.TrimSuffix(base, ext)
		}
		switch base {
		case "index", "main", "server", "cli", "app", "__main__", "dist", "build", "src", "lib", "bin", "out", "start", "run":
			file = path.Dir(file)
		default:
			return base
		}
		if file == "." || file == "/" {
			return base
		}
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
