package rule

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// missedResolver reports a server whose rules reach resolver pods, where DNS answers elsewhere:
// certainly, or in a form that clusters of this profile may have. That nothing at all is reached is
// TM309's.
func missedResolver(p *Pass) {
	certain, by := p.isolated(policy.Egress)
	if !certain || len(by) == 0 || p.hostNetwork() || !p.needsDNS() {
		return
	}
	dns := p.Radius.To[blast.DNS]
	at := by[0].Origin
	i := slices.IndexFunc(dns.To, func(t blast.Target) bool { return t.Pods != "" })
	if i < 0 {
		return
	}
	if len(dns.To[i].By) > 0 {
		at = dns.To[i].By[0].Rule.Origin
	}
	if facts := &p.Snapshot.Facts; len(facts.DNS.Resolvers) > 0 && facts.Known("dns") {
		missedKnownResolver(p, at)
		return
	}
	var surely, perhaps reach.Worlds
	var fixed cni.Resolver
	var forms []cni.Resolver // that clusters of any of the profiles may have, so that they are one finding
	missed := map[string]bool{}
	for w, profile := range p.AllProfiles() {
		if profile.Says(cni.Enforces) == cni.No {
			continue
		}
		for _, r := range profile.Resolvers {
			if _, asked := missed[r.Name]; !asked {
				// Resolver pods in the input show that a cluster has nodes of both kinds; nothing
				// tells on which the server runs.
				missed[r.Name] = !p.resolvesBy(r) && (r.Always && p.ResolverClasses() == nil || !r.Always && !p.absent(r))
				if missed[r.Name] && !r.Always {
					forms = append(forms, r)
				}
			}
			switch {
			case !missed[r.Name] || !p.Worlds().Has(w):
			case r.Always:
				surely, fixed = surely|1<<w, r
			default:
				perhaps |= 1 << w
			}
		}
	}
	if surely != 0 {
		p.Found(Report{Origin: at, Worlds: surely, Message: "it cannot resolve names: DNS is " + fixed.Name + " here, and its rules reach resolver pods only",
			Fix:     "allow UDP and TCP 53 to the address of the DNS Service, which stands in every pod's resolv.conf, with an ipBlock",
			Witness: &finding.Witness{To: "the DNS Service", Port: int(fixed.Port), Protocol: netset.UDP.String()}})
	}
	if perhaps != 0 && !p.namesResolver() {
		p.Found(missedForms(forms, perhaps, at))
	}
}

// missedKnownResolver reports a resolver that the facts name and no rule opens. Addresses of
// Services are left to the pods behind them.
func missedKnownResolver(p *Pass, at origin.Origin) {
	dns := p.Radius.To[blast.DNS]
	for _, r := range p.Snapshot.Facts.DNS.Resolvers {
		on := netset.ConnsOf(netset.UDP, netset.PortRange(netset.Port(r.Port), netset.Port(r.Port)))
		where, fix := r.Namespace, ""
		switch {
		case r.Addr.IsValid():
			addr := r.Addr.Unmap()
			open := dns.AddrsOn(on).Union(p.Radius.To[blast.PrivateNetworks].AddrsOn(on)).Union(p.Radius.To[blast.Internet].AddrsOn(on))
			if open.Contains(addr) || p.ofService(addr) {
				continue
			}
			where, fix = addr.String(), "an ipBlock of "+netip.PrefixFrom(addr, addr.BitLen()).String()
		case p.reachesResolver(r, on):
			continue
		default:
			fix = "the resolver pods in " + r.Namespace
		}
		w := &finding.Witness{To: where, Port: int(r.Port), Protocol: netset.UDP.String()}
		p.Found(Report{Origin: at, Witness: w, Message: fmt.Sprintf("it cannot resolve names at %s, where DNS of this cluster answers on port %d: no rule lets it there", where, r.Port),
			Fix: fmt.Sprintf("allow UDP and TCP %d to %s", r.Port, fix)})
	}
}

// reachesResolver reports whether the server reaches the pods that a resolver is, or, where the
// input does not show these, resolver pods at all.
func (p *Pass) reachesResolver(r model.Resolver, on netset.Conns) bool {
	if pods := p.Selected(policy.Subject{NS: label.Named(r.Namespace), Pod: label.Equals(r.Selector)}); len(pods) > 0 {
		return p.reaches(p.IDs(pods...), on)
	}
	return slices.ContainsFunc(p.Radius.To[blast.DNS].To, func(t blast.Target) bool { return t.Pods != "" && t.Conns.Overlaps(on) })
}

// ofService reports whether a resolver's address is a Service's. Where the range of Services is not
// known, it is taken for that of resolver pods, if there are any.
func (p *Pass) ofService(addr netip.Addr) bool {
	f := &p.Snapshot.Facts
	if slices.ContainsFunc(f.Ranges.Services, func(r model.Range) bool { return r.CIDR.Contains(addr) }) {
		return true
	}
	whole := f.Ranges.Services != nil && f.Known("ranges.services")
	if !whole && special.Plan.Contains(addr) && slices.ContainsFunc(f.DNS.Resolvers, func(r model.Resolver) bool { return r.Namespace != "" }) {
		return true
	}
	ids, _ := p.Held(netset.Points(addr))
	return len(p.HoldersOf(ids, reach.VIP)) > 0
}

// missedForms words a finding about forms of DNS that clusters may have. It is of low severity:
// nothing in the input shows that this one does.
func missedForms(forms []cni.Resolver, worlds reach.Worlds, at origin.Origin) Report {
	var texts, repairs []string
	for _, r := range forms {
		switch {
		case len(r.Addrs) > 0:
			texts = append(texts, fmt.Sprintf("%s (%s)", r.Name, r.Addrs[0]))
			repairs = append(repairs, netip.PrefixFrom(r.Addrs[0], r.Addrs[0].BitLen()).String())
		default:
			texts = append(texts, fmt.Sprintf("%s (port %d)", r.Name, r.Port))
			repairs = append(repairs, fmt.Sprintf("port %d of its resolver pods", r.Port))
		}
	}
	w := &finding.Witness{To: forms[0].Name, Port: int(forms[0].Port), Protocol: netset.UDP.String(), World: "the cluster's DNS answers there"}
	if len(forms[0].Addrs) > 0 {
		w.To = forms[0].Addrs[0].String()
	}
	return Report{Severity: finding.Low, Origin: at, Worlds: worlds, Witness: w,
		Message: "it cannot resolve names if DNS answers at " + strings.Join(texts, ", or ") + ": no rule lets it there",
		Fix:     "look into a pod's resolv.conf; if DNS is not a Service in front of pods, allow port 53, UDP and TCP, to it as well: " + strings.Join(repairs, ", ")}
}

// needsDNS reports whether the server has a name to resolve, or a rule that can mean nothing but
// DNS.
func (p *Pass) needsDNS() bool {
	return p.neededName() != "" || slices.ContainsFunc(p.rulesOn(policy.Egress), func(r *policy.Rule) bool {
		return r.Action == policy.Allow && !r.AnyPort && len(r.Ports) > 0 && special.ResolverPods.Covers(written(r))
	})
}

// resolvesBy reports whether the server reaches a form of DNS, perhaps.
func (p *Pass) resolvesBy(r cni.Resolver) bool {
	dns, on := p.Radius.To[blast.DNS], netset.ConnsOf(netset.UDP, netset.PortRange(r.Port, r.Port))
	reached := func(is func(blast.Target) bool) bool {
		return slices.ContainsFunc(dns.To, func(t blast.Target) bool { return is(t) && t.Conns.Overlaps(on) })
	}
	switch {
	case r.Pod:
		return reached(func(t blast.Target) bool { return t.Pods != "" })
	case len(r.Addrs) > 0:
		open := dns.AddrsOn(on)
		return slices.ContainsFunc(r.Addrs, open.Contains)
	}
	// It answers on the Service's address, which lies somewhere in the plan.
	return dns.AddrsOn(on).Union(p.Radius.To[blast.PrivateNetworks].AddrsOn(on)).Overlaps(special.Plan) ||
		reached(func(t blast.Target) bool { return t.Pods == "" && !t.CIDR.IsValid() })
}

// absent reports whether an input that shows resolver pods shows that the cluster does not have a
// form of DNS: one that runs in the cluster would be in it too. A cloud's resolver would not, and
// the pods stay when it takes over.
func (p *Pass) absent(r cni.Resolver) bool {
	own := r.Pod || slices.ContainsFunc(special.Endpoints, func(e special.Endpoint) bool {
		return e.Kind == special.Resolver && e.Cloud == "any" && slices.ContainsFunc(r.Addrs, func(a netip.Addr) bool { return slices.Contains(e.Addrs, a) })
	})
	return own && p.ResolverClasses() != nil && !slices.ContainsFunc(special.Resolvers, func(s special.ResolverSelector) bool {
		return s.Host != r.Pod && s.Port == r.Port && len(p.Selected(policy.Subject{NS: label.Named(s.Namespace), Pod: s.Pod})) > 0
	})
}

// namesResolver reports whether some rule names the address of a resolver, or the port that
// resolver pods have on one distribution alone: whoever wrote it knows which one the cluster has.
func (p *Pass) namesResolver() bool {
	const narrow = 24
	return slices.ContainsFunc(p.rulesOn(policy.Egress), func(r *policy.Rule) bool {
		if own := special.ResolverPods.Minus(special.DNS); r.Action == policy.Allow && !r.AnyPort && special.ResolverPods.Covers(written(r)) && written(r).Overlaps(own) {
			return true
		}
		return r.Action == policy.Allow && written(r).Overlaps(special.DNS) && slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool {
			return peer.Block != nil && peer.Block.CIDR.Bits() >= narrow && slices.ContainsFunc(special.Endpoints, func(e special.Endpoint) bool {
				return e.Kind == special.Resolver && slices.ContainsFunc(e.Addrs, peer.Block.CIDR.Contains)
			})
		})
	})
}
