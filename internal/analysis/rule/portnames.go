package rule

import (
	"fmt"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
)

// portNameRules judge rules that name ports instead of numbering them.
var portNameRules = []Rule{{
	ID: "TM418", Title: "A port name has several numbers", Severity: finding.Medium, Since: "0.2",
	Why: "A rule may call a port by the name that pods give it. Cilium before 1.20 looks the name of an egress rule up in the whole cluster, and drops it if pods disagree on the number: " +
		"the rule then lets nothing through. Where containers of one pod disagree, it depends on the CNI which number counts.",
	Bad:        "egress on port: mcp, which one server's pods number 3000 and another's 8080",
	Good:       "ports: [{port: 3000}, {port: 8080}]",
	References: []string{"https://github.com/cilium/cilium/pull/45760", "https://github.com/cilium/cilium/issues/30003"},
	Input:      portNames,
}}

// portNames reports the port names of rules about MCP workloads that stand for several numbers.
func portNames(o *Overall) {
	shared, _ := o.Answering(cni.PortNamesShared)
	each, _ := o.Answering(cni.PortNamesOfAll)
	for i := range o.Snapshot.Policies {
		for j := range o.Snapshot.Policies[i].Rules {
			r := &o.Snapshot.Policies[i].Rules[j]
			if r.Action != policy.Allow {
				continue
			}
			for _, port := range r.Ports {
				if port.Name == "" {
					continue
				}
				switch numbers := o.SharedNumbers(port.Protocol, port.Name); {
				case r.Dir == policy.Ingress:
					o.ownNumbers(r, port)
				case len(numbers) > 1 && shared&^each != 0 && o.aboutMCP(r) != nil:
					o.Found(Report{Origin: r.Origin, Worlds: shared &^ each, Fix: "write the numbers: ports: [" + numbered(numbers) + "]",
						Message: fmt.Sprintf("%s allows the port name %s, which pods of the cluster give to %s: Cilium before 1.20 drops a name with several numbers, so that it allows nothing",
							ruleText(r), port.Name, portList(numbers))})
				}
			}
		}
	}
}

// ownNumbers reports a port name of an ingress rule to which containers of one pod give several
// numbers.
func (o *Overall) ownNumbers(r *policy.Rule, port policy.Port) {
	for _, class := range o.aboutMCP(r) {
		numbers := o.NumbersOf(class, port.Protocol, port.Name)
		if len(numbers) < 2 {
			continue
		}
		w := &o.Snapshot.Workloads[o.Class(class).Members[0].Workload]
		o.Found(Report{Origin: r.Origin, Fix: "write the number that the server listens on, or give each port a name of its own",
			Message: fmt.Sprintf("%s allows the port name %s, which containers of %s/%s give to %s: it depends on the CNI which of them counts",
				ruleText(r), port.Name, w.Namespace, w.Name, portList(numbers))})
		return
	}
}

// aboutMCP returns the classes of MCP servers, gateways and agents that a rule may be about.
func (o *Overall) aboutMCP(r *policy.Rule) []int {
	return only(o.Selected(r.Subject), func(class int) bool { return o.Role(class) != model.NoRole })
}

func portList(ports []netset.Port) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = fmt.Sprint(p)
	}
	last := len(out) - 1
	return strings.Join(out[:last], ", ") + " and " + out[last]
}

func numbered(ports []netset.Port) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = fmt.Sprintf("{port: %d}", p)
	}
	return strings.Join(out, ", ")
}
