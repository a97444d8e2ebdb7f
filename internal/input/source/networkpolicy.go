package source

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// networkPolicy reads a networking.k8s.io/v1 NetworkPolicy. It accepts what kube-apiserver 1.36
// accepts (kubernetes pkg/apis/networking/validation/validation.go, defaults in
// pkg/apis/networking/v1/defaults.go) with strict field validation, except that a status, which
// older servers wrote, may stand there and that the name must be given.
func (p *part) networkPolicy(o *object) {
	root := o.doc.Open(doc.Strict)
	root.Field("apiVersion")
	root.Field("kind")
	root.Field("status").Skip()
	placed := o.readPolicyMeta(root.Field("metadata"))
	p.home(o)

	d := npDecoder{object: o, namespace: o.meta.namespace}
	spec := root.Field("spec")
	before := root.Problems()
	d.subject = policy.Subject{NS: label.Named(o.meta.namespace), Pod: readSelector(spec.Field("podSelector"))}
	selected := root.Problems() == before
	pol := d.decode(spec)
	dirs := typed("policyTypes")(spec)

	problems := root.Close()
	if len(problems) == 0 {
		if network := o.meta.annotations[gkeNetwork]; network != "" && network != "default" {
			pol.If = append(pol.If, forNetwork(network))
		}
		p.stand(pol)
		return
	}
	p.invalid(o.at, problems)
	subject := everything
	if placed && selected { // an unknown field in the selector leaves the subject too wide, not too narrow
		subject = d.subject
	} else if placed {
		subject = o.subject()
	}
	rules := onlyIn(notJudged(policy.NetworkPolicy, subject, o.at), dirs)
	p.stand(policy.Policy{Origin: o.at, Dialect: policy.NetworkPolicy, Namespace: o.meta.namespace, Name: o.meta.name, Rules: rules})
}

// notJudged returns the rules that stand for a policy of a dialect whose meaning is not known. They
// come after those that decide whatever it says: a NetworkPolicy cannot take back what others
// allow, and one of Cilium's can, but not what others deny.
func notJudged(dialect policy.Dialect, subject policy.Subject, at origin.Origin) []policy.Rule {
	const afterDeny, afterAllow = (policy.OrderDeny + policy.OrderAllow) / 2.0, policy.OrderAllow + 1.0
	if dialect == policy.NetworkPolicy {
		return policy.NotJudged(policy.TierNetworkPolicy, afterAllow, subject, at)
	}
	return policy.NotJudged(policy.TierNetworkPolicy, afterDeny, subject, at)
}

// metaFields are the fields of ObjectMeta that decide nothing here.
var metaFields = []string{"generateName", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
	"deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"}

// maxAnnotations is how many bytes the annotations of an object may have (apimachinery,
// pkg/api/validation/objectmeta.go).
const maxAnnotations = 256 << 10

// readPolicyMeta reads the metadata of a policy as strictly as the API server, and reports whether
// its namespace could be told, or it has none.
func (o *object) readPolicyMeta(m *doc.Cursor) (placed bool) {
	for _, f := range metaFields {
		m.Field(f).Skip()
	}
	name := m.Field("name")
	before := m.Problems()
	if o.meta.name = readName(name, nameForm); o.meta.name == "" && m.Problems() == before {
		name.Fail("missing", "a name is "+nameForm.hint)
	}
	if clusterKinds[o.kind] {
		m.Field("namespace").Skip() // the API server drops it
		placed = true
	} else {
		o.meta.namespace = readNamespace(m.Field("namespace"))
		placed = o.meta.namespace != ""
	}
	o.meta.labels, _ = readLabels(m.Field("labels"))
	size := 0
	o.meta.annotations = label.Set{}
	for key, value := range m.Field("annotations").Entries() {
		text := value.Text()
		size, o.meta.annotations[key] = size+len(key)+len(text), text
		if !isAnnotationKey(key) {
			value.Fail("not a valid annotation key: "+doc.Quote(key), "")
		}
	}
	if size > maxAnnotations {
		m.Field("annotations").Fail("larger than 256 KiB", "")
	}
	o.at.Object = title(o.kind, o.meta.namespace, o.meta.name)
	return placed
}

// npDecoder decodes one NetworkPolicy.
type npDecoder struct {
	*object
	namespace string
	subject   policy.Subject
}

func (d *npDecoder) decode(spec *doc.Cursor) policy.Policy {
	pol := policy.Policy{Origin: d.at, Dialect: policy.NetworkPolicy, Namespace: d.meta.namespace, Name: d.meta.name}
	ingress := d.rules(spec.Field("ingress"), policy.Ingress, "ingress", "from")
	egress := d.rules(spec.Field("egress"), policy.Egress, "egress", "to")
	types := d.types(spec.Field("policyTypes"), len(egress) > 0)
	for _, dir := range policy.Directions {
		rules := ingress
		if dir == policy.Egress {
			rules = egress
		}
		at, typed := types[dir]
		if !typed && len(rules) == 0 {
			continue
		}
		if !typed { // some plugins apply them all the same
			at = rules[0].Origin
			for i := range rules {
				rules[i].Untyped = true
			}
		}
		pol.Isolations = append(pol.Isolations, policy.Isolation{Tier: policy.TierNetworkPolicy, Dir: dir, Subject: d.subject, Else: policy.Deny, Untyped: !typed, Origin: at})
		pol.Rules = append(pol.Rules, rules...)
	}
	return pol
}

// types returns the directions that the policy isolates, and where it says so.
func (d *npDecoder) types(c *doc.Cursor, hasEgress bool) map[policy.Direction]origin.Origin {
	types := map[policy.Direction]origin.Origin{}
	items := c.Items()
	if len(items) == 0 {
		types[policy.Ingress] = d.at
		if hasEgress {
			types[policy.Egress] = d.at
		}
		return types
	}
	if len(items) > 2 {
		c.Fail("more than two policy types", "")
	}
	for _, item := range items {
		before := item.Problems()
		switch text := item.Text(); {
		case item.Problems() > before:
		case text == "Ingress":
			types[policy.Ingress] = d.at.At(item.Line())
		case text == "Egress":
			types[policy.Egress] = d.at.At(item.Line())
		default:
			item.Fail("not a policy type: "+doc.Quote(text), "Ingress or Egress, with a capital")
		}
	}
	return types
}

func (d *npDecoder) rules(c *doc.Cursor, dir policy.Direction, field, peers string) []policy.Rule {
	var rules []policy.Rule
	for i, item := range c.Items() {
		r := policy.Rule{Tier: policy.TierNetworkPolicy, Order: policy.OrderAllow, Action: policy.Allow, Dir: dir, Subject: d.subject,
			Path: field + "[" + strconv.Itoa(i) + "]", Origin: d.at.At(item.Line())}
		for j, peer := range item.Field(peers).Items() {
			r.Peers = append(r.Peers, d.peer(peer, peers+"["+strconv.Itoa(j)+"]"))
		}
		for _, port := range item.Field("ports").Items() {
			r.Ports = append(r.Ports, d.port(port))
		}
		// Nothing listed means everything; what is listed but invalid makes the whole policy
		// invalid.
		r.AnyPeer, r.AnyPort = len(r.Peers) == 0, len(r.Ports) == 0
		rules = append(rules, r)
	}
	return rules
}

func (d *npDecoder) peer(c *doc.Cursor, path string) policy.Peer {
	out := policy.Peer{Path: path, Origin: d.at.At(c.Line())}
	pods, namespaces, block := c.Field("podSelector"), c.Field("namespaceSelector"), c.Field("ipBlock")
	pod, ns := readSelector(pods), readSelector(namespaces)
	switch {
	case !pods.IsSet() && !namespaces.IsSet() && !block.IsSet():
		c.Fail("an empty peer", "give it a podSelector, a namespaceSelector or an ipBlock; leave the whole list out for everyone")
	case block.IsSet() && (pods.IsSet() || namespaces.IsSet()):
		c.Fail("ipBlock beside a selector", "make them two peers")
	case block.IsSet():
		out.Block = d.block(block)
	default:
		if !namespaces.IsSet() {
			ns = label.Named(d.namespace)
		}
		out.NS, out.Pod = &ns, &pod
	}
	if out.Block == nil {
		d.block(block)
	}
	return out
}

func (d *npDecoder) block(c *doc.Cursor) *policy.Block {
	cidr, ok := readCIDR(c.Field("cidr"), c.IsSet())
	b := &policy.Block{CIDR: cidr}
	for _, item := range c.Field("except").Items() {
		except, good := readCIDR(item, true)
		if ok && good && (!cidr.Contains(except.Addr()) || except.Bits() <= cidr.Bits()) {
			item.Fail(doc.Quote(except.String())+" is not a strict part of "+cidr.String(), "an exception must lie inside its cidr, and be smaller")
		}
		b.Except = append(b.Except, except)
	}
	return b
}

// readCIDR reads a CIDR as the API server does since 1.36, where the feature StrictIPCIDRValidation
// is on: no leading zeros, no IPv4 inside IPv6, no bits beyond the prefix (apimachinery,
// pkg/util/validation/ip.go).
func readCIDR(c *doc.Cursor, required bool) (netip.Prefix, bool) {
	before := c.Problems()
	text := c.Text()
	if c.Problems() > before || text == "" && !required {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case text == "":
		c.Fail("missing", "a CIDR such as 10.0.0.0/8")
	case err != nil && strings.Contains(text, "/"):
		c.Fail("not a CIDR: "+doc.Quote(text), "such as 10.0.0.0/8 or 2001:db8::/32, without leading zeros")
	case err != nil:
		c.Fail("not a CIDR: "+doc.Quote(text), "for one address write /32 after it, or /128 for IPv6")
	case p.Addr().Is4In6():
		c.Fail("IPv4 inside IPv6: "+doc.Quote(text), "write the IPv4 address")
	case p != p.Masked():
		c.Fail("bits are set beyond the prefix length: "+doc.Quote(text), "write "+p.Masked().String())
	default:
		return p, true
	}
	return netip.Prefix{}, false
}

func (d *npDecoder) port(c *doc.Cursor) policy.Port {
	out := policy.Port{Protocol: netset.TCP, Lo: 1, Hi: 65535, Origin: d.at.At(c.Line())}
	out.Protocol = readProtocol(c.Field("protocol"))
	port, end := c.Field("port"), c.Field("endPort")
	switch {
	case !port.IsSet():
		if end.IsSet() {
			end.Fail("without a port", "give the first port of the range")
			end.Int()
		}
	case port.IsText():
		out.Name = port.Text()
		if !isPortName(out.Name) {
			hint := "a port name has at most 15 lower case letters, digits and '-'"
			if _, err := strconv.Atoi(out.Name); err == nil {
				hint = "take the quotes away: a number in quotes is a name"
			}
			port.Fail("not a port name: "+doc.Quote(out.Name), hint)
		}
		if end.IsSet() {
			end.Fail("beside a port name", "a range needs numbers")
			end.Int()
		}
	default:
		lo, ok := readPort(port)
		out.Lo, out.Hi = lo, lo
		if hi, good := readPort(end); good && ok {
			if out.Hi = hi; hi < lo {
				end.Fail("below the port", "")
			}
		}
	}
	return out
}

// readPort reads a port number from 1 to 65535; ok is false if there is none.
func readPort(c *doc.Cursor) (port netset.Port, ok bool) {
	n, ok := c.Int()
	if ok && (n < 1 || n > 65535) {
		c.Fail("not a port: "+strconv.FormatInt(n, 10), "ports run from 1 to 65535")
		return 0, false
	}
	return netset.Port(n), ok
}

// readProtocol reads a protocol, which is TCP if none is given.
func readProtocol(c *doc.Cursor) netset.Protocol {
	before := c.Problems()
	text := c.Text()
	if !c.IsSet() || c.Problems() > before {
		return netset.TCP
	}
	p, err := netset.ParseProtocol(text)
	if err != nil {
		c.Fail("not a protocol: "+doc.Quote(text), "TCP, UDP or SCTP, in capitals")
	}
	return p
}
