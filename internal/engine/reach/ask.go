package reach

import (
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/special"
	"github.com/toolmoat/toolmoat/internal/engine/when"
)

// Readers of a program ask in its space what the engine has no question for, so that both stand in
// one condition.

// Ask is the condition that something is so. id names everything that its truth depends on; yes and
// no complete "if ...".
func (p *Program) Ask(id string, end when.End, yes, no string) when.When {
	return p.asks.ask(id, end, 0, yes, no)
}

// AskAddr asks where an address of an end lies, which is somewhere in space.
func (p *Program) AskAddr(id string, end when.End, space netset.Addrs) *when.Question {
	return p.asks.space.Ask(when.Question{ID: id, Kind: when.Address, End: end, All: when.Answers{Addrs: space}})
}

// Doubt is the condition that what is so, where nobody can tell: what hangs on it is unknown.
func (p *Program) Doubt(what string) when.When { return p.asks.unknown(what) }

// Unenforced is w where CNIs that enforce nothing do not.
func (p *Program) Unenforced(w when.When) when.When { return p.actual(w) }

// ResolvesTo is the condition that a host name, the other end of a connection in direction d,
// resolves to one of addrs.
func (p *Program) ResolvesTo(name netset.Name, d policy.Direction, addrs netset.Addrs) when.When {
	all := netset.Universe
	if name.IsExact() && PublicName(name) {
		all = special.Internet
	}
	id := "address of " + endName(peerEnd(d)) + ": " + string(name)
	return p.asks.space.Ask(when.Question{ID: id, Kind: when.Address, End: peerEnd(d), All: when.Answers{Addrs: all}}).In(addrs)
}
