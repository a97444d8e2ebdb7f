package source

import (
	"github.com/toolmoat/toolmoat/internal/engine/label"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// readSelector reads a label selector, and reports what the API server would refuse in one.
// Nothing, null and {} all select everything.
func readSelector(c *doc.Cursor) label.Selector {
	set, _ := readLabels(c.Field("matchLabels"))
	sel := label.Equals(set)
	for _, e := range c.Field("matchExpressions").Items() {
		if key, values, ok := readRequirement(e); ok {
			sel = sel.Require(key, values)
		}
	}
	return sel
}

func readRequirement(c *doc.Cursor) (key string, values label.Values, ok bool) {
	before := c.Problems()
	key = c.Field("key").Text()
	if c.Problems() == before && !isLabelKey(key) {
		c.Field("key").Fail("not a valid label key: "+doc.Quote(key), "")
	}
	values, ok = readConstraint(c)
	return key, values, ok && c.Problems() == before
}

// readConstraint reads the operator and the values of a requirement.
func readConstraint(c *doc.Cursor) (values label.Values, ok bool) {
	before := c.Problems()
	list := c.Field("values")
	var texts []string
	for _, v := range list.Items() {
		failed := c.Problems()
		text := v.Text()
		if c.Problems() == failed && !isLabelValue(text) {
			v.Fail("not a valid label value: "+doc.Quote(text), "letters, digits, '-', '_' and '.', at most 63 of them")
		}
		texts = append(texts, text)
	}
	needsValues := false
	switch op := c.Field("operator"); op.Text() {
	case "In":
		values, needsValues = label.In(texts...), true
	case "NotIn":
		values, needsValues = label.NotIn(texts...), true
	case "Exists":
		values = label.Exists()
	case "DoesNotExist":
		values = label.Absent()
	default:
		op.Fail("not a selector operator", "In, NotIn, Exists or DoesNotExist")
		return values, false
	}
	if needsValues && len(texts) == 0 {
		list.Fail("missing: the operator needs values", "")
	} else if !needsValues && len(texts) > 0 {
		list.Fail("not allowed with this operator", "")
	}
	return values, c.Problems() == before
}
