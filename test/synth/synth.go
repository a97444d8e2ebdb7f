// Package synth makes synthetic clusters, as YAML, to measure and test with: tenants that each run
// a gateway, MCP servers and services of their own behind network policies of the usual shapes.
//
// The same [Cluster] always gives the same bytes.
package synth

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Cluster says how large a synthetic cluster is. The zero value has cluster DNS in kube-system and
// nothing else.
//
// One namespace is kube-system, with one workload; tenants share the others. With a single
// namespace there is no tenant, and Workloads and Policies mean nothing.
type Cluster struct {
	Namespaces int // in all
	Workloads  int // in all, as even as it goes; a tenant's first is its gateway, a third are MCP servers
	Policies   int // NetworkPolicies in all, as even as it goes
	Nodes      int
	Pods       bool   // also the running pods with their addresses, as a live cluster lists them
	Seed       uint64 // varies replicas, images and ranges, never the counts above
}

// Size returns a cluster of so many workloads, 10 at least, with half as many policies and 20
// workloads a namespace.
func Size(workloads int) Cluster {
	workloads = max(workloads, 10)
	return Cluster{
		Namespaces: max(2, workloads/20),
		Workloads:  workloads,
		Policies:   workloads / 2,
		Nodes:      3 + workloads/100,
		Seed:       1,
	}
}

// File is one file of a cluster.
type File struct {
	Name string // without a directory
	Data []byte
}

// Files returns the cluster: kube-system.yaml, nodes.yaml, then one file a tenant.
func (c Cluster) Files() []File {
	g := &generator{Cluster: c}
	files := []File{{"kube-system.yaml", g.clusterDNS()}}
	if c.Nodes > 0 {
		files = append(files, File{"nodes.yaml", g.nodes()})
	}
	tenants := c.Namespaces - 1
	for i := range tenants {
		t := tenant{
			number:    i,
			name:      tenantName(i),
			next:      tenantName((i + 1) % tenants),
			rand:      rand.New(rand.NewPCG(c.Seed, uint64(i))),
			workloads: share(c.Workloads-1, tenants, i),
			policies:  share(c.Policies, tenants, i),
		}
		files = append(files, File{t.name + ".yaml", g.tenant(&t)})
	}
	return files
}

// Write writes the files into dir, which must be empty or not exist yet: other files beside them
// would be counted as the cluster's.
func (c Cluster) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	for _, f := range c.Files() {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ErrNotEmpty is returned by [Cluster.Write] for a directory that has something in it.
var ErrNotEmpty = errors.New("directory is not empty")

// share returns the i-th of n even parts of total.
func share(total, n, i int) int {
	part := max(total, 0) / n
	if i < max(total, 0)%n {
		part++
	}
	return part
}

func tenantName(i int) string { return fmt.Sprintf("team-%04d", i) }
