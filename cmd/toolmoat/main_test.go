package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the command: what is tested is what runs, in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"toolmoat": main})
}

// TestScripts runs the stories in testdata/script. Besides what testscript knows, they have the
// folder examples; "exits CODE toolmoat ARGS", where "exec" only tells zero from the rest; and
// "fits", which demands that no line of the output is wider than a terminal.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			return os.CopyFS(filepath.Join(env.WorkDir, "examples"), os.DirFS(filepath.Join(root(t), "examples")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "fits": fits},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE toolmoat ARGS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exits with %d, want %d", got, want)
	}
}

// columns is how wide text for a person may be.
const columns = 100

func fits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: fits")
	}
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
			ts.Fatalf("wider than %d columns: %s", columns, line)
		}
	}
}

// root is the top of the repository.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// result is how a run of the command ended.
type result struct {
	out, err string
	code     int
	memory   int64 // as peak has it
}

// hangs is when a run is given up. It is no promise of how fast anything is.
const hangs = 5 * time.Minute

// command prepares a run in dir, and returns what it will write to standard error.
func command(t testing.TB, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(t.Context(), hangs)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "toolmoat", args...)
	var errs bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &errs
	return cmd, &errs
}

// toolmoat runs the command in dir. Whatever the input is, it must end in an exit code that is
// documented, and not with a panic, which would end a goroutine other than the first with a code of
// its own.
func toolmoat(t testing.TB, dir, stdin string, args ...string) result {
	t.Helper()
	cmd, errs := command(t, dir, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = strings.NewReader(stdin), &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	got := result{out: out.String(), err: errs.String(), code: cmd.ProcessState.ExitCode(), memory: peak(cmd)}
	if !slices.Contains([]int{exitOK, exitFails, exitBroken, exitDepends}, got.code) || strings.Contains(got.err, "goroutine ") || strings.Contains(got.err, "panic: ") {
		t.Fatalf("toolmoat %s: exit %d\n%.4000s", strings.Join(args, " "), got.code, got.err)
	}
	return got
}

// want fails the test if the command did not exit with code.
func (r result) want(t testing.TB, code int) {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit %d, want %d\n%.4000s\n%.4000s", r.code, code, r.out, r.err)
	}
}

// files writes a directory of named texts and returns it.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
