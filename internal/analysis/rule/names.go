package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/analysis/blast"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// namesOf returns the names that a rule allows.
func namesOf(r *policy.Rule) []netset.Name {
	var out []netset.Name
	for _, peer := range r.Peers {
		if peer.Name != "" && r.Action == policy.Allow {
			out = append(out, peer.Name)
		}
	}
	return out
}

// unseenNames reports rules by name where the plugin sees no answer of a resolver to the server, or
// none for that name.
func unseenNames(p *Pass) {
	rules := p.rulesOn(policy.Egress)
	var asked []netset.Name // what rules for DNS queries that lead to a resolver allow
	inspects := false
	for _, r := range rules {
		if r.Action != policy.Allow || r.DNS == nil {
			continue
		}
		inspects = true
		if !selectsPods(r) || slices.ContainsFunc(p.Radius.To[blast.DNS].To, func(t blast.Target) bool { return decides(r, t.By) }) {
			asked = append(asked, r.DNS...)
		}
	}
	for _, r := range rules {
		names := slices.DeleteFunc(namesOf(r), func(n netset.Name) bool {
			return slices.ContainsFunc(asked, func(a netset.Name) bool { _, ok := n.Meet(a); return ok })
		})
		if len(names) == 0 {
			continue
		}
		why := "no rule lets the plugin see the answers to its DNS queries, so the address is never known"
		switch {
		case asked != nil:
			why = "none of its rules for DNS queries allows to ask for that, so the address is never known"
		case inspects:
			why = "its rules for DNS queries lead to no resolver, so the address is never known"
		}
		texts := make([]string, len(names))
		for i, n := range names {
			texts[i] = string(n)
		}
		w := &finding.Witness{To: texts[0], Port: 443, Protocol: netset.TCP.String()}
		if names[0].IsEvery() {
			w.To = "any host"
		}
		for _, proto := range netset.Protocols {
			if ports := written(r).Of(proto); !ports.IsEmpty() && !ports.Contains(443) {
				w.Port, w.Protocol = int(ports.First()), proto.String()
				break
			}
		}
		p.Found(Report{Origin: r.Origin, Witness: w, Message: fmt.Sprintf("%s allows it to connect to %s by name, and %s", ruleText(r), some(texts), why),
			Fix: "add to the egress rule for the resolver, on port 53, toPorts rules: {dns: [...]} with the names it may ask for"})
	}
}

// hosting lists domains below which anybody gets a name: a few of the private section of the public
// suffix list (publicsuffix.org), and those of object stores.
var hosting = []string{
	"amazonaws.com", "app.github.dev", "appspot.com", "azureedge.net", "azurefd.net", "azurewebsites.net", "cloudapp.azure.com", "cloudapp.net",
	"cloudfront.net", "core.windows.net", "digitaloceanspaces.com", "firebaseapp.com", "fly.dev", "github.io", "gitlab.io", "googleusercontent.com",
	"herokuapp.com", "netlify.app", "ngrok-free.app", "ngrok.app", "ngrok.io", "onrender.com", "pages.dev", "r2.dev", "run.app",
	"storage.googleapis.com", "trycloudflare.com", "vercel.app", "web.app", "workers.dev",
}

// shared are second levels below which countries register domains.
var shared = []string{"ac", "co", "com", "edu", "gov", "net", "ne", "or", "org"}

// ambiguousNames reports patterns of names, those of one rule that err alike together.
func ambiguousNames(p *Pass) {
	for _, r := range p.rulesOn(policy.Egress) {
		if r.Action != policy.Allow {
			continue
		}
		kinds := map[pattern][]string{}
		for _, n := range namesOf(r) {
			kinds[patternOf(n)] = append(kinds[patternOf(n)], string(n))
		}
		for kind := pattern(1); kind < patterns; kind++ {
			if names := kinds[kind]; names != nil {
				slices.Sort(names)
				p.patternFound(r, kind, slices.Compact(names))
			}
		}
	}
}

// pattern is what is to be said of a pattern of names. The zero value is nothing.
type pattern uint8

const (
	plain     pattern = iota
	everyName         // all of them
	anybodys          // some fit that anybody can have
	oneLabel          // one label before a domain
	anyDepth          // one or more
	patterns
)

// patternOf classifies a pattern in the canonical form.
func patternOf(n netset.Name) pattern {
	if n.IsEvery() {
		return everyName
	}
	first, rest, _ := strings.Cut(string(n), ".")
	labels := strings.Split(string(n), ".")
	owned := min(2, len(labels)) // how many labels make a domain that somebody registered
	if len(labels) > 2 && len(labels[len(labels)-1]) == 2 && slices.Contains(shared, labels[len(labels)-2]) {
		owned = 3
	}
	below := slices.ContainsFunc(hosting, func(domain string) bool { return rest == domain })
	switch {
	case strings.Contains(strings.Join(labels[len(labels)-owned:], "."), "*"), below && strings.Contains(first, "*"):
		return anybodys
	case first == "*":
		return oneLabel
	case first == "**":
		return anyDepth
	}
	return plain
}

func (p *Pass) patternFound(r *policy.Rule, kind pattern, names []string) {
	domain := names[0][strings.Index(names[0], ".")+1:]
	var what, fix string
	to := "a.b." + domain
	switch kind {
	case everyName:
		what, fix, to = "every name there is, so any address whose name the server can be made to ask for", "name the hosts it needs with matchName", "a host that an attacker has named"
	case anybodys:
		what, fix = "names that anybody can register", "name the hosts it needs with matchName, or put the star before a dot and a domain that one owner has"
		to = strings.ReplaceAll(strings.ReplaceAll(names[0], "**", "attacker"), "*", "attacker")
	case oneLabel:
		what = fmt.Sprintf("one label before the domain: not a.b.%s, which it matches on other engines, and not %[1]s itself", domain)
		fix = fmt.Sprintf("name the hosts with matchName; if deeper names are meant, write **.%s, and a matchName for %[1]s itself", domain)
	case anyDepth:
		what = fmt.Sprintf("names of any depth and not %s itself, and other engines do not know the form", domain)
		fix, to = fmt.Sprintf("name the hosts with matchName; if %s is meant too, give it a matchName", domain), domain
	}
	p.Found(Report{Origin: r.Origin, Witness: &finding.Witness{To: to}, Fix: fix,
		Message: fmt.Sprintf("%s allows %s, which matches %s", ruleText(r), some(names), what)})
}
