package source

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/toolmoat/toolmoat/internal/engine/origin"
)

// dir is one directory that is walked. Everything in it is opened through root, so nothing outside
// it can be read.
type dir struct {
	in      *inputs
	root    *os.Root
	path    string // as the user named it
	exclude []glob
	listed  map[string]bool // files that are read, by their path in the directory
	links   []string        // symbolic links, judged once it is known what is read
	kustoms []string        // kustomization files
}

// addDir lists the manifests in a directory in the order of their names.
func (in *inputs) addDir(name string, exclude []glob) error {
	root, err := os.OpenRoot(name)
	if err != nil {
		return reason(err)
	}
	in.roots = append(in.roots, root)
	d := &dir{in: in, root: root, path: name, exclude: exclude, listed: map[string]bool{}}
	if err := fs.WalkDir(root.FS(), ".", d.visit); err != nil {
		return reason(err)
	}
	for _, link := range d.links {
		d.link(link)
	}
	d.kustomizations()
	return nil
}

// shown returns a path of the directory as problems and origins name it.
func (d *dir) shown(name string) string { return path.Join(filepath.ToSlash(d.path), name) }

func isManifest(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func (d *dir) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		d.unreadable(name, "cannot be read: "+reason(err).Error())
		if entry != nil && entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	switch {
	case name != "." && entry.IsDir() && (entry.Name() == ".git" || d.inChart(name)):
		return fs.SkipDir
	case name != "." && excluded(d.exclude, name):
		return d.leaveOut(name, entry)
	case entry.IsDir():
		d.roots(name)
	case entry.Type()&fs.ModeSymlink != 0:
		d.links = append(d.links, name)
	case !isManifest(name) || d.ofChart(name):
	case !entry.Type().IsRegular():
		d.unreadable(name, "not a regular file")
	case isKustomization(entry.Name()):
		d.kustoms = append(d.kustoms, name)
		d.list(name)
	default:
		d.list(name)
	}
	return nil
}

// leaveOut counts what a glob excludes.
func (d *dir) leaveOut(name string, entry fs.DirEntry) error {
	if entry.IsDir() {
		d.in.found.counts.Excluded++
		return fs.SkipDir
	}
	if isManifest(name) && !d.ofChart(name) {
		d.in.found.counts.Excluded++
	}
	return nil
}

func (d *dir) list(name string) {
	d.listed[name] = true
	d.in.add(d.shown(name), func() ([]byte, error) {
		f, err := d.root.OpenFile(filepath.FromSlash(name), openFlags, 0)
		return readFile(f, err)
	})
}

func (d *dir) unreadable(name, message string) {
	d.in.found.unreadable(origin.Origin{File: d.shown(name)}, message, "", everything)
}

// link judges a symbolic link. What it leads to is read if that is a manifest in the tree that the
// walk has not read; a link out of the tree is never followed.
func (d *dir) link(name string) {
	info, err := d.root.Stat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && !isManifest(name):
	case errors.Is(err, syscall.ELOOP):
		if isManifest(name) {
			d.unreadable(name, "a symbolic link that leads round in a circle")
		}
	case errors.Is(err, fs.ErrNotExist):
		d.unreadable(name, "a symbolic link that leads nowhere")
	case err != nil && (isManifest(name) || d.leadsToDir(name)):
		d.unreadable(name, "a symbolic link that leaves the directory; it is not followed")
	case err != nil || info.IsDir() || !isManifest(name):
		// A directory in the tree is walked under its own name.
	case !info.Mode().IsRegular():
		d.unreadable(name, "a symbolic link to what is not a regular file")
	case !d.listed[d.target(name)]:
		d.list(name)
	}
}

// leadsToDir reports whether a link out of the tree leads to a directory, in which manifests may
// be.
func (d *dir) leadsToDir(name string) bool {
	info, err := os.Stat(filepath.Join(d.path, filepath.FromSlash(name)))
	return err == nil && info.IsDir()
}

// target returns the path in the tree that a link leads to, or "" if that cannot be told.
func (d *dir) target(name string) string {
	base, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		return ""
	}
	to, err := filepath.EvalSymlinks(filepath.Join(d.path, filepath.FromSlash(name)))
	if err != nil {
		return ""
	}
	rel, err := filepath.Rel(base, to)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel)
}
