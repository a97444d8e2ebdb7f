// Package oracle holds nothing but tests: it asks other people's engines the questions our own
// answers and fails where they differ. It is a module of its own, so that their weight stays away
// from users.
//
// The oracles are Cyclonus' matcher with all of its generated cases, the evaluator of
// kube-network-policies (the data plane of kindnet), and the API server's own decoding, defaulting
// and validation of NetworkPolicy.
//
// Cilium's engine is asked in the folder cilium, which is a module of its own: it needs client
// libraries older than these.
package oracle
