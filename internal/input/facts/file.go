package facts

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// The type of a facts file.
const (
	apiVersion = "toolmoat.dev/v1alpha1"
	kind       = "ClusterFacts"
)

// Read reads a facts file, YAML or JSON, strictly: an unknown field, a CIDR with bits beyond its
// length, a bad port or an unknown plugin is an error that says in which line.
func Read(name string, data []byte) (model.Facts, error) {
	docs, err := doc.Documents(data)
	if err != nil {
		return model.Facts{}, fmt.Errorf("%s: %w", doc.Clean(name, 200), err)
	}
	var f model.Facts
	n := 0
	for d := range docs {
		if n++; n > 1 {
			return model.Facts{}, at(name, d.Line, "a second document: a facts file is about one cluster", "")
		}
		if d.Err != nil {
			return model.Facts{}, at(name, d.Err.Line, d.Err.Message, d.Err.Hint)
		}
		root := d.Open(doc.Strict)
		if f, _ = decode(root); !root.IsMap() {
			root.Fail("not a facts file", "")
		}
		if problems := root.Close(); len(problems) > 0 {
			p := problems[0]
			if p.Path != "" {
				p.Message = p.Path + ": " + p.Message
			}
			return model.Facts{}, at(name, p.Line, p.Message, p.Hint)
		}
	}
	if n == 0 {
		return model.Facts{}, at(name, 0, "there is nothing in it", "toolmoat cidrs writes a facts file")
	}
	return f, nil
}

func at(name string, line int, message, hint string) error {
	place := doc.Clean(name, 200)
	if line > 0 {
		place += ":" + strconv.Itoa(line)
	}
	if hint != "" {
		message += " (" + hint + ")"
	}
	return errors.New(place + ": " + message)
}

// decode reads the fields of a facts file, and returns which of them are written.
func decode(c *doc.Cursor) (f model.Facts, given map[string]bool) {
	given = map[string]bool{}
	if v := c.Field("apiVersion"); v.Text() != apiVersion {
		v.Fail("want "+apiVersion, "")
	}
	if v := c.Field("kind"); v.Text() != kind {
		v.Fail("want "+kind, "")
	}
	for _, s := range []struct {
		name string
		to   *string
	}{{fieldCloud, &f.Cloud}, {fieldCNI, &f.CNI}, {fieldIdentity, &f.Identity}} {
		v := c.Field(s.name)
		*s.to, given[s.name] = v.Text(), v.IsSet()
	}
	if _, err := cni.ByName(f.CNI); f.CNI != "" && err != nil {
		var unknown *cni.UnknownError
		hint := "toolmoat rules --cni any lists them"
		if errors.As(err, &unknown) && unknown.Nearest() != "" {
			hint = "did you mean " + unknown.Nearest() + "?"
		}
		what := "no profile is called " + doc.Quote(f.CNI)
		if unknown != nil && unknown.Why != "" {
			what, hint = unknown.Why, "toolmoat rules --cni any lists them"
		}
		c.Field(fieldCNI).Fail(what, hint)
	}
	if clouds := special.Clouds(); f.Cloud != "" && !slices.Contains(clouds, f.Cloud) {
		c.Field(fieldCloud).Fail("not a cloud that is known here: "+doc.Quote(f.Cloud), "one of "+strings.Join(clouds, ", ")+"; leave it out for any other")
	}
	if identities := []string{"", model.GKEWorkloadIdentity, model.EKSPodIdentity, model.EKSIRSA, model.AzureWorkload, model.NoIdentity}; !slices.Contains(identities, f.Identity) {
		c.Field(fieldIdentity).Fail("not a way to get an identity: "+doc.Quote(f.Identity), "one of "+strings.Join(identities[1:], ", "))
	}
	ranges := c.Field("ranges")
	for _, name := range Fields {
		list := field(&f.Ranges, name)
		if list == nil {
			continue
		}
		v := ranges.Field(strings.TrimPrefix(name, "ranges."))
		given[name] = v.IsSet()
		for _, item := range v.Items() {
			if p, ok := strictCIDR(item.Field("cidr")); ok {
				*list = append(*list, model.Range{CIDR: p, Source: doc.Clean(item.Field("source").Text(), 160)})
			} else {
				item.Field("source").Text()
			}
		}
	}
	resolvers := c.At("dns", "resolvers")
	given[fieldDNS] = resolvers.IsSet()
	for _, item := range resolvers.Items() {
		f.DNS.Resolvers = append(f.DNS.Resolvers, decodeResolver(item))
	}
	given[fieldKubeAPI] = c.Field("kubeAPI").IsSet()
	for _, item := range c.Field("kubeAPI").Items() {
		e := model.KubeEndpoint{Host: item.Field("host").Text(), Port: strictPort(item.Field("port")), Source: doc.Clean(item.Field("source").Text(), 160)}
		e.Addr = strictAddr(item.Field("address"))
		if e.Addr.IsValid() == (e.Host != "") {
			item.Fail("wants either an address or a host", "")
		}
		f.KubeAPI = append(f.KubeAPI, e)
	}
	for _, item := range c.Field("unknown").Items() {
		u := model.Unknown{What: item.Field("what").Text(), Why: doc.Clean(item.Field("why").Text(), 400)}
		if !slices.Contains(Fields, u.What) {
			item.Field("what").Fail("not a field of facts: "+doc.Quote(u.What), "one of "+strings.Join(Fields, ", "))
		}
		f.Unknown = append(f.Unknown, u)
	}
	return f, given
}

func decodeResolver(item *doc.Cursor) model.Resolver {
	r := model.Resolver{Namespace: item.Field("namespace").Text(), Selector: item.Field("selector").TextMap(), Port: strictPort(item.Field("port")),
		Source: doc.Clean(item.Field("source").Text(), 160)}
	r.Addr = strictAddr(item.Field("address"))
	pods := r.Namespace != "" && len(r.Selector) > 0
	if r.Addr.IsValid() == pods || r.Addr.IsValid() && (r.Namespace != "" || len(r.Selector) > 0) {
		item.Fail("wants either an address, or a namespace and a selector", "")
	}
	return r
}

func strictCIDR(c *doc.Cursor) (netip.Prefix, bool) {
	before := c.Problems()
	text := c.Text()
	if c.Problems() > before {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case text == "":
		c.Fail("missing", "a CIDR such as 10.0.0.0/8")
	case err != nil, p.Addr().Is4In6():
		c.Fail("not a CIDR: "+doc.Quote(text), "such as 10.0.0.0/8 or fd00:10::/64")
	case p.Bits() == 0:
		c.Fail(p.String()+" is everything, and no range of a cluster", "")
	case p != p.Masked():
		c.Fail("bits are set beyond the prefix length: "+doc.Quote(text), "write "+p.Masked().String())
	default:
		return p, true
	}
	return netip.Prefix{}, false
}

func strictAddr(c *doc.Cursor) netip.Addr {
	text := c.Text()
	if text == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		c.Fail("not an address: "+doc.Quote(text), "")
		return netip.Addr{}
	}
	return a
}

func strictPort(c *doc.Cursor) uint16 {
	n, ok := c.Int()
	switch {
	case !c.IsSet():
		c.Fail("missing", "a port from 1 to 65535")
	case ok && (n < 1 || n > 65535):
		c.Fail("not a port: "+strconv.FormatInt(n, 10), "ports run from 1 to 65535")
	default:
		return uint16(n)
	}
	return 0
}

// typed is a facts file.
type typed struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	model.Facts
}

// JSON returns f as what a facts file holds, to be marshalled. Lists that are known to be empty are
// there.
func JSON(f model.Facts) any {
	for _, name := range Fields {
		if list := field(&f.Ranges, name); list != nil && len(*list) == 0 && f.Known(name) {
			*list = []model.Range{}
		}
	}
	return typed{apiVersion, kind, f}
}

// Write returns f as a facts file in YAML, which begins with what is unknown as a comment. Lists
// that are known to be empty are written as such.
func Write(f model.Facts) []byte {
	var w bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	writeUnknown(&w, f)
	p("apiVersion: %s\nkind: %s", apiVersion, kind)
	unknown := func(name string) bool {
		return slices.ContainsFunc(f.Unknown, func(u model.Unknown) bool { return u.What == name })
	}
	for _, s := range []struct{ name, text string }{{fieldCloud, f.Cloud}, {fieldCNI, f.CNI}} {
		if s.text != "" {
			p("%s: %s", s.name, scalar(s.text))
		}
	}
	if f.Identity != "" {
		p("%s: %s", fieldIdentity, scalar(f.Identity))
	}
	first := true
	for _, name := range Fields {
		list := field(&f.Ranges, name)
		if list == nil || len(*list) == 0 && unknown(name) {
			continue
		}
		if first {
			p("ranges:")
			first = false
		}
		key := strings.TrimPrefix(name, "ranges.")
		if len(*list) == 0 {
			p("  %s: []", key)
			continue
		}
		p("  %s:", key)
		for _, r := range *list {
			p("  - cidr: %s\n    source: %s", scalar(r.CIDR.String()), scalar(r.Source))
		}
	}
	writeRest(p, f)
	return w.Bytes()
}

// writeUnknown writes what is unknown as a comment.
func writeUnknown(w *bytes.Buffer, f model.Facts) {
	for i, u := range f.Unknown {
		if i == 0 {
			fmt.Fprintln(w, "# Not known:")
		}
		fmt.Fprintf(w, "# * %s: %s\n", doc.Clean(u.What, 40), doc.Clean(u.Why, 600))
	}
}

func writeRest(p func(string, ...any), f model.Facts) {
	item := func(lines [][2]string) {
		lead := "- "
		for _, l := range lines {
			if l[1] != "" {
				p("%s%s: %s", lead, l[0], l[1])
				lead = "  "
			}
		}
	}
	text := func(s string) string {
		if s == "" {
			return ""
		}
		return scalar(s)
	}
	address := func(a netip.Addr) string {
		if !a.IsValid() {
			return ""
		}
		return scalar(a.String())
	}
	if len(f.DNS.Resolvers) > 0 {
		p("dns:\n  resolvers:")
		inner := p
		p = func(format string, args ...any) { inner("  "+format, args...) }
		for _, r := range f.DNS.Resolvers {
			selector := ""
			if len(r.Selector) > 0 {
				var pairs []string
				for k, v := range sorted(r.Selector) {
					pairs = append(pairs, flow(k)+": "+flow(v))
				}
				selector = "{" + strings.Join(pairs, ", ") + "}"
			}
			item([][2]string{{"address", address(r.Addr)}, {"namespace", text(r.Namespace)}, {"selector", selector}, {"port", strconv.Itoa(int(r.Port))}, {"source", text(r.Source)}})
		}
		p = inner
	}
	if len(f.KubeAPI) > 0 {
		p("kubeAPI:")
		for _, e := range f.KubeAPI {
			item([][2]string{{"address", address(e.Addr)}, {"host", text(e.Host)}, {"port", strconv.Itoa(int(e.Port))}, {"source", text(e.Source)}})
		}
	}
	if len(f.Unknown) > 0 {
		p("unknown:")
		for _, u := range f.Unknown {
			item([][2]string{{"what", scalar(u.What)}, {"why", scalar(u.Why)}})
		}
	}
}

// scalar returns text as a YAML scalar: plain where no reader can take it for something else, else
// in double quotes.
func scalar(text string) string {
	plain := text != "" && text[0] >= 'A' && text[0] <= 'z' || strings.ContainsAny(text, "/") && text != "" && text[0] >= '0' && text[0] <= '9'
	for _, r := range text {
		plain = plain && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ./-_=", r) || r == ',' && !strings.Contains(text, "{"))
	}
	if plain && !slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(text)) && strings.TrimSpace(text) == text {
		return text
	}
	return strconv.Quote(text) // whose escapes are YAML's too, and leave nothing unprintable
}

// flow returns text as a scalar inside of braces, where a comma ends one.
func flow(text string) string {
	if strings.Contains(text, ",") {
		return strconv.Quote(text)
	}
	return scalar(text)
}

// handwritten is what facts files among the answers give.
type handwritten struct {
	facts []model.Facts
	given []map[string]bool
	at    []origin.Origin
}

// clusterFacts reads a facts file that stands beside the answers: what a user knows.
func (r *reading) clusterFacts(o object) {
	f, given := decode(o.Cursor)
	r.hand.facts = append(r.hand.facts, f)
	r.hand.given = append(r.hand.given, given)
	r.hand.at = append(r.hand.at, o.pos)
}

// handwritten adds what facts files give. Ranges join those that were learned; what else is written
// there decides. What one of several files knows, another need not.
func (b *builder) handwritten() {
	for _, f := range b.hand.facts {
		for _, u := range f.Unknown {
			b.missing(u.What, "%s", u.Why)
		}
	}
	var decided model.Facts
	for i, f := range b.hand.facts {
		unknown := func(name string) bool {
			return slices.ContainsFunc(f.Unknown, func(u model.Unknown) bool { return u.What == name })
		}
		for _, name := range Fields {
			if list := field(&f.Ranges, name); list != nil {
				add(field(&b.Ranges, name), *list...)
			}
			if !b.hand.given[i][name] || unknown(name) {
				continue
			}
			b.settle(name)
			if b.Unknown = slices.DeleteFunc(b.Unknown, func(u model.Unknown) bool { return u.What == name }); len(b.Unknown) == 0 {
				b.Unknown = nil
			}
			b.named[name], b.more[name] = 0, 0
		}
		for _, s := range []struct {
			name, from  string
			to, decided *string
		}{{fieldCloud, f.Cloud, &b.Cloud, &decided.Cloud}, {fieldCNI, f.CNI, &b.CNI, &decided.CNI}, {fieldIdentity, f.Identity, &b.Identity, &decided.Identity}} {
			switch {
			case s.from == "":
			case *s.decided == "" || *s.decided == s.from:
				*s.to, *s.decided = s.from, s.from
			default:
				b.problem(ruleConflict, b.hand.at[i], s.name+" is "+doc.Quote(s.from)+", and "+doc.Quote(*s.decided)+" in another facts file", "leave one of them out")
			}
		}
		b.resolve(f.DNS.Resolvers...)
		for _, e := range f.KubeAPI {
			b.api(e)
		}
	}
}
