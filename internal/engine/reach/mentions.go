package reach

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// mentions is what selectors and rules name: only that can tell pods apart.
type mentions struct {
	keys   []string            // sorted
	values map[string][]string // of the keys that StatefulSets number pods by
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
			if k == podNameKey || k == podIndexKey {
				values, _ := sel.On(k).Listed()
				said.values[k] = append(said.values[k], values...)
			}
		}
	}
	for _, p := range s.Policies {
		for _, st := range p.Isolations {
			add(st.Subject.Pod)
		}
		for _, r := range p.Rules {
			add(r.Subject.Pod)
			for _, peer := range r.Peers {
				if peer.Pod != nil {
					add(*peer.Pod)
				}
			}
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

// ordinals returns the numbers, as text, by which selectors name pods of the StatefulSet base.
func (m mentions) ordinals(base string) []string {
	out := slices.Clone(m.values[podIndexKey])
	for _, name := range m.values[podNameKey] {
		if n, ok := strings.CutPrefix(name, base+"-"); ok {
			out = append(out, n)
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
