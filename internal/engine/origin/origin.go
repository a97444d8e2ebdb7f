// Package origin says where something was written: the file, the line and the object it belongs to.
package origin

import (
	"cmp"
	"strconv"
)

// Origin is a place in the input. The zero value means "nowhere in the input", as for a fact that
// was assumed.
type Origin struct {
	File   string `json:"file,omitempty"`   // as the user named it, slash separated; "-" is standard input
	Line   int    `json:"line,omitempty"`   // 1-based; 0 when unknown
	Object string `json:"object,omitempty"` // "Kind namespace/name", or "Kind name" for what has no namespace
}

// IsZero reports whether o names no place.
func (o Origin) IsZero() bool { return o == Origin{} }

// Pos returns "file:line", "file" when the line is unknown, or "" for the zero value.
func (o Origin) Pos() string {
	if o.File == "" || o.Line == 0 {
		return o.File
	}
	return o.File + ":" + strconv.Itoa(o.Line)
}

// At returns o at another line of the same object.
func (o Origin) At(line int) Origin {
	o.Line = line
	return o
}

// Compare orders by file, line and object.
func (o Origin) Compare(p Origin) int {
	return cmp.Or(cmp.Compare(o.File, p.File), cmp.Compare(o.Line, p.Line), cmp.Compare(o.Object, p.Object))
}
