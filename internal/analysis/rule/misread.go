package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// misreading is a way in which a policy's rule does not do what its author means, because the CNI
// answers a question otherwise than the author thinks. To add one, add a row to misreadings.
//
// A row compares what the rule means with what the server reaches. It does not compare two answers
// to the question: most answers are settled by the CNI, and an input may be judged under one alone.
type misreading struct {
	id       string // of the rule that reports it
	question cni.Question
	answer   cni.Answer // which the author does not expect; uncertain if the ends say under which CNIs
	dir      policy.Direction
	severity finding.Severity // incomplete for the rule's own
	last     bool             // says nothing where a row above has reported the policy's rule

	// ends returns whom an allow rule means, as far as they are denied or reached in another way.
	ends func(*Pass, *policy.Rule, reading) []end

	says, fix string // with the words in braces of [Pass.misreads]
}

// end is whom a rule means. Ends with the same ports and class are one finding.
type end struct {
	names        []string
	more         string       // what else the words say of it
	port, target netset.Port  // of a Service and of its pods, if the words name them
	class        int          // of the server, if its classes are findings of their own
	worlds       reach.Worlds // zero for all CNIs of the reading
	witness      *finding.Witness
}

// reading is the CNIs that give an answer, and what their blocks do not match, if that is the
// question.
type reading struct {
	worlds      reach.Worlds
	pods, nodes bool
}

func (in reading) String() string {
	switch {
	case in.pods && in.nodes:
		return "pods or nodes"
	case in.pods:
		return "pods"
	}
	return "nodes"
}

var misreadings = []misreading{{
	id: "TM401", question: cni.BlocksMatchPods, answer: cni.No, dir: policy.Egress, ends: resolversInBlocks,
	says: "{rule} allows {blocks}, which matches no pods here, and no other rule lets it reach the cluster's resolver pods: names resolve only where something else answers",
	fix:  "add an egress rule on UDP and TCP 53 to the resolver pods by selectors (kube-system, k8s-app: kube-dns on most distributions), and one by selectors for each Service it calls",
}, {
	id: "TM401", question: cni.BlocksMatchPods, answer: cni.No, dir: policy.Egress, severity: finding.Medium, last: true, ends: heldInBlocks,
	says: "{rule} allows {blocks}, which matches no {kinds} here, so it cannot reach {who}",
	fix:  "name its pods by selectors{more}, where it means those",
}, {
	id: "TM401", question: cni.JudgedBeforeService, answer: cni.No, dir: policy.Egress, severity: finding.Medium, last: true, ends: servicesInBlocks,
	says: "{rule} allows {blocks}, with the address of Service {who}, and connections to a Service are judged on its pods here, which no rule lets it reach",
	fix:  "allow the pods behind the Service by selectors, on the ports they listen on",
}, {
	id: "TM401", question: cni.BlocksMatchPods, answer: cni.No, dir: policy.Ingress, severity: finding.Medium, ends: gatewaysInBlocks,
	says: "{rule} allows {blocks}, which matches no pods here, so gateway {who} cannot connect to it",
	fix:  "name the gateway's pods by selectors in {rule}",
}, {
	id: "TM409", question: cni.JudgedBeforeService, answer: cni.Yes, dir: policy.Egress, ends: throughServices,
	says: "it {more} the pods behind Service {who} through its address, and not directly: {rule} is judged on the address of the Service{if}",
	fix:  "put the Services' range under except beside the pods' range; where a rule names no peers, name the pods that are meant",
}, {
	id: "TM409", question: cni.JudgedBeforeService, answer: cni.Yes, dir: policy.Egress, ends: pastServices,
	says: "{rule} lets it reach the pods behind Service {who} by their own addresses, and not through the Service, on whose address it is judged",
	fix:  "select the pods with namespaceSelector and podSelector, which adds the addresses of their Services, or allow the Services' range on the Services' ports",
}, {
	id: "TM417", dir: policy.Egress, ends: portOfService,
	says: "{rule} names port {port} of Service {who}, whose pods listen on {target}: it cannot connect to them",
	fix:  "write {target}, the port of the pods, in {rule}",
}, {
	id: "TM417", dir: policy.Ingress, ends: portOfOwnService,
	says: "{rule} names port {port} of Service {who}, and the server listens on {target}: who calls it through the Service is denied",
	fix:  "write {target}, the port of the server, in {rule}",
}}

// misread returns what reports the misreadings of one rule.
func misread(id string) func(*Pass) {
	return func(p *Pass) {
		said := map[*policy.Rule]reach.Worlds{}
		for _, m := range misreadings {
			if m.id != id {
				continue
			}
			if _, by := p.isolated(m.dir); len(by) == 0 {
				continue
			}
			for _, in := range p.readings(m.question, m.answer) {
				for _, r := range p.rulesOn(m.dir) {
					left := in
					if m.last {
						left.worlds &^= said[r]
					}
					if r.Action != policy.Allow || left.worlds == 0 {
						continue
					}
					if ends := m.ends(p, r, left); len(ends) > 0 {
						said[r] |= left.worlds
						p.misreads(m, r, left, ends)
					}
				}
			}
		}
	}
}

// readings returns the CNIs that give an answer, parted by what their blocks do not match.
func (p *Pass) readings(q cni.Question, answer cni.Answer) []reading {
	saying := func(q cni.Question) reach.Worlds {
		switch yes, maybe := p.Answering(q); answer {
		case cni.Yes:
			return yes
		case cni.No:
			return p.Worlds() &^ (yes | maybe)
		}
		return p.Worlds()
	}
	all := []reading{{worlds: saying(q)}}
	if q == cni.BlocksMatchPods {
		pods, nodes := saying(q), saying(cni.BlocksMatchNodes)
		all = []reading{{pods & nodes, true, true}, {pods &^ nodes, true, false}, {nodes &^ pods, false, true}}
	}
	return slices.DeleteFunc(all, func(in reading) bool { return in.worlds == 0 })
}

// misreads reports the ends of one rule, those that the words name together in one finding.
func (p *Pass) misreads(m misreading, r *policy.Rule, in reading, ends []end) {
	for len(ends) > 0 {
		first := ends[0]
		var names []string
		ends = slices.DeleteFunc(ends, func(e end) bool {
			same := e.port == first.port && e.target == first.target && e.class == first.class
			if same {
				names = append(names, e.names...)
			}
			return same
		})
		if first.worlds == 0 {
			first.worlds = in.worlds
		}
		words := strings.NewReplacer("{rule}", ruleText(r), "{blocks}", blocksText(r), "{kinds}", in.String(), "{who}", some(distinct(names)), "{more}", first.more,
			"{if}", ifSo(first.witness.World), "{port}", fmt.Sprint(first.port), "{target}", fmt.Sprint(first.target))
		p.Found(Report{Severity: m.severity, Origin: r.Origin, Worlds: first.worlds, Witness: first.witness, Message: words.Replace(m.says), Fix: words.Replace(m.fix)})
	}
}
