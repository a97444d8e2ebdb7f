package facts

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// value is a place in an answer. Keys are found without regard to case: the clouds' commands, REST
// interfaces and SDKs spell them differently ("vpcId" and "VpcId", "privateFQDN" and
// "privateFqdn").
type value struct{ *doc.Cursor }

// at returns the value at a path of keys.
func (v value) at(names ...string) value {
	for _, name := range names {
		v = v.key(name)
	}
	return v
}

func (v value) key(name string) value { return value{v.FieldFold(name)} }

// has reports whether all of the keys have a value.
func (v value) has(names ...string) bool {
	for _, name := range names {
		if !v.IsMap() || !v.key(name).IsSet() {
			return false
		}
	}
	return true
}

func (v value) items() []value {
	var out []value
	for _, c := range v.Items() {
		out = append(out, value{c})
	}
	return out
}

// properties returns where an Azure resource has its fields: the REST interface nests them, the
// command does not.
func (v value) properties() value {
	if p := v.at("properties"); p.IsMap() {
		return p
	}
	return v
}

// word returns the text at v, fit for a terminal and for a line of YAML.
func (v value) word() string { return doc.Clean(v.Text(), 160) }

// prefix reads a CIDR. An empty text is none: clouds write one for a range that is not used.
func (v value) prefix() (netip.Prefix, bool) {
	before := v.Problems()
	text := strings.TrimSpace(v.Text())
	if text == "" || v.Problems() > before {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		v.Fail("not a CIDR: "+doc.Quote(text), "")
		return netip.Prefix{}, false
	}
	return unmapped(p), true
}

// ranges reads a CIDR, several with commas or spaces between them, or a list of such, all from one
// source.
func (v value) ranges(source string) []model.Range {
	var out []model.Range
	if v.IsSet() && !v.IsText() && !v.IsMap() {
		for _, item := range v.items() {
			out = append(out, item.ranges(source)...)
		}
		return out
	}
	for text := range strings.FieldsFuncSeq(v.Text(), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
		p, err := netip.ParsePrefix(text)
		switch p = unmapped(p); {
		case err != nil:
			v.Fail("not a CIDR: "+doc.Quote(text), "")
		case p.Bits() == 0:
			v.Fail(doc.Quote(text)+" is everything, and no range of a cluster", "")
		default:
			out = append(out, model.Range{CIDR: p, Source: source})
		}
	}
	return out
}

// wants fails where something that has ranges names none of them: of an answer that was cut to some
// fields, nothing could be told.
func (v value) wants(lists ...[]model.Range) {
	if len(slices.Concat(lists...)) == 0 {
		v.Fail("it names no range of addresses", "save the whole answer, without --query or a format of your own")
	}
}

// addr reads an address. An empty text is none.
func (v value) addr() (netip.Addr, bool) {
	before := v.Problems()
	text := strings.TrimSpace(v.Text())
	if text == "" || v.Problems() > before {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		v.Fail("not an address: "+doc.Quote(text), "")
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// port reads a port, 0 for none.
func (v value) port() uint16 {
	n, ok := v.Int()
	if ok && (n < 1 || n > 65535) {
		v.Fail("not a port", "ports run from 1 to 65535")
		return 0
	}
	return uint16(n)
}
