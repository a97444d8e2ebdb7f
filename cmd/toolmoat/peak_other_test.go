//go:build !linux

package main

import "os/exec"

// peak is not known where the unit of what the system tells is another one, or it tells nothing.
func peak(*exec.Cmd) int64 { return 0 }
