package feeds

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Limits of an answer. The largest, Azure's and AWS's, are about 5 MB and 80,000 ranges.
const (
	maxBody     = 16 << 20
	maxValues   = 1 << 20 // of JSON: strings, numbers, keys
	maxRanges   = 200_000
	maxSections = 20_000
	maxDepth    = 6 // of sections in one another
)

// A decoder reads one provider's answer.
type decoder func(answer []byte, into *document) error

// document is what one answer says.
type document struct {
	sections sections
	ranges   int    // added so far
	serial   uint64 // grows from one publication to the next; 0 where the feed has nothing like it
}

// read decodes an answer of f. It bounds what the answer can cost, and does not judge the ranges.
func (f Feed) read(answer []byte) (*document, error) {
	switch {
	case f.decode == nil:
		return nil, fmt.Errorf("%s publishes nothing in JSON", f.Name)
	case len(answer) > maxBody:
		return nil, fmt.Errorf("larger than %d MiB", maxBody>>20)
	case bytes.Count(answer, []byte{','})+bytes.Count(answer, []byte{':'}) > maxValues:
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	d := &document{sections: sections{}}
	if err := f.decode(answer, d); err != nil {
		return nil, err
	}
	d.sections.tidy()
	return d, nil
}

// unmarshal decodes the whole answer into v.
func unmarshal(answer []byte, v any) error {
	err := json.Unmarshal(answer, v)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(answer)):
		return errors.New("the JSON is cut off")
	case errors.As(err, &kind):
		return fmt.Errorf("not of the form that is expected: %s where another type is due", doc.Clean(kind.Value, 40))
	case err != nil:
		return fmt.Errorf("invalid JSON: %s", doc.Clean(err.Error(), 120))
	}
	return nil
}

// add puts a range, or a single address, into a section.
func (d *document) add(path, text string) error {
	p, err := parseRange(text)
	if err != nil {
		return fmt.Errorf("section %q: %w", path, err)
	}
	if d.ranges++; d.ranges > maxRanges {
		return fmt.Errorf("more than %d ranges", maxRanges)
	}
	if _, known := d.sections[path]; !known && len(d.sections) == maxSections {
		return fmt.Errorf("more than %d sections", maxSections)
	}
	d.sections[path] = append(d.sections[path], p)
	return nil
}

// addAll is add for many.
func (d *document) addAll(path string, texts ...[]string) error {
	for _, text := range slices.Concat(texts...) {
		if err := d.add(path, text); err != nil {
			return err
		}
	}
	return nil
}

// parseRange reads a prefix or an address. Bits beyond the prefix's length are dropped, as some
// providers leave them in.
func parseRange(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, addrErr := netip.ParseAddr(text)
		if addrErr != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no range", doc.Clean(text, 50))
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return netset.Unmap(p).Masked(), nil
}

// join makes the path of a section from names as the provider writes them.
func join(names ...string) (string, error) {
	for i, name := range names {
		name = strings.ReplaceAll(strings.ToLower(name), " ", "-")
		if !isName(name) {
			return "", fmt.Errorf("%q is no name of a section", doc.Clean(name, 50))
		}
		names[i] = name
	}
	return strings.Join(names, "/"), nil
}

// isName reports whether a part of a section's path is harmless to print, to compare and to type.
func isName(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && s[0] != '.' && s[0] != '-'
}

// tree reads objects whose lists of ranges may be at any depth, as of GitHub or Sentry: the keys
// are the path. Lists without any range, as of keys or host names, are not ranges. The ranges are
// those below the key at, if it is not ""; flat puts all into one section.
func tree(at string, flat bool) decoder {
	return func(answer []byte, d *document) error {
		if at == "" {
			var whole json.RawMessage
			if err := unmarshal(answer, &whole); err != nil {
				return err
			}
			return d.walk(whole, nil, flat)
		}
		var keyed map[string]json.RawMessage
		if err := unmarshal(answer, &keyed); err != nil {
			return err
		}
		return d.walk(keyed[at], nil, flat)
	}
}

func (d *document) walk(value json.RawMessage, at []string, flat bool) error {
	value = bytes.TrimLeft(value, " \t\r\n")
	switch {
	case len(at) > maxDepth:
		return fmt.Errorf("sections nested deeper than %d", maxDepth)
	case len(value) > 0 && value[0] == '{':
		var keyed map[string]json.RawMessage
		if err := unmarshal(value, &keyed); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(keyed)) {
			if err := d.walk(keyed[key], append(slices.Clip(at), key), flat); err != nil {
				return err
			}
		}
	case len(value) > 0 && value[0] == '[':
		var list []json.RawMessage
		if err := unmarshal(value, &list); err != nil {
			return err
		}
		return d.list(list, at, flat)
	}
	return nil
}

func (d *document) list(list []json.RawMessage, at []string, flat bool) error {
	texts := make([]string, len(list)) // "" for what is no text
	for i, item := range list {
		json.Unmarshal(item, &texts[i])
	}
	isRange := func(text string) bool { _, err := parseRange(text); return err == nil }
	if !slices.ContainsFunc(texts, isRange) {
		return nil
	}
	path := ""
	for i, text := range texts {
		if i == 0 && !flat && len(at) > 0 {
			var err error
			if path, err = join(slices.Clone(at)...); err != nil {
				return err
			}
		}
		if err := d.add(path, text); err != nil {
			return err
		}
	}
	return nil
}

// number reads a serial number, which providers write as a number or as a string. A feed that has
// none is none of its own.
func (d *document) number(what string, value json.RawMessage) error {
	text := strings.Trim(string(value), `"`)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return fmt.Errorf("%s is %q, and not a number", what, doc.Clean(text, 30))
	}
	d.serial = n
	return nil
}

// instant reads a time of publication, with or without an offset.
func (d *document) instant(what, text string) error {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.UnixMilli() > 0 {
			d.serial = uint64(t.UnixMilli())
			return nil
		}
	}
	return fmt.Errorf("%s is %q, and not a time", what, doc.Clean(text, 40))
}
