package reach

import "strings"

// Crowded reports whether b holds only while the plugin keeps its port for a block that has more ports than it can hold.
func (b Box) Crowded() bool { return strings.Contains(b.Cond.String(), crowded.String()) }
