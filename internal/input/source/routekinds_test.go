package source

import (
	"os"
	"strings"
	"testing"
)

// TestRouteDocs demands that the page about routes has a row for every kind that is read.
func TestRouteDocs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/routes.md")
	if err != nil {
		t.Fatal(err)
	}
	for gk := range routeKinds {
		found := false
		for row := range strings.Lines(string(page)) {
			found = found || strings.HasPrefix(row, "|") && strings.Contains(row, "`"+gk.kind+"`") && strings.Contains(row, "`"+gk.group+"`")
		}
		if !found {
			t.Errorf("docs/routes.md has no row with %s and %s", gk.kind, gk.group)
		}
	}
}

// TestRouteLeads demands that the rows are well-formed.
func TestRouteLeads(t *testing.T) {
	for gk, k := range routeKinds {
		if len(k.leads) == 0 {
			t.Errorf("%v leads to nothing", gk)
		}
		for _, l := range k.leads {
			for _, path := range []string{l.each, l.at, l.name, l.path, l.target} {
				if strings.Contains(path, "..") || strings.HasPrefix(path, ".") || strings.HasSuffix(path, ".") {
					t.Errorf("%v: path %q", gk, path)
				}
			}
			if l.each == "" || l.host && l.kind != "" || l.name == "" && !l.host {
				t.Errorf("%v: lead %+v", gk, l)
			}
		}
	}
}
