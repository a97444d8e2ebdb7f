package facts

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// Entry is one exception of a block that is everything.
type Entry struct {
	CIDR netip.Prefix
	Of   netip.Prefix // 0.0.0.0/0 or ::/0
	Note string       // what it is; where it joins several ranges, each of them
}

var everywhere = [...]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// Except returns what a policy that allows everything else has to leave out: f's ranges and the
// cloud's credential endpoints, or those of all clouds where f does not know which one it is.
// Ranges are joined only where the whole is exactly its parts, and then the note names every part.
func Except(f model.Facts) []Entry {
	var parts []model.Range
	for _, name := range exceptOrder {
		for _, r := range *field(&f.Ranges, name) {
			if r.CIDR.Bits() > 0 {
				parts = append(parts, r)
			}
		}
	}
	parts = append(parts, credentials(f)...)
	slices.SortStableFunc(parts, func(a, b model.Range) int {
		return cmp.Or(a.CIDR.Addr().Compare(b.CIDR.Addr()), a.CIDR.Bits()-b.CIDR.Bits())
	})
	var out []Entry
	for _, whole := range netset.CIDRs(space(parts)) {
		n := slices.IndexFunc(parts, func(r model.Range) bool { return !whole.Contains(r.CIDR.Addr()) })
		if n < 0 {
			n = len(parts)
		}
		out = append(out, entries(whole, parts[:n])...)
		parts = parts[n:]
	}
	return out
}

// exceptOrder is the order in which a note names ranges that are the same.
var exceptOrder = []string{fieldNodes, fieldControlPlane, fieldPods, fieldServices, fieldVPC, fieldRemote}

// entries makes the entry for a whole, or one for each part where the whole is everything, which is
// no exception.
func entries(whole netip.Prefix, list []model.Range) []Entry {
	of := everywhere[0]
	if whole.Addr().Is6() {
		of = everywhere[1]
	}
	var same, inside []model.Range
	for _, r := range list {
		if r.CIDR == whole {
			same = append(same, r)
		} else {
			inside = append(inside, r)
		}
	}
	if whole.Bits() == 0 {
		var out []Entry
		for _, r := range inside {
			out = append(out, Entry{r.CIDR, of, r.Source})
		}
		return out
	}
	var notes []string
	for _, r := range slices.Compact(same) {
		notes = append(notes, r.Source)
	}
	lead := "with "
	if len(same) == 0 {
		lead = "joins "
	}
	for _, r := range slices.Compact(inside) {
		notes = append(notes, lead+r.CIDR.String()+" "+r.Source)
		lead = ""
	}
	return []Entry{{whole, of, strings.Join(notes, "; ")}}
}

// credentials returns the credential endpoints of f's cloud, or of all where that is not sure.
func credentials(f model.Facts) []model.Range {
	var out []model.Range
	for _, e := range special.Endpoints {
		if e.Kind != special.Credential {
			continue
		}
		for _, a := range e.Addrs {
			if !in(out, a) && (f.Cloud == "" || !f.Known(fieldCloud) || e.In(f.Cloud) || special.MetadataIPv4.Contains(a)) {
				out = append(out, host(a, "credentials: "+e.Name))
			}
		}
	}
	return out
}

// Opening is a rule that has to stand beside one with f's exceptions, or something that pods need
// is cut off.
type Opening struct {
	CIDR  netip.Prefix
	Conns netset.Conns
	All   bool   // every pod needs it; else those that get an identity of the cloud
	Why   string // what is cut off otherwise
	Host  bool   // the plugin matches it by no ipBlock: it is on the node, which Cilium's entity host stands for
}

// Openings returns the rules that exceptions call for. A policy's rules add up, so that each opens
// its ports alone and leaves the rest of the address closed.
func Openings(f model.Facts) []Opening {
	except := Except(f)
	left := func(a netip.Addr) bool {
		return slices.ContainsFunc(except, func(e Entry) bool { return e.CIDR.Contains(a) })
	}
	var out []Opening
	for _, r := range f.DNS.Resolvers {
		selected := func(s model.Resolver) bool { return s.Namespace != "" && s.Source == r.Source }
		if r.Addr.IsValid() && left(r.Addr) && !slices.ContainsFunc(f.DNS.Resolvers, selected) {
			ports := netset.Points(netset.Port(r.Port))
			out = append(out, Opening{host(r.Addr, "").CIDR, netset.ConnsOf(netset.UDP, ports).Union(netset.ConnsOf(netset.TCP, ports)), true, "the pods' DNS resolver, " + r.Source, onNode(f, r.Addr)})
		}
	}
	if f.Identity != model.GKEWorkloadIdentity && f.Identity != model.EKSPodIdentity {
		return out
	}
	for _, i := range special.Identities {
		if !i.Under(f.CNI, f.Cloud) && (f.CNI != "" || i.Cloud != f.Cloud) {
			continue
		}
		for _, a := range i.Addrs {
			if left(a) {
				out = append(out, Opening{host(a, "").CIDR, i.Conns, false, i.Name, onNode(f, a)})
			}
		}
	}
	return out
}

// onNode reports whether the plugin matches an address by no block, because the node answers at it:
// cilium issue 34387.
func onNode(f model.Facts, a netip.Addr) bool {
	return strings.HasPrefix(f.CNI, "cilium") && special.OnNode.Contains(a)
}

// WriteExcept returns f's exceptions as YAML list items with a comment each, those of 0.0.0.0/0
// first, and as comments what is unknown, and so may be missing, and what has to stand beside them.
func WriteExcept(f model.Facts) []byte {
	var w bytes.Buffer
	writeUnknown(&w, f)
	entries, openings := Except(f), Openings(f)
	for _, of := range everywhere {
		any := false
		for _, e := range entries {
			if e.Of != of {
				continue
			}
			if !any {
				fmt.Fprintf(&w, "# except of %s\n", of)
				any = true
			}
			fmt.Fprintf(&w, "- %s  # %s\n", e.CIDR, e.Note)
		}
		for _, o := range openings {
			if o.CIDR.Addr().Is4() != of.Addr().Is4() {
				continue
			}
			who := "pods with an identity of their own need"
			if o.All {
				who = "every pod needs"
			}
			fmt.Fprintf(&w, "# %s %s: %s; allow it in a rule of its own", who, o.CIDR.Addr(), o.Why)
			if o.Host {
				fmt.Fprintf(&w, ", which has to be a CiliumNetworkPolicy's:\n#   - toEntities: [host]\n#     toPorts: [{ports: [%s]}]\n", quotedPorts(o.Conns))
			} else {
				fmt.Fprintf(&w, ":\n#   - to: [{ipBlock: {cidr: %s}}]\n#     ports: [%s]\n", o.CIDR, ports(o.Conns))
			}
		}
	}
	return w.Bytes()
}

// ports writes connections as the ports of a rule, each on its own: not every plugin reads endPort.
func ports(c netset.Conns) string { return eachPort(c, "{protocol: %s, port: %d}") }

// quotedPorts writes them as Cilium has it.
func quotedPorts(c netset.Conns) string { return eachPort(c, "{protocol: %s, port: \"%d\"}") }

func eachPort(c netset.Conns, format string) string {
	var out []string
	for _, p := range []netset.Protocol{netset.UDP, netset.TCP} {
		for r := range c.Of(p).Runs() {
			for n := int(r.Lo); n <= int(r.Hi); n++ {
				out = append(out, fmt.Sprintf(format, p, n))
			}
		}
	}
	return strings.Join(out, ", ")
}
