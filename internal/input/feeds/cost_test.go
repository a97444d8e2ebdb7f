package feeds

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkLargest takes the largest publication that is read at all, with as many sections as may
// be, over a copy of the same size.
func BenchmarkLargest(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"changeNumber":1,"values":[`)
	for i := range maxSections {
		fmt.Fprintf(&text, `{"name":"tag%d","properties":{"addressPrefixes":[`, i)
		for j := range maxRanges / maxSections {
			n := (i*10 + j) * 2
			fmt.Fprintf(&text, `"20.%d.%d.%d/32",`, n>>16, n>>8&255, n&255)
		}
		text.WriteString(`"2603:1000::/24"]}},`)
		if i == maxSections*9/10 {
			break
		}
	}
	answer := strings.TrimSuffix(text.String(), ",") + `]}`
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		dir := b.TempDir()
		for range 2 {
			if out, err := Import(Options{Dir: dir, Now: day}, "azure", []byte(answer), day); err != nil || out.Err != nil {
				b.Fatal(err, out.Err)
			}
		}
	}
}
