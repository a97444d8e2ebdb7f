package discover

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
)

// index finds the Services that select a workload, and the routes that lead to a Service.
type index struct {
	services map[pairKey][]*model.Service // by namespace and one pair of the selector
	routes   map[ref][]*model.Backend
}

type ref struct{ namespace, name string }

type pairKey struct{ namespace, key, value string }

// newIndex files each Service under the rarest pair of its selector, so that a pair which all
// Services share (the name of a release) costs nothing. A selector from a Service is equalities
// only; what else a selector may hold is not indexed.
func newIndex(s *model.Snapshot) *index {
	x := &index{map[pairKey][]*model.Service{}, map[ref][]*model.Backend{}}
	count := map[pairKey]int{}
	pairs := make([][]pairKey, len(s.Services))
	for i := range s.Services {
		pairs[i] = pairsOf(&s.Services[i])
		for _, p := range pairs[i] {
			count[p]++
		}
	}
	for i := range s.Services {
		if len(pairs[i]) > 0 {
			rarest := slices.MinFunc(pairs[i], func(a, b pairKey) int { return count[a] - count[b] })
			x.services[rarest] = append(x.services[rarest], &s.Services[i])
		}
	}
	for i := range s.Routes {
		for j := range s.Routes[i].Backends {
			b := &s.Routes[i].Backends[j]
			x.routes[ref{b.Namespace, b.Service}] = append(x.routes[ref{b.Namespace, b.Service}], b)
		}
	}
	return x
}

func pairsOf(service *model.Service) []pairKey {
	if service.Selector == nil {
		return nil
	}
	var pairs []pairKey
	for _, key := range service.Selector.Keys() {
		if values, others := service.Selector.On(key).Listed(); !others && len(values) == 1 {
			pairs = append(pairs, pairKey{service.Namespace, key, values[0]})
		}
	}
	return pairs
}

// maxServices bounds the Services looked at for one workload and pair: thousands with one selector
// would make the cost quadratic.
const maxServices = 64

// servicesOf returns the Services that may select pods with labels l, by name; known is l's set.
func (x *index) servicesOf(namespace string, l label.Labels, known label.Set) []*model.Service {
	if len(x.services) == 0 {
		return nil
	}
	var found []*model.Service
	for key, value := range known {
		n := 0
		for _, service := range x.services[pairKey{namespace, key, value}] {
			if _, may := service.Selector.Match(l); may {
				if found, n = append(found, service), n+1; n == maxServices {
					break
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b *model.Service) int { return strings.Compare(a.Name, b.Name) })
	return found
}
