package when

import (
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// TestBind demands that what is bound is another question than what is not, and is said of whom it
// is about.
func TestBind(t *testing.T) {
	s := NewSpace()
	label := s.Fact("label of dst", Destination, 0, "{dst} has label a", "{dst} has no label a").Has(Yes)
	address := s.Ask(Question{ID: "address of dst", Kind: Address, End: Destination, All: Answers{Addrs: netset.MustPrefixes("10.0.0.0/8")}})
	in := address.In(netset.MustPrefixes("10.0.0.0/9"))
	names := Names{Dst: "x/a"}
	for _, w := range []When{label, in, label.And(in), label.Or(in.Not())} {
		bound := w.Bind(Destination, "x/b #2", "x/b")
		if bound.Or(w.Not()).IsAlways() || !bound.And(w.Not()).Overlaps(Always) || !bound.Equal(w.Bind(Destination, "x/b #2", "x/b")) {
			t.Errorf("%s, bound %s: not told apart", w.Text(Always, names), bound.Text(Always, names))
		}
		if w.Bind(Source, "x/c #3", "x/c") != w {
			t.Errorf("%s: bound to another end", w.Text(Always, names))
		}
	}
	if got, want := label.And(in).Bind(Destination, "x/b #2", "x/b").Text(Always, names), "x/b has an address in 10.0.0.0/9, and x/b has label a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
