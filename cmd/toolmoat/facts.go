package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/internal/input/source/cluster"
)

// readFacts reads what --facts names.
func readFacts(path string) (model.Facts, error) {
	files, problems, err := source.Files(source.Options{Paths: []string{path}})
	switch {
	case err != nil:
		return model.Facts{}, fmt.Errorf("--facts: %w", err)
	case len(problems) > 0:
		return model.Facts{}, fmt.Errorf("--facts %s: %s", path, problems[0].Message)
	case len(files) != 1:
		return model.Facts{}, fmt.Errorf("--facts %s: it is no file", path)
	}
	f, err := facts.Read(files[0].Name, files[0].Data)
	if err != nil {
		return model.Facts{}, hinted{err, "toolmoat cidrs writes such a file"}
	}
	return f, nil
}

// supplement returns the facts of a file, with the plugin and the cloud that a live cluster was
// found to have where the file does not say which: that nothing enforces policies must not be lost
// to a list of ranges.
func supplement(given, found model.Facts) model.Facts {
	for _, s := range []struct {
		field string
		to    *string
		from  string
	}{{"cni", &given.CNI, found.CNI}, {"cloud", &given.Cloud, found.Cloud}} {
		if *s.to != "" && given.Known(s.field) || s.from == "" || !found.Known(s.field) {
			continue
		}
		*s.to = s.from
		given.Unknown = slices.DeleteFunc(slices.Clone(given.Unknown), func(u model.Unknown) bool { return u.What == s.field })
	}
	return given
}

// doubt takes no list of ranges for whole that the objects of s contradict. That a file says so,
// where path names one, is a problem: it may be about another cluster.
func doubt(s *model.Snapshot, path string) {
	against := facts.Against(&s.Facts, s)
	s.Facts.Unknown = append(slices.Clip(s.Facts.Unknown), against...)
	for _, u := range against {
		if path != "" {
			s.Problems = append(s.Problems, finding.Problem{Rule: "TM904", Origin: origin.Origin{File: path}, Message: "it contradicts the input in " + u.What + ": " + u.Why,
				Hint: "a facts file is about one cluster, and about what it is today; toolmoat cidrs writes it anew"})
		}
	}
}

// profiles are those that --cni names, or the one that the cluster is known to run, or all that
// enforce policies where it may be.
func (c *common) profiles(f model.Facts) []cni.Profile {
	name := c.cni
	if !c.flags.Changed("cni") && f.CNI != "" && f.Known("cni") {
		name = f.CNI
	}
	profiles, err := cni.Named(name)
	if err != nil {
		profiles, _ = cni.Named(cni.Any)
	}
	if name != cni.Any || f.Cloud == "" || !f.Known("cloud") {
		return profiles
	}
	return slices.DeleteFunc(slices.Clone(profiles), func(p cni.Profile) bool { return p.Cloud != "" && p.Cloud != f.Cloud })
}

// detect asks a cluster for what it tells of itself. What it does not tell is unknown, which widens
// answers.
func detect(ctx context.Context, client *cluster.Client) (model.Facts, error) {
	files, _, err := client.Fetch(ctx, facts.Resources)
	if err != nil {
		return model.Facts{}, err
	}
	f, _ := facts.Of(files...)
	return f, nil
}
