package blast

import "github.com/toolmoat/toolmoat/internal/reach"

// ResolverClasses returns the classes of resolver pods in the input.
func (a *Atlas) ResolverClasses() []int { return a.HoldersOf(a.resolvers, reach.Class) }
