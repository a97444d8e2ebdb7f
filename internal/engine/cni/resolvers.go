package cni

import "net/netip"

// Forms of DNS that more than one profile has.
var (
	coreDNS = Resolver{Name: "CoreDNS or kube-dns pods", Pod: true, Port: 53,
		Source: "kubernetes cluster/addons/dns: pods in kube-system that listen on port 53; k3s, kind, EKS, AKS and GKE likewise"}
	nodeLocalDNS = Resolver{Name: "NodeLocal DNSCache", Port: 53, Addrs: addrs("169.254.20.10"),
		Source: "kubernetes.io nodelocaldns: a cache on each node's network; in iptables mode it also answers on the DNS Service's address"}
	cloudDNS = Resolver{Name: "Cloud DNS for GKE", Port: 53, Addrs: addrs("169.254.169.254"),
		Source: "tektoncd/operator issue 4000: pods' resolv.conf names this address, which no pod selector matches"}
	localDNS = Resolver{Name: "AKS LocalDNS", Port: 53, Addrs: addrs("169.254.10.10", "169.254.10.11"),
		Source: "aks-docs localdns-custom.md: a proxy on each node, for ClusterFirst and for the default DNS policy"}
)

func addrs(texts ...string) []netip.Addr {
	out := make([]netip.Addr, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParseAddr(t)
	}
	return out
}
