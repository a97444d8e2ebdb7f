package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shownOutput is a command of the README and, in the block after it, what it prints.
var shownOutput = regexp.MustCompile("(?m)^```sh\ngo run ./cmd/toolmoat (.*)\n```\n\n```\n((?s:.*?))^```$")

// TestReadme demands that the commands of the README print what stands below them. A last line of
// "[...]" stands for what follows.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := shownOutput.FindAllStringSubmatch(string(text), -1)
	if len(shown) < 2 {
		t.Fatalf("the README shows the output of %d commands", len(shown))
	}
	for _, s := range shown {
		got := toolmoat(t, root(t), "", strings.Fields(s[1])...)
		want, cut := strings.CutSuffix(s[2], "[...]\n")
		if cut && strings.HasPrefix(got.out, want) && len(got.out) > len(want) || got.out == want {
			continue
		}
		t.Errorf("toolmoat %s prints something else than the README shows: %s", s[1], difference(want, got.out))
	}
}

// TestArticles demands that the examples of the article show the same workloads and policies.
func TestArticles(t *testing.T) {
	dir := filepath.Join(root(t), "examples")
	paths, err := filepath.Glob(filepath.Join(dir, "article", "*.yaml"))
	if err != nil || len(paths) < 10 {
		t.Fatal(paths, err)
	}
	for _, p := range paths {
		want, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "article-cilium", filepath.Base(p))); err != nil || string(got) != string(want) {
			t.Errorf("examples/article-cilium/%s is not that of examples/article: %v", filepath.Base(p), err)
		}
	}
}
