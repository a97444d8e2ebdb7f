package parallel

import (
	"strings"
	"sync/atomic"
	"testing"
)

func TestDo(t *testing.T) {
	done := make([]atomic.Int32, 1000)
	Do(len(done), func(i int) { done[i].Add(1) })
	for i := range done {
		if n := done[i].Load(); n != 1 {
			t.Errorf("%d was done %d times", i, n)
		}
	}
	Do(0, func(int) { t.Error("nothing to do was done") })
}

func TestDoPanics(t *testing.T) {
	defer func() {
		p, _ := recover().(*Panic)
		if p == nil || p.Value != "seven" || !strings.Contains(string(p.Stack), "parallel_test.go") {
			t.Errorf("recovered %+v", p)
		}
	}()
	Do(100, func(i int) {
		if i == 7 {
			panic("seven")
		}
	})
}
