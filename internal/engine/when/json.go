package when

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Term is one fact that must be so, for programs: {"fact": "cni", "answer": "calico,cilium"}.
type Term struct {
	Fact   string `json:"fact"`
	Answer string `json:"answer"`
}

// Ifs says w where care holds for programs: w holds where all facts of one of the terms are so. It
// returns at most max terms if max is not 0, and how many more there are, counted no further than
// some thirty. cnis are the names of CNIs by bit.
//
// An answer is yes or no, names of CNIs, CIDRs, or names of other answers; several are
// joined with commas.
func (w When) Ifs(care When, cnis []string, max int) (terms [][]Term, more int) {
	limit := max
	if max > 0 {
		limit += manyTerms
	}
	all, _ := w.Terms(care, limit)
	if max > 0 && len(all) > max {
		all, more = all[:max], len(all)-max
	}
	for _, literals := range all {
		term := make([]Term, len(literals))
		for i, l := range literals {
			term[i] = Term{l.Question.ID, l.answer(cnis)}
		}
		terms = append(terms, term)
	}
	return terms, more
}

func (l Literal) answer(cnis []string) string {
	names := l.Question.Names
	switch {
	case l.Question.Kind == CNI:
		names = cnis
	case names == nil && l.Question.Kind == Family:
		names = []string{"IPv4", "IPv6"}
	case names == nil && l.Question.All.Bits == Yes|No:
		names = []string{"no", "yes"}
	}
	var out []string
	for _, p := range netset.CIDRs(l.In.Addrs) {
		out = append(out, p.String())
	}
	for set := l.In.Bits; set != 0; set &= set - 1 {
		out = append(out, named(names, bits.TrailingZeros64(set)))
	}
	return strings.Join(out, ",")
}

// named is the name of a bit, or its number if it has none.
func named(names []string, bit int) string {
	if bit < len(names) && names[bit] != "" {
		return names[bit]
	}
	return strconv.Itoa(bit)
}
