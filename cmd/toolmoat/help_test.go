package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// commands returns the command line of every command, the root's first.
func commands() [][]string {
	all := [][]string{nil}
	for _, c := range newRoot(streams{strings.NewReader(""), io.Discard, io.Discard, false}).Commands() {
		if c.IsAvailableCommand() {
			all = append(all, []string{c.Name()})
		}
	}
	return all
}

// TestHelp demands of each command's help that it fits a terminal and ends with an example, and of
// the example that it works as printed.
func TestHelp(t *testing.T) {
	for _, command := range commands() {
		name := strings.Join(append([]string{"toolmoat"}, command...), " ")
		got := toolmoat(t, root(t), "", append(slices.Clone(command), "--help")...)
		got.want(t, exitOK)
		if got.err != "" {
			t.Errorf("%s --help writes to standard error: %s", name, got.err)
		}
		for line := range strings.Lines(got.out) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
				t.Errorf("%s --help is wider than %d columns: %s", name, columns, line)
			}
		}
		_, example, ok := strings.Cut(got.out, "\nExample:\n")
		if !ok || !strings.Contains(example, name) || strings.Contains(example, "\n\n") {
			t.Errorf("%s --help does not end with an example:\n%s", name, got.out)
			continue
		}
		ran := 0
		for _, line := range exampleLines(example) {
			if runExample(t, line) {
				ran++
			}
		}
		if ran == 0 {
			t.Errorf("%s --help has no example that runs", name)
		}
		long := toolmoat(t, root(t), "", append([]string{"help"}, command...)...)
		if long.out != got.out {
			t.Errorf("toolmoat help and %s --help differ", name)
		}
	}
}

// exampleLines returns the command lines of an example. One that ends in "|" goes on.
func exampleLines(example string) []string {
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(example, "|\n", "| ")), "\n")
}

// runExample runs what is ours of a pipeline: what another program would pass to it is an example's
// objects, what it passes on is dropped. It reports whether there was anything to run.
func runExample(t *testing.T, line string) bool {
	stdin := ""
	for part := range strings.SplitSeq(line, "|") {
		words := strings.Fields(part)
		if words[0] != "toolmoat" {
			stdin = allOf(t, "unprotected")
			continue
		}
		if slices.Contains(words, "--cluster") {
			return false // real in test/cluster
		}
		got := toolmoat(t, root(t), stdin, words[1:]...)
		if got.code == exitBroken || got.out == "" || got.err != "" {
			t.Errorf("%s: exit %d\n%s\n%s", strings.TrimSpace(line), got.code, got.out, got.err)
		}
		return true
	}
	return false
}

// allOf is the objects of an example in one stream.
func allOf(t *testing.T, example string) string {
	paths, err := filepath.Glob(filepath.Join(root(t), "examples", example, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return strings.Join(all, "\n---\n")
}
