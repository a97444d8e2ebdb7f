// Package facts learns what is known of one cluster from answers of clouds and of its own API:
// ranges, DNS, network plugin, cloud, identities.
//
// [Of] is a pure function of those answers, whether a user saved them or a command just asked for
// them; a document is recognised by what it holds, never by the name of its file. It is strict:
// what the answers do not settle is in Facts.Unknown, with what to ask, and a list of ranges that
// is not named there is whole. Formats are those of gcloud, aws, az and kubectl, of the REST
// interfaces behind them, and of the SDKs' values as JSON.
package facts

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/input/doc"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// The fields of Facts that Unknown names.
const (
	fieldNodes        = "ranges.nodes"
	fieldPods         = "ranges.pods"
	fieldServices     = "ranges.services"
	fieldControlPlane = "ranges.controlPlane"
	fieldVPC          = "ranges.vpc"
	fieldRemote       = "ranges.remote"
	fieldDNS          = "dns"
	fieldKubeAPI      = "kubeAPI"
	fieldCNI          = "cni"
	fieldCloud        = "cloud"
	fieldIdentity     = "identity"
)

// Fields lists what Unknown may name.
var Fields = []string{fieldCloud, fieldCNI, fieldNodes, fieldPods, fieldServices, fieldControlPlane, fieldVPC, fieldRemote, fieldDNS, fieldKubeAPI, fieldIdentity}

// Of puts together what files say of one cluster. A problem is a document that could not be read or
// recognised, or that contradicts another.
func Of(files ...source.File) (model.Facts, []finding.Problem) {
	b := build(files)
	return b.Facts, append(b.problems, b.idle...)
}

// Needs lists the answers that would complete what files say, in order. Each may need others in its
// turn: ask again with it.
func Needs(files ...source.File) []Need { return build(files).needs }

// builder is Facts in the making.
type builder struct {
	model.Facts
	*reading
	known map[string]bool // fields that some document settles
	needs []Need
	seen  map[any]bool   // values of Unknown, needs, resolvers and endpoints that are in their lists
	more  map[string]int // how much more is unknown of a field than its share of Unknown
	named map[string]int // how much of Unknown is about a field
}

// maxUnknown is how many entries of Unknown one field gets, and maxPlaces how many resolvers and
// endpoints of the API server there are.
const (
	maxUnknown = 20
	maxPlaces  = 1000
)

func build(files []source.File) *builder {
	b := &builder{reading: read(files), known: map[string]bool{}, seen: map[any]bool{}, more: map[string]int{}, named: map[string]int{}}
	b.google()
	b.amazon()
	b.azure()
	b.cluster()
	b.handwritten()
	b.finish()
	return b
}

// settle says that what is in a field is all there is.
func (b *builder) settle(fields ...string) {
	for _, f := range fields {
		b.known[f] = true
	}
}

// missing says that something of a field could not be learned.
func (b *builder) missing(field, format string, args ...any) {
	u := model.Unknown{What: field, Why: fmt.Sprintf(format, args...)}
	switch {
	case b.named[field] >= maxUnknown:
		b.more[field]++
	case b.first(u):
		b.named[field]++
		b.Unknown = append(b.Unknown, u)
	}
}

// first reports whether v is asked about for the first time.
func (b *builder) first(v any) bool {
	if b.seen[v] {
		return false
	}
	b.seen[v] = true
	return true
}

// need says that an answer is missing for a field, and asks for it.
func (b *builder) need(n Need, field, format string, args ...any) {
	b.ask(n)
	b.missing(field, "%s; %s", fmt.Sprintf(format, args...), n.command())
}

func (b *builder) ask(n Need) {
	if b.first(n) {
		b.needs = append(b.needs, n)
	}
}

// add puts ranges into a list; finish takes out what is there twice.
func add(list *[]model.Range, ranges ...model.Range) { *list = append(*list, ranges...) }

// unique returns the first range of each block.
func unique(list []model.Range) []model.Range {
	seen := map[netip.Prefix]bool{}
	var out []model.Range
	for _, r := range list {
		if !seen[r.CIDR] {
			seen[r.CIDR] = true
			out = append(out, r)
		}
	}
	return out
}

// space returns every address of a list.
func space(list []model.Range) netset.Addrs {
	cidrs := make([]netip.Prefix, len(list))
	for i, r := range list {
		cidrs[i] = r.CIDR
	}
	return netset.Prefixes(cidrs...)
}

// in reports whether a range of a list holds an address.
func in(list []model.Range, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(r model.Range) bool { return r.CIDR.Contains(a) })
}

// host is the range of one address.
func host(a netip.Addr, source string) model.Range {
	return model.Range{CIDR: netip.PrefixFrom(a, a.BitLen()), Source: source}
}

// relabel returns ranges with another source before what theirs says.
func relabel(ranges []model.Range, source string) []model.Range {
	out := make([]model.Range, len(ranges))
	for i, r := range ranges {
		out[i] = model.Range{CIDR: r.CIDR, Source: source + ", " + r.Source}
	}
	return out
}

// field returns the list of ranges that a field of Facts is, or nil.
func field(r *model.Ranges, name string) *[]model.Range {
	switch name {
	case fieldNodes:
		return &r.Nodes
	case fieldPods:
		return &r.Pods
	case fieldServices:
		return &r.Services
	case fieldControlPlane:
		return &r.ControlPlane
	case fieldVPC:
		return &r.VPC
	case fieldRemote:
		return &r.Remote
	}
	return nil
}

// finish names what nothing settles, and orders everything.
func (b *builder) finish() {
	for _, f := range Fields {
		named := slices.ContainsFunc(b.Unknown, func(u model.Unknown) bool { return u.What == f })
		if n := b.more[f]; n > 0 {
			b.Unknown = append(b.Unknown, model.Unknown{What: f, Why: fmt.Sprintf("and for %d more reasons", n)})
		}
		switch {
		case len(b.problems) > 0:
		case !b.known[f] && !named:
			b.missing(f, "no answer that was read tells; %s", whoTells[f])
		}
	}
	if len(b.problems) > 0 {
		b.Unknown = append(b.Unknown, Unread(b.problems)...)
	}
	for _, f := range Fields {
		if list := field(&b.Ranges, f); list != nil {
			slices.SortStableFunc(*list, func(x, y model.Range) int {
				return cmp.Or(x.CIDR.Addr().Compare(y.CIDR.Addr()), x.CIDR.Bits()-y.CIDR.Bits(), cmp.Compare(x.Source, y.Source))
			})
			*list = slices.Compact(*list)
		}
	}
	slices.SortStableFunc(b.Unknown, func(x, y model.Unknown) int { return slices.Index(Fields, x.What) - slices.Index(Fields, y.What) })
}

// Unread says of every field that what could not be read or recognised may have said more of it.
func Unread(problems []finding.Problem) []model.Unknown {
	at := doc.Clean(problems[0].Origin.Pos(), 80)
	if n := len(problems) - 1; n > 0 {
		at += " and " + strconv.Itoa(n) + " more"
	}
	var out []model.Unknown
	for _, f := range Fields {
		out = append(out, model.Unknown{What: f, Why: at + ": what could not be read or recognised may have said more"})
	}
	return out
}

// whoTells says for each field which answer has it, where no document of any cloud says which one
// is missing.
var whoTells = map[string]string{
	fieldNodes:        "kubectl get nodes -o json, or the cloud's description of the cluster and its subnets, has them",
	fieldPods:         "the cloud's description of the cluster and its subnets has them, or the network plugin's configuration",
	fieldServices:     "kubectl get servicecidrs -o json, or the cloud's description of the cluster, has them",
	fieldControlPlane: "kubectl get endpointslices -n default kubernetes, or the cloud's description of the cluster, has it",
	fieldVPC:          "the cloud's description of the network has them",
	fieldRemote:       "the cloud's routes and peerings of the network have them; where you know them, write a facts file and read it beside the rest",
	fieldDNS:          "kubectl get services,daemonsets -n kube-system has it",
	fieldKubeAPI:      "kubectl get endpointslices -n default kubernetes has it",
	fieldCNI:          "kubectl get daemonsets,configmaps -A has it",
	fieldCloud:        "kubectl get nodes has it, if the cloud's controller runs",
	fieldIdentity:     "the cloud's description of the cluster has it, or kubectl get daemonsets,serviceaccounts -A",
}

// unmapped is p as an IPv4 range if it is one inside IPv6.
func unmapped(p netip.Prefix) netip.Prefix { return netset.Unmap(p.Masked()) }

// sorted yields a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
