package reach

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/netset"
)

// Cond says in which worlds something holds, where that is not all of them. The zero value is every world.
type Cond struct {
	Unjudged bool         // nothing can be said: some input could not be judged
	Plan     netset.Addrs // the other end's address, which is not known, lies here
	Texts    []string     // in words, each completing "if ..."; sorted
}

// IsZero reports whether c is no condition.
func (c Cond) IsZero() bool { return !c.Unjudged && c.Plan.IsEmpty() && c.Texts == nil }

func (c Cond) equal(d Cond) bool {
	return c.Unjudged == d.Unjudged && c.Plan.Equal(d.Plan) && slices.Equal(c.Texts, d.Texts)
}

func (c Cond) verdict() Verdict {
	if c.Unjudged {
		return Unknown
	}
	return Depends
}

func onlyIf(text string) Cond { return Cond{Texts: []string{text}} }

// or is the condition that c or d holds; the zero Cond is neutral here, for "nothing said yet".
func (c Cond) or(d Cond) Cond {
	out := Cond{c.Unjudged || d.Unjudged, c.Plan.Union(d.Plan), c.Texts}
	if d.Texts != nil && !slices.Equal(c.Texts, d.Texts) {
		out.Texts = slices.Concat(c.Texts, d.Texts)
		slices.Sort(out.Texts)
		out.Texts = slices.Compact(out.Texts)
	}
	return out
}

// and is the condition that c and d both hold.
func (c Cond) and(d Cond) Cond {
	switch {
	case c.IsZero() || d.Unjudged || c.equal(d):
		return d
	case d.IsZero() || c.Unjudged:
		return c
	}
	return onlyIf(c.String() + ", and " + d.String())
}

// String completes "if ...".
func (c Cond) String() string {
	var parts []string
	if c.Unjudged {
		parts = append(parts, "a policy that could not be judged lets it")
	}
	if !c.Plan.IsEmpty() {
		parts = append(parts, "the address lies in "+PrefixText(netset.CIDRs(c.Plan), 4))
	}
	return strings.Join(append(parts, c.Texts...), ", or ")
}

// PrefixText lists prefixes, at most n of them and how many more there are. A single address is written without its length.
func PrefixText(prefixes []netip.Prefix, n int) string {
	var b strings.Builder
	for i, p := range prefixes {
		if i == n {
			b.WriteString(" and " + plural(len(prefixes)-n, "more range"))
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if p.IsSingleIP() {
			b.WriteString(p.Addr().String())
		} else {
			b.WriteString(p.String())
		}
	}
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
