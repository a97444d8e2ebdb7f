package query

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// asker answers one question.
type asker struct {
	p        *reach.Program
	q        Question
	conns    netset.Conns
	sides    map[sideKey][]reach.Box
	notes    []string
	assumed  []string
	hosts    []string  // names of ends on the host network
	index    *index    // who has which address
	followed int       // Services of type ExternalName that the question is going through
	names    *int      // of those, how many it went through so far
	unknowns *int      // addresses behind or beside Services that nothing known has, so far
	held     *int      // what may have an address that is not known, so far
	enforced *enforced // the same program with policies enforced on more pods
}

type sideKey struct {
	class int
	dir   policy.Direction
}

func newAsker(p *reach.Program, q Question) *asker {
	return &asker{p: p, q: q, conns: q.Conns(), sides: map[sideKey][]reach.Box{}, index: &index{}, names: new(int), unknowns: new(int), held: new(int), enforced: &enforced{of: p}}
}

// in returns an asker of the same question on another view of its program.
func (a *asker) in(p *reach.Program) *asker {
	out := a.on(p)
	out.enforced, out.held = a.enforced, a.held
	return out
}

// on returns an asker of the same question on another program over the same ground.
func (a *asker) on(p *reach.Program) *asker {
	out := newAsker(p, a.q)
	out.index = a.index
	return out
}

// note adds a sentence once.
func (a *asker) note(text string) {
	if !slices.Contains(a.notes, text) {
		a.notes = append(a.notes, text)
	}
}

func (a *asker) assume(text string) {
	if !slices.Contains(a.assumed, text) {
		a.assumed = append(a.assumed, text)
	}
}

// end is one end of a connection.
type end struct {
	reach.End
	name     string
	workload int          // index, or -1
	pod      reach.Member // the one pod that is meant, if single
	single   bool
	claimed  netip.Addr // the address this end has in the world in question, though the input does not show it
}

// isPods reports whether policies may select e.
func (a *asker) isPods(e end) bool { return e.Holder >= 0 && e.Holder < a.p.Classes() }

// outcome is what is known of one way to connect, or of several joined. The zero value is unknown.
type outcome struct {
	verdict  reach.Verdict
	when     string       // completes "if ..."; "" for certainty
	conns    netset.Conns // of the question: those that have the verdict
	steps    func() []Step
	from, to string // which pods it is about, "" for none in particular
}

// anyOf joins outcomes of which one that passes is enough. Of none, the outcome is denied.
func anyOf(tried []outcome) outcome {
	best := outcome{verdict: reach.Denied}
	for i, o := range tried {
		if i == 0 || reach.CompareVerdicts(o.verdict, best.verdict) > 0 {
			best = o
			best.conns = netset.Conns{}
		}
	}
	var whens []string
	for _, o := range tried {
		if o.verdict == best.verdict {
			best.conns = best.conns.Union(o.conns)
			if o.when != "" && !slices.Contains(whens, o.when) {
				whens = append(whens, o.when)
			}
		}
	}
	best.when = listedOr(whens)
	return best
}

// world is an outcome that holds in some worlds: those where name, which completes "if ...", is true.
type world struct {
	name string
	outcome
}

// across joins the outcomes of different worlds, all of which are possible.
func across(worlds []world) outcome {
	var passing []world
	same, allowed := true, true
	for _, w := range worlds {
		if w.verdict != reach.Denied {
			passing = append(passing, w)
		}
		same = same && w.verdict == worlds[0].verdict && w.when == worlds[0].when
		allowed = allowed && w.verdict >= reach.NotEnforced
	}
	switch {
	case len(passing) == 0, allowed, same:
		o := worlds[0].outcome
		for _, w := range worlds[1:] {
			if w.verdict < o.verdict { // not enforced
				o = w.outcome
			}
		}
		for _, w := range worlds {
			o.conns = o.conns.Union(w.conns)
		}
		return o
	}
	out := outcome{verdict: reach.Unknown, from: worlds[0].from, to: worlds[0].to}
	var whens []string
	for _, w := range passing {
		if w.verdict != reach.Unknown {
			out.verdict = reach.Depends
		}
		out.conns = out.conns.Union(w.conns)
		when := joinAnd(w.name, w.when)
		if !slices.Contains(whens, when) {
			whens = append(whens, when)
		}
	}
	out.when = listedOr(whens)
	out.steps = func() []Step { return worldSteps(worlds) }
	return out
}

// worldSteps traces one world for each verdict.
func worldSteps(worlds []world) []Step {
	var out []Step
	seen := map[reach.Verdict]bool{}
	for _, w := range worlds {
		if seen[w.verdict] || w.steps == nil {
			continue
		}
		seen[w.verdict] = true
		for _, s := range w.steps() {
			s.World = joinAnd(w.name, s.World)
			out = append(out, s)
		}
	}
	return out
}

func joinAnd(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return a + ", and " + b
}

// stricter reports whether one condition is another one and more.
func stricter(a, b string) bool {
	parts := strings.Split(a, ", and ")
	return a != b && !slices.ContainsFunc(strings.Split(b, ", and "), func(p string) bool { return !slices.Contains(parts, p) })
}

// maxWhens bounds how many conditions one answer spells out.
const maxWhens = 4

func listedOr(whens []string) string {
	whens = slices.DeleteFunc(slices.Clone(whens), func(w string) bool {
		return slices.ContainsFunc(whens, func(other string) bool { return stricter(w, other) })
	})
	if len(whens) > maxWhens {
		whens = append(slices.Clone(whens[:maxWhens]), "one of other conditions holds")
	}
	return strings.Join(whens, ", or ")
}

// route is one way a connection takes: policies of the source judge it on out, and it arrives at in.
type route struct {
	from, out, in     end
	outConns, inConns netset.Conns
	via               *end // a Service's address that the source connects to
	translated        bool // outConns and inConns are one port each, and not the same
	asked             netset.Conns
	as                *end      // what in takes from for, if not for itself
	open              bool      // in does not judge it
	at, inAt          placement // of from and out, and of in and what it takes from for
}

// direct is the route without a Service.
func (a *asker) direct(from, to end, conns netset.Conns) route {
	return route{from: from, out: to, in: to, outConns: conns, inConns: conns, asked: conns}
}

// try decides connections straight to an end.
func (a *asker) try(from, to end, conns netset.Conns) outcome {
	if own, ok := a.ownPod(from, to); ok {
		return own
	}
	return a.pass(a.direct(from, to, conns))
}

// ownPod answers for a pod that connects to itself, which no policy can deny.
func (a *asker) ownPod(from, to end) (outcome, bool) {
	if !from.single || !to.single || from.pod != to.pod {
		return outcome{}, false
	}
	a.note("a pod always reaches itself")
	return outcome{verdict: reach.Allowed, conns: a.conns}, true
}

// pass decides a route, in whichever IP family gets further.
func (a *asker) pass(r route) outcome {
	var tried []outcome
	tried = a.escaping(r)
	placed := a.placed(r)
	r = placed[0] // as far as nothing passes
	for _, f := range reach.Families {
		possible, exists := a.exist(r, f)
		if !possible {
			continue
		}
		for _, at := range placed {
			tried = append(tried, a.passIn(at, f, exists)...)
		}
	}
	out := anyOf(tried)
	out.from, out.to = r.from.name, r.in.name
	if tried == nil {
		out.steps = func() []Step { return []Step{a.deniedStep(r)} }
	}
	return out
}

// passIn decides a route in one family, between ends of which it is settled on which nodes they are, as far as it can be. It returns what passes.
func (a *asker) passIn(r route, f reach.Family, exists string) []outcome {
	var out []outcome
	for _, e := range a.side(r.from, r.out, r.at, f, policy.Egress, r.outConns) {
		for _, i := range a.entering(r, f) {
			conns := r.asked
			if !r.translated {
				if conns = e.conns.Intersect(i.conns); conns.IsEmpty() {
					continue
				}
			}
			o := outcome{verdict: weaker(e.verdict, i.verdict), when: joinAnd(exists, joinAnd(e.cond, i.cond)), conns: conns}
			if o.verdict > reach.Depends && o.when != "" {
				o.verdict = reach.Depends
			}
			o.steps = func() []Step { return []Step{a.step(r, f, conns)} }
			out = append(out, o)
		}
	}
	return out
}

// placed returns a route for each choice of nodes that its ends may be on.
func (a *asker) placed(r route) []route {
	var out []route
	for _, r.at = range a.placements(r.from, r.out) {
		ins := []placement{r.at}
		if r.as != nil || r.out.End != r.in.End {
			ins = a.placements(r.source(), r.in)
		}
		for _, r.inAt = range ins {
			out = append(out, r)
		}
	}
	return out
}

// source is what the destination takes the source for.
func (r route) source() end {
	if r.as != nil {
		return *r.as
	}
	return r.from
}

// entering returns what the policies of a route's destination let through.
func (a *asker) entering(r route, f reach.Family) []piece {
	if r.open {
		return []piece{{conns: r.inConns, verdict: reach.Allowed, because: notJudged}}
	}
	return a.side(r.in, r.source(), r.inAt, f, policy.Ingress, r.inConns)
}

const notJudged = "what enters through node ports is not judged"

// weaker joins the verdicts of two sides, neither of which denies.
func weaker(a, b reach.Verdict) reach.Verdict {
	if a == reach.Unknown || b == reach.Unknown {
		return reach.Unknown
	}
	return min(a, b)
}

var exists = [...]string{reach.IPv4: "pods have IPv4 addresses", reach.IPv6: "pods have IPv6 addresses"}

// exist says whether all ends of a route have addresses in a family: not at all, or if a condition holds.
func (a *asker) exist(r route, f reach.Family) (possible bool, cond string) {
	shown := false // an address itself shows that the family is in use
	ends := []end{r.from, r.out, r.in}
	if r.via != nil {
		ends = append(ends, *r.via)
	}
	for _, e := range ends {
		addr := e.claimed
		if e.Holder < 0 {
			addr = e.Addr
		}
		if addr.IsValid() {
			if familyOf(addr) != f {
				return false, ""
			}
			shown = true
			continue
		}
		switch a.p.Class(e.Holder).Addrs[f].State {
		case reach.NoAddr:
			return false, ""
		case reach.MayHave:
			cond = exists[f]
		}
	}
	if shown {
		cond = ""
	}
	return true, cond
}

func familyOf(a netip.Addr) reach.Family {
	if a.Is4() {
		return reach.IPv4
	}
	return reach.IPv6
}

// piece is what one side's policies say of some connections. What no piece holds is denied.
type piece struct {
	conns   netset.Conns
	verdict reach.Verdict
	cond    string
	by      []*policy.Rule
	because string // why it passes, where no rule lets it
}

// side returns what the policies of subject let through to or from peer. at is where both are, as far as they are on nodes.
func (a *asker) side(subject, peer end, at placement, f reach.Family, d policy.Direction, conns netset.Conns) []piece {
	if !a.isPods(subject) {
		return []piece{{conns: conns, verdict: reach.Allowed}}
	}
	if own, ok := a.ownNode(peer, at, d, conns); ok {
		return []piece{own}
	}
	var out []piece
	for _, b := range a.oneSided(subject.Holder, d) {
		switch {
		case peer.Holder >= 0 && !b.Region.IDs.Contains(a.p.ID(peer.Holder, f)), peer.Holder < 0 && !b.Region.Addrs.Contains(peer.Addr):
			continue
		}
		if both := b.Conns.Intersect(conns); !both.IsEmpty() {
			if v, cond := settle(b, peer.claimed, at); v != reach.Denied {
				out = append(out, piece{conns: both, verdict: v, cond: cond.String(), by: b.Rules()})
			}
		}
	}
	return out
}

// settle decides what was open in b for want of the other end's address and of the nodes, where these are known after all.
func settle(b reach.Box, claimed netip.Addr, at placement) (reach.Verdict, reach.Cond) {
	cond, never := settleAddr(b.Cond, claimed)
	if !never {
		cond, never = settleNode(cond, at)
	}
	return settled(b.Verdict, cond, never), cond
}

// settled is what a verdict becomes with its condition.
func settled(v reach.Verdict, cond reach.Cond, never bool) reach.Verdict {
	switch {
	case never:
		return reach.Denied
	case v == reach.Depends && cond.IsZero():
		return reach.Allowed
	}
	return v
}

// settleAddr decides what was open in cond for want of the other end's address; never, if it cannot hold.
func settleAddr(cond reach.Cond, claimed netip.Addr) (settled reach.Cond, never bool) {
	if !claimed.IsValid() || cond.Unjudged {
		return cond, false
	}
	var all []string
	for _, text := range cond.All {
		if text, never = settleDenied(text, claimed); never {
			return cond, true
		}
		if text != "" {
			all = append(all, text)
		}
	}
	cond.All = all
	open := !cond.Plan.IsEmpty() || cond.Names != nil || cond.Texts != nil
	if special.Plan.Contains(claimed) { // which is not public
		isPublic := func(text string) bool { return slices.Contains(strings.Split(text, ", and "), reach.PublicAddress) }
		if slices.ContainsFunc(cond.All, isPublic) {
			return cond, true
		}
		cond.Texts = slices.DeleteFunc(slices.Clone(cond.Texts), isPublic)
	}
	inPlan := cond.Plan.Contains(claimed)
	cond.Plan = netset.Addrs{}
	if inPlan {
		cond.Names, cond.Texts = nil, nil
		return cond, false
	}
	if len(cond.Texts) == 0 {
		cond.Texts = nil
		return cond, open && cond.Names == nil
	}
	return cond, false
}

func (a *asker) oneSided(class int, d policy.Direction) []reach.Box {
	key := sideKey{class, d}
	boxes, ok := a.sides[key]
	if !ok {
		boxes = a.p.OneSided(class, d)
		a.sides[key] = boxes
	}
	return boxes
}
