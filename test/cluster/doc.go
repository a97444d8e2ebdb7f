// Package cluster holds nothing but tests: it starts a real control plane, an API server with its
// etcd, and runs the program on it as a user would. It is a module of its own, so that its weight
// stays away from users.
//
// The API server and etcd are built from their own modules in the folder tools, and kept in a
// folder outside of the tree for the next run: TOOLMOAT_CLUSTER_BIN names it, by default it is in
// the user's cache folder. There are no nodes, no controllers and no kubelet: objects stay as they
// were written, and everything else is as in any cluster.
package cluster
