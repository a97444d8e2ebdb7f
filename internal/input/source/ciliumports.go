package source

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// maxCilium is how many ports an item of toPorts, and how many types an item of icmps may have.
const maxCilium = 40

// portSet is one item of toPorts or icmps. Without ports it matches nothing of what is judged.
type portSet struct {
	ports []policy.Port
	facts []policy.Fact
	dns   []netset.Name // for which queries are let through, if any are inspected
	path  string
	line  int
}

// ports reads toPorts and icmps; nil if neither has items.
func (d *ciliumDecoder) ports(c *doc.Cursor, f ciliumField) []portSet {
	ports, icmps := ciliumItems(c.Field("toPorts")), ciliumItems(c.Field("icmps"))
	if len(ports) > 0 && len(icmps) > 0 {
		c.Field("icmps").Fail("beside toPorts", "make them two rules")
	}
	var out []portSet
	for i, item := range ports {
		out = append(out, d.toPorts(item, f, "toPorts["+strconv.Itoa(i)+"]"))
	}
	for _, item := range icmps {
		readICMPs(item)
		out = append(out, portSet{})
	}
	return out
}

// toPorts reads one item of toPorts.
func (d *ciliumDecoder) toPorts(c *doc.Cursor, f ciliumField, path string) portSet {
	out := portSet{path: path, line: c.Line()}
	list := c.Field("ports")
	items := ciliumItems(list)
	if len(items) > maxCilium {
		list.Fail("more than "+strconv.Itoa(maxCilium)+" ports", "make them two rules")
	}
	read := make([]ciliumPort, len(items))
	for i, item := range items {
		read[i] = d.port(item)
		out.ports = append(out.ports, read[i].ports...)
	}
	if f.action == policy.Deny {
		return out
	}
	l7 := d.l7(c.Field("rules"))
	out.facts, out.dns = append(out.facts, l7.facts...), l7.dns
	tls := d.proxied(c, f, &out, l7.some())
	if !l7.some() {
		return out
	}
	rules := c.Field("rules")
	switch {
	case l7.dns != nil && f.dir == policy.Ingress:
		rules.Field("dns").Fail("not allowed for ingress", "DNS is inspected where a pod sends it")
	case d.host && (f.dir == policy.Ingress || l7.dns == nil):
		rules.Fail("not allowed for nodes", "")
	case l7.dns != nil && len(items) == 0:
		rules.Field("dns").Fail("without a port", "give the port of the resolver, as a rule 53")
	case c.Field("serverNames").IsSet() && !tls:
		rules.Fail("beside serverNames without terminatingTLS", "")
	}
	for i, p := range read {
		switch {
		case p.zero:
			items[i].Field("port").Fail("0 beside rules for requests", "name the port")
		case l7.dns != nil && p.ranged:
			items[i].Field("endPort").Fail("beside rules for DNS", "name single ports")
		case l7.dns == nil && p.protocol != "TCP":
			items[i].Field("protocol").Fail("not TCP, beside rules for requests", "write TCP; only rules for DNS allow others")
		}
	}
	return out
}

// ciliumPort is one port, range of ports or port name, of one protocol or several.
type ciliumPort struct {
	ports    []policy.Port
	protocol string
	zero     bool // the number is 0
	ranged   bool // its endPort is above its port
}

// port reads an item of ports. A number is a text here, 0 is every port, and no protocol means TCP,
// UDP and SCTP.
func (d *ciliumDecoder) port(c *doc.Cursor) ciliumPort {
	number, end, protocol := c.Field("port"), c.Field("endPort"), c.Field("protocol")
	out := ciliumPort{protocol: "ANY"}
	before := c.Problems()
	if protocol.IsSet() {
		out.protocol = protocol.Text()
	}
	text := number.Text()
	last, _ := end.Int()
	if c.Problems() > before {
		return out
	}
	var base policy.Port
	base.Origin = d.at.At(c.Line())
	switch n, err := strconv.ParseUint(text, 0, 16); {
	case last < 0 || last > 65535:
		end.Fail("not a port: "+strconv.FormatInt(last, 10), "ports run from 0, for all, to 65535")
	case isServiceName(text):
		base.Name = strings.ToLower(text)
		if last > 0 {
			end.Fail("beside a port name", "a range needs numbers")
		}
	case err != nil && number.IsSet():
		number.Fail("not a port: "+doc.Quote(text), `a number such as "443", or a name of at most 15 letters, digits and '-'`)
	default:
		if !number.IsSet() {
			d.need(otherProtocols)
		}
		out.zero, out.ranged = number.IsSet() && n == 0, last > int64(n)
		base.Lo, base.Hi = netset.Port(n), max(netset.Port(n), netset.Port(last))
		if n == 0 {
			if base.Lo = 1; base.Hi == 0 {
				base.Hi = 65535
			}
		}
	}
	switch out.protocol {
	case "ANY":
		for _, p := range []netset.Protocol{netset.TCP, netset.UDP, netset.SCTP} {
			base.Protocol = p
			out.ports = append(out.ports, base)
		}
	case "TCP", "UDP", "SCTP":
		base.Protocol, _ = netset.ParseProtocol(out.protocol)
		out.ports = append(out.ports, base)
	case "VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH":
		if out.protocol != "VRRP" && out.protocol != "IGMP" {
			d.takes(cni.TakesNewForms)
		}
		if number.IsSet() && text != "0" && base.Name == "" {
			number.Fail("not 0, for a protocol without ports", "leave it out")
		}
	default:
		protocol.Fail("not a protocol: "+doc.Quote(out.protocol), "TCP, UDP, SCTP, VRRP, IGMP, GRE, IPIP, IPV6, ESP, AH or ANY, in capitals")
	}
	return out
}

// isServiceName reports whether s is a port name as Cilium has it (pkg/iana): at least one letter,
// and no two '-' in a row.
func isServiceName(s string) bool { return isPortName(strings.ToLower(s)) }

// proxied reads what sends connections through a proxy, and reports whether it ends their TLS.
func (d *ciliumDecoder) proxied(c *doc.Cursor, f ciliumField, out *portSet, inspected bool) (tls bool) {
	for _, side := range [][2]string{{"terminatingTLS", "client"}, {"originatingTLS", "destination"}} {
		if at := c.Field(side[0]); at.IsSet() {
			readTLS(at)
			text := "the TLS of the " + side[1] + " (" + side[0] + ")"
			out.facts = append(out.facts, fact(side[0], "the proxy accepts "+text, "the proxy refuses "+text))
		}
	}
	if at := c.Field("serverNames"); at.IsSet() {
		names := d.serverNames(at)
		out.facts = append(out.facts, fact("TLS server name in "+strings.Join(names, ","),
			"the TLS server name is "+listed(names), "the TLS server name is not "+listed(names)))
	}
	listener := c.Field("listener")
	if listener.IsSet() {
		out.facts = append(out.facts, d.listener(listener))
		if f.dir == policy.Ingress {
			listener.Fail("not allowed for ingress", "")
		} else if inspected {
			listener.Fail("beside rules for requests", "")
		}
	}
	return c.Field("terminatingTLS").IsSet()
}

func readTLS(c *doc.Cursor) {
	name := c.Field("secret").Field("name") // may be empty
	if name.Text(); !name.IsSet() {
		name.Fail("missing", "")
	}
	c.Field("secret").Field("namespace").Text()
	for _, field := range []string{"trustedCA", "certificate", "privateKey"} {
		c.Field(field).Text()
	}
}

func readSecret(c *doc.Cursor) {
	if c.IsSet() {
		needText(c.Field("name"))
	}
	c.Field("namespace").Text()
}

// needText reads a text that must not be empty.
func needText(c *doc.Cursor) string {
	before := c.Problems()
	text := c.Text()
	if text == "" && c.Problems() == before {
		c.Fail("missing", "")
	}
	return text
}

// serverNames reads the names that a TLS client may ask for, in which stars may stand: up to Cilium
// 1.19 only as "*." or "**." in front.
func (d *ciliumDecoder) serverNames(c *doc.Cursor) []string {
	items := ciliumItems(c)
	if len(items) == 0 {
		c.Fail("empty", "leave it out for every name")
	}
	var out []string
	for _, item := range items {
		before := c.Problems()
		text := item.Text()
		if bare := strings.TrimPrefix(strings.TrimPrefix(text, "**."), "*."); strings.Contains(bare, "*") {
			d.takes(cni.TakesNewForms)
		}
		switch {
		case c.Problems() > before:
		case len(text) > 255 || !isDNSText(strings.TrimSuffix(text, "."), true):
			item.Fail("not a name: "+doc.Quote(text), `a host name, with "*." or "**." before it for those below`)
		case slices.Contains(out, text):
			item.Fail("a second time: "+doc.Quote(text), "")
		default:
			out = append(out, text)
		}
	}
	return out
}

// listener reads a listener, and returns the fact that it lets a connection pass.
func (d *ciliumDecoder) listener(c *doc.Cursor) policy.Fact {
	config := c.Field("envoyConfig")
	of := needText(config.Field("name"))
	kind := config.Field("kind")
	switch text := kind.Text(); {
	case !kind.IsSet() || text == "CiliumClusterwideEnvoyConfig":
	case text != "CiliumEnvoyConfig":
		kind.Fail("not a kind of Envoy configuration", "CiliumEnvoyConfig or CiliumClusterwideEnvoyConfig")
	case d.meta.namespace == "":
		kind.Fail("not allowed in a "+d.kind, "it can use a CiliumClusterwideEnvoyConfig")
	}
	name := needText(c.Field("name"))
	priority := c.Field("priority")
	if n, ok := priority.Int(); ok && (n < 1 || n > 100) {
		priority.Fail("not from 1 to 100", "")
	}
	what := "the Envoy listener " + doc.Quote(name)
	return fact(fmt.Sprintf("Envoy listener %q of %q %q", name, kind.Text(), of),
		what+" lets the connection pass", what+" does not let the connection pass")
}

// l7Rules is what rules for requests say.
type l7Rules struct {
	facts []policy.Fact
	dns   []netset.Name // for which it lets queries through, if it has rules for DNS
	n     int           // how many rules it has in all
}

// some reports whether requests are inspected. A list without rules does not inspect any.
func (l l7Rules) some() bool { return l.n > 0 }

// l7 reads the rules for requests of an item of toPorts.
func (d *ciliumDecoder) l7(c *doc.Cursor) l7Rules {
	var out l7Rules
	if !c.IsSet() {
		return out
	}
	http, kafka, dns, name, pairs := c.Field("http"), c.Field("kafka"), c.Field("dns"), c.Field("l7proto"), c.Field("l7")
	given := 0
	for _, field := range []*doc.Cursor{http, kafka, dns, name} {
		if field.IsSet() {
			given++
		}
	}
	if given != 1 && c.IsMap() {
		c.Fail("not one of http, kafka, dns and l7proto", "")
	}
	if kafka.IsSet() || name.IsSet() || pairs.IsSet() {
		d.takes(cni.TakesOldForms)
	}
	each := func(c *doc.Cursor, allowed policy.Fact, read func(*doc.Cursor)) {
		items := ciliumItems(c)
		for _, item := range items {
			read(item)
		}
		if out.n += len(items); len(items) > 0 {
			out.facts = append(out.facts, allowed)
		}
	}
	each(http, allowedBy("HTTP rules"), readHTTP)
	each(kafka, allowedBy("Kafka rules"), readKafka)
	query := fact("DNS query", "the query is for a name that its DNS rules allow", "the query is for no name that its DNS rules allow")
	each(dns, query, func(item *doc.Cursor) { out.dns = append(out.dns, readDNSName(item)) })
	proto := name.Text()
	if each(pairs, allowedBy("rules"), func(item *doc.Cursor) { item.TextMap() }); pairs.IsSet() && out.n > 0 && proto == "" {
		pairs.Fail("without l7proto", "")
	}
	if proto != "" && out.n == 0 {
		what := "the proxy for " + doc.Quote(proto)
		out.facts = append(out.facts, fact("proxy for "+strconv.Quote(proto),
			what+" lets the request pass", what+" does not let the request pass"))
	}
	return out
}

func readHTTP(c *doc.Cursor) {
	for _, field := range []string{"path", "method"} {
		at := c.Field(field)
		if _, err := regexp.Compile(at.Text()); err != nil {
			at.Fail("not a regular expression", "")
		}
	}
	c.Field("host").Text()
	for _, item := range ciliumItems(c.Field("headers")) {
		item.Text()
	}
	for _, item := range ciliumItems(c.Field("headerMatches")) {
		needText(item.Field("name"))
		item.Field("value").Text()
		readSecret(item.Field("secret"))
		readOneOf(item.Field("mismatch"), "LOG", "ADD", "DELETE", "REPLACE")
	}
}

// readOneOf reads one of a few texts, or none.
func readOneOf(c *doc.Cursor, texts ...string) string {
	before := c.Problems()
	text := c.Text()
	if c.IsSet() && c.Problems() == before && !slices.Contains(texts, text) {
		c.Fail("not a value it may have: "+doc.Quote(text), strings.Join(texts, ", "))
	}
	return text
}

// kafkaKeys are the names of Kafka's requests (github.com/cilium/proxy, pkg/policy/api/kafka).
var kafkaKeys = strings.Fields(`produce fetch offsets metadata leaderandisr stopreplica updatemetadata controlledshutdown offsetcommit offsetfetch
	findcoordinator joingroup heartbeat leavegroup syncgroup describegroups listgroups saslhandshake apiversions createtopics deletetopics
	deleterecords initproducerid offsetforleaderepoch addpartitionstotxn addoffsetstotxn endtxn writetxnmarkers txnoffsetcommit describeacls
	createacls deleteacls describeconfigs alterconfigs`)

var kafkaTopic = regexp.MustCompile(`^[a-zA-Z0-9\\._-]{0,255}$`)

func readKafka(c *doc.Cursor) {
	role, key, version, topic := c.Field("role"), c.Field("apiKey"), c.Field("apiVersion"), c.Field("topic")
	if role.IsSet() && key.Text() != "" {
		role.Fail("beside an apiKey", "")
	}
	readOneOf(role, "produce", "consume")
	if text := key.Text(); text != "" && !slices.Contains(kafkaKeys, strings.ToLower(text)) {
		key.Fail("not a request of Kafka: "+doc.Quote(text), "")
	}
	if text := version.Text(); text != "" {
		if n, err := strconv.ParseInt(text, 10, 16); err != nil || n < 0 {
			version.Fail("not a version: "+doc.Quote(text), `a number such as "1"`)
		}
	}
	if text := topic.Text(); !kafkaTopic.MatchString(text) {
		topic.Fail("not a topic: "+doc.Quote(text), "")
	}
	c.Field("clientID").Text()
}

// readAuthentication reads what authentication a rule wants, and returns it as facts.
func readAuthentication(c *doc.Cursor) []policy.Fact {
	mode := c.Field("mode")
	if c.IsSet() && !mode.IsSet() {
		mode.Fail("missing", "disabled or required")
	}
	switch readOneOf(mode, "disabled", "required", "test-always-fail") {
	case "required":
		return []policy.Fact{fact("authentication", "both ends prove their identity", "an end does not prove its identity")}
	case "test-always-fail":
		return []policy.Fact{fact("authentication", "an authentication succeeds that is set to fail", "the authentication fails, as it is set to")}
	}
	return nil
}

// icmpTypes are the names of ICMP types, by IP family (cilium v1.19.1, pkg/policy/api/icmp.go).
var icmpTypes = map[string][]string{
	"IPv4": strings.Fields(`EchoReply DestinationUnreachable Redirect Echo EchoRequest RouterAdvertisement RouterSelection TimeExceeded ParameterProblem
		Timestamp TimestampReply Photuris ExtendedEchoRequest ExtendedEchoReply`),
	"IPv6": strings.Fields(`DestinationUnreachable PacketTooBig TimeExceeded ParameterProblem EchoRequest EchoReply MulticastListenerQuery
		MulticastListenerReport MulticastListenerDone RouterSolicitation RouterAdvertisement NeighborSolicitation NeighborAdvertisement
		RedirectMessage RouterRenumbering ICMPNodeInformationQuery ICMPNodeInformationResponse InverseNeighborDiscoverySolicitation
		InverseNeighborDiscoveryAdvertisement HomeAgentAddressDiscoveryRequest HomeAgentAddressDiscoveryReply MobilePrefixSolicitation
		MobilePrefixAdvertisement DuplicateAddressRequestCodeSuffix DuplicateAddressConfirmationCodeSuffix ExtendedEchoRequest
		ExtendedEchoReply`),
}

// readICMPs reads an item of icmps. ICMP is not judged.
func readICMPs(c *doc.Cursor) {
	list := c.Field("fields")
	items := ciliumItems(list)
	if len(items) > maxCilium {
		list.Fail("more than "+strconv.Itoa(maxCilium)+" types", "make them two rules")
	}
	for _, item := range items {
		family := readOneOf(item.Field("family"), "IPv4", "IPv6")
		if family == "" {
			family = "IPv4"
		}
		at := item.Field("type")
		switch {
		case !at.IsSet() && item.IsSet():
			at.Fail("missing", "an ICMP type: a number or a name such as EchoRequest")
		case at.IsText():
			if n, _ := strconv.ParseUint(at.Text(), 10, 8); strconv.FormatUint(n, 10) != at.Text() && !slices.Contains(icmpTypes[family], at.Text()) {
				at.Fail("not an ICMP type of "+family+": "+doc.Quote(at.Text()), "a number or a name such as EchoRequest")
			}
		default:
			if n, ok := at.Int(); ok && n != int64(int32(n)) {
				at.Fail("not an ICMP type: "+strconv.FormatInt(n, 10), "")
			}
		}
	}
}
