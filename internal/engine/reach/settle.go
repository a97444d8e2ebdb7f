package reach

import (
	"net/netip"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// What is known after all settles questions. Each of these returns w as far as what they say is so.

// SameNode is w where both ends are on one node, whatever is between them.
func SameNode(w when.When) when.When { return placed(w, ownNode) }

// OtherNode is w where the ends are on nodes, and not on the same one.
func OtherNode(w when.When) when.When { return placed(w, otherNode) }

// OffNode is w where the ends are not on the same node, on whichever they are.
func OffNode(w when.When) when.When { return placed(w, otherNode|noNode) }

func placed(w when.When, on uint64) when.When {
	if !w.AsksKind(when.Node) {
		return w
	}
	for _, q := range w.Questions() {
		if q.Kind == when.Node && q.End != when.Via && q.Who == "" {
			w = w.Assume(q.Has(on))
		}
	}
	return w
}

// OnOwnNode reports whether w can hold on one node only.
func OnOwnNode(w when.When) bool { return w.AsksKind(when.Node) && OffNode(w).IsNever() }

// HasAddr is w where an end has the address a, and the connection is in its family.
func (p *Program) HasAddr(w when.When, end when.End, a netip.Addr) when.When {
	w = w.Assume(p.asks.over(familyOf(a)))
	for _, q := range w.Questions() {
		if q.Kind == when.Address && q.End == end && q.Who == "" && q.All.Addrs.Contains(a) {
			w = w.Assume(q.In(netset.Points(a)))
		}
	}
	return w
}

// AnyFamily is where w holds over some IP family, which is the client's to choose.
func AnyFamily(w when.When) when.When { return w.AnyFamily() }

// InFamily is w over one IP family.
func (p *Program) InFamily(w when.When, f Family) when.When { return w.Assume(p.asks.over(f)) }
