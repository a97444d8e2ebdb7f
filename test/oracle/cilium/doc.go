// Package cilium holds nothing but tests: it asks the policy engine of Cilium the questions that
// our own answers under the profile "cilium", and fails where they differ.
//
// Both read the same manifests. Cilium's side is its own code from end to end: the definitions of
// its resources as an API server checks them, its parsers and their checks, its identities of pods,
// nodes and addresses, its selectors, and the lookup that its data plane does. What an agent does
// between these is done here, each with the place in Cilium's code that it stands for.
//
// It is a module of its own beside test/oracle because Cilium 1.19.1 does not build with the client
// libraries that Kubernetes 1.36 needs.
package cilium
