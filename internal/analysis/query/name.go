package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Question asks whether From can connect to To.
type Question struct {
	From, To Name
	Protocol netset.Protocol // NoProtocol: any
	Port     netset.Port     // 0: any
}

// Name is what a user calls one end. Exactly one of Object, Addr and Host is set.
type Name struct {
	Namespace, Kind, Object string // Kind is "" if it was not given
	Addr                    netip.Addr
	Host                    string // in lower case, without a final dot
}

// ObjectName reads "namespace/name" or "namespace/Kind/name" without judging it.
func ObjectName(text string) Name {
	n := Name{Object: text}
	if ns, rest, ok := strings.Cut(text, "/"); ok {
		n.Namespace, n.Object = ns, rest
	}
	if kind, rest, ok := strings.Cut(n.Object, "/"); ok {
		n.Kind, n.Object = kind, rest
	}
	return n
}

func (n Name) String() string {
	switch {
	case n.Object != "" && n.Kind != "":
		return n.Namespace + "/" + n.Kind + "/" + n.Object
	case n.Object != "":
		return n.Namespace + "/" + n.Object
	case n.Addr.IsValid():
		return n.Addr.String()
	}
	return n.Host
}

// Conns is every connection that q asks about.
func (q Question) Conns() netset.Conns {
	ports := netset.AllPorts
	if q.Port != 0 {
		ports = netset.PortRange(q.Port, q.Port)
	}
	if q.Protocol == netset.NoProtocol {
		var all netset.Conns
		for _, p := range netset.Protocols {
			all = all.Union(netset.ConnsOf(p, ports))
		}
		return all
	}
	return netset.ConnsOf(q.Protocol, ports)
}

// maxName bounds how long a name may be: a DNS name has 253 characters, and an object is called by
// up to three of that length.
const maxName = 1024

// Parse reads the two ends of a question.
//
// An end is "namespace/name", "namespace/Kind/name", an IPv4 address, an IPv6 address with or
// without brackets, or a host name. On to, ":PORT" (1 to 65535) and "/PROTOCOL" (tcp, udp or sctp,
// in any case) may follow; an IPv6 address then needs its brackets. A port without a protocol is
// TCP; without a port the question is about any port, and without both about any connection. Of
// "a/b/tcp" the last part is the protocol unless b is a kind.
func Parse(from, to string) (Question, error) {
	var q Question
	var err error
	if q.From, err = parseEnd("FROM", from); err != nil {
		return Question{}, err
	}
	rest := to
	if q.Protocol, rest, err = cutProtocol(rest); err != nil {
		return Question{}, err
	}
	if q.Port, rest, err = cutPort(rest); err != nil {
		return Question{}, err
	}
	if q.To, err = parseEnd("TO", rest); err != nil {
		return Question{}, err
	}
	if q.Port != 0 && q.Protocol == netset.NoProtocol {
		q.Protocol = netset.TCP
	}
	return q, nil
}

// cutProtocol takes a final "/tcp" off.
func cutProtocol(text string) (netset.Protocol, string, error) {
	i := strings.LastIndexByte(text, '/')
	if i < 0 {
		return netset.NoProtocol, text, nil
	}
	before, last := text[:i], text[i+1:]
	p, err := netset.ParseProtocol(strings.ToUpper(last))
	_, rest, badPort := cutPort(before)
	switch hasPort := rest != before || badPort != nil; {
	case err == nil && (hasPort || !isKindOnly(before)):
		return p, before, nil
	case err != nil && hasPort && !strings.Contains(last, ":"):
		return netset.NoProtocol, "", fmt.Errorf("TO %q: the protocol %q is not tcp, udp or sctp", text, last)
	}
	return netset.NoProtocol, text, nil
}

// isKindOnly reports whether text is "namespace" or "namespace/Kind", so that a name has to follow.
func isKindOnly(text string) bool {
	ns, kind, ok := strings.Cut(text, "/")
	if !ok {
		_, err := netip.ParseAddr(strings.Trim(text, "[]"))
		return err != nil && !strings.Contains(ns, ".")
	}
	return kindOf(kind) != ""
}

// kinds lists what may stand between a namespace and a name.
var kinds = []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "ReplicationController", "Pod", "Service"}

// kindOf returns a kind as Kubernetes writes it; "" for what is none.
func kindOf(text string) string {
	for _, k := range kinds {
		if strings.EqualFold(k, text) {
			return k
		}
	}
	return ""
}

// cutPort takes a final ":PORT" off.
func cutPort(text string) (netset.Port, string, error) {
	i := strings.LastIndexByte(text, ':')
	closing := strings.LastIndexByte(text, ']')
	if i < 0 || i < closing || closing < strings.LastIndexByte(text, '[') || strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "[") {
		return 0, text, nil
	}
	n, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || n == 0 {
		return 0, "", fmt.Errorf("TO %q: the port %q is not a number from 1 to 65535", text, text[i+1:])
	}
	return netset.Port(n), text[:i], nil
}

// parseEnd reads an end without port and protocol. which names it in errors.
func parseEnd(which, text string) (Name, error) {
	refuse := func(format string, args ...any) (Name, error) {
		return Name{}, fmt.Errorf(which+" %q: "+format, append([]any{text}, args...)...)
	}
	switch {
	case text == "":
		return Name{}, fmt.Errorf("%s is empty: give namespace/name, an address or a host name", which)
	case len(text) > maxName:
		return Name{}, fmt.Errorf("%s is longer than %d characters", which, maxName)
	}
	bare := text
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		bare = text[1 : len(text)-1]
		if !strings.Contains(bare, ":") {
			return refuse("brackets are for IPv6 addresses")
		}
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		if a.Zone() != "" {
			return refuse("an address with a zone means something on one host only")
		}
		return Name{Addr: a.Unmap()}, nil
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return refuse("this is a range; ask for one address")
	}
	before, _, cut := strings.Cut(text, "/")
	if _, err := netip.ParseAddr(before); (err == nil || nearAddr(before)) && (!cut || strings.ContainsAny(before, ".:")) {
		if addr, ok := looseAddr(strings.TrimSuffix(strings.ToLower(text), ".")); ok {
			return refuse("this is not an IP address; some programs read it as %s: ask for that", addr)
		}
		return refuse("this is not an IP address")
	}
	if strings.ContainsAny(text, ":[]") {
		if which == "FROM" {
			return refuse("this is no workload, address or host name; a port belongs on TO")
		}
		return refuse("this is no workload, address or host name")
	}
	if !strings.Contains(text, "/") {
		host := strings.TrimSuffix(strings.ToLower(text), ".")
		if !isName(host) {
			return refuse("this is no host name")
		}
		return Name{Host: host}, nil
	}
	parts := strings.Split(text, "/")
	for i, p := range parts {
		if !isName(strings.ToLower(p)) || i == 0 && strings.Contains(p, ".") { // no namespace has a dot
			return refuse("an object is written namespace/name or namespace/Kind/name")
		}
	}
	switch len(parts) {
	case 2:
		return Name{Namespace: parts[0], Object: parts[1]}, nil
	case 3:
		kind := kindOf(parts[1])
		if kind == "" {
			return refuse("%q is no kind of workload; they are %s", parts[1], strings.Join(kinds, ", "))
		}
		return Name{Namespace: parts[0], Kind: kind, Object: parts[2]}, nil
	}
	return refuse("an object is written namespace/name or namespace/Kind/name")
}

// nearAddr reports whether text, which is no IP address, was meant as one. The last label of a host
// name is never a number (RFC 3696 section 2, WHATWG URL "ends in a number"), and no name has two
// colons.
func nearAddr(text string) bool {
	text = strings.ToLower(strings.Map(asASCII, text))
	if colons := strings.Count(text, ":"); colons > 0 {
		return colons > 1
	}
	text, _, _ = strings.Cut(text, "%")
	labels := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".,[]", r) || unicode.IsSpace(r) })
	if len(labels) == 0 {
		return false
	}
	last := labels[len(labels)-1]
	if isNumber(last) {
		return true
	}
	// "10.0.0.x", "10.0.0.1a", "10.0.0.1-5": no top-level domain is a letter or begins with a digit.
	short := len(last) == 1 || '0' <= last[0] && last[0] <= '9' || last[0] == '-'
	return len(labels) == 4 && short && !slices.ContainsFunc(labels[:3], func(l string) bool { return !isNumber(l) })
}

// isNumber reports whether a label is a number, decimal or hexadecimal.
func isNumber(label string) bool {
	digits, chars := label, "0123456789"
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		digits, chars = hex, chars+"abcdef"
	}
	return digits != "" && strings.Trim(digits, chars) == ""
}

// asASCII makes ASCII of other scripts' digits and of the dots and colons that stand for ASCII's.
func asASCII(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
	case unicode.IsDigit(r):
		return '0' // which one does not matter
	case strings.ContainsRune("\u3002\uff0e\uff61", r): // IDNA's other full stops (UTS 46)
		return '.'
	case r == '\uff1a':
		return ':'
	}
	return r
}

// looseAddr reads what is no address by the book and is one to the C library's inet_aton, which
// most programs read addresses with: one to four numbers, decimal, octal or hexadecimal, of which
// the last fills all bytes that are left.
func looseAddr(host string) (netip.Addr, bool) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var value uint64
	for i, text := range parts {
		base, digits := 10, text
		switch {
		case strings.HasPrefix(text, "0x"):
			base, digits = 16, text[2:]
		case len(text) > 1 && text[0] == '0':
			base, digits = 8, text[1:]
		}
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		n, err := strconv.ParseUint(digits, base, bits)
		if err != nil || digits == "" {
			return netip.Addr{}, false
		}
		value = value<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// isName reports whether s consists of what names in Kubernetes and the DNS are made of.
func isName(s string) bool {
	if s == "" || len(s) > 253 || s[0] == '-' || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}
