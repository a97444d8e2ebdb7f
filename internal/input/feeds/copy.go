package feeds

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Copy is what is kept of a feed.
type Copy struct {
	Schema       string    `json:"schema"`
	Feed         string    `json:"feed"`
	URL          string    `json:"url,omitempty"` // where it was fetched or, of a bundled copy, read
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"lastModified,omitempty"`
	SyncToken    string    `json:"syncToken,omitempty"` // the feed's own number of this publication, or the time of it in milliseconds
	FetchedAt    time.Time `json:"fetchedAt"`           // when the provider last said so
	SHA256       string    `json:"sha256"`              // of the ranges: it tells accidents, and not somebody who can write here
	Count4       int       `json:"count4"`              // different ranges
	Count6       int       `json:"count6"`
	Note         string    `json:"note,omitempty"` // what is missing in it, as a sentence
	Ranges       sections  `json:"ranges"`

	Bundled bool `json:"-"` // it came with the program
}

// copySchema is the schema of a file that holds a copy.
const copySchema = "toolmoat.dev/feedcopy/v1"

// maxCopy is how large a file with a copy may be. It has a line for each range.
const maxCopy = 32 << 20

// ErrNoCopy says that of a feed nothing is kept and nothing is bundled.
var ErrNoCopy = errors.New("no copy of it is kept and none is bundled")

// Sections returns the paths of c's sections, sorted; one that is "" if it has none.
func (c *Copy) Sections() []string { return slices.Sorted(maps.Keys(c.Ranges)) }

// skew is by how much clocks may differ.
const skew = 5 * time.Minute

// Age returns how long ago the provider last said what c holds. The error is about a time that has
// not come yet.
func (c *Copy) Age(now time.Time) (time.Duration, error) {
	age := now.Sub(c.FetchedAt)
	if age < -skew {
		return 0, fmt.Errorf("the copy of %s is from %s, which has not come yet: a clock is wrong", c.Feed, c.FetchedAt.Format(time.RFC3339))
	}
	return max(age, 0), nil
}

// isTime tells a time from what stands where there is none, as in files of archives without times.
func isTime(t time.Time) bool { return t.Year() >= 2000 && t.Year() <= 9999 }

// serial is SyncToken as a number; 0 for none.
func (c *Copy) serial() uint64 {
	n, _ := strconv.ParseUint(c.SyncToken, 10, 64)
	return n
}

// count fills in what follows from the ranges.
func (c *Copy) count() {
	all, _ := c.Ranges.under("")
	c.Count4, c.Count6 = 0, 0
	for _, p := range all {
		if p.Addr().Is4() {
			c.Count4++
		} else {
			c.Count6++
		}
	}
	sum := sha256.New()
	for _, path := range c.Sections() {
		for _, p := range c.Ranges[path] {
			fmt.Fprintf(sum, "%s\t%s\n", path, p)
		}
	}
	c.SHA256 = hex.EncodeToString(sum.Sum(nil))
}

// parseCopy reads a copy of f as [Copy.encode] writes it. Nothing in it is believed that can be
// checked.
func parseCopy(f Feed, data []byte) (*Copy, error) {
	if len(data) > maxCopy {
		return nil, fmt.Errorf("larger than %d MiB", maxCopy>>20)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var c Copy
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("not a copy of a feed: %s", doc.Clean(err.Error(), 120))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a copy of a feed: something follows it")
	}
	if c.Schema != copySchema || c.Feed != f.Name {
		return nil, fmt.Errorf("not a copy of %s in the form %s", f.Name, copySchema)
	}
	if !isTime(c.FetchedAt) {
		return nil, errors.New("it says no time at which it was fetched")
	}
	if c.SyncToken != "" && c.serial() == 0 {
		return nil, errors.New("its syncToken is no number")
	}
	for _, text := range []string{c.ETag, c.LastModified, c.Note, c.URL} {
		if len(text) > maxHeader || !isPrintable(text) {
			return nil, errors.New("it holds characters that belong in no header")
		}
	}
	if err := c.Ranges.wellFormed(); err != nil {
		return nil, err
	}
	if err := c.Ranges.check(); err != nil {
		return nil, err
	}
	said := c
	if c.count(); c.SHA256 != said.SHA256 || c.Count4 != said.Count4 || c.Count6 != said.Count6 {
		return nil, errors.New("its ranges are not those that were counted and summed up when it was written")
	}
	return &c, nil
}

// wellFormed reports what of sections that were read cannot have been written.
func (s sections) wellFormed() error {
	total := 0
	for _, path := range slices.Sorted(maps.Keys(s)) {
		parts := strings.Split(path, "/")
		if path != "" && (len(parts) > maxDepth || slices.ContainsFunc(parts, func(p string) bool { return !isName(p) })) {
			return fmt.Errorf("%q is no name of a section", doc.Clean(path, 50))
		}
		for _, p := range s[path] {
			if !p.IsValid() || p != netset.Unmap(p).Masked() {
				return fmt.Errorf("%s%s is no range", label(path), p)
			}
		}
		if total += len(s[path]); total > maxRanges {
			return fmt.Errorf("more than %d ranges", maxRanges)
		}
		if !slices.IsSortedFunc(s[path], netip.Prefix.Compare) {
			return fmt.Errorf("%sits ranges are in no order", label(path))
		}
	}
	if len(s) > maxSections {
		return fmt.Errorf("more than %d sections", maxSections)
	}
	return nil
}

// isPrintable reports whether text is ASCII without control characters.
func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// encode writes c as a file.
func (c *Copy) encode() ([]byte, error) {
	text, err := json.MarshalIndent(c, "", " ")
	return append(text, '\n'), err
}

//go:embed bundled
var bundles embed.FS

// file is the name of the file with a feed's copy.
func (f Feed) file() string { return strings.ReplaceAll(f.Name, "/", "-") + ".json" }

// Kept returns the copy of f: the one fetched into dir, or else the one that is bundled. Its error
// is [ErrNoCopy] where there is none, and says what is wrong where there is one that cannot be
// read: the bundled one does not stand in for it.
func (f Feed) Kept(dir string) (*Copy, error) {
	c, err := f.fetched(dir)
	if !errors.Is(err, ErrNoCopy) {
		return c, err
	}
	data, err := bundles.ReadFile("bundled/" + f.file())
	if err != nil {
		return nil, ErrNoCopy
	}
	if c, err = parseCopy(f, data); err != nil {
		return nil, fmt.Errorf("the bundled copy of %s: %w", f.Name, err)
	}
	c.Bundled = true
	return c, nil
}

// fetched returns the copy in dir.
func (f Feed) fetched(dir string) (*Copy, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() { // to open a pipe would wait for who writes into it
		return nil, fmt.Errorf("cannot read the copies in %s: %w", doc.Clean(dir, 200), syscall.ENOTDIR)
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoCopy
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the copies in %s: %w", doc.Clean(dir, 200), reason(err))
	}
	defer root.Close()
	data, err := readFile(root, f.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoCopy
	}
	var c *Copy
	if err == nil {
		c, err = parseCopy(f, data)
	}
	if err != nil {
		return nil, &BrokenError{Feed: f.Name, File: f.file(), Dir: dir, Err: err}
	}
	return c, nil
}

// BrokenError says that a copy cannot be read.
type BrokenError struct {
	Feed, File, Dir string
	Err             error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the copy of %s cannot be read: %s (%s in %s)", e.Feed, e.Err, e.File, doc.Clean(e.Dir, 200))
}

func (e *BrokenError) Unwrap() error { return e.Err }

// readFile reads a regular file of a directory. Opening does not block, whatever it is.
func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	data, _, err := readRegular(f, maxCopy)
	return data, err
}

// readRegular reads up to one byte more than max of an open file, and says when it was written.
func readRegular(f *os.File, max int64) ([]byte, time.Time, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, time.Time{}, reason(err)
	case !info.Mode().IsRegular():
		return nil, time.Time{}, errors.New("not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, time.Time{}, reason(err)
	}
	return data, info.ModTime(), nil
}

// reason strips an error of the path, which the message has already.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// write puts c into dir, in one step: whoever reads finds the old copy or the new one.
func (c *Copy) write(f Feed, dir string) error {
	data, err := c.encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", doc.Clean(dir, 200), reason(err))
	}
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("cannot write into %s: %w", doc.Clean(dir, 200), reason(err))
	}
	defer os.Remove(tmp.Name()) // where it has not been renamed
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), dir+string(os.PathSeparator)+f.file())
	}
	if err != nil {
		return fmt.Errorf("cannot write the copy of %s into %s: %w", f.Name, doc.Clean(dir, 200), reason(err))
	}
	return nil
}
