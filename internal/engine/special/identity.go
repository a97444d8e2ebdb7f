package special

import (
	"net/netip"
	"slices"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// Identity is where pods of a cloud's clusters get the cloud identity of their own service account:
// addresses and ports that a policy has to name, all of them, and that differ between plugins of
// one cloud.
type Identity struct {
	Cloud    string   // as [Endpoint] names clouds
	Profiles []string // the cloud's plugins under which it is judged in this form; nil for all
	Name     string
	Addrs    []netip.Addr
	Conns    netset.Conns
	Source   string
}

// Identities lists the forms. Azure has none: its pods exchange their tokens with a public service.
var Identities = []Identity{
	{"Google Cloud", []string{"gke-legacy"}, "GKE metadata server", addrs("169.254.169.252"), tcp(987, 988),
		"GKE network policy documentation, clusters without Dataplane V2, as quoted by several projects"},
	{"Google Cloud", []string{"gke-dpv2"}, "GKE metadata server of Dataplane V2", addrs("169.254.169.254"), tcp(80, 8080),
		"GKE network policy documentation, Dataplane V2, as quoted by several projects"},
	{"AWS", nil, "EKS Pod Identity agent", addrs("169.254.170.23", "fd00:ec2::23"), tcp(80), "botocore; EKS pod-id-agent-setup"},
}

// Under reports whether i is the form of a profile, by its name and cloud.
func (i Identity) Under(profile, cloud string) bool {
	return i.Cloud == cloud && (i.Profiles == nil || slices.Contains(i.Profiles, profile))
}
