package query

import (
	"net/netip"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/special"
)

// How the engine says where the other end's address lies.
const (
	liesIn    = "the other end's address is in "
	liesNotIn = "the other end's address is not in "
)

// settleDenied decides what text says of a rule that denies addresses, where the address is known after all: "" if that rule does not deny it, never if
// it does. Of a text that is about more, or that leaves ranges out, it returns what stays open.
func settleDenied(text string, claimed netip.Addr) (left string, never bool) {
	denies, ok := strings.CutPrefix(text, notDenied)
	if !ok || strings.Contains(denies, ", or ") {
		return text, false
	}
	where, more, _ := strings.Cut(denies, ", and ")
	list, inside := strings.CutPrefix(where, liesIn)
	if !inside {
		if list, ok = strings.CutPrefix(where, liesNotIn); !ok || !special.Plan.Contains(claimed) { // of which the list is the rest
			return text, false
		}
	}
	within := false
	for item := range strings.SplitSeq(list, ", ") {
		prefix, err := netip.ParsePrefix(item)
		if addr, isAddr := netip.ParseAddr(item); isAddr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || !inside && prefix.Addr().Is4() != claimed.Is4() {
			return text, false
		}
		within = within || prefix.Contains(claimed)
	}
	switch {
	case within != inside:
		return "", false
	case more == "":
		return text, true
	}
	return notDenied + more, false
}
