// Package toolmoat is the root of the module and holds no code, only the test over the tree that keeps the architecture.
// The program is cmd/toolmoat.
package toolmoat
