package cni

import "cmp"

// Profiles lists every profile: the API's text, then the plugins by name.
var Profiles = []Profile{
	spec,
	aksCilium,
	antrea,
	awsVPCCNI, awsVPCCNIStrict,
	azureNPM,
	calico,
	cilium, ciliumNodes, ciliumPods, ciliumPodsNodes,
	eksAuto,
	flannel,
	gkeDPv2, gkeLegacy,
	kubeNetworkPolicies, kubeRouter,
	none,
	ovnKubernetes,
}

// derive returns a profile that is as base except for what changes sets. Facts that changes leaves
// out are those of base, Kinds add to those of base, and any other field replaces that of base. What
// is told apart by version is said of the result anew, by through.
func derive(base, changes Profile) Profile {
	p := base
	p.Name, p.Title = changes.Name, changes.Title
	p.Family = cmp.Or(changes.Family, base.Family)
	p.Version = cmp.Or(changes.Version, base.Version)
	p.Cloud = cmp.Or(changes.Cloud, base.Cloud)
	for q, fact := range changes.Facts {
		p.Facts[q] = cmp.Or(fact, base.Facts[q])
	}
	p.Kinds = kinds(base.Kinds, changes.Kinds)
	p.PortsPerBlock = cmp.Or(changes.PortsPerBlock, base.PortsPerBlock)
	p.LimitSource = cmp.Or(changes.LimitSource, base.LimitSource)
	if changes.Resolvers != nil {
		p.Resolvers = changes.Resolvers
	}
	for o, at := range changes.places {
		if at.Source != "" {
			p.places[o] = at
		}
	}
	if changes.Agent.Name != "" {
		p.Agent = changes.Agent
	}
	if changes.Other != nil {
		p.Other = changes.Other
	}
	if changes.before != nil {
		p.before = changes.before
	}
	if changes.carries != nil {
		p.carries = changes.carries
	}
	p.Known, p.every = Versions{}, nil
	return p
}
