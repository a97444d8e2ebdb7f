package rule

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// knownRules judge with what is known of the cluster beside its objects.
var knownRules = []Rule{{
	ID: "TM313", Title: "An exception misses a range of the cluster", Severity: finding.Medium, Since: "0.3",
	Why: "A block for the internet means everything but the inside, so its exceptions have to name all of the inside: nodes, pods, Services, the control plane with its public address, " +
		"and what is routed from the cluster's network. Ranges that were added later, and ranges outside of RFC 1918, are those that lists miss.",
	Bad:        "0.0.0.0/0 except the first range of pods, in a cluster whose node pools have ranges of their own",
	Good:       "the list that toolmoat cidrs -o except prints",
	References: []string{networkPolicies, "https://cloud.google.com/kubernetes-engine/docs/how-to/multi-pod-cidr"},
	Server:     missedRanges,
}, {
	ID: "TM317", Title: "An except list lacks private ranges that nothing shows in use", Severity: finding.Medium, Since: "0.4",
	Why: "Private is more than RFC 1918: providers route 100.64.0.0/10, 198.18.0.0/15 and 240.0.0.0/4 inside as well. Nothing shows that this cluster uses them, and the day that it does, " +
		"or that a peered network does, the block opens them. On EKS pods are in 100.64.0.0/10 or 198.19.0.0/16 once custom networking is set up.",
	Bad:        "0.0.0.0/0 except 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16",
	Good:       "these, 100.64.0.0/10, 198.18.0.0/15 and 240.0.0.0/4 under except",
	References: []string{networkPolicies, "https://docs.aws.amazon.com/eks/latest/userguide/cni-custom-network.html"},
	Server:     unusedRanges,
}}

// cloudOf is the cloud in which a profile is judged; "" where that is not known.
func (p *Pass) cloudOf(profile cni.Profile) string {
	if profile.Cloud == "" && p.Snapshot.Facts.Known("cloud") {
		return p.Snapshot.Facts.Cloud
	}
	return profile.Cloud
}

// knownRange is a list of the cluster's ranges, with the profiles under which an exception for it
// does something.
type knownRange struct {
	what   string
	ranges []model.Range
	worlds reach.Worlds
	but    netset.Addrs // what blocks never match there
}

func (p *Pass) knownRanges() []knownRange {
	where := func(q cni.Question) reach.Worlds {
		yes, maybe := p.Answering(q)
		return yes | maybe
	}
	r := &p.Snapshot.Facts.Ranges
	onNodes := where(cni.BlocksMatchNodes)
	known := []knownRange{
		{"nodes", r.Nodes, onNodes, netset.Addrs{}},
		{"pods", r.Pods, where(cni.BlocksMatchPods), netset.Addrs{}},
		{"Services", r.Services, where(cni.JudgedBeforeService), netset.Addrs{}},
	}
	nodes, all := p.NodeAddrs, onNodes
	if nodes.IsEmpty() {
		all = p.Worlds()
	}
	for _, k := range []knownRange{{what: "the control plane", ranges: r.ControlPlane}, {what: "the network", ranges: r.VPC}, {what: "networks beyond", ranges: r.Remote}} {
		known = append(known, knownRange{k.what, k.ranges, all, netset.Addrs{}}, knownRange{k.what, k.ranges, p.Worlds() &^ all, nodes})
	}
	return known
}

// missedRange is one of the cluster's ranges that a rule opens, under some profiles.
type missedRange struct {
	text   string
	first  netip.Addr
	worlds reach.Worlds
}

// missedRanges reports a rule that opens the internet and some of the cluster's own ranges with it,
// for each set of profiles on which the ranges are the same.
func missedRanges(p *Pass) {
	for _, r := range p.rulesOn(policy.Egress) {
		through, opened := p.opensInternet(r)
		if through == nil {
			continue
		}
		missed := p.missedBy(opened)
		groups := []reach.Worlds{p.Worlds()}
		for _, m := range missed {
			groups = p.Refine(groups, p.On(m.worlds))
		}
		for _, g := range groups {
			in := slices.DeleteFunc(slices.Clone(missed), func(m missedRange) bool { return !m.worlds.Covers(g) })
			if len(in) == 0 {
				continue
			}
			texts := make([]string, len(in))
			for i, m := range in {
				texts[i] = m.text
			}
			p.Found(Report{Origin: r.Origin, Worlds: g, Witness: p.witnessTo(in[0].first, through), Message: ruleText(r) + " opens the internet, and of the cluster itself " + some(texts),
				Fix: "put the ranges under except; toolmoat cidrs -o except prints all that are known"})
		}
	}
}

// opensInternet returns what a rule opens, if that is the internet as such, and nil if it is not.
func (p *Pass) opensInternet(r *policy.Rule) (through []reach.Box, opened netset.Addrs) {
	through = p.throughBlocks(r)
	sets := make([]netset.Addrs, len(through))
	for i, b := range through {
		sets[i] = b.Region.Addrs
	}
	if opened = netset.Union(sets...); r.Action != policy.Allow || !special.Broad(opened) {
		return nil, opened
	}
	return through, opened
}

// witnessTo is a connection to an address that is in one of some boxes.
func (p *Pass) witnessTo(addr netip.Addr, through []reach.Box) *finding.Witness {
	b := through[slices.IndexFunc(through, func(b reach.Box) bool { return b.Region.Addrs.Contains(addr) })]
	w := connection(addr.String(), b.Conns)
	w.World = p.says(b.Verdict, b.When, itself, "the address")
	return w
}

// unusedRanges reports a rule that opens the internet but for an except list, and with it private
// ranges in which nothing is shown.
func unusedRanges(p *Pass) {
	facts := &p.Snapshot.Facts.Ranges
	var shown []netset.Addrs
	for _, ranges := range [][]model.Range{facts.Nodes, facts.Pods, facts.Services, facts.ControlPlane, facts.VPC, facts.Remote} {
		for _, r := range ranges {
			shown = append(shown, netset.Prefixes(r.CIDR))
		}
	}
	used := netset.Union(shown...)
	for _, r := range p.rulesOn(policy.Egress) {
		through, opened := p.opensInternet(r)
		if through == nil || !slices.ContainsFunc(r.Peers, func(peer policy.Peer) bool { return peer.Block != nil && len(peer.Block.Except) > 0 }) {
			continue
		}
		var unused netset.Addrs
		for _, rng := range alsoPrivate {
			if !used.Overlaps(rng) && p.KnownIn(rng).IsEmpty() {
				unused = unused.Union(rng.Intersect(opened))
			}
		}
		if unused.IsEmpty() {
			continue
		}
		var aws reach.Worlds
		if unused.Overlaps(customNetworking) {
			for i, profile := range p.AllProfiles() {
				if profile.Cloud == "AWS" {
					aws |= 1 << i
				}
			}
		}
		report := Report{Severity: finding.Low, Origin: r.Origin, Witness: p.witnessTo(unused.First(), through),
			Message: ruleText(r) + " opens the internet, and private ranges that its except list lacks and nothing shows in use: " + reach.PrefixText(netset.CIDRs(unused), 4),
			Fix:     "put them under except; toolmoat cidrs -o except prints those that the cluster uses"}
		if report.Worlds = p.Worlds() &^ aws; report.Worlds != 0 {
			p.Found(report)
		}
		if report.Worlds = p.Worlds() & aws; report.Worlds != 0 {
			report.Severity, report.Message = finding.Medium, report.Message+"; pods are there with custom networking"
			p.Found(report)
		}
	}
}

// alsoPrivate is private space in which clusters rarely have addresses; customNetworking is that of it
// in which EKS puts pods where it is told to (EKS documentation, cni-custom-network).
var (
	alsoPrivate      = []netset.Addrs{netset.MustPrefixes("100.64.0.0/10"), netset.MustPrefixes("198.18.0.0/15"), netset.MustPrefixes("240.0.0.0/4")}
	customNetworking = netset.MustPrefixes("100.64.0.0/10", "198.19.0.0/16")
)

// missedBy returns the cluster's ranges, each once, of which some is open.
func (p *Pass) missedBy(opened netset.Addrs) []missedRange {
	var out []missedRange
	said := map[netip.Prefix]reach.Worlds{}
	for _, rng := range p.Snapshot.Facts.Ranges.Services { // which is often one of the network's, and holds nothing else
		yes, maybe := p.Answering(cni.JudgedBeforeService)
		said[rng.CIDR] = p.Worlds() &^ (yes | maybe)
	}
	for _, known := range p.knownRanges() {
		for _, rng := range known.ranges {
			open := netset.Prefixes(rng.CIDR).Intersect(opened)
			hit, worlds := open.Minus(known.but), known.worlds&^said[rng.CIDR]
			if worlds != 0 && !hit.IsEmpty() {
				said[rng.CIDR] |= worlds
				out = append(out, missedRange{reach.PrefixText(netset.CIDRs(open), 2) + " (" + known.what + ")", hit.First(), worlds})
			}
		}
	}
	return out
}

// decides reports whether a rule is among those that decide.
func decides(r *policy.Rule, by []reach.By) bool {
	return slices.ContainsFunc(by, func(b reach.By) bool { return b.Rule == r })
}

// letBy returns the first rule that lets something through, nil if none does.
func letBy(by []reach.By) *policy.Rule {
	for _, b := range blast.LetThrough(by...) {
		return b.Rule
	}
	return nil
}

// throughBlocks returns what a rule opens of addresses, or may.
func (p *Pass) throughBlocks(r *policy.Rule) []reach.Box {
	var out []reach.Box
	for i := range p.Radius.Class {
		for _, b := range p.Radius.Boxes[i][policy.Egress] {
			if decides(r, b.Egress) && !b.Region.Addrs.IsEmpty() {
				out = append(out, b)
			}
		}
	}
	return out
}
