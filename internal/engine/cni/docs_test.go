package cni

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

var update = flag.Bool("update", false, "write docs/profiles.md")

// TestDocs keeps docs/profiles.md equal to the data.
func TestDocs(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "profiles.md")
	got := docs()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("docs/profiles.md is not what the profiles say: go test ./internal/engine/cni -update")
	}
}

func docs() string {
	var b strings.Builder
	b.WriteString("# Profiles\n\nWhat is known of how each network plugin enforces policies. An answer that is *uncertain* widens every result that depends on it.\n" +
		"`toolmoat rules --cni NAME` prints the same, `-o json` as data. This page is made from the data in `internal/engine/cni`.\n\n")
	b.WriteString("`--cni any` stands for every plugin that enforces policies, each in its default mode; a version and a mode follow after colons, in either order: `cilium:1.18`, `cilium:1.20:cidr-match=pods`.\n\n")
	b.WriteString("Platforms stand for the plugins that enforce policies there; capitals and spaces do not matter:\n\n| name | plugins | source |\n|---|---|---|\n")
	for _, a := range Aliases {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, strings.Join(a.Plugins, ", "), a.Source)
	}
	b.WriteString("\n## At a glance\n\n| |")
	columns := slices.DeleteFunc(slices.Clone(Profiles), func(p Profile) bool { return p.Says(Enforces) == No })
	for _, p := range columns {
		fmt.Fprintf(&b, " %s |", p.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for q := range Questions {
		fmt.Fprintf(&b, "| %s |", q)
		for _, p := range columns {
			fmt.Fprintf(&b, " %s |", map[Answer]string{Yes: "yes", No: "no", Uncertain: "?"}[p.Says(q)])
		}
		b.WriteString("\n")
	}
	for _, p := range Profiles {
		fmt.Fprintf(&b, "\n## %s\n\n%s. Read from: %s.", p.Name, p.Title, p.Version)
		if p.Cloud != "" {
			fmt.Fprintf(&b, " Cloud: %s.", p.Cloud)
		}
		if p.Known != (Versions{}) {
			fmt.Fprintf(&b, " Can be asked about: %s.", p.Known)
		}
		b.WriteString("\n\n| question | answer | source |\n|---|---|---|\n")
		for q, f := range p.Facts {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", Question(q), f.Answer, cell(f.Source))
		}
		b.WriteString("\n| kind of policy | enforced | source |\n|---|---|---|\n")
		for _, kind := range slices.Sorted(maps.Keys(p.Kinds)) {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", kind, p.Kinds[kind].Answer, cell(p.Kinds[kind].Source))
		}
		if p.Agent.Name != "" {
			fmt.Fprintf(&b, "\nDaemonSet %s enforces policies on the nodes that it runs on, and nothing does on others (%s).\n", p.Agent.Name, p.Agent.Source)
		}
		b.WriteString("\nDNS may answer in these forms:\n\n")
		for _, r := range p.Resolvers {
			fmt.Fprintf(&b, "* %s: port %d", r.Name, r.Port)
			for _, a := range r.Addrs {
				fmt.Fprintf(&b, ", %s", a)
			}
			if r.Always {
				b.WriteString(", always")
			}
			fmt.Fprintf(&b, " (%s)\n", r.Source)
		}
		b.WriteString("\nAddresses that the input does not show lie:\n\n| of | typically | in the worst case | source |\n|---|---|---|---|\n")
		for o := range Objects {
			at := p.Place(o)
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", o, prefixes(at.Typical), prefixes(at.Possible), cell(at.Source))
		}
		if p.PortsPerBlock > 0 {
			fmt.Fprintf(&b, "\nLimit: %d ports and ranges of ports for one block, all policies together (%s).\n", p.PortsPerBlock, p.LimitSource)
		}
		if len(p.Other) > 0 {
			b.WriteString("\nAlso:\n\n")
			for _, text := range p.Other {
				fmt.Fprintf(&b, "* %s\n", text)
			}
		}
	}
	return b.String()
}

func prefixes(addrs netset.Addrs) string {
	var texts []string
	for _, p := range netset.CIDRs(addrs) {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ", ")
}

// cell is text as a cell of a table has it.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
