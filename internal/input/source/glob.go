package source

import (
	"fmt"
	"path"
	"strings"
)

// glob is a pattern over slash paths, by segments.
type glob []string

func parseGlobs(patterns []string) ([]glob, error) {
	var globs []glob
	for _, p := range patterns {
		g := glob(strings.Split(strings.Trim(p, "/"), "/"))
		for _, segment := range g {
			if _, err := path.Match(segment, ""); err != nil {
				return nil, fmt.Errorf("%q is not a glob", p)
			}
		}
		globs = append(globs, g)
	}
	return globs, nil
}

// match reports whether g matches the whole of a path.
func (g glob) match(segments []string) bool {
	for i, pattern := range g {
		if pattern == "**" {
			for skip := range len(segments) + 1 - i {
				if g[i+1:].match(segments[i+skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(segments) {
			return false
		}
		if ok, _ := path.Match(pattern, segments[i]); !ok {
			return false
		}
	}
	return len(segments) == len(g)
}

func excluded(globs []glob, name string) bool {
	segments := strings.Split(name, "/")
	for _, g := range globs {
		if g.match(segments) {
			return true
		}
	}
	return false
}
