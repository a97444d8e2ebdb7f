package feeds

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the counts and sums of the bundled copies")

// TestBundled demands that every bundled copy passes what a fetched one has to pass, and belongs to
// a feed.
func TestBundled(t *testing.T) {
	paths, err := filepath.Glob("bundled/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		i := slices.IndexFunc(All, func(f Feed) bool { return f.file() == filepath.Base(path) })
		if i < 0 {
			t.Errorf("%s is no feed's", path)
			continue
		}
		if *update {
			rewrite(t, path)
			continue
		}
		c, err := All[i].Kept(t.TempDir())
		if err != nil {
			t.Errorf("%v; -update writes counts and sums", err)
		} else if !c.Bundled || c.URL == "" {
			t.Errorf("%s: %+v", path, c)
		}
	}
}

func rewrite(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c Copy
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	c.Ranges.tidy()
	c.count()
	data, err = c.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestAll demands of every feed what its users rely on.
func TestAll(t *testing.T) {
	names, files := map[string]bool{}, map[string]bool{}
	for _, f := range All {
		if f.Name == "" || f.Title == "" || f.Source == "" || f.Direction == UnknownDirection || names[f.Name] || files[f.file()] {
			t.Errorf("%+v", f)
		}
		names[f.Name], files[f.file()] = true, true
		if f.URL == "" && f.Note == "" {
			t.Errorf("%s cannot be fetched, and its note does not say why", f.Name)
		}
		if f.URL != "" && f.decode == nil {
			t.Errorf("%s can be fetched and not read", f.Name)
		}
		if got, section, err := Find(f.Name + "/x/y"); err != nil || got.Name != f.Name || section != "x/y" {
			t.Errorf("%s/x/y is %q of %s, %v", f.Name, section, got.Name, err)
		}
		if group, err := Group(f.Name); err != nil || len(group) != 1 || group[0].Name != f.Name {
			t.Errorf("%s means %v, %v", f.Name, group, err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]int{"openai": 4, "stripe": 3, "google": 3, "aws/ec2/us-east-1": 1, "github": 1, "datadog": 1, "nothing": 0, "": 0, "git": 0, "openai/nothing": 0} {
		group, err := Group(name)
		var unknown *NameError
		if want == 0 != errors.As(err, &unknown) || want > 0 && len(group) != want {
			t.Errorf("%q means %d feeds, %v", name, len(group), err)
		}
	}
	if _, _, err := Find("openai"); err == nil || len(err.(*NameError).Near) != 4 {
		t.Errorf("openai: %v", err)
	}
}
