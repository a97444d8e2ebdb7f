package when

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// placeholder stands for an end in words.
var placeholder = [...]string{Cluster: "", Destination: "{dst}", Via: "{via}", Source: "{src}"}

// renamed says a text of another end.
func renamed(text string, from, to End) string {
	if from == Cluster || to == Cluster {
		return text
	}
	return strings.ReplaceAll(text, placeholder[from], placeholder[to])
}

// Names are what words call the ends and the CNIs. Ends without a name are "the client", "the
// destination" and "its Service".
type Names struct {
	Src, Dst, Via string
	CNIs          []string // by bit
	Families      []CNIFamily
	Max           int // lines, and alternatives in a list, at most; 0: all, and lists whole
}

// CNIFamily is named instead of its members where all that are possible are meant: "Cilium" is
// aks-cilium, cilium and gke-dpv2.
type CNIFamily struct {
	Name string
	Bits uint64
}

// Lines says w where care is known to hold, one thing that must hold a line. Each line can be
// printed as it is:
//
//	only on AWS VPC CNI and gke-dpv2
//	not on Cilium
//	over IPv4 only
//	if data/orders-db has an address outside 10.0.0.0/8
//	on gke-dpv2 only if policy is judged before a Service is translated
//	if one of:
//	- the API server has an address outside 10.0.0.0/8 (on Cilium only if the API server runs outside the cluster's nodes)
//	- on calico, if mcp/fetch-mcp and the API server are on the same node
//
// Lines that begin with "- " belong to the one before them and do not count as lines. What always
// holds has no line, and what never does is "never".
func (w When) Lines(care When, n Names) []string {
	if !w.Overlaps(care) {
		return []string{"never"}
	}
	parts := w.phrases(care)
	var out []string
	for i, p := range parts {
		switch {
		case n.Max > 0 && i == n.Max:
			return append(out, fmt.Sprintf("and %d more (--verbose)", len(parts)-i))
		case p.isCNI():
			out = append(out, n.cni(p.Literal, "only on ", "and", "not on ", "or"))
		case p.isLiteral() && p.Question.Kind == Family:
			out = append(out, n.say(p, false))
		case p.isOnly():
			out = append(out, n.alternatives(n.only(p), p.rest())...)
		default:
			out = append(out, n.alternatives("if ", p)...)
		}
	}
	return out
}

// Text says w where care is known to hold as one sentence that completes "if ...". It is empty if w
// always holds there.
func (w When) Text(care When, n Names) string {
	if !w.Overlaps(care) {
		return "never"
	}
	parts := w.phrases(care)
	var out []string
	for i, p := range parts {
		if n.Max > 0 && i == n.Max {
			out = append(out, fmt.Sprintf("%d more", len(parts)-i))
			break
		}
		if len(parts) == 1 {
			return n.say(p, false)
		}
		out = append(out, n.part(p, true))
	}
	return strings.Join(out, ", and ")
}

// String is for debugging.
func (w When) String() string { return cmp.Or(w.Text(Always, Names{}), "always") }

// alternatives says p after head: in the line if it is short, else as a list below it.
func (n Names) alternatives(head string, p phrase) []string {
	inLine := !p.or || p.isShort()
	long := func(o phrase) bool { return o.or && cost(o.parts) > min(3, len(o.parts)) }
	if i := slices.IndexFunc(p.parts, long); i >= 0 { // a and one of ...
		rest := join(false, false, slices.Delete(slices.Clone(p.parts), i, i+1))
		head, p, inLine = head+n.say(rest, false)+" and ", p.parts[i], false
	}
	if inLine {
		return []string{head + n.say(p, false)}
	}
	verbose := ""
	if n.Max > 0 {
		verbose = " (--verbose)"
	}
	out := []string{head + "one of:"}
	items := n.each(p, n.item)
	for i, item := range items {
		if n.Max > 0 && i == 3 {
			return append(out, fmt.Sprintf("- and %d more%s", len(items)-i, verbose))
		}
		out = append(out, "- "+item)
	}
	if p.more {
		out = append(out, "- and more"+verbose)
	}
	return out
}

// isShort reports whether an or is said in one line: few literals, or ands of them, and nothing of
// a CNI.
func (p phrase) isShort() bool {
	notPlain := func(o phrase) bool { return o.isCNI() || !o.isLiteral() }
	return !p.more && len(p.parts) <= 3 && !slices.ContainsFunc(p.parts, func(o phrase) bool {
		return o.isCNI() || slices.ContainsFunc(o.parts, notPlain)
	})
}

// item is an alternative in a list.
func (n Names) item(p phrase) string {
	if p.or || p.isLiteral() {
		return n.say(p, false)
	}
	var head, tail string
	var rest []phrase
	for _, o := range p.parts {
		switch {
		case o.isCNI():
			head = n.cni(o.Literal, "on ", "and", "on all but ", "and") + ", if "
		case o.isOnly():
			tail += " (" + n.only(o) + n.say(o.rest(), false) + ")"
		default:
			rest = append(rest, o)
		}
	}
	return head + n.say(join(false, false, rest), false) + tail
}

func (n Names) only(p phrase) string {
	if p.others {
		return "on the others only if "
	}
	return "on " + n.list(n.cnis(p.head()), "and") + " only if "
}

// say is a phrase within a sentence, in brackets where it stands among others and has parts itself.
func (n Names) say(p phrase, nested bool) string {
	if p.isLiteral() {
		subject, what := n.literal(p.Literal)
		return strings.TrimSpace(subject + " " + what)
	}
	texts := n.each(p, func(o phrase) string { return n.part(o, !p.or) })
	if p.isOnly() {
		texts[0] = "the cluster does not run " + n.list(n.cnis(p.head()), "or")
	}
	if p.more {
		texts = append(texts, "more")
	}
	word := " and "
	if p.or {
		word = " or "
	}
	text := strings.Join(texts, word)
	if nested && len(texts) > 1 {
		return "(" + text + ")"
	}
	return text
}

// part says a phrase that stands among others: in an and also as "on X only if ...".
func (n Names) part(p phrase, inAnd bool) string {
	if inAnd && p.isOnly() {
		return n.only(p) + n.say(p.rest(), true)
	}
	return n.say(p, true)
}

// each says the parts of p one by one. Alternatives that say the same of several ends become one:
// "x/a or x/b has an address ...".
func (n Names) each(p phrase, say func(phrase) string) []string {
	var out []string
	place, subjects := map[string]int{}, map[string][]string{}
	for _, o := range p.parts {
		if !p.or || !o.isLiteral() || o.Question.Kind != Address {
			out = append(out, say(o))
			continue
		}
		subject, what := n.literal(o.Literal)
		if _, ok := place[what]; !ok {
			place[what] = len(out)
			out = append(out, "")
		}
		subjects[what] = append(subjects[what], subject)
		out[place[what]] = n.list(subjects[what], "or") + " " + what
	}
	return out
}

// literal says a literal: of whom, if it is an address, and what.
func (n Names) literal(l Literal) (subject, what string) {
	switch l.Question.Kind {
	case CNI:
		return "the cluster", n.cni(l, "runs ", "or", "does not run ", "or")
	case Address:
		return cmp.Or(l.Question.Who, n.end(l.Question.End)), "has " + n.address(l)
	}
	q := l.Question
	text := q.words(l.In.Bits)
	if text == "" { // what is impossible may be said along
		text = q.words(l.In.Bits | q.All.Bits&^l.Domain.Bits)
	}
	if text == "" {
		var each []string
		for set := l.In.Bits; set != 0; set &= set - 1 {
			is := q.ID + " is " + named(q.Names, bits.TrailingZeros64(set))
			each = append(each, cmp.Or(q.words(set&-set), is))
		}
		text = strings.Join(each, " or ")
	}
	for _, end := range []End{Destination, Via, Source} {
		text = strings.ReplaceAll(text, placeholder[end], n.end(end))
	}
	return "", text
}

// words is the text of a set of answers, or nothing.
func (q *Question) words(answers uint64) string {
	switch {
	case answers < uint64(len(q.Words)):
		return q.Words[answers]
	case q.Kind == Family && q.Words == nil && answers == IPv4:
		return "over IPv4 only"
	case q.Kind == Family && q.Words == nil && answers == IPv6:
		return "over IPv6 only"
	}
	return ""
}

func (n Names) end(e End) string {
	switch e {
	case Source:
		return cmp.Or(n.Src, "the client")
	case Destination:
		return cmp.Or(n.Dst, "the destination")
	case Via:
		return cmp.Or(n.Via, "its Service")
	}
	return "the cluster"
}

// address says an answer by what is in it, by what is not, or as a block with exceptions, whichever
// is shortest, and of the first two, if as long, by the smaller one.
func (n Names) address(l Literal) string {
	in, out := l.In.Addrs, l.Domain.Addrs.Minus(l.In.Addrs)
	ins, outs := netset.CIDRs(in), netset.CIDRs(out)
	block := spanning(in)
	switch except := netset.CIDRs(netset.Prefixes(block).Intersect(out)); {
	case len(except)+1 >= min(len(ins), len(outs)):
	case len(except) == 0:
		return "an address in " + block.String()
	default:
		return "an address in " + block.String() + " outside " + n.list(texts(except), "and")
	}
	if cmp.Or(cmp.Compare(len(ins), len(outs)), cmp.Compare(netset.Size(in), netset.Size(out))) > 0 {
		return "an address outside " + n.list(texts(outs), "and")
	}
	return "an address in " + n.list(texts(ins), "or")
}

// spanning is the smallest block that holds addrs, as far as they are of one family.
func spanning(addrs netset.Addrs) netip.Prefix {
	var first, last netip.Addr
	for r := range addrs.Runs() {
		if !first.IsValid() {
			first = r.Lo
		}
		if r.Hi.BitLen() == first.BitLen() {
			last = r.Hi
		}
	}
	for size := first.BitLen(); ; size-- {
		if p := netip.PrefixFrom(first, size).Masked(); p.Contains(last) {
			return p
		}
	}
}

func texts[T fmt.Stringer](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = v.String()
	}
	return out
}

// cni says on which CNIs a literal holds, or on which it does not where those are fewer names.
func (n Names) cni(l Literal, in, inWord, out, outWord string) string {
	not := l
	not.In = l.Domain.minus(l.In)
	yes, no := n.cnis(l), n.cnis(not)
	if len(no) < len(yes) {
		return out + n.list(no, outWord)
	}
	return in + n.list(yes, inWord)
}

// cnis names CNIs: a family where all of its members that are possible are among them.
func (n Names) cnis(l Literal) []string {
	var out []string
	set := l.In.Bits
	for _, f := range n.Families {
		if possible := f.Bits & l.Domain.Bits; bits.OnesCount64(possible) > 1 && possible&^set == 0 {
			out, set = append(out, f.Name), set&^possible
		}
	}
	for ; set != 0; set &= set - 1 {
		bit := bits.TrailingZeros64(set)
		if name := named(n.CNIs, bit); bit < len(n.CNIs) {
			out = append(out, name)
		} else {
			out = append(out, "CNI "+name)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Compare(strings.ToLower(a), strings.ToLower(b))
	})
	return out
}

// On names CNIs, those of bits among all: "AWS VPC CNI, calico and 2 more".
func (n Names) On(bits uint64) string {
	all := Answers{Bits: 1<<len(n.CNIs) - 1}
	return n.list(n.cnis(Literal{In: Answers{Bits: bits}, Domain: all}), "and")
}

// list joins texts: "a, b and c". Where not all is wanted, more than four are three "and 2 more".
func (n Names) list(texts []string, word string) string {
	if n.Max > 0 && len(texts) > 4 {
		texts = append(slices.Clone(texts[:3]), fmt.Sprintf("%d more", len(texts)-3))
	}
	last := len(texts) - 1
	if last < 1 {
		return strings.Join(texts, "")
	}
	return strings.Join(texts[:last], ", ") + " " + word + " " + texts[last]
}
