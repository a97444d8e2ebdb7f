// Package crd holds nothing but a test: it asks the definitions of Cilium 1.20's policies, as an API
// server checks them, and Cilium's own check of a policy, which documents they take, and fails where
// our decoder takes others.
//
// It is a module of its own beside test/oracle/cilium, which has the engine of Cilium 1.19.1.
package crd
