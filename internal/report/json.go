package report

import (
	"encoding/json"
	"io"
)

// JSON writes v with two spaces of indentation and a final newline.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
