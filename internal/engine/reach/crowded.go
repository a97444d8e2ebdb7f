package reach

import (
	"slices"
	"strings"
)

// Crowded reports whether b holds only while the plugin keeps its port for a block that has more ports than it can hold.
func (b Box) Crowded() bool {
	says := func(text string) bool { return strings.Contains(text, crowded.All[0]) }
	return slices.ContainsFunc(b.Cond.All, says) || slices.ContainsFunc(b.Cond.Texts, says)
}
