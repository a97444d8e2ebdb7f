//go:build unix

package feeds

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOddDir has a directory of copies that is a pipe, to whose other end nobody writes.
func TestOddDir(t *testing.T) {
	f, dir := sample(t)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Kept(pipe); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Error(err)
	}
}

// TestOddFiles has names that are no regular files, or lead out of the directory.
func TestOddFiles(t *testing.T) {
	f, dir := sample(t)
	path := filepath.Join(dir, f.file())
	outside := filepath.Join(t.TempDir(), "copy")
	if err := os.Rename(path, outside); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func() error{
		"directory": func() error { return os.Mkdir(path, 0o755) },
		"FIFO":      func() error { return syscall.Mkfifo(path, 0o644) },
		"link":      func() error { return os.Symlink(outside, path) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		var broken *BrokenError
		if _, err := f.Kept(dir); !errors.As(err, &broken) || name != "link" && !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "directory" { // nothing can take its place, and nothing may be left behind
			out := take(t, Options{Dir: dir, AcceptChange: true}, f.Name, good)
			if entries, err := os.ReadDir(dir); out.Err == nil || err != nil || len(entries) != 1 {
				t.Errorf("%+v, %v, %v", out, entries, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
