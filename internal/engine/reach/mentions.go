package reach

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// mentions is what selectors and rules name: only that can tell pods apart.
type mentions struct {
	keys   []string            // sorted
	values map[string][]string // of the keys that StatefulSets number pods by
	ruled  map[string][]string // of these, what policies name
	others bool                // policies name them to leave them out
	ports  map[portName]bool
}

type portName struct {
	protocol netset.Protocol
	name     string
}

func mentioned(s *model.Snapshot) mentions {
	said := mentions{values: map[string][]string{}, ports: map[portName]bool{}}
	keys := map[string]bool{}
	add := func(sel label.Selector) {
		for _, k := range sel.Keys() {
			keys[k] = true
			if k == model.SetPodName || k == model.SetPodIndex {
				values, others := sel.On(k).Listed()
				said.values[k] = append(said.values[k], values...)
				said.others = said.others || others && values != nil
			}
		}
	}
	for sel := range s.PolicySelectors() {
		add(sel)
	}
	said.ruled = maps.Clone(said.values)
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			for _, port := range r.Ports {
				if port.Name != "" {
					said.ports[portName{port.Protocol, port.Name}] = true
				}
			}
		}
	}
	for _, svc := range s.Services {
		if svc.Selector != nil {
			add(*svc.Selector)
		}
		for _, p := range svc.Ports {
			if p.TargetName != "" {
				said.ports[portName{p.Protocol, p.TargetName}] = true
			}
		}
	}
	for _, r := range special.Resolvers { // whoever asks what reaches DNS has to find them
		add(r.Pod)
	}
	for k := range keys {
		said.keys = append(said.keys, k)
	}
	slices.Sort(said.keys)
	return said
}

// accountKey is the label by which Cilium's policies name the service account of a pod.
const accountKey = "io.cilium.k8s.policy.serviceaccount"

// withAccount adds a pod's service account to its labels, if some selector asks for it.
func (m mentions) withAccount(l label.Labels, pod *model.Pod) label.Labels {
	switch _, asked := slices.BinarySearch(m.keys, accountKey); {
	case !asked:
		return l
	case pod.Account == "":
		return l.WithUnknown(accountKey)
	}
	return l.With(accountKey, pod.Account)
}

// ordinals returns the numbers by which selectors name pods of the StatefulSet base; values are all
// that they name, or what policies do.
func ordinals(base string, values map[string][]string) map[int]bool {
	out := map[int]bool{}
	for _, text := range values[model.SetPodIndex] {
		if n, ok := parseOrdinal(text); ok {
			out[n] = true
		}
	}
	for _, name := range values[model.SetPodName] {
		if n, ok := ordinalOf(name, base); ok {
			out[n] = true
		}
	}
	return out
}

// atoms splits the addresses into the pieces that no block tells apart.
type atoms []netip.Addr // where each piece after the first starts

func boundaries(s *model.Snapshot) atoms {
	var out atoms
	add := func(p netip.Prefix) {
		for r := range netset.Prefixes(p).Runs() {
			out = append(out, r.Lo)
			if next := r.Hi.Next(); next.IsValid() {
				out = append(out, next)
			}
		}
	}
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			for _, peer := range r.Peers {
				if peer.Block != nil {
					add(peer.Block.CIDR)
					for _, e := range peer.Block.Except {
						add(e)
					}
				}
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

func (as atoms) of(a netip.Addr) int {
	i, found := slices.BinarySearchFunc(as, a, netip.Addr.Compare)
	if found {
		i++
	}
	return i
}
