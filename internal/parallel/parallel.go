// Package parallel spreads independent pieces of work over the processors.
package parallel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Do calls do for each of 0 to n-1, some at the same time, and returns when all are done. If one panics, Do panics with what it said and where, on the
// caller's goroutine, which alone can recover it.
func Do(n int, do func(i int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	var failed atomic.Value
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					failed.CompareAndSwap(nil, fmt.Sprintf("%v\n%s", r, debug.Stack()))
				}
			}()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
	if r := failed.Load(); r != nil {
		panic(r)
	}
}
