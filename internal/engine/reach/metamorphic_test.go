package reach

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// answers is everything that a program says of a few ports, by words that do not depend on the
// order of the input.
type answers map[string]string

// ask asks every workload about every workload and address, in both directions.
func ask(s *model.Snapshot, outside []netip.Addr) answers {
	p := NewProgram(NewGround(s), spec())
	out := answers{}
	type named struct {
		name string
		ends []End
	}
	var all []named
	for i := range s.Workloads {
		w := named{name: s.Workloads[i].ID()}
		for _, c := range p.ClassesOf(i) {
			w.ends = append(w.ends, AtHolder(c))
		}
		all = append(all, w)
	}
	pods := len(all)
	for i, a := range outside {
		all = append(all, named{fmt.Sprintf("address %d", i), []End{AtAddr(a)}})
	}
	for i, from := range all {
		for j, to := range all {
			if i >= pods && j >= pods {
				continue
			}
			for _, proto := range netset.Protocols {
				for _, port := range []netset.Port{80, 81, 8080} {
					var said []string
					for _, f := range from.ends {
						for _, t := range to.ends {
							said = append(said, p.Explain(f, t, proto, port).Verdict.String())
						}
					}
					slices.Sort(said)
					out[fmt.Sprintf("%s -> %s:%d/%s", from.name, to.name, port, proto)] = fmt.Sprint(slices.Compact(said))
				}
			}
		}
	}
	return out
}

// same demands that got says what want says, on what want speaks of.
func same(t *testing.T, seed uint64, want, got answers) {
	t.Helper()
	for _, q := range slices.Sorted(maps.Keys(want)) {
		if got[q] != want[q] {
			t.Fatalf("seed %d: %s: %s became %s", seed, q, want[q], got[q])
		}
	}
}

// clonePolicies returns a copy of s with policies that can be changed.
func clonePolicies(s *model.Snapshot) *model.Snapshot {
	out := *s
	out.Policies = slices.Clone(s.Policies)
	for i := range out.Policies {
		out.Policies[i].Rules = slices.Clone(out.Policies[i].Rules)
		out.Policies[i].Isolations = slices.Clone(out.Policies[i].Isolations)
	}
	return &out
}

// TestMetamorphic changes the input in ways that change no meaning.
func TestMetamorphic(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*random, *model.Snapshot) *model.Snapshot
	}{
		{"order", func(r *random, s *model.Snapshot) *model.Snapshot {
			out := *clonePolicies(s)
			out.Workloads, out.Namespaces = slices.Clone(s.Workloads), slices.Clone(s.Namespaces)
			r.Shuffle(len(out.Policies), func(i, j int) { out.Policies[i], out.Policies[j] = out.Policies[j], out.Policies[i] })
			r.Shuffle(len(out.Workloads), func(i, j int) { out.Workloads[i], out.Workloads[j] = out.Workloads[j], out.Workloads[i] })
			r.Shuffle(len(out.Namespaces), func(i, j int) { out.Namespaces[i], out.Namespaces[j] = out.Namespaces[j], out.Namespaces[i] })
			for _, p := range out.Policies {
				r.Shuffle(len(p.Rules), func(i, j int) { p.Rules[i], p.Rules[j] = p.Rules[j], p.Rules[i] })
			}
			return &out
		}},
		{"a policy for each rule", func(_ *random, s *model.Snapshot) *model.Snapshot {
			out := *s
			out.Policies = nil
			for _, p := range s.Policies {
				bare := p
				bare.Rules = nil
				out.Policies = append(out.Policies, bare)
				for _, rule := range p.Rules {
					bare.Rules = []policy.Rule{rule}
					out.Policies = append(out.Policies, bare)
				}
			}
			return &out
		}},
		{"a rule for each peer and port", func(_ *random, s *model.Snapshot) *model.Snapshot {
			out := clonePolicies(s)
			for i, p := range out.Policies {
				out.Policies[i].Rules = nil
				for _, rule := range p.Rules {
					for n := range max(1, len(rule.Peers)) {
						for m := range max(1, len(rule.Ports)) {
							part := rule
							if rule.Peers != nil {
								part.Peers = rule.Peers[n : n+1]
							}
							if rule.Ports != nil {
								part.Ports = rule.Ports[m : m+1]
							}
							out.Policies[i].Rules = append(out.Policies[i].Rules, part)
						}
					}
				}
			}
			return out
		}},
		{"every policy twice", func(_ *random, s *model.Snapshot) *model.Snapshot {
			out := clonePolicies(s)
			out.Policies = append(out.Policies, s.Policies...)
			return out
		}},
		{"a workload twice", func(r *random, s *model.Snapshot) *model.Snapshot {
			out := *s
			twin := pick(r, s.Workloads...)
			if twin.Pods[0].Ordinals.Count == 0 { // else its pods have other names
				twin.Name = "zz"
				out.Workloads = append(slices.Clone(s.Workloads), twin)
			}
			return &out
		}},
		{"other files", func(_ *random, s *model.Snapshot) *model.Snapshot {
			out := clonePolicies(s)
			for i := range out.Policies {
				p := &out.Policies[i]
				p.Origin.File = fmt.Sprintf("%d.yaml", 99-i)
				for j := range p.Rules {
					p.Rules[j].Origin.File = p.Origin.File
				}
			}
			return out
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(scenes(t, 12)) {
				r := newRandom(seed, mix{unknown: seed%3 != 0, hosts: seed%4 == 1, nodes: seed%4 == 1})
				s := r.scene()
				outside := edgesOf(s.snap)
				outside = outside[:min(len(outside), 8)]
				same(t, seed, ask(s.snap, outside), ask(tt.change(r, s.snap), outside))
			}
		})
	}
}

// mirrored is the IPv6 address, or prefix, that stands for one of IPv4.
func mirrored(a netip.Addr) netip.Addr {
	out := netip.MustParseAddr("2001:db8:1::").As16()
	four := a.As4()
	copy(out[12:], four[:])
	return netip.AddrFrom16(out)
}

func mirroredPrefix(p netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(mirrored(p.Addr()), p.Bits()+96)
}

// TestMirror moves every address to IPv6.
func TestMirror(t *testing.T) {
	for seed := range uint64(scenes(t, 40)) {
		r := newRandom(seed, mix{v4: true})
		s := r.scene()
		var outside, moved []netip.Addr
		for _, a := range edgesOf(s.snap) {
			if a.Is4() && len(outside) < 10 {
				outside, moved = append(outside, a), append(moved, mirrored(a))
			}
		}
		want := ask(s.snap, outside)
		for i := range s.snap.Workloads {
			for j := range s.snap.Workloads[i].Pods {
				p := &s.snap.Workloads[i].Pods[j]
				p.Addrs = []netip.Addr{mirrored(p.Addrs[0])}
			}
		}
		for _, p := range s.snap.Policies {
			for _, rule := range p.Rules {
				for _, x := range rule.Peers {
					if x.Block != nil {
						x.Block.CIDR = mirroredPrefix(x.Block.CIDR)
						for i := range x.Block.Except {
							x.Block.Except[i] = mirroredPrefix(x.Block.Except[i])
						}
					}
				}
			}
		}
		same(t, seed, want, ask(s.snap, moved))
	}
}

// TestTraceNamesWhatDecides deletes the rules that a trace names, which must take the connection
// away or show another rule; and keeps only those, which must be enough.
func TestTraceNamesWhatDecides(t *testing.T) {
	flipped, another := 0, 0
	for seed := range uint64(scenes(t, 150)) {
		r := newRandom(seed, mix{unknown: seed%2 == 0})
		b := newBench(r, seed, r.scene(), spec(), 0)
		ends := b.ends(edgesOf(b.snap))
		for range 40 {
			q := question{AtHolder(r.IntN(b.Classes())), pick(r, ends...), pick(r, netset.Protocols[:]...), netset.Port(pick(r, portNumbers...))}
			if r.one(2) {
				q.from, q.to = q.to, q.from
			}
			trace := b.Explain(q.from, q.to, q.proto, q.port)
			if trace.Verdict != Allowed {
				continue
			}
			for _, side := range trace.Sides {
				if len(side.By) == 0 {
					if len(side.Isolated) > 0 {
						b.fail(t, q, "%v is isolated and passes by no rule", side.Dir)
					}
					continue
				}
				named := func(r *policy.Rule) bool { return slices.Contains(RulesOf(side.By), r) }
				without := b.with(func(r *policy.Rule) bool { return !named(r) })
				after := without.Explain(q.from, q.to, q.proto, q.port)
				if after.Verdict != Allowed {
					flipped++
				} else if another++; len(sideOf(after, side.Dir).By) == 0 {
					b.fail(t, q, "without the rule that the trace names, it passes by none")
				}
				only := b.with(func(r *policy.Rule) bool { return named(r) || r.Dir != side.Dir })
				if v := only.Explain(q.from, q.to, q.proto, q.port).Verdict; v != Allowed {
					b.fail(t, q, "with only the rule that the trace names, it is %v", v)
				}
			}
		}
	}
	if (flipped < 100 || another < 100) && !testing.Short() {
		t.Errorf("flipped %d, named another %d: too few to tell", flipped, another)
	}
}

// with returns the program with only some of the rules. Numbers stay, as long as what tells pods
// apart is still named.
func (b *bench) with(keep func(*policy.Rule) bool) *Program {
	s := *b.snap
	s.Policies = nil
	for i := range b.snap.Policies {
		p := b.snap.Policies[i]
		p.Rules = nil
		for j := range b.snap.Policies[i].Rules {
			rule := &b.snap.Policies[i].Rules[j]
			out := *rule
			if !keep(rule) {
				out.Subject.Pod = out.Subject.Pod.Require("nobody", labelNever)
			}
			p.Rules = append(p.Rules, out)
		}
		s.Policies = append(s.Policies, p)
	}
	return NewProgram(NewGround(&s), spec())
}

func sideOf(t Trace, d policy.Direction) Side {
	for _, s := range t.Sides {
		if s.Dir == d {
			return s
		}
	}
	return Side{}
}

// labelNever is what no label satisfies.
var labelNever label.Values
