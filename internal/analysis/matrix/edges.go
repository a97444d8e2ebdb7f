package matrix

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Edge is a row between two single names: an address range is one prefix.
type Edge struct {
	From, To string
	Conns    netset.Conns
	Verdict  reach.Verdict
	When     string
	Worlds   reach.Worlds // the profiles under which it passes; see [Matrix.Profiles]
}

// Edges yields rows, which are sorted, with one edge for each prefix and Service in them, sorted again.
func Edges(rows iter.Seq[Row]) iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		var held []pending // of one source, or of all that are addresses
		flush := func() bool {
			slices.SortStableFunc(held, pending.compare)
			for _, h := range held {
				if !yield(h.Edge) {
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
			for _, from := range r.From.names() {
				for _, to := range r.To.names() {
					held = append(held, pending{from, to, Edge{from.name, to.name, r.Conns, r.Verdict, r.When, r.Worlds}})
				}
			}
		}
		flush()
	}
}

// pending is an edge with what it is sorted by.
type pending struct {
	from, to name
	Edge
}

func (p pending) compare(q pending) int {
	return cmp.Or(p.from.compare(q.from), p.to.compare(q.to), reach.CompareVerdicts(q.Verdict, p.Verdict), cmp.Compare(p.When, q.When))
}

// name is one name of an end.
type name struct {
	kind   Kind
	prefix netip.Prefix
	name   string
}

func (n name) compare(o name) int {
	return cmp.Or(cmp.Compare(n.kind, o.kind), n.prefix.Compare(o.prefix), cmp.Compare(n.name, o.name))
}

func (e End) names() []name {
	var out []name
	switch {
	case e.Kind == Addresses:
		for _, p := range netset.CIDRs(e.Addrs) {
			out = append(out, name{e.Kind, p, p.String()})
		}
	case e.Kind == Services, e.Kind == Hosts:
		for _, n := range e.Names {
			out = append(out, name{kind: e.Kind, name: n})
		}
	}
	if out == nil {
		out = []name{{kind: e.Kind, name: e.Name()}}
	}
	return out
}
