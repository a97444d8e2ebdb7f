package source

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

const chartFile = "Chart.yaml"

func isKustomization(name string) bool {
	return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization"
}

func (d *dir) exists(name string) bool {
	info, err := fs.Stat(d.root.FS(), name)
	return err == nil && info.Mode().IsRegular()
}

// roots notes a Helm chart, and a kustomization whose name has no extension, when the walk enters a
// directory.
func (d *dir) roots(name string) {
	if d.exists(path.Join(name, "Kustomization")) {
		d.kustoms = append(d.kustoms, path.Join(name, "Kustomization"))
	}
	if d.exists(path.Join(name, chartFile)) {
		at := origin.Origin{File: d.shown(path.Join(name, chartFile))}
		d.in.found.unrendered(at, "a Helm chart that has not been rendered",
			"render it first: helm template "+shellWord(d.shown(name))+" | toolmoat audit -", true)
	}
}

// inChart reports whether a directory is one that a chart's templates, dependencies or definitions
// stand in: Helm reads it, we do not.
func (d *dir) inChart(name string) bool {
	switch path.Base(name) {
	case "templates", "charts", "crds":
		return d.exists(path.Join(path.Dir(name), chartFile))
	}
	return false
}

// ofChart reports whether a file is a chart's own, beside its Chart.yaml.
func (d *dir) ofChart(name string) bool {
	base := path.Base(name)
	if base != chartFile && base != "Chart.lock" && !strings.HasPrefix(base, "values") {
		return false
	}
	return d.exists(path.Join(path.Dir(name), chartFile))
}

// plainKustomization holds the fields of a kustomization that change nothing which decides
// reachability, so that the files it lists may stand for what it renders to.
var plainKustomization = map[string]bool{
	"apiVersion": true, "kind": true, "metadata": true, "resources": true, "bases": true, "images": true,
	"commonAnnotations": true, "configMapGenerator": true, "secretGenerator": true, "generatorOptions": true,
	"openapi": true, "sortOptions": true, "buildMetadata": true, "configurations": true,
}

// kustomizations notes the kustomizations that the walk met, once it is known what is read.
func (d *dir) kustomizations() {
	if len(d.kustoms) == 0 {
		return
	}
	files := make(map[string][]string, len(d.kustoms)) // those in the folder of a kustomization and below, but not in that of another
	for _, k := range d.kustoms {
		files[path.Dir(k)] = nil
	}
	for name := range d.listed {
		for at := path.Dir(name); ; at = path.Dir(at) {
			if _, ok := files[at]; ok {
				files[at] = append(files[at], name)
				break
			}
			if at == "." {
				break
			}
		}
	}
	for _, k := range d.kustoms {
		d.kustomization(k, files[path.Dir(k)])
	}
}

// kustomization notes a kustomization. Its files are read as they are. It widens the answer unless
// all it does is list files that this walk reads, and all of those: what lies beside them and is
// not listed would not be applied.
func (d *dir) kustomization(name string, files []string) {
	at := origin.Origin{File: d.shown(name)}
	d.in.found.unrendered(at, "a kustomization that has not been rendered; the files beside it are read as they are",
		"render it first: kubectl kustomize "+shellWord(d.shown(path.Dir(name)))+" | toolmoat audit -", !d.isPlain(name, files))
}

// isPlain reports whether a kustomization renders to what is read of its files, which are those of
// its folder.
func (d *dir) isPlain(name string, files []string) bool {
	f, err := d.root.OpenFile(filepath.FromSlash(name), openFlags, 0)
	data, err := readFile(f, err)
	if err != nil {
		return false
	}
	docs, err := doc.Documents(data)
	if err != nil {
		return false
	}
	lists := map[string]bool{name: true}
	for k := range docs {
		if k.Err != nil {
			return false
		}
		root := k.Open(doc.Lenient)
		for key, value := range root.Entries() {
			if !plainKustomization[key] {
				return false
			}
			if key != "resources" && key != "bases" {
				continue
			}
			for _, entry := range value.Texts() {
				at := path.Join(path.Dir(name), entry)
				if !d.isRead(at) {
					return false
				}
				lists[at] = true
			}
		}
		if root.Problems() > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(files, func(f string) bool { return !lists[f] })
}

// isRead reports whether a path is a file that the walk lists or a directory that it enters.
func (d *dir) isRead(name string) bool {
	if d.listed[name] {
		return true
	}
	for at := name; at != "." && at != "/"; at = path.Dir(at) {
		if at == ".." || excluded(d.exclude, at) || path.Base(at) == ".git" || d.inChart(at) {
			return false
		}
	}
	info, err := fs.Stat(d.root.FS(), name)
	return err == nil && info.IsDir()
}

// shellWord quotes a path for a command line that is shown.
func shellWord(text string) string {
	for _, r := range text {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", r) {
			return "'" + strings.ReplaceAll(doc.Clean(text, 200), "'", `'\''`) + "'"
		}
	}
	return text
}
