// Command cmd writes a synthetic cluster to a directory, for measurements that anyone can repeat:
//
//	go run ./test/synth/cmd -workloads 2000 -out /tmp/cluster
//	toolmoat audit /tmp/cluster
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/toolmoat/toolmoat/test/synth"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run() error {
	workloads := flag.Int("workloads", 2000, "how many workloads, 10 at least; half as many policies, 20 workloads a namespace")
	out := flag.String("out", "", "the directory to write to; it must be empty or not exist yet")
	pods := flag.Bool("pods", false, "also write the running pods with their addresses, as a live cluster lists them")
	seed := flag.Uint64("seed", 1, "which of the clusters of this size")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		return errors.New("usage: go run ./test/synth/cmd -workloads N -out DIR [-pods] [-seed N]")
	}
	c := synth.Size(*workloads)
	c.Pods, c.Seed = *pods, *seed
	if err := c.Write(*out); err != nil {
		return err
	}
	fmt.Printf("%s: %d workloads and %d policies in %d namespaces, %d nodes\n", *out, c.Workloads, c.Policies, c.Namespaces, c.Nodes)
	return nil
}
