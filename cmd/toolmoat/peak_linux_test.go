package main

import (
	"os/exec"
	"syscall"
)

// peak is how many bytes of a command that has ended were resident at most.
func peak(cmd *exec.Cmd) int64 {
	return int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10 // getrusage(2): in kilobytes
}
