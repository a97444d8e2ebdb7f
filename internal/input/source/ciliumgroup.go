package source

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// cidrGroup is a CiliumCIDRGroup.
type cidrGroup struct {
	name    string
	labels  label.Labels // as Cilium has them: also one for the name
	cidrs   []netip.Prefix
	unsound bool // it could not be read, or is defined in several ways
	at      origin.Origin
}

// groupNameLabel starts the label that a CIDR group has for its name (cilium v1.19.1,
// pkg/policy/api/cidr.go).
const groupNameLabel = "io.cilium.policy.cidrgroupname/"

// ciliumCIDRGroup reads a CiliumCIDRGroup of cilium.io/v2 or v2alpha1.
func (p *part) ciliumCIDRGroup(o *object) {
	root := o.doc.Open(doc.Strict)
	root.Field("apiVersion")
	root.Field("kind")
	root.Field("status").Skip()
	o.readPolicyMeta(root.Field("metadata"))
	g := cidrGroup{name: o.meta.name, at: o.at}
	list := root.Field("spec").Field("externalCIDRs")
	if !list.IsSet() {
		list.Fail("missing", "[] is a group of no addresses")
	}
	for _, item := range ciliumItems(list) {
		if cidr, ok := readCiliumCIDR(item); ok {
			g.cidrs = append(g.cidrs, cidr)
		}
	}
	set := label.Set{groupNameLabel + g.name: ""}
	for key, value := range o.meta.labels {
		if !strings.HasPrefix(key, ciliumLabels) {
			set[key] = value
		}
	}
	g.labels = label.Known(set)
	problems := root.Close()
	g.unsound = len(problems) > 0
	p.invalid(o.at, problems)
	if g.name != "" {
		p.groups = append(p.groups, g)
	}
}

// draft is a policy before what it refers to in other files is known.
type draft struct {
	policy.Policy
	open []openPeers
}

// openPeers are peers that the rules from first up to end, which share them, have to be given.
type openPeers struct {
	first, end int
	uses       []use // in order of peers
}

// use is a peer that stands in a draft for what other objects say. One of group, labels and
// services is set.
type use struct {
	peer     int
	group    string               // the peer is a CIDR group
	labels   *label.Selector      // the peer is CIDR groups by their labels
	except   []netip.Prefix       // from either
	services []policy.ServicePeer // the peer counts if the cluster has none of these
}

// unknownGroup is the peer that stands for a group of which not everything is known.
func unknownGroup(what string) policy.Peer {
	return policy.Peer{Entity: policy.World, If: []policy.Fact{holds(what)}}
}

// resolve completes the drafts.
func resolve(drafts []draft, groups []cidrGroup, services []model.Service) []policy.Policy {
	if len(drafts) == 0 {
		return nil
	}
	r := resolver{byName: map[string][]*cidrGroup{}, services: services, left: maxResolved}
	for i := range groups {
		g := &groups[i]
		r.byName[g.name] = append(r.byName[g.name], g)
		r.unsound = r.unsound || g.unsound
		for _, cidr := range g.cidrs {
			r.blocks = append(r.blocks, groupBlock{cidr, g})
		}
	}
	slices.SortStableFunc(r.blocks, func(a, b groupBlock) int {
		return cmp.Or(a.cidr.Addr().Compare(b.cidr.Addr()), cmp.Compare(a.cidr.Bits(), b.cidr.Bits()))
	})
	out := make([]policy.Policy, len(drafts))
	for i := range drafts {
		d := &drafts[i]
		for _, open := range d.open {
			peers := r.complete(d.Rules[open.first].Peers, open.uses)
			for n := open.first; n < open.end; n++ {
				d.Rules[n].Peers = peers
			}
		}
		out[i] = d.Policy
	}
	return out
}

// maxResolved bounds the work of resolving: exceptions and labels that are looked at, and peers
// that are made, each of which counts for several. What is beyond stays unknown.
const (
	maxResolved = 1 << 22
	perPeer     = 8
)

type resolver struct {
	byName   map[string][]*cidrGroup
	blocks   []groupBlock // sorted: what holds a block stands before it
	unsound  bool         // a group could not be read
	services []model.Service
	left     int // of maxResolved
}

// groupBlock is a block of a group.
type groupBlock struct {
	cidr  netip.Prefix
	group *cidrGroup
}

// spend takes n from what is left, and reports whether there was enough.
func (r *resolver) spend(n int) bool {
	if n > r.left {
		return false
	}
	r.left -= n
	return true
}

// complete returns peers with those replaced that uses are about.
func (r *resolver) complete(peers []policy.Peer, uses []use) []policy.Peer {
	out := make([]policy.Peer, 0, len(peers))
	for i, peer := range peers {
		if len(uses) > 0 && uses[0].peer == i {
			out = append(out, r.peers(uses[0], peer)...)
			uses = uses[1:]
		} else {
			out = append(out, peer)
		}
	}
	return out
}

// peers returns what takes the place of the peer that stands for u.
func (r *resolver) peers(u use, stand policy.Peer) []policy.Peer {
	at := func(peer policy.Peer) policy.Peer {
		peer.Path, peer.Origin = stand.Path, stand.Origin
		return peer
	}
	switch {
	case u.services != nil:
		if slices.ContainsFunc(u.services, r.hasService) {
			return nil
		}
		return []policy.Peer{stand}
	case u.labels != nil:
		return r.labelled(u, stand, at)
	}
	groups := r.byName[u.group]
	if len(groups) != 1 || groups[0].unsound || !r.spend(len(groups[0].cidrs)*(perPeer+len(u.except))) {
		return []policy.Peer{stand}
	}
	out := make([]policy.Peer, len(groups[0].cidrs))
	for i, cidr := range groups[0].cidrs {
		out[i] = at(policy.Peer{Block: without(cidr, u.except)})
	}
	return out
}

// without returns a block without those exceptions that it has a part of.
func without(cidr netip.Prefix, except []netip.Prefix) *policy.Block {
	b := &policy.Block{CIDR: cidr}
	for _, e := range except {
		if e.Overlaps(cidr) {
			b.Except = append(b.Except, e)
		}
	}
	return b
}

// hasService reports whether the input shows a Service that peer names and that has pods or
// addresses behind it.
func (r *resolver) hasService(peer policy.ServicePeer) bool {
	if !r.spend(len(r.services)) {
		return false
	}
	return slices.ContainsFunc(r.services, func(s model.Service) bool {
		if s.Type == "ExternalName" || s.Selector == nil && len(s.Endpoints) == 0 || peer.Namespace != "" && peer.Namespace != s.Namespace {
			return false
		}
		if peer.Labels != nil {
			must, _ := peer.Labels.Match(label.Known(s.Labels))
			return must
		}
		return peer.Name == s.Name
	})
}

// labelled resolves CIDR groups by their labels. An address has the labels of every group that
// holds it; where two groups give one label different values, the longer block's counts (cilium
// v1.19.1, pkg/ipcache, mergeParentLabels).
func (r *resolver) labelled(u use, stand policy.Peer, at func(policy.Peer) policy.Peer) []policy.Peer {
	if _, may := u.labels.Match(label.Labels{}); may { // what is in no group satisfies it, even pods
		peer := at(policy.Peer{Entity: policy.All})
		if !u.labels.SelectsAll() {
			peer.If = append(peer.If, not(holds("CiliumCIDRGroup that the selector leaves out")))
		}
		if len(u.except) > 0 {
			peer.If = append(peer.If, not(holds("CIDR in except")))
		}
		return []policy.Peer{peer}
	}
	out, certain := r.matching(u, at)
	if r.unsound || !certain || len(out) == 0 { // where the input shows no such group, it shows none, or not all
		out = append(out, stand)
	}
	return out
}

// span is a block with what is known of its labels, and the peer it belongs to; -1 if it matches
// nothing.
type span struct {
	cidr netip.Prefix
	set  label.Set
	peer int
}

// matching returns the blocks whose labels satisfy the selector of u. It is uncertain where groups
// contradict each other in one block, and where there is too much to look at.
func (r *resolver) matching(u use, at func(policy.Peer) policy.Peer) (out []policy.Peer, certain bool) {
	keys := u.labels.Keys()
	if !r.spend(len(r.blocks) * (perPeer + len(keys) + len(u.except))) {
		return nil, false
	}
	certain = true
	var stack []span
	for i := 0; i < len(r.blocks); {
		s := span{cidr: r.blocks[i].cidr, set: label.Set{}, peer: -1}
		for ; i < len(r.blocks) && r.blocks[i].cidr == s.cidr; i++ {
			for _, key := range keys {
				value, ok := r.blocks[i].group.labels.Value(key)
				if other, has := s.set[key]; ok && has && other != value {
					certain = false
				} else if ok {
					s.set[key] = value
				}
			}
		}
		for len(stack) > 0 && !stack[len(stack)-1].cidr.Contains(s.cidr.Addr()) {
			stack = stack[:len(stack)-1]
		}
		parent := -1
		if len(stack) > 0 {
			above := stack[len(stack)-1]
			parent = above.peer
			for key, value := range above.set {
				if _, ok := s.set[key]; !ok {
					s.set[key] = value
				}
			}
		}
		switch matches, _ := u.labels.Match(label.Known(s.set)); {
		case matches && parent >= 0:
			s.peer = parent
		case matches:
			s.peer = len(out)
			out = append(out, at(policy.Peer{Block: without(s.cidr, u.except)}))
		case parent >= 0:
			out[parent].Block.Except = append(out[parent].Block.Except, s.cidr)
		}
		stack = append(stack, s)
	}
	return out, certain
}
