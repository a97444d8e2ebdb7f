package main

import "runtime/debug"

// A command ends before much garbage has gathered, so collecting it is put off for as long as
// memory stays in proportion: a small input keeps its memory small, a large one trades memory for
// time, up to a bound that only what is in use may exceed.
const (
	gcPercent      = 180
	gcPercentLarge = 600
	large          = 5000 // workloads
	memoryBound    = 880 << 20
)

func limitMemory() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryBound)
}

// makeRoom is called when it is known how many workloads will be judged.
func makeRoom(workloads int) {
	if workloads >= large {
		debug.SetGCPercent(gcPercentLarge)
	}
}
