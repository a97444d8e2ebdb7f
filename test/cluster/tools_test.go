package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// kubernetes is the version of the API server, which tools/kube/go.mod pins.
const kubernetes = "v1.36.3"

// tools are the programs that the tests run, each with the folder of its module and the arguments
// of go build.
var tools = []struct {
	name, dir string
	args      []string
}{
	{"etcd", "tools/etcd", []string{"-ldflags=-s -w", "."}},
	{"kube-apiserver", "tools/kube", []string{"-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=" + kubernetes +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36", "k8s.io/kubernetes/cmd/kube-apiserver"}},
}

// bin is where the tools are, and scratch a folder for what ends with the tests.
var bin, scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if scratch, err = os.MkdirTemp("", "toolmoat-cluster"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	if bin, err = toolsDir(); err != nil {
		return 0, err
	}
	if err := build(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stopAll()) }()
	return m.Run(), nil
}

// toolsDir returns the folder of the tools. What they are built from decides its name, so that a
// change builds them again.
func toolsDir() (string, error) {
	base := os.Getenv("TOOLMOAT_CLUSTER_BIN")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(cache, "toolmoat-cluster")
	}
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, t := range tools {
		fmt.Fprintln(sum, t)
		for _, name := range []string{"go.mod", "go.sum", "main.go"} {
			text, err := os.ReadFile(filepath.Join(t.dir, name))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
			sum.Write(text)
		}
	}
	dir := filepath.Join(base, hex.EncodeToString(sum.Sum(nil)[:8]))
	return dir, os.MkdirAll(dir, 0o777)
}

// build builds what is not there: each tool once, and the program itself always.
func build() error {
	for _, t := range tools {
		path := filepath.Join(bin, t.name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		// Built beside its place and then moved, so that no other run sees half a file.
		if err := goBuild(t.name, t.dir, path+fmt.Sprint(".", os.Getpid()), t.args...); err != nil {
			return err
		}
		if err := os.Rename(path+fmt.Sprint(".", os.Getpid()), path); err != nil {
			return err
		}
	}
	return goBuild("toolmoat", "../..", filepath.Join(scratch, "toolmoat"), "./cmd/toolmoat")
}

func goBuild(name, dir, path string, args ...string) error {
	begin := time.Now()
	cmd := exec.Command("go", append([]string{"build", "-o", path}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build of %s: %w\n%s", name, err, out)
	}
	fmt.Printf("cluster: built %s in %.1f s\n", name, time.Since(begin).Seconds())
	return nil
}
