package label

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

func TestLabels(t *testing.T) {
	l := Known(Set{"b": "2", "a": "1"})
	if v, ok := l.Value("a"); v != "1" || !ok {
		t.Errorf("a is %q, %t", v, ok)
	}
	if v, ok := l.Value("c"); v != "" || ok {
		t.Errorf("c is %q, %t", v, ok)
	}
	if l.IsOpen() || !l.Open().IsOpen() || l.IsOpen() {
		t.Error("Open changes its operand or nothing")
	}
	set := l.Set()
	set["a"] = "changed"
	if v, _ := l.Value("a"); v != "1" {
		t.Error("a change to the copy reached the labels")
	}
	if got := (Labels{}).Set(); len(got) != 0 {
		t.Errorf("the zero value has labels %v", got)
	}
}

func TestWithAndUnknown(t *testing.T) {
	l := Known(Set{"a": "1"}).WithUnknown("a", "h", "g", "h").Open()
	given := l.With("h", "7")
	for _, c := range []struct {
		l         Labels
		key       string
		must, may bool // has the key with value 7
	}{
		{l, "a", false, false},
		{l, "h", false, true},
		{l, "other", false, true},
		{given, "h", true, true},
		{given, "g", false, true},
		{given, "a", false, false},
		{given, "other", false, true},
	} {
		if must, may := (Selector{}).Require(c.key, In("7")).Match(c.l); must != c.must || may != c.may {
			t.Errorf("%+v: %s=7 must %t, may %t", c.l, c.key, must, may)
		}
	}
	if must, _ := (Selector{}).Require("g", Exists()).Match(given); !must {
		t.Error("With forgot another unknown key")
	}
	if !maps.Equal(given.Set(), Set{"a": "1", "h": "7"}) || !given.IsOpen() {
		t.Errorf("With gave %+v", given)
	}
	if must, may := (Selector{}).Require("h", In("7")).Match(l); must || !may {
		t.Error("With changed its operand")
	}
}

// TestOnlyTellsApartWhatSelectorsDo compares the texts of all pairs of labels, known and not, with
// the answers of every selector of one requirement on the same keys.
func TestOnlyTellsApartWhatSelectorsDo(t *testing.T) {
	keys := []string{"a", "b"}
	var all []Labels
	for known := range 1 << 4 { // a third key is never asked for
		for unknown := range 1 << 3 {
			for open := range 2 {
				l, _ := partial(byte(known), byte(unknown), byte(open))
				all = append(all, l)
			}
		}
	}
	answers := func(l Labels) string {
		out := ""
		for _, k := range keys {
			for _, v := range []Values{In("x"), In("y"), In(others), In("z"), Exists(), Absent(), NotIn("x")} {
				must, may := (Selector{}).Require(k, v).Match(l)
				out += fmt.Sprint(must, may, " ")
			}
		}
		return out
	}
	texts := map[string]string{}
	for _, l := range all {
		text, answer := l.Only(keys), answers(l)
		if was, ok := texts[text]; ok && was != answer {
			t.Fatalf("%+v has the text %q of labels that selectors tell apart from it", l, text)
		}
		texts[text] = answer
	}
	if seen := slices.Compact(slices.Sorted(maps.Values(texts))); len(seen) < 20 {
		t.Errorf("only %d kinds of labels", len(seen))
	}
	if a, b := Known(Set{"a": "x", "c": "1"}).Only(keys), Known(Set{"a": "x", "c": "2"}).Only(keys); a != b {
		t.Errorf("a key that was not asked for shows: %q and %q", a, b)
	}
}
