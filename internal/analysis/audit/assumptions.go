package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
)

// Assumptions lists what the verdicts rest on besides the input, in sentences, the network plugin
// first.
func Assumptions(p *reach.Program) []string {
	plugin, versions := plugins(p.Profiles())
	out := []string{plugin}
	if plan := p.Unplaced(); plan != "" {
		out = append(out, plan)
	}
	if versions != "" {
		out = append(out, versions)
	}
	if unknown := notLearned(&p.Snapshot.Facts); unknown != "" {
		out = append(out, unknown)
	}
	if names := exactNames(p.Snapshot); names != nil {
		out = append(out, "host names that policies allow resolve to addresses of the internet, outside of private and special ranges: "+listed(names))
	}
	out = append(out, "only TCP, UDP and SCTP are judged; ICMP and other protocols are not",
		"a pod's own node (kubelet, port-forward, hostNetwork pods beside it) can always connect to it, and some plugins let it connect to its own node in spite of policies",
		"the ways in from outside are Services, hostPorts, Ingress and Gateway API routes; routes of other kinds are not read")
	if yes, maybe := p.Answering(cni.JudgedBeforeService); yes|maybe != 0 {
		out = append(out, "no Service leads to pods but those that the input shows: on "+either(p.In(yes|maybe).Names())+" a block with the address of another one would open the pods behind it")
	}
	if bare := uncontrolled(p); bare != "" {
		out = append(out, bare)
	}
	if open := undeclared(p.Snapshot); open != "" {
		out = append(out, open)
	}
	return append(out, leftOut(p)...)
}

// notLearned says what of the cluster was asked for and is not known, so that answers allow for it;
// "" if nothing was asked for.
func notLearned(f *model.Facts) string {
	var what []string
	for _, u := range f.Unknown {
		if name := u.What; !slices.Contains(what, name) {
			what = append(what, name)
		}
	}
	if what == nil {
		return ""
	}
	return "of the cluster is not, or not wholly, known: " + strings.Join(what, ", ") + "; toolmoat cidrs says why"
}

// few is up to how many plugins a sentence names.
const few = 4

// plugins says which network plugin is taken to run and that it enforces policies, and what is
// known of it was read from.
func plugins(profiles []cni.Profile) (plugin, from string) {
	var enforcing, idle, versions []string
	for _, p := range profiles {
		if p.Says(cni.Enforces) == cni.No {
			idle = append(idle, p.Name)
			continue
		}
		enforcing = append(enforcing, p.Name)
		versions = append(versions, fmt.Sprintf("%s (%s)", p.Name, p.Version))
	}
	switch {
	case len(enforcing) == 0:
	case len(enforcing) == 1 && enforcing[0] == cni.Spec:
		plugin = fmt.Sprintf("policies mean what %s says (--cni %s), and a network plugin enforces them", title(profiles, cni.Spec), cni.Spec)
	case len(enforcing) == 1:
		plugin = fmt.Sprintf("the network plugin is %s (--cni %s), and it enforces the policies", title(profiles, enforcing[0]), enforcing[0])
	case len(enforcing) <= few:
		plugin = "the network plugin is " + either(enforcing) + ", and it enforces the policies"
	default:
		plugin = fmt.Sprintf("one of %d network plugins runs and enforces the policies; --cni NAME says which", len(enforcing))
	}
	if idle != nil {
		plugin = strings.TrimPrefix(plugin+"; with --cni "+either(idle)+" nothing enforces policies", "; ")
	}
	if len(enforcing) > 0 {
		from = "what plugins do was read from these versions: " + strings.Join(versions, "; ")
	}
	return plugin, from
}

func title(profiles []cni.Profile, name string) string {
	return profiles[slices.IndexFunc(profiles, func(p cni.Profile) bool { return p.Name == name })].Title
}

// either joins names with "or".
func either(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// exactNames lists the host names that rules allow, patterns of names left out.
func exactNames(s *model.Snapshot) []string {
	found := map[string]bool{}
	for i := range s.Policies {
		for _, r := range s.Policies[i].Rules {
			for _, peer := range r.Peers {
				if r.Action == policy.Allow && peer.Name != "" && peer.Name.IsExact() && reach.PublicName(peer.Name) {
					found[string(peer.Name)] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// leftOut says what was not judged because somebody or something said so, or because its kind is
// not known here or to every plugin.
func leftOut(p *reach.Program) []string {
	s := p.Snapshot
	var out, spared, gateways []string
	for i := range s.Workloads {
		if w := &s.Workloads[i]; strings.EqualFold(w.Annotations["toolmoat.dev/server"], "false") {
			spared = append(spared, w.Namespace+"/"+w.Name)
		}
	}
	for _, srv := range s.Servers {
		if srv.Role == model.IsGateway {
			gateways = append(gateways, s.Workloads[srv.Workload].Namespace+"/"+s.Workloads[srv.Workload].Name)
		}
	}
	if spared != nil {
		out = append(out, "not MCP servers, as their annotation says: "+listed(spared))
	}
	if gateways != nil {
		out = append(out, "taken for MCP gateways: "+listed(gateways))
	}
	out = append(out, ignored(p)...)
	if n := s.Counts.Excluded; n > 0 {
		out = append(out, fmt.Sprintf("files left out by --exclude: %d", n))
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(s.Counts.IgnoredKinds)) {
		kinds = append(kinds, fmt.Sprintf("%s (%d)", kind, s.Counts.IgnoredKinds[kind]))
	}
	if kinds != nil {
		out = append(out, "nothing was read from objects of other kinds, nor from what controllers make of them: "+listed(kinds))
	}
	return out
}

// ignored says which kinds of policy in the input have no effect on which plugins.
func ignored(p *reach.Program) []string {
	found := map[policy.Dialect]bool{}
	for i := range p.Snapshot.Policies {
		if d := p.Snapshot.Policies[i].Dialect; d != "" {
			found[d] = true
		}
	}
	var out []string
	for _, d := range slices.Sorted(maps.Keys(found)) {
		yes, maybe := p.Judging(string(d))
		if none := p.Worlds() &^ (yes | maybe); none != 0 {
			_, kind, _ := strings.Cut(string(d), " ")
			out = append(out, kind+" has no effect on "+strings.Join(p.In(none).Names(), ", "))
		}
	}
	return out
}

// listed names the first few.
func listed(names []string) string {
	const most = 8
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}

func undeclared(s *model.Snapshot) string {
	var names []string
	for _, ns := range s.Namespaces {
		if ns.Labels.IsOpen() {
			names = append(names, ns.Name)
		}
	}
	if names == nil {
		return ""
	}
	return "nothing is known of the labels of namespaces without a Namespace object: " + listed(names)
}

// uncontrolled names the servers that are pods without a controller, where a plugin in AWS may run:
// EKS documents that it applies policies to pods that a controller made (EKS documentation,
// cni-network-policy).
func uncontrolled(p *reach.Program) string {
	if !slices.ContainsFunc(p.Profiles(), func(profile cni.Profile) bool { return profile.Cloud == "AWS" }) {
		return ""
	}
	var names []string
	for _, srv := range p.Snapshot.Servers {
		if w := &p.Snapshot.Workloads[srv.Workload]; w.Kind == "Pod" {
			names = append(names, w.Namespace+"/"+w.Name)
		}
	}
	if names == nil {
		return ""
	}
	return "on EKS policies apply to pods without a controller too, which its documentation does not promise: " + listed(names)
}
