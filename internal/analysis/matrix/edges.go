package matrix

import (
	"iter"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Edge is a row between two single names: an address range is one prefix.
type Edge struct {
	From, To string
	Row      Row
}

// Edges yields rows, which are sorted, with one edge for each prefix, host name and Service in
// them, sorted again.
func Edges(rows iter.Seq[Row]) iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		var held []Row // of one source, or of all that are addresses
		flush := func() bool {
			slices.SortStableFunc(held, Row.compare)
			for _, r := range held {
				if !yield(Edge{r.From.plain(), r.To.plain(), r}) {
					return false
				}
			}
			held = held[:0]
			return true
		}
		var last End
		for r := range rows {
			if bothAddresses := r.From.Kind == Addresses && last.Kind == Addresses; !bothAddresses && r.From.compare(last) != 0 && !flush() {
				return
			}
			last = r.From
			for _, from := range r.From.single() {
				for _, to := range r.To.single() {
					one := r
					one.From, one.To = from, to
					held = append(held, one)
				}
			}
		}
		flush()
	}
}

// single splits an end into those of one name.
func (e End) single() []End {
	var out []End
	switch e.Kind {
	case Addresses:
		for _, p := range netset.CIDRs(e.Addrs) {
			out = append(out, End{Kind: e.Kind, Addrs: netset.Prefixes(p)})
		}
	case Services, Hosts:
		for _, n := range e.Names {
			out = append(out, End{Kind: e.Kind, Names: []string{n}})
		}
	}
	if out == nil {
		return []End{e}
	}
	return out
}

// plain is the name of an end of one name. An address is a prefix, too.
func (e End) plain() string {
	if e.Kind == Addresses {
		return netset.CIDRs(e.Addrs)[0].String()
	}
	return e.Name()
}
