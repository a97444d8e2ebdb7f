package facts

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/model"
)

// Entry is one line under an except list.
type Entry struct {
	CIDR netip.Prefix
	Of   netip.Prefix // the block that it is an exception of: 0.0.0.0/0 or ::/0
	Note string       // what it is, fit for a comment
}

// Except returns f's ranges as exceptions.
func Except(f model.Facts) []Entry {
	var out []Entry
	for _, name := range Fields {
		list := field(&f.Ranges, name)
		if list == nil {
			continue
		}
		for _, r := range *list {
			i := slices.IndexFunc(out, func(e Entry) bool { return e.CIDR == r.CIDR })
			if i < 0 {
				of := everywhere4
				if r.CIDR.Addr().Is6() {
					of = everywhere6
				}
				out = append(out, Entry{r.CIDR, of, r.Source})
			} else if !strings.Contains(out[i].Note, r.Source) {
				out[i].Note += "; " + r.Source
			}
		}
	}
	return out
}

var everywhere4, everywhere6 = netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
