package reach

// Front is a Service before a class of pods, an index into Snapshot.Services, with the ports of the pods that its own become.
type Front struct {
	Service int
	Ports   []PortMapping
}

// Fronts returns the Services before a class: those that select it, and those of which an endpoint is one of its pods.
func (g *Ground) Fronts(class int) []Front {
	out := make([]Front, len(g.fronts[class]))
	for i, at := range g.fronts[class] {
		out[i] = Front{at.service, g.backends[at.service][at.backing].Ports}
	}
	return out
}
