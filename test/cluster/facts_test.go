package cluster

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ofItself is what a cluster with Cilium tells of itself.
const ofItself = `
apiVersion: v1
kind: Node
metadata: {name: worker-1}
spec: {podCIDRs: [10.244.1.0/24], providerID: "openstack:///1"}
status: {addresses: [{type: InternalIP, address: 192.168.77.12}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kubeadm-config, namespace: kube-system}
data:
  ClusterConfiguration: |
    networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config, namespace: kube-system}
data: {ipam: cluster-pool, cluster-pool-ipv4-cidr: 10.244.0.0/16, enable-policy: default, enable-ipv4: "true", enable-ipv6: "false"}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: cilium, namespace: kube-system, labels: {k8s-app: cilium}}
spec:
  selector: {matchLabels: {k8s-app: cilium}}
  template:
    metadata: {labels: {k8s-app: cilium}}
    spec:
      containers: [{name: cilium-agent, image: "quay.io/cilium/cilium:v1.19.1"}]
status: {desiredNumberScheduled: 1, currentNumberScheduled: 1, numberReady: 1, numberMisscheduled: 0}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec:
  clusterIP: 10.96.0.10
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP, targetPort: 53}]
`

// TestCidrsCluster asks a cluster for what it tells of itself, as several users, and saves the same
// answers to files.
func TestCidrsCluster(t *testing.T) {
	p := newPlane(t, "cidrs")
	p.api.apply(t, objects(t, ofItself))
	cidrs := func(bearer string, more ...string) ran {
		return toolmoat(t, append([]string{"cidrs", "cluster", "--kubeconfig", kubeconfig(t, token(bearer), p)}, more...)...)
	}
	admin := cidrs("admin-token")
	for _, want := range []string{"cni: cilium\n", "cidr: 10.244.0.0/16\n", "cidr: 10.96.0.0/16\n", "cidr: 192.168.77.12/32\n", `address: "10.96.0.10"`} {
		if !strings.Contains(admin.out, want) {
			t.Errorf("there is no %q in\n%s", want, admin.out)
		}
	}
	if strings.Contains(admin.err, "error:") {
		t.Errorf("admin: %s", admin.err)
	}

	dir := t.TempDir()
	for _, path := range []string{"/api/v1/nodes", "/api/v1/serviceaccounts", "/api/v1/services", "/api/v1/namespaces/kube-system/configmaps", "/apis/apps/v1/daemonsets",
		"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", "/apis/networking.k8s.io/v1/servicecidrs"} {
		status, text, err := p.api.do(t.Context(), "GET", path, nil)
		if err != nil || status != http.StatusOK {
			t.Fatalf("GET %s: %d %v", path, status, err)
		}
		write(t, filepath.Join(dir, strings.ReplaceAll(path[1:], "/", "-")+".json"), string(text))
	}
	if saved := toolmoat(t, "cidrs", "--from-file", dir); saved.out != admin.out || saved.code != admin.code {
		t.Errorf("saved answers say, with exit %d, not %d:\n%s\nnot\n%s\n%s", saved.code, admin.code, saved.out, admin.out, saved.err)
	}

	roles := toolmoat(t, "cidrs", "cluster", "--print-rbac")
	p.api.apply(t, objects(t, roles.out))
	bearer := p.api.tokenOf(t, "default", "toolmoat")
	if least := cidrs(bearer); least.out != admin.out || least.code != admin.code {
		t.Errorf("with the roles that it prints: exit %d\n%s\n%s", least.code, least.out, least.err)
	}

	p.api.create(t, object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": object{"name": "nobody", "namespace": "default"}})
	none := cidrs(p.api.tokenOf(t, "default", "nobody"))
	missing := []string{"needs list on nodes", "needs list on daemonsets.apps", "needs get on configmaps", "needs list on servicecidrs.networking.k8s.io"}
	if none.code != 2 || slices.ContainsFunc(missing, func(text string) bool { return !strings.Contains(none.err, text) }) {
		t.Errorf("without rights: exit %d\n%s", none.code, none.err)
	}
}
