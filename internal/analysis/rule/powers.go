package rule

import (
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
)

const podSecurity = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"

// powerRules judge what lets a server's processes past the policies that select its pods.
var powerRules = []Rule{{
	ID: "TM111", Title: "The server can get past network policy", Severity: finding.High, Since: "0.2",
	Why: "A policy holds on the pod's own network. A privileged container, or one with SYS_ADMIN or SYS_MODULE, can use and change the network of its node; " +
		"NET_ADMIN changes the addresses, routes and firewall of the pod, NET_RAW sends packets from forged addresses; hostPID and hostIPC lead to the processes of the node, which no policy holds.",
	Bad:        "securityContext: {privileged: true}, capabilities: {add: [NET_ADMIN]}, hostPID: true",
	Good:       "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}",
	References: []string{podSecurity, "https://man7.org/linux/man-pages/man7/capabilities.7.html"},
	Server:     powers,
}}

// evasions says what each power is good for. The capabilities that are not here do nothing to a
// network.
var evasions = []struct {
	name, lets, fix string
	severity        finding.Severity
}{
	{"privileged", "use and change its node's own network, where no policy of the pod holds", "drop privileged: true", finding.High},
	{"hostProcess", "use its node's own network, where no policy of the pod holds", "drop hostProcess: true", finding.High},
	{"ALL", "use and change its node's own network, where no policy of the pod holds", "drop all capabilities instead of adding them", finding.High},
	{"SYS_ADMIN", "enter other network namespaces, where no policy of the pod holds", "drop it from capabilities.add", finding.High},
	{"SYS_MODULE", "load kernel modules, which no policy holds", "drop it from capabilities.add", finding.High},
	{"NET_ADMIN", "change the pod's addresses, routes and firewall, which policies and meshes rely on", "drop it from capabilities.add", finding.High},
	{"hostPID", "see the processes of its node, whose network no policy of the pod holds", "drop hostPID: true", finding.High},
	{"hostIPC", "share memory with the processes of its node, whose network no policy of the pod holds", "drop hostIPC: true", finding.High},
	// Most container runtimes give it to every container that does not drop it.
	{"NET_RAW", "send packets from addresses of others, which not every CNI stops", "drop it: capabilities: {drop: [ALL]}", finding.Medium},
}

// powers reports what lets the server's processes past policy. What a container has that runs before
// the server is one step less severe: it ends before anybody calls.
func powers(p *Pass) {
	given := p.Workload.Powers
	for _, e := range evasions {
		var names []string
		r := Report{Fix: e.fix}
		unread, before := true, true
		for _, w := range given {
			if w.Name != e.name || implied(given, w) {
				continue
			}
			name, severity := "its pods", e.severity
			switch {
			case w.Init:
				name, severity = "init container "+w.Container, min(severity, finding.Medium)
			case w.Container != "":
				name = "container " + w.Container
			}
			names, r.Severity = append(names, name), max(r.Severity, severity)
			if r.Origin.IsZero() {
				r.Origin = w.Origin
			}
			unread, before = unread && w.Unread, before && w.Init
		}
		if names == nil {
			continue
		}
		lets, when := " lets the server ", ""
		if unread {
			lets = ", whose value could not be read, may let the server "
		}
		if before {
			when = ", before it starts"
		}
		r.Message = fmt.Sprintf("%s of %s%s%s%s", e.name, some(distinct(names)), lets, e.lets, when)
		p.Found(r)
	}
}

// implied reports whether the container of a power has another that holds all of it.
func implied(given []model.Power, w model.Power) bool {
	rank := func(name string) int { return (slices.Index([]string{"privileged", "ALL"}, name) + 3) % 3 } // 0, 1, and 2 for the rest
	return w.Container != "" && w.Name != "hostProcess" && slices.ContainsFunc(given, func(o model.Power) bool {
		return o.Container == w.Container && !o.Unread && rank(o.Name) < rank(w.Name)
	})
}
