package source

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// ciliumRule is what one item of a list of rules says of its peers.
type ciliumRule struct {
	peers []policy.Peer
	uses  []use
	any   bool // it says nothing of peers: all of them, if it says anything of ports
	empty bool // one of its lists is there and empty: nobody
}

// rule reads one item of ingress, ingressDeny, egress or egressDeny. Items of toPorts that hold on
// one condition make one rule.
func (d *ciliumDecoder) rule(c *doc.Cursor, f ciliumField, path string) {
	r := d.peers(c, f)
	facts := d.specFacts
	if f.action == policy.Allow {
		facts = slices.Concat(facts, readAuthentication(c.Field("authentication")))
	}
	ports := d.ports(c, f)
	if d.none || r.empty || ports == nil && r.any {
		return
	}
	base := policy.Rule{Tier: policy.TierNetworkPolicy, Action: f.action, Order: policy.OrderAllow, Dir: f.dir, Subject: d.subject,
		Peers: r.peers, AnyPeer: r.any, If: facts, Path: path, Origin: d.at.At(c.Line())}
	if f.action == policy.Deny {
		base.Order = policy.OrderDeny
	}
	first := len(d.Rules)
	if ports == nil {
		base.AnyPort = true
		if n := len(r.uses); n > 0 && r.uses[n-1].services != nil { // without ports, Services that do not exist are nothing
			base.Peers, r.uses = base.Peers[:len(base.Peers)-1], r.uses[:n-1]
		}
		d.Rules = append(d.Rules, base)
	}
	at := map[string]int{} // by the IDs of a set's facts, and its names: index of the rule
	for _, set := range ports {
		if len(set.ports) == 0 {
			continue
		}
		key := ""
		for _, f := range set.facts {
			key += f.ID + "\n"
		}
		key += fmt.Sprint(set.dns)
		i, ok := at[key]
		if !ok {
			i, at[key] = len(d.Rules), len(d.Rules)
			out := base
			if out.If, out.DNS = slices.Concat(facts, set.facts), set.dns; len(ports) > 1 && len(set.facts) > 0 {
				out.Path, out.Origin = path+"."+set.path, d.at.At(set.line)
			}
			d.Rules = append(d.Rules, out)
		}
		d.Rules[i].Ports = append(d.Rules[i].Ports, set.ports...)
	}
	if len(r.uses) > 0 && len(d.Rules) > first {
		d.open = append(d.open, openPeers{first, len(d.Rules), r.uses})
	}
}

// peers reads the peers of a rule. One of the lists may be given. One that is empty means nobody,
// but for those that Cilium resolves itself, which are then as good as absent (cilium v1.19.1,
// pkg/policy/utils, mergeEndpointSelectors).
func (d *ciliumDecoder) peers(c *doc.Cursor, f ciliumField) ciliumRule {
	r := ciliumRule{any: true}
	prefix := "to"
	if f.dir == policy.Ingress {
		prefix = "from"
	}
	given := ""
	each := func(name string, add func(item *doc.Cursor) []policy.Peer) {
		name = prefix + name
		list := c.Field(name)
		items := ciliumItems(list)
		switch name[len(prefix):] {
		case "Endpoints", "Nodes", "Entities", "CIDR", "CIDRSet":
			r.empty = r.empty || list.IsSet() && len(items) == 0
		}
		if len(items) == 0 {
			return
		}
		if given != "" {
			list.Fail("beside "+given, "make them two rules")
		}
		given, r.any = name, false
		for i, item := range items {
			for _, peer := range add(item) {
				peer.Path, peer.Origin = name+"["+strconv.Itoa(i)+"]", d.at.At(item.Line())
				r.peers = append(r.peers, peer)
			}
		}
	}
	one := func(read func(*doc.Cursor) policy.Peer) func(*doc.Cursor) []policy.Peer {
		return func(c *doc.Cursor) []policy.Peer { return []policy.Peer{read(c)} }
	}
	each("Endpoints", func(item *doc.Cursor) []policy.Peer {
		return ciliumPeers(readCiliumSelector(item, d.extendKey), d.meta.namespace, d.starting)
	})
	each("Entities", d.entity)
	each("CIDR", one(func(item *doc.Cursor) policy.Peer {
		cidr, _ := readCiliumCIDR(item)
		return policy.Peer{Block: &policy.Block{CIDR: cidr}}
	}))
	each("CIDRSet", func(item *doc.Cursor) []policy.Peer { return d.cidrSet(item, &r) })
	each("Nodes", func(item *doc.Cursor) []policy.Peer {
		d.need(nodeSelectors)
		return []policy.Peer{ciliumNodes(readCiliumSelector(item, d.extendKey))}
	})
	each("Groups", func(item *doc.Cursor) []policy.Peer {
		d.need(looksUpGroups)
		readGroup(item)
		return []policy.Peer{unknownGroup("group at AWS that the rule names")}
	})
	if f.dir == policy.Egress {
		if each("Services", one(readServicePeer)); given == "toServices" {
			r.services(f)
		}
		if f.action == policy.Allow {
			each("FQDNs", one(readFQDN))
		}
	}
	if len(c.Field(prefix+"Requires").Items()) > 0 {
		c.Field(prefix+"Requires").Fail("no longer known", "Cilium 1.19 has removed it; say what is allowed or denied in rules")
	}
	return r
}

// services completes a rule with toServices. Where no Service fits, Cilium is left with a rule
// about ports alone, which holds for every peer; in a rule that denies it looks up none (cilium
// v1.19.1, pkg/policy/k8s/service.go and pkg/policy/utils).
func (r *ciliumRule) services(f ciliumField) {
	var named []policy.ServicePeer
	for _, peer := range r.peers {
		if peer.Service != nil {
			named = append(named, *peer.Service)
		}
	}
	if f.action == policy.Deny || named == nil {
		r.peers, r.any = nil, true
		return
	}
	last := r.peers[len(r.peers)-1]
	r.uses = append(r.uses, use{peer: len(r.peers), services: named})
	r.peers = append(r.peers, policy.Peer{Entity: policy.All, Path: last.Path, Origin: last.Origin,
		If: []policy.Fact{not(anyService(named))}})
}

var entities = map[string]policy.Peer{
	"all":            {Entity: policy.All},
	"world":          {Entity: policy.World},
	"cluster":        {Entity: policy.Cluster},
	"host":           {Entity: policy.Host},
	"remote-node":    {Entity: policy.RemoteNode},
	"kube-apiserver": {Entity: policy.APIServer},
	"init":           {Entity: policy.Nobody},
	"ingress":        {Entity: policy.Nobody},
	"health":         {Entity: policy.Nobody},
	"none":           {Entity: policy.Nobody},
	"unmanaged":      unmanaged,
	"cluster-mesh":   {Entity: policy.Cluster}, // and pods of other clusters
}

// entity reads an item of fromEntities or toEntities.
func (d *ciliumDecoder) entity(c *doc.Cursor) []policy.Peer {
	before := c.Problems()
	text := c.Text()
	peer, ok := entities[text]
	if !ok && c.Problems() == before && c.IsSet() {
		c.Fail("not an entity: "+doc.Quote(text), strings.Join(sortedKeys(entities), ", "))
	}
	out := []policy.Peer{peer}
	if text == "cluster-mesh" {
		d.takes(cni.TakesNewForms)
		for _, cidr := range netset.CIDRs(special.Plan) {
			out = append(out, policy.Peer{Block: &policy.Block{CIDR: cidr}, If: []policy.Fact{otherClustersPod}})
		}
	}
	return out
}

// readCiliumCIDR reads a block as Cilium does: bits beyond the prefix are ignored. Its definitions
// take no plain address.
func readCiliumCIDR(c *doc.Cursor) (netip.Prefix, bool) {
	before := c.Problems()
	text := c.Text()
	if c.Problems() > before || !c.IsSet() {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil && !strings.Contains(text, "/"):
		c.Fail("not a CIDR: "+doc.Quote(text), "for one address write /32 after it, or /128 for IPv6")
	case err != nil:
		c.Fail("not a CIDR: "+doc.Quote(text), "such as 10.0.0.0/8 or 2001:db8::/32, without leading zeros")
	case p.Addr().Is4In6():
		c.Fail("IPv4 inside IPv6: "+doc.Quote(text), "write the IPv4 address")
	default:
		return p.Masked(), true
	}
	return netip.Prefix{}, false
}

// cidrSet reads an item of fromCIDRSet or toCIDRSet. A group is resolved when every file is read.
func (d *ciliumDecoder) cidrSet(c *doc.Cursor, r *ciliumRule) []policy.Peer {
	cidr, name, selector := c.Field("cidr"), c.Field("cidrGroupRef"), c.Field("cidrGroupSelector")
	given := 0
	for _, field := range []*doc.Cursor{cidr, name, selector} {
		if field.IsSet() {
			given++
		}
	}
	if given != 1 && c.IsSet() {
		c.Fail("not one of cidr, cidrGroupRef and cidrGroupSelector", "")
	}
	block, sound := readCiliumCIDR(cidr)
	var except []netip.Prefix
	for _, item := range ciliumItems(c.Field("except")) {
		e, ok := readCiliumCIDR(item)
		switch {
		case !ok || !sound:
		case !block.Contains(e.Addr()):
			item.Fail(doc.Quote(e.String())+" is not a part of "+block.String(), "an exception must lie inside its cidr")
		case e.Bits() < block.Bits():
			d.takes(cni.TakesOldForms)
		}
		if ok {
			except = append(except, e)
		}
	}
	ref := readName(name, nameForm)
	if name.IsText() && ref == "" {
		name.Fail("missing", nameForm.hint)
	}
	list := readCiliumSelector(selector, func(key string) string { d.checkKey(key); return "cidrgroup." + key })
	switch {
	case name.IsSet():
		r.uses = append(r.uses, use{peer: len(r.peers), group: ref, except: except})
		return []policy.Peer{unknownGroup("CiliumCIDRGroup named " + ref)}
	case selector.IsSet():
		var sel label.Selector
		for _, q := range list {
			sel = sel.Require(q.key, q.values)
		}
		r.uses = append(r.uses, use{peer: len(r.peers), labels: &sel, except: except})
		return []policy.Peer{unknownGroup("CiliumCIDRGroup with labels " + doc.Clean(sel.String(), 120))}
	}
	return []policy.Peer{{Block: &policy.Block{CIDR: block, Except: except}}}
}

// readGroup reads an item of fromGroups or toGroups.
func readGroup(c *doc.Cursor) {
	aws := c.Field("aws")
	aws.Field("labels").TextMap()
	aws.Field("region").Text()
	for _, list := range []string{"securityGroupsIds", "securityGroupsNames"} {
		for _, item := range ciliumItems(aws.Field(list)) {
			item.Text()
		}
	}
}

// readServicePeer reads an item of toServices. A selector goes before a name, and one of either
// without a namespace means every namespace.
func readServicePeer(c *doc.Cursor) policy.Peer {
	selector, named := c.Field("k8sServiceSelector"), c.Field("k8sService")
	labels := selector.Field("selector")
	if selector.IsSet() && !labels.IsSet() {
		labels.Fail("missing", "{} selects every Service")
	}
	var sel label.Selector
	for _, r := range readCiliumSelector(labels, serviceKey) {
		sel = sel.Require(r.key, r.values)
	}
	bySelector := policy.ServicePeer{Namespace: readName(selector.Field("namespace"), namespaceForm), Labels: &sel}
	byName := policy.ServicePeer{Namespace: readName(named.Field("namespace"), namespaceForm), Name: readName(named.Field("serviceName"), nameForm)}
	switch {
	case selector.IsSet():
		return policy.Peer{Service: &bySelector}
	case named.IsSet() && byName.Name != "":
		return policy.Peer{Service: &byName}
	}
	return policy.Peer{Entity: policy.Nobody}
}

// serviceKey extends a key of a selector of Services, which Cilium reads differently from all
// others: what stands before the first dot is taken for a source, and sources do not count (cilium
// v1.19.1, pkg/policy/k8s/service.go, serviceSelectorMatches). A key that is not a valid one would
// make Cilium select every Service.
func serviceKey(key string) string {
	if !isLabelKey(key) {
		return ""
	}
	if _, rest, ok := strings.Cut(key, "."); ok {
		key = rest
	}
	return "k8s." + key
}

// readFQDN reads an item of toFQDNs.
func readFQDN(c *doc.Cursor) policy.Peer { return policy.Peer{Name: readDNSName(c)} }

// readDNSName reads a name or a pattern of names.
func readDNSName(c *doc.Cursor) netset.Name {
	name, pattern := c.Field("matchName"), c.Field("matchPattern")
	if name.IsSet() == pattern.IsSet() && c.IsSet() {
		c.Fail("not one of matchName and matchPattern", "")
	}
	text := readDNSText(name, false) + readDNSText(pattern, true)
	return ciliumName(text)
}

// readDNSText reads a name of labels that are not empty, in which stars may stand.
func readDNSText(c *doc.Cursor, stars bool) string {
	before := c.Problems()
	text := c.Text()
	if c.Problems() > before || !c.IsSet() {
		return ""
	}
	if len(text) > 255 || !isDNSText(strings.TrimSuffix(text, "."), stars) {
		c.Fail("not a name: "+doc.Quote(text), "letters, digits, '-' and '_' between dots, and '*' in a pattern")
		return ""
	}
	return text
}

func isDNSText(text string, stars bool) bool {
	for part := range strings.SplitSeq(text, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			if !isAlnum(part[i]) && part[i] != '-' && part[i] != '_' && (part[i] != '*' || !stars) {
				return false
			}
		}
	}
	return true
}

// ciliumName puts a name or pattern into the canonical form. A star alone stands for every name, two
// or more of them before the first dot for one or more labels, and any others for what a label may
// hold (cilium v1.19.1, pkg/fqdn/matchpattern). Stars alone of which there are more, or before a
// dot, are such two, and not the one: earlier versions read them as one label.
func ciliumName(text string) netset.Name {
	if text == string(netset.Every) {
		return netset.Every
	}
	text = strings.ToLower(strings.TrimSuffix(text, "."))
	first, rest, ok := strings.Cut(text, ".")
	switch {
	case first == "" || strings.Trim(first, "*") != "" || len(first) == 1 && ok:
		return netset.Name(oneStar(text))
	case !ok:
		return "**"
	}
	return netset.Name("**." + oneStar(rest))
}

// oneStar makes one of each run of stars.
func oneStar(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if text[i] != '*' || i == 0 || text[i-1] != '*' {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}
