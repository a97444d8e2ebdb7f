// Package source reads Kubernetes objects from files into a [model.Snapshot].
//
// It fails closed: what cannot be read, is invalid or is of a policy kind that is not judged
// becomes a problem, and where it may have said something about reachability, a policy that judges
// nothing stands in the snapshot for it, as narrow as what could be read allows. Every decoder is a
// function from a document to values; nothing here knows what a policy means on some CNI.
package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/parallel"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Options says what to read.
type Options struct {
	Paths   []string  // files and directories; "-" is Stdin
	Stdin   io.Reader // nil is empty
	Exclude []string  // globs over slash paths relative to a directory of Paths; "**" stands for any number of directories
}

// File is a named text in memory.
type File struct {
	Name string
	Data []byte
}

// Load reads everything that o names. Its error means that it could not run: a path that does not
// exist, a glob that is none. What is wrong with the input itself is in Snapshot.Problems. The
// result does not depend on how the work is spread over processors, and what panics there panics
// here.
func Load(ctx context.Context, o Options) (*model.Snapshot, error) {
	in, err := o.inputs()
	defer in.close()
	if err != nil {
		return nil, err
	}
	return in.load(ctx)
}

// inputs lists what o names.
func (o Options) inputs() (in inputs, err error) {
	exclude, err := parseGlobs(o.Exclude)
	if err != nil {
		return in, err
	}
	if len(o.Paths) == 0 {
		return in, errors.New("no path given")
	}
	for _, p := range o.Paths {
		if p == "-" {
			in.add("-", func() ([]byte, error) { return readAll(o.Stdin, 0) })
		} else if err := in.addPath(p, exclude); err != nil {
			return in, err
		}
	}
	return in, nil
}

// LoadFiles reads files that are in memory, in the given order.
func LoadFiles(files ...File) *model.Snapshot {
	var in inputs
	for _, f := range files {
		in.add(f.Name, func() ([]byte, error) { return f.Data, nil })
	}
	snap, err := in.load(context.Background())
	if err != nil {
		panic(err) // only a cancelled context is an error
	}
	return snap
}

// inputs is the list of files to read, and what the walk had to say about those it did not list.
type inputs struct {
	files []input
	found part // problems of the walk
	roots []*os.Root
}

type input struct {
	name string
	read func() ([]byte, error)
	live bool // of a live cluster: its lines are nowhere to be looked up
}

func (in *inputs) add(name string, read func() ([]byte, error)) {
	in.files = append(in.files, input{name: name, read: read})
}

func (in *inputs) close() {
	for _, r := range in.roots {
		r.Close()
	}
}

// addPath lists what one path names.
func (in *inputs) addPath(path string, exclude []glob) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", doc.Clean(path, 200), reason(err))
	}
	switch {
	case info.IsDir():
		return in.addDir(path, exclude)
	case info.Mode().IsRegular():
		in.add(filepath.ToSlash(path), func() ([]byte, error) {
			f, err := os.OpenFile(path, openFlags, 0)
			return readFile(f, err)
		})
		return nil
	}
	return fmt.Errorf("cannot read %s: it is neither a file nor a directory (\"-\" reads standard input)", doc.Clean(path, 200))
}

// reason strips an error of the path, which the message has already, and which may be one that the
// user should not see.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// openFlags keep an open from blocking on a FIFO.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

var errNotRegular = errors.New("not a regular file")

// readFile reads an open file, if it is a regular one. Opening does not block, whatever a name has
// become since it was listed.
func readFile(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return readAll(f, info.Size())
}

// readAll reads up to one byte more than may be read, so that doc sees what is too large.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	buf := make([]byte, 0, min(size, doc.MaxFile)+512)
	for {
		if len(buf) == cap(buf) {
			buf = grown(buf)
		}
		n, err := r.Read(buf[len(buf):min(cap(buf), doc.MaxFile+1)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF) && cap(buf) > maxDoubled && len(buf) < cap(buf)/2:
			return bytes.Clone(buf), nil // a large array counts for the garbage collector as a whole
		case errors.Is(err, io.EOF), len(buf) > doc.MaxFile:
			return buf, nil
		case err != nil:
			return nil, reason(err)
		}
	}
}

// maxDoubled is up to which size a buffer doubles.
const maxDoubled = 32 << 20

// grown returns buf with more room: twice as much, or at some time all that may be read. Memory
// that is not written to is not taken, whereas what a buffer has outgrown stays until it is
// collected.
func grown(buf []byte) []byte {
	room := 2 * cap(buf)
	if room > maxDoubled {
		room = doc.MaxFile + 1
	}
	return append(make([]byte, 0, room), buf...)
}

// load decodes the files on every processor and puts the results together in order.
func (in *inputs) load(ctx context.Context) (*model.Snapshot, error) {
	parts := make([]*part, len(in.files))
	parallel.Do(len(in.files), func(i int) {
		if ctx.Err() == nil {
			parts[i] = readPart(ctx, in.files[i])
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in.found.finish(origin.Origin{})
	return assemble(append(parts, &in.found)), nil
}
