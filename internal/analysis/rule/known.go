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
		through := p.throughBlocks(r)
		sets := make([]netset.Addrs, len(through))
		for i, b := range through {
			sets[i] = b.Region.Addrs
		}
		opened := netset.Union(sets...)
		if r.Action != policy.Allow || !special.Broad(opened) {
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
			b := through[slices.IndexFunc(through, func(b reach.Box) bool { return b.Region.Addrs.Contains(in[0].first) })]
			w := connection(in[0].first.String(), b.Conns)
			w.World = p.says(b.Verdict, b.When, itself, "the address")
			p.Found(Report{Origin: r.Origin, Worlds: g, Witness: w, Message: ruleText(r) + " opens the internet, and of the cluster itself " + some(texts),
				Fix: "put the ranges under except; toolmoat cidrs -o except prints all that are known"})
		}
	}
}

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
