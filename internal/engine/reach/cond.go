package reach

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// Cond says in which worlds something holds, where that is not all of them: in those where On holds, some part of Any and all of All. The
// zero value is every world.
type Cond struct {
	Unjudged bool         // nothing can be said: some input could not be judged
	On       string       // under which profiles, completing "if ..."; "" for all
	Plan     netset.Addrs // Any: the other end's address, which is not known, lies here
	Names    []string     // Any: the other end's address is one that one of these names resolves to; patterns as netset.Name has them; sorted
	Texts    []string     // Any, in words, each completing "if ..."; sorted
	All      []string     // likewise; sorted
}

// IsZero reports whether c is no condition.
func (c Cond) IsZero() bool { return !c.Unjudged && c.On == "" && c.plain() && c.All == nil }

// Equal reports whether c and d are the same condition.
func (c Cond) Equal(d Cond) bool { return c.On == d.On && c.equal(d) }

// equal compares c and d but for On.
func (c Cond) equal(d Cond) bool { return c.sameAny(d) && slices.Equal(c.All, d.All) }

func (c Cond) sameAny(d Cond) bool {
	return c.Unjudged == d.Unjudged && c.Plan.Equal(d.Plan) && slices.Equal(c.Names, d.Names) && slices.Equal(c.Texts, d.Texts)
}

// implies reports whether c is d, or d and more, but for On.
func (c Cond) implies(d Cond) bool {
	return c.sameAny(d) && !slices.ContainsFunc(d.All, func(text string) bool { return !slices.Contains(c.All, text) })
}

func (c Cond) verdict() Verdict {
	if c.Unjudged {
		return Unknown
	}
	return Depends
}

// notSo before the text of a condition makes its opposite.
const notSo = "it is not so that "

// opposite negates the text of a condition.
func opposite(text string) string {
	if cut, ok := strings.CutPrefix(text, notSo); ok {
		return cut
	}
	return notSo + text
}

// never reports whether c cannot hold.
func (c Cond) never() bool {
	return slices.ContainsFunc(c.All, func(t string) bool { return slices.Contains(c.All, notSo+t) })
}

func onlyIf(text string) Cond { return Cond{All: []string{text}} }

// or is the condition that c or d holds; the zero Cond is neutral here, for "nothing said yet".
func (c Cond) or(d Cond) Cond {
	switch {
	case c.IsZero() || c.equal(d):
		return d
	case d.IsZero():
		return c
	}
	c, d = c.alternative(), d.alternative()
	return Cond{Unjudged: c.Unjudged || d.Unjudged, Plan: c.Plan.Union(d.Plan), Names: joined(c.Names, d.Names), Texts: joined(c.Texts, d.Texts)}
}

// unless is the condition that c holds and d does not; the zero Cond is every world in c and none in d. never is true where that cannot be. plan is
// where addresses that are not known may lie.
func (c Cond) unless(d Cond, plan [2]netset.Addrs) (cond Cond, never bool) {
	onlyPlan := func(c Cond) bool {
		return !c.Unjudged && c.Names == nil && c.Texts == nil && c.All == nil && !c.Plan.IsEmpty()
	}
	switch {
	case d.IsZero():
		return c, false
	case c.Unjudged || d.Unjudged:
		return Cond{Unjudged: true}, false
	case onlyPlan(d) && (c.IsZero() || onlyPlan(c)):
		where := c.Plan
		if c.IsZero() {
			where = plan[familyOf(d.Plan.First())]
		}
		where = where.Minus(d.Plan)
		return Cond{Plan: where}, where.IsEmpty()
	}
	return c.and(onlyIf("no rule denies it, as one does if " + d.String())), false
}

// alternative returns c without All, as one of several alternatives.
func (c Cond) alternative() Cond {
	if c.All == nil || c.Unjudged {
		c.All = nil
		return c
	}
	return Cond{Texts: []string{c.String()}}
}

// and is the condition that c and d both hold.
func (c Cond) and(d Cond) Cond {
	if c.Unjudged || d.Unjudged {
		return Cond{Unjudged: true}
	}
	if !c.plain() && !d.plain() {
		if c.equal(d) {
			return c
		}
		return Cond{All: joined([]string{c.String()}, []string{d.String()})}
	}
	out := c
	if c.plain() {
		out = d
	}
	out.All = joined(c.All, d.All)
	return out
}

// plain reports whether c has no alternatives.
func (c Cond) plain() bool { return c.Plan.IsEmpty() && c.Names == nil && c.Texts == nil }

// joined returns the union of two sorted lists.
func joined(a, b []string) []string {
	if a == nil || b == nil {
		return slices.Concat(a, b)
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// String completes "if ...".
func (c Cond) String() string {
	if c.Unjudged {
		return "a policy that could not be judged lets it"
	}
	var any []string
	if !c.Plan.IsEmpty() {
		any = append(any, planText(c.Plan))
	}
	any = append(any, c.nameTexts()...)
	any = append(any, c.Texts...)
	var all []string
	if c.On != "" {
		all = append(all, c.On)
	}
	if any != nil {
		all = append(all, strings.Join(any, ", or "))
	}
	return strings.Join(append(all, c.All...), ", and ")
}

// nameTexts says what of a few names resolves to the other end's address.
func (c Cond) nameTexts() []string {
	const most = 4
	switch n := len(c.Names); {
	case n == 0:
		return nil
	case n > most:
		return []string{strings.Join(c.Names[:most], ", ") + " or one of " + plural(n-most, "more name") + " resolves to it"}
	}
	return []string{orList(c.Names) + " resolves to it"}
}

// planText says where in the plan an address lies, by what is left out if that is shorter.
func planText(in netset.Addrs) string {
	listed, missing := netset.CIDRs(in), netset.CIDRs(special.Plan.Intersect(familySpace[familyOf(in.First())]).Minus(in))
	if len(missing) < len(listed) {
		return "the other end's address is not in " + PrefixText(missing, 6)
	}
	return "the other end's address is in " + PrefixText(listed, 6)
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
